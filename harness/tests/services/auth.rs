//! Credentials: what the server asks, what phones show.

use std::time::Duration;

use bootstorm_reports::run::Outcome;

use crate::{all_provisioned, boot, fleet, planned, transcript};

fn guarded(scheme: &str, more: &str) -> String {
    let text = fleet(
        3,
        &format!(
            "source = \"fixed\"\ntransport = \"http\"\nlayout = \"flat\"\nauth = \"{scheme}\"\n{more}"
        ),
    );
    text.replace("everything", "fip13g")
}

// FLY-89, GIG-57, AUE-24: Basic and Digest on a 401, with the web page's or the URL's credentials.
#[test]
fn phones_prove_who_they_are_by_every_scheme() {
    let in_url = "credentials = \"url\"\nuser = \"{mac}\"\npassword = \"p@ss:{index}/\"";
    let typed = "user = \"desk {index}\"\npassword = \"s3cret\"";
    for scheme in ["basic", "digest", "digest-sha256"] {
        for more in ["", typed, in_url] {
            let ended = boot(&guarded(scheme, more), |config| {
                assert_eq!(config.http.realms[0].users.len(), 3);
            });
            all_provisioned(&ended);
            let log = transcript(&ended);
            assert!(!log.contains("credentials refused"), "{log}");
        }
    }
}

#[test]
fn a_stale_nonce_costs_one_more_request_and_nothing_else() {
    let ended = boot(&guarded("digest", ""), |config| {
        config.http.realms[0].nonce_lifetime = Duration::from_millis(1);
    });
    all_provisioned(&ended);
}

// Wrong credentials: one retry, then an event, and no further file of that server.
#[test]
fn wrong_credentials_are_tried_once_and_then_told() {
    for scheme in ["basic", "digest", "digest-sha256"] {
        let ended = boot(&guarded(scheme, ""), |config| {
            for password in config.http.realms[0].users.values_mut() {
                password.push('x');
            }
        });
        let log = transcript(&ended);
        // The question, and the one answer to the challenge.
        let asked = |line: &&str| line.contains("000 flyingvoice/fip13g sent <mac> (");
        assert_eq!(log.lines().filter(asked).count(), 2, "{log}");
        for phone in ended.report.phones() {
            assert_eq!(phone.outcome, Outcome::Failed, "{log}");
            let wrong = phone.first_wrong.as_ref().expect("a wrong step");
            assert!(wrong.text.contains("credentials refused"), "{wrong:?}");
        }
    }
}

#[test]
fn auth_that_cannot_be_is_told() {
    let two = format!(
        "{}\n[[fleet]]\nname = \"two\"\nphones = 1\nroot = \"site/floor\"\nsource = \"dhcp\"\n\
         transport = \"http\"\nlayout = \"flat\"\n[fleet.profiles]\n\"flyingvoice/fip13g\" = 1\n",
        guarded("basic", "")
    );
    let told = planned(&two).expect_err("shared")[0].to_string();
    assert!(
        told.contains("would also hold for the files of fleet two"),
        "{told}"
    );
    let nobody = guarded("basic", "")
        .replace("flyingvoice/fip13g", "plug-n-dial/lr8051s-http")
        .replace("fixed", "dhcp")
        .replace("flat", "app");
    let told = planned(&nobody).expect_err("no user")[0].to_string();
    assert!(told.contains("have no user name of their own"), "{told}");
    for (lines, expected) in [
        ("auth = \"ntlm\"", "expected"),
        (
            "auth = \"basic\"\ncredentials = \"url\"",
            "need 'user' and 'password'",
        ),
        ("user = \"x\"", "'fleet[0].user' without 'auth'"),
    ] {
        let text = fleet(
            1,
            &format!("source = \"dhcp\"\ntransport = \"http\"\nlayout = \"flat\"\n{lines}"),
        );
        let faults = bootstorm_scenarios::scenario::read("a.toml", &text).expect_err("a fault");
        assert!(faults.to_string().contains(expected), "{faults}");
    }
    let tftp = guarded("basic", "").replace("\"http\"", "\"tftp\"");
    let faults = bootstorm_scenarios::scenario::read("a.toml", &tftp).expect_err("a fault");
    assert!(faults.to_string().contains("knows no users"), "{faults}");
}
