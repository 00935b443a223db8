use proptest::prelude::*;

use super::*;

fn rule(pattern: &str, value: ValueKind, meaning: Meaning) -> KeyRule {
    KeyRule {
        pattern: pattern.to_owned(),
        value,
        meaning,
    }
}

fn rules(keep_unknown: bool) -> KeyRules {
    let words = ValueKind::Words(vec!["udp".to_owned(), "tcp".to_owned()]);
    let rules = vec![
        rule(
            "account.{1-4}.enable",
            ValueKind::Number(0, 1),
            Meaning::Plain,
        ),
        rule("account.{1-4}.transport", words, Meaning::Reboot),
        rule("account.{1-4}.*", ValueKind::Text, Meaning::Plain),
        rule(
            "local_time.time_zone",
            ValueKind::Number(-11, 14),
            Meaning::Plain,
        ),
        rule("lang.*", ValueKind::Text, Meaning::Resource),
        rule("linekey.{1-9}.*", ValueKind::Text, Meaning::Plain),
        rule("linekey.{20-29}.*", ValueKind::Text, Meaning::Firmware),
    ];
    KeyRules::new(rules, keep_unknown).unwrap()
}

#[test]
fn judges_keys_and_values_by_the_first_rule_that_matches() {
    use Judgement::{Ignore, Keep};
    let cases = [
        ("account.1.enable", "1", Keep(Meaning::Plain)),
        ("account.4.enable", "2", Ignore(LineReason::BadValue)),
        ("account.4.enable", "yes", Ignore(LineReason::BadValue)),
        ("account.4.enable", "", Keep(Meaning::Plain)),
        ("account.2.transport", "udp", Keep(Meaning::Reboot)),
        ("account.2.transport", "UDP", Ignore(LineReason::BadValue)),
        ("account.2.label", "x", Keep(Meaning::Plain)),
        ("account.5.label", "x", Ignore(LineReason::IndexBeyondModel)),
        (
            "account.0.enable",
            "1",
            Ignore(LineReason::IndexBeyondModel),
        ),
        (
            "account.01.enable",
            "1",
            Ignore(LineReason::IndexBeyondModel),
        ),
        (
            "account.99999999999.enable",
            "1",
            Ignore(LineReason::IndexBeyondModel),
        ),
        ("account..enable", "1", Ignore(LineReason::UnknownKey)),
        ("account.x.enable", "1", Ignore(LineReason::UnknownKey)),
        ("account.1", "1", Ignore(LineReason::UnknownKey)),
        ("local_time.time_zone", "+8", Keep(Meaning::Plain)),
        ("local_time.time_zone", "-11", Keep(Meaning::Plain)),
        ("local_time.time_zone", "-12", Ignore(LineReason::BadValue)),
        ("local_time.time_zone", "8.5", Ignore(LineReason::BadValue)),
        (
            "local_time.time_zone.x",
            "8",
            Ignore(LineReason::UnknownKey),
        ),
        ("lang.gui", "Chinese_S", Keep(Meaning::Resource)),
        ("Lang.gui", "Chinese_S", Ignore(LineReason::UnknownKey)),
        ("linekey.25.type", "1", Keep(Meaning::Firmware)),
        ("linekey.10.type", "1", Ignore(LineReason::IndexBeyondModel)),
    ];
    let rules = rules(false);
    for (key, value, expected) in cases {
        assert_eq!(rules.judge(key, value), expected, "{key}={value}");
    }
}

#[test]
fn keeps_unknown_keys_where_the_profile_says_so() {
    let rules = rules(true);
    assert_eq!(rules.judge("nobody", "x"), Judgement::Keep(Meaning::Plain));
    let beyond = Judgement::Ignore(LineReason::IndexBeyondModel);
    assert_eq!(rules.judge("account.9.label", "x"), beyond);
}

#[test]
fn says_what_is_wrong_with_a_pattern_and_where() {
    let cases = [
        ("", 0, "empty key pattern"),
        ("a*b", 1, "at the end"),
        ("a\tb", 1, "cannot be in a key"),
        (" ab", 0, "cannot be in a key"),
        ("ab ", 2, "cannot be in a key"),
        ("a=b", 1, "cannot be in a key"),
        ("a.{1-4", 2, "`{` without `}`"),
        ("a.1}", 3, "`}` without `{`"),
        ("a.{1-4}.{1-2}", 8, "at most one index range"),
        ("a.{1-4}}", 7, "at most one index range"),
        ("a.{4}", 2, "expected an index range"),
        ("a.{4-1}", 2, "expected an index range"),
        ("a.{-4}", 2, "expected an index range"),
        ("a.{1-x}", 2, "expected an index range"),
        ("a.{1-4294967296}", 2, "expected an index range"),
    ];
    for (pattern, at, what) in cases {
        let fault = KeyPattern::parse(pattern).unwrap_err();
        assert!(
            fault.at == at && fault.what.contains(what),
            "{pattern}: {fault:?}"
        );
    }
    let good = rule("a", ValueKind::Text, Meaning::Plain);
    let bad = rule("a.{4}", ValueKind::Text, Meaning::Plain);
    let (index, what) = KeyRules::new(vec![good.clone(), bad], true).unwrap_err();
    assert!(index == 1 && what.contains("index range"), "{what}");
    let many = vec![good; KeyRules::RULES_MAX + 1];
    assert_eq!(
        KeyRules::new(many, true).unwrap_err().0,
        KeyRules::RULES_MAX
    );
}

#[test]
fn remembers_verdicts_by_name() {
    let rules = rules(false);
    let mut keys = Names::default();
    let mut verdicts = Verdicts::default();
    for (key, value) in [
        ("account.1.enable", "1"),
        ("account.1.enable", "7"),
        ("account.9.enable", "1"),
        ("nobody", "1"),
        ("account.2.transport", "tcp"),
    ] {
        let name = keys.intern(key).unwrap();
        for _ in 0..2 {
            let judged = verdicts.judge(&rules, &keys, name, value);
            assert_eq!(judged, rules.judge(key, value), "{key}={value}");
        }
    }
    let stranger = verdicts.judge(&rules, &keys, Name(u32::MAX), "1");
    assert_eq!(stranger, Judgement::Ignore(LineReason::UnknownKey));
    assert!(
        verdicts.by_name.len() <= keys.len(),
        "no name out of the blue grows the table"
    );
}

proptest! {
    #[test]
    fn fits_exactly_the_keys_that_a_pattern_spells(
        least in 0_u32..30,
        more in 0_u32..30,
        open: bool,
        number in 0_u32..90,
        tail in "[a-c]{0,2}",
    ) {
        let star = if open { "*" } else { "" };
        let most = least + more;
        let pattern = format!("k.{{{least}-{most}}}.a{star}");
        let pattern = KeyPattern::parse(&pattern).unwrap();
        let spelled = tail.starts_with('a') && (open || tail == "a");
        let expected = match (spelled, (least..=most).contains(&number)) {
            (true, true) => Fit::Match,
            (true, false) => Fit::IndexBeyond,
            (false, _) => Fit::None,
        };
        let key = format!("k.{number}.{tail}");
        prop_assert_eq!(pattern.fit(&key), expected, "{}", key);
    }

    #[test]
    fn reads_any_text_as_a_pattern_or_says_why_not(text in "[a.{}*0-9 -]{0,12}|\\PC{0,12}") {
        match KeyPattern::parse(&text) {
            Ok(pattern) => { let _ = pattern.fit(&text); }
            Err(fault) => prop_assert!(text.is_char_boundary(fault.at)),
        }
    }
}
