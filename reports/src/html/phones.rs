//! The table of phones: as data for the script, and in short for readers without one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::markup::{Markup, weight};
use crate::report::Report;
use crate::run::{Outcome, PhoneResult, micros};
use crate::text::harmless;

/// Letters of a text in the table of phones; the JSON report has the whole.
const LETTERS_MAX: usize = 160;
/// Bytes of all settings that differ; those of later phones are in the JSON report only.
const DIFFERENCE_BYTES_MAX: usize = 1_000_000;
/// Bytes of all firmware versions, steps with their causes, and limits: servers decide how many
/// different ones there are. Beyond it `LEFT_OUT` stands for those that were not seen before.
const TEXT_BYTES_MAX: usize = 1_200_000;
const LEFT_OUT: &str = "in report.json";
/// Phones that a reader without a script sees.
const STILL_MAX: usize = 100;

/// What the script draws the table from; short names, because ten thousand phones have them.
#[derive(Debug, Serialize)]
struct Data {
    profiles: Vec<String>,
    firmware: Vec<String>,
    /// First wrong steps with their causes, and limits.
    wrong: Vec<(String, String)>,
    limits: Vec<String>,
    outcomes: [&'static str; Outcome::ALL.len()],
    repeat: String,
    rows: Vec<Row>,
    /// Settings that differ, by the phone's index.
    differences: BTreeMap<u32, [Option<String>; 4]>,
}

/// index, MAC, profile, firmware, outcome, scheduled_us, settled_us, reboots, soft reboots, first
/// wrong or −1, limit or −1; a settled time of −1 is none.
#[derive(Debug, Serialize)]
struct Row(
    u32,
    String,
    usize,
    usize,
    usize,
    u64,
    i64,
    u32,
    u32,
    i64,
    i64,
);

/// Numbers texts in the order in which they come.
#[derive(Debug, Default)]
struct Numbered<T>(BTreeMap<T, usize>);

impl<T: Ord> Numbered<T> {
    fn number(&mut self, text: T) -> usize {
        let next = self.0.len();
        *self.0.entry(text).or_insert(next)
    }

    /// As `number`, as long as a new text of `bytes` bytes fits into what is left; then that of
    /// `other`.
    fn number_within(&mut self, left: &mut usize, (text, bytes): (T, usize), other: T) -> usize {
        if let Some(known) = self.0.get(&text) {
            return *known;
        }
        match left.checked_sub(bytes) {
            Some(less) => {
                *left = less;
                self.number(text)
            }
            None => self.number(other),
        }
    }

    fn in_order(self) -> Vec<T> {
        let mut texts: Vec<(T, usize)> = self.0.into_iter().collect();
        texts.sort_by_key(|(_, number)| *number);
        texts.into_iter().map(|(text, _)| text).collect()
    }
}

/// The place that the script fills, and what stands there without one.
pub(super) fn write(report: &Report, page: &mut Markup) {
    page.raw(
        "<div id=\"phonebox\" hidden><div class=\"bar\"><input type=\"search\" \
         placeholder=\"Search MAC, model, firmware, step, cause\" aria-label=\"Search phones\">\
         <select aria-label=\"Outcome\"></select><span class=\"dim\" role=\"status\"></span></div>\
         <div class=\"phones\" role=\"table\" tabindex=\"0\" aria-label=\"Phones\"></div></div>",
    );
    page.raw("<p class=\"lead paper\">The file itself has a table of all phones.</p>");
    let lost =
        |phone: &&PhoneResult| !matches!(phone.outcome, Outcome::Provisioned | Outcome::Unverified);
    let lost: Vec<&PhoneResult> = report
        .phones()
        .iter()
        .filter(lost)
        .take(STILL_MAX)
        .collect();
    page.raw("<noscript><p class=\"lead\">Without a script this shows ");
    if lost.is_empty() {
        page.raw("nothing: no phone failed; report.json has them all.</p></noscript>");
        return;
    }
    page.raw("the first phones that were not provisioned; report.json has them all.</p>");
    page.raw("<div class=\"scroll\"><table><tbody>");
    for phone in lost {
        page.raw("<tr><th scope=\"row\">")
            .text(&phone.index.to_string());
        page.raw("</th><td class=\"left\"><code>")
            .text(&phone.mac.to_string());
        page.raw("</code></td>")
            .element("td", "left", &phone.profile);
        page.element("td", "left", phone.outcome.word());
        page.raw("<td class=\"left wrap\">");
        if let Some(first) = &phone.first_wrong {
            page.text(&cut(&first.step))
                .raw(": ")
                .text(&cut(&first.text));
        }
        page.raw("</td></tr>");
    }
    page.raw("</tbody></table></div></noscript>");
}

/// What the script needs.
pub(super) fn data(report: &Report, page: &mut Markup) {
    let (mut profiles, mut firmware) = (Numbered::default(), Numbered::default());
    let (mut wrong, mut limits) = (Numbered::default(), Numbered::default());
    let mut differences = BTreeMap::new();
    let (mut left, mut left_of_texts) = (DIFFERENCE_BYTES_MAX, TEXT_BYTES_MAX);
    let weighed = |text: &str| {
        let text = cut(text);
        let bytes = weight(&text) + 3;
        (text, bytes)
    };
    let out = || LEFT_OUT.to_owned();
    let mut rows = Vec::with_capacity(report.phones().len());
    for phone in report.phones() {
        let texts = &mut left_of_texts;
        let version = firmware.number_within(texts, weighed(&phone.firmware), out());
        let first = phone.first_wrong.as_ref().map(|first| {
            let ((step, bytes), (text, more)) = (weighed(&first.step), weighed(&first.text));
            wrong.number_within(texts, ((step, text), bytes + more + 2), (out(), out()))
        });
        let limit = phone.limit.as_ref();
        let limit = limit.map(|limit| limits.number_within(texts, weighed(limit), out()));
        rows.push(Row(
            phone.index,
            phone.mac.to_string(),
            profiles.number(cut(&phone.profile)),
            version,
            phone.outcome as usize,
            phone.scheduled_at.nanos() / 1_000,
            phone
                .settled_after
                .map_or(-1, |after| signed(micros::of(after))),
            phone.reboots,
            phone.soft_reboots,
            first.map_or(-1, |number| signed(number as u64)),
            limit.map_or(-1, |number| signed(number as u64)),
        ));
        let Some(difference) = &phone.difference else {
            continue;
        };
        let texts = [
            Some(cut(&difference.key)),
            Some(cut(&difference.expected)),
            difference.held.as_deref().map(cut),
            Some(cut(&difference.source)),
        ];
        let bytes: usize = texts.iter().flatten().map(|text| weight(text) + 3).sum();
        if bytes <= left {
            left -= bytes;
            differences.insert(phone.index, texts);
        }
    }
    page.data(
        "phones-data",
        &Data {
            profiles: profiles.in_order(),
            firmware: firmware.in_order(),
            wrong: wrong.in_order(),
            limits: limits.in_order(),
            outcomes: Outcome::ALL.map(Outcome::word),
            repeat: report.facts().repeat.clone(),
            rows,
            differences,
        },
    );
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The text, its end left out where it is long.
pub(super) fn cut(text: &str) -> String {
    let text = &harmless(text);
    match text.char_indices().nth(LETTERS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
