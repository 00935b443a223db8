//! Boot files: `include:config <xxx.cfg>` or `include:config "xxx.cfg"`, one link a line, fetched
//! from top to bottom (FLY-12 … FLY-24). `#!version:…`, with which boot files in the field begin,
//! is a comment like any other.
//!
//! Unspecified, and read so: the keyword in any case, blanks around its parts and within the
//! brackets, `.cfg` in any case and before a query.

use super::lines::{Source, foreign, push_line_text, push_title};
use super::{Document, Draft, Format, FormatOptions, LineFaults, Link, Span};
use crate::event::LineReason;
use crate::limits::{DOCUMENT_LINKS_MAX, URL_BYTES_MAX};

/// The first and the second half of the keyword.
const KEYWORD: [&str; 2] = ["include", "config"];

pub(super) fn read(options: FormatOptions, bytes: &[u8]) -> Document {
    let Some(source) = Source::open(bytes) else {
        return foreign(LineFaults::default());
    };
    let mut text = String::new();
    let mut links = Vec::new();
    let mut faults = LineFaults::default();
    let mut usable = false;
    for line in source.lines() {
        if let Some(reason) = line.fault {
            faults.add(reason, line.number);
            continue;
        }
        if line.text.starts_with('#') {
            usable = true;
            continue;
        }
        let Some(target) = after_keyword(line.text) else {
            faults.add(LineReason::NotALink, line.number);
            continue;
        };
        usable = true;
        match link(target, options).filter(|_| links.len() < DOCUMENT_LINKS_MAX) {
            Some((url, format)) if url.len() <= URL_BYTES_MAX => {
                let url = append(&mut text, url);
                let line = line.number;
                links.push(Link { url, line, format });
            }
            Some(_) => faults.add(LineReason::OverLimit, line.number),
            None if links.len() < DOCUMENT_LINKS_MAX => {
                faults.add(LineReason::NotALink, line.number);
            }
            None => faults.add(LineReason::OverLimit, line.number),
        }
    }
    if !usable && !faults.groups().is_empty() {
        return foreign(faults);
    }
    Document {
        text: text.into_boxed_str(),
        links: links.into_boxed_slice(),
        faults,
        ..Document::default()
    }
}

pub(super) fn write(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push_title(&mut out, draft.title);
    for link in draft.links {
        out.extend_from_slice(b"include:config <");
        push_line_text(&mut out, link);
        out.extend_from_slice(b">\n");
    }
    out
}

/// What follows `include:config`.
fn after_keyword(line: &str) -> Option<&str> {
    let [first, second] = KEYWORD;
    let rest = after_word(line, first)?.strip_prefix(':')?;
    after_word(rest.trim_ascii_start(), second)
}

fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let start = text.get(..word.len())?;
    let rest = text.get(word.len()..)?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| rest.trim_ascii_start())
}

/// The URL in brackets or quotes and what it points at; `None` when it is not of a kind that a
/// boot file may name (FLY-14, FLY-19, FLY-24).
fn link(target: &str, options: FormatOptions) -> Option<(&str, Format)> {
    let url = between(target, '<', '>').or_else(|| between(target, '"', '"'))?;
    let url = url.trim_ascii();
    if url.chars().any(char::is_control) {
        return None;
    }
    let path = url.split('?').next().unwrap_or_default();
    if ends_with(path, ".cfg") {
        Some((url, Format::KeyValue))
    } else if options.nested_boot && ends_with(path, ".boot") {
        Some((url, Format::Boot))
    } else {
        None
    }
}

fn between(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// Whether a path ends in a suffix, in any case, and has something before it.
fn ends_with(path: &str, suffix: &str) -> bool {
    path.len()
        .checked_sub(suffix.len())
        .filter(|at| *at > 0)
        .and_then(|at| path.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// Appends `part`; where it lies.
pub(super) fn append(text: &mut String, part: &str) -> Span {
    let start = u32::try_from(text.len()).unwrap_or(u32::MAX);
    text.push_str(part);
    Span {
        start,
        length: u32::try_from(part.len()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
