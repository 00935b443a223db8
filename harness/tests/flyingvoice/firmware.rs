//! Firmware by the version in its file name.

use bootstorm_emulator::event::{BootCause, EventKind, Fault, Trigger};
use bootstorm_emulator::profile::Param;

use crate::world::World;
use crate::{COMMON_CFG, MAC_CFG, phone};

const IMAGE: &str = "FIP13G-FVUI_V0.6.30_202105111814_RC.bin";

fn offered() -> World {
    let common = format!("static.firmware.url=tftp://10.0.0.2/fw/{IMAGE}\nlang.gui=a\n");
    phone().file(COMMON_CFG, common)
}

fn served() -> World {
    offered().file(&format!("fw/{IMAGE}"), vec![b'F'; 5_000])
}

fn installing(kind: &EventKind) -> bool {
    matches!(kind, EventKind::FirmwareInstalling { .. })
}

// FLY-107, FLY-116: after the files comes the image; it is installed, the phone reboots and runs
// again, without a random delay and without installing it again.
#[test]
fn installs_another_version_and_runs_again() {
    let world = served().boot();
    let files = world.files();
    assert_eq!(files[3..6], [COMMON_CFG, MAC_CFG, &format!("fw/{IMAGE}")]);
    assert_eq!(files.len(), 6 + 5);
    assert_eq!(world.firmware(), Some("V0.6.30"));
    assert_eq!(world.count(installing), 1);
    assert!(world.has(EventKind::RunStarted(Trigger::Boot(BootCause::Firmware))));
    assert!(world.has(EventKind::FirmwareCurrent));
    assert!(!world.any(|kind| matches!(kind, EventKind::Delayed { .. })));
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-107: Resync after Upgrade off: no run follows.
#[test]
fn does_not_run_after_an_upgrade_when_that_is_off() {
    let world = served().web(Param::ResyncAfterUpgrade, "0").boot();
    assert_eq!(world.firmware(), Some("V0.6.30"));
    assert_eq!(world.files().len(), 6);
    assert!(world.has(EventKind::TriggerIgnored(Trigger::Boot(
        BootCause::Firmware
    ))));
}

// FLY-116: the version that runs already is not fetched.
#[test]
fn leaves_the_same_version_alone() {
    let same = "FIP13G-FVUI_V0.6.24_202105111814_RC.bin";
    let common = format!("static.firmware.url=tftp://10.0.0.2/{same}\n");
    let world = phone().file(COMMON_CFG, common).file(same, "image").boot();
    assert!(!world.files().contains(&same.to_owned()));
    assert!(world.has(EventKind::FirmwareCurrent));
}

// FLY-93: Enable Upgrade off.
#[test]
fn does_not_upgrade_when_that_is_off() {
    let world = served().web(Param::UpgradeEnable, "0").boot();
    assert_eq!(world.files().len(), 5);
    assert_eq!(world.firmware(), None);
}

// FLY-93, FLY-116: the Upgrade Rule names the image where no file does.
#[test]
fn takes_the_upgrade_rule_when_no_file_names_an_image() {
    let world = phone()
        .file(COMMON_CFG, "lang.gui=a\n")
        .file(IMAGE, vec![b'F'; 700])
        .web(Param::UpgradeRule, &format!("tftp://10.0.0.2/{IMAGE}"))
        .boot();
    assert_eq!(world.firmware(), Some("V0.6.30"));
}

// FLY-93, FLY-116: an image that is missing or no image is refused; the upgrade is tried again
// after its own delay.
#[test]
fn tries_a_failed_upgrade_again_after_its_delay() {
    for (content, fault) in [
        (None, Fault::NotThere),
        (Some("<html>not found</html>"), Fault::NotAnImage),
        (Some(""), Fault::NotAnImage),
    ] {
        let mut world = offered().web(Param::UpgradeErrorRetryS, "600");
        if let Some(content) = content {
            world.serve(&format!("fw/{IMAGE}"), content);
        }
        let mut world = world.boot();
        assert_eq!(world.firmware(), None);
        assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
        let refused = world.any(|kind| matches!(kind, EventKind::FirmwareRefused { .. }));
        assert!(refused, "{fault:?} {content:?}");
        if content != Some("") {
            assert!(world.has(EventKind::FirmwareRefused { fault }));
        }
        world.forget();
        world.serve(&format!("fw/{IMAGE}"), vec![b'F'; 700]);
        world.run_seconds(590);
        assert_eq!(world.files(), Vec::<String>::new());
        world.run_seconds(100);
        assert!(world.has(EventKind::RunStarted(Trigger::UpgradeRetry)));
        assert_eq!(world.firmware(), Some("V0.6.30"));
    }
}
