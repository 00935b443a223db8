//! Embeds every profile below `profiles/`, so that there is no list to edit.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("profiles");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut table = String::from("static BUILT_IN: &[(&str, &str)] = &[\n");
    for file in &files {
        let inside = file.strip_prefix(&root)?.components();
        let names: Vec<_> = inside
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let name = names.join("/");
        writeln!(
            table,
            "    ({name:?}, include_str!({:?})),",
            file.to_string_lossy()
        )?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("profiles.rs"), table)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// Every `*.toml` below `directory`; each directory is watched for new files.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|suffix| suffix == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
