//! The program as its user meets it: words, exit codes, files, signals.

#[path = "command_line/certifying.rs"]
mod certifying;
#[path = "command_line/commands.rs"]
mod commands;
#[path = "command_line/inputs.rs"]
mod inputs;
#[path = "support/interrupt.rs"]
mod interrupt;
#[path = "command_line/mutants.rs"]
mod mutants;
#[path = "command_line/notifying.rs"]
mod notifying;
#[path = "support/program.rs"]
mod program;
#[path = "command_line/readme.rs"]
mod readme;
#[path = "command_line/reports.rs"]
mod reports;
#[path = "command_line/runs.rs"]
mod runs;
#[path = "command_line/serving.rs"]
mod serving;
#[path = "support/tool.rs"]
mod tool;

use program::run;
use tempfile::TempDir;

fn directory() -> TempDir {
    TempDir::new().expect("a directory")
}

/// Runs the program in a directory of its own.
#[track_caller]
fn alone(arguments: &[&str], code: i32) -> program::Finished {
    run(directory().path(), arguments).expect(code)
}

/// Requires that a text holds all of these, in this order.
#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else {
            panic!("no {part:?} in its place in:\n{text}");
        };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = alone(&["--help"], 0).out;
    let commands = [
        "run", "serve", "notify", "content", "explain", "report", "list", "check",
    ];
    holds(&help, &commands.map(|command| command));
    holds(
        &help,
        &[
            "Exit codes:",
            "0 all met;",
            "1 the subject failed;",
            "2 bad input",
            "3 void",
            "4 our own fault",
            "5 interrupted",
        ],
    );
}

#[test]
fn help_of_each_command_names_its_options() {
    let shared = ["--profiles <DIR>", "--quiet"];
    let of = |command: &str, options: &[&str]| {
        let help = alone(&[command, "--help"], 0).out;
        holds(&help, &[&format!("Usage: bootstorm {command}")]);
        for option in options.iter().chain(&shared) {
            holds(&help, &[option]);
        }
    };
    of(
        "run",
        &[
            "--subject <URL>",
            "--attach <HOW>",
            "--phones <N>",
            "--phone <INDEX>",
            "--time-scale <FACTOR>",
            "--deadline <SECONDS>",
            "--shards <N>",
            "--out <DIR>",
            "--json",
            "--events <FILE>",
            "--content <DIR>",
            "--tftp-server",
            "--ca <FILE>",
            "--keep-secrets",
        ],
    );
    of(
        "serve",
        &[
            "--beyond-loopback",
            "--dhcp-port",
            "--tftp-port",
            "--http-port",
            "--https-port",
            "--sip-port",
            "--ca-out <FILE>",
        ],
    );
    of(
        "content",
        &["--out <DIR>", "--server <ADDRESS>", "--phones"],
    );
    of("explain", &["--mermaid"]);
    of(
        "list",
        &["profiles, scenarios, cases, clauses, mutants, attachments"],
    );
    of("check", &["[FILES]...", "--schema <KIND>"]);
}

#[test]
fn list_shows_what_there_is() {
    let profiles = alone(&["list", "profiles"], 0).out;
    holds(&profiles, &["flyingvoice/fip13g", "plug-n-dial/bva8051"]);
    holds(&alone(&["list", "scenarios"], 0).out, &["first-run"]);
    let clauses = alone(&["list", "clauses"], 0).out;
    holds(&clauses, &["\nFLY-59 ", "\nPND-04 "]);
    let attachments = alone(&["list", "attachments"], 0).out;
    holds(&attachments, &["loopback ", "\nmemory "]);
}

#[test]
fn explain_shows_the_ladder_with_its_clauses() {
    let text = alone(&["explain", "flyingvoice/fip13g"], 0).out;
    holds(
        &text,
        &[
            "Where it looks for a server",
            "SIP PnP by multicast",
            "FLY-41",
            "DHCP option 66",
            "FLY-59",
            "A first boot",
            "|-- DISCOVER (548 bytes)",
            "FLY-62",
            "|<- OFFER",
            "|-- REQUEST",
            "|<- ACK",
            "|-- <mac>.boot",
            "FLY-07",
            "|<- not there",
            "*  settled",
        ],
    );
}

// GIG-06, GIG-07, GIG-08, GIG-09, GIG-17, GIG-21, GIG-44, GIG-48: a ladder has the whole list of
// requests, and one all three steps; no source leads past them.
#[test]
fn explain_shows_every_step_of_a_catalogue() {
    let text = alone(&["explain", "gigaset/maxwell-3"], 0).out;
    let boots: Vec<_> = text.split("A first boot, ").skip(1).collect();
    let with = |layout: &str| -> Vec<&str> {
        let layout = format!("content \"{layout}\" over");
        let boots = boots.iter().copied();
        boots.filter(|boot| boot.contains(&layout)).collect()
    };
    let catalogues = with("catalogue");
    assert!(!catalogues.is_empty(), "{text}");
    for boot in catalogues {
        let steps = [
            "-- <URL> (",
            "not there",
            "-- provisioning.xml (",
            "-- updates (",
            "-- updates (",
            "-- linked file (",
            "-- updates (",
            "-- certificate (",
            "installed certificate",
            "applied http://10.0.0.2/device/nvm/7c2f80000000.xml",
            "settled",
        ];
        in_order(boot, &steps);
    }
    let steps = [
        "-- <URL> (",
        "-- provisioning.xml (",
        "-- provisioning.xml",
        "-- <mac>.xml (",
        "settled",
    ];
    in_order(with("own")[0], &steps);
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        rest =
            &rest[at.unwrap_or_else(|| panic!("no {part:?} in its place: {text}")) + part.len()..];
    }
}

#[test]
fn explain_shows_how_files_lead_to_each_other_and_to_an_account() {
    let first = |text: &str| text.split("\nA first boot").nth(1).map(str::to_owned);
    let catalogue = alone(&["explain", "gigaset/maxwell-3"], 0).out;
    holds(
        &first(&catalogue).expect("a ladder"),
        &[
            "DHCP",
            "\"catalogue\"",
            "provisioning.xml (",
            "updates",
            "linked file",
            "REGISTER",
            "settled",
        ],
    );
    let sections = alone(&["explain", "auerswald/comfortel-d-200"], 0).out;
    let ladder = ["DISCOVER", "SNTP", "given file", "REGISTER", "settled"];
    holds(&first(&sections).expect("a ladder"), &ladder);
}

#[test]
fn explain_draws_a_mermaid_diagram() {
    for profile in ["flyingvoice/fip13g", "plug-n-dial/bva8051"] {
        let text = alone(&["explain", profile, "--mermaid"], 0).out;
        assert!(text.starts_with("sequenceDiagram\n"), "{text}");
        holds(&text, &["P->>S:", "DISCOVER", "S-->>P:", "OFFER"]);
    }
}
