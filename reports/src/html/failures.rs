//! Failures by model, firmware and first wrong step, each with one phone that shows it.

use super::markup::{Markup, weight};
use super::phones::cut;
use crate::report::{Group, Report};
use crate::run::Difference;
use crate::text::number;

/// Groups that are shown; the others are counted.
const GROUPS_MAX: usize = 60;
/// Bytes of all exchanges together.
const EXCHANGE_BYTES_MAX: usize = 600_000;

/// The groups.
pub(super) fn write(report: &Report, page: &mut Markup) {
    let groups = report.groups();
    let mut left = EXCHANGE_BYTES_MAX;
    for group in groups.iter().take(GROUPS_MAX) {
        self::group(report, group, &mut left, page);
    }
    let rest = groups.get(GROUPS_MAX..).unwrap_or_default();
    if !rest.is_empty() {
        let phones = rest.iter().map(|group| u64::from(group.phones)).sum();
        let text = format!(
            "And {} more groups of {} phones in all; report.json has them.",
            number::count(rest.len() as u64),
            number::count(phones)
        );
        page.element("p", "lead", &text);
    }
}

fn group(report: &Report, group: &Group, left: &mut usize, page: &mut Markup) {
    page.raw("<article class=\"group\"><div class=\"many\">");
    page.text(&number::count(group.phones.into()));
    let noun = if group.phones == 1 { "phone" } else { "phones" };
    page.element("small", "", noun)
        .raw("</div><div><p class=\"what\"><strong>");
    page.text(&group.profile).raw("</strong>");
    if !group.firmware.is_empty() {
        page.raw(" <span class=\"dim\">firmware ")
            .text(&group.firmware)
            .raw("</span>");
    }
    page.raw(" at <code>")
        .text(&cut(&group.first.step))
        .raw("</code>: <span class=\"bad\">");
    page.text(&cut(&group.first.text)).raw("</span>");
    match group.causes {
        0 | 1 => {}
        2 => {
            page.raw(" <span class=\"dim\">(and another cause)</span>");
        }
        causes => {
            let text = format!(" (and {} other causes)", causes - 1);
            page.element("span", "dim", &text);
        }
    }
    page.raw("</p><dl>");
    example(report, group, page);
    page.raw("</dl>");
    command(&group.command, page);
    exchange(report.exchange(group.example), left, page);
    page.raw("</div></article>");
}

/// What the phone sent and received, as far as there is room.
fn exchange(lines: &[String], left: &mut usize, page: &mut Markup) {
    if lines.is_empty() {
        return;
    }
    page.raw("<details class=\"screen\"><summary>what it sent and received</summary>");
    page.raw("<ol class=\"exchange\" tabindex=\"0\">");
    for line in lines {
        // With its tags.
        let bytes = weight(line) + 16;
        if bytes > *left {
            page.element("li", "", "… the rest is in report.json");
            break;
        }
        *left -= bytes;
        page.element("li", "", line);
    }
    page.raw("</ol></details>");
}

/// The phone that shows it, and what it holds that it should not.
fn example(report: &Report, group: &Group, page: &mut Markup) {
    let phones = report.phones();
    let found = phones.binary_search_by_key(&group.example, |phone| phone.index);
    page.raw("<dt>for example</dt><dd>phone ");
    page.text(&group.example.to_string());
    if let Some(phone) = found.ok().and_then(|at| phones.get(at)) {
        page.raw(", <code>")
            .text(&phone.mac.to_string())
            .raw("</code>");
    }
    page.raw("</dd>");
    if let Some(difference) = &group.difference {
        self::difference(difference, page);
    }
}

fn difference(difference: &Difference, page: &mut Markup) {
    page.raw("<dt>setting</dt><dd><code>")
        .text(&cut(&difference.key));
    page.raw("</code></dd><dt>expected</dt><dd><code>")
        .text(&cut(&difference.expected));
    page.raw("</code></dd><dt>held</dt><dd>");
    match &difference.held {
        Some(held) => page.element("code", "bad", &cut(held)),
        None => page.raw("nothing"),
    };
    if !difference.source.is_empty() {
        page.raw(" from <code>")
            .text(&cut(&difference.source))
            .raw("</code>");
    }
    page.raw("</dd>");
}

/// A command to copy.
pub(super) fn command(text: &str, page: &mut Markup) {
    page.raw("<div class=\"command\"><code>").text(text);
    page.raw("</code><button type=\"button\" class=\"copy\" hidden>Copy</button></div>");
}
