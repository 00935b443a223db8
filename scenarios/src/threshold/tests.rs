use super::*;

fn wrong(domain: Domain, text: &str) -> Vec<(usize, String)> {
    let wrong = Expression::compile(domain, text).expect_err(text);
    wrong.into_iter().map(|it| (it.at, it.what)).collect()
}

fn figures() -> Figures {
    let mut figures = Figures::default();
    for (name, count) in [("planned", 10), ("provisioned", 9), ("failed", 1)] {
        figures.values.insert(name, Quantity::Count(count));
    }
    let lag = Quantity::Time(Duration::from_millis(12));
    figures.values.insert("lag", lag);
    let boot = Stage {
        p95: Some(Duration::from_millis(2_500)),
        max: Some(Duration::from_secs(61)),
        answered: 9,
        missing: 2,
        ..Stage::default()
    };
    figures.stages.insert(BOOT.to_owned(), boot);
    figures
}

fn told(text: &str) -> (Option<bool>, String) {
    let expression = Expression::compile(Domain::Fleet, text);
    let told = expression
        .unwrap_or_else(|it| panic!("{it:?}"))
        .evaluate(&figures());
    (told.met, told.actual)
}

#[test]
fn tells_whether_it_holds_and_with_which_values() {
    let expected = (Some(false), "provisioned = 9, planned = 10".to_owned());
    assert_eq!(told("provisioned == planned"), expected);
    let expected = (Some(true), "p95(\"boot\") = 2.5 s".to_owned());
    assert_eq!(told("p95('boot') < duration('3s')"), expected);
    let expected = (Some(false), "max(\"boot\") = 61 s".to_owned());
    assert_eq!(told("max(\"boot\") < duration(\"1m\")"), expected);
    assert_eq!(
        told("double(failed) / double(planned) <= 0.1").0,
        Some(true)
    );
    assert_eq!(
        told("count('boot') == provisioned && missing('boot') == 2").0,
        Some(true)
    );
    assert_eq!(
        told("lag < duration('50ms') ? failed == 1 : false").0,
        Some(true)
    );
}

#[test]
fn says_why_it_cannot_be_told() {
    let unmeasured = "p99: nothing was measured of stage \"FIRMWARE\"";
    assert_eq!(
        told("p99('FIRMWARE') < duration('3s')"),
        (None, unmeasured.to_owned())
    );
    assert_eq!(
        told("1 / (failed - 1) == 1"),
        (None, "a division by zero".to_owned())
    );
    assert_eq!(
        told("retries < 3"),
        (None, "'retries' has no value".to_owned())
    );
    // What is false or true whatever was measured can be told.
    assert_eq!(
        told("failed == 0 && p99('x') < duration('3s')").0,
        Some(false)
    );
}

#[test]
fn names_what_is_wrong_at_its_byte() {
    let fleet = |text: &str| wrong(Domain::Fleet, text);
    for (text, at, what) in [
        (
            "planed == 3",
            0,
            "unknown name 'planed'; did you mean 'planned'?",
        ),
        (
            "planned == planed",
            11,
            "unknown name 'planed'; did you mean 'planned'?",
        ),
        (
            "p98('boot') < duration('1s')",
            0,
            "unknown function 'p98'; did you mean 'p90'?",
        ),
        (
            "p99(planned) == 1",
            0,
            "p99() takes one stage in quotes: p99(\"boot\")",
        ),
        (
            "planned ==",
            10,
            "it ends where a value, a name or a bracket is expected",
        ),
        ("planned == == 3", 11, "'==' is not expected here"),
        ("planned == 1 $", 13, "'$' is not part of the language"),
        (
            "planned",
            0,
            "it gives a number (expected true or false: a comparison)",
        ),
        (
            "p99('boot') < 5",
            0,
            "'<' does not go with a time and a number; a time is written duration(\"5s\")",
        ),
        (
            "",
            0,
            "no expression (expected one such as provisioned == planned)",
        ),
        ("p99 == 3", 0, "'p99' needs a stage: p99(\"boot\")"),
    ] {
        assert_eq!(fleet(text), [(at, what.to_owned())], "{text}");
    }
    assert_eq!(fleet("planed == faild").len(), 2);
    let phone = wrong(
        Domain::Phone,
        "outcom == 'provisioned' && p99('boot') > duration('1s')",
    );
    assert!(phone[0].1.contains("did you mean 'outcome'?"), "{phone:?}");
    assert!(phone[1].1.contains("unknown function 'p99'"), "{phone:?}");
}

#[test]
fn refuses_what_would_take_too_long_or_go_too_deep() {
    for text in [
        "(".repeat(30) + "true" + &")".repeat(30),
        "true ? ".repeat(30),
        "1 + ".repeat(100) + "1 > 0",
        "!".repeat(200) + "true",
        "[1, 2].all(x, [1, 2].all(y, x < y))".to_owned(),
        "x".repeat(BYTES_MAX + 1),
        "planned.all == 3".to_owned(),
        "{'a': 1} == {}".to_owned(),
    ] {
        assert!(Expression::compile(Domain::Fleet, &text).is_err(), "{text}");
    }
    // The deepest that is taken ends well on the small stack of a test's thread.
    let deep = "(".repeat(24) + "true" + &")".repeat(24);
    assert!(Expression::compile(Domain::Fleet, &deep).is_ok());
    let long = "1 + ".repeat(58) + "1 > 0";
    assert!(Expression::compile(Domain::Fleet, &long).is_ok());
}

#[test]
fn every_name_of_every_domain_has_a_kind_that_fits() {
    for domain in [Domain::Fleet, Domain::Phone, Domain::Step] {
        for (name, kind) in domain.names() {
            let text = match kind {
                Kind::Count => format!("{name} >= 0"),
                Kind::Time => format!("{name} >= duration('0s')"),
                Kind::Text => format!("{name} != 'y' || {name} in ['z']"),
            };
            assert!(Expression::compile(domain, &text).is_ok(), "{text}");
        }
    }
    assert_eq!(Domain::Step.words().count(), 8);
}
