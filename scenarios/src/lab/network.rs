//! Networks that a lab may send to, and ranges of addresses in them.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 network: `10.77.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub address: Ipv4Addr,
    /// Bits of its mask, 1 to 32.
    pub bits: u8,
}

/// Addresses from one to another, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The first.
    pub first: Ipv4Addr,
    /// The last.
    pub last: Ipv4Addr,
}

impl Network {
    /// Reads `ADDRESS/BITS`; an address alone is a network of one. `None` where bits behind the
    /// mask are set, for nobody can know which network was meant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.parse().ok().filter(|bits| (1..=32).contains(bits))?;
        let network = Self {
            address: address.parse().ok()?,
            bits,
        };
        let whole = u32::from(network.address) & !u32::from(network.mask()) == 0;
        (digits && whole).then_some(network)
    }

    /// Its mask.
    #[must_use]
    pub fn mask(&self) -> Ipv4Addr {
        let host_bits = 32_u32.saturating_sub(u32::from(self.bits));
        Ipv4Addr::from(u32::MAX.checked_shl(host_bits).unwrap_or(0))
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn has(&self, address: Ipv4Addr) -> bool {
        let mask = u32::from(self.mask());
        u32::from(address) & mask == u32::from(self.address) & mask
    }

    /// The address that means all of its hosts, where it has any.
    #[must_use]
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !u32::from(self.mask()))
    }

    /// Whether a host may have the address: it is neither the network's first nor its last.
    #[must_use]
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        let taken = [self.address, self.broadcast()].contains(&address);
        self.has(address) && (self.bits > 30 || !taken)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.bits)
    }
}

impl Addresses {
    /// Reads `ADDRESS` or `FIRST-LAST`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(Self { first, last })
    }

    /// Whether both have an address.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The only one, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<Ipv4Addr> {
        (self.first == self.last).then_some(self.first)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(address) => write!(out, "{address}"),
            None => write!(out, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_own_addresses_and_no_others() {
        let network = Network::parse("10.77.0.0/24").expect("a network");
        let at = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
        assert!(network.has(at("10.77.0.255")) && !network.has(at("10.77.1.0")));
        assert!(network.is_host(at("10.77.0.254")) && !network.is_host(at("10.77.0.255")));
        let one = Network::parse("192.0.2.7").expect("a network");
        assert!(one.is_host(at("192.0.2.7")) && !one.has(at("192.0.2.6")));
        assert!(
            Network::parse("128.0.0.0/1")
                .expect("half")
                .has(at("255.1.2.3"))
        );
        for wrong in [
            "",
            "10.77.0.1/24",
            "10.0.0.0/0",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "x/8",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_range_is_never_empty() {
        let range = Addresses::parse("10.0.0.5 - 10.0.0.9").expect("a range");
        let other = Addresses::parse("10.0.0.9").expect("a range");
        assert!(range.overlaps(&other) && other.only().is_some() && range.only().is_none());
        assert_eq!(range.to_string(), "10.0.0.5-10.0.0.9");
        assert_eq!(Addresses::parse("10.0.0.9-10.0.0.5"), None);
    }
}
