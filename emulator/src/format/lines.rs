//! What the line-based formats share: cutting bytes into lines, telling foreign content at a
//! glance, and gathering settings into a compact document.

use memchr::{memchr, memchr2};

use super::{Document, LineFaults, Reading, Setting, Span};
use crate::event::LineReason;
use crate::limits::{LINES_MAX, VALUE_BYTES_MAX};
use crate::names::{Name, Names};

/// The UTF-8 byte order mark.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How the error pages of HTTP servers begin, lower case.
const HTML: [&[u8]; 2] = [b"<!doctype html", b"<html"];
/// How markup of any kind begins, lower case.
const MARKUP: [&[u8]; 3] = [b"<!doctype", b"<html", b"<?xml"];

/// The lines of a file that end in CRLF, LF or CR, trimmed, without empty ones.
pub(super) struct Lines<'a> {
    source: Source<'a>,
    at: usize,
    number: u32,
}

/// A line that is not empty.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u32,
    /// Without the blanks around it.
    pub(super) text: &'a str,
    /// What is wrong with it before its grammar is looked at: not UTF-8, or beyond `LINES_MAX`;
    /// its text is empty then.
    pub(super) fault: Option<LineReason>,
}

/// A file's bytes and, where they are UTF-8 as a whole, their text.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
    /// There is a carriage return somewhere.
    returns: bool,
}

/// Settings on their way into a document.
pub(super) struct Gathered<'s> {
    settings: &'s mut Vec<Setting>,
    last: Option<Name>,
    ordered: bool,
}

/// Memory that reading reuses from file to file.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) settings: Vec<Setting>,
    /// Values, end to end, of formats that do not give them as they stand in the file.
    pub(super) values: String,
    /// What a key of several parts is put together in.
    pub(super) key: String,
    /// What comes out of an encrypted file.
    pub(super) plain: Vec<u8>,
}

impl<'a> Source<'a> {
    /// The text of a file; `None` when it is binary or markup.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        if is_markup(bytes) || memchr(0, bytes).is_some() {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok();
        let returns = memchr(b'\r', bytes).is_some();
        Some(Self {
            bytes,
            text,
            returns,
        })
    }

    /// A text as a source.
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            text: Some(text),
            returns: true,
        }
    }

    pub(super) fn lines(self) -> Lines<'a> {
        Lines {
            source: self,
            at: 0,
            number: 0,
        }
    }

    /// The place of `part`, which must be a piece of this source.
    pub(super) fn span(&self, part: &str) -> Option<Span> {
        let start = part
            .as_ptr()
            .addr()
            .checked_sub(self.bytes.as_ptr().addr())?;
        Some(Span {
            start: u32::try_from(start).ok()?,
            length: u32::try_from(part.len()).ok()?,
        })
    }

    fn slice(&self, start: usize, end: usize) -> Option<&'a str> {
        match self.text {
            Some(text) => text.get(start..end),
            None => std::str::from_utf8(self.bytes.get(start..end)?).ok(),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let start = self.at;
            let rest = self.source.bytes.get(start..)?;
            if rest.is_empty() {
                return None;
            }
            let length = if self.source.returns {
                memchr2(b'\n', b'\r', rest)
            } else {
                memchr(b'\n', rest)
            };
            let length = length.unwrap_or(rest.len());
            let crlf = self.source.returns
                && rest
                    .get(length..)
                    .is_some_and(|end| end.starts_with(b"\r\n"));
            let end = start + length;
            self.at = end + 1 + usize::from(crlf);
            self.number = self.number.saturating_add(1);
            let number = self.number;
            let beyond = number > LINES_MAX;
            let text = self.source.slice(start, end).map(trimmed);
            let fault = match text {
                Some("") => continue,
                _ if beyond => Some(LineReason::OverLimit),
                Some(_) => None,
                None => Some(LineReason::Grammar),
            };
            let text = match fault {
                None => text.unwrap_or_default(),
                Some(_) => "",
            };
            return Some(Line {
                number,
                text,
                fault,
            });
        }
    }
}

impl<'s> Gathered<'s> {
    pub(super) fn new(scratch: &'s mut Scratch) -> Self {
        Self::over(&mut scratch.settings)
    }

    /// As `new`, with the part of the scratch memory that it needs.
    pub(super) fn over(settings: &'s mut Vec<Setting>) -> Self {
        settings.clear();
        Self {
            settings,
            last: None,
            ordered: true,
        }
    }

    /// Forgets every setting.
    pub(super) fn restart(&mut self) {
        self.settings.clear();
        self.last = None;
        self.ordered = true;
    }

    /// The key taken last.
    pub(super) fn last(&self) -> Option<Name> {
        self.last
    }

    /// Takes a setting whose value is a piece of `source`.
    #[inline]
    pub(super) fn push(
        &mut self,
        key: Option<Name>,
        value: &str,
        line: u32,
        source: &Source<'_>,
    ) -> Result<(), LineReason> {
        let span = source.span(value).ok_or(LineReason::OverLimit)?;
        self.push_span(key, span, line)
    }

    /// Takes a setting whose value lies there in the source that `finish` will be given; a later
    /// one must not lie before an earlier one.
    #[inline]
    pub(super) fn push_span(
        &mut self,
        key: Option<Name>,
        value: Span,
        line: u32,
    ) -> Result<(), LineReason> {
        let setting = key
            .filter(|_| value.length as usize <= VALUE_BYTES_MAX)
            .and_then(|key| Setting::new(key, value, line))
            .ok_or(LineReason::OverLimit)?;
        let key = setting.key;
        self.ordered &= self.last.is_none_or(|last| last < key);
        self.last = Some(key);
        self.settings.push(setting);
        Ok(())
    }

    /// As `finish`, where the values were pushed end to end, without gaps, and are all of `values`.
    pub(super) fn finish_joined(self, head: String, values: &str) -> (Box<[Setting]>, Box<str>) {
        if !self.ordered {
            return self.finish(head, &Source::of(values));
        }
        let moved = u32::try_from(head.len()).unwrap_or(u32::MAX);
        for setting in self.settings.iter_mut() {
            setting.start = setting.start.saturating_add(moved);
        }
        let mut text = head;
        text.reserve_exact(values.len());
        text.push_str(values);
        (Box::from(self.settings.as_slice()), text.into_boxed_str())
    }

    /// Orders by key, lets later lines win, and copies the values into a text of their own, which
    /// begins with `head`. The source can go then.
    pub(super) fn finish(self, head: String, source: &Source<'_>) -> (Box<[Setting]>, Box<str>) {
        let settings = self.settings;
        if !self.ordered {
            // An empty value can lie where the next one begins.
            let order = |setting: &Setting| (setting.key, setting.start, setting.length_and_line);
            settings.sort_unstable_by_key(order);
            settings.dedup_by(|later, earlier| {
                let same = later.key == earlier.key;
                if same {
                    *earlier = *later;
                }
                same
            });
        }
        let length: usize = settings.iter().map(Setting::length).sum();
        let mut text = head;
        text.reserve_exact(length);
        for setting in settings.iter_mut() {
            let span = setting.value();
            let start = span.start as usize;
            let value = source.slice(start, start + span.length as usize);
            *setting = setting.moved(u32::try_from(text.len()).unwrap_or(u32::MAX));
            text.push_str(value.unwrap_or_default());
        }
        (Box::from(settings.as_slice()), text.into_boxed_str())
    }
}

/// A document that is not of the expected format.
pub(super) fn foreign(faults: LineFaults) -> Document {
    Document {
        reading: Reading::Foreign,
        faults,
        ..Document::default()
    }
}

/// Splits `key=value`, at the first `=`, blanks trimmed; `None` without `=` or key.
#[inline]
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let at = memchr(b'=', line.as_bytes())?;
    let (key, value) = (line.get(..at)?, line.get(at + 1..)?);
    let key = key.trim_ascii_end();
    (!key.is_empty()).then(|| (key, trimmed_start(value)))
}

/// As `trim_ascii`, sooner done where there is nothing to trim.
#[inline]
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if *first > b' ' && *last > b' ' => text,
        _ => text.trim_ascii(),
    }
}

#[inline]
fn trimmed_start(text: &str) -> &str {
    match text.as_bytes() {
        [first, ..] if *first > b' ' => text,
        _ => text.trim_ascii_start(),
    }
}

/// As `split`, with the key interned. Looks first for the key that followed `previous` in an
/// earlier file, which spares searching and hashing.
#[inline]
pub(super) fn split_interned<'a>(
    line: &'a str,
    previous: Option<Name>,
    keys: &mut Names,
) -> Option<(Option<Name>, &'a str)> {
    if let Some((name, known)) = keys.following_key(previous)
        && let Some(rest) = line.strip_prefix(known)
        && let Some(value) = trimmed_start(rest).strip_prefix('=')
    {
        return Some((Some(name), trimmed_start(value)));
    }
    let (key, value) = split(line)?;
    Some((keys.intern(key), value))
}

/// A value without the double quotes around it (PND-15).
#[inline]
pub(super) fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// Appends a text for one line: whatever would end the line becomes a blank.
pub(super) fn push_line_text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|byte| match byte {
        b'\n' | b'\r' | 0 => b' ',
        other => other,
    }));
}

/// Appends a title as comment lines.
pub(super) fn push_title(out: &mut Vec<u8>, title: &str) {
    for line in title.lines() {
        out.extend_from_slice(b"# ");
        push_line_text(out, line);
        out.push(b'\n');
    }
}

/// Whether a file begins as HTML or XML does.
pub(super) fn is_markup(bytes: &[u8]) -> bool {
    begins_with_any(bytes, &MARKUP)
}

/// Whether a file begins as HTML does.
pub(super) fn is_html(bytes: &[u8]) -> bool {
    begins_with_any(bytes, &HTML)
}

fn begins_with_any(bytes: &[u8], marks: &[&[u8]]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    bytes.first() == Some(&b'<')
        && marks.iter().any(|mark| {
            bytes
                .get(..mark.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(mark))
        })
}
