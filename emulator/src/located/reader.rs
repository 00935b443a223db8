//! Asking a tree for what is expected in it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Entry, Log, Node, Place, Value, nearest};
use crate::profile::template::Template;

/// The longest time that a file may say: ten years.
const DURATION_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Words listed in a message; more would hide the message.
const WORDS_LISTED_MAX: usize = 24;
/// Characters of a value repeated in a message.
const VALUE_CHARS_MAX: usize = 60;

/// Reads one table. Ask for every key that it may have; when the reader is dropped, keys that
/// were never asked for are noted as unknown.
#[derive(Debug)]
pub struct Reader<'a> {
    table: &'a Node,
    name: String,
    /// The way here for a log that asks; otherwise empty.
    way: String,
    log: &'a Log,
    known: RefCell<BTreeSet<String>>,
}

/// One value to be read, or the place where it is missing.
#[derive(Debug, Clone)]
pub struct Slot<'a> {
    name: String,
    /// The way here for a log that asks; otherwise empty.
    way: String,
    node: Option<&'a Node>,
    /// The table it is (or should be) in.
    table: &'a Node,
    needed: bool,
    log: &'a Log,
}

impl<'a> Reader<'a> {
    /// A reader of a file's root, or of any table.
    #[must_use]
    pub fn new(table: &'a Node, log: &'a Log) -> Self {
        Self::named(String::new(), String::new(), table, log)
    }

    fn named(name: String, way: String, table: &'a Node, log: &'a Log) -> Self {
        Self {
            table,
            name,
            way,
            log,
            known: RefCell::default(),
        }
    }

    /// A key that must be there.
    pub fn need(&self, key: &str) -> Slot<'a> {
        self.slot(key, key, true)
    }

    /// A key that may be missing.
    pub fn may(&self, key: &str) -> Slot<'a> {
        self.slot(key, key, false)
    }

    /// `word` stands for the key in the way of a log that asks.
    fn slot(&self, key: &str, word: &str, needed: bool) -> Slot<'a> {
        self.known.borrow_mut().insert(key.to_owned());
        Slot {
            way: self.way_to(word),
            name: match self.name.as_str() {
                "" => key.to_owned(),
                name => format!("{name}.{key}"),
            },
            node: self.table.get(key),
            table: self.table,
            needed,
            log: self.log,
        }
    }

    /// Every key of the table with its value, in the order of the file; all count as known.
    pub fn entries(&self) -> impl Iterator<Item = (&'a Entry, Slot<'a>)> + use<'a> {
        let slots: Vec<_> = self
            .table
            .entries()
            .iter()
            .map(|entry| (entry, self.slot(&entry.key, "*", true)))
            .collect();
        self.way_to("*");
        slots.into_iter()
    }

    fn way_to(&self, word: &str) -> String {
        if !self.log.is_asking() {
            return String::new();
        }
        let way = match self.way.as_str() {
            "" => word.to_owned(),
            way => format!("{way}.{word}"),
        };
        self.log.ask(&way, None);
        way
    }

    /// Where the table stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.table.span.place()
    }

    /// Notes a fault of the table as a whole.
    pub fn fault(&self, message: impl Into<String>) {
        self.log.note(self.place(), message);
    }

    /// Where faults are noted.
    #[must_use]
    pub fn log(&self) -> &'a Log {
        self.log
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let known = self.known.borrow();
        for entry in self.table.entries() {
            if !known.contains(&entry.key) {
                let hint = expectation(&entry.key, known.iter().map(String::as_str));
                let message = format!("unknown key {}{hint}", quoted(&entry.key));
                self.log.note(entry.span.place(), message);
            }
        }
    }
}

impl<'a> Slot<'a> {
    /// The key with the tables that lead to it: `dhcp.retry_ms`, `sources[2].id`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True when the file says something here.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.node.is_some()
    }

    /// The value as it is, for what may be of several types.
    #[must_use]
    pub fn value(&self) -> Option<&'a Value> {
        self.node.map(|node| &node.value)
    }

    /// The value with its place, for what is read later or by somebody else.
    #[must_use]
    pub fn node(&self) -> Option<&'a Node> {
        self.node
    }

    /// Where the value stands; where it is missing, its table.
    #[must_use]
    pub fn place(&self) -> Place {
        self.node.unwrap_or(self.table).span.place()
    }

    /// Notes a fault of this value.
    pub fn fault(&self, message: impl Into<String>) {
        self.log.note(self.place(), message);
    }

    /// Notes a fault at byte `offset` of this text.
    pub fn fault_at(&self, offset: usize, message: impl Into<String>) {
        self.log.note(self.place_at(offset), message);
    }

    /// Where byte `offset` of this text stands.
    #[must_use]
    pub fn place_at(&self, offset: usize) -> Place {
        match self.node {
            Some(node) => match &node.value {
                Value::Text(text) => node.span.within(text, offset),
                _ => node.span.place(),
            },
            None => self.place(),
        }
    }

    /// Notes that the value is not what it should be: `'x' is "…" (expected …)`.
    pub fn unexpected(&self, expected: impl Display) {
        let Some(node) = self.node else {
            return self.missing(&expected);
        };
        let found = match &node.value {
            Value::Text(text) => quoted(text),
            Value::Whole(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Switch(on) => on.to_string(),
            other => other.kind().to_owned(),
        };
        self.fault(format!("'{}' is {found} (expected {expected})", self.name));
    }

    fn missing(&self, expected: &impl Display) {
        let message = format!("missing key '{}' (expected {expected})", self.name);
        self.log.missing(self.table.span.place(), message);
    }

    /// The value that `take` finds in the node; a fault when it is missing though needed, or of
    /// another type.
    fn typed<T>(&self, expected: &str, take: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        if self.log.is_asking() {
            self.log.ask(&self.way, Some(expected));
        }
        let Some(node) = self.node else {
            if self.needed {
                self.missing(&expected);
            }
            return None;
        };
        let taken = take(&node.value);
        if taken.is_none() {
            let (name, kind) = (&self.name, node.value.kind());
            self.fault(format!("'{name}' is {kind} (expected {expected})"));
        }
        taken
    }

    /// A text; may be empty.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.text_as("a text")
    }

    fn text_as(&self, expected: &str) -> Option<&'a str> {
        self.typed(expected, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A text that `parse` understands; `expected` says what it should be.
    pub fn parsed<T>(&self, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(self.text_as(expected)?);
        if parsed.is_none() {
            self.unexpected(expected);
        }
        parsed
    }

    /// `true` or `false`.
    #[must_use]
    pub fn switch(&self) -> Option<bool> {
        self.typed("true or false", |value| match value {
            Value::Switch(on) => Some(*on),
            _ => None,
        })
    }

    /// A whole number within `range`.
    #[must_use]
    pub fn number<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = self.typed(&expected, |value| match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        })?;
        let number = T::try_from(number)
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            self.unexpected(expected);
        }
        number
    }

    /// A number, whole or not, within `range`.
    #[must_use]
    pub fn real(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let number = self.typed(&expected, |value| match value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "numbers beyond 2^53 are out of any range asked for"
            )]
            Value::Whole(number) => Some(*number as f64),
            Value::Real(number) => Some(*number),
            _ => None,
        })?;
        if range.contains(&number) {
            return Some(number);
        }
        self.unexpected(expected);
        None
    }

    /// A time; the unit is the key's ending: whole milliseconds in `_ms`, seconds in `_s`, where
    /// a fraction is allowed. At most ten years.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        // An item of a list has the unit of the list's key.
        let item = self.name.strip_suffix(']');
        let list = item.and_then(|name| name.rsplit_once('['));
        let key = list.map_or(self.name.as_str(), |(key, _)| key);
        let milliseconds = key.ends_with("_ms");
        let expected = if milliseconds {
            "a time in milliseconds, 0 or more"
        } else {
            "a time in seconds, 0 or more"
        };
        let time = self.typed(expected, |value| match value {
            Value::Whole(number) if milliseconds => {
                Some(u64::try_from(*number).ok().map(Duration::from_millis))
            }
            Value::Whole(number) => Some(u64::try_from(*number).ok().map(Duration::from_secs)),
            Value::Real(number) if !milliseconds => Some(Duration::try_from_secs_f64(*number).ok()),
            _ => None,
        })?;
        let time = time.filter(|time| *time <= DURATION_MAX);
        if time.is_none() {
            self.unexpected(expected);
        }
        time
    }

    /// One of these words.
    #[must_use]
    pub fn word<T: Copy>(&self, words: &[(T, &str)]) -> Option<T> {
        let known = || words.iter().map(|(_, word)| *word);
        let text = self.text_as(&one_of(known()))?;
        let found = words.iter().find(|(_, word)| *word == text);
        if found.is_none() {
            let hint = expectation(text, known());
            self.fault(format!("'{}' is {}{hint}", self.name, quoted(text)));
        }
        found.map(|(value, _)| *value)
    }

    /// A template.
    #[must_use]
    pub fn template(&self) -> Option<Template> {
        match Template::parse(self.text_as("a template")?) {
            Ok(template) => Some(template),
            Err(fault) => {
                self.fault_at(fault.at, format!("'{}': {}", self.name, fault.what));
                None
            }
        }
    }

    /// A list, item by item; empty when it is missing.
    #[must_use]
    pub fn list(&self) -> Vec<Slot<'a>> {
        self.list_of("a list")
    }

    fn list_of(&self, expected: &str) -> Vec<Slot<'a>> {
        let items = self.typed(expected, |value| match value {
            Value::List(items) => Some(items.as_slice()),
            _ => None,
        });
        let items = items.unwrap_or_default().iter().enumerate();
        items
            .map(|(index, node)| Slot {
                name: format!("{}[{index}]", self.name),
                way: match self.log.is_asking() {
                    true => format!("{}[]", self.way),
                    false => String::new(),
                },
                node: Some(node),
                table: self.table,
                needed: true,
                log: self.log,
            })
            .collect()
    }

    /// A list of texts; empty when it is missing.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let items = self.list_of("a list of texts");
        items
            .iter()
            .filter_map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// A table.
    #[must_use]
    pub fn table(&self) -> Option<Reader<'a>> {
        let is_table = self.typed("a table", |value| match value {
            Value::Table(_) => Some(()),
            _ => None,
        });
        is_table.and(self.node).map(|table| {
            let (name, way) = (self.name.clone(), self.way.clone());
            Reader::named(name, way, table, self.log)
        })
    }

    /// A list of tables; empty when it is missing.
    #[must_use]
    pub fn tables(&self) -> Vec<Reader<'a>> {
        let items = self.list_of("a list of tables");
        items.iter().filter_map(Slot::table).collect()
    }
}

/// ` (expected one of …; did you mean '…'?)`, as far as there is something to say.
fn expectation<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let near = nearest(word, known.clone());
    let listed = known.clone().count() <= WORDS_LISTED_MAX;
    match (near, listed) {
        (Some(near), true) => {
            format!(" (expected {}; did you mean '{near}'?)", one_of(known))
        }
        (Some(near), false) => format!(" (did you mean '{near}'?)"),
        (None, _) if known.clone().next().is_none() => String::new(),
        (None, _) => format!(" (expected {})", one_of(known)),
    }
}

fn one_of<'k>(known: impl Iterator<Item = &'k str> + Clone) -> String {
    let count = known.clone().count();
    let mut text = String::from(if count > 1 { "one of " } else { "" });
    for (index, word) in known.take(WORDS_LISTED_MAX).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(word);
    }
    if count > WORDS_LISTED_MAX {
        text.push_str(", …");
    }
    text
}

/// A value in quotes, on one line and not too long.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{}'", shown.escape_debug().to_string().replace("\\'", "'"))
}
