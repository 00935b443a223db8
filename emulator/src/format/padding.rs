//! Documents filled up with comments, for servers that are to be tried with larger files.

use super::Format;

/// Bytes of a comment line, its end included.
const LINE_BYTES: usize = 128;

/// Adds comment lines until the document has at least `bytes` bytes, and no more where a line can
/// be that short; a document that is as long already, or of a format without comments, stays as it
/// is.
pub fn pad(format: Format, document: &mut Vec<u8>, bytes: usize) {
    if !format.has_comments() {
        return;
    }
    if document.len() < bytes && document.last().is_some_and(|last| *last != b'\n') {
        document.push(b'\n');
    }
    while document.len() < bytes {
        let missing = bytes - document.len();
        let line = missing.clamp(2, LINE_BYTES);
        document.push(b'#');
        document.resize(document.len() + line - 2, b'.');
        document.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{self, FormatOptions};
    use crate::names::Names;

    #[test]
    fn a_document_that_was_filled_up_says_the_same() {
        for bytes in [0, 11, 12, 13, 14, 50, 127, 128, 129, 51_200] {
            let mut document = b"user=a\nx=b".to_vec();
            pad(Format::KeyValue, &mut document, bytes);
            assert!(
                document.len() >= bytes && document.len() <= bytes.max(11) + 2,
                "{bytes}"
            );
            let mut keys = Names::default();
            let read = format::read(
                Format::KeyValue,
                FormatOptions::default(),
                &document,
                &mut keys,
            );
            assert_eq!(read.settings.len(), 2);
            assert!(read.faults.groups().is_empty(), "{bytes}");
        }
        let mut sealed = vec![0; 4];
        pad(Format::Opaque, &mut sealed, 100);
        assert_eq!(sealed.len(), 4);
    }
}
