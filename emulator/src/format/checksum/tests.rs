use proptest::prelude::*;

use super::*;
use crate::format::Reading;

const EMPTY_MD5: [u8; 16] = [
    0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e,
];

#[test]
fn finds_the_digest_in_every_usual_form() {
    let digits = "d41d8cd98f00b204e9800998ecf8427e";
    for text in [
        digits.to_owned(),
        digits.to_uppercase() + "\r\n",
        format!("{digits}  0011.txt\n"),
        format!("{digits} *0011.txt\n"),
        format!("MD5 (0011.txt) = {digits}\n"),
        format!("\u{feff}# 0011\n{digits}{digits}"),
    ] {
        assert_eq!(read(text.as_bytes()).checksum, Some(EMPTY_MD5), "{text}");
    }
}

#[test]
fn takes_sixteen_bytes_for_the_raw_digest() {
    assert_eq!(read(&EMPTY_MD5).checksum, Some(EMPTY_MD5));
    assert_eq!(
        read(b"0123456789abcdef").checksum,
        Some(*b"0123456789abcdef")
    );
}

#[test]
fn takes_anything_else_for_foreign() {
    let texts: [&[u8]; 5] = [
        b"",
        b"there is no checksum here",
        b"d41d8cd98f00b204e9800998ecf8427",
        b"d41d8cd98f00b204 e9800998ecf8427e",
        b"<html>d41d8cd98f00b204e9800998ecf8427e</html>",
    ];
    for text in texts {
        let document = read(text);
        assert_eq!(
            (document.reading, document.checksum),
            (Reading::Foreign, None),
            "{text:?}"
        );
    }
}

proptest! {
    #[test]
    fn reads_what_it_wrote(digest: [u8; 16], name in "[ -~]{0,30}") {
        let draft = Draft { checksum: Some((digest, &name)), ..Draft::default() };
        prop_assert_eq!(read(&write(&draft)).checksum, Some(digest));
    }
}
