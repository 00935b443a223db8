//! What the phone asks its user.

use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Realm, Scheme};
use bootstorm_emulator::event::{EventKind, Prompt, RunResult};
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::template::Template;

use crate::world::World;
use crate::{GENERAL, OWN, ended, led, logo, named, typing};

const FILE_ID: EventKind = EventKind::Prompted(Prompt::FileId);
const CREDENTIALS: EventKind = EventKind::Prompted(Prompt::Credentials);

// FAN-57, FAN-86, FAN-88: cfg, xml and txt alike, and the general file waits too.
#[test]
fn fetches_what_the_user_types() {
    for suffix in ["cfg", "xml", "txt"] {
        let world = led(&format!("tftp://10.0.0.2/dir/$input.{suffix}"))
            .file(&format!("dir/ll.{suffix}"), named("typed"))
            .operator(typing("ll", 3.0))
            .boot();
        assert_eq!(
            world.files(),
            [format!("dir/{GENERAL}"), format!("dir/ll.{suffix}")]
        );
        assert_eq!(logo(&world).as_deref(), Some("typed"));
        assert!(world.has(FILE_ID));
    }
}

// FAN-59, FAN-61: in a query too; the general file is beside the path, without the query.
#[test]
fn puts_mac_and_input_into_queries() {
    let world = led("http://10.0.0.2/a/input.cfg?input=$input.cfg")
        .operator(typing("ll", 1.0))
        .boot();
    assert_eq!(
        world.files(),
        [
            format!("/a/{GENERAL}"),
            "/a/input.cfg?input=ll.cfg".to_owned()
        ]
    );
    let world = led("http://10.0.0.2/mac.cfg?mac=$mac.cfg").boot();
    assert_eq!(
        world.files(),
        [format!("/{GENERAL}"), format!("/mac.cfg?mac={OWN}")]
    );
    assert!(!world.has(FILE_ID));
}

// FAN-140, FAN-141: asked again unless the box is ticked, which it is not from the beginning.
#[test]
fn asks_again_unless_it_is_told_to_remember() {
    for (ticked, asked) in [(None, 1), (Some("1"), 0)] {
        let mut world = led("tftp://10.0.0.2/$input.cfg").file("ll.cfg", named("a"));
        if let Some(value) = ticked {
            world = world.web(Param::SaveInput, value);
        }
        let mut world = world.operator(typing("ll", 3.0)).boot();
        assert!(world.has(FILE_ID));
        world.reboot();
        assert_eq!(world.count(|kind| *kind == FILE_ID), asked, "{ticked:?}");
        assert!(world.files().contains(&"ll.cfg".to_owned()));
    }
}

/// A server that lets in `ann` with `secret` only.
fn guarded(url: &str) -> World {
    let config = HttpConfig {
        realms: vec![Realm {
            path: "/".to_owned(),
            name: "phones".to_owned(),
            schemes: vec![Scheme::DigestMd5],
            nonce_lifetime: Duration::from_secs(600),
            users: [("ann".to_owned(), "secret".to_owned())]
                .into_iter()
                .collect(),
        }],
        ..HttpConfig::default()
    };
    led(url).http(config).file(OWN, named("guarded"))
}

fn ann() -> Operator {
    Operator {
        user: Template::literal("ann"),
        password: Template::literal("secret"),
        think: Duration::from_secs(8),
        ..Operator::default()
    }
}

// FAN-49, FAN-51, FAN-52: the URL's credentials, else the page's, else the user's; and the user is
// asked where what there is is wrong.
#[test]
fn takes_credentials_of_url_page_and_user_in_this_order() {
    let url = "http://10.0.0.2/$mac.cfg";
    let world = guarded("http://ann:secret@10.0.0.2/$mac.cfg")
        .web(Param::Username, "page")
        .boot();
    assert_eq!(
        (logo(&world).as_deref(), world.has(CREDENTIALS)),
        (Some("guarded"), false)
    );
    let world = guarded(url)
        .web(Param::Username, "ann")
        .web(Param::Password, "secret")
        .boot();
    assert_eq!(
        (logo(&world).as_deref(), world.has(CREDENTIALS)),
        (Some("guarded"), false)
    );
    for world in [
        guarded(url),
        guarded("http://ann:wrong@10.0.0.2/$mac.cfg"),
        guarded(url).web(Param::Username, "bob"),
    ] {
        let world = world.operator(ann()).boot();
        assert_eq!(world.count(|kind| *kind == CREDENTIALS), 1);
        assert_eq!(logo(&world).as_deref(), Some("guarded"));
        ended(&world, RunResult::Complete);
    }
}

// FAN-52: until given or abandoned; nobody types for ever.
#[test]
fn goes_on_without_the_file_when_nobody_knows_the_password() {
    let nobody = Operator::default();
    let world = guarded("http://10.0.0.2/$mac.cfg").operator(nobody).boot();
    assert!(world.has(EventKind::PromptAbandoned(Prompt::Credentials)));
    assert_eq!(logo(&world), None);
    ended(&world, RunResult::NothingFetched);
}
