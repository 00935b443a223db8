//! The power of a handset: switched, cycled, taken back to factory settings. What goes wrong here
//! is the bench's fault, never the handset's.
//!
//! | module | owns |
//! |---|---|
//! | `snmp` | switches that power their ports (RFC 3621) |
//! | `http` | power strips, switches and handsets with an HTTP interface |
//! | `command` | programs |
//! | `sync` | check-sync with reboot |
//! | `person` | somebody at the terminal |
//! | `secret` | passwords from the environment and from files |

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::identity::Mac;
use bootstorm_scenarios::lab::{Action, Driver, Lab, LabPlace, Network, Switch};

mod command;
mod http;
mod person;
mod secret;
mod snmp;
mod sync;

pub use person::{Asking, Terminal};

/// How often it is looked whether the user ended the run.
const NAP: Duration = Duration::from_millis(50);

/// Why power could not be switched: a fault of the bench.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PowerFault {
    /// The lab file gives the place no such switch, or that cannot do it.
    #[error("power '{switch}' of place {place} has no {action}")]
    Unable {
        /// The switch.
        switch: String,
        /// The place.
        place: String,
        /// What was asked of it.
        action: &'static str,
    },
    /// A password is not where the lab file says.
    #[error("power '{switch}' has no secret: {why}")]
    Secret {
        /// The switch.
        switch: String,
        /// What is missing, and what to do.
        why: String,
    },
    /// The address is in none of the lab's networks.
    #[error("power '{switch}' is at {address}, outside the lab's networks; nothing was sent")]
    Outside {
        /// The switch.
        switch: String,
        /// Where it is.
        address: Ipv4Addr,
    },
    /// Nothing is known of the handset's address.
    #[error("power '{switch}' speaks to the handset of place {place}, whose address is not known")]
    NoAddress {
        /// The switch.
        switch: String,
        /// The place.
        place: String,
    },
    /// No answer in time.
    #[error("power '{switch}' did not answer {what} at {at} within {} s", within.as_secs_f64())]
    Silent {
        /// The switch.
        switch: String,
        /// What was asked.
        what: String,
        /// Where.
        at: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// It answered that it does not do it.
    #[error("power '{switch}' refused {what}: {why}")]
    Refused {
        /// The switch.
        switch: String,
        /// What was asked.
        what: String,
        /// What it said.
        why: String,
    },
    /// It said yes, but it did not happen.
    #[error("power '{switch}' took {what}, but {why}")]
    NotDone {
        /// The switch.
        switch: String,
        /// What was asked.
        what: String,
        /// What it is like instead.
        why: String,
    },
    /// Nobody is at a terminal.
    #[error("power '{switch}' is a person, and there is no terminal to ask them on")]
    NoTerminal {
        /// The switch.
        switch: String,
    },
    /// The user ended the run meanwhile.
    #[error("the run was ended while power was switched")]
    Ended,
}

/// A handset's power: a driver, and what it must know of the place.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// What the lab file calls the switch.
    pub switch: String,
    driver: Driver,
    /// What the lab file calls the place.
    pub place: String,
    mac: Mac,
    port: String,
    /// The handset's address, where it is known.
    pub address: Option<Ipv4Addr>,
    off: Duration,
    networks: Vec<Network>,
    own: Ipv4Addr,
}

/// What a driver works with: the outlet, and who may end it.
#[derive(Clone, Copy)]
struct Job<'a> {
    outlet: &'a Outlet,
    action: Action,
    stop: &'a AtomicBool,
    asking: &'a dyn Asking,
}

impl Outlet {
    /// The power of a place as the lab file has it.
    #[must_use]
    pub fn of(lab: &Lab, place: &LabPlace) -> Option<Self> {
        lab.power(place).map(|switch| Self::new(lab, place, switch))
    }

    /// What resets the handset of a place, where there is something.
    #[must_use]
    pub fn of_reset(lab: &Lab, place: &LabPlace) -> Option<Self> {
        lab.reset(place).map(|switch| Self::new(lab, place, switch))
    }

    fn new(lab: &Lab, place: &LabPlace, switch: &Switch) -> Self {
        Self {
            switch: switch.name.clone(),
            driver: switch.driver.clone(),
            place: place.name.clone(),
            mac: place.mac,
            port: place.port.clone().unwrap_or_default(),
            address: place.addresses.only(),
            off: place.off,
            networks: lab.networks.clone(),
            own: lab.subject.address,
        }
    }

    /// Whether power can be taken away and given by two orders: otherwise it is never off for long.
    #[must_use]
    pub fn has_off(&self) -> bool {
        self.driver.can(Action::On) && self.driver.can(Action::Off)
    }

    /// Does it; a cycle only where the driver has one of its own. Returns what is worth knowing of
    /// it, in words; nothing if nothing is.
    ///
    /// # Errors
    /// `PowerFault`.
    pub fn act(
        &self,
        action: Action,
        stop: &AtomicBool,
        asking: &dyn Asking,
    ) -> Result<String, PowerFault> {
        if !self.driver.can(action) {
            return Err(self.unable(action));
        }
        let job = Job {
            outlet: self,
            action,
            stop,
            asking,
        };
        match &self.driver {
            Driver::Snmp(driver) => snmp::act(driver, job),
            Driver::Http(driver) => http::act(driver, job),
            Driver::Command(driver) => command::act(driver, job),
            Driver::CheckSync(driver) => sync::act(driver, job),
            Driver::Person(driver) => person::act(driver, job),
        }
    }

    /// The text with its holes filled; `secret` where the text may hold one.
    fn filled(&self, text: &str, secret: Option<&str>) -> String {
        let mac = self.mac.to_string();
        let digits: Vec<&str> = (0..mac.len())
            .step_by(2)
            .filter_map(|at| mac.get(at..at + 2))
            .collect();
        let address = self.address.map(|it| it.to_string()).unwrap_or_default();
        let holes = [
            ("{port}", self.port.as_str()),
            ("{mac}", &mac),
            ("{mac:colon}", &digits.join(":")),
            ("{place}", &self.place),
            ("{address}", &address),
            ("{secret}", secret.unwrap_or_default()),
        ];
        let mut filled = String::new();
        let mut rest = text;
        // One pass: what fills a hole is not looked at again.
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let hole = holes.iter().find(|(hole, _)| from.starts_with(hole));
            let (taken, value) = hole.map_or((1, "{"), |(hole, value)| (hole.len(), *value));
            filled.push_str(value);
            rest = from.get(taken..).unwrap_or_default();
        }
        filled + rest
    }

    /// The handset's address, if it may be sent to.
    fn handset(&self) -> Result<Ipv4Addr, PowerFault> {
        let address = self.address.ok_or_else(|| PowerFault::NoAddress {
            switch: self.switch.clone(),
            place: self.place.clone(),
        })?;
        self.allowed(address)?;
        Ok(address)
    }

    fn allowed(&self, address: Ipv4Addr) -> Result<(), PowerFault> {
        match self.networks.iter().any(|network| network.has(address)) {
            true => Ok(()),
            false => Err(PowerFault::Outside {
                switch: self.switch.clone(),
                address,
            }),
        }
    }

    fn unable(&self, action: Action) -> PowerFault {
        PowerFault::Unable {
            switch: self.switch.clone(),
            place: self.place.clone(),
            action: action.word(),
        }
    }

    fn refused(&self, what: impl Into<String>, why: impl Into<String>) -> PowerFault {
        PowerFault::Refused {
            switch: self.switch.clone(),
            what: what.into(),
            why: why.into(),
        }
    }
}

/// Waits so long, unless the user ends the run.
fn waited(time: Duration, stop: &AtomicBool) -> Result<(), PowerFault> {
    let until = Instant::now() + time;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(PowerFault::Ended);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}

#[cfg(test)]
mod tests;
