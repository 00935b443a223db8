//! What commands read before they begin: profiles, scenarios, plans.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use bootstorm_emulator::located::nearest;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario::{self, Scenario};

use super::{Shared, Trouble};

/// Every profile: those that come with the program and those of `--profiles`.
pub(super) fn profiles(shared: &Shared) -> Result<ProfileSet, Trouble> {
    profiles_and(shared, [])
}

/// The same, and further files, as paths and texts.
pub(super) fn profiles_and(
    shared: &Shared,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<ProfileSet, Trouble> {
    let mut files = Vec::new();
    if let Some(directory) = &shared.profiles {
        collect(directory, directory, &mut files)?;
    }
    files.extend(more);
    ProfileSet::with_directory(files).map_err(Trouble::Faults)
}

/// Every TOML file below a directory, by its path from there.
fn collect(
    root: &Path,
    directory: &Path,
    files: &mut Vec<(String, String)>,
) -> Result<(), Trouble> {
    let failed = |fault| Trouble::usage(format!("failed to read {}: {fault}", directory.display()));
    let mut paths: Vec<_> = fs::read_dir(directory)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|suffix| suffix == "toml") {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            files.push((name, read(&path)?));
        }
    }
    Ok(())
}

/// A file's text.
pub(super) fn read(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path).map_err(|fault| unread(path, &fault))
}

/// A file as it is.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|fault| unread(path, &fault))
}

fn unread(path: &Path, fault: &std::io::Error) -> Trouble {
    Trouble::usage(format!("failed to read {}: {fault}", path.display()))
}

/// A scenario by file, or by the name of one that comes with the program.
pub(super) fn scenario(shared: &Shared, name: &str) -> Result<Scenario, Trouble> {
    let path = Path::new(name);
    let built_in = scenario::built_in()
        .iter()
        .find(|(known, _)| *known == name);
    let (label, text) = match built_in {
        Some((known, text)) => (format!("{known}.toml"), (*text).to_owned()),
        None if path.exists() => (name.to_owned(), read(path)?),
        None => return Err(unknown(name)),
    };
    let mut scenario = scenario::read(&label, &text).map_err(Trouble::Faults)?;
    if let Some(seed) = shared.seed {
        scenario.seed = seed;
    }
    Ok(scenario)
}

fn unknown(name: &str) -> Trouble {
    let known = scenario::built_in().iter().map(|(known, _)| *known);
    let hint = nearest(name, known.clone())
        .map_or_else(String::new, |word| format!("; did you mean \"{word}\"?"));
    let known = known.collect::<Vec<_>>().join(", ");
    Trouble::usage(format!(
        "no file and no built-in scenario is called \"{name}\" (built in: {known}{hint})"
    ))
}

/// A definite plan for a server at `server`.
pub(super) fn plan(
    scenario: Scenario,
    profiles: &ProfileSet,
    server: Ipv4Addr,
) -> Result<Arc<Plan>, Trouble> {
    let plan = Plan::new(scenario, profiles, server);
    plan.map(Arc::new).map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Trouble::Usage(lines.join("\nbootstorm: "))
    })
}
