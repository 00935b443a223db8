//! A scenario made definite: every phone with its MAC, profile, start, and what the server must
//! know about it. Nothing is stored per phone: a million phones cost no more than their fleets.

mod acs;
mod change;
mod fault;
mod found;
mod link;
mod linked;
mod roster;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bootstorm_emulator::identity::{Identity, Mac};
use bootstorm_emulator::located::{Place, nearest};
use bootstorm_emulator::profile::keys::Meaning;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{ContentFile, ContentKind, Param, Profile, Scope};

use crate::load_shape::{LoadShape, Schedule, Seat};
use crate::scenario::{Credentials, Discovery, Fleet, Scenario, Transport};

pub use acs::{ACS_PATH, Ordered};
pub use fault::PlanFault;
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
    /// Where the host names of redirect services lead, when not to the server.
    pub redirect_elsewhere: Option<Ipv4Addr>,
    fleets: Vec<FleetPlan>,
    schedule: Schedule,
    phones: u32,
    /// The plan after each change of the server's files.
    later: Vec<Arc<Plan>>,
    /// How many of those changes have come.
    stage: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
struct FleetPlan {
    first: u32,
    /// Profile indices, repeated by weight.
    mix: Vec<u16>,
    /// Profile indices of the inventory's phones, where that names them.
    rows: Vec<u16>,
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
                        faults.extend(faults_of_model(fleet, &profile));
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
            let rows = roster::profiles_of_rows(fleet, set, &mix, &mut profiles, &mut faults);
            fleets.push(FleetPlan {
                first: u32::try_from(first).unwrap_or(u32::MAX),
                mix,
                rows,
            });
            first += u64::from(fleet.phones);
        }
        faults.extend(auth_faults(&scenario.fleets));
        faults.extend(link::faults(&scenario, &profiles));
        match first {
            0 => faults.push(PlanFault::Empty),
            phones if phones > u64::from(PHONES_MAX) => faults.push(PlanFault::TooMany { phones }),
            _ => {}
        }
        if faults.is_empty() {
            faults.extend(roster::overlaps(&scenario.fleets, &fleets, &profiles));
            faults.extend(roster::unknown_stages(&scenario, &profiles));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let phones = u32::try_from(first).unwrap_or(PHONES_MAX);
        let sizes = scenario.fleets.iter();
        let sizes: Vec<_> = sizes.map(|it| (it.name.as_str(), it.phones)).collect();
        let schedule = Schedule::new(&scenario.load, scenario.seed, &sizes);
        let plan = Self {
            later: Vec::new(),
            stage: Arc::default(),
            schedule,
            scenario,
            profiles,
            server,
            acs_elsewhere: None,
            redirect_elsewhere: None,
            fleets,
            phones,
        };
        Ok(plan.with_changes())
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
        let profile = planned.profile(within)?;
        let oui = || {
            self.profiles
                .get(usize::from(profile))?
                .ouis
                .first()
                .copied()
        };
        let mac = match self
            .scenario
            .fleets
            .get(fleet)
            .and_then(|it| it.mac(within))
        {
            Some(mac) => mac,
            None => Mac::from_oui(oui()?, index),
        };
        let identity = Identity {
            mac,
            index,
            run_seed: self.scenario.seed,
        };
        Some(PhonePlan {
            identity,
            profile,
            fleet,
            start: self.schedule.start_of(Seat {
                index,
                fleet,
                within,
            }),
        })
    }

    /// Switches all phones on at once, whatever the scenario says.
    pub fn start_at_once(&mut self) {
        self.scenario.load = LoadShape::Storm;
        self.schedule = Schedule::new(&self.scenario.load, self.scenario.seed, &[]);
    }

    /// When the last phone is switched on.
    #[must_use]
    pub fn last_start(&self) -> Duration {
        let last = self.phones.saturating_sub(1);
        let first = if self.schedule.is_in_order() { last } else { 0 };
        let starts = (first..self.phones).filter_map(|index| Some(self.phone(index)?.start));
        starts.max().unwrap_or_default()
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
        let made = self.phone(u32::from_be_bytes([0, a, b, c]));
        let made = made.filter(|phone| phone.identity.mac == mac);
        made.or_else(|| self.phone(self.given_index(mac)?))
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
            columns: self.columns(phone),
            row: self.row(phone),
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

/// What a fleet asks of a model in vain.
fn faults_of_model(fleet: &Fleet, profile: &Profile) -> Vec<PlanFault> {
    let mut faults = linked::faults_of_model(fleet, profile);
    faults.extend(layout_fault(fleet, profile));
    faults.extend(source_fault(fleet, profile));
    faults.extend(login_fault(fleet, profile));
    faults.extend(padding_fault(fleet, profile));
    faults
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

/// A fleet whose own files are to be filled up with comments that their form does not have.
fn padding_fault(fleet: &Fleet, profile: &Profile) -> Option<PlanFault> {
    let takes = |file: &ContentFile| match &file.holds {
        ContentKind::Settings { scope, format } => *scope != Scope::Common && format.has_comments(),
        _ => false,
    };
    let mut files = profile.content.iter();
    let filled = files.any(|file| file.layout == fleet.layout && takes(file));
    (fleet.pad_bytes > 0 && !filled).then(|| PlanFault::NoPadding {
        place: said(fleet.at.pad.as_ref()),
        fleet: fleet.name.clone(),
        profile: profile.name.clone(),
        layout: fleet.layout.clone(),
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
