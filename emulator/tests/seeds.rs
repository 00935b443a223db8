//! Replays the fuzz seeds through the functions that the fuzz targets call.
//!
//! A seed whose name begins with `refused-` must be refused, any other one must be readable.

#[path = "../fuzz/entry.rs"]
mod entry;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Names of what a folder holds, in order.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_seed_is_read_or_refused_as_its_name_says() {
    let mut wrong = Vec::new();
    for (target, _) in entry::ENTRIES {
        let folder = fuzz_folder().join("seeds").join(target);
        let seeds = names(&folder);
        assert!(!seeds.is_empty(), "target {target} has no seed");
        for seed in &seeds {
            let bytes = fs::read(folder.join(seed)).unwrap();
            let caught = std::panic::catch_unwind(|| entry::run(target, &bytes));
            let expected = !seed.starts_with("refused-");
            match caught {
                Ok(readable) if readable == expected => {}
                Ok(true) => wrong.push(format!("{target}/{seed} was read")),
                Ok(false) => wrong.push(format!("{target}/{seed} was refused")),
                Err(_) => wrong.push(format!("{target}/{seed} panicked")),
            }
        }
        // Not `println`, which a test that passes keeps to itself.
        writeln!(std::io::stdout(), "{target}: {} seeds", seeds.len()).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn targets_seeds_and_functions_belong_together() {
    let known: BTreeSet<String> = entry::ENTRIES.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&fuzz_folder().join("seeds")), known);
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    let mut targets = BTreeSet::new();
    for file in names(&fuzz_folder().join("targets")) {
        let name = file.strip_suffix(".rs").expect("a target is a Rust file");
        let text = fs::read_to_string(fuzz_folder().join("targets").join(&file)).unwrap();
        assert!(
            text.contains(&format!("entry::run(\"{name}\", bytes)")),
            "{file}"
        );
        assert!(
            manifest.contains(&format!("path = \"targets/{file}\"")),
            "{file}"
        );
        targets.insert(name.to_owned());
    }
    assert_eq!(targets, known);
}
