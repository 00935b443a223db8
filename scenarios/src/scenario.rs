//! The schema of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::template::Template;

use crate::load_shape::LoadShape;

mod load;

pub use load::{built_in, read};

/// A run as somebody wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Every random choice of the run comes from it.
    pub seed: u64,
    /// Multiplies vendor policy times; 1 is faithful.
    pub time_scale: f64,
    /// The run ends here at the latest.
    pub deadline: Duration,
    /// When phones are switched on.
    pub load: LoadShape,
    /// What happens to packets on the simulated network.
    pub link: Link,
    /// Extra host names of the run, with the address of the subject where none is given.
    pub hosts: BTreeMap<String, Option<std::net::Ipv4Addr>>,
    /// The phones.
    pub fleets: Vec<Fleet>,
}

impl Scenario {
    /// Shares `phones` among the fleets as they are shared now; a fleet whose share is none is
    /// left out.
    pub fn resize(&mut self, phones: u32) {
        let total: u64 = self
            .fleets
            .iter()
            .map(|fleet| u64::from(fleet.phones))
            .sum();
        let (mut seen, mut given) = (0_u64, 0_u64);
        for fleet in &mut self.fleets {
            seen += u64::from(fleet.phones);
            let upto = (u64::from(phones) * seen).checked_div(total).unwrap_or(0);
            fleet.phones = u32::try_from(upto - given).unwrap_or(u32::MAX);
            given = upto;
        }
        self.fleets.retain(|fleet| fleet.phones > 0);
    }
}

/// Conditions of every link of the simulated network; per mille of datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// Lost.
    pub loss_per_mille: u32,
    /// Delivered twice.
    pub duplicate_per_mille: u32,
    /// Held back behind later ones.
    pub reorder_per_mille: u32,
    /// Least one-way delay.
    pub delay: Duration,
    /// Added at random, up to this.
    pub jitter: Duration,
}

/// Phones that get their configuration the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Its name.
    pub name: String,
    /// How many phones.
    pub phones: u32,
    /// Profiles with their weights in the mix.
    pub profiles: Vec<(String, u32)>,
    /// How phones learn the server's URL.
    pub source: Discovery,
    /// Which protocol the URL names.
    pub transport: Transport,
    /// Directory on the server, without slashes at its ends; empty = the root.
    pub root: String,
    /// Which of the profile's content layouts the server holds.
    pub layout: String,
    /// The firmware that the phones must run in the end; `None` = the one they have.
    pub firmware: Option<String>,
    /// Bytes of a generated firmware image.
    pub firmware_bytes: usize,
    /// Settings of all phones.
    pub common: Vec<(String, Template)>,
    /// Settings in the common file that only these profiles take.
    pub common_for: BTreeMap<String, Vec<(String, Template)>>,
    /// Settings of each phone, with holes for what differs.
    pub own: Vec<(String, Template)>,
    /// Fields of the web page that differ from the profile's defaults.
    pub web: Vec<(Param, String)>,
}

/// How phones learn the server's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// DHCP option 66.
    Dhcp,
    /// SIP PnP.
    Pnp,
    /// Typed in on the web page.
    Fixed,
}

/// Which protocol a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TFTP
    Tftp,
    /// HTTP
    Http,
    /// HTTPS
    Https,
}

impl Transport {
    /// As written in URLs.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tftp => "tftp",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
