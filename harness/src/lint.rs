//! A server's files, read as each model of a fleet would: every name that it asks for, every line
//! that it does not take, by file and line.
//!
//! Phones boot one by one on the simulated network against the files. What happens to them says
//! what is wrong; the files are then read again for what events do not say.
//!
//! | module | owns |
//! |---|---|
//! | `subject` | a directory, or the files behind a URL |
//! | `fetch` | one file by HTTP, FTP or TFTP |
//! | `visit` | one phone's boot: what it asked for, what came of it |
//! | `events` | findings from what happened |
//! | `lines` | findings within a file, line by line |
//! | `found` | findings, each once, with the models that they concern |

mod events;
mod fetch;
mod found;
mod lines;
mod subject;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::Scenario;

use found::Findings;
pub use found::{Finding, Severity};
pub use subject::{NoSubject, Subject};

/// Phones that boot at most.
const PHONES_MAX: usize = 2_000;
/// Files looked at that nobody asks for.
const UNASKED_MAX: usize = 10_000;
/// The longest boot, in the phones' own time.
const DEADLINE: Duration = Duration::from_secs(1_800);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Ordered by file and line.
    pub findings: Vec<Finding>,
    /// How many phones were asked.
    pub phones: usize,
    /// How many files they read.
    pub files: usize,
    /// What was left out.
    pub notes: Vec<String>,
    /// The server stopped answering meanwhile: what was found says nothing.
    pub is_cut_short: bool,
}

impl Lint {
    /// How many findings there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|it| it.severity == severity).count()
    }
}

/// The scenario for reading files: its phones one by one on a network without faults, and nothing
/// that is done to them later.
#[must_use]
pub fn quiet(mut scenario: Scenario) -> Scenario {
    let bare = Scenario::bare(&scenario.name, Vec::new());
    scenario.time_scale = bare.time_scale;
    scenario.deadline = DEADLINE;
    scenario.lasts = bare.lasts;
    scenario.expected = bare.expected;
    scenario.load = bare.load;
    scenario.link = bare.link;
    scenario.link_at = bare.link_at;
    scenario.time = bare.time;
    scenario.steps = bare.steps;
    for fleet in &mut scenario.fleets {
        fleet.link = None;
    }
    scenario
}

/// Reads a subject's files as the phones of a plan would, or those of the fleet called `only`. The
/// plan's scenario is one of `quiet`.
#[must_use]
pub fn lint(plan: &Arc<Plan>, subject: &Subject, only: Option<&str>) -> Lint {
    let mut notes = Vec::new();
    let fleets = plan.scenario.fleets.iter().enumerate();
    let fleets = fleets.filter(|(_, fleet)| only.is_none_or(|only| fleet.name == only));
    let fleets: Vec<usize> = fleets.map(|(place, _)| place).collect();
    let chosen = chosen(plan, subject, &fleets, &mut notes);
    let mut findings = Findings::default();
    let mut asked = BTreeSet::new();
    let mut files = BTreeSet::new();
    let reference = visit::reference(plan, subject);
    for index in &chosen {
        let Some(visit) = visit::visit(plan, subject, &reference, *index) else {
            continue;
        };
        for each in &visit.asked {
            asked.insert(each.path.clone());
            if each.found.is_ok() {
                files.insert(each.path.clone());
            }
        }
        events::judge(plan, subject, &visit, &mut findings);
    }
    unasked(plan, subject, &asked, &mut findings);
    notes.extend(subject.troubles());
    Lint {
        findings: findings.told(),
        phones: chosen.len(),
        files: files.len(),
        notes,
        is_cut_short: subject.is_gone(),
    }
}

/// The phones that boot: one for each model of each fleet, those of an inventory, and those whose
/// MAC address a file's path names.
fn chosen(
    plan: &Plan,
    subject: &Subject,
    fleets: &[usize],
    notes: &mut Vec<String>,
) -> BTreeSet<u32> {
    let mut chosen = BTreeSet::new();
    let of = |place: &usize| Some((*place, plan.scenario.fleets.get(*place)?));
    for (place, fleet) in fleets.iter().filter_map(of) {
        let mut models = BTreeSet::new();
        for index in plan.fleet_range(place) {
            let profile = plan.phone(index).map(|phone| phone.profile);
            if profile.is_some_and(|profile| models.insert(profile)) {
                chosen.insert(index);
            }
            let all = fleet.inventory.is_none() && models.len() >= fleet.profiles.len();
            if all {
                break;
            }
        }
    }
    let listed = fleets.iter().filter_map(of);
    let listed = listed.filter(|(_, fleet)| fleet.inventory.is_some());
    let listed = listed.flat_map(|(place, _)| plan.fleet_range(place));
    let names = subject.names.iter().flatten();
    let named = names.flat_map(|name| macs(name));
    let named = named.filter_map(|mac| plan.phone_with(mac));
    let named = named.filter(|phone| fleets.contains(&phone.fleet));
    let named = named.map(|phone| phone.identity.index);
    let mut left_out = 0_usize;
    for index in listed.chain(named) {
        if chosen.len() < PHONES_MAX {
            chosen.insert(index);
        } else if !chosen.contains(&index) {
            left_out += 1;
        }
    }
    if left_out > 0 {
        notes.push(format!(
            "{left_out} more phones were not asked: {PHONES_MAX} are the limit"
        ));
    }
    if subject.unlisted {
        notes.push(format!(
            "not every file was listed: {} are the limit",
            subject::NAMES_MAX
        ));
    }
    chosen
}

/// Every MAC address that a path holds, with or without marks between its digits.
fn macs(path: &str) -> BTreeSet<Mac> {
    let bare: String = path.split(['-', ':', '_']).collect();
    let mut macs = BTreeSet::new();
    for text in [path, bare.as_str()] {
        for run in text.split(|letter: char| !letter.is_ascii_hexdigit()) {
            let last = (run.len() + 1).saturating_sub(12);
            macs.extend((0..last).filter_map(|at| Mac::parse(&run[at..at + 12])));
        }
    }
    macs
}

/// Notes the files that no phone asked for.
fn unasked(plan: &Plan, subject: &Subject, asked: &BTreeSet<String>, findings: &mut Findings) {
    let names = subject.names.iter().flatten();
    let unasked: Vec<&String> = names.filter(|name| !asked.contains(*name)).collect();
    let mut foreign: BTreeMap<[u8; 3], (&str, usize)> = BTreeMap::new();
    let mut told = 0;
    for name in unasked {
        let macs = macs(name);
        let maker = |mac: &&Mac| {
            let mut profiles = plan.profiles.iter();
            profiles.any(|it| it.ouis.contains(&oui(**mac)))
        };
        match macs.iter().find(maker) {
            Some(mac) if plan.phone_with(*mac).is_none() => {
                foreign.entry(oui(*mac)).or_insert((name, 0)).1 += 1;
            }
            _ if told < UNASKED_MAX => {
                told += 1;
                let what = "no phone of the fleet asks for this file".to_owned();
                findings.add_of_kind(Severity::Note, (name, 0), what, None);
            }
            _ => {}
        }
    }
    for (name, count) in foreign.values() {
        let others = match count {
            1 => String::new(),
            _ => format!(" (and {} more files)", count - 1),
        };
        let what = format!(
            "no phone of the fleet has the MAC address in this name{others}; give the phones \
             with an inventory"
        );
        findings.add(Severity::Note, (name, 0), what, None);
    }
}

fn oui(mac: Mac) -> [u8; 3] {
    let [a, b, c, ..] = mac.0;
    [a, b, c]
}
