//! Counting events: one row per ladder step, in every shard for itself, summed at the end.

use std::collections::{BTreeMap, BTreeSet};

use bootstorm_emulator::event::{Event, EventKind};
use bootstorm_emulator::profile::{Step, StepId};
use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::run::PhoneResult;

/// The label of the last row, filled from the phones' results: from scheduled start to settled.
pub const SETTLED: &str = "settled";

/// The fixed steps that come before the fetches of a walk, and those that come after, in the order
/// in which a boot meets them. `SETTLED` is the row after all.
const BEFORE: [StepId; 10] = [
    StepId::DISCOVER,
    StepId::REQUEST,
    StepId::RENEW,
    StepId::CLOCK,
    StepId::MDNS,
    StepId::SUBSCRIBE,
    StepId::NOTIFY,
    StepId::REDIRECT,
    StepId::PROMPT,
    StepId::GIVEN,
];
const AFTER: [StepId; 10] = [
    StepId::UPDATES,
    StepId::LINKED,
    StepId::INCLUDE,
    StepId::RESOURCE,
    StepId::CERTIFICATE,
    StepId::FIRMWARE,
    StepId::INFORM,
    StepId::ACS,
    StepId::DOWNLOAD,
    StepId::REGISTER,
];

/// Where a shard counts. Recording an event costs two look-ups by number and an addition.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    lanes: Vec<LaneSteps>,
    labels: Vec<String>,
    rows: Vec<Row>,
    totals: Totals,
}

/// A profile as one `Measures` numbers it; only good for the `Measures` that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(u16);

#[derive(Debug, Clone)]
struct LaneSteps {
    profile: String,
    order: Vec<String>,
    /// The row of each step, by `StepId`.
    rows: Vec<u16>,
}

/// What was counted of one ladder step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Requests that left for the first time.
    pub sent: u64,
    /// Answers that were complete.
    pub answered: u64,
    /// Requests that left again after silence.
    pub retried: u64,
    /// Answers after the step was over.
    pub late: u64,
    /// Unusable packets or answers.
    pub wrong: u64,
    /// Answers saying that the file is not there.
    pub missing: u64,
    /// Steps given up.
    pub gave_up: u64,
    /// From the first request to the complete answer.
    pub latency: Latency,
}

/// Sums over all phones that belong to no single step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Times a phone came up, the first boot included.
    pub boots: u64,
    /// Soft reboots.
    pub soft_reboots: u64,
    /// Provisioning runs started.
    pub runs: u64,
    /// Bytes of first requests.
    pub request_bytes: u64,
    /// Files that arrived whole.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Lines of documents that were not taken over.
    pub lines_ignored: u64,
    /// Firmware versions installed.
    pub firmware_installed: u64,
    /// Firmware images refused.
    pub firmware_refused: u64,
    /// Limits reached.
    pub limits_reached: u64,
}

/// What shards counted, by label: plain data that is sent between threads, summed in any order and
/// written to reports.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ladder {
    /// The rows by label.
    pub rows: BTreeMap<String, Row>,
    /// Every profile with its labels in boot order; the rows' order is worked out from these.
    pub orders: BTreeSet<(String, Vec<String>)>,
    /// Sums that belong to no step.
    pub totals: Totals,
}

impl Measures {
    /// The lane of a profile, by its name and its `steps`; made at first sight. Steps of several
    /// profiles with the same label share a row. Called once a phone, not once an event.
    pub fn lane(&mut self, profile: &str, steps: &[Step]) -> Lane {
        let known = self.lanes.iter().position(|lane| lane.profile == profile);
        let at = known.unwrap_or_else(|| {
            let rows = steps.iter().map(|step| self.row_of(&step.label)).collect();
            self.lanes.push(LaneSteps {
                profile: profile.to_owned(),
                order: boot_order(steps),
                rows,
            });
            self.lanes.len() - 1
        });
        Lane(u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// Counts one event of a phone in `lane`.
    pub fn record(&mut self, lane: Lane, event: &Event) {
        match event.kind {
            EventKind::Sent { step, bytes } => {
                self.totals.request_bytes += u64::from(bytes);
                self.at(lane, step, |row| row.sent += 1);
            }
            EventKind::Retried { step, .. } => self.at(lane, step, |row| row.retried += 1),
            EventKind::Answered { step, after } => self.at(lane, step, |row| {
                row.answered += 1;
                row.latency.record(after);
            }),
            EventKind::Missing { step, .. } => self.at(lane, step, |row| row.missing += 1),
            EventKind::Wrong { step, .. } => self.at(lane, step, |row| row.wrong += 1),
            EventKind::Late { step } => self.at(lane, step, |row| row.late += 1),
            EventKind::GaveUp { step, .. } => self.at(lane, step, |row| row.gave_up += 1),
            _ => self.totals.record(&event.kind),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        self.ladder_of(|_| true)
    }

    /// What was counted so far, with the latencies of those steps only that are `timed`: a full one
    /// is large, and who looks once a second needs few of them.
    #[must_use]
    pub fn ladder_of(&self, timed: impl Fn(&str) -> bool) -> Ladder {
        let row = |(label, row): (&String, &Row)| {
            let latency = match timed(label) {
                true => row.latency.clone(),
                false => Latency::default(),
            };
            (label.clone(), Row { latency, ..*row })
        };
        Ladder {
            rows: self.labels.iter().zip(&self.rows).map(row).collect(),
            orders: self
                .lanes
                .iter()
                .map(|lane| (lane.profile.clone(), lane.order.clone()))
                .collect(),
            totals: self.totals,
        }
    }

    fn row_of(&mut self, label: &str) -> u16 {
        let at = self.labels.iter().position(|known| known == label);
        let at = at.unwrap_or_else(|| {
            self.labels.push(label.to_owned());
            self.rows.push(Row::default());
            self.rows.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn at(&mut self, lane: Lane, step: StepId, count: impl FnOnce(&mut Row)) {
        let lane = self.lanes.get(usize::from(lane.0));
        let row = lane.and_then(|lane| lane.rows.get(usize::from(step.0)));
        match row.and_then(|row| self.rows.get_mut(usize::from(*row))) {
            Some(row) => count(row),
            None => debug_assert!(false, "event for step {} that its profile has not", step.0),
        }
    }
}

impl Totals {
    fn record(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Booting(_) => self.boots += 1,
            EventKind::SoftRebooting => self.soft_reboots += 1,
            EventKind::RunStarted(_) => self.runs += 1,
            EventKind::Fetched { bytes, .. } => {
                self.files += 1;
                self.file_bytes = self.file_bytes.saturating_add(*bytes);
            }
            EventKind::LinesIgnored { count, .. } => self.lines_ignored += u64::from(*count),
            EventKind::FirmwareInstalled { .. } => self.firmware_installed += 1,
            EventKind::FirmwareRefused { .. } => self.firmware_refused += 1,
            EventKind::LimitReached { .. } => self.limits_reached += 1,
            _ => {}
        }
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.boots, other.boots),
            (&mut self.soft_reboots, other.soft_reboots),
            (&mut self.runs, other.runs),
            (&mut self.request_bytes, other.request_bytes),
            (&mut self.files, other.files),
            (&mut self.file_bytes, other.file_bytes),
            (&mut self.lines_ignored, other.lines_ignored),
            (&mut self.firmware_installed, other.firmware_installed),
            (&mut self.firmware_refused, other.firmware_refused),
            (&mut self.limits_reached, other.limits_reached),
        ];
        for (held, more) in pairs {
            *held = held.saturating_add(more);
        }
    }
}

impl Row {
    /// True when nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another shard counted of the same step.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.sent, other.sent),
            (&mut self.answered, other.answered),
            (&mut self.retried, other.retried),
            (&mut self.late, other.late),
            (&mut self.wrong, other.wrong),
            (&mut self.missing, other.missing),
            (&mut self.gave_up, other.gave_up),
        ];
        for (held, more) in pairs {
            *held = held.saturating_add(more);
        }
        self.latency.add(&other.latency);
    }
}

impl Ladder {
    /// Adds what another shard or machine counted. Associative and commutative.
    pub fn merge(&mut self, other: Self) {
        for (label, row) in other.rows {
            self.rows.entry(label).or_default().add(&row);
        }
        self.orders.extend(other.orders);
        self.totals.add(&other.totals);
    }

    /// Replaces the `settled` row by what the phones' results say: started, settled, not settled
    /// in time, and how long it took from the scheduled start, so that a late start of ours
    /// lengthens the figure instead of hiding in it.
    pub fn settle(&mut self, phones: &[PhoneResult]) {
        let mut row = Row::default();
        for phone in phones {
            if phone.outcome == crate::run::Outcome::NotStarted {
                continue;
            }
            row.sent += 1;
            match phone.settled_after {
                Some(after) => {
                    row.answered += 1;
                    row.latency.record(after);
                }
                None => row.gave_up += 1,
            }
        }
        self.rows.insert(SETTLED.to_owned(), row);
    }

    /// The rows in boot order, `settled` last. Profiles are woven together in the order of their
    /// names: a label that an earlier profile had keeps its place, a new one follows the label
    /// before it. So the order depends on what was counted, not on who was summed first.
    #[must_use]
    pub fn ordered(&self) -> Vec<(&str, &Row)> {
        let mut labels: Vec<&str> = Vec::with_capacity(self.rows.len());
        for (_, order) in &self.orders {
            let mut next = 0;
            for label in order {
                match labels.iter().position(|known| known == label) {
                    Some(at) => next = at + 1,
                    None => {
                        labels.insert(next, label);
                        next += 1;
                    }
                }
            }
        }
        let unplaced = self.rows.keys().map(String::as_str);
        let unplaced: Vec<&str> = unplaced.filter(|label| !labels.contains(label)).collect();
        labels.extend(unplaced);
        labels.retain(|label| *label != SETTLED);
        labels.push(SETTLED);
        let row = |label| self.rows.get(label).map(|row| (label, row));
        labels.into_iter().filter_map(row).collect()
    }
}

/// The labels of a profile's steps as a boot meets them, which is not their numbering: a walk's
/// fetches come before what their documents link to.
fn boot_order(steps: &[Step]) -> Vec<String> {
    let fetches = (usize::from(StepId::FIRST_FETCH)..steps.len()).map(|at| at as u8);
    let before = BEFORE.into_iter().map(|step| step.0);
    let after = AFTER.into_iter().map(|step| step.0);
    let mut order: Vec<String> = Vec::with_capacity(steps.len());
    for at in before.chain(fetches).chain(after) {
        if let Some(step) = steps.get(usize::from(at))
            && !order.contains(&step.label)
        {
            order.push(step.label.clone());
        }
    }
    order
}

#[cfg(test)]
mod tests;
