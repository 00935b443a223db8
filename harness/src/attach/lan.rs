//! A real segment: phones that take part in it with MACs and leases of their own.
//!
//! DHCP goes as whole frames through one AF_PACKET socket, read by one thread, which also answers
//! ARP for the phones' addresses, and asks the segment before an address is used (RFC 5227). With
//! its lease a phone's address becomes one of the kernel's (`route`); from then on the phone speaks
//! through the same sockets as on loopback, and nftables puts its own MAC into every frame
//! (`traces`).
//!
//! | module | owns |
//! |---|---|
//! | `frame` | Ethernet, ARP, IPv4 and UDP as bytes |
//! | `socket` | the AF_PACKET socket |
//! | `tenure` | which phone holds or probes which address: plain values |

pub mod frame;
mod socket;
mod tenure;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::wire::dhcp::{Message, MessageType, chaddr_of, code};
use bootstorm_emulator::wire::port;
use tokio::sync::mpsc;

use crate::attach::carrier::{self, Arrival, Kernel, Reading, Shards, held};
use crate::attach::ground::Told;
use crate::attach::preflight::Interface;
use crate::attach::reach::{Network, Reach};
use crate::attach::route::Routes;
use crate::attach::traces::Traces;
use crate::drive::udp::{Device, Received};
use crate::fleet::network::Farewell;
use frame::{Arp, Datagram, EVERYBODY, Frame};
use socket::FrameSocket;
use tenure::{Claim, Found, Given, Tenure};

/// How often the thread looks at what is due.
const NAP: Duration = Duration::from_millis(10);
const FRAME_BYTES: usize = 65_536;

/// The segment that a run's phones are on, shared by all shards.
#[derive(Debug)]
pub struct Segment {
    device: Device,
    reach: Reach,
    socket: FrameSocket,
    tenure: Mutex<Tenure>,
    kernel: Mutex<Kernel>,
    dropped: AtomicU64,
    told: Mutex<Told>,
}

/// A segment in use. Dropping it takes away all that was laid down on this machine.
#[derive(Debug)]
pub struct Attached {
    /// What shards speak through.
    pub segment: Arc<Segment>,
    reading: Reading,
}

impl Attached {
    /// Attaches phones with these MACs to an interface; one receiver for each shard.
    ///
    /// # Errors
    /// What was tried and what was said of it.
    pub fn start(
        interface: &Interface,
        reach: Reach,
        phones: &[Mac],
        shards: usize,
    ) -> Result<(Self, Vec<mpsc::Receiver<Arrival>>), String> {
        let device = interface.device.clone();
        let traces = Traces::lay(&device, reach, Some(phones))?;
        let opened = FrameSocket::open(device.index, &interface.link)
            .and_then(|socket| socket.patience(NAP).map(|()| socket));
        let name = &device.name;
        let socket = opened.map_err(|fault| format!("failed to open {name}: {fault}"))?;
        let routes = Routes::open().map_err(|fault| format!("failed to open routes: {fault}"))?;
        let segment = Arc::new(Segment {
            device,
            reach,
            socket,
            tenure: Mutex::new(Tenure::new(phones)),
            kernel: Mutex::new(Kernel {
                routes,
                traces: Some(traces),
            }),
            dropped: AtomicU64::new(0),
            told: Mutex::default(),
        });
        let (shards, receivers) = Shards::open(shards);
        let reader = Reader {
            segment: Arc::clone(&segment),
            shards,
            kernel_drops: 0,
        };
        let reading = Reading::start("segment", |over| reader.run(over))?;
        let attached = Self { segment, reading };
        Ok((attached, receivers))
    }

    /// Sends what phones say when they leave, and detaches them: what is
    /// to be told of the run.
    #[must_use]
    pub fn close(self, farewells: &[Farewell]) -> Told {
        carrier::part(farewells, |Farewell { from, to, bytes }| {
            // Nobody is there any more who could send it again.
            let _ = self.segment.send(*from, *to, bytes);
        });
        let mut told = std::mem::take(&mut *held(&self.segment.told));
        told.dropped = self.segment.dropped.load(Ordering::Relaxed);
        told
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.reading.end();
        // Here and not with the last shard's hold on the segment, which a panic may keep.
        drop(held(&self.segment.kernel).traces.take());
    }
}

impl Segment {
    /// The interface.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sends a DHCP message from the MAC that it names as its client's; to a host outside the
    /// networks of the run nothing is sent, and that is told.
    ///
    /// # Errors
    /// The operating system's; and a message without a client's MAC.
    pub fn send(&self, from: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) -> io::Result<()> {
        let mac = chaddr_of(bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let everybody = to.ip().is_broadcast();
        if !everybody && !held(&self.told).lets(self.reach, *to.ip()) {
            return Ok(());
        }
        let to_mac = match everybody {
            true => EVERYBODY,
            // Whoever brought the ACK: the server, or the relay agent of this segment.
            false => held(&self.tenure).server_of(mac).unwrap_or(EVERYBODY),
        };
        let datagram = Datagram {
            from_mac: mac,
            to_mac,
            from: SocketAddrV4::new(from, port::DHCP_CLIENT),
            to,
            payload: bytes,
        };
        let mut frame = Vec::new();
        if !datagram.write(&mut frame) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.socket.send(&frame)
    }

    /// A phone took an address, or gave one up.
    pub fn address(&self, mac: Mac, before: Ipv4Addr, now: Option<Ipv4Addr>) {
        let claim = {
            let mut tenure = held(&self.tenure);
            if now == Some(before) && tenure.holds(mac, before) {
                return;
            }
            if tenure.leave(mac, before) {
                let gone = held(&self.kernel).routes.remove(before, self.device.index);
                self.note("take an address away", before, gone);
            }
            now.and_then(|address| {
                let typed = self.typed(address);
                tenure.enter((mac, address), typed, Instant::now())
            })
        };
        let Some(address) = now else { return };
        let Some(claim) = claim else {
            let reach = self.reach;
            return self.tell(format!(
                "a phone was not given {address}: another has it, or it is outside the networks \
                 that this run may reach ({reach})"
            ));
        };
        let mut kernel = held(&self.kernel);
        let added = kernel.routes.add(address, self.device.index);
        self.note("take an address", address, added);
        let routed = kernel
            .traces
            .as_mut()
            .map_or(Ok(()), |traces| traces.route(claim.network, claim.router));
        if let Err(fault) = routed {
            self.tell(fault);
        }
        drop(kernel);
        self.arp(Arp::announcement(mac, address));
    }

    /// What is known of an address that no server gave: somebody typed it.
    fn typed(&self, address: Ipv4Addr) -> Option<Claim> {
        let mut networks = self.reach.networks();
        let network = networks.find(|network| network.contains(address))?;
        Some(Claim {
            server: EVERYBODY,
            network,
            router: None,
        })
    }

    fn note(&self, what: &str, address: Ipv4Addr, result: io::Result<()>) {
        if let Err(fault) = result {
            self.tell(format!("failed to {what} ({address}): {fault}"));
        }
    }

    /// Why the run judges this side.
    fn tell(&self, sentence: String) {
        held(&self.told).void(sentence);
    }

    fn arp(&self, arp: Arp) {
        let mut frame = Vec::new();
        arp.write(&mut frame);
        if self.socket.send(&frame).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that reads the segment.
struct Reader {
    segment: Arc<Segment>,
    shards: Shards,
    kernel_drops: u32,
}

impl Reader {
    fn run(mut self, over: &AtomicBool) {
        let mut buffer = vec![0; FRAME_BYTES];
        while !over.load(Ordering::Relaxed) {
            if let Ok((length, dropped)) = self.segment.socket.receive(&mut buffer) {
                if let Some(dropped) = dropped {
                    let more = dropped.wrapping_sub(self.kernel_drops);
                    self.kernel_drops = dropped;
                    let more = u64::from(more);
                    self.segment.dropped.fetch_add(more, Ordering::Relaxed);
                }
                match Frame::read(buffer.get(..length).unwrap_or_default()) {
                    Some(Frame::Arp(arp)) => self.asked(arp),
                    Some(Frame::Udp(datagram)) => self.message(&datagram),
                    None => {}
                }
            }
            self.due();
        }
    }

    /// Takes what was said by ARP.
    fn asked(&self, arp: Arp) {
        let found = held(&self.segment.tenure).heard(arp, Instant::now());
        match found {
            Found::Nothing => {}
            Found::Answer(answer) | Found::Defend(answer) => self.segment.arp(answer),
            Found::Taken(mac, address) => {
                held(&self.segment.told).note(format!(
                    "{address} was leased to a phone and in use by another host: declined"
                ));
                self.hand_over(&Arrival::Taken(mac, address));
            }
            Found::Lost(mac, address) => {
                held(&self.segment.told).note(format!(
                    "another host kept claiming {address} from a phone that held it: declined"
                ));
                self.hand_over(&Arrival::Taken(mac, address));
            }
        }
    }

    /// Takes a DHCP message for a phone. An ACK that gives an address is kept back until the
    /// segment was asked about it.
    fn message(&self, datagram: &Datagram<'_>) {
        let Some(mac) = chaddr_of(datagram.payload) else {
            return;
        };
        let mut tenure = held(&self.segment.tenure);
        if !tenure.knows(mac) {
            return;
        }
        let received = Received {
            from: datagram.from,
            to: *datagram.to.ip(),
            length: datagram.payload.len(),
            dropped: 0,
        };
        if let Some((address, claim)) = self.given(datagram) {
            if !self.segment.reach.contains(address) {
                let reach = self.segment.reach;
                return self.segment.tell(format!(
                    "the DHCP server leased {address}, outside the networks that this run may \
                     reach ({reach}): name its network by --allow-network"
                ));
            }
            let kept = (received, datagram.payload.to_vec());
            let given = tenure.probe(mac, address, claim, kept, Instant::now());
            drop(tenure);
            return match given {
                Given::Kept => {}
                Given::Known(kept) => self.hand_over(&Arrival::Message(kept.0, kept.1)),
                Given::Twice(first) => self.leased_twice(first, mac, address),
            };
        }
        drop(tenure);
        self.hand_over(&Arrival::Message(received, datagram.payload.to_vec()));
    }

    /// What an ACK gives.
    fn given(&self, datagram: &Datagram<'_>) -> Option<(Ipv4Addr, Claim)> {
        let message = Message::decode(datagram.payload).ok()?;
        let address = message.yiaddr();
        let gives = message.message_type() == Some(MessageType::Ack) && !address.is_unspecified();
        let named = message.address(code::SUBNET_MASK);
        let named = named.and_then(|mask| Network::masked(address, mask));
        let mut allowed = self.segment.reach.networks();
        // One without a mask, or with one wider than the run may reach, is of the network allowed.
        let allowed = allowed.find(|network| network.contains(address));
        let network = match (named, allowed) {
            (Some(named), Some(allowed)) if allowed.encloses(named) => named,
            (_, Some(allowed)) => allowed,
            (named, None) => named.unwrap_or(Network::of(address, 32)),
        };
        gives.then_some((
            address,
            Claim {
                server: datagram.from_mac,
                network,
                router: message.address(code::ROUTER),
            },
        ))
    }

    /// Sends the probes that are due, and hands over what they have cleared.
    fn due(&self) {
        let due = held(&self.segment.tenure).due(Instant::now());
        for arp in due.say {
            self.segment.arp(arp);
        }
        for (received, bytes) in due.cleared {
            self.hand_over(&Arrival::Message(received, bytes));
        }
        for (first, mac, address) in due.twice {
            self.leased_twice(first, mac, address);
        }
    }

    /// The first of two phones keeps the address that both were leased.
    fn leased_twice(&self, first: Mac, mac: Mac, address: Ipv4Addr) {
        held(&self.segment.told).note(format!(
            "{address} was leased to the phone {mac} while the phone {first} had it: declined"
        ));
        self.hand_over(&Arrival::Taken(mac, address));
    }

    fn hand_over(&self, arrival: &Arrival) {
        self.shards.hand_over(arrival, &self.segment.dropped);
    }
}
