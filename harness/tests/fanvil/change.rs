//! What counts as a change, and what is made of a document.

use bootstorm_emulator::event::{EventKind, File, RunResult, Tolerance};
use bootstorm_emulator::profile::StepId;

use crate::{GENERAL, OWN, ended, led, logo, named, served, text};

const DEVICE: File = File::Step(StepId(StepId::FIRST_FETCH + 1));
const UNCHANGED: EventKind = EventKind::Unchanged { file: DEVICE };

// FAN-09, FAN-136, FAN-137, FAN-138: fetched every time, applied when its bytes differ from those
// applied last; added blanks are enough, an unchanged version text is not looked at.
#[test]
fn applies_a_file_again_only_when_its_bytes_changed() {
    let mut world = served(&named("general"), &named("own")).boot();
    assert!(!world.has(UNCHANGED));
    world.reboot();
    assert_eq!(world.files(), [GENERAL, OWN]);
    assert!(world.has(UNCHANGED));
    assert!(!world.any(|kind| matches!(kind, EventKind::Applied { .. })));
    ended(&world, RunResult::Complete);
    let spaced = named("own").replace("\r\n<<END", " \r\n<<END");
    world.serve(OWN, spaced);
    world.reboot();
    assert!(!world.has(UNCHANGED));
}

// FAN-139: "consecutively": A, B and A again are three changes.
#[test]
fn applies_the_first_version_again_after_another() {
    let mut world = served(&named("general"), &named("a")).boot();
    for name in ["b", "a"] {
        world.serve(OWN, named(name));
        world.reboot();
        assert!(!world.has(UNCHANGED));
        assert_eq!(logo(&world).as_deref(), Some(name));
    }
}

// FAN-137: each kind is compared with its own last one.
#[test]
fn compares_each_file_with_the_last_of_its_kind() {
    let mut world = served(&named("a"), &named("b")).boot();
    // The device's file gets the bytes that the general one had.
    world.serve(OWN, named("a"));
    world.reboot();
    assert!(!world.has(UNCHANGED));
    assert_eq!(logo(&world).as_deref(), Some("a"));
}

// FAN-32: options before a module header, and modules that nobody knows, are told and left out.
#[test]
fn takes_options_under_known_modules_only() {
    let own = text(
        "1",
        &[
            ("GLOBAL", &[("LCD Logo", "a")]),
            ("WEATHER", &[("Rain", "1")]),
        ],
    );
    let own = own.replacen("\r\n<GLOBAL", "Lost Option :1\r\n<GLOBAL", 1);
    let world = led("tftp://10.0.0.2/$mac.cfg").file(OWN, own).boot();
    assert_eq!(logo(&world).as_deref(), Some("a"));
    assert_eq!(world.held("weather.rain"), None);
    let told: u32 = world
        .kinds()
        .map(|kind| match kind {
            EventKind::LinesIgnored { count, .. } => count,
            _ => 0,
        })
        .sum();
    assert_eq!(told, 2);
}

// FAN-39: at most 20 characters.
#[test]
fn takes_a_host_name_of_at_most_20_characters() {
    for (length, taken) in [(20, true), (21, false)] {
        let name = "v".repeat(length);
        let own = text("1", &[("GLOBAL", &[("Host Name", name.as_str())])]);
        let world = led("tftp://10.0.0.2/$mac.cfg").file(OWN, own).boot();
        assert_eq!(world.held("global.host name").is_some(), taken, "{length}");
    }
}

// FAN-30, FAN-142: each file's version is shown by itself, its digest where it has none.
#[test]
fn shows_the_version_of_each_file() {
    let own = text("", &[("GLOBAL", &[("LCD Logo", "a")])]);
    let world = served(&text("2.0007", &[("GLOBAL", &[("Time Zone", "32")])]), &own).boot();
    let shown: Vec<(File, String)> = world
        .kinds()
        .filter_map(|kind| match kind {
            EventKind::VersionShown { file, version } => {
                Some((file, world.shelf.urls.text(version).to_owned()))
            }
            _ => None,
        })
        .collect();
    let digest = crate::world::md5_hex(own.as_bytes());
    let general = File::Step(StepId::fetch(0));
    assert_eq!(shown, [(general, "2.0007".to_owned()), (DEVICE, digest)]);
}

// FAN-28, FAN-31, FAN-38: header and footer may be missing, which is told.
#[test]
fn tolerates_a_missing_header_or_footer() {
    for (cut, tolerance) in [
        ("<<END OF FILE>>\r\n", Tolerance::NoFooter),
        ("<<VOIP CONFIG FILE>>Version:2.0002", Tolerance::NoHeader),
    ] {
        let own = named("a").replace(cut, "");
        let world = led("tftp://10.0.0.2/$mac.cfg").file(OWN, own).boot();
        assert_eq!(logo(&world).as_deref(), Some("a"));
        let file = DEVICE;
        assert!(
            world.has(EventKind::Tolerated { file, tolerance }),
            "{tolerance:?}"
        );
    }
}

// FAN-16: network settings need a reboot, others do not.
#[test]
fn reboots_for_network_settings_only() {
    for (module, key, reboots) in [("NET", "WAN IP", true), ("GLOBAL", "LCD Logo", false)] {
        let own = text("1", &[(module, &[(key, "10.0.0.77")])]);
        let world = led("tftp://10.0.0.2/$mac.cfg").file(OWN, own).boot();
        let booted = world.count(|kind| matches!(kind, EventKind::Booting(_)));
        assert_eq!(booted, if reboots { 2 } else { 1 }, "{module}");
    }
}
