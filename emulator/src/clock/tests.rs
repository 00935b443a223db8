use proptest::prelude::*;

use super::*;
use crate::discovery::pnp::fixture::Rig;
use crate::event::EventKind;
use crate::phone::io::Effect;
use crate::profile::ClockSpec;

const CHANNEL: Channel = Channel::Fresh(7);
const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)];
const NOON_NS: u64 = 1_767_614_400 * NANOS_PER_S;

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.profile.clock = Some(ClockSpec {
        retry: Duration::from_secs(10),
        clauses: Vec::new(),
    });
    rig
}

/// The request of the last step, and whom it asks.
fn request(rig: &Rig) -> (Ipv4Addr, Packet) {
    let [Effect::Send { channel, to, bytes }] = &rig.out.effects[..] else {
        panic!("not one datagram: {:?}", rig.out.effects);
    };
    assert_eq!((*channel, to.port()), (CHANNEL, 123));
    let bytes = rig.out.slice(bytes);
    assert_eq!(bytes.len(), 48);
    (*to.ip(), Packet::decode(bytes).unwrap())
}

fn asking() -> (Rig, ClockClient, Packet) {
    let mut rig = rig();
    let client = rig.step(|turn| ClockClient::start(turn, &SERVERS, CHANNEL));
    let (_, asked) = request(&rig);
    (rig, client, asked)
}

fn answer(asked: &Packet) -> Packet {
    let stamp = Timestamp::from_unix_nanos(NOON_NS);
    Packet {
        mode: mode::SERVER,
        stratum: 2,
        originate: asked.transmit,
        receive: stamp,
        transmit: stamp,
        ..*asked
    }
}

fn give(rig: &mut Rig, client: &mut ClockClient, packet: &Packet) -> Option<WallClock> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    rig.step(|turn| client.datagram(turn, CHANNEL, &bytes))
}

// AUE-05: the request of RFC 4330 §5, and the time that the answer tells.
#[test]
fn sets_the_clock_from_the_answer_and_half_the_way() {
    let (mut rig, mut client, asked) = asking();
    assert_eq!((asked.leap, asked.version, asked.mode), (0, 4, 3));
    assert!(asked.transmit != Timestamp::ZERO);
    rig.wait(3_000);
    let mut late = answer(&asked);
    // The server held the request for a second.
    late.receive = Timestamp::from_unix_nanos(NOON_NS - NANOS_PER_S);
    let clock = give(&mut rig, &mut client, &late).unwrap();
    let unix_s = NOON_NS / NANOS_PER_S + 1;
    assert_eq!(clock.unix_s(rig.now), unix_s);
    rig.wait(60_000);
    assert_eq!(clock.unix_s(rig.now), unix_s + 60);
    let after = Duration::from_secs(3);
    let answered = EventKind::Answered { step: STEP, after };
    assert_eq!(rig.events(), [answered, EventKind::TimeSet { unix_s }]);
}

// AUE-05: what cannot be believed leaves the time unknown (RFC 4330 §5).
#[test]
fn believes_no_clock_that_is_not_set() {
    let (mut rig, mut client, asked) = asking();
    let good = answer(&asked);
    for wrong in [
        Packet { leap: 3, ..good },
        Packet { mode: 3, ..good },
        Packet { mode: 5, ..good },
        Packet { version: 0, ..good },
        Packet {
            stratum: 16,
            ..good
        },
        Packet {
            originate: Timestamp::ZERO,
            ..good
        },
        Packet {
            originate: Timestamp(asked.transmit.0 ^ 1),
            ..good
        },
        Packet {
            transmit: Timestamp::ZERO,
            receive: Timestamp::ZERO,
            ..good
        },
    ] {
        assert_eq!(give(&mut rig, &mut client, &wrong), None, "{wrong:?}");
        let (step, fault) = (STEP, Fault::NoTime);
        assert_eq!(
            rig.events(),
            [EventKind::Wrong { step, fault }],
            "{wrong:?}"
        );
    }
    assert!(give(&mut rig, &mut client, &good).is_some());
}

// AUE-07: every ten seconds, without a limit, each server in its turn.
#[test]
fn asks_again_without_a_limit() {
    let (mut rig, mut client, mut before) = asking();
    for round in 1..600_u32 {
        assert_eq!(client.deadline(), rig.now + Duration::from_secs(10));
        rig.now = client.deadline();
        rig.step(|turn| client.tick(turn, &SERVERS));
        let (server, asked) = request(&rig);
        assert_eq!(server, SERVERS[round as usize % 2]);
        assert_ne!(asked.transmit, before.transmit);
        let attempt = u8::try_from(round + 1).unwrap_or(u8::MAX);
        assert_eq!(
            rig.events(),
            [EventKind::Retried {
                step: STEP,
                attempt
            }]
        );
        before = asked;
    }
    assert!(give(&mut rig, &mut client, &answer(&before)).is_some());
}

#[test]
fn tells_an_answer_to_the_request_before_from_a_foreign_one() {
    let (mut rig, mut client, first) = asking();
    rig.now = client.deadline();
    rig.step(|turn| client.tick(turn, &SERVERS));
    assert_eq!(give(&mut rig, &mut client, &answer(&first)), None);
    assert_eq!(rig.events(), [EventKind::Late { step: STEP }]);
}

// RFC 4330 §8.
#[test]
fn asks_less_often_after_a_kiss_of_death() {
    let (mut rig, mut client, mut asked) = asking();
    let mut waits = Vec::new();
    for _ in 0..10 {
        let kiss = Packet {
            leap: 3,
            stratum: 0,
            reference_id: *b"RATE",
            ..answer(&asked)
        };
        // Refused for its leap indicator already, yet heard.
        give(&mut rig, &mut client, &kiss);
        waits.push(client.deadline().since(rig.now).as_secs());
        rig.now = client.deadline();
        rig.step(|turn| client.tick(turn, &SERVERS));
        asked = request(&rig).1;
    }
    assert_eq!(waits[..3], [20, 40, 80]);
    assert_eq!(waits[9], 1_024);
    // Of a server that was not asked none is heard.
    let due = client.deadline();
    let foreign = Packet {
        stratum: 0,
        originate: Timestamp(1),
        ..answer(&asked)
    };
    give(&mut rig, &mut client, &foreign);
    assert_eq!(client.deadline(), due);
}

#[test]
fn waits_for_a_server_and_says_so_once() {
    let mut rig = rig();
    let mut client = rig.step(|turn| ClockClient::start(turn, &[], CHANNEL));
    let (step, fault) = (STEP, Fault::UnknownHost);
    assert_eq!(rig.events(), [EventKind::Wrong { step, fault }]);
    rig.now = client.deadline();
    rig.step(|turn| client.tick(turn, &[]));
    assert_eq!(rig.events(), []);
    rig.now = client.deadline();
    rig.step(|turn| client.tick(turn, &SERVERS[1..]));
    assert_eq!(request(&rig).0, SERVERS[1]);
    assert_eq!(rig.events(), [EventKind::Sent { step, bytes: 48 }]);
}

#[test]
fn reports_strays_up_to_the_limit() {
    let (mut rig, mut client, _) = asking();
    let mut events = 0;
    for _ in 0..200 {
        rig.step(|turn| client.datagram(turn, CHANNEL, b"short"));
        events += rig.events().len();
    }
    assert_eq!(events, STRAYS_MAX as usize + 1);
    let other = rig.step(|turn| client.datagram(turn, Channel::Fresh(8), b"short"));
    assert_eq!((other, rig.events().len()), (None, 0));
}

proptest! {
    #[test]
    fn arbitrary_answers_set_no_clock(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let (mut rig, mut client, _) = asking();
        let clock = rig.step(|turn| client.datagram(turn, CHANNEL, &bytes));
        prop_assert_eq!(clock, None);
    }
}
