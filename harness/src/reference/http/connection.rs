//! One HTTP/1.1 connection as a value: bytes in, bytes out. The in-memory network uses it; real
//! sockets have hyper.

use std::net::SocketAddrV4;

use bootstorm_emulator::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use bootstorm_emulator::time::Moment;

use super::{Http, Reply, Request, reason};
use crate::reference::counters::Counter;

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct Connection {
    held: Vec<u8>,
    /// Bytes of a request's body that are still to come; nobody reads them.
    skip: u64,
    closed: bool,
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

impl Connection {
    /// Takes the next bytes from `peer` and appends the answers to all requests that are complete
    /// with them to `out`.
    ///
    /// Heads of more than `HEADER_BYTES_MAX` bytes or `HEADERS_MAX` fields are answered 431,
    /// unreadable ones 400, chunked request bodies 411; then the connection is to be closed.
    pub fn receive(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        http: &Http,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> After {
        self.held.extend_from_slice(bytes);
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
            match answer(now, peer, http, rest, out) {
                Ok(Some((length, framing))) => {
                    read += length;
                    self.skip = framing.body.unwrap_or(0);
                    self.closed = framing.close;
                }
                Ok(None) if rest.len() <= HEADER_BYTES_MAX => break,
                Ok(None) => self.refuse(431, http, out),
                Err(status) => self.refuse(status, http, out),
            }
        }
        self.held.drain(..read);
        if self.closed {
            self.held.clear();
            return After::Close;
        }
        After::Open
    }

    /// Bytes held of a head that is not complete.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn refuse(&mut self, status: u16, http: &Http, out: &mut Vec<u8>) {
        http.counters().count(Counter::HttpMalformed);
        let framing = Framing {
            body: None,
            close: true,
            head: false,
        };
        write(&Reply::plain(status), framing, out);
        self.closed = true;
    }
}

/// Answers the request at the beginning of `bytes` if its head is complete; says how long that is.
fn answer(
    now: Moment,
    peer: SocketAddrV4,
    http: &Http,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<(usize, Framing)>, u16> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEADER_BYTES_MAX => length,
        Ok(httparse::Status::Complete(_)) => return Err(431),
        Ok(httparse::Status::Partial) => return Ok(None),
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
    let request = Request {
        method,
        target,
        headers: headers.get(..count).unwrap_or_default(),
    };
    let framing = Framing::of(&request, parsed.version == Some(0))?;
    write(&http.handle(now, peer, &request), framing, out);
    Ok(Some((length, framing)))
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
    if reply.status != 304 {
        line(&["content-length: ", &reply.body.len().to_string()]);
    }
    if framing.close {
        line(&["connection: close"]);
    }
    line(&[]);
    if !framing.head && reply.status != 304 {
        out.extend_from_slice(&reply.body);
    }
}
