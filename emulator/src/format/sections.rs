//! The sections family: settings sections, references and operations (AUE-47 … AUE-88), told apart
//! by their root element.
//!
//! A phone holds its settings as a `Tree` of sections. `read` makes a document of the family,
//! `Tree::patch` and `Tree::operate` make the tree that follows from it, and `Tree::flatten` gives
//! the settings by paths such as `users/user[@id='1']/password`. `write` and its siblings go the
//! other way.

mod check;
mod flatten;
mod migrate;
mod operate;
mod patch;
mod path;
mod tree;
mod write;

use std::borrow::Cow;

use super::LineFaults;
use crate::event::{Limit, SectionFault};
use crate::limits::{LINKS_MAX, OPERATIONS_MAX, SECTIONS_MAX};
use crate::profile::sections::Version;

use super::xml::{Reader, Token, XmlFault};
pub use flatten::Flat;
use path::Path;
pub use tree::Tree;
use tree::{Builder, NodeId};
pub use write::{Draft, OperationDraft, write, write_operations, write_references};

/// Root of a document with several sections (AUE-48).
const WHOLE: &str = "configuration";
/// Root of a list of further documents (AUE-57).
const REFERENCES: &str = "referencedSettings";
/// Element that names one of them (AUE-57).
const REFERENCE: &str = "URL";
/// Root of operations on the settings held (AUE-70).
const OPERATIONS: &str = "operations";
/// Attributes that name an element among its like (AUE-56), in the order of trial.
const KEY_ATTRIBUTES: [&str; 3] = ["name", "keyNumber", "id"];
/// Attribute of a section: its version (AUE-54).
pub(crate) const VERSION: &str = "version";
/// Attribute of a section: change only what is named (AUE-51).
const PATCH: &str = "patch";

/// A document of the family.
#[derive(Debug, Clone)]
pub enum Parsed {
    /// Settings sections (AUE-48 … AUE-51).
    Patch(Patch),
    /// URLs of further documents, in file order (AUE-57); at most one more than `LINKS_MAX`.
    References(Vec<Reference>),
    /// Operations on the settings held (AUE-70).
    Operations(Operations),
}

/// Settings sections as they stand in a document; nothing of them is checked yet.
#[derive(Debug, Clone)]
pub struct Patch {
    tree: Tree,
    over_limit: bool,
}

/// A further document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its URL as written, without blanks around it.
    pub url: String,
    /// Line, from 1.
    pub line: u32,
}

/// Operations in file order; at most `OPERATIONS_MAX` are taken over, the rest is counted.
#[derive(Debug, Clone)]
pub struct Operations {
    /// What the operations bring; each has an element of its own below the root.
    tree: Tree,
    list: Vec<Operation>,
    over_limit: bool,
}

/// One operation.
#[derive(Debug, Clone)]
struct Operation {
    action: Action,
    path: Result<Path, SectionFault>,
    /// The path was written with a slash at its end (AUE-75).
    slash: bool,
    content: NodeId,
    line: u32,
}

/// What an operation does at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Takes the addressed elements out.
    Delete,
    /// Puts its content in the place of each addressed element.
    Replace,
    /// Appends its content to each addressed element.
    Add,
}

/// What a document made of the settings.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The settings from now on.
    pub tree: Tree,
    /// What is to be told, in order.
    pub notes: Vec<Note>,
    /// Lines of the document with elements and attributes that the model does not know, which were
    /// left out of sections that were stored or refused (AUE-55).
    pub dropped: LineFaults,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A section took effect.
    Stored {
        /// Its name.
        section: Box<str>,
        /// The document's version of it, where that is not the phone's own.
        migrated_from: Option<Version>,
    },
    /// A section was refused; the phone's own stays (AUE-55, AUE-68).
    Refused {
        /// Its name.
        section: Box<str>,
        /// Why.
        fault: SectionFault,
        /// Line of the document, from 1.
        line: u32,
    },
    /// An operation was left out (AUE-76, AUE-77).
    Skipped {
        /// Line of the document, from 1.
        line: u32,
        /// Why.
        fault: SectionFault,
    },
    /// A limit was reached: what came after it is left out.
    OverLimit {
        /// Which.
        limit: Limit,
        /// Its value.
        value: u64,
    },
}

impl Action {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Delete, "delete"),
        (Self::Replace, "replace"),
        (Self::Add, "add"),
    ];

    /// The operation's element.
    #[must_use]
    pub fn element(self) -> &'static str {
        let named = Self::ALL.iter().find(|(action, _)| *action == self);
        named.map_or("", |(_, name)| name)
    }
}

impl Patch {
    /// The names of the sections, in file order. That of a page which is no settings document is
    /// that of its root, such as `html`.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        let tree = &self.tree;
        tree.elements(Tree::ROOT).map(|section| tree.name(section))
    }
}

impl Operations {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Whether a document's root says that it lists further documents. It need not be well-formed: the
/// markers of such a list are replaced first (AUE-64).
#[must_use]
pub fn is_references(raw: &[u8]) -> bool {
    let root = Reader::new(raw).next();
    matches!(root, Ok(Some(Token::Open { name, .. })) if name == REFERENCES)
}

/// Reads a document of the family.
///
/// # Errors
/// What is not well-formed XML, and where.
pub fn read(bytes: &[u8]) -> Result<Parsed, XmlFault> {
    let mut reader = Reader::new(bytes);
    let root = reader.next()?;
    let Some(Token::Open { name, empty }) = root else {
        return Ok(Parsed::References(Vec::new()));
    };
    let parsed = match name {
        REFERENCES => Parsed::References(references(&mut reader, empty)?),
        OPERATIONS => Parsed::Operations(operations(&mut reader, empty)?),
        _ => Parsed::Patch(sections(&mut reader, name, empty)?),
    };
    // What follows the root must be nothing.
    while reader.next()?.is_some() {}
    Ok(parsed)
}

/// Replaces markers in a document's bytes before it is read, since `<URL>x?mac=<MACADR></URL>` is
/// no XML (AUE-64). A marker in angle brackets is also found as `&lt;MACADR&gt;`. Letters count as
/// they stand, and markers that are not listed stay (AUE-88). Values are escaped, so that they
/// change nothing but text.
#[must_use]
pub fn replace_markers<'r>(raw: &'r [u8], markers: &[(&str, &str)]) -> Cow<'r, [u8]> {
    let given = markers.iter().filter(|(marker, _)| !marker.is_empty());
    let mut forms: Vec<(Cow<'_, str>, &str)> = Vec::with_capacity(2 * markers.len());
    for (marker, value) in given {
        let escaped = write::escaped(marker);
        if escaped != *marker {
            forms.push((escaped, value));
        }
        forms.push(((*marker).into(), value));
    }
    let begins = |byte: u8| {
        let mut firsts = forms.iter().map(|(form, _)| form.as_bytes().first());
        firsts.any(|first| first == Some(&byte))
    };
    let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(ahead) = rest.iter().position(|byte| begins(*byte)) else {
            break;
        };
        at += ahead;
        let rest = raw.get(at..).unwrap_or_default();
        let here = forms
            .iter()
            .filter(|(form, _)| rest.starts_with(form.as_bytes()));
        let Some((form, value)) = here.max_by_key(|(form, _)| form.len()) else {
            at += 1;
            continue;
        };
        out.extend_from_slice(raw.get(copied..at).unwrap_or_default());
        out.extend_from_slice(write::escaped(value).as_bytes());
        at += form.len();
        copied = at;
    }
    if copied == 0 {
        return Cow::Borrowed(raw);
    }
    out.extend_from_slice(raw.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The URLs of a list; other elements in it are passed over.
fn references(reader: &mut Reader<'_>, empty: bool) -> Result<Vec<Reference>, XmlFault> {
    let mut found: Vec<Reference> = Vec::new();
    let mut within = false;
    while !empty && let Some(token) = reader.next()? {
        match token {
            Token::Open { name, empty } => {
                within = reader.depth() + usize::from(empty) == 2 && name == REFERENCE && !empty;
                // One more than a phone follows, so that it meets the limit.
                if within && found.len() <= LINKS_MAX as usize {
                    let line = reader.line();
                    let url = String::new();
                    found.push(Reference { url, line });
                } else {
                    within = false;
                }
            }
            Token::Text(text) if within => {
                if let Some(reference) = found.last_mut() {
                    reference.url.push_str(&text);
                }
            }
            Token::Text(_) => {}
            Token::Close(_) => within = false,
        }
    }
    for reference in &mut found {
        reference.url = reference.url.trim_ascii().to_owned();
    }
    found.retain(|reference| !reference.url.is_empty());
    Ok(found)
}

fn operations(reader: &mut Reader<'_>, empty: bool) -> Result<Operations, XmlFault> {
    let (mut builder, mut list, mut over_limit) = (Builder::default(), Vec::new(), false);
    while !empty && let Some(token) = reader.next()? {
        let Token::Open { name, empty } = token else {
            continue;
        };
        if over_limit || list.len() >= OPERATIONS_MAX {
            over_limit = true;
            skip(reader, empty)?;
            continue;
        }
        let line = reader.line();
        let action = Action::ALL.iter().find(|(_, element)| *element == name);
        let path = reader.attribute("path");
        let slash = path
            .as_ref()
            .is_some_and(|path| path.trim_ascii_end().ends_with('/'));
        let path = match (action, path) {
            (None, _) => Err(SectionFault::Unknown),
            (Some(_), None) => Err(SectionFault::Path),
            (Some(_), Some(path)) => Path::parse(&path),
        };
        let Ok(content) = builder.element(reader, Tree::ROOT, (name, empty))? else {
            over_limit = true;
            drain(reader, 1)?;
            continue;
        };
        list.push(Operation {
            action: action.map_or(Action::Delete, |(action, _)| *action),
            path,
            slash,
            content,
            line,
        });
    }
    Ok(Operations {
        tree: builder.tree,
        list,
        over_limit,
    })
}

fn sections(reader: &mut Reader<'_>, name: &str, empty: bool) -> Result<Patch, XmlFault> {
    let mut builder = Builder::default();
    let mut over_limit = false;
    if name != WHOLE {
        over_limit = builder.element(reader, Tree::ROOT, (name, empty))?.is_err();
    }
    let (mut count, inside) = (0, name == WHOLE && !empty);
    while inside && let Some(token) = reader.next()? {
        let Token::Open { name, empty } = token else {
            continue;
        };
        count += 1;
        if over_limit || count > SECTIONS_MAX {
            over_limit = true;
            skip(reader, empty)?;
        } else if builder.element(reader, Tree::ROOT, (name, empty))?.is_err() {
            over_limit = true;
            drain(reader, 1)?;
        }
    }
    let mut tree = builder.tree;
    if over_limit && name != WHOLE {
        tree = Tree::default();
    }
    Ok(Patch { tree, over_limit })
}

/// Passes over the element whose start tag was read last.
fn skip(reader: &mut Reader<'_>, empty: bool) -> Result<(), XmlFault> {
    let depth = reader.depth();
    if empty {
        Ok(())
    } else {
        drain(reader, depth - 1)
    }
}

/// Passes over what is deeper than this.
fn drain(reader: &mut Reader<'_>, depth: usize) -> Result<(), XmlFault> {
    while reader.depth() > depth && reader.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests;
