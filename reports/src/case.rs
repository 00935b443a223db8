//! Results of conformance cases: what was expected, what was seen, and what decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::redact::Redactor;

/// What became of a case. Ordered from good to bad: a verdict only worsens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum CaseVerdict {
    /// The subject does not implement, or was not given, what the case is about.
    #[default]
    NotApplicable,
    /// The purpose was observed.
    Pass,
    /// The purpose could not be observed.
    Inconclusive,
    /// The subject contradicted the clause.
    Fail,
    /// Our own side failed.
    Error,
}

impl CaseVerdict {
    /// Every verdict, from good to bad.
    pub const ALL: [Self; 5] = [
        Self::NotApplicable,
        Self::Pass,
        Self::Inconclusive,
        Self::Fail,
        Self::Error,
    ];

    /// As printed: `not applicable`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

    /// Whether a reader must look at the case: it neither passed nor did not apply.
    #[must_use]
    pub fn is_bad(self) -> bool {
        self > Self::Pass
    }
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseResult {
    /// Its stable id: `flyingvoice/boot-file-names`.
    pub id: String,
    /// The suite: a vendor's name, or `protocol`.
    pub suite: String,
    /// Whom it judges: `phone` or `server`.
    pub side: String,
    /// What it is to show, one sentence without full stop.
    pub purpose: String,
    /// The clauses that it shows.
    pub clauses: Vec<String>,
    /// The profile that took part; empty where none did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// What became of it.
    pub verdict: CaseVerdict,
    /// Why it is not a pass, in one sentence; empty for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What was expected where it first differed; the whole expectation for a pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What was seen there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actual: String,
    /// The decoded exchange, a message a line, without secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchange: Vec<String>,
    /// The lines of `exchange`, from 0, that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u32>,
    /// How long it took on the run's clock, in microseconds.
    pub took_us: u64,
}

/// What became of an expression over the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// The expression as it was written.
    pub expression: String,
    /// Whether it held at the end, or when it ended the run; `None` = it could not be evaluated.
    pub met: Option<bool>,
    /// The values of what it names, or why it could not be evaluated.
    pub actual: String,
    /// It ended the run, so long after the beginning, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_at_us: Option<u64>,
}

/// How many cases had each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaseCounts([u32; CaseVerdict::ALL.len()]);

impl CaseCounts {
    /// Counts these cases.
    pub fn new<'a>(cases: impl IntoIterator<Item = &'a CaseResult>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            counts.0[case.verdict as usize] += 1;
        }
        counts
    }

    /// How many cases had this verdict.
    #[must_use]
    pub fn of(&self, verdict: CaseVerdict) -> u32 {
        self.0[verdict as usize]
    }

    /// How many cases there were.
    #[must_use]
    pub fn all(&self) -> u32 {
        self.0.iter().sum()
    }

    /// How many cases were about something that the subject has.
    #[must_use]
    pub fn applicable(&self) -> u32 {
        self.all() - self.of(CaseVerdict::NotApplicable)
    }
}

impl CaseResult {
    /// The clauses as one text: `FLY-06, FLY-07`.
    #[must_use]
    pub fn cited(&self) -> String {
        self.clauses.join(", ")
    }

    /// The lines of the exchange, each with whether it decided.
    pub fn lines(&self) -> impl Iterator<Item = (bool, &str)> {
        (0_u32..)
            .zip(&self.exchange)
            .map(|(at, line)| (self.evidence.contains(&at), line.as_str()))
    }

    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        let texts = [&mut self.reason, &mut self.expected, &mut self.actual];
        for text in texts.into_iter().chain(&mut self.exchange) {
            *text = redactor.text(text).into_owned();
        }
    }
}

impl ThresholdResult {
    /// From good to bad: met, not known, unmet.
    fn badness(&self) -> u8 {
        match self.met {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        }
    }

    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        self.actual = redactor.text(&self.actual).into_owned();
    }
}

/// The cases of both, by side, suite and id; of one that is in both, the worse result.
pub(crate) fn merged_cases(left: Vec<CaseResult>, right: Vec<CaseResult>) -> Vec<CaseResult> {
    // Equal verdicts with different texts are ordered too, so that any order of merges keeps the
    // same one.
    fn rank(case: &CaseResult) -> (CaseVerdict, &CaseResult) {
        (case.verdict, case)
    }
    let mut cases: BTreeMap<[String; 3], CaseResult> = BTreeMap::new();
    for case in left.into_iter().chain(right) {
        let name = [&case.side, &case.suite, &case.id].map(Clone::clone);
        match cases.get(&name) {
            Some(held) if rank(held) >= rank(&case) => {}
            _ => drop(cases.insert(name, case)),
        }
    }
    cases.into_values().collect()
}

/// The expressions of both, by name; of one that is in both the worse result: unmet before not
/// known before met, and of those the one that ended its run first.
pub(crate) fn merged_thresholds(
    left: Vec<ThresholdResult>,
    right: Vec<ThresholdResult>,
) -> Vec<ThresholdResult> {
    let rank = |threshold: &ThresholdResult| {
        let aborted = threshold.aborted_at_us.unwrap_or(u64::MAX);
        (
            threshold.badness(),
            u64::MAX - aborted,
            threshold.actual.clone(),
        )
    };
    let mut thresholds: BTreeMap<String, ThresholdResult> = BTreeMap::new();
    for threshold in left.into_iter().chain(right) {
        match thresholds.get(&threshold.expression) {
            Some(held) if rank(held) >= rank(&threshold) => {}
            _ => drop(thresholds.insert(threshold.expression.clone(), threshold)),
        }
    }
    thresholds.into_values().collect()
}
