//! `bootstorm certify`

mod known;
mod phones;
mod server;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_reports::case::CaseResult;
use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::suite::{Case, Side, Suite};

use super::cases::{Began, JudgingArguments, are_known, is_chosen, report, seed, suites};
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
    #[command(flatten)]
    judging: JudgingArguments,
    #[command(flatten)]
    server_mutants: mutant::OfServer,
    #[command(flatten)]
    phone_mutants: mutant::OfPhones,
    /// Directory for the report; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
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
        keep_secrets: arguments.judging.keep_secrets,
        ..Bench::default()
    };
    let suites = suites(&arguments.judging.suite)?;
    let of_server = &arguments.server;
    let (mut chosen, judged) = if arguments.phones.is_empty() {
        let chosen = server::cases(&suites, arguments)?;
        let court = server::court(of_server, bench)?;
        (chosen, Judged::Server(Box::new(court), of_server.attach))
    } else {
        let chosen = phones::cases(&suites, arguments, &bench.profiles)?;
        (chosen, Judged::Phones(bench))
    };
    seed(&mut chosen, shared);
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
    let report = report(facts, results.clone(), arguments.judging.keep_secrets)?;
    let faults = deliver::write_all(&report, &arguments.out);
    let told = Told {
        shared,
        out: &arguments.out,
        json: arguments.judging.json,
        verbose: arguments.judging.exchange,
    };
    let exit = deliver::tell(&report, &told, faults)?;
    let services = judged.endpoints().into_iter().map(|it| it.service);
    let services = services.collect();
    arguments.known.write(known.as_ref(), services, &results)?;
    match known {
        Some(known) if exit != Exit::Interrupted => Ok(known::compared(
            shared,
            arguments.judging.json,
            &known,
            &results,
        )),
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
            let hint = did_you_mean(near);
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
