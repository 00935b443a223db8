//! TR-069 on the phone's side: sessions with an auto-configuration server (ACS), the calls that it
//! makes in them, the data model that they work on (FAN-113 … FAN-125).
//!
//! ```text
//! POST Inform → InformResponse → own requests (TransferComplete) → empty POST
//!   → call → POST response → … → 204: over
//! ```
//!
//! What a session leads to (a reboot, a download) is carried out by the phone when the session is
//! over; what must outlive a reboot is in `memory`, a part of flash.

mod inform;
pub mod memory;
mod model;
pub mod retry;
mod rpc;
pub(crate) mod session;
pub(crate) mod transfer;

use crate::clock::WallClock;
use crate::flash::Flash;
use crate::phone::turn::Turn;
use crate::profile::cwmp::CwmpSpec;
use crate::time::Moment;
use memory::AcsMemory;

/// What the phone is to a session: its surroundings and what it holds.
pub(crate) struct Device<'a, 't> {
    pub(crate) turn: &'a mut Turn<'t>,
    pub(crate) flash: &'a mut Flash,
    /// The time of day, where the phone knows it.
    pub(crate) clock: Option<WallClock>,
    /// When the phone came up.
    pub(crate) up: Moment,
}

impl<'t> Device<'_, 't> {
    /// How the profile speaks CWMP. Without it there is no session.
    fn spec(&self) -> Option<&'t CwmpSpec> {
        self.turn.profile.cwmp.as_ref()
    }

    /// What the phone remembers of its server.
    fn memory(&mut self) -> &mut AcsMemory {
        self.flash.acs_memory()
    }

    /// Seconds from 1970, where the phone knows the time.
    fn unix_s(&self) -> Option<u64> {
        self.clock.map(|clock| clock.unix_s(self.turn.now))
    }
}

/// A time as XML has it (TR-106 §3.2.1); `UNKNOWN_TIME` where the phone has none.
fn date_time(unix_s: Option<u64>) -> String {
    let Some(unix_s) = unix_s else {
        return crate::wire::soap::UNKNOWN_TIME.to_owned();
    };
    let (days, rest) = (unix_s / 86_400, unix_s % 86_400);
    // Days to a date in the proleptic Gregorian calendar, counted from 0000-03-01.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era.saturating_mul(400) + later;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// What a fault code is called (TR-069 A.5.1).
fn fault_text(code: u16) -> &'static str {
    match code {
        0 => "",
        9_000 => "Method not supported",
        9_001 => "Request denied",
        9_003 => "Invalid arguments",
        9_004 => "Resources exceeded",
        9_005 => "Invalid parameter name",
        9_006 => "Invalid parameter type",
        9_007 => "Invalid parameter value",
        9_008 => "Attempt to set a non-writable parameter",
        9_009 => "Notification request rejected",
        9_010 => "Download failure",
        9_012 => "File transfer server authentication failure",
        9_013 => "Unsupported protocol for file transfer",
        9_015 => "Download failure: unable to contact file server",
        9_016 => "Download failure: unable to access file",
        9_017 => "Download failure: unable to complete download",
        9_018 => "Download failure: file corrupted",
        9_019 => "Download failure: file authentication failure",
        _ => "Internal error",
    }
}

#[cfg(test)]
mod tests;
