//! Check-sync as a step of a scenario.

use std::sync::Arc;

use bootstorm::drive::tls::Trust;
use bootstorm::provision::{self, LOOPBACK_POOL};
use bootstorm::reference::Reference;
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::run;
use bootstorm::subject::Subject;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::StepResult;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

use crate::{all_provisioned, boot, boot_by, fleet, orders, transcript};

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

// FLY-99, GIG-55, AUE-22: all phones of an idle fleet fetch again at one storm of check-syncs.
#[test]
fn five_thousand_idle_phones_resync_on_one_storm() {
    let steps = "\n[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n";
    let text = stepped(5_000, steps);
    let orders = run::Orders {
        transcript: false,
        ..orders()
    };
    let ended = boot_by(&orders, &text, |_| {});
    all_provisioned(&ended);
    assert_eq!(ended.report.facts().steps, [answered("check-sync", 5_000)]);
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
    assert_eq!((step.accepted, step.resynced), (5, 0));
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

#[test]
fn steps_that_cannot_be_are_told() {
    for (step, expected) in [
        ("do = \"check-sync\"", "needs 'after' or 'at_s'"),
        ("after = \"later\"\ndo = \"check-sync\"", "settled"),
        (
            "after = \"settled\"\nat_s = 1\ndo = \"check-sync\"",
            "not both",
        ),
        ("after = \"settled\"\ndo = \"reset\"", "check-sync"),
        (
            "after = \"settled\"\ndo = \"check-sync\"\nfleet = \"ones\"",
            "did you mean \"one\"?",
        ),
    ] {
        let text = stepped(1, &format!("\n[[step]]\n{step}\n"));
        let faults = scenario::read("a.toml", &text).expect_err(step);
        assert!(faults.to_string().contains(expected), "{faults}");
    }
}

#[test]
fn some_hundred_phones_on_loopback_resync_on_one_storm() {
    let steps = "\n[[step]]\nafter = \"settled\"\ndo = \"check-sync\"\n\
         [[step]]\nafter = \"settled\"\ndo = \"check-sync\"\nreboot = true\n";
    let scenario = scenario::read("test.toml", &stepped(300, steps)).expect("a scenario");
    let server = std::net::Ipv4Addr::LOCALHOST;
    let plan = Plan::new(scenario, &ProfileSet::built_in(), server).expect("a plan");
    let plan = Arc::new(plan);
    let source = provision::tree(&plan).expect("content");
    let config = provision::reference(&plan, source, LOOPBACK_POOL);
    let bind = Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        sip_port: Some(0),
        ntp_port: Some(0),
        ..Bind::loopback()
    };
    let running = Adapter::start(Reference::new(config), &bind).expect("a server");
    let endpoints = *running.endpoints();
    let subject = Subject {
        dhcp: endpoints.dhcp,
        tftp: endpoints.tftp,
        pnp_port: endpoints.sip.map(|sip| sip.port()),
        ntp: endpoints.ntp,
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
        answered("check-sync", 300),
        answered("check-sync;reboot=true", 300),
    ];
    assert_eq!(ended.report.facts().steps, expected);
    running.stop().expect("the server's thread");
}
