//! `report.json`: everything a report holds, with a versioned schema
//! (`reports/schema/report-1.json`), and the way back.
//!
//! Times are whole microseconds (`_us`). A histogram is its filled buckets, `[time_us, count]`, to
//! three digits, so that reports can be merged without loss. Sums, groups and verdict are written
//! for other programs; reading works them out again from the phones, so a file whose parts
//! contradict each other cannot mislead.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use serde::{Deserialize, Serialize, Serializer};

use crate::case::CaseResult;
use crate::latency::Latency;
use crate::measure::{Ladder, Row, Totals};
use crate::report::{Group, Milestones, Report, ReportFault};
use crate::run::{Difference, FirstWrong, Outcome, PhoneResult, RunFacts, micros};
use crate::verdict::Class;

/// The schema's name and version; another number means that readers of this one would be misled.
pub const SCHEMA: &str = "bootstorm-report/1";

/// The JSON Schema of what `write` writes.
pub const SCHEMA_TEXT: &str = include_str!("../schema/report-1.json");

/// The columns of `phones.rows`.
const COLUMNS: [&str; 13] = [
    "index",
    "mac",
    "profile",
    "outcome",
    "scheduled_at_us",
    "settled_after_us",
    "provisioned_after_us",
    "reboots",
    "soft_reboots",
    "limit",
    "first_wrong",
    "difference",
    "firmware",
];

/// Why a file is not a report that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// It could not be read to its end.
    #[error("failed to read the report: {0}")]
    Io(#[from] io::Error),
    /// It is not JSON, or parts are missing or of the wrong kind.
    #[error("failed to read the report: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but it does not say that it is a report.
    #[error("not a bootstorm report: expected \"schema\": \"{SCHEMA}\"")]
    NotAReport,
    /// A report of another version.
    #[error("report has schema {found}, and this version of bootstorm reads {SCHEMA}")]
    OtherVersion {
        /// The schema it names.
        found: String,
    },
    /// A phone's entry that cannot be.
    #[error("phone {index}: {what}")]
    Phone {
        /// Its index.
        index: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Its parts are no report together.
    #[error("report is not sound: {0}")]
    Unsound(#[from] ReportFault),
}

/// Writes the report as one line of JSON and a line end.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = report.counts();
    let outcomes = Outcome::ALL.map(|outcome| (outcome, counts.of(outcome)));
    let verdict = report.verdict();
    let profiles: BTreeSet<&str> = report.phones.iter().map(|phone| &*phone.profile).collect();
    let profiles: Vec<&str> = profiles.into_iter().collect();
    let document = Document {
        schema: SCHEMA,
        verdict: VerdictOut {
            class: verdict.class,
            sentence: verdict.sentence,
        },
        facts: &report.facts,
        outcomes: outcomes.into(),
        milestones: MilestonesOut {
            provisioned: report.provisioned().into(),
            settled: report.settled().into(),
        },
        ladder: LadderOut::new(&report.ladder),
        groups: report.groups().into_iter().map(GroupOut::from).collect(),
        phones: PhonesOut {
            columns: COLUMNS,
            rows: PhoneRows {
                phones: &report.phones,
                profiles: &profiles,
            },
            profiles: &profiles,
        },
        cases: &report.cases,
        exchanges: &report.exchanges,
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Reads a report.
///
/// # Errors
/// Not readable, not JSON, not a report, another version, or unsound.
pub fn read(input: &mut dyn Read) -> Result<Report, ReadFault> {
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    let head: Head = serde_json::from_str(&text).map_err(|fault| match fault.is_data() {
        true => ReadFault::NotAReport,
        false => fault.into(),
    })?;
    match head.schema {
        Some(schema) if schema == SCHEMA => {}
        Some(schema) if schema.starts_with("bootstorm-report/") => {
            return Err(ReadFault::OtherVersion { found: schema });
        }
        _ => return Err(ReadFault::NotAReport),
    }
    let document: DocumentIn = serde_json::from_str(&text)?;
    let names = document.phones.profiles.into_iter();
    let names: Vec<Arc<str>> = names.map(Arc::from).collect();
    let rows = document.phones.rows.into_iter();
    let phones: Result<Vec<PhoneResult>, ReadFault> =
        rows.map(|row| row.into_result(&names)).collect();
    let ladder = document.ladder.into();
    let mut report = Report::checked(document.facts, ladder, phones?)?;
    report.cases = document.cases;
    report.exchanges = document.exchanges;
    Ok(report)
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    schema: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    verdict: VerdictOut,
    facts: &'a RunFacts,
    outcomes: BTreeMap<Outcome, u32>,
    milestones: MilestonesOut,
    ladder: LadderOut<'a>,
    groups: Vec<GroupOut>,
    phones: PhonesOut<'a>,
    #[serde(skip_serializing_if = "<[CaseResult]>::is_empty")]
    cases: &'a [CaseResult],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exchanges: &'a BTreeMap<u32, Vec<String>>,
}

#[derive(Deserialize)]
struct DocumentIn {
    facts: RunFacts,
    ladder: LadderIn,
    phones: PhonesIn,
    #[serde(default)]
    cases: Vec<CaseResult>,
    #[serde(default)]
    exchanges: BTreeMap<u32, Vec<String>>,
}

#[derive(Serialize)]
struct VerdictOut {
    class: Class,
    sentence: String,
}

#[derive(Serialize)]
struct MilestonesOut {
    provisioned: TimesOut,
    settled: TimesOut,
}

#[derive(Serialize)]
struct TimesOut {
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p100_us: Option<u64>,
}

impl From<Milestones> for TimesOut {
    fn from(times: Milestones) -> Self {
        Self {
            p50_us: times.p50.map(micros::of),
            p95_us: times.p95.map(micros::of),
            p100_us: times.p100.map(micros::of),
        }
    }
}

#[derive(Serialize)]
struct LadderOut<'a> {
    rows: Vec<RowOut<'a>>,
    profiles: Vec<OrderOut<'a>>,
    totals: Totals,
}

#[derive(Serialize)]
struct OrderOut<'a> {
    name: &'a str,
    steps: &'a [String],
}

#[derive(Serialize)]
struct RowOut<'a> {
    step: &'a str,
    sent: u64,
    answered: u64,
    retried: u64,
    late: u64,
    wrong: u64,
    missing: u64,
    gave_up: u64,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
    buckets: &'a Latency,
}

impl<'a> LadderOut<'a> {
    fn new(ladder: &'a Ladder) -> Self {
        let row = |(step, row): (&'a str, &'a Row)| {
            let quantile = |quantile| row.latency.quantile(quantile).map(micros::of);
            RowOut {
                step,
                sent: row.sent,
                answered: row.answered,
                retried: row.retried,
                late: row.late,
                wrong: row.wrong,
                missing: row.missing,
                gave_up: row.gave_up,
                p50_us: quantile(0.5),
                p95_us: quantile(0.95),
                p99_us: quantile(0.99),
                max_us: quantile(1.0),
                buckets: &row.latency,
            }
        };
        let orders = ladder.orders.iter();
        Self {
            rows: ladder.ordered().into_iter().map(row).collect(),
            profiles: orders
                .map(|(name, steps)| OrderOut { name, steps })
                .collect(),
            totals: ladder.totals,
        }
    }
}

#[derive(Deserialize)]
struct LadderIn {
    rows: Vec<RowIn>,
    profiles: Vec<OrderIn>,
    totals: Totals,
}

#[derive(Deserialize)]
struct OrderIn {
    name: String,
    steps: Vec<String>,
}

#[derive(Deserialize)]
struct RowIn {
    step: String,
    sent: u64,
    answered: u64,
    retried: u64,
    late: u64,
    wrong: u64,
    missing: u64,
    gave_up: u64,
    buckets: Latency,
}

impl From<LadderIn> for Ladder {
    fn from(read: LadderIn) -> Self {
        let mut ladder = Self {
            totals: read.totals,
            ..Self::default()
        };
        for row in read.rows {
            ladder.rows.entry(row.step).or_default().add(&Row {
                sent: row.sent,
                answered: row.answered,
                retried: row.retried,
                late: row.late,
                wrong: row.wrong,
                missing: row.missing,
                gave_up: row.gave_up,
                latency: row.buckets,
            });
        }
        let orders = read.profiles.into_iter();
        ladder.orders = orders.map(|order| (order.name, order.steps)).collect();
        ladder
    }
}

#[derive(Serialize)]
struct GroupOut {
    profile: String,
    firmware: String,
    step: String,
    text: String,
    causes: u32,
    phones: u32,
    example: u32,
    command: String,
    difference: Option<Difference>,
}

impl From<Group> for GroupOut {
    fn from(group: Group) -> Self {
        Self {
            profile: group.profile,
            firmware: group.firmware,
            step: group.first.step,
            text: group.first.text,
            causes: group.causes,
            phones: group.phones,
            example: group.example,
            command: group.command,
            difference: group.difference,
        }
    }
}

#[derive(Serialize)]
struct PhonesOut<'a> {
    profiles: &'a [&'a str],
    columns: [&'static str; COLUMNS.len()],
    rows: PhoneRows<'a>,
}

#[derive(Deserialize)]
struct PhonesIn {
    profiles: Vec<String>,
    rows: Vec<PhoneRow>,
}

/// The rows, made one by one while they are written.
struct PhoneRows<'a> {
    phones: &'a [PhoneResult],
    profiles: &'a [&'a str],
}

impl Serialize for PhoneRows<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let row = |phone| PhoneRow::new(phone, self.profiles);
        out.collect_seq(self.phones.iter().map(row))
    }
}

/// A phone as `COLUMNS` says.
#[derive(Serialize, Deserialize)]
struct PhoneRow(
    u32,
    String,
    usize,
    Outcome,
    u64,
    Option<u64>,
    Option<u64>,
    u32,
    u32,
    Option<String>,
    Option<(String, String)>,
    Option<Difference>,
    #[serde(default)] String,
);

impl PhoneRow {
    fn new(phone: &PhoneResult, profiles: &[&str]) -> Self {
        let profile = profiles.partition_point(|name| **name < *phone.profile);
        let first = phone.first_wrong.clone();
        Self(
            phone.index,
            phone.mac.to_string(),
            profile,
            phone.outcome,
            phone.scheduled_at.nanos() / 1_000,
            phone.settled_after.map(micros::of),
            phone.provisioned_after.map(micros::of),
            phone.reboots,
            phone.soft_reboots,
            phone.limit.as_deref().map(str::to_owned),
            first.map(|first| (first.step, first.text)),
            phone.difference.clone(),
            phone.firmware.as_ref().to_owned(),
        )
    }

    fn into_result(self, profiles: &[Arc<str>]) -> Result<PhoneResult, ReadFault> {
        let index = self.0;
        let fault = |what| ReadFault::Phone { index, what };
        let first = self.10;
        Ok(PhoneResult {
            index,
            mac: Mac::parse(&self.1).ok_or_else(|| fault("MAC address is not 12 hex digits"))?,
            profile: profiles
                .get(self.2)
                .ok_or_else(|| fault("profile number is not in the list of profiles"))?
                .clone(),
            firmware: self.12.into(),
            outcome: self.3,
            scheduled_at: Moment::from_nanos(self.4.saturating_mul(1_000)),
            settled_after: self.5.map(Duration::from_micros),
            provisioned_after: self.6.map(Duration::from_micros),
            reboots: self.7,
            soft_reboots: self.8,
            limit: self.9.map(Into::into),
            first_wrong: first.map(|(step, text)| FirstWrong { step, text }),
            difference: self.11,
        })
    }
}

#[cfg(test)]
mod tests;
