//! The paths of operations: the subset of XPath that the vendor's document uses, over the
//! settings tree (AUE-70 … AUE-80).
//!
//! `/section/child[@name='value'][2]/*`: child steps by name or `*`, predicates `[@name='value']`
//! and `[number]`. Anything else is refused.

use super::tree::{NodeId, Tree};
use crate::event::SectionFault;
use crate::limits::XML_DEPTH_MAX;

/// A path, taken apart. The first step is a section (AUE-79).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) steps: Box<[Step]>,
    /// The attribute that the path ends in.
    pub(super) attribute: Option<Box<str>>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The children's name; `None` for any.
    pub(super) name: Option<Box<str>>,
    pub(super) predicates: Box<[Predicate]>,
}

/// What a child must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Predicate {
    /// It has this attribute with this value.
    Attribute(Box<str>, Box<str>),
    /// Its place among those that are left, from 1.
    Place(usize),
}

/// A node that a path addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// The section that it is in.
    pub(super) section: NodeId,
    pub(super) parent: NodeId,
    pub(super) node: NodeId,
}

impl Path {
    /// Reads a path. Slashes at its end do not count (AUE-75); without one at its beginning it is
    /// the same, since the whole tree is the context.
    pub(super) fn parse(text: &str) -> Result<Self, SectionFault> {
        let text = text.trim_ascii();
        let text = text.strip_prefix('/').unwrap_or(text).trim_end_matches('/');
        let mut rest = Cursor(text);
        let mut steps = Vec::new();
        loop {
            if rest.take('@') {
                let attribute = rest.name().ok_or(SectionFault::Path)?;
                let whole = rest.0.is_empty() && !steps.is_empty();
                return whole
                    .then(|| Self {
                        steps: steps.into_boxed_slice(),
                        attribute: Some(attribute.into()),
                    })
                    .ok_or(SectionFault::Path);
            }
            steps.push(rest.step().ok_or(SectionFault::Path)?);
            if steps.len() > XML_DEPTH_MAX {
                return Err(SectionFault::Path);
            }
            if rest.0.is_empty() {
                return Ok(Self {
                    steps: steps.into_boxed_slice(),
                    attribute: None,
                });
            }
            if !rest.take('/') {
                return Err(SectionFault::Path);
            }
        }
    }

    /// The elements that the path addresses, in order; `visits` is lowered by each node that is
    /// looked at. `None` when it is used up.
    pub(super) fn matches(&self, tree: &Tree, visits: &mut u32) -> Option<Vec<Match>> {
        let mut found = vec![Match {
            section: Tree::ROOT,
            parent: Tree::ROOT,
            node: Tree::ROOT,
        }];
        for step in &self.steps {
            let mut next = Vec::new();
            for context in found {
                let start = next.len();
                step.matches(tree, context.node, visits, &mut next)?;
                if context.section != Tree::ROOT {
                    let new = next.iter_mut().skip(start);
                    new.for_each(|found| found.section = context.section);
                }
            }
            found = next;
        }
        Some(found)
    }
}

impl Step {
    fn matches(
        &self,
        tree: &Tree,
        parent: NodeId,
        visits: &mut u32,
        found: &mut Vec<Match>,
    ) -> Option<()> {
        let start = found.len();
        for node in tree.children(parent) {
            *visits = visits.checked_sub(1)?;
            let named = self.name.as_deref();
            if tree.is_element(node) && named.is_none_or(|name| name == tree.name(node)) {
                found.push(Match {
                    section: node,
                    parent,
                    node,
                });
            }
        }
        for predicate in &self.predicates {
            let mut place = 0;
            let mut kept = start;
            for at in start..found.len() {
                place += 1;
                let candidate = *found.get(at)?;
                let keep = match predicate {
                    Predicate::Place(wanted) => place == *wanted,
                    Predicate::Attribute(name, value) => {
                        let attribute = tree.attribute(candidate.node, name);
                        attribute.is_some_and(|known| tree.value(known) == &**value)
                    }
                };
                if keep {
                    *found.get_mut(kept)? = candidate;
                    kept += 1;
                }
            }
            found.truncate(kept);
        }
        Some(())
    }
}

/// What is left of a path's text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, expected: char) -> bool {
        let rest = self.0.strip_prefix(expected);
        if let Some(rest) = rest {
            self.0 = rest;
        }
        rest.is_some()
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn split(&mut self, at: usize) -> Option<&'a str> {
        let (before, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        Some(before)
    }

    fn name(&mut self) -> Option<&'a str> {
        let is_name = |each: char| each.is_alphanumeric() || "_-.".contains(each);
        let end = self.0.find(|each| !is_name(each)).unwrap_or(self.0.len());
        let starts = |each: char| each.is_alphabetic() || each == '_';
        let name = self.split(end)?;
        name.starts_with(starts).then_some(name)
    }

    fn step(&mut self) -> Option<Step> {
        let name = if self.take('*') {
            None
        } else {
            Some(self.name()?.into())
        };
        let mut predicates = Vec::new();
        while self.take('[') {
            predicates.push(self.predicate()?);
        }
        Some(Step {
            name,
            predicates: predicates.into_boxed_slice(),
        })
    }

    /// The rest of a predicate. A value in quotes is taken as it stands, whatever is in it: an `@`
    /// there begins no attribute (AUE-80).
    fn predicate(&mut self) -> Option<Predicate> {
        self.blanks();
        let predicate = if self.take('@') {
            let name = self.name()?;
            self.blanks();
            if !self.take('=') {
                return None;
            }
            self.blanks();
            let quote = ['\'', '"'].into_iter().find(|quote| self.take(*quote))?;
            let value = self.split(self.0.find(quote)?)?;
            let closed = self.take(quote);
            closed.then(|| Predicate::Attribute(name.into(), value.into()))?
        } else {
            let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
            let place = self
                .split(digits)?
                .parse()
                .ok()
                .filter(|place| *place > 0)?;
            Predicate::Place(place)
        };
        self.blanks();
        self.take(']').then_some(predicate)
    }
}

/// The quotes that a value can stand in, in a path.
pub(super) fn quote_for(value: &str) -> Option<char> {
    ['\'', '"']
        .into_iter()
        .find(|quote| !value.contains(*quote))
}

/// Writes `[@name='value']`.
pub(super) fn push_attribute(path: &mut String, name: &str, value: &str) {
    let quote = quote_for(value).unwrap_or('\'');
    for part in ["[@", name, "="] {
        path.push_str(part);
    }
    path.push(quote);
    path.push_str(value);
    path.push(quote);
    path.push(']');
}

/// Writes `[2]`; nothing for the first place.
pub(super) fn push_place(path: &mut String, place: u32) {
    if place > 1 {
        path.push('[');
        path.push_str(&place.to_string());
        path.push(']');
    }
}
