//! `bootstorm check`

use std::path::{Path, PathBuf};

use bootstorm_emulator::located::{Faults, Log, Node};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

use super::{Exit, Shared, Trouble, load, print};

/// Checks every file; prints all faults of all of them.
pub(super) fn check(shared: &Shared, files: &[PathBuf]) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let mut faulty = 0;
    for path in files {
        let text = load::read(path)?;
        let name = path.display().to_string();
        let found = if is_scenario(&name, &text) {
            check_scenario(&name, &text, &profiles)
        } else {
            check_profile(path, &text)
        };
        match found {
            Ok(()) if shared.quiet => {}
            Ok(()) => print(&format!("{name}: no fault\n")),
            Err(message) => {
                faulty += 1;
                eprintln!("{message}");
            }
        }
    }
    Ok(if faulty == 0 { Exit::Met } else { Exit::Usage })
}

/// A scenario has fleets; whatever else there is is taken for a profile.
fn is_scenario(name: &str, text: &str) -> bool {
    let log = Log::default();
    let tree = Node::parse(name, text, &log);
    tree.get("fleet").is_some() || tree.get("load").is_some() || tree.get("deadline_s").is_some()
}

fn check_scenario(name: &str, text: &str, profiles: &ProfileSet) -> Result<(), String> {
    let scenario = scenario::read(name, text).map_err(|faults| faults.to_string())?;
    match Plan::new(scenario, profiles, std::net::Ipv4Addr::LOCALHOST) {
        Ok(plan) => crate::content::generate(&plan)
            .map(drop)
            .map_err(|fault| format!("{name}: {fault}")),
        Err(faults) => {
            let lines: Vec<_> = faults
                .iter()
                .map(|fault| format!("{name}: {fault}"))
                .collect();
            Err(lines.join("\n"))
        }
    }
}

/// A profile is checked with the other files of its vendor, as `vendor/model.toml`.
fn check_profile(path: &Path, text: &str) -> Result<(), String> {
    let failed = |trouble: Trouble| trouble.to_string();
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let vendor = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_owned());
    let root = vendor.parent().unwrap_or(&vendor).to_owned();
    let mut files = Vec::new();
    load::collect(&root, &vendor, &mut files).map_err(failed)?;
    let own = path.file_name().unwrap_or_default();
    let vendor = vendor.file_name().unwrap_or_default();
    let name = Path::new(vendor).join(own).display().to_string();
    if !files.iter().any(|(held, _)| *held == name) {
        files.push((name, text.to_owned()));
    }
    let faults = match ProfileSet::with_directory(files) {
        Ok(_) => return Ok(()),
        Err(faults) => faults,
    };
    Err(Faults::to_string(&faults))
}
