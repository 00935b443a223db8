//! TCP connections followed and put in order (RFC 9293): what comes twice is passed over, what
//! comes early waits within a bound, what the capture does not have is told as missing.

use std::collections::VecDeque;
use std::net::SocketAddrV4;

use bootstorm_scenarios::wire::Way;
use rustc_hash::FxHashMap;

use super::host::{Hosts, Place};
use super::observer::Seen;
use super::told::Line;

/// Flags.
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const HEADER_BYTES: usize = 20;
/// Bytes and segments of one direction that wait for earlier ones.
const WAITING_BYTES_MAX: usize = 1 << 18;
const WAITING_MAX: usize = 256;
/// So many later segments wait before one that the other side acknowledges is given up.
const LATER_MIN: usize = 3;
/// Listening ends that FTP names, remembered at once.
const EXPECTED_MAX: usize = 256;

/// The ends of a connection, the smaller one first.
pub(super) type Key = (SocketAddrV4, SocketAddrV4);

/// The connections that are followed.
#[derive(Debug)]
pub(super) struct Connections {
    map: FxHashMap<Key, Connection>,
    /// Oldest first.
    order: VecDeque<Key>,
    /// Where the data of an FTP control connection will come.
    expected: VecDeque<(SocketAddrV4, Key)>,
    connections_max: usize,
    waiting: usize,
    waiting_max: usize,
    /// Connections that made room for others.
    pub(super) evicted: u64,
}

#[derive(Debug)]
struct Connection {
    /// The end that opened it, and the other.
    ends: [SocketAddrV4; 2],
    sides: [Side; 2],
    /// The sequence number of the segment that opened it.
    opened_by: Option<u32>,
    line: Line,
    over: bool,
}

/// What one end sends.
#[derive(Debug, Default)]
struct Side {
    /// The sequence number that comes next, once one is known.
    next: Option<u32>,
    /// Where it ends.
    fin: Option<u32>,
    is_finished: bool,
    waiting: Vec<Early>,
    bytes: usize,
}

/// A segment before whose beginning something is missing.
#[derive(Debug)]
struct Early {
    sequence: u32,
    bytes: Vec<u8>,
    length: usize,
}

/// A segment.
#[derive(Debug, Clone, Copy)]
struct Segment<'a> {
    sequence: u32,
    acknowledged: Option<u32>,
    flags: u8,
    bytes: &'a [u8],
    length: usize,
}

/// A piece in its turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) place: Place,
    /// Which end sends it: 0 = the one that opened the connection.
    pub(super) side: usize,
    pub(super) bytes: &'a [u8],
    /// Its length on the wire: what is beyond the bytes is missing.
    pub(super) length: usize,
}

/// What a piece leads to beyond its own connection.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    /// Somebody will connect here for the data of this FTP connection.
    pub(super) expect: Vec<SocketAddrV4>,
    /// Data of an FTP transfer, its length, and whether that is all.
    pub(super) data: Vec<(Key, Vec<u8>, usize)>,
    pub(super) ended: Option<Key>,
}

impl Connections {
    pub(super) fn new(connections_max: usize, waiting_max: usize) -> Self {
        Self {
            map: FxHashMap::default(),
            order: VecDeque::new(),
            expected: VecDeque::new(),
            connections_max: connections_max.max(1),
            waiting: 0,
            waiting_max,
            evicted: 0,
        }
    }

    /// Bytes that are held.
    pub(super) fn memory(&self) -> usize {
        self.waiting + self.map.capacity() * size_of::<(Key, Connection)>()
    }

    /// Takes a segment.
    pub(super) fn segment(&mut self, hosts: &mut Hosts, seen: &Seen<'_>) {
        let Some((from, to, segment)) = read(seen) else {
            return;
        };
        let key = (from.min(to), from.max(to));
        if segment.flags & (SYN | ACK) == SYN {
            self.open(hosts, seen, (from, to), segment.sequence);
            return;
        }
        if !self.map.contains_key(&key) {
            if segment.length == 0 || segment.flags & (SYN | RST) != 0 {
                return;
            }
            self.join(hosts, seen, (from, to));
        }
        let mut beyond = Beyond::default();
        if let Some(connection) = self.map.get_mut(&key) {
            let before = connection.waiting();
            connection.take(hosts, seen, from, &segment, &mut beyond);
            if self.waiting + connection.waiting() > self.waiting_max + before {
                connection.give_up(hosts, seen.place, &mut beyond);
            }
            self.waiting = self.waiting + connection.waiting() - before;
        }
        self.beyond(hosts, seen.place, key, beyond);
    }

    /// Nothing more comes for now.
    pub(super) fn settle(&mut self, hosts: &mut Hosts, place: Place) {
        for key in self.order.clone() {
            self.settle_one(hosts, place, key);
        }
    }

    fn settle_one(&mut self, hosts: &mut Hosts, place: Place, key: Key) {
        let mut beyond = Beyond::default();
        if let Some(connection) = self.map.get_mut(&key) {
            self.waiting -= connection.waiting();
            connection.give_up(hosts, place, &mut beyond);
            connection.line.settle(hosts, place);
        }
        self.beyond(hosts, place, key, beyond);
    }

    /// Somebody opens a connection.
    fn open(
        &mut self,
        hosts: &mut Hosts,
        seen: &Seen<'_>,
        (from, to): (SocketAddrV4, SocketAddrV4),
        sequence: u32,
    ) {
        let key = (from.min(to), from.max(to));
        if let Some(held) = self.map.get_mut(&key) {
            if held.opened_by == Some(sequence) && held.ends[0] == from {
                held.line.opened_again(seen.place);
                return;
            }
            self.settle_one(hosts, seen.place, key);
            self.map.remove(&key);
            self.order.retain(|held| *held != key);
        }
        hosts.enlist(seen.source);
        let of_ftp = self.expected.iter().position(|(end, _)| *end == to);
        let of_ftp = of_ftp.and_then(|at| self.expected.remove(at));
        let mut line = self.line(hosts, seen, [from, to]);
        match of_ftp {
            Some((_, control)) => line.carries(control),
            None => line.opening(hosts, seen.place, seen.inside_tls),
        }
        let mut connection = Connection::new([from, to], line);
        connection.opened_by = Some(sequence);
        connection.sides[0].next = Some(sequence.wrapping_add(1));
        self.insert(hosts, seen.place, key, connection);
    }

    /// A connection whose beginning was not captured: whoever is known opened it, or the end with
    /// the higher port.
    fn join(
        &mut self,
        hosts: &mut Hosts,
        seen: &Seen<'_>,
        (from, to): (SocketAddrV4, SocketAddrV4),
    ) {
        let target = seen.target.and_then(|mac| hosts.of(mac));
        if hosts.of(seen.source).is_none() && target.is_none() {
            return;
        }
        let ends = if from.port() >= to.port() {
            [from, to]
        } else {
            [to, from]
        };
        let mut line = self.line(hosts, seen, ends);
        line.joined();
        let key = (from.min(to), from.max(to));
        self.insert(hosts, seen.place, key, Connection::new(ends, line));
    }

    fn line(&self, hosts: &mut Hosts, seen: &Seen<'_>, ends: [SocketAddrV4; 2]) -> Line {
        let sent = ends[0].ip() == &seen.packet.source;
        let macs = match sent {
            true => [Some(seen.source), seen.target],
            false => [seen.target, Some(seen.source)],
        };
        let listened = macs.map(|mac| {
            let host = hosts.of(mac?)?;
            Some((host, hosts.at(host).connection()))
        });
        Line::new(ends, listened)
    }

    fn insert(&mut self, hosts: &mut Hosts, place: Place, key: Key, connection: Connection) {
        while self.map.len() >= self.connections_max {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            let over = self.map.get(&oldest).is_none_or(|held| held.over);
            self.evicted += u64::from(!over);
            self.settle_one(hosts, place, oldest);
            self.map.remove(&oldest);
        }
        self.map.insert(key, connection);
        self.order.push_back(key);
    }

    /// What a connection says of others.
    fn beyond(&mut self, hosts: &mut Hosts, place: Place, key: Key, beyond: Beyond) {
        for end in beyond.expect {
            self.expected.push_back((end, key));
            if self.expected.len() > EXPECTED_MAX {
                self.expected.pop_front();
            }
        }
        for (control, bytes, length) in beyond.data {
            if let Some(held) = self.map.get_mut(&control) {
                held.line.file(hosts, place, &bytes, length);
            }
        }
        if let Some(control) = beyond.ended
            && let Some(held) = self.map.get_mut(&control)
        {
            held.line.file_ended(hosts, place);
        }
    }
}

impl Connection {
    fn new(ends: [SocketAddrV4; 2], line: Line) -> Self {
        Self {
            ends,
            sides: Default::default(),
            opened_by: None,
            line,
            over: false,
        }
    }

    fn waiting(&self) -> usize {
        self.sides[0].bytes + self.sides[1].bytes
    }

    fn take(
        &mut self,
        hosts: &mut Hosts,
        seen: &Seen<'_>,
        from: SocketAddrV4,
        segment: &Segment<'_>,
        beyond: &mut Beyond,
    ) {
        if self.over {
            return;
        }
        let (side, place) = (usize::from(self.ends[0] != from), seen.place);
        if segment.flags & SYN != 0 {
            self.sides[side]
                .next
                .get_or_insert(segment.sequence.wrapping_add(1));
            self.line.opened(hosts, place, seen.source);
            return;
        }
        if segment.flags & RST != 0 {
            self.give_up(hosts, place, beyond);
            self.line.reset(hosts, place, side, beyond);
            self.over = true;
            return;
        }
        if let Some(acknowledged) = segment.acknowledged {
            self.acknowledged(hosts, place, (1 - side, acknowledged), beyond);
        }
        if segment.length > 0 {
            self.data(hosts, place, side, segment, beyond);
        }
        if segment.flags & FIN != 0 {
            let end = segment.sequence.wrapping_add(wrapped(segment.length));
            self.sides[side].next.get_or_insert(end);
            self.sides[side].fin.get_or_insert(end);
        }
        self.finished(hosts, place, beyond);
    }

    /// A side is at its end, or both are.
    fn finished(&mut self, hosts: &mut Hosts, place: Place, beyond: &mut Beyond) {
        for side in [0, 1] {
            let held = &mut self.sides[side];
            if !held.is_finished && held.fin.is_some() && held.fin == held.next {
                held.is_finished = true;
                self.line.finished(hosts, place, side, beyond);
            }
        }
        self.over = self.sides.iter().all(|side| side.is_finished);
    }

    /// What the other side acknowledges it has: if enough came after it, the capture lacks it.
    fn acknowledged(
        &mut self,
        hosts: &mut Hosts,
        place: Place,
        (side, number): (usize, u32),
        beyond: &mut Beyond,
    ) {
        loop {
            let held = &self.sides[side];
            let Some(next) = held.next else {
                return;
            };
            let later = held.waiting.len() >= LATER_MIN
                || held.waiting.is_empty() && held.fin.is_some_and(|fin| ahead(fin, next) > 0);
            if !later || ahead(number, next) <= 0 {
                return;
            }
            self.lose(hosts, place, side, beyond);
        }
    }

    fn data(
        &mut self,
        hosts: &mut Hosts,
        place: Place,
        side: usize,
        segment: &Segment<'_>,
        beyond: &mut Beyond,
    ) {
        let held = &mut self.sides[side];
        let next = *held.next.get_or_insert(segment.sequence);
        if ahead(segment.sequence, next) > 0 {
            held.waiting.push(Early {
                sequence: segment.sequence,
                bytes: segment.bytes.to_vec(),
                length: segment.length,
            });
            held.bytes += segment.bytes.len();
            if held.bytes > WAITING_BYTES_MAX || held.waiting.len() > WAITING_MAX {
                self.lose(hosts, place, side, beyond);
            }
            return;
        }
        let piece = Piece {
            place,
            side,
            bytes: segment.bytes,
            length: segment.length,
        };
        self.deliver(hosts, segment.sequence, &piece, beyond);
        self.catch_up(hosts, place, side, beyond);
    }

    /// Gives on what is new of a piece that begins where the last one ended, or before.
    fn deliver(
        &mut self,
        hosts: &mut Hosts,
        sequence: u32,
        piece: &Piece<'_>,
        beyond: &mut Beyond,
    ) {
        let held = &mut self.sides[piece.side];
        let next = held.next.unwrap_or(sequence);
        let known = usize::try_from(ahead(next, sequence)).unwrap_or(0);
        if known >= piece.length {
            return;
        }
        let fresh = Piece {
            bytes: piece.bytes.get(known..).unwrap_or_default(),
            length: piece.length - known,
            ..*piece
        };
        held.next = Some(sequence.wrapping_add(wrapped(piece.length)));
        self.line.data(hosts, &fresh, beyond);
    }

    /// Gives on what waited and has its turn now.
    fn catch_up(&mut self, hosts: &mut Hosts, place: Place, side: usize, beyond: &mut Beyond) {
        loop {
            let held = &mut self.sides[side];
            let Some(next) = held.next else {
                return;
            };
            let turn = held
                .waiting
                .iter()
                .position(|it| ahead(it.sequence, next) <= 0);
            let Some(turn) = turn else {
                return;
            };
            let early = held.waiting.swap_remove(turn);
            held.bytes -= early.bytes.len();
            let piece = Piece {
                place,
                side,
                bytes: &early.bytes,
                length: early.length,
            };
            self.deliver(hosts, early.sequence, &piece, beyond);
        }
    }

    /// What is missing before the next segment that is there, or before the end, is given up.
    fn lose(&mut self, hosts: &mut Hosts, place: Place, side: usize, beyond: &mut Beyond) {
        let held = &mut self.sides[side];
        let Some(next) = held.next else {
            return;
        };
        let waiting = held.waiting.iter().map(|it| ahead(it.sequence, next));
        let end = held.fin.map(|fin| ahead(fin, next));
        let Some(gap) = waiting.min().or(end).filter(|gap| *gap > 0) else {
            return;
        };
        held.next = Some(next.wrapping_add(gap.cast_unsigned()));
        let piece = Piece {
            place,
            side,
            bytes: &[],
            length: usize::try_from(gap).unwrap_or(0),
        };
        self.line.missing(hosts);
        self.line.data(hosts, &piece, beyond);
        self.catch_up(hosts, place, side, beyond);
    }

    /// Nothing that is missing will come.
    fn give_up(&mut self, hosts: &mut Hosts, place: Place, beyond: &mut Beyond) {
        for side in [0, 1] {
            while !self.sides[side].waiting.is_empty() {
                self.lose(hosts, place, side, beyond);
            }
            if self.sides[side].fin.is_some() && !self.over {
                self.lose(hosts, place, side, beyond);
            }
        }
        if !self.over {
            self.finished(hosts, place, beyond);
        }
    }
}

/// The header (RFC 9293 §3.1), the ends and what follows.
fn read<'a>(seen: &Seen<'a>) -> Option<(SocketAddrV4, SocketAddrV4, Segment<'a>)> {
    let packet = &seen.packet;
    let (head, _) = packet.bytes.split_first_chunk::<HEADER_BYTES>()?;
    let two = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let four = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let header = usize::from(head[12] >> 4) * 4;
    let length = packet.length.checked_sub(header)?;
    if header < HEADER_BYTES {
        return None;
    }
    let segment = Segment {
        sequence: four(4),
        acknowledged: (head[13] & ACK != 0).then(|| four(8)),
        flags: head[13],
        bytes: packet.bytes.get(header..).unwrap_or_default(),
        length,
    };
    Some((seen.from(two(0)), seen.to(two(2)), segment))
}

/// How far one sequence number is ahead of another.
fn ahead(number: u32, of: u32) -> i32 {
    number.wrapping_sub(of).cast_signed()
}

fn wrapped(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Which way something goes, as an end sees it.
pub(super) fn way(side: usize, end: usize) -> Way {
    if side == end {
        Way::Sent
    } else {
        Way::Received
    }
}
