//! The lab of the stand-in handset: a switch with power over Ethernet, a host for the server, and
//! the handset itself, each a namespace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::program::until;
use crate::space::{Host, Port, Process, READY, Space, Switch, needs};

/// The handset's MAC address, as files have it.
pub(crate) const MAC: &str = "0021f20a0001";
const MAC_COLONS: &str = "00:21:f2:0a:00:01";
/// Where the server is, and the switch's own side for SNMP.
pub(crate) const SERVER: &str = "192.0.2.1";
pub(crate) const SWITCH: &str = "192.0.2.2";
/// The communities of SNMP v2c that may read, and that may write.
pub(crate) const READER: &str = "watch";
pub(crate) const WRITER: &str = "power";

/// Everything that the lab is made of.
const PROGRAMS: [(&str, &str); 6] = [
    ("busybox", "busybox"),
    ("curl", "curl"),
    ("sipp", "sip-tester"),
    ("snmpd", "snmpd"),
    ("snmpset", "snmp"),
    ("tcpdump", "tcpdump"),
];

/// The lab. The handset's port has no power at first.
pub(crate) struct Lab {
    // Dropped in this order: the programs before the hosts, the hosts before their directory.
    handset_loop: Process,
    agent: Process,
    pub(crate) server: Host,
    handset: Host,
    switch: Switch,
    pub(crate) space: Space,
    /// The handset's port at the switch, from 1.
    pub(crate) port: u32,
}

/// A file of this directory.
pub(crate) fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stand_in")
        .join(name)
}

impl Lab {
    /// Builds it with a handset whose web page says this besides its defaults; none where the
    /// means are missing, which is said.
    pub(crate) fn new(page: &str) -> Option<Self> {
        if !needs(&PROGRAMS) {
            return None;
        }
        let space = Space::new()?;
        let switch = space.switch("switch");
        let (server, handset) = (space.host("server"), space.host("handset"));
        switch.plug(&server, "eth0");
        server.address("eth0", &format!("{SERVER}/24"));
        server.ip(&["route", "add", "224.0.0.0/4", "dev", "eth0"]);
        switch.host.address(Switch::BRIDGE, &format!("{SWITCH}/24"));
        let name = switch.plug(&handset, "eth0");
        handset.mac("eth0", MAC_COLONS);
        let port = name.trim_start_matches("port").parse().expect("a number");
        let agent = agent(&space, &switch.host);
        let home = space.path().join("flash");
        fs::create_dir_all(&home).expect("a directory");
        fs::write(home.join("page"), page).expect("writable");
        fs::write(home.join("hosts"), format!("{SERVER} sip.example.org\n")).expect("writable");
        let mut command = handset.command("sh");
        command.arg(here("handset.sh")).arg(&home);
        switch.host.ip(&["link", "set", &name, "down"]);
        let handset_loop = handset.start("handset", &mut command);
        Some(Self {
            handset_loop,
            agent,
            server,
            handset,
            switch,
            space,
            port,
        })
    }

    /// Sets the power of the handset's port over SNMP, from the server's side.
    #[track_caller]
    pub(crate) fn power(&self, on: bool) {
        let value = if on { "1" } else { "2" };
        let mut command = self.snmp("snmpset", WRITER);
        command.args([&self.cell(3), "i", value]);
        self.server.run(&mut command);
    }

    /// The object of a column of the PoE table for the handset's port.
    pub(crate) fn cell(&self, column: u32) -> String {
        format!("1.3.6.1.2.1.105.1.1.1.{column}.1.{}", self.port)
    }

    /// A command of net-snmp's, v2c, to the switch.
    pub(crate) fn snmp(&self, program: &str, community: &str) -> Command {
        let mut command = self.server.command(program);
        // Numbers need no MIB files.
        command.env("MIBS", "");
        command.args(["-v2c", "-c", community, "-Oqvn", SWITCH]);
        command
    }

    /// What the handset says of itself.
    pub(crate) fn told(&self) -> String {
        self.handset_loop.log()
    }

    /// Waits until the handset said so as often.
    #[track_caller]
    pub(crate) fn wait_told(&self, text: &str, times: usize) {
        let limit = READY + Duration::from_secs(10);
        let told = until(limit, || self.told().matches(text).count() >= times);
        let agent = self.agent.log();
        assert!(told, "{text}:\n{}\n{agent}", self.told());
    }

    /// Captures what passes the switch from now on into a file.
    pub(crate) fn capture(&self, name: &str) -> (Process, PathBuf) {
        let file = self.space.path().join(name);
        let mut command = self.switch.host.command("tcpdump");
        // A port that is down cannot be listened to; the bridge sees its frames all the same.
        command
            .args(["--immediate-mode", "-U", "-n", "-i", Switch::BRIDGE, "-w"])
            .arg(&file);
        let mut tcpdump = self.switch.host.start(name, &mut command);
        tcpdump.wait_text("listening on");
        (tcpdump, file)
    }

    /// The handset's namespace.
    pub(crate) fn handset(&self) -> &Host {
        &self.handset
    }
}

/// net-snmp's agent on the switch, with the power of its ports.
fn agent(space: &Space, switch: &Host) -> Process {
    let own = space.path().join("snmp");
    fs::create_dir_all(&own).expect("a directory");
    let text = format!(
        "rocommunity {READER}\nrwcommunity {WRITER}\n\
         createUser operator SHA authentic-phrase AES private-phrase\n\
         rwuser operator priv\n\
         pass_persist .1.3.6.1.2.1.105.1.1.1 /bin/sh {}\n",
        here("poe.sh").display()
    );
    let file = own.join("snmpd.conf");
    fs::write(&file, text).expect("writable");
    let mut command = switch.command("snmpd");
    command.env("SNMP_PERSISTENT_DIR", &own).env("MIBS", "");
    command.args(["-f", "-Lo", "-C", "-c"]).arg(&file);
    command.args(["-I", "-smux", "-p"]).arg(own.join("pid"));
    command.arg(format!("udp:{SWITCH}:161"));
    let mut agent = switch.start("snmpd", &mut command);
    agent.wait_port(Port::Udp(161));
    agent
}
