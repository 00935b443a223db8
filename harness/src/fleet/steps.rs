//! The steps of a scenario: when each is due, whom it is for, what came of it. The shards of a run
//! take them together: none goes on before all phones of the run are at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::scenario::{Action, Step, When};

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

/// What phones did for a check-sync. Each phone counts once.
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
    /// Phones that it is for.
    pub planned: u32,
    /// Of them, those that are registered with a SIP account.
    pub registered: u32,
    /// Those that have an address.
    pub targets: Vec<Target>,
}

/// What the phones of a shard look like just now.
#[derive(Debug, Clone, Copy)]
pub struct Glance {
    /// Every one is at rest.
    pub at_rest: bool,
    /// What phones have done since the step before.
    pub effect: Effect,
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
        self.next == self.steps.len() && self.is_answered()
    }

    /// When a step with a fixed time is due, if that is the next.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.steps.get(self.next)?.when {
            When::At(at) if self.is_answered() => Some(Moment::ZERO + at),
            When::At(_) | When::Settled => None,
        }
    }

    /// The step that is to be taken now; the caller then tells by `taken` whom it went to.
    pub fn due(&mut self, now: Moment, glance: Glance) -> Option<Step> {
        let step = self.steps.get(self.next)?;
        let ready = match step.when {
            When::Settled => glance.at_rest && self.is_answered(),
            When::At(at) => now >= Moment::ZERO + at && self.is_answered(),
        };
        let counter = self.meeting.ready.get(self.next)?;
        if ready && !self.is_ready {
            self.is_ready = true;
            counter.fetch_add(1, Ordering::AcqRel);
        }
        if !self.is_ready || counter.load(Ordering::Acquire) < self.meeting.shards {
            return None;
        }
        let step = step.clone();
        self.close(glance.effect);
        self.is_ready = false;
        self.next += 1;
        Some(step)
    }

    /// Notes whom the step that `due` gave goes to.
    pub fn taken(&mut self, step: &Step, chosen: Chosen) -> Arc<Batch> {
        let message = match step.action {
            Action::CheckSync { reboot } => Message::CheckSync(reboot),
            Action::ConnectionRequest => Message::ConnectionRequest,
            Action::PnpNotify => Message::PnpNotify,
        };
        let reached = u32::try_from(chosen.targets.len()).unwrap_or(u32::MAX);
        self.counts.push(StepCount {
            planned: chosen.planned,
            unreachable: chosen.planned.saturating_sub(reached),
            registered: chosen.registered,
            ..StepCount::default()
        });
        let batch = Batch::new(chosen.targets, message);
        self.batch = Some(Arc::clone(&batch));
        batch
    }

    /// What came of the steps that were taken, in their order.
    #[must_use]
    pub fn finish(mut self, effect: Effect) -> Vec<StepCount> {
        self.close(effect);
        self.counts
    }

    fn is_answered(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| batch.is_over())
    }

    /// Closes the books of the step under way.
    fn close(&mut self, effect: Effect) {
        if let (Some(batch), Some(count)) = (self.batch.take(), self.counts.last_mut()) {
            count.answers = batch.answers();
            count.effect = effect;
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
    use super::*;
    use std::time::Duration;

    fn step(when: When) -> Step {
        Step {
            when,
            action: Action::CheckSync { reboot: None },
            fleet: None,
        }
    }

    fn glance(at_rest: bool) -> Glance {
        Glance {
            at_rest,
            effect: Effect::default(),
        }
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
        assert!(one.due(Moment::ZERO, glance(true)).is_none());
        assert!(other.due(Moment::ZERO, glance(false)).is_none());
        assert!(other.due(Moment::ZERO, glance(true)).is_some());
        // A shard that was ready stays so, whatever its phones do meanwhile.
        assert!(one.due(Moment::ZERO, glance(false)).is_some());
        assert!(one.due(Moment::ZERO, glance(true)).is_none());
    }

    #[test]
    fn takes_a_step_at_its_time_and_the_next_when_that_was_answered() {
        let steps = [step(When::At(Duration::from_secs(5))), step(When::Settled)];
        let mut shard = Stepper::new(&steps);
        assert_eq!(shard.deadline(), Some(Moment::from_millis(5_000)));
        assert!(
            shard
                .due(Moment::from_millis(4_999), glance(true))
                .is_none()
        );
        let taken = shard
            .due(Moment::from_millis(5_000), glance(false))
            .unwrap();
        let target = Target {
            to: "127.0.0.1:5060".parse().unwrap(),
            user: String::new(),
            account: None,
        };
        let chosen = Chosen {
            planned: 2,
            registered: 1,
            targets: vec![target],
        };
        let _batch = shard.taken(&taken, chosen);
        assert!(
            shard
                .due(Moment::from_millis(6_000), glance(true))
                .is_none()
        );
        assert!(!shard.is_over());
        let effect = Effect {
            resynced: 1,
            ignored: 0,
        };
        let counts = shard.finish(effect);
        assert_eq!((counts[0].planned, counts[0].unreachable), (2, 1));
        assert_eq!((counts[0].registered, counts[0].effect), (1, effect));
    }
}
