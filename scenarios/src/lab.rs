//! A lab as its owner writes it down, `lab.toml`: places with a handset each, how each is powered
//! and listened to, the server that they are to meet, and the networks that may be sent to.
//!
//! | module | owns |
//! |---|---|
//! | `read` | a lab from TOML, every fault at once |
//! | `driver` | ways to switch a handset's power |
//! | `network` | networks and ranges of addresses |

use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::Place as Located;

use crate::scenario::{Given, Scenario};

mod driver;
mod network;
mod read;

pub use driver::{
    Action, Call, Cipher, CommandDriver, Digest, Driver, HttpDriver, PersonDriver, Secret,
    SnmpAccess, SnmpDriver, SyncDriver,
};
pub use network::{Addresses, Network};
#[cfg(test)]
pub(crate) use read::read_tree;
pub use read::{PLACES_MAX, read};

/// A lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// Nothing is sent to an address outside of them; at least one.
    pub networks: Vec<Network>,
    /// What the handsets are provisioned by.
    pub subject: LabSubject,
    /// How their power is switched: a name and a driver each.
    pub switches: Vec<Switch>,
    /// The handsets; at least one.
    pub places: Vec<LabPlace>,
}

/// The server that the handsets meet.
#[derive(Debug, Clone)]
pub struct LabSubject {
    /// The interface that leads to the handsets.
    pub interface: String,
    /// Our own address there: what the reference server binds.
    pub address: Ipv4Addr,
    /// The address that handsets know the server by: that of `given`, else `address`.
    pub server: Ipv4Addr,
    /// A real server's endpoints, as `--subject` takes them; what is not given comes from the
    /// reference server.
    pub given: Vec<Given>,
    /// The root directory of the real server's files, where a case's files are put for as long as
    /// it lasts.
    pub directory: Option<String>,
    /// The router that handsets are told of.
    pub router: Option<Ipv4Addr>,
}

/// Something that switches power, and what the file calls it.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// How.
    pub driver: Driver,
    /// Where the file says so.
    pub at: Located,
}

/// Where frames are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capture {
    /// An interface of this machine: the one that leads to the handset, or that of a mirrored port.
    Interface(String),
    /// A program whose standard output is a capture file (pcap or pcapng), without a shell:
    /// `ssh switch tcpdump -U -w - -i eth1`.
    Command(Vec<String>),
    /// A file (or named pipe) that something else writes.
    File(String),
}

/// A place with a handset.
#[derive(Debug, Clone)]
pub struct LabPlace {
    /// Its name.
    pub name: String,
    /// The handset's MAC address.
    pub mac: Mac,
    /// The profile that it is to behave like.
    pub profile: String,
    /// The firmware that it runs; `None` = the profile's.
    pub firmware: Option<String>,
    /// The place of its switch in `Lab::switches`.
    pub power: usize,
    /// The switch's port.
    pub port: Option<String>,
    /// What takes it back to factory settings before a case, in `Lab::switches`.
    pub reset: Option<usize>,
    /// It keeps nothing over a loss of power, so that it need not be reset.
    pub forgets: bool,
    /// Made-up firmware images may be installed on it: it is no real handset, or a spare one.
    pub flashes: bool,
    /// The suites that judge it; `None` = those of the profile's vendor.
    pub suite: Option<String>,
    /// Where it is listened to.
    pub capture: Capture,
    /// Addresses that the reference server leases to it; nobody else gets them.
    pub addresses: Addresses,
    /// How long its power is gone in a cycle.
    pub off: Duration,
    /// Within this time after its power came back something must be heard of it.
    pub link: Duration,
    /// It is taken to be at rest when it was silent for so long: longer than any pause of a boot.
    pub rest: Duration,
    /// How it is provisioned where no case says so: one fleet of this one handset.
    pub scenario: Scenario,
    /// Where the file says so.
    pub at: Located,
}

impl Lab {
    /// Whether something may be sent to an address.
    #[must_use]
    pub fn allows(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    /// The switch of a place, and its driver.
    #[must_use]
    pub fn power(&self, place: &LabPlace) -> Option<&Switch> {
        self.switches.get(place.power)
    }

    /// What resets a place's handset.
    #[must_use]
    pub fn reset(&self, place: &LabPlace) -> Option<&Switch> {
        self.switches.get(place.reset?)
    }

    /// The mask of the network that the reference server is in.
    #[must_use]
    pub fn mask(&self) -> Ipv4Addr {
        let own = self
            .networks
            .iter()
            .filter(|it| it.has(self.subject.address));
        let narrowest = own.max_by_key(|network| network.bits);
        narrowest.map_or(Ipv4Addr::BROADCAST, Network::mask)
    }
}

#[cfg(test)]
mod tests;
