//! Engine parameters: what the web page says, what a configuration bound to them says, what the
//! profile says, in that order. A configuration that sets a bound key clears the web page's value
//! (the later one wins), and both count from the next run on.

use std::borrow::Cow;

use super::io::FtpMode;
use super::turn::Turn;
use crate::flash::Flash;
use crate::profile::template::Vars;
use crate::profile::{self, Account, Param};
use crate::transfer::http::AuthMethod;

/// The text of a parameter, markers not yet replaced.
pub(crate) fn text<'a>(turn: &'a Turn<'_>, flash: &'a Flash, param: Param) -> Cow<'a, str> {
    if let Some(value) = flash.web(param) {
        return Cow::Borrowed(value);
    }
    let Some(spec) = turn.profile.params.get(param as usize) else {
        return Cow::Borrowed("");
    };
    for key in &spec.keys {
        let held = turn
            .shelf
            .keys
            .find(key)
            .and_then(|key| flash.settings.held(key));
        if let Some(held) = held {
            return spec.meant(held.value);
        }
    }
    if spec.default.source().contains('{') {
        return Cow::Owned(spec.default.text(&turn.vars()));
    }
    Cow::Borrowed(spec.default.source())
}

/// The texts of a parameter that is a list: each key bound to it that is set gives some.
pub(crate) fn texts<'a>(turn: &'a Turn<'_>, flash: &'a Flash, param: Param) -> Vec<Cow<'a, str>> {
    let spec = turn.profile.params.get(param as usize);
    let bound = spec.map_or(&[][..], |spec| spec.keys.as_slice());
    let held = |key: &String| flash.settings.held(turn.shelf.keys.find(key)?);
    let found: Vec<_> = bound.iter().filter_map(held).collect();
    if flash.web(param).is_some() || found.is_empty() {
        return vec![text(turn, flash, param)];
    }
    let texts = found.into_iter().map(|held| Cow::Borrowed(held.value));
    texts.collect()
}

/// Whether a switch is on: `1`, `on`, `true`, `yes`, `enable`.
pub(crate) fn is_on(turn: &Turn<'_>, flash: &Flash, param: Param) -> bool {
    let text = text(turn, flash, param);
    ["1", "on", "true", "yes", "enable"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A whole number; 0 for anything else.
pub(crate) fn number(turn: &Turn<'_>, flash: &Flash, param: Param) -> u64 {
    text(turn, flash, param).trim().parse().unwrap_or(0)
}

/// The DHCP option that holds the URL, where it can be chosen and is (FAN-64, FAN-65).
pub(super) fn url_option(turn: &Turn<'_>, flash: &Flash) -> Option<u8> {
    profile::url_option(&text(turn, flash, Param::DhcpUrlOption))
}

/// A text with the vendor's markers replaced (FLY-88).
pub(crate) fn expanded(turn: &Turn<'_>, flash: &Flash, param: Param) -> String {
    let text = text(turn, flash, param);
    expand(turn, &text).into_owned()
}

/// Replaces the vendor's markers in any text: a URL, a link, a file name. Those for what the user
/// has to type stay: see `expand_typed`.
pub(crate) fn expand<'t>(turn: &Turn<'_>, text: &'t str) -> Cow<'t, str> {
    expand_with(turn, text, &turn.vars(), false)
}

/// Whether a text holds a marker for what the user has to type (FAN-57, FAN-59).
pub(crate) fn asks(turn: &Turn<'_>, text: &str) -> bool {
    let mut markers = turn.profile.markers.iter();
    markers.any(|(marker, template)| template.is_typed() && text.contains(marker.as_str()))
}

/// Replaces the markers for what the user typed, in file names and queries alike (FAN-57, FAN-59).
pub(crate) fn expand_typed<'t>(turn: &Turn<'_>, text: &'t str, typed: &str) -> Cow<'t, str> {
    let vars = Vars {
        typed,
        ..turn.vars()
    };
    expand_with(turn, text, &vars, true)
}

fn expand_with<'t>(turn: &Turn<'_>, text: &'t str, vars: &Vars<'_>, typed: bool) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for (marker, template) in &turn.profile.markers {
        if template.is_typed() == typed && text.contains(marker.as_str()) {
            text = Cow::Owned(text.replace(marker.as_str(), &template.text(vars)));
        }
    }
    text
}

/// The mode of FTP that the phone's own switch asks for; `None` where it has no such switch.
fn ftp_mode(turn: &Turn<'_>, flash: &Flash) -> Option<FtpMode> {
    let given = !text(turn, flash, Param::FtpActive).is_empty();
    given.then(|| match is_on(turn, flash, Param::FtpActive) {
        true => FtpMode::Active,
        false => FtpMode::Passive,
    })
}

/// How a walk presents itself to HTTP and FTP servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpIdentity {
    pub(crate) user_agent: String,
    pub(crate) auth: AuthMethod,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Who opens FTP data connections, where the phone's settings say it.
    pub(crate) ftp: Option<FtpMode>,
}

impl HttpIdentity {
    /// The fields of the first or the second configuration profile (FLY-86, FLY-87, FLY-91).
    pub(crate) fn of(turn: &Turn<'_>, flash: &Flash, account: Account) -> Self {
        let [agent, method, user, password] = match account {
            Account::First => [
                Param::UserAgent,
                Param::AuthMethod,
                Param::Username,
                Param::Password,
            ],
            Account::Second => [
                Param::SecondUserAgent,
                Param::SecondAuthMethod,
                Param::SecondUsername,
                Param::SecondPassword,
            ],
        };
        let mut user_agent = text(turn, flash, agent).into_owned();
        if user_agent.is_empty() {
            user_agent = turn.profile.http.user_agent.text(&turn.vars());
        }
        let method = text(turn, flash, method);
        let auth = match method.as_ref() {
            word if word.eq_ignore_ascii_case("basic") => AuthMethod::Basic,
            word if word.eq_ignore_ascii_case("digest") => AuthMethod::Digest,
            word if word.eq_ignore_ascii_case("any") => AuthMethod::Any,
            _ => AuthMethod::None,
        };
        let user = text(turn, flash, user).into_owned();
        let password = text(turn, flash, password).into_owned();
        Self {
            user_agent,
            auth,
            user,
            password,
            ftp: ftp_mode(turn, flash),
        }
    }
}
