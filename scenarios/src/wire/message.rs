//! Packets decoded to messages: what a case's expectations name.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;

use super::decode::Decoder;
use super::record::Record;
use super::{Packet, Way};

/// Characters of a value that a line shows.
const VALUE_SHOWN_MAX: usize = 120;
/// What a line shows of a message, in this order, for the first name or beginning that fits.
const SHOWN: &[(&str, &[&str])] = &[
    ("dhcp.discover", &["xid", "secs", "option.60", "option.55"]),
    (
        "dhcp.request",
        &[
            "xid",
            "secs",
            "ciaddr",
            "option.50",
            "option.54",
            "option.60",
            "option.55",
        ],
    ),
    (
        "dhcp.",
        &[
            "xid",
            "ciaddr",
            "yiaddr",
            "siaddr",
            "giaddr",
            "file",
            "option.54",
            "option.66",
            "option.67",
            "option.43",
            "option.160",
            "options",
        ],
    ),
    ("tftp.data", &["block", "bytes", "last", "file"]),
    ("tftp.ack", &["block", "file"]),
    ("tftp.error", &["code", "text", "file"]),
    (
        "tftp.",
        &[
            "file",
            "mode",
            "option.blksize",
            "option.tsize",
            "option.timeout",
        ],
    ),
    (
        "http.response",
        &[
            "status",
            "body_bytes",
            "header.content-type",
            "header.location",
            "soap",
        ],
    ),
    (
        "http.",
        &["target", "host", "header.user-agent", "body_bytes", "soap"],
    ),
    ("sip.response", &["status", "reason", "method"]),
    (
        "sip.",
        &[
            "uri",
            "event",
            "header.subscription-state",
            "header.content-type",
            "body_bytes",
        ],
    ),
    ("ntp.", &["version", "mode", "stratum"]),
    ("mdns.", &["names", "types", "answers"]),
    ("ftp.", &["file", "mode", "bytes", "complete", "reason"]),
    ("tcp.unknown", &["length", "hex"]),
    ("tcp.", &["tls", "reason"]),
    ("udp.", &["length", "hex"]),
];

/// One message of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When its last byte left or arrived.
    pub at: Moment,
    /// Which way it went.
    pub way: Way,
    /// The other end, as the phone sees it.
    pub peer: SocketAddrV4,
    /// Protocol and kind in lower case: `dhcp.discover`, `tftp.rrq`, `http.response`.
    pub name: Cow<'static, str>,
    /// Bytes of the UDP payload, or of the message within its connection.
    pub length: u32,
    /// What it says, in the order of the wire; a key may occur more than once.
    pub fields: Vec<(Cow<'static, str>, String)>,
}

impl Message {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(held, _)| held == key)?;
        Some(&found.1)
    }

    /// Every value of a field.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter();
        fields.filter_map(move |(held, value)| (held == key).then_some(value.as_str()))
    }
}

/// The messages of a record, oldest first. Whatever its packets hold, this neither fails nor loses
/// any: what cannot be read is `udp.unknown` or `tcp.unknown`; a message that the record or its
/// connection cut short is there with the field `truncated`. Memory is bounded by the record's.
#[must_use]
pub fn decode(record: &Record) -> Vec<Message> {
    let mut decoder = Decoder::default();
    record.for_each(|packet| decoder.packet(packet));
    decoder.finish()
}

/// Calls `each` with every packet of a record, oldest first, and with the messages that it
/// completes.
pub fn decode_each(record: &Record, mut each: impl FnMut(&Packet<'_>, &[Message])) {
    let mut decoder = Decoder::default();
    record.for_each(|packet| {
        decoder.packet(packet);
        each(packet, &decoder.take());
    });
}

/// What `line` says after the time: which way, with whom, what, and what matters most of it.
#[must_use]
pub fn summary(message: &Message) -> String {
    let way = match message.way {
        Way::Sent => "->",
        Way::Received => "<-",
    };
    let mut text = format!("{way} {} {}", message.peer, message.name);
    let mut shown = SHOWN
        .iter()
        .filter(|(name, _)| message.name.starts_with(name));
    for key in shown.next().map_or(&[][..], |(_, keys)| keys) {
        for value in message.values(key).filter(|value| !is_dull(value)) {
            let key = key.strip_prefix("header.").unwrap_or(key);
            let _ = write!(text, " {key}={}", shortened(value));
        }
    }
    if message.field("truncated").is_some() {
        text.push_str(" (cut)");
    }
    text
}

/// One line of a decoded exchange: when, which way, with whom, what, and what matters most of it.
/// Values may be secret.
#[must_use]
pub fn line(message: &Message) -> String {
    let nanos = message.at.nanos();
    let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
    format!("{seconds:>5}.{micros:06} {}", summary(message))
}

/// Nothing is said by it.
fn is_dull(value: &str) -> bool {
    value.is_empty() || value == "0.0.0.0"
}

/// A value in one line, quoted where it has blanks.
fn shortened(value: &str) -> String {
    let mut text: String = value.chars().take(VALUE_SHOWN_MAX).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '"')
    {
        return format!("{text:?}");
    }
    text
}
