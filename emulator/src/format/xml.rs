//! XML as phones read it: a pull reader that borrows, counts lines, and refuses what a small
//! device must not follow: document type declarations (so there are no entities of its own),
//! depth beyond `XML_DEPTH_MAX`, more than `LINES_MAX` elements.
//!
//! What is not well-formed is refused at its line, and nothing after it is read. Stricter than
//! XML: names of a namespace are plain names. More lenient: what the declaration says of version
//! and encoding is not looked at, since files in use say `encoding="utf=8"`; the bytes must be
//! UTF-8. Blank text beside child elements can be left out.

mod characters;
mod fault;
mod write;

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

pub(super) use self::characters::push_decoded;
pub use self::fault::{Broken, XmlFault};
pub use self::write::{push_attribute, push_comment, push_text};

use self::characters::{BLANK, NAME, NAME_START, class, decoded_plain, is_character, is_name};
use self::characters::{line_ends, plain_length, reference};
use super::lines::BYTE_ORDER_MARK;
use crate::limits::{FILE_BYTES_MAX, LINES_MAX, XML_ATTRIBUTES_MAX, XML_DEPTH_MAX};

/// Splits a document into tokens.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The line that `at` is in, and the one that the last token began in.
    at_line: u32,
    line: u32,
    /// The elements that are open, outermost first.
    open: Vec<&'a str>,
    attributes: Vec<Attribute<'a>>,
    elements: u32,
    /// There is a carriage return somewhere.
    returns: bool,
    previous: Previous,
    fault: Option<XmlFault>,
}

/// What a document is made of. Comments and processing instructions are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag; its attributes are `Reader::attributes` until the next token.
    Open {
        /// The element's name.
        name: &'a str,
        /// The element ends here (`<a/>`): no `Close` follows.
        empty: bool,
    },
    /// An end tag, of the element opened last.
    Close(&'a str),
    /// Text, references replaced, line ends as LF. One text can come in several pieces, at CDATA
    /// sections, comments and processing instructions.
    Text(Cow<'a, str>),
}

/// An attribute of a start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    raw: &'a str,
    /// The value is `raw` as it stands.
    plain: bool,
}

/// What came before the place where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Previous {
    /// A start tag.
    Open,
    Text,
    /// The end of an element, or nothing yet.
    Closed,
}

impl<'a> Attribute<'a> {
    /// The value, references replaced, each line end or tab a blank.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Cow<'a, str> {
        if self.plain {
            Cow::Borrowed(self.raw)
        } else {
            let mut value = String::with_capacity(self.raw.len());
            push_decoded(&mut value, self.raw, true);
            Cow::Owned(value)
        }
    }

    /// As `value`, at the end of a text.
    #[inline]
    pub fn push_value(&self, out: &mut String) {
        if self.plain {
            out.push_str(self.raw);
        } else {
            push_decoded(out, self.raw, true);
        }
    }
}

impl<'a> Reader<'a> {
    /// A reader at the start of a document. Text that cannot be XML is said by the first `next`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let content = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let (text, fault) = match checked(content) {
            Ok(text) => (text, None),
            Err(fault) => ("", Some(fault)),
        };
        Self {
            text,
            at: 0,
            at_line: 1,
            line: 1,
            open: Vec::with_capacity(4),
            attributes: Vec::with_capacity(4),
            elements: 0,
            returns: memchr(b'\r', text.as_bytes()).is_some(),
            previous: Previous::Closed,
            fault,
        }
    }

    /// The next token; `None` after the last one.
    ///
    /// # Errors
    /// What is not well-formed or beyond a limit; every later call gives the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would hide that a fault ends it"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Token<'a>>, XmlFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.token().map_err(|what| {
            let line = self.at_line;
            *self.fault.insert(XmlFault { what, line })
        })
    }

    /// The line that the last token begins in, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The attributes of the start tag read last, in file order, no two of one name.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// The value of an attribute of the start tag read last.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|attribute| attribute.name == name)?;
        Some(found.value())
    }

    /// How many elements are open: that of a start tag read last included, unless it is empty.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    #[inline]
    fn token(&mut self) -> Result<Option<Token<'a>>, Broken> {
        loop {
            let (start, line) = (self.at, self.at_line);
            self.skip_blanks();
            match self.peek(0) {
                Some(b'<') => {}
                Some(_) => return self.characters(start, line).map(Some),
                None => return self.end(),
            }
            let next = self.peek(1);
            let markup = matches!(next, Some(b'/' | b'!' | b'?'));
            if markup && self.at > start && self.previous != Previous::Closed {
                self.line = line;
                self.previous = Previous::Text;
                let blank = self.slice(start, self.at);
                return Ok(Some(Token::Text(self.with_line_feeds(blank))));
            }
            match next {
                Some(b'/') => return self.close().map(Some),
                Some(b'!') => {
                    if let Some(text) = self.declaration()? {
                        return Ok(Some(text));
                    }
                }
                Some(b'?') => self.instruction()?,
                _ => return self.open().map(Some),
            }
        }
    }

    #[inline]
    fn open(&mut self) -> Result<Token<'a>, Broken> {
        self.line = self.at_line;
        self.at += 1;
        let name = self.name()?;
        if self.open.is_empty() && self.elements > 0 {
            return Err(Broken::Outside);
        }
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(Broken::Depth);
        }
        if self.elements >= LINES_MAX {
            return Err(Broken::Elements);
        }
        self.elements += 1;
        self.attributes.clear();
        loop {
            let before = self.at;
            self.skip_blanks();
            match self.peek(0) {
                Some(b'>') => {
                    self.at += 1;
                    self.open.push(name);
                    self.previous = Previous::Open;
                    return Ok(Token::Open { name, empty: false });
                }
                Some(b'/') if self.peek(1) == Some(b'>') => {
                    self.at += 2;
                    self.previous = Previous::Closed;
                    return Ok(Token::Open { name, empty: true });
                }
                Some(b'/' | b'<') => return Err(Broken::Markup),
                Some(_) if self.at > before => self.one_attribute()?,
                Some(_) => return Err(Broken::Attribute),
                None => return Err(Broken::Unfinished),
            }
        }
    }

    #[inline]
    fn one_attribute(&mut self) -> Result<(), Broken> {
        let name = self.name()?;
        self.skip_blanks();
        self.expect(b'=', Broken::Attribute)?;
        self.skip_blanks();
        let quote = match self.peek(0) {
            Some(quote @ (b'"' | b'\'')) => quote,
            Some(_) => return Err(Broken::Attribute),
            None => return Err(Broken::Unfinished),
        };
        self.at += 1;
        let (raw, plain) = self.quoted(quote)?;
        if self.attributes.iter().any(|other| other.name == name) {
            return Err(Broken::Duplicate);
        }
        if self.attributes.len() >= XML_ATTRIBUTES_MAX {
            return Err(Broken::Attributes);
        }
        self.attributes.push(Attribute { name, raw, plain });
        Ok(())
    }

    /// What stands before the closing quote, and whether it is the value as it stands.
    #[inline]
    fn quoted(&mut self, quote: u8) -> Result<(&'a str, bool), Broken> {
        let (start, mut plain) = (self.at, true);
        loop {
            self.at += plain_length(self.rest());
            match self.peek(0) {
                Some(byte) if byte == quote => {
                    let raw = self.slice(start, self.at);
                    self.at += 1;
                    return Ok((raw, plain));
                }
                Some(b'"' | b'\'') => self.at += 1,
                Some(b'<') => return Err(Broken::Markup),
                Some(b'&') => {
                    plain = false;
                    let known = reference(self.slice(self.at, self.text.len()));
                    let (_, length) = known.ok_or(Broken::Reference)?;
                    self.at += length;
                }
                Some(b'\t' | b'\n' | b'\r') => {
                    plain = false;
                    self.skip_blanks();
                }
                Some(_) => return Err(Broken::Character),
                None => return Err(Broken::Unfinished),
            }
        }
    }

    fn close(&mut self) -> Result<Token<'a>, Broken> {
        self.line = self.at_line;
        self.at += 2;
        let name = self.name()?;
        self.skip_blanks();
        self.expect(b'>', Broken::Markup)?;
        self.previous = Previous::Closed;
        match self.open.pop() {
            Some(open) if open == name => Ok(Token::Close(name)),
            Some(_) => Err(Broken::Mismatch),
            None => Err(Broken::Outside),
        }
    }

    /// Text that begins at `start` in this line, up to the next markup.
    fn characters(&mut self, start: usize, line: u32) -> Result<Token<'a>, Broken> {
        if self.open.is_empty() {
            return Err(Broken::Outside);
        }
        let length = memchr(b'<', self.rest()).ok_or(Broken::Unfinished)?;
        let end = self.at + length;
        let raw = self.slice(start, end);
        if let Some(at) = memmem::find(raw.as_bytes(), b"]]>") {
            self.pass(start + at);
            return Err(Broken::Markup);
        }
        let mut plain = true;
        while let Some(ahead) = memchr(b'&', self.slice(self.at, end).as_bytes()) {
            plain = false;
            self.pass(self.at + ahead);
            let known = reference(self.slice(self.at, end));
            let (_, length) = known.ok_or(Broken::Reference)?;
            self.at += length;
        }
        self.pass(end);
        self.line = line;
        self.previous = Previous::Text;
        Ok(Token::Text(if plain {
            self.with_line_feeds(raw)
        } else {
            let mut text = String::with_capacity(raw.len());
            push_decoded(&mut text, raw, false);
            Cow::Owned(text)
        }))
    }

    /// A comment, which gives nothing, or a CDATA section.
    fn declaration(&mut self) -> Result<Option<Token<'a>>, Broken> {
        const CDATA: &[u8] = b"<![CDATA[";
        const DOCUMENT_TYPE: &[u8] = b"<!DOCTYPE";
        let rest = self.rest();
        if rest.starts_with(b"<!--") {
            let start = self.at + 4;
            let body = self.slice(start, self.text.len()).as_bytes();
            let mut dashes = memchr_iter(b'-', body);
            let end = dashes.find(|at| body.get(at + 1) == Some(&b'-'));
            let end = start + end.ok_or(Broken::Unfinished)?;
            self.pass(end + 2);
            self.expect(b'>', Broken::Markup)?;
            return Ok(None);
        }
        let head = rest.get(..CDATA.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(DOCUMENT_TYPE) {
            return Err(Broken::DocumentType);
        }
        if head != CDATA {
            return Err(Broken::Markup);
        }
        if self.open.is_empty() {
            return Err(Broken::Outside);
        }
        let start = self.at + CDATA.len();
        let body = self.slice(start, self.text.len()).as_bytes();
        let end = start + memmem::find(body, b"]]>").ok_or(Broken::Unfinished)?;
        self.line = self.at_line;
        self.pass(end + 3);
        self.previous = Previous::Text;
        let text = self.slice(start, end);
        Ok(Some(Token::Text(self.with_line_feeds(text))))
    }

    /// A processing instruction, or the declaration, which can stand at the very start only.
    fn instruction(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.at += 2;
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") && (start > 0 || target != "xml") {
            return Err(Broken::Markup);
        }
        let length = memmem::find(self.rest(), b"?>").ok_or(Broken::Unfinished)?;
        let blank = self.peek(0).is_some_and(|byte| class(byte) & BLANK != 0);
        if length > 0 && !blank {
            return Err(Broken::Name);
        }
        self.pass(self.at + length + 2);
        Ok(())
    }

    fn end(&mut self) -> Result<Option<Token<'a>>, Broken> {
        match (self.open.is_empty(), self.elements) {
            (false, _) => Err(Broken::Unfinished),
            (true, 0) => Err(Broken::NoRoot),
            (true, _) => Ok(None),
        }
    }

    #[inline]
    fn name(&mut self) -> Result<&'a str, Broken> {
        let start = self.at;
        let mut seen = 0;
        while let Some(byte) = self.peek(0)
            && class(byte) & NAME != 0
        {
            seen |= byte;
            self.at += 1;
        }
        let name = self.slice(start, self.at);
        let first = name.as_bytes().first();
        let begins = first.is_some_and(|first| class(*first) & NAME_START != 0);
        if begins && (seen.is_ascii() || is_name(name)) {
            Ok(name)
        } else if self.at == self.text.len() {
            Err(Broken::Unfinished)
        } else {
            Err(Broken::Name)
        }
    }

    /// Moves to a place further on, counting lines.
    fn pass(&mut self, end: usize) {
        let passed = self.slice(self.at, end).as_bytes();
        self.at_line = self.at_line.saturating_add(if self.returns {
            line_ends(passed, self.text.as_bytes().get(end))
        } else {
            u32::try_from(memchr_iter(b'\n', passed).count()).unwrap_or(u32::MAX)
        });
        self.at = end;
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek(0)
            && class(byte) & BLANK != 0
        {
            self.at += 1;
            // A CRLF is counted once, at its second byte.
            let ends = byte == b'\n' || byte == b'\r' && self.peek(0) != Some(b'\n');
            self.at_line = self.at_line.saturating_add(u32::from(ends));
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8, otherwise: Broken) -> Result<(), Broken> {
        match self.peek(0) {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(otherwise),
            None => Err(Broken::Unfinished),
        }
    }

    #[inline]
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn with_line_feeds(&self, raw: &'a str) -> Cow<'a, str> {
        if self.returns && raw.contains('\r') {
            Cow::Owned(decoded_plain(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }
}

/// The text of a document that can be XML at all.
fn checked(content: &[u8]) -> Result<&str, XmlFault> {
    if content.len() > FILE_BYTES_MAX {
        let what = Broken::TooLarge;
        return Err(XmlFault { what, line: 1 });
    }
    if matches!(
        content,
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [b'<', 0, ..] | [0, b'<', ..]
    ) {
        let what = Broken::Utf16;
        return Err(XmlFault { what, line: 1 });
    }
    let fault = |what, at: usize| {
        let before = content.get(..at).unwrap_or_default();
        let line = 1 + line_ends(before, content.get(at));
        XmlFault { what, line }
    };
    let text = std::str::from_utf8(content)
        .map_err(|error| fault(Broken::NotUtf8, error.valid_up_to()))?;
    // First without branches, which the compiler turns into lanes.
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let suspect = content
        .iter()
        .fold(false, |any, byte| any | control(*byte) | (*byte == 0xef));
    if suspect && let Some((at, _)) = text.char_indices().find(|(_, each)| !is_character(*each)) {
        return Err(fault(Broken::Character, at));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
