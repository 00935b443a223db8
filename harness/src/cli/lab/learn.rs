//! `bootstorm lab learn`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bootstorm_emulator::identity::Mac;

use super::super::judge::{Listened, listen, mac};
use super::super::{Exit, Shared, Trouble, load, print};
use crate::capture::whole_file;
use crate::lab::learn::{Draft, Sample, Wanted, draft};

/// Which captures, and how the draft is called.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct LearnArguments {
    /// Captures in pcap or pcapng, a boot or more of the handset in each
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// The handset's MAC address; needed where the captures show several phones (repeatable, for
    /// handsets of one model)
    #[arg(long, value_name = "MAC", value_parser = mac)]
    mac: Vec<Mac>,
    /// The profile to inherit from [default: the one that fits best]
    #[arg(long, value_name = "PROFILE")]
    inherits: Option<String>,
    /// The model's name [default: the inherited one's; the file is called
    /// MODEL-learned.toml then]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Directory of profiles to write VENDOR/MODEL.toml to, for --profiles; without it the draft
    /// goes to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Drafts a profile.
pub(super) fn learn(shared: &Shared, arguments: &LearnArguments) -> Result<Exit, Trouble> {
    let profiles = load::profiles(shared)?;
    let mut samples = Vec::new();
    let mut seen = BTreeSet::new();
    for path in &arguments.captures {
        let Listened {
            mut observer,
            notes,
        } = listen(std::slice::from_ref(path), &arguments.mac)?;
        notes.iter().for_each(|note| eprintln!("bootstorm: {note}"));
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let macs: Vec<Mac> = observer.phones().collect();
        for mac in macs {
            let sample = Sample::of(&mut observer, mac, &name);
            seen.extend(sample.as_ref().map(|sample| sample.mac));
            samples.extend(sample);
        }
    }
    if arguments.mac.is_empty() && seen.len() > 1 {
        let macs: Vec<String> = seen.iter().map(ToString::to_string).collect();
        return Err(Trouble::usage(format!(
            "the captures show {} phones: choose with --mac among {}",
            macs.len(),
            macs.join(", ")
        )));
    }
    let wanted = Wanted {
        inherits: arguments.inherits.clone(),
        model: arguments.model.clone(),
    };
    let draft = draft(&samples, &wanted, &profiles).map_err(Trouble::usage)?;
    require_sound(shared, &draft)?;
    let Some(out) = &arguments.out else {
        print(&draft.text);
        return Ok(Exit::Met);
    };
    let path = out.join(&draft.path);
    write(&path, &draft.text)?;
    if !shared.quiet {
        let (path, name, out) = (path.display(), &draft.name, out.display());
        print(&format!(
            "{path}: look at it, then use it as {name} with --profiles {out}\n"
        ));
    }
    Ok(Exit::Met)
}

/// A draft that is no profile is our own fault, and told as such.
fn require_sound(shared: &Shared, draft: &Draft) -> Result<(), Trouble> {
    let file = (draft.path.clone(), draft.text.clone());
    load::profiles_and(shared, [file])
        .map(drop)
        .map_err(|faults| {
            let text = &draft.text;
            Trouble::own(format!(
                "what was learned is no sound profile:\n{faults}\n{text}"
            ))
        })
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made.and_then(|()| whole_file(path, |out| out.write_all(text.as_bytes())));
    written.map_err(|fault| Trouble::own(format!("failed to write {}: {fault}", path.display())))
}
