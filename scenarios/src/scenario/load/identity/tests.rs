use std::path::PathBuf;

use super::super::read;
use super::*;
use crate::scenario::Scenario;

fn text(lines: &str) -> String {
    format!(
        "name = \"x\"\n[[fleet]]\nname = \"f\"\nsource = \"dhcp\"\ntransport = \"http\"\n\
         layout = \"l\"\n{lines}"
    )
}

fn with(lines: &str) -> Result<Scenario, String> {
    read("x.toml", &text(lines)).map_err(|faults| faults.to_string())
}

/// A scenario in a directory of its own, with `phones.csv` beside it.
fn beside(csv: &str, lines: &str) -> Result<Scenario, String> {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("phones.csv"), csv).expect("writable");
    let name: PathBuf = directory.path().join("x.toml");
    let lines = format!("inventory = \"phones.csv\"\n{lines}");
    let read = read(&name.display().to_string(), &text(&lines));
    let from = format!("{}/", directory.path().display());
    read.map_err(|faults| faults.to_string().replace(&from, ""))
}

const MIX: &str = "profiles.\"a/b\" = 1\n";

#[test]
fn a_range_of_addresses_begins_where_it_is_told_and_ends_there() {
    let macs = |lines: &str| with(&format!("{lines}\n{MIX}")).map(|it| it.fleets[0].macs);
    let range = macs("phones = 3\nmacs = \"00:21:f2:00:10:00 - 00-21-f2-00-10-02\"");
    let range = range.unwrap().unwrap();
    assert_eq!(range.count(), 3);
    assert_eq!(range.at(2).to_string(), "0021f2001002");
    assert_eq!(range.place_of(Mac::parse("0021f2001001").unwrap()), Some(1));
    assert_eq!(range.place_of(Mac::parse("0021f2001003").unwrap()), None);
    assert_eq!(range.place_of(Mac::parse("0021f2000fff").unwrap()), None);
    let open = macs("phones = 300\nmacs = \"0021f20010ff\"")
        .unwrap()
        .unwrap();
    assert_eq!(open.at(299).to_string(), "0021f200122a");
    assert_eq!(open.last.to_string(), "00ffffffffff");
    for (lines, told) in [
        (
            "phones = 4\nmacs = \"00:21:f2:00:10:00 - 00:21:f2:00:10:02\"",
            "'fleet[0].macs' has 3 addresses for 4 phones",
        ),
        (
            "phones = 4\nmacs = \"01:21:f2:00:10:00\"",
            "expected a MAC address such as",
        ),
        (
            "phones = 4\nmacs = \"0021f2001000 - 0021f2000000\"",
            "expected a MAC address",
        ),
    ] {
        let faults = macs(lines).expect_err(lines);
        assert!(faults.contains(told), "{faults}");
    }
}

#[test]
fn an_inventory_gives_phones_their_settings_and_fills_holes() {
    let csv = "mac,profile,label,ext\n0021f2000001,a/b,Ann,1\n0021f2000002,a/c,Bob,2\n";
    let scenario = beside(csv, "[fleet.own]\nuser = \"u{inventory:ext}\"\n").unwrap();
    let fleet = &scenario.fleets[0];
    assert_eq!((fleet.phones, fleet.profiles.len()), (2, 0));
    let own: Vec<_> = fleet
        .own
        .iter()
        .map(|(key, value)| (key.as_str(), value.source()))
        .collect();
    // A column that a hole names is no setting.
    assert_eq!(
        own,
        [("user", "u{inventory:ext}"), ("label", "{inventory:label}")]
    );
}

#[test]
fn names_faults_of_an_inventory_and_of_what_refers_to_it() {
    let csv = "mac,label,ext\n0021f2000001,Ann,1\nx,Bob,2\n";
    let faults = beside(csv, MIX).unwrap_err();
    assert!(
        faults.starts_with("phones.csv:3:1: 'x' is no MAC address"),
        "{faults}"
    );
    let csv = "mac,label,ext\n0021f2000001,Ann,1\n";
    for (lines, told) in [
        (
            "phones = 2\nprofiles.\"a/b\" = 1\n",
            "x.toml:8:10: 'fleet[0].phones' is 2, but the inventory has 1",
        ),
        (
            "profiles.\"a/b\" = 1\nown.a = \"{inventory:exd}\"\n",
            "x.toml:9:9: the inventory has no column 'exd' (did you mean 'ext'?)",
        ),
        (
            "profiles.\"a/b\" = 1\nown.label = \"x\"\n",
            "setting 'label' is a column of the inventory too",
        ),
        (
            "profiles.\"a/b\" = 1\nmacs = \"0021f2000001\"\n",
            "'macs' beside 'inventory'",
        ),
        ("", "missing key 'fleet[0].profiles'"),
    ] {
        let faults = beside(csv, lines).expect_err(lines);
        assert!(faults.contains(told), "{lines}: {faults}");
    }
    let faults = with(&format!("inventory = \"no.csv\"\n{MIX}")).unwrap_err();
    assert!(
        faults.starts_with("x.toml:7:13: failed to read no.csv: "),
        "{faults}"
    );
    let faults = with(&format!("phones = 1\n{MIX}user = \"{{inventory:a}}\"\n")).unwrap_err();
    assert!(
        faults.contains("x.toml:9:8: '{inventory:a}' without 'inventory'"),
        "{faults}"
    );
}

#[test]
fn a_fleet_never_grows_beyond_its_addresses() {
    let csv = "mac,label\n0021f2000001,Ann\n0021f2000002,Bob\n";
    let mut scenario = beside(csv, MIX).unwrap();
    scenario.resize(50);
    assert_eq!(scenario.fleets[0].phones, 2);
    scenario.resize(1);
    assert_eq!(scenario.fleets[0].phones, 1);
}
