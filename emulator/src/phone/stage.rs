//! The stages of a phone's life; each owns what only it needs.

use std::sync::Arc;

use super::run::Run;
use crate::clock::ClockClient;
use crate::event::{BootCause, Trigger};
use crate::time::Moment;

/// What a phone is doing.
#[derive(Debug)]
pub enum Stage {
    /// No power.
    Off,
    /// Coming up; the first packet leaves at `until`.
    Booting {
        /// When it is up.
        until: Moment,
        /// Why it comes up.
        cause: BootCause,
    },
    /// Waiting for a lease, then for a run with this trigger (if one is due at all).
    Addressing(Option<Trigger>),
    /// Waiting for the end of the random delay (FLY-86, FLY-104).
    Delaying {
        /// When the run starts.
        until: Moment,
        /// What it starts for.
        trigger: Trigger,
    },
    /// Waiting for the valid time that the vendor demands, then for a run with this trigger (if one
    /// is due at all; AUE-05, AUE-06).
    Timing {
        /// Asks for it.
        client: Box<ClockClient>,
        /// What the run starts for.
        trigger: Option<Trigger>,
    },
    /// In a provisioning run.
    Running(Box<Run>),
    /// Writing firmware to flash.
    Installing {
        /// When the phone reboots.
        until: Moment,
        /// The version it will run.
        version: Arc<str>,
    },
    /// Services restart; lease and address are kept (PND-32).
    SoftRebooting {
        /// When they are back.
        until: Moment,
    },
    /// Nothing to do but periodic timers.
    Idle,
}

/// A stage's name, for the table of legal moves and for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageName {
    /// `Stage::Off`
    Off,
    /// `Stage::Booting`
    Booting,
    /// `Stage::Addressing`
    Addressing,
    /// `Stage::Delaying`
    Delaying,
    /// `Stage::Timing`
    Timing,
    /// `Stage::Running`
    Running,
    /// `Stage::Installing`
    Installing,
    /// `Stage::SoftRebooting`
    SoftRebooting,
    /// `Stage::Idle`
    Idle,
}

impl Stage {
    /// The stage's name.
    #[must_use]
    pub fn name(&self) -> StageName {
        match self {
            Self::Off => StageName::Off,
            Self::Booting { .. } => StageName::Booting,
            Self::Addressing(_) => StageName::Addressing,
            Self::Delaying { .. } => StageName::Delaying,
            Self::Timing { .. } => StageName::Timing,
            Self::Running(_) => StageName::Running,
            Self::Installing { .. } => StageName::Installing,
            Self::SoftRebooting { .. } => StageName::SoftRebooting,
            Self::Idle => StageName::Idle,
        }
    }

    /// When the stage itself wants to be stepped.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Booting { until, .. }
            | Self::Delaying { until, .. }
            | Self::Installing { until, .. }
            | Self::SoftRebooting { until } => Some(*until),
            Self::Timing { client, .. } => Some(client.deadline()),
            Self::Running(run) => run.deadline(),
            Self::Off | Self::Addressing(_) | Self::Idle => None,
        }
    }
}

impl StageName {
    /// The table of legal moves. Power cut and reboot lead from anywhere to `Off` and `Booting`;
    /// a lost lease leads from every stage with an address back to `Addressing`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use StageName::{
            Addressing, Booting, Delaying, Idle, Installing, Off, Running, SoftRebooting, Timing,
        };
        match (self, next) {
            (_, Off | Booting) => true,
            (Off | Installing, _) => false,
            (Booting, Addressing) => true,
            (Booting, _) => false,
            (Addressing, Delaying | Timing | Running | Idle) => true,
            (Addressing, _) => false,
            (Delaying | Timing | Running | SoftRebooting | Idle, Addressing) => true,
            (Delaying, Timing | Running) => true,
            (Delaying, _) => false,
            (Timing, Running | Idle) => true,
            (Timing, _) => false,
            (Running, Installing | SoftRebooting | Idle) => true,
            (Running, _) => false,
            (SoftRebooting, Timing | Running) => true,
            (SoftRebooting, _) => false,
            (Idle, Timing | Running) => true,
            (Idle, _) => false,
        }
    }
}
