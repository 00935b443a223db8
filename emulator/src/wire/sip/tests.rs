use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::headers::typed;
use rsip::prelude::{HasHeaders, HeadersExt};

use super::names::COMPACT;
use super::*;

/// A PnP NOTIFY in the shape of the vendors' captures.
const NOTIFY: &[u8] = b"NOTIFY sip:MAC0021f222b01d@192.168.50.163:59495 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.168.50.18:7777;branch=z9hG4bK3f\r\n\
Max-Forwards: 20\r\n\
From: <sip:MAC0021f222b01d@224.0.1.75>;tag=b\r\n\
To: <sip:MAC0021f222b01d@224.0.1.75>;tag=a\r\n\
Call-ID: 17@192.168.50.163\r\n\
CSeq: 3 NOTIFY\r\n\
Content-Type: application/url\r\n\
Subscription-State: terminated;reason=timeout\r\n\
Event: ua-profile;profile-type=\"device\";vendor=\"OEM\";model=\"OEM\";version=\"7.1.19\"\r\n\
Content-Length: 37\r\n\r\n\
tftp://192.168.50.18/0021f222b01d.cfg";

const SOURCE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 50, 18), 7777);

fn message(text: &str) -> Message<'_> {
    Message::parse(text.as_bytes()).unwrap()
}

fn fault(bytes: &[u8]) -> &'static str {
    Message::parse(bytes).unwrap_err().what
}

fn request_with(fields: &str) -> String {
    format!("NOTIFY sip:a@b SIP/2.0\r\n{fields}\r\n")
}

fn reply_to(request: &str, source: Option<SocketAddrV4>) -> String {
    let mut out = Vec::new();
    let how = Answer {
        status: 200,
        tag: 0xbeef,
        source,
    };
    answer(&mut out, &message(request), &how);
    String::from_utf8(out).unwrap()
}

#[test]
fn splits_a_request_keeping_order_and_case() {
    let notify = Message::parse(NOTIFY).unwrap();
    assert_eq!(
        notify.start,
        StartLine::Request {
            method: "NOTIFY",
            uri: "sip:MAC0021f222b01d@192.168.50.163:59495",
        }
    );
    let names: Vec<&str> = notify.fields().map(|field| field.name).collect();
    assert_eq!(names[..3], ["Via", "Max-Forwards", "From"]);
    assert_eq!(names.len(), 10);
    assert_eq!(notify.cseq(), Some((3, "NOTIFY")));
    assert_eq!(notify.call_id(), Some(&b"17@192.168.50.163"[..]));
    let event = notify.event().unwrap();
    assert!(event.is("UA-Profile"));
    assert_eq!(event.parameter("Vendor"), Some(&b"OEM"[..]));
    assert_eq!(notify.body, b"tftp://192.168.50.18/0021f222b01d.cfg");
}

#[test]
fn splits_a_response_with_and_without_a_reason() {
    for (line, reason) in [
        ("SIP/2.0 489 Bad Event", &b"Bad Event"[..]),
        ("SIP/2.0 489 ", b""),
        ("SIP/2.0 489", b""),
        ("sip/2.0  489  Bad\tEvent", b"Bad\tEvent"),
    ] {
        let text = format!("{line}\r\nCSeq: 1 SUBSCRIBE\r\n\r\n");
        let response = message(&text);
        let start = StartLine::Response {
            status: 489,
            reason,
        };
        assert_eq!(response.start, start, "{line}");
        assert_eq!(response.method(), Some("SUBSCRIBE"));
    }
}

#[test]
fn finds_fields_in_any_case_compact_and_folded() {
    let text = "NOTIFY sip:a@b SIP/2.0\nv: SIP/2.0/UDP h;branch=1\nVIA : SIP/2.0/UDP g\n\
        i:\r\n\t5@h \no: check-sync\r\n ;reboot\n\t= true\nCSEQ: 2\n  NOTIFY\nL: 2\n\nhi!";
    let notify = message(text);
    let vias: Vec<&[u8]> = notify.all("Via").collect();
    assert_eq!(vias, [&b"SIP/2.0/UDP h;branch=1"[..], b"SIP/2.0/UDP g"]);
    assert_eq!(notify.call_id(), Some(&b"5@h"[..]));
    assert_eq!(notify.cseq(), Some((2, "NOTIFY")));
    let event = notify.event().unwrap();
    assert!(event.is("check-sync"));
    assert_eq!(event.parameter("reboot"), Some(&b"true"[..]));
    assert_eq!(notify.body, b"hi");
    assert_eq!(notify.header("Contact"), None);
}

#[test]
fn expands_only_its_own_compact_names() {
    for (letter, name) in COMPACT {
        let written = char::from(letter).to_string();
        assert!(is_named(&written, name));
        assert!(is_named(&written.to_uppercase(), name));
        assert!(!is_named(&written, "Max-Forwards"));
    }
}

#[test]
fn takes_the_body_that_content_length_allows() {
    let with = |length: &str| format!("{}body", request_with(length));
    assert_eq!(message(&with("")).body, b"body");
    assert_eq!(message(&with("Content-Length: 4\r\n")).body, b"body");
    assert_eq!(message(&with("Content-Length: 2\r\nl: 2\r\n")).body, b"bo");
    assert_eq!(message(&with("Content-Length: 0\r\n")).body, b"");
    for (length, what) in [
        ("5", "content length is larger than the datagram"),
        (
            "99999999999999999999999",
            "content length is larger than the datagram",
        ),
        ("", "content length is not a number"),
        ("-1", "content length is not a number"),
        ("+4", "content length is not a number"),
        ("2\r\nContent-Length: 3", "content length is given twice"),
    ] {
        let text = with(&format!("Content-Length: {length}\r\n"));
        assert_eq!(fault(text.as_bytes()), what, "{length}");
    }
}

#[test]
fn tolerates_a_header_section_that_ends_with_the_datagram() {
    for end in ["", "\r", "\r\n", "\n"] {
        let text = format!("SIP/2.0 200 OK\r\nCSeq: 1 SUBSCRIBE{end}");
        assert_eq!(message(&text).cseq(), Some((1, "SUBSCRIBE")));
        assert_eq!(message(&text).body, b"");
    }
    assert_eq!(message("\r\n\r\nSIP/2.0 200 OK").status(), Some(200));
}

#[test]
fn refuses_what_is_not_sip() {
    for (bytes, what) in [
        (&b""[..], "empty message"),
        (b"\r\n\r\n", "empty message"),
        (b"NOTIFY\r\n", "neither a request line nor a status line"),
        (
            b"NOTIFY sip:a SIP/3.0",
            "neither a request line nor a status line",
        ),
        (
            b"NOTIFY  SIP/2.0",
            "neither a request line nor a status line",
        ),
        (
            b"NOT(FY sip:a SIP/2.0",
            "neither a request line nor a status line",
        ),
        (
            b"NOTIFY sip:\xff SIP/2.0",
            "neither a request line nor a status line",
        ),
        (b"SIP/2.0 99 Low", "status code is not 100 to 699"),
        (b"SIP/2.0 700 High", "status code is not 100 to 699"),
        (b"SIP/2.0 +20 Odd", "status code is not 100 to 699"),
        (
            b"SIP/2.0 200 OK\r\n folded: x",
            "continuation before the first header field",
        ),
        (b"SIP/2.0 200 OK\r\nVia", "header field without colon"),
        (b"SIP/2.0 200 OK\r\n: x", "header name is not a token"),
        (b"SIP/2.0 200 OK\r\nV\xeda: x", "header name is not a token"),
    ] {
        assert_eq!(fault(bytes), what, "{}", bytes.escape_ascii());
    }
}

#[test]
fn keeps_the_limits_of_the_header_section() {
    let fields = |count: usize| request_with(&"X: y\r\n".repeat(count));
    assert_eq!(message(&fields(HEADERS_MAX)).fields().count(), HEADERS_MAX);
    let over = Message::parse(fields(HEADERS_MAX + 1).as_bytes()).map(|_| ());
    let limit = Some((Limit::Headers, HEADERS_MAX as u64));
    assert_eq!(limit_of(&over.unwrap_err()), limit);

    let long = |bytes: usize| request_with(&format!("X: {}\r\n", "y".repeat(bytes - 5)));
    assert!(Message::parse(long(HEADER_BYTES_MAX).as_bytes()).is_ok());
    let over = Message::parse(long(HEADER_BYTES_MAX + 1).as_bytes()).map(|_| ());
    let limit = Some((Limit::Headers, HEADER_BYTES_MAX as u64));
    assert_eq!(limit_of(&over.unwrap_err()), limit);
    let folds = request_with(&format!(
        "X: y\r\n{}",
        " z\r\n".repeat(HEADER_BYTES_MAX / 4)
    ));
    assert_eq!(fault(folds.as_bytes()), TOO_MANY_BYTES);
}

#[test]
fn keeps_a_value_that_is_not_utf_8() {
    let notify = b"NOTIFY sip:a@b SIP/2.0\r\nFrom: J\xfcrgen <sip:j@h>;tag=1\r\n\r\n";
    let notify = Message::parse(notify).unwrap();
    let from = Value::new(notify.header("From").unwrap());
    assert_eq!(from.parameter("tag"), Some(&b"1"[..]));
}

#[test]
fn reads_parameters_outside_quotes_and_brackets() {
    let value = Value::new(b"\"a;b\\\";c\" <sip:x@y;lr>; ;flag ; Q = \"1;\\\"2\" ;tag=z");
    assert_eq!(value.main, b"\"a;b\\\";c\" <sip:x@y;lr>");
    let read: Vec<_> = value
        .parameters()
        .map(|parameter| (parameter.name, parameter.value))
        .collect();
    assert_eq!(
        read,
        [
            (&b"flag"[..], None),
            (b"Q", Some(&b"1;\\\"2"[..])),
            (b"tag", Some(b"z")),
        ]
    );
    assert_eq!(value.parameter("q"), Some(&b"1;\\\"2"[..]));
    assert_eq!(value.parameter("flag"), None);
    assert_eq!(Value::new(b"").parameters().count(), 0);
    let open = Value::new(b"a;b=\"never closed;c=d");
    assert_eq!(open.parameter("c"), None);
}

#[test]
fn reads_the_user_of_a_uri() {
    for (text, user) in [
        ("sip:MAC%3a0021f222b01d@local", Some("MAC%3a0021f222b01d")),
        ("\"A\" <sips:u@h>;tag=1", Some("u")),
        ("sip:192.168.1.1:5060", None),
        ("nonsense", None),
        ("", None),
    ] {
        assert_eq!(uri_user(text.as_bytes()), user.map(str::as_bytes), "{text}");
    }
}

#[test]
fn tells_keep_alives_from_messages() {
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0"] {
        assert!(is_keep_alive(bytes));
    }
    assert!(!is_keep_alive(b"\r\nSIP/2.0 200 OK"));
}

#[test]
fn numbers_transactions_by_call_cseq_and_branch() {
    let number = |call: &str, cseq: &str, branch: &str, rest: &str| {
        let text = format!(
            "Via: SIP/2.0/UDP h;branch={branch}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\n{rest}"
        );
        message(&request_with(&text)).transaction()
    };
    let first = number("1@h", "1 NOTIFY", "z1", "");
    assert_eq!(
        number("1@h", "1 NOTIFY", "z1", "Max-Forwards: 3\r\n"),
        first
    );
    for other in [
        number("2@h", "1 NOTIFY", "z1", ""),
        number("1@h", "2 NOTIFY", "z1", ""),
        number("1@h", "1 NOTIFY", "z2", ""),
    ] {
        assert_ne!(other, first);
    }
}

#[test]
fn a_response_copies_what_the_standard_names() {
    let request = request_with(
        "v: SIP/2.0/UDP a;branch=1\r\nt: <sip:x@y>\r\nVia: SIP/2.0/UDP b\r\n ;branch=2\r\n\
         f: \"Q\" <sip:q@r>;tag=7\r\nSubject: no\r\nCSeq: 4 NOTIFY\r\ni: 9@h\r\n",
    );
    assert_eq!(
        reply_to(&request, None),
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=1\r\nVia: SIP/2.0/UDP b   ;branch=2\r\n\
         From: \"Q\" <sip:q@r>;tag=7\r\nTo: <sip:x@y>;tag=0000beef\r\nCall-ID: 9@h\r\n\
         CSeq: 4 NOTIFY\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_response_keeps_a_to_tag() {
    let reply = reply_to(&request_with("To: <sip:x@y;tag=no> ; TAG=5\r\n"), None);
    assert!(
        reply.contains("To: <sip:x@y;tag=no> ; TAG=5\r\n"),
        "{reply}"
    );
}

#[test]
fn a_response_says_where_the_request_came_from() {
    for (via, answered) in [
        ("U 192.168.50.18:5060", "U 192.168.50.18:5060"),
        (
            "U 10.0.0.1;branch=1",
            "U 10.0.0.1;branch=1;received=192.168.50.18",
        ),
        ("U pbx.local", "U pbx.local;received=192.168.50.18"),
        ("U pbx;received=9.9.9.9", "U pbx;received=9.9.9.9"),
        (
            "U pbx;branch=1 , U b",
            "U pbx;branch=1;received=192.168.50.18 , U b",
        ),
        (
            "U 192.168.50.18;rport ;branch=1",
            "U 192.168.50.18;rport=7777;received=192.168.50.18 ;branch=1",
        ),
        ("U 192.168.50.18;rport=7", "U 192.168.50.18;rport=7"),
        (
            "U a;rport, U b;rport",
            "U a;rport=7777;received=192.168.50.18, U b;rport",
        ),
    ] {
        let second = "Via: U c;rport\r\n";
        let request = request_with(&format!("Via: {via}\r\n{second}"));
        let reply = reply_to(&request, Some(SOURCE));
        assert!(
            reply.contains(&format!("Via: {answered}\r\n{second}")),
            "{reply}"
        );
    }
}

#[test]
fn a_writer_computes_the_length_where_it_is_wanted() {
    let mut out = Vec::new();
    Writer::request(&mut out, "NOTIFY", "sip:a@b", b"12345")
        .header("Content-length", "99")
        .header("X-Last", "1")
        .finish();
    assert_eq!(
        out,
        b"NOTIFY sip:a@b SIP/2.0\r\nContent-length: 5\r\nX-Last: 1\r\n\r\n12345"
    );
}

#[test]
fn a_writer_lets_no_value_add_a_field() {
    let mut out = Vec::new();
    Writer::request(&mut out, "NOTIFY", "sip:a\r\nA: b", b"")
        .header("User-Agent", "x\r\nEvent: check-sync\n")
        .finish();
    let text = std::str::from_utf8(&out).unwrap();
    assert_eq!(text.matches("\r\n").count(), 4, "{text}");
}

#[test]
fn names_every_class_of_status() {
    for (status, phrase) in [
        (200, "OK"),
        (489, "Bad Event"),
        (199, "Progress"),
        (299, "Success"),
        (399, "Redirection"),
        (499, "Request Failure"),
        (599, "Server Failure"),
        (699, "Global Failure"),
    ] {
        assert_eq!(reason(status), phrase);
    }
}

#[test]
fn every_prefix_of_a_message_is_read_or_refused() {
    for end in 0..NOTIFY.len() {
        exercise(&NOTIFY[..end]);
    }
}

/// Calls everything that reads a message.
fn exercise(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else {
        return;
    };
    for field in message.fields() {
        assert!(!field.name.is_empty());
        let value = Value::new(field.value);
        assert!(value.parameters().count() <= bytes.len());
        assert!(first_element(field.value).len() <= field.value.len());
        assert_ne!(uri_user(field.value).map(<[u8]>::len), Some(bytes.len()));
    }
    assert_eq!(message.transaction(), message.transaction());
    assert!(!message.event().is_some_and(|event| event.main.is_empty()));
    for source in [None, Some(SOURCE)] {
        let mut out = Vec::new();
        let how = Answer {
            status: 481,
            tag: 1,
            source,
        };
        answer(&mut out, &message, &how);
        let reply = Message::parse(&out).expect("our own answer is readable");
        assert_eq!(reply.status(), Some(481));
        assert!(out.len() <= bytes.len() + 256);
    }
}

/// Pieces that make hostile messages more than noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"NOTIFY ",
        b"sip:a@b ",
        b"SIP/2.0",
        b" 200 OK",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"\"",
        b"\\",
        b"<",
        b">",
        b"Via: ",
        b"v:",
        b"o: ",
        b"rport",
        b"To: ",
        b"Content-Length: ",
        b"l:3",
        b"7",
        b"i: ",
        b"CSeq: 1 NOTIFY",
        b"branch=",
        b"\0",
        b"\xff",
    ];
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9]{1,12}"
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
    }

    #[test]
    fn hostile_messages_never_panic(
        start in proptest::bool::ANY,
        pieces in proptest::collection::vec(piece(), 0..60),
    ) {
        let mut bytes = if start { b"NOTIFY sip:a@b SIP/2.0\r\n".to_vec() } else { Vec::new() };
        bytes.extend(pieces.concat());
        exercise(&bytes);
    }

    #[test]
    fn rsip_reads_what_we_write(
        (user, tag, call, branch) in (word(), word(), word(), word()),
        (host, port, cseq) in (any::<[u8; 4]>(), 1_u16.., any::<u32>()),
        body in "[ -~]{0,60}",
    ) {
        let host = Ipv4Addr::from(host);
        let (user, tag) = (format!("u{user}"), format!("t{tag}"));
        let mut out = Vec::new();
        Writer::request(&mut out, "NOTIFY", &format!("sip:{user}@{host}:{port}"), body.as_bytes())
            .header("Via", format!("SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch}"))
            .header("From", format!("<sip:{user}@{host}>;tag={tag}"))
            .header("To", format!("<sip:{user}@{host}>"))
            .header("Call-ID", format!("{call}@{host}"))
            .header("CSeq", format!("{cseq} NOTIFY"))
            .header("Event", "check-sync;reboot=true")
            .finish();
        let ours = Message::parse(&out).unwrap();
        let theirs = rsip::Request::try_from(out.clone()).unwrap();
        prop_assert_eq!(theirs.method().to_string(), ours.method().unwrap());
        prop_assert_eq!(theirs.uri().to_string(), ours.uri().unwrap());
        prop_assert_eq!(theirs.body(), ours.body);
        let via = theirs.via_header().unwrap().typed().unwrap();
        prop_assert_eq!(
            via.branch().unwrap().value().as_bytes(),
            ours.top_via().unwrap().parameter("branch").unwrap()
        );
        let seen: typed::CSeq = theirs.cseq_header().unwrap().typed().unwrap();
        prop_assert_eq!((seen.seq, seen.method.to_string()), (cseq, "NOTIFY".to_owned()));
        prop_assert_eq!(ours.cseq(), Some((cseq, "NOTIFY")));
        let from = theirs.from_header().unwrap().typed().unwrap();
        prop_assert_eq!(from.tag().unwrap().value(), tag.as_str());
        prop_assert_eq!(
            uri_user(ours.header("From").unwrap()).unwrap(),
            from.uri.user().unwrap().as_bytes()
        );
        prop_assert_eq!(theirs.headers().iter().count(), ours.fields().count());

        let mut out = Vec::new();
        let how = Answer { status: 200, tag: 0xa1, source: Some(SOURCE) };
        answer(&mut out, &ours, &how);
        let reply = rsip::Response::try_from(out).unwrap();
        prop_assert_eq!(reply.status_code().code(), 200);
        prop_assert_eq!(reply.call_id_header().unwrap(), theirs.call_id_header().unwrap());
        prop_assert_eq!(reply.cseq_header().unwrap(), theirs.cseq_header().unwrap());
        prop_assert_eq!(reply.from_header().unwrap(), theirs.from_header().unwrap());
        let to = reply.to_header().unwrap().typed().unwrap();
        prop_assert_eq!(to.tag().unwrap().value(), "000000a1");
        let answered = reply.via_header().unwrap().typed().unwrap();
        let received = answered.received().unwrap().map(|address| address.to_string());
        let expected = (host != *SOURCE.ip()).then(|| SOURCE.ip().to_string());
        prop_assert_eq!(received, expected);
    }
}
