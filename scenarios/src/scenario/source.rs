//! How phones learn the server's URL.

use bootstorm_emulator::profile::{Param, Profile, SourceKind};

/// The DHCP option of `Discovery::DhcpCustom` where the scenario names none.
pub const CUSTOM_OPTION: u8 = 128;

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
    /// DHCP option 43 as plain text, chosen on the web page (FAN-64, FAN-71).
    Dhcp43Plain,
    /// A DHCP option of the site's own, chosen on the web page: `Fleet::option` (FAN-65, FAN-73).
    DhcpCustom,
    /// SIP PnP over TCP, at a server that is typed in on the web page (FAN-93).
    PnpTcp,
    /// A multicast DNS query (FAN-03).
    Mdns,
    /// A download that the auto-configuration server orders (FAN-122).
    Acs,
    /// The static server's fields on the web page (FAN-108).
    Static,
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
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Dhcp, "dhcp"),
        (Self::Dhcp114, "dhcp-114"),
        (Self::Dhcp43, "dhcp-43"),
        (Self::Dhcp66And67, "dhcp-66-67"),
        (Self::Dhcp66AndFile, "dhcp-66-file"),
        (Self::Redirect, "redirect"),
        (Self::Pnp, "pnp"),
        (Self::Fixed, "fixed"),
        (Self::Dhcp43Plain, "dhcp-43-plain"),
        (Self::DhcpCustom, "dhcp-custom"),
        (Self::PnpTcp, "pnp-tcp"),
        (Self::Mdns, "mdns"),
        (Self::Acs, "acs"),
        (Self::Static, "static"),
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
            Self::Dhcp43Plain => "server found by DHCP option 43 in plain text",
            Self::DhcpCustom => "server found by a DHCP option of the site's own",
            Self::PnpTcp => "server found by SIP PnP over TCP",
            Self::Mdns => "server found by multicast DNS",
            Self::Acs => "download ordered by the auto-configuration server",
            Self::Static => "static server of the web page",
        }
    }

    /// Whether it tells a phone a file rather than a directory, where there is one that holds
    /// everything.
    #[must_use]
    pub fn names_a_file(self) -> bool {
        match self {
            Self::Dhcp43
            | Self::Dhcp66And67
            | Self::Dhcp66AndFile
            | Self::Redirect
            | Self::Pnp
            | Self::PnpTcp
            | Self::Acs => true,
            Self::Dhcp
            | Self::Dhcp114
            | Self::Fixed
            | Self::Dhcp43Plain
            | Self::DhcpCustom
            | Self::Mdns
            | Self::Static => false,
        }
    }

    /// Whether phones of a profile look there.
    #[must_use]
    pub fn is_had_by(self, profile: &Profile) -> bool {
        let mut sources = profile.sources.iter();
        match self {
            // Its sessions are beside the search, whether it is a source too or not.
            Self::Acs => profile.cwmp.is_some(),
            Self::PnpTcp if !names(profile, Param::PnpTransport) => false,
            _ => sources.any(|source| self.is(&source.kind)),
        }
    }

    /// The switches that must be on for a phone of a profile to look there.
    pub(crate) fn switches(self, profile: &Profile) -> impl Iterator<Item = Param> + use<'_> {
        let sources = profile.sources.iter();
        let meant = sources.filter(move |source| self.is(&source.kind));
        meant.flat_map(|source| source.enabled_by.iter().copied())
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
            (Self::Dhcp | Self::Dhcp43Plain | Self::DhcpCustom, SourceKind::DhcpChosen)
            | (Self::Dhcp, SourceKind::DhcpJoined)
            | (Self::Dhcp43 | Self::Dhcp66And67 | Self::Dhcp66AndFile, SourceKind::DhcpJoined)
            | (Self::Redirect, SourceKind::Redirect(_))
            | (Self::Pnp | Self::PnpTcp, SourceKind::Pnp)
            | (Self::Static, SourceKind::Static)
            | (Self::Mdns, SourceKind::Mdns)
            | (Self::Acs, SourceKind::Acs)
            | (Self::Fixed, SourceKind::Fixed(_)) => true,
            _ => false,
        }
    }
}

/// Whether the phones of a profile have a field: the profile says which clause it comes from, or
/// which keys set it.
pub(crate) fn names(profile: &Profile, param: Param) -> bool {
    let spec = profile.params.get(param as usize);
    spec.is_some_and(|spec| !spec.clauses.is_empty() || !spec.keys.is_empty())
}
