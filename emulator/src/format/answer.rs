//! The answer of the HTTP sibling method, which the vendor's pages show in three forms, told apart
//! by content: `key="value"` lines; XML whose innermost elements are the settings (name = key,
//! text = value, as in a `flat-profile`); and an encrypted `flat-profile`, recognised by an `ENC`
//! element or attribute that holds a hex blob.
//!
//! XML that is not well-formed is foreign as a whole, since a phone cannot tell what was lost. No
//! entity is expanded but the five predefined ones and character references.

use std::ops::Range;

use memchr::memchr_iter;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::lines::{Gathered, Scratch, Source, foreign, is_html};
use super::{Document, Draft, FormatOptions, LineFaults, Reading, keyvalue};
use crate::event::LineReason;
use crate::limits::{LINES_MAX, VALUE_BYTES_MAX, XML_DEPTH_MAX};
use crate::names::{NAME_BYTES_MAX, Name, Names};

/// The element (or attribute) that holds an encrypted profile.
const SEALED: &str = "ENC";
/// Hex digits from which a text is taken for a sealed blob: one block of a block cipher.
const BLOB_DIGITS_MIN: usize = 32;

pub(super) fn read(
    options: FormatOptions,
    bytes: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if content.trim_ascii_start().first() != Some(&b'<') {
        let quoted = FormatOptions {
            quoted: true,
            ..options
        };
        return keyvalue::read(quoted, bytes, keys, scratch);
    }
    match std::str::from_utf8(content) {
        Ok(text) if !is_html(content) => Tree::new(text, options).read(keys, scratch),
        _ => foreign(LineFaults::default()),
    }
}

/// Writes `key="value"` lines.
pub(super) fn write(options: FormatOptions, draft: &Draft<'_>) -> Vec<u8> {
    let quoted = FormatOptions {
        quoted: true,
        ..options
    };
    keyvalue::write(quoted, draft)
}

/// An XML document being read.
struct Tree<'a> {
    source: &'a str,
    options: FormatOptions,
    /// Bytes of the source whose lines are counted, and the line that the next byte is in.
    counted: usize,
    line: u32,
    depth: usize,
    elements: u32,
    /// The innermost open element, until it closes or a child opens, and its name.
    leaf: Option<Leaf>,
    name: String,
    /// Values, unescaped, end to end.
    values: String,
    found: Vec<Found>,
    faults: LineFaults,
    sealed: bool,
}

/// An open element that has no child so far.
struct Leaf {
    line: u32,
    /// Where its text begins in `Tree::values`.
    start: usize,
    fault: Option<LineReason>,
}

/// A setting's key, the place of its value in `Tree::values`, its line.
struct Found {
    key: Name,
    value: Range<usize>,
    line: u32,
}

/// The document is not well-formed, or nested too deep, and cannot be read on.
struct Broken(LineReason);

impl<'a> Tree<'a> {
    fn new(source: &'a str, options: FormatOptions) -> Self {
        Self {
            source,
            options,
            counted: 0,
            line: 1,
            depth: 0,
            elements: 0,
            leaf: None,
            name: String::new(),
            values: String::new(),
            found: Vec::new(),
            faults: LineFaults::default(),
            sealed: false,
        }
    }

    fn read(mut self, keys: &mut Names, scratch: &mut Scratch) -> Document {
        if let Err(Broken(reason)) = self.walk(keys) {
            self.faults.add(reason, self.line);
            return foreign(self.faults);
        }
        if self.sealed {
            return Document {
                reading: Reading::Encrypted,
                ..Document::default()
            };
        }
        let source = Source::of(&self.values);
        let mut gathered = Gathered::new(scratch);
        for found in &self.found {
            let value = self.values.get(found.value.clone()).unwrap_or_default();
            if let Err(reason) = gathered.push(Some(found.key), value, found.line, &source) {
                self.faults.add(reason, found.line);
            }
        }
        let (settings, text) = gathered.finish(String::new(), &source);
        Document {
            settings,
            text,
            faults: self.faults,
            ..Document::default()
        }
    }

    fn walk(&mut self, keys: &mut Names) -> Result<(), Broken> {
        let mut reader = Reader::from_str(self.source);
        loop {
            self.count_to(reader.buffer_position());
            let event = reader.read_event();
            match event.map_err(|_| Broken(LineReason::Grammar))? {
                Event::Start(tag) => self.open(&tag)?,
                Event::Empty(tag) => {
                    self.open(&tag)?;
                    self.close(keys);
                }
                Event::End(_) => self.close(keys),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Eof if self.depth == 0 && self.elements > 0 => return Ok(()),
                Event::Eof => return Err(Broken(LineReason::Grammar)),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Moves the line counter to a place in the source, which never lies before the last one.
    fn count_to(&mut self, place: u64) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if let Some(passed) = self.source.as_bytes().get(self.counted..place) {
            let lines = memchr_iter(b'\n', passed).count();
            let lines = u32::try_from(lines).unwrap_or(u32::MAX);
            self.line = self.line.saturating_add(lines);
            self.counted = place;
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), Broken> {
        let name = tag.name().into_inner();
        if self.depth >= XML_DEPTH_MAX {
            return Err(Broken(LineReason::OverLimit));
        }
        if self.elements == 0 && name.eq_ignore_ascii_case("html") {
            return Err(Broken(LineReason::Grammar));
        }
        // What stood between a parent's tag and its first child was not a value.
        self.drop_mixed();
        self.depth += 1;
        self.elements = self.elements.saturating_add(1);
        self.sealed |= tag
            .attributes()
            .with_checks(false)
            .flatten()
            .any(|attribute| is_sealed(attribute.key.into_inner(), &attribute.value));
        name.clone_into(&mut self.name);
        let fault = if self.elements > LINES_MAX || name.len() > NAME_BYTES_MAX {
            Some(LineReason::OverLimit)
        } else {
            (!is_element(name)).then_some(LineReason::Grammar)
        };
        self.leaf = Some(Leaf {
            line: self.line,
            start: self.values.len(),
            fault,
        });
        Ok(())
    }

    fn close(&mut self, keys: &mut Names) {
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        let Some(leaf) = self.leaf.take() else {
            return;
        };
        let raw = self.values.get(leaf.start..).unwrap_or_default();
        self.sealed |= is_sealed(&self.name, raw);
        let value = raw.trim_ascii();
        let empty = value.is_empty();
        // An empty outermost element is an empty document, not an empty value (FLY-29).
        if empty && leaf.fault.is_none() && (depth < 2 || !self.options.empty_clears) {
            self.values.truncate(leaf.start);
            return;
        }
        let fault = leaf
            .fault
            .or_else(|| (value.len() > VALUE_BYTES_MAX).then_some(LineReason::OverLimit));
        let leading = raw.len() - raw.trim_ascii_start().len();
        let start = leaf.start + if empty { 0 } else { leading };
        let range = start..start + value.len();
        let key = match fault {
            None => keys.intern(&self.name).ok_or(LineReason::OverLimit),
            Some(reason) => Err(reason),
        };
        match key {
            Ok(key) => {
                self.values.truncate(range.end);
                self.found.push(Found {
                    key,
                    value: range,
                    line: leaf.line,
                });
            }
            Err(reason) => {
                self.faults.add(reason, leaf.line);
                self.values.truncate(leaf.start);
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Broken> {
        if self.leaf.is_some() {
            self.values.push_str(text);
        } else if !text.trim_ascii().is_empty() {
            self.stray()?;
        }
        Ok(())
    }

    /// A character reference or a predefined entity; any other one spoils its value.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Broken> {
        let Some(leaf) = &mut self.leaf else {
            return self.stray();
        };
        let character = reference.resolve_char_ref();
        let character = character.map_err(|_| Broken(LineReason::Grammar))?;
        match (character, resolve_predefined_entity(reference)) {
            (Some('\0'), _) | (None, None) => leaf.fault = Some(LineReason::Grammar),
            (Some(character), _) => self.values.push(character),
            (None, Some(text)) => self.values.push_str(text),
        }
        Ok(())
    }

    /// Text that is no element's value.
    fn stray(&mut self) -> Result<(), Broken> {
        if self.depth == 0 {
            return Err(Broken(LineReason::Grammar));
        }
        self.faults.add(LineReason::Grammar, self.line);
        Ok(())
    }

    fn drop_mixed(&mut self) {
        if let Some(leaf) = self.leaf.take() {
            let text = self.values.get(leaf.start..).unwrap_or_default();
            if !text.trim_ascii().is_empty() {
                self.faults.add(LineReason::Grammar, leaf.line);
            }
            self.values.truncate(leaf.start);
        }
    }
}

/// Whether a name and its text are a sealed profile.
fn is_sealed(name: &str, text: &str) -> bool {
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    name.eq_ignore_ascii_case(SEALED)
        && digits.clone().count() >= BLOB_DIGITS_MIN
        && digits.clone().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text can name an element: the part of XML's `Name` that setting keys use.
fn is_element(name: &str) -> bool {
    let start = name.chars().next();
    start.is_some_and(|first| first.is_alphabetic() || first == '_')
        && name
            .chars()
            .all(|each| each.is_alphanumeric() || matches!(each, '_' | '-' | '.' | ':'))
}

#[cfg(test)]
mod tests;
