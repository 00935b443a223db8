//! Runs that say nothing about the subject: it was not there, or the generator was not exact.

use std::time::Duration;

use bootstorm_reports::measure::Ladder;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_scenarios::plan::Plan;

use super::{Ended, Orders, Recorded, RunFault, afield, facts, tell_endpoints, tell_losses};
use crate::attach::loopback::Losses;
use crate::attach::reach::Reach;
use crate::attach::underway::Lateness;
use crate::subject::Subject;

/// In a run that is to be exact, the mean lateness of links may be this part of the delay.
const INEXACT: u32 = 5;

/// Why a run is not exact enough for a search: the delays of links were much longer than those of
/// the scenario.
pub(super) fn inexact(plan: &Plan, late: Lateness) -> Option<String> {
    let fleets = plan.scenario.fleets.iter();
    let delays = fleets.map(|fleet| plan.scenario.link_of(fleet).delay);
    let least = delays.filter(|delay| !delay.is_zero()).min()?;
    let mean = late.mean();
    (mean > least / INEXACT).then(|| {
        let mean = mean.as_secs_f64() * 1_000.0;
        format!("what crossed the phones' links was {mean:.1} ms late on average")
    })
}

/// A run that was not begun, since the subject is not there.
///
/// # Errors
/// `RunFault::Books`.
pub fn absent(
    plan: &Plan,
    subject: &Subject,
    orders: &Orders,
    (attachment, why): (&str, String),
) -> Result<Ended, RunFault> {
    let mut facts = facts(plan, orders, attachment, Duration::ZERO);
    tell_losses(&mut facts, subject, Losses::default(), 0);
    match subject.reach == Reach::LOOPBACK {
        true => tell_endpoints(&mut facts, subject),
        false => afield::tell(&mut facts, plan, subject),
    }
    facts.limits.clear();
    facts.planned = 0;
    facts.absent = Some(why);
    let redactor = Redactor::new(plan.scenario.seed);
    let report = Report::new(facts, Ladder::default(), Vec::new(), &redactor)?;
    Ok(Ended {
        report,
        transcript: Vec::new(),
        bytes_per_phone: 0,
        records: Vec::new(),
        recorded: Recorded::default(),
        findings: Vec::new(),
        states: Vec::new(),
        strays: 0,
    })
}
