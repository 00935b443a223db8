use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::tftp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::message::{Message, decode, line};
use crate::wire::record::Record;
use crate::wire::{Carrier, Packet, Part, Way};

const PHONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A record that is written by hand.
struct Script {
    record: Record,
    at: u64,
}

impl Script {
    fn new() -> Self {
        Self {
            record: Record::new(1 << 20),
            at: 0,
        }
    }

    fn packet(mut self, way: Way, ports: (u16, u16), carrier: Carrier, bytes: &[u8]) -> Self {
        self.cut(way, ports, carrier, bytes, bytes.len());
        self
    }

    fn cut(&mut self, way: Way, ports: (u16, u16), carrier: Carrier, bytes: &[u8], length: usize) {
        self.at += 1;
        self.record.push(&Packet {
            at: Moment::from_millis(self.at),
            way,
            phone: SocketAddrV4::new(PHONE, ports.0),
            peer: SocketAddrV4::new(SERVER, ports.1),
            carrier,
            length: u32::try_from(length).unwrap(),
            bytes,
        });
    }

    fn udp(self, way: Way, ports: (u16, u16), write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.packet(way, ports, Carrier::Udp, &bytes)
    }

    fn tcp(self, way: Way, port: u16, bytes: &str) -> Self {
        self.packet(way, (40_001, port), tcp(1, Part::Data), bytes.as_bytes())
    }

    fn end(self, way: Way, port: u16) -> Self {
        self.packet(way, (40_001, port), tcp(1, Part::Closed), b"")
    }

    fn decode(self) -> Vec<Message> {
        decode(&self.record)
    }
}

fn tcp(connection: u32, part: Part) -> Carrier {
    Carrier::Tcp {
        connection,
        part,
        tls: false,
    }
}

/// Names with some fields of each.
fn told(messages: &[Message], keys: &[&str]) -> Vec<String> {
    let fields = |message: &Message| {
        let mut text = message.name.to_string();
        for value in keys.iter().filter_map(|key| message.field(key)) {
            text.push(' ');
            text.push_str(value);
        }
        text
    };
    messages.iter().map(fields).collect()
}

#[test]
fn a_transfer_is_followed_by_the_phones_port() {
    let request = |name: &'static [u8], block| {
        move |out: &mut Vec<u8>| {
            tftp::read_request(out, name, tftp::OCTET);
            tftp::option_number(out, tftp::BLKSIZE, block);
        }
    };
    let agreed = |out: &mut Vec<u8>| {
        tftp::option_ack(out);
        tftp::option_number(out, tftp::BLKSIZE, 8);
    };
    let messages = Script::new()
        .udp(Way::Sent, (50_001, 69), request(b"one", 8))
        .udp(Way::Sent, (50_002, 69), request(b"two", 512))
        .udp(Way::Received, (50_001, 20_007), agreed)
        .udp(Way::Received, (50_001, 20_007), |out| {
            tftp::data(out, 1, b"12345678")
        })
        .udp(Way::Received, (50_002, 20_008), |out| {
            tftp::data(out, 1, b"12345678")
        })
        .udp(Way::Sent, (50_002, 20_008), |out| tftp::ack(out, 1))
        .udp(Way::Received, (50_001, 20_007), |out| {
            tftp::error(out, 3, b"full")
        })
        .decode();
    let keys = ["file", "options", "block", "bytes", "last", "code", "text"];
    assert_eq!(
        told(&messages, &keys),
        [
            "tftp.rrq one blksize",
            "tftp.rrq two blksize",
            "tftp.oack one blksize",
            "tftp.data one 1 8 false",
            "tftp.data two 1 8 true",
            "tftp.ack two 1",
            "tftp.error one 3 full",
        ]
    );
    assert_eq!(messages[3].field("from"), Some("10.0.0.2:20007"));
    assert_eq!(messages[5].field("to"), Some("10.0.0.2:20008"));
}

#[test]
fn a_block_that_the_record_cut_has_its_length() {
    let mut script = Script::new().udp(Way::Sent, (50_001, 69), |out| {
        tftp::read_request(out, b"one", tftp::OCTET);
    });
    let ports = (50_001, 20_007);
    script.cut(Way::Received, ports, Carrier::Udp, &[0, 3, 0, 1, 7, 7], 516);
    let messages = script.decode();
    assert_eq!(
        told(&messages[1..], &["bytes", "last"]),
        ["tftp.data 512 false"]
    );
}

#[test]
fn what_no_decoder_knows_is_shown_with_its_first_bytes() {
    let messages = Script::new()
        .udp(Way::Received, (50_001, 4_000), |out| out.extend(0..40))
        .udp(Way::Received, (68, 67), |out| out.extend([1, 2, 3]))
        .packet(Way::Sent, (40_001, 80), tcp(1, Part::Opening), b"")
        .tcp(Way::Sent, 80, "good day\n")
        .packet(Way::Received, (40_001, 80), tcp(1, Part::Failed), b"reset")
        .decode();
    assert_eq!(
        told(&messages, &["length", "hex", "fault", "reason"]),
        [
            "udp.unknown 40 000102030405060708090a0b0c0d0e0f",
            "udp.unknown 3 010203 message ends inside the fixed header at byte 3",
            "tcp.opening",
            "tcp.unknown 9 676f6f64206461790a no HTTP head",
            "tcp.failed reset",
        ]
    );
}

/// Both directions of a connection with all ways in which a body ends.
fn dialogue() -> (String, String) {
    let asked = "GET /a?b=c HTTP/1.1\r\nHost: h\r\nUser-Agent: Phone 1\r\n\r\n\
         POST /acs HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n\
         HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n\
         PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody\
         GET /last HTTP/1.0\r\n\r\n";
    let said = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
         HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\
         HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n\
         HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\nuntil the end";
    (asked.to_owned(), said.to_owned())
}

const DIALOGUE: [&str; 11] = [
    "http.get /a c 0",
    "http.post /acs 5 abcde",
    "http.head /h 0",
    "http.put /p 4 body",
    "http.get /last 0",
    "http.response 200 /a 5 hello",
    "http.response 100 /acs 0",
    "http.response 204 /acs 0",
    "http.response 200 /h 0",
    "http.response 401 /p 2 no",
    "http.response 200 /last a b 13 until the end",
];

fn told_dialogue(messages: &[Message]) -> Vec<String> {
    let keys = ["status", "path", "header.x", "body_bytes", "body"];
    let mut told = told(messages, &keys);
    if let Some(first) = told.first_mut() {
        *first = first.replace("/a 0", "/a c 0");
    }
    told
}

#[test]
fn http_is_put_together_both_ways() {
    let (asked, said) = dialogue();
    let messages = Script::new()
        .tcp(Way::Sent, 80, &asked)
        .tcp(Way::Received, 80, &said)
        .end(Way::Received, 80)
        .decode();
    assert_eq!(told_dialogue(&messages[..11]), DIALOGUE);
    assert_eq!(messages[11].name, "tcp.closed");
    let first = &messages[0];
    assert_eq!(first.field("query"), Some("b=c"));
    assert_eq!(first.field("target"), Some("/a?b=c"));
    assert_eq!(first.field("headers"), Some("Host User-Agent"));
    assert_eq!(first.field("header.user-agent"), Some("Phone 1"));
    assert_eq!(first.field("connection"), Some("1"));
    let hello = "5d41402abc4b2a76b9719d911017c592";
    assert_eq!(messages[5].field("md5"), Some(hello));
    assert!(
        messages
            .iter()
            .all(|message| message.field("truncated").is_none())
    );
    let lengths: u32 = messages.iter().map(|message| message.length).sum();
    assert_eq!(lengths as usize, asked.len() + said.len());
}

#[test]
fn a_phone_is_asked_on_a_connection_that_others_open() {
    let messages = Script::new()
        .tcp(
            Way::Received,
            50_000,
            "GET /door HTTP/1.1\r\nHost: p\r\n\r\n",
        )
        .tcp(
            Way::Sent,
            50_000,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        )
        .end(Way::Sent, 50_000)
        .decode();
    let ways = messages.iter().map(|message| message.way);
    let ways: Vec<_> = ways.collect();
    assert_eq!(ways, [Way::Received, Way::Sent, Way::Sent]);
    assert_eq!(
        told(&messages, &["path", "status"]),
        ["http.get /door", "http.response /door 200", "tcp.closed"]
    );
}

#[test]
fn what_the_record_or_the_connection_cut_is_still_a_message() {
    let mut script = Script::new().tcp(Way::Sent, 80, "GET /a HTTP/1.1\r\n\r\n");
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab";
    script.cut(
        Way::Received,
        (40_001, 80),
        tcp(1, Part::Data),
        head,
        head.len() + 998,
    );
    let next = b"HTTP/1.1 404 Not Found\r\nX-Much: aaa";
    script.cut(
        Way::Received,
        (40_001, 80),
        tcp(1, Part::Data),
        next,
        next.len() + 500,
    );
    let messages = script
        .tcp(
            Way::Received,
            80,
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        )
        .decode();
    assert_eq!(
        told(
            &messages,
            &["status", "body_bytes", "body", "truncated", "md5"]
        ),
        [
            "http.get 0",
            "http.response 200 1000 ab true",
            "http.response 404 500 true",
            "http.response 200 3 abc true",
        ]
    );
}

#[test]
fn an_rpc_is_named() {
    let whole = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:cwmp=\"urn:dslforum-org:cwmp-1-0\"><soap:Body><cwmp:Reboot>\
         <CommandKey>k</CommandKey></cwmp:Reboot></soap:Body></soap:Envelope>";
    let cut = whole.get(..whole.find("<CommandKey>").unwrap()).unwrap();
    for (body, call) in [
        (whole, Some("Reboot")),
        (cut, Some("Reboot")),
        ("<html/>", None),
    ] {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        let messages = Script::new().tcp(Way::Received, 80, &head).decode();
        assert_eq!(messages[0].field("soap"), call, "{body}");
    }
}

#[test]
fn sip_is_read_on_streams_and_datagrams() {
    let register = "REGISTER sip:pbx SIP/2.0\r\ni: 1@a\r\nCSeq: 1 REGISTER\r\n\
         Subject: a\r\n  b\r\nl: 3\r\n\r\nabc";
    let notify = "NOTIFY sip:p@1 SIP/2.0\r\nEvent: check-sync;reboot=true\r\n\
         CSeq: 2 NOTIFY\r\n\r\n";
    let answer = "SIP/2.0 401 Who are you\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";
    let (one, two) = register.split_at(40);
    let messages = Script::new()
        .tcp(Way::Sent, 5_060, one)
        .tcp(Way::Sent, 5_060, two)
        .tcp(Way::Received, 5_060, &format!("{answer}{answer}"))
        .tcp(Way::Received, 5_060, "\r\n\r\n")
        .udp(Way::Received, (5_060, 9_999), |out| {
            out.extend(notify.as_bytes())
        })
        .udp(Way::Sent, (5_060, 5_060), |out| out.extend(b"\r\n\r\n"))
        .decode();
    let keys = [
        "uri",
        "status",
        "reason",
        "method",
        "event",
        "header.call-id",
        "body",
    ];
    assert_eq!(
        told(&messages, &keys),
        [
            "sip.register sip:pbx REGISTER 1@a abc",
            "sip.response 401 Who are you REGISTER",
            "sip.response 401 Who are you REGISTER",
            "sip.keepalive",
            "sip.notify sip:p@1 NOTIFY check-sync",
            "sip.keepalive",
        ]
    );
    assert_eq!(messages[0].field("headers"), Some("i CSeq Subject l"));
    assert_eq!(messages[0].field("header.subject"), Some("a b"));
    assert_eq!(
        messages[4].field("header.event"),
        Some("check-sync;reboot=true")
    );
}

#[test]
fn a_retrieval_is_told_from_its_beginning_to_its_end() {
    let said = "USER u\r\nPASS p\r\nTYPE I\r\nPASV\r\nRETR dir/f.cfg\r\n";
    let messages = Script::new()
        .tcp(Way::Sent, 21, said)
        .tcp(Way::Received, 21, "hel")
        .tcp(Way::Received, 21, "lo")
        .end(Way::Received, 21)
        .decode();
    let keys = [
        "user", "password", "mode", "file", "bytes", "complete", "body", "md5",
    ];
    assert_eq!(
        told(&messages, &keys),
        [
            "ftp.retr u p passive dir/f.cfg",
            "ftp.data dir/f.cfg 3",
            "ftp.data dir/f.cfg 2",
            "ftp.end dir/f.cfg 5 true hello 5d41402abc4b2a76b9719d911017c592",
            "tcp.closed",
        ]
    );
}

#[test]
fn a_line_shows_what_matters_in_one_line() {
    let messages = Script::new()
        .udp(Way::Received, (50_001, 20_007), |out| {
            tftp::error(out, 1, b"no \"such\"\nfile");
        })
        .tcp(
            Way::Sent,
            80,
            "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: A b\r\n\r\n",
        )
        .decode();
    assert_eq!(
        line(&messages[0]),
        "    0.001000 <- 10.0.0.2:20007 tftp.error code=1 text=\"no \\\"such\\\"\\nfile\""
    );
    assert_eq!(
        line(&messages[1]),
        "    0.002000 -> 10.0.0.2:80 http.get target=/a host=h user-agent=\"A b\" body_bytes=0"
    );
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        1 => Just(Part::Opening),
        1 => Just(Part::Opened),
        8 => Just(Part::Data),
        1 => Just(Part::Closed),
        1 => Just(Part::Failed),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(21_u16),
        Just(67),
        Just(69),
        Just(80),
        Just(123),
        Just(5_060),
        Just(5_353),
        any::<u16>(),
    ]
}

/// Bytes that look like something.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n"),
        Just("GET / HTTP/1.1\r\n"),
        Just("Content-Length: 3\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("REGISTER sip:a SIP/2.0\r\n"),
        Just("SIP/2.0 200 OK\r\n"),
        Just("3\r\nabc\r\n0\r\n"),
        Just("ffffffffffffffff\r\n"),
        Just("\r\n"),
        Just(" "),
        Just("<Envelope:Body<"),
        Just("RETR f\r\n"),
        Just("\0\u{3}\0\u{1}"),
        Just("\0\u{1}f\0octet\0"),
    ];
    let text = vec(word, 0..8).prop_map(|words| words.concat().into_bytes());
    prop_oneof![3 => text, 1 => vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn any_cut_of_a_connection_says_the_same(cuts in vec(1_usize..40, 1..60)) {
        let (asked, said) = dialogue();
        let mut script = Script::new();
        for (way, text) in [(Way::Sent, asked), (Way::Received, said)] {
            let mut rest = text.as_str();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                script = script.tcp(way, 80, piece);
                rest = tail;
            }
        }
        let messages = script.end(Way::Received, 80).decode();
        prop_assert_eq!(told_dialogue(&messages[..11]), DIALOGUE);
    }

    #[test]
    fn arbitrary_packets_are_never_lost(
        packets in vec((payload(), 0_usize..40, port(), any::<bool>(), part(), 0_u32..3), 0..40),
    ) {
        let mut script = Script::new();
        let (mut udp, mut bytes) = (0, 0);
        for (payload, missing, port, sent, part, connection) in packets {
            let way = if sent { Way::Sent } else { Way::Received };
            let ports = (50_000 + u16::try_from(connection).unwrap(), port);
            let length = payload.len() + missing;
            if connection == 2 {
                udp += 1;
                script.cut(way, ports, Carrier::Udp, &payload, length);
                continue;
            }
            let data = part == Part::Data;
            bytes += if data { length } else { 0 };
            let length = if data { length } else { 0 };
            script.cut(way, ports, tcp(connection, part), &payload, length);
        }
        let messages = script.decode();
        let over_udp = messages.iter().filter(|it| it.field("connection").is_none());
        prop_assert_eq!(over_udp.count(), udp);
        let on_streams = messages.iter().filter(|it| it.field("connection").is_some());
        let told: usize = on_streams
            .filter(|message| message.name != "ftp.end")
            .map(|message| message.length as usize)
            .sum();
        prop_assert_eq!(told, bytes);
        for message in &messages {
            prop_assert!(!line(message).contains('\n'));
        }
    }
}
