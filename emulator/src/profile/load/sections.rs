//! The table of settings sections.

use std::sync::Arc;

use super::clauses;
use crate::format::sections::VERSION;
use crate::located::{Reader, Slot, Value};
use crate::profile::sections::{
    Change, Element, Migration, SCHEMA_DEPTH_MAX, Schema, Section, ValueType, Version,
};

/// Keys of the table that are no sections.
const RESERVED: [&str; 5] = [
    "merge_unmarked",
    "only_delete",
    "strict_paths",
    "strict_markers",
    "clauses",
];
const PATH: &str = "names with '/' between them, an attribute as '@name' at the end";

/// Reads `[sections]`; `None` without it.
pub(in crate::profile) fn sections(slot: &Slot<'_>) -> Option<Arc<Schema>> {
    if !slot.is_given() {
        return None;
    }
    let table = slot.table()?;
    let switch = |key: &str| table.may(key).switch().unwrap_or_default();
    let readings = Schema {
        merge_unmarked: switch("merge_unmarked"),
        only_delete: switch("only_delete"),
        strict_paths: switch("strict_paths"),
        strict_markers: switch("strict_markers"),
        ..Schema::default()
    };
    let clauses = clauses(&table);
    let entries = table.entries();
    let named = entries.filter(|(entry, _)| !RESERVED.contains(&entry.key.as_str()));
    let sections = named.filter_map(|(entry, slot)| {
        if !is_name(&entry.key) {
            slot.fault(format!("'{}' is no element's name", entry.key));
        }
        section(&entry.key, &slot)
    });
    Some(Arc::new(Schema {
        sections: sections.collect(),
        clauses,
        ..readings
    }))
}

fn section(name: &str, slot: &Slot<'_>) -> Option<Section> {
    let table = slot.table()?;
    let _ = clauses(&table);
    let version = version(&table.need("version"));
    let mut root = Element {
        name: name.to_owned(),
        ..Element::default()
    };
    let own = format!("@{VERSION}");
    place(&mut root, &[own], |own| own.value = ValueType::Line);
    let elements = table.need("elements").table();
    for (entry, slot) in elements.iter().flat_map(Reader::entries) {
        element(&mut root, &entry.key, &slot);
    }
    let mut migrations: Vec<Migration> = Vec::new();
    for table in table.may("migrations").tables() {
        let migration = migration(&table);
        let earlier = migrations.last().map(|last| last.to);
        if earlier.is_some_and(|earlier| earlier >= migration.to) || migration.to > version {
            let to = table.need("to");
            to.fault(format!(
                "'{}' is not between the one before it and the section's version",
                to.name()
            ));
        }
        migrations.push(migration);
    }
    Some(Section {
        version,
        root,
        migrations,
    })
}

fn version(slot: &Slot<'_>) -> Version {
    slot.parsed("a version such as 1.34.0", Version::parse)
        .unwrap_or_default()
}

/// One line of `elements`: a type, or a table of more.
fn element(root: &mut Element, path: &str, slot: &Slot<'_>) {
    let Some(path) = parse_path(path).filter(|path| path.len() <= SCHEMA_DEPTH_MAX) else {
        let name = slot.name();
        let most = SCHEMA_DEPTH_MAX;
        slot.fault(format!("'{name}': expected {PATH}, at most {most} of them"));
        return;
    };
    let (mut required, mut repeat, mut value) = (false, false, ValueType::Text);
    if matches!(slot.value(), Some(Value::Text(_))) {
        value = kind(slot);
    } else if let Some(table) = slot.table() {
        required = table.may("required").switch().unwrap_or_default();
        repeat = table.may("repeat").switch().unwrap_or_default();
        value = value_type(&table);
    }
    place(root, &path, |known| {
        known.required = required;
        known.repeat = repeat;
        known.value = value;
        if known.value != ValueType::Text && !known.children.is_empty() {
            slot.fault(format!("'{}' has children and a type", slot.name()));
        }
    });
}

fn kind(slot: &Slot<'_>) -> ValueType {
    let words = [(0, "text"), (1, "line"), (2, "switch"), (3, "time")];
    match slot.word(&words) {
        Some(1) => ValueType::Line,
        Some(2) => ValueType::Switch,
        Some(3) => ValueType::Time,
        _ => ValueType::Text,
    }
}

fn value_type(table: &Reader<'_>) -> ValueType {
    let (range, words) = (table.may("range"), table.may("words"));
    let kind_slot = table.may("type");
    let given = [&range, &words, &kind_slot];
    if given.iter().filter(|slot| slot.is_given()).count() > 1 {
        kind_slot.fault("'type', 'range' and 'words' exclude each other");
    }
    if range.is_given() {
        let bounds = range.list();
        let bounds = bounds.iter().map(|item| item.number(i64::MIN..=i64::MAX));
        let bounds: Vec<i64> = bounds.flatten().collect();
        if let [least, most] = *bounds.as_slice()
            && least <= most
        {
            return ValueType::Number(least, most);
        }
        range.fault("'range' is not [least, most]");
    }
    if words.is_given() {
        let list = words.texts();
        if list.is_empty() {
            words.fault("'words' has no word");
        }
        return ValueType::Words(list);
    }
    if kind_slot.is_given() {
        kind(&kind_slot)
    } else {
        ValueType::Text
    }
}

fn migration(table: &Reader<'_>) -> Migration {
    let _ = clauses(table);
    let to = version(&table.need("to"));
    let mut steps = Vec::new();
    let path = |slot: &Slot<'_>, text: &str| {
        let path = parse_path(text);
        if path.is_none() {
            slot.fault(format!("'{}': expected {PATH}", slot.name()));
        }
        path
    };
    let renamed = table.may("rename");
    let renamed = renamed.is_given().then(|| renamed.table()).flatten();
    for (entry, slot) in renamed.iter().flat_map(Reader::entries) {
        let is_attribute = |text: &str| text.starts_with('@');
        let new = slot.parsed("the new last name of the path", |text| {
            let last = entry.key.rsplit('/').next().unwrap_or_default();
            let alike = is_attribute(last) == is_attribute(text);
            let name = is_name(text.strip_prefix('@').unwrap_or(text));
            (alike && name).then(|| text.to_owned())
        });
        if let (Some(path), Some(to)) = (path(&slot, &entry.key), new) {
            steps.push(Change::Rename { path, to });
        }
    }
    let dropped = table.may("drop");
    if dropped.is_given() {
        for slot in dropped.list() {
            let path = slot.text().and_then(|text| path(&slot, text));
            steps.extend(path.map(|path| Change::Drop { path }));
        }
    }
    let filled = table.may("default");
    let filled = filled.is_given().then(|| filled.table()).flatten();
    for (entry, slot) in filled.iter().flat_map(Reader::entries) {
        let value = slot.text().map(str::to_owned);
        if let (Some(path), Some(value)) = (path(&slot, &entry.key), value) {
            steps.push(Change::Default { path, value });
        }
    }
    Migration { to, steps }
}

fn parse_path(text: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
    let (last, parents) = parts.split_last()?;
    let whole = is_name(last.strip_prefix('@').unwrap_or(last));
    (whole && parents.iter().all(|name| is_name(name))).then_some(parts)
}

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(inner)
}

/// Sets the element or attribute at a path; what leads there is made where it is missing.
fn place(at: &mut Element, path: &[String], set: impl FnOnce(&mut Element)) {
    let Some((name, rest)) = path.split_first() else {
        return set(at);
    };
    let (list, name) = match name.strip_prefix('@') {
        Some(attribute) => (&mut at.attributes, attribute),
        None => (&mut at.children, name.as_str()),
    };
    let known = list.iter().position(|other| other.name == name);
    let index = known.unwrap_or(list.len());
    if known.is_none() {
        list.push(Element {
            name: name.to_owned(),
            ..Element::default()
        });
    }
    if let Some(next) = list.get_mut(index) {
        place(next, rest, set);
    }
}

#[cfg(test)]
mod tests;
