//! Bringing a section of an earlier version up to the phone's own (AUE-54).

use super::tree::{Fresh, Full, Kind, NodeId, Tree};
use super::{PATCH, VERSION};
use crate::event::SectionFault;
use crate::profile::sections::{Change, Section, Version};

impl Tree {
    /// Takes `version` and `patch` off a document's section. The version is that which it says;
    /// without one the phone's own when nothing in it is unknown there, else the oldest. True when
    /// it is marked `patch="true"` (AUE-51).
    pub(super) fn take_marks(
        &mut self,
        id: NodeId,
        section: &Section,
    ) -> Result<(Version, bool), SectionFault> {
        let patch = self.attribute(id, PATCH);
        let marked = patch.is_some_and(|at| matches!(self.value(at).trim_ascii(), "true" | "1"));
        let version = self.attribute(id, VERSION);
        let said = version.map(|at| Version::parse(self.value(at)).ok_or(SectionFault::Version));
        for mark in [patch, version].into_iter().flatten() {
            self.kill(mark);
        }
        let version = match said {
            Some(version) => version?,
            None if self.is_known(id, &section.root) => section.version,
            None => Version::default(),
        };
        Ok((version, marked))
    }

    /// Carries out all changes since a version, oldest first. New values are not filled in when
    /// the section is to be merged: there absent means unchanged.
    pub(super) fn migrate(
        &mut self,
        id: NodeId,
        section: &Section,
        (from, merged): (Version, bool),
    ) -> Result<(), Full> {
        let later = section.migrations.iter().filter(|step| step.to > from);
        for change in later.flat_map(|migration| &migration.steps) {
            match change {
                Change::Rename { path, to } => {
                    let name = to.strip_prefix('@').unwrap_or(to);
                    for node in self.at(id, path) {
                        self.rename(node, name)?;
                    }
                }
                Change::Drop { path } => {
                    for node in self.at(id, path) {
                        self.kill(node);
                    }
                }
                Change::Default { .. } if merged => {}
                Change::Default { path, value } => self.fill(id, path, value)?,
            }
        }
        Ok(())
    }

    /// The nodes at a path of names below a node.
    fn at(&self, id: NodeId, path: &[String]) -> Vec<NodeId> {
        let mut found = vec![id];
        for name in path {
            let next = |parent: &NodeId| -> Vec<NodeId> {
                let attribute = name.strip_prefix('@');
                let is_next = |child: &NodeId| {
                    self.is_element(*child) == attribute.is_none()
                        && self.name(*child) == attribute.unwrap_or(name)
                };
                self.children(*parent).filter(is_next).collect()
            };
            found = found.iter().flat_map(next).collect();
        }
        found
    }

    /// Gives a value to what is missing at a path, wherever there is what it would be in.
    fn fill(&mut self, id: NodeId, path: &[String], value: &str) -> Result<(), Full> {
        let Some((name, parents)) = path.split_last() else {
            return Ok(());
        };
        let attribute = name.strip_prefix('@');
        for parent in self.at(id, parents) {
            let known = match attribute {
                Some(attribute) => self.attribute(parent, attribute),
                None => self.child(parent, name),
            };
            if known.is_some() {
                continue;
            }
            let fresh = Fresh {
                kind: if attribute.is_some() {
                    Kind::Attribute
                } else {
                    Kind::Element
                },
                name: attribute.unwrap_or(name),
                value,
                line: self.line(parent),
                file: self.file_number(parent),
            };
            self.add(parent, fresh)?;
        }
        Ok(())
    }
}
