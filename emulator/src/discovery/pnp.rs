//! The SIP PnP client: multicast SUBSCRIBE, 200 OK, NOTIFY with a URL.

use std::net::SocketAddrV4;

use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::time::Moment;

/// One search.
#[derive(Debug)]
pub struct PnpClient {}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PnpResult {
    /// A NOTIFY named this URL.
    Url(String),
    /// Nobody answered with a usable URL.
    Nothing,
}

impl PnpClient {
    /// Sends the first SUBSCRIBE, as `turn.profile.pnp` says; `None` when the profile has none.
    pub fn start(_turn: &mut Turn<'_>) -> Option<Self> {
        None
    }

    /// Takes a datagram that arrived at the client's channel.
    pub fn datagram(
        &mut self,
        _turn: &mut Turn<'_>,
        _from: SocketAddrV4,
        _bytes: &[u8],
    ) -> Option<PnpResult> {
        None
    }

    /// Does what is due at `turn.now`.
    pub fn tick(&mut self, _turn: &mut Turn<'_>) -> Option<PnpResult> {
        None
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        Moment::ZERO
    }

    /// The channel it listens on.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel::Pnp
    }
}
