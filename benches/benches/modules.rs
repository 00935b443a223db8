//! What a file of modules costs, from its bytes to settings.
//!
//! Budgets: the text form 400 MB/s; the XML forms, with line numbers, 0.6 of the rate at which
//! quick-xml gives bare events of the same bytes; an encrypted file of 2.5 KB 15 µs.

use std::fmt::Write as _;
use std::hint::black_box;

use bootstorm_emulator::format::sealed::{Cipher, Seal};
use bootstorm_emulator::format::{self, Draft, Format, FormatOptions, Reading};
use bootstorm_emulator::names::Names;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const OWN_BYTES: usize = 2_500;
const LARGE_BYTES: usize = 100_000;
const SIZES: [(&str, usize); 2] = [("2500 bytes", OWN_BYTES), ("100 KB", LARGE_BYTES)];

/// Options of a line and their values, as phones' own exports have them.
const LINE: [(&str, &str); 16] = [
    ("Phone Number", "101"),
    ("Display Name", "Person and desk 101"),
    ("Sip Name", ""),
    ("Register Addr", "172.16.1.13"),
    ("Register Port", "5060"),
    ("Register User", "user-101"),
    ("Register Pswd", "s3cret-101"),
    ("Register TTL", "3600"),
    ("Enable Reg", "1"),
    ("Proxy Addr", "172.16.1.13"),
    ("Proxy Port", "5060"),
    ("Need Reg On", "0"),
    ("DTMF Mode", "3"),
    ("VoiceCodecMap", "PCMU,PCMA,G729,iLBC,opus,G722"),
    ("Record Start", "Record:on"),
    ("MWI Num", ""),
];

fn options(seal: Option<Seal>) -> FormatOptions {
    FormatOptions {
        empty_clears: true,
        seal,
        ..FormatOptions::default()
    }
}

/// The text form as a phone exports it: names padded to the colon, CRLF or LF.
fn text_file(bytes: usize, end: &str) -> Vec<u8> {
    let mut text = format!("{:62}{end}", "<<VOIP CONFIG FILE>>Version:2.0002");
    let _ = write!(
        text,
        "{end}<SIP CONFIG MODULE>{end}SIP  Port          :5060{end}"
    );
    let _ = write!(text, "--SIP Line List--  :{end}");
    for line in 1.. {
        if text.len() >= bytes {
            break;
        }
        for (name, value) in LINE {
            let _ = write!(text, "{:24}:{value}{end}", format!("SIP{line} {name}"));
        }
    }
    let _ = write!(text, "{end}<<END OF FILE>>{end}");
    text.into_bytes()
}

/// The form with underscores, one list of lines.
fn module_file(bytes: usize) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<VOIP_CONFIG_FILE>\n\
         <version>2.0002</version>\n<SIP_CONFIG_MODULE>\n<SIP_Line_List>\n",
    );
    for line in 1.. {
        if text.len() >= bytes {
            break;
        }
        let _ = writeln!(text, "<SIP_Line_List_Entry>\n<ID>SIP{line}</ID>");
        for (name, value) in LINE {
            let name = name.replace(' ', "_");
            let _ = writeln!(text, "<{name}>{value}</{name}>");
        }
        text.push_str("</SIP_Line_List_Entry>\n");
    }
    text.push_str("</SIP_Line_List>\n</SIP_CONFIG_MODULE>\n</VOIP_CONFIG_FILE>\n");
    text.into_bytes()
}

/// The nested form, indented.
fn tree_file(bytes: usize) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sysConf>\n    \
         <Version>2.0000000000</Version>\n    <sip>\n        <SIPPort>5060</SIPPort>\n",
    );
    for line in 1.. {
        if text.len() >= bytes {
            break;
        }
        let _ = writeln!(text, "        <line index=\"{line}\">");
        for (name, value) in LINE {
            let name = name.replace(' ', "");
            let _ = writeln!(text, "            <{name}>{value}</{name}>");
        }
        text.push_str("        </line>\n");
    }
    text.push_str("    </sip>\n</sysConf>\n");
    text.into_bytes()
}

/// Reads once, so that the names are known, and checks that it is worth measuring.
fn prepared(seal: Option<Seal>, file: &[u8]) -> Names {
    let mut keys = Names::default();
    let document = format::read(Format::ModuleText, options(seal), file, &mut keys);
    assert_eq!(document.reading, Reading::Whole);
    assert!(document.faults.groups().is_empty() && document.settings.len() > 16);
    keys
}

fn text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("modules, text");
    for (size, bytes) in SIZES {
        for (ends, end) in [("LF", "\n"), ("CRLF", "\r\n")] {
            let file = text_file(bytes, end);
            let mut keys = prepared(None, &file);
            group.throughput(Throughput::Bytes(file.len() as u64));
            group.bench_function(format!("{size}, {ends}"), |bencher| {
                bencher.iter(|| {
                    let file = black_box(&file);
                    format::read(Format::ModuleText, options(None), file, &mut keys)
                });
            });
        }
    }
    group.finish();
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

fn xml(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("modules, XML");
    for (size, bytes) in SIZES {
        for (form, file) in [
            ("underscores", module_file(bytes)),
            ("nested", tree_file(bytes)),
        ] {
            let mut keys = prepared(None, &file);
            group.throughput(Throughput::Bytes(file.len() as u64));
            let name = format!("{form}, {size}");
            group.bench_function(
                BenchmarkId::new("bare events of quick-xml", &name),
                |bencher| {
                    bencher.iter(|| bare_events(black_box(&file)));
                },
            );
            group.bench_function(BenchmarkId::new("settings", &name), |bencher| {
                bencher.iter(|| {
                    let file = black_box(&file);
                    format::read(Format::ModuleXml, options(None), file, &mut keys)
                });
            });
        }
    }
    group.finish();
}

fn sealed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("modules, encrypted");
    for (mode, cipher) in [("ECB", Cipher::Ecb), ("CBC", Cipher::CbcPrefixed)] {
        let seal = Seal {
            cipher,
            key: [0x5a; 32],
        };
        let plain = text_file(OWN_BYTES, "\r\n");
        let file = format::sealed::seal(&seal, &plain, [7; 16]);
        let mut keys = prepared(Some(seal), &file);
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function(format!("2500 bytes, {mode}"), |bencher| {
            bencher.iter(|| {
                let file = black_box(&file);
                format::read(Format::ModuleText, options(Some(seal)), file, &mut keys)
            });
        });
    }
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let settings: Vec<(String, String)> = (1..=8)
        .flat_map(|line| {
            LINE.map(|(name, value)| {
                let name = name.to_ascii_lowercase();
                (format!("sip.sip{line} {name}"), value.to_owned())
            })
        })
        .collect();
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let draft = Draft {
        settings: &settings,
        version: "2.0002",
        ..Draft::default()
    };
    let mut group = criterion.benchmark_group("modules, written");
    for (name, format) in [
        ("text", Format::ModuleText),
        ("underscores", Format::ModuleXml),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| format::write(format, options(None), black_box(&draft)));
        });
    }
    group.finish();
}

criterion_group!(benches, text, xml, sealed, writing);
criterion_main!(benches);
