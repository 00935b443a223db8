//! What both XML forms have in common: elements become keys and values as they come.
//!
//! In the form with underscores the elements between a module and its options say nothing, as
//! `--SIP Line List--` does in the text form, but for entries of a list, whose `ID` stands before
//! each of their options; in the nested form all elements are part of the key.

use std::borrow::Cow;

use super::super::lines::{Gathered, Scratch};
use super::super::xml::push_decoded;
use super::super::{Document, FormatOptions, LineFaults, Span};
use super::name::{alike, folds_to, push_folded, push_module};
use super::text::version;
use crate::event::{LineReason, Tolerance};
use crate::names::{NAME_BYTES_MAX, Name, Names};

/// The elements beside the modules that say a version (FAN-35, FAN-37).
const VERSIONS: [&str; 2] = ["version", "digests"];
/// How the name of a list's entry ends.
const ENTRY: &str = "entry";
/// The element of an entry that says which one it is.
const ID: &str = "id";

/// The root of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// Modules with options, lists with entries.
    Modules,
    /// Elements in elements, told apart by `index` attributes.
    Tree,
}

/// A document being read.
pub(super) struct Elements<'a, 's> {
    options: FormatOptions,
    keys: &'s mut Names,
    gathered: Gathered<'s>,
    /// Values, end to end.
    values: &'s mut String,
    root: Root,
    /// What keys begin with here: the module and what else is open, each with a dot (or, after an
    /// entry's id, a blank).
    path: &'s mut String,
    /// The elements that are open, below the root, and have children.
    frames: Vec<Frame>,
    /// How many elements are open: the root, the frames, the leaf.
    depth: usize,
    /// The innermost open element, until it closes or a child opens.
    leaf: Option<Leaf<'a>>,
    /// Options of an entry that came before its id.
    waiting: Vec<Waiting<'a>>,
    version: String,
    previous: Option<Name>,
    faults: LineFaults,
    /// Some of `values` is no setting's.
    gaps: bool,
}

/// An open element that has children.
struct Frame {
    /// Bytes of `path` before it.
    path: usize,
    entry: Entry,
}

/// What is known of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// The element is none.
    No,
    /// Its id is still to come; its options are the waiting ones from this place on.
    Unknown(usize),
    /// Its id is in the path.
    Known,
}

/// An open element that has no child so far.
struct Leaf<'a> {
    name: &'a str,
    index: Option<Cow<'a, str>>,
    line: u32,
    /// Where its text begins in `Elements::values`.
    start: usize,
}

struct Waiting<'a> {
    name: &'a str,
    value: Span,
    line: u32,
}

impl Root {
    /// The dialect whose root has this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        if alike(name, "voip config file") {
            Some(Self::Modules)
        } else {
            alike(name, "sysconf").then_some(Self::Tree)
        }
    }
}

impl<'a, 's> Elements<'a, 's> {
    pub(super) fn new(
        options: FormatOptions,
        keys: &'s mut Names,
        scratch: &'s mut Scratch,
    ) -> Self {
        scratch.values.clear();
        scratch.key.clear();
        let Scratch {
            settings,
            values,
            key,
            ..
        } = scratch;
        Self {
            options,
            keys,
            gathered: Gathered::over(settings),
            values,
            root: Root::Modules,
            path: key,
            frames: Vec::with_capacity(4),
            depth: 0,
            leaf: None,
            waiting: Vec::new(),
            version: String::new(),
            previous: None,
            faults: LineFaults::default(),
            gaps: false,
        }
    }

    /// Forgets everything, for another look at the same document.
    pub(super) fn restart(&mut self) {
        self.gathered.restart();
        self.values.clear();
        self.path.clear();
        self.frames.clear();
        self.depth = 0;
        self.leaf = None;
        self.waiting.clear();
        self.version.clear();
        self.previous = None;
        self.faults = LineFaults::default();
        self.gaps = false;
    }

    /// Elements that are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn fault(&mut self, reason: LineReason, line: u32) {
        self.faults.add(reason, line);
    }

    /// The root opens.
    pub(super) fn root(&mut self, root: Root) {
        self.root = root;
        self.depth = 1;
    }

    /// An element below the root opens.
    #[inline]
    pub(super) fn open(&mut self, name: &'a str, index: Option<Cow<'a, str>>, line: u32) {
        if let Some(parent) = self.leaf.take() {
            self.enter(&parent);
        }
        self.depth += 1;
        self.leaf = Some(Leaf {
            name,
            index,
            line,
            start: self.values.len(),
        });
    }

    /// Text as it is.
    #[inline]
    pub(super) fn text(&mut self, text: &str, line: u32) {
        if self.leaf.is_some() {
            self.values.push_str(text);
        } else if !text.trim_ascii().is_empty() {
            self.faults.add(LineReason::Grammar, line);
        }
    }

    /// Text with references.
    pub(super) fn raw_text(&mut self, raw: &str, line: u32) {
        if self.leaf.is_some() {
            push_decoded(self.values, raw, false);
        } else if !raw.trim_ascii().is_empty() {
            self.faults.add(LineReason::Grammar, line);
        }
    }

    /// The element opened last ends.
    #[inline]
    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if let Some(leaf) = self.leaf.take() {
            if let Err(reason) = self.take(&leaf) {
                self.values.truncate(leaf.start);
                self.faults.add(reason, leaf.line);
            }
            return;
        }
        if let Some(frame) = self.frames.pop() {
            self.path.truncate(frame.path);
            if let Entry::Unknown(first) = frame.entry {
                for lost in self.waiting.drain(first..) {
                    self.gaps = true;
                    self.faults.add(LineReason::Grammar, lost.line);
                }
            }
        }
    }

    /// An end tag of no open element: it ends the one opened last if that has text, which then
    /// means nothing.
    pub(super) fn abandon(&mut self, line: u32) {
        self.faults.add(LineReason::Grammar, line);
        let begun = |leaf: &Leaf<'_>| {
            let text = self.values.get(leaf.start..).unwrap_or_default();
            !text.trim_ascii().is_empty()
        };
        if self.leaf.as_ref().is_some_and(begun)
            && let Some(leaf) = self.leaf.take()
        {
            self.depth = self.depth.saturating_sub(1);
            self.values.truncate(leaf.start);
        }
    }

    /// An element has a child, so its text was no value, and its name may be part of keys.
    fn enter(&mut self, parent: &Leaf<'a>) {
        let text = self.values.get(parent.start..).unwrap_or_default();
        if !text.trim_ascii().is_empty() {
            self.faults.add(LineReason::Grammar, parent.line);
        }
        self.values.truncate(parent.start);
        let path = self.path.len();
        let mut entry = Entry::No;
        if self.frames.is_empty() {
            push_module(self.path, parent.name);
        } else if self.root == Root::Tree {
            push_folded(self.path, parent.name);
            self.path.push('.');
        } else if is_entry(parent.name) {
            entry = Entry::Unknown(self.waiting.len());
        }
        if let (Root::Tree, Some(index)) = (self.root, &parent.index)
            && self.path.pop().is_some()
        {
            self.path.extend(["[", index.trim_ascii(), "]."]);
        }
        self.frames.push(Frame { path, entry });
    }

    /// An element without children ends.
    #[inline]
    fn take(&mut self, leaf: &Leaf<'a>) -> Result<(), LineReason> {
        let value = self.trim(leaf.start);
        let Some(frame) = self.frames.last() else {
            return self.beside_modules(leaf, value);
        };
        if let Entry::Unknown(first) = frame.entry {
            return self.of_entry(leaf, value, first);
        }
        if value.length == 0 && !self.options.empty_clears {
            return Ok(());
        }
        let key = self.intern(leaf.name, leaf.index.as_deref());
        self.gathered.push_span(key, value, leaf.line)
    }

    /// An element that stands beside the modules: a version, or an option without a module.
    fn beside_modules(&mut self, leaf: &Leaf<'a>, value: Span) -> Result<(), LineReason> {
        let is_version = VERSIONS.iter().any(|known| alike(leaf.name, known));
        if !is_version {
            // An empty module is no option.
            let empty = value.length == 0;
            return if empty {
                Ok(())
            } else {
                Err(LineReason::NoModule)
            };
        }
        if value.length as usize > NAME_BYTES_MAX {
            return Err(LineReason::OverLimit);
        }
        let text = self.values.get(leaf.start..).unwrap_or_default();
        self.version.clear();
        self.version.push_str(text);
        self.values.truncate(leaf.start);
        Ok(())
    }

    /// An element of an entry whose id is not known yet.
    fn of_entry(&mut self, leaf: &Leaf<'a>, value: Span, first: usize) -> Result<(), LineReason> {
        if !alike(leaf.name, ID) {
            self.waiting.push(Waiting {
                name: leaf.name,
                value,
                line: leaf.line,
            });
            return Ok(());
        }
        if value.length == 0 || value.length as usize > NAME_BYTES_MAX {
            return Err(LineReason::Grammar);
        }
        let id = self.values.get(leaf.start..).unwrap_or_default();
        push_folded(self.path, id);
        self.path.push(' ');
        self.values.truncate(leaf.start);
        if let Some(frame) = self.frames.last_mut() {
            frame.entry = Entry::Known;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for option in waiting.drain(first..) {
            let empty = option.value.length == 0 && !self.options.empty_clears;
            if empty {
                continue;
            }
            let key = self.intern(option.name, None);
            if let Err(reason) = self.gathered.push_span(key, option.value, option.line) {
                self.gaps = true;
                self.faults.add(reason, option.line);
            }
        }
        self.waiting = waiting;
        Ok(())
    }

    /// The text from here on, trimmed, and its place.
    #[inline]
    fn trim(&mut self, start: usize) -> Span {
        let raw = self.values.get(start..).unwrap_or_default();
        let plain = |end: Option<&u8>| end.is_none_or(|byte| *byte > b' ');
        let bytes = raw.as_bytes();
        let mut length = raw.len();
        if !plain(bytes.first()) || !plain(bytes.last()) {
            let kept = raw.trim_ascii_start();
            let leading = raw.len() - kept.len();
            length = kept.trim_ascii_end().len();
            self.values.truncate(start + leading + length);
            self.values.drain(start..start + leading);
        }
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Span {
            start: number(start),
            length: number(length),
        }
    }

    /// The key's name; the one that followed the previous key in an earlier file is tried first,
    /// which spares folding and hashing.
    #[inline]
    fn intern(&mut self, raw: &str, index: Option<&str>) -> Option<Name> {
        let index = index.filter(|_| self.root == Root::Tree);
        let next = self.keys.following(self.previous);
        let known = next.filter(|(_, known)| {
            let rest = known.strip_prefix(self.path.as_str());
            index.is_none() && rest.is_some_and(|rest| folds_to(raw, rest))
        });
        if let Some((name, _)) = known {
            self.previous = Some(name);
            return Some(name);
        }
        let start = self.path.len();
        let length = start + raw.len() + index.map_or(0, str::len);
        if start > NAME_BYTES_MAX || length > 3 * NAME_BYTES_MAX {
            return None;
        }
        push_folded(self.path, raw);
        if let Some(index) = index {
            self.path.extend(["[", index.trim_ascii(), "]"]);
        }
        let name = self.keys.intern(self.path);
        self.path.truncate(start);
        self.previous = name.or(self.previous);
        name
    }

    pub(super) fn finish(self, tolerated: Option<Tolerance>) -> Document {
        let span = version(&self.version);
        let (settings, text) = if self.gaps {
            let source = super::super::lines::Source::of(self.values);
            self.gathered.finish(self.version, &source)
        } else {
            self.gathered.finish_joined(self.version, self.values)
        };
        Document {
            settings,
            text,
            version: span,
            faults: self.faults,
            tolerated: tolerated.into_iter().collect(),
            ..Document::default()
        }
    }
}

/// Whether an element is an entry of a list: its last word says so.
fn is_entry(name: &str) -> bool {
    let at = name.len().checked_sub(ENTRY.len());
    let at = at.filter(|at| *at > 0);
    at.and_then(|at| name.get(at - 1..)).is_some_and(|end| {
        let mut end = end.chars();
        end.next().is_some_and(|each| matches!(each, '_' | ' '))
            && end.as_str().eq_ignore_ascii_case(ENTRY)
    })
}
