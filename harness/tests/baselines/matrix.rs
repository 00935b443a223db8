//! The table of all products and cases, from the committed baselines and suites alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bootstorm::certify::baseline::Baseline;
use bootstorm_scenarios::suite::{Case, Content, Need};

/// Where the table stands in its file.
const BEGINS: &str = "<!-- from here on written by the tests -->\n";
/// How results begin what nobody has explained yet.
const OF_THE_PROGRAM: [&str; 2] = ["expected ", "the subject "];

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Pass,
    Fail,
    /// The product has the service and yet cannot be asked.
    NotApplicable,
    /// The product has nothing to do with it.
    Nothing,
}

fn cell(baseline: &Baseline, case: &Case) -> Cell {
    let has = |need: &Need| baseline.services.contains(need.word());
    // The products are judged without a site of their own.
    if case.content == Content::Inventory || !case.requires.iter().all(has) {
        Cell::Nothing
    } else if baseline.not_applicable.contains_key(&case.id) {
        Cell::NotApplicable
    } else if baseline.failing.contains_key(&case.id) {
        Cell::Fail
    } else {
        Cell::Pass
    }
}

/// What in a baseline does not fit the cases that there are, and what nobody explained.
pub(crate) fn faults(baseline: &Baseline, cases: &[Case]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut applicable, mut listed) = (0, 0);
    for case in cases {
        let cell = cell(baseline, case);
        applicable += u32::from(matches!(cell, Cell::Pass | Cell::Fail));
        listed += usize::from(matches!(cell, Cell::Fail | Cell::NotApplicable));
    }
    if (baseline.cases as usize, baseline.applicable) != (cases.len(), applicable) {
        faults.push(format!(
            "should say {} cases, {applicable} applicable",
            cases.len()
        ));
    }
    let reasons = || baseline.failing.iter().chain(&baseline.not_applicable);
    if listed != reasons().count() {
        faults.push(format!("{} listed, {listed} can be", reasons().count()));
    }
    for (id, reason) in reasons() {
        if OF_THE_PROGRAM.iter().any(|words| reason.starts_with(words)) {
            faults.push(format!("{id}: why? {reason}"));
        }
    }
    faults
}

/// The file with this table in the place of its old one.
pub(crate) fn renewed(before: &str, table: &str) -> String {
    let (text, _) = before.split_once(BEGINS).expect("a place for the table");
    format!("{text}{BEGINS}{table}")
}

/// The table, the reasons product by product, and the cases that none of them was asked.
pub(crate) fn text(baselines: &[Baseline], cases: &[Case]) -> String {
    let mut text = String::from("\n## Results\n\n| |");
    let title = |baseline: &Baseline| format!("{} {}", baseline.product, baseline.version);
    // Writing to a string cannot fail.
    for baseline in baselines {
        let _ = write!(text, " {} |", title(baseline));
    }
    let _ = write!(text, "\n|---|{}", "---|".repeat(baselines.len()));
    let counts = |of: fn(&Baseline) -> usize| {
        let counts = baselines.iter().map(|it| format!(" {} |", of(it)));
        counts.collect::<String>()
    };
    let passed = counts(|it| it.applicable as usize - it.failing.len());
    let failed = counts(|it| it.failing.len());
    let _ = write!(text, "\n| passed |{passed}\n| failed |{failed}\n");
    let mut nobody = BTreeMap::<String, Vec<&str>>::new();
    for case in cases {
        let cells: Vec<_> = baselines.iter().map(|it| cell(it, case)).collect();
        if cells.iter().all(|cell| *cell == Cell::Nothing) {
            let mut needs: Vec<_> = case.requires.iter().map(|need| need.word()).collect();
            needs.extend((case.content == Content::Inventory).then_some("an inventory"));
            nobody
                .entry(needs.join(" and "))
                .or_default()
                .push(&case.id);
            continue;
        }
        let _ = write!(text, "| {} |", case.id);
        for cell in cells {
            let word = match cell {
                Cell::Pass => " pass |",
                Cell::Fail => " **fail** |",
                Cell::NotApplicable => " n/a |",
                Cell::Nothing => " |",
            };
            text.push_str(word);
        }
        text.push('\n');
    }
    text.push_str("\n## Why\n");
    for baseline in baselines {
        let _ = writeln!(text, "\n**{}**\n", title(baseline));
        let tables = [
            ("fails", &baseline.failing),
            ("n/a", &baseline.not_applicable),
        ];
        for (word, reasons) in tables {
            for (id, reason) in reasons {
                let _ = writeln!(text, "- {word}: {id}: {reason}");
            }
        }
        if baseline.failing.is_empty() && baseline.not_applicable.is_empty() {
            text.push_str("- every case passes\n");
        }
    }
    if !nobody.is_empty() {
        text.push_str("\n## Cases that none of them was asked\n\n");
    }
    for (needs, ids) in nobody {
        let _ = writeln!(text, "- {needs}: {}", ids.join(", "));
    }
    text
}
