//! A client whose page says which option holds the URL, as the trace of Figure 7 shows it.

use super::*;

/// Figure 7, with the text's list.
fn short() -> DhcpSpec {
    DhcpSpec {
        message_bytes: 0,
        options: vec![
            DhcpOption::MessageType,
            DhcpOption::ClientId,
            DhcpOption::HostName,
            DhcpOption::RequestedAddress,
            DhcpOption::ServerId,
            DhcpOption::Parameters,
        ],
        parameters: vec![1, 28, 3, 2, 4, URL_OPTION, 6],
        parameters_with_67: Vec::new(),
        vendor_class: Template::default(),
        host_name: template("{model}"),
        offer_window: seconds(5),
        constant_xid: false,
        xid_from_mac: true,
        run_at_renewal: true,
        ..udhcp()
    }
}

fn stand(dhcp: DhcpSpec) -> Stand {
    let chosen = Source {
        kind: SourceKind::DhcpChosen,
        ..source(66, None)
    };
    Stand::of(Profile {
        sources: vec![chosen],
        ..profile(dhcp)
    })
}

fn started(dhcp: DhcpSpec, url_option: Option<u8>) -> Stand {
    let mut stand = stand(dhcp);
    stand.step(|client, turn| {
        client.start(
            turn,
            Asked {
                with_67: false,
                url_option,
            },
        );
        None
    });
    stand
}

fn list(stand: &Stand) -> Vec<u8> {
    stand.last().option(55).unwrap().to_vec()
}

/// As another decoder reads the last message.
fn oracle(stand: &Stand) -> v4::Message {
    let bytes = stand.sent.last().unwrap();
    v4::Message::decode(&mut Decoder::new(bytes)).unwrap()
}

// FAN-74, FAN-75, FAN-76, FAN-81: 309 and 321 bytes on the wire are 267 and 279 of DHCP.
#[test]
fn sends_messages_as_short_as_those_of_the_trace() {
    let mut stand = started(short(), Some(66));
    assert_eq!(stand.sent.last().unwrap().len(), 267);
    assert_eq!(stand.codes(), [53, 61, 12, 55]);
    assert_eq!(stand.last().option(12), Some(&b"C62"[..]));
    let discover = oracle(&stand);
    assert_eq!((discover.secs(), u16::from(discover.flags())), (0, 0));
    stand.take(&stand.offer());
    stand.wait();
    assert_eq!(stand.sent.last().unwrap().len(), 279);
    assert_eq!(stand.codes(), [53, 61, 12, 50, 54, 55]);
    let request = oracle(&stand);
    let known = |code| request.opts().get(code).is_some();
    assert!(known(v4::OptionCode::RequestedIpAddress));
    assert!(known(v4::OptionCode::ServerIdentifier));
    assert_eq!(request.opts().msg_type(), Some(v4::MessageType::Request));
}

// FAN-64, FAN-65, FAN-67, FAN-68, FAN-69, FAN-70: DISCOVER and REQUEST ask for the chosen option
// only, in its place; with none chosen that place is left out.
#[test]
fn asks_for_the_chosen_option_in_its_place() {
    for (chosen, expected) in [
        (Some(43), &[0x01, 0x1c, 0x03, 0x02, 0x04, 0x2b, 0x06][..]),
        (Some(66), &[0x01, 0x1c, 0x03, 0x02, 0x04, 0x42, 0x06]),
        (Some(128), &[0x01, 0x1c, 0x03, 0x02, 0x04, 0x80, 0x06]),
        (Some(254), &[0x01, 0x1c, 0x03, 0x02, 0x04, 0xfe, 0x06]),
        (None, &[0x01, 0x1c, 0x03, 0x02, 0x04, 0x06]),
    ] {
        let mut stand = started(short(), chosen);
        assert_eq!(list(&stand), expected);
        stand.take(&stand.offer());
        stand.wait();
        assert_eq!(list(&stand), expected);
    }
}

// FAN-79: Figure 7 has 4.99 to 5.00 s from OFFER to REQUEST, in both exchanges.
#[test]
fn requests_five_seconds_after_the_offer() {
    let mut stand = started(short(), Some(66));
    stand.after(1_300);
    stand.take(&stand.offer());
    stand.after(2_000);
    stand.take(&stand.offer());
    assert_eq!(stand.sent.len(), 1);
    assert_eq!(stand.wait(), 3_000);
    assert_eq!(stand.last().message_type(), Some(MessageType::Request));
}

// FAN-79: within the window an offer with the option is better than one without.
#[test]
fn chooses_the_offer_that_holds_the_chosen_option() {
    let mut stand = started(short(), Some(160));
    stand.take(&stand.offer());
    let url = b"tftp://192.168.1.118/$mac.cfg".to_vec();
    let mut other = stand.offer();
    other.options.retain(|(code, _)| *code != 54);
    other.options.push((54, OTHER.octets().to_vec()));
    other.options.push((160, url));
    stand.take(&other);
    stand.wait();
    assert_eq!(stand.last().address(code::SERVER_ID), Some(OTHER));
}

// FAN-80: two boots, one transaction id, and that of another phone is another.
#[test]
fn uses_one_transaction_id_in_every_boot() {
    let mut stand = started(short(), Some(66));
    let first = stand.last().xid();
    assert_eq!(first, 0xf222_b01d);
    stand.take(&stand.offer());
    stand.wait();
    assert_eq!(stand.last().xid(), first);
    stand.rng = Rng::new(99);
    stand.client = DhcpClient::default();
    stand.after(140_800);
    stand.start(false);
    assert_eq!(stand.last().xid(), first);
}

// FAN-71, FAN-72, FAN-73: the option is text, 43 like the others.
#[test]
fn keeps_the_chosen_option_as_it_stands() {
    for chosen in [43, 66, 128, 254] {
        let url = b"tftp://192.168.1.118/$mac.cfg";
        assert_eq!(url.len(), 29);
        let mut stand = started(short(), Some(chosen));
        stand.take(&stand.offer());
        stand.wait();
        let mut ack = stand.ack();
        ack.options.push((chosen, url.to_vec()));
        ack.options
            .push((if chosen == 66 { 43 } else { 66 }, b"tftp://other".to_vec()));
        stand.take(&ack);
        let lease = stand.client.lease().unwrap();
        assert_eq!(lease.text(chosen).map(str::as_bytes), Some(&url[..]));
        // FAN-70: nothing else is looked at.
        assert_eq!(lease.options.len(), 1);
    }
}

// FAN-66, FAN-85: a renewal is news where it brings the option, and where the profile says so.
#[test]
fn tells_of_a_renewal_that_brings_the_option_again() {
    for (chosen, given, says, expected) in [
        (Some(43), 43, true, Some(LeaseNews::Renewed)),
        (Some(66), 43, true, None),
        (None, 43, true, None),
        (Some(43), 43, false, None),
    ] {
        let mut stand = started(
            DhcpSpec {
                run_at_renewal: says,
                ..short()
            },
            chosen,
        );
        stand.take(&stand.offer());
        stand.wait();
        let mut ack = stand.ack();
        ack.options.push((given, b"http://a/b".to_vec()));
        stand.take(&ack);
        assert_eq!(stand.news, Some(LeaseNews::Bound));
        stand.wait();
        let mut ack = stand.ack();
        ack.options.push((given, b"http://a/b".to_vec()));
        stand.take(&ack);
        assert_eq!(stand.news, expected, "{chosen:?} {given} {says}");
    }
}

// FAN-66: what was chosen since counts with the renewal.
#[test]
fn asks_for_another_option_from_the_next_renewal_on() {
    let mut stand = started(short(), Some(66));
    stand.take(&stand.offer());
    stand.wait();
    stand.take(&stand.ack());
    stand.step(|client, _| {
        client.ask_for(Some(43));
        None
    });
    stand.wait();
    assert_eq!(list(&stand), [1, 28, 3, 2, 4, 43, 6]);
    let mut ack = stand.ack();
    ack.options.push((43, b"http://a/b".to_vec()));
    stand.take(&ack);
    assert_eq!(stand.client.lease().unwrap().text(43), Some("http://a/b"));
}

// FAN-63, FAN-96: an address that somebody typed has no options, and nobody is told of its end.
#[test]
fn holds_a_typed_address_without_a_word() {
    let mut stand = stand(short());
    stand.step(|client, turn| Some(client.configure(turn, ADDRESS)));
    assert_eq!(stand.news, Some(LeaseNews::Bound));
    assert_eq!(stand.client.deadline(), None);
    stand.expect(&["address 192.168.50.10"]);
    stand.release();
    stand.expect(&["no address"]);
    assert!(stand.client.lease().is_none());
}
