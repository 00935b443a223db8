//! Two halves of one run become one report: shards on several machines boot disjoint ranges of
//! phones of the same plan. Any order and grouping of merges gives the same report.

use std::collections::BTreeMap;

use crate::case::{merged_cases, merged_thresholds};
use crate::report::{Report, ReportFault};
use crate::run::{GeneratorHealth, RunFacts, StepResult};

/// Why two reports cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeFault {
    /// They are of different runs: compare them instead.
    #[error("{what} differs: {left} and {right}; only parts of one run can be merged")]
    OtherRun {
        /// Which fact differs.
        what: &'static str,
        /// Its value in the first report.
        left: String,
        /// Its value in the second.
        right: String,
    },
    /// The same phone of the same plan is in both.
    #[error("phone {index} is in both reports, and a phone has one outcome")]
    Overlap {
        /// The lowest such index.
        index: u32,
    },
    /// The sum is no report.
    #[error("the merged report is not sound: {0}")]
    Unsound(ReportFault),
}

impl Report {
    /// The report of both. Counts and capacities add up; times are those of each part's own clock.
    ///
    /// # Errors
    /// The reports are of different runs (version, scenario, seed, attachment, time scale or
    /// deadline differ), or hold the same phone.
    pub fn merge(self, other: Self) -> Result<Self, MergeFault> {
        self.merge_all([other])
    }

    /// The report of this one and all others: what `merge` makes of them in any order, with the
    /// phones put in order once.
    ///
    /// # Errors
    /// As `merge`, for the first that does not fit.
    pub fn merge_all(self, others: impl IntoIterator<Item = Self>) -> Result<Self, MergeFault> {
        let Self {
            facts: mut all,
            mut ladder,
            mut phones,
            mut cases,
            mut exchanges,
        } = self;
        for other in others {
            same_run(&all, &other.facts)?;
            phones.extend(other.phones);
            ladder.merge(other.ladder);
            all = facts(all, other.facts);
            cases = merged_cases(cases, other.cases);
            exchanges.extend(other.exchanges);
        }
        let mut report = Self::checked(all, ladder, phones).map_err(|fault| match fault {
            ReportFault::Twice { index } => MergeFault::Overlap { index },
            fault => MergeFault::Unsound(fault),
        })?;
        report.cases = cases;
        report.exchanges = exchanges;
        Ok(report)
    }
}

fn same_run(left: &RunFacts, right: &RunFacts) -> Result<(), MergeFault> {
    let facts = |facts: &RunFacts| {
        [
            ("version", facts.version.clone()),
            ("scenario", facts.scenario.clone()),
            ("seed", facts.seed.to_string()),
            ("attachment", facts.attachment.clone()),
            ("time scale", facts.time_scale.to_string()),
            ("deadline", format!("{:?}", facts.deadline)),
        ]
    };
    for ((what, left), (_, right)) in facts(left).into_iter().zip(facts(right)) {
        if left != right {
            return Err(MergeFault::OtherRun { what, left, right });
        }
    }
    Ok(())
}

fn facts(left: RunFacts, right: RunFacts) -> RunFacts {
    let started_at = left.started_at.min(right.started_at);
    let since = |facts: &RunFacts| {
        let began = std::time::Duration::from_secs(facts.started_at - started_at);
        began.saturating_add(facts.elapsed)
    };
    RunFacts {
        planned: left.planned.saturating_add(right.planned),
        shards: left.shards.saturating_add(right.shards),
        cores: left.cores.saturating_add(right.cores),
        subject: &left.subject | &right.subject,
        started_at,
        elapsed: since(&left).max(since(&right)),
        limits: sums(left.limits, right.limits),
        notes: &left.notes | &right.notes,
        // They differ at most in the range of phones, which repeating one phone overrides.
        repeat: left.repeat.min(right.repeat),
        stopped: left.stopped | right.stopped,
        registered: left.registered.saturating_add(right.registered),
        bodies: {
            let mut bodies = left.bodies;
            bodies.add(&right.bodies);
            bodies
        },
        steps: steps(left.steps, right.steps),
        thresholds: merged_thresholds(left.thresholds, right.thresholds),
        timeline: {
            let mut timeline = left.timeline;
            timeline.merge(right.timeline);
            timeline
        },
        absent: left.absent.max(right.absent),
        // Tries are runs of their own, never parts of one.
        capacity: None,
        generator: health(left.generator, &right.generator),
        ..right
    }
}

/// Step by step; the scenario is the same, so that only one that was stopped early has fewer.
fn steps(mut left: Vec<StepResult>, right: Vec<StepResult>) -> Vec<StepResult> {
    for (place, more) in right.into_iter().enumerate() {
        let Some(held) = left.get_mut(place) else {
            left.push(more);
            continue;
        };
        held.not_taken &= more.not_taken;
        for (held, more) in [
            (&mut held.planned, more.planned),
            (&mut held.unreachable, more.unreachable),
            (&mut held.registered, more.registered),
            (&mut held.accepted, more.accepted),
            (&mut held.refused, more.refused),
            (&mut held.silent, more.silent),
            (&mut held.resynced, more.resynced),
            (&mut held.ignored, more.ignored),
        ] {
            *held = held.saturating_add(more);
        }
    }
    left
}

fn sums(mut left: BTreeMap<String, u64>, right: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    for (name, more) in right {
        let held = left.entry(name).or_default();
        *held = held.saturating_add(more);
    }
    left
}

fn health(left: GeneratorHealth, right: &GeneratorHealth) -> GeneratorHealth {
    GeneratorHealth {
        late_starts: left.late_starts.saturating_add(right.late_starts),
        dropped_datagrams: left
            .dropped_datagrams
            .saturating_add(right.dropped_datagrams),
        lag_max: left.lag_max.max(right.lag_max),
        saturated: &left.saturated | &right.saturated,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::tests::{part, sample};

    #[test]
    fn refuses_another_run_and_the_same_phone() {
        let one = sample();
        assert_eq!(
            one.clone().merge(one.clone()),
            Err(MergeFault::Overlap { index: 0 })
        );
        let mut other = part(7, 900..901);
        other.facts.seed = 43;
        let fault = one.merge(other).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "seed differs: 42 and 43; only parts of one run can be merged"
        );
    }

    #[test]
    fn adds_up_counts_and_spans_both_times() {
        let (mut left, mut right) = (part(1, 0..10), part(2, 10..30));
        left.facts.started_at = 100;
        left.facts.elapsed = std::time::Duration::from_secs(10);
        right.facts.started_at = 105;
        right.facts.elapsed = std::time::Duration::from_secs(7);
        let (sent, more) = (left.ladder.totals.boots, right.ladder.totals.boots);
        let both = left.merge(right).unwrap();
        assert_eq!(both.facts.planned, 30);
        assert_eq!(both.phones.len(), 30);
        assert_eq!(both.ladder.totals.boots, sent + more);
        assert_eq!(both.facts.started_at, 100);
        assert_eq!(both.facts.elapsed, std::time::Duration::from_secs(12));
        assert_eq!(both.ladder.rows["settled"].sent, 30);
    }

    #[test]
    fn a_case_in_both_keeps_its_worse_result_and_an_unmet_threshold_wins() {
        use crate::case::{CaseVerdict, ThresholdResult};
        use crate::report::tests::{case, certified};
        let of = |verdicts: &[(&str, CaseVerdict)], met| {
            let cases = verdicts.iter().map(|(id, verdict)| case(id, *verdict));
            let mut report = certified(cases.collect());
            report.facts.thresholds.push(ThresholdResult {
                expression: "provisioned == planned".to_owned(),
                met,
                actual: format!("{met:?}"),
                aborted_at_us: None,
            });
            report
        };
        let one = of(
            &[("b/x", CaseVerdict::Fail), ("a/x", CaseVerdict::Pass)],
            Some(true),
        );
        let two = of(&[("b/x", CaseVerdict::Pass)], Some(false));
        let three = of(&[("a/x", CaseVerdict::Inconclusive)], None);
        let both = one.clone().merge_all([two.clone(), three.clone()]).unwrap();
        let verdicts: Vec<_> = both
            .cases
            .iter()
            .map(|case| (&*case.id, case.verdict))
            .collect();
        assert_eq!(
            verdicts,
            [
                ("a/x", CaseVerdict::Inconclusive),
                ("b/x", CaseVerdict::Fail)
            ]
        );
        let thresholds = &both.facts.thresholds;
        assert_eq!((thresholds.len(), thresholds[0].met), (1, Some(false)));
        let turned = three
            .clone()
            .merge(one.clone())
            .unwrap()
            .merge(two.clone())
            .unwrap();
        assert_eq!(both, turned);
        assert_eq!(both, one.merge(two.merge(three).unwrap()).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn order_and_grouping_do_not_matter(
            seeds in proptest::array::uniform3(0_u64..1_000_000),
            sizes in proptest::array::uniform3(0_u32..12),
        ) {
            let [a, b, c] = sizes;
            let one = part(seeds[0], 0..a);
            let two = part(seeds[1], a..a + b);
            let three = part(seeds[2], a + b..a + b + c);
            let left = one.clone().merge(two.clone()).unwrap().merge(three.clone()).unwrap();
            let right = one.clone().merge(two.clone().merge(three.clone()).unwrap()).unwrap();
            let turned = three.merge(one).unwrap().merge(two).unwrap();
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(left, turned);
        }
    }
}
