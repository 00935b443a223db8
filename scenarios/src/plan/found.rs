//! What phones are told of their server, by whichever way, and what they show there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::{Param, Profile};
use bootstorm_emulator::url::{Scheme, Url};

use super::{PhonePlan, Plan};
use crate::scenario::{Auth, AuthScheme, Credentials, Discovery, Fleet, Transport};

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// What the redirect service knows of a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirected {
    /// Where it is sent.
    pub url: String,
    /// What it must prove to know; `None` where its vendor's phones show nothing.
    pub password: Option<String>,
}

impl Plan {
    /// The text that a phone finds: in option 66 or 114, on its web page. A file where the phone
    /// walks no list of files below a directory (AUE-11); the bare address where that says it all
    /// (FLY-66); else the directory's URL.
    #[must_use]
    pub fn found_text(&self, phone: &PhonePlan) -> String {
        let (base, file) = self.found_parts(phone);
        let walks = self.profile(phone).is_none_or(|it| !it.fetches.is_empty());
        let fleet = self.fleet(phone);
        let bare = fleet.is_some_and(|fleet| {
            let plain = fleet.root.is_empty() && fleet.transport == Transport::Tftp;
            plain && fleet.source == Discovery::Dhcp
        });
        match (walks, bare) {
            (true, true) => self.server.to_string(),
            (true, false) => base,
            (false, _) => format!("{base}{file}"),
        }
    }

    /// The URL that PnP or a redirect service gives to a phone: the file that holds everything
    /// (FLY-50), else the directory (FLY-58).
    #[must_use]
    pub fn pnp_url(&self, phone: &PhonePlan) -> Option<String> {
        self.fleet(phone)?;
        let (base, file) = self.found_parts(phone);
        Some(format!("{base}{file}"))
    }

    /// The same in two parts: the directory with its `/` and the credentials that belong into a
    /// URL, and the file below it, empty where the directory is meant (AUE-26).
    #[must_use]
    pub fn found_parts(&self, phone: &PhonePlan) -> (String, String) {
        let (Some(fleet), Some(profile)) = (self.fleet(phone), self.profile(phone)) else {
            return Default::default();
        };
        let mut base = self.directory_url(fleet);
        if let Some(login) = self.login_in_url(phone) {
            let login = format!("://{}:{}@", escaped(&login.user), escaped(&login.password));
            base = base.replacen("://", &login, 1);
        }
        let whole = profile.whole_file(&fleet.layout);
        let first = profile.layout(&fleet.layout).next();
        let first = first.filter(|_| profile.fetches.is_empty());
        let file = whole.or(first);
        let name = file.map(|file| file.path.text(&self.vars(phone)));
        (base, name.unwrap_or_default())
    }

    /// Host names of the run: the scenario's, and those of the redirect services that its fleets
    /// use, which the subject plays.
    #[must_use]
    pub fn hosts(&self) -> BTreeMap<String, Ipv4Addr> {
        let mut hosts: BTreeMap<_, _> = self
            .redirect_hosts()
            .into_iter()
            .map(|name| (name, self.server))
            .collect();
        for (name, address) in &self.scenario.hosts {
            hosts.insert(name.clone(), address.unwrap_or(self.server));
        }
        hosts
    }

    /// Host names of the redirect services that fleets use, in lower case.
    #[must_use]
    pub fn redirect_hosts(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (place, fleet) in self.scenario.fleets.iter().enumerate() {
            if fleet.source != Discovery::Redirect {
                continue;
            }
            let one_of_each: u32 = fleet.profiles.iter().map(|(_, weight)| weight).sum();
            let range = self.fleet_range(place);
            for phone in range
                .take(one_of_each as usize)
                .filter_map(|index| self.phone(index))
            {
                let text = self.web_text(&phone, Param::RedirectUrl);
                let Ok(url) = Url::parse(&text, Scheme::Https) else {
                    continue;
                };
                let name = url.host.to_ascii_lowercase();
                if !names.contains(&name) && name.parse::<Ipv4Addr>().is_err() {
                    names.push(name);
                }
            }
        }
        names
    }

    /// What the redirect service tells the phone with this address; `None` for one that it does
    /// not know.
    #[must_use]
    pub fn redirected(&self, mac: Mac) -> Option<Redirected> {
        let phone = self.phone_with(mac)?;
        if self.fleet(&phone)?.source != Discovery::Redirect {
            return None;
        }
        let user = self.web_text(&phone, Param::RedirectUser);
        let password = self.web_text(&phone, Param::RedirectPassword);
        Some(Redirected {
            url: self.pnp_url(&phone)?,
            password: (!user.is_empty() || !password.is_empty()).then_some(password),
        })
    }

    /// The user name and password that the HTTP server expects of a phone; `None` without
    /// authentication.
    #[must_use]
    pub fn login(&self, phone: &PhonePlan) -> Option<Login> {
        let auth = self.fleet(phone)?.auth.as_ref()?;
        let text = |template: &Option<_>, param| match template {
            Some(template) => self.filled(phone, template),
            None => self.web_text(phone, param),
        };
        Some(Login {
            user: text(&auth.user, Param::Username),
            password: text(&auth.password, Param::Password),
        })
    }

    fn login_in_url(&self, phone: &PhonePlan) -> Option<Login> {
        let auth = self.fleet(phone)?.auth.as_ref()?;
        self.login(phone).filter(|_| auth.held == Credentials::Url)
    }

    /// What a phone's web page says in this run: the profile's defaults are left out.
    #[must_use]
    pub fn web_fields(&self, phone: &PhonePlan) -> Vec<(Param, String)> {
        let (Some(fleet), Some(profile)) = (self.fleet(phone), self.profile(phone)) else {
            return Vec::new();
        };
        let mut fields = Vec::new();
        if let Some(auth) = &fleet.auth {
            fields.extend(self.auth_fields(phone, auth, profile));
        }
        if fleet.source == Discovery::Fixed {
            fields.push((Param::ServerUrl, self.found_text(phone)));
        }
        // What the scenario says of a field counts.
        fields.retain(|(param, _)| fleet.web.iter().all(|(given, _)| given != param));
        fields.extend(fleet.web.iter().cloned());
        fields
    }

    fn auth_fields(
        &self,
        phone: &PhonePlan,
        auth: &Auth,
        profile: &Profile,
    ) -> Vec<(Param, String)> {
        let method = match auth.scheme {
            AuthScheme::Basic => "basic",
            AuthScheme::Digest | AuthScheme::DigestSha256 => "digest",
        };
        let mut fields = Vec::new();
        let spec = profile.params.get(Param::AuthMethod as usize);
        let default = spec.map_or("", |spec| spec.default.source());
        // A phone that answers any challenge needs no word.
        if !matches!(default, "" | "any") {
            fields.push((Param::AuthMethod, method.to_owned()));
        }
        if let Some(login) = self.login(phone).filter(|_| auth.held == Credentials::Web) {
            fields.push((Param::Username, login.user));
            fields.push((Param::Password, login.password));
        }
        fields
    }

    /// A field of a phone's web page: what the scenario says, else the profile's default. (The
    /// fields that the plan itself fills in are `web_fields`.)
    #[must_use]
    pub fn web_text(&self, phone: &PhonePlan, param: Param) -> String {
        let given = self.fleet(phone).and_then(|fleet| {
            let mut fields = fleet.web.iter();
            fields.find(|(known, _)| *known == param)
        });
        if let Some((_, text)) = given {
            return text.clone();
        }
        let spec = self
            .profile(phone)
            .and_then(|profile| profile.params.get(param as usize).map(|spec| &spec.default));
        spec.map_or_else(String::new, |template| self.filled(phone, template))
    }
}

impl Fleet {
    /// True when nothing that another fleet serves lies at, above or below this fleet's root.
    #[must_use]
    pub fn is_apart_from(&self, other: &Self) -> bool {
        let inside = |one: &str, other: &str| {
            one == other
                || other.is_empty()
                || one
                    .strip_prefix(other)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        !inside(&self.root, &other.root) && !inside(&other.root, &self.root)
    }
}

/// A user name or password as it may stand before the `@` of a URL (RFC 3986 §3.2.1).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
