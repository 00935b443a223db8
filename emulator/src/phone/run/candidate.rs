//! From what a source says to the URLs to be tried.

use std::collections::VecDeque;

use super::super::holdings::Holdings;
use super::super::params;
use super::super::turn::Turn;
use crate::discovery::joined::Halves;
use crate::event::{EventKind, Fault};
use crate::flash::Flash;
use crate::profile::{Param, Source, SourceKind, StepId};
use crate::url::{Scheme, Url};

/// The schemes of a text without one, where they are tried in turn (AUE-38).
const IN_TURN: [Scheme; 3] = [Scheme::Https, Scheme::Http, Scheme::Tftp];

/// The URLs that a text stands for, with the vendor's markers replaced (AUE-15, AUE-86): one, or
/// several where its scheme is to be found out; none when it is no URL.
pub(super) fn urls(turn: &Turn<'_>, flash: &Flash, text: &str) -> VecDeque<Url> {
    let expanded = params::expand(turn, text);
    let word = params::text(turn, flash, Param::BareScheme);
    let named = [Scheme::named(&word).unwrap_or(Scheme::Tftp)];
    let schemes = if word.eq_ignore_ascii_case("in-turn") {
        &IN_TURN[..]
    } else {
        &named
    };
    let mut urls = VecDeque::new();
    for scheme in schemes {
        match Url::parse(&expanded, *scheme) {
            Ok(url) if urls.back() != Some(&url) => urls.push_back(url),
            _ => {}
        }
    }
    urls
}

/// What a source says without asking anybody: out of the lease in force (AUE-39), or a parameter.
/// Empty when it says nothing.
pub(super) fn text(turn: &mut Turn<'_>, holdings: &Holdings<'_>, kind: &SourceKind) -> String {
    let lease = Lease { turn, holdings };
    match kind {
        SourceKind::Dhcp { option, unless, .. } => {
            let overridden = unless.is_some_and(|other| lease.serves(other));
            let own = lease.text(*option).filter(|_| !overridden);
            own.unwrap_or_default().to_owned()
        }
        SourceKind::DhcpJoined => joined(turn, holdings),
        SourceKind::Fixed(param) => params::text(turn, holdings.flash, *param).into_owned(),
        SourceKind::Pnp | SourceKind::Redirect(_) | SourceKind::Mdns | SourceKind::Acs => {
            String::new()
        }
    }
}

/// The switches of a source are on.
pub(super) fn is_enabled(turn: &Turn<'_>, flash: &Flash, source: &Source) -> bool {
    let mut switches = source.enabled_by.iter();
    switches.all(|param| params::is_on(turn, flash, *param))
}

/// The file asked for first: option 67 where it is on and given (FLY-80), else the parameter.
pub(super) fn config_file_name(
    turn: &Turn<'_>,
    holdings: &Holdings<'_>,
    source: &Source,
) -> String {
    if let SourceKind::Dhcp {
        file_option: Some(code),
        ..
    } = source.kind
        && params::is_on(turn, holdings.flash, Param::Option67Enable)
        && let Some(text) = (Lease { turn, holdings }).text(code)
    {
        return params::expand(turn, text).into_owned();
    }
    params::expanded(turn, holdings.flash, Param::ConfigFileName)
}

fn joined(turn: &mut Turn<'_>, holdings: &Holdings<'_>) -> String {
    let Some(held) = holdings.lease else {
        return String::new();
    };
    let lease = Lease { turn, holdings };
    let (halves, malformed) = Halves::of(held, |code| lease.uses(code));
    if let Some(malformed) = malformed {
        let (step, fault) = (StepId::REQUEST, Fault::Malformed(malformed));
        turn.event(EventKind::Wrong { step, fault });
    }
    halves.url().unwrap_or_default()
}

/// The lease as the phone's page lets its sources see it.
struct Lease<'a, 't> {
    turn: &'a Turn<'t>,
    holdings: &'a Holdings<'a>,
}

impl<'a> Lease<'a, '_> {
    fn text(&self, code: u8) -> Option<&'a str> {
        let lease = self.holdings.lease.filter(|_| self.uses(code))?;
        lease.text(code)
    }

    /// The option is not among those that are switched off (vendor-facts §3).
    fn uses(&self, code: u8) -> bool {
        let off = params::text(self.turn, self.holdings.flash, Param::DhcpOptionsDisabled);
        let mut off = off.split([',', ' ', ';']);
        !off.any(|word| word.parse() == Ok(code))
    }

    /// A source that is on has this option to go by.
    fn serves(&self, code: u8) -> bool {
        let mut sources = self.turn.profile.sources.iter();
        self.text(code).is_some()
            && sources.any(|source| {
                matches!(source.kind, SourceKind::Dhcp { option, .. } if option == code)
                    && is_enabled(self.turn, self.holdings.flash, source)
            })
    }
}
