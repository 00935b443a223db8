use super::*;
use crate::event::LineReason;

mod oracle;

/// The tokens as text, each with its line.
fn tokens(text: impl AsRef<[u8]>) -> Result<Vec<(String, u32)>, XmlFault> {
    let mut reader = Reader::new(text.as_ref());
    let mut out = Vec::new();
    while let Some(token) = reader.next()? {
        let shown = match token {
            Token::Open { name, empty } => {
                let attributes = reader.attributes().iter();
                let attributes: String = attributes
                    .map(|attribute| format!(" {}={:?}", attribute.name, attribute.value()))
                    .collect();
                let end = if empty { "/" } else { "" };
                format!("<{name}{attributes}{end}>")
            }
            Token::Close(name) => format!("</{name}>"),
            Token::Text(text) => format!("{text:?}"),
        };
        out.push((shown, reader.line()));
    }
    Ok(out)
}

fn lines(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    let lines = expected.iter();
    lines
        .map(|(token, line)| ((*token).to_owned(), *line))
        .collect()
}

fn fault(text: impl AsRef<[u8]>) -> (Broken, u32) {
    let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
    match tokens(text) {
        Ok(tokens) => panic!("{shown:?} was read as {tokens:?}"),
        Err(fault) => (fault.what, fault.line),
    }
}

#[test]
fn gives_tokens_with_their_lines() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a\nb -->\n<r a='1'\n \
                b = \"x &amp; &#65;&#x42;\ny\">\n  <c/>\n  <d>p &lt; q<![CDATA[<&>]]>\n</d \
                >\n</r>\n<!-- end -->\n<?end?>\n";
    let expected = lines(&[
        ("<r a=\"1\" b=\"x & AB y\">", 4),
        ("<c/>", 7),
        ("<d>", 8),
        ("\"p < q\"", 8),
        ("\"<&>\"", 8),
        ("\"\\n\"", 8),
        ("</d>", 9),
        ("</r>", 10),
    ]);
    assert_eq!(tokens(text), Ok(expected));
}

#[test]
fn counts_and_normalises_every_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "<a>\n<b\nx='1\n2'>\np\n\nq</b>\n<!--\n\n--><c>\n</c></a>".replace('\n', end);
        let expected = lines(&[
            ("<a>", 1),
            ("<b x=\"1 2\">", 2),
            ("\"\\np\\n\\nq\"", 4),
            ("</b>", 7),
            ("<c>", 10),
            ("\"\\n\"", 10),
            ("</c>", 11),
            ("</a>", 11),
        ]);
        assert_eq!(tokens(text), Ok(expected), "{end:?}");
    }
}

#[test]
fn keeps_blank_text_that_is_all_of_an_element() {
    let text = "<a> <b> </b> <c> <![CDATA[ ]]> </c> </a>";
    let texts = tokens(text).unwrap().into_iter().map(|(token, _)| token);
    let expected = [
        "<a>", "<b>", "\" \"", "</b>", "<c>", "\" \"", "\" \"", "\" \"", "</c>", "</a>",
    ];
    assert!(texts.eq(expected), "{:?}", tokens(text));
}

// A declaration that real files have.
#[test]
fn looks_at_no_declared_encoding() {
    let text = "<?xml version=\"1.0\" encoding=\"utf=8\"?><a>\u{20ac}</a>";
    assert_eq!(tokens(text).unwrap().len(), 3);
}

#[test]
fn finds_attributes_and_depth() {
    let mut reader = Reader::new(b"<a x='1' y='&lt;'><b/></a>");
    assert_eq!(reader.depth(), 0);
    let name = "a";
    assert_eq!(reader.next(), Ok(Some(Token::Open { name, empty: false })));
    assert_eq!(reader.attribute("y").as_deref(), Some("<"));
    assert_eq!(reader.attribute("z"), None);
    assert_eq!(reader.depth(), 1);
    let name = "b";
    assert_eq!(reader.next(), Ok(Some(Token::Open { name, empty: true })));
    assert!(reader.attributes().is_empty());
    assert_eq!(reader.depth(), 1);
    assert_eq!(reader.next(), Ok(Some(Token::Close("a"))));
    assert_eq!(reader.next(), Ok(None));
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn names_what_is_broken_and_where() {
    use Broken::*;

    let cases: [(&str, Broken, u32); 60] = [
        ("", NoRoot, 1),
        (" \n<!-- x -->\n", NoRoot, 3),
        ("<?xml version='1.0'?>", NoRoot, 1),
        ("\n<?xml version='1.0'?><a/>", Markup, 2),
        ("<a><?xml version='1.0'?></a>", Markup, 1),
        ("<?XML version='1.0'?><a/>", Markup, 1),
        ("<?xml", Unfinished, 1),
        ("<? x?><a/>", Name, 1),
        ("<?x\"?><a/>", Name, 1),
        ("text", Outside, 1),
        ("x<a/>", Outside, 1),
        ("<a/>\n\n x", Outside, 3),
        ("<a/>\n<b/>", Outside, 2),
        ("<a/></a>", Outside, 1),
        ("<a/>&amp;", Outside, 1),
        ("<a/><![CDATA[]]>", Outside, 1),
        ("<![CDATA[]]><a/>", Outside, 1),
        ("<a>", Unfinished, 1),
        ("<a>\n<b>\n</b>\n", Unfinished, 4),
        ("<a>\nx", Unfinished, 2),
        ("<a", Unfinished, 1),
        ("<", Unfinished, 1),
        ("<a ", Unfinished, 1),
        ("<a x", Unfinished, 1),
        ("<a x=", Unfinished, 1),
        ("<a x='", Unfinished, 1),
        ("<a></a", Unfinished, 1),
        ("<a></", Unfinished, 1),
        ("<a><!-- x --", Unfinished, 1),
        ("<a><!-- x", Unfinished, 1),
        ("<a><![CDATA[ x ]]", Unfinished, 1),
        ("<a></b>", Mismatch, 1),
        ("<a>\n<b></a>\n</b>", Mismatch, 2),
        ("<a><b></a>", Mismatch, 1),
        ("<a></ a>", Name, 1),
        ("< a/>", Name, 1),
        ("<1/>", Name, 1),
        ("<a><-/></a>", Name, 1),
        ("<\u{d7}/>", Name, 1),
        ("<a \u{b7}x='1'/>", Name, 1),
        ("<a/ >", Markup, 1),
        ("<a <b/></a>", Markup, 1),
        ("<a></a x>", Markup, 1),
        ("<a x='<'/>", Markup, 1),
        ("<a>\n]]></a>", Markup, 2),
        ("<a><!- x --></a>", Markup, 1),
        ("<a><!\u{2013} x --></a>", Markup, 1),
        ("<a><!--\n x -- y --></a>", Markup, 2),
        ("<a><!-- x ---></a>", Markup, 1),
        ("<a x/>", Attribute, 1),
        ("<a x=1/>", Attribute, 1),
        ("<a x='1'y='2'/>", Attribute, 1),
        ("<a x='1' y='2' x='3'/>", Duplicate, 1),
        ("<a>\n\n&auml;</a>", Reference, 3),
        ("<a x='& '/>", Reference, 1),
        ("<a>&#x110000;</a>", Reference, 1),
        ("<a x='&#xe1f4de;'/>", Reference, 1),
        ("<a>&#55296;</a>", Reference, 1),
        ("<!DOCTYPE a><a/>", DocumentType, 1),
        ("\n<!doctype html><html></html>", DocumentType, 2),
    ];
    for (text, what, line) in cases {
        assert_eq!(fault(text), (what, line), "{text:?}");
    }
}

#[test]
fn refuses_references_to_what_is_no_character() {
    for body in [
        "#0",
        "#",
        "#x",
        "#x0",
        "#xd800",
        "#xffff",
        "#x110000",
        "#99999999999",
        "#+65",
        "#-65",
        "#x+41",
        "#X41",
        "# 65",
        "AMP",
        "",
        "#65",
    ] {
        let text = format!("<a>&{body}</a>");
        assert_eq!(
            fault(text),
            (Broken::Reference, 1),
            "{body:?} without semicolon"
        );
        if body != "#65" {
            assert_eq!(
                fault(format!("<a>&{body};</a>")),
                (Broken::Reference, 1),
                "{body:?}"
            );
        }
    }
}

#[test]
fn refuses_characters_that_xml_cannot_hold() {
    for each in ["\0", "\u{1}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
        let texts = [
            format!("\n<a>{each}</a>"),
            format!("<a\nx='{each}'/>"),
            format!("<!--\r\n{each}--><a/>"),
        ];
        for text in texts {
            assert_eq!(fault(&text), (Broken::Character, 2), "{text:?}");
        }
    }
    for each in [
        "\u{7f}",
        "\u{fffd}",
        "\u{10000}",
        "\u{ef}",
        "\u{f000}",
        "\u{feff}",
    ] {
        assert!(tokens(format!("<a>{each}</a>")).is_ok(), "{each:?}");
    }
}

#[test]
fn refuses_other_encodings_by_name() {
    let text = "<a>\u{e4}</a>";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [b"\xff\xfe".to_vec(), little.clone()].concat();
    for bytes in [little, big, marked, b"\xfe\xff\0<".to_vec()] {
        assert_eq!(fault(bytes), (Broken::Utf16, 1));
    }
    assert_eq!(fault(b"<a>\n\xe4</a>"), (Broken::NotUtf8, 2));
    assert_eq!(fault(b"<a>\n\xc3"), (Broken::NotUtf8, 2));
}

#[test]
fn keeps_its_limits() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(tokens(nested(XML_DEPTH_MAX)).is_ok());
    assert_eq!(fault(nested(XML_DEPTH_MAX + 1)), (Broken::Depth, 1));

    let many = |count: u32| format!("<a>{}</a>", "\n<b/>".repeat(count as usize - 1));
    assert!(tokens(many(LINES_MAX)).is_ok());
    assert_eq!(
        fault(many(LINES_MAX + 1)),
        (Broken::Elements, LINES_MAX + 1)
    );

    let wide = |count: usize| {
        let attributes: String = (0..count).map(|at| format!(" x{at}='{at}'")).collect();
        format!("<a{attributes}/>")
    };
    assert!(tokens(wide(XML_ATTRIBUTES_MAX)).is_ok());
    assert_eq!(fault(wide(XML_ATTRIBUTES_MAX + 1)), (Broken::Attributes, 1));

    let long = |length: usize| format!("<a>{}</a>", "x".repeat(length - 7));
    assert!(tokens(long(FILE_BYTES_MAX)).is_ok());
    assert_eq!(fault(long(FILE_BYTES_MAX + 1)), (Broken::TooLarge, 1));
}

#[test]
fn tells_limits_from_grammar_and_repeats_itself() {
    let mut reader = Reader::new(b"<a\n></b>");
    assert!(reader.next().is_ok());
    let fault = reader.next().unwrap_err();
    assert_eq!(reader.next(), Err(fault));
    assert_eq!(fault.reason(), LineReason::Grammar);
    assert_eq!(fault.to_string(), "line 2: end tag of another element");
    let deep = "<a>".repeat(XML_DEPTH_MAX + 1);
    let fault = tokens(deep).unwrap_err();
    assert_eq!(fault.reason(), LineReason::OverLimit);
}

#[test]
fn expands_no_entities_of_the_document() {
    let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
    assert_eq!(fault(bomb), (Broken::DocumentType, 1));
}
