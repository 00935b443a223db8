//! One run from what the command line asks for to its report: the plan, what it is given, the boot,
//! and where the results go. `run` does it once, a search often.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::mutant::Mutant;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{Attach, Scenario};

use super::subject::Endpoint;
use super::{Attachment, Exit, RunArguments, Shared, TftpServer, Trouble, load, print};
use super::{afield, deliver};
use crate::built_in::{BuiltIn, with_elsewhere};
use crate::drive::tls::{self, Trust};
use crate::fleet::progress::Progress;
use crate::fleet::recorder::Rules;
use crate::preamble;
use crate::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use crate::reference::Reference;
use crate::reference::certificate::Authority;
use crate::reference::content::Source;
use crate::reference::independent::Independent;
use crate::run::{self, Ended, Orders};

/// What the first Ctrl-C is answered.
pub(super) const ENDING: &str = "ending the run (Ctrl-C again ends at once, without a report)";

/// Tells before the run what would be found only after it.
pub(super) fn results_are_writable(arguments: &RunArguments, phones: u32) -> Result<(), Trouble> {
    deliver::probe(&arguments.out, phones)?;
    if let Some(file) = arguments.events.as_ref().filter(|file| !is_stdout(file)) {
        let opened = fs::OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|fault| unwritten(file, &fault))?;
    }
    Ok(())
}

/// Carries out one run.
pub(super) fn boot(
    arguments: &RunArguments,
    given: Given,
    plan: &Arc<Plan>,
    orders: &Orders,
) -> Result<Ended, Trouble> {
    match arguments.attachment() {
        Attachment::Memory => simulate(given, plan, orders),
        Attachment::Loopback => on_loopback(arguments, given, plan, orders),
        Attachment::Lan | Attachment::Relay => afield::boot(arguments, given, plan, orders),
    }
}

/// The scenario as the command line changes it.
pub(super) fn scenario(shared: &Shared, arguments: &RunArguments) -> Result<Scenario, Trouble> {
    let mut scenario = load::scenario(shared, &arguments.scenario)?;
    if let Some(scale) = arguments.time_scale {
        if !(0.0..=1_000.0).contains(&scale) {
            return Err(Trouble::usage("--time-scale takes a number from 0 to 1000"));
        }
        scenario.time_scale = scale;
    }
    if let Some(seconds) = arguments.deadline {
        let deadline = Duration::try_from_secs_f64(seconds);
        scenario.deadline =
            deadline.map_err(|_| Trouble::usage("--deadline takes seconds, 0 or more"))?;
    }
    if let Some(phones) = arguments.phones {
        scenario.resize(phones);
    }
    Ok(scenario)
}

/// The plan of a scenario, whose phones must all be switched on before the end.
pub(super) fn plan(
    arguments: &RunArguments,
    scenario: Scenario,
    profiles: &ProfileSet,
) -> Result<Arc<Plan>, Trouble> {
    let server = match arguments.attachment() {
        Attachment::Memory => SIMULATED_SERVER,
        Attachment::Loopback => Ipv4Addr::LOCALHOST,
        Attachment::Lan | Attachment::Relay => arguments.server_afield()?,
    };
    let plan = load::plan(scenario, profiles, server)?;
    let only = arguments.phone.and_then(|index| plan.phone(index));
    let start = only.map_or_else(|| plan.last_start(), |phone| phone.start);
    let deadline = plan.scenario.deadline;
    if start > deadline {
        return Err(Trouble::usage(format!(
            "the last phone is switched on after {:.1} s, the run ends after {:.1} s: raise \
             --deadline, or boot fewer phones with --phones",
            start.as_secs_f64(),
            deadline.as_secs_f64()
        )));
    }
    Ok(plan)
}

pub(super) fn planned(arguments: &RunArguments, plan: &Plan) -> u32 {
    if arguments.phone.is_some() {
        1
    } else {
        plan.phones()
    }
}

pub(super) fn orders(shared: &Shared, arguments: &RunArguments, plan: &Plan) -> Orders {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let started_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it| it.as_secs());
    Orders {
        shards: arguments
            .shards
            .unwrap_or_else(|| u32::try_from(cores).unwrap_or(1).min(16)),
        only: arguments.phone,
        transcript: arguments.events.is_some(),
        record_bytes: 0,
        record_rules: Rules::default(),
        probes: None,
        keep_secrets: arguments.keep_secrets,
        exact: false,
        stop: Arc::new(AtomicBool::new(false)),
        progress: Arc::new(Progress::default()),
        repeat: repeat(shared, arguments, plan),
        started_at,
        by_command: false,
        counters: None,
        wrong: Arc::default(),
    }
}

/// The command that repeats one phone of this run.
fn repeat(shared: &Shared, arguments: &RunArguments, plan: &Plan) -> String {
    let mut words = vec!["bootstorm run".to_owned(), quoted(&arguments.scenario)];
    match (arguments.attachment(), &arguments.afield.interface) {
        (Attachment::Memory, _) => words.push("--attach memory".to_owned()),
        (Attachment::Lan, Some(name)) => words.push(format!("--attach lan --interface {name}")),
        (Attachment::Relay, Some(name)) => {
            words.push(format!("--attach relay --interface {name}"));
        }
        _ => {}
    }
    for network in &arguments.afield.allow_network {
        words.push(format!("--allow-network {network}"));
    }
    if let Some(directory) = &shared.profiles {
        words.push(format!(
            "--profiles {}",
            quoted(&directory.display().to_string())
        ));
    }
    for subject in &arguments.subject {
        words.push(format!("--subject {}", quoted(subject)));
    }
    if let Some(phones) = arguments.phones {
        words.push(format!("--phones {phones}"));
    }
    words.extend(arguments.server_mutants.words());
    words.extend(arguments.phone_mutants.words());
    if let Some(scale) = arguments.time_scale {
        words.push(format!("--time-scale {scale}"));
    }
    if let Some(content) = &arguments.content {
        words.push(format!(
            "--content {}",
            quoted(&content.display().to_string())
        ));
    }
    if let Some(file) = &arguments.ca {
        words.push(format!("--ca {}", quoted(&file.display().to_string())));
    }
    if let Some(directory) = &arguments.factory_ca {
        let directory = quoted(&directory.display().to_string());
        words.push(format!("--factory-ca {directory}"));
    }
    if let Some(seconds) = arguments.deadline {
        words.push(format!("--deadline {seconds}"));
    }
    if arguments.tftp_server == TftpServer::AsyncTftp {
        words.push("--tftp-server async-tftp".to_owned());
    }
    words.push(format!(
        "--seed {} --phone {{phone}} --out bootstorm-report/phone-{{phone}} --events -",
        plan.scenario.seed
    ));
    words.join(" ")
}

/// `-` stands for standard output, which must not be opened a second time.
fn is_stdout(file: &Path) -> bool {
    file == Path::new("-") || file == Path::new("/dev/stdout")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What was given to a run, read before anything is begun with it.
pub(super) struct Given {
    pub(super) subjects: Vec<Endpoint>,
    source: Source,
    pub(super) authorities: Vec<u8>,
    pub(super) factory: Authority,
    mutants: Vec<Arc<Mutant>>,
}

impl RunArguments {
    /// How phones are attached.
    pub(super) fn attachment(&self) -> Attachment {
        self.attach.unwrap_or(Attachment::Loopback)
    }

    /// With what the scenario says where the command line says nothing.
    ///
    /// # Errors
    /// An endpoint of the scenario that is none, at its place.
    pub(super) fn completed(&self, scenario: &Scenario) -> Result<Self, Trouble> {
        let mut completed = self.clone();
        completed.attach = self.attach.or(scenario.attach.map(|attach| match attach {
            Attach::Loopback => Attachment::Loopback,
            Attach::Memory => Attachment::Memory,
            Attach::Lan => Attachment::Lan,
            Attach::Relay => Attachment::Relay,
        }));
        // A simulated run has a server of its own, whatever the scenario is for elsewhere.
        let simulated = self.attach == Some(Attachment::Memory);
        if self.subject.is_empty() && !simulated {
            for given in &scenario.subject {
                let text = std::slice::from_ref(&given.text);
                completed.endpoints_of(text).map_err(|fault| {
                    let fault = fault.to_string();
                    let fault = fault.strip_prefix("--subject ").unwrap_or(&fault);
                    Trouble::usage(format!("{}: {fault}", given.at))
                })?;
                completed.subject.push(given.text.clone());
            }
        }
        completed.check_afield()?;
        Ok(completed)
    }
}

impl RunArguments {
    /// Endpoints as the attachment has them.
    fn endpoints_of(&self, texts: &[String]) -> Result<Vec<Endpoint>, Trouble> {
        match self.attachment().purpose() {
            None => Endpoint::all(texts),
            Some(_) => Endpoint::all_beyond(texts),
        }
    }
}

impl Given {
    pub(super) fn read(arguments: &RunArguments, plan: &Plan) -> Result<Self, Trouble> {
        if arguments.attachment() == Attachment::Memory && !arguments.subject.is_empty() {
            return Err(Trouble::usage(
                "a simulated network reaches no real server (leave --subject or --attach out)",
            ));
        }
        let subjects = arguments.endpoints_of(&arguments.subject)?;
        steps_can_be_taken(arguments, &subjects, plan)?;
        Ok(Self {
            subjects,
            source: source(arguments, plan)?,
            authorities: arguments
                .ca
                .as_deref()
                .map_or_else(|| Ok(Vec::new()), authorities)?,
            factory: provision::factory(arguments.factory_ca.as_deref()).map_err(Trouble::own)?,
            mutants: arguments.server_mutants.read()?,
        })
    }
}

/// Files that change while a run goes on must be ours, or a command must change them.
fn steps_can_be_taken(
    arguments: &RunArguments,
    subjects: &[Endpoint],
    plan: &Plan,
) -> Result<(), Trouble> {
    let foreign = subjects.iter().any(Endpoint::serves_files);
    let why = match (foreign, &arguments.content) {
        (true, _) => "the files are the subject's (give the step a 'command' that changes them)",
        (false, Some(_)) => "the files are those of --content, which nobody changes",
        (false, None) => return Ok(()),
    };
    let steps = (1..).zip(&plan.scenario.steps);
    let mut changes = steps.filter(|(_, step)| step.change.is_some());
    let vain = changes.find(|(_, step)| !foreign || step.command.is_none());
    let Some((number, step)) = vain else {
        return Ok(());
    };
    let place = step.at.as_ref();
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    Err(Trouble::usage(format!(
        "{place}step {number} cannot be taken: {why}"
    )))
}

pub(super) fn authorities(path: &Path) -> Result<Vec<u8>, Trouble> {
    let pem = load::bytes(path)?;
    if tls::has_certificate(&pem) {
        Ok(pem)
    } else {
        let path = path.display();
        Err(Trouble::usage(format!(
            "--ca {path}: no certificate in it (expected PEM, -----BEGIN CERTIFICATE-----)"
        )))
    }
}

fn simulate(given: Given, plan: &Arc<Plan>, orders: &Orders) -> Result<Ended, Trouble> {
    let mut config = provision::reference(plan, given.source, SIMULATED_POOL);
    config.mutants = given.mutants;
    run::simulate(plan, Reference::new(config), orders).map_err(Trouble::own)
}

fn source(arguments: &RunArguments, plan: &Plan) -> Result<Source, Trouble> {
    match &arguments.content {
        Some(directory) => super::serve::directory(directory),
        None => provision::tree(plan).map_err(Trouble::usage),
    }
}

fn on_loopback(
    arguments: &RunArguments,
    given: Given,
    plan: &Arc<Plan>,
    orders: &Orders,
) -> Result<Ended, Trouble> {
    let (built_in, _independent) = start(arguments, given.source, plan, &given.factory)?;
    let mut subject = built_in.subject;
    let by_command = !given.subjects.is_empty();
    let mut acs = None;
    for endpoint in given.subjects {
        acs = endpoint.acs_url().map(str::to_owned).or(acs);
        endpoint.take_place(&mut subject);
    }
    let plan = &with_elsewhere(plan, acs, &subject, built_in.http());
    if let Err(why) = preamble::look(&subject, preamble::PATIENCE) {
        return run::absent(plan, &subject, orders, ("loopback", why)).map_err(Trouble::own);
    }
    let mut trusted = built_in.authority_pem.clone().into_bytes();
    trusted.extend(given.authorities);
    let trust = Trust::new(&trusted, given.factory);
    let trust = trust.map_err(|fault| Trouble::usage(format!("failed to read --ca: {fault}")))?;
    let courier = built_in.courier();
    let mut orders = orders.clone();
    // An auto-configuration server of the user's counts for itself.
    let own = !subject.given.acs;
    orders.by_command = by_command;
    orders.counters = own.then(|| Arc::clone(built_in.counters()));
    let ended = run::loopback_with_steps(plan, &subject, &Arc::new(trust), &orders, &courier);
    let ended = ended.map_err(Trouble::own)?;
    built_in.stop().map_err(Trouble::own)?;
    Ok(ended)
}

/// Starts the built-in server on free ports.
fn start(
    arguments: &RunArguments,
    source: Source,
    plan: &Arc<Plan>,
    factory: &Authority,
) -> Result<(BuiltIn, Option<Independent>), Trouble> {
    let mutants = arguments.server_mutants.read()?;
    let independent = match arguments.tftp_server {
        TftpServer::Own => None,
        TftpServer::AsyncTftp => {
            let address = SocketAddrV4::new(plan.server, 0);
            let source = source.clone().edited(&mutants);
            Some(Independent::start(source, address).map_err(Trouble::own)?)
        }
    };
    let mut config = provision::reference(plan, source, LOOPBACK_POOL);
    config.mutants = mutants;
    let mut built_in = BuiltIn::start(plan, config, factory).map_err(Trouble::own)?;
    if let Some(independent) = &independent {
        built_in.subject.tftp = Some(independent.address());
    }
    Ok((built_in, independent))
}

/// Writes the report where it was asked for, prints it, and says how the run ended.
pub(super) fn deliver(
    shared: &Shared,
    arguments: &RunArguments,
    ended: &Ended,
) -> Result<Exit, Trouble> {
    let faults = deliver::write_all(&ended.report, &arguments.out);
    let logged = log(arguments, ended);
    let told = deliver::Told {
        shared,
        out: &arguments.out,
        json: arguments.json,
        verbose: false,
    };
    let exit = deliver::tell(&ended.report, &told, faults)?;
    logged?;
    Ok(exit)
}

/// Writes the log of events where it was asked for.
fn log(arguments: &RunArguments, ended: &Ended) -> Result<(), Trouble> {
    match &arguments.events {
        // Opened a second time, a redirected file would be written over by what follows.
        Some(file) if is_stdout(file) => print(&String::from_utf8_lossy(&ended.transcript)),
        Some(file) => {
            fs::write(file, &ended.transcript).map_err(|fault| unwritten(file, &fault))?;
        }
        None => {}
    }
    Ok(())
}

fn unwritten(file: &Path, fault: &std::io::Error) -> Trouble {
    Trouble::own(format!("failed to write {}: {fault}", file.display()))
}
