//! Packets to messages: one decoder for each protocol, and what they have in common.
//!
//! Nothing is lost: a payload that no decoder knows is `udp.unknown` or `tcp.unknown`, with its
//! length and its first bytes. What the record cut short is still a message, as far as it goes.

mod dhcp;
mod dns;
mod ftp;
mod http;
mod sip;
mod sntp;
mod tcp;
#[cfg(test)]
mod tests;
mod tftp;

use std::borrow::Cow;
use std::fmt::{Display, Write};

use bootstorm_emulator::wire::port;

use super::message::Message;
use super::{Carrier, Packet, Way};
use tcp::Streams;
use tftp::Transfers;

/// Bytes of a body that a message shows.
const BODY_SHOWN_MAX: usize = 4 << 10;
/// Bytes shown of what no decoder knows.
const UNKNOWN_SHOWN_MAX: usize = 16;
/// Bytes of a datagram.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// A name of a message.
type Name = Cow<'static, str>;

/// What a message says, as it is put together.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<(Name, String)>);

/// Reads packets in their order.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    out: Vec<Message>,
    transfers: Transfers,
    streams: Streams,
}

impl Fields {
    /// What every message of UDP or TCP says.
    fn of(packet: &Packet<'_>) -> Self {
        let mut fields = Self::default();
        let peer = match packet.way {
            Way::Sent => "to",
            Way::Received => "from",
        };
        fields.put(peer, packet.peer);
        fields.put("port", packet.phone.port());
        fields
    }

    fn put(&mut self, key: impl Into<Name>, value: impl Display) {
        self.0.push((key.into(), value.to_string()));
    }

    /// A value of bytes: as text, what is not UTF-8 replaced.
    fn put_text(&mut self, key: impl Into<Name>, value: &[u8]) {
        self.put(key, String::from_utf8_lossy(value));
    }

    /// A body: its text up to `BODY_SHOWN_MAX` where it is text.
    fn put_body(&mut self, body: &[u8]) {
        let shown = body.get(..BODY_SHOWN_MAX).unwrap_or(body);
        if !shown.is_empty() && !shown.contains(&0) {
            self.put_text("body", shown);
        }
    }
}

impl Decoder {
    /// Reads one packet.
    pub(super) fn packet(&mut self, packet: &Packet<'_>) {
        match packet.carrier {
            Carrier::Udp => {
                let mut fields = Fields::of(packet);
                fields.put("length", packet.length);
                let name = self.datagram(packet, &mut fields);
                self.out.push(message(packet, name, packet.length, fields));
            }
            Carrier::Tcp { .. } => self.streams.packet(packet, &mut self.out),
        }
    }

    /// The messages that were completed since they were last taken.
    pub(super) fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.out)
    }

    /// The messages, oldest first.
    pub(super) fn finish(mut self) -> Vec<Message> {
        self.streams.finish(&mut self.out);
        self.out.sort_by_key(|message| message.at);
        self.out
    }

    /// Reads a UDP payload: by the port of the other end, by the transfer that the phone's port
    /// belongs to, else by what it looks like.
    fn datagram(&mut self, packet: &Packet<'_>, fields: &mut Fields) -> Name {
        let read = match packet.peer.port() {
            port::DHCP_SERVER | port::DHCP_CLIENT => dhcp::read(packet.bytes, fields),
            port::NTP => sntp::read(packet.bytes, fields),
            port::MDNS => dns::read(packet.bytes, fields),
            _ => match self.transfers.read(packet, fields) {
                None => sip::read_datagram(packet, fields),
                read => read,
            },
        };
        read.unwrap_or_else(|| {
            put_unknown(fields, packet.bytes);
            "udp.unknown".into()
        })
    }
}

fn message(packet: &Packet<'_>, name: Name, length: u32, fields: Fields) -> Message {
    Message {
        at: packet.at,
        way: packet.way,
        peer: packet.peer,
        name,
        length,
        fields: fields.0,
    }
}

fn put_unknown(fields: &mut Fields, bytes: &[u8]) {
    let shown = bytes.get(..UNKNOWN_SHOWN_MAX).unwrap_or(bytes);
    fields.put("hex", hex(shown));
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Values with blanks between them.
fn joined(values: impl IntoIterator<Item = impl Display>) -> String {
    let mut text = String::new();
    for value in values {
        let gap = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{gap}{value}");
    }
    text
}

/// The datagram in its full length, what the record does not hold as blanks.
fn padded<'a>(packet: &Packet<'a>) -> Cow<'a, [u8]> {
    let length = (packet.length as usize).min(DATAGRAM_BYTES_MAX);
    if length <= packet.bytes.len() {
        return Cow::Borrowed(packet.bytes);
    }
    let mut whole = packet.bytes.to_vec();
    whole.resize(length, b' ');
    Cow::Owned(whole)
}
