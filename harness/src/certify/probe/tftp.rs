//! A TFTP client that loses, repeats and strays as a step says (RFC 1350, 1123 §4.2.3.1, 2347 to
//! 2349, 7440).

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::phone::io::{Channel, Input};
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::tftp::{self as wire, Packet};
use bootstorm_scenarios::suite::probe::{Lost, TftpRead, Twice};

use super::compare::Compare;
use super::{Flow, Turn};

/// Between two requests where `repeat_request` is said.
const REPEAT: Duration = Duration::from_secs(1);
/// How long the client waits for what a wrong ACK might bring.
const PAUSE: Duration = Duration::from_millis(300);
/// How far ahead a wrong ACK is.
const AHEAD: u16 = 1_000;

/// A read under way.
#[derive(Debug)]
pub(super) struct Reading {
    spec: TftpRead,
    request: Vec<u8>,
    channel: Channel,
    /// The port of strays.
    other: Channel,
    /// The server's end of the transfer.
    peer: Option<SocketAddrV4>,
    block_bytes: usize,
    /// Blocks that one ACK answers (RFC 7440).
    window: u64,
    /// Blocks that came in order.
    blocks: u64,
    losses: u16,
    lost: bool,
    /// The last block came.
    is_whole: bool,
    compare: Compare,
    /// An ACK that waits, and until when.
    late_ack: Option<(Moment, u64)>,
    /// When the request is sent again.
    again: Option<Moment>,
}

impl Reading {
    /// Sends the request.
    pub(super) fn begin(turn: &mut Turn<'_>, spec: &TftpRead, same_as: Option<&Template>) -> Self {
        let held = turn.kept.port.filter(|_| spec.same_port);
        let channel = held.unwrap_or_else(|| turn.kept.fresh());
        turn.kept.port = Some(channel);
        let mut request = Vec::new();
        let name = turn.me.path(&spec.file, spec.raw);
        wire::read_request(&mut request, name.as_bytes(), spec.mode.as_bytes());
        for (name, value) in &spec.options {
            wire::option(&mut request, name.as_bytes(), value.as_bytes());
        }
        let reading = Self {
            request,
            channel,
            other: turn.kept.fresh(),
            peer: None,
            block_bytes: usize::from(wire::BLOCK_BYTES),
            window: 1,
            blocks: 0,
            losses: spec.lose.map_or(0, |_| spec.lose_times),
            lost: false,
            is_whole: false,
            compare: turn.me.compare(same_as, spec.netascii),
            late_ack: None,
            again: spec.repeat_request.then(|| turn.now + REPEAT),
            spec: spec.clone(),
        };
        let copies = reading.copies(Twice::Request);
        (0..copies).for_each(|_| reading.ask(turn));
        reading
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let late = self.late_ack.map(|(at, _)| at);
        late.into_iter().chain(self.again).min()
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        match input {
            Input::Datagram {
                channel,
                from,
                bytes,
            } if *channel == self.channel => self.packet(turn, *from, bytes),
            Input::Tick => self.tick(turn),
            _ => Flow::More,
        }
    }

    /// The step's time is over.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) {
        turn.compared(&mut self.compare);
    }

    fn tick(&mut self, turn: &mut Turn<'_>) -> Flow {
        if self.again.is_some_and(|at| at <= turn.now) {
            self.again = Some(turn.now + REPEAT);
            self.ask(turn);
        }
        match self.late_ack {
            Some((at, block)) if at <= turn.now => {
                self.late_ack = None;
                self.ack(turn, block);
                self.flow(turn)
            }
            _ => Flow::More,
        }
    }

    fn packet(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4, bytes: &[u8]) -> Flow {
        let Ok(packet) = wire::decode(bytes) else {
            return Flow::More;
        };
        match packet {
            // What comes from elsewhere is not of this transfer (RFC 1350 §4).
            _ if self.peer.is_some_and(|peer| peer != from) => Flow::More,
            Packet::OptionAck(options) => {
                if self.blocks > 0 || self.loses(Lost::Oack, turn.now) {
                    return Flow::More;
                }
                self.peer = Some(from);
                self.again = None;
                let number = |name: &[u8]| options.number(name).flatten();
                let bytes = number(wire::BLKSIZE).and_then(|it| usize::try_from(it).ok());
                self.block_bytes = bytes.unwrap_or(self.block_bytes).max(1);
                self.window = number(b"windowsize").unwrap_or(1).max(1);
                self.answer(turn, 0)
            }
            Packet::Data { block, data } => self.data(turn, from, block, data),
            Packet::Error { .. } => {
                turn.compared(&mut self.compare);
                Flow::Done
            }
            _ => Flow::More,
        }
    }

    fn data(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4, block: u16, data: &[u8]) -> Flow {
        let next = self.blocks + 1;
        if block != low(next) {
            // The block before once more: its ACK was lost, or is thought to be.
            let is_last = self.blocks > 0 && block == low(self.blocks);
            return match is_last && self.late_ack.is_none() {
                true => self.repeated(turn),
                false => Flow::More,
            };
        }
        let ends = data.len() < self.block_bytes;
        let here = Lost::Data;
        if (next == self.spec.lose_block && self.loses(here, turn.now))
            || (ends && self.loses(Lost::LastData, turn.now))
        {
            return Flow::More;
        }
        self.peer = Some(from);
        self.again = None;
        self.blocks = next;
        self.is_whole = ends;
        self.compare.take(data);
        if ends {
            self.compare.whole();
        } else if !next.is_multiple_of(self.window) {
            return Flow::More;
        }
        self.answer(turn, next)
    }

    /// The last block came once more: it is acknowledged again, unless that is lost too.
    fn repeated(&mut self, turn: &mut Turn<'_>) -> Flow {
        if self.lost && self.loses_ack(self.blocks) {
            return Flow::More;
        }
        self.lost = false;
        self.ack(turn, self.blocks);
        self.flow(turn)
    }

    /// Acknowledges a block, or does what the step wants in place of that.
    fn answer(&mut self, turn: &mut Turn<'_>, block: u64) -> Flow {
        let here = Some(block);
        if self.spec.stray_after == here
            && let Some(peer) = self.peer
        {
            turn.out
                .send(self.other, peer, |out| wire::ack(out, low(block)));
        }
        if self.spec.late_request_after == here {
            self.ask(turn);
        }
        if self.spec.error_after == here {
            self.send(turn, |out| {
                wire::error(out, wire::UNDEFINED, b"Ended by the client")
            });
            return self.end(turn);
        }
        if self.spec.silent_after == here {
            return self.end(turn);
        }
        if self.loses_ack(block) {
            self.lost = true;
            if self.spec.repeat_request {
                self.again = Some(turn.now + REPEAT);
            }
            return Flow::More;
        }
        if self.spec.wrong_ack_after == here {
            self.send(turn, |out| wire::ack(out, low(block).wrapping_add(AHEAD)));
            self.late_ack = Some((turn.now + PAUSE, block));
            return Flow::More;
        }
        if !self.spec.ack_delay.is_zero() {
            self.late_ack = Some((turn.now + self.spec.ack_delay, block));
            return Flow::More;
        }
        self.ack(turn, block);
        self.flow(turn)
    }

    /// The end, if the whole file came.
    fn flow(&mut self, turn: &mut Turn<'_>) -> Flow {
        match self.is_whole {
            true => self.end(turn),
            false => Flow::More,
        }
    }

    fn end(&mut self, turn: &mut Turn<'_>) -> Flow {
        turn.compared(&mut self.compare);
        Flow::Done
    }

    /// True where this packet is taken as lost.
    fn loses(&mut self, what: Lost, now: Moment) -> bool {
        if self.spec.lose != Some(what) || self.losses == 0 {
            return false;
        }
        self.losses -= 1;
        if self.spec.repeat_request {
            self.again = Some(now + REPEAT);
        }
        true
    }

    fn loses_ack(&mut self, block: u64) -> bool {
        let meant = match self.spec.lose {
            Some(Lost::Ack) => block == self.spec.lose_block,
            Some(Lost::LastAck) => self.is_whole,
            _ => false,
        };
        let lost = meant && self.losses > 0;
        self.losses -= u16::from(lost);
        lost
    }

    fn copies(&self, what: Twice) -> usize {
        if self.spec.twice == Some(what) { 2 } else { 1 }
    }

    /// Sends the request.
    fn ask(&self, turn: &mut Turn<'_>) {
        let to = turn.me.server(port::TFTP);
        turn.out.send(self.channel, to, |out| {
            out.extend_from_slice(&self.request);
        });
    }

    fn ack(&self, turn: &mut Turn<'_>, block: u64) {
        for _ in 0..self.copies(Twice::Ack) {
            self.send(turn, |out| wire::ack(out, low(block)));
        }
    }

    fn send(&self, turn: &mut Turn<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(peer) = self.peer {
            turn.out.send(self.channel, peer, write);
        }
    }
}

/// A block's number on the wire: 0 follows 65,535.
fn low(block: u64) -> u16 {
    (block & 0xffff) as u16
}
