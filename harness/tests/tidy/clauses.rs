//! Every clause that is cited exists, with its text, in `scenarios/clauses/`.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use crate::lexer::Kind;
use crate::tree::{Fault, Source, Tree};

const CLAUSES: &str = "scenarios/clauses/";
const DOCUMENTS: [&str; 7] = ["WIRE", "NET", "PND", "FLY", "GIG", "AUE", "FAN"];
/// What stands between the two ends of a range, of which the second is a number alone.
const BETWEEN: [&str; 6] = ["…", "..=", "..", "–", "-", "/"];

pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut known = BTreeSet::new();
    let mut faults = Vec::new();
    let is_clauses = |path: &str| path.starts_with(CLAUSES) && path.ends_with(".toml");
    for source in tree
        .sources
        .iter()
        .filter(|source| is_clauses(&source.path))
    {
        match DeTable::parse(source.text) {
            Ok(table) => collect(table.get_ref(), &mut known),
            Err(error) => faults.push(source.fault(0, error.message())),
        }
    }
    if known.is_empty() {
        let what = "no clause is kept here, so no citation can be checked".to_owned();
        faults.push(Fault {
            file: CLAUSES.to_owned(),
            line: 0,
            what,
        });
        return faults;
    }
    for source in &tree.sources {
        let path = &source.path;
        if !path.ends_with(".rs") && !path.ends_with(".toml") && path != "README.md" {
            continue;
        }
        for (line, text) in citing(source) {
            let unknown = cited(text).into_iter().filter(|id| !known.contains(id));
            faults.extend(unknown.map(|id| source.fault(line, format!("no clause is {id}"))));
        }
    }
    faults
}

/// The lines that may cite, numbered: of Rust the comments and the product's literals, of other
/// files all. A test's literal may spell an id that is wrong on purpose.
fn citing(source: &Source) -> Vec<(usize, &str)> {
    if !source.is_rust() {
        return (1..).zip(source.text.lines()).collect();
    }
    let tokens = source.tokens.iter().filter(|token| match token.kind {
        Kind::Comment => true,
        Kind::Text => !(token.test || source.test),
        _ => false,
    });
    tokens
        .flat_map(|token| (token.line..).zip(token.text.lines()))
        .collect()
}

/// The clauses of a table: its keys that are ids, and the values of its keys `id`, at any depth.
fn collect(table: &DeTable, known: &mut BTreeSet<String>) {
    for (key, value) in table {
        let key: &str = key.get_ref();
        known.extend(whole(key));
        match value.get_ref() {
            DeValue::String(text) if key == "id" => known.extend(whole(text)),
            DeValue::Table(inner) => collect(inner, known),
            DeValue::Array(values) => {
                for value in values.iter() {
                    if let DeValue::Table(inner) = value.get_ref() {
                        collect(inner, known);
                    }
                }
            }
            _ => {}
        }
    }
}

/// `text`, if it is one id and nothing else.
fn whole(text: &str) -> Option<String> {
    let ids = cited(text);
    ids.into_iter().find(|id| id == text)
}

/// The ids in a line; both ends of a range.
fn cited(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        for (at, _) in line.match_indices(document) {
            let inside = line[..at].ends_with(|before: char| before.is_alphanumeric());
            let Some(tail) = line[at + document.len()..].strip_prefix('-') else {
                continue;
            };
            let digits = digits(tail);
            if inside || digits.is_empty() {
                continue;
            }
            found.push(format!("{document}-{digits}"));
            found.extend(range_end(&tail[digits.len()..]).map(|end| format!("{document}-{end}")));
        }
    }
    found
}

fn range_end(tail: &str) -> Option<&str> {
    let end = BETWEEN
        .iter()
        .find_map(|between| tail.strip_prefix(between))?;
    Some(digits(end)).filter(|digits| !digits.is_empty())
}

fn digits(text: &str) -> &str {
    let end = text
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::faults;
    use crate::tree::Tree;

    /// Ids are put together here so that this file itself cites none.
    fn check(path: &str, text: &str) -> Vec<String> {
        let ids = ["7", "15", "16"].map(|id| format!("[[clause]]\nid = \"FLY-{id}\"\n"));
        let kept = format!("{}[extra.{}-01]\n", ids.concat(), "PND");
        let cites = text.replace('~', "FLY-");
        let tree = Tree::sample(&[("scenarios/clauses/x.toml", &kept), (path, &cites)]);
        faults(&tree)
            .iter()
            .map(|fault| fault.to_string().replace("FLY-", "~"))
            .collect()
    }

    #[test]
    fn refuses_clauses_that_do_not_exist() {
        let text = "// ~7, ~8.\nconst A: &str = \"(~15…17)\"; // ~15–~18 B~9 ~x\n";
        let expected = [
            "a.rs:1: no clause is ~8",
            "a.rs:2: no clause is ~17",
            "a.rs:2: no clause is ~18",
        ];
        assert_eq!(check("a.rs", text), expected);
        assert_eq!(check("README.md", "~07"), ["README.md:1: no clause is ~07"]);
        assert_eq!(
            check("a.toml", "b = 1 # ~16/17"),
            ["a.toml:1: no clause is ~17"]
        );
    }

    #[test]
    fn finds_clauses_by_key_and_by_id() {
        assert!(check("a.rs", &format!("// ~7 ~15…16 {}-01", "PND")).is_empty());
        assert!(check("a.txt", "~8").is_empty());
    }

    #[test]
    fn lets_tests_spell_wrong_ids() {
        let test = "#[cfg(test)] mod tests { // ~9\n  const A: &str = \"~8\"; }";
        assert_eq!(check("a.rs", test), ["a.rs:1: no clause is ~9"]);
    }

    #[test]
    fn refuses_to_pass_without_clauses() {
        let tree = Tree::sample(&[("a.rs", "")]);
        assert!(faults(&tree)[0].what.starts_with("no clause is kept here"));
        let tree = Tree::sample(&[("scenarios/clauses/x.toml", "a = [")]);
        assert_eq!(faults(&tree).len(), 2);
    }
}
