//! What a model's settings sections may hold: the part of a profile that stands for the vendor's
//! own schema. Structure and types are data of the profile (`[sections]`), and so are the steps
//! that bring a section of an earlier version up to the phone's own (AUE-53 … AUE-55).

use std::fmt;
use std::sync::Arc;

use super::load;
use crate::located::{Faults, Log, Node, Reader};

/// Depth of elements below a section.
pub const SCHEMA_DEPTH_MAX: usize = 16;

/// The sections of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// The one section of a reduced document, without `patch="true"`, is merged into the one held;
    /// otherwise it takes its place, as each section of a document with several does (AUE-52).
    pub merge_unmarked: bool,
    /// The only operation is `delete`, as the document's prose has it; otherwise all three that
    /// its example shows (AUE-71).
    pub only_delete: bool,
    /// An operation's path that ends in `/` is none, as XPath 1.0 has it; otherwise the slash does
    /// not count, as in the document's example (AUE-75).
    pub strict_paths: bool,
    /// A document with `<MACADR>` in its text is no XML, and so not read; otherwise markers are
    /// replaced before it is read, as the document's sample needs it (AUE-64).
    pub strict_markers: bool,
    /// The sections, by name in the order of the profile.
    pub sections: Vec<Section>,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// A settings section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The phone's own version of it; the numbering is the section's, not the firmware's.
    pub version: Version,
    /// The section's element.
    pub root: Element,
    /// What brings earlier versions up to date, oldest first.
    pub migrations: Vec<Migration>,
}

/// An element or an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// What its text may be; an element with children has none of its own.
    pub value: ValueType,
    /// It must be there.
    pub required: bool,
    /// There may be more than one.
    pub repeat: bool,
    /// Its attributes; those of a section's root include `version`.
    pub attributes: Vec<Self>,
    /// Its children.
    pub children: Vec<Self>,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ValueType {
    /// Anything, as it stands.
    #[default]
    Text,
    /// One line; blanks around it do not count.
    Line,
    /// `true`, `false`, `1` or `0`.
    Switch,
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// One of these words.
    Words(Vec<String>),
    /// A time of day, `HH:MM`.
    Time,
}

/// The version of a section: three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(pub [u32; 3]);

/// What brings a section from any earlier version to `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The version that has these changes.
    pub to: Version,
    /// What changed, in this order.
    pub steps: Vec<Change>,
}

/// One change of a section's structure. Paths are names below the section, an attribute as `@name`
/// at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What was at this path has another name.
    Rename {
        /// Where it was.
        path: Vec<String>,
        /// The last name of the path from now on.
        to: String,
    },
    /// What was at this path is gone.
    Drop {
        /// Where it was.
        path: Vec<String>,
    },
    /// What is new gets this value where the section has none. Not in a section that is merged:
    /// there absent means unchanged.
    Default {
        /// Where it is.
        path: Vec<String>,
        /// Its value.
        value: String,
    },
}

impl Schema {
    /// Reads the `[sections]` of a profile file, whatever else is in it. A file without them has
    /// no sections.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn parse(path: &str, text: &str) -> Result<Self, Faults> {
        let log = Log::default();
        let tree = Node::parse(path, text, &log);
        let root = Reader::new(&tree, &log);
        let schema = load::sections::sections(&root.may("sections"));
        let _ = root.entries();
        drop(root);
        let faults = log.into_faults();
        if faults.is_empty() {
            Ok(schema.map_or_else(Self::default, Arc::unwrap_or_clone))
        } else {
            Err(faults)
        }
    }

    /// The section of this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.root.name == name)
    }
}

impl Element {
    /// The child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Self> {
        self.attributes.iter().find(|other| other.name == name)
    }
}

impl ValueType {
    /// Blanks around the value do not count.
    #[must_use]
    pub fn is_trimmed(&self) -> bool {
        *self != Self::Text
    }

    /// The value as the phone keeps it: blanks around all but free text do not count.
    #[must_use]
    pub fn trimmed<'v>(&self, value: &'v str) -> &'v str {
        if self.is_trimmed() {
            value.trim_ascii()
        } else {
            value
        }
    }

    /// Whether a value, trimmed, is of this type.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Line => !value.chars().any(char::is_control),
            Self::Switch => matches!(value, "true" | "false" | "1" | "0"),
            Self::Number(least, most) => {
                let number = value.parse::<i64>();
                number.is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Self::Words(words) => words.iter().any(|word| word == value),
            Self::Time => is_time(value),
        }
    }
}

fn is_time(value: &str) -> bool {
    let number = |text: &str, end: u8| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.parse::<u8>().is_ok_and(|number| number < end)
    };
    value
        .split_once(':')
        .is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 60))
}

impl Version {
    /// Reads `1.34.0`; parts that are left out are 0.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut version = Self::default();
        let mut parts = text.trim_ascii().split('.');
        for place in &mut version.0 {
            let Some(part) = parts.next() else {
                break;
            };
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            *place = part.parse().ok().filter(|_| digits)?;
        }
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(out, "{major}.{minor}.{patch}")
    }
}
