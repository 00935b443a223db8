//! SIP messages as UDP carries them, one to a datagram (RFC 3261 §7, §18.3).
//!
//! `Message` splits a datagram without copying: start line, header fields in their order and case,
//! body. Header fields are found by scanning when they are asked for, so a message costs nothing
//! but its bytes. Values stay raw bytes (a display name in Latin-1 must not cost the phone its
//! configuration); the functions here read the parts of a value and treat the line ends of folded
//! fields as white space. `write` holds the other direction.
//!
//! Tolerated beyond the grammar, because servers in the field do it (vendor facts, PnP answers):
//! bare LF, empty lines before the start line, a header section that ends with the datagram,
//! compact names, folded fields, white space before the colon.

mod names;
mod stream;
mod write;

#[cfg(test)]
mod tests;

use std::hash::Hasher;

use memchr::memchr;
use rustc_hash::FxHasher;

use super::Malformed;
use crate::event::Limit;
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};

pub use names::{is_named, long_name};
pub use stream::{elements, frame};
pub use write::{Answer, Writer, answer, escaped, reason};

const TOO_MANY_FIELDS: &str = "more header fields than the limit";
const TOO_MANY_BYTES: &str = "more header bytes than the limit";

/// A message, borrowing from its datagram. At most `HEADERS_MAX` header fields in at most
/// `HEADER_BYTES_MAX` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The first line.
    pub start: StartLine<'a>,
    /// What follows the header fields, as long as Content-Length says; without it, the rest of
    /// the datagram (RFC 3261 §18.3).
    pub body: &'a [u8],
    fields: &'a [u8],
}

/// The first line of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `METHOD uri SIP/2.0`
    Request {
        /// The method, exact case (methods are case-sensitive, RFC 3261 §7.1).
        method: &'a str,
        /// The request URI as written.
        uri: &'a str,
    },
    /// `SIP/2.0 status reason`
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase, not necessarily UTF-8, often empty.
        reason: &'a [u8],
    },
}

/// One header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written: case kept, compact names not expanded.
    pub name: &'a str,
    /// The value without white space at either end. A folded value holds its line ends; they
    /// count as white space.
    pub value: &'a [u8],
}

/// The header fields of a message, in order.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    lines: Lines<'a>,
}

/// A header value cut at its parameters: `check-sync` + `reboot=true`, `<sip:a@b>` + `tag=x`.
/// Semicolons inside quotes and angle brackets do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// What stands before the first parameter, trimmed.
    pub main: &'a [u8],
    text: &'a [u8],
    parameters_at: usize,
}

/// One parameter of a header value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value, where there is one: without the quotes of a quoted string, whose backslash
    /// escapes are kept.
    pub value: Option<&'a [u8]>,
    /// Where the parameter ends in the value's text, in bytes.
    end: usize,
}

/// The parameters of a value, in order; empty ones (`;;`) are passed over.
#[derive(Debug, Clone)]
pub struct Parameters<'a> {
    text: &'a [u8],
    at: usize,
}

/// Physical lines; the line end may be CRLF, LF or the end of the datagram.
#[derive(Debug, Clone)]
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    at: usize,
    text: &'a [u8],
}

impl<'a> Message<'a> {
    /// Splits a datagram.
    ///
    /// # Errors
    /// `Malformed` for an empty datagram, a start line that is neither request nor response of
    /// SIP/2.0, a header line without a name or a colon, more header fields or bytes than the
    /// limits (`limit_of` says which), a Content-Length that is no number, is given twice with
    /// different values or is larger than what came.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let blank = datagram.iter().take_while(|byte| is_line_end(**byte));
        let mut lines = Lines {
            bytes: datagram,
            at: blank.count(),
        };
        let first = lines
            .next()
            .ok_or_else(|| Malformed::new("empty message", 0))?;
        let start = StartLine::parse(first)?;
        let fields_at = lines.at;
        let (fields_end, body_at) = header_section(&mut lines)?;
        let mut message = Self {
            start,
            body: datagram.get(body_at..).unwrap_or_default(),
            fields: datagram.get(fields_at..fields_end).unwrap_or_default(),
        };
        if let Some(length) = message.content_length(fields_at)? {
            message.body = message.body.get(..length).ok_or_else(|| {
                Malformed::new("content length is larger than the datagram", body_at)
            })?;
        }
        Ok(message)
    }

    /// The header fields in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields {
            lines: Lines {
                bytes: self.fields,
                at: 0,
            },
        }
    }

    /// The values of every field with this (long) name, in order; any case, compact form included.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |field| field.is(name))
            .map(|field| field.value)
    }

    /// The first value of a field by its long name; any case, compact form included.
    #[must_use]
    pub fn header(&self, name: &'static str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The method: a request's own, a response's out of its CSeq.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        match self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => self.cseq().map(|(_, method)| method),
        }
    }

    /// The request URI; `None` for a response.
    #[must_use]
    pub fn uri(&self) -> Option<&'a str> {
        match self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status code; `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }

    /// Call-ID; `None` when missing or empty.
    #[must_use]
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.header("Call-ID").filter(|value| !value.is_empty())
    }

    /// Number and method of CSeq; `None` when missing or unreadable.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &'a str)> {
        let text = std::str::from_utf8(self.header("CSeq")?).ok()?;
        let mut words = text.split_ascii_whitespace();
        let number = decimal(words.next()?.as_bytes())?;
        let method = words.next()?;
        Some((u32::try_from(number).ok()?, method))
    }

    /// The event package with its parameters; `None` when missing or empty.
    #[must_use]
    pub fn event(&self) -> Option<Value<'a>> {
        let value = Value::new(self.header("Event")?);
        Some(value).filter(|value| !value.main.is_empty())
    }

    /// The first element of the first Via.
    #[must_use]
    pub fn top_via(&self) -> Option<Value<'a>> {
        self.header("Via").map(|raw| Value::new(first_element(raw)))
    }

    /// A number that is equal for retransmissions of one request and differs, but for hash
    /// accidents, between transactions: Call-ID, CSeq and the branch of the top Via
    /// (RFC 3261 §17.2.3). Equal on every machine of one word size; never printed.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        let mut hasher = FxHasher::default();
        let via = self.top_via();
        let parts = [
            self.call_id(),
            self.header("CSeq"),
            via.and_then(|via| via.parameter("branch")),
        ];
        for part in parts {
            let part = part.unwrap_or_default();
            hasher.write(part);
            hasher.write_usize(part.len());
        }
        hasher.finish()
    }

    fn content_length(&self, fields_at: usize) -> Result<Option<usize>, Malformed> {
        let mut length = None;
        for value in self.all("Content-Length") {
            let number = decimal(value)
                .ok_or_else(|| Malformed::new("content length is not a number", fields_at))?;
            if length.is_some_and(|earlier| earlier != number) {
                let what = "content length is given twice";
                return Err(Malformed::new(what, fields_at));
            }
            length = Some(number);
        }
        Ok(length.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }
}

impl<'a> StartLine<'a> {
    fn parse(line: Line<'a>) -> Result<Self, Malformed> {
        let (first, rest) = cut(line.text, b' ');
        let rest = trim(rest.unwrap_or_default());
        if is_version(first) {
            let (status, reason) = cut(rest, b' ');
            let status = Some(status)
                .filter(|digits| digits.len() == 3)
                .and_then(decimal)
                .and_then(|number| u16::try_from(number).ok())
                .filter(|number| (100..700).contains(number))
                .ok_or_else(|| Malformed::new("status code is not 100 to 699", line.at))?;
            let reason = trim(reason.unwrap_or_default());
            return Ok(Self::Response { status, reason });
        }
        let method = token(first);
        let (uri, version) = cut(rest, b' ');
        let version = trim(version.unwrap_or_default());
        match (method, std::str::from_utf8(uri)) {
            (Some(method), Ok(uri)) if is_version(version) && !uri.is_empty() => {
                Ok(Self::Request { method, uri })
            }
            _ => Err(Malformed::new(
                "neither a request line nor a status line",
                line.at,
            )),
        }
    }
}

impl Field<'_> {
    /// True when this is the field with this long name; any case, compact form included.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        is_named(self.name, name)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let first = self.lines.next()?;
        let mut end = self.lines.at;
        while self.lines.continues() {
            self.lines.next();
            end = self.lines.at;
        }
        let whole = self.lines.bytes.get(first.at..end)?;
        let (name, value) = cut(whole, b':');
        Some(Field {
            name: token(trim(name)).unwrap_or_default(),
            value: trim(value.unwrap_or_default()),
        })
    }
}

impl<'a> Value<'a> {
    /// Cuts a header value.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        let parameters_at = find_outside(text, 0, b';');
        Self {
            main: trim(text.get(..parameters_at).unwrap_or_default()),
            text,
            parameters_at,
        }
    }

    /// True when what stands before the parameters is `word`, in any case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.main.eq_ignore_ascii_case(word.as_bytes())
    }

    /// The parameters in order.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters {
            text: self.text,
            at: self.parameters_at,
        }
    }

    /// The value of the first parameter called `name`, in any case; `None` when it is missing or
    /// has no value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        self.parameters()
            .find(|parameter| parameter.is(name))
            .and_then(|parameter| parameter.value)
    }
}

impl Parameter<'_> {
    /// True when it is called `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        while self.text.get(self.at) == Some(&b';') {
            let start = self.at + 1;
            self.at = find_outside(self.text, start, b';');
            let part = self.text.get(start..self.at).unwrap_or_default();
            let kept = part.trim_ascii_end();
            let end = start + kept.len();
            let part = trim(kept);
            if part.is_empty() {
                continue;
            }
            let (name, value) = cut(part, b'=');
            return Some(Parameter {
                name: trim(name),
                value: value.map(|value| unquoted(trim(value))),
                end,
            });
        }
        None
    }
}

impl<'a> Lines<'a> {
    /// True when the next line is a continuation (RFC 3261 §7.3.1).
    fn continues(&self) -> bool {
        matches!(self.bytes.get(self.at), Some(b' ' | b'\t'))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let (text, length) = match memchr(b'\n', rest) {
            Some(end) => (rest.get(..end)?, end + 1),
            None => (rest, rest.len()),
        };
        self.at = at + length;
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some(Line { at, text })
    }
}

/// The limit that a refused message went over, with its value, for `LimitReached`.
#[must_use]
pub fn limit_of(fault: &Malformed) -> Option<(Limit, u64)> {
    match fault.what {
        TOO_MANY_FIELDS => Some((Limit::Headers, HEADERS_MAX as u64)),
        TOO_MANY_BYTES => Some((Limit::Headers, HEADER_BYTES_MAX as u64)),
        _ => None,
    }
}

/// True for a datagram that only keeps a NAT binding open: nothing, line ends (RFC 5626 §3.5.1) or
/// zero bytes.
#[must_use]
pub fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| is_line_end(*byte) || *byte == 0)
}

/// The user part of a SIP URI, bare or in angle brackets with a display name; `None` when it has
/// none.
#[must_use]
pub fn uri_user(text: &[u8]) -> Option<&[u8]> {
    let open = find_byte(text, b'<').map_or(0, |at| at + 1);
    let uri = text.get(open..)?;
    let colon = find_byte(uri, b':')?;
    let rest = uri.get(colon + 1..)?;
    rest.get(..find_byte(rest, b'@')?)
}

/// The first element of a comma-separated value; commas in quotes and angle brackets do not count.
#[must_use]
pub fn first_element(text: &[u8]) -> &[u8] {
    trim(text.get(..find_outside(text, 0, b',')).unwrap_or_default())
}

/// Reads header lines up to the empty one; gives the section's end and the body's start.
fn header_section(lines: &mut Lines<'_>) -> Result<(usize, usize), Malformed> {
    let section_at = lines.at;
    let mut count = 0_usize;
    while let Some(line) = lines.next() {
        if line.text.is_empty() {
            return Ok((line.at, lines.at));
        }
        if lines.at - section_at > HEADER_BYTES_MAX {
            return Err(Malformed::new(TOO_MANY_BYTES, line.at));
        }
        if matches!(line.text.first(), Some(b' ' | b'\t')) {
            if count == 0 {
                let what = "continuation before the first header field";
                return Err(Malformed::new(what, line.at));
            }
            continue;
        }
        count += 1;
        if count > HEADERS_MAX {
            return Err(Malformed::new(TOO_MANY_FIELDS, line.at));
        }
        let (name, value) = cut(line.text, b':');
        if value.is_none() {
            return Err(Malformed::new("header field without colon", line.at));
        }
        if token(trim(name)).is_none() {
            return Err(Malformed::new("header name is not a token", line.at));
        }
    }
    Ok((lines.at, lines.at))
}

/// The first `wanted` at or after `from` outside quoted strings and angle brackets, else the end.
fn find_outside(text: &[u8], from: usize, wanted: u8) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    let mut angle = false;
    for (at, &byte) in text.iter().enumerate().skip(from) {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => angle = true,
            b'>' if !quoted => angle = false,
            _ if byte == wanted && !quoted && !angle => return at,
            _ => {}
        }
    }
    text.len()
}

/// What stands before the first `separator`, and what after it.
fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match find_byte(text, separator) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

fn find_byte(text: &[u8], wanted: u8) -> Option<usize> {
    memchr(wanted, text)
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(text)
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_version(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"SIP/2.0")
}

/// A non-empty token (RFC 3261 §25.1) as text.
fn token(text: &[u8]) -> Option<&str> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    if text.is_empty() || !text.iter().all(fits) {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// Digits and nothing else, as a number; one beyond 64 bits is the largest.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0_u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}
