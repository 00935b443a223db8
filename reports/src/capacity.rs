//! What a search for a server's capacity found: every try, the highest load that met the limit,
//! the lowest that broke it, and what broke first.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::{Row, SETTLED};
use crate::report::Report;
use crate::text::number;
use crate::verdict::{Class, Verdict};

/// A step has grown when its 95th percentile grew by this share of what the step that grew most
/// did; the first such one is what broke first.
const GROWN: f64 = 0.5;

/// What was searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Phones that are switched on at once.
    Storm,
    /// Phones that are switched on each second.
    Rate,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TryVerdict {
    /// The limit held.
    Met,
    /// It did not.
    Broken,
    /// The generator was the limit, or the limit could not be evaluated.
    Void,
    /// The user ended it.
    Interrupted,
}

/// One try: a run of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Phones at once, or a second.
    pub load: u32,
    /// Phones in all.
    pub phones: u32,
    /// How it ended.
    pub verdict: TryVerdict,
    /// The figures of the limit, or why there are none.
    pub figure: String,
}

/// The step that broke first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The step's label, as in the ladder.
    pub step: String,
    /// What it is, protocol first: `TFTP transfer of <mac>.cfg`.
    pub what: String,
    /// What was wrong with it: `no answer`, or how it grew.
    pub text: String,
}

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// What was searched for.
    pub find: Load,
    /// The limit as it was written.
    pub limit: String,
    /// For how long phones arrived, of a rate; 0 of a storm.
    pub over_us: u64,
    /// The wait between two tries.
    pub pause_us: u64,
    /// Every try, in order.
    pub tries: Vec<Tried>,
    /// The highest load that met the limit.
    pub met: Option<u32>,
    /// The lowest load that broke it.
    pub broken: Option<u32>,
    /// What broke first there.
    pub first: Option<Broken>,
}

impl TryVerdict {
    /// As printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Broken => "broken",
            Self::Void => "void",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Load {
    /// So much of it: `64 phones at once`.
    #[must_use]
    pub fn amount(self, load: u32) -> String {
        let phones = number::phones(load);
        match self {
            Self::Storm => format!("{phones} at once"),
            Self::Rate => format!("{phones} a second"),
        }
    }
}

impl Capacity {
    /// One try as a line: what, how it ended, the figures.
    #[must_use]
    pub fn line(&self, tried: &Tried) -> String {
        let amount = match tried.load {
            0 => "–".to_owned(),
            load => self.find.amount(load),
        };
        format!(
            "{amount:>22}  {:<11}  {}",
            tried.verdict.word(),
            tried.figure
        )
    }

    /// What the search comes to. Met: a highest load is known, or the limit never broke.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let ended = self.tries.last().map(|tried| tried.verdict);
        let class = match ended {
            Some(TryVerdict::Interrupted) => Class::Interrupted,
            Some(TryVerdict::Void) | None => Class::Void,
            _ if self.met.is_some() => Class::Met,
            _ => Class::SubjectFailed,
        };
        let mut sentence = match (self.met, self.broken) {
            (Some(met), Some(broken)) => format!(
                "Capacity: {} met {}, {} did not",
                self.find.amount(met),
                self.limit,
                number::count(broken.into())
            ),
            (Some(met), None) => format!(
                "Capacity: {} met {}, and no more were tried",
                self.find.amount(met),
                self.limit
            ),
            (None, Some(broken)) => format!(
                "Capacity: not even {} met {}",
                self.find.amount(broken),
                self.limit
            ),
            (None, None) => format!("Capacity: nothing is known under {}", self.limit),
        };
        if let Some(first) = &self.first {
            let _ = write!(sentence, "; first to break: {}: {}", first.what, first.text);
        }
        match class {
            Class::Void => sentence.push_str("; void: the last try says nothing about the server"),
            Class::Interrupted => sentence.push_str("; the search was interrupted"),
            _ => {}
        }
        sentence.push('.');
        Verdict { class, sentence }
    }
}

impl Report {
    /// Makes this the report of a search, that of its most telling try.
    #[must_use]
    pub fn with_capacity(mut self, capacity: Capacity) -> Self {
        self.facts.capacity = Some(capacity);
        self
    }

    /// The step that broke first in this run, and the profile where it did: where most phones
    /// failed; where none did, the first step whose times grew most since `before`, a run that met
    /// the limit. `None` when nothing grew.
    #[must_use]
    pub fn first_broken(&self, before: Option<&Self>) -> Option<(Option<String>, Broken)> {
        if let Some(group) = self.groups().into_iter().next() {
            let first = group.first;
            let broken = Broken {
                what: first.step.clone(),
                step: first.step,
                text: first.text,
            };
            return Some((Some(group.profile), broken));
        }
        let p95 = |row: &Row| row.latency.quantile(0.95).unwrap_or_default();
        let earlier = |label: &str| {
            let row = before.and_then(|report| report.ladder.rows.get(label));
            row.map(p95).unwrap_or_default()
        };
        let rows = self.ladder.ordered().into_iter();
        let rows = rows.filter(|(label, _)| *label != SETTLED);
        let grown = |(label, row): &(&str, &Row)| p95(row).saturating_sub(earlier(label));
        let most = rows.clone().map(|row| grown(&row)).max()?;
        if most.is_zero() {
            return None;
        }
        let (label, row) = rows
            .into_iter()
            .find(|row| grown(row) >= most.mul_f64(GROWN))?;
        let mut text = times(earlier(label), p95(row), before.is_some());
        if row.retried > 0 {
            let _ = write!(text, ", {} repeats", number::count(row.retried));
        }
        let broken = Broken {
            what: label.to_owned(),
            step: label.to_owned(),
            text,
        };
        Some((None, broken))
    }
}

/// `95 of 100 within 8.2 s, before within 4.1 s`
fn times(before: Duration, now: Duration, known: bool) -> String {
    let mut text = format!("95 of 100 within {}", number::duration_short(now));
    if known {
        let _ = write!(text, ", before within {}", number::duration_short(before));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Ladder;
    use crate::redact::Redactor;
    use crate::report::tests::{facts, phone};
    use crate::run::{FirstWrong, Outcome};

    fn capacity(met: Option<u32>, broken: Option<u32>, last: TryVerdict) -> Capacity {
        Capacity {
            find: Load::Storm,
            limit: "p95(\"boot\") < duration(\"3s\")".to_owned(),
            over_us: 0,
            pause_us: 1,
            tries: vec![Tried {
                load: 64,
                phones: 64,
                verdict: last,
                figure: "p95(\"boot\") = 7 s".to_owned(),
            }],
            met,
            broken,
            first: None,
        }
    }

    /// A report with rows of these times in milliseconds.
    fn report(rows: &[(&str, u64)], outcome: Outcome) -> Report {
        let mut ladder = Ladder::default();
        for (label, millis) in rows {
            let row = ladder.rows.entry((*label).to_owned()).or_default();
            row.latency.record(Duration::from_millis(*millis));
        }
        let labels = rows.iter().map(|(label, _)| (*label).to_owned()).collect();
        ladder.orders.insert(("vendor/model".to_owned(), labels));
        let mut phone = phone(0, outcome);
        if outcome != Outcome::Provisioned {
            phone.first_wrong = Some(FirstWrong {
                step: "b.cfg".to_owned(),
                text: "no answer".to_owned(),
            });
        }
        Report::new(facts(1), ladder, vec![phone], &Redactor::new(1)).unwrap()
    }

    #[test]
    fn says_what_was_found_and_how_the_search_ended() {
        let cases = [
            (
                Some(53),
                Some(56),
                TryVerdict::Broken,
                Class::Met,
                "53 phones at once met",
            ),
            (
                Some(64),
                None,
                TryVerdict::Met,
                Class::Met,
                "and no more were tried",
            ),
            (
                None,
                Some(1),
                TryVerdict::Broken,
                Class::SubjectFailed,
                "not even 1 phone",
            ),
            (
                Some(9),
                None,
                TryVerdict::Void,
                Class::Void,
                "says nothing about the server",
            ),
            (
                None,
                None,
                TryVerdict::Interrupted,
                Class::Interrupted,
                "was interrupted",
            ),
        ];
        for (met, broken, last, class, words) in cases {
            let verdict = capacity(met, broken, last).verdict();
            assert_eq!(verdict.class, class);
            assert!(verdict.sentence.contains(words), "{}", verdict.sentence);
        }
        let mut found = capacity(Some(53), Some(56), TryVerdict::Broken);
        found.first = Some(Broken {
            step: "b.cfg".to_owned(),
            what: "TFTP transfer of b.cfg".to_owned(),
            text: "no answer".to_owned(),
        });
        assert_eq!(
            found.verdict().sentence,
            "Capacity: 53 phones at once met p95(\"boot\") < duration(\"3s\"), 56 did not; first \
             to break: TFTP transfer of b.cfg: no answer."
        );
        let line = found.line(&found.tries[0]);
        assert_eq!(
            line,
            "     64 phones at once  broken       p95(\"boot\") = 7 s"
        );
    }

    #[test]
    fn what_failed_comes_before_what_grew() {
        let failed = report(&[("a.cfg", 9_000)], Outcome::Failed);
        let (profile, broken) = failed.first_broken(None).unwrap();
        assert_eq!(
            (broken.step.as_str(), broken.text.as_str()),
            ("b.cfg", "no answer")
        );
        assert!(profile.is_some());
    }

    #[test]
    fn the_first_step_that_grew_about_as_much_as_any_is_the_one_that_broke() {
        let before = report(
            &[("a", 100), ("b", 50), ("c", 50), ("d", 4_000)],
            Outcome::Provisioned,
        );
        let after = report(
            &[("a", 300), ("b", 900), ("c", 990), ("d", 4_100)],
            Outcome::Provisioned,
        );
        let (profile, broken) = after.first_broken(Some(&before)).unwrap();
        assert_eq!((profile, broken.step.as_str()), (None, "b"));
        assert!(
            broken.text.starts_with("95 of 100 within 90"),
            "{}",
            broken.text
        );
        assert!(before.first_broken(Some(&before)).is_none());
    }
}
