//! Whose a packet is: frames in, records out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::record::Record;
use rustc_hash::FxHashMap;

use super::Frame;
use super::gaps::Gaps;
use super::host::{Host, Hosts, Place, Secured, stand_in};
use super::ip::{Fragments, Packet};
use super::link::{ARP, IPV4, IPV6, Inner};
use super::segment::Connections;

/// Addresses whose MACs are remembered.
const ADDRESSES_MAX: usize = 1 << 16;
/// An ARP packet about Ethernet and IPv4 (RFC 826).
const ARP_HEAD: [u8; 6] = [0, 1, 8, 0, 6, 4];
const UDP: u8 = 17;
const TCP: u8 = 6;

/// How much is held of what is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one phone's record; the oldest packets make room.
    pub record_bytes: usize,
    /// Bytes of all records together.
    pub total_bytes: usize,
    /// Bytes that are kept of one file that a phone receives.
    pub body_bytes: usize,
    /// Stations that are listened to at once.
    pub phones: usize,
    /// TCP connections that are followed at once; the oldest make room.
    pub connections: usize,
    /// Bytes of segments, and of fragments, that wait for earlier ones.
    pub waiting_bytes: usize,
}

/// What was not read, or could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Frames that were taken.
    pub frames: u64,
    /// Frames that are shorter than their headers say.
    pub short: u64,
    /// Frames of IPv6, which phones are not provisioned by here.
    pub ipv6: u64,
    /// Packets that were cut when they were captured.
    pub cut: u64,
    /// Packets of which fragments are missing.
    pub fragments: u64,
    /// Segments of TCP connections that the capture does not have.
    pub segments: u64,
    /// Stations for which there was no room.
    pub stations: u64,
    /// Connections that made room for others.
    pub connections: u64,
    /// Packets for which all records together were full.
    pub packets: u64,
}

/// Listens to phones: takes frames in the order of time.
#[derive(Debug)]
pub struct Observer {
    pub(super) hosts: Hosts,
    pub(super) connections: Connections,
    fragments: Fragments,
    addresses: FxHashMap<Ipv4Addr, Mac>,
    /// Nanoseconds since 1970 that records count from.
    epoch: Option<u64>,
    last: Moment,
    losses: Losses,
}

/// A packet, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) place: Place,
    /// The stations at its ends, as far as they are known.
    pub(super) source: Mac,
    pub(super) target: Option<Mac>,
    /// The sender as its frame shows it.
    pub(super) sender: Option<Mac>,
    pub(super) packet: Packet<'a>,
    pub(super) inside_tls: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: 8 << 20,
            total_bytes: 256 << 20,
            body_bytes: 1 << 20,
            phones: 4_096,
            connections: 1 << 14,
            waiting_bytes: 16 << 20,
        }
    }
}

impl Observer {
    /// Listens to whoever does what phones do.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::only(limits, BTreeSet::new())
    }

    /// Listens to these phones and no others; to whoever does what phones do where none is named.
    #[must_use]
    pub fn only(limits: Limits, macs: BTreeSet<Mac>) -> Self {
        Self {
            hosts: Hosts::new(limits, macs),
            connections: Connections::new(limits.connections, limits.waiting_bytes),
            fragments: Fragments::new(limits.waiting_bytes),
            addresses: FxHashMap::default(),
            epoch: None,
            last: Moment::ZERO,
            losses: Losses::default(),
        }
    }

    /// Records count time from here, in nanoseconds since 1970, instead of from the first frame.
    #[must_use]
    pub fn since(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Nanoseconds since 1970 that records count from; none before the first frame.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// The moment of the newest frame, as records count.
    #[must_use]
    pub fn last(&self) -> Moment {
        self.last
    }

    /// Takes a frame.
    pub fn take(&mut self, frame: &Frame<'_>) {
        self.losses.frames += 1;
        let nanos = frame.at.nanos();
        let epoch = *self.epoch.get_or_insert(nanos);
        let at = Moment::from_nanos(nanos.saturating_sub(epoch));
        self.last = self.last.max(at);
        let Some(inner) = frame.link.inner(frame.bytes) else {
            self.losses.short += 1;
            return;
        };
        match inner.kind {
            IPV4 => self.packet(frame, at, &inner),
            ARP => self.resolution(inner.bytes),
            IPV6 => self.losses.ipv6 += 1,
            _ => {}
        }
    }

    /// Everything was taken: what waits for more waits no longer. More may be taken all the same.
    pub fn settle(&mut self) {
        let place = Place {
            at: self.last,
            number: 0,
        };
        self.connections.settle(&mut self.hosts, place);
    }

    /// The phones, in the order in which they were first seen: who was asked for or, where nobody
    /// was, who did what phones do and is no server.
    pub fn phones(&self) -> impl Iterator<Item = Mac> {
        let hosts = self.hosts.list().iter();
        let phones = hosts.filter(|host| host.strong || !host.serves && !host.record.is_empty());
        phones.map(|host| host.mac)
    }

    /// What a phone sent and received.
    pub fn record(&mut self, mac: Mac) -> Option<&mut Record> {
        let host = self.hosts.of(mac)?;
        Some(&mut self.hosts.at(host).record)
    }

    /// What can be seen of a phone's TLS connections.
    #[must_use]
    pub fn secured(&self, mac: Mac) -> &[Secured] {
        self.host(mac).map_or(&[], |host| &host.secured)
    }

    /// The place in the capture of the packet of a phone at a moment, as its record counts: the
    /// last one of that moment.
    #[must_use]
    pub fn number_at(&self, mac: Mac, at: Moment) -> Option<u64> {
        self.host(mac)?.number_at(at)
    }

    /// How many segments of a phone's connections the capture does not have.
    #[must_use]
    pub fn missing(&self, mac: Mac) -> u64 {
        self.host(mac).map_or(0, |host| host.missing)
    }

    /// Why not everything of a phone was seen. What was lost of nobody knows whom may be the
    /// phone's.
    #[must_use]
    pub fn gaps(&self, mac: Mac) -> Gaps {
        let cut = self.host(mac).map_or(0, |host| host.cut);
        let cut = (cut > 0).then(|| format!("{cut} of its packets were cut when captured"));
        let lost = Losses {
            cut: 0,
            segments: 0,
            stations: 0,
            packets: 0,
            ..self.losses()
        };
        Gaps {
            secured: self.secured(mac).len(),
            segments: self.missing(mac),
            others: cut.into_iter().chain(lost.sentence()).collect(),
            end: None,
        }
    }

    /// What was not read, or could not be.
    #[must_use]
    pub fn losses(&self) -> Losses {
        Losses {
            fragments: self.fragments.lost(),
            segments: self.hosts.list().iter().map(|host| host.missing).sum(),
            stations: self.hosts.refused,
            connections: self.connections.evicted,
            packets: self.hosts.dropped,
            ..self.losses
        }
    }

    /// Bytes of memory that it holds for packets.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.hosts.memory() + self.fragments.bytes() + self.connections.memory()
    }

    fn host(&self, mac: Mac) -> Option<&Host> {
        self.hosts.list().get(self.hosts.of(mac)?)
    }

    fn packet(&mut self, frame: &Frame<'_>, at: Moment, inner: &Inner<'_>) {
        let Some(packet) = Packet::read(inner.bytes) else {
            self.losses.short += 1;
            return;
        };
        if packet.protocol != UDP && packet.protocol != TCP {
            return;
        }
        let whole;
        let packet = match packet.is_fragment() {
            false => packet,
            true => match self.fragments.take(&packet) {
                None => return,
                Some(bytes) => {
                    whole = bytes;
                    packet.with(&whole)
                }
            },
        };
        let seen = Seen {
            place: Place {
                at,
                number: frame.number,
            },
            source: self.station(inner.source, packet.source),
            target: match is_one(packet.target) {
                true => Some(self.station(inner.target, packet.target)),
                false => inner.target,
            },
            sender: inner.source,
            packet,
            inside_tls: frame.inside_tls,
        };
        match packet.protocol {
            UDP => self.datagram(&seen),
            _ => self.connections.segment(&mut self.hosts, &seen),
        }
        if packet.bytes.len() < packet.length {
            self.losses.cut += 1;
            for mac in [Some(seen.source), seen.target].into_iter().flatten() {
                if let Some(host) = self.hosts.of(mac) {
                    self.hosts.at(host).cut += 1;
                }
            }
        }
    }

    /// Whose an address is: as the frame shows, else as was learned, else a stand-in.
    fn station(&self, shown: Option<Mac>, address: Ipv4Addr) -> Mac {
        let known = shown.or_else(|| self.addresses.get(&address).copied());
        known.unwrap_or_else(|| match is_one(address) {
            true => stand_in(address),
            false => Mac([0; 6]),
        })
    }

    /// An address is a station's.
    pub(super) fn learn(&mut self, address: Ipv4Addr, mac: Mac) {
        if !is_one(address) {
            return;
        }
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&address) {
            return;
        }
        if self.addresses.insert(address, mac).is_none() {
            self.hosts.rename(stand_in(address), mac);
        }
    }

    /// ARP: whose the sender's address is.
    fn resolution(&mut self, bytes: &[u8]) {
        let Some((head, _)) = bytes.split_first_chunk::<28>() else {
            self.losses.short += 1;
            return;
        };
        if head[..6] == ARP_HEAD {
            let mac = [head[8], head[9], head[10], head[11], head[12], head[13]];
            let address = Ipv4Addr::new(head[14], head[15], head[16], head[17]);
            self.learn(address, Mac(mac));
        }
    }
}

impl Seen<'_> {
    /// An end of the packet.
    pub(super) fn from(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.packet.source, port)
    }

    /// The other one.
    pub(super) fn to(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.packet.target, port)
    }
}

impl Losses {
    /// What a report says of them; nothing where nothing is missing.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let mut text = String::new();
        for (count, what) in [
            (self.short, "frames too short to be read"),
            (self.cut, "packets cut when they were captured"),
            (self.fragments, "packets without all their fragments"),
            (self.segments, "TCP segments that the capture does not have"),
            (self.stations, "stations for which there was no room"),
            (self.connections, "connections given up for newer ones"),
            (self.packets, "packets for which records had no room"),
        ] {
            if count > 0 {
                let gap = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{gap}{count} {what}");
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

/// The address of one station.
fn is_one(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_broadcast() || address.is_multicast())
}
