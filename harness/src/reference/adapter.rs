//! Sockets around a `Reference`: one thread, one current-thread runtime.
//!
//! UDP sockets are drained in batches at every wake-up, so a busy server pays for a wake-up once in
//! many datagrams. TFTP transfers leave from a fixed pool of ports (`TftpConfig::channels`), so
//! that thousands at one time need no descriptors of their own.

mod bind;
mod caller;
mod courier;
mod dialogue;
mod ftp;
mod listener;
mod raw;
mod stream;
mod web;

pub use courier::Courier;

pub use bind::{AdapterError, Bind, Endpoints};

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bootstorm_emulator::time::Moment;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, oneshot};

use super::counters::{Counter, Counters};
use super::replies::{Endpoint, Replies};
use super::server::Reference;
use bind::{Reach, Sockets};

/// Datagrams taken from one socket before others have their turn.
const BATCH: usize = 64;
/// The longest sleep between two looks at the timers: shorter than any wait that can newly begin.
const TICK: Duration = Duration::from_millis(100);

/// Puts a reference server behind sockets.
#[derive(Debug)]
pub struct Adapter;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    endpoints: Endpoints,
    counters: Arc<Counters>,
    courier: Courier,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all tasks of the thread share.
struct World {
    reference: RefCell<Reference>,
    replies: RefCell<Replies>,
    buffer: RefCell<Vec<u8>>,
    counters: Arc<Counters>,
    reach: Reach,
    began: Instant,
    dhcp: Option<UdpSocket>,
    tftp: Option<UdpSocket>,
    transfers: Vec<UdpSocket>,
    sip: Option<UdpSocket>,
    group: Option<UdpSocket>,
    pnp: Option<UdpSocket>,
    ntp: Option<UdpSocket>,
    mdns: Option<UdpSocket>,
    mdns_group: Option<UdpSocket>,
    /// Connection requests under way at one time.
    visits: Semaphore,
}

impl Adapter {
    /// Whether every socket that `bind` names could be bound just now. Nothing stays bound.
    ///
    /// # Errors
    /// What could not be bound, and what to do about it.
    pub fn probe(bind: &Bind) -> Result<(), AdapterError> {
        Sockets::open(bind, 1).map(drop)
    }

    /// Binds every socket that `bind` names and serves in a thread of its own. When it returns, the
    /// server can be reached.
    ///
    /// # Errors
    /// What could not be bound, and what to do about it. Nothing stays bound then.
    pub fn start(mut reference: Reference, bind: &Bind) -> Result<Running, AdapterError> {
        let sockets = Sockets::open(bind, reference.tftp.channels())?;
        let endpoints = sockets.endpoints();
        if let Some(pnp) = &mut reference.pnp {
            pnp.complete_contact(endpoints.pnp.or(endpoints.sip));
        }
        reference.sntp.read_clock(Moment::ZERO);
        if let Some(sip) = endpoints.sip {
            reference.notifier.set_contact(sip);
        }
        let counters = Arc::clone(reference.counters());
        let (courier, orders) = courier::pair();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(AdapterError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let bind = bind.clone();
        let serve = move || {
            let tasks = tokio::task::LocalSet::new();
            let world = async {
                let started = World::begin(reference, sockets, &bind, orders);
                if started.is_ok() {
                    let _ = stopped.await;
                }
            };
            runtime.block_on(tasks.run_until(world));
        };
        let thread = std::thread::Builder::new()
            .name("reference-server".to_owned())
            .spawn(serve)
            .map_err(AdapterError::Thread)?;
        Ok(Running {
            endpoints,
            counters,
            courier,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Running {
    /// Where it can be reached.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What it was asked and what it answered; readable while it runs and after.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Takes orders to it from any thread.
    #[must_use]
    pub fn courier(&self) -> Courier {
        self.courier.clone()
    }

    /// True until its thread ends.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|it| !it.is_finished())
    }

    /// Stops the server and waits for its thread.
    ///
    /// # Errors
    /// When the thread had panicked.
    pub fn stop(mut self) -> std::thread::Result<()> {
        self.end()
    }

    fn end(&mut self) -> std::thread::Result<()> {
        drop(self.stop.take());
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl World {
    /// Starts the tasks. Fails only when the runtime takes no more sockets.
    fn begin(
        reference: Reference,
        sockets: Sockets,
        bind: &Bind,
        orders: courier::Orders,
    ) -> std::io::Result<()> {
        let tokio =
            |socket: Option<std::net::UdpSocket>| socket.map(UdpSocket::from_std).transpose();
        let transfers = sockets.transfers.into_iter().map(UdpSocket::from_std);
        let world = Rc::new(Self {
            counters: Arc::clone(reference.counters()),
            reach: Reach::of(bind),
            reference: RefCell::new(reference),
            replies: RefCell::default(),
            buffer: RefCell::new(vec![0; 1 << 16]),
            began: Instant::now(),
            dhcp: tokio(sockets.dhcp)?,
            tftp: tokio(sockets.tftp)?,
            transfers: transfers.collect::<Result<_, _>>()?,
            sip: tokio(sockets.sip)?,
            group: tokio(sockets.group)?,
            pnp: tokio(sockets.pnp)?,
            ntp: tokio(sockets.ntp)?,
            mdns: tokio(sockets.mdns)?,
            mdns_group: tokio(sockets.mdns_group)?,
            visits: Semaphore::new(caller::VISITS_MAX),
        });
        let named = [
            Endpoint::Dhcp,
            Endpoint::Tftp,
            Endpoint::Sip,
            Endpoint::Pnp,
            Endpoint::Ntp,
            Endpoint::Mdns,
        ];
        let channels = u16::try_from(world.transfers.len()).unwrap_or(u16::MAX);
        for at in named
            .into_iter()
            .chain((0..channels).map(Endpoint::Transfer))
        {
            tokio::task::spawn_local(Rc::clone(&world).receive(at, false));
        }
        tokio::task::spawn_local(Rc::clone(&world).receive(Endpoint::Sip, true));
        tokio::task::spawn_local(Rc::clone(&world).receive(Endpoint::Mdns, true));
        tokio::task::spawn_local(Rc::clone(&world).tick());
        tokio::task::spawn_local(Rc::clone(&world).obey(orders));
        ftp::begin(&world, sockets.ftp, bind.connections_max)?;
        stream::begin(&world, sockets.sip_tcp, bind.connections_max)?;
        web::begin(&world, sockets.http, sockets.https, bind)
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    fn socket(&self, at: Endpoint) -> Option<&UdpSocket> {
        match at {
            Endpoint::Dhcp => self.dhcp.as_ref(),
            Endpoint::Tftp => self.tftp.as_ref(),
            Endpoint::Transfer(channel) => self.transfers.get(usize::from(channel)),
            Endpoint::Sip => self.sip.as_ref(),
            Endpoint::Pnp => self.pnp.as_ref(),
            Endpoint::Ntp => self.ntp.as_ref(),
            Endpoint::Mdns => self.mdns.as_ref(),
        }
    }

    /// Serves one UDP socket; `group` means the one of the endpoint's multicast group.
    async fn receive(self: Rc<Self>, at: Endpoint, group: bool) {
        let socket = match (group, at) {
            (true, Endpoint::Mdns) => self.mdns_group.as_ref(),
            (true, _) => self.group.as_ref(),
            (false, _) => self.socket(at),
        };
        let Some(socket) = socket else { return };
        while socket.readable().await.is_ok() {
            for _ in 0..BATCH {
                let mut buffer = self.buffer.borrow_mut();
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, SocketAddr::V4(peer))) => {
                        self.datagram(at, peer, buffer.get(..length).unwrap_or_default());
                    }
                    Err(fault) if fault.kind() == ErrorKind::WouldBlock => break,
                    // An ICMP message about an earlier reply: the client is gone.
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }

    fn datagram(&self, at: Endpoint, peer: SocketAddrV4, bytes: &[u8]) {
        let mut replies = self.replies.borrow_mut();
        replies.clear();
        let mut reference = self.reference.borrow_mut();
        reference.datagram(self.now(), at, peer, bytes, &mut replies);
        self.send(&replies);
    }

    async fn tick(self: Rc<Self>) {
        loop {
            let now = self.now();
            let deadline = self.reference.borrow().deadline();
            let wait = deadline.map_or(TICK, |it| it.since(now).min(TICK));
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
                continue;
            }
            let mut replies = self.replies.borrow_mut();
            replies.clear();
            self.reference.borrow_mut().tick(now, &mut replies);
            self.send(&replies);
        }
    }

    /// Sends without waiting: what the operating system does not take is dropped and counted, and
    /// the protocol sends it again.
    fn send(&self, replies: &Replies) {
        for (datagram, bytes) in replies.iter() {
            if !self.reach.has(*datagram.to.ip()) {
                self.counters.count(Counter::OutOfReach);
                continue;
            }
            let own = self.socket(datagram.from);
            let socket = match datagram.from {
                Endpoint::Pnp => own.or(self.sip.as_ref()),
                _ => own,
            };
            let to = SocketAddr::V4(datagram.to).into();
            let sent = socket.is_some_and(|it| SockRef::from(it).send_to(bytes, &to).is_ok());
            if !sent {
                self.counters.count(Counter::SendFailed);
            }
        }
    }
}

#[cfg(test)]
pub(in crate::reference) mod tests;
