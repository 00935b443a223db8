//! What carries DHCP for the phones of a real attachment, and makes their leases usable. All the
//! rest of their traffic goes through the same sockets on every ground.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;

use super::lan::Segment;
use super::reach::Reach;
use super::relay::Relay;
use crate::drive::udp::Device;

/// Sentences of one kind that are kept; the same is told once.
const SENTENCES_MAX: usize = 32;

/// What an attachment tells of a run.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What happened on the network.
    pub notes: BTreeSet<String>,
    /// Why the run judges this side and not the subject.
    pub voids: BTreeSet<String>,
    /// Frames and datagrams that this side dropped.
    pub dropped: u64,
}

impl Told {
    pub(super) fn note(&mut self, sentence: String) {
        keep(&mut self.notes, sentence);
    }

    /// Whether DHCP may go there, which is told where it may not: whatever names it, a server's own
    /// word included, nothing leaves the networks of the run.
    pub(super) fn lets(&mut self, reach: Reach, to: Ipv4Addr) -> bool {
        let lets = reach.contains(to);
        if !lets {
            self.note(format!(
                "DHCP to {to} was not sent: it is outside the networks that this run may reach \
                 ({reach})"
            ));
        }
        lets
    }

    pub(super) fn void(&mut self, sentence: String) {
        keep(&mut self.voids, sentence);
    }
}

fn keep(sentences: &mut BTreeSet<String>, sentence: String) {
    if sentences.len() < SENTENCES_MAX {
        sentences.insert(sentence);
    }
}

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
