//! SIP requests from outside a dialog: check-sync (FLY-99 … FLY-103).

use std::net::SocketAddrV4;

use super::io::Channel;
use super::turn::Turn;

/// What a SIP request asks of the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckSync {
    /// `reboot=true` was given.
    pub reboot: bool,
    /// A hash of the SIP transaction: equal for a retransmission.
    pub transaction: u64,
}

/// Answers a SIP request that arrived at the SIP port; `Some` when it is a check-sync.
pub fn sip_request(
    _turn: &mut Turn<'_>,
    _channel: Channel,
    _from: SocketAddrV4,
    _bytes: &[u8],
) -> Option<CheckSync> {
    None
}
