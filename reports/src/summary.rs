//! `summary.md`: the report on one page of a CI job, in GitHub's Markdown. The verdict first, then
//! what failed with the command that repeats it, then figures.
//!
//! It stays under `BYTES_MAX`: what does not fit is counted at the end of its table.

mod compare;
mod escape;
mod page;

use std::io::{self, Write};

use crate::case::{CaseCounts, CaseResult, CaseVerdict};
use crate::measure::Row;
use crate::report::{Group, Report};
use crate::text::{self, number};
use crate::verdict::Class;
pub use compare::write as write_comparison;
use escape::{code, command, plain};
use page::Page;

/// Bytes that a summary takes at most.
pub const BYTES_MAX: usize = 64 << 10;
/// Failed cases whose exchange is shown at most.
const EXCHANGES_MAX: usize = 10;
/// Lines of an exchange that are shown at most: the last ones up to where it was decided.
const LINES_MAX: usize = 16;

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::default();
    let verdict = report.verdict();
    let sign = match verdict.class {
        Class::Met => "✅",
        Class::SubjectFailed => "❌",
        Class::Void | Class::Interrupted | Class::Inconclusive => "⚠️",
        Class::OwnFault => "💥",
    };
    page.line(&format!("## {sign} {}", plain(&verdict.sentence)));
    page.line("");
    page.line(&plain(&text::title(report)));
    cases(report, &mut page);
    thresholds(report, &mut page);
    failures(report, &mut page);
    figures(report, &mut page);
    ladder(report, &mut page);
    exchanges(report, &mut page);
    out.write_all(page.text().as_bytes())
}

fn cases(report: &Report, page: &mut Page) {
    let results = report.cases();
    if results.is_empty() {
        return;
    }
    let mut suites: Vec<(String, Vec<&CaseResult>)> = Vec::new();
    for case in results {
        let name = format!("{} {}", case.side, case.suite);
        match suites.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cases)) => cases.push(case),
            None => suites.push((name, vec![case])),
        }
    }
    let shown = [
        CaseVerdict::Pass,
        CaseVerdict::Fail,
        CaseVerdict::Inconclusive,
        CaseVerdict::Error,
        CaseVerdict::NotApplicable,
    ];
    let mut titles = vec![("suite", false)];
    titles.extend(shown.map(|verdict| (verdict.word(), true)));
    let rows = suites.iter().map(|(name, cases)| {
        let counts = CaseCounts::new(cases.iter().copied());
        let mut cells = vec![plain(name)];
        cells.extend(shown.map(|verdict| number::count(counts.of(verdict).into())));
        cells
    });
    page.table("Suites", &titles, rows.collect());
    let titles = ["case", "clause", "verdict", "expected", "seen"].map(|title| (title, false));
    let bad = results.iter().filter(|case| case.verdict.is_bad());
    let rows = bad.map(|case| {
        let seen = if case.actual.is_empty() {
            &case.reason
        } else {
            &case.actual
        };
        let cited = plain(&case.cited());
        let texts = [&case.expected, seen].map(|text| code(text));
        let [expected, seen] = texts;
        vec![
            code(&case.id),
            cited,
            case.verdict.word().to_owned(),
            expected,
            seen,
        ]
    });
    page.table("Cases that did not pass", &titles, rows.collect());
}

fn thresholds(report: &Report, page: &mut Page) {
    let titles = ["", "threshold", "values"].map(|title| (title, false));
    let rows = report.facts().thresholds.iter().map(|threshold| {
        let sign = match threshold.met {
            Some(true) => "✅",
            Some(false) => "❌",
            None => "⚠️",
        };
        let mut values = plain(&threshold.actual);
        if let Some(at) = threshold.aborted_at_us {
            let at = number::duration_short(std::time::Duration::from_micros(at));
            values.push_str(&format!("; ended the run after {at}"));
        }
        vec![sign.to_owned(), code(&threshold.expression), values]
    });
    page.table("Thresholds", &titles, rows.collect());
}

fn failures(report: &Report, page: &mut Page) {
    let titles = [
        ("phones", true),
        ("model", false),
        ("first wrong step", false),
        ("cause", false),
        ("to repeat one", false),
    ];
    let rows = report.groups().into_iter().map(|group| {
        vec![
            number::count(group.phones.into()),
            code(&group.profile),
            code(&group.first.step),
            cause(&group),
            command(&group.command),
        ]
    });
    page.table("Failures", &titles, rows.collect());
}

fn cause(group: &Group) -> String {
    let mut cause = plain(&group.first.text);
    if group.causes > 1 {
        cause.push_str(&format!(" (and {} more)", group.causes - 1));
    }
    if let Some(difference) = &group.difference {
        let held = difference.held.as_deref().unwrap_or("nothing");
        let [key, expected, held] = [&difference.key, &difference.expected, held].map(code);
        cause.push_str(&format!(": {key} expected {expected}, held {held}"));
    }
    cause
}

/// What the text report says below its ladder, a line each.
fn figures(report: &Report, page: &mut Page) {
    if report.facts().planned == 0 {
        return;
    }
    // Thresholds have a table of their own.
    let rows = text::sums(report).into_iter();
    let rows = rows.filter(|(name, _)| *name != "Threshold");
    let rows = rows.map(|(name, value)| vec![name.to_owned(), plain(&value)]);
    page.table("Figures", &[("", false), ("", false)], rows.collect());
}

fn ladder(report: &Report, page: &mut Page) {
    let mut titles = vec![("step", false)];
    titles.extend(
        [
            "sent", "answered", "retried", "late", "wrong", "missing", "gave up", "p50", "p95",
            "p99",
        ]
        .map(|title| (title, true)),
    );
    let rows = report.ladder().ordered().into_iter();
    let rows = rows.filter(|(_, row)| !row.is_empty()).map(|(step, row)| {
        let counts = counts_of(row).map(number::count);
        let times = [0.5, 0.95, 0.99].map(|quantile| {
            let time = row.latency.quantile(quantile);
            time.map_or_else(|| "–".to_owned(), number::duration)
        });
        let mut cells = vec![code(step)];
        cells.extend(counts.into_iter().chain(times));
        cells
    });
    page.table("Boot steps", &titles, rows.collect());
}

fn counts_of(row: &Row) -> [u64; 7] {
    [
        row.sent,
        row.answered,
        row.retried,
        row.late,
        row.wrong,
        row.missing,
        row.gave_up,
    ]
}

/// The exchanges of the first cases that did not pass, folded.
fn exchanges(report: &Report, page: &mut Page) {
    let bad = report.cases().iter().filter(|case| case.verdict.is_bad());
    for case in bad
        .filter(|case| !case.exchange.is_empty())
        .take(EXCHANGES_MAX)
    {
        let lines: Vec<(bool, &str)> = case.lines().collect();
        let decided = lines.iter().rposition(|(deciding, _)| *deciding);
        let end = decided.map_or(lines.len(), |at| lines.len().min(at + 2));
        let begin = end.saturating_sub(LINES_MAX);
        let shown = lines[begin..end].iter().map(|(deciding, line)| {
            let mark = if *deciding { '>' } else { ' ' };
            format!("{mark} {}", escape::cut(line))
        });
        let shown: Vec<String> = shown.collect();
        page.folded(&code(&case.id), &shown);
    }
}

#[cfg(test)]
mod tests;
