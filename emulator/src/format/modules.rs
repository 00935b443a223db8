//! Modules of options in three dialects: text, XML with underscores, XML of nested elements
//! (FAN-27 … FAN-41). Which one it is tells the content.

use super::{Document, Draft, Format, FormatOptions, Reading, Scratch};
use crate::names::Names;

pub(super) fn read(
    _options: FormatOptions,
    _bytes: &[u8],
    _keys: &mut Names,
    _scratch: &mut Scratch,
) -> Document {
    Document {
        reading: Reading::Foreign,
        ..Document::default()
    }
}

pub(super) fn write(_format: Format, _draft: &Draft<'_>) -> Vec<u8> {
    Vec::new()
}
