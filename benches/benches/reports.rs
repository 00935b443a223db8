//! What a report of 10,000 phones costs: each writer, reading it back, and 64 machines' parts of
//! it made one.
//!
//! Every eighth phone failed, at one of forty places, so that groups, failures and phones are
//! written as in a run that somebody looks into.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_benches::{WRITERS, Writer};
use bootstorm_emulator::event::{Event, EventKind};
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::{Step, StepId};
use bootstorm_emulator::time::Moment;
use bootstorm_reports::measure::Measures;
use bootstorm_reports::redact::Redactor;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::{FirstWrong, Outcome, PhoneResult, RunFacts};
use bootstorm_reports::text::Style;
use bootstorm_reports::{compare, json, text};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const PHONES: u32 = 10_000;
const PARTS: u32 = 64;

/// The phones of a run whose index leaves this remainder.
fn report(remainder: u32, parts: u32) -> Report {
    let label = |at: usize| Step {
        label: format!("step {at}"),
        clauses: Vec::new(),
    };
    let steps: Vec<Step> = (0..24).map(label).collect();
    let mut measures = Measures::default();
    let lane = measures.lane("bench/model", &steps);
    let profile: Arc<str> = Arc::from("bench/model");
    let phones = (remainder..PHONES).step_by(parts as usize).map(|index| {
        let after = Duration::from_micros(u64::from(index.wrapping_mul(2_654_435_761) % 900_000));
        for step in 0..8 {
            let kind = EventKind::Answered {
                step: StepId(step),
                after,
            };
            let at = Moment::ZERO;
            measures.record(lane, &Event { at, kind });
        }
        let failed = index % 8 == 0;
        PhoneResult {
            index,
            mac: Mac::from_oui([0x00, 0x21, 0xf2], index),
            profile: Arc::clone(&profile),
            outcome: if failed {
                Outcome::Failed
            } else {
                Outcome::Provisioned
            },
            scheduled_at: Moment::from_millis(index.into()),
            settled_after: Some(after),
            provisioned_after: (!failed).then_some(after),
            reboots: 0,
            soft_reboots: 0,
            limit: None,
            first_wrong: failed.then(|| FirstWrong {
                step: format!("step {}", index / 8 % 40),
                text: "no answer".to_owned(),
            }),
            difference: None,
            firmware: Arc::from("1.0"),
        }
    });
    let phones: Vec<PhoneResult> = phones.collect();
    let facts = RunFacts {
        scenario: "bench".to_owned(),
        planned: u32::try_from(phones.len()).unwrap_or(u32::MAX),
        repeat: "bootstorm run --phone {phone}".to_owned(),
        ..RunFacts::default()
    };
    let report = Report::new(facts, measures.ladder(), phones, &Redactor::new(1));
    report.expect("a sound report")
}

fn writers(criterion: &mut Criterion) {
    let whole = report(0, 1);
    let mut group = criterion.benchmark_group("report of 10,000 phones");
    let text: Writer = |report, out| text::write(report, Style::default(), out);
    for (name, write) in WRITERS.into_iter().chain([("text", text)]) {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut out = Vec::with_capacity(1 << 21);
                write(black_box(&whole), &mut out).expect("memory");
                out
            });
        });
    }
    let mut written = Vec::new();
    json::write(&whole, &mut written).expect("memory");
    group.bench_function("read back", |bencher| {
        bencher.iter(|| json::read(&mut black_box(&*written)).expect("a report"));
    });
    group.bench_function("compare with itself", |bencher| {
        bencher.iter(|| compare::Comparison::new(&whole, black_box(&whole), 10.0));
    });
    group.finish();
}

fn merge(criterion: &mut Criterion) {
    let parts = (0..PARTS).map(|part| {
        let mut written = Vec::new();
        json::write(&report(part, PARTS), &mut written).expect("memory");
        written
    });
    let parts: Vec<Vec<u8>> = parts.collect();
    let read = |part: &Vec<u8>| json::read(&mut &**part).expect("a report");
    let reports: Vec<Report> = parts.iter().map(read).collect();
    let mut group = criterion.benchmark_group("64 parts of 10,000 phones");
    group.bench_function("merge", |bencher| {
        let setup = || reports.clone();
        let merge = |reports: Vec<Report>| {
            let mut reports = reports.into_iter();
            let first = reports.next().expect("a part");
            first.merge_all(reports).expect("one run")
        };
        bencher.iter_batched(setup, merge, BatchSize::LargeInput);
    });
    group.bench_function("read and merge", |bencher| {
        bencher.iter(|| {
            let mut reports = black_box(&parts).iter().map(read);
            let first = reports.next().expect("a part");
            first.merge_all(reports).expect("one run")
        });
    });
    group.finish();
}

criterion_group!(benches, writers, merge);
criterion_main!(benches);
