//! `bootstorm certify --subject`: a server is judged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::located::nearest;
use bootstorm_reports::case::CaseResult;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::inventory;
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::super::deliver::{self, Told};
use super::super::live::catch_interrupt;
use super::super::subject;
use super::super::{Attachment, Exit, Shared, Trouble, load, print, run};
use super::{CertifyArguments, ENDING, exit, is_chosen};
use crate::certify::baseline::Baseline;
use crate::certify::subject::{Court, judge_server};
use crate::certify::{self, Bench};
use crate::subject::Subject;

/// What is judged, and what it is compared with.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArguments {
    /// An endpoint of the server to judge, as dhcp://, tftp://, ftp://, http://, https://, ntp://
    /// or sip:// with address and port on loopback, or acs=URL; cases about what is not given do
    /// not apply; without one the built-in server is judged (repeatable)
    #[arg(long, value_name = "URL")]
    subject: Vec<String>,
    /// How clients and phones are attached
    #[arg(long, value_enum, default_value = "loopback")]
    attach: Attachment,
    /// PEM file of authorities that phones trust, for an https subject
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Directory of the authority that signs the phones' factory certificates
    #[arg(long, value_name = "DIR")]
    factory_ca: Option<PathBuf>,
    /// What each phone of the server's own site must get, as mac,profile,setting,…
    #[arg(long, value_name = "CSV")]
    inventory: Option<PathBuf>,
    /// Compare with what is known to fail at this server; only what differs counts
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what fails now as a baseline; reasons of --baseline are kept
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// The server's name in a baseline that is written
    #[arg(long, value_name = "NAME", requires = "write_baseline")]
    product: Option<String>,
    /// The server's version in a baseline that is written
    #[arg(long, value_name = "VERSION", requires = "write_baseline")]
    product_version: Option<String>,
    /// Directory for the report; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    pub(super) out: PathBuf,
    /// Write the report as JSON to standard output instead of the table
    #[arg(long)]
    json: bool,
}

impl ServerArguments {
    /// An option that was given and makes sense for servers only.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.subject.is_empty(), "--subject"),
            (self.ca.is_some(), "--ca"),
            (self.factory_ca.is_some(), "--factory-ca"),
            (self.inventory.is_some(), "--inventory"),
            (self.baseline.is_some(), "--baseline"),
            (self.write_baseline.is_some(), "--write-baseline"),
        ];
        given
            .into_iter()
            .find(|(is_given, _)| *is_given)
            .map(|(_, name)| name)
    }
}

/// Judges a server and reports.
pub(super) fn certify(
    shared: &Shared,
    arguments: &CertifyArguments,
    bench: Bench,
    suites: &[Suite],
) -> Result<Exit, Trouble> {
    let of_server = &arguments.server;
    let mut chosen = cases(suites, arguments)?;
    if let Some(seed) = shared.seed {
        let scenarios = chosen.iter_mut().filter_map(|case| case.scenario.as_mut());
        scenarios.for_each(|scenario| scenario.seed = seed);
    }
    if of_server.attach == Attachment::Memory
        && let Some(option) = of_server.given().filter(|it| !it.ends_with("baseline"))
    {
        return Err(Trouble::usage(format!(
            "{option} with --attach memory, where only the built-in server is"
        )));
    }
    let baseline = of_server
        .baseline
        .as_deref()
        .map(read_baseline)
        .transpose()?;
    let court = court(of_server, bench)?;
    catch_interrupt(Arc::clone(&court.bench.stop), ENDING)?;
    deliver::probe(&of_server.out, 0)?;
    let began = Began::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = u32::try_from(threads).unwrap_or(u32::MAX);
    let cases: Vec<&Case> = chosen.iter().collect();
    let results = match of_server.attach {
        Attachment::Memory => certify::run_cases(&cases, &court.bench, threads),
        // They wait more than they work.
        Attachment::Loopback => judge_server(&cases, &court, threads * 2),
    };
    let facts = RunFacts {
        seed: shared.seed.unwrap_or(1),
        attachment: word_of(of_server.attach).to_owned(),
        shards: cores,
        cores,
        subject: endpoints(&court),
        stopped: court.bench.stop.load(Ordering::Relaxed),
        ..began.facts()
    };
    let report = report(facts, results.clone(), arguments.keep_secrets)?;
    let faults = deliver::write_all(&report, &of_server.out);
    let told = Told {
        shared,
        out: &of_server.out,
        json: of_server.json,
        verbose: arguments.exchange,
    };
    let exit = deliver::tell(&report, &told, faults)?;
    if let Some(path) = &of_server.write_baseline {
        let mut known = baseline.clone().unwrap_or_default();
        let services = endpoints(&court).into_iter().map(|it| it.service);
        known.services = services.collect();
        write_baseline(path, of_server, known, &results)?;
    }
    match baseline {
        Some(baseline) if exit != Exit::Interrupted => {
            Ok(compared(shared, of_server.json, &baseline, &results))
        }
        _ => Ok(exit),
    }
}

/// When a certification began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    at: Instant,
    started_at: u64,
}

impl Began {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            at: Instant::now(),
            started_at: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// What is known of every certification once it is over.
    pub(super) fn facts(self) -> RunFacts {
        RunFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: "certify".to_owned(),
            time_scale: 1.0,
            elapsed: self.at.elapsed(),
            started_at: self.started_at,
            ..RunFacts::default()
        }
    }
}

/// The report of cases.
pub(super) fn report(
    facts: RunFacts,
    results: Vec<CaseResult>,
    keep_secrets: bool,
) -> Result<Report, Trouble> {
    let mut redactor = Redactor::new(facts.seed);
    if keep_secrets {
        redactor = redactor.keeping_secrets();
    }
    let report = Report::new(facts, Ladder::default(), Vec::new(), &redactor);
    let report = report.map_err(Trouble::own)?;
    Ok(report.with_cases(results, &redactor))
}

/// The cases about servers that were asked for.
fn cases(suites: &[Suite], arguments: &CertifyArguments) -> Result<Vec<Case>, Trouble> {
    let about = || suites.iter().filter(|suite| suite.side == Side::Server);
    for name in &arguments.vendor {
        if !about().any(|suite| suite.name == *name) {
            let near = nearest(name, about().map(|suite| suite.name.as_str()));
            let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            return Err(Trouble::usage(format!(
                "--vendor {name}: no suite about servers is called so{hint}"
            )));
        }
    }
    let wanted =
        |suite: &&Suite| arguments.vendor.is_empty() || arguments.vendor.contains(&suite.name);
    let chosen = about().filter(wanted).flat_map(|suite| &suite.cases);
    let chosen: Vec<Case> = chosen
        .filter(|case| is_chosen(&case.id, &arguments.case))
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about such a server (bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

fn court(arguments: &ServerArguments, bench: Bench) -> Result<Court, Trouble> {
    let mut given = Subject::at(std::net::Ipv4Addr::LOCALHOST);
    let mut acs = None;
    for endpoint in subject::Endpoint::all(&arguments.subject)? {
        acs = endpoint.acs_url().map(str::to_owned).or(acs);
        endpoint.take_place(&mut given);
    }
    let inventory = match &arguments.inventory {
        Some(path) => {
            let text = load::read(path)?;
            let read = inventory::read(&path.display().to_string(), &text);
            Some(Arc::new(read.map_err(Trouble::Faults)?))
        }
        None => None,
    };
    let authorities = arguments.ca.as_deref().map(run::authorities).transpose()?;
    Ok(Court {
        bench,
        given,
        acs,
        authorities: authorities.unwrap_or_default(),
        factory: arguments.factory_ca.clone(),
        inventory,
    })
}

fn word_of(attachment: Attachment) -> &'static str {
    match attachment {
        Attachment::Memory => "memory",
        Attachment::Loopback => "loopback",
    }
}

fn endpoints(court: &Court) -> std::collections::BTreeSet<Endpoint> {
    let given = court.given.endpoints();
    let given = given.into_iter().filter(|(.., given)| *given);
    let named = given.map(|(service, address, _)| Endpoint {
        service: service.to_owned(),
        address: address.to_string(),
    });
    let built_in = Endpoint {
        service: "reference".to_owned(),
        address: "built in".to_owned(),
    };
    match court.judges_subject() {
        true => named.collect(),
        false => [built_in].into(),
    }
}

fn read_baseline(path: &Path) -> Result<Baseline, Trouble> {
    let text = load::read(path)?;
    Baseline::read(&path.display().to_string(), &text).map_err(Trouble::Faults)
}

fn write_baseline(
    path: &Path,
    arguments: &ServerArguments,
    mut before: Baseline,
    results: &[CaseResult],
) -> Result<(), Trouble> {
    if let Some(product) = &arguments.product {
        before.product.clone_from(product);
    }
    if let Some(version) = &arguments.product_version {
        before.version.clone_from(version);
    }
    let text = Baseline::of(results, &before).text();
    std::fs::write(path, text)
        .map_err(|fault| Trouble::own(format!("failed to write {}: {fault}", path.display())))
}

/// Says what is not as the baseline has it.
fn compared(shared: &Shared, json: bool, baseline: &Baseline, results: &[CaseResult]) -> Exit {
    let deviations = baseline.deviations(results);
    let say = |text: &str| match json {
        // Standard output is the report's.
        true => eprint!("{text}"),
        false => print(text),
    };
    let product = format!("{} {}", baseline.product, baseline.version);
    for deviation in &deviations {
        say(&format!(
            "not as known of {}: {deviation}\n",
            product.trim()
        ));
    }
    if deviations.is_empty() && !shared.quiet {
        let known = baseline.failing.len();
        say(&format!(
            "as known of {}: {known} cases do not pass\n",
            product.trim()
        ));
    }
    exit(deviations.iter().map(|it| it.verdict()))
}
