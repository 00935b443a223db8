//! The port at which a phone is asked to call its server (TR-069 §3.2.2).

use std::time::Duration;

use crate::event::{EventKind, Limit};
use crate::flash::Flash;
use crate::limits::CONNECTION_REQUESTS_MAX;
use crate::phone::io::{Effect, Request};
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::Param;
use crate::time::Moment;
use crate::transfer::http::auth::Login;
use crate::transfer::http::auth::verify::{Demand, Proof};
use crate::wire::http;

/// What connection requests are counted within.
const MINUTE: Duration = Duration::from_secs(60);
const REALM: &str = "cwmp";

/// Who knocks, and how often.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// The present nonce; 0 = none yet. It serves for one request.
    nonce: u64,
    since: Moment,
    count: u32,
}

impl Door {
    /// Answers a request; the status. 200 means that a session is to follow.
    pub(super) fn answer(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        busy: bool,
        request: Request,
        bytes: &[u8],
    ) -> u16 {
        if turn.now.since(self.since) >= MINUTE || self.count == 0 {
            (self.since, self.count) = (turn.now, 0);
        }
        self.count = self.count.saturating_add(1);
        let over = self.count > CONNECTION_REQUESTS_MAX;
        let (status, challenge) = if over || busy {
            (503, None)
        } else {
            self.judge(turn, flash, bytes)
        };
        let challenge = challenge.unwrap_or_default();
        let mut fields = vec![("Connection", "close")];
        if !challenge.is_empty() {
            fields.push(("WWW-Authenticate", &challenge));
        }
        let start = turn.out.bytes.len();
        http::write_response(&mut turn.out.bytes, status, &fields, b"");
        let bytes = start..turn.out.bytes.len();
        turn.out.effects.push(Effect::Reply { request, bytes });
        // Of a flood the first one beyond the limit is told.
        if !over || self.count == CONNECTION_REQUESTS_MAX + 1 {
            turn.event(EventKind::ConnectionRequested { status });
        }
        if self.count == CONNECTION_REQUESTS_MAX + 1 {
            let (limit, value) = (Limit::Strays, u64::from(CONNECTION_REQUESTS_MAX));
            turn.event(EventKind::LimitReached { limit, value });
        }
        status
    }

    /// The status of a request, and the challenge that goes with it.
    fn judge(&mut self, turn: &mut Turn<'_>, flash: &Flash, bytes: &[u8]) -> (u16, Option<String>) {
        let Ok(Some(head)) = http::parse_request_head(bytes) else {
            return (400, None);
        };
        let path = turn.profile.cwmp.as_ref();
        let path = path
            .map(|spec| spec.path.text(&turn.vars()))
            .unwrap_or_default();
        if head.method != "GET" {
            return (405, None);
        }
        if head.target != path {
            return (404, None);
        }
        let user = params::text(turn, flash, Param::AcsConnectionUser);
        let password = params::text(turn, flash, Param::AcsConnectionPassword);
        // Unspecified; without credentials anybody may ask, as phones do.
        let Some(login) = Login::new(&user, &password) else {
            return (200, None);
        };
        let nonce = format!("{:016x}", self.nonce);
        let demand = Demand {
            method: "GET",
            realm: REALM,
            nonce: &nonce,
            login: &login,
        };
        let proof = match head.fields.get("Authorization") {
            Some(field) if self.nonce != 0 => demand.judge(field, head.target),
            Some(_) | None => Proof::Bad,
        };
        if proof == Proof::Good {
            self.nonce = 0;
            return (200, None);
        }
        let stale = proof == Proof::Stale;
        self.nonce = turn.rng.next_u64() | 1;
        let nonce = format!("{:016x}", self.nonce);
        let demand = Demand {
            nonce: &nonce,
            ..demand
        };
        (401, Some(demand.challenge(stale)))
    }
}
