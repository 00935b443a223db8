mod mutants;

use super::*;
use crate::reference::content::Tree;
use crate::reference::pnp::{Phones, PnpRule, PnpUrl};
use bootstorm_emulator::wire::tftp as wire;
use dhcproto::Encodable;
use std::net::Ipv4Addr;
use std::time::Duration;

const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 42_000);

fn config() -> ReferenceConfig {
    let mut tree = Tree::default();
    tree.insert("0021f222b01d.cfg", *b"account.1.enable=1\n")
        .unwrap();
    let mut config = ReferenceConfig::files(Source::tree(tree));
    config.dhcp = Some(DhcpConfig::new(
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(127, 1, 0, 1),
        Ipv4Addr::new(127, 1, 0, 9),
        Ipv4Addr::new(255, 0, 0, 0),
    ));
    let mut pnp = PnpConfig::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7_777));
    pnp.rules = vec![PnpRule {
        when: Phones::Any,
        url: PnpUrl::Text("tftp://127.0.0.1/{mac}.cfg".to_owned()),
    }];
    config.pnp = Some(pnp);
    config
}

fn rrq() -> Vec<u8> {
    let mut out = Vec::new();
    wire::read_request(&mut out, b"0021f222b01d.cfg", wire::OCTET);
    out
}

const SUBSCRIBE: &str = "SUBSCRIBE sip:MAC0021f222b01d@224.0.1.75 SIP/2.0\r\nVia: SIP/2.0/UDP \
    127.0.0.9:42000;branch=z9hG4bK1\r\nFrom: <sip:MAC0021f222b01d@224.0.1.75>;tag=1\r\n\
    To: <sip:MAC0021f222b01d@224.0.1.75>\r\nCall-ID: 1@x\r\nCSeq: 1 SUBSCRIBE\r\n\
    Event: ua-profile\r\n\r\n";

#[test]
fn hands_each_datagram_to_the_protocol_of_its_endpoint() {
    let mut reference = Reference::new(config());
    let mut replies = Replies::default();
    let now = Moment::from_millis(3);
    let mut discover = dhcproto::v4::Message::default();
    discover
        .set_chaddr(&[0, 0x21, 0xf2, 0, 0, 1])
        .opts_mut()
        .insert(dhcproto::v4::DhcpOption::MessageType(
            dhcproto::v4::MessageType::Discover,
        ));
    let discover = discover.to_vec().unwrap();
    for (at, bytes) in [
        (Endpoint::Dhcp, discover.as_slice()),
        (Endpoint::Tftp, &rrq()),
        (Endpoint::Sip, SUBSCRIBE.as_bytes()),
    ] {
        reference.datagram(now, at, PHONE, bytes, &mut replies);
    }
    let from: Vec<_> = replies.iter().map(|(datagram, _)| datagram.from).collect();
    let transfer = Endpoint::Transfer(1);
    assert_eq!(
        from,
        [Endpoint::Dhcp, transfer, Endpoint::Pnp, Endpoint::Pnp]
    );
    let request = Request {
        method: "GET",
        target: "/0021f222b01d.cfg",
        headers: &[],
        body: &[],
    };
    assert_eq!(reference.request(now, PHONE, &request).status, 200);
    let counted: Vec<_> = reference
        .counters()
        .entries()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        counted,
        [
            "dhcp_discover",
            "dhcp_offer",
            "tftp_read",
            "tftp_begun",
            "http_request",
            "http_ok",
            "pnp_subscribe",
            "pnp_accepted",
            "pnp_notify",
        ]
    );
}

#[test]
fn the_earliest_deadline_of_all_counts() {
    let mut reference = Reference::new(config());
    let mut replies = Replies::default();
    assert_eq!(reference.deadline(), None);
    let now = Moment::from_millis(3);
    reference.datagram(now, Endpoint::Tftp, PHONE, &rrq(), &mut replies);
    assert_eq!(reference.deadline(), Some(now + Duration::from_secs(1)));
    reference.datagram(
        now,
        Endpoint::Sip,
        PHONE,
        SUBSCRIBE.as_bytes(),
        &mut replies,
    );
    assert_eq!(reference.deadline(), Some(now + Duration::from_millis(500)));
    replies.clear();
    reference.tick(now + Duration::from_secs(1), &mut replies);
    assert_eq!(replies.len(), 2);
}

#[test]
fn the_same_requests_at_the_same_moments_get_the_same_bytes() {
    let run = || {
        let mut reference = Reference::new(config());
        let mut replies = Replies::default();
        for (millis, at, bytes) in [
            (1, Endpoint::Sip, SUBSCRIBE.as_bytes()),
            (2, Endpoint::Tftp, rrq().as_slice()),
        ] {
            reference.datagram(Moment::from_millis(millis), at, PHONE, bytes, &mut replies);
        }
        reference.tick(Moment::from_millis(5_000), &mut replies);
        let bytes: Vec<_> = replies.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        bytes
    };
    assert_eq!(run(), run());
}

#[test]
fn protocols_that_are_not_set_up_stay_silent() {
    let mut reference = Reference::new(ReferenceConfig::files(Source::tree(Tree::default())));
    let mut replies = Replies::default();
    for at in [Endpoint::Dhcp, Endpoint::Sip, Endpoint::Pnp] {
        reference.datagram(Moment::ZERO, at, PHONE, SUBSCRIBE.as_bytes(), &mut replies);
    }
    assert!(replies.is_empty());
    assert_eq!(reference.counters().value(Counter::PnpIgnored), 2);
    assert_eq!(reference.counters().value(Counter::DhcpIgnored), 1);
}
