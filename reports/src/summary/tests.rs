use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::*;
use crate::case::ThresholdResult;
use crate::report::tests::{case, certified, judged, part, sample};

fn text_of(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The tables as an independent reader sees them: rows of cells of plain text.
fn tables(markdown: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables: Vec<Vec<Vec<String>>> = Vec::new();
    let mut within = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Table(_)) => tables.push(Vec::new()),
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                tables.last_mut().unwrap().push(Vec::new());
            }
            Event::Start(Tag::TableCell) => {
                within = true;
                tables
                    .last_mut()
                    .unwrap()
                    .last_mut()
                    .unwrap()
                    .push(String::new());
            }
            Event::End(TagEnd::TableCell) => within = false,
            Event::Text(text) | Event::Code(text) if within => {
                let row = tables.last_mut().unwrap().last_mut().unwrap();
                row.last_mut().unwrap().push_str(&text);
            }
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong) => {
                panic!("markup from a text: {event:?}")
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                assert!(text.contains("details"), "markup from a text: {text}");
            }
            _ => {}
        }
    }
    tables
}

#[test]
fn looks_as_it_looked() {
    let mut report = sample();
    report.facts.thresholds.push(ThresholdResult {
        expression: "p95(\"boot\") < duration(\"3s\") || provisioned == planned".to_owned(),
        met: Some(false),
        actual: "p95(\"boot\") = 4.2 s".to_owned(),
        aborted_at_us: Some(4_000_000),
    });
    let fleet = text_of(&report);
    snapbox::assert_data_eq!(
        fleet,
        snapbox::file!["../../tests/golden/summary.md": Text].raw()
    );
    let cases = text_of(&judged());
    snapbox::assert_data_eq!(
        cases,
        snapbox::file!["../../tests/golden/summary-cases.md": Text].raw()
    );
}

#[test]
fn an_independent_reader_finds_the_tables() {
    let tables = tables(&text_of(&sample()));
    let failures = &tables[0];
    assert_eq!(
        failures[1],
        [
            "12",
            "flyingvoice/fip13g",
            "<mac>.cfg",
            "no answer (and 1 more)",
            "bootstorm run every-vendor --seed 42 --phone 0"
        ]
    );
    assert_eq!(failures.len(), 4);
}

#[test]
fn stays_under_its_limit_and_counts_what_it_leaves_out() {
    let cases = (0..5_000).map(|at| {
        let mut case = case(&format!("flyingvoice/case-{at}"), CaseVerdict::Fail);
        case.actual = "|`<".repeat(200);
        case
    });
    let text = text_of(&certified(cases.collect()));
    assert!(text.len() <= BYTES_MAX, "{}", text.len());
    let shown = tables(&text)[1].len() as u64 - 1;
    let left = number::count(5_000 - shown);
    assert!(text.contains(&format!("and {left} more, report.json has them")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_of_a_server_is_obeyed(
        seen in "[\\PC\\n`|\\\\<>*_\\[\\]()!&;#@~$-]{0,40}",
        id in "[a-z`|\\\\<*_ ]{1,20}",
    ) {
        let mut bad = case("a/b", CaseVerdict::Fail);
        bad.id = format!("x{id}x");
        bad.actual = format!("x{seen}x");
        bad.exchange = vec![seen.clone(), "```".to_owned()];
        let text = text_of(&certified(vec![bad.clone()]));
        let tables = tables(&text);
        prop_assert_eq!(tables.len(), 2, "{}", text);
        let row = &tables[1][1];
        prop_assert_eq!(row.len(), 5);
        prop_assert_eq!(&row[4], &text::harmless(&bad.actual), "{}", text);
        prop_assert_eq!(&row[0], &bad.id, "{}", text);
    }

    #[test]
    fn any_run_has_its_verdict_first(seed: u64, phones in 0_u32..30) {
        let report = part(seed, 0..phones);
        let text = text_of(&report);
        prop_assert!(text.starts_with("## "));
        prop_assert!(text.len() <= BYTES_MAX);
        let _ = tables(&text);
    }
}
