//! The answer of the HTTP sibling method.

use super::{Document, FormatOptions};
use crate::names::Names;

pub(super) fn read(_options: FormatOptions, _bytes: &[u8], _keys: &mut Names) -> Document {
    Document::default()
}
