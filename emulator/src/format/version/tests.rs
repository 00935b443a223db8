use proptest::prelude::*;

use super::*;
use crate::format::Reading;
use crate::format::tests::{any_value, faults, links, pairs};

fn read_text(text: &str) -> (Document, Names) {
    let mut keys = Names::default();
    let options = FormatOptions::default();
    let document = read(options, text.as_bytes(), &mut keys, &mut Scratch::default());
    (document, keys)
}

fn version(text: &str) -> Option<String> {
    let (document, _) = read_text(text);
    document.version.map(|span| document.text(span).to_owned())
}

#[test]
fn links_every_file_key_in_file_order() {
    let (document, keys) = read_text(
        "# c\nProm_file=\"blah.bin\"\noem=\"x\"\nImage_file = \"v2.bin\"\nExtra_FILE=z\n",
    );
    let expected = [
        ("blah.bin", 2, Format::Opaque),
        ("v2.bin", 4, Format::Opaque),
        ("z", 5, Format::Opaque),
    ];
    assert_eq!(links(&document), expected);
    assert_eq!(
        pairs(&document, &keys),
        [("oem".to_owned(), "x".to_owned())]
    );
    assert_eq!(
        document.version.map(|span| document.text(span)),
        Some("v2.bin")
    );
}

#[test]
fn prefers_a_version_key_over_the_image_name() {
    let cases = [
        (
            "Image_file=\"a.bin\"\nCurrentVersion=\"1.2\"\n",
            Some("1.2"),
        ),
        ("VERSION=1.3\nother_version=9\nImage_file=a\n", Some("1.3")),
        ("version=\"\"\nimage_FILE=\"a.bin\"\n", Some("a.bin")),
        ("version_file=\"b.bin\"\n", None),
        ("Prom_file=\"b.bin\"\n", None),
        ("oem=\"x\"\n", None),
    ];
    for (text, expected) in cases {
        assert_eq!(version(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn lets_the_later_of_two_equal_file_keys_win() {
    let (document, _) = read_text("Image_file=\"a\"\nProm_file=\"p\"\nImage_file=\"b\"\n");
    let expected = [("b", 3, Format::Opaque), ("p", 2, Format::Opaque)];
    assert_eq!(links(&document), expected);
    assert_eq!(document.version.map(|span| document.text(span)), Some("b"));
}

#[test]
fn counts_what_it_cannot_use() {
    let (document, _) = read_text("Image_file=\"a\u{1b}\"\nnonsense\nImage_file=\"\"\n");
    assert_eq!(links(&document), []);
    let expected = [(LineReason::NotALink, 1, 1), (LineReason::Grammar, 1, 2)];
    assert_eq!(faults(&document), expected);

    let many: String = (0..300).map(|n| format!("p{n}_file=x\n")).collect();
    let (document, _) = read_text(&many);
    assert_eq!(document.links.len(), DOCUMENT_LINKS_MAX);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 44, 257)]);

    let long = format!(
        "version={}\na_file={}\n",
        "v".repeat(VALUE_BYTES_MAX + 1),
        "u".repeat(URL_BYTES_MAX + 1)
    );
    let (document, _) = read_text(&long);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 2, 1)]);
    assert_eq!((document.version, document.links.len()), (None, 0));
}

#[test]
fn tells_foreign_files() {
    assert_eq!(read_text("Not found").0.reading, Reading::Foreign);
    assert_eq!(read_text("<!DOCTYPE html>").0.reading, Reading::Foreign);
    assert_eq!(read_text("").0.reading, Reading::Whole);
}

proptest! {
    #[test]
    fn reads_what_it_wrote(
        urls in prop::collection::vec("[a-zA-Z0-9_./-]{1,20}", 0..5),
        label in any_value(),
        number in "[0-9]\\.[0-9]{1,3}",
    ) {
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let settings = [("version", number.as_str()), ("oem", label.as_str())];
        let draft = Draft { title: "t", settings: &settings, links: &urls, ..Draft::default() };
        let text = String::from_utf8(write(&draft)).unwrap();
        let (document, keys) = read_text(&text);
        let found: Vec<&str> = links(&document).into_iter().map(|(url, _, _)| url).collect();
        prop_assert_eq!(found, urls);
        prop_assert_eq!(version(&text), Some(number));
        prop_assert_eq!(pairs(&document, &keys), [("oem".to_owned(), label)]);
    }
}
