//! Blocks of pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, packets. Others are passed
//! over, however long, without being held.

use std::io::Read;

use bootstorm_emulator::time::Moment;

use super::super::Link;
use super::{BLOCK_BYTES_MAX, Capture, CaptureFault, Format, Found, Window};

/// Kinds of blocks.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
/// How a section's numbers are written.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Interfaces of one section.
const INTERFACES_MAX: usize = 4_096;
/// Options: a comment, of a section its program, of an interface the resolution of its times and
/// what is added to them.
const COMMENT: u16 = 1;
const PROGRAM: u16 = 4;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;
/// What our own captures say of themselves, and of what was inside TLS.
const OURS: &[u8] = b"bootstorm ";
const INSIDE: &str = "(inside TLS, port ";
/// A kind, and a length at either end.
const FRAMING: usize = 12;

/// What a section says of its packets.
#[derive(Debug, Default)]
pub(super) struct Section {
    swapped: bool,
    /// It is one of our own captures.
    is_ours: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u16,
    kept_max: u32,
    /// Nanoseconds of a unit of time, as a fraction.
    unit: (u64, u64),
    /// Seconds that are added.
    offset: i64,
}

/// A block's own place in the window.
#[derive(Clone, Copy)]
struct Block {
    kind: u32,
    bytes: usize,
}

impl<R: Read> Capture<R> {
    /// The next packet of a pcapng file.
    pub(super) fn block(&mut self) -> Result<Option<Found>, CaptureFault> {
        loop {
            let Format::Pcapng(section) = &mut self.format else {
                return Ok(None);
            };
            let window = &mut self.window;
            if !window.holds(FRAMING)? {
                return Ok(self.ended());
            }
            let kind = window.number(0, section.swapped);
            if kind == SECTION {
                section.order(window)?;
            }
            let bytes = window.number(4, section.swapped) as usize;
            if bytes < FRAMING || !bytes.is_multiple_of(4) {
                let what =
                    format!("a block that says it has {bytes} bytes: the capture is damaged here");
                return Err(window.fault(what));
            }
            let read = [SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET].contains(&kind);
            if !read {
                if !window.skip(bytes)? {
                    return Ok(self.ended());
                }
                continue;
            }
            if bytes > BLOCK_BYTES_MAX {
                let what = format!(
                    "a block that says it has {bytes} bytes (at most {BLOCK_BYTES_MAX} are \
                     believed): the capture is damaged here"
                );
                return Err(window.fault(what));
            }
            if !window.holds(bytes)? {
                return Ok(self.ended());
            }
            let block = Block { kind, bytes };
            let found = section.read(window, block)?;
            let offset = window.offset;
            self.window.pass(bytes);
            match found {
                Told::Nothing => {}
                Told::Frame(found) => return Ok(Some(found)),
                Told::Unread(link) => {
                    let unread = self.unread.get_or_insert((0, offset, link));
                    unread.0 += 1;
                }
            }
        }
    }
}

/// What a block was.
enum Told {
    Nothing,
    Frame(Found),
    /// A packet of a link that is not known.
    Unread(u16),
}

impl<R: Read> Window<R> {
    /// Passes over bytes without holding them; false where the file ends before.
    fn skip(&mut self, mut bytes: usize) -> Result<bool, CaptureFault> {
        while bytes > 0 {
            if !self.holds(1)? {
                return Ok(false);
            }
            let now = bytes.min(self.held().len());
            self.pass(now);
            bytes -= now;
        }
        Ok(true)
    }
}

impl Section {
    /// A section begins: how its numbers are written.
    fn order<R: Read>(&mut self, window: &mut Window<R>) -> Result<(), CaptureFault> {
        if window.number(8, false) == BYTE_ORDER {
            self.swapped = false;
        } else if window.number(8, true) == BYTE_ORDER {
            self.swapped = true;
        } else {
            return Err(window.fault("a section without its byte order: not a capture".to_owned()));
        }
        Ok(())
    }

    fn read<R: Read>(&mut self, window: &Window<R>, block: Block) -> Result<Told, CaptureFault> {
        let held = &window.held()[..block.bytes];
        let body = &held[8..block.bytes - 4];
        match block.kind {
            SECTION => {
                self.interfaces.clear();
                let options = options(self.swapped, body.get(16..).unwrap_or_default());
                let mut program = options.filter(|(code, _)| *code == PROGRAM);
                self.is_ours = program.any(|(_, value)| value.starts_with(OURS));
                Ok(Told::Nothing)
            }
            INTERFACE => {
                self.interface(body)
                    .map_err(|what| window.fault(what.to_owned()))?;
                Ok(Told::Nothing)
            }
            kind => self.packet(window, kind, body),
        }
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), &'static str> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err("more than 4096 interfaces in one section");
        }
        if body.len() < 8 {
            return Err("an interface of fewer than 8 bytes: the capture is damaged here");
        }
        let mut interface = Interface {
            link: self.short(body, 0),
            kept_max: self.long(body, 4),
            unit: (1_000, 1),
            offset: 0,
        };
        for (code, value) in options(self.swapped, &body[8..]) {
            match (code, value) {
                (RESOLUTION, [exponent, ..]) => {
                    interface.unit = unit(*exponent).ok_or("times finer than can be counted")?;
                }
                (OFFSET, value) if value.len() >= 8 => {
                    let parts = [self.long(value, 0), self.long(value, 4)].map(u64::from);
                    let [first, second] = parts;
                    let number = match self.swapped {
                        false => second << 32 | first,
                        true => first << 32 | second,
                    };
                    interface.offset = number.cast_signed();
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet<R: Read>(
        &self,
        window: &Window<R>,
        kind: u32,
        body: &[u8],
    ) -> Result<Told, CaptureFault> {
        let damaged = |what: &str| window.fault(format!("{what}: the capture is damaged here"));
        let head = if kind == SIMPLE_PACKET { 4 } else { 20 };
        if body.len() < head {
            return Err(damaged("a packet without its header"));
        }
        let number = match kind {
            SIMPLE_PACKET => 0,
            OLD_PACKET => usize::from(self.short(body, 0)),
            _ => self.long(body, 0) as usize,
        };
        let Some(interface) = self.interfaces.get(number) else {
            return Err(damaged(&format!(
                "a packet of interface {number}, which is not there"
            )));
        };
        let Some(link) = Link::of(interface.link) else {
            return Ok(Told::Unread(interface.link));
        };
        let (at, kept, length) = match kind {
            SIMPLE_PACKET => {
                let length = self.long(body, 0);
                let kept = match interface.kept_max {
                    0 => length,
                    most => length.min(most),
                };
                (Moment::ZERO, kept, length)
            }
            _ => {
                let units = u64::from(self.long(body, 4)) << 32 | u64::from(self.long(body, 8));
                (
                    interface.moment(units),
                    self.long(body, 12),
                    self.long(body, 16),
                )
            }
        };
        let end = head.saturating_add(kept as usize);
        if end > body.len() {
            return Err(damaged("a packet that is longer than its block"));
        }
        let inside_tls = match self.is_ours {
            true => inside(options(
                self.swapped,
                body.get(end.next_multiple_of(4)..).unwrap_or_default(),
            )),
            false => None,
        };
        let first = window.start + 8;
        Ok(Told::Frame(Found {
            at,
            link,
            bytes: first + head..first + end,
            length: length.max(kept),
            inside_tls,
        }))
    }

    fn short(&self, bytes: &[u8], at: usize) -> u16 {
        short(self.swapped, bytes, at)
    }

    fn long(&self, bytes: &[u8], at: usize) -> u32 {
        let four = bytes.get(at..).and_then(|it| it.first_chunk::<4>());
        let number = four.map_or(0, |four| u32::from_le_bytes(*four));
        if self.swapped {
            number.swap_bytes()
        } else {
            number
        }
    }
}

impl Interface {
    /// The moment of so many units; one before 1970 is 1970.
    fn moment(&self, units: u64) -> Moment {
        let (multiplier, divisor) = self.unit;
        let nanos = i128::from(units) * i128::from(multiplier) / i128::from(divisor);
        let nanos = nanos + i128::from(self.offset) * 1_000_000_000;
        Moment::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

/// Nanoseconds of a unit of time: a negative power of ten or, with the highest bit, of two.
fn unit(exponent: u8) -> Option<(u64, u64)> {
    const NANO: u64 = 1_000_000_000;
    let power = u32::from(exponent & 0x7f);
    match (exponent & 0x80 != 0, power) {
        (false, 0..=9) => Some((10_u64.pow(9 - power), 1)),
        (false, 10..=18) => Some((1, 10_u64.pow(power - 9))),
        (true, 0..=62) => Some((NANO, 1 << power)),
        _ => None,
    }
}

/// The port of the TLS that a packet of our own was inside.
fn inside<'a>(mut options: impl Iterator<Item = (u16, &'a [u8])>) -> Option<u16> {
    let (_, comment) = options.find(|(code, _)| *code == COMMENT)?;
    let (_, tail) = str::from_utf8(comment).ok()?.rsplit_once(INSIDE)?;
    tail.split_once(')')?.0.parse().ok()
}

fn short(swapped: bool, bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..).and_then(|it| it.first_chunk::<2>());
    let number = two.map_or(0, |two| u16::from_le_bytes(*two));
    if swapped { number.swap_bytes() } else { number }
}

/// Options up to their end, or as far as they can be read.
fn options(swapped: bool, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let rest = bytes.get(4..)?;
        let (code, length) = (short(swapped, bytes, 0), short(swapped, bytes, 2));
        let length = usize::from(length);
        let value = rest.get(..length)?;
        bytes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        (code != 0).then_some((code, value))
    })
}
