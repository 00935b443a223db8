//! Tasks that a changed configuration starts.

use bootstorm_emulator::event::{BootCause, EventKind, Fault};

use crate::world::World;
use crate::{GENERAL, OWN, led, text};

/// A phone whose own file has these options of the update module.
fn with(model: &str, options: &[(&str, &str)]) -> World {
    World::new(model)
        .option(66, "tftp://10.0.0.2/$mac.cfg")
        .file(OWN, text("1", &[("AUTOUPDATE", options)]))
}

fn stored(world: &World) -> usize {
    world.count(|kind| {
        matches!(
            kind,
            EventKind::ResourceStored { .. }
                | EventKind::Imported { .. }
                | EventKind::CertificateInstalled { .. }
        )
    })
}

fn refused(world: &World) -> Vec<Fault> {
    world
        .kinds()
        .filter_map(|kind| match kind {
            EventKind::ResourceRefused { fault, .. } => Some(fault),
            _ => None,
        })
        .collect()
}

fn installed(world: &World) -> usize {
    world.count(|kind| matches!(kind, EventKind::FirmwareInstalled { .. }))
}

const IMAGE: &[u8] = b"\x7fan image";
const PBOOK: &str = "\"Ann\",\"100\"\r\n";
const ALIST: &str = "\"Ann\",\"100\",\"12345\"\r\n";

/// A picture of one pixel.
fn bmp() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [58_u32, 0, 54, 40, 1, 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.resize(58, 0);
    bytes
}

fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.test".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

// FAN-10, FAN-11, FAN-127, FAN-128, FAN-129, FAN-130, FAN-134: each its own task, after the
// configuration, by its own protocol, port and credentials.
#[test]
fn starts_a_task_for_each_url_of_a_changed_configuration() {
    let options = [
        ("Auto Pbook Url", "http://123:123@10.0.0.2:8088/500.csv"),
        ("Auto etc Url", "tftp://10.0.0.2/sips.pem"),
        ("Auto Logo Url", "tftp://10.0.0.2/background.bmp"),
    ];
    let mut world = with("fanvil/x6", &options)
        .file("500.csv", PBOOK)
        .file("sips.pem", authority())
        .file("background.bmp", bmp())
        .boot();
    let files = world.files();
    assert_eq!(files[..2], [GENERAL, OWN]);
    assert_eq!(files[2..], ["/500.csv", "sips.pem", "background.bmp"]);
    let started = |kind: &EventKind| matches!(kind, EventKind::TaskStarted { .. });
    assert_eq!(world.count(started), 3);
    assert_eq!(refused(&world), []);
    // Only a new configuration is checked for them.
    world.reboot();
    assert_eq!(world.count(started), 0);
}

// FAN-126: a digest decides; one version is installed once, another one again.
#[test]
fn installs_a_firmware_of_a_new_digest_only() {
    let options = [("Auto Image Url", "tftp://10.0.0.2/x6.z")];
    let mut world = with("fanvil/x6", &options).file("x6.z", IMAGE).boot();
    assert_eq!(installed(&world), 1);
    let booted = EventKind::Booting(BootCause::Firmware);
    assert!(world.has(booted));
    // The configuration changed, the image did not.
    let own = |note: &str| {
        let options = [options[0], ("Note", note)];
        text("1", &[("AUTOUPDATE", &options)])
    };
    world.serve(OWN, own("again"));
    world.reboot();
    assert_eq!(installed(&world), 0);
    world.serve("x6.z", b"\x7fanother image");
    world.serve(OWN, own("and again"));
    world.reboot();
    assert_eq!(installed(&world), 1);
}

// FAN-126, FAN-128, FAN-130, FAN-131: names of other kinds are refused.
#[test]
fn refuses_resources_of_other_names() {
    for (option, name) in [
        ("Auto Image Url", "x6.bin"),
        ("Auto Pbook Url", "500.txt"),
        ("Auto Etc Url", "sips.exe"),
        ("Auto Logo Url", "picture.bmp"),
        ("Auto Logo Url", "background.png"),
        ("Auto Mmiset Url", "mmiset6.mmiset"),
    ] {
        let url = format!("tftp://10.0.0.2/{name}");
        let world = with("fanvil/x6", &[(option, &url)])
            .file(name, bmp())
            .boot();
        assert_eq!(refused(&world), [Fault::NameRefused], "{name}");
        assert_eq!(stored(&world), 0, "{name}");
        assert_eq!(installed(&world), 0, "{name}");
    }
}

// FAN-126, FAN-127, FAN-128, FAN-129: every suffix that the document lists or shows, in any case.
#[test]
fn takes_resources_of_all_listed_kinds() {
    let ca = authority();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let book = "<?xml version=\"1.0\"?><PhoneBook><DirectoryEntry><Name>Ann</Name>\
                <Telephone>100</Telephone></DirectoryEntry></PhoneBook>";
    let card = "BEGIN:VCARD\r\nVERSION:2.1\r\nFN:Ann\r\nTEL:100\r\nEND:VCARD\r\n";
    for (option, name, bytes) in [
        ("Auto Pbook Url", "500.xml", book),
        ("Auto Pbook Url", "500.vcf", card),
        ("Auto Pbook Url", "500.csv", PBOOK),
        ("Auto Etc Url", "sips.bin", "\u{1}\u{2}"),
        ("Auto Etc Url", "sips.crt", &ca),
        ("Auto Etc Url", "sips.key", &key),
        ("Auto Etc Url", "sips.ovpn", "remote vpn.test"),
        ("Auto Etc Url", "sips.xml", "<a/>"),
        ("Auto Etc Url", "sips.pem", &ca),
        ("Auto Etc Url", "SIPS.PEM", &ca),
    ] {
        let url = format!("tftp://10.0.0.2/{name}");
        let world = with("fanvil/x6", &[(option, &url)])
            .file(name, bytes)
            .boot();
        assert_eq!(refused(&world), [], "{name}");
        assert!(stored(&world) > 0, "{name}");
    }
}

// FAN-131: compressed only.
#[test]
fn takes_a_compressed_mmiset() {
    let url = "tftp://10.0.0.2/mmiset6_SpanishT20131206171925.z";
    let world = with("fanvil/x6", &[("Auto Mmiset Url", url)])
        .file("mmiset6_SpanishT20131206171925.z", IMAGE)
        .boot();
    assert_eq!((stored(&world), refused(&world)), (1, vec![]));
}

// FAN-12: Android phones take neither a picture nor an mmiset.
#[test]
fn android_phones_take_no_picture_and_no_mmiset() {
    for (option, name, bytes) in [
        ("Auto Logo Url", "background.bmp", bmp()),
        ("Auto Mmiset Url", "mmiset.z", IMAGE.to_vec()),
    ] {
        let url = format!("tftp://10.0.0.2/{name}");
        for (model, expected) in [("fanvil/x6", 1), ("fanvil/c600", 0), ("fanvil/f600", 0)] {
            let world = with(model, &[(option, &url)]).file(name, &bytes).boot();
            assert_eq!(stored(&world), expected, "{model} {name}");
            assert_eq!(refused(&world).len(), 1 - expected, "{model} {name}");
        }
    }
}

// FAN-10, FAN-134: what is not there, not what its name says, or empty is told and not stored; the
// other tasks and the settings stand.
#[test]
fn tells_of_resources_that_cannot_be_used() {
    let options = [
        ("Auto Pbook Url", "tftp://10.0.0.2/500.xml"),
        ("Auto Etc Url", "tftp://10.0.0.2/sips.pem"),
        ("Auto Logo Url", "tftp://10.0.0.2/background.bmp"),
        ("Auto Image Url", "tftp://10.0.0.2/x6.z"),
    ];
    let page = "<html><body>Not found</body></html>";
    let world = with("fanvil/x6", &options)
        .file("500.xml", page)
        .file("background.bmp", "GIF89a")
        .file("x6.z", "")
        .boot();
    assert_eq!((stored(&world), installed(&world)), (0, 0));
    // The general file and the certificate.
    let missing = |kind: &EventKind| matches!(kind, EventKind::Missing { .. });
    assert_eq!(world.count(missing), 2);
    assert_eq!(refused(&world), [Fault::WrongFormat; 2]);
    let url = world.held("autoupdate.auto etc url");
    assert_eq!(url.as_deref(), Some(options[1].1));
    crate::ended(&world, bootstorm_emulator::event::RunResult::Partial);
}

// FAN-132: industry models only, by a fixed name.
#[test]
fn industry_models_take_dial_rules() {
    let option = |name: &str| format!("tftp://10.0.0.2/{name}");
    for (model, name, expected) in [
        ("fanvil/i12", "dialPeer.csv", 1),
        ("fanvil/pa2", "dialPeer.csv", 1),
        ("fanvil/i30", "dialPeer.csv", 1),
        ("fanvil/i12", "dialpeers.csv", 0),
        ("fanvil/x6", "dialPeer.csv", 0),
        ("fanvil/x4", "dialPeer.csv", 0),
    ] {
        let world = with(model, &[("Auto DPeer Url", &option(name))])
            .file(name, PBOOK)
            .boot();
        assert_eq!(refused(&world).len(), 1 - expected, "{model} {name}");
    }
}

// FAN-133, FAN-135: six models; what was imported is told.
#[test]
fn six_models_import_an_access_table() {
    let url = "tftp://10.0.0.2/accessList.csv";
    for (model, taken) in [
        ("fanvil/i31s", true),
        ("fanvil/i30", true),
        ("fanvil/i23s", true),
        ("fanvil/i20s", true),
        ("fanvil/i32v", true),
        ("fanvil/i33v", true),
        ("fanvil/i16v", false),
        ("fanvil/x6", false),
    ] {
        let world = with(model, &[("Auto AList Url", url)])
            .file("accessList.csv", ALIST)
            .boot();
        let imported = |kind: &EventKind| matches!(kind, EventKind::Imported { .. });
        assert_eq!(world.any(imported), taken, "{model}");
        assert_eq!(refused(&world).is_empty(), taken, "{model}");
    }
}

// FAN-23: one general file with a firmware URL is all that a model needs.
#[test]
fn one_general_file_upgrades_a_model() {
    let general = text(
        "1",
        &[("AUTOUPDATE", &[("Auto Image Url", "http://10.0.0.2/x6.z")])],
    );
    let world = led("tftp://10.0.0.2/")
        .file(GENERAL, general)
        .file("x6.z", IMAGE)
        .boot();
    assert_eq!(installed(&world), 1);
}
