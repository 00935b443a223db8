//! Thresholds over the fleet, what is expected of each phone, and runs that end early.

use bootstorm_emulator::profile::StepId;
use bootstorm_reports::verdict::Class;

use super::*;

#[test]
fn a_threshold_that_is_not_met_fails_a_run_of_provisioned_phones() {
    let head = "thresholds = ['provisioned == planned', 'max(\"boot\") < duration(\"1ms\")']";
    let ended = boot(read(&desks(5, head, "")));
    assert_eq!(count(&ended, Outcome::Provisioned), 5);
    let verdict = ended.report.verdict();
    assert_eq!(verdict.class, Class::SubjectFailed, "{}", verdict.sentence);
    assert!(
        verdict.sentence.contains("1 of 2 thresholds not met"),
        "{}",
        verdict.sentence
    );
    let met = threshold(&ended, "provisioned == planned");
    assert_eq!(
        (met.met, met.actual.as_str()),
        (Some(true), "provisioned = 5, planned = 5")
    );
}

#[test]
fn figures_are_those_of_the_report() {
    let head = "thresholds = ['requests == 0', 'count(\"DISCOVER\") == 5 && sent(\"boot\") == 5', \
                'retries == 0 && abandoned == 0 && wasted == 0', 'lag == duration(\"0s\")', \
                'elapsed > duration(\"0s\")', 'registered == 0 && not_started == 0']";
    let ended = boot(read(&desks(5, head, "")));
    let rows = ended.report.ladder().rows.values();
    let requests: u64 = rows.map(|row| row.sent).sum();
    let settled = 5;
    // The report's own row of phones at rest is no request.
    assert_eq!(
        threshold(&ended, "requests == 0").actual,
        format!("requests = {}", requests - settled)
    );
    let unmet = ended.report.facts().thresholds.iter();
    let unmet: Vec<_> = unmet.filter(|it| it.met != Some(true)).collect();
    assert_eq!(unmet.len(), 1, "{unmet:?}");
}

#[test]
fn each_phone_is_judged_and_the_first_that_does_not_meet_it_is_told() {
    let head = "[expect]\nphone = [\"outcome == 'provisioned' && fleet == 'desks'\", \
                \"index != 3 && boot < duration('1h')\"]";
    let ended = boot(read(&desks(5, head, "")));
    assert_eq!(threshold(&ended, "outcome ==").actual, "5 of 5 phones");
    let unmet = threshold(&ended, "index != 3");
    assert_eq!(unmet.met, Some(false));
    assert!(
        unmet
            .actual
            .starts_with("4 of 5 phones; first not phone 3: index = 3"),
        "{unmet:?}"
    );
}

#[test]
fn a_run_ends_as_soon_as_a_threshold_that_may_end_it_does_not_hold() {
    let head = "deadline_s = 100\n[load]\nshape = \"rate\"\nper_s = 1\n[[threshold]]\n\
                that = 'started < 20'\nabort = true\nafter_s = 5\n[[threshold]]\n\
                that = 'p99(\"REQUEST\") < duration(\"1h\")'\nabort = true\n";
    let ended = boot(read(&desks(50, head, "")));
    let ending = threshold(&ended, "started < 20");
    // Looked at once a second, before what else is done: the twentieth phone starts after 19 s.
    assert_eq!(
        (ending.met, ending.aborted_at_us),
        (Some(false), Some(20_000_000))
    );
    assert_eq!(ending.actual, "started = 20");
    assert_eq!(count(&ended, Outcome::NotStarted), 29);
    let verdict = ended.report.verdict();
    assert_eq!(verdict.class, Class::SubjectFailed);
    assert!(
        verdict
            .sentence
            .starts_with("Ended by a threshold after 20"),
        "{}",
        verdict.sentence
    );
    assert_eq!(threshold(&ended, "REQUEST").met, Some(true));
}

#[test]
fn what_cannot_be_told_is_inconclusive_not_met() {
    let head = "thresholds = ['p99(\"firmware\") < duration(\"1h\")']";
    let set = ProfileSet::built_in();
    let steps = &set.get("flyingvoice/fip13g").expect("a profile").steps;
    let label = &steps[usize::from(StepId::FIRMWARE.0)].label;
    let text = desks(2, head, "").replace("p99(\"firmware\")", &format!("p99(\"{label}\")"));
    let ended = boot(read(&text));
    let threshold = threshold(&ended, "p99");
    assert_eq!(threshold.met, None);
    assert!(
        threshold.actual.contains("nothing was measured"),
        "{threshold:?}"
    );
    assert_eq!(ended.report.verdict().class, Class::Inconclusive);
}
