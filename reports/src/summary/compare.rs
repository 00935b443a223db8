//! A comparison on one page of a CI job.

use std::io::{self, Write};

use super::escape::plain;
use super::page::Page;
use crate::compare::Comparison;

/// Writes a comparison as Markdown, under `BYTES_MAX`.
///
/// # Errors
/// Those of `out`.
pub fn write(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::default();
    let sign = match (comparison.is_regression(), comparison.void.is_empty()) {
        (_, false) => "⚠️",
        (true, true) => "❌",
        (false, true) => "✅",
    };
    page.line(&format!("## {sign} {}", plain(&comparison.sentence())));
    page.line("");
    page.line(&plain(&comparison.method()));
    for (title, list) in comparison.lists() {
        let rows = list.iter().map(|entry| vec![plain(entry)]);
        page.table(title, &[("", false)], rows.collect());
    }
    out.write_all(page.text().as_bytes())
}
