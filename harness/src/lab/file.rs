//! A place of a lab file made definite: a plan of one phone, whose MAC address is the handset's.

use std::sync::Arc;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::lab::{Lab, LabPlace};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{Macs, Scenario};

/// The plan of a place where no case says anything.
///
/// # Errors
/// In words, one line each, with places: what only shows against profiles.
pub fn plan(lab: &Lab, place: &LabPlace, profiles: &ProfileSet) -> Result<Plan, String> {
    planned(place.scenario.clone(), lab, place, profiles)
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
    let mut plan = plan.map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    if let Some(firmware) = &place.firmware {
        for profile in &mut plan.profiles {
            Arc::make_mut(profile).firmware.clone_from(firmware);
        }
    }
    Ok(plan)
}
