//! One provisioning run: the sources in their order, each candidate walked, until the profile's
//! end is reached (FLY-94).

use std::sync::Arc;

use super::holdings::{Carried, Holdings};
use super::io::{Channel, Input};
use super::params;
use super::turn::Turn;
use super::walk::{Start, Walk, WalkEnd};
use crate::discovery::dhcp::Lease;
use crate::discovery::pnp::{PnpClient, PnpResult};
use crate::event::{EventKind, Limit, RunResult, Trigger};
use crate::flash::Flash;
use crate::limits::CANDIDATES_MAX;
use crate::profile::{Param, Source, SourceId, SourceKind, SourcesEnd};
use crate::time::Moment;
use crate::url::{Scheme, Url};

/// A run under way.
#[derive(Debug)]
pub struct Run {
    source: u8,
    candidates: u32,
    part: Part,
    /// Carried for the next fresh UDP port and the next TCP connection.
    carried: Carried,
    partial: bool,
    trigger: Trigger,
    /// The search that is over: a server whose NOTIFY was answered in vain sends it again.
    searched: Option<PnpClient>,
}

#[derive(Debug)]
enum Part {
    Searching,
    Pnp(PnpClient),
    Walk(Box<Walk>),
}

/// What a run asks the phone to do when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// Nothing more.
    Over(RunResult),
    /// Settings were applied that need a reboot (FLY-112).
    Reboot(RunResult),
    /// A configuration was loaded: restart the services and begin again (PND-10).
    SoftReboot(RunResult),
    /// Firmware of this version is to be installed.
    Install(Arc<str>, RunResult),
    /// Nothing more, but the firmware could not be had (FLY-93).
    UpgradeFailed(RunResult),
}

impl Run {
    /// Begins with the first source.
    pub(super) fn start(
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        trigger: Trigger,
        carried: Carried,
    ) -> (Self, Option<RunEnd>) {
        turn.event(EventKind::RunStarted(trigger));
        let mut run = Self {
            source: 0,
            candidates: 0,
            part: Part::Searching,
            carried,
            partial: false,
            trigger,
            searched: None,
        };
        let end = run.search(turn, holdings);
        (run, end)
    }

    /// When the run wants to be stepped.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.part {
            Part::Searching => None,
            Part::Pnp(client) => Some(client.deadline()),
            Part::Walk(walk) => walk.deadline(),
        }
    }

    /// What it was started for.
    pub(super) fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// What the next run goes on with.
    pub(super) fn carried(&self) -> Carried {
        self.carried
    }

    /// Takes an input that is not a datagram for DHCP or SIP.
    pub(super) fn input(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        input: &Input<'_>,
    ) -> Option<RunEnd> {
        match &mut self.part {
            Part::Searching => None,
            Part::Pnp(client) => {
                let result = match input {
                    Input::Tick if client.deadline() <= turn.now => client.tick(turn),
                    Input::Datagram {
                        channel,
                        from,
                        bytes,
                    } => client.datagram_at(turn, *channel, *from, bytes),
                    _ => None,
                };
                result.and_then(|result| self.discovered(turn, holdings, result))
            }
            Part::Walk(walk) => {
                if let (
                    Input::Datagram {
                        channel,
                        from,
                        bytes,
                    },
                    Some(searched),
                ) = (input, &mut self.searched)
                    && matches!(channel, Channel::Sip | Channel::Pnp)
                {
                    searched.datagram_at(turn, *channel, *from, bytes);
                    return None;
                }
                let end = walk.input(turn, holdings, input);
                self.carried = walk.carried();
                end.and_then(|end| self.walked(turn, holdings, end))
            }
        }
    }

    /// True when a SIP datagram belongs to discovery: some servers answer a search at the SIP port.
    pub(super) fn claims(&self, turn: &Turn<'_>, channel: Channel, bytes: &[u8]) -> bool {
        let client = match &self.part {
            Part::Pnp(client) => Some(client),
            Part::Searching | Part::Walk(_) => self.searched.as_ref(),
        };
        client.is_some_and(|client| client.channel() == channel || client.claims(turn, bytes))
    }

    /// Closes what is open; the run is dropped next.
    pub(super) fn abort(&mut self, turn: &mut Turn<'_>) {
        if let Part::Walk(walk) = &mut self.part {
            walk.close(turn);
        }
    }

    fn discovered(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        result: PnpResult,
    ) -> Option<RunEnd> {
        if let Part::Pnp(client) = std::mem::replace(&mut self.part, Part::Searching) {
            self.searched = Some(client);
        }
        let end = match result {
            PnpResult::Url(text) => self.candidate(turn, holdings, &text),
            PnpResult::Nothing => {
                turn.event(EventKind::NoCandidate {
                    source: SourceId(self.source),
                });
                None
            }
        };
        if end.is_some() || matches!(self.part, Part::Walk(_)) {
            return end;
        }
        self.source = self.source.saturating_add(1);
        self.search(turn, holdings)
    }

    /// Tries sources from `self.source` on, until one is under way or the run is over.
    fn search(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) -> Option<RunEnd> {
        while let Some(source) = turn.profile.sources.get(usize::from(self.source)) {
            let enabled = source
                .enabled_by
                .iter()
                .all(|p| params::is_on(turn, holdings.flash, *p));
            if enabled {
                let end = self.try_source(turn, holdings, source);
                if end.is_some() || !matches!(self.part, Part::Searching) {
                    return end;
                }
            }
            self.source = self.source.saturating_add(1);
        }
        let result = match self.candidates {
            0 => RunResult::NoCandidate,
            _ => RunResult::NothingFetched,
        };
        Some(RunEnd::Over(result))
    }

    fn try_source(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        source: &Source,
    ) -> Option<RunEnd> {
        let text = match &source.kind {
            SourceKind::Pnp => {
                if let Some(client) = PnpClient::start(turn) {
                    self.part = Part::Pnp(client);
                    return None;
                }
                String::new()
            }
            SourceKind::Dhcp { option, .. } => lease_text(holdings.lease, *option),
            SourceKind::Fixed(param) => params::text(turn, holdings.flash, *param).into_owned(),
        };
        if text.trim().is_empty() {
            turn.event(EventKind::NoCandidate {
                source: SourceId(self.source),
            });
            return None;
        }
        self.candidate(turn, holdings, &text)
    }

    /// Walks the candidate that a source gave.
    fn candidate(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        text: &str,
    ) -> Option<RunEnd> {
        if self.candidates >= CANDIDATES_MAX {
            let limit = Limit::Candidates;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(CANDIDATES_MAX),
            });
            return None;
        }
        let id = SourceId(self.source);
        let expanded = params::expand(turn, text);
        let scheme = bare_scheme(turn, holdings.flash);
        let Ok(base) = Url::parse(&expanded, scheme) else {
            turn.event(EventKind::NoCandidate { source: id });
            return None;
        };
        self.candidates += 1;
        let url = turn.shelf.url(&base.to_string());
        turn.event(EventKind::Candidate { source: id, url });
        let source = turn.profile.sources.get(usize::from(self.source))?;
        let config_file_name = config_file_name(turn, holdings, source);
        let start = Start {
            base,
            account: source.account,
            config_file_name,
            carried: self.carried,
        };
        let mut walk = Box::new(Walk::new(turn, holdings, start));
        let end = walk.begin(turn, holdings);
        self.carried = walk.carried();
        self.part = Part::Walk(walk);
        end.and_then(|end| self.walked(turn, holdings, end))
    }

    /// Decides what follows a walk.
    fn walked(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        end: WalkEnd,
    ) -> Option<RunEnd> {
        self.part = Part::Searching;
        self.partial |= end.failed > 0;
        let result = match (end.fetched > 0, self.partial) {
            (true, false) => RunResult::Complete,
            (true, true) => RunResult::Partial,
            (false, _) => RunResult::NothingFetched,
        };
        if end.soft_reboot {
            return Some(RunEnd::SoftReboot(result));
        }
        if let Some(version) = end.install {
            return Some(RunEnd::Install(version, result));
        }
        if end.reboot {
            return Some(RunEnd::Reboot(result));
        }
        if end.upgrade_failed {
            return Some(RunEnd::UpgradeFailed(result));
        }
        let first_url = turn.profile.sources_end == SourcesEnd::FirstUrl;
        if end.fetched > 0 || first_url {
            return Some(RunEnd::Over(result));
        }
        self.source = self.source.saturating_add(1);
        self.search(turn, holdings)
    }
}

/// What a text without a scheme means (FLY-66).
fn bare_scheme(turn: &Turn<'_>, flash: &Flash) -> Scheme {
    let word = params::text(turn, flash, Param::BareScheme);
    [
        (Scheme::Http, "http"),
        (Scheme::Https, "https"),
        (Scheme::Ftp, "ftp"),
    ]
    .into_iter()
    .find(|(_, name)| word.eq_ignore_ascii_case(name))
    .map_or(Scheme::Tftp, |(scheme, _)| scheme)
}

/// A text option of the lease, without trailing NULs.
fn lease_text(lease: Option<&Lease>, code: u8) -> String {
    let value = lease.and_then(|lease| {
        lease
            .options
            .iter()
            .find(|(held, _)| *held == code)
            .map(|(_, value)| value.as_ref())
    });
    String::from_utf8_lossy(value.unwrap_or_default())
        .trim_end_matches('\0')
        .to_owned()
}

/// The file asked for first: option 67 where it is on and given (FLY-80), else the parameter.
fn config_file_name(turn: &Turn<'_>, holdings: &Holdings<'_>, source: &Source) -> String {
    if let SourceKind::Dhcp {
        file_option: Some(code),
        ..
    } = source.kind
        && params::is_on(turn, holdings.flash, Param::Option67Enable)
    {
        let text = lease_text(holdings.lease, code);
        if !text.is_empty() {
            return params::expand(turn, &text).into_owned();
        }
    }
    params::expanded(turn, holdings.flash, Param::ConfigFileName)
}
