use std::time::Duration;

use bootstorm_emulator::event::{Fault, File, LineReason};
use bootstorm_emulator::time::Moment;
use proptest::prelude::*;

use super::*;
use crate::report::tests::{FLY, PND, phone, steps};
use crate::run::Outcome;

const FILES: [(&str, &[&str]); 3] = [
    ("flyingvoice/fip13g", &FLY),
    ("flyingvoice/fip16", &["<mac>", "extra.cfg", "<mac>.cfg"]),
    ("plug-n-dial/bva8051", &PND),
];

fn event(kind: EventKind) -> Event {
    Event {
        at: Moment::ZERO,
        kind,
    }
}

/// One event in the naive model: which profile, which step, which of the seven kinds, how long.
type Entry = (usize, u8, u8, u64);

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec((0..3_usize, 0..13_u8, 0..7_u8, 0..200_000_u64), 0..60)
}

fn kind((_, step, kind, micros): Entry) -> EventKind {
    let step = StepId(step);
    let fault = Fault::Silence;
    match kind {
        0 => EventKind::Sent { step, bytes: 10 },
        1 => EventKind::Answered {
            step,
            after: Duration::from_micros(micros),
        },
        2 => EventKind::Retried { step, attempt: 2 },
        3 => EventKind::Late { step },
        4 => EventKind::Wrong { step, fault },
        5 => EventKind::Missing {
            step,
            file: File::Step(step),
        },
        _ => EventKind::GaveUp { step, fault },
    }
}

fn count(entries: &[Entry]) -> Ladder {
    let mut measures = Measures::default();
    for entry in entries {
        let (name, files) = FILES[entry.0];
        let lane = measures.lane(name, &steps(files));
        measures.record(lane, &event(kind(*entry)));
    }
    measures.ladder()
}

fn label(entry: &Entry) -> String {
    steps(FILES[entry.0].1)[usize::from(entry.1)].label.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_counting_by_hand(
        // Step 9 is the settled row, which no event fills.
        entries in entries().prop_map(|all| {
            all.into_iter().filter(|entry| entry.1 != 9).collect::<Vec<_>>()
        })
    ) {
        let ladder = count(&entries);
        for (at, row) in &ladder.rows {
            let of = |kind: u8| {
                entries.iter().filter(|entry| label(entry) == *at && entry.2 == kind).count() as u64
            };
            let held = [
                row.sent, row.answered, row.retried, row.late, row.wrong, row.missing, row.gave_up,
            ];
            prop_assert_eq!(held, std::array::from_fn(|kind| of(kind as u8)), "{}", at);
            prop_assert_eq!(row.latency.count(), row.answered);
        }
        let all: u64 = ladder.rows.values().map(|row| row.sent).sum();
        prop_assert_eq!(all * 10, ladder.totals.request_bytes);
        prop_assert_eq!(all, entries.iter().filter(|entry| entry.2 == 0).count() as u64);
    }

    #[test]
    fn shards_can_be_summed_in_any_order(a in entries(), b in entries(), c in entries()) {
        let sum = |parts: &[&[Entry]]| {
            let mut sum = Ladder::default();
            parts.iter().for_each(|part| sum.merge(count(part)));
            sum
        };
        let together = count(&[a.clone(), b.clone(), c.clone()].concat());
        let one = sum(&[&a, &b, &c]);
        let turned = sum(&[&c, &a, &b]);
        let mut grouped = count(&a);
        grouped.merge(sum(&[&b, &c]));
        prop_assert_eq!(&one, &together);
        prop_assert_eq!(&turned, &together);
        prop_assert_eq!(&grouped, &together);
        let labels = |ladder: &Ladder| -> Vec<String> {
            ladder.ordered().into_iter().map(|(label, _)| label.to_owned()).collect()
        };
        prop_assert_eq!(labels(&one), labels(&turned));
    }
}

#[test]
fn rows_stand_in_boot_order_whoever_came_first() {
    let mut measures = Measures::default();
    for (name, files) in FILES.iter().rev() {
        measures.lane(name, &steps(files));
    }
    let mut ladder = measures.ladder();
    ladder.settle(&[]);
    let labels: Vec<&str> = ladder
        .ordered()
        .into_iter()
        .map(|(label, _)| label)
        .collect();
    assert_eq!(
        labels,
        [
            "DISCOVER",
            "REQUEST",
            "renewal",
            "SNTP",
            "mDNS query",
            "SUBSCRIBE",
            "NOTIFY",
            "redirect service",
            "prompt",
            "given file",
            "<mac>.md5",
            "<mac>.txt",
            "currentversion.txt",
            "<mac>",
            "extra.cfg",
            "<mac>.boot",
            "y000000000000.cfg",
            "<mac>.cfg",
            "updates.xml",
            "linked file",
            "include",
            "resource",
            "certificate",
            "firmware",
            "Inform",
            "ACS",
            "download",
            "REGISTER",
            "settled",
        ]
    );
}

#[test]
fn the_settled_row_counts_what_started_and_what_did_not_settle() {
    let outcomes = [
        Outcome::Provisioned,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::NotStarted,
    ];
    let phones: Vec<_> = (0..)
        .zip(outcomes)
        .map(|(index, of)| phone(index, of))
        .collect();
    let mut ladder = Ladder::default();
    ladder.settle(&phones);
    ladder.settle(&phones);
    let row = &ladder.rows[SETTLED];
    assert_eq!((row.sent, row.answered, row.gave_up), (3, 2, 1));
    assert_eq!(row.latency.count(), 2);
}

#[test]
fn sums_what_belongs_to_no_step() {
    let mut measures = Measures::default();
    let lane = measures.lane("x", &steps(&FLY));
    let file = File::Step(StepId(10));
    for kind in [
        EventKind::SoftRebooting,
        EventKind::Fetched {
            step: StepId(10),
            file,
            bytes: 2_537,
            md5: [0; 16],
        },
        EventKind::LinesIgnored {
            file,
            reason: LineReason::Grammar,
            count: 4,
            first_line: 1,
        },
        EventKind::FirmwareRefused {
            fault: Fault::NotAnImage,
        },
        EventKind::Settled,
    ] {
        measures.record(lane, &event(kind));
    }
    let totals = measures.ladder().totals;
    let expected = Totals {
        soft_reboots: 1,
        files: 1,
        file_bytes: 2_537,
        lines_ignored: 4,
        firmware_refused: 1,
        ..Totals::default()
    };
    assert_eq!(totals, expected);
}
