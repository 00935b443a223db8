//! One phone and its registrations through boots, check-syncs, lost leases and switching off.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm::reference::registrar::{Accounts, Credentials, Registrar, RegistrarConfig};
use bootstorm_emulator::event::{BootCause, EventKind, Trigger};
use bootstorm_emulator::phone::io::Input;
use bootstorm_emulator::phone::stage::StageName;
use bootstorm_emulator::profile::Param;

use crate::world::{Fate, SERVER, Way, World};

const MODEL: &str = "flyingvoice/fip13g";
const FILE: &str = "0021f222b01d.cfg";
const ACCOUNT: &str = "account.1.enable=1\naccount.1.user_name=u1\naccount.1.password=s1\n\
    account.1.sip_server_host=sip.example.org\n";

/// A phone with an account, and a registrar that knows it.
fn phone() -> World {
    let mut world = World::new(MODEL)
        .web(Param::PnpEnable, "0")
        .web(Param::RandomDelayS, "0")
        .option(66, "10.0.0.2")
        .file(FILE, ACCOUNT);
    world
        .shelf
        .hosts
        .insert("sip.example.org".to_owned(), SERVER);
    let accounts = Accounts(Arc::new(|user, _| {
        let number = user.strip_prefix('u')?;
        Some(Credentials {
            user: user.to_owned(),
            password: format!("s{number}"),
        })
    }));
    let registrar = Registrar::new(RegistrarConfig::new(accounts), Arc::default());
    world.server.registrar = Some(registrar);
    world
}

/// What was sent to the registrar, without keep-alives.
fn requests(world: &World) -> Vec<String> {
    let sent = world.up().filter(|packet| packet.peer.port() == 5_060);
    sent.map(|packet| String::from_utf8_lossy(&packet.bytes).into_owned())
        .filter(|text| text.starts_with("REGISTER "))
        .collect()
}

fn expires(request: &str) -> Option<&str> {
    request
        .lines()
        .find_map(|line| line.strip_prefix("Expires: "))
}

fn reached(world: &World) -> usize {
    let registrar = world.server.registrar.as_ref().unwrap();
    registrar
        .bindings("u1", "sip.example.org", world.now)
        .count()
}

fn runs(world: &World) -> Vec<Trigger> {
    let kinds = world.kinds();
    let started = kinds.filter_map(|kind| match kind {
        EventKind::RunStarted(trigger) => Some(trigger),
        _ => None,
    });
    started.collect()
}

// FLY-34: the account of the file is the one that registers, before the phone is at rest.
#[test]
fn is_at_rest_when_it_is_registered() {
    let mut world = phone().power();
    world.wait_for_stage(StageName::Idle);
    assert!(!world.phone.is_settled());
    assert!(!world.has(EventKind::Settled));
    world.settle();
    assert_eq!((world.phone.registered(), reached(&world)), (1, 1));
    let registered = world.when_event(|kind| matches!(kind, EventKind::Registered { .. }));
    let settled = world.when_event(|kind| *kind == EventKind::Settled);
    assert!(registered <= settled);
    assert_eq!(world.count(|kind| *kind == EventKind::Settled), 1);
}

#[test]
fn refreshes_without_unsettling_and_longer_than_a_registration_lasts() {
    let mut world = phone().web(Param::PeriodicS, "0").boot();
    world.forget();
    for _ in 0..30 {
        world.run_seconds(1_000);
        assert!(world.phone.is_settled());
        assert_eq!(reached(&world), 1);
    }
    assert!(!world.has(EventKind::Settled));
    let renewed = world.count(|kind| matches!(kind, EventKind::Registered { renewed: true, .. }));
    assert_eq!(renewed, 8, "every 59 minutes");
}

#[test]
fn comes_to_rest_without_a_registrar_and_registers_when_it_is_back() {
    let deaf = |packet: &crate::world::Packet| match packet.peer.port() {
        5_060 => Fate::Lose,
        _ => Fate::Pass,
    };
    let mut world = phone().filter(deaf).boot();
    let (account, _) = world.phone.registration_fault().unwrap();
    assert_eq!((account, world.phone.registered()), (1, 0));
    let tries = requests(&world);
    assert_eq!(tries.len(), 11, "64 T1 hold eleven transmissions");
    assert!(tries.iter().all(|text| *text == tries[0]));
    world.set_filter(|_| Fate::Pass);
    world.run_seconds(301);
    assert_eq!(world.phone.registration_fault(), None);
    assert_eq!(reached(&world), 1);
    assert_eq!(world.count(|kind| *kind == EventKind::Settled), 1);
}

// FLY-99, FLY-100, FLY-103: a check-sync inside and outside of a dialog.
#[test]
fn a_registered_phone_takes_check_sync_and_registers_what_changed() {
    let mut world = phone().boot();
    world.forget();
    world.serve(FILE, ACCOUNT.replace("u1", "u2").replace("s1", "s2"));
    world.notify("check-sync", 1);
    assert!(!world.phone.is_settled());
    world.settle();
    assert_eq!(runs(&world), [Trigger::CheckSync]);
    assert!(requests(&world)[0].contains("<sip:u2@sip.example.org>"));
    let registrar = world.server.registrar.as_ref().unwrap();
    let other = registrar.bindings("u2", "sip.example.org", world.now);
    assert_eq!(other.count(), 1);
    // Nothing changed: nothing to register.
    world.forget();
    world.notify("check-sync", 2);
    world.settle();
    assert_eq!(runs(&world), [Trigger::CheckSync]);
    assert_eq!(requests(&world), [""; 0]);
    // A reboot: everything anew.
    world.notify("check-sync;reboot=true", 3);
    assert_eq!(world.phone.registered(), 0);
    world.settle();
    assert!(world.has(EventKind::Booting(BootCause::CheckSync)));
    assert_eq!(world.phone.registered(), 1);
}

// AUE-22, FLY-99: over the connection of the registration too.
#[test]
fn takes_requests_over_its_connection_and_answers_there() {
    let mut world = over_tcp().boot();
    assert_eq!((world.phone.registered(), reached(&world)), (1, 1));
    let connected = |world: &World| {
        let down = world.packets.iter().filter(|packet| packet.way == Way::Up);
        let text = down.map(|packet| String::from_utf8_lossy(&packet.bytes).into_owned());
        text.filter(|text| text.starts_with("SIP/2.0 "))
            .map(|text| text.split(' ').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (method, event, status) in [
        ("OPTIONS", "", "200"),
        ("INVITE", "", "405"),
        ("NOTIFY", "Event: talk\r\n", "489"),
        (
            "NOTIFY",
            "Event: check-sync\r\nTo: <sip:u1@x>;tag=in\r\n",
            "200",
        ),
    ] {
        world.forget();
        let text = format!(
            "{method} sip:u1@10.1.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{method}\r\n\
             Call-ID: {method}{status}\r\nCSeq: 1 {method}\r\n{event}l: 0\r\n\r\n"
        );
        world.write_line(text.as_bytes());
        world.run_for(Duration::from_millis(20));
        assert_eq!(connected(&world), [status], "{method}");
        world.settle();
    }
    assert_eq!(runs(&world), [Trigger::CheckSync]);
    // A flood of nonsense costs the connection, and a new one is made.
    world.forget();
    world.write_line(&[b'x'; 60_000]);
    world.run_seconds(10);
    assert_eq!(world.phone.registered(), 1);
    assert_eq!(requests(&world).len(), 1, "the nonce is still good");
}

/// A phone whose profile knows a key for TCP.
fn over_tcp() -> World {
    let world = phone().file(FILE, format!("{ACCOUNT}account.1.transport=tcp\n"));
    let mut world = world;
    let mut profile = (*world.shelf.profiles[0]).clone();
    let accounts = profile.accounts.as_mut().unwrap();
    let key = "account.{n}.transport";
    accounts.keys.transport = bootstorm_emulator::profile::accounts::AccountKey::parse(key);
    accounts.tcp_words = vec!["tcp".to_owned()];
    world.shelf.profiles[0] = Arc::new(profile);
    world
}

/// RFC 3261 §10.2.2.
#[test]
fn switched_off_in_good_order_it_is_gone_from_the_registrar() {
    let mut world = phone().boot();
    world.forget();
    world.input(Input::ShutDown);
    world.run_for(Duration::from_millis(50));
    let sent = requests(&world);
    assert_eq!(sent.len(), 1);
    assert_eq!(expires(&sent[0]), Some("0"));
    assert_eq!(reached(&world), 0);
    // A power cut says nothing.
    let mut world = phone().boot();
    world.forget();
    world.input(Input::PowerCut);
    assert_eq!(requests(&world), [""; 0]);
    assert_eq!(world.phone.registered(), 0);
    assert_eq!(reached(&world), 1);
}

#[test]
fn answers_that_nobody_waits_for_change_nothing() {
    let mut world = phone().boot();
    let from = SocketAddrV4::new(SERVER, 5_060);
    let channel = bootstorm_emulator::phone::io::Channel::Sip;
    world.forget();
    for text in [
        "SIP/2.0 403 Forbidden\r\nCSeq: 2 REGISTER\r\n\r\n",
        "SIP/2.0 401 x\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq: 3 REGISTER\r\n\r\n",
        "SIP/2.0 200 OK\r\nCSeq: 99999999999 REGISTER\r\n\r\n",
        "SIP/2.0 200",
    ] {
        for _ in 0..1_000 {
            world.inject(channel, from, text.as_bytes());
        }
    }
    assert_eq!(world.kinds().count(), 0);
    assert_eq!(world.up().count(), 0);
    assert_eq!(world.phone.registered(), 1);
}
