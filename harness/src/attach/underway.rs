//! What is under way on the links of a real attachment's phones, between phone and socket: one
//! queue in the order of arrival for both ways, with buffers that are used again.

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::link::{Flow, Lines, Told};
use bootstorm_scenarios::wire::Way;

use super::buffers::Buffers;
use super::cwmp::Knock;
use crate::fleet::shard::Sender;
use crate::waiting::Waiting;

/// The links of a shard's phones and what is under way on them.
#[derive(Debug)]
pub(super) struct UnderWay {
    lines: Lines,
    queue: Waiting<Cargo>,
    buffers: Buffers,
    late: Lateness,
}

/// By how much later than due things were let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// How many.
    pub count: u64,
    /// All their times together.
    pub sum: Duration,
}

impl Lateness {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum.saturating_add(other.sum),
        }
    }

    /// The mean; zero of none.
    #[must_use]
    pub fn mean(self) -> Duration {
        let nanos = self.sum.as_nanos().checked_div(self.count.into());
        Duration::from_nanos(nanos.map_or(0, |it| u64::try_from(it).unwrap_or(u64::MAX)))
    }
}

/// A datagram, or a request to a phone.
#[derive(Debug)]
pub(super) enum Cargo {
    /// From a phone.
    Up {
        from: Sender,
        to: SocketAddrV4,
        bytes: Vec<u8>,
    },
    /// To a phone.
    Down {
        slot: u32,
        channel: Channel,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    /// A connection request.
    Knock(Knock),
}

impl UnderWay {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            queue: Waiting::default(),
            buffers: Buffers::default(),
            late: Lateness::default(),
        }
    }

    /// When the next of it arrives.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.queue.deadline()
    }

    /// What has arrived.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Cargo> {
        let (due, cargo) = self.queue.take_due(now)?;
        self.late.count += 1;
        self.late.sum = self.late.sum.saturating_add(now.since(due));
        Some(cargo)
    }

    /// What phones sent and has not arrived, in its order; nothing is under way then.
    pub(super) fn drain(&mut self) -> Vec<(Sender, SocketAddrV4, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(cargo) = self.queue.take_next() {
            if let Cargo::Up { from, to, bytes } = cargo {
                sent.push((from, to, bytes));
            }
        }
        sent
    }

    /// Takes a datagram from a phone.
    pub(super) fn up(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        let arrivals = self.lines.datagram(from.slot, Way::Sent, now, bytes.len());
        for at in arrivals.into_iter().flatten() {
            let bytes = self.buffers.copy(bytes);
            self.queue.put(at, Cargo::Up { from, to, bytes });
        }
    }

    /// Takes a datagram to a phone.
    pub(super) fn down(
        &mut self,
        now: Moment,
        (slot, channel): (u32, Channel),
        from: SocketAddrV4,
        bytes: &[u8],
    ) {
        let arrivals = self.lines.datagram(slot, Way::Received, now, bytes.len());
        for at in arrivals.into_iter().flatten() {
            let bytes = self.buffers.copy(bytes);
            self.queue.put(
                at,
                Cargo::Down {
                    slot,
                    channel,
                    from,
                    bytes,
                },
            );
        }
    }

    /// Takes a request to a phone: it is there when a connection is made.
    pub(super) fn knock(&mut self, now: Moment, slot: u32, knock: Knock) {
        let wait = self.lines.link(slot).delay * 2;
        self.queue.put(now + wait, Cargo::Knock(knock));
    }

    /// The fate of a phone's next connection.
    pub(super) fn flow(&mut self, slot: u32) -> Option<Flow> {
        self.lines.flow(slot)
    }

    /// Takes a buffer back.
    pub(super) fn give_back(&mut self, bytes: Vec<u8>) {
        self.buffers.take_back(bytes);
    }

    /// By how much later than due it let go.
    pub(super) fn late(&self) -> Lateness {
        self.late
    }

    /// What befell the phones' packets.
    pub(super) fn told(&self) -> Told {
        self.lines.tally().told()
    }
}
