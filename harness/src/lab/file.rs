//! A place of a lab file made definite: a plan of one phone, whose MAC address is the handset's.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::lab::{Lab, LabPlace};
use bootstorm_scenarios::plan::{Plan, PlanFault};
use bootstorm_scenarios::scenario::{Discovery, Fleet, Macs, Scenario};

/// The plan of a place where no case says anything.
///
/// # Errors
/// In words, one line each, with places: what only shows against profiles.
pub fn plan(lab: &Lab, place: &LabPlace, profiles: &ProfileSet) -> Result<Plan, String> {
    planned(place.scenario.clone(), lab, place, profiles)
}

/// The plan of a handset of which nothing but this is known: it finds its server by the profile's
/// first way, in the profile's first layout.
///
/// # Errors
/// In words: an unknown profile, one that cannot be served so.
pub fn unknown(
    profile: &str,
    mac: Mac,
    server: Ipv4Addr,
    profiles: &ProfileSet,
) -> Result<Plan, String> {
    let known = profiles.get(profile).map_err(|fault| fault.to_string())?;
    let mut fleet = Fleet::bare("handset", &known.name, 1);
    fleet.macs = Some(Macs {
        first: mac,
        last: mac,
    });
    let first = known.content.first();
    fleet.layout = first.map_or_else(String::new, |file| file.layout.clone());
    fleet.source = Discovery::of(&known).next().unwrap_or(Discovery::Dhcp);
    let scenario = Scenario::bare("handset", vec![fleet]);
    Plan::new(scenario, profiles, server).map_err(|faults| in_words(&faults))
}

fn in_words(faults: &[PlanFault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A scenario with the place's handset in place of its phones.
///
/// # Errors
/// In words: more than one phone, and what only shows against profiles.
pub fn planned(
    mut scenario: Scenario,
    lab: &Lab,
    place: &LabPlace,
    profiles: &ProfileSet,
) -> Result<Plan, String> {
    let [fleet] = scenario.fleets.as_mut_slice() else {
        return Err(format!(
            "{} fleets of phones: a place has one handset",
            scenario.fleets.len()
        ));
    };
    if fleet.phones != 1 || fleet.inventory.is_some() {
        return Err(format!("{} phones: a place has one handset", fleet.phones));
    }
    fleet.profiles = vec![(place.profile.clone(), 1)];
    fleet.macs = Some(Macs {
        first: place.mac,
        last: place.mac,
    });
    let plan = Plan::new(scenario, profiles, lab.subject.server);
    let mut plan = plan.map_err(|faults| in_words(&faults))?;
    if let Some(firmware) = &place.firmware {
        for profile in &mut plan.profiles {
            Arc::make_mut(profile).firmware.clone_from(firmware);
        }
    }
    Ok(plan)
}
