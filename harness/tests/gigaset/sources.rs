//! The sources that need a server of their own, and switching sources off.

use std::time::Duration;

use bootstorm::reference::http::{HttpConfig, Realm, Scheme};
use bootstorm_emulator::event::RunResult;
use bootstorm_emulator::profile::Param;

use crate::world::{GIGASET_MAC, SERVER, World};
use crate::{FIRST, LISTS, MODEL, ended, name_held, named, nvm, settings, with_settings};

// GIG-03, GIG-04, GIG-57: the redirect service is asked with Digest, the MAC as user, before the
// URL of the web page counts; its answer is the URL.
#[test]
fn asks_the_redirect_service_in_the_name_of_its_mac() {
    let users = [("7C2F80123456".to_owned(), "secret".to_owned())];
    let realm = Realm {
        path: format!("/{GIGASET_MAC}"),
        name: "redirect".to_owned(),
        schemes: vec![Scheme::DigestMd5],
        nonce_lifetime: Duration::from_secs(60),
        users: users.into_iter().collect(),
    };
    let mut config = HttpConfig::default();
    config.realms.push(realm);
    let mut world = World::new(MODEL)
        .web(Param::RedirectPassword, "secret")
        .web(Param::ServerUrl, "http://10.0.0.2/manual")
        .http(config)
        .file(GIGASET_MAC, "http://10.0.0.2/device\r\n")
        .file("device/7c2f80123456.xml", named("a"));
    let host = "prov.gigaset.net".to_owned();
    world.shelf.hosts.insert(host, SERVER);
    let world = world.boot();
    let service = format!("/{GIGASET_MAC}");
    let files = world.files();
    assert_eq!(files[..2], [service.as_str(), service.as_str()]);
    assert_eq!(files[2..], LISTS);
    let first = world.up().find(|packet| packet.bytes.starts_with(b"GET "));
    assert_eq!(first.unwrap().peer.port(), 443);
    assert_eq!(name_held(&world).as_deref(), Some("a"));
    ended(&world, RunResult::Complete);
}

// GIG-03: sources can be switched off; the list of DHCP options by a setting, as public templates
// do, and from the next run on.
#[test]
fn leaves_out_the_sources_that_are_switched_off() {
    let file = settings(
        "1.0",
        &[
            ("NET.IP.IPv4.DHCP.Options.Disabled", "66,114"),
            (
                "System.Provision.ProvisioningServer",
                "http://10.0.0.2/site/%MACD.xml",
            ),
        ],
    );
    let mut world = with_settings(&nvm(FIRST), &file)
        .web(Param::PnpEnable, "0")
        .web(Param::RedirectEnable, "0")
        .boot();
    assert_eq!(world.files()[..2], LISTS[..2]);
    world.reboot();
    assert!(!world.asked().contains(&"SUBSCRIBE".to_owned()));
    assert_eq!(world.files(), ["/site/7c2f80123456.xml"]);
}

// GIG-50: the account that the settings name is registered, with its own registrar, port and time.
#[test]
fn registers_the_account_of_its_settings() {
    let file = settings(
        "1.0",
        &[
            ("SIP.Account.0.Active", "1"),
            ("SIP.Account.0.Username", "100"),
            ("SIP.Account.0.AuthName", "auth100"),
            ("SIP.Account.0.AuthPassword", "secret"),
            ("SIP.Account.0.Domain", "sip.domain.com"),
            ("SIP.Account.0.RegistrationServer.Address", "10.0.0.2"),
            ("SIP.Account.0.RegistrationServer.Port", "5070"),
            ("SIP.Account.0.RegistrationServer.RefreshTimer", "180"),
            ("SIP.Account.1.Active", "0"),
            ("SIP.Account.1.Username", "101"),
            ("SIP.Account.1.Domain", "10.0.0.2"),
        ],
    );
    let mut world = with_settings(&nvm(FIRST), &file).boot();
    world.run_seconds(20);
    let sent: Vec<_> = world
        .up()
        .filter(|packet| packet.bytes.starts_with(b"REGISTER "))
        .collect();
    assert!(!sent.is_empty());
    for packet in sent {
        assert_eq!(packet.peer.to_string(), "10.0.0.2:5070");
        let text = String::from_utf8_lossy(&packet.bytes);
        assert!(text.starts_with("REGISTER sip:sip.domain.com SIP/2.0\r\n"));
        assert!(
            text.contains("\r\nTo: <sip:100@sip.domain.com>\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nExpires: 180\r\n"), "{text}");
    }
}
