//! What reading a capture costs, in bytes of the file: the boots of phones, and an hour of a busy
//! network in which a few phones ask for files (promise: 200 MB/s on one core).

use std::hint::black_box;
use std::io::{self, Read};

use bootstorm::capture::{self, Which};
use bootstorm::observe::file::Capture;
use bootstorm::observe::{Limits, Observer};
use bootstorm::provision::{SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run;
use bootstorm_benches::{Load, orders};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Phones of the capture.
const PHONES: u32 = 200;
/// Bytes of the long one.
const LONG_BYTES: u64 = 256 << 20;

/// The capture of a run.
fn captured() -> Vec<u8> {
    let load = Load::storm(PHONES);
    let plan = load.plan(SIMULATED_SERVER).expect("a good scenario");
    let server = load.reference(&plan, SIMULATED_POOL).expect("good content");
    let mut orders = orders(1);
    capture::order(&mut orders, Which::All, &plan);
    let mut ended = run::simulate(&plan, Reference::new(server), &orders).expect("a run");
    let path = std::env::temp_dir().join(format!("bootstorm-bench-{}.pcapng", std::process::id()));
    let written = capture::write(&path, &plan, &orders, &mut ended);
    written.expect("writable").expect("a capture");
    let bytes = std::fs::read(&path).expect("readable");
    // It was only to be read once.
    let _ = std::fs::remove_file(&path);
    bytes
}

/// A capture of that many bytes that is nowhere as a whole: a pcap header, and full segments of
/// connections of 500 stations, with a request by TFTP now and then.
struct Long {
    piece: Vec<u8>,
    at: usize,
    left: u64,
}

impl Long {
    fn new() -> Self {
        let mut piece = Vec::new();
        for number in 0..4_000_u32 {
            let is_request = number.is_multiple_of(100);
            let length = if is_request { 90 } else { 1_514 };
            let at = [number / 1_000, number % 1_000];
            for word in [1_780_000_000 + at[0], at[1], length, length] {
                piece.extend_from_slice(&word.to_le_bytes());
            }
            let start = piece.len();
            piece.extend_from_slice(&[2, 0, 10, 0, 0, 2, 0, 0x21, 0xf2, 0]);
            let station = u16::try_from(number % 500).unwrap_or(0).to_be_bytes();
            piece.extend_from_slice(&station);
            let total = u16::try_from(length - 14).unwrap_or(0).to_be_bytes();
            let protocol = if is_request { 17 } else { 6 };
            piece.extend_from_slice(&[8, 0, 0x45, 0, total[0], total[1]]);
            piece.extend_from_slice(&[0, 0, 0, 0, 64, protocol, 0, 0, 10, 0]);
            piece.extend_from_slice(&station);
            piece.extend_from_slice(&[10, 0, 0, 2, 0x9c, 0x40]);
            if is_request {
                piece.extend_from_slice(&[0, 69, 0, 56, 0, 0, 0, 1]);
                piece.extend_from_slice(b"0021f2000001.cfg\0octet\0tsize\x000\0");
            } else {
                piece.extend_from_slice(&[0, 80]);
                piece.extend_from_slice(&(number / 500 * 1_460).to_be_bytes());
                piece.extend_from_slice(&[0, 0, 0, 0, 0x50, 16, 0xff, 0xff, 0, 0, 0, 0]);
            }
            piece.resize(start + length as usize, b'x');
        }
        Self {
            piece,
            at: 0,
            left: LONG_BYTES,
        }
    }

    fn head() -> Vec<u8> {
        let mut head = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        head.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
        head
    }
}

impl Read for Long {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let count = rest.len().min(out.len()).min(left);
        let (now, _) = rest.split_at(count);
        if let Some(place) = out.get_mut(..count) {
            place.copy_from_slice(now);
        }
        self.at = (self.at + count) % self.piece.len();
        self.left -= count as u64;
        Ok(count)
    }
}

/// Reads a capture; returns the packets that records hold.
fn listened(input: impl Read) -> usize {
    let mut capture = Capture::new(input);
    let mut observer = Observer::new(Limits::default());
    while let Some(frame) = capture.frame().expect("sound") {
        observer.take(&frame);
    }
    observer.settle();
    let macs: Vec<_> = observer.phones().collect();
    let records = macs
        .iter()
        .filter_map(|mac| observer.record(*mac).map(|it| it.len()));
    records.sum()
}

fn reading(criterion: &mut Criterion) {
    let boots = captured();
    let mut group = criterion.benchmark_group("a capture read into records");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(boots.len() as u64));
    group.bench_function("200 boots", |bencher| {
        bencher.iter(|| listened(black_box(boots.as_slice())));
    });
    group.throughput(Throughput::Bytes(LONG_BYTES));
    group.bench_function("256 MiB, nearly all of it between others", |bencher| {
        bencher.iter(|| listened(io::Cursor::new(Long::head()).chain(Long::new())));
    });
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
