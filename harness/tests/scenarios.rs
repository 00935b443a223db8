//! What scenarios say, carried out on the simulated network: the ready fleets, thresholds, steps,
//! inventories.

#[path = "scenarios/expected.rs"]
mod expected;
#[path = "scenarios/identity.rs"]
mod identity;
#[path = "scenarios/ready.rs"]
mod ready;
#[path = "scenarios/steps.rs"]
mod steps;

use std::sync::Arc;

use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Ended, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::case::ThresholdResult;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{self, Scenario};

fn read(text: &str) -> Scenario {
    scenario::read("test.toml", text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Boots a scenario on the simulated network.
fn boot(scenario: Scenario) -> Ended {
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER);
    let plan = Arc::new(plan.unwrap_or_else(|faults| panic!("{faults:?}")));
    let source = provision::tree(&plan).expect("content");
    let config = provision::reference(&plan, source, SIMULATED_POOL);
    let orders = Orders {
        transcript: plan.phones() < 50,
        ..Orders::default()
    };
    run::simulate(&plan, Reference::new(config), &orders).expect("a report")
}

/// A scenario that begins with `head`, of phones of one model that take everything from one file.
fn desks(phones: u32, head: &str, tail: &str) -> String {
    format!(
        "name = \"test\"\ntime_scale = 0.01\n{head}\n[[fleet]]\nname = \"desks\"\n\
         phones = {phones}\nroot = \"site\"\nsource = \"dhcp\"\ntransport = \"tftp\"\n\
         layout = \"flat\"\nweb.pnp_enable = \"0\"\n[fleet.profiles]\n\"flyingvoice/fip13g\" = 1\n\
         [fleet.own]\n\"account.1.label\" = \"Desk {{index}}\"\n{tail}"
    )
}

fn transcript(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.transcript).into_owned()
}

fn count(ended: &Ended, outcome: Outcome) -> u32 {
    ended.report.counts().of(outcome)
}

#[track_caller]
fn threshold<'a>(ended: &'a Ended, expression: &str) -> &'a ThresholdResult {
    let thresholds = &ended.report.facts().thresholds;
    let found = thresholds
        .iter()
        .find(|it| it.expression.contains(expression));
    found.unwrap_or_else(|| panic!("no threshold {expression}: {thresholds:?}"))
}
