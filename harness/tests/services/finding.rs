//! Every way of finding the server, and the time that must come first.

use std::time::Duration;

use bootstorm::reference::pnp::Manner;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::scenario::Discovery;

use crate::{all_provisioned, boot, fleet, planned, profiles, transcript};

// GIG-03 (114, 66), AUE-25 … AUE-35 (43, 66 with 67, 66 with the file field), AUE-40 and AUE-41
// (redirect, both answers), AUE-42 and AUE-43 (multicast), AUE-03 (typed in).
#[test]
fn phones_are_provisioned_by_every_way() {
    let profile = profiles().get("flyingvoice/everything").expect("known");
    for way in Discovery::of(&profile) {
        let word = way.word();
        let layout = if way.names_a_file() { "given" } else { "flat" };
        for transport in ["http", "https", "tftp"] {
            let lines =
                format!("source = \"{word}\"\ntransport = \"{transport}\"\nlayout = \"{layout}\"");
            let ended = boot(&fleet(3, &lines), |_| {});
            all_provisioned(&ended);
        }
    }
}

#[test]
fn the_redirect_service_answers_by_body_or_by_location() {
    let lines = "source = \"redirect\"\ntransport = \"http\"\nlayout = \"given\"";
    for answer in ["body", "location"] {
        let text = fleet(3, lines);
        let text = format!("{text}\n[redirect]\nanswer = \"{answer}\"\n");
        all_provisioned(&boot(&text, |_| {}));
    }
}

#[test]
fn a_phone_that_the_redirect_service_does_not_know_finds_nothing_there() {
    let lines = "source = \"redirect\"\ntransport = \"http\"\nlayout = \"given\"";
    let ended = boot(&fleet(1, lines), |config| {
        let service = config.http.service.as_mut().expect("a service");
        service.registry = std::sync::Arc::new(|_| None);
    });
    let log = transcript(&ended);
    assert!(log.contains("missing redirect service"), "{log}");
    assert_eq!(ended.report.phones()[0].outcome, Outcome::Failed, "{log}");
}

// FLY-46, FLY-47 and vendor facts, "PnP answers by servers in the field".
#[test]
fn phones_take_pnp_answers_in_every_manner() {
    let lines = "source = \"pnp\"\ntransport = \"http\"\nlayout = \"given\"";
    // A remark behind the URL is cut by phones whose vendor says so (FAN-101), not by all.
    for (name, manner) in Manner::named().filter(|(name, _)| *name != "remark") {
        let ended = boot(&fleet(3, lines), |config| {
            config.pnp.as_mut().expect("a responder").manner = manner;
        });
        for phone in ended.report.phones() {
            let log = transcript(&ended);
            assert_eq!(
                phone.outcome,
                Outcome::Provisioned,
                "{name}: {phone:?}\n{log}"
            );
        }
    }
}

// AUE-05 … AUE-07: no request before the time is valid; then at once.
#[test]
fn a_fleet_waits_for_the_time_and_then_settles() {
    let lines = "source = \"dhcp\"\ntransport = \"http\"\nlayout = \"flat\"";
    let text = format!(
        "{}\n[time]\nsilent_s = 20\nunsynchronised_s = 40\n",
        fleet(20, lines)
    );
    let ended = boot(&text, |_| {});
    all_provisioned(&ended);
    for phone in ended.report.phones() {
        let after = phone.settled_after.expect("settled");
        assert!(after > Duration::from_secs(40), "{after:?}");
        assert!(after < Duration::from_secs(60), "{after:?}");
    }
    let never = format!("{}\n[time]\nsilent_s = 1000\n", fleet(2, lines));
    let ended = boot(&never, |_| {});
    for phone in ended.report.phones() {
        assert_eq!(phone.settled_after, None);
        assert_eq!(phone.outcome, Outcome::Failed);
    }
}

#[test]
fn a_source_that_the_profile_does_not_have_is_told_with_its_place() {
    let lines = "source = \"redirect\"\ntransport = \"http\"\nlayout = \"flat\"";
    let text = fleet(1, lines).replace("flyingvoice/everything", "flyingvoice/fip13g");
    let faults = planned(&text).expect_err("no such source");
    let told = faults[0].to_string();
    assert!(told.starts_with("test.toml:8:"), "{told}");
    assert!(told.contains("flyingvoice/fip13g"), "{told}");
    assert!(
        told.ends_with("(expected one of dhcp, pnp, fixed)"),
        "{told}"
    );
}
