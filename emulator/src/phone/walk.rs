//! The document walk: fetch, decode, see whether it changed, apply, follow the links.
//!
//! A walk belongs to one candidate. It goes through the profile's fetches (or the one file that
//! the candidate names), then the links of what it got, then resources, then firmware. One file is
//! under way at a time, or two where the profile says so.

mod catalogue;
mod document;
mod include;
mod naming;
mod ordered;
mod pair;
pub(super) mod sections;
mod tasks;
mod upgrade;

use std::rc::Rc;
use std::sync::Arc;

use super::apply::Collected;
use super::fetching::{Fetching, Target};
use super::holdings::{Carried, Holdings};
use super::io::Input;
use super::params::{self, HttpIdentity};
use super::turn::Turn;
use crate::bodies::Body;
use crate::cwmp::memory::Holds;
use crate::event::{EventKind, Fault};
use crate::format::Format;
use crate::profile::{Account, Classify, Fetch, Next, StepId};
use crate::time::Moment;
use crate::transfer::Ending;
use crate::url::{Url, UrlFault};
use catalogue::Catalogued;
use include::LinkFrame;
use pair::Pair;
use sections::Referenced;
use tasks::Pending;
use upgrade::Upgrade;

/// What a walk begins with.
pub(super) struct Start {
    pub(super) base: Url,
    pub(super) account: Account,
    pub(super) config_file_name: String,
    /// Only this file, not what else a walk would look for: an ordered download (FAN-122).
    pub(super) alone: Option<Holds>,
    pub(super) carried: Carried,
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    base: Url,
    config_file_name: String,
    fetching: Fetching,
    /// A second transfer, where two files are asked for at the same time.
    pair: Option<Box<Pair>>,
    /// Nothing but the file that the candidate names.
    alone: Option<Holds>,
    at: Position,
    /// Requests made for the present fetch.
    attempts: u8,
    /// Links still to follow, innermost document last.
    links: Vec<LinkFrame>,
    /// Settings documents of this walk, in the order they came.
    collected: Vec<Collected>,
    /// Resources still to fetch, last one first.
    resources: Vec<String>,
    /// Tasks still to do.
    tasks: Pending,
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
    /// The ordered file that is no configuration.
    Ordered,
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
    /// The next task that the new configuration starts.
    Task,
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
    /// The server refused the credentials for a configuration file of this candidate (FAN-52).
    pub(super) refused: Option<Box<Url>>,
    /// Why the last file that could not be had could not.
    pub(super) fault: Option<Fault>,
}

impl Walk {
    pub(super) fn new(turn: &Turn<'_>, holdings: &Holdings<'_>, start: Start) -> Self {
        let http = HttpIdentity::of(turn, holdings.flash, start.account);
        let own = |fetch: &Fetch| fetch.name_from_url;
        let own = turn.profile.fetches.iter().position(own);
        let own = own.and_then(|index| u8::try_from(index).ok());
        let directory = match turn.profile.classify {
            Classify::BySuffix => start.base.is_directory(),
            Classify::Root | Classify::Beside => true,
            Classify::File => false,
        };
        Self {
            base: start.base,
            config_file_name: start.config_file_name,
            fetching: Fetching::new(http, start.carried),
            pair: None,
            alone: start.alone,
            at: match (start.alone, own) {
                (Some(Holds::Firmware | Holds::File), _) => Position::Ordered,
                (Some(Holds::Configuration), Some(index)) => Position::Fetch(index),
                (None, _) if directory => Position::Fetch(0),
                (Some(Holds::Configuration) | None, _) => Position::Given,
            },
            attempts: 0,
            links: Vec::new(),
            collected: Vec::new(),
            resources: Vec::new(),
            tasks: Pending::default(),
            upgrade: Upgrade::default(),
            catalogued: Catalogued::default(),
            referenced: Referenced::default(),
            checksum: None,
            links_followed: 0,
            end: WalkEnd::default(),
        }
    }

    pub(super) fn carried(&self) -> Carried {
        let own = self.fetching.carried();
        let pair = self.pair.as_deref().map(Pair::carried);
        let acks = [own.last_ack, pair.and_then(|pair| pair.last_ack)];
        // Only one is kept: the one that may be needed for longer.
        let last_ack = acks.into_iter().flatten().max_by_key(|last| last.until);
        Carried { last_ack, ..own }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let pair = self.pair.as_deref().and_then(Pair::deadline);
        let own = self.fetching.deadline();
        own.into_iter().chain(pair).min()
    }

    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.fetching.close(turn);
        if let Some(pair) = &mut self.pair {
            pair.close(turn);
        }
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
        if self.is_paired() {
            if self.pair_input(turn, input) {
                return None;
            }
            self.pair_ended(turn, holdings);
        } else if self.pair_stray(turn, input) {
            return None;
        } else if let Some((target, ending)) = self.fetching.input(turn, input) {
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
            if let Some(second) = self.second_target(turn, holdings.flash) {
                if self.request_pair(turn, target, second) {
                    return None;
                }
                self.pair_ended(turn, holdings);
                continue;
            }
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
            Position::Ordered => Some(self.ordered_target(turn)),
            Position::Fetch(index) => self.fetch_target(turn, holdings.flash, index),
            Position::Link => self.link_target(turn),
            Position::Catalogue => self.catalogue_target(turn, holdings),
            Position::Reference => self.reference_target(turn),
            Position::Apply => {
                self.apply(turn, holdings);
                None
            }
            Position::Task => self.task_target(turn, holdings),
            Position::Resource => self.resource_target(turn),
            Position::Firmware => self.firmware_target(turn, holdings.flash),
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

    fn resource_target(&mut self, turn: &mut Turn<'_>) -> Option<Target> {
        let Some(text) = self.resources.pop() else {
            self.at = Position::Firmware;
            return None;
        };
        let text = params::expand(turn, &text).into_owned();
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
            Position::Ordered => self.ordered_found(turn, holdings, target, body),
            Position::Task => self.task_found(turn, holdings, target, body),
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
        let wants_login = matches!(
            fault,
            Fault::Unauthorized | Fault::Challenge | Fault::FtpReply(530)
        );
        self.end.fault = Some(fault);
        if wants_login && matches!(self.at, Position::Given | Position::Fetch(_)) {
            self.end.refused = Some(Box::new(self.base.clone()));
        }
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
            Position::Ordered => self.ordered_not_had(turn, fault),
            Position::Task => self.task_not_had(turn, fault),
            Position::Link | Position::Reference | Position::Resource => self.end.failed += 1,
            Position::Firmware => {
                turn.event(EventKind::FirmwareRefused { fault });
                self.drop_upgrade();
            }
            Position::Apply | Position::Done => {}
        }
    }
}

#[cfg(test)]
mod tests;
