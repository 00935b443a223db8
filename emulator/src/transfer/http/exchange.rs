//! What the client knows of one file on its way, and what it decides about credentials and
//! redirects; the connection is the client's business.

use super::auth::{Challenge, Grant, Login};
use super::{AuthMethod, Patience, RequestOptions, Server};
use crate::bodies::BodyWriter;
use crate::event::{EventKind, Fault, Limit};
use crate::limits::{REDIRECTS_MAX, URL_BYTES_MAX};
use crate::phone::turn::Turn;
use crate::profile::{SendCredentials, StepId};
use crate::time::Moment;
use crate::transfer::{Ending, PROGRESS_BYTES_MIN};
use crate::url::{Scheme, Url, UrlFault};
use crate::wire::http::{self as wire, ResponseReader};

/// What is asked of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

/// One file on its way: everything from `get` to its ending.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) method: Method,
    pub(super) step: StepId,
    pub(super) limit: usize,
    pub(super) user_agent: String,
    patience: Option<Patience>,
    pub(super) follow: bool,
    auth: AuthMethod,
    pub(super) url: Url,
    /// Credentials for `url`.
    login: Option<Login>,
    own: Own,
    redirects: u32,
    /// Tries of the present request, from 1.
    pub(super) attempt: u8,
    /// The present request left at least once.
    pub(super) sent: bool,
    credentials: Credentials,
    pub(super) deadline: Moment,
    /// Body bytes since `deadline` was last moved.
    progress: usize,
    pub(super) reader: ResponseReader,
    /// A byte of the answer came in this try.
    pub(super) heard: bool,
    /// The connection can serve a further request after this answer.
    pub(super) keep: bool,
    pub(super) sink: Sink,
}

/// Whose credentials the caller gave: they go to this host and no other.
#[derive(Debug)]
struct Own {
    login: Option<Login>,
    host: String,
    secure: bool,
}

/// Which credentials the present request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credentials {
    /// None.
    Unsent,
    /// An answer to a challenge of an earlier request, whose nonce may have run out.
    Reused,
    /// An answer to its own challenge (or Basic unasked).
    Sent,
    /// The answer to a second challenge, which said that the nonce was stale.
    Renewed,
}

/// Where the bytes of an answer go.
#[derive(Debug)]
pub(super) enum Sink {
    /// The head is still due.
    Head,
    /// To the body store.
    File(BodyWriter),
    /// To the client: the answer to a POST.
    Answer(Vec<u8>),
    /// Nowhere, as long as it is not too much; then the phone goes on.
    Refusal { left: usize, then: Then },
}

/// What follows an answer that is not the file.
#[derive(Debug)]
pub(super) enum Then {
    End(Ending),
    Redirect(Box<Url>),
    Answer(Challenge),
}

impl Method {
    /// As requests have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Exchange {
    pub(super) fn new(url: &Url, options: &RequestOptions<'_>, method: Method) -> Self {
        let own = Own {
            login: Login::new(&url.user, &url.password)
                .or_else(|| Login::new(options.user, options.password)),
            host: url.host.clone(),
            secure: url.scheme == Scheme::Https,
        };
        Self {
            step: options.step,
            limit: options.limit,
            user_agent: options.user_agent.to_owned(),
            patience: options.patience,
            follow: options.follow,
            method,
            auth: options.auth,
            url: url.clone(),
            login: own.login.clone(),
            own,
            redirects: 0,
            attempt: 1,
            sent: false,
            credentials: Credentials::Unsent,
            deadline: Moment::ZERO,
            progress: 0,
            reader: ResponseReader::default(),
            heard: false,
            keep: false,
            sink: Sink::Head,
        }
    }

    /// The request's own patience, or that of the profile's HTTP client.
    pub(super) fn patience(&self, turn: &Turn<'_>) -> Patience {
        let http = &turn.profile.http;
        self.patience.unwrap_or(Patience {
            timeout: http.timeout,
            attempts: http.attempts,
        })
    }

    /// Prepares for the answer of a new try.
    pub(super) fn await_answer(&mut self, turn: &Turn<'_>) {
        self.reader = ResponseReader::default();
        self.sink = Sink::Head;
        self.heard = false;
        self.await_answer_body(turn);
    }

    pub(super) fn await_answer_body(&mut self, turn: &Turn<'_>) {
        self.deadline = turn.now + self.patience(turn).timeout;
        self.progress = 0;
    }

    /// Moves the deadline when enough of a body came. The bytes of a head do not move it.
    pub(super) fn note_progress(&mut self, turn: &Turn<'_>, bytes: usize) {
        self.heard |= bytes > 0;
        if matches!(self.sink, Sink::Head) {
            return;
        }
        self.progress = self.progress.saturating_add(bytes);
        if self.progress >= PROGRESS_BYTES_MIN {
            self.await_answer_body(turn);
        }
    }

    /// The value of `Authorization` for the present request; empty for none. Credentials wait for
    /// a challenge (FLY-90), unless the server made one before in this client's life or the
    /// profile sends Basic unasked.
    pub(super) fn authorization(
        &mut self,
        grant: Option<&mut (Server, Grant)>,
        send: SendCredentials,
    ) -> String {
        let Some(login) = &self.login else {
            return String::new();
        };
        if let Some((server, grant)) = grant
            && server.is_of(&self.url)
            && grant.allowed(self.auth)
        {
            // Basic credentials that were refused once are not worth a second try.
            self.credentials = match (self.credentials, self.auth) {
                (Credentials::Unsent, AuthMethod::Basic) => Credentials::Sent,
                (Credentials::Unsent, _) => Credentials::Reused,
                (other, _) => other,
            };
            let mut target = Vec::new();
            wire::write_target(&mut target, &self.url.path);
            let uri = String::from_utf8_lossy(&target);
            return grant.authorization(login, self.method.name(), &uri);
        }
        if send == SendCredentials::Preemptive && self.auth == AuthMethod::Basic {
            self.credentials = Credentials::Sent;
            return login.basic();
        }
        String::new()
    }

    /// What follows a 401.
    pub(super) fn challenged(&mut self, fields: &[String]) -> Then {
        let choice = Challenge::choose(fields, self.auth).filter(|_| self.login.is_some());
        let next = match (self.credentials, &choice) {
            (Credentials::Unsent | Credentials::Reused, Some(_)) => Credentials::Sent,
            (Credentials::Unsent | Credentials::Reused, None) => {
                return Then::failed(Fault::Challenge);
            }
            (Credentials::Sent, Some(challenge)) if challenge.stale() => Credentials::Renewed,
            (Credentials::Sent | Credentials::Renewed, _) => {
                return Then::failed(Fault::Unauthorized);
            }
        };
        self.credentials = next;
        choice.map_or(Then::failed(Fault::Challenge), Then::Answer)
    }

    /// What follows a redirect. Another scheme than http and https cannot be followed from here.
    pub(super) fn redirected(&mut self, turn: &mut Turn<'_>, location: Option<&str>) -> Then {
        let mut reached = |limit, value| turn.event(EventKind::LimitReached { limit, value });
        if self.redirects >= REDIRECTS_MAX {
            reached(Limit::Redirects, u64::from(REDIRECTS_MAX));
            return Then::failed(Fault::RedirectLoop);
        }
        let location = location.unwrap_or_default();
        if location.len() > URL_BYTES_MAX {
            reached(Limit::UrlBytes, URL_BYTES_MAX as u64);
        }
        if location.is_empty() {
            return Then::failed(Fault::BadTarget);
        }
        match self.url.join(location) {
            Ok(url) if matches!(url.scheme, Scheme::Http | Scheme::Https) => {
                Then::Redirect(Box::new(url))
            }
            Ok(_) | Err(UrlFault::Scheme) => Then::failed(Fault::Scheme),
            Err(_) => Then::failed(Fault::BadTarget),
        }
    }

    /// Where redirects led; `None` where there was none.
    pub(super) fn landed(&self) -> Option<Url> {
        (self.redirects > 0).then(|| self.url.clone())
    }

    /// Goes to another URL. Credentials in it win; the caller's own go with it only to the host
    /// they were given for, and never from https to http. An auto-configuration server may send
    /// its phones to another host, which knows them by the same credentials (TR-069 §3.4.5).
    pub(super) fn follow(&mut self, url: Url) {
        let known = self.method == Method::Post || url.host.eq_ignore_ascii_case(&self.own.host);
        let at_home = known && (url.scheme == Scheme::Https || !self.own.secure);
        let own = self.own.login.clone().filter(|_| at_home);
        self.login = Login::new(&url.user, &url.password).or(own);
        self.redirects += 1;
        self.credentials = Credentials::Unsent;
        self.url = url;
    }
}

impl Then {
    pub(super) fn failed(fault: Fault) -> Self {
        Self::End(Ending::Failed(fault))
    }
}
