//! Runs beyond this machine's loopback: what `run` is told of the interface and of the networks.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::wire::port;
use bootstorm_scenarios::plan::Plan;

use super::boot::Given;
use super::subject::Endpoint;
use super::{Attachment, RunArguments, Trouble};
use crate::attach::preflight::{self, Interface, Use};
use crate::attach::reach::{NETWORKS_MAX, Network, Reach};
use crate::built_in::with_elsewhere;
use crate::drive::tls::Trust;
use crate::preamble;
use crate::run::{self, Ended, Orders};
use crate::subject::Subject;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct AfieldArguments {
    /// The interface that phones are attached to, with --attach lan, or whose address stands in the
    /// messages of --attach relay
    #[arg(long, value_name = "NAME")]
    pub(super) interface: Option<String>,
    /// A network that phones may send to besides those of the interface, as 10.0.0.0/8; nothing is
    /// sent to another, whatever a server says (repeatable)
    #[arg(long, value_name = "ADDRESS/BITS")]
    pub(super) allow_network: Vec<Network>,
}

impl Attachment {
    /// What is done on an interface; `None` where there is none.
    pub(super) fn purpose(self) -> Option<Use> {
        match self {
            Self::Lan => Some(Use::Segment),
            Self::Relay => Some(Use::Relay),
            Self::Loopback | Self::Memory => None,
        }
    }
}

impl RunArguments {
    /// Looks at what belongs to a run beyond loopback.
    ///
    /// # Errors
    /// What is missing, and what has no place.
    pub(super) fn check_afield(&self) -> Result<(), Trouble> {
        let afield = self.attachment().purpose().is_some();
        let given = &self.afield;
        if !afield && given.interface.is_some() {
            return Err(Trouble::usage("--interface without --attach lan or relay"));
        }
        if !afield && !given.allow_network.is_empty() {
            return Err(Trouble::usage(
                "--allow-network without --attach lan or relay: loopback is all that phones reach",
            ));
        }
        if afield && given.interface.is_none() {
            return Err(Trouble::usage(
                "which interface? (--interface NAME, as `ip link` shows it)",
            ));
        }
        if afield && self.subject.is_empty() {
            return Err(Trouble::usage(
                "which server? (--subject tftp://ADDRESS, or another of its services: phones \
                 reach no built-in one beyond loopback)",
            ));
        }
        Ok(())
    }

    /// The server's address as phones know it, beyond loopback.
    pub(super) fn server_afield(&self) -> Result<Ipv4Addr, Trouble> {
        let endpoints = Endpoint::all_beyond(&self.subject)?;
        let first = endpoints.iter().find(|it| it.is_at_the_address());
        let first = first.or(endpoints.first());
        let address = first.map(|endpoint| *endpoint.address().ip());
        address.ok_or_else(|| Trouble::usage("which server? (--subject tftp://ADDRESS)"))
    }

    /// The interface, and the networks that phones may send to.
    fn ground(&self, purpose: Use) -> Result<(Interface, Reach), Trouble> {
        let name = self.afield.interface.as_deref().unwrap_or_default();
        let interface = preflight::look(name, purpose).map_err(|faults| {
            let faults = faults.join("\n  ");
            Trouble::own(format!("phones cannot be attached to {name}:\n  {faults}"))
        })?;
        let mut networks: Vec<Network> =
            interface.own.iter().map(|(_, network)| *network).collect();
        networks.extend(&self.afield.allow_network);
        networks.dedup();
        if networks.is_empty() {
            return Err(Trouble::usage(format!(
                "{name} has no address, so that nothing says where phones may send to: name the \
                 segment's network by --allow-network"
            )));
        }
        let reach = Reach::to(&networks).ok_or_else(|| {
            Trouble::usage(format!(
                "more than {NETWORKS_MAX} networks that phones may send to"
            ))
        })?;
        Ok((interface, reach))
    }
}

/// Boots phones beyond loopback.
pub(super) fn boot(
    arguments: &RunArguments,
    given: Given,
    plan: &Arc<Plan>,
    orders: &Orders,
) -> Result<Ended, Trouble> {
    let Some(purpose) = arguments.attachment().purpose() else {
        return Err(Trouble::usage("expected --attach lan or relay"));
    };
    let (interface, reach) = arguments.ground(purpose)?;
    if !reach.contains(plan.server) {
        return Err(Trouble::usage(format!(
            "the server, {}, is outside the networks that phones may send to ({reach}): name its \
             network by --allow-network",
            plan.server
        )));
    }
    let mut subject = Subject::beyond_loopback(plan.server, reach);
    let mut acs = None;
    for endpoint in given.subjects {
        let host = endpoint.host();
        if !reach.contains(host) {
            return Err(Trouble::usage(format!(
                "--subject: {host} is outside the networks that phones may send to ({reach}): name \
                 its network by --allow-network"
            )));
        }
        acs = endpoint.acs_url().map(str::to_owned).or(acs);
        endpoint.take_place(&mut subject);
    }
    if purpose == Use::Relay && !subject.given.dhcp {
        subject.dhcp = Some(SocketAddrV4::new(plan.server, port::DHCP_SERVER));
    }
    let plan = &with_elsewhere(plan, acs, &subject, None);
    if let Some(warning) = preflight::neighbours(plan.phones()) {
        eprintln!("bootstorm: {warning}");
    }
    // This machine can ask only where it has an address of its own.
    let asks = interface
        .own
        .iter()
        .any(|(_, network)| network.contains(plan.server));
    if asks && let Err(why) = preamble::look(&subject, preamble::PATIENCE) {
        let word = match purpose {
            Use::Segment => "lan",
            Use::Relay => "relay",
        };
        return run::absent(plan, &subject, orders, (word, why)).map_err(Trouble::own);
    }
    let trust = Trust::new(&given.authorities, given.factory);
    let trust = trust.map_err(|fault| Trouble::usage(format!("failed to read --ca: {fault}")))?;
    let mut orders = orders.clone();
    orders.by_command = true;
    let ground = (&interface, purpose);
    run::afield(plan, &subject, &Arc::new(trust), &orders, ground).map_err(Trouble::own)
}
