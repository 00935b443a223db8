//! Where the framing of chunked messages lies (RFC 9112 §7.1): what is written across it is found
//! only without it.

use std::ops::Range;

/// Bytes of a chunk's head that are looked at: a size, extensions.
const HEAD_BYTES_MAX: usize = 1 << 10;
/// Bytes of a message's header that are looked at.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Ends a header.
const BLANK: &[u8] = b"\r\n\r\n";
/// Ends a line.
const END: &[u8] = b"\r\n";

/// The heads of chunks in the bytes of one way of a connection, in order; each with the end of line
/// before it.
pub(super) fn heads(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut heads = Vec::new();
    let mut at = 0;
    while let Some(body) = chunked_body(bytes, at) {
        at = chunks(bytes, body, &mut heads);
    }
    heads
}

/// Where the next chunked body begins.
fn chunked_body(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let end = memchr::memmem::find(rest, BLANK)?;
        let begins = end.saturating_sub(HEADER_BYTES_MAX);
        let header = rest.get(begins..end)?.to_ascii_lowercase();
        let named = memchr::memmem::rfind(&header, b"transfer-encoding:");
        at += end + BLANK.len();
        let value = named.and_then(|named| header.get(named..));
        let line = value.and_then(|value| value.split(|byte| *byte == b'\n').next());
        if line.is_some_and(|line| memchr::memmem::find(line, b"chunked").is_some()) {
            return Some(at);
        }
    }
}

/// Notes the heads of a body; where it ends.
fn chunks(bytes: &[u8], mut at: usize, heads: &mut Vec<Range<usize>>) -> usize {
    let mut from = at;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let near = rest
            .get(..rest.len().min(HEAD_BYTES_MAX))
            .unwrap_or_default();
        let Some(end) = memchr::memmem::find(near, END) else {
            return bytes.len();
        };
        let digits = near.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let digits = near.get(..digits.count()).unwrap_or_default();
        let size = std::str::from_utf8(digits).ok();
        let Some(size) = size.and_then(|it| usize::from_str_radix(it, 16).ok()) else {
            return at;
        };
        let data = at + end + END.len();
        heads.push(from..data);
        if size == 0 {
            return data;
        }
        from = data.saturating_add(size);
        // The data's own end of line belongs to the next head.
        at = from.saturating_add(END.len());
        if at > bytes.len() {
            return bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::heads;

    #[test]
    fn finds_the_framing_of_every_chunked_message() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=1\r\nabc\r\n\
                    2\r\nde\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n2\r\n\
                    HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n1\r\nf\r\n0\r\n\r\n";
        let found: Vec<_> = heads(text.as_bytes())
            .into_iter()
            .map(|head| &text[head])
            .collect();
        let expected = ["3;x=1\r\n", "\r\n2\r\n", "\r\n0\r\n", "1\r\n", "\r\n0\r\n"];
        assert_eq!(found, expected);
    }

    #[test]
    fn hostile_sizes_end_it() {
        let header = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in [
            "ffffffffffffffff\r\nx",
            "zz\r\n",
            "",
            "5\r\nab",
            "-1\r\n",
            "\r\n\r\n",
        ] {
            let text = format!("{header}{body}");
            assert!(heads(text.as_bytes()).len() <= 1, "{body:?}");
        }
    }
}
