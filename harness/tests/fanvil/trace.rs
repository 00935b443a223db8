//! Figures 7 and 8: two boots of a C62, its lease and its files.

use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp::{BOOT_REPLY, Encoder, Header, Message, MessageType, code};
use dhcproto::v4::{self, DhcpOption, OptionCode};
use dhcproto::{Decodable as _, Decoder};

use crate::world::{FANVIL_MAC, Fate, Lane, Packet, Way, World, rrq_name};
use crate::{named, text, typing};

/// Ethernet, IPv4 and UDP headers.
const FRAME: usize = 42;
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 43);
const PHONE: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 57);
/// A general file and the user's, which names an image.
const GENERAL: &str = "f0C00620000.cfg";
const URL: &str = "tftp://192.168.2.45/$input.xml";

/// The network of the figures: the user types `ll`, 20.65 s after the lease.
fn traced() -> World {
    let own = text(
        "2.0002",
        &[(
            "AUTOUPDATE",
            &[("Auto Image Url", "tftp://192.168.2.45/62.z")],
        )],
    );
    World::at("fanvil/c62", SERVER, PHONE, 1)
        .option(66, URL)
        .file(GENERAL, named("general"))
        .file("ll.xml", own)
        .file("62.z", [0x5a; 262_144])
        .operator(typing("ll", 20.65))
}

fn dhcp(world: &World, way: Way, kind: MessageType) -> Packet {
    let found = world.packets.iter().find(|packet| {
        let message = Message::decode(&packet.bytes);
        let fits = message.is_ok_and(|message| message.message_type() == Some(kind));
        packet.way == way && packet.lane == Lane::Udp(Channel::Dhcp) && fits
    });
    found.cloned().unwrap_or_else(|| panic!("no {kind:?}"))
}

/// Read requests with time and frame length.
fn requests(world: &World) -> Vec<(Moment, String, usize)> {
    let requests = world.read_requests().into_iter();
    requests
        .map(|packet| {
            let name = rrq_name(packet).unwrap();
            (packet.at, name, packet.bytes.len() + FRAME)
        })
        .collect()
}

// FAN-67, FAN-68, FAN-69, FAN-70, FAN-74, FAN-75, FAN-76, FAN-79, FAN-81, FAN-82, FAN-83.
#[test]
fn leases_an_address_with_the_messages_of_figure_7() {
    let world = traced().boot();
    let discover = dhcp(&world, Way::Up, MessageType::Discover);
    assert_eq!(discover.bytes.len() + FRAME, 309);
    assert_eq!(*discover.peer.ip(), Ipv4Addr::BROADCAST);
    let options = &discover.bytes[240..];
    let expected: &[u8] = &[
        53, 1, 1, 61, 7, 1, 0, 3, 7, 0xa9, 0xb4, 0x86, 12, 3, b'C', b'6', b'2', 55, 7, 1, 28, 3, 2,
        4, 66, 6, 255,
    ];
    assert_eq!(options, expected);
    let message = Message::decode(&discover.bytes).unwrap();
    // secs and flags.
    assert_eq!(discover.bytes[8..12], [0; 4]);
    let request = dhcp(&world, Way::Up, MessageType::Request);
    assert_eq!(request.bytes.len() + FRAME, 321);
    let asked = Message::decode(&request.bytes).unwrap();
    assert_eq!(
        asked.option(code::REQUESTED_ADDRESS),
        Some(&PHONE.octets()[..])
    );
    assert_eq!(asked.option(code::SERVER_ID), Some(&SERVER.octets()[..]));
    assert_eq!(asked.xid(), message.xid());
    let offer = dhcp(&world, Way::Down, MessageType::Offer);
    let waited = request.at.since(offer.at);
    assert!((4.99..=5.01).contains(&waited.as_secs_f64()), "{waited:?}");
}

/// The OFFER and ACK of the figure: 69 bytes of options behind the head, a next server and a
/// server name that lead elsewhere.
fn answer_of_the_figure(asked: &Message<'_>, kind: MessageType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mac = Mac::parse(FANVIL_MAC).unwrap();
    let header = Header {
        op: BOOT_REPLY,
        yiaddr: PHONE,
        siaddr: SERVER,
        sname: b"elsewhere",
        ..Header::request(asked.xid(), mac)
    };
    let mut encoder = Encoder::begin(&mut bytes, &header);
    encoder
        .message_type(kind)
        .option(code::SUBNET_MASK, &[255, 255, 0, 0])
        .option(code::ROUTER, &SERVER.octets())
        .option(46, &[8])
        .option(code::NAME_SERVER, &SERVER.octets())
        .option(code::LEASE_TIME, &86_400_u32.to_be_bytes())
        .option(code::SERVER_ID, &SERVER.octets())
        .option(66, URL.as_bytes());
    encoder.finish(0);
    bytes
}

// FAN-67, FAN-70, FAN-74, FAN-75, FAN-76, FAN-80, FAN-81: as dhcproto reads it, whichever option
// is chosen; the lengths stay those of the figure.
#[test]
fn writes_messages_of_figure_7_that_another_decoder_reads() {
    for chosen in [66, 43, 128, 254] {
        let world = World::at("fanvil/c62", SERVER, PHONE, 1)
            .option(chosen, URL)
            .web(Param::DhcpUrlOption, &chosen.to_string())
            .operator(typing("ll", 1.0))
            .boot();
        let sent = [MessageType::Discover, MessageType::Request];
        let [discover, request] = sent.map(|kind| dhcp(&world, Way::Up, kind).bytes);
        assert_eq!((discover.len(), request.len()), (267, 279), "{chosen}");
        for bytes in [&discover, &request] {
            let read = v4::Message::decode(&mut Decoder::new(bytes)).unwrap();
            assert_eq!(read.chaddr(), [0, 3, 7, 0xa9, 0xb4, 0x86]);
            assert_eq!((read.secs(), read.flags()), (0, v4::Flags::new(0)));
            assert_eq!(read.ciaddr(), Ipv4Addr::UNSPECIFIED);
            assert_eq!(read.xid().to_be_bytes(), discover[4..8]);
            let held = |code| read.opts().get(code).cloned();
            let list = [1, 28, 3, 2, 4, chosen, 6].map(OptionCode::from);
            let wanted = DhcpOption::ParameterRequestList(list.to_vec());
            assert_eq!(held(OptionCode::ParameterRequestList), Some(wanted));
            let name = DhcpOption::Hostname("C62".to_owned());
            assert_eq!(held(OptionCode::Hostname), Some(name));
            let id = DhcpOption::ClientIdentifier(vec![1, 0, 3, 7, 0xa9, 0xb4, 0x86]);
            assert_eq!(held(OptionCode::ClientIdentifier), Some(id));
        }
        let read = v4::Message::decode(&mut Decoder::new(&request)).unwrap();
        let held = |code| read.opts().get(code).cloned();
        assert_eq!(
            held(OptionCode::RequestedIpAddress),
            Some(DhcpOption::RequestedIpAddress(PHONE))
        );
        assert_eq!(
            held(OptionCode::ServerIdentifier),
            Some(DhcpOption::ServerIdentifier(SERVER))
        );
        // What it holds is where the phone goes.
        assert_eq!(requests(&world)[1].1, "ll.xml", "{chosen}");
    }
}

// FAN-77, FAN-78, FAN-83: option 46 of one byte, the server identifier in option 54; of all that
// names a server only option 66 counts.
#[test]
fn takes_the_answers_of_figure_7() {
    let world = traced()
        .filter(|packet| {
            let Ok(asked) = Message::decode(&packet.bytes) else {
                return Fate::Pass;
            };
            if packet.way != Way::Up || packet.lane != Lane::Udp(Channel::Dhcp) {
                return Fate::Pass;
            }
            let kind = match asked.message_type() {
                Some(MessageType::Discover) => MessageType::Offer,
                _ => MessageType::Ack,
            };
            let bytes = answer_of_the_figure(&asked, kind);
            assert_eq!(bytes.len() + FRAME, 351);
            Fate::Instead(vec![(67, bytes)])
        })
        .boot();
    let hosts: Vec<_> = world
        .read_requests()
        .iter()
        .map(|packet| *packet.peer.ip())
        .collect();
    assert_eq!(hosts[..2], [Ipv4Addr::new(192, 168, 2, 45); 2]);
}

// FAN-80: the same transaction in the next boot.
#[test]
fn keeps_its_transaction_id_through_a_power_cycle() {
    let xid = |world: &World| {
        let discover = dhcp(world, Way::Up, MessageType::Discover);
        Message::decode(&discover.bytes).unwrap().xid()
    };
    let mut world = traced().boot();
    let first = xid(&world);
    world.reboot();
    assert_eq!(xid(&world), first);
}

// FAN-88, FAN-91, WIRE-01, WIRE-02, WIRE-03: the read requests byte by byte; 512 blocks of 512
// bytes and an empty one, each acknowledged before the next is sent.
#[test]
fn loads_the_image_block_by_block() {
    let world = traced().boot();
    let requests = world.read_requests();
    for (at, name) in [GENERAL, "ll.xml", "62.z"].into_iter().enumerate() {
        let options = "octet\0tsize\x000\0blksize\x00512\0timeout\x003\0";
        let expected = format!("\0\x01{name}\0{options}");
        assert_eq!(requests[at].bytes, expected.as_bytes());
    }
    let lane = requests[2].lane;
    let exchange = world.packets.iter().filter(|packet| packet.lane == lane);
    let data = |packet: &&Packet| packet.bytes.starts_with(&[0, 3]);
    let exchange: Vec<&Packet> = exchange.skip_while(|packet| !data(packet)).collect();
    assert_eq!(exchange.len(), 2 * 513);
    for (block, pair) in (1_u16..).zip(exchange.chunks(2)) {
        let length = if block == 513 { 0 } else { 512 };
        assert_eq!(pair[0].bytes.len(), 4 + length);
        assert_eq!(pair[0].bytes[2..4], block.to_be_bytes());
        assert_eq!(pair[0].way, Way::Down);
        assert_eq!(pair[1].way, Way::Up);
        assert_eq!(pair[1].bytes, [&[0, 4][..], &block.to_be_bytes()].concat());
    }
}

// FAN-22, FAN-60, FAN-86, FAN-87, FAN-88, FAN-90, WIRE-01: even the general file waits for
// the user; the device's follows it at once, the image ten seconds after the last block.
#[test]
fn fetches_the_files_of_figure_8() {
    let world = traced().boot();
    let ack = dhcp(&world, Way::Down, MessageType::Ack);
    let requests = requests(&world);
    let names: Vec<(&str, usize)> = requests
        .iter()
        .map(|(_, name, n)| (name.as_str(), *n))
        .collect();
    // With the image in its flash the phone reboots.
    assert_eq!(names[..3], [(GENERAL, 96), ("ll.xml", 87), ("62.z", 85)]);
    let [general, own, image] = [0, 1, 2].map(|at: usize| requests[at].0);
    let waited = general.since(ack.at).as_secs_f64();
    assert!((20.65..20.70).contains(&waited), "{waited}");
    assert!(own.since(general) < Duration::from_millis(5));
    // Both are outstanding at once: the second leaves before the first is answered.
    let lane = world.read_requests()[0].lane;
    let answered = world
        .packets
        .iter()
        .find(|packet| packet.way == Way::Down && packet.lane == lane)
        .unwrap();
    assert!(own <= answered.at, "{own:?} {:?}", answered.at);
    let last = world
        .packets
        .iter()
        .filter(|packet| packet.at < image && packet.way == Way::Up)
        .map(|packet| packet.at)
        .max()
        .unwrap();
    let waited = image.since(last).as_secs_f64();
    assert!((10.0..10.1).contains(&waited), "{waited}");
}
