//! What a reader must know of the run: thresholds, steps, subject, generator, notes, the command.

use std::time::Duration;

use super::failures::command;
use super::markup::Markup;
use crate::report::Report;
use crate::text::{self, number};

/// Expressions over the fleet, and what became of them.
pub(super) fn thresholds(report: &Report, page: &mut Markup) {
    page.raw("<div class=\"scroll\"><table><thead><tr><th class=\"left\" scope=\"col\"></th>");
    page.raw("<th class=\"left\" scope=\"col\">expression</th>");
    page.raw("<th class=\"left\" scope=\"col\">actual</th></tr></thead><tbody>");
    for threshold in &report.facts().thresholds {
        let (class, word) = match threshold.met {
            Some(true) => ("pill pass", "met"),
            Some(false) => ("pill fail", "not met"),
            None => ("pill inconclusive", "not known"),
        };
        page.raw("<tr><td class=\"left\">")
            .element("span", class, word);
        page.raw("</td><td class=\"left wrap\"><code>")
            .text(&threshold.expression);
        page.raw("</code></td><td class=\"left wrap\">")
            .text(&threshold.actual);
        if let Some(at) = threshold.aborted_at_us {
            let after = number::duration_short(Duration::from_micros(at));
            page.element("span", "bad", &format!(" ended the run after {after}"));
        }
        page.raw("</td></tr>");
    }
    page.raw("</tbody></table></div>");
}

/// What was done to phones while the run went on.
pub(super) fn steps(report: &Report, page: &mut Markup) {
    page.raw("<ol>");
    for step in &report.facts().steps {
        page.element("li", "", &text::step_text(step));
    }
    page.raw("</ol>");
}

/// Subject, generator, limits, notes and how to repeat it.
pub(super) fn run(report: &Report, page: &mut Markup) {
    let facts = report.facts();
    page.raw("<div class=\"columns\"><div><h3>Subject</h3><dl>");
    for endpoint in &facts.subject {
        page.element("dt", "", &endpoint.service).raw("<dd><code>");
        page.text(&endpoint.address).raw("</code></dd>");
    }
    page.raw("</dl></div><div><h3>Generator</h3><dl>");
    let health = &facts.generator;
    let mut rows = Vec::new();
    if facts.planned > 0 {
        rows.push(("late starts", number::count(health.late_starts)));
        let dropped = number::count(health.dropped_datagrams);
        rows.push(("datagrams dropped", dropped));
        rows.push(("lag at most", number::duration_short(health.lag_max)));
    }
    rows.push(("threads", text::plural(facts.shards, "shard")));
    rows.push(("machine", text::plural(facts.cores, "core")));
    if facts.bodies.fetched.count > 0 {
        rows.push(("files", text::bodies_text(&facts.bodies)));
    }
    for (name, value) in &rows {
        page.element("dt", "", name).element("dd", "", value);
    }
    for (name, value) in &facts.limits {
        page.element("dt", "", name)
            .element("dd", "", &number::count(*value));
    }
    page.raw("</dl></div></div>");
    for why in &health.saturated {
        page.raw("<p class=\"note warn\">generator saturated: ")
            .text(why)
            .raw("</p>");
    }
    for note in &facts.notes {
        page.element("p", "note", note);
    }
    if facts.repeat.is_empty() || facts.planned == 0 {
        return;
    }
    page.raw("<h3>Repeat one phone</h3>");
    let first = report.phones().first().map_or(0, |phone| phone.index);
    command(&report.command(first), page);
    page.raw(
        "<p class=\"lead\">The number after <code>--phone</code> chooses the phone; the same seed \
         makes the same phones.</p>",
    );
}

/// `2026-11-21 10:50 UTC`, of seconds since 1970.
pub(super) fn date(unix_s: u64) -> String {
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    // Years that begin in March, in cycles of 400, so that the leap day is a year's last.
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, january) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!(
        "{}-{month:02}-{of_month:02} {:02}:{:02} UTC",
        cycle * 400 + year + january,
        seconds / 3_600,
        seconds / 60 % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_700_000_000, "2023-11-14 22:13 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_102_444_800, "2100-01-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
