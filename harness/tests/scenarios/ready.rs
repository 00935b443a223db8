//! The scenarios that come with the program are met by the reference server.

use bootstorm_reports::verdict::Class;
use bootstorm_scenarios::load_shape::LoadShape;
use bootstorm_scenarios::scenario::built_in;

use super::*;

/// Runs a ready scenario with fewer phones; its verdict must be met, whatever it asks for.
#[track_caller]
fn is_met(name: &str, phones: u32) -> Ended {
    is_met_when(name, phones, |_| {})
}

/// The same of one that is changed.
#[track_caller]
fn is_met_when(name: &str, phones: u32, change: impl FnOnce(&mut Scenario)) -> Ended {
    let known = built_in().iter().find(|(known, _)| *known == name);
    let (_, text) = known.unwrap_or_else(|| panic!("no scenario {name}"));
    let mut scenario = read(text);
    scenario.resize(phones);
    change(&mut scenario);
    let ended = boot(scenario);
    let verdict = ended.report.verdict();
    let facts = ended.report.facts();
    assert_eq!(
        verdict.class,
        Class::Met,
        "{}\n{:#?}\n{:#?}\n{:#?}\n{}",
        verdict.sentence,
        facts.steps,
        facts.thresholds,
        ended.report.groups(),
        transcript(&ended)
    );
    ended
}

#[test]
fn an_office_comes_in_floor_by_floor() {
    let ended = is_met("office-morning", 110);
    // The last floor began after 25 s.
    let last = ended.report.provisioned().p100.expect("all provisioned");
    assert!(last.as_secs() >= 25, "{last:?}");
    assert_eq!(
        threshold(&ended, "each phone: outcome").actual,
        "110 of 110 phones"
    );
}

#[test]
fn power_returns_and_the_blackout_is_told() {
    let ended = is_met("power-return", 250);
    let notes = &ended.report.facts().notes;
    let note = notes
        .iter()
        .find(|note| note.starts_with("after power came back"));
    let note = note.unwrap_or_else(|| panic!("{notes:?}"));
    for share in [
        "50 % after",
        "95 % after",
        "100 % after",
        "requests were wasted",
    ] {
        assert!(note.contains(share), "{note}");
    }
}

#[test]
fn firmware_is_rolled_out_wave_by_wave() {
    let ended = is_met("firmware-rollout", 60);
    assert_eq!(ended.report.facts().steps.len(), 5 + 4 + 2 + 2 + 1 + 1);
    let installed = ended.report.ladder().totals.firmware_installed;
    // All but the fleet whose settings changed instead.
    assert_eq!(installed, 54);
}

#[test]
fn phones_outlive_a_server_that_goes_away() {
    // As many a second, in proportion.
    let slower = |scenario: &mut Scenario| scenario.load = LoadShape::Rate { per_s: 4.0 };
    let ended = is_met_when("server-outage", 100, slower);
    let row = ended.report.ladder().rows.values().map(|row| row.retried);
    assert!(row.sum::<u64>() > 0);
    let notes = &ended.report.facts().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("the outage was made")),
        "{notes:?}"
    );
}

#[test]
fn registered_phones_take_a_storm_of_check_syncs() {
    let ended = is_met("check-sync-storm", 60);
    assert_eq!(ended.report.facts().steps[0].resynced, 60);
}

#[test]
fn a_soak_judges_every_round() {
    let ended = is_met("soak", 50);
    // 60 s hold six rounds of ten seconds for the first phone, five for those that came later.
    assert_eq!(threshold(&ended, "each round").actual, "251 of 251 rounds");
    assert_eq!(threshold(&ended, "rounds > 0").met, Some(true));
}
