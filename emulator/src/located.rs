//! TOML with places: every fault of a file at once, each with file, line, column, what was
//! expected and the nearest valid word.
//!
//! A file is parsed to a tree of `Node`s that know where they stand; `Node::inherit` lays a file
//! over its parent; a `Reader` then asks for keys by type. What is wrong is noted in a `Log` and
//! the reading goes on; what was never asked for is an unknown key.
//!
//! ```
//! use bootstorm_emulator::located::{Log, Node, Reader};
//!
//! let text = "name = 7\nboot_ms = -1\n[tftp]\nblok = 512\n";
//! let log = Log::default();
//! let tree = Node::parse("phone.toml", text, &log);
//! let root = Reader::new(&tree, &log);
//! let name = root.need("name").text();
//! let boot = root.may("boot_ms").duration();
//! if let Some(tftp) = root.need("tftp").table() {
//!     tftp.may("block").number(8..=65_464_u16);
//! }
//! drop(root); // keys that nobody asked for are noted now
//! assert_eq!((name, boot), (None, None));
//! assert_eq!(
//!     log.into_faults().to_string(),
//!     "phone.toml:1:8: 'name' is a number (expected a text)\n\
//!      phone.toml:2:11: 'boot_ms' is -1 (expected a time in milliseconds, 0 or more)\n\
//!      phone.toml:4:1: unknown key 'blok' (expected block; did you mean 'block'?)"
//! );
//! ```

mod faults;
mod reader;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use faults::{Asked, FAULTS_MAX, Fault, Faults, Log, Place};
pub use reader::{Reader, Slot};

/// Bytes of one TOML file.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// A file's name and text; shared by all nodes read from it.
#[derive(Debug)]
struct File {
    name: Arc<str>,
    text: String,
    /// The first byte of each line.
    lines: Vec<usize>,
}

/// A piece of a file.
#[derive(Debug, Clone)]
pub struct Span {
    file: Arc<File>,
    bytes: Range<usize>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it is; for a table under a header, the header.
    pub span: Span,
}

/// A TOML value.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number of at most 64 bits.
    Whole(i64),
    /// A number with a fraction.
    Real(f64),
    /// `true` or `false`.
    Switch(bool),
    /// A date or time, as written.
    Moment(String),
    /// An array.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub span: Span,
    /// The value.
    pub node: Node,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes());
        Self {
            name: Arc::from(name),
            text: text.to_owned(),
            lines: std::iter::once(0).chain(breaks.map(|at| at + 1)).collect(),
        }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= byte).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start..byte).unwrap_or_default();
        let starts = before.iter().filter(|byte| **byte & 0xc0 != 0x80);
        Place {
            file: Arc::clone(&self.name),
            line,
            column: starts.count() + 1,
        }
    }
}

impl Span {
    fn new(file: &Arc<File>, bytes: Range<usize>) -> Self {
        Self {
            file: Arc::clone(file),
            bytes,
        }
    }

    /// File, line and column of its first character.
    #[must_use]
    pub fn place(&self) -> Place {
        self.file.place(self.bytes.start)
    }

    /// The text in the file, quotes included.
    fn raw(&self) -> &str {
        self.file.text.get(self.bytes.clone()).unwrap_or_default()
    }

    /// The place of byte `offset` of `text`, the string that stands here. Behind an escape the
    /// string's beginning is all that can be said.
    fn within(&self, text: &str, offset: usize) -> Place {
        let raw = self.raw();
        let verbatim = raw.find(text).filter(|start| {
            let quotes = raw.get(..*start).unwrap_or_default();
            quotes
                .bytes()
                .all(|byte| matches!(byte, b'"' | b'\'' | b'\r' | b'\n'))
        });
        match verbatim {
            Some(quotes) => self.file.place(self.bytes.start + quotes + offset),
            None => self.place(),
        }
    }
}

impl Node {
    /// Parses a file; `name` is what places call it. Syntax faults are noted in `log` and what
    /// could be understood is returned, always a table. A file of more than `FILE_BYTES_MAX`
    /// gives an empty table and a fault.
    #[must_use]
    pub fn parse(name: &str, text: &str, log: &Log) -> Self {
        let too_long = text.len() > FILE_BYTES_MAX;
        let text = if too_long { "" } else { text };
        let file = Arc::new(File::new(name, text));
        if too_long {
            let what = format!("file is longer than {FILE_BYTES_MAX} bytes");
            log.syntax(file.place(0), &what);
        }
        let (table, errors) = DeTable::parse_recoverable(&file.text);
        for error in errors {
            let at = error.span().map_or(file.text.len(), |span| span.start);
            log.syntax(file.place(at), error.message());
        }
        let root = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        Self::of(&file, root, log)
    }

    fn of(file: &Arc<File>, value: Spanned<DeValue<'_>>, log: &Log) -> Self {
        let span = Span::new(file, value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                Value::Whole(read.unwrap_or_else(|_| {
                    log.syntax(span.place(), "number does not fit 64 bits");
                    0
                }))
            }
            DeValue::Float(number) => {
                let read = number.as_str().parse::<f64>();
                Value::Real(read.unwrap_or_else(|_| {
                    log.syntax(span.place(), "number cannot be read");
                    0.0
                }))
            }
            DeValue::Boolean(on) => Value::Switch(on),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Self::of(file, item, log))
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(entries(file, table, log)),
        };
        Self { value, span }
    }

    /// Lays this node over its parent: tables are merged key by key, everything else of the
    /// child replaces the parent's. The parent's keys come first, in their order.
    #[must_use]
    pub fn inherit(self, parent: Self) -> Self {
        match (self.value, parent.value) {
            (Value::Table(own), Value::Table(mut merged)) => {
                let keys = merged.iter().enumerate();
                let places: BTreeMap<String, usize> =
                    keys.map(|(at, entry)| (entry.key.clone(), at)).collect();
                for entry in own {
                    let held = places.get(&entry.key).and_then(|at| merged.get_mut(*at));
                    match held {
                        Some(held) => {
                            let under = std::mem::replace(&mut held.node, Self::nothing());
                            held.node = entry.node.inherit(under);
                            held.span = entry.span;
                        }
                        None => merged.push(entry),
                    }
                }
                Self {
                    value: Value::Table(merged),
                    span: self.span,
                }
            }
            (value, _) => Self {
                value,
                span: self.span,
            },
        }
    }

    /// Takes a key out of a table, or of one within it: `dhcp.vendor_class`. False when there is
    /// none.
    pub fn remove(&mut self, path: &str) -> bool {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let Value::Table(entries) = &mut self.value else {
            return false;
        };
        let Some(at) = entries.iter().position(|entry| entry.key == first) else {
            return false;
        };
        match (rest, entries.get_mut(at)) {
            (Some(rest), Some(entry)) => entry.node.remove(rest),
            _ => {
                entries.remove(at);
                true
            }
        }
    }

    fn nothing() -> Self {
        Self {
            value: Value::Switch(false),
            span: Span::new(&Arc::new(File::new("", "")), 0..0),
        }
    }

    /// The value under `key`, when this is a table that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// The text, when this is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, when this is a table; otherwise none.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }
}

impl Value {
    /// What kind of value it is, for messages.
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) | Self::Real(_) => "a number",
            Self::Switch(_) => "a switch",
            Self::Moment(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

fn entries(file: &Arc<File>, table: DeTable<'_>, log: &Log) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            span: Span::new(file, key.span()),
            key: key.into_inner().into_owned(),
            node: Node::of(file, value, log),
        })
        .collect();
    entries.sort_by_key(|entry| entry.span.bytes.start);
    entries
}

/// How many letters of a word are wrong, missing, surplus or swapped for it to be another one, in
/// either case.
#[must_use]
pub fn letters_wrong(word: &str, other: &str) -> usize {
    strsim::osa_distance(&word.to_lowercase(), &other.to_lowercase())
}

/// The word of `known` that was most likely meant by `word`: at most a third of its letters (and
/// at least one) are wrong, missing, surplus or swapped. The first of equally near ones.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const WORD_CHARS_MAX: usize = 64;
    let length = word.chars().take(WORD_CHARS_MAX + 1).count();
    if length > WORD_CHARS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            let letters = length.max(candidate.chars().count());
            *distance <= (letters / 3).max(1) && *distance < letters
        })
        .min_by_key(|(distance, candidate)| (*distance, Reverse(alike(&lower, candidate))))
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean '…'?)` after what is wrong with a word, where there is a [`nearest`] one.
pub fn did_you_mean(near: Option<impl fmt::Display>) -> String {
    near.map_or_else(String::new, |near| format!(" (did you mean '{near}'?)"))
}

/// How many letters both begin with: of two words that are equally far, the one is meant that was
/// begun.
fn alike(word: &str, candidate: &str) -> usize {
    let letters = candidate.chars().flat_map(char::to_lowercase);
    let pairs = word.chars().zip(letters);
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests;
