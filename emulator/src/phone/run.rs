//! One provisioning run: the sources in their order, each candidate walked, until the profile's
//! end is reached (FLY-94, AUE-08, AUE-11).

pub(super) mod candidate;
mod ordered;
mod prompt;
mod search;

use std::collections::VecDeque;
use std::sync::Arc;

use super::holdings::{Carried, Holdings};
use super::io::{Channel, Input};
use super::turn::Turn;
use super::walk::{Start, Walk, WalkEnd};
use crate::cwmp::memory::Holds;
use crate::discovery::pnp::PnpClient;
use crate::event::{EventKind, Limit, Prompt, RunResult, Trigger};
use crate::limits::CANDIDATES_MAX;
use crate::profile::{Account, SourceId, SourceKind, SourcesEnd};
use crate::time::Moment;
use crate::url::Url;
use prompt::{Need, Outcome, Question};
use search::{Offer, Progress, Search};

/// Which sources a run goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// All, in their order.
    All,
    /// One.
    Only(u8),
    /// None: a URL that was given outside any search, as this source would have.
    Given {
        /// Which source it counts as.
        source: u8,
        /// The URL.
        url: Url,
    },
    /// None: what the auto-configuration server ordered (FAN-122).
    Ordered(Holds, Url),
}

/// A run under way.
#[derive(Debug)]
pub struct Run {
    /// The source whose candidates are tried.
    source: u8,
    /// The places of the sources in the order of trial.
    order: Box<[u8]>,
    /// How many of them were tried.
    tried: usize,
    /// Further candidates of `source`.
    others: VecDeque<Url>,
    candidates: u32,
    part: Part,
    /// Carried for the next fresh UDP port and the next TCP connection.
    carried: Carried,
    partial: bool,
    trigger: Trigger,
    /// The search that is over: a server whose NOTIFY was answered in vain sends it again.
    searched: Option<PnpClient>,
    /// Questions put to the user.
    asked: u32,
    /// What the auto-configuration server ordered, until it is had or cannot be.
    ordered: Option<Order>,
}

/// An ordered download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// To be had.
    Open(Holds),
    /// Over; with the fault code for the server, 0 = none.
    Closed(u16),
}

#[derive(Debug)]
enum Part {
    Between,
    Search(Box<Search>),
    Prompt(Box<Question>),
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
        scope: Scope,
        carried: Carried,
    ) -> (Self, Option<RunEnd>) {
        turn.event(EventKind::RunStarted(trigger));
        let mut run = Self {
            source: 0,
            order: Box::default(),
            tried: 0,
            others: VecDeque::new(),
            candidates: 0,
            part: Part::Between,
            carried,
            partial: false,
            trigger,
            searched: None,
            asked: 0,
            ordered: None,
        };
        let end = match scope {
            Scope::All => {
                run.order = candidate::order(turn, holdings.flash);
                run.search(turn, holdings)
            }
            Scope::Ordered(holds, url) => {
                run.source = acs_source(turn).unwrap_or(u8::MAX);
                run.ordered = Some(Order::Open(holds));
                let end = run.candidate(turn, holdings, url);
                run.go_on(turn, holdings, end)
            }
            Scope::Only(source) => {
                run.order = Box::new([source]);
                run.search(turn, holdings)
            }
            Scope::Given { source, url } => {
                run.source = source;
                let end = run.candidate(turn, holdings, url);
                run.go_on(turn, holdings, end)
            }
        };
        (run, end)
    }

    /// When the run wants to be stepped.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.part {
            Part::Between => None,
            Part::Search(search) => search.deadline(),
            Part::Prompt(question) => Some(question.deadline()),
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
        if self.stray(turn, input) {
            return None;
        }
        match &mut self.part {
            Part::Between => None,
            Part::Search(search) => {
                let progress = search.input(turn, holdings.flash, input);
                self.carried = search.carried();
                match progress {
                    Progress::Waiting => None,
                    Progress::Over(offer) => {
                        self.end_search();
                        let end = offer.and_then(|offer| self.offered(turn, holdings, offer));
                        self.go_on(turn, holdings, end)
                    }
                }
            }
            Part::Prompt(question) => {
                let outcome = question.input(turn, holdings, input)?;
                self.answered(turn, holdings, outcome)
            }
            Part::Walk(walk) => {
                let end = walk.input(turn, holdings, input);
                self.carried = walk.carried();
                end.and_then(|end| self.walked(turn, holdings, end))
            }
        }
    }

    /// True when a SIP datagram belongs to discovery: some servers answer a search at the SIP port.
    /// One of a search that is over is as good as new where late ones count (FAN-104).
    pub(super) fn claims(&self, turn: &Turn<'_>, channel: Channel, bytes: &[u8]) -> bool {
        let late = turn.profile.pnp.as_ref();
        let late = late.is_some_and(|spec| spec.accepts_late);
        let client = match &self.part {
            Part::Search(search) if late => search.pnp(),
            _ if late => None,
            Part::Search(search) => search.pnp().or(self.searched.as_ref()),
            Part::Between | Part::Prompt(_) | Part::Walk(_) => self.searched.as_ref(),
        };
        client.is_some_and(|client| {
            let own = client.channel() == channel && !client.leaves(turn, bytes);
            own || client.claims(turn, bytes)
        })
    }

    /// Closes what is open; the run is dropped next.
    pub(super) fn abort(&mut self, turn: &mut Turn<'_>) {
        match &mut self.part {
            Part::Between | Part::Prompt(_) => {}
            Part::Search(search) => search.close(turn),
            Part::Walk(walk) => walk.close(turn),
        }
    }

    /// Takes a datagram that nothing under way waits for: one for a search that is over, or the
    /// last block of the transfer before once more (RFC 1350 §6).
    fn stray(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> bool {
        let Input::Datagram {
            channel,
            from,
            bytes,
        } = *input
        else {
            return false;
        };
        match (&self.part, channel) {
            (Part::Search(search), Channel::Sip | Channel::Pnp) if search.pnp().is_some() => false,
            (Part::Walk(_), Channel::Fresh(_)) => false,
            (Part::Search(search), Channel::Fresh(_)) if search.asks_from(channel) => false,
            (_, Channel::Sip | Channel::Pnp) => {
                if let Some(searched) = &mut self.searched {
                    searched.datagram_at(turn, channel, from, bytes);
                }
                true
            }
            (_, Channel::Fresh(_)) => {
                if let Some(last) = &mut self.carried.last_ack {
                    last.answer(turn, channel, from, bytes);
                }
                true
            }
            (_, Channel::Dhcp) => true,
        }
    }

    /// Tries the sources that are left, until one is under way or the run is over.
    fn search(&mut self, turn: &mut Turn<'_>, holdings: &mut Holdings<'_>) -> Option<RunEnd> {
        while let Some(rest) = self.order.get(self.tried..).filter(|rest| !rest.is_empty()) {
            let (search, progress) = Search::begin(turn, holdings, rest, self.carried);
            self.carried = search.carried();
            self.tried += search.places();
            self.part = Part::Search(Box::new(search));
            let Progress::Over(offer) = progress else {
                return None;
            };
            self.end_search();
            let end = offer.and_then(|offer| self.offered(turn, holdings, offer));
            if end.is_some() || !matches!(self.part, Part::Between) {
                return end;
            }
        }
        let result = match self.candidates {
            0 => RunResult::NoCandidate,
            _ => RunResult::NothingFetched,
        };
        Some(RunEnd::Over(result))
    }

    fn end_search(&mut self) {
        let part = std::mem::replace(&mut self.part, Part::Between);
        if let Part::Search(search) = part {
            self.searched = search.into_searched().or(self.searched.take());
        }
    }

    /// What follows a candidate: its end, its walk, or the next source.
    fn go_on(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        end: Option<RunEnd>,
    ) -> Option<RunEnd> {
        if end.is_some() || !matches!(self.part, Part::Between) {
            return end;
        }
        self.search(turn, holdings)
    }

    /// Walks the first of the candidates that a source gave.
    fn offered(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        offer: Offer,
    ) -> Option<RunEnd> {
        self.source = offer.source;
        self.others = offer.urls;
        let base = self.others.pop_front()?;
        self.candidate(turn, holdings, base)
    }

    /// Walks a candidate.
    fn candidate(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        base: Url,
    ) -> Option<RunEnd> {
        if self.candidates >= CANDIDATES_MAX {
            let limit = Limit::Candidates;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(CANDIDATES_MAX),
            });
            return None;
        }
        self.candidates += 1;
        let url = turn.shelf.url(&base.to_string());
        turn.event(EventKind::Candidate {
            source: SourceId(self.source),
            url,
        });
        match prompt::need(turn, holdings.flash, base) {
            Need::Nothing(base) => self.walk(turn, holdings, base),
            Need::FileId(base) => {
                let asked = &mut self.asked;
                let question = Question::ask(turn, holdings, Prompt::FileId, base, asked)?;
                self.part = Part::Prompt(question);
                None
            }
        }
    }

    /// The user answered, or did not.
    fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        outcome: Outcome,
    ) -> Option<RunEnd> {
        self.part = Part::Between;
        match outcome {
            Outcome::Answered(base) => self.walk(turn, holdings, base),
            Outcome::Abandoned(end) => self.walked(turn, holdings, end),
        }
    }

    /// Walks a candidate whose URL is complete.
    fn walk(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        base: Url,
    ) -> Option<RunEnd> {
        let source = turn.profile.sources.get(usize::from(self.source));
        let alone = self.open_order(turn);
        if source.is_none() && alone.is_none() {
            return None;
        }
        let config_file_name =
            source.map(|source| candidate::config_file_name(turn, holdings, source));
        let start = Start {
            base,
            account: source.map_or(Account::First, |source| source.account),
            config_file_name: config_file_name.unwrap_or_default(),
            alone,
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
        mut end: WalkEnd,
    ) -> Option<RunEnd> {
        self.part = Part::Between;
        if let Some(base) = prompt::refused(turn, self.trigger, &mut end) {
            let asked = &mut self.asked;
            if let Some(question) = Question::ask(turn, holdings, Prompt::Credentials, base, asked)
            {
                self.part = Part::Prompt(question.after(end));
                return None;
            }
        }
        self.close_order(turn, &end);
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
        if end.fetched > 0 {
            return Some(RunEnd::Over(result));
        }
        let source = turn.profile.sources.get(usize::from(self.source));
        if let Some(base) = self.others.pop_front() {
            let end = self.candidate(turn, holdings, base);
            if end.is_some() || !matches!(self.part, Part::Between) {
                return end;
            }
        }
        // FAN-111.
        let last = source.is_some_and(|source| source.ends_run);
        if last || turn.profile.sources_end == SourcesEnd::FirstUrl {
            return Some(RunEnd::Over(result));
        }
        self.search(turn, holdings)
    }
}

/// The place of the auto-configuration server among the sources.
fn acs_source(turn: &Turn<'_>) -> Option<u8> {
    let mut sources = turn.profile.sources.iter();
    let place = sources.position(|source| source.kind == SourceKind::Acs);
    place.and_then(|place| u8::try_from(place).ok())
}

#[cfg(test)]
mod tests;
