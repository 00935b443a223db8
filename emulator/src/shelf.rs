//! What all phones of one shard share: profiles, interned names, bodies, the host table, and the
//! facts of the run that a phone needs to know.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::bodies::Bodies;
use crate::limits;
use crate::merges::Merges;
use crate::names::{Name, Names};
use crate::profile::Profile;

/// The longest policy time: ten years. A setting may say any number.
const POLICY_MAX: Duration = Duration::from_secs(315_360_000);

/// The shared things of a shard.
#[derive(Debug)]
pub struct Shelf {
    /// The run's profiles; a phone names one by its place.
    pub profiles: Vec<Arc<Profile>>,
    /// Setting keys.
    pub keys: Names,
    /// URLs, file names and versions for events.
    pub urls: Names,
    /// Bodies and the documents parsed from them.
    pub bodies: Bodies,
    /// What came of laying documents over settings trees.
    pub merges: Merges,
    /// Host names of the run: nothing else resolves.
    pub hosts: BTreeMap<String, Ipv4Addr>,
    /// Which ports the attachment gives to phones.
    pub ports: Ports,
    /// Multiplies vendor policy times; 1 is faithful.
    pub time_scale: f64,
}

/// Port numbers as they appear in a phone's own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// `Channel::Sip`
    pub sip: u16,
    /// `Channel::Pnp`
    pub pnp: u16,
    /// TCP: where connection requests are taken (TR-069 §3.2.2); 0 = at the profile's own port.
    pub cwmp: u16,
}

impl Shelf {
    /// A shelf with these profiles, faithful time and no host names.
    #[must_use]
    pub fn new(profiles: Vec<Arc<Profile>>) -> Self {
        Self {
            profiles,
            keys: Names::default(),
            urls: Names::default(),
            bodies: Bodies::new(limits::BODY_CACHE_BYTES_MAX),
            merges: Merges::default(),
            hosts: BTreeMap::new(),
            ports: Ports {
                sip: 5060,
                pnp: 49_152,
                cwmp: 0,
            },
            time_scale: 1.0,
        }
    }

    /// A policy time as this run keeps it.
    #[must_use]
    pub fn policy(&self, time: Duration) -> Duration {
        let scale = if self.time_scale.is_finite() {
            self.time_scale.max(0.0)
        } else {
            1.0
        };
        Duration::try_from_secs_f64(time.as_secs_f64() * scale)
            .map_or(POLICY_MAX, |scaled| scaled.min(POLICY_MAX))
    }

    /// The address of a host name or dotted quad; `None` when the run does not know it.
    #[must_use]
    pub fn resolve(&self, host: &str) -> Option<Ipv4Addr> {
        host.parse()
            .ok()
            .or_else(|| self.hosts.get(host).copied())
            .or_else(|| {
                let lower = host.to_ascii_lowercase();
                self.hosts.get(&lower).copied()
            })
    }

    /// Interns a URL or file name for events; a fixed stand-in once the table is full.
    pub fn url(&mut self, text: &str) -> Name {
        self.urls.intern(text).unwrap_or(Name(u32::MAX))
    }
}
