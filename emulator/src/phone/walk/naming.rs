//! What the files of a walk are called, where they lie, and with which key they are read.

use super::{Position, Walk};
use crate::event::{Fault, File};
use crate::flash::Flash;
use crate::format::sealed::{self, Seal};
use crate::phone::fetching::Target;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::template::Vars;
use crate::profile::{Classify, Fetch, Param, StepId};
use crate::url::Url;

impl Walk {
    /// The file of a fetch; `None` when the position moved on without one.
    pub(super) fn fetch_target(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        index: u8,
    ) -> Option<Target> {
        let Some(fetch) = turn.profile.fetches.get(usize::from(index)) else {
            self.at = Position::Apply;
            return None;
        };
        let target = self.target_of(turn, flash, index);
        if target.is_none() {
            self.goto(fetch.missing);
        }
        target
    }

    /// The file that is asked for together with the one at the present position (FAN-87).
    pub(super) fn second_target(&mut self, turn: &mut Turn<'_>, flash: &Flash) -> Option<Target> {
        let Position::Fetch(index) = self.at else {
            return None;
        };
        let fetch = turn.profile.fetches.get(usize::from(index))?;
        let next = index.checked_add(1).filter(|_| fetch.beside_next)?;
        self.target_of(turn, flash, next)
    }

    /// The file of a fetch, unless it is left out.
    fn target_of(&self, turn: &mut Turn<'_>, flash: &Flash, index: u8) -> Option<Target> {
        let fetch = turn.profile.fetches.get(usize::from(index))?;
        let url = self.url_of(turn, flash, fetch)?;
        let before = turn.profile.fetches.iter().take(usize::from(index));
        let same = |other: &Fetch| {
            let other = self.url_of(turn, flash, other);
            other.is_some_and(|other| other.file_name() == url.file_name())
        };
        if fetch.skip_same && self.alone.is_none() && before.into_iter().any(same) {
            return None;
        }
        let step = StepId::fetch(usize::from(index));
        if fetch.as_given {
            return Some(Target::named(turn, step, fetch.format, url));
        }
        Some(Target {
            step,
            file: File::Step(step),
            format: fetch.format,
            url,
            image: false,
        })
    }

    /// Where a fetch leads; `None` when it is switched off or has no name.
    fn url_of(&self, turn: &Turn<'_>, flash: &Flash, fetch: &Fetch) -> Option<Url> {
        if !fetch
            .enabled_by
            .iter()
            .all(|param| params::is_on(turn, flash, *param))
        {
            return None;
        }
        if fetch.as_given {
            // The candidate's own URL (GIG-06); one without a path names no file (GIG-15).
            return (self.base.path != "/").then(|| self.base.clone());
        }
        // FAN-54, FAN-58
        if fetch.name_from_url && !self.base.file_name().is_empty() {
            return Some(self.base.clone());
        }
        let vars = Vars {
            config_file_name: &self.config_file_name,
            ..turn.vars()
        };
        let name = fetch.name.text(&vars);
        if name.is_empty() {
            return None;
        }
        let mut url = self.base.clone();
        if turn.profile.classify != Classify::Beside {
            url.append(&name);
            return Some(url);
        }
        let (directory, tail) = parts(&self.base.path);
        // A query belongs to the file that the candidate names, not to its neighbours (FAN-61).
        let tail = if fetch.name_from_url { tail } else { "" };
        url.path = [directory, &name, tail].concat();
        Some(url)
    }
}

/// The key that a file is read with: none where the field is empty, so that the file has to be
/// readable as it stands (FAN-42 … FAN-46).
///
/// # Errors
/// `WrongKey` for a text that is not 64 hexadecimal digits.
pub(super) fn seal(turn: &Turn<'_>, flash: &Flash, fetch: &Fetch) -> Result<Option<Seal>, Fault> {
    let (Some(param), Some(cipher)) = (fetch.key, turn.profile.cipher) else {
        return Ok(None);
    };
    let swapped = params::is_on(turn, flash, Param::KeysSwapped);
    let param = match (param, swapped) {
        (Param::DeviceKey, true) => Param::CommonKey,
        (Param::CommonKey, true) => Param::DeviceKey,
        (param, _) => param,
    };
    let text = params::text(turn, flash, param);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let key = sealed::parse_key(&text).ok_or(Fault::WrongKey)?;
    Ok(Some(Seal { cipher, key }))
}

/// A path up to its last `/`, and its query.
fn parts(path: &str) -> (&str, &str) {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, tail) = path.split_at_checked(end).unwrap_or((path, ""));
    let slash = path.rfind('/').map_or(0, |at| at + 1);
    (path.get(..slash).unwrap_or("/"), tail)
}
