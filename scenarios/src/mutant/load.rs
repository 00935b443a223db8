//! The files of mutants.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstorm_emulator::located::{Faults, Log, Node, Reader, Slot, Value, did_you_mean, nearest};
use regex::bytes::RegexBuilder;

use super::content::FileChange;
use super::edit::{Protocol, bytes_of};
use super::{Change, ContentEdit, Edit, Mutant, Mutants, Side, Which};
use crate::matcher::With;
use crate::wire::Way;
use crate::wire::vocabulary::check_fields;

/// The mutants that come with the program: path and text of each file, found by directory.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// Times that a message is repeated at most.
const REPEAT_MAX: u32 = 1_000;
/// The largest number of a message, and of bytes.
const NUMBER_MAX: u32 = 1 << 30;
/// Bytes of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// The longest sentence about a mutant, in letters.
const WHAT_MAX: usize = 200;

const WAYS: [(Way, &str); 2] = [(Way::Sent, "sent"), (Way::Received, "received")];
/// Keys of an edit that say what is done; one of them stands in it.
const CHANGES: [&str; 11] = [
    "drop",
    "repeat",
    "delay_ms",
    "replace",
    "cut",
    "append",
    "append_hex",
    "whole",
    "whole_hex",
    "set",
    "remove",
];
/// Keys that say what becomes of a file; one of them stands in it.
const FILE_CHANGES: [&str; 13] = [
    "missing",
    "rename",
    "any_case",
    "replace",
    "regex",
    "truncate",
    "set",
    "set_hex",
    "append",
    "append_hex",
    "bom",
    "crlf",
    "upper_case",
];

/// The mutants that come with the program.
///
/// # Errors
/// All faults of their files; none in a program that passed its tests.
pub fn built_in() -> Result<Mutants, Faults> {
    read(BUILT_IN)
}

/// Reads files of mutants, each a name and a text.
///
/// # Errors
/// All faults of all files at once, each with its place.
pub fn read(files: &[(&str, &str)]) -> Result<Mutants, Faults> {
    let log = Log::default();
    let mut list: Vec<Arc<Mutant>> = Vec::new();
    let mut places = BTreeMap::new();
    for (name, text) in files {
        let name = match name.ends_with(".toml") {
            true => (*name).to_owned(),
            false => format!("{name}.toml"),
        };
        let tree = Node::parse(&name, text, &log);
        for mutant in read_tree(&tree, &log) {
            match places.get(&mutant.name) {
                Some(place) => {
                    let message = format!("'{}' is there already: {place}", mutant.name);
                    log.note(mutant.place, message);
                }
                None => {
                    places.insert(mutant.name.clone(), mutant.place.to_string());
                    list.push(Arc::new(mutant));
                }
            }
        }
    }
    let faults = log.into_faults();
    if faults.is_empty() {
        Ok(Mutants::new(list))
    } else {
        Err(faults)
    }
}

/// Reads the mutants of one file from its tree; what is wrong is noted in `log`.
pub(crate) fn read_tree(tree: &Node, log: &Log) -> Vec<Mutant> {
    let root = Reader::new(tree, log);
    let tables = root.need("mutant").tables();
    tables.iter().filter_map(mutant).collect()
}

/// The files of mutants that come with the program.
#[cfg(test)]
pub(crate) fn built_in_files() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

fn mutant(table: &Reader<'_>) -> Option<Mutant> {
    let slot = table.need("name");
    let name = slot.text();
    let side = name.and_then(|name| side(&slot, name));
    let what = what(&table.need("what"));
    let assumed = side.unwrap_or(Side::Server);
    let edits: Vec<_> = table.may("edit").tables();
    let edits: Vec<Edit> = edits.iter().filter_map(|it| edit(it, assumed)).collect();
    let slot = table.may("content");
    if slot.is_given() && side == Some(Side::Phone) {
        slot.fault("'content' of a phone: only servers have files");
    }
    let content = slot.tables();
    let content: Vec<_> = content.iter().filter_map(content_edit).collect();
    let (overlay, removed) = overlay(table, side);
    let given = ["edit", "content", "profile", "profile_remove"];
    if !given.iter().any(|key| table.may(key).is_given()) {
        table.fault(format!(
            "a mutant that does nothing (expected one of {})",
            given.join(", ")
        ));
    }
    Some(Mutant {
        name: name?.to_owned(),
        what,
        side: side?,
        edits,
        content,
        overlay,
        removed,
        place: table.place(),
    })
}

/// `server/area/words` or `phone/vendor/words`.
fn side(slot: &Slot<'_>, name: &str) -> Option<Side> {
    let letters = |word: &str| {
        let mut bytes = word.bytes();
        !word.is_empty()
            && bytes.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it))
    };
    let words: Vec<&str> = name.split('/').collect();
    let side = match words.as_slice() {
        [side, rest @ ..] if rest.len() >= 2 && rest.iter().all(|word| letters(word)) => {
            let mut all = Side::ALL.into_iter();
            all.find(|(_, word)| word == side).map(|(side, _)| side)
        }
        _ => None,
    };
    if side.is_none() {
        slot.unexpected(
            "server/area/words or phone/vendor/words, in small letters, digits, - and .",
        );
    }
    side
}

fn what(slot: &Slot<'_>) -> String {
    let what = slot.text().unwrap_or_default();
    let fine = !what.is_empty() && !what.contains(['\n', '\r']);
    if slot.is_given() && (!fine || what.chars().count() > WHAT_MAX) {
        slot.unexpected(format!("one sentence of at most {WHAT_MAX} letters"));
    }
    what.to_owned()
}

fn overlay(table: &Reader<'_>, side: Option<Side>) -> (Option<Node>, Vec<String>) {
    let slot = table.may("profile");
    let removed = table.may("profile_remove");
    for slot in [&slot, &removed] {
        if slot.is_given() && side == Some(Side::Server) {
            slot.fault(format!(
                "'{}' of a server: only phones have profiles",
                slot.name()
            ));
        }
    }
    // What the keys mean is said by the profile that they are laid over.
    let keys = slot.table();
    let known = keys.map(|keys| keys.entries().count());
    (known.and(slot.node().cloned()), removed.texts())
}

fn edit(table: &Reader<'_>, side: Side) -> Option<Edit> {
    let slot = table.need("message");
    let message = slot.text().unwrap_or_default();
    let protocol = protocol(&slot, message);
    if protocol != Some(Protocol::Ftp) {
        // The control connection of FTP has messages of its own here.
        check_fields(&table.may("with"), message);
    }
    let with = With::read(&table.may("with"));
    for (field, matcher) in with.fields() {
        if side == Side::Server && !matcher.is_constant() {
            let what = format!("'with.{field}' has a hole: a server knows no phone's words");
            table.may("with").fault(what);
        }
    }
    let which = which(table);
    let length = table.may("length");
    let keep_length = length
        .word(&[(true, "keep"), (false, "right")])
        .unwrap_or(false);
    let close = table.may("close").switch().unwrap_or(false);
    let change = change(table, protocol, close);
    if protocol.is_some_and(|it| !it.has_head()) {
        let closed = table.may("close");
        let closed = (protocol != Some(Protocol::Ftp)).then_some(closed);
        for slot in [Some(length), closed].into_iter().flatten() {
            if slot.is_given() {
                slot.fault(format!("'{}' goes with http and sip only", slot.name()));
            }
        }
    }
    protocol?;
    Some(Edit {
        message: message.to_owned(),
        with,
        way: table.may("way").word(&WAYS).unwrap_or(Way::Sent),
        which,
        change: change?,
        keep_length,
        close,
    })
}

/// `only = 1`, `after = 2` or `again = true`
fn which(table: &Reader<'_>) -> Which {
    let (only, after, again) = (table.may("only"), table.may("after"), table.may("again"));
    let given = [
        only.number(1..=NUMBER_MAX).map(Which::Only),
        after.number(1..=NUMBER_MAX).map(Which::From),
        again
            .is_given()
            .then(|| on(&again))
            .flatten()
            .map(|()| Which::Again),
    ];
    let mut given = given.into_iter().flatten();
    let which = given.next().unwrap_or(Which::All);
    if given.next().is_some() {
        after.fault("two of 'only', 'after' and 'again' in one edit");
    }
    which
}

/// The protocol of a message's name, which is to be one.
fn protocol(slot: &Slot<'_>, message: &str) -> Option<Protocol> {
    if !slot.is_given() {
        let _ = slot.text();
        return None;
    }
    let (word, kind) = message.split_once('.').unwrap_or((message, ""));
    let Some(protocol) = Protocol::of(message) else {
        let known = Protocol::ALL.map(|(_, word)| word);
        let hint = did_you_mean(nearest(word, known));
        let known = known.join(", ");
        slot.fault(format!(
            "'{message}' is no message that can be edited: {known}{hint}"
        ));
        return None;
    };
    let kinds = protocol.kinds();
    let plain = |kind: &str| !kind.is_empty() && kind.bytes().all(|it| it.is_ascii_lowercase());
    let known = kind == "*" || kinds.contains(&kind) || kinds.is_empty() && plain(kind);
    if !known {
        let near = nearest(kind, kinds.iter().copied());
        let hint = did_you_mean(near.map(|near| format!("{word}.{near}")));
        slot.fault(format!("'{message}' is no message{hint}"));
    }
    known.then_some(protocol)
}

/// The one thing that an edit does.
fn change(table: &Reader<'_>, protocol: Option<Protocol>, close: bool) -> Option<Change> {
    let slots = CHANGES.map(|key| (key, table.may(key)));
    let mut given = slots.into_iter().filter(|(_, slot)| slot.is_given());
    let Some((key, slot)) = given.next() else {
        if !close {
            let known = CHANGES.join(", ");
            table.fault(format!(
                "an edit that does nothing (expected one of {known}, close)"
            ));
        }
        return close.then_some(Change::Nothing);
    };
    for (other, slot) in given {
        slot.fault(format!(
            "'{key}' and '{other}' in one edit (write two edits)"
        ));
    }
    match key {
        "drop" => on(&slot).map(|()| Change::Drop),
        "repeat" => slot.number(1..=REPEAT_MAX).map(Change::Repeat),
        "delay_ms" => slot.duration().map(Change::Delay),
        "replace" => pair(&slot).map(|(from, to)| Change::Replace(from, to)),
        "cut" => {
            let most = i64::from(NUMBER_MAX);
            let length = slot.number(-most..=most)?;
            let bytes = usize::try_from(length.unsigned_abs()).ok()?;
            Some(match length < 0 {
                true => Change::CutEnd(bytes),
                false => Change::Cut(bytes),
            })
        }
        "append" => Some(Change::Append(slot.text()?.as_bytes().to_vec())),
        "append_hex" => hex(&slot).map(Change::Append),
        "whole" => Some(Change::Whole(slot.text()?.as_bytes().to_vec())),
        "whole_hex" => hex(&slot).map(Change::Whole),
        "set" => set(&slot, protocol),
        _ => {
            let field = slot.text()?;
            refused(&slot, protocol, field, None);
            Some(Change::Remove(field.to_owned()))
        }
    }
}

/// `{ field = value, … }`
fn set(slot: &Slot<'_>, protocol: Option<Protocol>) -> Option<Change> {
    let table = slot.table()?;
    let mut fields = Vec::new();
    for (entry, slot) in table.entries() {
        let value = match slot.value() {
            Some(Value::Whole(number)) => number.to_string(),
            Some(Value::Switch(on)) => on.to_string(),
            _ => match slot.text() {
                Some(text) => text.to_owned(),
                None => continue,
            },
        };
        refused(&slot, protocol, &entry.key, Some(&value));
        fields.push((entry.key.clone(), value));
    }
    Some(Change::Set(fields))
}

fn refused(slot: &Slot<'_>, protocol: Option<Protocol>, field: &str, value: Option<&str>) {
    let Some(expected) = protocol.and_then(|protocol| protocol.refuses(field, value)) else {
        return;
    };
    let words = expected
        .split([' ', ',', ';'])
        .filter(|word| word.len() > 2);
    let hint = nearest(field, words)
        .filter(|near| *near != field)
        .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let does = match value {
        Some(value) => format!("'{field}' cannot be set to '{value}'"),
        None => format!("'{field}' cannot be taken out"),
    };
    slot.fault(format!("{does} (expected {expected}{hint})"));
}

fn content_edit(table: &Reader<'_>) -> Option<ContentEdit> {
    let file = table.need("file").text();
    let slots = FILE_CHANGES.map(|key| (key, table.may(key)));
    let mut given = slots.iter().filter(|(_, slot)| slot.is_given());
    let Some((key, slot)) = given.next() else {
        let known = FILE_CHANGES.join(", ");
        table.fault(format!(
            "nothing becomes of the file (expected one of {known})"
        ));
        return None;
    };
    for (other, slot) in given {
        slot.fault(format!("'{key}' and '{other}' of one file (write two)"));
    }
    let text = || slot.text().map(|text| text.as_bytes().to_vec());
    let change = match *key {
        "missing" => on(slot).map(|()| FileChange::Missing),
        "any_case" => on(slot).map(|()| FileChange::AnyCase),
        "bom" => on(slot).map(|()| FileChange::ByteOrderMark),
        "crlf" => on(slot).map(|()| FileChange::CrLf),
        "upper_case" => on(slot).map(|()| FileChange::UpperCase),
        "rename" => rename(slot, file.unwrap_or_default()),
        "replace" => pair(slot).map(|(from, to)| FileChange::Replace(from, to)),
        "regex" => expression(slot),
        "truncate" => {
            let length = slot.number(0..=NUMBER_MAX);
            length.map(|length| FileChange::Truncate(length as usize))
        }
        "set" => text().map(FileChange::Whole),
        "set_hex" => hex(slot).map(FileChange::Whole),
        "append" => text().map(FileChange::Append),
        _ => hex(slot).map(FileChange::Append),
    };
    Some(ContentEdit {
        file: file?.to_owned(),
        change: change?,
    })
}

fn rename(slot: &Slot<'_>, file: &str) -> Option<FileChange> {
    let to = slot.text()?;
    if to.matches('*').count() != file.matches('*').count() {
        slot.fault(format!("'{}' has not as many * as 'file'", slot.name()));
    }
    Some(FileChange::Rename(to.to_owned()))
}

/// `["expression", "text"]`
fn expression(slot: &Slot<'_>) -> Option<FileChange> {
    let (source, to) = pair(slot)?;
    let source = String::from_utf8_lossy(&source).into_owned();
    match RegexBuilder::new(&source)
        .size_limit(REGEX_BYTES_MAX)
        .build()
    {
        Ok(regex) => Some(FileChange::Regex(regex, to)),
        Err(fault) => {
            let fault = fault.to_string();
            let line = fault.lines().last().unwrap_or_default();
            slot.fault(format!(
                "'{}': {}",
                slot.name(),
                line.trim_start_matches("error: ")
            ));
            None
        }
    }
}

/// `["from", "to"]`
fn pair(slot: &Slot<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let texts = slot.texts();
    match texts.as_slice() {
        [from, to] if !from.is_empty() => Some((from.as_bytes().to_vec(), to.as_bytes().to_vec())),
        _ => {
            slot.fault(format!("'{}' is not [\"from\", \"to\"]", slot.name()));
            None
        }
    }
}

/// `true`
fn on(slot: &Slot<'_>) -> Option<()> {
    match slot.switch()? {
        true => Some(()),
        false => {
            slot.unexpected("true");
            None
        }
    }
}

fn hex(slot: &Slot<'_>) -> Option<Vec<u8>> {
    slot.parsed("bytes as hexadecimal digits", bytes_of)
}
