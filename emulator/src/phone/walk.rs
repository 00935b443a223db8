//! The document walk: fetch, decode, see whether it changed, apply, follow the links.
//!
//! A walk belongs to one candidate. It goes through the profile's fetches (or the one file that
//! the candidate names), then the links of what it got, then resources, then firmware. One file is
//! under way at a time.

mod catalogue;
mod include;
pub(super) mod sections;
mod upgrade;

use std::rc::Rc;
use std::sync::Arc;

use super::apply::{self, Collected};
use super::fetching::{Fetching, Target};
use super::holdings::{Carried, Holdings};
use super::io::Input;
use super::params::HttpIdentity;

use super::turn::Turn;
use crate::bodies::Body;
use crate::event::{EventKind, Fault, File, Limit};
use crate::format::{Format, Reading};
use crate::profile::{Account, Apply, Change, Classify, Fetch, FirmwareVersion, Next, StepId};
use crate::settings::{SETTINGS_BYTES_MAX, Vetted};
use crate::time::Moment;
use crate::transfer::Ending;
use crate::url::{Url, UrlFault};
use catalogue::Catalogued;
use include::LinkFrame;
use sections::Referenced;
use upgrade::Upgrade;

/// What a walk begins with.
pub(super) struct Start {
    pub(super) base: Url,
    pub(super) account: Account,
    pub(super) config_file_name: String,
    pub(super) carried: Carried,
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    base: Url,
    config_file_name: String,
    fetching: Fetching,
    at: Position,
    /// Requests made for the present fetch.
    attempts: u8,
    /// Links still to follow, innermost document last.
    links: Vec<LinkFrame>,
    /// Settings documents of this walk, in the order they came.
    collected: Vec<Collected>,
    /// Resources still to fetch, last one first.
    resources: Vec<String>,
    upgrade: Upgrade,
    /// What catalogues named and is still to come.
    catalogued: Catalogued,
    /// What reference documents named and is still to come.
    referenced: Referenced,
    checksum: Option<[u8; 16]>,
    links_followed: u32,
    end: WalkEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// The file that the candidate names.
    Given,
    /// A fetch of the profile.
    Fetch(u8),
    /// A link of the innermost frame.
    Link,
    /// The next file that a catalogue named.
    Catalogue,
    /// The next file that a reference document named.
    Reference,
    /// The files are all there: apply.
    Apply,
    /// The resource just taken off the list.
    Resource,
    /// A part of the firmware.
    Firmware,
    /// Over.
    Done,
}

/// What a walk came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct WalkEnd {
    /// Files that were had.
    pub(super) fetched: u32,
    /// Links, resources and images that were named and could not be had.
    pub(super) failed: u32,
    /// Applied settings need a reboot.
    pub(super) reboot: bool,
    /// A configuration was loaded that needs a soft reboot.
    pub(super) soft_reboot: bool,
    /// Firmware to install.
    pub(super) install: Option<Arc<str>>,
    /// The firmware was refused or could not be had.
    pub(super) upgrade_failed: bool,
}

impl Walk {
    pub(super) fn new(turn: &Turn<'_>, holdings: &Holdings<'_>, start: Start) -> Self {
        let http = HttpIdentity::of(turn, holdings.flash, start.account);
        let directory = match turn.profile.classify {
            Classify::BySuffix => start.base.is_directory(),
            Classify::Root => true,
            Classify::File => false,
        };
        Self {
            base: start.base,
            config_file_name: start.config_file_name,
            fetching: Fetching::new(http, start.carried),
            at: if directory {
                Position::Fetch(0)
            } else {
                Position::Given
            },
            attempts: 0,
            links: Vec::new(),
            collected: Vec::new(),
            resources: Vec::new(),
            upgrade: Upgrade::default(),
            catalogued: Catalogued::default(),
            referenced: Referenced::default(),
            checksum: None,
            links_followed: 0,
            end: WalkEnd::default(),
        }
    }

    pub(super) fn carried(&self) -> Carried {
        self.fetching.carried()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.fetching.deadline()
    }

    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.fetching.close(turn);
    }

    /// Requests the first file.
    pub(super) fn begin(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
    ) -> Option<WalkEnd> {
        self.go_on(turn, holdings)
    }

    pub(super) fn input(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        input: &Input<'_>,
    ) -> Option<WalkEnd> {
        if let Some((target, ending)) = self.fetching.input(turn, input) {
            self.ended(turn, holdings, &target, ending);
        }
        if self.fetching.is_busy() {
            return None;
        }
        self.go_on(turn, holdings)
    }

    /// Requests what is next, until something is under way or the walk is over.
    fn go_on(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) -> Option<WalkEnd> {
        while self.at != Position::Done {
            let Some(target) = self.next_target(turn, holdings) else {
                continue;
            };
            let ending = self.fetching.request(turn, target);
            if let Some((target, ending)) = ending {
                self.ended(turn, holdings, &target, ending);
            }
            if self.fetching.is_busy() {
                return None;
            }
        }
        self.close(turn);
        Some(std::mem::take(&mut self.end))
    }

    /// The file at the present position; `None` when the position moved on without one.
    fn next_target(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) -> Option<Target> {
        match self.at {
            Position::Given => Some(self.given_target(turn)),
            Position::Fetch(index) => self.fetch_target(turn, index),
            Position::Link => self.link_target(turn),
            Position::Catalogue => self.catalogue_target(turn, holdings),
            Position::Reference => self.reference_target(turn),
            Position::Apply => {
                self.apply(turn, holdings);
                None
            }
            Position::Resource => self.resource_target(turn),
            Position::Firmware => self.firmware_target(turn),
            Position::Done => None,
        }
    }

    fn given_target(&self, turn: &mut Turn<'_>) -> Target {
        let name = self.base.file_name().to_ascii_lowercase();
        let by_suffix = turn
            .profile
            .given
            .iter()
            .find(|(suffix, _)| name.ends_with(suffix));
        let format = by_suffix.map_or(Format::KeyValue, |(_, format)| *format);
        Target::named(turn, StepId::GIVEN, format, self.base.clone())
    }

    fn fetch_target(&mut self, turn: &mut Turn<'_>, index: u8) -> Option<Target> {
        let Some(fetch) = turn.profile.fetches.get(usize::from(index)) else {
            self.at = Position::Apply;
            return None;
        };
        if fetch.as_given {
            return self.as_given_target(turn, index, fetch);
        }
        let vars = crate::profile::template::Vars {
            config_file_name: &self.config_file_name,
            ..turn.vars()
        };
        let name = fetch.name.text(&vars);
        if name.is_empty() {
            self.goto(fetch.missing);
            return None;
        }
        let step = StepId::fetch(usize::from(index));
        let mut url = self.base.clone();
        url.append(&name);
        Some(Target {
            step,
            file: File::Step(step),
            format: fetch.format,
            url,
            image: false,
        })
    }

    /// The candidate's own URL (GIG-06); one without a path names no file (GIG-15).
    fn as_given_target(&mut self, turn: &mut Turn<'_>, index: u8, fetch: &Fetch) -> Option<Target> {
        if self.base.path == "/" {
            self.goto(fetch.missing);
            return None;
        }
        let step = StepId::fetch(usize::from(index));
        Some(Target::named(turn, step, fetch.format, self.base.clone()))
    }

    fn resource_target(&mut self, turn: &mut Turn<'_>) -> Option<Target> {
        let Some(text) = self.resources.pop() else {
            self.at = Position::Firmware;
            return None;
        };
        let text = super::params::expand(turn, &text).into_owned();
        let Ok(url) = self.beside(&text) else {
            let fault = Fault::BadTarget;
            turn.event(EventKind::GaveUp {
                step: StepId::RESOURCE,
                fault,
            });
            self.end.failed += 1;
            return None;
        };
        Some(Target {
            image: true,
            ..Target::named(turn, StepId::RESOURCE, Format::Opaque, url)
        })
    }

    /// The URL of a link in the settings: relative to the candidate's directory, whether the
    /// directory's URL ends in a slash or not (FLY-85).
    fn beside(&self, link: &str) -> Result<Url, UrlFault> {
        if self.base.is_directory() {
            self.base.directory().join(link)
        } else {
            self.base.join(link)
        }
    }

    /// Moves to where a fetch of the profile leads.
    fn goto(&mut self, next: Next) {
        self.attempts = 0;
        self.at = match next {
            Next::Fetch(index) => Position::Fetch(index),
            Next::End => Position::Apply,
        };
    }

    /// A file is over: found, missing or failed.
    fn ended(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        ending: Ending,
    ) {
        match ending {
            Ending::Found(body) => {
                self.end.fetched += 1;
                self.found(turn, holdings, target, &body);
            }
            Ending::Missing => self.not_had(turn, holdings, Fault::NotThere),
            Ending::Failed(fault) => self.not_had(turn, holdings, fault),
        }
    }

    fn found(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        match target.format {
            Format::Catalogue => return self.catalogue_document(turn, holdings, target, body),
            Format::Sections => return self.sections_document(turn, holdings, target, body),
            _ => {}
        }
        match self.at {
            Position::Catalogue => self.catalogued(turn, holdings, target, body),
            Position::Reference => {}
            Position::Resource => {
                let bytes = body.bytes().len() as u64;
                turn.event(EventKind::ResourceStored {
                    file: target.file,
                    bytes,
                });
            }
            Position::Firmware => self.image(turn, body),
            Position::Fetch(index) => {
                let Some(fetch) = turn.profile.fetches.get(usize::from(index)) else {
                    return;
                };
                match fetch.format {
                    Format::Checksum => self.checksum(turn, holdings, target, fetch, body),
                    Format::Version => self.version_file(turn, holdings, target, fetch, body),
                    _ => self.document(turn, holdings, target, body, Some(fetch)),
                }
            }
            Position::Given | Position::Link => {
                self.document(turn, holdings, target, body, None);
            }
            Position::Apply | Position::Done => {}
        }
    }

    /// The file at the present position cannot be had.
    fn not_had(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>, fault: Fault) {
        match self.at {
            Position::Fetch(index) => {
                let Some(fetch) = turn.profile.fetches.get(usize::from(index)) else {
                    return;
                };
                // A file that is not there is an answer, unless its checksum announced it; silence
                // and refusal are not.
                let announced = fetch.verify && self.checksum.is_some();
                let counts = !fetch.as_given && fault != Fault::NotThere;
                self.end.failed += u32::from(announced || counts);
                self.attempts += 1;
                if self.attempts < fetch.attempts {
                    self.fetching.pause(turn, fetch.pause);
                    return;
                }
                let empty = holdings.flash.settings.is_empty();
                self.goto(if empty {
                    fetch.missing_empty
                } else {
                    fetch.missing
                });
            }
            Position::Given => {
                self.end.failed += u32::from(fault != Fault::NotThere);
                self.at = Position::Apply;
            }
            Position::Catalogue => self.catalogue_not_had(turn, holdings, fault),
            Position::Link | Position::Reference | Position::Resource => self.end.failed += 1,
            Position::Firmware => {
                turn.event(EventKind::FirmwareRefused { fault });
                self.drop_upgrade();
            }
            Position::Apply | Position::Done => {}
        }
    }

    /// A settings document or a boot file.
    fn document(
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
        let shelf = &mut *turn.shelf;
        let vetted = shelf.bodies.vetted(
            body,
            target.format,
            turn.profile,
            holdings.profile_index,
            &mut shelf.keys,
        );
        if let Some(fault) = fault_of(vetted.document.reading) {
            return self.unreadable(turn, holdings, target, fault);
        }
        let known = turn.profile.change != Change::None
            && holdings.flash.digest(target.file) == Some(body.md5());
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
    fn keep(&mut self, turn: &mut Turn<'_>, collected: Collected) {
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
    fn checksum(
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
    fn unreadable(
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
    fn apply(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) {
        let collected = std::mem::take(&mut self.collected);
        self.end.reboot = apply::overlay(turn, holdings.flash, &collected);
        self.store_stamp(turn, holdings);
        self.resources = apply::resources(turn, holdings.flash, &collected);
        if turn.profile.firmware_rule.version == FirmwareVersion::FileName && self.end.fetched > 0 {
            self.firmware_by_name(turn, holdings, &collected);
        }
        self.at = Position::Resource;
    }
}

/// What is wrong with a document that cannot be read.
fn fault_of(reading: Reading) -> Option<Fault> {
    match reading {
        Reading::Whole => None,
        Reading::Encrypted => Some(Fault::Encrypted),
        Reading::Foreign => Some(Fault::WrongFormat),
        Reading::WrongKey => Some(Fault::WrongKey),
        Reading::Cut => Some(Fault::BadCiphertext),
    }
}
