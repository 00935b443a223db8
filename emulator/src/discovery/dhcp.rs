//! The DHCP client: DISCOVER to ACK, renewal, rebinding, release (RFC 2131).

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::phone::turn::Turn;
use crate::time::Moment;

/// The client; lives as long as the phone is on.
#[derive(Debug, Default)]
pub struct DhcpClient {}

/// A lease as the phone keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The phone's address.
    pub address: Ipv4Addr,
    /// The server that gave it (option 54).
    pub server: Ipv4Addr,
    /// Options that the profile's sources use, raw: code and value.
    pub options: Box<[(u8, Box<[u8]>)]>,
}

/// What changed about the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseNews {
    /// The phone has an address; the start of everything else.
    Bound,
    /// The address is gone: the phone starts over by itself.
    Lost,
}

impl DhcpClient {
    /// Begins with DISCOVER. `with_67` adds the profile's `parameters_with_67`.
    pub fn start(&mut self, _turn: &mut Turn<'_>, _with_67: bool) {}

    /// Takes a datagram that arrived at port 68.
    pub fn datagram(
        &mut self,
        _turn: &mut Turn<'_>,
        _from: SocketAddrV4,
        _bytes: &[u8],
    ) -> Option<LeaseNews> {
        None
    }

    /// Does what is due at `turn.now`.
    pub fn tick(&mut self, _turn: &mut Turn<'_>) -> Option<LeaseNews> {
        None
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Gives the lease back (RFC 2131 §4.4.6) and stops.
    pub fn release(&mut self, _turn: &mut Turn<'_>) {}

    /// The present lease.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        None
    }
}
