//! Preconditions and sources: the time, DHCP, redirect service, multicast, the configured URL.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Redirect};
use bootstorm_emulator::event::{EventKind, RunResult};
use bootstorm_emulator::phone::io::{Channel, WebAction};
use bootstorm_emulator::profile::Param;

use crate::world::{Fate, Lane, Packet, SERVER, Way, World};
use crate::{MODEL, NOON_S, PHONE, PROV, ended, profile, stored, time_server, told_as, urls};

const SERVICE: &str = "connect.redirect.auerswald.de";
const SECOND: Duration = Duration::from_secs(1);
/// The sample of the document, 27 bytes: 66 and 67, each with its length and its NUL.
const OPTION_43: &str = "B\x0bhttp://foo\0C\x0c<HWTYP>.bak\0";

/// A settings document that says nothing.
const NOTHING: &str = "<configuration/>";

/// A phone with every source on, on a network with a time server and the hosts of the samples.
fn network() -> World {
    hosts(World::new(MODEL).web(Param::NtpServer, "10.0.0.4"))
}

fn hosts(mut world: World) -> World {
    for (host, last) in [(PROV, 2), ("foo", 2), (SERVICE, 5)] {
        let address = Ipv4Addr::new(10, 0, 0, last);
        world.shelf.hosts.insert(host.to_owned(), address);
    }
    world.set_filter(|packet| time_server(packet, NOON_S).unwrap_or(Fate::Pass));
    world
}

/// A phone that is given these DHCP options.
fn leased(options: &[(u8, &str)]) -> World {
    let mut world = network();
    for (code, text) in options {
        world.give_option(*code, text);
    }
    world.boot()
}

fn is_time(packet: &&Packet) -> bool {
    packet.peer.port() == 123
}

fn is_subscribe(packet: &&Packet) -> bool {
    packet.bytes.starts_with(b"SUBSCRIBE")
}

fn is_service(packet: &&Packet) -> bool {
    packet.peer == SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 5), 443)
}

/// What was asked of whom but DHCP and the time server.
fn provisioning(world: &World) -> usize {
    let dhcp = |packet: &&Packet| packet.lane == Lane::Udp(Channel::Dhcp);
    let others = world
        .up()
        .filter(|packet| !dhcp(packet) && !is_time(packet));
    others.count()
}

/// The service answers every phone with a redirect to this URL.
fn service(url: &str) -> HttpConfig {
    HttpConfig {
        redirects: vec![Redirect {
            from: "/".to_owned(),
            prefix: true,
            status: 302,
            to: url.to_owned(),
        }],
        ..HttpConfig::default()
    }
}

fn call_id(search: &Packet) -> &str {
    let text = std::str::from_utf8(&search.bytes).unwrap();
    let mut fields = text.lines();
    fields
        .find_map(|line| line.strip_prefix("Call-ID: "))
        .unwrap()
}

fn notify(call_id: &str, url: &str, cseq: u32) -> String {
    format!(
        "NOTIFY sip:phone@10.1.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.66.6.6:5060;branch=z9hG4bK{cseq}\r\n\
         From: <sip:stranger@10.66.6.6>;tag=x\r\nTo: <sip:phone@10.1.0.1>;tag=y\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} NOTIFY\r\n\
         Event: ua-profile\r\nSubscription-State: terminated\r\n\
         Content-Type: application/url\r\nContent-Length: {}\r\n\r\n{url}",
        url.len()
    )
}

// AUE-04: without a network there is no provisioning, and no question for the time.
#[test]
fn asks_for_nothing_without_a_lease() {
    let mut world = network().option(66, "http://prov.server.com/x.xml");
    world.set_filter(|_| Fate::Lose);
    let mut world = world.power();
    world.run_seconds(600);
    assert_eq!(provisioning(&world), 0);
    assert_eq!(world.up().filter(is_time).count(), 0);
}

// AUE-05, AUE-06, AUE-07: without valid time no source is tried at all; the time is asked for every
// ten seconds without end, and provisioning begins at the moment it is there.
#[test]
fn waits_for_the_time_before_it_tries_any_source() {
    let mut world = network().option(66, "http://prov.server.com/x.xml");
    world.set_filter(|packet| match packet.peer.port() {
        123 => Fate::Lose,
        _ => Fate::Pass,
    });
    let mut world = world.power();
    world.run_seconds(3_600);
    assert_eq!(provisioning(&world), 0);
    let asked: Vec<_> = world.up().filter(is_time).map(|packet| packet.at).collect();
    assert!(asked.len() > 300, "{}", asked.len());
    for pair in asked.windows(2) {
        assert_eq!(pair[1] - pair[0], 10 * SECOND);
    }
    world.forget();
    world.set_filter(|packet| time_server(packet, NOON_S).unwrap_or(Fate::Pass));
    world.settle();
    let set = world.when_event(|kind| matches!(kind, EventKind::TimeSet { .. }));
    let first = world.when_event(|kind| matches!(kind, EventKind::RunStarted(_)));
    assert_eq!(first, set);
    assert_eq!(urls(&world), ["http://prov.server.com/x.xml"]);
}

// AUE-05: a server whose clock is not set has no valid time.
#[test]
fn does_not_take_the_time_of_a_clock_that_is_not_set() {
    let mut world = network();
    world.set_filter(|packet| match time_server(packet, NOON_S) {
        Some(Fate::Instead(mut answers)) => {
            answers[0].1[0] |= 0xc0;
            Fate::Instead(answers)
        }
        _ => Fate::Pass,
    });
    let mut world = world.power();
    world.run_seconds(600);
    assert_eq!(provisioning(&world), 0);
}

// AUE-05: the time servers of the lease come first.
#[test]
fn asks_the_time_servers_of_the_lease() {
    let world = leased(&[(42, "\x0a\0\0\x07")]);
    let asked: Vec<_> = world
        .up()
        .filter(is_time)
        .map(|packet| packet.peer)
        .collect();
    assert_eq!(asked, [SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 123)]);
}

// AUE-06: the precondition is checked once for a boot: a later run has the time already.
#[test]
fn knows_the_time_for_later_runs() {
    let mut world = leased(&[(66, "http://prov.server.com/x.xml")]);
    world.forget();
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(world.up().filter(is_time).count(), 0);
    assert_eq!(urls(&world), ["http://prov.server.com/x.xml"]);
}

// AUE-08, AUE-09, AUE-11: a URL from DHCP is the first; nobody else is asked.
#[test]
fn takes_the_url_of_dhcp_before_all_others() {
    let mut world = network()
        .option(66, "http://prov.server.com/dhcp.xml")
        .web(Param::ServerUrl, "http://prov.server.com/configured.xml")
        .pnp("http://prov.server.com/multicast.xml")
        .http(service("http://prov.server.com/service.xml"))
        .power();
    world.settle();
    assert_eq!(urls(&world)[..1], ["http://prov.server.com/dhcp.xml"]);
    assert_eq!(world.up().filter(is_subscribe).count(), 0);
    assert_eq!(world.up().filter(is_service).count(), 0);
}

// AUE-09, AUE-10, AUE-12, AUE-41, AUE-45: without one, redirect service and multicast are asked at
// the same time; when both are silent, the configured URL is the last.
#[test]
fn asks_redirect_service_and_multicast_at_the_same_time() {
    let mut world = network()
        .web(Param::ServerUrl, "http://prov.server.com/configured.xml")
        .file("configured.xml", NOTHING);
    world
        .shelf
        .hosts
        .insert(SERVICE.to_owned(), Ipv4Addr::new(11, 0, 0, 5));
    let world = world.boot();
    let subscribe = world.up().find(is_subscribe).expect("a SUBSCRIBE");
    assert_eq!(subscribe.peer.to_string(), "224.0.1.75:5060");
    let text = String::from_utf8_lossy(&subscribe.bytes);
    assert!(text.contains("\r\nEvent: ua-profile;"), "{text}");
    assert_eq!(urls(&world), ["http://prov.server.com/configured.xml"]);
    let configured = world.up().find(|packet| packet.bytes.starts_with(b"GET"));
    let waited = configured.unwrap().at - subscribe.at;
    assert!(waited >= 5 * SECOND && waited < 6 * SECOND, "{waited:?}");
    assert!(ended(&world, RunResult::Complete));
}

// AUE-10: under the other reading the configured URL is one of three concurrent sources: it is
// known at once, so that it wins without a wait.
#[test]
fn takes_the_configured_url_at_once_where_the_profile_puts_it_into_the_group() {
    let profile = profile("sources.configured.together = \"search\"\n");
    let world = World::of(profile, SERVER, PHONE, 1)
        .web(Param::NtpServer, "10.0.0.4")
        .web(Param::ServerUrl, "http://prov.server.com/configured.xml")
        .file("configured.xml", NOTHING);
    let world = hosts(world).boot();
    let subscribe = world.up().find(is_subscribe).expect("a SUBSCRIBE");
    let mut asked = world.up().filter(|packet| packet.bytes.starts_with(b"GET"));
    let configured = asked.next().expect("a GET");
    assert!(configured.at - subscribe.at < SECOND);
    assert_eq!(urls(&world), ["http://prov.server.com/configured.xml"]);
    assert!(ended(&world, RunResult::Complete));
}

/// Both search partners have a URL: each answer comes, after so long.
fn race(service_ms: u64, notify_ms: u64) -> World {
    let mut world = network()
        .file(
            "?mac=00095200000E&type=D200",
            "http://prov.server.com/service.xml",
        )
        .file("service.xml", NOTHING)
        .file("multicast.xml", NOTHING)
        .power();
    world.wait_for("SUBSCRIBE", |world| {
        world.up().any(|packet| is_subscribe(&packet))
    });
    let search = world.up().find(is_subscribe).unwrap();
    let began = search.at;
    let text = notify(call_id(search), "http://prov.server.com/multicast.xml", 1);
    let from = SocketAddrV4::new(SERVER, 5_060);
    if notify_ms < service_ms {
        world.run_for(began + Duration::from_millis(notify_ms) - world.now);
        world.inject(Channel::Sip, from, text.as_bytes());
    }
    world.settle();
    world
}

// AUE-13: the first answer of the two counts, and the other one is not waited for.
#[test]
fn takes_the_first_of_two_answers() {
    let world = race(6, 1);
    let asked = urls(&world);
    assert_eq!(
        asked.last().unwrap(),
        "http://prov.server.com/multicast.xml"
    );
    let world = race(6, 100);
    let asked = urls(&world);
    assert_eq!(asked.last().unwrap(), "http://prov.server.com/service.xml");
    assert!(world.now - world.up().find(is_subscribe).unwrap().at < SECOND);
}

// AUE-40, AUE-41: the service's answer is a redirect, or a text; what it names is the candidate.
#[test]
fn goes_where_the_redirect_service_says() {
    let by_location = network()
        .http(HttpConfig {
            redirects: vec![Redirect {
                from: "/?mac=00095200000E&type=D200".to_owned(),
                prefix: false,
                status: 302,
                to: "http://prov.server.com/partner.xml".to_owned(),
            }],
            ..HttpConfig::default()
        })
        .file("partner.xml", NOTHING)
        .boot();
    let by_body = network()
        .file(
            "?mac=00095200000E&type=D200",
            "http://prov.server.com/partner.xml\r\n",
        )
        .file("partner.xml", NOTHING)
        .boot();
    for world in [by_location, by_body] {
        let asked = urls(&world);
        assert!(asked[0].contains(SERVICE), "{asked:?}");
        assert_eq!(asked[1..], ["http://prov.server.com/partner.xml"]);
        assert!(ended(&world, RunResult::Complete));
    }
}

// AUE-42, AUE-43, AUE-44, AUE-46: whoever answers is believed; answers without a URL are passed
// over, and the phone goes on listening.
#[test]
fn believes_any_notify_with_a_url() {
    let mut world = network()
        .web(Param::RedirectEnable, "0")
        .file("rogue.xml", NOTHING)
        .power();
    world.wait_for("SUBSCRIBE", |world| {
        world.up().any(|packet| is_subscribe(&packet))
    });
    let search = world.up().find(is_subscribe).unwrap().clone();
    let call_id = call_id(&search);
    let stranger = SocketAddrV4::new(Ipv4Addr::new(10, 66, 6, 6), 5_060);
    for (number, body) in ["", "no url at all", "\u{1}\u{2}"].iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        world.inject(
            Channel::Sip,
            stranger,
            notify(call_id, body, number + 1).as_bytes(),
        );
        world.run_for(SECOND / 10);
        assert!(urls(&world).is_empty(), "{body}");
    }
    world.inject(
        Channel::Sip,
        stranger,
        notify(call_id, "http://prov.server.com/rogue.xml", 9).as_bytes(),
    );
    world.settle();
    assert_eq!(urls(&world), ["http://prov.server.com/rogue.xml"]);
}

// AUE-25, AUE-26, AUE-27, AUE-28, AUE-86: the sample: both options joined with a slash, and its
// marker filled.
#[test]
fn joins_options_66_and_67() {
    for (server, file) in [
        ("http://prov.server.com", "prov.py?mac=<MACADR>"),
        ("http://prov.server.com/", "prov.py?mac=<MACADR>"),
        ("http://prov.server.com", "/prov.py?mac={mac}"),
        ("http://prov.server.com\0", "prov.py?mac=<MACADR>\0"),
    ] {
        let world = leased(&[(66, server), (67, file)]);
        assert_eq!(
            urls(&world),
            ["http://prov.server.com/prov.py?mac=00095200000E"]
        );
    }
}

// AUE-29: the name may stand in the BOOTP `file` field instead.
#[test]
fn takes_the_file_field_of_dhcp() {
    let mut world = network().option(66, "http://prov.server.com");
    world.set_filter(|packet| {
        if packet.way == Way::Down && packet.lane == Lane::Udp(Channel::Dhcp) {
            let name = b"prov.py?mac=<MACADR>\0";
            let mut bytes = packet.bytes.clone();
            bytes[108..108 + name.len()].copy_from_slice(name);
            return Fate::Instead(vec![(67, bytes)]);
        }
        time_server(packet, NOON_S).unwrap_or(Fate::Pass)
    });
    let world = world.boot();
    assert_eq!(
        urls(&world),
        ["http://prov.server.com/prov.py?mac=00095200000E"]
    );
}

// AUE-30, AUE-31, AUE-32, AUE-33, AUE-34: the 27 bytes of the document give the URL that it works
// out.
#[test]
fn reads_the_sample_of_option_43() {
    assert_eq!(OPTION_43.len(), 27);
    let world = leased(&[(43, OPTION_43)]);
    assert_eq!(urls(&world), ["http://foo/D200.bak"]);
}

// AUE-35, AUE-36: with or without NUL; what option 43 says counts before 66 and 67.
#[test]
fn lets_option_43_override_66_and_67() {
    let world = leased(&[
        (43, OPTION_43),
        (66, "http://prov.server.com"),
        (67, "other.xml"),
    ]);
    assert_eq!(urls(&world), ["http://foo/D200.bak"]);
    let world = leased(&[
        (43, "C\x07own.xml"),
        (66, "http://prov.server.com"),
        (67, "other.xml"),
    ]);
    assert_eq!(urls(&world), ["http://prov.server.com/own.xml"]);
}

// AUE-37, AUE-38: 66 alone is the URL, 67 alone only if it is one; without a scheme it is HTTP.
#[test]
fn makes_the_best_of_half_a_url() {
    let world = leased(&[(66, "http://prov.server.com/x.xml")]);
    assert_eq!(urls(&world), ["http://prov.server.com/x.xml"]);
    let world = leased(&[(67, "http://prov.server.com/x.xml")]);
    assert_eq!(urls(&world), ["http://prov.server.com/x.xml"]);
    let world = leased(&[(66, "prov.server.com"), (67, "x.xml")]);
    assert_eq!(urls(&world), ["http://prov.server.com/x.xml"]);
    let world = leased(&[(67, "x.xml")]);
    assert!(!urls(&world).iter().any(|url| url.ends_with("/x.xml")));
}

// AUE-38: as older models do: https, http and tftp in turn, where the profile says so.
#[test]
fn tries_the_schemes_in_turn_where_the_profile_says_so() {
    let profile = profile("params.bare_scheme.default = \"in-turn\"\n");
    let mut world = hosts(told_as(profile, "").web(Param::DhcpEnable, "1"));
    world.give_option(66, "10.0.0.2");
    world.give_option(67, "x.xml");
    world.serve("other.xml", NOTHING);
    let world = world.boot();
    let ports: Vec<u16> = world
        .up()
        .filter(|packet| packet.bytes.starts_with(b"GET") || packet.peer.port() == 69)
        .map(|packet| packet.peer.port())
        .collect();
    assert_eq!(ports, [443, 80, 69]);
}

// AUE-39: the values of the lease in force at the run count: a renewal may have changed them.
#[test]
fn reads_the_lease_in_force() {
    let renewed = Rc::new(Cell::new(false));
    let flag = Rc::clone(&renewed);
    let mut world = network()
        .lease(Duration::from_secs(120))
        .option(66, "http://prov.server.com/first.xml");
    world.set_filter(move |packet| {
        if packet.way == Way::Down && packet.lane == Lane::Udp(Channel::Dhcp) && flag.get() {
            let mut bytes = packet.bytes.clone();
            let at = bytes.windows(9).position(|part| part == b"first.xml");
            if let Some(at) = at {
                bytes[at..at + 9].copy_from_slice(b"other.xml");
            }
            return Fate::Instead(vec![(67, bytes)]);
        }
        time_server(packet, NOON_S).unwrap_or(Fate::Pass)
    });
    let mut world = world.boot();
    assert_eq!(urls(&world), ["http://prov.server.com/first.xml"]);
    world.forget();
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(urls(&world), ["http://prov.server.com/first.xml"]);
    renewed.set(true);
    world.run_seconds(90);
    world.forget();
    world.press(WebAction::Start);
    world.settle();
    assert_eq!(urls(&world), ["http://prov.server.com/other.xml"]);
}

// AUE-03, AUE-09, AUE-85: only the configured URL is left, and its markers are filled.
#[test]
fn ends_with_the_configured_url() {
    let world = network()
        .web(Param::DhcpEnable, "0")
        .web(Param::RedirectEnable, "0")
        .web(Param::PnpEnable, "0")
        .web(
            Param::ServerUrl,
            "http://prov.server.com/{type}/<MACADR>.xml",
        )
        .file("D200/00095200000E.xml", "<configuration/>")
        .option(66, "http://prov.server.com/never.xml")
        .boot();
    assert_eq!(
        urls(&world),
        ["http://prov.server.com/D200/00095200000E.xml"]
    );
    assert!(stored(&world).is_empty());
    assert!(ended(&world, RunResult::Complete));
}
