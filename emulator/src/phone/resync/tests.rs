use proptest::prelude::*;

use super::*;
use crate::discovery::pnp::fixture::{Rig, SERVER};
use crate::event::Limit;

fn request(method: &str, fields: &str) -> String {
    format!(
        "{method} sip:100@192.168.50.163:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.50.18:7777;branch=z9hG4bK1\r\n\
         From: <sip:pbx@192.168.50.18>;tag=a\r\nTo: <sip:100@192.168.50.163>\r\n\
         Call-ID: 1@192.168.50.18\r\nCSeq: 1 {method}\r\n{fields}Content-Length: 0\r\n\r\n"
    )
}

fn notify(event: &str) -> String {
    request("NOTIFY", &format!("{event}\r\n"))
}

fn give(rig: &mut Rig, message: &str) -> Option<CheckSync> {
    rig.step(|turn| sip_request(turn, Channel::Sip, SERVER, message.as_bytes()))
}

fn status_of(rig: &Rig) -> u16 {
    let (to, reply) = rig.sent();
    assert_eq!(to, SERVER);
    assert_eq!(rig.channels(), [Channel::Sip]);
    let reply = Message::parse(reply.as_bytes()).unwrap();
    let status = reply.status().unwrap();
    assert_eq!(rig.events(), [EventKind::SipAnswered { status }]);
    status
}

/// FLY-99 … FLY-102.
#[test]
fn takes_check_sync_as_servers_write_it() {
    for (event, reboot) in [
        ("Event: check-sync;reboot=true", true),
        ("Event: Check-Sync ; reboot = TRUE", true),
        ("o: check-sync;reboot=true", true),
        ("EVENT:check-sync;Reboot=\"true\"", true),
        ("Event: check-sync\r\n ;reboot=true", true),
        ("Event: check-sync;id=3;reboot=true", true),
        ("Event: resync;reboot=true", true),
        ("Event: check-sync", false),
        ("Event: check-sync;reboot=false", false),
        ("Event: check-sync;reboot", false),
        ("Event: check-sync;reboot=1", false),
        ("Event: check-sync;noreboot=true", false),
        ("Event: check-sync;x=\";reboot=true\"", false),
    ] {
        let mut rig = Rig::new();
        let asked = give(&mut rig, &notify(event)).expect(event);
        assert_eq!(asked.reboot, reboot, "{event}");
        assert_eq!(status_of(&rig), 200, "{event}");
    }
}

/// FLY-103.
#[test]
fn refuses_unknown_events_and_names_the_known_ones() {
    for event in [
        "Event: message-summary",
        "Event: check-sync-now",
        "Event: ",
        "X-Event: check-sync",
    ] {
        let mut rig = Rig::new();
        assert_eq!(give(&mut rig, &notify(event)), None, "{event}");
        assert_eq!(status_of(&rig), 489, "{event}");
        let (_, reply) = rig.sent();
        assert!(
            reply.contains("\r\nAllow-Events: check-sync, resync\r\n"),
            "{reply}"
        );
    }
    let mut rig = Rig::new();
    rig.profile.sip.unknown_event_status = 200;
    give(&mut rig, &notify("Event: talk"));
    assert_eq!(status_of(&rig), 200);
}

#[test]
fn answers_options_and_refuses_other_methods() {
    for (method, status) in [
        ("OPTIONS", 200),
        ("INVITE", 405),
        ("SUBSCRIBE", 405),
        ("notify", 405),
    ] {
        let mut rig = Rig::new();
        let message = request(method, "Event: check-sync\r\n");
        assert_eq!(give(&mut rig, &message), None);
        assert_eq!(status_of(&rig), status, "{method}");
        let (_, reply) = rig.sent();
        assert!(reply.contains("\r\nAllow: NOTIFY, OPTIONS\r\n"), "{reply}");
    }
}

#[test]
fn ignores_what_wants_no_answer() {
    let response = request("NOTIFY", "Event: check-sync\r\n").replace(
        "NOTIFY sip:100@192.168.50.163:5060 SIP/2.0",
        "SIP/2.0 200 OK",
    );
    for message in [
        request("ACK", ""),
        response,
        "\r\n\r\n".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let mut rig = Rig::new();
        assert_eq!(give(&mut rig, &message), None);
        assert!(rig.out.effects.is_empty(), "{message}");
        assert_eq!(rig.events(), []);
    }
}

#[test]
fn reports_a_message_over_the_limits() {
    let mut rig = Rig::new();
    let message = request("NOTIFY", &"Event: check-sync\r\n".repeat(60));
    assert_eq!(give(&mut rig, &message), None);
    let (limit, value) = (Limit::Headers, 64);
    assert_eq!(rig.events(), [EventKind::LimitReached { limit, value }]);
}

#[test]
fn a_repeat_is_answered_alike_under_the_same_number() {
    let mut rig = Rig::new();
    let message = notify("Event: check-sync;reboot=true");
    let first = give(&mut rig, &message).unwrap();
    let answer = rig.sent();
    assert_eq!(give(&mut rig, &message), Some(first));
    assert_eq!(rig.sent(), answer);

    let next = message.replace("CSeq: 1", "CSeq: 2");
    let next = give(&mut rig, &next).unwrap();
    assert_ne!(next.transaction, first.transaction);
}

#[test]
fn two_phones_answer_with_two_tags() {
    let mut rig = Rig::new();
    let message = notify("Event: check-sync");
    give(&mut rig, &message);
    let first = rig.sent();
    rig.identity.index = 1;
    give(&mut rig, &message);
    assert_ne!(rig.sent(), first);
}

#[test]
fn answers_a_request_without_any_header_field() {
    let mut rig = Rig::new();
    assert_eq!(give(&mut rig, "NOTIFY sip:a SIP/2.0\r\n\r\n"), None);
    let (_, reply) = rig.sent();
    assert!(reply.starts_with("SIP/2.0 489 Bad Event\r\n"));
}

proptest! {
    #[test]
    fn arbitrary_datagrams_never_panic(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<proptest::sample::Index>(),
    ) {
        let mut rig = Rig::new();
        let mut spoiled = notify("Event: check-sync;reboot=true").into_bytes();
        let at = at.index(spoiled.len());
        spoiled.splice(at..at, noise.iter().copied());
        for bytes in [&noise, &spoiled] {
            rig.step(|turn| sip_request(turn, Channel::Sip, SERVER, bytes));
            prop_assert!(rig.out.effects.len() <= 1);
        }
    }
}
