//! What a run lays down in the kernel besides the phones' addresses, and takes away again: a table
//! of nftables, routing rules with their table. All of it is named for the interface, so that what
//! a killed run left is found.
//!
//! Arriving (the ingress hook):
//! - Frames to a phone's MAC become this host's; else the stack drops what is not addressed to the
//!   interface's own MAC.
//! - ARP requests for phones' addresses are dropped: this program answers them, with the phone's
//!   MAC; the kernel would with the interface's.
//! - UDP to port 68 of a phone is dropped: it was read before, and the kernel would answer that
//!   nobody listens.
//!
//! Leaving (the egress hook):
//! - An announcement of a phone (RFC 5227 §2.3) notes whose the address is: so the table follows
//!   the leases without a call to `nft` for each.
//! - Frames, and the kernel's ARP requests, get the MAC of their source address's phone.
//!
//! Routing rules by source network lead to a table of our own: no default route of this machine is
//! used, changed or needed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use bootstorm_emulator::identity::Mac;

use super::preflight::tool;
use super::route::MADE_BY;
use crate::attach::reach::{Network, Reach};
use crate::drive::udp::Device;

/// Numbers of our routing tables: this and the interface's index.
const TABLE: u32 = 0x5b00_0000;
/// Addresses that a table has room for at most: the kernel sets aside 16 bytes for each.
const ADDRESSES_MAX: u64 = 1 << 18;
/// Priority of our routing rules: after the local table's, before the main one's.
const PRIORITY: u32 = 6_800;

/// What is laid down. Dropping it takes everything away.
#[derive(Debug)]
pub(crate) struct Traces {
    device: Device,
    reach: Reach,
    networks: Vec<Network>,
    /// Held by one run at a time; the kernel frees it when the process ends, however that is.
    _lock: UnixDatagram,
}

/// What is to be taken away when the program is ended at once.
static LAID: Mutex<Vec<Device>> = Mutex::new(Vec::new());

/// Takes away what runs of this program have laid down: for an end without an unwinding stack.
pub fn take_all_away() {
    // Held all the while: what is being laid down or taken away just now is finished first.
    for device in laid().drain(..) {
        // There is nobody left to tell.
        let _ = take_away(&device);
    }
}

impl Traces {
    /// Takes away what a killed run left on the interface, then lays down the table of nftables for
    /// phones with these MACs. None of them: no frame is changed.
    ///
    /// # Errors
    /// What was tried and what was said of it: another run has the interface, a tool failed.
    pub(crate) fn lay(
        device: &Device,
        reach: Reach,
        phones: Option<&[Mac]>,
    ) -> Result<Self, String> {
        let name = &device.name;
        let lock = SocketAddr::from_abstract_name(format!("bootstorm-on-{name}"));
        let lock = lock.and_then(|address| UnixDatagram::bind_addr(&address));
        let lock = lock.map_err(|_| {
            format!("another run of bootstorm has the interface {name}: wait for it")
        })?;
        take_away(device)?;
        let traces = Self {
            device: device.clone(),
            reach,
            networks: Vec::new(),
            _lock: lock,
        };
        let mut under_way = laid();
        under_way.push(device.clone());
        if let Some(phones) = phones {
            let fed = fed("nft", &["-f", "-"], &table(device, reach, phones));
            // A fault drops the traces, which takes the device off the list.
            drop(under_way);
            fed.map_err(|fault| {
                format!("{fault} (needed: nftables 1.0.1 and the egress hook of Linux 5.16)")
            })?;
        }
        Ok(traces)
    }

    /// Makes a network that phones were leased addresses of reachable from there, and through its
    /// router, where it has one, what else the run may reach.
    ///
    /// # Errors
    /// What `ip` said.
    pub(crate) fn route(
        &mut self,
        network: Network,
        router: Option<Ipv4Addr>,
    ) -> Result<(), String> {
        if self.networks.contains(&network) {
            return Ok(());
        }
        self.networks.push(network);
        let (device, table) = (&self.device.name, number(&self.device));
        let mut batch = String::new();
        let mut rule = |to: Network, how: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(
                batch,
                "rule add pref {PRIORITY} from {network} to {to} lookup {table}\n\
                 route replace {to} {how} dev {device} table {table} proto {MADE_BY}"
            );
        };
        rule(network, "scope link");
        for beyond in self.reach.networks().filter(|it| !network.encloses(*it)) {
            if let Some(router) = router.filter(|router| network.contains(*router)) {
                rule(beyond, &format!("via {router} onlink"));
            }
        }
        fed("ip", &["-batch", "-"], &batch)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // On the list until all is away: a second Ctrl-C waits for the list.
        let mut under_way = laid();
        let away = take_away(&self.device);
        under_way.retain(|device| *device != self.device);
        drop(under_way);
        if let Err(fault) = away {
            let name = &self.device.name;
            eprintln!("bootstorm: failed to tidy up {name} (the next run will try again): {fault}");
        }
    }
}

fn laid() -> std::sync::MutexGuard<'static, Vec<Device>> {
    LAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes away whatever there is of ours for an interface; nothing there is no fault.
fn take_away(device: &Device) -> Result<(), String> {
    let (name, own, number) = (&device.name, named(device), number(device));
    // Added first, so that it is there to be deleted.
    let table = format!("add table netdev {own}\ndelete table netdev {own}\n");
    let made = MADE_BY.to_string();
    let number = number.to_string();
    let results = [
        fed("nft", &["-f", "-"], &table),
        fed("ip", &["rule", "flush", "table", &number], ""),
        // A table that never was is no fault.
        fed(
            "ip",
            &["-force", "-batch", "-"],
            &format!("route flush table {number}\n"),
        )
        .or(Ok(())),
        fed(
            "ip",
            &[
                "route", "flush", "table", "local", "proto", &made, "dev", name,
            ],
            "",
        ),
    ];
    let faults: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("; ")),
    }
}

/// Runs a program with this on its standard input.
fn fed(program: &str, arguments: &[&str], input: &str) -> Result<(), String> {
    let ran = || {
        let place = tool(program).unwrap_or_else(|| program.into());
        let mut child = Command::new(place)
            .args(arguments)
            // Ctrl-C goes to the whole group of the terminal: what tidies up is not to be hit.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends early says why.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    };
    let called = || format!("{program} {}", arguments.join(" "));
    let output = ran().map_err(|fault| format!("failed to start {}: {fault}", called()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(300).collect();
    let said = said.replace('\n', "; ");
    Err(format!("{} failed ({}): {said}", called(), output.status))
}

/// The name of our table of nftables: letters, digits and `_` are safe there.
fn named(device: &Device) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    let name: String = device.name.chars().map(plain).collect();
    format!("bootstorm_{name}_{}", device.index)
}

fn number(device: &Device) -> u32 {
    TABLE + device.index
}

/// The table as `nft -f` takes it. It has room for every address that the run may reach: those that
/// were given up stay, so that late frames bear their phone's MAC too.
fn table(device: &Device, reach: Reach, phones: &[Mac]) -> String {
    let colons = |mac: &Mac| mac.0.map(|byte| format!("{byte:02x}")).join(":");
    let macs: Vec<String> = phones.iter().map(colons).collect();
    let macs = macs.join(", ");
    let addresses: u64 = reach.networks().map(Network::addresses).sum();
    let size = addresses.min(ADDRESSES_MAX);
    let (own, name) = (named(device), &device.name);
    let announces = "ether saddr @phones arp operation request arp saddr ip != 0.0.0.0";
    format!(
        r#"table netdev {own} {{
  set phones {{ typeof ether saddr; elements = {{ {macs} }} }}
  map macs {{ typeof ip saddr : ether saddr; flags dynamic; size {size}; }}
  chain arriving {{
    type filter hook ingress device "{name}" priority 0; policy accept;
    arp operation request arp daddr ip @macs drop
    ether daddr @phones udp dport 68 drop
    ether daddr @phones meta pkttype set host
  }}
  chain leaving {{
    type filter hook egress device "{name}" priority 0; policy accept;
    {announces} delete @macs {{ arp saddr ip : arp saddr ether }}
    {announces} add @macs {{ arp saddr ip : arp saddr ether }}
    arp saddr ether set arp saddr ip map @macs ether saddr set arp saddr ip map @macs
    ether saddr set ip saddr map @macs
  }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_bears_a_name_that_nftables_takes() {
        let device = Device {
            name: "br-lan.7@x".into(),
            index: 9,
        };
        assert_eq!(named(&device), "bootstorm_br_lan_7_x_9");
        let networks = ["10.77.0.0/16", "192.0.2.0/24"].map(|it| it.parse().expect("a network"));
        let reach = Reach::to(&networks).expect("two of them");
        let text = table(&device, reach, &[Mac([2, 0, 0, 0, 0, 5])]);
        assert!(text.contains("size 65792;"), "{text}");
        assert!(text.contains("elements = { 02:00:00:00:00:05 }"), "{text}");
        assert!(text.contains("hook egress device \"br-lan.7@x\""), "{text}");
    }

    #[test]
    fn a_tool_is_not_hit_by_the_ctrl_c_that_ends_the_run() {
        let leads = "read -r own _ _ _ group _ </proc/self/stat; test $own = $group";
        fed("sh", &["-c", leads], "").expect("a process group of its own");
    }

    #[test]
    fn a_tool_that_fails_is_told_with_its_words() {
        let told = fed("sh", &["-c", "cat >&2; exit 3"], "no such device").expect_err("it fails");
        assert!(told.contains("exit status: 3"), "{told}");
        assert!(told.ends_with("no such device"), "{told}");
        let told = fed("no-such-program-here", &[], "").expect_err("it is not there");
        assert!(
            told.starts_with("failed to start no-such-program-here"),
            "{told}"
        );
    }
}
