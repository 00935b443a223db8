use proptest::prelude::*;

use super::*;
use crate::format::tests::{any_key, any_value, faults, pairs, settings};
use crate::format::{Reading, Setting};
use crate::limits::{LINES_MAX, VALUE_BYTES_MAX};

const PLAIN: FormatOptions = FormatOptions {
    quoted: false,
    empty_clears: false,
    nested_boot: false,
    root_queries: false,
    seal: None,
};
const QUOTED: FormatOptions = FormatOptions {
    quoted: true,
    ..PLAIN
};
const CLEARS: FormatOptions = FormatOptions {
    empty_clears: true,
    ..PLAIN
};

fn read_text(options: FormatOptions, text: impl AsRef<[u8]>) -> (Document, Names) {
    let mut keys = Names::default();
    let document = read(options, text.as_ref(), &mut keys, &mut Scratch::default());
    (document, keys)
}

fn lines(options: FormatOptions, text: &str) -> Vec<(String, String, u32)> {
    let (document, keys) = read_text(options, text);
    assert_eq!(document.reading, Reading::Whole, "{text:?}");
    settings(&document, &keys)
}

fn line(key: &str, value: &str, line: u32) -> (String, String, u32) {
    (key.to_owned(), value.to_owned(), line)
}

#[test]
fn splits_at_the_first_equals_sign_and_trims_both_sides() {
    let text = "a=1\n  b \t=\t two words \nc==x=y\nd= # no comment\n";
    let expected = [
        line("a", "1", 1),
        line("b", "two words", 2),
        line("c", "=x=y", 3),
        line("d", "# no comment", 4),
    ];
    assert_eq!(lines(PLAIN, text), expected);
}

#[test]
fn takes_hash_for_a_comment_at_the_start_of_a_line_only() {
    let text = "#a=1\n \t#b=2\nc=#3\nd#e=4\n";
    assert_eq!(
        lines(PLAIN, text),
        [line("c", "#3", 3), line("d#e", "4", 4)]
    );
}

#[test]
fn counts_lines_alike_under_every_line_end() {
    let expected = [line("a", "1", 2), line("b", "2", 4), line("c", "3", 5)];
    for end in ["\n", "\r\n", "\r"] {
        let text = ["# t", "a=1", "", "b=2", "c=3"].join(end);
        assert_eq!(lines(PLAIN, &text), expected, "{end:?}");
        assert_eq!(lines(PLAIN, &(text + end)), expected, "{end:?}");
    }
    assert_eq!(lines(PLAIN, "\r\n\n\ra=1"), [line("a", "1", 4)], "mixed");
}

#[test]
fn skips_a_byte_order_mark() {
    assert_eq!(lines(PLAIN, "\u{feff}a=1"), [line("a", "1", 1)]);
    assert_eq!(lines(PLAIN, "\u{feff}#c\na=1"), [line("a", "1", 2)]);
}

#[test]
fn leaves_out_empty_values_unless_they_clear() {
    let text = "a=\nb= \t\nc=\"\"\nd=1\n";
    assert_eq!(
        lines(PLAIN, text),
        [line("c", "\"\"", 3), line("d", "1", 4)]
    );
    assert_eq!(lines(QUOTED, text), [line("d", "1", 4)]);
    let cleared = [
        line("a", "", 1),
        line("b", "", 2),
        line("c", "\"\"", 3),
        line("d", "1", 4),
    ];
    assert_eq!(lines(CLEARS, text), cleared);
}

#[test]
fn strips_quotes_where_the_vendor_writes_them() {
    let text = "a=\"x y\"\nb=\" z \"\nc=\"half\nd=\"in\"side\"\ne=\"\n";
    let bare = [
        line("a", "x y", 1),
        line("b", " z ", 2),
        line("c", "\"half", 3),
        line("d", "in\"side", 4),
        line("e", "\"", 5),
    ];
    assert_eq!(lines(QUOTED, text), bare);
    assert_eq!(lines(PLAIN, text)[0], line("a", "\"x y\"", 1));
}

#[test]
fn lets_the_later_line_win_and_keeps_no_lost_value() {
    let (document, keys) = read_text(PLAIN, "a=first\nb=2\na=last\n");
    assert_eq!(
        settings(&document, &keys),
        [line("a", "last", 3), line("b", "2", 2)]
    );
    assert_eq!(&*document.text, "last2");
}

#[test]
fn orders_settings_by_key_number_whatever_their_order_in_the_file() {
    let mut keys = Names::default();
    let mut scratch = Scratch::default();
    let _ = read(PLAIN, b"a=1\nb=2\nc=3\n", &mut keys, &mut scratch);
    let document = read(PLAIN, b"c=z\na=x\nb=y\nd=w\n", &mut keys, &mut scratch);
    let expected = [
        line("a", "x", 2),
        line("b", "y", 3),
        line("c", "z", 1),
        line("d", "w", 4),
    ];
    assert_eq!(settings(&document, &keys), expected);
    assert_eq!(&*document.text, "xyzw");
}

#[test]
fn is_not_misled_by_the_key_that_followed_last_time() {
    let mut keys = Names::default();
    let mut scratch = Scratch::default();
    let _ = read(PLAIN, b"a=1\nbb=2\nc=3\n", &mut keys, &mut scratch);
    for (text, key) in [
        ("a=1\nbbb=x", "bbb"),
        ("a=1\nb=x", "b"),
        ("a=1\nbb =x", "bb"),
        ("a=1\nbb b=x", "bb b"),
    ] {
        let document = read(PLAIN, text.as_bytes(), &mut keys, &mut scratch);
        let name = keys.find(key).unwrap();
        let found = document.find(name).map(|setting| document.value(setting));
        assert_eq!(found, Some("x"), "{text:?}");
    }
    // A name with an equals sign, interned by somebody else, is no key.
    let mut keys = Names::default();
    keys.intern("a=b").unwrap();
    let document = read(PLAIN, b"a=b=c", &mut keys, &mut scratch);
    assert_eq!(settings(&document, &keys), [line("a", "b=c", 1)]);
}

#[test]
fn counts_lines_outside_the_grammar_and_reads_on() {
    let (document, keys) = read_text(PLAIN, "a=1\nnonsense\n=x\n \t=y\nb=2\n");
    assert_eq!(pairs(&document, &keys).len(), 2);
    assert_eq!(faults(&document), [(LineReason::Grammar, 3, 2)]);
}

#[test]
fn ignores_lines_that_are_not_utf8() {
    let (document, keys) = read_text(PLAIN, b"a=1\r\nb=\xff\xfe\r\nc=\xc3\xa4\r\n");
    assert_eq!(
        settings(&document, &keys),
        [line("a", "1", 1), line("c", "ä", 3)]
    );
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 2)]);
}

#[test]
fn takes_an_empty_file_for_a_whole_one_without_settings() {
    for text in ["", "\n\r\n \t\n", "\u{feff}", "# only a comment"] {
        let (document, _) = read_text(PLAIN, text);
        assert_eq!(document, Document::default(), "{text:?}");
    }
}

#[test]
fn takes_a_file_without_a_usable_line_for_foreign() {
    let texts: [&[u8]; 5] = [
        b"Not found\n",
        b"\xff\xfe\xfd",
        b"a=1\nb\0=2\n",
        b"=\n",
        b" <!doctype HTML>\na=1\n",
    ];
    for text in texts {
        let (document, _) = read_text(PLAIN, text);
        assert_eq!(document.reading, Reading::Foreign, "{text:?}");
        assert!(document.settings.is_empty());
    }
    let (template, _) = read_text(PLAIN, "a=\nb=\n");
    assert_eq!(
        template.reading,
        Reading::Whole,
        "an unfilled template is one of ours"
    );
}

#[test]
fn stops_at_its_limits_and_says_so() {
    let long = "v".repeat(VALUE_BYTES_MAX);
    let (document, _) = read_text(PLAIN, format!("a={long}\nb={long}v\nc=1\n"));
    assert_eq!(document.settings.len(), 2);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 2)]);

    let most = usize::try_from(LINES_MAX).unwrap();
    let (document, _) = read_text(PLAIN, "\n".repeat(most - 1) + "a=1\nb=2\n\nc=3");
    assert_eq!(
        document
            .settings
            .iter()
            .map(Setting::line)
            .collect::<Vec<_>>(),
        [LINES_MAX]
    );
    assert_eq!(
        faults(&document),
        [(LineReason::OverLimit, 2, LINES_MAX + 1)]
    );

    let key = "k".repeat(crate::names::NAME_BYTES_MAX + 1);
    let (document, _) = read_text(PLAIN, format!("{key}=1\na=2\n"));
    assert_eq!(document.settings.len(), 1);
    assert_eq!(faults(&document), [(LineReason::OverLimit, 1, 1)]);
}

#[test]
fn writes_nothing_that_would_start_a_line_of_its_own() {
    let draft = Draft {
        title: "one\ntwo",
        settings: &[("a", "1\nb=2\r\0x")],
        ..Draft::default()
    };
    let text = String::from_utf8(write(PLAIN, &draft)).unwrap();
    assert_eq!(text, "# one\n# two\na=1 b=2  x\n");
}

proptest! {
    #[test]
    fn reads_what_it_wrote(
        settings in prop::collection::vec((any_key(), any_value()), 0..20),
        title in "[ -~]{0,20}(\n[ -~]{0,20})?",
        quoted: bool,
    ) {
        let options = FormatOptions { quoted, ..PLAIN };
        let draft: Vec<_> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let draft = Draft { title: &title, settings: &draft, ..Draft::default() };
        let (document, keys) = read_text(options, write(options, &draft));
        prop_assert!(document.faults.groups().is_empty());
        let mut expected = std::collections::BTreeMap::new();
        expected.extend(settings);
        let found: std::collections::BTreeMap<_, _> =
            pairs(&document, &keys).into_iter().collect();
        prop_assert_eq!(found, expected);
    }

    /// The oracle: the clauses' rules said in the plainest way.
    #[test]
    fn agrees_with_a_plain_reading_of_the_rules(
        text in "([ab ]{0,2}[a-c]?[ #\"]?=?[=\" ]?[xyz]{0,2}[ \"]?(\n|\r\n|\r)){0,12}",
        quoted: bool,
        empty_clears: bool,
    ) {
        let options = FormatOptions { quoted, empty_clears, ..PLAIN };
        let mut expected = std::collections::BTreeMap::new();
        let normal = text.replace("\r\n", "\n").replace('\r', "\n");
        for (number, line) in (1..).zip(normal.lines()) {
            let line = line.trim();
            let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let (key, mut value) = (key.trim(), value.trim());
            let inner = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
            if quoted && inner {
                value = &value[1..value.len() - 1];
            }
            if !key.is_empty() && (empty_clears || !value.is_empty()) {
                expected.insert(key.to_owned(), (value.to_owned(), number));
            }
        }
        let (document, keys) = read_text(options, &text);
        let found: std::collections::BTreeMap<_, _> = settings(&document, &keys)
            .into_iter()
            .map(|(key, value, line)| (key, (value, line)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
