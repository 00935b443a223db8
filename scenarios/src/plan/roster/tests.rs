use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;

use super::*;
use crate::inventory;
use crate::scenario::{Macs, read};

fn fleet(name: &str, more: &str) -> String {
    format!(
        "[[fleet]]\nname = \"{name}\"\nroot = \"{name}\"\nsource = \"dhcp\"\n\
         transport = \"http\"\nlayout = \"flat\"\nphones = 3\n{more}\n\
         profiles.\"flyingvoice/fip13g\" = 1\n"
    )
}

fn plan(head: &str, fleets: &[String]) -> Result<Plan, String> {
    let text = format!("name = \"x\"\n{head}\n{}", fleets.concat());
    let scenario = read("x.toml", &text).expect("a scenario");
    planned(scenario)
}

fn planned(scenario: Scenario) -> Result<Plan, String> {
    let server = Ipv4Addr::new(10, 0, 0, 2);
    Plan::new(scenario, &ProfileSet::built_in(), server).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        faults.join("\n")
    })
}

fn mac(text: &str) -> Mac {
    Mac::parse(text).expect("an address")
}

#[test]
fn phones_have_the_addresses_of_their_range_and_are_found_by_them() {
    let fleets = [fleet("one", ""), fleet("two", "macs = \"0021f2aa0000\"")];
    let plan = plan("", &fleets).expect("a plan");
    let phone = plan.phone(4).expect("a phone");
    assert_eq!(phone.identity.mac, mac("0021f2aa0001"));
    assert_eq!(plan.phone_with(phone.identity.mac), Some(phone));
    let made = plan.phone(1).expect("a phone");
    assert_eq!(plan.phone_with(made.identity.mac), Some(made));
    assert_eq!(plan.phone_with(mac("0021f2aa0003")), None);
}

#[test]
fn phones_of_an_inventory_hold_what_it_says_of_them() {
    let csv = "mac,profile,account.1.label\n0021f2bb0001,flyingvoice/fip10,Ann\n\
               0021f2bb0007,,Bob\n0021f2bb0003,flyingvoice/fip16,Cay\n";
    let text = format!("name = \"x\"\n{}", fleet("one", ""));
    let mut scenario = read("x.toml", &text).expect("a scenario");
    let fleet = &mut scenario.fleets[0];
    fleet.inventory = Some(Arc::new(
        inventory::read("p.csv", csv).expect("an inventory"),
    ));
    let hole = bootstorm_emulator::profile::template::Template::parse;
    let hole = hole("{inventory:account.1.label}").expect("a template");
    fleet.own = vec![("account.1.label".to_owned(), hole)];
    let plan = planned(scenario).expect("a plan");
    let phones: Vec<_> = (0..3).filter_map(|index| plan.phone(index)).collect();
    let told = |phone: &PhonePlan| {
        let profile = plan.profile(phone).map(|it| it.model.clone());
        (
            profile.unwrap_or_default(),
            plan.own_settings(phone)[0].1.clone(),
        )
    };
    let models: Vec<_> = phones.iter().map(told).collect();
    let expected = [("FIP10", "Ann"), ("FIP13G", "Bob"), ("FIP16", "Cay")];
    for ((model, label), (expected, name)) in models.iter().zip(expected) {
        assert_eq!(
            (model.to_uppercase().as_str(), label.as_str()),
            (expected, name)
        );
    }
    assert_eq!(plan.phone_with(mac("0021f2bb0003")), Some(phones[2]));
}

#[test]
fn a_profile_that_nobody_knows_is_told_at_its_cell() {
    let csv = "mac,profile\n0021f2bb0001,flyingvoice/fip99\n";
    let text = format!("name = \"x\"\n{}", fleet("one", ""));
    let mut scenario = read("x.toml", &text).expect("a scenario");
    scenario.fleets[0].inventory = inventory::read("p.csv", csv).ok().map(Arc::new);
    scenario.fleets[0].phones = 1;
    let fault = planned(scenario).expect_err("a fault");
    assert!(fault.starts_with("p.csv:2:14: fleet one: "), "{fault}");
}

#[test]
fn refuses_addresses_that_two_fleets_have() {
    let made = plan(
        "",
        &[fleet("one", ""), fleet("two", "macs = \"0021f2000002\"")],
    );
    let made = made.expect_err("a fault");
    let expected = "x.toml:12:1: fleet two: phones of fleet one have 0021f2000002 or another";
    assert!(made.starts_with(expected), "{made}");
    let given = |first: &str| fleet(first, &format!("macs = \"0021f2aa00{first}\""));
    assert!(plan("", &[given("00"), given("03")]).is_ok());
    let fault = plan("", &[given("00"), given("02")]).expect_err("a fault");
    assert!(fault.contains("0021f2aa0002"), "{fault}");
    // The last fleet's phones are made of the index 6, not of those of the range.
    assert!(plan("", &[given("00"), given("03"), fleet("x", "")]).is_ok());
}

#[test]
fn tells_a_stage_that_no_phone_goes_through() {
    let head = "thresholds = ['p99(\"DISCOVR\") < duration(\"1s\") || count(\"boot\") > 0']";
    let fault = plan(head, &[fleet("one", "")]).expect_err("a fault");
    let expected = "x.toml:2:21: no phone of this run has a stage \"DISCOVR\" (did you mean";
    assert!(fault.starts_with(expected), "{fault}");
}

#[test]
fn a_range_ends_with_its_last_address() {
    let macs = Macs {
        first: mac("0021f2fffffe"),
        last: mac("0021f2ffffff"),
    };
    assert_eq!(macs.at(1), mac("0021f2ffffff"));
    assert_eq!(macs.count(), 2);
}
