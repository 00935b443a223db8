//! Whether a case can be carried out with a handset at a place: a handset cannot be made to be what
//! a virtual phone simply is. What cannot be is inconclusive, never the handset's fault.

use std::time::Duration;

use bootstorm_emulator::profile::Param;
use bootstorm_scenarios::lab::LabPlace;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{Action, Discovery, Scenario, Transport};
use bootstorm_scenarios::suite::Case;

/// The longest case that is carried out by day.
const DAY_MAX: Duration = Duration::from_secs(900);

/// Why a case cannot be carried out, in one sentence; `None` = it can. `plan` is the case's, `own`
/// the place's: how the handset was set up by hand.
#[must_use]
pub fn why_not(
    case: &Case,
    plan: &Plan,
    own: &Plan,
    place: &LabPlace,
    nightly: bool,
) -> Option<String> {
    let scenario = &plan.scenario;
    if !case.probes.is_empty() {
        return Some("clients stand in for the phone in this case".to_owned());
    }
    if let Some(why) = beyond(scenario) {
        return Some(why.to_owned());
    }
    let lasts = least(scenario);
    if lasts > DAY_MAX && !nightly {
        let minutes = lasts.as_secs().div_ceil(60);
        return Some(format!("it takes {minutes} minutes or more (--nightly)"));
    }
    let fleet = scenario.fleets.first()?;
    let flashes = fleet.firmware.is_some()
        || scenario
            .steps
            .iter()
            .any(|step| step.change.as_ref().is_some_and(|it| it.firmware.is_some()));
    if flashes && !place.flashes {
        let why = "it installs made-up firmware (the place says flashes = true if it may)";
        return Some(why.to_owned());
    }
    let verifies = plan.profiles.iter().any(|it| it.http.verify_certificate);
    let secure = fleet.transport == Transport::Https || fleet.source == Discovery::Redirect;
    if verifies && secure {
        let why = "the handset verifies certificates and does not know who signed the reference \
                   server's";
        return Some(why.to_owned());
    }
    by_hand(plan, own)
}

/// What only a simulated world has.
fn beyond(scenario: &Scenario) -> Option<&'static str> {
    let fleet = scenario.fleets.first()?;
    let outage =
        |action: &Action| matches!(action, Action::ServerDown { .. } | Action::ServerUp { .. });
    if fleet.link.is_some() || scenario.link != Default::default() {
        return Some("it disturbs the network, which only a simulated one lets be done");
    }
    if fleet.operator.is_some() {
        return Some("somebody must type at the handset's display");
    }
    if scenario.steps.iter().any(|step| outage(&step.action)) {
        return Some("the server goes away in it, which the lab's does not");
    }
    if scenario.time_scale != 1.0 {
        return Some("its times are not real ones");
    }
    None
}

/// The least time that a case takes.
fn least(scenario: &Scenario) -> Duration {
    let waits = scenario.steps.iter().map(|step| match step.action {
        Action::Wait(time) => time,
        Action::PowerCycle { off, .. } => off,
        _ => Duration::ZERO,
    });
    scenario.lasts + waits.sum::<Duration>()
}

/// What the handset's web page must say and does not.
fn by_hand(plan: &Plan, own: &Plan) -> Option<String> {
    let (phone, other) = (plan.phone(0)?, own.phone(0)?);
    let wanted = plan.web_fields(&phone);
    let held = own.web_fields(&other);
    let default = |param: Param| {
        let spec = plan.profile(&phone)?.params.get(param as usize)?;
        Some(spec.default.source().to_owned())
    };
    let value = |fields: &[(Param, String)], param: Param| {
        let given = fields.iter().find(|(known, _)| *known == param);
        given
            .map(|(_, value)| value.clone())
            .or_else(|| default(param))
    };
    let differs = |param: &Param| value(&wanted, *param) != value(&held, *param);
    let params = wanted.iter().chain(&held).map(|(param, _)| *param);
    let mut params: Vec<Param> = params.filter(differs).collect();
    params.sort_unstable();
    params.dedup();
    let named = params.iter().map(|param| {
        let known = Param::ALL.iter().find(|(known, _)| known == param);
        let name = known.map_or("", |(_, name)| *name);
        match name.contains("password") || name.contains("key") {
            true => name.to_owned(),
            false => format!("{name} = {:?}", value(&wanted, *param).unwrap_or_default()),
        }
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| {
        format!(
            "the handset's web page must say {} (once it does, say so in the place's \
             content.fleet.web)",
            named.join(", ")
        )
    })
}
