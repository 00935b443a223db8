//! The boot steps as a table, each with its distribution of latency on one logarithmic scale.

use std::time::Duration;

use super::markup::Markup;
use crate::latency::Latency;
use crate::measure::{Ladder, Row, SETTLED};
use crate::text::number;

/// Cells of a strip.
const BINS: usize = 64;
/// Sides of a strip in its own units.
const WIDTH: f64 = 1_000.0;

/// A column of counts: title, class where it is not zero, value.
type Count = (&'static str, &'static str, fn(&Row) -> u64);

const COUNTS: [Count; 7] = [
    ("sent", "", |row| row.sent),
    ("answered", "", |row| row.answered),
    ("retried", "warn", |row| row.retried),
    ("late", "warn", |row| row.late),
    ("wrong", "bad", |row| row.wrong),
    ("missing", "", |row| row.missing),
    ("gave up", "bad", |row| row.gave_up),
];
/// Columns that are left out where they would hold only zeros.
const ONLY_WHEN_USED: [&str; 2] = ["missing", "gave up"];
const TIMES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)];

/// Whether there is anything to show.
pub(super) fn is_empty(ladder: &Ladder) -> bool {
    rows(ladder).is_empty()
}

fn rows(ladder: &Ladder) -> Vec<(&str, &Row)> {
    let mut rows = ladder.ordered();
    rows.retain(|(_, row)| !row.is_empty());
    rows
}

/// The table.
pub(super) fn write(ladder: &Ladder, page: &mut Markup) {
    let rows = rows(ladder);
    let used = |(title, _, count): &Count| {
        !ONLY_WHEN_USED.contains(title) || rows.iter().any(|(_, row)| count(row) > 0)
    };
    let counts: Vec<Count> = COUNTS.into_iter().filter(used).collect();
    let scale = Scale::of(&rows);
    page.raw("<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>");
    page.raw("<th scope=\"col\" class=\"left\">step</th>");
    let titles = counts.iter().map(|(title, ..)| *title);
    for title in titles.chain(TIMES.map(|(title, _)| title)) {
        page.open("th", &[("scope", "col")]).text(title).close("th");
    }
    if let Some(scale) = &scale {
        page.raw("<th scope=\"col\" class=\"strip\">");
        scale.labels(page);
        page.raw("</th>");
    }
    page.raw("</tr></thead><tbody>");
    for (label, row) in rows {
        let class = if label == SETTLED { "total" } else { "" };
        page.open("tr", &[("class", class)])
            .raw("<th scope=\"row\"><code>");
        page.text(label).raw("</code></th>");
        for (_, class, count) in &counts {
            let count = count(row);
            let class = if count == 0 { "zero" } else { class };
            page.element("td", class, &number::count(count));
        }
        for (_, quantile) in TIMES {
            match row.latency.quantile(quantile) {
                Some(time) => page.element("td", "", &number::duration(time)),
                None => page.element("td", "zero", "–"),
            };
        }
        if let Some(scale) = &scale {
            page.raw("<td class=\"strip\">");
            scale.strip(&row.latency, page);
            page.raw("</td>");
        }
        page.raw("</tr>");
    }
    page.raw("</tbody></table></div>");
}

/// Whole powers of ten that hold every latency of a table.
struct Scale {
    /// Microseconds, as powers of ten.
    from: i32,
    to: i32,
}

impl Scale {
    /// None without a latency above zero.
    fn of(rows: &[(&str, &Row)]) -> Option<Self> {
        let times = || rows.iter().flat_map(|(_, row)| row.latency.buckets());
        let times = || times().map(|(time, _)| time).filter(|time| *time > 0);
        let (first, last) = (times().min()?, times().max()?);
        let from = i32::try_from(first.ilog10()).unwrap_or(0);
        // The histogram names a bucket by its upper end, up to a thousandth too high.
        let last = last.saturating_sub(last / 500 + 1).max(1);
        let to = i32::try_from(last.ilog10()).unwrap_or(0) + 1;
        Some(Self {
            from,
            to: to.max(from + 1),
        })
    }

    /// From 0 to 1; what is shorter than the scale is at its beginning.
    fn place(&self, micros: u64) -> f64 {
        let log = (micros.max(1) as f64).log10();
        let place = (log - f64::from(self.from)) / f64::from(self.to - self.from);
        place.clamp(0.0, 1.0)
    }

    fn powers(&self) -> impl Iterator<Item = (f64, Duration)> {
        (self.from..=self.to).map(|power| {
            let micros = 10_u64.saturating_pow(power.unsigned_abs());
            (self.place(micros), Duration::from_micros(micros))
        })
    }

    fn labels(&self, page: &mut Markup) {
        page.raw("<svg aria-hidden=\"true\">");
        let every = if self.to - self.from > 4 { 2 } else { 1 };
        for (place, time) in self.powers().step_by(every) {
            let anchor = match place {
                0.0 => "start",
                place if place > 0.99 => "end",
                _ => "middle",
            };
            let x = format!("{:.2}%", place * 100.0);
            page.open("text", &[("x", &x), ("y", "14"), ("text-anchor", anchor)]);
            page.text(&number::duration_short(time)).close("text");
        }
        page.close("svg");
    }

    fn strip(&self, latency: &Latency, page: &mut Markup) {
        let mut bins = [0_u64; BINS];
        for (time, count) in latency.buckets() {
            let bin = ((self.place(time) * BINS as f64) as usize).min(BINS - 1);
            bins[bin] += u64::from(count);
        }
        let Some(most) = bins.iter().max().copied().filter(|most| *most > 0) else {
            return;
        };
        page.raw("<svg viewBox=\"0 0 1000 18\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
        for (place, _) in self.powers() {
            let x = (place * WIDTH).round().to_string();
            page.open(
                "line",
                &[("class", "grid"), ("x1", &x), ("x2", &x), ("y2", "18")],
            );
            page.close("line");
        }
        for (at, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = (*count as f64 / most as f64).sqrt();
            let width = WIDTH / BINS as f64;
            let x = format!("{:.1}", at as f64 * width);
            let opacity = format!("{:.2}", 0.12 + 0.73 * share);
            page.open(
                "rect",
                &[
                    ("x", &x),
                    ("y", "3"),
                    ("width", "15.8"),
                    ("height", "12"),
                    ("fill-opacity", &opacity),
                ],
            );
            page.close("rect");
        }
        for quantile in [0.5, 0.95, 0.99] {
            let time = latency.quantile(quantile).unwrap_or_default();
            let micros = crate::run::micros::of(time);
            let x = format!("{:.1}", self.place(micros) * WIDTH);
            let (from, to) = if quantile < 0.9 {
                ("0", "18")
            } else {
                ("4", "14")
            };
            page.open(
                "line",
                &[
                    ("class", "p"),
                    ("x1", &x),
                    ("x2", &x),
                    ("y1", from),
                    ("y2", to),
                ],
            );
            page.close("line");
        }
        page.close("svg");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(micros: &[u64]) -> Row {
        let mut row = Row::default();
        for time in micros {
            row.answered += 1;
            row.latency.record(Duration::from_micros(*time));
        }
        row
    }

    #[test]
    fn the_scale_holds_every_latency() {
        let (one, two) = (row(&[0, 40, 900]), row(&[1_000_000]));
        let scale = Scale::of(&[("a", &one), ("b", &two)]).unwrap();
        assert_eq!((scale.from, scale.to), (1, 6));
        assert_eq!(scale.place(0), 0.0);
        assert_eq!(scale.place(1_000_000), 1.0);
        assert!(Scale::of(&[("a", &row(&[0]))]).is_none());
        let same = row(&[100]);
        let scale = Scale::of(&[("a", &same)]).unwrap();
        assert!(scale.to > scale.from);
    }

    #[test]
    fn shows_steps_that_were_taken_with_their_numbers() {
        let mut ladder = Ladder::default();
        ladder.rows.insert("<mac>.cfg".to_owned(), row(&[41_200]));
        ladder.rows.insert("unused".to_owned(), Row::default());
        assert!(!is_empty(&ladder));
        let mut page = Markup::default();
        write(&ladder, &mut page);
        let text = page.into_text();
        assert!(text.contains("<code>&lt;mac&gt;.cfg</code>"), "{text}");
        assert!(text.contains("<td>41.2 ms</td>"), "{text}");
        assert!(
            !text.contains("unused") && !text.contains("gave up"),
            "{text}"
        );
        assert!(is_empty(&Ladder::default()));
    }
}
