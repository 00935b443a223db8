//! Encrypted files and the keys that make files encrypted.

use bootstorm_emulator::event::{EventKind, Fault, RunResult};
use bootstorm_emulator::format::sealed::{self, Cipher, Seal};
use bootstorm_emulator::profile::Param;

use crate::world::{SERVER, World, profiles};
use crate::{GENERAL, MODEL, OWN, ended, led, logo, named};

const DEVICE_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const COMMON_KEY: &str = "FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA99887766554433221100";

fn encrypted(key: &str, cipher: Cipher, text: &str) -> Vec<u8> {
    let key = sealed::parse_key(key).unwrap();
    let seal = Seal { cipher, key };
    let vector = sealed::vector_for(&seal, text.as_bytes());
    sealed::seal(&seal, text.as_bytes(), vector)
}

fn ecb(key: &str, text: &str) -> Vec<u8> {
    encrypted(key, Cipher::Ecb, text)
}

fn keyed(world: World) -> World {
    world
        .web(Param::DeviceKey, DEVICE_KEY)
        .web(Param::CommonKey, COMMON_KEY)
}

fn gave_up(world: &World, wanted: Fault) -> bool {
    world.any(|kind| matches!(kind, EventKind::GaveUp { fault, .. } if *fault == wanted))
}

// FAN-42, FAN-43, FAN-45, FAN-46, FAN-47: 64 hexadecimal digits, one key for each kind of file.
#[test]
fn reads_encrypted_files_of_both_kinds_with_their_keys() {
    let world = keyed(led("tftp://10.0.0.2/$mac.cfg"))
        .file(GENERAL, ecb(COMMON_KEY, &named("general")))
        .file(OWN, ecb(DEVICE_KEY, &named("own")))
        .boot();
    assert_eq!(logo(&world).as_deref(), Some("own"));
    ended(&world, RunResult::Complete);
    // FAN-46: the other reading of the two labels.
    let world = keyed(led("tftp://10.0.0.2/$mac.cfg"))
        .web(Param::KeysSwapped, "1")
        .file(GENERAL, ecb(DEVICE_KEY, &named("general")))
        .file(OWN, ecb(COMMON_KEY, &named("own")))
        .boot();
    assert_eq!(logo(&world).as_deref(), Some("own"));
}

// FAN-47: another mode is a profile's word.
#[test]
fn reads_the_other_mode_where_the_profile_says_so() {
    let held = profiles().get(MODEL).unwrap();
    let mut profile = bootstorm_emulator::profile::Profile::clone(&held);
    profile.cipher = Some(Cipher::CbcPrefixed);
    let address = std::net::Ipv4Addr::new(10, 1, 0, 1);
    let world = World::of(std::sync::Arc::new(profile), SERVER, address, 1);
    let file = encrypted(DEVICE_KEY, Cipher::CbcPrefixed, &named("own"));
    let world = keyed(world.option(66, "tftp://10.0.0.2/$mac.cfg"))
        .file(OWN, file)
        .boot();
    assert_eq!(logo(&world).as_deref(), Some("own"));
}

// FAN-44: a key makes every file of its kind an encrypted one.
#[test]
fn cannot_read_a_plain_file_with_a_key() {
    let world = keyed(led("tftp://10.0.0.2/$mac.cfg"))
        .file(OWN, named("plain"))
        .boot();
    assert_eq!(logo(&world), None);
    assert!(gave_up(&world, Fault::WrongKey) || gave_up(&world, Fault::BadCiphertext));
    ended(&world, RunResult::NothingFetched);
}

// FAN-44, FAN-48: another key, none, and ciphertext that is cut.
#[test]
fn does_not_apply_what_it_cannot_decrypt() {
    let whole = ecb(COMMON_KEY, &named("own"));
    let world = keyed(led("tftp://10.0.0.2/$mac.cfg"))
        .file(OWN, &whole)
        .boot();
    assert!(gave_up(&world, Fault::WrongKey));
    assert_eq!(logo(&world), None);
    let world = led("tftp://10.0.0.2/$mac.cfg").file(OWN, &whole).boot();
    assert!(gave_up(&world, Fault::Encrypted));
    assert_eq!(logo(&world), None);
    let cut = ecb(DEVICE_KEY, &named("own"));
    let world = keyed(led("tftp://10.0.0.2/$mac.cfg"))
        .file(OWN, &cut[..cut.len() - 5])
        .boot();
    assert!(gave_up(&world, Fault::BadCiphertext));
    assert_eq!(logo(&world), None);
}
