use junit_parser::{TestStatus, TestSuites};

use super::*;
use crate::case::ThresholdResult;
use crate::report::tests::{case, certified, judged, part, phone, sample};
use crate::run::Outcome;

fn text_of(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// As an independent reader sees it; its own sums must be those of the attributes.
fn read(text: &str) -> TestSuites {
    let read = junit_parser::from_reader(text.as_bytes());
    let read = read.unwrap_or_else(|fault| panic!("{fault}:\n{text}"));
    let (mut tests, mut bad) = (0, 0);
    for suite in &read.suites {
        let count = |is: fn(&TestStatus) -> bool| {
            suite.cases.iter().filter(|case| is(&case.status)).count() as u64
        };
        assert_eq!(suite.tests, suite.cases.len() as u64, "{}", suite.name);
        assert_eq!(
            suite.failures,
            count(TestStatus::is_failure),
            "{}",
            suite.name
        );
        assert_eq!(suite.errors, count(TestStatus::is_error), "{}", suite.name);
        assert_eq!(
            suite.skipped,
            count(TestStatus::is_skipped),
            "{}",
            suite.name
        );
        tests += suite.tests;
        bad += suite.failures + suite.errors;
    }
    assert_eq!((read.tests, read.failures + read.errors), (tests, bad));
    read
}

#[test]
fn an_independent_reader_finds_every_case_with_its_verdict() {
    let report = judged();
    let read = read(&text_of(&report));
    let names: Vec<_> = read
        .suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(names, ["phone.flyingvoice", "server.protocol"]);
    for (suite, results) in read.suites.iter().zip(report.cases().chunks(6)) {
        for (found, result) in suite.cases.iter().zip(results) {
            assert_eq!(found.original_name, result.id);
            assert_eq!(found.classname.as_deref(), Some(suite.name.as_str()));
            let properties = &found.properties.vec;
            assert!(properties.contains(&("clause".to_owned(), "FLY-06".to_owned())));
            match (&found.status, result.verdict) {
                (TestStatus::Success, CaseVerdict::Pass) => {}
                (TestStatus::Skipped(skipped), CaseVerdict::NotApplicable) => {
                    assert_eq!(skipped.message, result.reason);
                }
                (TestStatus::Failure(failure), CaseVerdict::Fail) => {
                    assert_eq!(failure.message, format!("FLY-06: {}", result.reason));
                    assert!(failure.text.contains(&result.expected), "{}", failure.text);
                    assert!(failure.text.contains(&result.actual), "{}", failure.text);
                    let shown = found.system_out.as_deref().unwrap();
                    assert!(shown.contains("> 0.104  → tftp.rrq"), "{shown}");
                }
                (TestStatus::Error(error), CaseVerdict::Inconclusive) => {
                    assert_eq!(error.error_type, "inconclusive");
                }
                (TestStatus::Error(error), CaseVerdict::Error) => {
                    assert_eq!(error.error_type, "error");
                }
                (status, verdict) => panic!("{verdict:?} became {status:?}"),
            }
        }
    }
}

#[test]
fn a_run_is_a_suite_for_each_profile_with_its_steps_and_failures() {
    let mut report = sample();
    report.facts.thresholds = [Some(true), Some(false), None]
        .map(|met| ThresholdResult {
            expression: format!("p95(\"boot\") < 3 && {met:?}"),
            met,
            actual: "p95 = 4".to_owned(),
            aborted_at_us: met.is_none().then_some(1_500_000),
        })
        .to_vec();
    let read = read(&text_of(&report));
    let suite = |name: &str| read.suites.iter().find(|suite| suite.name == name).unwrap();
    assert!(suite("run").cases[0].status.is_failure());
    let thresholds = suite("thresholds");
    assert!(thresholds.cases[0].status.is_success());
    assert!(thresholds.cases[1].status.is_failure());
    let TestStatus::Error(error) = &thresholds.cases[2].status else {
        panic!("{:?}", thresholds.cases[2].status);
    };
    assert_eq!(error.message, "p95 = 4; ended the run after 1.5 s");

    let profile = suite("flyingvoice/fip13g");
    let names: Vec<_> = profile
        .cases
        .iter()
        .map(|case| case.original_name.as_str())
        .collect();
    let steps = [
        "DISCOVER",
        "<mac>",
        "<mac>.boot",
        "y000000000000.cfg",
        "<mac>.cfg",
        "settled",
    ];
    assert_eq!(names, steps);
    let TestStatus::Failure(failure) = &profile.cases[4].status else {
        panic!("{:?}", profile.cases[4].status);
    };
    assert_eq!(failure.message, "12 phones: no answer (and 1 more)");
    assert!(
        failure
            .text
            .contains("bootstorm run every-vendor --seed 42 --phone 0")
    );
    assert_eq!((profile.failures, profile.tests), (1, 6));
    let phones = suite("flyingvoice/fip13g phones");
    assert_eq!((phones.tests, phones.failures), (334, 12));
}

#[test]
fn ten_thousand_failed_phones_make_no_large_file() {
    let mut report = part(3, 0..0);
    report.phones = (0..10_000)
        .map(|index| phone(index, Outcome::Failed))
        .collect();
    report.facts.planned = 10_000;
    let text = text_of(&report);
    assert!(text.len() < 500_000, "{}", text.len());
    let read = read(&text);
    let phones = read.suites.last().unwrap();
    assert_eq!(phones.tests, PHONES_MAX as u64);
    let said = phones.system_out.as_deref().unwrap();
    assert!(
        said.contains("1000 of 10000 phones that did not succeed"),
        "{said}"
    );
}

#[test]
fn a_void_or_stopped_run_is_red() {
    let mut report = part(3, 0..0);
    assert_eq!(read(&text_of(&report)).errors, 1);
    report.facts.stopped = true;
    assert_eq!(read(&text_of(&report)).errors, 1);
    let mut report = certified(vec![case("a/b", CaseVerdict::Pass)]);
    assert_eq!(read(&text_of(&report)).errors, 0);
    report.facts.stopped = true;
    assert_eq!(read(&text_of(&report)).errors, 1);
}

#[test]
fn exchanges_beyond_the_limit_are_left_out_and_said_to_be() {
    let mut result = case("a/b", CaseVerdict::Fail);
    result.exchange = vec!["x".repeat(1_000_000)];
    let results: Vec<_> = (0..9)
        .map(|at| CaseResult {
            id: format!("a/b{at}"),
            ..result.clone()
        })
        .collect();
    let text = text_of(&certified(results));
    assert!(text.len() < EXCHANGE_BYTES_MAX + 10_000, "{}", text.len());
    let last = read(&text).suites[0].cases[8].system_out.clone().unwrap();
    assert!(last.starts_with("left out"), "{last}");
}

#[test]
fn whatever_a_server_says_stays_text() {
    let hostile = "\"><failure/>\u{0}\u{1b}]]>&#x41;\n\u{ffff}é";
    let mut result = case("a/b", CaseVerdict::Fail);
    result.reason = hostile.to_owned();
    result.exchange = vec![hostile.to_owned()];
    result.purpose = hostile.to_owned();
    let text = text_of(&certified(vec![result]));
    let tree = roxmltree::Document::parse(&text).unwrap();
    let failures = tree
        .descendants()
        .filter(|node| node.has_tag_name("failure"));
    let messages: Vec<_> = failures
        .filter_map(|node| node.attribute("message"))
        .collect();
    let safe = "FLY-06: \"><failure/>\\u{0}\\u{1b}]]>&#x41;\n\\u{ffff}é";
    assert_eq!(messages, [safe]);
    let shown = tree
        .descendants()
        .find(|node| node.has_tag_name("system-out"));
    let shown: String = shown
        .unwrap()
        .children()
        .filter_map(|node| node.text())
        .collect();
    let safe = "  \"><failure/>\\u{0}\\u{1b}]]>&#x41;\n\\u{ffff}é\n";
    assert_eq!(shown, safe);
}

#[test]
fn writes_the_time_as_others_do() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (1_795_257_786, "2026-11-21T10:43:06Z"),
    ] {
        assert_eq!(timestamp(seconds), text);
    }
    assert!(timestamp(u64::MAX).len() >= 20);
}
