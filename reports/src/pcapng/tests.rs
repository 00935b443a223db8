use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::wire::{Carrier, Packet, Part, Way};
use proptest::collection::vec;
use proptest::prelude::*;

use super::mask::Known;
use super::*;
use crate::redact::Redactor;

const PHONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn packet(way: Way, ports: (u16, u16), carrier: Carrier, bytes: &[u8]) -> Packet<'_> {
    Packet {
        at: Moment::from_millis(1),
        way,
        phone: SocketAddrV4::new(PHONE, ports.0),
        peer: SocketAddrV4::new(SERVER, ports.1),
        carrier,
        length: u32::try_from(bytes.len()).unwrap(),
        bytes,
    }
}

fn tcp(part: Part) -> Carrier {
    Carrier::Tcp {
        connection: 1,
        part,
        tls: false,
    }
}

fn mask() -> Mask {
    Mask::new(Redactor::new(1))
}

/// A capture of one phone with this record.
fn capture(record: Record, secrets: &[&str], mask: &Mask) -> (Vec<u8>, Written) {
    let captured = Captured {
        index: 3,
        mac: Mac([0, 1, 2, 3, 4, 5]),
        profile: "a/b".to_owned(),
        record,
        secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
    };
    let mut out = Vec::new();
    let section = Section::default();
    let written = write(&mut out, &section, std::iter::once(captured), mask).unwrap();
    (out, written)
}

fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// A file of every kind, with a secret in it that nobody planted.
const FILES: [&str; 14] = [
    "account.1.password = hunter2 2hunter\r\nnext = 1\r\n",
    "SIP1 Register Pswd :hunter2 2hunter\r\nSIP1 Port :5060\r\n",
    "<Password>hunter2</Password>",
    "<ITEM ID=\"BS.aucS_SIP_PASSWORD[0]\" value='\"hunter2\"'/>",
    "<param value=\"hunter2\" name=\"auth_password\" />",
    "<param name='x_secret'>hunter2</param>",
    "<Name>Device.X_Password</Name>\n<Value xsi:type=\"xsd:string\">hunter2</Value>",
    "http://u:hunter2@10.0.0.1/x.cfg",
    "{\"password\": \"hunter2\"}",
    "GET /a?password=hunter2&b=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /a HTTP/1.1\r\nAuthorization: Basic hunter2\r\nHost: h\r\n\r\n",
    "USER a\r\nPASS hunter2\r\nTYPE I\r\nPASV\r\nRETR f\r\n",
    "{user_pin=\"hunter2\"}",
    "Cookie: session=hunter2\r\n",
];

#[test]
fn values_of_secret_keys_are_covered_in_every_kind_of_file() {
    for file in FILES {
        let mut record = Record::new(1 << 20);
        record.push(&packet(
            Way::Received,
            (40_000, 80),
            tcp(Part::Data),
            file.as_bytes(),
        ));
        let (plain, _) = capture(
            record.clone(),
            &[],
            &Mask::keeping_secrets(Redactor::new(1)),
        );
        assert!(has(&plain, "hunter2"), "{file}");
        let (covered, _) = capture(record, &[], &mask());
        assert!(!has(&covered, "hunter2"), "{file}");
        for kept in ["5060", "next = 1", "Host: h", "&b=1 HTTP/1.1", "Basic "] {
            assert_eq!(has(&covered, kept), file.contains(kept), "{file}: {kept}");
        }
    }
}

#[test]
fn blocks_of_a_transfer_are_looked_at_together_and_once_more_when_sent_again() {
    let mut record = Record::new(1 << 20);
    let blocks = ["P34=abc;secr", "et-of-", "all\n"];
    for (number, text) in (1_u8..).zip(blocks) {
        let bytes = [&[0, 3, 0, number], text.as_bytes()].concat();
        for _ in 0..2 {
            record.push(&packet(
                Way::Received,
                (50_000, 20_000),
                Carrier::Udp,
                &bytes,
            ));
        }
    }
    let (covered, written) = capture(record, &["secret-of-all"], &mask());
    assert_eq!(written.frames, 6);
    for part in ["secr", "et-of-", "all\n"] {
        assert!(!has(&covered, part), "{part}");
    }
    assert!(has(&covered, "P34=abc;xxxx"));
}

#[test]
fn what_follows_a_cut_is_covered_and_so_is_the_beginning_of_a_secret_before_it() {
    let mut record = Record::new(1 << 20);
    let mut cut = |text: &str| {
        let mut packet = packet(
            Way::Received,
            (40_000, 80),
            tcp(Part::Data),
            text.as_bytes(),
        );
        packet.length += 100;
        record.push(&packet);
    };
    cut("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nP34=long-sec");
    cut("et-of-the-phone");
    let (covered, _) = capture(record, &["long-secret-of-the-phone"], &mask());
    assert!(has(&covered, "\r\n\r\nP34=xxxx"));
    for part in ["long-", "et-of"] {
        assert!(!has(&covered, part), "{part}");
    }
}

#[test]
fn secrets_are_covered_in_comments_and_in_other_forms() {
    let mut record = Record::new(1 << 20);
    let text = "GET /x?p=a%2Fb%26c&q=1 HTTP/1.1\r\nX: a/b&amp;c\r\nHost: a/b&c\r\n\r\n";
    record.push(&packet(
        Way::Sent,
        (40_000, 80),
        tcp(Part::Data),
        text.as_bytes(),
    ));
    let (covered, _) = capture(record, &["a/b&c"], &mask());
    for form in ["a%2Fb%26c", "a/b&amp;c", "a/b&c"] {
        assert!(!has(&covered, form), "{form}");
    }
    assert!(has(
        &covered,
        "phone 3 000102030405 a/b: -> 10.0.0.2:80 http.get"
    ));
}

#[test]
fn short_secrets_count_where_they_stand_alone_and_frame_nothing() {
    let mut record = Record::new(1 << 20);
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\nP1=1234\nP2=12345\nP3=a1234\n";
    record.push(&packet(
        Way::Received,
        (40_000, 80),
        tcp(Part::Data),
        text.as_bytes(),
    ));
    let (covered, _) = capture(record, &["1234"], &mask());
    assert!(has(
        &covered,
        "Content-Length: 1234\r\n\r\nP1=xxxx\nP2=12345\nP3=a1234\n"
    ));
}

#[test]
fn a_refused_retrieval_ends_with_the_code() {
    let mut record = Record::new(1 << 20);
    let ports = (40_000, 21);
    record.push(&packet(Way::Sent, ports, tcp(Part::Opening), b""));
    let said = b"USER a\r\nPASS bcdef\r\nTYPE I\r\nPASV\r\nRETR f\r\n";
    record.push(&packet(Way::Sent, ports, tcp(Part::Data), said));
    let mut failed = packet(Way::Received, ports, tcp(Part::Failed), b"FTP reply 530");
    failed.length = 0;
    record.push(&failed);
    let (bytes, _) = capture(record, &[], &mask());
    assert!(has(&bytes, "530 Refused\r\n"));
    assert!(has(&bytes, "USER ") && !has(&bytes, "USER a\r\n") && !has(&bytes, "bcdef"));
    assert!(!has(&bytes, "RETR f\r\n"));
}

/// The blocks of a capture: kind and body.
fn blocks(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut blocks, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = word(at + 4) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(word(at + length - 4) as usize, length);
        blocks.push((word(at), &bytes[at + 8..at + length - 4]));
        at += length;
    }
    blocks
}

proptest! {
    #[test]
    fn arbitrary_packets_make_a_sound_file(
        packets in vec((vec(any::<u8>(), 0..200), 0_u32..70_000, any::<u16>(), 0_u8..12), 0..40),
    ) {
        let mut record = Record::new(1 << 20);
        for (bytes, missing, port, kind) in &packets {
            let way = if kind % 2 == 0 { Way::Sent } else { Way::Received };
            let carrier = match kind / 2 {
                0 => Carrier::Udp,
                1 => tcp(Part::Opening),
                2 => tcp(Part::Opened),
                3 => tcp(Part::Closed),
                4 => tcp(Part::Failed),
                _ => tcp(Part::Data),
            };
            let mut packet = packet(way, (40_000, *port), carrier, bytes);
            packet.length += missing;
            record.push(&packet);
        }
        let (bytes, written) = capture(record, &["abcd"], &mask());
        let blocks = blocks(&bytes);
        let frames = blocks.iter().filter(|(kind, _)| *kind == 6).count();
        prop_assert_eq!(frames as u64, written.frames);
        prop_assert_eq!(blocks.len(), frames + 2);
    }

    #[test]
    fn a_secret_is_covered_however_it_is_cut_into_chunks(cuts in vec(1_usize..9, 1..30)) {
        let text = "P1=a\nP34=the-secret-of-all\nP2=b\nauth.password=unknown-one\n";
        let mut body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        let mut covered_body = body.clone();
        let mut at = 0;
        let hidden = text
            .replace("the-secret-of-all", &"x".repeat(17))
            .replace("unknown-one", &"x".repeat(11));
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(text.len());
            body.push_str(&format!("{:x}\r\n{}\r\n", end - at, &text[at..end]));
            covered_body.push_str(&format!("{:x}\r\n{}\r\n", end - at, &hidden[at..end]));
            at = end;
            if at == text.len() {
                break;
            }
        }
        body.push_str("0\r\n\r\n");
        covered_body.push_str("0\r\n\r\n");
        let mut record = Record::new(1 << 20);
        record.push(&packet(Way::Received, (40_000, 80), tcp(Part::Data), body.as_bytes()));
        let covered = mask().covered(&mut record, &Known::of(&["the-secret-of-all".to_owned()]));
        prop_assert_eq!(String::from_utf8_lossy(covered.payload(0)), covered_body);
    }

    #[test]
    fn a_secret_is_covered_however_it_is_cut(cuts in vec(1_usize..9, 1..30)) {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nP1=a\nP34=the-secret-of-all\nP2=b\n";
        let mut record = Record::new(1 << 20);
        let mut rest = text;
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            record.push(&packet(Way::Received, (40_000, 80), tcp(Part::Data), piece.as_bytes()));
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        let covered = mask().covered(&mut record, &Known::of(&["the-secret-of-all".to_owned()]));
        let mut whole = Vec::new();
        for number in 0..record.len() {
            whole.extend_from_slice(covered.payload(number));
        }
        let filler = "x".repeat("the-secret-of-all".len());
        prop_assert_eq!(whole, text.replace("the-secret-of-all", &filler).into_bytes());
    }
}
