//! The lease as a phone keeps it between two steps.

use std::net::Ipv4Addr;

use crate::event::{EventKind, Limit};
use crate::limits::URL_BYTES_MAX;
use crate::phone::turn::Turn;
use crate::profile::{Source, SourceKind};
use crate::wire::dhcp::{Message, code, text};

/// A lease as the phone keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The phone's address.
    pub address: Ipv4Addr,
    /// The server that gave it (option 54).
    pub server: Ipv4Addr,
    /// Options that the profile's sources use, raw: code and value. Split options are put
    /// together (RFC 3396); a value of more than `URL_BYTES_MAX` bytes is not kept.
    pub options: Box<[(u8, Box<[u8]>)]>,
    /// BOOTP's `file`, up to its NUL, where a source uses it; at most 128 bytes, empty when the
    /// field holds options (RFC 2131 §4.1).
    pub file: Box<[u8]>,
}

impl Lease {
    /// The raw value of an option that was kept.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let found = self.options.iter().find(|(known, _)| *known == code);
        found.map(|(_, value)| &**value)
    }

    /// The addresses of an option that lists some; what is left of the last four bytes is dropped.
    pub fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        let value = self.option(code).unwrap_or_default();
        value.chunks_exact(4).filter_map(|octets| {
            let octets: [u8; 4] = octets.try_into().ok()?;
            Some(octets.into())
        })
    }

    /// An option as text, without the NUL that some servers count into it (AUE-35); `None` when
    /// it was not there, is not UTF-8 or is empty.
    #[must_use]
    pub fn text(&self, code: u8) -> Option<&str> {
        text(self.option(code)?).filter(|text| !text.is_empty())
    }
}

/// What of an ACK the profile uses, each option once: those of its sources, the time servers where
/// it wants to know the time, the mask where it asks its network. `chosen` is the option that holds
/// the URL where it can be chosen.
pub(super) fn kept_options(
    turn: &mut Turn<'_>,
    message: &Message<'_>,
    chosen: Option<u8>,
) -> Box<[(u8, Box<[u8]>)]> {
    let mut kept: Vec<(u8, Box<[u8]>)> = Vec::new();
    let profile = turn.profile;
    let clock = profile.clock.as_ref().map(|_| code::NTP_SERVERS);
    let mask = profile.mdns.as_ref().map(|_| code::SUBNET_MASK);
    for code in codes(&profile.sources, chosen).chain(clock).chain(mask) {
        if kept.iter().any(|(known, _)| *known == code) {
            continue;
        }
        match message.joined(code) {
            Some(value) if value.len() <= URL_BYTES_MAX => {
                kept.push((code, value.into_owned().into_boxed_slice()));
            }
            Some(_) => turn.event(EventKind::LimitReached {
                limit: Limit::UrlBytes,
                value: URL_BYTES_MAX as u64,
            }),
            None => {}
        }
    }
    kept.into_boxed_slice()
}

/// BOOTP's `file`, where a source uses it (AUE-29).
pub(super) fn kept_file(turn: &Turn<'_>, message: &Message<'_>) -> Box<[u8]> {
    let mut sources = turn.profile.sources.iter();
    if sources.any(|source| source.kind == SourceKind::DhcpJoined) {
        message.file().into()
    } else {
        Box::default()
    }
}

/// The options that sources look at, some perhaps twice.
fn codes(sources: &[Source], chosen: Option<u8>) -> impl Iterator<Item = u8> {
    sources.iter().flat_map(move |source| {
        let codes = match source.kind {
            SourceKind::Dhcp {
                option,
                file_option,
                unless,
            } => [Some(option), file_option, unless],
            SourceKind::DhcpChosen => [chosen, None, None],
            SourceKind::DhcpJoined => [
                Some(code::VENDOR_SPECIFIC),
                Some(code::TFTP_SERVER),
                Some(code::BOOT_FILE),
            ],
            SourceKind::Pnp
            | SourceKind::Redirect(_)
            | SourceKind::Fixed(_)
            | SourceKind::Static
            | SourceKind::Mdns
            | SourceKind::Acs => [None; 3],
        };
        codes.into_iter().flatten()
    })
}

/// The options that hold a provisioning server for some source of the profile.
pub(super) fn source_options<'a>(
    turn: &Turn<'a>,
    chosen: Option<u8>,
) -> impl Iterator<Item = u8> + use<'a> {
    let profile = turn.profile;
    profile.sources.iter().flat_map(move |source| {
        let codes = match source.kind {
            SourceKind::Dhcp { option, .. } => [Some(option), None],
            SourceKind::DhcpChosen => [chosen, None],
            SourceKind::DhcpJoined => [Some(code::VENDOR_SPECIFIC), Some(code::TFTP_SERVER)],
            SourceKind::Pnp
            | SourceKind::Redirect(_)
            | SourceKind::Fixed(_)
            | SourceKind::Static
            | SourceKind::Mdns
            | SourceKind::Acs => [None; 2],
        };
        codes.into_iter().flatten()
    })
}
