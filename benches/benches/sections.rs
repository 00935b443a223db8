//! What a settings document of the sections family costs.
//!
//! Budgets: from bytes to settings, lines included, at least half as fast as quick-xml's bare
//! events; a backup of 1 MiB and 50 operations on it, from bytes to settings, 20 ms.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::event::File;
use bootstorm_emulator::format::sections::{
    self, Action, Draft, OperationDraft, Outcome, Parsed, Tree,
};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::profile::sections::Schema;
use bootstorm_emulator::profile::set::ProfileSet;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quick_xml::Reader;
use quick_xml::events::Event;

const BACKUP_BYTES: usize = 1 << 20;
const OPERATIONS: usize = 50;
const FILE: File = File::Step(StepId::GIVEN);

/// The schema of the first built-in profile that has one.
fn schema() -> Arc<Schema> {
    let profiles = ProfileSet::built_in();
    let mut schemas = profiles
        .iter()
        .filter_map(|profile| profile.sections.clone());
    schemas.next().expect("a profile of sections")
}

/// A backup of all sections, most of it templates with parameters.
fn backup(bytes: usize) -> Vec<u8> {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: &str| settings.push((key.to_owned(), value.to_owned()));
    add("provisioning/url", "http://prov.server.com/<MACADR>.xml");
    for user in 1..=16 {
        let path = format!("users/user[@id='{user}']");
        add(&format!("{path}/username"), &format!("phone-{user}"));
        add(&format!("{path}/password"), "a long & secret <word>");
    }
    for key in 1..=60 {
        let path = format!("keys/phoneXtensions/key[@keyNumber='{key}']");
        add(&format!("{path}/type"), "function");
        let path = format!("{path}/parameters/parameter[@name='@string/identity']");
        add(&format!("{path}/@value"), "1");
    }
    let mut text = sections::write(&Draft {
        settings: &settings
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect::<Vec<_>>(),
        versions: &[],
        ..Draft::default()
    });
    let end = b"</configuration>\n";
    text.truncate(text.len() - end.len());
    let mut templates = String::from("  <templates>\n");
    for number in 0.. {
        if text.len() + templates.len() >= bytes {
            break;
        }
        let _ = write!(
            templates,
            "    <template name=\"Template {number}\">\n      <type>function</type>\n      \
             <description>What this key does, number {number}</description>\n      <parameters>\n"
        );
        for parameter in ["@string/identity", "@string/number", "@string/label"] {
            let _ = writeln!(
                templates,
                "        <parameter name=\"{parameter}\" value=\"{number}\"/>"
            );
        }
        templates.push_str("      </parameters>\n    </template>\n");
    }
    templates.push_str("  </templates>\n");
    text.extend_from_slice(templates.as_bytes());
    text.extend_from_slice(end);
    text
}

fn operations() -> Vec<u8> {
    let paths: Vec<String> = (0..OPERATIONS)
        .map(|number| format!("/templates/template[@name='Template {}']", number * 37))
        .collect();
    let drafts: Vec<OperationDraft<'_>> = paths
        .iter()
        .zip(
            [Action::Delete, Action::Replace, Action::Add]
                .into_iter()
                .cycle(),
        )
        .map(|(path, action)| OperationDraft {
            action,
            path,
            content: match action {
                Action::Replace => &[("template[@name='New']/type", "function")],
                _ => &[("description", "new")],
            },
        })
        .collect();
    sections::write_operations(&drafts)
}

fn apply(tree: &Tree, bytes: &[u8], schema: &Schema) -> Outcome {
    match sections::read(bytes).expect("well-formed") {
        Parsed::Patch(patch) => tree.patch(&patch, FILE, schema),
        Parsed::Operations(operations) => tree.operate(&operations, FILE, schema),
        Parsed::References(_) => unreachable!("no references here"),
    }
}

/// Events of quick-xml without looking at attributes or counting lines.
fn bare_events(bytes: &[u8]) -> usize {
    let mut reader = Reader::from_reader(bytes);
    let mut events = 0;
    while !matches!(reader.read_event().expect("well-formed"), Event::Eof) {
        events += 1;
    }
    events
}

fn documents(criterion: &mut Criterion) {
    let (schema, text, changes) = (schema(), backup(BACKUP_BYTES), operations());
    let mut group = criterion.benchmark_group("sections");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("quick-xml's bare events, 1 MiB", |bencher| {
        bencher.iter(|| bare_events(black_box(&text)));
    });
    group.bench_function("read a backup of 1 MiB", |bencher| {
        bencher.iter(|| sections::read(black_box(&text)));
    });
    group.bench_function("read, patch, flatten a backup of 1 MiB", |bencher| {
        let mut keys = Names::default();
        bencher.iter(|| {
            let outcome = apply(&Tree::default(), black_box(&text), &schema);
            outcome.tree.flatten(&mut keys)
        });
    });
    let held = apply(&Tree::default(), &text, &schema).tree;
    group.bench_function("50 operations on 1 MiB", |bencher| {
        bencher.iter(|| apply(&held, black_box(&changes), &schema));
    });
    group.bench_function("a backup of 1 MiB, then 50 operations", |bencher| {
        let mut keys = Names::default();
        bencher.iter(|| {
            let tree = apply(&Tree::default(), black_box(&text), &schema).tree;
            let outcome = apply(&tree, black_box(&changes), &schema);
            outcome.tree.flatten(&mut keys)
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = documents
}
criterion_main!(benches);
