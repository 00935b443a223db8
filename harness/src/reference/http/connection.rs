//! One HTTP/1.1 connection as a value: bytes in, bytes out. The in-memory network uses it; real
//! sockets have hyper.

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::mutant::Protocol;
use bootstorm_scenarios::wire::Way;

use super::{Reply, Request, Site, reason};
use crate::reference::counters::Counter;
use crate::reference::filter::{OnStream, Passed};

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct Connection {
    held: Vec<u8>,
    /// Bytes of a request's body that are still to come; nobody reads them.
    skip: u64,
    closed: bool,
    /// The longest that an answer of the last `receive` is to wait.
    wait: Duration,
    /// It is inside TLS.
    tls: bool,
}

/// What to do with the connection when the bytes written so far are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Wait for more.
    Open,
    /// Close it.
    Close,
}

/// What framing needs to know of a request.
#[derive(Debug, Clone, Copy)]
struct Framing {
    body: Option<u64>,
    close: bool,
    head: bool,
}

/// The other end of a connection, at a moment.
#[derive(Debug, Clone, Copy)]
struct Client {
    now: Moment,
    peer: SocketAddrV4,
    tls: bool,
}

impl Client {
    fn stream(self, before: &[u8]) -> OnStream<'_> {
        OnStream {
            protocol: Protocol::Http,
            peer: self.peer,
            tls: self.tls,
            before,
        }
    }
}

impl Connection {
    /// A connection inside TLS.
    #[must_use]
    pub fn secure() -> Self {
        Self {
            tls: true,
            ..Self::default()
        }
    }

    /// Takes the next bytes from `peer` and appends the answers to all requests that are complete
    /// with them to `out`.
    ///
    /// Heads of more than `HEADER_BYTES_MAX` bytes or `HEADERS_MAX` fields are answered 431,
    /// unreadable ones 400, chunked request bodies 411, bodies longer than their reader takes 413;
    /// then the connection is to be closed.
    pub fn receive(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        site: &mut Site<'_>,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> After {
        self.held.extend_from_slice(bytes);
        self.wait = Duration::ZERO;
        let client = Client {
            now,
            peer,
            tls: self.tls,
        };
        let mut read = 0;
        while !self.closed {
            let rest = self.held.get(read..).unwrap_or_default();
            let body = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            self.skip -= body as u64;
            read += body;
            let rest = rest.get(body..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match heard(client, site, rest, out) {
                Ok(Step::Answered {
                    length,
                    framing,
                    wait,
                }) => {
                    read += length;
                    self.skip = framing.body.unwrap_or(0);
                    self.closed = framing.close;
                    self.wait = self.wait.max(wait);
                }
                Ok(Step::Body) => break,
                Ok(Step::Head) if rest.len() <= HEADER_BYTES_MAX => break,
                Ok(Step::Head) => self.refuse(431, client, site, out),
                Err(status) => self.refuse(status, client, site, out),
            }
        }
        self.held.drain(..read);
        if self.closed {
            self.held.clear();
            return After::Close;
        }
        After::Open
    }

    /// How long what the last `receive` wrote is to wait before it is sent.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Bytes held of a request that is not complete.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn refuse(&mut self, status: u16, client: Client, site: &mut Site<'_>, out: &mut Vec<u8>) {
        site.http.counters().count(Counter::HttpMalformed);
        let start = out.len();
        let framing = Framing {
            body: None,
            close: true,
            head: false,
        };
        write(&Reply::plain(status), framing, out);
        if let Some(filter) = &mut site.filter {
            let (wait, _) = filter.answered(client.stream(b""), start, out);
            self.wait = self.wait.max(wait);
        }
        self.closed = true;
    }
}

/// What came of the bytes at hand.
enum Step {
    /// The head is not complete.
    Head,
    /// The head is, the body that its reader wants is not.
    Body,
    /// Answered.
    Answered {
        /// Bytes that are done with.
        length: usize,
        framing: Framing,
        wait: Duration,
    },
}

/// Answers the request at the beginning of `bytes` if it is complete, as mutants would have it.
fn heard(
    client: Client,
    site: &mut Site<'_>,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<Step, u16> {
    let Some(filter) = site.filter.take() else {
        return answer(client, site, bytes, Some(out));
    };
    let start = out.len();
    let read = answer(client, site, bytes, None);
    let Ok(Step::Answered {
        length,
        mut framing,
        mut wait,
    }) = read
    else {
        site.filter = Some(filter);
        return read;
    };
    let request = bytes.get(..length).unwrap_or(bytes);
    let passed = filter.on_stream(Way::Sent, client.stream(b""), request);
    let instead = match &passed {
        Passed::Untouched => request,
        Passed::Instead {
            bytes,
            after,
            close,
        } => {
            wait = *after;
            framing.close |= close;
            bytes
        }
    };
    if let Ok(Step::Answered { wait: more, .. }) = answer(client, site, instead, Some(out)) {
        wait = wait.saturating_add(more);
    }
    let (more, close) = filter.answered(client.stream(request), start, out);
    framing.close |= close;
    site.filter = Some(filter);
    Ok(Step::Answered {
        length,
        framing,
        wait: wait.saturating_add(more),
    })
}

/// Answers the request at the beginning of `bytes` if it is complete; without `out` it only says
/// where the request ends.
fn answer(
    client: Client,
    site: &mut Site<'_>,
    bytes: &[u8],
    out: Option<&mut Vec<u8>>,
) -> Result<Step, u16> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEADER_BYTES_MAX => length,
        Ok(httparse::Status::Complete(_)) => return Err(431),
        Ok(httparse::Status::Partial) => return Ok(Step::Head),
        Err(httparse::Error::TooManyHeaders) => return Err(431),
        Err(_) => return Err(400),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(400);
    };
    let mut headers = [("", &[][..]); HEADERS_MAX];
    for (place, field) in headers.iter_mut().zip(parsed.headers.iter()) {
        *place = (field.name, field.value);
    }
    let count = parsed.headers.len();
    let mut request = Request {
        method,
        target,
        headers: headers.get(..count).unwrap_or_default(),
        body: &[],
    };
    let mut framing = Framing::of(&request, parsed.version == Some(0))?;
    let mut length = length;
    if let (Some(most), Some(body)) = (site.body_bytes_max(&request), framing.body) {
        let body = usize::try_from(body).ok().filter(|body| *body <= most);
        let end = length + body.ok_or(413_u16)?;
        let Some(body) = bytes.get(length..end) else {
            return Ok(Step::Body);
        };
        request.body = body;
        length = end;
        framing.body = None;
    }
    let mut wait = Duration::ZERO;
    if let Some(out) = out {
        let reply = site.handle(client.now, client.peer, &request);
        write(&reply, framing, out);
        wait = reply.after;
    }
    Ok(Step::Answered {
        length,
        framing,
        wait,
    })
}

impl Framing {
    fn of(request: &Request, old: bool) -> Result<Self, u16> {
        if request.header("transfer-encoding").is_some() {
            return Err(411);
        }
        let mut lengths = request
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body = match (lengths.next(), lengths.next()) {
            (None, _) => None,
            (Some((_, value)), None) => Some(decimal(value).ok_or(400_u16)?),
            (Some(_), Some(_)) => return Err(400),
        };
        let says = |word: &[u8]| {
            let field = request.header("connection").unwrap_or_default();
            field
                .split(|byte| *byte == b',')
                .any(|it| it.trim_ascii().eq_ignore_ascii_case(word))
        };
        Ok(Self {
            body,
            close: says(b"close") || (old && !says(b"keep-alive")),
            head: request.method == "HEAD",
        })
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

fn write(reply: &Reply, framing: Framing, out: &mut Vec<u8>) {
    let mut line = |parts: &[&str]| {
        for part in parts {
            // What a client wrote into its target must not begin a header of its own.
            out.extend(part.bytes().filter(|byte| !byte.is_ascii_control()));
        }
        out.extend_from_slice(b"\r\n");
    };
    let status = reply.status.to_string();
    line(&["HTTP/1.1 ", &status, " ", reason(reply.status)]);
    for (name, value) in &reply.headers {
        line(&[name, ": ", value]);
    }
    // RFC 9110 §8.6: a 204 has none.
    if !matches!(reply.status, 204 | 304) {
        line(&["content-length: ", &reply.body.len().to_string()]);
    }
    if framing.close {
        line(&["connection: close"]);
    }
    line(&[]);
    if !framing.head && !matches!(reply.status, 204 | 304) {
        out.extend_from_slice(&reply.body);
    }
}
