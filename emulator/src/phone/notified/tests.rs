use std::net::{Ipv4Addr, SocketAddrV4};

use crate::event::{EventKind, RunResult, Trigger};
use crate::phone::io::{Channel, ConnectionFault, Input, WebAction};
use crate::phone::stage::StageName;
use crate::phone::stand::{SERVER, Stand};
use crate::profile::{Param, SourceId};
use crate::wire::dns::{Encoder, Message};

/// The chosen option, PnP, the static server: each by its own switch.
const LINES: &str = r#"
[params]
dhcp_url_option = { default = "66" }
pnp_enable = { default = true }
pnp_period_s = { default = 3_600 }
static_mode = { default = "after-reboot" }
static_scheme = { default = "http" }
static_interval_s = { default = 7_200 }
mdns_enable = { default = false }
[discovery]
ends_with = "first-file"
order = ["chosen", "pnp", "saved", "asked", "profile-rule"]
[sources.chosen]
kind = "dhcp-chosen"
[sources.saved]
kind = "static"
ends_run = true
[sources.asked]
kind = "mdns"
enabled_by = ["mdns_enable"]
[mdns]
service = "_provisioning._tcp.local"
timeout_ms = 1_000
attempts = 2
[dhcp]
parameters = [1, 28, 3, 2, 4, "url", 6, 66]
run_at_renewal = true
[pnp]
own_port = false
attempts = 1
listen_ms = 5_000
window_ms = 0
accepts_late = true
url_ends_at_blank = true
"#;
const URL: &[u8] = b"http://10.0.0.2/a/";
const PNP: SourceId = SourceId(1);

fn started(trigger: Trigger) -> EventKind {
    EventKind::RunStarted(trigger)
}

/// A NOTIFY from outside any search; equal numbers are copies.
fn notify(number: u32, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "NOTIFY sip:10.1.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: own-{number}\r\nCSeq: 1 NOTIFY\r\n\
         {more}Content-Length: {length}\r\n\r\n{body}"
    )
}

const FIELDS: &str = "Content-Type: application/url\r\n\
    Subscription-State: terminated;reason=timeout\r\n\
    Event: ua-profile;profile-type=\"device\";vendor=\"x\";model=\"VOIP PHONE \"\r\n";

fn hear(stand: &mut Stand, text: &str) -> String {
    stand.take_sent();
    stand.datagram(Channel::Sip, 5_060, text.as_bytes());
    let sent = stand.take_sent();
    let answers = sent.iter().filter(|(_, to, _)| to.port() == 5_060);
    let answers = answers.map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned());
    answers.filter(|text| text.starts_with("SIP/2.0")).collect()
}

/// Lets the run under way fail, whatever it connects to.
fn fail(stand: &mut Stand) {
    for _ in 0..50 {
        if stand.phone.stage() != StageName::Running {
            return;
        }
        let Some((connection, _)) = stand.opened.pop() else {
            stand.pass_seconds(1);
            continue;
        };
        stand.input(Input::Failed(connection, ConnectionFault::Refused));
    }
    panic!("a run without an end");
}

/// A phone that found nothing and rests.
fn resting() -> Stand {
    let mut stand = Stand::new(LINES).leased(&[], b"");
    fail(&mut stand);
    stand.events.clear();
    stand
}

// FAN-102, FAN-104, FAN-107: minutes after the SUBSCRIBE, each copy answered 200, one run; another
// NOTIFY with the same URL starts another.
#[test]
fn runs_once_for_all_copies_of_a_late_notify() {
    let mut stand = resting();
    stand.pass_seconds(600);
    let text = notify(1, FIELDS, "http://10.0.0.2/b/");
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    assert_eq!(stand.candidates(), ["1 http://10.0.0.2/b/"]);
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    fail(&mut stand);
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    assert_eq!(stand.count(started(Trigger::Notified)), 1);
    let again = notify(2, FIELDS, "http://10.0.0.2/b/");
    hear(&mut stand, &again);
    assert_eq!(stand.count(started(Trigger::Notified)), 2);
    // The URL alone counts: no other source is tried.
    fail(&mut stand);
    assert!(!stand.has(EventKind::NoCandidate {
        source: SourceId(0)
    }));
}

// FAN-102: what the search took comes again half a second later.
#[test]
fn takes_a_copy_of_what_the_search_took_for_no_other() {
    let mut stand = Stand::new(LINES).leased(&[], b"");
    let text = notify(1, FIELDS, "http://10.0.0.2/b/");
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    assert_eq!(stand.candidates(), ["1 http://10.0.0.2/b/"]);
    stand.pass(std::time::Duration::from_millis(500));
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    fail(&mut stand);
    assert_eq!(stand.count(started(Trigger::Notified)), 0);
    assert_eq!(
        stand.count(EventKind::TriggerDeferred(Trigger::Notified)),
        0
    );
}

// FAN-104: during a run it waits for its end.
#[test]
fn keeps_a_notify_until_the_run_is_over() {
    let mut stand = Stand::new(LINES).leased(&[(66, URL)], b"");
    assert_eq!(stand.phone.stage(), StageName::Running);
    hear(&mut stand, &notify(1, FIELDS, "http://10.0.0.2/b/"));
    stand.input(Input::Web(WebAction::Start));
    assert!(stand.has(EventKind::TriggerDeferred(Trigger::Notified)));
    fail(&mut stand);
    for _ in 0..10 {
        fail(&mut stand);
        stand.pass_seconds(1);
    }
    assert_eq!(stand.count(started(Trigger::Manual)), 1);
    assert_eq!(stand.count(started(Trigger::Notified)), 1);
    assert!(
        stand
            .candidates()
            .contains(&"1 http://10.0.0.2/b/".to_owned())
    );
}

// FAN-99, FAN-100, FAN-101: what stands in the body and around it.
#[test]
fn reads_the_url_up_to_the_first_blank() {
    for (fields, body, expected) in [
        (
            FIELDS,
            "http://10.0.0.2/$input.txt   remark",
            "1 http://10.0.0.2/$input.txt",
        ),
        (
            FIELDS,
            "  http://10.0.0.2/x\tsee manual\r\n",
            "1 http://10.0.0.2/x",
        ),
        (
            "Content-Type: Application/URL ; charset=x\r\n",
            "http://10.0.0.2/x",
            "1 http://10.0.0.2/x",
        ),
        (
            "Event:  UA-Profile ;x=1\r\n",
            "http://10.0.0.2/x",
            "1 http://10.0.0.2/x",
        ),
    ] {
        let mut stand = resting();
        let answer = hear(&mut stand, &notify(1, fields, body));
        assert!(
            answer.starts_with("SIP/2.0 200 OK\r\n"),
            "{fields} {answer}"
        );
        assert_eq!(stand.candidates(), [expected]);
    }
    for (fields, body, status) in [
        (
            "Event: ua-profile\r\nContent-Type: text/html\r\n",
            "<html>",
            "415",
        ),
        (
            "Event: other\r\nContent-Type: application/url\r\n",
            "http://10.0.0.2/x",
            "489",
        ),
        ("Event: ua-profile\r\n", "", "200"),
        ("Event: ua-profile\r\n", "gopher://a", "200"),
    ] {
        let mut stand = resting();
        let answer = hear(&mut stand, &notify(1, fields, body));
        assert!(
            answer.starts_with(&format!("SIP/2.0 {status} ")),
            "{fields} {answer}"
        );
        assert!(stand.candidates().is_empty());
        assert_eq!(stand.phone.stage(), StageName::Idle);
    }
}

// FAN-93: with the switch off nobody is asked, and a NOTIFY is of no use.
#[test]
fn takes_no_notify_while_pnp_is_off() {
    let mut stand = Stand::new(LINES)
        .web(Param::PnpEnable, "0")
        .leased(&[], b"");
    assert!(
        stand
            .take_sent()
            .iter()
            .all(|(_, to, _)| to.port() != 5_060)
    );
    let answer = hear(&mut stand, &notify(1, FIELDS, "http://10.0.0.2/b/"));
    assert!(answer.starts_with("SIP/2.0 489 "));
    stand.pass_seconds(8_000);
    assert!(!stand.has(started(Trigger::Subscription)));
}

// FAN-94, FAN-106: by itself each hour, and then no other source.
#[test]
fn subscribes_again_each_period() {
    let mut stand = resting();
    stand.take_sent();
    stand.pass_seconds(3_599);
    assert!(stand.take_sent().is_empty());
    stand.pass_seconds(10);
    let sent = stand.take_sent();
    assert_eq!(sent[0].1.to_string(), "224.0.1.75:5060");
    assert!(stand.has(started(Trigger::Subscription)));
    assert!(stand.has(EventKind::NoCandidate { source: PNP }));
    assert!(!stand.has(EventKind::NoCandidate {
        source: SourceId(0)
    }));
    assert!(stand.has(EventKind::RunEnded(RunResult::NoCandidate)));
    stand.pass_seconds(3_610);
    assert_eq!(stand.count(started(Trigger::Subscription)), 2);
    // No period, no repeats.
    let mut stand = Stand::new(LINES)
        .web(Param::PnpPeriodS, "0")
        .leased(&[], b"");
    fail(&mut stand);
    stand.pass_seconds(100_000);
    assert!(!stand.has(started(Trigger::Subscription)));
}

// FAN-93: a configured server is asked, by the transport that is set.
#[test]
fn asks_the_server_that_the_page_names() {
    let mut stand = Stand::new(LINES)
        .web(Param::PnpServer, "10.0.0.2")
        .web(Param::PnpPort, "5070")
        .leased(&[], b"");
    let sent = stand.take_sent();
    assert!(
        sent.iter()
            .any(|(_, to, _)| to.to_string() == "10.0.0.2:5070")
    );

    let mut stand = Stand::new(LINES)
        .web(Param::PnpServer, "redirect.test")
        .web(Param::PnpTransport, "tcp")
        .leased(&[], b"");
    assert_eq!(
        stand.opened,
        [(stand.opened[0].0, SocketAddrV4::new(SERVER, 5_060))]
    );
    let line = stand.open();
    let written = stand.take_written();
    let id = written[0]
        .1
        .lines()
        .find(|line| line.starts_with("Call-ID"))
        .unwrap();
    let text = notify(1, FIELDS, "http://10.0.0.2/b/").replace("Call-ID: own-1", id);
    stand.input(Input::Bytes(line, text.as_bytes()));
    assert!(stand.take_written()[0].1.starts_with("SIP/2.0 200 OK\r\n"));
    assert_eq!(stand.closed, [line]);
    assert_eq!(stand.candidates(), ["1 http://10.0.0.2/b/"]);
    // The next connection has another number.
    assert_ne!(stand.opened.last().unwrap().0, line);

    let stand = Stand::new(LINES)
        .web(Param::PnpServer, "nobody.test")
        .leased(&[], b"");
    assert!(stand.has(EventKind::NoCandidate { source: PNP }));
}

// FAN-02, FAN-04, FAN-97, FAN-98: the page's order, each source in its turn.
#[test]
fn tries_the_sources_in_the_order_of_the_page() {
    let mut stand = Stand::new(LINES)
        .web(Param::SourceOrder, "saved, chosen unknown")
        .web(Param::StaticServer, "10.0.0.9")
        .leased(&[(66, URL)], b"");
    fail(&mut stand);
    // FAN-111: it fails, and all is over.
    assert_eq!(stand.candidates(), ["2 http://10.0.0.9/"]);
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));

    let mut stand = Stand::new(LINES)
        .web(Param::SourceOrder, "pnp,chosen")
        .leased(&[(66, URL)], b"");
    assert!(stand.candidates().is_empty());
    stand.pass_seconds(6);
    assert!(stand.has(EventKind::NoCandidate { source: PNP }));
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/a/"]);
}

// FAN-03.
#[test]
fn keeps_an_order_that_is_for_ever() {
    let lines = LINES.replace("ends_with", "order_fixed = true\nends_with");
    let stand = Stand::new(&lines)
        .web(Param::SourceOrder, "pnp,chosen")
        .leased(&[(66, URL)], b"");
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/a/"]);
}

// FAN-64, FAN-65, FAN-71, FAN-73: plain text of the chosen option, and of no other.
#[test]
fn takes_the_url_of_the_chosen_option() {
    let other = &b"http://10.0.0.8/"[..];
    for code in [43, 66, 128, 254] {
        let rest = if code == 66 { 43 } else { 66 };
        let stand = Stand::new(LINES)
            .web(Param::DhcpUrlOption, &code.to_string())
            .leased(&[(code, URL), (rest, other)], b"");
        assert_eq!(stand.candidates(), ["0 http://10.0.0.2/a/"], "{code}");
    }
    for code in ["0", "67", "255", ""] {
        let stand = Stand::new(LINES)
            .web(Param::DhcpUrlOption, code)
            .leased(&[(66, URL), (43, other), (67, other)], b"");
        assert!(stand.candidates().is_empty(), "{code}");
    }
}

// FAN-66, FAN-85: at a renewal the URL is taken from the ACK again, and all is run.
#[test]
fn runs_when_the_lease_is_renewed() {
    let mut stand =
        Stand::new(LINES)
            .web(Param::PnpPeriodS, "0")
            .leased_for(1_000, &[(66, URL)], b"");
    fail(&mut stand);
    fail(&mut stand);
    stand.events.clear();
    stand.renew(&[(66, b"http://10.0.0.2/new/")]);
    assert!(stand.has(started(Trigger::Renewal)));
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/new/"]);
}

// FAN-108, FAN-110, FAN-112.
#[test]
fn asks_the_static_server_as_its_page_says() {
    for (scheme, server, file, expected) in [
        ("ftp", "10.0.0.9", "", "2 ftp://10.0.0.9/"),
        (
            "tftp",
            "10.0.0.9",
            "/name.cfg",
            "2 tftp://10.0.0.9/name.cfg",
        ),
        (
            "http",
            "10.0.0.9:8080",
            "d/x.xml",
            "2 http://10.0.0.9:8080/d/x.xml",
        ),
        ("https", "10.0.0.9", "", "2 https://10.0.0.9/"),
        (
            "ftp",
            "http://10.0.0.9/",
            "x.txt",
            "2 http://10.0.0.9/x.txt",
        ),
    ] {
        let mut stand = Stand::new(LINES)
            .web(Param::PnpEnable, "0")
            .web(Param::StaticScheme, scheme)
            .web(Param::StaticServer, server)
            .web(Param::StaticFile, file)
            .leased(&[], b"");
        assert_eq!(stand.candidates(), [expected]);
        stand.pass_seconds(30_000);
        assert!(!stand.has(started(Trigger::StaticInterval)));
    }
    let stand = Stand::new(LINES)
        .web(Param::StaticMode, "disabled")
        .web(Param::StaticServer, "10.0.0.9")
        .web(Param::PnpEnable, "0")
        .leased(&[], b"");
    assert!(stand.candidates().is_empty());
}

// FAN-108, FAN-112: at each interval, and then no other source.
#[test]
fn asks_the_static_server_at_each_interval() {
    let mut stand = Stand::new(LINES)
        .web(Param::PnpEnable, "0")
        .web(Param::StaticMode, "interval")
        .web(Param::StaticServer, "10.0.0.9")
        .leased(&[], b"");
    fail(&mut stand);
    stand.events.clear();
    stand.pass_seconds(7_201);
    assert!(stand.has(started(Trigger::StaticInterval)));
    assert_eq!(stand.candidates(), ["2 http://10.0.0.9/"]);
    assert!(!stand.has(EventKind::NoCandidate {
        source: SourceId(0)
    }));
}

// FAN-109: nothing is detected; the saved parameters alone count.
#[test]
fn downloads_from_the_saved_parameters_where_detection_is_off() {
    let mut stand = Stand::new(LINES)
        .web(Param::DhcpUrlOption, "0")
        .web(Param::PnpEnable, "0")
        .web(Param::StaticServer, "10.0.0.9")
        .leased(&[(66, URL), (43, URL)], b"");
    assert_eq!(stand.candidates(), ["2 http://10.0.0.9/"]);
    assert!(
        stand
            .take_sent()
            .iter()
            .all(|(_, to, _)| to.port() != 5_060)
    );
}

// FAN-111: whatever stands behind it in the order.
#[test]
fn ends_where_the_static_server_fails() {
    let mut stand = Stand::new(LINES)
        .web(Param::PnpEnable, "0")
        .web(Param::MdnsEnable, "1")
        .web(Param::StaticServer, "10.0.0.9")
        .leased(&[], b"");
    fail(&mut stand);
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
    assert!(
        stand
            .take_sent()
            .iter()
            .all(|(_, to, _)| to.port() != 5_353)
    );
}

// FAN-03: the query's answer is a candidate; silence leads to the next source.
#[test]
fn finds_its_server_by_multicast_dns() {
    let ask = || {
        let mut stand = Stand::new(LINES)
            .web(Param::PnpEnable, "0")
            .web(Param::MdnsEnable, "1")
            .leased(&[(1, &[255, 0, 0, 0])], b"");
        let sent = stand.take_sent();
        let asked = sent.into_iter().find(|(_, to, _)| to.port() == 5_353);
        let (channel, to, query) = asked.expect("a query");
        assert_eq!(*to.ip(), Ipv4Addr::new(224, 0, 0, 251));
        let id = Message::parse(&query).unwrap().id();
        (stand, channel, id)
    };
    let service = "_provisioning._tcp.local";
    let instance = ["a", "_provisioning", "_tcp", "local"];
    let (mut stand, channel, id) = ask();
    let mut bytes = Vec::new();
    Encoder::answer(&mut bytes, id)
        .pointer(service, &instance, 10)
        .service(&instance, 80, "a.local", 10)
        .address("a.local", SERVER, 10)
        .finish();
    stand.datagram(channel, 5_353, &bytes);
    assert_eq!(stand.candidates(), ["3 http://10.0.0.2:80/"]);

    let (mut stand, channel, _) = ask();
    stand.datagram(channel, 5_353, b"hostile");
    stand.pass_seconds(3);
    assert!(stand.has(EventKind::NoCandidate {
        source: SourceId(3)
    }));
}

// FAN-63, FAN-96: an address that is typed is used without DHCP, and PnP serves such a phone.
#[test]
fn searches_by_pnp_with_a_typed_address() {
    let mut stand = Stand::new(LINES).web(Param::OwnAddress, "10.1.0.7");
    stand.input(Input::Power);
    stand.pass_seconds(60);
    assert_eq!(stand.phone.address(), Some(Ipv4Addr::new(10, 1, 0, 7)));
    let sent = stand.take_sent();
    assert!(sent.iter().all(|(channel, ..)| *channel != Channel::Dhcp));
    assert!(
        sent.iter()
            .any(|(_, to, _)| to.to_string() == "224.0.1.75:5060")
    );
    assert!(stand.has(EventKind::NoCandidate {
        source: SourceId(0)
    }));
    stand.input(Input::ShutDown);
    assert!(stand.take_sent().is_empty());
    assert_eq!(stand.phone.address(), None);
}

// FAN-144 beside it: a check-sync is none of PnP's.
#[test]
fn leaves_a_check_sync_to_its_own() {
    let mut stand = resting();
    let text = notify(9, "Event: check-sync\r\n", "");
    assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 OK\r\n"));
    assert!(stand.has(started(Trigger::CheckSync)));
}

// FAN-144: the search listens at the same port.
#[test]
fn a_check_sync_during_a_search_is_remembered() {
    for late in ["true", "false"] {
        let lines = LINES.replace("accepts_late = true", &format!("accepts_late = {late}"));
        let mut stand = Stand::new(&lines).leased(&[], b"");
        assert_eq!(stand.phone.stage(), StageName::Running);
        let text = notify(9, "Event: check-sync\r\n", "");
        assert!(hear(&mut stand, &text).starts_with("SIP/2.0 200 "));
        assert!(stand.has(EventKind::TriggerDeferred(Trigger::CheckSync)));
        fail(&mut stand);
        assert!(stand.has(started(Trigger::CheckSync)));
    }
}
