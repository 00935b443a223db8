//! Reading a packet allocates nothing, and neither does recording one or carrying it to a phone.

use std::hint::black_box;

use std::net::{Ipv4Addr, SocketAddrV4};

use allocation_counter::measure;
use bootstorm::capture::{self, Which};
use bootstorm::provision::{SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run;
use bootstorm_benches::{Load, orders, packets};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::{http, sip};
use bootstorm_scenarios::wire::record::{PIECE_BYTES, Pool, Record};
use bootstorm_scenarios::wire::{Carrier, Packet, Way};

#[test]
fn counts_what_is_allocated() {
    let counted = measure(|| drop(black_box(vec![0_u8; 64])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn reads_dhcp_messages_without_allocating() {
    for packet in [packets::dhcp_ack(), packets::dhcp_discover()] {
        let counted = measure(|| {
            assert!(packets::walk_dhcp(black_box(&packet)) > 0);
        });
        assert_eq!(counted.count_total, 0);
    }
}

#[test]
fn reads_tftp_packets_without_allocating() {
    for (name, packet) in packets::tftp() {
        let counted = measure(|| {
            assert!(packets::walk_tftp(black_box(&packet)).is_some());
        });
        assert_eq!(counted.count_total, 0, "{name}");
    }
}

#[test]
fn splits_sip_messages_and_http_heads_without_allocating() {
    let (notify, head) = (packets::sip_notify(), packets::http_request());
    let counted = measure(|| {
        assert!(sip::Message::parse(black_box(&notify)).is_ok());
        assert!(matches!(
            http::parse_request_head(black_box(&head)),
            Ok(Some(_))
        ));
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn records_packets_in_memory_that_was_there_without_allocating() {
    let end = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 69);
    let packet = Packet {
        at: Moment::ZERO,
        way: Way::Received,
        phone: end,
        peer: end,
        carrier: Carrier::Udp,
        length: 516,
        bytes: &[7; 516],
    };
    let bytes_max = 32 * PIECE_BYTES;
    let mut pool = Pool::new(bytes_max, bytes_max);
    let mut record = Record::new(bytes_max);
    let mut fill = |packets: u32| {
        for _ in 0..packets {
            record.push_within(black_box(&packet), &mut pool);
        }
    };
    fill(200);
    // Its ring is full: the oldest packets make room.
    assert_eq!(measure(|| fill(1_000)).count_total, 0);
    record.clear(&mut pool);
    let mut other = Record::new(bytes_max);
    // What the first gave back serves the second; only the list of pieces is its own.
    let counted = measure(|| {
        for _ in 0..100 {
            other.push_within(black_box(&packet), &mut pool);
        }
    });
    assert!(counted.count_total <= 5, "{}", counted.count_total);
    assert!(pool.bytes() <= bytes_max);
}

/// What a run of eight phones allocates whose files have so many bytes of comments.
fn allocations(comments: usize, which: Which) -> u64 {
    let load = Load {
        comments,
        ..Load::storm(8)
    };
    let plan = load.plan(SIMULATED_SERVER).expect("a plan");
    let server = load.reference(&plan, SIMULATED_POOL).expect("content");
    let mut orders = orders(1);
    capture::order(&mut orders, which, &plan);
    let counted = measure(|| {
        let (result, _) = run::simulate_shard(&plan, Reference::new(server.clone()), &orders);
        assert_eq!(result.ladder.totals.files, 8 * 5);
    });
    counted.count_total
}

#[test]
fn a_packet_more_is_no_allocation_more() {
    // Three files of 200 blocks more each, both ways.
    let packets = 8 * 3 * 200 * 2;
    for which in [Which::None, Which::All] {
        let [few, many] = [0, 102_400].map(|comments| allocations(comments, which));
        let more = many.saturating_sub(few);
        assert!(
            more < packets / 10,
            "{which:?}: {more} for {packets} packets"
        );
    }
}
