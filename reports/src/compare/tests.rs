use std::time::Duration;

use super::*;
use crate::case::{CaseVerdict, ThresholdResult};
use crate::report::tests::{case, certified, phone, sample};
use crate::text::Style;

fn print(comparison: &Comparison) -> (String, String) {
    let (mut text, mut markdown) = (Vec::new(), Vec::new());
    crate::text::write_comparison(comparison, Style::default(), &mut text).unwrap();
    crate::summary::write_comparison(comparison, &mut markdown).unwrap();
    let string = |bytes| String::from_utf8(bytes).unwrap();
    (string(text), string(markdown))
}

fn times(report: &mut Report, millis: std::ops::Range<u64>) {
    let row = report.ladder.rows.get_mut("<mac>.cfg").unwrap();
    row.latency = crate::latency::Latency::default();
    for at in millis.cycle().take(1_000) {
        row.latency.record(Duration::from_millis(at));
    }
}

#[test]
fn a_run_against_itself_shows_no_difference() {
    let report = sample();
    let comparison = Comparison::new(&report, &report, 0.0);
    assert!(!comparison.is_regression());
    assert_eq!(comparison.sentence(), "No difference beyond the noise.");
    assert_eq!(comparison.lists(), []);
    assert_eq!(comparison.times, 18);
}

#[test]
fn phones_that_fail_newly_or_were_fixed_are_named() {
    let before = sample();
    let mut now = before.clone();
    let failed = before
        .phones
        .iter()
        .position(|phone| phone.outcome == Outcome::Failed);
    let failed = failed.unwrap();
    now.phones[failed] = phone(now.phones[failed].index, Outcome::Provisioned);
    let fine = before
        .phones
        .iter()
        .position(|phone| phone.outcome == Outcome::Provisioned);
    let fine = fine.unwrap();
    now.phones[fine].outcome = Outcome::Failed;
    now.phones[fine].provisioned_after = None;
    now.phones[fine].first_wrong = before.phones[failed].first_wrong.clone();
    let comparison = Comparison::new(&before, &now, NOISE_PERCENT);
    assert!(comparison.is_regression());
    assert_eq!(
        comparison.sentence(),
        "Regression: 1 phone newly failing; 1 phone fixed."
    );
    let (text, markdown) = print(&comparison);
    let mac = now.phones[fine].mac.to_string();
    for told in [text, markdown] {
        assert!(told.contains(&mac), "{told}");
        assert!(told.contains("was provisioned; "), "{told}");
        assert!(told.contains("no answer"), "{told}");
    }
}

#[test]
fn cases_and_thresholds_that_got_worse_are_a_regression() {
    use CaseVerdict::{Fail, NotApplicable, Pass};
    let threshold = |met| ThresholdResult {
        expression: "provisioned == planned".to_owned(),
        met: Some(met),
        actual: "provisioned = 3".to_owned(),
        aborted_at_us: None,
    };
    let mut before = certified(vec![
        case("a/1", Pass),
        case("a/2", Fail),
        case("a/3", Pass),
        case("a/4", Pass),
    ]);
    before.facts.thresholds = vec![threshold(true)];
    let mut now = certified(vec![
        case("a/1", Fail),
        case("a/2", Pass),
        case("a/3", NotApplicable),
    ]);
    now.facts.thresholds = vec![threshold(false)];
    let comparison = Comparison::new(&before, &now, NOISE_PERCENT);
    assert_eq!(
        comparison.sentence(),
        "Regression: 1 case newly failing, 1 threshold newly unmet; 1 case fixed, 2 cases no \
         longer judged."
    );
    let (text, _) = print(&comparison);
    assert!(
        text.contains("a/1 (FLY-06): fail, was pass; the first request"),
        "{text}"
    );
    let back = Comparison::new(&now, &before, NOISE_PERCENT);
    assert_eq!(
        (back.worse.len(), back.better.len(), back.met.len()),
        (1, 1, 1)
    );
}

#[test]
fn only_times_beyond_the_noise_are_slower() {
    let (mut before, mut now) = (sample(), sample());
    times(&mut before, 40..60);
    times(&mut now, 42..62);
    let beyond = |noise| Comparison::new(&before, &now, noise).slower.len();
    assert_eq!(beyond(NOISE_PERCENT), 0, "4 % is within 10 %");
    assert_eq!(beyond(0.0), 2, "but beyond what 1,000 times vary by");
    times(&mut now, 80..120);
    let comparison = Comparison::new(&before, &now, NOISE_PERCENT);
    assert_eq!(comparison.sentence(), "Regression: 2 times slower.");
    let (text, _) = print(&comparison);
    assert!(text.contains("<mac>.cfg p50: 99"), "{text}");
    assert!(text.contains("+10"), "{text}");
    let faster = Comparison::new(&now, &before, NOISE_PERCENT);
    assert_eq!(faster.sentence(), "No regression: 2 times faster.");
}

#[test]
fn says_where_the_runs_differ_and_which_says_nothing() {
    let before = sample();
    let mut now = sample();
    now.facts.seed = 7;
    now.facts
        .generator
        .saturated
        .insert("lag of 812 ms".to_owned());
    let comparison = Comparison::new(&before, &now, NOISE_PERCENT);
    assert_eq!(comparison.differs, ["seed: 42 and 7"]);
    assert!(
        comparison.void[0].starts_with("the second run: Void"),
        "{comparison:?}"
    );
}

#[test]
fn a_run_that_saw_nothing_of_its_server_is_no_better_and_no_worse() {
    use CaseVerdict::{Inconclusive, NotApplicable, Pass};
    let mut absent = certified(Vec::new());
    absent.facts.absent = Some("the subject is not there".to_owned());
    let unseen = certified(vec![case("a/x", Inconclusive), case("a/y", NotApplicable)]);
    let seen = certified(vec![case("a/x", Pass), case("a/y", Pass)]);
    for blind in [&absent, &unseen] {
        for (before, now) in [(&seen, blind), (blind, &seen), (blind, blind)] {
            let comparison = Comparison::new(before, now, NOISE_PERCENT);
            assert!(!comparison.void.is_empty());
            let sentence = comparison.sentence();
            let begins = ["Nothing can be compared: the ", "Says nothing: the "];
            assert!(
                begins.iter().any(|it| sentence.starts_with(it)),
                "{sentence}"
            );
        }
    }
    assert!(Comparison::new(&seen, &seen, NOISE_PERCENT).void.is_empty());
}
