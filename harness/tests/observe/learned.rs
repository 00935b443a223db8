//! `bootstorm lab learn`: what a draft says is what a phone that boots with it shows.

use std::process::Command;
use std::sync::Arc;

use bootstorm::capture;
use bootstorm::lab::learn::{Sample, Wanted, draft};
use bootstorm::observe::traits::{self, Aspect, Trait};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::wire::message;
use tempfile::TempDir;

use crate::round::{frames, observed, orders, plan, ran};

/// What tells models apart but for what a draft cannot take over: which names the inherited walk
/// asks for.
fn told(mut traits: Vec<Trait>) -> Vec<(Aspect, String)> {
    traits.retain(|it| it.aspect != Aspect::Names);
    traits.into_iter().map(|it| (it.aspect, it.value)).collect()
}

#[test]
fn a_phone_booted_with_a_draft_shows_what_the_capture_shows() {
    let plan = plan("every-way", 80);
    let mut ended = ran(&plan);
    let mut observer = observed(&frames(&plan, &mut ended));
    let mut tried = 0;
    for index in (0..plan.phones()).step_by(7) {
        let phone = plan.phone(index).expect("planned");
        let mac = phone.identity.mac;
        let sample = Sample::of(&mut observer, mac, "boot.pcapng").expect("a sample");
        let shown = told(traits::shown(mac, &sample.messages));
        let drafted = draft(&[sample], &Wanted::default(), &ProfileSet::built_in());
        let drafted = drafted.expect("a draft");
        let file = (drafted.path.clone(), drafted.text.clone());
        let profiles = ProfileSet::with_directory([file]);
        let profiles = profiles.unwrap_or_else(|faults| panic!("{faults}\n{}", drafted.text));
        // The same run, with the draft in place of the profile of this phone's fleet.
        let mut scenario = plan.scenario.clone();
        let fleet = phone.fleet;
        scenario.fleets[fleet].profiles = vec![(drafted.name.clone(), 1)];
        let again = Plan::new(scenario, &profiles, plan.server);
        let Ok(again) = again else {
            // The scenario gives settings that only the other model knows.
            continue;
        };
        let again = Arc::new(again);
        let records = ran(&again).records;
        let (_, record) = records
            .iter()
            .find(|(held, _)| *held == index)
            .expect("a record");
        let own = again.phone(index).expect("planned").identity.mac;
        let messages = message::decode(record);
        if own == mac {
            let theirs = told(traits::shown(own, &messages));
            assert_eq!(theirs, shown, "{mac}\n{}", drafted.text);
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried}");
}

#[test]
fn every_fact_names_its_capture_and_packet() {
    let plan = plan("first-run", 12);
    let mut ended = ran(&plan);
    let mut observer = observed(&frames(&plan, &mut ended));
    let mac = plan.phone(0).expect("planned").identity.mac;
    let sample = Sample::of(&mut observer, mac, "boot one.pcap").expect("a sample");
    let drafted = draft(&[sample], &Wanted::default(), &ProfileSet::built_in()).expect("a draft");
    let facts = drafted
        .text
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'));
    let head = ["inherits", "model", "summary"];
    let facts = facts.filter(|line| !head.iter().any(|word| line.starts_with(word)));
    let facts: Vec<&str> = facts.collect();
    assert!(facts.len() > 8, "{}", drafted.text);
    for fact in facts {
        assert!(
            fact.contains("# boot one.pcap #") && !fact.contains("pcap #0"),
            "{fact}"
        );
    }
    for expected in [
        "message_bytes = 548",
        "parameters = [1, 3, 6, 12, 15, 28, 42, 66]",
        "vendor_class = \"udhcp 1.15.3\"",
        "max_size_bytes = 576",
        "options = [\"tsize=0\", \"blksize=512\", \"timeout=3\"]",
        "between_files_min_ms = ",
    ] {
        assert!(
            drafted.text.contains(expected),
            "{expected}: {}",
            drafted.text
        );
    }
}

#[test]
fn the_program_drafts_a_profile_that_check_takes() {
    let directory = TempDir::new().expect("a directory");
    let plan = plan("first-run", 12);
    let mut ended = ran(&plan);
    let path = directory.path().join("boot.pcapng");
    let written = capture::write(&path, &plan, &orders(), &mut ended);
    written.expect("writable").expect("a capture");
    let mac = plan.phone(0).expect("planned").identity.mac.to_string();
    let text = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
        let said = command.args(arguments).output().expect("the program");
        let faults = String::from_utf8_lossy(&said.stderr).into_owned();
        (said.status.code().expect("a code"), faults)
    };
    let (capture, out) = (text("boot.pcapng"), text("profiles"));
    let (code, faults) = run(&["lab", "learn", &capture]);
    assert!(
        code == 2 && faults.contains("choose with --mac among"),
        "{code} {faults}"
    );
    let learn = [
        "lab",
        "learn",
        &capture,
        "--mac",
        &mac,
        "--model",
        "Stand-in 1",
        "--out",
        &out,
    ];
    let (code, faults) = run(&learn);
    assert_eq!(code, 0, "{faults}");
    let file = text("profiles/flyingvoice/stand-in-1.toml");
    assert!(std::path::Path::new(&file).exists());
    let (code, faults) = run(&["check", &file]);
    assert_eq!(code, 0, "{faults}");
    let (code, _) = run(&["--profiles", &out, "explain", "flyingvoice/stand-in-1"]);
    assert_eq!(code, 0);
}
