//! What phones are told of their server, by whichever way, and what they show there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::template::{Template, Vars};
use bootstorm_emulator::profile::{Classify, Param, Profile};
use bootstorm_emulator::url::{Scheme, Url};

use super::{PhonePlan, Plan};
use crate::scenario::{Auth, AuthScheme, Credentials, Discovery, Fleet, Transport, names};

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
    /// walks no list of files below a directory (AUE-11), or takes the URL's name for one of them
    /// (FAN-54); the bare address where that says it all (FLY-66); else the directory's URL.
    #[must_use]
    pub fn found_text(&self, phone: &PhonePlan) -> String {
        let (base, file) = self.found_parts(phone);
        let walks = self.profile(phone).is_none_or(|it| {
            let named = it.classify == Classify::Beside && !file.is_empty();
            !it.fetches.is_empty() && !named
        });
        let fleet = self.fleet(phone);
        let bare = fleet.is_some_and(|fleet| {
            let plain = fleet.root.is_empty() && fleet.transport == Transport::Tftp;
            // Whoever chooses the option wants a URL in it (FAN-50).
            let profile = self.profile(phone);
            let chosen = profile.is_some_and(|it| names(it, Param::DhcpUrlOption));
            let spec = profile.and_then(|it| it.params.get(Param::BareScheme as usize));
            // To some a text without a scheme means HTTP (GIG-57).
            let tftp = spec.is_none_or(|it| it.default.source() == "tftp");
            plain && tftp && !chosen && fleet.file.is_none() && fleet.source == Discovery::Dhcp
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
        let base = self.directory_with_login(phone).text(&self.vars(phone));
        if let Some(file) = &fleet.file {
            return (base, file.clone());
        }
        if profile.classify == Classify::Beside {
            let vars = Vars {
                typed: typed_marker(profile),
                ..self.vars(phone)
            };
            let file = profile.named_file(&fleet.layout);
            let name = file.map(|file| file.path.text(&vars));
            return (base, name.unwrap_or_default());
        }
        let whole = profile.whole_file(&fleet.layout);
        let first = profile.layout(&fleet.layout).next();
        let first = first.filter(|_| profile.fetches.is_empty());
        let file = whole.or(first);
        let name = file.map(|file| file.path.text(&self.vars(phone)));
        (base, name.unwrap_or_default())
    }

    /// Host names of the run: the scenario's, and those of the redirect services that its fleets
    /// use, which the subject plays unless `with_redirect_at` says where they are.
    #[must_use]
    pub fn hosts(&self) -> BTreeMap<String, Ipv4Addr> {
        let mut hosts: BTreeMap<_, _> = self
            .redirect_hosts()
            .into_iter()
            .map(|name| (name, self.redirect_elsewhere.unwrap_or(self.server)))
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

    /// The user name and password that the HTTP or FTP server expects of a phone; `None` without
    /// authentication.
    #[must_use]
    pub fn login(&self, phone: &PhonePlan) -> Option<Login> {
        let auth = self.fleet(phone)?.auth.as_ref()?;
        let operator = self.fleet(phone)?.operator.as_ref();
        let typed = operator.filter(|_| auth.held == Credentials::Prompt);
        let text = |template: &Option<_>, typed: Option<&_>, param| match (template, typed) {
            (Some(template), _) | (None, Some(template)) => self.filled(phone, template),
            (None, None) => self.web_text(phone, param),
        };
        let user = typed.map(|operator| &operator.user);
        let password = typed.map(|operator| &operator.password);
        Some(Login {
            user: text(&auth.user, user, Param::Username),
            password: text(&auth.password, password, Param::Password),
        })
    }

    /// The URL of the directory of a phone's fleet, with the login where its phones have that from
    /// URLs: in the one that they find, and in those that files name (FAN-134).
    #[must_use]
    pub fn directory_with_login(&self, phone: &PhonePlan) -> Template {
        self.fleet(phone).map_or_else(Template::default, |fleet| {
            let login = self.login_in_url(phone, fleet.transport, &[Credentials::Url]);
            url_of(&self.directory_url(fleet), login)
        })
    }

    /// The URL of a file below that directory, by a protocol; whose server asks for a login where
    /// the scheme of authentication is one of its own.
    pub(super) fn url_with_login(
        &self,
        phone: &PhonePlan,
        transport: Transport,
        path: &str,
    ) -> Template {
        let Some(fleet) = self.fleet(phone) else {
            return Template::default();
        };
        let url = format!("{}{path}", self.directory_url_by(fleet, transport));
        // What a user types is for the files of settings only (FAN-52).
        let held = [Credentials::Url, Credentials::Prompt];
        url_of(&url, self.login_in_url(phone, transport, &held))
    }

    /// User name and password as they stand in a URL, with their holes still open.
    fn login_in_url(
        &self,
        phone: &PhonePlan,
        transport: Transport,
        held: &[Credentials],
    ) -> Option<String> {
        let fleet = self.fleet(phone)?;
        let auth = fleet.auth.as_ref()?;
        if !held.contains(&auth.held) || !auth.scheme.is_asked_by(transport) {
            return None;
        }
        let operator = fleet.operator.as_ref();
        let typed = operator.filter(|_| auth.held == Credentials::Prompt);
        let text = |template: &Option<Template>, typed: Option<&Template>, param| {
            let given = template.as_ref().or(typed).cloned();
            let template = given.unwrap_or_else(|| self.web_template(phone, param));
            escaped(template.source())
        };
        let user = typed.map(|operator| &operator.user);
        let user = text(&auth.user, user, Param::Username);
        let password = typed.map(|operator| &operator.password);
        let password = text(&auth.password, password, Param::Password);
        Some(format!("{user}:{password}"))
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
        for (param, key) in [
            (Param::DeviceKey, &fleet.seal.device_key),
            (Param::CommonKey, &fleet.seal.common_key),
        ] {
            if !key.is_empty() {
                fields.push((param, key.clone()));
            }
        }
        self.source_fields(phone, fleet, profile, &mut fields);
        self.acs_fields(phone, &mut fields);
        // What the scenario says of a field counts.
        fields.retain(|(param, _)| fleet.web.iter().all(|(given, _)| given != param));
        fields.extend(fleet.web.iter().cloned());
        fields
    }

    /// What must stand on the web page so that the phone finds its server the fleet's way.
    fn source_fields(
        &self,
        phone: &PhonePlan,
        fleet: &Fleet,
        profile: &Profile,
        fields: &mut Vec<(Param, String)>,
    ) {
        let spec = |param: Param| profile.params.get(param as usize);
        for switch in fleet.source.switches(profile) {
            if spec(switch).is_some_and(|spec| spec.default.source() == "0") {
                fields.push((switch, "1".to_owned()));
            }
        }
        let option = match fleet.source {
            Discovery::Dhcp if names(profile, Param::DhcpUrlOption) => Some(66),
            Discovery::Dhcp43Plain => Some(43),
            Discovery::DhcpCustom => Some(fleet.option),
            _ => None,
        };
        let option = option.map(|option| option.to_string());
        let default = spec(Param::DhcpUrlOption).map_or("", |spec| spec.default.source());
        fields.extend(
            option
                .filter(|option| option != default)
                .map(|option| (Param::DhcpUrlOption, option)),
        );
        match fleet.source {
            Discovery::Fixed => fields.push((Param::ServerUrl, self.found_text(phone))),
            Discovery::PnpTcp => fields.extend([
                (Param::PnpTransport, "tcp".to_owned()),
                (Param::PnpServer, self.server.to_string()),
            ]),
            Discovery::Static => {
                let (_, file) = self.found_parts(phone);
                let path = match fleet.root.as_str() {
                    "" => file,
                    root => format!("{root}/{file}"),
                };
                fields.extend([
                    (Param::StaticMode, "after-reboot".to_owned()),
                    (Param::StaticScheme, fleet.transport.scheme().to_owned()),
                    (Param::StaticServer, self.server.to_string()),
                    (Param::StaticFile, path),
                ]);
            }
            _ => {}
        }
    }

    /// The auto-configuration server's fields, where it knows the phone (FAN-115).
    fn acs_fields(&self, phone: &PhonePlan, fields: &mut Vec<(Param, String)>) {
        let Some(url) = self.acs_url(phone) else {
            return;
        };
        fields.retain(|(param, _)| *param != Param::AcsEnable);
        fields.extend([(Param::AcsEnable, "1".to_owned()), (Param::AcsUrl, url)]);
        let given = self.acs(phone);
        if let Some(login) = self.acs_login(phone)
            && given.is_some_and(|acs| acs.user.is_some() || acs.password.is_some())
        {
            fields.push((Param::AcsUser, login.user));
            fields.push((Param::AcsPassword, login.password));
        }
    }

    fn auth_fields(
        &self,
        phone: &PhonePlan,
        auth: &Auth,
        profile: &Profile,
    ) -> Vec<(Param, String)> {
        let method = match auth.scheme {
            AuthScheme::Basic => Some("basic"),
            AuthScheme::Digest | AuthScheme::DigestSha256 => Some("digest"),
            AuthScheme::Login => None,
        };
        let mut fields = Vec::new();
        let spec = profile.params.get(Param::AuthMethod as usize);
        let default = spec.map_or("", |spec| spec.default.source());
        // A phone that answers any challenge needs no word.
        let method = method.filter(|_| !matches!(default, "" | "any"));
        fields.extend(method.map(|method| (Param::AuthMethod, method.to_owned())));
        // The static server's fields have no room for credentials.
        let on_page = auth.held == Credentials::Web
            || self
                .fleet(phone)
                .is_some_and(|it| it.source == Discovery::Static);
        if let Some(login) = self.login(phone).filter(|_| on_page) {
            fields.push((Param::Username, login.user));
            fields.push((Param::Password, login.password));
        }
        fields
    }

    /// A field of a phone's web page: what the scenario says, else the profile's default. (The
    /// fields that the plan itself fills in are `web_fields`.)
    #[must_use]
    pub fn web_text(&self, phone: &PhonePlan, param: Param) -> String {
        self.filled(phone, &self.web_template(phone, param))
    }

    fn web_template(&self, phone: &PhonePlan, param: Param) -> Template {
        let given = self.fleet(phone).and_then(|fleet| {
            let mut fields = fleet.web.iter();
            fields.find(|(known, _)| *known == param)
        });
        if let Some((_, text)) = given {
            return Template::literal(text);
        }
        let spec = self
            .profile(phone)
            .and_then(|profile| profile.params.get(param as usize));
        spec.map_or_else(Template::default, |spec| spec.default.clone())
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

/// What stands in a URL for the id that the user types (FAN-57).
fn typed_marker(profile: &Profile) -> &str {
    let mut markers = profile.markers.iter();
    let marker = markers.find(|(_, template)| template.is_typed());
    marker.map_or("", |(marker, _)| marker)
}

/// A URL as a template, with a login whose holes are open.
fn url_of(url: &str, login: Option<String>) -> Template {
    let url = url.replace('{', "{{").replace('}', "}}");
    let url = match login {
        Some(login) => url.replacen("://", &format!("://{login}@"), 1),
        None => url,
    };
    Template::parse(&url).unwrap_or_default()
}

/// The source of a template for a user name or password as it may stand before the `@` of a URL
/// (RFC 3986 §3.2.1). What fills its holes is let be: names, digits of addresses.
fn escaped(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        let brace = matches!(letter, '{' | '}');
        if brace && letters.next_if_eq(&letter).is_none() {
            out.push(letter);
            if letter == '{' {
                let hole = std::iter::from_fn(|| letters.next_if(|it| *it != '}'));
                out.extend(hole);
            }
        } else if letter.is_ascii_alphanumeric() || "-._~".contains(letter) {
            out.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_escaped_but_for_its_holes() {
        assert_eq!(escaped("u-{mac:upper}@{index}"), "u-{mac:upper}%40{index}");
        assert_eq!(escaped("a{{b}}:/é"), "a%7Bb%7D%3A%2F%C3%A9");
    }
}
