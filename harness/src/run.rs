//! One run: a plan, a server (ours or the subject's), shards on an attachment, a report.

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
use bootstorm_reports::run::{Bodies, BodySum, Endpoint, PhoneResult, RunFacts, StepResult};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{Action, Step};
use bootstorm_scenarios::wire::record::Record;

use crate::attach::cwmp::CwmpPort;
use crate::attach::loopback::{
    self, CONNECTIONS_MAX, LINES_MAX, Losses, Setup, Sockets, TRANSFER_SOCKETS,
};
use crate::attach::memory::Simulation;
use crate::attach::sip::SipPort;
use crate::drive::tls::Trust;
use crate::fleet::progress::Progress;
use crate::fleet::shard::{Shard, ShardResult};
use crate::fleet::steps::{Meeting, StepCount};
use crate::fleet::transcript;
use crate::reference::adapter::Courier;
use crate::reference::{Counter, Counters, Reference};
use crate::subject::Subject;

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
    /// What the built-in server counts, for what the report says of downloads.
    pub counters: Option<Arc<Counters>>,
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
    let ports = Ports {
        sip: 5_060,
        pnp: 49_152,
        cwmp: 0,
    };
    let shard = shard(plan, 0, 1, ports, orders);
    let outcome = Simulation::new(shard, reference);
    let outcome = outcome.run(plan.scenario.deadline, &orders.stop);
    let elapsed = outcome.ended.since(Moment::ZERO);
    let stopped = orders.stop.load(Ordering::Relaxed);
    (outcome.shard.finish(stopped), elapsed)
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
    let (result, elapsed) = simulate_shard(plan, reference, orders);
    let mut facts = facts(plan, orders, "memory", elapsed);
    tell_downloads(&mut facts, plan, &counters);
    facts.shards = 1;
    let address = plan.server.to_string();
    facts.subject.insert(Endpoint {
        service: "reference, simulated".to_owned(),
        address,
    });
    close(plan, orders, facts, vec![result])
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
    boot_on_loopback(plan, subject, trust, orders, None)
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
    boot_on_loopback(plan, subject, trust, orders, Some(courier))
}

fn boot_on_loopback(
    plan: &Arc<Plan>,
    subject: &Subject,
    trust: &Arc<Trust>,
    orders: &Orders,
    courier: Option<&Courier>,
) -> Result<Ended, RunFault> {
    let count = orders.shards.clamp(1, SHARDS_MAX);
    let (sip, cwmp, mut setups) = setups(plan, subject, trust, orders, count)?;
    for setup in &mut setups {
        setup.courier = courier.cloned();
    }
    let began = setups
        .first()
        .map_or_else(Instant::now, |setup| setup.began);
    let mut threads = Vec::new();
    for (number, setup) in (0_u32..).zip(setups) {
        threads.push(drive(plan, orders, number, count, setup)?);
    }
    let mut results = Vec::new();
    let mut losses = Losses::default();
    for thread in threads {
        let died = |_| Err(io::Error::other("a shard's thread died"));
        let result = thread.join().unwrap_or_else(died);
        let (result, lost) = result.map_err(system("drive a shard"))?;
        losses.dropped += lost.dropped;
        losses.unreachable += lost.unreachable;
        results.push(result);
    }
    losses.dropped += sip.close() + cwmp.close();
    let mut facts = facts(plan, orders, "loopback", began.elapsed());
    tell_loopback(&mut facts, subject, losses, count);
    if let Some(counters) = &orders.counters {
        tell_downloads(&mut facts, plan, counters);
    }
    facts.notes.extend(trust.notes());
    close(plan, orders, facts, results)
}

/// What each shard needs; sockets first, so that a refusal is told before a phone starts.
fn setups(
    plan: &Plan,
    subject: &Subject,
    trust: &Arc<Trust>,
    orders: &Orders,
    count: u32,
) -> Result<(SipPort, CwmpPort, Vec<Setup>), RunFault> {
    let opened: io::Result<Vec<_>> = (0..count).map(|_| Sockets::open()).collect();
    let opened = opened.map_err(system("open the sockets of a shard"))?;
    let (sip, heard) = SipPort::open(0, opened.len()).map_err(system("open the SIP port"))?;
    let (cwmp, doors) =
        CwmpPort::open(0, opened.len()).map_err(system("open the port for connection requests"))?;
    let began = Instant::now();
    let meeting = Meeting::new(count, &plan.scenario.steps);
    let ends = heard.into_iter().zip(doors);
    let shards = opened.into_iter().zip(ends).zip(0_u32..);
    let setups = shards.map(|((sockets, (sip_end, door)), number)| Setup {
        sockets,
        subject: *subject,
        relay: Ipv4Addr::from(u32::from(RELAYS) + number),
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

/// Starts the thread of one shard.
fn drive(
    plan: &Arc<Plan>,
    orders: &Orders,
    number: u32,
    count: u32,
    setup: Setup,
) -> Result<JoinHandle<io::Result<(ShardResult, Losses)>>, RunFault> {
    let (plan, orders) = (Arc::clone(plan), orders.clone());
    let work = move || {
        let ports = Ports {
            sip: setup.sip.port()?,
            pnp: setup.sockets.pnp_port()?,
            cwmp: setup.door.port,
        };
        let shard = shard(&plan, number, count, ports, &orders);
        let (shard, losses) = loopback::run(shard, setup)?;
        let stopped = orders.stop.load(Ordering::Relaxed);
        Ok((shard.finish(stopped), losses))
    };
    let name = format!("shard-{number}");
    let thread = std::thread::Builder::new().name(name).spawn(work);
    thread.map_err(system("start a shard's thread"))
}

/// Adds to the facts what became of the downloads that the auto-configuration server ordered.
fn tell_downloads(facts: &mut RunFacts, plan: &Plan, counters: &Counters) {
    if !plan.has_acs() {
        return;
    }
    let [ordered, complete, fault] = [
        Counter::AcsDownload,
        Counter::AcsDownloadComplete,
        Counter::AcsDownloadFault,
    ]
    .map(|counter| counters.value(counter));
    facts.notes.insert(format!(
        "auto-configuration server: {complete} of {ordered} ordered downloads were reported \
         complete, {fault} with a fault"
    ));
}

/// Adds to the facts what only the loopback attachment knows.
fn tell_loopback(facts: &mut RunFacts, subject: &Subject, losses: Losses, count: u32) {
    facts.shards = count;
    facts.generator.dropped_datagrams = losses.dropped;
    if losses.unreachable > 0 {
        facts.notes.insert(format!(
            "{} requests were not sent: to a service that the subject does not have, or beyond the \
             loopback network",
            losses.unreachable
        ));
    }
    let endpoints = subject.endpoints();
    let built_in = endpoints.iter().filter(|(.., given)| !given);
    let built_in: Vec<_> = built_in.map(|(service, ..)| *service).collect();
    if built_in.len() < endpoints.len() {
        let services = built_in.join(", ");
        let note = format!("not the subject's but the built-in server's: {services}");
        facts.notes.insert(note);
    }
    for (service, address, given) in endpoints {
        let origin = if given { "" } else { " (built in)" };
        facts.subject.insert(Endpoint {
            service: format!("{service}{origin}"),
            address: address.to_string(),
        });
    }
    let shards = u64::from(count);
    facts.limits.insert(
        "shared UDP ports".to_owned(),
        shards * TRANSFER_SOCKETS as u64,
    );
    facts.limits.insert(
        "TCP connections at once".to_owned(),
        shards * CONNECTIONS_MAX as u64,
    );
    facts.limits.insert(
        "phones registered over TCP".to_owned(),
        shards * LINES_MAX as u64,
    );
}

/// The phones of shard `number` of `count`: every `count`-th of the plan, so that each shard has
/// its share of every fleet.
fn shard(plan: &Arc<Plan>, number: u32, count: u32, ports: Ports, orders: &Orders) -> Shard {
    let mut shelf = Shelf::new(plan.profiles.clone());
    shelf.time_scale = plan.scenario.time_scale;
    shelf.ports = ports;
    shelf.hosts = plan.hosts().into_iter().collect();
    let only = orders.only;
    let mine = (number..plan.phones()).step_by(count as usize);
    let mine = mine.filter(move |index| only.is_none_or(|only| only == *index));
    let progress = Arc::clone(&orders.progress);
    let mut shard = Shard::new(Arc::clone(plan), shelf, mine, progress, orders.transcript);
    if orders.record_bytes > 0 {
        shard.record(orders.record_bytes);
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
        notes: notes.collect(),
        repeat: orders.repeat.clone(),
        ..RunFacts::default()
    }
}

fn add_steps(all: &mut Vec<StepCount>, more: &[StepCount]) {
    all.resize(all.len().max(more.len()), StepCount::default());
    for (held, more) in all.iter_mut().zip(more) {
        *held = held.and(*more);
    }
}

/// What the scenario's steps came to, for the report.
fn told_steps(plan: &Plan, counts: &[StepCount]) -> Vec<StepResult> {
    let steps = plan.scenario.steps.iter().enumerate();
    let told = steps.map(|(place, step)| {
        let what = step_name(step);
        let Some(count) = counts.get(place) else {
            return StepResult {
                what,
                not_taken: true,
                ..StepResult::default()
            };
        };
        StepResult {
            what,
            planned: count.planned,
            unreachable: count.unreachable,
            registered: count.registered,
            accepted: count.answers.accepted,
            refused: count.answers.refused,
            silent: count.answers.silent,
            resynced: count.effect.resynced,
            not_taken: false,
            ignored: count.effect.ignored,
        }
    });
    told.collect()
}

fn step_name(step: &Step) -> String {
    let mut what = match step.action {
        Action::CheckSync { reboot: None } => "check-sync".to_owned(),
        Action::CheckSync {
            reboot: Some(reboot),
        } => format!("check-sync;reboot={reboot}"),
        Action::ConnectionRequest => "connection request".to_owned(),
        Action::PnpNotify => "PnP NOTIFY".to_owned(),
    };
    if let Some(fleet) = &step.fleet {
        what.push_str(&format!(" to {fleet}"));
    }
    what
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
) -> Result<Ended, RunFault> {
    let mut ladder = Ladder::default();
    let mut phones: Vec<PhoneResult> = Vec::new();
    let mut transcript = Vec::new();
    let mut bytes_per_phone = 0;
    let mut own_faults = 0;
    let mut steps: Vec<StepCount> = Vec::new();
    let mut records = Vec::new();
    for mut result in results {
        add_steps(&mut steps, &result.steps);
        ladder.merge(result.ladder);
        bytes_per_phone = bytes_per_phone.max(result.bytes_per_phone);
        own_faults += result.own_faults;
        facts.registered += result.registered;
        facts.bodies.add(&bodies(result.bodies));
        facts.generator.late_starts += result.lag.late_starts;
        facts.generator.lag_max = facts.generator.lag_max.max(result.lag.max);
        phones.append(&mut result.phones);
        records.append(&mut result.records);
        for logged in &result.log {
            if let Some(phone) = plan.phone(logged.phone) {
                transcript::write(&mut transcript, plan, &phone, &result.urls, &logged.event);
            }
        }
    }
    facts.steps = told_steps(plan, &steps);
    facts.stopped = orders.stop.load(Ordering::Relaxed);
    if own_faults > 0 {
        let reason = "no descriptors or addresses left on this side";
        facts.generator.saturated.insert(reason.to_owned());
    }
    if facts.generator.lag_max > LAG_MAX {
        let lag = facts.generator.lag_max.as_millis();
        facts
            .generator
            .saturated
            .insert(format!("phones were served {lag} ms late"));
    }
    let mut redactor = Redactor::new(plan.scenario.seed);
    if orders.keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let report = Report::new(facts, ladder, phones, &redactor)?;
    Ok(Ended {
        report,
        transcript,
        bytes_per_phone,
        records,
    })
}
