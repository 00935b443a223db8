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
        let name = path.display().to_string();
        let text = match load::read(path) {
            Ok(text) => text,
            Err(trouble) => {
                faulty += 1;
                eprintln!("bootstorm: {trouble}");
                continue;
            }
        };
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

/// A profile says what it inherits from, or which vendor or model it is of; whatever else there is
/// is taken for a scenario.
fn is_scenario(name: &str, text: &str) -> bool {
    let log = Log::default();
    let tree = Node::parse(name, text, &log);
    ["inherits", "vendor", "model"]
        .iter()
        .all(|key| tree.get(key).is_none())
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
