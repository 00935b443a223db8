//! A phone: one value, stepped. This file decides what comes next; the parts do not call each
//! other.

mod apply;
mod fetching;
mod holdings;
pub mod io;
mod params;
mod registration;
pub mod resync;
mod run;
mod schedule;
pub mod stage;
#[cfg(test)]
mod stand;
mod timetable;
mod timing;
mod triggers;
pub mod turn;
mod walk;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::WallClock;
use crate::discovery::dhcp::{DhcpClient, LeaseNews};
use crate::event::{BootCause, EventKind, Limit, RunResult, Trigger};
use crate::flash::Flash;
use crate::identity::Identity;
use crate::limits::{CHECK_SYNCS_KEPT, REBOOTS_PER_HOUR_MAX};
use crate::profile::Param;
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::time::Moment;
pub use registration::AddressOfRecord;

use holdings::{Carried, Holdings};
use io::{Channel, Effect, Input, Outputs};
use registration::Registrations;
use run::{Run, RunEnd, Scope};
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
    registrations: Registrations,
    /// It came to rest, and accounts are still to be registered: `Settled` is due then.
    settling: bool,
    in_call: bool,
    /// The time of day, where the vendor demands it and a server has told it.
    clock: Option<WallClock>,
    /// Transactions of the last check-syncs, the latest first.
    last_check_syncs: [u64; CHECK_SYNCS_KEPT],
    /// Check-syncs refused for their sender since the last run.
    refused: u32,
    /// Fields typed on the web page and not saved yet.
    typed: Vec<(Param, Box<str>)>,
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
            registrations: Registrations::default(),
            settling: false,
            in_call: false,
            clock: None,
            last_check_syncs: [0; CHECK_SYNCS_KEPT],
            refused: 0,
            typed: Vec::new(),
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

    /// True when nothing is pending but timers that start another run or refresh a registration:
    /// every account is registered, or known not to be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stage() == StageName::Idle && !self.life.settling
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
            self.life.registrations.deadline(),
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
            Input::ShutDown => {
                self.abort_run(turn);
                self.registrations.leave(turn, &self.flash);
                self.dhcp.release(turn);
                self.power_cut(turn);
            }
            Input::Tick => self.tick(turn),
            Input::Datagram {
                channel,
                from,
                bytes,
            } => {
                self.datagram(turn, input, *channel, *from, bytes);
            }
            Input::Opened(id) | Input::Bytes(id, _) | Input::Closed(id) | Input::Failed(id, _)
                if self.registrations.owns(*id) =>
            {
                self.registrar_line(turn, input, *id);
            }
            Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                self.step_run(turn, input);
            }
            Input::Web(action) => self.web(turn, *action),
            Input::Call(active) => self.call(turn, *active),
            Input::Request { .. } | Input::Operator(_) => {}
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

    /// Breaks a run off, if one is under way; its trigger.
    fn abort_run(&mut self, turn: &mut Turn<'_>) -> Option<Trigger> {
        let Stage::Running(run) = &mut self.stage else {
            return None;
        };
        run.abort(turn);
        self.carried = run.carried();
        turn.event(EventKind::RunEnded(RunResult::Aborted));
        Some(run.trigger())
    }

    /// Loses everything but flash.
    fn down(&mut self, turn: &mut Turn<'_>) {
        self.abort_run(turn);
        self.registrations.forget(turn);
        self.settling = false;
        if self.dhcp.lease().is_some() {
            turn.out.effects.push(Effect::Address(None));
        }
        self.dhcp = DhcpClient::default();
        self.carried.last_ack = None;
        self.schedule = Schedule::default();
        self.in_call = false;
        self.clock = None;
        self.typed = Vec::new();
        turn.address = Ipv4Addr::UNSPECIFIED;
    }

    fn power_cut(&mut self, turn: &mut Turn<'_>) {
        self.down(turn);
        turn.event(EventKind::PowerCut);
        self.enter(Stage::Off);
    }

    /// Reboots unless the limit on loops is reached; true when it did.
    fn reboot(&mut self, turn: &mut Turn<'_>, cause: BootCause) -> bool {
        let allowed = self.reboots.allow(turn);
        if allowed {
            self.down(turn);
            self.boot(turn, cause);
        }
        allowed
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
        if self
            .registrations
            .deadline()
            .is_some_and(|at| at <= turn.now)
        {
            self.registrations.tick(turn, &self.flash);
            self.rest(turn);
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
                let remembered = self.schedule.remembered;
                self.down(turn);
                self.schedule.remembered = remembered;
                self.boot_installed(turn);
            }
            Stage::Timing { .. } => self.ask_again(turn),
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
            Channel::Sip if Registrations::claims(bytes) => {
                self.registrations.answered(turn, &self.flash, bytes);
                self.rest(turn);
            }
            Channel::Sip | Channel::Pnp => {
                let discovery =
                    matches!(&self.stage, Stage::Running(run) if run.claims(turn, channel, bytes));
                if discovery {
                    self.step_run(turn, input);
                } else if channel == Channel::Sip && !turn.address.is_unspecified() {
                    self.sip(turn, channel.into(), from, bytes);
                }
            }
            Channel::Fresh(_) if self.stage.name() == StageName::Running => {
                self.step_run(turn, input);
            }
            Channel::Fresh(_) if self.stage.name() == StageName::Timing => {
                self.timing(turn, channel, bytes);
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
                } else if self.registrations.moved(turn.address) {
                    self.registrations.renew(turn, &self.flash);
                }
            }
            Some(LeaseNews::Lost) => {
                turn.address = Ipv4Addr::UNSPECIFIED;
                self.registrations.unplug(turn);
                self.settling = false;
                let trigger = match &self.stage {
                    Stage::Running(_) => self.abort_run(turn),
                    Stage::Delaying { trigger, .. } => Some(*trigger),
                    Stage::Timing { trigger, .. } => *trigger,
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
            // Where nothing is provisioned nothing needs the time: checked once activated, AUE-06.
            let enabled = params::is_on(turn, &self.flash, Param::ProvisionEnable);
            if !enabled || self.has_time(turn, None) {
                self.idle(turn);
            }
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
        self.start_run_in(turn, trigger, Scope::All);
    }

    /// Starts a run over some of the sources, or with one URL.
    fn start_run_in(&mut self, turn: &mut Turn<'_>, trigger: Trigger, scope: Scope) {
        if !self.has_time(turn, Some(trigger)) {
            return;
        }
        self.refused = 0;
        self.schedule.retry = None;
        self.schedule.period = None;
        self.schedule.postponed = None;
        let mut holdings = Holdings {
            flash: &mut self.flash,
            lease: self.dhcp.lease(),
            profile_index: self.profile,
        };
        let (run, end) = Run::start(turn, &mut holdings, trigger, scope, self.carried);
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
            RunEnd::Reboot(result) => {
                if self.may_go_down(turn, result) {
                    self.down(turn);
                    self.boot(turn, BootCause::Settings);
                }
            }
            RunEnd::SoftReboot(result) => {
                if self.may_go_down(turn, result) {
                    turn.event(EventKind::SoftRebooting);
                    let until = turn.after_policy(turn.profile.timers.soft_reboot);
                    self.enter(Stage::SoftRebooting { until });
                }
            }
            RunEnd::Install(version, result) => {
                if self.may_go_down(turn, result) {
                    let until = turn.after_policy(turn.profile.timers.install);
                    self.enter(Stage::Installing { until, version });
                }
            }
        }
    }

    /// Whether a run may end in a reboot; where the limit on loops says no, the run is over in
    /// part and the phone stays up.
    fn may_go_down(&mut self, turn: &mut Turn<'_>, result: RunResult) -> bool {
        let allowed = self.reboots.allow(turn);
        if allowed {
            turn.event(EventKind::RunEnded(result));
        } else {
            self.finished(turn, RunResult::Partial);
        }
        allowed
    }
}

impl Reboots {
    /// Counts one; false when the hour's bound is reached.
    fn allow(&mut self, turn: &mut Turn<'_>) -> bool {
        // An hour of phone time; a run without policy times has only the clock's own.
        let hour = match turn.shelf.policy(HOUR) {
            Duration::ZERO => HOUR,
            hour => hour,
        };
        if turn.now.since(self.since) >= hour || self.count == 0 {
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
