//! What a case starts from: `[base]` with the case's `given` laid over it, read as a scenario, and
//! the files that lie in place of generated ones.

use bootstorm_emulator::located::{Entry, Node, Reader, Slot, Span, Value};

use super::Bytes;
use crate::matcher::Pattern;

/// Bytes of one file that a case gives.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one file that is filled: more than 65,536 blocks of 512 bytes.
const FILLED_BYTES_MAX: usize = 64 << 20;
/// Keys of `given` that are no part of a scenario.
const NOT_SCENARIO: [&str; 3] = ["files", "moved", "server"];

/// A file that a case puts on the server, or takes away.
#[derive(Debug, Clone)]
pub struct GivenFile {
    /// Its path below the server's root, with the phone's holes; of a case about a server, below
    /// the root of its fleet.
    pub path: Pattern,
    /// What it holds; `None` = it is not there.
    pub bytes: Option<Bytes>,
}

/// A file that is asked for in one place and lies in another: the server answers with a redirect
/// (RFC 9110 §15.4).
#[derive(Debug, Clone)]
pub struct Moved {
    /// Where it is asked for, below the root of the fleet, with the phone's holes.
    pub from: Pattern,
    /// Where it lies, as `from`.
    pub to: Pattern,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// What a case says besides `given` that its scenario needs.
pub(crate) struct Words<'a> {
    pub(crate) id: &'a str,
    pub(crate) profile: &'a str,
    pub(crate) phones: Option<i64>,
    pub(crate) steps: Vec<Node>,
}

/// The tree of a case's scenario: base, `given` over it, and what the case says itself. Without a
/// fleet there is none.
pub(super) fn scenario(case: &Node, base: Option<&Node>, words: Words<'_>) -> Option<Node> {
    let given = case.get("given").cloned().map(without_files);
    laid_over_base(given, base, &case.span, words)
}

/// The tree of a scenario of one fleet: what is given over what it is based on, with these words.
pub(crate) fn laid_over_base(
    given: Option<Node>,
    base: Option<&Node>,
    span: &Span,
    words: Words<'_>,
) -> Option<Node> {
    let tree = match (given, base.cloned()) {
        (Some(given), Some(base)) => given.inherit(base),
        (Some(tree), None) | (None, Some(tree)) => tree,
        (None, None) => return None,
    };
    let entry = |key: &str, value: Value| Entry {
        key: key.to_owned(),
        span: span.clone(),
        node: Node {
            value,
            span: span.clone(),
        },
    };
    let mut entries = tree.entries().to_vec();
    let fleet = entries.iter_mut().find(|entry| entry.key == "fleet")?;
    if let Value::Table(own) = &mut fleet.node.value {
        let lacks = |own: &[Entry], key: &str| own.iter().all(|entry| entry.key != key);
        if lacks(own, "name") {
            own.push(entry("name", Value::Text("phones".to_owned())));
        }
        if let Some(phones) = words.phones {
            own.retain(|entry| entry.key != "phones");
            own.push(entry("phones", Value::Whole(phones)));
        } else if lacks(own, "phones") {
            own.push(entry("phones", Value::Whole(1)));
        }
        if lacks(own, "profiles") {
            let weight = entry(words.profile, Value::Whole(1));
            own.push(entry("profiles", Value::Table(vec![weight])));
        }
        let table = std::mem::replace(&mut fleet.node.value, Value::Switch(false));
        let place = fleet.node.span.clone();
        let table = Node {
            value: table,
            span: place,
        };
        fleet.node.value = Value::List(vec![table]);
    }
    if entries.iter().all(|entry| entry.key != "name") {
        entries.push(entry("name", Value::Text(words.id.to_owned())));
    }
    if !words.steps.is_empty() {
        entries.push(entry("step", Value::List(words.steps)));
    }
    Some(Node {
        value: Value::Table(entries),
        span: tree.span,
    })
}

fn without_files(given: Node) -> Node {
    let span = given.span.clone();
    match given.value {
        Value::Table(mut entries) => {
            entries.retain(|entry| !NOT_SCENARIO.contains(&entry.key.as_str()));
            Node {
                value: Value::Table(entries),
                span,
            }
        }
        value => Node { value, span },
    }
}

/// `given.files`
pub(super) fn files(slot: &Slot<'_>) -> Vec<GivenFile> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let files = table.entries().filter_map(|(entry, slot)| {
        let path = path(entry, &table)?;
        let bytes = held(&slot)?;
        Some(GivenFile { path, bytes })
    });
    files.collect()
}

/// `given.moved = { "old.cfg" = { to = "new.cfg", status = 302 } }`
pub(super) fn moved(slot: &Slot<'_>) -> Vec<Moved> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let moved = table.entries().filter_map(|(entry, slot)| {
        let from = path(entry, &table)?;
        let place = slot.table()?;
        let (to, status) = (place.need("to"), place.need("status"));
        if to.text().is_some_and(|to| !is_below(to)) {
            to.unexpected("a path below the root");
        }
        let status = status.number(301..=308_u16)?;
        if matches!(status, 304..=306) {
            place.need("status").unexpected("301, 302, 303, 307 or 308");
        }
        let to = Pattern::read(&to)?;
        Some(Moved { from, to, status })
    });
    moved.collect()
}

/// The key of a table of files: a path below the root.
fn path(entry: &Entry, table: &Reader<'_>) -> Option<Pattern> {
    let note = |message| table.log().note(entry.span.place(), message);
    let path = match Pattern::parse(&entry.key) {
        Ok(path) => path,
        Err(fault) => {
            note(format!("'{}': {}", entry.key, fault.what));
            return None;
        }
    };
    if !is_below(&entry.key) {
        note(format!(
            "'{}' begins with a slash or has '..' in it (expected a path below the root)",
            entry.key
        ));
    }
    Some(path)
}

fn is_below(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && !path.contains("..")
}

fn held(slot: &Slot<'_>) -> Option<Option<Bytes>> {
    match slot.value() {
        Some(Value::Text(_)) => Some(Some(Bytes::Text(Pattern::read(slot)?))),
        Some(Value::Table(_)) => in_table(&slot.table()?),
        _ => {
            slot.unexpected("a text, or a table with raw, hex, base64, fill or missing");
            None
        }
    }
}

fn in_table(table: &Reader<'_>) -> Option<Option<Bytes>> {
    let missing = table.may("missing");
    let (fill, length) = (table.may("fill"), table.may("bytes"));
    if fill.is_given() {
        return filled(table, &fill, &length);
    }
    if length.is_given() {
        length.fault("'bytes' without 'fill'");
    }
    let coded = [
        ("raw", as_is as fn(&str) -> Option<Vec<u8>>, "a text"),
        ("hex", hex, "pairs of hexadecimal digits"),
        ("base64", base64, "base64 (RFC 4648)"),
    ];
    let slots = coded.map(|(key, read, expected)| (table.may(key), read, expected));
    let given = slots.iter().filter(|(slot, ..)| slot.is_given()).count();
    if given + usize::from(missing.is_given()) != 1 {
        table.fault("a file has one of raw, hex, base64, fill and missing");
        return None;
    }
    if let Some(gone) = missing.switch() {
        if !gone {
            missing.unexpected("true");
        }
        return Some(None);
    }
    let (slot, read, expected) = slots.iter().find(|(slot, ..)| slot.is_given())?;
    let bytes = slot.parsed(expected, read)?;
    if bytes.len() > FILE_BYTES_MAX {
        slot.fault(format!("file is longer than {FILE_BYTES_MAX} bytes"));
    }
    Some(Some(Bytes::Raw(bytes)))
}

/// `{ fill = "text", bytes = 1000 }`
fn filled(table: &Reader<'_>, fill: &Slot<'_>, length: &Slot<'_>) -> Option<Option<Bytes>> {
    for key in ["missing", "raw", "hex", "base64"] {
        let other = table.may(key);
        if other.is_given() {
            other.fault(format!("'{}' beside 'fill'", other.name()));
        }
    }
    let text = fill.text()?.as_bytes().to_vec();
    if text.is_empty() {
        fill.unexpected("a text that is not empty");
        return None;
    }
    if !length.is_given() {
        length.unexpected("the length of the file");
    }
    let bytes = length.number(0..=FILLED_BYTES_MAX)?;
    Some(Some(Bytes::Fill { text, bytes }))
}

fn as_is(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

/// Bytes written as hexadecimal digits; blanks and line breaks between them are passed over.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| {
            letter
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let bytes = pairs.map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit));
    whole.then(|| bytes.collect())
}

/// Bytes in base64 (RFC 4648 §4), padded or not; blanks and line breaks are passed over.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    let letters: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    let letters = letters.trim_end_matches('=');
    for letter in letters.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    (letters.len() % 4 != 1 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bytes_as_hexadecimal_digits_and_as_base64() {
        assert_eq!(hex("00 ff\n7E").as_deref(), Some(&[0, 255, 126][..]));
        assert_eq!(hex("0"), None);
        assert_eq!(hex("0g"), None);
        for (text, bytes) in [("Zm9vYmE=", "fooba"), ("Zm9v\nYmFy", "foobar"), ("Zg", "f")] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for wrong in ["Z", "Zm9vY", "Zm9*", "Zh"] {
            assert_eq!(base64(wrong), None, "{wrong}");
        }
    }
}
