//! What starts provisioning, what it never does, and files that come by hand.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::event::{
    BootCause, EventKind, Fault, File, RunResult, SectionFault, Trigger,
};
use bootstorm_emulator::phone::io::{Channel, WebAction};
use bootstorm_emulator::phone::stage::StageName;
use bootstorm_emulator::profile::{Param, StepId};
use bootstorm_emulator::time::Moment;

use crate::world::{SERVER, World};
use crate::{ended, references, stored, told, urls};

const URL: &str = "http://prov.server.com/prov.xml";

/// A provisioning section with these elements; the rest is left alone.
fn provisioning(elements: &str) -> String {
    format!(
        "<configuration><provisioning version=\"1.34.0\" patch=\"true\">{elements}\
         </provisioning></configuration>"
    )
}

fn started(world: &World) -> Vec<Trigger> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::RunStarted(trigger) => Some(trigger),
        _ => None,
    });
    kinds.collect()
}

/// Neither reboot nor soft reboot, whatever happened.
fn stayed_up(world: &World) -> bool {
    !world.any(|kind| matches!(kind, EventKind::Booting(cause) if *cause != BootCause::Power))
}

fn restored(world: &mut World, text: &str) {
    world.press(WebAction::Restore(text.as_bytes()));
}

fn resting() -> World {
    let mut world = told(URL)
        .file("prov.xml", provisioning("<dhcp>false</dhcp>"))
        .boot();
    world.forget();
    world
}

fn check_sync(world: &mut World, event: &str, number: u32) {
    world.notify(event, number);
    world.settle();
}

// AUE-03, AUE-19: a file's URL typed in the menu, then "Start provisioning": it is downloaded and
// installed, without the reboot that nobody asked for.
#[test]
fn installs_the_file_of_the_menu_when_told_to_start() {
    let mut world = told("")
        .file("prov.xml", provisioning("<dhcp>false</dhcp>"))
        .boot();
    assert!(urls(&world).is_empty());
    world.forget();
    world.set(Param::ServerUrl, URL);
    world.run_seconds(60);
    assert!(urls(&world).is_empty(), "saving starts nothing");
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(started(&world), [Trigger::Manual]);
    assert_eq!(urls(&world), [URL]);
    assert_eq!(stored(&world), ["provisioning"]);
    assert_eq!(world.held("provisioning/dhcp").as_deref(), Some("false"));
    assert!(ended(&world, RunResult::Complete) && stayed_up(&world));
}

// AUE-20: at every boot, where provisioning is active.
#[test]
fn provisions_at_every_boot_if_configured() {
    let mut world = told(URL)
        .file("prov.xml", provisioning("<active>false</active>"))
        .boot();
    assert_eq!(started(&world), [Trigger::Boot(BootCause::Power)]);
    world.reboot();
    assert!(started(&world).is_empty());
    assert!(urls(&world).is_empty());
    assert!(world.has(EventKind::TriggerIgnored(Trigger::Boot(BootCause::Power))));
}

// AUE-22: a check-sync starts a run where the settings allow it, from the hosts that they name.
#[test]
fn obeys_check_sync_from_the_hosts_on_its_list() {
    let mut world = resting();
    check_sync(&mut world, "check-sync", 1);
    assert!(
        started(&world).is_empty(),
        "sip/active is off out of the box"
    );
    assert!(world.has(EventKind::TriggerIgnored(Trigger::CheckSync)));

    world.serve(
        "prov.xml",
        provisioning(
            "<sip><active>true</active><allowed><host>192.168.0.200</host>\
             <host>10.0.0.2</host></allowed></sip>",
        ),
    );
    world.press(WebAction::Start);
    world.settle();
    world.forget();
    check_sync(&mut world, "check-sync", 2);
    assert_eq!(started(&world), [Trigger::CheckSync]);
    assert_eq!(urls(&world), [URL]);
    assert!(stayed_up(&world));

    world.serve(
        "prov.xml",
        provisioning(
            "<sip><allowed><host>192.168.0.200</host><host>10.0.0.3</host></allowed></sip>",
        ),
    );
    world.press(WebAction::Start);
    world.settle();
    world.forget();
    check_sync(&mut world, "check-sync", 3);
    assert!(started(&world).is_empty());
    assert!(world.has(EventKind::SenderRefused { address: SERVER }));
    // It is answered all the same, so that the sender does not repeat it.
    assert!(world.has(EventKind::SipAnswered { status: 200 }));
}

// AUE-18, AUE-23: `reboot=true` provisions, and reboots nothing.
#[test]
fn does_not_reboot_for_check_sync() {
    let mut world = told(URL)
        .file("prov.xml", provisioning("<sip><active>true</active></sip>"))
        .boot();
    world.forget();
    check_sync(&mut world, "check-sync;reboot=true", 1);
    assert_eq!(started(&world), [Trigger::CheckSync]);
    assert!(stayed_up(&world));
    assert_eq!(world.phone.stage(), StageName::Idle);
    let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 5_060);
    world.inject(Channel::Sip, from, b"garbage");
    assert!(stayed_up(&world));
}

// AUE-18, AUE-24: the same file is applied again at every run, and nothing ever restarts.
#[test]
fn applies_the_same_file_again_without_a_restart() {
    let mut world = resting();
    for _ in 0..3 {
        world.forget();
        world.press(WebAction::Start);
        world.settle();
        assert_eq!(stored(&world), ["provisioning"]);
        assert!(!world.any(|kind| matches!(kind, EventKind::Unchanged { .. })));
        let applied = world.kinds().find_map(|kind| match kind {
            EventKind::Applied { changed, .. } => Some(changed),
            _ => None,
        });
        assert_eq!(applied, Some(0));
        assert!(stayed_up(&world));
    }
}

// AUE-12, AUE-24: the first URL fails: one request, no other source, no further try.
#[test]
fn asks_once_and_gives_up() {
    let mut world = told(URL).boot();
    assert_eq!(urls(&world), [URL]);
    assert!(ended(&world, RunResult::NothingFetched));
    world.run_seconds(86_400);
    assert_eq!(urls(&world), [URL]);
}

// AUE-11, AUE-12: of a first URL that refuses the connection the phone does not go to the next one.
#[test]
fn does_not_fall_back_from_the_first_url_found() {
    let world = told(URL)
        .web(Param::DhcpEnable, "1")
        .option(66, "http://10.9.0.9:81/x.xml")
        .file("prov.xml", provisioning("<dhcp>false</dhcp>"))
        .boot();
    assert!(urls(&world).is_empty());
    assert!(world.has(EventKind::GaveUp {
        step: StepId::GIVEN,
        fault: Fault::ConnectionRefused
    }));
    assert!(ended(&world, RunResult::NothingFetched));
}

// AUE-01: restore backup takes a settings document, whole or one section, and operations.
#[test]
fn restores_an_uploaded_backup() {
    let mut world = told("").boot();
    world.forget();
    restored(&mut world, &provisioning("<url>http://up/</url>"));
    assert_eq!(
        world.held("provisioning/url").as_deref(),
        Some("http://up/")
    );
    assert_eq!(stored(&world), ["provisioning"]);
    restored(
        &mut world,
        "<operations><replace path=\"/provisioning/url\"><url>http://op/</url></replace></operations>",
    );
    assert_eq!(
        world.held("provisioning/url").as_deref(),
        Some("http://op/")
    );
    assert!(urls(&world).is_empty() && started(&world).is_empty() && stayed_up(&world));
}

// AUE-02: references are refused there, and nothing of them is fetched.
#[test]
fn refuses_an_uploaded_reference() {
    let mut world = told("").file("c.xml", provisioning("<url>x</url>")).boot();
    world.forget();
    restored(&mut world, &references(&["http://prov.server.com/c.xml"]));
    world.run_seconds(60);
    assert!(urls(&world).is_empty());
    let file = File::Named(world.shelf.urls.find("restore backup").unwrap());
    let fault = Fault::KindRefused;
    assert!(world.has(EventKind::DocumentSkipped { file, fault }));
    assert!(stored(&world).is_empty());
}

// AUE-01: what is uploaded may be broken.
#[test]
fn names_what_is_wrong_with_an_upload() {
    let mut world = told("").boot();
    for (text, fault) in [
        ("", Fault::WrongFormat),
        ("hello", Fault::WrongFormat),
        ("<html><body>404</body></html>", Fault::WrongFormat),
        ("<configuration><provisioning>", Fault::BadXml),
    ] {
        world.forget();
        restored(&mut world, text);
        let file = File::Named(world.shelf.urls.find("restore backup").unwrap());
        assert!(
            world.has(EventKind::DocumentSkipped { file, fault }),
            "{text}: {:?}",
            world.events
        );
    }
    world.forget();
    restored(&mut world, &provisioning("<active>perhaps</active>"));
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::SectionRefused {
            fault: SectionFault::BadValue,
            ..
        }
    )));
}

const DAY_S: u64 = 86_400;

/// A phone with this timetable and nothing else; the world begins on a Monday at noon.
fn timetable(elements: &str) -> World {
    let text = provisioning(&format!(
        "<execution><boot>false</boot>{elements}</execution>"
    ));
    let mut world = told(URL).file("prov.xml", text).boot();
    world.forget();
    world
}

/// Hours from the world's beginning to each run of the timetable within so many days.
fn runs(world: &mut World, days: u64) -> Vec<f64> {
    world.run_seconds(days * DAY_S);
    let started = world.events.iter().filter_map(|event| match event.kind {
        EventKind::RunStarted(Trigger::Timetable) => Some(event.at),
        _ => None,
    });
    started
        .map(|at| (at - Moment::ZERO).as_secs_f64() / 3_600.0)
        .collect()
}

// AUE-21: at a time of day on the days that are set: Tuesday and Friday at 03:30, week by week.
#[test]
fn provisions_at_its_time_on_its_days() {
    let days = ["monday", "wednesday", "thursday", "saturday", "sunday"];
    let off: String = days
        .iter()
        .map(|day| format!("<{day}>false</{day}>"))
        .collect();
    let mut world = timetable(&format!("{off}<time>03:30</time>"));
    let hours = runs(&mut world, 14);
    let expected = [15.5, 87.5, 183.5, 255.5];
    assert_eq!(hours.len(), expected.len(), "{hours:?}");
    for (run, wanted) in hours.iter().zip(expected) {
        assert!((run - wanted).abs() < 0.01, "{run} {wanted}");
    }
    assert_eq!(urls(&world).len(), 4);
    assert!(stayed_up(&world));
}

// AUE-21: with a random delay between its bounds, another one for each day.
#[test]
fn spreads_its_runs_at_random() {
    let mut world = timetable(
        "<time>03:30</time><useRandomDelay>true</useRandomDelay>\
         <minimalRandomDelay>60</minimalRandomDelay>\
         <maximalRandomDelay>3600</maximalRandomDelay>",
    );
    let hours = runs(&mut world, 10);
    assert_eq!(hours.len(), 10);
    let delays: Vec<f64> = hours
        .iter()
        .map(|hour| (hour - 15.5) % 24.0 * 3_600.0)
        .collect();
    for delay in &delays {
        assert!((60.0..=3_601.0).contains(delay), "{delays:?}");
    }
    assert!(delays.iter().any(|delay| (delay - delays[0]).abs() > 60.0));
}

// AUE-21: without a time there is no timetable, whatever days are set.
#[test]
fn has_no_timetable_without_a_time() {
    let mut world = timetable("<monday>true</monday>");
    assert!(runs(&mut world, 8).is_empty());
}

// AUE-20: `execution/boot` decides about the run at boot alone; other triggers work.
#[test]
fn leaves_out_the_run_at_boot_where_it_is_switched_off() {
    let mut world = timetable("");
    world.reboot();
    assert!(started(&world).is_empty());
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(started(&world), [Trigger::Manual]);
}

// AUE-01, AUE-21: an uploaded timetable counts at once, and an uploaded account is registered.
#[test]
fn goes_by_an_upload_at_once() {
    let mut world = told("").boot();
    world.forget();
    restored(
        &mut world,
        &provisioning("<execution><time>12:30</time></execution>"),
    );
    world.run_seconds(3_600);
    assert_eq!(started(&world), [Trigger::Timetable]);
    restored(
        &mut world,
        "<users version=\"1.8.9\"><user id=\"1\"><username>100</username>\
         <registrar>10.0.0.2</registrar><enabled>true</enabled></user></users>",
    );
    let register = world.up().last().unwrap();
    assert!(register.bytes.starts_with(b"REGISTER sip:10.0.0.2 SIP/2.0"));
}

// AUE-06, AUE-21: provisioning that an upload switches on asks for the time then, and goes by its
// timetable.
#[test]
fn asks_for_the_time_once_an_upload_activates_provisioning() {
    let mut world = told("").web(Param::ProvisionEnable, "0").boot();
    let asked = |world: &World| {
        let times = world.up().filter(|packet| packet.peer.port() == 123);
        times.count()
    };
    assert_eq!(asked(&world), 0);
    world.forget();
    restored(
        &mut world,
        &provisioning("<active>true</active><execution><time>12:30</time></execution>"),
    );
    world.run_seconds(3_600);
    assert_eq!(asked(&world), 1);
    assert_eq!(started(&world), [Trigger::Timetable]);
}

// AUE-01: there is no web page without an address.
#[test]
fn takes_no_upload_before_it_has_an_address() {
    let mut world = told("").power();
    restored(&mut world, &provisioning("<url>http://up/</url>"));
    world.settle();
    assert_eq!(world.held("provisioning/url"), None);
}

// AUE-01: what is uploaded survives a reboot.
#[test]
fn keeps_an_upload_in_flash() {
    let mut world = told("").boot();
    restored(
        &mut world,
        &provisioning("<url>http://prov.server.com/up.xml</url>"),
    );
    world.reboot();
    assert_eq!(urls(&world), ["http://prov.server.com/up.xml"]);
    world.press(WebAction::FactoryReset);
    assert_eq!(world.held("provisioning/url"), None);
    assert!(world.phone.flash().sections.is_none());
}
