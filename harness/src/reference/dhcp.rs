//! The DHCP server: leases and, above all, options (RFC 2131, RFC 2132, RFC 3046, RFC 3396).
//!
//! Messages are read with dhcproto's borrowing reader, behind a check of the raw bytes: its
//! `chaddr()` panics when hlen is over 16, and its owning reader silently drops every option
//! behind the first one that it dislikes. Replies are written with dhcproto as well, the options
//! one by one, because it would sort them: they go out in the order of FLY-65.

mod lease;
mod rule;

use dhcproto::v4::{Flags, HType, Message, MessageType, Opcode, OptionCode, borrowed};
use dhcproto::{Encodable, Encoder};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;

use super::counters::{Counter, Counters};
use super::replies::{Endpoint, Replies};
use lease::{Client, Leases};
use rule::{Asker, Rules};
pub use rule::{BOOT_FILE_BYTES_MAX, Match, OptionValue, Rule};

/// Bytes before the options: 236 of BOOTP and the magic cookie.
const HEADER_BYTES: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Every client takes a message of 576 bytes, headers of 28 included (RFC 2131 §2).
const MESSAGE_BYTES_MIN: usize = 548;
/// What fits into an Ethernet frame.
const MESSAGE_BYTES_MAX: usize = 1_472;
/// Older relays and clients drop shorter messages (RFC 1542 §2.1).
const BOOTP_BYTES_MIN: usize = 300;
/// How long an offered address is kept for the client; unspecified by RFC 2131 §4.3.1.
const OFFER_HOLD: Duration = Duration::from_secs(60);

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct DhcpConfig {
    /// The server's own address: option 54.
    pub server: Ipv4Addr,
    /// Where clients get addresses; the first that fits is taken.
    pub pools: Vec<Pool>,
    /// Lease time, in whole seconds: option 51.
    pub lease: Duration,
    /// T1, option 58; half of the lease when not given (RFC 2131 §4.4.5).
    pub renew_after: Option<Duration>,
    /// T2, option 59; seven eighths of the lease when not given (RFC 2131 §4.4.5).
    pub rebind_after: Option<Duration>,
    /// Further options, by client.
    pub rules: Vec<Rule>,
    /// Where answers to relayed messages go.
    pub relay_answer: RelayAnswer,
}

/// Addresses to lease on one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The relay (giaddr) whose clients it serves. A pool without one serves relays on its own
    /// network and, where no other pool fits, everybody.
    pub relay: Option<Ipv4Addr>,
    /// The one client that it serves. A client with a pool of its own is served by that; where
    /// every pool is some client's own, nobody else is answered.
    pub client: Option<Mac>,
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, inclusive; a pool whose last is below its first is empty.
    pub last: Ipv4Addr,
    /// Option 1.
    pub mask: Ipv4Addr,
    /// Option 3; left out when empty.
    pub routers: Vec<Ipv4Addr>,
    /// Option 6; left out when empty.
    pub name_servers: Vec<Ipv4Addr>,
}

/// Where the answer to a relayed message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayAnswer {
    /// To the address and port that it came from: clients on loopback, which play their own relay
    /// without the privilege to use port 67.
    Source,
    /// To giaddr, port 67 (RFC 2131 §4.1).
    Relay,
}

/// The server.
#[derive(Debug)]
pub struct Dhcp {
    config: DhcpConfig,
    counters: Arc<Counters>,
    pools: Vec<Network>,
    rules: Rules,
    message: Message,
    head: Vec<u8>,
}

#[derive(Debug)]
struct Network {
    leases: Leases,
    /// Options 1, 3, 6 on the wire.
    place: Vec<u8>,
    /// Options 51, 58, 59 on the wire.
    times: Vec<u8>,
}

/// A request that has been checked, and what the server looks at in it.
#[derive(Debug)]
struct Request<'a> {
    message: borrowed::Message<'a>,
    kind: MessageType,
    client: Client,
    mac: Option<Mac>,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    class: &'a [u8],
    wanted: Option<&'a [u8]>,
    relay_information: &'a [u8],
    /// Option 61, which only comes back.
    identifier: &'a [u8],
    room: usize,
    peer: SocketAddrV4,
}

/// What to say.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Offer(Ipv4Addr),
    Ack(Ipv4Addr),
    /// To an INFORM.
    Facts,
    Nak,
}

impl DhcpConfig {
    /// A server at `server` with one pool, leases of an hour, no router, no name server.
    #[must_use]
    pub fn new(server: Ipv4Addr, first: Ipv4Addr, last: Ipv4Addr, mask: Ipv4Addr) -> Self {
        Self {
            server,
            pools: vec![Pool {
                relay: None,
                client: None,
                first,
                last,
                mask,
                routers: Vec::new(),
                name_servers: Vec::new(),
            }],
            lease: Duration::from_secs(3_600),
            renew_after: None,
            rebind_after: None,
            rules: Vec::new(),
            relay_answer: RelayAnswer::Source,
        }
    }

    fn times(&self) -> [(u8, u32); 3] {
        let renew = self.renew_after.unwrap_or(self.lease / 2);
        let rebind = self.rebind_after.unwrap_or(self.lease * 7 / 8);
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        [
            (51, seconds(self.lease)),
            (58, seconds(renew)),
            (59, seconds(rebind)),
        ]
    }
}

impl Dhcp {
    /// A server without leases.
    #[must_use]
    pub fn new(mut config: DhcpConfig, counters: Arc<Counters>) -> Self {
        let times = config.times().map(|(code, seconds)| {
            let [a, b, c, d] = seconds.to_be_bytes();
            [code, 4, a, b, c, d]
        });
        let pools = config
            .pools
            .iter()
            .map(|pool| Network {
                leases: Leases::new(pool.first, pool.last),
                place: place_options(pool),
                times: times.concat(),
            })
            .collect();
        let rules = Rules::new(std::mem::take(&mut config.rules));
        let mut message = Message::new_with_id(
            0,
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::UNSPECIFIED,
            &[],
        );
        message.set_opcode(Opcode::BootReply);
        Self {
            config,
            counters,
            pools,
            rules,
            message,
            head: Vec::with_capacity(HEADER_BYTES),
        }
    }

    /// The MAC address of whoever has an address, or had it last.
    #[must_use]
    pub fn holder(&self, address: Ipv4Addr) -> Option<Mac> {
        let mut pools = self.pools.iter();
        let bytes = pools.find_map(|pool| pool.leases.holder(address))?;
        bytes.try_into().ok().map(Mac)
    }

    /// Takes one message from `peer`; answers go out from `Endpoint::Dhcp`.
    ///
    /// A client keeps its address by its hardware address (a client identifier, option 61, comes
    /// back and is not looked at: a phone has one interface). An address unknown to the server is
    /// granted when it is free, so that a restarted server does not send its clients away.
    pub fn datagram(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        if bytes.first() == Some(&2) {
            return self.counters.count(Counter::DhcpIgnored);
        }
        if !well_formed(bytes) {
            return self.counters.count(Counter::DhcpMalformed);
        }
        let Some(request) = Request::read(bytes, peer) else {
            return self.counters.count(Counter::DhcpIgnored);
        };
        let Some(pool) = self.pool(&request) else {
            return self.counters.count(Counter::DhcpNoPool);
        };
        let answer = match request.kind {
            MessageType::Discover => self.discover(now, pool, &request),
            MessageType::Request => self.request(now, pool, &request),
            MessageType::Release => self.release(now, pool, &request),
            MessageType::Decline => self.decline(now, pool, &request),
            MessageType::Inform => {
                self.counters.count(Counter::DhcpInform);
                Some(Answer::Facts)
            }
            _ => {
                self.counters.count(Counter::DhcpIgnored);
                None
            }
        };
        if let Some(answer) = answer {
            self.answer(pool, &request, answer, replies);
        }
    }

    /// The place of the pool for a request: the client's own; else, by its relay, that relay's, one
    /// on its network, or the first that is nobody's in particular.
    fn pool(&self, request: &Request) -> Option<usize> {
        let pools = &self.config.pools;
        let relay = request.message.giaddr();
        let known = |pool: &Pool| pool.client.is_some() && pool.client == request.mac;
        let open = |pool: &Pool| pool.client.is_none() && pool.relay.is_none();
        let own = |pool: &Pool| pool.client.is_none() && pool.relay == Some(relay);
        let near = |pool: &Pool| {
            let network = |address: Ipv4Addr| u32::from(address) & u32::from(pool.mask);
            open(pool) && network(relay) == network(pool.first)
        };
        let of_client = pools.iter().position(known);
        if of_client.is_some() || relay.is_unspecified() {
            return of_client.or_else(|| pools.iter().position(open));
        }
        pools
            .iter()
            .position(own)
            .or_else(|| pools.iter().position(near))
            .or_else(|| pools.iter().position(open))
    }

    fn discover(&mut self, now: Moment, pool: usize, request: &Request) -> Option<Answer> {
        self.counters.count(Counter::DhcpDiscover);
        let leases = &mut self.pools.get_mut(pool)?.leases;
        let offered = leases.offer(now, request.client, request.requested, OFFER_HOLD);
        if offered.is_none() {
            self.counters.count(Counter::DhcpExhausted);
        }
        offered.map(Answer::Offer)
    }

    /// The four forms of a REQUEST (RFC 2131 §4.3.2): selecting (with server identifier), rebooting
    /// (requested address, no server identifier), renewing and rebinding (ciaddr).
    fn request(&mut self, now: Moment, pool: usize, request: &Request) -> Option<Answer> {
        self.counters.count(Counter::DhcpRequest);
        let (server, lease) = (self.config.server, self.config.lease);
        let leases = &mut self.pools.get_mut(pool)?.leases;
        if request.server.is_some_and(|chosen| chosen != server) {
            leases.forget_offer(now, request.client);
            self.counters.count(Counter::DhcpIgnored);
            return None;
        }
        let current = request.message.ciaddr();
        let wish = match request.requested {
            Some(requested) => requested,
            None if !current.is_unspecified() => current,
            None => {
                self.counters.count(Counter::DhcpIgnored);
                return None;
            }
        };
        let ours = leases.of(request.client);
        if ours.is_some_and(|ours| ours != wish) {
            return Some(Answer::Nak);
        }
        if leases.take(now, request.client, wish, lease) {
            return Some(Answer::Ack(wish));
        }
        Some(Answer::Nak)
    }

    fn release(&mut self, now: Moment, pool: usize, request: &Request) -> Option<Answer> {
        self.counters.count(Counter::DhcpRelease);
        let leases = &mut self.pools.get_mut(pool)?.leases;
        leases.release(now, request.client, request.message.ciaddr());
        None
    }

    fn decline(&mut self, now: Moment, pool: usize, request: &Request) -> Option<Answer> {
        self.counters.count(Counter::DhcpDecline);
        let until = now + self.config.lease;
        let leases = &mut self.pools.get_mut(pool)?.leases;
        leases.decline(request.client, request.requested?, until);
        None
    }

    fn answer(&mut self, pool: usize, request: &Request, answer: Answer, replies: &mut Replies) {
        let to = self.destination(request, answer);
        let kind = match answer {
            Answer::Offer(_) => (MessageType::Offer, Counter::DhcpOffer),
            Answer::Ack(_) | Answer::Facts => (MessageType::Ack, Counter::DhcpAck),
            Answer::Nak => (MessageType::Nak, Counter::DhcpNak),
        };
        self.counters.count(kind.1);
        self.write_head(request, answer);
        let Some(network) = self.pools.get(pool) else {
            return;
        };
        let mut left_out = 0;
        replies.send(Endpoint::Dhcp, to, |out| {
            let start = out.len();
            out.extend_from_slice(&self.head);
            out.extend_from_slice(&[53, 1, kind.0.into()]);
            out.extend_from_slice(&[54, 4]);
            out.extend_from_slice(&self.config.server.octets());
            // What a client calls itself comes back as it is (RFC 6842 §3).
            if let Ok(length @ 1..) = u8::try_from(request.identifier.len()) {
                out.extend_from_slice(&[61, length]);
                out.extend_from_slice(request.identifier);
            }
            if !matches!(answer, Answer::Nak) {
                out.extend_from_slice(&network.place);
                if !matches!(answer, Answer::Facts) {
                    out.extend_from_slice(&network.times);
                }
                let taken = out.len() - start + request.relay_information.len() + 3;
                let room = request.room.saturating_sub(taken);
                left_out = self.rules.write(request.asker(), out, room);
            }
            // The relay's own option comes back unchanged and last (RFC 3046 §2.2).
            if let Ok(length @ 1..) = u8::try_from(request.relay_information.len()) {
                out.extend_from_slice(&[82, length]);
                out.extend_from_slice(request.relay_information);
            }
            out.push(255);
            let length = (out.len() - start).max(BOOTP_BYTES_MIN);
            out.resize(start + length, 0);
        });
        for _ in 0..left_out {
            self.counters.count(Counter::DhcpOptionLeftOut);
        }
    }

    /// The fixed part of an answer (RFC 2131 table 3), cookie included.
    fn write_head(&mut self, request: &Request, answer: Answer) {
        let asked = &request.message;
        let yours = match answer {
            Answer::Offer(address) | Answer::Ack(address) => address,
            Answer::Facts | Answer::Nak => Ipv4Addr::UNSPECIFIED,
        };
        let current = match answer {
            Answer::Ack(_) | Answer::Facts => asked.ciaddr(),
            Answer::Offer(_) | Answer::Nak => Ipv4Addr::UNSPECIFIED,
        };
        let relayed = !asked.giaddr().is_unspecified();
        let flags = match answer {
            // A relay must broadcast a NAK (RFC 2131 §4.3.2).
            Answer::Nak if relayed => Flags::new(u16::from(asked.flags()) | 0x8000),
            _ => asked.flags(),
        };
        self.message
            .set_htype(asked.htype())
            .set_xid(asked.xid())
            .set_flags(flags)
            .set_ciaddr(current)
            .set_yiaddr(yours)
            .set_giaddr(asked.giaddr())
            .set_chaddr(asked.chaddr());
        let named = !matches!(answer, Answer::Nak);
        match self.rules.boot_file(request.asker()).filter(|_| named) {
            Some(name) => {
                self.message.set_fname(name);
            }
            None => self.message.clear_fname(),
        }
        self.head.clear();
        // Encoding into a vector can only fail beyond the address space.
        let written = self.message.encode(&mut Encoder::new(&mut self.head));
        debug_assert!(written.is_ok());
    }

    /// RFC 2131 §4.1. A client without an address is answered by broadcast even if it would take a
    /// unicast: that needs ARP entries which only a kernel can write.
    fn destination(&self, request: &Request, answer: Answer) -> SocketAddrV4 {
        let asked = &request.message;
        let broadcast = SocketAddrV4::new(Ipv4Addr::BROADCAST, port::DHCP_CLIENT);
        let by_source = self.config.relay_answer == RelayAnswer::Source;
        let source = Some(request.peer).filter(|peer| by_source && !peer.ip().is_unspecified());
        if !asked.giaddr().is_unspecified() {
            return source.unwrap_or(SocketAddrV4::new(asked.giaddr(), port::DHCP_SERVER));
        }
        if matches!(answer, Answer::Nak) {
            return source.unwrap_or(broadcast);
        }
        if !asked.ciaddr().is_unspecified() {
            return source.unwrap_or(SocketAddrV4::new(asked.ciaddr(), port::DHCP_CLIENT));
        }
        source.unwrap_or(broadcast)
    }
}

impl<'a> Request<'a> {
    /// What a well-formed message asks; `None` when it is plain BOOTP.
    fn read(bytes: &'a [u8], peer: SocketAddrV4) -> Option<Self> {
        let message = borrowed::Message::new(bytes).ok()?;
        let chaddr = message.chaddr();
        let is_ethernet = message.htype() == HType::Eth;
        let mut request = Self {
            kind: MessageType::Unknown(0),
            client: Client::new(chaddr)?,
            mac: chaddr.try_into().ok().filter(|_| is_ethernet).map(Mac),
            requested: None,
            server: None,
            class: &[],
            wanted: None,
            relay_information: &[],
            identifier: &[],
            room: MESSAGE_BYTES_MIN,
            peer,
            message,
        };
        let mut kind = None;
        for (code, data) in options(bytes) {
            match OptionCode::from(code) {
                OptionCode::MessageType => kind = data.first().copied(),
                OptionCode::RequestedIpAddress => request.requested = address(data),
                OptionCode::ServerIdentifier => request.server = address(data),
                OptionCode::ClassIdentifier => request.class = data,
                OptionCode::ParameterRequestList => request.wanted = Some(data),
                OptionCode::RelayAgentInformation => request.relay_information = data,
                OptionCode::ClientIdentifier => request.identifier = data,
                OptionCode::MaxMessageSize => request.room = room(data),
                _ => {}
            }
        }
        request.kind = MessageType::from(kind?);
        Some(request)
    }

    fn asker(&self) -> Asker<'a> {
        Asker {
            mac: self.mac,
            class: self.class,
            wanted: self.wanted,
        }
    }
}

/// Whether dhcproto may look at the bytes: a BOOTREQUEST with its cookie, a hardware address that
/// fits its field, and options that end where they say.
fn well_formed(bytes: &[u8]) -> bool {
    let cookie = bytes.get(HEADER_BYTES - 4..HEADER_BYTES);
    let sound = bytes.first() == Some(&1) && bytes.get(2).is_some_and(|length| *length <= 16);
    if !sound || cookie != Some(MAGIC.as_slice()) {
        return false;
    }
    let mut walk = options(bytes);
    while walk.next().is_some() {}
    walk.whole
}

/// The options as they lie in the message. (dhcproto's iterator joins split options, for which it
/// allocates, and does not say when it stopped early.) The first part of a split one stands for
/// it: none that the server reads is ever that long.
fn options(bytes: &[u8]) -> Options<'_> {
    Options {
        rest: bytes.get(HEADER_BYTES..).unwrap_or_default(),
        whole: true,
    }
}

struct Options<'a> {
    rest: &'a [u8],
    whole: bool,
}

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.rest {
                [] | [255, ..] => return None,
                [0, ref rest @ ..] => self.rest = rest,
                [code, length, ref rest @ ..] if rest.len() >= usize::from(length) => {
                    let (data, rest) = rest.split_at(usize::from(length));
                    self.rest = rest;
                    return Some((code, data));
                }
                _ => {
                    self.whole = false;
                    self.rest = &[];
                }
            }
        }
    }
}

fn address(data: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from)
}

/// Bytes of the largest message that the client takes, from option 57 (headers of 28 included).
fn room(data: &[u8]) -> usize {
    let stated = <[u8; 2]>::try_from(data).map_or(0, u16::from_be_bytes);
    usize::from(stated)
        .saturating_sub(28)
        .clamp(MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX)
}

fn place_options(pool: &Pool) -> Vec<u8> {
    let mut wire = vec![1, 4];
    wire.extend_from_slice(&pool.mask.octets());
    for (code, addresses) in [(3, &pool.routers), (6, &pool.name_servers)] {
        // An option holds at most 63 addresses.
        let addresses = addresses.get(..63).unwrap_or(addresses);
        if let Ok(length @ 1..) = u8::try_from(addresses.len() * 4) {
            wire.extend_from_slice(&[code, length]);
            wire.extend(addresses.iter().flat_map(Ipv4Addr::octets));
        }
    }
    wire
}

#[cfg(test)]
mod tests;
