//! The settings tree: elements, attributes and values in one arena. Changing it leaves dead nodes
//! behind, which `Tree::compacted` leaves out.

mod builder;

use super::KEY_ATTRIBUTES;
use crate::event::File;
use crate::limits::{SECTIONS_MAX, TREE_BYTES_MAX, TREE_NODES_MAX};
pub(super) use builder::Builder;

/// A node's place in its tree.
pub(super) type NodeId = u32;

/// No node: the root is nobody's child and nobody's sibling.
const NONE: NodeId = 0;

/// Text that versions given to a document's sections take, more or less.
const VERSIONS_BYTES: usize = 16 * SECTIONS_MAX;

/// The settings sections of a phone. Cloning copies everything; what a phone holds is compact.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Names and values.
    text: String,
    /// The files that nodes came from.
    files: Vec<File>,
}

/// A piece of a tree's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Part {
    start: u32,
    length: u32,
}

impl Part {
    fn moved(self, by: u32) -> Self {
        Self {
            start: self.start + by,
            ..self
        }
    }
}

/// An element or an attribute. Attributes come before the elements among the children of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    name: Part,
    value: Part,
    first: NodeId,
    last: NodeId,
    next: NodeId,
    line: u32,
    file: u16,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    Attribute,
    /// Taken out.
    Dead,
}

/// What a new node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) line: u32,
    pub(super) file: u16,
}

/// The tree is at `TREE_NODES_MAX` or `TREE_BYTES_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The root of every tree.
const ROOT_NODE: Node = Node {
    name: Part {
        start: 0,
        length: 0,
    },
    value: Part {
        start: 0,
        length: 0,
    },
    first: NONE,
    last: NONE,
    next: NONE,
    line: 0,
    file: 0,
    kind: Kind::Element,
};

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![ROOT_NODE],
            text: String::new(),
            files: Vec::new(),
        }
    }
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    /// True when it holds no section.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements(Self::ROOT).next().is_none()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.text.capacity()
            + self.files.capacity() * size_of::<File>()
    }

    #[inline]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&ROOT_NODE)
    }

    #[inline]
    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            change(node);
        }
    }

    fn part(&self, part: Part) -> &str {
        let start = part.start as usize;
        let end = start.saturating_add(part.length as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) fn name(&self, id: NodeId) -> &str {
        self.part(self.node(id).name)
    }

    pub(super) fn value(&self, id: NodeId) -> &str {
        self.part(self.node(id).value)
    }

    pub(super) fn line(&self, id: NodeId) -> u32 {
        self.node(id).line
    }

    /// The number of the file that a node came from.
    pub(super) fn file_number(&self, id: NodeId) -> u16 {
        self.node(id).file
    }

    /// The file that a node came from.
    pub(super) fn file(&self, id: NodeId) -> Option<File> {
        self.files.get(usize::from(self.node(id).file)).copied()
    }

    /// The number of a file, which a new one is given.
    pub(super) fn number_of(&mut self, file: File) -> u16 {
        let known = self.files.iter().position(|other| *other == file);
        let at = known.unwrap_or_else(|| {
            self.files.push(file);
            self.files.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Attributes and elements below a node, in order.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let mut next = self.node(id).first;
        std::iter::from_fn(move || {
            while next != NONE {
                let at = next;
                next = self.node(at).next;
                if self.node(at).kind != Kind::Dead {
                    return Some(at);
                }
            }
            None
        })
    }

    pub(super) fn elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.children(id).filter(|child| self.is_element(*child))
    }

    pub(super) fn attributes(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.children(id)
            .take_while(|child| self.node(*child).kind == Kind::Attribute)
    }

    pub(super) fn is_element(&self, id: NodeId) -> bool {
        self.node(id).kind == Kind::Element
    }

    pub(super) fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.elements(id).find(|child| self.name(*child) == name)
    }

    pub(super) fn attribute(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.attributes(id).find(|other| self.name(*other) == name)
    }

    /// The attribute that names an element among its like (AUE-56): its name and value.
    pub(super) fn key_of(&self, id: NodeId) -> Option<(&'static str, &str)> {
        let mut best: Option<(usize, NodeId)> = None;
        for attribute in self.attributes(id) {
            let name = self.name(attribute);
            let rank = KEY_ATTRIBUTES.iter().position(|key| *key == name);
            if let Some(rank) = rank
                && best.is_none_or(|(other, _)| rank < other)
            {
                best = Some((rank, attribute));
            }
        }
        let (rank, attribute) = best?;
        let key = KEY_ATTRIBUTES.get(rank)?;
        Some((key, self.value(attribute)))
    }

    /// Does something to each child, which may take it out.
    pub(super) fn for_each_child(&mut self, id: NodeId, mut change: impl FnMut(&mut Self, NodeId)) {
        let mut at = self.node(id).first;
        while at != NONE {
            if self.node(at).kind != Kind::Dead {
                change(self, at);
            }
            at = self.node(at).next;
        }
    }

    /// Takes over all nodes of another tree as nodes of this file, none of them anybody's child
    /// yet; the number to add to theirs.
    pub(super) fn absorb(&mut self, from: &Self, file: u16) -> Result<NodeId, Full> {
        let nodes = self.nodes.len() + from.nodes.len();
        let text = self.text.len() + from.text.len();
        if nodes > 2 * TREE_NODES_MAX || text > 2 * TREE_BYTES_MAX {
            return Err(Full);
        }
        let offset = NodeId::try_from(self.nodes.len()).map_err(|_| Full)?;
        let start = u32::try_from(self.text.len()).map_err(|_| Full)?;
        let moved = |id: NodeId| if id == NONE { NONE } else { id + offset };
        // With room for the versions that sections are given, so that adding them moves nothing.
        self.text.reserve(from.text.len() + VERSIONS_BYTES);
        self.nodes.reserve(from.nodes.len() + SECTIONS_MAX);
        self.text.push_str(&from.text);
        self.nodes.extend(from.nodes.iter().map(|node| Node {
            name: node.name.moved(start),
            value: node.value.moved(start),
            first: moved(node.first),
            last: moved(node.last),
            next: moved(node.next),
            file,
            ..*node
        }));
        Ok(offset)
    }

    /// Takes a node out.
    pub(super) fn kill(&mut self, id: NodeId) {
        self.change(id, |node| node.kind = Kind::Dead);
    }

    fn append_text(&mut self, text: &str) -> Result<Part, Full> {
        let start = u32::try_from(self.text.len()).map_err(|_| Full)?;
        let length = u32::try_from(text.len()).map_err(|_| Full)?;
        if self.text.len() + text.len() > 2 * TREE_BYTES_MAX {
            return Err(Full);
        }
        self.text.push_str(text);
        Ok(Part { start, length })
    }

    fn push(&mut self, node: Node) -> Result<NodeId, Full> {
        // A change may hold what it replaces besides what it makes.
        if self.nodes.len() >= 2 * TREE_NODES_MAX {
            return Err(Full);
        }
        let id = NodeId::try_from(self.nodes.len()).map_err(|_| Full)?;
        self.nodes.push(node);
        Ok(id)
    }

    /// A node that is nobody's child yet.
    fn loose(&mut self, fresh: Fresh<'_>) -> Result<NodeId, Full> {
        let name = self.append_text(fresh.name)?;
        let value = self.append_text(fresh.value)?;
        self.push(Node {
            name,
            value,
            line: fresh.line,
            file: fresh.file,
            kind: fresh.kind,
            ..ROOT_NODE
        })
    }

    /// Makes a node the last child of another one; an attribute goes to the end of the attributes.
    pub(super) fn link(&mut self, parent: NodeId, id: NodeId) {
        let after = if self.node(id).kind == Kind::Attribute {
            self.last_attribute(parent)
        } else {
            Some(self.node(parent).last).filter(|last| *last != NONE)
        };
        let next = after.map_or(self.node(parent).first, |after| self.node(after).next);
        self.change(id, |node| node.next = next);
        match after {
            Some(after) => self.change(after, |node| node.next = id),
            None => self.change(parent, |node| node.first = id),
        }
        if next == NONE {
            self.change(parent, |node| node.last = id);
        }
    }

    /// The last attribute among the children, dead ones at the beginning included.
    fn last_attribute(&self, parent: NodeId) -> Option<NodeId> {
        let (mut at, mut found) = (self.node(parent).first, None);
        while at != NONE && self.node(at).kind != Kind::Element {
            found = Some(at);
            at = self.node(at).next;
        }
        found
    }

    pub(super) fn add(&mut self, parent: NodeId, fresh: Fresh<'_>) -> Result<NodeId, Full> {
        let id = self.loose(fresh)?;
        self.link(parent, id);
        Ok(id)
    }

    pub(super) fn rename(&mut self, id: NodeId, name: &str) -> Result<(), Full> {
        let name = self.append_text(name)?;
        self.change(id, |node| node.name = name);
        Ok(())
    }

    /// Gives a node a value of its own.
    pub(super) fn set_value(&mut self, id: NodeId, value: &str) -> Result<(), Full> {
        let value = self.append_text(value)?;
        self.change(id, |node| node.value = value);
        Ok(())
    }

    /// Drops blanks around a value.
    pub(super) fn trim_value(&mut self, id: NodeId) {
        let value = self.value(id);
        let rest = value.trim_ascii_start();
        let cut = value.len() - rest.len();
        let (cut, length) = (
            u32::try_from(cut),
            u32::try_from(rest.trim_ascii_end().len()),
        );
        if let (Ok(cut), Ok(length)) = (cut, length) {
            self.change(id, |node| {
                node.value.start += cut;
                node.value.length = length;
            });
        }
    }

    /// Gives a node the value and the origin of another one of the same tree.
    pub(super) fn take_value(&mut self, id: NodeId, from: NodeId) {
        let from = *self.node(from);
        self.change(id, |node| {
            node.value = from.value;
            node.line = from.line;
            node.file = from.file;
        });
    }

    /// A copy of a node with all below it, of the same tree and nobody's child.
    pub(super) fn copy(&mut self, id: NodeId) -> Result<NodeId, Full> {
        let node = *self.node(id);
        let copy = self.push(Node {
            first: NONE,
            last: NONE,
            next: NONE,
            ..node
        })?;
        let (mut at, mut before) = (node.first, NONE);
        while at != NONE {
            let child = self.node(at);
            let (next, dead) = (child.next, child.kind == Kind::Dead);
            if !dead {
                let child = self.copy(at)?;
                if before == NONE {
                    self.change(copy, |node| node.first = child);
                } else {
                    self.change(before, |node| node.next = child);
                }
                before = child;
            }
            at = next;
        }
        self.change(copy, |node| node.last = before);
        Ok(copy)
    }

    /// A copy of a node of another tree with all below it, nobody's child and of this file.
    pub(super) fn graft(&mut self, from: &Self, id: NodeId, file: u16) -> Result<NodeId, Full> {
        let node = from.node(id);
        let copy = self.loose(Fresh {
            kind: node.kind,
            name: from.name(id),
            value: from.value(id),
            line: node.line,
            file,
        })?;
        let mut before = NONE;
        for child in from.children(id) {
            let child = self.graft(from, child, file)?;
            if before == NONE {
                self.change(copy, |node| node.first = child);
            } else {
                self.change(before, |node| node.next = child);
            }
            before = child;
        }
        self.change(copy, |node| node.last = before);
        Ok(copy)
    }

    /// Puts a node that is nobody's child in the place of another one, whose number it takes; what
    /// was there comes back, to be put there again if need be.
    pub(super) fn put(&mut self, place: NodeId, node: Node) -> Node {
        let before = *self.node(place);
        self.change(place, |at| {
            *at = Node {
                next: before.next,
                ..node
            };
        });
        before
    }

    /// Inserts a node that is nobody's child behind one of this parent's children.
    pub(super) fn insert_after(&mut self, parent: NodeId, before: NodeId, id: NodeId) {
        let next = self.node(before).next;
        self.change(id, |node| node.next = next);
        self.change(before, |node| node.next = id);
        if next == NONE {
            self.change(parent, |node| node.last = id);
        }
    }

    /// How many nodes there are, dead ones included: the number of the next one.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of names and values, dead ones included.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_over_limit(&self) -> bool {
        self.nodes.len() > TREE_NODES_MAX || self.text.len() > TREE_BYTES_MAX
    }

    /// The same settings without dead nodes, in order.
    pub(super) fn compacted(&self) -> Self {
        let mut builder = Builder::default();
        builder
            .tree
            .nodes
            .reserve(self.nodes.len().min(TREE_NODES_MAX));
        builder.tree.text.reserve(self.text.len() / 2);
        for child in self.children(Self::ROOT) {
            // A full tree was never stored.
            let _ = builder.copy_of(self, child, Self::ROOT);
        }
        builder.tree.shrunk()
    }

    /// The same tree, with no more memory than it needs.
    pub(super) fn shrunk(mut self) -> Self {
        self.nodes.shrink_to_fit();
        self.text.shrink_to_fit();
        self
    }
}
