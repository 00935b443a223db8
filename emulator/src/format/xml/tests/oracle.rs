//! The same documents through two other readers.
//!
//! Differences that are meant: `quick-xml` leaves duplicate attributes, unknown references,
//! characters and what stands beside the root to its caller; `roxmltree` looks at the declaration
//! and at namespaces, keeps some carriage returns, and has U+FFFD for numbers that are no
//! character. So names here have no prefix, what is
//! damaged stands after the declaration, and texts with a carriage return are left to `quick-xml`.

use std::fmt::Write;

use proptest::prelude::*;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::super::*;

/// A token, without the ways of writing it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Open(String, Vec<(String, String)>),
    Text(String),
    Close,
}

/// Parts, adjacent texts joined; blanks beside child elements do not count.
fn plain(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) => text.push_str(&more),
            (_, part) => joined.push(part),
        }
    }
    let leaf = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| joined.get(before));
        matches!(before, Some(Part::Open(..))) && joined.get(at + 1) == Some(&Part::Close)
    };
    let trimmed = joined
        .iter()
        .enumerate()
        .filter_map(|(at, part)| match part {
            Part::Text(text) if !leaf(at) => {
                let text = text.trim_ascii();
                (!text.is_empty()).then(|| Part::Text(text.to_owned()))
            }
            Part::Text(text) if text.is_empty() => None,
            part => Some(part.clone()),
        });
    trimmed.collect()
}

/// What we read, and the line of each element.
fn ours(text: &str) -> Result<(Vec<Part>, Vec<u32>), XmlFault> {
    let mut reader = Reader::new(text.as_bytes());
    let (mut parts, mut lines) = (Vec::new(), Vec::new());
    while let Some(token) = reader.next()? {
        match token {
            Token::Open { name, empty } => {
                let attributes = reader.attributes().iter().map(|attribute| {
                    let value = attribute.value().into_owned();
                    (attribute.name.to_owned(), value)
                });
                parts.push(Part::Open(name.to_owned(), attributes.collect()));
                parts.extend(empty.then_some(Part::Close));
                lines.push(reader.line());
            }
            Token::Close(_) => parts.push(Part::Close),
            Token::Text(text) => parts.push(Part::Text(text.into_owned())),
        }
    }
    Ok((plain(parts), lines))
}

fn quick(text: &str) -> Result<Vec<Part>, String> {
    let opened = |tag: &BytesStart<'_>| -> Result<Part, String> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| error.to_string())?.into_owned();
            attributes.push((attribute.key.into_inner().to_owned(), value));
        }
        Ok(Part::Open(tag.name().into_inner().to_owned(), attributes))
    };
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut parts = Vec::new();
    let mut depth = 0;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                depth += 1;
                parts.push(opened(&tag)?);
            }
            Event::Empty(tag) => parts.extend([opened(&tag)?, Part::Close]),
            Event::End(_) => {
                depth -= 1;
                parts.push(Part::Close);
            }
            Event::Text(text) if depth > 0 => parts.push(Part::Text(text.xml10_content().into())),
            Event::CData(text) => parts.push(Part::Text(text.xml10_content().into())),
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
                let text = character.map(String::from);
                let text = text.or_else(|| resolve_predefined_entity(&name).map(str::to_owned));
                parts.push(Part::Text(text.ok_or("unknown entity")?));
            }
            Event::Eof => return Ok(plain(parts)),
            _ => {}
        }
    }
}

/// What `roxmltree` reads, and the line of each element.
fn tree(text: &str) -> Result<(Vec<Part>, Vec<u32>), roxmltree::Error> {
    fn walk(node: roxmltree::Node<'_, '_>, parts: &mut Vec<Part>, lines: &mut Vec<u32>) {
        if node.is_element() {
            let attributes = node.attributes();
            let attributes = attributes.map(|each| (each.name().into(), each.value().into()));
            parts.push(Part::Open(
                node.tag_name().name().into(),
                attributes.collect(),
            ));
            let start = node.range().start;
            lines.push(node.document().text_pos_at(start).row);
            node.children().for_each(|child| walk(child, parts, lines));
            parts.push(Part::Close);
        } else if node.is_text() {
            parts.push(Part::Text(node.text().unwrap_or_default().into()));
        }
    }
    let document = roxmltree::Document::parse(text)?;
    let (mut parts, mut lines) = (Vec::new(), Vec::new());
    walk(document.root_element(), &mut parts, &mut lines);
    Ok((plain(parts), lines))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]",
        2 => "[A-Za-z_][A-Za-z0-9_.-]{0,6}",
        1 => "[\u{e4}\u{3b1}_][\u{e4}\u{3b1}\u{b7}0-9]{0,3}",
    ]
}

/// Characters of a text as they can be written, quotes apart.
fn written() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[ -%(-;=?-~]{0,12}".prop_map(|text| text.replace(['<', '&', ']'], "+")),
        2 => "[\n\r\t ]{1,3}",
        1 => "[\u{e4}\u{20ac}\u{1f4de}\u{fffd}]{1,3}",
        2 => "&(amp|lt|gt|quot|apos);",
        1 => "&#(10|13|32|65|8364|x20AC|x1f4de);",
        1 => "[>\\]]",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().replace("]]>", "]"))
}

fn attributes() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        written().prop_map(|text| format!("\"{}\"", text.replace('"', "'"))),
        written().prop_map(|text| format!("'{}'", text.replace('\'', "\""))),
    ];
    let blank = "[ \n\t\r]{1,2}";
    let attribute = (name(), blank, "[ \n]?=[ \n]?", value);
    prop::collection::vec(attribute, 0..4).prop_map(|attributes| {
        let mut out = String::new();
        for (at, (name, blank, equals, value)) in attributes.iter().enumerate() {
            let _ = write!(out, "{blank}{name}{at}{equals}{value}");
        }
        out
    })
}

/// What can stand between tags, `<` in it as markup only.
fn aside() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ \n]{0,4}",
        1 => "<!--[ a-c<>&\n]{0,6}-->",
        1 => "<\\?[a-c]{1,3}( [a-c<>&\n]{0,5})?\\?>",
    ]
}

/// An element that is well-formed.
fn element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        written(),
        aside(),
        "[ a-c<>&\n\r\\[]{0,6}".prop_map(|text| format!("<![CDATA[{text}]]>")),
        (name(), attributes(), "[ \n]?")
            .prop_map(|(name, list, end)| { format!("<{name}{list}{end}/>") }),
    ];
    let inner = leaf.prop_recursive(5, 40, 6, |inner| {
        let children = prop::collection::vec(inner, 0..6);
        (name(), attributes(), children, "[ \n]?").prop_map(|(name, list, children, end)| {
            // Two pieces of text must not make `]]>` together.
            let children = children.join("<!---->");
            format!("<{name}{list}{end}>{children}</{name}{end}>")
        })
    });
    (name(), attributes(), prop::collection::vec(inner, 0..5)).prop_map(|(name, list, children)| {
        format!("<{name}{list}>{}</{name}>", children.join("<!---->"))
    })
}

/// The declaration, if any, and the rest of a well-formed document.
fn document() -> impl Strategy<Value = (String, String)> {
    let head = prop_oneof![Just(""), Just("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")];
    let body = (aside(), element(), aside()).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
    (head.prop_map(str::to_owned), body)
}

/// A small damage: at a place, so many characters are replaced by this.
fn damage() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let put = prop_oneof![
        Just(String::new()),
        "[ -~]",
        "[<>&\"'=/!?\\]\\[-]{1,2}",
        "[\u{0}\u{b}\u{85}\u{2013}\u{d7}\u{fffe}\n\r]",
        prop::sample::select(vec![
            "]]>",
            "<!--",
            "-->",
            "--",
            "<?",
            "?>",
            "<![CDATA[",
            "</a>",
            "<a>",
            "<!DOCTYPE a>",
            "&a;",
            "&#1;",
            "&#xe1f4de;",
            "&#xD800;",
            "<?xml version=\"1.0\"?>",
            " a=\"1\" a=\"2\"",
            "<a",
        ])
        .prop_map(str::to_owned),
    ];
    let put = put.prop_map(|put| put.replace(':', ";"));
    (any::<prop::sample::Index>(), 0..4_usize, put)
}

fn damaged(text: &str, damages: &[(prop::sample::Index, usize, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (place, length, put) in damages {
        let at = place.index(characters.len() + 1);
        let end = (at + length).min(characters.len());
        characters.splice(at..end, put.chars());
    }
    characters.into_iter().collect()
}

/// Whether a reference in it has a number beyond Unicode, or that of half a pair.
fn refers_to_no_character(text: &str) -> bool {
    text.split("&#").skip(1).any(|rest| {
        let digits = rest.split(';').next().unwrap_or_default();
        let number = match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        number.is_ok_and(|number| char::from_u32(number).is_none())
    })
}

proptest! {
    #[test]
    fn reads_what_two_other_readers_read((head, body) in document()) {
        let text = head + &body;
        let (parts, lines) = ours(&text).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        prop_assert_eq!(&quick(&text), &Ok(parts.clone()));
        let (expected, rows) = tree(&text).unwrap();
        if !text.contains('\r') {
            prop_assert_eq!(parts, expected);
            prop_assert_eq!(lines, rows);
        }
    }

    #[test]
    fn refuses_what_is_not_well_formed(
        (head, body) in document(),
        damages in prop::collection::vec(damage(), 1..3),
    ) {
        let text = head + &damaged(&body, &damages);
        match (ours(&text), tree(&text)) {
            (Ok((parts, _)), Ok((expected, _))) => {
                prop_assert_eq!(&quick(&text), &Ok(parts.clone()), "{}", text);
                prop_assert!(text.contains('\r') || parts == expected, "{}", text);
            }
            (Err(fault), Err(_)) => {
                let lines = 1 + text.matches(['\n', '\r']).count();
                prop_assert!((1..=lines).contains(&(fault.line as usize)));
            }
            (Ok(_), Err(error)) => prop_assert!(false, "only we read {text:?}: {error}"),
            // Of a number that is no character the other one makes U+FFFD; it must not stand there
            // (XML 1.0 §4.1), and the third one refuses it as we do.
            (Err(fault), Ok(_))
                if fault.what == Broken::Reference && refers_to_no_character(&text) =>
            {
                prop_assert!(quick(&text).is_err(), "{}", text);
            }
            // The other one takes any text for an instruction's target.
            (Err(fault), Ok(_)) if fault.what == Broken::Name && text.contains("<?") => {}
            (Err(fault), Ok(_)) => prop_assert!(false, "only we refuse {text:?}: {fault}"),
        }
    }

    #[test]
    fn finds_the_end_of_a_plain_value_as_byte_by_byte(
        text in "[ -~\u{0}-\u{1f}\u{80}\u{a2}\u{e4}\u{20ac}]{0,40}",
        quiet in "[a-z0-9%;=\u{7f}-\u{ff}]{0,40}",
    ) {
        for text in [quiet.clone() + &text, text + &quiet] {
            let plain = |byte: &u8| *byte >= b' ' && !b"\"'<&".contains(byte);
            let expected = text.bytes().take_while(plain).count();
            prop_assert_eq!(plain_length(text.as_bytes()), expected);
        }
    }

    #[test]
    fn ends_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut reader = Reader::new(&bytes);
        for _ in 0..=bytes.len() {
            match reader.next() {
                Ok(Some(_)) => prop_assert!(reader.line() > 0),
                _ => return Ok(()),
            }
        }
        prop_assert!(false, "more tokens than bytes");
    }

    #[test]
    fn reads_back_what_it_wrote(text in any::<String>(), value in any::<String>()) {
        let mut out = String::new();
        push_comment(&mut out, &value);
        out.push_str("<a");
        push_attribute(&mut out, "x", &value);
        out.push('>');
        push_text(&mut out, &text);
        out.push_str("</a>");
        let kept = |text: &str| -> String {
            text.chars().map(|each| if is_character(each) { each } else { ' ' }).collect()
        };
        let mut expected = vec![Part::Open("a".into(), vec![("x".into(), kept(&value))])];
        expected.extend((!text.is_empty()).then(|| Part::Text(kept(&text))));
        expected.push(Part::Close);
        prop_assert_eq!(ours(&out).map(|(parts, _)| parts), Ok(expected));
    }
}
