//! The TFTP server: read requests, option negotiation, lock step, retransmission (RFC 1350,
//! RFC 2347–2349).
//!
//! A transfer belongs to its client's address and port: each file of a phone comes from a fresh
//! port (WIRE-07). A request that is repeated while its transfer has not moved is answered with
//! the same first packet again, not with a second transfer; a client that lost the server's last
//! block and reuses its port for a new request gets a new transfer.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::tftp::{self as wire, Packet};

use super::content::{Absent, Source};
use super::counters::{Counter, Counters};
use super::replies::{Endpoint, Replies};
use super::timers::{Slab, Slot, Timers};

/// Bytes of netascii text, which is made for each transfer, held at one time.
const NETASCII_BYTES_MAX: usize = 16 << 20;

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct TftpConfig {
    /// Whether `tsize` is agreed on (RFC 2349).
    pub tsize: bool,
    /// Whether `blksize` is agreed on (RFC 2348). A server that agrees on nothing answers a request
    /// with its first block, without OACK (WIRE-04).
    pub blksize: bool,
    /// Whether `timeout` is agreed on (RFC 2349); many servers leave it out of the OACK (WIRE-05).
    pub timeout: bool,
    /// The largest block agreed on, in bytes, 8 to 65,464; a request for more gets this.
    pub block_bytes_max: u16,
    /// Wait before a packet is sent again, unless `timeout` was agreed on.
    pub retransmit_after: Duration,
    /// How often a packet is sent at most, at least 1, before a silent client is given up.
    pub attempts: u8,
    /// Ports that transfers are spread over, at least 1.
    pub channels: u16,
    /// Transfers at one time; a request over it is dropped and may be repeated.
    pub transfers_max: usize,
}

/// The server.
#[derive(Debug)]
pub struct Tftp {
    config: TftpConfig,
    source: Source,
    counters: Arc<Counters>,
    transfers: Slab<Transfer>,
    by_client: FxHashMap<SocketAddrV4, Slot>,
    timers: Timers,
    last_channel: u16,
    netascii_bytes: usize,
}

#[derive(Debug)]
struct Transfer {
    client: SocketAddrV4,
    channel: u16,
    /// The hash of the request's bytes: the same bytes again are a repeat.
    request: u64,
    body: Arc<[u8]>,
    /// Whether the body was made for this transfer alone.
    netascii: bool,
    block_bytes: u16,
    agreed: [Option<Agreed>; 3],
    /// The packet that waits for its ACK: 0 is the OACK. On the wire it rolls over to 0.
    block: u64,
    wait: Duration,
    due: Moment,
    sent: u8,
}

/// An option of the OACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Size,
    Block(u16),
    Timeout(u8),
}

impl Default for TftpConfig {
    /// Everything agreed on, packets sent five times a second apart, 32 ports.
    fn default() -> Self {
        Self {
            tsize: true,
            blksize: true,
            timeout: true,
            block_bytes_max: wire::BLOCK_BYTES_MAX,
            retransmit_after: Duration::from_secs(1),
            attempts: 20,
            channels: 32,
            transfers_max: 65_536,
        }
    }
}

impl Tftp {
    /// A server without transfers.
    #[must_use]
    pub fn new(config: TftpConfig, source: Source, counters: Arc<Counters>) -> Self {
        Self {
            config,
            source,
            counters,
            transfers: Slab::default(),
            by_client: FxHashMap::default(),
            timers: Timers::default(),
            last_channel: 0,
            netascii_bytes: 0,
        }
    }

    /// Takes one datagram that `client` sent to `at`: `Endpoint::Tftp` or `Endpoint::Transfer`.
    pub fn datagram(
        &mut self,
        now: Moment,
        at: Endpoint,
        client: SocketAddrV4,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        let Ok(packet) = wire::decode(bytes) else {
            return self.counters.count(Counter::TftpMalformed);
        };
        match (at, packet) {
            (Endpoint::Tftp, Packet::Read(request)) => {
                self.counters.count(Counter::TftpRead);
                self.read(now, client, (&request, fingerprint(bytes)), replies);
            }
            (Endpoint::Tftp, Packet::Write(_)) => {
                self.counters.count(Counter::TftpWrite);
                self.refuse(client, wire::ACCESS_VIOLATION, b"Access violation", replies);
            }
            (Endpoint::Transfer(channel), Packet::Ack { block }) => {
                self.acknowledge(now, (client, channel), block, replies);
            }
            (Endpoint::Transfer(channel), Packet::Error { .. }) => {
                let ended = self.transfer(client, channel);
                self.counters.count(match ended {
                    Some(_) => Counter::TftpAborted,
                    None => Counter::TftpStray,
                });
                if let Some(slot) = ended {
                    self.end(slot);
                }
            }
            // An ERROR is never answered (RFC 1350 §7).
            (_, Packet::Error { .. }) => self.counters.count(Counter::TftpStray),
            _ => self.stray(at, client, replies),
        }
    }

    /// When `tick` has something to do; never later than that.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Sends again what has not been acknowledged in time.
    pub fn tick(&mut self, now: Moment, replies: &mut Replies) {
        while let Some(slot) = self.timers.take_due(now) {
            let Some(transfer) = self.transfers.find(slot) else {
                continue;
            };
            if transfer.due > now {
                self.timers.add(transfer.due, slot);
                continue;
            }
            if transfer.sent >= self.config.attempts {
                self.counters.count(Counter::TftpSilent);
                self.end(slot);
                continue;
            }
            transfer.sent += 1;
            transfer.send(now, replies);
            self.timers.add(transfer.due, slot);
            self.counters.count(Counter::TftpResent);
        }
    }

    /// Ports that transfers leave from, numbered from 0.
    #[must_use]
    pub fn channels(&self) -> u16 {
        self.config.channels.max(1)
    }

    /// Transfers going on.
    #[must_use]
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    fn read(
        &mut self,
        now: Moment,
        client: SocketAddrV4,
        (request, hash): (&wire::Request, u64),
        replies: &mut Replies,
    ) {
        if self.repeats(now, client, hash, replies) {
            return;
        }
        let netascii = request.mode.eq_ignore_ascii_case(b"netascii");
        if !request.is_octet() && !netascii {
            return self.refuse(client, wire::ILLEGAL_OPERATION, b"Unknown mode", replies);
        }
        let body = match self.source.find(request.name) {
            Ok(file) => file.bytes,
            Err(absent) => return self.absent(client, absent, replies),
        };
        let converted = if netascii { body.len() * 2 } else { 0 };
        if converted > NETASCII_BYTES_MAX {
            return self.absent(client, Absent::TooLarge, replies);
        }
        if self.transfers.len() >= self.config.transfers_max
            || self.netascii_bytes + converted > NETASCII_BYTES_MAX
        {
            return self.counters.count(Counter::TftpDropped);
        }
        let body = if netascii { netascii_text(&body) } else { body };
        self.netascii_bytes += if netascii { body.len() } else { 0 };
        let mut transfer = Transfer {
            client,
            channel: self.next_channel(),
            request: hash,
            body,
            netascii,
            block_bytes: wire::BLOCK_BYTES,
            agreed: [None; 3],
            block: 1,
            wait: self.config.retransmit_after,
            due: now,
            sent: 1,
        };
        transfer.agree(&self.config, request);
        transfer.send(now, replies);
        let due = transfer.due;
        let slot = self.transfers.insert(transfer);
        self.by_client.insert(client, slot);
        self.timers.add(due, slot);
        self.counters.count(Counter::TftpBegun);
    }

    fn absent(&mut self, client: SocketAddrV4, absent: Absent, replies: &mut Replies) {
        let (code, text): (u16, &[u8]) = match absent {
            Absent::Missing => {
                self.counters.count(Counter::TftpNotFound);
                return self.error(client, wire::NOT_FOUND, b"File not found", replies);
            }
            Absent::Refused => (wire::ACCESS_VIOLATION, b"Access violation"),
            Absent::TooLarge => (wire::UNDEFINED, b"File too large"),
            Absent::Unreadable => (wire::UNDEFINED, b"File not readable"),
        };
        self.refuse(client, code, text, replies);
    }

    /// Deals with a request from the port of a transfer that goes on; true when that was all.
    ///
    /// The same request while the first packet waits for its ACK is a repeat. In the middle of the
    /// transfer it is an old copy, late on its way. Once the last block is out, or when the
    /// request is another one, the client has begun anew and the old transfer is over.
    fn repeats(
        &mut self,
        now: Moment,
        client: SocketAddrV4,
        hash: u64,
        replies: &mut Replies,
    ) -> bool {
        let Some(&slot) = self.by_client.get(&client) else {
            return false;
        };
        let Some(transfer) = self.transfers.find(slot) else {
            return false;
        };
        let first = u64::from(transfer.agreed == [None; 3]);
        if transfer.request != hash || (transfer.is_last() && transfer.block != first) {
            self.end(slot);
            return false;
        }
        self.counters.count(Counter::TftpRepeat);
        if transfer.block == first {
            transfer.send(now, replies);
        }
        true
    }

    fn acknowledge(
        &mut self,
        now: Moment,
        (client, channel): (SocketAddrV4, u16),
        block: u16,
        replies: &mut Replies,
    ) {
        let Some(slot) = self.transfer(client, channel) else {
            return self.stray(Endpoint::Transfer(channel), client, replies);
        };
        let Some(transfer) = self.transfers.find(slot) else {
            return;
        };
        // An ACK of an earlier block is not answered, or every packet would soon be sent twice
        // (RFC 1123 §4.2.3.1).
        if block != transfer.wire_block() {
            return;
        }
        if transfer.is_last() {
            self.counters.count(Counter::TftpComplete);
            return self.end(slot);
        }
        transfer.block += 1;
        transfer.sent = 1;
        transfer.send(now, replies);
    }

    /// The transfer of a client, if it runs on this channel.
    fn transfer(&mut self, client: SocketAddrV4, channel: u16) -> Option<Slot> {
        let slot = *self.by_client.get(&client)?;
        let transfer = self.transfers.find(slot)?;
        (transfer.channel == channel).then_some(slot)
    }

    fn end(&mut self, slot: Slot) {
        if let Some(transfer) = self.transfers.remove(slot) {
            self.by_client.remove(&transfer.client);
            if transfer.netascii {
                self.netascii_bytes -= transfer.body.len();
            }
        }
    }

    fn next_channel(&mut self) -> u16 {
        self.last_channel = (self.last_channel + 1) % self.channels();
        self.last_channel
    }

    fn stray(&self, at: Endpoint, client: SocketAddrV4, replies: &mut Replies) {
        self.counters.count(Counter::TftpStray);
        replies.send(at, client, |out| {
            wire::error(out, wire::UNKNOWN_TID, b"Unknown transfer ID");
        });
    }

    fn refuse(&mut self, client: SocketAddrV4, code: u16, text: &[u8], replies: &mut Replies) {
        self.counters.count(Counter::TftpRefused);
        self.error(client, code, text, replies);
    }

    /// An ERROR in place of a transfer comes from a port of its own, like a transfer.
    fn error(&mut self, client: SocketAddrV4, code: u16, text: &[u8], replies: &mut Replies) {
        let from = Endpoint::Transfer(self.next_channel());
        replies.send(from, client, |out| wire::error(out, code, text));
    }
}

impl Transfer {
    /// Agrees on options, in the order of the request; the first of several alike counts. A value
    /// out of range is passed over, as an unknown option is (RFC 2347 §3).
    fn agree(&mut self, config: &TftpConfig, request: &wire::Request) {
        for (name, value) in request.options {
            let option = if name.eq_ignore_ascii_case(wire::TSIZE) && config.tsize {
                wire::number(value).map(|_| Agreed::Size)
            } else if name.eq_ignore_ascii_case(wire::BLKSIZE) && config.blksize {
                block_bytes(value, config.block_bytes_max).map(Agreed::Block)
            } else if name.eq_ignore_ascii_case(wire::TIMEOUT) && config.timeout {
                seconds(value).map(Agreed::Timeout)
            } else {
                None
            };
            let Some(option) = option else { continue };
            let alike =
                |known: &Agreed| std::mem::discriminant(known) == std::mem::discriminant(&option);
            if self.agreed.iter().flatten().any(alike) {
                continue;
            }
            if let Some(free) = self.agreed.iter_mut().find(|place| place.is_none()) {
                *free = Some(option);
                self.block = 0;
            }
            match option {
                Agreed::Size => {}
                Agreed::Block(bytes) => self.block_bytes = bytes,
                Agreed::Timeout(seconds) => self.wait = Duration::from_secs(u64::from(seconds)),
            }
        }
    }

    /// Sends the packet that waits for its ACK, and sets the moment for sending it again.
    fn send(&mut self, now: Moment, replies: &mut Replies) {
        self.due = now + self.wait;
        let from = Endpoint::Transfer(self.channel);
        if self.block > 0 {
            let (start, end) = self.range();
            let data = self.body.get(start..end).unwrap_or_default();
            replies.send(from, self.client, |out| {
                wire::data(out, self.wire_block(), data);
            });
            return;
        }
        replies.send(from, self.client, |out| {
            wire::option_ack(out);
            for option in self.agreed.iter().flatten() {
                let (name, value) = match *option {
                    Agreed::Size => (wire::TSIZE, self.body.len() as u64),
                    Agreed::Block(bytes) => (wire::BLKSIZE, u64::from(bytes)),
                    Agreed::Timeout(seconds) => (wire::TIMEOUT, u64::from(seconds)),
                };
                wire::option_number(out, name, value);
            }
        });
    }

    /// Where the current block lies in the body.
    fn range(&self) -> (usize, usize) {
        let size = usize::from(self.block_bytes);
        let before = usize::try_from(self.block.saturating_sub(1)).unwrap_or(usize::MAX);
        let start = before.saturating_mul(size).min(self.body.len());
        (start, (start + size).min(self.body.len()))
    }

    /// Whether the current packet is a block that is not full: the end of the file.
    fn is_last(&self) -> bool {
        let (start, end) = self.range();
        self.block > 0 && end - start < usize::from(self.block_bytes)
    }

    /// The block's number as 16 bits: 0 follows 65,535.
    fn wire_block(&self) -> u16 {
        (self.block & 0xffff) as u16
    }
}

fn block_bytes(value: &[u8], most: u16) -> Option<u16> {
    let asked = wire::number(value)?;
    let least = u64::from(wire::BLOCK_BYTES_MIN);
    if asked < least {
        return None;
    }
    let most = u64::from(most).clamp(least, u64::from(wire::BLOCK_BYTES_MAX));
    u16::try_from(asked.min(most)).ok()
}

fn seconds(value: &[u8]) -> Option<u8> {
    u8::try_from(wire::number(value)?)
        .ok()
        .filter(|seconds| *seconds > 0)
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// Text as netascii has it: LF becomes CR LF, CR becomes CR NUL (RFC 764 by RFC 1350 §1).
pub(crate) fn netascii_text(bytes: &[u8]) -> Arc<[u8]> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for byte in bytes {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            other => text.push(*other),
        }
    }
    text.into()
}

#[cfg(test)]
mod tests;
