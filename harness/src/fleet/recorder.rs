//! What the phones of a shard send and receive, for judging and for captures.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::phone::io::{Channel, Connection, FtpMode, Input};
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::record::Record;
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way};
use rustc_hash::FxHashMap;

use super::shard::{End, Fetch};
use crate::attach::port_of;

/// The first of the ports that stand for the phones' ends of TCP connections.
const FIRST_TCP_PORT: u16 = 40_000;

/// Records of a shard's phones, by slot.
#[derive(Debug)]
pub struct Recorder {
    records: Vec<Record>,
    ports: Ports,
    streams: FxHashMap<End, Stream>,
}

/// A connection of a phone.
#[derive(Debug, Clone, Copy)]
struct Stream {
    phone: SocketAddrV4,
    peer: SocketAddrV4,
    tls: bool,
}

/// A phone at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) now: Moment,
    pub(super) slot: u32,
    pub(super) address: Ipv4Addr,
}

impl Recorder {
    /// Empty records for so many phones, each of `bytes_max` bytes at most.
    #[must_use]
    pub fn new(phones: usize, bytes_max: usize, ports: Ports) -> Self {
        Self {
            records: (0..phones).map(|_| Record::new(bytes_max)).collect(),
            ports,
            streams: FxHashMap::default(),
        }
    }

    /// The records, by slot.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    fn push(&mut self, slot: u32, packet: &Packet<'_>) {
        if let Some(record) = self.records.get_mut(slot as usize) {
            record.push(packet);
        }
    }

    /// What comes to a phone.
    pub(super) fn input(&mut self, at: At, input: &Input<'_>) {
        match input {
            Input::Datagram {
                channel,
                from,
                bytes,
            } => self.datagram(at, Way::Received, *channel, *from, bytes),
            Input::Opened(connection) => self.part(at, *connection, Way::Received, Part::Opened),
            Input::Bytes(connection, bytes) => {
                self.data(at, *connection, Way::Received, bytes);
            }
            Input::Closed(connection) => self.part(at, *connection, Way::Received, Part::Closed),
            Input::Failed(connection, _) => {
                self.part(at, *connection, Way::Received, Part::Failed);
            }
            _ => {}
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
        let packet = Packet {
            at: at.now,
            way,
            phone,
            peer,
            carrier: Carrier::Udp,
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
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
        let stream = Stream {
            phone: SocketAddrV4::new(at.address, port),
            peer,
            tls,
        };
        let end = End {
            slot: at.slot,
            connection,
        };
        self.streams.insert(end, stream);
        self.part(at, connection, Way::Sent, Part::Opening);
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
        self.data(at, connection, Way::Sent, said.as_bytes());
    }

    /// Bytes of a connection.
    pub(super) fn data(&mut self, at: At, connection: Connection, way: Way, bytes: &[u8]) {
        self.of_stream(at, connection, way, Part::Data, bytes);
    }

    /// Another part of a connection.
    pub(super) fn part(&mut self, at: At, connection: Connection, way: Way, part: Part) {
        self.of_stream(at, connection, way, part, &[]);
        if matches!(part, Part::Closed | Part::Failed) {
            let slot = at.slot;
            self.streams.remove(&End { slot, connection });
        }
    }

    fn of_stream(&mut self, at: At, connection: Connection, way: Way, part: Part, bytes: &[u8]) {
        let slot = at.slot;
        let Some(stream) = self.streams.get(&End { slot, connection }).copied() else {
            return;
        };
        let packet = Packet {
            at: at.now,
            way,
            phone: stream.phone,
            peer: stream.peer,
            carrier: Carrier::Tcp {
                connection: u32::from(connection.0),
                part,
                tls: stream.tls,
            },
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            bytes,
        };
        self.push(slot, &packet);
    }
}
