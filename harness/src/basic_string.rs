//! Strings in the TOML that is written: baselines, and what a server of one's own is to serve.

use std::fmt::Write as _;

/// A basic string of TOML, in its quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_as_it_was() {
        for text in [
            "",
            "plain",
            "a\"b\\c",
            "tab\t, line\n, \u{0}\u{7f}",
            "ß \u{85} 漢",
        ] {
            let written = format!("it = {}", quoted(text));
            let read: toml::Table = written.parse().unwrap();
            assert_eq!(read["it"].as_str(), Some(text), "{written}");
        }
    }
}
