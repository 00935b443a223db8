//! TCP connections rebuilt: handshakes, segments with their sequence numbers, ends.

use std::net::SocketAddrV4;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::{Way, failure};

use super::frame::{ACK, End, FIN, Frames, PAYLOAD_MAX, PUSH, Payload, Place, RST, Route, SYN};

/// Bytes of one segment, as on Ethernet.
const SEGMENT_BYTES: usize = 1_460;
/// What frames are called that nobody recorded.
pub(super) const REBUILT: &str = "rebuilt";
/// What is said of a packet that completes no message.
pub(super) const PART: &str = "a part of a message";

/// A connection.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    phone: End,
    peer: End,
    /// What the phone sends next.
    sent: u32,
    /// What the peer sends next.
    received: u32,
    /// The handshake was written, or none is known to be missing.
    open: bool,
    over: bool,
    number: u32,
}

impl Stream {
    /// A connection between two ends, with the phone's number for it; those of one pair of ports
    /// begin with sequence numbers of their own.
    pub(super) fn new(mac: Mac, phone: SocketAddrV4, peer: SocketAddrV4, number: u32) -> Self {
        let seed = number.wrapping_add(1).wrapping_mul(0x9e37_79b1);
        Self {
            phone: End::phone(mac, phone),
            peer: End::other(peer),
            sent: seed ^ u32::from(*phone.ip()),
            received: seed.rotate_left(13) ^ u32::from(*peer.ip()),
            open: false,
            over: false,
            number,
        }
    }

    /// Whether its handshake was written.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Another connection of the same phone that belongs to this one.
    pub(super) fn beside(&self, phone: SocketAddrV4, peer: SocketAddrV4) -> Self {
        Self::new(Mac(self.phone.mac), phone, peer, self.number)
    }

    /// The phone's end.
    pub(super) fn phone(&self) -> SocketAddrV4 {
        self.phone.at
    }

    /// The other end.
    pub(super) fn peer(&self) -> SocketAddrV4 {
        self.peer.at
    }

    /// An end begins to connect.
    pub(super) fn opening(&mut self, frames: &mut Frames, at: Moment, way: Way, comment: &str) {
        let place = Place {
            sequence: *self.next(way),
            acknowledged: 0,
            flags: SYN,
        };
        frames.segment(&self.route(at, way, comment), place, Payload::default());
        *self.next(way) = place.sequence.wrapping_add(1);
    }

    /// The other end takes the connection.
    pub(super) fn opened(&mut self, frames: &mut Frames, at: Moment, way: Way, comment: &str) {
        if !std::mem::replace(&mut self.open, true) {
            self.bare(frames, at, way, SYN | ACK, comment);
            *self.next(way) = self.next(way).wrapping_add(1);
            self.bare(frames, at, other(way), ACK, REBUILT);
        }
    }

    /// An end writes.
    pub(super) fn data(
        &mut self,
        frames: &mut Frames,
        at: Moment,
        way: Way,
        payload: Payload<'_>,
        comment: &str,
    ) {
        let mut left = payload.length;
        let mut bytes = payload.bytes;
        while left > 0 {
            // What is cut is one segment: an analyser reads its beginning then.
            let most = if bytes.len() < left {
                PAYLOAD_MAX
            } else {
                SEGMENT_BYTES
            };
            let length = left.min(most);
            let (part, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
            (bytes, left) = (rest, left - length);
            let comment = if left == 0 { comment } else { PART };
            let place = self.place(way, PUSH | ACK);
            let part = Payload {
                bytes: part,
                length,
            };
            frames.segment(&self.route(at, way, comment), place, part);
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            *self.next(way) = self.next(way).wrapping_add(length);
        }
    }

    /// An end closes, and the other one does too.
    pub(super) fn closed(&mut self, frames: &mut Frames, at: Moment, way: Way, comment: &str) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        for (way, comment) in [(way, comment), (other(way), REBUILT)] {
            self.bare(frames, at, way, FIN | ACK, comment);
            *self.next(way) = self.next(way).wrapping_add(1);
        }
        self.bare(frames, at, way, ACK, REBUILT);
    }

    /// The connection fails, for this reason.
    pub(super) fn failed(&mut self, frames: &mut Frames, at: Moment, why: &str, comment: &str) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        match why {
            // Nothing is said.
            failure::TIMED_OUT | failure::LOCAL | failure::POWER_CUT => {}
            failure::TLS => {
                self.opened(frames, at, Way::Received, REBUILT);
                self.bare(frames, at, Way::Sent, RST | ACK, comment);
            }
            _ => self.bare(frames, at, Way::Received, RST | ACK, comment),
        }
    }

    /// A segment without payload.
    fn bare(&mut self, frames: &mut Frames, at: Moment, way: Way, flags: u8, comment: &str) {
        let place = self.place(way, flags);
        frames.segment(&self.route(at, way, comment), place, Payload::default());
    }

    fn place(&self, way: Way, flags: u8) -> Place {
        let (sequence, acknowledged) = match way {
            Way::Sent => (self.sent, self.received),
            Way::Received => (self.received, self.sent),
        };
        Place {
            sequence,
            acknowledged,
            flags,
        }
    }

    fn next(&mut self, way: Way) -> &mut u32 {
        match way {
            Way::Sent => &mut self.sent,
            Way::Received => &mut self.received,
        }
    }

    fn route<'a>(&self, at: Moment, way: Way, comment: &'a str) -> Route<'a> {
        let (from, to) = match way {
            Way::Sent => (self.phone, self.peer),
            Way::Received => (self.peer, self.phone),
        };
        Route {
            at,
            from,
            to,
            comment,
        }
    }
}

fn other(way: Way) -> Way {
    match way {
        Way::Sent => Way::Received,
        Way::Received => Way::Sent,
    }
}
