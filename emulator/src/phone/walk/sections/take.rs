//! Laying a document of the sections family over the settings that a phone holds (AUE-16, AUE-17).

use std::borrow::Cow;
use std::rc::Rc;

use crate::bodies::{Body, Model};
use crate::event::{EventKind, Fault, File};
use crate::flash::Flash;
use crate::format::sections::{self, Note, Parsed, Tree};
use crate::format::xml::{Broken, XmlFault};
use crate::limits::FILE_BYTES_MAX;
use crate::merges::{Merged, Step};
use crate::phone::apply::report_ignored;
use crate::phone::turn::Turn;
use crate::profile::keys::Meaning;

/// What an uploaded document is called in events and as the origin of values.
const UPLOAD: &str = "restore backup";

/// UTF-8 with a mark, as editors write it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a document is to be laid over.
pub(in crate::phone) struct Holder<'a> {
    pub(in crate::phone) flash: &'a mut Flash,
    pub(in crate::phone) profile_index: u16,
}

/// Reads a document. One that lists others is read with the markers in its text replaced, since
/// they need not be XML (AUE-64); without markers it is the same for all phones, as any other
/// document is: a marker in a setting stays, and is replaced where the setting is used (AUE-85).
/// Only where it keeps a document from being XML, it is escaped first.
pub(in crate::phone) fn read(turn: &mut Turn<'_>, body: &Rc<Body>) -> Result<Rc<Parsed>, Fault> {
    let Some(schema) = turn.profile.sections.as_ref().filter(|_| is_markup(body)) else {
        return Err(Fault::WrongFormat);
    };
    let strict = schema.strict_markers;
    let own = own_text(turn, body.bytes()).filter(|_| !strict);
    let parsed = match &own {
        Some(text) => sections::read(text).map(Rc::new),
        None => turn.shelf.bodies.sections(body),
    };
    let parsed = match parsed {
        Err(fault) if own.is_none() && !strict && fault.what != Broken::TooLarge => {
            escaped(turn, body).unwrap_or(Err(fault))
        }
        parsed => parsed,
    };
    let parsed = parsed.map_err(|fault| fault_of(&fault))?;
    if let Parsed::Patch(patch) = parsed.as_ref() {
        // A page that is no document at all, such as a server's page for errors.
        let mut names = patch.sections().peekable();
        if names.peek().is_some() && !names.any(|name| schema.section(name).is_some()) {
            return Err(Fault::WrongFormat);
        }
    }
    Ok(parsed)
}

/// Whether the bytes can be XML at all; what cannot is of another kind, not damaged.
fn is_markup(body: &Body) -> bool {
    let bytes = body.bytes();
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    utf_16 || bytes.trim_ascii_start().starts_with(b"<")
}

/// The text of a list of documents with this phone's words in the place of its markers; `None` of
/// a document that has none.
fn own_text(turn: &Turn<'_>, raw: &[u8]) -> Option<Vec<u8>> {
    if !sections::is_references(raw) {
        return None;
    }
    let markers = &turn.profile.markers;
    let words: Vec<_> = markers
        .iter()
        .map(|(marker, word)| (marker.as_str(), word.text(&turn.vars())))
        .collect();
    let words: Vec<_> = words
        .iter()
        .map(|(marker, word)| (*marker, word.as_str()))
        .collect();
    match sections::replace_markers(raw, &words) {
        Cow::Borrowed(_) => None,
        Cow::Owned(own) => Some(own),
    }
}

/// What a document is with the markers in its text escaped; `None` of one that has none.
fn escaped(turn: &mut Turn<'_>, body: &Rc<Body>) -> Option<Result<Rc<Parsed>, XmlFault>> {
    let markers = turn.profile.markers.iter();
    let angled: Vec<_> = markers
        .map(|(marker, _)| (marker.as_str(), marker.as_str()))
        .filter(|(marker, _)| marker.starts_with('<'))
        .collect();
    match sections::replace_markers(body.bytes(), &angled) {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => {
            // The same for all phones, so held once as the document itself is.
            let body = turn.shelf.bodies.insert(&text);
            Some(turn.shelf.bodies.sections(&body))
        }
    }
}

/// Lays settings sections over those held, or carries operations out on them. What comes of it is
/// in force at once and restarts nothing (AUE-18); it counts for the engine from the next run on.
pub(in crate::phone) fn apply(
    turn: &mut Turn<'_>,
    holder: &mut Holder<'_>,
    file: File,
    parsed: &Rc<Parsed>,
) {
    let step = Step {
        base: holder.flash.sections.clone(),
        parsed: Rc::clone(parsed),
        file,
        profile: holder.profile_index,
    };
    let merged = match turn.shelf.merges.find(&step) {
        Some(known) => known,
        None => {
            let merged = Rc::new(merged(turn, &step));
            turn.shelf.merges.offer(step, &merged);
            merged
        }
    };
    for event in &merged.events {
        turn.event(*event);
    }
    report_ignored(turn, file, &merged.ignored);
    let flash = &mut *holder.flash;
    flash.sections = Some(Rc::clone(&merged.tree));
    flash.web.retain(|(param, _)| !merged.bound.contains(param));
    let settings = Rc::clone(&merged.settings);
    let changed = flash.settings.replace(file, settings).changed;
    turn.event(EventKind::Applied {
        file,
        settings: merged.named,
        changed,
    });
}

/// A document that came by hand over the phone's web page: settings and operations are taken, a
/// list of documents is refused (AUE-01, AUE-02).
pub(in crate::phone) fn restore(turn: &mut Turn<'_>, holder: &mut Holder<'_>, bytes: &[u8]) {
    let file = File::Named(turn.shelf.url(UPLOAD));
    let parsed = if bytes.len() > FILE_BYTES_MAX {
        Err(Fault::TooLarge)
    } else {
        let body = turn.shelf.bodies.insert(bytes);
        read(turn, &body)
    };
    let fault = match parsed {
        Ok(parsed) if matches!(*parsed, Parsed::References(_)) => Fault::KindRefused,
        Ok(parsed) => return apply(turn, holder, file, &parsed),
        Err(fault) => fault,
    };
    turn.event(EventKind::DocumentSkipped { file, fault });
}

/// Lays a document over the tree of a step.
fn merged(turn: &mut Turn<'_>, step: &Step) -> Merged {
    let (empty, file) = (Tree::default(), step.file);
    let base = step.base.as_deref().unwrap_or(&empty);
    let schema = turn.profile.sections.as_deref();
    let outcome = match (step.parsed.as_ref(), schema) {
        (Parsed::Patch(patch), Some(schema)) => base.patch(patch, file, schema),
        (Parsed::Operations(operations), Some(schema)) => base.operate(operations, file, schema),
        _ => base.unchanged(),
    };
    let events = outcome.notes.iter().map(|note| told(turn, note)).collect();
    let shelf = &mut *turn.shelf;
    let flat = outcome.tree.flatten(&mut shelf.keys);
    let model = Model {
        options: turn.profile.format,
        rules: &turn.profile.keys,
        index: step.profile,
    };
    let bodies = &mut shelf.bodies;
    let settings = bodies.of_sections(flat.document, flat.origins, model, &shelf.keys);
    let named = settings.named_by(file);
    let bound = named.filter_map(|(_, meaning)| match meaning {
        Meaning::Bound(param) => Some(param),
        _ => None,
    });
    Merged {
        bound: bound.collect(),
        named: u32::try_from(settings.named_by(file).count()).unwrap_or(u32::MAX),
        tree: Rc::new(outcome.tree),
        ignored: outcome.dropped.joined(&settings.faults),
        settings: Rc::new(settings),
        events,
    }
}

/// A note as an event.
fn told(turn: &mut Turn<'_>, note: &Note) -> EventKind {
    match note {
        Note::Stored {
            section,
            migrated_from,
        } => EventKind::SectionStored {
            section: turn.shelf.url(section),
            migrated_from: migrated_from.map(|version| turn.shelf.url(&version.to_string())),
        },
        Note::Refused {
            section,
            fault,
            line,
        } => EventKind::SectionRefused {
            section: turn.shelf.url(section),
            fault: *fault,
            line: *line,
        },
        Note::Skipped { line, fault } => EventKind::OperationSkipped {
            line: *line,
            fault: *fault,
        },
        Note::OverLimit { limit, value } => EventKind::LimitReached {
            limit: *limit,
            value: *value,
        },
    }
}

/// What is wrong with a document that cannot be read.
fn fault_of(fault: &XmlFault) -> Fault {
    match fault.what {
        Broken::TooLarge => Fault::TooLarge,
        _ => Fault::BadXml,
    }
}
