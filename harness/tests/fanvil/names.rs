//! Which files are asked for, and where.

use bootstorm_emulator::event::{EventKind, Fault, RunResult};
use bootstorm_emulator::profile::Param;

use crate::world::{World, profiles};
use crate::{GENERAL, OWN, ended, led, logo, named, served, text};

/// The general file of each model: the document's tables letter by letter (FAN-18, FAN-19,
/// FAN-20), the phone of its traces (FAN-22), and names that public servers hold.
const NAMES: [(&str, &str); 36] = [
    ("x1", "f0X1hw1.100.cfg"),
    ("x2", "f0X2hw1.100.cfg"),
    ("x3s", "f0X3Shw1.100.cfg"),
    ("x4", "f0X4hw1.100.cfg"),
    ("h2s", "f0H2Shw1.100.cfg"),
    ("h3", "f0H3hw1.100.cfg"),
    ("h5", "f0H5hw1.100.cfg"),
    ("i16v", "f0i16Vhw1.100.cfg"),
    ("i20s", "f0i20SVhw1.100.cfg"),
    ("i30", "f0i30hw1.100.cfg"),
    ("i23s", "f0i23Shw1.100.cfg"),
    ("i31s", "f0i31Shw1.100.cfg"),
    ("i12", "f0i12hw1.100.cfg"),
    ("i18s", "f0i18Shw1.100.cfg"),
    ("pa2", "f0PA2hw1.100.cfg"),
    ("i13w", "f0i13Whw1.100.cfg"),
    ("i32v", "f0i32Vhw1.100.cfg"),
    ("i33v", "f0i33Vhw1.100.cfg"),
    ("iw30", "f0iW30hw1.100.cfg"),
    ("eim-01", "f0EIM-01hw1.100.cfg"),
    ("x5s", "F0V0X5S00000.cfg"),
    ("x6", "F0V00X600000.cfg"),
    ("x7", "F0V00X700000.cfg"),
    ("x7c", "F0V0X7C00000.cfg"),
    ("x210", "F0VX21000000.cfg"),
    ("f600", "f0F060000000.cfg"),
    ("c600", "f0C060000000.cfg"),
    ("c400", "f0C040000000.cfg"),
    ("c62", "f0C00620000.cfg"),
    ("c58", "f0C00580000.cfg"),
    ("x6v2", "F0000X600000.cfg"),
    ("x5u-v2", "F0V5UV200000.cfg"),
    ("v65", "F0V0V6500000.cfg"),
    ("v62g", "F0VV62G00000.cfg"),
    ("i51w", "F0Vi51W00000.cfg"),
    ("i16sv", "F0V16SV00000.cfg"),
];

// FAN-07, FAN-17, FAN-18, FAN-19, FAN-20, FAN-21, FAN-22, FAN-26: every model asks for its own
// general file and for the one of its MAC.
#[test]
fn every_model_asks_for_its_general_file_and_its_own() {
    let models = profiles().select("fanvil").unwrap();
    assert_eq!(models.len(), NAMES.len());
    for (model, general) in NAMES {
        let world = World::new(&format!("fanvil/{model}"))
            .option(66, "tftp://10.0.0.2/")
            .boot();
        assert_eq!(world.files(), [general, OWN], "{model}");
    }
}

// FAN-24, FAN-25, FAN-49, FAN-50, FAN-53, FAN-54, FAN-55, FAN-56, FAN-58, FAN-60, FAN-103:
// the URL names the device's file only; the general one is in the same directory.
#[test]
fn takes_the_device_file_s_name_from_the_url() {
    for (url, directory, own) in [
        ("tftp://10.0.0.2", "", OWN),
        ("tftp://10.0.0.2/", "", OWN),
        ("tftp://10.0.0.2/X6/", "X6/", OWN),
        ("tftp://10.0.0.2/$mac.cfg", "", OWN),
        ("tftp://10.0.0.2/a/b/$mac.cfg", "a/b/", OWN),
        ("tftp://10.0.0.2/$mac.xml", "", "000307a9b486.xml"),
        ("tftp://10.0.0.2/X6/name1.cfg", "X6/", "name1.cfg"),
        ("http://10.0.0.2:8088/X6/$mac.cfg", "/X6/", OWN),
        (
            "http://user:password@10.0.0.2:8088/X6/$mac.cfg",
            "/X6/",
            OWN,
        ),
        (
            "http://10.0.0.2/provisioning/zheisBy8jij2/",
            "/provisioning/zheisBy8jij2/",
            OWN,
        ),
    ] {
        let world = led(url).boot();
        let expected = [format!("{directory}{GENERAL}"), format!("{directory}{own}")];
        assert_eq!(world.files(), expected, "{url}");
    }
}

// FAN-08: one file where both have the same name.
#[test]
fn fetches_one_file_where_both_have_one_name() {
    let world = led(&format!("tftp://10.0.0.2/{GENERAL}"))
        .file(GENERAL, named("one"))
        .boot();
    assert_eq!(world.files(), [GENERAL]);
    assert_eq!(logo(&world).as_deref(), Some("one"));
    ended(&world, RunResult::Complete);
}

// FAN-07, FAN-14: the general file first, the device's wins.
#[test]
fn lets_the_device_file_win() {
    let own = text("1", &[("GLOBAL", &[("LCD Logo", "own")])]);
    let general = text(
        "1",
        &[(
            "GLOBAL",
            &[("LCD Logo", "general"), ("SNTP Server", "10.0.0.9")],
        )],
    );
    let world = served(&general, &own).boot();
    assert_eq!(world.files(), [GENERAL, OWN]);
    assert_eq!(logo(&world).as_deref(), Some("own"));
    assert_eq!(
        world.held("global.sntp server").as_deref(),
        Some("10.0.0.9")
    );
}

// FAN-15: one of the two is enough.
#[test]
fn goes_on_without_one_of_the_files() {
    for file in [GENERAL, OWN] {
        let world = led("tftp://10.0.0.2/$mac.cfg")
            .file(file, named("a"))
            .boot();
        assert_eq!(world.files(), [GENERAL, OWN]);
        assert_eq!(logo(&world).as_deref(), Some("a"), "{file}");
        ended(&world, RunResult::Complete);
    }
}

// FAN-07: unless the page says no general file.
#[test]
fn leaves_the_general_file_out_where_the_page_says_so() {
    let world = served(&named("general"), &named("own"))
        .web(Param::DownloadCommon, "0")
        .boot();
    assert_eq!(world.files(), [OWN]);
}

// FAN-05, FAN-13: each protocol is spoken, with what the server speaks.
#[test]
fn fetches_by_the_protocol_of_the_url() {
    for scheme in ["tftp", "http", "https"] {
        let world = led(&format!("{scheme}://10.0.0.2/$mac.cfg"))
            .file(OWN, named(scheme))
            .boot();
        assert_eq!(logo(&world).as_deref(), Some(scheme));
    }
    // This network has no FTP server; the phone asks, and nobody answers.
    let world = led("ftp://user:password@10.0.0.2/$mac.cfg").boot();
    let refused = |kind: &EventKind| match kind {
        EventKind::GaveUp { fault, .. } => *fault == Fault::Scheme,
        _ => false,
    };
    assert!(!world.any(refused));
}

// FAN-06, FAN-84: the URL is looked for at every start, by whatever protocol it says.
#[test]
fn looks_for_the_url_at_every_start() {
    let mut world = served(&named("general"), &named("own")).boot();
    world.give_option(66, "https://10.0.0.2/new/name.cfg");
    world.reboot();
    assert!(world.any(|kind| matches!(kind, EventKind::Candidate { .. })));
    assert_eq!(
        world.files(),
        [format!("/new/{GENERAL}"), "/new/name.cfg".to_owned()]
    );
}
