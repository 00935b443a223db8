//! `bootstorm lab`

mod learn;
mod run;
mod twin;

use std::path::Path;

use bootstorm_emulator::located::{did_you_mean, nearest};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::lab::{self as labs, Lab, LabPlace};

use super::{Exit, Shared, Trouble, load};
use crate::lab::file;

/// Where the kernel lists the interfaces of this machine.
const INTERFACES: &str = "/sys/class/net";

/// What is done with a lab.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LabCommand {
    /// Carry out the phones' conformance cases with the handsets of a lab file
    Run(run::LabRunArguments),
    /// Show a handset beside its virtual twin: what differs, and which clause speaks of it
    Twin(twin::LabTwinArguments),
    /// Draft a profile from captures of a handset, every fact with the packet that shows it
    Learn(learn::LearnArguments),
}

/// Does it.
pub(super) fn lab(shared: &Shared, command: &LabCommand) -> Result<Exit, Trouble> {
    match command {
        LabCommand::Run(arguments) => run::run(shared, arguments),
        LabCommand::Twin(arguments) => twin::twin(shared, arguments),
        LabCommand::Learn(arguments) => learn::learn(shared, arguments),
    }
}

/// Reads a lab's file.
fn read(path: &Path, profiles: &ProfileSet) -> Result<Lab, Trouble> {
    let text = load::read(path)?;
    labs::read(&path.display().to_string(), &text, profiles).map_err(Trouble::Faults)
}

/// The places that were asked for by name; all where none was.
fn places<'a>(lab: &'a Lab, asked: &[String]) -> Result<Vec<&'a LabPlace>, Trouble> {
    let names = || lab.places.iter().map(|place| place.name.as_str());
    let unknown = asked
        .iter()
        .filter(|name| !names().any(|known| known == *name));
    let unknown: Vec<String> = unknown
        .map(|name| {
            let near = nearest(name, names());
            let hint = did_you_mean(near);
            format!("--place {name}: the lab has no such place{hint}")
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Trouble::usage(unknown.join("\nbootstorm: ")));
    }
    let wanted = |place: &&LabPlace| asked.is_empty() || asked.contains(&place.name);
    Ok(lab.places.iter().filter(wanted).collect())
}

/// Requires that this machine has an interface: a matter of the bench, not of the file, which may
/// be another machine's.
fn has_interface(name: &str) -> Result<(), Trouble> {
    if Path::new(INTERFACES).join(name).exists() {
        return Ok(());
    }
    let entries = std::fs::read_dir(INTERFACES)
        .into_iter()
        .flatten()
        .flatten();
    let mut known: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    known.sort();
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(Trouble::own(format!(
        "this machine has no interface {name} (it has {}{hint})",
        known.join(", ")
    )))
}

/// Checks a lab's file, and that the content of every place can be made.
pub(super) fn check(name: &str, text: &str, profiles: &ProfileSet) -> Result<(), String> {
    let lab = labs::read(name, text, profiles).map_err(|faults| faults.to_string())?;
    let mut told: Vec<String> = Vec::new();
    for place in &lab.places {
        let made = file::plan(&lab, place, profiles).and_then(|plan| {
            let tree = crate::provision::tree(&plan);
            tree.map(drop)
                .map_err(|fault| format!("{}: {fault}", place.at))
        });
        // What places share is wrong once.
        let lines = made.err().unwrap_or_default();
        for line in lines.lines().filter(|line| !line.is_empty()) {
            if !told.iter().any(|held| held == line) {
                told.push(line.to_owned());
            }
        }
    }
    match told.is_empty() {
        true => Ok(()),
        false => Err(told.join("\n")),
    }
}
