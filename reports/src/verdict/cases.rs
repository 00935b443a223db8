//! The sentences about thresholds and conformance cases.

use super::{Class, Verdict};
use crate::case::{CaseCounts, CaseResult, CaseVerdict, ThresholdResult};
use crate::report::Report;
use crate::text::number;

impl Report {
    /// What became of the expressions over the fleet; `None` when there were none or all held.
    pub(super) fn thresholds(&self) -> Option<Verdict> {
        let thresholds = &self.facts.thresholds;
        let all = number::count(thresholds.len() as u64);
        let of = |met: Option<bool>| {
            let found = thresholds.iter().filter(move |each| each.met == met);
            (found.clone().count() as u64, found.into_iter().next())
        };
        let (class, (count, first), what) = match (of(Some(false)), of(None)) {
            ((0, _), (0, _)) => return None,
            ((0, _), unknown) => (Class::Inconclusive, unknown, "not evaluated"),
            (unmet, _) => (Class::SubjectFailed, unmet, "not met"),
        };
        let first = first.map(told).unwrap_or_default();
        Some(Verdict {
            class,
            sentence: format!(
                "{} of {all} thresholds {what}, first {first}.",
                number::count(count)
            ),
        })
    }

    /// What became of the conformance cases; `None` when there were none.
    pub(super) fn certification(&self) -> Option<Verdict> {
        if self.cases.is_empty() {
            return None;
        }
        let counts = CaseCounts::new(&self.cases);
        let (class, sentence) = if self.facts.stopped {
            let sentence = format!(
                "Interrupted after {}: {} of {} cases passed by then{}.",
                number::duration_short(self.facts.elapsed),
                count(counts.of(CaseVerdict::Pass)),
                count(counts.applicable()),
                rest(&counts, &[CaseVerdict::Fail, CaseVerdict::Inconclusive])
            );
            (Class::Interrupted, sentence)
        } else {
            self.judged(&counts)
        };
        Some(Verdict { class, sentence })
    }

    fn judged(&self, counts: &CaseCounts) -> (Class, String) {
        let applicable = counts.applicable();
        let [failed, unclear, broken] = [
            CaseVerdict::Fail,
            CaseVerdict::Inconclusive,
            CaseVerdict::Error,
        ]
        .map(|verdict| counts.of(verdict));
        let of = |worst: u32| format!("{} of {} cases", count(worst), count(applicable));
        let lacking = [CaseVerdict::NotApplicable];
        if broken > 0 {
            let others = [CaseVerdict::Fail, CaseVerdict::Inconclusive];
            let sentence = format!(
                "Not judged: our own side failed in {}, first {}{}.",
                of(broken),
                self.first(CaseVerdict::Error),
                rest(counts, &others)
            );
            return (Class::OwnFault, sentence);
        }
        if failed > 0 {
            let sentence = format!(
                "Not certified: {} failed, first {}{}.",
                of(failed),
                self.first(CaseVerdict::Fail),
                rest(counts, &[CaseVerdict::Inconclusive])
            );
            return (Class::SubjectFailed, sentence);
        }
        if unclear > 0 {
            let sentence = format!(
                "Inconclusive: {} could not be observed, first {}{}.",
                of(unclear),
                self.first(CaseVerdict::Inconclusive),
                rest(counts, &lacking)
            );
            return (Class::Inconclusive, sentence);
        }
        if applicable == 0 {
            let sentence = format!(
                "Inconclusive: none of {} cases applies.",
                count(counts.all())
            );
            return (Class::Inconclusive, sentence);
        }
        let sentence = format!(
            "Certified: {} of {} applicable {} passed{}.",
            count(applicable),
            count(applicable),
            if applicable == 1 { "case" } else { "cases" },
            rest(counts, &lacking)
        );
        (Class::Met, sentence)
    }

    /// The first case with this verdict and its clauses: `flyingvoice/boot-file (FLY-06)`.
    fn first(&self, verdict: CaseVerdict) -> String {
        let first = self.cases.iter().find(|case| case.verdict == verdict);
        first.map(named).unwrap_or_default()
    }
}

fn named(case: &CaseResult) -> String {
    if case.clauses.is_empty() {
        return case.id.clone();
    }
    format!("{} ({})", case.id, case.cited())
}

/// `p95("boot") < duration("3s")` (4.2 s)
fn told(threshold: &ThresholdResult) -> String {
    if threshold.actual.is_empty() {
        return format!("`{}`", threshold.expression);
    }
    format!("`{}` ({})", threshold.expression, threshold.actual)
}

/// `; 2 inconclusive; 12 not applicable`: what there is of these verdicts.
fn rest(counts: &CaseCounts, verdicts: &[CaseVerdict]) -> String {
    let part = |verdict: &CaseVerdict| {
        let found = counts.of(*verdict);
        let word = match verdict {
            CaseVerdict::Fail => "failed",
            other => other.word(),
        };
        (found > 0).then(|| format!("; {} {word}", count(found)))
    };
    verdicts.iter().filter_map(part).collect()
}

fn count(value: u32) -> String {
    number::count(value.into())
}

#[cfg(test)]
mod tests {
    use crate::case::CaseVerdict::{Error, Fail, Inconclusive, NotApplicable, Pass};
    use crate::case::{CaseVerdict, ThresholdResult};
    use crate::report::tests::{case, certified, sample};
    use crate::verdict::Class;

    fn verdict(verdicts: &[CaseVerdict]) -> (Class, String) {
        let cases = verdicts.iter().zip(1..);
        let cases = cases.map(|(&verdict, at)| case(&format!("flyingvoice/case-{at}"), verdict));
        let verdict = certified(cases.collect()).verdict();
        (verdict.class, verdict.sentence)
    }

    #[test]
    fn cases_have_their_own_sentence_and_class() {
        for (verdicts, class, sentence) in [
            (
                &[Pass, Pass, NotApplicable][..],
                Class::Met,
                "Certified: 2 of 2 applicable cases passed; 1 not applicable.",
            ),
            (
                &[Pass, Fail, Fail, Inconclusive, NotApplicable],
                Class::SubjectFailed,
                "Not certified: 2 of 4 cases failed, first flyingvoice/case-2 (FLY-06); \
                 1 inconclusive.",
            ),
            (
                &[Pass, Inconclusive],
                Class::Inconclusive,
                "Inconclusive: 1 of 2 cases could not be observed, first flyingvoice/case-2 \
                 (FLY-06).",
            ),
            (
                &[NotApplicable],
                Class::Inconclusive,
                "Inconclusive: none of 1 cases applies.",
            ),
            (
                &[Fail, Error, Pass],
                Class::OwnFault,
                "Not judged: our own side failed in 1 of 3 cases, first flyingvoice/case-2 \
                 (FLY-06); 1 failed.",
            ),
        ] {
            assert_eq!(verdict(verdicts), (class, sentence.to_owned()));
        }
    }

    #[test]
    fn cases_of_a_stopped_run_are_interrupted() {
        let mut report = certified(vec![case("a/b", Pass), case("a/c", Fail)]);
        report.facts.stopped = true;
        let verdict = report.verdict();
        assert_eq!(verdict.class, Class::Interrupted);
        assert_eq!(
            verdict.sentence,
            "Interrupted after 4.3 s: 1 of 2 cases passed by then; 1 failed."
        );
    }

    #[test]
    fn an_unmet_threshold_fails_a_run_that_provisioned_everybody() {
        let mut report = crate::report::tests::part(3, 0..0);
        let threshold = |met| ThresholdResult {
            expression: "p95(\"boot\") < duration(\"3s\")".to_owned(),
            met,
            actual: "p95(\"boot\") = 4.2 s".to_owned(),
            aborted_at_us: None,
        };
        report.facts.generator.saturated.clear();
        report.facts.planned = 1;
        let provisioned = crate::run::Outcome::Provisioned;
        report.phones = vec![crate::report::tests::phone(0, provisioned)];
        report.facts.thresholds = vec![threshold(Some(true))];
        assert_eq!(report.verdict().class, Class::Met);
        report.facts.thresholds.push(threshold(None));
        let verdict = report.verdict();
        assert_eq!(verdict.class, Class::Inconclusive);
        assert_eq!(
            verdict.sentence,
            "1 of 1 phone provisioned in 1.2 s. 1 of 2 thresholds not evaluated, first \
             `p95(\"boot\") < duration(\"3s\")` (p95(\"boot\") = 4.2 s)."
        );
        report.facts.thresholds.push(threshold(Some(false)));
        assert_eq!(report.verdict().class, Class::SubjectFailed);
        report.facts.generator.saturated.insert("lag".to_owned());
        assert_eq!(report.verdict().class, Class::Void);
        assert_eq!(sample().verdict().class, Class::SubjectFailed);
    }
}
