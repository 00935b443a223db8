//! Phones by boot step over time, in buckets of equal width: what a live view and a report draw.
//!
//! A bucket holds changes, not levels, so that counting an event is one addition, the timelines of
//! shards and machines add up in any order, and a bucket twice as wide is the sum of two.

use std::time::Duration;

use bootstorm_emulator::event::{BootCause, EventKind};
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::time::Moment;
use serde::{Deserialize, Serialize};

use crate::run::micros;

/// Buckets at most; when time goes on beyond them, each becomes twice as wide.
pub const BUCKETS_MAX: usize = 240;
/// Width of a bucket at first.
pub const WIDTH_MIN: Duration = Duration::from_millis(1);

/// How far a phone is, as it is drawn.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Without power: not switched on yet, or cut off.
    #[default]
    Off,
    /// Coming up, or applying what needs a reboot.
    Booting,
    /// Asking for an address.
    Lease,
    /// Finding out where its files are.
    Discovery,
    /// Fetching files.
    Fetching,
    /// Fetching and installing firmware.
    Firmware,
    /// Registering its accounts.
    Registering,
    /// Waiting to try again what failed.
    Waiting,
    /// At rest, and not as intended.
    Unintended,
    /// At rest, as intended where anything was.
    Settled,
}

impl Stage {
    /// Every stage, in the order of a boot.
    pub const ALL: [Self; 10] = [
        Self::Off,
        Self::Booting,
        Self::Lease,
        Self::Discovery,
        Self::Fetching,
        Self::Firmware,
        Self::Registering,
        Self::Waiting,
        Self::Unintended,
        Self::Settled,
    ];

    /// As printed: `getting an address`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "without power",
            Self::Booting => "booting",
            Self::Lease => "getting an address",
            Self::Discovery => "finding the server",
            Self::Fetching => "fetching files",
            Self::Firmware => "installing firmware",
            Self::Registering => "registering",
            Self::Waiting => "waiting to retry",
            Self::Unintended => "settled, not as intended",
            Self::Settled => "settled",
        }
    }

    /// As a key in files: `not_intended`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Booting => "booting",
            Self::Lease => "lease",
            Self::Discovery => "discovery",
            Self::Fetching => "fetching",
            Self::Firmware => "firmware",
            Self::Registering => "registering",
            Self::Waiting => "waiting",
            Self::Unintended => "unintended",
            Self::Settled => "settled",
        }
    }

    /// The stage that an event brings a phone to which is not at rest; `None` where it stays.
    /// Whether it comes to rest as intended is not in the events: `Settled` and `Unintended` are
    /// the caller's.
    #[must_use]
    pub fn after(event: &EventKind) -> Option<Self> {
        match *event {
            EventKind::PowerCut => Some(Self::Off),
            EventKind::Booting(BootCause::Firmware) | EventKind::FirmwareInstalling { .. } => {
                Some(Self::Firmware)
            }
            EventKind::Booting(_) | EventKind::SoftRebooting => Some(Self::Booting),
            EventKind::RunStarted(_) | EventKind::Delayed { .. } => Some(Self::Discovery),
            EventKind::Sent { step, .. } => Self::of_step(step),
            EventKind::GaveUp { .. } => Some(Self::Waiting),
            _ => None,
        }
    }

    fn of_step(step: StepId) -> Option<Self> {
        Some(match step {
            StepId::DISCOVER | StepId::REQUEST => Self::Lease,
            // A lease is renewed beside whatever a phone is doing.
            StepId::RENEW => return None,
            StepId::CLOCK
            | StepId::MDNS
            | StepId::SUBSCRIBE
            | StepId::NOTIFY
            | StepId::REDIRECT
            | StepId::PROMPT => Self::Discovery,
            StepId::FIRMWARE => Self::Firmware,
            StepId::REGISTER => Self::Registering,
            _ => Self::Fetching,
        })
    }
}

/// Changes within one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Phones that came to each stage less those that left it, by `Stage::ALL`.
    pub moves: [i32; Stage::ALL.len()],
    /// Requests that left for the first time.
    pub requests: u32,
    /// Requests that left again.
    pub retries: u32,
    /// Unusable answers, and steps given up.
    pub errors: u32,
}

impl Bucket {
    fn add(&mut self, other: &Self) {
        for (held, more) in self.moves.iter_mut().zip(other.moves) {
            *held = held.saturating_add(more);
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.retries = self.retries.saturating_add(other.retries);
        self.errors = self.errors.saturating_add(other.errors);
    }
}

/// Phones by stage, requests, retries and errors over time. Takes at most 13 KiB, allocated with
/// the first event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Timeline {
    /// `WIDTH_MIN` is doubled so many times.
    doublings: u32,
    buckets: Vec<Bucket>,
}

impl Timeline {
    /// An empty one whose buckets are at least so wide from the beginning.
    #[must_use]
    pub fn of_width(width: Duration) -> Self {
        let mut timeline = Self::default();
        while timeline.width() < width && timeline.doublings < u32::BITS - 1 {
            timeline.doublings += 1;
        }
        timeline
    }

    /// Counts phones that are without power at the beginning.
    pub fn add_phones(&mut self, phones: u32) {
        let phones = i32::try_from(phones).unwrap_or(i32::MAX);
        let bucket = self.bucket(Moment::ZERO);
        let off = &mut bucket.moves[Stage::Off as usize];
        *off = off.saturating_add(phones);
    }

    /// A phone goes from one stage to another.
    pub fn change(&mut self, at: Moment, from: Stage, to: Stage) {
        if from != to {
            self.change_many(at, to, 1);
            self.change_many(at, from, -1);
        }
    }

    /// So many phones more, or less, are at a stage.
    pub fn change_many(&mut self, at: Moment, stage: Stage, by: i32) {
        let moves = &mut self.bucket(at).moves[stage as usize];
        *moves = moves.saturating_add(by);
    }

    /// Counts what an event says of traffic.
    pub fn record(&mut self, at: Moment, event: &EventKind) {
        match event {
            EventKind::Sent { .. } => self.add_traffic(at, [1, 0, 0]),
            EventKind::Retried { .. } => self.add_traffic(at, [0, 1, 0]),
            EventKind::Wrong { .. } | EventKind::GaveUp { .. } => self.add_traffic(at, [0, 0, 1]),
            _ => {}
        }
    }

    /// Counts so many requests, retries and errors.
    pub fn add_traffic(&mut self, at: Moment, [requests, retries, errors]: [u32; 3]) {
        self.bucket(at).add(&Bucket {
            requests,
            retries,
            errors,
            ..Bucket::default()
        });
    }

    /// Adds what another shard or machine saw, on the clock of its own. Associative, and the order
    /// does not matter.
    pub fn merge(&mut self, mut other: Self) {
        while self.doublings < other.doublings {
            self.double();
        }
        while other.doublings < self.doublings {
            other.double();
        }
        let buckets = self.buckets.len().max(other.buckets.len());
        self.buckets.resize(buckets, Bucket::default());
        for (held, more) in self.buckets.iter_mut().zip(&other.buckets) {
            held.add(more);
        }
    }

    /// True when nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How long a bucket is.
    #[must_use]
    pub fn width(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.doublings).unwrap_or(u32::MAX);
        WIDTH_MIN.saturating_mul(factor)
    }

    /// The buckets, the first from the run's beginning.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Phones at each stage at the end of each bucket, by `Stage::ALL`.
    pub fn levels(&self) -> impl Iterator<Item = [u32; Stage::ALL.len()]> + '_ {
        let mut held = [0_i64; Stage::ALL.len()];
        self.buckets.iter().map(move |bucket| {
            for (held, moved) in held.iter_mut().zip(bucket.moves) {
                *held += i64::from(moved);
            }
            held.map(|phones| u32::try_from(phones.max(0)).unwrap_or(u32::MAX))
        })
    }

    fn bucket(&mut self, at: Moment) -> &mut Bucket {
        let mut place = self.place(at);
        while place >= BUCKETS_MAX {
            self.double();
            place = self.place(at);
        }
        if self.buckets.len() <= place {
            self.buckets.reserve_exact(BUCKETS_MAX - self.buckets.len());
            self.buckets.resize(place + 1, Bucket::default());
        }
        &mut self.buckets[place]
    }

    fn place(&self, at: Moment) -> usize {
        let width = micros::of(WIDTH_MIN) * 1_000;
        let place = (at.nanos() / width) >> self.doublings;
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    fn double(&mut self) {
        self.doublings += 1;
        let half = self.buckets.len().div_ceil(2);
        for place in 0..half {
            let mut sum = self.buckets[place * 2];
            if let Some(second) = self.buckets.get(place * 2 + 1) {
                sum.add(second);
            }
            self.buckets[place] = sum;
        }
        self.buckets.truncate(half);
    }
}

/// A timeline as it is written: levels, which other programs can draw as they are.
#[derive(Serialize, Deserialize)]
struct Columns {
    width_us: u64,
    /// Stages that phones were ever in, with their phones at the end of each bucket.
    phones: Vec<(Stage, Vec<u32>)>,
    requests: Vec<u32>,
    retries: Vec<u32>,
    errors: Vec<u32>,
}

impl From<Timeline> for Columns {
    fn from(timeline: Timeline) -> Self {
        let levels: Vec<_> = timeline.levels().collect();
        let of = |stage: Stage| levels.iter().map(|level| level[stage as usize]).collect();
        let column = |count: fn(&Bucket) -> u32| timeline.buckets.iter().map(count).collect();
        Self {
            width_us: micros::of(timeline.width()),
            phones: Stage::ALL
                .into_iter()
                .map(|stage| (stage, of(stage)))
                .filter(|(_, phones): &(_, Vec<u32>)| phones.iter().any(|phones| *phones > 0))
                .collect(),
            requests: column(|bucket| bucket.requests),
            retries: column(|bucket| bucket.retries),
            errors: column(|bucket| bucket.errors),
        }
    }
}

impl TryFrom<Columns> for Timeline {
    type Error = &'static str;

    fn try_from(columns: Columns) -> Result<Self, &'static str> {
        let first = micros::of(WIDTH_MIN);
        let factor = columns.width_us / first;
        if !columns.width_us.is_multiple_of(first) || !factor.is_power_of_two() {
            return Err("timeline's width is not a millisecond, doubled so many times");
        }
        let length = columns.requests.len();
        let mut lengths = columns.phones.iter().map(|(_, phones)| phones.len());
        let traffic = [columns.retries.len(), columns.errors.len()];
        if length > BUCKETS_MAX
            || lengths.any(|other| other != length)
            || traffic != [length, length]
        {
            return Err("timeline's columns are not of one length up to 240");
        }
        let mut buckets = vec![Bucket::default(); length];
        let traffic = columns.requests.iter().zip(&columns.retries);
        for (bucket, ((requests, retries), errors)) in
            buckets.iter_mut().zip(traffic.zip(&columns.errors))
        {
            (bucket.requests, bucket.retries, bucket.errors) = (*requests, *retries, *errors);
        }
        for (stage, phones) in columns.phones {
            let mut before = 0_i64;
            for (bucket, phones) in buckets.iter_mut().zip(phones) {
                let moved = i64::from(phones) - before;
                before = i64::from(phones);
                bucket.moves[stage as usize] = i32::try_from(moved)
                    .map_err(|_| "timeline's phones jump by more than 2,147,483,647")?;
            }
        }
        Ok(Self {
            doublings: factor.trailing_zeros(),
            buckets,
        })
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::event::{Fault, Trigger};
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn level(timeline: &Timeline, stage: Stage) -> Vec<u32> {
        let levels = timeline.levels();
        levels.map(|level| level[stage as usize]).collect()
    }

    #[test]
    fn counts_phones_where_they_are() {
        let mut timeline = Timeline::default();
        timeline.add_phones(2);
        timeline.change(at(1), Stage::Off, Stage::Booting);
        timeline.change(at(3), Stage::Booting, Stage::Lease);
        timeline.change(at(3), Stage::Lease, Stage::Lease);
        assert_eq!(level(&timeline, Stage::Off), [2, 1, 1, 1]);
        assert_eq!(level(&timeline, Stage::Booting), [0, 1, 1, 0]);
        assert_eq!(level(&timeline, Stage::Lease), [0, 0, 0, 1]);
    }

    #[test]
    fn widens_instead_of_growing() {
        let mut timeline = Timeline::default();
        timeline.add_phones(10);
        for millis in 0..1_000 {
            timeline.add_traffic(at(millis), [1, 0, 0]);
        }
        assert_eq!(timeline.width(), Duration::from_millis(8));
        assert_eq!(timeline.buckets().len(), 125);
        let sum: u32 = timeline.buckets().iter().map(|held| held.requests).sum();
        assert_eq!(sum, 1_000);
        timeline.change(Moment::from_nanos(u64::MAX), Stage::Off, Stage::Settled);
        assert!(timeline.buckets().len() <= BUCKETS_MAX);
        assert_eq!(level(&timeline, Stage::Off).last(), Some(&9));
    }

    #[test]
    fn begins_as_wide_as_it_is_wanted() {
        let widths = [0, 1, 500, 512].map(|millis| {
            Timeline::of_width(Duration::from_millis(millis))
                .width()
                .as_millis()
        });
        assert_eq!(widths, [1, 1, 512, 512]);
    }

    #[test]
    fn a_boot_goes_through_its_stages() {
        let sent = |step| EventKind::Sent { step, bytes: 1 };
        let step = StepId::fetch(0);
        let fault = Fault::Silence;
        let events = [
            EventKind::Booting(BootCause::Power),
            sent(StepId::DISCOVER),
            EventKind::RunStarted(Trigger::Boot(BootCause::Power)),
            sent(StepId::SUBSCRIBE),
            sent(step),
            EventKind::GaveUp { step, fault },
            sent(StepId::FIRMWARE),
            EventKind::Booting(BootCause::Firmware),
            sent(StepId::REGISTER),
            EventKind::PowerCut,
        ];
        let stages: Vec<Stage> = events.iter().filter_map(Stage::after).collect();
        let expected = [
            Stage::Booting,
            Stage::Lease,
            Stage::Discovery,
            Stage::Discovery,
            Stage::Fetching,
            Stage::Waiting,
            Stage::Firmware,
            Stage::Firmware,
            Stage::Registering,
            Stage::Off,
        ];
        assert_eq!(stages, expected);
        assert_eq!(Stage::after(&sent(StepId::RENEW)), None);
    }

    #[test]
    fn refuses_columns_that_cannot_be() {
        let read = |text: &str| serde_json::from_str::<Timeline>(text).map_err(|it| it.to_string());
        let text = |width: u64, phones: &str, errors: &str| {
            format!(
                r#"{{"width_us":{width},"phones":{phones},
                "requests":[1,2],"retries":[0,0],"errors":{errors}}}"#
            )
        };
        let fine = read(&text(4_000, r#"[["lease",[3,1]]]"#, "[0,9]")).unwrap();
        assert_eq!(level(&fine, Stage::Lease), [3, 1]);
        assert_eq!(fine.width(), Duration::from_millis(4));
        for (bad, why) in [
            (text(3_000, "[]", "[0,0]"), "width"),
            (text(0, "[]", "[0,0]"), "width"),
            (text(1_500, "[]", "[0,0]"), "width"),
            (text(1_000, "[]", "[0]"), "length"),
            (text(1_000, r#"[["lease",[1]]]"#, "[0,0]"), "length"),
            (
                text(1_000, r#"[["lease",[0,4294967295]]]"#, "[0,0]"),
                "jump",
            ),
            (text(1_000, r#"[["nowhere",[0,1]]]"#, "[0,0]"), "variant"),
        ] {
            let fault = read(&bad).unwrap_err();
            assert!(fault.contains(why), "{bad}: {fault}");
        }
    }

    /// Phones that hop from stage to stage, and traffic.
    fn drawn(hops: &[(u64, usize)]) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.add_phones(1);
        let mut held = Stage::Off;
        let mut hops = hops.to_vec();
        hops.sort_unstable();
        for (millis, stage) in hops {
            let stage = Stage::ALL[stage];
            timeline.change(at(millis), held, stage);
            timeline.add_traffic(at(millis), [1, 2, 3]);
            held = stage;
        }
        timeline
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merges_in_any_order_and_reads_back(
            parts in proptest::array::uniform3(
                proptest::collection::vec((0_u64..100_000, 0_usize..10), 0..20)
            ),
        ) {
            let [one, two, three] = parts.map(|hops| drawn(&hops));
            let both = |left: &Timeline, right: &Timeline| {
                let mut sum = left.clone();
                sum.merge(right.clone());
                sum
            };
            let left = both(&both(&one, &two), &three);
            prop_assert_eq!(&left, &both(&one, &both(&two, &three)));
            prop_assert_eq!(&left, &both(&both(&three, &one), &two));
            for level in left.levels() {
                prop_assert_eq!(level.iter().sum::<u32>(), 3);
            }
            let text = serde_json::to_string(&left).unwrap();
            prop_assert_eq!(left, serde_json::from_str::<Timeline>(&text).unwrap());
        }
    }
}
