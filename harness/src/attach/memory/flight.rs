//! What is under way on the simulated network, in the order in which it arrives.

use std::cmp::Ordering;
use std::net::SocketAddrV4;

use bootstorm_emulator::phone::io::{Channel, ConnectionFault};
use bootstorm_emulator::time::Moment;

use crate::fleet::shard::End;
use crate::reference::Endpoint;

/// Something under way; ordered by arrival, then by departure.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) at: Moment,
    pub(super) number: u64,
    pub(super) cargo: Cargo,
}

/// What a flight carries.
#[derive(Debug)]
pub(super) enum Cargo {
    Up {
        to: Endpoint,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Down {
        slot: u32,
        channel: Channel,
        from: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Opened(End),
    Refused(End),
    StreamUp(End, Vec<u8>),
    StreamDown(End, Vec<u8>),
    StreamEnd(End),
    Broken(End, ConnectionFault),
    /// An FTP dialogue has come to the point where the file is to be sent.
    Retrieved(End),
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
