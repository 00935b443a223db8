//! What a configuration file costs: from its bytes to settings in force.
//!
//! Budgets: a unique file of 2.5 KB (digest, parse, vet, apply) 12 µs; parsing 500 MB/s; XML
//! settings, with line numbers, at 0.75 of the rate at which quick-xml gives bare events.

use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;

use bootstorm_emulator::bodies::{Bodies, Body, Model};
use bootstorm_emulator::event::File;
use bootstorm_emulator::format::xml::Reader;
use bootstorm_emulator::format::{self, Format, FormatOptions};
use bootstorm_emulator::names::Names;
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::profile::keys::{KeyRule, KeyRules, Meaning, ValueKind};
use bootstorm_emulator::settings::{Applied, Settings};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// The data block of a TFTP transfer without options.
const CHUNK_BYTES: usize = 512;
const OWN_BYTES: usize = 2_500;
const SHARED: File = File::Step(StepId(13));
const OWN: File = File::Step(StepId(14));

/// Files that differ in every value, as the own files of a fleet's phones do.
struct Fleet {
    files: Vec<Vec<u8>>,
    next: usize,
}

/// What the phones of a shard share.
struct Shard {
    bodies: Bodies,
    keys: Names,
    rules: KeyRules,
}

impl Fleet {
    fn new(bytes: usize) -> Self {
        let files = (0..256).map(|phone| own_file(phone, bytes)).collect();
        Self { files, next: 0 }
    }

    fn next(&mut self) -> &[u8] {
        self.next = (self.next + 1) % self.files.len();
        &self.files[self.next]
    }
}

impl Shard {
    fn new() -> Self {
        Self {
            bodies: Bodies::new(64 << 20),
            keys: Names::default(),
            rules: rules(),
        }
    }

    fn fetch(&mut self, bytes: &[u8]) -> Rc<Body> {
        let mut writer = self.bodies.start(1 << 20);
        for chunk in bytes.chunks(CHUNK_BYTES) {
            self.bodies
                .append(&mut writer, chunk)
                .expect("within limit");
        }
        self.bodies.finish(writer)
    }

    fn apply(&mut self, file: File, bytes: &[u8], settings: &mut Settings) -> Applied {
        let body = self.fetch(bytes);
        let model = Model {
            options: FormatOptions::default(),
            rules: &self.rules,
            index: 0,
        };
        let vetted = self
            .bodies
            .vetted_for(&body, Format::KeyValue, model, &mut self.keys);
        settings.overlay(file, vetted)
    }
}

fn rule(pattern: &str, value: ValueKind, meaning: Meaning) -> KeyRule {
    KeyRule {
        pattern: pattern.to_owned(),
        value,
        meaning,
    }
}

fn rules() -> KeyRules {
    let switch = || ValueKind::Number(0, 1);
    let rules = vec![
        rule("account.{1-8}.enable", switch(), Meaning::Plain),
        rule(
            "account.{1-8}.sip_server_port",
            ValueKind::Number(1, 65_535),
            Meaning::Plain,
        ),
        rule("account.{1-8}.*", ValueKind::Text, Meaning::Plain),
        rule(
            "linekey.{1-21}.type",
            ValueKind::Number(0, 24),
            Meaning::Plain,
        ),
        rule("linekey.{1-21}.*", ValueKind::Text, Meaning::Plain),
        rule(
            "local_time.time_zone",
            ValueKind::Number(-11, 14),
            Meaning::Plain,
        ),
        rule("local_time.*", ValueKind::Text, Meaning::Plain),
        rule("network.*", ValueKind::Text, Meaning::Reboot),
        rule("features.*", ValueKind::Text, Meaning::Plain),
    ];
    KeyRules::new(rules, false).expect("good patterns")
}

/// A phone's own file: accounts and line keys, cut to a length at a line's end.
fn own_file(phone: usize, bytes: usize) -> Vec<u8> {
    let mut text = format!("# own settings of phone {phone:06}\n");
    for account in 1..=4 {
        let number = 200_000 + phone * 8 + account;
        let _ = write!(
            text,
            "account.{account}.enable=1\naccount.{account}.label=Desk {number}\n\
             account.{account}.display_name=Person {number}\naccount.{account}.auth_name={number}\n\
             account.{account}.password=s3cret-{number}\naccount.{account}.user_name={number}\n\
             account.{account}.sip_server_host=pbx.example.org\n\
             account.{account}.sip_server_port=5060\n"
        );
    }
    for key in 1..=21 {
        let number = 300_000 + phone * 21 + key;
        let _ = write!(
            text,
            "linekey.{key}.type=16\nlinekey.{key}.value={number}\nlinekey.{key}.label=Colleague \
             {number}\n"
        );
    }
    cut(text, bytes)
}

/// The shared file, as all phones of a model get it.
fn shared_file(bytes: usize) -> Vec<u8> {
    let mut text = String::from("# common settings\nlocal_time.time_zone=+1\n");
    for number in 0..bytes / 20 {
        let _ = writeln!(text, "features.option_{number}.mode = value {number}");
    }
    cut(text, bytes)
}

fn cut(mut text: String, bytes: usize) -> Vec<u8> {
    let end = text.get(..bytes).and_then(|text| text.rfind('\n'));
    text.truncate(end.map_or(text.len(), |end| end + 1));
    text.into_bytes()
}

fn unique_file(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unique file");
    for bytes in [900, OWN_BYTES] {
        let mut shard = Shard::new();
        let mut fleet = Fleet::new(bytes);
        let mut base = Settings::default();
        shard.apply(SHARED, &shared_file(OWN_BYTES), &mut base);
        group.throughput(Throughput::Bytes(fleet.next().len() as u64));
        group.bench_function(
            format!("digest parse vet apply, {bytes} bytes"),
            |bencher| {
                bencher.iter_batched(
                    || base.clone(),
                    |mut settings| {
                        let applied = shard.apply(OWN, fleet.next(), &mut settings);
                        (applied, settings)
                    },
                    BatchSize::SmallInput,
                );
            },
        );
        group.bench_function(format!("store and digest only, {bytes} bytes"), |bencher| {
            bencher.iter(|| shard.fetch(fleet.next()).md5());
        });
    }
    group.finish();
}

fn shared_file_hit(criterion: &mut Criterion) {
    let mut shard = Shard::new();
    let file = shared_file(OWN_BYTES);
    shard.apply(SHARED, &file, &mut Settings::default());
    criterion.bench_function("shared file, cached, 2500 bytes", |bencher| {
        bencher.iter(|| shard.apply(SHARED, black_box(&file), &mut Settings::default()));
    });
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let own = own_file(7, OWN_BYTES);
    let crlf = String::from_utf8_lossy(&own)
        .replace('\n', "\r\n")
        .into_bytes();
    let large = shared_file(100_000);
    let mut lines: Vec<&[u8]> = own.split_inclusive(|byte| *byte == b'\n').collect();
    lines.reverse();
    let reversed = lines.concat();
    let files = [
        ("2500 bytes", own.clone()),
        ("2500 bytes, CRLF", crlf),
        ("2500 bytes, keys in another order", reversed),
        ("100 KB", large),
    ];
    let mut keys = Names::default();
    let _ = format::read(Format::KeyValue, FormatOptions::default(), &own, &mut keys);
    for (name, file) in files {
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let options = FormatOptions::default();
                format::read(Format::KeyValue, options, black_box(&file), &mut keys)
            });
        });
    }
    group.finish();
}

/// XML settings as a phone gets them: accounts and timers, one `param` a line.
fn param_file(bytes: usize) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\t<settings version=\"1.0\" \
         productID=\"mx3b\" macAddress= \"7c:2f:80:00:00:00\">\n\t\t<!-- SIP -->\n",
    );
    for account in 0.. {
        if text.len() >= bytes {
            break;
        }
        let mut param = |name: &str, value: &str| {
            let _ = writeln!(
                text,
                "\t\t<param name=\"SIP.Account.{account}.{name}\" value=\"{value}\" />"
            );
        };
        param("Active", "1");
        param("AuthName", &format!(" {} ", 200_000 + account));
        param("AuthPassword", &format!("s3cret-{account}"));
        param("DisplayName", &format!("Person &amp; desk {account}"));
        param("Domain", "sip.domain.com");
        param("ProxyServer.Address", "sip.proxy.com");
        param("ProxyServer.Port", "5060");
        param("RegistrationServer.RefreshTimer", "180");
    }
    text.push_str("\t</settings>\n");
    text.into_bytes()
}

/// Bare events of another reader: no attributes, no lines, nothing kept.
fn bare_events(file: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(file);
    let mut events = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => return events,
            event => {
                black_box(event);
                events += 1;
            }
        }
    }
}

/// Tokens of ours: attributes split and checked, lines counted.
fn tokens(file: &[u8]) -> usize {
    let mut reader = Reader::new(file);
    let mut tokens = 0;
    while let Some(token) = reader.next().expect("well-formed") {
        tokens += reader.attributes().len() + reader.line() as usize;
        black_box(token);
    }
    tokens
}

fn xml(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("xml");
    for (name, bytes) in [("2500 bytes", OWN_BYTES), ("100 KB", 100_000)] {
        let file = param_file(bytes);
        let mut keys = Names::default();
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function(format!("bare events of quick-xml, {name}"), |bencher| {
            bencher.iter(|| bare_events(black_box(&file)));
        });
        group.bench_function(format!("tokens, {name}"), |bencher| {
            bencher.iter(|| tokens(black_box(&file)));
        });
        group.bench_function(format!("params to settings, {name}"), |bencher| {
            bencher.iter(|| {
                let options = FormatOptions::default();
                format::read(Format::Catalogue, options, black_box(&file), &mut keys)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, unique_file, shared_file_hit, parsing, xml);
criterion_main!(benches);
