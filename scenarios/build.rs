//! Embeds the fleets, clauses, mutants and suites that come with the program: whatever lies in
//! their directories, at any depth.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    embed("fleets")?;
    embed("clauses")?;
    embed("mutants")?;
    embed("suites")
}

/// Writes `OUT_DIR/NAME.rs`: a slice of (path below the directory without suffix, text), ordered
/// by path. A directory that is not there gives an empty one.
fn embed(name: &str) -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let directory = Path::new(&manifest).join(name);
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut files = Vec::new();
    collect(&directory, "", &mut files)?;
    files.sort();
    let mut source = String::from("&[\n");
    for (stem, path) in files {
        writeln!(source, "    ({stem:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    source.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join(format!("{name}.rs")), source)
}

/// Adds the TOML files of a directory and those below it, each with what it is called.
fn collect(directory: &Path, above: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = format!("{above}{}", stem.unwrap_or_default());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if path.extension().is_some_and(|suffix| suffix == "toml") {
            files.push((name, path.display().to_string()));
        }
    }
    Ok(())
}
