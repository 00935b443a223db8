//! Phones that are listened to: each with its record and what is known of it.

use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::record::{Pool, Record};
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way};
use rustc_hash::FxHashMap;

use super::Limits;
use crate::fleet::recorder::PIECE_BYTES;

/// Transfers by TFTP whose ports are remembered of one phone.
const TRANSFERS_MAX: usize = 256;
/// Packets whose places in the capture are remembered of one phone, and of all together.
const NUMBERS_MAX: usize = 1 << 16;
const NUMBERS_TOTAL_MAX: usize = 1 << 21;
/// TLS connections told of one phone.
const SECURED_MAX: usize = 64;
/// Memory of records that were let go, kept for the next ones.
const SPARE_BYTES: usize = 4 << 20;

/// A TLS connection of a phone: what can be seen of it from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secured {
    /// When the phone said hello.
    pub at: Moment,
    /// Whom to.
    pub peer: SocketAddrV4,
    /// The name that it asked for (RFC 6066 §3).
    pub name: Option<String>,
    /// The version that the server chose, as on the wire: 0x0303 is TLS 1.2.
    pub version: Option<u16>,
    /// Why it came to nothing.
    pub fault: Option<String>,
}

/// A station with a record.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) mac: Mac,
    pub(super) record: Record,
    /// It did what only phones and their like do: asked for a lease, a file by TFTP, by SIP.
    pub(super) strong: bool,
    /// It answered somebody's requests.
    pub(super) serves: bool,
    /// Its lease is asked for in its own frames, not only in those of a relay.
    pub(super) leases_itself: bool,
    pub(super) asks_by_mdns: bool,
    pub(super) secured: Vec<Secured>,
    /// Segments that the capture does not have.
    pub(super) missing: u64,
    /// Packets that were cut when they were captured.
    pub(super) cut: u64,
    /// Ports of transfers, and how many bytes came; the newest last.
    transfers: VecDeque<(u16, usize)>,
    connections: u32,
    /// Moments of packets, and their places in the capture.
    numbers: VecDeque<(Moment, u64)>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Hosts {
    list: Vec<Host>,
    by_mac: FxHashMap<[u8; 6], usize>,
    only: BTreeSet<Mac>,
    limits: Limits,
    pool: Pool,
    /// Places in the capture that are remembered of all.
    numbers: usize,
    /// Stations that had no more room.
    pub(super) refused: u64,
    /// Packets for which the memory of all records together was too small.
    pub(super) dropped: u64,
}

/// A packet's moment and its place in the capture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: Moment,
    pub(super) number: u64,
}

/// A datagram between a station and somebody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) place: Place,
    pub(super) way: Way,
    pub(super) phone: SocketAddrV4,
    pub(super) peer: SocketAddrV4,
    pub(super) bytes: &'a [u8],
    pub(super) length: usize,
}

/// A part of a connection between a station and somebody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) place: Place,
    pub(super) way: Way,
    pub(super) phone: SocketAddrV4,
    pub(super) peer: SocketAddrV4,
    pub(super) connection: u32,
    pub(super) part: Part,
    pub(super) tls: bool,
    pub(super) bytes: &'a [u8],
    pub(super) length: usize,
}

impl Host {
    /// A transfer by TFTP begins at this port of the station's.
    pub(super) fn transfer(&mut self, port: u16) {
        self.transfers.retain(|(held, _)| *held != port);
        self.transfers.push_back((port, 0));
        if self.transfers.len() > TRANSFERS_MAX {
            self.transfers.pop_front();
        }
    }

    /// Whether a transfer goes on, or went, at this port.
    pub(super) fn transfers_at(&self, port: u16) -> bool {
        self.transfers.iter().any(|(held, _)| *held == port)
    }

    /// The number of its next connection.
    pub(super) fn connection(&mut self) -> u32 {
        self.connections += 1;
        self.connections - 1
    }

    /// Notes what is seen of a TLS connection; returns which note it is.
    pub(super) fn secure(&mut self, secured: Secured) -> Option<usize> {
        (self.secured.len() < SECURED_MAX).then(|| {
            self.secured.push(secured);
            self.secured.len() - 1
        })
    }

    /// The place in the capture of the packet of a moment.
    pub(super) fn number_at(&self, at: Moment) -> Option<u64> {
        // Frames of several interfaces may be a little out of order: those are sought one by one.
        let after = self.numbers.partition_point(|(held, _)| *held <= at);
        let near = after.checked_sub(1).and_then(|last| self.numbers.get(last));
        let near = near.filter(|(held, _)| *held == at);
        let found = near.or_else(|| self.numbers.iter().rev().find(|(held, _)| *held == at));
        found.map(|(_, number)| *number)
    }

    /// Remembers the place of a packet, of more or only of the newest ones; how many it has then.
    fn note(&mut self, place: Place, more: bool) -> usize {
        let is_full = !more || self.numbers.len() >= NUMBERS_MAX;
        if is_full && self.numbers.pop_front().is_none() {
            return 0;
        }
        self.numbers.push_back((place.at, place.number));
        self.numbers.len()
    }
}

impl Hosts {
    /// None yet, or these and no others.
    pub(super) fn new(limits: Limits, only: BTreeSet<Mac>) -> Self {
        let mut hosts = Self {
            list: Vec::new(),
            by_mac: FxHashMap::default(),
            only: BTreeSet::new(),
            pool: Pool::new(limits.total_bytes, SPARE_BYTES.min(limits.total_bytes)),
            limits,
            numbers: 0,
            refused: 0,
            dropped: 0,
        };
        for mac in &only {
            hosts.enlist(*mac);
        }
        hosts.only = only;
        hosts
    }

    pub(super) fn list(&self) -> &[Host] {
        &self.list
    }

    pub(super) fn at(&mut self, host: usize) -> &mut Host {
        &mut self.list[host]
    }

    /// Bytes that all records hold.
    pub(super) fn memory(&self) -> usize {
        let numbers = self.list.iter().map(|host| host.numbers.capacity() * 16);
        self.pool.bytes() + numbers.sum::<usize>()
    }

    /// The station with this MAC, if it is listened to.
    pub(super) fn of(&self, mac: Mac) -> Option<usize> {
        self.by_mac.get(&mac.0).copied()
    }

    /// The station with this MAC, listened to from now on; none where only others are wanted, or
    /// there is no more room.
    pub(super) fn enlist(&mut self, mac: Mac) -> Option<usize> {
        if let Some(host) = self.of(mac) {
            return Some(host);
        }
        if !self.only.is_empty() || mac == Mac([0; 6]) {
            return None;
        }
        if self.list.len() >= self.limits.phones {
            self.refused += 1;
            return None;
        }
        self.by_mac.insert(mac.0, self.list.len());
        self.list.push(Host {
            mac,
            record: Record::new(self.limits.record_bytes),
            strong: false,
            serves: false,
            leases_itself: false,
            asks_by_mdns: false,
            secured: Vec::new(),
            missing: 0,
            cut: 0,
            transfers: VecDeque::new(),
            connections: 0,
            numbers: VecDeque::new(),
        });
        Some(self.list.len() - 1)
    }

    /// As `enlist`, of one that did what phones do.
    pub(super) fn enlist_phone(&mut self, mac: Mac) -> Option<usize> {
        let host = self.enlist(mac)?;
        self.list[host].strong = true;
        Some(host)
    }

    /// The station with this MAC answers requests of others: it is no phone, unless it did what
    /// phones do. What was recorded of it is let go.
    pub(super) fn serves(&mut self, mac: Mac) {
        let Some(host) = self.of(mac) else {
            return;
        };
        let host = &mut self.list[host];
        if !std::mem::replace(&mut host.serves, true) && self.only.is_empty() && !host.strong {
            host.record.clear(&mut self.pool);
            self.numbers -= std::mem::take(&mut host.numbers).len();
        }
    }

    /// What was known by the one MAC is known by the other.
    pub(super) fn rename(&mut self, from: Mac, to: Mac) {
        if self.of(to).is_none()
            && let Some(host) = self.by_mac.remove(&from.0)
        {
            self.by_mac.insert(to.0, host);
            self.list[host].mac = to;
        }
    }

    /// Records a datagram.
    pub(super) fn datagram(&mut self, host: usize, datagram: &Datagram<'_>) {
        let port = datagram.phone.port();
        let body_bytes = self.limits.body_bytes;
        let is_block = datagram.way == Way::Received && datagram.bytes.starts_with(&[0, 3]);
        let transfers = &mut self.list[host].transfers;
        let held = transfers.iter_mut().find(|(held, _)| *held == port);
        let bytes = match held {
            Some((_, before)) if is_block => beginning(before, body_bytes, datagram.bytes),
            _ => datagram.bytes,
        };
        let packet = Packet {
            at: datagram.place.at,
            way: datagram.way,
            phone: datagram.phone,
            peer: datagram.peer,
            carrier: Carrier::Udp,
            length: u32::try_from(datagram.length).unwrap_or(u32::MAX),
            bytes,
        };
        self.push(host, datagram.place, &packet);
    }

    /// Records a part of a connection.
    pub(super) fn tell(&mut self, host: usize, told: &Told<'_>) {
        let packet = Packet {
            at: told.place.at,
            way: told.way,
            phone: told.phone,
            peer: told.peer,
            carrier: Carrier::Tcp {
                connection: told.connection,
                part: told.part,
                tls: told.tls,
            },
            length: u32::try_from(told.length).unwrap_or(u32::MAX),
            bytes: told.bytes,
        };
        self.push(host, told.place, &packet);
    }

    fn push(&mut self, host: usize, place: Place, packet: &Packet<'_>) {
        let held = &mut self.list[host];
        if held.serves && !held.strong && self.only.is_empty() {
            return;
        }
        let before = held.numbers.len();
        let now = held.note(place, self.numbers < NUMBERS_TOTAL_MAX);
        self.numbers = self.numbers + now - before;
        self.dropped += held.record.push_within(packet, &mut self.pool);
    }

    /// What is kept of a payload that a station receives, where so many bytes came before it.
    pub(super) fn kept<'a>(&self, before: &mut usize, bytes: &'a [u8]) -> &'a [u8] {
        beginning(before, self.limits.body_bytes, bytes)
    }
}

fn beginning<'a>(before: &mut usize, kept_max: usize, bytes: &'a [u8]) -> &'a [u8] {
    let room = kept_max.saturating_sub(*before).max(PIECE_BYTES);
    *before = before.saturating_add(bytes.len());
    bytes.get(..room).unwrap_or(bytes)
}

/// The MAC that stands for an address whose own is not known: locally administered.
pub(super) fn stand_in(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    Mac([2, 0, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_packets_are_bounded_for_each_phone_and_for_all() {
        let mut hosts = Hosts::new(Limits::default(), BTreeSet::new());
        let phones = NUMBERS_TOTAL_MAX / NUMBERS_MAX + 2;
        let packet = |number| Packet {
            at: Moment::from_nanos(number),
            way: Way::Sent,
            phone: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 2),
            carrier: Carrier::Udp,
            length: 0,
            bytes: &[],
        };
        let packets = NUMBERS_MAX as u64 + 10;
        for phone in 0..phones {
            let mac = stand_in(Ipv4Addr::from(0x0a00_0000 + u32::try_from(phone).unwrap()));
            let host = hosts.enlist(mac).expect("room");
            for number in 1..=packets {
                let at = Moment::from_nanos(number);
                hosts.push(host, Place { at, number }, &packet(number));
            }
        }
        let held = |phone: usize| hosts.list()[phone].numbers.len();
        assert_eq!(held(0), NUMBERS_MAX);
        assert_eq!((0..phones).map(held).sum::<usize>(), NUMBERS_TOTAL_MAX);
        assert_eq!(hosts.numbers, NUMBERS_TOTAL_MAX);
        let newest = hosts.list()[0].number_at(Moment::from_nanos(packets));
        assert_eq!(newest, Some(packets));
    }
}
