//! Endpoints of the subject, as `--subject` gives them.

use std::net::{Ipv4Addr, SocketAddrV4};

use bootstorm_emulator::located::nearest;
use bootstorm_emulator::wire::port;

use super::Trouble;
use crate::subject::Subject;

/// What an endpoint serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Dhcp,
    Tftp,
    Ftp,
    Http,
    Https,
    Ntp,
    /// SIP over UDP: PnP multicast and registrations.
    Sip,
    Mdns,
    Acs,
    Redirect,
}

/// Services by scheme, with the port that is meant when none is given.
const SERVICES: [(Service, &str, u16); 8] = [
    (Service::Dhcp, "dhcp", port::DHCP_SERVER),
    (Service::Tftp, "tftp", port::TFTP),
    (Service::Ftp, "ftp", port::FTP),
    (Service::Http, "http", port::HTTP),
    (Service::Https, "https", port::HTTPS),
    (Service::Ntp, "ntp", port::NTP),
    (Service::Sip, "sip", port::SIP),
    (Service::Mdns, "mdns", port::MDNS),
];

/// What the auto-configuration server's URL is written after.
const ACS: &str = "acs=";
/// What the redirect service's URL is written after.
const REDIRECT: &str = "redirect=";

/// An endpoint given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    service: Service,
    address: SocketAddrV4,
    /// The whole URL, of the auto-configuration server.
    url: String,
}

impl Endpoint {
    /// Reads every `--subject` on loopback.
    ///
    /// # Errors
    /// As `parse`; and a second endpoint for one service.
    pub(super) fn all(texts: &[String]) -> Result<Vec<Self>, Trouble> {
        let all = Self::every(texts)?;
        for (text, endpoint) in texts.iter().zip(&all) {
            endpoint.must_be_on_loopback(text)?;
        }
        Ok(all)
    }

    /// Reads every `--subject` beyond loopback.
    ///
    /// # Errors
    /// As `parse`; a second endpoint for one service; services whose answers come from ports of
    /// their own, or that have no address of their own, at different addresses.
    pub(super) fn all_beyond(texts: &[String]) -> Result<Vec<Self>, Trouble> {
        let all = Self::every(texts)?;
        let mut at = None;
        for (text, endpoint) in texts.iter().zip(&all) {
            let wrong = |why: &str| Trouble::usage(format!("--subject {text}: {why}"));
            let address = *endpoint.address.ip();
            if address.is_loopback() || address.is_multicast() || address.is_unspecified() {
                return Err(wrong("expected an address on the phones' networks"));
            }
            if endpoint.is_at_the_address() && *at.get_or_insert(address) != address {
                return Err(wrong("tftp, sip and mdns must be at one address"));
            }
        }
        Ok(all)
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Whether phones know it at the server's address only.
    pub(super) fn is_at_the_address(&self) -> bool {
        matches!(self.service, Service::Tftp | Service::Sip | Service::Mdns)
    }

    fn must_be_on_loopback(&self, text: &str) -> Result<(), Trouble> {
        let wrong = |why: &str| Err(Trouble::usage(format!("--subject {text}: {why}")));
        if !self.address.ip().is_loopback() {
            return wrong("the loopback attachment reaches only 127.0.0.0/8");
        }
        if *self.address.ip() == Ipv4Addr::LOCALHOST {
            return Ok(());
        }
        match self.service {
            // Each transfer is answered from another port, and a phone takes answers only from the
            // address that it asked (RFC 1350 §4).
            Service::Tftp => wrong("a TFTP server must be at 127.0.0.1"),
            Service::Sip => wrong("a SIP server must be at 127.0.0.1"),
            Service::Mdns => wrong("a multicast DNS responder must be at 127.0.0.1"),
            _ => Ok(()),
        }
    }

    fn every(texts: &[String]) -> Result<Vec<Self>, Trouble> {
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
        if let Some(url) = text.strip_prefix(ACS) {
            return Self::acs(text, url);
        }
        if let Some(url) = text.strip_prefix(REDIRECT) {
            return Self::redirect(text, url);
        }
        let wrong = |why: &str| Trouble::usage(format!("--subject {text}: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(
                "expected dhcp://, tftp://, ftp://, http://, https://, ntp://, sip:// or mdns:// \
                 with address and port, acs=http://ADDRESS:PORT/PATH, or \
                 redirect=https://ADDRESS:PORT",
            ));
        };
        let mut services = SERVICES.iter();
        let known = services.find(|(_, name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((service, _, port)) = known.copied() else {
            let lower = scheme.to_ascii_lowercase();
            let near = nearest(&lower, SERVICES.iter().map(|(_, name, _)| *name));
            let near = near.map_or_else(String::new, |name| format!("; did you mean {name}?"));
            return Err(wrong(&format!(
                "unknown scheme (expected one of dhcp, tftp, ftp, http, https, ntp, sip, mdns, or \
                 acs=http://ADDRESS:PORT/PATH, or redirect=https://ADDRESS:PORT{near})"
            )));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(wrong(
                "expected no path: directories belong to a fleet's root",
            ));
        }
        let address = at(text, rest, port)?;
        Ok(Self {
            service,
            address,
            url: String::new(),
        })
    }

    /// Reads the URL of an auto-configuration server.
    fn acs(text: &str, url: &str) -> Result<Self, Trouble> {
        let Some((rest, port)) = web(url) else {
            let why = "expected acs=http://ADDRESS:PORT/PATH or acs=https://…";
            return Err(Trouble::usage(format!("--subject {text}: {why}")));
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let address = at(text, host, port)?;
        if address.port() == port {
            // A phone that connects there is taken to the run's HTTP server.
            let why = "expected a port other than 80 and 443, which stand for http and https";
            return Err(Trouble::usage(format!("--subject {text}: {why}")));
        }
        let scheme = if port == port::HTTP { "http" } else { "https" };
        Ok(Self {
            service: Service::Acs,
            address,
            url: format!("{scheme}://{address}{path}"),
        })
    }

    /// Reads the URL of a redirect service.
    fn redirect(text: &str, url: &str) -> Result<Self, Trouble> {
        let wrong = |why: &str| Trouble::usage(format!("--subject {text}: {why}"));
        let Some((rest, port)) = web(url) else {
            return Err(wrong("expected redirect=https://ADDRESS:PORT"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(wrong(
                "expected no path: phones ask for the one that their vendor chose",
            ));
        }
        Ok(Self {
            service: Service::Redirect,
            address: at(text, rest, port)?,
            url: String::new(),
        })
    }

    /// Where it is.
    pub(super) fn host(&self) -> Ipv4Addr {
        *self.address.ip()
    }

    /// The URL that phones are told of, of the auto-configuration server.
    pub(super) fn acs_url(&self) -> Option<&str> {
        (self.service == Service::Acs).then_some(&self.url)
    }

    /// Whether phones have files from it.
    pub(super) fn serves_files(&self) -> bool {
        use Service::{Ftp, Http, Https, Tftp};
        matches!(self.service, Tftp | Ftp | Http | Https)
    }

    /// Puts the endpoint in the place of the built-in server's.
    pub(super) fn take_place(self, subject: &mut Subject) {
        let (address, given) = (Some(self.address), &mut subject.given);
        match self.service {
            Service::Dhcp => (subject.dhcp, given.dhcp) = (address, true),
            Service::Tftp => (subject.tftp, given.tftp) = (address, true),
            Service::Ftp => (subject.ftp, given.ftp) = (address, true),
            Service::Http => (subject.http, given.http) = (address, true),
            Service::Https => (subject.https, given.https) = (address, true),
            Service::Ntp => (subject.ntp, given.ntp) = (address, true),
            Service::Sip => (subject.sip_port, given.sip) = (Some(self.address.port()), true),
            Service::Mdns => (subject.mdns_port, given.mdns) = (Some(self.address.port()), true),
            Service::Acs => (subject.acs, given.acs) = (address, true),
            Service::Redirect => (subject.redirect, given.redirect) = (address, true),
        }
    }
}

/// What follows the scheme of a web server's URL, and the port that the scheme stands for.
fn web(url: &str) -> Option<(&str, u16)> {
    let plain = url.strip_prefix("http://").map(|rest| (rest, port::HTTP));
    plain.or_else(|| Some((url.strip_prefix("https://")?, port::HTTPS)))
}

/// Reads `ADDRESS[:PORT]`.
fn at(text: &str, rest: &str, port: u16) -> Result<SocketAddrV4, Trouble> {
    let wrong = |why: &str| Trouble::usage(format!("--subject {text}: {why}"));
    if rest.contains('@') {
        return Err(wrong(
            "expected no user: credentials belong to a fleet's auth",
        ));
    }
    if rest.starts_with('[') {
        return Err(wrong("expected an IPv4 address, for example 127.0.0.1"));
    }
    let (host, port) = match rest.split_once(':') {
        Some(_) if rest.starts_with('[') => (rest, port),
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
    Ok(SocketAddrV4::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_path_of_an_auto_configuration_server_only() {
        let known = Endpoint::parse("acs=http://localhost:7557/acs?x").expect("an endpoint");
        assert_eq!(known.acs_url(), Some("http://127.0.0.1:7557/acs?x"));
        let plain = Endpoint::parse("http://127.0.0.1:8080").expect("an endpoint");
        assert_eq!(plain.acs_url(), None);
        for wrong in [
            "acs=127.0.0.1:80",
            "acs=ftp://127.0.0.1:8000/",
            "acs=http://127.0.0.1/acs",
            "http://127.0.0.1:8080/acs",
            "redirect=127.0.0.1:8443",
            "redirect=https://127.0.0.1:8443/path",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["mdns://127.0.0.2:5353", "acs=http://192.0.2.1:8000/acs"] {
            assert!(Endpoint::all(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        for (wrong, said) in [
            ("http://[::1]:80", "expected an IPv4 address"),
            ("http://admin:x@127.0.0.1:80", "expected no user"),
            ("http://127.0.0.1:80:80", "expected a port"),
        ] {
            let told = Endpoint::parse(wrong).expect_err(wrong).to_string();
            assert!(told.contains(said), "{told}");
        }
    }

    #[test]
    fn beyond_loopback_what_answers_from_ports_of_its_own_is_at_one_address() {
        let all = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            Endpoint::all_beyond(&texts)
        };
        let known = all(&["http://10.0.0.2:8080", "tftp://10.0.0.1", "sip://10.0.0.1"]);
        assert_eq!(known.expect("endpoints").len(), 3);
        for wrong in [
            &["tftp://10.0.0.1", "sip://10.0.0.2"][..],
            &["tftp://127.0.0.1"],
        ] {
            assert!(all(wrong).is_err(), "{wrong:?}");
        }
    }
}
