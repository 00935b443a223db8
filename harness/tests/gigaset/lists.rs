//! Categories and their lists of versions.

use bootstorm_emulator::event::{EventKind, Fault, File, RunResult};
use bootstorm_emulator::profile::StepId;

use crate::world::{Lane, SERVER, World};
use crate::{
    FIRST, MODEL, SECOND, STORED, ended, gave_up, list, name_held, named, nvm, phone, provisioning,
    settings, skipped, with_categories, with_settings, xml,
};

// GIG-17, GIG-18, GIG-19, GIG-21, GIG-32, GIG-48: three categories in file order, each list
// followed at once, the run complete.
#[test]
fn works_the_categories_off_in_file_order() {
    let world = with_categories(&[
        ("firmware", "http://10.0.0.2/maxwell3/firmware/updates.xml"),
        ("nvm", "http://10.0.0.2/maxwell3/nvm/updates.xml"),
        ("custom", "http://10.0.0.2/maxwell3/custom/updates.xml"),
    ])
    .file(
        "maxwell3/firmware/updates.xml",
        list("firmware", &[("1.10.4", "/x.bin")]),
    )
    .file(
        "maxwell3/nvm/updates.xml",
        list("nvm", &[(FIRST, "settings.xml")]),
    )
    .file("maxwell3/nvm/settings.xml", named("a"))
    .file("maxwell3/custom/updates.xml", xml("<scenario/>"))
    .boot();
    assert_eq!(
        world.files()[1..],
        [
            "/device/provisioning.xml",
            "/maxwell3/firmware/updates.xml",
            "/maxwell3/nvm/updates.xml",
            "/maxwell3/nvm/settings.xml",
            "/maxwell3/custom/updates.xml",
        ]
    );
    assert!(world.has(EventKind::FirmwareCurrent));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
    let world = with_categories(&[("custom", "c.xml"), ("nvm", "n.xml")]).boot();
    assert_eq!(world.files()[2..], ["/device/c.xml", "/device/n.xml"]);
}

// GIG-29: a path is resolved against scheme, host and port of the list, other links against its
// directory; a host by its name.
#[test]
fn resolves_the_links_of_a_list() {
    let mut world = with_categories(&[("nvm", "http://my_server:8088/maxwell3/nvm/updates.xml")])
        .file(
            "maxwell3/nvm/updates.xml",
            list("nvm", &[(FIRST, "/firmware/settings.xml")]),
        )
        .file("firmware/settings.xml", named("a"));
    world.shelf.hosts.insert("my_server".to_owned(), SERVER);
    let world = world.boot();
    let web: Vec<_> = world
        .up()
        .filter(|packet| matches!(packet.lane, Lane::Tcp(_)))
        .map(|packet| packet.peer.port())
        .collect();
    assert_eq!(web, [80, 80, 8_088, 8_088]);
    assert_eq!(world.files()[3], "/firmware/settings.xml");
    assert_eq!(name_held(&world).as_deref(), Some("a"));
}

// GIG-20, GIG-59: a URL without the second slash fails its category; the others go on.
#[test]
fn drops_the_category_whose_url_has_a_single_slash() {
    let world = with_categories(&[
        ("firmware", "http:/my_server/maxwell3/firmware/updates.xml"),
        ("nvm", "/nvm/updates.xml"),
    ])
    .file("nvm/updates.xml", nvm(FIRST))
    .file("nvm/settings.xml", named("a"))
    .boot();
    assert!(gave_up(&world, StepId::UPDATES, Fault::BadTarget));
    assert_eq!(world.files().len(), 4);
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Partial);
}

// GIG-20: blanks and line breaks in a URL are the transcriber's.
#[test]
fn joins_a_url_that_was_broken_in_two() {
    let world = with_categories(&[("nvm", " http://10.0.0.2/maxwell3\n\n/nvm/updates.xml ")])
        .file("maxwell3/nvm/updates.xml", nvm(FIRST))
        .file("nvm/settings.xml", named("a"))
        .boot();
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
}

// GIG-59: a category that fails is retried at the next run, and that one is complete.
#[test]
fn tries_a_failed_category_again_in_the_next_run() {
    let mut world = with_categories(&[("nvm", "/nvm/updates.xml"), ("custom", "/c.xml")])
        .file("c.xml", xml("<scenario/>"))
        .boot();
    assert_eq!(world.files()[2..], ["/nvm/updates.xml", "/c.xml"]);
    ended(&world, RunResult::Partial);
    world.serve("nvm/updates.xml", nvm(FIRST));
    world.serve("nvm/settings.xml", named("a"));
    world.reboot();
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
}

// GIG-33, GIG-34, GIG-35, GIG-36, GIG-22: of several files the newest counts, whatever their order.
#[test]
fn takes_the_newest_file_only() {
    for order in [[0, 1], [1, 0]] {
        let files = [(FIRST, "/nvm/old.xml"), (SECOND, "/nvm/settings.xml")];
        let files: Vec<_> = order.iter().map(|at| files[*at]).collect();
        let world = with_settings(&list("nvm", &files), &named("a")).boot();
        assert_eq!(
            world.files()[2..],
            ["/nvm/updates.xml", "/nvm/settings.xml"]
        );
        assert_eq!(world.held(STORED).as_deref(), Some(SECOND));
    }
}

// GIG-37, GIG-38, GIG-39, GIG-40: the version applied is stored, and while the list still names it
// the file is not requested.
#[test]
fn does_not_fetch_the_version_that_it_holds() {
    let world = phone().boot();
    assert_eq!(world.held(STORED), None, "GIG-38: 0, the default");
    let mut world = with_settings(&nvm(FIRST), &named("a")).boot();
    assert_eq!(world.held(STORED).as_deref(), Some(FIRST));
    world.serve("nvm/settings.xml", named("not fetched"));
    world.reboot();
    assert_eq!(world.files()[2..], ["/nvm/updates.xml"]);
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::Unchanged {
            file: File::Named(_)
        }
    )));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
    world.serve("nvm/updates.xml", nvm(SECOND));
    world.reboot();
    assert_eq!(name_held(&world).as_deref(), Some("not fetched"));
    assert_eq!(world.held(STORED).as_deref(), Some(SECOND));
}

// GIG-38: a list that names version 0 is held from the beginning.
#[test]
fn begins_with_version_zero() {
    let world = with_settings(&nvm("0"), &named("a")).boot();
    assert_eq!(world.files()[2..], ["/nvm/updates.xml"]);
    assert_eq!(name_held(&world), None);
}

// GIG-43: an older version is another version.
#[test]
fn goes_back_to_an_older_version() {
    let mut world = with_settings(&nvm(SECOND), &named("new")).boot();
    world.serve("nvm/updates.xml", nvm(FIRST));
    world.serve("nvm/settings.xml", named("old"));
    world.reboot();
    assert_eq!(name_held(&world).as_deref(), Some("old"));
    assert_eq!(world.held(STORED).as_deref(), Some(FIRST));
}

// GIG-41, GIG-42: a dated version in the settings must be the one announced; another form of
// version is not compared.
#[test]
fn refuses_settings_of_another_version_than_announced() {
    let dated = |version: &str| settings(version, &[("SIP.Account.0.AccountName", "a")]);
    let world = with_settings(&nvm(FIRST), &dated(SECOND)).boot();
    assert!(gave_up(&world, StepId::LINKED, Fault::VersionMismatch));
    assert_eq!(name_held(&world), None);
    assert_eq!(world.held(STORED), None);
    ended(&world, RunResult::Partial);
    for same in [FIRST, "1.0", ""] {
        let world = with_settings(&nvm(FIRST), &dated(same)).boot();
        assert_eq!(name_held(&world).as_deref(), Some("a"), "{same}");
        ended(&world, RunResult::Complete);
    }
}

// GIG-23, GIG-24, GIG-25, GIG-33: a list for another product or MAC is as if absent, and told.
#[test]
fn skips_what_is_made_for_another_phone() {
    let own = "7c:2f:80:12:34:56";
    for (guard, taken) in [
        (format!("macAddress=\"{own}\""), true),
        (format!("productID=\"mx3b\" macAddress=\"{own}\""), true),
        ("productID=\"mx3b\"".to_owned(), true),
        (String::new(), true),
        ("macAddress=\"90:1b:0e:56:c7:bc\"".to_owned(), false),
        ("macAddress=\"7C:2F:80:12:34:56\"".to_owned(), false),
        ("macAddress=\"7c2f80123456\"".to_owned(), false),
        ("productID=\"n510\"".to_owned(), false),
        (format!("productID=\"MX3B\" macAddress=\"{own}\""), false),
    ] {
        let files = format!("<file version=\"{FIRST}\" url=\"/nvm/settings.xml\"/>");
        let list = xml(&format!("<nvm version=\"1.0\" {guard}>{files}</nvm>"));
        let world = with_settings(&list, &named("a")).boot();
        assert_eq!(name_held(&world).is_some(), taken, "{guard}");
        assert_eq!(skipped(&world, Fault::ForeignDocument), !taken, "{guard}");
        let params = "<param name=\"SIP.Account.0.AccountName\" value=\"a\"/>";
        let file = xml(&format!("<settings {guard}>{params}</settings>"));
        let world = with_settings(&nvm(FIRST), &file).boot();
        assert_eq!(name_held(&world).is_some(), taken, "{guard}");
        assert_eq!(world.held(STORED).is_some(), taken, "{guard}");
    }
}

// GIG-25: a foreign provisioning.xml is as if absent: asked for again, then the phone's own file.
#[test]
fn goes_on_to_its_own_file_when_the_first_one_is_foreign() {
    let foreign = provisioning(&[]).replace("mx3b", "n510");
    let world = phone()
        .file("device/provisioning.xml", foreign)
        .file("device/7c2f80123456.xml", named("a"))
        .boot();
    assert_eq!(world.files(), crate::LISTS);
    assert!(skipped(&world, Fault::ForeignDocument));
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
}

// GIG-25: a run that had nothing but a foreign file had nothing.
#[test]
fn counts_a_foreign_file_as_nothing() {
    let world = World::new(MODEL)
        .option(114, "http://10.0.0.2/given.xml")
        .file("given.xml", named("a").replace("mx3b", "n510"))
        .boot();
    assert!(skipped(&world, Fault::ForeignDocument));
    ended(&world, RunResult::NothingFetched);
}

// GIG-56: the phone's own file may be a document of any kind.
#[test]
fn takes_a_document_of_any_kind_for_its_own_file() {
    let own = "device/7c2f80123456.xml";
    let nvm = nvm(FIRST);
    let provisioning = provisioning(&[("nvm", "/nvm/updates.xml")]);
    for document in [named("a"), nvm.clone(), provisioning] {
        let world = phone()
            .file(own, document)
            .file("nvm/updates.xml", &nvm)
            .file("nvm/settings.xml", named("a"))
            .boot();
        assert_eq!(world.files()[..4], crate::LISTS);
        assert_eq!(name_held(&world).as_deref(), Some("a"));
        ended(&world, RunResult::Complete);
    }
    for (document, event) in [
        (
            list("firmware", &[("1.10.4", "/x.bin")]),
            EventKind::FirmwareCurrent,
        ),
        (
            xml("<scenario><step type=\"Redirect\" url=\"\"/></scenario>"),
            EventKind::GaveUp {
                step: StepId::LINKED,
                fault: Fault::BadTarget,
            },
        ),
    ] {
        let world = phone().file(own, document).boot();
        assert!(world.has(event));
    }
}
