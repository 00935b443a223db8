//! Who may use whom, from what cargo itself reads in the manifests.

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::tree::Fault;

/// The crates in their order, each with those of ours that it may use.
const ARROWS: [(&str, &[&str]); 5] = [
    (EMULATOR, &[]),
    ("bootstorm-scenarios", &[EMULATOR]),
    ("bootstorm-reports", &[EMULATOR, "bootstorm-scenarios"]),
    (
        "bootstorm",
        &[EMULATOR, "bootstorm-scenarios", "bootstorm-reports"],
    ),
    (
        "bootstorm-benches",
        &[
            EMULATOR,
            "bootstorm-scenarios",
            "bootstorm-reports",
            "bootstorm",
        ],
    ),
];

const EMULATOR: &str = "bootstorm-emulator";

/// What gives a crate sockets, a clock, threads, an executor, randomness or a command line.
const OUTSIDE_WORLD: [&str; 18] = [
    "chrono",
    "clap",
    "fastrand",
    "getrandom",
    "hyper",
    "hyper-util",
    "libc",
    "mio",
    "nix",
    "reqwest",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-rustls",
    "ureq",
];

/// Features of `rand` that ask the operating system.
const OS_RANDOMNESS: [&str; 5] = ["os_rng", "std", "std_rng", "sys_rng", "thread_rng"];

#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Part of the program, not of its tests or its build script.
    pub(crate) normal: bool,
    pub(crate) features: Vec<String>,
}

impl Dependency {
    fn fault(&self, what: String) -> Fault {
        Fault {
            file: format!("Cargo.toml of {}", self.from),
            line: 0,
            what,
        }
    }
}

/// Each direct dependency of each member.
pub(crate) fn of_the_workspace() -> Vec<Dependency> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("readable manifests");
    let mut found = Vec::new();
    for package in metadata.packages {
        for dependency in package.dependencies {
            let mut features = dependency.features;
            if dependency.uses_default_features {
                features.push("std".to_owned());
            }
            found.push(Dependency {
                from: package.name.to_string(),
                to: dependency.name,
                normal: dependency.kind == DependencyKind::Normal,
                features,
            });
        }
    }
    found
}

/// Dependencies of any kind between our own crates that no arrow allows, and crates without arrows.
pub(crate) fn against_the_arrows(dependencies: &[Dependency]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for dependency in dependencies {
        let arrows = ARROWS.iter().find(|(from, _)| *from == dependency.from);
        let ours = ARROWS
            .iter()
            .any(|(crate_name, _)| *crate_name == dependency.to);
        match arrows {
            None => faults.push(dependency.fault("this crate has no place in the order".into())),
            Some((_, allowed)) if ours && !allowed.contains(&&*dependency.to) => {
                faults.push(dependency.fault(format!("may not use {}", dependency.to)));
            }
            Some(_) => {}
        }
    }
    faults
}

/// What the phone must not be built from.
pub(crate) fn of_an_impure_emulator(dependencies: &[Dependency]) -> Vec<Fault> {
    let emulator = dependencies
        .iter()
        .filter(|each| each.from == EMULATOR && each.normal);
    let impure = emulator.filter(|dependency| {
        let name = &*dependency.to;
        let asks_the_system = || {
            dependency
                .features
                .iter()
                .any(|feature| OS_RANDOMNESS.contains(&&**feature))
        };
        OUTSIDE_WORLD.contains(&name)
            || name.starts_with("async-")
            || (name == "rand" && asks_the_system())
    });
    impure
        .map(|dependency| {
            dependency.fault(format!(
                "{} would bring the outside world in",
                dependency.to
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Dependency, against_the_arrows, of_an_impure_emulator, of_the_workspace};

    fn dependency(from: &str, to: &str) -> Dependency {
        let (from, to) = (from.to_owned(), to.to_owned());
        Dependency {
            from,
            to,
            normal: true,
            features: Vec::new(),
        }
    }

    #[test]
    fn reads_the_manifests() {
        let found = of_the_workspace();
        let wanted = |each: &&Dependency| each.from == "bootstorm" && each.to == "cargo_metadata";
        assert!(
            !found
                .iter()
                .find(wanted)
                .expect("our own dependency")
                .normal
        );
    }

    #[test]
    fn refuses_arrows_backwards() {
        for (from, to) in [
            ("bootstorm-emulator", "bootstorm-scenarios"),
            ("bootstorm-scenarios", "bootstorm-reports"),
            ("bootstorm-reports", "bootstorm"),
            ("bootstorm", "bootstorm-benches"),
            ("bootstorm-new", "serde"),
        ] {
            let mut wrong = dependency(from, to);
            assert_eq!(
                against_the_arrows(&[wrong.clone()]).len(),
                1,
                "{from} to {to}"
            );
            wrong.normal = false;
            assert_eq!(
                against_the_arrows(&[wrong]).len(),
                1,
                "{from} to {to} in tests"
            );
        }
    }

    #[test]
    fn lets_arrows_forwards_through() {
        let right = [
            dependency("bootstorm-reports", "bootstorm-scenarios"),
            dependency("bootstorm-benches", "bootstorm"),
            dependency("bootstorm", "tokio"),
        ];
        assert_eq!(against_the_arrows(&right), []);
    }

    #[test]
    fn refuses_the_outside_world_in_the_emulator() {
        let mut random = dependency("bootstorm-emulator", "rand");
        assert_eq!(of_an_impure_emulator(&[random.clone()]), []);
        random.features.push("std".to_owned());
        let mut oracle = dependency("bootstorm-emulator", "tokio");
        oracle.normal = false;
        let wrong = [
            random,
            dependency("bootstorm-emulator", "socket2"),
            dependency("bootstorm-emulator", "async-tftp"),
            dependency("bootstorm", "tokio"),
            oracle,
        ];
        assert_eq!(of_an_impure_emulator(&wrong).len(), 3);
    }
}
