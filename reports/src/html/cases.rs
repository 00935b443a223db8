//! Conformance: a matrix of suites and clauses, and every case with what was expected and seen.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_scenarios::clause::{ClauseId, Register};

use super::markup::{Markup, weight};
use crate::case::{CaseResult, CaseVerdict};
use crate::text::number;

/// From what must be seen to what need not.
const ORDER: [CaseVerdict; 5] = [
    CaseVerdict::Error,
    CaseVerdict::Fail,
    CaseVerdict::Inconclusive,
    CaseVerdict::Pass,
    CaseVerdict::NotApplicable,
];
/// Bytes of exchanges in one file; cases that did not pass come first.
const EXCHANGE_BYTES_MAX: usize = 2_000_000;
/// Lines that a case which passed may show.
const PASSED_LINES_MAX: usize = 40;

/// A suite's name and side.
type Suite<'a> = (&'a str, &'a str);
/// A case with its place among all.
type Placed<'a> = (usize, &'a CaseResult);

/// The class of a verdict: `not_applicable`.
fn class(verdict: CaseVerdict) -> String {
    verdict.word().replace(' ', "_")
}

/// How many cases have each verdict, in the order of `ORDER`.
pub(super) fn tally(cases: &[&CaseResult]) -> Vec<(CaseVerdict, usize)> {
    let of = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    ORDER
        .map(|verdict| (verdict, of(verdict)))
        .into_iter()
        .filter(|(_, many)| *many > 0)
        .collect()
}

/// Matrix and cases.
pub(super) fn write(cases: &[CaseResult], register: &Register, page: &mut Markup) {
    let mut suites: Vec<(Suite<'_>, Vec<Placed<'_>>)> = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let suite = (case.suite.as_str(), case.side.as_str());
        match suites.iter_mut().find(|(held, _)| *held == suite) {
            Some((_, held)) => held.push((number, case)),
            None => suites.push((suite, vec![(number, case)])),
        }
    }
    let all: Vec<&CaseResult> = cases.iter().collect();
    let tally = tally(&all);
    key(&tally, page);
    for (suite, cases) in &suites {
        self::suite(*suite, cases, register, page);
    }
    bar(&tally, page);
    let shown = Exchanges::choose(cases);
    let (rest, first): (Vec<_>, Vec<_>) = in_order(cases)
        .into_iter()
        .partition(|(_, case)| is_good(case.verdict));
    page.raw("<div id=\"cases\">");
    for (number, case) in first {
        self::case(number, case, shown.of(number, case), register, page);
    }
    if !rest.is_empty() {
        page.raw("<details id=\"rest\"><summary>");
        let many = number::count(rest.len() as u64);
        page.text(&format!("{many} cases that passed or are not applicable"));
        page.raw("</summary>");
        for (number, case) in rest {
            self::case(number, case, shown.of(number, case), register, page);
        }
        page.raw("</details>");
    }
    page.raw("</div>");
}

/// What needs no look.
fn is_good(verdict: CaseVerdict) -> bool {
    matches!(verdict, CaseVerdict::Pass | CaseVerdict::NotApplicable)
}

/// The cases with their places: bad ones first, else as they are.
fn in_order(cases: &[CaseResult]) -> Vec<Placed<'_>> {
    let mut cases: Vec<Placed<'_>> = cases.iter().enumerate().collect();
    let rank = |verdict| ORDER.iter().position(|held| *held == verdict);
    cases.sort_by_key(|(_, case)| rank(case.verdict));
    cases
}

fn key(tally: &[(CaseVerdict, usize)], page: &mut Markup) {
    page.raw("<ul class=\"key\">");
    for (verdict, many) in tally {
        page.raw("<li>")
            .swatch(&format!("v-{}", class(*verdict)))
            .text(verdict.word());
        page.raw(" ")
            .element("b", "", &number::count(*many as u64))
            .raw("</li>");
    }
    page.raw("</ul>");
}

/// A bar of shares.
pub(super) fn shares(parts: &[(String, u64)], words: &str, page: &mut Markup) {
    let sum: u64 = parts.iter().map(|(_, many)| many).sum();
    page.open(
        "svg",
        &[
            ("class", "shares"),
            ("viewBox", "0 0 1000 10"),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", words),
        ],
    );
    let mut at = 0.0;
    for (class, many) in parts {
        let width = *many as f64 / sum.max(1) as f64 * 1_000.0;
        page.open(
            "rect",
            &[
                ("class", class),
                ("x", &format!("{at:.1}")),
                ("width", &format!("{width:.1}")),
                ("height", "10"),
            ],
        );
        page.close("rect");
        at += width;
    }
    page.close("svg");
}

fn suite((name, side): Suite<'_>, cases: &[Placed<'_>], register: &Register, page: &mut Markup) {
    let all: Vec<&CaseResult> = cases.iter().map(|(_, case)| *case).collect();
    let tally = tally(&all);
    page.raw("<div class=\"suite\"><div class=\"who\"><b>")
        .text(name)
        .raw("</b><span>");
    let words = tally
        .iter()
        .map(|(verdict, many)| format!("{many} {}", verdict.word()));
    let words = words.collect::<Vec<_>>().join(", ");
    page.text(&format!("judges the {side}: {words}"))
        .raw("</span>");
    let parts: Vec<(String, u64)> = tally
        .iter()
        .map(|(verdict, many)| (format!("v-{}", class(*verdict)), *many as u64))
        .collect();
    shares(&parts, &words, page);
    page.raw("</div><ul class=\"cells\">");
    let mut cells: BTreeMap<(Option<ClauseId>, &str), Vec<Placed<'_>>> = BTreeMap::new();
    for (number, case) in cases {
        for clause in &case.clauses {
            cells
                .entry((ClauseId::parse(clause), clause))
                .or_default()
                .push((*number, case));
        }
        if case.clauses.is_empty() {
            cells.entry((None, "–")).or_default().push((*number, case));
        }
    }
    for ((_, clause), cases) in cells {
        cell(clause, &cases, register, page);
    }
    page.raw("</ul></div>");
}

/// A clause within a suite: the worst of its cases' verdicts.
fn cell(clause: &str, cases: &[Placed<'_>], register: &Register, page: &mut Markup) {
    let worst = cases.iter().max_by_key(|(_, case)| case.verdict);
    let Some((number, worst)) = worst else {
        return;
    };
    let says = register.find(clause).map_or("", |clause| &clause.says);
    let words = format!("{clause}: {}. {says}", worst.verdict.word());
    let list = cases
        .iter()
        .map(|(number, _)| number.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    page.raw("<li>").open(
        "a",
        &[
            ("class", &format!("cell {}", class(worst.verdict))),
            ("href", &format!("#case-{number}")),
            ("data-cases", &list),
            ("data-clause", clause),
            ("title", &words),
            ("aria-label", &words),
        ],
    );
    page.text(clause);
    if cases.len() > 1 {
        page.raw("<small> ×")
            .text(&cases.len().to_string())
            .raw("</small>");
    }
    page.raw("</a></li>");
}

/// What the script uses to look for cases.
fn bar(tally: &[(CaseVerdict, usize)], page: &mut Markup) {
    page.raw(
        "<div class=\"bar\" id=\"casebar\" hidden><input type=\"search\" placeholder=\"Search \
         cases, clauses, exchanges\" aria-label=\"Search cases\"><button type=\"button\" \
         data-verdict=\"\" aria-pressed=\"true\">all</button>",
    );
    for (verdict, many) in tally {
        page.open(
            "button",
            &[
                ("type", "button"),
                ("data-verdict", &class(*verdict)),
                ("aria-pressed", "false"),
            ],
        );
        page.text(&format!(
            "{} {}",
            verdict.word(),
            number::count(*many as u64)
        ));
        page.close("button");
    }
    page.raw("</div>");
}

fn case(place: usize, case: &CaseResult, lines: usize, register: &Register, page: &mut Markup) {
    let class = class(case.verdict);
    page.open(
        "details",
        &[
            ("class", &format!("case {class}")),
            ("id", &format!("case-{place}")),
            ("data-verdict", &class),
        ],
    );
    page.raw("<summary>")
        .element("span", &format!("pill {class}"), case.verdict.word());
    page.raw("<span class=\"purpose\">")
        .prose(&case.purpose)
        .raw("</span>");
    page.element("span", "id", &case.id)
        .raw("</summary><div class=\"casebody\">");
    for clause in &case.clauses {
        page.raw("<blockquote><b>").text(clause).raw("</b> ");
        match register.find(clause) {
            Ok(found) => page.text(&found.says),
            Err(_) => page.raw("<span class=\"dim\">not in the register</span>"),
        };
        page.raw("</blockquote>");
    }
    if !case.reason.is_empty() {
        page.raw("<p>").prose(&case.reason).raw("</p>");
    }
    if !case.expected.is_empty() || !case.actual.is_empty() {
        page.raw("<div class=\"two\"><div><h4>Expected</h4>")
            .prose(&case.expected);
        let passed = case.verdict == CaseVerdict::Pass;
        let saw = if passed { "saw ok" } else { "saw" };
        page.raw("</div>")
            .open("div", &[("class", saw)])
            .raw("<h4>Seen</h4>");
        match case.actual.as_str() {
            "" if passed => page.raw("as expected"),
            actual => page.prose(actual),
        };
        page.raw("</div></div>");
    }
    exchange(case, lines, page);
    let took = number::duration_short(Duration::from_micros(case.took_us));
    let mut under = format!("took {took} on the run's clock");
    if !case.profile.is_empty() {
        under = format!("{} · {under}", case.profile);
    }
    page.raw("<p class=\"lead\">")
        .text(&under)
        .raw("</p></div></details>");
}

fn exchange(case: &CaseResult, lines: usize, page: &mut Markup) {
    if case.exchange.is_empty() {
        return;
    }
    page.raw("<h4>Exchange</h4>");
    let passed = case.verdict == CaseVerdict::Pass;
    let class = if passed { "exchange ok" } else { "exchange" };
    page.open("ol", &[("class", class), ("tabindex", "0")]);
    for (number, line) in (0_u32..).zip(case.exchange.iter().take(lines)) {
        let decided = case.evidence.contains(&number);
        page.element("li", if decided { "evidence" } else { "" }, line);
    }
    page.raw("</ol>");
    let left = case.exchange.len().saturating_sub(lines);
    if left > 0 {
        let left = number::count(left as u64);
        page.element(
            "p",
            "lead",
            &format!("{left} more lines are in report.json."),
        );
    }
}

/// How many lines of its exchange each case shows, so that the file stays small.
struct Exchanges {
    lines: Vec<usize>,
}

impl Exchanges {
    fn choose(cases: &[CaseResult]) -> Self {
        let mut lines = vec![0; cases.len()];
        let mut left = EXCHANGE_BYTES_MAX;
        for passed in [false, true] {
            for (case, lines) in cases.iter().zip(&mut lines) {
                let is_good =
                    matches!(case.verdict, CaseVerdict::Pass | CaseVerdict::NotApplicable);
                if is_good != passed {
                    continue;
                }
                let most = if passed { PASSED_LINES_MAX } else { usize::MAX };
                for line in case.exchange.iter().take(most) {
                    // With its tags.
                    let bytes = weight(line) + 16;
                    if bytes > left {
                        break;
                    }
                    left -= bytes;
                    *lines += 1;
                }
            }
        }
        Self { lines }
    }

    fn of(&self, number: usize, case: &CaseResult) -> usize {
        self.lines
            .get(number)
            .copied()
            .unwrap_or(case.exchange.len())
    }
}
