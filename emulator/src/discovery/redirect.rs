//! The vendor's redirect service: one GET, answered with the URL that a partner registered for
//! this phone (GIG-03, AUE-40, AUE-41).
//!
//! How such a service talks is documented by no vendor. Unspecified; we take both usual ways: 200
//! with the URL as body, or a redirect whose `Location` is the URL. The redirect is not followed
//! here, because what it names is the candidate: a service that redirects to itself costs one walk.

use crate::event::{EventKind, Fault, File, Limit};
use crate::limits::URL_BYTES_MAX;
use crate::phone::io::Input;
use crate::phone::turn::Turn;
use crate::profile::{RedirectSpec, StepId};
use crate::time::Moment;
use crate::transfer::Ending;
use crate::transfer::http::{HttpClient, Patience, RequestOptions};
use crate::url::Url;

const STEP: StepId = StepId::REDIRECT;

/// Whom to ask, and as whom.
#[derive(Clone, Copy)]
pub struct RedirectRequest<'a> {
    /// Patience and kind of authentication.
    pub spec: RedirectSpec,
    /// The service's URL, markers replaced.
    pub service: &'a Url,
    /// User-Agent, already rendered.
    pub user_agent: &'a str,
    /// User name; credentials in the URL win.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// The number of the first connection.
    pub connection: u16,
}

/// One question to the service.
#[derive(Debug)]
pub struct RedirectClient {
    http: HttpClient,
    service: Url,
    attempts: u8,
    started: Moment,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectResult {
    /// The answer's body, trimmed: a text that should be a URL.
    Text(String),
    /// The target of a redirect, relative to the service.
    Link(String),
    /// No URL; an event says why.
    Nothing,
}

impl RedirectClient {
    /// Sends the question. A result can come at once (unknown host, a scheme other than HTTP's).
    pub fn start(
        turn: &mut Turn<'_>,
        request: &RedirectRequest<'_>,
    ) -> (Self, Option<RedirectResult>) {
        let mut client = Self {
            http: HttpClient::new(request.connection),
            service: request.service.clone(),
            attempts: request.spec.attempts,
            started: turn.now,
        };
        let options = RequestOptions {
            step: STEP,
            user_agent: request.user_agent,
            auth: request.spec.auth,
            user: request.user,
            password: request.password,
            limit: URL_BYTES_MAX,
            patience: Some(Patience {
                timeout: request.spec.timeout,
                attempts: request.spec.attempts,
            }),
            follow: false,
        };
        let ending = client.http.get(turn, request.service, &options);
        let result = ending.map(|ending| client.result(turn, ending));
        (client, result)
    }

    /// Takes what happens to connections, and `Tick`; ignores everything else.
    pub fn input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<RedirectResult> {
        let ending = match input {
            Input::Tick if self.deadline().is_some_and(|at| at <= turn.now) => self.http.tick(turn),
            Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                self.http.input(turn, input)
            }
            _ => None,
        };
        ending.map(|ending| self.result(turn, ending))
    }

    /// When `Tick` is due; never later than the profile's timeout from the last progress.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.http.deadline()
    }

    /// The number that the next connection would get.
    #[must_use]
    pub fn next_connection(&self) -> u16 {
        self.http.next_connection()
    }

    /// The service that was asked.
    #[must_use]
    pub fn service(&self) -> &Url {
        &self.service
    }

    /// Closes the connection and abandons the question.
    pub fn close(&mut self, turn: &mut Turn<'_>) {
        self.http.close(turn);
    }

    fn result(&mut self, turn: &mut Turn<'_>, ending: Ending) -> RedirectResult {
        let location = self.http.take_location();
        self.http.close(turn);
        let after = turn.now.since(self.started);
        let answered = EventKind::Answered { step: STEP, after };
        let fault = match (ending, location) {
            (_, Some(location)) => {
                turn.event(answered);
                return RedirectResult::Link(location);
            }
            (Ending::Found(body), None) => {
                turn.event(answered);
                match std::str::from_utf8(body.bytes()).map(str::trim) {
                    Ok(text) if !text.is_empty() => return RedirectResult::Text(text.to_owned()),
                    _ => Fault::BadTarget,
                }
            }
            (Ending::Missing, None) => {
                // A phone that nobody registered: an answer, not a fault.
                turn.event(answered);
                let file = File::Step(STEP);
                turn.event(EventKind::Missing { step: STEP, file });
                return RedirectResult::Nothing;
            }
            (Ending::Failed(fault), None) => {
                turn.event(EventKind::GaveUp { step: STEP, fault });
                if fault == Fault::Silence {
                    let (limit, value) = (Limit::Attempts, u64::from(self.attempts));
                    turn.event(EventKind::LimitReached { limit, value });
                }
                return RedirectResult::Nothing;
            }
        };
        turn.event(EventKind::Wrong { step: STEP, fault });
        RedirectResult::Nothing
    }
}

impl std::fmt::Debug for RedirectRequest<'_> {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RedirectRequest")
            .field("spec", &self.spec)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
