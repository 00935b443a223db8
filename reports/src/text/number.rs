//! Numbers for people: thousands separators, three significant digits.

use std::time::Duration;

/// `1,234,567`
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most five columns: `999`, `12.3k`, `1.23M`.
#[must_use]
pub fn compact(value: u64) -> String {
    let mut scaled = value as f64;
    if value < 1_000 {
        return value.to_string();
    }
    for unit in ["k", "M", "G", "T", "P", "E"] {
        scaled /= 1_000.0;
        if scaled < 999.5 {
            return format!("{}{unit}", three_digits(scaled));
        }
    }
    unreachable!("64 bits end at 18.4E")
}

/// Bytes in a unit that suits them: `262.1 kB`.
#[must_use]
pub fn bytes(value: u64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let value = value as f64;
    match units.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, word)) => format!("{:.1} {word}", value / unit),
        None => format!("{value} bytes"),
    }
}

/// `1 phone`, `1,000 phones`
#[must_use]
pub fn phones(value: u32) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} phone{ending}", count(value.into()))
}

/// Milliseconds or seconds with three significant digits: `0.412 ms`, `41.2 ms`, `4.10 s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let millis = seconds * 1_000.0;
    if millis < 999.5 {
        format!("{} ms", three_digits(millis))
    } else if seconds < 999.5 {
        format!("{} s", three_digits(seconds))
    } else {
        format!("{} s", count(seconds.round() as u64))
    }
}

/// As `duration`, without zeros at the end: `4.1 s`, for sentences.
#[must_use]
pub fn duration_short(time: Duration) -> String {
    let text = duration(time);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => text,
    }
}

fn three_digits(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value < 0.999_5 {
        format!("{value:.3}")
    } else if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_thousands() {
        let texts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn shortens_to_five_columns() {
        let texts = [999, 1_000, 12_345, 999_999, 1_234_567, u64::MAX].map(compact);
        assert_eq!(texts, ["999", "1.00k", "12.3k", "1.00M", "1.23M", "18.4E"]);
    }

    #[test]
    fn keeps_three_digits_of_a_time() {
        let micros = [
            0, 412, 1_000, 9_999, 99_960, 999_400, 999_600, 4_200_000, 61_000_000,
        ];
        let texts = micros.map(|time| duration(Duration::from_micros(time)));
        assert_eq!(
            texts,
            [
                "0 ms", "0.412 ms", "1.00 ms", "10.0 ms", "100 ms", "999 ms", "1.00 s", "4.20 s",
                "61.0 s"
            ]
        );
        assert_eq!(duration(Duration::from_secs(12_345)), "12,345 s");
        let short = [0, 4_200_000, 4_000_000, 120_000_000];
        let short = short.map(|time| duration_short(Duration::from_micros(time)));
        assert_eq!(short, ["0 ms", "4.2 s", "4 s", "120 s"]);
    }
}
