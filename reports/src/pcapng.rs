//! `capture.pcapng`: what phones sent and received, as a capture that any analyser reads.
//!
//! The file is synthesised from records, which hold payloads: no privilege is needed. Frames carry
//! the phone's MAC and address, the ports that phones know (not those where a subject happens to
//! listen), and right checksums; TCP handshakes, segments and ends are rebuilt. Each packet has a
//! comment: the phone by index, MAC and profile, and the message that the packet completes.
//!
//! What differs from the wire, since it is not recorded:
//!
//! - What was inside TLS is written in plain, at the port that `plain_port` gives: 443 is 8443
//!   here, so that no analyser takes it for a broken handshake. The comment names the port.
//! - An FTP retrieval is recorded as what the phone says and the file; the server's replies on the
//!   control connection are rebuilt, with the code that the phone was refused with.
//! - Server MACs are made of their addresses (locally administered, `02:00` and the address).
//! - Of files of which only the beginning was kept, frames are cut as by a snap length.
//!
//! Secrets are overwritten by `x`, byte for byte, before checksums are made; `mask` says which.
//!
//! Written by hand, not by a crate: three kinds of blocks are sixty lines, and what is hard here
//! (frames, segments, checksums, order) no crate does.

mod block;
mod frame;
mod ftp;
pub mod mask;
mod phone;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use bootstorm_emulator::identity::Mac;
use bootstorm_scenarios::wire::record::Record;

use frame::Frames;
use mask::Mask;

/// Ports of TLS that analysers know, and how far from them the plain content is written.
const TLS_PORTS: [u16; 6] = [443, 636, 853, 990, 5_061, 8_443];
const PLAIN_BESIDE: u16 = 8_000;

/// What is known of the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The program, with its version.
    pub program: String,
    /// What the capture is of, in a sentence.
    pub comment: String,
    /// When the run began, seconds since 1970.
    pub started_at: u64,
}

/// A phone and its record.
#[derive(Debug)]
pub struct Captured {
    /// The phone's index.
    pub index: u32,
    /// Its MAC.
    pub mac: Mac,
    /// The name of its profile.
    pub profile: String,
    /// What it sent and received.
    pub record: Record,
    /// Secrets that the run gave it: overwritten wherever they stand.
    pub secrets: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Phones.
    pub phones: u32,
    /// Frames.
    pub frames: u64,
    /// Packets that records had let go for want of room.
    pub dropped: u64,
}

/// Writes the records of phones as one capture, in the order of time. Memory: about three times
/// that of the records.
///
/// # Errors
/// As `out`.
pub fn write(
    out: &mut impl Write,
    section: &Section,
    phones: impl Iterator<Item = Captured>,
    mask: &Mask,
) -> io::Result<Written> {
    let mut frames = Frames::default();
    let mut written = Written::default();
    for mut captured in phones {
        written.phones += 1;
        written.dropped += captured.record.dropped();
        phone::add(&mut frames, &mut captured, mask);
    }
    block::section(out, &section.program, &section.comment)?;
    block::interface(out, "phones")?;
    for frame in frames.by_time() {
        let nanos = section.started_at.saturating_mul(1_000_000_000);
        block::packet(out, nanos.saturating_add(frame.at.nanos()), &frame)?;
        written.frames += 1;
    }
    out.flush()?;
    Ok(written)
}

/// The port at which a capture shows what was inside TLS on this one.
#[must_use]
pub fn plain_port(port: u16) -> u16 {
    if TLS_PORTS.contains(&port) {
        port.wrapping_add(PLAIN_BESIDE)
    } else {
        port
    }
}
