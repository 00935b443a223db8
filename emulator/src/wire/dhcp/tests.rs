use dhcproto::v4::{self, DhcpOption, OptionCode, UnknownOption};
use dhcproto::{Decodable, Decoder, Encodable};
use proptest::prelude::*;

use super::*;

const MAC: Mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d]);

fn header() -> Header<'static> {
    Header::request(0xf844_8829, MAC)
}

/// A message with these bytes after the cookie.
fn raw(options: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    Encoder::begin(&mut packet, &header()).finish(0);
    packet.truncate(OPTIONS_AT);
    packet.extend_from_slice(options);
    packet
}

fn listed(packet: &[u8]) -> Vec<(u8, Vec<u8>)> {
    Message::decode(packet)
        .unwrap()
        .options()
        .map(|(code, value)| (code, value.to_vec()))
        .collect()
}

#[test]
fn writes_options_in_the_order_given_and_pads_after_the_end() {
    let mut packet = b"before".to_vec();
    let mut encoder = Encoder::begin(&mut packet, &header());
    encoder
        .message_type(MessageType::Discover)
        .option(61, &[1, 0, 0x21, 0xf2, 0x22, 0xb0, 0x1d])
        .option_with(60, |out| out.extend_from_slice(b"udhcp"))
        .option_with(12, |_| {})
        .option(55, &[1, 3, 66]);
    encoder.finish(548);
    let message = packet.strip_prefix(b"before").unwrap();
    assert_eq!(message.len(), 548);
    let options = [
        &[53, 1, 1][..],
        &[61, 7, 1, 0, 0x21, 0xf2, 0x22, 0xb0, 0x1d],
        b"\x3c\x05udhcp",
        &[55, 3, 1, 3, 66, 255],
    ]
    .concat();
    assert_eq!(message[240..240 + options.len()], options);
    assert!(message[240 + options.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn lets_a_message_longer_than_the_padding_be() {
    let mut packet = Vec::new();
    Encoder::begin(&mut packet, &header()).finish(100);
    assert_eq!(packet.len(), 241);
}

#[test]
fn reads_every_field_of_the_header() {
    let mut packet = Vec::new();
    let header = Header {
        op: BOOT_REPLY,
        hops: 2,
        secs: 0x0102,
        broadcast: true,
        ciaddr: [10, 0, 0, 1].into(),
        yiaddr: [10, 0, 0, 2].into(),
        siaddr: [10, 0, 0, 3].into(),
        giaddr: [10, 0, 0, 4].into(),
        sname: b"server",
        file: b"boot.cfg",
        ..header()
    };
    Encoder::begin(&mut packet, &header).finish(0);
    let message = Message::decode(&packet).unwrap();
    assert_eq!((message.op(), message.hops()), (BOOT_REPLY, 2));
    assert_eq!((message.htype(), message.hlen()), (1, 6));
    assert_eq!((message.xid(), message.secs()), (0xf844_8829, 0x0102));
    assert_eq!((message.flags(), message.broadcast()), (0x8000, true));
    assert_eq!(message.ciaddr(), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(message.yiaddr(), Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(message.siaddr(), Ipv4Addr::new(10, 0, 0, 3));
    assert_eq!(message.giaddr(), Ipv4Addr::new(10, 0, 0, 4));
    assert_eq!((message.chaddr(), message.mac()), (&MAC.0[..], Some(MAC)));
    assert_eq!(message.sname(), b"server");
    assert_eq!(message.file(), b"boot.cfg");
}

#[test]
fn cuts_names_so_that_a_nul_follows() {
    let mut packet = Vec::new();
    let header = Header {
        sname: &[b's'; 70],
        file: &[b'f'; 200],
        ..header()
    };
    Encoder::begin(&mut packet, &header).finish(0);
    let message = Message::decode(&packet).unwrap();
    assert_eq!(message.sname(), [b's'; 63]);
    assert_eq!(message.file(), [b'f'; 127]);
}

#[test]
fn survives_a_hardware_address_longer_than_its_field() {
    let mut packet = raw(&[255]);
    packet[2] = 255;
    let message = Message::decode(&packet).unwrap();
    assert_eq!(message.hlen(), 255);
    assert_eq!(message.chaddr().len(), CHADDR_BYTES);
    assert_eq!(message.mac(), None);
    assert_eq!(chaddr_of(&packet), None);
    packet[2] = 6;
    packet[1] = 32;
    assert_eq!(Message::decode(&packet).unwrap().mac(), None);
    assert_eq!(chaddr_of(&packet), None);
}

#[test]
fn reads_overloaded_fields_after_the_options_file_first() {
    let mut packet = raw(&[0, 53, 1, 5, 52, 1, 3, 0, 255, 66, 9, 9]);
    packet[108..108 + 7].copy_from_slice(&[0, 66, 2, b'b', b'c', 255, 7]);
    packet[44..44 + 6].copy_from_slice(&[66, 1, b'd', 52, 1, 2]);
    let expected = [
        (53, vec![5]),
        (52, vec![3]),
        (66, b"bc".to_vec()),
        (66, b"d".to_vec()),
        (52, vec![2]),
    ];
    assert_eq!(listed(&packet), expected);
    let message = Message::decode(&packet).unwrap();
    assert_eq!((message.sname(), message.file()), (&b""[..], &b""[..]));
    assert_eq!(message.joined(66).unwrap().as_ref(), b"bcd");
}

#[test]
fn reads_only_the_field_that_is_overloaded() {
    for (overload, found) in [(1, &b"f"[..]), (2, b"s")] {
        let mut packet = raw(&[52, 1, overload, 255]);
        packet[108..112].copy_from_slice(&[66, 1, b'f', 255]);
        packet[44..48].copy_from_slice(&[66, 1, b's', 255]);
        let message = Message::decode(&packet).unwrap();
        assert_eq!(message.joined(66).as_deref(), Some(found), "{overload}");
        assert_eq!(message.sname().is_empty(), overload == 2);
        assert_eq!(message.file().is_empty(), overload == 1);
    }
}

#[test]
fn joins_split_options_and_borrows_whole_ones() {
    let packet = raw(&[66, 2, b'a', b'b', 51, 0, 66, 1, b'c', 255]);
    let message = Message::decode(&packet).unwrap();
    assert_eq!(message.option(66), Some(&b"ab"[..]));
    assert!(matches!(message.joined(66), Some(Cow::Owned(text)) if text == b"abc"));
    assert!(matches!(message.joined(51), Some(Cow::Borrowed(b""))));
    assert_eq!(message.joined(67), None);
}

#[test]
fn splits_a_value_that_is_too_long_for_one_option() {
    for length in [0, 1, 254, 255, 256, 510, 511, 2000] {
        let value: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut direct = Vec::new();
        let mut encoder = Encoder::begin(&mut direct, &header());
        encoder.option(43, &value);
        encoder.finish(0);
        let joined = Message::decode(&direct).unwrap().joined(43);
        assert_eq!(joined.as_deref(), Some(&value[..]), "{length}");
        let mut deferred = Vec::new();
        let mut encoder = Encoder::begin(&mut deferred, &header());
        encoder.option_with(43, |out| out.extend_from_slice(&value));
        encoder.finish(0);
        if length > 0 {
            assert_eq!(direct, deferred, "{length}");
        } else {
            assert_eq!(listed(&deferred), []);
        }
    }
}

#[test]
fn says_where_a_message_breaks_off() {
    let fault = |packet: &[u8]| Message::decode(packet).unwrap_err().to_string();
    assert_eq!(fault(&[]), "message ends inside the fixed header at byte 0");
    let packet = raw(&[]);
    assert_eq!(
        fault(&packet[..235]),
        "message ends inside the fixed header at byte 235"
    );
    assert_eq!(fault(&packet[..239]), "no magic cookie at byte 236");
    assert_eq!(
        fault(&raw(&[53, 1, 1, 66])),
        "options end inside an option at byte 243"
    );
    assert_eq!(
        fault(&raw(&[0, 66, 4, 1, 2, 3])),
        "options end inside an option at byte 241"
    );
    for bad in [&[52, 1, 0][..], &[52, 1, 4], &[52, 2, 1, 1], &[52, 0]] {
        assert_eq!(
            fault(&raw(bad)),
            "option 52 is not 1, 2 or 3 at byte 242",
            "{bad:?}"
        );
    }
    let mut cut = raw(&[52, 1, 1, 255]);
    cut[108 + 126..236].copy_from_slice(&[66, 1]);
    assert_eq!(fault(&cut), "options end inside an option at byte 234");
    let mut cut = raw(&[52, 1, 2, 255]);
    cut[107] = 66;
    assert_eq!(fault(&cut), "options end inside an option at byte 107");
}

#[test]
fn tolerates_a_missing_end() {
    assert_eq!(listed(&raw(&[53, 1, 2])), [(53, vec![2])]);
    assert_eq!(listed(&raw(&[])), []);
}

#[test]
fn refuses_values_of_the_wrong_size() {
    let packet = raw(&[53, 2, 1, 1, 54, 3, 1, 2, 3, 51, 5, 0, 0, 0, 0, 1, 255]);
    let message = Message::decode(&packet).unwrap();
    assert_eq!(message.message_type(), None);
    assert_eq!(message.address(54), None);
    assert_eq!(message.number(51), None);
    for (number, known) in [(0, false), (1, true), (8, true), (9, false), (255, false)] {
        let packet = raw(&[53, 1, number]);
        let kind = Message::decode(&packet).unwrap().message_type();
        assert_eq!(kind.map(|kind| kind as u8), known.then_some(number));
    }
}

#[test]
fn takes_text_with_and_without_nul() {
    assert_eq!(text(b"192.168.50.92"), Some("192.168.50.92"));
    assert_eq!(text(b"http://foo\0"), Some("http://foo"));
    assert_eq!(text(b"a\0b\0\0"), Some("a\0b"));
    assert_eq!((text(b""), text(b"\0")), (Some(""), Some("")));
    assert_eq!(text(b"\xff"), None);
}

#[test]
fn relays_by_counting_the_hop_and_naming_the_first_relay_only() {
    let mut packet = raw(&[53, 1, 1, 255]);
    assert!(set_relay(&mut packet, [10, 0, 0, 1].into()));
    assert!(set_relay(&mut packet, [10, 0, 0, 2].into()));
    let message = Message::decode(&packet).unwrap();
    assert_eq!(message.hops(), 2);
    assert_eq!(message.giaddr(), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(xid_of(&packet), Some(0xf844_8829));
    assert_eq!(chaddr_of(&packet), Some(MAC));
    packet[3] = 255;
    assert!(set_relay(&mut packet, [10, 0, 0, 2].into()));
    assert_eq!(packet[3], 255);
    let mut short = vec![0; HEADER_BYTES - 1];
    assert!(!set_relay(&mut short, [10, 0, 0, 1].into()));
    assert!(short.iter().all(|byte| *byte == 0));
    assert_eq!((xid_of(&short), chaddr_of(&short)), (None, None));
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

/// Options that the oracle keeps as they are: codes without a meaning, each once.
fn opaque_options() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let value = prop::collection::vec(any::<u8>(), 0..600);
    prop::collection::btree_map(224_u8..255, value, 0..8)
        .prop_map(|options| options.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    #[test]
    fn reads_what_the_oracle_writes(
        xid: u32, secs: u16, hops: u8, flags: u16,
        addresses in prop::array::uniform4(address()),
        chaddr in prop::collection::vec(any::<u8>(), 0..=16),
        sname in "[a-z]{0,63}", file in "[a-z]{1,127}",
        options in opaque_options(),
    ) {
        let [ciaddr, yiaddr, siaddr, giaddr] = addresses;
        let mut oracle =
            v4::Message::new_with_id(xid, ciaddr, yiaddr, siaddr, giaddr, &chaddr);
        oracle.set_opcode(v4::Opcode::BootReply).set_secs(secs).set_hops(hops);
        oracle.set_flags(v4::Flags::from(flags)).set_fname_str(&file);
        if !sname.is_empty() {
            oracle.set_sname_str(&sname);
        }
        oracle.opts_mut().insert(DhcpOption::MessageType(v4::MessageType::Ack));
        oracle.opts_mut().insert(DhcpOption::AddressLeaseTime(xid));
        for (code, value) in &options {
            let unknown = UnknownOption::new(OptionCode::from(*code), value.clone());
            oracle.opts_mut().insert(DhcpOption::Unknown(unknown));
        }
        let packet = oracle.to_vec().unwrap();
        let message = Message::decode(&packet).unwrap();
        prop_assert_eq!((message.op(), message.xid(), message.secs()), (2, xid, secs));
        prop_assert_eq!((message.hops(), message.flags()), (hops, flags));
        prop_assert_eq!([message.ciaddr(), message.yiaddr()], [ciaddr, yiaddr]);
        prop_assert_eq!([message.siaddr(), message.giaddr()], [siaddr, giaddr]);
        prop_assert_eq!(message.chaddr(), &chaddr[..]);
        prop_assert_eq!(message.sname(), sname.as_bytes());
        prop_assert_eq!(message.file(), file.as_bytes());
        prop_assert_eq!(message.message_type(), Some(MessageType::Ack));
        prop_assert_eq!(message.number(code::LEASE_TIME), Some(xid));
        for (code, value) in options.iter().filter(|(_, value)| !value.is_empty()) {
            let joined = message.joined(*code);
            prop_assert_eq!(joined.as_deref(), Some(&value[..]));
        }
    }

    #[test]
    fn writes_what_the_oracle_reads(
        xid: u32, secs: u16, hops: u8, broadcast: bool,
        addresses in prop::array::uniform4(address()),
        mac: [u8; 6],
        sname in "[a-z]{0,63}", file in "[a-z]{0,127}",
        options in opaque_options(), total in 0_usize..1500,
    ) {
        let [ciaddr, yiaddr, siaddr, giaddr] = addresses;
        let header = Header {
            op: BOOT_REPLY, hops, xid, secs, broadcast, ciaddr, yiaddr, siaddr, giaddr,
            mac: Mac(mac), sname: sname.as_bytes(), file: file.as_bytes(),
        };
        let mut packet = Vec::new();
        let mut encoder = Encoder::begin(&mut packet, &header);
        encoder.message_type(MessageType::Offer).option(code::SERVER_ID, &siaddr.octets());
        for (code, value) in &options {
            encoder.option(*code, value);
        }
        encoder.finish(total);
        prop_assert!(packet.len() >= total);
        let oracle = v4::Message::decode(&mut Decoder::new(&packet)).unwrap();
        prop_assert_eq!(oracle.opcode(), v4::Opcode::BootReply);
        prop_assert_eq!((oracle.xid(), oracle.secs(), oracle.hops()), (xid, secs, hops));
        prop_assert_eq!(oracle.flags().broadcast(), broadcast);
        prop_assert_eq!([oracle.ciaddr(), oracle.yiaddr()], [ciaddr, yiaddr]);
        prop_assert_eq!([oracle.siaddr(), oracle.giaddr()], [siaddr, giaddr]);
        prop_assert_eq!(oracle.chaddr(), &mac[..]);
        prop_assert_eq!(before_nul(oracle.sname().unwrap_or_default()), sname.as_bytes());
        prop_assert_eq!(before_nul(oracle.fname().unwrap_or_default()), file.as_bytes());
        prop_assert_eq!(oracle.opts().msg_type(), Some(v4::MessageType::Offer));
        let server = oracle.opts().get(OptionCode::ServerIdentifier);
        prop_assert_eq!(server, Some(&DhcpOption::ServerIdentifier(siaddr)));
        for (code, value) in &options {
            match oracle.opts().get(OptionCode::from(*code)) {
                Some(DhcpOption::Unknown(found)) => prop_assert_eq!(found.data(), &value[..]),
                found => prop_assert!(false, "option {} came out as {:?}", code, found),
            }
        }
    }

    #[test]
    fn takes_any_bytes_without_panic(
        mut packet in prop::collection::vec(any::<u8>(), 0..700), whole: bool,
    ) {
        if whole && packet.len() >= OPTIONS_AT {
            packet[HEADER_BYTES..OPTIONS_AT].copy_from_slice(&COOKIE);
        }
        if let Ok(message) = Message::decode(&packet) {
            let bytes: usize = message.options().map(|(_, value)| value.len() + 2).sum();
            prop_assert!(bytes <= packet.len() - OPTIONS_AT + SNAME_BYTES + FILE_BYTES);
            let _ = (message.message_type(), message.joined(66), message.chaddr());
            let _ = (message.sname(), message.file(), message.mac());
        }
        let _ = (chaddr_of(&packet), xid_of(&packet), text(&packet));
        let _ = set_relay(&mut packet, Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn takes_a_message_cut_anywhere_without_panic(
        options in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..9,
        ),
        overload in 0_u8..4, cut: prop::sample::Index, flip: prop::sample::Index, bits: u8,
    ) {
        let mut packet = Vec::new();
        let mut encoder = Encoder::begin(&mut packet, &header());
        encoder.option(code::OVERLOAD, &[overload]);
        for (code, value) in &options {
            encoder.option(*code, value);
        }
        encoder.finish(0);
        let at = flip.index(packet.len());
        packet[at] ^= bits;
        packet.truncate(cut.index(packet.len() + 1));
        match Message::decode(&packet) {
            Ok(message) => prop_assert!(message.options().count() <= packet.len()),
            Err(fault) => prop_assert!(usize::try_from(fault.offset).unwrap() <= packet.len()),
        }
    }
}
