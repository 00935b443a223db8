//! `bootstorm list`

use bootstorm_scenarios::clause::{Register, Strength};
use bootstorm_scenarios::scenario;

use super::{Exit, Listed, Shared, Trouble, load, print};

/// Prints what there is, one line each.
pub(super) fn list(shared: &Shared, what: Listed) -> Result<Exit, Trouble> {
    let lines = match what {
        Listed::Profiles => {
            let profiles = load::profiles(shared)?;
            let lines = profiles.iter().map(|profile| {
                let doubts = match profile.unverified.len() {
                    0 => String::new(),
                    count => format!(" ({count} facts unverified)"),
                };
                format!("{:<28} {}{doubts}\n", profile.name, profile.summary)
            });
            lines.collect::<String>()
        }
        Listed::Scenarios => {
            let mut lines = String::new();
            for (name, text) in scenario::built_in() {
                let read = scenario::read(name, text).map_err(Trouble::Faults)?;
                let phones: u64 = read
                    .fleets
                    .iter()
                    .map(|fleet| u64::from(fleet.phones))
                    .sum();
                let fleets = read.fleets.len();
                lines.push_str(&format!("{name:<20} {fleets} fleets, {phones} phones\n"));
            }
            lines
        }
        Listed::Clauses => clauses()?,
        Listed::Attachments => {
            "loopback   the kernel's loopback: each phone its own 127.x.y.z, no \
                                privilege needed\nmemory     a simulated network in virtual time, \
                                repeatable from its seed\n"
                .to_owned()
        }
    };
    print(&lines);
    Ok(Exit::Met)
}

/// Every clause with its strength and what it says.
fn clauses() -> Result<String, Trouble> {
    let register = Register::built_in().map_err(Trouble::Faults)?;
    let lines = register.clauses().map(|clause| {
        let strength = match clause.strength {
            Strength::Must => "MUST",
            Strength::Should => "SHOULD",
            Strength::Gap => "GAP",
        };
        format!("{:<9}{strength:<8}{}\n", clause.id.to_string(), clause.says)
    });
    Ok(lines.collect())
}
