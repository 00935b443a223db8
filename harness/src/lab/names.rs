//! Host names of a case, told to the handsets of a lab: a name server (RFC 1035) that knows these
//! and no others, and answers nobody outside the lab's networks.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bootstorm_emulator::wire::dns::{Encoder, Message, kind};
use bootstorm_scenarios::lab::Network;

/// The port of name servers.
const PORT: u16 = 53;
/// Seconds that an answer may be kept: the next case may say something else.
const TTL_S: u32 = 5;
/// How often it is looked whether the server is to end.
const NAP: Duration = Duration::from_millis(100);
const QUERY_BYTES_MAX: usize = 1_500;
/// The byte of the header with the response code, and the one for names that are not there
/// (RFC 1035 §4.1.1).
const RCODE_AT: usize = 3;
const NAME_ERROR: u8 = 3;

/// A running name server. Dropping it stops it.
#[derive(Debug)]
pub struct Names {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Where it listens.
    pub at: SocketAddrV4,
}

impl Names {
    /// Starts it at port 53 of an address.
    ///
    /// # Errors
    /// The port is in use or not permitted; no thread.
    pub fn start(
        address: Ipv4Addr,
        known: BTreeMap<String, Ipv4Addr>,
        networks: Vec<Network>,
    ) -> io::Result<Self> {
        Self::start_at(SocketAddrV4::new(address, PORT), known, networks)
    }

    fn start_at(
        at: SocketAddrV4,
        known: BTreeMap<String, Ipv4Addr>,
        networks: Vec<Network>,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        socket.set_read_timeout(Some(NAP))?;
        let SocketAddr::V4(at) = socket.local_addr()? else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        let stop = Arc::<AtomicBool>::default();
        let flag = Arc::clone(&stop);
        let serve = move || {
            let mut buffer = [0; QUERY_BYTES_MAX];
            while !flag.load(Ordering::Relaxed) {
                let Ok((length, SocketAddr::V4(peer))) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let is_near = networks.iter().any(|network| network.has(*peer.ip()));
                let query = buffer.get(..length).unwrap_or_default();
                if let Some(answer) = answer(query, &known).filter(|_| is_near) {
                    // Who hears nothing asks again.
                    let _ = socket.send_to(&answer, peer);
                }
            }
        };
        let thread = std::thread::Builder::new().name("names".to_owned());
        Ok(Self {
            stop,
            thread: Some(thread.spawn(serve)?),
            at,
        })
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that died has let go of its port.
            let _ = thread.join();
        }
    }
}

/// The answer to a query; none to what is no query.
fn answer(query: &[u8], known: &BTreeMap<String, Ipv4Addr>) -> Option<Vec<u8>> {
    let message = Message::parse(query).ok()?;
    let question = message.questions().next().filter(|_| message.is_query())?;
    let name = question.name.host()?.to_ascii_lowercase();
    let mut out = Vec::new();
    let encoder = Encoder::answer(&mut out, message.id()).to_one();
    let encoder = encoder.question(&name, question.kind);
    let address = known.get(&name);
    match address {
        Some(address) if matches!(question.kind, kind::A | kind::ANY) => {
            encoder.address(&name, *address, TTL_S).finish();
        }
        _ => encoder.finish(),
    }
    if address.is_none()
        && let Some(code) = out.get_mut(RCODE_AT)
    {
        *code |= NAME_ERROR;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::wire::dns::Data;

    use super::*;

    fn ask(names: &Names, name: &str, kind: u16) -> Option<Vec<u8>> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a time");
        let mut query = Vec::new();
        Encoder::query(&mut query, 7).question(name, kind).finish();
        socket.send_to(&query, names.at).expect("sent");
        let mut buffer = [0; 1_500];
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    fn names(network: &str) -> Names {
        let known = BTreeMap::from([("sip.example.org".to_owned(), Ipv4Addr::new(10, 77, 0, 1))]);
        let networks = vec![Network::parse(network).expect("a network")];
        Names::start_at("127.0.0.1:0".parse().expect("an address"), known, networks)
            .expect("a name server")
    }

    #[test]
    fn knows_the_names_of_the_case_and_no_others() {
        let names = names("127.0.0.0/8");
        let told = ask(&names, "SIP.example.org", kind::A).expect("an answer");
        let message = Message::parse(&told).expect("a message");
        let record = message.records().next().expect("a record");
        assert!(matches!(record.data, Data::Address(at) if at == Ipv4Addr::new(10, 77, 0, 1)));
        assert_eq!((message.id(), told[RCODE_AT] & 15), (7, 0));
        let other = ask(&names, "sip.example.org", kind::AAAA).expect("an answer");
        let message = Message::parse(&other).expect("a message");
        assert_eq!((message.records().count(), other[RCODE_AT] & 15), (0, 0));
        let unknown = ask(&names, "time.example.net", kind::A).expect("an answer");
        assert_eq!(unknown[RCODE_AT] & 15, NAME_ERROR);
    }

    #[test]
    fn answers_nobody_outside_the_networks() {
        assert_eq!(
            ask(&names("10.77.0.0/24"), "sip.example.org", kind::A),
            None
        );
    }
}
