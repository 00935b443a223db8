//! One phone and the reference server on a small network of their own, in virtual time. Every
//! datagram and every write is recorded with its time, so that tests assert on the wire; a filter
//! may lose, change or answer any of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bootstorm::reference::content::{Source, Tree};
use bootstorm::reference::dhcp::{Dhcp, DhcpConfig, Match, OptionValue, Rule};
use bootstorm::reference::http::connection::{After, Connection as ServerConnection};
use bootstorm::reference::http::{Http, HttpConfig};
use bootstorm::reference::pnp::{Phones, Pnp, PnpConfig, PnpRule, PnpUrl};
use bootstorm::reference::registrar::SipConnection;
use bootstorm::reference::tftp::{Tftp, TftpConfig};
use bootstorm::reference::{Endpoint, Reference, ReferenceConfig, Replies};
use bootstorm_emulator::event::{Event, EventKind, Limit};
use bootstorm_emulator::flash::Flash;
use bootstorm_emulator::identity::{Identity, Mac};
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::phone::Phone;
use bootstorm_emulator::phone::io::{
    Channel, Connection, ConnectionFault, Effect, Input, Outputs, WebAction,
};
use bootstorm_emulator::phone::stage::StageName;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_emulator::profile::{Param, Profile};
use bootstorm_emulator::shelf::{Ports, Shelf};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::{dhcp, tftp};

/// The server, unless a test wants that of a trace.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// The phone of the Flyingvoice PnP trace.
pub(crate) const FLYING_MAC: &str = "0021f222b01d";
/// The phone of the Plug-n-Dial page (PND-04).
pub(crate) const PLUG_MAC: &str = "000b820c2371";
/// The phone of the Auerswald DHCP sample (AUE-28).
pub(crate) const AUERSWALD_MAC: &str = "00095200000e";
/// A phone with a prefix of GIG-13's example.
pub(crate) const GIGASET_MAC: &str = "7c2f80123456";
/// The phone of the Fanvil traces (FAN-143).
pub(crate) const FANVIL_MAC: &str = "000307a9b486";
/// The port from which the server answers PnP (FLY-46).
pub(crate) const PNP_PORT: u16 = 7_777;

const FRESH_PORT: u16 = 49_200;
const TRANSFER_PORT: u16 = 20_000;
const WEB_PORTS: [u16; 4] = [80, 443, 8_000, 8_088];
/// Steps that a test may take; more is a loop that does not end.
const STEPS_MAX: u64 = 3_000_000;
/// Steps at one moment; more is a loop in which time stands still.
const STEPS_AT_ONCE_MAX: u32 = 20_000;

/// Which way a packet goes, seen from the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// The phone's end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Udp(Channel),
    Tcp(Connection),
}

/// A datagram, or what was written at once on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// When it left the phone, or reached it.
    pub(crate) at: Moment,
    pub(crate) way: Way,
    pub(crate) lane: Lane,
    /// The other end.
    pub(crate) peer: SocketAddrV4,
    pub(crate) bytes: Vec<u8>,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Fate {
    Pass,
    Lose,
    /// It is not passed on; the phone gets these instead, on the same lane, from these ports.
    Instead(Vec<(u16, Vec<u8>)>),
}

type Filter = Box<dyn FnMut(&Packet) -> Fate>;

pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) phone: Phone,
    pub(crate) shelf: Shelf,
    pub(crate) server: Reference,
    /// Everything since `forget`.
    pub(crate) packets: Vec<Packet>,
    /// Everything since `forget`.
    pub(crate) events: Vec<Event>,
    out: Outputs,
    files: BTreeMap<String, Vec<u8>>,
    options: Vec<OptionValue>,
    pnp: Option<String>,
    tftp: TftpConfig,
    http: HttpConfig,
    address: Ipv4Addr,
    server_address: Ipv4Addr,
    lease: Duration,
    leased: Option<Ipv4Addr>,
    filter: Filter,
    queue: BinaryHeap<Reverse<(Moment, u64)>>,
    flights: BTreeMap<u64, Cargo>,
    launched: u64,
    streams: BTreeMap<Connection, (SocketAddrV4, ServerConnection)>,
    /// Of those, the ones that lead to the registrar.
    lines: BTreeMap<Connection, SipConnection>,
    /// Where the phone's transfers talk to: the answers come from that address.
    talks_to: BTreeMap<u16, Ipv4Addr>,
}

enum Cargo {
    Up(SocketAddrV4, Channel, Vec<u8>),
    Down(Channel, SocketAddrV4, Vec<u8>),
    Opened(Connection),
    Refused(Connection),
    StreamUp(Connection, Vec<u8>),
    StreamDown(Connection, Vec<u8>),
    StreamEnd(Connection),
}

/// The built-in profiles, read once.
pub(crate) fn profiles() -> &'static ProfileSet {
    static PROFILES: LazyLock<ProfileSet> = LazyLock::new(ProfileSet::built_in);
    &PROFILES
}

impl World {
    /// A phone of a profile without power, a server without content, on 10.0.0.0/8.
    pub(crate) fn new(profile: &str) -> Self {
        let address = Ipv4Addr::new(10, 1, 0, 1);
        Self::at(profile, SERVER, address, 1)
    }

    /// The same with the addresses of a trace.
    pub(crate) fn at(profile: &str, server: Ipv4Addr, address: Ipv4Addr, seed: u64) -> Self {
        Self::of(profiles().get(profile).unwrap(), server, address, seed)
    }

    /// The same with a profile that is not built in.
    pub(crate) fn of(held: Arc<Profile>, server: Ipv4Addr, address: Ipv4Addr, seed: u64) -> Self {
        let mac = match held.vendor.as_str() {
            "Auerswald" => AUERSWALD_MAC,
            "Fanvil" => FANVIL_MAC,
            "Flyingvoice" => FLYING_MAC,
            "Gigaset" => GIGASET_MAC,
            _ => PLUG_MAC,
        };
        let mac = Mac::parse(mac).unwrap();
        let mut shelf = Shelf::new(vec![held]);
        shelf.ports = Ports {
            sip: 5_060,
            pnp: 59_495,
            cwmp: 7_547,
        };
        let identity = Identity {
            mac,
            index: 0,
            run_seed: seed,
        };
        let mut world = Self {
            now: Moment::ZERO,
            phone: Phone::new(identity, 0, Flash::default()),
            shelf,
            server: Reference::new(ReferenceConfig::files(Source::tree(Tree::default()))),
            packets: Vec::new(),
            events: Vec::new(),
            out: Outputs::default(),
            files: BTreeMap::new(),
            options: Vec::new(),
            pnp: None,
            tftp: TftpConfig::default(),
            http: HttpConfig::default(),
            address,
            server_address: server,
            lease: Duration::from_secs(86_400),
            leased: None,
            filter: Box::new(|_| Fate::Pass),
            queue: BinaryHeap::new(),
            flights: BTreeMap::new(),
            launched: 0,
            streams: BTreeMap::new(),
            lines: BTreeMap::new(),
            talks_to: BTreeMap::new(),
        };
        world.set_up_dhcp();
        world
    }

    /// The DHCP server gives this text as option `code`.
    pub(crate) fn option(mut self, code: u8, text: &str) -> Self {
        self.give_option(code, text);
        self
    }

    pub(crate) fn give_option(&mut self, code: u8, text: &str) {
        self.options.push(OptionValue::text(code, text));
        self.set_up_dhcp();
    }

    pub(crate) fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self.set_up_dhcp();
        self
    }

    /// The server answers SUBSCRIBEs with this URL (`{mac}` is replaced).
    pub(crate) fn pnp(mut self, url: &str) -> Self {
        self.pnp = Some(url.to_owned());
        let mut config = PnpConfig::new(SocketAddrV4::new(self.server_address, PNP_PORT));
        config.rules.push(PnpRule {
            when: Phones::Any,
            url: PnpUrl::Text(url.to_owned()),
        });
        self.server.pnp = Some(Pnp::new(config, Arc::default()));
        self
    }

    pub(crate) fn tftp(mut self, config: TftpConfig) -> Self {
        self.tftp = config;
        self.set_up_content();
        self
    }

    pub(crate) fn http(mut self, config: HttpConfig) -> Self {
        self.http = config;
        self.set_up_content();
        self
    }

    /// The phone's web page says this.
    pub(crate) fn web(mut self, param: Param, value: &str) -> Self {
        let mut flash = self.phone.flash().clone();
        flash.set_web(param, value);
        self.phone = Phone::new(*self.phone.identity(), 0, flash);
        self
    }

    /// The same phone with somebody at its display.
    pub(crate) fn operator(mut self, operator: Operator) -> Self {
        let flash = self.phone.flash().clone();
        let phone = Phone::new(*self.phone.identity(), 0, flash);
        self.phone = phone.with_operator(Arc::new(operator));
        self
    }

    /// Another phone takes the place of the present one, with this in its flash, and boots.
    pub(crate) fn give_flash(&mut self, flash: Flash) {
        self.phone = Phone::new(*self.phone.identity(), 0, flash);
        self.input(Input::Power);
        self.settle();
    }

    pub(crate) fn file(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.serve(path, bytes);
        self
    }

    pub(crate) fn filter(mut self, filter: impl FnMut(&Packet) -> Fate + 'static) -> Self {
        self.set_filter(filter);
        self
    }

    pub(crate) fn set_filter(&mut self, filter: impl FnMut(&Packet) -> Fate + 'static) {
        self.filter = Box::new(filter);
    }

    /// From now on the server holds this file, with this content.
    pub(crate) fn serve(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.files.insert(path.to_owned(), bytes.as_ref().to_vec());
        self.set_up_content();
    }

    /// From now on the server has no such file.
    pub(crate) fn remove(&mut self, path: &str) {
        assert!(self.files.remove(path).is_some(), "{path} is not served");
        self.set_up_content();
    }

    fn set_up_content(&mut self) {
        let mut tree = Tree::default();
        for (path, bytes) in &self.files {
            tree.insert(path.as_str(), bytes.as_slice()).unwrap();
        }
        let source = Source::tree(tree);
        self.server.tftp = Tftp::new(self.tftp.clone(), source.clone(), Arc::default());
        self.server.http = Http::new(self.http.clone(), source, Arc::default());
    }

    fn set_up_dhcp(&mut self) {
        let mask = Ipv4Addr::new(255, 0, 0, 0);
        let mut config = DhcpConfig::new(self.server_address, self.address, self.address, mask);
        config.lease = self.lease;
        for pool in &mut config.pools {
            pool.routers = vec![self.server_address];
            pool.name_servers = vec![self.server_address];
        }
        if !self.options.is_empty() {
            config.rules.push(Rule {
                when: Match::Any,
                options: self.options.clone(),
            });
        }
        self.server.dhcp = Some(Dhcp::new(config, Arc::default()));
    }

    /// Forgets what was recorded.
    pub(crate) fn forget(&mut self) {
        self.packets.clear();
        self.events.clear();
    }

    // What happens to the phone.

    pub(crate) fn power(mut self) -> Self {
        self.input(Input::Power);
        self
    }

    /// Power off and on again.
    pub(crate) fn power_cycle(&mut self) {
        self.input(Input::PowerCut);
        self.input(Input::Power);
    }

    /// Switches the phone on and lets it come to rest.
    pub(crate) fn boot(mut self) -> Self {
        self.input(Input::Power);
        self.settle();
        self
    }

    /// Power off and on again, until it rests; what was before is forgotten.
    pub(crate) fn reboot(&mut self) {
        self.forget();
        self.power_cycle();
        self.settle();
    }

    pub(crate) fn press(&mut self, action: WebAction<'_>) {
        self.input(Input::Web(action));
    }

    pub(crate) fn set(&mut self, param: Param, value: &str) {
        self.press(WebAction::Set(param, value));
        self.press(WebAction::Save);
    }

    /// A datagram reaches the phone now.
    pub(crate) fn inject(&mut self, channel: Channel, from: SocketAddrV4, bytes: &[u8]) {
        self.received(Lane::Udp(channel), from, bytes);
        self.input(Input::Datagram {
            channel,
            from,
            bytes,
        });
    }

    /// The registrar writes this on the phone's connection.
    pub(crate) fn write_line(&mut self, bytes: &[u8]) {
        let (connection, _) = self.lines.last_key_value().expect("a connection");
        self.launch(Cargo::StreamDown(*connection, bytes.to_vec()));
    }

    /// A SIP NOTIFY from outside a dialog reaches the phone's SIP port now. Equal numbers are
    /// retransmissions.
    pub(crate) fn notify(&mut self, event: &str, number: u32) {
        let from = SocketAddrV4::new(self.server_address, 5_060);
        let to = self.leased.unwrap_or(self.address);
        let text = format!(
            "NOTIFY sip:{to}:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {from};branch=z9hG4bK{number:08x}\r\n\
             From: <sip:admin@{from}>;tag=a{number}\r\n\
             To: <sip:{to}>\r\n\
             Call-ID: {number}@{from}\r\n\
             CSeq: 1 NOTIFY\r\n\
             Max-Forwards: 70\r\n\
             Event: {event}\r\n\
             Subscription-State: terminated\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.inject(Channel::Sip, from, text.as_bytes());
    }

    /// Hands the phone one input and performs what it asks for.
    pub(crate) fn input(&mut self, input: Input<'_>) {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        self.phone.step(self.now, input, &mut self.shelf, &mut out);
        self.events.extend_from_slice(&out.events);
        for effect in &out.effects {
            match effect {
                Effect::Send { channel, to, bytes } => self.sent(*channel, *to, out.slice(bytes)),
                Effect::Open {
                    connection,
                    to,
                    tls,
                } => self.open(*connection, *to, tls.is_some()),
                Effect::Write { connection, bytes } => {
                    self.written(*connection, out.slice(bytes));
                }
                Effect::Close(connection) => {
                    self.streams.remove(connection);
                }
                Effect::Retrieve { .. } | Effect::Reply { .. } => {}
                Effect::Address(address) => self.leased = *address,
            }
        }
        self.out = out;
    }

    // Time.

    /// Runs for this long.
    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run(self.now + time, |_| false);
    }

    pub(crate) fn run_seconds(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    /// Runs until the phone rests, at most two hours.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.wait_for("a phone at rest", |world| world.phone.is_settled());
    }

    /// Runs until `reached`, at most two hours.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let found = self.run(self.now + Duration::from_secs(7_200), &reached);
        assert!(
            found,
            "no {what}; stage {:?}, asked {:#?}, events {:#?}",
            self.phone.stage(),
            self.asked(),
            self.events.iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    /// Runs until the phone is in this stage.
    #[track_caller]
    pub(crate) fn wait_for_stage(&mut self, stage: StageName) {
        self.wait_for("such stage", |world| world.phone.stage() == stage);
    }

    fn run(&mut self, end: Moment, reached: impl Fn(&Self) -> bool) -> bool {
        let mut at_once = 0;
        for _ in 0..STEPS_MAX {
            if reached(self) {
                return true;
            }
            let flight = self.queue.peek().map(|Reverse((at, _))| *at);
            let next = [flight, self.server.deadline(), self.phone.deadline()];
            let next = next.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return false;
            };
            at_once = if next <= self.now { at_once + 1 } else { 0 };
            assert!(at_once < STEPS_AT_ONCE_MAX, "time stands still");
            self.now = self.now.max(next);
            self.advance();
        }
        panic!("a run that does not end: {:#?}", self.asked());
    }

    fn advance(&mut self) {
        if let Some(Reverse((at, number))) = self.queue.peek().copied()
            && at <= self.now
        {
            self.queue.pop();
            let cargo = self.flights.remove(&number).unwrap();
            self.arrive(cargo);
            return;
        }
        if self.server.deadline().is_some_and(|at| at <= self.now) {
            let mut replies = Replies::default();
            self.server.tick(self.now, &mut replies);
            self.answer(&replies);
        }
        if self.phone.deadline().is_some_and(|at| at <= self.now) {
            self.input(Input::Tick);
        }
    }

    // The network: a millisecond each way.

    fn launch(&mut self, cargo: Cargo) {
        self.launched += 1;
        self.flights.insert(self.launched, cargo);
        let at = self.now + Duration::from_millis(1);
        self.queue.push(Reverse((at, self.launched)));
    }

    fn received(&mut self, lane: Lane, peer: SocketAddrV4, bytes: &[u8]) {
        self.packets.push(Packet {
            at: self.now,
            way: Way::Down,
            lane,
            peer,
            bytes: bytes.to_vec(),
        });
    }

    fn judge(&mut self, packet: Packet) -> Fate {
        let fate = (self.filter)(&packet);
        if packet.way == Way::Up {
            self.packets.push(packet);
        }
        fate
    }

    fn sent(&mut self, channel: Channel, to: SocketAddrV4, bytes: &[u8]) {
        let packet = Packet {
            at: self.now,
            way: Way::Up,
            lane: Lane::Udp(channel),
            peer: to,
            bytes: bytes.to_vec(),
        };
        match self.judge(packet) {
            Fate::Pass => self.launch(Cargo::Up(to, channel, bytes.to_vec())),
            Fate::Lose => {}
            Fate::Instead(answers) => {
                for (port, bytes) in answers {
                    let from = SocketAddrV4::new(*to.ip(), port);
                    self.launch(Cargo::Down(channel, from, bytes));
                }
            }
        }
    }

    fn open(&mut self, connection: Connection, to: SocketAddrV4, tls: bool) {
        let served = to.ip().octets()[0] == self.server_address.octets()[0];
        if served && WEB_PORTS.contains(&to.port()) && tls == (to.port() == 443) {
            self.streams
                .insert(connection, (to, ServerConnection::default()));
            self.launch(Cargo::Opened(connection));
        } else if served && to.port() == 5_060 {
            self.streams
                .insert(connection, (to, ServerConnection::default()));
            self.lines.insert(connection, SipConnection::default());
            self.launch(Cargo::Opened(connection));
        } else {
            self.launch(Cargo::Refused(connection));
        }
    }

    fn written(&mut self, connection: Connection, bytes: &[u8]) {
        let Some((to, _)) = self.streams.get(&connection) else {
            return;
        };
        let packet = Packet {
            at: self.now,
            way: Way::Up,
            lane: Lane::Tcp(connection),
            peer: *to,
            bytes: bytes.to_vec(),
        };
        match self.judge(packet) {
            Fate::Pass => self.launch(Cargo::StreamUp(connection, bytes.to_vec())),
            Fate::Lose => {}
            Fate::Instead(answers) => {
                for (_, bytes) in answers {
                    self.launch(Cargo::StreamDown(connection, bytes));
                }
            }
        }
    }

    fn arrive(&mut self, cargo: Cargo) {
        match cargo {
            Cargo::Up(to, channel, bytes) => self.serve_datagram(to, channel, &bytes),
            Cargo::Down(channel, from, bytes) => {
                let packet = Packet {
                    at: self.now,
                    way: Way::Down,
                    lane: Lane::Udp(channel),
                    peer: from,
                    bytes: bytes.clone(),
                };
                match self.judge(packet) {
                    Fate::Pass => self.inject(channel, from, &bytes),
                    Fate::Lose => {}
                    Fate::Instead(others) => {
                        for (port, bytes) in others {
                            self.inject(channel, SocketAddrV4::new(*from.ip(), port), &bytes);
                        }
                    }
                }
            }
            Cargo::Opened(connection) => self.input(Input::Opened(connection)),
            Cargo::Refused(connection) => {
                self.input(Input::Failed(connection, ConnectionFault::Refused));
            }
            Cargo::StreamUp(connection, bytes) => self.serve_stream(connection, &bytes),
            Cargo::StreamDown(connection, bytes) => {
                if let Some((peer, _)) = self.streams.get(&connection) {
                    let peer = *peer;
                    self.received(Lane::Tcp(connection), peer, &bytes);
                    self.input(Input::Bytes(connection, &bytes));
                }
            }
            Cargo::StreamEnd(connection) => {
                if self.streams.remove(&connection).is_some() {
                    self.input(Input::Closed(connection));
                }
            }
        }
    }

    fn serve_stream(&mut self, connection: Connection, bytes: &[u8]) {
        let Some((_, stream)) = self.streams.get_mut(&connection) else {
            return;
        };
        let peer = SocketAddrV4::new(self.address, 40_000 + connection.0 % 10_000);
        let mut answer = Vec::new();
        let line = self.lines.get_mut(&connection);
        let after = match line {
            Some(line) => {
                line.receive(self.now, peer, &mut self.server.lines(), bytes, &mut answer)
            }
            None => stream.receive(self.now, peer, &mut self.server.site(), bytes, &mut answer),
        };
        if !answer.is_empty() {
            self.launch(Cargo::StreamDown(connection, answer));
        }
        if after == After::Close {
            self.launch(Cargo::StreamEnd(connection));
        }
    }

    fn serve_datagram(&mut self, to: SocketAddrV4, channel: Channel, bytes: &[u8]) {
        let endpoint = match to.port() {
            67 => Endpoint::Dhcp,
            69 => Endpoint::Tftp,
            123 => Endpoint::Ntp,
            5_060 => Endpoint::Sip,
            5_353 => Endpoint::Mdns,
            PNP_PORT => Endpoint::Pnp,
            port @ TRANSFER_PORT..=21_000 => Endpoint::Transfer(port - TRANSFER_PORT),
            _ => return,
        };
        let port = self.port_of(channel);
        if to.port() == 69 {
            self.talks_to.insert(port, *to.ip());
        }
        let own = self.leased.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let mut replies = Replies::default();
        let peer = SocketAddrV4::new(own, port);
        self.server
            .datagram(self.now, endpoint, peer, bytes, &mut replies);
        self.answer(&replies);
    }

    fn answer(&mut self, replies: &Replies) {
        for (datagram, bytes) in replies.iter() {
            let here = self.server_address;
            let to = datagram.to.port();
            let (address, port) = match datagram.from {
                Endpoint::Dhcp => (here, 67),
                Endpoint::Tftp => (self.talked_to(to), 69),
                Endpoint::Transfer(number) => (self.talked_to(to), TRANSFER_PORT + number),
                Endpoint::Sip => (here, 5_060),
                Endpoint::Pnp => (here, PNP_PORT),
                Endpoint::Ntp => (here, 123),
                Endpoint::Mdns => (here, 5_353),
            };
            let channel = match datagram.from {
                Endpoint::Dhcp => Channel::Dhcp,
                _ => self.channel_of(to),
            };
            let from = SocketAddrV4::new(address, port);
            self.launch(Cargo::Down(channel, from, bytes.to_vec()));
        }
    }

    fn talked_to(&self, port: u16) -> Ipv4Addr {
        self.talks_to
            .get(&port)
            .copied()
            .unwrap_or(self.server_address)
    }

    fn port_of(&self, channel: Channel) -> u16 {
        match channel {
            Channel::Dhcp => 68,
            Channel::Sip => self.shelf.ports.sip,
            Channel::Pnp => self.shelf.ports.pnp,
            Channel::Fresh(number) => FRESH_PORT + number,
        }
    }

    fn channel_of(&self, port: u16) -> Channel {
        match port {
            68 => Channel::Dhcp,
            5_060 => Channel::Sip,
            port if port == self.port_of(Channel::Pnp) => Channel::Pnp,
            port => Channel::Fresh(port.saturating_sub(FRESH_PORT)),
        }
    }

    // What was seen.

    /// What the phone sent, in order.
    pub(crate) fn up(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter().filter(|packet| packet.way == Way::Up)
    }

    /// What the phone asked for, in order and with every repeat: `DISCOVER`, `REQUEST`, `DECLINE`,
    /// `RELEASE`, `SUBSCRIBE`, `RRQ name`, `GET target`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.up().filter_map(asked).collect()
    }

    /// The files asked for, in order and with every repeat, without the protocol.
    pub(crate) fn files(&self) -> Vec<String> {
        let asked = self.asked().into_iter();
        let files = asked.filter_map(|text| {
            let (verb, name) = text.split_once(' ')?;
            matches!(verb, "RRQ" | "GET").then(|| name.to_owned())
        });
        files.collect()
    }

    /// The read requests.
    pub(crate) fn read_requests(&self) -> Vec<&Packet> {
        self.up()
            .filter(|packet| packet.peer.port() == 69)
            .collect()
    }

    /// When this was asked first.
    #[track_caller]
    pub(crate) fn when(&self, wanted: &str) -> Moment {
        let mut up = self.up();
        up.find(|packet| asked(packet).as_deref() == Some(wanted))
            .unwrap_or_else(|| panic!("{wanted} was never asked: {:#?}", self.asked()))
            .at
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = EventKind> {
        self.events.iter().map(|event| event.kind)
    }

    pub(crate) fn has(&self, wanted: EventKind) -> bool {
        self.kinds().any(|kind| kind == wanted)
    }

    pub(crate) fn any(&self, like: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| like(&event.kind))
    }

    pub(crate) fn count(&self, like: impl Fn(&EventKind) -> bool) -> usize {
        self.events.iter().filter(|event| like(&event.kind)).count()
    }

    /// When such an event came first.
    #[track_caller]
    pub(crate) fn when_event(&self, like: impl Fn(&EventKind) -> bool) -> Moment {
        let found = self.events.iter().find(|event| like(&event.kind));
        found.expect("no such event").at
    }

    /// Whether this limit was reached.
    pub(crate) fn reached(&self, wanted: Limit) -> bool {
        self.any(|kind| matches!(kind, EventKind::LimitReached { limit, .. } if *limit == wanted))
    }

    /// The setting in force.
    pub(crate) fn held(&self, key: &str) -> Option<String> {
        let key = self.shelf.keys.find(key)?;
        let settings = &self.phone.flash().settings;
        settings.held(key).map(|held| held.value.to_owned())
    }

    /// The firmware that was installed.
    pub(crate) fn firmware(&self) -> Option<&str> {
        self.phone.flash().firmware.as_deref()
    }
}

/// What a packet of the phone asks for.
fn asked(packet: &Packet) -> Option<String> {
    if packet.way == Way::Down {
        return None;
    }
    match packet.lane {
        Lane::Udp(Channel::Dhcp) => {
            let message = dhcp::Message::decode(&packet.bytes).ok()?;
            let kind = format!("{:?}", message.message_type()?);
            Some(kind.to_ascii_uppercase())
        }
        Lane::Udp(Channel::Sip | Channel::Pnp) => {
            let text = String::from_utf8_lossy(&packet.bytes);
            let word = text.split(' ').next()?;
            (word == "SUBSCRIBE").then(|| word.to_owned())
        }
        Lane::Udp(Channel::Fresh(_)) => match tftp::decode(&packet.bytes).ok()? {
            tftp::Packet::Read(request) => {
                Some(format!("RRQ {}", String::from_utf8_lossy(request.name)))
            }
            _ => None,
        },
        Lane::Tcp(_) => {
            let text = String::from_utf8_lossy(&packet.bytes);
            let mut words = text.lines().next()?.split(' ');
            Some(format!("{} {}", words.next()?, words.next()?))
        }
    }
}

/// The MD5 of `bytes`, as a checksum file says it.
pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    let digest = Md5::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A TFTP DATA packet.
pub(crate) fn data(block: u16, bytes: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    tftp::data(&mut packet, block, bytes);
    packet
}

/// The name in a read request.
pub(crate) fn rrq_name(packet: &Packet) -> Option<String> {
    let text = asked(packet)?;
    text.strip_prefix("RRQ ").map(str::to_owned)
}
