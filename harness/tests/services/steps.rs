//! Check-sync as a step of a scenario.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::reference::content::{Source, Tree};
use bootstorm::reference::{Counter, Reference};
use bootstorm::run;
use bootstorm::subject::Subject;
use bootstorm_emulator::event::{EventKind, Trigger};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::StepResult;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

use crate::{all_provisioned, boot, fleet, orders, transcript};

const LINES: &str = "source = \"dhcp\"\ntransport = \"tftp\"\nlayout = \"flat\"";

fn answered(what: &str, phones: u32) -> StepResult {
    StepResult {
        what: what.to_owned(),
        planned: phones,
        accepted: phones,
        resynced: phones,
        ..StepResult::default()
    }
}

/// As `fleet`, without the wait for time, and with steps.
fn stepped(phones: u32, steps: &str) -> String {
    fleet(phones, LINES).replace("everything", "fip13g") + steps
}

/// The ready scenario with so many phones and more text, on a server's address.
fn storm(phones: u32, more: &str, server: Ipv4Addr) -> Arc<Plan> {
    let (_, text) = scenario::built_in()
        .iter()
        .find(|(name, _)| *name == "check-sync-storm")
        .expect("the ready scenario");
    let mut scenario = scenario::read("storm.toml", &format!("{text}{more}")).expect("a scenario");
    scenario.resize(phones);
    Arc::new(Plan::new(scenario, &ProfileSet::built_in(), server).expect("a plan"))
}

/// As `answered`, by phones that are registered.
fn answered_registered(what: &str, phones: u32) -> StepResult {
    StepResult {
        registered: phones,
        ..answered(what, phones)
    }
}

/// True for a phone that came to rest registered, then started one run, for check-sync, in which
/// it fetched something, and came to rest again.
fn resynced_once(events: &[EventKind]) -> bool {
    let rest = events.iter().position(|kind| *kind == EventKind::Settled);
    let (before, after) = events.split_at(rest.expect("a phone at rest"));
    let registered = |kind: &EventKind| matches!(kind, EventKind::Registered { .. });
    let started = |kind: &&EventKind| matches!(kind, EventKind::RunStarted(_));
    let runs: Vec<_> = after.iter().filter(started).collect();
    let at = |wanted: EventKind| after.iter().rposition(|kind| *kind == wanted);
    let fetched = |kind: &EventKind| matches!(kind, EventKind::Fetched { .. });
    let fetched = after.iter().position(fetched);
    let begun = at(EventKind::RunStarted(Trigger::CheckSync));
    before.iter().any(registered)
        && runs == [&EventKind::RunStarted(Trigger::CheckSync)]
        && begun < fetched
        && fetched < at(EventKind::Settled)
}

// FLY-99, GIG-55, AUE-22: all phones of an idle, registered fleet fetch again at one storm of
// check-syncs, which go to the contacts that the registrar holds.
#[test]
fn five_thousand_registered_phones_resync_on_one_storm() {
    const PHONES: u32 = 5_000;
    let plan = storm(PHONES, "", SIMULATED_SERVER);
    let source = provision::tree(&plan).expect("content");
    let serve = || Reference::new(provision::reference(&plan, source.clone(), SIMULATED_POOL));
    let quiet = run::Orders {
        transcript: false,
        ..orders()
    };
    let reference = serve();
    let counters = Arc::clone(reference.counters());
    let ended = run::simulate(&plan, reference, &quiet).expect("a report");
    all_provisioned(&ended);
    let facts = ended.report.facts();
    assert_eq!(facts.steps, [answered_registered("check-sync", PHONES)]);
    assert_eq!(facts.registered, PHONES);
    for counter in [
        Counter::SipRegistered,
        Counter::NotifySent,
        Counter::NotifyToContact,
        Counter::NotifyAccepted,
    ] {
        assert_eq!(counters.value(counter), u64::from(PHONES), "{counter:?}");
    }
    // The same again with every event.
    let (result, _) = run::simulate_shard(&plan, serve(), &orders());
    let mut phones = vec![Vec::new(); PHONES as usize];
    for logged in &result.log {
        phones[logged.phone as usize].push(logged.event.kind);
    }
    let resynced = phones.iter().filter(|events| resynced_once(events));
    assert_eq!(resynced.count(), PHONES as usize);
}

// A run for a check-sync that finds no file is no resync.
#[test]
fn phones_that_fetch_nothing_have_not_resynced() {
    let steps = "\n[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n";
    let ended = boot(&stepped(5, steps), |config| {
        config.source = Source::tree(Tree::default());
    });
    let step = &ended.report.facts().steps[0];
    let found = (step.accepted, step.resynced, step.ignored);
    assert_eq!(found, (5, 0, 0), "{}", transcript(&ended));
    assert!(transcript(&ended).contains("run started: check-sync"));
}

// FLY-100: the parameter asks for a reboot; both steps are for one fleet.
#[test]
fn a_step_may_ask_for_a_reboot_of_one_fleet() {
    let second = stepped(4, "")
        .replace("\"one\"", "\"two\"")
        .replace("site", "other");
    let second = second.split("[[fleet]]").nth(1).expect("a fleet");
    let steps = "\n[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nreboot = true\nfleet = \"two\"\n\
         [[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nreboot = false\n";
    let text = format!("{}\n[[fleet]]{second}{steps}", stepped(6, ""));
    let ended = boot(&text, |_| {});
    all_provisioned(&ended);
    let expected = [
        answered("check-sync;reboot=true to two", 4),
        answered("check-sync;reboot=false", 10),
    ];
    assert_eq!(
        ended.report.facts().steps,
        expected,
        "{}",
        transcript(&ended)
    );
    for phone in ended.report.phones() {
        assert_eq!(phone.reboots > 0, phone.index >= 6, "{phone:?}");
    }
}

// FLY-103: the switch is off; the phone answers and does nothing.
#[test]
fn phones_that_ignore_check_sync_answer_and_stay_as_they_are() {
    let web = "\n[fleet.web]\nresync_from_sip = \"0\"\n[[step]]\nat_s = 100\ndo = \"check-sync\"\n";
    let ended = boot(&stepped(5, web), |_| {});
    let step = &ended.report.facts().steps[0];
    assert_eq!((step.accepted, step.resynced, step.ignored), (5, 0, 5));
    assert!(ended.report.facts().elapsed.as_secs() >= 100);
}

#[test]
fn phones_without_an_address_are_counted_as_such() {
    let ended = boot(
        &stepped(5, "\n[[step]]\nat_s = 0\ndo = \"check-sync\"\n"),
        |_| {},
    );
    all_provisioned(&ended);
    let step = &ended.report.facts().steps[0];
    assert_eq!((step.planned, step.unreachable, step.accepted), (5, 5, 0));
}

// A run that ends before a step's time does not hide it.
#[test]
fn steps_that_cannot_be_are_told() {
    for (step, expected) in [
        ("do = \"check-sync\"", "needs 'after', 'at_s' or 'later_s'"),
        ("after = \"later\"\ndo = \"check-sync\"", "settled"),
        (
            "after = \"settled\"\nat_s = 1\ndo = \"check-sync\"",
            "one of 'after', 'at_s' and 'later_s'",
        ),
        ("after = \"settled\"\ndo = \"reset\"", "check-sync"),
        (
            "after = \"settled\"\ndo = \"check-sync\"\nfleet = \"ones\"",
            "did you mean 'one'?",
        ),
    ] {
        let text = stepped(1, &format!("\n[[step]]\n{step}\n"));
        let faults = scenario::read("a.toml", &text).expect_err(step);
        assert!(faults.to_string().contains(expected), "{faults}");
    }
}

#[test]
fn some_hundred_registered_phones_on_loopback_resync_on_one_storm() {
    let again = "\n[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nreboot = true\n";
    let server = Ipv4Addr::LOCALHOST;
    let plan = storm(300, again, server);
    let source = provision::tree(&plan).expect("content");
    let config = provision::reference(&plan, source, LOOPBACK_POOL);
    let bind = Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        sip_port: Some(0),
        ntp_port: Some(0),
        http_port: Some(0),
        ..Bind::loopback()
    };
    let running = Adapter::start(Reference::new(config), &bind).expect("a server");
    let endpoints = *running.endpoints();
    let subject = Subject {
        dhcp: endpoints.dhcp,
        tftp: endpoints.tftp,
        sip_port: endpoints.sip.map(|sip| sip.port()),
        ntp: endpoints.ntp,
        http: endpoints.http,
        ..Subject::at(server)
    };
    let orders = run::Orders {
        shards: 3,
        ..orders()
    };
    let courier = running.courier();
    let trust = Trust::nobody().expect("randomness");
    let ended = run::loopback_with_steps(&plan, &subject, &trust, &orders, &courier);
    let ended = ended.expect("a report");
    all_provisioned(&ended);
    let expected = [
        answered_registered("check-sync", 300),
        answered_registered("check-sync;reboot=true", 300),
    ];
    assert_eq!(ended.report.facts().steps, expected);
    let counters = running.counters();
    assert_eq!(counters.value(Counter::NotifyToContact), 600);
    running.stop().expect("the server's thread");
}
