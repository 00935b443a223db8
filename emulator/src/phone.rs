//! A phone: one value, stepped. This file decides what comes next; the parts do not call each
//! other.

mod apply;
mod fetching;
pub mod io;
mod params;
pub mod resync;
mod run;
mod schedule;
pub mod stage;
pub mod turn;
mod walk;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::discovery::dhcp::{DhcpClient, LeaseNews};
use crate::event::{BootCause, EventKind, Limit, RunResult, Trigger};
use crate::flash::Flash;
use crate::identity::Identity;
use crate::limits::REBOOTS_PER_HOUR_MAX;
use crate::profile::Param;
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::time::Moment;
use io::{Channel, Effect, Input, Outputs, WebAction};
use run::{Carried, Holdings, Run, RunEnd};
use schedule::Schedule;
use stage::{Stage, StageName};
use turn::Turn;

const HOUR: Duration = Duration::from_secs(3600);

/// A virtual desk phone.
#[derive(Debug)]
pub struct Phone {
    identity: Identity,
    rng: Rng,
    life: Life,
}

/// Everything of a phone that changes as it lives.
#[derive(Debug)]
struct Life {
    profile: u16,
    flash: Flash,
    dhcp: DhcpClient,
    stage: Stage,
    schedule: Schedule,
    carried: Carried,
    in_call: bool,
    last_check_sync: u64,
    reboots: Reboots,
}

/// Reboots and soft reboots within the present hour; the bound on endless loops (PND-23, FLY-114).
#[derive(Debug, Clone, Copy, Default)]
struct Reboots {
    since: Moment,
    count: u32,
}

impl Phone {
    /// A phone without power. `profile` is its place in `Shelf::profiles`.
    #[must_use]
    pub fn new(identity: Identity, profile: u16, flash: Flash) -> Self {
        let life = Life {
            profile,
            flash,
            dhcp: DhcpClient::default(),
            stage: Stage::Off,
            schedule: Schedule::default(),
            carried: Carried::default(),
            in_call: false,
            last_check_sync: 0,
            reboots: Reboots::default(),
        };
        Self {
            identity,
            rng: identity.rng(),
            life,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its place in `Shelf::profiles`.
    #[must_use]
    pub fn profile(&self) -> u16 {
        self.life.profile
    }

    /// What it would keep through a reboot.
    #[must_use]
    pub fn flash(&self) -> &Flash {
        &self.life.flash
    }

    /// What it is doing.
    #[must_use]
    pub fn stage(&self) -> StageName {
        self.life.stage.name()
    }

    /// Its address, while it has one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.life.dhcp.lease().map(|lease| lease.address)
    }

    /// True when nothing is pending but timers that start another run.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stage() == StageName::Idle
    }

    /// When it wants `Input::Tick`; `None` when only an input can move it. It may change with
    /// every step.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.stage() == StageName::Off {
            return None;
        }
        let schedule = match self.stage() {
            StageName::Idle => self.life.schedule.deadline(),
            _ => None,
        };
        [
            self.life.dhcp.deadline(),
            self.life.stage.deadline(),
            schedule,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes one input. Effects and events are appended to `out`.
    pub fn step(&mut self, now: Moment, input: Input<'_>, shelf: &mut Shelf, out: &mut Outputs) {
        let Some(profile) = shelf.profiles.get(usize::from(self.life.profile)).cloned() else {
            return;
        };
        let firmware = self.life.flash.firmware.clone();
        let mut turn = Turn {
            now,
            profile: &profile,
            identity: &self.identity,
            address: self
                .life
                .dhcp
                .lease()
                .map_or(Ipv4Addr::UNSPECIFIED, |lease| lease.address),
            firmware: firmware.as_deref().unwrap_or(&profile.firmware),
            shelf,
            rng: &mut self.rng,
            out,
        };
        self.life.input(&mut turn, &input);
    }
}

impl Life {
    fn input(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) {
        match input {
            Input::Power if self.stage.name() == StageName::Off => {
                self.boot(turn, BootCause::Power);
            }
            Input::Power => {}
            _ if self.stage.name() == StageName::Off => {}
            Input::PowerCut => self.power_cut(turn),
            Input::Tick => self.tick(turn),
            Input::Datagram {
                channel,
                from,
                bytes,
            } => {
                self.datagram(turn, input, *channel, *from, bytes);
            }
            Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                self.step_run(turn, input);
            }
            Input::Web(action) => self.web(turn, *action),
            Input::Call(active) => self.call(turn, *active),
        }
    }

    fn enter(&mut self, stage: Stage) {
        debug_assert!(
            self.stage.name().may_become(stage.name()),
            "illegal move from {:?} to {:?}",
            self.stage.name(),
            stage.name()
        );
        self.stage = stage;
    }

    fn boot(&mut self, turn: &mut Turn<'_>, cause: BootCause) {
        turn.event(EventKind::Booting(cause));
        let until = turn.after_policy(turn.profile.timers.boot);
        self.enter(Stage::Booting { until, cause });
        if until <= turn.now {
            self.booted(turn, cause);
        }
    }

    /// Loses everything but flash.
    fn down(&mut self, turn: &mut Turn<'_>) {
        if let Stage::Running(run) = &mut self.stage {
            run.abort(turn);
            self.carried = run.carried();
        }
        if self.dhcp.lease().is_some() {
            turn.out.effects.push(Effect::Address(None));
        }
        self.dhcp = DhcpClient::default();
        self.carried.last_ack = None;
        self.schedule = Schedule::default();
        self.in_call = false;
        turn.address = Ipv4Addr::UNSPECIFIED;
    }

    fn power_cut(&mut self, turn: &mut Turn<'_>) {
        self.down(turn);
        turn.event(EventKind::PowerCut);
        self.enter(Stage::Off);
    }

    /// Reboots unless the limit on loops is reached; true when it did.
    fn reboot(&mut self, turn: &mut Turn<'_>, cause: BootCause) -> bool {
        if !self.reboots.allow(turn) {
            return false;
        }
        self.down(turn);
        self.boot(turn, cause);
        true
    }

    /// The phone is up: which run is due (FLY-104, FLY-107, FLY-108), and an address for it.
    fn booted(&mut self, turn: &mut Turn<'_>, cause: BootCause) {
        if cause == BootCause::Firmware {
            let version = turn.shelf.url(turn.firmware);
            turn.event(EventKind::FirmwareInstalled { version });
        }
        let switch = match cause {
            BootCause::Firmware => Param::ResyncAfterUpgrade,
            _ => Param::ResyncOnReset,
        };
        let trigger = Trigger::Boot(cause);
        let due = self.may_run(turn, trigger)
            && (params::is_on(turn, &self.flash, switch) || self.ignore(turn, trigger));
        self.enter(Stage::Addressing(due.then_some(trigger)));
        let with_67 = params::is_on(turn, &self.flash, Param::Option67Enable);
        self.dhcp.start(turn, with_67);
    }

    /// Provisioning as a whole is on (FLY-108).
    fn may_run(&self, turn: &mut Turn<'_>, trigger: Trigger) -> bool {
        params::is_on(turn, &self.flash, Param::ProvisionEnable) || self.ignore(turn, trigger)
    }

    fn ignore(&self, turn: &mut Turn<'_>, trigger: Trigger) -> bool {
        turn.event(EventKind::TriggerIgnored(trigger));
        false
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.dhcp.deadline().is_some_and(|at| at <= turn.now) {
            let news = self.dhcp.tick(turn);
            self.lease_news(turn, news);
        }
        if self.stage.deadline().is_some_and(|at| at <= turn.now) {
            self.stage_due(turn);
        }
        if self.stage.name() == StageName::Idle
            && let Some(due) = self.schedule.take_due(turn.now)
        {
            self.due(turn, due.trigger, due.forced);
        }
    }

    fn stage_due(&mut self, turn: &mut Turn<'_>) {
        match &self.stage {
            Stage::Booting { cause, .. } => {
                let cause = *cause;
                self.booted(turn, cause);
            }
            Stage::Delaying { trigger, .. } => {
                let trigger = *trigger;
                self.start_run(turn, trigger);
            }
            Stage::SoftRebooting { .. } => self.start_run(turn, Trigger::SoftReboot),
            Stage::Installing { version, .. } => {
                self.flash.firmware = Some(Arc::clone(version));
                self.down(turn);
                self.boot_installed(turn);
            }
            Stage::Running(_) => self.step_run(turn, &Input::Tick),
            Stage::Off | Stage::Addressing(_) | Stage::Idle => {}
        }
    }

    /// Reboots into the new firmware; the turn goes on with its version.
    fn boot_installed(&mut self, turn: &mut Turn<'_>) {
        let version = self.flash.firmware.clone();
        let mut turn = Turn {
            now: turn.now,
            profile: turn.profile,
            identity: turn.identity,
            address: turn.address,
            firmware: version.as_deref().unwrap_or(turn.firmware),
            shelf: &mut *turn.shelf,
            rng: &mut *turn.rng,
            out: &mut *turn.out,
        };
        self.boot(&mut turn, BootCause::Firmware);
    }

    fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        input: &Input<'_>,
        channel: Channel,
        from: SocketAddrV4,
        bytes: &[u8],
    ) {
        match channel {
            Channel::Dhcp => {
                let news = self.dhcp.datagram(turn, from, bytes);
                self.lease_news(turn, news);
            }
            Channel::Sip | Channel::Pnp => {
                let discovery =
                    matches!(&self.stage, Stage::Running(run) if run.claims(turn, channel, bytes));
                if discovery {
                    self.step_run(turn, input);
                } else if !turn.address.is_unspecified() {
                    self.sip(turn, channel, from, bytes);
                }
            }
            Channel::Fresh(_) if self.stage.name() == StageName::Running => {
                self.step_run(turn, input);
            }
            Channel::Fresh(_) => {
                if let Some(last) = &mut self.carried.last_ack {
                    last.answer(turn, channel, from, bytes);
                }
            }
        }
    }

    fn lease_news(&mut self, turn: &mut Turn<'_>, news: Option<LeaseNews>) {
        match news {
            None => {}
            Some(LeaseNews::Bound) => {
                turn.address = self
                    .dhcp
                    .lease()
                    .map_or(turn.address, |lease| lease.address);
                if let Stage::Addressing(trigger) = &self.stage {
                    let trigger = *trigger;
                    self.addressed(turn, trigger);
                }
            }
            Some(LeaseNews::Lost) => {
                turn.address = Ipv4Addr::UNSPECIFIED;
                let trigger = match &mut self.stage {
                    Stage::Running(run) => {
                        run.abort(turn);
                        self.carried = run.carried();
                        Some(Trigger::ErrorRetry)
                    }
                    Stage::Delaying { trigger, .. } => Some(*trigger),
                    Stage::SoftRebooting { .. } => Some(Trigger::SoftReboot),
                    Stage::Idle => None,
                    Stage::Off
                    | Stage::Booting { .. }
                    | Stage::Addressing(_)
                    | Stage::Installing { .. } => return,
                };
                self.enter(Stage::Addressing(trigger));
            }
        }
    }

    /// The phone has an address: it waits its random delay, runs, or is idle.
    fn addressed(&mut self, turn: &mut Turn<'_>, trigger: Option<Trigger>) {
        let Some(trigger) = trigger else {
            self.idle(turn);
            return;
        };
        let random = matches!(
            trigger,
            Trigger::Boot(BootCause::Power | BootCause::User | BootCause::FactoryReset)
        );
        let most = params::number(turn, &self.flash, Param::RandomDelayS);
        if !random || most == 0 {
            self.start_run(turn, trigger);
            return;
        }
        let nanos = turn.rng.up_to(most.saturating_mul(1_000_000_000));
        let until = turn.after_policy(Duration::from_nanos(nanos));
        turn.event(EventKind::Delayed { until });
        self.enter(Stage::Delaying { until, trigger });
        if until <= turn.now {
            self.start_run(turn, trigger);
        }
    }

    fn start_run(&mut self, turn: &mut Turn<'_>, trigger: Trigger) {
        self.schedule.retry = None;
        self.schedule.period = None;
        self.schedule.postponed = None;
        let mut holdings = Holdings {
            flash: &mut self.flash,
            lease: self.dhcp.lease(),
            profile_index: self.profile,
        };
        let (run, end) = Run::start(turn, &mut holdings, trigger, self.carried);
        self.carried = run.carried();
        self.enter(Stage::Running(Box::new(run)));
        if let Some(end) = end {
            self.run_over(turn, end);
        }
    }

    fn step_run(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) {
        let Stage::Running(run) = &mut self.stage else {
            return;
        };
        let mut holdings = Holdings {
            flash: &mut self.flash,
            lease: self.dhcp.lease(),
            profile_index: self.profile,
        };
        let end = run.input(turn, &mut holdings, input);
        self.carried = run.carried();
        if let Some(end) = end {
            self.run_over(turn, end);
        }
    }

    fn run_over(&mut self, turn: &mut Turn<'_>, end: RunEnd) {
        match end {
            RunEnd::Over(result) => self.finished(turn, result),
            RunEnd::UpgradeFailed(result) => {
                let wait = params::number(turn, &self.flash, Param::UpgradeErrorRetryS);
                self.retry_in(turn, wait, Trigger::UpgradeRetry);
                self.finished(turn, result);
            }
            RunEnd::Reboot => {
                if !self.reboot(turn, BootCause::Settings) {
                    self.finished(turn, RunResult::Partial);
                }
            }
            RunEnd::SoftReboot => {
                if self.reboots.allow(turn) {
                    turn.event(EventKind::SoftRebooting);
                    let until = turn.after_policy(turn.profile.timers.soft_reboot);
                    self.enter(Stage::SoftRebooting { until });
                } else {
                    self.finished(turn, RunResult::Partial);
                }
            }
            RunEnd::Install(version) => {
                if self.reboots.allow(turn) {
                    let until = turn.after_policy(turn.profile.timers.install);
                    self.enter(Stage::Installing { until, version });
                } else {
                    self.finished(turn, RunResult::Partial);
                }
            }
        }
    }

    /// The run is over; the next one comes by timer or trigger.
    fn finished(&mut self, turn: &mut Turn<'_>, result: RunResult) {
        turn.event(EventKind::RunEnded(result));
        if result != RunResult::Complete {
            let wait = params::number(turn, &self.flash, Param::ErrorRetryS);
            self.retry_in(turn, wait, Trigger::ErrorRetry);
        }
        self.idle(turn);
    }

    /// Of two retries the earlier one counts; it serves both.
    fn retry_in(&mut self, turn: &Turn<'_>, seconds: u64, trigger: Trigger) {
        let Some(at) = turn.run_after(seconds) else {
            return;
        };
        if self.schedule.retry.is_none_or(|(held, _)| at < held) {
            self.schedule.retry = Some((at, trigger));
        }
    }

    fn idle(&mut self, turn: &mut Turn<'_>) {
        let period = params::number(turn, &self.flash, Param::PeriodicS);
        let enabled = params::is_on(turn, &self.flash, Param::ProvisionEnable);
        if enabled && let Some(at) = turn.run_after(period) {
            self.schedule.period = Some(at);
        }
        self.enter(Stage::Idle);
        match self.schedule.remembered.take() {
            Some(trigger) => self.due(turn, trigger, false),
            None => turn.event(EventKind::Settled),
        }
    }

    /// A trigger whose time has come: runs now, waits for the end of a call (FLY-106), or is
    /// remembered while a run is active (FLY-109).
    fn due(&mut self, turn: &mut Turn<'_>, trigger: Trigger, forced: bool) {
        if !self.may_run(turn, trigger) {
            return;
        }
        if self.stage.name() != StageName::Idle {
            self.schedule.remembered = Some(trigger);
            turn.event(EventKind::TriggerDeferred(trigger));
            return;
        }
        if self.in_call && !forced {
            let most = params::number(turn, &self.flash, Param::ForcedDelayS);
            let latest = turn.after_policy(Duration::from_secs(most));
            self.schedule.postponed.get_or_insert((latest, trigger));
            turn.event(EventKind::TriggerDeferred(trigger));
            return;
        }
        self.start_run(turn, trigger);
    }

    fn call(&mut self, turn: &mut Turn<'_>, active: bool) {
        self.in_call = active;
        if !active
            && self.stage.name() == StageName::Idle
            && let Some((_, trigger)) = self.schedule.postponed.take()
        {
            self.start_run(turn, trigger);
        }
    }

    fn sip(&mut self, turn: &mut Turn<'_>, channel: Channel, from: SocketAddrV4, bytes: &[u8]) {
        let Some(asked) = resync::sip_request(turn, channel, from, bytes) else {
            return;
        };
        if asked.transaction == self.last_check_sync {
            return;
        }
        self.last_check_sync = asked.transaction;
        if !params::is_on(turn, &self.flash, Param::ResyncFromSip) {
            self.ignore(turn, Trigger::CheckSync);
        } else if asked.reboot {
            self.reboot(turn, BootCause::CheckSync);
        } else {
            self.due(turn, Trigger::CheckSync, false);
        }
    }

    fn web(&mut self, turn: &mut Turn<'_>, action: WebAction<'_>) {
        match action {
            WebAction::Set(param, value) => self.flash.set_web(param, value),
            WebAction::Save => {}
            WebAction::SaveAndApply => self.due(turn, Trigger::SaveAndApply, false),
            WebAction::Reboot => {
                self.reboot(turn, BootCause::User);
            }
            WebAction::FactoryReset => {
                self.flash = Flash {
                    firmware: self.flash.firmware.take(),
                    ..Flash::default()
                };
                self.reboot(turn, BootCause::FactoryReset);
            }
        }
    }
}

impl Reboots {
    /// Counts one; false when the hour's bound is reached.
    fn allow(&mut self, turn: &mut Turn<'_>) -> bool {
        if turn.now.since(self.since) >= HOUR || self.count == 0 {
            *self = Self {
                since: turn.now,
                count: 0,
            };
        }
        if self.count >= REBOOTS_PER_HOUR_MAX {
            let limit = Limit::Reboots;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(REBOOTS_PER_HOUR_MAX),
            });
            return false;
        }
        self.count += 1;
        true
    }
}
