//! What the phones of a shard send and receive, for judging and for captures.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::phone::io::{
    Channel, Connection, ConnectionFault, FtpMode, Input, Request,
};
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::record::{Pool, Record};
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way, failure};
use rustc_hash::FxHashMap;

use super::shard::Fetch;
use crate::attach::port::port_of;

/// The first of the ports that stand for the phones' ends of TCP connections.
const FIRST_TCP_PORT: u16 = 40_000;
/// The first number of connections that others open to a phone; its own are below.
const FIRST_TAKEN: u32 = 1 << 16;

/// Bytes kept of each packet of a file of which enough is kept.
pub const PIECE_BYTES: usize = 16;
/// How a TFTP block begins (RFC 1350 §5).
const BLOCK: [u8; 2] = [0, 3];

/// Memory of records that were let go, kept for the next ones.
const SPARE_BYTES: usize = 4 << 20;

/// Phones whose records are kept though they passed, as a sample of a run.
const SAMPLED: u32 = 16;

/// Records of a shard's phones, by slot.
#[derive(Debug)]
pub struct Recorder {
    records: Vec<Kept>,
    rules: Rules,
    ports: Ports,
    /// Memory of all records.
    pool: Pool,
    told: Recorded,
    /// Open connections, by slot and number.
    streams: FxHashMap<(u32, u32), Stream>,
    /// How many connections others opened to a phone.
    taken: FxHashMap<u32, u32>,
    /// The request that is in a phone's hands, and the number of its connection.
    asked: Option<(Request, u32)>,
}

/// What is recorded, and of whom it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes that are kept of what a phone receives in one TFTP transfer, or on one connection
    /// without sending anything. Of further packets the first `PIECE_BYTES` are; what phones send
    /// is kept as it is.
    pub body_bytes: usize,
    /// Bytes of memory for the records of all shards together. Beyond it a record keeps the newest
    /// packets that fit into what it has.
    pub total_bytes: usize,
    /// Whose record is kept.
    pub keep: Keep,
}

/// Whose record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Everybody's.
    All,
    /// Those of phones that do not come to be as they were meant to, and of every `every`-th one
    /// from the `first`.
    Failed {
        /// From 1.
        every: u32,
        /// Below `every`.
        first: u32,
    },
}

/// How complete records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Packets that are missing because all records together were full.
    pub refused: u64,
}

/// A phone's record.
#[derive(Debug)]
struct Kept {
    /// The phone's index.
    index: u32,
    /// It is kept whatever becomes of the phone.
    always: bool,
    record: Record,
    /// The port of the transfer that blocks came for last, and how many bytes.
    transfer: (u16, usize),
}

impl Default for Rules {
    /// Everything, of everybody, whole.
    fn default() -> Self {
        Self {
            body_bytes: usize::MAX,
            total_bytes: usize::MAX,
            keep: Keep::All,
        }
    }
}

impl Keep {
    /// Failed phones and a sample of about 16 of the others, which the seed chooses.
    #[must_use]
    pub fn failed(phones: u32, seed: u64) -> Self {
        let every = phones.div_ceil(SAMPLED).max(1);
        let first = u32::try_from(seed % u64::from(every)).unwrap_or(0);
        Self::Failed { every, first }
    }

    fn always(self, index: u32) -> bool {
        match self {
            Self::All => true,
            Self::Failed { every, first } => index % every.max(1) == first,
        }
    }
}

/// A connection of a phone.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ends: Between,
    tls: bool,
    /// Bytes since the phone sent anything.
    received: usize,
}

impl Stream {
    fn new(ends: Between, tls: bool) -> Self {
        let received = 0;
        Self {
            ends,
            tls,
            received,
        }
    }
}

/// The ends of a connection.
#[derive(Debug, Clone, Copy)]
struct Between {
    phone: SocketAddrV4,
    peer: SocketAddrV4,
}

impl Recorded {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
        }
    }

    /// What a report says of it; nothing where nothing is missing.
    #[must_use]
    pub fn sentence(self) -> Option<String> {
        let packets = self.refused;
        (packets > 0).then(|| format!("captures lack {packets} packets: records were full"))
    }
}

/// A phone at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) now: Moment,
    pub(super) slot: u32,
    pub(super) address: Ipv4Addr,
}

impl Recorder {
    /// Empty records for the phones with these indices, each of `bytes_max` bytes at most.
    #[must_use]
    pub fn new(
        indices: impl Iterator<Item = u32>,
        bytes_max: usize,
        rules: Rules,
        ports: Ports,
    ) -> Self {
        let records = indices.map(|index| Kept {
            index,
            always: rules.keep.always(index),
            record: Record::new(bytes_max),
            transfer: (0, 0),
        });
        Self {
            records: records.collect(),
            pool: Pool::new(rules.total_bytes, SPARE_BYTES),
            rules,
            ports,
            told: Recorded::default(),
            streams: FxHashMap::default(),
            taken: FxHashMap::default(),
            asked: None,
        }
    }

    /// True when everybody's record is kept.
    #[must_use]
    pub fn keeps_all(&self) -> bool {
        self.rules.keep == Keep::All
    }

    /// The records that are kept, by the phone's index, where `passed` says of each phone whether
    /// it came to be as it was meant to.
    #[must_use]
    pub fn finish(self, passed: impl Iterator<Item = bool>) -> (Vec<(u32, Record)>, Recorded) {
        let records = self.records.into_iter().zip(passed);
        let kept = records.filter(|(kept, passed)| kept.always || !passed);
        let records = kept.map(|(kept, _)| (kept.index, kept.record));
        (records.collect(), self.told)
    }

    /// A phone is at rest as it was meant to be: what it did until now is forgotten, unless it is
    /// kept.
    pub(super) fn passed(&mut self, slot: u32) {
        let kept = self.records.get_mut(slot as usize);
        if let Some(kept) = kept.filter(|kept| !kept.always) {
            kept.record.clear(&mut self.pool);
        }
    }

    fn push(&mut self, slot: u32, packet: &Packet<'_>) {
        let Some(Kept { record, .. }) = self.records.get_mut(slot as usize) else {
            return;
        };
        self.told.refused += record.push_within(packet, &mut self.pool);
    }

    /// What is kept of a datagram: of a TFTP block beyond what is kept of a file, its beginning.
    fn kept<'a>(&mut self, slot: u32, port: u16, bytes: &'a [u8]) -> &'a [u8] {
        let Some(kept) = self.records.get_mut(slot as usize) else {
            return bytes;
        };
        let (held, before) = &mut kept.transfer;
        if *held != port {
            (*held, *before) = (port, 0);
        }
        beginning(before, self.rules.body_bytes, bytes)
    }

    /// What comes to a phone, which takes connection requests at this port.
    pub(super) fn input(&mut self, at: At, input: &Input<'_>, door: u16) {
        let (way, number) = (Way::Received, |it: &Connection| u32::from(it.0));
        match input {
            Input::Datagram {
                channel,
                from,
                bytes,
            } => self.datagram(at, way, *channel, *from, bytes),
            Input::Opened(connection) => self.part(at, number(connection), way, Part::Opened),
            Input::Bytes(connection, bytes) => self.data(at, number(connection), way, bytes),
            Input::Closed(connection) => self.part(at, number(connection), way, Part::Closed),
            Input::Failed(connection, fault) => {
                self.failed(at, number(connection), way, words(*fault).as_bytes());
            }
            Input::Request {
                request,
                from,
                bytes,
            } => {
                let phone = SocketAddrV4::new(at.address, door);
                self.asked(at, *request, Between { phone, peer: *from }, bytes);
            }
            Input::PowerCut => self.power_cut(at),
            _ => {}
        }
    }

    /// Somebody connected to a phone and asks.
    fn asked(&mut self, at: At, request: Request, ends: Between, bytes: &[u8]) {
        let taken = self.taken.entry(at.slot).or_default();
        let number = FIRST_TAKEN + *taken;
        *taken = taken.wrapping_add(1) % FIRST_TAKEN;
        let stream = Stream::new(ends, false);
        self.streams.insert((at.slot, number), stream);
        self.part(at, number, Way::Received, Part::Opening);
        self.part(at, number, Way::Sent, Part::Opened);
        self.data(at, number, Way::Received, bytes);
        self.asked = Some((request, number));
    }

    /// A phone's answer, with which the connection ends.
    pub(super) fn replied(&mut self, at: At, request: Request, bytes: &[u8]) {
        let asked = self.asked.take_if(|(held, _)| *held == request);
        if let Some((_, number)) = asked {
            self.data(at, number, Way::Sent, bytes);
            self.part(at, number, Way::Sent, Part::Closed);
        }
    }

    /// A phone has done all that an input made it do: a request that it did not answer then is
    /// never answered.
    pub(super) fn stepped(&mut self, at: At) {
        if let Some((_, number)) = self.asked.take() {
            self.part(at, number, Way::Sent, Part::Closed);
        }
    }

    /// A phone's connections are gone without a word.
    fn power_cut(&mut self, at: At) {
        let streams = self.streams.keys();
        let mine = streams.filter(|(slot, _)| *slot == at.slot);
        let mut numbers: Vec<_> = mine.map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        for number in numbers {
            self.failed(at, number, Way::Sent, failure::POWER_CUT.as_bytes());
        }
    }

    /// A datagram of a phone.
    pub(super) fn datagram(
        &mut self,
        at: At,
        way: Way,
        channel: Channel,
        peer: SocketAddrV4,
        bytes: &[u8],
    ) {
        let phone = SocketAddrV4::new(at.address, port_of(channel, self.ports));
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let port = phone.port();
        let is_block = matches!(channel, Channel::Fresh(_)) && bytes.starts_with(&BLOCK);
        let bytes = match (is_block, way) {
            (true, Way::Received) => self.kept(at.slot, port, bytes),
            _ => bytes,
        };
        let packet = Packet {
            at: at.now,
            way,
            phone,
            peer,
            carrier: Carrier::Udp,
            length,
            bytes,
        };
        self.push(at.slot, &packet);
    }

    /// A phone begins to connect.
    pub(super) fn opening(
        &mut self,
        at: At,
        connection: Connection,
        peer: SocketAddrV4,
        tls: bool,
    ) {
        let port = FIRST_TCP_PORT + connection.0 % 10_000;
        let ends = Between {
            phone: SocketAddrV4::new(at.address, port),
            peer,
        };
        let number = u32::from(connection.0);
        self.streams
            .insert((at.slot, number), Stream::new(ends, tls));
        self.part(at, number, Way::Sent, Part::Opening);
    }

    /// A phone has a file retrieved by FTP: what it would say is recorded as one piece of the
    /// control connection, the file as what comes back on it.
    pub(super) fn retrieve(&mut self, at: At, fetch: &Fetch<'_>) {
        let connection = fetch.end.connection;
        self.opening(at, connection, fetch.to, false);
        let said = format!(
            "USER {}\r\nPASS {}\r\nTYPE I\r\n{}\r\nRETR {}\r\n",
            fetch.user,
            fetch.password,
            match fetch.mode {
                FtpMode::Passive => "PASV",
                FtpMode::Active => "PORT",
            },
            fetch.path
        );
        self.data(at, u32::from(connection.0), Way::Sent, said.as_bytes());
    }

    /// A phone writes.
    pub(super) fn written(&mut self, at: At, connection: Connection, bytes: &[u8]) {
        self.data(at, u32::from(connection.0), Way::Sent, bytes);
    }

    /// A phone closes.
    pub(super) fn closed(&mut self, at: At, connection: Connection) {
        self.part(at, u32::from(connection.0), Way::Sent, Part::Closed);
    }

    fn data(&mut self, at: At, number: u32, way: Way, bytes: &[u8]) {
        self.of_stream(at, number, way, Part::Data, bytes);
    }

    fn part(&mut self, at: At, number: u32, way: Way, part: Part) {
        self.of_stream(at, number, way, part, &[]);
        if part == Part::Closed {
            self.streams.remove(&(at.slot, number));
        }
    }

    fn failed(&mut self, at: At, number: u32, way: Way, why: &[u8]) {
        self.of_stream(at, number, way, Part::Failed, why);
        self.streams.remove(&(at.slot, number));
    }

    fn of_stream(&mut self, at: At, number: u32, way: Way, part: Part, bytes: &[u8]) {
        let slot = at.slot;
        let Some(stream) = self.streams.get_mut(&(slot, number)) else {
            return;
        };
        let length = match part {
            Part::Failed => 0,
            _ => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        };
        let bytes = match (part, way) {
            (Part::Data, Way::Received) => {
                beginning(&mut stream.received, self.rules.body_bytes, bytes)
            }
            (Part::Data, Way::Sent) => {
                stream.received = 0;
                bytes
            }
            _ => bytes,
        };
        let packet = Packet {
            at: at.now,
            way,
            phone: stream.ends.phone,
            peer: stream.ends.peer,
            carrier: Carrier::Tcp {
                connection: number,
                part,
                tls: stream.tls,
            },
            length,
            bytes,
        };
        self.push(slot, &packet);
    }
}

/// What is kept of a payload, where `before` bytes of the same came already.
fn beginning<'a>(before: &mut usize, kept_max: usize, bytes: &'a [u8]) -> &'a [u8] {
    let room = kept_max.saturating_sub(*before).max(PIECE_BYTES);
    *before = before.saturating_add(bytes.len());
    bytes.get(..room).unwrap_or(bytes)
}

/// Why a connection failed.
fn words(fault: ConnectionFault) -> Cow<'static, str> {
    match fault {
        ConnectionFault::Refused => failure::REFUSED.into(),
        ConnectionFault::TimedOut => failure::TIMED_OUT.into(),
        ConnectionFault::Reset => failure::RESET.into(),
        ConnectionFault::Tls => failure::TLS.into(),
        ConnectionFault::Ftp(code) => format!("{}{code}", failure::FTP_REPLY).into(),
        ConnectionFault::FtpData => failure::FTP_DATA.into(),
        ConnectionFault::Local => failure::LOCAL.into(),
    }
}

#[cfg(test)]
mod tests;
