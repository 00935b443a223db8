//! The mutants of a server at work: what becomes of the messages that it gets and sends. Delays are
//! kept here in the server's own time, so that they are the same on every attachment.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::{dhcp, port, sip};
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::mutant::{Copied, Engine, Envelope, Mutant, Protocol, Side, Treated};
use bootstorm_scenarios::wire::Way;
use rustc_hash::FxHashMap;

use super::replies::{Endpoint, Replies};
use crate::waiting::Waiting;

/// Transfers whose requests are remembered; with more of them all are forgotten.
const TRANSFERS_MAX: usize = 8_192;
/// Datagrams that wait for their time; more are lost.
const LATE_MAX: usize = 1 << 16;

/// What the mutants of a server do to its messages.
#[derive(Debug)]
pub struct Filter {
    engine: Engine,
    server: Ipv4Addr,
    /// The RRQ of each client's port.
    asked: FxHashMap<SocketAddrV4, Vec<u8>>,
    late: Waiting<Late>,
    /// What the server said before it was looked at.
    pub(super) said: Replies,
}

/// A datagram that waits for its time.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) endpoint: Endpoint,
    pub(super) peer: SocketAddrV4,
    /// The server is to get it; otherwise it sends it.
    pub(super) inbound: bool,
    pub(super) bytes: Vec<u8>,
}

/// What becomes of a message on a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It goes as it is.
    Untouched,
    /// These bytes go in its place, so much later, and then perhaps the connection is closed.
    Instead {
        bytes: Vec<u8>,
        after: Duration,
        close: bool,
    },
}

/// Whose stream it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnStream<'a> {
    pub(super) protocol: Protocol,
    pub(super) peer: SocketAddrV4,
    pub(super) tls: bool,
    /// What it answers.
    pub(super) before: &'a [u8],
}

impl Filter {
    /// A filter for mutants, for a server at this address; `None` where none edits a message.
    pub(super) fn new(mutants: &[Arc<Mutant>], server: Ipv4Addr) -> Option<Self> {
        Some(Self {
            engine: Engine::new(Side::Server, mutants)?,
            server,
            asked: FxHashMap::default(),
            late: Waiting::default(),
            said: Replies::default(),
        })
    }

    /// Whether it has anything to do with a protocol.
    pub(super) fn touches(&self, protocol: Protocol) -> bool {
        let mut ways = [Way::Sent, Way::Received].into_iter();
        ways.any(|way| self.engine.touches(protocol, way))
    }

    /// When the next datagram that waits is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.late.deadline()
    }

    /// The next datagram that is due.
    pub(super) fn due(&mut self, now: Moment) -> Option<Late> {
        self.late.take_due(now).map(|(_, late)| late)
    }

    /// What the server gets in the place of a datagram, at once; what comes later is kept.
    /// `None` = what was sent.
    pub(super) fn inbound(
        &mut self,
        now: Moment,
        at: Endpoint,
        peer: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<Vec<Vec<u8>>> {
        let protocol = protocol_of(at);
        if at == Endpoint::Tftp && self.engine.touches(Protocol::Tftp, Way::Received) {
            if self.asked.len() >= TRANSFERS_MAX {
                self.asked.clear();
            }
            self.asked.insert(peer, bytes.to_vec());
        }
        if !self.engine.touches(protocol, Way::Sent) {
            return None;
        }
        let treated = self.datagram(protocol, Way::Sent, peer, bytes);
        let Treated::Copies { list, .. } = treated else {
            return None;
        };
        let mut now_due = Vec::new();
        for copied in list {
            match copied.after {
                Duration::ZERO => now_due.push(copied.bytes),
                after => self.keep(now + after, at, peer, true, copied.bytes),
            }
        }
        Some(now_due)
    }

    /// Moves what the server said to where it is sent from.
    pub(super) fn outbound(&mut self, now: Moment, replies: &mut Replies) {
        let said = std::mem::take(&mut self.said);
        for (datagram, bytes) in said.iter() {
            let (from, to) = (datagram.from, datagram.to);
            let protocol = protocol_of(from);
            let treated = match self.engine.touches(protocol, Way::Received) {
                true => self.datagram(protocol, Way::Received, to, bytes),
                false => Treated::Untouched,
            };
            let Treated::Copies { list, .. } = treated else {
                replies.send(from, to, |out| out.extend_from_slice(bytes));
                continue;
            };
            for copied in list {
                let from = endpoint(from, copied.port);
                match copied.after {
                    Duration::ZERO => {
                        replies.send(from, to, |out| out.extend_from_slice(&copied.bytes));
                    }
                    after => self.keep(now + after, from, to, false, copied.bytes),
                }
            }
        }
        self.said = said;
        self.said.clear();
    }

    fn keep(
        &mut self,
        at: Moment,
        endpoint: Endpoint,
        peer: SocketAddrV4,
        inbound: bool,
        bytes: Vec<u8>,
    ) {
        if self.late.len() >= LATE_MAX {
            return;
        }
        let late = Late {
            endpoint,
            peer,
            inbound,
            bytes,
        };
        self.late.put(at, late);
    }

    fn datagram(
        &mut self,
        protocol: Protocol,
        way: Way,
        peer: SocketAddrV4,
        bytes: &[u8],
    ) -> Treated {
        let before = match (protocol, way) {
            (Protocol::Tftp, Way::Received) => self.asked.get(&peer).map(Vec::as_slice),
            _ => None,
        };
        let envelope = Envelope {
            protocol,
            way,
            phone: peer,
            peer: SocketAddrV4::new(self.server, port_of(protocol)),
            stream: false,
            tls: false,
            before: before.unwrap_or_default(),
            bytes,
            whom: whom(protocol, peer, bytes),
        };
        self.engine.treat(&envelope, &Fill::default())
    }

    /// What becomes of a message on a stream: a request that the server gets (`Way::Sent`) or what
    /// it answers.
    pub(super) fn on_stream(&mut self, way: Way, stream: OnStream<'_>, bytes: &[u8]) -> Passed {
        if !self.engine.touches(stream.protocol, way) {
            return Passed::Untouched;
        }
        let port = match (stream.protocol, stream.tls) {
            (Protocol::Sip, _) => port::SIP,
            (Protocol::Ftp, _) => 21,
            (_, true) => 443,
            (_, false) => 80,
        };
        let envelope = Envelope {
            protocol: stream.protocol,
            way,
            phone: stream.peer,
            peer: SocketAddrV4::new(self.server, port),
            stream: true,
            tls: stream.tls,
            before: stream.before,
            bytes,
            whom: of_address(stream.peer),
        };
        match self.engine.treat(&envelope, &Fill::default()) {
            Treated::Untouched => Passed::Untouched,
            Treated::Copies { list, close } => Passed::Instead {
                after: list.iter().map(|it| it.after).max().unwrap_or_default(),
                bytes: joined(list),
                close,
            },
        }
    }

    /// The same for everything that was appended to `out` from `start` on; returns how long it is
    /// to wait and whether the connection is closed then.
    pub(super) fn answered(
        &mut self,
        stream: OnStream<'_>,
        start: usize,
        out: &mut Vec<u8>,
    ) -> (Duration, bool) {
        let said = out.get(start..).unwrap_or_default().to_vec();
        if said.is_empty() {
            return (Duration::ZERO, false);
        }
        out.truncate(start);
        let (mut longest, mut closes) = (Duration::ZERO, false);
        let mut rest = said.as_slice();
        while !rest.is_empty() {
            let length = match stream.protocol {
                Protocol::Sip => sip::frame(rest).ok().flatten(),
                Protocol::Ftp => rest.iter().position(|byte| *byte == b'\n').map(|it| it + 1),
                _ => None,
            };
            let (message, behind) = rest.split_at(length.unwrap_or(rest.len()).min(rest.len()));
            rest = behind;
            match self.on_stream(Way::Received, stream, message) {
                Passed::Untouched => out.extend_from_slice(message),
                Passed::Instead {
                    bytes,
                    after,
                    close,
                } => {
                    out.extend_from_slice(&bytes);
                    longest = longest.max(after);
                    closes |= close;
                }
            }
        }
        (longest, closes)
    }
}

fn joined(list: Vec<Copied>) -> Vec<u8> {
    list.into_iter().flat_map(|copied| copied.bytes).collect()
}

fn protocol_of(endpoint: Endpoint) -> Protocol {
    match endpoint {
        Endpoint::Dhcp => Protocol::Dhcp,
        Endpoint::Tftp | Endpoint::Transfer(_) => Protocol::Tftp,
        Endpoint::Sip | Endpoint::Pnp => Protocol::Sip,
        Endpoint::Ntp => Protocol::Ntp,
        Endpoint::Mdns => Protocol::Mdns,
    }
}

fn port_of(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Dhcp => port::DHCP_SERVER,
        Protocol::Tftp => port::TFTP,
        Protocol::Ntp => port::NTP,
        Protocol::Mdns => port::MDNS,
        Protocol::Sip | Protocol::Http | Protocol::Ftp => port::SIP,
    }
}

/// Where a datagram leaves from that is to come from another port, as far as the server has it.
fn endpoint(from: Endpoint, port: Option<u16>) -> Endpoint {
    match (from, port) {
        (Endpoint::Transfer(_), Some(port::TFTP)) => Endpoint::Tftp,
        (from, _) => from,
    }
}

/// A number for each phone: of DHCP its hardware address, else its IP address.
fn whom(protocol: Protocol, peer: SocketAddrV4, bytes: &[u8]) -> u64 {
    let mac = dhcp::chaddr_of(bytes).filter(|_| protocol == Protocol::Dhcp);
    mac.map_or_else(
        || of_address(peer),
        |Mac(octets)| {
            octets
                .into_iter()
                .fold(1, |sum, it| sum << 8 | u64::from(it))
        },
    )
}

fn of_address(peer: SocketAddrV4) -> u64 {
    u64::from(u32::from(*peer.ip()))
}
