//! A comparison on a terminal: the lists, how noise was told from change, the sentence last.

use std::io::{self, Write};

use super::page::{Page, Paint};
use super::{COLUMNS_MIN, Style, number};
use crate::compare::Comparison;

/// Writes a comparison; of each list `groups_max` entries, or all with `verbose`.
///
/// # Errors
/// Those of `out`.
pub fn write(comparison: &Comparison, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page {
        out,
        width: style.columns.max(COLUMNS_MIN).into(),
        colour: style.colour,
    };
    let max = if style.verbose {
        usize::MAX
    } else {
        style.groups_max
    };
    for (title, list) in comparison.lists() {
        page.paragraph(Paint::Bold, 2, title)?;
        for entry in list.iter().take(max) {
            page.paragraph(Paint::Plain, 6, &format!("  {entry}"))?;
        }
        let more = list.len().saturating_sub(max);
        if more > 0 {
            let more = number::count(more as u64);
            page.paragraph(
                Paint::Dim,
                2,
                &format!("  and {more} more; --verbose shows them"),
            )?;
        }
        page.gap()?;
    }
    page.paragraph(Paint::Dim, 2, &comparison.method())?;
    let paint = match (comparison.void.is_empty(), comparison.is_regression()) {
        (false, _) => Paint::Yellow,
        (true, true) => Paint::Red,
        (true, false) => Paint::Green,
    };
    page.paragraph(paint, 2, &comparison.sentence())
}
