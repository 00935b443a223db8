//! Which files a provisioning server holds for phones of a profile.

use super::{clauses, is_line, one_line_template};
use crate::format::Format;
use crate::format::catalogue::{ItemKind, Role, Root};
use crate::located::{Reader, Slot, Value};
use crate::profile::template::Template;
use crate::profile::{
    CatalogueContent, CatalogueEntry, CertificateForm, ContentFile, ContentKind, ContentLink,
    ContentVersion, Fetch, LinkForm, Param, Scope,
};

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
    Catalogue,
    Sections,
    References,
    Operations,
    Certificate,
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Settings, "settings"),
    (Kind::Boot, "boot"),
    (Kind::Checksum, "checksum"),
    (Kind::Version, "version"),
    (Kind::Firmware, "firmware"),
    (Kind::Phonebook, "phonebook"),
    (Kind::Catalogue, "catalogue"),
    (Kind::Sections, "sections"),
    (Kind::References, "references"),
    (Kind::Operations, "operations"),
    (Kind::Certificate, "certificate"),
];
const SCOPES: [(Scope, &str); 3] = [
    (Scope::Common, "common"),
    (Scope::Own, "own"),
    (Scope::All, "all"),
];
/// Formats that settings can be written in.
const SETTINGS_FORMATS: [(Format, &str); 5] = [
    (Format::KeyValue, "key-value"),
    (Format::Answer, "answer"),
    (Format::ModuleText, "module-text"),
    (Format::ModuleXml, "module-xml"),
    (Format::ModuleTree, "module-tree"),
];
/// Fields that may hold a file's key.
const KEYS: [(Param, &str); 2] = [
    (Param::DeviceKey, "device_key"),
    (Param::CommonKey, "common_key"),
];

const ROOTS: [(Root, &str); 5] = [
    (Root::Provisioning, "provisioning"),
    (Root::Firmware, "firmware"),
    (Root::Nvm, "nvm"),
    (Root::Scenario, "scenario"),
    (Root::Settings, "settings"),
];
const ENTRIES: [(ItemKind, &str); 7] = [
    (ItemKind::Category(Role::Firmware), "firmware-category"),
    (ItemKind::Category(Role::Nvm), "nvm-category"),
    (ItemKind::Category(Role::Custom), "custom-category"),
    (ItemKind::File(Role::Firmware), "firmware"),
    (ItemKind::File(Role::Nvm), "settings"),
    (ItemKind::Certificate, "certificate"),
    (ItemKind::Redirect, "redirect"),
];
const FORMS: [(LinkForm, &str); 3] = [
    (LinkForm::Absolute, "absolute"),
    (LinkForm::Host, "host"),
    (LinkForm::Relative, "relative"),
];
/// What stands for the version of the fleet's settings.
const SETTINGS_VERSION: &str = "settings";

/// `[content]`: a list of files for each layout; `false` takes an inherited layout away.
pub(super) fn content(slot: &Slot<'_>, fetches: &[Fetch]) -> Vec<ContentFile> {
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
            files.extend(read_layout(layout, &slot, fetches));
        }
    }
    files
}

fn read_layout(layout: &str, slot: &Slot<'_>, fetches: &[Fetch]) -> Vec<ContentFile> {
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
        let (path_slot, path, key) = place(table, fetches);
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
            key,
        }));
    }
    for (slot, of) in checksums {
        if !of.is_empty() && !files.iter().any(|file| file.path == of) {
            slot.unexpected(format!("a path of layout '{layout}'"));
        }
    }
    files
}

/// Where a file is, and which field holds its key: `path` and `key`, or `fetch` with the id of the
/// fetch that asks for it and says both.
fn place<'a>(table: &Reader<'a>, fetches: &[Fetch]) -> (Slot<'a>, Template, Option<Param>) {
    let slot = table.may("fetch");
    if !slot.is_given() {
        let given = table.need("path");
        let path = path(&given);
        return (given, path, table.may("key").word(&KEYS));
    }
    let ids = fetches.iter().enumerate();
    let ids: Vec<_> = ids.map(|(at, fetch)| (at, fetch.id.as_str())).collect();
    let fetch = slot.word(&ids).and_then(|at| fetches.get(at));
    let name = fetch.map_or_else(Template::default, |fetch| fetch.name.clone());
    (slot, name, fetch.and_then(|fetch| fetch.key))
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
        Kind::Catalogue => ContentKind::Catalogue(catalogue(table, path)?),
        Kind::Sections => ContentKind::Sections {
            scope: scope(&table.need("scope"), table, path)?,
            patch: table.may("patch").switch().unwrap_or_default(),
            further: further(&table.may("further")),
        },
        Kind::References => {
            let links = table.need("links").tables();
            ContentKind::References(links.iter().map(link).collect())
        }
        Kind::Operations => {
            let add = table.may("add");
            let delete = table.may("delete").list();
            let delete = delete.iter().filter_map(Slot::text).map(str::to_owned);
            ContentKind::Operations {
                delete: delete.collect(),
                add: add.is_given().then(|| scope(&add, table, path)).flatten(),
            }
        }
        Kind::Certificate => {
            let forms = [(CertificateForm::Pem, "pem"), (CertificateForm::Der, "der")];
            ContentKind::Certificate(table.need("form").word(&forms)?)
        }
    };
    let _ = clauses(table);
    Some(holds)
}

fn settings(table: &Reader<'_>, path: &Template) -> Option<ContentKind> {
    let scope = scope(&table.need("scope"), table, path);
    let format = table.need("format").word(&SETTINGS_FORMATS);
    let (scope, format) = (scope?, format?);
    Some(ContentKind::Settings { scope, format })
}

/// Which settings; a file with a phone's own ones must be that phone's.
fn scope(slot: &Slot<'_>, table: &Reader<'_>, path: &Template) -> Option<Scope> {
    let scope = slot.word(&SCOPES)?;
    if scope != Scope::Common && !path.is_per_phone() && !path.is_typed() {
        table.fault("a file with a phone's own settings needs {mac} or {index} in its path");
    }
    Some(scope)
}

fn catalogue(table: &Reader<'_>, path: &Template) -> Option<CatalogueContent> {
    let settings = table.may("settings");
    let guard = table.may("mac_guard");
    let mac_guard = guard.switch().unwrap_or_default();
    if mac_guard && !path.is_per_phone() {
        guard.fault("a file that names its phone needs {mac} or {index} in its path");
    }
    let version = table.need("version");
    let version = match version.text()? {
        SETTINGS_VERSION => ContentVersion::Settings,
        form => ContentVersion::Form(form.to_owned()),
    };
    let entries = table.may("entries").tables();
    Some(CatalogueContent {
        root: table.need("root").word(&ROOTS)?,
        version,
        mac_guard,
        settings: settings
            .is_given()
            .then(|| scope(&settings, table, path))
            .flatten(),
        entries: entries.iter().filter_map(entry).collect(),
    })
}

fn entry(table: &Reader<'_>) -> Option<CatalogueEntry> {
    let text = |slot: Slot<'_>| slot.text().unwrap_or_default().to_owned();
    let entry = CatalogueEntry {
        kind: table.need("names").word(&ENTRIES)?,
        link: link(table),
        label: text(table.may("label")),
        flags: text(table.may("flags")),
    };
    Some(entry)
}

/// `path` and `form` of a link.
fn link(table: &Reader<'_>) -> ContentLink {
    ContentLink {
        path: path(&table.need("path")),
        form: table
            .need("form")
            .word(&FORMS)
            .unwrap_or(LinkForm::Relative),
    }
}

/// `"key" = "value with {holes}"`
fn further(slot: &Slot<'_>) -> Vec<(String, Template)> {
    let Some(table) = slot.table() else {
        return Vec::new();
    };
    let entries = table.entries();
    entries
        .filter_map(|(entry, slot)| Some((entry.key.clone(), slot.template()?)))
        .collect()
}
