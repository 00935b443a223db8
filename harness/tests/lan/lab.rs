//! A segment, or a way over a router, with real servers at its one end and the program at its
//! other.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::busy::was_too_busy;
use crate::servers::{SERVER, nginx, tftp};
use crate::space::{Host, Port, Process, Space, Switch, cable, needs};

/// What most of the tests boot: phones of every vendor.
pub(crate) const SCENARIO: &str = "tests/lan/vendors.toml";
/// All that is at the segment.
pub(crate) const NETWORK: &str = "10.77.0.0/16";
const TOOLS: [(&str, &str); 4] = [
    ("dnsmasq", "dnsmasq-base"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("tshark", "tshark"),
];

/// A server and phones at a switch.
pub(crate) struct Lab {
    pub(crate) space: Space,
    pub(crate) switch: Switch,
    pub(crate) server: Host,
    pub(crate) phones: Host,
    /// The servers.
    pub(crate) running: Vec<Process>,
    /// Between the two.
    _router: Option<Host>,
    _turn: Turn,
}

/// Two thousand phones and their servers have the few cores, and the limits of the kernel,
/// for themselves; other tests share them.
static CORES: RwLock<()> = RwLock::new(());

/// A test's turn at the cores.
#[expect(dead_code, reason = "held, not read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Turn {
    fn shared() -> Self {
        Self::Shared(CORES.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn alone() -> Self {
        Self::Alone(CORES.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lab {
    pub(crate) fn new() -> Option<Self> {
        Self::at(Turn::shared())
    }

    /// While no other test of these has one.
    pub(crate) fn alone() -> Option<Self> {
        Self::at(Turn::alone())
    }

    fn at(turn: Turn) -> Option<Self> {
        if !needs(&TOOLS) {
            return None;
        }
        let space = Space::new()?;
        let switch = space.switch("switch");
        let (server, phones) = (space.host("server"), space.host("phones"));
        switch.plug(&server, "eth0");
        switch.plug(&phones, "eth0");
        server.address("eth0", "10.77.0.1/16");
        Some(Self {
            space,
            switch,
            server,
            phones,
            running: Vec::new(),
            _router: None,
            _turn: turn,
        })
    }

    /// The way between two hosts that are not at one cable: leases of 10.76.0.0/16 are routed to
    /// the phones' host, 10.78.0.1.
    pub(crate) fn over_a_router() -> Option<Self> {
        if !needs(&TOOLS) {
            return None;
        }
        let turn = Turn::shared();
        let space = Space::new()?;
        let (server, router) = (space.host("server"), space.host("router"));
        let phones = space.host("phones");
        cable((&server, "eth0"), (&router, "eth0"));
        cable((&router, "eth1"), (&phones, "eth0"));
        server.address("eth0", "10.77.0.1/24");
        router.address("eth0", "10.77.0.254/24");
        router.address("eth1", "10.78.0.254/24");
        phones.address("eth0", "10.76.0.1/16");
        phones.address("eth0", "10.78.0.1/24");
        server.ip(&["route", "add", "default", "via", "10.77.0.254"]);
        phones.ip(&["route", "add", "default", "via", "10.78.0.254"]);
        router.ip(&["route", "add", "10.76.0.0/16", "via", "10.78.0.1"]);
        let mut forward = router.command("sh");
        router.run(forward.args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]));
        Some(Self {
            switch: space.switch("unused"),
            space,
            server,
            phones,
            running: Vec::new(),
            _router: Some(router),
            _turn: turn,
        })
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.space.path().join("files")
    }

    /// Writes the phones' files, and starts who serves them and everything but DHCP.
    pub(crate) fn serve(&mut self, phones: u32, with_tftp: bool) {
        let number = phones.to_string();
        let mut content = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
        content.args([
            "content", SCENARIO, "--server", SERVER, "--phones", &number, "--out",
        ]);
        let written = content.arg(self.files()).output().expect("it runs");
        assert!(written.status.success(), "{written:?}");
        let own = self.space.path().join("nginx");
        self.running.push(nginx(&self.server, &self.files(), &own));
        if with_tftp {
            self.running.push(tftp(&self.server, &self.files()));
        }
        // The registrar and the clock.
        let mut serve = self.server.command(env!("CARGO_BIN_EXE_bootstorm"));
        serve.args(["serve", SCENARIO, "--address", SERVER, "--beyond-loopback"]);
        serve.args(["--ntp-port", "123", "--phones", &number]);
        let mut serve = self.server.start("serve", &mut serve);
        serve.wait_port(Port::Udp(5_060));
        self.running.push(serve);
    }

    /// A scenario of a test's own: this one with phones that stay on for so long.
    pub(crate) fn lasting(&self, seconds: u32) -> PathBuf {
        let text = fs::read_to_string(SCENARIO).expect("readable");
        let deadline = "deadline_s = 90";
        assert!(text.contains(deadline), "{SCENARIO}");
        let text = text.replace(deadline, &format!("{deadline}\nlasts_s = {seconds}"));
        let scenario = self.space.path().join("lasting.toml");
        fs::write(&scenario, text).expect("writable");
        scenario
    }

    /// The command that boots a scenario's phones at the segment; they may reach this network.
    pub(crate) fn attached(&self, scenario: impl AsRef<OsStr>, network: &str) -> Command {
        self.attached_by("lan", scenario.as_ref(), network)
    }

    fn attached_by(&self, attachment: &str, scenario: &OsStr, network: &str) -> Command {
        let mut command = self.phones.command(env!("CARGO_BIN_EXE_bootstorm"));
        command.arg("run").arg(scenario);
        command.args(["--attach", attachment, "--interface", "eth0"]);
        // The server of `relay` is the one that relay agents know.
        let scheme = if attachment == "relay" {
            "dhcp"
        } else {
            "tftp"
        };
        command.args(["--subject", &format!("{scheme}://{SERVER}")]);
        command.args(["--allow-network", network]);
        command.arg("--out").arg(self.space.path().join("report"));
        command
    }

    /// The command that boots phones of every vendor there.
    pub(crate) fn run(&self, further: &[&str]) -> Command {
        let mut command = self.attached(SCENARIO, NETWORK);
        command.args(further);
        command
    }

    /// The command that boots phones behind a relay agent.
    pub(crate) fn relayed(&self, network: &str) -> Command {
        self.attached_by("relay", SCENARIO.as_ref(), network)
    }

    /// Boots phones, which must all be provisioned; what was said.
    #[track_caller]
    pub(crate) fn boots(&self, further: &[&str]) -> String {
        self.ends_well(|| self.run(further))
    }

    /// Runs what boots phones, all of which must be provisioned; what was said.
    #[track_caller]
    pub(crate) fn ends_well(&self, run: impl Fn() -> Command) -> String {
        let before = state(&self.phones);
        // Where the machine was too busy to judge anybody by it is tried again.
        for last in [false, false, true] {
            let output = run().output().expect("it runs");
            assert_eq!(state(&self.phones), before, "everything is as before");
            let said = words(&output);
            match output.status.code() {
                Some(0) => return said,
                Some(3) if !last && was_too_busy(&said) => {}
                other => {
                    let logs: Vec<_> = self.running.iter().map(Process::log).collect();
                    panic!("{other:?}: {said}\n{}", logs.join("\n"))
                }
            }
        }
        unreachable!("the last one returns or panics");
    }
}

/// What was said.
pub(crate) fn words(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{out}\n{err}")
}

/// What of a host a run might change: interfaces, addresses, routes, rules, nftables, settings.
pub(crate) fn state(host: &Host) -> String {
    let mut all = String::new();
    for what in [
        &["-4", "address"][..],
        &["link"],
        &["-4", "route", "show", "table", "all"],
        &["-4", "rule"],
    ] {
        all.push_str(&host.ip(what));
    }
    let mut nft = host.command("nft");
    all.push_str(&host.run(nft.args(["list", "ruleset"])));
    let mut settings = host.command("sh");
    let read = "cat /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv4/ip_* 2>/dev/null; true";
    all.push_str(&host.run(settings.args(["-c", read])));
    all
}
