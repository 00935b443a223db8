//! What the parts of a run share: what they may look at and change, and what outlives them.

use crate::discovery::dhcp::Lease;
use crate::flash::Flash;
use crate::operator::Operator;
use crate::transfer::tftp::LastAck;

/// What outlives a walk and a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Carried {
    /// The number of the next fresh UDP port.
    pub(super) channel: u16,
    /// The number of the next TCP connection.
    pub(super) connection: u16,
    /// The last TFTP transfer's last ACK, in case the server missed it (RFC 1350 §6).
    pub(super) last_ack: Option<LastAck>,
}

/// What the run may look at and change besides its turn.
pub(super) struct Holdings<'a> {
    pub(super) flash: &'a mut Flash,
    pub(super) lease: Option<&'a Lease>,
    pub(super) profile_index: u16,
    /// Who answers what the phone asks.
    pub(super) operator: Option<&'a Operator>,
}
