//! Where datagrams arrive and leave, and the arena in which replies are written.

use std::net::SocketAddrV4;
use std::ops::Range;

/// A UDP endpoint of the reference server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// The DHCP server, well-known port 67.
    Dhcp,
    /// Where TFTP requests arrive, well-known port 69.
    Tftp,
    /// A TFTP transfer's own port (its TID), one of a pool numbered from 0 (RFC 1350 §4).
    Transfer(u16),
    /// Where SUBSCRIBEs arrive: 224.0.1.75 or the server's address, port 5060.
    Sip,
    /// The port from which PnP answers come, e.g. 7777 (FLY-46); confirmations arrive there.
    Pnp,
    /// The time server, well-known port 123.
    Ntp,
    /// Multicast DNS: 224.0.0.251, port 5353.
    Mdns,
}

/// One UDP payload to send. `bytes` points into `Replies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The endpoint that it leaves from.
    pub from: Endpoint,
    /// Where to.
    pub to: SocketAddrV4,
    bytes: Range<usize>,
}

/// What one or more requests were answered with. Reused: `clear` keeps the memory.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
    datagrams: Vec<Datagram>,
}

impl Replies {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
    }

    /// Adds the payload that `write` appends to the arena; returns its length in bytes.
    pub fn send(
        &mut self,
        from: Endpoint,
        to: SocketAddrV4,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let bytes = start..self.bytes.len();
        let length = bytes.len();
        self.datagrams.push(Datagram { from, to, bytes });
        length
    }

    /// The replies with their payloads, in the order in which they are to be sent.
    pub fn iter(&self) -> impl Iterator<Item = (&Datagram, &[u8])> {
        self.datagrams.iter().map(|datagram| {
            let bytes = self.bytes.get(datagram.bytes.clone());
            (datagram, bytes.unwrap_or_default())
        })
    }

    /// How many datagrams there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// True when there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}
