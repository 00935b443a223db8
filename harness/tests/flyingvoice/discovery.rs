//! Sources: SIP PnP, DHCP option 66 and 67, the static URL, the second profile.

use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Realm, Scheme};
use bootstorm_emulator::event::{EventKind, Fault, RunResult};
use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::profile::{Param, SourceId, StepId};

use crate::world::{Fate, Lane, PNP_PORT, Packet, Way, World, rrq_name};
use crate::{COMMON_CFG, LIST, MAC_BOOT, MAC_CFG, MODEL, OWN_NAME, phone, quick};

const SECOND: Duration = Duration::from_secs(1);
const FILE_URL: &str = "tftp://10.0.0.2/0021f222b01d.cfg";

/// A phone without random delay that PnP serves.
fn subscriber(url: &str) -> World {
    World::new(MODEL)
        .web(Param::RandomDelayS, "0")
        .pnp(url)
        .file(MAC_CFG, "lang.gui=a\n")
}

fn text(packet: &Packet) -> String {
    String::from_utf8_lossy(&packet.bytes).into_owned()
}

/// The NOTIFY that reached the phone first.
fn notify(world: &World) -> Packet {
    let mut down = world.packets.iter();
    let found = down.find(|packet| {
        packet.way == Way::Down
            && packet.lane == Lane::Udp(Channel::Pnp)
            && packet.bytes.starts_with(b"NOTIFY")
    });
    found.expect("a NOTIFY").clone()
}

// FLY-41, FLY-42, FLY-43, FLY-44, FLY-45, FLY-55: the SUBSCRIBE, by default, to the group.
#[test]
fn subscribes_at_the_multicast_group_during_startup() {
    let world = subscriber(FILE_URL).boot();
    let sent = world
        .up()
        .find(|packet| packet.lane == Lane::Udp(Channel::Pnp));
    let sent = sent.unwrap();
    assert_eq!(sent.peer.to_string(), "224.0.1.75:5060");
    let text = text(sent);
    assert!(text.starts_with("SUBSCRIBE sip:MAC0021f222b01d@224.0.1.75 SIP/2.0\r\n"));
    assert!(text.contains(
        "Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP13G\";\
         version=\"V0.6.24\"\r\n"
    ));
    for field in [
        "Accept: application/url\r\n",
        "Expires: 0\r\n",
        "Contact: <sip:MAC0021f222b01d@10.1.0.1:59495>\r\n",
    ] {
        assert!(text.contains(field), "{field}");
    }
}

// FLY-46, FLY-48, FLY-49, FLY-50, FLY-51, FLY-54: an answer from port 7777; the NOTIFY is answered
// where it came from; five seconds later exactly the file of its URL is asked for.
#[test]
fn fetches_exactly_the_file_of_the_notify_after_the_window() {
    let world = subscriber(FILE_URL).boot();
    assert_eq!(world.files(), [MAC_CFG]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
    let notify = notify(&world);
    assert_eq!(notify.peer.port(), PNP_PORT);
    assert!(text(&notify).starts_with("NOTIFY sip:MAC0021f222b01d@10.1.0.1:59495 SIP/2.0"));
    let answer = world
        .up()
        .find(|packet| packet.bytes.starts_with(b"SIP/2.0 200"));
    let answer = answer.expect("an answer");
    assert_eq!(answer.peer, notify.peer);
    assert_eq!(answer.lane, Lane::Udp(Channel::Pnp));
    let first = world.when("RRQ 0021f222b01d.cfg");
    assert_eq!(first - notify.at, 5 * SECOND);
}

// FLY-51: further NOTIFYs within the window are answered; the first URL counts.
#[test]
fn keeps_the_first_url_of_several_notifies() {
    let mut world = subscriber(FILE_URL).power();
    world.wait_for("NOTIFY", |world| {
        world
            .any(|kind| matches!(kind, EventKind::Answered { step, .. } if *step == StepId::NOTIFY))
    });
    let first = notify(&world);
    for number in 0..3 {
        let other = text(&first).replace("0021f222b01d.cfg", &format!("other{number}000000.cfg"));
        assert_eq!(other.len(), first.bytes.len());
        world.inject(Channel::Pnp, first.peer, other.as_bytes());
    }
    world.settle();
    assert_eq!(world.files(), [MAC_CFG]);
    let answers = world
        .up()
        .filter(|packet| packet.bytes.starts_with(b"SIP/2.0 200"));
    assert_eq!(answers.count(), 4);
}

// FLY-58, FLY-78: a directory URL means the candidate list in it.
#[test]
fn walks_the_list_in_the_directory_of_a_notify() {
    let world = subscriber("tftp://10.0.0.2/pnp/")
        .file("pnp/0021f222b01d.cfg", "lang.gui=b\n")
        .boot();
    let expected = LIST.map(|name| format!("pnp/{name}"));
    assert_eq!(world.files(), expected);
    assert_eq!(world.held("lang.gui").as_deref(), Some("b"));
}

// FLY-56, FLY-94: nobody answers: three SUBSCRIBEs a second apart, five seconds, then option 66.
#[test]
fn goes_on_to_option_66_when_nobody_answers_the_subscribe() {
    let world = World::new(MODEL)
        .web(Param::RandomDelayS, "0")
        .option(66, "10.0.0.2")
        .boot();
    let subscribes: Vec<_> = world
        .up()
        .filter(|packet| packet.bytes.starts_with(b"SUBSCRIBE"))
        .collect();
    assert_eq!(subscribes.len(), 3);
    assert_eq!(subscribes[1].at - subscribes[0].at, SECOND);
    assert_eq!(subscribes[2].at - subscribes[1].at, SECOND);
    let first = world.read_requests()[0].at;
    assert_eq!(first - subscribes[2].at, 5 * SECOND);
    assert!(world.has(EventKind::NoCandidate {
        source: SourceId(0)
    }));
}

// FLY-42, FLY-60: both switches, on by default, take their source away.
#[test]
fn leaves_out_sources_that_are_switched_off() {
    let world = quick(MODEL)
        .option(66, "10.0.0.2")
        .web(Param::Option66Enable, "0")
        .pnp(FILE_URL)
        .boot();
    assert_eq!(world.asked(), ["DISCOVER", "REQUEST"]);
    assert!(world.has(EventKind::RunEnded(RunResult::NothingFetched)));
}

// FLY-94: PnP before option 66, that before the static URL, the second profile last; the first
// file ends the search.
#[test]
fn tries_the_sources_in_the_order_of_the_guide() {
    let all = || {
        World::new(MODEL)
            .web(Param::RandomDelayS, "0")
            .web(Param::ServerUrl, "tftp://10.0.0.3/static/")
            .web(Param::SecondServerUrl, "tftp://10.0.0.4/second/$(MA).cfg")
            .option(66, "tftp://10.0.0.2/dhcp/")
            .pnp("tftp://10.0.0.2/pnp/$(MA).cfg")
    };
    let firsts = |world: &World| {
        let mut directories: Vec<_> = world
            .files()
            .iter()
            .map(|name| name.split('/').next().unwrap().to_owned())
            .collect();
        directories.dedup();
        directories
    };
    let world = all().boot();
    assert_eq!(firsts(&world), ["pnp", "dhcp", "static", "second"]);
    // FLY-87, FLY-88: the second profile's URL, with the MAC in place of its marker.
    assert_eq!(world.files().last().unwrap(), "second/0021f222b01d.cfg");
    for (place, order) in [
        ("pnp", &["pnp"][..]),
        ("dhcp", &["pnp", "dhcp"]),
        ("static", &["pnp", "dhcp", "static"]),
    ] {
        let world = all()
            .file(&format!("{place}/{MAC_CFG}"), "lang.gui=a\n")
            .boot();
        assert_eq!(firsts(&world), order);
    }
}

// FLY-59, FLY-66, FLY-69, FLY-70, FLY-75: a bare address means TFTP and the whole list.
#[test]
fn asks_a_bare_address_by_tftp_for_the_candidates_in_order() {
    let world = phone().boot();
    assert_eq!(world.files(), LIST);
    assert!(
        world.asked()[2..]
            .iter()
            .all(|asked| asked.starts_with("RRQ "))
    );
    assert_eq!(world.read_requests()[0].peer.to_string(), "10.0.0.2:69");
}

// FLY-72: the next name follows 0.16 to 0.37 s after a file was not found.
#[test]
fn pauses_between_files_as_in_the_trace() {
    let world = phone().boot();
    let requests = world.read_requests();
    for pair in requests.windows(2) {
        // The refusal takes two milliseconds.
        let pause = pair[1].at - pair[0].at - Duration::from_millis(2);
        assert!(pause >= Duration::from_millis(160), "{pause:?}");
        assert!(pause <= Duration::from_millis(370), "{pause:?}");
    }
}

// FLY-74, FLY-75: the common file is found, the phone's own follows and overrides.
#[test]
fn takes_the_file_for_all_and_then_its_own() {
    let world = phone()
        .file(COMMON_CFG, "lang.gui=common\naccount.1.label=common\n")
        .file(MAC_CFG, "account.1.label=own\n")
        .boot();
    assert_eq!(world.files(), LIST);
    assert_eq!(world.held("lang.gui").as_deref(), Some("common"));
    assert_eq!(world.held("account.1.label").as_deref(), Some("own"));
}

// FLY-77: the name without suffix is the administrator's own file: the list ends there.
#[test]
fn ends_the_list_with_the_administrators_own_file() {
    let world = phone()
        .file(OWN_NAME, "lang.gui=own\n")
        .file(MAC_BOOT, "include:config <a.cfg>\n")
        .file(COMMON_CFG, "lang.gui=common\n")
        .boot();
    assert_eq!(world.files(), [OWN_NAME]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("own"));
}

// FLY-73: the text of a refusal does not matter.
#[test]
fn does_not_look_at_the_text_of_a_refusal() {
    let world = phone()
        .filter(|packet| match rrq_name(packet) {
            Some(_) => Fate::Instead(vec![(
                30_000,
                b"\x00\x05\x00\x01Nicht gefunden.\x00".to_vec(),
            )]),
            None => Fate::Pass,
        })
        .boot();
    assert_eq!(world.files(), LIST);
    assert_eq!(
        world.count(|kind| matches!(kind, EventKind::Missing { .. })),
        5
    );
}

// FLY-01, FLY-66, FLY-78, FLY-83, FLY-85: the forms that option 66 may have.
#[test]
fn reads_every_form_of_option_66() {
    let listed = |prefix: &str| LIST.map(|name| format!("{prefix}{name}")).to_vec();
    let forms = [
        ("10.0.0.2", "10.0.0.2:69", listed("")),
        ("tftp://10.0.0.2/", "10.0.0.2:69", listed("")),
        ("tftp://10.0.0.2", "10.0.0.2:69", listed("")),
        ("tftp://10.0.0.2/a/b", "10.0.0.2:69", listed("a/b/")),
        ("http://10.0.0.2/", "10.0.0.2:80", listed("/")),
        (
            "http://10.0.0.2:8088/ProvisioningDir",
            "10.0.0.2:8088",
            listed("/ProvisioningDir/"),
        ),
        ("https://10.0.0.2/dir/", "10.0.0.2:443", listed("/dir/")),
        (
            "tftp://10.0.0.2/dir/x.cfg",
            "10.0.0.2:69",
            vec!["dir/x.cfg".to_owned()],
        ),
        (
            "http://10.0.0.2/$(MA).boot",
            "10.0.0.2:80",
            vec!["/0021f222b01d.boot".to_owned()],
        ),
    ];
    for (form, peer, files) in forms {
        let world = quick(MODEL).option(66, form).boot();
        assert_eq!(world.files(), files, "{form}");
        let asked = world.up().nth(2).unwrap();
        assert_eq!(asked.peer.to_string(), peer, "{form}");
    }
}

// FLY-78, FLY-05: a URL that names a boot file is read as one.
#[test]
fn follows_a_boot_file_that_the_option_names() {
    let world = quick(MODEL)
        .option(66, "tftp://10.0.0.2/site/any.boot")
        .file("site/any.boot", "include:config <a.cfg>\n")
        .file("site/a.cfg", "lang.gui=a\n")
        .boot();
    assert_eq!(world.files(), ["site/any.boot", "site/a.cfg"]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-61, FLY-79, FLY-80: option 67 is not even asked for until it is switched on; then it takes
// the place of the Config File Name.
#[test]
fn takes_option_67_for_the_file_name_when_it_is_on() {
    let world = phone().option(67, "special.cfg").boot();
    assert_eq!(world.files(), LIST);
    let parameters = |world: &World| {
        let sent = world.up().next().unwrap();
        let message = bootstorm_emulator::wire::dhcp::Message::decode(&sent.bytes).unwrap();
        (
            message.option(55).unwrap().to_vec(),
            message.option(60).unwrap().to_vec(),
        )
    };
    let (list, class) = parameters(&world);
    assert_eq!(list, [1, 3, 6, 12, 15, 28, 42, 66]);
    assert!(class.starts_with(b"udhcp "));
    let world = phone()
        .option(67, "special.cfg")
        .web(Param::Option67Enable, "1")
        .file("special.cfg", "lang.gui=a\n")
        .boot();
    assert_eq!(parameters(&world).0, [1, 3, 6, 12, 15, 28, 42, 66, 67]);
    assert_eq!(world.files(), ["special.cfg"]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-69, FLY-86, FLY-88: the Config File Name with the MAC variable.
#[test]
fn asks_first_for_the_config_file_name() {
    let world = phone().web(Param::ConfigFileName, "p-$(MA).txt").boot();
    assert_eq!(world.files()[0], "p-0021f222b01d.txt");
    assert_eq!(world.files()[1..], LIST[1..]);
}

// FLY-82, FLY-83, FLY-85, FLY-95: the static URL; a discovered one is not written into it.
#[test]
fn uses_the_profile_rule_and_does_not_change_it() {
    let mut world = quick(MODEL)
        .web(Param::ServerUrl, "http://10.0.0.2:8088/ProvisioningDir")
        .file("ProvisioningDir/0021f222b01d.cfg", "lang.gui=a\n")
        .boot();
    assert_eq!(
        world.files(),
        LIST.map(|name| format!("/ProvisioningDir/{name}"))
    );
    world.give_option(66, "tftp://10.0.0.2/other/");
    world.serve("other/0021f222b01d.cfg", "lang.gui=b\n");
    world.reboot();
    assert_eq!(world.held("lang.gui").as_deref(), Some("b"));
    assert_eq!(
        world.phone.flash().web(Param::ServerUrl),
        Some("http://10.0.0.2:8088/ProvisioningDir")
    );
}

fn guarded(scheme: Scheme, user: &str, password: &str) -> HttpConfig {
    let realm = Realm {
        path: "/".to_owned(),
        name: "provisioning".to_owned(),
        schemes: vec![scheme],
        nonce_lifetime: Duration::from_secs(3_600),
        users: [(user.to_owned(), password.to_owned())]
            .into_iter()
            .collect(),
    };
    HttpConfig {
        realms: vec![realm],
        ..HttpConfig::default()
    }
}

// FLY-86, FLY-89, FLY-90, FLY-92: no credentials before a challenge; then Digest with the user of
// the web page, and the built-in User-Agent.
#[test]
fn answers_a_challenge_with_the_configured_user() {
    let world = quick(MODEL)
        .option(66, "http://10.0.0.2/")
        .http(guarded(
            Scheme::DigestMd5,
            "FLY10610000000",
            "FLY10610000000",
        ))
        .file(OWN_NAME, "lang.gui=a\n")
        .boot();
    let requests: Vec<_> = world
        .up()
        .filter(|packet| packet.peer.port() == 80)
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(!text(requests[0]).contains("Authorization"));
    let agent = "User-Agent: Flyingvoice FIP13G V0.6.24 00:21:F2:22:B0:1D\r\n";
    assert!(text(requests[0]).contains(agent));
    assert!(text(requests[1]).contains("Authorization: Digest username=\"FLY10610000000\""));
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-85, FLY-90: credentials that are refused are sent once.
#[test]
fn sends_refused_credentials_once() {
    let world = quick(MODEL)
        .option(66, "http://10.0.0.2/x.cfg")
        .http(guarded(Scheme::DigestMd5, "somebody", "else"))
        .file("x.cfg", "lang.gui=a\n")
        .boot();
    let requests: Vec<_> = world
        .up()
        .filter(|packet| packet.peer.port() == 80)
        .map(text)
        .collect();
    let with = requests
        .iter()
        .filter(|text| text.contains("Authorization"));
    assert_eq!(with.count(), 1, "{requests:#?}");
    assert!(world.has(EventKind::GaveUp {
        step: StepId::GIVEN,
        fault: Fault::Unauthorized
    }));
}

// FLY-31, FLY-89, FLY-91: user, password, method and User-Agent of the web page.
#[test]
fn uses_the_web_pages_credentials_and_user_agent() {
    let world = quick(MODEL)
        .option(66, "http://10.0.0.2/x.cfg")
        .web(Param::UserAgent, "Own Agent/1")
        .web(Param::AuthMethod, "basic")
        .web(Param::Username, "u")
        .web(Param::Password, "p")
        .http(guarded(Scheme::Basic, "u", "p"))
        .file("x.cfg", "lang.gui=a\n")
        .boot();
    let requests: Vec<_> = world
        .up()
        .filter(|packet| packet.peer.port() == 80)
        .map(text)
        .collect();
    assert!(requests[0].contains("User-Agent: Own Agent/1\r\n"));
    assert!(requests[1].contains("Authorization: Basic dTpw\r\n"));
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
}

// FLY-87: the second profile has a user and a User-Agent of its own.
#[test]
fn uses_the_second_profiles_own_account() {
    let world = quick(MODEL)
        .web(Param::UserAgent, "First")
        .web(Param::SecondUserAgent, "Second")
        .web(Param::SecondAuthMethod, "basic")
        .web(Param::SecondUsername, "u")
        .web(Param::SecondPassword, "p")
        .web(
            Param::SecondServerUrl,
            "https://10.0.0.2/config/$(MA)?mac=$(MA)",
        )
        .http(guarded(Scheme::Basic, "u", "p"))
        .boot();
    let request = world.up().find(|packet| packet.peer.port() == 443).unwrap();
    let text = text(request);
    assert!(text.contains("User-Agent: Second\r\n"), "{text}");
    assert!(text.contains("mac=0021f222b01d"), "{text}");
}

// FLY-67: sname and file of the DHCP answer are not looked at.
#[test]
fn does_not_look_at_the_bootp_fields() {
    let world = quick(MODEL)
        .filter(|packet| match (packet.way, packet.lane) {
            (Way::Down, Lane::Udp(Channel::Dhcp)) => {
                let mut bytes = packet.bytes.clone();
                bytes[44..52].copy_from_slice(b"10.0.0.9");
                bytes[108..113].copy_from_slice(b"x.cfg");
                Fate::Instead(vec![(67, bytes)])
            }
            _ => Fate::Pass,
        })
        .boot();
    assert_eq!(world.files(), Vec::<String>::new());
    assert!(world.has(EventKind::NoCandidate {
        source: SourceId(1)
    }));
}
