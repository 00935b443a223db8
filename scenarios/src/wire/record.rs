//! The packets of one phone, oldest first, within a bound: beyond it the oldest go, with a count.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;

use super::{Carrier, Packet, Way};

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
    /// An empty record that keeps payloads of `bytes_max` bytes in all.
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
        let kept = packet.bytes.get(..self.bytes_max).unwrap_or(packet.bytes);
        while self.bytes.len() + kept.len() > self.bytes_max {
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
        let mut record = Record::new(10);
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
}
