mod late;

use super::*;
use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;

const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 57), 59_495);
const OWN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 18), 7_777);

struct Site {
    pnp: Pnp,
    counters: Arc<Counters>,
    now: Moment,
}

impl Site {
    fn new(change: impl FnOnce(&mut PnpConfig)) -> Self {
        let mut config = PnpConfig::new(OWN);
        config.rules = vec![
            PnpRule {
                when: Phones::Mac(Mac([0x00, 0x21, 0xf2, 0, 0, 9])),
                url: PnpUrl::Text("http://own/".to_owned()),
            },
            PnpRule {
                when: Phones::Oui([0x00, 0x21, 0xf2]),
                url: PnpUrl::Text("tftp://192.168.50.18/{mac}.cfg".to_owned()),
            },
            PnpRule {
                when: Phones::Any,
                url: PnpUrl::Made(Arc::new(|mac| {
                    (mac.0[0] == 0x7c).then(|| format!("http://made/{mac}"))
                })),
            },
        ];
        change(&mut config);
        let counters = Arc::<Counters>::default();
        Self {
            pnp: Pnp::new(config, Arc::clone(&counters)),
            counters,
            now: Moment::from_millis(7),
        }
    }

    fn send(&mut self, text: &str) -> Vec<String> {
        let mut replies = Replies::default();
        self.pnp
            .datagram(self.now, PHONE, text.as_bytes(), &mut replies);
        texts(&replies)
    }

    fn later(&mut self, millis: u64) -> Vec<String> {
        self.now = self.now + Duration::from_millis(millis);
        let mut replies = Replies::default();
        self.pnp.tick(self.now, &mut replies);
        texts(&replies)
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }
}

fn texts(replies: &Replies) -> Vec<String> {
    replies
        .iter()
        .map(|(datagram, bytes)| {
            assert_eq!((datagram.from, datagram.to), (Endpoint::Pnp, PHONE));
            String::from_utf8(bytes.to_vec()).unwrap()
        })
        .collect()
}

fn subscribe(uri: &str) -> String {
    format!(
        "SUBSCRIBE {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.168.50.57:59495;branch=z9hG4bK1460567209\r\n\
         From: <sip:MAC0021f222b01d@224.0.1.75>;tag=1460567203\r\n\
         To: <sip:MAC0021f222b01d@224.0.1.75>\r\n\
         Call-ID: 1460567203@192.168.50.57\r\n\
         CSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:MAC0021f222b01d@192.168.50.57:59495>\r\n\
         Max-Forwards: 70\r\n\
         Expires: 0\r\n\
         Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP13G\"\r\n\
         Accept: application/url\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn trace() -> String {
    subscribe("sip:MAC0021f222b01d@224.0.1.75")
}

fn confirm(notify: &str, status: &str) -> String {
    let via = notify.lines().find(|line| line.starts_with("Via")).unwrap();
    format!("SIP/2.0 {status}\r\n{via}\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn answers_with_200_and_a_notify_that_rsip_can_read() {
    let mut site = Site::new(|_| {});
    let sent = site.send(&trace());
    let [ok, notify] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    let ok = rsip::Response::try_from(ok.as_bytes()).unwrap();
    assert_eq!(ok.status_code, rsip::StatusCode::OK);
    let cseq = ok.cseq_header().unwrap().typed().unwrap();
    assert_eq!((cseq.seq, cseq.method), (1, rsip::Method::Subscribe));
    let branch = ok.via_header().unwrap().typed().unwrap().branch().cloned();
    assert_eq!(branch.unwrap().to_string(), "z9hG4bK1460567209");
    let tag = ok
        .to_header()
        .unwrap()
        .typed()
        .unwrap()
        .tag()
        .cloned()
        .unwrap();
    let notify = rsip::Request::try_from(notify.as_bytes()).unwrap();
    assert_eq!(notify.method, rsip::Method::Notify);
    // FLY-48, FLY-49.
    assert_eq!(
        notify.uri.to_string(),
        "sip:MAC0021f222b01d@192.168.50.57:59495"
    );
    assert_eq!(notify.body, b"tftp://192.168.50.18/0021f222b01d.cfg");
    assert_eq!(notify.body.len(), 37);
    let from = notify.from_header().unwrap().typed().unwrap();
    assert_eq!(from.tag(), Some(&tag));
    let to = notify.to_header().unwrap().typed().unwrap();
    assert_eq!(to.tag().unwrap().to_string(), "1460567203");
    let call = notify.call_id_header().unwrap().to_string();
    assert_eq!(call, "Call-ID: 1460567203@192.168.50.57");
    let text = notify.to_string();
    for line in [
        "Subscription-State: terminated;reason=timeout",
        "Content-Type: application/url",
        "Content-Length: 37",
        "Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP13G\"",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn finds_the_address_in_every_form_that_phones_send() {
    for (uri, url) in [
        (
            "sip:MAC0021f2000001@224.0.1.75",
            "tftp://192.168.50.18/0021f2000001.cfg",
        ),
        ("sip:MAC%3A7C2F8030D21E@local", "http://made/7c2f8030d21e"),
        (
            "sip:MAC%3a7c2f8030d21e@224.0.1.75:5060",
            "http://made/7c2f8030d21e",
        ),
        (
            "sip:MAC=7c2f8030d21e@224.0.1.75",
            "http://made/7c2f8030d21e",
        ),
        (
            "sip:MAC7C-2F-80-30-D2-1E@224.0.1.75",
            "http://made/7c2f8030d21e",
        ),
        ("sip:mac:0021f2000009@224.0.1.75", "http://own/"),
        // No address here; From has one.
        ("sip:224.0.1.75", "tftp://192.168.50.18/0021f222b01d.cfg"),
        (
            "sip:MAC0021f2000001ff@224.0.1.75",
            "tftp://192.168.50.18/0021f222b01d.cfg",
        ),
    ] {
        let sent = Site::new(|_| {}).send(&subscribe(uri));
        assert!(
            sent[1].ends_with(&format!("\r\n\r\n{url}")),
            "{uri}: {}",
            sent[1]
        );
    }
}

#[test]
fn fills_the_address_in_both_cases() {
    let url = PnpUrl::Text("http://h/{mac}/{mac:upper}.xml".to_owned());
    let filled = url.fill(Mac([0x7c, 0x2f, 0x80, 0x30, 0xd2, 0x1e])).unwrap();
    assert_eq!(filled, "http://h/7c2f8030d21e/7C2F8030D21E.xml");
}

#[test]
fn leaves_unknown_phones_to_other_servers() {
    let mut site = Site::new(|_| {});
    let other = subscribe("sip:MAC0c383e07e16c@224.0.1.75");
    assert!(site.send(&other).is_empty());
    let nobody = trace().replace("MAC", "phone");
    assert!(site.send(&nobody).is_empty());
    assert_eq!(site.count(Counter::PnpUnknownPhone), 2);
    assert_eq!(site.pnp.waiting(), 0);
}

#[test]
fn repeats_the_notify_until_the_phone_answers() {
    let mut site = Site::new(|_| {});
    let notify = site.send(&trace()).remove(1);
    assert_eq!(site.later(499), Vec::<String>::new());
    assert_eq!(site.later(1), std::slice::from_ref(&notify));
    assert!(site.later(999).is_empty());
    assert_eq!(site.later(1), std::slice::from_ref(&notify));
    assert!(site.send(&confirm(&notify, "100 Trying")).is_empty());
    assert_eq!(site.pnp.waiting(), 1);
    assert!(site.send(&confirm(&notify, "200 OK")).is_empty());
    assert_eq!(site.count(Counter::PnpConfirmed), 1);
    assert!(site.later(60_000).is_empty());
    assert_eq!(site.pnp.deadline(), None);
}

#[test]
fn gives_a_silent_phone_up_after_32_seconds() {
    let mut site = Site::new(|_| {});
    site.send(&trace());
    let repeats: usize = (0..320).map(|_| site.later(100).len()).sum();
    // At 0.5, 1.5, 3.5, 7.5 and then every 4 s (RFC 3261 §17.1.2.2).
    assert_eq!(repeats, 10);
    assert_eq!(site.pnp.waiting(), 0);
    assert_eq!(site.count(Counter::PnpSilent), 1);
    assert!(site.pnp.by_transaction.is_empty());
}

#[test]
fn an_error_of_the_phone_ends_the_notify_too() {
    let mut site = Site::new(|_| {});
    let notify = site.send(&trace()).remove(1);
    site.send(&confirm(&notify, "489 Bad Event"));
    assert_eq!(site.count(Counter::PnpRefused), 1);
    assert_eq!(site.pnp.waiting(), 0);
    site.send(&confirm(&notify, "200 OK"));
    assert_eq!(site.count(Counter::PnpIgnored), 1);
}

#[test]
fn an_answer_from_elsewhere_or_to_something_else_does_not_count() {
    let mut site = Site::new(|_| {});
    let notify = site.send(&trace()).remove(1);
    let answer = confirm(&notify, "200 OK");
    let mut replies = Replies::default();
    let stranger = SocketAddrV4::new(*PHONE.ip(), 5_060);
    site.pnp
        .datagram(site.now, stranger, answer.as_bytes(), &mut replies);
    site.send(&answer.replace("z9hG4bK0000", "z9hG4bK0001"));
    site.send(&answer.replace("branch=", "twig="));
    assert_eq!(site.count(Counter::PnpIgnored), 3);
    assert_eq!(site.pnp.waiting(), 1);
}

#[test]
fn a_repeated_subscribe_is_one_transaction_and_a_new_one_is_not() {
    let mut site = Site::new(|_| {});
    let first = site.send(&trace());
    assert_eq!(site.send(&trace()), first);
    assert_eq!(site.pnp.waiting(), 1);
    assert_eq!(site.count(Counter::PnpNotify), 1);
    let next = site.send(&trace().replace("CSeq: 1", "CSeq: 2"));
    assert_ne!(next[1], first[1]);
    assert_eq!(site.pnp.waiting(), 2);
}

#[test]
fn accepts_compact_and_folded_headers() {
    let text = trace()
        .replace("Via:", "v:")
        .replace("From:", "f :")
        .replace("To:", "t:")
        .replace("Call-ID:", "i:")
        .replace("Contact:", "m:\r\n  ")
        .replace("Event: ua-profile;", "o:ua-profile;\r\n\t");
    let sent = Site::new(|_| {}).send(&text);
    assert_eq!(sent.len(), 2);
    assert!(sent[1].starts_with("NOTIFY sip:MAC0021f222b01d@192.168.50.57:59495 SIP/2.0\r\n"));
    assert!(
        sent[1].contains("Event: ua-profile; profile-type=\"device\""),
        "{}",
        sent[1]
    );
    let bare = Site::new(|_| {}).send(&text.replace("\r\n", "\n"));
    assert_eq!(bare, sent);
}

#[test]
fn copies_every_via_and_says_where_the_request_came_from() {
    let more = trace().replace(
        "Via: SIP/2.0/UDP 192.168.50.57:59495;",
        "Via: SIP/2.0/UDP 10.0.0.1;rport;x=1;",
    );
    let more = more.replace(
        "From:",
        "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2\r\nFrom:",
    );
    let ok = Site::new(|_| {}).send(&more).remove(0);
    let vias: Vec<_> = ok.lines().filter(|line| line.starts_with("Via:")).collect();
    assert_eq!(
        vias,
        [
            "Via: SIP/2.0/UDP 10.0.0.1;rport=59495;x=1;branch=z9hG4bK1460567209;\
             received=192.168.50.57",
            "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2",
        ]
    );
    let plain = Site::new(|_| {}).send(&trace()).remove(0);
    assert!(
        !plain.contains("received="),
        "the address is the one in Via"
    );
}

#[test]
fn a_subscribe_without_contact_is_answered_at_its_source() {
    let text = trace().replace("Contact:", "X-Contact:");
    let notify = Site::new(|_| {}).send(&text).remove(1);
    assert!(notify.starts_with("NOTIFY sip:MAC0021f222b01d@192.168.50.57:59495 SIP/2.0"));
}

#[test]
fn ignores_what_is_not_for_a_pnp_server() {
    let mut site = Site::new(|_| {});
    let requests = [
        trace().replace("SUBSCRIBE", "REGISTER"),
        trace().replace("ua-profile", "message-summary"),
        trace().replace("Event:", "X-Event:"),
        trace().replace(
            "To: <sip:MAC0021f222b01d@224.0.1.75>",
            "To: <sip:a@b>;tag=1",
        ),
        "SIP/2.0 200 OK\r\n\r\n".to_owned(),
    ];
    for text in &requests {
        assert!(site.send(text).is_empty(), "{text}");
    }
    assert_eq!(site.count(Counter::PnpIgnored), 5);
    let malformed = [
        String::new(),
        "\r\n\r\n".to_owned(),
        trace().replace("CSeq: 1 SUBSCRIBE", "CSeq: one SUBSCRIBE"),
        trace().replace("Via:", "X-Via:"),
        trace().replace("Call-ID:", "X-Call-ID:"),
        trace().replace(": 0\r\n\r\n", ""),
        trace().replace("SIP/2.0\r\n", "HTTP/1.1\r\n"),
        "SIP/2.0 99 x\r\n\r\n".to_owned(),
    ];
    for text in &malformed {
        assert!(site.send(text).is_empty(), "{text}");
    }
    assert_eq!(site.count(Counter::PnpMalformed), 8);
}

#[test]
fn drops_subscribes_over_the_limit() {
    let mut site = Site::new(|config| config.waiting_max = 1);
    site.send(&trace());
    assert!(site.send(&trace().replace("CSeq: 1", "CSeq: 2")).is_empty());
    assert_eq!(site.count(Counter::PnpDropped), 1);
}

#[test]
fn names_the_real_port_when_none_is_configured() {
    let real = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4_711);
    for (configured, named) in [
        (
            SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            "127.0.0.1:4711",
        ),
        (SocketAddrV4::new(*OWN.ip(), 0), "192.168.50.18:4711"),
        (OWN, "192.168.50.18:7777"),
    ] {
        let mut site = Site::new(|config| config.contact = configured);
        site.pnp.complete_contact(Some(real));
        let notify = site.send(&trace()).remove(1);
        assert!(
            notify.contains(&format!("Contact: <sip:{named}>")),
            "{notify}"
        );
    }
}

proptest! {
    #[test]
    fn hostile_messages_never_panic_and_inject_no_lines(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "[ -~\r\n\t é\0]{0,6}"), 0..6),
        uri in "sip:[!-~]{0,40}",
    ) {
        let mut text = subscribe(&uri);
        for (at, noise) in cuts {
            let mut place = at.index(text.len() + 1);
            while !text.is_char_boundary(place) {
                place -= 1;
            }
            text.insert_str(place, &noise);
        }
        for sent in Site::new(|_| {}).send(&text) {
            let (head, _) = sent.split_once("\r\n\r\n").unwrap();
            prop_assert!(head.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut site = Site::new(|_| {});
        site.pnp.datagram(site.now, PHONE, &bytes, &mut Replies::default());
    }
}
