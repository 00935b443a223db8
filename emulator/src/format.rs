//! Documents: bytes ⇄ settings, links, version, with line numbers. Each module reads and writes
//! its own syntax.

pub mod answer;
mod bootfile;
pub mod catalogue;
mod checksum;
mod keyvalue;
mod lines;
mod modules;
mod padding;
pub mod sealed;
pub mod sections;
pub mod table;
mod version;
pub mod xml;

pub(crate) use lines::Scratch;
pub use padding::pad;

use crate::event::{LineReason, Tolerance};
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
    /// XML: catalogues of categories, lists of versions, steps, and `param` settings; told apart
    /// by their root.
    Catalogue,
    /// XML: settings sections, references and operations, told apart by their root. Read by
    /// `sections`, since they hold markers of the phone.
    Sections,
    /// Modules of options, as text with a 64-byte header (FAN-28 … FAN-34). Reading any of the
    /// three module formats tells them apart by content (FAN-41).
    ModuleText,
    /// The same as XML with blanks as underscores (FAN-35 … FAN-37).
    ModuleXml,
    /// The same as XML of nested elements with `index` attributes (vendor-facts).
    ModuleTree,
    /// Stored, not read.
    Opaque,
}

impl Format {
    /// Every format with the name that profiles use.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::KeyValue, "key-value"),
        (Self::Boot, "boot"),
        (Self::Checksum, "checksum"),
        (Self::Version, "version"),
        (Self::Answer, "answer"),
        (Self::Catalogue, "catalogue"),
        (Self::Sections, "sections"),
        (Self::ModuleText, "module-text"),
        (Self::ModuleXml, "module-xml"),
        (Self::ModuleTree, "module-tree"),
        (Self::Opaque, "opaque"),
    ];

    /// True when comments can fill a document of this format up: see `pad`.
    #[must_use]
    pub fn has_comments(self) -> bool {
        self == Self::KeyValue
    }

    /// One of the three dialects of module files.
    #[must_use]
    pub fn is_modules(self) -> bool {
        matches!(self, Self::ModuleText | Self::ModuleXml | Self::ModuleTree)
    }
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
    /// A reference such as `prov.py?mac=…`, a name with a query, is looked for at the root of the
    /// host, as the document's example prints it; otherwise beside the file that holds it, as
    /// its rule says (AUE-63).
    pub root_queries: bool,
    /// How the files of this phone are encrypted; `None` = as they stand. Part of these options, so
    /// that a document is shared by all phones that have these bytes *and* this key.
    pub seal: Option<sealed::Seal>,
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
    /// What a document of the catalogue family is besides its settings.
    pub catalogue: Option<Box<catalogue::Catalogue>>,
    /// Lines that were not taken over.
    pub faults: LineFaults,
    /// What is not as the form demands, and was read all the same; ordered, each once.
    pub tolerated: Box<[Tolerance]>,
}

/// Whether bytes were of the expected format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// Yes (faulty lines may still be in it).
    #[default]
    Whole,
    /// Recognised as encrypted, no key.
    Encrypted,
    /// What came out with the phone's key is of no format.
    WrongKey,
    /// Encrypted content that is cut.
    Cut,
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

/// One setting, packed into 12 bytes since a fleet holds millions: key, place of the value, line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The interned key.
    pub key: Name,
    start: u32,
    /// Length of the value in the low bits, line above.
    length_and_line: u32,
}

/// Bits of a value's length: `VALUE_BYTES_MAX` fits with room to spare.
const LENGTH_BITS: u32 = 13;
const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;
const _: () = assert!(crate::limits::VALUE_BYTES_MAX <= LENGTH_MASK as usize);
const _: () = assert!(crate::limits::LINES_MAX <= u32::MAX >> LENGTH_BITS);

impl Setting {
    /// A setting; `None` when the value is longer than 8,191 bytes or the line beyond 524,287,
    /// which `VALUE_BYTES_MAX` and `LINES_MAX` keep away.
    #[must_use]
    pub fn new(key: Name, value: Span, line: u32) -> Option<Self> {
        let fits = value.length <= LENGTH_MASK && line <= u32::MAX >> LENGTH_BITS;
        fits.then_some(Self {
            key,
            start: value.start,
            length_and_line: line << LENGTH_BITS | value.length & LENGTH_MASK,
        })
    }

    /// Where the value lies in `Document::text`.
    #[must_use]
    pub fn value(&self) -> Span {
        Span {
            start: self.start,
            length: self.length_and_line & LENGTH_MASK,
        }
    }

    /// Line number in the file, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.length_and_line >> LENGTH_BITS
    }

    /// Length of the value in bytes.
    pub(crate) fn length(&self) -> usize {
        self.value().length as usize
    }

    /// The same setting with its value at another place.
    pub(crate) fn moved(&self, start: u32) -> Self {
        Self { start, ..*self }
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setting")
            .field("key", &self.key)
            .field("value", &self.value())
            .field("line", &self.line())
            .finish()
    }
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
        self.add_group(LineFault {
            reason,
            count: 1,
            first_line: line,
        });
    }

    fn add_group(&mut self, fault: LineFault) {
        let known = |group: &&mut LineFault| group.reason == fault.reason;
        match self.groups.iter_mut().find(known) {
            Some(group) => {
                group.count = group.count.saturating_add(fault.count);
                group.first_line = group.first_line.min(fault.first_line);
            }
            None => {
                self.groups.reserve_exact(1);
                self.groups.push(fault);
            }
        }
    }

    /// These lines and those of `other`.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut all = self.clone();
        other.groups.iter().for_each(|fault| all.add_group(*fault));
        all
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<LineFault>()
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

    /// The text of a setting's value.
    #[must_use]
    pub fn value(&self, setting: &Setting) -> &str {
        self.text(setting.value())
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.settings)
            + self.text.len()
            + size_of_val(&*self.links)
            + self
                .catalogue
                .as_ref()
                .map_or(0, |known| known.heap_bytes())
            + self.faults.heap_bytes()
            + size_of_val(&*self.tolerated)
    }

    /// The setting with this key.
    #[must_use]
    pub fn find(&self, key: Name) -> Option<&Setting> {
        self.settings.get(self.position(key)?)
    }

    /// The place in `settings` of the one with this key.
    #[must_use]
    pub fn position(&self, key: Name) -> Option<usize> {
        self.settings
            .binary_search_by_key(&key, |setting| setting.key)
            .ok()
    }
}

/// Reads bytes as a format. Never fails: what is not usable is said in `reading` and `faults`.
/// At most `LINES_MAX` lines (or XML elements) and `DOCUMENT_LINKS_MAX` links are taken over,
/// values of at most `VALUE_BYTES_MAX`; what is beyond is counted as `OverLimit`.
#[must_use]
pub fn read(format: Format, options: FormatOptions, bytes: &[u8], keys: &mut Names) -> Document {
    read_with(&mut Scratch::default(), format, options, bytes, keys)
}

/// As `read`, in memory that is reused.
pub(crate) fn read_with(
    scratch: &mut Scratch,
    format: Format,
    options: FormatOptions,
    bytes: &[u8],
    keys: &mut Names,
) -> Document {
    if let Some(seal) = &options.seal {
        return sealed::read(seal, scratch, (format, options), bytes, keys);
    }
    match format {
        Format::KeyValue => keyvalue::read(options, bytes, keys, scratch),
        Format::Boot => bootfile::read(options, bytes),
        Format::Checksum => checksum::read(bytes),
        Format::Version => version::read(options, bytes, keys, scratch),
        Format::Answer => answer::read(options, bytes, keys, scratch),
        Format::Catalogue => catalogue::read(bytes, keys, scratch),
        Format::ModuleText | Format::ModuleXml | Format::ModuleTree => {
            modules::read(options, bytes, keys, scratch)
        }
        Format::Sections | Format::Opaque => Document::default(),
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
    /// The version that the file says it has; empty = none.
    pub version: &'a str,
    /// A checksum and the name it belongs to.
    pub checksum: Option<([u8; 16], &'a str)>,
    /// What a document of the catalogue family says besides its settings; for that family only,
    /// where `None` stands for a bare `settings` document.
    pub catalogue: Option<&'a catalogue::Outline<'a>>,
}

/// Writes a draft in a format, encrypted where the options say so; the inverse of `read` for drafts
/// that the format can hold.
#[must_use]
pub fn write(format: Format, options: FormatOptions, draft: &Draft<'_>) -> Vec<u8> {
    let plain = write_plain(format, options, draft);
    match &options.seal {
        Some(seal) => sealed::seal(seal, &plain, sealed::vector_for(seal, &plain)),
        None => plain,
    }
}

fn write_plain(format: Format, options: FormatOptions, draft: &Draft<'_>) -> Vec<u8> {
    match format {
        Format::KeyValue => keyvalue::write(options, draft),
        Format::Answer => answer::write(options, draft),
        Format::Boot => bootfile::write(draft),
        Format::Checksum => checksum::write(draft),
        Format::Version => version::write(draft),
        Format::Catalogue => catalogue::write(draft),
        Format::ModuleText | Format::ModuleXml | Format::ModuleTree => {
            modules::write(format, draft)
        }
        Format::Sections | Format::Opaque => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
