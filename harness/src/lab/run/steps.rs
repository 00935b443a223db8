//! The steps of a case, taken with a handset.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::scenario::{Action, Step};
use bootstorm_scenarios::wire::message;

use super::{Handset, Scene, Unjudged};
use crate::fleet::steps::{Chosen, Stepper};
use crate::reference::notify::{Message, Target};

/// The way through the steps.
pub(super) struct Steps {
    stepper: Stepper,
}

impl Steps {
    pub(super) fn new(steps: &[Step]) -> Self {
        Self {
            stepper: Stepper::new(steps),
        }
    }

    /// Whether all were taken and answered.
    pub(super) fn is_over(&self) -> bool {
        self.stepper.is_over()
    }

    /// Takes the steps that are due.
    pub(super) fn take(
        &mut self,
        handset: &mut Handset<'_>,
        scene: &mut Scene<'_>,
        mut at_rest: bool,
    ) -> Result<(), Unjudged> {
        loop {
            let now = Moment::ZERO + handset.began.elapsed();
            let Some(step) = self.stepper.due(now, at_rest) else {
                return Ok(());
            };
            let message = match step.action {
                Action::CheckSync { reboot } => Some(Message::CheckSync(reboot)),
                Action::ConnectionRequest => Some(Message::ConnectionRequest),
                Action::PnpNotify => Some(Message::PnpNotify),
                _ => None,
            };
            let chosen = chosen(handset);
            if message.is_some() && chosen.targets.is_empty() {
                return Err(Unjudged::Not(
                    "nothing could be sent to the handset: it was not seen to get an address"
                        .to_owned(),
                ));
            }
            let batch = self.stepper.taken(chosen, message);
            self.carry_out(handset, scene, &step, now)?;
            if let (Some(batch), Some(courier)) = (batch, scene.stage.courier())
                && !courier.order(batch)
            {
                return Err(Unjudged::Bench(
                    "the reference server takes no orders".to_owned(),
                ));
            }
            at_rest = false;
        }
    }

    fn carry_out(
        &mut self,
        handset: &mut Handset<'_>,
        scene: &mut Scene<'_>,
        step: &Step,
        now: Moment,
    ) -> Result<(), Unjudged> {
        handset.since = Instant::now();
        handset.silence = handset.place.rest;
        match step.action {
            Action::CheckSync { reboot: Some(true) } => {
                // It says nothing while it boots.
                handset.silence = handset.place.link.max(handset.place.rest);
            }
            Action::PowerCycle { off, .. } => handset.cycle(off)?,
            Action::Wait(time) => self.stepper.hold_until(now + time),
            Action::Content => {
                let changes = scene.plan.changes_until(self.stepper.last());
                scene.plan.reach(changes);
                let files = changes.checked_sub(1).and_then(|at| scene.later.get(at));
                if let Some(files) = files.cloned() {
                    scene.stage.change(&files)?;
                }
            }
            // `fitting` lets no case with outages through.
            Action::CheckSync { .. }
            | Action::ConnectionRequest
            | Action::PnpNotify
            | Action::ServerDown { .. }
            | Action::ServerUp { .. } => {}
        }
        Ok(())
    }
}

/// The handset, as whom a message goes to: at the address that it was seen to get.
fn chosen(handset: &Handset<'_>) -> Chosen {
    let messages = message::decode(&handset.watch.record());
    let acks = messages.iter().rev().filter(|it| it.name == "dhcp.ack");
    let leased = acks.filter_map(|it| it.field("yiaddr")?.parse().ok());
    let leased = leased.filter(|address: &Ipv4Addr| !address.is_unspecified());
    let address = leased.into_iter().next().or(handset.outlet.address);
    let allowed = address.filter(|address| handset.table.lab.allows(*address));
    let target = allowed.map(|address| Target {
        to: SocketAddrV4::new(address, port::SIP),
        user: handset.place.mac.to_string(),
        account: None,
    });
    Chosen {
        slots: vec![0],
        registered: 0,
        targets: target.into_iter().collect(),
    }
}
