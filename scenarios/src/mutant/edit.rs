//! The bytes of a message, changed by the names of its fields; everything else keeps its bytes and
//! its order.

mod dhcp;
mod lines;
mod sntp;
mod tftp;

use super::Change;

/// The field of a datagram that is no part of its bytes: the port it comes from.
pub(super) const PORT: &str = "port";

/// What a message is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// DHCP.
    Dhcp,
    /// TFTP.
    Tftp,
    /// HTTP, inside TLS too.
    Http,
    /// SIP, over UDP and streams.
    Sip,
    /// SNTP.
    Ntp,
    /// Multicast DNS.
    Mdns,
    /// FTP: a line of the control connection, or a piece of a file.
    Ftp,
}

impl Protocol {
    /// Every protocol with the first word of its messages' names.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Dhcp, "dhcp"),
        (Self::Tftp, "tftp"),
        (Self::Http, "http"),
        (Self::Sip, "sip"),
        (Self::Ntp, "ntp"),
        (Self::Mdns, "mdns"),
        (Self::Ftp, "ftp"),
    ];

    /// The protocol of a message's name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (word, _) = name.split_once('.')?;
        let mut all = Self::ALL.into_iter();
        all.find(|(_, known)| *known == word)
            .map(|(protocol, _)| protocol)
    }

    /// Kinds of messages that it has and that can be edited, after the dot; empty = any word.
    pub(super) fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Dhcp => &[
                "discover", "offer", "request", "decline", "ack", "nak", "release", "inform",
            ],
            Self::Tftp => &["rrq", "wrq", "data", "ack", "oack", "error"],
            Self::Http | Self::Sip => &[],
            Self::Ntp => &["request", "response"],
            Self::Mdns => &["query", "response"],
            Self::Ftp => &["retr", "reply", "data"],
        }
    }

    /// Whether its messages have a head and a body.
    pub(super) fn has_head(self) -> bool {
        matches!(self, Self::Http | Self::Sip)
    }

    /// Why a field cannot be set to a value, or (without one) be taken out: what was expected.
    pub(super) fn refuses(self, field: &str, value: Option<&str>) -> Option<String> {
        if field == PORT && matches!(self, Self::Tftp) {
            let good = value.is_some_and(|value| value.parse::<u16>().is_ok());
            return (!good).then(|| String::from("a port"));
        }
        match self {
            Self::Dhcp => dhcp::refuses(field, value),
            Self::Tftp => tftp::refuses(field, value),
            Self::Http | Self::Sip => lines::refuses(self == Self::Sip, field, value),
            Self::Ntp => sntp::refuses(field, value),
            Self::Ftp => match (field, value) {
                ("user" | "password" | "file" | "text", Some(_)) => None,
                ("mode", Some("active" | "passive")) => None,
                ("code", Some(code)) if code.len() == 3 && code.parse::<u16>().is_ok() => None,
                _ => Some(String::from(
                    "user, password, file, mode (active or passive) of ftp.retr, code (3 digits) \
                     or text of ftp.reply",
                )),
            },
            Self::Mdns => Some(String::from(
                "no field: names are written with their lengths",
            )),
        }
    }
}

/// The bytes after a change that leaves a message; `None` = as they were (the change is about
/// something else, or has no place in them).
pub(super) fn changed(
    protocol: Protocol,
    bytes: &[u8],
    change: &Change,
    keep_length: bool,
) -> Option<Vec<u8>> {
    if protocol.has_head() {
        return lines::changed(bytes, change, keep_length, protocol == Protocol::Sip);
    }
    match change {
        Change::Replace(from, to) => Some(replaced(bytes, from, to)),
        Change::Cut(length) => Some(bytes.get(..*length)?.to_vec()),
        Change::CutEnd(less) => Some(bytes.get(..bytes.len().saturating_sub(*less))?.to_vec()),
        Change::Append(more) => Some([bytes, more.as_slice()].concat()),
        Change::Whole(whole) => Some(whole.clone()),
        Change::Set(fields) => {
            let mut held = bytes.to_vec();
            for (field, value) in fields {
                held = with_field(protocol, &held, field, Some(value)).unwrap_or(held);
            }
            Some(held)
        }
        Change::Remove(field) => with_field(protocol, bytes, field, None),
        Change::Drop | Change::Repeat(_) | Change::Delay(_) | Change::Nothing => None,
    }
}

fn with_field(
    protocol: Protocol,
    bytes: &[u8],
    field: &str,
    value: Option<&str>,
) -> Option<Vec<u8>> {
    match protocol {
        Protocol::Dhcp => dhcp::with_field(bytes, field, value),
        Protocol::Tftp => tftp::with_field(bytes, field, value),
        Protocol::Ntp => sntp::with_field(bytes, field, value),
        Protocol::Ftp => match (field, value?) {
            ("code", code) => Some([code.as_bytes(), bytes.get(3..)?].concat()),
            ("text", text) => Some([bytes.get(..3)?, b" ", text.as_bytes(), b"\r\n"].concat()),
            _ => None,
        },
        Protocol::Http | Protocol::Sip | Protocol::Mdns => None,
    }
}

/// Every occurrence of `from` in `bytes` made `to`.
pub(super) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        match rest.strip_prefix(from).filter(|_| !from.is_empty()) {
            Some(behind) => {
                out.extend_from_slice(to);
                rest = behind;
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// A number as it is written in a file: plain, or `+1` and `-1` beside the one that is there.
/// Numbers go round at `most`, as they do in a field of the wire.
fn number(text: &str, held: u64, most: u64) -> Option<u64> {
    let wide = |number: u64| u128::from(number);
    let round = |number: u128| u64::try_from(number % (wide(most) + 1)).ok();
    if let Some(more) = text.strip_prefix('+') {
        return round(wide(held) + wide(more.parse::<u64>().ok()?));
    }
    if let Some(less) = text.strip_prefix('-') {
        let less = wide(less.parse::<u64>().ok()?) % (wide(most) + 1);
        return round(wide(held) + wide(most) + 1 - less);
    }
    text.parse().ok().filter(|number| *number <= most)
}

/// What `number` takes, in words.
fn numbers(most: u64) -> String {
    format!("a number up to {most}, or +N or -N beside the one that is there")
}

/// Bytes written as hexadecimal digits, blanks between them or not.
pub(super) fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .map(|letter| {
            letter
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests;
