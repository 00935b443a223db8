//! One step's surroundings, handed to every part that takes a share in the step.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::io::Outputs;
use crate::event::EventKind;
use crate::identity::Identity;
use crate::profile::Profile;
use crate::profile::template::Vars;
use crate::rng::Rng;
use crate::shelf::Shelf;
use crate::time::Moment;

/// The surroundings of one step.
#[derive(Debug)]
pub struct Turn<'a> {
    /// What time it is.
    pub now: Moment,
    /// The phone's profile.
    pub profile: &'a Profile,
    /// Who the phone is.
    pub identity: &'a Identity,
    /// Its present address; unspecified without a lease.
    pub address: Ipv4Addr,
    /// The firmware version that runs.
    pub firmware: &'a str,
    /// What the shard's phones share.
    pub shelf: &'a mut Shelf,
    /// The phone's generator.
    pub rng: &'a mut Rng,
    /// Where effects and events go.
    pub out: &'a mut Outputs,
}

impl Turn<'_> {
    /// Records an event now.
    pub fn event(&mut self, kind: EventKind) {
        self.out.event(self.now, kind);
    }

    /// The moment `policy` (scaled) from now.
    #[must_use]
    pub fn after_policy(&self, policy: Duration) -> Moment {
        self.now + self.shelf.policy(policy)
    }

    /// The moment at which a timer of so many seconds starts another run; none for 0 s, and none
    /// where the run's scale leaves policy times out: such a phone would never rest.
    #[must_use]
    pub fn run_after(&self, seconds: u64) -> Option<Moment> {
        let wait = self.shelf.policy(Duration::from_secs(seconds));
        (!wait.is_zero()).then(|| self.now + wait)
    }

    /// The template variables that every place knows: identity, profile, address.
    #[must_use]
    pub fn vars(&self) -> Vars<'_> {
        Vars {
            mac: self.identity.mac,
            index: self.identity.index,
            model: &self.profile.model,
            vendor: &self.profile.vendor,
            oem: &self.profile.oem,
            firmware: self.firmware,
            serial: Some(&self.profile.serial),
            address: self.address,
            ..Vars::default()
        }
    }
}
