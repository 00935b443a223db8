//! Rust source as tokens: enough to tell code from comments and literals, and tests from the rest.
//!
//! Not a parser. Macros are read as the tokens they are given.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    /// A string of any sort, with its quotes and prefix.
    Text,
    Character,
    Lifetime,
    Number,
    Word,
    /// One character: `::` is two of these.
    Mark,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// Part of an item that exists in tests only.
    pub(crate) test: bool,
}

impl Token<'_> {
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text == text
    }

    pub(crate) fn last_line(&self) -> usize {
        self.line + self.text.matches('\n').count()
    }
}

/// Every token of `source`, in order.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else {
            let (kind, length) = next(rest);
            (Some(kind), length)
        };
        let text = &rest[..length];
        if let Some(kind) = kind {
            found.push(Token {
                kind,
                text,
                line,
                test: false,
            });
        }
        line += text.matches('\n').count();
        at += length;
    }
    mark_tests(&mut found);
    found
}

/// The kind and length in bytes of the token at the start of `rest`, which is no white space.
fn next(rest: &str) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if let Some(length) = string(rest) {
        return (Kind::Text, length);
    }
    if let Some(quoted) = rest.strip_prefix("b'") {
        return (Kind::Character, 2 + until_quote(quoted, '\''));
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        return quote(quoted);
    }
    let first = rest.chars().next().expect("a character");
    if first.is_ascii_digit() {
        return (Kind::Number, number(rest));
    }
    if first == '_' || first.is_alphabetic() {
        let raw = if rest.starts_with("r#") { 2 } else { 0 };
        return (Kind::Word, raw + word(&rest[raw..]));
    }
    (Kind::Mark, first.len_utf8())
}

fn word(rest: &str) -> usize {
    rest.find(|letter: char| letter != '_' && !letter.is_alphanumeric())
        .unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    let whole = word(rest);
    match rest[whole..].strip_prefix('.') {
        Some(tail) if tail.starts_with(|digit: char| digit.is_ascii_digit()) => {
            whole + 1 + word(tail)
        }
        _ => whole,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string at the start of `rest`, if there is one: plain, byte, C or raw.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].iter().find(|prefix| {
        rest.strip_prefix(**prefix)
            .is_some_and(|tail| tail.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[prefix.len()..].find('"')?;
    let raw = prefix.ends_with('r');
    if hashes > 0 && !raw {
        return None;
    }
    let start = prefix.len() + hashes + 1;
    let body = &rest[start..];
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(
            body.find(&end)
                .map_or(rest.len(), |at| start + at + end.len()),
        );
    }
    Some(start + until_quote(body, '"'))
}

/// The length up to and with the closing `quote`, stepping over escapes.
fn until_quote(body: &str, quote: char) -> usize {
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return at + 1;
        }
        if letter == '\\' {
            letters.next();
        }
    }
    body.len()
}

/// What follows a single quote: the rest of a character, or of a lifetime.
fn quote(quoted: &str) -> (Kind, usize) {
    let mut letters = quoted.chars();
    let first = letters.next();
    if first == Some('\\') || letters.next() == Some('\'') {
        return (Kind::Character, 1 + until_quote(quoted, '\''));
    }
    (Kind::Lifetime, 1 + word(quoted))
}

/// The index behind the group that opens at `open`, or behind the last token.
pub(crate) fn behind_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The attribute at `at`: what stands between its brackets. `at` is the index of its `#`.
pub(crate) fn attribute(tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let mut open = at + 1;
    if !tokens.get(at)?.is("#") {
        return None;
    }
    if tokens.get(open)?.is("!") {
        open += 1;
    }
    if !tokens.get(open)?.is("[") {
        return None;
    }
    Some(open + 1..behind_group(tokens, open).saturating_sub(1).max(open + 1))
}

fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let Some(inside) = attribute(tokens, at) else {
            at += 1;
            continue;
        };
        let end = if !is_for_tests(&tokens[inside.clone()]) {
            inside.end + 1
        } else if tokens[at + 1].is("!") {
            tokens.len()
        } else {
            let end = behind_item(tokens, inside.end + 1);
            tokens[at..end]
                .iter_mut()
                .for_each(|token| token.test = true);
            end
        };
        if end == tokens.len() && tokens.get(at + 1).is_some_and(|token| token.is("!")) {
            tokens.iter_mut().for_each(|token| token.test = true);
        }
        at = end;
    }
}

/// `test`, `tokio::test`, `cfg(test)` and `cfg(all(test, …))`; not `cfg(any(test, …))`.
fn is_for_tests(attribute: &[Token]) -> bool {
    let words: Vec<_> = attribute.iter().map(|token| token.text).collect();
    match words.as_slice() {
        ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..] => true,
        [.., "test"] => !words.contains(&"("),
        _ => false,
    }
}

/// The index behind the item (or field, variant, arm, statement) that begins at `start`.
fn behind_item(tokens: &[Token], start: usize) -> usize {
    const WITH_BODY: [&str; 7] = [
        "fn",
        "mod",
        "struct",
        "enum",
        "impl",
        "trait",
        "macro_rules",
    ];
    let mut at = start;
    let (mut item, mut statement) = (false, false);
    while let Some(token) = tokens.get(at) {
        if token.kind == Kind::Comment {
            at += 1;
            continue;
        }
        if let Some(inside) = attribute(tokens, at) {
            at = inside.end + 1;
            continue;
        }
        match token.text {
            ";" => return at + 1,
            "," if !item => return at + 1,
            ")" | "]" | "}" => return at,
            "{" | "(" | "[" => {
                let behind = behind_group(tokens, at);
                if token.text == "{" && !statement {
                    return behind;
                }
                at = behind;
                continue;
            }
            "use" | "static" | "let" | "type" if !item => statement = true,
            "const" if tokens.get(at + 1).is_some_and(|next| !next.is("fn")) => {
                statement |= !item;
            }
            word if WITH_BODY.contains(&word) => item = true,
            _ => {}
        }
        item |= statement;
        at += 1;
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    fn kinds(source: &str) -> Vec<(Kind, &str)> {
        tokens(source)
            .iter()
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn tells_code_from_comments_and_literals() {
        let source = "a /* x /* y */ */ r#\"b\"c\"# \"d\\\"e\" 'f' 'g b'\\'' 1.5e3 0..9 r#h // i\n";
        let expected = [
            (Kind::Word, "a"),
            (Kind::Comment, "/* x /* y */ */"),
            (Kind::Text, "r#\"b\"c\"#"),
            (Kind::Text, "\"d\\\"e\""),
            (Kind::Character, "'f'"),
            (Kind::Lifetime, "'g"),
            (Kind::Character, "b'\\''"),
            (Kind::Number, "1.5e3"),
            (Kind::Number, "0"),
            (Kind::Mark, "."),
            (Kind::Mark, "."),
            (Kind::Number, "9"),
            (Kind::Word, "r#h"),
            (Kind::Comment, "// i"),
        ];
        assert_eq!(kinds(source), expected);
    }

    #[test]
    fn counts_lines_through_strings() {
        let found = tokens("\"a\nb\"\nc");
        assert_eq!(
            (found[0].line, found[0].last_line(), found[1].line),
            (1, 2, 3)
        );
    }

    #[test]
    fn marks_test_items_and_nothing_behind_them() {
        let source = "
            fn one() {}
            #[cfg(test)] mod tests { fn two() {} }
            fn three() {}
            #[cfg(test)] use four::{five};
            #[test] #[ignore] fn six(a: [u8; 2]) { seven }
            #[cfg(all(test, unix))] const EIGHT: T = T { a };
            #[cfg(not(test))] fn nine() {}
            #[cfg(any(test, fuzzing))] fn ten() {}
            struct Eleven { #[cfg(test)] twelve: A, thirteen: B }
            #[cfg(test)] struct Fourteen<A, B>(A, B);
            fn fifteen() {}";
        let code: Vec<_> = tokens(source)
            .into_iter()
            .filter(|token| token.kind == Kind::Word && !token.test)
            .map(|token| token.text)
            .collect();
        for kept in [
            "one", "three", "nine", "ten", "Eleven", "thirteen", "fifteen",
        ] {
            assert!(code.contains(&kept), "{kept} is no test");
        }
        for test in [
            "two", "four", "five", "six", "seven", "EIGHT", "twelve", "Fourteen",
        ] {
            assert!(!code.contains(&test), "{test} is a test");
        }
    }

    #[test]
    fn marks_whole_files_made_for_tests() {
        assert!(
            tokens("#![cfg(test)] fn a() {}")
                .iter()
                .all(|token| token.test)
        );
        assert!(
            tokens("#![deny(x)] fn a() {}")
                .iter()
                .all(|token| !token.test)
        );
    }

    #[test]
    fn ends_on_unfinished_source() {
        for source in [
            "\"a",
            "r#\"a",
            "/* a",
            "'\\",
            "b'",
            "#[cfg(test)] mod a {",
            "#[",
            "#",
        ] {
            tokens(source);
        }
    }
}
