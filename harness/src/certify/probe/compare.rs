//! What came against the file that is served.

use std::sync::Arc;

use md5::{Digest as _, Md5};

use crate::reference::content::File;
use crate::reference::tftp::netascii_text;

/// Compares pieces with a file as they come, or with nothing.
#[derive(Debug)]
pub(super) struct Compare {
    expected: Option<Expected>,
    /// Bytes that came.
    came: usize,
    /// The first byte that differs.
    wrong: Option<usize>,
    digest: Md5,
    is_whole: bool,
}

#[derive(Debug)]
struct Expected {
    path: String,
    /// `None`: the tree has no such file.
    bytes: Option<Arc<[u8]>>,
}

impl Compare {
    /// Whatever comes is right.
    pub(super) fn nothing() -> Self {
        Self {
            expected: None,
            came: 0,
            wrong: None,
            digest: Md5::new(),
            is_whole: false,
        }
    }

    /// What comes must be this file, perhaps as netascii has it.
    pub(super) fn with(path: &str, file: Option<File>, netascii: bool) -> Self {
        let bytes = file.map(|file| match netascii {
            true => netascii_text(&file.bytes),
            false => file.bytes,
        });
        Self {
            expected: Some(Expected {
                path: path.to_owned(),
                bytes,
            }),
            ..Self::nothing()
        }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &[u8]) {
        let start = self.came;
        self.came += piece.len();
        let Some(expected) = self.expected.as_ref() else {
            return;
        };
        self.digest.update(piece);
        if self.wrong.is_some() {
            return;
        }
        let bytes = expected.bytes.as_deref().unwrap_or_default();
        let rest = bytes.get(start..).unwrap_or_default();
        let same = piece.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if same < piece.len() {
            self.wrong = Some(start + same);
        }
    }

    /// Goes to a place in the file: what comes next belongs there (RFC 9110 §14.4).
    pub(super) fn part(&mut self, start: usize, length: usize) {
        let Some(expected) = self.expected.as_mut() else {
            return;
        };
        if let Some(bytes) = &expected.bytes {
            let end = start.saturating_add(length);
            expected.path = format!("bytes {start} to {end} of {}", expected.path);
            expected.bytes = Some(bytes.get(start..end).unwrap_or_default().into());
        }
    }

    /// Bytes that the file has; `None` where it is not known.
    pub(super) fn length(&self) -> Option<usize> {
        let expected = self.expected.as_ref()?;
        Some(expected.bytes.as_ref()?.len())
    }

    /// All of it came, as its protocol has it.
    pub(super) fn whole(&mut self) {
        self.is_whole = true;
    }

    /// Begins again: what came so far counts no more.
    pub(super) fn again(&mut self) {
        (self.came, self.wrong, self.is_whole) = (0, None, false);
        self.digest = Md5::new();
    }

    /// What was expected and what came, where they differ.
    pub(super) fn end(&mut self) -> Option<(String, String)> {
        let expected = self.expected.take()?;
        let path = &expected.path;
        let Some(bytes) = &expected.bytes else {
            let why = "the file to compare with is not in the tree".to_owned();
            return Some((format!("the file {path}"), why));
        };
        let length = bytes.len();
        if self.is_whole && self.wrong.is_none() && self.came == length {
            return None;
        }
        let told = |digest: Md5| hex(&digest.finalize());
        let sum = told(Md5::new_with_prefix(bytes));
        let wanted = format!("the file {path}, {length} bytes, MD5 {sum}");
        let got = told(std::mem::replace(&mut self.digest, Md5::new()));
        let came = self.came;
        let actual = match (self.is_whole, self.wrong) {
            (false, None) => format!("{came} bytes came, then no more"),
            (false, Some(at)) => {
                format!("{came} bytes came, then no more; they differ from byte {at} on")
            }
            (true, Some(at)) if at < length => {
                format!("{came} bytes, MD5 {got}; they differ from byte {at} on")
            }
            (true, _) => format!("{came} bytes, MD5 {got}"),
        };
        Some((wanted, actual))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(file: &[u8], pieces: &[&[u8]], whole: bool) -> Option<String> {
        let mut compare = Compare::with("a", Some(File::new(file.into())), false);
        pieces.iter().for_each(|piece| compare.take(piece));
        if whole {
            compare.whole();
        }
        compare.end().map(|(_, actual)| actual)
    }

    #[test]
    fn tells_where_what_came_differs() {
        assert_eq!(compare(b"abcdef", &[b"abc", b"def"], true), None);
        let told = compare(b"abcdef", &[b"abX", b"def"], true).expect("a difference");
        assert!(told.ends_with("differ from byte 2 on"), "{told}");
        let told = compare(b"abcdef", &[b"abc"], true).expect("a difference");
        assert!(told.starts_with("3 bytes, MD5 "), "{told}");
        let told = compare(b"abcdef", &[b"abc"], false).expect("a difference");
        assert_eq!(told, "3 bytes came, then no more");
        assert!(compare(b"ab", &[b"abc"], true).is_some());
    }

    #[test]
    fn a_part_is_compared_with_that_part_only() {
        let mut compare = Compare::with("a", Some(File::new(b"abcdef".as_slice().into())), false);
        compare.part(2, 3);
        compare.take(b"cde");
        compare.whole();
        assert_eq!(compare.end(), None);
    }

    #[test]
    fn a_file_that_is_not_there_equals_nothing() {
        let mut compare = Compare::with("a", None, false);
        compare.whole();
        assert!(compare.end().is_some());
        assert_eq!(Compare::nothing().end(), None);
    }
}
