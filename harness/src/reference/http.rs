//! The HTTP server: GET and HEAD of the content, validators, redirects, Basic and Digest.
//!
//! Sockets, TLS and message framing are the business of whoever calls it: hyper in `adapter`, or
//! `connection` where bytes arrive without sockets.

pub(in crate::reference) mod auth;
pub mod connection;
mod date;
mod redirect;

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::limits::SOAP_BYTES_MAX;
use bootstorm_emulator::time::Moment;

use super::acs::Acs;
use super::content::{Absent, File, Source};
use super::counters::{Counter, Counters};
use super::filter::Filter;
use auth::{Asked, Verdict};
pub use auth::{Realm, Scheme};
pub use redirect::RedirectService;

/// How the server is set up.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// Which parts need credentials; without one everything is open.
    pub realms: Vec<Realm>,
    /// Redirects; the first that fits is given.
    pub redirects: Vec<Redirect>,
    /// The redirect service of vendors, played on host names of its own.
    pub service: Option<RedirectService>,
    /// Key of the nonces. The same seed gives the same nonces at the same moments.
    pub seed: u64,
}

/// Sends a client elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The request target (with query), or the path (without).
    pub from: String,
    /// True: everything that begins with `from`, and what follows it is appended to `to`.
    pub prefix: bool,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The `Location`: absolute, or a path on this server.
    pub to: String,
}

/// A request, as far as the server looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` …, in upper case as sent.
    pub method: &'a str,
    /// The request target as sent, query included.
    pub target: &'a str,
    /// Header names (any case) and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body; empty where nobody reads it.
    pub body: &'a [u8],
}

/// An answer. `Content-Length` is for the sender to add: it is the length of `body`, which is not
/// sent in answer to a HEAD.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header names and values; a name may occur several times.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Arc<[u8]>,
    /// How long the server waits before it sends it.
    pub after: Duration,
}

/// Everything behind one HTTP port: the files, and the auto-configuration server at its path.
#[derive(Debug)]
pub struct Site<'a> {
    /// The files.
    pub http: &'a Http,
    /// The auto-configuration server, where there is one.
    pub acs: Option<&'a mut Acs>,
    /// What mutants do to the messages, where there are any.
    pub filter: Option<&'a mut Filter>,
}

/// The server.
#[derive(Debug)]
pub struct Http {
    config: HttpConfig,
    source: Source,
    counters: Arc<Counters>,
}

impl Request<'_> {
    /// The value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

impl Site<'_> {
    /// Answers one request.
    #[must_use]
    pub fn handle(&mut self, now: Moment, peer: SocketAddrV4, request: &Request) -> Reply {
        match &mut self.acs {
            Some(acs) if acs.is_meant(request) => {
                self.http.counters.count(Counter::HttpRequest);
                let reply = acs.handle(now, request);
                self.http.counted(reply)
            }
            _ => self.http.handle(now, peer, request),
        }
    }

    /// Bytes of the body that a request may have; `None` where nobody reads it.
    #[must_use]
    pub fn body_bytes_max(&self, request: &Request) -> Option<usize> {
        let acs = self.acs.as_ref()?;
        acs.is_meant(request).then_some(SOAP_BYTES_MAX)
    }
}

impl Http {
    /// A server of `source`.
    #[must_use]
    pub fn new(config: HttpConfig, source: Source, counters: Arc<Counters>) -> Self {
        Self {
            config,
            source,
            counters,
        }
    }

    /// Answers one request. The client's address is not looked at; it is part of the signature so
    /// that a filter around the server can tell clients apart.
    #[must_use]
    pub fn handle(&self, now: Moment, _peer: SocketAddrV4, request: &Request) -> Reply {
        self.counters.count(Counter::HttpRequest);
        let reply = self.reply(now, request);
        self.counted(reply)
    }

    fn counted(&self, reply: Reply) -> Reply {
        self.counters.count(match reply.status {
            200 | 204 => Counter::HttpOk,
            304 => Counter::HttpNotModified,
            301..=308 => Counter::HttpRedirect,
            401 => Counter::HttpUnauthorized,
            404 => Counter::HttpNotFound,
            _ => Counter::HttpRefused,
        });
        reply
    }

    /// The counters it counts in.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn reply(&self, now: Moment, request: &Request) -> Reply {
        let Some(target) = origin_form(request.target) else {
            return Reply::plain(400);
        };
        if !matches!(request.method, "GET" | "HEAD") {
            return Reply::plain(405).with("allow", "GET, HEAD");
        }
        let asked = Asked {
            now,
            method: request.method,
            target,
            authorization: request.header("authorization"),
        };
        if let Some(service) = &self.config.service
            && service.is_meant(request)
        {
            return service.answer(asked, self.config.seed);
        }
        if let Some(realm) = self.realm(target) {
            let verdict = realm.check(asked, self.config.seed);
            if verdict != Verdict::Granted {
                let stale = verdict == Verdict::Stale;
                return Reply::challenge(realm.challenges(now, self.config.seed, stale));
            }
        }
        if let Some(reply) = self.redirect(target) {
            return reply;
        }
        match self.source.find_target(target) {
            Ok(file) => serve(&file, target, request),
            Err(Absent::Missing) => Reply::plain(404),
            Err(Absent::Refused) => Reply::plain(400),
            Err(Absent::TooLarge | Absent::Unreadable) => Reply::plain(500),
        }
    }

    fn realm(&self, target: &str) -> Option<&Realm> {
        // Encoded or doubled, a slash or a letter must not open what is closed.
        let path = path_of(target);
        let plain = percent_encoded_away(path);
        self.config
            .realms
            .iter()
            .filter(|realm| plain.starts_with(&realm.path))
            .max_by_key(|realm| realm.path.len())
    }

    fn redirect(&self, target: &str) -> Option<Reply> {
        let path = path_of(target);
        for redirect in &self.config.redirects {
            let rest = match redirect.prefix {
                true => target.strip_prefix(&redirect.from),
                false => (target == redirect.from || path == redirect.from).then_some(""),
            };
            if let Some(rest) = rest {
                let location = format!("{}{rest}", redirect.to);
                return Some(Reply::plain(redirect.status).with("location", location));
            }
        }
        None
    }
}

impl Reply {
    /// An answer that says its status in words.
    #[must_use]
    pub fn plain(status: u16) -> Self {
        let text = format!("{status} {}\n", reason(status));
        Self {
            status,
            headers: vec![("content-type", "text/plain".to_owned())],
            body: text.into_bytes().into(),
            after: Duration::ZERO,
        }
    }

    /// A 401 with these challenges.
    pub(in crate::reference) fn challenge(challenges: Vec<String>) -> Self {
        challenges.into_iter().fold(Self::plain(401), |reply, it| {
            reply.with("www-authenticate", it)
        })
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of the first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The standard words for a status code.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}

/// A target as path and query: as it is, or what follows the authority of a full URL (RFC 9112
/// §3.2.2). `None` for anything else.
pub(in crate::reference) fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    rest.find('/').and_then(|at| rest.get(at..)).or(Some("/"))
}

pub(in crate::reference) fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The path as the content finds it: escapes decoded, one slash at its start.
fn percent_encoded_away(path: &str) -> String {
    let decoded = super::content::percent_decoded(path.as_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&decoded);
    format!("/{}", text.trim_start_matches('/'))
}

fn serve(file: &File, target: &str, request: &Request) -> Reply {
    let mut tag = String::with_capacity(34);
    tag.push('"');
    auth::write_hex(&mut tag, &file.md5);
    tag.push('"');
    let modified = date::text(file.modified);
    // A tag says more than a time: with one, the time is not looked at (RFC 9110 §13.1.3).
    let is_held = match request.header("if-none-match") {
        Some(held) => holds(held, tag.as_bytes()),
        None => {
            let since = request.header("if-modified-since");
            since.is_some_and(|since| since.trim_ascii() == modified.as_bytes())
        }
    };
    let validators = [("etag", tag), ("last-modified", modified)];
    if is_held {
        return Reply {
            status: 304,
            headers: validators.into(),
            body: Arc::from([]),
            after: Duration::ZERO,
        };
    }
    let kind = content_type(path_of(target)).to_owned();
    let mut headers = vec![("content-type", kind)];
    headers.extend(validators);
    Reply {
        status: 200,
        headers,
        body: Arc::clone(&file.bytes),
        after: Duration::ZERO,
    }
}

/// Whether an If-None-Match field names the tag, by weak comparison (RFC 9110 §13.1.2).
fn holds(field: &[u8], tag: &[u8]) -> bool {
    field.split(|byte| *byte == b',').any(|held| {
        let held = held.trim_ascii();
        held == b"*" || held.strip_prefix(b"W/").unwrap_or(held) == tag
    })
}

fn content_type(path: &str) -> &'static str {
    let suffix = path
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'));
    let suffix = suffix.map(|(_, suffix)| suffix.to_ascii_lowercase());
    match suffix.as_deref().unwrap_or("") {
        "xml" => "application/xml",
        "cfg" | "boot" | "txt" | "md5" | "conf" | "csv" => "text/plain",
        "htm" | "html" => "text/html",
        "json" => "application/json",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "bmp" => "image/bmp",
        "wav" => "audio/wav",
        "pem" | "crt" => "application/x-pem-file",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
