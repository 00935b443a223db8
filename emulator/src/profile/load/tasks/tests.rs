use std::time::Duration;

use crate::format::sealed::Cipher;
use crate::profile::keys::{Judgement, Meaning};
use crate::profile::load::Library;
use crate::profile::{Classify, FirmwareVersion, Param, Profile, TaskKind};

/// A walk of two files at once; `{…}` stand for what a test changes.
const WALK: &str = r#"
[encryption]
cipher = "cbc-prefixed"
[walk]
classify = "beside"
tasks_pause_ms = 10_000
order = ["general", "own"]
[fetches.general]
name = "F0.cfg"
format = "key-value"
enabled_by = ["download_common"]
key = "common_key"
beside_next = true
found = "own"
missing = "own"
[fetches.own]
name = "{mac}.cfg"
name_from_url = true
skip_same = true
key = "device_key"
format = "key-value"
found = "end"
missing = "end"
[firmware_rule]
version = "digest"
[tasks.image]
setting = ["auto.auto image url", "ap.image"]
holds = "firmware"
suffixes = ["z"]
[tasks.logo]
setting = "auto.logo"
holds = "background"
base_name = "background"
suffixes = ["bmp"]
refused = true
clauses = ["FAN-12"]
"#;

/// A child of FIP13G with these lines; what it comes to, or its faults.
fn child(lines: &str) -> Result<Profile, String> {
    let vendor = include_str!("../../../../profiles/flyingvoice/vendor.toml");
    let model = include_str!("../../../../profiles/flyingvoice/fip13g.toml");
    let mut library = Library::default();
    library.add("flyingvoice/vendor.toml", vendor).unwrap();
    library.add("flyingvoice/fip13g.toml", model).unwrap();
    let text = format!("inherits = \"flyingvoice/fip13g\"\n{lines}");
    library.add("a/b.toml", &text).unwrap();
    library.load("a/b").map_err(|faults| faults.to_string())
}

#[test]
fn reads_a_walk_of_two_files_and_its_tasks() {
    let profile = child(WALK).unwrap();
    assert_eq!(profile.classify, Classify::Beside);
    assert_eq!(profile.cipher, Some(Cipher::CbcPrefixed));
    assert_eq!(profile.firmware_rule.version, FirmwareVersion::Digest);
    let [general, own] = profile.fetches.as_slice() else {
        panic!("{:?}", profile.fetches);
    };
    assert!(general.beside_next && !general.name_from_url && !general.skip_same);
    assert_eq!(general.enabled_by, [Param::DownloadCommon]);
    assert_eq!(general.key, Some(Param::CommonKey));
    assert!(!own.beside_next && own.name_from_url && own.skip_same);
    assert_eq!(own.key, Some(Param::DeviceKey));
    assert_eq!(profile.tasks.pause, Duration::from_secs(10));
    let [image, logo] = profile.tasks.list.as_slice() else {
        panic!("{:?}", profile.tasks);
    };
    assert_eq!(image.settings, ["auto.auto image url", "ap.image"]);
    assert_eq!((image.holds, image.refused), (TaskKind::Firmware, false));
    assert_eq!((logo.holds, logo.refused), (TaskKind::Background, true));
    assert_eq!(
        (logo.base_name.as_str(), logo.clauses.len()),
        ("background", 1)
    );
    // What a task is named by is a key of the model, whatever its other rules say.
    for key in ["auto.auto image url", "ap.image", "auto.logo"] {
        let judged = profile.keys.judge(key, "http://x/");
        assert_eq!(judged, Judgement::Keep(Meaning::Plain), "{key}");
    }
    // Other vendors have none of it.
    let plain = child("").unwrap();
    assert!(plain.tasks.list.is_empty() && plain.cipher.is_none());
    assert!(
        plain
            .fetches
            .iter()
            .all(|fetch| !fetch.beside_next && fetch.key.is_none())
    );
}

/// What is changed in `WALK`, and the fault.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "cipher = \"cbc-prefixed\"",
        "cipher = \"ctr\"",
        "'encryption.cipher' is 'ctr'",
    ),
    (
        "[encryption]\ncipher = \"cbc-prefixed\"",
        "",
        "'encryption.cipher' does not say what",
    ),
    (
        "key = \"common_key\"",
        "key = \"password\"",
        "expected one of device_key, common_key",
    ),
    (
        "missing = \"own\"",
        "missing = \"end\"",
        "'general' is beside the next, but does not",
    ),
    (
        "beside_next = true",
        "beside_next = true\nattempts = 2",
        "'general' is beside the next, but asked for more than once",
    ),
    (
        "skip_same = true",
        "beside_next = true",
        "'own' is beside the next, but does not",
    ),
    (
        "[\"download_common\"]",
        "[\"download\"]",
        "'fetches.general.enabled_by[0]' is 'download'",
    ),
    (
        "holds = \"firmware\"",
        "holds = \"mmiset\"",
        "no task holds firmware",
    ),
    (
        "version = \"digest\"",
        "version = \"file-name\"",
        "'firmware_rule.version' is not digest",
    ),
    (
        "suffixes = [\"z\"]",
        "suffixes = [\".z\"]",
        "'tasks.image.suffixes[0]' is '.z'",
    ),
    (
        "suffixes = [\"z\"]",
        "suffixes = [\"Z\"]",
        "'tasks.image.suffixes[0]' is 'Z'",
    ),
    (
        "\"background\"\nsuffixes",
        "\"a/b\"\nsuffixes",
        "'tasks.logo.base_name' is 'a/b'",
    ),
    (
        "setting = \"auto.logo\"",
        "setting = []",
        "expected at least one setting key",
    ),
    (
        "setting = \"auto.logo\"",
        "setting = \"a=b\"",
        "'tasks.logo.setting' is 'a=b'",
    ),
    (
        "setting = \"auto.logo\"",
        "",
        "missing key 'tasks.logo.setting'",
    ),
    (
        "holds = \"background\"",
        "holds = \"picture\"",
        "'tasks.logo.holds' is 'picture'",
    ),
    (
        "tasks_pause_ms = 10_000",
        "tasks_pause_ms = -1",
        "'walk.tasks_pause_ms' is -1",
    ),
    ("refused = true", "refuse = true", "unknown key 'refuse'"),
];

#[test]
fn refuses_what_does_not_go_together() {
    for (from, to, expected) in WRONG {
        let text = WALK.replacen(from, to, 1);
        assert_ne!(text, WALK, "{from}");
        let found = child(&text).unwrap_err();
        assert!(found.contains(expected), "{to}: {found}");
    }
}

#[test]
fn bounds_the_tasks_of_a_profile() {
    let task = |number: usize| {
        format!("[tasks.t{number}]\nsetting = \"a.t{number}\"\nholds = \"phonebook\"\n")
    };
    let tasks = |count: usize| (0..count).map(task).collect::<String>();
    assert!(child(&tasks(32)).is_ok());
    assert!(child(&tasks(33)).is_err_and(|faults| faults.contains("more than 32 tasks")));
}
