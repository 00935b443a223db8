//! Lines and cells of comma-separated values (RFC 4180 §2), with their places.

use std::borrow::Cow;

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// What it says, without its quotes.
    pub(super) text: Cow<'a, str>,
    /// Where it begins: line and column, from 1; the column counts characters.
    pub(super) at: (u32, u32),
    /// What is wrong with its quotes, and where.
    pub(super) fault: Option<((u32, u32), &'static str)>,
}

/// Goes through a text line by line; a quoted cell may go over several.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
            column: 1,
        }
    }

    /// The cells of the next line that is not empty; false at the end.
    pub(super) fn line(&mut self, cells: &mut Vec<Cell<'a>>) -> bool {
        cells.clear();
        while self.break_line() {}
        if self.rest.is_empty() {
            return false;
        }
        loop {
            cells.push(self.cell());
            if self.rest.starts_with(',') {
                self.pass(1);
            } else {
                self.break_line();
                return true;
            }
        }
    }

    fn cell(&mut self) -> Cell<'a> {
        let at = (self.line, self.column);
        if self.rest.starts_with('"') {
            return self.quoted(at);
        }
        let end = self.end_of_plain();
        let text = self.pass(end);
        let quote = text.find('"').map(|byte| {
            let before = text.get(..byte).unwrap_or_default().chars().count();
            let column =
                at.1.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            (
                (at.0, column),
                "a quote within a cell that does not begin with one",
            )
        });
        Cell {
            text: Cow::Borrowed(text),
            at,
            fault: quote,
        }
    }

    /// A cell in quotes; a quote within it is written twice.
    fn quoted(&mut self, at: (u32, u32)) -> Cell<'a> {
        self.pass(1);
        let mut text = Cow::Borrowed("");
        loop {
            let Some(end) = self.rest.find('"') else {
                let left = self.rest.len();
                text += self.pass(left);
                let fault = Some((at, "a quote without its end"));
                return Cell { text, at, fault };
            };
            text += self.pass(end);
            self.pass(1);
            if !self.rest.starts_with('"') {
                break;
            }
            text += self.pass(1);
        }
        let after = (self.line, self.column);
        let end = self.end_of_plain();
        let fault = (end > 0).then_some((after, "text behind the quote that ends a cell"));
        self.pass(end);
        Cell { text, at, fault }
    }

    /// Bytes up to the next comma or the end of the line.
    fn end_of_plain(&self) -> usize {
        let bytes = self.rest.as_bytes();
        let end = bytes.iter().position(|byte| matches!(byte, b',' | b'\n'));
        let end = end.unwrap_or(bytes.len());
        // A carriage return belongs to the end of its line.
        let ends_line = bytes.get(end) != Some(&b',');
        match end.checked_sub(1) {
            Some(last) if ends_line && bytes.get(last) == Some(&b'\r') => last,
            _ => end,
        }
    }

    /// Goes over the end of a line, if it is here.
    fn break_line(&mut self) -> bool {
        let width = match self.rest.as_bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] | [b'\r'] => 1,
            _ => return false,
        };
        self.rest = self.rest.get(width..).unwrap_or_default();
        self.line = self.line.saturating_add(1);
        self.column = 1;
        true
    }

    /// Goes over so many bytes, which end between two characters.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        match passed.rsplit_once('\n') {
            Some((before, last)) => {
                let breaks = before.bytes().filter(|byte| *byte == b'\n').count();
                let breaks = u32::try_from(breaks).unwrap_or(u32::MAX);
                self.line = self.line.saturating_add(breaks).saturating_add(1);
                self.column = count(last).saturating_add(1);
            }
            None => self.column = self.column.saturating_add(count(passed)),
        }
        passed
    }
}
