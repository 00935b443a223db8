use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::report::tests::{judged, part, sample};

fn text_of(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series} in:\n{text}"))
        .trim()
        .parse()
        .unwrap()
}

/// A report whose texts try to leave their labels.
fn hostile() -> Report {
    let mut report = sample();
    report.facts.scenario = "a\"} 1\n# TYPE b\\".to_owned();
    report.facts.thresholds.push(crate::case::ThresholdResult {
        expression: "p95(\"boot\") < duration(\"3s\")".to_owned(),
        met: None,
        actual: String::new(),
        aborted_at_us: None,
    });
    report
}

#[test]
fn looks_as_it_looked() {
    let text = text_of(&judged());
    snapbox::assert_data_eq!(
        text,
        snapbox::file!["../../tests/golden/metrics.prom": Text].raw()
    );
}

#[test]
fn a_histogram_adds_up() {
    let report = sample();
    let text = text_of(&report);
    let row = &report.ladder.rows["settled"];
    let of = |rest: &str| value(&text, &format!("bootstorm_step_duration_seconds_{rest}"));
    let all = row.latency.count() as f64;
    assert_eq!(of("count{step=\"settled\"}"), all);
    assert_eq!(of("bucket{step=\"settled\",le=\"+Inf\"}"), all);
    assert_eq!(of("bucket{step=\"settled\",le=\"5\"}"), all);
    assert_eq!(of("bucket{step=\"settled\",le=\"0.5\"}"), 0.0);
    let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
    let sum: f64 = report
        .phones
        .iter()
        .map(|phone| seconds(phone.settled_after))
        .sum();
    let written = of("sum{step=\"settled\"}");
    assert!((written - sum).abs() < sum * 0.001, "{written} for {sum}");
    assert_eq!(
        value(&text, "bootstorm_phones{outcome=\"provisioned\"}"),
        986.0
    );
    assert_eq!(
        value(&text, "bootstorm_run_verdict{class=\"subject_failed\"}"),
        1.0
    );
}

#[test]
fn a_snapshot_of_a_run_that_goes_on_needs_no_report() {
    let report = sample();
    let mut snapshot = Snapshot::of_facts(report.facts());
    snapshot.phones = vec![("provisioned".to_owned(), 7)];
    snapshot.count(report.ladder());
    let mut out = Vec::new();
    write_snapshot(&snapshot, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        value(&text, "bootstorm_phones{outcome=\"provisioned\"}"),
        7.0
    );
    assert!(!text.contains("run_verdict"));
}

#[test]
fn promtool_finds_nothing_to_say() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join("promtool").is_file());
    if !found {
        let _ = writeln!(io::stderr(), "not run: needs promtool");
        return;
    }
    for report in [judged(), sample(), hostile(), part(1, 0..0)] {
        let text = text_of(&report);
        let mut tool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        tool.stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let said = tool.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && words.is_empty(), "{words}\n{text}");
    }
}
