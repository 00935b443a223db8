//! No case without proof that it can fail: the reference passes every case of every suite, and each
//! mutant fails every case that names it. On the simulated network.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bootstorm::certify::{self, Bench};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_scenarios::mutant::{self, Mutant, Mutants, Side};
use bootstorm_scenarios::suite::{self, Case, Suite};

/// Findings that are printed at most; more would hide the first.
const TOLD_MAX: usize = 60;
/// Trials whose time is told.
const SLOWEST_TOLD: usize = 12;

/// Only cases whose ids contain what this variable of the environment says are tried.
const ONLY: &str = "BOOTSTORM_SELF_CHECK";

/// One case with the mutant on which it must fail; without one it must pass.
struct Trial<'a> {
    case: &'a Case,
    mutant: Option<Arc<Mutant>>,
}

/// The files below a directory of the scenarios, by what they are called there.
fn files(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(directory);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn mutants() -> Mutants {
    let files = files("mutants");
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    match mutant::read(&files) {
        Ok(mutants) => mutants,
        Err(faults) => panic!("{faults}"),
    }
}

fn suites() -> Vec<Suite> {
    let suites = files("suites")
        .into_iter()
        .map(|(name, text)| suite::read(&name, &text).unwrap_or_else(|faults| panic!("{faults}")));
    suites.collect()
}

fn bench(profiles: &ProfileSet, mutants: &Mutants, mutant: Option<&Arc<Mutant>>) -> Bench {
    let of = |side| mutant.filter(|it| it.side == side).cloned().into_iter();
    Bench {
        profiles: profiles.clone(),
        mutants: mutants.clone(),
        server: of(Side::Server).collect(),
        phones: of(Side::Phone).collect(),
        ..Bench::default()
    }
}

/// What is wrong with a result; nothing when it is as it must be.
fn finding(trial: &Trial<'_>, result: &CaseResult) -> Option<String> {
    let id = &trial.case.id;
    let CaseResult {
        verdict,
        reason,
        expected,
        actual,
        ..
    } = result;
    let seen = format!("{verdict:?}: {reason}\n      expected {expected}\n      seen {actual}");
    match &trial.mutant {
        None if *verdict == CaseVerdict::Pass => None,
        None => Some(format!("{id}: the reference does not pass, {seen}")),
        Some(_) if *verdict == CaseVerdict::Fail => None,
        Some(mutant) => Some(format!("{id}: not failed by {}, {seen}", mutant.name)),
    }
}

/// Says where the time went: all of it must stay under two minutes.
fn tell_slowest(trials: &[Trial<'_>], took: impl Iterator<Item = Duration>) {
    let mut slowest: Vec<_> = took.zip(trials).collect();
    let all: Duration = slowest.iter().map(|(took, _)| *took).sum();
    slowest.sort_by_key(|(took, _)| Reverse(*took));
    slowest.truncate(SLOWEST_TOLD);
    let mut err = std::io::stderr();
    let _ = writeln!(err, "{} trials, {:.1} s:", trials.len(), all.as_secs_f64());
    for (took, trial) in slowest {
        let mutant = trial
            .mutant
            .as_ref()
            .map_or("the reference", |it| it.name.as_str());
        let _ = writeln!(
            err,
            "{:>6.1} s  {} ({mutant})",
            took.as_secs_f64(),
            trial.case.id
        );
    }
}

#[test]
fn the_reference_passes_and_each_mutant_is_caught_by_every_case_that_names_it() {
    let (mutants, suites) = (mutants(), suites());
    let profiles = ProfileSet::built_in();
    let only = std::env::var(ONLY).unwrap_or_default();
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let mut trials = Vec::new();
    let mut findings = Vec::new();
    for case in cases.filter(|case| case.id.contains(&only)) {
        trials.push(Trial { case, mutant: None });
        for name in &case.caught_by {
            let side = if name.starts_with("phone/") {
                Side::Phone
            } else {
                Side::Server
            };
            match mutants.find(side, name) {
                Ok(mutant) => trials.push(Trial {
                    case,
                    mutant: Some(mutant),
                }),
                Err(fault) => findings.push(format!("{}: {fault}", case.id)),
            }
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let told = certify::each(&trials, threads, |trial| {
        let began = Instant::now();
        let bench = bench(&profiles, &mutants, trial.mutant.as_ref());
        let found = finding(trial, &certify::run_case(trial.case, &bench));
        (began.elapsed(), found)
    });
    tell_slowest(&trials, told.iter().map(|(took, _)| *took));
    findings.extend(told.into_iter().filter_map(|(_, found)| found));
    let count = findings.len();
    findings.truncate(TOLD_MAX);
    assert!(
        findings.is_empty(),
        "{count} of {} trials:\n{}",
        trials.len(),
        findings.join("\n")
    );
}

#[test]
fn no_case_without_a_mutant_and_no_mutant_that_breaks_nothing() {
    let (mutants, suites) = (mutants(), suites());
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let without: Vec<_> = cases()
        .filter(|case| case.caught_by.is_empty())
        .map(|case| &case.id)
        .collect();
    assert!(
        without.is_empty(),
        "cases that nothing makes fail: {without:?}"
    );
    let caught = cases().flat_map(|case| &case.caught_by);
    let given = cases().flat_map(|case| &case.server);
    let named: BTreeSet<&str> = caught.chain(given).map(String::as_str).collect();
    let idle: Vec<_> = mutants
        .iter()
        .map(|mutant| mutant.name.as_str())
        .filter(|name| !named.contains(name))
        .collect();
    assert!(idle.is_empty(), "mutants that break nothing: {idle:?}");
}

#[test]
fn mutants_of_phones_fit_the_profiles_that_they_are_meant_for() {
    let profiles = ProfileSet::built_in();
    let vendors: BTreeMap<&str, ()> = profiles.vendors().into_iter().map(|it| (it, ())).collect();
    for mutant in mutants().iter().filter(|it| it.side == Side::Phone) {
        let area = mutant.name.split('/').nth(1).unwrap();
        let of_area =
            |name: &&str| name.split('/').next() == Some(area) || !vendors.contains_key(area);
        let overlay = bootstorm_emulator::profile::set::Overlay {
            over: mutant.overlay.as_ref(),
            removed: &mutant.removed,
            place: &mutant.place,
        };
        let mut fitting = profiles.names().filter(of_area);
        let fits = fitting.any(|name| profiles.overlaid(name, &[overlay]).is_ok());
        let faults = profiles.names().find(of_area).map(|name| {
            profiles
                .overlaid(name, &[overlay])
                .err()
                .map(|it| it.to_string())
        });
        assert!(fits, "{}: {faults:?}", mutant.name);
    }
}
