//! What the program says to input that is wrong, and to input that is right.

use std::fs;

use crate::program::run;
use crate::{alone, directory, holds};

const SCENARIO: &str = r#"name = "bad"
sed = 1
time_scale = "fast"
deadline_s = -1

[load]
shape = "rate"
per_s = 400

[[fleet]]
name = "one"
phones = 0
source = "dchp"
transport = "tfpt"
layout = "flat"
firmwre = "x"

[fleet.profiles]
"flyingvoice/fip13g" = 1

[fleet.own]
"account.1.label" = "Desk {indx}"
"#;

const SCENARIO_FAULTS: &str = "\
bad.toml:2:1: unknown key 'sed' (expected one of attach, deadline_s, expect, fleet, hosts, \
lasts_s, link, load, name, pnp, redirect, seed, step, subject, threshold, thresholds, time, \
time_scale, tls; did you mean 'seed'?)
bad.toml:3:14: 'time_scale' is a text (expected a number from 0 to 1000)
bad.toml:4:14: 'deadline_s' is -1 (expected a time in seconds, 0 or more)
bad.toml:12:10: 'fleet[0].phones' is 0 (expected a whole number from 1 to 16777216)
bad.toml:13:10: 'fleet[0].source' is 'dchp' (expected one of dhcp, dhcp-114, dhcp-43, \
dhcp-66-67, dhcp-66-file, redirect, pnp, fixed, dhcp-43-plain, dhcp-custom, pnp-tcp, mdns, acs, static; \
did you mean 'dhcp'?)
bad.toml:14:13: 'fleet[0].transport' is 'tfpt' (expected one of tftp, ftp, http, https; did you mean \
'tftp'?)
bad.toml:16:1: unknown key 'firmwre' (did you mean 'firmware'?)
bad.toml:22:28: 'fleet[0].own.account.1.label': unknown variable 'indx'; did you mean 'index'?
";

const PROFILE: &str = r#"inherits = "flyingvoce"
modl = "FIP17G"
summary = 3

[index_limits]
accounts = -6
"#;

const PROFILE_FAULTS: &str = "\
flyingvoice/bad.toml:1:12: unknown parent 'flyingvoce' (did you mean 'flyingvoice'?)
flyingvoice/bad.toml:2:1: unknown key 'modl' (did you mean 'model'?)
flyingvoice/bad.toml:3:11: 'summary' is a number (expected a text of one line, not empty)
flyingvoice/bad.toml:6:12: 'index_limits.accounts' is -6 (expected a whole number from 1 to 9999)
";

/// The sources' directory: files that come with the program.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn all_faults_of_a_scenario_are_shown_at_once_with_their_places() {
    let directory = directory();
    fs::write(directory.path().join("bad.toml"), SCENARIO).expect("writable");
    let checked = run(directory.path(), &["check", "bad.toml"]).expect(2);
    assert_eq!(checked.err, SCENARIO_FAULTS);
    assert_eq!(checked.out, "");
    let ran = run(directory.path(), &["run", "bad.toml"]).expect(2);
    assert_eq!(ran.err, format!("bootstorm: {SCENARIO_FAULTS}"));
    assert!(!directory.path().join("bootstorm-report").exists());
}

#[test]
fn all_faults_of_a_profile_are_shown_at_once_with_their_places() {
    let directory = directory();
    let vendor = directory.path().join("flyingvoice");
    fs::create_dir(&vendor).expect("writable");
    fs::write(vendor.join("bad.toml"), PROFILE).expect("writable");
    // Files beside it that it has nothing to do with are not its faults.
    fs::write(vendor.join("other.toml"), "x = [").expect("writable");
    let checked = run(directory.path(), &["check", "flyingvoice/bad.toml"]).expect(2);
    assert_eq!(checked.err, PROFILE_FAULTS);
    fs::remove_file(vendor.join("other.toml")).expect("writable");
    let listed = run(directory.path(), &["--profiles", ".", "list", "profiles"]);
    assert_eq!(listed.expect(2).err, format!("bootstorm: {PROFILE_FAULTS}"));
}

#[test]
fn a_profile_of_the_users_is_checked_explained_and_run() {
    let directory = directory();
    let vendor = directory.path().join("flyingvoice");
    fs::create_dir(&vendor).expect("writable");
    let profile = "inherits = \"flyingvoice\"\nmodel = \"FIP17G\"\nsummary = \"FIP17G: new\"\n\
                   [index_limits]\naccounts = 6\nline_keys = 12\n";
    fs::write(vendor.join("fip17g.toml"), profile).expect("writable");
    run(directory.path(), &["check", "flyingvoice/fip17g.toml"]).expect(0);
    let explained = ["--profiles", ".", "explain", "flyingvoice/fip17g"];
    let explained = run(directory.path(), &explained).expect(0);
    holds(&explained.out, &["FIP17G", "DISCOVER", "settled"]);
}

#[test]
fn files_that_come_with_the_program_have_no_fault() {
    for kind in ["scenarios/fleets", "emulator/profiles"] {
        let mut files = Vec::new();
        let mut directories = vec![std::path::Path::new(SOURCES).join(kind)];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push(path.display().to_string());
                }
            }
        }
        let arguments: Vec<_> = std::iter::once("check")
            .chain(files.iter().map(String::as_str))
            .collect();
        let checked = alone(&arguments, 0);
        assert_eq!(checked.out.matches(": no fault\n").count(), files.len());
        assert!(files.len() > 1, "{files:?}");
    }
}

#[test]
fn one_missing_file_does_not_keep_the_others_from_being_checked() {
    let directory = directory();
    fs::write(directory.path().join("bad.toml"), SCENARIO).expect("writable");
    let checked = run(directory.path(), &["check", "none.toml", "bad.toml"]).expect(2);
    holds(
        &checked.err,
        &["failed to read none.toml", "bad.toml:22:28"],
    );
}

#[test]
fn unknown_words_are_answered_with_the_nearest() {
    let said = |arguments: &[&str], word: &str| holds(&alone(arguments, 2).err, &[word]);
    said(&["rum"], "'run'");
    said(&["run", "first-rum"], "did you mean \"first-run\"?");
    said(&["run", "--phonse", "3"], "'--phone");
    said(&["run", "--attach", "memry"], "'memory'");
    said(&["list", "profils"], "'profiles'");
    said(
        &["explain", "flyingvoice/fip13x"],
        "did you mean 'flyingvoice/fip13g'?",
    );
}

#[test]
fn wrong_values_are_refused_before_anything_is_begun() {
    let said = |arguments: &[&str], words: &str| {
        let said = alone(&[&["run"], arguments].concat(), 2);
        holds(&said.err, &[words]);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        assert_eq!(said.out, "");
    };
    said(&["--phone", "99999"], "an index from 0 to 1999");
    said(&["--time-scale", "1001"], "a number from 0 to 1000");
    said(&["--deadline=-1"], "--deadline takes seconds, 0 or more");
    said(&["--subject", "127.0.0.1:69"], "expected dhcp://");
    said(&["--subject", "sftp://127.0.0.1"], "unknown scheme");
    said(&["--subject", "fpt://127.0.0.1"], "did you mean ftp?");
    said(&["--subject", "http://192.0.2.1"], "only 127.0.0.0/8");
    said(&["--subject", "tftp://127.0.0.2"], "must be at 127.0.0.1");
    said(&["--subject", "http://127.0.0.1/a"], "expected no path");
    said(
        &["--attach", "memory", "--subject", "http://127.0.0.1"],
        "reaches no real server",
    );
    said(&["--content", "none"], "failed to read none");
    said(&["--ca", "none.pem"], "failed to read none.pem");
    said(&["--ca", "/dev/null"], "no certificate in it");
    said(
        &[
            "--subject",
            "ntp://127.0.0.1:4",
            "--subject",
            "NTP://127.0.0.1:5",
        ],
        "--subject NTP://127.0.0.1:5: a second endpoint for one service",
    );
}

/// A fleet of one phone, to put further lines before and into.
const ONE: &str = r#"[[fleet]]
name = "one"
phones = 1
source = "dhcp"
transport = "http"
layout = "own"
profiles = { "gigaset/maxwell-3" = 1 }
own = { "SIP.Account.1.AccountName" = "Second {index}" }
"#;

#[test]
fn what_a_scenario_does_to_its_phones_is_checked() {
    let directory = directory();
    let faults = |world: &str, into: &str, told: &str| {
        let text = format!("name = \"one\"\ndeadline_s = 30\n{world}\n{ONE}{into}\n");
        fs::write(directory.path().join("one.toml"), text).expect("writable");
        let checked = run(directory.path(), &["check", "one.toml"]).expect(2);
        assert_eq!(checked.err.lines().count(), 1, "{}", checked.err);
        holds(&checked.err, &["one.toml:", told]);
    };
    let step = |lines: &str, told: &str| faults(&format!("[[step]]\n{lines}"), "", told);
    step("do = \"check-sync\"", "needs 'after', 'at_s' or 'later_s'");
    step(
        "at_s = 30\ndo = \"check-sync\"",
        "not before the run's deadline",
    );
    step("at_s = -1\ndo = \"check-sync\"", "'step[0].at_s' is -1");
    step(
        "at_s = 1\nafter = \"settled\"\ndo = \"check-sync\"",
        "one of 'after', 'at_s' and 'later_s'",
    );
    step(
        "after = \"setled\"\ndo = \"check-sync\"",
        "did you mean 'settled'",
    );
    step(
        "after = \"settled\"\ndo = \"chck-sync\"",
        "did you mean 'check-sync'",
    );
    step("after = \"settled\"", "missing key 'step[0].do'");
    let whom = "after = \"settled\"\ndo = \"check-sync\"\nfleet = \"on\"";
    step(whom, "no fleet is called \"on\" (did you mean 'one'?)");
    faults(
        "[time]\nsilent = 3",
        "",
        "expected one of silent_s, unsynchronised_s",
    );
    faults(
        "[redirect]\nanswer = \"header\"",
        "",
        "one of body, location",
    );
    faults(
        "[tls]\nclient_certificate = \"yes\"",
        "",
        "one of none, request, require",
    );
    faults(
        "[hosts]\n\"a\" = \"subjct\"",
        "",
        "an IPv4 address or \"subject\"",
    );
    faults("", "auth = \"digst\"", "did you mean 'digest'");
    faults("", "user = \"u\"", "'fleet[0].user' without 'auth'");
    faults(
        "",
        "client_certificate = \"{mak}\"",
        "unknown variable 'mak'",
    );
}

#[test]
fn a_step_that_the_run_did_not_come_to_is_told() {
    let directory = directory();
    let step = "[[step]]\nat_s = 20\ndo = \"check-sync\"\n";
    let text = format!("name = \"one\"\ntime_scale = 0\n{step}{ONE}");
    fs::write(directory.path().join("one.toml"), text).expect("writable");
    let ran = ["run", "one.toml", "--attach", "memory", "--deadline", "10"];
    let told = run(directory.path(), &ran).expect(0).out;
    holds(
        &told,
        &["Step", "check-sync: not taken, the run ended first"],
    );
    let longer = ["run", "one.toml", "--attach", "memory"];
    let told = run(directory.path(), &longer).expect(0).out;
    holds(
        &told,
        &["Step", "check-sync: 1 phone · 1 answered 2xx · 1 resynced"],
    );
}

#[test]
fn prints_the_schema_of_a_kind_of_file() {
    let printed = alone(&["check", "--schema", "scenario"], 0);
    assert!(
        printed.out.starts_with("{\n  \"$schema\""),
        "{}",
        printed.out
    );
    let wrong = alone(&["check", "--schema", "scenarios"], 2);
    assert!(
        wrong.err.contains("scenario, suite, mutant"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_scenario_says_what_it_is_for_and_the_command_line_counts_before_it() {
    let place = directory();
    let text = "name = \"x\"\nattach = \"memory\"\ntime_scale = 0.01\n\
                thresholds = ['provisioned == planned']\n[subject]\nSUBJECT\n[[fleet]]\n\
                name = \"f\"\nphones = 1\nsource = \"dhcp\"\ntransport = \"tftp\"\n\
                layout = \"flat\"\nweb.pnp_enable = \"0\"\n\
                profiles.\"flyingvoice/fip13g\" = 1\nown.\"account.1.label\" = \"a\"\n";
    let write = |subject: &str| {
        let text = text.replace("SUBJECT", subject);
        fs::write(place.path().join("x.toml"), text).expect("writable");
    };
    let run = |arguments: &[&str], code| {
        let arguments = [&["run", "x.toml", "--quiet"], arguments].concat();
        run(place.path(), &arguments).expect(code)
    };
    write("");
    let simulated = run(&[], 0);
    assert!(
        simulated.out.contains("1 of 1 phone provisioned"),
        "{}",
        simulated.out
    );
    // What it is for cannot be reached by a simulated network.
    write("tftp = \"tftp://127.0.0.1:1\"");
    let refused = run(&[], 2);
    assert!(
        refused.err.contains("reaches no real server"),
        "{}",
        refused.err
    );
    run(&["--attach", "memory"], 0);
    write("tftp = \"tftp://192.0.2.1\"");
    let wrong = run(&[], 2);
    assert!(
        wrong.err.contains("x.toml:6:8: tftp://192.0.2.1:"),
        "{}",
        wrong.err
    );
}
