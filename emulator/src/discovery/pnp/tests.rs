use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::prelude::{HasHeaders, HeadersExt, UntypedHeader};

use super::fixture::{MAC, Rig, SERVER};
use super::*;
use crate::limits::URL_BYTES_MAX;

const URL: &str = "tftp://192.168.50.18/0021f222b01d.cfg";

/// A NOTIFY as the server of the trace would write it; tests replace parts of it.
fn notify(subscribe: &str) -> String {
    let subscribe = Message::parse(subscribe.as_bytes()).unwrap();
    let call_id = text(subscribe.call_id().unwrap());
    format!(
        "NOTIFY sip:MAC{MAC}@192.168.50.163:59495 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.50.18:7777;branch=z9hG4bK77\r\n\
         From: <sip:MAC{MAC}@224.0.1.75>;tag=77\r\n\
         To: {};tag=88\r\n\
         Call-ID: {call_id}\r\nCSeq: 2 NOTIFY\r\n\
         Event: ua-profile;profile-type=\"device\";vendor=\"OEM\"\r\n\
         Content-Type: application/url\r\nContact: <sip:192.168.50.18:7777>\r\n\
         Subscription-State: terminated;reason=timeout\r\n\r\n{URL}",
        text(subscribe.header("To").unwrap())
    )
}

fn response(subscribe: &str, status: u16) -> String {
    let mut out = Vec::new();
    let subscribe = Message::parse(subscribe.as_bytes()).unwrap();
    let how = Answer {
        status,
        tag: 7,
        source: None,
    };
    sip::answer(&mut out, &subscribe, &how);
    text(&out).to_owned()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn give(rig: &mut Rig, client: &mut PnpClient, message: &str) -> Option<PnpResult> {
    rig.step(|turn| client.datagram(turn, SERVER, message.as_bytes()))
}

fn wrong(step: StepId, fault: Fault) -> EventKind {
    EventKind::Wrong { step, fault }
}

fn answered(step: StepId, millis: u64) -> EventKind {
    EventKind::Answered {
        step,
        after: Duration::from_millis(millis),
    }
}

/// The message without its header field `name`.
fn without(name: &str, message: &str) -> String {
    let start = message.find(&format!("\r\n{name}: ")).unwrap();
    let end = message[start + 2..].find("\r\n").unwrap();
    message.replace(&message[start..start + 2 + end], "")
}

fn status_sent(rig: &Rig) -> u16 {
    let (to, reply) = rig.sent();
    assert_eq!(to, SERVER);
    Message::parse(reply.as_bytes()).unwrap().status().unwrap()
}

/// Steps a search by its deadlines until it ends; gives each step's moment and events.
fn run_out(rig: &mut Rig, client: &mut PnpClient) -> (Vec<(u64, EventKind)>, PnpResult) {
    let mut seen = Vec::new();
    loop {
        rig.now = client.deadline();
        let result = rig.step(|turn| client.tick(turn));
        let at = rig.now.nanos() / 1_000_000;
        seen.extend(rig.events().into_iter().map(|event| (at, event)));
        if let Some(result) = result {
            return (seen, result);
        }
    }
}

/// Waits for the end of the window after a usable NOTIFY.
fn chosen(rig: &mut Rig, client: &mut PnpClient) -> String {
    let (events, result) = run_out(rig, client);
    assert_eq!(events, []);
    match result {
        PnpResult::Url(url) => url,
        PnpResult::Nothing => panic!("no URL"),
    }
}

/// FLY-44: a frame of 616 bytes holds 574 bytes of SIP.
#[test]
fn subscribe_has_the_length_of_the_trace() {
    let mut rig = Rig::new();
    let (client, subscribe) = rig.search();
    assert_eq!(subscribe.len(), 574);
    assert_eq!(client.channel(), Channel::Pnp);
    let (to, _) = rig.sent();
    assert_eq!(to.to_string(), "224.0.1.75:5060");
    let sent = EventKind::Sent {
        step: StepId::SUBSCRIBE,
        bytes: 574,
    };
    assert_eq!(rig.events(), [sent]);
    assert!(subscribe.starts_with("SUBSCRIBE sip:MAC0021f222b01d@224.0.1.75 SIP/2.0\r\n"));
    assert!(subscribe.contains(
        "\r\nEvent: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";\
         model=\"FIP13G\";version=\"V0.6.24\"\r\n"
    ));
    assert!(subscribe.contains("Flyingvoice FIP13G V0.6.24 00:21:F2:22:B0:1D\r\n"));
    assert!(subscribe.ends_with("\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn does_nothing_without_a_pnp_client_in_the_profile() {
    let mut rig = Rig::new();
    rig.profile.pnp = None;
    assert!(rig.step(|turn| fixture::start(turn, false)).is_none());
    assert!(rig.out.effects.is_empty());
}

#[test]
fn subscribes_from_the_sip_port_where_the_profile_says_so() {
    let mut rig = Rig::new();
    rig.spec().own_port = false;
    let (client, subscribe) = rig.search();
    assert_eq!(client.channel(), Channel::Sip);
    assert!(subscribe.contains("Via: SIP/2.0/UDP 192.168.50.163:5060;"));
    assert_eq!(rig.channels(), [Channel::Sip]);
}

#[test]
fn the_profile_can_write_its_http_user_agent() {
    let mut rig = Rig::new();
    let agent = Template::parse("{user_agent}").unwrap();
    rig.spec().headers.push(("User-Agent".to_owned(), agent));
    let (_, subscribe) = rig.search();
    assert!(subscribe.contains("User-Agent: Flyingvoice/FIP13G\r\n"));
}

/// FLY-56.
#[test]
fn repeats_the_same_subscribe_then_listens_then_gives_up() {
    let mut rig = Rig::new();
    let (mut client, first) = rig.search();
    for attempt in [2, 3] {
        assert_eq!(client.deadline(), rig.now + Duration::from_secs(1));
        rig.wait(999);
        assert_eq!(rig.step(|turn| client.tick(turn)), None);
        assert!(rig.out.effects.is_empty(), "too early");
        rig.wait(1);
        assert_eq!(rig.step(|turn| client.tick(turn)), None);
        assert_eq!(rig.sent().1, first);
        let step = StepId::SUBSCRIBE;
        assert_eq!(rig.events(), [EventKind::Retried { step, attempt }]);
    }
    let (events, result) = run_out(&mut rig, &mut client);
    let gave_up = EventKind::GaveUp {
        step: StepId::NOTIFY,
        fault: Fault::Silence,
    };
    let spent = EventKind::LimitReached {
        limit: Limit::Attempts,
        value: 3,
    };
    assert_eq!(events, [(8_000, gave_up), (8_000, spent)]);
    assert_eq!(result, PnpResult::Nothing);
    assert_eq!(client.deadline(), Moment::from_nanos(u64::MAX));
    assert_eq!(rig.step(|turn| client.tick(turn)), None);
}

#[test]
fn scales_the_vendor_s_waits_but_not_the_repeats() {
    let mut rig = Rig::new();
    rig.shelf.time_scale = 0.01;
    let (mut client, _) = rig.search();
    let (events, _) = run_out(&mut rig, &mut client);
    let times: Vec<u64> = events.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [2_000, 3_000, 3_050, 3_050]);

    let (mut client, subscribe) = rig.search();
    give(&mut rig, &mut client, &notify(&subscribe));
    assert_eq!(client.deadline(), rig.now + Duration::from_millis(50));
}

#[test]
fn two_searches_are_two_transactions() {
    let mut rig = Rig::new();
    let (_, first) = rig.search();
    let (_, second) = rig.search();
    let number = |text: &str| Message::parse(text.as_bytes()).unwrap().transaction();
    assert_ne!(number(&first), number(&second));
}

/// FLY-46, FLY-47, FLY-51: 200 OK and NOTIFY from port 7777, the file five seconds later.
#[test]
fn follows_the_trace() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    rig.wait(17);
    assert_eq!(
        give(&mut rig, &mut client, &response(&subscribe, 200)),
        None
    );
    assert_eq!(rig.events(), [answered(StepId::SUBSCRIBE, 17)]);
    assert!(rig.out.effects.is_empty());
    rig.wait(1);
    assert_eq!(give(&mut rig, &mut client, &notify(&subscribe)), None);
    assert_eq!(rig.events(), [answered(StepId::NOTIFY, 18)]);
    assert_eq!(rig.channels(), [Channel::Pnp]);
    assert_eq!(status_sent(&rig), 200);
    assert_eq!(client.deadline(), rig.now + Duration::from_secs(5));
    assert_eq!(chosen(&mut rig, &mut client), URL);
}

#[test]
fn an_accepted_subscribe_is_not_repeated_and_ends_no_earlier() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    rig.wait(10);
    give(&mut rig, &mut client, &response(&subscribe, 100));
    assert_eq!(rig.events(), []);
    assert_eq!(client.deadline(), Moment::from_millis(2_000));
    give(&mut rig, &mut client, &response(&subscribe, 202));
    rig.wait(10);
    give(&mut rig, &mut client, &response(&subscribe, 200));
    assert_eq!(rig.events(), [], "counted once");
    let (events, result) = run_out(&mut rig, &mut client);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].0, 8_000);
    assert_eq!(result, PnpResult::Nothing);
}

#[test]
fn a_refusal_is_reported_and_ends_nothing() {
    for status in [302, 404, 489, 503, 603] {
        let mut rig = Rig::new();
        let (mut client, subscribe) = rig.search();
        assert_eq!(
            give(&mut rig, &mut client, &response(&subscribe, status)),
            None
        );
        let fault = Fault::HttpStatus(status);
        assert_eq!(rig.events(), [wrong(StepId::SUBSCRIBE, fault)]);
        let (events, _) = run_out(&mut rig, &mut client);
        assert_eq!(events.len(), 3, "two repeats and the end");
        let step = StepId::NOTIFY;
        assert_eq!(events[2].1, EventKind::GaveUp { step, fault });
    }
}

#[test]
fn accepts_a_200_with_a_raised_cseq_and_without_its_last_line_end() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let ok = response(&subscribe, 200).replace("CSeq: 1 ", "CSeq: 2 ");
    give(&mut rig, &mut client, ok.trim_end());
    assert_eq!(rig.events(), [answered(StepId::SUBSCRIBE, 0)]);
}

#[test]
fn an_answer_to_another_subscribe_is_foreign() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let ours = response(&subscribe, 200);
    let method = ours.replace("1 SUBSCRIBE", "1 REGISTER");
    let call = ours.replace("Call-ID: ", "Call-ID: x");
    for foreign in [method, call] {
        give(&mut rig, &mut client, &foreign);
        let fault = Fault::ForeignTransaction;
        assert_eq!(rig.events(), [wrong(StepId::SUBSCRIBE, fault)]);
        assert!(rig.out.effects.is_empty());
    }
}

/// What servers in the field send (vendor facts, PnP answers; FLY-48).
#[test]
fn accepts_every_notify_of_the_field() {
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 17] = [
        ("as in the trace", str::to_owned),
        ("no To tag", |text| text.replace(";tag=88", "")),
        ("no tags", |text| {
            text.replace(";tag=88", "").replace(";tag=77", "")
        }),
        ("swapped tags", |text| {
            text.replace(";tag=88", ";tag=x")
                .replace(";tag=77", ";tag=88")
                .replace("=x", "=77")
        }),
        ("CSeq 10", |text| text.replace("CSeq: 2", "CSeq: 10")),
        ("the SUBSCRIBE's CSeq", |text| {
            text.replace("CSeq: 2", "CSeq: 1")
        }),
        ("bare event", |text| {
            text.replace(";profile-type=\"device\";vendor=\"OEM\"", "")
        }),
        ("compact event", |text| text.replace("Event:", "o:")),
        ("upper-case event", |text| {
            text.replace("ua-profile", "UA-Profile")
        }),
        ("empty contact", |text| {
            text.replace("<sip:192.168.50.18:7777>", "")
        }),
        ("Grandstream's type", |text| {
            text.replace("application/url", "application/x-gs-ucm-url")
        }),
        ("type with parameter", |text| {
            text.replace("application/url", "Application/URL;charset=utf-8")
        }),
        ("compact call-id", |text| text.replace("Call-ID:", "i:")),
        ("no user in the URI", |text| {
            text.replace("sip:MAC0021f222b01d@192.168.50.163", "sip:192.168.50.163")
        }),
        ("bare line feeds", |text| text.replace("\r\n", "\n")),
        ("noresource", |text| text.replace("=timeout", "=noresource")),
        ("rport", |text| {
            text.replace(";branch=z9hG4bK77", ";branch=z9hG4bK77;rport")
        }),
    ];
    let dropped = [
        "Event",
        "Contact",
        "Content-Type",
        "Subscription-State",
        "Via",
        "To",
    ];
    let (_, example) = Rig::new().search();
    let example = notify(&example);
    let mut all: Vec<(String, String)> = edits
        .iter()
        .map(|(name, edit)| ((*name).to_owned(), edit(&example)))
        .collect();
    all.extend(dropped.map(|name| (format!("no {name}"), without(name, &example))));
    for (name, message) in all {
        let mut rig = Rig::new();
        let (mut client, _) = rig.search();
        assert_eq!(give(&mut rig, &mut client, &message), None, "{name}");
        assert_eq!(rig.events(), [answered(StepId::NOTIFY, 0)], "{name}");
        assert_eq!(status_sent(&rig), 200, "{name}");
        assert_eq!(chosen(&mut rig, &mut client), URL, "{name}");
    }
}

#[test]
fn without_a_call_id_the_mac_in_the_request_uri_decides() {
    for (uri, ours) in [
        ("sip:MAC0021f222b01d@h", true),
        ("sip:MAC%3A0021F222B01D@h", true),
        ("sip:MAC=0021f222b01d@h", true),
        ("sip:MAC0021f222b01e@h", false),
        ("sip:0021f222b01@h", false),
        ("sip:h;mac=0021f222b01d", false),
    ] {
        let mut rig = Rig::new();
        let (mut client, subscribe) = rig.search();
        let call_id = Message::parse(subscribe.as_bytes()).unwrap();
        let call_id = text(call_id.call_id().unwrap());
        let message = notify(&subscribe)
            .replace(&format!("Call-ID: {call_id}\r\n"), "")
            .replace(&format!("sip:MAC{MAC}@192.168.50.163:59495"), uri);
        give(&mut rig, &mut client, &message);
        assert_eq!(status_sent(&rig), if ours { 200 } else { 481 }, "{uri}");
    }
}

#[test]
fn refuses_a_notify_of_somebody_else() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let foreign = notify(&subscribe).replace("Call-ID: ", "Call-ID: 0");
    assert_eq!(give(&mut rig, &mut client, &foreign), None);
    assert_eq!(status_sent(&rig), 481);
    let fault = Fault::ForeignTransaction;
    assert_eq!(rig.events(), [wrong(StepId::NOTIFY, fault)]);
    let (events, _) = run_out(&mut rig, &mut client);
    let step = StepId::NOTIFY;
    let fault = Fault::Silence;
    let gave_up = EventKind::GaveUp { step, fault };
    assert!(events.iter().any(|(_, kind)| *kind == gave_up));
}

#[test]
fn refuses_another_event_and_other_methods() {
    let (_, subscribe) = Rig::new().search();
    let event = notify(&subscribe).replace("ua-profile", "check-sync");
    let options = notify(&subscribe).replace("NOTIFY", "OPTIONS");
    for (message, answer) in [
        (event, "SIP/2.0 489 Bad Event"),
        (options, "SIP/2.0 405 Method Not Allowed"),
    ] {
        let mut rig = Rig::new();
        let (mut client, _) = rig.search();
        give(&mut rig, &mut client, &message);
        let (_, reply) = rig.sent();
        assert!(reply.starts_with(answer), "{reply}");
        assert!(reply.contains("\r\nAllow"), "{reply}");
    }
    let mut rig = Rig::new();
    let (mut client, _) = rig.search();
    let ack = notify(&subscribe).replace("NOTIFY", "ACK");
    give(&mut rig, &mut client, &ack);
    assert!(rig.out.effects.is_empty(), "an ACK is never answered");
}

#[test]
fn finds_the_url_in_what_servers_make_of_a_body() {
    for body in [
        "http://h/a",
        "\r\n\r\n  http://h/a\r\n",
        "http://h/a\0",
        "http://h/a\r\n\0",
        "\"http://h/a\"\n",
        "<http://h/a>\r\nsecond line",
        "\t'http://h/a'\0\0",
    ] {
        let mut rig = Rig::new();
        let (mut client, subscribe) = rig.search();
        give(
            &mut rig,
            &mut client,
            &notify(&subscribe).replace(URL, body),
        );
        assert_eq!(chosen(&mut rig, &mut client), "http://h/a", "{body:?}");
    }
}

#[test]
fn reports_a_body_without_a_usable_url_and_goes_on() {
    let over = "x".repeat(URL_BYTES_MAX + 1);
    for body in ["", "\r\n \r\n", "\0", "<>", "http://h/\u{1}a", &over] {
        let mut rig = Rig::new();
        let (mut client, subscribe) = rig.search();
        let message = notify(&subscribe);
        assert_eq!(
            give(&mut rig, &mut client, &message.replace(URL, body)),
            None
        );
        assert_eq!(status_sent(&rig), 200);
        let mut expected = vec![wrong(StepId::NOTIFY, Fault::BadTarget)];
        if body.len() > URL_BYTES_MAX {
            expected.push(EventKind::LimitReached {
                limit: Limit::UrlBytes,
                value: URL_BYTES_MAX as u64,
            });
        }
        assert_eq!(rig.events(), expected);
        give(&mut rig, &mut client, &message);
        assert_eq!(chosen(&mut rig, &mut client), URL);
    }
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let longest = "x".repeat(URL_BYTES_MAX);
    give(
        &mut rig,
        &mut client,
        &notify(&subscribe).replace(URL, &longest),
    );
    assert_eq!(chosen(&mut rig, &mut client), longest);
}

#[test]
fn refuses_a_body_of_another_type() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let message = notify(&subscribe).replace("application/url", "text/html");
    give(&mut rig, &mut client, &message);
    assert_eq!(status_sent(&rig), 415);
    assert_eq!(rig.events(), [wrong(StepId::NOTIFY, Fault::WrongFormat)]);
}

#[test]
fn answers_a_repeated_notify_again() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let message = notify(&subscribe);
    give(&mut rig, &mut client, &message);
    let first = rig.sent();
    rig.wait(500);
    assert_eq!(give(&mut rig, &mut client, &message), None);
    assert_eq!(rig.sent(), first);
    assert_eq!(rig.events(), []);
    assert_eq!(client.deadline(), rig.now + Duration::from_millis(4_500));
}

#[test]
fn the_profile_chooses_among_several_urls() {
    for (choose, url) in [(PnpChoice::First, URL), (PnpChoice::Last, "http://second/")] {
        let mut rig = Rig::new();
        rig.spec().choose = choose;
        let (mut client, subscribe) = rig.search();
        let message = notify(&subscribe);
        give(&mut rig, &mut client, &message);
        rig.wait(4_000);
        give(
            &mut rig,
            &mut client,
            &message.replace(URL, "http://second/"),
        );
        assert_eq!(chosen(&mut rig, &mut client), url);
        assert_eq!(
            rig.now,
            Moment::from_millis(6_000),
            "the window is not longer for it"
        );
    }
}

#[test]
fn without_a_window_the_first_notify_ends_the_search() {
    let mut rig = Rig::new();
    rig.spec().window = Duration::ZERO;
    let (mut client, subscribe) = rig.search();
    let result = give(&mut rig, &mut client, &notify(&subscribe));
    assert_eq!(result, Some(PnpResult::Url(URL.to_owned())));
    assert_eq!(status_sent(&rig), 200);
}

#[test]
fn a_message_after_the_end_is_late_and_answered() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    run_out(&mut rig, &mut client);
    assert_eq!(give(&mut rig, &mut client, &notify(&subscribe)), None);
    let late = |step| [EventKind::Late { step }];
    assert_eq!(rig.events(), late(StepId::NOTIFY));
    assert_eq!(status_sent(&rig), 200);
    give(&mut rig, &mut client, &response(&subscribe, 200));
    assert_eq!(rig.events(), late(StepId::SUBSCRIBE));
    assert!(rig.out.effects.is_empty());
}

/// Some servers answer to port 5060, whatever port asked.
#[test]
fn claims_its_own_messages_at_the_sip_port() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let message = notify(&subscribe);
    let check_sync = message.replace("ua-profile", "check-sync");
    for (bytes, claimed) in [
        (message.as_str(), true),
        (&response(&subscribe, 200), true),
        (&check_sync, false),
        (&message.replace("NOTIFY", "OPTIONS"), false),
        (
            &response(&subscribe, 200).replace("SUBSCRIBE", "REGISTER"),
            false,
        ),
        (&subscribe, false),
        ("nonsense", false),
    ] {
        let said = rig.step(|turn| client.claims(turn, bytes.as_bytes()));
        assert_eq!(said, claimed, "{bytes}");
    }
    let result =
        rig.step(|turn| client.datagram_at(turn, Channel::Sip, SERVER, message.as_bytes()));
    assert_eq!(result, None);
    assert_eq!(rig.channels(), [Channel::Sip], "answered where it arrived");
}

#[test]
fn reports_what_is_no_message_by_the_step_it_looks_like() {
    let mut rig = Rig::new();
    let (mut client, _) = rig.search();
    for (bytes, step) in [
        ("SIP/2.0 20", StepId::SUBSCRIBE),
        ("NOTIFY", StepId::NOTIFY),
    ] {
        give(&mut rig, &mut client, bytes);
        let events = rig.events();
        let [EventKind::Wrong { step: seen, fault }] = events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(seen, step);
        assert!(matches!(fault, Fault::Malformed(_)));
    }
    give(&mut rig, &mut client, "\r\n\r\n");
    assert_eq!(rig.events(), [], "a keep-alive");
    let many = format!("NOTIFY sip:a SIP/2.0\r\n{}", "X: y\r\n".repeat(65));
    give(&mut rig, &mut client, &many);
    assert!(matches!(
        rig.events()[..],
        [
            EventKind::Wrong { .. },
            EventKind::LimitReached {
                limit: Limit::Headers,
                value: 64
            }
        ]
    ));
}

#[test]
fn a_flood_of_strays_is_bounded_and_does_not_hide_the_notify() {
    let mut rig = Rig::new();
    let (mut client, subscribe) = rig.search();
    let foreign = notify(&subscribe).replace("Call-ID: ", "Call-ID: 0");
    let (mut events, mut replies, mut limits) = (0, 0, 0);
    for _ in 0..1_000 {
        give(&mut rig, &mut client, &foreign);
        replies += rig.out.effects.len();
        events += rig.out.events.len();
        let reached = |event: &EventKind| matches!(event, EventKind::LimitReached { .. });
        limits += rig.events().iter().filter(|event| reached(event)).count();
    }
    assert_eq!((events, replies, limits), (65, 64, 1));
    give(&mut rig, &mut client, &notify(&subscribe));
    assert_eq!(chosen(&mut rig, &mut client), URL);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rsip_reads_subscribe_and_answer(
        (mac, host) in (any::<[u8; 6]>(), any::<[u8; 4]>()),
        (port, seed) in (1_u16.., any::<u64>()),
        (model, firmware) in ("[A-Z]{2,5}[0-9]{2}[A-Z()]{0,3}", "V[0-9]\\.[0-9]{1,2}\\.[0-9]{1,3}"),
    ) {
        let mut rig = Rig::new();
        rig.identity.mac = crate::identity::Mac(mac);
        rig.address = Ipv4Addr::from(host);
        rig.shelf.ports.pnp = port;
        rig.rng = crate::rng::Rng::new(seed);
        rig.profile.model = model.clone();
        rig.profile.firmware = firmware;
        let (mut client, subscribe) = rig.search();
        let theirs = rsip::Request::try_from(subscribe.as_bytes()).unwrap();
        let ours = Message::parse(subscribe.as_bytes()).unwrap();
        prop_assert_eq!(theirs.method(), &rsip::Method::Subscribe);
        prop_assert_eq!(theirs.uri().to_string(), ours.uri().unwrap());
        let names: Vec<&str> = ours.fields().map(|field| field.name).collect();
        prop_assert_eq!(theirs.headers().iter().count(), names.len());
        let contact = theirs.contact_header().unwrap().typed().unwrap();
        let digits = rig.identity.mac.to_string();
        prop_assert_eq!(
            contact.uri.to_string(),
            format!("sip:MAC{digits}@{}:{port}", rig.address)
        );
        let via = theirs.via_header().unwrap().typed().unwrap();
        prop_assert_eq!(
            via.branch().unwrap().value().as_bytes(),
            ours.top_via().unwrap().parameter("branch").unwrap()
        );
        prop_assert_eq!(theirs.cseq_header().unwrap().typed().unwrap().seq, 1);
        prop_assert_eq!(
            theirs.call_id_header().unwrap().value().as_bytes(),
            ours.call_id().unwrap()
        );
        let event = ours.event().unwrap();
        prop_assert_eq!(event.parameter("model").unwrap(), model.as_bytes());

        let message = notify(&subscribe).replace(";tag=88", "");
        give(&mut rig, &mut client, &message);
        let (_, reply) = rig.sent();
        let reply = rsip::Response::try_from(reply.as_bytes()).unwrap();
        let asked = rsip::Request::try_from(message.as_bytes()).unwrap();
        prop_assert_eq!(reply.status_code(), &rsip::StatusCode::OK);
        prop_assert_eq!(reply.via_header().unwrap(), asked.via_header().unwrap());
        prop_assert_eq!(reply.from_header().unwrap(), asked.from_header().unwrap());
        prop_assert_eq!(reply.cseq_header().unwrap(), asked.cseq_header().unwrap());
        let tag = theirs.from_header().unwrap().typed().unwrap();
        let answered = reply.to_header().unwrap().typed().unwrap();
        prop_assert_eq!(answered.tag(), tag.tag(), "our tag names our side");
    }

    #[test]
    fn arbitrary_datagrams_never_panic_nor_end_the_search(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        (cut, at) in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
    ) {
        let mut rig = Rig::new();
        let (mut client, subscribe) = rig.search();
        let message = notify(&subscribe).into_bytes();
        let mut spoiled = message[..cut.index(message.len())].to_vec();
        let at = at.index(spoiled.len() + 1);
        spoiled.splice(at..at, noise.iter().copied());
        for bytes in [&noise, &spoiled] {
            let result = rig.step(|turn| client.datagram(turn, SERVER, bytes));
            prop_assert_eq!(result, None);
            prop_assert!(rig.out.effects.len() <= 1);
        }
    }
}
