//! The steps of a scenario: when each is due, whom it is for, what came of it. The shards of a run
//! take them together: none goes on before all phones of the run are at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::scenario::{Step, When};

use crate::reference::notify::{Answers, Batch, Message, Target};

/// What the shards of a run share: how many of them are ready for each step.
#[derive(Debug)]
pub struct Meeting {
    shards: u32,
    ready: Vec<AtomicU32>,
}

/// One shard's way through the steps.
#[derive(Debug)]
pub struct Stepper {
    steps: Vec<Step>,
    meeting: Arc<Meeting>,
    next: usize,
    /// This shard has said that it is ready for the next step.
    is_ready: bool,
    batch: Option<Arc<Batch>>,
    /// When the last step was taken.
    taken_at: Moment,
    /// No step is taken before this.
    held_until: Moment,
    /// The latest moment that `due` was asked at.
    seen: Moment,
    counts: Vec<StepCount>,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepCount {
    /// Phones that it was for.
    pub planned: u32,
    /// Of them, those that had no address then.
    pub unreachable: u32,
    /// Of them, those that were registered with a SIP account then.
    pub registered: u32,
    /// How the others answered.
    pub answers: Answers,
    /// What they did then.
    pub effect: Effect,
}

/// What phones did for a step. Each phone counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// Phones that fetched their configuration again and came to rest.
    pub resynced: u32,
    /// Phones that ignored it: they are told to, or told to ignore its sender.
    pub ignored: u32,
}

/// Whom a step is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// Phones that it is for, by their slots.
    pub slots: Vec<u32>,
    /// Of them, those that are registered with a SIP account.
    pub registered: u32,
    /// Those that have an address.
    pub targets: Vec<Target>,
}

impl Meeting {
    /// For so many shards and the steps of a scenario.
    #[must_use]
    pub fn new(shards: u32, steps: &[Step]) -> Arc<Self> {
        Arc::new(Self {
            shards,
            ready: steps.iter().map(|_| AtomicU32::new(0)).collect(),
        })
    }
}

impl Stepper {
    /// At the beginning of the steps, alone.
    #[must_use]
    pub fn new(steps: &[Step]) -> Self {
        Self {
            steps: steps.to_vec(),
            meeting: Meeting::new(1, steps),
            next: 0,
            is_ready: false,
            batch: None,
            taken_at: Moment::ZERO,
            held_until: Moment::ZERO,
            seen: Moment::ZERO,
            counts: Vec::new(),
        }
    }

    /// Takes the steps together with other shards.
    pub fn join(&mut self, meeting: Arc<Meeting>) {
        self.meeting = meeting;
    }

    /// True when every step was taken and answered.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let taken = self.next == self.steps.len() && self.is_answered();
        taken && self.seen >= self.held_until
    }

    /// The number of the step that was taken last, from 0.
    #[must_use]
    pub fn last(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// Takes no step before this.
    pub fn hold_until(&mut self, at: Moment) {
        self.held_until = at;
    }

    /// When a step with a fixed time is due, if that is the next.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let Some(step) = self.steps.get(self.next) else {
            // A wait behind which nothing is done holds the run.
            return Some(self.held_until).filter(|at| *at > self.seen);
        };
        let at = self.due_at(step).unwrap_or(self.held_until);
        let waits = at > self.taken_at || !matches!(step.when, When::Settled);
        (waits && self.is_answered() && !self.is_ready).then_some(at)
    }

    /// When a step with a time is due.
    fn due_at(&self, step: &Step) -> Option<Moment> {
        let at = match step.when {
            When::Settled => return None,
            When::At(at) => Moment::ZERO + at,
            When::Later(after) => self.taken_at + after,
        };
        Some(at.max(self.held_until))
    }

    /// The step that is to be taken now; the caller then tells by `taken` whom it goes to.
    /// `at_rest` says that every phone of the shard is.
    pub fn due(&mut self, now: Moment, at_rest: bool) -> Option<Step> {
        self.seen = now;
        let step = self.steps.get(self.next)?;
        let ready = match self.due_at(step) {
            None => at_rest && now >= self.held_until,
            Some(at) => now >= at,
        };
        let ready = ready && self.is_answered();
        let counter = self.meeting.ready.get(self.next)?;
        if ready && !self.is_ready {
            self.is_ready = true;
            counter.fetch_add(1, Ordering::AcqRel);
        }
        if !self.is_ready || counter.load(Ordering::Acquire) < self.meeting.shards {
            return None;
        }
        let step = step.clone();
        self.close();
        self.is_ready = false;
        self.next += 1;
        self.taken_at = now;
        Some(step)
    }

    /// Notes whom the step that `due` gave goes to; with a message it is told to them.
    pub fn taken(&mut self, chosen: Chosen, message: Option<Message>) -> Option<Arc<Batch>> {
        let planned = u32::try_from(chosen.slots.len()).unwrap_or(u32::MAX);
        let reached = u32::try_from(chosen.targets.len()).unwrap_or(u32::MAX);
        self.counts.push(StepCount {
            planned,
            unreachable: message.map_or(0, |_| planned.saturating_sub(reached)),
            registered: chosen.registered,
            ..StepCount::default()
        });
        let batch = Batch::new(chosen.targets, message?);
        self.batch = Some(Arc::clone(&batch));
        Some(batch)
    }

    /// What came of the steps that were taken, in their order.
    #[must_use]
    pub fn finish(mut self, effects: &[Effect]) -> Vec<StepCount> {
        self.close();
        for (count, effect) in self.counts.iter_mut().zip(effects) {
            count.effect = *effect;
        }
        self.counts
    }

    fn is_answered(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| batch.is_over())
    }

    /// Closes the books of the step under way.
    fn close(&mut self) {
        if let (Some(batch), Some(count)) = (self.batch.take(), self.counts.last_mut()) {
            count.answers = batch.answers();
        }
    }
}

impl StepCount {
    /// Both together, for the shards of one run.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (one, two) = (self.answers, other.answers);
        Self {
            planned: self.planned + other.planned,
            unreachable: self.unreachable + other.unreachable,
            registered: self.registered + other.registered,
            answers: Answers {
                accepted: one.accepted + two.accepted,
                refused: one.refused + two.refused,
                silent: one.silent + two.silent,
            },
            effect: Effect {
                resynced: self.effect.resynced + other.effect.resynced,
                ignored: self.effect.ignored + other.effect.ignored,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_scenarios::scenario::Action;

    use super::*;
    use std::time::Duration;

    fn step(when: When) -> Step {
        Step::bare(when, Action::CheckSync { reboot: None })
    }

    #[test]
    fn waits_for_the_phones_of_every_shard() {
        let steps = [step(When::Settled)];
        let meeting = Meeting::new(2, &steps);
        let mut shards = [Stepper::new(&steps), Stepper::new(&steps)];
        for shard in &mut shards {
            shard.join(Arc::clone(&meeting));
        }
        let [one, other] = &mut shards;
        assert!(one.due(Moment::ZERO, true).is_none());
        assert!(other.due(Moment::ZERO, false).is_none());
        assert!(other.due(Moment::ZERO, true).is_some());
        // A shard that was ready stays so, whatever its phones do meanwhile.
        assert!(one.due(Moment::ZERO, false).is_some());
        assert!(one.due(Moment::ZERO, true).is_none());
    }

    #[test]
    fn takes_a_step_at_its_time_and_the_next_when_that_was_answered() {
        let steps = [step(When::At(Duration::from_secs(5))), step(When::Settled)];
        let mut shard = Stepper::new(&steps);
        assert_eq!(shard.deadline(), Some(Moment::from_millis(5_000)));
        assert!(shard.due(Moment::from_millis(4_999), true).is_none());
        assert!(shard.due(Moment::from_millis(5_000), false).is_some());
        let target = Target {
            to: "127.0.0.1:5060".parse().unwrap(),
            user: String::new(),
            account: None,
        };
        let chosen = Chosen {
            slots: vec![0, 1],
            registered: 1,
            targets: vec![target],
        };
        let batch = shard.taken(chosen, Some(Message::CheckSync(None)));
        assert!(batch.is_some());
        assert!(shard.due(Moment::from_millis(6_000), true).is_none());
        assert!(!shard.is_over());
        let effect = Effect {
            resynced: 1,
            ignored: 0,
        };
        let counts = shard.finish(&[effect]);
        assert_eq!((counts[0].planned, counts[0].unreachable), (2, 1));
        assert_eq!((counts[0].registered, counts[0].effect), (1, effect));
    }

    #[test]
    fn a_later_step_follows_the_one_before_and_a_wait_holds_those_behind_it() {
        let later = When::Later(Duration::from_secs(3));
        let steps = [step(When::Settled), step(later), step(When::Settled)];
        let mut shard = Stepper::new(&steps);
        let at = Moment::from_millis;
        assert_eq!(shard.deadline(), None);
        assert!(shard.due(at(1_000), true).is_some());
        shard.taken(Chosen::default(), None);
        assert_eq!(shard.deadline(), Some(at(4_000)));
        assert!(shard.due(at(3_999), true).is_none());
        assert!(shard.due(at(4_000), false).is_some());
        shard.taken(Chosen::default(), None);
        shard.hold_until(at(9_000));
        assert_eq!(shard.deadline(), Some(at(9_000)));
        assert!(shard.due(at(8_999), true).is_none());
        assert!(shard.due(at(9_000), true).is_some());
        assert_eq!((shard.last(), shard.is_over()), (2, true));
        shard.taken(Chosen::default(), None);
        shard.hold_until(at(12_000));
        assert!(!shard.is_over());
        assert_eq!(shard.deadline(), Some(at(12_000)));
        assert!(shard.due(at(12_000), true).is_none());
        assert!(shard.is_over());
    }
}
