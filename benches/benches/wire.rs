//! What one packet costs: the codecs of the phones' hot paths, on messages as vendors' phones and
//! servers send them.
//!
//! Budgets: a DHCP message read and its options walked in 300 ns; a TFTP packet in 50 ns; neither
//! allocates (`tests/allocations.rs`).

use std::hint::black_box;
use std::time::Duration;

use bootstorm_benches::packets;
use bootstorm_emulator::wire::{dhcp, http, sip, tftp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn dhcp_messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dhcp");
    let messages = [
        ("ACK of 300 bytes", packets::dhcp_ack(), 66),
        ("DISCOVER of 548 bytes", packets::dhcp_discover(), 55),
    ];
    for (name, message, code) in messages {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(format!("decode, {name}"), |bencher| {
            bencher.iter(|| dhcp::Message::decode(black_box(&message)));
        });
        group.bench_function(format!("decode and walk all options, {name}"), |bencher| {
            bencher.iter(|| packets::walk_dhcp(black_box(&message)));
        });
        let decoded = dhcp::Message::decode(&message).expect("a good message");
        group.bench_function(format!("find one option, {name}"), |bencher| {
            bencher.iter(|| black_box(&decoded).option(black_box(code)));
        });
    }
    group.finish();
}

fn tftp_packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tftp");
    for (name, packet) in packets::tftp() {
        group.bench_function(format!("decode, {name}"), |bencher| {
            bencher.iter(|| tftp::decode(black_box(&packet)));
        });
    }
    let request = packets::tftp_request();
    group.bench_function("decode and walk options, RRQ", |bencher| {
        bencher.iter(|| packets::walk_tftp(black_box(&request)));
    });
    group.finish();
}

fn texts(criterion: &mut Criterion) {
    let notify = packets::sip_notify();
    let mut group = criterion.benchmark_group("sip");
    group.throughput(Throughput::Bytes(notify.len() as u64));
    group.bench_function("parse NOTIFY", |bencher| {
        bencher.iter(|| sip::Message::parse(black_box(&notify)));
    });
    group.bench_function("parse NOTIFY, event and CSeq", |bencher| {
        bencher.iter(|| {
            let message = sip::Message::parse(black_box(&notify)).expect("a good message");
            black_box((message.event().is_some(), message.cseq()))
        });
    });
    group.finish();
    let head = packets::http_request();
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Bytes(head.len() as u64));
    group.bench_function("parse request head", |bencher| {
        bencher.iter(|| http::parse_request_head(black_box(&head)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = dhcp_messages, tftp_packets, texts
}
criterion_main!(benches);
