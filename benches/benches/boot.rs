//! Whole boots on the simulated network, on one core: DHCP with option 66, seven TFTP requests of
//! which five files come back, settings compared with the intended values.
//!
//! Budgets: 20,000 boots a second on one core; a settled phone holds 2 KiB for itself.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bootstorm::capture::{self, Which};
use bootstorm::provision::{SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::{Reference, ReferenceConfig};
use bootstorm::run;
use bootstorm_benches::{Load, orders};
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const PHONES: u32 = 10_000;

/// Boots the fleet; returns the bytes that a settled phone holds for itself.
fn boot(plan: &Arc<Plan>, server: ReferenceConfig, which: Which) -> usize {
    let mut orders = orders(1);
    capture::order(&mut orders, which, plan);
    let (result, _) = run::simulate_shard(plan, Reference::new(server), &orders);
    let provisioned = |outcome| outcome == Outcome::Provisioned;
    assert!(
        result.phones.iter().all(|phone| provisioned(phone.outcome)),
        "a phone that is not provisioned measures something else"
    );
    result.bytes_per_phone
}

fn boots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("boots on the simulated network");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(12));
    group.throughput(Throughput::Elements(u64::from(PHONES)));
    for (name, parts, which) in [
        ("five files fetched", 3, Which::None),
        ("three files fetched", 1, Which::None),
        (
            "five files fetched, recorded for a capture",
            3,
            Which::Failed,
        ),
        ("five files fetched, everybody captured", 3, Which::All),
    ] {
        let load = Load {
            parts,
            ..Load::storm(PHONES)
        };
        let plan = load.plan(SIMULATED_SERVER).expect("a good scenario");
        let server = load.reference(&plan, SIMULATED_POOL).expect("good content");
        let bytes = boot(&plan, server.clone(), which);
        let _ = writeln!(
            std::io::stdout(),
            "{name}: a settled phone holds {bytes} bytes for itself"
        );
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || server.clone(),
                |server| black_box(boot(&plan, server, which)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, boots);
criterion_main!(benches);
