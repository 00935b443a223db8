//! The test suites of a run's phones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Case, PHONES_MAX, Status, Suite, Wrong, status_of};
use crate::case::ThresholdResult;
use crate::report::{Group, Report};
use crate::run::{Outcome, PhoneResult};
use crate::verdict::Class;

/// The class of the test cases that are about the whole run.
const RUN: &str = "run";

/// The verdict, the thresholds, the steps of each profile, and phones.
pub(super) fn suites(report: &Report) -> Vec<Suite> {
    let mut suites = Vec::new();
    let verdict = report.verdict();
    let has_phones = report.facts().planned > 0;
    let told_by_cases = matches!(
        verdict.class,
        Class::Met | Class::SubjectFailed | Class::OwnFault
    );
    // Of cases alone, each says for itself how it went, unless they are not all there.
    if has_phones || report.cases().is_empty() || !told_by_cases {
        let mut run = suite(RUN);
        run.cases.push(Case {
            time: report.facts().elapsed,
            ..case(RUN, "verdict", status_of(verdict.class, verdict.sentence))
        });
        suites.push(run);
    }
    if !report.facts().thresholds.is_empty() {
        let mut thresholds = suite("thresholds");
        let results = report.facts().thresholds.iter();
        thresholds.cases.extend(results.map(threshold));
        suites.push(thresholds);
    }
    if has_phones {
        suites.extend(steps(report));
        suites.extend(phones(report));
    }
    suites
}

fn suite(name: &str) -> Suite {
    Suite {
        name: name.to_owned(),
        cases: Vec::new(),
        out: String::new(),
        properties: Vec::new(),
    }
}

fn case(class: &str, name: &str, status: Status) -> Case {
    Case {
        class: class.to_owned(),
        name: name.to_owned(),
        time: Duration::ZERO,
        status,
        properties: Vec::new(),
        out: String::new(),
    }
}

fn threshold(result: &ThresholdResult) -> Case {
    let class = match result.met {
        Some(true) => Class::Met,
        Some(false) => Class::SubjectFailed,
        None => Class::Inconclusive,
    };
    let mut message = result.actual.clone();
    if let Some(at) = result.aborted_at_us {
        let seconds = Duration::from_micros(at).as_secs_f64();
        message.push_str(&format!("; ended the run after {seconds:.1} s"));
    }
    case("thresholds", &result.expression, status_of(class, message))
}

/// A suite for each profile, with a case for each step of its boot that some phone took.
fn steps(report: &Report) -> Vec<Suite> {
    let mut failures: BTreeMap<String, Vec<Group>> = BTreeMap::new();
    for group in report.groups() {
        failures
            .entry(group.profile.clone())
            .or_default()
            .push(group);
    }
    let mut counts: BTreeMap<&str, [u32; Outcome::ALL.len()]> = BTreeMap::new();
    for phone in report.phones() {
        counts.entry(&phone.profile).or_default()[phone.outcome as usize] += 1;
    }
    let taken: BTreeSet<&str> = report
        .ladder()
        .rows
        .iter()
        .filter(|(_, row)| !row.is_empty())
        .map(|(label, _)| label.as_str())
        .collect();
    let profiles = counts.into_iter().map(|(profile, counts)| {
        let groups = failures.remove(profile).unwrap_or_default();
        let mut labels: Vec<&str> = Vec::new();
        let orders = report.ladder().orders.iter();
        for (_, steps) in orders.filter(|(name, _)| name == profile) {
            let steps = steps.iter().map(String::as_str);
            let new: Vec<_> = steps.filter(|step| !labels.contains(step)).collect();
            labels.extend(new);
        }
        labels.retain(|label| taken.contains(label));
        let unnamed = groups.iter().map(|group| group.first.step.as_str());
        let unnamed: Vec<_> = unnamed.filter(|step| !labels.contains(step)).collect();
        labels.extend(unnamed);
        if !labels.contains(&crate::measure::SETTLED) {
            labels.push(crate::measure::SETTLED);
        }
        let mut suite = suite(profile);
        suite.cases.extend(labels.into_iter().map(|label| {
            let group = groups.iter().find(|group| group.first.step == label);
            case(profile, label, group.map_or(Status::Passed, lost))
        }));
        let outcomes = Outcome::ALL
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0);
        let outcomes = outcomes.map(|(outcome, count)| (outcome.word(), count.to_string()));
        suite.properties.extend(outcomes);
        suite
    });
    profiles.collect()
}

fn lost(group: &Group) -> Status {
    let noun = if group.phones == 1 { "phone" } else { "phones" };
    let others = match group.causes {
        0 | 1 => String::new(),
        causes => format!(" (and {} more)", causes - 1),
    };
    let mut text = format!("for example phone {}:\n{}\n", group.example, group.command);
    if let Some(difference) = &group.difference {
        text.push_str(&differs(difference));
    }
    Status::Failed(Wrong {
        kind: "fail",
        message: format!("{} {noun}: {}{others}", group.phones, group.first.text),
        text,
    })
}

fn differs(difference: &crate::run::Difference) -> String {
    let held = difference.held.as_deref();
    format!(
        "{}: expected \"{}\", held {}{}{}\n",
        difference.key,
        difference.expected,
        held.map_or_else(|| "nothing".to_owned(), |held| format!("\"{held}\"")),
        if difference.source.is_empty() {
            ""
        } else {
            " from "
        },
        difference.source
    )
}

/// Phones one by one: all of a small run, of a large one those that failed.
fn phones(report: &Report) -> Vec<Suite> {
    let all = report.phones();
    let few = all.len() <= PHONES_MAX;
    let failed = |phone: &&PhoneResult| {
        let fine = [Outcome::Provisioned, Outcome::Unverified];
        few || !fine.contains(&phone.outcome)
    };
    let mut by_profile: BTreeMap<&str, Suite> = BTreeMap::new();
    for phone in all.iter().filter(failed).take(PHONES_MAX) {
        let named = by_profile.entry(&phone.profile);
        let suite = named.or_insert_with(|| suite(&format!("{} phones", phone.profile)));
        suite.cases.push(one(phone, &suite.name));
    }
    let told: usize = by_profile.values().map(|suite| suite.cases.len()).sum();
    let mut suites: Vec<Suite> = by_profile.into_values().collect();
    if let Some(last) = suites.last_mut().filter(|_| !few) {
        let failing = all.iter().filter(failed).count();
        last.out = format!(
            "{told} of {failing} phones that did not succeed, of {} in all; report.json has the \
             rest\n",
            all.len()
        );
    }
    suites
}

fn one(phone: &PhoneResult, class: &str) -> Case {
    let first = phone.first_wrong.as_ref();
    let told =
        first.map(|first| format!("{} at {}: {}", phone.outcome.word(), first.step, first.text));
    let wrong = |kind| Wrong {
        kind,
        message: told.unwrap_or_else(|| phone.outcome.word().to_owned()),
        text: phone.difference.as_ref().map(differs).unwrap_or_default(),
    };
    let status = match phone.outcome {
        Outcome::Provisioned | Outcome::Unverified => Status::Passed,
        Outcome::Partial | Outcome::Failed => Status::Failed(wrong("fail")),
        Outcome::NotStarted => Status::Error(wrong("not started")),
        Outcome::Interrupted => Status::Error(wrong("interrupted")),
    };
    let settled = phone.provisioned_after.or(phone.settled_after);
    Case {
        time: settled.unwrap_or_default(),
        ..case(
            class,
            &format!("phone {} {}", phone.index, phone.mac),
            status,
        )
    }
}
