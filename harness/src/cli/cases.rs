//! What the commands that judge by suites have in common.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_reports::case::CaseResult;
use bootstorm_reports::measure::Ladder;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::RunFacts;
use bootstorm_scenarios::suite::{self, Case, Suite};

use super::{Shared, Trouble, load};

/// Which suites, and what is shown of their cases.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct JudgingArguments {
    /// A suite of your own, in place of those that come with the program (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) suite: Vec<PathBuf>,
    /// Print every case, and the decoded exchange of each that did not pass
    #[arg(long, visible_alias = "verbose")]
    pub(super) exchange: bool,
    /// Show passwords in results instead of stand-ins
    #[arg(long)]
    pub(super) keep_secrets: bool,
    /// Write what was found as JSON to standard output instead of text
    #[arg(long)]
    pub(super) json: bool,
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

/// Has the cases' own scenarios begin with the seed that was given, if one was.
pub(super) fn seed(cases: &mut [Case], shared: &Shared) {
    let Some(seed) = shared.seed else { return };
    let scenarios = cases.iter_mut().filter_map(|case| case.scenario.as_mut());
    scenarios.for_each(|scenario| scenario.seed = seed);
}

/// Requires that each --case names one of these cases.
pub(super) fn are_known<'a>(
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
        let hint = did_you_mean(near);
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
