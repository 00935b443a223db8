//! What became of each phone of a shard. Consumes events; decides nothing about the phones.

mod again;
mod live;
mod pending;
mod resync;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bootstorm_emulator::event::{BootCause, Event, EventKind, Fault, RunResult, Trigger};
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::profile::{Profile, Step, StepId};
use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::{Ladder, Lane, Measures};
use bootstorm_reports::run::{Difference as ReportDifference, FirstWrong, Outcome, PhoneResult};
use bootstorm_reports::timeline::{Stage, Timeline};
use bootstorm_reports::trail::Trail;
use bootstorm_reports::words;
use bootstorm_scenarios::intended::{Checker, Difference};
use bootstorm_scenarios::plan::{PhonePlan, Plan};

use self::pending::Pending;
use self::resync::Resync;
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
    timeline: Timeline,
    log: Option<Vec<Logged>>,
    settled: u32,
    /// What phones did for each step.
    effects: Vec<Effect>,
    own_faults: u64,
    /// Rounds that were judged, and those that failed.
    rounds: (u64, u64),
    /// Requests given up since nobody answered or the connection failed.
    abandoned: u64,
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
    /// How far it is.
    stage: Stage,
    lacking: Lacking,
    pending: Pending,
    scheduled: Moment,
    /// The moment since which it is at rest and (not) as intended; none while a run is due that no
    /// timer started.
    settled: Option<(Moment, bool)>,
    /// The same for the first time that it came to rest.
    first_settled: Option<(Moment, bool)>,
    /// How far it is with what a step told it.
    resync: Resync,
    /// The step that told it last.
    step: u16,
    started: bool,
    ever_settled: bool,
    ever_provisioned: bool,
    fetched: bool,
    /// The last run had everything it asked for: what is wrong then is what the files said.
    complete: bool,
    boots: u16,
    soft_reboots: u16,
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
        let entries: Vec<_> = starts.map(Entry::new).collect();
        let phones = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let mut timeline = Timeline::default();
        timeline.add_phones(phones);
        progress.planned(phones);
        let log = with_log.then(Vec::new);
        let checker = Checker::default();
        Self {
            measures,
            lanes,
            checker,
            entries,
            progress,
            timeline,
            log,
            settled: 0,
            effects: Vec::new(),
            rounds: (0, 0),
            abandoned: 0,
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
            self.count(lane, subject.planned.identity.index, event);
            let Some(entry) = self.entries.get_mut(subject.slot) else {
                return;
            };
            entry.trail.record(&event.kind);
            entry.lacking.record(&event.kind);
            entry.pending.record(&event.kind);
            self.own_faults += u64::from(is_own_fault(&event.kind));
            self.abandoned += u64::from(is_abandoned(&event.kind));
            match event.kind {
                EventKind::Booting(cause) => {
                    entry.boots = entry.boots.saturating_add(1);
                    if cause == BootCause::CheckSync {
                        entry.begin(&mut self.effects);
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
                    let for_step = EventKind::RunStarted(Trigger::CheckSync);
                    if event.kind == for_step || event.kind == EventKind::PowerCut {
                        entry.begin(&mut self.effects);
                    }
                    self.settled -= u32::from(entry.settled.take().is_some());
                }
                EventKind::TriggerIgnored(Trigger::CheckSync) | EventKind::SenderRefused { .. } => {
                    entry.ignore(&mut self.effects);
                }
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
            self.follow(subject.slot, event);
        }
    }

    /// Enters an event in the books that all phones of the shard share.
    fn count(&mut self, lane: Lane, phone: u32, event: &Event) {
        self.measures.record(lane, event);
        self.timeline.record(event.at, &event.kind);
        self.progress.record(&event.kind);
        if let Some(log) = &mut self.log {
            let event = *event;
            log.push(Logged { phone, event });
        }
    }

    /// True for a phone that is at rest and as it was meant to be.
    pub fn is_provisioned(&self, slot: usize) -> bool {
        let entry = self.entries.get(slot);
        entry.is_some_and(|entry| matches!(entry.settled, Some((_, true))))
    }

    /// How far an event brings a phone that is not at rest.
    fn follow(&mut self, slot: usize, event: &Event) {
        let entry = self.entries.get(slot);
        let moving = entry.is_some_and(|entry| entry.settled.is_none());
        if let Some(stage) = Stage::after(&event.kind).filter(|_| moving) {
            self.change(slot, event.at, stage);
        }
    }

    fn change(&mut self, slot: usize, at: Moment, stage: Stage) {
        if let Some(entry) = self.entries.get_mut(slot) {
            self.timeline.change(at, entry.stage, stage);
            self.progress.change(entry.stage, stage);
            entry.stage = stage;
        }
    }

    /// The phone came to rest: is it what it was meant to be?
    fn settle(&mut self, plan: &Plan, subject: Subject<'_>, shelf: &mut Shelf, at: Moment) {
        let provisioned = self.is_as_meant(plan, subject, shelf);
        let Some(entry) = self.entries.get_mut(subject.slot) else {
            return;
        };
        entry.at_rest = entry.trail;
        entry.rest(&mut self.effects);
        match entry.settled {
            None => self.settled += 1,
            // Still as it was when it first came to rest.
            Some((_, before)) if before == provisioned => return,
            Some(_) => {}
        }
        let stage = match provisioned {
            true => Stage::Settled,
            false => Stage::Unintended,
        };
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
        self.change(subject.slot, at, stage);
    }

    fn is_as_meant(&mut self, plan: &Plan, subject: Subject<'_>, shelf: &mut Shelf) -> bool {
        let checker = &mut self.checker;
        let difference = checker.difference(plan, subject.planned, subject.phone, shelf);
        let lacks = |entry: &Entry| entry.lacking.what().is_some();
        difference.is_none()
            && subject.phone.registration_fault().is_none()
            && !self.entries.get(subject.slot).is_some_and(lacks)
    }

    /// True when every phone of the shard is at rest.
    #[must_use]
    pub fn all_settled(&self) -> bool {
        self.settled as usize == self.entries.len()
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

    /// The phones by boot step over time.
    pub fn take_timeline(&mut self) -> Timeline {
        std::mem::take(&mut self.timeline)
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
        let intended = self.checker.has_intentions(plan, subject.planned);
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
            (None, _) => traced.or_else(|| Some(entry.pending.first_wrong(steps))),
        };
        PhoneResult {
            index: subject.planned.identity.index,
            mac: subject.planned.identity.mac,
            profile: profile.map_or_else(|| Arc::from(""), |held| Arc::from(held.name.as_str())),
            firmware: firmware(subject.phone, profile),
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

impl Entry {
    fn new(scheduled: Moment) -> Self {
        Self {
            trail: Trail::default(),
            at_rest: Trail::default(),
            stage: Stage::Off,
            lacking: Lacking::default(),
            pending: Pending::default(),
            scheduled,
            settled: None,
            first_settled: None,
            resync: Resync::Idle,
            step: u16::MAX,
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
}

/// Whether something failed for want of descriptors or addresses on our own side.
fn is_own_fault(event: &EventKind) -> bool {
    let fault = match event {
        EventKind::GaveUp { fault, .. } | EventKind::Wrong { fault, .. } => fault,
        _ => return false,
    };
    *fault == Fault::Local
}

/// Whether a request was given up that had left in vain.
fn is_abandoned(event: &EventKind) -> bool {
    use Fault::{ConnectionBroken, ConnectionRefused, FtpData, Silence};
    let EventKind::GaveUp { fault, .. } = event else {
        return false;
    };
    matches!(
        fault,
        Silence | ConnectionRefused | ConnectionBroken | FtpData
    )
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

/// The version that a phone runs.
fn firmware(phone: &Phone, profile: Option<&Arc<Profile>>) -> Arc<str> {
    let own = || profile.map_or("", |profile| &profile.firmware);
    phone
        .firmware()
        .map_or_else(|| Arc::from(own()), Arc::clone)
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
