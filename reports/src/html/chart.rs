//! Phones by boot step over time, and the traffic below it, as SVG that needs no script.

use std::time::Duration;

use super::markup::Markup;
use crate::text::number;
use crate::timeline::{Bucket, Stage, Timeline};

/// From the bottom of the chart to its top: what is reached grows from below.
const STACK: [Stage; 10] = [
    Stage::Settled,
    Stage::Unintended,
    Stage::Waiting,
    Stage::Registering,
    Stage::Firmware,
    Stage::Fetching,
    Stage::Discovery,
    Stage::Lease,
    Stage::Booting,
    Stage::Off,
];
/// Sides of a chart's plane in its own units.
const SIDE: f64 = 1_000.0;
/// Rows of the table that says the same as the chart.
const TABLE_ROWS: usize = 16;

type Level = [u32; Stage::ALL.len()];

/// The class that colours a stage.
pub(super) fn class(stage: Stage) -> String {
    format!("s-{}", stage.key())
}

/// Both charts with their key; nothing without a timeline.
pub(super) fn write(timeline: &Timeline, page: &mut Markup) {
    let levels: Vec<Level> = timeline.levels().collect();
    let Some(last) = levels.last() else {
        page.element("p", "dim", "Nothing has happened yet.");
        return;
    };
    let span = timeline.width().saturating_mul(buckets(timeline));
    key(&levels, last, page);
    page.raw("<div class=\"chart area\" id=\"area\" tabindex=\"0\">");
    area(&levels, page);
    times(span, page);
    page.raw("</div>");
    traffic_title(timeline, page);
    page.raw("<div class=\"chart traffic\" id=\"traffic\">");
    traffic(timeline, page);
    times(span, page);
    page.raw("</div>");
}

/// The same as a table, for readers of screens and of paper.
pub(super) fn table(timeline: &Timeline, page: &mut Markup) {
    let levels: Vec<Level> = timeline.levels().collect();
    let shown = ever(&levels);
    page.raw("<details class=\"screen\"><summary>The same as a table</summary>");
    page.raw("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">after</th>");
    for stage in &shown {
        page.open("th", &[("scope", "col")]);
        page.text(stage.word()).close("th");
    }
    page.raw("</tr></thead><tbody>");
    let every = levels.len().div_ceil(TABLE_ROWS).max(1);
    let last = levels.len().saturating_sub(1);
    for (at, level) in levels.iter().enumerate() {
        if (at + 1) % every != 0 && at != last {
            continue;
        }
        let time = timeline.width().saturating_mul(count(at + 1));
        page.raw("<tr><th scope=\"row\">");
        page.text(&number::duration_short(time)).close("th");
        for stage in &shown {
            page.element("td", "", &number::count(level[*stage as usize].into()));
        }
        page.raw("</tr>");
    }
    page.raw("</tbody></table></div></details>");
}

fn buckets(timeline: &Timeline) -> u32 {
    count(timeline.buckets().len())
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The stages that any phone was ever in, in the order of a boot.
fn ever(levels: &[Level]) -> Vec<Stage> {
    let mut stages = Stage::ALL.to_vec();
    stages.retain(|stage| levels.iter().any(|level| level[*stage as usize] > 0));
    stages
}

fn key(levels: &[Level], last: &Level, page: &mut Markup) {
    page.raw("<ul class=\"key\">");
    for stage in ever(levels) {
        page.raw("<li>").swatch(&class(stage)).text(stage.word());
        let phones = last[stage as usize];
        if phones > 0 {
            page.raw(" ")
                .element("b", "", &number::count(phones.into()));
        }
        page.raw("</li>");
    }
    page.raw("</ul>");
}

fn area(levels: &[Level], page: &mut Markup) {
    let sum = |level: &Level| level.iter().map(|&phones| u64::from(phones)).sum::<u64>();
    let top = levels.iter().map(sum).max().unwrap_or(0).max(1);
    let ticks = ticks(top as f64, 5);
    heights(&ticks, top as f64, page);
    let words = describe(levels, top);
    page.open(
        "svg",
        &[
            ("class", "plot"),
            ("viewBox", "0 0 1000 1000"),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", &words),
        ],
    );
    let shown = ever(levels);
    for at in (0..STACK.len()).rev() {
        let Some(stage) = STACK.get(at).filter(|stage| shown.contains(stage)) else {
            continue;
        };
        let below = STACK.get(..=at).unwrap_or_default();
        // Before anything happens, every phone is without power.
        let first = if *stage == Stage::Off { top } else { 0 };
        let height = |level: &Level| -> u64 {
            below
                .iter()
                .map(|stage| u64::from(level[*stage as usize]))
                .sum()
        };
        let heights: Vec<f64> = std::iter::once(first)
            .chain(levels.iter().map(height))
            .map(|height| SIDE - height as f64 / top as f64 * SIDE)
            .collect();
        let line = line(&heights);
        let filled = format!("{line}L{SIDE} {SIDE}L0 {SIDE}Z");
        page.open("path", &[("class", &class(*stage)), ("d", &filled)])
            .close("path");
        page.open("path", &[("class", "edge"), ("d", &line)])
            .close("path");
    }
    for tick in ticks {
        let y = (SIDE - tick / top as f64 * SIDE).round().to_string();
        page.open(
            "line",
            &[("class", "grid"), ("x2", "1000"), ("y1", &y), ("y2", &y)],
        );
        page.close("line");
    }
    page.close("svg");
}

/// `Phones by boot step over time, 300 phones; at the end 297 settled, 3 fetching files.`
fn describe(levels: &[Level], top: u64) -> String {
    let end = levels.last().map_or_else(Vec::new, |level| {
        let stages = Stage::ALL
            .iter()
            .rev()
            .filter(|stage| level[**stage as usize] > 0);
        let part = |stage: &Stage| {
            let phones = number::count(level[*stage as usize].into());
            format!("{phones} {}", stage.word())
        };
        stages.map(part).collect()
    });
    let phones = number::phones(u32::try_from(top).unwrap_or(u32::MAX));
    format!(
        "Phones by boot step over time, {phones}; at the end {}.",
        end.join(", ")
    )
}

/// A line through these heights, from the left side to the right; points on a level stretch are
/// left out.
fn line(heights: &[f64]) -> String {
    let last = heights.len().saturating_sub(1).max(1);
    let mut out = String::new();
    for (at, height) in heights.iter().enumerate() {
        let same = |other: Option<&f64>| other.is_some_and(|it| (it - height).abs() < 0.05);
        let before = at.checked_sub(1).and_then(|before| heights.get(before));
        if same(before) && same(heights.get(at + 1)) {
            continue;
        }
        out.push(if at == 0 { 'M' } else { 'L' });
        let x = at as f64 / last as f64 * SIDE;
        out.push_str(&format!("{} {}", tenth(x), tenth(*height)));
    }
    out
}

/// One digit behind the point, none where it is zero.
fn tenth(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn traffic_title(timeline: &Timeline, page: &mut Markup) {
    let sum = |count: fn(&Bucket) -> u32| {
        let counts = timeline
            .buckets()
            .iter()
            .map(|bucket| u64::from(count(bucket)));
        number::count(counts.sum())
    };
    page.raw("<p class=\"charttitle\">Requests a second</p><ul class=\"key\">");
    for (class, word, sum) in [
        (
            "t-requests",
            "first requests",
            sum(|bucket| bucket.requests),
        ),
        ("t-retries", "retries", sum(|bucket| bucket.retries)),
        ("t-errors", "errors", sum(|bucket| bucket.errors)),
    ] {
        page.raw("<li>").swatch(class).text(word).raw(" ");
        page.element("b", "", &sum).raw("</li>");
    }
    page.raw("</ul>");
}

fn traffic(timeline: &Timeline, page: &mut Markup) {
    let seconds = timeline.width().as_secs_f64();
    let rate = |count: u32| f64::from(count) / seconds;
    let buckets = timeline.buckets();
    let highest = |bucket: &Bucket| bucket.requests.max(bucket.retries).max(bucket.errors);
    let top = buckets.iter().map(highest).max().map_or(1.0, rate).max(1.0);
    let ticks = ticks(top, 2);
    heights(&ticks, top, page);
    page.raw(
        "<svg class=\"plot\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"Requests, retries and errors a second over time.\">",
    );
    let heights = |count: fn(&Bucket) -> u32| -> Vec<f64> {
        let height = |bucket| SIDE - rate(count(bucket)) / top * SIDE;
        std::iter::once(SIDE)
            .chain(buckets.iter().map(height))
            .collect()
    };
    let filled = format!(
        "{}L{SIDE} {SIDE}Z",
        line(&heights(|bucket| bucket.requests))
    );
    page.open("path", &[("class", "t-requests"), ("d", &filled)])
        .close("path");
    for (class, count) in [
        ("l-retries", (|bucket| bucket.retries) as fn(&Bucket) -> u32),
        ("l-errors", |bucket| bucket.errors),
    ] {
        if buckets.iter().any(|bucket| count(bucket) > 0) {
            let line = line(&heights(count));
            page.open("path", &[("class", class), ("d", &line)])
                .close("path");
        }
    }
    page.close("svg");
}

/// The labels left of a chart.
fn heights(ticks: &[f64], top: f64, page: &mut Markup) {
    page.raw("<svg class=\"ys\" aria-hidden=\"true\">");
    for tick in ticks {
        let y = format!("{:.2}%", 100.0 - tick / top * 100.0);
        page.open(
            "text",
            &[
                ("x", "100%"),
                ("y", &y),
                ("dx", "-8"),
                ("dy", "4"),
                ("text-anchor", "end"),
            ],
        );
        page.text(&number::count(tick.round() as u64)).close("text");
    }
    page.close("svg");
}

/// The labels below a chart.
fn times(span: Duration, page: &mut Markup) {
    page.raw("<svg class=\"xs\" aria-hidden=\"true\">");
    let seconds = span.as_secs_f64();
    for (at, tick) in ticks(seconds, 8).into_iter().enumerate() {
        let share = tick / seconds;
        let x = format!("{:.2}%", share * 100.0);
        let anchor = match share {
            share if share > 0.97 => "end",
            0.0 => "start",
            _ => "middle",
        };
        let class = if at % 2 == 1 { "odd" } else { "" };
        page.open(
            "text",
            &[
                ("class", class),
                ("x", &x),
                ("y", "16"),
                ("text-anchor", anchor),
            ],
        );
        let label = Duration::try_from_secs_f64(tick).unwrap_or_default();
        page.text(&number::duration_short(label)).close("text");
    }
    page.close("svg");
}

/// Round values from 0 up to `top`, about so many.
fn ticks(top: f64, about: u32) -> Vec<f64> {
    let rough = top / f64::from(about.max(1));
    let unit = 10_f64.powf(rough.log10().floor());
    if !unit.is_finite() || unit <= 0.0 {
        return vec![0.0];
    }
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * unit);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(unit * 10.0);
    let last = (top / step * 1.000_1).floor() as u32;
    (0..=last).map(|at| f64::from(at) * step).collect()
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::time::Moment;

    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(10_000.0, 5), [0.0, 2e3, 4e3, 6e3, 8e3, 1e4]);
        assert_eq!(ticks(7.9, 8), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(ticks(0.0, 5), [0.0]);
        assert_eq!(ticks(1.0, 5).len(), 6);
    }

    #[test]
    fn leaves_out_points_on_a_level_stretch() {
        assert_eq!(
            line(&[0.0, 5.0, 5.0, 5.0, 1.25]),
            "M0 0L250 5L750 5L1000 1.2"
        );
    }

    #[test]
    fn draws_stages_that_a_phone_was_in_and_no_other() {
        let mut timeline = Timeline::default();
        timeline.add_phones(4);
        timeline.change(Moment::from_millis(5), Stage::Off, Stage::Settled);
        let mut page = Markup::default();
        write(&timeline, &mut page);
        let text = page.into_text();
        assert!(text.contains("<path class=\"s-settled\""), "{text}");
        assert!(!text.contains("s-waiting"), "{text}");
        assert!(
            text.contains("4 phones; at the end 1 settled, 3 without power."),
            "{text}"
        );
        let mut page = Markup::default();
        write(&Timeline::default(), &mut page);
        assert_eq!(
            page.into_text(),
            "<p class=\"dim\">Nothing has happened yet.</p>"
        );
    }
}
