//! Fields and options of DHCP messages.

use std::net::Ipv4Addr;
use std::ops::Range;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::dhcp::{FILE_BYTES, HEADER_BYTES, SNAME_BYTES, code};

use super::{bytes_of, number, numbers};

/// Where the options begin: behind the header and the cookie.
const OPTIONS_AT: usize = HEADER_BYTES + 4;
/// The longest value of one option; longer ones are split (RFC 3396).
const VALUE_BYTES_MAX: usize = 255;
/// Options that are addresses.
const ADDRESSES: [u8; 14] = [1, 3, 4, 5, 6, 7, 8, 9, 28, 42, 44, 50, 54, 150];
/// Options that are one number, with its bytes.
const NUMBERS: [(u8, usize); 7] = [(51, 4), (52, 1), (53, 1), (57, 2), (58, 4), (59, 4), (2, 4)];
/// The broadcast flag.
const BROADCAST: u8 = 0x80;

/// A field of the header.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A number of so many bytes.
    Number,
    /// A number that messages show in hexadecimal.
    Hex,
    Address,
    /// Text with zeros behind it.
    Text,
    Mac,
    Broadcast,
}

fn header_field(name: &str) -> Option<(Range<usize>, Kind)> {
    Some(match name {
        "op" => (0..1, Kind::Number),
        "hops" => (3..4, Kind::Number),
        "xid" => (4..8, Kind::Hex),
        "secs" => (8..10, Kind::Number),
        "flags" => (10..12, Kind::Number),
        "broadcast" => (10..11, Kind::Broadcast),
        "ciaddr" => (12..16, Kind::Address),
        "yiaddr" => (16..20, Kind::Address),
        "siaddr" => (20..24, Kind::Address),
        "giaddr" => (24..28, Kind::Address),
        "chaddr" => (28..34, Kind::Mac),
        "sname" => (44..44 + SNAME_BYTES, Kind::Text),
        "file" => (108..108 + FILE_BYTES, Kind::Text),
        _ => return None,
    })
}

/// The code of `option.66` or `option.66.hex`, and whether the value is hexadecimal.
fn option(field: &str) -> Option<(u8, bool)> {
    let rest = field.strip_prefix("option.")?;
    let (code, hex) = match rest.strip_suffix(".hex") {
        Some(code) => (code, true),
        None => (rest, false),
    };
    let code = code.parse().ok()?;
    (!matches!(code, code::PAD | code::END)).then_some((code, hex))
}

pub(super) fn refuses(field: &str, value: Option<&str>) -> Option<String> {
    if let Some((code, hex)) = option(field) {
        let good = value.is_none_or(|value| option_value(code, hex, value).is_some());
        return (!good).then(|| match hex {
            true => String::from("hexadecimal digits"),
            false => format!("what option {code} holds; write option.{code}.hex for anything"),
        });
    }
    let Some((place, kind)) = header_field(field) else {
        return Some(String::from(
            "op, hops, xid, secs, flags, broadcast, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, \
             file, option.N or option.N.hex",
        ));
    };
    let blank = vec![0; place.len()];
    let written = value.is_none_or(|value| header_value(kind, &blank, value).is_some());
    (!written).then(|| match kind {
        Kind::Number => numbers(most(place.len())),
        Kind::Hex => String::from("hexadecimal digits, or +N or -N beside what is there"),
        Kind::Address => String::from("an IPv4 address"),
        Kind::Text => format!("a text of at most {} bytes", place.len()),
        Kind::Mac => String::from("a MAC address"),
        Kind::Broadcast => String::from("true or false"),
    })
}

/// The largest number of so many bytes.
fn most(bytes: usize) -> u64 {
    u64::MAX >> (64 - 8 * bytes.clamp(1, 8))
}

/// The message with a field set, or blank (an option: taken out) without a value.
pub(super) fn with_field(bytes: &[u8], field: &str, value: Option<&str>) -> Option<Vec<u8>> {
    if let Some((code, hex)) = option(field) {
        let value = match value {
            Some(value) => Some(option_value(code, hex, value)?),
            None => None,
        };
        return with_option(bytes, code, value.as_deref());
    }
    let (place, kind) = header_field(field)?;
    let mut out = bytes.to_vec();
    let held = out.get_mut(place)?;
    let written = match value {
        Some(value) => header_value(kind, held, value)?,
        None => vec![0; held.len()],
    };
    held.copy_from_slice(&written);
    Some(out)
}

/// What stands in a field of the header with this value, as many bytes as are `held` there now.
fn header_value(kind: Kind, held: &[u8], value: &str) -> Option<Vec<u8>> {
    match kind {
        Kind::Hex if !value.starts_with(['+', '-']) => {
            let number = u64::from_str_radix(value, 16).ok()?;
            let fits = number <= most(held.len());
            let bytes = number.to_be_bytes();
            bytes
                .get(8 - held.len()..)
                .filter(|_| fits)
                .map(<[u8]>::to_vec)
        }
        Kind::Number | Kind::Hex => {
            let now = held.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let number = number(value, now, most(held.len()))?;
            Some(number.to_be_bytes().get(8 - held.len()..)?.to_vec())
        }
        Kind::Address => Some(value.parse::<Ipv4Addr>().ok()?.octets().to_vec()),
        Kind::Text => {
            let mut text = value.as_bytes().to_vec();
            let fits = text.len() <= held.len();
            text.resize(held.len(), 0);
            fits.then_some(text)
        }
        Kind::Mac => Some(Mac::parse(value)?.0.to_vec()),
        Kind::Broadcast => {
            let flags = held.first().copied().unwrap_or(0) & !BROADCAST;
            let on: bool = value.parse().ok()?;
            Some(vec![flags | if on { BROADCAST } else { 0 }])
        }
    }
}

/// An option's value from the words that a decoded message shows it in.
fn option_value(code: u8, hex: bool, value: &str) -> Option<Vec<u8>> {
    if hex {
        return bytes_of(value);
    }
    let words = || value.split_ascii_whitespace();
    if code == code::PARAMETERS {
        return words().map(|word| word.parse().ok()).collect();
    }
    if ADDRESSES.contains(&code) {
        let addresses = words().map(|word| word.parse::<Ipv4Addr>().ok());
        let octets: Option<Vec<_>> = addresses.map(|it| Some(it?.octets())).collect();
        return Some(octets?.concat());
    }
    if let Some((_, bytes)) = NUMBERS.iter().find(|(known, _)| *known == code) {
        let number = value.parse::<u64>().ok().filter(|it| *it <= most(*bytes))?;
        return Some(number.to_be_bytes().get(8 - bytes..)?.to_vec());
    }
    Some(value.as_bytes().to_vec())
}

/// The message with an option's value changed where the option first stands, added before the end
/// where it does not, or taken out. The other options keep their bytes, their order and the padding
/// between them.
fn with_option(bytes: &[u8], code: u8, value: Option<&[u8]>) -> Option<Vec<u8>> {
    let (head, mut area) = bytes.split_at_checked(OPTIONS_AT)?;
    let mut out = head.to_vec();
    let mut value = value;
    loop {
        match *area {
            [] | [code::END, ..] => {
                write(&mut out, code, value.take());
                out.extend_from_slice(area);
                return Some(out);
            }
            [code::PAD, ref rest @ ..] => {
                out.push(code::PAD);
                area = rest;
            }
            [found, length, ref rest @ ..] => {
                let end = 2 + usize::from(length);
                let (whole, _) = area.split_at_checked(end)?;
                if found == code {
                    write(&mut out, code, value.take());
                } else {
                    out.extend_from_slice(whole);
                }
                area = rest.get(usize::from(length)..)?;
            }
            [_] => return None,
        }
    }
}

fn write(out: &mut Vec<u8>, code: u8, value: Option<&[u8]>) {
    let Some(value) = value else { return };
    if value.is_empty() {
        out.extend_from_slice(&[code, 0]);
    }
    for part in value.chunks(VALUE_BYTES_MAX) {
        out.push(code);
        out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(part);
    }
}
