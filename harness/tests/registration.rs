//! Phones register with the accounts that their documents gave them: fleets over UDP and TCP on
//! both attachments, and one phone closely watched.

#[path = "registration/one_phone.rs"]
mod one_phone;
#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::adapter::{Adapter, Bind, Running};
use bootstorm::reference::{Counter, Counters, Reference};
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

/// So many phones, half of them over UDP and half over TCP.
const PHONES: u32 = 60;

/// A scenario of two fleets of equal size, one over UDP and one with `transport`.
fn scenario(phones: u32, transport: &str, password: &str) -> String {
    let fleet = |name: &str, transport: &str| {
        format!(
            "[[fleet]]\nname = \"{name}\"\nphones = {}\nsource = \"dhcp\"\ntransport = \"tftp\"\n\
             layout = \"tree\"\nroot = \"{name}\"\n\
             [fleet.profiles]\n\"plug-n-dial/bva8051\" = 1\n\
             [fleet.own]\n\"sip_server\" = \"sip.example.org\"\n\"sip_user\" = \"a{{index}}\"\n\
             \"sip_password\" = \"{password}-{{mac}}\"\n\"sip_transport\" = \"{transport}\"\n",
            phones / 2
        )
    };
    format!(
        "name = \"registered\"\nseed = 1\ntime_scale = 0.001\ndeadline_s = 100\n\
         [hosts]\n\"sip.example.org\" = \"subject\"\n\
         [load]\nshape = \"rate\"\nper_s = 2000\n{}{}",
        fleet("one", "udp"),
        fleet("two", transport)
    )
}

fn plan(text: &str, server: std::net::Ipv4Addr) -> Arc<Plan> {
    let scenario = scenario::read("registered.toml", text).unwrap();
    Arc::new(Plan::new(scenario, &ProfileSet::built_in(), server).unwrap())
}

fn orders() -> Orders {
    Orders {
        shards: 2,
        transcript: true,
        ..Orders::default()
    }
}

/// Simulates the plan against content that was made for `served`.
fn simulate(plan: &Arc<Plan>, served: &Plan) -> (Ended, Arc<Counters>) {
    let source = provision::tree(served).unwrap();
    let reference = Reference::new(provision::reference(plan, source, SIMULATED_POOL));
    let counters = Arc::clone(reference.counters());
    let ended = run::simulate(plan, reference, &orders()).unwrap();
    (ended, counters)
}

/// The built-in server on loopback, and where it is.
fn serve(plan: &Arc<Plan>) -> (Running, Subject) {
    let bind = Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        sip_port: Some(0),
        sip_tcp_port: Some(0),
        ..Bind::loopback()
    };
    let source = provision::tree(plan).unwrap();
    let config = provision::reference(plan, source, LOOPBACK_POOL);
    let running = Adapter::start(Reference::new(config), &bind).unwrap();
    let endpoints = *running.endpoints();
    let subject = Subject {
        dhcp: endpoints.dhcp,
        tftp: endpoints.tftp,
        sip_tcp: endpoints.sip_tcp,
        sip_port: endpoints.sip.map(|sip| sip.port()),
        ..Subject::at(plan.server)
    };
    (running, subject)
}

fn provisioned(ended: &Ended) -> u32 {
    let phones = ended.report.phones().iter();
    let good = phones.filter(|phone| phone.outcome == Outcome::Provisioned);
    u32::try_from(good.count()).unwrap()
}

#[test]
fn a_fleet_registers_over_udp_and_tcp_in_memory() {
    let plan = plan(&scenario(PHONES, "tcp", "s"), SIMULATED_SERVER);
    let (ended, counters) = simulate(&plan, &plan);
    assert_eq!(provisioned(&ended), PHONES);
    assert_eq!(counters.value(Counter::SipRegistered), u64::from(PHONES));
    assert_eq!(counters.value(Counter::SipChallenged), u64::from(PHONES));
    assert_eq!(counters.value(Counter::SipDenied), 0);
    // The same again, to the byte.
    let (again, _) = simulate(&plan, &plan);
    assert!(ended.transcript == again.transcript);
    let text = String::from_utf8(ended.transcript).unwrap();
    let registered = "registered account 1 for 3600 s";
    assert_eq!(text.matches(registered).count(), PHONES as usize);
}

#[test]
fn a_fleet_registers_over_udp_and_tcp_on_loopback() {
    let plan = plan(&scenario(PHONES, "tcp", "s"), std::net::Ipv4Addr::LOCALHOST);
    let (running, subject) = serve(&plan);
    let ended = run::loopback(&plan, &subject, &Trust::nobody().unwrap(), &orders()).unwrap();
    assert_eq!(provisioned(&ended), PHONES);
    let counters = Arc::clone(running.counters());
    running.stop().unwrap();
    assert_eq!(counters.value(Counter::SipRegistered), u64::from(PHONES));
    assert_eq!(
        counters.value(Counter::SipConnection),
        u64::from(PHONES / 2)
    );
}

/// The content has other passwords than the registrar knows.
#[test]
fn a_wrong_password_in_the_content_is_named_at_register() {
    let plan = plan(&scenario(PHONES, "tcp", "s"), SIMULATED_SERVER);
    let wrong = self::plan(&scenario(PHONES, "tcp", "wrong"), SIMULATED_SERVER);
    let (ended, counters) = simulate(&plan, &wrong);
    for phone in ended.report.phones() {
        assert_eq!(phone.outcome, Outcome::Partial, "{phone:?}");
        assert!(phone.settled_after.is_some(), "{phone:?}");
        let first = phone.first_wrong.as_ref().unwrap();
        assert_eq!(
            (&*first.step, &*first.text),
            ("REGISTER", "credentials refused")
        );
        let difference = phone.difference.as_ref().unwrap();
        assert_eq!(difference.key, "sip_password");
    }
    // One retry for each, and no storm.
    assert_eq!(counters.value(Counter::SipDenied), u64::from(PHONES));
    assert_eq!(counters.value(Counter::SipRegistered), 0);
}

/// Nobody can be judged for a registrar that the run does not know.
#[test]
fn an_unknown_registrar_spoils_nothing() {
    let text = scenario(PHONES, "udp", "s").replace("[hosts]\n\"sip.", "[hosts]\n\"other.");
    let plan = plan(&text, SIMULATED_SERVER);
    let (ended, counters) = simulate(&plan, &plan);
    assert_eq!(provisioned(&ended), PHONES);
    assert_eq!(counters.value(Counter::SipRegister), 0);
    let text = String::from_utf8(ended.transcript).unwrap();
    let told = "account 1 not registered: host name not in the run's host table";
    assert_eq!(text.matches(told).count(), PHONES as usize);
}

/// A registered phone that idles holds no descriptor over UDP.
#[test]
fn five_thousand_registered_phones_hold_no_descriptors() {
    let phones = 5_000;
    let plan = plan(&scenario(phones, "udp", "s"), std::net::Ipv4Addr::LOCALHOST);
    let (running, subject) = serve(&plan);
    let over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                let held = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
                most = most.max(held);
                std::thread::park_timeout(Duration::from_millis(20));
            }
            most
        }
    });
    let orders = Orders {
        transcript: false,
        ..orders()
    };
    let ended = run::loopback(&plan, &subject, &Trust::nobody().unwrap(), &orders).unwrap();
    over.store(true, Ordering::Relaxed);
    let most = watch.join().unwrap();
    let counters = Arc::clone(running.counters());
    running.stop().unwrap();
    assert_eq!(provisioned(&ended), phones);
    assert!(counters.value(Counter::SipRegistered) >= u64::from(phones));
    // The transfers' shared ports, the server's, and what other tests of this program hold.
    assert!(most > 0 && most < 1_000, "{most} descriptors");
    assert!(ended.bytes_per_phone < 2_500, "{}", ended.bytes_per_phone);
}
