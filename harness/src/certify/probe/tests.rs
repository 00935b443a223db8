use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::case::CaseVerdict;
use bootstorm_scenarios::suite::{self, Side};

use crate::certify::{Bench, run_cases};

/// The reference server has nothing to learn from the protocol suite.
#[test]
fn the_reference_server_passes_the_protocol_suite() {
    let suites = suite::read_built_in().unwrap_or_else(|faults| panic!("{faults}"));
    let cases: Vec<_> = suites
        .iter()
        .filter(|suite| suite.side == Side::Server && suite.name == "protocol")
        .flat_map(|suite| &suite.cases)
        .collect();
    assert!(cases.len() >= 45, "{}", cases.len());
    let mut failed = String::new();
    let bench = Bench {
        profiles: ProfileSet::built_in(),
        ..Bench::default()
    };
    for result in run_cases(&cases, &bench, 2) {
        if result.verdict != CaseVerdict::Pass {
            let exchange = result.exchange.join("\n    ");
            failed.push_str(&format!(
                "{}: {}: {}\n    {exchange}\n",
                result.id,
                result.verdict.word(),
                result.reason
            ));
        }
    }
    assert!(failed.is_empty(), "{failed}");
}
