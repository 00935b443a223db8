//! A phone: one value, stepped. This file decides what comes next; the parts do not call each
//! other.

mod acs;
mod apply;
mod fetching;
mod holdings;
pub mod io;
mod lease;
mod notified;
pub(crate) mod params;
mod reboots;
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

use crate::clock::WallClock;
use crate::discovery::dhcp::DhcpClient;
use crate::event::{BootCause, EventKind, RunResult, Trigger};
use crate::flash::Flash;
use crate::identity::Identity;
use crate::limits::CHECK_SYNCS_KEPT;
use crate::operator::Operator;
use crate::profile::Param;
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::time::Moment;
pub use registration::AddressOfRecord;

use acs::AcsClient;
use holdings::{Carried, Holdings};
use io::{Channel, Effect, Input, Outputs};
use reboots::Reboots;
use registration::Registrations;
use run::{Run, RunEnd, Scope};
use schedule::Schedule;
use stage::{Stage, StageName};
use turn::Turn;

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
    /// The URL of a NOTIFY that came outside any search and waits for its run (FAN-104).
    notified: Option<Box<str>>,
    /// Check-syncs refused for their sender since the last run.
    refused: u32,
    /// Fields typed on the web page and not saved yet.
    typed: Vec<(Param, Box<str>)>,
    reboots: Reboots,
    /// Who answers what the phone asks on its display; without one the driver does.
    operator: Option<Arc<Operator>>,
    /// TR-069, while it is on (FAN-114).
    acs: Option<Box<AcsClient>>,
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
            notified: None,
            refused: 0,
            typed: Vec::new(),
            reboots: Reboots::default(),
            operator: None,
            acs: None,
        };
        Self {
            identity,
            rng: identity.rng(),
            life,
        }
    }

    /// The same phone with somebody at its display who answers by a script (FAN-52, FAN-57).
    /// Without one a question waits for `Input::Operator`, at most `PROMPT_SECONDS_MAX`.
    #[must_use]
    pub fn with_operator(mut self, operator: Arc<Operator>) -> Self {
        self.life.operator = Some(operator);
        self
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
    /// every account is registered, or known not to be; no session with an auto-configuration
    /// server is under way, and nothing that it ordered is to be done.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stage() == StageName::Idle && !self.life.settling && !self.life.acs_is_busy()
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
            self.life.acs_deadline(),
            schedule,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The firmware version that it installed last; none while it runs its profile's.
    #[must_use]
    pub fn firmware(&self) -> Option<&Arc<str>> {
        self.life.flash.firmware.as_ref()
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
            Input::Opened(id) | Input::Bytes(id, _) | Input::Closed(id) | Input::Failed(id, _)
                if acs::owns(*id) =>
            {
                self.acs_input(turn, input);
            }
            Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                self.step_run(turn, input);
            }
            Input::AddressTaken(address) => {
                let news = self.dhcp.taken(turn, *address);
                self.lease_news(turn, news);
            }
            Input::Web(action) => self.web(turn, *action),
            Input::Call(active) => self.call(turn, *active),
            Input::Operator(_) => self.step_run(turn, input),
            Input::Request { request, bytes, .. } => {
                self.connection_request(turn, *request, bytes);
            }
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
        let trigger = run.trigger();
        turn.event(EventKind::RunEnded(RunResult::Aborted));
        // It is over; what follows is the caller's.
        self.enter(Stage::Idle);
        Some(trigger)
    }

    /// Loses everything but flash.
    fn down(&mut self, turn: &mut Turn<'_>) {
        self.abort_run(turn);
        self.acs_down(turn);
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
        self.notified = None;
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
            self.acs_installed();
        }
        let switch = match cause {
            BootCause::Firmware => Param::ResyncAfterUpgrade,
            _ => Param::ResyncOnReset,
        };
        let trigger = Trigger::Boot(cause);
        let due = self.may_run(turn, trigger)
            && (params::is_on(turn, &self.flash, switch) || self.ignore(turn, trigger));
        self.enter(Stage::Addressing(due.then_some(trigger)));
        self.ask_for_address(turn);
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.dhcp.deadline().is_some_and(|at| at <= turn.now) {
            let news = self.lease_tick(turn);
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
        if self.acs_deadline().is_some_and(|at| at <= turn.now) {
            self.acs_tick(turn);
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
                let late = turn.profile.pnp.as_ref();
                let late = late.is_some_and(|spec| spec.accepts_late);
                if discovery {
                    self.note_notify(turn, bytes);
                    self.step_run(turn, input);
                } else if (late || channel == Channel::Sip) && !turn.address.is_unspecified() {
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

    fn start_run(&mut self, turn: &mut Turn<'_>, trigger: Trigger) {
        if self.has_time(turn, Some(trigger)) {
            let scope = self.scope_of(turn, trigger);
            self.start_run_in(turn, trigger, scope);
        }
    }

    /// Starts a run over some of the sources, or with one URL.
    fn start_run_in(&mut self, turn: &mut Turn<'_>, trigger: Trigger, scope: Scope) {
        self.refused = 0;
        // What one source says, or one file that was ordered, does not stand for all.
        if !matches!(scope, Scope::Only(_) | Scope::Ordered(..)) {
            self.schedule.retry = None;
            self.schedule.period = None;
            self.schedule.postponed = None;
        }
        let mut holdings = Holdings {
            flash: &mut self.flash,
            lease: self.dhcp.lease(),
            profile_index: self.profile,
            operator: self.operator.as_deref(),
        };
        let (run, end) = Run::start(turn, &mut holdings, trigger, scope, self.carried);
        self.carried = run.carried();
        self.enter(Stage::Running(Box::new(run)));
        match end {
            Some(end) => self.run_over(turn, end),
            None => self.serve_source(turn),
        }
    }

    fn step_run(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) {
        self.in_run(turn, |run, turn, holdings| run.input(turn, holdings, input));
    }

    /// Does something in the run under way, if there is one, and what follows from it.
    fn in_run(
        &mut self,
        turn: &mut Turn<'_>,
        act: impl FnOnce(&mut Run, &mut Turn<'_>, &mut Holdings<'_>) -> Option<RunEnd>,
    ) {
        let Stage::Running(run) = &mut self.stage else {
            return;
        };
        let mut holdings = Holdings {
            flash: &mut self.flash,
            lease: self.dhcp.lease(),
            profile_index: self.profile,
            operator: self.operator.as_deref(),
        };
        let end = act(run, turn, &mut holdings);
        self.carried = run.carried();
        match end {
            Some(end) => self.run_over(turn, end),
            None => self.serve_source(turn),
        }
    }

    fn run_over(&mut self, turn: &mut Turn<'_>, end: RunEnd) {
        self.order_over(turn, &end);
        match end {
            RunEnd::Over(result) => self.finished(turn, result),
            RunEnd::UpgradeFailed(result) => {
                if !self.is_ordered_run() {
                    let wait = params::number(turn, &self.flash, Param::UpgradeErrorRetryS);
                    self.retry_in(turn, wait, Trigger::UpgradeRetry);
                }
                self.finished(turn, result);
            }
            RunEnd::Reboot(result) => {
                if self.may_go_down(turn, result) {
                    self.enter(Stage::Idle);
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

#[cfg(test)]
mod tests {
    use super::Phone;

    // What is rare is boxed: thousands of phones idle in one process.
    #[test]
    fn a_phone_is_small() {
        assert!(size_of::<Phone>() <= 656, "{}", size_of::<Phone>());
    }
}
