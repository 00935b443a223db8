//! Judging phones that are at rest once more: at the end of a round, and when what they are meant
//! to hold has changed.

use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::run::Outcome;
use bootstorm_reports::timeline::Stage;
use bootstorm_scenarios::intended::Checker;
use bootstorm_scenarios::plan::Plan;

use super::{Ledger, Subject};

impl Ledger {
    /// What phones are meant to hold is another from now on.
    pub fn intend_anew(&mut self) {
        self.checker = Checker::default();
    }

    /// Judges a phone that is at rest by what it is meant to hold now.
    pub fn judge_anew(
        &mut self,
        plan: &Plan,
        subject: Subject<'_>,
        shelf: &mut Shelf,
        now: Moment,
    ) {
        let entry = self.entries.get(subject.slot);
        let Some((_, before)) = entry.and_then(|entry| entry.settled) else {
            return;
        };
        let provisioned = self.is_as_meant(plan, subject, shelf);
        if provisioned == before {
            return;
        }
        if let Some(entry) = self.entries.get_mut(subject.slot) {
            entry.settled = Some((now, provisioned));
        }
        let stage = match provisioned {
            true => Stage::Settled,
            false => Stage::Unintended,
        };
        self.change(subject.slot, now, stage);
    }

    /// Judges a round of a soak, which ends now.
    pub fn judge_round(&mut self, plan: &Plan, subject: Subject<'_>) {
        let intended = self.checker.has_intentions(plan, subject.planned);
        let Some(entry) = self.entries.get(subject.slot) else {
            return;
        };
        let registered = subject.phone.registration_fault().is_none();
        let outcome = entry.outcome(false, intended, registered);
        let good = matches!(outcome, Outcome::Provisioned | Outcome::Unverified);
        self.rounds.0 += 1;
        self.rounds.1 += u64::from(!good);
    }

    /// Requests given up since nobody answered or the connection failed.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// Rounds that were judged, and those that were not as intended at their end.
    #[must_use]
    pub fn rounds(&self) -> (u64, u64) {
        self.rounds
    }
}
