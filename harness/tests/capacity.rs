//! The search for a server's capacity, as a user asks for it; and subjects that are not there.

#[path = "support/interrupt.rs"]
mod interrupt;
#[path = "support/program.rs"]
mod program;
#[path = "support/servers.rs"]
#[expect(dead_code, reason = "one of the servers is enough here")]
mod servers;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use bootstorm_reports::capacity::{Capacity, Load, TryVerdict};
use interrupt::interrupt;
use program::{Finished, Started, run};
use servers::dnsmasq_with;
use tempfile::TempDir;

/// Searches in which the machine was too busy to judge a subject are repeated; so often at most.
const VOID_RUNS: u32 = 3;
const VOID: i32 = 3;
/// Phones that boot in no time, on the simulated network.
const QUICK: &str = r#"
name = "quick"
time_scale = 0
deadline_s = 20
[[fleet]]
name = "all"
phones = 5
source = "dhcp"
transport = "tftp"
layout = "tree"
profiles = { "plug-n-dial/bva8051" = 1 }
own = { local_sip_port = "5060" }
"#;

struct World(TempDir);

impl World {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        fs::write(directory.path().join("quick.toml"), QUICK).expect("written");
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A search on the simulated network.
    fn find(&self, further: &[&str]) -> Finished {
        let arguments = ["run", "quick.toml", "--attach", "memory", "--pause", "0"];
        run(self.path(), &[&arguments[..], further].concat())
    }

    /// What the report says of it.
    fn capacity(&self) -> Capacity {
        let path = self.path().join("bootstorm-report/report.json");
        let mut file = fs::File::open(path).expect("a report");
        let report = bootstorm_reports::json::read(&mut file).expect("a sound report");
        let capacity = report.facts().capacity.clone();
        capacity.expect("of a search")
    }
}

#[test]
fn finds_how_many_phones_at_once_a_limit_bears() {
    let world = World::new();
    let limit = [
        "--find",
        "storm",
        "--until",
        "planned <= 37",
        "--from",
        "10",
    ];
    let finished = world.find(&[&limit[..], &["--precision", "0"]].concat());
    let Finished { out, .. } = finished.expect(0);
    for line in [
        "10 phones at once  met          planned = 10; 10 of 10 provisioned",
        "40 phones at once  broken       planned = 40; 40 of 40 provisioned",
        "Capacity: 37 phones at once met provisioned == planned and planned <= 37, 38 did not",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    let capacity = world.capacity();
    assert_eq!((capacity.met, capacity.broken), (Some(37), Some(38)));
    let loads: Vec<_> = capacity.tries.iter().map(|tried| tried.load).collect();
    assert_eq!(loads, [10, 20, 40, 30, 35, 37, 38]);
}

#[test]
fn finds_how_many_phones_a_second_a_limit_bears() {
    let world = World::new();
    let limit = [
        "--find",
        "rate",
        "--until",
        "planned <= 120 && provisioned == planned",
    ];
    let finished = world.find(&[&limit[..], &["--over", "2", "--to", "1000"]].concat());
    let Finished { out, .. } = finished.expect(0);
    let capacity = world.capacity();
    assert_eq!(capacity.find, Load::Rate);
    assert!((57..=60).contains(&capacity.met.expect("met")), "{out}");
    assert!(
        capacity
            .tries
            .iter()
            .all(|tried| tried.phones == tried.load * 2)
    );
    assert!(out.contains("phones a second"), "{out}");
    assert!(!capacity.limit.starts_with("provisioned == planned and"));
}

#[test]
fn tells_when_the_limit_never_breaks_and_when_it_breaks_at_once() {
    let world = World::new();
    let never = ["--find", "storm", "--to", "20"];
    let Finished { out, .. } = world.find(&never).expect(0);
    assert!(
        out.contains("20 phones at once met provisioned == planned, and no more"),
        "{out}"
    );
    let always = ["--find", "storm", "--until", "planned < 1", "--from", "4"];
    let Finished { out, .. } = world.find(&always).expect(1);
    assert!(out.contains("not even 1 phone at once met"), "{out}");
    assert_eq!(world.capacity().tries.len(), 3);
}

#[test]
fn says_what_is_wrong_with_what_it_was_asked() {
    let world = World::new();
    for (arguments, said) in [
        (
            &["--find", "storm", "--until", "p95("][..],
            "--until, character",
        ),
        (
            &[
                "--find",
                "storm",
                "--until",
                "p95(\"boots\") < duration(\"1s\")",
            ],
            "did you mean 'boot'?",
        ),
        (
            &[
                "--find",
                "storm",
                "--until",
                "p95(\"<mac>.tx\") < duration(\"1s\")",
            ],
            "did you mean '<mac>.txt'?",
        ),
        (
            &["--find", "storm", "--from", "9", "--to", "3"],
            "--from is more than --to",
        ),
        (&["--find", "rate", "--over=-1"], "--over takes seconds"),
        (&["--until", "planned < 3"], "--find"),
        (&["--find", "storm", "--phones", "3"], "--phones"),
    ] {
        let Finished { err, .. } = world.find(arguments).expect(2);
        assert!(err.contains(said), "{arguments:?}: {err}");
    }
}

/// The search against a server whose capacity is known: dnsmasq answers 50 transfers at a time and
/// leaves further requests in its socket until one ends.
#[test]
fn finds_the_fifty_transfers_of_dnsmasq_and_names_tftp() {
    let directory = TempDir::new().expect("a directory");
    let content = directory.path().join("content");
    let written = content.display().to_string();
    let arguments = ["content", "tftp-capacity", "--out", &written];
    run(directory.path(), &arguments).expect(0);
    let Some(server) = dnsmasq_with(&content, &[]) else {
        return;
    };
    let command = [
        "run",
        "tftp-capacity",
        "--subject",
        "tftp://127.0.0.1",
        "--find",
        "storm",
        "--from",
        "32",
        "--to",
        "128",
        "--until",
        "p95(\"boot\") < duration(\"7s\")",
    ];
    let mut finished = run(directory.path(), &command);
    for _ in 1..VOID_RUNS {
        if finished.code == VOID {
            finished = run(directory.path(), &command);
        }
    }
    server.end();
    if finished.code == VOID {
        return tool::not_run("a machine with time to spare, for the search against dnsmasq");
    }
    let Finished { out, .. } = finished.expect(0);
    let capacity = World(directory).capacity();
    let met = capacity.met.expect("some bear it");
    assert!((45..=65).contains(&met), "{out}");
    assert!(
        (45..=65).contains(&capacity.broken.expect("some break it")),
        "{out}"
    );
    let first = capacity.first.expect("a step broke");
    assert_eq!(first.what, "TFTP transfer of <mac>.txt", "{out}");
    assert!(
        out.contains("first to break: TFTP transfer of <mac>.txt: 95 of 100"),
        "{out}"
    );
}

#[test]
fn a_subject_that_is_not_there_is_told_at_once_and_nothing_is_booted() {
    let world = World::new();
    let closed = |socket: UdpSocket| socket.local_addr().expect("bound").port();
    let port = closed(UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let began = Instant::now();
    let tftp = format!("tftp://127.0.0.1:{port}");
    let http = format!("http://127.0.0.1:{port}");
    let arguments = ["run", "quick.toml", "--subject", &tftp, "--subject", &http];
    let Finished { out, .. } = run(world.path(), &arguments).expect(3);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    let said = format!(
        "Inconclusive: the subject is not there: http at 127.0.0.1:{port}: connection refused; \
         tftp at 127.0.0.1:{port}: port unreachable; no phone was booted."
    );
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&said), "{out}");
    let path = world.path().join("bootstorm-report/report.json");
    let mut file = fs::File::open(path).expect("a report");
    let report = bootstorm_reports::json::read(&mut file).expect("a sound report");
    assert!(report.facts().absent.is_some());
}

#[test]
fn a_search_that_is_interrupted_tells_what_is_known() {
    let world = World::new();
    let mut command = program::bootstorm(world.path(), &[]);
    command.args(["run", "quick.toml", "--attach", "memory", "--find", "storm"]);
    command.args(["--pause", "600", "--events", "events"]);
    let started = Started::new(&mut command);
    // Made when Ctrl-C is caught already, and before the first try.
    let events = world.path().join("events");
    assert!(program::until(program::LIMIT, || events.exists()));
    std::thread::sleep(Duration::from_secs(3));
    interrupt(&started.child);
    let Finished { out, .. } = started.finish().expect(5);
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("the search was interrupted"), "{out}");
    let capacity = world.capacity();
    // On a busy machine the first try may not have been over.
    if capacity.tries.len() == 2 {
        assert_eq!(capacity.met, Some(8), "{out}");
    }
}

#[test]
fn a_search_does_not_go_on_without_its_subject() {
    let world = World::new();
    let port = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = port.local_addr().expect("bound").port();
    let tftp = format!("tftp://127.0.0.1:{port}");
    let arguments = ["run", "quick.toml", "--subject", &tftp, "--find", "storm"];
    let Finished { out, .. } = run(world.path(), &arguments).expect(3);
    assert!(out.contains("the subject is not there"), "{out}");
    let capacity = world.capacity();
    assert_eq!(capacity.tries.len(), 1);
    assert_eq!(capacity.tries[0].verdict, TryVerdict::Void);
}
