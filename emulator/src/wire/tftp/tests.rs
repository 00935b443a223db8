use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn rrq(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    read_request(&mut out, name, OCTET);
    option_number(&mut out, TSIZE, 0);
    option_number(&mut out, BLKSIZE, 512);
    option_number(&mut out, TIMEOUT, 3);
    out
}

#[test]
fn read_requests_have_the_frame_lengths_of_the_captures() {
    // WIRE-01, WIRE-02, FLY-52, FLY-70: the payload and 42 bytes of Ethernet, IPv4 and UDP.
    let frames = [
        ("0021f222b01d.cfg", 97),
        ("0021f222b01d", 93),
        ("0021f222b01d.boot", 98),
        ("y000000000000.boot", 99),
        ("y000000000000.cfg", 98),
        ("fifteen-letters", 96),
        ("common", 87),
        ("four", 85),
    ];
    for (name, frame) in frames {
        assert_eq!(rrq(name.as_bytes()).len() + 42, frame, "{name}");
    }
}

#[test]
fn reads_a_request_as_the_captures_show_it() {
    let bytes =
        b"\x00\x01/000b/820c/000b820c2371.md5\0octet\0tsize\x000\0blksize\x00512\0timeout\x003\0";
    let Ok(Packet::Read(request)) = decode(bytes) else {
        panic!("{:?}", decode(bytes));
    };
    assert_eq!(request.name, b"/000b/820c/000b820c2371.md5");
    assert!(request.is_octet());
    let options: Vec<_> = request.options.iter().collect();
    let expected: [(&[u8], &[u8]); 3] = [(TSIZE, b"0"), (BLKSIZE, b"512"), (TIMEOUT, b"3")];
    assert_eq!(options, expected);
    assert_eq!(rrq(b"/000b/820c/000b820c2371.md5"), bytes);
}

#[test]
fn modes_and_option_names_are_read_in_any_case() {
    let bytes = b"\x00\x01a\0OcTeT\0BLKSIZE\x001428\0tSize\x000\0";
    let Ok(Packet::Read(request)) = decode(bytes) else {
        panic!("{:?}", decode(bytes));
    };
    assert!(request.is_octet());
    assert_eq!(request.options.number(BLKSIZE), Some(Some(1428)));
    assert_eq!(request.options.number(TSIZE), Some(Some(0)));
    assert_eq!(request.options.number(TIMEOUT), None);
}

#[test]
fn reads_data_acks_and_errors() {
    assert_eq!(
        decode(&[0, 3, 1, 2, 9, 8]),
        Ok(Packet::Data {
            block: 0x0102,
            data: &[9, 8]
        })
    );
    assert_eq!(
        decode(&[0, 3, 0, 1]),
        Ok(Packet::Data {
            block: 1,
            data: &[]
        })
    );
    assert_eq!(
        decode(&[0, 4, 0xff, 0xff]),
        Ok(Packet::Ack { block: 65_535 })
    );
    assert_eq!(decode(&[0, 4, 0, 1, 0, 0]), Ok(Packet::Ack { block: 1 }));
    for (bytes, message) in [
        (
            &b"\x00\x05\x00\x01File not found.\0"[..],
            &b"File not found."[..],
        ),
        (b"\x00\x05\x00\x01File not found", b"File not found"),
        (b"\x00\x05\x00\x01", b""),
        (b"\x00\x05\x00\x01a\0b\0", b"a"),
    ] {
        assert_eq!(decode(bytes), Ok(Packet::Error { code: 1, message }));
    }
}

#[test]
fn an_option_ack_needs_its_last_zero_byte() {
    let whole = b"\x00\x06tsize\x002537\0blksize\x00512\0";
    let Ok(Packet::OptionAck(options)) = decode(whole) else {
        panic!("{:?}", decode(whole));
    };
    assert_eq!(options.number(TSIZE), Some(Some(2537)));
    // WIRE-05: the frame of 67 bytes, without `timeout`.
    assert_eq!(whole.len() + 42, 67);
    assert_eq!(
        decode(&whole[..whole.len() - 1]),
        Err(Malformed::new("option value without end", 21))
    );
}

#[test]
fn names_what_is_wrong_and_where() {
    let cases: [(&[u8], &str, usize); 12] = [
        (b"", "opcode cut short", 0),
        (b"\0", "opcode cut short", 0),
        (b"\x00\x00", "unknown opcode", 0),
        (b"\x00\x07\0", "unknown opcode", 0),
        (b"\x01\x01a\0octet\0", "unknown opcode", 0),
        (b"\x00\x01name", "file name without end", 2),
        (b"\x00\x02name\0octet", "mode without end", 7),
        (b"\x00\x01name\0octet\0tsize", "option name without end", 13),
        (
            b"\x00\x01name\0octet\0tsize\x000",
            "option value without end",
            19,
        ),
        (b"\x00\x01name\0octet\0\0x\0", "option without name", 13),
        (b"\x00\x03\x00", "block number cut short", 2),
        (b"\x00\x05", "error code cut short", 2),
    ];
    for (bytes, what, offset) in cases {
        assert_eq!(
            decode(bytes),
            Err(Malformed::new(what, offset)),
            "{bytes:?}"
        );
    }
}

#[test]
fn zero_bytes_behind_the_options_are_padding() {
    let bytes = b"\x00\x01a\0octet\0tsize\x000\0\0\0\0";
    let Ok(Packet::Read(request)) = decode(bytes) else {
        panic!("{:?}", decode(bytes));
    };
    assert_eq!(request.options.iter().count(), 1);
    let Ok(Packet::Read(plain)) = decode(b"\x00\x01a\0octet\0\0") else {
        panic!("padding only");
    };
    assert!(plain.options.is_empty());
}

#[test]
fn numbers_are_plain_decimal() {
    assert_eq!(number(b"0"), Some(0));
    assert_eq!(number(b"0512"), Some(512));
    assert_eq!(
        number(b"9999999999999999999"),
        Some(9_999_999_999_999_999_999)
    );
    for text in [
        &b""[..],
        b"-1",
        b"+1",
        b" 1",
        b"1 ",
        b"0x10",
        b"10000000000000000000000",
    ] {
        assert_eq!(number(text), None, "{text:?}");
    }
}

#[test]
fn a_zero_byte_in_a_name_cannot_add_options() {
    let mut out = Vec::new();
    read_request(&mut out, b"a\0octet\0blksize\x001\0", OCTET);
    assert_eq!(out, b"\x00\x01a\0octet\0");
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8..=255, 1..20)
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_malformed_within_them(bytes in vec(any::<u8>(), 0..200)) {
        if let Err(malformed) = decode(&bytes) {
            prop_assert!(malformed.offset as usize <= bytes.len());
        }
    }

    #[test]
    fn requests_and_option_acks_read_back(
        name in word(), mode in word(), pairs in vec((word(), word()), 0..5), size in any::<u64>(),
    ) {
        let mut bytes = Vec::new();
        read_request(&mut bytes, &name, &mode);
        let mut acked = Vec::new();
        option_ack(&mut acked);
        for (name, value) in &pairs {
            option(&mut bytes, name, value);
            option(&mut acked, name, value);
        }
        option_number(&mut bytes, b"n", size);
        let digits = size.to_string();
        let Ok(Packet::Read(request)) = decode(&bytes) else { panic!("{bytes:?}") };
        prop_assert_eq!(request.name, &name[..]);
        prop_assert_eq!(request.mode, &mode[..]);
        let expected: Vec<_> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let got: Vec<_> = request.options.iter().collect();
        prop_assert_eq!(&got[..pairs.len()], &expected[..]);
        prop_assert_eq!(&got[pairs.len()..], &[(&b"n"[..], digits.as_bytes())]);
        let Ok(Packet::OptionAck(options)) = decode(&acked) else { panic!("{acked:?}") };
        prop_assert_eq!(options.iter().collect::<Vec<_>>(), expected);
        let mut written = bytes.clone();
        written[1] = 2;
        prop_assert_eq!(decode(&written), Ok(Packet::Write(request)));
    }

    #[test]
    fn data_acks_and_errors_read_back(
        block in any::<u16>(), body in vec(any::<u8>(), 0..600), message in word(),
    ) {
        let mut bytes = Vec::new();
        data(&mut bytes, block, &body);
        prop_assert_eq!(decode(&bytes), Ok(Packet::Data { block, data: &body }));
        bytes.clear();
        ack(&mut bytes, block);
        prop_assert_eq!(decode(&bytes), Ok(Packet::Ack { block }));
        bytes.clear();
        error(&mut bytes, block, &message);
        prop_assert_eq!(decode(&bytes), Ok(Packet::Error { code: block, message: &message }));
        bytes.clear();
        bare_error(&mut bytes, block);
        prop_assert_eq!(bytes.len(), 4);
        prop_assert_eq!(decode(&bytes), Ok(Packet::Error { code: block, message: b"" }));
    }
}
