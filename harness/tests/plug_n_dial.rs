//! The Plug-n-Dial page, clause by clause, on the wire of a simulated network.

#[path = "world/world.rs"]
#[expect(
    dead_code,
    reason = "each file of tests uses its own part of the world"
)]
mod world;

use std::time::Duration;

use bootstorm_emulator::event::{BootCause, EventKind, Fault, Limit, RunResult, Trigger};
use bootstorm_emulator::profile::{Param, StepId};
use world::{Fate, PLUG_MAC, World, data, md5_hex, rrq_name};

const PHONE: &str = "plug-n-dial/bva8051";
const HTTP_PHONE: &str = "plug-n-dial/lr8051s-http";
const TXT: &str = "/000b/820c/000b820c2371.txt";
const MD5: &str = "/000b/820c/000b820c2371.md5";
const VERSION: &str = "/firmware/leadtek/BVA8051/currentversion.txt";
const CONFIG: &[u8] = b"sip_server=\"sip.example.org\"\nsip_server_port=5060\n";
const OTHER: &[u8] = b"sip_server=\"other.example.org\"\n";
const CURRENT: &[u8] = b"version=\"1.0.0\"\nImage_file=\"old.bin\"\n";

fn rrq(name: &str) -> String {
    format!("RRQ {name}")
}

/// A phone that learns its server by option 66 and a server with a configuration.
fn world() -> World {
    World::new(PHONE)
        .option(66, "10.0.0.2")
        .file(TXT, CONFIG)
        .file(MD5, md5_hex(CONFIG))
}

/// A phone that has loaded `CONFIG` and rests.
fn loaded() -> World {
    let mut world = world().file(VERSION, CURRENT).boot();
    assert_eq!(world.held("sip_server").as_deref(), Some("sip.example.org"));
    world.forget();
    world
}

fn applied(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Applied { .. })
}

// PND-02, PND-03, PND-04, PND-05, PND-06, PND-07, PND-09, PND-10, PND-11, PND-12, PND-13, PND-19,
// PND-20, PND-32: checksum, configuration, soft reboot without DHCP, checksum, version.
#[test]
fn walks_the_two_steps_in_the_order_of_the_page() {
    let world = world().file(VERSION, CURRENT).boot();
    let expected = [
        "DISCOVER".to_owned(),
        "REQUEST".to_owned(),
        rrq(MD5),
        rrq(TXT),
        rrq(MD5),
        rrq(VERSION),
    ];
    assert_eq!(world.asked(), expected);
    assert_eq!(world.count(|kind| *kind == EventKind::SoftRebooting), 1);
    assert!(world.has(EventKind::RunStarted(Trigger::SoftReboot)));
    assert!(world.has(EventKind::FirmwareCurrent));
    assert!(world.has(EventKind::RunEnded(RunResult::Complete)));
    assert_eq!(world.held("sip_server_port").as_deref(), Some("5060"));
}

// PND-02, PND-10, PND-12, PND-16, PND-17, PND-18, PND-33: both changed; the image comes in the pass
// after the soft reboot, and a reboot (with DHCP) leads back to the checksum.
#[test]
fn updates_the_firmware_after_the_configuration_and_begins_again() {
    let image = [b'B'; 1_300];
    let world = world()
        .file(
            VERSION,
            "version=2.0\nImage_file=\"some_file_format.bin\"\n",
        )
        .file("/firmware/leadtek/BVA8051/some_file_format.bin", image)
        .boot();
    let expected = [
        "DISCOVER".to_owned(),
        "REQUEST".to_owned(),
        rrq(MD5),
        rrq(TXT),
        rrq(MD5),
        rrq(VERSION),
        rrq("/firmware/leadtek/BVA8051/some_file_format.bin"),
        "DISCOVER".to_owned(),
        "REQUEST".to_owned(),
        rrq(MD5),
        rrq(VERSION),
    ];
    assert_eq!(world.asked(), expected);
    assert_eq!(world.firmware(), Some("2.0"));
    assert!(world.has(EventKind::Booting(BootCause::Firmware)));
    assert_eq!(
        world.count(|kind| matches!(kind, EventKind::FirmwareInstalling { bytes: 1_300, .. })),
        1
    );
}

// PND-08, PND-19: unchanged since the last boot; the configuration is not asked for.
#[test]
fn skips_an_unchanged_configuration_at_the_next_boot() {
    let mut world = loaded();
    world.reboot();
    assert_eq!(world.files(), [MD5, VERSION]);
    assert!(!world.any(applied));
}

// PND-09, PND-22: what counts is the configuration loaded, not the checksum file seen last.
#[test]
fn loads_a_configuration_whose_checksum_differs() {
    let mut world = loaded();
    world.serve(TXT, OTHER);
    world.serve(MD5, md5_hex(OTHER));
    world.reboot();
    assert_eq!(world.files(), [MD5, TXT, MD5, VERSION]);
    assert_eq!(
        world.held("sip_server").as_deref(),
        Some("other.example.org")
    );
    // PND-10: the new file is the whole configuration.
    assert_eq!(world.held("sip_server_port"), None);
}

// PND-22: a checksum that was seen but whose file was never loaded is not "unchanged".
#[test]
fn asks_again_for_a_file_that_was_announced_and_not_loaded() {
    let mut world = loaded();
    world.serve(MD5, md5_hex(OTHER));
    world.remove(TXT);
    world.reboot();
    assert_eq!(world.files(), [MD5, TXT, VERSION]);
    world.serve(TXT, OTHER);
    world.reboot();
    assert_eq!(world.files(), [MD5, TXT, MD5, VERSION]);
}

// PND-23: the file does not fit its checksum: never loaded, no soft reboot, step 2 follows.
#[test]
fn refuses_a_configuration_that_does_not_fit_its_checksum() {
    let mut world = world()
        .file(MD5, md5_hex(OTHER))
        .file(VERSION, CURRENT)
        .boot();
    assert_eq!(world.files(), [MD5, TXT, VERSION]);
    let step = StepId::fetch(1);
    let fault = Fault::ChecksumMismatch;
    assert!(world.has(EventKind::Wrong { step, fault }));
    assert!(!world.has(EventKind::SoftRebooting));
    assert!(!world.any(applied));
    assert_eq!(world.held("sip_server"), None);
    world.forget();
    world.run_seconds(7_200);
    assert_eq!(world.asked(), Vec::<String>::new());
}

// PND-21: every form that a checksum file may take.
#[test]
fn reads_every_form_of_a_checksum_file() {
    use md5::{Digest as _, Md5};
    let hex = md5_hex(CONFIG);
    let raw: [u8; 16] = Md5::digest(CONFIG).into();
    let forms: [Vec<u8>; 5] = [
        hex.clone().into_bytes(),
        format!("{hex}\n").into_bytes(),
        format!("{hex}  {PLUG_MAC}.txt\r\n").into_bytes(),
        hex.to_ascii_uppercase().into_bytes(),
        raw.to_vec(),
    ];
    for form in forms {
        let world = world().file(MD5, &form).boot();
        assert_eq!(world.count(applied), 1, "{form:?}");
        let asked = world.files();
        assert_eq!(asked[..3], [MD5, TXT, MD5], "{form:?}");
    }
}

// PND-24: no checksum: a fresh phone tries the configuration, a configured one keeps its own.
#[test]
fn without_a_checksum_only_an_empty_phone_asks_for_the_configuration() {
    let mut world = World::new(PHONE)
        .option(66, "10.0.0.2")
        .file(TXT, CONFIG)
        .file(VERSION, CURRENT)
        .boot();
    assert_eq!(world.files(), [MD5, TXT, MD5, VERSION]);
    world.serve(TXT, OTHER);
    world.reboot();
    assert_eq!(world.files(), [MD5, VERSION]);
    assert_eq!(world.held("sip_server").as_deref(), Some("sip.example.org"));
}

// PND-25: the configuration is missing: the old one stays, step 2, again at the next boot.
#[test]
fn keeps_the_old_configuration_when_the_new_one_is_missing() {
    let mut world = loaded();
    world.serve(MD5, md5_hex(OTHER));
    world.remove(TXT);
    for _ in 0..2 {
        world.reboot();
        assert_eq!(world.files(), [MD5, TXT, VERSION]);
        assert!(!world.has(EventKind::SoftRebooting));
    }
    assert_eq!(world.held("sip_server").as_deref(), Some("sip.example.org"));
}

// PND-28: neither a missing version file nor a missing image keeps a phone from its service.
#[test]
fn goes_on_without_version_file_or_image() {
    let mut world = world().boot();
    assert_eq!(world.files(), [MD5, TXT, MD5, VERSION]);
    assert!(world.phone.is_settled());
    world.serve(VERSION, "version=2.0\nImage_file=gone.bin\n");
    world.reboot();
    let image = "/firmware/leadtek/BVA8051/gone.bin";
    assert_eq!(world.files(), [MD5, VERSION, image]);
    assert!(world.has(EventKind::FirmwareRefused {
        fault: Fault::NotThere
    }));
    assert_eq!(world.firmware(), None);
    assert_eq!(world.held("sip_server").as_deref(), Some("sip.example.org"));
}

// PND-14, PND-15, PND-27: a version, information of the manufacturer, and two parts: both are
// fetched in file order, with one update and one reboot.
#[test]
fn fetches_every_part_of_the_firmware_before_one_reboot() {
    let mut world = loaded();
    world.serve(
        VERSION,
        "# OEM\nsupport=\"www.example.org\"\nVERSION=\"3.1\"\nImage_file=\"a.bin\"\n\
         Prom_file=\"b.blah\"\n",
    );
    world.serve("/firmware/leadtek/BVA8051/a.bin", [1; 600]);
    world.serve("/firmware/leadtek/BVA8051/b.blah", [2; 400]);
    world.reboot();
    let expected = [
        MD5,
        VERSION,
        "/firmware/leadtek/BVA8051/a.bin",
        "/firmware/leadtek/BVA8051/b.blah",
        MD5,
        VERSION,
    ];
    assert_eq!(world.files(), expected);
    assert_eq!(world.firmware(), Some("3.1"));
    assert_eq!(
        world.count(|kind| matches!(kind, EventKind::Booting(BootCause::Firmware))),
        1
    );
    assert!(world.any(|kind| matches!(kind, EventKind::FirmwareInstalling { bytes: 1_000, .. })));
}

// PND-27: one part missing: nothing is installed.
#[test]
fn installs_nothing_when_a_part_of_the_firmware_is_missing() {
    let mut world = loaded();
    world.serve(VERSION, "version=3\nImage_file=a.bin\nProm_file=b.bin\n");
    world.serve("/firmware/leadtek/BVA8051/a.bin", [1; 600]);
    world.reboot();
    assert_eq!(world.firmware(), None);
    assert!(!world.any(|kind| matches!(kind, EventKind::FirmwareInstalling { .. })));
}

// PND-26: without a version key the image's name is the version; an older one is a change too.
#[test]
fn takes_the_image_name_for_a_version_and_allows_a_downgrade() {
    let mut world = loaded();
    world.serve("/firmware/leadtek/BVA8051/v2.bin", [2; 100]);
    world.serve("/firmware/leadtek/BVA8051/v1.bin", [1; 100]);
    for name in ["v2.bin", "v1.bin"] {
        world.serve(VERSION, format!("Image_file=\"{name}\"\n"));
        world.reboot();
        assert_eq!(world.firmware(), Some(name));
    }
    world.reboot();
    assert_eq!(world.files(), [MD5, VERSION]);
    assert!(world.has(EventKind::FirmwareCurrent));
}

// PND-13, PND-16, PND-29: one path element is the model as printed, and an update that is switched
// off is none.
#[test]
fn decides_by_the_version_file_whether_to_update() {
    let mut world = loaded();
    world.serve(VERSION, "version=9\nImage_file=nine.bin\n");
    world.serve("/firmware/leadtek/BVA8051/nine.bin", [b'N'; 100]);
    world.set(Param::UpgradeEnable, "0");
    world.reboot();
    assert_eq!(world.files(), [MD5, VERSION]);
    world.set(Param::UpgradeEnable, "1");
    world.reboot();
    assert_eq!(
        world.files(),
        [
            MD5,
            VERSION,
            "/firmware/leadtek/BVA8051/nine.bin",
            MD5,
            VERSION
        ]
    );
}

// PND-07, PND-31: the read request, byte by byte: leading slash, octet, no options.
#[test]
fn writes_read_requests_without_options() {
    let world = world().boot();
    let first = world.read_requests()[0];
    assert_eq!(
        first.bytes,
        b"\x00\x01/000b/820c/000b820c2371.md5\x00octet\x00"
    );
    assert_eq!(first.peer.to_string(), "10.0.0.2:69");
    for request in world.read_requests() {
        assert!(request.bytes.ends_with(b"\x00octet\x00"));
    }
}

// PND-31: five tries, five seconds apart, from one port; then the phone gives up and rests.
#[test]
fn asks_a_silent_server_five_times() {
    let world = world()
        .filter(|packet| match packet.peer.port() {
            69 => Fate::Lose,
            _ => Fate::Pass,
        })
        .boot();
    let tries: Vec<_> = world
        .read_requests()
        .into_iter()
        .filter(|packet| rrq_name(packet).as_deref() == Some(MD5))
        .collect();
    assert_eq!(tries.len(), 5);
    for pair in tries.windows(2) {
        assert_eq!(pair[1].at - pair[0].at, Duration::from_secs(5));
        assert_eq!(pair[1].lane, pair[0].lane);
        assert_eq!(pair[1].bytes, pair[0].bytes);
    }
    assert!(world.has(EventKind::GaveUp {
        step: StepId::fetch(0),
        fault: Fault::Silence
    }));
}

// PND-31: checks at boot only.
#[test]
fn asks_nothing_between_boots() {
    let mut world = loaded();
    world.run_seconds(6 * 3_600);
    assert_eq!(world.files(), Vec::<String>::new());
    world.notify("check-sync", 1);
    world.run_seconds(60);
    assert_eq!(world.files(), Vec::<String>::new());
    assert!(world.has(EventKind::SipAnswered { status: 489 }));
}

// PND-20: option 66 first, a configured address where it gives none.
#[test]
fn falls_back_on_the_configured_address() {
    let world = World::new(PHONE)
        .web(Param::ServerUrl, "10.0.0.9")
        .file(TXT, CONFIG)
        .file(MD5, md5_hex(CONFIG))
        .boot();
    assert_eq!(world.files()[..2], [MD5, TXT]);
    assert_eq!(world.read_requests()[0].peer.ip().to_string(), "10.0.0.9");
    let world = World::new(PHONE)
        .option(66, "10.0.0.2")
        .web(Param::ServerUrl, "10.0.0.9")
        .boot();
    let requests = world.read_requests();
    assert!(!requests.is_empty());
    assert!(
        requests
            .iter()
            .all(|packet| packet.peer.ip().to_string() == "10.0.0.2")
    );
}

// PND-30: the grammar of the configuration.
#[test]
fn reads_values_with_and_without_quotes_and_comments() {
    let text = b"# a comment\nsip_server=\"a b\"\nlocal_rtp_port=4000\ncodec3=g729\n";
    let world = world().file(TXT, text).file(MD5, md5_hex(text)).boot();
    assert_eq!(world.held("sip_server").as_deref(), Some("a b"));
    assert_eq!(world.held("local_rtp_port").as_deref(), Some("4000"));
    assert_eq!(world.held("codec3").as_deref(), Some("g729"));
}

// PND-23, PND-10: a server whose checksum and configuration differ at every read makes an endless
// loop of soft reboots by the text; the phone ends it and says why.
#[test]
fn ends_an_endless_loop_of_soft_reboots() {
    let mut reads = 0_u32;
    let world = world()
        .filter(move |packet| {
            let Some(name) = rrq_name(packet) else {
                return Fate::Pass;
            };
            let text = |number: u32| format!("sip_server=s{number}\n");
            if name == MD5 {
                reads += 1;
                let checksum = md5_hex(text(reads).as_bytes());
                return Fate::Instead(vec![(30_001, data(1, checksum.as_bytes()))]);
            }
            if name == TXT {
                return Fate::Instead(vec![(30_002, data(1, text(reads).as_bytes()))]);
            }
            Fate::Pass
        })
        .boot();
    assert!(world.reached(Limit::Reboots));
    assert_eq!(world.count(|kind| *kind == EventKind::SoftRebooting), 8);
    assert!(world.has(EventKind::RunEnded(RunResult::Partial)));
    assert!(world.phone.is_settled());
}

// PND-01, PND-30: the HTTP sibling: the request line with the model and the MAC, and its fields.
#[test]
fn asks_the_http_sibling_with_model_and_mac() {
    let world = World::new(HTTP_PHONE)
        .option(66, "10.0.0.2")
        .file(
            "LR8051S/app?class=LR8051S;mac_address=000b820c2371",
            "sip_server=\"sip.example.org\"\nsip_server_port=\"5061\"\n",
        )
        .boot();
    let request = world.up().find(|packet| packet.peer.port() == 80).unwrap();
    let text = String::from_utf8(request.bytes.clone()).unwrap();
    assert_eq!(
        text,
        "GET /LR8051S/app?class=LR8051S;mac_address=000b820c2371 HTTP/1.1\r\n\
         Host: 10.0.0.2\r\n\
         User-Agent: leadtek LR8051S 1.0.0\r\n\
         Accept: */*\r\n\r\n"
    );
    assert_eq!(
        world.files(),
        [
            "/LR8051S/app?class=LR8051S;mac_address=000b820c2371",
            "/firmware/leadtek/LR8051S/currentversion.txt"
        ]
    );
    assert_eq!(world.held("sip_server_port").as_deref(), Some("5061"));
    assert!(!world.has(EventKind::SoftRebooting));
}

// PND-01: the answer's other two forms: elements, and an encrypted profile, which is an error.
#[test]
fn reads_the_answer_as_elements_and_reports_an_encrypted_one() {
    let path = "LR8051S/app?class=LR8051S;mac_address=000b820c2371";
    let elements = "<?xml version=\"1.0\"?>\n<flat-profile>\n<sip_server>sip.example.org</sip_server>\n\
                    <codec3>g729</codec3>\n</flat-profile>\n";
    let world = World::new(HTTP_PHONE)
        .option(66, "http://10.0.0.2/")
        .file(path, elements)
        .boot();
    assert_eq!(world.held("sip_server").as_deref(), Some("sip.example.org"));
    assert_eq!(world.held("codec3").as_deref(), Some("g729"));
    let blob = "0011aabbccddeeff".repeat(16);
    let sealed =
        format!("<flat-profile><ENC>{blob}</ENC><sessionData>x</sessionData></flat-profile>");
    let world = World::new(HTTP_PHONE)
        .option(66, "10.0.0.2")
        .file(path, sealed)
        .boot();
    let step = StepId::fetch(0);
    let fault = Fault::Encrypted;
    assert!(world.has(EventKind::Wrong { step, fault }));
    assert!(!world.any(applied));
    assert!(world.phone.is_settled());
}

// PND-01: the HTTPS sibling asks the same on port 443.
#[test]
fn asks_the_https_sibling_on_its_port() {
    let world = World::new("plug-n-dial/lr8051s-https")
        .option(66, "10.0.0.2")
        .file(
            "LR8051S/app?class=LR8051S;mac_address=000b820c2371",
            "sip_server=a\n",
        )
        .boot();
    let request = world.up().find(|packet| packet.peer.port() == 443).unwrap();
    assert!(request.bytes.starts_with(b"GET /LR8051S/app?class="));
    assert_eq!(world.held("sip_server").as_deref(), Some("a"));
}
