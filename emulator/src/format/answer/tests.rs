use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::format::tests::{any_key, any_value, faults, pairs, settings};

const ROOT: &str = "flat-profile";

/// Writes the XML form, a `flat-profile` with one element for each setting. A setting whose key
/// cannot name an element is left out.
fn write_xml(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if !draft.title.is_empty() {
        // `--` would end the comment.
        let title = draft.title.replace('-', "\u{2010}");
        out.extend(["<!-- ", &title, " -->\n"]);
    }
    out.extend(["<", ROOT, ">\n"]);
    for (key, value) in draft.settings.iter().filter(|(key, _)| is_element(key)) {
        out.extend(["<", key, ">"]);
        push_escaped(&mut out, value);
        out.extend(["</", key, ">\n"]);
    }
    out.extend(["</", ROOT, ">\n"]);
    out.into_bytes()
}

/// Appends a text as XML character data; what XML cannot hold becomes a blank.
fn push_escaped(out: &mut String, text: &str) {
    for each in text.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(each),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            _ if each.is_control() => out.push(' '),
            _ => out.push(each),
        }
    }
}

const PLAIN: FormatOptions = FormatOptions {
    quoted: false,
    empty_clears: false,
    nested_boot: false,
    root_queries: false,
    seal: None,
};

fn read_text(text: impl AsRef<[u8]>) -> (Document, Names) {
    let mut keys = Names::default();
    let document = read(PLAIN, text.as_ref(), &mut keys, &mut Scratch::default());
    (document, keys)
}

fn lines(text: &str) -> Vec<(String, String, u32)> {
    let (document, keys) = read_text(text);
    assert_eq!(document.reading, Reading::Whole, "{text}");
    settings(&document, &keys)
}

fn line(key: &str, value: &str, line: u32) -> (String, String, u32) {
    (key.to_owned(), value.to_owned(), line)
}

#[test]
fn reads_quoted_lines() {
    let text = "sip_server=\"10.0.0.1\"\r\ncodec3 = \"g729\"\r\nbare=5060\r\n";
    let expected = [
        line("sip_server", "10.0.0.1", 1),
        line("codec3", "g729", 2),
        line("bare", "5060", 3),
    ];
    assert_eq!(lines(text), expected);
}

#[test]
fn reads_innermost_elements_with_their_lines() {
    let text = "<?xml version=\"1.0\"?>\r\n<!-- c -->\r\n<flat-profile>\r\n\
                <sip_server ua=\"na\">a &amp; b&#33;</sip_server>\r\n\
                <group>\r\n  <codec3>\r\n g729 </codec3><x><![CDATA[<&>]]></x>\r\n</group>\r\n\
                <unset/><unset2></unset2>\r\n</flat-profile>\r\n";
    let expected = [
        line("sip_server", "a & b!", 4),
        line("codec3", "g729", 6),
        line("x", "<&>", 7),
    ];
    assert_eq!(lines(text), expected);
    assert_eq!(
        lines("\u{feff}<a>1</a>\n<b>2</b>"),
        [line("a", "1", 1), line("b", "2", 2)]
    );
}

#[test]
fn clears_by_empty_elements_where_the_profile_says_so() {
    let options = FormatOptions {
        empty_clears: true,
        ..PLAIN
    };
    let mut keys = Names::default();
    let mut scratch = Scratch::default();
    let document = read(
        options,
        b"<p><a/><b> </b><c>1</c></p>",
        &mut keys,
        &mut scratch,
    );
    let expected = [("a", ""), ("b", ""), ("c", "1")];
    assert_eq!(
        pairs(&document, &keys),
        expected.map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    let empty = read(options, b"<p></p>", &mut keys, &mut scratch);
    assert_eq!(empty, Document::default());
}

#[test]
fn lets_the_later_element_win() {
    let (document, keys) = read_text("<p><a>1</a><b>2</b><a>3</a></p>");
    assert_eq!(
        settings(&document, &keys),
        [line("a", "3", 1), line("b", "2", 1)]
    );
    assert_eq!(&*document.text, "32");
}

#[test]
fn recognises_a_sealed_profile() {
    let blob = "0123456789abcdef".repeat(600);
    for text in [
        format!("<flat-profile><ENC>{blob}</ENC><sessionData>xyz</sessionData></flat-profile>"),
        format!("<flat-profile>\n<enc>\n{blob}\n{blob}\n</enc></flat-profile>"),
        format!("<flat-profile ENC=\"{blob}\" sessionData=\"1\"/>"),
    ] {
        let (document, _) = read_text(&text);
        let expected = Document {
            reading: Reading::Encrypted,
            ..Document::default()
        };
        assert_eq!(document, expected, "{}", &text[..40]);
    }
    assert_eq!(lines("<p><ENC>yes</ENC></p>"), [line("ENC", "yes", 1)]);
}

#[test]
fn takes_xml_that_is_not_well_formed_for_foreign() {
    for text in [
        "<p><a>1</a>",
        "<p><a>1</b></p>",
        "<p><a>1</a></p></q>",
        "<p><a>1</a></p> left over",
        "<p><a>1 & 2</a></p>",
        "<p><a>&#x110000;</a></p>",
        "<",
        "<!-- only a comment -->",
        "<p><a>1<",
    ] {
        let (document, _) = read_text(text);
        assert_eq!(document.reading, Reading::Foreign, "{text}");
        assert!(document.settings.is_empty(), "{text}");
        assert_eq!(faults(&document), [(LineReason::Grammar, 1, 1)], "{text}");
    }
    assert_eq!(read_text(b"<a>\xff</a>").0.reading, Reading::Foreign);
    assert_eq!(
        faults(&read_text("<p>\n<a>1</a>\n</q>").0),
        [(LineReason::Grammar, 1, 3)]
    );
}

#[test]
fn expands_no_entity_that_the_document_defines() {
    let text = "<!DOCTYPE p [<!ENTITY x \"xxxxxxxx\">]>\n<p><a>&x;&x;</a>\n<b>&lt;</b></p>";
    let (document, keys) = read_text(text);
    assert_eq!(settings(&document, &keys), [line("b", "<", 3)]);
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 2)]);
    assert_eq!(faults(&read_text("<p><a>&#0;</a></p>").0).len(), 1);
}

#[test]
fn counts_text_that_belongs_to_no_setting() {
    let (document, keys) = read_text("<p>\nlost<a>1</a>\nlost too<b>2</b></p>");
    assert_eq!(pairs(&document, &keys).len(), 2);
    assert_eq!(faults(&document), [(LineReason::Grammar, 2, 1)]);
    let (document, _) = read_text("<p><a=b>1</a=b></p>");
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 1)]);
}

#[test]
fn stops_at_its_limits() {
    let deep = |depth| "<a>".repeat(depth) + "1" + &"</a>".repeat(depth);
    assert_eq!(read_text(deep(XML_DEPTH_MAX)).0.reading, Reading::Whole);
    let (document, _) = read_text(deep(XML_DEPTH_MAX + 1));
    assert_eq!(document.reading, Reading::Foreign);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 1)]);

    let long = "v".repeat(VALUE_BYTES_MAX);
    let (document, _) = read_text(format!("<p><a>{long}</a>\n<b>{long}v</b></p>"));
    assert_eq!(document.settings.len(), 1);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 2)]);

    let most = usize::try_from(LINES_MAX).unwrap();
    let many = "<p>".to_owned() + &"<a>1</a>".repeat(most + 1) + "</p>";
    let (document, _) = read_text(many);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 2, 1)]);
    let tag = "k".repeat(NAME_BYTES_MAX + 1);
    let (document, _) = read_text(format!("<p><{tag}>1</{tag}></p>"));
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 1)]);
}

#[test]
fn leaves_out_what_xml_cannot_name() {
    let draft = Draft {
        title: "a -- b",
        settings: &[("1x", "no"), ("a b", "no"), ("ok", "a\u{1}\u{ffff}b")],
        ..Draft::default()
    };
    let (document, keys) = read_text(write_xml(&draft));
    assert_eq!(
        pairs(&document, &keys),
        [("ok".to_owned(), "a  b".to_owned())]
    );
}

proptest! {
    #[test]
    fn reads_what_it_wrote(
        settings in prop::collection::vec((any_key(), any_value()), 0..20),
        title in "[ -~]{0,20}",
        xml: bool,
    ) {
        let draft: Vec<_> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let draft = Draft { title: &title, settings: &draft, ..Draft::default() };
        let bytes = if xml { write_xml(&draft) } else { write(PLAIN, &draft) };
        let (document, keys) = read_text(bytes);
        prop_assert_eq!(faults(&document), []);
        prop_assert_eq!(document.reading, Reading::Whole);
        let expected: BTreeMap<_, _> = settings.into_iter().collect();
        let found: BTreeMap<_, _> = pairs(&document, &keys).into_iter().collect();
        prop_assert_eq!(found, expected);
    }
}
