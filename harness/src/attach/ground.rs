//! What carries DHCP for the phones of a real attachment, and makes their leases usable. All the
//! rest of their traffic goes through the same sockets on every ground.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;

use super::lan::{Device, Segment};
use super::relay::Relay;

/// A real attachment's side of the network.
#[derive(Debug, Clone)]
pub enum Ground {
    /// The loopback network: broadcasts in relay form from this address, one for each shard.
    Loopback(Ipv4Addr),
    /// A real segment.
    Lan(Arc<Segment>),
    /// A DHCP server some hops away.
    Relay(Arc<Relay>),
}

impl Ground {
    /// The interface that everything leaves by; `None` on loopback, and where leases may be routed
    /// anywhere.
    #[must_use]
    pub fn device(&self) -> Option<&Device> {
        match self {
            Self::Lan(segment) => Some(segment.device()),
            Self::Loopback(_) | Self::Relay(_) => None,
        }
    }

    /// A phone took an address, or gave one up.
    pub fn address(&self, mac: Mac, before: Ipv4Addr, now: Option<Ipv4Addr>) {
        match self {
            Self::Loopback(_) => {}
            Self::Lan(segment) => segment.address(mac, before, now),
            Self::Relay(relay) => relay.address(before, now),
        }
    }
}
