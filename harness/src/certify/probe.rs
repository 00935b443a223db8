//! Clients that stand in for phones: they do as the steps of a case say, so that a server meets
//! what phones' own state machines never do on purpose. Like a phone, a stand-in is plain data:
//! inputs in, effects out, so that it runs on every attachment; whatever it sends and receives is
//! recorded as a phone's traffic is.
//!
//! | module | owns |
//! |---|---|
//! | `tftp` | read requests, with losses, repetitions and strays |
//! | `http` | requests of any method, validators, credentials |
//! | `dhcp` | single messages and leases |
//! | `pnp`, `sip` | SUBSCRIBE and REGISTER |
//! | `plain` | SNTP, multicast DNS, FTP, bare TCP |
//! | `compare` | what came against the file that is served |

mod compare;
mod dhcp;
mod http;
mod plain;
mod pnp;
mod sip;
mod tftp;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::limits::FRESH_CHANNELS;
use bootstorm_emulator::phone::io::{Channel, Connection, Effect, Input, Outputs};
use bootstorm_emulator::profile::template::Template;
use bootstorm_emulator::rng::Rng;
use bootstorm_emulator::shelf::Ports;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::transfer::http::auth::Grant;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use bootstorm_scenarios::suite::probe::{Ask, ProbeStep, TlsVersion};

use crate::attach::port::port_of;
use crate::fleet::shard::Tls;
use crate::reference::content::Source;
use compare::Compare;

/// Mixed into the run's seed, so that stand-ins choose other numbers than phones.
const SEED: u64 = 0x7072_6f62_6573;
/// Findings kept of one client; more say nothing new.
const FINDINGS_MAX: usize = 16;

/// What stands in for the phones of a plan.
#[derive(Debug, Clone)]
pub struct Orders {
    /// What each client does.
    pub steps: Arc<[ProbeStep]>,
    /// The files that the server is to serve, where they are known.
    pub files: Option<Source>,
    /// The address of the first client; the others follow it.
    pub first_address: Ipv4Addr,
}

/// Something that a client found out and that its packets alone do not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// When.
    pub at: Moment,
    /// In which step, from 0.
    pub step: usize,
    /// What it means.
    pub weight: Weight,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub actual: String,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The server does not offer what the step is about.
    Lacking,
    /// The server contradicts what was expected.
    Wrong,
}

/// The clients of one shard.
#[derive(Debug)]
pub struct StandIns {
    orders: Orders,
    clients: Vec<Client>,
}

/// How a client wants TLS on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TlsWish {
    version: TlsVersion,
    verify: bool,
}

#[derive(Debug)]
struct Client {
    me: Me,
    kept: Kept,
    /// The step that is done or comes next, and how often it was done.
    step: usize,
    done: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Without power.
    Off,
    /// Before a step.
    Waiting(Moment),
    /// In a step, until it is given up.
    Asking(Box<Talk>, Moment),
    /// After a step.
    Listening(Moment),
    Over,
}

/// One step under way.
#[derive(Debug)]
enum Talk {
    Tftp(Box<tftp::Reading>),
    Http(Box<http::Requests>),
    Dhcp(dhcp::Asking),
    Pnp(pnp::Subscribing),
    Sip(sip::Registering),
    Plain(plain::Plain),
}

/// Whether a step goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    More,
    Done,
}

/// Who a client is.
#[derive(Debug)]
struct Me {
    plan: Arc<Plan>,
    planned: PhonePlan,
    address: Ipv4Addr,
    ports: Ports,
    files: Option<Source>,
}

/// What a client remembers from step to step.
#[derive(Debug)]
struct Kept {
    rng: Rng,
    fresh: u16,
    /// The port of the last TFTP read.
    port: Option<Channel>,
    next_connection: u16,
    /// How each connection that was asked for wants TLS.
    tls: BTreeMap<u16, TlsWish>,
    line: Option<http::Line>,
    /// ETag and Last-Modified by target.
    validators: BTreeMap<String, http::Validators>,
    grant: Option<Grant>,
    lease: Option<dhcp::Lease>,
    step: usize,
    findings: Vec<Finding>,
}

/// What a step works with.
struct Turn<'a> {
    now: Moment,
    me: &'a Me,
    kept: &'a mut Kept,
    out: &'a mut Outputs,
}

impl StandIns {
    /// Clients for these phones of a plan, all without power.
    #[must_use]
    pub fn new(orders: Orders, plan: &Arc<Plan>, planned: &[PhonePlan], ports: Ports) -> Self {
        let clients = planned.iter().map(|planned| {
            let index = planned.identity.index;
            let first = u32::from(orders.first_address);
            let me = Me {
                plan: Arc::clone(plan),
                planned: *planned,
                address: Ipv4Addr::from(first.wrapping_add(index)),
                ports,
                files: orders.files.clone(),
            };
            Client {
                me,
                kept: Kept::new(plan.scenario.seed, index),
                step: 0,
                done: 0,
                state: State::Off,
            }
        });
        let clients = clients.collect();
        Self { orders, clients }
    }

    /// Hands one input to the client in a slot.
    pub(crate) fn step(&mut self, now: Moment, slot: u32, input: Input<'_>, out: &mut Outputs) {
        if let Some(client) = self.clients.get_mut(slot as usize) {
            client.take(now, &self.orders.steps, &input, out);
        }
    }

    /// When the client in a slot wants `Input::Tick`.
    pub(crate) fn deadline(&self, slot: usize) -> Option<Moment> {
        self.clients.get(slot)?.deadline()
    }

    /// True when every client has done its steps.
    pub(crate) fn are_over(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.all(|client| matches!(client.state, State::Over))
    }

    /// How the client in a slot wants TLS on a connection.
    pub(crate) fn tls<'a>(&self, slot: usize, connection: Connection, name: &'a str) -> Tls<'a> {
        let client = self.clients.get(slot);
        let wish = client.and_then(|client| client.kept.tls.get(&connection.0));
        Tls {
            name,
            verify: wish.is_some_and(|wish| wish.verify),
            certificate: None,
            version: wish.map_or(TlsVersion::Any, |wish| wish.version),
        }
    }

    /// What the clients found, by slot. A client that did not come to its end says so.
    #[must_use]
    pub fn into_findings(self) -> Vec<Vec<Finding>> {
        let clients = self.clients.into_iter();
        clients.map(|client| client.kept.findings).collect()
    }
}

impl Client {
    fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Off | State::Over => None,
            State::Waiting(at) | State::Listening(at) => Some(*at),
            State::Asking(talk, until) => Some(talk.deadline().map_or(*until, |at| at.min(*until))),
        }
    }

    fn take(&mut self, now: Moment, steps: &[ProbeStep], input: &Input<'_>, out: &mut Outputs) {
        if let (State::Off, Input::Power) = (&self.state, input) {
            out.effects.push(Effect::Address(Some(self.me.address)));
            return self.next(now, steps, out);
        }
        match &mut self.state {
            State::Off | State::Over => {}
            State::Waiting(at) if *at <= now => self.begin(now, steps, out),
            State::Listening(at) if *at <= now => self.next(now, steps, out),
            State::Waiting(_) | State::Listening(_) => http::note(&mut self.kept, input),
            State::Asking(talk, until) => {
                let over = now >= *until;
                if !matches!(**talk, Talk::Http(_)) {
                    http::note(&mut self.kept, input);
                }
                let mut turn = Turn {
                    now,
                    me: &self.me,
                    kept: &mut self.kept,
                    out,
                };
                let mut flow = talk.take(&mut turn, input);
                if over && flow == Flow::More {
                    talk.give_up(&mut turn);
                    flow = Flow::Done;
                }
                if flow == Flow::Done {
                    self.ended(now, steps);
                }
            }
        }
    }

    /// The step that comes next, if there is one.
    fn next(&mut self, now: Moment, steps: &[ProbeStep], out: &mut Outputs) {
        let Some(step) = steps.get(self.step) else {
            self.state = State::Over;
            http::hang_up(&mut self.kept, out);
            return;
        };
        self.state = State::Waiting(now + step.wait);
        if step.wait.is_zero() {
            self.begin(now, steps, out);
        }
    }

    fn begin(&mut self, now: Moment, steps: &[ProbeStep], out: &mut Outputs) {
        let Some(step) = steps.get(self.step) else {
            return;
        };
        self.kept.step = self.step;
        let mut turn = Turn {
            now,
            me: &self.me,
            kept: &mut self.kept,
            out,
        };
        match Talk::begin(&mut turn, step) {
            Some((talk, Flow::More)) => {
                self.state = State::Asking(Box::new(talk), now + step.timeout);
            }
            Some((_, Flow::Done)) | None => self.ended(now, steps),
        }
    }

    /// A step has come to its end: it is listened to what comes after, then the next one's turn.
    fn ended(&mut self, now: Moment, steps: &[ProbeStep]) {
        let Some(step) = steps.get(self.step) else {
            return;
        };
        self.done += 1;
        if self.done >= step.times {
            self.done = 0;
            self.step += 1;
        }
        // The next one begins with a tick, so that steps without waits do not call each other.
        self.state = State::Listening(now + step.listen);
    }
}

impl Talk {
    fn begin(turn: &mut Turn<'_>, step: &ProbeStep) -> Option<(Self, Flow)> {
        let same_as = step.same_as.as_ref();
        Some(match &step.ask {
            Ask::Tftp(spec) => {
                let talk = tftp::Reading::begin(turn, spec, same_as);
                (Self::Tftp(Box::new(talk)), Flow::More)
            }
            Ask::Http(spec) => {
                let (talk, flow) = http::Requests::begin(turn, spec, same_as);
                (Self::Http(Box::new(talk)), flow)
            }
            Ask::Dhcp(spec) => {
                let (talk, flow) = dhcp::Asking::begin(turn, spec);
                (Self::Dhcp(talk), flow)
            }
            Ask::Pnp(spec) => (Self::Pnp(pnp::Subscribing::begin(turn, spec)), Flow::More),
            Ask::Sip(spec) => (Self::Sip(sip::Registering::begin(turn, spec)), Flow::More),
            Ask::Sntp(spec) => (Self::Plain(plain::sntp(turn, spec)), Flow::More),
            Ask::Mdns(spec) => (Self::Plain(plain::mdns(turn, spec)), Flow::More),
            Ask::Ftp(spec) => (Self::Plain(plain::ftp(turn, spec, same_as)), Flow::More),
            Ask::Tcp(spec) => (Self::Plain(plain::tcp(turn, spec)), Flow::More),
            Ask::Nothing => return None,
        })
    }

    fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Tftp(talk) => talk.deadline(),
            Self::Pnp(talk) => talk.deadline(),
            Self::Http(_) | Self::Dhcp(_) | Self::Sip(_) | Self::Plain(_) => None,
        }
    }

    fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        match self {
            Self::Tftp(talk) => talk.take(turn, input),
            Self::Http(talk) => talk.take(turn, input),
            Self::Dhcp(talk) => talk.take(turn, input),
            Self::Pnp(talk) => talk.take(turn, input),
            Self::Sip(talk) => talk.take(turn, input),
            Self::Plain(talk) => talk.take(turn, input),
        }
    }

    /// The step's time is over.
    fn give_up(&mut self, turn: &mut Turn<'_>) {
        match self {
            Self::Tftp(talk) => talk.give_up(turn),
            Self::Http(talk) => talk.give_up(turn),
            Self::Plain(talk) => talk.give_up(turn),
            Self::Dhcp(_) | Self::Pnp(_) | Self::Sip(_) => {}
        }
    }
}

impl Me {
    fn text(&self, template: &Template) -> String {
        self.plan.filled(&self.planned, template)
    }

    /// A name below the fleet's root, with a leading slash where it has one.
    fn path(&self, template: &Template, raw: bool) -> String {
        let name = self.text(template);
        let fleet = self.plan.fleet(&self.planned);
        let root = fleet.map_or("", |fleet| fleet.root.as_str());
        if raw || root.is_empty() {
            return name;
        }
        match name.strip_prefix('/') {
            Some(name) => format!("/{root}/{name}"),
            None => format!("{root}/{name}"),
        }
    }

    /// What is to come, where the served tree is known.
    fn compare(&self, same_as: Option<&Template>, netascii: bool) -> Compare {
        let Some((name, files)) = same_as.zip(self.files.as_ref()) else {
            return Compare::nothing();
        };
        let path = self.path(name, false);
        Compare::with(&path, files.find(path.as_bytes()).ok(), netascii)
    }

    /// A port of the server.
    fn server(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.plan.server, port)
    }
}

impl Kept {
    fn new(seed: u64, index: u32) -> Self {
        Self {
            rng: Rng::for_phone(seed ^ SEED, index),
            fresh: 0,
            port: None,
            next_connection: 0,
            tls: BTreeMap::new(),
            line: None,
            validators: BTreeMap::new(),
            grant: None,
            lease: None,
            step: 0,
            findings: Vec::new(),
        }
    }

    /// A port that was not used yet.
    fn fresh(&mut self) -> Channel {
        let number = self.fresh;
        self.fresh = (self.fresh + 1) % FRESH_CHANNELS;
        Channel::Fresh(number)
    }

    /// A connection that was not used yet.
    fn connection(&mut self) -> Connection {
        let number = self.next_connection;
        self.next_connection = self.next_connection.wrapping_add(1);
        Connection(number)
    }
}

impl Turn<'_> {
    fn find(&mut self, weight: Weight, expected: String, actual: String) {
        if self.kept.findings.len() < FINDINGS_MAX {
            self.kept.findings.push(Finding {
                at: self.now,
                step: self.kept.step,
                weight,
                expected,
                actual,
            });
        }
    }

    /// The port number of a channel.
    fn port(&self, channel: Channel) -> u16 {
        port_of(channel, self.me.ports)
    }

    /// Closes the comparison of what came.
    fn compared(&mut self, compare: &mut Compare) {
        if let Some((expected, actual)) = compare.end() {
            self.find(Weight::Wrong, expected, actual);
        }
    }

    /// Asks for a connection.
    fn open(&mut self, to: SocketAddrV4, tls: Option<(TlsWish, &str)>) -> Connection {
        let connection = self.kept.connection();
        let name = tls.map(|(wish, name)| {
            self.kept.tls.insert(connection.0, wish);
            let start = self.out.bytes.len();
            self.out.bytes.extend_from_slice(name.as_bytes());
            start..self.out.bytes.len()
        });
        self.out.effects.push(Effect::Open {
            connection,
            to,
            tls: name,
        });
        connection
    }
}

#[cfg(test)]
mod tests;
