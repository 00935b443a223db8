//! `bootstorm check`

mod content;

use std::path::{Path, PathBuf};

use bootstorm_emulator::located::{Fault, Faults, Log, Node};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::{Plan, PlanFault};
use bootstorm_scenarios::schema::SCHEMAS;
use bootstorm_scenarios::{mutant as mutants, scenario, suite};

use super::{Exit, Shared, Trouble, lab, load, mutant, print};
use crate::certify::{self, Bench};

/// What `check` is told.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CheckArguments {
    /// The files
    #[arg(required_unless_present_any = ["content", "schema"])]
    files: Vec<PathBuf>,
    /// Print the JSON Schema of scenarios, suites, mutants or labs instead, for an editor
    #[arg(long, value_name = "KIND", value_parser = SCHEMAS.map(|(word, _)| word))]
    schema: Option<String>,
    /// A provisioning server's files: the directory that is its root, or the http://, https://,
    /// ftp:// or tftp:// URL of that; exit 1 when one has an error, 3 when the server is not there
    #[arg(
        long,
        value_name = "DIR|URL",
        requires = "fleet",
        conflicts_with = "files"
    )]
    content: Option<String>,
    /// With --content: the phones that the files are for, as a scenario's file or name, and one of
    /// its fleets
    #[arg(long, value_name = "SCENARIO[:FLEET]", requires = "content")]
    fleet: Option<String>,
    /// With --content: the fleet's phones one by one, as comma-separated values
    #[arg(long, value_name = "FILE", requires = "content")]
    inventory: Option<PathBuf>,
    /// With --content: the server's address as phones know it [default: that of the URL, else
    /// 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", requires = "content")]
    server: Option<std::net::Ipv4Addr>,
    /// With --content: PEM file of authorities for an https URL; without it any certificate will do
    #[arg(long, value_name = "FILE", requires = "content")]
    ca: Option<PathBuf>,
    /// With --content: as JSON
    #[arg(long, requires = "content")]
    json: bool,
}

/// Checks every file, or a server's; prints all faults of all of them.
pub(super) fn check(shared: &Shared, arguments: &CheckArguments) -> Result<Exit, Trouble> {
    if let Some(wanted) = &arguments.schema {
        let known = SCHEMAS.iter().find(|(word, _)| word == wanted);
        known.iter().for_each(|(_, text)| print(text));
        return Ok(Exit::Met);
    }
    if let Some(subject) = &arguments.content {
        return content::check(shared, arguments, subject);
    }
    let profiles = load::profiles(shared)?;
    let mut faulty = 0;
    for path in &arguments.files {
        let name = path.display().to_string();
        let text = match load::read(path) {
            Ok(text) => text,
            Err(trouble) => {
                faulty += 1;
                eprintln!("bootstorm: {}", super::harmless(&trouble.to_string()));
                continue;
            }
        };
        let found = match Kind::of(&name, &text) {
            Kind::Scenario => check_scenario(&name, &text, &profiles),
            Kind::Profile => check_profile(path, &text),
            Kind::Suite => check_suite(&name, &text, &profiles),
            Kind::Mutants => mutant::check(&name, &text, &profiles),
            Kind::Lab => lab::check(&name, &text, &profiles),
        };
        match found {
            Ok(()) if shared.quiet => {}
            Ok(()) => print(&format!("{name}: no fault\n")),
            Err(message) => {
                faulty += 1;
                eprintln!("{}", super::harmless(&message));
            }
        }
    }
    Ok(if faulty == 0 { Exit::Met } else { Exit::Usage })
}

/// What a file holds.
enum Kind {
    Scenario,
    Profile,
    Suite,
    Mutants,
    Lab,
}

impl Kind {
    /// A suite and mutants say so; a lab has places and their power; a profile says what it
    /// inherits from, or which vendor or model it is of; whatever else there is is taken for a
    /// scenario.
    fn of(name: &str, text: &str) -> Self {
        let tree = Node::parse(name, text, &Log::default());
        let has = |keys: &[&str]| keys.iter().any(|key| tree.get(key).is_some());
        if has(&["suite", "case"]) {
            Self::Suite
        } else if has(&["mutant"]) {
            Self::Mutants
        } else if has(&["place", "power", "networks"]) {
            Self::Lab
        } else if has(&["inherits", "vendor", "model"]) {
            Self::Profile
        } else {
            Self::Scenario
        }
    }
}

/// A suite is checked against the profiles and mutants that there are, and the files that its cases
/// need are made.
fn check_suite(name: &str, text: &str, profiles: &ProfileSet) -> Result<(), String> {
    let known = mutants::built_in().map_err(|faults| faults.to_string())?;
    let (suite, mut faults) = match suite::read_knowing(name, text, &known) {
        Ok(suite) => (Some(suite), Faults::default()),
        // Where only mutants are unknown, the rest is told as well.
        Err(faults) => (suite::read(name, text).ok(), faults),
    };
    let bench = Bench {
        profiles: profiles.clone(),
        ..Bench::default()
    };
    for case in suite.iter().flat_map(|suite| &suite.cases) {
        if let Err(message) = certify::prepare(case, &bench, std::net::Ipv4Addr::LOCALHOST) {
            let own = format!("{}: ", case.place);
            let told = message.lines().map(|line| Fault {
                place: case.place.clone(),
                message: format!("{}: {}", case.id, line.strip_prefix(&own).unwrap_or(line)),
            });
            faults.list.extend(told);
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.to_string())
    }
}

fn check_scenario(name: &str, text: &str, profiles: &ProfileSet) -> Result<(), String> {
    let scenario = scenario::read(name, text).map_err(|faults| faults.to_string())?;
    match Plan::new(scenario, profiles, std::net::Ipv4Addr::LOCALHOST) {
        Ok(plan) => {
            plan.link_notes()
                .iter()
                .for_each(|note| eprintln!("note: {note}"));
            if let Some(fault) = plan.scenario.change_in_vain() {
                return Err(fault);
            }
            crate::provision::tree(&plan)
                .map(drop)
                .map_err(|fault| format!("{name}: {fault}"))
        }
        Err(faults) => {
            let told = faults.iter().map(|fault| match fault {
                PlanFault::TooMany { .. } | PlanFault::Empty => format!("{name}: {fault}"),
                // Where it is, its file included, is part of every other.
                _ => fault.to_string(),
            });
            Err(told.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// A profile is checked together with the files that it inherits from: those beside it where they
/// are there, built-in ones otherwise.
fn check_profile(path: &Path, text: &str) -> Result<(), String> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let vendor = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned());
    let root = vendor.parent().unwrap_or(&vendor).to_owned();
    let vendor = vendor.file_name().unwrap_or_default();
    let own = Path::new(vendor).join(path.file_name().unwrap_or_default());
    let own = own.display().to_string();
    let mut parent = parent_of(&own, text);
    let mut files = vec![(own.clone(), text.to_owned())];
    while let Some(name) = parent.take() {
        let known = files.iter().any(|(held, _)| *held == name);
        let Ok(text) = std::fs::read_to_string(root.join(&name)) else {
            break;
        };
        if !known {
            parent = parent_of(&name, &text);
            files.push((name, text));
        }
    }
    let Err(mut faults) = ProfileSet::with_directory(files) else {
        return Ok(());
    };
    for fault in &mut faults.list {
        if *fault.place.file == *own {
            fault.place.file = path.display().to_string().into();
        }
    }
    Err(Faults::to_string(&faults))
}

/// The file of the profile that a profile inherits from.
fn parent_of(name: &str, text: &str) -> Option<String> {
    let tree = Node::parse(name, text, &Log::default());
    let parent = tree.get("inherits")?.text()?;
    Some(if parent.contains('/') {
        format!("{parent}.toml")
    } else {
        format!("{parent}/vendor.toml")
    })
}
