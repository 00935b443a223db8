//! What starts a run (GIG-55).

use std::time::Duration;

use bootstorm_emulator::event::{BootCause, EventKind, Trigger};
use bootstorm_emulator::phone::io::WebAction;

use crate::world::World;
use crate::{FIRST, nvm, settings, with_settings};

fn resting() -> World {
    let mut world = with_settings(&nvm(FIRST), &settings("1.0", &[("SIP.Port", "5060")])).boot();
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

// GIG-55: boot, "start" on the web page, check-sync with and without reboot.
#[test]
fn runs_at_boot_by_hand_and_on_check_sync() {
    let mut world = resting();
    world.reboot();
    assert_eq!(started(&world), [Trigger::Boot(BootCause::Power)]);
    for (event, trigger) in [
        ("check-sync", Trigger::CheckSync),
        ("check-sync;reboot=false", Trigger::CheckSync),
        (
            "check-sync;reboot=true",
            Trigger::Boot(BootCause::CheckSync),
        ),
    ] {
        world.forget();
        world.notify(event, u32::try_from(event.len()).unwrap());
        world.settle();
        assert_eq!(started(&world), [trigger], "{event}");
    }
    world.forget();
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(started(&world), [Trigger::Manual]);
    assert_eq!(world.files().len(), 3);
}

// GIG-55: the period is a parameter; without one there is no other run.
#[test]
fn runs_again_after_the_period_that_was_set() {
    let mut world = resting();
    world.run_seconds(100_000);
    assert_eq!(started(&world), []);
    let file = settings("1.0", &[("System.Provision.Period", "600")]);
    let mut world = with_settings(&nvm(FIRST), &file).boot();
    world.forget();
    let before = world.now;
    world.wait_for("run", |world| !started(world).is_empty());
    assert_eq!(started(&world), [Trigger::Period]);
    let waited = world.now - before;
    assert!(waited > Duration::from_secs(590) && waited <= Duration::from_secs(600));
}

// GIG-55: only check-sync: another event is refused.
#[test]
fn does_not_run_for_other_events() {
    let mut world = resting();
    world.notify("resync", 1);
    world.run_seconds(60);
    assert_eq!(started(&world), []);
}
