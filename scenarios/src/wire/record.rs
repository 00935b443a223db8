//! The packets of one phone, oldest first, within a bound: beyond it the oldest go, with a count.
//! Nothing is allocated for a packet but what the growth of two ring buffers takes.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;

use super::{Carrier, Packet, Way};

/// What a packet takes besides its payload.
pub const PACKET_BYTES: usize = size_of::<Entry>();

/// The packets of one phone.
#[derive(Debug, Clone)]
pub struct Record {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    bytes_max: usize,
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Moment,
    way: Way,
    phone: SocketAddrV4,
    peer: SocketAddrV4,
    carrier: Carrier,
    length: u32,
    kept: u32,
}

impl Record {
    /// An empty record of at most `bytes_max` bytes: of each packet its payload and
    /// `PACKET_BYTES`.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: VecDeque::new(),
            bytes_max,
            dropped: 0,
        }
    }

    /// Adds a packet; the oldest ones make room. Of one that is larger than the whole record its
    /// beginning is kept.
    pub fn push(&mut self, packet: &Packet<'_>) {
        self.push_within(packet, self.bytes_max);
    }

    /// Adds a packet without taking more memory than the record has; the oldest ones make room, or
    /// the packet is dropped.
    pub fn push_without_growth(&mut self, packet: &Packet<'_>) {
        if self.used() < PACKET_BYTES + packet.bytes.len() {
            self.dropped += 1;
        } else {
            self.push_within(packet, self.used());
        }
    }

    fn push_within(&mut self, packet: &Packet<'_>, bytes_max: usize) {
        let room = bytes_max.saturating_sub(PACKET_BYTES);
        let kept = packet.bytes.get(..room).unwrap_or(packet.bytes);
        while self.used() + PACKET_BYTES + kept.len() > bytes_max {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes.drain(..oldest.kept as usize);
            self.dropped += 1;
        }
        self.bytes.extend(kept);
        self.entries.push_back(Entry {
            at: packet.at,
            way: packet.way,
            phone: packet.phone,
            peer: packet.peer,
            carrier: packet.carrier,
            length: packet.length,
            kept: u32::try_from(kept.len()).unwrap_or(u32::MAX),
        });
    }

    /// Bytes in use, as they count for the bound.
    #[must_use]
    pub fn used(&self) -> usize {
        self.bytes.len() + PACKET_BYTES * self.entries.len()
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + PACKET_BYTES * self.entries.capacity()
    }

    /// Forgets all packets, counts included, and gives their memory back.
    pub fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    /// How many packets made room for others.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many packets are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Calls `each` with every packet held, oldest first.
    pub fn for_each(&mut self, mut each: impl FnMut(&Packet<'_>)) {
        let bytes = self.bytes.make_contiguous();
        let mut at = 0;
        for entry in &self.entries {
            let end = at + entry.kept as usize;
            each(&Packet {
                at: entry.at,
                way: entry.way,
                phone: entry.phone,
                peer: entry.peer,
                carrier: entry.carrier,
                length: entry.length,
                bytes: bytes.get(at..end).unwrap_or_default(),
            });
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn packet(bytes: &[u8]) -> Packet<'_> {
        Packet {
            at: Moment::ZERO,
            way: Way::Sent,
            phone: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 2),
            carrier: Carrier::Udp,
            length: u32::try_from(bytes.len()).unwrap(),
            bytes,
        }
    }

    #[test]
    fn keeps_the_newest_packets_that_fit_and_counts_the_others() {
        let mut record = Record::new(10 + PACKET_BYTES);
        for text in ["abcd", "efgh", "ijkl", "0123456789ABC"] {
            record.push(&packet(text.as_bytes()));
        }
        let mut held = Vec::new();
        record.for_each(|packet| held.push((packet.bytes.to_vec(), packet.length)));
        assert_eq!(held, [(b"0123456789".to_vec(), 13)]);
        assert_eq!((record.dropped(), record.len()), (3, 1));
        record.push(&packet(b"x"));
        assert_eq!((record.dropped(), record.len()), (4, 1));
    }

    #[test]
    fn packets_without_payload_are_bounded_too() {
        let mut record = Record::new(100 * PACKET_BYTES);
        for _ in 0..1_000 {
            record.push(&packet(b""));
        }
        assert_eq!((record.dropped(), record.len()), (900, 100));
        assert!(record.memory() < 300 * PACKET_BYTES);
    }

    #[test]
    fn a_record_that_may_not_grow_holds_the_newest_or_nothing() {
        let mut record = Record::new(1_000);
        record.push_without_growth(&packet(b"abc"));
        assert_eq!((record.dropped(), record.len(), record.memory()), (1, 0, 0));
        record.push(&packet(b"abcd"));
        let held = record.memory();
        record.push_without_growth(&packet(b"efg"));
        assert_eq!(
            (record.dropped(), record.len(), record.memory()),
            (2, 1, held)
        );
        record.push_without_growth(&packet(b"too long"));
        assert_eq!((record.dropped(), record.len()), (3, 1));
        record.clear();
        assert_eq!((record.dropped(), record.len(), record.memory()), (0, 0, 0));
    }
}
