//! The catalogue family: `provisioning` (categories, redirect steps, and in version 1.1 everything
//! in one file), lists of versions (`firmware`, `nvm`), `scenario` (steps) and `settings`
//! (`param name value`), told apart by the root (GIG-17 … GIG-50).
//!
//! A file that is not well-formed XML, or has another root, is foreign as a whole (GIG-20), with
//! the line that says so as its fault. Unspecified, and read so: elements that do not belong where
//! they stand are counted and left out with all that is in them, further attributes are left out;
//! an empty value is a value.

use std::borrow::Cow;

use super::lines::{Gathered, foreign};
use super::xml::{self, Attribute, Reader, Token, XmlFault};
use super::{Document, Draft, LineFaults, Scratch, Span};
use crate::event::LineReason;
use crate::limits::{DOCUMENT_LINKS_MAX, FILE_BYTES_MAX, VALUE_BYTES_MAX};
use crate::names::Names;

/// What such a document holds besides settings. Spans point into `Document::text`; an attribute
/// that is not there is an empty span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// The root element.
    pub root: Root,
    /// `version`: a form of the file, or a UVC (GIG-22).
    pub version: Span,
    /// `productID` (GIG-23).
    pub product: Span,
    /// `macAddress` (GIG-24).
    pub mac: Span,
    /// Categories, files and steps, in file order; at most `DOCUMENT_LINKS_MAX`.
    pub items: Box<[Item]>,
}

/// The root element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `provisioning`
    Provisioning,
    /// `firmware`
    Firmware,
    /// `nvm`
    Nvm,
    /// `scenario`
    Scenario,
    /// `settings`
    Settings,
}

/// Something that a catalogue names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// `url`, with blanks and line breaks taken out (GIG-20).
    pub url: Span,
    /// `version` of a file.
    pub version: Span,
    /// `flags` of a step or file.
    pub flags: Span,
    /// Line, from 1.
    pub line: u32,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// `category type="firmware|nvm|custom"`.
    Category(Role),
    /// `file` in a list of this role; also inside a version 1.1 file.
    File(Role),
    /// `step type="certificate"`.
    Certificate,
    /// `step type="Redirect"`.
    Redirect,
    /// A category or step of a kind that is not known.
    Other,
}

/// What a category is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Firmware images.
    Firmware,
    /// Settings.
    Nvm,
    /// Certificates and other steps.
    Custom,
}

/// What a document to be written holds besides its settings; the writing side of `Catalogue`. An
/// empty text stands for no attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The root element. Settings are written into `settings` and `nvm`, and into a `provisioning`
    /// within an `nvm` (version 1.1); other roots hold none.
    pub root: Root,
    /// `version`: a form of the file such as `1.0`, or a UVC (GIG-22).
    pub version: &'a str,
    /// `productID` (GIG-23).
    pub product: &'a str,
    /// `macAddress`, lower case with colons (GIG-24).
    pub mac: &'a str,
    /// Categories, files and steps. Those that the root cannot hold are left out; in a
    /// `provisioning`, files go into lists of their role (version 1.1).
    pub items: &'a [Entry<'a>],
}

/// An item to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is; `Other` is not written.
    pub kind: ItemKind,
    /// `url`.
    pub url: &'a str,
    /// `version` of a file.
    pub version: &'a str,
    /// `type` of a file, such as `latest` in the old form (GIG-27); not read again.
    pub label: &'a str,
    /// `flags` of a file or step, such as `FORCE_ACCEPT` (GIG-47).
    pub flags: &'a str,
}

/// What a step that installs a certificate has as its type.
const CERTIFICATE: &str = "certificate";
/// What a step that leads to a further file has as its type.
const REDIRECT: &str = "Redirect";

impl Catalogue {
    /// Bytes on the heap, its own included, since a document holds it boxed.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(self) + size_of_val(&*self.items)
    }
}

impl Root {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Provisioning, "provisioning"),
        (Self::Firmware, "firmware"),
        (Self::Nvm, "nvm"),
        (Self::Scenario, "scenario"),
        (Self::Settings, "settings"),
    ];

    /// The root with this element name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(root, _)| *root)
    }

    /// Its element name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(root, _)| *root == self);
        known.map_or("", |(_, name)| name)
    }
}

impl Role {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Firmware, "firmware"),
        (Self::Nvm, "nvm"),
        (Self::Custom, "custom"),
    ];

    /// The role that a category's `type` or a list's element names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(role, _)| *role)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(role, _)| *role == self);
        known.map_or("", |(_, name)| name)
    }
}

/// Reads a document of the family.
pub(super) fn read(bytes: &[u8], keys: &mut Names, scratch: &mut Scratch) -> Document {
    let mut values = std::mem::take(&mut scratch.values);
    values.clear();
    // What a file of settings usually needs.
    values.reserve(bytes.len().min(FILE_BYTES_MAX) / 8);
    scratch
        .settings
        .reserve(bytes.len().min(FILE_BYTES_MAX) / 64);
    let mut parts = Parts {
        gathered: Gathered::new(scratch),
        keys,
        values: &mut values,
        open: Vec::new(),
        root: None,
        text: String::new(),
        items: Vec::new(),
        faults: LineFaults::default(),
    };
    let outcome = parts.walk(bytes);
    let document = parts.finish(outcome);
    scratch.values = values;
    document
}

/// A document on its way.
struct Parts<'s, 'k> {
    gathered: Gathered<'s>,
    keys: &'k mut Names,
    /// The settings' values, end to end.
    values: &'s mut String,
    /// Where the elements that are open stand.
    open: Vec<Place>,
    /// The catalogue, whose items are still in `items`.
    root: Option<Catalogue>,
    /// What the catalogue's spans point into.
    text: String,
    items: Vec<Item>,
    faults: LineFaults,
}

/// What can stand in an open element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Categories, lists, steps.
    Provisioning,
    /// Categories: one without attributes can be around others (GIG-20).
    Category,
    /// Files; for settings also `param`, for custom ones also `step`.
    List(Role),
    /// `param`.
    Settings,
    /// Nothing.
    Leaf,
    /// Anything, but nothing is taken over.
    Ignored,
}

impl Parts<'_, '_> {
    fn walk(&mut self, bytes: &[u8]) -> Result<(), XmlFault> {
        let mut reader = Reader::new(bytes);
        while let Some(token) = reader.next()? {
            match token {
                Token::Open { name, empty } => {
                    let place = self.element(name, &reader);
                    if !empty {
                        self.open.push(place);
                    }
                }
                Token::Close(_) => {
                    self.open.pop();
                }
                Token::Text(text) => {
                    let ignored = self.open.last() == Some(&Place::Ignored);
                    if !ignored && !text.trim_ascii().is_empty() {
                        self.faults.add(LineReason::Grammar, reader.line());
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(self, outcome: Result<(), XmlFault>) -> Document {
        let mut faults = self.faults;
        if let Err(fault) = outcome {
            faults.add(fault.reason(), fault.line);
            return foreign(faults);
        }
        let Some(mut catalogue) = self.root else {
            return foreign(faults);
        };
        catalogue.items = self.items.into_boxed_slice();
        let (settings, text) = self.gathered.finish_joined(self.text, self.values);
        Document {
            settings,
            text,
            catalogue: Some(Box::new(catalogue)),
            faults,
            ..Document::default()
        }
    }

    /// Takes a start tag; what can stand in its element.
    #[inline]
    fn element(&mut self, name: &str, reader: &Reader<'_>) -> Place {
        let place = match self.open.last() {
            Some(place) => *place,
            None => return self.take_root(name, reader),
        };
        match (place, name) {
            (Place::Settings | Place::List(Role::Nvm), "param") => self.take_param(reader),
            (Place::Ignored, _) => Place::Ignored,
            (Place::Provisioning | Place::Category, "category") => {
                let role = reader.attribute("type");
                let role = role.and_then(|role| Role::named(&role));
                self.take_item(role.map_or(ItemKind::Other, ItemKind::Category), reader);
                Place::Category
            }
            (Place::List(role), "file") => {
                self.take_item(ItemKind::File(role), reader);
                Place::Leaf
            }
            (Place::Provisioning | Place::List(Role::Custom), "step") => {
                let kind = match reader.attribute("type").as_deref() {
                    Some(CERTIFICATE) => ItemKind::Certificate,
                    Some(REDIRECT) => ItemKind::Redirect,
                    _ => ItemKind::Other,
                };
                self.take_item(kind, reader);
                Place::Leaf
            }
            (Place::Provisioning, "scenario") => Place::List(Role::Custom),
            (Place::Provisioning, name) if let Some(role) = Role::named(name) => Place::List(role),
            _ => {
                self.faults.add(LineReason::Grammar, reader.line());
                Place::Ignored
            }
        }
    }

    fn take_root(&mut self, name: &str, reader: &Reader<'_>) -> Place {
        let Some(root) = Root::named(name) else {
            self.faults.add(LineReason::Grammar, reader.line());
            return Place::Ignored;
        };
        let [version, product, mac] = ["version", "productID", "macAddress"].map(|attribute| {
            let value = reader.attribute(attribute).unwrap_or_default();
            self.keep(&value).unwrap_or_else(|reason| {
                self.faults.add(reason, reader.line());
                Span::default()
            })
        });
        self.root = Some(Catalogue {
            root,
            version,
            product,
            mac,
            items: Box::default(),
        });
        match root {
            Root::Provisioning => Place::Provisioning,
            Root::Firmware => Place::List(Role::Firmware),
            Root::Nvm => Place::List(Role::Nvm),
            Root::Scenario => Place::List(Role::Custom),
            Root::Settings => Place::Settings,
        }
    }

    #[inline]
    fn take_param(&mut self, reader: &Reader<'_>) -> Place {
        let (mut name, mut value) = (None, None);
        for attribute in reader.attributes() {
            match attribute.name {
                "name" => name = Some(attribute),
                "value" => value = Some(attribute),
                _ => {}
            }
        }
        let taken = match (name, value) {
            (Some(name), Some(value)) => self.keep_setting(&name.value(), value, reader.line()),
            _ => Err(LineReason::Grammar),
        };
        if let Err(reason) = taken {
            self.faults.add(reason, reader.line());
        }
        Place::Leaf
    }

    #[inline]
    fn keep_setting(
        &mut self,
        name: &str,
        value: &Attribute<'_>,
        line: u32,
    ) -> Result<(), LineReason> {
        if name.is_empty() {
            return Err(LineReason::Grammar);
        }
        let start = self.values.len();
        value.push_value(self.values);
        let key = self.keys.intern_after(self.gathered.last(), name);
        let span = placed(start, self.values.len() - start).ok_or(LineReason::OverLimit);
        let kept = span.and_then(|span| self.gathered.push_span(key, span, line));
        if kept.is_err() {
            self.values.truncate(start);
        }
        kept
    }

    fn take_item(&mut self, kind: ItemKind, reader: &Reader<'_>) {
        let taken = if self.items.len() < DOCUMENT_LINKS_MAX {
            self.item(kind, reader)
        } else {
            Err(LineReason::OverLimit)
        };
        match taken {
            Ok(item) => self.items.push(item),
            Err(reason) => self.faults.add(reason, reader.line()),
        }
    }

    fn item(&mut self, kind: ItemKind, reader: &Reader<'_>) -> Result<Item, LineReason> {
        let given = |name| reader.attribute(name).unwrap_or_default();
        let (url, version, flags) = (joined(given("url")), given("version"), given("flags"));
        if [&url, &version, &flags]
            .iter()
            .any(|text| text.len() > VALUE_BYTES_MAX)
        {
            return Err(LineReason::OverLimit);
        }
        Ok(Item {
            kind,
            url: self.keep(&url)?,
            version: self.keep(&version)?,
            flags: self.keep(&flags)?,
            line: reader.line(),
        })
    }

    fn keep(&mut self, text: &str) -> Result<Span, LineReason> {
        if text.is_empty() {
            return Ok(Span::default());
        }
        if text.len() > VALUE_BYTES_MAX {
            return Err(LineReason::OverLimit);
        }
        let span = placed(self.text.len(), text.len()).ok_or(LineReason::OverLimit)?;
        self.text.push_str(text);
        Ok(span)
    }
}

fn placed(start: usize, length: usize) -> Option<Span> {
    Some(Span {
        start: u32::try_from(start).ok()?,
        length: u32::try_from(length).ok()?,
    })
}

/// A URL without the blanks and line breaks in it and around it (GIG-20).
fn joined(url: Cow<'_, str>) -> Cow<'_, str> {
    if url.contains(|each: char| each.is_ascii_whitespace()) {
        Cow::Owned(url.split_ascii_whitespace().collect())
    } else {
        url
    }
}

/// Writes a document of the family.
pub(super) fn write(draft: &Draft<'_>) -> Vec<u8> {
    const BARE: Outline<'_> = Outline {
        root: Root::Settings,
        version: "",
        product: "",
        mac: "",
        items: &[],
    };
    let outline = draft.catalogue.unwrap_or(&BARE);
    let settings = draft.settings.iter();
    let length: usize = settings
        .map(|(key, value)| key.len() + value.len() + 32)
        .sum();
    let mut out = String::with_capacity(length + draft.title.len() + 256);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml::push_comment(&mut out, draft.title);
    out.extend(["<", outline.root.name()]);
    push_given(&mut out, "version", outline.version);
    push_given(&mut out, "productID", outline.product);
    push_given(&mut out, "macAddress", outline.mac);
    out.push_str(">\n");
    let mut lists = Lists {
        out,
        root: outline.root,
        list: None,
    };
    for entry in outline.items {
        lists.push(entry);
    }
    lists.push_settings(draft.settings);
    lists.open(None);
    lists.out.extend(["</", outline.root.name(), ">\n"]);
    lists.out.into_bytes()
}

/// A document being written, and the list in a `provisioning` that is open.
struct Lists {
    out: String,
    root: Root,
    list: Option<Role>,
}

impl Lists {
    fn push(&mut self, entry: &Entry<'_>) {
        let (element, kind, list) = match (self.root, entry.kind) {
            (Root::Provisioning, ItemKind::Category(role)) => ("category", role.name(), None),
            (Root::Provisioning, ItemKind::File(role)) => ("file", entry.label, Some(role)),
            (Root::Firmware, ItemKind::File(Role::Firmware))
            | (Root::Nvm, ItemKind::File(Role::Nvm))
            | (Root::Scenario, ItemKind::File(Role::Custom)) => ("file", entry.label, None),
            (Root::Provisioning | Root::Scenario, ItemKind::Certificate) => {
                ("step", CERTIFICATE, None)
            }
            (Root::Provisioning | Root::Scenario, ItemKind::Redirect) => ("step", REDIRECT, None),
            _ => return,
        };
        self.open(list);
        self.indent();
        self.out.extend(["<", element]);
        push_given(&mut self.out, "version", entry.version);
        push_given(&mut self.out, "type", kind);
        push_given(&mut self.out, "url", entry.url);
        push_given(&mut self.out, "flags", entry.flags);
        self.out.push_str("/>\n");
    }

    fn push_settings(&mut self, settings: &[(&str, &str)]) {
        match self.root {
            Root::Settings | Root::Nvm => {}
            Root::Provisioning if !settings.is_empty() => self.open(Some(Role::Nvm)),
            _ => return,
        }
        for (name, value) in settings {
            self.indent();
            self.out.push_str("<param");
            xml::push_attribute(&mut self.out, "name", name);
            xml::push_attribute(&mut self.out, "value", value);
            self.out.push_str("/>\n");
        }
    }

    /// Closes the list that is open, unless it is this one, and opens this one.
    fn open(&mut self, list: Option<Role>) {
        if self.list == list {
            return;
        }
        if let Some(role) = self.list {
            self.out.extend(["  </", role.name(), ">\n"]);
        }
        if let Some(role) = list {
            self.out.extend(["  <", role.name(), ">\n"]);
        }
        self.list = list;
    }

    fn indent(&mut self) {
        self.out
            .push_str(if self.list.is_some() { "    " } else { "  " });
    }
}

fn push_given(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        xml::push_attribute(out, name, value);
    }
}

#[cfg(test)]
mod tests;
