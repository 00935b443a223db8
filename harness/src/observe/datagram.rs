//! What UDP carries, and which of it is of a phone's start: leases, TFTP, SIP, multicast DNS, time.
//! The rest (names, voice, discovery of printers) is passed over.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::wire::dhcp::{self, MessageType};
use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::sntp;
use bootstorm_scenarios::wire::Way;

use super::host::Datagram;
use super::observer::{Observer, Seen};

const HEADER_BYTES: usize = 8;
/// Ports of SIP (RFC 3261 §19.1.2).
const SIP: [u16; 2] = [5_060, 5_061];
/// Requests that phones make, and answers.
const ASKS: [&[u8]; 2] = [b"SUBSCRIBE ", b"REGISTER "];
const SIP_VERSION: &[u8] = b"SIP/2.0";
/// Bytes within which the first line of a SIP message has its version.
const FIRST_LINE_BYTES: usize = 512;

/// A datagram with its ends.
#[derive(Debug, Clone, Copy)]
struct Between<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    bytes: &'a [u8],
    length: usize,
}

impl Observer {
    /// Takes a UDP datagram.
    pub(super) fn datagram(&mut self, seen: &Seen<'_>) {
        let Some(between) = read(seen) else {
            return;
        };
        let ports = [between.from.port(), between.to.port()];
        let is_dhcp = |port: &u16| [port::DHCP_SERVER, port::DHCP_CLIENT].contains(port);
        if ports.iter().all(is_dhcp) {
            self.lease(seen, &between);
            return;
        }
        self.recognise(seen, &between);
        self.sent(seen, &between);
        self.received(seen, &between);
    }

    /// A lease: the message says whose it is, whoever passed it on.
    fn lease(&mut self, seen: &Seen<'_>, between: &Between<'_>) {
        let Some(mac) = dhcp::chaddr_of(between.bytes) else {
            return;
        };
        let asked = between.bytes.first() == Some(&dhcp::BOOT_REQUEST);
        if !asked && let Some(server) = seen.sender {
            self.hosts.serves(server);
        }
        let direct = [between.from, between.to]
            .iter()
            .any(|end| end.port() == port::DHCP_CLIENT);
        if let Ok(message) = dhcp::Message::decode(between.bytes) {
            let address = match message.message_type() {
                Some(MessageType::Ack) => message.yiaddr(),
                _ if asked => message.ciaddr(),
                _ => Ipv4Addr::UNSPECIFIED,
            };
            self.learn(address, mac);
        }
        let Some(host) = self.hosts.enlist_phone(mac) else {
            return;
        };
        let held = self.hosts.at(host);
        held.leases_itself |= direct;
        // The same message on the far side of a relay.
        if !direct && held.leases_itself {
            return;
        }
        let (way, phone, peer) = match asked {
            true => (Way::Sent, between.from, between.to),
            false => (Way::Received, between.to, between.from),
        };
        let phone = match phone.ip().is_broadcast() {
            true => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, phone.port()),
            false => phone,
        };
        self.push(seen, host, way, (phone, peer), between);
    }

    /// Whether the sender shows itself to be a phone, or a server.
    fn recognise(&mut self, seen: &Seen<'_>, between: &Between<'_>) {
        let (source, bytes) = (seen.source, between.bytes);
        match between.to.port() {
            port::TFTP if matches!(bytes, [0, 1 | 2, ..]) => {
                if let Some(host) = self.hosts.enlist_phone(source) {
                    self.hosts.at(host).transfer(between.from.port());
                }
            }
            port::NTP
                if bytes
                    .first()
                    .is_some_and(|first| first & 7 == sntp::mode::CLIENT) =>
            {
                self.hosts.enlist(source);
            }
            port::MDNS if bytes.get(2).is_some_and(|flags| flags & 0x80 == 0) => {
                if let Some(host) = self.hosts.enlist(source) {
                    self.hosts.at(host).asks_by_mdns = true;
                }
            }
            _ if ASKS.iter().any(|asks| bytes.starts_with(asks)) => {
                self.hosts.enlist_phone(source);
            }
            _ => {}
        }
    }

    fn sent(&mut self, seen: &Seen<'_>, between: &Between<'_>) {
        let Some(host) = self.hosts.of(seen.source) else {
            return;
        };
        let (phone, peer) = (between.from, between.to);
        if self.is_told(host, phone, peer, between.bytes) {
            self.push(seen, host, Way::Sent, (phone, peer), between);
        }
    }

    fn received(&mut self, seen: &Seen<'_>, between: &Between<'_>) {
        let (phone, peer) = (between.to, between.from);
        if phone.ip().is_multicast() {
            if peer.port() == port::MDNS {
                self.heard(seen, between);
            }
            return;
        }
        let Some(host) = seen.target.and_then(|mac| self.hosts.of(mac)) else {
            return;
        };
        if self.hosts.at(host).transfers_at(phone.port()) {
            self.hosts.serves(seen.source);
        }
        if self.is_told(host, phone, peer, between.bytes) {
            self.push(seen, host, Way::Received, (phone, peer), between);
        }
    }

    /// What everybody hears: whoever asked by multicast DNS is told.
    fn heard(&mut self, seen: &Seen<'_>, between: &Between<'_>) {
        let is_answer = between.bytes.get(2).is_some_and(|flags| flags & 0x80 != 0);
        if !is_answer {
            return;
        }
        for host in 0..self.hosts.list().len() {
            let held = self.hosts.at(host);
            if held.asks_by_mdns && held.mac != seen.source {
                let phone = between.to;
                self.push(seen, host, Way::Received, (phone, between.from), between);
            }
        }
    }

    /// Whether a datagram is of a phone's start.
    fn is_told(
        &mut self,
        host: usize,
        phone: SocketAddrV4,
        peer: SocketAddrV4,
        bytes: &[u8],
    ) -> bool {
        let known = [port::TFTP, port::NTP, port::MDNS];
        known.contains(&peer.port())
            || SIP.contains(&peer.port())
            || SIP.contains(&phone.port())
            || self.hosts.at(host).transfers_at(phone.port())
            || is_sip(bytes)
    }

    fn push(
        &mut self,
        seen: &Seen<'_>,
        host: usize,
        way: Way,
        (phone, peer): (SocketAddrV4, SocketAddrV4),
        between: &Between<'_>,
    ) {
        let datagram = Datagram {
            place: seen.place,
            way,
            phone,
            peer,
            bytes: between.bytes,
            length: between.length,
        };
        self.hosts.datagram(host, &datagram);
    }
}

/// The header (RFC 768) and what follows it.
fn read<'a>(seen: &Seen<'a>) -> Option<Between<'a>> {
    let (head, rest) = seen.packet.bytes.split_first_chunk::<HEADER_BYTES>()?;
    let two = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let there = seen.packet.length - HEADER_BYTES;
    let length = usize::from(two(4)).checked_sub(HEADER_BYTES)?.min(there);
    Some(Between {
        from: seen.from(two(0)),
        to: seen.to(two(2)),
        bytes: rest.get(..length).unwrap_or(rest),
        length,
    })
}

/// A request or an answer, by its first line.
fn is_sip(bytes: &[u8]) -> bool {
    if bytes.starts_with(SIP_VERSION) {
        return true;
    }
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    let begun = bytes.get(..FIRST_LINE_BYTES).unwrap_or(bytes);
    let line = begun.split(|byte| *byte == b'\n').next().unwrap_or(begun);
    line.trim_ascii_end().ends_with(SIP_VERSION)
}
