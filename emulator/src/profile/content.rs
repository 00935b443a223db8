//! Which files a provisioning server holds for phones of a profile. Content generators write them;
//! phones never look here.

use super::template::Template;
use super::{Param, Profile};
use crate::format::Format;
use crate::format::catalogue::{ItemKind, Role, Root};

/// A file that a provisioning server holds for phones of this profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentFile {
    /// The layout it belongs to (`flat`, `boot`, …); a fleet uses one layout.
    pub layout: String,
    /// Its path below the fleet's root. A `{mac}` in it makes one file for each phone.
    pub path: Template,
    /// What is in it.
    pub holds: ContentKind,
    /// The field whose key it is encrypted with, where that has one (FAN-43, FAN-45).
    pub key: Option<Param>,
}

impl ContentFile {
    /// True when one such file says everything that a phone must know, and a URL of it is not
    /// taken for a directory's: its name has a suffix (FLY-78, GIG-14).
    #[must_use]
    pub fn is_whole_file(&self) -> bool {
        let name = self.path.source().rsplit('/').next().unwrap_or_default();
        let everything = match &self.holds {
            ContentKind::Settings { scope, .. } | ContentKind::Sections { scope, .. } => {
                *scope == Scope::All
            }
            ContentKind::Catalogue(catalogue) => catalogue.settings == Some(Scope::All),
            _ => false,
        };
        everything && name.contains('.')
    }

    /// True when phones keep the version of their settings that this file gives (GIG-37).
    #[must_use]
    pub fn gives_settings_version(&self) -> bool {
        let ContentKind::Catalogue(catalogue) = &self.holds else {
            return false;
        };
        let lists = |entry: &CatalogueEntry| entry.kind == ItemKind::File(Role::Nvm);
        catalogue.entries.iter().any(lists)
            || catalogue.version == ContentVersion::Settings && catalogue.settings.is_some()
    }
}

/// How phones come to the files of a layout.
impl Profile {
    /// The file of a layout that a URL can name, so that a phone with that URL needs no other: one
    /// that holds everything. None where the phone's own list of requests leads into the layout by
    /// another file (GIG-14): only a URL of the directory shows a phone all of that.
    #[must_use]
    pub fn whole_file(&self, layout: &str) -> Option<&ContentFile> {
        let whole = self.layout(layout).find(|file| file.is_whole_file())?;
        (self.asks_for(whole) || !self.begins_in_directory(layout)).then_some(whole)
    }

    /// The file of a layout whose name a URL must say, since the phone would ask for another one by
    /// itself (FAN-54, FAN-58, FAN-59); none where the directory's URL does (FAN-55).
    #[must_use]
    pub fn named_file(&self, layout: &str) -> Option<&ContentFile> {
        let own = |file: &&ContentFile| match file.holds {
            ContentKind::Settings { scope, .. } => scope != Scope::Common,
            _ => false,
        };
        let file = self.layout(layout).find(own)?;
        (!self.asks_for(file)).then_some(file)
    }

    /// Whether the phone's own list of requests leads into a layout.
    #[must_use]
    pub fn begins_in_directory(&self, layout: &str) -> bool {
        self.layout(layout).any(|file| self.asks_for(file))
    }

    /// The files of a layout.
    pub fn layout(&self, layout: &str) -> impl Iterator<Item = &ContentFile> {
        self.content
            .iter()
            .filter(move |file| file.layout == layout)
    }

    fn asks_for(&self, file: &ContentFile) -> bool {
        let path = file.path.source();
        let names = self.fetches.iter().map(|fetch| fetch.name.source());
        names
            .map(|name| name.trim_start_matches('/'))
            .any(|name| name == path)
    }
}

/// What a content file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentKind {
    /// Settings in a format.
    Settings {
        /// Which settings.
        scope: Scope,
        /// The syntax.
        format: Format,
    },
    /// A boot file with these links, each as written into the file.
    Boot(Vec<Template>),
    /// The MD5 of the file at this path, as `md5sum` prints it.
    Checksum(Template),
    /// A version file that names the fleet's firmware images.
    Version,
    /// A firmware image for this model.
    Firmware,
    /// A phonebook.
    Phonebook,
    /// A document of the catalogue family.
    Catalogue(CatalogueContent),
    /// Settings sections (AUE-48).
    Sections {
        /// Which settings.
        scope: Scope,
        /// The sections are marked `patch="true"` (AUE-51).
        patch: bool,
        /// Settings that are in the file besides: what operations are to take away again.
        further: Vec<(String, Template)>,
    },
    /// A document that names others, each as written into it, with the vendor's markers (AUE-57).
    References(Vec<ContentLink>),
    /// Operations on settings held (AUE-70).
    Operations {
        /// Paths of what is taken away, first.
        delete: Vec<String>,
        /// Which settings are added, then.
        add: Option<Scope>,
    },
    /// An authority's certificate (GIG-46).
    Certificate(CertificateForm),
}

/// Which settings a content file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The fleet's common ones.
    Common,
    /// The phone's own.
    Own,
    /// Both.
    All,
}

/// What a document of the catalogue family holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueContent {
    /// Its root.
    pub root: Root,
    /// Its `version`.
    pub version: ContentVersion,
    /// It names the MAC of its phone (GIG-24).
    pub mac_guard: bool,
    /// Which settings are in it.
    pub settings: Option<Scope>,
    /// Categories, files and steps, in this order.
    pub entries: Vec<CatalogueEntry>,
}

/// The version that a document says it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentVersion {
    /// This text: a form of the file such as `1.0` (GIG-18).
    Form(String),
    /// That of the fleet's settings (GIG-22).
    Settings,
}

/// An item of a catalogue. A file has the version of its role: that of the fleet's settings, or of
/// its firmware; without new firmware there is no such entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// What it is.
    pub kind: ItemKind,
    /// What it names.
    pub link: ContentLink,
    /// `type` of a file, such as `latest` (GIG-27); may be empty.
    pub label: String,
    /// `flags`, such as `FORCE_ACCEPT` (GIG-47); may be empty.
    pub flags: String,
}

/// A link to a file below the fleet's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentLink {
    /// The path there, with the vendor's own markers where phones replace them.
    pub path: Template,
    /// How it is written.
    pub form: LinkForm,
}

/// How a link is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkForm {
    /// The whole URL (GIG-33, AUE-61).
    Absolute,
    /// From the host's root, with a leading `/` (GIG-29, AUE-60).
    Host,
    /// As the path stands: relative to the file that holds the link (AUE-59).
    Relative,
}

/// How a certificate is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateForm {
    /// Text between `BEGIN CERTIFICATE` and `END CERTIFICATE`.
    Pem,
    /// The bytes of X.509.
    Der,
}
