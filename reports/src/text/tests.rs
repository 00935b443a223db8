use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::report::tests::{part, sample};

fn print(report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    write(report, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn style(columns: u16) -> Style {
    Style {
        columns,
        ..Style::default()
    }
}

#[test]
fn looks_as_it_looked() {
    let report = sample();
    let wide = print(&report, style(120));
    snapbox::assert_data_eq!(wide, snapbox::file!["../../tests/golden/wide.txt"].raw());
    let narrow = print(&report, style(60));
    snapbox::assert_data_eq!(
        narrow,
        snapbox::file!["../../tests/golden/narrow.txt"].raw()
    );
    let least = print(&report, style(40));
    snapbox::assert_data_eq!(least, snapbox::file!["../../tests/golden/least.txt"].raw());
}

#[test]
fn a_step_says_what_came_of_it() {
    let step = StepResult {
        what: "check-sync".to_owned(),
        planned: 5_000,
        registered: 4_999,
        accepted: 4_998,
        silent: 1,
        unreachable: 1,
        resynced: 4_000,
        ignored: 998,
        ..StepResult::default()
    };
    let expected = "check-sync: 5,000 phones · 4,999 registered · 4,998 answered 2xx · 1 silent · \
                    1 without address · 4,000 resynced · 998 ignored it";
    assert_eq!(step_text(&step), expected);
    let not_taken = StepResult {
        not_taken: true,
        ..step
    };
    let expected = "check-sync: not taken, the run ended first";
    assert_eq!(step_text(&not_taken), expected);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut report = sample();
    let row = report.ladder.rows.get_mut("<mac>.cfg").unwrap();
    row.sent = u64::MAX;
    row.wrong = 12_345_678_901;
    for columns in 40..=200 {
        for line in print(&report, style(columns)).lines() {
            assert!(line.width() <= columns.into(), "{columns}: {line}");
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let report = sample();
    let plain = print(&report, style(100));
    assert!(!plain.contains('\x1b'));
    let colour = Style {
        colour: true,
        ..style(100)
    };
    let mut painted = print(&report, colour);
    assert!(painted.contains("\x1b[31m"));
    for code in ["0", "1", "2", "31", "32", "33"] {
        painted = painted.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(painted, plain);
}

#[test]
fn says_how_many_of_the_files_fetched_were_held_and_hashed() {
    let sum = |count, bytes| BodySum { count, bytes };
    let bodies = Bodies {
        fetched: sum(2_000, 262_350_000),
        held: sum(1_001, 262_356),
        hashed: sum(1_001, 999),
    };
    let expected = "2,000 fetched (262.4 MB) · 1,001 held (262.4 kB) · 1,001 hashed (999 bytes)";
    assert_eq!(bodies_text(&bodies), expected);
}

#[test]
fn groups_beyond_the_limit_are_counted() {
    let report = sample();
    let few = Style {
        groups_max: 1,
        ..style(100)
    };
    let text = print(&report, few);
    assert!(text.contains("12 × flyingvoice/fip13g"), "{text}");
    assert!(text.contains("and 2 more of 2 phones in all"), "{text}");
    assert!(!text.contains("bva8051"), "{text}");
}

#[test]
fn texts_of_a_server_cannot_drive_the_terminal() {
    let mut report = sample();
    let difference = report.phones[700].difference.as_mut().unwrap();
    difference.held = Some("\x1b]0;owned\x07\n\r".to_owned());
    let text = print(&report, style(100));
    assert!(text.contains("\\u{1b}]0;owned"), "{text}");
    assert!(!text.contains(['\x1b', '\x07', '\r']), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_run_fits_any_terminal(seed: u64, phones in 0_u32..30, columns in 0_u16..250) {
        let text = print(&part(seed, 0..phones), style(columns));
        let width = usize::from(columns.max(COLUMNS_MIN));
        for line in text.lines() {
            prop_assert!(line.width() <= width, "{columns}: {line}");
        }
    }
}
