use proptest::prelude::*;

use super::*;

fn vars() -> Vars<'static> {
    Vars {
        mac: Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x1d]),
        index: 42,
        model: "FIP13G",
        vendor: "Flyingvoice",
        oem: "leadtek",
        firmware: "V0.6.24",
        address: Ipv4Addr::new(192, 168, 50, 7),
        port: 5060,
        host: "10.0.0.1:8080",
        user_agent: "Agent",
        authorization: "Digest x",
        config_file_name: "$(MA)",
        typed: "ll",
        columns: &[],
        row: &[],
        version: "1.2",
        user: "u1",
        domain: "example.org",
        transport: "UDP",
        contact_uri: "sip:u1@192.168.50.7:5060",
        expires: 3_600,
        branch: 0xab,
        tag: 0xcd,
        call_id: 0xef,
        cseq: 3,
        serial: None,
    }
}

// AUE-81: a serial number is a template of its own, and holds no other one.
#[test]
fn fills_in_the_serial_number_once() {
    let serial = Template::parse("SN{index:04}{serial}").unwrap();
    let vars = Vars {
        serial: Some(&serial),
        ..vars()
    };
    let text = Template::parse("sn={serial}").unwrap();
    assert_eq!(text.text(&vars), "sn=SN0042");
    assert!(text.is_per_phone() && !text.is_constant());
}

fn filled(source: &str) -> String {
    Template::parse(source).unwrap().text(&vars())
}

fn refused(source: &str) -> (usize, String) {
    let fault = Template::parse(source).unwrap_err();
    (fault.at, fault.to_string())
}

#[test]
fn writes_every_form_of_the_mac_address() {
    for (source, text) in [
        ("{mac}.boot", "0021f222b01d.boot"),
        ("{mac:upper}", "0021F222B01D"),
        ("{mac:colon}", "00:21:f2:22:b0:1d"),
        ("{mac:colon-upper}", "00:21:F2:22:B0:1D"),
        ("{mac:dash}", "00-21-f2-22-b0-1d"),
        (
            "/{mac[0:4]}/{mac[4:8]}/{mac}.md5",
            "/0021/f222/0021f222b01d.md5",
        ),
        ("{mac[4:8]:upper}", "F222"),
        ("{mac[8:]}{mac[:2]}", "b01d00"),
    ] {
        assert_eq!(filled(source), text, "{source}");
    }
}

#[test]
fn writes_every_other_variable() {
    for (source, text) in [
        ("{vendor} {model} {firmware}", "Flyingvoice FIP13G V0.6.24"),
        ("{model:lower}/{oem:upper}", "fip13g/LEADTEK"),
        ("sip:{ip}:{port}", "sip:192.168.50.7:5060"),
        (
            "{host}|{user_agent}|{authorization}",
            "10.0.0.1:8080|Agent|Digest x",
        ),
        ("{config_file_name} {version}", "$(MA) 1.2"),
        (
            "{branch} {tag} {call_id}",
            "00000000000000ab 000000cd 00000000000000ef",
        ),
        (
            "{cseq} SUBSCRIBE {index} {index:05}",
            "3 SUBSCRIBE 42 00042",
        ),
        ("a{{b}}{{{mac}}}", "a{b}{0021f222b01d}"),
        ("", ""),
        ("naïve {index} ümlaut", "naïve 42 ümlaut"),
    ] {
        assert_eq!(filled(source), text, "{source}");
    }
}

#[test]
fn knows_every_variable_it_lists() {
    for name in VARIABLES {
        // A cell of an inventory is named by its column.
        let column = if name == "inventory" { ":desk" } else { "" };
        let hole = format!("{{{name}{column}}}");
        assert!(Template::parse(&hole).is_ok(), "{name}");
    }
}

#[test]
fn says_where_and_what_is_wrong() {
    for (source, at, what) in [
        (
            "x {modell}",
            3,
            "unknown variable 'modell'; did you mean 'model'?",
        ),
        ("{mca}", 1, "unknown variable 'mca'; did you mean 'mac'?"),
        (
            "{mac:uper}",
            5,
            "unknown form 'uper'; did you mean 'upper'?",
        ),
        (
            "{mac[0:4]:uper}",
            10,
            "unknown form 'uper'; did you mean 'upper'?",
        ),
        (
            "{model:bold}",
            7,
            "unknown form 'bold'; expected one of lower, upper",
        ),
        ("ab{mac", 2, "'{' without '}'; write '{{' for a brace"),
        ("{mac{mac}", 0, "'{' without '}'; write '{{' for a brace"),
        ("mac}", 3, "'}' without '{'; write '}}' for a brace"),
    ] {
        assert_eq!(refused(source), (at, what.to_owned()), "{source}");
    }
    let (at, what) = refused("{}");
    assert_eq!(at, 1);
    assert!(
        what.starts_with("unknown variable ''; expected one of mac,"),
        "{what}"
    );
}

#[test]
fn says_where_and_what_is_wrong_with_a_range_or_form() {
    for (source, at, what) in [
        (
            "{mac[4:4]}",
            4,
            "range [4:4] is not [first:end] with first < end <= 12",
        ),
        (
            "{mac[0:13]}",
            4,
            "range [0:13] is not [first:end] with first < end <= 12",
        ),
        (
            "{mac[0-4]}",
            4,
            "range [0-4] is not [first:end] with first < end <= 12",
        ),
        (
            "{mac[+0:4]}",
            4,
            "range [+0:4] is not [first:end] with first < end <= 12",
        ),
        ("{mac[0:4}", 1, "range without end in {mac[0:4}"),
        (
            "{mac[0:4]x}",
            9,
            "'x' after a range; expected ':upper' or the end of the hole",
        ),
        ("{model[0:4]}", 1, "'model' takes no range; only mac does"),
        (
            "{index:5}",
            7,
            "width '5' is not 0 and a number from 1 to 20",
        ),
        (
            "{index:099}",
            7,
            "width '099' is not 0 and a number from 1 to 20",
        ),
        ("{ip:upper}", 4, "{ip} takes no form 'upper'"),
    ] {
        assert_eq!(refused(source), (at, what.to_owned()), "{source}");
    }
    assert_eq!(
        refused(&"x".repeat(TEMPLATE_BYTES_MAX + 1)).0,
        TEMPLATE_BYTES_MAX
    );
}

#[test]
fn tells_constants_and_per_phone_texts_apart() {
    let parse = |source| Template::parse(source).unwrap();
    assert!(parse("y000000000000.cfg").is_constant());
    assert!(!parse("{model}.bin").is_constant());
    assert!(!parse("{model}.bin").is_per_phone());
    assert!(parse("{mac[8:]}.cfg").is_per_phone());
    assert!(parse("{mac:dash}").is_per_phone());
    assert!(parse("phone{index:04}").is_per_phone());
    assert!(Template::default().is_empty());
}

/// Every piece a template can have, with the text it must give.
fn piece() -> impl Strategy<Value = (String, String)> {
    let vars = vars();
    let digits = vars.mac.to_string();
    prop_oneof![
        "[^{}]{0,6}".prop_map(|text: String| (text.clone(), text)),
        Just(("{{".to_owned(), "{".to_owned())),
        Just(("}}".to_owned(), "}".to_owned())),
        (0_usize..12, 1_usize..=12, any::<bool>()).prop_map(move |(start, length, upper)| {
            let end = (start + length).min(12);
            let text = digits[start..end].to_owned();
            if upper {
                (format!("{{mac[{start}:{end}]:upper}}"), text.to_uppercase())
            } else {
                (format!("{{mac[{start}:{end}]}}"), text)
            }
        }),
        (1_usize..=20).prop_map(|width| (format!("{{index:0{width}}}"), format!("{:0width$}", 42))),
        Just(("{model:lower}".to_owned(), "fip13g".to_owned())),
    ]
}

proptest! {
    #[test]
    fn fills_any_sequence_of_pieces(pieces in prop::collection::vec(piece(), 0..12)) {
        let source: String = pieces.iter().map(|(source, _)| source.as_str()).collect();
        let text: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
        let template = Template::parse(&source).unwrap();
        prop_assert_eq!(template.text(&vars()), text);
        prop_assert_eq!(template.source(), source.as_str());
    }

    #[test]
    fn gives_back_a_literal_and_never_panics(
        text in ".{0,64}",
        holes in "[{}mac\\[\\]:0-9+é]{0,24}",
    ) {
        prop_assert_eq!(Template::literal(&text).text(&vars()), text);
        match Template::parse(&holes) {
            Ok(template) => drop(template.text(&vars())),
            Err(fault) => prop_assert!(holes.is_char_boundary(fault.at), "{}: {}", fault.at, fault),
        }
    }

    #[test]
    fn renders_without_allocation_once_the_buffer_is_large_enough(
        pieces in prop::collection::vec(piece(), 0..12),
    ) {
        let source: String = pieces.iter().map(|(source, _)| source.as_str()).collect();
        let template = Template::parse(&source).unwrap();
        let mut out = Vec::new();
        template.render(&vars(), &mut out);
        let (length, place) = (out.len(), out.as_ptr());
        out.clear();
        template.render(&vars(), &mut out);
        prop_assert_eq!((out.len(), out.as_ptr()), (length, place));
    }
}

#[test]
fn a_cell_of_the_inventory_is_found_by_the_name_of_its_column() {
    let columns = ["ext".to_owned(), "users/user[@id='1']/name".to_owned()];
    let row = ["12".into(), "Ann".into()];
    let vars = Vars {
        columns: &columns,
        row: &row,
        ..Vars::default()
    };
    let template = Template::parse("{inventory:users/user[@id='1']/name}-{inventory:ext}").unwrap();
    assert_eq!(template.text(&vars), "Ann-12");
    assert_eq!(template.columns().count(), 2);
    assert!(template.is_per_phone() && !template.is_constant());
    assert_eq!(template.text(&Vars::default()), "-");
    let fault = Template::parse("a{inventory}").unwrap_err();
    assert_eq!(fault.at, 2);
    assert!(fault.what.contains("{inventory:NAME}"), "{fault}");
}
