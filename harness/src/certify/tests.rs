use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::case::CaseVerdict;
use bootstorm_reports::redact::Redactor;
use bootstorm_scenarios::judge::State;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::suite;
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::Message;

use super::exchange::{Censor, LINES_MAX, exchange};
use super::*;

const SUITE: &str = r#"
[suite]
name = "x"
side = "phone"
profile = "flyingvoice/fip13g"
[base.fleet]
source = "dhcp"
transport = "tftp"
layout = "flat"
web.pnp_enable = "0"
own."account.1.password" = "geheim-{mac:upper}"
own."account.1.auth_name" = "{mac}"
"#;

fn bench() -> Bench {
    Bench {
        profiles: ProfileSet::built_in(),
        ..Bench::default()
    }
}

/// Cases of one line each, by id.
fn cases(lines: &[(&str, &str)]) -> Vec<Case> {
    let mut text = SUITE.to_owned();
    for (id, rest) in lines {
        text.push_str(&format!(
            "[[case]]\nid = \"x/{id}\"\npurpose = \"p\"\nclause = [\"FLY-69\"]\n\
             caught_by = [\"phone/x/y\"]\n{rest}\n"
        ));
    }
    let suite = suite::read("x.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    suite.cases
}

fn result(rest: &str) -> CaseResult {
    run_case(&cases(&[("one", rest)])[0], &bench())
}

// FLY-69
#[test]
fn a_result_shows_what_was_expected_what_was_seen_and_where() {
    let line = r#"{ sent = "tftp.rrq", with = { file = "other" } }"#;
    let failed = result(&format!("expect.wire = [{line}]"));
    assert_eq!(failed.verdict, CaseVerdict::Fail);
    assert_eq!(
        failed.expected,
        "of the next tftp.rrq sent, file is 'other'"
    );
    assert_eq!(failed.actual, "its file is '0021f2000000'");
    let [decided] = failed.evidence[..] else {
        panic!("{:?}", failed.evidence);
    };
    let line = &failed.exchange[decided as usize];
    assert!(line.contains("tftp.rrq file=0021f2000000"), "{line}");
    assert!(failed.took_us > 20_000_000, "virtual time passed");
    let passed = result(r#"expect.wire = [{ sent = "tftp.rrq" }]"#);
    assert_eq!(passed.verdict, CaseVerdict::Pass);
    assert_eq!(passed.expected, "the phone sends a tftp.rrq next");
    assert!(passed.reason.is_empty() && passed.actual.is_empty());
    assert_eq!(passed.profile, "flyingvoice/fip13g");
}

#[test]
fn results_are_in_the_order_of_the_cases_and_equal_for_any_number_of_threads() {
    let lines = ["dhcp.discover", "tftp.rrq", "sip.subscribe", "tftp.ack"];
    let lines = lines.map(|name| (name, format!("expect.wire = [{{ sent = \"{name}\" }}]")));
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, line)| (name.replace('.', "-"), line.clone()))
        .collect();
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(name, line)| (name.as_str(), line.as_str()))
        .collect();
    let cases = cases(&lines);
    let cases: Vec<&Case> = cases.iter().collect();
    let one = run_cases(&cases, &bench(), 1);
    assert_eq!(one, run_cases(&cases, &bench(), 3));
    let ids: Vec<_> = one.iter().map(|result| result.id.as_str()).collect();
    let expected = [
        "x/dhcp-discover",
        "x/tftp-rrq",
        "x/sip-subscribe",
        "x/tftp-ack",
    ];
    assert_eq!(ids, expected);
    let numbers: Vec<u32> = (0..1_000).collect();
    assert_eq!(each(&numbers, 8, |number| number * 2).len(), 1_000);
    assert_eq!(each(&numbers, 8, |number| *number), numbers);
    assert!(each(&[] as &[u32], 8, |number| *number).is_empty());
}

#[test]
fn of_many_phones_one_that_differs_is_enough() {
    let all =
        result("phones = 5\nexpect.wire = [{ sent = \"tftp.rrq\", with = { file = \"{mac}\" } }]");
    assert_eq!(all.verdict, CaseVerdict::Pass, "{}", all.reason);
    let line = r#"{ sent = "tftp.rrq", with = { file = { not = "0021f2000003" } } }"#;
    let one = result(&format!("phones = 5\nexpect.wire = [{line}]"));
    assert_eq!(one.verdict, CaseVerdict::Fail);
    assert!(
        one.reason
            .starts_with("1 of 5 phones, first 0021f2000003: "),
        "{}",
        one.reason
    );
}

#[test]
fn a_case_that_cannot_be_made_definite_is_our_own_fault() {
    let expect = "expect.wire = [{ sent = \"tftp.rrq\" }]\n";
    for (rest, told) in [
        (
            "profile = \"flyingvoice/fip99\"",
            "unknown profile 'flyingvoice/fip99'",
        ),
        ("given.fleet.layout = \"none\"", "layout"),
        (
            "given.files = { \"none.cfg\" = { missing = true } }",
            "given.files takes none.cfg away, which is not among the generated files",
        ),
        (
            "given.server = [\"server/x/none\"]",
            "unknown mutant 'server/x/none'",
        ),
    ] {
        let result = result(&format!("{expect}{rest}"));
        assert_eq!(result.verdict, CaseVerdict::Error, "{rest}");
        assert!(result.reason.contains(told), "{rest}: {}", result.reason);
    }
}

#[test]
fn a_run_that_ends_at_its_deadline_is_judged() {
    // Nobody is at rest after half a minute: the random delay is not over.
    let line = r#"{ sent = "dhcp.discover" }, { never_sent = "tftp.rrq" }"#;
    let result = result(&format!("given.deadline_s = 21\nexpect.wire = [{line}]"));
    assert_eq!(result.verdict, CaseVerdict::Pass, "{}", result.reason);
}

#[test]
fn given_files_take_the_place_of_generated_ones_or_go() {
    let wire = r#"{ got = "tftp.data", skip = true, with = { file = "{mac}", last = "true", bytes = 17 } }"#;
    let put =
        format!("given.files = {{ \"{{mac}}\" = \"a = {{mac}}\\n\" }}\nexpect.wire = [{wire}]");
    assert_eq!(result(&put).verdict, CaseVerdict::Pass);
    let wire = r#"{ sent = "tftp.rrq", skip = true, with = { file = "{mac}.cfg" } }, { got = "tftp.error" }"#;
    let gone = format!(
        "given.files = {{ \"{{mac}}.cfg\" = {{ missing = true }} }}\nexpect.wire = [{wire}]"
    );
    assert_eq!(result(&gone).verdict, CaseVerdict::Pass);
}

#[test]
fn files_change_when_a_step_says_so_but_not_those_that_the_case_gives() {
    let steps = r#"do = [
        { do = "content", after = "settled", own."account.1.user_name" = "anew" },
        { do = "check-sync", after = "settled", reboot = false },
    ]"#;
    let line = |name: &str| {
        format!(
            "{{ sent = \"sip.register\", skip = true, with = \
             {{ \"header.from\" = {{ contains = \"sip:{name}@\" }} }} }}"
        )
    };
    let own = r#"given.hosts."sip.example.org" = "subject"
        [case.given.fleet.own]
        "account.1.enable" = "1"
        "account.1.user_name" = "first"
        "account.1.password" = "p"
        "account.1.sip_server_host" = "sip.example.org""#;
    let wire = format!("expect.wire = [{}, {}]", line("first"), line("anew"));
    let changed = result(&format!("{wire}\n{steps}\n{own}"));
    assert_eq!(changed.verdict, CaseVerdict::Pass, "{}", changed.reason);
    let held = "given.files = { \"{mac}.cfg\" = \"account.1.label = a\" }";
    let held = result(&format!("{wire}\n{held}\n{steps}\n{own}"));
    assert_eq!(held.verdict, CaseVerdict::Fail);
}

fn message(number: usize) -> Message {
    Message {
        at: Moment::from_nanos(number as u64),
        way: Way::Sent,
        peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69),
        name: "tftp.ack".into(),
        length: 4,
        fields: vec![("block".into(), number.to_string())],
    }
}

fn plan() -> Plan {
    let case = cases(&[("one", "expect.wire = [{ sent = \"tftp.rrq\" }]")]).remove(0);
    let prepared = prepare(&case, &bench(), Ipv4Addr::LOCALHOST).unwrap();
    std::sync::Arc::into_inner(prepared.unwrap().plan).unwrap()
}

#[test]
fn a_long_exchange_shows_its_beginning_and_what_decided() {
    let redactor = Redactor::new(1);
    let plan = plan();
    let censor = Censor::new(&plan, &plan.phone(0).unwrap(), None, &redactor);
    for (count, evidence) in [
        (200, 199),
        (201, 0),
        (1_000, 700),
        (1_000, 999),
        (1_000, 20),
    ] {
        let messages: Vec<_> = (0..count).map(message).collect();
        let (lines, decided) = exchange(&messages, &[evidence], &censor);
        assert!(
            lines.len() <= LINES_MAX,
            "{count} {evidence}: {}",
            lines.len()
        );
        assert!(lines[0].ends_with("block=0"), "{}", lines[0]);
        let line = &lines[decided[0] as usize];
        assert!(
            line.ends_with(&format!("block={evidence}")),
            "{count}: {line}"
        );
        let left_out: usize = lines
            .iter()
            .filter_map(|line| {
                line.strip_prefix("… ")?
                    .split(' ')
                    .next()?
                    .parse::<usize>()
                    .ok()
            })
            .sum();
        let gaps = lines.iter().filter(|line| line.starts_with('…')).count();
        assert_eq!(lines.len() - gaps + left_out, count);
    }
}

#[test]
fn secrets_of_the_phone_do_not_show_and_its_mac_does() {
    let redactor = Redactor::new(1);
    let plan = plan();
    let censor = Censor::new(&plan, &plan.phone(0).unwrap(), None, &redactor);
    let text = "GET /x?p=geheim-0021F2000000 of 0021f2000000";
    let safe = censor.text(text);
    assert!(!safe.contains("geheim"), "{safe}");
    assert!(safe.ends_with("of 0021f2000000"), "{safe}");
    // What it came to hold; where it is short, what is quoted as a whole.
    let held = ["ab", "another"]
        .into_iter()
        .zip(["a.password", "b.password"]);
    let held = State {
        outcome: String::new(),
        settings: held
            .map(|(value, key)| (key.to_owned(), value.to_owned()))
            .collect(),
        events: Vec::new(),
        firmware: String::new(),
    };
    let censor = Censor::new(&plan, &plan.phone(0).unwrap(), Some(&held), &redactor);
    let safe = censor.text("the phone's label is 'abc', its key 'ab' or \"another\"");
    assert!(
        safe.starts_with("the phone's label is 'abc', its key '***"),
        "{safe}"
    );
    assert!(
        !safe.contains("'ab'") && !safe.contains("another"),
        "{safe}"
    );
    let kept = Redactor::new(1).keeping_secrets();
    let censor = Censor::new(&plan, &plan.phone(0).unwrap(), None, &kept);
    assert_eq!(censor.text(text), text);
}

#[test]
fn a_run_that_was_ended_fails_nobody() {
    let line = r#"expect.wire = [{ sent = "tftp.rrq", with = { file = "other" } }]"#;
    let cases = cases(&[("one", line)]);
    let bench = bench();
    let failed = unless_ended(&cases[0], &bench, || run_case(&cases[0], &bench));
    assert_eq!(failed.verdict, CaseVerdict::Fail);
    let broken_off = unless_ended(&cases[0], &bench, || {
        bench.stop.store(true, Ordering::Relaxed);
        run_case(&cases[0], &bench)
    });
    assert_eq!(broken_off.verdict, CaseVerdict::Inconclusive);
    assert!(broken_off.reason.starts_with("the run was ended during it"));
    let all = run_cases(&[&cases[0]], &bench, 1);
    assert_eq!(all[0].reason, "the run was ended before it");
}
