//! The schema of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_emulator::located::Place;
use bootstorm_emulator::profile::Param;
use bootstorm_emulator::profile::template::Template;

use crate::load_shape::LoadShape;

mod load;
mod source;
mod step;

pub use load::{built_in, read};
pub use source::{Discovery, RedirectAnswer};
pub use step::{Action, Step, When};

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
    /// What the HTTPS server wants of phones.
    pub client_certificate: ClientCertificate,
    /// How the time server behaves.
    pub time: TimeService,
    /// How the redirect service answers.
    pub redirect: RedirectAnswer,
    /// The phones.
    pub fleets: Vec<Fleet>,
    /// What is done to them while the run goes on, in this order.
    pub steps: Vec<Step>,
}

/// The run's time server. Both times are real ones: never scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeService {
    /// It does not answer before this, from the beginning of the run.
    pub silent: Duration,
    /// It says until this that its own clock is not set, from the beginning of the run.
    pub unsynchronised: Duration,
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
        let fleets = &self.fleets;
        let known = |name: &String| fleets.iter().any(|fleet| fleet.name == *name);
        self.steps
            .retain(|step| step.fleet.as_ref().is_none_or(known));
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
    /// Where the scenario says so; none for one that no file was read for.
    pub source_at: Option<Place>,
    /// What the HTTP server asks of them; `None` = nothing.
    pub auth: Option<Auth>,
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
    /// The version of their settings, where documents give one (GIG-22): phones that hold this
    /// version leave them alone.
    pub settings_version: String,
    /// The common name of the factory certificates, in place of the profile's.
    pub client_certificate: Option<Template>,
}

/// What an HTTPS server wants of its clients. A certificate that it gets must be one of the
/// factory's, whether it was required or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    /// It asks for none.
    #[default]
    None,
    /// It asks for one and serves those who have none.
    Request,
    /// It refuses those who have none.
    Require,
}

/// What the HTTP server asks of a fleet, and what its phones have to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The scheme that the server demands.
    pub scheme: AuthScheme,
    /// Where the phones have user name and password from.
    pub held: Credentials,
    /// The user name; `None` = what the web page says out of the box.
    pub user: Option<Template>,
    /// The password; `None` = what the web page says out of the box.
    pub password: Option<Template>,
}

/// A scheme of HTTP authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// Basic (RFC 7617).
    Basic,
    /// Digest with MD5 (RFC 7616).
    Digest,
    /// Digest with SHA-256 (RFC 7616).
    DigestSha256,
}

/// Where a phone has its HTTP credentials from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// Fields of the web page.
    Web,
    /// The URL that it was given: `http://user:password@…`.
    Url,
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
