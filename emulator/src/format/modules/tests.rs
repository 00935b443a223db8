use proptest::prelude::*;

use super::super::tests::{any_value, faults, pairs, settings};
use super::super::{Format, read, write};
use super::*;
use crate::event::LineReason;
use crate::limits::{LINES_MAX, VALUE_BYTES_MAX, XML_DEPTH_MAX};

const CLEARS: FormatOptions = FormatOptions {
    quoted: false,
    empty_clears: true,
    nested_boot: false,
    root_queries: false,
    seal: None,
};
const DIALECTS: [Format; 3] = [Format::ModuleText, Format::ModuleXml, Format::ModuleTree];

fn read_as(options: FormatOptions, bytes: &[u8]) -> (Document, Names) {
    let mut keys = Names::default();
    let document = read(Format::ModuleText, options, bytes, &mut keys);
    (document, keys)
}

fn read_file(text: &str) -> (Document, Names) {
    read_as(FormatOptions::default(), text.as_bytes())
}

fn found(text: &str) -> Vec<(String, String)> {
    let (document, keys) = read_file(text);
    assert_eq!(document.reading, Reading::Whole, "{text}");
    pairs(&document, &keys)
}

fn owned(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    expected.iter().map(pair).collect()
}

/// The header line as the form demands it, without its line end.
fn header(version: &str) -> String {
    let length = HEADER_BYTES - 2;
    format!(
        "{:length$}",
        format!("<<VOIP CONFIG FILE>>Version:{version}")
    )
}

#[test]
fn reads_the_text_form() {
    // FAN-28 … FAN-34, FAN-40.
    let text = format!(
        "{}\r\n\r\n<GLOBAL CONFIG MODULE>\r\nTime Zone :32\r\n\r\n<AUTOUPDATE CONFIG MODULE>\r\n\
         Auto Image Url      :ftp://123:123@172.16.6.70:8000/x4.z\r\n\
         Auto Etc Url :tftp://172.16.6.70/sips.pem\r\n\r\n<<END OF FILE>>\r\n",
        header("2.0002")
    );
    let (document, keys) = read_file(&text);
    let expected = [
        ("global.time zone", "32", 4),
        (
            "autoupdate.auto image url",
            "ftp://123:123@172.16.6.70:8000/x4.z",
            7,
        ),
        ("autoupdate.auto etc url", "tftp://172.16.6.70/sips.pem", 8),
    ]
    .map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
    assert_eq!(settings(&document, &keys), expected);
    assert_eq!(
        document.version.map(|span| document.text(span)),
        Some("2.0002")
    );
    assert!(document.tolerated.is_empty() && document.faults.groups().is_empty());
}

#[test]
fn takes_no_option_without_a_module() {
    // FAN-32.
    let text = "<<VOIP CONFIG FILE>>Version:1\nPNP Enable :0\n<SIP CONFIG MODULE>\nSIP  Port:5060\n\
                </SIP CONFIG MODULE>\nLost:1\n<SIP>\nLost:2\n<PHONE FEATURE MODULE>\nKept:3\n\
                <CONFIG MODULE>\nA:4\n< MODULE>\nLost:5\n";
    let (document, keys) = read_file(text);
    let expected = [
        ("sip.sip port", "5060"),
        ("phone feature.kept", "3"),
        ("config.a", "4"),
    ];
    assert_eq!(pairs(&document, &keys), owned(&expected));
    assert_eq!(
        faults(&document),
        [(LineReason::NoModule, 4, 2), (LineReason::Grammar, 3, 5)]
    );
}

#[test]
fn splits_at_the_first_colon_and_passes_over_heads_of_lists() {
    // FAN-33; the heads are in files in use.
    let text = "<SIP CONFIG MODULE>\n--SIP Line List--  :\nSIP1 Phone Number  :101\n\
                --Port Config--:\nSIP1 Record Start :Record:on\n\tSIP2 Phone Number:\u{a0}x \n\
                no colon\n:no key\n----:dashes\n";
    let (document, keys) = read_file(text);
    let expected = [
        ("sip.sip1 phone number", "101"),
        ("sip.sip1 record start", "Record:on"),
        ("sip.sip2 phone number", "\u{a0}x"),
        ("sip.----", "dashes"),
    ];
    assert_eq!(pairs(&document, &keys), owned(&expected));
    assert_eq!(faults(&document), [(LineReason::Grammar, 2, 7)]);
}

#[test]
fn takes_keys_in_either_case() {
    // FAN-129: one sample writes `Auto etc Url`.
    let spellings = [
        "Auto etc Url",
        "AUTO ETC URL",
        "Auto_Etc_Url",
        "auto  etc\turl",
    ];
    for spelling in spellings {
        let text = format!("<AutoUpdate Config Module>\n{spelling}   :a.pem\n");
        assert_eq!(found(&text), owned(&[("autoupdate.auto etc url", "a.pem")]));
    }
}

#[test]
fn knows_a_remark_on_the_length_from_a_bracket() {
    // FAN-39.
    let text = "<GLOBAL CONFIG MODULE>\nHost Name :VOIP (not less than 20 characters)\n\
                Title :Bob (Sales)\nOther :(max 3 characters)\nLast:a(3 characters)\n";
    let expected = [
        ("global.host name", "VOIP"),
        ("global.title", "Bob (Sales)"),
        ("global.last", "a(3 characters)"),
    ];
    assert_eq!(found(text), owned(&expected));
}

#[test]
fn tolerates_a_missing_header_and_footer_but_no_missing_module() {
    // FAN-38, FAN-28, FAN-31.
    use Tolerance::{HeaderLength, NoFooter, NoHeader};
    let exact = header("2.0002");
    let cases: [(String, &[Tolerance]); 7] = [
        (
            format!("{exact}\r\n<A MODULE>\r\nb:c\r\n<<END OF FILE>>"),
            &[],
        ),
        (
            format!("\u{feff}{exact}\r\n<A MODULE>\r\nb:c\r\n<<end of file>>"),
            &[],
        ),
        (
            format!("{exact}\n<A MODULE>\nb:c\n<<END OF FILE>>"),
            &[HeaderLength],
        ),
        (
            format!("\r\n{exact}\r\n<A MODULE>\nb:c\n<<END OF FILE>>"),
            &[HeaderLength],
        ),
        ("<A MODULE>\rb:c\r<<END OF FILE>>".to_owned(), &[NoHeader]),
        (
            "<<VOIP CONFIG FILE>>\n<A MODULE>\nb:c".to_owned(),
            &[HeaderLength, NoFooter],
        ),
        ("\n \n<A MODULE>\nb:c\n".to_owned(), &[NoHeader, NoFooter]),
    ];
    for (text, tolerated) in cases {
        let (document, keys) = read_file(&text);
        assert_eq!(&*document.tolerated, tolerated, "{text:?}");
        assert_eq!(pairs(&document, &keys), owned(&[("a.b", "c")]));
    }
    let (document, _) = read_file("Host Name :VOIP\nTime Zone :32\n");
    assert_eq!(document.reading, Reading::Foreign);
    let (document, _) = read_file("<<VOIP CONFIG FILE>>Version:3\nHost Name :VOIP\n");
    assert_eq!(document.reading, Reading::Whole);
    assert_eq!(faults(&document), [(LineReason::NoModule, 1, 2)]);
}

#[test]
fn gives_the_version_as_it_stands() {
    // FAN-30.
    let cases = [
        (
            "<<VOIP CONFIG FILE>>Version:2.0000000000   \n<A MODULE>\n",
            Some("2.0000000000"),
        ),
        ("<<VOIP CONFIG FILE>> version: 2 a \n", Some("2 a")),
        ("<<VOIP CONFIG FILE>>Version:\n", None),
        ("<<VOIP CONFIG FILE>>\n", None),
        ("<A MODULE>\n<<VOIP CONFIG FILE>>Version:2\n", None),
        (
            "<VOIP_CONFIG_FILE><Version> 7 </Version></VOIP_CONFIG_FILE>",
            Some("7"),
        ),
        // FAN-37.
        (
            "<VOIP_CONFIG_FILE><Digests>2.0002</Digests></VOIP_CONFIG_FILE>",
            Some("2.0002"),
        ),
        (
            "<sysConf><Version>2.1</Version><net/></sysConf>",
            Some("2.1"),
        ),
        ("<sysConf><Version/></sysConf>", None),
    ];
    for (text, version) in cases {
        let (document, _) = read_file(text);
        assert_eq!(document.reading, Reading::Whole, "{text}");
        assert_eq!(
            document.version.map(|span| document.text(span)),
            version,
            "{text}"
        );
    }
}

#[test]
fn ignores_and_counts_lines_that_are_not_utf_8() {
    let (document, keys) = read_as(
        FormatOptions::default(),
        b"<A MODULE>\nname:M\xfcller\nb:c\n<<END OF FILE>>\nname:\xff\n",
    );
    assert_eq!(pairs(&document, &keys), owned(&[("a.b", "c")]));
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 2)]);
}

#[test]
fn an_empty_value_leaves_or_clears_the_stored_one() {
    let texts = [
        "<A MODULE>\nb :\nc:1\n",
        "<VOIP_CONFIG_FILE><A_MODULE><b> </b><c>1</c></A_MODULE></VOIP_CONFIG_FILE>",
        "<sysConf><a><b/><c>1</c></a></sysConf>",
    ];
    for text in texts {
        assert_eq!(found(text), owned(&[("a.c", "1")]));
        let (document, keys) = read_as(CLEARS, text.as_bytes());
        assert_eq!(pairs(&document, &keys), owned(&[("a.b", ""), ("a.c", "1")]));
    }
}

#[test]
fn reads_the_form_with_underscores() {
    // FAN-35; lists as in files in use (vendor-facts).
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<VOIP_CONFIG_FILE>\n\
        <version>2.0002</version>\n<SIP_CONFIG_MODULE>\n<SIP__Port>5060</SIP__Port>\n\
        <SIP_Line_List>\n<SIP_Line_List_Entry>\n<ID>SIP1</ID>\n\
        <Phone_Number>101</Phone_Number>\n</SIP_Line_List_Entry>\n<SIP_Line_List_Entry>\n\
        <Phone_Number> 102 &amp; 3 </Phone_Number><ID> SIP2 </ID></SIP_Line_List_Entry>\n\
        </SIP_Line_List>\n<After>1</After></SIP_CONFIG_MODULE>\n</VOIP_CONFIG_FILE>\n";
    let (document, keys) = read_file(text);
    let expected = [
        ("sip.sip port", "5060", 5),
        ("sip.sip1 phone number", "101", 9),
        ("sip.sip2 phone number", "102 & 3", 12),
        ("sip.after", "1", 14),
    ]
    .map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
    assert_eq!(settings(&document, &keys), expected);
    assert!(document.tolerated.is_empty());
}

#[test]
fn reads_the_nested_form() {
    let text = "<?xml version=\"1.0\"?>\n<sysConf>\n <Version>2.0</Version>\n <sip>\n\
        <SIPPort>5060</SIPPort>\n<line index=\"1\">\n<PhoneNumber>101</PhoneNumber>\n</line>\n\
        <line index=\"2\"><PhoneNumber>102</PhoneNumber></line></sip>\n\
        <AUTOUPDATE_CONFIG_MODULE><Download_Mode>1</Download_Mode></AUTOUPDATE_CONFIG_MODULE>\n\
        <dsskey><internal index=\"1\"><Fkey index=\"7\">x</Fkey></internal></dsskey></sysConf>";
    let expected = [
        ("sip.sipport", "5060"),
        ("sip.line[1].phonenumber", "101"),
        ("sip.line[2].phonenumber", "102"),
        ("autoupdate.download mode", "1"),
        ("dsskey.internal[1].fkey[7]", "x"),
    ];
    assert_eq!(found(text), owned(&expected));
}

#[test]
fn an_option_has_one_key_in_text_and_underscores() {
    let text = "<SIP CONFIG MODULE>\nSIP1 Phone Number  :101\n";
    let xml = "<VOIP_CONFIG_FILE><SIP_CONFIG_MODULE><SIP_Line_List><SIP_Line_List_Entry>\
        <ID>SIP1</ID><Phone_Number>101</Phone_Number></SIP_Line_List_Entry></SIP_Line_List>\
        </SIP_CONFIG_MODULE></VOIP_CONFIG_FILE>";
    assert_eq!(found(text), found(xml));
}

#[test]
fn counts_what_no_dialect_allows_in_xml() {
    let text = "<VOIP_CONFIG_FILE>\n<Loose>1</Loose>\n<A_MODULE>text\n<b>1</b>stray</A_MODULE>\n\
        <A_MODULE/>\n<L_MODULE><L_List><L_Entry><x>1</x></L_Entry>\n\
        <L_Entry><ID/><y>2</y></L_Entry></L_List></L_MODULE></VOIP_CONFIG_FILE>";
    let (document, keys) = read_file(text);
    assert_eq!(pairs(&document, &keys), owned(&[("a.b", "1")]));
    let expected = [(LineReason::NoModule, 1, 2), (LineReason::Grammar, 5, 3)];
    assert_eq!(faults(&document), expected);
}

#[test]
fn reads_the_damaged_sample_by_its_marks() {
    // FAN-36, FAN-37: Fig. 6.
    let text = "<VOIP CONFIG FILE>\n<Digests>2.0002</Digests>\n<GLOBAL CONFIG MODULE>\n\
        <Time_Zone>32</Time_Zone>\n</GLOBAL CONFIG MODULE>\n<AUTOUPDATE CONFIG MODULE>\n\
        <Auto Image Url> tftp://172.16.6.45/x4.z</Auto Image Url>\n\
        </AUTOUPDATE CONFIG MODULE>\n</VOIP_CONFIG_FILE>";
    let (document, keys) = read_file(text);
    let expected = [
        ("global.time zone", "32", 4),
        ("autoupdate.auto image url", "tftp://172.16.6.45/x4.z", 7),
    ]
    .map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
    assert_eq!(settings(&document, &keys), expected);
    assert_eq!(
        document.version.map(|span| document.text(span)),
        Some("2.0002")
    );
    assert_eq!(&*document.tolerated, [Tolerance::Damaged]);
}

#[test]
fn reads_xml_with_a_footer_after_or_instead_of_the_end_of_its_root() {
    let body = "<?xml version=\"1.0\"?>\n<VOIP_CONFIG_FILE>\n<A_MODULE><b>c</b></A_MODULE>\n";
    for end in ["</VOIP_CONFIG_FILE>\n<<END OF FILE>>\n", "<<END OF FILE>>"] {
        let (document, keys) = read_file(&format!("{body}{end}"));
        assert_eq!(pairs(&document, &keys), owned(&[("a.b", "c")]), "{end}");
        assert_eq!(&*document.tolerated, [Tolerance::Damaged]);
        assert!(document.faults.groups().is_empty());
    }
}

/// What stands in a module, the settings in it, how many lines are lost.
type Damaged<'a> = (&'a str, &'a [(&'a str, &'a str)], u32);

#[test]
fn reads_damaged_values_and_loses_only_what_cannot_be_told() {
    let cases: [Damaged; 8] = [
        ("<b>A & B &amp; &lt;C</b>", &[("a.b", "A & B & <C")], 0),
        ("<b>1 < 2</b>", &[("a.b", "1 < 2")], 0),
        ("<b x>1</b><c>2</c>", &[("a.c", "2")], 1),
        ("<b>1</d><c>2</c>", &[("a.c", "2")], 1),
        ("</d><b>1</b>", &[("a.b", "1")], 1),
        (
            "<b><!-- x --><![CDATA[<&]]></b><?x?><c d></c d>",
            &[("a.b", "<&")],
            0,
        ),
        (
            "<L List><L Entry><ID>L1</ID><b>1</b></L_Entry></L List>",
            &[("a.l1 b", "1")],
            0,
        ),
        (
            "<x><y><b>1</b></x><c>2</c>",
            &[("a.b", "1"), ("a.c", "2")],
            1,
        ),
    ];
    for (inside, expected, count) in cases {
        // The blank in the module's name makes all of them not well-formed.
        let text = format!("<VOIP_CONFIG_FILE><A MODULE>{inside}</A MODULE></VOIP_CONFIG_FILE>");
        let (document, keys) = read_file(&text);
        assert_eq!(pairs(&document, &keys), owned(expected), "{inside}");
        assert_eq!(&*document.tolerated, [Tolerance::Damaged], "{inside}");
        let counted: u32 = document
            .faults
            .groups()
            .iter()
            .map(|group| group.count)
            .sum();
        assert_eq!(counted, count, "{inside}: {:?}", document.faults);
    }
    let tree =
        "<sysConf><sip><line index='1' ><Phone Number>1</Phone Number></line></sip></sysConf>";
    assert_eq!(found(tree), owned(&[("sip.line[1].phone number", "1")]));
}

#[test]
fn refuses_what_is_cut_or_no_configuration() {
    let deep = format!("<sysConf>{}", "<a>".repeat(XML_DEPTH_MAX));
    let cases: [(&str, LineReason); 9] = [
        ("<VOIP_CONFIG_FILE><A_MODULE><b>c</b>", LineReason::Grammar),
        ("<VOIP CONFIG FILE><A MODULE><b>c</b>", LineReason::Grammar),
        (
            "<VOIP CONFIG FILE><A MODULE><b>c</b><<END OF FILE>>",
            LineReason::Grammar,
        ),
        ("<VOIP_CONFIG_FILE><A MODULE><!-- ", LineReason::Grammar),
        ("<!DOCTYPE x><sysConf/>", LineReason::Grammar),
        ("<sysConf>\0</sysConf>", LineReason::Grammar),
        (&deep, LineReason::OverLimit),
        (&deep.replace("<a>", "<a b>"), LineReason::OverLimit),
        ("<VOIP CONFIG FILE>", LineReason::Grammar),
    ];
    for (text, reason) in cases {
        let (document, _) = read_file(text);
        assert_eq!(document.reading, Reading::Foreign, "{text}");
        assert_eq!(faults(&document), [(reason, 1, 1)], "{text}");
    }
    let phone_book = "<?xml version=\"1.0\"?>\n<PhoneBook><Entry/></PhoneBook>";
    for text in [
        phone_book,
        "<phone book><a b></phone book>",
        "name,number\n",
        "",
        "<<x>>",
        "<",
    ] {
        assert_eq!(read_file(text).0.reading, Reading::Foreign, "{text}");
    }
}

#[test]
fn tells_the_dialect_by_content_alone() {
    // FAN-27, FAN-41.
    let draft = Draft {
        settings: &[("a.b", "c")],
        ..Draft::default()
    };
    for written in DIALECTS {
        let bytes = write(written, FormatOptions::default(), &draft);
        assert!(begins(&bytes));
        for asked in DIALECTS {
            let mut keys = Names::default();
            let document = read(asked, FormatOptions::default(), &bytes, &mut keys);
            assert_eq!(
                pairs(&document, &keys),
                owned(&[("a.b", "c")]),
                "{written:?}"
            );
        }
    }
}

#[test]
fn says_of_noise_in_blocks_that_it_is_encrypted() {
    // FAN-48.
    let noise: Vec<u8> = (0..4_096_u32)
        .map(|at| {
            at.wrapping_mul(2_654_435_761)
                .rotate_left(at % 32)
                .to_le_bytes()[3]
        })
        .collect();
    let reading = |bytes: &[u8]| read_as(FormatOptions::default(), bytes).0.reading;
    assert_eq!(reading(&noise), Reading::Encrypted);
    assert_eq!(reading(&noise[..32]), Reading::Encrypted);
    assert_eq!(reading(&noise[..33]), Reading::Foreign);
    assert_eq!(reading(&[0; 64]), Reading::Foreign);
    assert_eq!(reading(&[0xe4; 64]), Reading::Foreign);
    assert_eq!(
        reading("ein Text in Worten, ".repeat(4).as_bytes()),
        Reading::Foreign
    );
}

#[test]
fn writes_the_text_form_as_it_is_printed() {
    // FAN-28, FAN-29, FAN-31, FAN-33, FAN-34.
    let draft = Draft {
        title: "not shown",
        settings: &[
            ("global.host name", "VOIP"),
            ("sip.sip1 phone number", "1\r\n2"),
            ("global.a name that is longer than that", "x"),
            ("nothing", "lost"),
            ("global.with:colon", "lost"),
        ],
        version: "2.0002",
        ..Draft::default()
    };
    let bytes = write(Format::ModuleText, FormatOptions::default(), &draft);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.find("\r\n"), Some(62));
    let expected = format!(
        "{}\r\n\r\n<GLOBAL CONFIG MODULE>\r\nHost Name          :VOIP\r\n\
         A Name That Is Longer Than That:x\r\n\r\n<SIP CONFIG MODULE>\r\n\
         Sip1 Phone Number  :1  2\r\n\r\n<<END OF FILE>>\r\n",
        header("2.0002")
    );
    assert_eq!(text, expected);
}

#[test]
fn writes_both_xml_forms_with_their_lists() {
    let settings = [
        ("sip.sip1 phone number", "101"),
        ("sip.sip1 enable reg", "1"),
        ("sip.sip2 phone number", "<2>"),
        ("sip.sip port", "5060"),
        ("sip.1 bad", "lost"),
    ];
    let draft = Draft {
        title: "two -- lines",
        settings: &settings,
        version: "2.0002",
        ..Draft::default()
    };
    let bytes = write(Format::ModuleXml, FormatOptions::default(), &draft);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <!-- two \u{2010}\u{2010} lines -->\n<VOIP_CONFIG_FILE>\n\
        <version>2.0002</version>\n<SIP_CONFIG_MODULE>\n<SIP_Line_List>\n<SIP_Line_List_Entry>\n\
        <ID>SIP1</ID>\n<Phone_Number>101</Phone_Number>\n<Enable_Reg>1</Enable_Reg>\n\
        </SIP_Line_List_Entry>\n<SIP_Line_List_Entry>\n<ID>SIP2</ID>\n\
        <Phone_Number>&lt;2&gt;</Phone_Number>\n</SIP_Line_List_Entry>\n</SIP_Line_List>\n\
        <Sip_Port>5060</Sip_Port>\n</SIP_CONFIG_MODULE>\n</VOIP_CONFIG_FILE>\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    let draft = Draft {
        settings: &[
            ("sip.line[1].phonenumber", "101"),
            ("sip.line[1].enablereg", "1"),
            ("sip.line[2].a.b", "x"),
            ("sip.sipport", "5060"),
        ],
        ..Draft::default()
    };
    let bytes = write(Format::ModuleTree, FormatOptions::default(), &draft);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sysConf>\n<sip>\n\
        <Line index=\"1\">\n<Phonenumber>101</Phonenumber>\n<Enablereg>1</Enablereg>\n</Line>\n\
        <Line index=\"2\">\n<A>\n<B>x</B>\n</A>\n</Line>\n<Sipport>5060</Sipport>\n</sip>\n\
        </sysConf>\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn keeps_its_limits() {
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    let name = "n".repeat(5_000);
    let texts = [
        format!("<A MODULE>\nb:{long}\n{name}:1\n{name}{name}:1\nc:1\n"),
        format!(
            "<sysConf><a><b>{long}</b><{name}>1</{name}><{name}{name}>1</{name}{name}>\
             <c>1</c></a></sysConf>"
        ),
    ];
    for text in texts {
        let (document, keys) = read_file(&text);
        assert_eq!(pairs(&document, &keys), owned(&[("a.c", "1")]));
        assert_eq!(document.text.len(), 1);
        assert_eq!(faults(&document)[0].0, LineReason::OverLimit);
        assert_eq!(faults(&document)[0].1, 3);
    }
    let lines = LINES_MAX as usize;
    let text = format!("<A MODULE>\n{}", "b:1\n".repeat(lines));
    let (document, _) = read_file(&text);
    assert_eq!(
        faults(&document),
        [(LineReason::OverLimit, 1, LINES_MAX + 1)]
    );
    let damaged = format!("<sysConf><a b>{}</a b></sysConf>", "<c/>".repeat(lines));
    assert_eq!(
        faults(&read_file(&damaged).0),
        [(LineReason::OverLimit, 1, 1)]
    );
}

/// Names of two or three modules with unlike keys of words.
fn any_settings() -> impl Strategy<Value = Vec<(String, String)>> {
    let word = "[a-z][a-z0-9-]{0,5}";
    let key =
        (0..3_u8, prop::collection::vec(word, 1..4), 0..3_u8).prop_map(|(module, words, shape)| {
            let module = ["sip", "phone feature", "net"][usize::from(module)];
            let name = words.join(" ");
            match shape {
                0 => format!("{module}.{name}"),
                1 => format!("{module}.sip{} {name}", name.len() % 3),
                _ => format!("{module}.p1 {name}"),
            }
        });
    let pair = (
        key,
        any_value().prop_filter("a remark", |value| !value.ends_with("rs)")),
    );
    prop::collection::btree_map(pair.0, pair.1, 0..12)
        .prop_map(|settings| settings.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn any_tree() -> impl Strategy<Value = Vec<(String, String)>> {
    let part = "[a-z][a-z0-9]{0,3}(\\[[1-9]\\])?";
    let key = ("[a-z]{1,2}", prop::collection::vec(part, 1..4));
    let key = key.prop_map(|(module, parts)| format!("{module}.{}", parts.join(".")));
    prop::collection::btree_map(key, any_value(), 0..12)
        .prop_map(|settings| settings.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn round_trip(format: Format, settings: &[(String, String)], version: &str) {
    let borrowed: Vec<_> = settings
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let draft = Draft {
        settings: &borrowed,
        version,
        ..Draft::default()
    };
    let bytes = write(format, FormatOptions::default(), &draft);
    let (document, keys) = read_as(FormatOptions::default(), &bytes);
    let mut expected = settings.to_vec();
    expected.sort();
    let mut read = pairs(&document, &keys);
    read.sort();
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(read, expected, "{text}");
    let found = document.version.map_or("", |span| document.text(span));
    assert_eq!(found, version, "{text}");
    assert!(
        document.faults.groups().is_empty(),
        "{:?} {text}",
        document.faults
    );
    assert!(
        document.tolerated.is_empty(),
        "{:?} {text}",
        document.tolerated
    );
}

/// Pieces of all dialects, damaged ones among them.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("<<VOIP CONFIG FILE>>Version:2\n".to_owned()),
        Just("<VOIP_CONFIG_FILE>".to_owned()),
        Just("</VOIP_CONFIG_FILE>".to_owned()),
        Just("<VOIP CONFIG FILE>".to_owned()),
        Just("<sysConf>".to_owned()),
        Just("</sysConf>".to_owned()),
        Just("<<END OF FILE>>".to_owned()),
        "</?[AB][ _](CONFIG[ _])?MODULE/?>\n?".prop_map(|text| text),
        "</?L[_ ]Entry>|<ID>[a-c]</ID>".prop_map(|text| text),
        "</?[ab_ ]{1,3}( index=[\"']?[0-9]?[\"']?)?/?>".prop_map(|text| text),
        "[a-c_ ]{0,4}:?[a-c ]{0,4}[\r\n]{0,2}".prop_map(|text| text),
        "&[a-z]{0,3};?|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?x|\\?>".prop_map(|text| text),
    ];
    let start = prop_oneof![
        Just(""),
        Just("<VOIP_CONFIG_FILE><A MODULE>"),
        Just("<sysConf><a>"),
        Just("<A MODULE>\n")
    ];
    (start, prop::collection::vec(piece, 0..16))
        .prop_map(|(start, pieces)| [start.to_owned(), pieces.concat()].concat().into_bytes())
}

proptest! {
    #[test]
    fn reads_back_what_it_wrote_as_text_or_with_underscores(
        settings in any_settings(),
        version in "([0-9a-z.]{1,12})?",
    ) {
        round_trip(Format::ModuleText, &settings, &version);
        round_trip(Format::ModuleXml, &settings, &version);
    }

    #[test]
    fn reads_back_what_it_wrote_nested(settings in any_tree(), version in "([0-9a-z.]{1,12})?") {
        round_trip(Format::ModuleTree, &settings, &version);
    }

    #[test]
    fn makes_a_sound_document_of_any_pieces(bytes in any_file(), empty_clears in any::<bool>()) {
        let options = FormatOptions { empty_clears, ..FormatOptions::default() };
        let mut keys = Names::default();
        let document = read(Format::ModuleText, options, &bytes, &mut keys);
        // The names are known now, in another order than they come in.
        let mut other = Names::default();
        let mut held: Vec<_> = document.settings.iter().map(|one| keys.text(one.key)).collect();
        held.sort_unstable();
        for key in held {
            let _ = other.intern(&key.replace(' ', "  "));
            let _ = other.intern(key);
        }
        let again = read(Format::ModuleText, options, &bytes, &mut other);
        let by_key = |document: &Document, keys: &Names| {
            let mut all = settings(document, keys);
            all.sort();
            all
        };
        prop_assert_eq!(by_key(&document, &keys), by_key(&again, &other));
        prop_assert_eq!(&document.faults, &again.faults);
        let spans = document.settings.iter().map(|setting| setting.value().length as usize);
        let version = document.version.map_or(0, |span| span.length as usize);
        prop_assert_eq!(document.text.len(), spans.sum::<usize>() + version);
        for setting in &document.settings {
            let key = keys.text(setting.key);
            prop_assert!(key.contains('.') && !key.contains("  "), "{}", key);
            prop_assert!(key.to_ascii_lowercase() == key);
            let value = document.value(setting);
            prop_assert_eq!(value.trim_ascii(), value);
        }
    }
}
