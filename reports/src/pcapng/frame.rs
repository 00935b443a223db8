//! Ethernet frames with IPv4 and UDP or TCP, and their checksums.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;

const IPV4: [u8; 2] = [8, 0];
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
const UDP: u8 = 17;
const TCP: u8 = 6;
/// Payload of one datagram or segment: an IPv4 packet has at most 65,535 bytes.
pub(super) const PAYLOAD_MAX: usize = 65_535 - IP_HEADER - TCP_HEADER;

/// TCP flags (RFC 9293 §3.1).
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const PUSH: u8 = 8;
pub(super) const ACK: u8 = 16;

/// Frames of all phones, as they are put together.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    texts: String,
    placed: Vec<Placed>,
    phones: Vec<String>,
}

#[derive(Debug)]
struct Placed {
    at: Moment,
    phone: usize,
    bytes: Range<usize>,
    comment: Range<usize>,
    length: u32,
}

/// A frame to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) at: Moment,
    /// What every comment of the phone begins with.
    pub(super) phone: &'a str,
    pub(super) comment: &'a str,
    pub(super) bytes: &'a [u8],
    /// Its length on the wire.
    pub(super) length: u32,
}

/// An end of a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) mac: [u8; 6],
    pub(super) at: SocketAddrV4,
}

/// A packet but for its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) at: Moment,
    pub(super) from: End,
    pub(super) to: End,
    pub(super) comment: &'a str,
}

/// What there is of a payload, and its length on the wire.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Payload<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) length: usize,
}

/// A segment's place in its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
}

impl<'a> Payload<'a> {
    /// All of it is there.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        let length = bytes.len();
        Self { bytes, length }
    }
}

impl End {
    /// The end of a phone.
    pub(super) fn phone(mac: Mac, at: SocketAddrV4) -> Self {
        Self { mac: mac.0, at }
    }

    /// Any other: with a MAC made of its address, as far as it does not have one already
    /// (RFC 1112 §6.4).
    pub(super) fn other(at: SocketAddrV4) -> Self {
        let [a, b, c, d] = at.ip().octets();
        let mac = if at.ip().is_broadcast() {
            [0xff; 6]
        } else if at.ip().is_multicast() {
            [1, 0, 0x5e, b & 0x7f, c, d]
        } else {
            [2, 0, a, b, c, d]
        };
        Self { mac, at }
    }
}

impl Frames {
    /// Another phone: what follows is its, with this at the beginning of each comment.
    pub(super) fn begin(&mut self, phone: String) {
        self.phones.push(phone);
    }

    /// Adds a UDP datagram.
    pub(super) fn datagram(&mut self, route: &Route<'_>, payload: Payload<'_>) {
        let length = payload.length.min(PAYLOAD_MAX);
        let bytes = payload.bytes.get(..length).unwrap_or(payload.bytes);
        let mut segment = ports(route);
        let total = u16::try_from(UDP_HEADER + length).unwrap_or(u16::MAX);
        segment.extend_from_slice(&total.to_be_bytes());
        segment.extend_from_slice(&[0, 0]);
        segment.extend_from_slice(bytes);
        // RFC 768: without a sum where there is too little to sum up, and 0 is sent as all ones.
        if bytes.len() == length {
            let sum = match transport_sum(route, UDP, &segment, length + UDP_HEADER) {
                0 => 0xffff,
                sum => sum,
            };
            put(&mut segment, 6, sum);
        }
        self.packet(route, UDP, &segment, UDP_HEADER + length);
    }

    /// Adds a TCP segment.
    pub(super) fn segment(&mut self, route: &Route<'_>, place: Place, payload: Payload<'_>) {
        let mut segment = ports(route);
        segment.extend_from_slice(&place.sequence.to_be_bytes());
        segment.extend_from_slice(&place.acknowledged.to_be_bytes());
        segment.extend_from_slice(&[5 << 4, place.flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(payload.bytes);
        let length = TCP_HEADER + payload.length;
        let sum = transport_sum(route, TCP, &segment, length);
        put(&mut segment, 16, sum);
        self.packet(route, TCP, &segment, length);
    }

    fn packet(&mut self, route: &Route<'_>, protocol: u8, segment: &[u8], length: usize) {
        let total = u16::try_from(IP_HEADER + length).unwrap_or(u16::MAX);
        let mut header = vec![0x45, 0];
        header.extend_from_slice(&total.to_be_bytes());
        // Not to be fragmented; 64 hops.
        header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
        header.extend_from_slice(&route.from.at.ip().octets());
        header.extend_from_slice(&route.to.at.ip().octets());
        let sum = folded(sum_of(&header));
        put(&mut header, 10, sum);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&route.to.mac);
        self.bytes.extend_from_slice(&route.from.mac);
        self.bytes.extend_from_slice(&IPV4);
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(segment);
        let said = self.texts.len();
        self.texts.push_str(route.comment);
        let missing = length.saturating_sub(segment.len());
        let there = self.bytes.len() - start;
        self.placed.push(Placed {
            at: route.at,
            phone: self.phones.len().saturating_sub(1),
            bytes: start..self.bytes.len(),
            comment: said..self.texts.len(),
            length: u32::try_from(there + missing).unwrap_or(u32::MAX),
        });
    }

    /// All frames in the order of time; of one moment in the order in which they were added.
    pub(super) fn by_time(&mut self) -> impl Iterator<Item = Shown<'_>> {
        self.placed.sort_by_key(|placed| placed.at);
        let (bytes, texts, phones) = (&self.bytes, &self.texts, &self.phones);
        self.placed.iter().map(move |placed| Shown {
            at: placed.at,
            phone: phones.get(placed.phone).map_or("", String::as_str),
            comment: texts.get(placed.comment.clone()).unwrap_or_default(),
            bytes: bytes.get(placed.bytes.clone()).unwrap_or_default(),
            length: placed.length,
        })
    }
}

/// The address that stands for a phone without one when it is sent something.
pub(super) fn reached(phone: SocketAddrV4) -> SocketAddrV4 {
    if phone.ip().is_unspecified() {
        return SocketAddrV4::new(Ipv4Addr::BROADCAST, phone.port());
    }
    phone
}

fn ports(route: &Route<'_>) -> Vec<u8> {
    let mut bytes = route.from.at.port().to_be_bytes().to_vec();
    bytes.extend_from_slice(&route.to.at.port().to_be_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, sum: u16) {
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

/// RFC 1071.
fn sum_of(bytes: &[u8]) -> u64 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let last = last.first().map_or(0, |byte| u64::from(*byte) << 8);
    let pairs = pairs
        .iter()
        .map(|pair| u64::from(u16::from_be_bytes(*pair)));
    pairs.sum::<u64>() + last
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

fn transport_sum(route: &Route<'_>, protocol: u8, segment: &[u8], length: usize) -> u16 {
    let addresses = [route.from.at, route.to.at].map(|end| sum_of(&end.ip().octets()));
    let [from, to] = addresses;
    folded(from + to + u64::from(protocol) + length as u64 + sum_of(segment))
}
