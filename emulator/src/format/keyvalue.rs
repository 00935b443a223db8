//! `key=value` lines.

use super::{Document, Draft, FormatOptions};
use crate::names::Names;

pub(super) fn read(_options: FormatOptions, _bytes: &[u8], _keys: &mut Names) -> Document {
    Document::default()
}

pub(super) fn write(_options: FormatOptions, _draft: &Draft<'_>) -> Vec<u8> {
    Vec::new()
}
