//! The FTP client: one file from login to the end of its data (RFC 959, RFC 1738 §3.2).
//!
//! The dialogue itself is the driver's: the client says what it wants in one effect and hears of
//! content, end, or the reply that refused it. What such a reply means, how often a phone tries
//! and how long it waits is decided here.
//!
//! ```text
//! Retrieve → Bytes … → Closed ───────────────→ body store → Found
//!    ↑          ├ Failed(550) ───────────────→ Missing
//!    │          ├ Failed(530 …) ─────────────→ Unauthorized
//!    └─ pause ──┴ silence, broken connection, 4yz: next attempt
//! ```
//!
//! The client records `Sent` for the first try, `Retried` and `Wrong` for what it goes on after,
//! and `LimitReached`; a fault that ends the transfer is in its ending only.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::{Ending, PROGRESS_BYTES_MIN};
use crate::bodies::BodyWriter;
use crate::event::{EventKind, Fault, Limit};
use crate::phone::io::{Connection, ConnectionFault, Effect, FtpMode, Input};
use crate::phone::turn::Turn;
use crate::profile::{FtpSpec, StepId};
use crate::time::Moment;
use crate::url::{self, Url};

/// Who logs in where nobody said otherwise (RFC 1635 §3).
const ANONYMOUS: &str = "anonymous";
/// What is sent as its password: a word with an at sign, which is what servers look for.
const ANONYMOUS_PASSWORD: &str = "anonymous@";

/// A file to retrieve.
#[derive(Clone, Copy)]
pub struct Retrieval<'a> {
    /// The ladder step.
    pub step: StepId,
    /// The file. Its credentials win over `user` and `password`.
    pub url: &'a Url,
    /// The server as the phone means it.
    pub server: SocketAddrV4,
    /// The phone's own user name; empty for none.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
    /// Who opens data connections, where it is set other than the profile says.
    pub mode: Option<FtpMode>,
    /// Bytes that the body may have.
    pub limit: usize,
    /// The number of its first connection; each further attempt takes the next one.
    pub connection: u16,
}

/// One transfer. It ends once: after the `Ending` that `input` or `tick` gave, it ignores
/// everything.
#[derive(Debug)]
pub struct FtpClient {
    step: StepId,
    server: SocketAddrV4,
    mode: FtpMode,
    words: Words,
    limit: usize,
    connection: Connection,
    /// From 1.
    attempt: u8,
    attempts: u8,
    timeout: Duration,
    /// Between two attempts.
    retry: Duration,
    stage: Stage,
    deadline: Moment,
    /// Bytes since `deadline` was last moved.
    progress: usize,
}

/// What goes into the commands.
struct Words {
    user: Box<str>,
    password: Box<str>,
    path: Box<str>,
}

#[derive(Debug)]
enum Stage {
    /// A name or credentials that no command can carry; ends with the first tick.
    Unsendable,
    /// Asked for.
    Running(BodyWriter),
    /// Until the next attempt.
    Pausing,
    Over,
}

impl FtpClient {
    /// Asks for a file.
    ///
    /// A path or credentials with CR, LF or NUL would be commands of their own, and an empty path
    /// or one that is no UTF-8 names no file: nothing is sent then, and the first tick, due at
    /// once, ends with `Failed(BadTarget)`.
    pub fn start(turn: &mut Turn<'_>, spec: &FtpSpec, file: &Retrieval<'_>) -> Self {
        let words = Words::of(file);
        let mut client = Self {
            step: file.step,
            server: file.server,
            mode: file.mode.unwrap_or(spec.mode),
            limit: file.limit,
            connection: Connection(file.connection),
            attempt: 1,
            attempts: spec.attempts,
            timeout: spec.timeout,
            retry: spec.retry,
            stage: Stage::Unsendable,
            deadline: turn.now,
            progress: 0,
            words: words.unwrap_or_default(),
        };
        if !client.words.path.is_empty() {
            client.ask(turn);
            // The request for the file itself: the login before it is the protocol's business.
            let bytes = "RETR \r\n".len() + client.words.path.len();
            let (step, bytes) = (client.step, u32::try_from(bytes).unwrap_or(u32::MAX));
            turn.event(EventKind::Sent { step, bytes });
        }
        client
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Takes `Bytes`, `Closed`, `Failed`; ignores other inputs and other connections.
    pub fn input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<Ending> {
        match *input {
            Input::Bytes(id, bytes) if id == self.connection => self.bytes(turn, bytes),
            Input::Closed(id) if id == self.connection => {
                let body = self.take_body()?;
                Some(Ending::Found(turn.shelf.bodies.finish(body)))
            }
            Input::Failed(id, fault) if id == self.connection => {
                self.take_body()?;
                self.failed(turn, fault)
            }
            _ => None,
        }
    }

    /// Does what is due at `turn.now`: the next attempt, or the end of one that was silent.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        if self.deadline > turn.now {
            return None;
        }
        match self.stage {
            Stage::Unsendable => self.end(Fault::BadTarget),
            Stage::Pausing => {
                self.repeat(turn);
                None
            }
            Stage::Running(_) => {
                self.close(turn);
                self.again(turn, Fault::Silence)
            }
            Stage::Over => None,
        }
    }

    /// Abandons what is under way.
    pub fn close(&mut self, turn: &mut Turn<'_>) {
        if self.take_body().is_some() {
            turn.out.effects.push(Effect::Close(self.connection));
        }
        self.stage = Stage::Over;
    }

    fn ask(&mut self, turn: &mut Turn<'_>) {
        let mut write = |text: &str| {
            let start = turn.out.bytes.len();
            turn.out.bytes.extend_from_slice(text.as_bytes());
            start..turn.out.bytes.len()
        };
        let user = write(&self.words.user);
        let password = write(&self.words.password);
        let path = write(&self.words.path);
        turn.out.effects.push(Effect::Retrieve {
            connection: self.connection,
            to: self.server,
            mode: self.mode,
            user,
            password,
            path,
        });
        self.stage = Stage::Running(turn.shelf.bodies.start(self.limit));
        self.arm(turn);
    }

    fn arm(&mut self, turn: &Turn<'_>) {
        self.deadline = turn.now + self.timeout;
        self.progress = 0;
    }

    fn bytes(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) -> Option<Ending> {
        let Stage::Running(body) = &mut self.stage else {
            return None;
        };
        if turn.shelf.bodies.append(body, bytes).is_err() {
            self.close(turn);
            let (limit, value) = (Limit::FileBytes, self.limit as u64);
            turn.event(EventKind::LimitReached { limit, value });
            return self.end(Fault::TooLarge);
        }
        self.progress = self.progress.saturating_add(bytes.len());
        if self.progress >= PROGRESS_BYTES_MIN {
            self.arm(turn);
        }
        None
    }

    /// What a failed attempt leads to. A refusal for the moment (4yz, RFC 959 §4.2) is worth
    /// another try, one for good is not.
    fn failed(&mut self, turn: &mut Turn<'_>, fault: ConnectionFault) -> Option<Ending> {
        match fault {
            ConnectionFault::TimedOut => self.again(turn, Fault::Silence),
            ConnectionFault::Reset => self.again(turn, Fault::ConnectionBroken),
            ConnectionFault::Ftp(550) => {
                self.stage = Stage::Over;
                Some(Ending::Missing)
            }
            // RFC 959 §4.2.2; 430 is what some servers say for a wrong password (RFC 959 has none).
            ConnectionFault::Ftp(331 | 332 | 430 | 530 | 532) => self.end(Fault::Unauthorized),
            // 120 is "ready in nnn minutes".
            ConnectionFault::Ftp(code @ (120 | 400..=499)) => {
                self.again(turn, Fault::FtpReply(code))
            }
            ConnectionFault::Ftp(code) => self.end(Fault::FtpReply(code)),
            ConnectionFault::FtpData => self.end(Fault::FtpData),
            ConnectionFault::Refused => self.end(Fault::ConnectionRefused),
            ConnectionFault::Tls => self.end(Fault::Tls),
            ConnectionFault::Local => self.end(Fault::Local),
        }
    }

    /// Tries again after the profile's pause, if it has an attempt left.
    fn again(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<Ending> {
        if self.attempt >= self.attempts {
            return self.end(fault);
        }
        let step = self.step;
        if fault != Fault::Silence {
            turn.event(EventKind::Wrong { step, fault });
        }
        if self.retry.is_zero() {
            self.repeat(turn);
        } else {
            self.stage = Stage::Pausing;
            self.deadline = turn.now + self.retry;
        }
        None
    }

    fn repeat(&mut self, turn: &mut Turn<'_>) {
        self.attempt = self.attempt.saturating_add(1);
        self.connection = self.connection.plus(1);
        let (step, attempt) = (self.step, self.attempt);
        turn.event(EventKind::Retried { step, attempt });
        self.ask(turn);
    }

    fn end(&mut self, fault: Fault) -> Option<Ending> {
        self.stage = Stage::Over;
        Some(Ending::Failed(fault))
    }

    fn take_body(&mut self) -> Option<BodyWriter> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Running(body) => Some(body),
            other => {
                self.stage = other;
                None
            }
        }
    }
}

/// Connection numbers that one transfer may use: one for each attempt.
#[must_use]
pub(crate) fn connections(spec: &FtpSpec) -> u16 {
    u16::from(spec.attempts.max(1))
}

impl Words {
    /// Credentials of the URL, else the phone's own, else those of anonymous FTP (RFC 1738
    /// §3.2.1, FLY-84); `None` where a command cannot carry them.
    fn of(file: &Retrieval<'_>) -> Option<Self> {
        let (user, password) = if !file.url.user.is_empty() {
            (file.url.user.as_str(), file.url.password.as_str())
        } else if !file.user.is_empty() {
            (file.user, file.password)
        } else {
            (ANONYMOUS, ANONYMOUS_PASSWORD)
        };
        let path = path_of(file.url)?;
        let breaks = |text: &str| text.contains(['\r', '\n', '\0']);
        let sound = ![user, password, &path].into_iter().any(breaks);
        sound.then(|| Self {
            user: user.into(),
            password: password.into(),
            path: path.into(),
        })
    }
}

impl Default for Words {
    fn default() -> Self {
        Self {
            user: "".into(),
            password: "".into(),
            path: "".into(),
        }
    }
}

impl std::fmt::Debug for Words {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Words")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Retrieval<'_> {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Retrieval")
            .field("step", &self.step)
            .field("url", &self.url)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The name that RETR carries: relative to the login directory, with `%2F` first for the root
/// (RFC 1738 §3.2.2). Given as one name instead of a CWD for each segment, which comes to the same
/// on every server whose names have slashes, in one round trip. A `;type=` says nothing to a phone
/// that knows binary files only, and FTP URLs have no query, so a `?` belongs to the name.
fn path_of(url: &Url) -> Option<String> {
    let path = url.path.split('#').next().unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = match path.rsplit_once(";type=") {
        Some((path, "a" | "i" | "d" | "A" | "I" | "D")) => path,
        _ => path,
    };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        match url::percent_value(rest) {
            Some(value) => {
                bytes.push(value);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
