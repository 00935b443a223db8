//! What is done to phones while a run goes on.

use std::time::Duration;

use bootstorm_emulator::located::{Reader, nearest};

use super::Fleet;

/// Something done to phones while a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When; never before the steps above it.
    pub when: When,
    /// What.
    pub action: Action,
    /// The fleet that it is for; `None` = all.
    pub fleet: Option<String>,
}

/// When a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Once all phones of the run are at rest, and those of the step before have answered.
    Settled,
    /// So long after the beginning of the run; a real time, never scaled.
    At(Duration),
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Sends check-sync from the subject's SIP address (FLY-99, AUE-22).
    CheckSync {
        /// The parameter `reboot`; without it the event stands alone.
        reboot: Option<bool>,
    },
    /// The auto-configuration server asks phones to begin a session (TR-069 §3.2.2).
    ConnectionRequest,
    /// The NOTIFYs leave that PnP phones have not had yet (FAN-104): `PnpNotify::Ordered`.
    PnpNotify,
}

/// Reads a `[[step]]`.
pub(super) fn step(table: &Reader<'_>, fleets: &[Fleet], deadline: Duration) -> Step {
    let (after, at) = (table.may("after"), table.may("at_s"));
    let when = match (after.is_given(), at.duration()) {
        (true, Some(_)) => {
            at.fault("a step has 'after' or 'at_s', not both");
            When::Settled
        }
        (false, Some(given)) => {
            if given >= deadline {
                at.fault(format!(
                    "'{}' is not before the run's deadline of {} s",
                    at.name(),
                    deadline.as_secs_f64()
                ));
            }
            When::At(given)
        }
        (false, None) if !at.is_given() => {
            table.fault("a step needs 'after' or 'at_s' (expected after = \"settled\")");
            When::Settled
        }
        (false, None) => When::Settled,
        (true, None) => table
            .need("after")
            .word(&[(When::Settled, "settled")])
            .unwrap_or(When::Settled),
    };
    let slot = table.may("reboot");
    let reboot = slot.switch();
    let action = table.need("do").word(&[
        (Action::CheckSync { reboot }, "check-sync"),
        (Action::ConnectionRequest, "connection-request"),
        (Action::PnpNotify, "pnp-notify"),
    ]);
    if slot.is_given() && !matches!(action, None | Some(Action::CheckSync { .. })) {
        slot.fault(format!("'{}' goes with \"check-sync\" only", slot.name()));
    }
    let slot = table.may("fleet");
    let fleet = slot.text().map(str::to_owned);
    let names = fleets.iter().map(|fleet| fleet.name.as_str());
    if let Some(name) = &fleet
        && !names.clone().any(|known| known == name)
    {
        let hint = nearest(name, names)
            .map_or_else(String::new, |word| format!(" (did you mean \"{word}\"?)"));
        slot.fault(format!("no fleet is called \"{name}\"{hint}"));
    }
    Step {
        when,
        action: action.unwrap_or(Action::CheckSync { reboot }),
        fleet,
    }
}
