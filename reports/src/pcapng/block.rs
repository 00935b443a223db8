//! Blocks of pcapng (draft-ietf-opsawg-pcapng §3, §4), little-endian: section header, interface
//! description, enhanced packet.

use std::io::{self, Write};

use super::frame::Shown;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const ETHERNET: u16 = 1;
/// Options: the end, a comment, of a section its program, of an interface its name and the
/// resolution of its times (as a negative power of ten).
const END: u16 = 0;
const COMMENT: u16 = 1;
const PROGRAM: u16 = 4;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const NANOSECONDS: u8 = 9;
/// Bytes of an option.
const OPTION_BYTES_MAX: usize = 4_096;

/// Begins the file.
pub(super) fn section(out: &mut impl Write, program: &str, comment: &str) -> io::Result<()> {
    let mut body = BYTE_ORDER.to_le_bytes().to_vec();
    // Version 1.0, a section of unknown length.
    body.extend_from_slice(&[1, 0, 0, 0]);
    body.extend_from_slice(&[0xff; 8]);
    option(&mut body, COMMENT, comment.as_bytes());
    option(&mut body, PROGRAM, program.as_bytes());
    option(&mut body, END, &[]);
    block(out, SECTION, &body)
}

/// The one interface.
pub(super) fn interface(out: &mut impl Write, name: &str) -> io::Result<()> {
    let mut body = ETHERNET.to_le_bytes().to_vec();
    // Reserved; no snap length.
    body.extend_from_slice(&[0; 6]);
    option(&mut body, NAME, name.as_bytes());
    option(&mut body, RESOLUTION, &[NANOSECONDS]);
    option(&mut body, END, &[]);
    block(out, INTERFACE, &body)
}

/// One frame, so many nanoseconds after 1970.
pub(super) fn packet(out: &mut impl Write, nanos: u64, frame: &Shown<'_>) -> io::Result<()> {
    let mut body = vec![0; 4];
    let [high, low] = [nanos >> 32, nanos & u64::from(u32::MAX)];
    let captured = frame.bytes.len() as u64;
    for word in [high, low, captured, u64::from(frame.length)] {
        let word = u32::try_from(word).unwrap_or(u32::MAX);
        body.extend_from_slice(&word.to_le_bytes());
    }
    body.extend_from_slice(frame.bytes);
    pad(&mut body);
    let comment = format!("{}{}", frame.phone, frame.comment);
    option(&mut body, COMMENT, comment.as_bytes());
    option(&mut body, END, &[]);
    block(out, ENHANCED_PACKET, &body)
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12)
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(&length)
}

/// Appends an option; a text that is too long is cut between characters.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut end = value.len().min(OPTION_BYTES_MAX);
    while end < value.len() && value.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    let value = value.get(..end).unwrap_or_default();
    let length = u16::try_from(value.len()).unwrap_or(0);
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
