//! Texts of servers as Markdown shows them and does not obey them.

use crate::text::harmless;

/// Letters of one text that are shown at most.
const LETTERS_MAX: usize = 300;

/// Letters of a command that are shown at most: half of one cannot be used.
const COMMAND_LETTERS_MAX: usize = 2_000;

/// The text, harmless and of at most `LETTERS_MAX` letters.
pub(super) fn cut(text: &str) -> String {
    cut_at(text, LETTERS_MAX)
}

fn cut_at(text: &str, letters: usize) -> String {
    let text = harmless(text);
    match text.char_indices().nth(letters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The text with everything escaped that would be markup, a mention or a link.
pub(super) fn plain(text: &str) -> String {
    escaped(&cut(text))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            // Bare URLs become links.
            ':' if text[at..].starts_with(":/") => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

/// The text as code within a table: fenced by more backticks than it has in a row.
pub(super) fn code(text: &str) -> String {
    fenced(&cut(text.trim()))
}

/// A command as code, whole unless it is absurdly long.
pub(super) fn command(text: &str) -> String {
    fenced(&cut_at(text.trim(), COMMAND_LETTERS_MAX))
}

fn fenced(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // A backslash before a bar would be read as the one that guards it.
    if text.contains("\\|") || text.ends_with('\\') {
        return escaped(text);
    }
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

/// Backticks in a row, at most.
pub(super) fn longest_run(text: &str) -> usize {
    let runs = text.split(|letter| letter != '`').map(str::len);
    runs.max().unwrap_or_default()
}
