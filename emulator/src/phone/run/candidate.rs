//! From what a source says to the URLs to be tried.

use std::collections::VecDeque;

use super::super::holdings::Holdings;
use super::super::params;
use super::super::turn::Turn;
use std::net::SocketAddrV4;

use crate::discovery::joined::Halves;
use crate::discovery::pnp::PnpServer;
use crate::event::{EventKind, Fault};
use crate::flash::Flash;
use crate::profile::{Param, Source, SourceKind, StepId};
use crate::url::{Scheme, Url};

/// The schemes of a text without one, where they are tried in turn (AUE-38).
const IN_TURN: [Scheme; 3] = [Scheme::Https, Scheme::Http, Scheme::Tftp];

/// The URLs that a text stands for, with the vendor's markers replaced (AUE-15, AUE-86): one, or
/// several where its scheme is to be found out; none when it is no URL.
pub(in crate::phone) fn urls(turn: &Turn<'_>, flash: &Flash, text: &str) -> VecDeque<Url> {
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
        SourceKind::DhcpChosen => {
            let code = params::url_option(turn, holdings.flash);
            let own = code.and_then(|code| lease.text(code));
            own.unwrap_or_default().to_owned()
        }
        SourceKind::Static => static_url(turn, holdings.flash),
        SourceKind::Fixed(param) => params::text(turn, holdings.flash, *param).into_owned(),
        SourceKind::Pnp | SourceKind::Redirect(_) | SourceKind::Mdns | SourceKind::Acs => {
            String::new()
        }
    }
}

/// The static server's URL (FAN-108, FAN-110); empty while it is switched off or has no address.
/// The file is as typed, so that its name means what it means in a URL (FAN-55 … FAN-58). A server
/// that somebody typed as a URL keeps its scheme.
fn static_url(turn: &Turn<'_>, flash: &Flash) -> String {
    let text = |param| params::text(turn, flash, param);
    let (mode, server) = (text(Param::StaticMode), text(Param::StaticServer));
    let server = server.trim().trim_end_matches('/');
    if server.is_empty() || mode.eq_ignore_ascii_case("disabled") {
        return String::new();
    }
    let (scheme, file) = (text(Param::StaticScheme), text(Param::StaticFile));
    let file = file.trim().trim_start_matches('/');
    match server.contains("://") {
        true => format!("{server}/{file}"),
        false => format!("{}://{server}/{file}", scheme.to_ascii_lowercase()),
    }
}

/// The places of the sources in the order of trial: the profile's own, or the one that the page
/// says (FAN-02, FAN-04), where the profile's is not for ever (FAN-03). Sources that the page does
/// not name follow in the profile's order, and names that no source has do not count: unspecified.
pub(super) fn order(turn: &Turn<'_>, flash: &Flash) -> Box<[u8]> {
    let sources = &turn.profile.sources;
    let own = 0..u8::try_from(sources.len()).unwrap_or(u8::MAX);
    let page = params::text(turn, flash, Param::SourceOrder);
    if turn.profile.sources_fixed || page.trim().is_empty() {
        return own.collect();
    }
    let named = page.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let named = named.filter_map(|word| {
        let found = |source: &Source| source.id.eq_ignore_ascii_case(word);
        u8::try_from(sources.iter().position(found)?).ok()
    });
    let mut order: Vec<u8> = Vec::with_capacity(sources.len());
    for place in named.chain(own) {
        if !order.contains(&place) {
            order.push(place);
        }
    }
    order.into_boxed_slice()
}

/// Whom PnP asks: what the page says (FAN-93), else the profile's group. `None` when the page names
/// a host that is not known, or a port that is none.
pub(super) fn pnp_server(turn: &mut Turn<'_>, flash: &Flash) -> Option<PnpServer> {
    let spec = turn.profile.pnp.as_ref()?;
    let text = |param| params::text(turn, flash, param).trim().to_owned();
    let (host, port) = (text(Param::PnpServer), text(Param::PnpPort));
    let stream = text(Param::PnpTransport).eq_ignore_ascii_case("tcp");
    let port = match port.as_str() {
        "" => Some(spec.port),
        port => port.parse().ok().filter(|port| *port > 0),
    };
    let address = match host.as_str() {
        "" => Some(spec.group),
        host => turn.shelf.resolve(host),
    };
    let Some((address, port)) = address.zip(port) else {
        let (step, fault) = (StepId::SUBSCRIBE, Fault::UnknownHost);
        turn.event(EventKind::GaveUp { step, fault });
        return None;
    };
    Some(PnpServer {
        address: SocketAddrV4::new(address, port),
        stream: stream && !address.is_multicast(),
    })
}

/// The switches of a source are on.
pub(in crate::phone) fn is_enabled(turn: &Turn<'_>, flash: &Flash, source: &Source) -> bool {
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
