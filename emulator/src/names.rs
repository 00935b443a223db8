//! Interned names: setting keys and URLs as numbers, one table for all phones of a shard.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

use crate::limits::{NAMES_MAX, URL_BYTES_MAX};

/// Bytes of one name; a longer one is not interned.
pub const NAME_BYTES_MAX: usize = URL_BYTES_MAX;
/// Bytes of all names of one table: a server that makes up keys fills no more than this.
pub const NAMES_BYTES_MAX: usize = 64 << 20;
/// Unequal names that one look-up compares. Honest names never come near it; names made to collide
/// are refused beyond it, so that a look-up stays cheap without a secret seed.
const COMPARISONS_MAX: u32 = 64;

/// A name interned in a `Names` table; numbered from 0 in the order of first sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

/// The table. Texts lie end to end in one buffer, so a name costs its text and twelve bytes.
#[derive(Debug, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    index: HashTable<u32>,
    /// Some name could not stand before a `=` in a line.
    irregular: bool,
}

/// What a look-up in the index found.
enum Looked {
    Found(Name),
    Absent,
    Crowded,
}

impl Names {
    /// The number of `text`; `None` when the table is full (`NAMES_MAX` names or
    /// `NAMES_BYTES_MAX`), for a text longer than `NAME_BYTES_MAX`, and for one of many that were
    /// made to collide.
    pub fn intern(&mut self, text: &str) -> Option<Name> {
        let hash = FxBuildHasher.hash_one(text);
        match self.look_up(hash, text) {
            Looked::Found(name) => return Some(name),
            Looked::Crowded => return None,
            Looked::Absent => {}
        }
        let number = u32::try_from(self.ends.len()).ok()?;
        let end = self.text.len().checked_add(text.len())?;
        let full = self.ends.len() >= NAMES_MAX || end > NAMES_BYTES_MAX;
        if full || text.len() > NAME_BYTES_MAX {
            return None;
        }
        let end = u32::try_from(end).ok()?;
        self.irregular |= !is_regular(text);
        self.text.push_str(text);
        self.ends.push(end);
        let (buffer, ends) = (&self.text, &self.ends);
        self.index.insert_unique(hash, number, |&at| {
            FxBuildHasher.hash_one(part(buffer, ends, at))
        });
        Some(Name(number))
    }

    /// As `intern`, trying the name after `previous` first: files that list the same keys in the
    /// same order, as the files of a fleet do, need no hashing.
    pub fn intern_after(&mut self, previous: Option<Name>, text: &str) -> Option<Name> {
        match self.following(previous) {
            Some((name, known)) if known == text => Some(name),
            _ => self.intern(text),
        }
    }

    /// As `following`, when no name of the table holds a `=`, begins with `#`, or begins or ends
    /// with a blank, so that a line that begins with it and goes on with `=` has it as its key.
    pub(crate) fn following_key(&self, previous: Option<Name>) -> Option<(Name, &str)> {
        (!self.irregular)
            .then(|| self.following(previous))
            .flatten()
    }

    /// The name numbered after `previous` (the first one after `None`) with its text.
    #[must_use]
    pub fn following(&self, previous: Option<Name>) -> Option<(Name, &str)> {
        let number = previous.map_or(Some(0), |name| name.0.checked_add(1))?;
        let known = part(&self.text, &self.ends, number);
        (!known.is_empty()).then_some((Name(number), known))
    }

    /// The number of `text` if it was interned before.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Name> {
        match self.look_up(FxBuildHasher.hash_one(text), text) {
            Looked::Found(name) => Some(name),
            Looked::Absent | Looked::Crowded => None,
        }
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

    fn look_up(&self, hash: u64, text: &str) -> Looked {
        let mut comparisons = 0;
        let found = self.index.find(hash, |&at| {
            comparisons += 1;
            comparisons > COMPARISONS_MAX || part(&self.text, &self.ends, at) == text
        });
        match found {
            Some(_) if comparisons > COMPARISONS_MAX => Looked::Crowded,
            Some(&at) => Looked::Found(Name(at)),
            None => Looked::Absent,
        }
    }
}

fn is_regular(text: &str) -> bool {
    !text.contains('=') && !text.starts_with('#') && text.trim_ascii().len() == text.len()
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

    #[test]
    fn guesses_the_name_that_followed_last_time() {
        let mut names = Names::default();
        let first = names.intern_after(None, "a").unwrap();
        let second = names.intern_after(Some(first), "b").unwrap();
        assert_eq!((first, second), (Name(0), Name(1)));
        assert_eq!(names.intern_after(None, "a"), Some(first));
        assert_eq!(names.intern_after(Some(first), "b"), Some(second));
        assert_eq!(names.intern_after(Some(second), "a"), Some(first));
        assert_eq!(names.intern_after(Some(Name(u32::MAX)), "b"), Some(second));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn refuses_long_names_and_stops_at_its_bounds() {
        let mut names = Names::default();
        assert_eq!(names.intern(&"k".repeat(NAME_BYTES_MAX + 1)), None);
        let mut last = None;
        for number in 0..NAMES_BYTES_MAX / NAME_BYTES_MAX + 10 {
            last = names.intern(&format!("{number:0width$}", width = NAME_BYTES_MAX));
        }
        assert_eq!(last, None);
        assert_eq!(names.len(), NAMES_BYTES_MAX / NAME_BYTES_MAX);
        let long = format!("{:0width$}", 3, width = NAME_BYTES_MAX);
        assert_eq!(names.intern(&long), Some(Name(3)), "known names stay known");
    }

    #[test]
    fn refuses_names_once_too_many_collide() {
        let mut names = Names::default();
        let hash = FxBuildHasher.hash_one("victim");
        for number in 0..=COMPARISONS_MAX {
            names.text.push_str(&format!("{number:02}"));
            names.ends.push(u32::try_from(names.text.len()).unwrap());
            names.index.insert_unique(hash, number, |_| hash);
        }
        assert_eq!(names.intern("victim"), None);
        assert_eq!(names.find("victim"), None);
    }
}
