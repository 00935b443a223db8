//! The simulated network: virtual time, one thread, no sockets. Packets travel through a seeded
//! link; the reference server is called as the value that it is. Equal plans and seeds give equal
//! events, byte for byte.

mod flight;
mod ftp;

mod caller;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bootstorm_emulator::phone::io::{Channel, ConnectionFault, Input, Request};
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::{dhcp, port};
use bootstorm_scenarios::link::{Flow, Lines, Link, Told};
use bootstorm_scenarios::wire::Way;
use rustc_hash::FxHashMap;

use self::flight::Cargo;
use super::buffers::Buffers;
use super::port::{channel_of, port_of};
use super::{FTP_ROUNDS, lines};
use crate::fleet::shard::{End, Fetch, Network, Opening, Sender, Shard};
use crate::reference::http::connection::{After, Connection};
use crate::reference::mdns;
use crate::reference::notify::Message;
use crate::reference::registrar::SipConnection;
use crate::reference::{Endpoint, Reference, Replies};
use crate::waiting::Waiting;

/// The server's SIP address for multicast.
const MULTICAST: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
/// The first port of the server's TFTP transfers.
const TRANSFER_PORT: u16 = 20_000;
/// The port that PnP answers come from, as in the trace (FLY-46).
const PNP_PORT: u16 = 7_777;
/// Phones ticked before packets that arrived meanwhile are looked at.
const TICKS: usize = 64;

/// A simulated network between one shard and a reference server.
#[derive(Debug)]
pub struct Simulation {
    shard: Shard,
    wire: Wire,
    reference: Reference,
    replies: Replies,
    scratch: Vec<u8>,
    now: Moment,
}

/// What is on its way.
#[derive(Debug)]
struct Wire {
    /// The phones' links, where any has conditions.
    lines: Option<Lines>,
    server: Ipv4Addr,
    ports: Ports,
    queue: Waiting<Cargo>,
    buffers: Buffers,
    streams: FxHashMap<End, Stream>,
    /// A phone's answer to the request that is being handed over.
    replied: Option<(Request, Vec<u8>)>,
}

/// A TCP connection as the network sees it.
#[derive(Debug)]
struct Stream {
    from: Ipv4Addr,
    server: Service,
    /// Where its phone's link has conditions.
    flow: Option<Flow>,
    /// The server's last byte arrives then: TCP keeps its order.
    down: Moment,
}

/// The server's end of a connection.
#[derive(Debug)]
enum Service {
    Web(Connection),
    Sip(SipConnection),
    Ftp(Box<ftp::Asked>),
}

impl Simulation {
    /// A network between the shard's phones and the server, with the conditions of the plan.
    #[must_use]
    pub fn new(shard: Shard, reference: Reference) -> Self {
        let wire = Wire {
            lines: lines(&shard),
            server: shard.plan.server,
            ports: shard.shelf.ports,
            queue: Waiting::default(),
            buffers: Buffers::default(),
            streams: FxHashMap::default(),
            replied: None,
        };
        let (replies, scratch) = (Replies::default(), Vec::new());
        Self {
            shard,
            wire,
            reference,
            replies,
            scratch,
            now: Moment::ZERO,
        }
    }

    /// Runs until every phone is at rest, `deadline` has come or `stop` is raised; the shard is
    /// over then.
    #[must_use]
    pub fn run(mut self, deadline: Duration, stop: &AtomicBool) -> Outcome {
        let end = Moment::ZERO + deadline;
        while !self.shard.is_over() && !stop.load(Ordering::Relaxed) {
            match self.next() {
                Some(next) if next <= end => self.advance(next),
                _ => {
                    self.now = end;
                    break;
                }
            }
        }
        Outcome {
            shard: self.shard,
            reference: self.reference,
            ended: self.now,
            links: self
                .wire
                .lines
                .map_or_else(Told::default, |it| it.tally().told()),
        }
    }

    /// When anything happens next.
    fn next(&self) -> Option<Moment> {
        let flight = self.wire.queue.deadline();
        [flight, self.reference.deadline(), self.shard.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Goes to a moment and does what is due then: arrivals, the server's timers, the phones'.
    fn advance(&mut self, to: Moment) {
        self.now = self.now.max(to);
        while let Some((_, cargo)) = self.wire.queue.take_due(self.now) {
            self.arrive(cargo);
        }
        if self.reference.deadline().is_some_and(|at| at <= self.now) {
            self.reference.tick(self.now, &mut self.replies);
            self.answer();
        }
        self.shard.tick(self.now, TICKS, &mut self.wire);
        while let Some(batch) = self.shard.due_step(self.now) {
            match batch.message() {
                Message::ConnectionRequest => self.call(&batch),
                _ => self.reference.order(self.now, &batch),
            }
        }
    }

    fn arrive(&mut self, cargo: Cargo) {
        let now = self.now;
        match cargo {
            Cargo::Up { to, from, bytes } => {
                self.reference
                    .datagram(now, to, from, &bytes, &mut self.replies);
                self.wire.buffers.take_back(bytes);
                self.answer();
            }
            Cargo::Down {
                slot,
                channel,
                from,
                bytes,
            } => {
                let input = Input::Datagram {
                    channel,
                    from,
                    bytes: &bytes,
                };
                self.shard.step(now, slot, input, &mut self.wire);
                self.wire.buffers.take_back(bytes);
            }
            Cargo::Opened(end) => {
                self.shard
                    .step(now, end.slot, Input::Opened(end.connection), &mut self.wire);
            }
            Cargo::Refused(end) => {
                let input = Input::Failed(end.connection, ConnectionFault::Refused);
                self.shard.step(now, end.slot, input, &mut self.wire);
            }
            Cargo::Broken(end, fault) => {
                if self.wire.streams.remove(&end).is_some() {
                    let input = Input::Failed(end.connection, fault);
                    self.shard.step(now, end.slot, input, &mut self.wire);
                }
            }
            Cargo::Retrieved(end) => self.retrieved(end),
            Cargo::StreamUp(end, bytes) => {
                self.served(end, &bytes);
                self.wire.buffers.take_back(bytes);
            }
            Cargo::StreamDown(end, bytes) => {
                if self.wire.streams.contains_key(&end) {
                    let input = Input::Bytes(end.connection, &bytes);
                    self.shard.step(now, end.slot, input, &mut self.wire);
                }
                self.wire.buffers.take_back(bytes);
            }
            Cargo::StreamEnd(end) => {
                if self.wire.streams.remove(&end).is_some() {
                    let input = Input::Closed(end.connection);
                    self.shard.step(now, end.slot, input, &mut self.wire);
                }
            }
        }
    }

    /// The server takes bytes of a connection and answers.
    fn served(&mut self, end: End, bytes: &[u8]) {
        let Some(stream) = self.wire.streams.get_mut(&end) else {
            return;
        };
        let peer = SocketAddrV4::new(stream.from, FIRST_TCP_PORT + end.connection.0 % 10_000);
        self.scratch.clear();
        let out = &mut self.scratch;
        let mut leaves = self.now;
        let after = match &mut stream.server {
            Service::Web(web) => {
                let after = web.receive(self.now, peer, &mut self.reference.site(), bytes, out);
                leaves = leaves + web.wait();
                after
            }
            Service::Sip(sip) => {
                let lines = &mut self.reference.lines();
                let after = sip.receive(self.now, peer, lines, bytes, out);
                leaves = leaves + sip.wait();
                after
            }
            Service::Ftp(_) => After::Close,
        };
        if !self.scratch.is_empty() {
            let answer = self.scratch.as_slice();
            self.wire.stream_down(leaves, end, Some(answer));
        }
        if after == After::Close {
            self.wire.stream_down(leaves, end, None);
        }
    }

    /// The server sends a file, or says why not.
    fn retrieved(&mut self, end: End) {
        let Some(stream) = self.wire.streams.get(&end) else {
            return;
        };
        let Service::Ftp(asked) = &stream.server else {
            return;
        };
        let told = asked.answered(&mut self.reference.ftp, self.wire.server);
        let piece = told.drip.map_or(PIECE_BYTES, |_| 1);
        let mut at = self.now;
        let bytes = told.bytes.get(..told.length).unwrap_or_default();
        for part in bytes.chunks(piece) {
            self.wire.stream_down(at, end, Some(part));
            at = at + told.drip.unwrap_or_default();
        }
        match told.end {
            ftp::End::Complete => self.wire.stream_down(at, end, None),
            ftp::End::Silence => {}
            ftp::End::Failed(fault) => self.wire.stream_broken(at, end, fault),
        }
    }

    /// Sends the server's datagrams off.
    fn answer(&mut self) {
        for (datagram, bytes) in self.replies.iter() {
            let from = SocketAddrV4::new(self.wire.server, server_port(datagram.from));
            let target = match datagram.from {
                Endpoint::Dhcp => dhcp_client(&self.shard, bytes),
                _ => self
                    .shard
                    .with_address(*datagram.to.ip())
                    .zip(channel_of(datagram.to.port(), self.wire.ports)),
            };
            if let Some((slot, channel)) = target {
                self.wire.down(self.now, slot, channel, from, bytes);
            }
        }
        self.replies.clear();
    }
}

/// What a simulation comes to.
#[derive(Debug)]
pub struct Outcome {
    /// The shard, ready to close its books.
    pub shard: Shard,
    /// The server as it was left.
    pub reference: Reference,
    /// When it ended, in virtual time.
    pub ended: Moment,
    /// What befell the phones' packets.
    pub links: Told,
}

/// Bytes of a file that arrive at one time.
const PIECE_BYTES: usize = 16 << 10;
const FIRST_TCP_PORT: u16 = 40_000;

/// The phone that a DHCP answer is for: by its hardware address, as on a segment.
fn dhcp_client(shard: &Shard, bytes: &[u8]) -> Option<(u32, Channel)> {
    let mac = dhcp::chaddr_of(bytes)?;
    Some((shard.with_mac(mac)?, Channel::Dhcp))
}

fn server_port(endpoint: Endpoint) -> u16 {
    match endpoint {
        Endpoint::Dhcp => 67,
        Endpoint::Tftp => 69,
        Endpoint::Transfer(number) => TRANSFER_PORT + number,
        Endpoint::Sip => port::SIP,
        Endpoint::Pnp => PNP_PORT,
        Endpoint::Ntp => port::NTP,
        Endpoint::Mdns => port::MDNS,
    }
}

impl Wire {
    /// The server's endpoint behind a destination, if there is one.
    fn endpoint(&self, to: SocketAddrV4) -> Option<Endpoint> {
        let here = *to.ip() == self.server;
        match to.port() {
            67 if here || to.ip().is_broadcast() => Some(Endpoint::Dhcp),
            69 if here => Some(Endpoint::Tftp),
            port::NTP if here => Some(Endpoint::Ntp),
            port::SIP if here || *to.ip() == MULTICAST => Some(Endpoint::Sip),
            port::MDNS if here || *to.ip() == mdns::GROUP => Some(Endpoint::Mdns),
            PNP_PORT if here => Some(Endpoint::Pnp),
            port if here => {
                let number = port.checked_sub(TRANSFER_PORT)?;
                Some(Endpoint::Transfer(number))
            }
            _ => None,
        }
    }

    /// How often and when a datagram on a phone's link arrives.
    fn arrivals(&mut self, now: Moment, slot: u32, way: Way, bytes: usize) -> [Option<Moment>; 2] {
        match &mut self.lines {
            Some(lines) => lines.datagram(slot, way, now, bytes),
            None => [Some(now), None],
        }
    }

    /// The conditions of a phone's link.
    fn link(&self, slot: u32) -> Link {
        let lines = self.lines.as_ref();
        lines.map_or_else(Link::default, |lines| lines.link(slot))
    }

    fn down(&mut self, now: Moment, slot: u32, channel: Channel, from: SocketAddrV4, bytes: &[u8]) {
        let arrivals = self.arrivals(now, slot, Way::Received, bytes.len());
        for at in arrivals.into_iter().flatten() {
            let bytes = self.buffers.copy(bytes);
            self.queue.put(
                at,
                Cargo::Down {
                    slot,
                    channel,
                    from,
                    bytes,
                },
            );
        }
    }

    /// The server writes (or, without bytes, closes).
    fn stream_down(&mut self, now: Moment, end: End, bytes: Option<&[u8]>) {
        let Some(mut rest) = bytes else {
            if let Some(at) = self.last_word(now, end) {
                self.queue.put(at, Cargo::StreamEnd(end));
            }
            return;
        };
        while let Some(stream) = self.streams.get_mut(&end).filter(|_| !rest.is_empty()) {
            let (piece, at, reset) = match &mut stream.flow {
                Some(flow) => {
                    let passage = flow.down(now, rest.len());
                    (passage.bytes, passage.at, passage.reset)
                }
                None => (rest.len(), now, false),
            };
            stream.down = stream.down.max(at);
            let at = stream.down;
            let (now, later) = rest.split_at(piece);
            rest = later;
            if !now.is_empty() {
                let bytes = self.buffers.copy(now);
                self.queue.put(at, Cargo::StreamDown(end, bytes));
            }
            if reset {
                self.queue
                    .put(at, Cargo::Broken(end, ConnectionFault::Reset));
                return;
            }
        }
    }

    /// The connection breaks after what was written.
    fn stream_broken(&mut self, now: Moment, end: End, fault: ConnectionFault) {
        if let Some(at) = self.last_word(now, end) {
            self.queue.put(at, Cargo::Broken(end, fault));
        }
    }

    /// When the end of a connection arrives: after all that was written on it.
    fn last_word(&self, now: Moment, end: End) -> Option<Moment> {
        let stream = self.streams.get(&end)?;
        let closing = stream.flow.as_ref().map_or(now, |flow| flow.closing(now));
        Some(stream.down.max(closing))
    }
}

impl Network for Wire {
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        let Some(endpoint) = self.endpoint(to) else {
            return;
        };
        let peer = SocketAddrV4::new(from.address, port_of(from.channel, self.ports));
        let arrivals = self.arrivals(now, from.slot, Way::Sent, bytes.len());
        for at in arrivals.into_iter().flatten() {
            let bytes = self.buffers.copy(bytes);
            self.queue.put(
                at,
                Cargo::Up {
                    to: endpoint,
                    from: peer,
                    bytes,
                },
            );
        }
    }

    fn open(&mut self, now: Moment, opening: Opening<'_>) {
        let Opening { end, from, to, tls } = opening;
        let here = *to.ip() == self.server;
        let service = match (to.port(), tls) {
            (443, Some(_)) if here => Some(Service::Web(Connection::secure())),
            (80, None) if here => Some(Service::Web(Connection::default())),
            (port::SIP, None) if here => Some(Service::Sip(SipConnection::default())),
            _ => None,
        };
        let flow = self.lines.as_mut().and_then(|lines| lines.flow(end.slot));
        let handshake = flow.as_ref().map(|flow| flow.handshake(tls.is_some()));
        let at = now + handshake.unwrap_or_default();
        if let Some(server) = service {
            let stream = Stream {
                from,
                server,
                flow,
                down: now,
            };
            self.streams.insert(end, stream);
            self.queue.put(at, Cargo::Opened(end));
        } else {
            self.queue.put(at, Cargo::Refused(end));
        }
    }

    fn retrieve(&mut self, now: Moment, fetch: Fetch<'_>) {
        let end = fetch.end;
        let flow = self.lines.as_mut().and_then(|lines| lines.flow(end.slot));
        let delay = flow.as_ref().map(Flow::delay).unwrap_or_default();
        let at = now + delay * (2 * FTP_ROUNDS + 1);
        if *fetch.to.ip() != self.server || fetch.to.port() != 21 {
            return self.queue.put(at, Cargo::Refused(end));
        }
        let stream = Stream {
            from: fetch.from,
            server: Service::Ftp(Box::new(ftp::Asked::of(&fetch))),
            flow,
            down: now,
        };
        self.streams.insert(end, stream);
        self.queue.put(at, Cargo::Retrieved(end));
    }

    fn write(&mut self, now: Moment, end: End, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        let at = match &mut stream.flow {
            Some(flow) => flow.up(now, bytes.len()),
            None => now,
        };
        let bytes = self.buffers.copy(bytes);
        self.queue.put(at, Cargo::StreamUp(end, bytes));
    }

    fn close(&mut self, _now: Moment, end: End) {
        self.streams.remove(&end);
    }

    fn reply(&mut self, _now: Moment, request: Request, bytes: &[u8]) {
        self.replied = Some((request, bytes.to_vec()));
    }
}
