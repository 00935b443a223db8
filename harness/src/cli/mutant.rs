//! Mutants on the command line: which ones, and the list of all.

use std::sync::Arc;

use bootstorm_emulator::located::Faults;
use bootstorm_emulator::profile::set::{Overlay, ProfileSet};
use bootstorm_scenarios::mutant::{self, Mutant, Side};
use bootstorm_scenarios::plan::Plan;

use super::Trouble;
use crate::fleet::wrong::Wrong;

/// Which mutant the built-in server is.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Wrong on purpose")]
pub(super) struct OfServer {
    /// Make the built-in server wrong in one way, as `bootstorm list mutants` names it (repeatable)
    #[arg(id = "mutant", long = "mutant", value_name = "NAME")]
    names: Vec<String>,
}

/// Which mutant the phones are.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Wrong on purpose")]
pub(super) struct OfPhones {
    /// Make the phones wrong in one way, as `bootstorm list mutants` names it (repeatable)
    #[arg(id = "phone_mutant", long = "phone-mutant", value_name = "NAME")]
    names: Vec<String>,
}

impl OfServer {
    /// The mutants that were named.
    pub(super) fn read(&self) -> Result<Vec<Arc<Mutant>>, Trouble> {
        select(Side::Server, &self.names)
    }

    /// The names, as the command line has them.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("--mutant {name}"))
    }
}

impl OfPhones {
    /// The mutants that were named.
    pub(super) fn read(&self) -> Result<Vec<Arc<Mutant>>, Trouble> {
        select(Side::Phone, &self.names)
    }

    /// What they make of the phones of a plan.
    pub(super) fn wrong(&self, set: &ProfileSet, plan: &Plan) -> Result<Arc<Wrong>, Trouble> {
        let wrong = Wrong::new(set, plan, self.read()?);
        wrong.map(Arc::new).map_err(Trouble::Faults)
    }

    /// The names, as the command line has them.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.names
            .iter()
            .map(|name| format!("--phone-mutant {name}"))
    }
}

fn select(side: Side, names: &[String]) -> Result<Vec<Arc<Mutant>>, Trouble> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mutants = mutant::built_in().map_err(Trouble::Faults)?;
    mutants
        .select(side, names)
        .map_err(|fault| Trouble::usage(format!("{fault} (bootstorm list mutants names all)")))
}

/// Every mutant with what it does wrong, one line each.
pub(super) fn listed() -> Result<String, Trouble> {
    let mutants = mutant::built_in().map_err(Trouble::Faults)?;
    let lines = mutants
        .iter()
        .map(|mutant| format!("{:<48} {}\n", mutant.name, mutant.what));
    Ok(lines.collect())
}

/// Checks a file of mutants: by itself, and what it lays over profiles with each of them that it
/// is meant for.
pub(super) fn check(name: &str, text: &str, profiles: &ProfileSet) -> Result<(), String> {
    let mutants = mutant::read(&[(name, text)]).map_err(|faults| faults.to_string())?;
    let vendors = profiles.vendors();
    let mut faults = Faults::default();
    for mutant in mutants.iter().filter(|mutant| mutant.side == Side::Phone) {
        let area = mutant.name.split('/').nth(1).unwrap_or_default();
        let of_area =
            |name: &&str| name.split('/').next() == Some(area) || !vendors.contains(&area);
        let overlay = Overlay {
            over: mutant.overlay.as_ref(),
            removed: &mutant.removed,
            place: &mutant.place,
        };
        for profile in profiles.names().filter(of_area) {
            if let Err(more) = profiles.overlaid(profile, &[overlay]) {
                faults.extend(more);
            }
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.to_string()),
    }
}
