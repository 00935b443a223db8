//! The one sentence that a report ends with, and the class of exit code that goes with it. It
//! judges nothing: outcomes and saturation were decided before; here they are put into words.

mod cases;

use std::time::Duration;

use crate::report::{Counts, Group, Report};
use crate::run::Outcome;
use crate::text::number;

/// What the exit code should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Every phone was provisioned, or settled where nothing was intended; every threshold held;
    /// every applicable case passed: exit code 0.
    Met,
    /// Some phones, thresholds or cases failed, and it was not the generator's doing: 1.
    SubjectFailed,
    /// The generator was the limit, or nothing was planned; nothing is said about the subject: 3.
    Void,
    /// The run was stopped: 5.
    Interrupted,
    /// A threshold could not be evaluated, a case's purpose could not be observed, or the subject
    /// was not there: 3.
    Inconclusive,
    /// Our own side failed in a case: 4.
    OwnFault,
}

impl Class {
    /// As report files spell it: `subject_failed`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::SubjectFailed => "subject_failed",
            Self::Void => "void",
            Self::Interrupted => "interrupted",
            Self::Inconclusive => "inconclusive",
            Self::OwnFault => "own_fault",
        }
    }

    /// Which of two classes a report of both has: the higher.
    fn weight(self) -> u8 {
        match self {
            Self::Met => 0,
            Self::Inconclusive => 1,
            Self::SubjectFailed => 2,
            Self::Void => 3,
            Self::OwnFault => 4,
            Self::Interrupted => 5,
        }
    }
}

/// A class and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the exit code should say.
    pub class: Class,
    /// One sentence, with its full stop.
    pub sentence: String,
}

impl Report {
    /// The verdict. A run that was stopped is interrupted whatever else happened; one whose
    /// generator was the limit is void, never failed. Of phones, thresholds and cases each says
    /// its own sentence; the worst of them makes the class. A search for a capacity says its own.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if let Some(capacity) = &self.facts.capacity {
            return capacity.verdict();
        }
        if let Some(why) = &self.facts.absent {
            return Verdict {
                class: Class::Inconclusive,
                sentence: format!("Inconclusive: {why}; no phone was booted."),
            };
        }
        let mut parts = Vec::new();
        if self.facts.planned > 0 || self.cases.is_empty() {
            parts.push(self.fleet());
        }
        parts.extend(self.thresholds());
        parts.extend(self.certification());
        let class = parts.iter().map(|part| part.class);
        let class = class.max_by_key(|class| class.weight());
        let sentences: Vec<String> = parts.into_iter().map(|part| part.sentence).collect();
        Verdict {
            class: class.unwrap_or(Class::Void),
            sentence: sentences.join(" "),
        }
    }

    /// What became of the phones.
    fn fleet(&self) -> Verdict {
        let counts = self.counts();
        let aborted = self.aborted();
        let stopped = counts.of(Outcome::Interrupted) > 0 && aborted.is_none();
        let (class, sentence) = if self.facts.stopped || stopped {
            (Class::Interrupted, self.interrupted(&counts))
        } else if let Some(sentence) = self.void(&counts) {
            (Class::Void, sentence)
        } else if let Some(after) = aborted {
            let (after, share) = (number::duration_short(after), self.share(&counts));
            let sentence = format!("Ended by a threshold after {after}: {share} by then.");
            (Class::SubjectFailed, sentence)
        } else if counts.of(Outcome::Failed) + counts.of(Outcome::Partial) > 0 {
            (Class::SubjectFailed, self.failed(&counts))
        } else {
            (Class::Met, self.met(&counts))
        };
        Verdict { class, sentence }
    }

    /// When a threshold ended the run, if one did.
    fn aborted(&self) -> Option<Duration> {
        let mut thresholds = self.facts.thresholds.iter();
        thresholds
            .find_map(|threshold| threshold.aborted_at_us)
            .map(Duration::from_micros)
    }

    fn interrupted(&self, counts: &Counts) -> String {
        format!(
            "Interrupted after {}: {} by then.",
            number::duration_short(self.facts.elapsed),
            self.share(counts)
        )
    }

    fn void(&self, counts: &Counts) -> Option<String> {
        if self.facts.planned == 0 {
            return Some("Void: no phone was planned.".to_owned());
        }
        let saturated = &self.facts.generator.saturated;
        let why = if saturated.is_empty() {
            let never = counts.of(Outcome::NotStarted);
            // Whom a threshold spared the start says nothing about the generator.
            if never == 0 || self.aborted().is_some() {
                return None;
            }
            format!("{} never started", number::phones(never))
        } else {
            let reasons: Vec<&str> = saturated.iter().map(String::as_str).collect();
            format!("generator saturated ({})", reasons.join("; "))
        };
        Some(format!(
            "Void: {why}; {}, which says nothing about the server.",
            self.share(counts)
        ))
    }

    fn failed(&self, counts: &Counts) -> String {
        let (failed, partial) = (counts.of(Outcome::Failed), counts.of(Outcome::Partial));
        let lost = match (failed, partial) {
            (failed, 0) => format!("{} failed", number::count(failed.into())),
            (0, partial) => format!("{} in part only", number::count(partial.into())),
            (failed, partial) => format!(
                "{} failed and {} in part only",
                number::count(failed.into()),
                number::count(partial.into())
            ),
        };
        let groups = self.groups();
        let Some(first) = groups.first() else {
            return format!("{}; {lost}.", self.share(counts));
        };
        format!(
            "{}; {lost}, {} at {}.",
            self.share(counts),
            how_many(first, groups.len(), failed + partial),
            place(first)
        )
    }

    fn met(&self, counts: &Counts) -> String {
        let unverified = counts.of(Outcome::Unverified);
        let all = self.share(counts);
        if unverified == 0 {
            let time = self.provisioned().p100.unwrap_or_default();
            return format!("{all} in {}.", number::duration_short(time));
        }
        let time = self.settled().p100.unwrap_or_default();
        let planned = number::count(self.facts.planned.into());
        format!(
            "{planned} of {} settled in {}; {} unverified, as no intended values were given.",
            number::phones(self.facts.planned),
            number::duration_short(time),
            number::count(unverified.into())
        )
    }

    fn share(&self, counts: &Counts) -> String {
        format!(
            "{} of {} provisioned",
            number::count(counts.of(Outcome::Provisioned).into()),
            number::phones(self.facts.planned)
        )
    }
}

fn how_many(first: &Group, groups: usize, lost: u32) -> String {
    if groups == 1 {
        "all".to_owned()
    } else if u64::from(first.phones) * 2 > u64::from(lost) {
        "most".to_owned()
    } else {
        format!("{} of them", number::count(first.phones.into()))
    }
}

/// `<mac>.cfg` (fip13g): no answer
fn place(group: &Group) -> String {
    let model = group.profile.rsplit('/').next().unwrap_or_default();
    format!("`{}` ({model}): {}", group.first.step, group.first.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::ThresholdResult;
    use crate::measure::Ladder;
    use crate::redact::Redactor;
    use crate::report::tests::{facts, phone};
    use crate::run::{FirstWrong, PhoneResult, RunFacts};

    fn verdict(phones: Vec<PhoneResult>, saturated: &[&str]) -> (Class, String) {
        let mut facts = facts(u32::try_from(phones.len()).unwrap());
        facts.elapsed = Duration::from_millis(3_100);
        facts.generator.saturated = saturated.iter().map(|&why| why.to_owned()).collect();
        let redactor = Redactor::new(1);
        let report = Report::new(facts, Ladder::default(), phones, &redactor).unwrap();
        let verdict = report.verdict();
        (verdict.class, verdict.sentence)
    }

    fn fleet(outcomes: &[Outcome]) -> Vec<PhoneResult> {
        (0..)
            .zip(outcomes)
            .map(|(index, &outcome)| phone(index, outcome))
            .collect()
    }

    fn failed_at(index: u32, step: &str) -> PhoneResult {
        let mut phone = phone(index, Outcome::Failed);
        phone.first_wrong = Some(FirstWrong {
            step: step.to_owned(),
            text: "no answer".to_owned(),
        });
        phone
    }

    #[test]
    fn all_provisioned_is_met_with_the_time_of_the_last() {
        let (class, sentence) = verdict(fleet(&[Outcome::Provisioned; 2]), &[]);
        assert_eq!(class, Class::Met);
        assert_eq!(sentence, "2 of 2 phones provisioned in 1.2 s.");
    }

    #[test]
    fn without_intended_values_it_says_so() {
        let (class, sentence) = verdict(fleet(&[Outcome::Unverified]), &[]);
        assert_eq!(class, Class::Met);
        assert_eq!(
            sentence,
            "1 of 1 phone settled in 1.1 s; 1 unverified, as no intended values were given."
        );
    }

    #[test]
    fn failures_name_the_commonest_place() {
        let mut phones = fleet(&[Outcome::Provisioned]);
        phones.extend((1..4).map(|index| failed_at(index, "<mac>.cfg")));
        let (class, sentence) = verdict(phones.clone(), &[]);
        assert_eq!(class, Class::SubjectFailed);
        assert_eq!(
            sentence,
            "1 of 4 phones provisioned; 3 failed, all at `<mac>.cfg` (fip13g): no answer."
        );
        phones.push(failed_at(4, "DISCOVER"));
        phones.push(phone(5, Outcome::Partial));
        let (_, sentence) = verdict(phones.clone(), &[]);
        assert_eq!(
            sentence,
            "1 of 6 phones provisioned; 4 failed and 1 in part only, most at `<mac>.cfg` \
             (fip13g): no answer."
        );
        phones.push(failed_at(6, "REQUEST"));
        let (_, sentence) = verdict(phones, &[]);
        assert!(sentence.contains("3 of them at `<mac>.cfg`"), "{sentence}");
    }

    #[test]
    fn a_saturated_generator_voids_failures() {
        let phones = vec![failed_at(0, "<mac>.cfg"), failed_at(1, "<mac>.cfg")];
        let (class, sentence) = verdict(phones, &["lag of 812 ms"]);
        assert_eq!(class, Class::Void);
        assert_eq!(
            sentence,
            "Void: generator saturated (lag of 812 ms); 0 of 2 phones provisioned, which says \
             nothing about the server."
        );
    }

    #[test]
    fn phones_never_started_void_the_run() {
        let (class, sentence) = verdict(fleet(&[Outcome::Provisioned, Outcome::NotStarted]), &[]);
        assert_eq!(class, Class::Void);
        assert!(
            sentence.starts_with("Void: 1 phone never started; 1 of 2"),
            "{sentence}"
        );
    }

    #[test]
    fn a_run_that_a_threshold_ended_failed_and_is_not_void() {
        let phones = fleet(&[
            Outcome::Provisioned,
            Outcome::Interrupted,
            Outcome::NotStarted,
        ]);
        let mut facts = facts(3);
        facts.thresholds.push(ThresholdResult {
            expression: "p99(\"boot\") < duration(\"1s\")".to_owned(),
            met: Some(false),
            actual: "p99(\"boot\") = 1.2 s".to_owned(),
            aborted_at_us: Some(12_000_000),
        });
        let redactor = Redactor::new(1);
        let report = |facts: RunFacts| {
            let ladder = Ladder::default();
            let report = Report::new(facts, ladder, phones.clone(), &redactor).unwrap();
            report.verdict()
        };
        let verdict = report(facts.clone());
        assert_eq!(verdict.class, Class::SubjectFailed);
        assert_eq!(
            verdict.sentence,
            "Ended by a threshold after 12 s: 1 of 3 phones provisioned by then. 1 of 1 \
             thresholds not met, first `p99(\"boot\") < duration(\"1s\")` (p99(\"boot\") = 1.2 s)."
        );
        // Of a generator that was the limit nothing is said of the subject.
        facts.generator.saturated.insert("lag".to_owned());
        assert_eq!(report(facts).class, Class::Void);
    }

    #[test]
    fn a_stopped_run_is_interrupted_before_all_else() {
        let outcomes = [Outcome::Provisioned, Outcome::Interrupted, Outcome::Failed];
        let (class, sentence) = verdict(fleet(&outcomes), &["lag"]);
        assert_eq!(class, Class::Interrupted);
        assert_eq!(
            sentence,
            "Interrupted after 3.1 s: 1 of 3 phones provisioned by then."
        );
    }
}
