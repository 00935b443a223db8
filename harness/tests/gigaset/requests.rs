//! Which URL, and what is asked for there.

use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Realm, Redirect, Scheme};
use bootstorm_emulator::event::{EventKind, Fault, RunResult};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::profile::{Param, StepId};

use crate::world::{Fate, GIGASET_MAC, Lane, Way, World};
use crate::{
    LISTS, MODEL, changed, ended, name_held, named, phone, provisioning, skipped, with_categories,
};

/// An answer to every request for this target.
fn answering(
    target: &'static str,
    answer: &'static str,
) -> impl FnMut(&crate::world::Packet) -> Fate {
    move |packet| {
        let start = format!("GET {target} HTTP/1.1\r\n");
        let up = packet.way == Way::Up && matches!(packet.lane, Lane::Tcp(_));
        if up && packet.bytes.starts_with(start.as_bytes()) {
            Fate::Instead(vec![(80, answer.as_bytes().to_vec())])
        } else {
            Fate::Pass
        }
    }
}

// GIG-05, GIG-06, GIG-07, GIG-08, GIG-09, GIG-10, GIG-13: four requests, once, twice, once.
#[test]
fn asks_an_empty_server_four_times() {
    let world = phone().boot();
    assert_eq!(world.files(), LISTS);
    ended(&world, RunResult::NothingFetched);
}

// GIG-12: five seconds before the second request for provisioning.xml, none before the others.
#[test]
fn waits_five_seconds_before_it_repeats_the_request() {
    let world = phone().boot();
    let times: Vec<_> = world
        .up()
        .filter(|packet| matches!(packet.lane, Lane::Tcp(_)))
        .map(|packet| packet.at)
        .collect();
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] < Duration::from_secs(1), "{waits:?}");
    assert!(waits[1] >= Duration::from_secs(5), "{waits:?}");
    assert!(waits[1] < Duration::from_secs(6), "{waits:?}");
    assert!(waits[2] < Duration::from_secs(1), "{waits:?}");
}

// GIG-07: a file that is there at the second request is taken.
#[test]
fn takes_the_file_that_appears_before_the_second_request() {
    let mut world = phone().power();
    world.wait_for("first request", |world| world.files().len() == 2);
    world.run_seconds(1);
    world.serve("device/provisioning.xml", provisioning(&[]));
    world.settle();
    assert_eq!(world.files(), LISTS[..3]);
    ended(&world, RunResult::Complete);
}

// GIG-13: the other case is another file name; the profile can say so.
#[test]
fn names_its_own_file_in_lower_case_unless_told_otherwise() {
    let upper = "device/7C2F80123456.xml";
    let world = phone().file(upper, named("a")).boot();
    assert_eq!(world.files(), LISTS);
    let world = changed(|profile| {
        profile.fetches[2].name = Template::parse("{mac:upper}.xml").unwrap();
    });
    let world = world.file(upper, named("a")).boot();
    assert_eq!(world.files()[3], "/device/7C2F80123456.xml");
    assert_eq!(name_held(&world).as_deref(), Some("a"));
}

// GIG-06, GIG-14, GIG-56: what is there at the first request is taken, and nothing else asked.
#[test]
fn stops_at_the_first_document_of_the_list() {
    for (at, path) in ["device", "device/provisioning.xml"].iter().enumerate() {
        let world = phone().file(path, named("a")).boot();
        assert_eq!(world.files(), LISTS[..=at]);
        assert_eq!(name_held(&world).as_deref(), Some("a"));
        ended(&world, RunResult::Complete);
    }
}

// GIG-11: refusals, errors, empty bodies, pages and broken XML all count as not there.
#[test]
fn takes_every_wrong_answer_for_an_absent_file() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n<html><body>Index</body></html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n<!doctype html>\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let world = phone()
            .file("device/7c2f80123456.xml", named("a"))
            .filter(answering("/device/provisioning.xml", answer))
            .boot();
        assert_eq!(world.files(), LISTS, "{answer}");
        assert_eq!(name_held(&world).as_deref(), Some("a"), "{answer}");
    }
}

// GIG-11: a directory answers with a page or sends elsewhere; the run is none the worse for it.
#[test]
fn is_not_put_off_by_the_page_of_a_directory() {
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n<html><body>Index</body></html>";
    let world = with_categories(&[])
        .filter(answering("/device", page))
        .boot();
    assert_eq!(world.files(), LISTS[..2]);
    assert!(skipped(&world, Fault::WrongFormat));
    ended(&world, RunResult::Complete);
    let oops = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
    let world = with_categories(&[])
        .filter(answering("/device", oops))
        .boot();
    assert_eq!(world.files(), LISTS[..2]);
    ended(&world, RunResult::Complete);
    let mut config = HttpConfig::default();
    config.redirects.push(Redirect {
        from: "/device".to_owned(),
        prefix: false,
        status: 301,
        to: "/device/".to_owned(),
    });
    let world = with_categories(&[]).http(config).boot();
    assert_eq!(
        world.files(),
        ["/device", "/device/", "/device/provisioning.xml"]
    );
    ended(&world, RunResult::Complete);
}

// GIG-11, GIG-57: thirty seconds of silence count as not there.
#[test]
fn takes_silence_for_an_absent_file() {
    let mut world = with_categories(&[]).filter(|packet| {
        if packet.bytes.starts_with(b"GET /device HTTP") {
            Fate::Lose
        } else {
            Fate::Pass
        }
    });
    world = world.boot();
    assert_eq!(world.files(), LISTS[..2]);
    let waited = world.when("GET /device/provisioning.xml") - world.when("GET /device");
    assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(32));
    ended(&world, RunResult::Complete);
}

// GIG-14, GIG-15, GIG-56: a link to a file is one request, whatever its name.
#[test]
fn asks_once_for_a_file_that_the_link_names() {
    let link = "http://10.0.0.2/any/name-at.all";
    let world = World::new(MODEL).option(114, link).boot();
    assert_eq!(world.files(), ["/any/name-at.all"]);
    ended(&world, RunResult::NothingFetched);
    for document in [named("a"), "<provisioning/>".to_owned()] {
        let world = World::new(MODEL)
            .option(114, link)
            .file("any/name-at.all", document)
            .boot();
        assert_eq!(world.files(), ["/any/name-at.all"]);
        ended(&world, RunResult::Complete);
    }
}

// GIG-14, GIG-15: without a path there is nothing to ask for but the default file.
#[test]
fn begins_with_the_default_file_where_the_link_has_no_path() {
    for link in ["http://10.0.0.2", "http://10.0.0.2/", "10.0.0.2"] {
        let world = World::new(MODEL).option(114, link).boot();
        assert_eq!(
            world.files(),
            [
                "/provisioning.xml",
                "/provisioning.xml",
                "/7c2f80123456.xml"
            ]
        );
    }
    let world = World::new(MODEL).option(114, "http://10.0.0.2/a/b/").boot();
    assert_eq!(world.files()[..2], ["/a/b/", "/a/b/provisioning.xml"]);
}

// GIG-16: https:// chooses an encrypted connection.
#[test]
fn encrypts_where_the_link_says_so() {
    let world = World::new(MODEL)
        .option(114, "https://10.0.0.2/device")
        .file("device/provisioning.xml", provisioning(&[]))
        .boot();
    let web = world
        .up()
        .find(|packet| matches!(packet.lane, Lane::Tcp(_)));
    assert_eq!(web.unwrap().peer.port(), 443);
    ended(&world, RunResult::Complete);
}

// GIG-03, GIG-04: option 114, else 66, else multicast, else what the web page says; the first URL
// wins, whatever becomes of it.
#[test]
fn takes_the_url_of_the_first_source_that_has_one() {
    let all = || {
        World::new(MODEL)
            .web(Param::ServerUrl, "http://10.0.0.2/manual")
            .pnp("http://10.0.0.2/multicast")
    };
    let first = |world: World| world.files()[0].clone();
    let dhcp = |world: World| world.option(66, "10.0.0.2/second");
    let world = dhcp(all()).option(114, "http://10.0.0.2/first").boot();
    assert!(!world.asked().contains(&"SUBSCRIBE".to_owned()));
    assert_eq!(world.files().len(), 4, "no other source is tried");
    assert_eq!(first(world), "/first");
    assert_eq!(first(dhcp(all()).boot()), "/second");
    assert_eq!(first(all().boot()), "/multicast");
    let manual = World::new(MODEL).web(Param::ServerUrl, "http://10.0.0.2/manual");
    let world = manual.boot();
    assert_eq!(world.asked()[2..5], ["SUBSCRIBE"; 3]);
    assert_eq!(first(world), "/manual");
}

// GIG-03: the options that the lease is asked for include 114 and 66.
#[test]
fn asks_its_lease_for_the_options_that_name_a_server() {
    let world = World::new(MODEL).boot();
    let discover = &world.up().next().unwrap().bytes;
    let list = [55_u8, 8, 1, 3, 6, 15, 120, 114, 125, 66];
    assert!(discover.windows(list.len()).any(|part| part == list));
}

// GIG-57: the multicast request names the phone in the request URI and begins its User-Agent with
// the product.
#[test]
fn subscribes_in_the_name_of_its_mac_address() {
    let world = World::new(MODEL).pnp("http://10.0.0.2/device").boot();
    let subscribe = world
        .up()
        .find(|packet| packet.bytes.starts_with(b"SUBSCRIBE"))
        .unwrap();
    assert_eq!(subscribe.peer.to_string(), "224.0.1.75:5060");
    let text = String::from_utf8_lossy(&subscribe.bytes);
    assert!(text.starts_with("SUBSCRIBE sip:MAC%3A7C2F80123456@local SIP/2.0\r\n"));
    assert!(text.contains("\r\nUser-Agent: Maxwell 3/1.10.4;7C2F80123456\r\n"));
}

// GIG-57: Basic or Digest, after a 401 only; the User-Agent names product, version and MAC.
#[test]
fn proves_itself_by_whatever_the_server_asks_for() {
    for scheme in [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256] {
        let users = [("user".to_owned(), "secret".to_owned())];
        let realm = Realm {
            path: "/".to_owned(),
            name: "phones".to_owned(),
            schemes: vec![scheme],
            nonce_lifetime: Duration::from_secs(60),
            users: users.into_iter().collect(),
        };
        let mut config = HttpConfig::default();
        config.realms.push(realm);
        let world = World::new(MODEL)
            .option(114, "http://user:secret@10.0.0.2/p.xml")
            .http(config)
            .file("p.xml", named("a"))
            .boot();
        assert_eq!(world.files(), ["/p.xml", "/p.xml"], "{scheme:?}");
        let requests: Vec<String> = world
            .up()
            .filter(|packet| matches!(packet.lane, Lane::Tcp(_)))
            .map(|packet| String::from_utf8_lossy(&packet.bytes).into_owned())
            .collect();
        assert!(!requests[0].contains("Authorization"));
        assert!(requests[1].contains("Authorization"));
        let agent = "\r\nUser-Agent: Maxwell 3/1.10.4;7C2F80123456\r\n";
        assert!(requests.iter().all(|request| request.contains(agent)));
        ended(&world, RunResult::Complete);
    }
}

// GIG-57: a 401 without credentials, and with wrong ones, is given up by name.
#[test]
fn gives_up_where_it_cannot_prove_itself() {
    for (url, requests) in [
        ("http://10.0.0.2/p.xml", 1),
        ("http://user:wrong@10.0.0.2/p.xml", 2),
    ] {
        let realm = Realm {
            path: "/".to_owned(),
            name: "phones".to_owned(),
            schemes: vec![Scheme::DigestMd5],
            nonce_lifetime: Duration::from_secs(60),
            users: Default::default(),
        };
        let mut config = HttpConfig::default();
        config.realms.push(realm);
        let world = World::new(MODEL)
            .option(114, url)
            .http(config)
            .file("p.xml", named("a"))
            .boot();
        assert_eq!(world.files().len(), requests, "{url}");
        let step = StepId::GIVEN;
        assert!(
            world.any(|kind| matches!(kind, EventKind::GaveUp { step: at, .. } if *at == step))
        );
        ended(&world, RunResult::NothingFetched);
    }
}

// GIG-13, GIG-57: markers of public templates in any URL; each model has its own device path.
#[test]
fn fills_in_the_markers_of_a_url() {
    for (model, path) in [(MODEL, "/82/1"), ("gigaset/maxwell-basic", "/82/2")] {
        let world = World::new(model)
            .option(114, "http://10.0.0.2%DVID/%MACD.xml")
            .boot();
        assert_eq!(world.files(), [format!("{path}/{GIGASET_MAC}.xml")]);
    }
}

// GIG-02, GIG-23: both models are the product of the files, under the maker's own names.
#[test]
fn knows_both_models_by_the_names_that_the_maker_prints() {
    let set = ProfileSet::built_in();
    for (name, model) in [
        (MODEL, "Maxwell 3"),
        ("gigaset/maxwell-basic", "Maxwell Basic"),
    ] {
        let profile = set.get(name).unwrap();
        assert_eq!(profile.model, model);
        assert_eq!(profile.product, "mx3b");
    }
}
