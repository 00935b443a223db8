//! IPv4 packets (RFC 791), and their fragments put together within a bound.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use rustc_hash::FxHashMap;

/// Packets that are being put together at once.
const PACKETS_MAX: usize = 1_024;
/// Fragments of one packet: 65,535 bytes in pieces of 8, and nobody sends such.
const PIECES_MAX: usize = 1_024;
/// The bit that more follow, and the place in units of 8 bytes.
const MORE: u16 = 0x2000;
const PLACE: u16 = 0x1fff;
/// The longest packet.
const PACKET_BYTES_MAX: usize = 65_535;

/// A packet, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) source: Ipv4Addr,
    pub(super) target: Ipv4Addr,
    pub(super) protocol: u8,
    /// What was kept of the payload.
    pub(super) bytes: &'a [u8],
    /// Its length on the wire.
    pub(super) length: usize,
    identification: u16,
    fragment: u16,
}

/// What says whose fragments belong together (RFC 791 §3.2).
type Key = (Ipv4Addr, Ipv4Addr, u8, u16);

/// Fragments that wait for the others.
#[derive(Debug)]
pub(super) struct Fragments {
    waiting: FxHashMap<Key, Waiting>,
    /// Oldest first.
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
    /// Packets given up.
    lost: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: Vec<(usize, Vec<u8>)>,
    /// Where the payload ends, once its last piece came.
    end: Option<usize>,
}

impl<'a> Packet<'a> {
    /// Reads the header; none for what is no IPv4 packet.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<20>()?;
        let header = usize::from(head[0] & 0xf) * 4;
        if head[0] >> 4 != 4 || header < 20 {
            return None;
        }
        let two = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let rest = bytes.get(header..)?;
        // 0 is written where the card cuts packets only later.
        let length = match usize::from(two(2)) {
            0 => rest.len(),
            total => total.checked_sub(header)?,
        };
        let four = |at: usize| Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]);
        Some(Self {
            source: four(12),
            target: four(16),
            protocol: head[9],
            bytes: rest.get(..length).unwrap_or(rest),
            length,
            identification: two(4),
            fragment: two(6),
        })
    }

    /// It is a part of a packet.
    pub(super) fn is_fragment(&self) -> bool {
        self.fragment & (MORE | PLACE) != 0
    }

    /// The packet that this one completed.
    pub(super) fn with<'b>(&self, bytes: &'b [u8]) -> Packet<'b> {
        Packet {
            source: self.source,
            target: self.target,
            protocol: self.protocol,
            bytes,
            length: bytes.len(),
            identification: self.identification,
            fragment: 0,
        }
    }
}

impl Fragments {
    /// None yet; together they take at most so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            waiting: FxHashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
            lost: 0,
        }
    }

    /// Packets of which not all fragments came: given up, or waiting for what may not come.
    pub(super) fn lost(&self) -> u64 {
        self.lost + self.waiting.len() as u64
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a fragment; returns the payload that it completes. Of bytes that come twice the first
    /// count.
    pub(super) fn take(&mut self, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let key = (
            packet.source,
            packet.target,
            packet.protocol,
            packet.identification,
        );
        if packet.bytes.len() < packet.length {
            // Cut when it was captured: never whole.
            self.lost += 1;
            self.drop(key);
            return None;
        }
        let from = usize::from(packet.fragment & PLACE) * 8;
        let to = from + packet.length;
        if !self.waiting.contains_key(&key) {
            self.order.push_back(key);
        }
        let waiting = self.waiting.entry(key).or_default();
        if to > PACKET_BYTES_MAX || waiting.pieces.len() >= PIECES_MAX {
            self.lost += 1;
            self.drop(key);
            return None;
        }
        if packet.fragment & MORE == 0 {
            waiting.end.get_or_insert(to);
        }
        waiting.pieces.push((from, packet.bytes.to_vec()));
        self.bytes += packet.length;
        let whole = waiting.whole();
        if whole.is_some() {
            self.drop(key);
        }
        while self.bytes > self.bytes_max || self.waiting.len() > PACKETS_MAX {
            let Some(oldest) = self.order.front().copied() else {
                break;
            };
            self.lost += 1;
            self.drop(oldest);
        }
        whole
    }

    fn drop(&mut self, key: Key) {
        if let Some(gone) = self.waiting.remove(&key) {
            let bytes: usize = gone.pieces.iter().map(|(_, piece)| piece.len()).sum();
            self.bytes -= bytes;
        }
        self.order.retain(|held| *held != key);
    }
}

impl Waiting {
    /// The payload, once nothing is missing of it.
    fn whole(&mut self) -> Option<Vec<u8>> {
        let end = self.end?;
        self.pieces.sort_by_key(|(from, _)| *from);
        let mut whole = Vec::with_capacity(end);
        for (from, piece) in &self.pieces {
            let known = whole.len().checked_sub(*from)?;
            whole.extend_from_slice(piece.get(known..).unwrap_or_default());
        }
        whole.truncate(end);
        (whole.len() == end).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragment(id: u16, place: usize, more: bool, bytes: &[u8]) -> Packet<'_> {
        Packet {
            source: Ipv4Addr::LOCALHOST,
            target: Ipv4Addr::BROADCAST,
            protocol: 17,
            bytes,
            length: bytes.len(),
            identification: id,
            fragment: u16::try_from(place / 8).unwrap() | if more { MORE } else { 0 },
        }
    }

    proptest! {
        #[test]
        fn puts_fragments_together_in_whatever_order_they_come(
            payload in proptest::collection::vec(any::<u8>(), 9..3_000),
            size in 1_usize..60,
            order in any::<prop::sample::Index>(),
            twice in any::<prop::sample::Index>(),
        ) {
            let size = size * 8;
            let mut pieces: Vec<_> = payload.chunks(size).enumerate().collect();
            let last = pieces.len() - 1;
            let again = *twice.get(&pieces);
            let by = order.index(pieces.len());
            pieces.rotate_left(by);
            if by % 2 == 1 {
                pieces.reverse();
            }
            pieces.insert(0, again);
            let mut fragments = Fragments::new(1 << 20);
            let mut whole = None;
            for (at, piece) in pieces {
                let took = fragments.take(&fragment(7, at * size, at < last, piece));
                whole = whole.or(took);
            }
            prop_assert_eq!(whole, Some(payload));
        }
    }

    #[test]
    fn holds_no_more_than_it_may() {
        let mut fragments = Fragments::new(10_000);
        for id in 0..5_000 {
            assert_eq!(fragments.take(&fragment(id, 0, true, &[1; 800])), None);
            assert!(fragments.bytes() <= 10_000);
        }
        assert!(fragments.lost >= 4_980, "{}", fragments.lost);
        assert!(fragments.order.len() <= 12 && fragments.waiting.len() <= 12);
    }

    #[test]
    fn reads_headers_with_options_and_refuses_what_is_none() {
        let mut bytes = vec![0x46, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
        bytes.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 1, 9, 9, 9, 9, 0, 0]);
        let packet = Packet::read(&bytes).expect("a packet");
        assert_eq!((packet.bytes, packet.length), (&[9; 4][..], 4));
        for (at, byte) in [(0, 0x65), (0, 0x44), (3, 23)] {
            let mut bad = bytes.clone();
            bad[at] = byte;
            assert_eq!(Packet::read(&bad), None, "{at}");
        }
        assert_eq!(Packet::read(&bytes[..22]), None);
    }
}
