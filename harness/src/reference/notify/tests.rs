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
    };
    Batch::new(
        (0..count).map(|place| target(5060 + place)).collect(),
        reboot,
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
        notifier.order(Moment::ZERO, &batch(1, reboot));
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
    notifier.order(Moment::ZERO, &batch);
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
    notifier.order(Moment::ZERO, &batch);
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
    notifier.order(Moment::ZERO, &batch);
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
    notifier.order(Moment::ZERO, &batch(200, None));
    assert_eq!(sent(&mut notifier, 0).len(), 64);
    assert_eq!(sent(&mut notifier, 5).len(), 64);
    assert_eq!(sent(&mut notifier, 15).len(), 72);
}
