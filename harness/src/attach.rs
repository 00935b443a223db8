//! Attachments: how a shard’s packets reach the subject.
//!
//! | module | phone's IP | the network |
//! |---|---|---|
//! | `memory` | simulated | simulated; virtual time |
//! | `loopback` | 127.x.y.z, one each | the kernel's loopback; no privilege needed |
//! | `lan` | from the lease | a real segment: DHCP and ARP from each phone's own MAC |
//! | `relay` | from the lease, routed here | a DHCP server some hops away, in relay form |
//!
//! All carry the conditions of the phones' links. `ground` is what the real ones differ in; the
//! rest of `lan` and `relay` is `loopback`'s. `reach` says where their phones may send to.
//!
//! `carrier` is what `lan` and `relay` share, with `preflight` (what a run on an interface needs of
//! this machine), `route` (the phones' addresses in the kernel) and `traces` (nftables and routing
//! rules, taken away whatever happens).
//!
//! `underway` keeps what is on its way on slow links of a real attachment, in `buffers` that are
//! used again. `sip` owns the SIP port that all shards of a real attachment share, `cwmp` the port
//! of connection requests; `port` numbers the ports that channels have where the network is
//! simulated.

mod buffers;
pub mod carrier;
pub mod cwmp;
pub mod ground;
pub mod lan;
pub mod loopback;
pub mod memory;
pub(crate) mod port;
pub mod preflight;
pub mod reach;
pub mod relay;
mod route;
pub mod sip;
pub mod traces;
pub mod underway;

use bootstorm_scenarios::link::Lines;

use crate::fleet::shard::Shard;

/// Ways there and back before an FTP server begins to send: connecting, the greeting, USER, PASS,
/// TYPE, PASV or PORT, the data connection. RETR is the next one's first half.
pub(crate) const FTP_ROUNDS: u32 = 7;

/// The links of a shard's phones, where any has conditions.
fn lines(shard: &Shard) -> Option<Lines> {
    let phones = (0..).map_while(|slot| shard.phone(slot));
    Lines::new(&shard.plan, phones.map(|phone| phone.identity().index))
}
