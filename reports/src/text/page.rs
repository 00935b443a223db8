//! Lines on a terminal of a given width: wrapping, padding, colour, and nothing in a text that the
//! terminal would obey.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a piece of text looks where colour is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Red => Some("31"),
            Self::Green => Some("32"),
            Self::Yellow => Some("33"),
        }
    }
}

/// A terminal to write on.
pub(super) struct Page<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) width: usize,
    pub(super) colour: bool,
}

impl Page<'_> {
    /// An empty line.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// One line of painted pieces, which the caller made fit.
    pub(super) fn line(&mut self, pieces: &[(Paint, String)]) -> io::Result<()> {
        for (paint, text) in pieces {
            let code = paint.code().filter(|_| self.colour && !text.is_empty());
            match code {
                Some(code) => write!(self.out, "\x1b[{code}m{text}\x1b[0m")?,
                None => self.out.write_all(text.as_bytes())?,
            }
        }
        self.gap()
    }

    /// A text, wrapped between words; lines after the first are indented by `hang` columns.
    pub(super) fn paragraph(&mut self, paint: Paint, hang: usize, text: &str) -> io::Result<()> {
        let text = harmless(text);
        let indent = " ".repeat(hang);
        for (at, line) in wrap(&text, self.width, hang).into_iter().enumerate() {
            let lead = if at == 0 { "" } else { &indent };
            self.line(&[(Paint::Plain, lead.to_owned()), (paint, line)])?;
        }
        Ok(())
    }

    /// A command to copy, indented. Where it is too long it continues after a backslash, which a
    /// shell joins again; a single word wider than the terminal is left whole, since a broken
    /// command is worse than a wrapped line.
    pub(super) fn command(&mut self, indent: usize, text: &str) -> io::Result<()> {
        let text = harmless(text);
        let mut line = " ".repeat(indent);
        let mut first = true;
        for word in text.split(' ') {
            let wider = line.width() + 1 + word.width() + " \\".len();
            if !first && wider > self.width {
                line.push_str(" \\");
                self.line(&[(Paint::Bold, std::mem::take(&mut line))])?;
                line.push_str(&" ".repeat(indent + 2));
            } else if !first {
                line.push(' ');
            }
            line.push_str(word);
            first = false;
        }
        self.line(&[(Paint::Bold, line)])
    }
}

/// The text with control and direction characters spelled out: parts of it came from servers.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let obeyed = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2060}'..='\u{2069}' | '\u{feff}');
        if obeyed {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// The text, made harmless and cut to `width` columns; what was cut shows as `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = harmless(text);
    if text.width() <= width {
        return text;
    }
    let mut out = take_columns(&text, width.saturating_sub(1)).to_owned();
    out.push('…');
    out
}

/// The text with blanks after it up to `width` columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(blanks))
}

/// The longest beginning of a text that takes at most `width` columns.
fn take_columns(text: &str, width: usize) -> &str {
    let mut taken = 0;
    for (at, letter) in text.char_indices() {
        taken += letter.width().unwrap_or_default();
        if taken > width {
            return &text[..at];
        }
    }
    text
}

/// The text in lines of at most `width` columns, all but the first `hang` columns shorter.
fn wrap(text: &str, width: usize, hang: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut begun = false;
    for mut word in text.split(' ') {
        let room = |lines: &[String]| width - if lines.is_empty() { 0 } else { hang };
        if begun && line.width() + 1 + word.width() > room(&lines) {
            lines.push(std::mem::take(&mut line));
        } else if begun {
            line.push(' ');
        }
        while line.width() + word.width() > room(&lines) {
            let part = take_columns(word, room(&lines).saturating_sub(line.width()));
            if part.is_empty() && line.is_empty() {
                break;
            }
            line.push_str(part);
            word = &word[part.len()..];
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(word);
        begun = true;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_between_words_and_breaks_only_what_is_too_long() {
        assert_eq!(wrap("a bc def", 4, 0), ["a bc", "def"]);
        assert_eq!(wrap("  ab cdefg h", 4, 2), ["  ab", "cd", "ef", "g", "h"]);
        assert_eq!(wrap("", 4, 0), [""]);
    }

    #[test]
    fn spells_out_what_a_terminal_would_obey() {
        assert_eq!(harmless("a\x1b[31m\u{202e}é"), "a\\u{1b}[31m\\u{202e}é");
        assert_eq!(cut("<mac>.boot", 6), "<mac>…");
        assert_eq!(cut("電話電話", 5), "電話…");
        assert_eq!(padded("電", 4), "電  ");
    }

    #[test]
    fn a_long_command_can_still_be_copied() {
        let command = "bootstorm run storm.toml --seed 42 --phone 17";
        let mut out = Vec::new();
        let mut page = Page {
            out: &mut out,
            width: 24,
            colour: false,
        };
        page.command(2, command).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.width() <= 24), "{text}");
        let joined: Vec<&str> = text
            .split_whitespace()
            .filter(|word| *word != "\\")
            .collect();
        assert_eq!(joined.join(" "), command);
    }
}
