//! The networks that phones of a run may send to. Nothing is ever sent to another.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Networks that one run may name; more are refused.
pub const NETWORKS_MAX: usize = 16;

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    first: Ipv4Addr,
    bits: u8,
}

impl Network {
    /// The network of `bits` (0 to 32) that an address lies in.
    #[must_use]
    pub fn of(address: Ipv4Addr, bits: u8) -> Self {
        let bits = bits.min(32);
        let first = u32::from(address) & mask(bits);
        Self {
            first: Ipv4Addr::from(first),
            bits,
        }
    }

    /// The network of an address with this subnet mask, whose ones must come first.
    #[must_use]
    pub fn masked(address: Ipv4Addr, subnet: Ipv4Addr) -> Option<Self> {
        let ones = u32::from(subnet).leading_ones();
        let bits = u8::try_from(ones).ok()?;
        (mask(bits) == u32::from(subnet)).then(|| Self::of(address, bits))
    }

    /// How many addresses it has.
    #[must_use]
    pub fn addresses(self) -> u64 {
        u64::from(!mask(self.bits)) + 1
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.bits) == u32::from(self.first)
    }

    /// Whether all of another network lies in it.
    #[must_use]
    pub fn encloses(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.first)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.bits)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// Reads `ADDRESS/BITS`, or one address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an IPv4 network, for example 192.168.50.0/24";
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| EXPECTED)?;
        let bits = bits.parse().ok().filter(|bits| (1..=32).contains(bits));
        let network = Self::of(address, bits.ok_or(EXPECTED)?);
        if network.first != address {
            return Err(
                "the address has bits beyond the mask: 192.168.50.0/24, not \
                        192.168.50.1/24",
            );
        }
        if address.is_multicast() || address.is_unspecified() || address.is_broadcast() {
            return Err("no network that hosts are in");
        }
        Ok(network)
    }
}

/// Where phones of a run may send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    networks: [Option<Network>; NETWORKS_MAX],
}

impl Reach {
    /// The loopback network alone.
    pub const LOOPBACK: Self = {
        let mut networks = [None; NETWORKS_MAX];
        networks[0] = Some(Network {
            first: Ipv4Addr::new(127, 0, 0, 0),
            bits: 8,
        });
        Self { networks }
    };

    /// These networks; `None` where there are more than `NETWORKS_MAX`.
    #[must_use]
    pub fn to(named: &[Network]) -> Option<Self> {
        let mut networks = [None; NETWORKS_MAX];
        for (place, network) in named.iter().enumerate() {
            *networks.get_mut(place)? = Some(*network);
        }
        Some(Self { networks })
    }

    /// Each of them.
    pub fn networks(&self) -> impl Iterator<Item = Network> {
        self.networks.into_iter().flatten()
    }

    /// Whether one host may be reached.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.networks().any(|network| network.contains(address))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, network) in self.networks().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(out, "{comma}{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect(text)
    }

    #[test]
    fn a_network_holds_its_hosts_and_no_others() {
        let lab = network("10.77.0.0/16");
        assert!(lab.contains(Ipv4Addr::new(10, 77, 255, 255)));
        assert!(!lab.contains(Ipv4Addr::new(10, 78, 0, 0)));
        assert!(lab.encloses(network("10.77.3.0/24")));
        assert!(!network("10.77.3.0/24").encloses(lab));
        assert_eq!(network("10.0.0.9").to_string(), "10.0.0.9/32");
        let masked = |mask| Network::masked(Ipv4Addr::new(10, 1, 2, 3), mask);
        let of = masked(Ipv4Addr::new(255, 255, 252, 0)).expect("a mask");
        assert_eq!(of.to_string(), "10.1.0.0/22");
        assert_eq!(masked(Ipv4Addr::new(255, 0, 255, 0)), None);
    }

    #[test]
    fn refuses_what_is_no_network_of_hosts() {
        for wrong in [
            "10.77.0.1/16",
            "10.0.0.0/33",
            "::1",
            "224.0.0.0/4",
            "0.0.0.0/0",
            "",
            "a/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn reaches_only_what_was_named() {
        let reach = Reach::to(&[network("10.77.0.0/16"), network("192.168.1.9")]).expect("two");
        assert!(reach.contains(Ipv4Addr::new(192, 168, 1, 9)));
        assert!(!reach.contains(Ipv4Addr::new(192, 168, 1, 8)));
        assert!(!reach.contains(Ipv4Addr::LOCALHOST));
        assert_eq!(reach.to_string(), "10.77.0.0/16, 192.168.1.9/32");
        assert_eq!(Reach::to(&[network("10.0.0.1"); NETWORKS_MAX + 1]), None);
        assert!(Reach::LOOPBACK.contains(Ipv4Addr::new(127, 9, 0, 1)));
    }
}
