//! The commands that README gives do what README says: each is run as it stands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::directory;
use crate::interrupt::interrupt;
use crate::program::{Started, until};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The lines of README's blocks of shell commands, without comments.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(SOURCES).join("README.md"));
    let mut within = false;
    let mut commands = Vec::new();
    for line in readme.expect("README.md").lines() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            within = !within && language == "sh";
        } else if within && !line.is_empty() && !line.starts_with('#') {
            commands.push(line.to_owned());
        }
    }
    commands
}

/// The program's arguments in a command; none for the tests' own command.
fn arguments(command: &str) -> Option<Vec<String>> {
    if command.starts_with("cargo test") {
        return None;
    }
    let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
    let program = words.first().map(String::as_str);
    let from = match program {
        Some("cargo") => words.iter().position(|word| word == "--").map(|at| at + 1),
        Some("bootstorm") => Some(1),
        _ => None,
    };
    let from = from.unwrap_or_else(|| panic!("no test knows how to run: {command}"));
    Some(words[from..].to_vec())
}

#[test]
fn every_command_of_the_readme_succeeds() {
    let own = directory();
    // The commands name files of the sources and of /tmp.
    for name in ["scenarios", "emulator"] {
        let target = Path::new(SOURCES).join(name);
        std::os::unix::fs::symlink(target, own.path().join(name)).expect("a link");
    }
    let mut ran = 0;
    for command in commands() {
        let Some(words) = arguments(&command) else {
            continue;
        };
        let words: Vec<_> = words
            .iter()
            .map(|word| word.replace("/tmp/", &format!("{}/", own.path().display())))
            .collect();
        let mut program = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_bootstorm")));
        program.current_dir(own.path()).args(&words);
        let mut started = Started::new(&mut program);
        if words.first().is_some_and(|word| word == "serve") {
            let ended = || !matches!(started.child.try_wait(), Ok(None));
            until(Duration::from_secs(2), ended);
            interrupt(&started.child);
        }
        let mut finished = started.finish();
        // A build without optimisation, beside other tests, may be too slow for a fleet made for
        // a release build: such a run is void, and fewer phones must do.
        if finished.code == 3 {
            let mut fewer = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
            fewer.current_dir(own.path()).args(&words);
            fewer.args(["--phones", "200"]);
            finished = Started::new(&mut fewer).finish();
        }
        assert_eq!(
            finished.code, 0,
            "{command}\n{}\n{}",
            finished.out, finished.err
        );
        ran += 1;
    }
    assert!(ran > 0, "README.md gives no command");
}
