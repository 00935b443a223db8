//! One run: a plan, a server (ours or the subject's), shards on an attachment, a report.

mod afield;
mod exemplar;
mod judged;
mod told;
mod void;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bootstorm_emulator::bodies::Tally;
use bootstorm_emulator::shelf::{Ports, Shelf};
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::{Report, ReportFault};
use bootstorm_reports::run::{Bodies, BodySum, Endpoint, GeneratorHealth, PhoneResult, RunFacts};
use bootstorm_scenarios::judge::State;
use bootstorm_scenarios::link::Told;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::wire::record::Record;

use crate::attach::cwmp::CwmpPort;
use crate::attach::ground::Ground;
use crate::attach::loopback::{self, Losses, Setup, Sockets};
use crate::attach::memory::Simulation;
use crate::attach::sip::SipPort;
use crate::certify::probe::{self, Finding};
use crate::drive::tls::Trust;
use crate::fleet::figures::Sums;
use crate::fleet::hooks::{Hooks, Runner};
use crate::fleet::progress::Progress;
use crate::fleet::recorder::{Recorded, Rules};
use crate::fleet::shard::{Shard, ShardResult};
use crate::fleet::steps::{Meeting, StepCount};
use crate::fleet::transcript;
use crate::fleet::watch::{Watch, Watcher};
use crate::fleet::wrong::Wrong;
use crate::reference::adapter::Courier;
use crate::reference::{Counters, Reference};
use crate::subject::Subject;

pub use afield::afield;
pub use void::absent;

use afield::Field;
use told::{tell_downloads, tell_endpoints, tell_losses};

/// Lag beyond which a verdict about load would judge the generator instead of the subject.
const LAG_MAX: Duration = Duration::from_millis(500);
/// Shards of one run: each has a relay address of its own.
const SHARDS_MAX: u32 = 250;
/// The first of the relay addresses, one for each shard.
const RELAYS: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// How a run is to be carried out.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Threads that drive phones; 0 counts as 1.
    pub shards: u32,
    /// Only this phone of the plan.
    pub only: Option<u32>,
    /// Keep the log of events.
    pub transcript: bool,
    /// Record what each phone sends and receives, so many bytes of payload at most; 0 = nothing.
    pub record_bytes: usize,
    /// What is recorded of a packet and whose record is kept; everything unless told otherwise.
    pub record_rules: Rules,
    /// Who stands in for the phones; `None` = they boot.
    pub probes: Option<probe::Orders>,
    /// A load is measured: links whose delays are not kept make the run void.
    pub exact: bool,
    /// Show secrets in reports.
    pub keep_secrets: bool,
    /// Raised by whoever wants the run to end.
    pub stop: Arc<AtomicBool>,
    /// Raised by the run as it goes.
    pub progress: Arc<Progress>,
    /// The command that repeats one phone, `{phone}` standing for its index.
    pub repeat: String,
    /// When the run began, seconds since 1970.
    pub started_at: u64,
    /// Steps with a command are left to that: the server is not the built-in one.
    pub by_command: bool,
    /// What the built-in server counts, for what the report says of downloads.
    pub counters: Option<Arc<Counters>>,
    /// What the phones do wrong on purpose.
    pub wrong: Arc<Wrong>,
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Ended {
    /// The report.
    pub report: Report,
    /// The log of events, one line each, ordered by shard; empty unless asked for.
    pub transcript: Vec<u8>,
    /// Bytes that a phone held for itself at the end, on average.
    pub bytes_per_phone: usize,
    /// What phones sent and received, by index; empty unless asked for. Secrets included.
    pub records: Vec<(u32, Record)>,
    /// How complete the records are.
    pub recorded: Recorded,
    /// What those found that stood in for phones, by the phone's index.
    pub findings: Vec<(u32, Vec<Finding>)>,
    /// What recorded phones can show at the end, by index; their events where the log of events was
    /// asked for. Secrets included.
    pub states: Vec<(u32, State)>,
    /// Datagrams that came to the DHCP port and named no phone of the run.
    pub strays: u64,
}

/// Why a run could not be carried out; never the subject's fault.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The operating system refused something.
    #[error("failed to {what}: {fault}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        fault: io::Error,
    },
    /// The phones could not be attached to an interface.
    #[error("{0}")]
    Attach(String),
    /// The books do not add up: a defect of ours.
    #[error("the run's results contradict each other: {0}")]
    Books(#[from] ReportFault),
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> RunFault {
    move |fault| RunFault::System { what, fault }
}

/// Simulates a run and hands over the shard's own result, shelf and log included.
#[must_use]
pub fn simulate_shard(
    plan: &Arc<Plan>,
    reference: Reference,
    orders: &Orders,
) -> (ShardResult, Duration) {
    let (result, elapsed, _) = simulated(plan, reference, orders, None);
    (result, elapsed)
}

fn simulated(
    plan: &Arc<Plan>,
    reference: Reference,
    orders: &Orders,
    watch: Option<&Arc<Watch>>,
) -> (ShardResult, Duration, Told) {
    let ports = Ports {
        sip: 5_060,
        pnp: 49_152,
        cwmp: 0,
    };
    plan.begin();
    let mut shard = shard(plan, 0, 1, ports, orders);
    shard.watch(watch.map(|watch| Watcher::new(Arc::clone(watch), 0)));
    let outcome = Simulation::new(shard, reference);
    let outcome = outcome.run(plan.scenario.deadline, &orders.stop);
    let elapsed = outcome.ended.since(Moment::ZERO);
    let stopped = orders.stop.load(Ordering::Relaxed);
    (outcome.shard.finish(stopped), elapsed, outcome.links)
}

/// Simulates a run: one thread, virtual time, the reference server called as a value.
///
/// # Errors
/// `RunFault::Books`.
pub fn simulate(
    plan: &Arc<Plan>,
    reference: Reference,
    orders: &Orders,
) -> Result<Ended, RunFault> {
    let counters = Arc::clone(reference.counters());
    let watch = Watch::new(&plan.scenario.expected, 1);
    let (result, elapsed, links) = simulated(plan, reference, orders, watch.as_ref());
    let mut facts = facts(plan, orders, "memory", elapsed);
    facts.notes.extend(links.sentence());
    tell_downloads(&mut facts, plan, &counters);
    facts.shards = 1;
    let address = plan.server.to_string();
    facts.subject.insert(Endpoint {
        service: "reference, simulated".to_owned(),
        address,
    });
    close(plan, orders, facts, vec![result], watch.as_deref())
}

/// Boots the plan's phones on the loopback network against a subject. Steps of the scenario count
/// as unanswered: `loopback_with_steps` carries them out.
///
/// # Errors
/// `RunFault`.
pub fn loopback(
    plan: &Arc<Plan>,
    subject: &Subject,
    trust: &Arc<Trust>,
    orders: &Orders,
) -> Result<Ended, RunFault> {
    boot(plan, (subject, trust), orders, None, Field::Loopback)
}

/// Boots the plan's phones on the loopback network against a subject, whose SIP server, ours,
/// takes the orders of the scenario's steps by `courier`.
///
/// # Errors
/// `RunFault`.
pub fn loopback_with_steps(
    plan: &Arc<Plan>,
    subject: &Subject,
    trust: &Arc<Trust>,
    orders: &Orders,
    courier: &Courier,
) -> Result<Ended, RunFault> {
    boot(
        plan,
        (subject, trust),
        orders,
        Some(courier),
        Field::Loopback,
    )
}

/// Boots phones on a real attachment.
fn boot(
    plan: &Arc<Plan>,
    (subject, trust): (&Subject, &Arc<Trust>),
    orders: &Orders,
    courier: Option<&Courier>,
    mut field: Field,
) -> Result<Ended, RunFault> {
    let count = shards(orders);
    let (sip, cwmp, mut setups) = setups(plan, (subject, trust), orders, &mut field)?;
    for setup in &mut setups {
        setup.courier = courier.cloned();
    }
    let began = setups
        .first()
        .map_or_else(Instant::now, |setup| setup.began);
    let mut threads = Vec::new();
    plan.begin();
    let runner = Arc::<Runner>::default();
    let watch = Watch::new(&plan.scenario.expected, count);
    for (number, setup) in (0_u32..).zip(setups) {
        let hooks = match (orders.by_command, number) {
            (false, _) => Hooks::BuiltIn,
            (true, 0) => Hooks::Here(Arc::clone(&runner)),
            (true, _) => Hooks::Elsewhere,
        };
        let share = Share {
            number,
            of: count,
            watch: watch.clone(),
            hooks,
        };
        threads.push(drive(plan, orders, share, setup)?);
    }
    let (mut results, mut losses) = joined(threads)?;
    losses.dropped += sip.close() + cwmp.close();
    let mut facts = facts(plan, orders, field.word(), began.elapsed());
    let farewells = results.iter_mut().flat_map(|it| it.farewells.drain(..));
    let farewells: Vec<_> = farewells.collect();
    tell_losses(&mut facts, subject, losses, count);
    match field.is_afield() {
        true => afield::tell(&mut facts, plan, subject),
        false => tell_endpoints(&mut facts, subject),
    }
    let told = field.close(&farewells);
    facts.generator.dropped_datagrams += told.dropped;
    facts.generator.saturated.extend(told.voids);
    facts.notes.extend(told.notes);
    if let Some(counters) = &orders.counters {
        tell_downloads(&mut facts, plan, counters);
    }
    facts.notes.extend(trust.notes());
    facts.notes.extend(losses.links.sentence());
    if orders.exact {
        facts
            .generator
            .saturated
            .extend(void::inexact(plan, losses.late));
    }
    facts.notes.extend(runner.faults());
    let ended = close(plan, orders, facts, results, watch.as_deref())?;
    Ok(Ended {
        strays: losses.strays,
        ..ended
    })
}

/// How many threads drive phones.
fn shards(orders: &Orders) -> u32 {
    orders.shards.clamp(1, SHARDS_MAX)
}

/// Waits for the shards.
fn joined(
    threads: Vec<JoinHandle<io::Result<(ShardResult, Losses)>>>,
) -> Result<(Vec<ShardResult>, Losses), RunFault> {
    let mut results = Vec::new();
    let mut losses = Losses::default();
    for thread in threads {
        let died = |_| Err(io::Error::other("a shard's thread died"));
        let result = thread.join().unwrap_or_else(died);
        let (result, lost) = result.map_err(system("drive a shard"))?;
        losses.dropped += lost.dropped;
        losses.unreachable += lost.unreachable;
        losses.strays += lost.strays;
        losses.links = losses.links.and(lost.links);
        losses.late = losses.late.and(lost.late);
        results.push(result);
    }
    Ok((results, losses))
}

/// What each shard needs; sockets first, so that a refusal is told before a phone starts.
fn setups(
    plan: &Plan,
    (subject, trust): (&Subject, &Arc<Trust>),
    orders: &Orders,
    field: &mut Field,
) -> Result<(SipPort, CwmpPort, Vec<Setup>), RunFault> {
    let count = shards(orders);
    let device = field.device();
    let opened: io::Result<Vec<_>> = (0..count).map(|_| Sockets::open(device)).collect();
    let opened = opened.map_err(system("open the sockets of a shard"))?;
    let sip = SipPort::open(field.sip_port(), opened.len(), device);
    let (sip, heard) = sip.map_err(system("open the SIP port"))?;
    let (cwmp, doors) =
        CwmpPort::open(0, opened.len()).map_err(system("open the port for connection requests"))?;
    let began = Instant::now();
    let meeting = Meeting::new(count, &plan.scenario.steps);
    let ends = heard.into_iter().zip(doors);
    let shards = opened.into_iter().zip(ends).zip(field.shares(count));
    let setups = shards.map(|((sockets, (sip_end, door)), (ground, leases))| Setup {
        sockets,
        subject: *subject,
        ground,
        leases,
        began,
        deadline: plan.scenario.deadline,
        stop: Arc::clone(&orders.stop),
        trust: Arc::clone(trust),
        sip: sip_end,
        door,
        courier: None,
        meeting: Arc::clone(&meeting),
    });
    Ok((sip, cwmp, setups.collect()))
}

/// Which part of a run a shard is.
struct Share {
    number: u32,
    of: u32,
    watch: Option<Arc<Watch>>,
    hooks: Hooks,
}

/// Starts the thread of one shard.
fn drive(
    plan: &Arc<Plan>,
    orders: &Orders,
    share: Share,
    setup: Setup,
) -> Result<JoinHandle<io::Result<(ShardResult, Losses)>>, RunFault> {
    let (plan, orders) = (Arc::clone(plan), orders.clone());
    let name = format!("shard-{}", share.number);
    let work = move || {
        let ports = Ports {
            sip: setup.sip.port()?,
            pnp: setup.sockets.pnp_port()?,
            cwmp: setup.door.port,
        };
        let mut shard = shard(&plan, share.number, share.of, ports, &orders);
        shard.hook(share.hooks);
        if !matches!(setup.ground, Ground::Loopback(_)) {
            shard.give_back_leases();
        }
        shard.watch(share.watch.map(|watch| Watcher::new(watch, share.number)));
        let (shard, losses) = loopback::run(shard, setup)?;
        let stopped = orders.stop.load(Ordering::Relaxed);
        Ok((shard.finish(stopped), losses))
    };
    let thread = std::thread::Builder::new().name(name).spawn(work);
    thread.map_err(system("start a shard's thread"))
}

/// The phones of shard `number` of `count`: every `count`-th of the plan, so that each shard has
/// its share of every fleet.
fn shard(plan: &Arc<Plan>, number: u32, count: u32, ports: Ports, orders: &Orders) -> Shard {
    let mut shelf = Shelf::new(orders.wrong.profiles(plan));
    shelf.time_scale = plan.scenario.time_scale;
    shelf.ports = ports;
    shelf.hosts = plan.hosts().into_iter().collect();
    let only = orders.only;
    let mine = (number..plan.phones()).step_by(count as usize);
    let mine = mine.filter(move |index| only.is_none_or(|only| only == *index));
    let progress = Arc::clone(&orders.progress);
    let mut shard = Shard::new(Arc::clone(plan), shelf, mine, progress, orders.transcript);
    if orders.record_bytes > 0 {
        let mut rules = orders.record_rules;
        rules.total_bytes /= count as usize;
        shard.record(orders.record_bytes, rules);
    }
    shard.go_wrong(orders.wrong.mutants());
    if let Some(probes) = &orders.probes {
        shard.stand_in(probes.clone());
    }
    shard
}

fn facts(plan: &Plan, orders: &Orders, attachment: &str, elapsed: Duration) -> RunFacts {
    let unverified = plan
        .profiles
        .iter()
        .filter(|profile| !profile.http.verify_certificate);
    let notes = unverified
        .map(|profile| format!("{} does not verify the server's certificate", profile.name));
    let wrong = orders.wrong.mutants().iter();
    let wrong = wrong.map(|it| format!("phones wrong on purpose: {} ({})", it.name, it.what));
    RunFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: plan.scenario.name.clone(),
        seed: plan.scenario.seed,
        attachment: attachment.to_owned(),
        time_scale: plan.scenario.time_scale,
        planned: if orders.only.is_some() {
            1
        } else {
            plan.phones()
        },
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        started_at: orders.started_at,
        elapsed,
        deadline: plan.scenario.deadline,
        notes: notes.chain(plan.link_notes()).chain(wrong).collect(),
        repeat: orders.repeat.clone(),
        ..RunFacts::default()
    }
}

/// What a shard fetched, for the report.
fn bodies(tally: Tally) -> Bodies {
    let [fetched, held, hashed] = [tally.fetched, tally.held, tally.hashed].map(|sum| BodySum {
        count: sum.count,
        bytes: sum.bytes,
    });
    Bodies {
        fetched,
        held,
        hashed,
    }
}

fn close(
    plan: &Plan,
    orders: &Orders,
    mut facts: RunFacts,
    results: Vec<ShardResult>,
    watch: Option<&Watch>,
) -> Result<Ended, RunFault> {
    let mut sums = Sums::default();
    let mut ladder = Ladder::default();
    let mut phones: Vec<PhoneResult> = Vec::new();
    let mut transcript = Vec::new();
    let mut bytes_per_phone = 0;
    let mut own_faults = 0;
    let mut steps: Vec<StepCount> = Vec::new();
    let (mut records, mut states, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    let mut recorded = Recorded::default();
    for mut result in results {
        states.append(&mut shown_states(plan, &mut result));
        judged::add_steps(&mut steps, &result.steps);
        ladder.merge(result.ladder);
        facts.timeline.merge(result.timeline);
        bytes_per_phone = bytes_per_phone.max(result.bytes_per_phone);
        own_faults += result.own_faults;
        sums.abandoned += result.abandoned;
        sums.rounds.0 += result.rounds.0;
        sums.rounds.1 += result.rounds.1;
        facts.registered += result.registered;
        facts.bodies.add(&bodies(result.bodies));
        facts.generator.late_starts += result.lag.late_starts;
        facts.generator.lag_max = facts.generator.lag_max.max(result.lag.max);
        phones.append(&mut result.phones);
        records.append(&mut result.records);
        recorded = recorded.and(result.recorded);
        findings.append(&mut result.findings);
        for logged in &result.log {
            if let Some(phone) = plan.phone(logged.phone) {
                transcript::write(&mut transcript, plan, &phone, &result.urls, &logged.event);
            }
        }
    }
    sums.ladder = ladder;
    judged::judge(plan, &mut facts, &mut sums, &phones, (&steps, watch));
    let ladder = sums.ladder;
    facts.notes.extend(recorded.sentence());
    facts.stopped = orders.stop.load(Ordering::Relaxed);
    note_saturation(&mut facts.generator, own_faults);
    let mut redactor = Redactor::new(plan.scenario.seed);
    if orders.keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let report = Report::new(facts, ladder, phones, &redactor)?;
    let report = exemplar::shown(report, plan, &mut records, &redactor);
    Ok(Ended {
        report,
        transcript,
        bytes_per_phone,
        records,
        recorded,
        findings,
        states,
        strays: 0,
    })
}

/// Where this side, and not the subject, was what held the phones up.
fn note_saturation(generator: &mut GeneratorHealth, own_faults: u64) {
    if own_faults > 0 {
        let reason = "no descriptors or addresses left on this side";
        generator.saturated.insert(reason.to_owned());
    }
    if generator.lag_max > LAG_MAX {
        let lag = generator.lag_max.as_millis();
        let reason = format!("phones were served {lag} ms late");
        generator.saturated.insert(reason);
    }
}

/// What a shard's recorded phones can show, for judging.
fn shown_states(plan: &Plan, result: &mut ShardResult) -> Vec<(u32, State)> {
    let mut states = BTreeMap::new();
    for (phone, held) in result.phones.iter().zip(result.held.drain(..)) {
        let state = State {
            outcome: phone.outcome.word().to_owned(),
            settings: held.settings,
            events: Vec::new(),
            firmware: held.firmware,
        };
        states.insert(phone.index, state);
    }
    for logged in &result.log {
        let state = states.get_mut(&logged.phone);
        if let Some((state, phone)) = state.zip(plan.phone(logged.phone)) {
            let line = transcript::tell(plan, &phone, &result.urls, &logged.event.kind);
            state.events.push(line);
        }
    }
    states.into_iter().collect()
}
