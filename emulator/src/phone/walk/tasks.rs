//! The tasks that a changed configuration starts: firmware, phone book, certificates and what else
//! its settings name (FAN-10, FAN-11, FAN-126 … FAN-135).

use std::rc::Rc;

use super::{Position, Walk};
use crate::bodies::Body;
use crate::certificate;
use crate::event::{EventKind, Fault, File};
use crate::firmware;
use crate::flash::Flash;
use crate::format::Format;
use crate::format::table::Count;
use crate::phone::apply::Collected;
use crate::phone::fetching::Target;
use crate::phone::holdings::Holdings;
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::profile::{StepId, Task, TaskKind};
use crate::resource;
use crate::url::Url;

/// Tasks still to do.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Their places in the profile, the last one first.
    todo: Vec<u8>,
    /// The one under way.
    now: u8,
}

impl Walk {
    /// Notes which tasks the files that changed ask for (FAN-09, FAN-10): those whose setting one
    /// of them holds.
    pub(super) fn start_tasks(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        collected: &[Collected],
    ) {
        let changed = |key: &str| {
            let key = turn.shelf.keys.find(key);
            let mut fresh = collected.iter().filter(|each| !each.known);
            key.is_some_and(|key| fresh.any(|each| each.vetted.document.find(key).is_some()))
        };
        let tasks = turn.profile.tasks.list.iter().enumerate().rev();
        let named = tasks.filter(|(_, task)| {
            let named = task.settings.iter().any(|key| changed(key));
            named && url_text(turn, flash, task).is_some()
        });
        let todo: Vec<u8> = named
            .filter_map(|(place, _)| u8::try_from(place).ok())
            .collect();
        if !todo.is_empty() {
            self.fetching.pause(turn, turn.profile.tasks.pause);
        }
        self.tasks = Pending { todo, now: 0 };
    }

    /// The next task's file; `None` when the position moved on without one.
    pub(super) fn task_target(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
    ) -> Option<Target> {
        let Some(place) = self.tasks.todo.pop() else {
            self.at = Position::Resource;
            return None;
        };
        self.tasks.now = place;
        let task = turn.profile.tasks.list.get(usize::from(place))?;
        let text = url_text(turn, holdings.flash, task)?;
        let step = step_of(task.holds);
        let Ok(url) = self.base.join(&text) else {
            let fault = Fault::BadTarget;
            turn.event(EventKind::GaveUp { step, fault });
            self.task_not_had(turn, fault);
            return None;
        };
        let name = turn.shelf.url(&url.to_string());
        let file = File::Named(name);
        if task.refused {
            // The files of a whole family may name it: nothing has failed.
            let fault = Fault::KindRefused;
            turn.event(EventKind::ResourceRefused { file, fault });
            return None;
        }
        if !may_be_called(task, &url) {
            let fault = Fault::NameRefused;
            self.refuse(turn, file, fault);
            return None;
        }
        let task_name = turn.shelf.url(&task.id);
        turn.event(EventKind::TaskStarted {
            task: task_name,
            url: name,
        });
        Some(Target {
            step,
            file,
            format: Format::Opaque,
            url,
            image: matches!(task.holds, TaskKind::Firmware | TaskKind::Mmiset),
        })
    }

    /// A task's file is here.
    pub(super) fn task_found(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        target: &Target,
        body: &Rc<Body>,
    ) {
        let Some(task) = turn.profile.tasks.list.get(usize::from(self.tasks.now)) else {
            return;
        };
        let bytes = body.bytes();
        let judged = match task.holds {
            TaskKind::Firmware => return self.image_by_digest(turn, holdings.flash, target, body),
            TaskKind::Certificate => {
                return self.task_certificate(turn, holdings.flash, target, body);
            }
            TaskKind::Background => match resource::is_picture(bytes) {
                true => Ok(None),
                false => Err(Fault::WrongFormat),
            },
            TaskKind::Mmiset => match firmware::is_image(bytes) {
                true => Ok(None),
                false => Err(Fault::NotAnImage),
            },
            TaskKind::Phonebook => resource::phone_book(bytes).map(Some),
            TaskKind::DialRules | TaskKind::AccessList => {
                resource::table(bytes).map(Some).ok_or(Fault::WrongFormat)
            }
        };
        match judged {
            Ok(count) => stored(turn, target.file, body, count),
            Err(fault) => self.refuse(turn, target.file, fault),
        }
    }

    /// A certificate, by the suffixes that stand for one; anything else of that place is kept as
    /// it is (FAN-128).
    fn task_certificate(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &mut Flash,
        target: &Target,
        body: &Rc<Body>,
    ) {
        let (file, bytes) = (target.file, body.bytes());
        let suffix = suffix_of(target.url.file_name());
        let named = ["crt", "pem"].map(|known| suffix.eq_ignore_ascii_case(known));
        let certificate = named.contains(&true) && !resource::is_private_key(bytes);
        if certificate && certificate::certificates(bytes).is_none() {
            return self.refuse(turn, file, Fault::BadCertificate);
        }
        if bytes.is_empty() || resource::is_page(bytes) {
            return self.refuse(turn, file, Fault::WrongFormat);
        }
        if flash.digest(file) == Some(body.md5()) {
            turn.event(EventKind::Unchanged { file });
            return;
        }
        flash.remember(file, body.md5());
        if certificate {
            let would_ask = false;
            turn.event(EventKind::CertificateInstalled { file, would_ask });
        } else {
            stored(turn, file, body, None);
        }
    }

    /// A task's file cannot be had; the others go on.
    pub(super) fn task_not_had(&mut self, turn: &mut Turn<'_>, fault: Fault) {
        let task = turn.profile.tasks.list.get(usize::from(self.tasks.now));
        if task.is_some_and(|task| task.holds == TaskKind::Firmware) {
            turn.event(EventKind::FirmwareRefused { fault });
            self.drop_upgrade();
        } else {
            self.end.failed += 1;
        }
    }

    fn refuse(&mut self, turn: &mut Turn<'_>, file: File, fault: Fault) {
        turn.event(EventKind::ResourceRefused { file, fault });
        self.end.failed += 1;
    }
}

/// A resource is kept; of a table also how many rows (FAN-135).
fn stored(turn: &mut Turn<'_>, file: File, body: &Rc<Body>, count: Option<Count>) {
    let bytes = body.bytes().len() as u64;
    turn.event(EventKind::ResourceStored { file, bytes });
    if let Some(Count { rows, rejected }) = count {
        turn.event(EventKind::Imported {
            file,
            rows,
            rejected,
        });
    }
}

/// The URL that the settings in force give a task, markers replaced; none where they give none.
fn url_text(turn: &Turn<'_>, flash: &Flash, task: &Task) -> Option<String> {
    let keys = task.settings.iter();
    let mut held = keys.filter_map(|key| flash.settings.held(turn.shelf.keys.find(key)?));
    let text = held.find(|held| !held.value.trim().is_empty())?;
    Some(params::expand(turn, text.value).into_owned())
}

fn step_of(holds: TaskKind) -> StepId {
    match holds {
        TaskKind::Firmware => StepId::FIRMWARE,
        TaskKind::Certificate => StepId::CERTIFICATE,
        _ => StepId::RESOURCE,
    }
}

/// Whether a task takes a file of this name (FAN-128 … FAN-133).
fn may_be_called(task: &Task, url: &Url) -> bool {
    let name = url.file_name();
    let suffix = suffix_of(name);
    let base = name.strip_suffix(suffix).unwrap_or(name);
    let base = base.strip_suffix('.').unwrap_or(base);
    let mut suffixes = task.suffixes.iter();
    let known =
        task.suffixes.is_empty() || suffixes.any(|known| suffix.eq_ignore_ascii_case(known));
    known && (task.base_name.is_empty() || base == task.base_name)
}

/// What stands behind the last dot of a file name; empty without one.
fn suffix_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}
