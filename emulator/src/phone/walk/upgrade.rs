//! Firmware in the walk: what is offered, whether it is taken up, its parts (PND-16, FLY-116).

use std::rc::Rc;
use std::sync::Arc;

use super::{Position, Walk};
use crate::bodies::Body;
use crate::event::{EventKind, Fault};
use crate::firmware;
use crate::flash::Flash;
use crate::format::{Format, Reading};
use crate::phone::apply::{self, Collected};
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::template::Vars;
use crate::profile::{Fetch, FirmwareVersion, Param, StepId};
use crate::url::Url;

/// Stands for the version in an image's name; a name has no control characters.
const MARK: &str = "\u{1}";

/// A firmware offer and how far it got.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    pub(super) version: Option<Arc<str>>,
    /// Parts still to fetch, last one first.
    parts: Vec<Url>,
    bytes: u64,
    /// The digest of an image that is judged by it.
    md5: Option<[u8; 16]>,
}

impl Upgrade {
    /// An image that is there as a whole, to be installed at the end of the walk.
    pub(super) fn had(version: Arc<str>, bytes: u64) -> Self {
        Self {
            version: Some(version),
            parts: Vec::new(),
            bytes,
            md5: None,
        }
    }
}

impl Walk {
    pub(super) fn firmware_target(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &mut Flash,
    ) -> Option<Target> {
        if let Some(url) = self.upgrade.parts.pop() {
            return Some(Target {
                image: true,
                ..Target::named(turn, StepId::FIRMWARE, Format::Opaque, url)
            });
        }
        if let Some(version) = self.upgrade.version.take() {
            let bytes = self.upgrade.bytes;
            let name = turn.shelf.url(&version);
            turn.event(EventKind::FirmwareInstalling {
                version: name,
                bytes,
            });
            if let Some(md5) = self.upgrade.md5.take() {
                flash.remember_image(md5);
            }
            self.end.install = Some(version);
        }
        self.at = Position::Done;
        None
    }

    /// Decides by a version file whether an update is needed (PND-16, PND-26, PND-27).
    pub(super) fn version_file(
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
            .document(body, Format::Version, options, &mut shelf.keys);
        let version = document.version.map(|span| document.text(span));
        let Some(version) = version.filter(|_| document.reading == Reading::Whole) else {
            return self.unreadable(turn, holdings, target, Fault::WrongFormat);
        };
        apply::report_ignored(turn, target.file, &document.faults);
        if turn.profile.firmware_rule.version == FirmwareVersion::VersionFile {
            let links = document.links.iter().rev();
            let parts = links.map(|link| target.url.join(document.text(link.url)));
            let parts = parts.collect::<Result<Vec<_>, _>>().unwrap_or_default();
            self.offer(turn, holdings, version, parts);
        }
        self.goto(fetch.found);
    }

    /// A firmware URL in the settings, or the upgrade rule (FLY-116).
    pub(super) fn firmware_by_name(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        collected: &[Collected],
    ) {
        let mut text = apply::firmware_url(holdings.flash, collected).unwrap_or_default();
        if text.is_empty() {
            text = params::expanded(turn, holdings.flash, Param::UpgradeRule);
        }
        if text.is_empty() {
            return;
        }
        let text = params::expand(turn, &text).into_owned();
        let Ok(url) = self.beside(&text) else {
            turn.event(EventKind::FirmwareRefused {
                fault: Fault::BadTarget,
            });
            self.end.upgrade_failed = true;
            return;
        };
        let version = firmware::version_in_name(url.file_name()).unwrap_or(url.file_name());
        let version = version.to_owned();
        self.offer(turn, holdings, &version, vec![url]);
    }

    /// An image is here whose own bytes say whether it is new (FAN-126): it is installed unless it
    /// was installed last and still runs. One whose installation was broken off does not run.
    pub(super) fn image_by_digest(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        target: &Target,
        body: &Rc<Body>,
    ) {
        if !firmware::is_image(body.bytes()) {
            turn.event(EventKind::FirmwareRefused {
                fault: Fault::NotAnImage,
            });
            return self.drop_upgrade();
        }
        let md5 = body.md5();
        let version = called(turn, &target.url, md5);
        if flash.image() == Some(md5) && version == turn.firmware {
            turn.event(EventKind::FirmwareCurrent);
            return;
        }
        let bytes = body.bytes().len() as u64;
        self.upgrade = Upgrade {
            md5: Some(md5),
            ..Upgrade::had(version.into(), bytes)
        };
    }

    /// Takes a firmware offer up when its version is not the one that runs.
    pub(super) fn offer(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        version: &str,
        parts: Vec<Url>,
    ) {
        if !params::is_on(turn, holdings.flash, Param::UpgradeEnable) {
            return;
        }
        if version == turn.firmware {
            turn.event(EventKind::FirmwareCurrent);
            return;
        }
        if parts.is_empty() {
            turn.event(EventKind::FirmwareRefused {
                fault: Fault::BadTarget,
            });
            self.end.upgrade_failed = true;
            return;
        }
        self.upgrade = Upgrade {
            version: Some(version.into()),
            parts,
            bytes: 0,
            md5: None,
        };
    }

    /// A part of the firmware is here.
    pub(super) fn image(&mut self, turn: &mut Turn<'_>, body: &Rc<Body>) {
        if firmware::is_image(body.bytes()) {
            self.upgrade.bytes += body.bytes().len() as u64;
            return;
        }
        turn.event(EventKind::FirmwareRefused {
            fault: Fault::NotAnImage,
        });
        self.drop_upgrade();
    }

    pub(super) fn drop_upgrade(&mut self) {
        self.upgrade = Upgrade::default();
        self.end.upgrade_failed = true;
        self.end.failed += 1;
    }
}

/// What a phone calls an image: the version in its file name, written as the vendor does, else its
/// digest.
fn called(turn: &Turn<'_>, url: &Url, md5: [u8; 16]) -> String {
    let written = turn.profile.firmware_rule.image_name.text(&Vars {
        version: MARK,
        ..turn.vars()
    });
    let before = written.split(MARK).next().unwrap_or_default();
    let before = before.rsplit('/').next().unwrap_or_default();
    let version = firmware::version_behind(url.file_name(), before);
    version.map_or_else(|| firmware::digest_text(md5), str::to_owned)
}
