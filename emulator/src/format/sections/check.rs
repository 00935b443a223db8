//! Sections against the model's schema.

use super::tree::{NodeId, Tree};
use crate::event::{LineReason, SectionFault};
use crate::format::LineFaults;
use crate::profile::sections::Element;

impl Tree {
    /// Takes out what the schema does not know (AUE-55), and blanks that do not count.
    pub(super) fn strip(&mut self, id: NodeId, schema: &Element, dropped: &mut LineFaults) {
        self.for_each_child(id, |tree, child| {
            let name = tree.name(child);
            if !tree.is_element(child) {
                match schema.attribute(name) {
                    Some(known) if known.value.is_trimmed() => tree.trim_value(child),
                    Some(_) => {}
                    None => {
                        dropped.add(LineReason::UnknownKey, tree.line(child));
                        tree.kill(child);
                    }
                }
            } else if let Some(known) = schema.child(name) {
                tree.strip(child, known, dropped);
            } else {
                dropped.add(LineReason::UnknownKey, tree.line(child));
                tree.kill(child);
            }
        });
        if schema.value.is_trimmed() || !schema.children.is_empty() {
            self.trim_value(id);
        }
    }

    /// Whether the schema knows all that is in an element.
    pub(super) fn is_known(&self, id: NodeId, schema: &Element) -> bool {
        self.children(id).all(|child| {
            let name = self.name(child);
            if self.is_element(child) {
                let known = schema.child(name);
                known.is_some_and(|known| self.is_known(child, known))
            } else {
                is_of_xml(name) || schema.attribute(name).is_some()
            }
        })
    }

    /// What is wrong with an element, and where.
    pub(super) fn fault_in(&self, id: NodeId, schema: &Element) -> Option<(SectionFault, NodeId)> {
        let value = schema.value.trimmed(self.value(id));
        let wrong = if schema.children.is_empty() {
            !schema.value.allows(value)
        } else {
            !value.trim_ascii().is_empty()
        };
        if wrong {
            return Some((SectionFault::BadValue, id));
        }
        for attribute in self.attributes(id) {
            let name = self.name(attribute);
            if is_of_xml(name) {
                continue;
            }
            let Some(known) = schema.attribute(name) else {
                return Some((SectionFault::Unknown, id));
            };
            let value = known.value.trimmed(self.value(attribute));
            if !known.value.allows(value) {
                return Some((SectionFault::BadValue, id));
            }
        }
        let mut singles = Vec::new();
        for child in self.elements(id) {
            let Some(known) = schema.child(self.name(child)) else {
                return Some((SectionFault::Unknown, child));
            };
            if !known.repeat {
                if singles.contains(&known.name.as_str()) {
                    return Some((SectionFault::BadValue, child));
                }
                singles.push(&known.name);
            }
            if let Some(fault) = self.fault_in(child, known) {
                return Some(fault);
            }
        }
        self.is_incomplete(id, schema)
            .then_some((SectionFault::MissingChild, id))
    }

    fn is_incomplete(&self, id: NodeId, schema: &Element) -> bool {
        let mut children = schema.children.iter().filter(|child| child.required);
        let mut attributes = schema.attributes.iter().filter(|other| other.required);
        children.any(|child| self.child(id, &child.name).is_none())
            || attributes.any(|other| self.attribute(id, &other.name).is_none())
    }
}

/// Attributes that say something of the document, not of the settings.
fn is_of_xml(attribute: &str) -> bool {
    attribute == "xmlns" || attribute.contains(':')
}
