//! Which files a provisioning server holds for phones of a profile.

use super::{clauses, is_line, one_line_template};
use crate::format::Format;
use crate::located::{Reader, Slot, Value};
use crate::profile::template::Template;
use crate::profile::{ContentFile, ContentKind, Scope};

/// Files of one layout.
const FILES_MAX: usize = 64;

/// What a file holds, as a profile names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Settings,
    Boot,
    Checksum,
    Version,
    Firmware,
    Phonebook,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Settings, "settings"),
    (Kind::Boot, "boot"),
    (Kind::Checksum, "checksum"),
    (Kind::Version, "version"),
    (Kind::Firmware, "firmware"),
    (Kind::Phonebook, "phonebook"),
];
const SCOPES: [(Scope, &str); 3] = [
    (Scope::Common, "common"),
    (Scope::Own, "own"),
    (Scope::All, "all"),
];
/// Formats that settings can be written in.
const SETTINGS_FORMATS: [(Format, &str); 2] =
    [(Format::KeyValue, "key-value"), (Format::Answer, "answer")];

/// `[content]`: a list of files for each layout; `false` takes an inherited layout away.
pub(super) fn content(slot: &Slot<'_>) -> Vec<ContentFile> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for (entry, slot) in table.entries() {
        let layout = entry.key.as_str();
        if !is_line(layout) {
            slot.fault("a layout has no name");
        }
        if !matches!(slot.value(), Some(Value::Switch(false))) {
            files.extend(read_layout(layout, &slot));
        }
    }
    files
}

fn read_layout(layout: &str, slot: &Slot<'_>) -> Vec<ContentFile> {
    let items = slot.tables();
    if items.is_empty() || items.len() > FILES_MAX {
        slot.fault(format!(
            "layout '{layout}' has {} files (expected 1 to {FILES_MAX})",
            items.len()
        ));
    }
    let mut files: Vec<ContentFile> = Vec::new();
    let mut checksums: Vec<(Slot<'_>, Template)> = Vec::new();
    for table in &items {
        let path_slot = table.need("path");
        let path = path(&path_slot);
        if files.iter().any(|file| file.path == path) {
            path_slot.fault(format!("path stands twice in layout '{layout}'"));
        }
        let holds = holds(table, &path);
        if let Some(ContentKind::Checksum(of)) = &holds {
            checksums.push((table.need("of"), of.clone()));
        }
        files.extend(holds.map(|holds| ContentFile {
            layout: layout.to_owned(),
            path,
            holds,
        }));
    }
    for (slot, of) in checksums {
        if !of.is_empty() && !files.iter().any(|file| file.path == of) {
            slot.unexpected(format!("a path of layout '{layout}'"));
        }
    }
    files
}

/// A path below the fleet's root: it may have spaces, but nothing that leads out of the root.
fn path(slot: &Slot<'_>) -> Template {
    let template = one_line_template(slot);
    let text = template.source();
    let inside = !text.is_empty()
        && !text.contains('\\')
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if slot.is_given() && !inside {
        slot.unexpected("a path below the fleet's root, without '..', '\\' and '/' at either end");
    }
    template
}

fn holds(table: &Reader<'_>, path: &Template) -> Option<ContentKind> {
    let kind = table.need("holds").word(&KINDS);
    // Keys of other kinds are asked for only where they belong, so that they are unknown elsewhere.
    let holds = match kind? {
        Kind::Settings => settings(table, path)?,
        Kind::Boot => {
            let links = table.need("links").list();
            ContentKind::Boot(links.iter().map(one_line_template).collect())
        }
        Kind::Checksum => ContentKind::Checksum(self::path(&table.need("of"))),
        Kind::Version => ContentKind::Version,
        Kind::Firmware => ContentKind::Firmware,
        Kind::Phonebook => ContentKind::Phonebook,
    };
    let _ = clauses(table);
    Some(holds)
}

fn settings(table: &Reader<'_>, path: &Template) -> Option<ContentKind> {
    let scope = table.need("scope").word(&SCOPES);
    let format = table.need("format").word(&SETTINGS_FORMATS);
    let (scope, format) = (scope?, format?);
    if scope != Scope::Common && !path.is_per_phone() {
        table
            .need("path")
            .fault("a file with a phone's own settings needs {mac} or {index} in its path");
    }
    Some(ContentKind::Settings { scope, format })
}
