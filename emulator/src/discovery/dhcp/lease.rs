//! The lease as a phone keeps it between two steps.

use std::net::Ipv4Addr;

use crate::event::{EventKind, Limit};
use crate::limits::URL_BYTES_MAX;
use crate::phone::turn::Turn;
use crate::profile::SourceKind;
use crate::wire::dhcp::{Message, text};

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
}

impl Lease {
    /// The raw value of an option that was kept.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let found = self.options.iter().find(|(known, _)| *known == code);
        found.map(|(_, value)| &**value)
    }

    /// An option as text, without the NUL that some servers count into it (AUE-35); `None` when
    /// it was not there, is not UTF-8 or is empty.
    #[must_use]
    pub fn text(&self, code: u8) -> Option<&str> {
        text(self.option(code)?).filter(|text| !text.is_empty())
    }
}

/// What of an ACK the profile's sources use, each option once.
pub(super) fn kept_options(turn: &mut Turn<'_>, message: &Message<'_>) -> Box<[(u8, Box<[u8]>)]> {
    let mut kept: Vec<(u8, Box<[u8]>)> = Vec::new();
    let profile = turn.profile;
    for source in &profile.sources {
        let SourceKind::Dhcp {
            option,
            file_option,
        } = source.kind
        else {
            continue;
        };
        for code in std::iter::once(option).chain(file_option) {
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
    }
    kept.into_boxed_slice()
}
