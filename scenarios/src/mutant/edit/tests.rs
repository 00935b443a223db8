use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::dhcp::{Encoder, Header, Message, MessageType};

use super::*;

fn set(protocol: Protocol, bytes: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let pairs = fields
        .iter()
        .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
    for (field, value) in fields {
        assert_eq!(protocol.refuses(field, Some(value)), None, "{field}");
    }
    changed(protocol, bytes, &Change::Set(pairs.collect()), false).unwrap()
}

fn remove(protocol: Protocol, bytes: &[u8], field: &str) -> Vec<u8> {
    assert_eq!(protocol.refuses(field, None), None);
    changed(protocol, bytes, &Change::Remove(field.to_owned()), false).unwrap()
}

fn ack() -> Vec<u8> {
    let mut out = Vec::new();
    let mac = Mac::parse("001f12abcdef").unwrap();
    let mut encoder = Encoder::begin(&mut out, &Header::request(7, mac));
    encoder.message_type(MessageType::Ack);
    encoder
        .option(66, b"tftp://10.0.0.2/")
        .option(51, &[0, 0, 14, 16]);
    encoder.finish(300);
    out
}

#[test]
fn options_of_dhcp_are_set_in_their_place_added_at_the_end_and_taken_out() {
    let packet = ack();
    let codes = |packet: &[u8]| -> Vec<u8> {
        let message = Message::decode(packet).unwrap();
        message.options().map(|(code, _)| code).collect()
    };
    let new = set(
        Protocol::Dhcp,
        &packet,
        &[
            ("option.66", "http://x/"),
            ("option.51", "0"),
            ("option.43.hex", "01 02ff"),
        ],
    );
    let message = Message::decode(&new).unwrap();
    assert_eq!(message.option(66), Some(&b"http://x/"[..]));
    assert_eq!(message.option(51), Some(&[0, 0, 0, 0][..]));
    assert_eq!(message.option(43), Some(&[1, 2, 255][..]));
    assert_eq!(codes(&new), [53, 66, 51, 43]);
    assert_eq!(
        codes(&remove(Protocol::Dhcp, &packet, "option.66")),
        [53, 51]
    );
    let long = "x".repeat(300);
    let split = set(Protocol::Dhcp, &packet, &[("option.66", &long)]);
    let message = Message::decode(&split).unwrap();
    assert_eq!(message.joined(66).unwrap().len(), 300);
    let same = set(
        Protocol::Dhcp,
        &packet,
        &[("option.66", "tftp://10.0.0.2/")],
    );
    assert_eq!(same, packet);
}

#[test]
fn fields_of_the_dhcp_header_are_set_and_blanked() {
    let new = set(
        Protocol::Dhcp,
        &ack(),
        &[
            ("xid", "+1"),
            ("yiaddr", "10.1.2.3"),
            ("broadcast", "true"),
            ("chaddr", "00:11:22:33:44:55"),
            ("sname", "here"),
            ("secs", "70"),
        ],
    );
    let message = Message::decode(&new).unwrap();
    assert_eq!(
        (message.xid(), message.secs(), message.broadcast()),
        (8, 70, true)
    );
    assert_eq!(message.yiaddr().to_string(), "10.1.2.3");
    assert_eq!(message.mac().unwrap().to_string(), "001122334455");
    assert_eq!(message.sname(), b"here");
    let new = set(Protocol::Dhcp, &new, &[("xid", "c0ffee")]);
    assert_eq!(Message::decode(&new).unwrap().xid(), 0x00c0_ffee);
    let blank = remove(Protocol::Dhcp, &new, "sname");
    assert_eq!(Message::decode(&blank).unwrap().sname(), b"");
    assert_eq!(
        changed(
            Protocol::Dhcp,
            b"short",
            &Change::Remove("file".into()),
            false
        ),
        None
    );
}

#[test]
fn tftp_packets_keep_what_is_not_named() {
    let rrq = b"\0\x01a.cfg\0octet\0blksize\x001024\0TSIZE\x000\0";
    let cases: [(&[u8], &str, &str, &[u8]); 9] = [
        (
            rrq,
            "file",
            "b",
            b"\0\x01b\0octet\0blksize\x001024\0TSIZE\x000\0",
        ),
        (
            rrq,
            "mode",
            "netascii",
            b"\0\x01a.cfg\0netascii\0blksize\x001024\0TSIZE\x000\0",
        ),
        (
            rrq,
            "option.tsize",
            "7",
            b"\0\x01a.cfg\0octet\0blksize\x001024\0TSIZE\x007\0".as_slice(),
        ),
        (
            rrq,
            "option.x",
            "y",
            b"\0\x01a.cfg\0octet\0blksize\x001024\0TSIZE\x000\0x\0y\0",
        ),
        (b"\0\x03\xff\xffab", "block", "+1", b"\0\x03\0\0ab"),
        (b"\0\x04\0\0", "block", "-1", b"\0\x04\xff\xff"),
        (b"\0\x05\0\x01no\0", "text", "yes", b"\0\x05\0\x01yes\0"),
        (b"\0\x06a\0b\0", "option.a", "c", b"\0\x06a\0c\0"),
        (b"\0\x06a\x009\0", "option.a", "+1", b"\0\x06a\x0010\0"),
    ];
    for (packet, field, value, expected) in cases {
        let field = match field {
            // The name keeps its case where the option is there.
            "option.tsize" => "option.TSIZE",
            field => field,
        };
        let new = set(Protocol::Tftp, packet, &[(field, value)]);
        assert_eq!(
            new.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
    assert_eq!(
        remove(Protocol::Tftp, rrq, "options"),
        b"\0\x01a.cfg\0octet\0"
    );
    assert_eq!(
        remove(Protocol::Tftp, rrq, "option.blksize"),
        b"\0\x01a.cfg\0octet\0TSIZE\x000\0"
    );
    assert_eq!(
        remove(Protocol::Tftp, b"\0\x06a\0b\0", "options"),
        b"\0\x06"
    );
    let change = Change::Set(vec![("block".into(), "1".into())]);
    let untouched = changed(Protocol::Tftp, rrq, &change, false);
    assert_eq!(untouched.as_deref(), Some(&rrq[..]));
}

#[test]
fn heads_keep_order_and_case_and_content_length_is_right_unless_kept() {
    let response = b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-LENGTH: 4\r\nEtag: \"a\"\r\n\r\nbody";
    let text = |change: &Change, keep| {
        let new = changed(Protocol::Http, response, change, keep);
        String::from_utf8(new.unwrap()).unwrap()
    };
    let set = |field: &str, value: &str| Change::Set(vec![(field.into(), value.into())]);
    let head = "HTTP/1.1 200 OK\r\nX-A: 1\r\n";
    for (change, keep, expected) in [
        (
            set("body", "longer"),
            false,
            "content-LENGTH: 6\r\nEtag: \"a\"\r\n\r\nlonger",
        ),
        (
            set("body", "longer"),
            true,
            "content-LENGTH: 4\r\nEtag: \"a\"\r\n\r\nlonger",
        ),
        (
            set("header.etag", "b"),
            false,
            "content-LENGTH: 4\r\nEtag: b\r\n\r\nbody",
        ),
        (
            set("header.New", "b"),
            false,
            "content-LENGTH: 4\r\nEtag: \"a\"\r\nNew: b\r\n\r\nbody",
        ),
        (
            set("header.content-length", "9"),
            false,
            "content-LENGTH: 9\r\nEtag: \"a\"\r\n\r\nbody",
        ),
        (
            Change::Remove("header.ETAG".into()),
            false,
            "content-LENGTH: 4\r\n\r\nbody",
        ),
        (
            Change::Remove("header.content-length".into()),
            false,
            "Etag: \"a\"\r\n\r\nbody",
        ),
        (
            Change::Cut(1),
            false,
            "content-LENGTH: 1\r\nEtag: \"a\"\r\n\r\nb",
        ),
        (
            Change::Append(b"!".to_vec()),
            true,
            "content-LENGTH: 4\r\nEtag: \"a\"\r\n\r\nbody!",
        ),
        (
            Change::Replace(b"o".to_vec(), b"0o".to_vec()),
            false,
            "c0ontent-LENGTH: 4\r\nEtag: \"a\"\r\n\r\nb0ody",
        ),
    ] {
        assert_eq!(
            text(&change, keep),
            format!("{head}{expected}"),
            "{change:?}"
        );
    }
    let status = text(&set("status", "404"), false);
    assert!(
        status.starts_with("HTTP/1.1 404 Not Found\r\nX-A: 1\r\n"),
        "{status}"
    );
}

#[test]
fn sip_headers_are_found_by_their_short_names_too() {
    let notify = b"NOTIFY sip:a@b SIP/2.0\r\nl: 3\r\no: ua-profile\r\nVia: x\r\n\r\nabc";
    let new = set(
        Protocol::Sip,
        notify,
        &[("header.Event", "other"), ("body", "a"), ("uri", "sip:c@d")],
    );
    assert_eq!(
        String::from_utf8(new).unwrap(),
        "NOTIFY sip:c@d SIP/2.0\r\nl: 1\r\no: other\r\nVia: x\r\n\r\na"
    );
    let response = set(
        Protocol::Sip,
        b"SIP/2.0 200 OK\r\n\r\n",
        &[("status", "481")],
    );
    assert!(response.starts_with(b"SIP/2.0 481 "), "{response:?}");
}

#[test]
fn bits_of_sntp_are_set_beside_the_others() {
    let packet = [0b0010_0100, 2, 6, 0];
    let new = set(
        Protocol::Ntp,
        &packet,
        &[("leap", "3"), ("stratum", "16"), ("mode", "5")],
    );
    assert_eq!(new, [0b1110_0101, 16, 6, 0]);
    let mut packet = [0; 48];
    packet[31] = 255;
    let new = set(Protocol::Ntp, &packet, &[("originate", "+1")]);
    assert_eq!(new[24..32], [0, 0, 0, 0, 0, 0, 1, 0]);
    assert!(Protocol::Ntp.refuses("stratum", Some("256")).is_some());
}

#[test]
fn hostile_bytes_are_left_alone_or_changed_but_never_a_panic() {
    let changes = [
        Change::Set(vec![
            ("option.66".into(), "x".into()),
            ("block".into(), "+1".into()),
            ("status".into(), "404".into()),
            ("header.a".into(), "b".into()),
            ("stratum".into(), "1".into()),
        ]),
        Change::Remove("option.66".into()),
        Change::Remove("options".into()),
        Change::Remove("header.a".into()),
        Change::Replace(b"a".to_vec(), Vec::new()),
        Change::Cut(3),
    ];
    let mut whole = ack();
    whole.extend_from_slice(b"HTTP/1.1\r\n\r\n");
    for (protocol, _) in Protocol::ALL {
        for change in &changes {
            for end in 0..whole.len() {
                let _ = changed(protocol, &whole[..end], change, false);
                let _ = changed(protocol, &whole[end..], change, true);
            }
        }
    }
}
