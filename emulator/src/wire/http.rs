//! HTTP/1.1 messages (RFC 9110, RFC 9112), both directions: what a phone writes and reads, and
//! what a server in memory needs to talk to it.
//!
//! Heads are read by `httparse`; requests are written here, because a phone's header order and
//! case are facts about it that client libraries do not keep.

mod body;
mod response;

pub use response::{Part, ReadFault, ResponseHead, ResponseReader};

use super::Malformed;
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use crate::url::percent_value;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The head of a request, borrowed from its bytes.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    /// The method, as written: `GET`.
    pub method: &'a str,
    /// The request target, as written: percent-encoded path and query.
    pub target: &'a str,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub minor_version: u8,
    /// The header fields.
    pub fields: Fields<'a>,
    /// Bytes of the head, the empty line included; a body begins there.
    pub length: usize,
}

/// The header fields of one message, in order; at most `HEADERS_MAX`.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    all: [httparse::Header<'a>; HEADERS_MAX],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Name (as written) and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.all
            .iter()
            .take(self.count)
            .map(|field| (field.name, field.value))
    }

    /// The values of all fields called `name`, in any case (RFC 9110 §5.1).
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the first field called `name`, in any case, when it is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.values(name).next()?).ok()
    }

    /// What `Content-Length` says: `None` without one.
    ///
    /// # Errors
    /// A value that is no number, or two that differ (RFC 9112 §6.3).
    pub fn content_length(&self) -> Result<Option<u64>, Malformed> {
        let mut length = None;
        for value in self.values("Content-Length") {
            for part in value.split(|byte| *byte == b',') {
                let new = decimal(part.trim_ascii())
                    .ok_or(Malformed::new("content-length is no number", 0))?;
                if length.is_some_and(|known| known != new) {
                    return Err(Malformed::new("content-length values differ", 0));
                }
                length = Some(new);
            }
        }
        Ok(length)
    }

    /// True when a list field called `name` holds `token`, in any case.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether the connection stays open after this message (RFC 9112 §9.3).
    #[must_use]
    pub fn keep_alive(&self, minor_version: u8) -> bool {
        !self.lists("Connection", "close")
            && (minor_version >= 1 || self.lists("Connection", "keep-alive"))
    }

    const EMPTY: Self = Self {
        all: [httparse::EMPTY_HEADER; HEADERS_MAX],
        count: 0,
    };
}

/// Reads the head of a request at the start of `bytes`; `None` while its end has not come.
///
/// # Errors
/// Bytes that are no request head, more than `HEADERS_MAX` fields, more than `HEADER_BYTES_MAX`
/// bytes.
pub fn parse_request_head(bytes: &[u8]) -> Result<Option<RequestHead<'_>>, Malformed> {
    let mut fields = Fields::EMPTY;
    let mut request = httparse::Request::new(&mut fields.all);
    let status = request.parse(bytes).map_err(malformed_head)?;
    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    let minor_version = request.version.unwrap_or(0);
    let count = request.headers.len();
    let length = match status {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => bytes.len(),
    };
    if length > HEADER_BYTES_MAX {
        return Err(Malformed::new("header section too long", HEADER_BYTES_MAX));
    }
    fields.count = count;
    Ok(status.is_complete().then_some(RequestHead {
        method,
        target,
        minor_version,
        fields,
        length,
    }))
}

/// Appends the request line of `method` for a URL's path and query.
pub fn write_request_line(out: &mut Vec<u8>, method: &str, path: &str) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    write_target(out, path);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Appends the request target of a URL's path and query: percent-encoded where the grammar
/// demands it (FLY-18: a space is `%20`), a valid `%XX` kept, without the fragment (RFC 9110 §7.1).
pub fn write_target(out: &mut Vec<u8>, path: &str) {
    let path = path.split('#').next().unwrap_or_default();
    let mut rest = path.as_bytes();
    while let Some((&byte, others)) = rest.split_first() {
        let kept = match byte {
            b'%' => percent_value(rest).is_some(),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            _ => byte.is_ascii_graphic(),
        };
        if kept {
            out.push(byte);
        } else {
            let digit = |half: u8| HEX.get(usize::from(half)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
        rest = others;
    }
}

/// Appends a header field whose value `fill` appends; nothing when the value comes out empty.
/// Control characters are dropped from the value, so that none can end the field.
pub fn write_field(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let value = out.len();
    fill(out);
    let unsafe_byte = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if out.iter().skip(value).any(unsafe_byte) {
        let tail = out.split_off(value);
        out.extend(tail.iter().filter(|byte| !unsafe_byte(byte)));
    }
    if out.len() == value {
        out.truncate(start);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the empty line that ends a head.
pub fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole response: status line, `fields` in order, `Content-Length` unless a field gives
/// the framing or the status has no body (1xx, 204, 304), then the body.
pub fn write_response(out: &mut Vec<u8>, status: u16, fields: &[(&str, &str)], body: &[u8]) {
    let framed = fields.iter().any(|(name, _)| {
        ["Content-Length", "Transfer-Encoding"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    });
    write_response_head(out, status, fields);
    if has_no_body(status) {
        write_end(out);
        return;
    }
    if !framed {
        let length = body.len().to_string();
        write_field(out, "Content-Length", |out| {
            out.extend_from_slice(length.as_bytes());
        });
    }
    write_end(out);
    out.extend_from_slice(body);
}

/// Appends a response's status line and `fields` in order, without the empty line after them.
pub fn write_response_head(out: &mut Vec<u8>, status: u16, fields: &[(&str, &str)]) {
    out.extend_from_slice(format!("HTTP/1.1 {status:03} ").as_bytes());
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in fields {
        write_field(out, name, |out| out.extend_from_slice(value.as_bytes()));
    }
}

/// The reason phrase of RFC 9110 §15; empty for a status that provisioning does not meet.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// True for a status whose answer never has a body (RFC 9112 §6.3).
fn has_no_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

fn decimal(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn malformed_head(error: httparse::Error) -> Malformed {
    let what = match error {
        httparse::Error::HeaderName => "invalid header name",
        httparse::Error::HeaderValue => "invalid header value",
        httparse::Error::NewLine => "invalid line end in header section",
        httparse::Error::Status => "invalid status",
        httparse::Error::Token => "invalid first line",
        httparse::Error::TooManyHeaders => "too many header fields",
        httparse::Error::Version => "invalid HTTP version",
    };
    Malformed::new(what, 0)
}

#[cfg(test)]
mod tests;
