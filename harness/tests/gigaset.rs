//! The Gigaset page on provisioning files, clause by clause, on the wire of a simulated network.

#[path = "gigaset/damage.rs"]
mod damage;
#[path = "gigaset/firmware.rs"]
mod firmware;
#[path = "gigaset/lists.rs"]
mod lists;
#[path = "gigaset/requests.rs"]
mod requests;
#[path = "gigaset/settings.rs"]
mod settings;
#[path = "gigaset/sources.rs"]
mod sources;
#[path = "gigaset/steps.rs"]
mod steps;
#[path = "gigaset/triggers.rs"]
mod triggers;
#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_emulator::event::{EventKind, Fault, RunResult};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::{Profile, StepId};
use world::{SERVER, World};

const MODEL: &str = "gigaset/maxwell-3";
/// The parameter that holds the version of the settings applied last (GIG-37).
const STORED: &str = "System.Provision.SettingsVersion";
const FIRST: &str = "2015-01-01_01:01:01";
const SECOND: &str = "2015-02-02_02:02:02";
const LISTS: [&str; 4] = [
    "/device",
    "/device/provisioning.xml",
    "/device/provisioning.xml",
    "/device/7c2f80123456.xml",
];
const IMAGE: &[u8] = b"\x7fimage of a firmware";

/// A phone that option 114 leads to the directory of GIG-06.
fn phone() -> World {
    World::new(MODEL).option(114, "http://10.0.0.2/device")
}

/// The same with a changed profile.
fn changed(change: impl FnOnce(&mut Profile)) -> World {
    let held = ProfileSet::built_in().get(MODEL).unwrap();
    let mut profile = Profile::clone(&held);
    change(&mut profile);
    let world = World::of(Arc::new(profile), SERVER, Ipv4Addr::new(10, 1, 0, 1), 1);
    world.option(114, "http://10.0.0.2/device")
}

/// A phone whose `provisioning.xml` has these categories, each with its URL.
fn with_categories(categories: &[(&str, &str)]) -> World {
    phone().file("device/provisioning.xml", provisioning(categories))
}

/// A phone whose only category is this settings list, and the list leads to this settings file.
fn with_settings(list: &str, settings: &str) -> World {
    with_categories(&[("nvm", "/nvm/updates.xml")])
        .file("nvm/updates.xml", list)
        .file("nvm/settings.xml", settings)
}

fn xml(body: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}\n")
}

fn provisioning(categories: &[(&str, &str)]) -> String {
    let lines: String = categories
        .iter()
        .map(|(kind, url)| format!("<category type=\"{kind}\" url=\"{url}\"/>\n"))
        .collect();
    xml(&format!(
        "<provisioning version=\"1.0\" productID=\"mx3b\">\n{lines}</provisioning>"
    ))
}

/// A list of versions: `firmware` or `nvm`.
fn list(root: &str, files: &[(&str, &str)]) -> String {
    let lines: String = files
        .iter()
        .map(|(version, url)| format!("<file version=\"{version}\" url=\"{url}\"/>\n"))
        .collect();
    xml(&format!(
        "<{root} version=\"1.0\" productID=\"mx3b\">\n{lines}</{root}>"
    ))
}

fn settings(version: &str, params: &[(&str, &str)]) -> String {
    let lines: String = params
        .iter()
        .map(|(name, value)| format!("<param name=\"{name}\" value=\"{value}\"/>\n"))
        .collect();
    xml(&format!(
        "<settings version=\"{version}\" productID=\"mx3b\">\n{lines}</settings>"
    ))
}

/// One settings file of a version that sets the phone's first account name.
fn nvm(version: &str) -> String {
    list("nvm", &[(version, "/nvm/settings.xml")])
}

fn named(name: &str) -> String {
    settings("1.0", &[("SIP.Account.0.AccountName", name)])
}

fn name_held(world: &World) -> Option<String> {
    world.held("SIP.Account.0.AccountName")
}

fn skipped(world: &World, wanted: Fault) -> bool {
    world.any(|kind| matches!(kind, EventKind::DocumentSkipped { fault, .. } if *fault == wanted))
}

fn gave_up(world: &World, step: StepId, fault: Fault) -> bool {
    world.has(EventKind::GaveUp { step, fault })
}

#[track_caller]
fn ended(world: &World, wanted: RunResult) {
    let results: Vec<_> = world
        .kinds()
        .filter_map(|kind| match kind {
            EventKind::RunEnded(result) => Some(result),
            _ => None,
        })
        .collect();
    assert_eq!(results.last(), Some(&wanted), "{results:?}");
}
