//! HTTP requests as a step writes them, one after the other or several at once, on a connection
//! that may serve further steps (RFC 9110, 9112).

use std::fmt::Write as _;

use bootstorm_emulator::phone::io::{Connection, Effect, Input, Outputs};
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::transfer::http::AuthMethod;
use bootstorm_emulator::transfer::http::auth::{Challenge, Grant, Login};
use bootstorm_emulator::url::{Scheme, Url};
use bootstorm_emulator::wire::http::{Part, ResponseHead, ResponseReader, write_field};
use bootstorm_scenarios::suite::probe::{Condition, HttpAuth, HttpGet, HttpScheme, TlsVersion};

use super::compare::Compare;
use super::{Flow, Kept, TlsWish, Turn, Weight};

/// Bytes of a response's head that are looked at for validators.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// An ETag that no server gave.
const OTHER_ETAG: &str = "\"never-given\"";

/// A connection that serves further steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    connection: Connection,
    tls: Option<TlsVersion>,
}

/// What a server said of a file's version.
#[derive(Debug, Clone, Default)]
pub(super) struct Validators {
    etag: Option<String>,
    modified: Option<String>,
}

/// The requests of one step.
#[derive(Debug)]
pub(super) struct Requests {
    spec: HttpGet,
    target: String,
    line: Line,
    is_open: bool,
    /// Answers that are still to come.
    left: u16,
    reader: ResponseReader,
    /// The head of the answer that is read, as it came.
    head: Vec<u8>,
    status: u16,
    keep_alive: bool,
    challenge: Option<Challenge>,
    /// Credentials went with the request.
    proven: bool,
    /// A challenge to credentials was answered.
    retried: bool,
    /// Where the answer that is read says the file is.
    location: Option<String>,
    /// Redirects that were followed.
    followed: u16,
    compare: Compare,
    same_as: Option<Template>,
}

/// Notes what happens to the connection between steps.
pub(super) fn note(kept: &mut Kept, input: &Input<'_>) {
    if let Input::Closed(id) | Input::Failed(id, _) = input {
        kept.line.take_if(|line| line.connection == *id);
    }
}

/// Closes the connection that is kept.
pub(super) fn hang_up(kept: &mut Kept, out: &mut Outputs) {
    if let Some(line) = kept.line.take() {
        out.effects.push(Effect::Close(line.connection));
    }
}

impl Requests {
    /// Writes the first request on a connection that is open, or asks for one.
    pub(super) fn begin(
        turn: &mut Turn<'_>,
        spec: &HttpGet,
        same_as: Option<&Template>,
    ) -> (Self, Flow) {
        let target = turn.me.path(&spec.path, spec.raw);
        let held = turn.kept.line;
        let held = held.filter(|held| spec.same_connection && held.tls == spec.tls);
        if held.is_none() {
            hang_up(turn.kept, turn.out);
        }
        let line = held.unwrap_or_else(|| open(turn, spec));
        let mut requests = Self {
            target,
            line,
            is_open: held.is_some(),
            left: 0,
            reader: ResponseReader::default(),
            head: Vec::new(),
            status: 0,
            keep_alive: false,
            challenge: None,
            proven: false,
            retried: false,
            location: None,
            followed: 0,
            compare: turn.me.compare(same_as, false),
            same_as: same_as.cloned(),
            spec: spec.clone(),
        };
        if requests.lacks_validator(turn) {
            return (requests, Flow::Done);
        }
        if requests.is_open {
            requests.write(turn);
        }
        (requests, Flow::More)
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        let own = self.line.connection;
        match *input {
            Input::Opened(id) if id == own => {
                self.is_open = true;
                turn.kept.line = Some(self.line);
                self.write(turn);
                Flow::More
            }
            Input::Bytes(id, bytes) if id == own => self.bytes(turn, bytes),
            Input::Closed(id) if id == own => {
                turn.kept.line = None;
                let whole = self.left == 1 && self.reader.complete_when_closed();
                match whole {
                    true => self.answered(turn),
                    false => self.broken(turn),
                }
            }
            Input::Failed(id, _) if id == own => {
                turn.kept.line = None;
                self.broken(turn)
            }
            _ => Flow::More,
        }
    }

    /// The step's time is over.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) {
        turn.out.effects.push(Effect::Close(self.line.connection));
        turn.kept.line = None;
        turn.compared(&mut self.compare);
    }

    fn broken(&mut self, turn: &mut Turn<'_>) -> Flow {
        turn.compared(&mut self.compare);
        Flow::Done
    }

    /// True, and found, when the step needs a validator that the server never gave.
    fn lacks_validator(&self, turn: &mut Turn<'_>) -> bool {
        let known = turn.kept.validators.get(&self.target);
        let (lacking, name) = match self.spec.condition {
            None | Some(Condition::OtherEtag) => return false,
            Some(Condition::Etag) => (known.and_then(|it| it.etag.as_ref()), "ETag"),
            Some(Condition::Modified) => {
                (known.and_then(|it| it.modified.as_ref()), "Last-Modified")
            }
        };
        if lacking.is_some() {
            return false;
        }
        let expected = format!("an earlier answer for {} with {name}", self.target);
        let actual = format!("the server gave no {name}");
        turn.find(Weight::Lacking, expected, actual);
        true
    }

    /// Writes the requests of the step.
    fn write(&mut self, turn: &mut Turn<'_>) {
        self.left = self.spec.pipelined;
        let connection = self.line.connection;
        let mut text = Vec::new();
        for _ in 0..self.spec.pipelined {
            self.request(turn, &mut text);
        }
        turn.out
            .write(connection, |out| out.extend_from_slice(&text));
    }

    fn request(&mut self, turn: &mut Turn<'_>, out: &mut Vec<u8>) {
        let me = turn.me;
        let (method, target) = (&self.spec.method, &self.target);
        let version = if self.spec.old { "1.0" } else { "1.1" };
        out.extend_from_slice(format!("{method} {target} HTTP/{version}\r\n").as_bytes());
        let mut field = |name: &str, value: &str| {
            write_field(out, name, |out| out.extend_from_slice(value.as_bytes()));
        };
        let own_host = self.spec.headers.iter();
        let mut own_host = own_host.map(|(name, _)| name);
        if !own_host.any(|name| name.eq_ignore_ascii_case("Host")) {
            field("Host", &host(turn, &self.spec));
        }
        for (name, value) in &self.spec.headers {
            field(name, &me.text(value));
        }
        let known = turn.kept.validators.get(target);
        match self.spec.condition {
            Some(Condition::Etag) => {
                let etag = known.and_then(|it| it.etag.as_deref());
                field("If-None-Match", etag.unwrap_or_default());
            }
            Some(Condition::Modified) => {
                let modified = known.and_then(|it| it.modified.as_deref());
                field("If-Modified-Since", modified.unwrap_or_default());
            }
            Some(Condition::OtherEtag) => field("If-None-Match", OTHER_ETAG),
            None => {}
        }
        let proof = self.spec.auth.as_ref();
        let proof = proof.and_then(|auth| proof_of(turn, auth, method, target, self.retried));
        self.proven = proof.is_some();
        if let Some(proof) = proof {
            field("Authorization", &proof);
        }
        let body = &self.spec.body;
        if !body.is_empty() {
            field("Content-Length", &body.len().to_string());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.as_bytes());
    }

    fn bytes(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) -> Flow {
        let mut rest = bytes;
        while self.left > 0 {
            if self.status == 0 && self.head.len() < HEAD_BYTES_MAX {
                self.head.extend_from_slice(rest);
            }
            let ended = match self.reader.read(&mut rest) {
                Ok(None) => return Flow::More,
                Ok(Some(Part::Head(head))) => {
                    self.headed(turn, &head);
                    // A HEAD is answered without a body, whatever its length says (RFC 9110
                    // §9.3.2).
                    self.spec.method == "HEAD"
                }
                Ok(Some(Part::Body(body))) => {
                    if self.counts() {
                        self.compare.take(body);
                    }
                    false
                }
                Ok(Some(Part::End)) => true,
                // Nobody knows where the next answer begins.
                Err(_) => {
                    turn.out.effects.push(Effect::Close(self.line.connection));
                    turn.kept.line = None;
                    return self.broken(turn);
                }
            };
            if ended && self.answered(turn) == Flow::Done {
                return Flow::Done;
            }
        }
        Flow::More
    }

    /// Whether the body of this answer is the file.
    fn counts(&self) -> bool {
        matches!(self.status, 200 | 206) && self.spec.method != "HEAD"
    }

    fn headed(&mut self, turn: &mut Turn<'_>, head: &ResponseHead) {
        (self.status, self.keep_alive) = (head.status, head.keep_alive);
        self.location.clone_from(&head.location);
        let method = match self.spec.auth.as_ref().map(|auth| auth.scheme) {
            Some(HttpScheme::Digest) => AuthMethod::Digest,
            Some(HttpScheme::Basic) => AuthMethod::Basic,
            None => AuthMethod::None,
        };
        self.challenge = Challenge::choose(&head.challenges, method);
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let field = |name: &str| {
            let mut lines = text.lines().take_while(|line| !line.is_empty());
            lines.find_map(|line| {
                let (known, value) = line.split_once(':')?;
                known
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let range = field("Content-Range").filter(|_| self.status == 206);
        if let Some((start, end)) = range.as_deref().and_then(span) {
            self.compare
                .part(start, end.saturating_sub(start).saturating_add(1));
        }
        let is_head = self.spec.method == "HEAD";
        if let (true, Some(length)) = (is_head && self.status == 200, self.compare.length()) {
            self.head_length(turn, length, head.length);
        }
        if matches!(self.status, 200 | 304) {
            let known = turn.kept.validators.entry(self.target.clone()).or_default();
            known.etag = field("ETag").or(known.etag.take());
            known.modified = field("Last-Modified").or(known.modified.take());
        }
        self.head.clear();
    }

    /// A HEAD says the length that a GET would have (RFC 9110 §8.6), or none.
    fn head_length(&mut self, turn: &mut Turn<'_>, length: usize, said: Option<u64>) {
        let wrong = said.filter(|said| *said != length as u64);
        if let Some(said) = wrong {
            let expected = format!("Content-Length: {length}, or none");
            turn.find(Weight::Wrong, expected, format!("Content-Length: {said}"));
        }
        self.compare = Compare::nothing();
    }

    /// An answer is complete.
    fn answered(&mut self, turn: &mut Turn<'_>) -> Flow {
        self.left = self.left.saturating_sub(1);
        let status = std::mem::take(&mut self.status);
        if status == 401 && self.left == 0 && self.prove(turn) {
            return Flow::More;
        }
        let moves = matches!(status, 301 | 302 | 303 | 307 | 308);
        if moves && self.followed < self.spec.follow {
            return self.follow(turn, status);
        }
        if matches!(status, 200 | 206) {
            self.compare.whole();
        }
        if status == 304 {
            self.compare = Compare::nothing();
        }
        turn.compared(&mut self.compare);
        self.reader = ResponseReader::default();
        if self.left > 0 {
            self.compare = turn.me.compare(self.same_as.as_ref(), false);
            return Flow::More;
        }
        // Of HTTP/1.0 the end of the connection is the server's business (RFC 9112 §9.3).
        if !self.keep_alive && !self.spec.old {
            hang_up(turn.kept, turn.out);
        }
        Flow::Done
    }

    /// Asks where a redirect leads to (RFC 9110 §10.2.2), which must be on the same server: only
    /// there a client knows what it is to find.
    fn follow(&mut self, turn: &mut Turn<'_>, status: u16) -> Flow {
        self.followed += 1;
        let place = self.location.take();
        let base = own_url(turn, &self.spec, &self.target);
        let next = base.as_ref().zip(place.as_deref());
        let next = next.and_then(|(base, place)| base.join(place).ok());
        let own = |url: &Url| {
            let host = base.as_ref().map(|base| base.host.as_str());
            let is_web = matches!(url.scheme, Scheme::Http | Scheme::Https);
            is_web && (host == Some(&url.host) || url.host == turn.me.plan.server.to_string())
        };
        let Some(url) = next.filter(own) else {
            let expected = format!("a Location on this server with status {status}");
            let actual = place.map_or_else(
                || "there is none".to_owned(),
                |place| format!("it is '{place}'"),
            );
            turn.find(Weight::Wrong, expected, actual);
            self.compare = Compare::nothing();
            return self.broken(turn);
        };
        self.reader = ResponseReader::default();
        self.compare.again();
        self.target = escaped(&url.path);
        let tls = (url.scheme == Scheme::Https).then(|| self.spec.tls.unwrap_or(TlsVersion::Any));
        let same = tls == self.spec.tls && url.port.is_none();
        self.spec.tls = tls;
        if same && self.keep_alive && turn.kept.line == Some(self.line) {
            self.write(turn);
        } else {
            hang_up(turn.kept, turn.out);
            self.line = open_at(turn, &self.spec, url.effective_port());
            self.is_open = false;
        }
        Flow::More
    }

    /// Answers a challenge; false where the step has nothing to answer it with, or did so already.
    fn prove(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(auth) = &self.spec.auth else {
            return false;
        };
        let Some(challenge) = self.challenge.take() else {
            return false;
        };
        let mine = Rng::new(turn.kept.rng.next_u64());
        let may = !self.proven || (auth.again && !self.retried);
        turn.kept.grant = Some(Grant::new(challenge, &mut { mine }));
        if !may || auth.scheme == HttpScheme::Basic {
            return false;
        }
        self.retried = true;
        self.reader = ResponseReader::default();
        self.compare.again();
        if self.keep_alive && turn.kept.line == Some(self.line) {
            self.write(turn);
        } else {
            hang_up(turn.kept, turn.out);
            self.line = open(turn, &self.spec);
            self.is_open = false;
        }
        true
    }
}

/// The URL of a request.
fn own_url(turn: &Turn<'_>, spec: &HttpGet, target: &str) -> Option<Url> {
    let scheme = spec.tls.map_or(Scheme::Http, |_| Scheme::Https);
    let text = format!("{}://{}{target}", scheme.name(), host(turn, spec));
    Url::parse(&text, scheme).ok()
}

/// A path as a request says it, where a Location leaves blanks as they are.
fn escaped(path: &str) -> String {
    path.replace(' ', "%20")
}

/// Asks for a connection.
fn open(turn: &mut Turn<'_>, spec: &HttpGet) -> Line {
    let port = if spec.tls.is_some() { 443 } else { 80 };
    open_at(turn, spec, port)
}

fn open_at(turn: &mut Turn<'_>, spec: &HttpGet, port: u16) -> Line {
    let name = host(turn, spec);
    let name = name.split(':').next().unwrap_or_default().to_owned();
    let tls = spec.tls.map(|version| {
        let verify = spec.verify;
        (TlsWish { version, verify }, name.as_str())
    });
    let to = turn.me.server(port);
    Line {
        connection: turn.open(to, tls),
        tls: spec.tls,
    }
}

/// What `Host` says.
fn host(turn: &Turn<'_>, spec: &HttpGet) -> String {
    let mut host = String::new();
    match &spec.host {
        Some(given) => host.push_str(&turn.me.text(given)),
        // Writing to a string cannot fail.
        None => drop(write!(host, "{}", turn.me.plan.server)),
    }
    host
}

/// The value of Authorization: Basic at once, Digest once there is a challenge.
fn proof_of(
    turn: &mut Turn<'_>,
    auth: &HttpAuth,
    method: &str,
    target: &str,
    challenged: bool,
) -> Option<String> {
    let me = turn.me;
    let known = me.plan.login(&me.planned);
    let text = |given: &Option<Template>, known: Option<&String>| {
        let given = given.as_ref().map(|it| me.text(it));
        given.or_else(|| known.cloned()).unwrap_or_default()
    };
    let user = text(&auth.user, known.as_ref().map(|it| &it.user));
    let password = text(&auth.password, known.as_ref().map(|it| &it.password));
    let login = Login { user, password };
    match auth.scheme {
        HttpScheme::Basic => Some(login.basic()),
        HttpScheme::Digest => {
            let grant = turn.kept.grant.as_mut();
            let grant = grant.filter(|_| challenged || auth.kept_nonce);
            grant.map(|grant| grant.authorization(&login, method, target))
        }
    }
}

/// The first and last byte of `bytes 0-9/100`.
fn span(range: &str) -> Option<(usize, usize)> {
    let range = range.trim().strip_prefix("bytes")?.trim();
    let (span, _) = range.split_once('/')?;
    let (start, end) = span.split_once('-')?;
    Some((start.trim().parse().ok()?, end.trim().parse().ok()?))
}
