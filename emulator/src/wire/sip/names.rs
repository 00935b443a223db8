//! Names of header fields, long and compact.

/// Compact header names (RFC 3261 §7.3.3, §20; RFC 6665 §8.2.1 for `o` and `u`; the IANA list of
/// SIP header fields for the others).
pub(super) const COMPACT: [(u8, &str); 18] = [
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'x', "Session-Expires"),
];

/// True when a header name as written is the long name `name`; any case, compact form included.
#[must_use]
pub fn is_named(written: &str, name: &str) -> bool {
    if written.eq_ignore_ascii_case(name) {
        return true;
    }
    let &[letter] = written.as_bytes() else {
        return false;
    };
    COMPACT.iter().any(|(compact, long)| {
        *compact == letter.to_ascii_lowercase() && long.eq_ignore_ascii_case(name)
    })
}

/// The long form of a header name: a compact one written out, any other as it is.
#[must_use]
pub fn long_name(written: &str) -> &str {
    let &[letter] = written.as_bytes() else {
        return written;
    };
    let letter = letter.to_ascii_lowercase();
    let mut known = COMPACT.iter();
    let found = known.find(|(compact, _)| *compact == letter);
    found.map_or(written, |(_, long)| long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_names_are_written_out() {
        for (written, long) in [
            ("i", "Call-ID"),
            ("L", "Content-Length"),
            ("call-id", "call-id"),
            ("z", "z"),
            ("", ""),
        ] {
            assert_eq!(long_name(written), long);
            assert!(is_named(written, long));
        }
    }
}
