//! Checksum files.

use super::{Document, Draft};

pub(super) fn read(_bytes: &[u8]) -> Document {
    Document::default()
}

pub(super) fn write(_draft: &Draft<'_>) -> Vec<u8> {
    Vec::new()
}
