use super::*;
use rsip::message::HeadersExt;

const OWN: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 2), 5060);
const PHONE: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(10, 1, 0, 1), 5060);

fn notifier() -> Notifier {
    Notifier::new(OWN, Endpoint::Sip, 7, Arc::default())
}

fn batch(count: u16, reboot: Option<bool>) -> Arc<Batch> {
    let target = |port| Target {
        to: SocketAddrV4::new(*PHONE.ip(), port),
        user: "0021f222b01d".to_owned(),
        account: None,
    };
    Batch::new(
        (0..count).map(|place| target(5060 + place)).collect(),
        Message::CheckSync(reboot),
    )
}

fn sent(notifier: &mut Notifier, at: u64) -> Vec<String> {
    let mut replies = Replies::default();
    notifier.tick(Moment::from_millis(at), &mut replies);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    replies.iter().map(|(_, bytes)| text(bytes)).collect()
}

fn answer(notify: &str, status: &str) -> String {
    let via = notify.lines().find(|line| line.starts_with("Via")).unwrap();
    format!("SIP/2.0 {status}\r\n{via}\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n")
}

// FLY-99, FLY-100: the event, with the parameter only where it was asked for.
#[test]
fn writes_a_notify_that_rsip_can_read() {
    for (reboot, event) in [
        (None, "check-sync"),
        (Some(false), "check-sync;reboot=false"),
        (Some(true), "check-sync;reboot=true"),
    ] {
        let mut notifier = notifier();
        notifier.order(Moment::ZERO, &batch(1, reboot), None);
        let sent = sent(&mut notifier, 0);
        let request = rsip::Request::try_from(sent[0].as_bytes()).unwrap();
        assert_eq!(request.method, rsip::Method::Notify);
        assert_eq!(request.uri.to_string(), "sip:0021f222b01d@10.1.0.1:5060");
        assert_eq!(
            request.max_forwards_header().unwrap().to_string(),
            "Max-Forwards: 70"
        );
        assert!(
            sent[0].contains(&format!("\r\nEvent: {event}\r\n")),
            "{}",
            sent[0]
        );
        assert!(sent[0].ends_with("\r\nContent-Length: 0\r\n\r\n"));
    }
}

#[test]
fn repeats_until_an_answer_comes_and_gives_up_after_timer_f() {
    let mut notifier = notifier();
    let batch = batch(2, None);
    notifier.order(Moment::ZERO, &batch, None);
    let first = sent(&mut notifier, 0);
    assert_eq!(first.len(), 2);
    assert!(sent(&mut notifier, 499).is_empty());
    assert_eq!(sent(&mut notifier, 500), first);
    notifier.datagram(
        Moment::from_millis(600),
        PHONE,
        answer(&first[0], "200 OK").as_bytes(),
    );
    // The same again changes nothing.
    notifier.datagram(
        Moment::from_millis(601),
        PHONE,
        answer(&first[0], "200 OK").as_bytes(),
    );
    assert!(!batch.is_over());
    let mut times = Vec::new();
    while let Some(at) = notifier.deadline() {
        let at = at.since(Moment::ZERO).as_millis();
        times.extend(
            sent(&mut notifier, u64::try_from(at).unwrap())
                .iter()
                .map(|_| at),
        );
    }
    assert_eq!(
        times,
        [
            1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    assert!(batch.is_over());
    let outcomes = batch.outcomes();
    assert_eq!((outcomes[0].target, outcomes[0].status), (0, Some(200)));
    assert_eq!(outcomes[0].after, Duration::from_millis(600));
    assert_eq!((outcomes[1].target, outcomes[1].status), (1, None));
    let counts = Answers {
        accepted: 1,
        refused: 0,
        silent: 1,
    };
    assert_eq!(batch.answers(), counts);
}

#[test]
fn a_provisional_answer_slows_repeats_and_a_refusal_ends_them() {
    let mut notifier = notifier();
    let batch = batch(1, None);
    notifier.order(Moment::ZERO, &batch, None);
    let first = sent(&mut notifier, 0).remove(0);
    notifier.datagram(
        Moment::from_millis(1),
        PHONE,
        answer(&first, "100 Trying").as_bytes(),
    );
    assert_eq!(sent(&mut notifier, 500).len(), 1);
    assert!(sent(&mut notifier, 4_499).is_empty());
    assert_eq!(sent(&mut notifier, 4_500).len(), 1);
    notifier.datagram(
        Moment::from_millis(4_600),
        PHONE,
        answer(&first, "489 Bad Event").as_bytes(),
    );
    assert!(batch.is_over());
    assert_eq!(batch.answers().refused, 1);
    assert!(sent(&mut notifier, 60_000).is_empty());
}

#[test]
fn believes_only_answers_to_its_own_requests() {
    let mut notifier = notifier();
    let batch = batch(1, None);
    notifier.order(Moment::ZERO, &batch, None);
    let first = sent(&mut notifier, 0).remove(0);
    let answer = answer(&first, "200 OK");
    let salt = first
        .split("branch=z9hG4bKcs")
        .nth(1)
        .unwrap()
        .get(16..32)
        .unwrap();
    for forged in [
        answer.replace(salt, "0123456789abcdef"),
        answer.replace("z9hG4bKcs0", "z9hG4bKcs1"),
        answer.replace("z9hG4bKcs", "z9hG4bK"),
        answer.replace("SIP/2.0 200 OK", "OPTIONS sip:x SIP/2.0"),
        String::from("SIP/2.0 200"),
    ] {
        notifier.datagram(Moment::from_millis(1), PHONE, forged.as_bytes());
        assert!(!batch.is_over(), "{forged}");
    }
    assert!(Notifier::claims(answer.as_bytes()));
    assert!(!Notifier::claims(first.as_bytes()));
    notifier.datagram(Moment::from_millis(1), PHONE, answer.as_bytes());
    assert!(batch.is_over());
}

#[test]
fn sends_a_large_batch_in_bursts() {
    let mut notifier = notifier();
    notifier.order(Moment::ZERO, &batch(200, None), None);
    assert_eq!(sent(&mut notifier, 0).len(), 64);
    assert_eq!(sent(&mut notifier, 5).len(), 64);
    assert_eq!(sent(&mut notifier, 15).len(), 72);
}

/// A registrar that asks nobody for a password, with one phone registered for a minute.
fn registrar(contact: &str, from: SocketAddrV4) -> Registrar {
    use crate::reference::registrar::{Accounts, Credentials, Origin, RegistrarConfig};
    let known = |_: &str, _: &str| {
        Some(Credentials {
            user: String::new(),
            password: String::new(),
        })
    };
    let mut config = RegistrarConfig::new(Accounts(Arc::new(known)));
    config.schemes.clear();
    let mut registrar = Registrar::new(config, Arc::default());
    let register = format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK1;rport\r\n\
         From: <sip:u%201@example.org>;tag=1\r\nTo: <sip:u%201@example.org>\r\nCall-ID: 1\r\n\
         CSeq: 1 REGISTER\r\nContact: {contact}\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n"
    );
    let origin = Origin {
        peer: from,
        stream: false,
    };
    let mut out = Vec::new();
    registrar.message(Moment::ZERO, origin, register.as_bytes(), &mut out);
    assert!(out.starts_with(b"SIP/2.0 200"), "{out:?}");
    registrar
}

/// What is sent at `at` to a phone with this account, and where to.
fn sent_by(registrar: &Registrar, user: &str, at: u64) -> (SocketAddrV4, String) {
    let mut notifier = notifier();
    let mut target = batch(1, None).targets[0].clone();
    target.account = Some(AddressOfRecord {
        user: user.to_owned(),
        domain: "Example.org".to_owned(),
    });
    let at = Moment::from_millis(at);
    notifier.order(
        at,
        &Batch::new(vec![target], Message::CheckSync(None)),
        Some(registrar),
    );
    let mut replies = Replies::default();
    notifier.tick(at, &mut replies);
    let (datagram, bytes) = replies.iter().next().unwrap();
    (datagram.to, String::from_utf8(bytes.to_vec()).unwrap())
}

// GIG-55: the request URI is that of the registered contact.
#[test]
fn goes_to_the_contact_that_the_registrar_holds() {
    const PLAIN: &str = "NOTIFY sip:0021f222b01d@10.1.0.1:5060 SIP/2.0\r\n";
    let from = SocketAddrV4::new(*PHONE.ip(), 5_062);
    let known = registrar("\"Desk\" <sip:u%201@10.1.0.1:5062;line=7>", from);
    let (to, text) = sent_by(&known, "u 1", 0);
    assert_eq!(to, from);
    assert!(
        text.starts_with("NOTIFY sip:u%201@10.1.0.1:5062;line=7 SIP/2.0\r\n"),
        "{text}"
    );
    assert!(
        text.contains("\r\nTo: <sip:u%201@Example.org>\r\n"),
        "{text}"
    );
    // Its time is over; another account; somebody else's phone.
    for (user, at) in [("u 1", 60_000), ("u2", 0)] {
        let (to, text) = sent_by(&known, user, at);
        assert_eq!(to, PHONE);
        assert!(text.starts_with(PLAIN), "{text}");
    }
    let other = SocketAddrV4::new([10, 1, 0, 2].into(), 5_060);
    let known = registrar("<sip:u%201@10.1.0.2>", other);
    assert!(sent_by(&known, "u 1", 0).1.starts_with(PLAIN));
    // A contact that would break a start line.
    let known = registrar("<sip:u 1@10.1.0.1>", PHONE);
    assert!(sent_by(&known, "u 1", 0).1.starts_with(PLAIN));
}
