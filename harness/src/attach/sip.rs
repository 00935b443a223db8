//! The run's SIP port: one wildcard socket for the phones of all shards, read by one thread that
//! hands datagrams on through bounded queues with counted drops. Each shard knows which addresses
//! are its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{InterfaceIndexOrAddress, Socket};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::drive::udp::Device;
use crate::drive::udp::{self, Received};
use crate::subject::{MDNS_GROUP, PNP_GROUP};

/// Datagrams that may wait for one shard; more are dropped and counted.
const QUEUE: usize = 8_192;
/// How often the reading thread looks whether the run is over.
const NAP: Duration = Duration::from_millis(50);
const DATAGRAM_BYTES: usize = 65_536;

/// One shard's end of the port.
#[derive(Debug)]
pub struct Heard {
    /// To send from.
    pub socket: Arc<Socket>,
    /// What arrived, for any shard's phones.
    pub arrivals: mpsc::Receiver<(Received, Vec<u8>)>,
}

impl Heard {
    /// The port number.
    ///
    /// # Errors
    /// The operating system's.
    pub fn port(&self) -> io::Result<u16> {
        let address = self.socket.local_addr()?;
        Ok(address.as_socket_ipv4().map_or(0, |address| address.port()))
    }
}

/// The port and its thread.
#[derive(Debug)]
pub struct SipPort {
    over: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl SipPort {
    /// Opens the port (0 = any free one) for so many shards, on one interface where that is given:
    /// there its PnP and mDNS groups are joined too, so that switches let them pass.
    ///
    /// # Errors
    /// The operating system's: the port is in use, or no descriptor is left.
    pub fn open(
        port: u16,
        shards: usize,
        device: Option<&Device>,
    ) -> io::Result<(Self, Vec<Heard>)> {
        let socket = udp::open_on(port, device)?;
        if let Some(device) = device {
            let interface = InterfaceIndexOrAddress::Index(device.index);
            for group in [PNP_GROUP, MDNS_GROUP] {
                socket.join_multicast_v4_n(&group, &interface)?;
            }
        }
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(NAP))?;
        let socket = Arc::new(socket);
        let (senders, heard) = (0..shards)
            .map(|_| {
                let (sender, arrivals) = mpsc::channel(QUEUE);
                (
                    sender,
                    Heard {
                        socket: Arc::clone(&socket),
                        arrivals,
                    },
                )
            })
            .unzip();
        let (over, dropped) = (Arc::default(), Arc::default());
        let reader = Reader {
            socket,
            shards: senders,
            over: Arc::clone(&over),
            dropped: Arc::clone(&dropped),
        };
        let thread = std::thread::Builder::new()
            .name("sip".to_owned())
            .spawn(|| reader.run())?;
        Ok((
            Self {
                over,
                dropped,
                thread: Some(thread),
            },
            heard,
        ))
    }

    /// Ends the thread; returns how many datagrams found a shard's queue full.
    #[must_use]
    pub fn close(mut self) -> u64 {
        self.stop();
        self.dropped.load(Ordering::Relaxed)
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Drop for SipPort {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Reader {
    socket: Arc<Socket>,
    shards: Vec<mpsc::Sender<(Received, Vec<u8>)>>,
    over: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

impl Reader {
    fn run(self) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let mut kernel = 0;
        while !self.over.load(Ordering::Relaxed) {
            let Ok(received) = udp::receive(&self.socket, &mut buffer) else {
                continue;
            };
            let lost = u64::from(received.dropped.wrapping_sub(kernel));
            kernel = received.dropped;
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            let bytes = buffer.get(..received.length).unwrap_or_default();
            for shard in &self.shards {
                // A shard that is over listens no more: nothing is lost.
                let sent = shard.try_send((received, bytes.to_vec()));
                if matches!(sent, Err(TrySendError::Full(_))) {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
