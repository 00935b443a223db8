//! A server's files as mutants show them.

use std::sync::Arc;

use bootstorm_scenarios::mutant::{ContentEdit, Mutant, Shown};

use super::{Absent, File, Source};

/// Names looked at in one directory when the case of letters does not count.
const NAMES_MAX: usize = 10_000;

/// Files that are changed as they are asked for.
#[derive(Debug)]
pub struct Edited {
    under: Source,
    edits: Vec<ContentEdit>,
}

impl Source {
    /// The source as these mutants show it; itself where none of them is about files.
    #[must_use]
    pub fn edited(self, mutants: &[Arc<Mutant>]) -> Self {
        let edits = mutants.iter().flat_map(|mutant| &mutant.content);
        let edits: Vec<ContentEdit> = edits.cloned().collect();
        if edits.is_empty() {
            return self;
        }
        Self::Edited(Arc::new(Edited { under: self, edits }))
    }
}

impl Edited {
    /// The file at a path within the root.
    pub(super) fn find(&self, path: &[u8]) -> Result<File, Absent> {
        let Shown::At { path, any_case } = ContentEdit::locate(&self.edits, path) else {
            return Err(Absent::Missing);
        };
        match self.under.find(&path) {
            Err(Absent::Missing) if any_case => {
                let path = self.in_any_case(&path).ok_or(Absent::Missing)?;
                let file = self.under.find(&path)?;
                Ok(self.shown(&path, file))
            }
            found => Ok(self.shown(&path, found?)),
        }
    }

    /// The file whose name is exactly this, query included.
    pub(super) fn named(&self, whole: &[u8]) -> Option<File> {
        match ContentEdit::locate(&self.edits, whole) {
            Shown::At { path, .. } => {
                let file = self.under.named(&path)?;
                Some(self.shown(&path, file))
            }
            Shown::Missing => None,
        }
    }

    /// What is directly below a path, but for what is not there.
    pub(super) fn list(&self, path: &[u8]) -> Vec<(String, Option<u64>)> {
        let names = self.under.list(path, NAMES_MAX).into_iter();
        let there = names.filter(|(name, length)| {
            let whole = [path, name.as_bytes()].concat();
            length.is_none() || ContentEdit::locate(&self.edits, &whole) != Shown::Missing
        });
        there.collect()
    }

    fn shown(&self, path: &[u8], file: File) -> File {
        match ContentEdit::apply(&self.edits, path, &file.bytes) {
            Some(bytes) => File::new(bytes.into()),
            None => file,
        }
    }

    /// The path of the file that differs from this by the case of letters alone.
    fn in_any_case(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut at: Vec<u8> = Vec::new();
        let mut segments = path.split(|byte| *byte == b'/').peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            let names = self.under.list(&at, NAMES_MAX).into_iter();
            let (name, _) = names
                .filter(|(_, length)| length.is_some() == last)
                .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(segment))?;
            at.extend_from_slice(name.as_bytes());
            if !last {
                at.push(b'/');
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_scenarios::mutant;

    use super::super::Tree;
    use super::*;

    fn edited(content: &str) -> Source {
        let text =
            format!("[[mutant]]\nname = 'server/content/x'\nwhat = 'x'\ncontent = [{content}]\n");
        let mutants = mutant::read(&[("a", &text)]).unwrap();
        let mutants: Vec<_> = mutants.iter().cloned().collect();
        let mut tree = Tree::default();
        for path in ["Site/A.cfg", "b.cfg", "app?class=sip"] {
            tree.insert(path, path.as_bytes()).unwrap();
        }
        Source::tree(tree).edited(&mutants)
    }

    fn text(source: &Source, target: &str) -> Option<String> {
        let file = source.find_target(target).ok()?;
        assert_eq!(file.md5, File::new(Arc::clone(&file.bytes)).md5);
        Some(String::from_utf8_lossy(&file.bytes).into_owned())
    }

    #[test]
    fn files_are_changed_missing_or_elsewhere() {
        let source = edited(
            "{ file = 'b.*', upper_case = true }, { file = 'Site/*', rename = 'site/*' }, \
             { file = 'app*', append = '!' }",
        );
        assert_eq!(text(&source, "/b.cfg").as_deref(), Some("B.CFG"));
        assert_eq!(text(&source, "/site/A.cfg").as_deref(), Some("Site/A.cfg"));
        assert_eq!(text(&source, "/Site/A.cfg"), None);
        assert_eq!(
            text(&source, "/app?class=sip").as_deref(),
            Some("app?class=sip!")
        );
        let missing = edited("{ file = 'app*', missing = true }");
        assert_eq!(text(&missing, "/app?class=sip"), None);
        assert_eq!(missing.list(b"", 10).len(), 2);
    }

    #[test]
    fn letters_of_any_case_find_a_file_only_where_a_mutant_says_so() {
        let source = edited("{ file = '*', any_case = true }");
        assert_eq!(text(&source, "/sITE/a.CFG").as_deref(), Some("Site/A.cfg"));
        assert_eq!(text(&source, "/sITE/c.CFG"), None);
        let plain = edited("{ file = 'x', missing = true }");
        assert_eq!(text(&plain, "/sITE/a.CFG"), None);
    }
}
