//! Documents as the page prints them, damage included, and worse ones: what the phone does and
//! which event names it.

use bootstorm_emulator::event::{EventKind, Fault, Limit, LineReason, RunResult};
use bootstorm_emulator::profile::StepId;

use crate::world::{SERVER, World};
use crate::{
    FIRST, LISTS, STORED, ended, gave_up, list, name_held, named, nvm, phone, with_settings, xml,
};

/// `provisioning.xml` as printed: stray tags, one slash, broken URLs, a comment with an en dash.
const PRINTED: &str = "<?xml\n\nversion=\"1.0\"\n\nencoding=\"UTF-8\"?>\n\n\n<provisioning\n\n\
version=\"1.0\"\n\nproductID=\"mx3b\"\n\n> <category\n\n>\n\n\
<!-- URL to the file that contains information about the available Firmware -->\n\
<category type=\"firmware\"\n\nurl=\"http:/my_server/maxwell3/firmware/updates.xml\"/\n\n\
> <category\n\n>\n\n<!-- URL to the file that contains all settings -->\n\
<category type=\"nvm\"\n\nurl=\"http://my_server/maxwell3\n\n/nvm/updates.xml\"/\n\n\
> <category\n\n>\n\n<!\u{2013}URL to the file that contains custom settings like certificates -->\n\
<category type=\"custom\"\n\nurl=\"http://my_server/maxwell3\n\n/custom/updates.xml\"/>\n\n\
</provisioning>\n";

/// The settings list as printed in its second form.
const PRINTED_LIST: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<nvm version=\"1.0\" \
productID=\"mx3b\" macAddress=\"7c:2f:80:12:34:56\">\n<file version=\"2015-01-01_01:01:01\" \
url=\"http://my_server/maxwell3/nvm/mx3_version1.xml\"/>\n<file version=\"2015-02-02_02:02:02\" \
url=\"http://my_server/maxwell3/nvm/mx3_version1.xml\" /> </nvm>";

fn with_names(mut world: World) -> World {
    world.shelf.hosts.insert("my_server".to_owned(), SERVER);
    world
}

// GIG-20: the sample as printed is no XML; asked for twice, then the phone's own file.
#[test]
fn takes_the_printed_sample_for_absent_and_says_why() {
    let world = with_names(phone())
        .file("device/provisioning.xml", PRINTED)
        .file("device/7c2f80123456.xml", named("a"))
        .boot();
    assert_eq!(world.files(), LISTS);
    let step = StepId::fetch(1);
    assert!(world.has(EventKind::Wrong {
        step,
        fault: Fault::BadXml
    }));
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::LinesIgnored {
            reason: LineReason::Grammar,
            ..
        }
    )));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Partial);
}

// GIG-20: with only the tags made whole, the sample's three categories are read: one fails, two go
// on, over URLs with line breaks.
#[test]
fn reads_the_sample_once_its_tags_are_whole() {
    let mended = PRINTED
        .replace("> <category\n\n>", ">")
        .replace("/\n\n>", "/>")
        .replace("<!\u{2013}URL", "<!-- URL");
    let world = with_names(phone())
        .file("device/provisioning.xml", mended)
        .file("maxwell3/nvm/updates.xml", PRINTED_LIST)
        .file("maxwell3/nvm/mx3_version1.xml", named("a"))
        .file("maxwell3/custom/updates.xml", xml("<scenario/>"))
        .boot();
    assert!(gave_up(&world, StepId::UPDATES, Fault::BadTarget));
    assert_eq!(
        world.files()[2..],
        [
            "/maxwell3/nvm/updates.xml",
            "/maxwell3/nvm/mx3_version1.xml",
            "/maxwell3/custom/updates.xml",
        ]
    );
    // GIG-35
    assert_eq!(world.held(STORED).as_deref(), Some("2015-02-02_02:02:02"));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Partial);
}

// GIG-38, GIG-42: a counter is a version like another; the sample's "1.0" is not compared.
#[test]
fn takes_a_counter_for_a_version() {
    let mut world = with_settings(&nvm("1"), &named("a")).boot();
    assert_eq!(world.held(STORED).as_deref(), Some("1"));
    world.reboot();
    assert_eq!(world.files().len(), 3);
    world.serve("nvm/updates.xml", nvm("2"));
    world.reboot();
    assert_eq!(world.held(STORED).as_deref(), Some("2"));
}

// GIG-20, GIG-59: settings and lists that are no XML, or XML of another kind, fail their category.
#[test]
fn names_what_is_wrong_with_a_file_of_a_category() {
    for (text, fault) in [
        (
            "<settings><param name=\"a\" value=\"b\"></settings>",
            Fault::BadXml,
        ),
        (
            "<settings><param name=\"a\" value=\"&x;\"/></settings>",
            Fault::BadXml,
        ),
        ("<settings/><settings/>", Fault::BadXml),
        ("<html/>", Fault::WrongFormat),
        ("<Settings/>", Fault::WrongFormat),
        ("SIP.Port=5070", Fault::WrongFormat),
        ("", Fault::WrongFormat),
    ] {
        let world = with_settings(&nvm(FIRST), text).boot();
        assert!(gave_up(&world, StepId::LINKED, fault), "{text}: {fault:?}");
        assert_eq!(world.held(STORED), None, "{text}");
        ended(&world, RunResult::Partial);
        let world = with_settings(text, "").boot();
        assert!(gave_up(&world, StepId::UPDATES, fault), "{text}: {fault:?}");
        ended(&world, RunResult::Partial);
    }
}

// Hostile XML: entities, depth, size.
#[test]
fn refuses_hostile_xml_by_name() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
                <settings><param name=\"SIP.Port\" value=\"&b;\"/></settings>";
    let deep = format!(
        "<settings>{}{}</settings>",
        "<x>".repeat(100),
        "</x>".repeat(100)
    );
    for text in [bomb, &deep] {
        let world = with_settings(&nvm(FIRST), text).boot();
        assert!(gave_up(&world, StepId::LINKED, Fault::BadXml));
        assert_eq!(world.held("SIP.Port"), None);
        ended(&world, RunResult::Partial);
    }
    let huge = "x".repeat(9 << 20);
    let world = with_settings(&nvm(FIRST), &huge).boot();
    assert!(world.reached(Limit::FileBytes));
    ended(&world, RunResult::Partial);
}

// GIG-34, GIG-39: a list without files, and one without versions.
#[test]
fn makes_do_with_a_list_that_says_little() {
    let world = with_settings(&list("nvm", &[]), "").boot();
    assert_eq!(world.files().len(), 3);
    ended(&world, RunResult::Complete);
    let bare = xml("<nvm><file url=\"/nvm/settings.xml\"/></nvm>");
    let mut world = with_settings(&bare, &named("a")).boot();
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    assert_eq!(world.held(STORED), None);
    world.reboot();
    assert_eq!(world.files().len(), 4, "nothing to compare: fetched again");
}
