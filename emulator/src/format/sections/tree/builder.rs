//! Adding to the end of a tree: reading a document, and leaving out dead nodes.

use super::{Fresh, Full, Kind, NONE, Node, NodeId, Part, ROOT_NODE, Tree};
use crate::format::xml::{Reader, Token, XmlFault};

/// Adds to the end of a tree; names that come again and again are kept once.
#[derive(Debug)]
pub(in crate::format::sections) struct Builder {
    pub(in crate::format::sections) tree: Tree,
    recent: [Part; RECENT],
}

/// Names that a builder remembers.
const RECENT: usize = 64;

impl Default for Builder {
    fn default() -> Self {
        Self {
            tree: Tree::default(),
            recent: [Part::default(); RECENT],
        }
    }
}

impl Builder {
    /// A name's text, which is kept once if it was seen lately.
    #[inline]
    fn name(&mut self, name: &str) -> Result<Part, Full> {
        let bytes = name.as_bytes();
        let (first, last) = (bytes.first(), bytes.last());
        let sum = bytes.len()
            + usize::from(first.copied().unwrap_or(0)) * 5
            + usize::from(last.copied().unwrap_or(0)) * 3;
        let slot = sum % RECENT;
        let known = self.recent.get(slot).copied().unwrap_or_default();
        if known.length as usize == bytes.len() && self.tree.part(known) == name {
            return Ok(known);
        }
        let part = self.tree.append_text(name)?;
        if let Some(known) = self.recent.get_mut(slot) {
            *known = part;
        }
        Ok(part)
    }

    /// Adds a node at the end of its parent's children.
    #[inline]
    pub(in crate::format::sections) fn add(
        &mut self,
        parent: NodeId,
        fresh: Fresh<'_>,
    ) -> Result<NodeId, Full> {
        let name = self.name(fresh.name)?;
        let value = self.tree.append_text(fresh.value)?;
        let id = self.tree.push(Node {
            name,
            value,
            line: fresh.line,
            file: fresh.file,
            kind: fresh.kind,
            ..ROOT_NODE
        })?;
        self.append(parent, id);
        Ok(id)
    }

    #[inline]
    fn append(&mut self, parent: NodeId, id: NodeId) {
        let last = self.tree.node(parent).last;
        if last == NONE {
            self.tree.change(parent, |node| node.first = id);
        } else {
            self.tree.change(last, |node| node.next = id);
        }
        self.tree.change(parent, |node| node.last = id);
    }

    pub(super) fn copy_of(&mut self, from: &Tree, id: NodeId, parent: NodeId) -> Result<(), Full> {
        let node = from.node(id);
        let file = from.file(id).map(|file| self.tree.number_of(file));
        let copy = self.add(
            parent,
            Fresh {
                kind: node.kind,
                name: from.name(id),
                value: from.value(id),
                line: node.line,
                file: file.unwrap_or(u16::MAX),
            },
        )?;
        from.children(id)
            .try_for_each(|child| self.copy_of(from, child, copy))
    }

    /// Reads the element whose start tag was read last, with all below it.
    pub(in crate::format::sections) fn element(
        &mut self,
        reader: &mut Reader<'_>,
        parent: NodeId,
        (name, empty): (&str, bool),
    ) -> Result<Result<NodeId, Full>, XmlFault> {
        let top = match self.open(reader, parent, name) {
            Ok(top) => top,
            Err(full) => return Ok(Err(full)),
        };
        if empty {
            return Ok(Ok(top));
        }
        let mut open = vec![top];
        while let Some(at) = open.last().copied() {
            match reader.next()? {
                Some(Token::Open { name, empty }) => match self.open(reader, at, name) {
                    Ok(child) if !empty => open.push(child),
                    Ok(_) => {}
                    Err(full) => return Ok(Err(full)),
                },
                Some(Token::Text(text)) => {
                    if self.text(at, &text).is_err() {
                        return Ok(Err(Full));
                    }
                }
                Some(Token::Close(_)) => {
                    open.pop();
                }
                None => break,
            }
        }
        Ok(Ok(top))
    }

    #[inline]
    fn open(&mut self, reader: &Reader<'_>, parent: NodeId, name: &str) -> Result<NodeId, Full> {
        let (line, file) = (reader.line(), 0);
        let element = Fresh {
            kind: Kind::Element,
            name,
            value: "",
            line,
            file,
        };
        self.drop_layout(parent);
        let id = self.add(parent, element)?;
        for attribute in reader.attributes() {
            let attribute = Fresh {
                kind: Kind::Attribute,
                name: attribute.name,
                value: &attribute.value(),
                line,
                file,
            };
            self.add(id, attribute)?;
        }
        Ok(id)
    }

    /// Adds to an element's text. Text beside child elements is layout.
    #[inline]
    fn text(&mut self, id: NodeId, text: &str) -> Result<(), Full> {
        let node = self.tree.node(id);
        let last = self.tree.node(node.last);
        if node.last != NONE && last.kind == Kind::Element {
            return Ok(());
        }
        let before = node.value;
        let part = self.tree.append_text(text)?;
        // The pieces of one text follow each other.
        let value = if before.length == 0 {
            part
        } else {
            Part {
                start: before.start,
                length: before.length + part.length,
            }
        };
        self.tree.change(id, |node| node.value = value);
        Ok(())
    }

    /// Takes back the text of an element that turns out to have children.
    #[inline]
    fn drop_layout(&mut self, id: NodeId) {
        let layout = self.tree.node(id).value;
        if layout.length > 0 {
            // It was added last.
            self.tree.text.truncate(layout.start as usize);
            self.tree.change(id, |node| node.value = Part::default());
        }
    }
}
