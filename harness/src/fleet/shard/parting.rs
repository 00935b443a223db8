//! What phones say when all of them are switched off at the end of a run: they give their leases
//! back (RFC 2131 §4.4.6). Nothing of it is judged or recorded.

use bootstorm_emulator::phone::io::{Channel, Effect, Input, Outputs};
use bootstorm_emulator::time::Moment;

use super::Shard;
use crate::fleet::network::Farewell;

impl Shard {
    /// Has the phones give their leases back at the end.
    pub fn give_back_leases(&mut self) {
        self.gives_back = true;
    }

    /// Switches the phones off; their DHCP messages.
    pub(super) fn farewells(&mut self) -> Vec<Farewell> {
        let mut farewells = Vec::new();
        if !self.gives_back {
            return farewells;
        }
        let now = Moment::ZERO + self.plan.scenario.deadline;
        let mut out = Outputs::default();
        for (phone, from) in self.phones.iter_mut().zip(&self.addresses) {
            out.clear();
            phone.step(now, Input::ShutDown, &mut self.shelf, &mut out);
            for effect in &out.effects {
                let Effect::Send { channel, to, bytes } = effect else {
                    continue;
                };
                if *channel == Channel::Dhcp {
                    farewells.push(Farewell {
                        from: *from,
                        to: *to,
                        bytes: out.slice(bytes).to_vec(),
                    });
                }
            }
        }
        farewells
    }
}
