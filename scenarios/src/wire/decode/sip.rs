//! SIP, on datagrams and on streams.

use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::sip::{Message, StartLine, frame, is_keep_alive, long_name};

use super::tcp::Piece;
use super::{Fields, Name, joined, padded};
use crate::wire::Packet;
use crate::wire::message::Message as Decoded;

/// One direction of a stream.
#[derive(Debug, Default)]
pub(super) struct Side {
    held: Vec<u8>,
}

/// Reads a datagram that may be SIP.
pub(super) fn read_datagram(packet: &Packet<'_>, fields: &mut Fields) -> Option<Name> {
    let ours = packet.peer.port() == port::SIP || packet.phone.port() == port::SIP;
    if ours && is_keep_alive(packet.bytes) {
        return Some("sip.keepalive".into());
    }
    let whole = padded(packet);
    match Message::parse(&whole) {
        Ok(message) => {
            let cut = packet.bytes.len() < packet.length as usize;
            put(&message, cut, fields);
            Some(name(&message))
        }
        Err(fault) => {
            if ours {
                fields.put("fault", fault);
            }
            None
        }
    }
}

/// True for a first line of SIP.
pub(super) fn begins(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"SIP/2.0") || line.ends_with(b"SIP/2.0")
}

impl Side {
    /// Takes bytes of the stream.
    pub(super) fn feed(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Decoded>) {
        let kept = self.held.len();
        self.held.extend_from_slice(piece.bytes);
        let whole = piece.bytes.len() + piece.missing;
        self.held
            .resize(kept + whole.min(super::DATAGRAM_BYTES_MAX), b' ');
        loop {
            if self.held.is_empty() {
                return;
            }
            if is_keep_alive(&self.held) {
                let length = self.held.len();
                out.push(piece.message("sip.keepalive".into(), length, piece.fields(length)));
                self.held.clear();
                return;
            }
            let length = match frame(&self.held) {
                Ok(Some(length)) => length,
                Ok(None) => return,
                Err(fault) => return self.give_up(piece, Some(&fault), out),
            };
            let mut fields = piece.fields(length);
            let read = Message::parse(self.held.get(..length).unwrap_or_default());
            match read {
                Ok(message) => {
                    put(&message, piece.missing > 0, &mut fields);
                    out.push(piece.message(name(&message), length, fields));
                }
                Err(fault) => return self.give_up(piece, Some(&fault), out),
            }
            self.held.drain(..length);
        }
    }

    /// The stream is over: what is left was no message.
    pub(super) fn end(&mut self, piece: &Piece<'_, '_>, out: &mut Vec<Decoded>) {
        if !self.held.is_empty() {
            self.give_up(piece, None, out);
        }
    }

    fn give_up(
        &mut self,
        piece: &Piece<'_, '_>,
        fault: Option<&dyn std::fmt::Display>,
        out: &mut Vec<Decoded>,
    ) {
        out.push(piece.unknown(&self.held, self.held.len(), fault));
        self.held.clear();
    }
}

fn name(message: &Message<'_>) -> Name {
    match message.start {
        StartLine::Request { method, .. } => format!("sip.{}", method.to_lowercase()).into(),
        StartLine::Response { .. } => "sip.response".into(),
    }
}

/// What a message says.
fn put(message: &Message<'_>, cut: bool, fields: &mut Fields) {
    if let Some(uri) = message.uri() {
        fields.put("uri", uri);
    }
    if let StartLine::Response { status, reason } = message.start {
        fields.put("status", status);
        fields.put_text("reason", reason);
    }
    if let Some(method) = message.method() {
        fields.put("method", method);
    }
    fields.put("headers", joined(message.fields().map(|field| field.name)));
    for field in message.fields() {
        let name = long_name(field.name).to_lowercase();
        fields.put(format!("header.{name}"), unfolded(field.value));
    }
    if let Some(event) = message.event() {
        fields.put_text("event", event.main);
    }
    fields.put("body_bytes", message.body.len());
    fields.put_body(message.body);
    if cut {
        fields.put("truncated", true);
    }
}

/// A value in one line (RFC 3261 §7.3.1).
pub(super) fn unfolded(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    if !text.contains(['\r', '\n']) {
        return text.into_owned();
    }
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join(" ")
}
