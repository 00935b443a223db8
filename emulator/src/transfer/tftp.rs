//! The TFTP client: one read request to its last ACK (RFC 1350, 2347, 2348, 2349).

use std::net::SocketAddrV4;

use super::Ending;
use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::time::Moment;

/// One transfer.
#[derive(Debug)]
pub struct TftpClient {}

impl TftpClient {
    /// Sends the read request for `name` (as it goes on the wire) from `channel`; the body may
    /// have `limit` bytes. Habits come from `turn.profile.tftp`.
    pub fn start(
        _turn: &mut Turn<'_>,
        _step: StepId,
        _channel: Channel,
        _server: SocketAddrV4,
        _name: &[u8],
        _limit: usize,
    ) -> Self {
        Self {}
    }

    /// Takes a datagram that arrived on the transfer's channel.
    pub fn datagram(
        &mut self,
        _turn: &mut Turn<'_>,
        _from: SocketAddrV4,
        _bytes: &[u8],
    ) -> Option<Ending> {
        None
    }

    /// Does what is due at `turn.now`.
    pub fn tick(&mut self, _turn: &mut Turn<'_>) -> Option<Ending> {
        None
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        Moment::ZERO
    }

    /// The channel it was started on.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel::Fresh(0)
    }
}
