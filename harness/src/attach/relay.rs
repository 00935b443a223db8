//! Phones behind a relay agent (RFC 1542 §4, RFC 2131 §4.1): their DHCP goes by unicast, in relay
//! form, to a server some hops away, which answers to giaddr:67. What it leases must be routed to
//! this machine, where each address becomes one of the kernel's (AnyIP).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bootstorm_emulator::wire::dhcp::{self};
use bootstorm_emulator::wire::port;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

use super::carrier::{self, Arrival, Kernel, Reading, Shards, held};
use super::ground::Told;
use super::preflight::Interface;
use super::reach::Reach;
use super::route::Routes;
use super::traces::Traces;
use crate::drive::udp::{Device, Received};
use crate::fleet::network::Farewell;

/// How often the thread looks whether the run is over.
const NAP: Duration = Duration::from_millis(50);
const DATAGRAM_BYTES: usize = 65_536;
const RECEIVE_BYTES: usize = 4 << 20;

/// The relay agent that a run plays, shared by all shards.
#[derive(Debug)]
pub struct Relay {
    device: Device,
    reach: Reach,
    address: Ipv4Addr,
    socket: Socket,
    kernel: Mutex<Kernel>,
    dropped: AtomicU64,
    told: Mutex<Told>,
}

/// A relay agent at work. Dropping it takes the phones' addresses away.
#[derive(Debug)]
pub struct Relaying {
    /// What shards speak through.
    pub relay: Arc<Relay>,
    reading: Reading,
}

impl Relaying {
    /// Opens port 67 at the first address of an interface; one receiver for each shard.
    ///
    /// # Errors
    /// What was tried and what was said of it: the port is in use, a tool failed.
    pub fn start(
        interface: &Interface,
        reach: Reach,
        shards: usize,
    ) -> Result<(Self, Vec<mpsc::Receiver<Arrival>>), String> {
        let device = interface.device.clone();
        let (address, _) = *interface
            .own
            .first()
            .ok_or_else(|| format!("{} has no IPv4 address", device.name))?;
        let traces = Traces::lay(&device, reach, None)?;
        let at = SocketAddrV4::new(address, port::DHCP_SERVER);
        let socket = open(at).map_err(|fault| format!("failed to open {at}: {fault}"))?;
        let routes = Routes::open().map_err(|fault| format!("failed to open routes: {fault}"))?;
        let relay = Arc::new(Relay {
            device,
            reach,
            address,
            socket,
            kernel: Mutex::new(Kernel {
                routes,
                traces: Some(traces),
            }),
            dropped: AtomicU64::new(0),
            told: Mutex::default(),
        });
        let (shards, receivers) = Shards::open(shards);
        let of_thread = Arc::clone(&relay);
        let reading = Reading::start("relay", move |over| of_thread.read(&shards, over))?;
        let relaying = Self { relay, reading };
        Ok((relaying, receivers))
    }

    /// Sends what phones say when they leave, and ends: what is to be told of
    /// the run.
    #[must_use]
    pub fn close(self, farewells: &[Farewell]) -> Told {
        carrier::part(farewells, |farewell| {
            // Nobody is there any more who could send it again.
            let _ = self.relay.send(farewell.to, &farewell.bytes);
        });
        let mut told = std::mem::take(&mut *held(&self.relay.told));
        told.dropped = self.relay.dropped.load(Ordering::Relaxed);
        told
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.reading.end();
        // Here and not with the last shard's hold on the relay, which a panic may keep.
        drop(held(&self.relay.kernel).traces.take());
    }
}

fn open(at: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Best effort: the kernel cuts it to its own limit.
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.set_read_timeout(Some(NAP))?;
    socket.bind(&at.into())?;
    Ok(socket)
}

impl Relay {
    /// Sends a phone's DHCP message on, in relay form. An extension too: its answer would come to a
    /// port that other programs may have. To a host outside the networks of the run nothing is
    /// sent, and that is told.
    ///
    /// # Errors
    /// The operating system's.
    pub fn send(&self, to: SocketAddrV4, bytes: &[u8]) -> io::Result<()> {
        if !held(&self.told).lets(self.reach, *to.ip()) {
            return Ok(());
        }
        let mut relayed = bytes.to_vec();
        dhcp::set_relay(&mut relayed, self.address);
        self.socket.send_to(&relayed, &to.into()).map(drop)
    }

    /// A phone took an address, or gave one up.
    pub fn address(&self, before: Ipv4Addr, now: Option<Ipv4Addr>) {
        if now == Some(before) {
            return;
        }
        let mut kernel = held(&self.kernel);
        let index = self.device.index;
        if !before.is_unspecified() {
            // One that was refused is not there.
            let _ = kernel.routes.remove(before, index);
        }
        let Some(address) = now else { return };
        if !self.reach.contains(address) {
            drop(kernel);
            let reach = self.reach;
            return self.tell(format!(
                "a phone was not given {address}: it is outside the networks that this run may \
                 reach ({reach})"
            ));
        }
        if let Err(fault) = kernel.routes.add(address, index) {
            drop(kernel);
            self.tell(format!("failed to take an address ({address}): {fault}"));
        }
    }

    /// Why the run judges this side.
    fn tell(&self, sentence: String) {
        held(&self.told).void(sentence);
    }

    /// Reads answers until it is over.
    fn read(&self, shards: &Shards, over: &AtomicBool) {
        use std::io::Read as _;
        let mut buffer = vec![0; DATAGRAM_BYTES];
        while !over.load(Ordering::Relaxed) {
            let Ok(length) = (&self.socket).read(&mut buffer) else {
                continue;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            if self.refuses(bytes) {
                continue;
            }
            let received = Received {
                from: SocketAddrV4::new(self.address, port::DHCP_SERVER),
                to: self.address,
                length,
                dropped: 0,
            };
            shards.hand_over(&Arrival::Message(received, bytes.to_vec()), &self.dropped);
        }
    }

    /// Whether it gives an address that the run may not use.
    fn refuses(&self, bytes: &[u8]) -> bool {
        let Ok(message) = dhcp::Message::decode(bytes) else {
            return false;
        };
        let address = message.yiaddr();
        let outside = !address.is_unspecified() && !self.reach.contains(address);
        if outside {
            let reach = self.reach;
            self.tell(format!(
                "the DHCP server leased {address}, outside the networks that this run may reach \
                 ({reach}): name its network by --allow-network"
            ));
        }
        outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One at a free port of loopback that may reach this network. Its interface is none of this
    /// machine's.
    fn relay(network: &str) -> Relay {
        let reach = Reach::to(&[network.parse().expect(network)]);
        let socket = open("127.0.0.1:0".parse().expect("an address"));
        Relay {
            device: Device {
                name: "none".into(),
                index: 0x7fff_fff0,
            },
            reach: reach.expect("one"),
            address: Ipv4Addr::LOCALHOST,
            socket: socket.expect("a socket"),
            kernel: Mutex::new(Kernel {
                routes: Routes::open().expect("a socket"),
                traces: None,
            }),
            dropped: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    #[test]
    fn nothing_is_sent_to_a_host_that_the_run_may_not_reach() {
        let server = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let patience = Duration::from_millis(100);
        server.set_read_timeout(Some(patience)).expect("set");
        let at = server.local_addr().expect("bound").to_string();
        let at = at.parse().expect("an IPv4 address");
        for (network, arrives) in [("10.77.0.0/16", false), ("127.0.0.0/8", true)] {
            let relay = relay(network);
            relay.send(at, &[1; 300]).expect("no fault");
            assert_eq!(server.recv(&mut [0; 600]).is_ok(), arrives, "{network}");
            let told = held(&relay.told).clone();
            let said = told.notes.iter().any(|it| it.contains("was not sent"));
            assert_eq!(said, !arrives, "{:?}", told.notes);
        }
    }

    #[test]
    fn an_address_that_the_run_may_not_reach_is_not_taken() {
        let relay = relay("10.77.0.0/16");
        relay.address(Ipv4Addr::UNSPECIFIED, Some(Ipv4Addr::new(192, 0, 2, 9)));
        let told = held(&relay.told).clone();
        let outside = |it: &String| it.contains("192.0.2.9: it is outside the networks");
        assert!(told.voids.iter().all(outside), "{:?}", told.voids);
        assert_eq!(told.voids.len(), 1);
    }
}
