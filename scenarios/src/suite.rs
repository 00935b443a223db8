//! Conformance cases as data: suites found by directory, `suites/phone` (how a phone must behave)
//! and `suites/server` (what a server must do so that phones work).
//!
//! | module | owns |
//! |---|---|
//! | `load` | suites from TOML, every fault at once |
//! | `given` | what a case starts from: its scenario and the files it lays over |
//! | `expect` | what a case expects to see |
//! | `probe` | clients that ask what phones never ask |

use bootstorm_emulator::located::Place;

use crate::matcher::Pattern;
pub use crate::mutant::Side;
use crate::scenario::Scenario;
use probe::ProbeStep;

mod expect;
pub(crate) mod given;
mod load;
pub mod probe;

pub use expect::{Compared, Quantity, StateLine, Wanted, WireLine, Within};
pub use given::{GivenFile, Moved};
#[cfg(test)]
pub(crate) use load::read_tree;
pub use load::{built_in, read, read_all, read_built_in, read_knowing};

/// A suite: the cases of one vendor, or of the protocols, about one side.
#[derive(Debug, Clone)]
pub struct Suite {
    /// A vendor's name, or `protocol`; every id begins with it.
    pub name: String,
    /// Whom its cases judge.
    pub side: Side,
    /// Its cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// Whose content a case about a server needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// The tree that `bootstorm content` writes.
    Ours,
    /// An inventory says what each phone must get.
    Inventory,
    /// None in particular.
    Any,
}

impl Content {
    /// Every kind with its word in suites.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Ours, "ours"),
        (Self::Inventory, "inventory"),
        (Self::Any, "any"),
    ];
}

/// What the subject must support for a case to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// DHCP
    Dhcp,
    /// TFTP
    Tftp,
    /// FTP
    Ftp,
    /// HTTP
    Http,
    /// HTTPS
    Https,
    /// SIP: a registrar, check-sync
    Sip,
    /// SIP PnP
    Pnp,
    /// Multicast DNS
    Mdns,
    /// The time
    Ntp,
    /// A vendor's redirect service
    Redirect,
    /// An auto-configuration server
    Acs,
}

impl Need {
    /// Everything with its word in suites.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Dhcp, "dhcp"),
        (Self::Tftp, "tftp"),
        (Self::Ftp, "ftp"),
        (Self::Http, "http"),
        (Self::Https, "https"),
        (Self::Sip, "sip"),
        (Self::Pnp, "pnp"),
        (Self::Mdns, "mdns"),
        (Self::Ntp, "ntp"),
        (Self::Redirect, "redirect"),
        (Self::Acs, "acs"),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(need, _)| *need == self);
        known.map_or("", |(_, word)| word)
    }
}

/// A case: one purpose, executed directly.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its stable id, over all suites: `flyingvoice/first-request-names-common-boot-file`.
    pub id: String,
    /// The suite's name.
    pub suite: String,
    /// Whom it judges.
    pub side: Side,
    /// What it is to show, one sentence without full stop.
    pub purpose: String,
    /// The clauses that it shows; at least one.
    pub clauses: Vec<String>,
    /// What the subject must support.
    pub requires: Vec<Need>,
    /// Whose content it needs; `Ours` for cases about phones.
    pub content: Content,
    /// The profile of its phones; empty where none boots.
    pub profile: String,
    /// It names its profile itself, and says nothing about other models.
    pub of_model: bool,
    /// What is run; `None` where no phone boots.
    pub scenario: Option<Scenario>,
    /// What is put in place of generated files.
    pub files: Vec<GivenFile>,
    /// What the server redirects, in a case about a server.
    pub moved: Vec<Moved>,
    /// Server mutants that are the stimulus of a case about a phone.
    pub server: Vec<String>,
    /// What clients ask that stand in for the phones; empty where phones boot.
    pub probes: Vec<ProbeStep>,
    /// What must be seen on the wire, in this order.
    pub wire: Vec<WireLine>,
    /// What else only a virtual phone can show.
    pub state: Vec<StateLine>,
    /// Mutants on which it must fail; at least one.
    pub caught_by: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

impl Case {
    /// The messages that it speaks of, line by line.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.wire.iter().filter_map(|line| match line {
            WireLine::Again => None,
            WireLine::Wanted(wanted) => Some(&**wanted),
        })
    }

    /// The same case on phones of another profile of the vendor. One that is about a model stays as
    /// it is.
    #[must_use]
    pub fn on(mut self, profile: &str) -> Self {
        if !self.of_model {
            self.profile = profile.to_owned();
            let fleets = self.scenario.iter_mut().flat_map(|it| &mut it.fleets);
            for fleet in fleets {
                fleet.profiles = vec![(profile.to_owned(), 1)];
            }
        }
        self
    }
}

/// Bytes of a file: a text whose holes are filled with the phone's words, or bytes as they are.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// With holes.
    Text(Pattern),
    /// As they are.
    Raw(Vec<u8>),
    /// So many bytes of a text that is repeated.
    Fill {
        /// The text; not empty.
        text: Vec<u8>,
        /// How many bytes.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests;
