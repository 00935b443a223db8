//! Phones and an auto-configuration server (TR-069): downloads that it orders, connection requests,
//! and what it does wrong. On the simulated network, and once over sockets.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::reference::{Counter, Counters, Reference};
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{self, Scenario};

/// The fleet that comes with the program, with so few phones and these lines behind it.
fn fleet(phones: u32, change: impl FnOnce(String) -> String) -> Scenario {
    let mut built_in = scenario::built_in().iter();
    let (_, text) = built_in
        .find(|(name, _)| *name == "acs-download")
        .expect("built in");
    let text = change((*text).to_owned());
    let scenario = scenario::read("acs-download", &text);
    let mut scenario = scenario.unwrap_or_else(|faults| panic!("{faults}"));
    scenario.resize(phones);
    scenario
}

fn planned(scenario: Scenario, server: Ipv4Addr) -> Arc<Plan> {
    let profiles = ProfileSet::built_in();
    let plan = Plan::new(scenario, &profiles, server);
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults:?}")))
}

fn boot(scenario: Scenario) -> (Ended, Arc<Counters>) {
    let plan = planned(scenario, SIMULATED_SERVER);
    let source = provision::tree(&plan).expect("content");
    let reference = Reference::new(provision::reference(&plan, source, SIMULATED_POOL));
    let counters = Arc::clone(reference.counters());
    let orders = Orders {
        shards: 1,
        transcript: true,
        ..Orders::default()
    };
    let ended = run::simulate(&plan, reference, &orders).expect("a report");
    (ended, counters)
}

#[track_caller]
fn all_provisioned(ended: &Ended) {
    for phone in ended.report.phones() {
        let log = String::from_utf8_lossy(&ended.transcript);
        assert_eq!(phone.outcome, Outcome::Provisioned, "{phone:?}\n{log}");
    }
}

#[track_caller]
fn counted(counters: &Counters, expected: &[(Counter, u64)]) {
    for (counter, count) in expected {
        let all: Vec<_> = counters.entries().collect();
        assert_eq!(counters.value(*counter), *count, "{counter:?} of {all:?}");
    }
}

// FAN-114, FAN-116 to FAN-119, FAN-122, FAN-125: Inform, authentication, Download, TransferComplete
// without a fault; and what was in the file is in force.
#[test]
fn every_ordered_download_is_reported_complete_and_in_force() {
    let (ended, counters) = boot(fleet(12, |text| text));
    all_provisioned(&ended);
    counted(
        &counters,
        &[
            (Counter::AcsBootstrap, 12),
            (Counter::AcsDownload, 12),
            (Counter::AcsDownloadComplete, 12),
            (Counter::AcsDownloadFault, 0),
            (Counter::AcsDownloadStray, 0),
            (Counter::AcsTransferEvent, 12),
            (Counter::AcsDenied, 0),
            (Counter::AcsOutOfTurn, 0),
            (Counter::AcsWrongId, 0),
        ],
    );
    let notes = &ended.report.facts().notes;
    let log = String::from_utf8_lossy(&ended.transcript);
    let from = "candidate from what started the run: http://";
    assert_eq!(log.matches(from).count(), 12, "{log}");
    let told = "12 of 12 ordered downloads were reported complete";
    assert!(notes.iter().any(|note| note.contains(told)), "{notes:?}");
}

// What the script sets is meant, though no file has it.
#[test]
fn what_the_script_sets_is_intended() {
    let set = |text: String| {
        let set = "{ set = { \"Device.ManagementServer.ConnectionRequestPassword\" = \"{mac}\" } }";
        text.replace("\"get-rpc-methods\"", set)
    };
    let (ended, counters) = boot(fleet(3, set));
    all_provisioned(&ended);
    counted(
        &counters,
        &[
            (Counter::AcsCallFault, 0),
            (Counter::AcsDownloadComplete, 3),
        ],
    );
}

// FAN-123: an answer that comes 5 s late is waited for.
#[test]
fn a_late_server_is_waited_for() {
    let late = |text: String| {
        text.replace(
            "auth = \"digest\"",
            "auth = \"digest\"\nfault = \"delayed\"",
        )
    };
    let (ended, counters) = boot(fleet(4, late));
    all_provisioned(&ended);
    counted(&counters, &[(Counter::AcsDownloadComplete, 4)]);
}

// TR-069 §3.2.1.1: a session that failed is tried again; each phone says what was wrong.
#[test]
fn a_session_that_failed_is_tried_again() {
    for (fault, said) in [
        ("unavailable", "HTTP status 503"),
        ("wrong-id", "RPC without a usable id"),
        ("soap-fault", "SOAP fault 8"),
        ("cut", "no SOAP message that fits here"),
    ] {
        let wrong = format!("auth = \"digest\"\nfault = \"{fault}\"\nfault_times = 1");
        // The wait before a retry does not keep a phone from being at rest; a last step does.
        let change = |text: String| {
            let text = text.replace("auth = \"digest\"", &wrong);
            text + "\n[[step]]\nat_s = 60\ndo = \"pnp-notify\"\n"
        };
        let (ended, counters) = boot(fleet(4, change));
        all_provisioned(&ended);
        counted(
            &counters,
            &[
                (Counter::AcsFaultPlayed, 4),
                (Counter::AcsDownloadComplete, 4),
            ],
        );
        let log = String::from_utf8_lossy(&ended.transcript);
        let told = log.lines().filter(|line| line.contains(said)).count();
        assert!(told >= 4, "{fault}: {log}");
    }
}

// A server that never ends a session is left at a limit, and the run ends.
#[test]
fn an_endless_server_is_left() {
    let endless = |text: String| {
        text.replace(
            "auth = \"digest\"",
            "auth = \"digest\"\nfault = \"endless\"",
        )
    };
    let (ended, counters) = boot(fleet(2, endless));
    assert_eq!(ended.report.phones().len(), 2);
    assert!(counters.value(Counter::AcsCall) < 10_000);
    let log = String::from_utf8_lossy(&ended.transcript);
    for said in ["length of an ACS session", "that the server does not end"] {
        let told = log.lines().filter(|line| line.contains(said)).count();
        assert!(told >= 2, "{said}: {log}");
    }
}

/// Connection requests, and a last step that nobody waits for: the sessions end before it.
const CALL: &str = "\n[[step]]\nafter = \"settled\"\ndo = \"connection-request\"\n\
                    [[step]]\nat_s = 5\ndo = \"pnp-notify\"\n";

// TR-069 §3.2.2: with Digest; a session with `6 CONNECTION REQUEST` follows.
#[test]
fn phones_take_connection_requests() {
    let (ended, counters) = boot(fleet(5, |text| text + CALL));
    all_provisioned(&ended);
    let step = &ended.report.facts().steps[0];
    assert_eq!((step.planned, step.accepted), (5, 5), "{step:?}");
    counted(
        &counters,
        &[
            (Counter::ConnectionRequestTaken, 5),
            (Counter::AcsConnectionRequested, 5),
        ],
    );
}

// The same over sockets: phones of all shards are reached at one port.
#[test]
fn phones_on_loopback_are_reached_at_one_port() {
    let server = Ipv4Addr::LOCALHOST;
    let plan = planned(fleet(20, |text| text + CALL), server);
    let source = provision::tree(&plan).expect("content");
    let config = provision::reference(&plan, source, LOOPBACK_POOL);
    let bind = Bind {
        dhcp_port: Some(0),
        http_port: Some(0),
        sip_port: Some(0),
        sip_group: Some(server),
        ..Bind::loopback()
    };
    let running = Adapter::start(Reference::new(config), &bind).expect("a server");
    let endpoints = *running.endpoints();
    let subject = Subject {
        dhcp: endpoints.dhcp,
        http: endpoints.http,
        sip_port: endpoints.sip.map(|sip| sip.port()),
        ..Subject::at(server)
    };
    let orders = Orders {
        shards: 2,
        transcript: true,
        ..Orders::default()
    };
    let (courier, trust) = (running.courier(), Trust::nobody().expect("randomness"));
    let ended = run::loopback_with_steps(&plan, &subject, &trust, &orders, &courier);
    let ended = ended.expect("a report");
    all_provisioned(&ended);
    let step = &ended.report.facts().steps[0];
    assert_eq!((step.planned, step.accepted), (20, 20), "{step:?}");
    counted(
        running.counters(),
        &[
            (Counter::AcsDownloadComplete, 20),
            (Counter::ConnectionRequestTaken, 20),
        ],
    );
    running.stop().expect("the server's thread");
}

// FAN-03: the instance of the service for a phone, by multicast DNS.
#[test]
fn phones_find_their_server_by_multicast_dns() {
    for transport in ["http", "tftp"] {
        let text = format!(
            "name = \"mdns\"\ntime_scale = 0.01\n[[fleet]]\nname = \"m\"\nphones = 3\n\
             source = \"mdns\"\ntransport = \"{transport}\"\nlayout = \"modules\"\nroot = \"m\"\n\
             [fleet.profiles]\n\"fanvil/c400\" = 1\n[fleet.common]\n\"global.time zone\" = \"32\"\n\
             [fleet.own]\n\"sip.sip1 display name\" = \"Desk {{index}}\"\n"
        );
        let scenario = scenario::read("mdns", &text).unwrap_or_else(|faults| panic!("{faults}"));
        let (ended, counters) = boot(scenario);
        all_provisioned(&ended);
        counted(&counters, &[(Counter::MdnsAnswer, 3)]);
    }
}
