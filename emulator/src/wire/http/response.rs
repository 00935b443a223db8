//! The response reader: fed with whatever pieces the network makes of an answer.

use super::super::Malformed;
use super::body::{Body, Chunks, Piece};
use super::{Fields, has_no_body, malformed_head};
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX};

/// Reads one response (RFC 9112 §4 to §7). Interim responses (1xx) are skipped. Only an incomplete
/// head is buffered, up to `HEADER_BYTES_MAX`; a body is handed out as slices of the input.
#[derive(Debug, Default)]
pub struct ResponseReader {
    state: State,
    /// The head so far, when it did not come in one piece.
    head: Vec<u8>,
    /// Bytes of heads so far, interim ones included.
    head_bytes: usize,
    scan: HeadScan,
}

/// The head of a final response, as far as a phone looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 101 or from 200 to 999.
    pub status: u16,
    /// The server keeps the connection open, and the end of the body can be told without closing.
    pub keep_alive: bool,
    /// Bytes of the body, where the head says it; 0 for a status without a body.
    pub length: Option<u64>,
    /// `Location`, invalid UTF-8 replaced.
    pub location: Option<String>,
    /// Every `WWW-Authenticate`, in order; one can hold several challenges.
    pub challenges: Vec<String>,
    /// Every `Set-Cookie`, in order.
    pub cookies: Vec<String>,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The head; once, and first.
    Head(ResponseHead),
    /// The next piece of the body; never empty.
    Body(&'a [u8]),
    /// The response is complete; input that is left does not belong to it.
    End,
}

/// Why a response cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// It does not follow the protocol.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More than `HEADERS_MAX` header fields.
    #[error("more than {HEADERS_MAX} header fields")]
    HeaderCount,
    /// More than `HEADER_BYTES_MAX` bytes of heads, chunk extensions or trailers.
    #[error("more than {HEADER_BYTES_MAX} bytes of header section")]
    HeaderBytes,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body(Body),
    Ended,
}

/// Looks for the empty line that ends a head, however the head was cut.
#[derive(Debug, Default)]
struct HeadScan {
    /// The first line has begun; empty lines before it do not count (RFC 9112 §2.2).
    begun: bool,
    /// The line that is being read has no character yet.
    empty: bool,
}

impl ResponseReader {
    /// Reads from the front of `input`, which is moved on; `None` when all of it was used and more
    /// is needed. To be called until it gives `None` or `Part::End`.
    ///
    /// # Errors
    /// `ReadFault`; the connection cannot be used any further then.
    pub fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>, ReadFault> {
        let body = match &mut self.state {
            State::Head => return Ok(self.read_head(input)?.map(Part::Head)),
            State::Body(body) => body,
            State::Ended => return Ok(Some(Part::End)),
        };
        Ok(match body.read(input)? {
            Piece::Data(data) => Some(Part::Body(data)),
            Piece::More => None,
            Piece::End => {
                self.state = State::Ended;
                Some(Part::End)
            }
        })
    }

    /// True when the end of the connection is the end of the response.
    #[must_use]
    pub fn complete_when_closed(&self) -> bool {
        matches!(
            self.state,
            State::Ended | State::Body(Body::UntilClose | Body::Length(0))
        )
    }

    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<ResponseHead>, ReadFault> {
        loop {
            let end = self.scan.end(input);
            let (piece, rest) = input
                .split_at_checked(end.unwrap_or(input.len()))
                .unwrap_or((input, &[]));
            *input = rest;
            self.head_bytes = self.head_bytes.saturating_add(piece.len());
            if self.head_bytes > HEADER_BYTES_MAX {
                return Err(ReadFault::HeaderBytes);
            }
            if end.is_none() {
                self.head.extend_from_slice(piece);
                return Ok(None);
            }
            let (head, body) = if self.head.is_empty() {
                parse(piece)?
            } else {
                self.head.extend_from_slice(piece);
                parse(&std::mem::take(&mut self.head))?
            };
            self.scan = HeadScan::default();
            // 101 answers a wish that a phone never utters, so it is final (RFC 9110 §15.2.2).
            if head.status >= 200 || head.status == 101 {
                self.state = State::Body(body);
                return Ok(Some(head));
            }
        }
    }
}

impl HeadScan {
    /// How many bytes of `input` belong to the head, when its end is among them.
    fn end(&mut self, input: &[u8]) -> Option<usize> {
        for (at, byte) in input.iter().enumerate() {
            match byte {
                b'\n' if self.begun && self.empty => return Some(at + 1),
                b'\n' => self.empty = true,
                b'\r' => {}
                _ => {
                    self.begun = true;
                    self.empty = false;
                }
            }
        }
        None
    }
}

/// Parses a head that ends with its empty line.
fn parse(bytes: &[u8]) -> Result<(ResponseHead, Body), ReadFault> {
    let mut fields = Fields::EMPTY;
    let mut response = httparse::Response::new(&mut fields.all);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    match config.parse_response(&mut response, bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => {
            return Err(Malformed::new("invalid line end in header section", 0).into());
        }
        Err(httparse::Error::TooManyHeaders) => return Err(ReadFault::HeaderCount),
        Err(error) => return Err(malformed_head(error).into()),
    }
    let status = response.code.unwrap_or(0);
    let minor_version = response.version.unwrap_or(0);
    fields.count = response.headers.len();
    if status < 100 {
        return Err(Malformed::new("status below 100", 9).into());
    }
    let body = framing(status, &fields)?;
    let head = ResponseHead {
        status,
        keep_alive: fields.keep_alive(minor_version)
            && !matches!(body, Body::UntilClose)
            && !(minor_version == 0 && matches!(body, Body::Chunked(_))),
        length: match body {
            Body::Length(length) => Some(length),
            _ => None,
        },
        location: fields.values("Location").next().map(unfolded),
        challenges: fields.values("WWW-Authenticate").map(unfolded).collect(),
        cookies: fields.values("Set-Cookie").map(unfolded).collect(),
    };
    Ok((head, body))
}

/// How the body ends (RFC 9112 §6.3).
fn framing(status: u16, fields: &Fields<'_>) -> Result<Body, Malformed> {
    let length = fields.content_length()?;
    if has_no_body(status) {
        return Ok(Body::Length(0));
    }
    let mut codings = fields
        .values("Transfer-Encoding")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Ok(length.map_or(Body::UntilClose, Body::Length)),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Body::Chunked(Chunks::default()))
        }
        _ => Err(Malformed::new("unknown transfer coding", 0)),
    }
}

/// A field value as text; an obsolete line folding becomes one space (RFC 9112 §5.2).
fn unfolded(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value.trim_ascii());
    if !text.contains(['\r', '\n']) {
        return text.into_owned();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ")
}
