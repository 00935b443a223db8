//! Files that change while they are served: sources one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Source;

/// Sources of which one is served at a time.
#[derive(Debug)]
pub struct Staged {
    first: Source,
    later: Vec<Source>,
    stage: Arc<AtomicUsize>,
}

impl Source {
    /// This source first, then those of `later`, as `stage` counts up from 0; behind the last one
    /// it stays. Itself where there is none behind it.
    #[must_use]
    pub fn then(self, later: Vec<Self>, stage: Arc<AtomicUsize>) -> Self {
        if later.is_empty() {
            return self;
        }
        Self::Staged(Arc::new(Staged {
            first: self,
            later,
            stage,
        }))
    }
}

impl Staged {
    /// The source that is served now.
    pub(super) fn now(&self) -> &Source {
        let stage = self.stage.load(Ordering::Acquire).min(self.later.len());
        let later = stage.checked_sub(1).and_then(|at| self.later.get(at));
        later.unwrap_or(&self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::*;

    fn source(bytes: &'static [u8]) -> Source {
        let mut tree = Tree::default();
        tree.insert("a", bytes).expect("a path");
        Source::tree(tree)
    }

    #[test]
    fn every_clone_shows_the_stage_that_was_reached() {
        let stage = Arc::new(AtomicUsize::new(0));
        let staged = source(b"1").then(vec![source(b"2")], Arc::clone(&stage));
        let clone = staged.clone();
        let shown = || clone.find(b"a").map(|file| file.bytes.to_vec());
        assert_eq!(shown(), Ok(b"1".to_vec()));
        stage.store(1, Ordering::Release);
        assert_eq!(shown(), Ok(b"2".to_vec()));
        assert_eq!(clone.find_target("/a").map(|it| it.bytes.len()), Ok(1));
        stage.store(9, Ordering::Release);
        assert_eq!(shown(), Ok(b"2".to_vec()));
    }
}
