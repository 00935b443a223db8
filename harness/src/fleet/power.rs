//! Power of phones while a run goes on: who loses it, who gets it back, and the rounds of a soak.

use std::time::Duration;

use bootstorm_emulator::phone::io::{Connection, ConnectionFault};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::load_shape::Rounds;

use crate::waiting::Waiting;

/// What happens to a phone at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Its power is cut.
    Cut,
    /// Its power is back.
    Back,
    /// A round of a soak is over.
    Round,
    /// A connection fails: the server cannot be reached.
    Broken(Connection, Failure),
}

/// Why a connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody takes it.
    Refused,
    /// It was there, and broke.
    Reset,
}

impl From<Failure> for ConnectionFault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused => Self::Refused,
            Failure::Reset => Self::Reset,
        }
    }
}

/// The turns of one shard's phones, in the order of their times.
#[derive(Debug, Default)]
pub struct Power {
    due: Waiting<(u32, Turn)>,
    /// Turns that steps await: those of rounds are not.
    awaited: usize,
    soak: Option<Soak>,
}

/// A soak under way.
#[derive(Debug, Clone, Copy)]
struct Soak {
    rounds: Rounds,
    /// Rounds that would end behind it are not begun.
    end: Moment,
}

impl Power {
    /// For a run that may have rounds, and ends at `deadline`.
    #[must_use]
    pub fn new(rounds: Option<Rounds>, deadline: Duration) -> Self {
        let end = Moment::ZERO + deadline;
        Self {
            soak: rounds.map(|rounds| Soak { rounds, end }),
            ..Self::default()
        }
    }

    /// Plans a turn that steps await.
    pub fn plan(&mut self, at: Moment, slot: u32, turn: Turn) {
        self.awaited += 1;
        self.push(at, slot, turn);
    }

    fn push(&mut self, at: Moment, slot: u32, turn: Turn) {
        self.due.put(at, (slot, turn));
    }

    /// A phone is switched on for the first time: its rounds begin, where there are any.
    pub fn started(&mut self, slot: u32, at: Moment) {
        if let Some(soak) = self.soak {
            self.next_round(soak, slot, at);
        }
    }

    /// A round of a phone is over. True when another one begins, with the phone's power cut.
    pub fn round_over(&mut self, slot: u32, at: Moment) -> bool {
        let Some(soak) = self.soak else { return false };
        let begins = self.next_round(soak, slot, at);
        if begins {
            self.push(at + soak.rounds.off, slot, Turn::Back);
        }
        begins
    }

    fn next_round(&mut self, soak: Soak, slot: u32, at: Moment) -> bool {
        let over = at + soak.rounds.every;
        let fits = over <= soak.end;
        if fits {
            self.push(over, slot, Turn::Round);
        }
        fits
    }

    /// When the next turn is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.due.deadline()
    }

    /// A turn that is due: when it was, whose, and what.
    pub fn take_due(&mut self, now: Moment) -> Option<(Moment, u32, Turn)> {
        let (at, (slot, turn)) = self.due.take_due(now)?;
        let of_round = self.soak.is_some() && matches!(turn, Turn::Round | Turn::Back);
        self.awaited = self.awaited.saturating_sub(usize::from(!of_round));
        Some((at, slot, turn))
    }

    /// True when no turn is left that a step awaits.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.awaited == 0
    }

    /// True when no turn is left at all.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn rounds_follow_each_other_as_long_as_they_fit_the_run() {
        let rounds = Rounds {
            every: Duration::from_secs(10),
            off: Duration::from_secs(2),
        };
        let mut power = Power::new(Some(rounds), Duration::from_secs(25));
        power.started(7, at(3));
        assert_eq!(power.deadline(), Some(at(13)));
        assert_eq!(power.take_due(at(12)), None);
        assert_eq!(power.take_due(at(13)), Some((at(13), 7, Turn::Round)));
        assert!(power.round_over(7, at(13)));
        assert_eq!(power.take_due(at(30)), Some((at(15), 7, Turn::Back)));
        assert_eq!(power.take_due(at(30)), Some((at(23), 7, Turn::Round)));
        // The next one would end at 33 s.
        assert!(!power.round_over(7, at(23)));
        assert!(power.is_over() && power.is_still());
    }

    #[test]
    fn steps_await_what_they_planned() {
        let mut power = Power::new(None, Duration::from_secs(25));
        power.started(1, at(0));
        power.plan(at(2), 1, Turn::Back);
        power.plan(at(1), 1, Turn::Cut);
        assert!(!power.is_still());
        assert_eq!(power.take_due(at(5)), Some((at(1), 1, Turn::Cut)));
        assert_eq!(power.take_due(at(5)), Some((at(2), 1, Turn::Back)));
        assert!(power.is_still() && power.is_over());
    }
}
