//! The words of TR-069 in the vocabulary: calls that were answered, events that were told.

/// A remote procedure call that a phone answered (TR-069 Annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rpc {
    /// GetRPCMethods
    GetRpcMethods,
    /// GetParameterValues
    GetParameterValues,
    /// SetParameterValues
    SetParameterValues,
    /// GetParameterNames
    GetParameterNames,
    /// GetParameterAttributes
    GetParameterAttributes,
    /// SetParameterAttributes
    SetParameterAttributes,
    /// AddObject
    AddObject,
    /// DeleteObject
    DeleteObject,
    /// Download
    Download,
    /// Reboot
    Reboot,
    /// FactoryReset
    FactoryReset,
    /// ScheduleInform
    ScheduleInform,
    /// One that the phone does not know.
    Unknown,
}

/// The events that an Inform reports (TR-069 §3.7.1.5), as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InformEvents(pub u16);

impl InformEvents {
    /// Every event code with its bit, in the order in which an Inform lists them.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::BOOTSTRAP, "0 BOOTSTRAP"),
        (Self::BOOT, "1 BOOT"),
        (Self::PERIODIC, "2 PERIODIC"),
        (Self::VALUE_CHANGE, "4 VALUE CHANGE"),
        (Self::CONNECTION_REQUEST, "6 CONNECTION REQUEST"),
        (Self::TRANSFER_COMPLETE, "7 TRANSFER COMPLETE"),
        (Self::M_REBOOT, "M Reboot"),
        (Self::M_DOWNLOAD, "M Download"),
        (Self::SCHEDULED, "3 SCHEDULED"),
        (Self::DIAGNOSTICS, "8 DIAGNOSTICS COMPLETE"),
    ];
    /// First contact with this ACS URL, or after a factory reset.
    pub const BOOTSTRAP: Self = Self(1);
    /// Power-up or reboot.
    pub const BOOT: Self = Self(1 << 1);
    /// The inform period is over.
    pub const PERIODIC: Self = Self(1 << 2);
    /// A parameter whose change is to be told changed.
    pub const VALUE_CHANGE: Self = Self(1 << 3);
    /// The ACS asked for the session.
    pub const CONNECTION_REQUEST: Self = Self(1 << 4);
    /// A download is over.
    pub const TRANSFER_COMPLETE: Self = Self(1 << 5);
    /// The reboot that the ACS ordered.
    pub const M_REBOOT: Self = Self(1 << 6);
    /// The download that the ACS ordered.
    pub const M_DOWNLOAD: Self = Self(1 << 7);
    /// A session asked for by ScheduleInform.
    pub const SCHEDULED: Self = Self(1 << 8);
    /// Diagnostics are over.
    pub const DIAGNOSTICS: Self = Self(1 << 9);

    /// Both sets.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left to be told after a session that failed: all but the request that led to it
    /// (TR-069 §3.7.1.5).
    #[must_use]
    pub fn again(self) -> Self {
        Self(self.0 & !Self::CONNECTION_REQUEST.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
