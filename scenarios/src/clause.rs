//! The register of clauses: every numbered behaviour of the vendor documents, once, in words of
//! its own. Code, profiles and cases cite clauses by id.

mod coverage;

use std::collections::BTreeMap;
use std::fmt;

use bootstorm_emulator::located::{Faults, Log, Node, Reader, did_you_mean, nearest};

pub use coverage::{Cover, Coverage};

/// The files of the register: name and text, found by directory.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/clauses.rs"));

/// How firmly a document says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Stated in words.
    Must,
    /// Shown by a trace, a figure or an example.
    Should,
    /// Left open, damaged or contradictory; the clause says what we do and why.
    Gap,
}

impl Strength {
    /// Every strength with the word that the register uses.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Must, "must"),
        (Self::Should, "should"),
        (Self::Gap, "gap"),
    ];
}

impl fmt::Display for Strength {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Self::ALL.iter().find(|(strength, _)| strength == self);
        out.pad(words.map_or("", |(_, word)| word))
    }
}

/// The name of a clause: the document's prefix and a number from 1. Ordered by prefix, then by
/// number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClauseId {
    prefix: String,
    number: u16,
}

impl ClauseId {
    /// Reads an id as it is written: `FLY-69`, `PND-06`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, digits) = text.split_once('-')?;
        let is_prefix = (2..=4).contains(&prefix.len());
        let is_number = (2..=3).contains(&digits.len());
        if !is_prefix || !is_number || !prefix.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return None;
        }
        let number = digits.parse().ok().filter(|number| *number > 0)?;
        let id = Self {
            prefix: prefix.to_owned(),
            number,
        };
        // One way of writing each, so that citations can be searched for.
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ClauseId {
    /// At least two digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{:02}", self.prefix, self.number)
    }
}

/// One numbered behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its name.
    pub id: ClauseId,
    /// How firmly the document says it.
    pub strength: Strength,
    /// What it says, in one or two sentences; for a gap, what we do and why.
    pub says: String,
    /// Why no case can cite it, where that is so.
    pub excused: Option<String>,
    /// A file of tests, below the workspace's root, that cites it: what no case can show.
    pub tested_by: Option<String>,
}

/// A document whose behaviours are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The prefix of its clauses.
    pub prefix: String,
    /// Its title and edition.
    pub title: String,
}

/// All clauses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Register {
    documents: BTreeMap<String, Document>,
    clauses: BTreeMap<ClauseId, Clause>,
}

/// A citation of a clause that the register does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown clause '{id}'{}", did_you_mean(.nearest.as_deref()))]
pub struct UnknownClause {
    /// As it was cited.
    pub id: String,
    /// The clause that was probably meant.
    pub nearest: Option<String>,
}

impl Register {
    /// The register that comes with the program.
    ///
    /// # Errors
    /// All faults of its files; none in a program that passed its tests.
    pub fn built_in() -> Result<Self, Faults> {
        Self::read(BUILT_IN)
    }

    /// Reads a register from its files, each a name and a text: the keys `document` and `prefix`,
    /// then one table for each clause.
    ///
    /// # Errors
    /// All faults of all files at once, each with its place.
    pub fn read(files: &[(&str, &str)]) -> Result<Self, Faults> {
        let log = Log::default();
        let mut register = Self::default();
        for (name, text) in files {
            let tree = Node::parse(&format!("{name}.toml"), text, &log);
            register.add(&Reader::new(&tree, &log));
        }
        let faults = log.into_faults();
        if faults.is_empty() {
            Ok(register)
        } else {
            Err(faults)
        }
    }

    /// The clause that `id` names.
    ///
    /// # Errors
    /// There is none; the error names the nearest one.
    pub fn find(&self, id: &str) -> Result<&Clause, UnknownClause> {
        let found = ClauseId::parse(id).and_then(|id| self.clauses.get(&id));
        found.ok_or_else(|| {
            let ids: Vec<String> = self.clauses.keys().map(ClauseId::to_string).collect();
            let nearest = nearest(id, ids.iter().map(String::as_str));
            UnknownClause {
                id: id.to_owned(),
                nearest: nearest.map(str::to_owned),
            }
        })
    }

    /// Every clause, by prefix and number.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.values()
    }

    /// The clauses of the document with this prefix, by number.
    pub fn of_document<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Clause> {
        self.clauses()
            .filter(move |clause| clause.id.prefix == prefix)
    }

    /// Every document, by prefix.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// How many clauses there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clauses.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    fn add(&mut self, root: &Reader<'_>) {
        let title = root.need("document").text().unwrap_or_default();
        let slot = root.need("prefix");
        let prefix = slot.text().unwrap_or_default();
        let document = Document {
            prefix: prefix.to_owned(),
            title: title.to_owned(),
        };
        if self.documents.insert(prefix.to_owned(), document).is_some() {
            slot.fault(format!("another file has the prefix '{prefix}'"));
        }
        let keys = root.entries();
        for (entry, slot) in
            keys.filter(|(entry, _)| !["document", "prefix"].contains(&&*entry.key))
        {
            let id = ClauseId::parse(&entry.key).filter(|id| id.prefix == prefix);
            let Some(id) = id else {
                slot.fault(format!(
                    "'{}' is no clause of this file (expected {prefix}- and two or three digits)",
                    entry.key
                ));
                continue;
            };
            if let Some(table) = slot.table() {
                let clause = clause(&table, id);
                self.clauses.insert(clause.id.clone(), clause);
            }
        }
    }
}

fn clause(table: &Reader<'_>, id: ClauseId) -> Clause {
    let sentence = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    let strength = table.need("strength").word(&Strength::ALL);
    Clause {
        id,
        strength: strength.unwrap_or(Strength::Gap),
        says: table
            .need("says")
            .parsed("a sentence", sentence)
            .unwrap_or_default(),
        excused: table.may("excused").parsed("a reason", sentence),
        tested_by: table.may("tested_by").parsed("a file of tests", sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        Register::built_in().unwrap_or_else(|faults| panic!("{faults}"))
    }

    #[test]
    fn holds_every_clause_of_every_document() {
        let register = register();
        let counts: Vec<(&str, usize)> = register
            .documents()
            .map(|document| {
                let count = register.of_document(&document.prefix).count();
                (document.prefix.as_str(), count)
            })
            .collect();
        let expected = [
            ("AUE", 88),
            ("FAN", 145),
            ("FLY", 120),
            ("GIG", 59),
            ("NET", 51),
            ("PND", 33),
            ("WIRE", 8),
        ];
        assert_eq!(counts, expected);
        assert_eq!(register.len(), 504);
        for (prefix, count) in expected {
            let numbers = register
                .of_document(prefix)
                .map(|clause| usize::from(clause.id.number));
            assert!(numbers.eq(1..=count), "{prefix} has a hole");
        }
    }

    #[test]
    fn every_text_is_a_sentence_of_its_own() {
        let register = register();
        let mut seen = BTreeMap::new();
        for clause in register.clauses() {
            let says = &clause.says;
            assert!(
                says.ends_with('.') && says.len() > 20,
                "{}: {says}",
                clause.id
            );
            let same = seen.insert(says, &clause.id);
            assert_eq!(same, None, "{} says the same", clause.id);
        }
        let strengths = Strength::ALL.map(|(strength, _)| {
            register
                .clauses()
                .filter(|clause| clause.strength == strength)
                .count()
        });
        assert_eq!(strengths.iter().sum::<usize>(), 504);
        assert!(strengths.iter().all(|count| *count > 100), "{strengths:?}");
    }

    #[test]
    fn finds_a_clause_and_names_the_nearest_otherwise() {
        let register = register();
        let clause = register.find("PND-06").unwrap();
        assert_eq!(
            (clause.strength, clause.id.to_string().as_str()),
            (Strength::Must, "PND-06")
        );
        let message = |id| register.find(id).unwrap_err().to_string();
        assert_eq!(
            message("PND-6"),
            "unknown clause 'PND-6' (did you mean 'PND-06'?)"
        );
        assert_eq!(
            message("fly-112"),
            "unknown clause 'fly-112' (did you mean 'FLY-112'?)"
        );
        assert_eq!(message("nonsense"), "unknown clause 'nonsense'");
    }

    #[test]
    fn reads_ids_in_one_way_only() {
        for text in ["FLY-01", "WIRE-08", "FAN-145"] {
            assert_eq!(ClauseId::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "", "FLY", "FLY-1", "FLY-001", "FLY-00", "fly-01", "FLY-01a", "FLY-+1", "F-01",
        ] {
            assert_eq!(ClauseId::parse(text), None, "{text}");
        }
        let (small, large) = (ClauseId::parse("FLY-99"), ClauseId::parse("FLY-100"));
        assert!(small < large);
    }

    #[test]
    fn says_all_that_is_wrong_with_a_register() {
        let one =
            "document = \"One\"\nprefix = \"ONE\"\n[ONE-01]\nstrength = \"shall\"\nsays = \" \"\n";
        let two =
            "document = \"Two\"\nprefix = \"ONE\"\n[TWO-01]\nstrength = \"must\"\nsay = \"x\"\n";
        let faults = Register::read(&[("one", one), ("two", two)])
            .unwrap_err()
            .to_string();
        for part in [
            "one.toml:4:12: 'ONE-01.strength' is 'shall' (expected one of must, should, gap)",
            "one.toml:5:8: 'ONE-01.says' is ' ' (expected a sentence)",
            "two.toml:2:10: another file has the prefix 'ONE'",
            "'TWO-01' is no clause of this file (expected ONE- and two or three digits)",
        ] {
            assert!(faults.contains(part), "{part} in\n{faults}");
        }
        assert_eq!(faults.lines().count(), 4, "{faults}");
    }
}
