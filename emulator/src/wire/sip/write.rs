//! Writing SIP messages: exact header case and order, Content-Length computed, and responses that
//! copy what RFC 3261 §8.2.6 wants copied.

use std::io::Write as _;
use std::net::SocketAddrV4;

use super::{Message, Value, first_element};

/// Writes one message onto the end of a buffer. Line ends in anything written become blanks, so a
/// value out of a profile or a foreign message cannot add header fields.
#[derive(Debug)]
#[must_use = "a message is complete only after `finish`"]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    body: &'o [u8],
    length_written: bool,
}

/// What a response says besides what it copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 100 to 699.
    pub status: u16,
    /// Added to To, as eight hex digits, when the request's has none (RFC 3261 §8.2.6.2).
    pub tag: u32,
    /// Where the request came from. `Some` completes the top Via as RFC 3261 §18.2.1 and
    /// RFC 3581 §4 say (`received`, `rport`); `None` leaves it as it is.
    pub source: Option<SocketAddrV4>,
}

impl<'o> Writer<'o> {
    /// Begins a request.
    pub fn request(out: &'o mut Vec<u8>, method: &str, uri: &str, body: &'o [u8]) -> Self {
        Self::request_with(out, method, body, |out| {
            out.extend_from_slice(uri.as_bytes());
        })
    }

    /// Begins a request whose URI `uri` appends.
    pub fn request_with(
        out: &'o mut Vec<u8>,
        method: &str,
        body: &'o [u8],
        uri: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        without_line_ends(out, uri);
        out.extend_from_slice(b" SIP/2.0\r\n");
        Self::with_body(out, body)
    }

    /// Begins a response with the standard reason phrase.
    pub fn response(out: &'o mut Vec<u8>, status: u16, body: &'o [u8]) -> Self {
        // Writing to a vector cannot fail.
        let _ = write!(out, "SIP/2.0 {status} {}\r\n", reason(status));
        Self::with_body(out, body)
    }

    /// Begins the response to `request`: all Via, From, To (with a tag), Call-ID and CSeq are
    /// copied (RFC 3261 §8.2.6.2); one that the request lacks is left out.
    pub fn reply(
        out: &'o mut Vec<u8>,
        request: &Message<'_>,
        answer: &Answer,
        body: &'o [u8],
    ) -> Self {
        let mut writer = Self::response(out, answer.status, body);
        for (index, via) in request.all("Via").enumerate() {
            let source = answer.source.filter(|_| index == 0);
            writer = writer.header_with("Via", |out| push_via(out, via, source));
        }
        if let Some(from) = request.header("From") {
            writer = writer.header("From", from);
        }
        if let Some(to) = request.header("To") {
            let tagged = Value::new(to).parameter("tag").is_some();
            writer = writer.header_with("To", |out| {
                out.extend_from_slice(to);
                if !tagged {
                    let _ = write!(out, ";tag={:08x}", answer.tag);
                }
            });
        }
        for name in ["Call-ID", "CSeq"] {
            if let Some(value) = request.header(name) {
                writer = writer.header(name, value);
            }
        }
        writer
    }

    /// Writes a header field. For `Content-Length` (any case) the body's length is written
    /// instead of `value`.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.header_with(name, |out| out.extend_from_slice(value.as_ref()))
    }

    /// Writes a header field whose value `value` appends; as `header`.
    pub fn header_with(mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        if name.eq_ignore_ascii_case("Content-Length") {
            let _ = write!(self.out, "{}", self.body.len());
            self.length_written = true;
        } else {
            without_line_ends(self.out, value);
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Completes the message: Content-Length, unless it was written where the caller wanted it,
    /// the empty line, the body.
    pub fn finish(mut self) {
        if !self.length_written {
            self = self.header("Content-Length", "");
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(self.body);
    }

    fn with_body(out: &'o mut Vec<u8>, body: &'o [u8]) -> Self {
        Self {
            out,
            body,
            length_written: false,
        }
    }
}

/// Appends a whole response without a body.
pub fn answer(out: &mut Vec<u8>, request: &Message<'_>, answer: &Answer) {
    Writer::reply(out, request, answer, b"").finish();
}

/// The reason phrase of a status code (RFC 3261 §21, RFC 6665 §8.3); for one without a phrase of
/// its own, its class in a word.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        489 => "Bad Event",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => match status / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

/// A Via value; with `source`, its first element tells where the request came from: `rport` gets
/// its value when the sender asked for it (RFC 3581 §4), `received` is added then, and otherwise
/// when the sender named another host (RFC 3261 §18.2.1).
fn push_via(out: &mut Vec<u8>, via: &[u8], source: Option<SocketAddrV4>) {
    let top = first_element(via);
    let value = Value::new(top);
    let asked = value
        .parameters()
        .find(|parameter| parameter.is("rport") && parameter.value.is_none());
    let Some(source) = source else {
        out.extend_from_slice(via);
        return;
    };
    let (at, named) = match asked {
        Some(rport) => (rport.end, false),
        None => (top.len(), is_sent_by(&value, source)),
    };
    // `via` is trimmed, so its first element stands at its very beginning.
    out.extend_from_slice(via.get(..at).unwrap_or_default());
    if asked.is_some() {
        let _ = write!(out, "={}", source.port());
    }
    if !named && value.parameter("received").is_none() {
        let _ = write!(out, ";received={}", source.ip());
    }
    out.extend_from_slice(via.get(at..).unwrap_or_default());
}

/// True when the host of a Via's sent-by is the address that the request came from.
fn is_sent_by(via: &Value<'_>, source: SocketAddrV4) -> bool {
    std::str::from_utf8(via.main)
        .ok()
        .and_then(|text| text.split_ascii_whitespace().next_back())
        .and_then(|sent_by| sent_by.split(':').next())
        .and_then(|host| host.parse().ok())
        .is_some_and(|host: std::net::Ipv4Addr| host == *source.ip())
}

/// Turns line ends in what `write` appends into blanks: a folded value becomes one line.
fn without_line_ends(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    for byte in out.iter_mut().skip(start) {
        if matches!(*byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// A user part with everything escaped that is not plain (RFC 3261 §19.1.2).
#[must_use]
pub fn escaped(user: &str) -> String {
    let mut out = String::with_capacity(user.len());
    for byte in user.bytes() {
        match byte {
            _ if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$/".contains(&byte) => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
