//! `junit.xml`: what CI systems list as tests.
//!
//! Of conformance cases each is a test case, in a test suite for each suite and side. Of a run,
//! each profile is a test suite with a test case for every step of its boot, which fails when
//! phones first went wrong there, so that names stay the same from run to run; phones stand in a
//! suite of their own, all of them up to `PHONES_MAX`, of more only those that failed. Thresholds
//! and the verdict of a run are test cases too, for a void run has no failing phone.
//!
//! Inconclusive is an `error`, never a pass: a CI that shows green promises that all was seen.

mod fleet;

use std::io::{self, Write};
use std::time::Duration;

use crate::case::{CaseResult, CaseVerdict};
use crate::report::Report;
use crate::verdict::Class;
use crate::xml::{self, attribute};

/// Phones written at most, over all suites. Ten thousand failed phones take less than half a
/// megabyte so.
pub const PHONES_MAX: usize = 1_000;
/// Bytes of exchanges written at most; of later cases the JSON report has them.
pub const EXCHANGE_BYTES_MAX: usize = 4 << 20;

/// A test suite.
struct Suite {
    name: String,
    cases: Vec<Case>,
    /// Said beside the cases; empty for nothing.
    out: String,
    properties: Vec<(&'static str, String)>,
}

/// A test case.
struct Case {
    class: String,
    name: String,
    time: Duration,
    status: Status,
    properties: Vec<(&'static str, String)>,
    out: String,
}

enum Status {
    Passed,
    Skipped(String),
    Failed(Wrong),
    Error(Wrong),
}

/// What went wrong: a word, a line, a text.
struct Wrong {
    kind: &'static str,
    message: String,
    text: String,
}

#[derive(Default)]
struct Sums {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    time: Duration,
}

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut suites = case_suites(report.cases());
    suites.extend(fleet::suites(report));
    let mut all = Sums::default();
    for suite in &suites {
        all.add(&Sums::of(suite));
    }
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites")?;
    attribute(
        "name",
        &format!("bootstorm {}", report.facts().scenario),
        out,
    )?;
    all.write(out)?;
    out.write_all(b">\n")?;
    let began = timestamp(report.facts().started_at);
    for suite in &suites {
        suite.write(&began, out)?;
    }
    out.write_all(b"</testsuites>\n")
}

/// The suites of conformance cases, in the order in which they first appear.
fn case_suites(results: &[CaseResult]) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    let mut room = EXCHANGE_BYTES_MAX;
    for result in results {
        let name = format!("{}.{}", result.side, result.suite);
        let case = conformance(result, &name, &mut room);
        match suites.iter_mut().find(|suite| suite.name == name) {
            Some(suite) => suite.cases.push(case),
            None => suites.push(Suite {
                name,
                cases: vec![case],
                out: String::new(),
                properties: Vec::new(),
            }),
        }
    }
    suites
}

fn conformance(result: &CaseResult, class: &str, room: &mut usize) -> Case {
    let wrong = |kind| {
        let cited = result.cited();
        let mut text = format!("{}\n", result.purpose);
        for (word, value) in [
            ("clauses ", &cited),
            ("reason  ", &result.reason),
            ("expected", &result.expected),
            ("actual  ", &result.actual),
        ] {
            if !value.is_empty() {
                text.push_str(&format!("{word}  {value}\n"));
            }
        }
        for line in result
            .lines()
            .filter_map(|(deciding, line)| deciding.then_some(line))
        {
            text.push_str(&format!("  {line}\n"));
        }
        let cited = if cited.is_empty() {
            cited
        } else {
            format!("{cited}: ")
        };
        Wrong {
            kind,
            message: format!("{cited}{}", result.reason),
            text,
        }
    };
    let status = match result.verdict {
        CaseVerdict::Pass => Status::Passed,
        CaseVerdict::NotApplicable => Status::Skipped(result.reason.clone()),
        CaseVerdict::Fail => Status::Failed(wrong("fail")),
        CaseVerdict::Inconclusive => Status::Error(wrong("inconclusive")),
        CaseVerdict::Error => Status::Error(wrong("error")),
    };
    let clauses = result
        .clauses
        .iter()
        .map(|clause| ("clause", clause.clone()));
    let mut properties: Vec<_> = clauses.collect();
    properties.push(("purpose", result.purpose.clone()));
    if !result.profile.is_empty() {
        properties.push(("profile", result.profile.clone()));
    }
    Case {
        class: class.to_owned(),
        name: result.id.clone(),
        time: Duration::from_micros(result.took_us),
        status,
        properties,
        out: exchange(result, room),
    }
}

/// The exchange of a case that somebody will look into, deciding lines marked.
fn exchange(result: &CaseResult, room: &mut usize) -> String {
    if !result.verdict.is_bad() || result.exchange.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for (deciding, line) in result.lines() {
        text.push_str(if deciding { "> " } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    if text.len() > *room {
        return "left out, the file would grow too large: report.json has it\n".to_owned();
    }
    *room -= text.len();
    text
}

impl Suite {
    fn write(&self, began: &str, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<testsuite")?;
        attribute("name", &self.name, out)?;
        Sums::of(self).write(out)?;
        attribute("timestamp", began, out)?;
        out.write_all(b">\n")?;
        properties(&self.properties, out)?;
        for case in &self.cases {
            case.write(out)?;
        }
        element("system-out", &self.out, out)?;
        out.write_all(b"</testsuite>\n")
    }
}

impl Case {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"<testcase")?;
        attribute("classname", &self.class, out)?;
        attribute("name", &self.name, out)?;
        write!(out, " time=\"{:.6}\"", self.time.as_secs_f64())?;
        let bare = matches!(self.status, Status::Passed);
        if bare && self.properties.is_empty() && self.out.is_empty() {
            return out.write_all(b"/>\n");
        }
        out.write_all(b">\n")?;
        properties(&self.properties, out)?;
        match &self.status {
            Status::Passed => {}
            Status::Skipped(reason) => {
                out.write_all(b"<skipped")?;
                attribute("message", reason, out)?;
                out.write_all(b"/>\n")?;
            }
            Status::Failed(wrong) => wrong.write("failure", out)?,
            Status::Error(wrong) => wrong.write("error", out)?,
        }
        element("system-out", &self.out, out)?;
        out.write_all(b"</testcase>\n")
    }
}

impl Wrong {
    fn write(&self, tag: &str, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "<{tag}")?;
        attribute("type", self.kind, out)?;
        attribute("message", &self.message, out)?;
        out.write_all(b">")?;
        xml::text(&self.text, out)?;
        writeln!(out, "</{tag}>")
    }
}

impl Sums {
    fn of(suite: &Suite) -> Self {
        let mut sums = Self::default();
        for case in &suite.cases {
            sums.tests += 1;
            sums.time += case.time;
            match case.status {
                Status::Passed => {}
                Status::Skipped(_) => sums.skipped += 1,
                Status::Failed(_) => sums.failures += 1,
                Status::Error(_) => sums.errors += 1,
            }
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.time += other.time;
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(
            out,
            " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.6}\"",
            self.tests,
            self.failures,
            self.errors,
            self.skipped,
            self.time.as_secs_f64()
        )
    }
}

fn properties(pairs: &[(&str, String)], out: &mut dyn Write) -> io::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    out.write_all(b"<properties>\n")?;
    for (name, value) in pairs {
        out.write_all(b"<property")?;
        attribute("name", name, out)?;
        attribute("value", value, out)?;
        out.write_all(b"/>\n")?;
    }
    out.write_all(b"</properties>\n")
}

fn element(tag: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    write!(out, "<{tag}>")?;
    xml::text(text, out)?;
    writeln!(out, "</{tag}>")
}

/// Seconds since 1970 as `2026-11-21T10:43:06Z`; the years of four digits.
fn timestamp(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days.min(2_900_000));
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let day = left + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The status of what is no case by the class of a verdict.
fn status_of(class: Class, message: String) -> Status {
    let wrong = |kind| Wrong {
        kind,
        message,
        text: String::new(),
    };
    match class {
        Class::Met => Status::Passed,
        Class::SubjectFailed => Status::Failed(wrong("fail")),
        Class::Void | Class::Interrupted | Class::Inconclusive | Class::OwnFault => {
            Status::Error(wrong(class.word()))
        }
    }
}

#[cfg(test)]
mod tests;
