//! What starts a run of its own kind: a NOTIFY outside any search (FAN-104), and the periods of
//! single sources (FAN-94, FAN-108).

use std::net::SocketAddrV4;

use super::resync::Way;
use super::run::{Scope, candidate};
use super::turn::Turn;
use super::{Life, params};
use crate::discovery::pnp::{self, Late};
use crate::event::{RunResult, Trigger};
use crate::profile::{Param, SourceKind};
use crate::time::Moment;

impl Life {
    /// Which sources a run with this trigger goes through.
    pub(super) fn scope_of(&mut self, turn: &Turn<'_>, trigger: Trigger) -> Scope {
        let source = match trigger {
            Trigger::Notified | Trigger::Subscription => self.place_of(turn, &SourceKind::Pnp),
            Trigger::StaticInterval => self.place_of(turn, &SourceKind::Static),
            _ => None,
        };
        match (source, trigger) {
            (Some(source), Trigger::Notified) => {
                let text = self.notified.take().unwrap_or_default();
                let url = candidate::urls(turn, &self.flash, &text).pop_front();
                url.map_or(Scope::All, |url| Scope::Given { source, url })
            }
            (Some(source), _) => Scope::Only(source),
            (None, _) => Scope::All,
        }
    }

    /// Takes a SIP request if it is a NOTIFY of PnP, where such ones count outside a search; every
    /// copy is answered, and the first starts a run (FAN-102, FAN-107).
    pub(super) fn late_notify(
        &mut self,
        turn: &mut Turn<'_>,
        way: Way,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> bool {
        let late = turn.profile.pnp.as_ref();
        let late = late.is_some_and(|spec| spec.accepts_late);
        if !late || self.place_of(turn, &SourceKind::Pnp).is_none() {
            return false;
        }
        let Some(Late { url, transaction }) = pnp::late_notify(turn, way, from, bytes) else {
            return false;
        };
        if self.is_copy(transaction) {
            return true;
        }
        if let Some(url) = url {
            self.notified = Some(url.into());
            self.due(turn, Trigger::Notified, false);
        }
        true
    }

    /// Remembers the NOTIFY that a search is about to take, so that its copies start nothing.
    pub(super) fn note_notify(&mut self, turn: &Turn<'_>, bytes: &[u8]) {
        let late = turn.profile.pnp.as_ref();
        if late.is_some_and(|spec| spec.accepts_late)
            && let Some(transaction) = pnp::is_notify(turn, bytes)
        {
            self.is_copy(transaction);
        }
    }

    /// Whether a request came before; it is remembered from now on.
    pub(super) fn is_copy(&mut self, transaction: u64) -> bool {
        let known = self.last_check_syncs.contains(&transaction);
        if !known {
            self.last_check_syncs.rotate_right(1);
            if let Some(latest) = self.last_check_syncs.first_mut() {
                *latest = transaction;
            }
        }
        known
    }

    /// Sets the periods of single sources, each from its last end (FAN-94, FAN-106, FAN-112).
    pub(super) fn arm_sources(&mut self, turn: &Turn<'_>, enabled: bool) {
        let pnp = self.place_of(turn, &SourceKind::Pnp).filter(|_| enabled);
        let held = self.schedule.subscription;
        self.schedule.subscription =
            pnp.and_then(|_| held.or_else(|| self.period_of(turn, Param::PnpPeriodS)));
        let mode = params::text(turn, &self.flash, Param::StaticMode);
        let interval = mode.eq_ignore_ascii_case("interval") && enabled;
        let server = self.place_of(turn, &SourceKind::Static);
        let held = self.schedule.interval;
        self.schedule.interval = server
            .filter(|_| interval)
            .and_then(|_| held.or_else(|| self.period_of(turn, Param::StaticIntervalS)));
    }

    /// Whether a run that failed is tried again: a SUBSCRIBE that nobody answers comes with its
    /// own period.
    pub(super) fn is_retried(&self, trigger: Option<Trigger>, result: RunResult) -> bool {
        let vain = trigger == Some(Trigger::Subscription) && result == RunResult::NoCandidate;
        result != RunResult::Complete && !vain
    }

    fn period_of(&self, turn: &Turn<'_>, param: Param) -> Option<Moment> {
        turn.run_after(params::number(turn, &self.flash, param))
    }

    /// The place of the first source of this kind that is on.
    fn place_of(&self, turn: &Turn<'_>, kind: &SourceKind) -> Option<u8> {
        let sources = turn.profile.sources.iter();
        let found = sources.zip(0..).find(|(source, _)| {
            source.kind == *kind && candidate::is_enabled(turn, &self.flash, source)
        });
        found.map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests;
