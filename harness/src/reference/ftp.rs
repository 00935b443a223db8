//! The FTP server: logins, and files of the content over data connections (RFC 959, 2428, 2577).
//!
//! A session is a value: command lines in, replies out, and now and then an `Act` for whoever has
//! the sockets: open a port, send a file. `adapter` does that with tokio, the simulated network
//! without sockets. Nothing can be written here.

mod session;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_scenarios::mutant::Protocol;
use bootstorm_scenarios::wire::Way;

use rustc_hash::FxHashMap;

use super::content::{Absent, File, Source};
use super::counters::{Counter, Counters};
use super::filter::{Filter, OnStream, Passed};

pub use session::{Act, Door, Manner, Sending, Sent, Session};

/// Bytes of one command line; a path may be as long as a URL.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// Wrong passwords on one connection.
pub const DENIALS_MAX: u8 = 3;
/// Lines of one listing.
pub const LISTED_MAX: usize = 10_000;

/// How the server is set up.
#[derive(Debug, Clone, Default)]
pub struct FtpConfig {
    /// Parts of the tree that are closed to all but some.
    pub areas: Vec<Area>,
    /// Only users of an area may log in; else anybody may, by any name that no area knows, and
    /// sees what no area closes.
    pub closed: bool,
    /// What it does wrong on purpose.
    pub faults: Vec<FtpFault>,
}

/// A part of the tree that only some users may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// The path prefix that it covers, with slashes around it: `/site/`. The longest that fits
    /// counts.
    pub path: String,
    /// Passwords by user name.
    pub users: FxHashMap<String, String>,
}

/// One thing that the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FtpFault {
    /// For which connection (greetings) or retrieval (everything else), from 1; `None` = always.
    pub nth: Option<u64>,
    /// What it does.
    pub what: FtpWrong,
}

/// What a server can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FtpWrong {
    /// It greets with this reply and hangs up.
    Greeting(u16),
    /// It accepts the connection and says nothing.
    Silent,
    /// It answers RETR with this reply; 421 ends the connection.
    Reply(u16),
    /// Nobody listens where it sends the phone for data.
    DataRefused,
    /// It sends the phone elsewhere for data (a bounce).
    DataElsewhere(SocketAddrV4),
    /// It announces the file and never sends it.
    Stalled,
    /// It sends a byte in a second.
    Dripping,
    /// It sends this many bytes and then says that it must stop (426).
    Cut(usize),
    /// It sends this many bytes, then both connections break without a word.
    Broken(usize),
}

/// The server.
#[derive(Debug)]
pub struct Ftp {
    config: FtpConfig,
    source: Source,
    counters: Arc<Counters>,
    connections: u64,
    retrievals: u64,
    /// What mutants do to replies and files; `None` most of the time.
    filter: Option<Box<Filter>>,
}

/// Whom a login makes of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Guest {
    /// Anybody.
    Anybody,
    /// A user of one or more areas.
    User(String, String),
}

impl Ftp {
    /// A server of `source`.
    #[must_use]
    pub fn new(config: FtpConfig, source: Source, counters: Arc<Counters>) -> Self {
        Self {
            config,
            source,
            counters,
            connections: 0,
            retrievals: 0,
            filter: None,
        }
    }

    /// The same server, what it says and sends passing through a filter.
    #[must_use]
    pub(super) fn through(mut self, filter: Option<Filter>) -> Self {
        self.filter = filter.map(Box::new);
        self
    }

    /// Has the filter look at the replies that were appended from `start` on; true when the
    /// connection is to be closed behind them.
    fn told(&mut self, client: Ipv4Addr, start: usize, out: &mut Vec<u8>) -> bool {
        let Some(filter) = &mut self.filter else {
            return false;
        };
        let (_, close) = filter.answered(on_ftp(client, b""), start, out);
        close
    }

    /// How a file is sent that the filter has looked at.
    fn manner(&mut self, client: Ipv4Addr, path: &str, bytes: &[u8]) -> Manner {
        let Some(filter) = &mut self.filter else {
            return Manner::Whole;
        };
        match filter.on_stream(Way::Received, on_ftp(client, path.as_bytes()), bytes) {
            Passed::Untouched => Manner::Whole,
            Passed::Instead { bytes, .. } if bytes.is_empty() => Manner::Stalled,
            Passed::Instead {
                bytes, close: true, ..
            } => Manner::Broken(bytes.len()),
            Passed::Instead { bytes, .. } => Manner::Cut(bytes.len()),
        }
    }

    /// The counters it counts in.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What the server does wrong at the `nth` of a kind of occasion.
    fn fault(&self, nth: u64, kind: impl Fn(&FtpWrong) -> bool) -> Option<FtpWrong> {
        let mut faults = self.config.faults.iter();
        faults
            .find(|fault| fault.nth.is_none_or(|it| it == nth) && kind(&fault.what))
            .map(|fault| fault.what)
    }

    fn login(&self, user: &str, password: &str) -> Option<Guest> {
        let areas = &self.config.areas;
        let known = areas.iter().filter_map(|area| area.users.get(user));
        let mut known = known.peekable();
        if known.peek().is_none() {
            return (!self.config.closed).then_some(Guest::Anybody);
        }
        let right = known.any(|it| it == password);
        right.then(|| Guest::User(user.to_owned(), password.to_owned()))
    }

    /// Whether a client may see what is at `path`, which begins with a slash.
    fn admits(&self, guest: &Guest, path: &str) -> bool {
        let areas = self.config.areas.iter();
        let mut closing: Vec<_> = areas.filter(|area| path.starts_with(&area.path)).collect();
        closing.sort_unstable_by_key(|area| std::cmp::Reverse(area.path.len()));
        match (closing.first(), guest) {
            (None, _) => true,
            (Some(_), Guest::Anybody) => false,
            (Some(area), Guest::User(user, password)) => area.users.get(user) == Some(password),
        }
    }

    fn find(&self, guest: &Guest, path: &str) -> Result<File, Absent> {
        if !self.admits(guest, path) {
            return Err(Absent::Refused);
        }
        self.source.find(path.as_bytes())
    }

    /// Names in the directory at `path` (with a slash at its end), with the length of each file.
    fn list(&self, guest: &Guest, path: &str) -> Vec<(String, Option<u64>)> {
        let mut names = self.source.list(path.as_bytes(), LISTED_MAX);
        names.retain(|(name, length)| {
            let end = if length.is_some() { "" } else { "/" };
            self.admits(guest, &format!("{path}{name}{end}"))
        });
        names
    }

    fn count(&self, counter: Counter) {
        self.counters.count(counter);
    }
}

fn on_ftp(client: Ipv4Addr, before: &[u8]) -> OnStream<'_> {
    OnStream {
        protocol: Protocol::Ftp,
        peer: SocketAddrV4::new(client, 0),
        tls: false,
        before,
    }
}

#[cfg(test)]
mod tests;
