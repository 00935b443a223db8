//! `run`: how runs end, what they leave behind, what they say to whom.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bootstorm_reports::report::Report;
use bootstorm_reports::run::Outcome;

use crate::interrupt::interrupt;
use crate::program::{Finished, Started, bootstorm, run, until};
use crate::{alone, directory, holds};

/// Fast and the same on every machine.
const MEMORY: [&str; 5] = ["run", "--attach", "memory", "--phones", "40"];

fn report(directory: &Path) -> Report {
    let path = directory.join("bootstorm-report/report.json");
    let mut file = fs::File::open(path).expect("a report");
    bootstorm_reports::json::read(&mut file).expect("a sound report")
}

/// Exactly one outcome for every phone of the plan.
#[track_caller]
fn holds_everybody(report: &Report, phones: usize) {
    let mut indices: Vec<_> = report.phones().iter().map(|phone| phone.index).collect();
    indices.sort_unstable();
    let planned: Vec<_> = (0_u32..).take(phones).collect();
    assert_eq!(indices, planned);
    let counts = report.counts();
    let sum: u32 = Outcome::ALL.iter().map(|it| counts.of(*it)).sum();
    assert_eq!(sum as usize, phones);
}

/// A run that lasts: faithful times, all phones at work.
fn long_run(directory: &Path) -> Started {
    let mut command = bootstorm(directory, &["run", "--phones", "40", "--time-scale", "1"]);
    let started = Started::new(&mut command);
    let probe = directory.join("bootstorm-report");
    // The signal handler stands before the report's directory is made.
    assert!(until(Duration::from_secs(20), || probe.is_dir()));
    started
}

#[test]
fn a_run_in_memory_provisions_everybody() {
    let directory = directory();
    let said = run(directory.path(), &MEMORY).expect(0);
    holds(
        &said.out,
        &["first-run", "40 phones", "DISCOVER", "settled"],
    );
    holds(&said.out, &["40 of 40 phones provisioned"]);
    holds(&said.out, &["report: bootstorm-report/report.json\n"]);
    holds(&said.err, &["first-run: 40 phones, seed 1, "]);
    assert!(!said.out.contains('\u{1b}'), "colours without a terminal");
    assert!(!said.err.contains('\u{1b}'), "colours without a terminal");
    holds_everybody(&report(directory.path()), 40);
}

// AUE-05 … AUE-07: no row but those of the lease and of the time before the time is valid.
#[test]
fn a_fleet_that_waits_for_the_time_shows_its_wait_and_settles() {
    let directory = directory();
    let arguments = [
        "run",
        "waits-for-time",
        "--attach",
        "memory",
        "--events",
        "events",
    ];
    let said = run(directory.path(), &arguments).expect(0);
    let rows = ["\nSNTP          100       100      300     0    100  30.0 s"];
    holds(&said.out, &rows);
    holds(&said.out, &["\nsettled       100       100"]);
    holds(&said.out, &["100 of 100 phones provisioned in 32."]);
    let events = fs::read_to_string(directory.path().join("events")).expect("events");
    let first = events.lines().find(|line| line.contains("sent given file"));
    let at: f64 = first
        .and_then(|line| line.split(' ').next())
        .and_then(|at| at.parse().ok())
        .expect("a request");
    assert!(at >= 30.0, "{at}");
}

#[test]
fn a_profile_that_needs_the_time_is_explained_without_it_too() {
    let explained = alone(&["explain", "auerswald/comfortel-d-200"], 0).out;
    holds(
        &explained,
        &[
            "redirect service, at once with multicast",
            "no time for the first 40 s\n",
            "SNTP (48 bytes)",
            "SNTP, attempt 2",
            "wrong SNTP: time server without valid time",
            "SNTP, attempt 3",
            "time set",
            "run started",
            "given file",
            "settled",
        ],
    );
    let other = alone(&["explain", "flyingvoice/fip13g"], 0).out;
    assert!(!other.contains("no time for"));
}

#[test]
fn equal_seeds_give_equal_events() {
    let events = |seed: &str| {
        let directory = directory();
        let further = ["--events", "events", "--seed", seed];
        run(directory.path(), &[&MEMORY[..], &further].concat()).expect(0);
        fs::read(directory.path().join("events")).expect("events")
    };
    let first = events("7");
    assert!(first.len() > 1_000);
    assert_eq!(first, events("7"));
    assert_ne!(first, events("8"));
}

#[test]
fn json_goes_to_standard_output_with_every_phone_once() {
    let directory = directory();
    let said = run(directory.path(), &[&MEMORY[..], &["--json"]].concat()).expect(0);
    let read = bootstorm_reports::json::read(&mut said.out.as_bytes());
    holds_everybody(&read.expect("a report and nothing else"), 40);
    let file = fs::read_to_string(directory.path().join("bootstorm-report/report.json"));
    assert_eq!(said.out.trim_end(), file.expect("a report").trim_end());
}

#[test]
fn a_quiet_run_says_one_sentence() {
    let directory = directory();
    let said = run(directory.path(), &[&MEMORY[..], &["--quiet"]].concat()).expect(0);
    assert!(said.out.starts_with("40 of 40 phones provisioned"));
    assert_eq!(said.out.lines().count(), 1);
    assert_eq!(said.err, "");
}

#[test]
fn one_phone_boots_with_one_outcome() {
    let directory = directory();
    let said = run(directory.path(), &["run", "--phone", "3"]).expect(0);
    holds(&said.out, &["1 phone ", "1 of 1 phone provisioned"]);
    holds(&said.err, &["first-run: 1 phone, "]);
    let report = report(directory.path());
    assert_eq!(report.facts().planned, 1);
    let phones: Vec<_> = report.phones().iter().map(|phone| phone.index).collect();
    assert_eq!(phones, [3]);
}

#[test]
fn the_command_that_repeats_a_phone_repeats_it() {
    let directory = directory();
    let files = ["content", "--out", "files", "--phones", "40"];
    let simulated = ["--server", "10.0.0.2"];
    run(directory.path(), &[&files[..], &simulated].concat()).expect(0);
    fs::remove_file(directory.path().join("files/0021f2000003.cfg")).expect("written");
    let further = ["--content", "files"];
    let said = run(directory.path(), &[&MEMORY[..], &further].concat()).expect(1);
    holds(&said.out, &["39 of 40 phones provisioned"]);
    let command = report(directory.path()).command(3);
    let words: Vec<_> = command.split_whitespace().skip(1).collect();
    holds(&command, &["bootstorm run", "--phone 3"]);
    let again = run(directory.path(), &words).expect(1);
    holds(&again.out, &["<mac>.cfg", "0 of 1 phone provisioned"]);
}

#[test]
fn a_report_that_cannot_be_written_ends_the_run_before_it_begins() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").expect("writable");
    let said = run(directory.path(), &["run", "--out", "file/below"]).expect(4);
    holds(&said.err, &["failed to write to file/below", "--out"]);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    let events = [&MEMORY[..], &["--events", "file/below"]].concat();
    let said = run(directory.path(), &events).expect(4);
    holds(&said.err, &["failed to write file/below"]);
    assert_eq!(said.out, "");
}

#[test]
fn the_events_may_go_to_standard_output() {
    let directory = directory();
    let further = ["--phone", "3", "--events", "/dev/stdout"];
    let said = run(directory.path(), &[&MEMORY[..], &further].concat()).expect(0);
    holds(&said.out, &["DISCOVER", "settled", "1 of 1 phone"]);
}

#[test]
fn ctrl_c_ends_a_run_with_one_outcome_for_every_phone() {
    let directory = directory();
    let started = long_run(directory.path());
    interrupt(&started.child);
    let began = Instant::now();
    let said = started.finish().expect(5);
    assert!(began.elapsed() < Duration::from_secs(20));
    holds(&said.err, &["ending the run"]);
    let report = report(directory.path());
    holds_everybody(&report, 40);
    assert!(report.counts().of(Outcome::Provisioned) < 40);
    holds(&said.out, &["interrupted"]);
}

#[test]
fn ctrl_c_twice_ends_at_once() {
    let directory = directory();
    let started = long_run(directory.path());
    interrupt(&started.child);
    interrupt(&started.child);
    let said = started.finish();
    assert_eq!(said.code, 5, "{said:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let directory = directory();
    for further in [&["run", "--attach", "memory"][..], &["list", "clauses"]] {
        let mut command = bootstorm(directory.path(), further);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut first = String::new();
        let mut out = BufReader::with_capacity(64, child.stdout.take().expect("caught"));
        out.read_line(&mut first).expect("a line");
        drop(out);
        let mut error = String::new();
        let caught = child.stderr.take().expect("caught");
        BufReader::new(caught)
            .read_to_string(&mut error)
            .expect("text");
        let code = child.wait().expect("own child").code();
        assert_eq!(code, Some(0), "{first}{error}");
        assert!(!first.is_empty());
        assert!(!error.contains("panicked"), "{error}");
    }
}

#[test]
fn too_few_descriptors_are_our_own_trouble_with_advice() {
    let directory = directory();
    let program = env!("CARGO_BIN_EXE_bootstorm");
    let script = format!("ulimit -n 40 && exec '{program}' run --phones 40 --deadline 10");
    let mut command = Command::new("sh");
    command.current_dir(directory.path()).args(["-c", &script]);
    let said = Started::new(&mut command).finish().expect(4);
    holds(&said.err, &["bootstorm: failed to", "ulimit -n"]);
}

#[test]
fn a_fleet_that_cannot_finish_fails_at_its_deadline() {
    let directory = directory();
    let further = [
        "run",
        "--phones",
        "40",
        "--time-scale",
        "1",
        "--deadline",
        "1",
    ];
    let Finished { out, .. } = run(directory.path(), &further).expect(1);
    holds(&out, &["not settled at the deadline"]);
    holds_everybody(&report(directory.path()), 40);
}

/// A terminal of `columns`, by tmux; what stands on it at the end.
fn on_a_terminal(directory: &Path, columns: &str, environment: &str) -> Option<String> {
    let tmux = crate::tool::tool("tmux", "tmux")?;
    let socket = directory.join("tmux");
    let program = env!("CARGO_BIN_EXE_bootstorm");
    let done = directory.join("done");
    // With its escape sequences, as the terminal got them.
    let screen = directory.join("screen");
    let line = format!(
        "{environment} '{program}' run --attach memory --phones 40 --out report; : > done; cat"
    );
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new(&tmux);
        command.current_dir(directory).arg("-S").arg(&socket);
        command.args(arguments).output().expect("tmux")
    };
    let started = tmux(&[
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-x",
        columns,
        "-y",
        "100",
        "sh",
        "-c",
        &line,
    ]);
    assert!(started.status.success(), "{started:?}");
    let ended = until(Duration::from_secs(60), || done.exists());
    let mut text = String::new();
    // The terminal reads what was written a moment later.
    until(Duration::from_secs(10), || {
        let shown = tmux(&["capture-pane", "-p", "-e"]).stdout;
        text = String::from_utf8_lossy(&shown).into_owned();
        text.contains("report.json")
    });
    fs::write(screen, &text).expect("writable");
    tmux(&["kill-server"]);
    assert!(ended, "{text}");
    Some(text)
}

#[test]
fn a_narrow_terminal_gets_no_broken_lines_and_its_colours_only_if_wanted() {
    let directory = directory();
    let Some(text) = on_a_terminal(directory.path(), "60", "") else {
        return;
    };
    holds(&text, &["DISCOVER", "settled"]);
    assert!(text.contains("\u{1b}["), "no colour on a terminal:\n{text}");
    let plain = crate::directory();
    let text = on_a_terminal(plain.path(), "60", "NO_COLOR=1").expect("as before");
    assert!(
        !text.contains("\u{1b}["),
        "colour against NO_COLOR:\n{text}"
    );
    for step in ["DISCOVER", "SUBSCRIBE", "settled"] {
        let line = text.lines().find(|line| line.starts_with(step));
        let line = line.unwrap_or_else(|| panic!("no row {step}:\n{text}"));
        assert!(line.chars().count() <= 60, "{line}");
    }
}
