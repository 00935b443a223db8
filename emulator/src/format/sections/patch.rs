//! Applying settings sections to those held (AUE-49 … AUE-56).

use std::collections::BTreeMap;

use super::tree::{Fresh, Full, Kind, NodeId, Tree};
use super::{Note, Outcome, Patch, VERSION};
use crate::event::{File, Limit, SectionFault};
use crate::format::LineFaults;
use crate::limits::{SECTIONS_MAX, TREE_BYTES_MAX, TREE_NODES_MAX};
use crate::profile::sections::{Element, Schema, Section, Version};

/// A document's section, in the arena of the settings it is to become part of.
struct Incoming<'a> {
    node: NodeId,
    section: &'a Section,
    /// It is the document's only one.
    alone: bool,
    schema: &'a Schema,
}

/// Why a section is not stored.
enum Refusal {
    Fault(SectionFault, Option<NodeId>),
    Full,
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl Tree {
    /// The settings after a document's sections, each for itself: migrated to the phone's own
    /// version (AUE-54), rid of what is unknown, put in the place of the one held (AUE-49, AUE-50)
    /// or merged into it when it is marked `patch="true"` (AUE-51), and validated; one that is not
    /// valid is refused and the others are applied (AUE-55). Sections that the document does not
    /// name stay.
    ///
    /// A document that would take the tree beyond `TREE_NODES_MAX` or `TREE_BYTES_MAX` changes
    /// nothing.
    #[must_use]
    pub fn patch(&self, patch: &Patch, file: File, schema: &Schema) -> Outcome {
        let mut work = self.clone();
        let number = work.number_of(file);
        let (mut notes, mut dropped) = (Vec::new(), LineFaults::default());
        let alone = patch.sections().count() == 1;
        let Ok(offset) = work.absorb(&patch.tree, number) else {
            return self.full();
        };
        for from in patch.tree.elements(Self::ROOT) {
            let (name, line) = (patch.tree.name(from), patch.tree.line(from));
            let stored = match schema.section(name) {
                None => Err(Refusal::Fault(SectionFault::Unknown, None)),
                Some(section) => {
                    let incoming = Incoming {
                        node: from + offset,
                        section,
                        alone,
                        schema,
                    };
                    work.take_in(&incoming, &mut dropped)
                }
            };
            notes.push(match stored {
                Ok(migrated_from) => Note::Stored {
                    section: name.into(),
                    migrated_from,
                },
                Err(Refusal::Fault(fault, at)) => Note::Refused {
                    section: name.into(),
                    fault,
                    line: work.line_in(number, at).unwrap_or(line),
                },
                Err(Refusal::Full) => return self.full(),
            });
        }
        if patch.over_limit {
            notes.push(Note::OverLimit {
                limit: Limit::SettingsTree,
                value: SECTIONS_MAX as u64,
            });
        }
        let whole = self.is_empty() && dropped.groups().is_empty() && work.holds_all(&notes);
        if whole && !work.is_over_limit() {
            let tree = work.shrunk();
            return Outcome {
                tree,
                notes,
                dropped,
            };
        }
        Outcome {
            dropped,
            ..self.finished(&work, notes)
        }
    }

    /// Whether all sections of a document are part of the settings just as they came, so that
    /// leaving out dead nodes would leave out none but its marks.
    fn holds_all(&self, notes: &[Note]) -> bool {
        let as_it_came = |note: &Note| {
            matches!(
                note,
                Note::Stored {
                    migrated_from: None,
                    ..
                }
            )
        };
        notes.iter().all(as_it_came) && self.elements(Self::ROOT).count() == notes.len()
    }

    /// Makes a loose section part of the settings; the version it was migrated from.
    fn take_in(
        &mut self,
        incoming: &Incoming<'_>,
        dropped: &mut LineFaults,
    ) -> Result<Option<Version>, Refusal> {
        let (id, section) = (incoming.node, incoming.section);
        let refused = |fault| Refusal::Fault(fault, None);
        let held = self.child(Self::ROOT, &section.root.name);
        let (version, marked) = self.take_marks(id, section).map_err(refused)?;
        let merged = marked || incoming.schema.merge_unmarked && incoming.alone;
        let held = held.filter(|_| merged);
        self.migrate(id, section, (version, held.is_some() || marked))?;
        self.strip(id, &section.root, dropped);
        let result = match held {
            Some(held) => {
                let copy = self.copy(held)?;
                self.merge(copy, id, &section.root);
                copy
            }
            None => id,
        };
        if let Some((fault, at)) = self.fault_in(result, &section.root) {
            let at = (fault != SectionFault::MissingChild).then_some(at);
            return Err(Refusal::Fault(fault, at));
        }
        self.set_version(result, section.version)?;
        match self.child(Self::ROOT, &section.root.name) {
            Some(place) => {
                self.put(place, *self.node(result));
            }
            None => self.link(Self::ROOT, result),
        }
        Ok((version != section.version).then_some(version))
    }

    fn set_version(&mut self, id: NodeId, version: Version) -> Result<(), Full> {
        let text = version.to_string();
        if let Some(known) = self.attribute(id, VERSION) {
            return self.set_value(known, &text);
        }
        let fresh = Fresh {
            kind: Kind::Attribute,
            name: VERSION,
            value: &text,
            line: self.line(id),
            file: self.file_number(id),
        };
        self.add(id, fresh).map(|_| ())
    }

    /// Changes an element by another one, loose and of the same tree: its attributes, its text and
    /// its children override their counterparts, what has none is new, the rest stays (AUE-51).
    fn merge(&mut self, into: NodeId, from: NodeId, schema: &Element) {
        let attributes: Vec<NodeId> = self.attributes(from).collect();
        for attribute in &attributes {
            match self.attribute(into, self.name(*attribute)) {
                Some(known) => self.take_value(known, *attribute),
                None => self.link(into, *attribute),
            }
        }
        let pairs = self.counterparts(into, from, schema);
        let text = !self.value(from).is_empty() || attributes.is_empty();
        if pairs.is_empty() && text && self.elements(into).next().is_none() {
            self.take_value(into, from);
        }
        for (child, counterpart) in pairs {
            match (counterpart, schema.child(self.name(child))) {
                (Some(known), Some(schema)) => self.merge(known, child, schema),
                _ => self.link(into, child),
            }
        }
    }

    /// Each child of `from` with that of `into` which it changes (AUE-56): of elements that may
    /// come several times the one with the same key attribute, or at the same place among those
    /// without one.
    fn counterparts(
        &self,
        into: NodeId,
        from: NodeId,
        schema: &Element,
    ) -> Vec<(NodeId, Option<NodeId>)> {
        let children: Vec<NodeId> = self.elements(from).collect();
        if children.is_empty() {
            return Vec::new();
        }
        let mut keyed = BTreeMap::new();
        let mut plain: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
        let is_list = |name| schema.child(name).is_some_and(|child| child.repeat);
        let key = |id| self.key_of(id).filter(|_| is_list(self.name(id)));
        for known in self.elements(into) {
            match key(known) {
                Some(key) => {
                    keyed.entry((self.name(known), key)).or_insert(known);
                }
                None => plain.entry(self.name(known)).or_default().push(known),
            }
        }
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let counterpart = |child: NodeId| {
            let name = self.name(child);
            if let Some(key) = key(child) {
                return (child, keyed.get(&(name, key)).copied());
            }
            let place = places.entry(name).or_default();
            let known = plain.get(name).and_then(|known| known.get(*place));
            // A single element has one place, whatever else is wrong with the document.
            *place += usize::from(is_list(name));
            (child, known.copied())
        };
        children.into_iter().map(counterpart).collect()
    }

    /// The line of a node, when it is of this file.
    pub(super) fn line_in(&self, file: u16, id: Option<NodeId>) -> Option<u32> {
        let id = id.filter(|id| self.file_number(*id) == file)?;
        Some(self.line(id)).filter(|line| *line > 0)
    }

    /// The outcome of changes that were made on a copy.
    pub(super) fn finished(&self, work: &Self, notes: Vec<Note>) -> Outcome {
        let tree = work.compacted();
        if tree.is_over_limit() {
            return self.full();
        }
        Outcome {
            tree,
            notes,
            dropped: LineFaults::default(),
        }
    }

    /// The outcome of nothing.
    pub(crate) fn unchanged(&self) -> Outcome {
        Outcome {
            tree: self.clone(),
            notes: Vec::new(),
            dropped: LineFaults::default(),
        }
    }

    /// The outcome of what would make the tree too large: nothing changes.
    pub(super) fn full(&self) -> Outcome {
        Outcome {
            tree: self.clone(),
            dropped: LineFaults::default(),
            notes: vec![Note::OverLimit {
                limit: Limit::SettingsTree,
                value: TREE_NODES_MAX.min(TREE_BYTES_MAX) as u64,
            }],
        }
    }
}
