//! The phones of one shard with their timers: everything about driving phones that does not depend
//! on how packets travel.

mod parting;
mod perform;
mod recording;
mod steps;
mod tamper;
mod watching;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::bodies::Tally;
use bootstorm_emulator::flash::Flash;
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::names::Names;
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::phone::io::{Input, Outputs};
use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::run::{Outcome, PhoneResult};
use bootstorm_reports::timeline::Timeline;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::wire::record::Record;
use rustc_hash::FxHashMap;

use super::held::Held;
use super::hooks::Hooks;
use super::ledger::{Ledger, Logged, Subject};
pub use super::network::{End, Farewell, Fetch, Network, Opening, Sender, Tls};
use super::outage::Outage;
use super::power::Power;
use super::progress::Progress;
use super::recorder::{At, Recorded, Recorder};
use super::steps::{Meeting, StepCount, Stepper};
use super::watch::Watcher;
use crate::certify::probe::{self, Finding, StandIns};
use tamper::Tamper;

/// The phones of one shard.
#[derive(Debug)]
pub struct Shard {
    /// The whole run's plan.
    pub plan: Arc<Plan>,
    /// What the phones share.
    pub shelf: Shelf,
    phones: Vec<Phone>,
    planned: Vec<PhonePlan>,
    /// When each phone's entry in `timers` comes up.
    armed: Vec<Moment>,
    timers: BinaryHeap<Reverse<(Moment, u32)>>,
    /// Phones still to be switched on, last one first.
    to_start: Vec<(Moment, u32)>,
    by_mac: FxHashMap<Mac, u32>,
    by_address: FxHashMap<Ipv4Addr, u32>,
    /// Each phone's address, while it has one.
    addresses: Vec<Ipv4Addr>,
    out: Outputs,
    ledger: Ledger,
    lag: Lag,
    steps: Stepper,
    /// The plan as its changes have left it.
    current: Arc<Plan>,
    power: Power,
    /// What of the server cannot be reached; `None` where that never happens.
    outage: Option<Box<Outage>>,
    hooks: Hooks,
    recorder: Option<Box<Recorder>>,
    watcher: Option<Watcher>,
    /// What mutants do to what the phones send and get; `None` most of the time.
    tamper: Option<Box<Tamper>>,
    /// Who speaks in the phones' place.
    stand_ins: Option<Box<StandIns>>,
    /// The phones give their leases back at the end.
    gives_back: bool,
    /// The run may end with the phones at rest: it has lasted as long as it was to.
    lasted: bool,
}

/// How late the shard itself was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Phones switched on more than `LATE` after their time.
    pub late_starts: u64,
    /// The longest time by which a phone was switched on or ticked late.
    pub max: Duration,
}

/// What a shard hands over when it is over.
#[derive(Debug)]
pub struct ShardResult {
    /// One result for each of its phones.
    pub phones: Vec<PhoneResult>,
    /// Counts by ladder step.
    pub ladder: Ladder,
    /// The phones by boot step over time.
    pub timeline: Timeline,
    /// The log of events, if it was asked for.
    pub log: Vec<Logged>,
    /// The names in the log.
    pub urls: Names,
    /// How late the shard itself was.
    pub lag: Lag,
    /// Transfers that failed for want of descriptors or addresses on our own side.
    pub own_faults: u64,
    /// Phones that were registered with a SIP account at the end.
    pub registered: u32,
    /// What came of the scenario's steps.
    pub steps: Vec<StepCount>,
    /// Rounds of a soak that were judged, and those that were not as intended at their end.
    pub rounds: (u64, u64),
    /// Requests given up since nobody answered or the connection failed.
    pub abandoned: u64,
    /// What the shard fetched, and how little of it was held and hashed.
    pub bodies: Tally,
    /// Bytes that settled phones hold for themselves, on average; 0 without phones.
    pub bytes_per_phone: usize,
    /// What its phones sent and received, by the phone's index; empty unless asked for.
    pub records: Vec<(u32, Record)>,
    /// How complete they are.
    pub recorded: Recorded,
    /// What those found that stood in for phones, by the phone's index.
    pub findings: Vec<(u32, Vec<Finding>)>,
    /// What its phones hold, in the order of `phones`; empty unless all was recorded.
    pub held: Vec<Held>,
    /// What its phones say when they are switched off; empty unless asked for.
    pub farewells: Vec<Farewell>,
}

/// A start later than this after its time counts as late.
pub const LATE: Duration = Duration::from_millis(50);
const NEVER: Moment = Moment::from_nanos(u64::MAX);

impl Shard {
    /// The phones with these indices, all without power.
    #[must_use]
    pub fn new(
        plan: Arc<Plan>,
        shelf: Shelf,
        indices: impl Iterator<Item = u32>,
        progress: Arc<Progress>,
        with_log: bool,
    ) -> Self {
        let planned: Vec<_> = indices.filter_map(|index| plan.phone(index)).collect();
        let starts = planned.iter().map(|phone| Moment::ZERO + phone.start);
        let ledger = Ledger::new(&plan, starts, progress, with_log);
        let slots = 0_u32..;
        let by_mac = planned
            .iter()
            .map(|phone| phone.identity.mac)
            .zip(slots.clone())
            .collect();
        let mut to_start: Vec<_> = planned
            .iter()
            .map(|phone| Moment::ZERO + phone.start)
            .zip(slots)
            .collect();
        to_start.sort_unstable_by_key(|start| Reverse(*start));
        let phones: Vec<_> = planned
            .iter()
            .map(|phone| new_phone(&plan, phone))
            .collect();
        let steps = Stepper::new(&plan.scenario.steps);
        let power = Power::new(plan.scenario.load.rounds(), plan.scenario.deadline);
        let lasted = plan.scenario.lasts.is_zero();
        Self {
            current: Arc::clone(&plan),
            power,
            outage: Outage::of(&plan.scenario.steps),
            hooks: Hooks::default(),
            steps,
            armed: vec![NEVER; phones.len()],
            addresses: vec![Ipv4Addr::UNSPECIFIED; phones.len()],
            plan,
            shelf,
            phones,
            planned,
            timers: BinaryHeap::new(),
            to_start,
            by_mac,
            by_address: FxHashMap::default(),
            out: Outputs::default(),
            ledger,
            lag: Lag::default(),
            recorder: None,
            watcher: None,
            tamper: None,
            stand_ins: None,
            gives_back: false,
            lasted,
        }
    }

    /// Has clients stand in for the phones, which then stay without power.
    pub fn stand_in(&mut self, orders: probe::Orders) {
        let (plan, ports) = (&self.plan, self.shelf.ports);
        let clients = StandIns::new(orders, plan, &self.planned, ports);
        self.stand_ins = Some(Box::new(clients));
    }

    /// How many phones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.phones.len()
    }

    /// True without phones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty()
    }

    /// When the shard wants `tick`.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let start = self.to_start.last().map(|(at, _)| *at);
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let step = self.steps.deadline();
        let look = self.watcher.as_ref().map(Watcher::deadline);
        let late = self.tamper.as_ref().and_then(|tamper| tamper.deadline());
        let turn = self.power.deadline();
        let lasts = (!self.lasted).then(|| self.lasts());
        [start, timer, step, look, late, turn, lasts]
            .into_iter()
            .flatten()
            .min()
    }

    /// Before this the run does not end.
    fn lasts(&self) -> Moment {
        Moment::ZERO + self.plan.scenario.lasts
    }

    /// Takes the scenario's steps together with the other shards of the run.
    pub fn join(&mut self, meeting: Arc<Meeting>) {
        self.steps.join(meeting);
    }

    /// Switches on and ticks the phones that are due, at most `most` of them.
    pub fn tick(&mut self, now: Moment, most: usize, network: &mut impl Network) {
        self.look(now);
        self.lasted |= now >= self.lasts();
        if self.tamper.is_some() {
            self.let_go(now, network);
        }
        for _ in 0..most {
            if self.turn(now, network) {
                continue;
            }
            let Some(slot) = self.next_due(now) else {
                return;
            };
            match slot {
                Due::Start(at, slot) => {
                    self.lag.note(now.since(at));
                    self.lag.late_starts += u64::from(now.since(at) > LATE);
                    self.ledger.started(slot as usize);
                    self.power.started(slot, at);
                    self.step(now, slot, Input::Power, network);
                }
                Due::Timer(at, slot) => {
                    self.lag.note(now.since(at));
                    self.step(now, slot, Input::Tick, network);
                }
            }
        }
    }

    fn next_due(&mut self, now: Moment) -> Option<Due> {
        loop {
            let start = self.to_start.last().copied().filter(|(at, _)| *at <= now);
            let timer = self.timers.peek().map(|Reverse(entry)| *entry);
            let timer = timer.filter(|(at, _)| *at <= now);
            match (start, timer) {
                (Some((at, slot)), timer) if timer.is_none_or(|(due, _)| at <= due) => {
                    self.to_start.pop();
                    return Some(Due::Start(at, slot));
                }
                (_, Some((at, slot))) => {
                    self.timers.pop();
                    let place = slot as usize;
                    if self.armed.get(place) != Some(&at) {
                        continue;
                    }
                    self.armed[place] = NEVER;
                    match self.deadline_of(place) {
                        Some(due) if due <= now => return Some(Due::Timer(due, slot)),
                        Some(due) => self.arm(slot, due),
                        None => {}
                    }
                }
                (_, None) => return None,
            }
        }
    }

    fn deadline_of(&self, place: usize) -> Option<Moment> {
        match &self.stand_ins {
            Some(clients) => clients.deadline(place),
            None => self.phones[place].deadline(),
        }
    }

    fn arm(&mut self, slot: u32, at: Moment) {
        let armed = &mut self.armed[slot as usize];
        if at < *armed {
            *armed = at;
            self.timers.push(Reverse((at, slot)));
        }
    }

    /// The slot of the phone with this MAC.
    #[must_use]
    pub fn with_mac(&self, mac: Mac) -> Option<u32> {
        self.by_mac.get(&mac).copied()
    }

    /// The slot of the phone with this address.
    #[must_use]
    pub fn with_address(&self, address: Ipv4Addr) -> Option<u32> {
        self.by_address.get(&address).copied()
    }

    /// The phone in a slot.
    #[must_use]
    pub fn phone(&self, slot: u32) -> Option<&Phone> {
        self.phones.get(slot as usize)
    }

    /// Hands one input to a phone, unless an outage keeps it away, and performs what it asks for.
    pub fn step(&mut self, now: Moment, slot: u32, input: Input<'_>, network: &mut impl Network) {
        let outage = self.outage.as_ref();
        if !outage.is_some_and(|outage| outage.hides(slot, &input)) {
            self.take_in(now, slot, input, network);
        }
    }

    fn take_in(&mut self, now: Moment, slot: u32, input: Input<'_>, network: &mut impl Network) {
        let place = slot as usize;
        if place >= self.phones.len() {
            return;
        }
        let at = At {
            now,
            slot,
            address: self.addresses[place],
        };
        if let Some(recorder) = &mut self.recorder {
            let door = recording::door(&self.shelf, self.planned.get(place));
            recorder.input(at, &input, door);
        }
        match self.tamper.is_some() {
            true => self.step_wrong(now, slot, input, network),
            false => self.take(now, slot, input, network),
        }
        if self.recorder.is_some() {
            let address = self.addresses[place];
            self.recorded(At { now, slot, address });
        }
    }

    /// Has a phone take one input, as it is.
    fn take(&mut self, now: Moment, slot: u32, input: Input<'_>, network: &mut impl Network) {
        let place = slot as usize;
        let Some(phone) = self.phones.get_mut(place) else {
            return;
        };
        self.out.clear();
        match &mut self.stand_ins {
            Some(clients) => clients.step(now, slot, input, &mut self.out),
            None => phone.step(now, input, &mut self.shelf, &mut self.out),
        }
        let phone = &self.phones[place];
        if !self.out.events.is_empty() {
            let subject = Subject {
                slot: place,
                planned: &self.planned[place],
                phone,
            };
            self.ledger
                .record(&self.current, subject, &mut self.shelf, &self.out.events);
        }
        let deadline = self.deadline_of(place);
        self.perform(now, slot, network);
        if let Some(at) = deadline {
            self.arm(slot, at);
        }
    }

    /// True when every phone has been switched on and is at rest, every step was taken, and the run
    /// has lasted as long as it was to.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let at_rest = match &self.stand_ins {
            Some(clients) => clients.are_over(),
            None => self.ledger.all_settled() && self.power.is_over(),
        };
        self.is_ended() || (self.lasted && self.steps.is_over() && at_rest)
    }

    /// Closes the books. `stopped` says that the run was ended by its user.
    #[must_use]
    pub fn finish(mut self, stopped: bool) -> ShardResult {
        let stopped = stopped || self.is_ended();
        let mut phones = Vec::with_capacity(self.phones.len());
        let (mut held, mut registered) = (0, 0);
        for (slot, (planned, phone)) in self.planned.iter().zip(&self.phones).enumerate() {
            held += size_of::<Phone>() + phone.heap_bytes();
            registered += u32::from(phone.registered() > 0);
            let subject = Subject {
                slot,
                planned,
                phone,
            };
            phones.push(
                self.ledger
                    .result(&self.current, subject, &mut self.shelf, stopped),
            );
        }
        let bytes_per_phone = held.checked_div(phones.len()).unwrap_or(0);
        let recorder = self.recorder.as_ref();
        let judged = recorder.is_some_and(|recorder| recorder.keeps_all());
        let held = self.phones.iter().filter(|_| judged);
        let held = held.map(|phone| Held::of(phone, &self.shelf)).collect();
        let passed = phones.iter().map(|it| it.outcome == Outcome::Provisioned);
        let farewells = self.farewells();
        let (records, recorded) = match self.recorder {
            Some(recorder) => recorder.finish(passed),
            None => Default::default(),
        };
        let findings = self
            .stand_ins
            .map_or_else(Vec::new, |it| it.into_findings());
        let indices = self.planned.iter().map(|phone| phone.identity.index);
        ShardResult {
            findings: indices.clone().zip(findings).collect(),
            steps: self.steps.finish(self.ledger.effects()),
            rounds: self.ledger.rounds(),
            abandoned: self.ledger.abandoned(),
            phones,
            registered,
            ladder: self.ledger.ladder(),
            own_faults: self.ledger.own_faults(),
            timeline: self.ledger.take_timeline(),
            log: self.ledger.take_log(),
            bodies: self.shelf.bodies.tally(),
            urls: self.shelf.urls,
            lag: self.lag,
            bytes_per_phone,
            records,
            recorded,
            held,
            farewells,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Start(Moment, u32),
    Timer(Moment, u32),
}

impl Lag {
    fn note(&mut self, late: Duration) {
        self.max = self.max.max(late);
    }
}

fn new_phone(plan: &Plan, planned: &PhonePlan) -> Phone {
    let mut flash = Flash::default();
    for (param, value) in plan.web_fields(planned) {
        flash.set_web(param, &value);
    }
    let phone = Phone::new(planned.identity, planned.profile, flash);
    let operator = plan
        .fleet(planned)
        .and_then(|fleet| fleet.operator.as_ref());
    match operator {
        Some(operator) => phone.with_operator(Arc::clone(operator)),
        None => phone,
    }
}
