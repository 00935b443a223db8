//! What the auto-configuration server knows of the phones of a plan.

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::{ContentFile, ContentKind, Param, Scope};

use super::{Login, PhonePlan, Plan};
use crate::scenario::{Acs, AcsAuth, AcsStep, Download, Fetched};

/// The path of the auto-configuration server (FAN-117).
pub const ACS_PATH: &str = "/openacs/acs";

/// A download as a phone is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The type of the file.
    pub file: Fetched,
    /// Where it is.
    pub url: String,
    /// Its path on the plan's own server; `None` where the scenario gave a URL.
    pub path: Option<String>,
    /// User name and password for it; both empty where it needs none.
    pub login: Login,
}

impl Plan {
    /// The dealings of the auto-configuration server with a phone; `None` where it knows it not.
    #[must_use]
    pub fn acs(&self, phone: &PhonePlan) -> Option<&Acs> {
        self.fleet(phone)?.acs.as_ref()
    }

    /// Whether any phone has dealings with the auto-configuration server.
    #[must_use]
    pub fn has_acs(&self) -> bool {
        self.scenario.fleets.iter().any(|fleet| fleet.acs.is_some())
    }

    /// The URL of the auto-configuration server as the phone's web page has it.
    #[must_use]
    pub fn acs_url(&self, phone: &PhonePlan) -> Option<String> {
        let dealings = self.acs(phone)?;
        if let Some(elsewhere) = &self.acs_elsewhere {
            return Some(elsewhere.clone());
        }
        let scheme = match dealings.secure {
            true => "https",
            false => "http",
        };
        Some(format!("{scheme}://{}{ACS_PATH}", self.server))
    }

    /// What a phone proves itself with to the auto-configuration server; `None` where it need not.
    #[must_use]
    pub fn acs_login(&self, phone: &PhonePlan) -> Option<Login> {
        let acs = self.acs(phone).filter(|acs| acs.auth != AcsAuth::None)?;
        let text = |given: &Option<_>, param| match given {
            Some(template) => self.filled(phone, template),
            None => self.web_text(phone, param),
        };
        Some(Login {
            user: text(&acs.user, Param::AcsUser),
            password: text(&acs.password, Param::AcsPassword),
        })
    }

    /// The phone that a serial number is of: one that ends with the twelve digits of its MAC
    /// (FAN-143), or is the one that the phone's profile gives it.
    #[must_use]
    pub fn phone_of_serial(&self, serial: &str) -> Option<PhonePlan> {
        let from = serial.len().checked_sub(12)?;
        self.phone_with(Mac::parse(serial.get(from..)?)?)
    }

    /// A download as a phone is told of it; `None` for a file that the fleet does not have.
    #[must_use]
    pub fn ordered(&self, phone: &PhonePlan, download: &Download) -> Option<Ordered> {
        let fleet = self.fleet(phone)?;
        let fill = |given: &Option<_>| given.as_ref().map(|it| self.filled(phone, it));
        let held = self.login(phone);
        let login = Login {
            user: fill(&download.user)
                .or(held.as_ref().map(|it| it.user.clone()))
                .unwrap_or_default(),
            password: fill(&download.password)
                .or(held.map(|it| it.password))
                .unwrap_or_default(),
        };
        if let Some(url) = fill(&download.url) {
            return Some(Ordered {
                file: download.file,
                url,
                path: None,
                login,
            });
        }
        let below = self.path_of(phone, download.file)?;
        let url = format!("{}{below}", self.directory_url(fleet));
        let path = match fleet.root.as_str() {
            "" => below,
            root => format!("{root}/{below}"),
        };
        Some(Ordered {
            file: download.file,
            url,
            path: Some(path),
            login,
        })
    }

    /// Whether the script of a phone's fleet sets parameters.
    #[must_use]
    pub fn sets_by_script(&self, phone: &PhonePlan) -> bool {
        let acs = self.fleet(phone).and_then(|fleet| fleet.acs.as_ref());
        acs.is_some_and(|acs| acs.steps.iter().any(|it| matches!(it, AcsStep::Set(_))))
    }

    /// The path of a file of the phone's layout, below the fleet's root.
    fn path_of(&self, phone: &PhonePlan, file: Fetched) -> Option<String> {
        if file == Fetched::Firmware {
            return self.image_path(phone);
        }
        let (fleet, profile) = (self.fleet(phone)?, self.profile(phone)?);
        let wanted = |scope| match file {
            Fetched::CommonConfig => scope == Scope::Common,
            _ => scope != Scope::Common,
        };
        let mut files = profile.layout(&fleet.layout);
        let file = files.find(|file| settings_scope(file).is_some_and(wanted))?;
        Some(file.path.text(&self.vars(phone)))
    }
}

/// Which settings a file of settings holds.
fn settings_scope(file: &ContentFile) -> Option<Scope> {
    match &file.holds {
        ContentKind::Settings { scope, .. } | ContentKind::Sections { scope, .. } => Some(*scope),
        _ => None,
    }
}
