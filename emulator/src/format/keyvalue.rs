//! `key=value` lines (FLY-25 … FLY-30, PND-15, PND-30).
//!
//! A line that begins with `#` is a comment; every other one is split at its first `=`, blanks
//! trimmed on both sides, so a `#` later in a line belongs to the value. Unspecified, and read so:
//! a line that is not UTF-8 is ignored and counted, a file in which no line can be used is none of
//! this format.

use super::lines::{Gathered, Scratch, Source, foreign, push_line_text, push_title};
use super::lines::{split_interned, unquoted};
use super::{Document, Draft, FormatOptions, LineFaults};
use crate::event::LineReason;
use crate::names::Names;

pub(super) fn read(
    options: FormatOptions,
    bytes: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let Some(source) = Source::open(bytes) else {
        return foreign(LineFaults::default());
    };
    let mut gathered = Gathered::new(scratch);
    let mut faults = LineFaults::default();
    let mut usable = false;
    for line in source.lines() {
        if let Some(reason) = line.fault {
            faults.add(reason, line.number);
        } else if line.text.starts_with('#') {
            usable = true;
        } else if let Some((key, value)) = split_interned(line.text, gathered.last(), keys) {
            usable = true;
            let value = if options.quoted {
                unquoted(value)
            } else {
                value
            };
            // FLY-29: an empty value leaves the stored one as it is, unless told otherwise.
            if value.is_empty() && !options.empty_clears {
                continue;
            }
            if let Err(reason) = gathered.push(key, value, line.number, &source) {
                faults.add(reason, line.number);
            }
        } else {
            faults.add(LineReason::Grammar, line.number);
        }
    }
    if !usable && !faults.groups().is_empty() {
        return foreign(faults);
    }
    let (settings, text) = gathered.finish(String::new(), &source);
    Document {
        settings,
        text,
        faults,
        ..Document::default()
    }
}

pub(super) fn write(options: FormatOptions, draft: &Draft<'_>) -> Vec<u8> {
    let quote: &[u8] = if options.quoted { b"\"" } else { b"" };
    let length: usize = draft
        .settings
        .iter()
        .map(|(key, value)| key.len() + value.len() + 4)
        .sum();
    let mut out = Vec::with_capacity(length + draft.title.len() + 3);
    push_title(&mut out, draft.title);
    for (key, value) in draft.settings {
        push_line_text(&mut out, key);
        out.push(b'=');
        out.extend_from_slice(quote);
        push_line_text(&mut out, value);
        out.extend_from_slice(quote);
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests;
