//! A scenario made definite: every phone with its MAC, profile, start, and what the server must
//! know about it. Nothing is stored per phone: a million phones cost no more than their fleets.

mod acs;
mod found;
mod linked;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::{Identity, Mac};
use bootstorm_emulator::located::{Place, nearest};
use bootstorm_emulator::profile::keys::Meaning;
use bootstorm_emulator::profile::set::{ProfileSet, UnknownProfile};
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{ContentKind, Param, Profile, Scope};

use crate::scenario::{Credentials, Discovery, Fleet, Scenario, Transport};

pub use acs::{ACS_PATH, Ordered};
pub use found::{Login, Redirected};
pub use linked::LinkedFile;

/// Phones in one plan at most: MAC addresses have 24 free bits.
pub const PHONES_MAX: u32 = 1 << 24;

/// A definite plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it was made of.
    pub scenario: Scenario,
    /// Every profile in use, in order of first use.
    pub profiles: Vec<Arc<Profile>>,
    /// The provisioning server's address as phones see it.
    pub server: Ipv4Addr,
    /// The URL of the auto-configuration server where it is not at `ACS_PATH` of `server`.
    pub acs_elsewhere: Option<String>,
    fleets: Vec<FleetPlan>,
    phones: u32,
}

#[derive(Debug, Clone)]
struct FleetPlan {
    first: u32,
    /// Profile indices, repeated by weight.
    mix: Vec<u16>,
}

/// One phone of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhonePlan {
    /// Who it is.
    pub identity: Identity,
    /// Its place in `Plan::profiles`.
    pub profile: u16,
    /// Its place in `Scenario::fleets`.
    pub fleet: usize,
    /// When it is switched on.
    pub start: Duration,
}

/// Why a scenario cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// A profile that nobody knows.
    #[error("{place}fleet {fleet}: {fault}")]
    Profile {
        /// Where the scenario names it, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// Which profile, and the nearest known one.
        fault: UnknownProfile,
    },
    /// A layout that the profile's content does not have.
    #[error(
        "{place}fleet {fleet}: profile {profile} has no content layout \"{layout}\"{hint} \
         (it has {known})"
    )]
    Layout {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The layout asked for.
        layout: String,
        /// The nearest one there is, as a question.
        hint: String,
        /// The layouts there are.
        known: String,
    },
    /// A way of finding the server that the profile does not have.
    #[error(
        "{place}fleet {fleet}: phones of {profile} do not look for a server by \"{word}\" \
         (expected one of {known})"
    )]
    Source {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The way asked for.
        word: &'static str,
        /// The ways there are.
        known: String,
    },
    /// A fleet that asks for credentials where another fleet's files are.
    #[error(
        "{place}fleet {fleet}: 'auth' would also hold for the files of fleet {other} (give each a \
         root of its own)"
    )]
    AuthShared {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The other fleet's name.
        other: String,
    },
    /// A fleet with authentication whose phones have nothing to show.
    #[error(
        "{place}fleet {fleet}: phones of {profile} have no user name of their own (give 'user' \
         and 'password')"
    )]
    NoLogin {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
    },
    /// Encrypted files for phones that read none.
    #[error("{place}fleet {fleet}: phones of {profile} read no encrypted files")]
    NoSeal {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
    },
    /// A resource that no model of the fleet has.
    #[error("{place}fleet {fleet}: none of its models takes a resource of kind \"{kind}\"{known}")]
    NoResource {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The kind.
        kind: &'static str,
        /// The kinds that they take.
        known: String,
    },
    /// A resource with a suffix that phones refuse.
    #[error(
        "{place}fleet {fleet}: phones of {profile} refuse a {kind} with suffix \"{suffix}\" \
         (expected one of {known})"
    )]
    Suffix {
        /// Where the scenario says so, with `: ` at its end.
        place: String,
        /// The fleet's name.
        fleet: String,
        /// The profile.
        profile: String,
        /// The kind.
        kind: &'static str,
        /// The suffix asked for.
        suffix: String,
        /// Those that they take.
        known: String,
    },
    /// More phones than MAC addresses.
    #[error("{phones} phones are more than the {PHONES_MAX} that fit one run")]
    TooMany {
        /// How many were asked for.
        phones: u64,
    },
    /// No phone at all.
    #[error("the scenario has no phone")]
    Empty,
}

impl Plan {
    /// Makes a scenario definite for a server at `server`.
    ///
    /// # Errors
    /// Every fault of the scenario that only shows against the profiles.
    pub fn new(
        scenario: Scenario,
        set: &ProfileSet,
        server: Ipv4Addr,
    ) -> Result<Self, Vec<PlanFault>> {
        let mut faults = Vec::new();
        let mut profiles: Vec<Arc<Profile>> = Vec::new();
        let mut fleets = Vec::new();
        let mut first = 0_u64;
        for fleet in &scenario.fleets {
            let mut mix = Vec::new();
            for (at, (name, weight)) in fleet.profiles.iter().enumerate() {
                match set.get(name) {
                    Ok(profile) => {
                        faults.extend(layout_fault(fleet, &profile));
                        faults.extend(source_fault(fleet, &profile));
                        faults.extend(login_fault(fleet, &profile));
                        faults.extend(linked::faults_of_model(fleet, &profile));
                        let profile = linked::with_cipher(profile, fleet);
                        let place = place_of(&mut profiles, profile);
                        mix.extend(std::iter::repeat_n(place, *weight as usize));
                    }
                    Err(fault) => {
                        faults.push(PlanFault::Profile {
                            place: said(fleet.at.profiles.get(at)),
                            fleet: fleet.name.clone(),
                            fault,
                        });
                    }
                }
            }
            faults.extend(linked::faults_of_fleet(fleet, set));
            fleets.push(FleetPlan {
                first: u32::try_from(first).unwrap_or(u32::MAX),
                mix,
            });
            first += u64::from(fleet.phones);
        }
        faults.extend(auth_faults(&scenario.fleets));
        match first {
            0 => faults.push(PlanFault::Empty),
            phones if phones > u64::from(PHONES_MAX) => faults.push(PlanFault::TooMany { phones }),
            _ => {}
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let phones = u32::try_from(first).unwrap_or(PHONES_MAX);
        Ok(Self {
            scenario,
            profiles,
            server,
            acs_elsewhere: None,
            fleets,
            phones,
        })
    }

    /// How many phones.
    #[must_use]
    pub fn phones(&self) -> u32 {
        self.phones
    }

    /// One phone; `None` beyond the plan.
    #[must_use]
    pub fn phone(&self, index: u32) -> Option<PhonePlan> {
        if index >= self.phones {
            return None;
        }
        let fleet = self
            .fleets
            .partition_point(|fleet| fleet.first <= index)
            .checked_sub(1)?;
        let planned = self.fleets.get(fleet)?;
        let within = index - planned.first;
        let length = u32::try_from(planned.mix.len()).ok()?;
        let profile = *planned.mix.get(within.checked_rem(length)? as usize)?;
        let oui = self
            .profiles
            .get(usize::from(profile))?
            .ouis
            .first()
            .copied()?;
        let mac = Mac::from_oui(oui, index);
        let identity = Identity {
            mac,
            index,
            run_seed: self.scenario.seed,
        };
        Some(PhonePlan {
            identity,
            profile,
            fleet,
            start: self.scenario.load.start_of(index),
        })
    }

    /// The phones of a fleet: first index and one past the last.
    #[must_use]
    pub fn fleet_range(&self, fleet: usize) -> std::ops::Range<u32> {
        let first = self.fleets.get(fleet).map_or(0, |fleet| fleet.first);
        let count = self
            .scenario
            .fleets
            .get(fleet)
            .map_or(0, |fleet| fleet.phones);
        first..first + count
    }

    /// The phone with this MAC.
    #[must_use]
    pub fn phone_with(&self, mac: Mac) -> Option<PhonePlan> {
        let [_, _, _, a, b, c] = mac.0;
        let phone = self.phone(u32::from_be_bytes([0, a, b, c]))?;
        (phone.identity.mac == mac).then_some(phone)
    }

    /// The profile of a phone.
    #[must_use]
    pub fn profile(&self, phone: &PhonePlan) -> Option<&Arc<Profile>> {
        self.profiles.get(usize::from(phone.profile))
    }

    /// The fleet of a phone.
    #[must_use]
    pub fn fleet(&self, phone: &PhonePlan) -> Option<&Fleet> {
        self.scenario.fleets.get(phone.fleet)
    }

    /// The URL of a fleet's directory, with a `/` at its end.
    #[must_use]
    pub fn directory_url(&self, fleet: &Fleet) -> String {
        self.directory_url_by(fleet, fleet.transport)
    }

    /// The same by another protocol.
    fn directory_url_by(&self, fleet: &Fleet, transport: Transport) -> String {
        let scheme = transport.scheme();
        match fleet.root.as_str() {
            "" => format!("{scheme}://{}/", self.server),
            root => format!("{scheme}://{}/{root}/", self.server),
        }
    }

    /// What can be said about a phone in a template of the scenario or of content.
    #[must_use]
    pub fn vars<'a>(&'a self, phone: &PhonePlan) -> Vars<'a> {
        let profile = self.profile(phone).map(AsRef::as_ref);
        let version = self
            .fleet(phone)
            .and_then(|fleet| fleet.firmware.as_deref());
        Vars {
            mac: phone.identity.mac,
            index: phone.identity.index,
            model: profile.map_or("", |profile| profile.model.as_str()),
            vendor: profile.map_or("", |profile| profile.vendor.as_str()),
            oem: profile.map_or("", |profile| profile.oem.as_str()),
            firmware: profile.map_or("", |profile| profile.firmware.as_str()),
            address: self.server,
            version: version.unwrap_or_default(),
            ..Vars::default()
        }
    }

    /// A template with its holes filled for a phone.
    #[must_use]
    pub fn filled(&self, phone: &PhonePlan, template: &Template) -> String {
        template.text(&self.vars(phone))
    }

    /// File name of the firmware image of a phone's model, where the fleet has new firmware.
    #[must_use]
    pub fn image_name(&self, phone: &PhonePlan) -> Option<String> {
        self.fleet(phone)?.firmware.as_ref()?;
        let rule = &self.profile(phone)?.firmware_rule;
        Some(rule.image_name.text(&self.vars(phone)))
    }

    /// Path of that image below the fleet's root.
    #[must_use]
    pub fn image_path(&self, phone: &PhonePlan) -> Option<String> {
        let fleet = self.fleet(phone)?;
        fleet.firmware.as_ref()?;
        let profile = self.profile(phone)?;
        if linked::takes_firmware(profile) {
            return self.image_name(phone);
        }
        let mut files = profile.content.iter();
        let image = files
            .find(|file| file.layout == fleet.layout && file.holds == ContentKind::Firmware)?;
        Some(image.path.text(&self.vars(phone)))
    }

    /// The common name of a phone's factory certificate, where it has one: the fleet's, else the
    /// profile's.
    #[must_use]
    pub fn certificate_name(&self, phone: &PhonePlan) -> Option<String> {
        let given = self.fleet(phone)?.client_certificate.as_ref();
        let name = given.or(self.profile(phone)?.http.client_certificate.as_ref())?;
        Some(name.text(&self.vars(phone)))
    }

    /// The settings of a fleet's common file.
    #[must_use]
    pub fn fleet_settings(&self, phone: &PhonePlan) -> Vec<(String, String)> {
        let vars = self.vars(phone);
        let settings = self.fleet_templates(phone, false).into_iter();
        settings
            .map(|(key, value)| (key, value.text(&vars)))
            .collect()
    }

    /// The same with their holes still open; with `only_taken` those that the phone's model takes.
    #[must_use]
    pub fn fleet_templates(&self, phone: &PhonePlan, only_taken: bool) -> Vec<(String, Template)> {
        let (Some(fleet), Some(profile)) = (self.fleet(phone), self.profile(phone)) else {
            return Vec::new();
        };
        let special = fleet.common_for.iter();
        let taken = special.filter(|(name, _)| !only_taken || **name == profile.name);
        let all = fleet.common.iter();
        let all = all.chain(taken.flat_map(|(_, settings)| settings)).cloned();
        let links = self.links_in(phone, Scope::Common);
        all.chain(links).collect()
    }

    /// The phone's own settings, firmware URL included.
    #[must_use]
    pub fn own_settings(&self, phone: &PhonePlan) -> Vec<(String, String)> {
        let vars = self.vars(phone);
        let text = |(key, value): (&String, &Template)| (key.clone(), value.text(&vars));
        let own = self.fleet(phone).map_or(&[][..], |fleet| &fleet.own);
        let own = own.iter().map(|(key, value)| text((key, value)));
        let firmware = self.firmware_template(phone);
        let links = self.links_in(phone, Scope::Own);
        let linked = firmware.iter().chain(&links);
        let linked = linked.map(|(key, value)| text((key, value)));
        own.chain(linked).collect()
    }

    /// The phone's own settings with their holes still open.
    #[must_use]
    pub fn own_templates(&self, phone: &PhonePlan) -> Vec<(String, Template)> {
        let mut settings = self
            .fleet(phone)
            .map_or_else(Vec::new, |fleet| fleet.own.clone());
        settings.extend(self.firmware_template(phone));
        settings.extend(self.links_in(phone, Scope::Own));
        settings.extend(self.version_template(phone));
        settings
    }

    /// The setting in which phones keep the version of their settings (GIG-37), where the layout
    /// gives one. No file holds it.
    fn version_template(&self, phone: &PhonePlan) -> Option<(String, Template)> {
        let (fleet, profile) = (self.fleet(phone)?, self.profile(phone)?);
        let mut files = profile.content.iter();
        files.find(|file| file.layout == fleet.layout && file.gives_settings_version())?;
        let spec = profile.params.get(Param::SettingsVersion as usize)?;
        let version = Template::parse(&fleet.settings_version).ok()?;
        Some((spec.keys.first()?.clone(), version))
    }

    /// The setting that names the firmware's URL, where the fleet has new firmware.
    fn firmware_template(&self, phone: &PhonePlan) -> Option<(String, Template)> {
        let path = self.image_path(phone)?;
        if linked::takes_firmware(self.profile(phone)?) {
            // One of its tasks: `linked_files`.
            return None;
        }
        let (fleet, profile) = (self.fleet(phone)?, self.profile(phone)?);
        let mut rules = profile.keys.rules.iter();
        let rule = rules.find(|rule| rule.meaning == Meaning::Firmware)?;
        let url = self.url_with_login(phone, fleet.transport, &path);
        Some((rule.pattern.clone(), url))
    }
}

/// A place as messages begin with it.
fn said(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}

fn place_of(profiles: &mut Vec<Arc<Profile>>, profile: Arc<Profile>) -> u16 {
    let same = |held: &Arc<Profile>| held.name == profile.name && held.cipher == profile.cipher;
    let known = profiles.iter().position(same);
    let place = known.unwrap_or_else(|| {
        profiles.push(profile);
        profiles.len() - 1
    });
    u16::try_from(place).unwrap_or(u16::MAX)
}

fn layout_fault(fleet: &Fleet, profile: &Profile) -> Option<PlanFault> {
    if profile
        .content
        .iter()
        .any(|file| file.layout == fleet.layout)
    {
        return None;
    }
    let mut known: Vec<_> = profile
        .content
        .iter()
        .map(|file| file.layout.as_str())
        .collect();
    known.dedup();
    let hint = nearest(&fleet.layout, known.iter().copied());
    Some(PlanFault::Layout {
        place: said(fleet.at.layout.as_ref()),
        hint: hint.map_or_else(String::new, |word| format!(", did you mean \"{word}\"?")),
        fleet: fleet.name.clone(),
        profile: profile.name.clone(),
        layout: fleet.layout.clone(),
        known: known.join(", "),
    })
}

fn source_fault(fleet: &Fleet, profile: &Profile) -> Option<PlanFault> {
    if fleet.source.is_had_by(profile) {
        return None;
    }
    let known: Vec<_> = Discovery::of(profile).map(Discovery::word).collect();
    Some(PlanFault::Source {
        place: said(fleet.at.source.as_ref()),
        fleet: fleet.name.clone(),
        profile: profile.name.clone(),
        word: fleet.source.word(),
        known: known.join(", "),
    })
}

fn login_fault(fleet: &Fleet, profile: &Profile) -> Option<PlanFault> {
    let auth = fleet.auth.as_ref()?;
    if auth.held == Credentials::Prompt {
        return None;
    }
    let spec = profile.params.get(Param::Username as usize);
    let own = spec.is_some_and(|spec| !spec.default.source().is_empty());
    let typed = fleet.web.iter().any(|(param, _)| *param == Param::Username);
    (auth.user.is_none() && !own && !typed).then(|| PlanFault::NoLogin {
        place: said(fleet.at.auth.as_ref()),
        fleet: fleet.name.clone(),
        profile: profile.name.clone(),
    })
}

/// Fleets whose files would be closed by another fleet's authentication.
fn auth_faults(fleets: &[Fleet]) -> Vec<PlanFault> {
    let mut faults = Vec::new();
    for fleet in fleets.iter().filter(|fleet| fleet.auth.is_some()) {
        let others = fleets.iter().filter(|other| other.name != fleet.name);
        for other in others.filter(|other| !fleet.is_apart_from(other)) {
            faults.push(PlanFault::AuthShared {
                place: said(fleet.at.auth.as_ref()),
                fleet: fleet.name.clone(),
                other: other.name.clone(),
            });
        }
    }
    faults
}
