//! Settings documents and operations as they show at the phone: what it holds afterwards, where
//! each value came from, and what it says of what it left out.

use bootstorm_emulator::event::{EventKind, LineReason, RunResult, SectionFault};
use bootstorm_emulator::phone::io::WebAction;

use crate::world::World;
use crate::{ended, origin, profile, references, refused, skipped, stored, told, told_as, urls};

const URL: &str = "http://prov.server.com/prov.xml";

/// A whole backup: a template, a key with its parameters, two users, provisioning.
pub(crate) const BACKUP: &str = r#"<?xml version="1.0" encoding="utf=8"?>
<configuration>
  <provisioning version="1.34.0">
    <active>true</active>
    <dhcp>false</dhcp>
    <redirect>false</redirect>
    <pbx>false</pbx>
    <url>http://prov.server.com/prov.xml</url>
  </provisioning>
  <users version="1.8.9">
    <user id="1">
      <enabled>true</enabled>
      <username>100</username>
      <registrar>10.0.0.2</registrar>
    </user>
    <user id="2">
      <enabled>false</enabled>
      <username>200</username>
      <registrar>10.0.0.2</registrar>
    </user>
  </users>
  <templates>
    <template name="Test"/>
    <template name="Office"/>
  </templates>
  <keys>
    <phoneXtensions>
      <key keyNumber="3">
        <parameters>
          <parameter name="@string/identity" value="1"/>
          <parameter name="@string/label" value="door"/>
        </parameters>
      </key>
      <key keyNumber="4">
        <parameters>
          <parameter name="@string/identity" value="2"/>
        </parameters>
      </key>
    </phoneXtensions>
  </keys>
</configuration>
"#;

/// The operations of the document, letter by letter.
const OPERATIONS: &str = r#"<operations>
  <delete path="/templates/template[@name='Test']" />
  <replace path="/keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='@string/identity']">
    <parameter name="@string/identity" value="3"/>
  </replace>
  <add path="/keys/phoneXtensions/key[@keyNumber='3']/parameters/">
    <parameter name="@string/foo" value="bar"/>
  </add>
</operations>
"#;

const IDENTITY_3: &str =
    "keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='@string/identity']/@value";
const LABEL_3: &str =
    "keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='@string/label']/@value";
const FOO_3: &str =
    "keys/phoneXtensions/key[@keyNumber='3']/parameters/parameter[@name='@string/foo']/@value";
const IDENTITY_4: &str =
    "keys/phoneXtensions/key[@keyNumber='4']/parameters/parameter[@name='@string/identity']/@value";

/// A phone that restored `BACKUP`.
fn backed_up() -> World {
    let mut world = told("").boot();
    restore(&mut world, BACKUP);
    world
}

/// Uploads a document; only what came of it is remembered.
fn restore(world: &mut World, text: &str) {
    world.forget();
    world.press(WebAction::Restore(text.as_bytes()));
}

fn section(inner: &str) -> String {
    format!("<configuration>{inner}</configuration>")
}

fn held<'w>(world: &'w World, key: &str) -> Option<&'w str> {
    let key = world.shelf.keys.find(key)?;
    let settings = &world.phone.flash().settings;
    settings.held(key).map(|held| held.value)
}

/// How many settings of this section are in force.
fn count(world: &World, section: &str) -> usize {
    let settings = &world.phone.flash().settings;
    let keys = settings
        .effective()
        .map(|(key, _)| world.shelf.keys.text(key));
    keys.filter(|key| key.starts_with(section)).count()
}

fn migrated(world: &World) -> Vec<(&str, &str)> {
    let kinds = world.kinds().filter_map(|kind| match kind {
        EventKind::SectionStored {
            section,
            migrated_from: Some(from),
        } => Some((world.shelf.urls.text(section), world.shelf.urls.text(from))),
        _ => None,
    });
    kinds.collect()
}

// AUE-47, AUE-48, AUE-49: a backup says everything; each value is known by its file and line. Its
// declaration is broken as in public files, and read all the same.
#[test]
fn holds_what_a_backup_says_with_file_and_line() {
    let world = told(URL).file("prov.xml", BACKUP).boot();
    assert_eq!(
        stored(&world),
        ["provisioning", "users", "templates", "keys"]
    );
    assert_eq!(held(&world, "provisioning/dhcp"), Some("false"));
    assert_eq!(held(&world, "users/user[@id='2']/username"), Some("200"));
    assert_eq!(held(&world, IDENTITY_3), Some("1"));
    let origin = origin(&world, "users/user[@id='2']/username");
    assert_eq!(origin, Some((URL.to_owned(), 18)));
    assert!(ended(&world, RunResult::Complete));
    assert!(refused(&world).is_empty());
}

// AUE-49: the next backup replaces all of it: what it does not name is gone.
#[test]
fn replaces_everything_by_a_whole_backup() {
    let mut world = backed_up();
    let before = held(&world, "users/user[@id='2']/username").map(str::to_owned);
    assert_eq!(before.as_deref(), Some("200"));
    let second = BACKUP
        .split_once("    <user id=\"2\">")
        .and_then(|(head, tail)| Some(format!("{head}{}", tail.split_once("</user>")?.1)))
        .unwrap();
    restore(&mut world, &second);
    assert_eq!(
        stored(&world),
        ["provisioning", "users", "templates", "keys"]
    );
    assert_eq!(held(&world, "users/user[@id='2']/username"), None);
    assert_eq!(held(&world, "users/user[@id='1']/username"), Some("100"));
}

// AUE-50, AUE-52: one section alone touches that section alone, and replaces it.
#[test]
fn replaces_the_one_section_of_a_reduced_file() {
    let mut world = backed_up();
    let users = "<users version=\"1.8.9\"><user id=\"1\"><enabled>true</enabled>\
                 <username>111</username></user></users>";
    restore(&mut world, &section(users));
    assert_eq!(stored(&world), ["users"]);
    assert_eq!(held(&world, "users/user[@id='1']/username"), Some("111"));
    assert_eq!(held(&world, "users/user[@id='1']/registrar"), None);
    assert_eq!(count(&world, "users/user[@id='2']"), 0);
    assert_eq!(held(&world, "provisioning/dhcp"), Some("false"));
    assert_eq!(held(&world, IDENTITY_3), Some("1"));
}

// AUE-52: under the other reading such a file is merged.
#[test]
fn merges_a_reduced_file_where_the_profile_says_so() {
    let profile = profile("sections.merge_unmarked = true\n");
    let mut world = told_as(profile, "").boot();
    restore(&mut world, BACKUP);
    let users = "<users version=\"1.8.9\"><user id=\"1\"><username>111</username></user></users>";
    restore(&mut world, &section(users));
    assert_eq!(held(&world, "users/user[@id='1']/username"), Some("111"));
    assert_eq!(held(&world, "users/user[@id='1']/enabled"), Some("true"));
    assert_eq!(held(&world, "users/user[@id='2']/username"), Some("200"));
}

// AUE-51, AUE-56: a marked section changes the elements that it names; entries of a list are found
// by their key attribute.
#[test]
fn changes_only_what_a_marked_section_names() {
    let mut world = backed_up();
    let users = "<users version=\"1.8.9\" patch=\"true\"><user id=\"2\">\n\
                 <username>222</username></user></users>";
    restore(&mut world, &section(users));
    assert_eq!(stored(&world), ["users"]);
    assert_eq!(held(&world, "users/user[@id='2']/username"), Some("222"));
    assert_eq!(held(&world, "users/user[@id='2']/enabled"), Some("false"));
    assert_eq!(held(&world, "users/user[@id='1']/username"), Some("100"));
    let changed = origin(&world, "users/user[@id='2']/username").unwrap();
    assert_eq!(changed, ("restore backup".to_owned(), 2));
    let keys = "<keys patch=\"true\"><phoneXtensions><key keyNumber=\"4\"><parameters>\
                <parameter name=\"@string/identity\" value=\"9\"/>\
                </parameters></key></phoneXtensions></keys>";
    restore(&mut world, &section(keys));
    assert_eq!(held(&world, IDENTITY_4), Some("9"));
    assert_eq!(held(&world, IDENTITY_3), Some("1"));
}

// AUE-17, AUE-53, AUE-54: a section of an earlier version is brought up to date and stored.
#[test]
fn carries_an_older_section_over() {
    let mut world = told("").boot();
    restore(
        &mut world,
        &section("<provisioning version=\"1.26.11\"><url>x</url></provisioning>"),
    );
    assert_eq!(migrated(&world), [("provisioning", "1.26.11")]);
    assert_eq!(held(&world, "provisioning/url"), Some("x"));
}

// AUE-55: of a newer section the elements that are not known are dropped, and told.
#[test]
fn drops_what_it_does_not_know_of_a_newer_section() {
    let mut world = told("").boot();
    restore(
        &mut world,
        &section(
            "<provisioning version=\"9.0.0\" patch=\"true\"><url>x</url>\n\
             <telepathy>on</telepathy></provisioning>",
        ),
    );
    let ignored = world.kinds().find_map(|kind| match kind {
        EventKind::LinesIgnored {
            reason: LineReason::UnknownKey,
            count,
            first_line,
            ..
        } => Some((count, first_line)),
        _ => None,
    });
    assert_eq!(ignored, Some((1, 2)));
    assert_eq!(stored(&world), ["provisioning"]);
    assert_eq!(held(&world, "provisioning/url"), Some("x"));
    assert_eq!(held(&world, "provisioning/telepathy"), None);
}

// AUE-55: a section that stays invalid is refused, by name, reason and line; the others count.
#[test]
fn refuses_an_invalid_section_and_takes_its_neighbours() {
    let world = told(URL)
        .file(
            "prov.xml",
            section(
                "<provisioning version=\"1.34.0\" patch=\"true\"><dhcp>perhaps</dhcp>\
                 </provisioning>\n<templates><template name=\"A\"/></templates>",
            ),
        )
        .boot();
    assert_eq!(refused(&world), [("provisioning", SectionFault::BadValue)]);
    assert_eq!(stored(&world), ["templates"]);
    assert_eq!(held(&world, "provisioning/dhcp"), None);
    assert_eq!(count(&world, "templates/template[@name='A']"), 1);
}

// AUE-70 … AUE-75, AUE-79, AUE-80: the three operations of the document, letter by letter: the
// first path names the section, the last one ends in a slash, an `@` stands within a value.
#[test]
fn carries_the_sample_operations_out() {
    let mut world = backed_up();
    let before: Vec<usize> = ["templates", "keys", "users", "provisioning"]
        .iter()
        .map(|section| count(&world, section))
        .collect();
    restore(&mut world, OPERATIONS);
    assert!(skipped(&world).is_empty(), "{:?}", world.events);
    assert_eq!(stored(&world), ["templates", "keys"]);
    // AUE-72: that template, and nothing else.
    assert_eq!(count(&world, "templates/template[@name='Test']"), 0);
    assert_eq!(count(&world, "templates/template[@name='Office']"), 1);
    assert_eq!(count(&world, "templates"), before[0] - 1);
    // AUE-73: the element is swapped for the child, AUE-74: the child is appended.
    assert_eq!(held(&world, IDENTITY_3), Some("3"));
    assert_eq!(held(&world, FOO_3), Some("bar"));
    assert_eq!(held(&world, LABEL_3), Some("door"));
    assert_eq!(held(&world, IDENTITY_4), Some("2"));
    assert_eq!(count(&world, "keys"), before[1] + 1);
    assert_eq!(count(&world, "users"), before[2]);
    assert_eq!(count(&world, "provisioning"), before[3]);
}

// AUE-16, AUE-58, AUE-69: operations in a file of a reference work on what the files before made.
#[test]
fn carries_operations_out_on_what_came_before() {
    let world = told("http://prov.server.com/r.xml")
        .file("r.xml", references(&["backup.xml", "operations.xml"]))
        .file("backup.xml", BACKUP)
        .file("operations.xml", OPERATIONS)
        .boot();
    assert_eq!(urls(&world).len(), 3);
    assert_eq!(held(&world, IDENTITY_3), Some("3"));
    let origin = origin(&world, IDENTITY_3).unwrap();
    assert_eq!(origin.0, "http://prov.server.com/operations.xml");
    assert!(ended(&world, RunResult::Complete));
}

// AUE-68: a section that its operations leave invalid loses all of them; the other keeps its own.
#[test]
fn discards_all_operations_on_a_section_that_they_break() {
    let mut world = backed_up();
    restore(
        &mut world,
        "<operations>\n\
         <replace path=\"/users/user[@id='1']/username\"><username>777</username></replace>\n\
         <replace path=\"/users/user[@id='2']/enabled\"><enabled>perhaps</enabled></replace>\n\
         <delete path=\"/templates/template[@name='Test']\"/>\n\
         </operations>",
    );
    assert_eq!(refused(&world), [("users", SectionFault::BadValue)]);
    assert_eq!(stored(&world), ["templates"]);
    assert_eq!(held(&world, "users/user[@id='1']/username"), Some("100"));
    assert_eq!(held(&world, "users/user[@id='2']/enabled"), Some("false"));
    assert_eq!(count(&world, "templates/template[@name='Test']"), 0);
}

// AUE-68: only the end is checked: what is invalid in between does no harm.
#[test]
fn checks_a_section_after_its_last_operation() {
    let mut world = backed_up();
    restore(
        &mut world,
        "<operations>\
         <replace path=\"/users/user[@id='2']/enabled\"><enabled>perhaps</enabled></replace>\
         <replace path=\"/users/user[@id='2']/enabled\"><enabled>true</enabled></replace>\
         </operations>",
    );
    assert_eq!(stored(&world), ["users"]);
    assert_eq!(held(&world, "users/user[@id='2']/enabled"), Some("true"));
}

// AUE-76, AUE-77: an attribute as target, a path that leads nowhere, one that is none: each is
// skipped by line and reason, the others are carried out.
#[test]
fn skips_operations_that_address_nothing() {
    let mut world = backed_up();
    restore(
        &mut world,
        "<operations>\n\
         <replace path=\"/keys/phoneXtensions/key[@keyNumber='3']/@keyNumber\"/>\n\
         <delete path=\"/templates/template[@name='Nobody']\"/>\n\
         <delete path=\"/templates/template[\"/>\n\
         <delete path=\"/templates/template[@name='Test']\"/>\n\
         </operations>",
    );
    assert_eq!(
        skipped(&world),
        [
            (2, SectionFault::Attribute),
            (3, SectionFault::NoMatch),
            (4, SectionFault::Path),
        ]
    );
    assert_eq!(stored(&world), ["templates"]);
    assert_eq!(count(&world, "templates/template[@name='Test']"), 0);
    assert_eq!(held(&world, IDENTITY_3), Some("1"));
}

// AUE-78: a path that matches several nodes works on all of them.
#[test]
fn works_on_every_node_that_a_path_matches() {
    let mut world = backed_up();
    restore(
        &mut world,
        "<operations><replace path=\"/users/user/registrar\">\
         <registrar>10.0.0.9</registrar></replace>\
         <delete path=\"/templates/template\"/></operations>",
    );
    for user in [1, 2] {
        let key = format!("users/user[@id='{user}']/registrar");
        assert_eq!(held(&world, &key), Some("10.0.0.9"));
    }
    assert_eq!(count(&world, "templates/template"), 0);
}

// AUE-71: the prose speaks of delete only; all three kinds work by themselves, and no fourth.
#[test]
fn knows_three_kinds_of_operation() {
    let mut world = backed_up();
    restore(
        &mut world,
        "<operations><add path=\"/templates\"><template name=\"New\"/></add>\
         \n<rename path=\"/templates\"/></operations>",
    );
    assert_eq!(skipped(&world), [(2, SectionFault::Unknown)]);
    assert_eq!(count(&world, "templates/template[@name='New']"), 1);
    assert_eq!(stored(&world), ["templates"]);
}

// AUE-17, AUE-85: what was provisioned drives the next run: the URL in the settings takes the place
// of the one typed in.
#[test]
fn follows_the_provisioned_url_from_the_next_run_on() {
    let own = "<provisioning version=\"1.34.0\" patch=\"true\">\
               <dhcp>false</dhcp><redirect>false</redirect><pbx>false</pbx>\
               <url>http://prov.server.com/{mac}.xml</url></provisioning>";
    let mut world = told(URL)
        .file("prov.xml", section(own))
        .file("00095200000E.xml", section("<templates/>"))
        .boot();
    world.reboot();
    assert_eq!(urls(&world), ["http://prov.server.com/00095200000E.xml"]);
    assert!(!world.any(|kind| matches!(
        kind,
        EventKind::LinesIgnored {
            reason: LineReason::BadValue,
            ..
        }
    )));
}

// AUE-64, AUE-85: a marker in the URL of the settings may stand as it is, which is no XML, or
// escaped; the phone holds it as a marker, and fills it when it asks.
#[test]
fn takes_markers_in_settings_in_every_spelling() {
    for spelling in ["<MACADR>", "&lt;MACADR&gt;", "{mac}"] {
        let elements =
            format!("<dhcp>false</dhcp>\n<url>http://prov.server.com/{spelling}.xml</url>");
        let own =
            format!("<provisioning version=\"1.34.0\" patch=\"true\">{elements}</provisioning>");
        let mut world = told(URL)
            .file("prov.xml", section(&own))
            .file("00095200000E.xml", section("<templates/>"))
            .boot();
        assert!(ended(&world, RunResult::Complete), "{spelling}");
        let marker = spelling.replace("&lt;", "<").replace("&gt;", ">");
        let url = format!("http://prov.server.com/{marker}.xml");
        assert_eq!(held(&world, "provisioning/url"), Some(&*url));
        let origin = origin(&world, "provisioning/url");
        assert_eq!(origin, Some((URL.to_owned(), 2)));
        world.reboot();
        assert_eq!(urls(&world), ["http://prov.server.com/00095200000E.xml"]);
    }
}

// AUE-64: phones that get such a document still hold what came of it once.
#[test]
fn reads_a_document_with_markers_once_for_all_phones() {
    let mut world = told("").boot();
    let text = section("<provisioning><url>http://a/<MACADR></url></provisioning>");
    let mut trees = Vec::new();
    for _ in 0..4 {
        let mut flash = world.phone.flash().clone();
        flash.sections = None;
        flash.settings = Default::default();
        world.give_flash(flash);
        restore(&mut world, &text);
        trees.push(world.phone.flash().sections.clone().unwrap());
    }
    assert!(std::rc::Rc::ptr_eq(&trees[2], &trees[3]));
}
