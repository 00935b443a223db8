//! The HTTP/1.1 client: GET with redirects, Basic and Digest, one connection for a run of
//! requests (RFC 9110, 9112, 7616, 7617).
//!
//! ```text
//! get → [Open → Opened] → Write → Bytes … → head ─ 200 ──────────→ body store → Found
//!         ↑                                      ├ 3xx ──────────→ next URL ─┐
//!         │                                      ├ 401 ──────────→ answer ───┤
//!         │                                      └ anything else → ending    │
//!         └──────────── silence, broken connection: next attempt ←───────────┘
//! ```
//!
//! The client records `Sent` for each request that is not a repetition (a redirect and the answer
//! to a challenge make new ones), `Retried`, `Challenged`, `Redirected`, `LimitReached`, and
//! `Wrong` for what it goes on after; a fault that ends the transfer is in its ending only.

pub mod auth;
mod exchange;
mod options;
mod post;

use std::net::SocketAddrV4;

use super::Ending;
use crate::event::{EventKind, Fault, Limit};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, REFUSAL_BYTES_MAX, URL_BYTES_MAX};
use crate::phone::io::{Connection, ConnectionFault, Effect, Input};
use crate::phone::turn::Turn;
use crate::profile::template::Vars;
use crate::time::Moment;
use crate::url::{Scheme, Url};
use crate::wire::Malformed;
use crate::wire::http::{self as wire, Part, ReadFault, ResponseHead};
use auth::Grant;
use exchange::{Exchange, Method, Sink, Then};
pub use options::{AuthMethod, Patience, RequestOptions};
use post::Post;

/// The client: at most one connection, at most one request under way.
#[derive(Debug)]
pub struct HttpClient {
    next: u16,
    line: Option<Line>,
    exchange: Option<Box<Exchange>>,
    /// What the last server that asked for credentials asked for: its nonce serves for further
    /// requests too (RFC 7616 §3.6).
    grant: Option<Box<(Server, Grant)>>,
    /// Where the redirect that was not followed led, as the server wrote it.
    location: Option<String>,
    /// Where the file came from that redirects led to.
    landed: Option<Box<Url>>,
    /// For a client that posts.
    post: Option<Box<Post>>,
}

/// What a connection leads to.
#[derive(Debug)]
struct Server {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
}

/// The connection.
#[derive(Debug)]
struct Line {
    id: Connection,
    server: Server,
    opened: bool,
    /// A complete answer came over it: if it turns out closed, the server may just have tired of
    /// waiting (RFC 9112 §9.3.1).
    served: bool,
}

impl HttpClient {
    /// A client without a connection; its first one gets number `first_connection`.
    #[must_use]
    pub fn new(first_connection: u16) -> Self {
        Self {
            next: first_connection,
            line: None,
            exchange: None,
            grant: None,
            location: None,
            landed: None,
            post: None,
        }
    }

    /// Where the redirect led that ended the last request, as the server wrote it; at most
    /// `URL_BYTES_MAX` bytes.
    pub fn take_location(&mut self) -> Option<String> {
        self.location.take()
    }

    /// Where the last file came from, when redirects led there (RFC 3986 §5.1.3).
    pub fn take_landed(&mut self) -> Option<Url> {
        self.landed.take().map(|url| *url)
    }

    /// Takes so many connection numbers for another client of the same phone; gives the first.
    pub(crate) fn reserve(&mut self, numbers: u16) -> u16 {
        let first = self.next;
        self.next = Connection(self.next).plus(numbers).0;
        first
    }

    /// The number that the next connection would get.
    #[must_use]
    pub fn next_connection(&self) -> u16 {
        self.next
    }

    /// Gives the next connection this number: another client of the phone used those before it.
    pub fn number_from(&mut self, next: u16) {
        self.next = next;
    }

    /// Starts GET of a URL (http or https). Reuses the open connection when scheme, host and port
    /// are the same and the server left it open. An ending can come at once (unknown host, another
    /// scheme). A request that is still under way is abandoned with its connection.
    pub fn get(
        &mut self,
        turn: &mut Turn<'_>,
        url: &Url,
        options: &RequestOptions<'_>,
    ) -> Option<Ending> {
        self.request(turn, url, options, Method::Get)
    }

    /// As `get`, but POST of a body with the header fields of the profile's CWMP client; cookies
    /// are kept for this client's life. What a success (200, 202, 204) says is not a file: it
    /// ends as `Ending::Missing`, and `take_answer` gives its body, of at most `options.limit`
    /// bytes. A redirect gets the same POST again (TR-069 §3.4.5).
    pub fn post(
        &mut self,
        turn: &mut Turn<'_>,
        url: &Url,
        options: &RequestOptions<'_>,
        body: Vec<u8>,
    ) -> Option<Ending> {
        let post = self.post.get_or_insert_default();
        post.body = body;
        post.answer = None;
        self.request(turn, url, options, Method::Post)
    }

    /// The body of the answer to the last POST, if it was a success.
    pub fn take_answer(&mut self) -> Option<Vec<u8>> {
        self.post.as_mut()?.answer.take()
    }

    fn request(
        &mut self,
        turn: &mut Turn<'_>,
        url: &Url,
        options: &RequestOptions<'_>,
        method: Method,
    ) -> Option<Ending> {
        if self.exchange.take().is_some() {
            self.hang_up(turn);
        }
        self.landed = None;
        self.exchange = Some(Box::new(Exchange::new(url, options, method)));
        if !matches!(url.scheme, Scheme::Http | Scheme::Https) {
            return self.end(Ending::Failed(Fault::Scheme));
        }
        self.begin(turn)
    }

    /// Takes `Opened`, `Bytes`, `Closed`, `Failed`; ignores other inputs and other connections.
    pub fn input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<Ending> {
        let line = self.line.as_mut()?;
        match *input {
            Input::Opened(id) if id == line.id && !line.opened => {
                line.opened = true;
                self.send(turn);
                None
            }
            Input::Bytes(id, bytes) if id == line.id && line.opened => self.bytes(turn, bytes),
            Input::Closed(id) if id == line.id => self.closed(turn),
            Input::Failed(id, fault) if id == line.id => {
                let line = self.line.take()?;
                match fault {
                    ConnectionFault::TimedOut => self.broken(turn, &line, Fault::Silence),
                    ConnectionFault::Reset => self.broken(turn, &line, Fault::ConnectionBroken),
                    ConnectionFault::Refused => self.lost(turn, Fault::ConnectionRefused),
                    ConnectionFault::Tls => self.lost(turn, Fault::Tls),
                    ConnectionFault::Local => self.lost(turn, Fault::Local),
                    ConnectionFault::Ftp(code) => self.lost(turn, Fault::FtpReply(code)),
                    ConnectionFault::FtpData => self.lost(turn, Fault::FtpData),
                }
            }
            _ => None,
        }
    }

    /// Does what is due at `turn.now`: ends a try whose answer did not come in time.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        if self.deadline()? > turn.now {
            return None;
        }
        self.hang_up(turn);
        if let Some(then) = self.refusal() {
            return self.proceed(turn, then);
        }
        self.again(turn, Fault::Silence)
    }

    /// When `tick` is due, if anything is under way.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.exchange.as_ref().map(|exchange| exchange.deadline)
    }

    /// Closes the connection, if one is open, and abandons what is under way.
    pub fn close(&mut self, turn: &mut Turn<'_>) {
        self.exchange = None;
        self.hang_up(turn);
    }

    /// Sends the present request over the open connection if it leads there, else dials.
    fn begin(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        let exchange = self.exchange.as_mut()?;
        exchange.attempt = 1;
        exchange.sent = false;
        let serves = self
            .line
            .as_ref()
            .is_some_and(|line| line.opened && line.server.is_of(&exchange.url));
        if !serves {
            self.hang_up(turn);
            return self.dial(turn);
        }
        exchange.await_answer(turn);
        self.send(turn);
        None
    }

    /// Opens a connection for the present request.
    fn dial(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        let exchange = self.exchange.as_mut()?;
        let url = &exchange.url;
        let Some(address) = turn.shelf.resolve(&url.host) else {
            return self.end(Ending::Failed(Fault::UnknownHost));
        };
        let id = Connection(self.next);
        self.next = id.plus(1).0;
        let start = turn.out.bytes.len();
        let secure = url.scheme == Scheme::Https;
        if secure {
            turn.out.bytes.extend_from_slice(url.host.as_bytes());
        }
        turn.out.effects.push(Effect::Open {
            connection: id,
            to: SocketAddrV4::new(address, url.effective_port()),
            tls: secure.then_some(start..turn.out.bytes.len()),
        });
        self.line = Some(Line {
            id,
            server: Server::of(url),
            opened: false,
            served: false,
        });
        exchange.await_answer(turn);
        None
    }

    /// Writes the present request on the open connection.
    fn send(&mut self, turn: &mut Turn<'_>) {
        let (Some(line), Some(exchange)) = (&self.line, &mut self.exchange) else {
            return;
        };
        let grant = self.grant.as_deref_mut();
        let authorization = exchange.authorization(grant, turn.profile.http.credentials);
        let mut bytes = std::mem::take(&mut turn.out.bytes);
        let start = bytes.len();
        let post = self.post.as_deref();
        let post = post.filter(|_| exchange.method == Method::Post);
        let cwmp = turn.profile.cwmp.as_ref().filter(|_| post.is_some());
        let headers = cwmp.map_or(&turn.profile.http.headers, |cwmp| &cwmp.headers);
        wire::write_request_line(&mut bytes, exchange.method.name(), &exchange.url.path);
        let host = exchange.url.host_field();
        let vars = Vars {
            host: &host,
            user_agent: &exchange.user_agent,
            authorization: &authorization,
            ..turn.vars()
        };
        for (name, value) in headers {
            wire::write_field(&mut bytes, name, |out| value.render(&vars, out));
        }
        if let Some(post) = post {
            post.write_fields(&mut bytes, &exchange.url);
        }
        wire::write_end(&mut bytes);
        bytes.extend_from_slice(post.map_or(&[], |post| &post.body));
        let range = start..bytes.len();
        let length = u32::try_from(range.len()).unwrap_or(u32::MAX);
        turn.out.bytes = bytes;
        turn.out.effects.push(Effect::Write {
            connection: line.id,
            bytes: range,
        });
        if !std::mem::replace(&mut exchange.sent, true) {
            let step = exchange.step;
            turn.event(EventKind::Sent {
                step,
                bytes: length,
            });
        }
    }

    /// Takes what the server sent.
    fn bytes(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) -> Option<Ending> {
        let Some(exchange) = self.exchange.as_mut() else {
            // Nobody asked; what is said unasked cannot be believed (RFC 9112 §9.2).
            self.hang_up(turn);
            return None;
        };
        let mut rest = bytes;
        exchange.note_progress(turn, bytes.len());
        loop {
            let exchange = self.exchange.as_mut()?;
            let step = match exchange.reader.read(&mut rest) {
                Ok(None) => return None,
                Ok(Some(Part::Head(head))) => self.head(turn, &head),
                Ok(Some(Part::Body(piece))) => self.body(turn, piece),
                Ok(Some(Part::End)) => return self.complete(turn, rest.is_empty()),
                Err(fault) => return self.unreadable(turn, fault),
            };
            if let Step::Over(ending) = step {
                return ending;
            }
        }
    }

    /// Decides by status what the answer is.
    fn head(&mut self, turn: &mut Turn<'_>, head: &ResponseHead) -> Step {
        let Some(exchange) = self.exchange.as_mut() else {
            return Step::Over(None);
        };
        exchange.await_answer_body(turn);
        exchange.keep = head.keep_alive && turn.profile.http.keep_alive;
        let over = |limit| head.length.is_some_and(|length| length > limit as u64);
        let posted = exchange.method == Method::Post;
        if let Some(post) = self.post.as_mut().filter(|_| posted) {
            post.jar.take(&exchange.url, &head.cookies);
        }
        let then = match head.status {
            200 | 202 if over(exchange.limit) && (posted || head.status == 200) => {
                return self.too_large(turn);
            }
            200 | 202 | 204 if posted => {
                exchange.sink = Sink::Answer(Vec::new());
                return Step::On;
            }
            200 => {
                let writer = turn.shelf.bodies.start(exchange.limit);
                exchange.sink = Sink::File(writer);
                return Step::On;
            }
            status @ (301 | 302 | 303 | 307 | 308) if !exchange.follow => {
                let location = head.location.as_deref().unwrap_or_default();
                let kept = location.len() <= URL_BYTES_MAX && !location.is_empty();
                self.location = kept.then(|| location.to_owned());
                Then::failed(Fault::HttpStatus(status))
            }
            301 | 302 | 303 | 307 | 308 => exchange.redirected(turn, head.location.as_deref()),
            401 => exchange.challenged(&head.challenges),
            403 | 404 | 410 if !posted => Then::End(Ending::Missing),
            status => Then::failed(Fault::HttpStatus(status)),
        };
        if over(REFUSAL_BYTES_MAX) {
            self.hang_up(turn);
            return Step::Over(self.proceed(turn, then));
        }
        exchange.sink = Sink::Refusal {
            left: REFUSAL_BYTES_MAX,
            then,
        };
        Step::On
    }

    /// Takes a piece of the body.
    fn body(&mut self, turn: &mut Turn<'_>, piece: &[u8]) -> Step {
        let Some(exchange) = self.exchange.as_mut() else {
            return Step::Over(None);
        };
        match &mut exchange.sink {
            Sink::Head => Step::On,
            Sink::File(writer) => match turn.shelf.bodies.append(writer, piece) {
                Ok(()) => Step::On,
                Err(_) => self.too_large(turn),
            },
            Sink::Answer(answer) if answer.len() + piece.len() <= exchange.limit => {
                answer.extend_from_slice(piece);
                Step::On
            }
            Sink::Answer(_) => self.too_large(turn),
            Sink::Refusal { left, .. } => match left.checked_sub(piece.len()) {
                Some(less) => {
                    *left = less;
                    Step::On
                }
                None => {
                    self.hang_up(turn);
                    let then = self.refusal();
                    Step::Over(then.and_then(|then| self.proceed(turn, then)))
                }
            },
        }
    }

    fn too_large(&mut self, turn: &mut Turn<'_>) -> Step {
        let exchange = self.exchange.as_ref();
        let value = exchange.map_or(0, |exchange| exchange.limit) as u64;
        let limit = match exchange.map(|exchange| exchange.method) {
            Some(Method::Post) => Limit::SoapBytes,
            _ => Limit::FileBytes,
        };
        self.hang_up(turn);
        turn.event(EventKind::LimitReached { limit, value });
        Step::Over(self.end(Ending::Failed(Fault::TooLarge)))
    }

    /// The answer is complete; `exact` when nothing came after it.
    fn complete(&mut self, turn: &mut Turn<'_>, exact: bool) -> Option<Ending> {
        let exchange = self.exchange.as_mut()?;
        let sink = std::mem::replace(&mut exchange.sink, Sink::Head);
        if !exact || !exchange.keep {
            self.hang_up(turn);
        } else if let Some(line) = &mut self.line {
            line.served = true;
        }
        match sink {
            Sink::Head => None,
            Sink::File(writer) => {
                let landed = self.exchange.as_ref().and_then(|held| held.landed());
                self.landed = landed.map(Box::new);
                let body = turn.shelf.bodies.finish(writer);
                self.end(Ending::Found(body))
            }
            Sink::Answer(answer) => {
                let landed = self.exchange.as_ref().and_then(|held| held.landed());
                self.landed = landed.map(Box::new);
                if let Some(post) = &mut self.post {
                    post.answer = Some(answer);
                }
                self.end(Ending::Missing)
            }
            Sink::Refusal { then, .. } => self.proceed(turn, then),
        }
    }

    /// Goes on after an answer that is not the file.
    fn proceed(&mut self, turn: &mut Turn<'_>, then: Then) -> Option<Ending> {
        let exchange = self.exchange.as_mut()?;
        let step = exchange.step;
        match then {
            Then::End(ending) => {
                if matches!(ending, Ending::Failed(Fault::Unauthorized)) {
                    self.grant = None;
                }
                return self.end(ending);
            }
            Then::Redirect(url) => {
                let name = turn.shelf.url(&url.to_string());
                turn.event(EventKind::Redirected { step, url: name });
                exchange.follow(*url);
            }
            Then::Answer(challenge) => {
                let grant = Grant::new(challenge, turn.rng);
                self.grant = Some(Box::new((Server::of(&exchange.url), grant)));
                turn.event(EventKind::Challenged { step });
            }
        }
        self.begin(turn)
    }

    /// The server closed the connection in good order.
    fn closed(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        let line = self.line.take()?;
        turn.out.effects.push(Effect::Close(line.id));
        let exchange = self.exchange.as_mut()?;
        if exchange.reader.complete_when_closed() {
            exchange.keep = false;
            return self.complete(turn, true);
        }
        self.broken(turn, &line, Fault::ConnectionBroken)
    }

    /// The connection is gone before the answer was complete.
    fn broken(&mut self, turn: &mut Turn<'_>, line: &Line, fault: Fault) -> Option<Ending> {
        if let Some(then) = self.refusal() {
            return self.proceed(turn, then);
        }
        let exchange = self.exchange.as_mut()?;
        if fault == Fault::ConnectionBroken && line.served && !exchange.heard {
            return self.dial(turn);
        }
        self.again(turn, fault)
    }

    /// The connection could not be made, and trying again would not help.
    fn lost(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<Ending> {
        if let Some(then) = self.refusal() {
            return self.proceed(turn, then);
        }
        self.end(Ending::Failed(fault))
    }

    /// The answer does not follow the protocol.
    fn unreadable(&mut self, turn: &mut Turn<'_>, fault: ReadFault) -> Option<Ending> {
        self.hang_up(turn);
        if let Some(then) = self.refusal() {
            return self.proceed(turn, then);
        }
        let limit = match fault {
            ReadFault::Malformed(_) => None,
            ReadFault::HeaderCount => Some(HEADERS_MAX),
            ReadFault::HeaderBytes => Some(HEADER_BYTES_MAX),
        };
        if let Some(value) = limit {
            turn.event(EventKind::LimitReached {
                limit: Limit::Headers,
                value: value as u64,
            });
        }
        let fault = match fault {
            ReadFault::Malformed(malformed) => malformed,
            _ => Malformed::new("header section over the limit", 0),
        };
        self.end(Ending::Failed(Fault::Malformed(fault)))
    }

    /// Tries the present request again, if the profile has an attempt left.
    fn again(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<Ending> {
        let exchange = self.exchange.as_mut()?;
        let attempts = exchange.patience(turn).attempts.max(1);
        if exchange.attempt >= attempts {
            return self.end(Ending::Failed(fault));
        }
        exchange.attempt += 1;
        let (step, attempt) = (exchange.step, exchange.attempt);
        if fault != Fault::Silence {
            turn.event(EventKind::Wrong { step, fault });
        }
        turn.event(EventKind::Retried { step, attempt });
        self.dial(turn)
    }

    fn end(&mut self, ending: Ending) -> Option<Ending> {
        self.exchange.take().map(|_| ending)
    }

    /// What follows, when the answer is known and only its body was still being dropped.
    fn refusal(&mut self) -> Option<Then> {
        let sink = &mut self.exchange.as_mut()?.sink;
        match std::mem::replace(sink, Sink::Head) {
            Sink::Refusal { then, .. } => Some(then),
            other => {
                *sink = other;
                None
            }
        }
    }

    fn hang_up(&mut self, turn: &mut Turn<'_>) {
        if let Some(line) = self.line.take() {
            turn.out.effects.push(Effect::Close(line.id));
        }
    }
}

/// Whether the input that is left belongs to the same answer.
enum Step {
    On,
    Over(Option<Ending>),
}

impl Server {
    fn of(url: &Url) -> Self {
        Self {
            scheme: url.scheme,
            host: url.host.as_str().into(),
            port: url.effective_port(),
        }
    }

    fn is_of(&self, url: &Url) -> bool {
        self.scheme == url.scheme
            && self.port == url.effective_port()
            && self.host.eq_ignore_ascii_case(&url.host)
    }
}

#[cfg(test)]
mod tests;
