//! One phone's record as frames.

use std::collections::BTreeMap;

use bootstorm_emulator::identity::Mac;
use bootstorm_scenarios::wire::message::{self, Message};
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way};

use super::frame::{End, Frames, Payload, Route, reached};
use super::ftp::Retrieval;
use super::mask::{Covered, Known, Mask};
use super::stream::{PART, Stream};
use super::{Captured, plain_port};

/// What a retrieval begins with.
const USER: &[u8] = b"USER ";

/// Adds a phone's frames, its secrets covered.
pub(super) fn add(frames: &mut Frames, captured: &mut Captured, mask: &Mask) {
    let Captured {
        index,
        mac,
        profile,
        ..
    } = captured;
    frames.begin(format!("phone {index} {mac} {profile}: "));
    let mut phone = Phone {
        mac: *mac,
        lines: BTreeMap::new(),
        frames,
    };
    let known = Known::of(&captured.secrets);
    let covered = mask.covered(&mut captured.record, &known);
    let mut number = 0;
    message::decode_each(&captured.record, |packet, messages| {
        let comment = mask.comment(&told(packet, messages), &known);
        phone.packet(packet, &covered, number, &comment);
        number += 1;
    });
}

struct Phone<'f> {
    mac: Mac,
    lines: BTreeMap<u32, Line>,
    frames: &'f mut Frames,
}

enum Line {
    Plain(Stream),
    Ftp(Box<Retrieval>),
}

impl Phone<'_> {
    fn packet(&mut self, packet: &Packet<'_>, covered: &Covered, number: usize, comment: &str) {
        let payload = Payload {
            bytes: covered.payload(number),
            length: packet.length as usize,
        };
        let Carrier::Tcp {
            connection,
            part,
            tls,
        } = packet.carrier
        else {
            return self.datagram(packet, payload, comment);
        };
        let mut peer = packet.peer;
        if tls {
            peer.set_port(plain_port(peer.port()));
        }
        if part == Part::Opening {
            self.lines.remove(&connection);
        }
        let mac = self.mac;
        let line = self.lines.entry(connection);
        let line =
            line.or_insert_with(|| Line::Plain(Stream::new(mac, packet.phone, peer, connection)));
        let (frames, at, way) = (&mut *self.frames, packet.at, packet.way);
        let says = part == Part::Data && way == Way::Sent;
        line.settle(says && payload.bytes.starts_with(USER));
        let why = String::from_utf8_lossy(packet.bytes);
        match (line, part) {
            (Line::Plain(line), Part::Opening) => line.opening(frames, at, way, comment),
            (Line::Plain(line), Part::Opened) => line.opened(frames, at, way, comment),
            (Line::Plain(line), Part::Data) => line.data(frames, at, way, payload, comment),
            (Line::Plain(line), Part::Closed) => line.closed(frames, at, way, comment),
            (Line::Plain(line), Part::Failed) => line.failed(frames, at, &why, comment),
            (Line::Ftp(_), Part::Opening | Part::Opened) => {}
            (Line::Ftp(line), Part::Data) if way == Way::Sent => {
                line.said(at, payload.bytes, comment);
            }
            (Line::Ftp(line), Part::Data) => line.data(frames, at, payload, comment),
            (Line::Ftp(line), Part::Closed) => line.closed(frames, at, way, comment),
            (Line::Ftp(line), Part::Failed) => line.failed(frames, at, &why, comment),
        }
        if matches!(part, Part::Closed | Part::Failed) {
            self.lines.remove(&connection);
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>, payload: Payload<'_>, comment: &str) {
        let phone = match packet.way {
            Way::Sent => End::phone(self.mac, packet.phone),
            // Whoever has no address yet is reached by a broadcast (RFC 2131 §4.1).
            Way::Received if packet.phone.ip().is_unspecified() => {
                End::other(reached(packet.phone))
            }
            Way::Received => End::phone(self.mac, packet.phone),
        };
        let peer = End::other(packet.peer);
        let (from, to) = match packet.way {
            Way::Sent => (phone, peer),
            Way::Received => (peer, phone),
        };
        let route = Route {
            at: packet.at,
            from,
            to,
            comment,
        };
        self.frames.datagram(&route, payload);
    }
}

impl Line {
    /// The line is that of a retrieval, as what is said on it shows.
    fn settle(&mut self, is_ftp: bool) {
        if let (true, Self::Plain(stream)) = (is_ftp, &*self)
            && !stream.is_open()
        {
            *self = Self::Ftp(Box::new(Retrieval::new(stream.clone())));
        }
    }
}

/// What a packet's comment says after the phone.
fn told(packet: &Packet<'_>, messages: &[Message]) -> String {
    let mut lines: Vec<_> = messages.iter().map(message::summary).collect();
    if lines.is_empty() {
        lines.push(PART.to_owned());
    }
    if let Carrier::Tcp { tls: true, .. } = packet.carrier {
        lines.push(format!("(inside TLS, port {})", packet.peer.port()));
    }
    lines.join("; ")
}
