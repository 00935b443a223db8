//! Operations on the settings held (AUE-68 … AUE-80).

use super::path::Match;
use super::tree::{Full, Node, NodeId, Tree};
use super::{Action, Note, Operation, Operations, Outcome};
use crate::event::{File, Limit, SectionFault};
use crate::format::LineFaults;
use crate::limits::{OPERATIONS_MAX, TREE_VISITS_MAX};
use crate::profile::sections::Schema;

/// A section that operations changed.
struct Touched {
    place: NodeId,
    name: Box<str>,
    /// As it was before.
    before: Node,
    /// Line of the last operation on it.
    line: u32,
}

/// Settings that operations are being carried out on.
struct Work<'a> {
    tree: Tree,
    operations: &'a Operations,
    schema: &'a Schema,
    file: u16,
    visits: u32,
    touched: Vec<Touched>,
}

/// Why operations do not go on.
enum Stop {
    Skip(SectionFault),
    Visits,
    Full,
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl Tree {
    /// The settings after operations: all of them are carried out on a copy, one after the other;
    /// then each section that they touched is validated, and stored or left as it was (AUE-68).
    /// Nothing is migrated (AUE-69). An operation that the schema's reading of the document does
    /// not know (AUE-71, AUE-75), whose path is not understood, addresses an attribute (AUE-76) or
    /// nothing (AUE-77), or that brings nothing to add, is left out; on several matches it is
    /// carried out on all (AUE-78).
    ///
    /// Operations that look at more than `TREE_VISITS_MAX` nodes end there; those that would take
    /// the tree beyond `TREE_NODES_MAX` or `TREE_BYTES_MAX` change nothing.
    #[must_use]
    pub fn operate(&self, operations: &Operations, file: File, schema: &Schema) -> Outcome {
        let mut tree = self.clone();
        let file = tree.number_of(file);
        let mut work = Work {
            tree,
            operations,
            schema,
            file,
            visits: TREE_VISITS_MAX,
            touched: Vec::new(),
        };
        let mut notes = Vec::new();
        let over_limit = |value| Note::OverLimit {
            limit: Limit::SettingsTree,
            value,
        };
        for operation in &operations.list {
            match work.carry_out(operation) {
                Ok(()) => {}
                Err(Stop::Skip(fault)) => notes.push(Note::Skipped {
                    line: operation.line,
                    fault,
                }),
                Err(Stop::Visits) => {
                    notes.push(over_limit(u64::from(TREE_VISITS_MAX)));
                    break;
                }
                Err(Stop::Full) => return self.full(),
            }
        }
        if operations.over_limit {
            notes.push(over_limit(OPERATIONS_MAX as u64));
        }
        work.validate(&mut notes);
        self.finished(&work.tree, notes)
    }
}

impl Work<'_> {
    fn carry_out(&mut self, operation: &Operation) -> Result<(), Stop> {
        let path = operation
            .path
            .as_ref()
            .map_err(|fault| Stop::Skip(*fault))?;
        if self.schema.only_delete && operation.action != Action::Delete {
            return Err(Stop::Skip(SectionFault::Unknown));
        }
        if self.schema.strict_paths && operation.slash {
            return Err(Stop::Skip(SectionFault::Path));
        }
        if path.attribute.is_some() {
            return Err(Stop::Skip(SectionFault::Attribute));
        }
        let from = &self.operations.tree;
        let content: Vec<NodeId> = from.elements(operation.content).collect();
        if operation.action != Action::Delete && content.is_empty() {
            return Err(Stop::Skip(SectionFault::MissingChild));
        }
        let matches = path.matches(&self.tree, &mut self.visits);
        let matches = matches.ok_or(Stop::Visits)?;
        if matches.is_empty() {
            return Err(Stop::Skip(SectionFault::NoMatch));
        }
        if operation.action == Action::Replace && !self.keeps_sections(&matches, &content) {
            return Err(Stop::Skip(SectionFault::Unknown));
        }
        for found in matches {
            self.touch(found.section, operation.line)?;
            self.change(operation.action, found, &content)?;
        }
        Ok(())
    }

    /// Whether a section that is replaced is replaced by itself.
    fn keeps_sections(&self, matches: &[Match], content: &[NodeId]) -> bool {
        matches.iter().all(|found| {
            found.node != found.section || {
                let name = self.tree.name(found.section);
                let new = content.iter().map(|new| self.operations.tree.name(*new));
                new.eq([name])
            }
        })
    }

    fn touch(&mut self, place: NodeId, line: u32) -> Result<(), Full> {
        if let Some(known) = self.touched.iter_mut().find(|known| known.place == place) {
            known.line = line;
            return Ok(());
        }
        let copy = self.tree.copy(place)?;
        self.touched.push(Touched {
            place,
            name: self.tree.name(place).into(),
            before: *self.tree.node(copy),
            line,
        });
        Ok(())
    }

    fn change(&mut self, action: Action, found: Match, content: &[NodeId]) -> Result<(), Full> {
        let from = &self.operations.tree;
        if action == Action::Delete {
            self.tree.kill(found.node);
            return Ok(());
        }
        let mut before = None;
        for new in content {
            let new = self.tree.graft(from, *new, self.file)?;
            match (action, before) {
                (Action::Replace, None) => {
                    self.tree.put(found.node, *self.tree.node(new));
                    before = Some(found.node);
                }
                (Action::Replace, Some(last)) => {
                    self.tree.insert_after(found.parent, last, new);
                    before = Some(new);
                }
                _ => self.tree.link(found.node, new),
            }
        }
        Ok(())
    }

    /// Keeps the touched sections that are valid, and puts the others back (AUE-68).
    fn validate(&mut self, notes: &mut Vec<Note>) {
        let schema = self.schema;
        for touched in std::mem::take(&mut self.touched) {
            let fault = match schema.section(&touched.name) {
                None => Some((SectionFault::Unknown, None)),
                Some(section) if self.tree.is_element(touched.place) => {
                    let fault = self.tree.fault_in(touched.place, &section.root);
                    if fault.is_none() {
                        // Only blanks: what is unknown was a fault.
                        let place = touched.place;
                        self.tree
                            .strip(place, &section.root, &mut LineFaults::default());
                    }
                    fault.map(|(fault, at)| (fault, Some(at)))
                }
                Some(section) => {
                    let required = section.root.children.iter().any(|child| child.required);
                    required.then_some((SectionFault::MissingChild, None))
                }
            };
            let section = touched.name;
            notes.push(match fault {
                None => Note::Stored {
                    section,
                    migrated_from: None,
                },
                Some((fault, at)) => {
                    let at = at.filter(|_| fault != SectionFault::MissingChild);
                    let line = self.tree.line_in(self.file, at).unwrap_or(touched.line);
                    self.tree.put(touched.place, touched.before);
                    Note::Refused {
                        section,
                        fault,
                        line,
                    }
                }
            });
        }
    }
}
