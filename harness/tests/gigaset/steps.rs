//! Steps: certificates, and redirects of the version 1.1 files (public facts).

use bootstorm_emulator::event::{EventKind, Fault, Limit, LineReason, RunResult};
use bootstorm_emulator::limits::{CATALOGUE_DEPTH_MAX, VALUE_BYTES_MAX};
use bootstorm_emulator::profile::StepId;
use bootstorm_emulator::settings::SETTINGS_BYTES_MAX;

use crate::world::World;
use crate::{FIRST, ended, gave_up, name_held, named, phone, with_categories, xml};

fn authority() -> rcgen::Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.test".to_owned()]).unwrap();
    params.self_signed(&key).unwrap()
}

/// A phone whose custom category has these steps.
fn with_steps(steps: &str) -> World {
    let scenario = format!("<scenario version=\"{FIRST}\" productID=\"mx3b\">{steps}</scenario>");
    with_categories(&[("custom", "/custom/updates.xml")]).file("custom/updates.xml", xml(&scenario))
}

fn step(name: &str, flags: &str) -> String {
    format!("<step type=\"certificate\" url=\"/certificates/{name}\"{flags} />")
}

fn installed(world: &World) -> Vec<bool> {
    let kinds = world.kinds();
    let asked = kinds.filter_map(|kind| match kind {
        EventKind::CertificateInstalled { would_ask, .. } => Some(would_ask),
        _ => None,
    });
    asked.collect()
}

// GIG-44, GIG-45, GIG-46, GIG-47, GIG-48: PEM and DER; without the flag a handset would ask.
#[test]
fn installs_certificates_in_both_forms() {
    let made = authority();
    let steps = [
        step("ca.pem", " flags=\"FORCE_ACCEPT\""),
        step("ca.der", ""),
        step("other.pem", " flags=\"OTHER,FORCE_ACCEPT\""),
    ];
    let world = with_steps(&steps.concat())
        .file("certificates/ca.pem", made.pem())
        .file("certificates/ca.der", made.der())
        .file("certificates/other.pem", authority().pem())
        .boot();
    assert_eq!(
        world.files()[3..],
        [
            "/certificates/ca.pem",
            "/certificates/ca.der",
            "/certificates/other.pem"
        ]
    );
    assert_eq!(installed(&world), [false, true, false]);
    ended(&world, RunResult::Complete);
}

// GIG-44: the one that it has already is not installed again; another one at that place is.
#[test]
fn installs_a_certificate_once() {
    let mut world = with_steps(&step("ca.pem", " flags=\"FORCE_ACCEPT\""))
        .file("certificates/ca.pem", authority().pem())
        .boot();
    world.reboot();
    assert!(installed(&world).is_empty());
    assert!(world.any(|kind| matches!(kind, EventKind::Unchanged { .. })));
    world.serve("certificates/ca.pem", authority().pem());
    world.reboot();
    assert_eq!(installed(&world), [false]);
}

// GIG-46, GIG-59: what is no certificate is told by name, and the steps after it are done.
#[test]
fn refuses_what_is_no_certificate() {
    let made = authority();
    let cut = &made.der()[..made.der().len() - 3];
    for bad in [
        b"".as_slice(),
        b"<html/>",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        cut,
    ] {
        let world = with_steps(&[step("bad.pem", ""), step("ca.pem", "")].concat())
            .file("certificates/bad.pem", bad)
            .file("certificates/ca.pem", made.pem())
            .boot();
        assert!(gave_up(&world, StepId::CERTIFICATE, Fault::BadCertificate));
        assert_eq!(installed(&world), [true]);
        ended(&world, RunResult::Partial);
    }
    let world = with_steps(&step("gone.pem", "")).boot();
    assert!(world.any(
        |kind| matches!(kind, EventKind::Missing { step, .. } if *step == StepId::CERTIFICATE)
    ));
    ended(&world, RunResult::Partial);
}

// GIG-45: a step of another kind is passed over and told.
#[test]
fn passes_over_a_step_that_it_does_not_know() {
    let world =
        with_steps("<step type=\"UnlockAllFunctionKeys\"/><step type=\"x\" url=\"/y\"/>").boot();
    assert_eq!(world.files().len(), 3);
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::LinesIgnored {
            reason: LineReason::NotALink,
            count: 2,
            ..
        }
    )));
    ended(&world, RunResult::Complete);
}

fn single(body: &str) -> String {
    xml(&format!(
        "<provisioning version=\"1.1\" productID=\"mx3b\">{body}</provisioning>"
    ))
}

fn redirect(url: &str) -> String {
    format!("<step type=\"Redirect\" url=\"{url}\"/>")
}

fn param(name: &str, value: &str) -> String {
    format!("<nvm><param name=\"{name}\" value=\"{value}\"/></nvm>")
}

// Version 1.1: settings and redirects in one file; the redirected ones are laid over.
#[test]
fn follows_the_redirect_steps_of_a_single_file() {
    let name = "SIP.Account.0.AccountName";
    let body = [
        param(name, "first"),
        param("SIP.Port", "5070"),
        redirect("%MACD-site.xml"),
        redirect("http://10.0.0.2/user.xml"),
    ];
    let world = phone()
        .file("device/7c2f80123456.xml", single(&body.concat()))
        .file(
            "device/7c2f80123456-site.xml",
            single(&[param(name, "site"), redirect("/deeper.xml")].concat()),
        )
        .file("deeper.xml", single(&param("SIP.LogLevel", "2")))
        .file("user.xml", named("user"))
        .boot();
    assert_eq!(
        world.files()[4..],
        ["/device/7c2f80123456-site.xml", "/deeper.xml", "/user.xml"]
    );
    assert_eq!(name_held(&world).as_deref(), Some("user"));
    assert_eq!(world.held("SIP.Port").as_deref(), Some("5070"));
    assert_eq!(world.held("SIP.LogLevel").as_deref(), Some("2"));
    ended(&world, RunResult::Complete);
}

// A redirect back to a document that led here is not followed.
#[test]
fn does_not_go_in_circles() {
    for back in ["/device/7c2f80123456.xml", "/a.xml", ""] {
        let world = phone()
            .file("device/7c2f80123456.xml", single(&redirect("/a.xml")))
            .file(
                "a.xml",
                single(&[redirect(back), param("SIP.Port", "1")].concat()),
            )
            .boot();
        let fault = if back.is_empty() {
            Fault::BadTarget
        } else {
            Fault::Cycle
        };
        assert!(gave_up(&world, StepId::LINKED, fault), "{back}");
        assert_eq!(world.files()[4..], ["/a.xml"]);
        assert_eq!(world.held("SIP.Port").as_deref(), Some("1"));
        ended(&world, RunResult::Partial);
    }
}

// A chain without end stops at the limit.
#[test]
fn follows_a_chain_only_so_far() {
    let mut world = phone().file("device/7c2f80123456.xml", single(&redirect("/0.xml")));
    for at in 0..20 {
        world.serve(
            &format!("{at}.xml"),
            single(&redirect(&format!("/{}.xml", at + 1))),
        );
    }
    let world = world.boot();
    assert!(world.reached(Limit::LinkDepth));
    assert_eq!(world.files()[4..].len(), CATALOGUE_DEPTH_MAX);
    ended(&world, RunResult::Partial);
}

// However many links the documents of a run have, there is an end to them.
#[test]
fn follows_only_so_many_links() {
    let many = |url: &str| single(&redirect(url).repeat(100));
    let world = phone()
        .file("device/7c2f80123456.xml", many("/a.xml"))
        .file("a.xml", many("/b.xml"))
        .file("b.xml", single(""))
        .boot();
    assert!(world.reached(Limit::Links));
    assert!(world.files().len() < 300);
    ended(&world, RunResult::Partial);
}

// However large the files of a run are, they do not pile up in the phone until its end.
#[test]
fn keeps_no_more_settings_than_a_phone_holds() {
    let value = "v".repeat(VALUE_BYTES_MAX);
    let large = |file: usize| -> String {
        let params =
            (0..600).map(|at| format!("<param name=\"K.{file}.{at}\" value=\"{value}\"/>"));
        params.collect()
    };
    let files = 2 * SETTINGS_BYTES_MAX / (600 * VALUE_BYTES_MAX);
    let steps: String = (0..files)
        .map(|at| redirect(&format!("/{at}.xml")))
        .collect();
    let mut world = phone().file("device/7c2f80123456.xml", single(&steps));
    for at in 0..files {
        world.serve(
            &format!("{at}.xml"),
            single(&format!("<nvm>{}</nvm>", large(at))),
        );
    }
    let world = world.boot();
    assert!(world.reached(Limit::SettingsBytes));
    let applied = world.count(|kind| matches!(kind, EventKind::Applied { .. }));
    assert!(applied > 1 && applied < files, "{applied} of {files}");
    let last = format!("K.{}.0", files - 1);
    assert_eq!(world.held(&last).as_deref(), Some(value.as_str()));
}
