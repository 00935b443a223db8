//! The time of day: an SNTP client for a phone that must know it before it asks for anything
//! (AUE-05 … AUE-07).
//!
//! The client asks until it has an answer that can be believed, at its profile's interval and
//! without an end. What a server says is believed when it answers this very request, its clock is
//! set and its stratum is 1 to 15 (RFC 4330 §5). The phone has no time of its own yet, so a request
//! carries a random number where a clock's reading would stand; the answer gives it back.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::event::{EventKind, Fault, Limit};
use crate::limits::STRAYS_MAX;
use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::time::Moment;
use crate::wire::port;
use crate::wire::sntp::{Packet, Timestamp, UNSYNCHRONISED, mode};

const STEP: StepId = StepId::CLOCK;
/// The longest wait that kiss-o'-death packets lead to: the poll interval that RFC 5905 §7.2 has
/// for the most patient, 2^10 s.
const PATIENCE_MAX: Duration = Duration::from_secs(1 << 10);
/// The strata of servers that know the time (RFC 4330 §4); 0 is a kiss-o'-death.
const STRATA: std::ops::RangeInclusive<u8> = 1..=15;
const NANOS_PER_S: u64 = 1_000_000_000;

/// What a phone knows of the time of day. It goes on with the run's clock; a phone without power
/// has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    set: Moment,
    unix_nanos: u64,
}

impl WallClock {
    /// At `set` it was `unix_nanos` nanoseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn new(set: Moment, unix_nanos: u64) -> Self {
        Self { set, unix_nanos }
    }

    /// Whole seconds from 1970-01-01 00:00 UTC to `now`.
    #[must_use]
    pub fn unix_s(self, now: Moment) -> u64 {
        let passed = now.nanos().saturating_sub(self.set.nanos());
        self.unix_nanos.saturating_add(passed) / NANOS_PER_S
    }
}

/// A question for the time, repeated until it is answered.
#[derive(Debug)]
pub struct ClockClient {
    channel: Channel,
    /// What the answer must give back; zero = nothing is awaited.
    stamp: Timestamp,
    /// The same of the request before: its answer is late, not foreign.
    prior: Timestamp,
    first_sent: Option<Moment>,
    sent: Moment,
    due: Moment,
    wait: Duration,
    /// Requests so far.
    attempt: u8,
    /// Which server is asked next.
    turn: usize,
    /// The lack of a server was reported.
    lonely: bool,
    strays: u32,
}

impl ClockClient {
    /// Sends the first request from `channel`; without a server it waits until there is one.
    /// A profile without `clock` asks each second.
    pub fn start(turn: &mut Turn<'_>, servers: &[Ipv4Addr], channel: Channel) -> Self {
        let retry = turn.profile.clock.as_ref().map(|clock| clock.retry);
        let mut client = Self {
            channel,
            stamp: Timestamp::ZERO,
            prior: Timestamp::ZERO,
            first_sent: None,
            sent: turn.now,
            due: turn.now,
            wait: retry.unwrap_or(Duration::from_secs(1)),
            attempt: 0,
            turn: 0,
            lonely: false,
            strays: 0,
        };
        client.ask(turn, servers);
        client
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.due
    }

    /// The time is not known yet: asks again, the next server where there are several.
    pub fn tick(&mut self, turn: &mut Turn<'_>, servers: &[Ipv4Addr]) {
        if self.due <= turn.now {
            self.ask(turn, servers);
        }
    }

    /// Takes a datagram for the client's port; the time, once it is known. Where it came from is
    /// not looked at: nobody else knows the number that it gives back.
    pub fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        channel: Channel,
        bytes: &[u8],
    ) -> Option<WallClock> {
        if channel != self.channel {
            return None;
        }
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(malformed) => {
                let fault = Fault::Malformed(malformed);
                self.stray(turn, EventKind::Wrong { step: STEP, fault });
                return None;
            }
        };
        let awaited = self.stamp != Timestamp::ZERO && packet.originate == self.stamp;
        if !awaited && self.prior != Timestamp::ZERO && packet.originate == self.prior {
            self.stray(turn, EventKind::Late { step: STEP });
            return None;
        }
        let answers = awaited && packet.mode == mode::SERVER && packet.version != 0;
        let believed = answers
            && packet.leap != UNSYNCHRONISED
            && STRATA.contains(&packet.stratum)
            && packet.transmit != Timestamp::ZERO
            && packet.transmit.unix_nanos() > 0;
        if believed {
            return Some(self.set(turn, &packet));
        }
        if answers && packet.stratum == 0 {
            self.be_patient(turn);
        }
        let fault = Fault::NoTime;
        self.stray(turn, EventKind::Wrong { step: STEP, fault });
        None
    }

    /// A kiss-o'-death: the server wants fewer requests or none (RFC 4330 §8). The phone has no
    /// other way to the time, so each one doubles its wait: unspecified.
    fn be_patient(&mut self, turn: &Turn<'_>) {
        self.stamp = Timestamp::ZERO;
        self.wait = (self.wait * 2).min(PATIENCE_MAX.max(self.wait));
        self.due = turn.now + self.wait;
    }

    fn ask(&mut self, turn: &mut Turn<'_>, servers: &[Ipv4Addr]) {
        self.due = turn.now + self.wait;
        self.strays = 0;
        let next = self.turn.checked_rem(servers.len());
        let Some(server) = next.and_then(|place| servers.get(place)) else {
            if !std::mem::replace(&mut self.lonely, true) {
                let fault = Fault::UnknownHost;
                turn.event(EventKind::Wrong { step: STEP, fault });
            }
            return;
        };
        self.turn = self.turn.wrapping_add(1);
        self.prior = self.stamp;
        self.stamp = Timestamp(turn.rng.next_u64().max(1));
        self.sent = turn.now;
        self.attempt = self.attempt.saturating_add(1);
        let to = SocketAddrV4::new(*server, port::NTP);
        let request = Packet::request(self.stamp);
        let length = turn.out.send(self.channel, to, |out| request.encode(out));
        let (step, attempt) = (STEP, self.attempt);
        if self.first_sent.is_some() {
            turn.event(EventKind::Retried { step, attempt });
        } else {
            self.first_sent = Some(turn.now);
            let bytes = u32::try_from(length).unwrap_or(u32::MAX);
            turn.event(EventKind::Sent { step, bytes });
        }
    }

    /// The time now: that of the answer's leaving and half the way to and fro (RFC 4330 §5).
    fn set(&mut self, turn: &mut Turn<'_>, packet: &Packet) -> WallClock {
        let (received, left) = (packet.receive.unix_nanos(), packet.transmit.unix_nanos());
        let away = if packet.receive == Timestamp::ZERO {
            0
        } else {
            left.saturating_sub(received)
        };
        let passed = turn.now.nanos().saturating_sub(self.sent.nanos());
        let way = passed.saturating_sub(away) / 2;
        let clock = WallClock::new(turn.now, left.saturating_add(way));
        let first = self.first_sent.unwrap_or(turn.now);
        let after = turn.now.since(first);
        turn.event(EventKind::Answered { step: STEP, after });
        turn.event(EventKind::TimeSet {
            unix_s: clock.unix_s(turn.now),
        });
        clock
    }

    /// Reports something unusable, up to the limit for one request.
    fn stray(&mut self, turn: &mut Turn<'_>, kind: EventKind) {
        if self.strays >= STRAYS_MAX {
            return;
        }
        self.strays += 1;
        turn.event(kind);
        if self.strays == STRAYS_MAX {
            let (limit, value) = (Limit::Strays, u64::from(STRAYS_MAX));
            turn.event(EventKind::LimitReached { limit, value });
        }
    }
}

#[cfg(test)]
mod tests;
