//! The checked whole of a run: what writers get, and the sums they print.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::case::CaseResult;
use crate::measure::{Ladder, SETTLED};
use crate::redact::Redactor;
use crate::run::{Difference, FirstWrong, Outcome, PhoneResult, RunFacts};

/// A run, complete and free of secrets: every planned phone has exactly one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub(crate) facts: RunFacts,
    pub(crate) ladder: Ladder,
    /// By index, ascending.
    pub(crate) phones: Vec<PhoneResult>,
    /// In the order of their suites.
    pub(crate) cases: Vec<CaseResult>,
    /// What phones that failed sent and received, a message a line, by index.
    pub(crate) exchanges: BTreeMap<u32, Vec<String>>,
}

/// Why facts and results are no report. Each is a mistake of the caller (or of a file's writer).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportFault {
    /// Not one result for each planned phone.
    #[error("{planned} phones were planned, but {results} have a result")]
    Count {
        /// Phones planned.
        planned: u32,
        /// Results given.
        results: usize,
    },
    /// Two results for one phone.
    #[error("phone {index} has two results")]
    Twice {
        /// Its index.
        index: u32,
    },
    /// Outcome and times contradict each other.
    #[error("phone {index} is {outcome}, but its time of provisioning says otherwise")]
    Contradiction {
        /// Its index.
        index: u32,
        /// The word of its outcome.
        outcome: &'static str,
    },
    /// A time scale that is no number.
    #[error("time scale is not a finite number")]
    TimeScale,
}

/// How many phones had each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u32; Outcome::ALL.len()]);

/// When a share of all planned phones had reached a state, on the run's clock from its beginning;
/// `None` when so many never did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Milestones {
    /// Half of them.
    pub p50: Option<Duration>,
    /// 95 of 100.
    pub p95: Option<Duration>,
    /// All.
    pub p100: Option<Duration>,
}

/// Phones of one model and firmware that failed at the same step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The profile's name.
    pub profile: String,
    /// The firmware version that they ran; empty where it is not known.
    pub firmware: String,
    /// The first wrong step and its commonest cause.
    pub first: FirstWrong,
    /// How many different causes there were at this step.
    pub causes: u32,
    /// How many phones.
    pub phones: u32,
    /// The first of them with that cause.
    pub example: u32,
    /// The command that repeats this phone.
    pub command: String,
    /// Its first setting that differs, if known.
    pub difference: Option<Difference>,
}

/// A profile, a firmware version, and a first wrong step.
type Place<'a> = (&'a str, &'a str, String);

impl Report {
    /// Puts a run together: checks it, fills the ladder's `settled` row and removes secrets, in
    /// this one place, so that no writer can meet them.
    ///
    /// # Errors
    /// Not one result for each planned phone, a phone twice, an outcome that contradicts its
    /// times, a time scale that is no number.
    pub fn new(
        facts: RunFacts,
        mut ladder: Ladder,
        phones: Vec<PhoneResult>,
        redactor: &Redactor,
    ) -> Result<Self, ReportFault> {
        ladder.settle(&phones);
        let mut report = Self::checked(facts, ladder, phones)?;
        report.redact(redactor);
        Ok(report)
    }

    /// Puts a run together whose secrets are gone and whose `settled` row is filled.
    pub(crate) fn checked(
        facts: RunFacts,
        ladder: Ladder,
        mut phones: Vec<PhoneResult>,
    ) -> Result<Self, ReportFault> {
        if !facts.time_scale.is_finite() {
            return Err(ReportFault::TimeScale);
        }
        phones.sort_unstable_by_key(|phone| phone.index);
        let twice = phones.windows(2).find_map(|pair| match pair {
            [one, two] if one.index == two.index => Some(one.index),
            _ => None,
        });
        if let Some(index) = twice {
            return Err(ReportFault::Twice { index });
        }
        let planned = facts.planned;
        let results = phones.len();
        if u32::try_from(results) != Ok(planned) {
            return Err(ReportFault::Count { planned, results });
        }
        for phone in &phones {
            let provisioned = phone.outcome == Outcome::Provisioned;
            if provisioned != phone.provisioned_after.is_some() {
                return Err(ReportFault::Contradiction {
                    index: phone.index,
                    outcome: phone.outcome.word(),
                });
            }
        }
        Ok(Self {
            facts,
            ladder,
            phones,
            cases: Vec::new(),
            exchanges: BTreeMap::new(),
        })
    }

    /// Adds results of conformance cases and removes the secrets from their texts.
    #[must_use]
    pub fn with_cases(mut self, cases: Vec<CaseResult>, redactor: &Redactor) -> Self {
        self.cases.extend(cases.into_iter().map(|mut case| {
            case.redact(redactor);
            case
        }));
        self
    }

    /// Adds what phones sent and received that stand for their groups, a message a line, by index.
    #[must_use]
    pub fn with_exchanges(
        mut self,
        exchanges: impl IntoIterator<Item = (u32, Vec<String>)>,
        redactor: &Redactor,
    ) -> Self {
        let safe = |line: String| redactor.text(&line).into_owned();
        let exchanges = exchanges.into_iter();
        let exchanges = exchanges.map(|(index, lines)| (index, lines.into_iter().map(safe)));
        self.exchanges
            .extend(exchanges.map(|(index, lines)| (index, lines.collect())));
        self
    }

    /// What a phone sent and received, a message a line; empty where it is not known.
    #[must_use]
    pub fn exchange(&self, index: u32) -> &[String] {
        self.exchanges.get(&index).map_or(&[], Vec::as_slice)
    }

    /// Results of conformance cases, in the order of their suites.
    #[must_use]
    pub fn cases(&self) -> &[CaseResult] {
        &self.cases
    }

    /// The facts of the run.
    #[must_use]
    pub fn facts(&self) -> &RunFacts {
        &self.facts
    }

    /// The ladder, its `settled` row filled.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// One result for each planned phone, by index.
    #[must_use]
    pub fn phones(&self) -> &[PhoneResult] {
        &self.phones
    }

    /// How many phones had each outcome; the sum is what was planned.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for phone in &self.phones {
            counts.0[phone.outcome as usize] += 1;
        }
        counts
    }

    /// When 50, 95 and 100 of 100 planned phones were provisioned.
    #[must_use]
    pub fn provisioned(&self) -> Milestones {
        Milestones::provisioned(&self.phones)
    }

    /// When 50, 95 and 100 of 100 planned phones had settled, provisioned or not.
    #[must_use]
    pub fn settled(&self) -> Milestones {
        Milestones::reached(&self.phones, |phone| phone.settled_after)
    }

    /// The phones that failed, wholly or in part, by model, firmware and first wrong step: most
    /// phones first, then by name.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let mut places: BTreeMap<Place<'_>, BTreeMap<String, Vec<&PhoneResult>>> = BTreeMap::new();
        let failed = [Outcome::Failed, Outcome::Partial];
        for phone in &self.phones {
            if failed.contains(&phone.outcome) {
                let FirstWrong { step, text } = first_wrong(phone);
                let causes = places
                    .entry((&phone.profile, &phone.firmware, step))
                    .or_default();
                causes.entry(text).or_default().push(phone);
            }
        }
        let group = |(place, causes)| self.group(place, causes);
        let mut groups: Vec<Group> = places.into_iter().filter_map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.phones));
        groups
    }

    /// The command that repeats one phone.
    #[must_use]
    pub fn command(&self, index: u32) -> String {
        self.facts.repeat.replace("{phone}", &index.to_string())
    }

    fn group(
        &self,
        (profile, firmware, step): Place<'_>,
        causes: BTreeMap<String, Vec<&PhoneResult>>,
    ) -> Option<Group> {
        let phones: usize = causes.values().map(Vec::len).sum();
        let count = u32::try_from(causes.len()).unwrap_or(u32::MAX);
        // `max_by_key` takes the last of equals, so the causes come in reverse: first by name wins.
        let (text, commonest) = causes
            .into_iter()
            .rev()
            .max_by_key(|(_, phones)| phones.len())?;
        let example = commonest.first()?;
        Some(Group {
            profile: profile.to_owned(),
            firmware: firmware.to_owned(),
            first: FirstWrong { step, text },
            causes: count,
            phones: u32::try_from(phones).unwrap_or(u32::MAX),
            example: example.index,
            command: self.command(example.index),
            difference: example.difference.clone(),
        })
    }

    fn redact(&mut self, redactor: &Redactor) {
        let safe = |text: &mut String| *text = redactor.text(text).into_owned();
        let facts = &mut self.facts;
        for text in [
            &mut facts.version,
            &mut facts.scenario,
            &mut facts.attachment,
            &mut facts.repeat,
        ] {
            safe(text);
        }
        facts.notes = facts
            .notes
            .iter()
            .map(|note| redactor.text(note).into_owned())
            .collect();
        let saturated = &mut facts.generator.saturated;
        *saturated = saturated
            .iter()
            .map(|why| redactor.text(why).into_owned())
            .collect();
        if let Some(why) = &mut facts.absent {
            safe(why);
        }
        for step in &mut facts.steps {
            safe(&mut step.what);
        }
        for threshold in &mut facts.thresholds {
            threshold.redact(redactor);
        }
        let subject = std::mem::take(&mut facts.subject).into_iter();
        facts.subject = subject
            .map(|mut endpoint| {
                safe(&mut endpoint.address);
                endpoint
            })
            .collect();
        for phone in &mut self.phones {
            // A version is read from an image, which a server may have written anything into.
            let firmware = redactor.text(&phone.firmware);
            if *firmware != *phone.firmware {
                phone.firmware = Arc::from(&*firmware);
            }
            if let Some(first) = &mut phone.first_wrong {
                safe(&mut first.step);
                safe(&mut first.text);
            }
            if let Some(difference) = &mut phone.difference {
                let Difference {
                    key,
                    expected,
                    held,
                    source,
                } = difference;
                *expected = redactor.value(key, expected).into_owned();
                if let Some(held) = held {
                    *held = redactor.value(key, held).into_owned();
                }
                safe(source);
            }
        }
    }
}

impl Milestones {
    /// When 50, 95 and 100 of 100 of these phones were provisioned.
    #[must_use]
    pub fn provisioned(phones: &[PhoneResult]) -> Self {
        Self::reached(phones, |phone| phone.provisioned_after)
    }

    fn reached(phones: &[PhoneResult], after: impl Fn(&PhoneResult) -> Option<Duration>) -> Self {
        let began = |phone: &PhoneResult| Duration::from_nanos(phone.scheduled_at.nanos());
        let reached = |phone: &PhoneResult| Some(began(phone).saturating_add(after(phone)?));
        let mut times: Vec<Duration> = phones.iter().filter_map(reached).collect();
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (phones.len() * percent).div_ceil(100).checked_sub(1)?;
            times.get(place).copied()
        };
        Self {
            p50: at(50),
            p95: at(95),
            p100: at(100),
        }
    }
}

impl Counts {
    /// How many phones had this outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u32 {
        self.0[outcome as usize]
    }
}

/// The first wrong step of a failed phone; one that names none is described by what is known.
fn first_wrong(phone: &PhoneResult) -> FirstWrong {
    phone.first_wrong.clone().unwrap_or_else(|| {
        let text = if let Some(limit) = &phone.limit {
            format!("limit reached: {limit}")
        } else if phone.settled_after.is_none() {
            "not settled in time".to_owned()
        } else {
            "settings differ from the intended ones".to_owned()
        };
        FirstWrong {
            step: SETTLED.to_owned(),
            text,
        }
    })
}

#[cfg(test)]
pub(crate) mod tests;
