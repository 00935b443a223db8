//! Every layout of documents that name others is written, found, followed and applied: in the end
//! each phone holds what the scenario meant, and nothing else.

#[path = "layouts/modules.rs"]
mod modules;

use std::sync::Arc;

use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

/// Boots three phones of a fleet; the log and how many were provisioned.
fn boot(fleet: &str) -> (String, u32) {
    let text = format!(
        "name = \"layouts\"\ntime_scale = 0.01\ndeadline_s = 60\n\
         [[fleet]]\nname = \"three\"\nphones = 3\n{fleet}"
    );
    let scenario = scenario::read("layouts.toml", &text).expect("a sound scenario");
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER).expect("a plan");
    let plan = Arc::new(plan);
    let source = provision::tree(&plan).expect("content");
    let config = provision::reference(&plan, source, SIMULATED_POOL);
    let orders = Orders {
        shards: 1,
        transcript: true,
        ..Orders::default()
    };
    let ended = run::simulate(&plan, Reference::new(config), &orders).expect("a run");
    let mut log = String::from_utf8_lossy(&ended.transcript).into_owned();
    for phone in ended.report.phones() {
        if let Some(difference) = &phone.difference {
            log.push_str(&format!("{difference:?}\n"));
        }
    }
    (log, ended.report.counts().of(Outcome::Provisioned))
}

/// All are provisioned, and the log of the first phone has these in this order.
#[track_caller]
fn boots(fleet: &str, parts: &[&str]) {
    boots_as("7c2f80000000", fleet, parts);
}

/// The same for a fleet whose first phone has this MAC.
#[track_caller]
fn boots_as(mac: &str, fleet: &str, parts: &[&str]) {
    let (log, provisioned) = boot(fleet);
    assert_eq!(provisioned, 3, "{log}");
    let mac = format!(" {mac} ");
    let of_first = log.lines().filter(|line| line.contains(&mac));
    let of_first: Vec<_> = of_first.collect();
    let of_first = of_first.join("\n");
    let mut rest = of_first.as_str();
    for part in parts {
        let Some(at) = rest.find(part) else {
            panic!("no {part:?} in its place in:\n{of_first}");
        };
        rest = &rest[at + part.len()..];
    }
}

const MAXWELL: &str = "[fleet.profiles]\n\"gigaset/maxwell-3\" = 1\n\
    [fleet.common]\n\"SIP.Port\" = \"5060\"\n\"SIP.Timers.Session\" = \"3600\"\n\
    [fleet.own]\n\"SIP.Account.0.AuthName\" = \" u{index} \"\n\
    \"SIP.Account.0.AuthPassword\" = \"p<&>{mac}\"\n";

/// A fleet of Maxwells.
fn maxwell(source: &str, layout: &str, further: &str) -> String {
    format!(
        "source = \"{source}\"\ntransport = \"http\"\nlayout = \"{layout}\"\n\
         root = \"device\"\n{further}{MAXWELL}"
    )
}

#[test]
fn catalogues_lead_to_firmware_settings_and_certificates() {
    // GIG-17 … GIG-48: firmware first, then a reboot; settings; certificates in both encodings.
    let fleet = maxwell("dhcp", "catalogue", "firmware = \"1.11.6\"\n");
    boots(
        &fleet,
        &[
            "provisioning.xml",
            "firmware/updates.xml",
            "GC_MAX_1.11.6.bin",
            "nvm/updates.xml",
            "nvm/7c2f80000000.xml",
            "custom/updates.xml",
            "CA.pem",
            "CA.der",
        ],
    );
}

#[test]
fn catalogues_are_found_by_sources_that_could_name_a_file() {
    // GIG-14, GIG-17: the settings alone would hold everything, but not the lists around them.
    for source in ["pnp", "redirect"] {
        let fleet = maxwell(source, "catalogue", "firmware = \"1.11.6\"\n");
        let parts = [
            "provisioning.xml",
            "GC_MAX_1.11.6.bin",
            "nvm/updates.xml",
            "CA.der",
        ];
        boots(&fleet, &parts);
    }
    // One that the list of requests ends with is named by itself.
    boots(
        &maxwell("pnp", "own", ""),
        &["candidate", "/device/7c2f80000000.xml"],
    );
}

#[test]
fn a_single_file_leads_on_to_the_phones_own() {
    let fleet = maxwell("dhcp", "single", "firmware = \"1.11.6\"\n");
    boots(
        &fleet,
        &[
            "provisioning.xml",
            "GC_MAX_1.11.6.bin",
            "own/7c2f80000000.xml",
        ],
    );
}

#[test]
fn a_file_called_like_the_mac_is_the_last_resort() {
    // GIG-07, GIG-08, GIG-42
    let fleet = maxwell("dhcp", "own", "");
    let twice = "missing provisioning.xml";
    boots(&fleet, &[twice, twice, "fetched 7c2f80000000.xml"]);
}

#[test]
fn a_link_to_a_file_needs_no_name_of_the_list() {
    // GIG-14
    let fleet = maxwell("pnp", "given", "");
    let (log, provisioned) = boot(&fleet);
    assert_eq!(provisioned, 3, "{log}");
    assert!(log.contains("phones/7c2f80000000-all.xml"), "{log}");
    assert!(!log.contains("provisioning.xml"), "{log}");
}

const COMFORTEL: &str = "[fleet.profiles]\n\"auerswald/comfortel-d-200\" = 1\n\
    [fleet.common]\n\"provisioning/execution/boot\" = \"true\"\n\
    \"provisioning/execution/time\" = \"03:00\"\n\
    [fleet.own]\n\"users/user[@id='1']/username\" = \"u{index}\"\n\
    \"users/user[@id='1']/password\" = \"p<&>{mac}\"\n";

/// A fleet of COMfortels.
fn comfortel(source: &str, layout: &str) -> String {
    format!(
        "source = \"{source}\"\ntransport = \"http\"\nlayout = \"{layout}\"\n\
         root = \"prov\"\n{COMFORTEL}"
    )
}

#[test]
fn a_backup_for_each_phone_is_its_settings() {
    // AUE-48, AUE-49
    let (log, provisioned) = boot(&comfortel("fixed", "backup"));
    assert_eq!(provisioned, 3, "{log}");
    assert!(log.contains("prov/000952000000.xml"), "{log}");
}

#[test]
fn references_lead_to_what_is_shared_what_is_the_phones_own_and_operations() {
    // AUE-57 … AUE-62, AUE-50, AUE-51, AUE-72
    let (log, provisioned) = boot(&comfortel("fixed", "references"));
    assert_eq!(provisioned, 3, "{log}");
    for file in [
        "prov/references.xml",
        "prov/common.xml",
        "prov/own/000952000000.xml",
        "prov/operations.xml",
    ] {
        assert!(log.contains(file), "{file}: {log}");
    }
}

#[test]
fn operations_can_bring_what_is_the_phones_own() {
    // AUE-74
    let (log, provisioned) = boot(&comfortel("dhcp", "operations"));
    assert_eq!(provisioned, 3, "{log}");
    assert!(log.contains("prov/000952000000-operations.xml"), "{log}");
}
