//! What phones do for the steps of a scenario: each for the step that told it last.

use super::{Entry, Ledger};
use crate::fleet::steps::Effect;

/// How far a phone is with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resync {
    /// It has not heard of one since, or was at rest then.
    Idle,
    /// It started a run or a reboot for it.
    Begun,
    /// It has fetched a file since.
    Fetched,
    /// It came to rest behind that; a second time does not count.
    Over,
    /// It took no notice.
    Ignored,
}

impl Ledger {
    /// Step number `step`, from 0, is taken for these phones: what they do from now on they do for
    /// it.
    pub fn told(&mut self, step: usize, slots: impl Iterator<Item = usize>) {
        if self.effects.len() <= step {
            self.effects.resize(step + 1, Effect::default());
        }
        for slot in slots {
            if let Some(entry) = self.entries.get_mut(slot) {
                entry.resync = Resync::Idle;
                entry.step = u16::try_from(step).unwrap_or(u16::MAX);
            }
        }
    }

    /// What phones did for each step.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }
}

impl Entry {
    /// It starts something that a step told it.
    pub(super) fn begin(&mut self, effects: &mut [Effect]) {
        let ignored = self.resync.begin();
        if let Some(effect) = effects.get_mut(usize::from(self.step)) {
            effect.ignored -= u32::from(ignored);
        }
    }

    /// It takes no notice.
    pub(super) fn ignore(&mut self, effects: &mut [Effect]) {
        let first = self.resync.ignore();
        if let Some(effect) = effects.get_mut(usize::from(self.step)) {
            effect.ignored += u32::from(first);
        }
    }

    /// It came to rest.
    pub(super) fn rest(&mut self, effects: &mut [Effect]) {
        let resynced = self.resync.rest();
        if let Some(effect) = effects.get_mut(usize::from(self.step)) {
            effect.resynced += u32::from(resynced);
        }
    }
}

impl Resync {
    /// True when the phone is counted as one that ignored it, wrongly as it turns out.
    fn begin(&mut self) -> bool {
        let ignored = *self == Self::Ignored;
        if ignored || *self == Self::Idle {
            *self = Self::Begun;
        }
        ignored
    }

    pub(super) fn fetched(&mut self) {
        if *self == Self::Begun {
            *self = Self::Fetched;
        }
    }

    /// The phone is at rest: true when it resynced.
    fn rest(&mut self) -> bool {
        let resynced = *self == Self::Fetched;
        match self {
            Self::Fetched => *self = Self::Over,
            Self::Begun => *self = Self::Idle,
            Self::Idle | Self::Over | Self::Ignored => {}
        }
        resynced
    }

    /// True for the first one of a step that it ignores.
    fn ignore(&mut self) -> bool {
        let first = *self == Self::Idle;
        if first {
            *self = Self::Ignored;
        }
        first
    }
}
