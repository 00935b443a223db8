//! Taking settings over: overlay or load, with what follows for parameters, resources, firmware.

use std::rc::Rc;

use super::turn::Turn;
use crate::event::{EventKind, File, Limit};
use crate::firmware;
use crate::flash::Flash;
use crate::format::{Format, LineFaults};

use crate::names::Name;
use crate::profile::keys::Meaning;
use crate::settings::{Applied, SETTINGS_BYTES_MAX, Vetted};

/// A settings document as it came, waiting to be applied.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) file: File,
    pub(super) format: Format,
    pub(super) md5: [u8; 16],
    pub(super) vetted: Rc<Vetted>,
    /// It is the one applied last: its links count, its settings are in force already.
    pub(super) known: bool,
}

/// Lays a run's documents over the settings in force; true when a setting that needs a reboot
/// differs in the end (FLY-112).
///
/// A document that did not change is in force already. But once an earlier one of the run was laid
/// anew, the later ones must be on top of it again (FLY-21).
pub(super) fn overlay(turn: &mut Turn<'_>, flash: &mut Flash, documents: &[Collected]) -> bool {
    let before = flash.settings.clone();
    let (mut any, mut reboot) = (false, false);
    for document in documents {
        if document.known && !any {
            continue;
        }
        any = true;
        let vetted = Rc::clone(&document.vetted);
        let applied = flash.settings.overlay(document.file, vetted);
        reboot |= applied.reboot;
        if !document.known {
            accepted(turn, flash, document, applied);
        }
    }
    reboot && flash.settings.changes_since(&before).reboot
}

/// Makes a document the whole configuration (PND-10).
pub(super) fn load(turn: &mut Turn<'_>, flash: &mut Flash, document: &Collected) {
    let applied = flash
        .settings
        .replace(document.file, Rc::clone(&document.vetted));
    accepted(turn, flash, document, applied);
}

fn accepted(turn: &mut Turn<'_>, flash: &mut Flash, document: &Collected, applied: Applied) {
    flash.remember(document.file, document.md5);
    for (_, meaning) in &document.vetted.meanings {
        if let Meaning::Bound(param) = meaning {
            flash.web.retain(|(held, _)| held != param);
        }
    }
    report_ignored(turn, document.file, &document.vetted.faults);
    for tolerance in &document.vetted.document.tolerated {
        turn.event(EventKind::Tolerated {
            file: document.file,
            tolerance: *tolerance,
        });
    }
    turn.event(EventKind::Applied {
        file: document.file,
        settings: applied.settings,
        changed: applied.changed,
    });
    if applied.over_limit {
        let (limit, value) = (Limit::SettingsBytes, SETTINGS_BYTES_MAX as u64);
        turn.event(EventKind::LimitReached { limit, value });
    }
}

/// Shows the versions of the files that were just taken over: the text that a file gives, or the
/// digest of its bytes (FAN-30, FAN-142).
pub(super) fn show_versions(turn: &mut Turn<'_>, flash: &mut Flash, documents: &[Collected]) {
    let shown = |each: &&Collected| !each.known && each.format.is_modules();
    for document in documents.iter().filter(shown) {
        let version = match version_text(&document.vetted) {
            Some(text) => turn.shelf.url(text),
            None => turn.shelf.url(&firmware::digest_text(document.md5)),
        };
        let file = document.file;
        flash.show_version(file, version);
        turn.event(EventKind::VersionShown { file, version });
    }
}

/// The text that a document gives as its version; none where it is empty.
pub(super) fn version_text(vetted: &Vetted) -> Option<&str> {
    let document = &vetted.document;
    let text = document.version.map(|span| document.text(span).trim());
    text.filter(|text| !text.is_empty())
}

/// Says which lines of a file were not taken over (FLY-30).
pub(super) fn report_ignored(turn: &mut Turn<'_>, file: File, faults: &LineFaults) {
    for group in faults.groups() {
        turn.event(EventKind::LinesIgnored {
            file,
            reason: group.reason,
            count: group.count,
            first_line: group.first_line,
        });
    }
}

/// URLs of the resources that the files of this run name, last one first (FLY-39, FLY-40).
pub(super) fn resources(turn: &Turn<'_>, flash: &Flash, collected: &[Collected]) -> Vec<String> {
    let mut keys = named(collected, Meaning::Resource);
    keys.sort_by(|left, right| {
        turn.shelf
            .keys
            .text(*left)
            .cmp(turn.shelf.keys.text(*right))
    });
    keys.dedup();
    let values = keys
        .iter()
        .rev()
        .filter_map(|key| flash.settings.held(*key));
    values
        .filter(|held| !held.value.is_empty())
        .map(|held| held.value.to_owned())
        .collect()
}

/// The firmware URL that the files of this run name (FLY-116).
pub(super) fn firmware_url(flash: &Flash, collected: &[Collected]) -> Option<String> {
    let key = named(collected, Meaning::Firmware).pop()?;
    flash.settings.held(key).map(|held| held.value.to_owned())
}

fn named(collected: &[Collected], wanted: Meaning) -> Vec<Name> {
    let meanings = collected
        .iter()
        .flat_map(|document| document.vetted.meanings.iter());
    meanings
        .filter(|(_, meaning)| *meaning == wanted)
        .map(|(key, _)| *key)
        .collect()
}
