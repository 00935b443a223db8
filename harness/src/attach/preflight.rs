//! What a run on an interface needs of this machine, looked at before anything is changed.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bootstorm_emulator::located::nearest;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::LinkAddr;

use crate::attach::reach::Network;
use crate::drive::udp::Device;

/// Bits of capabilities (capabilities(7)).
const NET_BIND_SERVICE: u32 = 10;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
/// Ethernet, as the kernel numbers hardware (ARPHRD_ETHER).
const ETHERNET: u16 = 1;
/// Neighbours besides the phones that this machine may have.
const NEIGHBOURS_BESIDES: u32 = 256;
const THRESHOLDS: &str = "/proc/sys/net/ipv4/neigh/default";

/// What is to be done on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Phones with MACs of their own take part in its segment.
    Segment,
    /// Phones' DHCP is relayed through it.
    Relay,
}

/// An interface that can be used.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name and number.
    pub device: Device,
    /// Its place for AF_PACKET sockets.
    pub(super) link: LinkAddr,
    /// This machine's own addresses there, with their networks.
    pub own: Vec<(Ipv4Addr, Network)>,
}

/// Looks at an interface and at what the program may do here.
///
/// # Errors
/// Everything that is missing, and how to get it: one sentence for each.
pub fn look(name: &str, purpose: Use) -> Result<Interface, Vec<String>> {
    let mut faults = Vec::new();
    let interface = interface(name, purpose)
        .map_err(|fault| faults.extend(fault))
        .ok();
    let mut needed = vec![(NET_ADMIN, "CAP_NET_ADMIN")];
    match purpose {
        Use::Segment => needed.push((NET_RAW, "CAP_NET_RAW")),
        Use::Relay => needed.push((NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE")),
    }
    let held = capabilities(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let missing: Vec<_> = needed
        .into_iter()
        .filter(|(bit, _)| held >> bit & 1 == 0)
        .collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|(_, name)| *name).collect();
        let names = names.join(" and ");
        faults.push(format!(
            "the program lacks {names}: start it as root (sudo bootstorm run …)"
        ));
    }
    for (program, package) in [("nft", "nftables"), ("ip", "iproute2")] {
        if tool(program).is_none() {
            faults.push(format!("{program} is missing: sudo apt install {package}"));
        }
    }
    match interface {
        Some(interface) if faults.is_empty() => Ok(interface),
        _ => Err(faults),
    }
}

/// A program, where a user's path may not lead.
pub(super) fn tool(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let further = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let places = std::env::split_paths(&path).chain(further);
    let mut files = places.map(|place| place.join(program));
    files.find(|file| file.is_file())
}

fn interface(name: &str, purpose: Use) -> Result<Interface, Vec<String>> {
    let all = getifaddrs().map_err(|fault| vec![format!("failed to list interfaces: {fault}")])?;
    let all: Vec<_> = all.collect();
    let entry = all.iter().find_map(|it| {
        let link = it.address?.as_link_addr().copied()?;
        (it.interface_name == name).then_some((link, it.flags))
    });
    let Some((link, flags)) = entry else {
        let mut names: Vec<_> = all.iter().map(|it| it.interface_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let near = nearest(name, names.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let names = names.join(", ");
        return Err(vec![format!(
            "no interface {name} (there are {names}{near})"
        )]);
    };
    let mut faults = Vec::new();
    if purpose == Use::Segment && link.hatype() != ETHERNET {
        faults.push(format!(
            "{name} is no Ethernet: phones need a MAC of their own there"
        ));
    }
    if !flags.contains(InterfaceFlags::IFF_UP) {
        faults.push(format!("{name} is down: sudo ip link set {name} up"));
    } else if !flags.contains(InterfaceFlags::IFF_RUNNING) {
        faults.push(format!(
            "{name} has no carrier: is the cable in, the switch port on?"
        ));
    }
    let own = all
        .iter()
        .filter(|it| it.interface_name == name)
        .filter_map(|it| {
            let address = it.address?.as_sockaddr_in()?.ip();
            let mask = it.netmask?.as_sockaddr_in()?.ip();
            Some((address, Network::masked(address, mask)?))
        });
    let own: Vec<_> = own.collect();
    if purpose == Use::Relay && own.is_empty() {
        faults.push(format!(
            "{name} has no IPv4 address, which the DHCP server could answer (giaddr): \
             sudo ip address add ADDRESS/BITS dev {name}"
        ));
    }
    let index = u32::try_from(link.ifindex()).unwrap_or_default();
    let device = Device {
        name: name.into(),
        index,
    };
    match faults.is_empty() {
        true => Ok(Interface { device, link, own }),
        false => Err(faults),
    }
}

/// Capabilities in effect, as `/proc/self/status` shows them; none where it does not.
fn capabilities(status: &str) -> u64 {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

/// What is to be raised so that the neighbours of so many phones find room in this kernel; it is
/// full without a word. This machine itself needs one for each server; one for each phone is
/// needed where the server runs, which may be here, in a namespace or a container. `None` where
/// there is room, and where this is a namespace, which cannot say.
#[must_use]
pub fn neighbours(phones: u32) -> Option<String> {
    neighbours_of(Path::new(THRESHOLDS), phones)
}

fn neighbours_of(place: &Path, phones: u32) -> Option<String> {
    let needed = phones.saturating_add(NEIGHBOURS_BESIDES);
    let mut raise = String::new();
    for (nth, enough) in [(1, needed), (2, needed), (3, needed.saturating_mul(2))] {
        let name = format!("gc_thresh{nth}");
        let text = fs::read_to_string(place.join(&name)).ok()?;
        let value: u32 = text.trim().parse().ok()?;
        if value < enough && (nth > 1 || !raise.is_empty()) {
            // Writing to a string does not fail.
            let _ = write!(raise, " net.ipv4.neigh.default.{name}={enough}");
        }
    }
    (!raise.is_empty()).then(|| {
        format!(
            "a server on this machine (in a namespace, a container) has one neighbour for each of \
             {phones} phones, and the kernel has no room for them: sudo sysctl -w{raise}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let told = look("l0", Use::Segment).expect_err("no such interface");
        assert!(told[0].contains("no interface l0 (there are"), "{told:?}");
        assert!(told[0].contains("did you mean lo?"), "{told:?}");
        let told = look("lo", Use::Segment).expect_err("no Ethernet");
        assert!(told[0].contains("lo is no Ethernet"), "{told:?}");
    }

    #[test]
    fn capabilities_are_read_from_the_kernels_own_words() {
        assert_eq!(
            capabilities("Name:\tx\nCapEff:\t0000000000003000\n"),
            0x3000
        );
        assert_eq!(capabilities(""), 0);
    }

    #[test]
    fn says_what_to_raise_for_so_many_neighbours() {
        let place = tempfile::TempDir::new().expect("a directory");
        let set = |nth: u32, value: u32| {
            let name = format!("gc_thresh{nth}");
            fs::write(place.path().join(name), format!("{value}\n")).expect("written");
        };
        set(1, 128);
        set(2, 512);
        set(3, 1_024);
        assert_eq!(neighbours_of(place.path(), 200), None);
        let told = neighbours_of(place.path(), 2_000).expect("too few");
        let raise = "net.ipv4.neigh.default.gc_thresh2=2256 net.ipv4.neigh.default.gc_thresh3=4512";
        assert!(told.ends_with(raise), "{told}");
        set(2, 4_096);
        set(3, 8_192);
        assert_eq!(neighbours_of(place.path(), 2_000), None);
        assert_eq!(neighbours_of(&place.path().join("none"), 2_000), None);
    }
}
