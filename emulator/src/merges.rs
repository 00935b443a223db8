//! What came of laying a document over a settings tree, held once for all phones of a shard that
//! did the same: phones that begin with the same tree and get the same bytes end with the same
//! tree, in the literal sense.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::event::{EventKind, File};
use crate::format::LineFaults;
use crate::format::sections::{Parsed, Tree};
use crate::profile::Param;
use crate::settings::Vetted;

/// Results that are kept for phones yet to come.
const KEPT_MAX: usize = 16;
/// Pairs of tree and document that are remembered, so that what happens once is not kept.
const SEEN_MAX: usize = 256;

/// What one phone did.
#[derive(Debug, Clone)]
pub struct Step {
    /// The tree before; `None` = out of the box.
    pub base: Option<Rc<Tree>>,
    /// The document.
    pub parsed: Rc<Parsed>,
    /// Where it came from.
    pub file: File,
    /// The phone's profile, as its place in `Shelf::profiles`.
    pub profile: u16,
}

/// What came of it.
#[derive(Debug)]
pub struct Merged {
    /// The tree after.
    pub tree: Rc<Tree>,
    /// The same as settings.
    pub settings: Rc<Vetted>,
    /// What there is to say of sections and operations.
    pub events: Box<[EventKind]>,
    /// Lines of the document that were left out, and settings of the tree beyond the limits.
    pub ignored: LineFaults,
    /// How many settings the document gives.
    pub named: u32,
    /// Parameters whose setting the document gives: what was typed in for them is void.
    pub bound: Box<[Param]>,
}

/// The results of a shard.
#[derive(Debug, Default)]
pub struct Merges {
    /// The one used last at the end.
    kept: Vec<(Step, Rc<Merged>)>,
    seen: VecDeque<(usize, usize, File, u16)>,
}

impl Merges {
    /// The result of an earlier, equal step.
    pub fn find(&mut self, step: &Step) -> Option<Rc<Merged>> {
        let at = self.kept.iter().position(|(held, _)| held.is_same(step))?;
        let entry = self.kept.remove(at);
        let merged = Rc::clone(&entry.1);
        self.kept.push(entry);
        Some(merged)
    }

    /// Offers a result; it is kept when the same step was seen before.
    pub fn offer(&mut self, step: Step, merged: &Rc<Merged>) {
        let mark = step.mark();
        if !self.seen.contains(&mark) {
            if self.seen.len() >= SEEN_MAX {
                self.seen.pop_front();
            }
            self.seen.push_back(mark);
            return;
        }
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((step, Rc::clone(merged)));
    }
}

impl Step {
    /// The same tree and the same document, not merely equal ones: nothing is compared.
    fn is_same(&self, other: &Self) -> bool {
        let base = match (&self.base, &other.base) {
            (Some(one), Some(two)) => Rc::ptr_eq(one, two),
            (None, None) => true,
            _ => false,
        };
        base && Rc::ptr_eq(&self.parsed, &other.parsed)
            && self.file == other.file
            && self.profile == other.profile
    }

    /// Addresses may be used again by others; then a result is kept that need not have been.
    fn mark(&self) -> (usize, usize, File, u16) {
        let base = self
            .base
            .as_ref()
            .map_or(0, |base| Rc::as_ptr(base) as usize);
        let parsed = Rc::as_ptr(&self.parsed) as usize;
        (base, parsed, self.file, self.profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Document;
    use crate::format::sections;
    use crate::names::{Name, Names};
    use crate::profile::keys::{KeyRules, Verdicts};

    fn step(base: Option<&Rc<Tree>>, parsed: &Rc<Parsed>) -> Step {
        Step {
            base: base.cloned(),
            parsed: Rc::clone(parsed),
            file: File::Named(Name(1)),
            profile: 0,
        }
    }

    fn parsed() -> Rc<Parsed> {
        Rc::new(sections::read(b"<configuration/>").unwrap())
    }

    fn merged() -> Rc<Merged> {
        let rules = KeyRules::new(Vec::new(), true).unwrap();
        let settings = Vetted::meant(
            Rc::new(Document::default()),
            Box::default(),
            &rules,
            &mut Verdicts::default(),
            &Names::default(),
        );
        Rc::new(Merged {
            tree: Rc::default(),
            settings: Rc::new(settings),
            events: Box::default(),
            ignored: LineFaults::default(),
            named: 0,
            bound: Box::default(),
        })
    }

    #[test]
    fn keeps_what_happens_twice() {
        let mut merges = Merges::default();
        let (parsed, result) = (parsed(), merged());
        merges.offer(step(None, &parsed), &result);
        assert!(merges.find(&step(None, &parsed)).is_none());
        merges.offer(step(None, &parsed), &result);
        let found = merges.find(&step(None, &parsed)).unwrap();
        assert!(Rc::ptr_eq(&found, &result));
    }

    #[test]
    fn tells_trees_documents_files_and_profiles_apart() {
        let mut merges = Merges::default();
        let (one, other, result) = (parsed(), parsed(), merged());
        let tree = Rc::new(Tree::default());
        for _ in 0..2 {
            merges.offer(step(Some(&tree), &one), &result);
        }
        assert!(merges.find(&step(Some(&tree), &one)).is_some());
        assert!(merges.find(&step(None, &one)).is_none());
        let equal = Rc::new(Tree::default());
        assert!(merges.find(&step(Some(&equal), &one)).is_none());
        assert!(merges.find(&step(Some(&tree), &other)).is_none());
        let file = File::Named(Name(2));
        assert!(
            merges
                .find(&Step {
                    file,
                    ..step(Some(&tree), &one)
                })
                .is_none()
        );
        assert!(
            merges
                .find(&Step {
                    profile: 1,
                    ..step(Some(&tree), &one)
                })
                .is_none()
        );
    }

    // The results used last stay; the table does not grow.
    #[test]
    fn forgets_what_was_not_used_for_long() {
        let mut merges = Merges::default();
        let (first, result) = (parsed(), merged());
        let others: Vec<_> = (0..4 * KEPT_MAX).map(|_| parsed()).collect();
        for _ in 0..2 {
            merges.offer(step(None, &first), &result);
        }
        for other in &others {
            for _ in 0..2 {
                merges.offer(step(None, other), &result);
            }
            assert!(merges.find(&step(None, &first)).is_some());
        }
        assert!(merges.find(&step(None, &others[0])).is_none());
        assert_eq!(merges.kept.len(), KEPT_MAX);
        for _ in 0..SEEN_MAX {
            merges.offer(step(None, &parsed()), &result);
        }
        assert!(merges.seen.len() <= SEEN_MAX);
    }
}
