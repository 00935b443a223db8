//! What lies where, and that nothing points outside the repository.

use crate::tree::{Fault, Tree};

const TOP_LEVEL: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "emulator",
    "harness",
    "reports",
    "scenarios",
];

/// Places next to a checkout; in two parts, so that this file does not hold them.
const OUTSIDE: [&str; 2] = [concat!("..", "/shared"), concat!("/work", "/")];

pub(crate) fn misplaced(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in &tree.sources {
        let path = &source.path;
        let top = path.split('/').next().unwrap_or(path);
        if !top.starts_with('.') && !TOP_LEVEL.contains(&top) {
            faults.push(source.fault(0, format!("{top} has no place at the top level")));
        }
        if path.ends_with("/mod.rs") {
            faults.push(source.fault(0, "a module is name.rs beside name/, not mod.rs"));
        }
    }
    faults
}

pub(crate) fn outside_references(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in &tree.sources {
        for (line, text) in (1..).zip(source.text.lines()) {
            if let Some(place) = OUTSIDE.iter().find(|place| text.contains(*place)) {
                faults.push(source.fault(line, format!("{place} is outside the repository")));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{misplaced, outside_references};
    use crate::tree::Tree;

    #[test]
    fn refuses_files_out_of_place() {
        let tree = Tree::sample(&[
            ("notes.txt", ""),
            ("docs/a.md", ""),
            ("emulator/src/phone/mod.rs", ""),
            (".ci/run", ""),
            ("README.md", ""),
        ]);
        let found: Vec<_> = misplaced(&tree)
            .into_iter()
            .map(|fault| fault.file)
            .collect();
        assert_eq!(
            found,
            ["notes.txt", "docs/a.md", "emulator/src/phone/mod.rs"]
        );
    }

    #[test]
    fn refuses_references_to_the_outside() {
        for place in super::OUTSIDE {
            let text = format!("a\n# see {place}x\n");
            let found = outside_references(&Tree::sample(&[(".ci/run", &text)]));
            assert_eq!(
                found.iter().map(|fault| fault.line).collect::<Vec<_>>(),
                [2]
            );
        }
        let inside = Tree::sample(&[("a.toml", "path = \"../emulator\"")]);
        assert!(outside_references(&inside).is_empty());
    }
}
