//! The tasks that a changed configuration starts.

use super::site::{Site, again, phone, phone_of};
use super::*;
use crate::event::BootCause;
use crate::phone::stand::Stand;

const URL: &str = "http://10.0.0.2/X4/$mac.cfg";

/// A phone that was given this device file by a site that has these resources.
fn given(text: &str, files: &[(&str, &[u8])]) -> (Stand, Site) {
    let mut site = Site::new(&[(DEVICE, text)]);
    for (path, bytes) in files {
        site.put(path, bytes);
    }
    let mut stand = phone(URL).leased(&[], b"");
    site.serve(&mut stand);
    (stand, site)
}

/// The faults of resources that were refused, and what was stored.
fn refused(stand: &Stand) -> Vec<Fault> {
    let events = stand.events.iter();
    let faults = events.filter_map(|kind| match kind {
        EventKind::ResourceRefused { fault, .. } | EventKind::FirmwareRefused { fault } => {
            Some(*fault)
        }
        _ => None,
    });
    faults.collect()
}

fn stored(stand: &Stand) -> usize {
    let events = stand.events.iter();
    let kept = events.filter(|kind| {
        matches!(
            kind,
            EventKind::ResourceStored { .. } | EventKind::CertificateInstalled { .. }
        )
    });
    kept.count()
}

fn imported(stand: &Stand) -> Option<(u32, u32)> {
    stand.events.iter().find_map(|kind| match kind {
        EventKind::Imported { rows, rejected, .. } => Some((*rows, *rejected)),
        _ => None,
    })
}

fn bitmap() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [58_u32, 0, 54, 40, 1, 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.resize(58, 0);
    bytes
}

fn certificate() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.test".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

// FAN-10, FAN-11, FAN-90: each of its own, in their order, ten seconds after the configuration.
#[test]
fn starts_a_task_for_each_thing_that_the_configuration_names() {
    let text = "auto.access=http://10.0.0.2/accessList.csv\n\
                auto.pbook=http://10.0.0.2/500.csv\naccount.1.label=a\n";
    let (stand, site) = given(
        text,
        &[("/500.csv", b"n,t\na,1\n"), ("/accessList.csv", b"n,t\n")],
    );
    assert_eq!(site.asked[2..], ["/500.csv", "/accessList.csv"]);
    let paused = site.at[2] - site.at[1];
    assert!((10_000..10_500).contains(&paused), "{paused}");
    assert!(site.at[3] - site.at[2] < 1_000);
    let started = stand.events.iter().filter_map(|kind| match kind {
        EventKind::TaskStarted { task, .. } => Some(stand.shelf.urls.text(*task)),
        _ => None,
    });
    assert_eq!(started.collect::<Vec<_>>(), ["book", "access"]);
    assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
}

// FAN-09, FAN-10: a file that did not change starts nothing, one that did only what it names.
#[test]
fn starts_nothing_where_nothing_changed() {
    let book = "auto.book=http://10.0.0.2/b.csv\n";
    let (mut stand, mut site) = given(book, &[("/b.csv", b"n,t\n"), ("/g.csv", b"n,t\n")]);
    again(&mut stand, &mut site);
    assert_eq!(site.asked, [GENERAL, DEVICE]);
    site.put(GENERAL, b"account.1.label=x\n");
    again(&mut stand, &mut site);
    assert_eq!(site.asked, [GENERAL, DEVICE]);
    // Named by the file that changed, decided by the one on top of it.
    site.put(GENERAL, b"auto.book=http://10.0.0.2/g.csv\n");
    again(&mut stand, &mut site);
    assert_eq!(site.asked, [GENERAL, DEVICE, "/b.csv"]);
}

// FAN-134: protocol, port and credentials are those of the resource's own URL.
#[test]
fn gives_each_task_its_own_protocol_port_and_credentials() {
    let text = "auto.book=tftp://123:123@10.0.0.9:6969/500.vcf\n\
                auto.rules=http://u:p@10.0.0.9:8080/dialPeer.csv\n";
    let mut site = Site::new(&[(DEVICE, text)]);
    let mut stand = phone(URL).leased(&[], b"");
    site.until(&mut stand, |stand| {
        stand.sent().iter().any(|(_, to, _)| to.port() == 6_969)
    });
    let (channel, to) = stand
        .sent()
        .last()
        .map(|(channel, to, _)| (*channel, *to))
        .unwrap();
    assert_eq!(to.ip().octets(), [10, 0, 0, 9]);
    stand.datagram_from(
        [10, 0, 0, 9],
        channel,
        2_000,
        b"\0\x03\0\x01BEGIN:VCARD\nTEL:1\nEND:VCARD\n",
    );
    assert_eq!(imported(&stand), Some((1, 0)));
    site.serve(&mut stand);
    let (_, to) = *stand.opened.last().unwrap();
    assert_eq!((to.ip().octets(), to.port()), ([10, 0, 0, 9], 8_080));
    assert_eq!(site.asked.last().unwrap(), "/dialPeer.csv");
    // Credentials stay out of events.
    let urls = stand.events.iter().filter_map(|kind| match kind {
        EventKind::TaskStarted { url, .. } => Some(stand.shelf.urls.text(*url)),
        _ => None,
    });
    let urls: Vec<_> = urls.collect();
    assert_eq!(
        urls,
        [
            "tftp://10.0.0.9:6969/500.vcf",
            "http://10.0.0.9:8080/dialPeer.csv"
        ]
    );
}

// FAN-127, FAN-128, FAN-129, FAN-130, FAN-131, FAN-132, FAN-133: names.
#[test]
fn refuses_names_that_a_task_does_not_take() {
    for (key, name, taken) in [
        ("image", "x4.z", true),
        ("image", "x4.Z", true),
        ("image", "x4.bin", false),
        ("image", "z", false),
        ("book", "a.xml", true),
        ("book", "a.txt", false),
        ("etc", "sips.pem", true),
        ("etc", "a.ovpn", true),
        ("etc", "a.p12", false),
        ("logo", "background.bmp", true),
        ("logo", "logo.bmp", false),
        ("logo", "background.png", false),
        ("mmiset", "mmiset6_SpanishT20131206171925.z", true),
        ("mmiset", "x.mmiset", false),
        ("rules", "dialPeer.csv", true),
        ("rules", "dialpeer.csv", false),
        ("rules", "dialPeer.x.csv", false),
        ("access", "accessList.csv", true),
        ("access", "list.csv", false),
    ] {
        let text = format!("auto.{key}=http://10.0.0.2/{name}\n");
        let (stand, site) = given(&text, &[]);
        assert_eq!(site.asked.len() == 3, taken, "{name}");
        let refused = refused(&stand).contains(&Fault::NameRefused);
        assert_eq!(refused, !taken, "{name}");
    }
}

// FAN-12, FAN-132, FAN-133: what the model does not have; nothing has failed then.
#[test]
fn refuses_what_the_model_does_not_have() {
    let lines = "[tasks.other]\nsetting = \"auto.other\"\nholds = \"background\"\nrefused = true\n";
    let mut stand = phone_of(lines, &[(Param::ServerUrl, URL)]).leased(&[], b"");
    let mut site = Site::new(&[(DEVICE, "auto.other=http://10.0.0.2/background.bmp\n")]);
    site.serve(&mut stand);
    assert_eq!(site.asked, [GENERAL, DEVICE]);
    assert_eq!(refused(&stand), [Fault::KindRefused]);
    assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
}

// FAN-127 … FAN-133, FAN-135: what each resource must be.
#[test]
fn takes_only_what_each_resource_has_to_be() {
    let page = b"<html><body>not found</body></html>".as_slice();
    let pem = certificate();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (task, name, bytes, fault) in [
        ("book", "b.xml", b"<a><b>1</b></a>".as_slice(), None),
        ("book", "b.xml", b"<a><b>", Some(Fault::BadXml)),
        ("book", "b.csv", page, Some(Fault::WrongFormat)),
        ("etc", "a.crt", pem.as_bytes(), None),
        ("etc", "a.pem", pem.as_bytes(), None),
        ("etc", "a.pem", key.as_bytes(), None),
        ("etc", "a.crt", b"junk", Some(Fault::BadCertificate)),
        ("etc", "a.ovpn", b"remote vpn.test", None),
        ("etc", "a.ovpn", page, Some(Fault::WrongFormat)),
        ("etc", "a.key", b"", Some(Fault::WrongFormat)),
        ("logo", "background.bmp", &bitmap(), None),
        ("logo", "background.bmp", b"BM", Some(Fault::WrongFormat)),
        ("mmiset", "m.z", b"\x1f\x9d..", None),
        ("mmiset", "m.z", page, Some(Fault::NotAnImage)),
        ("rules", "dialPeer.csv", b"a,b\n1,2\n", None),
        ("rules", "dialPeer.csv", page, Some(Fault::WrongFormat)),
        ("access", "accessList.csv", b"", Some(Fault::WrongFormat)),
        ("image", "x.z", page, Some(Fault::NotAnImage)),
        ("image", "x.z", b"", Some(Fault::NotAnImage)),
    ] {
        let text = format!("auto.{task}=http://10.0.0.2/{name}\n");
        let (stand, _) = given(&text, &[(&format!("/{name}"), bytes)]);
        let faults: Vec<Fault> = fault.into_iter().collect();
        assert_eq!(refused(&stand), faults, "{name} {bytes:?}");
        assert_eq!(
            stored(&stand),
            usize::from(fault.is_none()),
            "{name} {bytes:?}"
        );
        let end = match fault {
            None => RunResult::Complete,
            Some(_) => RunResult::Partial,
        };
        assert!(stand.has(EventKind::RunEnded(end)), "{name} {bytes:?}");
    }
}

// FAN-135
#[test]
fn tells_what_came_of_an_import() {
    let table = "Index,Name,Access Code\r\n1,豆豆,123456789\r\n2,short\r\n,,\r\n";
    let text = "auto.access=http://10.0.0.2/accessList.csv\n";
    let (stand, _) = given(text, &[("/accessList.csv", table.as_bytes())]);
    assert_eq!(imported(&stand), Some((1, 2)));
}

// FAN-11: one that cannot be had holds up none of the others.
#[test]
fn goes_on_after_a_task_that_failed() {
    let text = "auto.book=http://10.0.0.2/gone.csv\nauto.access=http://[::1]/accessList.csv\n\
                auto.rules=http://10.0.0.2/dialPeer.csv\n";
    let (stand, site) = given(text, &[("/dialPeer.csv", b"a,b\n")]);
    assert_eq!(site.asked[2..], ["/gone.csv", "/dialPeer.csv"]);
    assert_eq!(stored(&stand), 1);
    let (step, fault) = (StepId::RESOURCE, Fault::BadTarget);
    assert!(stand.has(EventKind::GaveUp { step, fault }));
    assert!(stand.has(EventKind::RunEnded(RunResult::Partial)));
}

/// Lets the phone flash and boot, and serves the run that follows.
fn boot(stand: &mut Stand, site: &mut Site) {
    stand.lease(&[], b"");
    site.serve(stand);
}

// FAN-16, FAN-126: another image is installed and booted once, the same one never again.
#[test]
fn installs_an_image_whose_digest_is_new() {
    let text = "auto.image=http://10.0.0.2/62.z\n";
    let (mut stand, mut site) = given(text, &[("/62.z", b"\x01image one")]);
    let installing = |stand: &Stand| {
        stand.events.iter().find_map(|kind| match kind {
            EventKind::FirmwareInstalling { version, .. } => Some(*version),
            _ => None,
        })
    };
    let version = installing(&stand).expect("an installation");
    let digest = stand.shelf.urls.text(version).to_owned();
    assert_eq!(digest.len(), 32);
    stand.events.clear();
    site.asked.clear();
    boot(&mut stand, &mut site);
    assert!(stand.has(EventKind::Booting(BootCause::Firmware)));
    assert!(stand.has(EventKind::FirmwareInstalled { version }));
    assert_eq!(
        stand.phone.flash().firmware.as_deref(),
        Some(digest.as_str())
    );
    // The configuration did not change: nothing is downloaded twice.
    assert_eq!(site.asked, [GENERAL, DEVICE]);
    // It changes, the image does not.
    site.put(DEVICE, format!("{text}account.1.label=x\n").as_bytes());
    again(&mut stand, &mut site);
    assert_eq!(site.asked.last().unwrap(), "/62.z");
    assert!(stand.has(EventKind::FirmwareCurrent) && installing(&stand).is_none());
    // Both do.
    site.put("/62.z", b"\x01image two");
    site.put(DEVICE, format!("{text}account.1.label=y\n").as_bytes());
    again(&mut stand, &mut site);
    assert!(installing(&stand).is_some_and(|other| other != version));
}

// FAN-126: what the phone says that it runs.
#[test]
fn calls_an_image_by_the_version_in_its_name() {
    let name = "x62.14.0.7386T20210730173312.z";
    let text = format!("auto.image=http://10.0.0.2/{name}\n");
    let (mut stand, mut site) = given(&text, &[(&format!("/{name}"), b"\x01image")]);
    boot(&mut stand, &mut site);
    assert_eq!(stand.phone.flash().firmware.as_deref(), Some("2.14.0.7386"));
}

// FAN-126: power fails while the image is written; the next one counts.
#[test]
fn installs_an_image_again_that_never_came_to_run() {
    let text = "auto.image=http://10.0.0.2/62.z\n";
    let (mut stand, mut site) = given(text, &[("/62.z", b"\x01image one")]);
    stand.input(Input::PowerCut);
    assert_eq!(stand.phone.flash().firmware, None);
    site.put(DEVICE, format!("{text}account.1.label=x\n").as_bytes());
    stand.events.clear();
    stand.power(&[], b"");
    site.serve(&mut stand);
    let installing = |kind: &EventKind| matches!(kind, EventKind::FirmwareInstalling { .. });
    assert!(stand.events.iter().any(installing));
}

// FAN-126: the digest decides, not the name.
#[test]
fn installs_another_image_of_the_same_name() {
    let text = "auto.image=http://10.0.0.2/x62.14.0.1.z\n";
    let (mut stand, mut site) = given(text, &[("/x62.14.0.1.z", b"\x01one")]);
    boot(&mut stand, &mut site);
    for (image, installed) in [(b"\x01one", false), (b"\x01two", true)] {
        site.put("/x62.14.0.1.z", image);
        let label = format!("{text}account.1.label={installed}\n");
        site.put(DEVICE, label.as_bytes());
        again(&mut stand, &mut site);
        let installing = |kind: &EventKind| matches!(kind, EventKind::FirmwareInstalling { .. });
        assert_eq!(stand.events.iter().any(installing), installed);
    }
}
