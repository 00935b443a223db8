//! Two runs against each other: what fails newly, what was mended, what became slower.
//!
//! Phones are matched by MAC address, cases by side and id, thresholds by expression, times by
//! ladder step, where there are enough of them. A time counts as slower only beyond the runs' own
//! noise: for both runs an interval is taken that holds the true quantile with 99 % confidence,
//! from the order statistics of the run's own times (binomial, no distribution assumed); the
//! intervals must not touch, and the figures must differ by more than a stated share and by more
//! than `LEAST`, for two runs on one machine differ by more than either shows within itself.

mod noise;

use std::collections::BTreeMap;

use bootstorm_emulator::identity::Mac;

use crate::case::{CaseResult, CaseVerdict};
use crate::report::Report;
use crate::run::{Outcome, PhoneResult, RunFacts};
use crate::text::number;
use crate::verdict::Class;
pub use noise::{Interval, LEAST};

/// The share by which a time must differ where nothing else is said, in percent.
pub const NOISE_PERCENT: f64 = 10.0;
/// The quantiles that are compared.
const QUANTILES: [(f64, &str); 2] = [(0.5, "p50"), (0.95, "p95")];

/// What became of the second run, seen from the first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Facts in which the runs differ, so that differences may be due to them: `seed: 1 and 2`.
    pub differs: Vec<String>,
    /// Phones that fail now and did not, or were not there.
    pub failing: Vec<PhoneChange>,
    /// Phones that failed and do not any more.
    pub fixed: Vec<PhoneChange>,
    /// Cases whose verdict is now worse than a pass and worse than it was.
    pub worse: Vec<CaseChange>,
    /// Cases that were worse than a pass and pass now.
    pub better: Vec<CaseChange>,
    /// Cases that passed or failed and are not there, or do not apply, any more: nothing is known
    /// of them now.
    pub lost: Vec<CaseChange>,
    /// Thresholds that are not met now and were, or were not there.
    pub unmet: Vec<String>,
    /// Thresholds that are met now and were not.
    pub met: Vec<String>,
    /// Times that became longer beyond the noise.
    pub slower: Vec<TimeChange>,
    /// Times that became shorter beyond the noise.
    pub faster: Vec<TimeChange>,
    /// How many times were compared.
    pub times: usize,
    /// The share by which a time had to differ, in percent.
    pub noise_percent: f64,
    /// Why one of the runs says nothing about its server, in its verdict's words.
    pub void: Vec<String>,
}

/// A phone before and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneChange {
    /// Its address.
    pub mac: Mac,
    /// Its place in the second run, or in the first if it is not in the second.
    pub index: u32,
    /// Its profile.
    pub profile: String,
    /// What became of it in the first run; `None` = it was not there.
    pub before: Option<Outcome>,
    /// What became of it in the second.
    pub now: Outcome,
    /// Where it first went wrong, in the run in which it failed: `<mac>.cfg: no answer`.
    pub first_wrong: String,
}

/// A case before and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseChange {
    /// Its id.
    pub id: String,
    /// Its clauses.
    pub clauses: String,
    /// Its verdict in the first run; `None` = it was not there.
    pub before: Option<CaseVerdict>,
    /// Its verdict in the second.
    pub now: Option<CaseVerdict>,
    /// Why it did not pass, in the run in which it did not.
    pub reason: String,
}

/// A time before and now.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeChange {
    /// The ladder step.
    pub step: String,
    /// `p50` or `p95`.
    pub quantile: &'static str,
    /// In the first run.
    pub before: Interval,
    /// In the second.
    pub now: Interval,
}

impl PhoneChange {
    /// What the change is: `phone 17 0021f2000011 (flyingvoice/fip13g), was provisioned:
    /// <mac>.cfg: no answer`.
    #[must_use]
    pub fn words(&self) -> String {
        let before = self.before.map_or("not there", Outcome::word);
        let mut text = format!(
            "phone {} {} ({}): {}, was {before}",
            self.index,
            self.mac,
            self.profile,
            self.now.word()
        );
        if !self.first_wrong.is_empty() {
            text.push_str(&format!("; {}", self.first_wrong));
        }
        text
    }
}

impl CaseChange {
    /// What the change is: `flyingvoice/boot-file (FLY-06): fail, was pass; another file`.
    #[must_use]
    pub fn words(&self) -> String {
        let word = |verdict: Option<CaseVerdict>| verdict.map_or("not there", CaseVerdict::word);
        let mut text = self.id.clone();
        if !self.clauses.is_empty() {
            text.push_str(&format!(" ({})", self.clauses));
        }
        text.push_str(&format!(": {}, was {}", word(self.now), word(self.before)));
        if !self.reason.is_empty() {
            text.push_str(&format!("; {}", self.reason));
        }
        text
    }
}

impl TimeChange {
    /// What the change is: `<mac>.cfg p95: 82 ms, was 41 ms (+100 %)`.
    #[must_use]
    pub fn words(&self) -> String {
        let told = |interval: &Interval| {
            let [at, low, high] = [interval.at, interval.low, interval.high];
            let [at, low, high] = [at, low, high].map(number::duration_short);
            format!("{at} ({low} to {high})")
        };
        let (step, quantile) = (&self.step, self.quantile);
        let (now, before) = (told(&self.now), told(&self.before));
        format!(
            "{step} {quantile}: {now}, was {before}, {:+.0} %",
            self.percent()
        )
    }

    /// By how many percent the second is longer; negative = shorter.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let before = self.before.at.as_secs_f64().max(1e-9);
        (self.now.at.as_secs_f64() / before - 1.0) * 100.0
    }
}

impl Comparison {
    /// Every list that is not empty, with its title, in the order of reports: what is worse first.
    #[must_use]
    pub fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        fn words<T>(changes: &[T], word: fn(&T) -> String) -> Vec<String> {
            changes.iter().map(word).collect()
        }
        let mut lists = vec![
            (
                "Phones newly failing",
                words(&self.failing, PhoneChange::words),
            ),
            ("Cases newly failing", words(&self.worse, CaseChange::words)),
            ("Thresholds newly unmet", self.unmet.clone()),
            ("Slower", words(&self.slower, TimeChange::words)),
            (
                "Cases no longer judged",
                words(&self.lost, CaseChange::words),
            ),
            ("Phones fixed", words(&self.fixed, PhoneChange::words)),
            ("Cases fixed", words(&self.better, CaseChange::words)),
            ("Thresholds met again", self.met.clone()),
            ("Faster", words(&self.faster, TimeChange::words)),
            ("Says nothing", self.void.clone()),
            ("The runs differ in", self.differs.clone()),
        ];
        lists.retain(|(_, list)| !list.is_empty());
        lists
    }

    /// Compares; a time must differ by more than `noise_percent` (0 or more) to count.
    #[must_use]
    pub fn new(before: &Report, now: &Report, noise_percent: f64) -> Self {
        let mut found = Self {
            differs: differing(before.facts(), now.facts()),
            noise_percent,
            ..Self::default()
        };
        for (name, report) in [("first", before), ("second", now)] {
            let verdict = report.verdict();
            let void = matches!(verdict.class, Class::Void | Class::Interrupted);
            if void || observed_nothing(report) {
                found
                    .void
                    .push(format!("the {name} run: {}", verdict.sentence));
            }
        }
        found.phones(before, now);
        found.cases(before, now);
        found.thresholds(before, now);
        found.latencies(before, now);
        found
    }

    /// Whether something got worse.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        let worse = [
            self.failing.len(),
            self.worse.len(),
            self.unmet.len(),
            self.slower.len(),
        ];
        worse.iter().any(|count| *count > 0)
    }

    /// The comparison in one sentence, with its full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        let parts = |counts: &[(usize, &str)]| {
            let found = counts.iter().filter(|(count, _)| *count > 0);
            let found = found.map(|(count, what)| {
                let ending = if *count == 1 { "" } else { "s" };
                what.replacen("{}", &format!("{count}"), 1)
                    .replace("(s)", ending)
            });
            found.collect::<Vec<_>>().join(", ")
        };
        let worse = parts(&[
            (self.failing.len(), "{} phone(s) newly failing"),
            (self.worse.len(), "{} case(s) newly failing"),
            (self.unmet.len(), "{} threshold(s) newly unmet"),
            (self.slower.len(), "{} time(s) slower"),
        ]);
        let better = parts(&[
            (self.fixed.len(), "{} phone(s) fixed"),
            (self.better.len(), "{} case(s) fixed"),
            (self.met.len(), "{} threshold(s) met again"),
            (self.faster.len(), "{} time(s) faster"),
            (self.lost.len(), "{} case(s) no longer judged"),
        ]);
        let found = match (worse.is_empty(), better.is_empty()) {
            (true, true) => "No difference beyond the noise.".to_owned(),
            (true, false) => format!("No regression: {better}."),
            (false, true) => format!("Regression: {worse}."),
            (false, false) => format!("Regression: {worse}; {better}."),
        };
        match &self.void[..] {
            [] => found,
            void if worse.is_empty() && better.is_empty() => {
                format!("Nothing can be compared: {}", void.join(" "))
            }
            void => format!("Says nothing: {} {found}", void.join(" ")),
        }
    }

    /// How it was decided whether a time is slower, for whoever reads the result.
    #[must_use]
    pub fn method(&self) -> String {
        format!(
            "{} times compared; slower = the 99 % intervals of both runs (order statistics) do not \
             touch, and more than {} % and {} apart",
            number::count(self.times as u64),
            self.noise_percent,
            number::duration_short(LEAST)
        )
    }

    fn phones(&mut self, before: &Report, now: &Report) {
        let old: BTreeMap<Mac, &PhoneResult> = before
            .phones()
            .iter()
            .map(|phone| (phone.mac, phone))
            .collect();
        for phone in now.phones() {
            let earlier = old.get(&phone.mac).copied();
            let was_bad = earlier.is_some_and(|earlier| is_bad(earlier.outcome));
            let (list, told) = if is_bad(phone.outcome) && !was_bad {
                (&mut self.failing, phone)
            } else if is_good(phone.outcome) && was_bad {
                (&mut self.fixed, earlier.unwrap_or(phone))
            } else {
                continue;
            };
            let wrong = told.first_wrong.as_ref();
            list.push(PhoneChange {
                mac: phone.mac,
                index: phone.index,
                profile: phone.profile.to_string(),
                before: earlier.map(|earlier| earlier.outcome),
                now: phone.outcome,
                first_wrong: wrong
                    .map(|wrong| format!("{}: {}", wrong.step, wrong.text))
                    .unwrap_or_default(),
            });
        }
    }

    fn cases(&mut self, before: &Report, now: &Report) {
        fn by_name(report: &Report) -> BTreeMap<(&str, &str), &CaseResult> {
            let cases = report.cases().iter();
            cases.map(|case| ((&*case.side, &*case.id), case)).collect()
        }
        let (old, new) = (by_name(before), by_name(now));
        let change =
            |case: &CaseResult, was: Option<&CaseResult>, is: Option<&CaseResult>| CaseChange {
                id: case.id.clone(),
                clauses: case.cited(),
                before: was.map(|was| was.verdict),
                now: is.map(|is| is.verdict),
                reason: case.reason.clone(),
            };
        for (name, is) in &new {
            let was = old.get(name).copied();
            let earlier = was.map_or(CaseVerdict::NotApplicable, |was| was.verdict);
            if is.verdict.is_bad() && is.verdict > earlier {
                self.worse.push(change(is, was, Some(is)));
            } else if is.verdict == CaseVerdict::Pass && earlier.is_bad() {
                self.better.push(change(was.unwrap_or(is), was, Some(is)));
            } else if is.verdict == CaseVerdict::NotApplicable && earlier > is.verdict {
                self.lost.push(change(is, was, Some(is)));
            }
        }
        let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
        let gone = gone.filter(|(_, was)| was.verdict > CaseVerdict::NotApplicable);
        self.lost
            .extend(gone.map(|(_, was)| change(was, Some(was), None)));
    }

    fn thresholds(&mut self, before: &Report, now: &Report) {
        let old: BTreeMap<&str, Option<bool>> = before
            .facts()
            .thresholds
            .iter()
            .map(|threshold| (&*threshold.expression, threshold.met))
            .collect();
        for threshold in &now.facts().thresholds {
            let was = old.get(&*threshold.expression).copied().flatten();
            let known = old.contains_key(&*threshold.expression);
            let told = || format!("{} ({})", threshold.expression, threshold.actual);
            match threshold.met {
                Some(true) if known && was != Some(true) => self.met.push(told()),
                Some(false) if was != Some(false) => self.unmet.push(told()),
                None if was == Some(true) => self.unmet.push(told()),
                _ => {}
            }
        }
    }

    fn latencies(&mut self, before: &Report, now: &Report) {
        let share = self.noise_percent / 100.0;
        for (step, row) in now.ladder().ordered() {
            let Some(old) = before.ladder().rows.get(step) else {
                continue;
            };
            for (quantile, name) in QUANTILES {
                let was = Interval::of(&old.latency, quantile);
                let is = Interval::of(&row.latency, quantile);
                let (Some(was), Some(is)) = (was, is) else {
                    continue;
                };
                self.times += 1;
                let change = TimeChange {
                    step: step.to_owned(),
                    quantile: name,
                    before: was,
                    now: is,
                };
                if is.is_beyond(&was, share) {
                    self.slower.push(change);
                } else if was.is_beyond(&is, share) {
                    self.faster.push(change);
                }
            }
        }
    }
}

/// True of a report without a single observation of its server: it was not there, or no case could
/// be judged. Beside such a report every other looks as good as it.
fn observed_nothing(report: &Report) -> bool {
    let judged = |case: &CaseResult| matches!(case.verdict, CaseVerdict::Pass | CaseVerdict::Fail);
    report.phones().is_empty() && !report.cases().iter().any(judged)
}

fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Provisioned | Outcome::Unverified)
}

fn is_bad(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Partial)
}

/// The facts that should be equal for a fair comparison, where they are not.
fn differing(before: &RunFacts, now: &RunFacts) -> Vec<String> {
    let facts = |facts: &RunFacts| {
        [
            ("scenario", facts.scenario.clone()),
            ("phones", facts.planned.to_string()),
            ("seed", facts.seed.to_string()),
            ("attachment", facts.attachment.clone()),
            ("time scale", facts.time_scale.to_string()),
            ("cores", facts.cores.to_string()),
            ("shards", facts.shards.to_string()),
            ("version", facts.version.clone()),
        ]
    };
    let pairs = facts(before).into_iter().zip(facts(now));
    let differing = pairs.filter(|((_, was), (_, is))| was != is);
    differing
        .map(|((what, was), (_, is))| format!("{what}: {was} and {is}"))
        .collect()
}

#[cfg(test)]
mod tests;
