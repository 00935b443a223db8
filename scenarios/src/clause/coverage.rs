//! What covers each clause: cases first; where no case can show it, a test that cites it; else the
//! reason why nothing can.

use std::collections::BTreeMap;

use super::{Clause, ClauseId, Register};
use crate::suite::Suite;

/// The cases of each clause.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    cases: BTreeMap<ClauseId, Vec<String>>,
}

/// What covers a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover<'a> {
    /// Cases, by id, in the order of their suites.
    Cases(&'a [String]),
    /// A file of tests.
    Test(&'a str),
    /// Nothing can, for this reason.
    Excused(&'a str),
    /// Nothing does.
    Nothing,
}

impl Coverage {
    /// What the cases of suites cover.
    #[must_use]
    pub fn of(suites: &[Suite]) -> Self {
        let mut cases: BTreeMap<ClauseId, Vec<String>> = BTreeMap::new();
        for case in suites.iter().flat_map(|suite| &suite.cases) {
            for id in case.clauses.iter().filter_map(|id| ClauseId::parse(id)) {
                cases.entry(id).or_default().push(case.id.clone());
            }
        }
        Self { cases }
    }

    /// What covers a clause.
    #[must_use]
    pub fn cover<'a>(&'a self, clause: &'a Clause) -> Cover<'a> {
        if let Some(cases) = self.cases.get(&clause.id) {
            return Cover::Cases(cases);
        }
        match (&clause.tested_by, &clause.excused) {
            (Some(file), _) => Cover::Test(file),
            (None, Some(reason)) => Cover::Excused(reason),
            (None, None) => Cover::Nothing,
        }
    }

    /// The clauses of a register that nothing covers.
    pub fn uncovered<'a>(&'a self, register: &'a Register) -> impl Iterator<Item = &'a Clause> {
        let clauses = register.clauses();
        clauses.filter(|clause| self.cover(clause) == Cover::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clause::Strength;
    use crate::suite;

    fn register() -> Register {
        Register::built_in().unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// Whether the tests in a file cite a clause by its id. A span, `AUE-57 … AUE-62`, cites its
    /// two ends: what lies between is named by nobody.
    fn cites(text: &str, id: &ClauseId) -> bool {
        text.match_indices(&id.to_string()).any(|(at, found)| {
            let after = text[at + found.len()..].bytes().next();
            !after.is_some_and(|byte| byte.is_ascii_digit())
        })
    }

    // The register is the promise; this is what keeps it.
    #[test]
    fn a_case_a_test_or_a_reason_covers_every_clause_that_binds() {
        let suites = suite::read_built_in().unwrap_or_else(|faults| panic!("{faults}"));
        let coverage = Coverage::of(&suites);
        let register = register();
        let binding = coverage
            .uncovered(&register)
            .filter(|clause| clause.strength == Strength::Must);
        let missing: Vec<String> = binding.map(|clause| clause.id.to_string()).collect();
        assert!(missing.is_empty(), "nothing covers {}", missing.join(" "));
    }

    #[test]
    fn tests_that_the_register_names_cite_their_clauses() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut silent = Vec::new();
        for clause in register().clauses() {
            let Some(file) = &clause.tested_by else {
                continue;
            };
            let id = &clause.id;
            let text = std::fs::read_to_string(root.join(file));
            let text = text.unwrap_or_else(|fault| panic!("{id}: {file}: {fault}"));
            let own = file.contains("/tests/") || file.ends_with("/tests.rs");
            let from = if own {
                Some(0)
            } else {
                text.find("#[cfg(test)]")
            };
            let tests = from.map_or("", |from| &text[from..]);
            assert!(tests.contains("#[test]"), "{id}: {file} has no test");
            if !cites(tests, id) {
                silent.push(format!("{id}: no test in {file} cites it"));
            }
        }
        assert!(silent.is_empty(), "{}", silent.join("\n"));
    }

    #[test]
    fn what_lies_within_a_span_is_not_cited() {
        let id = |text| ClauseId::parse(text).unwrap();
        for (text, cited) in [
            ("// AUE-61", true),
            ("// AUE-57 … AUE-62, AUE-64", false),
            ("(AUE-61 … AUE-62)", true),
            ("// AUE-611", false),
        ] {
            assert_eq!(cites(text, &id("AUE-61")), cited, "{text}");
        }
    }

    #[test]
    fn cases_come_before_tests_and_tests_before_reasons() {
        let suites = suite::read_built_in().unwrap_or_else(|faults| panic!("{faults}"));
        let coverage = Coverage::of(&suites);
        let register = register();
        let clause = register.find("PND-06").unwrap();
        let case = "plug-n-dial/checksum-before-config".to_owned();
        let cover = coverage.cover(clause);
        assert!(matches!(cover, Cover::Cases(cases) if cases.contains(&case)));
        let none = Coverage::default();
        let bare = Clause {
            tested_by: None,
            excused: None,
            ..clause.clone()
        };
        assert_eq!(none.cover(&bare), Cover::Nothing);
        let excused = Clause {
            excused: Some("why".to_owned()),
            ..bare.clone()
        };
        assert_eq!(none.cover(&excused), Cover::Excused("why"));
        let tested = Clause {
            tested_by: Some("a.rs".to_owned()),
            ..excused
        };
        assert_eq!(none.cover(&tested), Cover::Test("a.rs"));
    }
}
