//! SIP on a stream: where a message ends (RFC 3261 §7.5, §18.3), and values that list elements.

use super::{
    HEADER_BYTES_MAX, Lines, TOO_MANY_BYTES, cut, decimal, find_outside, is_line_end, is_named,
    trim,
};
use crate::limits::SIP_STREAM_BYTES_MAX;
use crate::wire::Malformed;

/// The length of the first message in `bytes`, line ends before it included (keep-alives,
/// RFC 5626 §3.5.1); `None` while it is not complete. A message without Content-Length ends with
/// its header section.
///
/// # Errors
/// A header section over `HEADER_BYTES_MAX`, a Content-Length that is no number, a message over
/// `SIP_STREAM_BYTES_MAX`: nobody knows then where the next message begins.
pub fn frame(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let start = bytes.iter().take_while(|byte| is_line_end(**byte)).count();
    let mut lines = Lines { bytes, at: start };
    let mut body = 0;
    while let Some(line) = lines.next() {
        if lines.at - start > HEADER_BYTES_MAX {
            return Err(Malformed::new(TOO_MANY_BYTES, line.at));
        }
        let read = lines.bytes.get(..lines.at);
        let ended = read.is_some_and(|read| read.ends_with(b"\n"));
        if !ended {
            return Ok(None);
        }
        if line.text.is_empty() {
            return match lines.at + body {
                length if length - start > SIP_STREAM_BYTES_MAX => {
                    Err(Malformed::new("message longer than the limit", length))
                }
                length => Ok((length <= bytes.len()).then_some(length)),
            };
        }
        let (name, value) = cut(line.text, b':');
        let name = std::str::from_utf8(trim(name)).unwrap_or_default();
        if is_named(name, "Content-Length") {
            let number = decimal(trim(value.unwrap_or_default()))
                .and_then(|number| usize::try_from(number).ok())
                .map(|number| number.min(SIP_STREAM_BYTES_MAX + 1));
            body =
                number.ok_or_else(|| Malformed::new("content length is not a number", line.at))?;
        }
    }
    Ok(None)
}

/// The elements of a comma-separated value, trimmed; commas in quotes and angle brackets do not
/// count, empty elements are passed over.
pub fn elements(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let end = find_outside(text, at, b',');
            let element = trim(text.get(at..end).unwrap_or_default());
            at = end + 1;
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"\r\n\r\nSIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nl: 3\r\n\r\nabc";

    #[test]
    fn finds_the_end_of_a_message_and_only_when_it_is_there() {
        for short in 0..MESSAGE.len() {
            assert_eq!(frame(&MESSAGE[..short]), Ok(None), "{short}");
        }
        assert_eq!(frame(MESSAGE), Ok(Some(MESSAGE.len())));
        let two = [MESSAGE, b"OPTIONS"].concat();
        assert_eq!(frame(&two), Ok(Some(MESSAGE.len())));
        let bare = b"OPTIONS sip:a SIP/2.0\nCSeq: 1 OPTIONS\n\nrest";
        assert_eq!(frame(bare), Ok(Some(bare.len() - 4)));
        assert_eq!(frame(b"\r\n\r\n"), Ok(None));
    }

    #[test]
    fn refuses_what_has_no_end() {
        let wrong = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n";
        assert!(frame(wrong).is_err());
        let huge = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n";
        assert!(frame(huge).is_err());
        let endless = b"A: b\r\n".repeat(4_000);
        assert!(frame(&endless).is_err());
        assert!(frame(&[b'a'; 20_000]).is_err());
    }

    #[test]
    fn lists_elements() {
        let list = |text: &'static str| {
            elements(text.as_bytes())
                .map(|element| String::from_utf8_lossy(element).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            list("<sip:a@b;x=1,2>;expires=1 , \"q,r\" <sip:c@d>,, "),
            ["<sip:a@b;x=1,2>;expires=1", "\"q,r\" <sip:c@d>"]
        );
        assert_eq!(list(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn never_goes_beyond_what_came(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(length)) = frame(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
