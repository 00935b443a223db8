//! What became of each phone of a shard. Consumes events; decides nothing about the phones.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bootstorm_emulator::event::{BootCause, Event, EventKind, Fault, RunResult, Trigger};
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::profile::{Step, StepId};
use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::{Ladder, Lane, Measures};
use bootstorm_reports::run::{Difference as ReportDifference, FirstWrong, Outcome, PhoneResult};
use bootstorm_reports::trail::Trail;
use bootstorm_reports::words;
use bootstorm_scenarios::intended::{Checker, Difference};
use bootstorm_scenarios::plan::{PhonePlan, Plan};

use super::lacking::Lacking;
use super::progress::Progress;
use super::steps::Effect;
use super::transcript;

/// What a report calls the comparison with the intended values.
const COMPARISON: &str = "settings";

/// The book of one shard.
#[derive(Debug)]
pub struct Ledger {
    measures: Measures,
    lanes: Vec<Lane>,
    checker: Checker,
    entries: Vec<Entry>,
    progress: Arc<Progress>,
    log: Option<Vec<Logged>>,
    settled: u32,
    effect: Effect,
    own_faults: u64,
}

/// An event and whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logged {
    /// The phone's index in the plan.
    pub phone: u32,
    /// What happened.
    pub event: Event,
}

/// What is remembered of one phone.
#[derive(Debug, Clone, Copy)]
struct Entry {
    trail: Trail,
    /// The trail as it was when the phone last came to rest.
    at_rest: Trail,
    lacking: Lacking,
    scheduled: Moment,
    /// The moment since which it is at rest and (not) as intended; none while a run is due that no
    /// timer started.
    settled: Option<(Moment, bool)>,
    /// The same for the first time that it came to rest.
    first_settled: Option<(Moment, bool)>,
    /// How far it is with what a check-sync told it.
    resync: Resync,
    started: bool,
    ever_settled: bool,
    ever_provisioned: bool,
    fetched: bool,
    /// The last run had everything it asked for: what is wrong then is what the files said.
    complete: bool,
    boots: u16,
    soft_reboots: u16,
}

/// How far a phone is with a check-sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resync {
    /// It has not heard of one since the last step, or was at rest then.
    Idle,
    /// It started a run or a reboot for it.
    Begun,
    /// It has fetched a file since.
    Fetched,
    /// It came to rest behind that; a second time does not count.
    Over,
    /// It took no notice.
    Ignored,
}

/// One phone with what is needed to judge it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its place among the shard's phones.
    pub slot: usize,
    /// What was planned.
    pub planned: &'a PhonePlan,
    /// The phone.
    pub phone: &'a Phone,
}

impl Ledger {
    /// An empty book for phones with these scheduled starts, in the order of their slots.
    #[must_use]
    pub fn new(
        plan: &Plan,
        starts: impl Iterator<Item = Moment>,
        progress: Arc<Progress>,
        with_log: bool,
    ) -> Self {
        let mut measures = Measures::default();
        let lanes = plan
            .profiles
            .iter()
            .map(|profile| measures.lane(&profile.name, &profile.steps));
        let lanes = lanes.collect();
        let entries = starts.map(Entry::new).collect();
        let log = with_log.then(Vec::new);
        let checker = Checker::default();
        Self {
            measures,
            lanes,
            checker,
            entries,
            progress,
            log,
            settled: 0,
            effect: Effect::default(),
            own_faults: 0,
        }
    }

    /// Notes that a phone was switched on.
    pub fn started(&mut self, slot: usize) {
        if let Some(entry) = self.entries.get_mut(slot) {
            entry.started = true;
            self.progress.started.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the events of one step of a phone.
    pub fn record(
        &mut self,
        plan: &Plan,
        subject: Subject<'_>,
        shelf: &mut Shelf,
        events: &[Event],
    ) {
        let Some(lane) = self
            .lanes
            .get(usize::from(subject.planned.profile))
            .copied()
        else {
            return;
        };
        for event in events {
            self.measures.record(lane, event);
            if let Some(log) = &mut self.log {
                log.push(Logged {
                    phone: subject.planned.identity.index,
                    event: *event,
                });
            }
            let Some(entry) = self.entries.get_mut(subject.slot) else {
                return;
            };
            entry.trail.record(&event.kind);
            entry.lacking.record(&event.kind);
            match event.kind {
                EventKind::Booting(cause) => {
                    entry.boots = entry.boots.saturating_add(1);
                    if cause == BootCause::CheckSync {
                        self.effect.ignored -= u32::from(entry.resync.begin());
                        self.settled -= u32::from(entry.settled.take().is_some());
                    }
                }
                EventKind::SoftRebooting => {
                    entry.soft_reboots = entry.soft_reboots.saturating_add(1);
                }
                EventKind::Fetched { .. } => {
                    entry.fetched = true;
                    entry.resync.fetched();
                    self.progress.files.fetch_add(1, Ordering::Relaxed);
                }
                // A timer that starts another run does not make a phone unsettled: a fleet with
                // short periods would never be at rest together.
                EventKind::RunStarted(trigger) if is_timer(trigger) => {}
                EventKind::RunStarted(_) | EventKind::PowerCut => {
                    if event.kind == EventKind::RunStarted(Trigger::CheckSync) {
                        self.effect.ignored -= u32::from(entry.resync.begin());
                    }
                    self.settled -= u32::from(entry.settled.take().is_some());
                }
                EventKind::TriggerIgnored(Trigger::CheckSync) | EventKind::SenderRefused { .. } => {
                    self.effect.ignored += u32::from(entry.resync.ignore());
                }
                EventKind::GaveUp {
                    fault: Fault::Local,
                    ..
                }
                | EventKind::Wrong {
                    fault: Fault::Local,
                    ..
                } => self.own_faults += 1,
                EventKind::RunEnded(result) => entry.complete = result == RunResult::Complete,
                EventKind::Settled => self.settle(plan, subject, shelf, event.at),
                // A later try that succeeds, a refresh that fails, or what became of an ordered
                // download changes what a phone at rest comes to.
                EventKind::Registered { renewed: false, .. }
                | EventKind::RegistrationFailed { .. }
                | EventKind::TransferReported { .. }
                    if entry.settled.is_some() =>
                {
                    self.settle(plan, subject, shelf, event.at);
                }
                _ => {}
            }
        }
    }

    /// The phone came to rest: is it what it was meant to be?
    fn settle(&mut self, plan: &Plan, subject: Subject<'_>, shelf: &mut Shelf, at: Moment) {
        let difference = self
            .checker
            .difference(plan, subject.planned, subject.phone, shelf);
        let Some(entry) = self.entries.get_mut(subject.slot) else {
            return;
        };
        let provisioned = difference.is_none()
            && subject.phone.registration_fault().is_none()
            && entry.lacking.what().is_none();
        entry.at_rest = entry.trail;
        self.effect.resynced += u32::from(entry.resync.rest());
        match entry.settled {
            None => self.settled += 1,
            // Still as it was when it first came to rest.
            Some((_, before)) if before == provisioned => return,
            Some(_) => {}
        }
        entry.settled = Some((at, provisioned));
        entry.first_settled.get_or_insert((at, provisioned));
        if !entry.ever_settled {
            entry.ever_settled = true;
            self.progress.settled.fetch_add(1, Ordering::Relaxed);
        }
        if provisioned && !entry.ever_provisioned {
            entry.ever_provisioned = true;
            self.progress.provisioned.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// True when every phone of the shard is at rest.
    #[must_use]
    pub fn all_settled(&self) -> bool {
        self.settled as usize == self.entries.len()
    }

    /// What phones have done for check-syncs since the last step.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// A step is taken: what is done from now on is done for it.
    pub fn step_taken(&mut self) {
        self.effect = Effect::default();
        for entry in &mut self.entries {
            entry.resync = Resync::Idle;
        }
    }

    /// Transfers that failed for want of descriptors or addresses on our own side.
    #[must_use]
    pub fn own_faults(&self) -> u64 {
        self.own_faults
    }

    /// The counts by ladder step.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        self.measures.ladder()
    }

    /// The log of events, if it was asked for.
    pub fn take_log(&mut self) -> Vec<Logged> {
        self.log.take().unwrap_or_default()
    }

    /// The result of one phone. `stopped` says that the run was ended by its user.
    pub fn result(
        &mut self,
        plan: &Plan,
        subject: Subject<'_>,
        shelf: &mut Shelf,
        stopped: bool,
    ) -> PhoneResult {
        let entry = self.entries.get(subject.slot).copied();
        let entry = entry.unwrap_or_else(|| Entry::new(Moment::ZERO));
        // A provisioned phone was compared when it came to rest.
        let difference = match (entry.started, entry.settled) {
            (false, _) | (true, Some((_, true))) => None,
            (true, _) => self
                .checker
                .difference(plan, subject.planned, subject.phone, shelf),
        };
        let intended = Checker::has_intentions(plan, subject.planned);
        let unregistered = subject.phone.registration_fault();
        let outcome = entry.outcome(stopped, intended, unregistered.is_none());
        let since = |(at, _): (Moment, bool)| at.since(entry.scheduled);
        let settled_after: Option<Duration> = entry.came_to_rest().map(since);
        let provisioned = outcome == Outcome::Provisioned;
        let profile = plan.profile(subject.planned);
        let steps = profile.map_or(&[][..], |profile| &profile.steps);
        let compared = difference.as_ref().map(|difference| FirstWrong {
            step: COMPARISON.to_owned(),
            text: describe(difference).to_owned(),
        });
        let trail = match entry.settled {
            Some(_) => entry.at_rest,
            None => entry.trail,
        };
        let traced = trail.first_wrong(steps);
        let register = unregistered.map(|(_, fault)| FirstWrong {
            step: label(steps, StepId::REGISTER),
            text: words::fault_text(fault),
        });
        let lacked = entry.lacking.what().map(|what| FirstWrong {
            step: label(steps, what.step),
            text: what.text(),
        });
        let wrong = match (entry.settled, entry.complete) {
            (Some(_), true) => register.or(lacked).or(compared).or(traced),
            (Some(_), false) => traced.or(lacked).or(compared).or(register),
            (None, _) => traced.or_else(|| entry.unsettled()),
        };
        PhoneResult {
            index: subject.planned.identity.index,
            mac: subject.planned.identity.mac,
            profile: profile.map_or_else(|| Arc::from(""), |held| Arc::from(held.name.as_str())),
            outcome,
            scheduled_at: entry.scheduled,
            settled_after,
            provisioned_after: settled_after.filter(|_| provisioned),
            reboots: u32::from(entry.boots.saturating_sub(1)),
            soft_reboots: u32::from(entry.soft_reboots),
            limit: trail
                .limit()
                .filter(|_| !provisioned)
                .map(|l| words::limit(l).into()),
            first_wrong: wrong.filter(|_| !provisioned && entry.started),
            difference: difference
                .filter(|_| !provisioned)
                .map(|difference| placed(plan, subject.planned, shelf, difference)),
        }
    }
}

impl Resync {
    /// True when the phone is counted as one that ignored it, wrongly as it turns out.
    fn begin(&mut self) -> bool {
        let ignored = *self == Self::Ignored;
        if ignored || *self == Self::Idle {
            *self = Self::Begun;
        }
        ignored
    }

    fn fetched(&mut self) {
        if *self == Self::Begun {
            *self = Self::Fetched;
        }
    }

    /// The phone is at rest: true when it resynced.
    fn rest(&mut self) -> bool {
        let resynced = *self == Self::Fetched;
        match self {
            Self::Fetched => *self = Self::Over,
            Self::Begun => *self = Self::Idle,
            Self::Idle | Self::Over | Self::Ignored => {}
        }
        resynced
    }

    /// True for the first one of a step that it ignores.
    fn ignore(&mut self) -> bool {
        let first = *self == Self::Idle;
        if first {
            *self = Self::Ignored;
        }
        first
    }
}

impl Entry {
    fn new(scheduled: Moment) -> Self {
        Self {
            trail: Trail::default(),
            at_rest: Trail::default(),
            lacking: Lacking::default(),
            scheduled,
            settled: None,
            first_settled: None,
            resync: Resync::Idle,
            started: false,
            ever_settled: false,
            ever_provisioned: false,
            fetched: false,
            complete: false,
            boots: 0,
            soft_reboots: 0,
        }
    }

    /// When it came to rest as it is now: a resync that changed nothing does not count.
    fn came_to_rest(&self) -> Option<(Moment, bool)> {
        let (_, now) = self.settled?;
        let first = self.first_settled.filter(|(_, then)| *then == now);
        first.or(self.settled)
    }

    fn outcome(&self, stopped: bool, intended: bool, registered: bool) -> Outcome {
        let whole = self.complete && self.lacking.what().is_none();
        let unverified = !intended && registered && self.fetched && whole;
        match (self.started, self.settled) {
            (false, _) => Outcome::NotStarted,
            (true, Some((_, true))) if intended => Outcome::Provisioned,
            (true, Some(_)) if unverified => Outcome::Unverified,
            (true, None) if stopped => Outcome::Interrupted,
            (true, Some(_)) if self.fetched => Outcome::Partial,
            (true, _) => Outcome::Failed,
        }
    }

    fn unsettled(&self) -> Option<FirstWrong> {
        let text = "not settled at the deadline".to_owned();
        self.settled.is_none().then(|| FirstWrong {
            step: "settled".to_owned(),
            text,
        })
    }
}

/// Whether a timer started the run.
fn is_timer(trigger: Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Period
            | Trigger::ErrorRetry
            | Trigger::UpgradeRetry
            | Trigger::Renewal
            | Trigger::Subscription
            | Trigger::StaticInterval
    )
}

fn label(steps: &[Step], step: StepId) -> String {
    let known = steps.get(usize::from(step.0));
    known.map_or_else(String::new, |step| step.label.clone())
}

fn describe(difference: &Difference) -> &'static str {
    match difference {
        Difference::Setting { held: None, .. } => "an intended setting is not held",
        Difference::Setting { .. } => "a setting differs from its intended value",
        Difference::Extra { .. } => "a setting is held that nobody intended",
        Difference::Firmware { .. } => "another firmware runs than intended",
    }
}

fn placed(
    plan: &Plan,
    planned: &PhonePlan,
    shelf: &Shelf,
    difference: Difference,
) -> ReportDifference {
    let place = |file, line| {
        format!(
            "{}:{line}",
            transcript::file_name(plan, planned, &shelf.urls, file)
        )
    };
    match difference {
        Difference::Setting {
            key,
            expected,
            held: Some((held, file, line)),
        } => ReportDifference {
            key,
            expected,
            held: Some(held),
            source: place(file, line),
        },
        Difference::Setting {
            key,
            expected,
            held: None,
        } => ReportDifference {
            key,
            expected,
            held: None,
            source: String::new(),
        },
        Difference::Extra {
            key,
            held,
            file,
            line,
        } => ReportDifference {
            key,
            expected: String::new(),
            held: Some(held),
            source: place(file, line),
        },
        Difference::Firmware { expected, held } => ReportDifference {
            key: "firmware".to_owned(),
            expected,
            held: Some(held),
            source: String::new(),
        },
    }
}
