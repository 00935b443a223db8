//! The simulated network: virtual time, one thread, no sockets. Packets travel through a seeded
//! link; the reference server is called as the value that it is. Equal plans and seeds give equal
//! events, byte for byte.

mod flight;
mod ftp;

mod caller;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bootstorm_emulator::phone::io::{Channel, ConnectionFault, Input, Request};
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp;
use bootstorm_scenarios::scenario::Link;
use rustc_hash::FxHashMap;

use self::flight::{Cargo, Flight};
use super::{channel_of, port_of};
use crate::fleet::shard::{End, Fetch, Network, Opening, Sender, Shard};
use crate::reference::http::connection::{After, Connection};
use crate::reference::mdns::{self, MDNS_PORT};
use crate::reference::notify::Message;
use crate::reference::registrar::SipConnection;
use crate::reference::sntp::NTP_PORT;
use crate::reference::{Endpoint, Reference, Replies};

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
    link: Link,
    /// One generator for each phone's link: what happens to a phone's packets does not depend on
    /// the other phones, so that it can be repeated alone.
    rngs: Vec<Rng>,
    server: Ipv4Addr,
    ports: Ports,
    queue: BinaryHeap<Reverse<Flight>>,
    sent: u64,
    spare: Vec<Vec<u8>>,
    streams: FxHashMap<End, Stream>,
    /// A phone's answer to the request that is being handed over.
    replied: Option<(Request, Vec<u8>)>,
}

/// A TCP connection as the network sees it.
#[derive(Debug)]
struct Stream {
    from: Ipv4Addr,
    server: Service,
    /// Nothing on it arrives before this: TCP keeps its order.
    up: Moment,
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
        let scenario = &shard.plan.scenario;
        let seed = scenario.seed ^ 0x006c_696e_6b00;
        let phones = (0_u32..).map_while(|slot| shard.phone(slot));
        let rngs = phones
            .map(|phone| Rng::for_phone(seed, phone.identity().index))
            .collect();
        let wire = Wire {
            link: scenario.link,
            rngs,
            server: shard.plan.server,
            ports: shard.shelf.ports,
            queue: BinaryHeap::new(),
            sent: 0,
            spare: Vec::new(),
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
        }
    }

    /// When anything happens next.
    fn next(&self) -> Option<Moment> {
        let flight = self.wire.queue.peek().map(|Reverse(flight)| flight.at);
        [flight, self.reference.deadline(), self.shard.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Goes to a moment and does what is due then: arrivals, the server's timers, the phones'.
    fn advance(&mut self, to: Moment) {
        self.now = self.now.max(to);
        while let Some(flight) = self.wire.take_due(self.now) {
            self.arrive(flight);
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
                self.wire.spare.push(bytes);
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
                self.wire.spare.push(bytes);
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
                self.wire.spare.push(bytes);
            }
            Cargo::StreamDown(end, bytes) => {
                if self.wire.streams.contains_key(&end) {
                    let input = Input::Bytes(end.connection, &bytes);
                    self.shard.step(now, end.slot, input, &mut self.wire);
                }
                self.wire.spare.push(bytes);
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
                sip.receive(self.now, peer, &mut self.reference.lines(), bytes, out)
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
        Endpoint::Sip => 5_060,
        Endpoint::Pnp => PNP_PORT,
        Endpoint::Ntp => NTP_PORT,
        Endpoint::Mdns => MDNS_PORT,
    }
}

impl Wire {
    /// The server's endpoint behind a destination, if there is one.
    fn endpoint(&self, to: SocketAddrV4) -> Option<Endpoint> {
        let here = *to.ip() == self.server;
        match to.port() {
            67 if here || to.ip().is_broadcast() => Some(Endpoint::Dhcp),
            69 if here => Some(Endpoint::Tftp),
            NTP_PORT if here => Some(Endpoint::Ntp),
            5_060 if here || *to.ip() == MULTICAST => Some(Endpoint::Sip),
            MDNS_PORT if here || *to.ip() == mdns::GROUP => Some(Endpoint::Mdns),
            PNP_PORT if here => Some(Endpoint::Pnp),
            port if here => {
                let number = port.checked_sub(TRANSFER_PORT)?;
                Some(Endpoint::Transfer(number))
            }
            _ => None,
        }
    }

    fn take_due(&mut self, now: Moment) -> Option<Cargo> {
        let due = self
            .queue
            .peek()
            .is_some_and(|Reverse(flight)| flight.at <= now);
        if due {
            self.queue.pop().map(|Reverse(flight)| flight.cargo)
        } else {
            None
        }
    }

    fn launch(&mut self, at: Moment, cargo: Cargo) {
        self.sent += 1;
        self.queue.push(Reverse(Flight {
            at,
            number: self.sent,
            cargo,
        }));
    }

    fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        copy
    }

    /// How often and when a datagram on a phone's link arrives.
    fn arrivals(&mut self, now: Moment, slot: u32) -> [Option<Moment>; 2] {
        let link = self.link;
        let Some(rng) = self.rngs.get_mut(slot as usize) else {
            return [None, None];
        };
        if rng.chance(link.loss_per_mille) {
            return [None, None];
        }
        let first = arrival(&link, rng, now);
        let twice = rng.chance(link.duplicate_per_mille);
        let second = twice.then(|| arrival(&link, rng, now));
        [Some(first), second]
    }

    fn down(&mut self, now: Moment, slot: u32, channel: Channel, from: SocketAddrV4, bytes: &[u8]) {
        for at in self.arrivals(now, slot).into_iter().flatten() {
            let bytes = self.copy(bytes);
            self.launch(
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
        let delay = self.link.delay;
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        stream.down = stream.down.max(now + delay);
        let at = stream.down;
        let cargo = match bytes {
            Some(bytes) => Cargo::StreamDown(end, self.copy(bytes)),
            None => Cargo::StreamEnd(end),
        };
        self.launch(at, cargo);
    }

    /// The connection breaks after what was written.
    fn stream_broken(&mut self, now: Moment, end: End, fault: ConnectionFault) {
        let delay = self.link.delay;
        if let Some(stream) = self.streams.get(&end) {
            let at = stream.down.max(now + delay);
            self.launch(at, Cargo::Broken(end, fault));
        }
    }
}

/// When a datagram that is not lost arrives.
fn arrival(link: &Link, rng: &mut Rng, now: Moment) -> Moment {
    let jitter = u64::try_from(link.jitter.as_nanos()).unwrap_or(u64::MAX);
    let mut delay = link.delay + Duration::from_nanos(rng.up_to(jitter));
    if rng.chance(link.reorder_per_mille) {
        delay = delay * 2 + link.jitter + Duration::from_millis(1);
    }
    now + delay
}

impl Network for Wire {
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        let Some(endpoint) = self.endpoint(to) else {
            return;
        };
        let peer = SocketAddrV4::new(from.address, port_of(from.channel, self.ports));
        for at in self.arrivals(now, from.slot).into_iter().flatten() {
            let bytes = self.copy(bytes);
            self.launch(
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
            (443, Some(_)) | (80, None) if here => Some(Service::Web(Connection::default())),
            (5_060, None) if here => Some(Service::Sip(SipConnection::default())),
            _ => None,
        };
        // A handshake: there and back, TLS once more.
        let round = self.link.delay * if tls.is_some() { 4 } else { 2 };
        if let Some(server) = service {
            let stream = Stream {
                from,
                server,
                up: now,
                down: now,
            };
            self.streams.insert(end, stream);
            self.launch(now + round, Cargo::Opened(end));
        } else {
            self.launch(now + round, Cargo::Refused(end));
        }
    }

    fn retrieve(&mut self, now: Moment, fetch: Fetch<'_>) {
        let end = fetch.end;
        let at = now + self.link.delay * (2 * ftp::ROUNDS + 1);
        if *fetch.to.ip() != self.server || fetch.to.port() != 21 {
            return self.launch(at, Cargo::Refused(end));
        }
        let stream = Stream {
            from: fetch.from,
            server: Service::Ftp(Box::new(ftp::Asked::of(&fetch))),
            up: now,
            down: now,
        };
        self.streams.insert(end, stream);
        self.launch(at, Cargo::Retrieved(end));
    }

    fn write(&mut self, now: Moment, end: End, bytes: &[u8]) {
        let delay = self.link.delay;
        let Some(stream) = self.streams.get_mut(&end) else {
            return;
        };
        stream.up = stream.up.max(now + delay);
        let at = stream.up;
        let bytes = self.copy(bytes);
        self.launch(at, Cargo::StreamUp(end, bytes));
    }

    fn close(&mut self, _now: Moment, end: End) {
        self.streams.remove(&end);
    }

    fn reply(&mut self, _now: Moment, request: Request, bytes: &[u8]) {
        self.replied = Some((request, bytes.to_vec()));
    }
}
