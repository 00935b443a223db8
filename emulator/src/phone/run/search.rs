//! Sources that are tried at the same time: one, or a group of neighbours (AUE-09, AUE-10).
//!
//! The first usable answer wins and the other sources are closed. Of two answers at one moment that
//! of the source which stands first in the profile wins (AUE-13): while such a source is still at
//! work, an answer waits for the end of its moment, which is the next tick.

use std::collections::VecDeque;

use super::super::holdings::{Carried, Holdings};
use super::super::io::{Channel, Connection, Input};
use super::super::params::{self, HttpIdentity};
use super::super::turn::Turn;
use super::candidate;
use crate::discovery::mdns::{MdnsClient, MdnsResult};
use crate::discovery::pnp::{PnpClient, PnpResult, PnpServer};
use crate::discovery::redirect::{RedirectClient, RedirectRequest, RedirectResult};
use crate::event::EventKind;
use crate::flash::Flash;
use crate::limits::FRESH_CHANNELS;
use crate::profile::{Param, RedirectSpec, Source, SourceId, SourceKind};
use crate::time::Moment;
use crate::url::{Scheme, Url};
use crate::wire::dhcp::code;

/// Sources at work.
#[derive(Debug)]
pub(super) struct Search {
    /// The places of the group's sources, in the order of trial.
    places: Box<[u8]>,
    pnp: Option<(u8, PnpClient)>,
    redirect: Option<(u8, RedirectClient)>,
    mdns: Option<(u8, MdnsClient)>,
    carried: Carried,
    /// The session with the auto-configuration server is to say something.
    acs: Option<u8>,
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
    /// Starts the first source of `rest` and those together with it, as far as they are on.
    pub(super) fn begin(
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
        rest: &[u8],
        carried: Carried,
    ) -> (Self, Progress) {
        let profile = turn.profile;
        let source = |place: &u8| profile.sources.get(usize::from(*place));
        let head = rest.first().and_then(source);
        let joins = |place: &&u8| {
            let pair = head.zip(source(place));
            pair.is_some_and(|(head, next)| head.is_together_with(next))
        };
        let length = 1 + rest.iter().skip(1).take_while(joins).count();
        let mut search = Self {
            places: rest.iter().take(length).copied().collect(),
            pnp: None,
            redirect: None,
            mdns: None,
            carried,
            acs: None,
            offer: None,
            searched: None,
        };
        for place in rest.iter().take(length) {
            if let Some(source) = source(place)
                && candidate::is_enabled(turn, holdings.flash, source)
            {
                search.start(turn, holdings, *place, source);
            }
        }
        let progress = search.progress(turn, false);
        (search, progress)
    }

    /// How many sources the group has.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// What goes on behind the search: the numbers of the next TCP connection and UDP port.
    pub(super) fn carried(&self) -> Carried {
        let redirect = self.redirect.as_ref();
        let connection = self.carried.connection;
        let connection = redirect.map_or(connection, |(_, client)| client.next_connection());
        Carried {
            connection,
            ..self.carried
        }
    }

    /// Whether it waits for datagrams at this fresh port.
    pub(super) fn asks_from(&self, channel: Channel) -> bool {
        let mdns = self.mdns.as_ref();
        mdns.is_some_and(|(_, client)| client.channel() == channel)
    }

    /// The auto-configuration server is to be asked.
    pub(super) fn awaits_acs(&self) -> bool {
        self.acs.is_some()
    }

    /// What the auto-configuration server ordered, if anything.
    pub(super) fn acs_said(&mut self, turn: &mut Turn<'_>, url: Option<Url>) -> Progress {
        if let Some(place) = self.acs.take() {
            self.offered(turn, place, url.into_iter().collect());
        }
        self.progress(turn, false)
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
        let mdns = self.mdns.as_ref().map(|(_, client)| client.deadline());
        let offer = self.offer.as_ref().map(|(_, at)| *at);
        [pnp, redirect, mdns, offer].into_iter().flatten().min()
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
                Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                    client.line(turn, input)
                }
                _ => None,
            };
            if let Some(result) = result {
                self.searched_by_sip(turn, flash, place, result);
            }
        }
        self.asked_by_mdns(turn, flash, input);
        self.progress(turn, matches!(input, Input::Tick))
    }

    /// Closes what is open.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>) {
        self.end_redirect(turn);
        self.mdns = None;
        self.acs = None;
        if let Some((_, mut client)) = self.pnp.take() {
            client.stop(turn);
            self.searched = Some(client);
        }
    }

    fn searched_by_sip(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        place: u8,
        result: PnpResult,
    ) {
        self.searched = self.pnp.take().map(|(_, client)| client);
        match result {
            PnpResult::Url(text) => self.text(turn, flash, place, &text),
            PnpResult::Nothing => nothing(turn, place),
        }
    }

    /// Hands an input to the multicast DNS query, if it is one for it.
    fn asked_by_mdns(&mut self, turn: &mut Turn<'_>, flash: &Flash, input: &Input<'_>) {
        let Some((place, client)) = &mut self.mdns else {
            return;
        };
        let place = *place;
        let result = match *input {
            Input::Tick if client.deadline() <= turn.now => client.tick(turn),
            Input::Datagram {
                channel,
                from,
                bytes,
            } if channel == client.channel() => client.datagram(turn, from, bytes),
            _ => None,
        };
        let Some(result) = result else { return };
        self.mdns = None;
        match result {
            MdnsResult::Url(text) => self.text(turn, flash, place, &text),
            MdnsResult::Nothing => nothing(turn, place),
        }
    }

    fn start(&mut self, turn: &mut Turn<'_>, holdings: &Holdings<'_>, place: u8, source: &Source) {
        match &source.kind {
            SourceKind::Pnp => {
                let server = candidate::pnp_server(turn, holdings.flash);
                // A redirect service asked at the same time counts its connections up itself.
                let server = server.map(|server| PnpServer {
                    stream: server.stream && self.redirect.is_none(),
                    ..server
                });
                let connection = Connection(self.carried.connection);
                match server.and_then(|server| PnpClient::start(turn, server, connection)) {
                    Some(client) => {
                        if client.is_stream() {
                            self.carried.connection = connection.plus(1).0;
                        }
                        self.pnp = Some((place, client));
                    }
                    None => nothing(turn, place),
                }
            }
            SourceKind::Mdns => {
                let channel = Channel::Fresh(self.carried.channel);
                let lease = holdings.lease;
                let mask = lease.and_then(|lease| lease.addresses(code::SUBNET_MASK).next());
                match MdnsClient::start(turn, channel, mask) {
                    Some(client) => {
                        self.carried.channel = (self.carried.channel + 1) % FRESH_CHANNELS;
                        self.mdns = Some((place, client));
                    }
                    None => nothing(turn, place),
                }
            }
            SourceKind::Redirect(spec) => {
                let flash = &*holdings.flash;
                let identity = HttpIdentity::of(turn, flash, source.account);
                self.ask(turn, flash, place, *spec, &identity.user_agent);
            }
            SourceKind::Acs => self.acs = Some(place),
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
            connection: self.carried.connection,
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
            self.carried.connection = client.next_connection();
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
        if held.is_none_or(|(held, _)| self.rank(source) < self.rank(held.source)) {
            self.offer = Some((Offer { source, urls }, turn.now));
        }
    }

    /// Where a source of the group stands in it.
    fn rank(&self, place: u8) -> Option<usize> {
        self.places.iter().position(|known| *known == place)
    }

    /// Whether it is over; `moment_over` when nothing else comes at this moment.
    fn progress(&mut self, turn: &mut Turn<'_>, moment_over: bool) -> Progress {
        let pnp = self.pnp.as_ref().map(|(place, _)| *place);
        let redirect = self.redirect.as_ref().map(|(place, _)| *place);
        let mdns = self.mdns.as_ref().map(|(place, _)| *place);
        let waiting = [pnp, redirect, mdns, self.acs].into_iter().flatten();
        let first = waiting.map(|place| self.rank(place)).min();
        let decided = match (&self.offer, first) {
            (Some((offer, _)), Some(first)) => moment_over || self.rank(offer.source) < first,
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
