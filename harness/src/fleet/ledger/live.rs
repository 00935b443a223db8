//! How the phones of a shard are while the run goes on.

use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::threshold::{BOOT, SETTLED};

use super::Ledger;
use crate::fleet::figures::Sums;

impl Ledger {
    /// What it comes to so far: nobody has failed yet, and a phone that is at rest and not as
    /// intended counts as one in part. Latencies are those of stages that are `timed`.
    #[must_use]
    pub fn sums(&self, timed: impl Fn(&str) -> bool) -> Sums {
        let (boot, rest) = (timed(BOOT), timed(SETTLED));
        let mut sums = Sums {
            planned: u32::try_from(self.entries.len()).unwrap_or(u32::MAX),
            settled: self.settled,
            abandoned: self.abandoned,
            rounds: self.rounds,
            ladder: self.measures.ladder_of(timed),
            ..Sums::default()
        };
        for entry in &self.entries {
            sums.started += u32::from(entry.started);
            let Some((_, provisioned)) = entry.settled else {
                continue;
            };
            let outcome = match provisioned {
                true => Outcome::Provisioned,
                false => Outcome::Partial,
            };
            if let Some(count) = sums.outcomes.get_mut(outcome as usize) {
                *count += 1;
            }
            let Some((at, _)) = entry.came_to_rest() else {
                continue;
            };
            let after = at.since(entry.scheduled);
            if rest {
                sums.rest.record(after);
            }
            if boot && provisioned {
                sums.boot.record(after);
            }
        }
        sums
    }
}
