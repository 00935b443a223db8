//! Firmware version files: `key="value"` lines (PND-14, PND-15). Every key that ends in `_file`
//! links an image, in file order (PND-27); the version is the value of a key that contains
//! `version`, else that of `Image_file` (PND-26). Other lines are settings. Keys are compared in
//! any case.

use super::bootfile::append;
use super::lines::{Gathered, Scratch, Source, foreign, push_line_text, push_title};
use super::lines::{split, unquoted};
use super::{Document, Draft, Format, FormatOptions, LineFaults, Link};
use crate::event::LineReason;
use crate::limits::{DOCUMENT_LINKS_MAX, URL_BYTES_MAX, VALUE_BYTES_MAX};
use crate::names::Names;

/// The keys under which a draft's links are written: those of the document's example.
const LINK_KEYS: [&str; 2] = ["Image_file", "Prom_file"];

/// What the lines gave apart from settings.
#[derive(Default)]
struct Firmware<'a> {
    links: Vec<(&'a str, &'a str, u32)>,
    version: Option<&'a str>,
    image: Option<&'a str>,
}

pub(super) fn read(
    options: FormatOptions,
    bytes: &[u8],
    keys: &mut Names,
    scratch: &mut Scratch,
) -> Document {
    let Some(source) = Source::open(bytes) else {
        return foreign(LineFaults::default());
    };
    let mut gathered = Gathered::new(scratch);
    let mut faults = LineFaults::default();
    let mut firmware = Firmware::default();
    let mut usable = false;
    for line in source.lines() {
        if let Some(reason) = line.fault {
            faults.add(reason, line.number);
            continue;
        }
        if line.text.starts_with('#') {
            usable = true;
            continue;
        }
        let Some((key, value)) = split(line.text) else {
            faults.add(LineReason::Grammar, line.number);
            continue;
        };
        usable = true;
        let value = unquoted(value);
        if value.is_empty() && !options.empty_clears {
            continue;
        }
        let taken = match firmware.take(key, value, line.number) {
            Some(taken) => taken,
            None => gathered.push(keys.intern(key), value, line.number, &source),
        };
        if let Err(reason) = taken {
            faults.add(reason, line.number);
        }
    }
    if !usable && !faults.groups().is_empty() {
        return foreign(faults);
    }
    let mut text = String::new();
    let links = firmware.place_links(&mut text);
    let version = firmware
        .version
        .or(firmware.image)
        .map(|version| append(&mut text, version));
    let (settings, text) = gathered.finish(text, &source);
    Document {
        settings,
        text,
        links,
        version,
        faults,
        ..Document::default()
    }
}

impl<'a> Firmware<'a> {
    /// Takes a line that names an image or a version; `None` when it does neither.
    fn take(&mut self, key: &'a str, value: &'a str, line: u32) -> Option<Result<(), LineReason>> {
        if ends_with(key, "_file") {
            return Some(self.take_link(key, value, line));
        }
        if !contains(key, "version") {
            return None;
        }
        if value.len() > VALUE_BYTES_MAX {
            return Some(Err(LineReason::OverLimit));
        }
        if !value.is_empty() && self.version.is_none() {
            self.version = Some(value);
        }
        Some(Ok(()))
    }

    fn take_link(&mut self, key: &'a str, value: &'a str, line: u32) -> Result<(), LineReason> {
        if value.is_empty() {
            return Ok(());
        }
        if value.len() > URL_BYTES_MAX {
            return Err(LineReason::OverLimit);
        }
        if value.chars().any(char::is_control) {
            return Err(LineReason::NotALink);
        }
        let [image_key, _] = LINK_KEYS;
        if key.eq_ignore_ascii_case(image_key) {
            self.image = Some(value);
        }
        // A key said twice: the later line wins, in the earlier one's place.
        if let Some(known) = self.links.iter_mut().find(|known| known.0 == key) {
            *known = (key, value, line);
        } else if self.links.len() < DOCUMENT_LINKS_MAX {
            self.links.push((key, value, line));
        } else {
            return Err(LineReason::OverLimit);
        }
        Ok(())
    }

    fn place_links(&self, text: &mut String) -> Box<[Link]> {
        self.links
            .iter()
            .map(|&(_, url, line)| Link {
                url: append(text, url),
                line,
                format: Format::Opaque,
            })
            .collect()
    }
}

pub(super) fn write(draft: &Draft<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    push_title(&mut out, draft.title);
    for (key, value) in draft.settings {
        push_line(&mut out, key, value);
    }
    for (index, link) in draft.links.iter().enumerate() {
        match LINK_KEYS.get(index) {
            Some(key) => push_line(&mut out, key, link),
            None => push_line(&mut out, &format!("Part{}_file", index + 1), link),
        }
    }
    out
}

fn push_line(out: &mut Vec<u8>, key: &str, value: &str) {
    push_line_text(out, key);
    out.extend_from_slice(b"=\"");
    push_line_text(out, value);
    out.extend_from_slice(b"\"\n");
}

fn ends_with(text: &str, suffix: &str) -> bool {
    text.len()
        .checked_sub(suffix.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

fn contains(text: &str, part: &str) -> bool {
    text.as_bytes()
        .windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests;
