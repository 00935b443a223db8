//! Documents that are damaged or mean harm: what the phone does, and the event that names it.

use bootstorm_emulator::event::{EventKind, Fault, Limit, RunResult, SectionFault};
use bootstorm_emulator::limits::{LINKS_MAX, XML_DEPTH_MAX};
use bootstorm_emulator::profile::StepId;

use crate::world::World;
use crate::{ended, references, refused, skipped, stored, told, urls};

const URL: &str = "http://prov.server.com/prov.xml";
/// Bytes that one phone may hold for itself after whatever happened to it.
const PHONE_BYTES_MAX: usize = 64 << 10;

fn given(text: impl AsRef<[u8]>) -> World {
    told(URL).file("prov.xml", text).boot()
}

fn gave_up(world: &World) -> Vec<Fault> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::GaveUp {
            step: StepId::GIVEN,
            fault,
        } => Some(fault),
        _ => None,
    });
    kinds.collect()
}

/// The phone is up, at rest, holds nothing of it, and said this fault.
#[track_caller]
fn assert_refused(text: impl AsRef<[u8]>, fault: Fault) {
    let world = given(text);
    assert_eq!(gave_up(&world), [fault], "{:#?}", world.events);
    assert!(ended(&world, RunResult::NothingFetched));
    assert!(stored(&world).is_empty());
    assert!(world.phone.flash().heap_bytes() < PHONE_BYTES_MAX);
}

// AUE-47: three roots are known; anything else is no provisioning document.
#[test]
fn refuses_documents_with_another_root() {
    for text in [
        "<html><body>not found</body></html>",
        "<settings><param name=\"a\" value=\"b\"/></settings>",
        "account.1.enable=1\n",
        "",
    ] {
        assert_refused(text, Fault::WrongFormat);
    }
}

#[test]
fn refuses_xml_that_is_not_well_formed() {
    for text in [
        "<configuration>",
        "<configuration><provisioning></configuration>",
        "<configuration><provisioning><url a=></url></provisioning></configuration>",
        "<referencedSettings><URL>x</referencedSettings>",
        "<operations><delete path='/templates'></operations>",
    ] {
        assert_refused(text, Fault::BadXml);
    }
}

// Entities of its own, which could grow without end or name files of the phone.
#[test]
fn refuses_document_type_declarations() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\">\
                <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                <configuration><provisioning><url>&b;</url></provisioning></configuration>";
    assert_refused(bomb, Fault::BadXml);
    let outside = "<!DOCTYPE c SYSTEM \"file:///etc/passwd\"><configuration></configuration>";
    assert_refused(outside, Fault::BadXml);
}

#[test]
fn refuses_documents_nested_beyond_the_limit() {
    let depth = XML_DEPTH_MAX + 1;
    let text = format!(
        "<configuration>{}{}</configuration>",
        "<a>".repeat(depth),
        "</a>".repeat(depth)
    );
    let world = given(text);
    assert_eq!(gave_up(&world).len(), 1);
    assert!(stored(&world).is_empty());
}

#[test]
fn survives_bytes_that_are_no_text() {
    let bytes: Vec<u8> = (0..=255).cycle().take(64 << 10).collect();
    let world = given(&bytes);
    assert_eq!(gave_up(&world).len(), 1);
    let world = given([b"<configuration>".as_slice(), &[0xff; 100]].concat());
    assert_eq!(gave_up(&world).len(), 1);
}

// AUE-55: a section that the model does not know is refused by name, its neighbours are stored.
#[test]
fn refuses_unknown_sections_one_by_one() {
    let world = given(
        "<configuration><rubbish><a>1</a></rubbish>\
         <provisioning version=\"1.34.0\" patch=\"true\"><dhcp>false</dhcp></provisioning>\
         </configuration>",
    );
    assert_eq!(refused(&world), [("rubbish", SectionFault::Unknown)]);
    assert_eq!(stored(&world), ["provisioning"]);
    assert!(ended(&world, RunResult::Complete));
}

// AUE-57, AUE-65: more references in one document than a phone follows.
#[test]
fn reads_no_more_references_than_its_limit() {
    let many: Vec<String> = (0..20_000).map(|number| format!("{number}.xml")).collect();
    let names: Vec<&str> = many.iter().map(String::as_str).collect();
    let world = given(references(&names));
    assert_eq!(urls(&world).len(), 1 + LINKS_MAX as usize);
    assert!(world.reached(Limit::Links));
    assert!(world.phone.flash().heap_bytes() < PHONE_BYTES_MAX);
}

// AUE-77, AUE-76: operations with hostile paths are skipped one by one.
#[test]
fn skips_operations_with_paths_of_no_use() {
    let deep = "/a".repeat(500);
    let paths = [
        "",
        "/",
        "//",
        "/*[",
        "/provisioning[",
        "/provisioning/@version",
        &deep,
    ];
    let operations: String = paths
        .iter()
        .map(|path| format!("<delete path=\"{path}\"/>\n"))
        .collect();
    let world = given(format!("<operations>\n{operations}</operations>"));
    assert_eq!(skipped(&world).len(), paths.len());
    assert!(stored(&world).is_empty());
    assert!(ended(&world, RunResult::Complete));
}
