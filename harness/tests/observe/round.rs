//! There and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstorm::capture;
use bootstorm::observe::file::Capture;
use bootstorm::observe::{Frame, Limits, Link, Observer};
use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::run::{self, Ended, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use bootstorm_scenarios::wire::message::{self, Message};
use bootstorm_scenarios::wire::record::Record;
use tempfile::TempDir;

/// Seconds since 1970 at which the runs here begin.
pub(crate) const STARTED_AT: u64 = 1_780_000_000;
const UNBOUNDED: usize = 1 << 30;

/// Everything is kept, so that nothing differs for want of room.
fn limits() -> Limits {
    Limits {
        record_bytes: UNBOUNDED,
        total_bytes: UNBOUNDED,
        body_bytes: UNBOUNDED,
        ..Limits::default()
    }
}

pub(crate) fn plan(name: &str, phones: u32) -> Arc<Plan> {
    let mut built_in = scenario::built_in().iter();
    let (_, text) = built_in.find(|(known, _)| *known == name).expect("known");
    let mut scenario = scenario::read(name, text).expect("sound");
    scenario.resize(phones);
    let plan = Plan::new(scenario, &ProfileSet::built_in(), SIMULATED_SERVER);
    Arc::new(plan.expect("a plan"))
}

pub(crate) fn orders() -> Orders {
    Orders {
        started_at: STARTED_AT,
        keep_secrets: true,
        record_bytes: UNBOUNDED,
        ..Orders::default()
    }
}

pub(crate) fn ran(plan: &Arc<Plan>) -> Ended {
    let source = provision::tree(plan).expect("content");
    let reference = Reference::new(provision::reference(plan, source, SIMULATED_POOL));
    run::simulate(plan, reference, &orders()).expect("a run")
}

/// A frame that owns its bytes.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) at: Moment,
    pub(crate) link: Link,
    pub(crate) bytes: Vec<u8>,
    pub(crate) length: u32,
    pub(crate) inside_tls: Option<u16>,
}

/// The frames of the capture of a run.
pub(crate) fn frames(plan: &Plan, ended: &mut Ended) -> Vec<Owned> {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("capture.pcapng");
    let written = capture::write(&path, plan, &orders(), ended);
    written.expect("writable").expect("a capture");
    let file = std::fs::File::open(&path).expect("there");
    let mut capture = Capture::new(file);
    let mut frames = Vec::new();
    while let Some(frame) = capture.frame().expect("a sound capture") {
        frames.push(Owned {
            at: frame.at,
            link: frame.link,
            bytes: frame.bytes.to_vec(),
            length: frame.length,
            inside_tls: frame.inside_tls,
        });
    }
    assert_eq!(capture.cut(), None);
    frames
}

/// Somebody who took these frames.
pub(crate) fn observed(frames: &[Owned]) -> Observer {
    let mut observer = Observer::new(limits()).since(STARTED_AT * 1_000_000_000);
    for (number, frame) in (1..).zip(frames) {
        observer.take(&Frame {
            at: frame.at,
            link: frame.link,
            bytes: &frame.bytes,
            length: frame.length,
            number,
            inside_tls: frame.inside_tls,
        });
    }
    observer.settle();
    observer
}

/// Messages but for what a capture does not show: the phone's own numbers of its connections, and
/// how a file was cut into the packets of a data connection.
fn comparable(mut messages: Vec<Message>) -> Vec<Message> {
    let mut numbers = BTreeMap::new();
    for message in &mut messages {
        for (key, value) in &mut message.fields {
            if key == "connection" {
                let next = numbers.len();
                *value = numbers.entry(value.clone()).or_insert(next).to_string();
            }
        }
    }
    messages.retain(|message| message.name != "ftp.data");
    messages
}

fn same_messages(name: &str, phones: u32) {
    let plan = plan(name, phones);
    let mut ended = ran(&plan);
    let records = ended.records.clone();
    let mut observer = observed(&frames(&plan, &mut ended));
    assert_eq!(observer.losses().sentence(), None);
    require_same(name, &plan, records, &mut observer);
}

fn require_same(name: &str, plan: &Plan, records: Vec<(u32, Record)>, observer: &mut Observer) {
    assert_eq!(observer.phones().count(), records.len());
    for (index, record) in records {
        let phone = plan.phone(index).expect("planned");
        let (mac, profile) = (phone.identity.mac, plan.profile(&phone).expect("a profile"));
        let ours = comparable(message::decode(&record));
        let read = observer.record(mac).expect("a record");
        let theirs = comparable(message::decode(read));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{name} phone {index} {}", profile.name);
        }
        assert_eq!(ours.len(), theirs.len(), "{name} phone {index}");
        assert!(!ours.is_empty());
    }
}

#[test]
fn a_capture_of_every_way_is_read_back_as_the_same_messages() {
    same_messages("every-way", 80);
}

#[test]
fn a_capture_of_a_first_run_is_read_back_as_the_same_messages() {
    same_messages("first-run", 60);
}

#[test]
fn a_capture_of_calls_and_downloads_is_read_back_as_the_same_messages() {
    same_messages("acs-download", 6);
    same_messages("check-sync-storm", 10);
}

/// Ethernet's header, and the rest.
fn parted(frame: &Owned) -> (&[u8], &[u8]) {
    frame.bytes.split_at(12)
}

fn with(frame: &Owned, link: Link, parts: &[&[u8]]) -> Owned {
    let bytes = parts.concat();
    let grown = bytes.len() as i64 - frame.bytes.len() as i64;
    Owned {
        link,
        length: u32::try_from(i64::from(frame.length) + grown).expect("a length"),
        bytes,
        ..frame.clone()
    }
}

/// What becomes of a frame.
type Changed = fn(&Owned) -> Vec<Owned>;

/// Two tags.
fn tagged(frame: &Owned) -> Vec<Owned> {
    let (addresses, rest) = parted(frame);
    let tags = [0x88, 0xa8, 0, 9, 0x81, 0, 0x20, 7];
    vec![with(frame, Link::Ethernet, &[addresses, &tags, rest])]
}

/// As an interface called "any" shows it.
fn cooked(frame: &Owned) -> Vec<Owned> {
    let (addresses, rest) = parted(frame);
    let head = [0, 0, 0, 1, 0, 6];
    vec![with(
        frame,
        Link::Cooked,
        &[&head, &addresses[6..], &[0, 0], rest],
    )]
}

fn cooked_2(frame: &Owned) -> Vec<Owned> {
    let (addresses, rest) = parted(frame);
    let head = [0, 0, 0, 0, 0, 2, 0, 1, 0, 6];
    let parts = [&rest[..2], &head[..], &addresses[6..], &[0, 0], &rest[2..]];
    vec![with(frame, Link::Cooked2, &parts)]
}

fn raw(frame: &Owned) -> Vec<Owned> {
    vec![with(frame, Link::Raw, &[&frame.bytes[14..]])]
}

fn loopback(frame: &Owned) -> Vec<Owned> {
    vec![with(
        frame,
        Link::Loopback,
        &[&[2, 0, 0, 0], &frame.bytes[14..]],
    )]
}

/// In fragments of 256 bytes, the last one first.
fn fragments(frame: &Owned) -> Vec<Owned> {
    const SIZE: usize = 256;
    let (head, payload) = frame.bytes.split_at(34);
    if payload.len() <= SIZE || frame.bytes.len() < frame.length as usize {
        return vec![frame.clone()];
    }
    let pieces: Vec<_> = payload.chunks(SIZE).collect();
    let mut made = Vec::new();
    for (at, piece) in pieces.iter().enumerate().rev() {
        let mut head = head.to_vec();
        let total = u16::try_from(20 + piece.len()).expect("small");
        head[16..18].copy_from_slice(&total.to_be_bytes());
        // What a host numbers its packets by.
        let number = frame.at.nanos() ^ u64::from(frame.bytes[41]) << 8;
        head[18..20].copy_from_slice(&number.to_be_bytes()[6..]);
        let more = if at + 1 < pieces.len() { 0x2000 } else { 0 };
        let place = u16::try_from(at * SIZE / 8).expect("small") | more;
        head[20..22].copy_from_slice(&place.to_be_bytes());
        made.push(with(frame, Link::Ethernet, &[&head, piece]));
    }
    made
}

fn twice(frame: &Owned) -> Vec<Owned> {
    // A datagram that comes twice came twice; a segment did not.
    let is_tcp = frame.bytes[23] == 6;
    vec![frame.clone(); if is_tcp { 2 } else { 1 }]
}

#[test]
fn it_is_the_same_behind_tags_in_fragments_and_on_every_link() {
    let plan = plan("every-way", 40);
    let mut ended = ran(&plan);
    let records = ended.records.clone();
    let plain = frames(&plan, &mut ended);
    let changes: [(&str, Changed); 7] = [
        ("tagged twice", tagged),
        ("in fragments", fragments),
        ("segments twice", twice),
        ("cooked", cooked),
        ("cooked, second version", cooked_2),
        ("raw", raw),
        ("loopback", loopback),
    ];
    for (name, change) in changes {
        let changed: Vec<_> = plain.iter().flat_map(change).collect();
        let mut observer = observed(&changed);
        assert_eq!(observer.losses().sentence(), None, "{name}");
        require_same(name, &plan, records.clone(), &mut observer);
    }
}

#[test]
fn segments_that_come_late_are_put_in_their_turn() {
    let plan = plan("every-way", 40);
    let mut ended = ran(&plan);
    let records = ended.records.clone();
    let mut frames = frames(&plan, &mut ended);
    let flags = |frame: &Owned| (frame.bytes[23] == 6).then(|| frame.bytes[47]);
    let data = |frame: &Owned| flags(frame) == Some(24) && frame.bytes.len() > 54;
    let ends = |frame: &Owned| (frame.bytes[26..38].to_vec(), frame.at);
    let mut swapped = 0;
    for at in 1..frames.len() {
        let (one, two) = (&frames[at - 1], &frames[at]);
        if data(one) && data(two) && ends(one) == ends(two) {
            frames.swap(at - 1, at);
            swapped += 1;
        }
    }
    assert!(swapped > 10, "{swapped}");
    let mut observer = observed(&frames);
    assert_eq!(observer.losses().sentence(), None);
    require_same("late", &plan, records, &mut observer);
}
