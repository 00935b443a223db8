//! The ladder as a table that fits: what matters least goes first when columns are short.

use unicode_width::UnicodeWidthStr;

use super::number;
use super::page::{Paint, cut, padded};
use crate::measure::{Ladder, Row};

/// A line of the table: pieces of text, each with its paint.
pub(super) type Line = Vec<(Paint, String)>;

struct Column {
    title: &'static str,
    short: &'static str,
    /// What goes first when space is short has the highest rank; rank 0 stays.
    rank: u8,
    paint: Paint,
    value: Value,
}

enum Value {
    Count(fn(&Row) -> u64),
    Quantile(f64),
}

const fn count(
    title: &'static str,
    short: &'static str,
    rank: u8,
    paint: Paint,
    value: fn(&Row) -> u64,
) -> Column {
    Column {
        title,
        short,
        rank,
        paint,
        value: Value::Count(value),
    }
}

const fn time(title: &'static str, rank: u8, quantile: f64) -> Column {
    Column {
        title,
        short: title,
        rank,
        paint: Paint::Plain,
        value: Value::Quantile(quantile),
    }
}

const COLUMNS: [Column; 11] = [
    count("sent", "sent", 0, Paint::Plain, |row| row.sent),
    count("answered", "answ.", 0, Paint::Plain, |row| row.answered),
    count("retried", "retr.", 2, Paint::Yellow, |row| row.retried),
    count("late", "late", 3, Paint::Yellow, |row| row.late),
    count("wrong", "wrong", 0, Paint::Red, |row| row.wrong),
    count("missing", "miss.", 6, Paint::Plain, |row| row.missing),
    count("gave up", "lost", 5, Paint::Red, |row| row.gave_up),
    time("p50", 8, 0.5),
    time("p95", 1, 0.95),
    time("p99", 7, 0.99),
    time("max", 4, 1.0),
];

/// Columns that are left out where they would hold only zeros.
const ONLY_WHEN_USED: [&str; 2] = ["missing", "gave up"];

/// How to make a table fit, tried in order: short titles, highest rank shown, label columns at
/// most, short counts.
const FITS: [(bool, u8, usize, bool); 13] = [
    (false, 8, usize::MAX, false),
    (true, 8, usize::MAX, false),
    (true, 7, usize::MAX, false),
    (true, 6, usize::MAX, false),
    (true, 6, 24, false),
    (true, 5, 24, false),
    (true, 4, 20, false),
    (true, 3, 20, false),
    (true, 2, 18, false),
    (true, 1, 16, false),
    (true, 1, 12, true),
    (true, 0, 12, false),
    (true, 0, 12, true),
];

/// The table, not wider than `width` columns (40 or more).
pub(super) fn lines(ladder: &Ladder, width: usize) -> Vec<Line> {
    let mut rows = ladder.ordered();
    rows.retain(|(_, row)| !row.is_empty());
    if rows.is_empty() {
        return Vec::new();
    }
    let mut tables = FITS.iter().map(|&fit| draw(&rows, fit));
    let fitting = tables.find(|table| table.iter().all(|line| columns_of(line) <= width));
    fitting.unwrap_or_else(|| draw(&rows, (true, 0, 8, true)))
}

fn columns_of(line: &Line) -> usize {
    line.iter().map(|(_, text)| text.width()).sum()
}

fn draw(
    rows: &[(&str, &Row)],
    (short, rank, label_max, compact): (bool, u8, usize, bool),
) -> Vec<Line> {
    let used = |column: &Column| match column.value {
        Value::Count(value) => rows.iter().any(|(_, row)| value(row) > 0),
        Value::Quantile(_) => true,
    };
    let shown = |column: &&Column| {
        column.rank <= rank && (!ONLY_WHEN_USED.contains(&column.title) || used(column))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let labels: Vec<String> = rows
        .iter()
        .map(|(label, _)| cut(label, label_max))
        .collect();
    let label_width = labels.iter().map(|label| label.width()).max();
    let label_width = label_width.unwrap_or_default().max("step".len());

    let mut lines = vec![vec![(Paint::Dim, padded("step", label_width))]];
    lines.extend(
        labels
            .iter()
            .map(|label| vec![(Paint::Plain, padded(label, label_width))]),
    );
    for column in columns {
        let title = if short { column.short } else { column.title };
        let cells: Vec<(Paint, String)> = rows
            .iter()
            .map(|(_, row)| cell(column, row, compact))
            .collect();
        let widths = cells.iter().map(|(_, text)| text.width());
        let width = widths.max().unwrap_or_default().max(title.len());
        let column = std::iter::once((Paint::Dim, title.to_owned())).chain(cells);
        for (line, (paint, text)) in lines.iter_mut().zip(column) {
            line.push((Paint::Plain, " ".repeat(2 + width - text.width())));
            line.push((paint, text));
        }
    }
    lines
}

fn cell(column: &Column, row: &Row, compact: bool) -> (Paint, String) {
    match column.value {
        Value::Count(value) => match value(row) {
            0 => (Paint::Dim, "0".to_owned()),
            value if compact => (column.paint, number::compact(value)),
            value => (column.paint, number::count(value)),
        },
        Value::Quantile(quantile) => match row.latency.quantile(quantile) {
            Some(time) => (column.paint, number::duration(time)),
            None => (Paint::Dim, "–".to_owned()),
        },
    }
}
