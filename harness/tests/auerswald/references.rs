//! Reference documents, markers, and how URLs resolve.

use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Realm, Redirect, Scheme};
use bootstorm_emulator::event::{EventKind, Fault, File, Limit, RunResult};
use bootstorm_emulator::limits::{LINKS_MAX, REFERENCE_DEPTH_MAX};
use bootstorm_emulator::profile::StepId;

use crate::world::World;
use crate::{MODEL, ended, origin, profile, references, stored, told, told_as, urls};

/// A settings document of one section.
fn section(url: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n\
         <provisioning version=\"1.34.0\" patch=\"true\">\n<url>{url}</url>\n\
         </provisioning>\n</configuration>\n"
    )
}

fn named(world: &World, url: &str) -> File {
    File::Named(world.shelf.urls.find(url).unwrap())
}

fn skipped(world: &World, url: &str) -> bool {
    world.has(EventKind::DocumentSkipped {
        file: named(world, url),
        fault: Fault::Cycle,
    })
}

// AUE-14, AUE-57, AUE-58, AUE-59, AUE-60, AUE-61, AUE-62, AUE-64, AUE-83, AUE-85: the document's
// own sample, letter by letter, with the four URLs that it works out. The fourth resolves as RFC
// 3986 has it (AUE-63).
#[test]
fn resolves_the_four_urls_of_the_sample() {
    let sample = references(&[
        "first_file.xml",
        "/second_file.xml",
        "http://another.server.com/third_file.xml",
        "prov.py?mac=<MACADR>",
    ]);
    let world = told("http://prov.server.com/prov/references.xml")
        .file("prov/references.xml", &sample)
        .file("prov/first_file.xml", section("http://one/"))
        .file("second_file.xml", section("http://two/"))
        .file("third_file.xml", section("http://three/"))
        .file("prov/prov.py?mac=00095200000E", section("http://four/"))
        .boot();
    assert_eq!(
        urls(&world),
        [
            "http://prov.server.com/prov/references.xml",
            "http://prov.server.com/prov/first_file.xml",
            "http://prov.server.com/second_file.xml",
            "http://another.server.com/third_file.xml",
            "http://prov.server.com/prov/prov.py?mac=00095200000E",
        ]
    );
    // AUE-16: used in the order of the document, so the last one counts.
    assert_eq!(stored(&world), ["provisioning"; 4]);
    assert_eq!(
        world.held("provisioning/url").as_deref(),
        Some("http://four/")
    );
    assert_eq!(
        origin(&world, "provisioning/url"),
        Some((
            "http://prov.server.com/prov/prov.py?mac=00095200000E".to_owned(),
            4
        ))
    );
    assert!(ended(&world, RunResult::Complete));
}

// AUE-63: under the other reading a plain name with a query is looked for at the host's root, as
// the sample prints it, and the plain name without one is not.
#[test]
fn resolves_the_fourth_url_as_printed_where_the_profile_says_so() {
    let sample = references(&["first_file.xml", "prov.py?mac=<MACADR>"]);
    let profile = profile("format.root_queries = true\n");
    let world = told_as(profile, "http://prov.server.com/prov/references.xml")
        .file("prov/references.xml", &sample)
        .boot();
    assert_eq!(
        urls(&world)[1..],
        [
            "http://prov.server.com/prov/first_file.xml",
            "http://prov.server.com/prov.py?mac=00095200000E",
        ]
    );
}

// AUE-64: the marker as it stands, escaped, and in braces.
#[test]
fn reads_markers_in_every_spelling_of_a_reference() {
    for spelling in ["<MACADR>", "&lt;MACADR&gt;", "{mac}"] {
        let url = format!("p?mac={spelling}");
        let world = told("http://prov.server.com/r.xml")
            .file("r.xml", references(&[&url]))
            .boot();
        let asked = urls(&world);
        assert_eq!(asked[1], "http://prov.server.com/p?mac=00095200000E");
    }
}

// AUE-64: under the other reading the sample is no XML, and only what is XML is read.
#[test]
fn refuses_markers_that_are_no_xml_where_the_profile_says_so() {
    let url = "http://prov.server.com/r.xml";
    for (spelling, readable) in [("<MACADR>", false), ("&lt;MACADR&gt;", true)] {
        let strict = profile("sections.strict_markers = true\n");
        let list = references(&[&format!("p?mac={spelling}")]);
        let world = told_as(strict, url).file("r.xml", list).boot();
        let fault = Fault::BadXml;
        let step = StepId::GIVEN;
        assert_eq!(world.has(EventKind::GaveUp { step, fault }), !readable);
        let asked = urls(&world);
        let wanted = "http://prov.server.com/p?mac=00095200000E";
        assert_eq!(asked.iter().any(|asked| asked == wanted), readable);
    }
}

// AUE-15, AUE-81, AUE-82, AUE-83, AUE-84, AUE-85: the worked URL in the server setting; the serial
// number is the sample's.
#[test]
fn fills_the_markers_of_the_worked_url() {
    let d100 = "inherits = \"auerswald/comfortel-d-100\"\nserial = \"123412341234\"\n";
    let wanted = "http://prov.server.com/prov.py?mac=00095200000E&sn=123412341234&hw=D100";
    for url in [
        "http://prov.server.com/prov.py?mac=<MACADR>&sn=<SERIAL>&hw=<HWTYP>",
        "http://prov.server.com/prov.py?mac={mac}&sn={serial}&hw={type}",
    ] {
        let file = ("x/other.toml".to_owned(), d100.to_owned());
        let set = bootstorm_emulator::profile::set::ProfileSet::with_directory([file]).unwrap();
        let world = told_as(set.get("x/other").unwrap(), url).boot();
        assert_eq!(urls(&world), [wanted]);
    }
}

// AUE-82, AUE-87: the type is that of the emulated model, whatever the sample says of the MAC.
#[test]
fn gives_its_own_model_as_type() {
    for (model, kind) in [(MODEL, "D200"), ("auerswald/comfortel-d-100", "D100")] {
        let set = bootstorm_emulator::profile::set::ProfileSet::built_in();
        let world = told_as(set.get(model).unwrap(), "http://prov.server.com/{type}.xml").boot();
        assert_eq!(urls(&world), [format!("http://prov.server.com/{kind}.xml")]);
    }
}

// AUE-88: unknown markers and other case stay as they are; a brace goes over HTTP encoded.
#[test]
fn leaves_other_words_alone() {
    let world = told("http://prov.server.com/p?a={MAC}&b={other}&c={Type}").boot();
    assert_eq!(
        urls(&world),
        ["http://prov.server.com/p?a=%7BMAC%7D&b=%7Bother%7D&c=%7BType%7D"]
    );
}

// AUE-58, AUE-67: a chain of references is followed at its place, each URL relative to the file
// that holds it.
#[test]
fn follows_chains_where_they_stand() {
    let world = told("http://prov.server.com/prov/references.xml")
        .file(
            "prov/references.xml",
            references(&["deep/more.xml", "last.xml"]),
        )
        .file("prov/deep/more.xml", references(&["own.xml", "/top.xml"]))
        .file("prov/deep/own.xml", section("http://one/"))
        .file("top.xml", section("http://two/"))
        .file("prov/last.xml", section("http://three/"))
        .boot();
    assert_eq!(
        urls(&world),
        [
            "http://prov.server.com/prov/references.xml",
            "http://prov.server.com/prov/deep/more.xml",
            "http://prov.server.com/prov/deep/own.xml",
            "http://prov.server.com/top.xml",
            "http://prov.server.com/prov/last.xml",
        ]
    );
    assert_eq!(
        world.held("provisioning/url").as_deref(),
        Some("http://three/")
    );
    assert!(ended(&world, RunResult::Complete));
}

// AUE-67: a list that a redirect led to counts as the server's that it was had from, and neither
// place of it is asked for again (AUE-65).
#[test]
fn resolves_against_the_place_that_a_redirect_led_to() {
    let redirect = Redirect {
        from: "/r.xml".to_owned(),
        prefix: false,
        status: 302,
        to: "http://another.server.com/deep/list.xml".to_owned(),
    };
    let names = [
        "own.xml",
        "/top.xml",
        "list.xml",
        "http://prov.server.com/r.xml",
    ];
    let world = told("http://prov.server.com/r.xml")
        .http(HttpConfig {
            redirects: vec![redirect],
            ..HttpConfig::default()
        })
        .file("deep/list.xml", references(&names))
        .file("deep/own.xml", section("http://one/"))
        .file("top.xml", section("http://two/"))
        .boot();
    assert_eq!(
        urls(&world),
        [
            "http://prov.server.com/r.xml",
            "http://another.server.com/deep/list.xml",
            "http://another.server.com/deep/own.xml",
            "http://another.server.com/top.xml",
        ]
    );
    assert!(skipped(&world, "http://prov.server.com/r.xml"));
    assert!(ended(&world, RunResult::Complete));
}

// AUE-66: one file that is missing, broken or refused is skipped, the others count.
#[test]
fn goes_on_after_a_referenced_file_that_fails() {
    let world = told("http://prov.server.com/r.xml")
        .file(
            "r.xml",
            references(&[
                "missing.xml",
                "broken.xml",
                "ftp://prov.server.com/x",
                "good.xml",
            ]),
        )
        .file("broken.xml", "<configuration><url></configuration>")
        .file("good.xml", section("http://good/"))
        .boot();
    assert_eq!(urls(&world).len(), 4);
    assert_eq!(
        world.held("provisioning/url").as_deref(),
        Some("http://good/")
    );
    assert!(world.has(EventKind::GaveUp {
        step: StepId::LINKED,
        fault: Fault::BadXml
    }));
    assert!(ended(&world, RunResult::Partial));
}

// AUE-65: what was fetched once in a run is not fetched again; the run is none the worse.
#[test]
fn does_not_go_round_in_circles() {
    let world = told("http://prov.server.com/a.xml")
        .file("a.xml", references(&["b.xml", "a.xml", "b.xml"]))
        .file("b.xml", references(&["a.xml", "c.xml"]))
        .file("c.xml", section("http://c/"))
        .boot();
    assert_eq!(
        urls(&world),
        [
            "http://prov.server.com/a.xml",
            "http://prov.server.com/b.xml",
            "http://prov.server.com/c.xml",
        ]
    );
    assert!(skipped(&world, "http://prov.server.com/a.xml"));
    assert!(skipped(&world, "http://prov.server.com/b.xml"));
    assert!(ended(&world, RunResult::Complete));
}

// AUE-65: the next run asks for everything again (AUE-24).
#[test]
fn forgets_what_it_fetched_with_the_run() {
    let mut world = told("http://prov.server.com/a.xml")
        .file("a.xml", references(&["c.xml"]))
        .file("c.xml", section("http://prov.server.com/a.xml"))
        .boot();
    let first = urls(&world);
    world.reboot();
    assert_eq!(urls(&world), first);
    assert_eq!(stored(&world), ["provisioning"]);
}

// AUE-65: a chain that never ends, ends.
#[test]
fn follows_ten_references_and_no_more() {
    let mut world = told("http://prov.server.com/0.xml");
    for depth in 0..20 {
        let next = format!("{}.xml", depth + 1);
        world = world.file(&format!("{depth}.xml"), references(&[&next]));
    }
    let world = world.boot();
    // The first file is read, and ten that hang from it; the tenth leads nowhere any more.
    assert_eq!(urls(&world).len(), 1 + REFERENCE_DEPTH_MAX as usize);
    assert!(world.has(EventKind::LimitReached {
        limit: Limit::LinkDepth,
        value: u64::from(REFERENCE_DEPTH_MAX)
    }));
    assert!(ended(&world, RunResult::Partial));
}

#[test]
fn loads_no_more_referenced_files_than_its_limit() {
    let many: Vec<String> = (0..200).map(|number| format!("{number}.xml")).collect();
    let names: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut world = told("http://prov.server.com/r.xml").file("r.xml", references(&names));
    for name in &many {
        let own: Vec<String> = (0..200).map(|n| format!("{name}-{n}")).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        world.serve(name, references(&own));
    }
    let world = world.boot();
    assert_eq!(urls(&world).len(), 1 + LINKS_MAX as usize);
    assert!(world.reached(Limit::Links));
    assert!(ended(&world, RunResult::Partial));
}

// AUE-66: a reference without a host, without text, of another scheme.
#[test]
fn names_references_that_lead_nowhere() {
    let world = told("http://prov.server.com/r.xml")
        .file(
            "r.xml",
            references(&[
                "http://",
                "gopher://prov.server.com/x",
                "http://nowhere.example/x",
            ]),
        )
        .boot();
    assert_eq!(urls(&world), ["http://prov.server.com/r.xml"]);
    let faults: Vec<Fault> = world
        .kinds()
        .filter_map(|kind| match kind {
            EventKind::GaveUp { fault, .. } => Some(fault),
            _ => None,
        })
        .collect();
    assert_eq!(
        faults,
        [Fault::BadTarget, Fault::BadTarget, Fault::UnknownHost]
    );
    assert!(ended(&world, RunResult::Partial));
}

fn guarded(scheme: Scheme) -> HttpConfig {
    let users = [("user".to_owned(), "secret".to_owned())];
    let realm = Realm {
        path: "/".to_owned(),
        name: "phones".to_owned(),
        schemes: vec![scheme],
        nonce_lifetime: Duration::from_secs(3_600),
        users: users.into_iter().collect(),
    };
    HttpConfig {
        realms: vec![realm],
        ..HttpConfig::default()
    }
}

// AUE-24: credentials of a URL answer a challenge, Basic or Digest; on the same host they go on to
// the referenced files.
#[test]
fn answers_challenges_with_the_credentials_of_the_url() {
    for scheme in [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256] {
        let world = told("http://user:secret@prov.server.com/r.xml")
            .http(guarded(scheme))
            .file("r.xml", references(&["c.xml"]))
            .file("c.xml", section("http://c/"))
            .boot();
        assert_eq!(
            world.held("provisioning/url").as_deref(),
            Some("http://c/"),
            "{scheme:?}"
        );
        assert!(ended(&world, RunResult::Complete));
    }
}

// AUE-24: refused credentials are sent once.
#[test]
fn does_not_repeat_refused_credentials() {
    let world = told("http://user:wrong@prov.server.com/r.xml")
        .http(guarded(Scheme::DigestMd5))
        .file("r.xml", references(&["c.xml"]))
        .boot();
    assert_eq!(urls(&world).len(), 2);
    assert!(world.has(EventKind::GaveUp {
        step: StepId::GIVEN,
        fault: Fault::Unauthorized
    }));
    assert!(ended(&world, RunResult::NothingFetched));
}
