//! Sources of candidates: the state machines that find a provisioning server.

pub mod dhcp;
pub mod joined;
pub mod mdns;
pub mod pnp;
pub mod redirect;
