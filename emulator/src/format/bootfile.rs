//! Boot files.

use super::{Document, Draft, FormatOptions};

pub(super) fn read(_options: FormatOptions, _bytes: &[u8]) -> Document {
    Document::default()
}

pub(super) fn write(_draft: &Draft<'_>) -> Vec<u8> {
    Vec::new()
}
