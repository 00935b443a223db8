//! The stand-in judged by the phone suite of its vendor, its power cycled over SNMP for each case,
//! and by a capture of what it did.

use std::fs;
use std::process::Command;

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::json;

use crate::boots::{PAGE, serve};
use crate::lab_file;
use crate::place::{Lab, MAC, here};
use crate::program::{Finished, Started};

/// What a handset can show whose udhcpc reads nothing but a host's name in option 66, and whose web
/// page nobody changes. When curl repeats a request that nobody answers hangs on the parts of a
/// second at which it asked, so that case is not among them.
const CASES: [&str; 12] = [
    "names-are-tried-in-order",
    "pause-after-an-error",
    "check-sync-fetches-again",
    "check-sync-with-reboot",
    "reads-option-66",
    "requests-at-once",
    "waits-at-random-after-power-on",
    "read-request-of-the-trace",
    "acknowledges-the-options",
    "an-error-ends-a-file",
    "boot-files-do-not-nest",
    "resources-after-the-files",
];
/// Those that also expect something of what a phone holds inside, which nobody sees of it.
const INSIDE: [&str; 4] = [
    "own-file-after-common-file",
    "includes-in-order",
    "absolute-include-on-another-server",
    "a-missing-include-does-not-stop-the-rest",
];
/// The one that both fail: what udhcpc does is not what the guide's trace shows.
const OLDER: &str = "flyingvoice/one-transaction-id Fail FLY-62 FLY-63";
/// Those that take little time.
const QUICK: [&str; 6] = [
    "names-are-tried-in-order",
    "pause-after-an-error",
    "reads-option-66",
    "requests-at-once",
    "read-request-of-the-trace",
    "acknowledges-the-options",
];

/// Those about multicast, for a handset whose page has it on.
const MULTICAST: [&str; 2] = ["asks-by-multicast-first", "asks-three-times-by-multicast"];

/// `bootstorm lab run` with these cases, and what it found.
fn certify(lab: &Lab, pnp: bool, cases: &[&str]) -> (Finished, Vec<CaseResult>) {
    let rest = if pnp { 7 } else { 2 };
    let place = format!("rest_s = {rest}\nport = \"{}\"\n", lab.port);
    lab_file::write(lab, pnp, "", &place);
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command
        .current_dir(lab.space.path())
        .args(["lab", "run", "lab.toml"]);
    command.arg("--profiles").arg(here("profiles"));
    for case in cases {
        command.arg("--case").arg(format!("flyingvoice/{case}"));
    }
    let finished = Started::new(&mut command).finish();
    let file = lab.space.path().join("bootstorm-report/report.json");
    let (out, err) = (&finished.out, &finished.err);
    let mut file = fs::File::open(file).unwrap_or_else(|_| panic!("no report:\n{out}\n{err}"));
    let report = json::read(&mut file).expect("a report of ours");
    let cases = report.cases().to_vec();
    (finished, cases)
}

/// The cases that did not pass, each with its clauses.
fn not_passed(cases: &[CaseResult]) -> Vec<String> {
    let wrong = cases.iter().filter(|it| it.verdict != CaseVerdict::Pass);
    wrong
        .map(|it| format!("{} {:?} {}", it.id, it.verdict, it.clauses.join(" ")))
        .collect()
}

#[test]
fn the_stand_in_is_certified_with_its_power_cycled_for_each_case() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let (finished, cases) = certify(&lab, false, &CASES);
    assert_eq!(not_passed(&cases), [""; 0], "{}", lab.told());
    assert_eq!(cases.len(), CASES.len());
    finished.expect(0);
    let cycles = lab.told().matches("power on").count();
    assert!(cycles >= CASES.len(), "{}", lab.told());
}

/// What its virtual twin does is the same in all cases that the handset is judged by, and in those
/// that nobody sees.
#[test]
fn its_virtual_twin_passes_and_fails_the_same_cases() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
    command.args(["certify", "--phones", "stand-in/handset"]);
    command.args(["--vendor", "flyingvoice"]);
    command.arg("--profiles").arg(here("profiles"));
    command.arg("--out").arg(directory.path());
    Started::new(&mut command).finish().expect(1);
    // Nobody judges it who was not named, and a vendor's own suite its phones.
    for (phones, vendor) in [
        ("stand-in/handset", None),
        ("stand-in", Some("flyingvoice")),
        ("gigaset/maxwell-3", Some("flyingvoice")),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
        command.args(["certify", "--phones", phones]);
        command.args(vendor.iter().flat_map(|vendor| ["--vendor", vendor]));
        command.arg("--profiles").arg(here("profiles"));
        let told = Started::new(&mut command).finish().expect(2).err;
        assert!(told.contains("no case is about these phones"), "{told}");
    }
    let mut file = fs::File::open(directory.path().join("report.json")).expect("a report");
    let report = json::read(&mut file).expect("a report of ours");
    assert_eq!(not_passed(report.cases()), [OLDER]);
    let all: Vec<_> = report.cases().iter().map(|it| it.id.as_str()).collect();
    for case in CASES.iter().chain(&MULTICAST).chain(&INSIDE) {
        assert!(all.contains(&&*format!("flyingvoice/{case}")), "{case}");
    }
}

#[test]
fn what_nobody_sees_of_a_handset_is_inconclusive_and_never_passes() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let (finished, cases) = certify(&lab, false, &INSIDE);
    assert_eq!(cases.len(), INSIDE.len());
    for case in &cases {
        let (id, reason) = (&case.id, &case.reason);
        assert_eq!(case.verdict, CaseVerdict::Inconclusive, "{id}: {reason}");
        let expected = "as expected on the wire; what the phone then holds inside, nobody saw";
        assert_eq!(reason, expected, "{id}");
    }
    finished.expect(3);
}

#[test]
fn the_stand_in_asks_by_multicast_as_the_guide_says() {
    let Some(lab) = Lab::new(&format!("{PAGE}pnp=1\n")) else {
        return;
    };
    let (finished, cases) = certify(&lab, true, &MULTICAST);
    assert_eq!(
        not_passed(&cases),
        [""; 0],
        "{}\n{}\n{}",
        finished.out,
        finished.err,
        lab.told()
    );
    finished.expect(0);
}

/// The verdicts of a handset that deviates.
fn deviating(deviation: &str, cases: &[&str]) -> Option<Vec<String>> {
    let lab = Lab::new(&format!("{PAGE}deviation={deviation}\n"))?;
    let (finished, cases) = certify(&lab, false, cases);
    let wrong = not_passed(&cases);
    finished.expect(i32::from(!wrong.is_empty()));
    Some(wrong)
}

#[test]
fn a_handset_that_sends_no_options_fails_on_those_clauses_alone() {
    let Some(wrong) = deviating("options", &CASES) else {
        return;
    };
    let expected = [
        "flyingvoice/read-request-of-the-trace Fail WIRE-01 WIRE-02 FLY-52 FLY-70",
        // No server acknowledges what nobody asked for.
        "flyingvoice/acknowledges-the-options Inconclusive WIRE-05 FLY-53",
    ];
    assert_eq!(wrong, expected);
}

#[test]
fn a_handset_that_never_asks_for_its_own_file_fails_on_those_clauses_alone() {
    let cases = [&QUICK[..], &["own-file-after-common-file"]].concat();
    let Some(wrong) = deviating("no-own-file", &cases) else {
        return;
    };
    let expected = ["flyingvoice/own-file-after-common-file Fail FLY-09 FLY-21 FLY-75"];
    assert_eq!(wrong, expected);
}

// FLY-62: what its udhcpc does is not what the guide's trace shows.
#[test]
fn short_messages_of_a_newer_udhcpc_are_held_against_it() {
    let Some(wrong) = deviating("none", &["one-transaction-id"]) else {
        return;
    };
    assert_eq!(wrong, [OLDER]);
}

#[test]
fn its_capture_fits_its_own_profile_best_and_is_judged_alike() {
    let Some(lab) = Lab::new(PAGE) else { return };
    let _server = serve(&lab);
    let (tcpdump, file) = lab.capture("boot.pcap");
    lab.power(true);
    lab.wait_told("registered u00000: 0", 1);
    tcpdump.end();
    let judge = |further: &[&str]| {
        let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
        command
            .current_dir(lab.space.path())
            .arg("judge")
            .arg(&file);
        command
            .arg("--profiles")
            .arg(here("profiles"))
            .args(further);
        Started::new(&mut command).finish()
    };
    let out = judge(&[]).out;
    let first = out.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(&format!("{MAC} stand-in/handset")),
        "{out}"
    );
    for habit in ["order of DHCP options", "length of DHCPDISCOVER"] {
        let (same, differs) = first.split_once("differs").unwrap_or((first, ""));
        assert!(same.contains(habit) && !differs.contains(habit), "{first}");
    }
    // What `learn` drafts of its DHCP is what its profile says.
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command.args(["lab", "learn"]).arg(&file);
    let drafted = Started::new(&mut command).finish().expect(0).out;
    let profile = fs::read_to_string(here("profiles/stand-in/handset.toml")).expect("committed");
    let (_, dhcp) = profile.split_once("[dhcp]\n").expect("it says so");
    for fact in dhcp.lines().take_while(|line| !line.is_empty()) {
        let same = |line: &str| line.split(" #").next() == Some(fact);
        assert!(drafted.lines().any(same), "{fact}\n{drafted}");
    }
    let out = judge(&["--profile", "flyingvoice/fip13g"]).expect(1).out;
    let broken: Vec<_> = out.lines().filter(|it| it.contains("BROKEN")).collect();
    assert_eq!(
        broken,
        ["  BROKEN flyingvoice/one-transaction-id (FLY-62, FLY-63)"]
    );
}
