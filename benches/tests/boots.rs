//! The fleet that benchmarks boot really is provisioned, and only once.

use bootstorm::provision::{SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run;
use bootstorm_benches::{Load, orders};
use bootstorm_reports::run::Outcome;

#[test]
fn boots_each_phone_once_where_policy_times_are_0() {
    let load = Load::storm(40);
    let plan = load.plan(SIMULATED_SERVER).unwrap();
    let server = load.reference(&plan, SIMULATED_POOL).unwrap();
    let (result, elapsed) = run::simulate_shard(&plan, Reference::new(server), &orders(1));
    let provisioned = |outcome| outcome == Outcome::Provisioned;
    assert!(result.phones.iter().all(|phone| provisioned(phone.outcome)));
    // A period of 0 would start run after run in the same moment.
    assert_eq!(result.ladder.totals.runs, 40);
    assert_eq!(result.ladder.totals.files, 40 * 5);
    assert!(elapsed < plan.scenario.deadline);
    assert!(result.bytes_per_phone <= 2_048);
}
