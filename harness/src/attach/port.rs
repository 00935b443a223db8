//! The UDP ports of a phone's channels on a simulated network, and in records.

use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::wire::port;

/// The first of the ports that stand for `Channel::Fresh`; the emulator numbers those below
/// `FRESH_CHANNELS`.
const FRESH_PORT: u16 = 49_200;

/// The UDP port of a channel on a simulated network.
pub(crate) fn port_of(channel: Channel, ports: Ports) -> u16 {
    match channel {
        Channel::Dhcp => port::DHCP_CLIENT,
        Channel::Sip => ports.sip,
        Channel::Pnp => ports.pnp,
        Channel::Fresh(number) => FRESH_PORT.saturating_add(number),
    }
}

/// The channel of a port; the inverse of `port_of`.
pub(crate) fn channel_of(port: u16, ports: Ports) -> Option<Channel> {
    match port {
        port::DHCP_CLIENT => Some(Channel::Dhcp),
        port if port == ports.sip => Some(Channel::Sip),
        port if port == ports.pnp => Some(Channel::Pnp),
        port => port.checked_sub(FRESH_PORT).map(Channel::Fresh),
    }
}
