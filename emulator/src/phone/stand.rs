//! A whole phone in a test: virtual time, a lease given by hand, everything it did at hand.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use super::Phone;
use super::io::{Channel, Connection, Effect, Input, Outputs};
use crate::event::EventKind;
use crate::flash::Flash;
use crate::identity::{Identity, Mac};
use crate::profile::load::Library;
use crate::profile::{Param, SourceId};
use crate::shelf::Shelf;
use crate::time::Moment;
use crate::wire::dhcp::{BOOT_REPLY, Encoder, Header, Message, MessageType, code};
use crate::wire::port;
use crate::wire::sntp::{Packet, Timestamp, mode};

pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// A Monday, 00:00 UTC.
pub(super) const MONDAY_S: u64 = 1_767_571_200;
const MAC: Mac = Mac([0x00, 0x09, 0x52, 0x00, 0x00, 0x0e]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// One phone and what it did since the last look.
pub(super) struct Stand {
    pub(super) phone: Phone,
    pub(super) shelf: Shelf,
    pub(super) now: Moment,
    pub(super) events: Vec<EventKind>,
    out: Outputs,
    sent: Vec<(Channel, SocketAddrV4, Vec<u8>)>,
    written: Vec<(Connection, String)>,
    pub(super) opened: Vec<(Connection, SocketAddrV4)>,
    pub(super) closed: Vec<Connection>,
    /// Answers to connection requests.
    pub(super) replies: Vec<String>,
    lease_s: u32,
}

impl Stand {
    /// A phone of a profile with these lines over those of a Flyingvoice, which has no timers of
    /// its own that would start a run.
    pub(super) fn new(lines: &str) -> Self {
        let mut library = Library::default();
        let vendor = include_str!("../../profiles/flyingvoice/vendor.toml");
        let model = include_str!("../../profiles/flyingvoice/fip13g.toml");
        library.add("flyingvoice/vendor.toml", vendor).unwrap();
        library.add("flyingvoice/fip13g.toml", model).unwrap();
        let text = format!("inherits = \"flyingvoice/fip13g\"\n{lines}");
        library.add("test/phone.toml", &text).unwrap();
        let profile = library
            .load("test/phone")
            .unwrap_or_else(|faults| panic!("{faults}"));
        let mut shelf = Shelf::new(vec![Arc::new(profile)]);
        shelf.hosts.insert("redirect.test".to_owned(), SERVER);
        let identity = Identity {
            mac: MAC,
            index: 0,
            run_seed: 1,
        };
        let mut flash = Flash::default();
        for param in [Param::RandomDelayS, Param::PeriodicS, Param::ErrorRetryS] {
            flash.set_web(param, "0");
        }
        Self {
            phone: Phone::new(identity, 0, flash),
            shelf,
            now: Moment::ZERO,
            events: Vec::new(),
            out: Outputs::default(),
            sent: Vec::new(),
            written: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            replies: Vec::new(),
            lease_s: 86_400_000,
        }
    }

    pub(super) fn web(mut self, param: Param, value: &str) -> Self {
        let mut flash = self.phone.flash().clone();
        flash.set_web(param, value);
        self.phone = Phone::new(*self.phone.identity(), 0, flash);
        self
    }

    /// Switches it on and leases an address with these options and this BOOTP `file`.
    pub(super) fn leased(mut self, options: &[(u8, &[u8])], file: &[u8]) -> Self {
        self.power(options, file);
        self
    }

    /// The same with a lease of this length.
    pub(super) fn leased_for(mut self, seconds: u32, options: &[(u8, &[u8])], file: &[u8]) -> Self {
        self.lease_s = seconds;
        self.power(options, file);
        self
    }

    pub(super) fn power(&mut self, options: &[(u8, &[u8])], file: &[u8]) {
        self.input(Input::Power);
        self.lease(options, file);
    }

    /// Leases an address with these options and this BOOTP `file`.
    pub(super) fn lease(&mut self, options: &[(u8, &[u8])], file: &[u8]) {
        for (asked, kind) in [
            (MessageType::Discover, MessageType::Offer),
            (MessageType::Request, MessageType::Ack),
        ] {
            self.answer_dhcp(asked, kind, options, file);
        }
    }

    /// Waits until the lease is to be renewed, and renews it with these options.
    pub(super) fn renew(&mut self, options: &[(u8, &[u8])]) {
        self.answer_dhcp(MessageType::Request, MessageType::Ack, options, b"");
    }

    /// Answers what is asked of DHCP, now or at one of the next ticks.
    fn answer_dhcp(
        &mut self,
        asked: MessageType,
        kind: MessageType,
        options: &[(u8, &[u8])],
        file: &[u8],
    ) {
        let mut xid = None;
        for _ in 0..10 {
            xid = self.asked_by_dhcp(asked);
            if xid.is_some() {
                break;
            }
            self.tick();
        }
        let mut reply = Vec::new();
        let header = Header {
            op: BOOT_REPLY,
            yiaddr: ADDRESS,
            file,
            ..Header::request(xid.expect("a DHCP message"), MAC)
        };
        let mut encoder = Encoder::begin(&mut reply, &header);
        encoder
            .message_type(kind)
            .option(code::SERVER_ID, &SERVER.octets())
            .option(code::LEASE_TIME, &self.lease_s.to_be_bytes());
        for (number, value) in options {
            encoder.option(*number, value);
        }
        encoder.finish(0);
        self.datagram(Channel::Dhcp, 67, &reply);
    }

    fn asked_by_dhcp(&mut self, kind: MessageType) -> Option<u32> {
        let sent = std::mem::take(&mut self.sent);
        sent.iter().find_map(|(channel, _, bytes)| {
            let message = Message::decode(bytes).ok()?;
            let fits = *channel == Channel::Dhcp && message.message_type() == Some(kind);
            fits.then(|| message.xid())
        })
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.out.clear();
        self.phone
            .step(self.now, input, &mut self.shelf, &mut self.out);
        self.events
            .extend(self.out.events.iter().map(|event| event.kind));
        for effect in &self.out.effects {
            match effect {
                Effect::Send { channel, to, bytes } => {
                    let bytes = self.out.slice(bytes).to_vec();
                    self.sent.push((*channel, *to, bytes));
                }
                Effect::Open { connection, to, .. } => self.opened.push((*connection, *to)),
                Effect::Write { connection, bytes } => {
                    let text = String::from_utf8_lossy(self.out.slice(bytes)).into_owned();
                    self.written.push((*connection, text));
                }
                Effect::Close(connection) => self.closed.push(*connection),
                Effect::Reply { bytes, .. } => {
                    let text = String::from_utf8_lossy(self.out.slice(bytes)).into_owned();
                    self.replies.push(text);
                }
                Effect::Address(_) | Effect::Retrieve { .. } => {}
            }
        }
    }

    /// Goes to the phone's next deadline.
    pub(super) fn tick(&mut self) {
        let due = self.phone.deadline().expect("a phone that waits");
        self.now = self.now.max(due);
        self.input(Input::Tick);
    }

    /// Lets this time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..100_000 {
            match self.phone.deadline() {
                Some(due) if due <= end => self.tick(),
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("time stands still");
    }

    pub(super) fn pass_seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub(super) fn datagram(&mut self, channel: Channel, port: u16, bytes: &[u8]) {
        self.datagram_from(SERVER.octets(), channel, port, bytes);
    }

    pub(super) fn datagram_from(
        &mut self,
        host: [u8; 4],
        channel: Channel,
        port: u16,
        bytes: &[u8],
    ) {
        let from = SocketAddrV4::new(Ipv4Addr::from(host), port);
        self.input(Input::Datagram {
            channel,
            from,
            bytes,
        });
    }

    /// What was sent since it was last taken.
    pub(super) fn sent(&self) -> &[(Channel, SocketAddrV4, Vec<u8>)] {
        &self.sent
    }

    /// What was sent since the last look.
    pub(super) fn take_sent(&mut self) -> Vec<(Channel, SocketAddrV4, Vec<u8>)> {
        std::mem::take(&mut self.sent)
    }

    /// What was written on connections since the last look.
    pub(super) fn take_written(&mut self) -> Vec<(Connection, String)> {
        std::mem::take(&mut self.written)
    }

    /// The SNTP requests since the last look.
    pub(super) fn time_requests(&mut self) -> Vec<(Channel, Ipv4Addr, Packet)> {
        let sent = self.take_sent().into_iter();
        let asked = sent.filter(|(_, to, _)| to.port() == port::NTP);
        asked
            .map(|(channel, to, bytes)| (channel, *to.ip(), Packet::decode(&bytes).unwrap()))
            .collect()
    }

    /// Answers an SNTP request: it is `unix_s` now.
    pub(super) fn tell_time(
        &mut self,
        (channel, _, request): (Channel, Ipv4Addr, Packet),
        unix_s: u64,
    ) {
        let stamp = Timestamp::from_unix_nanos(unix_s * 1_000_000_000);
        let mut bytes = Vec::new();
        Packet {
            mode: mode::SERVER,
            stratum: 2,
            originate: request.transmit,
            receive: stamp,
            transmit: stamp,
            ..request
        }
        .encode(&mut bytes);
        self.datagram(channel, port::NTP, &bytes);
    }

    /// A NOTIFY for the search that sent the last SUBSCRIBE, with this body.
    pub(super) fn notify(&mut self, body: &str) {
        let subscribe = self.sent.iter().rev();
        let subscribe =
            subscribe
                .filter(|(_, to, _)| to.port() == 5_060)
                .find_map(|(channel, _, bytes)| {
                    let text = String::from_utf8(bytes.clone()).ok()?;
                    let id = text.lines().find(|line| line.starts_with("Call-ID"))?;
                    Some((*channel, id.to_owned()))
                });
        let (channel, call_id) = subscribe.expect("a SUBSCRIBE");
        let length = body.len();
        let text = format!(
            "NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1\r\n\
             From: <sip:a>;tag=1\r\nTo: <sip:a>\r\n{call_id}\r\nCSeq: 1 NOTIFY\r\n\
             Event: ua-profile\r\nContent-Type: application/url\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.datagram(channel, 5_060, text.as_bytes());
    }

    /// A check-sync from the server; equal numbers are retransmissions.
    pub(super) fn check_sync(&mut self, number: u32) {
        let text = format!(
            "NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{number}\r\n\
             From: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: {number}\r\nCSeq: 1 NOTIFY\r\n\
             Event: check-sync;reboot=true\r\nContent-Length: 0\r\n\r\n"
        );
        self.datagram(Channel::Sip, 5_060, text.as_bytes());
    }

    /// The newest connection is established.
    pub(super) fn open(&mut self) -> Connection {
        let (connection, _) = *self.opened.last().expect("a connection");
        self.input(Input::Opened(connection));
        connection
    }

    /// The answer to the newest connection's request.
    pub(super) fn answer(&mut self, status: &str, fields: &str, body: &str) {
        let (connection, _) = *self.opened.last().expect("a connection");
        let length = body.len();
        let text = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        self.input(Input::Bytes(connection, text.as_bytes()));
    }

    /// Sources and URLs of all candidates since the last look, as `0 http://…`.
    pub(super) fn candidates(&self) -> Vec<String> {
        let events = self.events.iter();
        let found = events.filter_map(|kind| match kind {
            EventKind::Candidate {
                source: SourceId(place),
                url,
            } => Some(format!("{place} {}", self.shelf.urls.text(*url))),
            _ => None,
        });
        found.collect()
    }

    /// The value of a setting in force; empty without one.
    pub(super) fn setting(&self, key: &str) -> &str {
        let key = self.shelf.keys.find(key);
        let held = key.and_then(|key| self.phone.flash().settings.held(key));
        held.map_or("", |held| held.value)
    }

    pub(super) fn has(&self, wanted: EventKind) -> bool {
        self.events.contains(&wanted)
    }

    pub(super) fn count(&self, wanted: EventKind) -> usize {
        self.events.iter().filter(|kind| **kind == wanted).count()
    }
}
