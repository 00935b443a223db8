use proptest::prelude::*;

use super::*;
use crate::format::Reading;
use crate::format::tests::{faults, links};

const PLAIN: FormatOptions = FormatOptions {
    quoted: false,
    empty_clears: false,
    nested_boot: false,
    root_queries: false,
    seal: None,
};

fn document(text: &str) -> Document {
    read(PLAIN, text.as_bytes())
}

#[test]
fn reads_both_forms_in_file_order() {
    let text = "#!version:1.0.0.1\n# comment\ninclude:config <HTTP Directory/sip.cfg>\r\n\n\
                include:config \"http://10.20.0.88/HTTP Directory/sip.cfg\"\n";
    let document = document(text);
    let expected = [
        ("HTTP Directory/sip.cfg", 3, Format::KeyValue),
        (
            "http://10.20.0.88/HTTP Directory/sip.cfg",
            5,
            Format::KeyValue,
        ),
    ];
    assert_eq!(links(&document), expected);
    assert_eq!(faults(&document), []);
    assert_eq!(document.reading, Reading::Whole);
}

#[test]
fn tolerates_blanks_and_case_around_the_link() {
    for line in [
        "include:config<a.cfg>",
        " \tInclude : CONFIG\t< a.cfg > ",
        "INCLUDE:config \" a.cfg\"",
    ] {
        assert_eq!(
            links(&document(line)),
            [("a.cfg", 1, Format::KeyValue)],
            "{line}"
        );
    }
    assert_eq!(links(&document("include:config <A.CFG?mac=1>")).len(), 1);
}

#[test]
fn refuses_what_is_no_link_to_a_configuration_file() {
    for line in [
        "include:config a.cfg",
        "include:config <a.cfg",
        "include:config <a.cfg\"",
        "include:config <a.cfg> # why",
        "include:config <dir/>",
        "include:config <>",
        "include:config <.cfg>",
        "include:config <a.txt?x=.cfg>",
        "include:config <y0.boot>",
        "include:config <a\u{7}.cfg>",
        "include:firmware <a.cfg>",
        "includeconfig <a.cfg>",
        "a=b.cfg",
    ] {
        let document = document(&format!("# c\n{line}\n"));
        assert_eq!(links(&document), [], "{line}");
        assert_eq!(faults(&document), [(LineReason::NotALink, 1, 2)], "{line}");
    }
}

#[test]
fn follows_nested_boot_files_where_the_profile_says_so() {
    let options = FormatOptions {
        nested_boot: true,
        ..PLAIN
    };
    let document = read(
        options,
        b"include:config <sub/X.BOOT>\ninclude:config <a.cfg>\n",
    );
    let expected = [
        ("sub/X.BOOT", 1, Format::Boot),
        ("a.cfg", 2, Format::KeyValue),
    ];
    assert_eq!(links(&document), expected);
}

#[test]
fn keeps_a_limited_number_of_links_and_counts_the_rest() {
    let text = "include:config <a.cfg>\n".repeat(50_000);
    let document = document(&text);
    assert_eq!(document.links.len(), DOCUMENT_LINKS_MAX);
    assert_eq!(document.text.len(), 5 * DOCUMENT_LINKS_MAX);
    let over = 50_000 - u32::try_from(DOCUMENT_LINKS_MAX).unwrap();
    assert_eq!(
        faults(&document),
        [(LineReason::OverLimit, over, 50_001 - over)]
    );

    let long = format!("include:config <{}.cfg>\n", "x".repeat(URL_BYTES_MAX));
    let document = self::document(&long);
    assert_eq!(links(&document), []);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 1)]);
}

#[test]
fn tells_an_empty_boot_file_from_another_kind_of_file() {
    for text in ["", "\r\n", "# nothing yet\n", "include:config <x.boot>\n"] {
        assert_eq!(document(text).reading, Reading::Whole, "{text:?}");
    }
    for text in ["a=b\n", "404 not found", "<html></html>", "\0"] {
        assert_eq!(document(text).reading, Reading::Foreign, "{text:?}");
    }
}

proptest! {
    #[test]
    fn reads_what_it_wrote(
        urls in prop::collection::vec(
            "(http://[a-z.]{1,9}/)?[a-zA-Z0-9 /_.-]{0,20}[a-z]\\.cfg",
            0..9,
        ),
        title in "[ -~]{0,20}",
    ) {
        let urls: Vec<&str> = urls.iter().map(|url| url.trim()).collect();
        let draft = Draft { title: &title, links: &urls, ..Draft::default() };
        let document = read(PLAIN, &write(&draft));
        let found: Vec<&str> = links(&document).into_iter().map(|(url, _, _)| url).collect();
        prop_assert_eq!(found, urls);
        prop_assert_eq!(faults(&document), []);
    }
}
