//! Mutants: servers and phones that are wrong in one named way, so that a case can show that it
//! sees it.
//!
//! A mutant is data: edits of messages on their way, edits of files as they are served, or a piece
//! of profile laid over a phone's own. Whoever carries messages asks an `Engine` what becomes of
//! each.
//!
//! | module | owns |
//! |---|---|
//! | `load` | the files of mutants: reading them, all faults at once |
//! | `engine` | what becomes of one message |
//! | `edit` | the bytes of a message, changed by the names of its fields |
//! | `content` | the files of a server, changed |

mod content;
mod edit;
mod engine;
mod load;

use std::fmt;
use std::time::Duration;

use bootstorm_emulator::located::{Node, Place, did_you_mean, nearest};

use crate::matcher::With;
use crate::wire::Way;

pub use content::{ContentEdit, Shown};
pub use edit::Protocol;
pub use engine::{Copied, Engine, Envelope, Treated};
pub use load::{built_in, read};
#[cfg(test)]
pub(crate) use load::{built_in_files, read_tree};

/// A server or a phone that is wrong in one way.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// `server/…` or `phone/…`.
    pub name: String,
    /// What it does wrong, in a sentence.
    pub what: String,
    /// Whose place it takes.
    pub side: Side,
    /// What becomes of messages, in the order of the file.
    pub edits: Vec<Edit>,
    /// What becomes of files; of servers only.
    pub content: Vec<ContentEdit>,
    /// What is laid over a phone's profile.
    pub overlay: Option<Node>,
    /// Keys taken out of a phone's profile, as paths: `dhcp.vendor_class`.
    pub removed: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// Who is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The server.
    Server,
    /// The phone.
    Phone,
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The message's name, or its beginning and `*`: `tftp.*`.
    pub message: String,
    /// What the message must be like.
    pub with: With,
    /// Which way it goes, as the mutant sees it.
    pub way: Way,
    /// Which of the messages that fit.
    pub which: Which,
    /// What is done.
    pub change: Change,
    /// Content-Length stays as it was, whatever the body has become.
    pub keep_length: bool,
    /// The connection is closed behind the message.
    pub close: bool,
}

/// Which of a phone's messages that fit, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// One.
    Only(u32),
    /// This and all later ones.
    From(u32),
    /// Those that are the same as an earlier one, to the last byte.
    Again,
}

/// What is done to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It never arrives.
    Drop,
    /// It arrives so many times more.
    Repeat(u32),
    /// It leaves later.
    Delay(Duration),
    /// Every occurrence of the first text becomes the second.
    Replace(Vec<u8>, Vec<u8>),
    /// So many bytes are left of it; of a message with head and body, of its body.
    Cut(usize),
    /// So many bytes are missing at its end; of a message with head and body, of its body.
    CutEnd(usize),
    /// Bytes come behind it; behind its body, where it has one.
    Append(Vec<u8>),
    /// It is these bytes instead.
    Whole(Vec<u8>),
    /// Fields get other values.
    Set(Vec<(String, String)>),
    /// A field is taken out.
    Remove(String),
    /// Nothing, but that the connection is closed behind it.
    Nothing,
}

/// All mutants, by name.
#[derive(Debug, Clone, Default)]
pub struct Mutants {
    list: Vec<std::sync::Arc<Mutant>>,
}

/// There is no mutant of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown mutant '{name}'{}", did_you_mean(.nearest.as_deref()))]
pub struct UnknownMutant {
    /// What was asked for.
    pub name: String,
    /// The mutant that was probably meant.
    pub nearest: Option<String>,
}

impl Side {
    /// Every side with the first word of its mutants' names.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Server, "server"), (Self::Phone, "phone")];

    /// The first word of its mutants' names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Phone => "phone",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

impl Mutants {
    /// Mutants sorted by name; of several with one name the first.
    #[must_use]
    pub fn new(mut list: Vec<std::sync::Arc<Mutant>>) -> Self {
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list.dedup_by(|one, other| one.name == other.name);
        Self { list }
    }

    /// The mutant of a side with this name.
    ///
    /// # Errors
    /// There is none; the error names the nearest one.
    pub fn find(&self, side: Side, name: &str) -> Result<std::sync::Arc<Mutant>, UnknownMutant> {
        let of_side = || self.list.iter().filter(|mutant| mutant.side == side);
        let found = of_side().find(|mutant| mutant.name == name);
        found.cloned().ok_or_else(|| {
            let full = format!("{side}/{name}");
            let names = || of_side().map(|mutant| mutant.name.as_str());
            let near = nearest(name, names()).or_else(|| nearest(&full, names()));
            UnknownMutant {
                name: name.chars().take(80).collect(),
                nearest: near.map(str::to_owned),
            }
        })
    }

    /// The mutants of that names, in the order of the names.
    ///
    /// # Errors
    /// As `find`, of the first name that is none.
    pub fn select(
        &self,
        side: Side,
        names: &[String],
    ) -> Result<Vec<std::sync::Arc<Mutant>>, UnknownMutant> {
        names.iter().map(|name| self.find(side, name)).collect()
    }

    /// Every mutant, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &std::sync::Arc<Mutant>> {
        self.list.iter()
    }
}

impl Edit {
    /// Whether a message of this name is meant.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        match self.message.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => self.message == name,
        }
    }
}

impl Which {
    /// Whether the message with this number is meant, which was there before or was not.
    #[must_use]
    pub fn takes(self, number: u32, before: bool) -> bool {
        match self {
            Self::All => true,
            Self::Again => before,
            Self::Only(only) => number == only,
            Self::From(first) => number >= first,
        }
    }
}

#[cfg(test)]
mod tests;
