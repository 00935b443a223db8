//! Vendors' redirect services, played on host names of their own: a phone says who it is and is
//! told where its configuration lies (GIG-03, AUE-40, AUE-41).
//!
//! A phone says its address as the user name of its credentials (vendor facts §3) or, where its
//! vendor's phones show none, in the request target.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_scenarios::plan::Redirected;
use bootstorm_scenarios::scenario::RedirectAnswer;

use super::auth::{Asked, Guard, Scheme, Verdict, claimed_user};
use super::{Reply, Request};

/// The realm's name.
const REALM: &str = "redirect";
/// How long a nonce is taken.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);

/// What is known of a phone; `None` for a phone that nobody registered.
pub(super) type Registry = Arc<dyn Fn(Mac) -> Option<Redirected> + Send + Sync>;

/// A redirect service.
#[derive(Clone)]
pub struct RedirectService {
    /// Its host names, in lower case. Requests to other hosts are for the files.
    pub hosts: Vec<String>,
    /// How it tells the URL.
    pub answer: RedirectAnswer,
    /// The schemes that it offers to phones that have to show a password.
    pub schemes: Vec<Scheme>,
    /// What it knows.
    pub registry: Registry,
}

impl fmt::Debug for RedirectService {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = out.debug_struct("RedirectService");
        debug
            .field("hosts", &self.hosts)
            .field("answer", &self.answer);
        debug.finish_non_exhaustive()
    }
}

impl RedirectService {
    /// True for a request to one of its hosts.
    pub(super) fn is_meant(&self, request: &Request) -> bool {
        let host = request.header("host").unwrap_or_default();
        let host = host.split(|byte| *byte == b':').next().unwrap_or_default();
        let mut hosts = self.hosts.iter();
        hosts.any(|own| host.eq_ignore_ascii_case(own.as_bytes()))
    }

    /// 200 or 302 with the URL, 401 for a phone that has not proved who it is, 404 for one that
    /// nobody registered.
    pub(super) fn answer(&self, asked: Asked, secret: u64) -> Reply {
        let claimed = asked.authorization.and_then(claimed_user);
        let claimed = claimed.as_deref().and_then(Mac::parse);
        let Some(mac) = claimed.or_else(|| mac_in(asked.target)) else {
            return self.refusal(asked, secret, Verdict::Denied);
        };
        let Some(known) = (self.registry)(mac) else {
            return Reply::plain(404);
        };
        if known.password.is_some() {
            let password = |user: &str| {
                let own = Mac::parse(user).is_some_and(|user| user == mac);
                known.password.clone().filter(|_| own)
            };
            let verdict = self.guard(&password).check(asked, secret);
            if verdict != Verdict::Granted {
                return self.refusal(asked, secret, verdict);
            }
        }
        match self.answer {
            RedirectAnswer::Body => Reply {
                status: 200,
                headers: vec![("content-type", "text/plain".to_owned())],
                body: known.url.into_bytes().into(),
                after: Duration::ZERO,
            },
            RedirectAnswer::Location => Reply::plain(302).with("location", known.url),
        }
    }

    fn refusal(&self, asked: Asked, secret: u64, verdict: Verdict) -> Reply {
        let guard = self.guard(&|_| None);
        let stale = verdict == Verdict::Stale;
        Reply::challenge(guard.challenges(asked.now, secret, stale))
    }

    fn guard<'a>(&'a self, password: &'a dyn Fn(&str) -> Option<String>) -> Guard<'a> {
        Guard {
            name: REALM,
            schemes: &self.schemes,
            nonce_lifetime: NONCE_LIFETIME,
            password,
        }
    }
}

/// The first address in a request target, between marks that no address holds.
fn mac_in(target: &str) -> Option<Mac> {
    let target = target.replace("%3A", ":").replace("%3a", ":");
    let mark = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, ':' | '-');
    let mut words = target.split(mark);
    words.find_map(Mac::parse)
}

#[cfg(test)]
mod tests;
