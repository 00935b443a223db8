//! Firmware: when it is installed, and what comes after.

use bootstorm_emulator::event::{BootCause, EventKind, Fault, RunResult, Trigger};
use bootstorm_emulator::profile::FirmwareChoice;

use crate::world::World;
use crate::{
    FIRST, IMAGE, SECOND, changed, ended, list, name_held, named, nvm, phone, provisioning,
    with_categories, xml,
};

const IMAGE_URL: &str = "/firmware/GC_MAX_1.11.6.bin";

/// A phone whose firmware list has these entries, each with the same image.
fn offered(versions: &[&str]) -> World {
    let files: Vec<_> = versions
        .iter()
        .map(|version| (*version, IMAGE_URL))
        .collect();
    with_categories(&[("firmware", "/maxwell3/firmware/updates.xml")])
        .file("maxwell3/firmware/updates.xml", list("firmware", &files))
        .file(&IMAGE_URL[1..], IMAGE)
}

// GIG-26, GIG-28, GIG-29, GIG-30, GIG-48, GIG-53: another version is installed, with a reboot.
#[test]
fn installs_another_version_and_reboots() {
    let world = offered(&["1.11.6"]).boot();
    assert_eq!(
        world.files()[2..4],
        ["/maxwell3/firmware/updates.xml", IMAGE_URL]
    );
    assert_eq!(world.firmware(), Some("1.11.6"));
    assert!(world.has(EventKind::Booting(BootCause::Firmware)));
    assert!(world.has(EventKind::RunStarted(Trigger::Boot(BootCause::Firmware))));
    assert!(
        world.has(EventKind::FirmwareCurrent),
        "the run after the reboot"
    );
    ended(&world, RunResult::Complete);
    let agent = "User-Agent: Maxwell 3/1.11.6;7C2F80123456";
    let last = world
        .packets
        .iter()
        .rev()
        .find(|packet| String::from_utf8_lossy(&packet.bytes).starts_with("GET "));
    assert!(String::from_utf8_lossy(&last.unwrap().bytes).contains(agent));
}

// GIG-26, GIG-30: an older version is another one too; the present one, however written, is not.
#[test]
fn goes_back_to_an_older_version() {
    let world = offered(&["1.9.2"]).boot();
    assert_eq!(world.firmware(), Some("1.9.2"));
    for present in ["1.10.4", "1.10.04", " 1.10.4 "] {
        let world = offered(&[present]).boot();
        assert_eq!(world.files().len(), 3, "{present}");
        assert!(world.has(EventKind::FirmwareCurrent));
        assert_eq!(world.firmware(), None);
    }
}

// GIG-27, GIG-30: the old form names a date; that date is what runs from then on.
#[test]
fn installs_a_dated_firmware_once() {
    let old = xml(&format!(
        "<firmware version=\"1.0\" productID=\"mx3b\"><file version=\"{FIRST}\" type=\"latest\" \
         url=\"http://10.0.0.2/maxwell3/firmware/v1/GC_mx_3.bin\" /></firmware>"
    ));
    let mut world = with_categories(&[("firmware", "/maxwell3/firmware/updates.xml")])
        .file("maxwell3/firmware/updates.xml", &old)
        .file("maxwell3/firmware/v1/GC_mx_3.bin", IMAGE)
        .boot();
    assert_eq!(world.firmware(), Some(FIRST));
    world.reboot();
    assert!(world.has(EventKind::FirmwareCurrent));
    world.serve("maxwell3/firmware/updates.xml", old.replace(FIRST, SECOND));
    world.reboot();
    assert_eq!(world.firmware(), Some(SECOND));
}

// GIG-34: of several the newest; numbers are compared as numbers.
#[test]
fn takes_the_newest_of_several() {
    let world = offered(&["1.9.2", "1.11.6", "1.11.2"]).boot();
    assert_eq!(world.firmware(), Some("1.11.6"));
}

// GIG-19, GIG-53: firmware first; settings and certificates are for the run after the reboot.
#[test]
fn leaves_the_other_categories_to_the_run_after_the_reboot() {
    let world = offered(&["1.11.6"])
        .file(
            "device/provisioning.xml",
            provisioning(&[
                ("firmware", "/maxwell3/firmware/updates.xml"),
                ("nvm", "/nvm/updates.xml"),
                ("custom", "/custom/updates.xml"),
            ]),
        )
        .file("nvm/updates.xml", nvm(FIRST))
        .file("nvm/settings.xml", named("a"))
        .file("custom/updates.xml", xml("<scenario/>"))
        .boot();
    let files = world.files();
    let run = [
        "/device",
        "/device/provisioning.xml",
        "/maxwell3/firmware/updates.xml",
    ];
    assert_eq!(files[..4], [run[0], run[1], run[2], IMAGE_URL]);
    assert_eq!(files[4..7], run);
    assert_eq!(
        files[7..],
        [
            "/nvm/updates.xml",
            "/nvm/settings.xml",
            "/custom/updates.xml"
        ]
    );
    assert_eq!(name_held(&world).as_deref(), Some("a"));
}

// GIG-53: what was taken before the firmware is not lost by the reboot.
#[test]
fn applies_what_came_before_the_firmware() {
    let world = offered(&["1.11.6"])
        .file(
            "device/provisioning.xml",
            provisioning(&[
                ("nvm", "/nvm/updates.xml"),
                ("firmware", "/maxwell3/firmware/updates.xml"),
            ]),
        )
        .file("nvm/updates.xml", nvm(FIRST))
        .file("nvm/settings.xml", named("a"))
        .boot();
    assert_eq!(world.firmware(), Some("1.11.6"));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    let fetched = world.files();
    let fetched = fetched.iter().filter(|path| *path == "/nvm/settings.xml");
    assert_eq!(fetched.count(), 1);
}

// GIG-59: an image that is missing, or is none, leaves the other categories.
#[test]
fn goes_on_without_an_image_that_cannot_be_had() {
    for (image, fault) in [
        (None, Fault::NotThere),
        (Some("<html>"), Fault::NotAnImage),
        (Some(""), Fault::NotAnImage),
    ] {
        let mut world = offered(&["1.11.6"])
            .file(
                "device/provisioning.xml",
                provisioning(&[
                    ("firmware", "/maxwell3/firmware/updates.xml"),
                    ("nvm", "/nvm/updates.xml"),
                ]),
            )
            .file("nvm/updates.xml", nvm(FIRST))
            .file("nvm/settings.xml", named("a"));
        match image {
            Some(text) => world.serve(&IMAGE_URL[1..], text),
            None => world.remove(&IMAGE_URL[1..]),
        }
        let world = world.boot();
        assert!(world.has(EventKind::FirmwareRefused { fault }), "{fault:?}");
        assert_eq!(world.firmware(), None);
        assert_eq!(name_held(&world).as_deref(), Some("a"));
        ended(&world, RunResult::Partial);
    }
}

// GIG-20, GIG-59: an entry without version or with a URL that leads nowhere is refused by name.
#[test]
fn refuses_an_entry_that_says_too_little() {
    for (entry, fault) in [
        ("<file url=\"/x.bin\"/>", Fault::WrongFormat),
        ("<file version=\"1.11.6\"/>", Fault::BadTarget),
        (
            "<file version=\"1.11.6\" url=\"http:/x.bin\"/>",
            Fault::BadTarget,
        ),
    ] {
        let list = xml(&format!("<firmware>{entry}</firmware>"));
        let world = offered(&[])
            .file("maxwell3/firmware/updates.xml", list)
            .boot();
        assert!(world.has(EventKind::FirmwareRefused { fault }), "{entry}");
        ended(&world, RunResult::Partial);
    }
}

// GIG-30 against public facts: firmware with an automatic check ignores entries while that is off,
// and then takes newer ones only.
#[test]
fn can_install_only_newer_firmware_and_only_when_told_to() {
    let world = |version: &str, enabled: &str| {
        let list = list("firmware", &[(version, IMAGE_URL)]);
        changed(|profile| profile.firmware_rule.choose = FirmwareChoice::NewerWhenEnabled)
            .file(
                "device/provisioning.xml",
                xml(&format!(
                    "<provisioning version=\"1.1\" productID=\"mx3b\"><nvm><param \
                     name=\"FirmwareManagment.AutomaticCheckForUpdates\" value=\"{enabled}\"/>\
                     </nvm><step type=\"Redirect\" url=\"/firmware.xml\"/></provisioning>"
                )),
            )
            .file("firmware.xml", list)
            .file(&IMAGE_URL[1..], IMAGE)
            .boot()
    };
    // The switch counts from the run on that finds it in force.
    for (version, enabled, installed) in [
        ("1.11.6", "0", None),
        ("1.11.6", "1", Some("1.11.6")),
        ("1.9.2", "1", None),
    ] {
        let mut world = world(version, enabled);
        world.reboot();
        assert_eq!(world.firmware(), installed, "{version} {enabled}");
    }
}

// Version 1.1 (public facts), GIG-53: firmware within the one file comes before its settings.
#[test]
fn installs_firmware_of_the_single_file_before_its_settings() {
    let single = |version: &str| {
        xml(&format!(
            "<provisioning version=\"1.1\" productID=\"mx3b\"><nvm><param name=\"SIP.Port\" \
             value=\"5070\"/></nvm><firmware><file version=\"{version}\" url=\"{IMAGE_URL}\"/>\
             </firmware></provisioning>"
        ))
    };
    let mut world = phone()
        .file("device/7c2f80123456.xml", single("1.11.6"))
        .file(&IMAGE_URL[1..], IMAGE)
        .power();
    world.wait_for("installing", |world| {
        world.any(|kind| matches!(kind, EventKind::FirmwareInstalling { .. }))
    });
    assert_eq!(world.held("SIP.Port"), None);
    world.settle();
    assert_eq!(world.firmware(), Some("1.11.6"));
    assert_eq!(world.held("SIP.Port").as_deref(), Some("5070"));
}
