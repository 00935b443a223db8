//! `bootstorm certify`, and what lists and checks say of cases.

use std::fs;

use super::program::run;
use super::{alone, directory, holds};

const SUITE: &str = r#"
[suite]
name = "mine"
side = "phone"
profile = "plug-n-dial/bva8051"
[base.fleet]
source = "dhcp"
transport = "tftp"
layout = "tree"
[[case]]
id = "mine/checksum-first"
purpose = "the checksum is the first request"
clause = ["PND-06"]
expect.wire = [{ sent = "tftp.rrq", with = { file = { ends = ".WORD" } } }]
caught_by = ["phone/plug-n-dial/fetches-config-first"]
"#;

#[test]
fn certifies_virtual_phones_with_a_verdict_a_case() {
    let told = alone(&["certify", "--phones", "plug-n-dial", "--verbose"], 0);
    holds(
        &told.out,
        &[
            "phone suite plug-n-dial: ",
            "pass: plug-n-dial/checksum-before-config (PND-02, PND-06, PND-12)",
            "Certified: ",
            "report.html",
        ],
    );
    let told = alone(
        &[
            "certify",
            "--phones",
            "plug-n-dial",
            "--case",
            "plug-n-dial/plain-*",
            "--quiet",
        ],
        0,
    );
    assert_eq!(told.out, "Certified: 1 of 1 applicable case passed.\n");
}

#[test]
fn a_case_that_fails_says_what_was_expected_and_seen() {
    let place = directory();
    let certify = |word: &str, further: &[&str], code| {
        fs::write(place.path().join("mine.toml"), SUITE.replace("WORD", word)).expect("written");
        let arguments = ["certify", "--phones", "plug-n-dial", "--suite", "mine.toml"];
        run(place.path(), &[&arguments[..], further].concat()).expect(code)
    };
    certify("md5", &[], 0);
    let told = certify("txt", &["--exchange"], 1).out;
    let parts = [
        "fail: mine/checksum-first (PND-06)",
        "purpose   the checksum is the first request",
        "expected  of the next tftp.rrq sent, file ends with '.txt'",
        "actual    its file is '/000b/8200/000b82000000.md5'",
        ">    20.",
        "Not certified: 1 of 1 cases failed",
    ];
    holds(&told, &parts);
    assert!(!told.contains(" reason "), "{told}");
    let mutant = ["--phone-mutant", "phone/plug-n-dial/fetches-config-first"];
    certify("md5", &mutant, 1);
}

#[test]
fn what_cannot_be_judged_is_told_before_anything_runs() {
    let told = alone(&["certify", "--phones", "plug-n-dail"], 2).err;
    holds(
        &told,
        &[
            "unknown profile 'plug-n-dail'",
            "did you mean 'plug-n-dial'",
        ],
    );
    let told = alone(&["certify", "--phones", "plug-n-dial", "--case", "none"], 2).err;
    holds(
        &told,
        &["--case none: no case is called so", "bootstorm list cases"],
    );
    let place = directory();
    let wrong = SUITE
        .replace("tftp.rrq", "tftp.rq")
        .replace("PND-06", "PND-6");
    fs::write(place.path().join("mine.toml"), wrong).expect("written");
    let arguments = ["certify", "--phones", "plug-n-dial", "--suite", "mine.toml"];
    let told = run(place.path(), &arguments).expect(2).err;
    let parts = [
        "mine.toml:13:11: unknown clause 'PND-6' (did you mean 'PND-06'?)",
        "mine.toml:14:25: unknown message 'tftp.rq' (did you mean 'tftp.rrq'?)",
    ];
    holds(&told, &parts);
}

#[test]
fn checks_suites_against_profiles_and_mutants() {
    let place = directory();
    let check = |text: String, code| {
        fs::write(place.path().join("mine.toml"), text).expect("written");
        run(place.path(), &["check", "mine.toml"]).expect(code)
    };
    assert_eq!(check(SUITE.to_owned(), 0).out, "mine.toml: no fault\n");
    let wrong = SUITE
        .replace("bva8051", "bva8052")
        .replace("config-first", "config-frist");
    let told = check(wrong, 2).err;
    holds(
        &told,
        &["mine.toml:15:14: unknown mutant", "config-first'?"],
    );
    holds(
        &told,
        &[
            "mine.toml:10:1: mine/checksum-first: fleet phones: unknown profile 'plug-n-dial/bva8052'",
        ],
    );
}

#[test]
fn lists_cases_and_what_covers_each_clause() {
    let cases = alone(&["list", "cases"], 0).out;
    holds(
        &cases,
        &[
            "plug-n-dial/checksum-before-config",
            "phone",
            "PND-06",
            "the checksum is",
        ],
    );
    let clauses = alone(&["list", "clauses"], 0).out;
    let parts = [
        "PND-06",
        "MUST",
        "covered by plug-n-dial/checksum-before-config",
    ];
    holds(&clauses, &parts);
    assert!(
        !clauses.contains("\n                 not covered"),
        "a clause is not covered"
    );
}
