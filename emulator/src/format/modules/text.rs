//! The text form: a header line of 64 bytes, module headers, `Key   :value` lines, a footer
//! (FAN-28 … FAN-34).
//!
//! Lines end in CRLF, LF or CR; a byte order mark is passed over; a line that is not UTF-8 is
//! ignored and counted. Header and footer may be missing (FAN-38), a module's header may not: an
//! option before the first one is not taken. Lines such as `--SIP Line List--  :` head a list
//! within a module and say nothing. Unspecified, and read so: what follows the footer is not
//! looked at; of an option given twice under one module the later line counts; a header of
//! another kind ends the module.

use memchr::memchr;

use super::super::lines::{Gathered, Line, Scratch, Source, foreign};
use super::super::{Document, FormatOptions, LineFaults, Span};
use super::name::{folds_to, push_folded, push_module};
use super::{FOOTER, HEADER, HEADER_BYTES, VERSION, starts_with};
use crate::event::{LineReason, Tolerance};
use crate::names::{NAME_BYTES_MAX, Name, Names};

pub(super) fn read(
    options: FormatOptions,
    content: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let Some(source) = Source::open(content) else {
        return foreign(LineFaults::default());
    };
    let mut key = std::mem::take(&mut scratch.key);
    key.clear();
    let mut reading = Text {
        options,
        source,
        keys,
        gathered: Gathered::new(scratch),
        key,
        module: None,
        modules: false,
        header: Header::Awaited,
        footer: false,
        version: "",
        previous: None,
        faults: LineFaults::default(),
    };
    for line in source.lines() {
        if let Err(reason) = reading.take(&line) {
            reading.faults.add(reason, line.number);
        }
        if reading.footer {
            break;
        }
    }
    let (document, key) = reading.finish(content);
    scratch.key = key;
    document
}

/// A file being read.
struct Text<'a, 'k, 's> {
    options: FormatOptions,
    source: Source<'a>,
    keys: &'k mut Names,
    gathered: Gathered<'s>,
    /// Begins with the module's name and a dot.
    key: String,
    /// How long that is.
    module: Option<usize>,
    /// A module's header was seen.
    modules: bool,
    header: Header,
    footer: bool,
    version: &'a str,
    /// The key taken last, be its value taken or not.
    previous: Option<Name>,
    faults: LineFaults,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Awaited,
    Seen,
    Missing,
}

impl<'a> Text<'a, '_, '_> {
    #[inline]
    fn take(&mut self, line: &Line<'a>) -> Result<(), LineReason> {
        if let Some(reason) = line.fault {
            return Err(reason);
        }
        if line.text.starts_with('<') {
            return self.mark(line.text);
        }
        if self.header == Header::Awaited {
            self.header = Header::Missing;
        }
        self.option(line)
    }

    /// A line that begins with `<`.
    fn mark(&mut self, text: &'a str) -> Result<(), LineReason> {
        let awaited = self.header == Header::Awaited;
        if awaited {
            self.header = Header::Missing;
        }
        if starts_with(text.as_bytes(), FOOTER) {
            self.footer = true;
            return Ok(());
        }
        if awaited && starts_with(text.as_bytes(), HEADER) {
            self.header = Header::Seen;
            let rest = text.get(HEADER.len()..).unwrap_or_default().trim_ascii();
            if starts_with(rest.as_bytes(), VERSION) {
                let version = rest.get(VERSION.len()..).unwrap_or_default();
                self.version = version.trim_ascii();
            }
            return Ok(());
        }
        self.key.clear();
        self.module = None;
        let name = text
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'));
        let name = name
            .filter(|name| is_module(name))
            .ok_or(LineReason::Grammar)?;
        if !push_module(&mut self.key, name) {
            return Err(LineReason::Grammar);
        }
        self.modules = true;
        self.module = Some(self.key.len());
        Ok(())
    }

    #[inline]
    fn option(&mut self, line: &Line<'a>) -> Result<(), LineReason> {
        // FAN-33: at the first colon.
        let at = memchr(b':', line.text.as_bytes()).ok_or(LineReason::Grammar)?;
        let (raw, value) = match (line.text.get(..at), line.text.get(at + 1..)) {
            (Some(raw), Some(value)) => (raw.trim_ascii_end(), value.trim_ascii_start()),
            _ => return Err(LineReason::Grammar),
        };
        if raw.is_empty() {
            return Err(LineReason::Grammar);
        }
        if is_list_head(raw) {
            return Ok(());
        }
        let module = self.module.ok_or(LineReason::NoModule)?;
        let key = self.intern(raw, module);
        let value = without_remark(value);
        if value.is_empty() && !self.options.empty_clears {
            return Ok(());
        }
        self.gathered.push(key, value, line.number, &self.source)
    }

    /// The key's name; the one that followed the previous key in an earlier file is tried first,
    /// which spares folding and hashing.
    #[inline]
    fn intern(&mut self, raw: &str, module: usize) -> Option<Name> {
        let next = self.keys.following(self.previous);
        let known = next.filter(|(_, known)| {
            known
                .strip_prefix(self.key.as_str())
                .is_some_and(|rest| folds_to(raw, rest))
        });
        if let Some((name, _)) = known {
            self.previous = Some(name);
            return Some(name);
        }
        if module + raw.len() > 2 * NAME_BYTES_MAX {
            return None;
        }
        push_folded(&mut self.key, raw);
        let name = self.keys.intern(&self.key);
        self.key.truncate(module);
        self.previous = name.or(self.previous);
        name
    }

    fn finish(self, content: &[u8]) -> (Document, String) {
        if self.header != Header::Seen && !self.modules {
            return (foreign(self.faults), self.key);
        }
        let exact = content.get(HEADER_BYTES - 2..HEADER_BYTES) == Some(b"\r\n".as_slice())
            && memchr(b'\n', content) == Some(HEADER_BYTES - 1);
        let head = match self.header {
            Header::Seen if exact && starts_with(content, HEADER) => None,
            Header::Seen => Some(Tolerance::HeaderLength),
            Header::Awaited | Header::Missing => Some(Tolerance::NoHeader),
        };
        let foot = (!self.footer).then_some(Tolerance::NoFooter);
        let (settings, text) = self.gathered.finish(self.version.to_owned(), &self.source);
        let document = Document {
            settings,
            text,
            version: version(self.version),
            faults: self.faults,
            tolerated: head.into_iter().chain(foot).collect(),
            ..Document::default()
        };
        (document, self.key)
    }
}

/// A version at the start of a document's text.
pub(super) fn version(text: &str) -> Option<Span> {
    let length = u32::try_from(text.len())
        .ok()
        .filter(|length| *length > 0)?;
    Some(Span { start: 0, length })
}

/// Whether what stands between `<` and `>` heads a module.
fn is_module(name: &str) -> bool {
    const END: &[u8] = b" MODULE";
    let name = name.trim_ascii().as_bytes();
    let at = name.len().checked_sub(END.len());
    !name.starts_with(b"/")
        && at
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(END))
}

/// Whether a key is the head of a list within a module: `--SIP Line List--`.
fn is_list_head(raw: &str) -> bool {
    raw.starts_with("--") && raw.ends_with("--") && raw.len() > 4
}

/// A value without the remark on its length that the sample has (FAN-39): a bracket at its end
/// that counts characters. Other brackets belong to the value.
fn without_remark(value: &str) -> &str {
    const END: &str = " characters)";
    if !value.ends_with(END) {
        return value;
    }
    match value.rsplit_once('(') {
        Some((bare, _)) if bare.is_empty() || bare.ends_with([' ', '\t']) => bare.trim_ascii_end(),
        _ => value,
    }
}
