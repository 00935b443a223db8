//! Documents of the family, written.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::path::{Path, Predicate, Step};
use super::tree::{Fresh, Full, Kind, NodeId, Tree};
use super::{Action, KEY_ATTRIBUTES, OPERATIONS, PATCH, REFERENCE, REFERENCES, VERSION, WHOLE};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Settings to be written as sections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft<'a> {
    /// Values by path, as `Tree::flatten` names them. What is no such path is left out.
    pub settings: &'a [(&'a str, &'a str)],
    /// The version of each section; one that is not listed gets no `version`.
    pub versions: &'a [(&'a str, &'a str)],
    /// Sections are marked `patch="true"`.
    pub patch: bool,
    /// With one section: it is the root itself, without `configuration` around it.
    pub bare: bool,
}

/// An operation to be written.
#[derive(Debug, Clone, Copy)]
pub struct OperationDraft<'a> {
    /// What it does.
    pub action: Action,
    /// Its path.
    pub path: &'a str,
    /// What it brings, by paths that begin with its own first element:
    /// `parameter[@name='@string/foo']/@value`.
    pub content: &'a [(&'a str, &'a str)],
}

/// Writes sections: the inverse of reading them and `Tree::flatten`.
#[must_use]
pub fn write(draft: &Draft<'_>) -> Vec<u8> {
    let mut tree = Tree::default();
    for (key, value) in draft.settings {
        // What is no path, and what is too much, is left out, as said.
        let _ = tree.set(Tree::ROOT, key, value);
    }
    let sections: Vec<NodeId> = tree.elements(Tree::ROOT).collect();
    for section in &sections {
        let name = tree.name(*section);
        let mut versions = draft.versions.iter();
        let version = versions.find(|(known, _)| *known == name);
        if let Some((_, version)) = version {
            let _ = tree.set_attribute(*section, VERSION, version);
        }
        if draft.patch {
            let _ = tree.set_attribute(*section, PATCH, "true");
        }
    }
    let mut out = String::from(DECLARATION);
    match sections.as_slice() {
        [section] if draft.bare => tree.write_element(*section, 0, &mut out),
        _ => tree.write_whole(&mut out),
    }
    out.into_bytes()
}

/// Writes a list of further documents (AUE-57). Markers are escaped as XML wants it (AUE-64).
#[must_use]
pub fn write_references(urls: &[&str]) -> Vec<u8> {
    let mut out = format!("{DECLARATION}<{REFERENCES}>\n");
    for url in urls {
        let url = escaped(url);
        let _ = writeln!(out, "  <{REFERENCE}>{url}</{REFERENCE}>");
    }
    let _ = writeln!(out, "</{REFERENCES}>");
    out.into_bytes()
}

/// Writes operations (AUE-70).
#[must_use]
pub fn write_operations(operations: &[OperationDraft<'_>]) -> Vec<u8> {
    let mut tree = Tree::default();
    let element = |name| Fresh {
        kind: Kind::Element,
        name,
        value: "",
        line: 0,
        file: 0,
    };
    for operation in operations {
        let Ok(id) = tree.add(Tree::ROOT, element(operation.action.element())) else {
            break;
        };
        let _ = tree.set_attribute(id, "path", operation.path);
        for (key, value) in operation.content {
            let _ = tree.set(id, key, value);
        }
    }
    let mut out = format!("{DECLARATION}<{OPERATIONS}>\n");
    for operation in tree.elements(Tree::ROOT) {
        tree.write_element(operation, 1, &mut out);
    }
    let _ = writeln!(out, "</{OPERATIONS}>");
    out.into_bytes()
}

impl Tree {
    /// All settings in one document, as a backup has them (AUE-48).
    #[must_use]
    pub fn to_xml(&self) -> Vec<u8> {
        let mut out = String::from(DECLARATION);
        self.write_whole(&mut out);
        out.into_bytes()
    }

    fn write_whole(&self, out: &mut String) {
        let _ = writeln!(out, "<{WHOLE}>");
        for section in self.elements(Self::ROOT) {
            self.write_element(section, 1, out);
        }
        let _ = writeln!(out, "</{WHOLE}>");
    }

    /// Gives what a path names its value, and makes what leads there; `None` for what is no path
    /// that `flatten` gives.
    fn set(&mut self, root: NodeId, key: &str, value: &str) -> Option<()> {
        let path = Path::parse(key).ok()?;
        let plain = |name: Option<&str>| name.is_some_and(str::is_ascii);
        let attribute = path.attribute.as_deref();
        let mut steps = path.steps.iter();
        if !steps.all(|step| plain(step.name.as_deref()))
            || attribute.is_some_and(|name| !name.is_ascii())
        {
            return None;
        }
        let (mut at, mut made) = (root, None);
        for step in &path.steps {
            let known = self.len();
            let Some(next) = self.reach(at, step) else {
                // What leads to no place is not made either.
                made.into_iter().for_each(|made| self.kill(made));
                return None;
            };
            if made.is_none() && next as usize >= known {
                made = Some(next);
            }
            at = next;
        }
        match attribute {
            Some(attribute) => self.set_attribute(at, attribute, value).ok(),
            None => self.set_value(at, value).ok(),
        }
    }

    /// The child that a step names, which is made when it is the next one.
    fn reach(&mut self, parent: NodeId, step: &Step) -> Option<NodeId> {
        let name = step.name.as_deref()?;
        let key = match &*step.predicates {
            [Predicate::Attribute(key, value)] => Some((&**key, &**value)),
            [] | [Predicate::Place(_)] => None,
            _ => return None,
        };
        let place = match step.predicates.first() {
            Some(Predicate::Place(place)) => *place,
            _ => 1,
        };
        let alike = self.elements(parent);
        let alike = alike.filter(|child| self.name(*child) == name);
        let mut same = alike.filter(|child| self.naming_key(*child) == key);
        let passed = same.by_ref().take(place - 1).count();
        if let Some(known) = same.next() {
            return Some(known);
        }
        let unknown = key.is_some_and(|(key, _)| !KEY_ATTRIBUTES.contains(&key));
        drop(same);
        if unknown || passed + 1 < place {
            return None;
        }
        let element = Fresh {
            kind: Kind::Element,
            name,
            value: "",
            line: 0,
            file: 0,
        };
        let id = self.add(parent, element).ok()?;
        if let Some((key, value)) = key {
            self.set_attribute(id, key, value).ok()?;
        }
        Some(id)
    }

    fn set_attribute(&mut self, id: NodeId, name: &str, value: &str) -> Result<(), Full> {
        if let Some(known) = self.attribute(id, name) {
            return self.set_value(known, value);
        }
        let attribute = Fresh {
            kind: Kind::Attribute,
            name,
            value,
            line: 0,
            file: 0,
        };
        self.add(id, attribute).map(|_| ())
    }

    fn write_element(&self, id: NodeId, depth: usize, out: &mut String) {
        let (name, value) = (self.name(id), self.value(id));
        let indent = |out: &mut String| out.extend(std::iter::repeat_n("  ", depth));
        indent(out);
        let _ = write!(out, "<{name}");
        for attribute in self.attributes(id) {
            let (name, value) = (self.name(attribute), self.value(attribute));
            let _ = write!(out, " {name}=\"{}\"", escaped(value));
        }
        if self.elements(id).next().is_some() {
            out.push_str(">\n");
            for child in self.elements(id) {
                self.write_element(child, depth + 1, out);
            }
            indent(out);
            let _ = writeln!(out, "</{name}>");
        } else if value.is_empty() {
            out.push_str("/>\n");
        } else {
            let _ = writeln!(out, ">{}</{name}>", escaped(value));
        }
    }
}

/// Text as XML wants it, in elements and attributes alike. What XML cannot hold is left out.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let special =
        |each: char| each < ' ' || matches!(each, '&' | '<' | '>' | '"' | '\u{fffe}' | '\u{ffff}');
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for each in text.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            _ if special(each) => {}
            _ => out.push(each),
        }
    }
    Cow::Owned(out)
}
