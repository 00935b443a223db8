use proptest::prelude::*;

use super::*;
use crate::format::tests::{any_key, faults, settings};
use crate::format::{Format, FormatOptions, Reading};
use crate::limits::XML_DEPTH_MAX;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn read_text(text: impl AsRef<[u8]>) -> (Document, Names) {
    let mut keys = Names::default();
    let document = read(text.as_ref(), &mut keys, &mut Scratch::default());
    (document, keys)
}

fn whole(text: impl AsRef<[u8]>) -> (Document, Names) {
    let (document, keys) = read_text(&text);
    let shown = String::from_utf8_lossy(text.as_ref());
    assert_eq!(
        document.reading,
        Reading::Whole,
        "{shown} {:?}",
        document.faults
    );
    (document, keys)
}

/// The root and its attributes.
fn root(document: &Document) -> (Root, [&str; 3]) {
    let catalogue = document.catalogue.as_ref().unwrap();
    let attributes = [catalogue.version, catalogue.product, catalogue.mac];
    (catalogue.root, attributes.map(|span| document.text(span)))
}

/// The items as `(kind, url, version, flags, line)`.
fn items(document: &Document) -> Vec<(ItemKind, &str, &str, &str, u32)> {
    let items = document.catalogue.as_ref().unwrap().items.iter();
    items
        .map(|item| {
            let [url, version, flags] =
                [item.url, item.version, item.flags].map(|span| document.text(span));
            (item.kind, url, version, flags, item.line)
        })
        .collect()
}

fn line(key: &str, value: &str, line: u32) -> (String, String, u32) {
    (key.to_owned(), value.to_owned(), line)
}

/// The document's starting point with its transcription faults taken out, but with one slash in
/// the first URL and line breaks in the others.
const CLEANED: &str = "<?xml

version=\"1.0\"

encoding=\"UTF-8\"?>

<provisioning

version=\"1.0\"

productID=\"mx3b\"

>
<category />
<!-- URL to the file that contains information about the available Firmware -->
<category type=\"firmware\"

url=\"http:/my_server/maxwell3/firmware/updates.xml\"/>
<category ></category>
<!-- URL to the file that contains all settings -->
<category type=\"nvm\"

url=\"http://my_server/maxwell3

/nvm/updates.xml\"/>
<!-- URL to the file that contains custom settings like certificates -->
<category type=\"custom\"

url=\" http://my_server/maxwell3

/custom/updates.xml \"/>

</provisioning>
";

// GIG-17, GIG-18, GIG-20.
#[test]
fn lists_the_categories_of_a_starting_point() {
    let (document, _) = whole(CLEANED);
    assert_eq!(root(&document), (Root::Provisioning, ["1.0", "mx3b", ""]));
    let base = "http://my_server/maxwell3";
    let expected = [
        (ItemKind::Other, "", "", "", 14),
        (
            ItemKind::Category(Role::Firmware),
            "http:/my_server/maxwell3/firmware/updates.xml",
            "",
            "",
            16,
        ),
        (ItemKind::Other, "", "", "", 19),
        (
            ItemKind::Category(Role::Nvm),
            &format!("{base}/nvm/updates.xml"),
            "",
            "",
            21,
        ),
        (
            ItemKind::Category(Role::Custom),
            &format!("{base}/custom/updates.xml"),
            "",
            "",
            27,
        ),
    ];
    assert_eq!(items(&document), expected);
    assert!(document.settings.is_empty() && document.faults.groups().is_empty());
}

// GIG-20: the sample as it stands in the document, stray tags and all, is no XML.
#[test]
fn takes_the_damaged_sample_for_foreign_and_says_where() {
    let stray = CLEANED.replace("<category />", "<category >");
    let (document, _) = read_text(&stray);
    assert_eq!(document.reading, Reading::Foreign);
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 33)]);

    let dash = CLEANED.replace(
        "<!-- URL to the file that contains custom",
        "<!\u{2013}URL to",
    );
    let (document, _) = read_text(&dash);
    assert_eq!(document.reading, Reading::Foreign);
    assert_eq!(faults(&document), [(LineReason::Grammar, 1, 26)]);
    assert!(document.catalogue.is_none() && document.text.is_empty());

    // Blank between slash and bracket, as the page breaks its lines.
    let blank = CLEANED.replace(
        "updates.xml\"/>\n<category ></",
        "updates.xml\"/\n\n> <category ></",
    );
    assert_eq!(faults(&read_text(&blank).0), [(LineReason::Grammar, 1, 18)]);

    // A stray tag that is closed at the end leaves the others where they can be found.
    let closed = stray.replace("</provisioning>", "</category></provisioning>");
    let (document, _) = whole(closed);
    assert_eq!(items(&document).len(), 5);
}

// GIG-21, GIG-26, GIG-27, GIG-28.
#[test]
fn lists_firmware_in_old_and_new_form() {
    let text = format!(
        "{HEAD}<firmware version=\"1.0\" productID=\"mx3b\">\n\
         <file version=\"2015-01-01_01:01:01\" type=\"latest\" \
         url=\"http://my_server/maxwell3/firmware/v1/GC_mx_3.bin\" />\n\
         <file version=\"1.11.6\" url=\"/firmware/GC_MAX_1.11.6.bin\" flags=\"FORCE_ACCEPT\"/>\n\
         </firmware>\n"
    );
    let (document, _) = whole(text);
    assert_eq!(root(&document), (Root::Firmware, ["1.0", "mx3b", ""]));
    let old = "http://my_server/maxwell3/firmware/v1/GC_mx_3.bin";
    let new = "/firmware/GC_MAX_1.11.6.bin";
    let file = ItemKind::File(Role::Firmware);
    let expected = [
        (file, old, "2015-01-01_01:01:01", "", 3),
        (file, new, "1.11.6", "FORCE_ACCEPT", 4),
    ];
    assert_eq!(items(&document), expected);
}

// GIG-22, GIG-23, GIG-24, GIG-32, GIG-33, GIG-35.
#[test]
fn lists_versions_of_settings() {
    let text = format!(
        "{HEAD}<nvm version=\"1.0\" productID=\"mx3b\" macAddress=\"90:1b:0e:56:c7:bc\">\n\
         <file version=\"2015-01-01_01:01:01\" url=\"http://my_server/nvm/mx3_version1.xml\"/>\n\
         <file version=\"2015-02-02_02:02:02\" url=\"http://my_server/nvm/mx3_version1.xml\" />\n\
         </nvm>\n"
    );
    let (document, _) = whole(text);
    let attributes = ["1.0", "mx3b", "90:1b:0e:56:c7:bc"];
    assert_eq!(root(&document), (Root::Nvm, attributes));
    let url = "http://my_server/nvm/mx3_version1.xml";
    let file = ItemKind::File(Role::Nvm);
    let expected = [
        (file, url, "2015-01-01_01:01:01", "", 3),
        (file, url, "2015-02-02_02:02:02", "", 4),
    ];
    assert_eq!(items(&document), expected);
}

// GIG-44, GIG-45.
#[test]
fn lists_the_steps_of_a_scenario() {
    let url = "http://server.address.com/certificates/certificate.pem";
    let text = format!(
        "{HEAD}   <scenario version=\"2015-01-01_01:01:01\" productID=\"mx3b\">\n\
         <step type=\"certificate\" url=\"{url}\" flags=\"FORCE_ACCEPT\" />\n\
         <step type=\"DownloadWallpaper\" url=\"w.png\"/>\n</scenario>\n"
    );
    let (document, _) = whole(text);
    assert_eq!(
        root(&document),
        (Root::Scenario, ["2015-01-01_01:01:01", "mx3b", ""])
    );
    let expected = [
        (ItemKind::Certificate, url, "", "FORCE_ACCEPT", 3),
        (ItemKind::Other, "w.png", "", "", 4),
    ];
    assert_eq!(items(&document), expected);
}

// GIG-49, GIG-50, GIG-51.
#[test]
fn reads_settings_with_their_blanks_and_lines() {
    let text = format!(
        "{HEAD}\t<settings version=\"1.0\" productID=\"mx3b\" macAddress= \"7c:2f:80:00:00:00\">  \n\
         \t\t<!-- SIP -->\n\
         \t\t<param name=\"SIP.LogLevel\" value=\"4\" />\n\
         \t\t<param name=\"SIP.Account.0.AuthName\" value=\" AuthName \" />\n\
         \t\t<param\n name='SIP.Account.0.Provider' value='A &amp; &quot;B&quot;'></param>\n\
         \t\t<param value=\"Username \" name=\"SIP.Account.0.Username\"/>\n\
         \t</settings>\n"
    );
    let (document, keys) = whole(text);
    let attributes = ["1.0", "mx3b", "7c:2f:80:00:00:00"];
    assert_eq!(root(&document), (Root::Settings, attributes));
    let expected = [
        line("SIP.LogLevel", "4", 4),
        line("SIP.Account.0.AuthName", " AuthName ", 5),
        line("SIP.Account.0.Provider", "A & \"B\"", 6),
        line("SIP.Account.0.Username", "Username ", 8),
    ];
    assert_eq!(settings(&document, &keys), expected);
    assert!(document.faults.groups().is_empty() && items(&document).is_empty());
}

#[test]
fn lets_the_later_of_two_params_win() {
    let text = "<settings>\n<param name='a' value=''/>\n<param name='a' value='x'/>\n\
                <param name='b' value='1'/>\n<param name='c' value='y'/>\n\
                <param name='b' value='2'/>\n<param name='c' value=''/>\n</settings>";
    let (document, keys) = whole(text);
    let expected = [line("a", "x", 3), line("b", "2", 6), line("c", "", 7)];
    assert_eq!(settings(&document, &keys), expected);
    assert_eq!(&*document.text, "x2");
}

#[test]
fn reads_everything_in_one_file() {
    let text = "<provisioning version=\"1.1\" productID=\"mx3b\">\n\
                <firmware><file version=\"2.15.7\" url=\"/mx3.bin\"/></firmware>\n\
                <nvm>\n<param name=\"SIP.Port\" value=\"5060\"/>\n</nvm>\n\
                <custom><step type=\"certificate\" url=\"/ca.pem\"/></custom>\n\
                <scenario><step type=\"certificate\" url=\"/ca2.pem\"/></scenario>\n\
                <step type=\"Redirect\" url=\"http://b/%MACD.xml\"/>\n\
                <step type=\"Redirect\" url=\"http://c/\"/>\n</provisioning>";
    let (document, keys) = whole(text);
    assert_eq!(root(&document), (Root::Provisioning, ["1.1", "mx3b", ""]));
    let expected = [
        (ItemKind::File(Role::Firmware), "/mx3.bin", "2.15.7", "", 2),
        (ItemKind::Certificate, "/ca.pem", "", "", 6),
        (ItemKind::Certificate, "/ca2.pem", "", "", 7),
        (ItemKind::Redirect, "http://b/%MACD.xml", "", "", 8),
        (ItemKind::Redirect, "http://c/", "", "", 9),
    ];
    assert_eq!(items(&document), expected);
    assert_eq!(settings(&document, &keys), [line("SIP.Port", "5060", 4)]);
}

#[test]
fn counts_what_does_not_belong_where_it_stands() {
    let text = "<settings>\n<param name='a' value='1'/>\nstray\n<file url='x'/>\n\
                <group><param name='b' value='1'/>text\n<param/></group>\n\
                <param name='c'/>\n<param value='1'/>\n<param name='' value='1'/>\n\
                <param name='d' value='1'>text<param name='e' value='1'/></param>\n</settings>";
    let (document, keys) = whole(text);
    assert_eq!(
        settings(&document, &keys),
        [line("a", "1", 2), line("d", "1", 10)]
    );
    assert!(items(&document).is_empty());
    assert_eq!(faults(&document), [(LineReason::Grammar, 8, 2)]);
}

// GIG-11.
#[test]
fn takes_other_documents_for_foreign() {
    let cases = [
        (
            "<settings>\n<param name='a' value='1'/>\n",
            LineReason::Grammar,
            3,
        ),
        (
            "<settings>\n<param name='a' name='1'/>\n</settings>",
            LineReason::Grammar,
            2,
        ),
        ("<html>\n<body/></html>", LineReason::Grammar, 1),
        ("<!DOCTYPE settings>\n<settings/>", LineReason::Grammar, 1),
        ("<!-- x -->\n<Settings/>", LineReason::Grammar, 2),
        ("", LineReason::Grammar, 1),
        ("a=b", LineReason::Grammar, 1),
    ];
    for (text, reason, line) in cases {
        let (document, _) = read_text(text);
        assert_eq!(document.reading, Reading::Foreign, "{text}");
        assert_eq!(faults(&document), [(reason, 1, line)], "{text}");
        assert!(document.settings.is_empty() && document.catalogue.is_none());
    }
    let deep = "<settings>".repeat(XML_DEPTH_MAX + 1);
    assert_eq!(read_text(deep).0.reading, Reading::Foreign);
}

#[test]
fn keeps_its_limits() {
    let long = "v".repeat(VALUE_BYTES_MAX);
    let text = format!(
        "<settings version='{long}x' productID='{long}'><param name='a' value='{long}'/>\n\
         <param name='b' value='{long}x'/>\n<param name='{long}' value=''/></settings>"
    );
    let (document, keys) = whole(text);
    assert_eq!(settings(&document, &keys), [line("a", &long, 1)]);
    assert_eq!(root(&document), (Root::Settings, ["", &long, ""]));
    assert_eq!(faults(&document), [(LineReason::OverLimit, 3, 1)]);

    let files = "<file url='x'/>\n".repeat(DOCUMENT_LINKS_MAX + 2);
    let (document, _) = whole(format!("<nvm>{files}</nvm>"));
    assert_eq!(items(&document).len(), DOCUMENT_LINKS_MAX);
    let first = u32::try_from(DOCUMENT_LINKS_MAX + 1).unwrap();
    assert_eq!(faults(&document), [(LineReason::OverLimit, 2, first)]);

    let (document, _) = whole(format!("<nvm><file url='{long}x' version='1'/></nvm>"));
    assert!(items(&document).is_empty() && document.text.is_empty());
}

#[test]
fn counts_the_memory_of_its_items() {
    let (document, _) = whole("<nvm><file url='x'/></nvm>");
    let items = size_of::<Item>() + size_of::<Catalogue>();
    assert!(document.heap_bytes() > items);
}

// GIG-18, GIG-27, GIG-33, GIG-45, GIG-49: as the samples have them.
#[test]
fn writes_the_samples() {
    let category = |role, url| Entry {
        kind: ItemKind::Category(role),
        url,
        version: "",
        label: "",
        flags: "",
    };
    let outline = Outline {
        root: Root::Provisioning,
        version: "1.0",
        product: "mx3b",
        mac: "",
        items: &[category(Role::Firmware, "http://s/firmware/updates.xml")],
    };
    let text = write(&Draft {
        title: "start -- here",
        catalogue: Some(&outline),
        ..Draft::default()
    });
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <!-- start \u{2010}\u{2010} here -->\n\
                    <provisioning version=\"1.0\" productID=\"mx3b\">\n  \
                    <category type=\"firmware\" url=\"http://s/firmware/updates.xml\"/>\n\
                    </provisioning>\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);

    let file = |role, version| Entry {
        kind: ItemKind::File(role),
        url: "/f",
        version,
        label: "latest",
        flags: "",
    };
    let step = Entry {
        kind: ItemKind::Certificate,
        flags: "FORCE_ACCEPT",
        label: "",
        ..file(Role::Custom, "")
    };
    let outline = Outline {
        version: "1.1",
        items: &[file(Role::Firmware, "2.1"), step],
        ..outline
    };
    let text = write(&Draft {
        settings: &[("SIP.Port", "5060"), ("x", " \"<\n")],
        catalogue: Some(&outline),
        ..Draft::default()
    });
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <provisioning version=\"1.1\" productID=\"mx3b\">\n  <firmware>\n    \
                    <file version=\"2.1\" type=\"latest\" url=\"/f\"/>\n  </firmware>\n  \
                    <step type=\"certificate\" url=\"/f\" flags=\"FORCE_ACCEPT\"/>\n  <nvm>\n    \
                    <param name=\"SIP.Port\" value=\"5060\"/>\n    \
                    <param name=\"x\" value=\" &quot;&lt;&#10;\"/>\n  </nvm>\n</provisioning>\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn writes_nothing_that_the_root_cannot_hold() {
    let kinds = [
        ItemKind::Category(Role::Nvm),
        ItemKind::File(Role::Nvm),
        ItemKind::File(Role::Firmware),
        ItemKind::Certificate,
        ItemKind::Other,
    ];
    let entries = kinds.map(|kind| Entry {
        kind,
        url: "u",
        version: "",
        label: "",
        flags: "",
    });
    for (root, count, settings_count) in [
        (Root::Provisioning, 4, 1),
        (Root::Firmware, 1, 0),
        (Root::Nvm, 1, 1),
        (Root::Scenario, 1, 0),
        (Root::Settings, 0, 1),
    ] {
        let outline = Outline {
            root,
            version: "",
            product: "",
            mac: "",
            items: &entries,
        };
        let (document, _) = whole(write(&Draft {
            settings: &[("a", "1")],
            catalogue: Some(&outline),
            ..Draft::default()
        }));
        assert_eq!(items(&document).len(), count, "{root:?}");
        assert_eq!(document.settings.len(), settings_count, "{root:?}");
        assert!(document.faults.groups().is_empty(), "{root:?}");
    }
    let (document, _) = whole(write(&Draft::default()));
    assert_eq!(root(&document), (Root::Settings, ["", "", ""]));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\u{e4}\u{20ac}\n\r\t]{0,20}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9:]{8}",
        Just(String::new()),
    ]
}

fn any_role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Firmware, Role::Nvm, Role::Custom])
}

/// A root, and kinds of items that it can hold.
fn any_kinds() -> impl Strategy<Value = (Root, Vec<ItemKind>)> {
    let roots: Vec<Root> = Root::ALL.map(|(root, _)| root).into();
    prop::sample::select(roots).prop_flat_map(|root| {
        let step = || prop::sample::select(vec![ItemKind::Certificate, ItemKind::Redirect]);
        let kind = match root {
            Root::Provisioning => prop_oneof![
                any_role().prop_map(ItemKind::Category),
                any_role().prop_map(ItemKind::File),
                step(),
            ]
            .boxed(),
            Root::Scenario => step().boxed(),
            Root::Firmware => Just(ItemKind::File(Role::Firmware)).boxed(),
            Root::Nvm | Root::Settings => Just(ItemKind::File(Role::Nvm)).boxed(),
        };
        let count = if root == Root::Settings { 0 } else { 6 };
        (Just(root), prop::collection::vec(kind, 0..=count))
    })
}

proptest! {
    #[test]
    fn reads_back_what_it_wrote(
        (root_written, kinds) in any_kinds(),
        [version, product, mac, title] in [any_text(), any_text(), any_text(), any_text()],
        texts in prop::collection::vec([any_text(), any_text(), any_text()], 6),
        values in prop::collection::btree_map(any_key(), any_text(), 0..6),
    ) {
        let url = |url: &str| url.split_ascii_whitespace().collect::<String>();
        let entries: Vec<Entry<'_>> = kinds
            .iter()
            .zip(&texts)
            .map(|(kind, [url, version, flags])| Entry {
                kind: *kind,
                url,
                version,
                label: "latest",
                flags,
            })
            .collect();
        let outline = Outline {
            root: root_written,
            version: &version,
            product: &product,
            mac: &mac,
            items: &entries,
        };
        let pairs: Vec<(&str, &str)> =
            values.iter().map(|(key, value)| (&**key, &**value)).collect();
        let draft = Draft {
            title: &title,
            settings: &pairs,
            catalogue: Some(&outline),
            ..Draft::default()
        };
        let bytes = crate::format::write(Format::Catalogue, FormatOptions::default(), &draft);
        let (document, keys) = whole(&bytes);
        prop_assert!(document.faults.groups().is_empty());
        prop_assert_eq!(root(&document), (root_written, [&*version, &*product, &*mac]));
        let expected: Vec<_> = entries
            .iter()
            .map(|entry| (entry.kind, url(entry.url), entry.version, entry.flags))
            .collect();
        let found: Vec<_> = items(&document)
            .into_iter()
            .map(|(kind, url, version, flags, _)| (kind, url.to_owned(), version, flags))
            .collect();
        prop_assert_eq!(found, expected);
        let held = matches!(root_written, Root::Settings | Root::Nvm | Root::Provisioning);
        let found: Vec<(String, String)> = settings(&document, &keys)
            .into_iter()
            .map(|(key, value, _)| (key, value))
            .collect();
        let expected = values.iter().filter(|_| held);
        prop_assert!(found.iter().map(|(key, value)| (key, value)).eq(expected));
    }

    #[test]
    fn makes_a_sound_document_of_any_elements(
        pieces in prop::collection::vec(
            prop_oneof![
                "<(settings|provisioning|nvm|firmware|scenario|category|param|file|step)( version='1'\
                 | productID='p'| url=' u\n'| name='[ab]'| value=' ?[ab]?'| type='(nvm|Redirect)')*/?>",
                "</(settings|provisioning|nvm|firmware|scenario|category|param|file|step)>",
                Just(" \n".to_owned()),
                "[a&<]",
            ],
            0..12,
        ),
        root in "(settings|provisioning|nvm|firmware|scenario)",
    ) {
        let inner = pieces.concat();
        for text in [inner.clone(), format!("<{root} version='1'>{inner}</{root}>")] {
            let (document, mut keys) = read_text(&text);
            let again = read(text.as_bytes(), &mut keys, &mut Scratch::default());
            prop_assert_eq!(&document, &again);
            let mut length: usize = document.settings.iter().map(|each| each.length()).sum();
            if let Some(catalogue) = &document.catalogue {
                let items = catalogue.items.iter();
                let spans = items.flat_map(|item| [item.url, item.version, item.flags]);
                let root = [catalogue.version, catalogue.product, catalogue.mac];
                for span in spans.chain(root) {
                    prop_assert_eq!(document.text(span).len(), span.length as usize);
                    length += span.length as usize;
                }
            }
            prop_assert_eq!(document.text.len(), length);
            prop_assert_eq!(document.catalogue.is_some(), document.reading == Reading::Whole);
        }
    }
}
