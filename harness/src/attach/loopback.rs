//! The kernel's loopback: each phone its own 127.x.y.z, no privilege. One shard is one thread with
//! one current-thread runtime; its phones share a fixed number of UDP sockets, so an idle phone
//! holds no descriptor, and one with a transfer under way none but for TCP.

mod network;

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::limits::FRESH_CHANNELS;
use bootstorm_emulator::phone::io::{Channel, Input, Request};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp;
use bootstorm_scenarios::link::{Flow, Told as LinkTold};
use rustc_hash::FxHashMap;
use socket2::Socket;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::carrier::Arrival;
use super::cwmp::{Door, Knock};
use super::ground::Ground;
use super::lines;
use super::sip::Heard;
use super::underway::{Cargo, Lateness, UnderWay};
use crate::drive::tcp::{Secure, Told, WRITES_MAX};
use crate::drive::tls::Trust;
use crate::drive::udp::Device;
use crate::drive::udp::{self, Received, SharedSocket};
use crate::fleet::shard::{End, Shard, Tls};
use crate::fleet::steps::Meeting;
use crate::reference::adapter::Courier;
use crate::reference::certificate::CertificateFault;
use crate::reference::notify::Batch;
use crate::subject::Subject;

/// UDP sockets that one shard's transfers share.
pub const TRANSFER_SOCKETS: usize = 64;
/// TCP connections that one shard opens at once; more wait for a free one.
pub const CONNECTIONS_MAX: usize = 2_000;
/// Connections to registrars that one shard holds; a phone beyond them is our own fault.
pub const LINES_MAX: usize = 4_000;
/// Payloads taken from one socket before the others are looked at.
const BATCH: usize = 64;
/// Phones ticked before the sockets are looked at.
const TICKS: usize = 32;
/// The longest a shard sleeps: it looks at the stop flag in between.
const NAP: Duration = Duration::from_millis(50);
const DATAGRAM_BYTES: usize = 65_536;

/// The sockets of one shard; opened before any thread starts, so that a refusal is told early.
#[derive(Debug)]
pub struct Sockets {
    dhcp: Socket,
    pnp: Socket,
    transfers: Vec<Socket>,
}

/// What one shard needs besides its phones.
#[derive(Debug)]
pub struct Setup {
    /// Its sockets.
    pub sockets: Sockets,
    /// What is judged.
    pub subject: Subject,
    /// What carries its phones' DHCP.
    pub ground: Ground,
    /// What that tells of their leases; `None` where the shard has a DHCP socket of its own.
    pub leases: Option<mpsc::Receiver<Arrival>>,
    /// When the run began.
    pub began: Instant,
    /// When it ends at the latest.
    pub deadline: Duration,
    /// Raised when the user ends the run.
    pub stop: Arc<AtomicBool>,
    /// How phones do TLS.
    pub trust: Arc<Trust>,
    /// The run's SIP port, shared by all shards: to send from, and what arrives there.
    pub sip: Heard,
    /// The run's port for connection requests, shared by all shards.
    pub door: Door,
    /// Takes the orders of the scenario's steps to the subject's SIP server; without one they
    /// are not carried out.
    pub courier: Option<Courier>,
    /// How many shards take the steps together.
    pub meeting: Arc<Meeting>,
}

/// What became of datagrams on our own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Dropped by our sockets: a receive buffer was full, or a send could not leave.
    pub dropped: u64,
    /// Went nowhere: outside loopback, or to a service that the subject lacks.
    pub unreachable: u64,
    /// Came to the DHCP port and named no phone of the run.
    pub strays: u64,
    /// What befell the phones' packets on links with conditions.
    pub links: LinkTold,
    /// By how much later than due such links let packets go.
    pub late: Lateness,
}

impl Sockets {
    /// Opens a shard's sockets, on one interface where that is given.
    ///
    /// # Errors
    /// The operating system's, when there are no descriptors or ports left.
    pub fn open(device: Option<&Device>) -> io::Result<Self> {
        let transfers = (0..TRANSFER_SOCKETS).map(|_| udp::open_on(0, device));
        let transfers = transfers.collect::<io::Result<_>>()?;
        Ok(Self {
            dhcp: udp::open_on(0, device)?,
            pnp: udp::open_on(0, device)?,
            transfers,
        })
    }

    /// The port that PnP requests leave from.
    ///
    /// # Errors
    /// The operating system's.
    pub fn pnp_port(&self) -> io::Result<u16> {
        let address = self.pnp.local_addr()?;
        Ok(address.as_socket_ipv4().map_or(0, |address| address.port()))
    }
}

/// A shard and its sockets.
#[derive(Debug)]
struct World {
    shard: Shard,
    wire: Wire,
    /// The main loop sleeps until then, unless woken.
    asleep_until: Moment,
}

#[derive(Debug)]
struct Wire {
    this: Weak<RefCell<World>>,
    subject: Subject,
    ground: Ground,
    began: Instant,
    trust: Arc<Trust>,
    dhcp: Rc<SharedSocket>,
    pnp: Rc<SharedSocket>,
    sip: Arc<Socket>,
    transfers: Vec<Rc<SharedSocket>>,
    /// The number of the latest fresh port that each phone sent from.
    last_fresh: Vec<u16>,
    connections: FxHashMap<End, mpsc::Sender<Vec<u8>>>,
    permits: Arc<Semaphore>,
    lines: Arc<Semaphore>,
    relayed: Vec<u8>,
    wake: Rc<Notify>,
    losses: Losses,
    courier: Option<Courier>,
    /// Who waits for a phone's answer to the request that is being handed over.
    asking: Option<(Request, Answers)>,
    requests: u32,
    /// What is under way on the phones' links, where any has conditions.
    held: Option<Box<UnderWay>>,
}

/// Takes a phone's answer to one request.
type Answers = mpsc::Sender<Vec<u8>>;

/// Runs a shard in the calling thread until its phones are at rest, the deadline has come or the
/// run is stopped.
///
/// # Errors
/// The operating system's, when the sockets cannot be used.
pub fn run(shard: Shard, setup: Setup) -> io::Result<(Shard, Losses)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let world = local.block_on(&runtime, drive(shard, setup))?;
    drop(local);
    let world = Rc::into_inner(world).ok_or_else(|| io::Error::other("a task outlived its run"))?;
    let World { shard, wire, .. } = world.into_inner();
    let mut losses = wire.losses;
    if let Some(held) = &wire.held {
        (losses.links, losses.late) = (held.told(), held.late());
    }
    Ok((shard, losses))
}

async fn drive(mut shard: Shard, setup: Setup) -> io::Result<Rc<RefCell<World>>> {
    shard.join(Arc::clone(&setup.meeting));
    let end = Moment::ZERO + setup.deadline;
    let stop = Arc::clone(&setup.stop);
    let (world, wake) = start(shard, setup)?;
    loop {
        let now = {
            let mut world = world.borrow_mut();
            world.release();
            let World {
                shard,
                wire,
                asleep_until,
            } = &mut *world;
            let now = wire.now();
            shard.tick(now, TICKS, wire);
            while let Some(batch) = shard.due_step(now) {
                wire.order(batch);
            }
            if shard.is_over() || now >= end || stop.load(Ordering::Relaxed) {
                wire.drain();
                break;
            }
            let due = shard.deadline().into_iter().chain(wire.deadline()).min();
            *asleep_until = due.unwrap_or(end).min(now + NAP);
            now
        };
        let until = world.borrow().asleep_until;
        if until <= now {
            yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(until.since(now)) => {}
            () = wake.notified() => {}
        }
    }
    Ok(world)
}

/// Puts the world together and starts the tasks that read its sockets.
fn start(shard: Shard, setup: Setup) -> io::Result<(Rc<RefCell<World>>, Rc<Notify>)> {
    let sockets = setup.sockets;
    let transfers = sockets
        .transfers
        .into_iter()
        .map(|socket| SharedSocket::new(socket).map(Rc::new));
    let wake = Rc::new(Notify::new());
    let wire = Wire {
        this: Weak::new(),
        subject: setup.subject,
        ground: setup.ground,
        began: setup.began,
        trust: setup.trust,
        dhcp: Rc::new(SharedSocket::new(sockets.dhcp)?),
        pnp: Rc::new(SharedSocket::new(sockets.pnp)?),
        sip: setup.sip.socket,
        transfers: transfers.collect::<io::Result<_>>()?,
        last_fresh: vec![0; shard.len()],
        connections: FxHashMap::default(),
        permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        lines: Arc::new(Semaphore::new(LINES_MAX)),
        relayed: Vec::new(),
        wake: Rc::clone(&wake),
        courier: setup.courier,
        asking: None,
        requests: 0,
        held: lines(&shard).map(|lines| Box::new(UnderWay::new(lines))),
        losses: Losses::default(),
    };
    let mut readers = vec![
        (Port::Dhcp, Rc::clone(&wire.dhcp)),
        (Port::Pnp, Rc::clone(&wire.pnp)),
    ];
    let transfers = wire.transfers.iter().enumerate();
    readers.extend(transfers.map(|(index, socket)| (Port::Transfer(index), Rc::clone(socket))));
    let world = World {
        shard,
        wire,
        asleep_until: Moment::ZERO,
    };
    let world = Rc::new(RefCell::new(world));
    world.borrow_mut().wire.this = Rc::downgrade(&world);
    for (port, socket) in readers {
        spawn_local(read(Rc::downgrade(&world), port, socket));
    }
    spawn_local(hear(Rc::downgrade(&world), setup.sip.arrivals));
    spawn_local(attend(Rc::downgrade(&world), setup.door.knocks));
    if let Some(leases) = setup.leases {
        spawn_local(lease(Rc::downgrade(&world), leases));
    }
    Ok((world, wake))
}

/// Which of a shard's sockets something arrived on.
#[derive(Debug, Clone, Copy)]
enum Port {
    Dhcp,
    Pnp,
    Sip,
    Transfer(usize),
}

/// Reads one socket for as long as the world is there.
async fn read(world: Weak<RefCell<World>>, port: Port, socket: Rc<SharedSocket>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut dropped = 0;
    loop {
        let taken = socket.receive(&mut buffer, BATCH, |received, bytes| {
            let Some(world) = world.upgrade() else { return };
            let mut world = world.borrow_mut();
            world.wire.losses.dropped += u64::from(received.dropped.wrapping_sub(dropped));
            dropped = received.dropped;
            world.arrived(port, received, bytes);
        });
        // An error of one socket (memory) concerns one packet; the phones' own timers go on.
        if taken.await.is_err() {
            tokio::time::sleep(NAP).await;
        }
        yield_now().await;
    }
}

/// Takes what arrives at the run's SIP port.
async fn hear(world: Weak<RefCell<World>>, mut arrivals: mpsc::Receiver<(Received, Vec<u8>)>) {
    while let Some((received, mut bytes)) = arrivals.recv().await {
        let Some(world) = world.upgrade() else { return };
        world.borrow_mut().arrived(Port::Sip, received, &mut bytes);
    }
}

/// Takes what the ground tells of leases.
async fn lease(world: Weak<RefCell<World>>, mut arrivals: mpsc::Receiver<Arrival>) {
    while let Some(arrival) = arrivals.recv().await {
        let Some(world) = world.upgrade() else { return };
        let mut world = world.borrow_mut();
        match arrival {
            Arrival::Message(received, mut bytes) => {
                // Every shard is told of every phone's: that it is none of ours means nothing.
                if dhcp::chaddr_of(&bytes).is_some_and(|mac| world.shard.with_mac(mac).is_some()) {
                    world.arrived(Port::Dhcp, received, &mut bytes);
                }
            }
            Arrival::Taken(mac, address) => {
                if let Some(slot) = world.shard.with_mac(mac) {
                    world.step(slot, Input::AddressTaken(address));
                }
            }
        }
    }
}

/// Takes what arrives at the run's port for connection requests.
async fn attend(world: Weak<RefCell<World>>, mut knocks: mpsc::Receiver<Knock>) {
    while let Some(knock) = knocks.recv().await {
        let Some(world) = world.upgrade() else { return };
        world.borrow_mut().knocked(knock);
    }
}

impl World {
    /// Takes a connection request for a phone, if that is one of this shard's.
    fn knocked(&mut self, knock: Knock) {
        let Some(slot) = self.shard.with_address(knock.to) else {
            return;
        };
        let now = self.wire.now();
        match &mut self.wire.held {
            Some(held) => held.knock(now, slot, knock),
            None => self.asked(knock),
        }
        self.wake();
    }

    /// Hands a connection request to its phone.
    fn asked(&mut self, knock: Knock) {
        let Some(slot) = self.shard.with_address(knock.to) else {
            return;
        };
        self.wire.requests = self.wire.requests.wrapping_add(1);
        let request = Request(self.wire.requests);
        self.wire.asking = Some((request, knock.answer));
        self.step(
            slot,
            Input::Request {
                request,
                from: self.wire.subject.seen(knock.from),
                bytes: &knock.bytes,
            },
        );
        // A phone answers within the step or not at all.
        self.wire.asking = None;
    }

    fn arrived(&mut self, port: Port, received: Received, bytes: &mut [u8]) {
        let slot = match port {
            Port::Dhcp => dhcp::chaddr_of(bytes).and_then(|mac| self.shard.with_mac(mac)),
            _ => self.shard.with_address(received.to),
        };
        let Some(slot) = slot else {
            self.wire.losses.strays += u64::from(matches!(port, Port::Dhcp));
            return;
        };
        let channel = match port {
            Port::Dhcp => Channel::Dhcp,
            Port::Pnp => Channel::Pnp,
            Port::Sip => Channel::Sip,
            Port::Transfer(index) => Channel::Fresh(self.wire.fresh_on(slot, index)),
        };
        let from = self.wire.subject.seen(received.from);
        let now = self.wire.now();
        if let Some(held) = &mut self.wire.held {
            held.down(now, (slot, channel), from, bytes);
            return self.wake();
        }
        self.step(
            slot,
            Input::Datagram {
                channel,
                from,
                bytes,
            },
        );
    }

    /// Lets go what has crossed its link, at most `BATCH` of it.
    fn release(&mut self) {
        let now = self.wire.now();
        for _ in 0..BATCH {
            let held = self.wire.held.as_mut();
            match held.and_then(|held| held.take_due(now)) {
                Some(Cargo::Up { from, to, bytes }) => {
                    self.wire.transmit(from, to, &bytes);
                    self.wire.give_back(bytes);
                }
                Some(Cargo::Down {
                    slot,
                    channel,
                    from,
                    bytes,
                }) => {
                    let input = Input::Datagram {
                        channel,
                        from,
                        bytes: &bytes,
                    };
                    self.shard.step(now, slot, input, &mut self.wire);
                    self.wire.give_back(bytes);
                }
                Some(Cargo::Knock(knock)) => self.asked(knock),
                None => return,
            }
        }
    }

    fn step(&mut self, slot: u32, input: Input<'_>) {
        let now = self.wire.now();
        self.shard.step(now, slot, input, &mut self.wire);
        self.wake();
    }

    /// Wakes the main loop where something is due before it would wake by itself.
    fn wake(&self) {
        let due = self
            .shard
            .deadline()
            .into_iter()
            .chain(self.wire.deadline());
        let sooner = due.min().is_some_and(|at| at < self.asleep_until);
        if sooner || self.shard.is_over() {
            self.wire.wake.notify_one();
        }
    }

    fn told(&mut self, end: End, told: Told<'_>) {
        if !self.wire.connections.contains_key(&end) {
            return;
        }
        let connection = end.connection;
        let input = match told {
            Told::Opened => Input::Opened(connection),
            Told::Bytes(bytes) => Input::Bytes(connection, bytes),
            Told::Closed => Input::Closed(connection),
            Told::Failed(fault) => Input::Failed(connection, fault),
        };
        if matches!(told, Told::Closed | Told::Failed(_)) {
            self.wire.connections.remove(&end);
        }
        self.step(end.slot, input);
    }
}

impl Wire {
    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    /// Which of the shared sockets stands for a phone's fresh port: neighbours in number are
    /// different sockets, so each file has another port than the one before (WIRE-07).
    fn socket_of(&self, slot: u32, fresh: u16) -> usize {
        (slot as usize + usize::from(fresh)) % self.transfers.len().max(1)
    }

    /// The latest fresh port of a phone that stands for socket `index`.
    fn fresh_on(&self, slot: u32, index: usize) -> u16 {
        let last = self.last_fresh.get(slot as usize).copied().unwrap_or(0);
        let count = self.transfers.len().max(1);
        let back = (self.socket_of(slot, last) + count - index) % count;
        let back = u16::try_from(back).unwrap_or(0) % FRESH_CHANNELS;
        (last + FRESH_CHANNELS - back) % FRESH_CHANNELS
    }

    /// Makes a connection known, until its task tells its end or the phone closes it.
    fn begun(&mut self, end: End) -> (mpsc::Receiver<Vec<u8>>, impl Fn(Told<'_>) + use<>) {
        let (writes, commands) = mpsc::channel(WRITES_MAX);
        self.connections.insert(end, writes);
        let this = Weak::clone(&self.this);
        let tell = move |told: Told<'_>| {
            if let Some(world) = this.upgrade() {
                world.borrow_mut().told(end, told);
            }
        };
        (commands, tell)
    }

    /// TLS as a phone does it.
    fn secure(&self, tls: Tls<'_>) -> Result<Secure, CertificateFault> {
        Ok(Secure {
            client: self
                .trust
                .client_offering(tls.version, tls.verify, tls.certificate)?,
            name: tls.name.to_owned(),
            trust: Arc::clone(&self.trust),
        })
    }

    /// Has check-sync sent.
    fn order(&mut self, batch: Arc<Batch>) {
        let carried = self
            .courier
            .as_ref()
            .is_some_and(|courier| courier.order(Arc::clone(&batch)));
        if !carried {
            batch.drop_all();
        }
    }

    /// When something has crossed a link.
    fn deadline(&self) -> Option<Moment> {
        self.held.as_ref().and_then(|held| held.deadline())
    }

    /// Sends off what phones sent before the end and is still under way, so that no server waits
    /// for the last word of a transfer.
    fn drain(&mut self) {
        for (from, to, bytes) in self
            .held
            .as_mut()
            .map(|held| held.drain())
            .unwrap_or_default()
        {
            self.transmit(from, to, &bytes);
        }
    }

    fn give_back(&mut self, bytes: Vec<u8>) {
        if let Some(held) = &mut self.held {
            held.give_back(bytes);
        }
    }

    /// The fate of a phone's next connection.
    fn flow(&mut self, slot: u32) -> Option<Box<Flow>> {
        let flow = self.held.as_mut().and_then(|held| held.flow(slot));
        flow.map(Box::new)
    }
}
