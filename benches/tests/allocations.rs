//! Reading a packet allocates nothing.

use std::hint::black_box;

use allocation_counter::measure;
use bootstorm_benches::packets;
use bootstorm_emulator::wire::{http, sip};

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
