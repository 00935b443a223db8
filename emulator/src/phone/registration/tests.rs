use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::discovery::pnp::fixture::Rig;
use crate::event::{EventKind, File};
use crate::format::{Format, FormatOptions, read};
use crate::phone::io::{Channel, ConnectionFault, Effect};
use crate::profile::StepId;
use crate::profile::keys::KeyRules;
use crate::profile::set::ProfileSet;
use crate::settings::Vetted;

const REGISTER: StepId = StepId::REGISTER;
const ACCOUNT: &str = "account.1.enable = 1\naccount.1.user_name = u1\n\
    account.1.auth_name = a1\naccount.1.password = secret\n\
    account.1.sip_server_host = sip.example.org\n";
const REGISTRAR: &str = "192.168.50.18:5060";
const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n";
const FAILED: EventKind = EventKind::GaveUp {
    step: REGISTER,
    fault: Fault::Silence,
};

/// A phone's registrations with a registrar's host known.
struct Desk {
    rig: Rig,
    flash: Flash,
    held: Registrations,
}

impl Desk {
    fn new(settings: &str) -> Self {
        let mut rig = Rig::new();
        let set = ProfileSet::built_in();
        let profile = set.get("flyingvoice/fip13g").unwrap();
        rig.profile.accounts = profile.accounts.clone();
        rig.profile.http.user_agent = profile.http.user_agent.clone();
        let host = "192.168.50.18".parse().unwrap();
        rig.shelf.hosts.insert("sip.example.org".to_owned(), host);
        let mut desk = Self {
            rig,
            flash: Flash::default(),
            held: Registrations::default(),
        };
        desk.apply(settings);
        desk
    }

    /// One that registers over TCP.
    fn over_tcp(settings: &str) -> Self {
        let mut desk = Self::new(settings);
        let spec = desk.rig.profile.accounts.as_mut().unwrap();
        spec.keys.transport = crate::profile::accounts::AccountKey::parse("account.{n}.transport");
        spec.tcp_words = vec!["tcp".to_owned()];
        desk.apply("account.1.transport = tcp\n");
        desk
    }

    fn apply(&mut self, settings: &str) {
        let options = FormatOptions {
            quoted: false,
            empty_clears: true,
            nested_boot: false,
            root_queries: false,
            seal: None,
        };
        let keys = &mut self.rig.shelf.keys;
        let document = read(Format::KeyValue, options, settings.as_bytes(), keys);
        let rules = KeyRules::new(Vec::new(), true).unwrap();
        let vetted = Rc::new(Vetted::new(&document, &rules, keys));
        self.flash
            .settings
            .overlay(File::Step(StepId::GIVEN), vetted);
    }

    fn renew(&mut self) {
        let Self { rig, flash, held } = self;
        rig.step(|turn| held.renew(turn, flash));
    }

    /// Goes to the next deadline, at most so far; says how far.
    fn next(&mut self) -> Duration {
        let at = self.held.deadline().unwrap();
        let wait = at.since(self.rig.now);
        self.rig.now = at;
        let Self { rig, flash, held } = self;
        rig.step(|turn| held.tick(turn, flash));
        wait
    }

    /// The text of what the last step sent, as a datagram or on a connection.
    fn sent(&self) -> String {
        let bytes = self.rig.out.effects.iter().find_map(|effect| match effect {
            Effect::Send { channel, to, bytes } => {
                assert_eq!((*channel, to.to_string()), (Channel::Sip, REGISTRAR.into()));
                Some(bytes)
            }
            Effect::Write { bytes, .. } => Some(bytes),
            _ => None,
        });
        let bytes = self.rig.out.slice(bytes.expect("a message"));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn answer(&mut self, status: u16, fields: &str) {
        let reply = reply(&self.sent(), status, fields);
        self.give(&reply);
    }

    fn give(&mut self, reply: &str) {
        let Self { rig, flash, held } = self;
        rig.step(|turn| held.answered(turn, flash, reply.as_bytes()));
    }

    fn stream(&mut self, input: Input<'_>) -> Option<Arrived> {
        let Self { rig, flash, held } = self;
        let id = Connection(0xc000);
        rig.step(|turn| {
            held.stream(turn, flash, &input);
            let mut request = None;
            while let Some(arrived) = held.next_message(turn, flash, id) {
                match Registrations::claims(&arrived.bytes) {
                    true => held.answered(turn, flash, &arrived.bytes),
                    false => request = Some(arrived),
                }
            }
            request
        })
    }

    fn events(&self) -> Vec<EventKind> {
        self.rig.events()
    }

    /// Registers for an hour.
    fn register(&mut self) {
        self.renew();
        self.answer(401, MD5);
        self.answer(200, "Expires: 3600\r\n");
        assert_eq!(self.held.registered(), 1);
    }
}

/// A registrar's answer to a request.
fn reply(request: &str, status: u16, fields: &str) -> String {
    let copied: String = request
        .lines()
        .filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(|line| format!("{line}\r\n"))
        .collect();
    format!("SIP/2.0 {status} x\r\n{copied}{fields}Content-Length: 0\r\n\r\n")
}

fn field<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    let mut lines = message.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn parameter<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    let value = field(message, "Authorization")?;
    value
        .strip_prefix("Digest ")?
        .split(", ")
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

fn failed(fault: Fault) -> EventKind {
    EventKind::RegistrationFailed { account: 1, fault }
}

fn registered(seconds: u32, renewed: bool) -> EventKind {
    EventKind::Registered {
        account: 1,
        seconds,
        renewed,
    }
}

/// FLY-34: the keys that make an account. RFC 3261 §10.2, and rsip as the second reader.
#[test]
fn register_is_written_as_the_profile_has_it_and_read_by_another_decoder() {
    use rsip::prelude::*;

    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    let text = desk.sent();
    let names: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    assert_eq!(
        names.join(" "),
        "Via From To Call-ID CSeq Contact Allow Max-Forwards User-Agent Expires Allow-Events \
         Content-Length"
    );
    let request = rsip::Request::try_from(text.as_str()).unwrap();
    assert_eq!(request.method, rsip::Method::Register);
    assert_eq!(request.uri.to_string(), "sip:sip.example.org");
    let to = request.to_header().unwrap().typed().unwrap();
    assert_eq!(to.uri.to_string(), "sip:u1@sip.example.org");
    let from = request.from_header().unwrap().typed().unwrap();
    assert_eq!(from.uri, to.uri);
    assert!(from.tag().is_some());
    let contact = request.contact_header().unwrap().typed().unwrap();
    assert_eq!(contact.uri.to_string(), "sip:u1@192.168.50.163:5060");
    let via = request.via_header().unwrap().typed().unwrap();
    assert_eq!(via.transport, rsip::Transport::Udp);
    assert_eq!(request.cseq_header().unwrap().seq().unwrap(), 1);
    assert_eq!(request.expires_header().unwrap().value(), "3600");
    let agent = request.user_agent_header().unwrap().value();
    assert!(
        agent.starts_with("Flyingvoice FIP13G V0.6.24 00:21:F2"),
        "{agent}"
    );
    let bytes = u32::try_from(text.len()).unwrap();
    assert_eq!(
        desk.events(),
        [EventKind::Sent {
            step: REGISTER,
            bytes
        }]
    );
}

#[test]
fn answers_a_challenge_once_and_uses_its_nonce_again() {
    use rsip::prelude::*;
    use rsip::services::DigestGenerator;
    use rsip::typed::Authorization;

    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    let first = desk.sent();
    desk.answer(401, MD5);
    let second = desk.sent();
    assert_eq!(desk.events()[0], EventKind::Challenged { step: REGISTER });
    assert_eq!(field(&second, "Call-ID"), field(&first, "Call-ID"));
    assert_eq!(field(&second, "CSeq"), Some("2 REGISTER"));
    assert_ne!(field(&second, "Via"), field(&first, "Via"));
    assert_eq!(parameter(&second, "username"), Some("a1"));
    assert_eq!(parameter(&second, "uri"), Some("sip:sip.example.org"));
    assert_eq!(parameter(&second, "nc"), Some("00000001"));
    let value = field(&second, "Authorization").unwrap();
    let typed: Authorization = rsip::headers::Authorization::new(value).try_into().unwrap();
    let oracle = DigestGenerator::from(&typed, "secret", &rsip::Method::Register);
    assert_eq!(
        parameter(&second, "response"),
        Some(oracle.compute().as_str())
    );
    desk.answer(200, "Contact: <sip:u1@192.168.50.163:5060>;expires=600\r\n");
    assert!(matches!(desk.events()[..], [
        EventKind::Answered { step: REGISTER, .. },
        last,
    ] if last == registered(600, false)));
    assert!(!desk.held.is_pending());
    // Refreshed a minute before it ends, with the same nonce.
    assert_eq!(desk.next(), Duration::from_secs(540));
    let refresh = desk.sent();
    assert_eq!(parameter(&refresh, "nc"), Some("00000002"));
    assert_eq!(parameter(&refresh, "nonce"), Some("n1"));
    assert!(!desk.held.is_pending(), "a refresh disturbs nobody");
    assert_eq!(desk.held.registered(), 1);
    desk.answer(200, "Expires: 600\r\n");
    assert_eq!(desk.events()[1], registered(600, true));
}

#[test]
fn answers_sha_256_and_a_proxy() {
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    desk.answer(
        407,
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"a\", algorithm=MD5\r\n\
         Proxy-Authenticate: Digest realm=\"r\", nonce=\"b\", algorithm=SHA-256, qop=\"auth\"\r\n",
    );
    let text = desk.sent();
    assert!(text.contains("\r\nProxy-Authorization: Digest "), "{text}");
    assert!(text.contains("algorithm=SHA-256"), "{text}");
    assert!(!text.contains("\r\nAuthorization:"), "{text}");
    desk.answer(200, "");
    // Nothing said about time: what was asked for.
    assert_eq!(desk.events()[1], registered(3_600, false));
}

#[test]
fn wrong_credentials_cost_one_retry_and_are_told() {
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    desk.answer(401, MD5);
    desk.answer(401, &MD5.replace("n1", "n2"));
    let fault = Fault::Unauthorized;
    assert_eq!(
        desk.events(),
        [
            EventKind::GaveUp {
                step: REGISTER,
                fault
            },
            failed(fault)
        ]
    );
    assert!(desk.rig.out.effects.is_empty());
    assert!(!desk.held.is_pending());
    assert_eq!(desk.held.fault(), Some((1, fault)));
    // The vendor's pause, then once more from the beginning, without unsettling.
    assert_eq!(desk.next(), Duration::from_secs(300));
    assert_eq!(field(&desk.sent(), "Authorization"), None);
    assert!(!desk.held.is_pending());
    assert_eq!(desk.held.fault(), Some((1, fault)));
    desk.answer(200, "Expires: 60\r\n");
    assert_eq!(desk.held.fault(), None);
    assert_eq!(desk.held.registered(), 1);
}

#[test]
fn a_stale_nonce_is_no_refusal_but_two_in_a_row_are() {
    let stale = |nonce: &str| MD5.replace("n1", nonce).replace("qop", "stale=TRUE, qop");
    let mut desk = Desk::new(ACCOUNT);
    desk.register();
    desk.next();
    // The old nonce ran out between two registrations.
    desk.answer(401, &stale("n2"));
    assert_eq!(parameter(&desk.sent(), "nonce"), Some("n2"));
    assert_eq!(parameter(&desk.sent(), "nc"), Some("00000001"));
    // And this one at once.
    desk.answer(401, &stale("n3"));
    assert_eq!(parameter(&desk.sent(), "nonce"), Some("n3"));
    desk.answer(200, "Expires: 3600\r\n");
    assert_eq!(desk.events()[1], registered(3_600, true));
    desk.next();
    for nonce in ["n4", "n5"] {
        desk.answer(401, &stale(nonce));
    }
    desk.answer(401, &stale("n6"));
    assert_eq!(desk.held.fault(), Some((1, Fault::Unauthorized)));
}

#[test]
fn each_status_has_its_meaning() {
    for (status, fields, fault) in [
        (302, "Contact: <sip:x@y>\r\n", Fault::SipStatus(302)),
        (403, "", Fault::SipStatus(403)),
        (404, "", Fault::SipStatus(404)),
        (423, "", Fault::SipStatus(423)),
        (423, "Min-Expires: 3600\r\n", Fault::SipStatus(423)),
        (503, "Retry-After: 1\r\n", Fault::SipStatus(503)),
        (603, "", Fault::SipStatus(603)),
        (401, "", Fault::Challenge),
        (
            401,
            "WWW-Authenticate: Basic realm=\"r\"\r\n",
            Fault::Challenge,
        ),
    ] {
        let mut desk = Desk::new(ACCOUNT);
        desk.renew();
        desk.answer(status, fields);
        assert_eq!(
            desk.events().last(),
            Some(&failed(fault)),
            "{status} {fields}"
        );
        assert_eq!(desk.held.fault(), Some((1, fault)));
    }
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    desk.answer(200, "Expires: 0\r\n");
    assert_eq!(desk.held.registered(), 0);
    assert!(matches!(desk.held.fault(), Some((1, Fault::Malformed(_)))));
}

#[test]
fn asks_for_more_time_once_when_it_was_too_little() {
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    desk.answer(423, "Min-Expires: 7200\r\n");
    assert_eq!(field(&desk.sent(), "Expires"), Some("7200"));
    assert_eq!(field(&desk.sent(), "CSeq"), Some("2 REGISTER"));
    desk.answer(423, "Min-Expires: 9000\r\n");
    assert_eq!(desk.held.fault(), Some((1, Fault::SipStatus(423))));
}

/// RFC 3261 §17.1.2.2: T1 doubling up to T2, for 64 T1; never scaled.
#[test]
fn repeats_the_same_bytes_until_timer_f() {
    let mut desk = Desk::new(ACCOUNT);
    desk.rig.shelf.time_scale = 0.001;
    desk.renew();
    let first = desk.sent();
    let began = desk.rig.now;
    let mut waits = Vec::new();
    loop {
        waits.push(desk.next().as_millis());
        if desk.events().contains(&FAILED) {
            break;
        }
        assert_eq!(desk.sent(), first);
        let attempt = u8::try_from(waits.len() + 1).unwrap();
        let step = REGISTER;
        assert_eq!(desk.events(), [EventKind::Retried { step, attempt }]);
    }
    assert_eq!(waits[..5], [500, 1_000, 2_000, 4_000, 4_000]);
    assert_eq!(desk.rig.now.since(began), Duration::from_secs(32));
    assert_eq!(desk.events(), [FAILED, failed(Fault::Silence)]);
    // A provisional answer slows the repeats down.
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    desk.answer(100, "");
    assert_eq!(desk.next(), Duration::from_secs(4));
}

#[test]
fn takes_no_answer_of_another_request() {
    let mut desk = Desk::new(ACCOUNT);
    desk.renew();
    let right = reply(&desk.sent(), 200, "");
    let branch = right
        .split("branch=z9hG4bK-")
        .nth(1)
        .unwrap()
        .get(..16)
        .unwrap();
    for wrong in [
        right.replace(branch, "0123456789abcdef"),
        right.replace("CSeq: 1", "CSeq: 2"),
        right.replace("Via", "Vib"),
        String::new(),
        "SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\n\r\n".to_owned(),
        "SIP/2.0 999999\r\n".to_owned(),
    ] {
        desk.give(&wrong);
        assert_eq!(desk.events(), [], "{wrong}");
        assert!(desk.held.is_pending(), "{wrong}");
    }
    assert!(Registrations::claims(right.as_bytes()));
    assert!(!Registrations::claims(
        b"OPTIONS sip:a SIP/2.0\r\nCSeq: 1 REGISTER\r\n\r\n"
    ));
    desk.give(&right);
    assert_eq!(desk.held.registered(), 1);
    // The same answer once more says nothing new.
    desk.give(&right);
    assert_eq!(desk.events(), []);
}

#[test]
fn a_registrar_that_the_run_does_not_know_is_told_and_held_against_nobody() {
    let mut desk = Desk::new(&ACCOUNT.replace("sip.example.org", "nowhere.example.org"));
    desk.renew();
    assert_eq!(desk.events(), [failed(Fault::UnknownHost)]);
    assert_eq!(desk.held.fault(), None);
    assert!(!desk.held.is_pending());
    assert_eq!(desk.held.deadline(), None);
    // Nor is a host that is none.
    let mut desk = Desk::new(&ACCOUNT.replace("sip.example.org", "a>;b"));
    desk.renew();
    assert_eq!(desk.events(), [failed(Fault::BadTarget)]);
    assert_eq!(desk.held.fault(), Some((1, Fault::BadTarget)));
}

#[test]
fn registers_only_accounts_that_are_enabled_and_complete_and_each_on_its_own() {
    let two = format!(
        "{ACCOUNT}account.2.enable = 0\naccount.2.user_name = u2\n\
         account.2.sip_server_host = sip.example.org\n\
         account.3.enable = 1\naccount.3.user_name = u3\n\
         account.4.enable = 1\naccount.4.user_name = u 4>\n\
         account.4.sip_server_host = 192.168.50.18\n"
    );
    let mut desk = Desk::new(&two);
    desk.renew();
    let requests: Vec<String> = desk
        .rig
        .out
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::Send { bytes, .. } => {
                String::from_utf8(desk.rig.out.slice(bytes).to_vec()).unwrap()
            }
            other => panic!("not a datagram: {other:?}"),
        })
        .collect();
    let to: Vec<_> = requests.iter().map(|text| field(text, "To")).collect();
    assert_eq!(
        to,
        [
            Some("<sip:u1@sip.example.org>"),
            Some("<sip:u%204%3E@192.168.50.18>")
        ]
    );
    desk.give(&reply(&requests[1], 200, ""));
    assert!(desk.held.is_pending());
    desk.give(&reply(&requests[0], 404, ""));
    assert!(!desk.held.is_pending());
    assert_eq!(desk.held.registered(), 1);
    assert_eq!(desk.held.fault(), Some((1, Fault::SipStatus(404))));
}

#[test]
fn registers_anew_after_a_change_and_not_without_one() {
    let mut desk = Desk::new(ACCOUNT);
    desk.register();
    desk.renew();
    assert!(desk.rig.out.effects.is_empty());
    desk.apply("account.1.password = other\n");
    desk.renew();
    assert!(desk.held.is_pending());
    assert_eq!(field(&desk.sent(), "Authorization"), None);
    desk.answer(200, "");
    // Another address: another Contact.
    desk.rig.address = "192.168.50.164".parse().unwrap();
    assert!(desk.held.moved(desk.rig.address));
    desk.renew();
    assert_eq!(
        field(&desk.sent(), "Contact"),
        Some("<sip:u1@192.168.50.164:5060>")
    );
    desk.answer(200, "");
    // The address is gone, and comes back.
    let Desk { rig, held, .. } = &mut desk;
    rig.step(|turn| held.unplug(turn));
    assert_eq!(desk.held.deadline(), None);
    desk.renew();
    desk.answer(200, "");
    assert_eq!(desk.held.registered(), 1);
    // The account is switched off.
    desk.apply("account.1.enable = 0\n");
    desk.renew();
    assert!(desk.rig.out.effects.is_empty());
    assert_eq!((desk.held.registered(), desk.held.deadline()), (0, None));
}

/// RFC 3261 §10.2.2.
#[test]
fn takes_its_address_back_when_it_is_switched_off_in_good_order() {
    let mut desk = Desk::new(ACCOUNT);
    desk.register();
    let Desk { rig, flash, held } = &mut desk;
    rig.step(|turn| held.leave(turn, flash));
    assert_eq!(field(&desk.sent(), "Expires"), Some("0"));
    assert_eq!(parameter(&desk.sent(), "nc"), Some("00000002"));
}

#[test]
fn registers_over_a_connection_and_keeps_it_alive() {
    let id = Connection(0xc000);
    let mut desk = Desk::over_tcp(ACCOUNT);
    desk.renew();
    let to: SocketAddrV4 = REGISTRAR.parse().unwrap();
    assert_eq!(
        desk.rig.out.effects,
        [Effect::Open {
            connection: id,
            to,
            tls: None
        }]
    );
    assert_eq!(desk.events(), []);
    desk.stream(Input::Opened(id));
    let text = desk.sent();
    assert!(field(&text, "Via").unwrap().starts_with("SIP/2.0/TCP "));
    assert_eq!(
        field(&text, "Contact"),
        Some("<sip:u1@192.168.50.163:5060;transport=tcp>")
    );
    // The answer comes in pieces, behind a keep-alive, and a request behind it.
    let answer = format!("\r\n{}", reply(&text, 200, "Expires: 600\r\n"));
    let (one, two) = answer.split_at(40);
    assert!(desk.stream(Input::Bytes(id, one.as_bytes())).is_none());
    assert!(desk.held.is_pending());
    let request = "NOTIFY sip:u1@192.168.50.163 SIP/2.0\r\nEvent: check-sync\r\nl: 0\r\n\r\n";
    let rest = format!("{two}{request}");
    let arrived = desk.stream(Input::Bytes(id, rest.as_bytes())).unwrap();
    assert_eq!((arrived.peer, &*arrived.bytes), (to, request.as_bytes()));
    assert_eq!(desk.held.registered(), 1);
    assert_eq!(desk.next(), Duration::from_secs(120));
    assert_eq!(desk.sent(), "\r\n\r\n");
    for _ in 0..4 {
        desk.next();
    }
    assert!(desk.sent().starts_with("REGISTER "), "{}", desk.sent());
}

#[test]
fn a_connection_closed_midway_ends_the_attempt_but_not_a_refresh() {
    let id = Connection(0xc000);
    let mut desk = Desk::over_tcp(ACCOUNT);
    desk.renew();
    desk.stream(Input::Opened(id));
    desk.stream(Input::Bytes(id, b"SIP/2.0 200 O"));
    desk.stream(Input::Closed(id));
    assert_eq!(desk.held.fault(), Some((1, Fault::ConnectionBroken)));
    let mut desk = Desk::over_tcp(ACCOUNT);
    desk.renew();
    desk.stream(Input::Failed(id, ConnectionFault::Refused));
    assert_eq!(desk.held.fault(), Some((1, Fault::ConnectionRefused)));
    // While idle: a new connection after a moment.
    let mut desk = Desk::over_tcp(ACCOUNT);
    desk.renew();
    desk.stream(Input::Opened(id));
    let answer = reply(&desk.sent(), 200, "");
    desk.stream(Input::Bytes(id, answer.as_bytes()));
    desk.stream(Input::Closed(id));
    assert_eq!(desk.held.registered(), 1);
    assert_eq!(desk.next(), Duration::from_secs(4));
    let next = Connection(0xc001);
    assert!(desk.held.owns(next));
    assert!(!desk.held.is_pending());
}

#[test]
fn a_stream_without_end_costs_the_connection() {
    let id = Connection(0xc000);
    for garbage in [
        vec![b'a'; 40_000],
        b"SIP/2.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
        b"A: b\r\n".repeat(10_000),
    ] {
        let mut desk = Desk::over_tcp(ACCOUNT);
        desk.renew();
        desk.stream(Input::Opened(id));
        desk.stream(Input::Bytes(id, &garbage));
        assert!(desk.rig.out.effects.contains(&Effect::Close(id)));
        assert!(matches!(desk.held.fault(), Some((1, Fault::Malformed(_)))));
        assert!(!desk.held.owns(id));
    }
}

#[test]
fn a_registered_phone_is_small() {
    let mut desk = Desk::new(ACCOUNT);
    desk.register();
    let bytes = desk.held.heap_bytes();
    assert!(bytes <= 400, "{bytes}");
    assert!(size_of::<Registrations>() <= 40);
    assert!(size_of::<Binding>() <= 120, "{}", size_of::<Binding>());
}
