//! `bootstorm run`

use std::sync::Arc;

use bootstorm_reports::html::live::Run as About;
use bootstorm_scenarios::plan::Plan;
use clap::ValueEnum as _;

use super::boot::{
    ENDING, Given, boot, deliver, orders, plan, planned, results_are_writable, scenario,
};
use super::dashboard::Dashboard;
use super::deliver::CAPTURE;
use super::live::{Live, catch_interrupt};
use super::{Exit, RunArguments, Shared, Trouble, find, load};
use crate::capture;
use crate::run::Orders;

/// Boots a fleet and reports.
pub(super) fn run(shared: &Shared, arguments: &RunArguments) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let scenario = scenario(shared, arguments)?;
    let arguments = &arguments.completed(&scenario)?;
    if arguments.find.find.is_some() {
        return find::find(shared, arguments, &profiles);
    }
    let plan = plan(arguments, scenario, &profiles)?;
    if arguments.phone.is_some_and(|index| index >= plan.phones()) {
        let last = plan.phones().saturating_sub(1);
        return Err(Trouble::usage(format!(
            "--phone takes an index from 0 to {last}"
        )));
    }
    let given = Given::read(arguments, &plan)?;
    let mut orders = orders(shared, arguments, &plan);
    orders.wrong = arguments.phone_mutants.wrong(&profiles, &plan)?;
    capture::order(&mut orders, arguments.capture.into(), &plan);
    catch_interrupt(Arc::clone(&orders.stop), ENDING)?;
    results_are_writable(arguments, planned(arguments, &plan))?;
    announce(shared, arguments, &plan);
    let dashboard = dashboard(arguments, &plan, &orders)?;
    let live = Live::start(&orders, planned(arguments, &plan), shared.quiet);
    let ended = boot(arguments, given, &plan, &orders);
    live.end();
    let mut ended = ended?;
    // The report first: of a disk with little room it needs the less, and is worth the more.
    let delivered = deliver(shared, arguments, &ended);
    let captured = capture::write(&arguments.out.join(CAPTURE), &plan, &orders, &mut ended);
    if let Some(dashboard) = dashboard {
        let place = arguments.out.join("report.html").display().to_string();
        dashboard.end(ended.report.verdict(), place);
    }
    let exit = delivered?;
    captured.map_err(Trouble::own)?;
    Ok(exit)
}

/// The web page of the run, where it was asked for.
fn dashboard(
    arguments: &RunArguments,
    plan: &Plan,
    orders: &Orders,
) -> Result<Option<Dashboard>, Trouble> {
    let Some(address) = arguments.live else {
        return Ok(None);
    };
    let attachment = arguments.attachment().to_possible_value();
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: plan.scenario.name.clone(),
        attachment: attachment.map_or_else(String::new, |word| word.get_name().to_owned()),
        seed: plan.scenario.seed,
        planned: planned(arguments, plan),
        deadline: plan.scenario.deadline,
    };
    let progress = Arc::clone(&orders.progress);
    let dashboard = Dashboard::start(address, about, orders.started_at, progress)?;
    eprintln!("live: {}", dashboard.url());
    Ok(Some(dashboard))
}

fn announce(shared: &Shared, arguments: &RunArguments, plan: &Plan) {
    if shared.quiet {
        return;
    }
    let scale = plan.scenario.time_scale;
    let phones = planned(arguments, plan);
    let noun = if phones == 1 { "phone" } else { "phones" };
    eprintln!(
        "{}: {phones} {noun}, seed {}, policy times x {scale} (1 is faithful), deadline {} s",
        plan.scenario.name,
        plan.scenario.seed,
        plan.scenario.deadline.as_secs_f64()
    );
}
