//! The steps of a scenario, taken by a shard: who is told what, whose power is cut, what the server
//! does.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::phone::io::Input;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::load_shape::exponential;
use bootstorm_scenarios::scenario::{Action, Step};

use super::{Network, Shard};
use crate::fleet::hooks::Hooks;
use crate::fleet::ledger::Subject;
use crate::fleet::power::{Failure, Turn};
use crate::fleet::steps::Chosen;
use crate::reference::notify::{Batch, Message, Target};

/// Keeps the times of power cuts apart from other choices.
const SALT: u64 = 0x6379_636c_6500;

impl Shard {
    /// The step that is due, as an order for whoever sends check-sync; none most of the time. Steps
    /// that are no order are carried out at once.
    pub fn due_step(&mut self, now: Moment) -> Option<Arc<Batch>> {
        loop {
            // A server whose files are being changed by a command is not ready for what follows.
            let still = self.power.is_still() && self.hooks.are_still();
            let at_rest = self.ledger.all_settled() && still;
            let step = self.steps.due(now, at_rest)?;
            let chosen = self.chosen(&step);
            let slots = chosen.slots.iter().map(|slot| *slot as usize);
            let message = match step.action {
                Action::CheckSync { reboot } => Some(Message::CheckSync(reboot)),
                Action::ConnectionRequest => Some(Message::ConnectionRequest),
                Action::PnpNotify => Some(Message::PnpNotify),
                _ => None,
            };
            let tells = message.is_some() || matches!(step.action, Action::PowerCycle { .. });
            let told = slots.filter(|_| tells);
            self.ledger.told(self.steps.last(), told);
            self.carry_out(now, &step, &chosen.slots);
            if let Some(batch) = self.steps.taken(chosen, message) {
                return Some(batch);
            }
        }
    }

    /// The phones that a step is for.
    fn chosen(&self, step: &Step) -> Chosen {
        let mut chosen = Chosen::default();
        let phones = self.planned.iter().zip(&self.phones).zip(&self.addresses);
        for (slot, ((planned, phone), address)) in (0_u32..).zip(phones) {
            let fleet = self.plan.fleet(planned);
            let named = |name: &String| fleet.is_some_and(|own| own.name == *name);
            let first = self.plan.fleet_range(planned.fleet).start;
            let within = planned.identity.index.saturating_sub(first);
            if !step.fleet.as_ref().is_none_or(named) || !step.part.has(within) {
                continue;
            }
            chosen.slots.push(slot);
            if address.is_unspecified() {
                continue;
            }
            chosen.registered += u32::from(phone.registered() > 0);
            chosen.targets.push(Target {
                to: SocketAddrV4::new(*address, self.shelf.ports.sip),
                user: planned.identity.mac.to_string(),
                account: phone.address_of_record(&self.shelf),
            });
        }
        chosen
    }

    /// Leaves steps with commands to those, where the server is not the built-in one.
    pub fn hook(&mut self, hooks: Hooks) {
        self.hooks = hooks;
    }

    fn carry_out(&mut self, now: Moment, step: &Step, slots: &[u32]) {
        let command = step.command.as_deref().filter(|_| self.hooks.are_used());
        if let Some(command) = command {
            self.hooks.carry_out(command);
        }
        let by_command = command.is_some();
        match step.action {
            Action::CheckSync { .. } | Action::ConnectionRequest | Action::PnpNotify => {}
            Action::PowerCycle { off, mean } => self.cycle(now, slots, off, mean),
            Action::Content => self.intend_anew(now),
            Action::ServerDown { .. } | Action::ServerUp { .. } if by_command => {}
            Action::ServerDown { services, refuse } => {
                let Some(outage) = &mut self.outage else {
                    return;
                };
                for (slot, connection) in outage.begin(services, refuse) {
                    let turn = Turn::Broken(connection, Failure::Reset);
                    self.power.plan(now, slot, turn);
                }
            }
            Action::ServerUp { services } => {
                if let Some(outage) = &mut self.outage {
                    outage.end(services);
                }
            }
            Action::Wait(time) => self.steps.hold_until(now + time),
        }
    }

    /// Cuts the power of these phones and gives it back.
    fn cycle(&mut self, now: Moment, slots: &[u32], off: Duration, mean: Duration) {
        let step = self.steps.last() as u64;
        for slot in slots {
            let Some(planned) = self.planned.get(*slot as usize) else {
                continue;
            };
            let seed = self.plan.scenario.seed ^ SALT ^ (step << 48);
            let wait = match mean.is_zero() {
                true => Duration::ZERO,
                false => exponential(mean, seed, planned.identity.index),
            };
            self.power.plan(now, *slot, Turn::Cut);
            self.power.plan(now + off + wait, *slot, Turn::Back);
        }
    }

    /// The server's files say something else from now on, and phones are meant to hold that.
    fn intend_anew(&mut self, now: Moment) {
        let changes = self.plan.changes_until(self.steps.last());
        self.plan.reach(changes);
        if let Some(after) = self.plan.after(changes) {
            self.current = Arc::clone(after);
        }
        self.ledger.intend_anew();
        for (slot, (planned, phone)) in self.planned.iter().zip(&self.phones).enumerate() {
            let subject = Subject {
                slot,
                planned,
                phone,
            };
            let (plan, shelf) = (&self.current, &mut self.shelf);
            self.ledger.judge_anew(plan, subject, shelf, now);
        }
    }

    /// Has every turn that is due happen; true when there was one.
    pub(super) fn turn(&mut self, now: Moment, network: &mut impl Network) -> bool {
        let Some((at, slot, turn)) = self.power.take_due(now) else {
            return false;
        };
        self.lag.note(now.since(at));
        match turn {
            Turn::Cut => self.step(now, slot, Input::PowerCut, network),
            Turn::Back => self.step(now, slot, Input::Power, network),
            Turn::Round => {
                self.judge_round(slot);
                if self.power.round_over(slot, at) {
                    self.step(now, slot, Input::PowerCut, network);
                }
            }
            Turn::Broken(connection, failure) => {
                self.take_in(
                    now,
                    slot,
                    Input::Failed(connection, failure.into()),
                    network,
                );
            }
        }
        true
    }

    fn judge_round(&mut self, slot: u32) {
        let slot = slot as usize;
        if let (Some(planned), Some(phone)) = (self.planned.get(slot), self.phones.get(slot)) {
            let subject = Subject {
                slot,
                planned,
                phone,
            };
            self.ledger.judge_round(&self.current, subject);
        }
    }
}
