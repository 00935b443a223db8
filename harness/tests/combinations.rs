//! Every vendor's phones on a segment of real servers: leases, files, time, accounts and discovery
//! each by a program that nobody here wrote, configured from the fleet. A row is a combination.

#[path = "support/busy.rs"]
mod busy;
#[path = "combinations/files.rs"]
mod files;
#[path = "combinations/leases.rs"]
mod leases;
#[path = "combinations/others.rs"]
mod others;
#[path = "support/program.rs"]
mod program;
#[path = "combinations/rows.rs"]
mod rows;
#[expect(dead_code, reason = "each target has its own segment")]
#[path = "segment/space.rs"]
mod space;
#[path = "support/tool.rs"]
mod tool;

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;
use busy::{lateness, was_too_busy};
use program::{Started, run};
use rows::{Other, ROWS, Row};
use space::{Host, Process, Space, Switch, needs};

/// Where the servers are, and the one that answers by multicast.
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const RESPONDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const NETWORK: &str = "192.0.2.0/24";
/// What is leased.
const POOL: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 60), Ipv4Addr::new(192, 0, 2, 199)];
/// Phones of each row.
const PHONES: u32 = 10;
/// Runs in which the machine was too busy to judge are repeated; so often at most.
const VOID_RUNS: u32 = 3;
const VOID: i32 = 3;

/// The segment of one row.
pub(crate) struct Segment {
    // The programs end before their hosts go, the hosts before their directory.
    running: Vec<Process>,
    pub(crate) server: Host,
    pub(crate) responder: Host,
    phones: Host,
    _switch: Switch,
    pub(crate) space: Space,
    pub(crate) plan: Plan,
}

impl Segment {
    /// Hosts at a switch, and the files of the row's fleet.
    fn new(row: &Row) -> Option<Self> {
        let space = Space::new()?;
        let switch = space.switch("switch");
        let [server, responder, phones] = ["server", "responder", "phones"].map(|name| {
            let host = space.host(name);
            switch.plug(&host, "eth0");
            host
        });
        for (host, address) in [(&server, SERVER), (&responder, RESPONDER)] {
            host.address("eth0", &format!("{address}/24"));
            host.ip(&["route", "add", "224.0.0.0/4", "dev", "eth0"]);
        }
        let text = row.scenario();
        fs::write(space.path().join("scenario.toml"), &text).expect("writable");
        let scenario = scenario::read("scenario.toml", &text);
        let scenario = scenario.unwrap_or_else(|faults| panic!("{}: {faults}", row.name));
        let plan = Plan::new(scenario, &ProfileSet::built_in(), SERVER).expect("a plan");
        let address = SERVER.to_string();
        let content = [
            "content",
            "scenario.toml",
            "--out",
            "files",
            "--server",
            &address,
        ];
        run(space.path(), &content).expect(0);
        Some(Self {
            running: Vec::new(),
            server,
            responder,
            phones,
            _switch: switch,
            space,
            plan,
        })
    }

    /// The tree that is served.
    pub(crate) fn tree(&self) -> PathBuf {
        self.space.path().join("files")
    }

    /// A directory of a server's own.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        let own = self.space.path().join(name);
        fs::create_dir_all(&own).expect("a directory");
        own
    }

    /// Boots the phones; what was said, and the report.
    fn boot(&self, subjects: &[String]) -> (i32, String, Report) {
        let mut finished = None;
        for _ in 0..VOID_RUNS {
            let mut command = self.phones.command(env!("CARGO_BIN_EXE_bootstorm"));
            command.current_dir(self.space.path());
            command.args([
                "run",
                "scenario.toml",
                "--attach",
                "lan",
                "--interface",
                "eth0",
            ]);
            command.args(["--allow-network", NETWORK]);
            for subject in subjects {
                command.args(["--subject", subject]);
            }
            let ended = Started::new(&mut command).finish();
            let said = format!("{}\n{}", ended.out, ended.err);
            let again = ended.code == VOID && was_too_busy(&said);
            finished = Some((ended.code, said));
            if !again {
                break;
            }
        }
        let (code, said) = finished.expect("at least one run");
        let file = self.space.path().join("bootstorm-report/report.json");
        let mut file = fs::File::open(file).unwrap_or_else(|_| panic!("no report:\n{said}"));
        let report = bootstorm_reports::json::read(&mut file).expect("a sound report");
        (code, said, report)
    }
}

/// Boots a row's phones, which must all be provisioned by its servers.
fn boots(row: &Row) {
    if !needs(&row.programs()) {
        return;
    }
    let Some(mut segment) = Segment::new(row) else {
        return;
    };
    let lease = leases::start(row.leases, row, &segment);
    let served = files::start(row.files, &segment);
    segment.running.extend([lease, served]);
    for other in row.others {
        let started = others::start(*other, &segment);
        segment.running.extend(started);
    }
    let (code, said, report) = segment.boot(&row.subjects());
    let logs: Vec<_> = segment.running.iter().map(Process::log).collect();
    let logs = logs.join("\n");
    assert_eq!(code, 0, "{}:\n{said}\n{logs}", row.name);
    let provisioned = report.counts().of(Outcome::Provisioned);
    assert_eq!(provisioned, PHONES, "{}:\n{said}", row.name);
    if row.others.contains(&Other::Kamailio) {
        let registered: BTreeSet<_> = logs
            .split("has registered ")
            .skip(1)
            .filter_map(|it| it.split_whitespace().next())
            .collect();
        assert_eq!(registered.len(), PHONES as usize, "{}:\n{logs}", row.name);
    }
}

#[test]
fn only_a_machine_that_was_too_busy_is_a_reason_to_boot_again() {
    let verdict = |why: &str| format!("Void: {why}; 3 of 10 provisioned,\nwhich says nothing.");
    let late = "phones were served\n 312 ms late";
    for (why, again) in [
        (format!("generator saturated ({late})"), true),
        (format!("generator saturated (a lease (two); {late})"), true),
        ("generator saturated (a lease (two))".to_owned(), false),
        ("3 phones never started".to_owned(), false),
    ] {
        assert_eq!(lateness(&verdict(&why)).is_some(), again, "{why}");
    }
    let absent = "Inconclusive: the server does not answer; no phone was booted.";
    assert_eq!(lateness(absent), None);
}

fn boots_all_of(vendor: &str) {
    for row in ROWS.iter().filter(|row| row.vendor() == vendor) {
        boots(row);
    }
}

#[test]
fn every_vendor_has_at_least_two_combinations_of_other_servers() {
    let vendors: BTreeSet<_> = ROWS.iter().map(Row::vendor).collect();
    assert_eq!(vendors.len(), 5);
    for vendor in vendors {
        let rows = ROWS.iter().filter(|row| row.vendor() == vendor);
        let servers: BTreeSet<_> = rows.map(|row| (row.leases, row.files)).collect();
        assert!(servers.len() >= 2, "{vendor}: {servers:?}");
    }
}

#[test]
fn plug_n_dial_phones_boot_at_real_servers() {
    boots_all_of("plug-n-dial");
}

#[test]
fn flyingvoice_phones_boot_at_real_servers() {
    boots_all_of("flyingvoice");
}

#[test]
fn gigaset_phones_boot_at_real_servers() {
    boots_all_of("gigaset");
}

#[test]
fn auerswald_phones_boot_at_real_servers() {
    boots_all_of("auerswald");
}

#[test]
fn fanvil_phones_boot_at_real_servers() {
    boots_all_of("fanvil");
}
