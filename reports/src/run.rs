//! What the harness states about a run: its facts, and one result for each planned phone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use serde::{Deserialize, Serialize};

use crate::capacity::Capacity;
use crate::case::ThresholdResult;
use crate::timeline::Timeline;

/// The facts of a run, or of one machine's part of it. Everything that was decided before the
/// first phone started, and how the generator itself fared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunFacts {
    /// The version of the program.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// The attachment: `memory`, `loopback` …
    pub attachment: String,
    /// Factor on the vendors' policy times; finite, 1 is faithful.
    pub time_scale: f64,
    /// Phones planned; as many results must be given.
    pub planned: u32,
    /// Shards, each a thread.
    pub shards: u32,
    /// Processor cores of the machine.
    pub cores: u32,
    /// What was judged.
    pub subject: BTreeSet<Endpoint>,
    /// When the run began: seconds since 1970, as the caller's clock said.
    pub started_at: u64,
    /// How long the run took.
    #[serde(rename = "elapsed_us", with = "micros")]
    pub elapsed: Duration,
    /// When the run would have ended at the latest.
    #[serde(rename = "deadline_us", with = "micros")]
    pub deadline: Duration,
    /// How much of something the generator allowed itself at once, by name: `transfers` → 4,096.
    /// Capacities: those of two machines add up.
    pub limits: BTreeMap<String, u64>,
    /// What a reader must know to believe the figures, one sentence each.
    pub notes: BTreeSet<String>,
    /// The command that repeats one phone; `{phone}` stands for its index.
    pub repeat: String,
    /// Whether the user ended the run before it was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Phones that were registered with a SIP account when the run ended.
    #[serde(default, skip_serializing_if = "is_none")]
    pub registered: u32,
    /// The files that phones fetched, and how many of them the generator held and hashed.
    #[serde(default, skip_serializing_if = "Bodies::is_none")]
    pub bodies: Bodies,
    /// What the scenario's steps came to, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepResult>,
    /// What became of the scenario's expressions over the fleet, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<ThresholdResult>,
    /// Phones by boot step over time; empty in reports of older versions.
    #[serde(default, skip_serializing_if = "Timeline::is_empty")]
    pub timeline: Timeline,
    /// Why nothing was booted: the subject was not there. No phone is planned then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// What a search for the capacity of the server found; the report is that of one of its tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// How the generator fared.
    pub generator: GeneratorHealth,
}

/// Files that were fetched: equal ones are held once and hashed once in each shard, however many
/// phones fetch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bodies {
    /// Fetched to their end.
    pub fetched: BodySum,
    /// Held: those that were not there already.
    pub held: BodySum,
    /// Digests computed.
    pub hashed: BodySum,
}

/// So many, of so many bytes in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BodySum {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Bodies {
    /// Adds what another shard, or another machine's part of the run, fetched.
    pub fn add(&mut self, other: &Self) {
        for (held, more) in [
            (&mut self.fetched, other.fetched),
            (&mut self.held, other.held),
            (&mut self.hashed, other.hashed),
        ] {
            held.count = held.count.saturating_add(more.count);
            held.bytes = held.bytes.saturating_add(more.bytes);
        }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What came of something that was, or was to be, done to phones while the run went on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepResult {
    /// What was done, and to whom: `check-sync;reboot=true to fleet`.
    pub what: String,
    /// Phones that it was for.
    pub planned: u32,
    /// Of them, those that had no address then.
    pub unreachable: u32,
    /// Of them, those that were registered with a SIP account then.
    #[serde(default, skip_serializing_if = "is_none")]
    pub registered: u32,
    /// Phones that answered with a 2xx status.
    pub accepted: u32,
    /// Phones that answered with another status.
    pub refused: u32,
    /// Phones that did not answer.
    pub silent: u32,
    /// Phones that fetched their configuration again and came to rest; each counts once.
    pub resynced: u32,
    /// It was not done: the run ended first, and nothing is known of the phones it was for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_taken: bool,
    /// Phones that answered and did nothing: they are told to ignore it, or its sender.
    #[serde(default, skip_serializing_if = "is_none")]
    pub ignored: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// One endpoint of the subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// `dhcp`, `tftp`, `http` …
    pub service: String,
    /// An address with port, or a URL.
    pub address: String,
}

/// How the generator, not the subject, fared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GeneratorHealth {
    /// Phones started later than the tolerance after their scheduled start.
    pub late_starts: u64,
    /// Datagrams that our own queues or sockets dropped.
    pub dropped_datagrams: u64,
    /// The longest time by which a due timer was served late.
    #[serde(rename = "lag_max_us", with = "micros")]
    pub lag_max: Duration,
    /// Why the generator was the limit, one phrase each; empty when it was not. Any entry makes
    /// the verdict void.
    pub saturated: BTreeSet<String>,
}

/// What became of a planned phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Settled, and its settings equal the intended values.
    Provisioned,
    /// Settled; there were no intended values to compare with.
    Unverified,
    /// Some files were applied, others could not be had, or some values differ.
    Partial,
    /// Nothing usable was had, or the phone did not settle in time.
    Failed,
    /// Never powered on.
    NotStarted,
    /// The run was stopped before the phone settled.
    Interrupted,
}

impl Outcome {
    /// Every outcome, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Provisioned,
        Self::Unverified,
        Self::Partial,
        Self::Failed,
        Self::NotStarted,
        Self::Interrupted,
    ];

    /// As printed: `not started`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioned => "provisioned",
            Self::Unverified => "unverified",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The result of one phone.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneResult {
    /// Its place in the run.
    pub index: u32,
    /// Its MAC address.
    pub mac: Mac,
    /// Its profile's name, shared by all phones of the profile.
    pub profile: Arc<str>,
    /// The firmware version that it ran at the end, shared; empty where it is not known.
    pub firmware: Arc<str>,
    /// What became of it.
    pub outcome: Outcome,
    /// When its power-on was due on the run's clock, whenever it really happened.
    pub scheduled_at: Moment,
    /// From `scheduled_at` to the moment it first settled for good.
    pub settled_after: Option<Duration>,
    /// From `scheduled_at` to provisioned; given exactly when `outcome` is `Provisioned`.
    pub provisioned_after: Option<Duration>,
    /// Reboots after the first boot.
    pub reboots: u32,
    /// Soft reboots.
    pub soft_reboots: u32,
    /// The first limit that it reached, in the words of `words::limit`.
    pub limit: Option<Cow<'static, str>>,
    /// The first wrong step, for phones that are not provisioned; see `trail`.
    pub first_wrong: Option<FirstWrong>,
    /// The first setting that differs from its intended value.
    pub difference: Option<Difference>,
}

/// A ladder step and what was wrong there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirstWrong {
    /// The step's label, or another short name of a place in the boot.
    pub step: String,
    /// The cause, equal for all phones that failed for it: no addresses, names or values.
    pub text: String,
}

/// A setting that differs from its intended value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The setting's key.
    pub key: String,
    /// The intended value.
    pub expected: String,
    /// The value held; `None` when the phone has none.
    pub held: Option<String>,
    /// Where the held value came from, `file:line`; empty when it has none.
    pub source: String,
}

/// Durations as whole microseconds, the unit of every time in a JSON report.
pub(crate) mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Whole microseconds; saturates after half a million years.
    pub(crate) fn of(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn serialize<S: Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(of(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        u64::deserialize(input).map(Duration::from_micros)
    }
}
