//! DHCP messages (RFC 2131 §2, RFC 2132): a decoder that borrows and an encoder that appends.
//!
//! ```text
//! byte  0 op     1 htype  2 hlen  3 hops
//!       4 xid (4)
//!       8 secs (2)       10 flags (2): 0x8000 = broadcast
//!      12 ciaddr  16 yiaddr  20 siaddr  24 giaddr (4 each)
//!      28 chaddr (16)
//!      44 sname (64)    108 file (128)
//!     236 magic cookie 63 82 53 63
//!     240 options: code, length, value …; 0 is a pad, 255 the end, neither with a length
//! ```
//!
//! Options keep their order and their bytes both ways: vendors are told apart by the order in
//! which they write them (FLY-62, FLY-79), and what an option means is its reader's business.

mod encode;

use std::borrow::Cow;
use std::net::Ipv4Addr;

use super::Malformed;
use crate::identity::Mac;
pub use encode::{Encoder, Header};

/// Client to server (`op`).
pub const BOOT_REQUEST: u8 = 1;
/// Server to client (`op`).
pub const BOOT_REPLY: u8 = 2;
/// Bytes of the fixed header, without the cookie.
pub const HEADER_BYTES: usize = 236;
/// Bytes of the hardware address field.
pub const CHADDR_BYTES: usize = 16;
/// Bytes of the server name field.
pub const SNAME_BYTES: usize = 64;
/// Bytes of the boot file field.
pub const FILE_BYTES: usize = 128;

/// What every message has after its header (RFC 2131 §3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const HOPS_AT: usize = 3;
const XID_AT: usize = 4;
const SECS_AT: usize = 8;
const FLAGS_AT: usize = 10;
const CIADDR_AT: usize = 12;
const YIADDR_AT: usize = 16;
const SIADDR_AT: usize = 20;
const GIADDR_AT: usize = 24;
const CHADDR_AT: usize = 28;
const SNAME_AT: usize = 44;
const FILE_AT: usize = 108;
const OPTIONS_AT: usize = HEADER_BYTES + COOKIE.len();
const BROADCAST: u16 = 0x8000;
const ETHERNET: u8 = 1;
/// Bits of option 52: which field holds options.
const IN_FILE: u8 = 1;
const IN_SNAME: u8 = 2;
/// The longest value that one option can carry; longer ones are split (RFC 3396).
const VALUE_BYTES_MAX: usize = 255;

/// Option codes (RFC 2132) that a phone or a server acts on.
pub mod code {
    /// Padding, without a length.
    pub const PAD: u8 = 0;
    /// Subnet mask.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers.
    pub const ROUTER: u8 = 3;
    /// Name servers.
    pub const NAME_SERVER: u8 = 6;
    /// Host name.
    pub const HOST_NAME: u8 = 12;
    /// Time servers: IPv4 addresses.
    pub const NTP_SERVERS: u8 = 42;
    /// Vendor-specific information: a list of the vendor's own options.
    pub const VENDOR_SPECIFIC: u8 = 43;
    /// Requested address.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// Lease time in seconds; all ones is forever.
    pub const LEASE_TIME: u8 = 51;
    /// `file`, `sname` or both hold options.
    pub const OVERLOAD: u8 = 52;
    /// Message type.
    pub const MESSAGE_TYPE: u8 = 53;
    /// Server identifier.
    pub const SERVER_ID: u8 = 54;
    /// Parameter request list.
    pub const PARAMETERS: u8 = 55;
    /// Maximum message size in bytes.
    pub const MAX_SIZE: u8 = 57;
    /// T1: seconds to renewal.
    pub const RENEWAL_TIME: u8 = 58;
    /// T2: seconds to rebinding.
    pub const REBINDING_TIME: u8 = 59;
    /// Vendor class.
    pub const VENDOR_CLASS: u8 = 60;
    /// Client identifier.
    pub const CLIENT_ID: u8 = 61;
    /// TFTP server name.
    pub const TFTP_SERVER: u8 = 66;
    /// Boot file name.
    pub const BOOT_FILE: u8 = 67;
    /// The end, without a length.
    pub const END: u8 = 255;
}

/// Option 53 (RFC 2132 §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// DHCPDISCOVER
    Discover = 1,
    /// DHCPOFFER
    Offer = 2,
    /// DHCPREQUEST
    Request = 3,
    /// DHCPDECLINE
    Decline = 4,
    /// DHCPACK
    Ack = 5,
    /// DHCPNAK
    Nak = 6,
    /// DHCPRELEASE
    Release = 7,
    /// DHCPINFORM
    Inform = 8,
}

impl MessageType {
    /// The type with this number; `None` beyond 1 to 8.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => return None,
        })
    }
}

/// A decoded message; everything in it points into the packet.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    header: &'a [u8; HEADER_BYTES],
    options: &'a [u8],
    overload: u8,
}

impl<'a> Message<'a> {
    /// Reads a message and checks that all its options lie inside it. A missing End option is
    /// tolerated. Allocates nothing; time is linear in the length of the packet.
    ///
    /// # Errors
    /// `Malformed` when the packet ends inside the header or an option, when the magic cookie is
    /// missing (plain BOOTP), or when option 52 holds anything but 1, 2 or 3.
    pub fn decode(packet: &'a [u8]) -> Result<Self, Malformed> {
        let Some((header, rest)) = packet.split_first_chunk::<HEADER_BYTES>() else {
            let what = "message ends inside the fixed header";
            return Err(Malformed::new(what, packet.len()));
        };
        let Some(options) = rest.strip_prefix(&COOKIE) else {
            return Err(Malformed::new("no magic cookie", HEADER_BYTES));
        };
        let mut message = Self {
            header,
            options,
            overload: 0,
        };
        message.overload = check(options, OPTIONS_AT)?;
        if message.overload & IN_FILE != 0 {
            check(message.field(FILE_AT, FILE_BYTES), FILE_AT)?;
        }
        if message.overload & IN_SNAME != 0 {
            check(message.field(SNAME_AT, SNAME_BYTES), SNAME_AT)?;
        }
        Ok(message)
    }

    /// `BOOT_REQUEST`, `BOOT_REPLY` or nonsense.
    #[must_use]
    pub fn op(&self) -> u8 {
        self.byte(0)
    }

    /// Hardware type; 1 is Ethernet.
    #[must_use]
    pub fn htype(&self) -> u8 {
        self.byte(1)
    }

    /// Length of the hardware address as the packet claims it: may exceed `CHADDR_BYTES`.
    #[must_use]
    pub fn hlen(&self) -> u8 {
        self.byte(2)
    }

    /// Relays passed.
    #[must_use]
    pub fn hops(&self) -> u8 {
        self.byte(HOPS_AT)
    }

    /// Transaction id.
    #[must_use]
    pub fn xid(&self) -> u32 {
        u32::from_be_bytes(self.word(XID_AT))
    }

    /// Seconds since the client began.
    #[must_use]
    pub fn secs(&self) -> u16 {
        u16::from_be_bytes([self.byte(SECS_AT), self.byte(SECS_AT + 1)])
    }

    /// All 16 flag bits.
    #[must_use]
    pub fn flags(&self) -> u16 {
        u16::from_be_bytes([self.byte(FLAGS_AT), self.byte(FLAGS_AT + 1)])
    }

    /// The broadcast flag.
    #[must_use]
    pub fn broadcast(&self) -> bool {
        self.flags() & BROADCAST != 0
    }

    /// The client's address, where it has one.
    #[must_use]
    pub fn ciaddr(&self) -> Ipv4Addr {
        self.word(CIADDR_AT).into()
    }

    /// The address that the client gets.
    #[must_use]
    pub fn yiaddr(&self) -> Ipv4Addr {
        self.word(YIADDR_AT).into()
    }

    /// The next server of a bootstrap.
    #[must_use]
    pub fn siaddr(&self) -> Ipv4Addr {
        self.word(SIADDR_AT).into()
    }

    /// The first relay.
    #[must_use]
    pub fn giaddr(&self) -> Ipv4Addr {
        self.word(GIADDR_AT).into()
    }

    /// The hardware address: `hlen` bytes, at most `CHADDR_BYTES`.
    #[must_use]
    pub fn chaddr(&self) -> &'a [u8] {
        self.field(CHADDR_AT, usize::from(self.hlen()).min(CHADDR_BYTES))
    }

    /// The hardware address if it is an Ethernet one.
    #[must_use]
    pub fn mac(&self) -> Option<Mac> {
        match self.htype() {
            ETHERNET => self.chaddr().try_into().ok().map(Mac),
            _ => None,
        }
    }

    /// The server name up to its NUL; empty when the field holds options.
    #[must_use]
    pub fn sname(&self) -> &'a [u8] {
        match self.overload & IN_SNAME {
            0 => before_nul(self.field(SNAME_AT, SNAME_BYTES)),
            _ => &[],
        }
    }

    /// The boot file name up to its NUL; empty when the field holds options.
    #[must_use]
    pub fn file(&self) -> &'a [u8] {
        match self.overload & IN_FILE {
            0 => before_nul(self.field(FILE_AT, FILE_BYTES)),
            _ => &[],
        }
    }

    /// All options as they stand on the wire: those after the cookie, then, where option 52 says
    /// so, those in `file` and those in `sname` (RFC 2131 §4.1). Pads and End are left out.
    #[must_use]
    pub fn options(&self) -> Options<'a> {
        let overloaded = |bit, at, length| match self.overload & bit {
            0 => &[],
            _ => self.field(at, length),
        };
        Options {
            area: self.options,
            next: [
                overloaded(IN_FILE, FILE_AT, FILE_BYTES),
                overloaded(IN_SNAME, SNAME_AT, SNAME_BYTES),
            ],
        }
    }

    /// The value of the first option with this code.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&'a [u8]> {
        self.options()
            .find(|(found, _)| *found == code)
            .map(|(_, value)| value)
    }

    /// The value of all options with this code, put together in wire order (RFC 3396 §7).
    /// Borrowed, and nothing allocated, unless the option is really split.
    #[must_use]
    pub fn joined(&self, code: u8) -> Option<Cow<'a, [u8]>> {
        let mut parts = self.options().filter(|(found, _)| *found == code);
        let (_, first) = parts.next()?;
        let mut value = Cow::Borrowed(first);
        for (_, part) in parts {
            value.to_mut().extend_from_slice(part);
        }
        Some(value)
    }

    /// The option's value as one IPv4 address; `None` unless it has exactly four bytes.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(octets.into())
    }

    /// The option's value as a number; `None` unless it has exactly four bytes.
    #[must_use]
    pub fn number(&self, code: u8) -> Option<u32> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    }

    /// Option 53; `None` when it is absent, not one byte long or not a type of RFC 2132.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        match self.option(code::MESSAGE_TYPE)? {
            [number] => MessageType::from_number(*number),
            _ => None,
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.header.get(at).copied().unwrap_or_default()
    }

    fn word(&self, at: usize) -> [u8; 4] {
        self.header
            .get(at..)
            .and_then(|from| from.first_chunk())
            .copied()
            .unwrap_or_default()
    }

    fn field(&self, at: usize, length: usize) -> &'a [u8] {
        self.header.get(at..at + length).unwrap_or_default()
    }
}

/// The options of a message in wire order, as code and raw value.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    area: &'a [u8],
    next: [&'a [u8]; 2],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        for _ in 0..=self.next.len() {
            if let Ok(Some(option)) = take_option(&mut self.area) {
                return Some(option);
            }
            let [file, sname] = self.next;
            (self.area, self.next) = (file, [sname, &[]]);
        }
        None
    }
}

/// Makes a client's message one that came through a relay (RFC 1542 §4.1.1): counts the hop in
/// byte 3 and puts `giaddr` into bytes 24 to 27 unless an earlier relay is named there. False, and
/// nothing changed, when the packet is shorter than the fixed header.
pub fn set_relay(packet: &mut [u8], giaddr: Ipv4Addr) -> bool {
    let Some(header) = packet.first_chunk_mut::<HEADER_BYTES>() else {
        return false;
    };
    if let Some(hops) = header.get_mut(HOPS_AT) {
        *hops = hops.saturating_add(1);
    }
    let field = header.get_mut(GIADDR_AT..GIADDR_AT + 4);
    if let Some(field) = field.filter(|field| field.iter().all(|byte| *byte == 0)) {
        field.copy_from_slice(&giaddr.octets());
    }
    true
}

/// The Ethernet address in bytes 28 to 33; `None` when the packet is shorter than the fixed header
/// or its `htype` and `hlen` (bytes 1 and 2) are not those of Ethernet.
#[must_use]
pub fn chaddr_of(packet: &[u8]) -> Option<Mac> {
    let header = packet.first_chunk::<HEADER_BYTES>()?;
    match header.get(1..3)? {
        [ETHERNET, 6] => header.get(CHADDR_AT..)?.first_chunk().copied().map(Mac),
        _ => None,
    }
}

/// The transaction id in bytes 4 to 7; `None` when the packet is shorter than the fixed header.
#[must_use]
pub fn xid_of(packet: &[u8]) -> Option<u32> {
    let header = packet.first_chunk::<HEADER_BYTES>()?;
    let octets = header.get(XID_AT..)?.first_chunk()?;
    Some(u32::from_be_bytes(*octets))
}

/// An option's value as text, without trailing NULs, which some servers count into its length;
/// `None` when it is not UTF-8.
#[must_use]
pub fn text(value: &[u8]) -> Option<&str> {
    let end = value.iter().rposition(|byte| *byte != 0);
    let value = value.get(..end.map_or(0, |last| last + 1))?;
    std::str::from_utf8(value).ok()
}

/// Walks all options of an area that begins at `offset` of the packet; the value of its option
/// 52, zero without one.
fn check(area: &[u8], offset: usize) -> Result<u8, Malformed> {
    let at = |rest: &[u8]| offset + area.len() - rest.len();
    let mut rest = area;
    let mut overload = 0;
    loop {
        match take_option(&mut rest) {
            Ok(None) => return Ok(overload),
            Ok(Some((code::OVERLOAD, [value @ 1..=3]))) => overload = *value,
            Ok(Some((code::OVERLOAD, value))) => {
                let what = "option 52 is not 1, 2 or 3";
                return Err(Malformed::new(what, at(rest) - value.len()));
            }
            Ok(Some(_)) => {}
            Err(Truncated) => {
                return Err(Malformed::new("options end inside an option", at(rest)));
            }
        }
    }
}

/// The area ends inside an option.
struct Truncated;

/// Takes the next option off the front of `area`; `None` at End or where the area ends. At an
/// error, `area` begins with the option that is cut.
fn take_option<'a>(area: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, Truncated> {
    loop {
        match *area {
            [] | [code::END, ..] => {
                *area = &[];
                return Ok(None);
            }
            [code::PAD, rest @ ..] => *area = rest,
            [code, length, rest @ ..] => {
                let parts = rest.split_at_checked(usize::from(*length));
                let (value, rest) = parts.ok_or(Truncated)?;
                *area = rest;
                return Ok(Some((*code, value)));
            }
            [_] => return Err(Truncated),
        }
    }
}

fn before_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
