//! `report.html`: everything that a reader of a run wants to see, in one file that needs no
//! network, no server and, for what matters, no script.
//!
//! Charts are SVG written here, so that they print, and show with scripts switched off; a script
//! adds search, the tooltip and the dialog. The file's own policy allows that script and that style
//! sheet by digest and nothing else: text of a server that got past the escaping would still do
//! nothing.

mod cases;
mod chart;
mod facts;
mod failures;
mod ladder;
pub mod live;
mod markup;
mod phones;
pub mod twin;

use std::collections::BTreeSet;
use std::io::{self, Write};

use bootstorm_scenarios::clause::Register;
use sha2::{Digest as _, Sha256};

use crate::case::CaseVerdict;
use crate::measure::SETTLED;
use crate::report::{Counts, Report};
use crate::run::Outcome;
use crate::text::{self, number};
use crate::timeline::Timeline;
use crate::verdict::Class;
use markup::Markup;

const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    // There are no faults in a program that passed its tests; without it clauses have no text.
    let register = Register::built_in().unwrap_or_default();
    let mut page = Markup::default();
    let verdict = report.verdict();
    let facts = report.facts();
    let title = format!(
        "{} · {} · bootstorm",
        facts.scenario,
        class_word(verdict.class)
    );
    head(&title, SCRIPT, "", &mut page);
    page.raw("<body><a class=\"skip\" href=\"#main\">Skip to the report</a><header>");
    top(&meta(report), &mut page);
    banner(verdict.class.into(), &verdict.sentence, &mut page);
    figures(&of_report(report), &mut page);
    page.raw("</header>");
    let parts: Vec<Part> = PARTS
        .into_iter()
        .filter(|part| (part.shown)(report))
        .collect();
    navigation(&parts, &mut page);
    page.raw("<main id=\"main\">");
    for part in parts {
        page.open("section", &[("id", part.id)]);
        page.raw("<div class=\"head\">")
            .element("h2", "", part.title);
        page.element("p", "", part.says).raw("</div>");
        (part.write)(report, &register, &mut page);
        page.raw("</section>");
    }
    page.raw("</main><footer><p>Written by bootstorm ")
        .text(&facts.version);
    page.raw(" · the same figures for programs are in report.json</p></footer>");
    page.raw("<dialog id=\"dialog\" aria-labelledby=\"dialog-title\"></dialog>");
    page.data("timeline-data", &Drawn::of(&facts.timeline));
    phones::data(report, &mut page);
    page.raw("<script>")
        .raw(SCRIPT)
        .raw("</script></body></html>\n");
    out.write_all(page.into_text().as_bytes())
}

/// A section of the report.
struct Part {
    id: &'static str,
    title: &'static str,
    says: &'static str,
    /// Whether a report has something for it.
    shown: fn(&Report) -> bool,
    write: fn(&Report, &Register, &mut Markup),
}

/// Every section, in its order.
const PARTS: [Part; 8] = [
    Part {
        id: "conformance",
        title: "Conformance",
        says: "one cell a clause; a cell opens its cases",
        shown: |report| !report.cases().is_empty(),
        write: |report, register, page| cases::write(report.cases(), register, page),
    },
    Part {
        id: "time",
        title: "How the fleet booted",
        says: "phones by boot step over time",
        shown: |report| report.facts().planned > 0,
        write: |report, _, page| over_time(report, page),
    },
    Part {
        id: "failures",
        title: "Failures",
        says: "by model, firmware and first wrong step",
        shown: |report| !report.groups().is_empty(),
        write: |report, _, page| failures::write(report, page),
    },
    Part {
        id: "steps",
        title: "Boot steps",
        says: "what phones sent, what came back, and how long it took: marks at p50, p95, p99",
        shown: |report| report.facts().planned > 0 && !ladder::is_empty(report.ladder()),
        write: |report, _, page| ladder::write(report.ladder(), page),
    },
    Part {
        id: "thresholds",
        title: "Thresholds",
        says: "expressions over the whole fleet",
        shown: |report| !report.facts().thresholds.is_empty(),
        write: |report, _, page| facts::thresholds(report, page),
    },
    Part {
        id: "done",
        title: "Done to the phones",
        says: "while the run went on",
        shown: |report| !report.facts().steps.is_empty(),
        write: |report, _, page| facts::steps(report, page),
    },
    Part {
        id: "phones",
        title: "Phones",
        says: "every one of them",
        shown: |report| report.facts().planned > 0,
        write: |report, _, page| phones::write(report, page),
    },
    Part {
        id: "run",
        title: "The run",
        says: "what to know to believe the figures",
        shown: |_| true,
        write: |report, _, page| facts::run(report, page),
    },
];

/// The beginning of a page with this script; `connect` says what the script may reach.
fn head(title: &str, script: &str, connect: &str, page: &mut Markup) {
    let digest = |text: &str| markup::base64(&Sha256::digest(text.as_bytes()));
    let mut policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        digest(STYLE),
        digest(script)
    );
    policy.push_str(connect);
    page.raw("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", &*policy),
    ];
    page.open("meta", &policy);
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.raw("<meta name=\"referrer\" content=\"no-referrer\">");
    page.element("title", "", title)
        .raw("<style>")
        .raw(STYLE)
        .raw("</style></head>");
}

/// The line above the verdict.
fn top(meta: &str, page: &mut Markup) {
    page.raw(
        "<div class=\"top\"><span class=\"brand\"><svg viewBox=\"0 0 24 24\" \
         aria-hidden=\"true\"><path fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.2\" \
         stroke-linecap=\"round\" d=\"M7.8 4.8a8.6 8.6 0 1 0 8.4 0\"/><path \
         fill=\"currentColor\" d=\"M13.6 1.2 8.4 12.4h3.3l-1 7.6 5.3-10.6h-3.4z\"/></svg>\
         bootstorm</span><span class=\"meta\">",
    );
    page.text(meta)
        .raw("</span><button type=\"button\" id=\"theme\" hidden>Dark</button></div>");
}

fn meta(report: &Report) -> String {
    let facts = report.facts();
    let mut parts = vec![facts.scenario.clone()];
    if facts.planned > 0 {
        parts.push(number::phones(facts.planned));
    }
    parts.push(facts.attachment.clone());
    parts.push(format!("seed {}", facts.seed));
    parts.push(format!("time scale {}", facts.time_scale));
    parts.push(facts::date(facts.started_at));
    parts.push(format!("took {}", number::duration_short(facts.elapsed)));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// How a page opens.
#[derive(Debug, Clone, Copy)]
enum Opening {
    Verdict(Class),
    /// Of a comparison, which has a word of its own.
    Compared(Class, &'static str),
    Running,
}

impl From<Class> for Opening {
    fn from(class: Class) -> Self {
        Self::Verdict(class)
    }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Met => "All met",
        Class::SubjectFailed => "Failed",
        Class::Inconclusive => "Inconclusive",
        Class::OwnFault => "Our own fault",
        Class::Void => "Void",
        Class::Interrupted => "Interrupted",
    }
}

fn banner(opening: Opening, sentence: &str, page: &mut Markup) {
    let (class, word, icon) = match opening {
        Opening::Running => ("running", "Running", "<path d=\"M16 14v20l18-10z\"/>"),
        Opening::Verdict(class) | Opening::Compared(class, _) => {
            let (name, icon) = match class {
                Class::Met => ("met", "<path d=\"m14 25 7 7 14-16\"/>"),
                Class::SubjectFailed => {
                    ("subject_failed", "<path d=\"m16 16 16 16M32 16 16 32\"/>")
                }
                Class::Void | Class::Inconclusive => ("void", "<path d=\"M24 13v14M24 34.5v.5\"/>"),
                Class::OwnFault => ("own_fault", "<path d=\"M24 13v14M24 34.5v.5\"/>"),
                Class::Interrupted => ("interrupted", "<path d=\"M18 16v16M30 16v16\"/>"),
            };
            let word = match opening {
                Opening::Compared(_, word) => word,
                _ => class_word(class),
            };
            (name, word, icon)
        }
    };
    page.open(
        "div",
        &[("class", &format!("verdict {class}")), ("role", "status")],
    );
    page.raw(
        "<svg viewBox=\"0 0 48 48\" aria-hidden=\"true\" fill=\"none\" stroke=\"#fff\" \
              stroke-width=\"4\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\
              <circle cx=\"24\" cy=\"24\" r=\"21.5\" stroke-width=\"3\" \
              stroke-opacity=\".55\"/>",
    );
    page.raw(icon)
        .raw("</svg><div>")
        .element("p", "class", word);
    let (first, more) = first_sentence(sentence);
    page.raw("<h1>").prose(first).raw("</h1>");
    if !more.is_empty() {
        page.raw("<p class=\"more\">").prose(more).raw("</p>");
    }
    page.raw("</div></div>");
}

/// The first sentence and the others; a full stop between backticks ends none.
fn first_sentence(text: &str) -> (&str, &str) {
    let ends = text.match_indices(". ").map(|(at, _)| at + 1);
    let mut ends = ends.filter(|at| text[..*at].matches('`').count().is_multiple_of(2));
    match ends.next() {
        Some(at) => (&text[..at], text[at..].trim_start()),
        None => (text, ""),
    }
}

/// One of the figures below the verdict.
struct Figure {
    name: &'static str,
    value: String,
    /// Behind the value, small.
    of: String,
    under: String,
}

fn figures(figures: &[Figure], page: &mut Markup) {
    page.raw("<ul class=\"figures\">");
    for figure in figures {
        page.raw("<li>").element("div", "name", figure.name);
        page.raw("<div class=\"value\">").text(&figure.value);
        if !figure.of.is_empty() {
            page.raw(" ").element("small", "", &figure.of);
        }
        page.raw("</div>")
            .element("div", "under", &figure.under)
            .raw("</li>");
    }
    page.raw("</ul>");
}

fn of_report(report: &Report) -> Vec<Figure> {
    let facts = report.facts();
    if facts.planned == 0 {
        return certified(report);
    }
    let mut figures = Vec::new();
    if !report.cases().is_empty() {
        figures.push(passed(report));
    }
    let counts = report.counts();
    let provisioned = counts.of(Outcome::Provisioned);
    let verified = counts.of(Outcome::Unverified) == 0;
    let (name, done, times) = if verified {
        ("Provisioned", provisioned, report.provisioned())
    } else {
        let settled = report
            .phones()
            .iter()
            .filter(|phone| phone.settled_after.is_some());
        let settled = u32::try_from(settled.count()).unwrap_or(u32::MAX);
        ("Settled", settled, report.settled())
    };
    figures.push(Figure {
        name,
        value: number::count(done.into()),
        of: format!("of {}", number::count(facts.planned.into())),
        under: percent(done.into(), facts.planned.into()),
    });
    let after = |time: Option<_>| time.map_or_else(|| "never".to_owned(), number::duration_short);
    figures.push(Figure {
        name: "95 % of phones after",
        value: after(times.p95),
        of: String::new(),
        under: format!("half of them after {}", after(times.p50)),
    });
    figures.push(Figure {
        name: "The last phone after",
        value: after(times.p100),
        of: String::new(),
        under: format!("the run took {}", number::duration_short(facts.elapsed)),
    });
    figures.push(requests(report));
    let totals = report.ladder().totals;
    figures.push(Figure {
        name: "Files fetched",
        value: number::count(totals.files),
        of: String::new(),
        under: format!("{} in all", number::bytes(totals.file_bytes)),
    });
    figures
}

fn requests(report: &Report) -> Figure {
    let rows = report.ladder().rows.iter();
    let rows = rows.filter(|(label, _)| *label != SETTLED);
    let (sent, retried) = rows.fold((0_u64, 0_u64), |(sent, retried), (_, row)| {
        (
            sent.saturating_add(row.sent),
            retried.saturating_add(row.retried),
        )
    });
    let all = sent.saturating_add(retried);
    let wasted = match retried {
        0 => "no retries".to_owned(),
        retried => format!(
            "{} of them retries, {}",
            number::count(retried),
            percent(retried, all)
        ),
    };
    Figure {
        name: "Requests",
        value: number::count(all),
        of: String::new(),
        under: wasted,
    }
}

/// The figures of cases without a fleet.
fn certified(report: &Report) -> Vec<Figure> {
    let of = |verdict| {
        let cases = report.cases().iter();
        number::count(cases.filter(|case| case.verdict == verdict).count() as u64)
    };
    let figure = |name, verdict, under: &str| Figure {
        name,
        value: of(verdict),
        of: String::new(),
        under: under.to_owned(),
    };
    let clauses = report.cases().iter().flat_map(|case| &case.clauses);
    let clauses: BTreeSet<&String> = clauses.collect();
    vec![
        passed(report),
        figure("Failed", CaseVerdict::Fail, "contradict their clause"),
        figure(
            "Inconclusive",
            CaseVerdict::Inconclusive,
            "could not be observed",
        ),
        figure(
            "Not applicable",
            CaseVerdict::NotApplicable,
            "each says why",
        ),
        Figure {
            name: "Clauses",
            value: number::count(clauses.len() as u64),
            of: String::new(),
            under: "that these cases cite".to_owned(),
        },
    ]
}

fn passed(report: &Report) -> Figure {
    let of = |verdict| {
        let cases = report.cases().iter().filter(|case| case.verdict == verdict);
        cases.count() as u64
    };
    let left_out = of(CaseVerdict::NotApplicable);
    let judged = report.cases().len() as u64 - left_out;
    let failed = of(CaseVerdict::Fail) + of(CaseVerdict::Error);
    Figure {
        name: "Cases passed",
        value: number::count(of(CaseVerdict::Pass)),
        of: format!("of {}", number::count(judged)),
        under: format!(
            "{} failed, {} not applicable",
            number::count(failed),
            number::count(left_out)
        ),
    }
}

/// `99.7 %`; never rounded up to all, nor down to nothing.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let tenths = part as f64 / whole as f64 * 1_000.0;
    let tenths = match tenths.round() {
        1_000.0 if part < whole => 999.0,
        0.0 if part > 0 => 1.0,
        tenths => tenths,
    };
    format!("{} %", tenths / 10.0)
}

fn navigation(parts: &[Part], page: &mut Markup) {
    page.raw("<nav class=\"parts\" aria-label=\"Parts of the report\"><ul>");
    for part in parts {
        page.raw("<li>")
            .open("a", &[("href", &format!("#{}", part.id))]);
        page.text(part.title).raw("</a></li>");
    }
    page.raw("</ul></nav>");
}

fn over_time(report: &Report, page: &mut Markup) {
    outcomes(&report.counts(), page);
    let timeline = &report.facts().timeline;
    if timeline.is_empty() {
        page.element(
            "p",
            "lead",
            "This report is from a version that kept no timeline.",
        );
        return;
    }
    chart::write(timeline, page);
    chart::table(timeline, page);
    page.raw("<p class=\"lead paper\">")
        .text(&text::milestones(report.settled()))
        .raw("</p>");
}

fn outcomes(counts: &Counts, page: &mut Markup) {
    let held = |outcome: &Outcome| counts.of(*outcome) > 0;
    let outcomes: Vec<Outcome> = Outcome::ALL.into_iter().filter(held).collect();
    let class = |outcome: Outcome| format!("o-{}", outcome.word().replace(' ', "_"));
    let parts = outcomes
        .iter()
        .map(|outcome| (class(*outcome), counts.of(*outcome).into()));
    let parts: Vec<(String, u64)> = parts.collect();
    cases::shares(&parts, "Outcomes of the phones.", page);
    page.raw("<ul class=\"key\">");
    for outcome in outcomes {
        page.raw("<li>")
            .swatch(&class(outcome))
            .text(outcome.word())
            .raw(" ");
        page.element("b", "", &number::count(counts.of(outcome).into()))
            .raw("</li>");
    }
    page.raw("</ul>");
}

/// The timeline as the tooltip needs it.
#[derive(serde::Serialize)]
struct Drawn {
    width_us: u64,
    stages: Vec<(String, &'static str)>,
    levels: Vec<Vec<u32>>,
    traffic: Vec<[u32; 3]>,
}

impl Drawn {
    fn of(timeline: &Timeline) -> Self {
        use crate::timeline::Stage;
        let stages = Stage::ALL.map(|stage| (chart::class(stage), stage.word()));
        let buckets = timeline.buckets().iter();
        Self {
            width_us: crate::run::micros::of(timeline.width()),
            stages: stages.into(),
            levels: timeline.levels().map(Vec::from).collect(),
            traffic: buckets
                .map(|bucket| [bucket.requests, bucket.retries, bucket.errors])
                .collect(),
        }
    }
}
