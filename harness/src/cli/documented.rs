//! The commands of the documents: each is one that the program takes, and what it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bootstorm_scenarios::suite::{self, Side};
use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, Shared, load};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const DOCUMENTS: [&str; 2] = ["README.md", "scenarios/baselines/README.md"];

/// The lab's file that its readers write themselves.
const FIRST_LAB: &str = "first.toml";

fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(SOURCES).join(path);
    fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The lines of a document's fenced blocks.
fn fenced(text: &str) -> String {
    // Those of lists are indented.
    let lines: String = text
        .lines()
        .map(|line| format!("\n{}", line.trim_start()))
        .collect();
    let parts = lines.split("\n```");
    let within = parts.skip(1).step_by(2);
    within.map(|block| format!("{block}\n")).collect()
}

/// The comments of a file.
fn comments(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The program's arguments in each command of a text, as a shell splits them.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    let commands = lines.filter_map(|line| {
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let ours = line.strip_prefix("bootstorm ");
        let by_cargo = || line.strip_prefix("cargo run")?.split_once(" -- ");
        ours.or_else(|| by_cargo().map(|(_, rest)| rest))
    });
    commands.map(words).collect()
}

fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in command.chars() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            (letter, None) if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    assert_eq!(quote, None, "a quote is open: {command}");
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What a command names is there, and without fault.
fn is_sound(cli: &Cli, words: &[String]) {
    let scenario = match &cli.command {
        Command::Run(arguments) => &arguments.scenario,
        Command::Serve(arguments) => &arguments.scenario,
        Command::Content(arguments) => &arguments.scenario,
        Command::Check(_) | Command::Explain(_) => {
            let profiles = load::profiles(&cli.shared).expect("profiles");
            for word in words.get(1..).unwrap_or_default() {
                let is_file = word.ends_with(".toml") && !word.starts_with("emulator/profiles");
                let is_profile = !is_file && word.matches('/').count() == 1;
                let is_there = word == FIRST_LAB || Path::new(SOURCES).join(word).exists();
                assert!(!is_file || is_there, "{word}");
                assert!(!is_profile || is_known(&profiles, word), "{word}");
            }
            return;
        }
        _ => return,
    };
    let profiles = load::profiles(&cli.shared).expect("profiles");
    let scenario = load::scenario(&cli.shared, scenario).expect("a scenario");
    load::plan(scenario, &profiles, std::net::Ipv4Addr::LOCALHOST).expect("a plan");
}

/// Whether there is such a profile; that of the chapter on new models is not there.
fn is_known(profiles: &bootstorm_emulator::profile::set::ProfileSet, name: &str) -> bool {
    name.ends_with("/fip17g") || profiles.iter().any(|profile| profile.name == name)
}

#[track_caller]
fn are_taken(name: &str, commands: &[Vec<String>]) {
    for words in commands {
        let all = std::iter::once("bootstorm").chain(words.iter().map(String::as_str));
        match Cli::try_parse_from(all) {
            Ok(cli) => is_sound(&cli, words),
            Err(fault) => panic!("{name}: {}\n{fault}", words.join(" ")),
        }
    }
}

#[test]
fn every_command_of_a_document_is_one_that_the_program_takes() {
    for name in DOCUMENTS {
        let commands = commands(&fenced(&text(name)));
        assert!(!commands.is_empty(), "{name}");
        are_taken(name, &commands);
    }
    let known = commands(&fenced(&text("README.md")));
    assert!(known.len() >= 30, "{known:?}");
}

#[test]
fn every_command_in_the_comments_of_a_scenario_is_one_that_the_program_takes() {
    let directory = Path::new(SOURCES).join("scenarios/fleets");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the scenarios")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut found = 0;
    for file in files {
        let commands = commands(&comments(&text(&file)));
        found += commands.len();
        are_taken(&file.display().to_string(), &commands);
    }
    assert!(found > 0, "no scenario says how it is run");
}

#[test]
fn every_option_that_a_document_mentions_is_there() {
    fn options(command: &clap::Command, known: &mut BTreeSet<String>) {
        let own = command.get_arguments().filter_map(clap::Arg::get_long);
        known.extend(own.map(|name| format!("--{name}")));
        let further = command.get_subcommands();
        further.for_each(|command| options(command, known));
    }
    let mut known = BTreeSet::from(["--help".to_owned()]);
    options(&Cli::command(), &mut known);
    for name in DOCUMENTS {
        let text = text(name);
        let spans = text.split('`').skip(1).step_by(2);
        let words = spans
            .filter(|span| !span.contains('\n') && !span.starts_with("cargo "))
            .flat_map(str::split_whitespace);
        let mentioned = words.filter(|word| word.starts_with("--"));
        for option in mentioned.map(|word| word.split('=').next().unwrap_or(word)) {
            assert!(known.contains(option), "{name} mentions {option}");
        }
    }
}

/// The interface as the chapter on the first handset sets it up.
const OWN: [&str; 2] = ["10.77.0.1", "10.77.0.0/24"];

#[test]
fn servers_of_commands_beyond_loopback_are_other_machines_where_phones_may_send_to() {
    let text = text("README.md");
    assert!(text.contains("ip address add 10.77.0.1/24 dev eth1"));
    let mut found = 0;
    for words in commands(&fenced(&text)) {
        let all = std::iter::once("bootstorm").chain(words.iter().map(String::as_str));
        let Command::Run(arguments) = Cli::try_parse_from(all).expect("a command").command else {
            continue;
        };
        if arguments.attachment().purpose().is_none() {
            continue;
        }
        found += 1;
        let Ok(server) = arguments.server_afield() else {
            panic!("{words:?}");
        };
        let mut networks = arguments.afield.allow_network.clone();
        networks.push(OWN[1].parse().expect("a network"));
        let words = words.join(" ");
        assert!(networks.iter().any(|it| it.contains(server)), "{words}");
        assert_ne!(server.to_string(), OWN[0], "{words}");
    }
    assert!(found >= 2, "{found}");
}

#[test]
fn the_readme_counts_the_cases_that_there_are() {
    let suites = suite::read_built_in().expect("sound suites");
    let count = |side: Side| {
        let of = suites.iter().filter(|suite| suite.side == side);
        of.map(|suite| suite.cases.len()).sum::<usize>()
    };
    let expected = format!(
        "{} cases about phones and {} about servers",
        count(Side::Phone),
        count(Side::Server)
    );
    assert!(text("README.md").contains(&expected), "{expected}");
}

#[test]
fn the_lab_that_the_readme_has_its_readers_write_is_sound() {
    let blocks = fenced(&text("README.md"));
    let (_, lab) = blocks.split_once("name = \"first\"\n").expect("a lab");
    let (rest, _) = lab.split_once("\ntext\n").expect("commands after it");
    let lab = format!("name = \"first\"\n{rest}");
    let profiles = bootstorm_emulator::profile::set::ProfileSet::built_in();
    let read = bootstorm_scenarios::lab::read(FIRST_LAB, &lab, &profiles);
    let lab = read.unwrap_or_else(|faults| panic!("{faults}\n{lab}"));
    assert_eq!(lab.places.len(), 1);
}

#[test]
fn a_command_is_split_as_a_shell_does() {
    let text = "x\n```sh\nbootstorm run a --until 'p95(\"b c\") < 7' \\\n  --to 3\n# no\n```\nbootstorm no\n";
    let expected = ["run", "a", "--until", "p95(\"b c\") < 7", "--to", "3"];
    assert_eq!(commands(&fenced(text)), [expected.map(str::to_owned)]);
    let cargo = "cargo run --release -- list cases\n";
    assert_eq!(commands(cargo), [["list", "cases"].map(str::to_owned)]);
    let shared: Option<Shared> = Cli::try_parse_from(["bootstorm", "list", "cases", "--seed", "3"])
        .map(|cli| cli.shared)
        .ok();
    assert_eq!(shared.and_then(|shared| shared.seed), Some(3));
}
