//! What holds for every format, whatever the bytes.

use proptest::prelude::*;

use super::*;

/// The text of a document's settings as `(key, value, line)`, in key order.
pub(super) fn settings(document: &Document, keys: &Names) -> Vec<(String, String, u32)> {
    let line = |setting: &Setting| {
        let key = keys.text(setting.key).to_owned();
        (key, document.value(setting).to_owned(), setting.line())
    };
    document.settings.iter().map(line).collect()
}

/// The settings alone, as `(key, value)`.
pub(super) fn pairs(document: &Document, keys: &Names) -> Vec<(String, String)> {
    let lines = settings(document, keys).into_iter();
    lines.map(|(key, value, _)| (key, value)).collect()
}

/// The faults as `(reason, count, first line)`.
pub(super) fn faults(document: &Document) -> Vec<(LineReason, u32, u32)> {
    let groups = document.faults.groups().iter();
    groups
        .map(|group| (group.reason, group.count, group.first_line))
        .collect()
}

/// The links as `(URL, line, format)`.
pub(super) fn links(document: &Document) -> Vec<(&str, u32, Format)> {
    let links = document.links.iter();
    links
        .map(|link| (document.text(link.url), link.line, link.format))
        .collect()
}

/// Text that no line-based format takes for its own syntax: no line end, no blanks around it.
pub(super) fn any_value() -> impl Strategy<Value = String> {
    "[!-~äß€]([ -~äß€]{0,30}[!-~äß€])?"
}

pub(super) fn any_key() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,8}(\\.[a-z0-9_]{1,6}){0,3}"
}

fn any_options() -> impl Strategy<Value = FormatOptions> {
    any::<[bool; 3]>().prop_map(|[quoted, empty_clears, nested_boot]| FormatOptions {
        quoted,
        empty_clears,
        nested_boot,
        root_queries: false,
        seal: None,
    })
}

/// Bytes that get past the first look of every format, and some that do not.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        "[a-c]?[ \t]?=?[ \t\"]?[a-c]{0,3}\"?(\r|\n|\r\n)".prop_map(String::into_bytes),
        "(?i)include[ ]?:config[ ]?[<\"][a-c/]{0,3}\\.(cfg|boot)[>\"](\r|\n)?"
            .prop_map(String::into_bytes),
        "(Image_file|my_version)=\"[a-c.]{0,4}\"\n".prop_map(String::into_bytes),
        "(</?[a-c]( x=\"1\")?/?>|&[a-c#0-9lt]{1,3};|<!\\[CDATA\\[|\\]\\]>|<!--|-->)"
            .prop_map(String::into_bytes),
        "[0-9a-f]{28,36}".prop_map(String::into_bytes),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(vec![0xff]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn every_format() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().map(|(format, _)| format)
}

proptest! {
    #[test]
    fn makes_a_sound_document_of_any_bytes(
        bytes in any_file(),
        options in any_options(),
    ) {
        let lines = u32::try_from(bytes.len()).unwrap() + 1;
        for format in every_format() {
            let mut keys = Names::default();
            let document = read(format, options, &bytes, &mut keys);
            let again = read(format, options, &bytes, &mut keys);
            prop_assert_eq!(&document, &again, "the order of interning changed what was read");
            for pair in document.settings.windows(2) {
                prop_assert!(pair[0].key < pair[1].key);
            }
            let mut length = 0;
            let spans = document.settings.iter().map(Setting::value);
            for span in spans.chain(document.links.iter().map(|link| link.url)) {
                prop_assert_eq!(document.text(span).len(), span.length as usize);
                length += span.length as usize;
            }
            length += document.version.map_or(0, |span| span.length as usize);
            prop_assert_eq!(document.text.len(), length, "text holds what is pointed at only");
            prop_assert!(document.settings.iter().all(|s| (1..=lines).contains(&s.line())));
            prop_assert!(document.links.iter().all(|l| (1..=lines).contains(&l.line)));
            if document.reading != Reading::Whole {
                prop_assert!(document.settings.is_empty() && document.links.is_empty());
            }
        }
    }

    #[test]
    fn reuses_its_memory_without_a_trace(first in any_file(), second in any_file()) {
        for format in every_format() {
            let options = FormatOptions::default();
            let mut scratch = Scratch::default();
            let mut keys = Names::default();
            let _ = read_with(&mut scratch, format, options, &first, &mut keys);
            let reused = read_with(&mut scratch, format, options, &second, &mut keys);
            prop_assert_eq!(reused, read(format, options, &second, &mut keys));
        }
    }
}

#[test]
fn takes_error_pages_and_binary_for_foreign() {
    let pages: [&[u8]; 6] = [
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"\xef\xbb\xbf\r\n <HTML>\n<a href=\"x=y\">no</a>",
        b"<?xml version=\"1.0\"?><!DOCTYPE html><html><b>a=b</b></html>",
        b"\x7fELF\0\0\0=\n",
        b"<html>0123456789abcdef0123456789abcdef</html>",
        b"Not found",
    ];
    for page in pages {
        // Those two are not read here.
        let read_here = |format: &Format| !matches!(format, Format::Opaque | Format::Sections);
        for format in every_format().filter(read_here) {
            let mut keys = Names::default();
            let document = read(format, FormatOptions::default(), page, &mut keys);
            assert_eq!(document.reading, Reading::Foreign, "{format:?} {page:?}");
        }
    }
}

#[test]
fn reads_nothing_out_of_opaque_files() {
    let mut keys = Names::default();
    let document = read(Format::Opaque, FormatOptions::default(), b"a=b", &mut keys);
    assert_eq!(document, Document::default());
}

#[test]
fn packs_a_setting_into_twelve_bytes() {
    assert_eq!(size_of::<Setting>(), 12);
    let value = Span {
        start: u32::MAX,
        length: 4_096,
    };
    let setting = Setting::new(Name(u32::MAX), value, 100_000).unwrap();
    assert_eq!((setting.value(), setting.line()), (value, 100_000));
    let long = Span {
        start: 0,
        length: 8_192,
    };
    assert_eq!(Setting::new(Name(0), long, 1), None);
    assert_eq!(Setting::new(Name(0), value, 1 << 19), None);
}

#[test]
fn joins_fault_groups_by_reason() {
    let mut own = LineFaults::default();
    own.add(LineReason::Grammar, 7);
    own.add(LineReason::Grammar, 9);
    let mut model = LineFaults::default();
    model.add(LineReason::UnknownKey, 3);
    model.add(LineReason::Grammar, 5);
    let both = own.joined(&model);
    let groups: Vec<_> = both.groups().iter().collect();
    assert_eq!(groups.len(), 2);
    assert_eq!((groups[0].count, groups[0].first_line), (3, 5));
    assert_eq!((groups[1].count, groups[1].first_line), (1, 3));
}
