//! Conditions of links that cannot befall a fleet, since its phones do nothing of the kind.

use std::sync::Arc;

use bootstorm_emulator::located::Place;
use bootstorm_emulator::profile::Profile;

use super::{Plan, PlanFault, said};
use crate::scenario::{Discovery, Fleet, Scenario, Transport};

/// Fleets whose links break connections though their phones make none; and a link of all that does
/// so where no fleet does.
pub(super) fn faults(scenario: &Scenario, profiles: &[Arc<Profile>]) -> Vec<PlanFault> {
    let connects = |fleet: &&Fleet| connects(fleet, profiles);
    let fault = |place: Option<&Place>, fleets: String| PlanFault::NoConnection {
        place: said(place),
        who: fleets,
    };
    let mut faults = Vec::new();
    for fleet in scenario.fleets.iter().filter(|fleet| !connects(fleet)) {
        let own = fleet.link.is_some_and(|link| link.breaks_connections());
        if own && let Some(place) = &fleet.at.link.connections {
            faults.push(fault(
                Some(place),
                format!("no phone of fleet {}", fleet.name),
            ));
        }
    }
    let all = scenario.link_at.connections.as_ref();
    if scenario.link.breaks_connections() && !scenario.fleets.iter().any(|it| connects(&it)) {
        faults.push(fault(all, "no phone".to_owned()));
    }
    faults
}

impl Plan {
    /// What a reader of the scenario may expect of links, and will not see; one sentence each.
    #[must_use]
    pub fn link_notes(&self) -> Vec<String> {
        let fleets = self.scenario.fleets.iter();
        let harmed = fleets.filter(|fleet| self.scenario.link_of(fleet).harms_datagrams());
        let streamed = harmed.filter(|fleet| !fleet.uses(Transport::Tftp));
        let note = |fleet: &Fleet| {
            let own = fleet.at.link.datagrams.as_ref();
            let place = own.or(self.scenario.link_at.datagrams.as_ref());
            format!(
                "{}fleet {}: loss, duplicates, reordering and jitter befall its datagrams (DHCP, \
                 SIP …) and not its files, which come by {}, where TCP would mend them",
                said(place),
                fleet.name,
                fleet.transport.scheme()
            )
        };
        streamed.map(note).collect()
    }
}

/// True when phones of a fleet may open TCP connections.
fn connects(fleet: &Fleet, profiles: &[Arc<Profile>]) -> bool {
    let streams = [Transport::Ftp, Transport::Http, Transport::Https];
    let sources = [Discovery::Redirect, Discovery::PnpTcp, Discovery::Acs];
    let common = fleet.common_for.values().flatten();
    let settings = fleet.own.iter().chain(&fleet.common).chain(common);
    let values = settings.map(|(_, value)| value.source());
    let tcp = |value: &str| {
        let accounts = profiles.iter().filter_map(|it| it.accounts.as_ref());
        let mut words = accounts.flat_map(|accounts| &accounts.tcp_words);
        words.any(|word| word.eq_ignore_ascii_case(value))
    };
    streams.iter().any(|it| fleet.uses(*it))
        || sources.contains(&fleet.source)
        || fleet.acs.is_some()
        || fleet.file.as_ref().is_some_and(|file| file.contains("://"))
        || values.into_iter().any(tcp)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bootstorm_emulator::profile::set::ProfileSet;

    use super::*;
    use crate::scenario;

    fn fleet(transport: &str, more: &str) -> String {
        format!(
            "[[fleet]]\nname = \"{transport}\"\nphones = 1\nsource = \"dhcp\"\n\
             transport = \"{transport}\"\nlayout = \"tree\"\nroot = \"{transport}\"\n\
             profiles = {{ \"plug-n-dial/bva8051\" = 1 }}\n{more}\n"
        )
    }

    fn plan(text: &str) -> Result<Plan, String> {
        let text = format!("name = \"links\"\n{text}");
        let scenario = scenario::read("links.toml", &text).expect("sound");
        let plan = Plan::new(scenario, &ProfileSet::built_in(), Ipv4Addr::LOCALHOST);
        plan.map_err(|faults| faults.iter().map(|it| format!("{it}\n")).collect())
    }

    #[test]
    fn connections_cannot_break_where_there_are_none() {
        let broken = "link = { reset_per_mille = 5 }";
        let told = plan(&fleet("tftp", broken)).expect_err("a fault");
        assert!(told.starts_with("links.toml:10:"), "{told}");
        assert!(told.contains("no phone of fleet tftp opens"), "{told}");
        plan(&fleet("http", broken)).expect("it fetches by TCP");
        let tcp = format!("{broken}\nown = {{ sip_transport = \"TCP\" }}");
        plan(&fleet("tftp", &tcp)).expect("it registers by TCP");
        let all = "[link]\nstall = { for_ms = 5 }\n";
        let told = plan(&format!("{}{all}", fleet("tftp", ""))).expect_err("a fault");
        assert!(told.contains("no phone opens"), "{told}");
        let mixed = fleet("tftp", "") + &fleet("http", "") + all;
        plan(&mixed).expect("one of them does");
    }

    #[test]
    fn says_that_tcp_mends_what_befalls_datagrams() {
        let lossy = "link = { loss_per_mille = 5 }";
        let told = plan(&fleet("http", lossy)).expect("a plan").link_notes();
        assert!(told[0].starts_with("links.toml:10:"), "{told:?}");
        assert!(told[0].contains("fleet http: loss"), "{told:?}");
        let plan = plan(&fleet("tftp", lossy)).expect("a plan");
        assert_eq!(plan.link_notes(), Vec::<String>::new());
    }
}
