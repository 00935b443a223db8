//! nginx with certificates on both sides and Basic authentication, chrony, SIPp.

use std::collections::BTreeSet;
use std::fs;

use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::scenario::{Discovery, Transport};

use crate::program::run;
use crate::servers::{Nginx, authority, chronyd, free_udp_port, nginx, sipp};
use crate::{World, http, unlucky};

/// Users and passwords of the fleet whose directory is closed.
fn users(world: &World) -> Vec<(String, String)> {
    let plan = world.plan();
    let phones = (0..plan.phones()).filter_map(|index| plan.phone(index));
    let closed = phones.filter(|phone| plan.fleet(phone).is_some_and(|it| it.root == "closed"));
    let users = closed.filter_map(|phone| plan.login(&phone));
    users.map(|login| (login.user, login.password)).collect()
}

// GIG-16, GIG-57, AUE-24: HTTPS, Basic authentication and certificates of the phones, at a server
// that is not ours.
#[test]
fn nginx_with_certificates_and_passwords_provisions_every_way() {
    let world = World::new("every-way", "150");
    let factory = world.path().join("factory");
    let factory = factory.display().to_string();
    let out = world.content().display().to_string();
    let content = ["content", "every-way", "--phones", "150", "--out", &out];
    let arguments = [&content[..], &["--factory-ca", &factory]].concat();
    run(world.path(), &arguments).expect(0);
    let phones_ca = world.path().join("factory/factory-ca.pem");
    let users = users(&world);
    assert!(!users.is_empty());
    let plain = nginx(&Nginx {
        directory: &world.content(),
        own: &world.path().join("nginx"),
        always: None,
        tls: false,
        certified: None,
        closed: Some(("closed", &users)),
    });
    let Some(plain) = plain else { return };
    let own = world.path().join("nginx-tls");
    let secure = nginx(&Nginx {
        directory: &world.content(),
        own: &own,
        always: None,
        tls: true,
        certified: Some(("certified", &phones_ca)),
        closed: None,
    });
    let Some(secure) = secure else { return };
    let https = format!("https://127.0.0.1:{}", secure.port);
    let subject = ["--subject", &http(&plain), "--subject", &https];
    let ca = authority(&own).display().to_string();
    let trusting = [&subject[..], &["--ca", &ca]].concat();
    // nginx has no certificate for the name of a redirect service: phones that ask one turn away,
    // and only those.
    let redirected = world.such(|plan, phone| {
        let fleet = plan.fleet(phone);
        fleet.is_some_and(|fleet| fleet.source == Discovery::Redirect)
    });
    let (finished, report) = world.boot(&[&trusting[..], &["--factory-ca", &factory]].concat());
    finished.expect(1);
    assert_eq!(unlucky(&report), redirected);
    let notes = &report.facts().notes;
    let said = "the server's certificate is for another name";
    assert!(notes.iter().any(|note| note.contains(said)), "{notes:?}");

    // Phones of another factory are turned away where a certificate is asked for, and only there.
    let other = world.path().join("other").display().to_string();
    let (finished, report) = world.boot(&[&trusting[..], &["--factory-ca", &other]].concat());
    finished.expect(1);
    let certified = world.such(|plan, phone| {
        let fleet = plan.fleet(phone);
        fleet.is_some_and(|fleet| fleet.client_certificate.is_some())
    });
    assert!(!certified.is_empty());
    assert_eq!(unlucky(&report), both(&certified, &redirected));

    // Without the authority the phones that verify must fail, and only those.
    let (finished, report) = world.boot(&[&subject[..], &["--factory-ca", &factory]].concat());
    finished.expect(1);
    let secured = world.fetching_by(Transport::Https);
    assert_eq!(unlucky(&report), both(&secured, &redirected));
    let notes = &report.facts().notes;
    let said = "by an authority that the phones do not trust";
    assert!(notes.iter().any(|note| note.contains(said)), "{notes:?}");
}

/// The phones of either list, sorted.
fn both(some: &[String], others: &[String]) -> Vec<String> {
    let all: BTreeSet<_> = some.iter().chain(others).cloned().collect();
    all.into_iter().collect()
}

/// Phones that wait for the time; what they get is at the built-in server.
const COMFORTELS: &str = r#"
name = "time"
time_scale = 0.01
deadline_s = 20
[[fleet]]
name = "comfortels"
phones = 20
source = "fixed"
transport = "http"
layout = "backup"
[fleet.profiles]
"auerswald/comfortel-d-200" = 1
[fleet.own]
"users/user[@id='1']/username" = "a{index}"
"#;

fn own_scenario(world: &World, text: &str) -> String {
    let file = world.path().join("scenario.toml");
    fs::write(&file, text).expect("writable");
    file.display().to_string()
}

// AUE-05, AUE-06: the time of a server that is not ours.
#[test]
fn chrony_gives_the_time_that_phones_wait_for() {
    let world = World::empty();
    let Some(chrony) = chronyd(&world.path().join("chrony")) else {
        return;
    };
    let scenario = own_scenario(&world, COMFORTELS);
    let time = format!("ntp://127.0.0.1:{}", chrony.port);
    let (finished, report) = world.boot_own(&scenario, &["--subject", &time]);
    finished.expect(0);
    assert_eq!(report.counts().of(Outcome::Provisioned), 20);
    chrony.end();

    let nobody = format!("ntp://127.0.0.1:{}", free_udp_port());
    let (finished, report) = world.boot_own(&scenario, &["--subject", &nobody]);
    finished.expect(3);
    assert!(report.phones().is_empty());
}

fn pnp_fleet(profile: &str, layout: &str, settings: &str) -> String {
    format!(
        "name = \"pnp\"\ntime_scale = 0.1\ndeadline_s = 30\n\
         [load]\nshape = \"rate\"\nper_s = 100\n\
         [[fleet]]\nname = \"pnp\"\nphones = 40\nsource = \"pnp\"\ntransport = \"http\"\n\
         layout = \"{layout}\"\n[fleet.profiles]\n\"{profile}\" = 1\n\
         [fleet.own]\n{settings}\n"
    )
}

/// Boots a fleet that SIPp tells this URL.
fn boots_by_sipp(url: &str, scenario: &str) {
    let world = World::empty();
    let own = world.path().join("sipp");
    let Some((responder, joined)) = sipp(&own, url) else {
        return;
    };
    let scenario = own_scenario(&world, scenario);
    let sip = format!("sip://127.0.0.1:{}", responder.port);
    let (finished, report) = world.boot_own(&scenario, &["--subject", &sip]);
    let provisioned = report.counts().of(Outcome::Provisioned);
    assert_eq!(provisioned, 40, "{}\n{}", finished.out, finished.err);
    responder.end();
    drop(joined);
}

// FLY-41, FLY-49, FLY-50: the NOTIFY's body is one URL, of a file that is fetched.
#[test]
fn sipp_names_each_phone_its_file_by_multicast() {
    let settings = "\"account.1.user_name\" = \"p{index}\"";
    let fleet = pnp_fleet("flyingvoice/fip13g", "given", settings);
    boots_by_sipp("http://127.0.0.1/[$mac].cfg", &fleet);
}

// GIG-03, GIG-14: the phone puts its MAC into the URL itself.
#[test]
fn sipp_names_all_phones_one_url_with_a_marker() {
    let settings = "\"SIP.Account.0.DisplayName\" = \"p{index}\"";
    let fleet = pnp_fleet("gigaset/maxwell-3", "given", settings);
    boots_by_sipp("http://127.0.0.1/phones/%MACD-all.xml", &fleet);
}
