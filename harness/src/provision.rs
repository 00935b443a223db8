//! The reference server set up for a plan: which phones hear of which URL, and by which way.

mod accounts;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::profile::SourceKind;
use bootstorm_emulator::wire::dhcp::code;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::Discovery;

use crate::content::{self, ContentFault, Files};
use crate::reference::ReferenceConfig;
use crate::reference::content::{Source, Tree};
use crate::reference::dhcp::{DhcpConfig, Match, OptionValue, Rule};
use crate::reference::pnp::{Phones, PnpConfig, PnpRule, PnpUrl};
use crate::reference::registrar::RegistrarConfig;

/// Addresses that the reference server leases.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// The first.
    pub first: Ipv4Addr,
    /// The last.
    pub last: Ipv4Addr,
    /// Their network mask.
    pub mask: Ipv4Addr,
}

/// Addresses on loopback: 127.32.0.1 to 127.127.255.254, more than six million.
pub const LOOPBACK_POOL: Pool = Pool {
    first: Ipv4Addr::new(127, 32, 0, 1),
    last: Ipv4Addr::new(127, 127, 255, 254),
    mask: Ipv4Addr::new(255, 0, 0, 0),
};

/// Addresses of the simulated network.
pub const SIMULATED_POOL: Pool = Pool {
    first: Ipv4Addr::new(10, 1, 0, 1),
    last: Ipv4Addr::new(10, 255, 255, 254),
    mask: Ipv4Addr::new(255, 0, 0, 0),
};

/// The server's address on the simulated network.
pub const SIMULATED_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// The generated files of a plan, ready to be served.
///
/// # Errors
/// As `content::generate`.
pub fn tree(plan: &Plan) -> Result<Source, ContentFault> {
    Ok(Source::tree(planted(content::generate(plan)?)))
}

fn planted(files: Files) -> Tree {
    let mut tree = Tree::default();
    for (path, bytes) in files {
        // The generator's paths have no `..`; the plan's roots were checked when they were read.
        let planted = tree.insert(path, bytes);
        debug_assert!(planted.is_ok());
    }
    tree
}

/// A reference server for a plan.
#[must_use]
pub fn reference(plan: &Arc<Plan>, source: Source, pool: Pool) -> ReferenceConfig {
    let mut dhcp = DhcpConfig::new(plan.server, pool.first, pool.last, pool.mask);
    dhcp.rules = dhcp_rules(plan);
    let mut pnp = PnpConfig::new(SocketAddrV4::new(plan.server, 0));
    pnp.seed = plan.scenario.seed;
    let urls = Arc::clone(plan);
    pnp.rules.push(PnpRule {
        when: Phones::Any,
        url: PnpUrl::Made(Arc::new(move |mac| {
            let phone = urls.phone_with(mac)?;
            let wanted = urls.fleet(&phone)?.source == Discovery::Pnp;
            if wanted { urls.pnp_url(&phone) } else { None }
        })),
    });
    let mut config = ReferenceConfig::files(source);
    config.dhcp = Some(dhcp);
    config.pnp = Some(pnp);
    let mut registrar = RegistrarConfig::new(accounts::of(plan));
    registrar.seed = plan.scenario.seed;
    config.registrar = Some(registrar);
    config
}

/// The option that carries the URL, for each phone of a fleet that is to learn it by DHCP.
fn dhcp_rules(plan: &Plan) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (place, fleet) in plan.scenario.fleets.iter().enumerate() {
        if fleet.source != Discovery::Dhcp {
            continue;
        }
        let text = plan.discovery_text(fleet);
        for phone in plan
            .fleet_range(place)
            .filter_map(|index| plan.phone(index))
        {
            let sources = plan
                .profile(&phone)
                .map(|profile| profile.sources.as_slice());
            let code = sources
                .unwrap_or_default()
                .iter()
                .find_map(|source| match source.kind {
                    SourceKind::Dhcp { option, .. } => Some(option),
                    SourceKind::DhcpJoined => Some(code::TFTP_SERVER),
                    _ => None,
                });
            if let Some(code) = code {
                let options = vec![OptionValue::text(code, &text)];
                rules.push(Rule {
                    when: Match::Mac(phone.identity.mac),
                    options,
                });
            }
        }
    }
    rules
}
