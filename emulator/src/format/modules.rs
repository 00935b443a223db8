//! Modules of options in three dialects: text, XML with underscores, XML of nested elements
//! (FAN-27 … FAN-41). Which one it is tells the content, never the name (FAN-41).
//!
//! An option means the same in all of them, so it has one key: `module.option` in lower case,
//! underscores and runs of blanks as one blank, the module without the words `CONFIG MODULE`. In
//! the text form and in XML with underscores a line of a list carries its id: `sip.sip1 phone
//! number`; the nested form gives the path, with `index` attributes in brackets:
//! `sip.line[1].phonenumber`. Keys are case-insensitive (FAN-129), values are trimmed (FAN-36).

mod elements;
mod name;
mod scan;
mod text;
mod write;

use super::lines::{BYTE_ORDER_MARK, Scratch, foreign, is_html};
use super::xml::{Broken, Reader, Token, XmlFault};
use super::{Document, Draft, Format, FormatOptions, LineFaults, Reading, sealed};
use crate::event::Tolerance;
use crate::names::Names;
use elements::{Elements, Root};
use scan::scan;

/// How the first line of the text form begins (FAN-29).
const HEADER: &str = "<<VOIP CONFIG FILE>>";
/// How it goes on before the version.
const VERSION: &str = "Version:";
/// The last line of the text form (FAN-31); some files of the XML forms have it too.
const FOOTER: &str = "<<END OF FILE>>";
/// Bytes of the first line, its CRLF included (FAN-28).
const HEADER_BYTES: usize = 64;

pub(super) fn read(
    options: FormatOptions,
    bytes: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let content = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let document = match dialect(content) {
        Dialect::Text => text::read(options, content, keys, scratch),
        Dialect::Xml => read_xml(options, content, keys, scratch),
        Dialect::Neither => foreign(LineFaults::default()),
    };
    // FAN-48: unreadable without a key, and said so.
    if document.reading == Reading::Foreign && sealed::looks_sealed(bytes) {
        return Document {
            reading: Reading::Encrypted,
            ..Document::default()
        };
    }
    document
}

pub(super) fn write(format: Format, draft: &Draft<'_>) -> Vec<u8> {
    match format {
        Format::ModuleXml => write::modules(draft),
        Format::ModuleTree => write::tree(draft),
        _ => write::text(draft),
    }
}

/// Whether bytes begin as one of the dialects does (FAN-41).
pub(super) fn begins(bytes: &[u8]) -> bool {
    const STARTS: [&str; 5] = [
        "<<voip",
        "<?xml",
        "<sysconf",
        "<voip_config_file",
        "<voip config",
    ];
    let content = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let content = content.trim_ascii_start();
    STARTS.iter().any(|start| starts_with(content, start))
}

/// What the first tag says.
enum Dialect {
    Text,
    Xml,
    Neither,
}

fn dialect(content: &[u8]) -> Dialect {
    /// Where a module's header must end, if it is one.
    const TAG_BYTES_MAX: usize = 128;
    let content = content.trim_ascii_start();
    if !content.starts_with(b"<") || content.starts_with(b"<<") {
        return Dialect::Text;
    }
    if is_html(content) {
        return Dialect::Neither;
    }
    let head = content.get(..TAG_BYTES_MAX).unwrap_or(content);
    let tag = head
        .split(|byte| matches!(byte, b'>' | b'\n' | b'\r'))
        .next();
    let begins_text = tag.is_some_and(|tag| {
        tag.len()
            .checked_sub(b" MODULE".len())
            .and_then(|at| tag.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(b" MODULE"))
    });
    if begins_text {
        Dialect::Text
    } else {
        Dialect::Xml
    }
}

/// Either XML form: by the rules where it is well-formed, else by its marks alone (FAN-36).
fn read_xml(
    options: FormatOptions,
    content: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let mut elements = Elements::new(options, keys, scratch);
    match strict(content, &mut elements) {
        Ok(true) => return elements.finish(None),
        Ok(false) => return foreign(LineFaults::default()),
        Err(fault) if !is_damage(fault.what) => return broken(&fault),
        Err(_) => elements.restart(),
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return foreign(LineFaults::default());
    };
    match scan(text, &mut elements) {
        Ok(true) => elements.finish(Some(Tolerance::Damaged)),
        Ok(false) => foreign(LineFaults::default()),
        Err(fault) => broken(&fault),
    }
}

/// Reads well-formed XML; whether its root is that of a dialect.
fn strict<'a>(content: &'a [u8], elements: &mut Elements<'a, '_>) -> Result<bool, XmlFault> {
    let mut reader = Reader::new(content);
    while let Some(token) = reader.next()? {
        match token {
            Token::Open { name, empty } if elements.depth() == 0 => {
                let Some(root) = Root::named(name) else {
                    return Ok(false);
                };
                elements.root(root);
                if empty {
                    elements.close();
                }
            }
            Token::Open { name, empty } => {
                let plain = reader.attributes().is_empty();
                let index = if plain {
                    None
                } else {
                    reader.attribute("index")
                };
                elements.open(name, index, reader.line());
                if empty {
                    elements.close();
                }
            }
            Token::Close(_) => elements.close(),
            Token::Text(text) => elements.text(&text, reader.line()),
        }
    }
    Ok(true)
}

/// Whether a fault is of the kind that samples have (FAN-36), so that the marks can still be read.
/// What is no text, what ends too early and what is beyond a limit is refused.
fn is_damage(what: Broken) -> bool {
    matches!(
        what,
        Broken::Markup
            | Broken::Name
            | Broken::Attribute
            | Broken::Duplicate
            | Broken::Reference
            | Broken::Mismatch
            | Broken::Outside
    )
}

fn broken(fault: &XmlFault) -> Document {
    let mut faults = LineFaults::default();
    faults.add(fault.reason(), fault.line);
    foreign(faults)
}

/// Whether a text begins so, in either case.
fn starts_with(text: &[u8], start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests;
