//! What the real attachments' carriers of DHCP have in common: a thread that reads the network, the
//! shards that it hands arrivals to, and what of the kernel's is taken back at the end.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bootstorm_emulator::identity::Mac;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::route::Routes;
use super::traces::Traces;
use crate::drive::udp::Received;
use crate::fleet::network::Farewell;

/// Datagrams that may wait for one shard; more are dropped and counted.
const QUEUE: usize = 8_192;

/// What the network's side tells a shard of a phone's lease.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A DHCP message arrived.
    Message(Received, Vec<u8>),
    /// The address that a phone was given is in use: it is not to use it (RFC 2131 §3.1.5).
    Taken(Mac, Ipv4Addr),
}

/// What of the kernel's is in use.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The phones' addresses.
    pub(super) routes: Routes,
    /// Rules; `None` once they are taken away.
    pub(super) traces: Option<Traces>,
}

/// The shards that wait for what arrives.
#[derive(Debug)]
pub(super) struct Shards(Vec<mpsc::Sender<Arrival>>);

impl Shards {
    /// One receiver for each shard.
    pub(super) fn open(shards: usize) -> (Self, Vec<mpsc::Receiver<Arrival>>) {
        let (senders, receivers) = (0..shards).map(|_| mpsc::channel(QUEUE)).unzip();
        (Self(senders), receivers)
    }

    /// To every shard: each knows its own phones. What one has no room for is counted.
    pub(super) fn hand_over(&self, arrival: &Arrival, dropped: &AtomicU64) {
        for shard in &self.0 {
            // A shard that is over listens no more: nothing is lost.
            if let Err(TrySendError::Full(_)) = shard.try_send(arrival.clone()) {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A thread that reads the network. It ends, at its next nap, when this is dropped.
#[derive(Debug)]
pub(super) struct Reading {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reading {
    /// Starts it; its work goes on until what it is given becomes true.
    ///
    /// # Errors
    /// No thread could be started.
    pub(super) fn start(
        name: &str,
        work: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> Result<Self, String> {
        let over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&over);
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || work(&ends));
        let thread = thread.map_err(|fault| format!("failed to start a thread: {fault}"))?;
        Ok(Self {
            over,
            thread: Some(thread),
        })
    }

    /// Ends it and waits for that.
    pub(super) fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends what phones say when they leave, no faster than servers hear it.
pub(super) fn part(farewells: &[Farewell], mut send: impl FnMut(&Farewell)) {
    let pause = Farewell::pause(farewells.len());
    for farewell in farewells {
        send(farewell);
        std::thread::sleep(pause);
    }
}

/// What a lock holds, also after somebody panicked with it.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
