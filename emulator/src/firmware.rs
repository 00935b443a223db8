//! Firmware: which version an image carries, and whether a body can be an image at all.

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

    #[test]
    fn tells_an_image_from_an_error_page() {
        assert!(is_image(b"\x27\x05\x19\x56 image"));
        assert!(!is_image(b""));
        assert!(!is_image(b"\r\n<html>not found</html>"));
    }
}
