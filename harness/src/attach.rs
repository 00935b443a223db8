//! Attachments: how a shard’s packets reach the subject.
//!
//! | module | phone's IP | the network |
//! |---|---|---|
//! | `memory` | simulated | simulated; virtual time |
//! | `loopback` | 127.x.y.z, one each | the kernel's loopback; no privilege needed |
//!
//! Both carry the conditions of the phones' links.
//!
//! `held` keeps what is under way on slow links of a real attachment. `sip` owns the SIP port that
//! all shards of a real attachment share, `cwmp` the port of connection requests.

pub mod cwmp;
pub mod held;
pub mod loopback;
pub mod memory;
pub mod sip;

use bootstorm_emulator::phone::io::Channel;
use bootstorm_emulator::shelf::Ports;
use bootstorm_scenarios::link::Lines;

use crate::fleet::shard::Shard;

/// The DHCP client's port.
const DHCP_CLIENT_PORT: u16 = 68;
/// The first of the ports that stand for `Channel::Fresh`; the emulator numbers those below
/// `FRESH_CHANNELS`.
const FRESH_PORT: u16 = 49_200;

/// Ways there and back before an FTP server begins to send: connecting, the greeting, USER, PASS,
/// TYPE, PASV or PORT, the data connection. RETR is the next one's first half.
pub(crate) const FTP_ROUNDS: u32 = 7;

/// The links of a shard's phones, where any has conditions.
fn lines(shard: &Shard) -> Option<Lines> {
    let phones = (0..).map_while(|slot| shard.phone(slot));
    Lines::new(&shard.plan, phones.map(|phone| phone.identity().index))
}

/// The UDP port of a channel on a simulated network.
pub(crate) fn port_of(channel: Channel, ports: Ports) -> u16 {
    match channel {
        Channel::Dhcp => DHCP_CLIENT_PORT,
        Channel::Sip => ports.sip,
        Channel::Pnp => ports.pnp,
        Channel::Fresh(number) => FRESH_PORT.saturating_add(number),
    }
}

/// The channel of a port; the inverse of `port_of`.
fn channel_of(port: u16, ports: Ports) -> Option<Channel> {
    match port {
        DHCP_CLIENT_PORT => Some(Channel::Dhcp),
        port if port == ports.sip => Some(Channel::Sip),
        port if port == ports.pnp => Some(Channel::Pnp),
        port => port.checked_sub(FRESH_PORT).map(Channel::Fresh),
    }
}
