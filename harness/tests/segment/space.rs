//! Network namespaces of one test: hosts, cables and switches between them, programs inside. All of
//! it is removed when dropped, also by a panic; what a test that was killed left is removed by the
//! next one. Nothing is made in the first namespace.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tool::{not_run, tool};

/// What the names of all our namespaces begin with; the process id of the test follows.
const PREFIX: &str = "bootstorm-";
/// Where iproute2 keeps the names.
const NAMES: &str = "/run/netns";
/// Longest time that a program takes until it listens or says what is waited for.
pub(crate) const READY: Duration = Duration::from_secs(20);
/// How long a program may take to end when asked, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);
/// Bits of `CapEff`: CAP_NET_ADMIN and CAP_SYS_ADMIN.
const RIGHTS: u64 = 1 << 12 | 1 << 21;
/// Servers lie where an ordinary user's PATH does not lead.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/sbin";

static SPACES: AtomicU32 = AtomicU32::new(0);

/// Whether everything is there: the right to make namespaces, iproute2, and these programs, each
/// with the package that has it. What is missing is said past the capture of the tests.
pub(crate) fn needs(programs: &[(&str, &str)]) -> bool {
    let mut met = true;
    for (name, package) in [("ip", "iproute2")].iter().chain(programs) {
        met &= tool(name, package).is_some();
    }
    if !may_make_namespaces() {
        not_run("root (CAP_NET_ADMIN and CAP_SYS_ADMIN)");
        met = false;
    }
    met
}

/// Whether this process has both rights.
fn may_make_namespaces() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|it| it.strip_prefix("CapEff:"));
    let held = held.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    held.is_some_and(|held| held & RIGHTS == RIGHTS)
}

/// The namespaces of one test and the directory that they share.
pub(crate) struct Space {
    tag: String,
    directory: TempDir,
}

impl Space {
    /// A space without hosts; none where the kernel or the container makes no namespaces, which
    /// is said.
    pub(crate) fn new() -> Option<Self> {
        remove_leftovers();
        let number = SPACES.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{PREFIX}{}-{number}", std::process::id());
        let directory = TempDir::new().expect("a directory");
        let space = Self { tag, directory };
        let name = format!("{}-probe", space.tag);
        if ip(&["netns", "add", &name]).is_err() {
            not_run("network namespaces");
            return None;
        }
        remove(&name);
        Some(space)
    }

    /// A directory for what the test writes; logs are in it too.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A new host without interfaces but `lo`, which is up.
    pub(crate) fn host(&self, name: &str) -> Host {
        let full = format!("{}-{name}", self.tag);
        must(&["netns", "add", &full]);
        let logs = self.path().join(name);
        let host = Host { name: full, logs };
        fs::create_dir_all(&host.logs).expect("a directory");
        host.ip(&["link", "set", "lo", "up"]);
        host
    }

    /// A new switch without ports.
    pub(crate) fn switch(&self, name: &str) -> Switch {
        let host = self.host(name);
        // Without spanning tree and delay a port forwards as soon as its link is up.
        let bridge = ["link", "add", Switch::BRIDGE, "type", "bridge"];
        host.ip(&[&bridge[..], &["forward_delay", "0", "stp_state", "0"]].concat());
        host.ip(&["link", "set", Switch::BRIDGE, "up"]);
        let ports = AtomicU32::new(0);
        Switch { host, ports }
    }
}

/// A switch: a host with a bridge.
pub(crate) struct Switch {
    /// Where the bridge and its ports are; programs may run here too.
    pub(crate) host: Host,
    ports: AtomicU32,
}

impl Switch {
    /// The name of the bridge.
    pub(crate) const BRIDGE: &str = "br0";

    /// Plugs a new interface of a host into the next free port, `port1` the first, both up; gives
    /// the port's name.
    pub(crate) fn plug(&self, host: &Host, interface: &str) -> String {
        let number = self.ports.fetch_add(1, Ordering::Relaxed) + 1;
        let port = format!("port{number}");
        cable((&self.host, &port), (host, interface));
        let master = ["link", "set", &port, "master", Self::BRIDGE];
        self.host.ip(&master);
        port
    }
}

/// Joins two hosts by a new cable with these interfaces at its ends, both up.
pub(crate) fn cable(one: (&Host, &str), other: (&Host, &str)) {
    let ends = [
        &["link", "add", one.1, "netns", &one.0.name, "type", "veth"][..],
        &["peer", "name", other.1, "netns", &other.0.name],
    ];
    must(&ends.concat());
    for (host, interface) in [one, other] {
        host.ip(&["link", "set", interface, "up"]);
    }
}

/// A network namespace. Dropping it ends everything that runs inside and removes it.
pub(crate) struct Host {
    name: String,
    logs: PathBuf,
}

impl Host {
    /// The name of its namespace, for `ip -n` and `ip netns exec`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on it, which must succeed; gives what it printed.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &[&str]) -> String {
        must(&[&["-n", &self.name], arguments].concat())
    }

    /// Gives an interface an address with the length of its network's prefix.
    #[track_caller]
    pub(crate) fn address(&self, interface: &str, address: &str) {
        self.ip(&["address", "add", address, "dev", interface]);
    }

    /// Sets the MAC address of an interface.
    #[track_caller]
    pub(crate) fn mac(&self, interface: &str, mac: &str) {
        self.ip(&["link", "set", interface, "address", mac]);
    }

    /// A command that will run inside; programs of the system's directories are found too.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(tool("ip", "iproute2").expect("asked for before"));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:{SYSTEM}"));
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Starts a command of this host's with its outputs in a file `NAME.log`.
    #[track_caller]
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Process {
        let log = self.logs.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log");
        let second = file.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        let child = command
            .spawn()
            .unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
        let inside = fs::metadata(Path::new(NAMES).join(&self.name)).expect("a namespace");
        Process {
            child,
            name: name.to_owned(),
            log,
            inside: inside.ino(),
        }
    }

    /// Runs a command of this host's to its end, which must be a good one, and gives what it
    /// wrote to standard output.
    #[track_caller]
    pub(crate) fn run(&self, command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{command:?}:\n{out}\n{err}");
        out
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// A port of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    /// A UDP port.
    Udp(u16),
    /// A TCP port on which somebody listens.
    Tcp(u16),
}

/// A program inside a host. Dropping it ends it: it is asked to, then killed.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    inside: u64,
}

impl Process {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the host has this port open.
    #[track_caller]
    pub(crate) fn wait_port(&mut self, port: Port) {
        self.wait_until(&format!("{port:?}"), |it| it.is_inside() && it.has(port));
    }

    /// Waits until it wrote something with this text in it.
    #[track_caller]
    pub(crate) fn wait_text(&mut self, text: &str) {
        self.wait_until(text, |it| it.log().contains(text));
    }

    /// Waits until it is so; a program that ended before is a fault.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + READY;
        loop {
            if is_so(self) {
                return;
            }
            let ended = self.child.try_wait().expect("own child");
            let (name, log) = (&self.name, self.log());
            assert!(ended.is_none(), "{name} ended before {what}:\n{log}");
            assert!(Instant::now() < end, "{name} is not at {what}:\n{log}");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for its own end.
    #[track_caller]
    pub(crate) fn finish(&mut self, limit: Duration) -> ExitStatus {
        let status = self.ends_within(limit);
        let (name, log) = (&self.name, self.log());
        status.unwrap_or_else(|| panic!("{name} did not end within {limit:?}:\n{log}"))
    }

    /// Ends it now.
    pub(crate) fn end(self) {
        drop(self);
    }

    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            let status = self.child.try_wait().expect("own child");
            if status.is_some() || Instant::now() >= end {
                return status;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether `ip netns exec` entered the host already.
    fn is_inside(&self) -> bool {
        let own = fs::metadata(format!("/proc/{}/ns/net", self.id()));
        own.is_ok_and(|it| it.ino() == self.inside)
    }

    fn has(&self, port: Port) -> bool {
        let (tables, wanted, state) = match port {
            Port::Udp(wanted) => (["udp", "udp6"], wanted, None),
            Port::Tcp(wanted) => (["tcp", "tcp6"], wanted, Some("0A")),
        };
        tables.iter().any(|table| {
            let text = fs::read_to_string(format!("/proc/{}/net/{table}", self.id()));
            let text = text.unwrap_or_default();
            text.lines().skip(1).any(|line| is_at(line, wanted, state))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal("-TERM", self.child.id());
            if self.ends_within(GRACE).is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

/// Whether a line of `/proc/net/tcp` or its siblings is a socket at this port in this state.
fn is_at(line: &str, port: u16, state: Option<&str>) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let local = words.next().and_then(|it| it.rsplit_once(':'));
    let here = local.and_then(|(_, it)| u16::from_str_radix(it, 16).ok());
    let found = words.nth(1);
    here == Some(port) && (state.is_none() || found == state)
}

fn signal(which: &str, process: u32) {
    let process = process.to_string();
    let _ = Command::new("kill")
        .args([which, &process])
        .stderr(Stdio::null())
        .status();
}

/// Runs `ip`; gives what it printed, or why it failed.
fn ip(arguments: &[&str]) -> Result<String, String> {
    let program = tool("ip", "iproute2").ok_or("no ip")?;
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|fault| fault.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn must(arguments: &[&str]) -> String {
    ip(arguments).unwrap_or_else(|fault| panic!("ip {}: {fault}", arguments.join(" ")))
}

/// Ends everything in a namespace and removes it with its interfaces.
fn remove(name: &str) {
    let inside = ip(&["netns", "pids", name]).unwrap_or_default();
    for process in inside.lines().filter_map(|it| it.trim().parse().ok()) {
        signal("-KILL", process);
    }
    let _ = ip(&["netns", "delete", name]);
}

/// Removes the namespaces of tests that are no more.
fn remove_leftovers() {
    let Ok(names) = fs::read_dir(NAMES) else {
        return;
    };
    for name in names.filter_map(|it| it.ok()?.file_name().into_string().ok()) {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|it| it.split('-').next());
        let owner = owner.and_then(|it| it.parse::<u32>().ok());
        if owner.is_some_and(|it| !Path::new(&format!("/proc/{it}")).exists()) {
            remove(&name);
        }
    }
}
