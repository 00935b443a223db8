//! The schema of a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::format::sealed::Cipher;
use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::located::Place;
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::profile::{Param, TaskKind};

use crate::inventory::Inventory;
use crate::load_shape::LoadShape;
use crate::threshold::Expected;

mod acs;
mod judged;
mod link;
mod load;
mod pnp;
mod share;
mod source;
mod step;

pub use crate::link::{Link, Stall};
pub use acs::{Acs, AcsAuth, AcsFault, AcsStep, Download, Fetched, Handed};
pub use judged::{Attach, Given};
pub use link::LinkPlaces;
pub(crate) use load::read_tree;
pub use load::{built_in, read};
pub use pnp::{PnpAnswers, PnpHabit, PnpNotify};
pub(crate) use source::names;
pub use source::{CUSTOM_OPTION, Discovery, RedirectAnswer};
pub use step::{Action, CHANGES_MAX, Change, Part, Services, Step, When};

/// When a run ends at the latest, unless the scenario says otherwise.
const DEADLINE: Duration = Duration::from_secs(120);
/// The version that files say they have, unless the scenario says another one (FAN-29).
const FILE_VERSION: &str = "2.0002";

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
    /// The run does not end before, even with all phones at rest: what they do by the clock can be
    /// seen. A real time, never scaled.
    pub lasts: Duration,
    /// The server to judge, where it is not the built-in one; the command line counts before it.
    pub subject: Vec<Given>,
    /// How phones are attached; `None` = it does not say. The command line counts before it.
    pub attach: Option<Attach>,
    /// What is expected of phones and of the whole run.
    pub expected: Expected,
    /// When phones are switched on.
    pub load: LoadShape,
    /// What befalls packets, where a fleet says nothing else.
    pub link: Link,
    /// Where the scenario says so.
    pub link_at: LinkPlaces,
    /// Extra host names of the run, with the address of the subject where none is given.
    pub hosts: BTreeMap<String, Option<std::net::Ipv4Addr>>,
    /// What the HTTPS server wants of phones.
    pub client_certificate: ClientCertificate,
    /// How the time server behaves.
    pub time: TimeService,
    /// How the redirect service answers.
    pub redirect: RedirectAnswer,
    /// How PnP is answered.
    pub pnp: PnpAnswers,
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
    /// A run of one fleet with nothing special: all at once on a network without faults.
    #[must_use]
    pub fn bare(name: &str, fleets: Vec<Fleet>) -> Self {
        Self {
            lasts: Duration::ZERO,
            name: name.to_owned(),
            seed: 1,
            time_scale: 1.0,
            deadline: DEADLINE,
            subject: Vec::new(),
            attach: None,
            expected: Expected::default(),
            load: LoadShape::Storm,
            link: Link::default(),
            link_at: LinkPlaces::default(),
            hosts: BTreeMap::new(),
            client_certificate: ClientCertificate::default(),
            time: TimeService::default(),
            redirect: RedirectAnswer::default(),
            pnp: PnpAnswers::default(),
            fleets,
            steps: Vec::new(),
        }
    }

    /// What befalls the packets of a fleet's phones.
    #[must_use]
    pub fn link_of(&self, fleet: &Fleet) -> Link {
        fleet.link.unwrap_or(self.link)
    }

    /// The first step that changes files which are another server's, without a command for it.
    #[must_use]
    pub fn change_in_vain(&self) -> Option<String> {
        let serves = |given: &Given| {
            let schemes = ["tftp://", "ftp://", "http://", "https://"];
            schemes.iter().any(|scheme| given.text.starts_with(scheme))
        };
        let foreign = self.subject.iter().any(serves);
        let steps = (1..).zip(&self.steps).filter(|_| foreign);
        let mut changes = steps.filter(|(_, step)| step.change.is_some());
        let (number, step) = changes.find(|(_, step)| step.command.is_none())?;
        let place = step.at.as_ref();
        let place = place.map_or_else(String::new, |place| format!("{place}: "));
        Some(format!(
            "{place}step {number} cannot be taken: the files are the subject's (give the step a \
             'command' that changes them)"
        ))
    }

    /// Shares `phones` among the fleets as they are shared now, as far as a fleet has MAC
    /// addresses; a fleet whose share is none is left out.
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
            let share = u32::try_from(upto - given).unwrap_or(u32::MAX);
            fleet.phones = share.min(fleet.phones_max());
            given = upto;
        }
        self.fleets.retain(|fleet| fleet.phones > 0);
        let fleets = &self.fleets;
        let known = |name: &String| fleets.iter().any(|fleet| fleet.name == *name);
        self.load
            .keep_fleets(|name| fleets.iter().any(|fleet| fleet.name == name));
        self.steps
            .retain(|step| step.fleet.as_ref().is_none_or(known));
    }
}

/// Phones that get their configuration the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Its name.
    pub name: String,
    /// How many phones.
    pub phones: u32,
    /// Profiles with their weights in the mix; those of an inventory count before it.
    pub profiles: Vec<(String, u32)>,
    /// The MAC addresses of its phones; `None` = made of the profile's prefix and the index.
    pub macs: Option<Macs>,
    /// Its phones one by one, with what each must hold.
    pub inventory: Option<Arc<Inventory>>,
    /// How phones learn the server's URL.
    pub source: Discovery,
    /// Where the scenario says what; nothing for one that no file was read for.
    pub at: Places,
    /// The DHCP option of `Discovery::DhcpCustom`, 128 to 254 (FAN-65).
    pub option: u8,
    /// The auto-configuration server's dealings with the phones; `None` = it knows them not.
    pub acs: Option<Acs>,
    /// What the HTTP or FTP server asks of them; `None` = nothing.
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
    /// What phones are told behind the directory, the vendor's markers included: `$mac.cfg`; `None`
    /// = what the layout makes of it.
    pub file: Option<String>,
    /// The version that files say they have, where their form has room for one (FAN-30).
    pub file_version: String,
    /// How the server's files are encrypted.
    pub seal: Seal,
    /// What the settings name besides, in this order; models that do not have such a thing go
    /// without (FAN-10, FAN-12, FAN-132, FAN-133).
    pub resources: Vec<Resource>,
    /// By which protocol the firmware comes; `None` = as everything else.
    pub firmware_transport: Option<Transport>,
    /// The user at each phone's display; `None` = nobody is there.
    pub operator: Option<Arc<Operator>>,
    /// What befalls its phones' packets; `None` = what the scenario says for all.
    pub link: Option<Link>,
    /// Bytes that a file of each phone's own settings has at least; comments fill it.
    pub pad_bytes: usize,
}

/// A range of MAC addresses, as many as the fleet has phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Macs {
    /// The first.
    pub first: Mac,
    /// The last that may be used.
    pub last: Mac,
}

impl Macs {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        number_of(self.last).saturating_sub(number_of(self.first)) + 1
    }

    /// The one at this place, from 0.
    #[must_use]
    pub fn at(&self, place: u32) -> Mac {
        mac_of(number_of(self.first).saturating_add(u64::from(place)))
    }

    /// The place of one, from 0.
    #[must_use]
    pub fn place_of(&self, mac: Mac) -> Option<u32> {
        let above = number_of(mac).checked_sub(number_of(self.first))?;
        let place = u32::try_from(above).ok()?;
        (mac <= self.last).then_some(place)
    }
}

/// A MAC address as a number of 48 bits.
pub(crate) fn number_of(mac: Mac) -> u64 {
    mac.0
        .iter()
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The MAC address that a number of 48 bits stands for.
pub(crate) fn mac_of(number: u64) -> Mac {
    let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
    Mac([a, b, c, d, e, f])
}

/// How a fleet's files are encrypted, and what its phones know of it (FAN-42 … FAN-48).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seal {
    /// The key of the phones' own files, 64 hexadecimal digits; empty = they are not encrypted.
    pub device_key: String,
    /// The key of general files.
    pub common_key: String,
    /// The mode, in place of the profile's.
    pub cipher: Option<Cipher>,
}

/// A file that settings name: a phone book, a picture, a certificate …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: TaskKind,
    /// Its suffix, without the dot; `None` = the first that phones take.
    pub suffix: Option<String>,
    /// By which protocol it comes; `None` = as everything else.
    pub transport: Option<Transport>,
    /// Where the scenario says so.
    pub at: Option<Place>,
}

/// Where a scenario says what of a fleet, for faults that only show against the profiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// The fleet itself.
    pub fleet: Option<Place>,
    /// `source`
    pub source: Option<Place>,
    /// `layout`
    pub layout: Option<Place>,
    /// `auth`
    pub auth: Option<Place>,
    /// The key or mode of encrypted files.
    pub seal: Option<Place>,
    /// Each of `profiles`, in its order.
    pub profiles: Vec<Place>,
    /// `link`
    pub link: LinkPlaces,
    /// `pad_bytes`
    pub pad: Option<Place>,
}

impl Fleet {
    /// How many phones it may have: as many as its inventory or its MAC addresses.
    #[must_use]
    pub fn phones_max(&self) -> u32 {
        let rows = self.inventory.as_ref().map(|it| it.rows().len() as u64);
        let most = rows.or(self.macs.map(|macs| macs.count()));
        most.and_then(|most| u32::try_from(most).ok())
            .unwrap_or(u32::MAX)
    }

    /// A fleet of that many phones of one profile, which look for their server by DHCP and fetch
    /// by TFTP, with no setting at all.
    #[must_use]
    pub fn bare(name: &str, profile: &str, phones: u32) -> Self {
        Self {
            name: name.to_owned(),
            phones,
            profiles: vec![(profile.to_owned(), 1)],
            macs: None,
            inventory: None,
            source: Discovery::Dhcp,
            option: CUSTOM_OPTION,
            acs: None,
            at: Places::default(),
            auth: None,
            transport: Transport::Tftp,
            root: String::new(),
            layout: String::new(),
            firmware: None,
            firmware_bytes: 1_024,
            common: Vec::new(),
            common_for: BTreeMap::new(),
            own: Vec::new(),
            web: Vec::new(),
            settings_version: String::new(),
            client_certificate: None,
            file: None,
            file_version: FILE_VERSION.to_owned(),
            seal: Seal::default(),
            resources: Vec::new(),
            firmware_transport: None,
            operator: None,
            link: None,
            pad_bytes: 0,
        }
    }
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

/// What the HTTP or FTP server asks of a fleet, and what its phones have to show.
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

/// A scheme of authentication: HTTP's, or the login of FTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// Basic (RFC 7617).
    Basic,
    /// Digest with MD5 (RFC 7616).
    Digest,
    /// Digest with SHA-256 (RFC 7616).
    DigestSha256,
    /// The login of FTP (RFC 959 §4.1.1).
    Login,
}

impl AuthScheme {
    /// Whether the server of this protocol asks for it.
    #[must_use]
    pub fn is_asked_by(self, transport: Transport) -> bool {
        match transport {
            Transport::Ftp => self == Self::Login,
            Transport::Http | Transport::Https => self != Self::Login,
            Transport::Tftp => false,
        }
    }
}

impl Fleet {
    /// True when any of its files come by this protocol.
    #[must_use]
    pub fn uses(&self, transport: Transport) -> bool {
        let firmware = self.firmware_transport.filter(|_| self.firmware.is_some());
        let resources = self.resources.iter().filter_map(|it| it.transport);
        self.transport == transport
            || firmware
                .into_iter()
                .chain(resources)
                .any(|it| it == transport)
    }
}

/// Where a phone has its credentials from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// Fields of the web page.
    Web,
    /// The URL that it was given: `http://user:password@…`.
    Url,
    /// Its user, who is asked for them (FAN-52).
    Prompt,
}

/// Which protocol a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TFTP
    Tftp,
    /// FTP
    Ftp,
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
            Self::Ftp => "ftp",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
