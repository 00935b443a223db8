//! The TFTP client: one read request to its last ACK (RFC 1350, 2347, 2348, 2349).
//!
//! A transfer has a channel of its own from the request to the end (WIRE-07). The server answers
//! from a port of its own choice; that port is the transfer's from then on, and whatever comes
//! from another one is told so and otherwise ignored (RFC 1350 §4).
//!
//! ```text
//! Requested ── OACK ──> Agreed ── DATA 1 ──> Receiving ── short DATA ──> Over
//!     └─────────────── DATA 1 ──────────────────┘
//! ```
//!
//! The client records `Sent`, `Retried`, `Wrong` (for what it goes on after) and `LimitReached`; a
//! fault that ends the transfer is in its ending only. What the profile leaves open follows
//! libcurl, whose packets the captures show (WIRE-02).

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Ending;
use crate::bodies::{BodyWriter, OverLimit};
use crate::event::{EventKind, Fault, Limit};
use crate::limits::STRAYS_MAX;
use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::profile::{StepId, TftpOption, TftpSpec};
use crate::time::Moment;
use crate::wire::Malformed;
use crate::wire::tftp::{self, Options, Packet};

/// Bytes of a request at most (RFC 2347).
const REQUEST_BYTES_MAX: usize = 512;

/// One transfer.
///
/// It ends once: after the `Ending` that `datagram` or `tick` gave, it ignores everything. The
/// server may not have got the last ACK and send the last block again; the client is gone then, so
/// the phone keeps `last_ack` for a while.
#[derive(Debug)]
pub struct TftpClient {
    step: StepId,
    channel: Channel,
    server: SocketAddrV4,
    limit: usize,
    /// As sent, for repeats.
    request: Box<[u8]>,
    stage: Stage,
    body: Option<BodyWriter>,
    /// Number of the last block acknowledged, modulo 65,536.
    block: u16,
    block_bytes: u16,
    /// How often the last packet was sent.
    transmissions: u8,
    strays: u32,
    deadline: Moment,
}

/// The last ACK of a transfer that found its file, kept for a while to be sent again when the
/// server repeats the last block: "dallying" (RFC 1350 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAck {
    /// The transfer's ladder step.
    pub step: StepId,
    /// The transfer's channel.
    pub channel: Channel,
    /// The server's address and port in the transfer.
    pub peer: SocketAddrV4,
    /// Number of the last block, modulo 65,536.
    pub block: u16,
    /// When it may be forgotten: twice the client's own retry time after the last block.
    pub until: Moment,
    /// How many more repeats are answered; `STRAYS_MAX` at first.
    pub left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The request cannot be sent; ends with the first tick.
    Unsendable,
    /// The request was sent.
    Requested,
    /// Options were agreed on, ACK 0 was sent.
    Agreed { peer: SocketAddrV4 },
    /// At least one block came.
    Receiving { peer: SocketAddrV4 },
    /// Ended.
    Over { last: Option<LastAck> },
}

impl TftpClient {
    /// Sends the read request for `name` (as it goes on the wire) from `channel`; the body may
    /// have `limit` bytes. Habits come from `turn.profile.tftp`.
    ///
    /// A name that holds a zero byte, or makes the request longer than the 512 bytes of RFC 2347,
    /// is not sent: the first tick, due at once, ends with `Failed(BadTarget)`.
    pub fn start(
        turn: &mut Turn<'_>,
        step: StepId,
        channel: Channel,
        server: SocketAddrV4,
        name: &[u8],
        limit: usize,
    ) -> Self {
        let request = request(&turn.profile.tftp, name);
        let sendable = request.len() <= REQUEST_BYTES_MAX && !name.contains(&0);
        let mut client = Self {
            step,
            channel,
            server,
            limit,
            request,
            stage: Stage::Unsendable,
            body: Some(turn.shelf.bodies.start(limit)),
            block: 0,
            block_bytes: tftp::BLOCK_BYTES,
            transmissions: 0,
            strays: 0,
            deadline: turn.now,
        };
        if sendable {
            client.stage = Stage::Requested;
            let bytes = client.send_request(turn);
            turn.event(EventKind::Sent { step, bytes });
            client.arm(turn);
        }
        client
    }

    /// Takes a datagram that arrived on the transfer's channel.
    pub fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<Ending> {
        let known = match self.stage {
            // Unspecified; only the server's own address is taken before its port is known,
            // because anything else is no answer to our request.
            Stage::Requested => from.ip() == self.server.ip(),
            Stage::Agreed { peer } | Stage::Receiving { peer } => from == peer,
            Stage::Unsendable | Stage::Over { .. } => return None,
        };
        if !known {
            self.foreign(turn, from, bytes);
            return None;
        }
        match tftp::decode(bytes) {
            Ok(Packet::Data { block, data }) => self.data(turn, from, block, data),
            Ok(Packet::OptionAck(options)) => self.option_ack(turn, from, options),
            Ok(Packet::Error { code, .. }) => Some(self.error(turn, from, code)),
            Ok(Packet::Read(_) | Packet::Write(_) | Packet::Ack { .. }) => {
                let fault = Malformed::new("packet that only a client sends", 0);
                self.stray(turn, Fault::Malformed(fault));
                None
            }
            Err(fault) => self.malformed(turn, from, bytes, fault),
        }
    }

    /// Does what is due at `turn.now`: sends the last packet again, or gives up with
    /// `Failed(Silence)` after the profile's `attempts`.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<Ending> {
        if turn.now < self.deadline {
            return None;
        }
        let peer = match self.stage {
            Stage::Unsendable => return Some(self.end(Fault::BadTarget)),
            Stage::Over { .. } => return None,
            Stage::Requested => None,
            Stage::Agreed { peer } | Stage::Receiving { peer } => Some(peer),
        };
        if self.transmissions >= turn.profile.tftp.attempts {
            return Some(self.end(Fault::Silence));
        }
        match peer {
            None => {
                self.send_request(turn);
            }
            Some(peer) => self.send_ack(turn, peer),
        }
        self.transmissions = self.transmissions.saturating_add(1);
        turn.event(EventKind::Retried {
            step: self.step,
            attempt: self.transmissions,
        });
        self.deadline = self.due(turn);
        None
    }

    /// When `tick` is due; the end of time once the transfer is over.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// The channel it was started on.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// What the phone keeps of a transfer that found its file: the ACK that answers a repeat of
    /// the last block. `None` before the end and after any other end.
    #[must_use]
    pub fn last_ack(&self) -> Option<LastAck> {
        match self.stage {
            Stage::Over { last } => last,
            _ => None,
        }
    }

    fn data(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        block: u16,
        data: &[u8],
    ) -> Option<Ending> {
        let began = matches!(self.stage, Stage::Receiving { .. });
        if began && block == self.block {
            // One ACK for each repeat. The deadline stays, so that repeats alone cannot keep a
            // transfer alive for ever.
            self.send_ack(turn, from);
            return None;
        }
        let expected = self.block.wrapping_add(1);
        if block != expected {
            let got = block;
            self.stray(turn, Fault::UnexpectedBlock { expected, got });
            return None;
        }
        if data.len() > usize::from(self.block_bytes) {
            let fault = Malformed::new("block longer than agreed", 4);
            self.send_error(turn, from, tftp::ILLEGAL_OPERATION, b"block too long");
            return Some(self.end(Fault::Malformed(fault)));
        }
        if let Some(body) = &mut self.body {
            let taken = turn.shelf.bodies.append(body, data);
            if let Err(OverLimit(_)) = taken {
                return Some(self.too_large(turn, from));
            }
        }
        self.block = block;
        self.stage = Stage::Receiving { peer: from };
        self.send_ack(turn, from);
        if data.len() < usize::from(self.block_bytes) {
            return self.found(turn, from);
        }
        self.arm(turn);
        None
    }

    fn option_ack(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        options: Options<'_>,
    ) -> Option<Ending> {
        match self.stage {
            Stage::Requested => {}
            Stage::Agreed { .. } => {
                // A repeat: our ACK 0 was lost.
                self.send_ack(turn, from);
                return None;
            }
            _ => {
                let fault = Malformed::new("option acknowledgement after data", 0);
                self.stray(turn, Fault::Malformed(fault));
                return None;
            }
        }
        match agree(&turn.profile.tftp, options) {
            Agreement::Refused => Some(self.refuse(turn, from, Fault::OptionRefused)),
            Agreement::Accepted {
                file_bytes: Some(file_bytes),
                ..
            } if file_bytes > self.limit as u64 => Some(self.too_large(turn, from)),
            Agreement::Accepted {
                block_bytes,
                other_timeout,
                ..
            } => {
                if other_timeout {
                    // RFC 2349 wants the value back as it was; libcurl does not look at it.
                    self.stray(turn, Fault::OptionRefused);
                }
                self.block_bytes = block_bytes;
                self.stage = Stage::Agreed { peer: from };
                self.send_ack(turn, from);
                self.arm(turn);
                None
            }
        }
    }

    /// The server's ERROR ends a transfer at any time. Only code 1 says "not there"; what other
    /// codes or any message may mean is never guessed (WIRE-06, FLY-73).
    fn error(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4, code: u16) -> Ending {
        let stage = self.stage;
        if stage != Stage::Requested {
            // libcurl tells the server that it has stopped, in four bytes. It puts the block
            // number where the code belongs; we say 0, because that is what it means.
            turn.out.send(self.channel, from, |out| {
                tftp::bare_error(out, tftp::UNDEFINED);
            });
        }
        let ending = self.end(Fault::TftpError(code));
        if code == tftp::NOT_FOUND && !matches!(stage, Stage::Receiving { .. }) {
            return Ending::Missing;
        }
        ending
    }

    fn malformed(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        bytes: &[u8],
        fault: Malformed,
    ) -> Option<Ending> {
        let fault = Fault::Malformed(fault);
        // An OACK that cannot be read will not get better when the server repeats it.
        if self.stage == Stage::Requested && bytes.starts_with(&[0, 6]) {
            return Some(self.refuse(turn, from, fault));
        }
        self.stray(turn, fault);
        None
    }

    /// RFC 1350 §4: the sender is told, the transfer goes on. An ERROR is never answered, so that
    /// two ends cannot go on about it for ever.
    fn foreign(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4, bytes: &[u8]) {
        let noted = self.stray(turn, Fault::ForeignTid);
        if noted && !bytes.starts_with(&[0, 5]) {
            self.send_error(turn, from, tftp::UNKNOWN_TID, b"unknown transfer ID");
        }
    }

    /// Records something that the transfer goes on after; false once there was too much of it.
    fn stray(&mut self, turn: &mut Turn<'_>, fault: Fault) -> bool {
        if self.strays >= STRAYS_MAX {
            return false;
        }
        self.strays += 1;
        turn.event(EventKind::Wrong {
            step: self.step,
            fault,
        });
        if self.strays == STRAYS_MAX {
            turn.event(EventKind::LimitReached {
                limit: Limit::Strays,
                value: u64::from(STRAYS_MAX),
            });
        }
        true
    }

    fn refuse(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4, fault: Fault) -> Ending {
        self.send_error(turn, from, tftp::OPTION_REFUSED, b"option refused");
        self.end(fault)
    }

    fn too_large(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4) -> Ending {
        // RFC 2349: code 3 is the one for a file that the client has no room for.
        self.send_error(turn, from, tftp::DISK_FULL, b"file too large");
        turn.event(EventKind::LimitReached {
            limit: Limit::FileBytes,
            value: self.limit as u64,
        });
        self.end(Fault::TooLarge)
    }

    fn found(&mut self, turn: &mut Turn<'_>, peer: SocketAddrV4) -> Option<Ending> {
        let body = self.body.take()?;
        self.close(Some(LastAck {
            step: self.step,
            channel: self.channel,
            peer,
            block: self.block,
            until: turn.now + turn.profile.tftp.retry.saturating_mul(2),
            left: STRAYS_MAX,
        }));
        Some(Ending::Found(turn.shelf.bodies.finish(body)))
    }

    fn end(&mut self, fault: Fault) -> Ending {
        self.close(None);
        Ending::Failed(fault)
    }

    /// Lets go of what the transfer holds.
    fn close(&mut self, last: Option<LastAck>) {
        self.stage = Stage::Over { last };
        self.body = None;
        self.request = Box::default();
        self.deadline = Moment::from_nanos(u64::MAX);
    }

    fn send_request(&self, turn: &mut Turn<'_>) -> u32 {
        let bytes = turn.out.send(self.channel, self.server, |out| {
            out.extend_from_slice(&self.request);
        });
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    fn send_ack(&self, turn: &mut Turn<'_>, peer: SocketAddrV4) {
        turn.out
            .send(self.channel, peer, |out| tftp::ack(out, self.block));
    }

    fn send_error(&self, turn: &mut Turn<'_>, to: SocketAddrV4, code: u16, message: &[u8]) {
        turn.out
            .send(self.channel, to, |out| tftp::error(out, code, message));
    }

    /// A new packet was sent: its first transmission.
    fn arm(&mut self, turn: &mut Turn<'_>) {
        self.transmissions = 1;
        self.deadline = self.due(turn);
    }

    /// When the packet sent now is sent again: a protocol time, never scaled.
    fn due(&self, turn: &mut Turn<'_>) -> Moment {
        let spec = &turn.profile.tftp;
        let spread = u64::try_from(spec.retry_spread.as_nanos()).unwrap_or(u64::MAX);
        let drawn = Duration::from_nanos(turn.rng.up_to(spread));
        turn.now + spec.retry.saturating_add(drawn)
    }
}

impl LastAck {
    /// Sends the ACK again if the datagram is the last block of the transfer once more, and
    /// records `Late`. False: the datagram is something else, or `left` or `until` is over.
    pub fn answer(
        &mut self,
        turn: &mut Turn<'_>,
        channel: Channel,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> bool {
        let repeat = matches!(
            tftp::decode(bytes),
            Ok(Packet::Data { block, .. }) if block == self.block
        );
        let over = self.left == 0 || self.until < turn.now;
        if !repeat || channel != self.channel || from != self.peer || over {
            return false;
        }
        self.left -= 1;
        turn.out
            .send(channel, from, |out| tftp::ack(out, self.block));
        turn.event(EventKind::Late { step: self.step });
        true
    }
}

/// What an OACK amounts to.
enum Agreement {
    /// A value that was not asked for or cannot be accepted.
    Refused,
    /// The transfer goes on.
    Accepted {
        block_bytes: u16,
        file_bytes: Option<u64>,
        other_timeout: bool,
    },
}

fn request(spec: &TftpSpec, name: &[u8]) -> Box<[u8]> {
    let mut out = Vec::new();
    tftp::read_request(&mut out, name, tftp::OCTET);
    for option in &spec.options {
        match *option {
            TftpOption::Size => tftp::option_number(&mut out, tftp::TSIZE, 0),
            TftpOption::BlockBytes(bytes) => {
                tftp::option_number(&mut out, tftp::BLKSIZE, u64::from(bytes));
            }
            TftpOption::TimeoutS(seconds) => {
                tftp::option_number(&mut out, tftp::TIMEOUT, u64::from(seconds));
            }
        }
    }
    out.into_boxed_slice()
}

/// Judges an OACK by what was asked for. What it does not name keeps its default: 512 bytes, no
/// size known, our own retry time (WIRE-05).
fn agree(spec: &TftpSpec, options: Options<'_>) -> Agreement {
    let mut block_bytes = tftp::BLOCK_BYTES;
    let mut file_bytes = None;
    let mut other_timeout = false;
    for (name, value) in options {
        let asked = spec.options.iter().find(|asked| {
            let known = match asked {
                TftpOption::Size => tftp::TSIZE,
                TftpOption::BlockBytes(_) => tftp::BLKSIZE,
                TftpOption::TimeoutS(_) => tftp::TIMEOUT,
            };
            name.eq_ignore_ascii_case(known)
        });
        let (Some(asked), Some(value)) = (asked, tftp::number(value)) else {
            return Agreement::Refused;
        };
        match *asked {
            TftpOption::Size if value == 0 && spec.refuse_zero_size => return Agreement::Refused,
            TftpOption::Size => file_bytes = Some(value),
            TftpOption::BlockBytes(most) => match u16::try_from(value) {
                Ok(bytes) if (tftp::BLOCK_BYTES_MIN..=most).contains(&bytes) => {
                    block_bytes = bytes;
                }
                _ => return Agreement::Refused,
            },
            TftpOption::TimeoutS(seconds) => other_timeout = value != u64::from(seconds),
        }
    }
    Agreement::Accepted {
        block_bytes,
        file_bytes,
        other_timeout,
    }
}

#[cfg(test)]
mod tests;
