//! Writing DHCP messages: options in the order of the calls, padding as the vendor has it.

use std::net::Ipv4Addr;

use super::{
    BOOT_REQUEST, BROADCAST, COOKIE, ETHERNET, FILE_AT, FILE_BYTES, HEADER_BYTES, MessageType,
    SNAME_AT, SNAME_BYTES, VALUE_BYTES_MAX, code,
};
use crate::identity::Mac;

/// The fixed header of a message to be written. `htype` and `hlen` are those of Ethernet.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// `BOOT_REQUEST` or `BOOT_REPLY`.
    pub op: u8,
    /// Relays passed.
    pub hops: u8,
    /// Transaction id.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The broadcast flag; the other flags are zero.
    pub broadcast: bool,
    /// The client's address, where it has one.
    pub ciaddr: Ipv4Addr,
    /// The address that the client gets.
    pub yiaddr: Ipv4Addr,
    /// The next server of a bootstrap.
    pub siaddr: Ipv4Addr,
    /// The first relay.
    pub giaddr: Ipv4Addr,
    /// The client's hardware address.
    pub mac: Mac,
    /// Server name; cut so that a NUL follows it in its 64 bytes.
    pub sname: &'a [u8],
    /// Boot file name; cut so that a NUL follows it in its 128 bytes.
    pub file: &'a [u8],
}

impl Header<'_> {
    /// A header that says who asks, and nothing else.
    #[must_use]
    pub fn request(xid: u32, mac: Mac) -> Self {
        Self {
            op: BOOT_REQUEST,
            hops: 0,
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac,
            sname: b"",
            file: b"",
        }
    }
}

/// Appends one message to a buffer: header, then options in the order of the calls, then End.
#[derive(Debug)]
#[must_use = "a message ends with `finish`"]
pub struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
}

impl<'b> Encoder<'b> {
    /// Writes header and cookie after what `out` already holds.
    pub fn begin(out: &'b mut Vec<u8>, header: &Header<'_>) -> Self {
        let start = out.len();
        let flags = if header.broadcast { BROADCAST } else { 0 };
        let Mac(mac) = header.mac;
        out.extend_from_slice(&[header.op, ETHERNET, 6, header.hops]);
        out.extend_from_slice(&header.xid.to_be_bytes());
        out.extend_from_slice(&header.secs.to_be_bytes());
        out.extend_from_slice(&flags.to_be_bytes());
        for address in [header.ciaddr, header.yiaddr, header.siaddr, header.giaddr] {
            out.extend_from_slice(&address.octets());
        }
        out.extend_from_slice(&mac);
        out.resize(start + SNAME_AT, 0);
        out.extend(header.sname.iter().take(SNAME_BYTES - 1));
        out.resize(start + FILE_AT, 0);
        out.extend(header.file.iter().take(FILE_BYTES - 1));
        out.resize(start + HEADER_BYTES, 0);
        out.extend_from_slice(&COOKIE);
        Self { out, start }
    }

    /// Appends one option. A value of more than 255 bytes is split into several options with this
    /// code (RFC 3396 §5); an empty one is written with length 0.
    pub fn option(&mut self, code: u8, value: &[u8]) -> &mut Self {
        let (mut part, mut rest) = value.split_at(value.len().min(VALUE_BYTES_MAX));
        loop {
            let length = u8::try_from(part.len()).unwrap_or(u8::MAX);
            self.out.extend_from_slice(&[code, length]);
            self.out.extend_from_slice(part);
            if rest.is_empty() {
                return self;
            }
            (part, rest) = rest.split_at(rest.len().min(VALUE_BYTES_MAX));
        }
    }

    /// Appends an option whose value `write` appends; nothing at all when it writes nothing. A
    /// value of more than 255 bytes is split as in `option`.
    pub fn option_with(&mut self, code: u8, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let at = self.out.len();
        self.out.extend_from_slice(&[code, 0]);
        write(self.out);
        let length = self.out.len().saturating_sub(at + 2);
        match u8::try_from(length) {
            Ok(0) => self.out.truncate(at),
            Ok(length) => {
                if let Some(byte) = self.out.get_mut(at + 1) {
                    *byte = length;
                }
            }
            Err(_) => {
                let value = self.out.split_off(at + 2);
                self.out.truncate(at);
                self.option(code, &value);
            }
        }
        self
    }

    /// Appends option 53.
    pub fn message_type(&mut self, kind: MessageType) -> &mut Self {
        self.option(code::MESSAGE_TYPE, &[kind as u8])
    }

    /// Appends End, then zero bytes until the message has `length` bytes; a message that is that
    /// long already stays as it is (0 = no padding).
    pub fn finish(self, length: usize) {
        self.out.push(code::END);
        let end = self.start.saturating_add(length).max(self.out.len());
        self.out.resize(end, 0);
    }
}
