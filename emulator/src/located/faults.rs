//! Places, faults and the log they are collected in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Faults kept; further ones are counted.
pub const FAULTS_MAX: usize = 200;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name, as given.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Something wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong, what was expected, what was probably meant; one line.
    pub message: String,
}

/// Everything wrong with a file and those it inherits from, sorted by place; printed one a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// The faults, at most `FAULTS_MAX`.
    pub list: Vec<Fault>,
    /// How many more there were.
    pub left_off: usize,
}

/// Where faults are noted while the reading goes on.
#[derive(Debug, Default)]
pub struct Log {
    noted: RefCell<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    list: Vec<Fault>,
    /// Faults of syntax; others of the same lines would only repeat them.
    syntax: Vec<Fault>,
    left_off: usize,
    incomplete: bool,
    asked: Option<Asked>,
}

/// What readers ask for: every key by its way from the root (`fleet[].own.*`), with what was
/// expected there, in the words of messages.
pub type Asked = BTreeMap<String, BTreeSet<String>>;

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Log {
    /// A log that also notes what readers ask for.
    #[must_use]
    pub fn asking() -> Self {
        let log = Self::default();
        log.noted.borrow_mut().asked = Some(Asked::new());
        log
    }

    /// Whether it notes what readers ask for.
    pub(super) fn is_asking(&self) -> bool {
        self.noted.borrow().asked.is_some()
    }

    /// Notes that a reader asks for a key, and what it expects there.
    pub(super) fn ask(&self, way: &str, expected: Option<&str>) {
        if let Some(asked) = &mut self.noted.borrow_mut().asked {
            let known = asked.entry(way.to_owned()).or_default();
            known.extend(expected.map(str::to_owned));
        }
    }

    /// What readers asked for since the log was made by `asking`.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.noted.borrow().asked.clone().unwrap_or_default()
    }

    /// Notes a fault. `message` is lower case, one line, without full stop.
    pub fn note(&self, place: Place, message: impl Into<String>) {
        let message = message.into();
        let noted = &mut *self.noted.borrow_mut();
        push(
            &mut noted.list,
            &mut noted.left_off,
            Fault { place, message },
        );
    }

    /// Says that what is to be read is only a part (a parent could not be had): missing keys are
    /// no faults from now on.
    pub fn incomplete(&self) {
        self.noted.borrow_mut().incomplete = true;
    }

    /// Notes that a key is missing in a table, unless the file could not be read as a whole: then
    /// it may stand in the part that was lost.
    pub(super) fn missing(&self, place: Place, message: String) {
        if !self.is_partial(&place.file) {
            self.note(place, message);
        }
    }

    /// Notes a syntax fault, in the parser's words.
    pub(super) fn syntax(&self, place: Place, message: &str) {
        let message = message.trim().trim_end_matches('.').replace('\n', " ");
        let message = match message.split_once(", expected ") {
            Some((what, expected)) => format!("{what} (expected {expected})"),
            None => message,
        };
        let message = lower_first(&message);
        let noted = &mut *self.noted.borrow_mut();
        push(
            &mut noted.syntax,
            &mut noted.left_off,
            Fault { place, message },
        );
    }

    /// True when nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let noted = self.noted.borrow();
        noted.list.is_empty() && noted.syntax.is_empty()
    }

    /// What was noted, sorted by place. Of a line whose syntax is wrong only that is said.
    #[must_use]
    pub fn into_faults(self) -> Faults {
        let Noted {
            mut list,
            syntax,
            left_off,
            ..
        } = self.noted.into_inner();
        list.retain(|fault| {
            let (file, line) = (&fault.place.file, fault.place.line);
            !syntax
                .iter()
                .any(|wrong| wrong.place.file == *file && wrong.place.line == line)
        });
        let mut faults = Faults { list, left_off };
        faults.extend(Faults {
            list: syntax,
            left_off: 0,
        });
        faults
    }

    fn is_partial(&self, file: &str) -> bool {
        let noted = self.noted.borrow();
        let mut syntax = noted.syntax.iter();
        noted.incomplete || syntax.any(|wrong| &*wrong.place.file == file)
    }
}

impl Faults {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.left_off == 0
    }

    /// How many there are, the ones not kept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.left_off
    }

    /// Adds the faults of another file.
    pub fn extend(&mut self, other: Self) {
        self.left_off += other.left_off;
        self.list.extend(other.list);
        self.list.sort();
        self.list.dedup();
        self.left_off += self.list.len().saturating_sub(FAULTS_MAX);
        self.list.truncate(FAULTS_MAX);
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{fault}")?;
        }
        match self.left_off {
            0 => Ok(()),
            more => write!(out, "\nand {more} more faults"),
        }
    }
}

impl std::error::Error for Faults {}

fn push(list: &mut Vec<Fault>, left_off: &mut usize, fault: Fault) {
    if list.len() < FAULTS_MAX {
        list.push(fault);
    } else {
        *left_off += 1;
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
