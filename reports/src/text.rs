//! The report on a terminal: title, ladder, how the generator fared, times, outcomes, failures
//! with the command that repeats one of each, and the verdict last, where the eye is.

mod cases;
mod compare;
pub mod number;
mod page;
mod table;

use std::io::{self, Write};

use crate::case::ThresholdResult;
use crate::report::{Group, Milestones, Report};
use crate::run::{Bodies, BodySum, Outcome, StepResult};
use crate::verdict::Class;
pub use compare::write as write_comparison;
pub(crate) use page::harmless;
use page::{Page, Paint};

/// Narrowest terminal that is written for; a narrower one wraps.
pub const COLUMNS_MIN: u16 = 40;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; no line is longer, except a single word of a command that is.
    pub columns: u16,
    /// Whether escape sequences for colour may be written.
    pub colour: bool,
    /// Failure groups and failed cases shown at most; the JSON report has all.
    pub groups_max: usize,
    /// Whether every case is shown, with its whole exchange where it did not pass, and every
    /// failure group.
    pub verbose: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            columns: 100,
            colour: false,
            groups_max: 8,
            verbose: false,
        }
    }
}

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page {
        out,
        width: style.columns.max(COLUMNS_MIN).into(),
        colour: style.colour,
    };
    page.paragraph(Paint::Bold, 2, &title(report))?;
    page.gap()?;
    let table = table::lines(report.ladder(), page.width);
    for line in &table {
        page.line(line)?;
    }
    if !table.is_empty() {
        page.gap()?;
    }
    if report.facts().planned > 0 || report.cases().is_empty() {
        tell_sums(report, &mut page)?;
    }
    let groups_max = if style.verbose {
        usize::MAX
    } else {
        style.groups_max
    };
    failures(report, groups_max, &mut page)?;
    if let Some(capacity) = &report.facts().capacity {
        page.gap()?;
        page.paragraph(Paint::Bold, 2, "Tries (the report above is of one of them)")?;
        for tried in &capacity.tries {
            page.paragraph(Paint::Plain, 24, &capacity.line(tried))?;
        }
    }
    cases::write(report.cases(), style, &mut page)?;
    page.gap()?;
    let verdict = report.verdict();
    let paint = match verdict.class {
        Class::Met => Paint::Green,
        Class::SubjectFailed | Class::OwnFault => Paint::Red,
        Class::Void | Class::Interrupted | Class::Inconclusive => Paint::Yellow,
    };
    page.paragraph(paint, 2, &verdict.sentence)
}

/// What was run: program, scenario, phones, attachment, seed.
pub(crate) fn title(report: &Report) -> String {
    let facts = report.facts();
    let cases = u32::try_from(report.cases().len()).unwrap_or(u32::MAX);
    let what = match (facts.planned, cases) {
        (0, 1..) => plural(cases, "case"),
        (planned, _) => number::phones(planned),
    };
    let mut parts = vec![
        format!("bootstorm {}", facts.version),
        facts.scenario.clone(),
        what,
        facts.attachment.clone(),
        format!("seed {}", facts.seed),
        format!("time scale {}", facts.time_scale),
        format!(
            "{} on {}",
            plural(facts.shards, "shard"),
            plural(facts.cores, "core")
        ),
    ];
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

pub(crate) fn plural(count: u32, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {word}{ending}", number::count(count.into()))
}

/// Columns of the names before the lines below the ladder.
const HANG: usize = 13;

fn tell_sums(report: &Report, page: &mut Page<'_>) -> io::Result<()> {
    let saturated = !report.facts().generator.saturated.is_empty();
    for (name, text) in sums(report) {
        let paint = match name {
            "Generator" if saturated => Paint::Yellow,
            "Note" => Paint::Dim,
            _ => Paint::Plain,
        };
        page.paragraph(paint, HANG, &format!("{name:<HANG$}{text}"))?;
    }
    Ok(())
}

/// The lines below the ladder, each with its name.
pub(crate) fn sums(report: &Report) -> Vec<(&'static str, String)> {
    let counts = report.counts();
    let facts = report.facts();
    let mut lines = Vec::new();
    if counts.of(Outcome::Provisioned) > 0 {
        lines.push(("Provisioned", milestones(report.provisioned())));
    }
    if counts.of(Outcome::Provisioned) < facts.planned {
        lines.push(("Settled", milestones(report.settled())));
    }
    let outcome = |outcome: &Outcome| {
        let count = counts.of(*outcome);
        (count > 0).then(|| format!("{} {}", number::count(count.into()), outcome.word()))
    };
    let outcomes: Vec<String> = Outcome::ALL.iter().filter_map(outcome).collect();
    if !outcomes.is_empty() {
        lines.push(("Outcomes", outcomes.join(" · ")));
    }
    if facts.registered > 0 {
        lines.push(("Registered", number::phones(facts.registered)));
    }
    if facts.bodies.fetched.count > 0 {
        lines.push(("Files", bodies_text(&facts.bodies)));
    }
    lines.extend(facts.steps.iter().map(|step| ("Step", step_text(step))));
    let health = &facts.generator;
    let text = format!(
        "{} late starts · {} datagrams dropped · lag at most {}",
        number::count(health.late_starts),
        number::count(health.dropped_datagrams),
        number::duration_short(health.lag_max)
    );
    lines.push(("Generator", text));
    if !facts.limits.is_empty() {
        let limit = |(name, value): (&String, &u64)| format!("{name} {}", number::count(*value));
        let limits: Vec<String> = facts.limits.iter().map(limit).collect();
        lines.push(("Limits", limits.join(" · ")));
    }
    lines.extend(
        facts
            .thresholds
            .iter()
            .map(|each| ("Threshold", threshold_text(each))),
    );
    lines.extend(facts.notes.iter().map(|note| ("Note", note.clone())));
    lines
}

/// `not met: p95("boot") < duration("3s"), p95("boot") = 4.2 s`.
fn threshold_text(threshold: &ThresholdResult) -> String {
    let word = match threshold.met {
        Some(true) => "met",
        Some(false) => "not met",
        None => "not evaluated",
    };
    let mut text = format!("{word}: {}", threshold.expression);
    if !threshold.actual.is_empty() {
        text.push_str(&format!(" · {}", threshold.actual));
    }
    if let Some(at) = threshold.aborted_at_us {
        let at = number::duration_short(std::time::Duration::from_micros(at));
        text.push_str(&format!(" · ended the run after {at}"));
    }
    text
}

/// `3,000 fetched (264.1 MB) · 1,001 held (1.3 MB) · 1,001 hashed (1.3 MB)`.
pub(crate) fn bodies_text(bodies: &Bodies) -> String {
    let part = |(sum, word): (BodySum, &str)| {
        let (count, bytes) = (number::count(sum.count), number::bytes(sum.bytes));
        format!("{count} {word} ({bytes})")
    };
    let parts = [
        (bodies.fetched, "fetched"),
        (bodies.held, "held"),
        (bodies.hashed, "hashed"),
    ];
    parts.map(part).join(" · ")
}

/// `check-sync: 5,000 phones · 5,000 registered · 5,000 answered 2xx · 5,000 resynced`.
pub(crate) fn step_text(step: &StepResult) -> String {
    if step.not_taken {
        return format!("{}: not taken, the run ended first", step.what);
    }
    let mut parts = vec![format!("{}: {}", step.what, number::phones(step.planned))];
    for (count, word) in [
        (step.registered, "registered"),
        (step.accepted, "answered 2xx"),
        (step.refused, "refused"),
        (step.silent, "silent"),
        (step.unreachable, "without address"),
    ] {
        if count > 0 {
            parts.push(format!("{} {word}", number::count(count.into())));
        }
    }
    parts.push(format!("{} resynced", number::count(step.resynced.into())));
    if step.ignored > 0 {
        parts.push(format!("{} ignored it", number::count(step.ignored.into())));
    }
    parts.join(" · ")
}

pub(crate) fn milestones(times: Milestones) -> String {
    let part = |(percent, time)| match time {
        Some(time) => format!("{percent} % after {}", number::duration_short(time)),
        None => format!("{percent} % never"),
    };
    [(50, times.p50), (95, times.p95), (100, times.p100)]
        .map(part)
        .join(" · ")
}

fn failures(report: &Report, groups_max: usize, page: &mut Page<'_>) -> io::Result<()> {
    let groups = report.groups();
    if groups.is_empty() {
        return Ok(());
    }
    page.gap()?;
    page.paragraph(Paint::Bold, 2, "Failures, by model and first wrong step")?;
    for group in groups.iter().take(groups_max) {
        failure(group, page)?;
    }
    let more = groups.len().saturating_sub(groups_max);
    if more > 0 {
        let rest: u64 = groups
            .iter()
            .skip(groups_max)
            .map(|group| u64::from(group.phones))
            .sum();
        let text = format!(
            "  and {more} more of {} phones in all; the JSON report has them",
            number::count(rest)
        );
        page.paragraph(Paint::Dim, 2, &text)?;
    }
    Ok(())
}

fn failure(group: &Group, page: &mut Page<'_>) -> io::Result<()> {
    let others = match group.causes {
        0 | 1 => String::new(),
        2 => " (and another cause)".to_owned(),
        causes => format!(" (and {} other causes)", causes - 1),
    };
    let firmware = match group.firmware.as_str() {
        "" => String::new(),
        firmware => format!(" {firmware}"),
    };
    let text = format!(
        "  {} × {}{firmware} at {}: {}{others}",
        number::count(group.phones.into()),
        group.profile,
        group.first.step,
        group.first.text
    );
    page.paragraph(Paint::Red, 6, &text)?;
    if let Some(difference) = &group.difference {
        let held = match &difference.held {
            Some(held) if difference.source.is_empty() => format!("held \"{held}\""),
            Some(held) => format!("held \"{held}\" from {}", difference.source),
            None => "not held".to_owned(),
        };
        let text = format!(
            "      {}: expected \"{}\", {held}",
            difference.key, difference.expected
        );
        page.paragraph(Paint::Plain, 8, &text)?;
    }
    page.command(6, &group.command)
}

#[cfg(test)]
mod tests;
