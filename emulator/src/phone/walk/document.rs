//! A settings document is here: is it sound, is it the one applied last; and what follows when
//! all documents of a walk are there.

use std::rc::Rc;

use super::{Position, Walk, naming};
use crate::bodies::{Body, Model};
use crate::event::{EventKind, Fault, File, Limit};
use crate::flash::Flash;
use crate::format::{Format, FormatOptions, Reading};
use crate::phone::apply::{self, Collected};
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::{Apply, Change, Fetch, FirmwareVersion, Param, StepId};
use crate::settings::{SETTINGS_BYTES_MAX, Vetted};

impl Walk {
    /// A settings document or a boot file.
    pub(super) fn document(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
        fetch: Option<&Fetch>,
    ) {
        if let Some(fetch) = fetch.filter(|fetch| fetch.verify)
            && self
                .checksum
                .is_some_and(|announced| announced != body.md5())
        {
            let (step, fault) = (target.step, Fault::ChecksumMismatch);
            turn.event(EventKind::Wrong { step, fault });
            turn.event(EventKind::GaveUp { step, fault });
            self.end.failed += 1;
            self.goto(fetch.mismatch);
            return;
        }
        if target.format == Format::Boot {
            self.boot_file(turn, holdings, target, body, fetch);
            return;
        }
        let seal = fetch.map_or(Ok(None), |fetch| naming::seal(turn, holdings.flash, fetch));
        let seal = match seal {
            Ok(seal) => seal,
            Err(fault) => return self.unreadable(turn, holdings, target, fault),
        };
        let shelf = &mut *turn.shelf;
        let model = Model {
            options: FormatOptions {
                seal,
                ..turn.profile.format
            },
            rules: &turn.profile.keys,
            index: holdings.profile_index,
        };
        let vetted = shelf
            .bodies
            .vetted_for(body, target.format, model, &mut shelf.keys);
        if let Some(fault) = fault_of(vetted.document.reading) {
            return self.unreadable(turn, holdings, target, fault);
        }
        let known = is_known(turn, holdings.flash, target, body, &vetted);
        if known {
            turn.event(EventKind::Unchanged { file: target.file });
        }
        self.collect(turn, holdings, target, body, vetted, known);
        match (fetch, self.at) {
            (Some(_), _) if self.end.soft_reboot => self.at = Position::Done,
            (Some(fetch), _) => self.goto(if known { fetch.unchanged } else { fetch.found }),
            (None, Position::Given) => self.at = Position::Apply,
            (None, _) => {}
        }
    }

    /// Keeps a document for the end of the walk, or loads it at once (PND-10).
    fn collect(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
        vetted: Rc<Vetted>,
        known: bool,
    ) {
        let file = target.file;
        let collected = Collected {
            file,
            format: target.format,
            md5: body.md5(),
            vetted,
            known,
        };
        match turn.profile.apply {
            Apply::AfterRun => self.keep(turn, collected),
            Apply::SoftReboot if known => {}
            Apply::SoftReboot => {
                apply::load(turn, holdings.flash, &collected);
                self.end.soft_reboot = true;
            }
        }
    }

    /// Adds a document to those of this walk. Beyond the bytes that a phone can hold the first ones
    /// give way, as they would when all are applied.
    pub(super) fn keep(&mut self, turn: &mut Turn<'_>, collected: Collected) {
        self.collected.push(collected);
        let bytes = |each: &Collected| each.vetted.document.heap_bytes();
        let mut held: usize = self.collected.iter().map(bytes).sum();
        let last = self.collected.len() - 1;
        let mut before = self.collected.iter().take(last);
        let mut dropped = 0;
        while held > SETTINGS_BYTES_MAX
            && let Some(first) = before.next()
        {
            held -= bytes(first);
            dropped += 1;
        }
        if dropped > 0 {
            self.collected.drain(..dropped);
            let (limit, value) = (Limit::SettingsBytes, SETTINGS_BYTES_MAX as u64);
            turn.event(EventKind::LimitReached { limit, value });
        }
    }

    /// Compares a checksum file with the configuration last loaded (PND-08, PND-09, PND-22).
    pub(super) fn checksum(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        fetch: &Fetch,
        body: &Rc<Body>,
    ) {
        let shelf = &mut *turn.shelf;
        let options = turn.profile.format;
        let document = shelf
            .bodies
            .document(body, Format::Checksum, options, &mut shelf.keys);
        let Some(announced) = document.checksum else {
            return self.unreadable(turn, holdings, target, Fault::WrongFormat);
        };
        let verified = turn.profile.fetches.iter().position(|fetch| fetch.verify);
        let file = verified.map(|index| File::Step(StepId::fetch(index)));
        let loaded = file.and_then(|file| holdings.flash.digest(file));
        if loaded == Some(announced) {
            if let Some(file) = file {
                turn.event(EventKind::Unchanged { file });
            }
            self.goto(fetch.unchanged);
        } else {
            self.checksum = Some(announced);
            self.goto(fetch.found);
        }
    }

    /// A file came and cannot be read as what it has to be: as if it had not come.
    pub(super) fn unreadable(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        fault: Fault,
    ) {
        let step = target.step;
        turn.event(EventKind::Wrong { step, fault });
        turn.event(EventKind::GaveUp { step, fault });
        self.end.fetched = self.end.fetched.saturating_sub(1);
        self.not_had(turn, holdings, fault);
    }

    /// All files are there: settings take effect, then resources and firmware follow (FLY-110).
    pub(super) fn apply(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) {
        let collected = std::mem::take(&mut self.collected);
        self.end.reboot = apply::overlay(turn, holdings.flash, &collected);
        apply::show_versions(turn, holdings.flash, &collected);
        self.start_tasks(turn, holdings.flash, &collected);
        self.store_stamp(turn, holdings);
        self.resources = apply::resources(turn, holdings.flash, &collected);
        if turn.profile.firmware_rule.version == FirmwareVersion::FileName && self.end.fetched > 0 {
            self.firmware_by_name(turn, holdings, &collected);
        }
        self.at = Position::Task;
    }
}

/// Whether a document is the one applied last of its kind. Its bytes decide (FAN-136, FAN-137), or
/// where the phone is told so its version text, if it has one (FAN-138); unspecified whether an
/// older one counts then: any other text does, as any other digest.
fn is_known(
    turn: &Turn<'_>,
    flash: &Flash,
    target: &Target,
    body: &Rc<Body>,
    vetted: &Vetted,
) -> bool {
    if turn.profile.change == Change::None {
        return false;
    }
    if target.format.is_modules()
        && params::is_on(turn, flash, Param::VersionDecides)
        && let Some(text) = apply::version_text(vetted)
    {
        let version = turn.shelf.urls.find(text);
        return version.is_some() && flash.version(target.file) == version;
    }
    flash.digest(target.file) == Some(body.md5())
}

/// What is wrong with a document that cannot be read.
pub(super) fn fault_of(reading: Reading) -> Option<Fault> {
    match reading {
        Reading::Whole => None,
        Reading::Encrypted => Some(Fault::Encrypted),
        Reading::Foreign => Some(Fault::WrongFormat),
        Reading::WrongKey => Some(Fault::WrongKey),
        Reading::Cut => Some(Fault::BadCiphertext),
    }
}
