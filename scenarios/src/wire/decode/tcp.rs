//! TCP connections: whose protocol is spoken on them, and their beginnings and ends.

use std::collections::BTreeMap;
use std::fmt::Display;

use bootstorm_emulator::wire::port;

use super::http::Exchange;
use super::{Fields, Name, ftp, put_unknown, sip};
use crate::wire::message::Message;
use crate::wire::{Carrier, Packet, Part, Way};

/// A first line without an end, beyond which nobody waits for it.
const FIRST_LINE_MAX: usize = 8 << 10;

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<u32, Stream>);

/// A piece of a connection, as its protocol's decoder gets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'p, 'b> {
    /// The packet that it came with.
    pub(super) packet: &'p Packet<'b>,
    /// Its bytes.
    pub(super) bytes: &'b [u8],
    /// Bytes that follow on the wire and are not in the record.
    pub(super) missing: usize,
}

#[derive(Debug)]
struct Stream {
    /// The packet that carried the last bytes each way, for messages that end with the record.
    last: [Option<Packet<'static>>; 2],
    spoken: Spoken,
}

/// What is spoken on a connection.
#[derive(Debug)]
enum Spoken {
    /// Not known yet: the beginnings both ways.
    Unsaid([Vec<u8>; 2]),
    Http(Box<Exchange>),
    Sip([sip::Side; 2]),
    Ftp(Box<ftp::Retrieval>),
}

impl Streams {
    /// Reads a packet of a connection.
    pub(super) fn packet(&mut self, packet: &Packet<'_>, out: &mut Vec<Message>) {
        let Carrier::Tcp {
            connection, part, ..
        } = packet.carrier
        else {
            return;
        };
        match part {
            Part::Opening => {
                // A number that comes again is another connection.
                self.end(connection, out);
                self.0.insert(connection, Stream::default());
                out.push(told(packet, "tcp.opening"));
            }
            Part::Opened => {
                self.0.entry(connection).or_default();
                out.push(told(packet, "tcp.opened"));
            }
            Part::Data => {
                let stream = self.0.entry(connection).or_default();
                stream.data(packet, out);
            }
            Part::Closed => {
                if let Some(mut stream) = self.0.remove(&connection) {
                    stream.end(Some(packet), out, packet.way == Way::Received);
                }
                out.push(told(packet, "tcp.closed"));
            }
            Part::Failed => {
                if let Some(mut stream) = self.0.remove(&connection) {
                    stream.end(Some(packet), out, false);
                }
                out.push(told(packet, "tcp.failed"));
            }
        }
    }

    /// The record ends: so do the messages that were not complete.
    pub(super) fn finish(&mut self, out: &mut Vec<Message>) {
        for (_, mut stream) in std::mem::take(&mut self.0) {
            stream.end(None, out, false);
        }
    }

    fn end(&mut self, connection: u32, out: &mut Vec<Message>) {
        if let Some(mut stream) = self.0.remove(&connection) {
            stream.end(None, out, false);
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            last: [None; 2],
            spoken: Spoken::Unsaid(Default::default()),
        }
    }
}

impl Stream {
    fn data(&mut self, packet: &Packet<'_>, out: &mut Vec<Message>) {
        let side = side(packet.way);
        self.last[side] = Some(bare(packet));
        let piece = Piece {
            packet,
            bytes: packet.bytes,
            missing: (packet.length as usize).saturating_sub(packet.bytes.len()),
        };
        if let Spoken::Unsaid(begun) = &mut self.spoken {
            begun[side].extend_from_slice(piece.bytes);
            let line_ends = begun[side].trim_ascii_start().contains(&b'\n');
            let enough = line_ends || begun[side].len() > FIRST_LINE_MAX || piece.missing > 0;
            let ftp = packet.peer.port() == port::FTP;
            if enough || ftp {
                self.begin(&piece, out);
            }
            return;
        }
        self.feed(&piece, out);
    }

    /// Settles what is spoken, by the port or by the first line, and reads what came so far.
    fn begin(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>) {
        let Spoken::Unsaid(begun) = &mut self.spoken else {
            return;
        };
        let begun = std::mem::take(begun);
        let first = begun[side(piece.packet.way)].trim_ascii_start();
        let line = first.split(|byte| *byte == b'\n').next().unwrap_or(first);
        let peer = piece.packet.peer.port();
        self.spoken = if peer == port::FTP || line.starts_with(b"USER ") {
            Spoken::Ftp(Box::default())
        } else if sip::begins(line) || peer == port::SIP {
            Spoken::Sip(Default::default())
        } else {
            Spoken::Http(Box::default())
        };
        for way in [Way::Sent, Way::Received] {
            let ours = way == piece.packet.way;
            let bytes = begun[side(way)].as_slice();
            let missing = if ours { piece.missing } else { 0 };
            let packet = Packet {
                way,
                ..*piece.packet
            };
            if !bytes.is_empty() || missing > 0 {
                let piece = Piece {
                    packet: &packet,
                    bytes,
                    missing,
                };
                self.feed(&piece, out);
            }
        }
    }

    fn feed(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Message>) {
        match &mut self.spoken {
            Spoken::Unsaid(_) => {}
            Spoken::Http(exchange) => exchange.feed(piece, out),
            Spoken::Sip(sides) => sides[side(piece.packet.way)].feed(piece, out),
            Spoken::Ftp(retrieval) => retrieval.feed(piece, out),
        }
    }

    /// The connection is over: with a packet that says so, or with the record.
    fn end(&mut self, last: Option<&Packet<'_>>, out: &mut Vec<Message>, orderly: bool) {
        for way in [Way::Sent, Way::Received] {
            let Some(mut packet) = self.last[side(way)] else {
                continue;
            };
            packet.at = last.map_or(packet.at, |last| last.at);
            let piece = Piece {
                packet: &packet,
                bytes: &[],
                missing: 0,
            };
            match &mut self.spoken {
                Spoken::Unsaid(begun) => {
                    let begun = std::mem::take(&mut begun[side(way)]);
                    if !begun.is_empty() {
                        out.push(piece.unknown(&begun, begun.len(), None));
                    }
                }
                Spoken::Http(exchange) => exchange.end(&piece, out, orderly),
                Spoken::Sip(sides) => sides[side(way)].end(&piece, out),
                Spoken::Ftp(_) => {}
            }
        }
        if let (Spoken::Ftp(retrieval), Some(packet)) = (&mut self.spoken, last) {
            let piece = Piece {
                packet,
                bytes: packet.bytes,
                missing: 0,
            };
            retrieval.end(&piece, out, orderly);
        }
    }
}

impl Piece<'_, '_> {
    /// What every message of a connection says; `length` is the message's.
    pub(super) fn fields(&self, length: usize) -> Fields {
        let mut fields = connection_fields(self.packet);
        fields.put("length", length);
        fields
    }

    /// A message that ends with this piece.
    pub(super) fn message(&self, name: Name, length: usize, fields: Fields) -> Message {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        super::message(self.packet, name, length, fields)
    }

    /// Bytes that nobody knows.
    pub(super) fn unknown(
        &self,
        bytes: &[u8],
        length: usize,
        fault: Option<&dyn Display>,
    ) -> Message {
        let mut fields = self.fields(length);
        if let Some(fault) = fault {
            fields.put("fault", fault);
        }
        put_unknown(&mut fields, bytes);
        self.message("tcp.unknown".into(), length, fields)
    }
}

fn connection_fields(packet: &Packet<'_>) -> Fields {
    let mut fields = Fields::of(packet);
    if let Carrier::Tcp {
        connection, tls, ..
    } = packet.carrier
    {
        fields.put("connection", connection);
        fields.put("tls", tls);
    }
    fields
}

/// A beginning or an end.
fn told(packet: &Packet<'_>, name: &'static str) -> Message {
    let mut fields = connection_fields(packet);
    if !packet.bytes.is_empty() {
        fields.put_text("reason", packet.bytes);
    }
    super::message(packet, name.into(), 0, fields)
}

/// A packet without its bytes.
fn bare(packet: &Packet<'_>) -> Packet<'static> {
    Packet {
        at: packet.at,
        way: packet.way,
        phone: packet.phone,
        peer: packet.peer,
        carrier: packet.carrier,
        length: packet.length,
        bytes: &[],
    }
}

/// The place of one way in a pair.
pub(super) fn side(way: Way) -> usize {
    match way {
        Way::Sent => 0,
        Way::Received => 1,
    }
}
