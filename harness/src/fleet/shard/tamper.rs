//! Mutants of the phone at work: between the phones of a shard and what records and carries their
//! messages. What is recorded is what goes over the wire.

mod framing;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::phone::io::{Channel, Connection, Effect, FtpMode, Input};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::matcher::Fill;
use bootstorm_scenarios::mutant::{Copied, Engine, Envelope, Mutant, Protocol, Side, Treated};
use bootstorm_scenarios::wire::Way;
use rustc_hash::FxHashMap;

use super::{Network, Shard};
use crate::attach::port::port_of;
use crate::waiting::Waiting;
use framing::complete;

/// Things that wait for their time; more are lost.
const LATE_MAX: usize = 1 << 16;
/// Bytes held of a message that is not complete; what is longer passes in pieces as it comes.
const HELD_BYTES_MAX: usize = 16 << 20;
/// Requests remembered for what answers them; with more of them all are forgotten.
const ASKED_MAX: usize = 1 << 16;

/// What the mutants of a shard's phones need to know.
#[derive(Debug)]
pub(super) struct Tamper {
    engine: Engine,
    server: String,
    streams: FxHashMap<(u32, Connection), Stream>,
    /// The RRQ that each port of a phone sent.
    asked: FxHashMap<(u32, Channel), Vec<u8>>,
    /// What waits for its time, and at which phone.
    late: Waiting<(u32, What)>,
}

/// A phone's connection.
#[derive(Debug)]
struct Stream {
    peer: SocketAddrV4,
    tls: bool,
    /// The request that was sent last.
    asked: Vec<u8>,
    /// What came of a message that is not complete.
    held: Vec<u8>,
    /// A message was too long to be held; the rest of the connection passes as it is.
    passing: bool,
}

/// Something that waits for its time.
#[derive(Debug)]
enum What {
    Send(Channel, SocketAddrV4, Vec<u8>),
    Write(Connection, Vec<u8>),
    Datagram(Channel, SocketAddrV4, Vec<u8>),
    Bytes(Connection, Vec<u8>),
    Closed(Connection),
}

impl Tamper {
    /// When the next thing that waits is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.late.deadline()
    }

    fn keep(&mut self, at: Moment, slot: u32, what: What) {
        if self.late.len() < LATE_MAX {
            self.late.put(at, (slot, what));
        }
    }

    fn due(&mut self, now: Moment) -> Option<(u32, What)> {
        self.late.take_due(now).map(|(_, late)| late)
    }

    fn remember(&mut self, slot: u32, channel: Channel, bytes: &[u8]) {
        if self.asked.len() >= ASKED_MAX {
            self.asked.clear();
        }
        self.asked.insert((slot, channel), bytes.to_vec());
    }
}

/// One phone's message on its way.
struct Passing<'a> {
    way: Way,
    protocol: Protocol,
    slot: u32,
    peer: SocketAddrV4,
    port: u16,
    /// On a connection: whether it is TLS.
    stream: Option<bool>,
    before: &'a [u8],
    bytes: &'a [u8],
}

impl Shard {
    /// Has mutants change what the phones send and get from now on.
    pub fn go_wrong(&mut self, mutants: &[Arc<Mutant>]) {
        let engine = Engine::new(Side::Phone, mutants);
        self.tamper = engine.map(|engine| {
            Box::new(Tamper {
                engine,
                server: self.plan.server.to_string(),
                streams: FxHashMap::default(),
                asked: FxHashMap::default(),
                late: Waiting::default(),
            })
        });
    }

    /// What happens in the place of one thing that a phone asks for.
    pub(super) fn tampered(&mut self, now: Moment, slot: u32, effect: &Effect) -> Vec<Effect> {
        let Some(mut tamper) = self.tamper.take() else {
            return vec![effect.clone()];
        };
        let instead = self.instead(&mut tamper, now, slot, effect);
        self.tamper = Some(tamper);
        instead.unwrap_or_else(|| vec![effect.clone()])
    }

    fn instead(
        &mut self,
        tamper: &mut Tamper,
        now: Moment,
        slot: u32,
        effect: &Effect,
    ) -> Option<Vec<Effect>> {
        match effect {
            Effect::Send { channel, to, bytes } => {
                self.sent(tamper, now, (slot, *channel), *to, bytes)
            }
            Effect::Open {
                connection,
                to,
                tls,
            } => {
                let stream = Stream::to(*to, tls.is_some());
                tamper.streams.insert((slot, *connection), stream);
                None
            }
            Effect::Close(connection) => {
                tamper.streams.remove(&(slot, *connection));
                None
            }
            Effect::Write { connection, bytes } => {
                self.written(tamper, now, (slot, *connection), bytes)
            }
            Effect::Retrieve { connection, .. } => {
                self.retrieval(tamper, slot, *connection, effect)
            }
            Effect::Reply { .. } | Effect::Address(_) => None,
        }
    }

    fn sent(
        &mut self,
        tamper: &mut Tamper,
        now: Moment,
        (slot, channel): (u32, Channel),
        to: SocketAddrV4,
        bytes: &Range<usize>,
    ) -> Option<Vec<Effect>> {
        let bytes = self.out.slice(bytes);
        let protocol = protocol_of(channel, to);
        if protocol == Protocol::Tftp && to.port() == port::TFTP {
            tamper.remember(slot, channel, bytes);
        }
        let passing = Passing {
            way: Way::Sent,
            protocol,
            slot,
            peer: to,
            port: port_of(channel, self.shelf.ports),
            stream: None,
            before: b"",
            bytes,
        };
        let (list, _) = self.treat(&mut tamper.engine, &tamper.server, passing)?;
        let mut effects = Vec::new();
        for Copied { after, bytes, .. } in list {
            if after.is_zero() {
                effects.push(Effect::Send {
                    channel,
                    to,
                    bytes: self.stored(&bytes),
                });
            } else {
                tamper.keep(now + after, slot, What::Send(channel, to, bytes));
            }
        }
        Some(effects)
    }

    fn written(
        &mut self,
        tamper: &mut Tamper,
        now: Moment,
        key: (u32, Connection),
        bytes: &Range<usize>,
    ) -> Option<Vec<Effect>> {
        let (slot, connection) = key;
        let stream = tamper.streams.get_mut(&key)?;
        let bytes = self.out.slice(bytes);
        let protocol = stream.protocol();
        let passing = stream.passing(Way::Sent, protocol, key, b"", bytes);
        let treated = self.treat(&mut tamper.engine, &tamper.server, passing);
        stream.asked.clear();
        stream.asked.extend_from_slice(bytes);
        let (list, close) = treated?;
        let mut effects = Vec::new();
        for Copied { after, bytes, .. } in list {
            if after.is_zero() {
                effects.push(Effect::Write {
                    connection,
                    bytes: self.stored(&bytes),
                });
            } else {
                tamper.keep(now + after, slot, What::Write(connection, bytes));
            }
        }
        if close {
            effects.push(Effect::Close(connection));
            tamper.keep(now, slot, What::Closed(connection));
        }
        Some(effects)
    }

    fn retrieval(
        &mut self,
        tamper: &mut Tamper,
        slot: u32,
        connection: Connection,
        effect: &Effect,
    ) -> Option<Vec<Effect>> {
        if !tamper.engine.touches(Protocol::Ftp, Way::Sent) {
            return None;
        }
        let fetch = self.fetch(slot, Ipv4Addr::UNSPECIFIED, effect)?;
        let to = fetch.to;
        let mode = match fetch.mode {
            FtpMode::Active => "active",
            FtpMode::Passive => "passive",
        };
        let mut fields = [
            ("user", fetch.user.to_owned()),
            ("password", fetch.password.to_owned()),
            ("file", fetch.path.to_owned()),
            ("mode", mode.to_owned()),
        ];
        let stream = Stream::to(to, false);
        let key = (slot, connection);
        let passing = stream.passing(Way::Sent, Protocol::Ftp, key, b"", b"");
        let envelope = self.envelope(&passing);
        let plan = Arc::clone(&self.plan);
        let planned = self.planned.get(slot as usize)?;
        let fill = Fill {
            vars: plan.vars(planned),
            server: &tamper.server,
            root: plan.fleet(planned).map_or("", |fleet| &fleet.root),
        };
        if !tamper.engine.retrieve(&envelope, &mut fields, &fill) {
            return Some(Vec::new());
        }
        let [user, password, path, mode] = fields.map(|(_, value)| value);
        Some(vec![Effect::Retrieve {
            connection,
            to,
            mode: match mode.as_str() {
                "active" => FtpMode::Active,
                _ => FtpMode::Passive,
            },
            user: self.stored(user.as_bytes()),
            password: self.stored(password.as_bytes()),
            path: self.stored(path.as_bytes()),
        }])
    }

    /// Puts bytes beside those of the step.
    fn stored(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(bytes);
        start..self.out.bytes.len()
    }

    /// What becomes of a message; `None` = it goes as it is.
    fn treat(
        &self,
        engine: &mut Engine,
        server: &str,
        passing: Passing<'_>,
    ) -> Option<(Vec<Copied>, bool)> {
        if !engine.touches(passing.protocol, passing.way) {
            return None;
        }
        let planned = self.planned.get(passing.slot as usize)?;
        let fill = Fill {
            vars: self.plan.vars(planned),
            server,
            root: self.plan.fleet(planned).map_or("", |fleet| &fleet.root),
        };
        match engine.treat(&self.envelope(&passing), &fill) {
            Treated::Untouched => None,
            Treated::Copies { list, close } => Some((list, close)),
        }
    }

    fn envelope<'a>(&self, passing: &Passing<'a>) -> Envelope<'a> {
        let address = self.addresses.get(passing.slot as usize).copied();
        let address = address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        // A transfer is known by the port that its request went to.
        let peer = match passing.protocol {
            Protocol::Tftp => SocketAddrV4::new(*passing.peer.ip(), port::TFTP),
            _ => passing.peer,
        };
        Envelope {
            protocol: passing.protocol,
            way: passing.way,
            phone: SocketAddrV4::new(address, passing.port),
            peer,
            stream: passing.stream.is_some(),
            tls: passing.stream == Some(true),
            before: passing.before,
            bytes: passing.bytes,
            whom: u64::from(passing.slot),
        }
    }

    /// Hands a phone what mutants make of an input.
    pub(super) fn step_wrong(
        &mut self,
        now: Moment,
        slot: u32,
        input: Input<'_>,
        network: &mut impl Network,
    ) {
        let Some(mut tamper) = self.tamper.take() else {
            return self.take(now, slot, input, network);
        };
        let given = self.given(&mut tamper, now, slot, &input);
        self.tamper = Some(tamper);
        let Some(given) = given else {
            return self.take(now, slot, input, network);
        };
        for what in given {
            self.hand_over(now, slot, &what, network);
        }
        if matches!(input, Input::Closed(_) | Input::Failed(..)) {
            self.take(now, slot, input, network);
        }
    }

    /// What a phone is given in the place of an input; `None` = the input as it is.
    fn given(
        &mut self,
        tamper: &mut Tamper,
        now: Moment,
        slot: u32,
        input: &Input<'_>,
    ) -> Option<Vec<What>> {
        match *input {
            Input::Datagram {
                channel,
                from,
                bytes,
            } => {
                let before = tamper.asked.get(&(slot, channel));
                let passing = Passing {
                    way: Way::Received,
                    protocol: protocol_of(channel, from),
                    slot,
                    peer: from,
                    port: port_of(channel, self.shelf.ports),
                    stream: None,
                    before: before.map(Vec::as_slice).unwrap_or_default(),
                    bytes,
                };
                let (list, _) = self.treat(&mut tamper.engine, &tamper.server, passing)?;
                let mut given = Vec::new();
                for Copied { after, bytes, .. } in list {
                    let what = What::Datagram(channel, from, bytes);
                    match after {
                        Duration::ZERO => given.push(what),
                        after => tamper.keep(now + after, slot, what),
                    }
                }
                Some(given)
            }
            Input::Bytes(connection, bytes) => {
                self.arrived(tamper, now, (slot, connection), Some(bytes))
            }
            Input::Closed(connection) | Input::Failed(connection, _) => {
                let left = self.arrived(tamper, now, (slot, connection), None);
                tamper.streams.remove(&(slot, connection));
                left
            }
            _ => None,
        }
    }

    /// Puts together what arrives on a connection; without bytes it is at its end.
    fn arrived(
        &mut self,
        tamper: &mut Tamper,
        now: Moment,
        key: (u32, Connection),
        bytes: Option<&[u8]>,
    ) -> Option<Vec<What>> {
        let (slot, connection) = key;
        let mut stream = tamper.streams.remove(&key)?;
        let protocol = stream.protocol();
        if stream.passing || !tamper.engine.touches(protocol, Way::Received) {
            tamper.streams.insert(key, stream);
            return None;
        }
        stream.held.extend_from_slice(bytes.unwrap_or_default());
        let mut given = Vec::new();
        while !stream.held.is_empty() {
            let length = complete(protocol, &stream.asked, &stream.held);
            let length = match (length, bytes) {
                (Some(length), _) => length,
                (None, None) => stream.held.len(),
                (None, Some(_)) if stream.held.len() <= HELD_BYTES_MAX => break,
                (None, Some(_)) => {
                    stream.passing = true;
                    given.push(What::Bytes(connection, std::mem::take(&mut stream.held)));
                    break;
                }
            };
            let rest = stream.held.split_off(length);
            let message = std::mem::replace(&mut stream.held, rest);
            let passing = stream.passing(Way::Received, protocol, key, &stream.asked, &message);
            match self.treat(&mut tamper.engine, &tamper.server, passing) {
                None => given.push(What::Bytes(connection, message)),
                Some((list, close)) => {
                    for Copied { after, bytes, .. } in list {
                        let what = What::Bytes(connection, bytes);
                        match after {
                            Duration::ZERO => given.push(what),
                            after => tamper.keep(now + after, slot, what),
                        }
                    }
                    if close {
                        given.push(What::Closed(connection));
                    }
                }
            }
        }
        tamper.streams.insert(key, stream);
        Some(given)
    }

    /// Lets go of what has waited for its time.
    pub(super) fn let_go(&mut self, now: Moment, network: &mut impl Network) {
        while let Some((slot, what)) = self.tamper.as_mut().and_then(|tamper| tamper.due(now)) {
            self.hand_over(now, slot, &what, network);
        }
    }

    fn hand_over(&mut self, now: Moment, slot: u32, what: &What, network: &mut impl Network) {
        match what {
            What::Datagram(channel, from, bytes) => {
                let input = Input::Datagram {
                    channel: *channel,
                    from: *from,
                    bytes,
                };
                self.take(now, slot, input, network);
            }
            What::Bytes(connection, bytes) => {
                self.take(now, slot, Input::Bytes(*connection, bytes), network);
            }
            What::Closed(connection) => {
                self.take(now, slot, Input::Closed(*connection), network);
            }
            What::Send(channel, to, bytes) => {
                self.out.clear();
                let effect = Effect::Send {
                    channel: *channel,
                    to: *to,
                    bytes: self.stored(bytes),
                };
                self.perform_one(now, slot, &effect, network);
            }
            What::Write(connection, bytes) => {
                self.out.clear();
                let effect = Effect::Write {
                    connection: *connection,
                    bytes: self.stored(bytes),
                };
                self.perform_one(now, slot, &effect, network);
            }
        }
    }
}

impl Stream {
    fn to(peer: SocketAddrV4, tls: bool) -> Self {
        Self {
            peer,
            tls,
            asked: Vec::new(),
            held: Vec::new(),
            passing: false,
        }
    }

    fn protocol(&self) -> Protocol {
        match self.peer.port() {
            port::SIP => Protocol::Sip,
            _ => Protocol::Http,
        }
    }

    fn passing<'a>(
        &self,
        way: Way,
        protocol: Protocol,
        (slot, connection): (u32, Connection),
        before: &'a [u8],
        bytes: &'a [u8],
    ) -> Passing<'a> {
        Passing {
            way,
            protocol,
            slot,
            peer: self.peer,
            port: connection.0,
            stream: Some(self.tls),
            before,
            bytes,
        }
    }
}

fn protocol_of(channel: Channel, peer: SocketAddrV4) -> Protocol {
    match (channel, peer.port()) {
        (Channel::Dhcp, _) => Protocol::Dhcp,
        (Channel::Sip | Channel::Pnp, _) => Protocol::Sip,
        (Channel::Fresh(_), port::NTP) => Protocol::Ntp,
        (Channel::Fresh(_), port::MDNS) => Protocol::Mdns,
        (Channel::Fresh(_), _) => Protocol::Tftp,
    }
}
