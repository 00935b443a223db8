//! The source tree: its text files, and the Rust among them as tokens.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lexer::{self, Kind, Token};

/// One place that breaks one rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub(crate) file: String,
    /// From 1; 0 is the file as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.what)
    }
}

pub(crate) struct Source {
    /// From the top of the repository, with `/`.
    pub(crate) path: String,
    /// Empty where the file is no UTF-8.
    pub(crate) text: &'static str,
    /// Empty where the file is no Rust.
    pub(crate) tokens: Vec<Token<'static>>,
    /// The whole file exists in tests only.
    pub(crate) test: bool,
}

impl Source {
    fn new(path: String, text: String) -> Self {
        // The tree lives as long as the test program.
        let text: &'static str = text.leak();
        let is_rust = path.ends_with(".rs");
        let tokens = if is_rust {
            lexer::tokens(text)
        } else {
            Vec::new()
        };
        let test = is_test_path(&path);
        Self {
            path,
            text,
            tokens,
            test,
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The tokens that are no comments.
    pub(crate) fn code(&self) -> Vec<Token<'static>> {
        let code = self
            .tokens
            .iter()
            .filter(|token| token.kind != Kind::Comment);
        code.copied().collect()
    }

    /// The tokens that are no comments and in no test.
    pub(crate) fn product(&self) -> Vec<Token<'static>> {
        let mut code = self.code();
        code.retain(|token| !token.test && !self.test);
        code
    }

    pub(crate) fn fault(&self, line: usize, what: impl Into<String>) -> Fault {
        Fault {
            file: self.path.clone(),
            line,
            what: what.into(),
        }
    }
}

pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
}

impl Tree {
    /// All files of the repository that are committed or could be.
    pub(crate) fn of_the_repository() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for path in paths(&root)? {
            let bytes = std::fs::read(root.join(&path))?;
            files.push((path, String::from_utf8(bytes).unwrap_or_default()));
        }
        Ok(Self::new(files))
    }

    /// A tree of the given paths and texts.
    pub(crate) fn sample(files: &[(&str, &str)]) -> Self {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self::new(owned.collect())
    }

    fn new(files: Vec<(String, String)>) -> Self {
        let new = |(path, text)| Source::new(path, text);
        let mut sources: Vec<_> = files.into_iter().map(new).collect();
        let modules: Vec<_> = sources.iter().flat_map(test_modules).collect();
        for source in &mut sources {
            source.test |= modules.iter().any(|module| {
                let tail = source.path.strip_prefix(module.as_str());
                tail.is_some_and(|tail| tail == ".rs" || tail.starts_with('/'))
            });
        }
        Self { sources }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_rust())
    }
}

/// What git keeps or would keep; where there is no git, everything but build output.
fn paths(root: &Path) -> io::Result<BTreeSet<String>> {
    let listed = Command::new("git")
        .current_dir(root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output();
    let mut paths = BTreeSet::new();
    match listed {
        Ok(listed) if listed.status.success() && !listed.stdout.is_empty() => {
            let text = String::from_utf8_lossy(&listed.stdout).into_owned();
            paths.extend(text.split_terminator('\0').map(str::to_owned));
        }
        _ => walk(root, Path::new(""), &mut paths)?,
    }
    paths.retain(|path| root.join(path).is_file());
    Ok(paths)
}

fn walk(root: &Path, inside: &Path, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let path: PathBuf = inside.join(entry.file_name());
        let is_output = path.ends_with("target") || path.ends_with(".git");
        if !entry.file_type()?.is_dir() {
            paths.insert(path.to_string_lossy().replace('\\', "/"));
        } else if !is_output {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

/// `tests.rs`, anything below a directory `tests`, and the fuzz targets.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| matches!(part, "tests" | "tests.rs" | "fuzz")) && path.ends_with(".rs")
}

/// The paths, without suffix, of the modules that `source` declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    let (parent, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let directory = if matches!(name, "lib" | "main") {
        parent
    } else {
        stem
    };
    let code = source.code();
    code.windows(3)
        .filter(|window| window[0].is("mod") && window[0].test && window[2].is(";"))
        .map(|window| format!("{directory}/{}", window[1].text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Fault, Tree};

    #[test]
    fn shows_a_fault_as_a_place_and_a_reason() {
        let fault = Fault {
            file: "a/b.rs".to_owned(),
            line: 3,
            what: "is long".to_owned(),
        };
        assert_eq!(fault.to_string(), "a/b.rs:3: is long");
    }

    #[test]
    fn finds_itself_in_the_repository() {
        let tree = Tree::of_the_repository().unwrap();
        assert!(
            tree.sources
                .iter()
                .any(|source| source.path == "harness/tests/tidy/tree.rs")
        );
        assert!(
            tree.sources
                .iter()
                .all(|source| !source.path.starts_with("target/"))
        );
    }

    #[test]
    fn knows_files_that_exist_in_tests_only() {
        let tree = Tree::sample(&[
            ("a/src/lib.rs", "mod x; #[cfg(test)] mod fixture;"),
            ("a/src/fixture.rs", ""),
            ("a/src/x.rs", "#[cfg(test)] mod world; mod fixture;"),
            ("a/src/x/world.rs", ""),
            ("a/src/x/world/deep.rs", ""),
            ("a/src/x/fixture.rs", ""),
            ("a/src/x/tests.rs", ""),
            ("a/tests/run.rs", ""),
            ("a/src/tests.toml", ""),
        ]);
        let tests: Vec<_> = tree
            .sources
            .iter()
            .filter(|source| source.test)
            .map(|source| &*source.path)
            .collect();
        let expected = [
            "a/src/fixture.rs",
            "a/src/x/world.rs",
            "a/src/x/world/deep.rs",
            "a/src/x/tests.rs",
            "a/tests/run.rs",
        ];
        assert_eq!(tests, expected);
    }
}
