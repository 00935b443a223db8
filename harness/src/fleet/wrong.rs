//! What the phones of a run do wrong on purpose.

use std::collections::BTreeMap;
use std::sync::Arc;

use bootstorm_emulator::located::Faults;
use bootstorm_emulator::profile::Profile;
use bootstorm_emulator::profile::set::{Overlay, ProfileSet};
use bootstorm_scenarios::mutant::Mutant;
use bootstorm_scenarios::plan::Plan;

/// Mutants of phones, and the profiles that they make of those of a plan.
#[derive(Debug, Default)]
pub struct Wrong {
    mutants: Vec<Arc<Mutant>>,
    /// By name.
    profiles: BTreeMap<String, Arc<Profile>>,
}

impl Wrong {
    /// Mutants for the phones of a plan. One that is named after a vendor, `phone/vendor/words`,
    /// changes the profiles of that vendor alone.
    ///
    /// # Errors
    /// What the profiles do not take of what is laid over them.
    pub fn new(set: &ProfileSet, plan: &Plan, mutants: Vec<Arc<Mutant>>) -> Result<Self, Faults> {
        let vendors = set.vendors();
        let mut profiles = BTreeMap::new();
        let mut faults = Faults::default();
        for profile in &plan.profiles {
            let vendor = profile.name.split('/').next().unwrap_or_default();
            let meant = |mutant: &&Arc<Mutant>| {
                let area = mutant.name.split('/').nth(1).unwrap_or_default();
                area == vendor || !vendors.contains(&area)
            };
            let overlays: Vec<Overlay<'_>> = mutants
                .iter()
                .filter(meant)
                .filter(|mutant| mutant.overlay.is_some() || !mutant.removed.is_empty())
                .map(|mutant| Overlay {
                    over: mutant.overlay.as_ref(),
                    removed: &mutant.removed,
                    place: &mutant.place,
                })
                .collect();
            if overlays.is_empty() {
                continue;
            }
            match set.overlaid(&profile.name, &overlays) {
                Ok(profile) => {
                    profiles.insert(profile.name.clone(), Arc::new(profile));
                }
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() {
            Ok(Self { mutants, profiles })
        } else {
            Err(faults)
        }
    }

    /// The mutants.
    #[must_use]
    pub fn mutants(&self) -> &[Arc<Mutant>] {
        &self.mutants
    }

    /// The profiles that the phones of the plan run with, in the plan's order.
    #[must_use]
    pub fn profiles(&self, plan: &Plan) -> Vec<Arc<Profile>> {
        let profiles = plan.profiles.iter();
        let instead = profiles.map(|profile| self.profiles.get(&profile.name).unwrap_or(profile));
        instead.map(Arc::clone).collect()
    }
}
