//! Documents: bytes ⇄ settings, links, version, with line numbers. Each module reads and writes
//! its own syntax.

pub mod answer;
pub mod bootfile;
pub mod checksum;
pub mod keyvalue;
pub mod version;

use crate::event::LineReason;
use crate::names::{Name, Names};

/// A syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `key=value` lines.
    KeyValue,
    /// A boot file: `include:config <…>` lines.
    Boot,
    /// A checksum file.
    Checksum,
    /// A firmware version file: `key="value"` lines naming images.
    Version,
    /// The answer of the HTTP sibling method: `key="value"` lines, XML elements, or an encrypted
    /// profile, told apart by content.
    Answer,
    /// Stored, not read.
    Opaque,
}

impl Format {
    /// Every format with the name that profiles use.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::KeyValue, "key-value"),
        (Self::Boot, "boot"),
        (Self::Checksum, "checksum"),
        (Self::Version, "version"),
        (Self::Answer, "answer"),
        (Self::Opaque, "opaque"),
    ];
}

/// How a vendor reads its documents; the readings that the documents leave open are named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FormatOptions {
    /// A value in double quotes is taken without them (PND-15); otherwise quotes belong to it.
    pub quoted: bool,
    /// An empty value clears the stored one; otherwise it leaves it as it is (FLY-29).
    pub empty_clears: bool,
    /// A boot file may include boot files; otherwise such lines are ignored (FLY-24).
    pub nested_boot: bool,
}

/// A parsed document, independent of phone and model; shared by all phones that got these bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Whether the bytes were of the expected format at all.
    pub reading: Reading,
    /// The settings, ordered by key number, one per key (a later line wins).
    pub settings: Box<[Setting]>,
    /// The texts that settings, links and version point into.
    pub text: Box<str>,
    /// Links to further documents, in file order.
    pub links: Box<[Link]>,
    /// A checksum file's digest.
    pub checksum: Option<[u8; 16]>,
    /// A version file's version.
    pub version: Option<Span>,
    /// Lines that were not taken over.
    pub faults: LineFaults,
}

/// Whether bytes were of the expected format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Yes (faulty lines may still be in it).
    #[default]
    Whole,
    /// Recognised as encrypted, no key.
    Encrypted,
    /// Something else: an HTML error page, binary data, nothing that the format allows.
    Foreign,
}

/// A piece of `Document::text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub length: u32,
}

/// One setting: 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The interned key.
    pub key: Name,
    /// The value's text.
    pub value: Span,
    /// Line number in the file, from 1.
    pub line: u32,
    /// Index into the owning layer's files; 0 in a document read from one file.
    pub file: u32,
}

/// One link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The URL as written.
    pub url: Span,
    /// Line number, from 1.
    pub line: u32,
    /// The format of what it points at.
    pub format: Format,
}

/// Lines that were not taken over, grouped by reason: all counted, the first one placed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineFaults {
    groups: Vec<LineFault>,
}

/// How many lines were not taken over for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineFault {
    /// Why.
    pub reason: LineReason,
    /// How many lines.
    pub count: u32,
    /// The first one, from 1.
    pub first_line: u32,
}

impl LineFaults {
    /// Counts one line.
    pub fn add(&mut self, reason: LineReason, line: u32) {
        match self.groups.iter_mut().find(|group| group.reason == reason) {
            Some(group) => group.count = group.count.saturating_add(1),
            None => self.groups.push(LineFault {
                reason,
                count: 1,
                first_line: line,
            }),
        }
    }

    /// The groups, in order of first sight.
    #[must_use]
    pub fn groups(&self) -> &[LineFault] {
        &self.groups
    }
}

impl Document {
    /// The text of a span.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text
            .get(start..start.saturating_add(span.length as usize))
            .unwrap_or_default()
    }

    /// The setting with this key.
    #[must_use]
    pub fn find(&self, key: Name) -> Option<&Setting> {
        let at = self
            .settings
            .binary_search_by_key(&key, |setting| setting.key)
            .ok()?;
        self.settings.get(at)
    }
}

/// Reads bytes as a format. Never fails: what is not usable is said in `reading` and `faults`.
pub fn read(format: Format, options: FormatOptions, bytes: &[u8], keys: &mut Names) -> Document {
    match format {
        Format::KeyValue => keyvalue::read(options, bytes, keys),
        Format::Boot => bootfile::read(options, bytes),
        Format::Checksum => checksum::read(bytes),
        Format::Version => version::read(options, bytes, keys),
        Format::Answer => answer::read(options, bytes, keys),
        Format::Opaque => Document::default(),
    }
}

/// What a document to be written holds; the writing side of `Document`.
#[derive(Debug, Clone, Default)]
pub struct Draft<'a> {
    /// A comment for the head of the file; empty = none.
    pub title: &'a str,
    /// Settings in the order to write them.
    pub settings: &'a [(&'a str, &'a str)],
    /// Links as they stand in the file.
    pub links: &'a [&'a str],
    /// A checksum and the name it belongs to.
    pub checksum: Option<([u8; 16], &'a str)>,
}

/// Writes a draft in a format; the inverse of `read` for drafts that the format can hold.
#[must_use]
pub fn write(format: Format, options: FormatOptions, draft: &Draft<'_>) -> Vec<u8> {
    match format {
        Format::KeyValue | Format::Answer => keyvalue::write(options, draft),
        Format::Boot => bootfile::write(draft),
        Format::Checksum => checksum::write(draft),
        Format::Version => version::write(draft),
        Format::Opaque => Vec::new(),
    }
}
