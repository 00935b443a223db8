//! Tables of comma-separated values (RFC 4180): how many rows there are, and how many are none.
//!
//! The first row names the columns. A row that has another number of fields, nothing in any of
//! them, or a field beyond `VALUE_BYTES_MAX` is rejected. Bytes are not looked at as text: phones
//! are given names in whatever encoding their office uses.

use crate::limits::{LINES_MAX, VALUE_BYTES_MAX};

/// What an import of entries came to (FAN-135).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Entries taken over.
    pub rows: u32,
    /// Entries that were not.
    pub rejected: u32,
}

/// One row as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    fields: usize,
    /// A field holds something but blanks.
    filled: bool,
    /// All quotes are closed, nothing stands behind one, no field is too long.
    sound: bool,
}

/// Counts the rows of a table; at most `LINES_MAX`, every one beyond is rejected unread as one.
/// `None` when the first row is no row of two columns or more, so that these bytes are no table.
#[must_use]
pub fn count(bytes: &[u8]) -> Option<Count> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.contains(&0) {
        return None;
    }
    let mut rest = text;
    let head = next_row(&mut rest)?;
    if !head.sound || !head.filled || head.fields < 2 {
        return None;
    }
    let mut count = Count::default();
    while let Some(row) = next_row(&mut rest) {
        if row.fields == 1 && !row.filled {
            // A blank line is no row.
            continue;
        }
        if row.sound && row.filled && row.fields == head.fields {
            count.rows += 1;
        } else {
            count.rejected += 1;
        }
        if count.rows + count.rejected >= LINES_MAX {
            count.rejected += u32::from(!rest.is_empty());
            break;
        }
    }
    Some(count)
}

/// Takes the next row off the text; none at its end.
fn next_row(rest: &mut &[u8]) -> Option<Row> {
    if rest.is_empty() {
        return None;
    }
    let mut row = Row {
        fields: 1,
        filled: false,
        sound: true,
    };
    let (mut quoted, mut closed) = (false, false);
    let mut length = 0_usize;
    let mut bytes = rest.iter().enumerate().peekable();
    let mut end = rest.len();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek().is_some_and(|(_, next)| **next == b'"') => {
                bytes.next();
                length += 1;
                row.filled = true;
            }
            b'"' if quoted => (quoted, closed) = (false, true),
            _ if quoted => {
                length += 1;
                row.filled |= !byte.is_ascii_whitespace();
            }
            b'"' if length == 0 && !closed => quoted = true,
            b',' => {
                row.fields += 1;
                (closed, length) = (false, 0);
            }
            b'\n' => {
                end = at + 1;
                break;
            }
            b'\r' => {}
            _ => {
                length += 1;
                row.filled |= !byte.is_ascii_whitespace();
                row.sound &= !closed || byte.is_ascii_whitespace();
            }
        }
        row.sound &= length <= VALUE_BYTES_MAX;
    }
    row.sound &= !quoted;
    *rest = rest.get(end..).unwrap_or_default();
    Some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(text: &str) -> Option<(u32, u32)> {
        count(text.as_bytes()).map(|count| (count.rows, count.rejected))
    }

    // FAN-135
    #[test]
    fn counts_rows_and_what_is_none() {
        let head = "Index,Name,Access Code\r\n";
        for (rows, expected) in [
            ("", (0, 0)),
            ("1,豆豆,123456789\r\n", (1, 0)),
            ("1,a,1\n2,b,2", (2, 0)),
            ("1,a,1\r\n\r\n2,b,2\r\n", (2, 0)),
            ("1,a\r\n2,b,2\r\n3,c,3,4\r\n", (1, 2)),
            (",,\r\n , ,\t\r\n", (0, 2)),
            ("1,\"a, \"\"b\"\"\nc\",2\r\n", (1, 0)),
            ("1,\"a\" b,2\n", (0, 1)),
            ("1,a\"b,2\n", (1, 0)),
            ("1,\"a,2\n3,b,4\n", (0, 1)),
        ] {
            assert_eq!(
                counted(&format!("{head}{rows}")),
                Some(expected),
                "{rows:?}"
            );
        }
        assert_eq!(counted("\u{feff}a,b\n1,2\n"), Some((1, 0)));
    }

    #[test]
    fn tells_a_table_from_other_bytes() {
        for text in [
            "",
            "\n",
            "one column\n1\n",
            ",\n1,2\n",
            "a,\"b\n",
            "a,b\0\n",
        ] {
            assert_eq!(counted(text), None, "{text:?}");
        }
    }

    #[test]
    fn holds_fields_and_rows_to_their_limits() {
        let long = "x".repeat(VALUE_BYTES_MAX);
        assert_eq!(counted(&format!("a,b\n1,{long}\n")), Some((1, 0)));
        assert_eq!(counted(&format!("a,b\n1,{long}x\n")), Some((0, 1)));
        let most = LINES_MAX as usize;
        let rows = |count: usize| format!("a,b\n{}", "1,2\n".repeat(count));
        assert_eq!(counted(&rows(most)), Some((LINES_MAX, 0)));
        assert_eq!(counted(&rows(most + 9)), Some((LINES_MAX, 1)));
    }

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = count(&bytes);
        }

        #[test]
        fn counts_what_it_wrote(fields in prop::collection::vec("[ -~]{1,8}", 2..40)) {
            let mut text = String::from("a,b\n");
            for field in &fields {
                let quoted = field.replace('"', "\"\"");
                text.push_str(&format!("x,\"{quoted}\"\n"));
            }
            prop_assert_eq!(counted(&text), Some((fields.len() as u32, 0)));
        }
    }
}
