//! A boot in memory with a tap: phones and the reference server as values, every packet between
//! them kept. Packets arrive at once, in the order in which they were sent; TLS is left out, so
//! what would be inside it is written as HTTP at port 443's place, port 80.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm::fleet::progress::Progress;
use bootstorm::fleet::shard::{End, Fetch, Network, Opening, Sender, Shard};
use bootstorm::provision::{self, SIMULATED_POOL};
use bootstorm::reference::http::connection::{After, Connection};
use bootstorm::reference::{Endpoint, Reference, Replies};
use bootstorm_emulator::phone::io::{Channel, Input, Request};
use bootstorm_emulator::shelf::{Ports, Shelf};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp;
use bootstorm_scenarios::plan::Plan;

use crate::capture::{ACK, Capture, FIN, Place, SYN, Way};

const PORTS: Ports = Ports {
    sip: 5_060,
    pnp: 49_152,
    cwmp: 7_547,
};
const FRESH: u16 = 49_200;
const TRANSFER: u16 = 20_000;
const RESPONDER: u16 = 7_777;
const FIRST_TCP: u16 = 33_000;

/// The tapped wire.
struct Wire {
    capture: Capture,
    server: Ipv4Addr,
    queue: VecDeque<Cargo>,
    streams: HashMap<End, Stream>,
}

enum Cargo {
    Datagram(SocketAddrV4, SocketAddrV4, Vec<u8>),
    Opened(End),
    Written(End, Vec<u8>),
}

struct Stream {
    server: Connection,
    phone: SocketAddrV4,
    up: u32,
    down: u32,
}

/// Boots every phone of a plan; the capture.
pub(crate) fn boot(plan: &Arc<Plan>) -> Vec<u8> {
    let source = provision::tree(plan).expect("content");
    let mut reference = Reference::new(provision::reference(plan, source, SIMULATED_POOL));
    let mut shelf = Shelf::new(plan.profiles.clone());
    shelf.time_scale = plan.scenario.time_scale;
    shelf.ports = PORTS;
    shelf.hosts = plan.hosts().into_iter().collect();
    let progress = Arc::<Progress>::default();
    let mut shard = Shard::new(Arc::clone(plan), shelf, 0..plan.phones(), progress, false);
    let mut wire = Wire {
        capture: Capture::new(),
        server: plan.server,
        queue: VecDeque::new(),
        streams: HashMap::new(),
    };
    let mut replies = Replies::default();
    let mut now = Moment::ZERO;
    while !shard.is_over() {
        let due = [shard.deadline(), reference.deadline()];
        now = now.max(due.into_iter().flatten().min().expect("something is due"));
        assert!(now <= Moment::ZERO + plan.scenario.deadline, "not settled");
        reference.tick(now, &mut replies);
        wire.answer(now, &shard, &mut replies);
        shard.tick(now, 64, &mut wire);
        while let Some(cargo) = wire.queue.pop_front() {
            wire.arrive(now, cargo, &mut shard, &mut reference, &mut replies);
        }
    }
    wire.capture.into_bytes()
}

impl Wire {
    fn arrive(
        &mut self,
        now: Moment,
        cargo: Cargo,
        shard: &mut Shard,
        reference: &mut Reference,
        replies: &mut Replies,
    ) {
        match cargo {
            Cargo::Datagram(from, to, bytes) if self.endpoint(to).is_some() => {
                let endpoint = self.endpoint(to).expect("looked at");
                reference.datagram(now, endpoint, from, &bytes, replies);
                self.answer(now, shard, replies);
            }
            Cargo::Datagram(from, to, bytes) => {
                let slot = if to.port() == 68 {
                    dhcp::chaddr_of(&bytes).and_then(|mac| shard.with_mac(mac))
                } else {
                    shard.with_address(*to.ip())
                };
                let bytes = &bytes;
                let channel = channel(to.port());
                let input = Input::Datagram {
                    channel,
                    from,
                    bytes,
                };
                shard.step(now, slot.expect("somebody's"), input, self);
            }
            Cargo::Opened(end) => {
                shard.step(now, end.slot, Input::Opened(end.connection), self);
            }
            Cargo::Written(end, bytes) => self.served(now, end, &bytes, shard, reference),
        }
    }

    /// The server takes bytes of a stream; the phone takes its answer.
    fn served(
        &mut self,
        now: Moment,
        end: End,
        bytes: &[u8],
        shard: &mut Shard,
        reference: &mut Reference,
    ) {
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        let mut answer = Vec::new();
        let server = &mut stream.server;
        let after = server.receive(now, stream.phone, &mut reference.site(), bytes, &mut answer);
        let way = Way {
            at: at(now),
            from: SocketAddrV4::new(self.server, 80),
            to: stream.phone,
        };
        let place = Place {
            sequence: stream.down,
            acknowledged: stream.up,
        };
        stream.down = self.capture.stretch(way, place, &answer);
        if !answer.is_empty() {
            shard.step(now, end.slot, Input::Bytes(end.connection, &answer), self);
        }
        if after == After::Close && self.streams.contains_key(&end) {
            self.close(now, end);
            shard.step(now, end.slot, Input::Closed(end.connection), self);
        }
    }

    /// The server's datagrams leave.
    fn answer(&mut self, now: Moment, shard: &Shard, replies: &mut Replies) {
        for (datagram, bytes) in replies.iter() {
            let from = SocketAddrV4::new(self.server, server_port(datagram.from));
            let mut to = datagram.to;
            if to.ip().is_unspecified() {
                to = SocketAddrV4::new(Ipv4Addr::BROADCAST, to.port());
            }
            if datagram.from == Endpoint::Dhcp {
                to.set_port(68);
            } else {
                assert!(shard.with_address(*to.ip()).is_some(), "{to} is nobody");
            }
            self.keep(now, from, to, bytes);
        }
        replies.clear();
    }

    fn keep(&mut self, now: Moment, from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) {
        let way = Way {
            at: at(now),
            from,
            to,
        };
        self.capture.datagram(way, bytes);
        self.queue
            .push_back(Cargo::Datagram(from, to, bytes.to_vec()));
    }

    fn endpoint(&self, to: SocketAddrV4) -> Option<Endpoint> {
        let here = *to.ip() == self.server;
        match to.port() {
            67 => Some(Endpoint::Dhcp),
            69 if here => Some(Endpoint::Tftp),
            123 if here => Some(Endpoint::Ntp),
            5_353 => Some(Endpoint::Mdns),
            5_060 if here || to.ip().is_multicast() => Some(Endpoint::Sip),
            RESPONDER if here => Some(Endpoint::Pnp),
            123 if here => Some(Endpoint::Ntp),
            port if here => port.checked_sub(TRANSFER).map(Endpoint::Transfer),
            _ => None,
        }
    }
}

impl Network for Wire {
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        let port = match from.channel {
            Channel::Dhcp => 68,
            Channel::Sip => PORTS.sip,
            Channel::Pnp => PORTS.pnp,
            Channel::Fresh(number) => FRESH + number,
        };
        self.keep(now, SocketAddrV4::new(from.address, port), to, bytes);
    }

    fn open(&mut self, now: Moment, opening: Opening<'_>) {
        let Opening { end, from, to, tls } = opening;
        assert!(matches!((to.port(), tls), (80, None) | (443, Some(_))));
        let phone = SocketAddrV4::new(from, FIRST_TCP + end.connection.0);
        let server = SocketAddrV4::new(self.server, 80);
        let there = Way {
            at: at(now),
            from: phone,
            to: server,
        };
        let back = Way {
            at: at(now),
            from: server,
            to: phone,
        };
        let place = |sequence, acknowledged| Place {
            sequence,
            acknowledged,
        };
        self.capture.segment(there, place(0, 0), SYN, &[]);
        self.capture.segment(back, place(0, 1), SYN | ACK, &[]);
        self.capture.segment(there, place(1, 1), ACK, &[]);
        let stream = Stream {
            server: Connection::default(),
            phone,
            up: 1,
            down: 1,
        };
        self.streams.insert(end, stream);
        self.queue.push_back(Cargo::Opened(end));
    }

    fn retrieve(&mut self, _now: Moment, fetch: Fetch<'_>) {
        panic!("{} asks by FTP, which is left out here", fetch.from);
    }

    fn write(&mut self, now: Moment, end: End, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        let way = Way {
            at: at(now),
            from: stream.phone,
            to: SocketAddrV4::new(self.server, 80),
        };
        let place = Place {
            sequence: stream.up,
            acknowledged: stream.down,
        };
        stream.up = self.capture.stretch(way, place, bytes);
        self.queue.push_back(Cargo::Written(end, bytes.to_vec()));
    }

    fn close(&mut self, now: Moment, end: End) {
        let Some(stream) = self.streams.remove(&end) else {
            return;
        };
        let way = Way {
            at: at(now),
            from: stream.phone,
            to: SocketAddrV4::new(self.server, 80),
        };
        let place = Place {
            sequence: stream.up,
            acknowledged: stream.down,
        };
        self.capture.segment(way, place, FIN | ACK, &[]);
    }

    fn reply(&mut self, _now: Moment, _request: Request, _bytes: &[u8]) {}
}

fn at(now: Moment) -> Duration {
    now.since(Moment::ZERO)
}

fn channel(port: u16) -> Channel {
    match port {
        68 => Channel::Dhcp,
        port if port == PORTS.sip => Channel::Sip,
        port if port == PORTS.pnp => Channel::Pnp,
        port => Channel::Fresh(port - FRESH),
    }
}

fn server_port(endpoint: Endpoint) -> u16 {
    match endpoint {
        Endpoint::Dhcp => 67,
        Endpoint::Tftp => 69,
        Endpoint::Transfer(number) => TRANSFER + number,
        Endpoint::Sip => 5_060,
        Endpoint::Pnp => RESPONDER,
        Endpoint::Ntp => 123,
        Endpoint::Mdns => 5_353,
    }
}
