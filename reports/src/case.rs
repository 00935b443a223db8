//! Results of conformance cases: what was expected, what was seen, and what decided.

use serde::{Deserialize, Serialize};

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
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
