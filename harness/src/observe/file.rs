//! Captures in pcap and pcapng, read as a stream: whatever their length, a window of one megabyte,
//! or of one block where that is longer, is held.
//!
//! Written by hand: frames are lent out of the window without a copy, and every fault names the
//! byte at which it is, which a reader that keeps its place to itself cannot tell.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use bootstorm_emulator::time::Moment;

use super::{Frame, Link};

mod block;

use block::Section;

/// What is read at once.
const WINDOW_BYTES: usize = 1 << 20;
/// The longest packet that is believed: libpcap's own limit (MAXIMUM_SNAPLEN), twice.
const PACKET_BYTES_MAX: usize = 1 << 19;
/// The same of a block that holds one, with its options.
const BLOCK_BYTES_MAX: usize = PACKET_BYTES_MAX + (1 << 17);
/// A pcap file's header, and that of a packet in it.
const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
/// How files begin that people take for captures.
const OTHERS: [(&[u8], &str); 5] = [
    (
        b"\x1f\x8b",
        "it is compressed with gzip: unpack it first, with gunzip",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "it is compressed with zstd: unpack it first, with unzstd",
    ),
    (
        b"\xfd7zXZ",
        "it is compressed with xz: unpack it first, with unxz",
    ),
    (b"PK\x03\x04", "it is a ZIP archive: unpack it first"),
    (
        b"snoop\0",
        "it is a snoop capture: convert it first, with editcap -F pcapng",
    ),
];

/// Why a capture cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {what}")]
pub struct CaptureFault {
    /// The byte, from 0, at which it is.
    pub offset: u64,
    /// What is wrong there and, where there is something, what to do.
    pub what: String,
    /// It could not be read at all: the machine's fault, not the file's.
    pub is_own: bool,
}

/// A capture that ends within a packet: what comes before is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where the packet that is not whole begins.
    pub offset: u64,
    /// How many bytes of it are there.
    pub bytes: u64,
}

/// A capture, read frame by frame.
pub struct Capture<R> {
    window: Window<R>,
    format: Format,
    number: u64,
    cut: Option<Cut>,
    /// Packets of links that cannot be read, and where the first is.
    unread: Option<(u64, u64, u16)>,
}

/// What is held of a file.
struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The file's byte at `start`.
    offset: u64,
}

enum Format {
    Unknown,
    Pcap {
        swapped: bool,
        nanos: bool,
        link: Link,
    },
    Pcapng(Section),
}

/// Where a frame lies in the window.
struct Found {
    at: Moment,
    link: Link,
    bytes: Range<usize>,
    length: u32,
    inside_tls: Option<u16>,
}

impl<R> fmt::Debug for Capture<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = ("offset", self.window.offset);
        let mut text = out.debug_struct("Capture");
        text.field(read.0, &read.1).field("frames", &self.number);
        text.finish_non_exhaustive()
    }
}

impl<R: Read> Capture<R> {
    /// A capture that nothing was read of yet.
    pub fn new(input: R) -> Self {
        Self {
            window: Window {
                input,
                buffer: Vec::new(),
                start: 0,
                end: 0,
                offset: 0,
            },
            format: Format::Unknown,
            number: 0,
            cut: None,
            unread: None,
        }
    }

    /// The next frame; none at the end, and where the file ends within a packet (`cut` says so).
    ///
    /// # Errors
    /// What is no capture, a link that is not known, a block that cannot be, what the operating
    /// system says; each with its byte.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, CaptureFault> {
        if matches!(self.format, Format::Unknown) {
            self.begin()?;
        }
        let found = match &self.format {
            Format::Pcap { .. } => self.record()?,
            _ => self.block()?,
        };
        let Some(found) = found else {
            return self.end();
        };
        self.number += 1;
        Ok(Some(Frame {
            at: found.at,
            link: found.link,
            bytes: &self.window.buffer[found.bytes],
            length: found.length,
            number: self.number,
            inside_tls: found.inside_tls,
        }))
    }

    /// The packet within which the file ended.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// How many packets were passed over because their link cannot be read.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread.map_or(0, |(packets, ..)| packets)
    }

    /// How many bytes were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.window.offset
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.window.buffer.capacity()
    }

    /// Nothing more comes: a fault where not one frame could be read of all that was there.
    fn end(&self) -> Result<Option<Frame<'_>>, CaptureFault> {
        match self.unread {
            Some((_, offset, link)) if self.number == 0 => Err(CaptureFault {
                offset,
                what: wrong_link(link),
                is_own: false,
            }),
            _ => Ok(None),
        }
    }

    /// Reads which format it is.
    fn begin(&mut self) -> Result<(), CaptureFault> {
        if !self.window.holds(4)? {
            let bytes = self.window.held().len();
            return Err(self.window.fault(match bytes {
                0 => "the file is empty".to_owned(),
                bytes => format!("the file has {bytes} bytes: no capture is that short"),
            }));
        }
        let magic = self.window.number(0, false);
        let (swapped, nanos) = match magic {
            block::SECTION => {
                self.format = Format::Pcapng(Section::default());
                return Ok(());
            }
            0xa1b2_c3d4 => (false, false),
            0xd4c3_b2a1 => (true, false),
            0xa1b2_3c4d => (false, true),
            0x4d3c_b2a1 => (true, true),
            _ => {
                self.window.holds(6)?;
                let begun = self.window.held();
                let other = OTHERS.iter().find(|(begins, _)| begun.starts_with(begins));
                let why = other.map_or_else(
                    || {
                        format!(
                            "it begins with {:02x?}, neither pcap nor pcapng",
                            &begun[..4]
                        )
                    },
                    |(_, why)| (*why).to_owned(),
                );
                return Err(self.window.fault(format!("not a capture: {why}")));
            }
        };
        if !self.window.holds(HEADER_BYTES)? {
            let bytes = self.window.held().len();
            let what = format!("the file ends within its header ({bytes} of 24 bytes)");
            return Err(self.window.fault(what));
        }
        // The upper half says how long the checksum behind each frame is.
        let number = self.window.number(20, swapped) & 0xffff;
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let Some(link) = Link::of(number) else {
            self.window.offset += 20;
            return Err(self.window.fault(wrong_link(number)));
        };
        self.window.pass(HEADER_BYTES);
        self.format = Format::Pcap {
            swapped,
            nanos,
            link,
        };
        Ok(())
    }

    /// The next packet of a pcap file.
    fn record(&mut self) -> Result<Option<Found>, CaptureFault> {
        let Format::Pcap {
            swapped,
            nanos,
            link,
        } = self.format
        else {
            return Ok(None);
        };
        if !self.window.holds(RECORD_BYTES)? {
            return Ok(self.ended());
        }
        let number = |at| self.window.number(at, swapped);
        let (seconds, part, kept, length) = (number(0), number(4), number(8), number(12));
        if kept as usize > PACKET_BYTES_MAX {
            let what = format!(
                "a packet that says it has {kept} bytes (at most {PACKET_BYTES_MAX} are believed): \
                 the capture is damaged here"
            );
            return Err(self.window.fault(what));
        }
        let whole = RECORD_BYTES + kept as usize;
        if !self.window.holds(whole)? {
            return Ok(self.ended());
        }
        let part = u64::from(part) * if nanos { 1 } else { 1_000 };
        let bytes = self.window.start + RECORD_BYTES..self.window.start + whole;
        self.window.pass(whole);
        let seconds = u64::from(seconds) * 1_000_000_000;
        Ok(Some(Found {
            at: Moment::from_nanos(seconds.saturating_add(part)),
            link,
            bytes,
            length: length.max(kept),
            inside_tls: None,
        }))
    }

    /// The file ends: within something, if anything is left.
    fn ended(&mut self) -> Option<Found> {
        let bytes = self.window.held().len() as u64;
        if bytes > 0 {
            let offset = self.window.offset;
            self.cut = Some(Cut { offset, bytes });
        }
        None
    }
}

impl<R: Read> Window<R> {
    fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Sees to it that so many bytes are held; false where the file ends before.
    fn holds(&mut self, bytes: usize) -> Result<bool, CaptureFault> {
        if self.end - self.start >= bytes {
            return Ok(true);
        }
        if self.start + bytes > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.end, self.start) = (self.end - self.start, 0);
            let room = bytes.max(WINDOW_BYTES);
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
        }
        while self.end - self.start < bytes {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => {
                    return Err(CaptureFault {
                        offset: self.offset + (self.end - self.start) as u64,
                        what: format!("failed to read: {fault}"),
                        is_own: true,
                    });
                }
            }
        }
        Ok(true)
    }

    fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// A number of four bytes, so far from the start, which are held.
    fn number(&self, at: usize, swapped: bool) -> u32 {
        let bytes = self.held().get(at..).and_then(|it| it.first_chunk::<4>());
        let number = bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if swapped { number.swap_bytes() } else { number }
    }

    fn fault(&self, what: String) -> CaptureFault {
        CaptureFault {
            offset: self.offset,
            what,
            is_own: false,
        }
    }
}

fn wrong_link(number: u16) -> String {
    let name = match number {
        105 => " (IEEE 802.11)",
        127 => " (IEEE 802.11 with radiotap)",
        189 | 220 => " (USB)",
        9 => " (PPP)",
        187 | 201 => " (Bluetooth)",
        147..=162 => " (private use)",
        _ => "",
    };
    format!(
        "link type {number}{name} cannot be read: capture on an Ethernet interface, or on 'any' \
         (Ethernet 1, Linux cooked 113 and 276, raw IP 101 and 228, loopback 0 and 108 can be read)"
    )
}

#[cfg(test)]
pub(super) mod tests;
