//! Characters: which there can be where, references to them, line ends.

use memchr::{memchr, memchr_iter};

/// A byte's classes.
pub(super) const NAME_START: u8 = 1;
pub(super) const NAME: u8 = 2;
pub(super) const BLANK: u8 = 4;
/// Not a plain byte of a quoted value.
pub(super) const QUOTED: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let class = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => NAME_START | NAME,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            b' ' => BLANK,
            b'\t' | b'\n' | b'\r' => BLANK | QUOTED,
            ..b' ' | b'"' | b'\'' | b'<' | b'&' => QUOTED,
            _ => 0,
        };
        #[expect(clippy::indexing_slicing, reason = "below 256, at compile time")]
        {
            classes[byte] = class;
        }
        byte += 1;
    }
    classes
};

#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Line ends in a text that `next` follows: LF, CRLF, CR.
pub(super) fn line_ends(text: &[u8], next: Option<&u8>) -> u32 {
    let feeds = memchr_iter(b'\n', text).count();
    let mut lone = 0;
    for at in memchr_iter(b'\r', text) {
        lone += usize::from(text.get(at + 1).or(next) != Some(&b'\n'));
    }
    u32::try_from(feeds + lone).unwrap_or(u32::MAX)
}

/// XML 1.0, production 2.
pub(super) fn is_character(each: char) -> bool {
    matches!(each, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// XML 1.0, productions 4 and 5.
pub(super) fn is_name(name: &str) -> bool {
    let start = |each: char| {
        matches!(each,
            ':' | '_' | 'a'..='z' | 'A'..='Z'
            | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let further = |each: char| {
        matches!(each,
            '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    name.starts_with(start) && name.chars().all(|each| start(each) || further(each))
}

/// The character that a reference at the start of a text stands for, and its length in bytes.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
    /// `&#x10FFFF;` with some zeros before.
    const BYTES_MAX: usize = 24;
    let head = text.as_bytes().get(1..text.len().min(BYTES_MAX))?;
    let end = memchr(b';', head)?;
    let body = text.get(1..=end)?;
    let found = match body {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = body.strip_prefix('#')?;
            let (digits, radix) = match number.strip_prefix('x') {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            let signed = digits.starts_with('+');
            let number = u32::from_str_radix(digits, radix).ok()?;
            char::from_u32(number).filter(|each| !signed && is_character(*each))?
        }
    };
    Some((found, end + 2))
}

/// How many bytes at the start of a value are neither controls nor quotes, `<` or `&`; eight at a
/// time.
#[inline]
pub(super) fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    // The lowest high bit set is that of the first byte that is zero, or less than so much; those
    // above it mean nothing.
    let zero = |lanes: u64| lanes.wrapping_sub(ONES) & !lanes & HIGHS;
    let equal = |lanes: u64, byte: u8| zero(lanes ^ (ONES * u64::from(byte)));
    let mut length = 0;
    while let Some((eight, _)) = text.get(length..).and_then(<[u8]>::split_first_chunk::<8>) {
        let lanes = u64::from_le_bytes(*eight);
        let controls = lanes.wrapping_sub(ONES * u64::from(b' ')) & !lanes & HIGHS;
        // `&` and `'` differ in the lowest bit.
        let found = controls | equal(lanes, b'"') | equal(lanes & !ONES, b'&') | equal(lanes, b'<');
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let rest = text.get(length..).unwrap_or_default().iter();
    length + rest.take_while(|byte| class(**byte) & QUOTED == 0).count()
}

/// Appends a text with its references replaced and its line ends as LF or, in an attribute, all
/// blanks as spaces. References that are none stand as they are; the reader lets none pass.
pub(in crate::format) fn push_decoded(out: &mut String, raw: &str, attribute: bool) {
    let mut rest = raw;
    let special = |byte: &u8| matches!(byte, b'&' | b'\r' | b'\n' | b'\t');
    while let Some(at) = rest.as_bytes().iter().position(special) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (length, replacement) = match from.as_bytes() {
            [b'\t', ..] => (1, if attribute { ' ' } else { '\t' }),
            [b'&', ..] => reference(from).map_or((1, '&'), |(each, length)| (length, each)),
            [b'\r', b'\n', ..] => (2, if attribute { ' ' } else { '\n' }),
            _ => (1, if attribute { ' ' } else { '\n' }),
        };
        out.push(replacement);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// A text with its line ends as LF.
pub(super) fn decoded_plain(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\r') {
        out.extend([before, "\n"]);
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    out.push_str(rest);
    out
}
