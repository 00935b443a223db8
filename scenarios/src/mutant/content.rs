//! A server's files as a mutant shows them.

use std::borrow::Cow;

use regex::bytes::Regex;

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What becomes of the files that a pattern names.
#[derive(Debug, Clone)]
pub struct ContentEdit {
    /// Their paths, `*` standing for any text, slashes included.
    pub file: String,
    /// What becomes of them.
    pub change: FileChange,
}

/// What becomes of a file.
#[derive(Debug, Clone)]
pub enum FileChange {
    /// It is not there.
    Missing,
    /// It is there under another name only; `*` stands for what it stood for in the pattern.
    Rename(String),
    /// It is found whatever the case of the letters that it is asked for in.
    AnyCase,
    /// Every occurrence of the first text becomes the second.
    Replace(Vec<u8>, Vec<u8>),
    /// What the expression matches becomes the text, `$1` standing for a group.
    Regex(Regex, Vec<u8>),
    /// The first so many bytes are left.
    Truncate(usize),
    /// It is these bytes instead.
    Whole(Vec<u8>),
    /// Bytes come behind it.
    Append(Vec<u8>),
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// Its lines end with CR LF.
    CrLf,
    /// Its letters are upper case.
    UpperCase,
}

/// Where a file that is asked for is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<'p> {
    /// Nowhere.
    Missing,
    /// At this path; where it is not, at the one that differs by case alone if `any_case`.
    At {
        /// The path.
        path: Cow<'p, [u8]>,
        /// Whether the case of letters counts not.
        any_case: bool,
    },
}

impl ContentEdit {
    /// Where the file is that is asked for by `path`, after all edits.
    #[must_use]
    pub fn locate<'p>(edits: &[Self], path: &'p [u8]) -> Shown<'p> {
        let mut any_case = false;
        let mut at = Cow::Borrowed(path);
        for edit in edits {
            let fits = || captures(edit.file.as_bytes(), path).is_some();
            match &edit.change {
                FileChange::Missing if fits() => return Shown::Missing,
                FileChange::AnyCase if fits() => any_case = true,
                FileChange::Rename(to) => {
                    if let Some(parts) = captures(to.as_bytes(), path) {
                        at = Cow::Owned(filled(edit.file.as_bytes(), &parts));
                    } else if fits() {
                        return Shown::Missing;
                    }
                }
                _ => {}
            }
        }
        Shown::At { path: at, any_case }
    }

    /// The file's bytes after all edits; `path` is where it really lies. `None` = as they were.
    #[must_use]
    pub fn apply(edits: &[Self], path: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let mut changed: Option<Vec<u8>> = None;
        for edit in edits {
            if captures(edit.file.as_bytes(), path).is_none() {
                continue;
            }
            let held = changed.as_deref().unwrap_or(bytes);
            changed = edit.change.of(held).or(changed);
        }
        changed
    }
}

impl FileChange {
    fn of(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::Missing | Self::Rename(_) | Self::AnyCase => return None,
            Self::Replace(from, to) => super::edit::replaced(bytes, from, to),
            Self::Regex(regex, to) => regex.replace_all(bytes, to.as_slice()).into_owned(),
            Self::Truncate(length) => bytes.get(..*length).unwrap_or(bytes).to_vec(),
            Self::Whole(whole) => whole.clone(),
            Self::Append(more) => [bytes, more].concat(),
            Self::ByteOrderMark => [BYTE_ORDER_MARK, bytes].concat(),
            Self::CrLf => {
                let plain = super::edit::replaced(bytes, b"\r\n", b"\n");
                super::edit::replaced(&plain, b"\n", b"\r\n")
            }
            Self::UpperCase => bytes.to_ascii_uppercase(),
        })
    }
}

/// What the `*` of a pattern stand for in a path; `None` when it does not fit. As many letters as
/// can be belong to an earlier one last: each takes as few as it can.
fn captures<'p>(pattern: &[u8], path: &'p [u8]) -> Option<Vec<&'p [u8]>> {
    let mut pieces = pattern.split(|letter| *letter == b'*');
    let first = pieces.next().unwrap_or_default();
    let mut rest = path.strip_prefix(first)?;
    let mut parts = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let at = match pieces.peek() {
            // The last piece ends the path.
            None => rest
                .len()
                .checked_sub(piece.len())
                .filter(|_| rest.ends_with(piece))?,
            Some(_) => find(rest, piece)?,
        };
        parts.push(rest.get(..at)?);
        rest = rest.get(at + piece.len()..)?;
    }
    rest.is_empty().then_some(parts)
}

/// A pattern with its `*` filled; the last part again where there are more of them.
fn filled(pattern: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, piece) in pattern.split(|letter| *letter == b'*').enumerate() {
        if let Some(before) = number.checked_sub(1) {
            let part = parts.get(before).or(parts.last());
            out.extend_from_slice(part.copied().unwrap_or_default());
        }
        out.extend_from_slice(piece);
    }
    out
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window == piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(edits: &[ContentEdit], path: &str) -> Option<String> {
        match ContentEdit::locate(edits, path.as_bytes()) {
            Shown::Missing => None,
            Shown::At { path, .. } => Some(String::from_utf8_lossy(&path).into_owned()),
        }
    }

    fn edit(file: &str, change: FileChange) -> ContentEdit {
        ContentEdit {
            file: file.to_owned(),
            change,
        }
    }

    #[test]
    fn a_pattern_fits_whole_paths() {
        for (pattern, path, parts) in [
            ("*", "a/b.cfg", Some(vec!["a/b.cfg"])),
            ("*.cfg", "a/b.cfg", Some(vec!["a/b"])),
            ("a/*.*", "a/b.c.d", Some(vec!["b", "c.d"])),
            ("a", "ab", None),
            ("*.cfg", "b.cfg.md5", None),
            ("a*a", "a", None),
        ] {
            let found = captures(pattern.as_bytes(), path.as_bytes());
            let texts = found.map(|parts| {
                let texts = parts.into_iter().map(String::from_utf8_lossy);
                texts.map(Cow::into_owned).collect::<Vec<_>>()
            });
            let parts = parts.map(|it| it.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(texts, parts, "{pattern} {path}");
        }
    }

    #[test]
    fn a_renamed_file_is_found_by_its_new_name_alone() {
        let edits = [edit("*.cfg", FileChange::Rename(String::from("*.CFG")))];
        assert_eq!(at(&edits, "a/b.CFG").as_deref(), Some("a/b.cfg"));
        assert_eq!(at(&edits, "a/b.cfg"), None);
        assert_eq!(at(&edits, "a/b.md5").as_deref(), Some("a/b.md5"));
    }

    #[test]
    fn changes_add_up() {
        let edits = [
            edit("*", FileChange::Replace(b"one".to_vec(), b"two".to_vec())),
            edit("*.txt", FileChange::ByteOrderMark),
            edit("*", FileChange::CrLf),
            edit("*.bin", FileChange::Missing),
        ];
        let shown = |path: &str| {
            let shown = ContentEdit::apply(&edits, path.as_bytes(), b"one\none\r\n");
            shown.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(shown("a.txt").as_deref(), Some("\u{feff}two\r\ntwo\r\n"));
        assert_eq!(shown("a.cfg").as_deref(), Some("two\r\ntwo\r\n"));
        let upper = [edit("*.md5", FileChange::UpperCase)];
        assert_eq!(ContentEdit::apply(&upper, b"a.cfg", b"ab"), None);
        let regex = Regex::new("^[0-9a-f]{2}").unwrap();
        let wrong = [edit("*", FileChange::Regex(regex, b"xx".to_vec()))];
        assert_eq!(
            ContentEdit::apply(&wrong, b"a.md5", b"abcdef").as_deref(),
            Some(&b"xxcdef"[..])
        );
    }
}
