//! The HTTP/1.1 client: GET with redirects, Basic and Digest, one connection for a run of
//! requests (RFC 9110, 9112, 7616, 7617).

use super::Ending;
use crate::phone::io::Input;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::time::Moment;
use crate::url::Url;

/// The client: at most one connection, at most one request under way.
#[derive(Debug)]
pub struct HttpClient {}

/// How the client answers a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Not at all.
    None,
    /// Basic only.
    Basic,
    /// Digest (MD5 or SHA-256); Basic is refused.
    Digest,
}

/// What a request carries besides its URL.
#[derive(Debug, Clone, Copy)]
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
}

impl HttpClient {
    /// A client without a connection; its first one gets number `first_connection`.
    #[must_use]
    pub fn new(_first_connection: u16) -> Self {
        Self {}
    }

    /// The number that the next connection would get.
    #[must_use]
    pub fn next_connection(&self) -> u16 {
        0
    }

    /// Starts GET of a URL (http or https). Reuses the open connection when scheme, host and port
    /// are the same and the server left it open. An ending can come at once (unknown host).
    pub fn get(
        &mut self,
        _turn: &mut Turn<'_>,
        _url: &Url,
        _options: &RequestOptions<'_>,
    ) -> Option<Ending> {
        None
    }

    /// Takes `Opened`, `Bytes`, `Closed`, `Failed`; ignores other inputs and other connections.
    pub fn input(&mut self, _turn: &mut Turn<'_>, _input: &Input<'_>) -> Option<Ending> {
        None
    }

    /// Does what is due at `turn.now`.
    pub fn tick(&mut self, _turn: &mut Turn<'_>) -> Option<Ending> {
        None
    }

    /// When `tick` is due, if anything is under way.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Closes the connection, if one is open.
    pub fn close(&mut self, _turn: &mut Turn<'_>) {}
}
