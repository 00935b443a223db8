//! What a request carries besides its URL.

use std::time::Duration;

use crate::profile::StepId;

/// How the client answers a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Not at all.
    None,
    /// Basic only.
    Basic,
    /// Digest (MD5 or SHA-256); Basic is refused.
    Digest,
    /// Digest where it is offered, else Basic (AUE-24).
    Any,
}

/// What a request carries besides its URL.
#[derive(Clone, Copy)]
pub struct RequestOptions<'a> {
    /// The ladder step.
    pub step: StepId,
    /// User-Agent, already rendered.
    pub user_agent: &'a str,
    /// How challenges are answered.
    pub auth: AuthMethod,
    /// User name; credentials in the URL win.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// Bytes that the body may have.
    pub limit: usize,
    /// Timeout and tries other than those of the profile's HTTP client.
    pub patience: Option<Patience>,
    /// Redirects are followed; else one ends the request with its status, and its target is what
    /// `HttpClient::take_location` gives.
    pub follow: bool,
}

/// How long a client waits and how often it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Wait for connection and answer; a protocol time.
    pub timeout: Duration,
    /// Tries of one request after silence or a broken connection, 1 or more.
    pub attempts: u8,
}

impl std::fmt::Debug for RequestOptions<'_> {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RequestOptions")
            .field("step", &self.step)
            .field("user_agent", &self.user_agent)
            .field("auth", &self.auth)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
