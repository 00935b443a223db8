//! Versions as texts: stamps (date and time) and dotted numbers, and which of two is newer.

use std::cmp::Ordering;

/// Whether a text has the form `YYYY-MM-DD_HH:MM:SS` (GIG-22). Only the form counts: months and
/// hours are not looked at.
#[must_use]
pub fn is_stamp(text: &str) -> bool {
    const FORM: &[u8; 19] = b"0000-00-00_00:00:00";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            mark => byte == *mark,
        })
}

/// The order of two versions: stamps as texts (GIG-36), dotted numbers part by part (`1.9.2`
/// before `1.11.6`), anything else as texts.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    if is_dotted(left) && is_dotted(right) {
        numbers(left).cmp(numbers(right))
    } else {
        left.cmp(right)
    }
}

/// Whether a text consists of numbers with dots between them.
fn is_dotted(text: &str) -> bool {
    let mut parts = text.split('.');
    parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The parts, each as its length without leading zeros and its digits, so that they compare as
/// numbers of any size; zeros at the end do not count.
fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.trim_end_matches(['.', '0']).len();
    // A cut part such as the `1` of `10` is given back whole.
    let rest = text.get(end..).unwrap_or_default();
    let whole = rest.find('.').map_or(text.len(), |dot| end + dot);
    let kept = if end == 0 {
        ""
    } else {
        text.get(..whole).unwrap_or(text)
    };
    kept.split('.').map(|part| {
        let digits = part.trim_start_matches('0');
        (digits.len(), digits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIG-22
    #[test]
    fn knows_a_stamp_by_its_form() {
        assert!(is_stamp("2015-01-01_01:01:01"));
        for text in [
            "",
            "1.0",
            "2015-01-01",
            "2015-01-01 01:01:01",
            "2015-01-01_01:01:0x",
            "2015-01-01_01:01:011",
        ] {
            assert!(!is_stamp(text), "{text}");
        }
    }

    // GIG-34, GIG-35, GIG-36
    #[test]
    fn orders_stamps_as_texts_and_dotted_numbers_by_their_parts() {
        for (older, newer) in [
            ("2015-01-01_01:01:01", "2015-02-02_02:02:02"),
            ("2014-12-31_23:59:59", "2015-01-01_00:00:00"),
            ("1.9.2", "1.11.6"),
            ("1.11", "1.11.6"),
            ("1.10", "1.100"),
            ("0", "0.0.1"),
            ("1.99999999999999999999", "1.100000000000000000000"),
            ("a", "b"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{older} {newer}");
        }
        for (left, right) in [
            ("1.11.6", "1.11.6"),
            ("1.0", "1"),
            ("01.2", "1.2"),
            ("0", "0.0"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
    }
}
