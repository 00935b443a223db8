//! `bootstorm run`

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::json;
use bootstorm_reports::report::Report;
use bootstorm_reports::text::{self, Style};
use bootstorm_reports::verdict::Class;
use bootstorm_scenarios::plan::{ACS_PATH, Plan};

use super::live::{Live, catch_interrupt};
use super::subject::Endpoint;
use super::{Attachment, Exit, RunArguments, Shared, TftpServer, Trouble, load, print};
use crate::drive::tls::{self, Trust};
use crate::fleet::progress::Progress;
use crate::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use crate::reference::Reference;
use crate::reference::adapter::{Adapter, Bind, Running};
use crate::reference::certificate::Authority;
use crate::reference::content::Source;
use crate::reference::independent::Independent;
use crate::run::{self, Ended, Orders};
use crate::subject::Subject;

/// What the first Ctrl-C is answered.
const ENDING: &str = "ending the run (Ctrl-C again ends at once, without a report)";

/// Boots a fleet and reports.
pub(super) fn run(shared: &Shared, arguments: &RunArguments) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let plan = plan(shared, arguments, &profiles)?;
    if arguments.phone.is_some_and(|index| index >= plan.phones()) {
        let last = plan.phones().saturating_sub(1);
        return Err(Trouble::usage(format!(
            "--phone takes an index from 0 to {last}"
        )));
    }
    let given = Given::read(arguments, &plan)?;
    let orders = orders(shared, arguments, &plan);
    catch_interrupt(Arc::clone(&orders.stop), ENDING)?;
    writable(&arguments.out)?;
    if let Some(file) = arguments.events.as_ref().filter(|file| !is_stdout(file)) {
        let opened = fs::OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|fault| unwritten(file, &fault))?;
    }
    announce(shared, arguments, &plan);
    let live = Live::start(&orders, planned(arguments, &plan), shared.quiet);
    let ended = match arguments.attach {
        Attachment::Memory => simulate(given, &plan, &orders),
        Attachment::Loopback => on_loopback(arguments, given, &plan, &orders),
    };
    live.end();
    let ended = ended?;
    deliver(shared, arguments, &ended)
}

fn plan(
    shared: &Shared,
    arguments: &RunArguments,
    profiles: &ProfileSet,
) -> Result<Arc<Plan>, Trouble> {
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
    let server = match arguments.attach {
        Attachment::Memory => SIMULATED_SERVER,
        Attachment::Loopback => Ipv4Addr::LOCALHOST,
    };
    let plan = load::plan(scenario, profiles, server)?;
    let last = plan.phones().saturating_sub(1);
    let last = arguments.phone.unwrap_or(last).min(last);
    let start = plan.phone(last).map_or(Duration::ZERO, |phone| phone.start);
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

fn planned(arguments: &RunArguments, plan: &Plan) -> u32 {
    if arguments.phone.is_some() {
        1
    } else {
        plan.phones()
    }
}

fn orders(shared: &Shared, arguments: &RunArguments, plan: &Plan) -> Orders {
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
        keep_secrets: arguments.keep_secrets,
        stop: Arc::new(AtomicBool::new(false)),
        progress: Arc::new(Progress::default()),
        repeat: repeat(shared, arguments, plan),
        started_at,
        counters: None,
    }
}

/// The command that repeats one phone of this run.
fn repeat(shared: &Shared, arguments: &RunArguments, plan: &Plan) -> String {
    let mut words = vec!["bootstorm run".to_owned(), quoted(&arguments.scenario)];
    if arguments.attach == Attachment::Memory {
        words.push("--attach memory".to_owned());
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

/// Tells before the run what would be found only after it.
fn writable(directory: &Path) -> Result<(), Trouble> {
    let probe = directory.join(".writable");
    let tried = fs::create_dir_all(directory).and_then(|()| fs::write(&probe, b""));
    let tried = tried.and_then(|()| fs::remove_file(&probe));
    tried.map_err(|fault| {
        Trouble::own(format!(
            "failed to write to {}: {fault} (choose another directory with --out)",
            directory.display()
        ))
    })
}

fn announce(shared: &Shared, arguments: &RunArguments, plan: &Plan) {
    if shared.quiet {
        return;
    }
    let scale = plan.scenario.time_scale;
    let phones = planned(arguments, plan);
    let noun = if phones == 1 { "phone" } else { "phones" };
    eprintln!(
        "{}: {phones} {noun}, seed {}, policy times x {scale} (1 is faithful), deadline {} s",
        plan.scenario.name,
        plan.scenario.seed,
        plan.scenario.deadline.as_secs_f64()
    );
}

/// What was given to a run, read before anything is begun with it.
struct Given {
    subjects: Vec<Endpoint>,
    source: Source,
    authorities: Vec<u8>,
    factory: Authority,
}

impl Given {
    fn read(arguments: &RunArguments, plan: &Plan) -> Result<Self, Trouble> {
        if arguments.attach == Attachment::Memory && !arguments.subject.is_empty() {
            return Err(Trouble::usage(
                "a simulated network reaches no real server (leave --subject or --attach out)",
            ));
        }
        Ok(Self {
            subjects: Endpoint::all(&arguments.subject)?,
            source: source(arguments, plan)?,
            authorities: arguments
                .ca
                .as_deref()
                .map_or_else(|| Ok(Vec::new()), authorities)?,
            factory: provision::factory(arguments.factory_ca.as_deref()).map_err(Trouble::own)?,
        })
    }
}

fn authorities(path: &Path) -> Result<Vec<u8>, Trouble> {
    let pem = load::read(path)?.into_bytes();
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
    let config = provision::reference(plan, given.source, SIMULATED_POOL);
    run::simulate(plan, Reference::new(config), orders).map_err(Trouble::own)
}

fn source(arguments: &RunArguments, plan: &Plan) -> Result<Source, Trouble> {
    match &arguments.content {
        Some(directory) => super::serve::directory(directory),
        None => provision::tree(plan).map_err(Trouble::usage),
    }
}

/// The built-in server's parts that run for this run.
struct BuiltIn {
    running: Running,
    _independent: Option<Independent>,
    authority_pem: String,
}

fn on_loopback(
    arguments: &RunArguments,
    given: Given,
    plan: &Arc<Plan>,
    orders: &Orders,
) -> Result<Ended, Trouble> {
    let (built_in, mut subject) = start(arguments, given.source, plan, &given.factory)?;
    let mut acs = None;
    for endpoint in given.subjects {
        acs = endpoint.acs_url().map(str::to_owned).or(acs);
        endpoint.take_place(&mut subject);
    }
    let plan = &with_acs(plan, acs, &subject, built_in.running.endpoints().http);
    let mut trusted = built_in.authority_pem.clone().into_bytes();
    trusted.extend(given.authorities);
    let trust = Trust::new(&trusted, given.factory);
    let trust = trust.map_err(|fault| Trouble::usage(format!("failed to read --ca: {fault}")))?;
    let courier = built_in.running.courier();
    let mut orders = orders.clone();
    // An auto-configuration server of the user's counts for itself.
    let own = !subject.given.acs;
    orders.counters = own.then(|| Arc::clone(built_in.running.counters()));
    let ended = run::loopback_with_steps(plan, &subject, &Arc::new(trust), &orders, &courier);
    let ended = ended.map_err(Trouble::own)?;
    if built_in.running.stop().is_err() {
        return Err(Trouble::own(
            "the built-in server's thread died during the run",
        ));
    }
    Ok(ended)
}

/// The plan with the URL of its auto-configuration server: the one given; or, where the HTTP server
/// is the user's, that of the built-in one, which is no path of it.
fn with_acs(
    plan: &Arc<Plan>,
    given: Option<String>,
    subject: &Subject,
    built_in: Option<SocketAddrV4>,
) -> Arc<Plan> {
    let own = built_in.filter(|_| subject.given.http);
    let elsewhere = given.or(own.map(|at| format!("http://{at}{ACS_PATH}")));
    if !plan.has_acs() || elsewhere.is_none() {
        return Arc::clone(plan);
    }
    let mut plan = Plan::clone(plan);
    plan.acs_elsewhere = elsewhere;
    Arc::new(plan)
}

/// Starts the built-in server on free ports.
fn start(
    arguments: &RunArguments,
    source: Source,
    plan: &Arc<Plan>,
    factory: &Authority,
) -> Result<(BuiltIn, Subject), Trouble> {
    let authority = Authority::new().map_err(Trouble::own)?;
    let tls = provision::server_tls(plan, &authority, factory).map_err(Trouble::own)?;
    let bind = Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        ftp_port: Some(0),
        http_port: Some(0),
        https: Some((0, tls)),
        sip_port: Some(0),
        sip_tcp_port: Some(0),
        sip_group: Some(plan.server),
        pnp_port: Some(0),
        ntp_port: Some(0),
        mdns_port: Some(0),
        ..Bind::loopback()
    };
    let independent = match arguments.tftp_server {
        TftpServer::Own => None,
        TftpServer::AsyncTftp => {
            let address = SocketAddrV4::new(plan.server, 0);
            Some(Independent::start(source.clone(), address).map_err(Trouble::own)?)
        }
    };
    let config = provision::reference(plan, source, LOOPBACK_POOL);
    let running = Adapter::start(Reference::new(config), &bind).map_err(Trouble::own)?;
    let endpoints = *running.endpoints();
    let subject = Subject {
        dhcp: endpoints.dhcp,
        tftp: independent
            .as_ref()
            .map(Independent::address)
            .or(endpoints.tftp),
        ftp: endpoints.ftp,
        http: endpoints.http,
        https: endpoints.https,
        sip_tcp: endpoints.sip_tcp,
        sip_port: endpoints.sip.map(|sip| sip.port()),
        ntp: endpoints.ntp,
        mdns_port: endpoints.mdns.map(|mdns| mdns.port()),
        ..Subject::at(plan.server)
    };
    let authority_pem = authority.pem();
    Ok((
        BuiltIn {
            running,
            _independent: independent,
            authority_pem,
        },
        subject,
    ))
}

/// Writes the report where it was asked for, prints it, and says how the run ended.
fn deliver(shared: &Shared, arguments: &RunArguments, ended: &Ended) -> Result<Exit, Trouble> {
    let mut text = Vec::new();
    json::write(&ended.report, &mut text).map_err(Trouble::own)?;
    let path = arguments.out.join("report.json");
    let written = fs::write(&path, &text);
    if let Some(file) = &arguments.events {
        if is_stdout(file) {
            // Opened a second time, a redirected file would be written over by what follows.
            print(&String::from_utf8_lossy(&ended.transcript));
        } else {
            fs::write(file, &ended.transcript).map_err(|fault| unwritten(file, &fault))?;
        }
    }
    if arguments.json {
        print(&String::from_utf8_lossy(&text));
        print("\n");
    } else {
        show(shared, &ended.report);
    }
    match written {
        Ok(()) if !shared.quiet && !arguments.json => {
            print(&format!("report: {}\n", path.display()));
        }
        Ok(()) => {}
        Err(fault) => return Err(unwritten(&path, &fault)),
    }
    Ok(match ended.report.verdict().class {
        Class::Met => Exit::Met,
        Class::SubjectFailed => Exit::SubjectFailed,
        Class::Void => Exit::Void,
        Class::Interrupted => Exit::Interrupted,
    })
}

fn unwritten(file: &Path, fault: &std::io::Error) -> Trouble {
    Trouble::own(format!("failed to write {}: {fault}", file.display()))
}

fn show(shared: &Shared, report: &Report) {
    if shared.quiet {
        print(&format!("{}\n", report.verdict().sentence));
        return;
    }
    let out = std::io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let style = Style {
        columns: super::live::columns(),
        colour,
        ..Style::default()
    };
    let mut lock = out.lock();
    // A reader that has gone away is not an error.
    let _ = text::write(report, style, &mut lock);
    let _ = lock.flush();
}
