//! `bootstorm lab run`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bootstorm_reports::case::CaseResult;
use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::lab::{Capture, Lab, LabPlace};
use bootstorm_scenarios::suite::Case;

use super::super::cases::{Began, JudgingArguments, are_known, is_chosen, report, seed, suites};
use super::super::deliver::{self, Told};
use super::super::live::catch_interrupt;
use super::super::{Exit, Shared, Trouble, load};
use crate::certify::Bench;
use crate::lab::power::Terminal;
use crate::lab::run::{Outcome, Table, cases};

/// What the first Ctrl-C is answered.
const ENDING: &str = "ending the run: power and content are put back (Ctrl-C again ends at once)";

/// Which handsets, and which cases.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct LabRunArguments {
    /// The lab's file
    #[arg(value_name = "LAB")]
    lab: PathBuf,
    /// Only the handset of this place (repeatable)
    #[arg(long, value_name = "NAME")]
    place: Vec<String>,
    #[command(flatten)]
    judging: JudgingArguments,
    /// Only this case, or those whose ids begin so and have a * (repeatable)
    #[arg(long, value_name = "ID")]
    case: Vec<String>,
    /// Also the cases that take long
    #[arg(long)]
    nightly: bool,
    /// Directory for the report; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
}

/// Carries out the cases and reports.
pub(super) fn run(shared: &Shared, arguments: &LabRunArguments) -> Result<Exit, Trouble> {
    let bench = Bench {
        profiles: load::profiles(shared)?,
        mutants: bootstorm_scenarios::mutant::built_in().map_err(Trouble::Faults)?,
        keep_secrets: arguments.judging.keep_secrets,
        ..Bench::default()
    };
    let lab = super::read(&arguments.lab, &bench.profiles)?;
    let work = work(shared, arguments, &lab, &bench)?;
    let stop = Arc::clone(&bench.stop);
    catch_interrupt(Arc::clone(&stop), ENDING)?;
    deliver::probe(&arguments.out, 0)?;
    let began = Began::now();
    let table = Table {
        lab: &lab,
        bench: &bench,
        asking: &Terminal,
        nightly: arguments.nightly,
    };
    let mut all = Outcome::default();
    for (place, cases) in &work {
        let mut tell = |result: &CaseResult| {
            if !shared.quiet && !arguments.judging.json {
                let seconds = result.took_us / 1_000_000;
                eprintln!(
                    "{}: {} {} ({seconds} s)",
                    place.name,
                    result.id,
                    result.verdict.word()
                );
            }
        };
        let outcome = table.run(place, cases, &mut tell);
        all.results.extend(outcome.results);
        all.notes.extend(outcome.notes);
    }
    let facts = RunFacts {
        scenario: format!("lab {}", lab.name),
        seed: shared.seed.unwrap_or(1),
        attachment: format!("lab, interface {}", lab.subject.interface),
        shards: 1,
        cores: 1,
        subject: endpoints(&lab),
        stopped: stop.load(Ordering::Relaxed),
        notes: all.notes,
        ..began.facts()
    };
    let report = report(facts, all.results, arguments.judging.keep_secrets)?;
    let faults = deliver::write_all(&report, &arguments.out);
    let told = Told {
        shared,
        out: &arguments.out,
        json: arguments.judging.json,
        verbose: arguments.judging.exchange,
    };
    deliver::tell(&report, &told, faults)
}

/// A place with the cases that its handset is judged by.
type Work<'a> = (&'a LabPlace, Vec<Case>);

/// The cases of every place that was asked for; this machine has the interfaces that they need.
fn work<'a>(
    shared: &Shared,
    arguments: &LabRunArguments,
    lab: &'a Lab,
    bench: &Bench,
) -> Result<Vec<Work<'a>>, Trouble> {
    let suites = suites(&arguments.judging.suite)?;
    let places = super::places(lab, &arguments.place)?.into_iter();
    let mut work: Vec<Work<'_>> = places
        .map(|place| (place, cases(&suites, place, &bench.profiles)))
        .collect();
    let known = work.iter().flat_map(|(_, cases)| cases);
    if known.clone().next().is_none() {
        return Err(Trouble::usage(
            "no suite is about these handsets (a place's 'suite' names one; bootstorm list cases \
             names all)",
        ));
    }
    are_known(&arguments.case, known)?;
    for (_, cases) in &mut work {
        cases.retain(|case| is_chosen(&case.id, &arguments.case));
        seed(cases, shared);
    }
    super::has_interface(&lab.subject.interface)?;
    for (place, _) in &work {
        if let Capture::Interface(name) = &place.capture {
            super::has_interface(name)?;
        }
    }
    Ok(work)
}

/// What the handsets meet.
fn endpoints(lab: &Lab) -> std::collections::BTreeSet<Endpoint> {
    let given = lab.subject.given.iter().map(|given| Endpoint {
        service: given
            .text
            .split("://")
            .next()
            .unwrap_or_default()
            .to_owned(),
        address: lab.subject.server.to_string(),
    });
    let own = Endpoint {
        service: "reference".to_owned(),
        address: lab.subject.address.to_string(),
    };
    given.chain([own]).collect()
}
