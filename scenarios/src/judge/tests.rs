use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::template::Vars;

use super::*;
use crate::suite;

/// A case with these expectations.
fn case_of(side: &str, expect: &str) -> Case {
    let content = if side == "server" {
        "content = 'any'\n"
    } else {
        ""
    };
    let text = format!(
        "[suite]\nname = 'x'\nside = '{side}'\nprofile = 'a/b'\n\
         [base.fleet]\nsource = 'dhcp'\ntransport = 'tftp'\nlayout = 'l'\n\
         [[case]]\nid = 'x/y'\npurpose = 'p'\nclause = ['WIRE-01']\n{content}\
         caught_by = ['{side}/m']\n{expect}\n"
    );
    let suite = suite::read("x.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    suite.cases.into_iter().next().unwrap()
}

/// Messages, one a line: `12 > tftp.rrq file=a mode=octet`.
fn messages(text: &str) -> Vec<Message> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let messages = lines.map(|line| {
        let mut words = line.split(' ');
        let at: u64 = words.next().unwrap().parse().unwrap();
        let way = match words.next().unwrap() {
            ">" => Way::Sent,
            _ => Way::Received,
        };
        let name = words.next().unwrap().to_owned();
        let fields = words.map(|word| {
            let (key, value) = word.split_once('=').unwrap();
            (key.to_owned().into(), value.to_owned())
        });
        Message {
            at: Moment::from_nanos(at * 1_000_000),
            way,
            peer: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69),
            name: name.into(),
            length: 0,
            fields: fields.collect(),
        }
    });
    messages.collect()
}

fn fill<'a>() -> Fill<'a> {
    Fill {
        vars: Vars {
            mac: Mac([0, 0x21, 0xf2, 0, 0, 1]),
            ..Vars::default()
        },
        server: "10.0.0.2",
        root: "",
    }
}

fn judged(side: &str, expect: &str, text: &str) -> Finding {
    let messages = messages(text);
    let seen = Seen {
        messages: &messages,
        lost: 0,
        began: Moment::ZERO,
        state: None,
    };
    judge(&case_of(side, expect), &seen, &fill())
}

fn on_wire(lines: &str, text: &str) -> Finding {
    judged("phone", &format!("expect.wire = [{lines}]"), text)
}

const BOOT: &str = "
    1000 > dhcp.discover xid=7
    1001 < dhcp.offer xid=7
    1002 > dhcp.request xid=7
    2000 > tftp.rrq file=0021f2000001.boot
    2010 < tftp.error code=1
    2300 > tftp.rrq file=y000000000000.cfg
    2310 < tftp.data block=1
    2311 > tftp.ack block=1
    2320 < tftp.data block=2
    2321 > tftp.ack block=2
";

// Each kind of line: one that holds, and one that differs in one word and does not.
#[test]
fn each_kind_of_line_holds_and_can_fail() {
    for (line, right, wrong) in [
        (
            "{ sent = 'tftp.rrq', with = { file = 'WORD' } }",
            "{mac}.boot",
            "y000000000000.cfg",
        ),
        (
            "{ sent = 'tftp.rrq', skip = true, with = { file = 'WORD' } }",
            "y000000000000.cfg",
            "y.cfg",
        ),
        ("{ got = 'WORD' }", "tftp.data", "tftp.oack"),
        ("{ sent = 'WORD' }", "tftp.rrq", "tftp.data"),
        (
            "{ never_sent = 'tftp.rrq', with = { file = 'WORD' } }",
            "a",
            "{mac}.boot",
        ),
        ("{ never_got = 'WORD' }", "tftp.oack", "tftp.error"),
        (
            "{ every_sent = 'dhcp.request', with = { xid = 'WORD' } }",
            "7",
            "8",
        ),
        (
            "{ every_got = 'tftp.data', with = { block = { min = WORD } } }",
            "1",
            "2",
        ),
        ("{ every_sent = 'WORD' }", "tftp.ack", "tftp.wrq"),
        ("{ count_sent = 'tftp.rrq', is = WORD }", "2", "1"),
        ("{ count_sent = 'tftp.rrq', is = WORD }", "2", "3"),
        ("{ count_got = 'tftp.data', min = WORD }", "2", "3"),
        ("{ count_got = 'tftp.data', max = WORD }", "2", "1"),
        (
            "{ got = 'dhcp.offer', after_ms = [WORD, 2000] }",
            "1001",
            "1002",
        ),
    ] {
        let held = on_wire(&line.replace("WORD", right), BOOT);
        assert_eq!(held.verdict, Verdict::Pass, "{line} {right}: {held:?}");
        let broken = on_wire(&line.replace("WORD", wrong), BOOT);
        assert!(broken.verdict > Verdict::Pass, "{line} {wrong}: {broken:?}");
        assert!(
            !broken.expected.is_empty() && !broken.actual.is_empty(),
            "{broken:?}"
        );
    }
}

#[test]
fn the_next_message_is_the_one_after_the_one_found_last() {
    let lines = "{ sent = 'tftp.rrq' }, { sent = 'tftp.rrq', with = { file = 'y000000000000.cfg' } }, \
                 { never_sent = 'tftp.rrq' }";
    assert_eq!(on_wire(lines, BOOT).verdict, Verdict::Pass);
    // The first of the name must fit unless earlier ones may be passed over.
    let file = "with = { file = 'y000000000000.cfg' }";
    let first = on_wire(&format!("{{ sent = 'tftp.rrq', {file} }}"), BOOT);
    assert_eq!(first.verdict, Verdict::Fail);
    assert_eq!(
        first.expected,
        "of the next tftp.rrq sent, file is 'y000000000000.cfg'"
    );
    assert_eq!(first.actual, "its file is '0021f2000001.boot'");
    assert_eq!(first.evidence, [3]);
    let later = on_wire(
        &format!("{{ sent = 'tftp.rrq', {file}, skip = true }}"),
        BOOT,
    );
    assert_eq!((later.verdict, later.evidence), (Verdict::Pass, vec![5]));
    // Behind the place found last there is no request any more.
    let lines = "{ sent = 'tftp.ack' }, { sent = 'tftp.rrq' }";
    let none = on_wire(lines, BOOT);
    assert_eq!(none.verdict, Verdict::Fail);
    assert_eq!(
        none.actual,
        "no further tftp.rrq was sent; what was sent is tftp.ack"
    );
    assert_eq!(none.evidence, [7]);
    let again = on_wire(
        "{ sent = 'tftp.ack' }, { again = true }, { sent = 'tftp.rrq' }",
        BOOT,
    );
    assert_eq!((again.verdict, again.evidence), (Verdict::Pass, vec![3, 7]));
    let again = on_wire(
        "{ sent = 'tftp.ack' }, { again = true, sent = 'tftp.rrq' }",
        BOOT,
    );
    assert_eq!(again.verdict, Verdict::Pass);
}

#[test]
fn never_looks_behind_the_place_found_last_unless_told_anywhere() {
    let behind = "{ sent = 'tftp.ack' }, { never_sent = 'tftp.rrq' }";
    assert_eq!(on_wire(behind, BOOT).verdict, Verdict::Pass);
    let anywhere = "{ sent = 'tftp.ack' }, { never_sent = 'tftp.rrq', anywhere = true }";
    let found = on_wire(anywhere, BOOT);
    assert_eq!(found.verdict, Verdict::Fail);
    assert_eq!(found.expected, "never a tftp.rrq is sent");
    assert_eq!(found.actual, "one was sent at 2.000 s");
    assert_eq!(found.evidence, [3]);
    // Within a time only.
    let soon = "{ got = 'tftp.error' }, { never_sent = 'tftp.rrq', after_ms = [0, 289] }";
    assert_eq!(on_wire(soon, BOOT).verdict, Verdict::Pass);
    assert_eq!(
        on_wire(&soon.replace("289", "290"), BOOT).verdict,
        Verdict::Fail
    );
}

#[test]
fn times_count_from_power_on_the_one_before_or_a_mark() {
    for (line, from, to) in [
        (
            "{ sent = 'dhcp.discover', after_ms = [FROM, TO] }",
            1_000,
            1_000,
        ),
        (
            "{ sent = 'tftp.rrq' }, { got = 'tftp.error', after_ms = [FROM, TO] }",
            10,
            10,
        ),
        (
            "{ sent = 'dhcp.discover', mark = 'a' }, { sent = 'tftp.rrq' }, \
             { got = 'tftp.error', after_ms = [FROM, TO], after = 'a' }",
            1_010,
            1_010,
        ),
    ] {
        let within = |from: u64, to: u64| {
            let line = line.replace("FROM", &from.to_string());
            on_wire(&line.replace("TO", &to.to_string()), BOOT).verdict
        };
        assert_eq!(within(from, to), Verdict::Pass, "{line}");
        assert!(within(from + 1, to + 1) > Verdict::Pass, "{line}");
        assert!(within(from - 1, to - 1) > Verdict::Pass, "{line}");
    }
    let late = on_wire(
        "{ sent = 'tftp.rrq' }, { sent = 'tftp.rrq', after_ms = [0, 100] }",
        BOOT,
    );
    assert_eq!(
        late.reason,
        "expected that of the next tftp.rrq sent, it comes 0 ms to 100 ms after the one before; \
         it came 300 ms after it"
    );
}

#[test]
fn fields_are_compared_with_those_of_marked_messages() {
    let mark = "{ sent = 'dhcp.discover', mark = 'd' }";
    let with = |rest: &str| on_wire(&format!("{mark}, {rest}"), BOOT);
    let same = with("{ sent = 'dhcp.request', same = { xid = 'd' } }");
    assert_eq!(same.verdict, Verdict::Pass);
    let differs = with("{ sent = 'dhcp.request', differs = { xid = 'd' } }");
    assert_eq!(differs.verdict, Verdict::Fail);
    assert_eq!(differs.actual, "its xid is '7' again");
    let other = with("{ sent = 'dhcp.request', same = { secs = 'd' } }");
    assert_eq!(
        other.verdict,
        Verdict::Fail,
        "what neither has is not the same: {other:?}"
    );
    let blocks = "{ got = 'tftp.data', mark = 'd' }, { got = 'tftp.data', same = { block = 'd' } }";
    let blocks = judged("server", &format!("expect.wire = [{blocks}]"), BOOT);
    assert_eq!(blocks.verdict, Verdict::Fail);
    assert_eq!(blocks.actual, "its block is '2', there it is '1'");
}

#[test]
fn what_the_other_side_did_not_do_leaves_the_purpose_open() {
    let stimulus = "expect.wire = [{ got = 'tftp.oack' }]";
    assert_eq!(
        judged("phone", stimulus, BOOT).verdict,
        Verdict::Inconclusive
    );
    assert_eq!(judged("server", stimulus, BOOT).verdict, Verdict::Fail);
    let own = "expect.wire = [{ sent = 'sip.register' }]";
    assert_eq!(judged("phone", own, BOOT).verdict, Verdict::Fail);
    // Our phone is right: what it does not do the server did not lead it to.
    assert_eq!(judged("server", own, BOOT).verdict, Verdict::Fail);
    // That the server is there was seen before.
    let alone = "1000 > dhcp.discover xid=7";
    let open = judged("server", own, alone);
    assert_eq!(open.verdict, Verdict::Fail);
    assert_eq!(open.reason, "nothing came from the server");
    let silent = judged("phone", own, "");
    assert_eq!(silent.verdict, Verdict::Inconclusive);
    assert_eq!(silent.reason, "nothing came from the phone");
    assert_eq!(silent.actual, "no sip.register was sent; nothing was sent");
}

#[test]
fn a_record_with_gaps_proves_nothing() {
    for lines in ["{ sent = 'tftp.rrq' }", "{ sent = 'sip.register' }"] {
        let messages = messages(BOOT);
        let seen = Seen {
            messages: &messages,
            lost: 3,
            began: Moment::ZERO,
            state: None,
        };
        let case = case_of("phone", &format!("expect.wire = [{lines}]"));
        let finding = judge(&case, &seen, &fill());
        assert_eq!(finding.verdict, Verdict::Inconclusive, "{lines}");
        assert!(finding.reason.contains("lacks its first 3"), "{finding:?}");
    }
}

fn state() -> State {
    State {
        outcome: "provisioned".to_owned(),
        settings: BTreeMap::from([("a.b".to_owned(), "0021f2000001".to_owned())]),
        events: vec!["booting: power on".to_owned(), "settled".to_owned()],
        firmware: "1.2".to_owned(),
    }
}

#[test]
fn each_kind_of_state_line_holds_and_can_fail() {
    let state = state();
    let messages = messages(BOOT);
    let judge = |line: &str, state: Option<&State>| {
        let seen = Seen {
            messages: &messages,
            lost: 0,
            began: Moment::ZERO,
            state,
        };
        let expect = format!("expect.wire = [{{ sent = 'tftp.rrq' }}]\nexpect.state = [{line}]");
        judge(&case_of("phone", &expect), &seen, &fill())
    };
    for (right, wrong, actual) in [
        (
            "{ outcome = 'provisioned' }",
            "{ outcome = 'failed' }",
            "it is provisioned",
        ),
        (
            "{ setting = 'a.b', is = '{mac}' }",
            "{ setting = 'a.b', is = '7' }",
            "it is '0021f2000001'",
        ),
        (
            "{ setting = 'c', absent = true }",
            "{ setting = 'c', is = '7' }",
            "the phone does not hold it",
        ),
        (
            "{ setting = 'a.b', is = { starts = '0021' } }",
            "{ setting = 'a.b', absent = true }",
            "it is '0021f2000001'",
        ),
        (
            "{ event = 'power on' }",
            "{ event = 'reboot' }",
            "none of 2 events does; the last are 'booting: power on', 'settled'",
        ),
        (
            "{ no_event = 'reboot' }",
            "{ no_event = 'settled' }",
            "there is 'settled'",
        ),
        (
            "{ firmware = '1.2' }",
            "{ firmware = { not = '1.2' } }",
            "it is '1.2'",
        ),
    ] {
        let held = judge(right, Some(&state));
        assert_eq!(held.verdict, Verdict::Pass, "{right}: {held:?}");
        let broken = judge(wrong, Some(&state));
        assert_eq!(broken.verdict, Verdict::Fail, "{wrong}");
        assert_eq!(broken.actual, actual, "{wrong}");
        assert_eq!(
            broken.evidence,
            [3],
            "the wire that was seen is shown: {wrong}"
        );
        // A handset's state is not seen: its wire alone decides nothing but a failure.
        let unseen = judge(wrong, None);
        assert_eq!(unseen.verdict, Verdict::Inconclusive, "{wrong}");
        assert!(unseen.reason.contains("nobody saw"), "{unseen:?}");
    }
}

#[test]
fn a_pass_says_the_whole_expectation() {
    let lines = "{ sent = 'tftp.rrq' }, { again = true }, \
                 { never_got = 'tftp.oack', anywhere = true }, \
                 { count_sent = 'tftp.ack', min = 1, max = 5 }, { every_sent = 'tftp.ack' }, \
                 { sent = 'tftp.ack', skip = true, with = { block = '2' } }";
    assert_eq!(
        on_wire(lines, BOOT).expected,
        "the phone sends a tftp.rrq next; never a tftp.oack is received; 1 to 5 × tftp.ack sent; \
         a tftp.ack is sent; of a later tftp.ack sent, block is '2'"
    );
}

#[test]
fn long_and_odd_values_are_shown_short_and_in_one_line() {
    let long = "x".repeat(5_000);
    let text = format!("1 > tftp.rrq file={long}");
    let finding = on_wire("{ sent = 'tftp.rrq', with = { file = 'a' } }", &text);
    assert!(finding.actual.chars().count() < 200, "{}", finding.actual);
    assert_eq!(shown("a\n'b\u{7}"), "'a\\n'b\\u{7}'");
}
