//! Firmware: which version an image carries, and whether a body can be an image at all.

use std::fmt::Write;

/// The version in an image's file name: from the first `V` followed by a digit to the next `_`, or
/// to the suffix (FLY-116). `FIP11C-FVUI_V0.5.32.3_202105111814_RC.bin` → `V0.5.32.3`.
#[must_use]
pub fn version_in_name(name: &str) -> Option<&str> {
    let start = name
        .as_bytes()
        .windows(2)
        .position(|pair| matches!(pair, [b'V' | b'v', digit] if digit.is_ascii_digit()))?;
    let rest = name.get(start..)?;
    let end = rest
        .find('_')
        .or_else(|| rest.rfind('.'))
        .unwrap_or(rest.len());
    rest.get(..end)
}

/// The version in the name of an image that a vendor calls `before`, version, anything: the digits
/// and dots behind `before`, which is compared in any case; else the first number with two dots
/// or more. `x42.14.0.7386T20210730173312.z` behind `x4` → `2.14.0.7386` (vendor-facts §5). None
/// where there is neither: `62.z` (FAN-90).
#[must_use]
pub fn version_behind<'a>(name: &'a str, before: &str) -> Option<&'a str> {
    let head = name.get(..before.len());
    let behind = head.filter(|head| head.eq_ignore_ascii_case(before) && !head.is_empty());
    let behind = behind.and_then(|head| name.strip_prefix(head));
    let behind = behind
        .map(leading_number)
        .filter(|number| number.contains('.'));
    behind.or_else(|| {
        let mut numbers = name.split(|c: char| !c.is_ascii_digit() && c != '.');
        let number = numbers.find(|part| part.trim_matches('.').matches('.').count() >= 2)?;
        Some(number.trim_matches('.'))
    })
}

/// Digits and dots at the beginning, without a dot at the end.
fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let number = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    if number.starts_with('.') {
        return "";
    }
    number.trim_end_matches('.')
}

/// 32 hexadecimal digits: what a digest is shown as (FAN-30).
#[must_use]
pub fn digest_text(md5: [u8; 16]) -> String {
    let mut text = String::with_capacity(32);
    for byte in md5 {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether a body can be a firmware image: it is not empty and not a page of markup that a server
/// sent in its stead. The vendors publish no container format, so nothing more can be verified.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let markup = start.starts_with(b"<");
    !start.is_empty() && !markup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_in_real_file_names() {
        for (name, version) in [
            (
                "FIP11C-FVUI_V0.5.32.3_202105111814_RC.bin",
                Some("V0.5.32.3"),
            ),
            ("FIP12WP-FVUI12_V0.5.7_202012041402_RC.bin", Some("V0.5.7")),
            ("FIP16-V2.1.bin", Some("V2.1")),
            ("plain.bin", None),
            ("", None),
        ] {
            assert_eq!(version_in_name(name), version, "{name}");
        }
    }

    // FAN-90, FAN-126
    #[test]
    fn finds_the_version_behind_what_the_vendor_writes_before_it() {
        for (name, before, version) in [
            ("x42.14.0.7386T20210730173312.z", "X4", Some("2.14.0.7386")),
            ("x42.14.0.7386.z", "X4", Some("2.14.0.7386")),
            ("X6-2.4.5.2.z", "x6-", Some("2.4.5.2")),
            (
                "v67_fanvil_2.6.10.1992_20241023_full.zip",
                "v67",
                Some("2.6.10.1992"),
            ),
            ("x62.z", "x6", None),
            ("62.z", "c62", None),
            ("x4.z", "x4", None),
            ("é1.2.3.z", "x", Some("1.2.3")),
            ("", "x", None),
            ("...", "", None),
        ] {
            assert_eq!(version_behind(name, before), version, "{name}");
        }
    }

    #[test]
    fn shows_a_digest_in_full() {
        assert_eq!(digest_text([0xa5; 16]), "a5".repeat(16));
    }

    #[test]
    fn tells_an_image_from_an_error_page() {
        assert!(is_image(b"\x27\x05\x19\x56 image"));
        assert!(!is_image(b""));
        assert!(!is_image(b"\r\n<html>not found</html>"));
    }
}
