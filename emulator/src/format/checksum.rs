//! Checksum files (PND-21): the first 32 hex digits in a row, in any case, whatever follows them;
//! a file of exactly 16 bytes is the raw digest. That covers a bare digest, `md5sum` output and
//! `MD5 (name) = …`.

use super::lines::{foreign, is_markup, push_line_text};
use super::{Document, Draft, LineFaults};

/// Hex digits of an MD5.
const DIGITS: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Document {
    let checksum = if is_markup(bytes) {
        None
    } else {
        <[u8; 16]>::try_from(bytes).ok().or_else(|| hex(bytes))
    };
    match checksum {
        Some(checksum) => Document {
            checksum: Some(checksum),
            ..Document::default()
        },
        None => foreign(LineFaults::default()),
    }
}

/// As `md5sum` prints it.
pub(super) fn write(draft: &Draft<'_>) -> Vec<u8> {
    let Some((checksum, name)) = draft.checksum else {
        return Vec::new();
    };
    let mut out = Vec::with_capacity(DIGITS + name.len() + 3);
    for byte in checksum {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    out.extend_from_slice(b"  ");
    push_line_text(&mut out, name);
    out.push(b'\n');
    out
}

fn hex(bytes: &[u8]) -> Option<[u8; 16]> {
    let run = bytes
        .split(|byte| !byte.is_ascii_hexdigit())
        .find(|run| run.len() >= DIGITS)?;
    let mut digest = [0_u8; 16];
    for (byte, pair) in digest.iter_mut().zip(run.chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests;
