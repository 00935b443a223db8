//! A capture in the classic pcap format: Ethernet frames with IPv4 and UDP or TCP, checksums
//! included, so that a decoder can find them wrong.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The most that one frame of a TCP stream carries, as on Ethernet.
const SEGMENT: usize = 1_460;
const UDP: u8 = 17;
const TCP: u8 = 6;

/// TCP flags (RFC 9293 §3.1).
pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const PUSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

/// The frames so far.
pub(crate) struct Capture {
    bytes: Vec<u8>,
}

/// Where a frame comes from and goes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
}

/// One direction's place in a TCP stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
}

impl Capture {
    pub(crate) fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        Self { bytes }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One UDP datagram.
    pub(crate) fn datagram(&mut self, way: Way, payload: &[u8]) {
        let mut segment = ports(way);
        let length = u16::try_from(8 + payload.len()).expect("one datagram");
        segment.extend_from_slice(&length.to_be_bytes());
        segment.extend_from_slice(&[0, 0]);
        segment.extend_from_slice(payload);
        let sum = transport_sum(way, UDP, &segment);
        segment[6..8].copy_from_slice(&sum.to_be_bytes());
        self.packet(way, UDP, &segment);
    }

    /// A stretch of a TCP stream, in frames; returns the sequence number after it.
    pub(crate) fn stretch(&mut self, way: Way, mut place: Place, payload: &[u8]) -> u32 {
        for part in payload.chunks(SEGMENT) {
            self.segment(way, place, PUSH | ACK, part);
            let length = u32::try_from(part.len()).expect("one segment");
            place.sequence = place.sequence.wrapping_add(length);
        }
        place.sequence
    }

    /// One TCP segment.
    pub(crate) fn segment(&mut self, way: Way, place: Place, flags: u8, payload: &[u8]) {
        let mut segment = ports(way);
        segment.extend_from_slice(&place.sequence.to_be_bytes());
        segment.extend_from_slice(&place.acknowledged.to_be_bytes());
        segment.extend_from_slice(&[5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(payload);
        let sum = transport_sum(way, TCP, &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        self.packet(way, TCP, &segment);
    }

    fn packet(&mut self, way: Way, protocol: u8, segment: &[u8]) {
        let length = u16::try_from(20 + segment.len()).expect("one packet");
        let mut header = vec![0x45, 0];
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
        header.extend_from_slice(&way.from.ip().octets());
        header.extend_from_slice(&way.to.ip().octets());
        let sum = folded(sum_of(&header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        let frame = 14 + header.len() + segment.len();
        let seconds = u32::try_from(way.at.as_secs()).expect("a short run");
        for word in [seconds, way.at.subsec_micros()] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        let frame = u32::try_from(frame).expect("one frame");
        self.bytes.extend_from_slice(&frame.to_le_bytes());
        self.bytes.extend_from_slice(&frame.to_le_bytes());
        self.bytes.extend_from_slice(&ethernet(*way.to.ip()));
        self.bytes.extend_from_slice(&ethernet(*way.from.ip()));
        self.bytes.extend_from_slice(&[8, 0]);
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(segment);
    }
}

fn ports(way: Way) -> Vec<u8> {
    let mut bytes = way.from.port().to_be_bytes().to_vec();
    bytes.extend_from_slice(&way.to.port().to_be_bytes());
    bytes
}

/// An Ethernet address for an IP address (RFC 1112 §6.4 for groups).
fn ethernet(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    if address.is_broadcast() {
        [0xff; 6]
    } else if address.is_multicast() {
        [1, 0, 0x5e, b & 0x7f, c, d]
    } else {
        [2, 0, a, b, c, d]
    }
}

/// RFC 1071.
fn sum_of(bytes: &[u8]) -> u32 {
    let pairs = bytes.chunks(2);
    let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
    pairs.map(|pair| u32::from(word(pair))).sum()
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

fn transport_sum(way: Way, protocol: u8, segment: &[u8]) -> u16 {
    let length = u32::try_from(segment.len()).expect("one segment");
    let addresses = sum_of(&way.from.ip().octets()) + sum_of(&way.to.ip().octets());
    let sum = folded(addresses + u32::from(protocol) + length + sum_of(segment));
    // RFC 768: a sum of 0 is sent as all ones.
    if sum == 0 { 0xffff } else { sum }
}
