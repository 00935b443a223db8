//! Connection requests on the simulated network.

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::phone::io::{Input, Request};

use super::{FIRST_TCP_PORT, Simulation};
use crate::reference::acs::{Caller, Said};
use crate::reference::notify::{self, Batch, Target};

impl Simulation {
    /// Sends connection requests, one after the other: each phone answers at once.
    pub(super) fn call(&mut self, batch: &Batch) {
        for (target, whom) in (0_u32..).zip(batch.targets()) {
            let caller = self.reference.caller(whom);
            let status = caller.and_then(|caller| self.visit(whom, caller));
            self.reference.called(status);
            batch.note(notify::Outcome {
                target,
                status,
                from: whom.to,
                after: self.delay(whom) * 4,
            });
        }
    }

    /// The one-way delay of a phone's link.
    fn delay(&self, whom: &Target) -> Duration {
        let slot = self.shard.with_address(*whom.to.ip());
        slot.map_or(Duration::ZERO, |slot| self.wire.link(slot).delay)
    }

    /// The status of the last answer to a connection request.
    fn visit(&mut self, whom: &Target, mut caller: Caller) -> Option<u16> {
        let slot = self.shard.with_address(*whom.to.ip())?;
        let mut request = caller.request();
        loop {
            let from = SocketAddrV4::new(self.wire.server, FIRST_TCP_PORT);
            let number = Request(0);
            self.wire.replied = None;
            let input = Input::Request {
                request: number,
                from,
                bytes: &request,
            };
            self.shard.step(self.now, slot, input, &mut self.wire);
            let (_, answer) = self.wire.replied.take()?;
            match caller.response(&answer)? {
                Said::Again(next) => request = next,
                Said::Over(status) => return status,
            }
        }
    }
}
