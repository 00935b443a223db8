//! TFTP packets, both directions (RFC 1350, options RFC 2347, 2348, 2349).
//!
//! `decode` borrows from the datagram and allocates nothing; the encoders append one packet to a
//! buffer. All numbers are big-endian, all texts end in a zero byte. Opcodes 1 and 2 carry the
//! requests, 3 data, 4 acknowledgements, 5 errors, 6 the acknowledgement of options.
//!
//! A request or an OACK is written in pieces, in the order in which they go on the wire:
//!
//! ```
//! use bootstorm_emulator::wire::tftp::{self, Packet};
//!
//! let mut rrq = Vec::new();
//! tftp::read_request(&mut rrq, b"0021f222b01d.cfg", tftp::OCTET);
//! tftp::option_number(&mut rrq, tftp::TSIZE, 0);
//! tftp::option_number(&mut rrq, tftp::BLKSIZE, 512);
//! tftp::option_number(&mut rrq, tftp::TIMEOUT, 3);
//! assert_eq!(rrq.len() + 42, 97);
//! let Ok(Packet::Read(request)) = tftp::decode(&rrq) else { panic!() };
//! assert_eq!(request.options.number(tftp::BLKSIZE), Some(Some(512)));
//! ```

use super::Malformed;

/// Bytes of a block unless `blksize` was agreed on (RFC 1350 §2).
pub const BLOCK_BYTES: u16 = 512;
/// The least `blksize` that may be agreed on, in bytes (RFC 2348).
pub const BLOCK_BYTES_MIN: u16 = 8;
/// The largest `blksize` that may be agreed on, in bytes (RFC 2348).
pub const BLOCK_BYTES_MAX: u16 = 65_464;

/// The transfer mode that moves bytes as they are.
pub const OCTET: &[u8] = b"octet";
/// Option: the file's length in bytes; 0 in a read request asks for it (RFC 2349).
pub const TSIZE: &[u8] = b"tsize";
/// Option: bytes of a block, 8 to 65,464 (RFC 2348).
pub const BLKSIZE: &[u8] = b"blksize";
/// Option: seconds before a repeat, 1 to 255 (RFC 2349).
pub const TIMEOUT: &[u8] = b"timeout";

/// Error code: see the message.
pub const UNDEFINED: u16 = 0;
/// Error code: the file is not there.
pub const NOT_FOUND: u16 = 1;
/// Error code: no access to it.
pub const ACCESS_VIOLATION: u16 = 2;
/// Error code: no room for the file.
pub const DISK_FULL: u16 = 3;
/// Error code: an operation that makes no sense here.
pub const ILLEGAL_OPERATION: u16 = 4;
/// Error code: the packet came from (or went to) a port without a transfer.
pub const UNKNOWN_TID: u16 = 5;
/// Error code: the file exists.
pub const FILE_EXISTS: u16 = 6;
/// Error code: no such user.
pub const NO_SUCH_USER: u16 = 7;
/// Error code: an option value was refused (RFC 2347).
pub const OPTION_REFUSED: u16 = 8;

/// A packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Opcode 1, RRQ: `00 01 | name 00 | mode 00 | (option 00 value 00)*`.
    Read(Request<'a>),
    /// Opcode 2, WRQ: `00 02 | name 00 | mode 00 | (option 00 value 00)*`.
    Write(Request<'a>),
    /// Opcode 3, DATA: `00 03 | block (2 bytes) | data`.
    Data {
        /// The block's number modulo 65,536; the first is 1.
        block: u16,
        /// Its bytes; fewer than the block size (perhaps none) in the last one.
        data: &'a [u8],
    },
    /// Opcode 4, ACK: `00 04 | block (2 bytes)`.
    Ack {
        /// The number of the block that arrived; 0 acknowledges an OACK or a write request.
        block: u16,
    },
    /// Opcode 5, ERROR: `00 05 | code (2 bytes) | message 00`.
    Error {
        /// The code; 0 to 8 are assigned.
        code: u16,
        /// The message without its zero byte. For people only: servers differ (FLY-73).
        message: &'a [u8],
    },
    /// Opcode 6, OACK: `00 06 | (option 00 value 00)*`.
    OptionAck(Options<'a>),
}

/// What a read or write request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The file's name as sent: any bytes but zero, perhaps none, not necessarily UTF-8.
    pub name: &'a [u8],
    /// The mode as sent; compare it with `is_octet` or without regard to case.
    pub mode: &'a [u8],
    /// The options, in the order sent.
    pub options: Options<'a>,
}

/// Options in the order sent: pairs of name and value, each without its zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options<'a> {
    bytes: &'a [u8],
}

/// Walks over `Options`.
#[derive(Debug, Clone)]
pub struct OptionsIter<'a> {
    rest: &'a [u8],
}

impl Request<'_> {
    /// Whether the mode is `octet`, in any case (RFC 1350 §5).
    #[must_use]
    pub fn is_octet(&self) -> bool {
        self.mode.eq_ignore_ascii_case(OCTET)
    }
}

impl<'a> Options<'a> {
    /// Every option as (name, value).
    #[must_use]
    pub fn iter(&self) -> OptionsIter<'a> {
        OptionsIter { rest: self.bytes }
    }

    /// The value of the first option called `name`, in any case (RFC 2347).
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of an option as a number: `None` when the option is not there, `Some(None)` when
    /// its value is not a number.
    #[must_use]
    pub fn number(&self, name: &[u8]) -> Option<Option<u64>> {
        self.find(name).map(number)
    }

    /// True when there is no option.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a> IntoIterator for Options<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = OptionsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> Iterator for OptionsIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = cut(self.rest)?;
        let (value, rest) = cut(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// Reads a datagram.
///
/// Tolerated, because peers differ: any case in modes and option names, an ERROR whose message has
/// no zero byte, bytes behind an ACK, zero bytes behind the last option, an empty file name, an
/// option without value. Options that are not known are kept.
///
/// # Errors
/// An unknown opcode; a datagram that ends inside a field; a text without its zero byte in a
/// request or OACK; an option without name.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (opcode, body) = take_u16(bytes).ok_or(Malformed::new("opcode cut short", 0))?;
    match opcode {
        1 => request(body).map(Packet::Read),
        2 => request(body).map(Packet::Write),
        3 => take_u16(body)
            .map(|(block, data)| Packet::Data { block, data })
            .ok_or(Malformed::new("block number cut short", 2)),
        4 => take_u16(body)
            .map(|(block, _)| Packet::Ack { block })
            .ok_or(Malformed::new("block number cut short", 2)),
        5 => take_u16(body)
            .map(|(code, text)| Packet::Error {
                code,
                message: cut(text).map_or(text, |(message, _)| message),
            })
            .ok_or(Malformed::new("error code cut short", 2)),
        6 => options(body, 2).map(Packet::OptionAck),
        _ => Err(Malformed::new("unknown opcode", 0)),
    }
}

/// The number that an option's value says: decimal digits and nothing else, below 2⁶⁴.
#[must_use]
pub fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Appends an RRQ without options: `00 01 | name 00 | mode 00`. A zero byte cannot be part of a
/// name: it ends there.
pub fn read_request(out: &mut Vec<u8>, name: &[u8], mode: &[u8]) {
    out.extend_from_slice(&[0, 1]);
    text(out, name);
    text(out, mode);
}

/// Appends a WRQ without options: `00 02 | name 00 | mode 00`. A zero byte ends the name.
pub fn write_request(out: &mut Vec<u8>, name: &[u8], mode: &[u8]) {
    out.extend_from_slice(&[0, 2]);
    text(out, name);
    text(out, mode);
}

/// Appends a DATA packet: `00 03 | block | data`.
pub fn data(out: &mut Vec<u8>, block: u16, data: &[u8]) {
    out.extend_from_slice(&[0, 3]);
    out.extend_from_slice(&block.to_be_bytes());
    out.extend_from_slice(data);
}

/// Appends an ACK: `00 04 | block`, four bytes.
pub fn ack(out: &mut Vec<u8>, block: u16) {
    out.extend_from_slice(&[0, 4]);
    out.extend_from_slice(&block.to_be_bytes());
}

/// Appends an ERROR: `00 05 | code | message 00`. A zero byte ends the message.
pub fn error(out: &mut Vec<u8>, code: u16, message: &[u8]) {
    bare_error(out, code);
    text(out, message);
}

/// Appends an ERROR of four bytes, without message and its zero byte: what libcurl sends.
pub fn bare_error(out: &mut Vec<u8>, code: u16) {
    out.extend_from_slice(&[0, 5]);
    out.extend_from_slice(&code.to_be_bytes());
}

/// Appends an OACK without options: `00 06`.
pub fn option_ack(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 6]);
}

/// Appends an option to the RRQ, WRQ or OACK at the buffer's end: `name 00 | value 00`.
pub fn option(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text(out, name);
    text(out, value);
}

/// Appends an option whose value is a number, written in decimal.
pub fn option_number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    text(out, name);
    let mut digits = [0_u8; 20];
    let mut rest = value;
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        // A remainder of ten fits any type.
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(20 - used));
    out.push(0);
}

fn request(body: &[u8]) -> Result<Request<'_>, Malformed> {
    let (name, rest) = cut(body).ok_or(Malformed::new("file name without end", 2))?;
    let mode_at = 2 + body.len() - rest.len();
    let (mode, rest) = cut(rest).ok_or(Malformed::new("mode without end", mode_at))?;
    let options = options(rest, 2 + body.len() - rest.len())?;
    Ok(Request {
        name,
        mode,
        options,
    })
}

/// Checks that the bytes, which begin at `offset` in the packet, are whole options. Zero bytes
/// behind the last one are padding and left out.
fn options(bytes: &[u8], offset: usize) -> Result<Options<'_>, Malformed> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = offset + bytes.len() - rest.len();
        let (name, tail) = cut(rest).ok_or(Malformed::new("option name without end", at))?;
        if name.is_empty() {
            if rest.iter().any(|byte| *byte != 0) {
                return Err(Malformed::new("option without name", at));
            }
            break;
        }
        let value_at = offset + bytes.len() - tail.len();
        let (_, tail) = cut(tail).ok_or(Malformed::new("option value without end", value_at))?;
        rest = tail;
    }
    let whole = bytes.len() - rest.len();
    Ok(Options {
        bytes: bytes.get(..whole).unwrap_or_default(),
    })
}

/// The text up to the first zero byte, and what follows that.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // The texts of real packets are so short that a plain loop beats a vectorised search.
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((text, rest.get(1..)?))
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*head), rest))
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(cut(text).map_or(text, |(before, _)| before));
    out.push(0);
}

#[cfg(test)]
mod tests;
