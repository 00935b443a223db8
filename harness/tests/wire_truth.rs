//! The packets of the Flyingvoice guide's two traces, and ours as other people's decoders read
//! them.

#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm::reference::tftp::TftpConfig;
use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::tftp::{self, Packet as Tftp};
use dhcproto::v4::{DhcpOption, MessageType, OptionCode};
use dhcproto::{Decodable as _, Decoder};
use rsip::prelude::{HasHeaders as _, HeadersExt as _, ToTypedHeader as _, UntypedHeader as _};
use world::{FLYING_MAC, Fate, Lane, Packet, Way, World, rrq_name};

const MODEL: &str = "flyingvoice/fip13g";
/// Ethernet, IPv4 and UDP headers.
const FRAME: usize = 42;
const COMMON: &[u8] = &[b'#'; 70];
const PHONE: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 163);

/// The network of the DHCP trace: option 66 with the bare address, PnP unanswered, a common file
/// of 70 bytes, a server that agrees on no option.
fn dhcp_trace(seed: u64) -> World {
    let server = Ipv4Addr::new(192, 168, 50, 92);
    World::at(MODEL, server, PHONE, seed)
        .option(66, "192.168.50.92")
        .file("y000000000000.cfg", COMMON)
        .tftp(TftpConfig {
            tsize: false,
            blksize: false,
            timeout: false,
            ..TftpConfig::default()
        })
}

/// The network of the PnP trace: the phone's own file of 2537 bytes, an OACK without `timeout`.
fn pnp_trace() -> World {
    let mut file = b"lang.gui=English\n".to_vec();
    file.resize(2_537, b'#');
    let server = Ipv4Addr::new(192, 168, 50, 18);
    World::at(MODEL, server, PHONE, 1)
        .pnp("tftp://192.168.50.18/0021f222b01d.cfg")
        .file("0021f222b01d.cfg", file)
        .tftp(TftpConfig {
            timeout: false,
            ..TftpConfig::default()
        })
}

fn dhcp(world: &World, way: Way) -> Vec<&Packet> {
    let packets = world.packets.iter();
    packets
        .filter(|packet| packet.way == way && packet.lane == Lane::Udp(Channel::Dhcp))
        .collect()
}

/// Read requests without their repeats, by name and frame length.
fn frames(world: &World) -> Vec<(String, usize)> {
    let requests = world.read_requests().into_iter();
    let mut frames: Vec<_> = requests
        .map(|packet| (rrq_name(packet).unwrap(), packet.bytes.len() + FRAME))
        .collect();
    frames.dedup();
    frames
}

// FLY-69, FLY-70, FLY-74, WIRE-01, WIRE-08: frames of 93, 98, 99 and 98 bytes for these names in
// this order.
#[test]
fn asks_with_the_frame_lengths_of_the_dhcp_trace() {
    let world = dhcp_trace(1).boot();
    let frames = frames(&world);
    let expected = [
        ("0021f222b01d", 93),
        ("0021f222b01d.boot", 98),
        ("y000000000000.boot", 99),
        ("y000000000000.cfg", 98),
    ];
    assert_eq!(
        frames[..4],
        expected.map(|(name, length)| (name.to_owned(), length))
    );
}

// FLY-52, WIRE-01, WIRE-02, WIRE-03: the one read request of the PnP trace, byte by byte, in a
// frame of 97 bytes.
#[test]
fn asks_with_the_bytes_of_the_pnp_trace() {
    let world = pnp_trace().boot();
    assert_eq!(frames(&world), [("0021f222b01d.cfg".to_owned(), 97)]);
    assert_eq!(
        world.read_requests()[0].bytes,
        b"\x00\x010021f222b01d.cfg\x00octet\x00tsize\x000\x00blksize\x00512\x00timeout\x003\x00"
    );
}

// FLY-62, FLY-63, FLY-64, FLY-65, FLY-81: messages of 548 bytes, one transaction, the REQUEST at
// once; the server's answers have 61 bytes of options.
#[test]
fn leases_an_address_with_the_messages_of_the_trace() {
    let world = dhcp_trace(1).boot();
    let (up, down) = (dhcp(&world, Way::Up), dhcp(&world, Way::Down));
    assert_eq!(up.len(), 2);
    let mut xids: Vec<_> = up
        .iter()
        .chain(&down)
        .map(|packet| &packet.bytes[4..8])
        .collect();
    xids.dedup();
    assert_eq!(xids.len(), 1);
    for sent in &up {
        assert_eq!(sent.bytes.len() + FRAME, 590);
        assert_eq!(sent.peer.to_string(), "255.255.255.255:67");
    }
    assert_eq!(up[1].at, down[0].at);
    for answer in &down {
        // The server of the trace did not tell the client identifier back, as RFC 6842 asks.
        let client_identifier = 2 + 7;
        assert_eq!(answer.bytes.len() + FRAME, 343 + client_identifier);
    }
}

// FLY-62, FLY-63, FLY-79, FLY-81: DISCOVER and REQUEST as dhcproto reads them.
#[test]
fn writes_dhcp_messages_that_another_decoder_reads() {
    let world = dhcp_trace(1).boot();
    let up = dhcp(&world, Way::Up);
    let decode =
        |packet: &Packet| dhcproto::v4::Message::decode(&mut Decoder::new(&packet.bytes)).unwrap();
    let (discover, request) = (decode(up[0]), decode(up[1]));
    assert_eq!(discover.opts().msg_type(), Some(MessageType::Discover));
    assert_eq!(request.opts().msg_type(), Some(MessageType::Request));
    let mac = [0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d];
    for message in [&discover, &request] {
        assert_eq!(message.chaddr(), mac);
        assert_eq!(message.xid(), discover.xid());
        let list = message.opts().get(OptionCode::ParameterRequestList);
        let Some(DhcpOption::ParameterRequestList(list)) = list else {
            panic!("no parameter request list");
        };
        let codes: Vec<u8> = list.iter().map(|code| u8::from(*code)).collect();
        assert_eq!(codes, [1, 3, 6, 12, 15, 28, 42, 66]);
        let Some(DhcpOption::ClientIdentifier(id)) =
            message.opts().get(OptionCode::ClientIdentifier)
        else {
            panic!("no client identifier");
        };
        assert_eq!(id[..], [&[1][..], &mac].concat());
    }
    assert_eq!(
        request.opts().get(OptionCode::ServerIdentifier),
        Some(&DhcpOption::ServerIdentifier(Ipv4Addr::new(
            192, 168, 50, 92
        )))
    );
    assert_eq!(
        request.opts().get(OptionCode::RequestedIpAddress),
        Some(&DhcpOption::RequestedIpAddress(PHONE))
    );
}

// FLY-44, FLY-45, FLY-55: 574 bytes, and what rsip reads in them.
#[test]
fn subscribes_with_a_message_that_another_decoder_reads() {
    let world = pnp_trace().boot();
    let sent = world
        .up()
        .find(|packet| packet.lane == Lane::Udp(Channel::Pnp));
    let sent = sent.unwrap();
    assert_eq!(sent.bytes.len(), 574);
    let request = rsip::Request::try_from(sent.bytes.as_slice()).unwrap();
    assert_eq!(request.method, rsip::Method::Subscribe);
    let uri = request.uri.to_string();
    assert_eq!(uri, format!("sip:MAC{FLYING_MAC}@224.0.1.75"));
    let contact = request.contact_header().unwrap().value().to_owned();
    assert!(
        contact.contains(&format!("MAC{FLYING_MAC}@{PHONE}:59495")),
        "{contact}"
    );
    assert_eq!(request.max_forwards_header().unwrap().value(), "70");
    assert_eq!(request.cseq_header().unwrap().typed().unwrap().seq, 1);
    let via = request.via_header().unwrap().typed().unwrap();
    assert_eq!(via.uri.host_with_port.to_string(), format!("{PHONE}:59495"));
    assert!(via.branch().unwrap().value().starts_with("z9hG4bK"));
    assert_eq!(request.headers().iter().count(), 12);
}

// FLY-71, WIRE-06, WIRE-07: the unanswered request is repeated once, from its own port, about
// 4.2 s later; every other file has a fresh port and no repeat.
#[test]
fn repeats_an_unanswered_request_from_the_same_port() {
    let mut lost = false;
    let world = dhcp_trace(1)
        .filter(move |packet| {
            let first = rrq_name(packet).is_some() && !lost;
            lost |= first;
            if first { Fate::Lose } else { Fate::Pass }
        })
        .boot();
    let requests = world.read_requests();
    let names: Vec<_> = requests
        .iter()
        .map(|packet| rrq_name(packet).unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "0021f222b01d",
            "0021f222b01d",
            "0021f222b01d.boot",
            "y000000000000.boot",
            "y000000000000.cfg",
            "0021f222b01d.cfg"
        ]
    );
    assert_eq!(requests[0].lane, requests[1].lane);
    assert_eq!(requests[0].bytes, requests[1].bytes);
    let wait = requests[1].at - requests[0].at;
    assert!(wait >= Duration::from_millis(4_000), "{wait:?}");
    assert!(wait <= Duration::from_millis(4_250), "{wait:?}");
    let lanes: Vec<_> = requests[1..].iter().map(|packet| packet.lane).collect();
    for (index, lane) in lanes.iter().enumerate() {
        assert!(!lanes[..index].contains(lane), "{lane:?} was used before");
    }
}

/// What the server sent for the file last asked for, and what the phone answered.
fn transfer(world: &World, lane: Lane) -> Vec<(Way, String, u16)> {
    let packets = world.packets.iter().filter(|packet| packet.lane == lane);
    packets
        .map(|packet| {
            let text = match tftp::decode(&packet.bytes).unwrap() {
                Tftp::Read(_) => "RRQ".to_owned(),
                Tftp::Data { block, data } => format!("DATA {block} ({})", data.len()),
                Tftp::Ack { block } => format!("ACK {block}"),
                Tftp::OptionAck(options) => format!("OACK {}", options.iter().count()),
                other => format!("{other:?}"),
            };
            (packet.way, text, packet.peer.port())
        })
        .collect()
}

// FLY-74, WIRE-04, WIRE-07: DATA without OACK, from a new port of the server.
#[test]
fn accepts_data_without_an_option_acknowledgement() {
    let world = dhcp_trace(1).boot();
    let lane = world.read_requests()[3].lane;
    let seen = transfer(&world, lane);
    let texts: Vec<_> = seen.iter().map(|(_, text, _)| text.as_str()).collect();
    assert_eq!(texts, ["RRQ", "DATA 1 (70)", "ACK 1"]);
    assert_ne!(seen[1].2, 69);
    assert_eq!(seen[1].2, seen[2].2);
    assert!(world.any(|kind| matches!(kind, EventKind::Fetched { bytes: 70, .. })));
}

// FLY-53, FLY-57, WIRE-05: an OACK of 25 bytes without `timeout`; ACK 0, then lock step through
// four whole blocks and 489 bytes.
#[test]
fn accepts_an_option_acknowledgement_without_timeout() {
    let world = pnp_trace().boot();
    let lane = world.read_requests()[0].lane;
    let seen = transfer(&world, lane);
    let texts: Vec<_> = seen.iter().map(|(_, text, _)| text.as_str()).collect();
    let expected = [
        "RRQ",
        "OACK 2",
        "ACK 0",
        "DATA 1 (512)",
        "ACK 1",
        "DATA 2 (512)",
        "ACK 2",
        "DATA 3 (512)",
        "ACK 3",
        "DATA 4 (512)",
        "ACK 4",
        "DATA 5 (489)",
        "ACK 5",
    ];
    assert_eq!(texts, expected);
    let oack = world
        .packets
        .iter()
        .find(|packet| packet.bytes.starts_with(b"\x00\x06"));
    assert_eq!(oack.unwrap().bytes.len() + FRAME, 67);
    assert_eq!(world.held("lang.gui").as_deref(), Some("English"));
}

// FLY-46, FLY-47: 200 OK and NOTIFY come from port 7777; without the 200 OK, or with the NOTIFY
// before it, the phone has its URL all the same.
#[test]
fn takes_a_notify_from_another_port_with_or_without_the_answer() {
    let url = |world: &World| world.any(|kind| matches!(kind, EventKind::Candidate { .. }));
    let world = pnp_trace().boot();
    let answers: Vec<_> = world
        .packets
        .iter()
        .filter(|packet| packet.way == Way::Down && packet.lane == Lane::Udp(Channel::Pnp))
        .collect();
    assert!(answers[0].bytes.starts_with(b"SIP/2.0 200"));
    assert!(answers[1].bytes.starts_with(b"NOTIFY"));
    assert!(answers.iter().all(|packet| packet.peer.port() == 7_777));
    assert!(url(&world));
    let world = pnp_trace()
        .filter(|packet| match packet.way {
            Way::Down if packet.bytes.starts_with(b"SIP/2.0 200") => Fate::Lose,
            _ => Fate::Pass,
        })
        .boot();
    assert!(url(&world));
    assert_eq!(world.held("lang.gui").as_deref(), Some("English"));
}

// FLY-51: the first read request about five seconds after the NOTIFY.
#[test]
fn asks_for_the_file_five_seconds_after_the_notify() {
    let world = pnp_trace().boot();
    let mut down = world.packets.iter();
    let notify = down.find(|packet| packet.way == Way::Down && packet.bytes.starts_with(b"NOTIFY"));
    let wait = world.read_requests()[0].at - notify.unwrap().at;
    assert!(wait >= Duration::from_millis(4_900), "{wait:?}");
    assert!(wait <= Duration::from_millis(5_200), "{wait:?}");
}

// FLY-68: the first read request within 40 s of the ACK, where PnP is off.
#[test]
fn asks_for_the_first_file_within_forty_seconds_of_the_lease() {
    for seed in 0..20 {
        let world = dhcp_trace(seed).web(Param::PnpEnable, "0").boot();
        let ack: Moment = dhcp(&world, Way::Down)[1].at;
        let wait = world.read_requests()[0].at - ack;
        assert!(wait <= Duration::from_millis(40_010), "{wait:?}");
    }
}
