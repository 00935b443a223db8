//! The phones of one shard with their timers: everything about driving phones that does not depend
//! on how packets travel.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::bodies::Tally;
use bootstorm_emulator::flash::Flash;
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::names::Names;
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::phone::io::{
    Channel, Connection, Effect, FtpMode, Input, Outputs, Request,
};
use bootstorm_emulator::shelf::Shelf;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::run::PhoneResult;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::wire::record::Record;
use bootstorm_scenarios::wire::{Part, Way};
use rustc_hash::FxHashMap;

use super::ledger::{Ledger, Logged, Subject};
use super::progress::Progress;
use super::recorder::{At, Recorder};
use super::steps::{Chosen, Glance, Meeting, StepCount, Stepper};
use crate::reference::notify::{Batch, Target};

/// How packets leave a shard: what an attachment implements.
pub trait Network {
    /// Sends one UDP payload. Never blocks: what cannot leave is dropped and counted.
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]);
    /// Opens a TCP connection, with TLS where it is asked for.
    fn open(&mut self, now: Moment, opening: Opening<'_>);
    /// Writes on an open connection.
    fn write(&mut self, now: Moment, end: End, bytes: &[u8]);
    /// Retrieves a file by FTP; told to the phone as of a connection.
    fn retrieve(&mut self, now: Moment, fetch: Fetch<'_>);
    /// Closes a connection.
    fn close(&mut self, now: Moment, end: End);
    /// Answers a request that was handed to a phone as `Input::Request`.
    fn reply(&mut self, now: Moment, request: Request, bytes: &[u8]);
}

/// Who sends a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The phone's slot in the shard.
    pub slot: u32,
    /// Its endpoint.
    pub channel: Channel,
    /// Its address; unspecified before it has a lease.
    pub address: Ipv4Addr,
}

/// A phone's end of a TCP connection. It outlives the address that it was opened from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// The phone's slot in the shard.
    pub slot: u32,
    /// The phone's name for it.
    pub connection: Connection,
}

/// A connection to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The phone's end.
    pub end: End,
    /// The phone's address.
    pub from: Ipv4Addr,
    /// Where to, as the phone means it.
    pub to: SocketAddrV4,
    /// With TLS: how.
    pub tls: Option<Tls<'a>>,
}

/// A file to be retrieved by FTP.
#[derive(Clone, Copy)]
pub struct Fetch<'a> {
    /// The phone's end.
    pub end: End,
    /// The phone's address.
    pub from: Ipv4Addr,
    /// The server, as the phone means it.
    pub to: SocketAddrV4,
    /// Who opens the data connection.
    pub mode: FtpMode,
    /// User name.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// What RETR names.
    pub path: &'a str,
}

/// How a phone wants TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls<'a> {
    /// The server's name.
    pub name: &'a str,
    /// Whether the phone looks at the server's certificate.
    pub verify: bool,
    /// The common name of the phone's factory certificate, where it has one.
    pub certificate: Option<&'a str>,
}

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
    recorder: Option<Box<Recorder>>,
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
    /// What the shard fetched, and how little of it was held and hashed.
    pub bodies: Tally,
    /// Bytes that settled phones hold for themselves, on average; 0 without phones.
    pub bytes_per_phone: usize,
    /// What its phones sent and received, by the phone's index; empty unless asked for.
    pub records: Vec<(u32, Record)>,
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
        Self {
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
        }
    }

    /// Records from now on what the phones send and receive, `bytes_max` bytes for each at most.
    pub fn record(&mut self, bytes_max: usize) {
        let recorder = Recorder::new(self.phones.len(), bytes_max, self.shelf.ports);
        self.recorder = Some(Box::new(recorder));
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
        [start, timer, step].into_iter().flatten().min()
    }

    /// Takes the scenario's steps together with the other shards of the run.
    pub fn join(&mut self, meeting: Arc<Meeting>) {
        self.steps.join(meeting);
    }

    /// The step that is due, as an order for whoever sends check-sync; none most of the time.
    pub fn due_step(&mut self, now: Moment) -> Option<Arc<Batch>> {
        let glance = Glance {
            at_rest: self.ledger.all_settled(),
            effect: self.ledger.effect(),
        };
        let step = self.steps.due(now, glance)?;
        self.ledger.step_taken();
        let fleet = step.fleet.as_deref();
        let of_fleet = |phone: &PhonePlan| {
            let own = self.plan.fleet(phone);
            fleet.is_none_or(|name| own.is_some_and(|own| own.name == name))
        };
        let mut chosen = Chosen::default();
        let phones = self.planned.iter().zip(&self.phones).zip(&self.addresses);
        for ((planned, phone), address) in phones.filter(|((planned, _), _)| of_fleet(planned)) {
            chosen.planned += 1;
            if address.is_unspecified() {
                continue;
            }
            chosen.registered += u32::from(phone.registered() > 0);
            chosen.targets.push(Target {
                to: SocketAddrV4::new(*address, self.shelf.ports.sip),
                user: planned.identity.mac.to_string(),
                account: phone.address_of_record(&self.shelf),
            });
        }
        Some(self.steps.taken(&step, chosen))
    }

    /// Switches on and ticks the phones that are due, at most `most` of them.
    pub fn tick(&mut self, now: Moment, most: usize, network: &mut impl Network) {
        for _ in 0..most {
            let Some(slot) = self.next_due(now) else {
                return;
            };
            match slot {
                Due::Start(at, slot) => {
                    self.lag.note(now.since(at));
                    self.lag.late_starts += u64::from(now.since(at) > LATE);
                    self.ledger.started(slot as usize);
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
                    match self.phones[place].deadline() {
                        Some(due) if due <= now => return Some(Due::Timer(due, slot)),
                        Some(due) => self.arm(slot, due),
                        None => {}
                    }
                }
                (_, None) => return None,
            }
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

    /// Hands one input to a phone and performs what it asks for.
    pub fn step(&mut self, now: Moment, slot: u32, input: Input<'_>, network: &mut impl Network) {
        let place = slot as usize;
        let Some(phone) = self.phones.get_mut(place) else {
            return;
        };
        self.out.clear();
        if let Some(recorder) = &mut self.recorder {
            let address = self.addresses[place];
            recorder.input(At { now, slot, address }, &input);
        }
        phone.step(now, input, &mut self.shelf, &mut self.out);
        let phone = &self.phones[place];
        if !self.out.events.is_empty() {
            let subject = Subject {
                slot: place,
                planned: &self.planned[place],
                phone,
            };
            self.ledger
                .record(&self.plan, subject, &mut self.shelf, &self.out.events);
        }
        let deadline = phone.deadline();
        self.perform(now, slot, network);
        if let Some(at) = deadline {
            self.arm(slot, at);
        }
    }

    fn perform(&mut self, now: Moment, slot: u32, network: &mut impl Network) {
        let place = slot as usize;
        let mut address = self.addresses[place];
        let end = |connection: &Connection| End {
            slot,
            connection: *connection,
        };
        let effects = std::mem::take(&mut self.out.effects);
        for effect in &effects {
            self.note(At { now, slot, address }, effect);
            match effect {
                Effect::Send { channel, to, bytes } => {
                    let from = Sender {
                        slot,
                        channel: *channel,
                        address,
                    };
                    network.send(now, from, *to, self.out.slice(bytes));
                }
                Effect::Open {
                    connection,
                    to,
                    tls,
                } => {
                    let end = end(connection);
                    let planned = &self.planned[place];
                    let name = tls.as_ref().map(|name| self.out.slice(name));
                    let certificate = name.and_then(|_| self.plan.certificate_name(planned));
                    let tls = name.and_then(|name| self.tls(planned, name, certificate.as_deref()));
                    network.open(
                        now,
                        Opening {
                            end,
                            from: address,
                            to: *to,
                            tls,
                        },
                    );
                }
                Effect::Write { connection, bytes } => {
                    let end = end(connection);
                    network.write(now, end, self.out.slice(bytes));
                }
                Effect::Close(connection) => {
                    network.close(now, end(connection));
                }
                Effect::Retrieve { .. } => {
                    let fetch = self.fetch(slot, address, effect);
                    fetch.into_iter().for_each(|it| network.retrieve(now, it));
                }
                Effect::Reply { request, bytes } => {
                    network.reply(now, *request, self.out.slice(bytes));
                }
                Effect::Address(given) => {
                    if self.by_address.get(&address) == Some(&slot) {
                        self.by_address.remove(&address);
                    }
                    address = given.unwrap_or(Ipv4Addr::UNSPECIFIED);
                    self.addresses[place] = address;
                    if given.is_some() {
                        self.by_address.insert(address, slot);
                    }
                }
            }
        }
        self.out.effects = effects;
    }

    /// Records what a phone sends.
    fn note(&mut self, at: At, effect: &Effect) {
        let Some(mut recorder) = self.recorder.take() else {
            return;
        };
        let slice = |range| self.out.slice(range);
        match effect {
            Effect::Send { channel, to, bytes } => {
                recorder.datagram(at, Way::Sent, *channel, *to, slice(bytes));
            }
            Effect::Open {
                connection,
                to,
                tls,
            } => recorder.opening(at, *connection, *to, tls.is_some()),
            Effect::Write { connection, bytes } => {
                recorder.data(at, *connection, Way::Sent, slice(bytes));
            }
            Effect::Close(connection) => {
                recorder.part(at, *connection, Way::Sent, Part::Closed);
            }
            Effect::Retrieve { .. } => {
                let fetch = self.fetch(at.slot, at.address, effect);
                fetch.iter().for_each(|fetch| recorder.retrieve(at, fetch));
            }
            Effect::Reply { .. } | Effect::Address(_) => {}
        }
        self.recorder = Some(recorder);
    }

    /// The file that a phone wants retrieved.
    fn fetch(&self, slot: u32, from: Ipv4Addr, effect: &Effect) -> Option<Fetch<'_>> {
        let Effect::Retrieve {
            connection,
            to,
            mode,
            user,
            password,
            path,
        } = effect
        else {
            return None;
        };
        let text = |range| str::from_utf8(self.out.slice(range)).ok();
        Some(Fetch {
            end: End {
                slot,
                connection: *connection,
            },
            from,
            to: *to,
            mode: *mode,
            user: text(user)?,
            password: text(password)?,
            path: text(path)?,
        })
    }

    /// How a phone does TLS with a server of this name.
    fn tls<'a>(
        &self,
        planned: &PhonePlan,
        name: &'a [u8],
        certificate: Option<&'a str>,
    ) -> Option<Tls<'a>> {
        let profile = self.shelf.profiles.get(usize::from(planned.profile));
        Some(Tls {
            name: std::str::from_utf8(name).ok()?,
            verify: profile.is_none_or(|profile| profile.http.verify_certificate),
            certificate,
        })
    }

    /// True when every phone has been switched on and is at rest, and every step was taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.steps.is_over() && self.ledger.all_settled()
    }

    /// Closes the books. `stopped` says that the run was ended by its user.
    #[must_use]
    pub fn finish(mut self, stopped: bool) -> ShardResult {
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
                    .result(&self.plan, subject, &mut self.shelf, stopped),
            );
        }
        let bytes_per_phone = held.checked_div(phones.len()).unwrap_or(0);
        let records = self.recorder.map_or_else(Vec::new, |it| it.into_records());
        let indices = self.planned.iter().map(|phone| phone.identity.index);
        ShardResult {
            steps: self.steps.finish(self.ledger.effect()),
            phones,
            registered,
            ladder: self.ledger.ladder(),
            own_faults: self.ledger.own_faults(),
            log: self.ledger.take_log(),
            bodies: self.shelf.bodies.tally(),
            urls: self.shelf.urls,
            lag: self.lag,
            bytes_per_phone,
            records: indices.zip(records).collect(),
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
