//! Text inside XML: escaped, and without what XML 1.0 cannot hold.

use std::io::{self, Write};

/// Writes ` name="value"`.
pub(crate) fn attribute(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, " {name}=\"")?;
    escaped(value, out)?;
    out.write_all(b"\"")
}

/// Writes text between tags, as CDATA: some readers lose entities there.
pub(crate) fn text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<![CDATA[")?;
    let mut done = 0;
    for (at, letter) in text.char_indices() {
        let ends = letter == '>' && text[..at].ends_with("]]");
        if !ends && (!is_outside(letter) || "\n\t".contains(letter)) {
            continue;
        }
        out.write_all(&text.as_bytes()[done..at])?;
        done = at;
        if ends {
            out.write_all(b"]]><![CDATA[")?;
        } else {
            write!(out, "{}", letter.escape_default())?;
            done += letter.len_utf8();
        }
    }
    out.write_all(&text.as_bytes()[done..])?;
    out.write_all(b"]]>")
}

/// Whether XML 1.0 §2.2 does not allow, or advises against, a character; and the line ends and
/// tabs that it allows.
fn is_outside(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}')
}

/// Writes text as it may stand in attribute values: characters that XML cannot hold, which servers
/// can put into names and values, are spelled out, line ends kept by their numbers.
fn escaped(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut done = 0;
    for (at, letter) in text.char_indices() {
        let instead: &str = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\n' => "&#10;",
            '\t' => "&#9;",
            letter if is_outside(letter) => "",
            _ => continue,
        };
        out.write_all(&text.as_bytes()[done..at])?;
        if instead.is_empty() {
            write!(out, "{}", letter.escape_default())?;
        } else {
            out.write_all(instead.as_bytes())?;
        }
        done = at + letter.len_utf8();
    }
    out.write_all(&text.as_bytes()[done..])
}
