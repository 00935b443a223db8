//! Where the values of secret keys lie in files, beyond what a sentence of a report can hold.
//! All texts are ASCII.

use std::ops::Range;

use crate::redact::Redactor;

/// Characters of a key.
const KEY_MAX: usize = 80;
/// Bytes of a tag.
const TAG_BYTES_MAX: usize = 4 << 10;
/// Attributes that name what another attribute, or the element's text, is the value of.
const NAMING: [&str; 6] = ["name", "id", "key", "class", "param", "item"];
/// Attributes that hold values.
const HOLDING: [&str; 4] = ["value", "val", "default", "content"];

/// Values of lines `key = value` and `key : value`, to the line's end.
pub(super) fn lines(text: &str, redactor: &Redactor, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(place) = line.find(['=', ':']).filter(|place| *place <= KEY_MAX) else {
            continue;
        };
        let key = line.get(..place).unwrap_or_default().trim();
        let is_key = |letter: char| letter.is_ascii_alphanumeric() || "_-. []()*#".contains(letter);
        if key.is_empty() || !key.chars().all(is_key) || !redactor.is_secret_key(key) {
            continue;
        }
        let value = line.get(place + 1..).unwrap_or_default();
        let begins = start + line.len() - value.trim_start().len();
        let ends = start + line.trim_end().len();
        found.push(begins..ends.max(begins));
    }
}

/// Values beside a name in one tag, and the text of an element that is named by an attribute.
pub(super) fn attributes(text: &str, redactor: &Redactor, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(opened) = find(text, at, '<') {
        at = opened + 1;
        let near = text.get(at..).unwrap_or_default();
        let near = near.get(..TAG_BYTES_MAX).unwrap_or(near);
        let Some(length) = near.find('>') else {
            continue;
        };
        let closed = at + length;
        let pairs = pairs(text, at, closed);
        let secret = |(name, value): &(Range<usize>, Range<usize>)| {
            let [name, value] = [name, value].map(|it| text.get(it.clone()).unwrap_or_default());
            is_one_of(&NAMING, name) && redactor.is_secret_key(value)
        };
        if pairs.iter().any(secret) {
            let held = |(name, _): &&(Range<usize>, Range<usize>)| {
                is_one_of(&HOLDING, text.get(name.clone()).unwrap_or_default())
            };
            let values = pairs.iter().filter(held).map(|(_, value)| value.clone());
            found.extend(values);
            if !text.get(at..closed).unwrap_or_default().ends_with('/') {
                let end = find(text, closed, '<').unwrap_or(text.len());
                found.push(closed + 1..end.max(closed + 1));
            }
        }
        at = closed;
    }
}

/// Values of parameters as CWMP writes them: an element of a name, then one of a value.
pub(super) fn parameters(text: &str, redactor: &Redactor, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begun) = text.get(at..).and_then(|rest| rest.find("<Name>")) {
        let name_at = at + begun + "<Name>".len();
        at = name_at;
        let Some(name_end) = find(text, name_at, '<') else {
            return;
        };
        let name = text.get(name_at..name_end).unwrap_or_default();
        if !redactor.is_secret_key(name) {
            continue;
        }
        let near = text.get(name_end..).unwrap_or_default();
        let near = near.get(..TAG_BYTES_MAX).unwrap_or(near);
        let Some(value) = near.find("<Value") else {
            continue;
        };
        let Some(value_at) = find(text, name_end + value, '>').map(|at| at + 1) else {
            return;
        };
        let end = find(text, value_at, '<').unwrap_or(text.len());
        found.push(value_at..end);
    }
}

/// The attributes of a tag: where their names and values lie.
fn pairs(text: &str, start: usize, end: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut pairs = Vec::new();
    let mut at = start;
    while let Some(equals) = find(text, at, '=').filter(|equals| *equals < end) {
        at = equals + 1;
        let before = text.get(start..equals).unwrap_or_default().trim_end();
        let name = before.rsplit([' ', '\t', '\r', '\n', '"', '\'']).next();
        let name_end = start + before.len();
        let name = name_end - name.map_or(0, str::len)..name_end;
        let after = text.get(at..end).unwrap_or_default();
        let quote_at = at + after.len() - after.trim_start().len();
        let quote = text.get(quote_at..).and_then(|rest| rest.chars().next());
        let Some(quote) = quote.filter(|quote| "\"'".contains(*quote)) else {
            continue;
        };
        let value_end = find(text, quote_at + 1, quote).map_or(end, |found| found.min(end));
        pairs.push((name, quote_at + 1..value_end.max(quote_at + 1)));
        at = value_end.max(at);
    }
    pairs
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn find(text: &str, from: usize, letter: char) -> Option<usize> {
    Some(from + text.get(from..)?.find(letter)?)
}
