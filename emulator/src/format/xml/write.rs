//! Writing: whatever the text, what is written is well-formed and reads back as it was, but for
//! characters that XML cannot hold.

use super::characters::is_character;

/// Appends a text as an element's content; what XML cannot hold becomes a blank.
pub fn push_text(out: &mut String, text: &str) {
    for each in text.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            _ if is_character(each) => out.push(each),
            _ => out.push(' '),
        }
    }
}

/// Appends a blank and `name="value"`; what XML cannot hold becomes a blank. The name must be an
/// XML name.
pub fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.extend([" ", name, "=\""]);
    for each in value.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            _ if is_character(each) => out.push(each),
            _ => out.push(' '),
        }
    }
    out.push('"');
}

/// Appends a comment and a line end, unless the text is empty. Hyphens, two of which would end a
/// comment, become typographic ones; what XML cannot hold becomes a blank.
pub fn push_comment(out: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    out.push_str("<!-- ");
    out.extend(text.chars().map(|each| match each {
        '-' => '\u{2010}',
        _ if is_character(each) => each,
        _ => ' ',
    }));
    out.push_str(" -->\n");
}
