//! The packets of one phone, oldest first, within a bound: beyond it the oldest go, with a count.
//! Records take their memory in pieces of `PIECE_BYTES`, which a `Pool` keeps for the next one: a
//! packet costs one copy, no allocation of its own, and nothing is ever moved.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::time::Moment;

use super::{Carrier, Packet, Part, Way};

/// What a packet takes besides its payload: time (8 bytes), way and carrier (1 each), the phone's
/// and the peer's ends (6 each), connection, length on the wire, bytes kept (4 each).
pub const PACKET_BYTES: usize = 34;
/// What a record takes and gives back at once.
pub const PIECE_BYTES: usize = 2_048;

/// Bit of the carrier's byte: the bytes are what was inside TLS.
const TLS: u8 = 0x80;

/// The packets of one phone.
#[derive(Debug, Clone)]
pub struct Record {
    /// Pieces filled to their end; a packet may lie in several.
    full: VecDeque<Vec<u8>>,
    /// The piece after them; one without room for a byte is none.
    last: Vec<u8>,
    /// Where the oldest packet begins in the first piece.
    start: usize,
    used: usize,
    packets: usize,
    bytes_max: usize,
    dropped: u64,
}

/// Memory for records that together take no more than so much.
#[derive(Debug)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    /// Pieces that records hold, and those that are spare.
    pieces: usize,
    pieces_max: usize,
    spare_max: usize,
}

impl Pool {
    /// Memory of at most `bytes_max` bytes, of which at most `spare_bytes_max` are kept while no
    /// record needs them.
    #[must_use]
    pub fn new(bytes_max: usize, spare_bytes_max: usize) -> Self {
        Self {
            spare: Vec::new(),
            pieces: 0,
            pieces_max: bytes_max / PIECE_BYTES,
            spare_max: spare_bytes_max / PIECE_BYTES,
        }
    }

    /// Bytes that records hold, and those that are kept for the next ones.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pieces * PIECE_BYTES
    }

    /// How many pieces can still be had.
    fn left(&self) -> usize {
        self.spare.len() + self.pieces_max.saturating_sub(self.pieces)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        self.spare.pop().or_else(|| {
            let fresh = self.pieces < self.pieces_max;
            fresh.then(|| {
                self.pieces += 1;
                Vec::with_capacity(PIECE_BYTES)
            })
        })
    }

    fn give(&mut self, mut piece: Vec<u8>) {
        if self.spare.len() < self.spare_max {
            piece.clear();
            self.spare.push(piece);
        } else {
            self.pieces -= 1;
        }
    }
}

impl Record {
    /// An empty record of at most `bytes_max` bytes: of each packet its payload and
    /// `PACKET_BYTES`.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            full: VecDeque::new(),
            last: Vec::new(),
            start: 0,
            used: 0,
            packets: 0,
            bytes_max,
            dropped: 0,
        }
    }

    /// Adds a packet; the oldest ones make room. Of one that is larger than the whole record its
    /// beginning is kept.
    pub fn push(&mut self, packet: &Packet<'_>) {
        let mut own = Pool {
            pieces: self.pieces(),
            ..Pool::new(usize::MAX, 0)
        };
        self.push_within(packet, &mut own);
    }

    /// As `push`, with memory of a pool: where that has none left, the oldest packets make room,
    /// and if that is not enough the packet is dropped. Returns how many packets went so.
    pub fn push_within(&mut self, packet: &Packet<'_>, pool: &mut Pool) -> u64 {
        let room = self.bytes_max.saturating_sub(PACKET_BYTES);
        let kept = packet.bytes.get(..room).unwrap_or(packet.bytes);
        let needed = PACKET_BYTES + kept.len();
        while self.used > 0 && self.used + needed > self.bytes_max {
            self.drop_oldest(pool);
        }
        let before = self.dropped;
        while self.room().saturating_add(pool.left() * PIECE_BYTES) < needed {
            if self.packets == 0 {
                self.dropped += 1;
                return self.dropped - before;
            }
            self.drop_oldest(pool);
        }
        self.append(&head(packet, kept.len()), pool);
        self.append(kept, pool);
        self.used += needed;
        self.packets += 1;
        self.dropped - before
    }

    fn pieces(&self) -> usize {
        self.full.len() + usize::from(self.last.capacity() > 0)
    }

    fn piece(&self, number: usize) -> &[u8] {
        self.full.get(number).unwrap_or(&self.last)
    }

    /// Bytes that the last piece has room for.
    fn room(&self) -> usize {
        match self.last.capacity() {
            0 => 0,
            _ => PIECE_BYTES - self.last.len(),
        }
    }

    fn append(&mut self, mut bytes: &[u8], pool: &mut Pool) {
        while !bytes.is_empty() {
            if self.room() == 0 {
                let Some(piece) = pool.take() else {
                    debug_assert!(false, "room was made before");
                    return;
                };
                let full = std::mem::replace(&mut self.last, piece);
                if full.capacity() > 0 {
                    self.full.push_back(full);
                }
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.last.extend_from_slice(now);
            bytes = later;
        }
    }

    fn drop_oldest(&mut self, pool: &mut Pool) {
        let mut head = [0; PACKET_BYTES];
        self.copy(0, self.start, &mut head);
        let bytes = PACKET_BYTES + kept(&head);
        self.used = self.used.saturating_sub(bytes);
        self.packets = self.packets.saturating_sub(1);
        self.dropped += 1;
        self.start += bytes;
        while self.packets == 0 || self.start >= PIECE_BYTES {
            self.start = self.start.saturating_sub(PIECE_BYTES);
            let oldest = self.full.pop_front();
            let oldest = oldest.unwrap_or_else(|| std::mem::take(&mut self.last));
            if oldest.capacity() == 0 {
                break;
            }
            pool.give(oldest);
        }
        if self.packets == 0 {
            (self.start, self.used) = (0, 0);
        }
    }

    /// Copies what stands from `at` of piece number `piece` on; returns where it ends.
    fn copy(&self, mut piece: usize, mut at: usize, mut out: &mut [u8]) -> (usize, usize) {
        while !out.is_empty() && piece <= self.full.len() {
            let held = self.piece(piece).get(at..).unwrap_or_default();
            let fits = out.len().min(held.len());
            let (now, later) = std::mem::take(&mut out).split_at_mut(fits);
            now.copy_from_slice(&held[..fits]);
            (out, at) = (later, at + fits);
            if fits == held.len() {
                (piece, at) = (piece + 1, 0);
            }
        }
        (piece, at)
    }

    /// Bytes in use, as they count for the bound.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes of memory that it holds for packets.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.pieces() * PIECE_BYTES
    }

    /// Forgets all packets, counts included, and gives their memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        let last = std::mem::take(&mut self.last);
        let pieces = self.full.drain(..).chain([last]);
        for piece in pieces.filter(|piece| piece.capacity() > 0) {
            pool.give(piece);
        }
        *self = Self::new(self.bytes_max);
    }

    /// How many packets made room for others, or found none.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many packets are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets
    }

    /// True without packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Calls `each` with every packet held, oldest first.
    pub fn for_each(&self, mut each: impl FnMut(&Packet<'_>)) {
        let (mut piece, mut at) = (0, self.start);
        let mut bytes = Vec::new();
        for _ in 0..self.packets {
            let mut head = [0; PACKET_BYTES];
            (piece, at) = self.copy(piece, at, &mut head);
            bytes.clear();
            bytes.resize(kept(&head), 0);
            (piece, at) = self.copy(piece, at, &mut bytes);
            each(&packet(&head, &bytes));
        }
    }
}

/// What stands before a packet's bytes.
fn head(packet: &Packet<'_>, kept: usize) -> [u8; PACKET_BYTES] {
    let (carrier, connection) = match packet.carrier {
        Carrier::Udp => (0, 0),
        Carrier::Tcp {
            connection,
            part,
            tls,
        } => {
            let tls = if tls { TLS } else { 0 };
            ((1 + part as u8) | tls, connection)
        }
    };
    let kept = u32::try_from(kept).unwrap_or(u32::MAX);
    let mut head = [0; PACKET_BYTES];
    let mut rest = &mut head[..];
    let mut put = |bytes: &[u8]| {
        let (now, later) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        now.copy_from_slice(bytes);
        rest = later;
    };
    put(&packet.at.nanos().to_le_bytes());
    put(&[packet.way as u8, carrier]);
    for end in [packet.phone, packet.peer] {
        put(&end.ip().octets());
        put(&end.port().to_le_bytes());
    }
    put(&connection.to_le_bytes());
    put(&packet.length.to_le_bytes());
    put(&kept.to_le_bytes());
    head
}

/// How many bytes a head says are kept.
fn kept(head: &[u8; PACKET_BYTES]) -> usize {
    Reader(head, PACKET_BYTES - 4).number() as usize
}

/// A packet as its head and its bytes say.
fn packet<'a>(head: &[u8; PACKET_BYTES], bytes: &'a [u8]) -> Packet<'a> {
    let mut head = Reader(head, 0);
    let at = Moment::from_nanos(u64::from_le_bytes(head.bytes()));
    let [way, carrier] = head.bytes();
    let mut end = || {
        let address = Ipv4Addr::from(head.bytes::<4>());
        SocketAddrV4::new(address, u16::from_le_bytes(head.bytes()))
    };
    let (phone, peer) = (end(), end());
    let connection = head.number();
    let part = match carrier & !TLS {
        0 => None,
        1 => Some(Part::Opening),
        2 => Some(Part::Opened),
        3 => Some(Part::Data),
        4 => Some(Part::Closed),
        _ => Some(Part::Failed),
    };
    Packet {
        at,
        way: match way {
            0 => Way::Sent,
            _ => Way::Received,
        },
        phone,
        peer,
        carrier: part.map_or(Carrier::Udp, |part| Carrier::Tcp {
            connection,
            part,
            tls: carrier & TLS != 0,
        }),
        length: head.number(),
        bytes,
    }
}

/// A head, and how much of it was read.
struct Reader<'a>(&'a [u8; PACKET_BYTES], usize);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let rest = self.0.get(self.1..).unwrap_or_default();
        self.1 += N;
        rest.first_chunk().copied().unwrap_or([0; N])
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert!(record.memory() <= 100 * PACKET_BYTES + 2 * PIECE_BYTES);
    }

    #[test]
    fn a_record_without_memory_left_holds_its_newest_packets_or_nothing() {
        let mut pool = Pool::new(2 * PIECE_BYTES, PIECE_BYTES);
        let (mut one, mut two) = (Record::new(1 << 20), Record::new(1 << 20));
        let mut went = 0;
        for _ in 0..100 {
            went += one.push_within(&packet(&[7; 100]), &mut pool);
        }
        assert_eq!(went, one.dropped());
        // They go by the piece.
        assert!((15..=30).contains(&one.len()), "{}", one.len());
        assert_eq!(one.dropped() as usize + one.len(), 100);
        assert_eq!(
            (one.memory(), pool.bytes()),
            (2 * PIECE_BYTES, 2 * PIECE_BYTES)
        );
        two.push_within(&packet(b"x"), &mut pool);
        assert_eq!((two.len(), two.dropped(), two.memory()), (0, 1, 0));
        one.push_within(&packet(&[7; 5_000]), &mut pool);
        assert_eq!((one.len(), one.dropped()), (0, 101));
        // What was given back serves the next record, or is let go.
        assert_eq!((one.memory(), pool.bytes()), (0, PIECE_BYTES));
        two.push_within(&packet(b"x"), &mut pool);
        assert_eq!((two.len(), pool.bytes()), (1, PIECE_BYTES));
        two.clear(&mut pool);
        assert_eq!((two.len(), two.dropped(), two.memory()), (0, 0, 0));
        assert_eq!(pool.bytes(), PIECE_BYTES);
    }

    /// Time, way, address and port, TCP's connection, part and TLS, and how many bytes.
    type Drawn = (u64, bool, [u8; 4], u16, Option<(u32, usize, bool)>, usize);

    fn drawn() -> impl Strategy<Value = Drawn> {
        let address = any::<[u8; 4]>();
        let tcp = proptest::option::of((any::<u32>(), 0..5_usize, any::<bool>()));
        let length = prop_oneof![0..100_usize, 0..6_000_usize];
        (
            any::<u64>(),
            any::<bool>(),
            address,
            any::<u16>(),
            tcp,
            length,
        )
    }

    proptest! {
        #[test]
        fn gives_back_the_newest_packets_as_they_were(
            given in proptest::collection::vec(drawn(), 1..60),
            bytes_max in 0_usize..20_000,
        ) {
            const PARTS: [Part; 5] =
                [Part::Opening, Part::Opened, Part::Data, Part::Closed, Part::Failed];
            let noise: Vec<u8> = (0..6_000_u32).map(|at| (at * 7 % 251) as u8).collect();
            let packets = given.iter().map(|(at, sent, ip, port, tcp, length)| Packet {
                at: Moment::from_nanos(*at),
                way: if *sent { Way::Sent } else { Way::Received },
                phone: SocketAddrV4::new((*ip).into(), *port),
                peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port ^ 1),
                carrier: tcp.map_or(Carrier::Udp, |(connection, part, tls)| Carrier::Tcp {
                    connection,
                    part: PARTS[part],
                    tls,
                }),
                length: u32::from(*port) + 70_000,
                bytes: &noise[..*length],
            });
            let packets: Vec<_> = packets.collect();
            let mut record = Record::new(bytes_max);
            for packet in &packets {
                record.push(packet);
                prop_assert!(record.used() <= bytes_max.max(PACKET_BYTES));
                prop_assert!(record.memory() < record.used() + 2 * PIECE_BYTES);
            }
            let held = record.len();
            prop_assert_eq!(record.dropped() as usize + held, packets.len());
            let mut newest = packets[packets.len() - held..].iter();
            let mut used = 0;
            record.for_each(|packet| {
                let room = bytes_max.saturating_sub(PACKET_BYTES);
                let expected = newest.next().expect("as many");
                let bytes = expected.bytes.get(..room).unwrap_or(expected.bytes);
                assert_eq!(packet, &Packet { bytes, ..*expected });
                used += PACKET_BYTES + bytes.len();
            });
            prop_assert_eq!(used, record.used());
        }
    }
}
