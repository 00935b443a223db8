//! The DHCP client: DISCOVER to ACK, renewal, rebinding, release (RFC 2131).
//!
//! ```text
//! start → Discovering ─offer→ (Choosing ─window→) Requesting ─ACK→ Bound ─T1→ Renewing ─T2→ …
//!             ↑  └─silence→ Paused ←silence, NAK─────┘               ↑────ACK───┴──────────────┤
//!             └───────────────┘                             … Rebinding ─expiry, NAK→ start
//! ```
//!
//! What a message looks like and how patient the client is comes from the profile (`DhcpSpec`).
//! Where RFC 2131 leaves a choice or servers break it, the choice stands at the code. `secs` is
//! always zero, as udhcp sends it.

mod lease;
mod outgoing;
mod term;

pub use lease::Lease;
pub use outgoing::Asked;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::event::{EventKind, Fault, Limit};
use crate::limits::STRAYS_MAX;
use crate::phone::io::Effect;
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::time::Moment;
use crate::wire::Malformed;
use crate::wire::dhcp::{BOOT_REPLY, Message, MessageType, code};
use lease::source_options;
use outgoing::Outgoing;

/// The first wait of RFC 2131 §4.1, for a profile that lists none.
const RETRY_DEFAULT: Duration = Duration::from_secs(4);
/// The shortest pause before a new DISCOVER, whatever the profile says: a server that
/// refuses everything must not hold a simulated clock still.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How long a client waits at least after a DECLINE (RFC 2131 §3.1.5).
const DECLINED_PAUSE: Duration = Duration::from_secs(10);

/// The client; lives as long as the phone is on. Between two steps it holds at most the options
/// of its lease on the heap.
#[derive(Debug, Default)]
pub struct DhcpClient {
    state: State,
    lease: Option<Lease>,
    /// When `tick` has something to do.
    due: Option<Moment>,
    /// The first and the latest transmission of the present step.
    first_sent: Moment,
    last_sent: Moment,
    /// T2 and the end of a lease that has an end.
    rebind_at: Moment,
    expires_at: Moment,
    xid: Option<u32>,
    /// The transaction before this one: its answers are late, not foreign.
    prior_xid: Option<u32>,
    /// Transmissions of the present step.
    attempt: u8,
    /// Unusable messages reported since the transaction began.
    strays: u32,
    asked: Asked,
    /// A REQUEST was sent since `start`: an ACK out of turn is late then.
    requested: bool,
}

/// What changed about the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseNews {
    /// The phone has an address; the start of everything else. Comes again without `Lost` when a
    /// renewal gives another address.
    Bound,
    /// The address is gone: the phone starts over by itself.
    Lost,
    /// The lease goes on, and what its options say came again (FAN-66).
    Renewed,
}

/// Where the client stands.
#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Not started, or the lease was released.
    #[default]
    Idle,
    /// DISCOVER is out.
    Discovering,
    /// Offers are collected until the window closes; this one is the best so far.
    Choosing { best: Offer, useful: bool },
    /// REQUEST for this offer is out.
    Requesting(Offer),
    /// An address is held; the step that got or extended it.
    Bound(StepId),
    /// T1 has passed.
    Renewing,
    /// T2 has passed.
    Rebinding,
    /// The step failed; a new DISCOVER follows.
    Paused(StepId),
}

/// What an OFFER holds that a REQUEST needs.
#[derive(Debug, Clone, Copy)]
struct Offer {
    address: Ipv4Addr,
    server: Ipv4Addr,
}

impl DhcpClient {
    /// Begins with DISCOVER. A lease still held is forgotten without a RELEASE, as at a power
    /// cycle.
    pub fn start(&mut self, turn: &mut Turn<'_>, asked: Asked) {
        if self.lease.take().is_some() {
            turn.out.effects.push(Effect::Address(None));
        }
        self.asked = asked;
        self.requested = false;
        self.discover(turn);
    }

    /// From now on asks for this option as the one that holds the URL (FAN-66: also at a renewal).
    pub fn ask_for(&mut self, url_option: Option<u8>) {
        self.asked.url_option = url_option;
    }

    /// Takes an address that somebody typed: no DHCP at all, and no options (FAN-63, FAN-96).
    pub fn configure(&mut self, turn: &mut Turn<'_>, address: Ipv4Addr) -> LeaseNews {
        *self = Self::default();
        turn.out.effects.push(Effect::Address(Some(address)));
        self.lease = Some(Lease {
            address,
            server: Ipv4Addr::UNSPECIFIED,
            options: Box::default(),
            file: Box::default(),
        });
        LeaseNews::Bound
    }

    /// Takes a datagram that arrived at port 68. Anything unusable is an event, at most
    /// `STRAYS_MAX` for each transaction. The sender's address is not looked at: behind a relay
    /// it says nothing about the server.
    pub fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        _from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<LeaseNews> {
        if matches!(self.state, State::Idle) {
            return None;
        }
        let message = match Message::decode(bytes) {
            Ok(message) if message.op() == BOOT_REPLY => message,
            Ok(_) => return self.wrong(turn, malformed("not a reply", 0)),
            Err(malformed) => return self.wrong(turn, Fault::Malformed(malformed)),
        };
        let xid = Some(message.xid());
        let known = xid == self.xid || xid == self.prior_xid;
        if !known || message.mac() != Some(turn.identity.mac) {
            return self.wrong(turn, Fault::ForeignTransaction);
        }
        let current = xid == self.xid;
        match message.message_type() {
            Some(MessageType::Offer) => self.offer(turn, &message, current),
            Some(MessageType::Ack) => self.ack(turn, &message, current),
            Some(MessageType::Nak) => self.nak(turn, &message, current),
            Some(_) => self.wrong(turn, malformed("a client's message type in a reply", 240)),
            None => self.wrong(turn, Fault::Incomplete),
        }
    }

    /// Does what is due at `turn.now`; nothing before `deadline`.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<LeaseNews> {
        if self.due.is_none_or(|due| turn.now < due) {
            return None;
        }
        self.due = None;
        match self.state {
            State::Idle => {}
            State::Paused(_) => self.discover(turn),
            State::Choosing { best, .. } => self.request(turn, best),
            State::Discovering | State::Requesting(_) => self.repeat_or_give_up(turn),
            State::Bound(_) | State::Renewing | State::Rebinding => return self.extend(turn),
        }
        None
    }

    /// When `tick` is due; `None` when nothing is pending (not started, or a lease forever).
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// Gives the lease back (RFC 2131 §4.4.6) and stops; without a lease it only stops.
    pub fn release(&mut self, turn: &mut Turn<'_>) {
        let held = self.lease.take();
        if held
            .as_ref()
            .is_some_and(|lease| lease.server.is_unspecified())
        {
            turn.out.effects.push(Effect::Address(None));
        } else if let Some(lease) = held {
            self.new_xid(turn);
            let release = Outgoing {
                kind: MessageType::Release,
                to: lease.server,
                ciaddr: lease.address,
                requested: None,
                server: Some(lease.server),
            };
            release.transmit(turn, self.xid.unwrap_or_default(), self.asked);
            turn.event(EventKind::LeaseReleased);
            turn.out.effects.push(Effect::Address(None));
        }
        self.state = State::Idle;
        self.due = None;
    }

    /// Another host uses the address that an ACK gave: DECLINE, then the start, 10 s later at the
    /// earliest (RFC 2131 §3.1.5). An address that is neither asked for nor held is passed over.
    pub fn taken(&mut self, turn: &mut Turn<'_>, address: Ipv4Addr) -> Option<LeaseNews> {
        let held = self.lease.as_ref().filter(|it| it.address == address);
        let server = match (self.state, held) {
            (State::Requesting(offer), _) if offer.address == address => offer.server,
            (_, Some(lease)) if !lease.server.is_unspecified() => lease.server,
            _ => return None,
        };
        let decline = Outgoing {
            kind: MessageType::Decline,
            to: Ipv4Addr::BROADCAST,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            requested: Some(address),
            server: Some(server),
        };
        decline.transmit(turn, self.xid.unwrap_or_default(), self.asked);
        turn.event(EventKind::AddressTaken(address));
        let step = self.step();
        self.pause(turn, step);
        self.due = self.due.max(Some(turn.now + DECLINED_PAUSE));
        self.lease.take()?;
        turn.out.effects.push(Effect::Address(None));
        Some(LeaseNews::Lost)
    }

    /// The present lease.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    fn discover(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Discovering;
        self.strays = 0;
        self.attempt = 0;
        self.send_discover(turn);
    }

    fn send_discover(&mut self, turn: &mut Turn<'_>) {
        self.new_xid(turn);
        let discover = Outgoing {
            kind: MessageType::Discover,
            to: Ipv4Addr::BROADCAST,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
        };
        self.send(turn, StepId::DISCOVER, discover);
        self.due = Some(self.next_repeat(turn));
    }

    /// Asks for what an offer holds. The transaction id is the OFFER's (RFC 2131 §4.4.1).
    fn request(&mut self, turn: &mut Turn<'_>, offer: Offer) {
        self.state = State::Requesting(offer);
        self.requested = true;
        self.attempt = 0;
        self.send_request(turn, offer);
    }

    fn send_request(&mut self, turn: &mut Turn<'_>, offer: Offer) {
        let request = Outgoing {
            kind: MessageType::Request,
            to: Ipv4Addr::BROADCAST,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            requested: Some(offer.address),
            server: Some(offer.server),
        };
        self.send(turn, StepId::REQUEST, request);
        self.due = Some(self.next_repeat(turn));
    }

    /// Nobody answered in time: the same again, or the end of the step.
    fn repeat_or_give_up(&mut self, turn: &mut Turn<'_>) {
        let attempts = turn.profile.dhcp.retry.len().max(1);
        let more = usize::from(self.attempt) < attempts && self.attempt < u8::MAX;
        match self.state {
            State::Requesting(offer) if more => self.send_request(turn, offer),
            _ if more => self.send_discover(turn),
            _ => {
                let (step, fault) = (self.step(), Fault::Silence);
                turn.event(EventKind::GaveUp { step, fault });
                turn.event(EventKind::LimitReached {
                    limit: Limit::Attempts,
                    value: attempts as u64,
                });
                self.pause(turn, step);
            }
        }
    }

    /// When the present transmission is repeated or given up. A protocol time: never scaled.
    fn next_repeat(&self, turn: &mut Turn<'_>) -> Moment {
        let spec = &turn.profile.dhcp;
        let nth = usize::from(self.attempt).saturating_sub(1);
        let wait = spec.retry.get(nth).copied().unwrap_or(RETRY_DEFAULT);
        let spread = u64::try_from(spec.retry_spread.as_nanos()).unwrap_or(u64::MAX / 2);
        let drawn = turn.rng.up_to(spread.saturating_mul(2));
        let later = turn.now + wait + Duration::from_nanos(drawn);
        let at = later.nanos().saturating_sub(spread);
        Moment::from_nanos(at.max(turn.now.nanos()))
    }

    fn pause(&mut self, turn: &Turn<'_>, step: StepId) {
        self.state = State::Paused(step);
        let pause = turn.now + turn.profile.dhcp.pause;
        self.due = Some(pause.max(turn.now + PAUSE_MIN));
    }

    fn offer(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        current: bool,
    ) -> Option<LeaseNews> {
        let collecting = matches!(self.state, State::Discovering | State::Choosing { .. });
        if !current || !collecting {
            return self.late(turn, StepId::DISCOVER);
        }
        // RFC 2131 §4.3.1: an OFFER carries an address and a server identifier.
        let server = message.address(code::SERVER_ID).filter(usable);
        let address = Some(message.yiaddr()).filter(usable);
        let (Some(address), Some(server)) = (address, server) else {
            return self.wrong(turn, Fault::Incomplete);
        };
        let offer = Offer { address, server };
        let useful =
            source_options(turn, self.asked.url_option).any(|code| message.option(code).is_some());
        match self.state {
            State::Choosing { useful: had, .. } => {
                if useful && !had {
                    self.state = State::Choosing {
                        best: offer,
                        useful,
                    };
                }
            }
            _ => self.first_offer(turn, offer, useful),
        }
        None
    }

    /// Takes the first offer at once, or waits for a better one (FLY-64).
    fn first_offer(&mut self, turn: &mut Turn<'_>, offer: Offer, useful: bool) {
        self.answered(turn, StepId::DISCOVER);
        let window = turn.profile.dhcp.offer_window;
        if turn.shelf.policy(window).is_zero() {
            return self.request(turn, offer);
        }
        self.due = Some(turn.after_policy(window));
        self.state = State::Choosing {
            best: offer,
            useful,
        };
    }

    fn ack(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        current: bool,
    ) -> Option<LeaseNews> {
        let Some(asked) = self.asked_server().filter(|_| current) else {
            return self.out_of_turn(turn);
        };
        let Some(address) = Some(message.yiaddr()).filter(usable) else {
            return self.wrong(turn, Fault::Incomplete);
        };
        let server = match message.address(code::SERVER_ID).filter(usable) {
            // Only the server named in REQUEST may answer it (RFC 2131 §4.3.2). An extension may
            // be granted by whoever took over its leases.
            Some(server) if server != asked && self.requesting() => {
                return self.wrong(turn, Fault::ForeignTransaction);
            }
            Some(server) => server,
            // RFC 2131 §4.3.1, table 3: it must be there. The phone knows whom it asked, so it
            // goes on, as udhcp does.
            None => {
                self.wrong(turn, Fault::Incomplete);
                asked
            }
        };
        self.bind(turn, message, address, server)
    }

    fn nak(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        current: bool,
    ) -> Option<LeaseNews> {
        let Some(asked) = self.asked_server().filter(|_| current) else {
            return self.out_of_turn(turn);
        };
        match message.address(code::SERVER_ID) {
            // Another server cannot refuse what it was not asked for; in rebinding all are asked.
            Some(server) if server != asked && !matches!(self.state, State::Rebinding) => {
                return self.wrong(turn, Fault::ForeignTransaction);
            }
            Some(_) => {}
            // RFC 2131 table 3: it must be there. Old udhcp obeys all the same.
            None => {
                self.wrong(turn, Fault::Incomplete);
            }
        }
        let step = self.step();
        turn.event(EventKind::LeaseRefused);
        self.pause(turn, step);
        self.lease.take()?;
        turn.out.effects.push(Effect::Address(None));
        Some(LeaseNews::Lost)
    }

    /// Takes a fresh transaction id, unless the profile has one for all (FLY-63), or one that
    /// every boot has (FAN-80: "derived from a constant such as the MAC"; how is unspecified, and
    /// its low 32 bits differ between phones of one vendor).
    fn new_xid(&mut self, turn: &mut Turn<'_>) {
        if turn.profile.dhcp.xid_from_mac {
            let [_, _, rest @ ..] = turn.identity.mac.0;
            self.xid = Some(u32::from_be_bytes(rest));
            return;
        }
        if self.xid.is_none() || !turn.profile.dhcp.constant_xid {
            self.prior_xid = self.xid;
            self.xid = Some(turn.rng.next_u32());
        }
    }

    /// Sends a request of a step and records it.
    fn send(&mut self, turn: &mut Turn<'_>, step: StepId, message: Outgoing) {
        let length = message.transmit(turn, self.xid.unwrap_or_default(), self.asked);
        self.attempt = self.attempt.saturating_add(1);
        self.last_sent = turn.now;
        if self.attempt == 1 {
            self.first_sent = turn.now;
            let bytes = u32::try_from(length).unwrap_or(u32::MAX);
            turn.event(EventKind::Sent { step, bytes });
        } else {
            let attempt = self.attempt;
            turn.event(EventKind::Retried { step, attempt });
        }
    }

    /// The ladder step that the client is in.
    fn step(&self) -> StepId {
        match self.state {
            State::Idle | State::Discovering | State::Choosing { .. } => StepId::DISCOVER,
            State::Requesting(_) => StepId::REQUEST,
            State::Renewing | State::Rebinding => StepId::RENEW,
            State::Bound(step) | State::Paused(step) => step,
        }
    }

    fn requesting(&self) -> bool {
        matches!(self.state, State::Requesting(_))
    }

    /// The server that an ACK or NAK is awaited from.
    fn asked_server(&self) -> Option<Ipv4Addr> {
        match self.state {
            State::Requesting(offer) => Some(offer.server),
            State::Renewing | State::Rebinding => self.lease.as_ref().map(|held| held.server),
            _ => None,
        }
    }

    fn answered(&self, turn: &mut Turn<'_>, step: StepId) {
        let after = turn.now.since(self.first_sent);
        turn.event(EventKind::Answered { step, after });
    }

    /// An ACK or NAK that nothing waits for.
    fn out_of_turn(&mut self, turn: &mut Turn<'_>) -> Option<LeaseNews> {
        match self.step() {
            step @ (StepId::REQUEST | StepId::RENEW) => self.late(turn, step),
            _ if self.requested => self.late(turn, StepId::REQUEST),
            _ => self.wrong(turn, malformed("an answer to a REQUEST never sent", 240)),
        }
    }

    fn late(&mut self, turn: &mut Turn<'_>, step: StepId) -> Option<LeaseNews> {
        self.stray(turn, EventKind::Late { step })
    }

    fn wrong(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<LeaseNews> {
        let step = self.step();
        self.stray(turn, EventKind::Wrong { step, fault })
    }

    /// Reports something unusable, up to the limit; never news.
    fn stray(&mut self, turn: &mut Turn<'_>, kind: EventKind) -> Option<LeaseNews> {
        if self.strays < STRAYS_MAX {
            self.strays += 1;
            turn.event(kind);
            if self.strays == STRAYS_MAX {
                let (limit, value) = (Limit::Strays, u64::from(STRAYS_MAX));
                turn.event(EventKind::LimitReached { limit, value });
            }
        }
        None
    }
}

/// An address that a phone can have or send to. Loopback counts: fleets run there.
fn usable(address: &Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_broadcast() || address.is_multicast())
}

fn malformed(what: &'static str, offset: usize) -> Fault {
    Fault::Malformed(Malformed::new(what, offset))
}

#[cfg(test)]
mod tests;
