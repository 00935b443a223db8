//! Conformance cases on a terminal: a line for each suite, then each case that did not pass with
//! its clauses, what was expected and seen, and the lines that decided.

use std::io;

use super::page::{Page, Paint};
use super::{Style, number};
use crate::case::{CaseCounts, CaseResult, CaseVerdict};

/// Columns before the texts of a case.
const INDENT: usize = 6;
/// Reasons why cases do not apply that are told; the words by which they are alike, and letters of
/// their ends that are told all.
const KINDS_MAX: usize = 12;
const KIND_WORDS: usize = 3;
const ENDS_MAX: usize = 200;

/// Writes the cases; nothing when there are none.
pub(super) fn write(cases: &[CaseResult], style: Style, page: &mut Page<'_>) -> io::Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let mut suites: Vec<(String, Vec<&CaseResult>)> = Vec::new();
    for case in cases {
        let name = format!("{} suite {}", case.side, case.suite);
        match suites.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cases)) => cases.push(case),
            None => suites.push((name, vec![case])),
        }
    }
    for (name, cases) in &suites {
        let counts = CaseCounts::new(cases.iter().copied());
        let shown = CaseVerdict::ALL.iter().rev().filter_map(|verdict| {
            let count = counts.of(*verdict);
            (count > 0).then(|| format!("{} {}", number::count(count.into()), verdict.word()))
        });
        let shown: Vec<String> = shown.collect();
        let worst = cases.iter().map(|case| case.verdict).max();
        let text = format!("{name}: {}", shown.join(" · "));
        page.paragraph(paint(worst.unwrap_or_default()), 4, &text)?;
    }
    if !style.verbose {
        left_out(cases, page)?;
    }
    let wanted = |case: &&CaseResult| style.verbose || case.verdict.is_bad();
    let max = if style.verbose {
        usize::MAX
    } else {
        style.groups_max
    };
    let mut wanted = cases.iter().filter(wanted);
    for case in wanted.by_ref().take(max) {
        page.gap()?;
        one(case, style.verbose, page)?;
    }
    let more = wanted.count();
    if more > 0 {
        page.gap()?;
        let text = format!(
            "and {} more that did not pass; --verbose and the JSON report have them",
            number::count(more as u64)
        );
        page.paragraph(Paint::Dim, 2, &text)?;
    }
    Ok(())
}

/// Why cases do not apply: reasons that begin alike once, with the ends of short ones, else with
/// the first case's words.
fn left_out(cases: &[CaseResult], page: &mut Page<'_>) -> io::Result<()> {
    let mut kinds: Vec<(String, Vec<&str>, u64)> = Vec::new();
    let such = |case: &&CaseResult| case.verdict == CaseVerdict::NotApplicable;
    for case in cases.iter().filter(such) {
        let words: Vec<&str> = case.reason.splitn(KIND_WORDS + 1, ' ').collect();
        let (kind, end) = words.split_at(words.len().min(KIND_WORDS));
        let (kind, end) = (kind.join(" "), end.first().copied().unwrap_or_default());
        match kinds.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, ends, count)) => {
                *count += 1;
                if !ends.contains(&end) {
                    ends.push(end);
                }
            }
            None => kinds.push((kind, vec![end], 1)),
        }
    }
    for (kind, ends, count) in kinds.iter().take(KINDS_MAX) {
        let many = if *count == 1 { "" } else { "s" };
        let all = ends.join("; ");
        let (which, ends) = match all.chars().count() {
            0..=ENDS_MAX => ("", all.as_str()),
            _ if ends.len() == 1 => ("", all.as_str()),
            _ => ("for example ", ends.first().copied().unwrap_or_default()),
        };
        let count = number::count(*count);
        let text = format!("  {count} case{many} not applicable: {which}{kind} {ends}");
        page.paragraph(Paint::Dim, INDENT, text.trim_end())?;
    }
    let more: u64 = kinds.iter().skip(KINDS_MAX).map(|(.., count)| count).sum();
    if more > 0 {
        let text = format!("  and {} more not applicable", number::count(more));
        page.paragraph(Paint::Dim, INDENT, &text)?;
    }
    Ok(())
}

fn one(case: &CaseResult, verbose: bool, page: &mut Page<'_>) -> io::Result<()> {
    let mut head = format!("  {}: {}", case.verdict.word(), case.id);
    if !case.clauses.is_empty() {
        head.push_str(&format!(" ({})", case.cited()));
    }
    page.paragraph(paint(case.verdict), INDENT, &head)?;
    let reason = match case.actual == case.reason {
        true => "",
        false => before_lines(case),
    };
    for (name, text) in [
        ("purpose", case.purpose.as_str()),
        ("reason", reason),
        ("expected", &case.expected),
        ("actual", &case.actual),
    ] {
        if !text.is_empty() {
            let text = format!("{:INDENT$}{name:<8}  {text}", "");
            page.paragraph(Paint::Plain, INDENT + 10, &text)?;
        }
    }
    if !case.verdict.is_bad() {
        return Ok(());
    }
    for (deciding, line) in case.lines() {
        if deciding || verbose {
            let mark = if deciding { '>' } else { ' ' };
            let paint = if deciding { Paint::Bold } else { Paint::Dim };
            let text = format!("{:INDENT$}{mark} {line}", "");
            page.paragraph(paint, INDENT + 4, &text)?;
        }
    }
    Ok(())
}

/// What a reason says besides what the two lines below it say again.
fn before_lines(case: &CaseResult) -> &str {
    let CaseResult {
        reason,
        expected,
        actual,
        ..
    } = case;
    let joined = ["expected that ", "expected "].iter().find_map(|words| {
        let before = reason.strip_suffix(actual.as_str())?.strip_suffix("; ")?;
        before.strip_suffix(expected.as_str())?.strip_suffix(words)
    });
    joined.map_or(reason, |before| before.trim_end_matches(": "))
}

fn paint(verdict: CaseVerdict) -> Paint {
    match verdict {
        CaseVerdict::Pass => Paint::Green,
        CaseVerdict::NotApplicable => Paint::Dim,
        CaseVerdict::Inconclusive => Paint::Yellow,
        CaseVerdict::Fail | CaseVerdict::Error => Paint::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::{CaseVerdict, before_lines};
    use unicode_width::UnicodeWidthStr as _;

    use crate::report::Report;
    use crate::report::tests::{case, certified, judged};
    use crate::text::{Style, write};

    fn print(report: &Report, columns: u16, verbose: bool) -> String {
        let style = Style {
            columns,
            verbose,
            ..Style::default()
        };
        let mut out = Vec::new();
        write(report, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_reason_says_no_line_again_and_names_the_phone() {
        let reason = |before: &str| {
            let mut case = case("a/b", CaseVerdict::Fail);
            case.reason = format!("{before}expected that {}; {}", case.expected, case.actual);
            before_lines(&case).to_owned()
        };
        assert_eq!(reason(""), "");
        let named = "1 of 2 phones, first 0021f2000008";
        assert_eq!(reason(&format!("{named}: ")), named);
    }

    #[test]
    fn looks_as_it_looked() {
        let report = judged();
        let short = print(&report, 100, false);
        snapbox::assert_data_eq!(short, snapbox::file!["../../tests/golden/cases.txt"].raw());
        let verbose = print(&report, 60, true);
        snapbox::assert_data_eq!(
            verbose,
            snapbox::file!["../../tests/golden/cases-verbose.txt"].raw()
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_nor_drives_it() {
        let mut cases = judged().cases;
        cases[3].actual = "\u{1b}]0;x\u{7}".repeat(40);
        cases[3]
            .exchange
            .push("→ tftp.rrq \u{1b}[2J".to_owned() + &"x".repeat(300));
        let report = certified(cases);
        for columns in 40..160 {
            for line in print(&report, columns, true).lines() {
                assert!(line.width() <= columns.into(), "{columns}: {line}");
                assert!(!line.contains(['\u{1b}', '\u{7}']), "{line}");
            }
        }
    }

    #[test]
    fn reasons_why_cases_do_not_apply_are_told_once() {
        use crate::case::CaseVerdict::NotApplicable;
        let cases = (0..6).map(|at| {
            let mut case = case(&format!("a/b{at}"), NotApplicable);
            case.reason = match at {
                0..3 => format!("no --subject has {}", ["dhcp", "pnp", "dhcp"][at]),
                _ => format!("the subject does not serve b{at}: {}", "long ".repeat(40)),
            };
            case
        });
        let text = print(&certified(cases.collect()), 100, false);
        assert!(
            text.contains("3 cases not applicable: no --subject has dhcp; pnp\n"),
            "{text}"
        );
        let long = "3 cases not applicable: for example the subject does not serve b3: long";
        assert!(text.contains(long), "{text}");
    }

    #[test]
    fn cases_beyond_the_limit_are_counted() {
        use crate::case::CaseVerdict::Fail;
        let cases = (0..11).map(|at| case(&format!("a/b{at}"), Fail));
        let report = certified(cases.collect());
        let text = print(&report, 100, false);
        assert!(text.contains("and 3 more that did not pass"), "{text}");
        assert!(!print(&report, 100, true).contains("and 3 more"));
    }
}
