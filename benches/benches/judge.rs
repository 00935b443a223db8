//! What judging one phone costs: its record decoded into messages, all cases of a vendor's phone
//! suite held against them, and the exchange of a failure in lines.

use std::hint::black_box;
use std::sync::Arc;

use bootstorm::capture::{self, Which};
use bootstorm::provision::{SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run;
use bootstorm_benches::{Load, orders};
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::judge::{Seen, judge};
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::suite::{self, Case, Side};
use bootstorm_scenarios::wire::message;
use bootstorm_scenarios::wire::record::Record;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A phone that booted, with what it sent and received.
fn recorded() -> (Arc<Plan>, PhonePlan, Record) {
    let load = Load::storm(1);
    let plan = load.plan(SIMULATED_SERVER).expect("a good scenario");
    let server = load.reference(&plan, SIMULATED_POOL).expect("good content");
    let mut orders = orders(1);
    capture::order(&mut orders, Which::All, &plan);
    let (result, _) = run::simulate_shard(&plan, Reference::new(server), &orders);
    let (index, record) = result.records.into_iter().next().expect("a record");
    let phone = plan.phone(index).expect("planned");
    (plan, phone, record)
}

/// The cases about phones of a vendor.
fn cases(vendor: &str) -> Vec<Case> {
    let suites = suite::read_built_in().expect("sound suites");
    let mut suites = suites.into_iter();
    let suite = suites.find(|suite| suite.side == Side::Phone && suite.name == vendor);
    suite.expect("the suite").cases
}

fn judging(criterion: &mut Criterion) {
    let (plan, phone, record) = recorded();
    let messages = message::decode(&record);
    let server = plan.server.to_string();
    let fill = Fill {
        vars: plan.vars(&phone),
        server: &server,
        root: "",
    };
    let seen = Seen {
        messages: &messages,
        lost: record.dropped(),
        began: Moment::ZERO,
        state: None,
    };
    let profile = plan.profile(&phone).expect("its profile");
    let vendor = profile.name.split('/').next().unwrap_or_default();
    let cases = cases(vendor);
    let mut group = criterion.benchmark_group("one phone");
    group.throughput(Throughput::Elements(messages.len() as u64));
    group.bench_function("its record decoded", |bencher| {
        bencher.iter(|| message::decode(black_box(&record)));
    });
    group.bench_function("its exchange in lines", |bencher| {
        bencher.iter(|| messages.iter().map(message::line).collect::<Vec<_>>());
    });
    group.throughput(Throughput::Elements(cases.len() as u64));
    group.bench_function("judged by a suite", |bencher| {
        bencher.iter(|| {
            let judged = cases
                .iter()
                .map(|case| judge(case, black_box(&seen), &fill));
            judged.map(|finding| finding.evidence.len()).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
