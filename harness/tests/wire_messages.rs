//! What phones send and receive, recorded and decoded: a simulated boot of every way says the
//! messages that its protocols have, and nothing that no decoder knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use bootstorm_scenarios::wire::Way;
use bootstorm_scenarios::wire::message::{self, Message};

/// Bytes that each phone's record may have.
const RECORD_BYTES: usize = 4 << 20;

/// The messages of each phone of a scenario that comes with the program.
fn messages(name: &str, phones: u32) -> Vec<(u32, Vec<Message>)> {
    messages_with(name, phones, "")
}

/// The same, with more at the end of the scenario.
fn messages_with(name: &str, phones: u32, more: &str) -> Vec<(u32, Vec<Message>)> {
    let mut built_in = scenario::built_in().iter();
    let (_, text) = built_in
        .find(|(known, _)| *known == name)
        .expect("a scenario");
    let mut scenario = scenario::read(name, &format!("{text}{more}")).expect("sound");
    scenario.resize(phones);
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER);
    let plan = Arc::new(plan.expect("a plan"));
    let source = provision::tree(&plan).expect("content");
    let reference = Reference::new(provision::reference(&plan, source, SIMULATED_POOL));
    let orders = Orders {
        record_bytes: RECORD_BYTES,
        ..Orders::default()
    };
    let ended = run::simulate(&plan, reference, &orders).expect("a run");
    let records = ended.records.into_iter();
    let decoded = records.map(|(index, record)| {
        assert_eq!(record.dropped(), 0, "the record is large enough");
        (index, message::decode(&record))
    });
    decoded.collect()
}

fn counts(all: &[(u32, Vec<Message>)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in all.iter().flat_map(|(_, messages)| messages) {
        *counts.entry(message.name.to_string()).or_default() += 1;
    }
    counts
}

/// The messages of one phone with this name.
fn named<'a>(messages: &'a [Message], name: &str) -> Vec<&'a Message> {
    let messages = messages.iter();
    messages.filter(|message| message.name == name).collect()
}

#[test]
fn a_boot_of_every_way_says_all_and_nothing_unknown() {
    let all = messages("every-way", 80);
    let counts = counts(&all);
    for name in [
        "dhcp.ack",
        "tftp.rrq",
        "tftp.oack",
        "tftp.error",
        "http.get",
        "http.response",
        "ftp.retr",
        "ftp.end",
        "sip.subscribe",
        "sip.notify",
        "sip.register",
        "sip.response",
        "ntp.request",
        "ntp.response",
        "mdns.query",
        "mdns.response",
        "tcp.failed",
    ] {
        assert!(counts.contains_key(name), "{name}: {counts:?}");
    }
    let unknown = counts.keys().filter(|name| name.ends_with(".unknown"));
    assert_eq!(unknown.count(), 0, "{counts:?}");
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert_eq!(
        count("http.get") + count("http.post"),
        count("http.response")
    );
    assert_eq!(count("ftp.retr"), count("ftp.end"));
    assert_eq!(
        count("tcp.opening"),
        count("tcp.closed") + count("tcp.failed")
    );
    for (_, messages) in &all {
        let cut = messages
            .iter()
            .find(|message| message.field("truncated").is_some());
        assert!(cut.is_none(), "{cut:?}");
        let times: Vec<_> = messages.iter().map(|message| message.at).collect();
        assert!(times.is_sorted());
    }
}

#[test]
fn a_discovery_and_a_transfer_are_told_in_full() {
    let all = messages("check-sync-storm", 20);
    let (_, messages) = &all[0];
    let discover = named(messages, "dhcp.discover")[0];
    for (key, value) in [
        ("to", "255.255.255.255:67"),
        ("chaddr", "0021f2000000"),
        ("option.53", "1"),
        ("option.55", "1 3 6 12 15 28 42 66"),
        ("option.60", "udhcp 1.15.3"),
        ("giaddr", "0.0.0.0"),
    ] {
        assert_eq!(discover.field(key), Some(value), "{key}: {discover:?}");
    }
    let ack = named(messages, "dhcp.ack")[0];
    assert_eq!(ack.field("option.54"), Some("10.0.0.2"));
    let tftp = "tftp://10.0.0.2/flyingvoice/";
    assert_eq!(ack.field("option.66"), Some(tftp));
    assert_eq!(ack.field("xid"), discover.field("xid"));
    let notify = named(messages, "sip.notify")[0];
    assert_eq!(notify.field("event"), Some("check-sync"));
    let requests = named(messages, "tftp.rrq");
    let ports: std::collections::BTreeSet<_> = requests
        .iter()
        .filter_map(|request| request.field("port"))
        .collect();
    assert_eq!(
        ports.len(),
        requests.len(),
        "a port for each file (WIRE-07)"
    );
}

#[test]
fn calls_of_an_acs_have_names_and_connection_requests_are_recorded() {
    let step = "\n[[step]]\nafter = \"settled\"\ndo = \"connection-request\"\n";
    let all = messages_with("acs-download", 3, step);
    for (_, messages) in &all {
        let calls = messages.iter().filter_map(|message| message.field("soap"));
        let calls: Vec<_> = calls.collect();
        for call in ["Inform", "InformResponse", "Download", "TransferComplete"] {
            assert!(calls.contains(&call), "{call}: {calls:?}");
        }
        let asked = |message: &&Message| message.way == Way::Received && message.name == "http.get";
        let asked: Vec<_> = messages.iter().filter(asked).collect();
        assert!(!asked.is_empty(), "no connection request");
        let answered =
            |message: &&Message| message.way == Way::Sent && message.name == "http.response";
        let answers = messages.iter().filter(answered);
        let status: Vec<_> = answers
            .filter_map(|message| message.field("status"))
            .collect();
        assert_eq!(status.len(), asked.len());
        assert_eq!(status.last(), Some(&"200"));
    }
}
