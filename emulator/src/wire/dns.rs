//! DNS messages (RFC 1035 §4) as multicast DNS uses them (RFC 6762 §18): a decoder that borrows and
//! an encoder that appends.
//!
//! ```text
//! byte  0 id   2 flags   4 questions   6 answers   8 authorities   10 additional records
//!      12 question: name, type (2), class (2; top bit: a unicast answer is welcome)
//!       … record:   name, type (2), class (2; top bit: replaces what was known), TTL (4),
//!                   length (2), data
//! ```
//!
//! A name is a row of labels (length, bytes), ended by a zero byte or by a pointer to an earlier
//! place of the message. A pointer must lead before the part of the name that it ends, so that no
//! row of pointers is endless.

#[cfg(test)]
mod tests;
mod write;

pub use write::{Encoder, is_service};

use std::net::Ipv4Addr;

use super::Malformed;

/// The group that multicast DNS is asked at (RFC 6762 §3).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Bytes of the longest message (RFC 6762 §17).
pub const MESSAGE_BYTES_MAX: usize = 9_000;
/// Bytes of one label (RFC 1035 §3.1).
pub const LABEL_BYTES_MAX: usize = 63;
/// Bytes of a name with the lengths of its labels and its end (RFC 1035 §3.1).
pub const NAME_BYTES_MAX: usize = 255;
/// Questions and records of one message.
pub const RECORDS_MAX: usize = 256;

const HEADER_BYTES: usize = 12;
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const RESPONSE_CODE: u16 = 0x000f;
const AUTHORITATIVE: u16 = 0x0400;
const CLASS_INTERNET: u16 = 1;
const CLASS_TOP: u16 = 0x8000;

/// Types of records and questions.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// A pointer: from a service to an instance of it (RFC 6763 §4.1).
    pub const PTR: u16 = 12;
    /// Texts: `key=value` (RFC 6763 §6).
    pub const TXT: u16 = 16;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// Host and port of an instance (RFC 2782).
    pub const SRV: u16 = 33;
    /// In a question: every type.
    pub const ANY: u16 = 255;
}

/// A message that was looked through once: everything in it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    bytes: &'a [u8],
    flags: u16,
    questions: u16,
    records: u16,
    records_at: usize,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is asked for.
    pub name: Name<'a>,
    /// Its type, see `kind`.
    pub kind: u16,
    /// The asker welcomes an answer to itself alone (RFC 6762 §5.4).
    pub unicast: bool,
}

/// A record of any section.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Whose it is.
    pub name: Name<'a>,
    /// Its type, see `kind`.
    pub kind: u16,
    /// It is of the Internet class; any other says nothing.
    pub internet: bool,
    /// It replaces what was known (RFC 6762 §10.2).
    pub flush: bool,
    /// Seconds that it may be kept; 0 = it is no more (RFC 6762 §10.1).
    pub ttl: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// `kind::A`
    Address(Ipv4Addr),
    /// `kind::PTR`
    Pointer(Name<'a>),
    /// `kind::SRV`
    Service {
        /// The lowest is to be taken.
        priority: u16,
        /// The share among equals.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Name<'a>,
    },
    /// `kind::TXT`: rows of length and text; see `texts`.
    Texts(&'a [u8]),
    /// Any other type, as it stands.
    Other(&'a [u8]),
}

/// A name within a message.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    /// Reads a message and looks through all of it; bytes behind its last record do not matter.
    ///
    /// # Errors
    /// `Malformed` when it is longer than `MESSAGE_BYTES_MAX`, has more than `RECORDS_MAX`
    /// questions or records, ends within its header, a name, a question or a record, or when a name
    /// is too long, has a label of an unknown kind or a pointer that does not lead back.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            let what = "message longer than the limit";
            return Err(Malformed::new(what, MESSAGE_BYTES_MAX));
        }
        let field = |index: usize| {
            let cut = Malformed::new("message ends inside its header", bytes.len());
            number_at(bytes, 2 * index).ok_or(cut)
        };
        let questions = field(2)?;
        let records = [field(3)?, field(4)?, field(5)?];
        let count = records.iter().map(|count| usize::from(*count)).sum();
        if usize::from(questions) > RECORDS_MAX || count > RECORDS_MAX {
            return Err(Malformed::new("more records than the limit", 4));
        }
        let mut at = HEADER_BYTES;
        for _ in 0..questions {
            (_, at) = question(bytes, at)?;
        }
        let records_at = at;
        for _ in 0..count {
            (_, at) = record(bytes, at)?;
        }
        Ok(Self {
            bytes,
            flags: field(1)?,
            questions,
            records: u16::try_from(count).unwrap_or(u16::MAX),
            records_at,
        })
    }

    /// The number that an answer to a one-shot query repeats (RFC 6762 §6.7).
    #[must_use]
    pub fn id(&self) -> u16 {
        number_at(self.bytes, 0).unwrap_or_default()
    }

    /// It is an answer, of the one kind that there is (RFC 6762 §18.3), without an error (§18.11).
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.flags & (RESPONSE | OPCODE | RESPONSE_CODE) == RESPONSE
    }

    /// It is a query of the one kind that there is.
    #[must_use]
    pub fn is_query(&self) -> bool {
        self.flags & (RESPONSE | OPCODE) == 0
    }

    /// Its questions.
    pub fn questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        let bytes = self.bytes;
        let mut at = HEADER_BYTES;
        (0..self.questions).map_while(move |_| {
            let (found, next) = question(bytes, at).ok()?;
            at = next;
            Some(found)
        })
    }

    /// The records of all three sections: what answers say is not weighed by its place.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let bytes = self.bytes;
        let mut at = self.records_at;
        (0..self.records).map_while(move |_| {
            let (found, next) = record(bytes, at).ok()?;
            at = next;
            Some(found)
        })
    }
}

impl<'a> Name<'a> {
    /// Its labels, the first first; none for the root.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let mut at = self.at;
        std::iter::from_fn(move || {
            loop {
                match step(bytes, at).ok()? {
                    Step::Label(label, next) => {
                        at = next;
                        return Some(label);
                    }
                    Step::Pointer(to) if to < at => at = to,
                    Step::Pointer(_) | Step::End(_) => return None,
                }
            }
        })
    }

    /// Whether it is this name, written with dots between its labels, in any case.
    #[must_use]
    pub fn is(&self, dotted: &str) -> bool {
        let written = dotted.trim_end_matches('.').split('.').map(str::as_bytes);
        same(self.labels(), written.filter(|label| !label.is_empty()))
    }

    /// The labels with dots between them, where each is UTF-8 without dots and control characters.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let mut host = String::new();
        for label in self.labels() {
            let label = std::str::from_utf8(label).ok()?;
            if label.contains(|c: char| c == '.' || c.is_control() || c.is_whitespace()) {
                return None;
            }
            if !host.is_empty() {
                host.push('.');
            }
            host.push_str(label);
        }
        (!host.is_empty()).then_some(host)
    }
}

impl PartialEq for Name<'_> {
    /// In any case (RFC 1035 §2.3.3).
    fn eq(&self, other: &Self) -> bool {
        same(self.labels(), other.labels())
    }
}

impl Eq for Name<'_> {}

impl std::fmt::Debug for Name<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for label in self.labels() {
            write!(out, "{}.", label.escape_ascii())?;
        }
        Ok(())
    }
}

/// The texts of a TXT record (RFC 6763 §6.1), empty ones left out; a row that is cut ends them.
pub fn texts(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (length, rest) = data.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            data = rest;
            if !text.is_empty() {
                return Some(text);
            }
        }
    })
}

fn same<'x>(
    mut one: impl Iterator<Item = &'x [u8]>,
    mut other: impl Iterator<Item = &'x [u8]>,
) -> bool {
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => {}
            _ => return false,
        }
    }
}

/// What stands at one place of a name, and where it goes on.
enum Step<'a> {
    Label(&'a [u8], usize),
    Pointer(usize),
    End(usize),
}

fn step(bytes: &[u8], at: usize) -> Result<Step<'_>, Malformed> {
    let cut = Malformed::new("message ends inside a name", bytes.len());
    let length = *bytes.get(at).ok_or(cut)?;
    match length >> 6 {
        0 if length == 0 => Ok(Step::End(at + 1)),
        0 => {
            let next = at + 1 + usize::from(length);
            let label = bytes.get(at + 1..next).ok_or(cut)?;
            Ok(Step::Label(label, next))
        }
        3 => {
            let low = *bytes.get(at + 1).ok_or(cut)?;
            Ok(Step::Pointer(
                usize::from(length & 0x3f) << 8 | usize::from(low),
            ))
        }
        _ => Err(Malformed::new("a label of an unknown kind", at)),
    }
}

/// Looks through a name; the place behind it. Every pointer leads before the labels that it ends,
/// so that there are at most as many as bytes before the name; the length bounds the labels.
fn name(bytes: &[u8], start: usize) -> Result<(Name<'_>, usize), Malformed> {
    let (mut at, mut part, mut behind) = (start, start, None);
    let mut length = 1;
    loop {
        match step(bytes, at)? {
            Step::Label(label, next) => {
                length += 1 + label.len();
                if length > NAME_BYTES_MAX {
                    return Err(Malformed::new("name longer than 255 bytes", start));
                }
                at = next;
            }
            Step::Pointer(to) => {
                if to >= part || to < HEADER_BYTES {
                    return Err(Malformed::new("a pointer that does not lead back", at));
                }
                behind = behind.or(Some(at + 2));
                (at, part) = (to, to);
            }
            Step::End(next) => {
                let name = Name { bytes, at: start };
                return Ok((name, behind.unwrap_or(next)));
            }
        }
    }
}

fn question(bytes: &[u8], at: usize) -> Result<(Question<'_>, usize), Malformed> {
    let (name, at) = name(bytes, at)?;
    let cut = Malformed::new("message ends inside a question", bytes.len());
    let kind = number_at(bytes, at).ok_or(cut)?;
    let class = number_at(bytes, at + 2).ok_or(cut)?;
    let unicast = class & CLASS_TOP != 0;
    let question = Question {
        name,
        kind,
        unicast,
    };
    Ok((question, at + 4))
}

fn record(bytes: &[u8], at: usize) -> Result<(Record<'_>, usize), Malformed> {
    let (name, at) = name(bytes, at)?;
    let cut = Malformed::new("message ends inside a record", bytes.len());
    let field = |offset: usize| number_at(bytes, at + offset).ok_or(cut);
    let (kind, class) = (field(0)?, field(2)?);
    let ttl = u32::from(field(4)?) << 16 | u32::from(field(6)?);
    let start = at + 10;
    let end = start + usize::from(field(8)?);
    let area = bytes.get(start..end).ok_or(cut)?;
    let record = Record {
        name,
        kind,
        internet: class & !CLASS_TOP == CLASS_INTERNET,
        flush: class & CLASS_TOP != 0,
        ttl,
        data: data(bytes, kind, start, area)?,
    };
    Ok((record, end))
}

/// The data of a record, which is `area` and begins at `start`.
fn data<'a>(
    bytes: &'a [u8],
    kind: u16,
    start: usize,
    area: &'a [u8],
) -> Result<Data<'a>, Malformed> {
    let cut = Malformed::new("a record's data has another length", start);
    // The name ends within the data, wherever its pointers lead.
    let name_from = |offset: usize| {
        let (name, behind) = name(bytes, start + offset)?;
        if behind > start + area.len() {
            return Err(cut);
        }
        Ok(name)
    };
    Ok(match kind {
        kind::A => Data::Address(area.first_chunk::<4>().copied().ok_or(cut)?.into()),
        kind::PTR => Data::Pointer(name_from(0)?),
        kind::SRV => {
            let field = |offset: usize| number_at(area, offset).ok_or(cut);
            Data::Service {
                priority: field(0)?,
                weight: field(2)?,
                port: field(4)?,
                target: name_from(6)?,
            }
        }
        kind::TXT => Data::Texts(area),
        _ => Data::Other(area),
    })
}

fn number_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*octets))
}
