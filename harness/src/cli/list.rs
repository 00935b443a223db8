//! `bootstorm list`

use bootstorm_scenarios::clause::{Cover, Coverage, Register, Strength};
use bootstorm_scenarios::{scenario, suite};

use super::{Exit, Listed, Shared, Trouble, load, mutant, print};

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
        Listed::Scenarios => scenarios()?,
        Listed::Cases => cases()?,
        Listed::Clauses => clauses()?,
        Listed::Mutants => mutant::listed()?,
        Listed::Attachments => {
            "loopback   the kernel's loopback: each phone its own 127.x.y.z, no \
                                privilege needed\nmemory     a simulated network in virtual time, \
                                repeatable from its seed\nlan        a real segment: DHCP and ARP from \
                                each phone's own MAC (--interface, root)\nrelay      a DHCP \
                                server some hops away, in relay form, leases routed here \
                                (--interface, root)\n"
                .to_owned()
        }
    };
    print(&lines);
    Ok(Exit::Met)
}

/// Every scenario: its name, its size and what it is about.
fn scenarios() -> Result<String, Trouble> {
    let mut lines = String::new();
    for (name, text) in scenario::built_in() {
        let read = scenario::read(name, text).map_err(Trouble::Faults)?;
        let phones: u64 = read.fleets.iter().map(|it| u64::from(it.phones)).sum();
        let size = match read.fleets.len() {
            1 => format!("1 fleet, {phones} phones"),
            fleets => format!("{fleets} fleets, {phones} phones"),
        };
        lines.push_str(&format!("{name:<20} {size:<24} {}\n", about(text)));
    }
    Ok(lines)
}

/// What a scenario's first comment says before its first full stop or colon.
fn about(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix('#'));
    let words: Vec<_> = comment.flat_map(str::split_whitespace).collect();
    let last = words.iter().position(|word| word.ends_with(['.', ':']));
    let first = words.get(..=last.unwrap_or(0)).unwrap_or_default();
    first.join(" ").trim_end_matches(['.', ':']).to_owned()
}

/// Every case: its id, whom it judges, its clauses and its purpose.
fn cases() -> Result<String, Trouble> {
    let suites = suite::read_built_in().map_err(Trouble::Faults)?;
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let lines = cases.map(|case| {
        let clauses = case.clauses.join(" ");
        let side = case.side.word();
        format!("{:<60} {side:<7} {clauses:<24} {}\n", case.id, case.purpose)
    });
    Ok(lines.collect())
}

/// Every clause with its strength, what it says, and what covers it.
fn clauses() -> Result<String, Trouble> {
    let register = Register::built_in().map_err(Trouble::Faults)?;
    let suites = suite::read_built_in().map_err(Trouble::Faults)?;
    let coverage = Coverage::of(&suites);
    let lines = register.clauses().map(|clause| {
        let strength = match clause.strength {
            Strength::Must => "MUST",
            Strength::Should => "SHOULD",
            Strength::Gap => "GAP",
        };
        let cover = match coverage.cover(clause) {
            Cover::Cases(cases) => format!("covered by {}", cases.join(", ")),
            Cover::Test(file) => format!("tested by {file}"),
            Cover::Excused(reason) => format!("excused: {reason}"),
            Cover::Nothing => "not covered".to_owned(),
        };
        let id = clause.id.to_string();
        format!("{id:<9}{strength:<8}{}\n{:<17}{cover}\n", clause.says, "")
    });
    Ok(lines.collect())
}
