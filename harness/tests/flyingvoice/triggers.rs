//! What starts a run, and when.

use std::time::Duration;

use bootstorm_emulator::event::{BootCause, EventKind, File, RunResult, Trigger};
use bootstorm_emulator::phone::io::{Input, WebAction};
use bootstorm_emulator::phone::stage::StageName;
use bootstorm_emulator::profile::Param;

use crate::world::{SERVER, World};
use crate::{COMMON_CFG, LIST, MAC_CFG, MODEL, phone, quick};

/// A phone that holds a configuration and rests.
fn resting() -> World {
    let mut world = phone().file(MAC_CFG, "lang.gui=a\n").boot();
    world.forget();
    world
}

fn started(world: &World) -> Vec<Trigger> {
    let kinds = world.kinds();
    let triggers = kinds.filter_map(|kind| match kind {
        EventKind::RunStarted(trigger) => Some(trigger),
        _ => None,
    });
    triggers.collect()
}

/// From the ACK to the first read request.
fn waited(world: &World) -> Duration {
    let leased = world.when_event(|kind| matches!(kind, EventKind::Leased { .. }));
    world.read_requests()[0].at - leased
}

// FLY-68, FLY-86, FLY-96, FLY-104: power-on triggers a run after a random delay of 0 to 40 s.
#[test]
fn waits_a_random_time_of_at_most_forty_seconds_after_power_on() {
    let mut waits = Vec::new();
    for seed in 0..64 {
        let address = std::net::Ipv4Addr::new(10, 1, 0, 1);
        let world = World::at(MODEL, SERVER, address, seed)
            .web(Param::PnpEnable, "0")
            .option(66, "10.0.0.2")
            .boot();
        assert_eq!(started(&world), [Trigger::Boot(BootCause::Power)]);
        waits.push(waited(&world));
    }
    waits.sort_unstable();
    assert!(waits[63] <= Duration::from_secs(40));
    assert!(waits[63] > Duration::from_secs(30), "{waits:?}");
    assert!(waits[0] < Duration::from_secs(10), "{waits:?}");
}

// FLY-104: 0 switches the delay off; a reboot for settings or a check-sync has none.
#[test]
fn delays_only_after_power_on_and_reset() {
    assert!(waited(&phone().boot()) < Duration::from_millis(10));
    let mut world = quick(MODEL)
        .web(Param::RandomDelayS, "40")
        .option(66, "10.0.0.2")
        .file(MAC_CFG, "network.vlan.id=1\n")
        .boot();
    assert_eq!(
        world.count(|kind| matches!(kind, EventKind::Delayed { .. })),
        1
    );
    world.forget();
    world.notify("check-sync;reboot=true", 1);
    world.settle();
    assert!(!world.any(|kind| matches!(kind, EventKind::Delayed { .. })));
    assert!(waited(&world) < Duration::from_millis(10));
    world.forget();
    world.press(WebAction::Reboot);
    world.settle();
    assert!(world.any(|kind| matches!(kind, EventKind::Delayed { .. })));
}

// FLY-97: the run is repeated after 3600 s, or after another time, or never.
#[test]
fn repeats_the_run_at_its_interval() {
    let mut world = resting();
    world.run_seconds(3 * 3_600 + 60);
    assert_eq!(started(&world), [Trigger::Period; 3]);
    assert_eq!(world.files().len(), 3 * LIST.len());
    let mut world = phone()
        .file(MAC_CFG, "lang.gui=a\n")
        .web(Param::PeriodicS, "60")
        .boot();
    world.forget();
    world.run_seconds(330);
    assert_eq!(started(&world), [Trigger::Period; 5]);
    let mut world = phone()
        .file(MAC_CFG, "lang.gui=a\n")
        .web(Param::PeriodicS, "0")
        .boot();
    world.forget();
    world.run_seconds(10 * 3_600);
    assert!(started(&world).is_empty());
}

// FLY-98: Save & Apply triggers a run, Save alone does not.
#[test]
fn runs_on_save_and_apply_and_not_on_save() {
    let mut world = resting();
    world.set(Param::ServerUrl, "tftp://10.0.0.9/");
    world.press(WebAction::Save);
    world.run_seconds(60);
    assert!(started(&world).is_empty());
    world.press(WebAction::SaveAndApply);
    assert_eq!(started(&world), [Trigger::SaveAndApply]);
    world.settle();
    assert_eq!(world.files(), LIST);
}

// FLY-99, FLY-103: a check-sync is answered 200 and starts a run without reboot.
#[test]
fn runs_on_a_check_sync_without_reboot() {
    let mut world = resting();
    world.serve(MAC_CFG, "lang.gui=b\n");
    world.notify("check-sync", 1);
    world.settle();
    assert_eq!(started(&world), [Trigger::CheckSync]);
    assert!(!world.any(|kind| matches!(kind, EventKind::Booting(_))));
    assert_eq!(world.held("lang.gui").as_deref(), Some("b"));
    let answer = world.up().next().unwrap();
    assert!(answer.bytes.starts_with(b"SIP/2.0 200 "));
    // A retransmission is answered and starts nothing.
    world.forget();
    world.notify("check-sync", 1);
    world.run_seconds(5);
    assert!(
        world
            .up()
            .next()
            .unwrap()
            .bytes
            .starts_with(b"SIP/2.0 200 ")
    );
    assert!(started(&world).is_empty());
    // Nor does one of an older NOTIFY, which another has overtaken.
    world.notify("check-sync", 2);
    world.settle();
    assert_eq!(started(&world), [Trigger::CheckSync]);
    world.forget();
    world.notify("check-sync", 1);
    world.run_seconds(5);
    assert!(started(&world).is_empty());
}

// FLY-100, FLY-101, FLY-102: with reboot=true the phone reboots at once, in every way of writing.
#[test]
fn reboots_at_once_on_a_check_sync_with_reboot() {
    for event in [
        "check-sync;reboot=true",
        "check-sync ; reboot = true",
        "Check-Sync;Reboot=TRUE",
    ] {
        let mut world = resting();
        world.notify(event, 1);
        assert_eq!(world.phone.stage(), StageName::Booting, "{event}");
        assert!(world.has(EventKind::Booting(BootCause::CheckSync)));
        world.settle();
        assert_eq!(world.asked()[..2], ["DISCOVER", "REQUEST"], "{event}");
        assert_eq!(world.files(), LIST, "{event}");
    }
    for event in ["check-sync;reboot=false", "check-sync;other=true"] {
        let mut world = resting();
        world.notify(event, 1);
        assert_eq!(world.phone.stage(), StageName::Running, "{event}");
    }
}

// FLY-103: unknown events get 489; with Resync from SIP off a check-sync gets 200 and no run.
#[test]
fn honours_check_syncs_only_while_that_is_on() {
    let mut world = resting();
    world.notify("message-summary", 1);
    assert!(world.has(EventKind::SipAnswered { status: 489 }));
    world.forget();
    world.set(Param::ResyncFromSip, "0");
    for (number, event) in [(2, "check-sync"), (3, "check-sync;reboot=true")] {
        world.notify(event, number);
        assert!(world.has(EventKind::SipAnswered { status: 200 }));
    }
    world.run_seconds(5);
    assert!(started(&world).is_empty());
    assert_eq!(world.phone.stage(), StageName::Idle);
    assert!(world.has(EventKind::TriggerIgnored(Trigger::CheckSync)));
}

// FLY-105, FLY-119: nothing could be fetched: the old configuration stays, the run is repeated
// after 3600 s (or another time).
#[test]
fn tries_again_after_a_run_that_fetched_nothing() {
    let mut world = phone()
        .file(MAC_CFG, "lang.gui=a\n")
        .web(Param::PeriodicS, "0")
        .boot();
    world.remove(MAC_CFG);
    world.reboot();
    assert!(world.has(EventKind::RunEnded(RunResult::NothingFetched)));
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
    world.forget();
    world.run_seconds(3_590);
    assert!(started(&world).is_empty());
    world.run_seconds(20);
    assert_eq!(started(&world), [Trigger::ErrorRetry]);
    assert_eq!(world.files(), LIST);
    world.set(Param::ErrorRetryS, "30");
    world.press(WebAction::SaveAndApply);
    world.settle();
    world.forget();
    world.serve(COMMON_CFG, "lang.gui=b\n");
    world.run_seconds(40);
    assert_eq!(started(&world), [Trigger::ErrorRetry]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("b"));
}

// FLY-106: a due run waits for the end of a call, but not longer than the Forced Resync Delay.
#[test]
fn waits_for_the_end_of_a_call() {
    let mut world = resting();
    world.input(Input::Call(true));
    world.notify("check-sync", 1);
    world.run_seconds(600);
    assert!(started(&world).is_empty());
    assert!(world.has(EventKind::TriggerDeferred(Trigger::CheckSync)));
    world.input(Input::Call(false));
    assert_eq!(started(&world), [Trigger::CheckSync]);
    world.settle();

    let mut world = resting();
    world.input(Input::Call(true));
    world.notify("check-sync", 1);
    let asked = world.now;
    world.run_seconds(14_460);
    assert_eq!(started(&world), [Trigger::CheckSync]);
    let forced = world.when_event(|kind| matches!(kind, EventKind::RunStarted(_)));
    assert_eq!(forced - asked, Duration::from_secs(14_400));
}

// FLY-108: Provision Enable off disables every trigger, Resync on Reset off the power-on run.
#[test]
fn runs_only_while_provisioning_is_enabled() {
    let mut world = phone().web(Param::ProvisionEnable, "0").boot();
    assert_eq!(world.files(), Vec::<String>::new());
    assert!(world.phone.is_settled());
    world.notify("check-sync", 1);
    world.press(WebAction::SaveAndApply);
    world.run_seconds(10_000);
    assert!(started(&world).is_empty());

    let mut world = phone().web(Param::ResyncOnReset, "0").boot();
    assert!(started(&world).is_empty());
    assert!(world.has(EventKind::TriggerIgnored(Trigger::Boot(BootCause::Power))));
    world.run_seconds(3_610);
    assert_eq!(started(&world), [Trigger::Period]);
}

// FLY-109: one of the triggers that come during a run is remembered and run afterwards.
#[test]
fn remembers_one_trigger_during_a_run() {
    let mut world = phone().file(MAC_CFG, "lang.gui=a\n").power();
    world.wait_for_stage(StageName::Running);
    world.notify("check-sync", 1);
    world.notify("check-sync", 2);
    world.press(WebAction::SaveAndApply);
    world.settle();
    world.run_seconds(60);
    assert_eq!(
        started(&world),
        [Trigger::Boot(BootCause::Power), Trigger::SaveAndApply]
    );
    assert_eq!(world.files().len(), 2 * LIST.len());
}

// FLY-86: factory reset clears what was provisioned and what was typed in.
#[test]
fn begins_anew_after_a_factory_reset() {
    let mut world = phone().file(MAC_CFG, "lang.gui=a\n").boot();
    world.remove(MAC_CFG);
    world.forget();
    world.press(WebAction::FactoryReset);
    world.settle();
    assert_eq!(world.held("lang.gui"), None);
    assert_eq!(world.phone.flash().web(Param::PnpEnable), None);
    assert!(world.asked().contains(&"SUBSCRIBE".to_owned()));
    assert!(world.any(|kind| matches!(kind, EventKind::Delayed { .. })));
}

// FLY-110, FLY-118: what was applied survives a power cut and can be looked at.
#[test]
fn keeps_its_settings_through_a_power_cut() {
    let mut world = resting();
    world.remove(MAC_CFG);
    world.reboot();
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-98: what is typed counts only once it is saved.
#[test]
fn forgets_what_was_typed_and_not_saved() {
    let mut world = resting();
    world.press(WebAction::Set(Param::ResyncFromSip, "0"));
    world.notify("check-sync", 1);
    assert_eq!(world.phone.stage(), StageName::Running);
    let mut world = resting();
    world.set(Param::ResyncFromSip, "0");
    world.notify("check-sync", 1);
    assert_eq!(world.phone.stage(), StageName::Idle);
}

// FLY-120: the whole process, in the order in which the guide's text tells it.
#[test]
fn goes_through_the_process_in_the_order_of_the_guide() {
    let world = phone()
        .file(
            COMMON_CFG,
            "local_contact.data.url=tftp://10.0.0.2/book.xml\n",
        )
        .file("book.xml", "<contacts/>")
        .boot();
    let parts = world.kinds().filter_map(|kind| match kind {
        EventKind::Booting(_) => Some("boot"),
        EventKind::Leased { .. } => Some("address"),
        EventKind::RunStarted(_) => Some("run"),
        EventKind::Candidate { .. } => Some("server"),
        EventKind::Fetched {
            file: File::Step(_),
            ..
        } => Some("file"),
        EventKind::Applied { .. } => Some("settings"),
        EventKind::ResourceStored { .. } => Some("resource"),
        EventKind::RunEnded(_) => Some("end"),
        EventKind::Settled => Some("rest"),
        _ => None,
    });
    let expected = [
        "boot", "address", "run", "server", "file", "settings", "resource", "end", "rest",
    ];
    assert_eq!(parts.collect::<Vec<_>>(), expected);
}

// FLY-117: TR-069 is off: a phone at rest opens no connection and sends nothing by itself.
#[test]
fn speaks_to_nobody_between_its_runs() {
    let mut world = resting();
    world.set(Param::PeriodicS, "0");
    world.power_cycle();
    world.settle();
    world.forget();
    world.run_seconds(10 * 3_600);
    assert_eq!(world.up().count(), 0);
}
