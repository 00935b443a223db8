//! XML that is not well-formed, read by its marks alone (FAN-36): names may hold blanks, an end
//! tag may be spelt with underscores where the start tag has blanks, a text may hold a lone `<` or
//! `&`, and `<<END OF FILE>>` may follow the root or stand for its end.
//!
//! Nothing is guessed beyond that: an end tag of no open element ends the innermost one if that
//! has text, which is lost; a file that ends before its root does is refused.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2, memmem};

use super::super::xml::{Broken, XmlFault};
use super::elements::{Elements, Root};
use super::name::alike;
use super::{FOOTER, starts_with};
use crate::event::LineReason;
use crate::limits::{LINES_MAX, XML_DEPTH_MAX};

/// A text on its way through.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    open: Vec<&'a str>,
    elements: u32,
}

/// What a step came to.
#[derive(PartialEq, Eq)]
enum Step {
    On,
    End,
    /// The root is of no dialect.
    Foreign,
}

/// Gives every element to `elements`; whether the root is that of a dialect.
///
/// # Errors
/// The file ends too early, is beyond a limit, or declares a document type.
pub(super) fn scan<'a>(text: &'a str, elements: &mut Elements<'a, '_>) -> Result<bool, XmlFault> {
    let mut scanner = Scanner {
        text,
        at: 0,
        line: 1,
        open: Vec::new(),
        elements: 0,
    };
    loop {
        let step = scanner.step(elements).map_err(|what| XmlFault {
            what,
            line: scanner.line,
        })?;
        match step {
            Step::On => {}
            Step::End => break,
            Step::Foreign => return Ok(false),
        }
    }
    let rest = scanner.rest().trim_ascii();
    let rest = strip(rest, FOOTER).unwrap_or(rest);
    if !rest.trim_ascii().is_empty() {
        elements.fault(LineReason::Grammar, scanner.line);
    }
    Ok(true)
}

impl<'a> Scanner<'a> {
    fn step(&mut self, elements: &mut Elements<'a, '_>) -> Result<Step, Broken> {
        let rest = self.rest();
        let Some(before) = memchr::memchr(b'<', rest.as_bytes()) else {
            return Err(Broken::Unfinished);
        };
        self.passed_text(before, elements)?;
        let rest = self.rest();
        if starts_with(rest.as_bytes(), FOOTER) {
            return self.footer(elements);
        }
        if rest.starts_with("<!--") {
            self.pass_to("-->")?;
            return Ok(Step::On);
        }
        if rest.starts_with("<?") {
            self.pass_to("?>")?;
            return Ok(Step::On);
        }
        if starts_with(rest.as_bytes(), "<!doctype") {
            return Err(Broken::DocumentType);
        }
        if let Some(body) = rest.strip_prefix("<![CDATA[") {
            let end = memmem::find(body.as_bytes(), b"]]>").ok_or(Broken::Unfinished)?;
            elements.text(body.get(..end).unwrap_or_default(), self.line);
            self.pass_to("]]>")?;
            return Ok(Step::On);
        }
        self.tag(elements)
    }

    /// The text before a `<`.
    fn passed_text(&mut self, end: usize, elements: &mut Elements<'a, '_>) -> Result<(), Broken> {
        let text = self.rest().get(..end).unwrap_or_default();
        if self.open.is_empty() {
            if !text.trim_ascii().is_empty() {
                return Err(Broken::Outside);
            }
        } else {
            elements.raw_text(text, self.line);
        }
        self.pass(end);
        Ok(())
    }

    fn footer(&mut self, elements: &mut Elements<'a, '_>) -> Result<Step, Broken> {
        // Only the root may still be open.
        match self.open.len() {
            0 if self.elements == 0 => Err(Broken::NoRoot),
            0 => Ok(Step::End),
            1 => {
                elements.close();
                Ok(Step::End)
            }
            _ => Err(Broken::Unfinished),
        }
    }

    /// A tag, or a `<` that is none.
    fn tag(&mut self, elements: &mut Elements<'a, '_>) -> Result<Step, Broken> {
        let rest = self.rest();
        let inner = rest.get(1..).unwrap_or_default();
        let end = memchr2(b'<', b'>', inner.as_bytes()).ok_or(Broken::Unfinished)?;
        let content = inner.get(..end).unwrap_or_default();
        let is_tag = inner.as_bytes().get(end) == Some(&b'>');
        let name_follows =
            content.starts_with(|each: char| each.is_alphabetic() || matches!(each, '_' | '/'));
        let line = self.line;
        if !is_tag || !name_follows {
            self.pass(1);
            if self.open.is_empty() {
                return Err(Broken::Outside);
            }
            elements.raw_text("<", line);
            return Ok(Step::On);
        }
        self.pass(end + 2);
        if let Some(name) = content.strip_prefix('/') {
            return Ok(self.close(name.trim_ascii(), elements));
        }
        let empty = content.ends_with('/');
        let content = content.strip_suffix('/').unwrap_or(content);
        self.start(content, empty, line, elements)
    }

    fn start(
        &mut self,
        content: &'a str,
        empty: bool,
        line: u32,
        elements: &mut Elements<'a, '_>,
    ) -> Result<Step, Broken> {
        let (name, index) = parts(content);
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(Broken::Depth);
        }
        if self.elements >= LINES_MAX {
            return Err(Broken::Elements);
        }
        self.elements += 1;
        if self.open.is_empty() {
            let Some(root) = Root::named(name) else {
                return Ok(Step::Foreign);
            };
            elements.root(root);
        } else {
            elements.open(name, index.map(Cow::Borrowed), line);
        }
        if empty {
            elements.close();
        } else {
            self.open.push(name);
        }
        Ok(if self.open.is_empty() {
            Step::End
        } else {
            Step::On
        })
    }

    fn close(&mut self, name: &str, elements: &mut Elements<'a, '_>) -> Step {
        match self.open.iter().rposition(|open| alike(open, name)) {
            Some(at) => {
                // Elements that were never closed end here too.
                while self.open.len() > at + 1 {
                    self.open.pop();
                    elements.fault(LineReason::Grammar, self.line);
                    elements.close();
                }
                self.open.pop();
                elements.close();
            }
            None => {
                let before = elements.depth();
                elements.abandon(self.line);
                if elements.depth() < before {
                    self.open.pop();
                }
            }
        }
        if self.open.is_empty() {
            Step::End
        } else {
            Step::On
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves on by so many bytes, counting lines.
    fn pass(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        let lines = memchr_iter(b'\n', passed.as_bytes()).count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += length;
    }

    /// Moves on behind an end mark.
    fn pass_to(&mut self, end: &str) -> Result<(), Broken> {
        let found = memmem::find(self.rest().as_bytes(), end.as_bytes());
        let found = found.ok_or(Broken::Unfinished)?;
        self.pass(found + end.len());
        Ok(())
    }
}

/// A start tag's name, which may hold blanks, and its `index`.
fn parts(content: &str) -> (&str, Option<&str>) {
    let Some((head, value)) = content.split_once('=') else {
        return (content.trim_ascii(), None);
    };
    let head = head.trim_ascii_end();
    let (name, attribute) = head
        .rsplit_once([' ', '\t', '\n', '\r'])
        .unwrap_or((head, ""));
    let value = value.trim_ascii_start();
    let quote = value
        .chars()
        .next()
        .filter(|each| matches!(each, '"' | '\''));
    let value = quote.and_then(|quote| value.get(1..)?.split(quote).next());
    let index = value.filter(|_| attribute.eq_ignore_ascii_case("index"));
    (name.trim_ascii(), index)
}

/// What follows a start, in either case.
fn strip<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    starts_with(text.as_bytes(), start).then(|| text.get(start.len()..))?
}
