//! `--capture`

use clap::ValueEnum;

use crate::capture::Which;

/// Whose packets are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Packets {
    /// Those of every phone
    All,
    /// Those of phones that fail, and of a sample of about 16 others
    Failed,
    /// Nobody's: no capture is written
    None,
}

impl From<Packets> for Which {
    fn from(packets: Packets) -> Self {
        match packets {
            Packets::All => Self::All,
            Packets::Failed => Self::Failed,
            Packets::None => Self::None,
        }
    }
}
