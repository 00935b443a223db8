use proptest::prelude::*;

use super::*;
use crate::event::File;
use crate::limits::{TREE_VISITS_MAX, XML_DEPTH_MAX};
use crate::names::Names;
use crate::profile::StepId;
use crate::profile::keys::{KeyRules, Verdicts};
use crate::profile::sections::{Element, Schema, ValueType};
use crate::settings::{Settings, Vetted};

const VENDOR: &str = include_str!("../../../profiles/auerswald/vendor.toml");
const FIRST: File = File::Step(StepId(40));
const SECOND: File = File::Step(StepId(41));

/// The document's operations, word for word.
const WORKED: &str = r#"<operations>
 <delete path="/templates/template[@name='Test']" />
 <replace path="/keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='@string/identity']">
  <parameter name="@string/identity" value="3"/>
 </replace>
 <add path="/keys/phoneXtensions/key[@keyNumber='3']/parameters/">
  <parameter name="@string/foo" value="bar"/>
 </add>
</operations>"#;

const BACKUP: &str = r#"<?xml version="1.0" encoding="utf=8"?>
<configuration xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <provisioning version="1.34.0">
    <active>true</active>
    <url>http://prov.server.com/&lt;MACADR&gt;.xml</url>
    <sip><active>false</active><allowed><host>192.168.0.200</host></allowed></sip>
    <execution><time>02:30</time></execution>
  </provisioning>
  <users version="1.8.9">
    <user id="1"><username>11</username><password> secret </password></user>
    <user id="2"><username>12</username></user>
  </users>
  <templates version="2.1.0">
    <template name="Test"><type>function</type></template>
    <template name="Other"/>
  </templates>
  <keys version="2.6.0">
    <phoneXtensions>
      <key keyNumber="2"><parameters><parameter name="@string/identity" value="2"/></parameters></key>
      <key keyNumber="3"><parameters><parameter name="@string/identity" value="1"/></parameters></key>
    </phoneXtensions>
  </keys>
</configuration>"#;

fn schema() -> Schema {
    Schema::parse("vendor.toml", VENDOR).unwrap()
}

fn merging() -> Schema {
    Schema {
        merge_unmarked: true,
        ..schema()
    }
}

fn patched(tree: &Tree, text: &str, schema: &Schema, file: File) -> Outcome {
    match read(text.as_bytes()) {
        Ok(Parsed::Patch(patch)) => tree.patch(&patch, file, schema),
        other => panic!("{other:?}"),
    }
}

fn operated(tree: &Tree, text: &str) -> Outcome {
    match read(text.as_bytes()) {
        Ok(Parsed::Operations(operations)) => tree.operate(&operations, SECOND, &schema()),
        other => panic!("{other:?}"),
    }
}

/// One operation in a list of its own.
fn one(operation: &str) -> Outcome {
    operated(
        &backup(),
        &format!("<operations>\n{operation}</operations>"),
    )
}

fn backup() -> Tree {
    let outcome = patched(&Tree::default(), BACKUP, &schema(), FIRST);
    let sections = ["provisioning", "users", "templates", "keys"];
    assert_eq!(outcome.notes, sections.map(stored));
    outcome.tree
}

fn stored(section: &str) -> Note {
    Note::Stored {
        section: section.into(),
        migrated_from: None,
    }
}

fn all_current(notes: &[Note]) -> bool {
    let current =
        |note: &Note| matches!(note, Note::Stored { migrated_from, .. } if migrated_from.is_none());
    notes.iter().all(current)
}

fn migrated(section: &str, from: &str) -> Note {
    Note::Stored {
        section: section.into(),
        migrated_from: Version::parse(from),
    }
}

fn refused(section: &str, fault: SectionFault, line: u32) -> Note {
    Note::Refused {
        section: section.into(),
        fault,
        line,
    }
}

fn skipped(fault: SectionFault, line: u32) -> Note {
    Note::Skipped { line, fault }
}

/// Settings by path, sorted.
fn flat(tree: &Tree) -> Vec<(String, String)> {
    let mut keys = Names::default();
    let flat = tree.flatten(&mut keys);
    assert!(flat.document.faults.groups().is_empty());
    assert_eq!(flat.document.settings.len(), flat.origins.len());
    let settings = flat.document.settings.iter();
    let text = |setting| flat.document.value(setting).to_owned();
    let mut all: Vec<_> = settings
        .map(|setting| (keys.text(setting.key).to_owned(), text(setting)))
        .collect();
    all.sort();
    all
}

fn value(tree: &Tree, path: &str) -> Option<String> {
    let mut all = flat(tree).into_iter();
    all.find(|(key, _)| key == path).map(|(_, value)| value)
}

/// What differs between two trees: paths with the value before and after.
fn changes(before: &Tree, after: &Tree) -> Vec<String> {
    let (before, after) = (flat(before), flat(after));
    let mut found: Vec<String> = Vec::new();
    let gone = before.iter().filter(|setting| !after.contains(setting));
    found.extend(gone.map(|(key, value)| format!("- {key} = {value}")));
    let new = after.iter().filter(|setting| !before.contains(setting));
    found.extend(new.map(|(key, value)| format!("+ {key} = {value}")));
    found
}

// AUE-70, AUE-71, AUE-72, AUE-73, AUE-74, AUE-75, AUE-79, AUE-80.
#[test]
fn carries_out_the_operations_of_the_vendors_document() {
    let before = backup();
    let outcome = operated(&before, WORKED);
    assert_eq!(outcome.notes, [stored("templates"), stored("keys")]);
    let parameter = |name: &str| {
        format!(
            "keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='{name}']/@value"
        )
    };
    assert_eq!(
        changes(&before, &outcome.tree),
        [
            format!("- {} = 1", parameter("@string/identity")),
            "- templates/template[@name='Test']/type = function".to_owned(),
            format!("+ {} = bar", parameter("@string/foo")),
            format!("+ {} = 3", parameter("@string/identity")),
        ]
    );
}

// AUE-71, AUE-75: each under its other reading.
#[test]
fn carries_out_fewer_operations_under_stricter_readings() {
    let Ok(Parsed::Operations(operations)) = read(WORKED.as_bytes()) else {
        panic!("no operations");
    };
    let notes = |schema: Schema| backup().operate(&operations, SECOND, &schema).notes;
    let prose = notes(Schema {
        only_delete: true,
        ..schema()
    });
    let unknown = SectionFault::Unknown;
    let expected = [
        skipped(unknown, 3),
        skipped(unknown, 6),
        stored("templates"),
    ];
    assert_eq!(prose, expected);
    let standard = notes(Schema {
        strict_paths: true,
        ..schema()
    });
    let stored = ["templates", "keys"].map(stored);
    assert_eq!(standard[0], skipped(SectionFault::Path, 6));
    assert_eq!(standard[1..], stored);
}

// AUE-68: an invalid section loses all its operations, the other one keeps its own.
#[test]
fn discards_all_operations_on_a_section_that_becomes_invalid() {
    let before = backup();
    let text = "<operations>\n\
        <delete path=\"/templates/template[@name='Test']\"/>\n\
        <replace path=\"/users/user[@id='1']/username\"><username>99</username></replace>\n\
        <delete path=\"/users/user[@id='2']/username\"/>\n\
        </operations>";
    let outcome = operated(&before, text);
    let fault = refused("users", SectionFault::MissingChild, 4);
    assert_eq!(outcome.notes, [stored("templates"), fault]);
    assert_eq!(
        changes(&before, &outcome.tree),
        ["- templates/template[@name='Test']/type = function"]
    );
    // Only the state after the last operation counts.
    let again = operated(
        &before,
        "<operations><delete path=\"/users/user[@id='2']/username\"/>\
         <add path=\"/users/user[@id='2']\"><username>13</username></add></operations>",
    );
    assert_eq!(again.notes, [stored("users")]);
    let second = value(&again.tree, "users/user[@id='2']/username");
    assert_eq!(second.as_deref(), Some("13"));
}

// AUE-69: an earlier version's element is not renamed but unknown.
#[test]
fn migrates_nothing_that_an_operation_brings() {
    let outcome = one("<add path=\"/users/user[@id='1']\">\n<login>x</login></add>");
    assert_eq!(outcome.notes, [refused("users", SectionFault::Unknown, 3)]);
    assert!(changes(&backup(), &outcome.tree).is_empty());
    let bad =
        one("<replace path='/users/user/username'><username>x</username><port>0</port></replace>");
    assert_eq!(bad.notes, [refused("users", SectionFault::BadValue, 2)]);
}

// AUE-76: it must be an existing sub-tree, no attribute; AUE-77: what addresses nothing is skipped.
#[test]
fn skips_operations_on_attributes_and_on_nothing() {
    for (operation, fault) in [
        (
            "<delete path=\"/users/user/@id\"/>",
            SectionFault::Attribute,
        ),
        (
            "<delete path=\"/users/user[@id='7']\"/>",
            SectionFault::NoMatch,
        ),
        ("<delete path=\"/users/user[3]\"/>", SectionFault::NoMatch),
        (
            "<delete path=\"/configuration/users\"/>",
            SectionFault::NoMatch,
        ),
        ("<delete/>", SectionFault::Path),
        ("<move path='/users'/>", SectionFault::Unknown),
        ("<add path='/users'/>", SectionFault::MissingChild),
        (
            "<replace path='/users'><keys/></replace>",
            SectionFault::Unknown,
        ),
    ] {
        let outcome = one(&format!(
            "{operation}<delete path=\"/templates/template[1]\"/>"
        ));
        let notes = [skipped(fault, 2), stored("templates")];
        assert_eq!(outcome.notes, notes, "{operation}");
    }
}

#[test]
fn refuses_paths_beyond_its_subset_of_xpath() {
    let deep = format!("/{}", "a/".repeat(XML_DEPTH_MAX + 1));
    for path in [
        "",
        "/",
        "//user",
        "/users//user",
        "/users/user[",
        "/users/user[@id]",
        "/users/user[0]",
        "/users/user[@id='1'",
        "/users/user[@id=1]",
        "/users/user[@id='1']x",
        "/users/user[name='x']",
        "/users/user[last()]",
        "/users/..",
        "/users/.",
        "/users/text()",
        "/child::users",
        "/users|/keys",
        "@id",
        "/@id",
        "/users/@id/x",
        "/users/user[99999999999999999999999]",
        "/users/ user",
        &deep,
    ] {
        assert_eq!(Path::parse(path), Err(SectionFault::Path), "{path}");
    }
}

// AUE-78
#[test]
fn operates_on_all_matches() {
    let gone = one("<delete path='/*/user[ @id = \"2\" ]'/>");
    assert_eq!(gone.notes, [stored("users")]);
    assert_eq!(value(&gone.tree, "users/user[@id='2']/username"), None);
    let added = one("<add path='users/user'><name>x</name></add>");
    for id in ["1", "2"] {
        let name = value(&added.tree, &format!("users/user[@id='{id}']/name"));
        assert_eq!(
            name.as_deref(),
            Some("x"),
            "a path without a slash is the same"
        );
    }
    let replaced = one(
        "<replace path=\"/templates/template\"><template name='a'/><template name='b'/></replace>",
    );
    // Both give the same two, and of two of one name the later counts.
    let names: Vec<_> = flat(&replaced.tree)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert!(names.contains(&"templates/template[@name='b']".to_owned()));
    let tree = &replaced.tree;
    let section = tree.child(Tree::ROOT, "templates").unwrap();
    assert_eq!(tree.elements(section).count(), 4);
    let whole = one("<delete path='/templates'/>");
    assert_eq!(whole.notes, [stored("templates")]);
    assert!(whole.tree.child(Tree::ROOT, "templates").is_none());
    let itself = one("<replace path='/templates'><templates/></replace>");
    assert_eq!(value(&itself.tree, "templates").as_deref(), Some(""));
}

// AUE-48, AUE-49
#[test]
fn a_whole_configuration_replaces_all_settings() {
    let other = "<configuration>\n<users><user id='5'><username>5</username></user></users>\n\
        <provisioning/>\n<templates/>\n<keys><phoneXtensions/></keys></configuration>";
    let outcome = patched(&backup(), other, &schema(), SECOND);
    assert_eq!(outcome.notes.len(), 4);
    let paths: Vec<_> = flat(&outcome.tree)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let left = [
        "keys/phoneXtensions",
        "provisioning",
        "templates",
        "users/user[@id='5']/username",
    ];
    assert_eq!(paths, left);
}

// AUE-50 and the two readings of AUE-52; a bare section as the root is the same.
#[test]
fn a_single_section_replaces_or_merges_only_itself() {
    let bare = "<users version='1.8.9'><user id='2'><username>x</username></user></users>";
    for text in [
        bare.to_owned(),
        format!("<configuration>{bare}</configuration>"),
    ] {
        let before = backup();
        let outcome = patched(&before, &text, &schema(), SECOND);
        assert_eq!(outcome.notes, [stored("users")]);
        assert_eq!(
            changes(&before, &outcome.tree),
            [
                "- users/user[@id='1']/password =  secret ",
                "- users/user[@id='1']/username = 11",
                "- users/user[@id='2']/username = 12",
                "+ users/user[@id='2']/username = x",
            ]
        );
        let merged = patched(&before, &text, &merging(), SECOND);
        assert_eq!(
            changes(&before, &merged.tree),
            [
                "- users/user[@id='2']/username = 12",
                "+ users/user[@id='2']/username = x"
            ]
        );
    }
    let two = format!("<configuration>{bare}<templates/></configuration>");
    let replaced = patched(&backup(), &two, &merging(), SECOND);
    assert_eq!(value(&replaced.tree, "users/user[@id='1']/username"), None);
}

// AUE-51, and AUE-56: by key attribute, else by position.
#[test]
fn a_marked_section_changes_only_what_it_names() {
    let before = backup();
    let text = "<configuration><provisioning patch=\"true\">\n\
        <sip><allowed><host>10.0.0.1</host><host>10.0.0.2</host></allowed></sip>\n\
        <execution><monday>true</monday></execution></provisioning>\n\
        <keys patch='1'><phoneXtensions><key keyNumber='3'><label>L</label><parameters>\n\
        <parameter name='@string/identity' value='9'/></parameters></key>\n\
        <key keyNumber='4'><type>t</type></key></phoneXtensions></keys></configuration>";
    let outcome = patched(&before, text, &schema(), SECOND);
    assert_eq!(outcome.notes, [stored("provisioning"), stored("keys")]);
    let third = "keys/phoneXtensions/key[@keyNumber='3']";
    assert_eq!(
        changes(&before, &outcome.tree),
        [
            format!("- {third}/parameters/parameter[@name='@string/identity']/@value = 1"),
            "- provisioning/sip/allowed/host = 192.168.0.200".to_owned(),
            format!("+ {third}/label = L"),
            format!("+ {third}/parameters/parameter[@name='@string/identity']/@value = 9"),
            "+ keys/phoneXtensions/key[@keyNumber='4']/type = t".to_owned(),
            "+ provisioning/execution/monday = true".to_owned(),
            "+ provisioning/sip/allowed/host = 10.0.0.1".to_owned(),
            "+ provisioning/sip/allowed/host[2] = 10.0.0.2".to_owned(),
        ]
    );
    let fresh = patched(&Tree::default(), "<users patch='true'/>", &schema(), FIRST);
    assert_eq!(fresh.notes, [stored("users")]);
    // Not marked: `patch` says so only with these words.
    let not = "<users patch='no'><user id='1'><username>x</username></user></users>";
    let not = patched(&before, not, &schema(), SECOND);
    assert_eq!(value(&not.tree, "users/user[@id='2']/username"), None);
}

// AUE-54: every step between the document's version and the phone's own, AUE-53.
#[test]
fn migrates_sections_of_earlier_versions() {
    let text = "<configuration>\n\
        <users><user number='1'><login>a</login><server>pbx</server><ringtone>3</ringtone></user></users>\n\
        <keys version='1.4.0'><phoneXtensions><key number='7'><label>x</label><color>red</color></key>\n\
        </phoneXtensions><phoneKeys/></keys>\n\
        <provisioning version='1.10.0'><server>no</server><execution><minDelay>60</minDelay>\n\
        <maxDelay>90</maxDelay></execution></provisioning></configuration>";
    let outcome = patched(&Tree::default(), text, &schema(), FIRST);
    assert_eq!(
        outcome.notes,
        [
            migrated("users", "0.0.0"),
            migrated("keys", "1.4.0"),
            migrated("provisioning", "1.10.0")
        ]
    );
    let expected = [
        ("keys/phoneXtensions/key[@keyNumber='7']/label", "x"),
        ("provisioning/execution/maximalRandomDelay", "90"),
        ("provisioning/execution/minimalRandomDelay", "60"),
        ("provisioning/sip/active", "false"),
        ("users/user[@id='1']/enabled", "true"),
        ("users/user[@id='1']/registrar", "pbx"),
        ("users/user[@id='1']/transport", "udp"),
        ("users/user[@id='1']/username", "a"),
    ];
    let found = flat(&outcome.tree);
    let found: Vec<_> = found
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    assert_eq!(found, expected);
    let again = outcome.tree.to_xml();
    let again = patched(
        &Tree::default(),
        str::from_utf8(&again).unwrap(),
        &schema(),
        FIRST,
    );
    assert_eq!(
        again.notes.len(),
        3,
        "a backup has the phone's own versions"
    );
    assert!(all_current(&again.notes));
}

// AUE-51 with AUE-54: what is merged is renamed, but nothing is filled in.
#[test]
fn fills_no_defaults_into_what_is_merged() {
    let before = backup();
    let text =
        "<users version='1.1.0' patch='true'><user number='2'><login>q</login></user></users>";
    let text = text.replace("number", "id");
    let outcome = patched(&before, &text, &schema(), SECOND);
    assert_eq!(outcome.notes, [migrated("users", "1.1.0")]);
    assert_eq!(
        changes(&before, &outcome.tree),
        [
            "- users/user[@id='2']/username = 12",
            "+ users/user[@id='2']/username = q"
        ]
    );
}

// AUE-55
#[test]
fn drops_unknown_elements_and_refuses_invalid_sections_alone() {
    let before = backup();
    let text = "<configuration><users version='2.0.0' color='red'>\n\
        <user id='1'><username>11</username><hologram/></user></users>\n\
        <provisioning><active>maybe</active></provisioning>\n\
        <templates version='new'/>\n\
        <keys><phoneXtensions><key/></phoneXtensions></keys>\n\
        <wallpaper/>\n\
        <provisioning><url>a</url><url>b</url></provisioning>\n\
        <provisioning>text</provisioning></configuration>";
    let outcome = patched(&before, text, &schema(), SECOND);
    assert_eq!(
        outcome.notes,
        [
            migrated("users", "2.0.0"),
            refused("provisioning", SectionFault::BadValue, 3),
            refused("templates", SectionFault::Version, 4),
            refused("keys", SectionFault::MissingChild, 5),
            refused("wallpaper", SectionFault::Unknown, 6),
            refused("provisioning", SectionFault::BadValue, 7),
            refused("provisioning", SectionFault::BadValue, 8),
        ]
    );
    assert_eq!(
        changes(&before, &outcome.tree),
        [
            "- users/user[@id='1']/password =  secret ",
            "- users/user[@id='2']/username = 12",
        ]
    );
}

#[test]
fn text_before_child_elements_is_layout() {
    let text = "<provisioning>layout<url>a</url>layout</provisioning>";
    let outcome = patched(&Tree::default(), text, &schema(), FIRST);
    assert_eq!(outcome.notes, [stored("provisioning")]);
}

#[test]
fn the_later_of_two_elements_of_one_name_counts() {
    let user = |name: &str| format!("<user id='1'><username>{name}</username></user>");
    let text = format!("<users>{}{}</users>", user("first"), user("second"));
    let tree = patched(&Tree::default(), &text, &schema(), FIRST).tree;
    let path = "users/user[@id='1']/username".to_owned();
    assert_eq!(flat(&tree), [(path, "second".to_owned())]);
}

#[test]
fn holds_nothing_of_what_a_document_replaced_itself() {
    let users =
        |name: &str| format!("<users><user id='1'><username>{name}</username></user></users>");
    let first = |text: String| {
        let text = format!("<configuration>{text}</configuration>");
        patched(&Tree::default(), &text, &schema(), FIRST).tree
    };
    let (once, twice) = (first(users("b")), first(users("a") + &users("b")));
    assert_eq!(flat(&once), flat(&twice));
    assert!(twice.len() <= once.len(), "{} nodes", twice.len());
}

#[test]
fn remembers_file_and_line_of_each_value() {
    let text = "<users patch='true'>\n<user id='2'>\n<name>new</name></user></users>";
    let tree = patched(&backup(), text, &schema(), SECOND).tree;
    let mut keys = Names::default();
    let Flat { document, origins } = tree.flatten(&mut keys);
    let rules = KeyRules::new(Vec::new(), true).unwrap();
    let mut verdicts = Verdicts::default();
    let vetted = Vetted::meant(document.into(), origins, &rules, &mut verdicts, &keys);
    let mut settings = Settings::default();
    settings.replace(SECOND, vetted.into());
    let held = |path: &str| {
        let held = settings.held(keys.find(path).unwrap()).unwrap();
        (held.value.to_owned(), held.file, held.line)
    };
    assert_eq!(
        held("users/user[@id='2']/name"),
        ("new".to_owned(), SECOND, 3)
    );
    assert_eq!(
        held("users/user[@id='2']/username"),
        ("12".to_owned(), FIRST, 11)
    );
    let url = "http://prov.server.com/<MACADR>.xml".to_owned();
    assert_eq!(held("provisioning/url"), (url, FIRST, 5));
}

// AUE-47, AUE-57, AUE-58: the document's own list, in order.
#[test]
fn lists_references_in_order_with_their_lines() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n\
        <referencedSettings xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
        xsi:noNamespaceSchemaLocation=\"provisioning_references.xsd\">\n\
        <URL>first_file.xml</URL>\n<URL>\n /second_file.xml </URL>\n<URI>no</URI><URL/>\n\
        <URL>http://another.server.com/<![CDATA[third]]>_file.xml</URL>\n\
        <URL>prov.py?mac=<MACADR></URL>\n</referencedSettings>";
    assert!(is_references(text.as_bytes()) && read(text.as_bytes()).is_err());
    assert!(!is_references(BACKUP.as_bytes()));
    // AUE-62, AUE-64, AUE-83
    let markers = [("<MACADR>", "00095200000E")];
    let text = replace_markers(text.as_bytes(), &markers);
    let Ok(Parsed::References(found)) = read(&text) else {
        panic!("no list");
    };
    let found: Vec<_> = found
        .iter()
        .map(|found| (&*found.url, found.line))
        .collect();
    assert_eq!(
        found,
        [
            ("first_file.xml", 4),
            ("/second_file.xml", 5),
            ("http://another.server.com/third_file.xml", 8),
            ("prov.py?mac=00095200000E", 9),
        ]
    );
    let written = write_references(&["a.xml", "b?m=<MACADR>&s={serial}"]);
    let written = replace_markers(&written, &markers);
    let Ok(Parsed::References(found)) = read(&written) else {
        panic!("no list");
    };
    assert_eq!(found[1].url, "b?m=00095200000E&s={serial}");
}

// AUE-81, AUE-82, AUE-83, AUE-84, AUE-85, AUE-88.
#[test]
fn replaces_markers_in_every_spelling_and_leaves_what_is_unknown() {
    let markers = [
        ("<SERIAL>", "123412341234"),
        ("{serial}", "123412341234"),
        ("<HWTYP>", "D100"),
        ("{type}", "D100"),
        ("<MACADR>", "00095200000E"),
        ("{mac}", "00095200000E"),
    ];
    let replaced = |text: &str| {
        String::from_utf8(replace_markers(text.as_bytes(), &markers).into_owned()).unwrap()
    };
    let worked = "http://prov.server.com/prov.py?mac=00095200000E&sn=123412341234&hw=D100";
    for text in [
        "http://prov.server.com/prov.py?mac=<MACADR>&sn=<SERIAL>&hw=<HWTYP>",
        "http://prov.server.com/prov.py?mac={mac}&sn={serial}&hw={type}",
        "http://prov.server.com/prov.py?mac=&lt;MACADR&gt;&sn=&lt;SERIAL&gt;&hw=<HWTYP>",
    ] {
        assert_eq!(replaced(text), worked);
    }
    for text in [
        "<macadr>",
        "{MAC}",
        "<MAC>",
        "<MACADR",
        "{",
        "",
        "&lt;MACADR>",
        "<<MACAD",
    ] {
        assert_eq!(replaced(text), text);
    }
    assert_eq!(replaced("<<MACADR>>"), "<00095200000E>");
    let odd = replace_markers(b"<X>", &[("<X>", "a<b&\"c"), ("", "no")]);
    assert_eq!(&*odd, b"a&lt;b&amp;&quot;c");
}

#[test]
fn says_where_hostile_documents_break() {
    for (text, line) in [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>\n<users/>", 1),
        ("<users>\n<user>\n</users>", 3),
        ("<users/>\n<keys/>", 2),
        (
            "<operations>\n<delete path='/a' path='/b'/></operations>",
            2,
        ),
        (
            "<referencedSettings>\n<URL>&bomb;</URL></referencedSettings>",
            2,
        ),
        ("", 1),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap_err().line, line, "{text}");
    }
    assert!(read("<a>".repeat(XML_DEPTH_MAX + 1).as_bytes()).is_err());
    let page = "<html><body><p>Not found</p></body></html>";
    let Ok(Parsed::Patch(page)) = read(page.as_bytes()) else {
        panic!("no patch");
    };
    assert_eq!(page.sections().collect::<Vec<_>>(), ["html"]);
    let outcome = backup().patch(&page, SECOND, &schema());
    assert_eq!(outcome.notes, [refused("html", SectionFault::Unknown, 1)]);
}

#[test]
fn stops_at_its_limits_and_says_so() {
    let limits = |outcome: &Outcome| {
        let notes = outcome.notes.iter();
        let limits = notes.filter(|note| matches!(note, Note::OverLimit { .. }));
        limits.count()
    };
    let many = "<templates/>".repeat(SECTIONS_MAX + 1);
    let many = format!("<configuration>{many}</configuration>");
    let outcome = patched(&Tree::default(), &many, &schema(), FIRST);
    assert_eq!(
        (outcome.notes.len(), limits(&outcome)),
        (SECTIONS_MAX + 1, 1)
    );

    let many = "<delete path='/nobody'/>".repeat(OPERATIONS_MAX + 1);
    let outcome = operated(&backup(), &format!("<operations>{many}</operations>"));
    assert_eq!(
        (outcome.notes.len(), limits(&outcome)),
        (OPERATIONS_MAX + 1, 1)
    );

    let templates: String = (0..9_000)
        .map(|at| format!("<template name='{at}'/>"))
        .collect();
    let large = patched(
        &backup(),
        &format!("<templates>{templates}</templates>"),
        &schema(),
        FIRST,
    );
    // Each adds to all: the tree would grow by the product.
    let add =
        "<add path='/templates/template'><parameters><parameter name='a'/></parameters></add>";
    let grow = format!("<operations>{}</operations>", add.repeat(40));
    let outcome = operated(&large.tree, &grow);
    assert_eq!((outcome.notes.len(), limits(&outcome)), (1, 1));
    assert!(changes(&large.tree, &outcome.tree).is_empty());

    let look = "<delete path='/templates/template[@name=\"x\"]'/>";
    let many = look.repeat(OPERATIONS_MAX);
    let outcome = operated(&large.tree, &format!("<operations>{many}</operations>"));
    assert_eq!(limits(&outcome), usize::from(9_000_000 > TREE_VISITS_MAX));

    let urls = "<URL>a</URL>".repeat(400);
    let list = format!("<referencedSettings>{urls}</referencedSettings>");
    assert!(matches!(read(list.as_bytes()), Ok(Parsed::References(list)) if list.len() == 257));
}

#[test]
fn leaves_out_what_is_no_path_when_writing() {
    let settings = [
        ("users/user[@id='1']/username", "a"),
        ("users//x", "no"),
        ("users/user[@color='red']/name", "no"),
        ("users/*/name", "no"),
        ("provisioning/sip/allowed/host[3]", "no"),
        ("users/ä", "no"),
        ("templates/template[@name=\"it's\"]/type", "t"),
    ];
    let draft = Draft {
        settings: &settings,
        versions: &[("users", "1.8.9")],
        ..Draft::default()
    };
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n  \
        <users version=\"1.8.9\">\n    <user id=\"1\">\n      <username>a</username>\n    </user>\n  \
        </users>\n  <templates>\n    <template name=\"it's\">\n      <type>t</type>\n    \
        </template>\n  </templates>\n</configuration>\n";
    assert_eq!(String::from_utf8(write(&draft)).unwrap(), expected);
    let bare = Draft {
        settings: &settings[..1],
        patch: true,
        bare: true,
        ..Draft::default()
    };
    let bare = String::from_utf8(write(&bare)).unwrap();
    assert!(
        bare.contains("\n<users patch=\"true\">\n  <user id=\"1\">\n"),
        "{bare}"
    );
}

#[test]
fn writes_operations_that_read_back() {
    let path = "/keys/phoneXtensions/key[@keyNumber='3']/parameters";
    let written = write_operations(&[
        OperationDraft {
            action: Action::Delete,
            path: "/templates/template[@name='Test']",
            content: &[],
        },
        OperationDraft {
            action: Action::Replace,
            path: &format!("{path}/parameter[@name='@string/identity']"),
            content: &[("parameter[@name='@string/identity']/@value", "3")],
        },
        OperationDraft {
            action: Action::Add,
            path,
            content: &[("parameter[@name='@string/foo']/@value", "bar")],
        },
    ]);
    let written = operated(&backup(), str::from_utf8(&written).unwrap());
    let worked = operated(&backup(), WORKED);
    assert_eq!(written.notes, worked.notes);
    assert_eq!(flat(&written.tree), flat(&worked.tree));
}

/// A value of a type.
fn value_of(kind: &ValueType) -> BoxedStrategy<String> {
    match kind {
        ValueType::Text => "[ -~äß€\t\n\r]{0,12}".boxed(),
        ValueType::Line => "[!-~]{0,12}".boxed(),
        ValueType::Switch => prop_oneof!["true", "false", "0", "1"].boxed(),
        ValueType::Number(least, most) => (*least..=*most).prop_map(|n| n.to_string()).boxed(),
        ValueType::Words(words) => prop::sample::select(words.clone()).boxed(),
        ValueType::Time => "[01][0-9]:[0-5][0-9]".boxed(),
    }
}

/// Paths and values of an element as its schema allows them; what is required is always there.
fn element(schema: &Element, path: String, root: bool) -> BoxedStrategy<Vec<(String, String)>> {
    let plain = |name: &&Element| !(root && name.name == VERSION);
    let own: Vec<_> = schema.attributes.iter().filter(plain).cloned().collect();
    let key = own
        .iter()
        .find(|own| KEY_ATTRIBUTES.contains(&own.name.as_str()));
    let paths: Vec<String> = match key {
        Some(key) if schema.repeat => {
            let name = &key.name;
            let named = (1..=2).map(|number| format!("{path}[@{name}='{number}']"));
            named.collect()
        }
        _ if schema.repeat => vec![path.clone(), format!("{path}[2]")],
        _ => vec![path],
    };
    let key = key.map(|key| key.name.clone());
    let mut all = Vec::new();
    for path in paths {
        let mut parts: Vec<BoxedStrategy<Vec<(String, String)>>> = Vec::new();
        for own in own.iter().filter(|own| Some(&own.name) != key.as_ref()) {
            let key = format!("{path}/@{}", own.name);
            parts.push(
                value_of(&own.value)
                    .prop_map(move |v| vec![(key.clone(), v)])
                    .boxed(),
            );
        }
        for child in &schema.children {
            let inner = element(child, format!("{path}/{}", child.name), false);
            parts.push(if child.required {
                inner
            } else {
                prop_oneof![inner, Just(Vec::new())].boxed()
            });
        }
        let leaf = parts.is_empty();
        if leaf {
            let kind = schema.value.clone();
            parts.push(
                value_of(&kind)
                    .prop_map(move |v| vec![(path.clone(), v)])
                    .boxed(),
            );
        }
        all.push(parts);
    }
    let all: Vec<_> = all.into_iter().flatten().collect();
    all.prop_map(|parts| parts.concat()).boxed()
}

/// Paths with their values.
type Values = Vec<(String, String)>;

fn settings() -> BoxedStrategy<Values> {
    let sections = schema().sections;
    let sections: Vec<_> = sections
        .iter()
        .map(|section| element(&section.root, section.root.name.clone(), true))
        .collect();
    sections.prop_map(|parts| parts.concat()).boxed()
}

fn written(settings: &[(String, String)], patch: bool) -> Vec<u8> {
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    write(&Draft {
        settings: &settings,
        versions: &[],
        patch,
        bare: false,
    })
}

fn pairs() -> impl Strategy<Value = (Values, Values)> {
    (settings(), settings())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_held(settings in settings()) {
        let text = written(&settings, false);
        let text = str::from_utf8(&text).unwrap();
        let outcome = patched(&Tree::default(), text, &schema(), FIRST);
        prop_assert!(all_current(&outcome.notes));
        let mut expected = settings;
        expected.sort();
        prop_assert_eq!(flat(&outcome.tree), expected);
        let backup = outcome.tree.to_xml();
        let again = patched(&Tree::default(), str::from_utf8(&backup).unwrap(), &schema(), FIRST);
        prop_assert_eq!(flat(&again.tree), flat(&outcome.tree));
        prop_assert_eq!(again.tree.to_xml(), backup);
    }

    #[test]
    fn a_patch_sets_all_it_names_and_nothing_else((before, patch) in pairs()) {
        let schema = schema();
        let text = written(&before, false);
        let held = patched(&Tree::default(), str::from_utf8(&text).unwrap(), &schema, FIRST).tree;
        let text = written(&patch, true);
        let after = patched(&held, str::from_utf8(&text).unwrap(), &schema, SECOND).tree;
        let after = flat(&after);
        for setting in &patch {
            prop_assert!(after.contains(setting), "{:?}", setting);
        }
        for (key, value) in flat(&held) {
            if patch.iter().all(|(named, _)| *named != key) {
                let kept = after.contains(&(key.clone(), value));
                // An element that held nothing may have got content.
                let inner = after.iter().any(|(other, _)| other.starts_with(&key));
                prop_assert!(kept || inner, "{}", key);
            }
        }
    }

    #[test]
    fn operations_never_touch_other_sections(
        settings in settings(),
        list in prop::collection::vec((0..3_usize, prop::sample::select(vec![
            "/users/user", "/users/user[@id='1']", "/users/*", "/users/user/username", "/users",
            "/users/user[2]/port", "//users", "/users/user/@id",
        ])), 1..6),
    ) {
        let text = written(&settings, false);
        let held = patched(&Tree::default(), str::from_utf8(&text).unwrap(), &schema(), FIRST).tree;
        let content = [("user[@id='3']/username", "z")];
        let drafts: Vec<_> = list
            .iter()
            .map(|(action, path)| OperationDraft {
                action: Action::ALL[*action].0,
                path,
                content: &content,
            })
            .collect();
        let written = write_operations(&drafts);
        let outcome = operated(&held, str::from_utf8(&written).unwrap());
        let others = |tree: &Tree| {
            let mut all = flat(tree);
            all.retain(|(key, _)| !key.starts_with("users"));
            all
        };
        prop_assert_eq!(others(&held), others(&outcome.tree));
        let users = outcome.tree.child(Tree::ROOT, "users");
        let schema = schema();
        let root = &schema.section("users").unwrap().root;
        prop_assert!(users.is_none_or(|users| outcome.tree.fault_in(users, root).is_none()));
    }

    #[test]
    fn hostile_bytes_never_panic(text in "[<>/a-z'\"=@ &;\\[\\]!-]{0,200}", root in 0..3_usize) {
        let root = ["configuration", "operations", "referencedSettings"][root];
        for text in [text.clone(), format!("<{root}>{text}</{root}>")] {
            match read(text.as_bytes()) {
                Ok(Parsed::Patch(patch)) => drop(backup().patch(&patch, FIRST, &schema())),
                Ok(Parsed::Operations(list)) => drop(backup().operate(&list, FIRST, &schema())),
                _ => {}
            }
            let _ = Path::parse(&text);
            let _ = replace_markers(text.as_bytes(), &[("<a>", "b"), ("{", "x")]);
        }
    }
}
