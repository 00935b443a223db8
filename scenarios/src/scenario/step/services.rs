//! The services of a server, as steps name them.

use bootstorm_emulator::located::Slot;

/// Services of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Services(u16);

/// Each with its port as phones see it. What goes to another UDP port belongs to a transfer of
/// TFTP, what goes to another TCP port to the auto-configuration server.
const WORDS: [(Services, &str, &[u16]); 9] = [
    (Services(1), "dhcp", &[67]),
    (Services::TFTP, "tftp", &[69]),
    (Services(4), "ftp", &[21]),
    (Services(8), "http", &[80]),
    (Services(16), "https", &[443]),
    (Services::SIP, "sip", &[5_060, 7_777]),
    (Services(64), "ntp", &[123]),
    (Services(128), "mdns", &[5_353]),
    (Services::ACS, "acs", &[]),
];

impl Services {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(511);
    /// SIP: PnP, registrations, check-sync.
    pub const SIP: Self = Self(32);
    const TFTP: Self = Self(2);
    const ACS: Self = Self(256);

    /// Those of either.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those without the others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of the others are among them.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when it is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The service behind a UDP port of the server.
    #[must_use]
    pub fn of_udp(port: u16) -> Self {
        Self::at(port).unwrap_or(Self::TFTP)
    }

    /// The service behind a TCP port of the server.
    #[must_use]
    pub fn of_tcp(port: u16) -> Self {
        Self::at(port).unwrap_or(Self::ACS)
    }

    fn at(port: u16) -> Option<Self> {
        let mut known = WORDS.iter();
        let known = known.find(|(_, _, ports)| ports.contains(&port));
        known.map(|(service, ..)| *service)
    }

    /// As a list of their words; `all` for all.
    #[must_use]
    pub fn words(self) -> String {
        if self == Self::ALL {
            return "all services".to_owned();
        }
        let known = WORDS.iter().filter(|(service, ..)| self.has(*service));
        known
            .map(|(_, word, _)| *word)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// `services = ["tftp", "http"]`; all where nothing is said.
pub(super) fn read(slot: &Slot<'_>) -> Services {
    if !slot.is_given() {
        return Services::ALL;
    }
    let words = WORDS.map(|(service, word, _)| (service, word));
    let items = slot.list();
    let named = items.iter().filter_map(|item| item.word(&words));
    let services = named.fold(Services::NONE, Services::with);
    if items.is_empty() {
        slot.fault("no service (expected at least one; without 'services' all are meant)");
    }
    services
}
