use std::time::Duration;

use crate::event::{BootCause, EventKind, Fault, Limit, RunResult, Trigger};
use crate::phone::io::{Channel, ConnectionFault, Input};
use crate::phone::stage::StageName;
use crate::phone::stand::{SERVER, Stand};
use crate::profile::{Param, SourceId, StepId};

/// DHCP, then redirect and multicast at once, then the configured URL (AUE-09, AUE-10).
const AUERSWALD: &str = r#"
[markers]
"<HWTYP>" = "D200"
"<MACADR>" = "{mac:upper}"
[params]
redirect_enable = { default = true }
redirect_url = { default = "https://redirect.test/?mac=<MACADR>" }
redirect_user = { default = "{mac:upper}" }
redirect_password = { default = "geheim" }
server_url = { default = "http://10.0.0.9/<MACADR>.xml" }
bare_scheme = { default = "http" }
[discovery]
ends_with = "first-url"
order = ["joined", "redirect", "pnp", "profile-rule"]
[sources.joined]
kind = "dhcp-joined"
[sources.redirect]
kind = "redirect"
together = "search"
enabled_by = ["redirect_enable"]
timeout_ms = 10_000
attempts = 2
auth = "any"
clauses = ["AUE-40", "AUE-41"]
[sources.pnp]
together = "search"
[dhcp]
parameters = [1, 3, 6, 12, 15, 42, 43, 66, 67]
[pnp]
attempts = 1
listen_ms = 5_000
window_ms = 0
"#;
/// AUE-33.
const SAMPLE: &[u8] = b"\x42\x0bhttp://foo\0\x43\x0c<HWTYP>.bak\0";
const REDIRECT: SourceId = SourceId(1);
const MULTICAST: SourceId = SourceId(2);

/// A phone that both searches of the group have been started for.
fn searching() -> Stand {
    Stand::new(AUERSWALD).leased(&[], b"")
}

fn none(source: SourceId) -> EventKind {
    EventKind::NoCandidate { source }
}

// AUE-08, AUE-09, AUE-11: DHCP stands first, and the first URL found is the one.
#[test]
fn asks_nobody_else_when_dhcp_gives_a_url() {
    let mut stand = Stand::new(AUERSWALD).leased(&[(43, SAMPLE)], b"");
    assert_eq!(stand.candidates(), ["0 http://foo/D200.bak"]);
    assert!(
        stand
            .take_sent()
            .iter()
            .all(|(_, to, _)| to.port() != 5_060)
    );
    // AUE-12: it cannot be had, and lower sources are not tried.
    assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
    assert!(stand.opened.is_empty());
}

// AUE-25, AUE-26, AUE-28, AUE-29, AUE-86: option 66 with 67, or with BOOTP's `file`; markers.
#[test]
fn joins_the_lease_s_values_to_one_url() {
    let server = (66, &b"http://10.0.0.2"[..]);
    let file = &b"prov.py?mac=<MACADR>"[..];
    for stand in [
        Stand::new(AUERSWALD).leased(&[server, (67, file)], b""),
        Stand::new(AUERSWALD).leased(&[server], file),
    ] {
        assert_eq!(
            stand.candidates(),
            ["0 http://10.0.0.2/prov.py?mac=00095200000E"]
        );
    }
    // AUE-29: a field that holds options is no file name, and its options count.
    let overload = b"\x43\x05x.xml\xff";
    let stand = Stand::new(AUERSWALD).leased(&[server, (52, &[1])], overload);
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/x.xml"]);
}

// AUE-38: http where no scheme is written, or three in turn by the named switch.
#[test]
fn tries_schemes_in_turn_where_none_is_written() {
    let option = [(66, &b"10.0.0.2/x.xml"[..])];
    let stand = Stand::new(AUERSWALD).leased(&option, b"");
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/x.xml"]);
    let mut stand = Stand::new(AUERSWALD)
        .web(Param::BareScheme, "in-turn")
        .leased(&option, b"");
    assert_eq!(stand.candidates(), ["0 https://10.0.0.2/x.xml"]);
    let (connection, _) = stand.opened[0];
    stand.input(Input::Failed(connection, ConnectionFault::Refused));
    stand.pass_seconds(2);
    let (connection, _) = stand.opened[1];
    stand.input(Input::Failed(connection, ConnectionFault::Refused));
    assert_eq!(
        stand.candidates(),
        [
            "0 https://10.0.0.2/x.xml",
            "0 http://10.0.0.2/x.xml",
            "0 tftp://10.0.0.2/x.xml"
        ]
    );
}

#[test]
fn reports_an_option_43_that_is_cut() {
    let stand = Stand::new(AUERSWALD).leased(&[(43, b"\x42\xffhttp"), (66, b"10.0.0.2")], b"");
    let wrong = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Wrong {
                step: StepId::REQUEST,
                fault: Fault::Malformed(_)
            }
        )
    };
    assert_eq!(stand.events.iter().filter(|kind| wrong(kind)).count(), 1);
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/"]);
}

// AUE-39: of the lease in force, and only of options that are not switched off.
#[test]
fn leaves_out_options_that_the_page_switches_off() {
    let stand = Stand::new(AUERSWALD)
        .web(Param::DhcpOptionsDisabled, "43, 114")
        .leased(&[(43, SAMPLE), (66, b"http://10.0.0.2/x")], b"");
    assert_eq!(stand.candidates(), ["0 http://10.0.0.2/x"]);
}

// AUE-09, AUE-42: both questions leave at one moment.
#[test]
fn asks_the_service_and_the_group_at_once() {
    let mut stand = searching();
    assert!(stand.has(none(SourceId(0))));
    assert_eq!(stand.opened[0].1.to_string(), "10.0.0.2:443");
    let sent = stand.take_sent();
    let (_, to, bytes) = sent.last().unwrap();
    assert_eq!(to.to_string(), "224.0.1.75:5060");
    assert!(bytes.starts_with(b"SUBSCRIBE "));
    stand.open();
    let written = stand.take_written();
    assert!(
        written[0]
            .1
            .starts_with("GET /?mac=00095200000E HTTP/1.1\r\n"),
        "{written:?}"
    );
}

// AUE-13, AUE-40, AUE-41: the service answers first; the search by SIP is over, and a NOTIFY that
// comes later is answered and changes nothing.
#[test]
fn takes_the_url_of_the_service_and_ends_the_other_search() {
    let mut stand = searching();
    let connection = stand.open();
    stand.answer("200", "", " http://10.0.0.3/<MACADR>.xml\r\n");
    assert_eq!(stand.candidates(), ["1 http://10.0.0.3/00095200000E.xml"]);
    assert!(stand.closed.contains(&connection));
    stand.notify("http://10.0.0.4/late.xml");
    assert_eq!(stand.candidates().len(), 1);
    let step = StepId::NOTIFY;
    assert!(stand.has(EventKind::Late { step }));
    let step = StepId::REDIRECT;
    let bytes = u32::try_from(stand.take_written()[0].1.len()).unwrap();
    assert!(stand.has(EventKind::Sent { step, bytes }));
}

// AUE-13, AUE-43, AUE-44: the group answers first, from anywhere; the service's connection closes.
#[test]
fn takes_the_url_of_a_notify_and_closes_the_other_question() {
    let mut stand = searching();
    let connection = stand.open();
    stand.notify("http://10.0.0.4/<MACADR>.xml");
    // Within the moment the service could still have answered.
    assert!(stand.candidates().is_empty());
    stand.tick();
    assert_eq!(stand.candidates(), ["2 http://10.0.0.4/00095200000E.xml"]);
    assert!(stand.closed.contains(&connection));
    assert_eq!(stand.opened.len(), 2);
    assert_ne!(stand.opened[1].0, connection);
    stand.input(Input::Bytes(connection, b"HTTP/1.1 200 OK\r\n\r\n"));
    assert_eq!(stand.candidates().len(), 1);
}

// AUE-13: a tie goes to the service, in whichever order the two come.
#[test]
fn gives_a_tie_to_the_source_that_stands_first() {
    let mut stand = searching();
    stand.open();
    stand.notify("http://10.0.0.4/x.xml");
    stand.answer("200", "", "http://10.0.0.3/x.xml");
    assert_eq!(stand.candidates(), ["1 http://10.0.0.3/x.xml"]);
}

// AUE-45, AUE-46: NOTIFYs without a URL are skipped and listening goes on.
#[test]
fn skips_a_notify_without_url() {
    let mut stand = searching();
    let (connection, _) = stand.opened[0];
    stand.input(Input::Failed(connection, ConnectionFault::Refused));
    assert!(stand.has(none(REDIRECT)));
    stand.notify("");
    stand.pass(Duration::from_millis(4_900));
    assert!(stand.candidates().is_empty());
    stand.notify("http://10.0.0.4/x.xml");
    assert_eq!(stand.candidates(), ["2 http://10.0.0.4/x.xml"]);
}

// AUE-09, AUE-85: nobody answers: the configured URL, its markers replaced.
#[test]
fn goes_on_to_the_configured_url_when_nobody_answers() {
    let mut stand = searching();
    stand.pass_seconds(21);
    assert!(stand.has(none(REDIRECT)) && stand.has(none(MULTICAST)));
    assert_eq!(stand.candidates(), ["3 http://10.0.0.9/00095200000E.xml"]);
    // The service's own patience: two tries of ten seconds.
    let (step, fault) = (StepId::REDIRECT, Fault::Silence);
    assert!(stand.has(EventKind::GaveUp { step, fault }));
    let (limit, value) = (Limit::Attempts, 2);
    assert!(stand.has(EventKind::LimitReached { limit, value }));
}

// GIG-03, AUE-41: Digest or Basic with the phone's own name and password.
#[test]
fn answers_the_challenge_of_the_service() {
    let mut stand = searching();
    stand.open();
    stand.take_written();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    stand.answer("401", challenge, "");
    let again = stand.take_written();
    let (_, text) = again.last().expect("a second request");
    assert!(
        text.contains("Authorization: Digest username=\"00095200000E\""),
        "{text}"
    );
    stand.answer("401", challenge, "");
    let (step, fault) = (StepId::REDIRECT, Fault::Unauthorized);
    assert!(stand.has(EventKind::GaveUp { step, fault }));
    assert!(stand.has(none(REDIRECT)));
}

// AUE-41: a redirect's target is the candidate and is not followed by the question itself.
#[test]
fn takes_the_target_of_a_redirect_for_the_candidate() {
    for (location, candidate) in [
        (
            "http://10.0.0.3/<MACADR>.xml",
            "1 http://10.0.0.3/00095200000E.xml",
        ),
        ("/own/x.xml", "1 https://redirect.test/own/x.xml"),
        // A loop costs one walk, which has its own limit.
        (
            "https://redirect.test/?mac=1",
            "1 https://redirect.test/?mac=1",
        ),
    ] {
        let mut stand = searching();
        stand.open();
        stand.answer("302", &format!("Location: {location}\r\n"), "");
        assert_eq!(stand.candidates(), [candidate]);
    }
}

#[test]
fn takes_nothing_from_answers_that_hold_no_url() {
    let long = "x".repeat(3_000);
    for (status, fields, body) in [
        ("200", "", ""),
        ("200", "", "\r\n \r\n"),
        ("200", "", "<html>\n<body>"),
        ("200", "", "gopher://a/b"),
        ("200", "", long.as_str()),
        ("404", "", ""),
        ("500", "", "http://10.0.0.3/x.xml"),
        ("302", "", "http://10.0.0.3/x.xml"),
        ("302", "Location: ftps://10.0.0.3/x\r\n", ""),
        ("204", "", ""),
    ] {
        let mut stand = searching();
        let connection = stand.open();
        stand.answer(status, fields, body);
        assert!(stand.candidates().is_empty(), "{status} {body}");
        assert_eq!(stand.count(none(REDIRECT)), 1, "{status} {body}");
        assert!(stand.closed.contains(&connection), "{status} {body}");
        // The other search goes on.
        stand.notify("http://10.0.0.4/x.xml");
        assert_eq!(stand.candidates(), ["2 http://10.0.0.4/x.xml"]);
    }
}

// GIG-03, GIG-04: 114 before multicast, redirect and the web interface; it overrides 66.
#[test]
fn lets_option_114_override_option_66() {
    let lines = r#"
[params]
option_114_enable = { default = true }
[discovery]
order = ["dhcp-114", "dhcp-66"]
[sources.dhcp-114]
kind = "dhcp"
option = 114
enabled_by = ["option_114_enable"]
[sources.dhcp-66]
kind = "dhcp"
option = 66
unless = 114
[dhcp]
parameters = [1, 3, 6, 15, 120, 114, 125, 66]
"#;
    let options = [
        (66, &b"http://10.0.0.66/x.xml"[..]),
        (114, &b"http://10.0.0.114/x.xml"[..]),
    ];
    let end = |mut stand: Stand| {
        let (connection, _) = stand.opened[0];
        stand.input(Input::Failed(connection, ConnectionFault::Refused));
        stand.pass_seconds(5);
        stand.candidates()
    };
    let both = Stand::new(lines).leased(&options, b"");
    assert_eq!(end(both), ["0 http://10.0.0.114/x.xml"]);
    let alone = Stand::new(lines).leased(&options[..1], b"");
    assert_eq!(end(alone), ["1 http://10.0.0.66/x.xml"]);
    for (param, value) in [
        (Param::Option114Enable, "0"),
        (Param::DhcpOptionsDisabled, "114"),
    ] {
        let off = Stand::new(lines).web(param, value).leased(&options, b"");
        assert_eq!(end(off), ["1 http://10.0.0.66/x.xml"]);
    }
    let off = Stand::new(lines).web(Param::DhcpOptionsDisabled, "66,114");
    assert!(off.leased(&options, b"").candidates().is_empty());
}

// AUE-22: hosts on the list are believed, by name or address; others are told and ignored.
#[test]
fn believes_check_syncs_of_listed_senders_only() {
    for (listed, allowed) in [
        ("", true),
        ("10.0.0.2", true),
        ("10.0.0.7, redirect.test", true),
        ("10.0.0.7", false),
        ("nobody.test", false),
    ] {
        let mut stand = resting()
            .web(Param::CheckSyncSenders, listed)
            .leased(&[], b"");
        stand.pass_seconds(60);
        stand.events.clear();
        stand.check_sync(1);
        let refused = EventKind::SenderRefused { address: SERVER };
        assert_eq!(stand.has(refused), !allowed, "{listed}");
        let started = EventKind::RunStarted(Trigger::CheckSync);
        assert_eq!(stand.has(started), allowed, "{listed}");
        // AUE-18, AUE-23: and nothing restarts.
        assert!(!stand.has(EventKind::Booting(BootCause::CheckSync)));
    }
}

/// A phone whose one source is silent for a while, and that takes no reboot from anybody.
fn resting() -> Stand {
    let lines = format!("{AUERSWALD}[sip]\nreboot_parameter = \"\"\n");
    Stand::new(&lines).web(Param::ServerUrl, "")
}

#[test]
fn remembers_one_run_of_a_flood_of_notifies() {
    let mut stand = resting().leased(&[], b"");
    stand.pass_seconds(60);
    assert_eq!(stand.phone.stage(), StageName::Idle);
    stand.events.clear();
    for number in 0..500 {
        stand.check_sync(number);
    }
    let started = EventKind::RunStarted(Trigger::CheckSync);
    let deferred = EventKind::TriggerDeferred(Trigger::CheckSync);
    assert_eq!((stand.count(started), stand.count(deferred)), (1, 1));
    stand.pass_seconds(120);
    assert_eq!(stand.count(started), 2);
    assert_eq!(stand.phone.stage(), StageName::Idle);
}

#[test]
fn reports_refused_senders_up_to_a_limit() {
    let mut stand = resting()
        .web(Param::CheckSyncSenders, "10.0.0.7")
        .leased(&[], b"");
    stand.pass_seconds(60);
    for number in 0..500 {
        stand.check_sync(number);
    }
    assert_eq!(
        stand.count(EventKind::SenderRefused { address: SERVER }),
        64
    );
    let (limit, value) = (Limit::Strays, 64);
    assert_eq!(stand.count(EventKind::LimitReached { limit, value }), 1);
}

#[test]
fn closes_the_question_when_the_power_goes() {
    let mut stand = searching();
    let connection = stand.open();
    stand.input(Input::PowerCut);
    assert!(stand.closed.contains(&connection));
    assert_eq!(stand.phone.deadline(), None);
}

#[test]
fn hostile_answers_of_the_service_do_no_harm() {
    for bytes in [
        &b"\0\0\0"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
    ] {
        let mut stand = searching();
        let connection = stand.open();
        stand.input(Input::Bytes(connection, bytes));
        stand.datagram(Channel::Fresh(3), 69, bytes);
        stand.pass_seconds(60);
        assert!(stand.has(none(REDIRECT)), "{bytes:?}");
        assert_eq!(stand.candidates(), ["3 http://10.0.0.9/00095200000E.xml"]);
    }
}
