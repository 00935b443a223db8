//! Module files: versions, keys, and what is tolerated.

use super::site::{Site, again, applied, modules_phone};
use super::*;
use crate::event::Tolerance;
use crate::firmware::digest_text;
use crate::format::sealed::{self, Cipher, Seal};
use crate::phone::stand::Stand;

const URL: &str = "http://10.0.0.2/X4/$mac.cfg";
const KEY: [u8; 32] = [0xa5; 32];
const OTHER: [u8; 32] = [0x5a; 32];

/// A file of one option with this version.
fn file(version: &str, value: &str) -> Vec<u8> {
    let head = format!("<<VOIP CONFIG FILE>>Version:{version}");
    let body = format!("<GLOBAL CONFIG MODULE>\r\nTime Zone          :{value}\r\n");
    format!("{head:<62}\r\n\r\n{body}\r\n<<END OF FILE>>\r\n").into_bytes()
}

fn sealed(key: [u8; 32], plain: &[u8]) -> Vec<u8> {
    let cipher = Cipher::Ecb;
    sealed::seal(&Seal { cipher, key }, plain, [0; 16])
}

fn hex(key: [u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// What the web page shows for a kind of file.
fn shown(stand: &Stand, step: StepId) -> Option<String> {
    let version = stand.phone.flash().version(File::Step(step))?;
    let told = |kind: &EventKind| {
        matches!(kind, EventKind::VersionShown { file, version: told }
            if *file == File::Step(step) && *told == version)
    };
    assert!(stand.events.iter().any(told));
    Some(stand.shelf.urls.text(version).to_owned())
}

// FAN-30, FAN-142: the text of the header, or the digest of a file without one; each kind its own.
#[test]
fn shows_the_version_of_each_kind_of_file() {
    let device = file("", "2");
    let mut site = Site::default();
    site.put(GENERAL, &file("2.0002", "1"));
    site.put(DEVICE, &device);
    let mut stand = modules_phone(&[(Param::ServerUrl, URL)]).leased(&[], b"");
    site.serve(&mut stand);
    assert_eq!(stand.setting("global.time zone"), "2");
    assert_eq!(shown(&stand, FIRST).as_deref(), Some("2.0002"));
    let digest = stand.phone.flash().digest(File::Step(SECOND)).unwrap();
    assert_eq!(shown(&stand, SECOND), Some(digest_text(digest)));
    // What is not taken over is not shown.
    site.put(GENERAL, b"<html></html>");
    again(&mut stand, &mut site);
    let version = stand.phone.flash().version(File::Step(FIRST)).unwrap();
    assert_eq!(stand.shelf.urls.text(version), "2.0002");
}

// FAN-138: the bytes decide, or where the switch is on the version text.
#[test]
fn goes_by_the_version_text_where_it_is_told_to() {
    for (switch, taken) in [("0", true), ("1", false)] {
        let fields = [(Param::ServerUrl, URL), (Param::VersionDecides, switch)];
        let mut stand = modules_phone(&fields).leased(&[], b"");
        let mut site = Site::default();
        site.put(DEVICE, &file("1.0", "1"));
        site.serve(&mut stand);
        assert_eq!(applied(&stand).len(), 1);
        // Other bytes of the same version.
        site.put(DEVICE, &file("1.0", "2"));
        again(&mut stand, &mut site);
        assert_eq!(applied(&stand).len() == 1, taken, "{switch}");
        // Another version, newer or older.
        for version in ["1.1", "0.9"] {
            site.put(DEVICE, &file(version, "2"));
            again(&mut stand, &mut site);
            assert_eq!(applied(&stand).len(), 1, "{switch} {version}");
        }
        // Without a version text the bytes decide in either case.
        for value in ["3", "4"] {
            site.put(DEVICE, &file("", value));
            again(&mut stand, &mut site);
            assert_eq!(stand.setting("global.time zone"), value, "{switch}");
        }
        again(&mut stand, &mut site);
        assert!(applied(&stand).is_empty(), "{switch}");
    }
}

// FAN-42, FAN-43, FAN-45, FAN-46: each kind has a key of its own; they may change places.
#[test]
fn reads_each_kind_of_file_with_its_own_key() {
    let (key, other) = (hex(KEY), hex(OTHER));
    for (swapped, general, device) in [("0", OTHER, KEY), ("1", KEY, OTHER)] {
        let mut site = Site::default();
        site.put(GENERAL, &sealed(general, &file("1", "1")));
        site.put(DEVICE, &sealed(device, &file("2", "2")));
        let fields = [
            (Param::ServerUrl, URL),
            (Param::DeviceKey, key.as_str()),
            (Param::CommonKey, other.as_str()),
            (Param::KeysSwapped, swapped),
        ];
        let mut stand = modules_phone(&fields).leased(&[], b"");
        site.serve(&mut stand);
        assert_eq!(applied(&stand).len(), 2, "{swapped}");
        assert_eq!(stand.setting("global.time zone"), "2");
        // FAN-09: the bytes as they came are what is compared.
        again(&mut stand, &mut site);
        assert!(applied(&stand).is_empty(), "{swapped}");
    }
}

// FAN-44, FAN-48: what cannot be read is not applied, and each reason is told.
#[test]
fn applies_nothing_that_it_cannot_decrypt() {
    let plain = file("1", "1");
    let whole = sealed(KEY, &plain);
    let cut = &whole[..whole.len() - 5];
    let key = hex(KEY);
    for (key, bytes, fault) in [
        (key.as_str(), plain.as_slice(), None),
        (key.as_str(), &sealed(OTHER, &plain), Some(Fault::WrongKey)),
        (key.as_str(), cut, Some(Fault::BadCiphertext)),
        ("", &whole, Some(Fault::Encrypted)),
    ] {
        let fields = [(Param::ServerUrl, URL), (Param::DeviceKey, key)];
        let mut stand = modules_phone(&fields).leased(&[], b"");
        let mut site = Site::default();
        site.put(DEVICE, bytes);
        site.serve(&mut stand);
        assert!(applied(&stand).is_empty(), "{fault:?}");
        assert_eq!(stand.phone.flash().digest(File::Step(SECOND)), None);
        let told = stand.events.iter().find_map(|kind| match kind {
            EventKind::Wrong {
                step: SECOND,
                fault,
            } => Some(*fault),
            _ => None,
        });
        assert!(
            told.is_some() && fault.is_none_or(|fault| told == Some(fault)),
            "{told:?}"
        );
        assert!(stand.has(EventKind::RunEnded(RunResult::NothingFetched)));
    }
}

// FAN-28, FAN-31, FAN-38: read all the same, and told once it is taken over.
#[test]
fn tells_what_it_tolerated() {
    let mut site = Site::default();
    site.put(DEVICE, b"<GLOBAL CONFIG MODULE>\r\nTime Zone :7\r\n");
    let mut stand = modules_phone(&[(Param::ServerUrl, URL)]).leased(&[], b"");
    site.serve(&mut stand);
    assert_eq!(stand.setting("global.time zone"), "7");
    let file = File::Step(SECOND);
    for tolerance in [Tolerance::NoHeader, Tolerance::NoFooter] {
        assert!(
            stand.has(EventKind::Tolerated { file, tolerance }),
            "{tolerance:?}"
        );
    }
    again(&mut stand, &mut site);
    let told = |kind: &EventKind| matches!(kind, EventKind::Tolerated { .. });
    assert!(!stand.events.iter().any(told));
}
