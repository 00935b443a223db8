//! Fields of SNTP messages (RFC 4330 §4).

use super::{number, numbers};

/// The fields of the first two bytes: byte, shift, bits.
const FIELDS: [(&str, usize, u8, u8); 4] = [
    ("leap", 0, 6, 2),
    ("version", 0, 3, 3),
    ("mode", 0, 0, 3),
    ("stratum", 1, 0, 8),
];

/// Where the client's own time is given back.
const ORIGINATE: std::ops::Range<usize> = 24..32;

pub(super) fn refuses(field: &str, value: Option<&str>) -> Option<String> {
    if field == "originate" {
        let good = value.is_some_and(|value| number(value, 0, u64::MAX).is_some());
        return (!good).then(|| numbers(u64::MAX));
    }
    let Some((_, _, _, bits)) = FIELDS.iter().find(|(name, ..)| *name == field) else {
        return Some(String::from("leap, version, mode, stratum or originate"));
    };
    let most = (1 << bits) - 1;
    let good = value.is_some_and(|value| number(value, 0, most).is_some());
    (!good).then(|| numbers(most))
}

pub(super) fn with_field(bytes: &[u8], field: &str, value: Option<&str>) -> Option<Vec<u8>> {
    if field == "originate" {
        let mut out = bytes.to_vec();
        let place = out.get_mut(ORIGINATE)?;
        let held = u64::from_be_bytes(<[u8; 8]>::try_from(&*place).ok()?);
        place.copy_from_slice(&number(value?, held, u64::MAX)?.to_be_bytes());
        return Some(out);
    }
    let (_, at, shift, bits) = FIELDS.iter().find(|(name, ..)| *name == field)?;
    let most = u8::try_from((1_u16 << bits) - 1).ok()?;
    let mut out = bytes.to_vec();
    let byte = out.get_mut(*at)?;
    let held = *byte >> shift & most;
    let new = number(value?, u64::from(held), u64::from(most))?;
    *byte = *byte & !(most << shift) | u8::try_from(new).ok()? << shift;
    Some(out)
}
