//! What an auto-configuration server ordered to be downloaded: this one file and no other
//! (FAN-122, FAN-125).

use std::rc::Rc;

use super::upgrade::Upgrade;
use super::{Position, Walk};
use crate::bodies::Body;
use crate::cwmp::memory::Holds;
use crate::event::{EventKind, Fault};
use crate::firmware;
use crate::format::Format;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::turn::Turn;
use crate::profile::{FirmwareVersion, StepId};

impl Walk {
    /// The ordered file, which is no configuration.
    pub(super) fn ordered_target(&self, turn: &mut Turn<'_>) -> Target {
        Target {
            image: true,
            ..Target::named(turn, StepId::DOWNLOAD, Format::Opaque, self.base.clone())
        }
    }

    /// It is here: firmware is installed unless it runs already, anything else is kept.
    pub(super) fn ordered_found(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        let bytes = body.bytes().len() as u64;
        self.at = Position::Done;
        if self.alone != Some(Holds::Firmware) {
            let file = target.file;
            turn.event(EventKind::ResourceStored { file, bytes });
            return;
        }
        if !firmware::is_image(body.bytes()) {
            return self.ordered_not_had(turn, Fault::NotAnImage);
        }
        if turn.profile.firmware_rule.version == FirmwareVersion::Digest {
            self.image_by_digest(turn, holdings.flash, target, body);
        } else {
            let name = target.url.file_name();
            let version = firmware::version_in_name(name).unwrap_or(name);
            if version == turn.firmware {
                turn.event(EventKind::FirmwareCurrent);
                return;
            }
            self.upgrade = Upgrade::had(version.into(), bytes);
        }
        self.at = Position::Firmware;
    }

    pub(super) fn ordered_not_had(&mut self, turn: &mut Turn<'_>, fault: Fault) {
        self.end.fault = Some(fault);
        if self.alone == Some(Holds::Firmware) {
            turn.event(EventKind::FirmwareRefused { fault });
            self.drop_upgrade();
        } else {
            self.end.failed += 1;
        }
        self.at = Position::Done;
    }
}
