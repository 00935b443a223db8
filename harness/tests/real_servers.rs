//! The same fleets against real servers that nobody here wrote: tftpd-hpa, dnsmasq, nginx,
//! async-tftp, chrony, SIPp, pure-ftpd. What a test does not name comes from the built-in server.

#[path = "real_servers/certify.rs"]
mod certify;
#[path = "real_servers/ftp.rs"]
mod ftp;
#[path = "real_servers/modules.rs"]
mod modules;
#[path = "support/program.rs"]
mod program;
#[path = "support/servers.rs"]
mod servers;
#[path = "real_servers/services.rs"]
mod services;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::report::Report;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::scenario::{self, Transport};
use program::{Finished, run};
use servers::{Nginx, dnsmasq, free_tcp_port, free_udp_port, nginx, tftpd_hpa};
use tempfile::TempDir;

/// Runs in which the machine was too busy to judge a subject are repeated; so often at most.
const VOID_RUNS: u32 = 3;
const VOID: i32 = 3;

/// A scenario's files, written for whoever serves them.
struct World {
    directory: TempDir,
    scenario: &'static str,
    phones: &'static str,
}

impl World {
    fn new(scenario: &'static str, phones: &'static str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let world = Self {
            directory,
            scenario,
            phones,
        };
        let content = world.content().display().to_string();
        let arguments = ["content", scenario, "--phones", phones, "--out", &content];
        let server = ["--server", "127.0.0.1"];
        run(world.path(), &[&arguments[..], &server].concat()).expect(0);
        world
    }

    /// The fleets.
    fn plan(&self) -> Plan {
        let built_in = scenario::built_in().iter();
        let mut texts =
            built_in.filter_map(|(name, text)| (*name == self.scenario).then_some(*text));
        let text = texts.next().expect("it comes with the program");
        let mut scenario = scenario::read(self.scenario, text).expect("sound");
        scenario.resize(self.phones.parse().expect("a number"));
        Plan::new(scenario, &ProfileSet::built_in(), Ipv4Addr::LOCALHOST).expect("a plan")
    }

    /// The MACs of the phones that fetch something by a protocol, sorted.
    fn fetching_by(&self, transport: Transport) -> Vec<String> {
        self.such(|plan, phone| {
            let linked = plan.linked_files(phone);
            let fleet = plan.fleet(phone).expect("in a fleet");
            fleet.transport == transport || linked.iter().any(|it| it.transport == transport)
        })
    }

    /// The MACs of such phones, sorted.
    fn such(&self, such: impl Fn(&Plan, &PhonePlan) -> bool) -> Vec<String> {
        let plan = self.plan();
        let phones = (0..plan.phones()).filter_map(|index| plan.phone(index));
        let wanted = phones.filter(|phone| such(&plan, phone));
        let mut macs: Vec<_> = wanted.map(|phone| bare(phone.identity.mac)).collect();
        macs.sort();
        macs
    }

    /// A world without files, for scenarios of its own.
    fn empty() -> Self {
        Self {
            directory: TempDir::new().expect("a directory"),
            scenario: "",
            phones: "",
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn content(&self) -> PathBuf {
        self.path().join("content")
    }

    fn nginx(&self) -> Option<servers::Server> {
        nginx(&Nginx {
            directory: &self.content(),
            own: &self.path().join("nginx"),
            always: None,
            tls: false,
            certified: None,
            closed: None,
        })
    }

    /// Boots the fleets; the report is checked by its reader.
    fn boot(&self, further: &[&str]) -> (Finished, Report) {
        let phones = ["--phones", self.phones];
        self.boot_own(self.scenario, &[&phones[..], further].concat())
    }

    /// Boots the fleets of a scenario.
    fn boot_own(&self, scenario: &str, further: &[&str]) -> (Finished, Report) {
        let arguments = [&["run", scenario][..], further].concat();
        let mut finished = run(self.path(), &arguments);
        for _ in 1..VOID_RUNS {
            if finished.code == VOID {
                finished = run(self.path(), &arguments);
            }
        }
        let path = self.path().join("bootstorm-report/report.json");
        let mut file = fs::File::open(&path)
            .unwrap_or_else(|fault| panic!("no report: {fault}\n{}", finished.err));
        let report = bootstorm_reports::json::read(&mut file).expect("a sound report");
        (finished, report)
    }

    /// Boots the fleets, and every phone must be provisioned.
    #[track_caller]
    fn boots_everybody(&self, further: &[&str]) -> Report {
        let (finished, report) = self.boot(further);
        finished.expect(0);
        let phones: u32 = self.phones.parse().expect("a number");
        assert_eq!(report.phones().len(), phones as usize);
        assert_eq!(report.counts().of(Outcome::Provisioned), phones);
        report
    }
}

fn tftp(server: &servers::Server) -> String {
    format!("tftp://127.0.0.1:{}", server.port)
}

fn http(server: &servers::Server) -> String {
    format!("http://127.0.0.1:{}", server.port)
}

fn bare(mac: Mac) -> String {
    mac.to_string().replace(':', "").to_lowercase()
}

/// The MACs of the phones that were not provisioned, sorted.
fn unlucky(report: &Report) -> Vec<String> {
    let unlucky = report
        .phones()
        .iter()
        .filter(|phone| phone.outcome != Outcome::Provisioned);
    let mut macs: Vec<_> = unlucky.map(|phone| bare(phone.mac)).collect();
    macs.sort();
    macs
}

#[test]
fn tftpd_hpa_and_nginx_provision_the_first_run() {
    let world = World::new("first-run", "200");
    let Some(tftpd) = tftpd_hpa(&world.content()) else {
        return;
    };
    let Some(nginx) = world.nginx() else { return };
    let subject = ["--subject", &tftp(&tftpd), "--subject", &http(&nginx)];
    let report = world.boots_everybody(&subject);
    let addresses: Vec<_> = report.facts().subject.iter().collect();
    for port in [tftpd.port, nginx.port] {
        let ours = format!("127.0.0.1:{port}");
        assert!(addresses.iter().any(|endpoint| endpoint.address == ours));
    }
    tftpd.end();
    nginx.end();
}

#[test]
fn async_tftp_provisions_the_first_run() {
    World::new("first-run", "100").boots_everybody(&["--tftp-server", "async-tftp"]);
}

#[test]
fn dnsmasq_provisions_the_first_run() {
    let world = World::new("first-run", "100");
    let Some(dnsmasq) = dnsmasq(&world.content()) else {
        return;
    };
    world.boots_everybody(&["--subject", &tftp(&dnsmasq)]);
}

#[test]
fn missing_files_fail_exactly_the_phones_that_need_them() {
    let world = World::new("first-run", "200");
    let Some(tftpd) = tftpd_hpa(&world.content()) else {
        return;
    };
    let Some(nginx) = world.nginx() else { return };
    let content = world.content();
    let fleets = [
        "flyingvoice-option66",
        "flyingvoice-pnp",
        "plug-n-dial",
        "fanvil-option-66",
    ];
    let gone = fleets.map(|name| {
        let of_fleet = |plan: &Plan, phone: &PhonePlan| {
            plan.fleet(phone).is_some_and(|fleet| fleet.name == name)
        };
        let mac = world.such(of_fleet).swap_remove(3);
        let file = match name {
            "flyingvoice-option66" => format!("{mac}.cfg"),
            "flyingvoice-pnp" => format!("pnp/{mac}.cfg"),
            "fanvil-option-66" => format!("fanvil/{mac}.cfg"),
            _ => format!("{}/{}/{mac}.txt", &mac[..4], &mac[4..8]),
        };
        (mac, file)
    });
    for (_, file) in &gone {
        fs::remove_file(content.join(file)).expect(file);
    }
    let subject = ["--subject", &tftp(&tftpd), "--subject", &http(&nginx)];
    let (finished, report) = world.boot(&[&subject[..], &["--deadline", "60"]].concat());
    finished.expect(1);
    let mut expected: Vec<_> = gone.iter().map(|(mac, _)| mac.clone()).collect();
    expected.sort();
    assert_eq!(unlucky(&report), expected);
    for phone in report.phones() {
        let said = phone.first_wrong.is_some() || phone.difference.is_some();
        assert_eq!(said, phone.outcome != Outcome::Provisioned, "{phone:?}");
    }
}

#[test]
fn server_that_answers_500_is_named_with_its_status() {
    let world = World::new("first-run", "200");
    let broken = nginx(&Nginx {
        directory: &world.content(),
        own: &world.path().join("nginx"),
        always: Some(500),
        tls: false,
        certified: None,
        closed: None,
    });
    let Some(broken) = broken else { return };
    let arguments = ["--subject", &http(&broken), "--deadline", "60"];
    let (finished, report) = world.boot(&arguments);
    let finished = finished.expect(1);
    assert!(finished.out.contains("500"), "{}", finished.out);
    // The phones that ask over HTTP, and no other one.
    assert_eq!(unlucky(&report), world.fetching_by(Transport::Http));
    assert!((50..150).contains(&report.counts().of(Outcome::Provisioned)));
}

// Nothing is said of a subject that is not there, and no phone waits for it.
#[test]
fn server_that_refuses_connections_is_told_before_a_phone_is_booted() {
    let world = World::new("first-run", "200");
    let down = format!("http://127.0.0.1:{}", free_tcp_port());
    let (finished, report) = world.boot(&["--subject", &down, "--deadline", "60"]);
    let finished = finished.expect(3);
    assert!(report.phones().is_empty());
    assert!(
        finished.out.contains("connection refused"),
        "{}",
        finished.out
    );
}

#[test]
fn server_that_is_down_is_told_before_a_phone_is_booted() {
    let world = World::new("first-run", "200");
    let down = format!("tftp://127.0.0.1:{}", free_udp_port());
    let began = Instant::now();
    let (finished, report) = world.boot(&["--subject", &down, "--deadline", "60"]);
    let finished = finished.expect(3);
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(30), "{elapsed:?}");
    assert!(report.phones().is_empty());
    assert!(
        finished.out.contains("port unreachable"),
        "{}",
        finished.out
    );
}
