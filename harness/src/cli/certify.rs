//! `bootstorm certify`

mod server;

use std::path::PathBuf;
use std::sync::Arc;

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::run::RunFacts;
use bootstorm_scenarios::suite::{self, Case, Side, Suite};

use super::deliver;
use super::live::catch_interrupt;
use super::{Exit, Shared, Trouble, load, mutant, print};
use crate::certify::{self, Bench};
use server::Began;

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
    /// Also print the decoded exchange of each case that did not pass
    #[arg(long)]
    exchange: bool,
    /// Show passwords in results instead of stand-ins
    #[arg(long)]
    keep_secrets: bool,
    #[command(flatten)]
    server: server::ServerArguments,
}

/// Judges and prints a verdict a case.
pub(super) fn certify(shared: &Shared, arguments: &CertifyArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        mutants: bootstorm_scenarios::mutant::built_in().map_err(Trouble::Faults)?,
        server: arguments.server_mutants.read()?,
        phones: arguments.phone_mutants.read()?,
        keep_secrets: arguments.keep_secrets,
        ..Bench::default()
    };
    let mut chosen = Vec::new();
    let suites = suites(&arguments.suite)?;
    if arguments.phones.is_empty() {
        return server::certify(shared, arguments, bench, &suites);
    }
    if let Some(option) = arguments.server.given() {
        return Err(Trouble::usage(format!(
            "{option} judges a server, --phones virtual phones: one of them"
        )));
    }
    for name in &arguments.phones {
        chosen.extend(of_phones(&suites, name, arguments, &bench)?);
    }
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no case is about these phones (bootstorm list cases names all)",
        ));
    }
    if let Some(seed) = shared.seed {
        let scenarios = chosen.iter_mut().filter_map(|case| case.scenario.as_mut());
        scenarios.for_each(|scenario| scenario.seed = seed);
    }
    catch_interrupt(Arc::clone(&bench.stop), ENDING)?;
    let out = &arguments.server.out;
    deliver::probe(out, 0)?;
    let began = Began::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cases: Vec<&Case> = chosen.iter().collect();
    let results = certify::run_cases(&cases, &bench, threads);
    print(&told(&results, shared.quiet, arguments.exchange));
    let stopped = bench.stop.load(std::sync::atomic::Ordering::Relaxed);
    let cores = u32::try_from(threads).unwrap_or(u32::MAX);
    let facts = RunFacts {
        seed: shared.seed.unwrap_or(1),
        attachment: "memory".to_owned(),
        shards: cores,
        cores,
        stopped,
        ..began.facts()
    };
    let exit = exit(results.iter().map(|result| result.verdict));
    let report = server::report(facts, results, arguments.keep_secrets)?;
    deliver::written(deliver::write_all(&report, out))?;
    Ok(if stopped { Exit::Interrupted } else { exit })
}

/// The suites that are asked for: of files, or those that come with the program.
fn suites(files: &[PathBuf]) -> Result<Vec<Suite>, Trouble> {
    if files.is_empty() {
        return suite::read_built_in().map_err(Trouble::Faults);
    }
    let read = files.iter().map(|path| {
        let text = load::read(path)?;
        suite::read(&path.display().to_string(), &text).map_err(Trouble::Faults)
    });
    read.collect()
}

/// The cases about phones of one vendor or profile.
fn of_phones(
    suites: &[Suite],
    name: &str,
    arguments: &CertifyArguments,
    bench: &Bench,
) -> Result<Vec<Case>, Trouble> {
    let wanted = bench.profiles.select(name).map_err(Trouble::usage)?;
    let names: Vec<&str> = wanted.iter().map(|profile| profile.name.as_str()).collect();
    let one = names.first().filter(|_| name.contains('/')).copied();
    let about = |case: &&Case| {
        let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        case.side == Side::Phone
            && names.first().map(|it| vendor(it)) == Some(vendor(&case.profile))
    };
    let cases = suites
        .iter()
        .filter(|suite| arguments.vendor.is_empty() || arguments.vendor.contains(&suite.name))
        .flat_map(|suite| &suite.cases)
        .filter(|case| is_chosen(&case.id, &arguments.case))
        .filter(about);
    let cases = cases.map(|case| match one {
        Some(model) => case.clone().on(model),
        None => case.clone(),
    });
    Ok(cases.collect())
}

/// Whether an id is one of those asked for; all are where none is.
fn is_chosen(id: &str, asked: &[String]) -> bool {
    let fits = |asked: &String| match asked.strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => id == asked,
    };
    asked.is_empty() || asked.iter().any(fits)
}

/// A line for each result, with what was expected and seen where it is no pass, and the counts.
fn told(results: &[CaseResult], quiet: bool, exchange: bool) -> String {
    let mut text = String::new();
    let good = |result: &CaseResult| {
        matches!(
            result.verdict,
            CaseVerdict::Pass | CaseVerdict::NotApplicable
        )
    };
    for result in results.iter().filter(|result| !quiet || !good(result)) {
        let verdict = result.verdict.word();
        text.push_str(&format!("{verdict:<15} {}\n", result.id));
        if result.verdict == CaseVerdict::Pass {
            continue;
        }
        let clauses = result.clauses.join(" ");
        // What was expected and seen says more than one sentence of both.
        let twice = result.verdict == CaseVerdict::Fail && !result.actual.is_empty();
        let reason = if twice { "" } else { &result.reason };
        let lines = [
            ("purpose", result.purpose.as_str()),
            ("clause", clauses.as_str()),
            ("reason", reason),
            ("expected", result.expected.as_str()),
            ("seen", result.actual.as_str()),
        ];
        for (what, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
            text.push_str(&format!(
                "    {what:<9} {}\n",
                line.replace('\n', "\n              ")
            ));
        }
        for (at, line) in (0_u32..).zip(&result.exchange).filter(|_| exchange) {
            let mark = if result.evidence.contains(&at) {
                '>'
            } else {
                ' '
            };
            text.push_str(&format!("  {mark} {line}\n"));
        }
    }
    let counts = CaseVerdict::ALL.iter().filter_map(|verdict| {
        let count = results.iter().filter(|it| it.verdict == *verdict).count();
        (count > 0).then(|| format!("{count} {}", verdict.word()))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    text.push_str(&format!("{} cases: {counts}\n", results.len()));
    text
}

/// The worst of these verdicts decides.
fn exit(verdicts: impl IntoIterator<Item = CaseVerdict>) -> Exit {
    let verdicts: Vec<_> = verdicts.into_iter().collect();
    let any = |verdict| verdicts.contains(&verdict);
    if any(CaseVerdict::Error) {
        Exit::Own
    } else if any(CaseVerdict::Fail) {
        Exit::SubjectFailed
    } else if any(CaseVerdict::Inconclusive) {
        Exit::Void
    } else {
        Exit::Met
    }
}
