//! What became of the steps of a scenario and of its expressions: over the fleet, each phone and
//! each step.

use bootstorm_reports::case::ThresholdResult;
use bootstorm_reports::report::Milestones;
use bootstorm_reports::run::{Outcome, PhoneResult, RunFacts, StepResult};
use bootstorm_scenarios::load_shape::LoadShape;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{Action, Step};
use bootstorm_scenarios::threshold::{Condition, Told};

use crate::fleet::figures::{Sums, of_phone, of_step};
use crate::fleet::steps::StepCount;
use crate::fleet::watch::{Ending, Watch};

/// What is expected of a soak, whatever else is.
const ROUNDS: &str = "each round of the soak ends with the phone as intended";

/// Judges a run: what its steps came to, and its expressions; says what a reader must know.
pub(super) fn judge(
    plan: &Plan,
    facts: &mut RunFacts,
    sums: &mut Sums,
    phones: &[PhoneResult],
    (steps, watch): (&[StepCount], Option<&Watch>),
) {
    facts.steps = told_steps(plan, steps);
    sums.registered = facts.registered;
    sums.lag = facts.generator.lag_max;
    sums.elapsed = facts.elapsed;
    phones.iter().for_each(|phone| sums.count(phone));
    facts.notes.extend(notes(plan, phones, sums));
    let ending = watch.and_then(Watch::ending);
    facts.thresholds = results(plan, sums, phones, &facts.steps, ending.as_ref());
}

/// Every expression with what it comes to: thresholds first, then phones, then steps.
fn results(
    plan: &Plan,
    sums: &Sums,
    phones: &[PhoneResult],
    steps: &[StepResult],
    ending: Option<&Ending>,
) -> Vec<ThresholdResult> {
    let expected = &plan.scenario.expected;
    let mut results = Vec::new();
    let figures = match expected.thresholds.is_empty() {
        true => None,
        false => Some(sums.figures()),
    };
    for (place, threshold) in expected.thresholds.iter().enumerate() {
        let expression = &threshold.that.expression;
        let ended = ending.filter(|ending| ending.threshold == place);
        let told = match (ended, &figures) {
            (Some(ending), _) => ending.told.clone(),
            (None, Some(figures)) => expression.evaluate(figures),
            (None, None) => continue,
        };
        results.push(ThresholdResult {
            expression: expression.text().to_owned(),
            met: told.met,
            actual: told.actual,
            aborted_at_us: ended.map(|ending| ending.at.nanos() / 1_000),
        });
    }
    if plan.scenario.load.rounds().is_some() {
        let (judged, failed) = sums.rounds;
        results.push(ThresholdResult {
            expression: ROUNDS.to_owned(),
            met: (judged > 0).then_some(failed == 0),
            actual: format!("{} of {judged} rounds", judged - failed),
            aborted_at_us: None,
        });
    }
    let of_phones = expected.phone.iter();
    results.extend(of_phones.map(|condition| each_phone(plan, condition, phones)));
    for (number, (step, result)) in (1..).zip(plan.scenario.steps.iter().zip(steps)) {
        let told = step
            .expect
            .iter()
            .map(|condition| of_one_step(number, condition, result));
        results.extend(told);
    }
    results
}

fn of_one_step(number: u32, condition: &Condition, result: &StepResult) -> ThresholdResult {
    let expression = &condition.expression;
    let told = match result.not_taken {
        true => Told {
            met: None,
            actual: "the step was not taken".to_owned(),
        },
        false => expression.evaluate(&of_step(result)),
    };
    ThresholdResult {
        expression: format!("step {number}, {}: {}", result.what, expression.text()),
        met: told.met,
        actual: told.actual,
        aborted_at_us: None,
    }
}

/// What is expected of each phone. One that was never switched on tells nothing; one without a
/// value that is asked for, since it never came so far, does not meet it.
fn each_phone(plan: &Plan, condition: &Condition, phones: &[PhoneResult]) -> ThresholdResult {
    let expression = &condition.expression;
    let (mut met, mut judged) = (0_usize, 0_usize);
    let mut first: Option<(u32, String)> = None;
    let started = phones.iter();
    for phone in started.filter(|it| it.outcome != Outcome::NotStarted) {
        judged += 1;
        let planned = plan.phone(phone.index);
        let fleet = planned.and_then(|planned| plan.fleet(&planned));
        let told = expression.evaluate(&of_phone(phone, fleet.map_or("", |it| &it.name)));
        if told.met == Some(true) {
            met += 1;
        } else if first.as_ref().is_none_or(|(index, _)| phone.index < *index) {
            first = Some((phone.index, told.actual));
        }
    }
    let mut actual = format!("{met} of {judged} phones");
    if let Some((index, values)) = first {
        actual.push_str(&format!("; first not phone {index}: {values}"));
    }
    ThresholdResult {
        expression: format!("each phone: {}", expression.text()),
        met: (judged > 0).then_some(met == judged),
        actual,
        aborted_at_us: None,
    }
}

/// What a reader must know of the steps and of how power came back.
fn notes(plan: &Plan, phones: &[PhoneResult], sums: &Sums) -> Vec<String> {
    let mut notes = Vec::new();
    if let LoadShape::PowerReturn(_) = plan.scenario.load {
        let reached = Milestones::provisioned(phones);
        let shares = [(50, reached.p50), (95, reached.p95), (100, reached.p100)];
        let shares = shares.map(|(share, at)| match at {
            Some(at) => format!("{share} % after {:.1} s", at.as_secs_f64()),
            None => format!("{share} % never"),
        });
        let (retried, given_up) = sums.wasted();
        notes.push(format!(
            "after power came back phones were provisioned: {}; {} requests were wasted \
             ({retried} sent again after silence, {given_up} given up)",
            shares.join(", "),
            retried + given_up
        ));
    }
    let steps = plan.scenario.steps.iter();
    let outages = steps.filter(|step| matches!(step.action, Action::ServerDown { .. }));
    if outages.clone().any(|step| step.command.is_none()) {
        notes.push(
            "the outage was made on the phones' side: what they and the server sent was lost"
                .to_owned(),
        );
    }
    notes
}

/// Adds what came of the steps in another shard.
pub(super) fn add_steps(all: &mut Vec<StepCount>, more: &[StepCount]) {
    all.resize(all.len().max(more.len()), StepCount::default());
    for (held, more) in all.iter_mut().zip(more) {
        *held = held.and(*more);
    }
}

/// What the scenario's steps came to, for the report.
fn told_steps(plan: &Plan, counts: &[StepCount]) -> Vec<StepResult> {
    let steps = plan.scenario.steps.iter().enumerate();
    let told = steps.map(|(place, step)| {
        let what = step_name(step);
        let Some(count) = counts.get(place) else {
            return StepResult {
                what,
                not_taken: true,
                ..StepResult::default()
            };
        };
        StepResult {
            what,
            planned: count.planned,
            unreachable: count.unreachable,
            registered: count.registered,
            accepted: count.answers.accepted,
            refused: count.answers.refused,
            silent: count.answers.silent,
            resynced: count.effect.resynced,
            not_taken: false,
            ignored: count.effect.ignored,
        }
    });
    told.collect()
}

fn step_name(step: &Step) -> String {
    let mut what = match step.action {
        Action::CheckSync { reboot: None } => "check-sync".to_owned(),
        Action::CheckSync {
            reboot: Some(reboot),
        } => format!("check-sync;reboot={reboot}"),
        Action::ConnectionRequest => "connection request".to_owned(),
        Action::PnpNotify => "PnP NOTIFY".to_owned(),
        Action::PowerCycle { .. } => "power cycle".to_owned(),
        Action::Content => {
            let firmware = step.change.as_ref().and_then(|it| it.firmware.as_ref());
            firmware.map_or_else(
                || "content".to_owned(),
                |version| format!("firmware {version}"),
            )
        }
        Action::ServerDown { services, refuse } => {
            let how = if refuse { "refuses" } else { "is silent" };
            format!("server {how} ({})", services.words())
        }
        Action::ServerUp { services } => format!("server is back ({})", services.words()),
        Action::Wait(time) => format!("wait {} s", time.as_secs_f64()),
    };
    if let Some(fleet) = &step.fleet {
        what.push_str(&format!(" to {fleet}"));
    }
    if step.part.of > 1 {
        what.push_str(&format!(
            ", wave {} of {}",
            step.part.number + 1,
            step.part.of
        ));
    }
    what
}
