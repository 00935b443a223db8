//! How phones learn the server's URL.

use bootstorm_emulator::profile::{Profile, SourceKind};

/// How phones learn the server's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// DHCP option 66 (FLY-60, GIG-03), or the option of the profile's first DHCP source.
    Dhcp,
    /// DHCP option 114 (GIG-03).
    Dhcp114,
    /// DHCP option 43 with the sub-options 66 and 67 (AUE-30 … AUE-34).
    Dhcp43,
    /// DHCP options 66 and 67, joined by the phone (AUE-26).
    Dhcp66And67,
    /// DHCP option 66 and the BOOTP `file` field, joined by the phone (AUE-29).
    Dhcp66AndFile,
    /// The vendor's redirect service, which the subject plays (GIG-03, AUE-40).
    Redirect,
    /// SIP PnP.
    Pnp,
    /// Typed in on the web page.
    Fixed,
}

/// How the redirect service tells a phone its URL (AUE-41).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RedirectAnswer {
    /// 200 with the URL as body.
    #[default]
    Body,
    /// 302 with the URL as Location.
    Location,
}

impl Discovery {
    /// Every way with the word for it in scenarios.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Dhcp, "dhcp"),
        (Self::Dhcp114, "dhcp-114"),
        (Self::Dhcp43, "dhcp-43"),
        (Self::Dhcp66And67, "dhcp-66-67"),
        (Self::Dhcp66AndFile, "dhcp-66-file"),
        (Self::Redirect, "redirect"),
        (Self::Pnp, "pnp"),
        (Self::Fixed, "fixed"),
    ];

    /// The word for it in scenarios.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(way, _)| *way == self);
        known.map_or("", |(_, word)| word)
    }

    /// In words, for ladders: `server found by DHCP`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Dhcp => "server found by DHCP",
            Self::Dhcp114 => "server found by DHCP option 114",
            Self::Dhcp43 => "server found by DHCP option 43",
            Self::Dhcp66And67 => "server found by DHCP options 66 and 67",
            Self::Dhcp66AndFile => "server found by DHCP option 66 and the BOOTP file field",
            Self::Redirect => "server named by the vendor's redirect service",
            Self::Pnp => "server found by SIP PnP",
            Self::Fixed => "server typed in on the web page",
        }
    }

    /// Whether it tells a phone a file rather than a directory, where there is one that holds
    /// everything.
    #[must_use]
    pub fn names_a_file(self) -> bool {
        match self {
            Self::Dhcp43 | Self::Dhcp66And67 | Self::Dhcp66AndFile | Self::Redirect | Self::Pnp => {
                true
            }
            Self::Dhcp | Self::Dhcp114 | Self::Fixed => false,
        }
    }

    /// Whether phones of a profile look there.
    #[must_use]
    pub fn is_had_by(self, profile: &Profile) -> bool {
        profile.sources.iter().any(|source| self.is(&source.kind))
    }

    /// The ways that phones of a profile have, in the order of `ALL`.
    pub fn of(profile: &Profile) -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter().map(|(way, _)| way);
        all.filter(|way| way.is_had_by(profile))
    }

    fn is(self, kind: &SourceKind) -> bool {
        match (self, kind) {
            (Self::Dhcp, SourceKind::Dhcp { option, .. }) => *option != 114,
            (Self::Dhcp114, SourceKind::Dhcp { option, .. }) => *option == 114,
            (Self::Dhcp, SourceKind::DhcpJoined)
            | (Self::Dhcp43 | Self::Dhcp66And67 | Self::Dhcp66AndFile, SourceKind::DhcpJoined)
            | (Self::Redirect, SourceKind::Redirect(_))
            | (Self::Pnp, SourceKind::Pnp)
            | (Self::Fixed, SourceKind::Fixed(_)) => true,
            _ => false,
        }
    }
}
