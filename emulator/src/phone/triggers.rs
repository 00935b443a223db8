//! What starts a run, and when: timers, check-sync, the web page, calls that hold a run up.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::io::{Connection, Input, WebAction};
use super::registration::Registrations;
use super::resync::Way;
use super::stage::{Stage, StageName};
use super::turn::Turn;
use super::walk::sections::take::{self, Holder};
use super::{Life, params, resync};
use crate::event::{BootCause, EventKind, Limit, RunResult, Trigger};
use crate::flash::Flash;
use crate::limits::STRAYS_MAX;
use crate::profile::Param;

impl Life {
    /// Provisioning as a whole is on (FLY-108).
    pub(super) fn may_run(&self, turn: &mut Turn<'_>, trigger: Trigger) -> bool {
        params::is_on(turn, &self.flash, Param::ProvisionEnable) || self.ignore(turn, trigger)
    }

    pub(super) fn ignore(&self, turn: &mut Turn<'_>, trigger: Trigger) -> bool {
        turn.event(EventKind::TriggerIgnored(trigger));
        false
    }

    /// The run is over; the next one comes by timer or trigger.
    pub(super) fn finished(&mut self, turn: &mut Turn<'_>, result: RunResult) {
        turn.event(EventKind::RunEnded(result));
        let trigger = match &self.stage {
            Stage::Running(run) => Some(run.trigger()),
            _ => None,
        };
        if self.is_retried(trigger, result) && !self.is_ordered_run() {
            let wait = params::number(turn, &self.flash, Param::ErrorRetryS);
            self.retry_in(turn, wait, Trigger::ErrorRetry);
        }
        self.idle(turn);
    }

    /// Of two retries the earlier one counts; it serves both.
    pub(super) fn retry_in(&mut self, turn: &Turn<'_>, seconds: u64, trigger: Trigger) {
        let Some(at) = turn.run_after(seconds) else {
            return;
        };
        if self.schedule.retry.is_none_or(|(held, _)| at < held) {
            self.schedule.retry = Some((at, trigger));
        }
    }

    pub(super) fn idle(&mut self, turn: &mut Turn<'_>) {
        let period = params::number(turn, &self.flash, Param::PeriodicS);
        let enabled = params::is_on(turn, &self.flash, Param::ProvisionEnable);
        if enabled && self.schedule.period.is_none() {
            self.schedule.period = turn.run_after(period);
        }
        self.arm_sources(turn, enabled);
        self.keep_timetable(turn, enabled);
        self.enter(Stage::Idle);
        let waiting = match (self.in_call, self.schedule.postponed) {
            (false, Some((_, trigger))) => Some(trigger),
            _ => None,
        };
        let notified = self.notified.as_ref().map(|_| Trigger::Notified);
        let next = self.schedule.remembered.take().or(waiting).or(notified);
        if let Some(trigger) = next {
            self.due(turn, trigger, false);
        }
        if self.stage.name() == StageName::Idle {
            self.registrations.renew(turn, &self.flash);
            self.settling = true;
            self.acs_idle(turn);
            self.rest(turn);
        }
    }

    fn keep_timetable(&mut self, turn: &mut Turn<'_>, enabled: bool) {
        if enabled {
            self.arm_timetable(turn);
        } else {
            self.schedule.timetable = None;
        }
    }

    /// The phone is at rest once it idles and nothing is left to be registered.
    pub(super) fn rest(&mut self, turn: &mut Turn<'_>) {
        let idle = self.stage.name() == StageName::Idle;
        let pending = self.registrations.is_pending() || self.acs_is_busy();
        if idle && self.settling && !pending {
            self.settling = false;
            turn.event(EventKind::Settled);
        }
    }

    /// Something happened on the connection to a registrar. Requests come over it as well; one of
    /// them may reboot the phone, and the connection is gone then.
    pub(super) fn registrar_line(
        &mut self,
        turn: &mut Turn<'_>,
        input: &Input<'_>,
        id: Connection,
    ) {
        self.registrations.stream(turn, &self.flash, input);
        while let Some(arrived) = self.registrations.next_message(turn, &self.flash, id) {
            if Registrations::claims(&arrived.bytes) {
                self.registrations
                    .answered(turn, &self.flash, &arrived.bytes);
            } else {
                self.sip(turn, Way::Stream(id), arrived.peer, &arrived.bytes);
            }
        }
        self.rest(turn);
    }

    /// A trigger whose time has come: runs now, waits for the end of a call (FLY-106), or is
    /// remembered while a run is active (FLY-109).
    pub(super) fn due(&mut self, turn: &mut Turn<'_>, trigger: Trigger, forced: bool) {
        if !self.may_run(turn, trigger) {
            return;
        }
        // A run that is about to start serves this trigger too.
        let about_to = match &self.stage {
            Stage::Delaying { .. } => true,
            Stage::Timing { trigger, .. } => trigger.is_some(),
            _ => false,
        };
        if about_to {
            return;
        }
        if self.stage.name() != StageName::Idle {
            // Of a flood one is remembered, and told once.
            if self.schedule.remembered.replace(trigger) != Some(trigger) {
                turn.event(EventKind::TriggerDeferred(trigger));
            }
            return;
        }
        if self.in_call && !forced {
            let most = params::number(turn, &self.flash, Param::ForcedDelayS);
            let latest = turn.after_policy(Duration::from_secs(most));
            if self.schedule.postponed.is_none() {
                self.schedule.postponed = Some((latest, trigger));
                turn.event(EventKind::TriggerDeferred(trigger));
            }
            return;
        }
        self.start_run(turn, trigger);
    }

    pub(super) fn call(&mut self, turn: &mut Turn<'_>, active: bool) {
        self.in_call = active;
        if !active
            && self.stage.name() == StageName::Idle
            && let Some((_, trigger)) = self.schedule.postponed.take()
        {
            self.start_run(turn, trigger);
        }
    }

    pub(super) fn sip(&mut self, turn: &mut Turn<'_>, way: Way, from: SocketAddrV4, bytes: &[u8]) {
        if self.late_notify(turn, way, from, bytes) {
            return;
        }
        let Some(asked) = resync::sip_request(turn, way, from, bytes) else {
            return;
        };
        if !self.admits(turn, from) {
            return self.refuse_sender(turn, from);
        }
        if self.is_copy(asked.transaction) {
            return;
        }
        if !params::is_on(turn, &self.flash, Param::ResyncFromSip) {
            self.ignore(turn, Trigger::CheckSync);
        } else if asked.reboot && self.stage.name() != StageName::Installing {
            self.reboot(turn, BootCause::CheckSync);
        } else {
            self.due(turn, Trigger::CheckSync, false);
        }
    }

    /// Whether check-syncs of this sender are honoured (AUE-22): it is on the page's list, or the
    /// list is empty. A name that the run does not know stands for nobody.
    fn admits(&self, turn: &Turn<'_>, from: SocketAddrV4) -> bool {
        let listed = params::texts(turn, &self.flash, Param::CheckSyncSenders);
        let mut hosts = listed
            .iter()
            .flat_map(|text| text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')))
            .filter(|host| !host.is_empty())
            .peekable();
        hosts.peek().is_none() || hosts.any(|host| turn.shelf.resolve(host) == Some(*from.ip()))
    }

    /// A check-sync from a host that may not send one (AUE-22), told up to the limit.
    fn refuse_sender(&mut self, turn: &mut Turn<'_>, from: SocketAddrV4) {
        if self.refused >= STRAYS_MAX {
            return;
        }
        self.refused += 1;
        let address = *from.ip();
        turn.event(EventKind::SenderRefused { address });
        if self.refused == STRAYS_MAX {
            let (limit, value) = (Limit::Strays, u64::from(STRAYS_MAX));
            turn.event(EventKind::LimitReached { limit, value });
        }
    }

    pub(super) fn web(&mut self, turn: &mut Turn<'_>, action: WebAction<'_>) {
        match action {
            WebAction::Set(param, value) => self.typed.push((param, value.into())),
            WebAction::Save => {
                self.save();
                self.acs_look(turn);
            }
            WebAction::SaveAndApply => {
                self.save();
                self.due(turn, Trigger::SaveAndApply, false);
            }
            WebAction::Start => self.due(turn, Trigger::Manual, false),
            WebAction::Restore(bytes) => self.restore(turn, bytes),
            WebAction::Reboot => {
                self.reboot(turn, BootCause::User);
            }
            WebAction::FactoryReset => {
                self.factory_reset(turn);
            }
        }
    }

    /// Clears flash and reboots, unless the limit on loops is reached; true when it did.
    pub(super) fn factory_reset(&mut self, turn: &mut Turn<'_>) -> bool {
        let allowed = self.reboots.allow(turn);
        if allowed {
            let firmware = self.flash.firmware.take();
            self.flash = Flash {
                firmware,
                ..Flash::default()
            };
            self.down(turn);
            self.boot(turn, BootCause::FactoryReset);
        }
        allowed
    }

    /// An uploaded document; there is no web page without an address.
    fn restore(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) {
        let mut holder = Holder {
            flash: &mut self.flash,
            profile_index: self.profile,
        };
        if turn.address.is_unspecified() {
            return;
        }
        take::restore(turn, &mut holder, bytes);
        // A run ends with this in any case.
        if self.stage.name() == StageName::Idle {
            let enabled = params::is_on(turn, &self.flash, Param::ProvisionEnable);
            self.keep_timetable(turn, enabled);
            self.registrations.renew(turn, &self.flash);
            self.settling |= self.registrations.is_pending();
            // It may have switched provisioning on: the timetable needs the time.
            if enabled {
                self.has_time(turn, None);
            }
            self.acs_look(turn);
        }
    }

    /// Keeps what was typed on the web page; it counts from the next run on (FLY-98).
    pub(super) fn save(&mut self) {
        for (param, value) in std::mem::take(&mut self.typed) {
            self.flash.set_web(param, &value);
        }
    }
}
