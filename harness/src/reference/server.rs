//! The whole reference server as one value.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::mutant::{Mutant, Protocol};

use super::acs::{Acs, AcsConfig, Caller};
use super::content::Source;
use super::counters::{Counter, Counters};
use super::dhcp::{Dhcp, DhcpConfig};
use super::filter::Filter;
use super::ftp::{Ftp, FtpConfig};
use super::http::{Http, HttpConfig, Reply, Request, Site};
use super::mdns::{Mdns, MdnsConfig};
use super::notify::{Batch, Message, Notifier, Target};
use super::pnp::{Pnp, PnpConfig};
use super::registrar::{Lines, Origin, Registrar, RegistrarConfig};
use super::replies::{Endpoint, Replies};
use super::sntp::{Sntp, SntpConfig};
use super::tftp::{Tftp, TftpConfig};

/// What the server serves and how.
#[derive(Debug, Clone)]
pub struct ReferenceConfig {
    /// The files, the same over TFTP, FTP and HTTP.
    pub source: Source,
    /// DHCP; without it DHCP messages are ignored.
    pub dhcp: Option<DhcpConfig>,
    /// TFTP.
    pub tftp: TftpConfig,
    /// FTP.
    pub ftp: FtpConfig,
    /// HTTP and HTTPS.
    pub http: HttpConfig,
    /// SIP PnP; without it SIP messages are ignored.
    pub pnp: Option<PnpConfig>,
    /// The time server.
    pub sntp: SntpConfig,
    /// The SIP address that check-sync names as its own; an adapter fills in the real one.
    pub sip: SocketAddrV4,
    /// Key of the check-sync messages: the same seed gives the same messages.
    pub seed: u64,
    /// SIP registration; without it REGISTERs are ignored.
    pub registrar: Option<RegistrarConfig>,
    /// The auto-configuration server; without it its path is one like others.
    pub acs: Option<AcsConfig>,
    /// Multicast DNS; without it queries are ignored.
    pub mdns: Option<MdnsConfig>,
    /// What it does wrong on purpose.
    pub mutants: Vec<Arc<Mutant>>,
}

/// The server: DHCP, TFTP, FTP, HTTP and SIP PnP over one content.
#[derive(Debug)]
pub struct Reference {
    /// The DHCP server.
    pub dhcp: Option<Dhcp>,
    /// The TFTP server.
    pub tftp: Tftp,
    /// The FTP server.
    pub ftp: Ftp,
    /// The HTTP server.
    pub http: Http,
    /// The PnP responder.
    pub pnp: Option<Pnp>,
    /// The time server.
    pub sntp: Sntp,
    /// The sender of check-sync.
    pub notifier: Notifier,
    /// The registrar.
    pub registrar: Option<Registrar>,
    /// The auto-configuration server, at a path of the HTTP server.
    pub acs: Option<Acs>,
    /// The responder of multicast DNS.
    pub mdns: Option<Mdns>,
    /// What mutants do to its messages; `None` most of the time.
    filter: Option<Box<Filter>>,
    counters: Arc<Counters>,
}

impl ReferenceConfig {
    /// Serves files only: TFTP, FTP and HTTP as they are by default.
    #[must_use]
    pub fn files(source: Source) -> Self {
        Self {
            source,
            dhcp: None,
            tftp: TftpConfig::default(),
            ftp: FtpConfig::default(),
            http: HttpConfig::default(),
            pnp: None,
            sntp: SntpConfig::new(),
            sip: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port::SIP),
            seed: 0,
            registrar: None,
            acs: None,
            mdns: None,
            mutants: Vec::new(),
        }
    }
}

impl Reference {
    /// A server that nobody has asked yet.
    #[must_use]
    pub fn new(config: ReferenceConfig) -> Self {
        let counters = Arc::<Counters>::default();
        let shared = || Arc::clone(&counters);
        let source = config.source.edited(&config.mutants);
        let filter = || Filter::new(&config.mutants, *config.sip.ip());
        let of_ftp = filter().filter(|filter| filter.touches(Protocol::Ftp));
        Self {
            filter: filter().map(Box::new),
            dhcp: config.dhcp.map(|config| Dhcp::new(config, shared())),
            tftp: Tftp::new(config.tftp, source.clone(), shared()),
            ftp: Ftp::new(config.ftp, source.clone(), shared()).through(of_ftp),
            http: Http::new(config.http, source, shared()),
            pnp: config.pnp.map(|config| Pnp::new(config, shared())),
            sntp: Sntp::new(config.sntp, shared()),
            notifier: Notifier::new(config.sip, Endpoint::Sip, config.seed, shared()),
            registrar: config
                .registrar
                .map(|config| Registrar::new(config, shared())),
            acs: config.acs.map(|config| Acs::new(config, shared())),
            mdns: config.mdns.map(|config| Mdns::new(config, shared())),
            counters,
        }
    }

    /// What it was asked and what it answered.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Whether mutants edit HTTP messages, so that their bytes must pass through `Connection`.
    #[must_use]
    pub fn edits_http(&self) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| filter.touches(Protocol::Http))
    }

    /// Takes one UDP payload that `peer` sent to `at` and adds what is to be sent to `replies`.
    pub fn datagram(
        &mut self,
        now: Moment,
        at: Endpoint,
        peer: SocketAddrV4,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        let Some(mut filter) = self.filter.take() else {
            return self.handled(now, at, peer, bytes, replies);
        };
        match filter.inbound(now, at, peer, bytes) {
            None => self.handled(now, at, peer, bytes, &mut filter.said),
            Some(instead) => {
                for bytes in instead {
                    self.handled(now, at, peer, &bytes, &mut filter.said);
                }
            }
        }
        filter.outbound(now, replies);
        self.filter = Some(filter);
    }

    fn handled(
        &mut self,
        now: Moment,
        at: Endpoint,
        peer: SocketAddrV4,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        match at {
            Endpoint::Dhcp => match &mut self.dhcp {
                Some(dhcp) => dhcp.datagram(now, peer, bytes, replies),
                None => self.counters.count(Counter::DhcpIgnored),
            },
            Endpoint::Tftp | Endpoint::Transfer(_) => {
                self.tftp.datagram(now, at, peer, bytes, replies);
            }
            Endpoint::Mdns => match &self.mdns {
                Some(mdns) => {
                    let dhcp = self.dhcp.as_ref();
                    let mac = dhcp.and_then(|dhcp| dhcp.holder(*peer.ip()));
                    mdns.datagram(peer, mac, bytes, replies);
                }
                None => self.counters.count(Counter::MdnsIgnored),
            },
            Endpoint::Ntp => self.sntp.datagram(now, peer, bytes, replies),
            Endpoint::Sip if Notifier::claims(bytes) => self.notifier.datagram(now, peer, bytes),
            Endpoint::Sip | Endpoint::Pnp
                if self.registrar.is_some() && Registrar::wants(bytes) =>
            {
                let origin = Origin {
                    peer,
                    stream: false,
                };
                self.register(now, at, origin, bytes, replies);
            }
            Endpoint::Sip | Endpoint::Pnp => match &mut self.pnp {
                Some(pnp) => pnp.datagram(now, peer, bytes, replies),
                None => self.counters.count(Counter::PnpIgnored),
            },
        }
    }

    fn register(
        &mut self,
        now: Moment,
        at: Endpoint,
        origin: Origin,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        let Some(registrar) = &mut self.registrar else {
            return;
        };
        let mut answer = Vec::new();
        registrar.message(now, origin, bytes, &mut answer);
        if !answer.is_empty() {
            replies.send(at, origin.peer, |out| out.extend_from_slice(&answer));
        }
    }

    /// Answers one HTTP or HTTPS request.
    #[must_use]
    pub fn request(&mut self, now: Moment, peer: SocketAddrV4, request: &Request) -> Reply {
        self.site().handle(now, peer, request)
    }

    /// What is behind its HTTP ports.
    #[must_use]
    pub fn site(&mut self) -> Site<'_> {
        Site {
            http: &self.http,
            acs: self.acs.as_mut(),
            filter: self.filter.as_deref_mut(),
        }
    }

    /// Takes an order of NOTIFYs; they leave with the next `tick`, which is due at once. A phone
    /// that is registered here is told of check-sync at its contact. Connection requests are
    /// carried by whoever has connections: see `caller`.
    pub fn order(&mut self, now: Moment, batch: &Arc<Batch>) {
        match (batch.message(), &mut self.pnp) {
            (Message::CheckSync(_), _) => {
                self.notifier.order(now, batch, self.registrar.as_ref());
            }
            (Message::PnpNotify, Some(pnp)) => pnp.order(now, batch),
            (Message::PnpNotify, None) | (Message::ConnectionRequest, _) => batch.drop_all(),
        }
    }

    /// What is behind its SIP connections.
    #[must_use]
    pub fn lines(&mut self) -> Lines<'_> {
        Lines {
            registrar: self.registrar.as_mut(),
            pnp: self.pnp.as_mut(),
            filter: self.filter.as_deref_mut(),
        }
    }

    /// The connection request to a target, where the auto-configuration server knows how to reach
    /// it.
    #[must_use]
    pub fn caller(&self, target: &Target) -> Option<Caller> {
        let mac = Mac::parse(&target.user)?;
        self.acs.as_ref()?.visit(mac, *target.to.ip())
    }

    /// Notes what came of a connection request: the status, if there was an answer.
    pub fn called(&self, status: Option<u16>) {
        if let Some(acs) = &self.acs {
            acs.visited(status);
        }
    }

    /// When `tick` has something to do; never later than that.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let pnp = self.pnp.as_ref().and_then(Pnp::deadline);
        let check_sync = self.notifier.deadline();
        let tftp = self.tftp.deadline();
        let late = self.filter.as_ref().and_then(|filter| filter.deadline());
        [tftp, pnp, check_sync, late].into_iter().flatten().min()
    }

    /// Sends again what was not answered in time, and what a mutant held back until now.
    pub fn tick(&mut self, now: Moment, replies: &mut Replies) {
        let Some(mut filter) = self.filter.take() else {
            return self.ticked(now, replies);
        };
        while let Some(late) = filter.due(now) {
            let (at, peer, bytes) = (late.endpoint, late.peer, &late.bytes);
            if late.inbound {
                self.handled(now, at, peer, bytes, &mut filter.said);
            } else {
                replies.send(at, peer, |out| out.extend_from_slice(bytes));
            }
        }
        self.ticked(now, &mut filter.said);
        filter.outbound(now, replies);
        self.filter = Some(filter);
    }

    fn ticked(&mut self, now: Moment, replies: &mut Replies) {
        self.tftp.tick(now, replies);
        if let Some(pnp) = &mut self.pnp {
            pnp.tick(now, replies);
        }
        self.notifier.tick(now, replies);
    }
}

#[cfg(test)]
mod tests;
