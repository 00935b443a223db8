//! Sources that are tried at the same time: one, or a group of neighbours (AUE-09, AUE-10).
//!
//! The first usable answer wins and the other sources are closed. Of two answers at one moment that
//! of the source which stands first in the profile wins (AUE-13): while such a source is still at
//! work, an answer waits for the end of its moment, which is the next tick.

use std::collections::VecDeque;

use super::super::holdings::Holdings;
use super::super::io::Input;
use super::super::params::{self, HttpIdentity};
use super::super::turn::Turn;
use super::candidate;
use crate::discovery::pnp::{PnpClient, PnpResult};
use crate::discovery::redirect::{RedirectClient, RedirectRequest, RedirectResult};
use crate::event::EventKind;
use crate::flash::Flash;
use crate::profile::{Param, RedirectSpec, Source, SourceId, SourceKind};
use crate::time::Moment;
use crate::url::{Scheme, Url};

/// Sources at work.
#[derive(Debug)]
pub(super) struct Search {
    behind: u8,
    pnp: Option<(u8, PnpClient)>,
    redirect: Option<(u8, RedirectClient)>,
    connection: u16,
    /// The best answer so far, and when it came.
    offer: Option<(Offer, Moment)>,
    /// A PnP search that gave its result.
    searched: Option<PnpClient>,
}

/// What a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// Which source.
    pub(super) source: u8,
    /// Its candidates, one at least.
    pub(super) urls: VecDeque<Url>,
}

/// How far a search is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Somebody is still to answer.
    Waiting,
    /// It is over: with an offer, or with nothing.
    Over(Option<Offer>),
}

impl Search {
    /// Starts the source at `first` and those together with it, as far as they are on.
    pub(super) fn begin(
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
        first: u8,
        connection: u16,
    ) -> (Self, Progress) {
        let profile = turn.profile;
        let sources = profile.sources.get(usize::from(first)..);
        let group = sources.unwrap_or_default();
        let length = match group.split_first() {
            Some((head, tail)) => {
                let tail = tail.iter();
                1 + tail.take_while(|next| head.is_together_with(next)).count()
            }
            None => 1,
        };
        let mut search = Self {
            behind: first.saturating_add(u8::try_from(length).unwrap_or(u8::MAX)),
            pnp: None,
            redirect: None,
            connection,
            offer: None,
            searched: None,
        };
        for (place, source) in (first..).zip(group.iter().take(length)) {
            if candidate::is_enabled(turn, holdings.flash, source) {
                search.start(turn, holdings, place, source);
            }
        }
        let progress = search.progress(turn, false);
        (search, progress)
    }

    /// The first source that is not part of the group.
    pub(super) fn behind(&self) -> u8 {
        self.behind
    }

    /// The number of the next TCP connection.
    pub(super) fn next_connection(&self) -> u16 {
        let redirect = self.redirect.as_ref();
        redirect.map_or(self.connection, |(_, client)| client.next_connection())
    }

    /// The SIP search under way.
    pub(super) fn pnp(&self) -> Option<&PnpClient> {
        self.pnp.as_ref().map(|(_, client)| client)
    }

    /// The SIP search that is over.
    pub(super) fn into_searched(self) -> Option<PnpClient> {
        self.searched
    }

    /// When it wants a tick.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let pnp = self.pnp.as_ref().map(|(_, client)| client.deadline());
        let redirect = self.redirect.as_ref();
        let redirect = redirect.and_then(|(_, client)| client.deadline());
        let offer = self.offer.as_ref().map(|(_, at)| *at);
        [pnp, redirect, offer].into_iter().flatten().min()
    }

    /// Takes an input; one that no source waits for changes nothing.
    pub(super) fn input(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        input: &Input<'_>,
    ) -> Progress {
        if let Some((place, client)) = &mut self.redirect {
            let place = *place;
            if let Some(result) = client.input(turn, input) {
                self.redirected(turn, flash, place, result);
            }
        }
        if let Some((place, client)) = &mut self.pnp {
            let place = *place;
            let result = match *input {
                Input::Tick if client.deadline() <= turn.now => client.tick(turn),
                Input::Datagram {
                    channel,
                    from,
                    bytes,
                } => client.datagram_at(turn, channel, from, bytes),
                _ => None,
            };
            if let Some(result) = result {
                self.searched = self.pnp.take().map(|(_, client)| client);
                match result {
                    PnpResult::Url(text) => self.text(turn, flash, place, &text),
                    PnpResult::Nothing => nothing(turn, place),
                }
            }
        }
        self.progress(turn, matches!(input, Input::Tick))
    }

    /// Closes what is open.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.end_redirect(turn);
        if let Some((_, mut client)) = self.pnp.take() {
            client.stop();
            self.searched = Some(client);
        }
    }

    fn start(&mut self, turn: &mut Turn<'_>, holdings: &Holdings<'_>, place: u8, source: &Source) {
        match &source.kind {
            SourceKind::Pnp => match PnpClient::start(turn) {
                Some(client) => self.pnp = Some((place, client)),
                None => nothing(turn, place),
            },
            SourceKind::Redirect(spec) => {
                let flash = &*holdings.flash;
                let identity = HttpIdentity::of(turn, flash, source.account);
                self.ask(turn, flash, place, *spec, &identity.user_agent);
            }
            kind => {
                let text = candidate::text(turn, holdings, kind);
                self.text(turn, holdings.flash, place, &text);
            }
        }
    }

    /// Asks the redirect service.
    fn ask(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        place: u8,
        spec: RedirectSpec,
        user_agent: &str,
    ) {
        let service = params::expanded(turn, flash, Param::RedirectUrl);
        let Ok(service) = Url::parse(&service, Scheme::Https) else {
            return nothing(turn, place);
        };
        let request = RedirectRequest {
            spec,
            service: &service,
            user_agent,
            user: &params::expanded(turn, flash, Param::RedirectUser),
            password: &params::expanded(turn, flash, Param::RedirectPassword),
            connection: self.connection,
        };
        let (client, result) = RedirectClient::start(turn, &request);
        self.redirect = Some((place, client));
        if let Some(result) = result {
            self.redirected(turn, flash, place, result);
        }
    }

    fn redirected(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        place: u8,
        result: RedirectResult,
    ) {
        let client = self.redirect.as_ref().map(|(_, client)| client);
        match (result, client) {
            (RedirectResult::Text(text), _) => self.text(turn, flash, place, &text),
            (RedirectResult::Link(link), Some(client)) => {
                let url = client.service().join(&params::expand(turn, &link));
                let urls = url.into_iter().collect();
                self.offered(turn, place, urls);
            }
            _ => nothing(turn, place),
        }
        self.end_redirect(turn);
    }

    fn end_redirect(&mut self, turn: &mut Turn<'_>) {
        if let Some((_, mut client)) = self.redirect.take() {
            client.close(turn);
            self.connection = client.next_connection();
        }
    }

    fn text(&mut self, turn: &mut Turn<'_>, flash: &Flash, place: u8, text: &str) {
        let urls = candidate::urls(turn, flash, text);
        self.offered(turn, place, urls);
    }

    /// Keeps an answer, unless there is one of a source that stands before this one.
    fn offered(&mut self, turn: &mut Turn<'_>, source: u8, urls: VecDeque<Url>) {
        if urls.is_empty() {
            return nothing(turn, source);
        }
        let held = self.offer.as_ref();
        if held.is_none_or(|(held, _)| source < held.source) {
            self.offer = Some((Offer { source, urls }, turn.now));
        }
    }

    /// Whether it is over; `moment_over` when nothing else comes at this moment.
    fn progress(&mut self, turn: &mut Turn<'_>, moment_over: bool) -> Progress {
        let pnp = self.pnp.as_ref().map(|(place, _)| *place);
        let redirect = self.redirect.as_ref().map(|(place, _)| *place);
        let first = [pnp, redirect].into_iter().flatten().min();
        let decided = match (&self.offer, first) {
            (Some((offer, _)), Some(first)) => moment_over || offer.source < first,
            (Some(_), None) | (None, None) => true,
            (None, Some(_)) => false,
        };
        if !decided {
            return Progress::Waiting;
        }
        self.close(turn);
        Progress::Over(self.offer.take().map(|(offer, _)| offer))
    }
}

fn nothing(turn: &mut Turn<'_>, source: u8) {
    turn.event(EventKind::NoCandidate {
        source: SourceId(source),
    });
}
