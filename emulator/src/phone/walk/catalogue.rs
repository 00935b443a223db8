//! Catalogues: a document that lists categories, each with a list of versions, each naming a file
//! (GIG-17 … GIG-48).
//!
//! Documents are worked off in file order, each as soon as it is there, the innermost first. Within
//! one document firmware comes first, since what else it says is meant for the new firmware
//! (GIG-53), then its own settings, then what it links to.

mod found;

use std::rc::Rc;
use std::sync::Arc;

use super::upgrade::Upgrade;
use super::{Position, Walk};
use crate::bodies::Body;
use crate::certificate;
use crate::event::{EventKind, Fault, File, Limit};
use crate::firmware;
use crate::format::catalogue::{Item, ItemKind, Role};
use crate::format::{Document, Format};
use crate::limits::LINKS_MAX;
use crate::phone::apply::Collected;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::{FirmwareChoice, Param, StepId};
use crate::url::Url;
use crate::version;

/// The flag with which a handset does not ask its user (GIG-47).
const FORCE_ACCEPT: &str = "FORCE_ACCEPT";

/// What catalogues named and is still to come.
#[derive(Debug, Default)]
pub(super) struct Catalogued {
    /// The documents being worked off, innermost last.
    frames: Vec<Frame>,
    /// What the file under way is.
    asked: Asked,
    /// Where the walk goes on afterwards.
    resume: Option<Position>,
    /// The version of the settings collected, stored once they are in force (GIG-37).
    stamp: Option<(File, Box<str>)>,
}

/// A document being worked off.
#[derive(Debug)]
struct Frame {
    document: Rc<Document>,
    url: Url,
    /// The newest firmware that it lists, until it is looked at.
    firmware: Option<Item>,
    /// Its own settings, until they are taken.
    inline: Option<Inline>,
    /// The place of the newest settings file that it lists (GIG-34).
    newest: Option<usize>,
    /// The next item.
    next: usize,
}

/// Settings that a document holds itself.
#[derive(Debug)]
struct Inline {
    collected: Collected,
    /// Their version, where one was announced or is in the document.
    stamp: Option<Box<str>>,
}

/// What a file under way is.
#[derive(Debug, Default)]
enum Asked {
    /// A list of versions, or what a redirect step names: no version is known of it.
    #[default]
    Document,
    /// Settings of the version that their list gives.
    Settings(Box<str>),
    /// A certificate.
    Certificate {
        /// The handset would ask its user.
        would_ask: bool,
    },
    /// A firmware image of this version.
    Image(Arc<str>),
}

impl Asked {
    fn step(&self, redirected: bool) -> StepId {
        match self {
            Self::Document if redirected => StepId::LINKED,
            Self::Document => StepId::UPDATES,
            Self::Settings(_) => StepId::LINKED,
            Self::Certificate { .. } => StepId::CERTIFICATE,
            Self::Image(_) => StepId::FIRMWARE,
        }
    }

    fn format(&self) -> Format {
        match self {
            Self::Document | Self::Settings(_) => Format::Catalogue,
            Self::Certificate { .. } | Self::Image(_) => Format::Opaque,
        }
    }
}

impl Walk {
    /// The next file that a catalogue named; `None` when the position moved on without one.
    pub(super) fn catalogue_target(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
    ) -> Option<Target> {
        let Some(frame) = self.catalogued.frames.last_mut() else {
            self.at = self.catalogued.resume.take().unwrap_or(Position::Apply);
            return None;
        };
        if let Some(item) = frame.firmware.take() {
            return self.listed_firmware(turn, holdings, item);
        }
        if let Some(inline) = frame.inline.take() {
            self.take(turn, inline);
            return None;
        }
        let at = frame.next;
        frame.next += 1;
        let items = frame.document.catalogue.as_deref().map(|held| &held.items);
        let Some(item) = items.and_then(|items| items.get(at)).copied() else {
            self.catalogued.frames.pop();
            return None;
        };
        let asked = match item.kind {
            ItemKind::File(Role::Nvm) if frame.newest == Some(at) => {
                return self.listed_settings(turn, holdings, item);
            }
            ItemKind::Category(_) | ItemKind::Redirect => Asked::Document,
            ItemKind::Certificate => {
                let flags = frame.document.text(item.flags);
                let mut words = flags.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                let would_ask = !words.any(|word| word == FORCE_ACCEPT);
                Asked::Certificate { would_ask }
            }
            ItemKind::File(_) | ItemKind::Other => return None,
        };
        self.linked(turn, item, asked)
    }

    /// The newest entry of a firmware list: installed when the rule of the profile says so
    /// (GIG-26, GIG-30).
    fn listed_firmware(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
        item: Item,
    ) -> Option<Target> {
        let frame = self.catalogued.frames.last()?;
        let offered: Arc<str> = frame.document.text(item.version).trim().into();
        let order = version::compare(&offered, turn.firmware);
        let wanted = match turn.profile.firmware_rule.choose {
            FirmwareChoice::Different => order.is_ne(),
            FirmwareChoice::NewerWhenEnabled => {
                if !params::is_on(turn, holdings.flash, Param::UpgradeEnable) {
                    return None;
                }
                order.is_gt()
            }
        };
        if offered.is_empty() {
            self.refuse_firmware(turn, Fault::WrongFormat);
            return None;
        }
        if !wanted {
            turn.event(EventKind::FirmwareCurrent);
            return None;
        }
        self.linked(turn, item, Asked::Image(offered))
    }

    /// The newest entry of a settings list: fetched when its version is not the one stored
    /// (GIG-39, GIG-40); a lower one is another one (GIG-43).
    fn listed_settings(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
        item: Item,
    ) -> Option<Target> {
        let frame = self.catalogued.frames.last()?;
        let announced: Box<str> = frame.document.text(item.version).trim().into();
        let stored = params::text(turn, holdings.flash, Param::SettingsVersion);
        if !announced.is_empty() && *announced == *stored {
            if let Ok(url) = frame.link(turn, item) {
                let file = File::Named(turn.shelf.url(&url.to_string()));
                turn.event(EventKind::Unchanged { file });
            }
            return None;
        }
        self.linked(turn, item, Asked::Settings(announced))
    }

    /// The file that an item names; without one the item has failed and the others go on (GIG-59).
    fn linked(&mut self, turn: &mut Turn<'_>, item: Item, asked: Asked) -> Option<Target> {
        if self.links_followed >= LINKS_MAX {
            let (limit, value) = (Limit::Links, u64::from(LINKS_MAX));
            turn.event(EventKind::LimitReached { limit, value });
            self.end.failed += 1;
            self.catalogued.frames.clear();
            return None;
        }
        self.links_followed += 1;
        let step = asked.step(item.kind == ItemKind::Redirect);
        let format = asked.format();
        let image = matches!(asked, Asked::Image(_));
        let frames = &self.catalogued.frames;
        let linked = frames
            .last()
            .map_or(Err(Fault::BadTarget), |frame| frame.link(turn, item));
        let circle = |url: &Url| frames.iter().any(|frame| frame.url == *url);
        let url = match linked {
            Ok(url) if format == Format::Catalogue && circle(&url) => Err(Fault::Cycle),
            linked => linked,
        };
        let url = match url {
            Ok(url) => url,
            Err(fault) if image => {
                self.refuse_firmware(turn, fault);
                return None;
            }
            Err(fault) => {
                turn.event(EventKind::GaveUp { step, fault });
                self.end.failed += 1;
                return None;
            }
        };
        self.catalogued.asked = asked;
        Some(Target {
            image,
            ..Target::named(turn, step, format, url)
        })
    }

    /// A file of another kind that a catalogue named is here: a certificate or an image.
    pub(super) fn catalogued(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        match std::mem::take(&mut self.catalogued.asked) {
            Asked::Image(version) if firmware::is_image(body.bytes()) => {
                self.upgrade = Upgrade::had(version, body.bytes().len() as u64);
                // The rest is for the run after the reboot (GIG-53).
                self.catalogued.frames.clear();
                self.catalogued.resume = None;
                self.at = Position::Apply;
            }
            Asked::Image(_) => self.refuse_firmware(turn, Fault::NotAnImage),
            Asked::Certificate { would_ask } => {
                self.certificate(turn, holdings, target, body, would_ask);
            }
            Asked::Document | Asked::Settings(_) => {}
        }
    }

    /// Installs a certificate unless it is there already (GIG-44 … GIG-47).
    fn certificate(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
        would_ask: bool,
    ) {
        let file = target.file;
        if certificate::certificates(body.bytes()).is_none() {
            return self.unreadable(turn, holdings, target, Fault::BadCertificate);
        }
        if holdings.flash.digest(file) == Some(body.md5()) {
            turn.event(EventKind::Unchanged { file });
            return;
        }
        holdings.flash.remember(file, body.md5());
        turn.event(EventKind::CertificateInstalled { file, would_ask });
    }

    /// A file that a catalogue named cannot be had: its category has failed, the others go on, and
    /// the next run tries it again (GIG-59).
    pub(super) fn catalogue_not_had(
        &mut self,
        turn: &mut Turn<'_>,
        _holdings: &mut Holdings<'_>,
        fault: Fault,
    ) {
        match std::mem::take(&mut self.catalogued.asked) {
            Asked::Image(_) => self.refuse_firmware(turn, fault),
            _ => self.end.failed += 1,
        }
    }

    fn refuse_firmware(&mut self, turn: &mut Turn<'_>, fault: Fault) {
        turn.event(EventKind::FirmwareRefused { fault });
        self.end.failed += 1;
    }
}

impl Frame {
    /// The URL of an item, with the vendor's markers replaced: as given, from the host's root or
    /// relative to the document (GIG-29). A single slash behind the scheme leaves no host (GIG-20).
    fn link(&self, turn: &Turn<'_>, item: Item) -> Result<Url, Fault> {
        let text = params::expand(turn, self.document.text(item.url));
        if text.trim().is_empty() {
            return Err(Fault::BadTarget);
        }
        self.url.join(&text).map_err(|_| Fault::BadTarget)
    }
}
