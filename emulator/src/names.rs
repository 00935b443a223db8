//! Interned names: setting keys and URLs as numbers, one table for all phones of a shard.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

use crate::limits::NAMES_MAX;

/// A name interned in a `Names` table; numbered from 0 in the order of first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

/// The table. Texts lie end to end in one buffer, so a name costs its text and twelve bytes.
#[derive(Debug, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    index: HashTable<u32>,
}

impl Names {
    /// The number of `text`; `None` once `NAMES_MAX` different names (or 4 GiB of text) are held.
    pub fn intern(&mut self, text: &str) -> Option<Name> {
        let hash = FxBuildHasher.hash_one(text);
        let (buffer, ends) = (&self.text, &self.ends);
        if let Some(&found) = self.index.find(hash, |&at| part(buffer, ends, at) == text) {
            return Some(Name(found));
        }
        let number = u32::try_from(self.ends.len()).ok()?;
        let end = u32::try_from(self.text.len().checked_add(text.len())?).ok()?;
        if self.ends.len() >= NAMES_MAX {
            return None;
        }
        self.text.push_str(text);
        self.ends.push(end);
        let (buffer, ends) = (&self.text, &self.ends);
        self.index.insert_unique(hash, number, |&at| {
            FxBuildHasher.hash_one(part(buffer, ends, at))
        });
        Some(Name(number))
    }

    /// The number of `text` if it was interned before.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Name> {
        let hash = FxBuildHasher.hash_one(text);
        self.index
            .find(hash, |&at| part(&self.text, &self.ends, at) == text)
            .map(|&at| Name(at))
    }

    /// The text of a name; empty for a number that this table did not give out.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        part(&self.text, &self.ends, name.0)
    }

    /// How many names are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when no name is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn part<'a>(text: &'a str, ends: &[u32], at: u32) -> &'a str {
    let at = at as usize;
    let start = at
        .checked_sub(1)
        .and_then(|before| ends.get(before))
        .copied()
        .unwrap_or(0);
    let end = ends.get(at).copied().unwrap_or(start);
    text.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_same_number_for_the_same_text() {
        let mut names = Names::default();
        let first = names.intern("account.1.label").unwrap();
        for number in 0..2_000 {
            names.intern(&format!("account.{number}.enable")).unwrap();
        }
        assert_eq!(names.intern("account.1.label"), Some(first));
        assert_eq!(names.find("account.1.label"), Some(first));
        assert_eq!(names.text(first), "account.1.label");
        assert_eq!(names.find("nobody"), None);
        assert_eq!(names.text(Name(99_999)), "");
        assert_eq!(names.len(), 2_001);
    }
}
