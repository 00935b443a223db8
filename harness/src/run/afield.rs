//! Runs beyond this machine's loopback: on a real segment, or behind a relay agent.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::port;
use bootstorm_reports::run::{Endpoint, RunFacts};
use bootstorm_scenarios::plan::Plan;
use tokio::sync::mpsc;

use super::{Ended, Orders, RELAYS, RunFault, boot};
use crate::attach::carrier::Arrival;
use crate::attach::ground::{Ground, Told};
use crate::attach::lan::Attached;
use crate::attach::preflight::{Interface, Use, neighbours};
use crate::attach::relay::Relaying;
use crate::drive::tls::Trust;
use crate::drive::udp::Device;
use crate::fleet::network::Farewell;
use crate::subject::Subject;

/// Where a run's phones are attached.
#[derive(Debug)]
pub(super) enum Field {
    Loopback,
    Lan(Attached, Vec<mpsc::Receiver<Arrival>>),
    Relay(Relaying, Vec<mpsc::Receiver<Arrival>>),
}

/// What a shard has of it.
pub(super) type Share = (Ground, Option<mpsc::Receiver<Arrival>>);

/// Boots the plan's phones beyond loopback against a subject, whose `reach` names the networks that
/// they may send to. Nothing of the built-in server is there.
///
/// # Errors
/// `RunFault`; all that was laid down on this machine is taken away.
pub fn afield(
    plan: &Arc<Plan>,
    subject: &Subject,
    trust: &Arc<Trust>,
    orders: &Orders,
    (interface, purpose): (&Interface, Use),
) -> Result<Ended, RunFault> {
    let shards = super::shards(orders) as usize;
    let field = match purpose {
        Use::Segment => {
            let macs = (0..plan.phones()).filter(|index| {
                let only = orders.only;
                only.is_none_or(|only| only == *index)
            });
            let macs = macs.filter_map(|index| plan.phone(index));
            let macs: Vec<Mac> = macs.map(|phone| phone.identity.mac).collect();
            Attached::start(interface, subject.reach, &macs, shards)
                .map(|(attached, leases)| Field::Lan(attached, leases))
        }
        Use::Relay => Relaying::start(interface, subject.reach, shards)
            .map(|(relaying, leases)| Field::Relay(relaying, leases)),
    };
    let field = field.map_err(RunFault::Attach)?;
    boot(plan, (subject, trust), orders, None, field)
}

impl Field {
    /// Its word, as reports have it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Lan(..) => "lan",
            Self::Relay(..) => "relay",
        }
    }

    /// Whether phones give their leases back at the end: loopback's are forgotten with its server.
    pub(super) fn is_afield(&self) -> bool {
        !matches!(self, Self::Loopback)
    }

    /// The interface that everything leaves by.
    pub(super) fn device(&self) -> Option<&Device> {
        match self {
            Self::Lan(attached, _) => Some(attached.segment.device()),
            Self::Loopback | Self::Relay(..) => None,
        }
    }

    /// The port that phones' SIP leaves from and comes to; 0 = any.
    pub(super) fn sip_port(&self) -> u16 {
        if self.is_afield() { port::SIP } else { 0 }
    }

    /// What each shard has of it; once.
    pub(super) fn shares(&mut self, count: u32) -> Vec<Share> {
        match self {
            Self::Loopback => (0..count)
                .map(|number| Ipv4Addr::from(u32::from(RELAYS) + number))
                .map(|relay| (Ground::Loopback(relay), None))
                .collect(),
            Self::Lan(attached, leases) => std::mem::take(leases)
                .into_iter()
                .map(|lease| (Ground::Lan(Arc::clone(&attached.segment)), Some(lease)))
                .collect(),
            Self::Relay(relaying, leases) => std::mem::take(leases)
                .into_iter()
                .map(|lease| (Ground::Relay(Arc::clone(&relaying.relay)), Some(lease)))
                .collect(),
        }
    }

    /// Has the phones take their leave: what is to be told.
    pub(super) fn close(self, farewells: &[Farewell]) -> Told {
        match self {
            Self::Loopback => Told::default(),
            Self::Lan(attached, _) => attached.close(farewells),
            Self::Relay(relaying, _) => relaying.close(farewells),
        }
    }
}

/// Adds to the facts what is judged, and where phones may send to.
pub(super) fn tell(facts: &mut RunFacts, plan: &Plan, subject: &Subject) {
    for (service, address, given) in subject.endpoints() {
        if given {
            facts.subject.insert(Endpoint {
                service: service.to_owned(),
                address: address.to_string(),
            });
        }
    }
    let reach = subject.reach;
    facts
        .notes
        .insert(format!("phones reach {reach} and nothing else"));
    facts.notes.extend(neighbours(plan.phones()));
}
