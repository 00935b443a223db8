//! Many phones that are given the same files.

use super::site::{Site, phone};
use super::*;
use crate::phone::stand::Stand;
use crate::shelf::Shelf;

const PHONES: usize = 1_000;
const IMAGE_BYTES: usize = 400_000;

/// Lets a phone of a fleet do something with what all of them share.
fn with<T>(stand: &mut Stand, shelf: &mut Shelf, act: impl FnOnce(&mut Stand) -> T) -> T {
    std::mem::swap(&mut stand.shelf, shelf);
    let done = act(stand);
    std::mem::swap(&mut stand.shelf, shelf);
    done
}

/// Bytes that do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(next).take(length).collect();
    bytes[0] = 1;
    bytes
}

// FAN-23: with only the general file on the server, a thousand phones are upgraded; the image is
// held once while all of them fetch it, so it is hashed once, and once afterwards.
#[test]
fn upgrades_a_thousand_phones_with_one_general_file() {
    let name = "/X62.4.5.2.z";
    let general = format!("auto.image=http://10.0.0.2{name}\n");
    let image = noise(IMAGE_BYTES);
    let first = phone("http://10.0.0.2/$mac.cfg");
    let mut shelf = Shelf::new(first.shelf.profiles.clone());
    let mut fleet = Vec::new();
    for _ in 0..PHONES {
        let mut site = Site::new(&[("/F0.cfg", &general)]);
        site.silent = vec![name.to_owned()];
        let mut stand = phone("http://10.0.0.2/$mac.cfg");
        with(&mut stand, &mut shelf, |stand| {
            stand.power(&[], b"");
            site.until(stand, |stand| asks_for_firmware(&stand.events));
            assert!(stand.opened.len() <= 2);
            while site.asked.last().is_none_or(|path| path != name) {
                site.answer(stand);
            }
        });
        fleet.push((stand, site.last.unwrap()));
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {IMAGE_BYTES}\r\n\r\n");
    let parts = image.chunks(4_000);
    let mut most = 0;
    for part in [head.as_bytes()].into_iter().chain(parts) {
        for (stand, connection) in &mut fleet {
            with(stand, &mut shelf, |stand| {
                stand.input(Input::Bytes(*connection, part));
            });
            most = most.max(shelf.bodies.in_flight_bytes());
        }
    }
    assert!(most <= IMAGE_BYTES, "{most} bytes on their way");
    assert_eq!(shelf.bodies.in_flight_bytes(), 0);
    let kept = shelf.bodies.kept_bytes();
    assert!(kept < IMAGE_BYTES + 20_000, "{kept} bytes kept");
    for (stand, _) in &mut fleet {
        let image = stand.phone.flash().image();
        assert!(image.is_some());
        with(stand, &mut shelf, |stand| stand.lease(&[], b""));
        assert_eq!(stand.phone.flash().firmware.as_deref(), Some("2.4.5.2"));
    }
}

fn asks_for_firmware(events: &[EventKind]) -> bool {
    events.iter().any(|kind| match kind {
        EventKind::Sent { step, .. } => *step == StepId::FIRMWARE,
        _ => false,
    })
}
