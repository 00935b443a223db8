//! Documents that name others: catalogues, sections, references, operations.

use bootstorm_emulator::format::catalogue::{Entry, ItemKind, Outline, Role};
use bootstorm_emulator::format::sections::{self, Action, OperationDraft};
use bootstorm_emulator::format::{self, Draft, Format};
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{
    CatalogueContent, CatalogueEntry, ContentLink, ContentVersion, LinkForm, Profile, Scope,
};

use super::{Writer, borrowed};

impl Writer<'_> {
    /// A document of the catalogue family.
    pub(super) fn catalogue(&self, profile: &Profile, content: &CatalogueContent) -> Vec<u8> {
        let vars = self.vars();
        let mac = if content.mac_guard {
            colons(&vars)
        } else {
            String::new()
        };
        let settings = content.settings.map(|scope| self.values(scope));
        let settings = settings.unwrap_or_default();
        let fleet = self.plan.fleet(self.phone);
        let settings_version = fleet.map_or("", |fleet| fleet.settings_version.as_str());
        let firmware = fleet.and_then(|fleet| fleet.firmware.as_deref());
        let listed = content.entries.iter().filter_map(|entry| {
            let version = match entry.kind {
                // Without new firmware there is none to name.
                ItemKind::File(Role::Firmware) => firmware?,
                ItemKind::File(_) => settings_version,
                _ => "",
            };
            Some((entry, version, self.link(&entry.link)))
        });
        let listed: Vec<_> = listed.collect();
        let items: Vec<_> = listed.iter().map(item).collect();
        let outline = Outline {
            root: content.root,
            version: match &content.version {
                ContentVersion::Form(form) => form,
                ContentVersion::Settings => settings_version,
            },
            product: &profile.product,
            mac: &mac,
            items: &items,
        };
        let draft = Draft {
            settings: &borrowed(&settings),
            catalogue: Some(&outline),
            ..Draft::default()
        };
        format::write(Format::Catalogue, profile.format, &draft)
    }

    /// Settings sections.
    pub(super) fn sections(
        &self,
        profile: &Profile,
        scope: Scope,
        patch: bool,
        further: &[(String, Template)],
    ) -> Vec<u8> {
        let vars = self.vars();
        let mut settings = self.values(scope);
        let further = further.iter();
        settings.extend(further.map(|(key, value)| (key.clone(), value.text(&vars))));
        let schema = profile.sections.as_deref();
        let known = schema.map_or(&[][..], |schema| &schema.sections);
        let versions: Vec<_> = known
            .iter()
            .map(|section| (section.root.name.as_str(), section.version.to_string()))
            .collect();
        let versions: Vec<_> = versions
            .iter()
            .map(|(name, version)| (*name, version.as_str()))
            .collect();
        sections::write(&sections::Draft {
            settings: &borrowed(&settings),
            versions: &versions,
            patch,
            bare: false,
        })
    }

    /// A document that names others.
    pub(super) fn references(&self, links: &[ContentLink]) -> Vec<u8> {
        let links: Vec<_> = links.iter().map(|link| self.link(link)).collect();
        let links: Vec<_> = links.iter().map(String::as_str).collect();
        sections::write_references(&links)
    }

    /// Operations: what is to go, then for each section what is to come.
    pub(super) fn operations(&self, delete: &[String], add: Option<Scope>) -> Vec<u8> {
        let added = add.map(|scope| self.values(scope)).unwrap_or_default();
        let mut groups: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
        for (key, value) in &added {
            let Some((section, rest)) = key.split_once('/') else {
                continue;
            };
            let path = format!("/{section}/");
            match groups.iter_mut().find(|(known, _)| *known == path) {
                Some((_, content)) => content.push((rest, value)),
                None => groups.push((path, vec![(rest, value)])),
            }
        }
        let gone = delete.iter().map(|path| OperationDraft {
            action: Action::Delete,
            path,
            content: &[],
        });
        let come = groups.iter().map(|(path, content)| OperationDraft {
            action: Action::Add,
            path,
            content,
        });
        let drafts: Vec<_> = gone.chain(come).collect();
        sections::write_operations(&drafts)
    }

    fn link(&self, link: &ContentLink) -> String {
        let path = link.path.text(&self.vars());
        let fleet = self.plan.fleet(self.phone);
        match (link.form, fleet) {
            (LinkForm::Absolute, Some(_)) => {
                let base = self.plan.directory_with_login(self.phone);
                format!("{}{path}", base.text(&self.vars()))
            }
            (LinkForm::Host, Some(fleet)) if fleet.root.is_empty() => format!("/{path}"),
            (LinkForm::Host, Some(fleet)) => format!("/{}/{path}", fleet.root),
            _ => path,
        }
    }
}

fn item<'a>((entry, version, url): &'a (&CatalogueEntry, &str, String)) -> Entry<'a> {
    Entry {
        kind: entry.kind,
        url,
        version,
        label: &entry.label,
        flags: &entry.flags,
    }
}

/// The MAC as catalogues write it (GIG-24).
fn colons(vars: &Vars<'_>) -> String {
    let bytes = vars.mac.0.map(|byte| format!("{byte:02x}"));
    bytes.join(":")
}
