//! `metrics.prom`: figures for Prometheus, in its text format 0.0.4, base units throughout.
//!
//! The same page is served while a run goes on: `Snapshot` holds plain figures, of a report or of
//! counters that are still running.

use std::io::{self, Write};
use std::time::Duration;

use crate::case::{CaseCounts, CaseVerdict};
use crate::latency::Latency;
use crate::measure::{Ladder, Totals};
use crate::report::Report;
use crate::run::{GeneratorHealth, Outcome, RunFacts};
use crate::text::harmless;
use crate::timeline::Stage;

/// What HTTP says the page is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets, in seconds: a request on a local network to a phone's whole boot.
const BOUNDS_S: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// A counter of a step: its name, what it counts, where it is.
type Counter = (&'static str, &'static str, fn(&StepFigures) -> u64);

/// Figures at one moment of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The attachment.
    pub attachment: String,
    /// The run's seed.
    pub seed: u64,
    /// When the run began: seconds since 1970.
    pub started_at: u64,
    /// How long it has gone on.
    pub elapsed: Duration,
    /// Phones planned.
    pub planned: u32,
    /// Phones by what became of them, in words; while a run goes on, those of whom it is known.
    pub phones: Vec<(String, u64)>,
    /// Phones that were registered with a SIP account.
    pub registered: u32,
    /// The ladder's rows in boot order.
    pub steps: Vec<StepFigures>,
    /// Sums that belong to no step.
    pub totals: Totals,
    /// Cases by side, suite and verdict.
    pub cases: Vec<CaseFigures>,
    /// Each expression over the fleet and whether it held; `None` = not evaluated.
    pub thresholds: Vec<(String, Option<bool>)>,
    /// How the generator fares.
    pub generator: GeneratorHealth,
    /// The class of the verdict, in its word; empty while the run goes on.
    pub verdict: &'static str,
    /// What is counted while a run goes on; then nothing else is known, and nothing else written.
    pub running: Option<Running>,
}

/// What is counted while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Running {
    /// Phones by stage, by `Stage::ALL`.
    pub stages: [u32; Stage::ALL.len()],
    /// Requests that left for the first time.
    pub requests: u64,
    /// Requests that left again.
    pub retries: u64,
    /// Unusable answers, and steps given up.
    pub errors: u64,
    /// Files that arrived whole.
    pub files: u64,
}

/// What was counted of one ladder step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepFigures {
    /// Its label.
    pub step: String,
    /// Requests that left for the first time.
    pub sent: u64,
    /// Complete answers.
    pub answered: u64,
    /// Requests that left again.
    pub retried: u64,
    /// Answers after the step was over.
    pub late: u64,
    /// Unusable answers.
    pub wrong: u64,
    /// Answers saying that the file is not there.
    pub missing: u64,
    /// Steps given up.
    pub gave_up: u64,
    /// From the first request to the complete answer.
    pub latency: Latency,
}

/// How many cases of a suite had a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFigures {
    /// `phone` or `server`.
    pub side: String,
    /// The suite's name.
    pub suite: String,
    /// The verdict.
    pub verdict: CaseVerdict,
    /// How many.
    pub count: u32,
}

impl Snapshot {
    /// The facts of a run of which nothing else is known yet.
    #[must_use]
    pub fn of_facts(facts: &RunFacts) -> Self {
        let thresholds = facts.thresholds.iter();
        Self {
            version: facts.version.clone(),
            scenario: facts.scenario.clone(),
            attachment: facts.attachment.clone(),
            seed: facts.seed,
            started_at: facts.started_at,
            elapsed: facts.elapsed,
            planned: facts.planned,
            registered: facts.registered,
            thresholds: thresholds
                .map(|each| (each.expression.clone(), each.met))
                .collect(),
            generator: facts.generator.clone(),
            ..Self::default()
        }
    }

    /// Takes over what shards counted.
    pub fn count(&mut self, ladder: &Ladder) {
        self.totals = ladder.totals;
        let rows = ladder.ordered().into_iter();
        let rows = rows.map(|(step, row)| StepFigures {
            step: step.to_owned(),
            sent: row.sent,
            answered: row.answered,
            retried: row.retried,
            late: row.late,
            wrong: row.wrong,
            missing: row.missing,
            gave_up: row.gave_up,
            latency: row.latency.clone(),
        });
        self.steps = rows.collect();
    }

    /// The figures of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut snapshot = Self::of_facts(report.facts());
        snapshot.count(report.ladder());
        let counts = report.counts();
        let phones = Outcome::ALL.iter();
        snapshot.phones = phones
            .map(|outcome| (outcome.word().to_owned(), counts.of(*outcome).into()))
            .collect();
        let mut suites: Vec<[&str; 2]> = Vec::new();
        for case in report.cases() {
            let name = [&*case.side, &*case.suite];
            if !suites.contains(&name) {
                suites.push(name);
            }
        }
        for [side, suite] in suites {
            let cases = report.cases().iter();
            let cases = cases.filter(|case| case.side == side && case.suite == suite);
            let counts = CaseCounts::new(cases);
            snapshot
                .cases
                .extend(CaseVerdict::ALL.map(|verdict| CaseFigures {
                    side: side.to_owned(),
                    suite: suite.to_owned(),
                    verdict,
                    count: counts.of(verdict),
                }));
        }
        snapshot.verdict = report.verdict().class.word();
        snapshot
    }
}

/// Writes the report's figures.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write_snapshot(&Snapshot::of(report), out)
}

/// Writes figures of one moment.
///
/// # Errors
/// Those of `out`.
pub fn write_snapshot(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { out };
    run(snapshot, &mut page)?;
    if let Some(running) = &snapshot.running {
        return self::running(snapshot.planned, running, &mut page);
    }
    phones(snapshot, &mut page)?;
    steps(snapshot, &mut page)?;
    totals(&snapshot.totals, &mut page)?;
    judged(snapshot, &mut page)?;
    generator(&snapshot.generator, &mut page)
}

fn run(snapshot: &Snapshot, page: &mut Page<'_>) -> io::Result<()> {
    let seed = snapshot.seed.to_string();
    page.family("run_info", "gauge", "What is run; always 1.")?;
    page.sample(
        "run_info",
        &[
            ("version", &snapshot.version),
            ("scenario", &snapshot.scenario),
            ("attachment", &snapshot.attachment),
            ("seed", &seed),
        ],
        1.0,
    )?;
    let begun = snapshot.started_at as f64;
    let help = "When the run began, in seconds since 1970.";
    page.single("run_start_time_seconds", "gauge", help, begun)?;
    let lasted = snapshot.elapsed.as_secs_f64();
    let help = "How long the run has gone on.";
    page.single("run_duration_seconds", "gauge", help, lasted)?;
    if !snapshot.verdict.is_empty() {
        page.family("run_verdict", "gauge", "The run's verdict; always 1.")?;
        page.sample("run_verdict", &[("class", snapshot.verdict)], 1.0)?;
    }
    Ok(())
}

fn running(planned: u32, running: &Running, page: &mut Page<'_>) -> io::Result<()> {
    let planned = f64::from(planned);
    page.single("phones_planned", "gauge", "Phones planned.", planned)?;
    let help = "Phones by how far their boot is.";
    page.family("phones_by_stage", "gauge", help)?;
    for (stage, phones) in Stage::ALL.into_iter().zip(running.stages) {
        let labels = [("stage", stage.key())];
        page.sample("phones_by_stage", &labels, f64::from(phones))?;
    }
    for (name, help, value) in [
        (
            "requests_total",
            "Requests that left for the first time.",
            running.requests,
        ),
        (
            "retries_total",
            "Requests that left again after silence.",
            running.retries,
        ),
        (
            "errors_total",
            "Unusable answers, and steps given up.",
            running.errors,
        ),
        ("files_total", "Files that arrived whole.", running.files),
    ] {
        page.single(name, "counter", help, value as f64)?;
    }
    Ok(())
}

fn phones(snapshot: &Snapshot, page: &mut Page<'_>) -> io::Result<()> {
    let planned = f64::from(snapshot.planned);
    page.single("phones_planned", "gauge", "Phones planned.", planned)?;
    let registered = f64::from(snapshot.registered);
    let help = "Phones registered with a SIP account.";
    page.single("phones_registered", "gauge", help, registered)?;
    if snapshot.phones.is_empty() {
        return Ok(());
    }
    page.family("phones", "gauge", "Phones by what became of them.")?;
    for (outcome, count) in &snapshot.phones {
        page.sample("phones", &[("outcome", outcome)], *count as f64)?;
    }
    Ok(())
}

fn steps(snapshot: &Snapshot, page: &mut Page<'_>) -> io::Result<()> {
    if snapshot.steps.is_empty() {
        return Ok(());
    }
    let counters: [Counter; 7] = [
        (
            "requests",
            "Requests that left for the first time.",
            |step| step.sent,
        ),
        ("answers", "Complete answers.", |step| step.answered),
        (
            "retries",
            "Requests that left again after silence.",
            |step| step.retried,
        ),
        ("late_answers", "Answers after the step was over.", |step| {
            step.late
        }),
        ("wrong_answers", "Unusable packets or answers.", |step| {
            step.wrong
        }),
        (
            "missing_files",
            "Answers saying that the file is not there.",
            |step| step.missing,
        ),
        ("given_up", "Steps given up.", |step| step.gave_up),
    ];
    for (name, help, value) in counters {
        let name = format!("step_{name}_total");
        page.family(&name, "counter", help)?;
        for step in &snapshot.steps {
            page.sample(&name, &[("step", &step.step)], value(step) as f64)?;
        }
    }
    let help = "From the first request of a step to its complete answer.";
    page.family("step_duration_seconds", "histogram", help)?;
    for step in &snapshot.steps {
        page.histogram("step_duration_seconds", ("step", &step.step), &step.latency)?;
    }
    Ok(())
}

fn totals(totals: &Totals, page: &mut Page<'_>) -> io::Result<()> {
    for (name, help, value) in [
        ("boots_total", "Times a phone came up.", totals.boots),
        ("soft_reboots_total", "Soft reboots.", totals.soft_reboots),
        (
            "provisioning_runs_total",
            "Provisioning runs started.",
            totals.runs,
        ),
        (
            "request_bytes_total",
            "Bytes of first requests.",
            totals.request_bytes,
        ),
        ("files_total", "Files that arrived whole.", totals.files),
        (
            "file_bytes_total",
            "Bytes of files that arrived whole.",
            totals.file_bytes,
        ),
        (
            "ignored_lines_total",
            "Lines of documents not taken over.",
            totals.lines_ignored,
        ),
        (
            "firmware_installed_total",
            "Firmware versions installed.",
            totals.firmware_installed,
        ),
        (
            "firmware_refused_total",
            "Firmware images refused.",
            totals.firmware_refused,
        ),
        (
            "limits_reached_total",
            "Limits that phones reached.",
            totals.limits_reached,
        ),
    ] {
        page.single(name, "counter", help, value as f64)?;
    }
    Ok(())
}

fn judged(snapshot: &Snapshot, page: &mut Page<'_>) -> io::Result<()> {
    if !snapshot.cases.is_empty() {
        page.family("cases", "gauge", "Conformance cases by suite and verdict.")?;
        for case in &snapshot.cases {
            let labels = [
                ("side", case.side.as_str()),
                ("suite", &case.suite),
                ("verdict", case.verdict.word()),
            ];
            page.sample("cases", &labels, f64::from(case.count))?;
        }
    }
    if !snapshot.thresholds.is_empty() {
        let help = "Whether an expression over the fleet held; NaN = it could not be evaluated.";
        page.family("threshold_met", "gauge", help)?;
        for (expression, met) in &snapshot.thresholds {
            let value = met.map_or(f64::NAN, |met| f64::from(u8::from(met)));
            page.sample("threshold_met", &[("expression", expression)], value)?;
        }
    }
    Ok(())
}

fn generator(health: &GeneratorHealth, page: &mut Page<'_>) -> io::Result<()> {
    let help = "Phones started later than the tolerance after their scheduled start.";
    let late = health.late_starts as f64;
    page.single("generator_late_starts_total", "counter", help, late)?;
    let help = "Datagrams that our own queues or sockets dropped.";
    let dropped = health.dropped_datagrams as f64;
    page.single(
        "generator_dropped_datagrams_total",
        "counter",
        help,
        dropped,
    )?;
    let help = "The longest time by which a due timer was served late.";
    let lag = health.lag_max.as_secs_f64();
    page.single("generator_lag_max_seconds", "gauge", help, lag)?;
    let help = "Whether the generator was the limit: 1 makes the verdict void.";
    let saturated = f64::from(u8::from(!health.saturated.is_empty()));
    page.single("generator_saturated", "gauge", help, saturated)
}

/// Where lines go; every name gets its prefix here.
struct Page<'a> {
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) -> io::Result<()> {
        writeln!(self.out, "# HELP bootstorm_{name} {help}")?;
        writeln!(self.out, "# TYPE bootstorm_{name} {kind}")
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) -> io::Result<()> {
        self.family(name, kind, help)?;
        self.sample(name, &[], value)
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) -> io::Result<()> {
        write!(self.out, "bootstorm_{name}")?;
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { "{" } else { "," };
            write!(self.out, "{open}{label}=\"{}\"", escaped(text))?;
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.out, "{close} {value}")
    }

    fn histogram(&mut self, name: &str, label: (&str, &str), latency: &Latency) -> io::Result<()> {
        let mut counts = [0_u64; BOUNDS_S.len()];
        let mut sum_us = 0_u64;
        for (time_us, count) in latency.buckets() {
            let seconds = time_us as f64 / 1e6;
            sum_us = sum_us.saturating_add(time_us.saturating_mul(count.into()));
            if let Some(at) = BOUNDS_S.iter().position(|bound| seconds <= *bound) {
                counts[at] += u64::from(count);
            }
        }
        let mut below = 0;
        let bucket = format!("{name}_bucket");
        for (bound, count) in BOUNDS_S.iter().zip(counts) {
            below += count;
            let bound = bound.to_string();
            self.sample(&bucket, &[label, ("le", &bound)], below as f64)?;
        }
        let all = latency.count() as f64;
        self.sample(&bucket, &[label, ("le", "+Inf")], all)?;
        self.sample(&format!("{name}_sum"), &[label], sum_us as f64 / 1e6)?;
        self.sample(&format!("{name}_count"), &[label], all)
    }
}

/// A label's value: backslash, quote and line end are guarded, other control characters spelled
/// out.
fn escaped(text: &str) -> String {
    let guarded = harmless(text).replace('\\', "\\\\");
    guarded.replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
