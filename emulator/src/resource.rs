//! What a phone makes of the resources that its configuration names: enough to tell each from an
//! error page or another file, and to count what is in it.

use crate::event::Fault;
use crate::format::table::{self, Count};
use crate::format::xml::{Reader, Token};
use crate::limits::LINES_MAX;

/// Bytes of a BMP's file header.
const FILE_HEADER: usize = 14;

/// Whether bytes are a page about an error rather than a file: HTML, whatever its case.
#[must_use]
pub fn is_page(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    ["<html", "<!doctype html"].iter().any(|mark| {
        let head = start.get(..mark.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(mark.as_bytes()))
    })
}

/// Whether a file is a BMP picture (FAN-130): its mark, its own length, a place of the pixels
/// behind a header of a known size, and a width and height.
#[must_use]
pub fn is_picture(bytes: &[u8]) -> bool {
    let long = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    };
    let short = |at: usize| {
        let two = bytes.get(at..at + 2)?;
        Some(u32::from(u16::from_le_bytes(two.try_into().ok()?)))
    };
    let (Some(length), Some(pixels), Some(header)) = (long(2), long(10), long(FILE_HEADER)) else {
        return false;
    };
    let size = match header {
        12 => short(18).zip(short(20)),
        40 | 52 | 56 | 64 | 108 | 124 => long(18).zip(long(22)),
        _ => None,
    };
    let held = bytes.len() as u64;
    let header_end = FILE_HEADER as u64 + u64::from(header);
    bytes.starts_with(b"BM")
        && u64::from(length) <= held
        && (header_end..held).contains(&u64::from(pixels))
        && size.is_some_and(|(width, height)| width > 0 && height > 0)
}

/// Whether a file is a private key in PEM; it is no certificate, but may lie beside one.
#[must_use]
pub fn is_private_key(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"PRIVATE KEY-----").is_some()
}

/// Counts the rows of a CSV table; `None` when these bytes are none.
#[must_use]
pub fn table(bytes: &[u8]) -> Option<Count> {
    if bytes.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    table::count(bytes)
}

/// Counts the entries of a phone book in any of its three forms, told apart by content (FAN-127).
///
/// # Errors
/// `BadXml` for XML that cannot be read, `WrongFormat` for anything else that is no phone book.
pub fn phone_book(bytes: &[u8]) -> Result<Count, Fault> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = start.trim_ascii_start();
    if is_page(start) {
        return Err(Fault::WrongFormat);
    }
    if start.starts_with(b"<") {
        return elements(bytes);
    }
    let card = start.get(..11);
    if card.is_some_and(|card| card.eq_ignore_ascii_case(b"BEGIN:VCARD")) {
        return Ok(cards(start));
    }
    table::count(bytes).ok_or(Fault::WrongFormat)
}

/// The elements right below the root: each is an entry. One that says nothing is none.
fn elements(bytes: &[u8]) -> Result<Count, Fault> {
    let mut count = Count::default();
    let mut reader = Reader::new(bytes);
    let (mut root, mut filled) = (false, false);
    let mut add = |filled: bool| {
        count.rows += u32::from(filled);
        count.rejected += u32::from(!filled);
    };
    while let Some(token) = reader.next().map_err(|_| Fault::BadXml)? {
        let says = !reader.attributes().is_empty();
        match (token, reader.depth()) {
            (Token::Open { empty: true, .. }, 1) if root => add(says),
            (Token::Open { .. }, 1) => root = true,
            (Token::Open { .. }, 2) => filled = says,
            (Token::Open { .. }, _) => filled |= says,
            (Token::Text(text), depth) if depth >= 2 => filled |= !text.trim().is_empty(),
            (Token::Close(_), 1) => add(filled),
            _ => {}
        }
    }
    if root {
        Ok(count)
    } else {
        Err(Fault::WrongFormat)
    }
}

/// vCards (RFC 6350 §6.1.1): one without a number, or without an end, is none.
fn cards(text: &[u8]) -> Count {
    let mut count = Count::default();
    let mut open = false;
    let mut number = false;
    let is = |line: &[u8], word: &[u8]| {
        let head = line.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    for line in text.split(|byte| *byte == b'\n').take(LINES_MAX as usize) {
        if is(line, b"BEGIN:VCARD") {
            count.rejected += u32::from(open);
            (open, number) = (true, false);
        } else if is(line, b"TEL") {
            number = true;
        } else if is(line, b"END:VCARD") && open {
            open = false;
            count.rows += u32::from(number);
            count.rejected += u32::from(!number);
        }
    }
    count.rejected += u32::from(open);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(text: &str) -> Result<(u32, u32), Fault> {
        phone_book(text.as_bytes()).map(|count| (count.rows, count.rejected))
    }

    // FAN-127
    #[test]
    fn counts_a_phone_book_in_each_of_its_forms() {
        let xml = "<?xml version=\"1.0\"?>\n<PhoneBook><Entry><Name>a</Name><Tel>1</Tel></Entry>\
                   <Entry n=\"b\"/><Entry/><Entry> </Entry></PhoneBook>";
        assert_eq!(book(xml), Ok((2, 2)));
        assert_eq!(book("<PhoneBook></PhoneBook>"), Ok((0, 0)));
        let cards = "BEGIN:VCARD\r\nFN:a\r\nTEL;TYPE=work:1\r\nEND:VCARD\r\n\
                     BEGIN:VCARD\r\nFN:b\r\nEND:VCARD\r\nbegin:vcard\r\nTEL:2\r\n";
        assert_eq!(book(cards), Ok((1, 2)));
        assert_eq!(book("name,number\r\na,1\r\nb\r\n"), Ok((1, 1)));
        for (text, fault) in [
            ("", Fault::WrongFormat),
            ("<!DOCTYPE html><html><br></html>", Fault::WrongFormat),
            ("<PhoneBook><Entry></PhoneBook>", Fault::BadXml),
            ("not a book", Fault::WrongFormat),
        ] {
            assert_eq!(book(text), Err(fault), "{text}");
        }
    }

    fn bitmap() -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for number in [58_u32, 0, 54, 40, 1, 1] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(58, 0);
        bytes
    }

    // FAN-130
    #[test]
    fn tells_a_picture_from_what_only_begins_like_one() {
        assert!(is_picture(&bitmap()));
        for (at, byte) in [
            (0, b'X'),
            (2, 59),
            (10, 58),
            (10, 53),
            (14, 41),
            (18, 0),
            (22, 0),
        ] {
            let mut changed = bitmap();
            changed[at] = byte;
            assert!(!is_picture(&changed), "byte {at}");
        }
        for cut in 0..58 {
            assert!(!is_picture(&bitmap()[..cut]), "cut at {cut}");
        }
    }

    #[test]
    fn tells_pages_and_keys() {
        assert!(is_page(b"\r\n<HTML><body>404"));
        assert!(is_page(b"<!doctype HTML>"));
        assert!(!is_page(b"<openvpn>"));
        assert!(is_private_key(b"-----BEGIN EC PRIVATE KEY-----\nx\n"));
        assert!(!is_private_key(b"-----BEGIN CERTIFICATE-----"));
        assert_eq!(table(b"<a>,<b>\n"), None);
    }
}
