//! Servers and strangers that mean harm: the phone goes on, or ends with an event that names the
//! cause; it never panics, never hangs, and holds no more than its limits.

#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Redirect};
use bootstorm_emulator::event::{EventKind, Fault, Limit, LineReason};
use bootstorm_emulator::limits::{
    DOCUMENT_LINKS_MAX, FILE_BYTES_MAX, REBOOTS_PER_HOUR_MAX, REDIRECTS_MAX, TRANSFER_SECONDS_MAX,
};
use bootstorm_emulator::phone::io::{Channel, Connection, Input};
use bootstorm_emulator::profile::{Param, StepId};
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::tftp::{self, Packet as Tftp};
use world::{Fate, Lane, SERVER, Way, World, data, md5_hex, rrq_name};

const FLYING: &str = "flyingvoice/fip13g";
const PLUG: &str = "plug-n-dial/bva8051";
/// Bytes that one phone may hold for itself after whatever happened to it.
const PHONE_BYTES_MAX: usize = 64 << 10;

/// A phone that is told this URL and goes there at once.
fn told(url: &str) -> World {
    World::new(FLYING)
        .web(Param::PnpEnable, "0")
        .web(Param::RandomDelayS, "0")
        .option(66, url)
}

fn gave_up(world: &World, wanted: Fault) -> bool {
    world.any(|kind| matches!(kind, EventKind::GaveUp { fault, .. } if *fault == wanted))
}

#[track_caller]
fn assert_small(world: &World) {
    let held = world.phone.flash().heap_bytes();
    assert!(held < PHONE_BYTES_MAX, "{held} bytes");
}

#[test]
fn ends_an_endless_redirect() {
    let redirect = Redirect {
        from: "/".to_owned(),
        prefix: true,
        status: 302,
        to: "http://10.0.0.2/again/".to_owned(),
    };
    let config = HttpConfig {
        redirects: vec![redirect],
        ..HttpConfig::default()
    };
    let world = told("http://10.0.0.2/x.cfg").http(config).boot();
    assert!(world.reached(Limit::Redirects));
    assert!(gave_up(&world, Fault::RedirectLoop));
    let asked = world.files().len();
    assert_eq!(asked, 1 + REDIRECTS_MAX as usize);
}

// FLY-22, FLY-24: a boot file may be long, and not without limit.
#[test]
fn follows_no_more_includes_than_its_limit() {
    let boot: String = (0..100_000)
        .map(|index| format!("include:config <f{index}.cfg>\n"))
        .collect();
    let world = told("tftp://10.0.0.2/all.boot")
        .file("all.boot", boot)
        .boot();
    assert_eq!(world.files().len(), 1 + DOCUMENT_LINKS_MAX);
    let beyond = world.kinds().find_map(|kind| match kind {
        EventKind::LinesIgnored {
            reason: LineReason::OverLimit,
            count,
            ..
        } => Some(count as usize),
        _ => None,
    });
    assert_eq!(beyond, Some(100_000 - DOCUMENT_LINKS_MAX));
    assert_small(&world);
}

// FLY-24: a boot file is no configuration file, so it cannot include itself.
#[test]
fn does_not_follow_a_boot_file_into_itself() {
    let world = told("tftp://10.0.0.2/loop.boot")
        .file(
            "loop.boot",
            "include:config <loop.boot>\ninclude:config <a.cfg>\n",
        )
        .file("a.cfg", "include:config <loop.boot>\n")
        .boot();
    assert_eq!(world.files(), ["loop.boot", "a.cfg"]);
}

// PND-23: the checksum never fits: one request each boot, no soft reboot, ever.
#[test]
fn is_not_caught_by_a_checksum_that_never_fits() {
    let mut world = World::new(PLUG)
        .option(66, "10.0.0.2")
        .file("000b/820c/000b820c2371.txt", "sip_server=a\n")
        .file("000b/820c/000b820c2371.md5", md5_hex(b"something else"))
        .boot();
    for _ in 0..20 {
        world.reboot();
        assert_eq!(world.files().len(), 3);
        assert!(!world.has(EventKind::SoftRebooting));
        assert!(gave_up(&world, Fault::ChecksumMismatch));
    }
    assert_small(&world);
}

/// Packets of the server's, with the ports that they come from.
type Answers = Vec<(u16, Vec<u8>)>;

/// Answers the first file with these packets of the server's.
fn answered(packets: Answers) -> World {
    told("tftp://10.0.0.2/x.cfg")
        .filter(move |packet| match rrq_name(packet) {
            Some(_) => Fate::Instead(packets.clone()),
            None => Fate::Pass,
        })
        .boot()
}

#[test]
fn ends_a_transfer_of_unusable_packets() {
    let cases: [(&str, Answers); 9] = [
        ("nothing", vec![(30_000, Vec::new())]),
        ("one byte", vec![(30_000, vec![0])]),
        ("no block number", vec![(30_000, vec![0, 3, 0])]),
        ("more than a block", vec![(30_000, data(1, &[b'#'; 600]))]),
        ("another block", vec![(30_000, data(7, b"x"))]),
        ("an unknown opcode", vec![(30_000, vec![0, 99, 1, 2])]),
        (
            "a request",
            vec![(30_000, b"\x00\x01x\x00octet\x00".to_vec())],
        ),
        (
            "an open option",
            vec![(30_000, b"\x00\x06blksize\x00512".to_vec())],
        ),
        (
            "an option never asked for",
            vec![(30_000, b"\x00\x06multicast\x001\x00".to_vec())],
        ),
    ];
    for (name, packets) in cases {
        let world = answered(packets);
        let told = world.any(|kind| match kind {
            EventKind::Wrong { .. } => true,
            EventKind::GaveUp { step, fault } => {
                *step == StepId::GIVEN && *fault != Fault::Silence && *fault != Fault::UnknownHost
            }
            _ => false,
        });
        assert!(told, "{name}: {:?}", world.events);
        let over = world.any(|kind| matches!(kind, EventKind::GaveUp { .. }));
        assert!(over, "{name}");
        let applied = world.any(|kind| matches!(kind, EventKind::Applied { .. }));
        assert!(!applied, "{name}");
    }
}

// WIRE-07: packets of another port do not end, or spoil, a transfer.
#[test]
fn goes_on_when_another_port_interferes() {
    let first = [b'#'; 512];
    let mut packets = vec![(30_000, data(1, &first))];
    for port in 31_000..31_010 {
        packets.push((port, data(2, b"\nlang.gui=wrong\n")));
        packets.push((port, b"\x00\x05\x00\x01\x00".to_vec()));
    }
    packets.push((30_000, data(2, b"\nlang.gui=right\n")));
    let world = answered(packets);
    assert_eq!(world.held("lang.gui").as_deref(), Some("right"));
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::Wrong {
            fault: Fault::ForeignTid,
            ..
        }
    )));
}

#[test]
fn ends_a_transfer_without_a_last_block_at_the_file_limit() {
    let mut blocks = 0_usize;
    let mut world = told("tftp://10.0.0.2/x.cfg").filter(move |packet| {
        if packet.way == Way::Down || !matches!(packet.lane, Lane::Udp(Channel::Fresh(_))) {
            return Fate::Pass;
        }
        match tftp::decode(&packet.bytes) {
            Ok(Tftp::Read(_)) => Fate::Instead(vec![(30_000, data(1, &[b'#'; 512]))]),
            Ok(Tftp::Ack { block }) => {
                blocks += 1;
                assert!(blocks <= FILE_BYTES_MAX / 512 + 1);
                Fate::Instead(vec![(30_000, data(block.wrapping_add(1), &[b'#'; 512]))])
            }
            _ => Fate::Lose,
        }
    });
    world.input(Input::Power);
    world.settle();
    assert!(world.reached(Limit::FileBytes));
    assert!(gave_up(&world, Fault::TooLarge));
    assert_small(&world);
}

// Unspecified: a server that answers each packet only when it is repeated makes progress for hours;
// the phone gives the file up.
#[test]
fn ends_a_transfer_that_crawls() {
    let mut last = None;
    let mut world = told("tftp://10.0.0.2/x.cfg").filter(move |packet| {
        if packet.way == Way::Down || !matches!(packet.lane, Lane::Udp(Channel::Fresh(_))) {
            return Fate::Pass;
        }
        let repeated = last.as_deref() == Some(packet.bytes.as_slice());
        last = Some(packet.bytes.clone());
        match tftp::decode(&packet.bytes) {
            _ if !repeated => Fate::Lose,
            Ok(Tftp::Read(_)) => Fate::Instead(vec![(30_000, data(1, &[b'#'; 512]))]),
            Ok(Tftp::Ack { block }) => {
                Fate::Instead(vec![(30_000, data(block.wrapping_add(1), &[b'#'; 512]))])
            }
            _ => Fate::Lose,
        }
    });
    world.input(Input::Power);
    world.wait_for("the end of the file", |world| {
        world.reached(Limit::TransferSeconds)
    });
    assert!(gave_up(&world, Fault::Silence));
    let begun = world.when("RRQ x.cfg").since(Moment::ZERO).as_secs();
    let ended = world.when_event(|kind| matches!(kind, EventKind::GaveUp { .. }));
    assert_eq!(
        ended.since(Moment::ZERO).as_secs(),
        begun + TRANSFER_SECONDS_MAX
    );
}

/// Answers every HTTP request with these bytes.
fn said(answer: Vec<u8>) -> World {
    told("http://10.0.0.2/x.cfg")
        .filter(move |packet| match packet.lane {
            Lane::Tcp(_) => Fate::Instead(vec![(80, answer.clone())]),
            Lane::Udp(_) => Fate::Pass,
        })
        .boot()
}

#[test]
fn ends_an_answer_with_more_header_than_its_limit() {
    let mut long = b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec();
    long.resize(40_000, b'x');
    let mut many = b"HTTP/1.1 200 OK\r\n".to_vec();
    for index in 0..200 {
        many.extend_from_slice(format!("X-{index}: y\r\n").as_bytes());
    }
    many.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    for answer in [long, many] {
        let world = said(answer);
        assert!(world.reached(Limit::Headers), "{:?}", world.events);
        assert!(world.any(|kind| matches!(kind, EventKind::GaveUp { .. })));
    }
}

#[test]
fn ends_an_answer_with_more_body_than_its_limit() {
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..9 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.resize(chunked.len() + (1 << 20), b'#');
        chunked.extend_from_slice(b"\r\n");
    }
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n#".to_vec();
    for answer in [chunked, announced] {
        let world = said(answer);
        assert!(gave_up(&world, Fault::TooLarge));
        assert!(world.reached(Limit::FileBytes));
        assert_small(&world);
    }
}

#[test]
fn ends_answers_that_are_no_http() {
    for answer in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"HTTP/9.9 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest\r\nContent-Length: 0\r\n\r\n",
    ] {
        let world = said(answer.to_vec());
        let over = world.any(|kind| matches!(kind, EventKind::GaveUp { .. }));
        assert!(over, "{:?}", String::from_utf8_lossy(answer));
    }
}

// FLY-99, FLY-109: of a flood of check-syncs each is answered, and one more run follows at most.
#[test]
fn runs_twice_at_most_in_a_flood_of_check_syncs() {
    let mut world = told("10.0.0.2")
        .file("0021f222b01d.cfg", "lang.gui=a\n")
        .boot();
    world.forget();
    for number in 0..5_000 {
        world.notify("check-sync", number);
        if number % 100 == 0 {
            world.run_for(Duration::from_millis(1));
        }
    }
    world.settle();
    let runs = world.count(|kind| matches!(kind, EventKind::RunStarted(_)));
    assert_eq!(runs, 2);
    let answers = world.count(|kind| *kind == EventKind::SipAnswered { status: 200 });
    assert_eq!(answers, 5_000);
    assert_small(&world);
}

// FLY-100, FLY-114: a flood of reboots is bounded by the hour.
#[test]
fn reboots_no_more_often_than_its_limit() {
    let mut world = told("10.0.0.2")
        .file("0021f222b01d.cfg", "lang.gui=a\n")
        .boot();
    world.forget();
    for number in 0..500 {
        world.notify("check-sync;reboot=true", number);
        world.run_for(Duration::from_secs(5));
    }
    let boots = world.count(|kind| matches!(kind, EventKind::Booting(_)));
    assert_eq!(boots, REBOOTS_PER_HOUR_MAX as usize);
    assert!(world.reached(Limit::Reboots));
    world.settle();
}

// FLY-46, FLY-51: strangers at the PnP port do not keep the phone from its next source.
#[test]
fn goes_on_to_its_next_source_under_a_flood_at_the_pnp_port() {
    let mut world = World::new(FLYING)
        .web(Param::RandomDelayS, "0")
        .option(66, "10.0.0.2")
        .file("0021f222b01d.cfg", "lang.gui=a\n")
        .power();
    world.wait_for("SUBSCRIBE", |world| {
        world.any(|kind| matches!(kind, EventKind::Sent { step, .. } if *step == StepId::SUBSCRIBE))
    });
    let stranger = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 66), 5_060);
    for number in 0..2_000 {
        let text = format!(
            "NOTIFY sip:MACffffffffffff@10.1.0.1 SIP/2.0\r\nCall-ID: {number}\r\n\
             CSeq: 1 NOTIFY\r\nEvent: ua-profile\r\nContent-Length: 0\r\n\r\n"
        );
        world.inject(Channel::Pnp, stranger, text.as_bytes());
        world.inject(Channel::Pnp, stranger, b"\x00garbage");
    }
    assert!(world.events.len() < 1_000, "{}", world.events.len());
    world.settle();
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
    assert_small(&world);
}

/// Noise for a phone: garbage, and packets seen before, changed a little.
struct Noise {
    rng: Rng,
}

impl Noise {
    fn up_to(&mut self, most: usize) -> usize {
        usize::try_from(self.rng.up_to(most as u64)).unwrap()
    }

    fn channel(&mut self) -> Channel {
        match self.up_to(4) {
            0 => Channel::Dhcp,
            1 => Channel::Sip,
            2 => Channel::Pnp,
            _ => Channel::Fresh(u16::try_from(self.up_to(12)).unwrap()),
        }
    }

    fn port(&mut self) -> u16 {
        let ports = [67, 69, 5_060, 7_777, 20_000, 20_001, 20_002, 40_000];
        ports[self.up_to(ports.len() - 1)]
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = match self.up_to(3) {
            0 => self.up_to(4),
            1 => self.up_to(80),
            _ => self.up_to(1_400),
        };
        let mut bytes: Vec<u8> = (0..length).map(|_| self.rng.next_u32() as u8).collect();
        if length > 1 && self.up_to(1) == 0 {
            bytes[0] = 0;
            bytes[1] = u8::try_from(self.up_to(7)).unwrap();
        }
        bytes
    }

    /// A packet seen before with bytes changed, cut off, repeated or put in.
    fn changed(&mut self, world: &World) -> Option<(Lane, SocketAddrV4, Vec<u8>)> {
        let down: Vec<_> = world
            .packets
            .iter()
            .filter(|packet| packet.way == Way::Down)
            .collect();
        let last = down.len().checked_sub(1)?;
        // Late packets more often than early ones.
        let place = last - self.up_to(last).min(self.up_to(last));
        let packet = down[place];
        let mut bytes = packet.bytes.clone();
        for _ in 0..self.up_to(4) {
            if bytes.is_empty() {
                break;
            }
            let at = self.up_to(bytes.len() - 1);
            match self.up_to(4) {
                0 => bytes[at] ^= 1 << self.up_to(7),
                1 => bytes[at] = [0, 0xff, b'\r', b'\n', b' ', b'9'][self.up_to(5)],
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.rng.next_u32() as u8),
                _ => bytes.extend_from_within(at..),
            }
            bytes.truncate(1_500);
        }
        Some((packet.lane, packet.peer, bytes))
    }

    fn make(&mut self, world: &mut World) {
        if self.up_to(2) > 0
            && let Some((lane, peer, bytes)) = self.changed(world)
        {
            match lane {
                Lane::Udp(channel) => world.inject(channel, peer, &bytes),
                Lane::Tcp(connection) => world.input(Input::Bytes(connection, &bytes)),
            }
            return;
        }
        let bytes = self.garbage();
        if self.up_to(9) == 0 {
            let connection = Connection(u16::try_from(self.up_to(5)).unwrap());
            let input = match self.up_to(2) {
                0 => Input::Bytes(connection, &bytes),
                1 => Input::Closed(connection),
                _ => Input::Opened(connection),
            };
            return world.input(input);
        }
        let channel = self.channel();
        let from = SocketAddrV4::new(SERVER, self.port());
        world.inject(channel, from, &bytes);
    }
}

/// The phones that are exposed to noise: by PnP, by TFTP, by HTTP, with firmware.
fn exposed(kind: u64) -> World {
    let image = "FIP13G-FVUI_V0.6.30_202105111814_RC.bin";
    let common = format!(
        "lang.gui=a\nstatic.firmware.url=tftp://10.0.0.2/{image}\n\
         local_contact.data.url=http://10.0.0.2/book.xml\nnetwork.vlan.id=7\n"
    );
    let files = |world: World| {
        world
            .file(
                "y000000000000.boot",
                "include:config <c.cfg>\ninclude:config <$(MA).cfg>\n",
            )
            .file("c.cfg", &common)
            .file("0021f222b01d.cfg", "account.1.label=own\n")
            .file("book.xml", "<contacts/>")
            .file(image, vec![b'F'; 4_000])
            .web(Param::RandomDelayS, "5")
    };
    let plug = "sip_server=sip.example.org\n";
    match kind % 4 {
        0 => files(World::new(FLYING).option(66, "10.0.0.2")),
        1 => files(World::new(FLYING).pnp("tftp://10.0.0.2/")),
        2 => files(World::new(FLYING).option(66, "http://10.0.0.2/")),
        _ => World::new(PLUG)
            .option(66, "10.0.0.2")
            .file("000b/820c/000b820c2371.txt", plug)
            .file("000b/820c/000b820c2371.md5", md5_hex(plug.as_bytes()))
            .file(
                "firmware/leadtek/BVA8051/currentversion.txt",
                "version=2\nImage_file=i.bin\n",
            )
            .file("firmware/leadtek/BVA8051/i.bin", vec![b'F'; 4_000]),
    }
}

// WIRE-06, WIRE-07: whatever comes on whatever channel at whatever stage, the phone lives on; when
// the noise is over and it is switched on again, it is provisioned as ever.
#[test]
fn lives_through_noise_on_every_channel_at_every_stage() {
    for seed in 0..200 {
        let mut noise = Noise {
            rng: Rng::new(0xbad_c0de ^ seed),
        };
        let mut world = exposed(seed).lease(Duration::from_secs(600)).power();
        // Boot and waits are skipped half of the time.
        for _ in 0..150 {
            let longest = if noise.up_to(1) == 0 { 30 } else { 2_000 };
            let time = noise.up_to(longest);
            world.run_for(Duration::from_millis(time as u64));
            noise.make(&mut world);
        }
        world.run_seconds(4_000);
        assert_small(&world);
        assert!(world.shelf.urls.len() < 2_000, "{seed}");
        assert!(world.shelf.keys.len() < 2_000, "{seed}");
        world.reboot();
        let key = if seed % 4 == 3 {
            "sip_server"
        } else {
            "lang.gui"
        };
        let value = if seed % 4 == 3 {
            "sip.example.org"
        } else {
            "a"
        };
        assert_eq!(world.held(key).as_deref(), Some(value), "seed {seed}");
    }
}
