//! A multicast DNS responder for one-shot queries (RFC 6762 §6.7): it tells a phone which instance
//! of the provisioning service is meant for it, by unicast: PTR, SRV, TXT and A (RFC 6763 §12).
//!
//! The instance's host, port and `path` make the URL where the service's first label is its scheme;
//! any other URL stands in the TXT record's `url`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::url::{Scheme, Url};
use bootstorm_emulator::wire::dns::{Encoder, Message, kind};
use bootstorm_emulator::wire::port;

use super::counters::{Counter, Counters};
use super::replies::{Endpoint, Replies};

/// The multicast group.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Seconds that an answer to a one-shot query may be kept (RFC 6762 §6.7: at most 10).
const TTL_S: u32 = 10;
/// The host of the instances.
const HOST: &str = "bootstorm.local";
/// The first label of the instances.
const INSTANCE: &str = "provisioning";

/// How the responder is set up.
#[derive(Clone)]
pub struct MdnsConfig {
    /// The services that it answers for, such as `_http._tcp.local`; any case.
    pub services: Vec<String>,
    /// The server's address.
    pub address: Ipv4Addr,
    /// Finds the URL for a phone; without a MAC, for one whose address this server did not lease.
    pub url: UrlOf,
}

/// Finds the URL for a phone.
pub type UrlOf = Arc<dyn Fn(Option<Mac>) -> Option<String> + Send + Sync>;

/// The responder.
#[derive(Debug)]
pub struct Mdns {
    config: MdnsConfig,
    counters: Arc<Counters>,
}

impl fmt::Debug for MdnsConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = out.debug_struct("MdnsConfig");
        debug.field("services", &self.services);
        debug.finish_non_exhaustive()
    }
}

impl Mdns {
    /// A responder.
    #[must_use]
    pub fn new(config: MdnsConfig, counters: Arc<Counters>) -> Self {
        Self { config, counters }
    }

    /// Takes one datagram from `peer`, who has this MAC, and answers a query for the service.
    /// Queries from port 5353 want a multicast answer, which this responder does not give.
    pub fn datagram(
        &self,
        peer: SocketAddrV4,
        mac: Option<Mac>,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        let Ok(message) = Message::parse(bytes) else {
            return self.counters.count(Counter::MdnsMalformed);
        };
        let asked = message.questions().find_map(|question| {
            let mut services = self.config.services.iter();
            let service = services.find(|service| question.name.is(service))?;
            matches!(question.kind, kind::PTR | kind::ANY).then_some((service, question.kind))
        });
        let Some((service, kind)) = asked.filter(|_| message.is_query()) else {
            return self.counters.count(Counter::MdnsIgnored);
        };
        if peer.port() == port::MDNS {
            return self.counters.count(Counter::MdnsIgnored);
        }
        self.counters.count(Counter::MdnsQuery);
        let Some(url) = (self.config.url)(mac) else {
            return self.counters.count(Counter::MdnsUnknownPhone);
        };
        let instance = Instance::of(service, self.config.address, &url);
        replies.send(Endpoint::Mdns, peer, |out| {
            instance.write(out, message.id(), service, kind);
        });
        self.counters.count(Counter::MdnsAnswer);
    }
}

/// What is said of the instance.
struct Instance {
    address: Ipv4Addr,
    port: u16,
    text: String,
}

impl Instance {
    fn of(service: &str, own: Ipv4Addr, url: &str) -> Self {
        let told = || Self {
            address: own,
            port: Scheme::Http.port(),
            text: format!("url={url}"),
        };
        let Ok(parsed) = Url::parse(url, Scheme::Http) else {
            return told();
        };
        let scheme = service.split('.').next().unwrap_or_default();
        let scheme = scheme.trim_start_matches('_');
        let (front, rest) = url.split_once("://").unwrap_or_default();
        let plain = !rest.contains('@') && front.eq_ignore_ascii_case(scheme);
        let path = rest.find('/').and_then(|slash| rest.get(slash..));
        match (parsed.host.parse(), path) {
            (Ok(address), Some(path)) if plain => Self {
                address,
                port: parsed.effective_port(),
                text: format!("path={path}"),
            },
            _ => Self {
                port: parsed.effective_port(),
                ..told()
            },
        }
    }

    /// The answer, as RFC 6762 §6.7 wants it: the query's id and question, no long life, no bit
    /// that flushes caches.
    fn write(&self, out: &mut Vec<u8>, id: u16, service: &str, kind: u16) {
        let mut instance = vec![INSTANCE];
        instance.extend(service.split('.').filter(|label| !label.is_empty()));
        Encoder::answer(out, id)
            .to_one()
            .question(service, kind)
            .pointer(service, &instance, TTL_S)
            .additional()
            .service(&instance, self.port, HOST, TTL_S)
            .texts(&instance, &[&self.text], TTL_S)
            .address(HOST, self.address, TTL_S)
            .finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_emulator::wire::dns::{Data, texts};

    const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 9), 49_300);
    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const SERVICE: &str = "_http._tcp.local";

    fn ask_from(
        peer: SocketAddrV4,
        url: &'static str,
        query: &[u8],
    ) -> (Vec<Vec<u8>>, Arc<Counters>) {
        let counters = Arc::<Counters>::default();
        let config = MdnsConfig {
            services: vec![SERVICE.to_owned()],
            address: OWN,
            url: Arc::new(move |mac| mac.map(|mac| url.replace("MAC", &mac.to_string()))),
        };
        let mdns = Mdns::new(config, Arc::clone(&counters));
        let mut replies = Replies::default();
        mdns.datagram(peer, Some(Mac([0, 3, 7, 0, 0, 1])), query, &mut replies);
        let sent = replies.iter().map(|(datagram, bytes)| {
            assert_eq!((datagram.from, datagram.to), (Endpoint::Mdns, peer));
            bytes.to_vec()
        });
        (sent.collect(), counters)
    }

    fn query(service: &str, kind: u16) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::query(&mut out, 0x1234)
            .question(service, kind)
            .finish();
        out
    }

    fn said(url: &'static str) -> (u16, Ipv4Addr, String) {
        let (sent, _) = ask_from(PHONE, url, &query(SERVICE, kind::PTR));
        let message = Message::parse(&sent[0]).unwrap();
        let (mut port, mut address, mut text) = (0, Ipv4Addr::UNSPECIFIED, String::new());
        for record in message.records() {
            match record.data {
                Data::Service { port: held, .. } => port = held,
                Data::Address(held) => address = held,
                Data::Texts(held) => {
                    let first = texts(held).next().unwrap();
                    text = String::from_utf8(first.to_vec()).unwrap();
                }
                _ => {}
            }
        }
        (port, address, text)
    }

    // RFC 6762 §6.7: the id and the question come back, nothing lives longer than ten seconds and
    // nothing flushes a cache.
    #[test]
    fn answers_one_shot_queries_as_the_standard_says() {
        let (sent, counters) = ask_from(
            PHONE,
            "http://10.0.0.2/x/",
            &query("_HTTP._tcp.local.", kind::PTR),
        );
        let message = Message::parse(&sent[0]).unwrap();
        assert!(message.is_answer());
        assert_eq!(message.id(), 0x1234);
        let question = message.questions().next().expect("the question");
        assert!(question.name.is(SERVICE) && question.kind == kind::PTR);
        let records: Vec<_> = message.records().collect();
        let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
        assert_eq!(kinds, [kind::PTR, kind::SRV, kind::TXT, kind::A]);
        assert!(
            records
                .iter()
                .all(|record| record.internet && !record.flush && record.ttl <= 10)
        );
        assert_eq!(counters.value(Counter::MdnsAnswer), 1);
    }

    #[test]
    fn tells_a_url_by_host_and_path_or_in_words() {
        let own = (80, OWN, "path=/x/MAC.cfg".replace("MAC", "000307000001"));
        assert_eq!(said("http://10.0.0.2/x/MAC.cfg"), own);
        let elsewhere = Ipv4Addr::new(10, 0, 0, 7);
        assert_eq!(
            said("http://10.0.0.7:8080/"),
            (8_080, elsewhere, "path=/".to_owned())
        );
        for (url, port) in [
            ("tftp://10.0.0.2/x/", 69),
            ("http://a:b@10.0.0.2/x/", 80),
            ("http://host.example/x/", 80),
        ] {
            assert_eq!(said(url), (port, OWN, format!("url={url}")), "{url}");
        }
    }

    #[test]
    fn leaves_what_is_not_for_it() {
        let (sent, counters) = ask_from(PHONE, "http://h/", b"\0\0");
        assert!(sent.is_empty());
        assert_eq!(counters.value(Counter::MdnsMalformed), 1);
        let mut answer = Vec::new();
        Encoder::answer(&mut answer, 1)
            .question(SERVICE, kind::PTR)
            .finish();
        let full = SocketAddrV4::new(*PHONE.ip(), port::MDNS);
        for (peer, bytes) in [
            (PHONE, query("_ipp._tcp.local", kind::PTR)),
            (PHONE, query(SERVICE, kind::A)),
            (PHONE, answer),
            (full, query(SERVICE, kind::PTR)),
        ] {
            let (sent, counters) = ask_from(peer, "http://h/", &bytes);
            assert!(sent.is_empty());
            assert_eq!(counters.value(Counter::MdnsIgnored), 1);
        }
    }
}
