//! Endpoints of the subject, as `--subject` gives them.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::Trouble;
use crate::subject::Subject;

/// What an endpoint serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Tftp,
    Http,
    Https,
    Ntp,
    /// SIP over UDP: PnP multicast and registrations.
    Sip,
}

/// Services by scheme, with the port that is meant when none is given.
const SERVICES: [(Service, &str, u16); 5] = [
    (Service::Tftp, "tftp", 69),
    (Service::Http, "http", 80),
    (Service::Https, "https", 443),
    (Service::Ntp, "ntp", 123),
    (Service::Sip, "sip", 5_060),
];

/// An endpoint given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    service: Service,
    address: SocketAddrV4,
}

impl Endpoint {
    /// Reads every `--subject`.
    ///
    /// # Errors
    /// As `parse`; and a second endpoint for one service.
    pub(super) fn all(texts: &[String]) -> Result<Vec<Self>, Trouble> {
        let mut all: Vec<Self> = Vec::new();
        for text in texts {
            let endpoint = Self::parse(text)?;
            if all.iter().any(|held| held.service == endpoint.service) {
                let why = "a second endpoint for one service (a run judges one server)";
                return Err(Trouble::usage(format!("--subject {text}: {why}")));
            }
            all.push(endpoint);
        }
        Ok(all)
    }

    /// Reads `scheme://address:port`.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    fn parse(text: &str) -> Result<Self, Trouble> {
        let wrong = |why: &str| Trouble::usage(format!("--subject {text}: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(
                "expected tftp://, http://, https://, ntp:// or sip:// with address and port",
            ));
        };
        if scheme.eq_ignore_ascii_case("ftp") {
            return Err(wrong("no phone of this release speaks ftp yet"));
        }
        let mut services = SERVICES.iter();
        let known = services.find(|(_, name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((service, _, port)) = known.copied() else {
            return Err(wrong(
                "unknown scheme (expected one of tftp, http, https, ntp, sip)",
            ));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(wrong(
                "expected no path: directories belong to a fleet's root",
            ));
        }
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (
                    host,
                    port.ok_or_else(|| wrong("expected a port from 1 to 65535"))?,
                )
            }
            None => (rest, port),
        };
        let host = if host == "localhost" {
            "127.0.0.1"
        } else {
            host
        };
        let address: Ipv4Addr = host
            .parse()
            .map_err(|_| wrong("expected an IPv4 address, for example 127.0.0.1"))?;
        if !address.is_loopback() {
            return Err(wrong("the loopback attachment reaches only 127.0.0.0/8"));
        }
        if service == Service::Tftp && address != Ipv4Addr::LOCALHOST {
            // Each transfer is answered from another port, and a phone takes answers only from the
            // address that it asked (RFC 1350 §4).
            return Err(wrong("a TFTP server must be at 127.0.0.1"));
        }
        if service == Service::Sip && address != Ipv4Addr::LOCALHOST {
            return Err(wrong("a SIP server must be at 127.0.0.1"));
        }
        Ok(Self {
            service,
            address: SocketAddrV4::new(address, port),
        })
    }

    /// Puts the endpoint in the place of the built-in server's.
    pub(super) fn take_place(self, subject: &mut Subject) {
        let (address, given) = (Some(self.address), &mut subject.given);
        match self.service {
            Service::Tftp => (subject.tftp, given.tftp) = (address, true),
            Service::Http => (subject.http, given.http) = (address, true),
            Service::Https => (subject.https, given.https) = (address, true),
            Service::Ntp => (subject.ntp, given.ntp) = (address, true),
            Service::Sip => (subject.pnp_port, given.sip) = (Some(self.address.port()), true),
        }
    }
}
