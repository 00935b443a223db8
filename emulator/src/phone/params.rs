//! Engine parameters: what the web page says, what a configuration bound to them says, what the
//! profile says, in that order. A configuration that sets a bound key clears the web page's value
//! (the later one wins), and both count from the next run on.

use std::borrow::Cow;

use super::turn::Turn;
use crate::flash::Flash;
use crate::profile::{Account, Param};
use crate::transfer::http::AuthMethod;

/// The text of a parameter, markers not yet replaced.
pub(super) fn text<'a>(turn: &'a Turn<'_>, flash: &'a Flash, param: Param) -> Cow<'a, str> {
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
            return Cow::Borrowed(held.value);
        }
    }
    if spec.default.source().contains('{') {
        return Cow::Owned(spec.default.text(&turn.vars()));
    }
    Cow::Borrowed(spec.default.source())
}

/// The texts of a parameter that is a list: each key bound to it that is set gives some.
pub(super) fn texts<'a>(turn: &'a Turn<'_>, flash: &'a Flash, param: Param) -> Vec<Cow<'a, str>> {
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
pub(super) fn is_on(turn: &Turn<'_>, flash: &Flash, param: Param) -> bool {
    let text = text(turn, flash, param);
    ["1", "on", "true", "yes", "enable"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A whole number; 0 for anything else.
pub(super) fn number(turn: &Turn<'_>, flash: &Flash, param: Param) -> u64 {
    text(turn, flash, param).trim().parse().unwrap_or(0)
}

/// A text with the vendor's markers replaced (FLY-88).
pub(super) fn expanded(turn: &Turn<'_>, flash: &Flash, param: Param) -> String {
    let text = text(turn, flash, param);
    expand(turn, &text).into_owned()
}

/// Replaces the vendor's markers in any text: a URL, a link, a file name.
pub(super) fn expand<'t>(turn: &Turn<'_>, text: &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for (marker, template) in &turn.profile.markers {
        if text.contains(marker.as_str()) {
            text = Cow::Owned(text.replace(marker.as_str(), &template.text(&turn.vars())));
        }
    }
    text
}

/// How a walk presents itself to HTTP servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpIdentity {
    pub(super) user_agent: String,
    pub(super) auth: AuthMethod,
    pub(super) user: String,
    pub(super) password: String,
}

impl HttpIdentity {
    /// The fields of the first or the second configuration profile (FLY-86, FLY-87, FLY-91).
    pub(super) fn of(turn: &Turn<'_>, flash: &Flash, account: Account) -> Self {
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
        }
    }
}
