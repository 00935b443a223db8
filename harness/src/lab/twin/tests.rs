use std::borrow::Cow;
use std::net::SocketAddrV4;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_reports::twin::{Aspect, Row};
use bootstorm_scenarios::suite;
use bootstorm_scenarios::wire::Way;

use super::*;
use crate::lab::file;

const MAC: &str = "0021f2000001";

fn plan() -> Arc<Plan> {
    let mac = bootstorm_emulator::identity::Mac::parse(MAC).expect("a MAC");
    let server = Ipv4Addr::new(10, 0, 0, 2);
    let plan = file::unknown("flyingvoice/fip13g", mac, server, &ProfileSet::built_in());
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
}

fn message(at_ms: u64, way: Way, name: &'static str, fields: &[(&str, &str)]) -> Message {
    let fields = fields.iter();
    Message {
        at: Moment::from_millis(at_ms),
        way,
        peer: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 69),
        name: Cow::Borrowed(name),
        length: 51,
        fields: fields
            .map(|(key, value)| (Cow::Owned((*key).to_owned()), (*value).to_owned()))
            .collect(),
    }
}

fn sent(at_ms: u64, file: &str) -> Message {
    message(
        at_ms,
        Way::Sent,
        "tftp.rrq",
        &[("file", file), ("mode", "octet")],
    )
}

fn error(at_ms: u64) -> Message {
    message(at_ms, Way::Received, "tftp.error", &[("code", "1")])
}

fn rows(twin: &[Message], handset: &[Message]) -> Vec<Row> {
    let suites = suite::read_built_in().expect("suites");
    let plan = plan();
    let laws = Laws::of(&suites, "flyingvoice", &plan);
    let (twin, handset) = (Ladder::of(twin, true), Ladder::of(handset, true));
    align::rows(&twin, &handset, &laws, &str::to_owned)
}

/// What differs in each row, with the clauses.
fn told(rows: &[Row]) -> Vec<(Aspect, &str, Vec<&str>)> {
    let all = rows.iter().flat_map(|row| &row.differences);
    let told = all.map(|it| {
        let ids = it.clauses.iter().map(|clause| clause.id.as_str());
        (it.aspect, it.what.as_str(), ids.collect())
    });
    told.collect()
}

#[test]
fn two_equal_ladders_differ_in_nothing() {
    let one = [sent(0, "a"), error(1), sent(250, "b"), error(251)];
    let rows = rows(&one, &one);
    assert_eq!((rows.len(), told(&rows).len()), (4, 0));
    assert!(
        rows.iter()
            .all(|row| row.twin.is_some() && row.handset.is_some())
    );
}

#[test]
fn messages_beyond_those_that_are_compared_are_counted() {
    let many: Vec<_> = (0..1_507).map(|at| sent(at, "a")).collect();
    let note = left_out(&Ladder::of(&many, true), "the twin").expect("a note");
    assert!(note.starts_with("7 messages of the twin were left out: the first 1500 of each"));
    assert_eq!(
        left_out(&Ladder::of(&many[..1_500], true), "the twin"),
        None
    );
}

#[test]
fn a_request_that_only_one_has_is_told_with_its_clause_and_the_rest_stays_in_step() {
    let own = [
        sent(0, MAC),
        error(1),
        sent(250, "0021f2000001.boot"),
        error(251),
        sent(500, "x"),
    ];
    let other = [sent(0, MAC), error(1), sent(260, "x")];
    let rows = rows(&own, &other);
    let told = told(&rows);
    let [(aspect, what, clauses)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (*aspect, *what),
        (Aspect::Missing, "tftp.rrq 0021f2000001.boot")
    );
    assert!(
        clauses.iter().any(|id| id.starts_with("FLY-")),
        "{clauses:?}"
    );
    let last = rows.last().expect("a row");
    assert!(last.twin.is_some() && last.handset.is_some(), "{rows:?}");
}

#[test]
fn requests_in_another_order_are_told_once() {
    let own = [sent(0, "a"), sent(100, "b")];
    let other = [sent(0, "b"), sent(100, "a")];
    let rows = rows(&own, &other);
    let found = told(&rows);
    // Of one name they stand beside each other: what is asked for differs.
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.iter().all(|(aspect, ..)| *aspect == Aspect::Name),
        "{found:?}"
    );
    let get = |at| message(at, Way::Sent, "http.get", &[("target", "/a")]);
    let moved = [get(0), sent(100, "b"), sent(200, "c")];
    let own = [sent(0, "b"), sent(100, "c"), get(200)];
    let rows = self::rows(&own, &moved);
    let found = told(&rows);
    assert_eq!(
        found
            .iter()
            .filter(|(aspect, ..)| *aspect == Aspect::Order)
            .count(),
        1
    );
    assert!(
        !found.iter().any(|(aspect, ..)| *aspect == Aspect::Extra),
        "{found:?}"
    );
}

#[test]
fn options_headers_lengths_and_their_order_are_compared_and_what_is_drawn_is_not() {
    let discover = |fields: &[(&str, &str)], length| Message {
        length,
        ..message(0, Way::Sent, "dhcp.discover", fields)
    };
    let own = discover(
        &[
            ("xid", "1"),
            ("options", "53 60 55"),
            ("option.60", "a"),
            ("option.55", "1 3"),
        ],
        548,
    );
    let other = discover(
        &[
            ("xid", "2"),
            ("options", "53 55 60"),
            ("option.60", "b"),
            ("option.55", "1 3 6"),
        ],
        300,
    );
    let all = rows(&[own], &[other]);
    let found = told(&all);
    let aspects: Vec<_> = found
        .iter()
        .map(|(aspect, what, _)| (*aspect, *what))
        .collect();
    assert_eq!(
        aspects,
        [
            (Aspect::Option, "option.60"),
            (Aspect::Option, "option.55"),
            (Aspect::OptionOrder, "options"),
            (Aspect::Length, "length"),
        ]
    );
    assert!(found[3].2.contains(&"FLY-62"), "{found:?}");
    let register = |tag: &str, agent: &str| {
        let from = format!("<sip:u@x>;tag={tag}");
        let contact = format!("<sip:u@192.0.2.1:5000{tag}>;transport=udp");
        let fields = [
            ("header.from", from.as_str()),
            ("header.contact", &contact),
            ("header.user-agent", agent),
        ];
        [message(0, Way::Sent, "sip.register", &fields)]
    };
    let all = rows(&register("1", "a"), &register("2", "b"));
    let found = told(&all);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].0, found[0].1),
        (Aspect::Header, "header.user-agent")
    );
    let at = |port: u16| {
        let contact = format!("<sip:u@192.0.2.1:{port}>");
        [message(
            0,
            Way::Sent,
            "sip.register",
            &[("header.contact", &contact)],
        )]
    };
    let all = rows(&at(5_060), &at(5_062));
    assert_eq!(told(&all).len(), 1, "ports of services are told apart");
}

// FLY-62
#[test]
fn a_transaction_id_is_compared_by_where_else_it_stands() {
    let dhcp = |name: &'static str, xid: &str| message(0, Way::Sent, name, &[("xid", xid)]);
    let boot = |first: &str, second: &str| {
        [
            dhcp("dhcp.discover", first),
            dhcp("dhcp.request", second),
            dhcp("dhcp.request", second),
        ]
    };
    assert!(told(&rows(&boot("a", "a"), &boot("b", "b"))).is_empty());
    let all = rows(&boot("a", "a"), &boot("b", "c"));
    let found = told(&all);
    assert_eq!(found.len(), 2, "{found:?}");
    for (aspect, what, clauses) in found {
        assert_eq!((aspect, what), (Aspect::Value, "xid"));
        assert!(clauses.contains(&"FLY-62"), "{clauses:?}");
    }
}

// FLY-70: in lower case; FLY-97, which also names the file, is about when.
#[test]
fn another_name_of_a_file_is_of_the_case_about_names() {
    let asked = |file: &str| [message(0, Way::Sent, "tftp.rrq", &[("file", file)])];
    let (own, other) = (asked(MAC), asked(&MAC.to_uppercase()));
    let all = rows(&own, &other);
    for (_, what, clauses) in told(&all) {
        assert!(clauses.contains(&"FLY-70"), "{what}: {clauses:?}");
    }
    assert!(!told(&all).is_empty());
}

// FLY-72: 0.16 to 0.37 s after an error.
#[test]
fn a_pause_within_the_band_of_a_case_is_no_difference_and_one_outside_is_its_clause() {
    let ladder = |pause: u64| [sent(0, MAC), error(1), sent(1 + pause, "0021f2000001.boot")];
    assert!(told(&rows(&ladder(160), &ladder(370))).is_empty());
    // FLY-68, FLY-96: up to forty seconds behind the lease.
    let lease = |pause: u64| {
        let ack = message(0, Way::Received, "dhcp.ack", &[]);
        [ack, sent(pause, MAC)]
    };
    assert!(told(&rows(&lease(600), &lease(22_000))).is_empty());
    assert_eq!(told(&rows(&lease(600), &lease(90_000))).len(), 1);
    let all = rows(&ladder(250), &ladder(2_500));
    let found = told(&all);
    assert_eq!(found, [(Aspect::Timing, "pause", vec!["FLY-72"])]);
}

#[test]
fn the_twin_of_a_twin_is_alike_in_everything_but_what_is_random() {
    let (plan, bench) = (plan(), Bench::default());
    let pool = Pool {
        first: Ipv4Addr::new(10, 0, 0, 50),
        last: Ipv4Addr::new(10, 0, 0, 50),
        mask: Ipv4Addr::new(255, 255, 255, 0),
    };
    let record = boot(&plan, pool, None, &bench).expect("booted");
    let suites = suite::read_built_in().expect("suites");
    let pair = Pair {
        title: "itself".to_owned(),
        plan: &plan,
        suites: &suites,
        suite: "flyingvoice".to_owned(),
        subject: String::new(),
        from_power: true,
        notes: Vec::new(),
    };
    let comparison = compare(&pair, &record, &record, false);
    assert!(comparison.rows.len() > 10, "{comparison:?}");
    assert_eq!(comparison.counts(), (0, 0));
    let nothing = Record::new(1);
    let comparison = compare(&pair, &record, &nothing, false);
    assert_eq!(comparison.notes, ["nothing was heard of the handset"]);
    let lines = comparison.rows.iter().filter_map(|row| row.twin.as_ref());
    let sent = lines.filter(|line| line.sent).count();
    assert!(sent > 0, "{comparison:?}");
    assert_eq!(comparison.differences().count(), sent);
    assert!(
        comparison
            .differences()
            .all(|it| it.aspect == Aspect::Missing)
    );
}
