//! What a phone remembers of its auto-configuration server through a reboot.

use std::time::Duration;

use crate::limits::{ACS_ORDERS_PER_HOUR_MAX, ACS_TRANSFERS_MAX};
use crate::profile::cwmp::Row;
use crate::time::Moment;
use crate::url::Url;

/// Reboots ordered and not told yet.
const REBOOTS_MAX: usize = 8;

const HOUR: Duration = Duration::from_secs(3_600);

/// The memory. Cleared by a factory reset (TR-069 A.4.1.6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcsMemory {
    /// The URL of the server that answered an Inform last; another one is met with 0 BOOTSTRAP.
    pub known_to: Box<str>,
    /// The last ParameterKey (TR-069 A.3.2.1).
    pub parameter_key: Box<str>,
    /// What SetParameterAttributes set, by the parameter's place in the profile.
    pub attributes: Vec<Attribute>,
    /// Instances that AddObject made.
    pub added: Vec<Row>,
    /// Downloads ordered and not told yet, in order; at most `ACS_TRANSFERS_MAX`.
    pub transfers: Vec<Transfer>,
    /// CommandKeys of reboots ordered and not told yet.
    pub reboots: Vec<Box<str>>,
    /// Downloads ordered within the present hour, and when it began.
    pub orders: (Moment, u16),
    /// A print of each value whose change is to be told, as the server knows it.
    pub told: Vec<(u16, u64)>,
}

/// The attributes of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its place in `CwmpSpec::parameters`.
    pub place: u16,
    /// 0 off, 1 passive, 2 active.
    pub notification: u8,
    /// `Subscriber` may write it too.
    pub subscriber: bool,
}

/// A download that the server ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// CommandKey
    pub key: Box<str>,
    /// What is to be had.
    pub holds: Holds,
    /// Where, with the credentials that the server gave.
    pub url: Box<Url>,
    /// How far it is.
    pub stage: TransferStage,
    /// When it began and ended, seconds from 1970, where the phone knows the time.
    pub times: (Option<u64>, Option<u64>),
    /// Times it was begun.
    pub tries: u8,
}

/// What a download holds (TR-069 A.3.2.8, FAN-122).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// `1 Firmware Upgrade Image`
    Firmware,
    /// `3 Vendor Configuration File`
    Configuration,
    /// Any other: kept, not looked at.
    File,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferStage {
    /// Not begun; it may from this moment on.
    Queued(Moment),
    /// A run is at it.
    Running,
    /// The image is being installed.
    Installing,
    /// Over, with this fault code (0 = none), and the server does not know yet.
    Done(u16),
}

impl Transfer {
    /// It is over and the server does not know yet.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.stage, TransferStage::Done(_))
    }
}

impl AcsMemory {
    /// Remembers an ordered reboot; of too many the oldest is forgotten.
    pub fn ordered_reboot(&mut self, key: &str) {
        if self.reboots.len() >= REBOOTS_MAX {
            self.reboots.remove(0);
        }
        self.reboots.push(key.into());
    }

    /// Counts an order; false when the hour's bound is reached: a server that orders one with
    /// every session would keep the phone busy for ever.
    pub fn may_order(&mut self, now: Moment) -> bool {
        let (since, count) = self.orders;
        if now.since(since) >= HOUR || count == 0 {
            self.orders = (now, 1);
            return true;
        }
        self.orders.1 = count.saturating_add(1);
        count < ACS_ORDERS_PER_HOUR_MAX
    }

    /// Remembers an ordered download; false when there is no room.
    pub fn ordered(&mut self, transfer: Transfer) -> bool {
        let room = self.transfers.len() < ACS_TRANSFERS_MAX;
        if room {
            self.transfers.push(transfer);
        }
        room
    }

    /// Downloads that are over and not told.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.transfers.iter().any(Transfer::is_done)
    }

    /// When the next download may begin.
    #[must_use]
    pub fn next_transfer(&self) -> Option<Moment> {
        let queued = self.transfers.iter().filter_map(|held| match held.stage {
            TransferStage::Queued(due) => Some(due),
            _ => None,
        });
        queued.min()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let keys: usize = self.reboots.iter().map(|key| key.len()).sum();
        let transfers = self.transfers.iter();
        let transfers: usize = transfers
            .map(|held| {
                held.key.len() + size_of::<Url>() + held.url.path.len() + held.url.host.len()
            })
            .sum();
        self.known_to.len()
            + self.parameter_key.len()
            + keys
            + transfers
            + self.attributes.capacity() * size_of::<Attribute>()
            + self.added.capacity() * size_of::<Row>()
            + self.transfers.capacity() * size_of::<Transfer>()
            + self.reboots.capacity() * size_of::<Box<str>>()
            + self.told.capacity() * size_of::<(u16, u64)>()
    }
}
