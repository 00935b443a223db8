//! The subject: the endpoints that a run provisions its phones from, ours or not.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::wire::port;

use crate::attach::reach::Reach;

/// SIP PnP's multicast group.
pub const PNP_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
/// The multicast group of multicast DNS (RFC 6762 §3).
pub const MDNS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Where phones see the redirect service that the user named. Its host names lead to the subject
/// otherwise, and its ports are those of the subject's web server.
pub const REDIRECT_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 255, 0, 80);

/// Where the subject listens. A phone uses the protocol's own port at `address`; this says where
/// that really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The address that phones know.
    pub address: Ipv4Addr,
    /// DHCP, well-known port 67.
    pub dhcp: Option<SocketAddrV4>,
    /// TFTP, well-known port 69.
    pub tftp: Option<SocketAddrV4>,
    /// FTP, control connections, well-known port 21. Data connections lead where it says, at the
    /// same address.
    pub ftp: Option<SocketAddrV4>,
    /// HTTP, well-known port 80.
    pub http: Option<SocketAddrV4>,
    /// HTTPS, well-known port 443.
    pub https: Option<SocketAddrV4>,
    /// SIP over TCP, well-known port 5060.
    pub sip_tcp: Option<SocketAddrV4>,
    /// The port at which SIP over UDP and PnP multicast are heard, well-known 5060.
    pub sip_port: Option<u16>,
    /// SNTP, well-known port 123.
    pub ntp: Option<SocketAddrV4>,
    /// The port at which multicast DNS is heard, well-known 5353.
    pub mdns_port: Option<u16>,
    /// The auto-configuration server, where it is not a path of `http` or `https`.
    pub acs: Option<SocketAddrV4>,
    /// The vendors' redirect service, where it is not played by `http` and `https`.
    pub redirect: Option<SocketAddrV4>,
    /// Which of them are the user's; the others are the built-in server's.
    pub given: Given,
    /// The networks that phones may send to.
    pub reach: Reach,
}

/// Endpoints that the user named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// DHCP
    pub dhcp: bool,
    /// TFTP
    pub tftp: bool,
    /// FTP
    pub ftp: bool,
    /// HTTP
    pub http: bool,
    /// HTTPS
    pub https: bool,
    /// SNTP
    pub ntp: bool,
    /// SIP and PnP over UDP
    pub sip: bool,
    /// The auto-configuration server
    pub acs: bool,
    /// The redirect service
    pub redirect: bool,
    /// Multicast DNS
    pub mdns: bool,
}

impl Subject {
    /// A subject with no endpoint yet.
    #[must_use]
    pub fn at(address: Ipv4Addr) -> Self {
        Self {
            address,
            dhcp: None,
            tftp: None,
            ftp: None,
            http: None,
            https: None,
            sip_tcp: None,
            sip_port: None,
            ntp: None,
            mdns_port: None,
            acs: None,
            redirect: None,
            given: Given::default(),
            reach: Reach::LOOPBACK,
        }
    }

    /// A subject out on a network: every service at its well-known port there.
    #[must_use]
    pub fn beyond_loopback(address: Ipv4Addr, reach: Reach) -> Self {
        let at = |port| Some(SocketAddrV4::new(address, port));
        Self {
            dhcp: Some(SocketAddrV4::new(Ipv4Addr::BROADCAST, port::DHCP_SERVER)),
            tftp: at(port::TFTP),
            ftp: at(port::FTP),
            http: at(port::HTTP),
            https: at(port::HTTPS),
            sip_tcp: at(port::SIP),
            sip_port: Some(port::SIP),
            ntp: at(port::NTP),
            mdns_port: Some(port::MDNS),
            reach,
            ..Self::at(address)
        }
    }

    /// Whether phones may send to a host.
    fn reaches(&self, host: Ipv4Addr) -> bool {
        self.reach.contains(host)
    }

    /// Puts the endpoints that the user named for another subject in the place of its own.
    pub fn take_given(&mut self, named: &Self) {
        let given = named.given;
        let of = |own: &mut Option<SocketAddrV4>, new, is_given: bool| {
            if is_given {
                *own = new;
            }
        };
        of(&mut self.dhcp, named.dhcp, given.dhcp);
        of(&mut self.tftp, named.tftp, given.tftp);
        of(&mut self.ftp, named.ftp, given.ftp);
        of(&mut self.http, named.http, given.http);
        of(&mut self.https, named.https, given.https);
        of(&mut self.ntp, named.ntp, given.ntp);
        of(&mut self.acs, named.acs, given.acs);
        of(&mut self.redirect, named.redirect, given.redirect);
        if given.mdns {
            self.mdns_port = named.mdns_port;
        }
        if given.sip {
            self.sip_port = named.sip_port;
        }
        self.given = given;
    }

    /// Where a UDP payload really goes; `None` outside the networks that it reaches and for a
    /// service that the subject does not have.
    #[must_use]
    pub fn udp(&self, to: SocketAddrV4) -> Option<SocketAddrV4> {
        if *to.ip() == PNP_GROUP {
            return self.sip_port.map(|port| SocketAddrV4::new(PNP_GROUP, port));
        }
        if *to.ip() == MDNS_GROUP {
            return self
                .mdns_port
                .map(|port| SocketAddrV4::new(MDNS_GROUP, port));
        }
        if to.ip().is_broadcast() {
            return self.dhcp.filter(|_| to.port() == port::DHCP_SERVER);
        }
        match to.port() {
            port::DHCP_SERVER if *to.ip() == self.address => {
                // Broadcast to a whole segment, it is where it said that it is.
                let alone = self.dhcp.filter(|dhcp| !dhcp.ip().is_broadcast());
                alone.or(self.dhcp.map(|_| to))
            }
            port::TFTP if *to.ip() == self.address => self.tftp,
            port::SIP if *to.ip() == self.address => self
                .sip_port
                .map(|port| SocketAddrV4::new(self.address, port)),
            port::NTP if *to.ip() == self.address => self.ntp,
            // A transfer's own port is at the TFTP server's real address.
            port if *to.ip() == self.address => {
                let real = self.tftp.map_or(self.address, |tftp| *tftp.ip());
                Some(SocketAddrV4::new(real, port))
            }
            _ => Some(to),
        }
        .filter(|to| self.reaches(*to.ip()))
    }

    /// Where a TCP connection really goes; `None` as for `udp`.
    #[must_use]
    pub fn tcp(&self, to: SocketAddrV4) -> Option<SocketAddrV4> {
        match to.port() {
            port::FTP if *to.ip() == self.address => self.ftp,
            port::HTTP if *to.ip() == self.address => self.http,
            port::HTTPS if *to.ip() == self.address => self.https,
            port::SIP if *to.ip() == self.address => self.sip_tcp,
            port::HTTP | port::HTTPS if *to.ip() == REDIRECT_ADDRESS => self.redirect,
            // A redirect names the port that the server itself listens at.
            port if *to.ip() == self.address => {
                let mut web = [self.http, self.https].into_iter().flatten();
                web.find(|real| real.port() == port).or(Some(to))
            }
            _ => Some(to),
        }
        .filter(|to| self.reaches(*to.ip()))
    }

    /// The phone's view of where a datagram came from.
    #[must_use]
    pub fn seen(&self, from: SocketAddrV4) -> SocketAddrV4 {
        let at = |port| SocketAddrV4::new(self.address, port);
        match Some(from) {
            from if from == self.dhcp => at(port::DHCP_SERVER),
            real if real == self.tftp => at(port::TFTP),
            real if real == self.ntp => at(port::NTP),
            Some(real) if self.is_sip(real) => at(port::SIP),
            Some(real) if self.is_mdns(real) => at(port::MDNS),
            _ if self.tftp.is_some_and(|tftp| tftp.ip() == from.ip()) => at(from.port()),
            _ => from,
        }
    }

    fn is_sip(&self, real: SocketAddrV4) -> bool {
        *real.ip() == self.address && self.sip_port == Some(real.port())
    }

    fn is_mdns(&self, real: SocketAddrV4) -> bool {
        *real.ip() == self.address && self.mdns_port == Some(real.port())
    }

    /// Every endpoint: the name of its service, where it is, and whether the user named it.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(&'static str, SocketAddrV4, bool)> {
        let pnp = self.sip_port.map(|port| SocketAddrV4::new(PNP_GROUP, port));
        let mdns = self.mdns_port;
        let mdns = mdns.map(|port| SocketAddrV4::new(MDNS_GROUP, port));
        let all = [
            ("dhcp", self.dhcp, self.given.dhcp),
            ("tftp", self.tftp, self.given.tftp),
            ("ftp", self.ftp, self.given.ftp),
            ("http", self.http, self.given.http),
            ("https", self.https, self.given.https),
            ("sip over tcp", self.sip_tcp, false),
            ("pnp", pnp, self.given.sip),
            ("ntp", self.ntp, self.given.ntp),
            ("mdns", mdns, self.given.mdns),
            ("acs", self.acs, self.given.acs),
            ("redirect", self.redirect, self.given.redirect),
        ];
        all.into_iter()
            .filter_map(|(name, at, given)| Some((name, at?, given)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let at = |port| Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        Subject {
            dhcp: at(6_700),
            tftp: at(6_900),
            ftp: at(2_100),
            http: at(8_000),
            sip_tcp: at(5_999),
            sip_port: Some(5_999),
            ntp: at(1_230),
            mdns_port: Some(5_998),
            redirect: Some(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 3), 8_443)),
            ..Subject::at(Ipv4Addr::LOCALHOST)
        }
    }

    #[test]
    fn maps_well_known_ports_and_leaves_others() {
        let subject = subject();
        let to = |text: &str| subject.udp(text.parse().unwrap()).map(|to| to.to_string());
        assert_eq!(to("255.255.255.255:67").as_deref(), Some("127.0.0.1:6700"));
        assert_eq!(to("127.0.0.1:67").as_deref(), Some("127.0.0.1:6700"));
        assert_eq!(to("127.0.0.1:69").as_deref(), Some("127.0.0.1:6900"));
        assert_eq!(to("127.0.0.1:41000").as_deref(), Some("127.0.0.1:41000"));
        assert_eq!(to("224.0.1.75:5060").as_deref(), Some("224.0.1.75:5999"));
        assert_eq!(to("224.0.0.251:5353").as_deref(), Some("224.0.0.251:5998"));
        assert_eq!(
            subject.seen("127.0.0.1:5998".parse().unwrap()).port(),
            5_353
        );
        assert_eq!(to("127.0.0.1:123").as_deref(), Some("127.0.0.1:1230"));
        let tcp = |text: &str| subject.tcp(text.parse().unwrap()).map(|to| to.to_string());
        assert_eq!(tcp("127.0.0.1:80").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(tcp("127.0.0.1:21").as_deref(), Some("127.0.0.1:2100"));
        assert_eq!(tcp("127.0.0.1:8000").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(tcp("127.0.0.1:443"), None);
        assert_eq!(tcp("127.255.0.80:443").as_deref(), Some("127.0.0.3:8443"));
        assert_eq!(tcp("127.0.0.1:5060").as_deref(), Some("127.0.0.1:5999"));
        assert_eq!(to("127.0.0.1:5060").as_deref(), Some("127.0.0.1:5999"));
        assert_eq!(subject.seen("127.0.0.1:6900".parse().unwrap()).port(), 69);
        assert_eq!(subject.seen("127.0.0.1:1230".parse().unwrap()).port(), 123);
        assert_eq!(
            subject.seen("127.0.0.1:5999".parse().unwrap()).port(),
            5_060
        );
    }

    #[test]
    fn finds_the_server_behind_the_port_that_its_redirects_name() {
        let subject = Subject {
            http: Some("127.0.0.9:8000".parse().unwrap()),
            ..subject()
        };
        let tcp = |text: &str| subject.tcp(text.parse().unwrap()).map(|to| to.to_string());
        assert_eq!(tcp("127.0.0.1:8000").as_deref(), Some("127.0.0.9:8000"));
        assert_eq!(tcp("127.0.0.1:8001").as_deref(), Some("127.0.0.1:8001"));
    }

    #[test]
    fn reaches_nothing_outside_loopback() {
        let subject = subject();
        for text in [
            "192.0.2.1:69",
            "10.0.0.1:67",
            "255.255.255.255:9",
            "8.8.8.8:53",
        ] {
            assert_eq!(subject.udp(text.parse().unwrap()), None, "{text}");
            assert_eq!(subject.tcp(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn beyond_loopback_every_service_is_where_phones_look_for_it_within_reach() {
        let network: crate::attach::reach::Network = "10.77.0.0/16".parse().unwrap();
        let reach = Reach::to(&[network]).unwrap();
        let subject = Subject::beyond_loopback(Ipv4Addr::new(10, 77, 0, 1), reach);
        for text in [
            "10.77.0.1:67",
            "10.77.0.1:69",
            "10.77.0.9:67",
            "10.77.0.1:40000",
        ] {
            let to = text.parse().unwrap();
            assert_eq!(subject.udp(to), Some(to), "{text}");
            assert_eq!(subject.seen(to), to, "{text}");
        }
        let all = "255.255.255.255:67".parse().unwrap();
        assert_eq!(subject.udp(all), Some(all));
        for text in ["10.78.0.1:67", "127.0.0.1:80", "8.8.8.8:443"] {
            assert_eq!(subject.udp(text.parse().unwrap()), None, "{text}");
            assert_eq!(subject.tcp(text.parse().unwrap()), None, "{text}");
        }
    }
}
