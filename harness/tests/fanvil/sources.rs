//! Where the URL comes from, in which order, and when again.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bootstorm_emulator::event::{BootCause, EventKind, RunResult, Trigger};
use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::wire::dhcp::{Message, MessageType, code};

use rsip::prelude::{HasHeaders as _, HeadersExt as _, ToTypedHeader as _, UntypedHeader as _};

use crate::world::{Lane, SERVER, Way, World, profiles};
use crate::{GENERAL, MODEL, OWN, ended, led, logo, named};

fn url(directory: &str) -> String {
    format!("tftp://10.0.0.2/{directory}/$mac.cfg")
}

/// The two files of each directory, in which all are found.
fn everywhere(mut world: World) -> World {
    for directory in ["dhcp", "pnp", "static", "redirect"] {
        world = world.file(&format!("{directory}/{OWN}"), named(directory));
    }
    world
}

/// The codes that the phone's first DISCOVER asks for.
fn parameters(world: &World) -> Vec<u8> {
    let discover = world.up().find_map(|packet| {
        let message = Message::decode(&packet.bytes).ok()?;
        let fits = packet.lane == Lane::Udp(Channel::Dhcp)
            && message.message_type() == Some(MessageType::Discover);
        fits.then(|| message.option(code::PARAMETERS).map(|list| list.to_vec()))
    });
    discover.flatten().unwrap_or_default()
}

fn started(trigger: Trigger) -> EventKind {
    EventKind::RunStarted(trigger)
}

// FAN-64, FAN-65, FAN-67, FAN-68, FAN-69, FAN-70, FAN-71, FAN-72, FAN-73: one option is chosen,
// only that one is asked for, and its text is the URL, in option 43 too.
#[test]
fn asks_for_the_chosen_option_only() {
    for (chosen, code) in [("43", 43), ("66", 66), ("128", 128), ("254", 254)] {
        let mut world = everywhere(World::new(MODEL)).web(Param::DhcpUrlOption, chosen);
        for other in [43, 66, 128, 254] {
            let text = if other == code {
                url("dhcp")
            } else {
                url("pnp")
            };
            world.give_option(other, &text);
        }
        let world = world.boot();
        assert_eq!(parameters(&world), [1, 28, 3, 2, 4, code, 6], "{chosen}");
        assert_eq!(logo(&world).as_deref(), Some("dhcp"), "{chosen}");
    }
    let mut world = everywhere(World::new(MODEL)).web(Param::DhcpUrlOption, "0");
    world.give_option(66, &url("dhcp"));
    let world = world.boot();
    assert_eq!(parameters(&world), [1, 28, 3, 2, 4, 6]);
    assert_eq!(logo(&world), None);
    ended(&world, RunResult::NoCandidate);
}

// FAN-66, FAN-85: at a renewal the option is asked for again, and a run is due whatever it says.
#[test]
fn runs_again_at_every_renewal() {
    let mut world = everywhere(led(&url("dhcp")))
        .lease(Duration::from_secs(1_200))
        .web(Param::PnpEnable, "0")
        .boot();
    world.forget();
    world.run_seconds(700);
    assert!(world.has(started(Trigger::Renewal)));
    assert_eq!(
        world.files(),
        [format!("dhcp/{GENERAL}"), format!("dhcp/{OWN}")]
    );
    ended(&world, RunResult::Complete);
}

// FAN-01, FAN-02, FAN-04: DHCP, PnP and the static server, in this order, unless it is configured.
#[test]
fn goes_through_the_sources_in_their_order() {
    let all = || {
        everywhere(led(&url("dhcp")))
            .pnp("tftp://10.0.0.2/pnp/$mac.cfg")
            .web(Param::StaticServer, "10.0.0.2")
            .web(Param::StaticFile, "static/$mac.cfg")
    };
    assert_eq!(logo(&all().boot()).as_deref(), Some("dhcp"));
    let world = all().web(Param::DhcpUrlOption, "0").boot();
    assert_eq!(logo(&world).as_deref(), Some("pnp"));
    // FAN-97, FAN-98: what PnP does not give others may.
    let world = everywhere(World::new(MODEL))
        .web(Param::StaticServer, "10.0.0.2")
        .web(Param::StaticFile, "static/$mac.cfg")
        .boot();
    assert_eq!(logo(&world).as_deref(), Some("static"));
    let world = all().web(Param::SourceOrder, "static,pnp,dhcp").boot();
    assert_eq!(logo(&world).as_deref(), Some("static"));
    let world = all().web(Param::SourceOrder, "pnp").boot();
    assert_eq!(logo(&world).as_deref(), Some("pnp"));
}

// FAN-03: the order of Android phones, unchangeably.
#[test]
fn android_phones_keep_their_order() {
    let profiles = profiles();
    for model in ["fanvil/c400", "fanvil/c600", "fanvil/f600"] {
        let profile = profiles.get(model).unwrap();
        let ids: Vec<&str> = profile
            .sources
            .iter()
            .map(|source| source.id.as_str())
            .collect();
        assert_eq!(ids, ["mdns", "redirect", "dhcp", "acs", "pnp", "static"]);
        let world = everywhere(World::new(model))
            .option(66, &url("dhcp"))
            .pnp("tftp://10.0.0.2/pnp/$mac.cfg")
            .web(Param::SourceOrder, "pnp,dhcp")
            .boot();
        assert_eq!(logo(&world).as_deref(), Some("dhcp"), "{model}");
        // It has asked by multicast DNS before.
        let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5_353);
        assert!(world.up().any(|packet| packet.peer == group), "{model}");
    }
}

// FAN-93, FAN-94, FAN-95, FAN-105, FAN-106: a SUBSCRIBE to the group, again every hour.
#[test]
fn subscribes_to_the_group_every_hour() {
    let mut world = everywhere(World::new(MODEL))
        .pnp("tftp://10.0.0.2/pnp/$mac.cfg")
        .boot();
    assert_eq!(logo(&world).as_deref(), Some("pnp"));
    let subscribe = world
        .up()
        .find(|packet| packet.bytes.starts_with(b"SUBSCRIBE "))
        .unwrap();
    assert_eq!(subscribe.peer.to_string(), "224.0.1.75:5060");
    let text = String::from_utf8(subscribe.bytes.clone()).unwrap();
    for line in [
        "SUBSCRIBE sip:MAC=000307a9b486@224.0.1.75 SIP/2.0",
        "To: <sip:MAC=000307a9b486@224.0.1.75>",
        "Expires: 0",
        "Accept: application/url",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    assert!(
        text.contains("vendor=\"Fanvil\";model=\"VOIP PHONE\""),
        "{text}"
    );
    world.forget();
    world.run_seconds(3 * 3_600 + 60);
    assert_eq!(
        world.count(|kind| *kind == started(Trigger::Subscription)),
        3
    );
    // FAN-107: the same URL again: fetched, compared, not applied.
    assert!(world.files().len() >= 6);
    assert!(world.any(|kind| matches!(kind, EventKind::Unchanged { .. })));
    let off = World::new(MODEL).web(Param::PnpEnable, "0").boot();
    assert!(
        !off.up()
            .any(|packet| packet.bytes.starts_with(b"SUBSCRIBE "))
    );
}

// FAN-93, FAN-105: all of it, as rsip reads it; by its Event header no model is told from another.
#[test]
fn subscribes_with_a_message_that_another_decoder_reads() {
    for model in [MODEL, "fanvil/h3", "fanvil/c600", "fanvil/i30"] {
        let world = World::new(model).boot();
        let mut sent = world.up();
        let sent = sent
            .find(|packet| packet.bytes.starts_with(b"SUBSCRIBE "))
            .unwrap();
        let request = rsip::Request::try_from(sent.bytes.as_slice()).unwrap();
        let whom = "sip:MAC=000307a9b486@224.0.1.75";
        assert_eq!(request.uri.to_string(), whom);
        let from = request.from_header().unwrap().typed().unwrap();
        assert_eq!(from.uri.to_string(), whom);
        assert!(!from.tag().unwrap().value().is_empty());
        let to = request.to_header().unwrap().typed().unwrap();
        assert_eq!((to.uri.to_string().as_str(), to.tag()), (whom, None));
        assert_eq!(
            request.contact_header().unwrap().value(),
            "<sip:10.1.0.1:5060>"
        );
        assert_eq!(request.max_forwards_header().unwrap().value(), "70");
        let event = "ua-profile;profile-type=\"device\";vendor=\"Fanvil\";\
                     model=\"VOIP PHONE\";version=\"2.10.2.6887\"";
        for (name, value) in [
            ("Event", event),
            ("Expires", "0"),
            ("Accept", "application/url"),
            ("Content-Length", "0"),
        ] {
            let line = |line: &rsip::Header| {
                let text = line.to_string();
                let (held, rest) = text.split_once(':').unwrap();
                (held == name).then(|| rest.trim().to_owned())
            };
            let held: Vec<String> = request.headers().iter().filter_map(line).collect();
            assert_eq!(held, [value], "{model}");
        }
    }
}

/// The NOTIFY of figure 13, with a body.
fn notify(body: &str, number: u32) -> Vec<u8> {
    let length = body.len();
    format!(
        "NOTIFY sip:10.1.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{number}\r\n\
         From: <sip:10.0.0.2>;tag=1\r\n\
         To: <sip:10.1.0.1>\r\n\
         Call-ID: late{number}@10.0.0.2\r\n\
         CSeq: 1 NOTIFY\r\n\
         Max-Forwards: 70\r\n\
         Content-Type: application/url\r\n\
         Subscription-State: terminated;reason=timeout\r\n\
         Event: ua-profile;profile-type=\"device\";vendor=\"Fanvil\";model=\"VOIP PHONE \"\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

// FAN-99, FAN-100, FAN-101, FAN-102, FAN-103, FAN-104: minutes later, twice, with a remark behind
// the URL: one run, and each copy is answered.
#[test]
fn takes_a_notify_that_comes_minutes_later() {
    let mut world = everywhere(World::new(MODEL)).boot();
    world.run_seconds(300);
    world.forget();
    let from = SocketAddrV4::new(SERVER, 5_060);
    let bytes = notify("tftp://10.0.0.2/pnp/ (the path)\r\n", 1);
    world.inject(Channel::Sip, from, &bytes);
    world.run_for(Duration::from_millis(500));
    world.inject(Channel::Sip, from, &bytes);
    world.settle();
    assert_eq!(world.count(|kind| *kind == started(Trigger::Notified)), 1);
    assert_eq!(logo(&world).as_deref(), Some("pnp"));
    assert_eq!(
        world.files(),
        [format!("pnp/{GENERAL}"), format!("pnp/{OWN}")]
    );
    let answered = world
        .packets
        .iter()
        .filter(|packet| packet.way == Way::Up && packet.bytes.starts_with(b"SIP/2.0 200 "));
    assert_eq!(answered.count(), 2);
}

fn fixed() -> World {
    everywhere(World::new(MODEL))
        .web(Param::PnpEnable, "0")
        .web(Param::StaticServer, "10.0.0.2")
        .web(Param::StaticFile, "static/$mac.cfg")
}

// FAN-108, FAN-109, FAN-110, FAN-112: address, file, protocol, mode and interval.
#[test]
fn downloads_from_the_static_server_as_its_fields_say() {
    let world = fixed().boot();
    assert_eq!(logo(&world).as_deref(), Some("static"));
    for scheme in ["http", "https"] {
        let world = fixed().web(Param::StaticScheme, scheme).boot();
        assert_eq!(
            world.files(),
            [format!("/static/{GENERAL}"), format!("/static/{OWN}")]
        );
        assert_eq!(logo(&world).as_deref(), Some("static"), "{scheme}");
    }
    let world = fixed().web(Param::StaticMode, "disabled").boot();
    assert_eq!(world.files(), Vec::<String>::new());
    let mut world = fixed()
        .web(Param::StaticMode, "interval")
        .web(Param::StaticIntervalS, "7200")
        .boot();
    world.forget();
    world.run_seconds(7_300);
    assert_eq!(
        world.count(|kind| *kind == started(Trigger::StaticInterval)),
        1
    );
}

// FAN-109: with nothing else to look for, nothing else is asked, whatever the network offers.
#[test]
fn goes_to_the_static_server_at_once_where_detection_is_off() {
    let world = fixed()
        .option(66, &url("dhcp"))
        .web(Param::DhcpUrlOption, "0")
        .boot();
    assert_eq!(parameters(&world), [1, 28, 3, 2, 4, 6]);
    let asked = [
        "DISCOVER".to_owned(),
        "REQUEST".to_owned(),
        format!("RRQ static/{GENERAL}"),
        format!("RRQ static/{OWN}"),
    ];
    assert_eq!(world.asked(), asked);
    assert_eq!(logo(&world).as_deref(), Some("static"));
}

// FAN-111: what the static server does not give ends the run.
#[test]
fn ends_the_run_when_the_static_server_fails() {
    let world = World::new(MODEL)
        .web(Param::SourceOrder, "static,pnp")
        .web(Param::StaticServer, "10.0.0.2")
        .web(Param::StaticFile, "nothing/$mac.cfg")
        .pnp("tftp://10.0.0.2/pnp/$mac.cfg");
    let world = everywhere(world).boot();
    assert!(
        !world
            .up()
            .any(|packet| packet.bytes.starts_with(b"SUBSCRIBE "))
    );
    ended(&world, RunResult::NothingFetched);
}

// FAN-63, FAN-96: with an address of its own there is no DHCP, but PnP there is.
#[test]
fn a_phone_with_its_own_address_uses_pnp() {
    let mut world = everywhere(World::new(MODEL))
        .pnp("tftp://10.0.0.2/pnp/$mac.cfg")
        .web(Param::OwnAddress, "10.1.0.1");
    world.give_option(66, &url("dhcp"));
    let world = world.boot();
    assert_eq!(logo(&world).as_deref(), Some("pnp"));
    assert!(
        !world
            .up()
            .any(|packet| packet.lane == Lane::Udp(Channel::Dhcp))
    );
}

// FAN-144: check-sync runs, with reboot=true it reboots.
#[test]
fn runs_or_reboots_at_a_check_sync() {
    let mut world = everywhere(led(&url("dhcp"))).boot();
    world.forget();
    world.notify("check-sync", 1);
    world.settle();
    assert!(world.has(started(Trigger::CheckSync)));
    assert_eq!(
        world.files(),
        [format!("dhcp/{GENERAL}"), format!("dhcp/{OWN}")]
    );
    world.forget();
    world.notify("check-sync;reboot=true", 2);
    world.settle();
    assert!(world.has(EventKind::Booting(BootCause::CheckSync)));
}
