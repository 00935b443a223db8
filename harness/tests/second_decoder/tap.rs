//! A boot in memory with a tap: phones and the reference server as values, every packet between
//! them kept. Packets arrive at once, in the order in which they were sent; TLS is left out, so
//! what would be inside it is written as HTTP at port 443's place, port 80. An FTP dialogue is held
//! in one go, as its driver holds it.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm::fleet::progress::Progress;
use bootstorm::fleet::shard::{End, Fetch, Network, Opening, Sender, Shard};
use bootstorm::provision::{self, SIMULATED_POOL};
use bootstorm::reference::http::connection::{After, Connection};
use bootstorm::reference::registrar::SipConnection;
use bootstorm::reference::{Endpoint, Reference, Replies};
use bootstorm_emulator::phone::io::{Channel, ConnectionFault, Input, Request};
use bootstorm_emulator::shelf::{Ports, Shelf};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp;
use bootstorm_scenarios::plan::Plan;

use crate::capture::{Capture, Way};
use crate::talk::{Asked, Talk};

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
    Retrieving(End, Asked),
}

struct Stream {
    server: Service,
    talk: Talk,
}

/// The server's end of a connection.
enum Service {
    Web(Connection),
    Sip(SipConnection),
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
            Cargo::Retrieving(end, asked) => {
                let said = asked.held(&mut self.capture, at(now), &mut reference.ftp);
                let last = match said {
                    Ok(bytes) => {
                        shard.step(now, end.slot, Input::Bytes(end.connection, &bytes), self);
                        Input::Closed(end.connection)
                    }
                    Err(code) => Input::Failed(end.connection, ConnectionFault::Ftp(code)),
                };
                shard.step(now, end.slot, last, self);
            }
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
        let phone = stream.talk.opener;
        let after = match &mut stream.server {
            Service::Web(web) => web.receive(now, phone, &mut reference.site(), bytes, &mut answer),
            Service::Sip(sip) => {
                sip.receive(now, phone, &mut reference.lines(), bytes, &mut answer)
            }
        };
        stream.talk.down(&mut self.capture, at(now), &answer);
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
        let (server, port) = match (to.port(), tls) {
            (80, None) | (443, Some(_)) => (Service::Web(Connection::default()), 80),
            (5_060, None) => (Service::Sip(SipConnection::default()), 5_060),
            other => panic!("a connection to {other:?}"),
        };
        let phone = SocketAddrV4::new(from, tcp_port(end));
        let server_at = SocketAddrV4::new(self.server, port);
        let talk = Talk::open(&mut self.capture, at(now), phone, server_at);
        let stream = Stream { server, talk };
        self.streams.insert(end, stream);
        self.queue.push_back(Cargo::Opened(end));
    }

    fn retrieve(&mut self, _now: Moment, fetch: Fetch<'_>) {
        let asked = Asked::of(&fetch, tcp_port(fetch.end));
        self.queue.push_back(Cargo::Retrieving(fetch.end, asked));
    }

    fn write(&mut self, now: Moment, end: End, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        stream.talk.up(&mut self.capture, at(now), bytes);
        self.queue.push_back(Cargo::Written(end, bytes.to_vec()));
    }

    fn close(&mut self, now: Moment, end: End) {
        if let Some(stream) = self.streams.remove(&end) {
            stream.talk.close(&mut self.capture, at(now));
        }
    }

    fn reply(&mut self, _now: Moment, _request: Request, _bytes: &[u8]) {}
}

/// A phone numbers the connections of its sessions apart from the others.
fn tcp_port(end: End) -> u16 {
    FIRST_TCP + end.connection.0 % 10_000
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
