//! The auto-configuration server in a phone's life: when a session is due, what follows it
//! (TR-069 §3.2, §3.7, FAN-113 … FAN-125).
//!
//! A session begins while the phone idles, or when a run comes to the server as one of its
//! sources. What the server orders in it is done when it is over: a reboot, or a run for each
//! download, whose end is told in a further session.

mod door;

use super::io::{Connection, Input, Request};
use super::run::{RunEnd, Scope};
use super::stage::{Stage, StageName};
use super::turn::Turn;
use super::{Life, params};
use crate::cwmp::memory::{AcsMemory, Holds, TransferStage};
use crate::cwmp::session::{self, Session, SessionEnd, Setup};
use crate::cwmp::{Device, retry};
use crate::event::{BootCause, EventKind, InformEvents, Limit, Trigger};
use crate::limits::ACS_SCHEDULED_MAX;
use crate::profile::{Account, Param};
use crate::time::Moment;
use crate::url::{Scheme, Url};
use door::Door;

/// Connections with the server, apart from those of runs and registrars.
const CONNECTIONS: std::ops::Range<u16> = 0x8000..0xc000;
/// The inform period (FAN-115).
const PERIOD_S_MAX: u64 = 9_999;
/// Times that a download is begun, when power cuts and lost leases break it off.
const TRIES_MAX: u8 = 3;

/// What a phone with TR-069 switched on holds for it.
#[derive(Debug, Default)]
pub(super) struct AcsClient {
    /// It was met since the phone came up.
    started: bool,
    /// When the phone came up.
    up: Moment,
    /// Events that the server does not know yet.
    pending: InformEvents,
    session: Option<Box<Session>>,
    /// The next connection's place in their range.
    connections: u16,
    /// The next periodic session, and the period that it was set for.
    period: Option<(Moment, u64)>,
    /// When a session that failed is tried again, and how many did in a row.
    retry: Option<Moment>,
    failures: u32,
    /// Sessions that ScheduleInform asked for, with their keys.
    scheduled: Vec<(Moment, Box<str>)>,
    door: Door,
}

/// Whether a connection is one with the auto-configuration server.
pub(super) fn owns(connection: Connection) -> bool {
    CONNECTIONS.contains(&connection.0)
}

impl AcsClient {
    /// When something is due that waits for an idle phone.
    fn due(&self, memory: Option<&AcsMemory>) -> Option<Moment> {
        let period = self.period.map(|(at, _)| at);
        let scheduled = self.scheduled.iter().map(|(at, _)| *at).min();
        let transfer = memory.and_then(AcsMemory::next_transfer);
        let timers = [period, scheduled].into_iter().flatten().min();
        // While a session is to be tried again, its time is the one that counts.
        let timers = match self.retry {
            Some(at) => Some(at),
            None => timers,
        };
        timers.into_iter().chain(transfer).min()
    }

    /// The first connection of a new session.
    fn connection(&self) -> u16 {
        Connection(CONNECTIONS.start).plus(self.connections).0
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.scheduled.capacity() * size_of::<(Moment, Box<str>)>()
    }
}

impl Life {
    /// A session is under way, or a download is to be done.
    pub(super) fn acs_is_busy(&self) -> bool {
        let Some(acs) = &self.acs else {
            return false;
        };
        let transfers = self.flash.acs().map_or(&[][..], |memory| &memory.transfers);
        acs.session.is_some() || transfers.iter().any(|held| !held.is_done())
    }

    /// When `acs_tick` is due.
    pub(super) fn acs_deadline(&self) -> Option<Moment> {
        let acs = self.acs.as_ref()?;
        match (&acs.session, self.stage.name()) {
            (Some(session), _) => session.deadline(),
            (None, StageName::Idle) => acs.due(self.flash.acs()),
            (None, _) => None,
        }
    }

    /// Takes what happens on the session's connection.
    pub(super) fn acs_input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) {
        let Some(mut session) = self.acs.as_mut().and_then(|acs| acs.session.take()) else {
            return;
        };
        let end = session.input(&mut self.device(turn), input);
        self.put_back(turn, session, end);
    }

    pub(super) fn acs_tick(&mut self, turn: &mut Turn<'_>) {
        let session = self.acs.as_ref().is_some_and(|acs| acs.session.is_some());
        if session {
            self.acs_input(turn, &Input::Tick);
        } else {
            self.acs_timers(turn);
            self.acs_go_on(turn);
            self.rest(turn);
        }
    }

    /// The phone idles: what waited for that begins.
    pub(super) fn acs_idle(&mut self, turn: &mut Turn<'_>) {
        self.acs_switch(turn);
        if self.acs.is_none() {
            return;
        }
        self.take_up_broken(turn);
        self.acs_timers(turn);
        self.acs_go_on(turn);
    }

    /// Something was changed from outside: TR-069 may be on or off now, or the server may want to
    /// know of it.
    pub(super) fn acs_look(&mut self, turn: &mut Turn<'_>) {
        if self.stage.name() == StageName::Idle {
            self.acs_idle(turn);
            self.rest(turn);
        }
    }

    /// The lease is lost: a session is broken off.
    pub(super) fn acs_unplug(&mut self, turn: &mut Turn<'_>) {
        let session = self.acs.as_mut().and_then(|acs| acs.session.take());
        if let Some(mut session) = session {
            let end = session.close(&mut self.device(turn));
            let (events, connections) = (session.events(), session.next_connection());
            let scheduled = session.scheduled().iter().cloned();
            let now = turn.now;
            let scheduled = scheduled.map(|key| (now, key));
            let scheduled = scheduled.chain(end.orders.scheduled);
            if let Some(acs) = &mut self.acs {
                acs.pending = acs.pending.with(events);
                acs.note_connections(connections);
                acs.schedule(turn, scheduled);
            }
        }
    }

    /// The phone goes down: what the server does not know yet is in flash, the rest is forgotten.
    pub(super) fn acs_down(&mut self, turn: &mut Turn<'_>) {
        self.acs_unplug(turn);
        if let Some(acs) = &mut self.acs {
            **acs = AcsClient {
                connections: acs.connections,
                ..AcsClient::default()
            };
        }
    }

    /// A run comes to the auto-configuration server as its source: it waits for the session that
    /// is due, and takes what was ordered in it (FAN-03).
    pub(super) fn serve_source(&mut self, turn: &mut Turn<'_>) {
        let waits = |stage: &Stage| matches!(stage, Stage::Running(run) if run.awaits_acs());
        if !waits(&self.stage) {
            return;
        }
        self.acs_switch(turn);
        let under_way = |life: &Self| {
            let acs = life.acs.as_ref();
            acs.is_some_and(|acs| acs.session.is_some())
        };
        if !under_way(self) {
            self.note_news(turn);
            let due = self
                .acs
                .as_ref()
                .is_some_and(|acs| acs.pending != InformEvents::default() && acs.retry.is_none());
            if due {
                self.start_session(turn);
            }
        }
        // The end of a session leads back here, even of one that ended at once.
        if under_way(self) || !waits(&self.stage) {
            return;
        }
        let said = self.next_order(turn);
        // A profile may name the server twice: the run then waits for it again.
        self.in_run(turn, |run, turn, holdings| {
            run.acs_said(turn, holdings, said)
        });
    }

    /// A run is over: what it was to download is had, or cannot be had (FAN-125).
    pub(super) fn order_over(&mut self, turn: &mut Turn<'_>, end: &RunEnd) {
        let Stage::Running(run) = &self.stage else {
            return;
        };
        let Some(code) = run.order_code() else {
            return;
        };
        let unix_s = self.clock.map(|clock| clock.unix_s(turn.now));
        let installs = matches!(end, RunEnd::Install(..)) && code == 0;
        let transfers = &mut self.flash.acs_memory().transfers;
        let running = |stage| stage == TransferStage::Running;
        if let Some(transfer) = transfers.iter_mut().find(|held| running(held.stage)) {
            transfer.times.1 = unix_s;
            transfer.stage = match installs && transfer.holds == Holds::Firmware {
                true => TransferStage::Installing,
                false => TransferStage::Done(code),
            };
        }
    }

    /// A run for a download alone: whether it is made again is the server's decision.
    pub(super) fn is_ordered_run(&self) -> bool {
        matches!(&self.stage, Stage::Running(run) if run.trigger() == Trigger::Download)
    }

    /// A connection request (TR-069 §3.2.2): a session begins as soon as the phone idles.
    pub(super) fn connection_request(
        &mut self,
        turn: &mut Turn<'_>,
        request: Request,
        bytes: &[u8],
    ) {
        let Some(acs) = self.acs.as_mut().filter(|acs| acs.started) else {
            return;
        };
        let busy = acs.session.is_some();
        let status = acs.door.answer(turn, &self.flash, busy, request, bytes);
        if status == 200 {
            acs.pending = acs.pending.with(InformEvents::CONNECTION_REQUEST);
            // The server is there again: no need to wait any longer.
            acs.retry = None;
            if self.stage.name() == StageName::Idle {
                self.acs_go_on(turn);
            }
        }
    }

    fn device<'a, 't>(&'a mut self, turn: &'a mut Turn<'t>) -> Device<'a, 't> {
        Device {
            turn,
            flash: &mut self.flash,
            clock: self.clock,
            up: self.acs.as_ref().map_or(Moment::ZERO, |acs| acs.up),
        }
    }

    /// Takes TR-069 up or drops it, as the settings say (FAN-114); the first time since the phone
    /// came up its server is to be told so.
    fn acs_switch(&mut self, turn: &mut Turn<'_>) {
        let on = turn.profile.cwmp.is_some()
            && params::is_on(turn, &self.flash, Param::AcsEnable)
            && !params::text(turn, &self.flash, Param::AcsUrl).is_empty();
        if !on {
            self.acs_unplug(turn);
            self.acs = None;
            return;
        }
        if self.acs.as_ref().is_some_and(|acs| acs.started) {
            return;
        }
        let tls = params::text(turn, &self.flash, Param::AcsTlsVersion);
        if tls.trim() == "1.0" {
            let param = Param::AcsTlsVersion;
            turn.event(EventKind::NotSpoken { param });
        }
        let mut pending = InformEvents::BOOT;
        let memory = self.flash.acs();
        if memory.is_some_and(|memory| !memory.reboots.is_empty()) {
            pending = pending.with(InformEvents::M_REBOOT);
        }
        if memory.is_some() {
            // An installation that was broken off is begun again.
            self.move_transfers(TransferStage::Installing, TransferStage::Running);
        }
        let acs = self.acs.get_or_insert_default();
        acs.started = true;
        acs.up = turn.now;
        acs.pending = pending;
        self.set_period(turn);
    }

    /// The phone came up with the firmware that it downloaded.
    pub(super) fn acs_installed(&mut self) {
        if self.flash.acs().is_some() {
            self.move_transfers(TransferStage::Installing, TransferStage::Done(0));
        }
    }

    fn move_transfers(&mut self, from: TransferStage, to: TransferStage) {
        let transfers = self.flash.acs_memory().transfers.iter_mut();
        for transfer in transfers.filter(|held| held.stage == from) {
            transfer.stage = to;
        }
    }

    /// Sets the next periodic session, unless it is set already for this period.
    fn set_period(&mut self, turn: &Turn<'_>) {
        let seconds = params::number(turn, &self.flash, Param::AcsPeriodS).min(PERIOD_S_MAX);
        if let Some(acs) = &mut self.acs
            && acs.period.is_none_or(|(_, held)| held != seconds)
        {
            acs.period = turn.run_after(seconds).map(|at| (at, seconds));
        }
    }

    /// Notes what is due now.
    fn acs_timers(&mut self, turn: &mut Turn<'_>) {
        self.set_period(turn);
        let Some(acs) = &mut self.acs else {
            return;
        };
        if acs.period.is_some_and(|(at, _)| at <= turn.now) {
            acs.period = None;
            acs.pending = acs.pending.with(InformEvents::PERIODIC);
        }
        if acs.scheduled.iter().any(|(at, _)| *at <= turn.now) {
            acs.pending = acs.pending.with(InformEvents::SCHEDULED);
        }
        if acs.retry.is_some_and(|at| at <= turn.now) {
            acs.retry = None;
        }
        self.set_period(turn);
    }

    /// Notes what the server does not know yet, out of settings and flash.
    fn note_news(&mut self, turn: &mut Turn<'_>) {
        let (changed, active) = session::has_news(&self.device(turn));
        let url = params::text(turn, &self.flash, Param::AcsUrl);
        let memory = self.flash.acs();
        let unknown = memory.is_none_or(|memory| *memory.known_to != *url);
        let done = memory.is_some_and(AcsMemory::is_done);
        let Some(acs) = &mut self.acs else {
            return;
        };
        if unknown {
            acs.pending = acs.pending.with(InformEvents::BOOTSTRAP);
        }
        if done {
            let told = InformEvents::TRANSFER_COMPLETE.with(InformEvents::M_DOWNLOAD);
            acs.pending = acs.pending.with(told);
        }
        // A passive change goes along with whatever else is to be told.
        if active || changed && acs.pending != InformEvents::default() {
            acs.pending = acs.pending.with(InformEvents::VALUE_CHANGE);
        }
    }

    /// Begins the session that is due, or the download.
    fn acs_go_on(&mut self, turn: &mut Turn<'_>) {
        if self.stage.name() != StageName::Idle {
            return;
        }
        self.note_news(turn);
        let Some(acs) = &self.acs else {
            return;
        };
        if acs.session.is_some() {
            return;
        }
        if acs.pending != InformEvents::default() && acs.retry.is_none() {
            return self.start_session(turn);
        }
        // With the time the phone idles again.
        let due = self.flash.acs().and_then(AcsMemory::next_transfer);
        if due.is_none_or(|due| due > turn.now) || !self.has_time(turn, None) {
            return;
        }
        if let Some((holds, url)) = self.next_order(turn) {
            self.start_run_in(turn, Trigger::Download, Scope::Ordered(holds, url));
        }
    }

    /// The download that is due, taken in hand.
    fn next_order(&mut self, turn: &Turn<'_>) -> Option<(Holds, Url)> {
        let due = self.acs.as_ref().and(self.flash.acs()?.next_transfer());
        if due.is_none_or(|due| due > turn.now) {
            return None;
        }
        let unix_s = self.clock.map(|clock| clock.unix_s(turn.now));
        let mut transfers = self.flash.acs_memory().transfers.iter_mut();
        let due = |stage| matches!(stage, TransferStage::Queued(due) if due <= turn.now);
        let transfer = transfers.find(|held| due(held.stage))?;
        transfer.stage = TransferStage::Running;
        transfer.tries = transfer.tries.saturating_add(1);
        transfer.times = (unix_s, None);
        Some((transfer.holds, (*transfer.url).clone()))
    }

    /// Downloads whose run was broken off are queued again, a few times.
    fn take_up_broken(&mut self, turn: &Turn<'_>) {
        if self
            .flash
            .acs()
            .is_none_or(|memory| memory.transfers.is_empty())
        {
            return;
        }
        for transfer in &mut self.flash.acs_memory().transfers {
            transfer.stage = match transfer.stage {
                TransferStage::Running if transfer.tries < TRIES_MAX => {
                    TransferStage::Queued(turn.now)
                }
                TransferStage::Running => TransferStage::Done(9_010),
                // The limit on reboots kept it from being installed.
                TransferStage::Installing => TransferStage::Done(9_002),
                stage => stage,
            };
        }
    }

    fn start_session(&mut self, turn: &mut Turn<'_>) {
        let text = params::expanded(turn, &self.flash, Param::AcsUrl);
        let identity = params::HttpIdentity::of(turn, &self.flash, Account::First);
        let user = params::text(turn, &self.flash, Param::AcsUser).into_owned();
        let password = params::text(turn, &self.flash, Param::AcsPassword).into_owned();
        let Some(acs) = &mut self.acs else {
            return;
        };
        let now = turn.now;
        let (due, later) = std::mem::take(&mut acs.scheduled)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        acs.scheduled = later;
        let Ok(url) = Url::parse(text.trim(), Scheme::Http) else {
            // A URL that is none: nothing to call until it is another one.
            acs.pending = InformEvents::default();
            acs.period = None;
            return;
        };
        self.settling |= self.stage.name() == StageName::Idle;
        let setup = Setup {
            url,
            user,
            password,
            user_agent: identity.user_agent,
            events: std::mem::take(&mut acs.pending),
            scheduled: due.into_iter().map(|(_, key)| key).collect(),
            failures: acs.failures,
            connection: acs.connection(),
        };
        let (session, end) = Session::start(&mut self.device(turn), setup);
        self.put_back(turn, Box::new(session), end);
    }

    /// The session goes on, or is over.
    fn put_back(&mut self, turn: &mut Turn<'_>, session: Box<Session>, end: Option<SessionEnd>) {
        let Some(acs) = &mut self.acs else {
            return;
        };
        let Some(end) = end else {
            acs.session = Some(session);
            return;
        };
        acs.note_connections(session.next_connection());
        if end.failed {
            acs.failures = acs.failures.saturating_add(1);
            acs.retry = Some(turn.now + retry::wait(acs.failures, turn.rng));
            acs.pending = acs.pending.with(session.events().again());
            let scheduled = session.scheduled().iter().cloned();
            let now = turn.now;
            acs.schedule(turn, scheduled.map(|key| (now, key)));
        } else {
            acs.failures = 0;
            acs.retry = None;
        }
        acs.schedule(turn, end.orders.scheduled.iter().cloned());
        self.session_over(turn, &end);
    }

    /// What follows a session.
    fn session_over(&mut self, turn: &mut Turn<'_>, end: &SessionEnd) {
        let orders = &end.orders;
        // Firmware that is being installed reboots the phone by itself.
        let stays = self.stage.name() == StageName::Installing;
        if orders.reset && self.factory_reset(turn) {
            return;
        }
        if orders.reboot && !stays && self.reboot(turn, BootCause::Acs) {
            return;
        }
        if orders.apply && !stays && self.reboot(turn, BootCause::Settings) {
            return;
        }
        let idle = self.stage.name() == StageName::Idle;
        if orders.changed && idle {
            self.registrations.renew(turn, &self.flash);
            self.settling |= self.registrations.is_pending();
        }
        if idle {
            self.acs_idle(turn);
            self.rest(turn);
        } else {
            self.serve_source(turn);
        }
    }
}

impl AcsClient {
    /// Notes sessions that are asked for; of too many the oldest are forgotten.
    fn schedule(
        &mut self,
        turn: &mut Turn<'_>,
        more: impl IntoIterator<Item = (Moment, Box<str>)>,
    ) {
        self.scheduled.extend(more);
        if self.scheduled.len() > ACS_SCHEDULED_MAX {
            let surplus = self.scheduled.len() - ACS_SCHEDULED_MAX;
            self.scheduled.drain(..surplus);
            let (limit, value) = (Limit::AcsSession, ACS_SCHEDULED_MAX as u64);
            turn.event(EventKind::LimitReached { limit, value });
        }
    }

    /// This number would be the next one.
    fn note_connections(&mut self, next: u16) {
        self.connections = next.wrapping_sub(CONNECTIONS.start);
    }
}

#[cfg(test)]
mod tests;
