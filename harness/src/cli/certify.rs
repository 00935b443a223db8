//! `bootstorm certify`

mod known;
mod phones;
mod server;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::located::nearest;
use bootstorm_reports::case::CaseResult;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::suite::{self, Case, Side, Suite};

use super::deliver::{self, Told};
use super::live::catch_interrupt;
use super::{Attachment, Exit, Shared, Trouble, load, mutant};
use crate::certify::subject::{Court, judge_server};
use crate::certify::{self, Bench};

/// What the first Ctrl-C is answered.
const ENDING: &str = "ending the run (Ctrl-C again ends at once)";

/// Which cases, and whom they judge.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CertifyArguments {
    /// Judge virtual phones: a vendor's, each case with the model that it names, or those of one
    /// profile (repeatable)
    #[arg(long, value_name = "PROFILE")]
    phones: Vec<String>,
    /// Only the suites of this vendor, or protocol (repeatable)
    #[arg(long, value_name = "NAME")]
    vendor: Vec<String>,
    /// Only this case, or those whose ids begin so and have a * (repeatable)
    #[arg(long, value_name = "ID")]
    case: Vec<String>,
    /// A suite of your own, in place of those that come with the program (repeatable)
    #[arg(long, value_name = "FILE")]
    suite: Vec<PathBuf>,
    #[command(flatten)]
    server_mutants: mutant::OfServer,
    #[command(flatten)]
    phone_mutants: mutant::OfPhones,
    /// Print every case, and the decoded exchange of each that did not pass
    #[arg(long, visible_alias = "verbose")]
    exchange: bool,
    /// Show passwords in results instead of stand-ins
    #[arg(long)]
    keep_secrets: bool,
    /// Directory for the report; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
    /// Write the report as JSON to standard output instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    known: known::BaselineArguments,
    #[command(flatten)]
    server: server::ServerArguments,
}

/// Who is judged.
enum Judged {
    /// Virtual phones, on the simulated network.
    Phones(Bench),
    /// A server.
    Server(Box<Court>, Attachment),
}

/// Judges and reports.
pub(super) fn certify(shared: &Shared, arguments: &CertifyArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        mutants: bootstorm_scenarios::mutant::built_in().map_err(Trouble::Faults)?,
        server: arguments.server_mutants.read()?,
        phones: arguments.phone_mutants.read()?,
        keep_secrets: arguments.keep_secrets,
        ..Bench::default()
    };
    let suites = suites(&arguments.suite)?;
    let of_server = &arguments.server;
    let (mut chosen, judged) = if arguments.phones.is_empty() {
        let chosen = server::cases(&suites, arguments)?;
        let court = server::court(of_server, bench)?;
        (chosen, Judged::Server(Box::new(court), of_server.attach))
    } else {
        let chosen = phones::cases(&suites, arguments, &bench.profiles)?;
        (chosen, Judged::Phones(bench))
    };
    if let Some(seed) = shared.seed {
        let scenarios = chosen.iter_mut().filter_map(|case| case.scenario.as_mut());
        scenarios.for_each(|scenario| scenario.seed = seed);
    }
    let known = arguments.known.read()?;
    let stop = Arc::clone(&judged.bench().stop);
    catch_interrupt(Arc::clone(&stop), ENDING)?;
    arguments.known.can_be_written()?;
    deliver::probe(&arguments.out, 0)?;
    let began = Began::now();
    let cases: Vec<&Case> = chosen.iter().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results = judged.results(&cases, threads);
    let cores = u32::try_from(threads).unwrap_or(u32::MAX);
    let facts = RunFacts {
        seed: shared.seed.unwrap_or(1),
        attachment: judged.attachment().to_owned(),
        shards: cores,
        cores,
        subject: judged.endpoints(),
        stopped: stop.load(Ordering::Relaxed),
        ..began.facts()
    };
    let report = report(facts, results.clone(), arguments.keep_secrets)?;
    let faults = deliver::write_all(&report, &arguments.out);
    let told = Told {
        shared,
        out: &arguments.out,
        json: arguments.json,
        verbose: arguments.exchange,
    };
    let exit = deliver::tell(&report, &told, faults)?;
    let services = judged.endpoints().into_iter().map(|it| it.service);
    let services = services.collect();
    arguments.known.write(known.as_ref(), services, &results)?;
    match known {
        Some(known) if exit != Exit::Interrupted => {
            Ok(known::compared(shared, arguments.json, &known, &results))
        }
        _ => Ok(exit),
    }
}

impl Judged {
    fn bench(&self) -> &Bench {
        match self {
            Self::Phones(bench) => bench,
            Self::Server(court, _) => &court.bench,
        }
    }

    fn results(&self, cases: &[&Case], threads: usize) -> Vec<CaseResult> {
        match self {
            // They wait more than they work.
            Self::Phones(bench) => certify::run_cases(cases, bench, threads),
            Self::Server(court, Attachment::Memory) => {
                certify::run_cases(cases, &court.bench, threads)
            }
            Self::Server(court, _) => judge_server(cases, court, threads * 2),
        }
    }

    fn attachment(&self) -> &'static str {
        match self {
            Self::Phones(_) | Self::Server(_, Attachment::Memory) => "memory",
            Self::Server(..) => "loopback",
        }
    }

    fn endpoints(&self) -> BTreeSet<Endpoint> {
        match self {
            Self::Phones(_) => BTreeSet::new(),
            Self::Server(court, _) => server::endpoints(court),
        }
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

/// The suites that are asked for: of files, or those that come with the program.
pub(super) fn suites(files: &[PathBuf]) -> Result<Vec<Suite>, Trouble> {
    if files.is_empty() {
        return suite::read_built_in().map_err(Trouble::Faults);
    }
    let read = files.iter().map(|path| {
        let text = load::read(path)?;
        suite::read(&path.display().to_string(), &text).map_err(Trouble::Faults)
    });
    read.collect()
}

/// The cases about servers or about phones that --vendor and --case choose.
fn cases_about<'a>(
    side: Side,
    suites: &'a [Suite],
    arguments: &CertifyArguments,
) -> Result<Vec<&'a Case>, Trouble> {
    let about = suites.iter().filter(move |suite| suite.side == side);
    let names = about.clone().map(|suite| suite.name.as_str());
    for name in &arguments.vendor {
        if !names.clone().any(|known| known == name) {
            let near = nearest(name, names);
            let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            return Err(Trouble::usage(format!(
                "--vendor {name}: no suite about {side}s is called so{hint}"
            )));
        }
    }
    are_known(
        &arguments.case,
        about.clone().flat_map(|suite| &suite.cases),
    )?;
    let wanted =
        |suite: &&Suite| arguments.vendor.is_empty() || arguments.vendor.contains(&suite.name);
    let chosen = about.filter(wanted).flat_map(|suite| &suite.cases);
    let chosen: Vec<&Case> = chosen
        .filter(|case| is_chosen(&case.id, &arguments.case))
        .collect();
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no --case is of a --vendor that was given (bootstorm list cases names all)",
        ));
    }
    Ok(chosen)
}

/// Requires that each --case names one of these cases.
fn are_known<'a>(
    asked: &[String],
    cases: impl Iterator<Item = &'a Case> + Clone,
) -> Result<(), Trouble> {
    let unknown = asked.iter().filter(|asked| {
        let asked = std::slice::from_ref(*asked);
        !cases.clone().any(|case| is_chosen(&case.id, asked))
    });
    let unknown = unknown.map(|asked| {
        let ids = cases.clone().map(|case| case.id.as_str());
        // A beginning is compared with what the ids have before their first hyphens.
        let near = match asked.strip_suffix('*') {
            Some(part) => nearest(part, ids.map(|id| id.get(..part.len()).unwrap_or(id)))
                .map(|near| format!("{near}*")),
            None => nearest(asked, ids).map(str::to_owned),
        };
        let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        format!("--case {asked}: no case is called so{hint}")
    });
    let unknown: Vec<String> = unknown.collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Trouble::usage(format!(
            "{}\nbootstorm list cases names all",
            unknown.join("\n")
        ))),
    }
}

/// Whether an id is one of those asked for; all are where none is.
pub(super) fn is_chosen(id: &str, asked: &[String]) -> bool {
    let fits = |asked: &String| match asked.strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => id == asked,
    };
    asked.is_empty() || asked.iter().any(fits)
}
