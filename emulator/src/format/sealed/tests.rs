use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::format::tests::pairs;
use crate::format::{Draft, read, write};

const KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
/// The four blocks of NIST SP 800-38A, appendix F.
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const VECTOR: &str = "000102030405060708090a0b0c0d0e0f";

fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn seal_of(cipher: Cipher) -> Seal {
    Seal {
        cipher,
        key: parse_key(KEY).unwrap(),
    }
}

fn options_of(seal: Seal) -> FormatOptions {
    FormatOptions {
        seal: Some(seal),
        ..FormatOptions::default()
    }
}

fn reading(seal: Seal, bytes: &[u8]) -> Reading {
    let mut keys = Names::default();
    read(Format::ModuleText, options_of(seal), bytes, &mut keys).reading
}

fn file() -> Draft<'static> {
    Draft {
        settings: &[
            ("global.host name", "VOIP"),
            ("sip.sip1 phone number", "101"),
        ],
        version: "2.0002",
        ..Draft::default()
    }
}

#[test]
fn takes_keys_of_64_hexadecimal_digits_only() {
    // FAN-42.
    let key = parse_key(KEY).unwrap();
    assert_eq!(key.to_vec(), bytes_of(KEY));
    assert_eq!(parse_key(&format!(" {} \n", KEY.to_uppercase())), Some(key));
    let wrong = [
        "",
        "0",
        &KEY[1..],
        &format!("{KEY}0"),
        &KEY.replace('b', "g"),
        &KEY.replace("60", "+0"),
        &KEY.replace("60", "ß"),
    ];
    for wrong in wrong {
        assert_eq!(parse_key(wrong), None, "{wrong}");
    }
}

#[test]
fn encrypts_as_the_standard_prints_it() {
    // NIST SP 800-38A, F.1.5 and F.2.5.
    let ecb = "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870\
               b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7";
    let cbc = "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
               39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b";
    let vector = bytes_of(VECTOR).try_into().unwrap();
    let sealed = seal(&seal_of(Cipher::Ecb), &bytes_of(PLAIN), vector);
    assert_eq!(sealed, bytes_of(ecb));
    let sealed = seal(&seal_of(Cipher::CbcPrefixed), &bytes_of(PLAIN), vector);
    assert_eq!(sealed, bytes_of(&format!("{VECTOR}{cbc}")));
    let mut plain = Vec::new();
    open(&seal_of(Cipher::CbcPrefixed), &sealed, &mut plain).unwrap();
    assert_eq!(plain, bytes_of(PLAIN));
}

/// What the system's own tool makes of bytes; `None` when it is missing.
fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let tool = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        let _ = writeln!(std::io::stderr(), "not run: needs openssl");
        return None;
    };
    tool.stdin.take().unwrap().write_all(input).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

#[test]
fn opens_what_another_implementation_sealed() {
    // FAN-43, FAN-47.
    let plain = write(Format::ModuleText, FormatOptions::default(), &file());
    let mut padded = plain.clone();
    padded.resize(plain.len().next_multiple_of(BLOCK_BYTES), 0);
    let ecb = ["enc", "-aes-256-ecb", "-nopad", "-K", KEY];
    let cbc = ["enc", "-aes-256-cbc", "-nopad", "-K", KEY, "-iv", VECTOR];
    let Some(sealed) = openssl(&ecb, &padded) else {
        return;
    };
    let vector = bytes_of(VECTOR).try_into().unwrap();
    assert_eq!(seal(&seal_of(Cipher::Ecb), &plain, vector), sealed);
    let mut keys = Names::default();
    let options = options_of(seal_of(Cipher::Ecb));
    let document = read(Format::ModuleText, options, &sealed, &mut keys);
    assert_eq!(pairs(&document, &keys)[0].1, "VOIP");
    let sealed = [bytes_of(VECTOR), openssl(&cbc, &padded).unwrap()].concat();
    assert_eq!(seal(&seal_of(Cipher::CbcPrefixed), &plain, vector), sealed);
    let options = options_of(seal_of(Cipher::CbcPrefixed));
    let again = read(Format::ModuleText, options, &sealed, &mut keys);
    assert_eq!(again, document);
}

#[test]
fn a_key_makes_every_file_an_encrypted_one() {
    // FAN-44: plain files of any length are unreadable then.
    for cipher in [Cipher::Ecb, Cipher::CbcPrefixed] {
        let mut plain = write(Format::ModuleText, FormatOptions::default(), &file());
        for _ in 0..BLOCK_BYTES {
            plain.push(b'\n');
            assert_eq!(reading(seal_of(cipher), &plain), Reading::WrongKey);
        }
    }
}

#[test]
fn a_wrong_key_gives_nothing_and_no_key_says_encrypted() {
    // FAN-48.
    for cipher in [Cipher::Ecb, Cipher::CbcPrefixed] {
        let sealed = write(Format::ModuleText, options_of(seal_of(cipher)), &file());
        let other = Seal {
            key: [7; 32],
            ..seal_of(cipher)
        };
        let mut keys = Names::default();
        let document = read(Format::ModuleText, options_of(other), &sealed, &mut keys);
        assert_eq!(document, unreadable(Reading::WrongKey));
        let document = read(
            Format::ModuleText,
            FormatOptions::default(),
            &sealed,
            &mut keys,
        );
        assert_eq!(document, unreadable(Reading::Encrypted));
    }
}

#[test]
fn says_when_ciphertext_is_cut() {
    for cipher in [Cipher::Ecb, Cipher::CbcPrefixed] {
        let seal = seal_of(cipher);
        let sealed = write(Format::ModuleXml, options_of(seal), &file());
        assert_eq!(reading(seal, &sealed), Reading::Whole);
        for length in (0..sealed.len()).filter(|length| length % BLOCK_BYTES > 0) {
            let cut = &sealed[..length];
            // A single byte or two can be text by chance.
            let expected = if is_text(cut) {
                Reading::WrongKey
            } else {
                Reading::Cut
            };
            assert_eq!(reading(seal, cut), expected, "{length}");
        }
        // At the end of a block the root is not closed.
        assert_eq!(reading(seal, &sealed[..sealed.len() - 64]), Reading::Cut);
    }
    assert_eq!(
        reading(seal_of(Cipher::CbcPrefixed), &[0xaa; 16]),
        Reading::Cut
    );
    let mut plain = vec![1];
    let fault = open(&seal_of(Cipher::Ecb), &[0; 17], &mut plain).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "17 bytes of ciphertext are not whole blocks of 16"
    );
    assert!(plain.is_empty());
}

#[test]
fn seals_every_dialect_and_every_other_format() {
    // FAN-43.
    let formats = [Format::ModuleText, Format::ModuleXml, Format::ModuleTree];
    for format in formats.into_iter().chain([Format::KeyValue]) {
        for cipher in [Cipher::Ecb, Cipher::CbcPrefixed] {
            let options = options_of(seal_of(cipher));
            let bytes = write(format, options, &file());
            assert_eq!(bytes, write(format, options, &file()));
            assert_eq!(bytes.len() % BLOCK_BYTES, 0);
            let mut keys = Names::default();
            let document = read(format, options, &bytes, &mut keys);
            assert_eq!(document.reading, Reading::Whole);
            assert_eq!(document.settings.len(), 2);
        }
    }
}

#[test]
fn does_not_show_its_key() {
    let shown = format!("{:?}", options_of(seal_of(Cipher::Ecb)));
    assert!(shown.contains("Ecb") && !shown.contains("key: [") && !shown.contains("96, 61"));
}

#[test]
fn keeps_no_large_memory() {
    let seal = seal_of(Cipher::Ecb);
    let mut scratch = Scratch::default();
    let mut keys = Names::default();
    let options = options_of(seal);
    for length in [64, 4 << 20] {
        let bytes = vec![3; length];
        let _ = read_with(&mut scratch, Format::ModuleText, options, &bytes, &mut keys);
        assert!(scratch.plain.capacity() <= KEPT_BYTES_MAX);
    }
}

proptest! {
    #[test]
    fn opens_what_it_sealed(
        plain in prop::collection::vec(any::<u8>(), 1..3_000),
        key in any::<[u8; 32]>(),
        vector in any::<[u8; 16]>(),
        prefixed in any::<bool>(),
    ) {
        let cipher = if prefixed { Cipher::CbcPrefixed } else { Cipher::Ecb };
        let seal = Seal { cipher, key };
        let sealed = super::seal(&seal, &plain, vector);
        prop_assert_eq!(sealed.len() % BLOCK_BYTES, 0);
        let mut opened = Vec::new();
        open(&seal, &sealed, &mut opened).unwrap();
        let end = plain.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        prop_assert_eq!(opened, &plain[..end]);
    }

    #[test]
    fn never_fails_on_noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for cipher in [Cipher::Ecb, Cipher::CbcPrefixed] {
            prop_assert_ne!(reading(seal_of(cipher), &bytes), Reading::Whole);
        }
    }
}
