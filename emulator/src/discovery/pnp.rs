//! The SIP PnP client: multicast SUBSCRIBE, 200 OK, NOTIFY with a URL (FLY-41 … FLY-58).
//!
//! The SUBSCRIBE is repeated as one and the same request until somebody accepts it, a usable
//! NOTIFY comes, or the profile's attempts are spent. The 200 OK is noted but not needed: servers
//! answer with a NOTIFY alone, from any port (FLY-46), with swapped or missing tags and a CSeq of
//! their own (vendor facts, PnP answers). After the first usable NOTIFY the client goes on
//! listening for the profile's window (FLY-51). A phone has no means to check who answers.

mod body;
mod late;
mod line;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use late::{Late, is_notify, late_notify};

use std::net::SocketAddrV4;

use crate::event::{EventKind, Fault, Limit};
use crate::limits::STRAYS_MAX;
use crate::phone::io::{Channel, Connection, Effect};
use crate::phone::resync::Way;
use crate::phone::turn::Turn;
use crate::profile::template::{Template, Vars};
use crate::profile::{PnpChoice, PnpSpec, StepId};
use crate::time::Moment;
use crate::wire::sip::{self, Answer, Message, Value, Writer};
use body::{URL_TYPE, url_of};
use line::Line;

/// The CSeq of the one SUBSCRIBE; a constant like the vendors', so that lengths do not vary.
const CSEQ: u32 = 1;
/// One search. Holds what makes its SUBSCRIBE its own, not the message: that is written anew from
/// the profile for every repeat.
#[derive(Debug)]
pub struct PnpClient {
    channel: Channel,
    /// Whom it asks.
    server: SocketAddrV4,
    /// The connection that it asks over, where it does (FAN-93).
    line: Option<Box<Line>>,
    branch: u64,
    call_id: u64,
    tag: u32,
    sent: Moment,
    attempt: u8,
    accepted: bool,
    phase: Phase,
    url: Option<String>,
    cause: Fault,
    strays: u32,
}

/// Whom a search asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PnpServer {
    /// The group, or a host.
    pub address: SocketAddrV4,
    /// Over a connection rather than by datagrams (FAN-93).
    pub stream: bool,
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PnpResult {
    /// A NOTIFY named this URL.
    Url(String),
    /// Nobody answered with a usable URL.
    Nothing,
}

/// What a search waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// An answer; the next SUBSCRIBE is due at `next`.
    Asking { next: Moment },
    /// An answer, without asking again.
    Listening { until: Moment },
    /// Further NOTIFYs.
    Collecting { until: Moment },
    /// Nothing: the result was given.
    Over,
}

impl PnpClient {
    /// Sends the first SUBSCRIBE, as `turn.profile.pnp` says; `None` when the profile has none.
    /// Over a connection it leaves once that is open; there it is not repeated (RFC 3261
    /// §17.1.2.2), and the search takes as long as with all repeats.
    pub fn start(turn: &mut Turn<'_>, server: PnpServer, connection: Connection) -> Option<Self> {
        let spec = turn.profile.pnp.as_ref()?;
        let mut client = Self {
            channel: if spec.own_port {
                Channel::Pnp
            } else {
                Channel::Sip
            },
            server: server.address,
            line: None,
            branch: turn.rng.next_u64(),
            call_id: turn.rng.next_u64(),
            tag: turn.rng.next_u32(),
            sent: turn.now,
            attempt: 1,
            accepted: false,
            phase: Phase::Over,
            url: None,
            cause: Fault::Silence,
            strays: 0,
        };
        if server.stream {
            client.open(turn, spec, connection);
            return Some(client);
        }
        client.ask(turn, spec);
        client.phase = client.after_sending(turn, spec);
        Some(client)
    }

    /// Sends the SUBSCRIBE for the first time.
    fn ask(&mut self, turn: &mut Turn<'_>, spec: &PnpSpec) {
        self.sent = turn.now;
        let bytes = self.subscribe(turn, spec);
        turn.event(EventKind::Sent {
            step: StepId::SUBSCRIBE,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
    }

    /// Takes a datagram that arrived at the client's channel.
    pub fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<PnpResult> {
        self.datagram_at(turn, self.channel, from, bytes)
    }

    /// Takes a datagram that arrived at any SIP channel of the phone: some servers answer to port
    /// 5060 instead of the SUBSCRIBE's source port (vendor facts). The phone hands over what
    /// `claims` says.
    pub fn datagram_at(
        &mut self,
        turn: &mut Turn<'_>,
        channel: Channel,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<PnpResult> {
        self.message(
            turn,
            Place {
                way: channel.into(),
                from,
            },
            bytes,
        )
    }

    /// Takes a SIP message, whichever way it came.
    fn message(&mut self, turn: &mut Turn<'_>, place: Place, bytes: &[u8]) -> Option<PnpResult> {
        let spec = turn.profile.pnp.as_ref()?;
        if sip::is_keep_alive(bytes) {
            return None;
        }
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(fault) => {
                let step = if bytes.starts_with(b"SIP/") {
                    StepId::SUBSCRIBE
                } else {
                    StepId::NOTIFY
                };
                if self.wrong(turn, step, Fault::Malformed(fault))
                    && let Some((limit, value)) = sip::limit_of(&fault)
                {
                    turn.event(EventKind::LimitReached { limit, value });
                }
                return None;
            }
        };
        match message.status() {
            Some(status) => self.response(turn, spec, &message, status),
            None if message.method() == Some("NOTIFY") => {
                return self.notify(turn, spec, &message, place);
            }
            None => self.foreign(turn, &message, place, 405),
        }
        None
    }

    /// True for a datagram at the SIP port that this search should get rather than the SIP user
    /// agent: an answer to a SUBSCRIBE, or a NOTIFY of the event package that it asked for.
    #[must_use]
    pub fn claims(&self, turn: &Turn<'_>, bytes: &[u8]) -> bool {
        let (Some(spec), Ok(message)) = (turn.profile.pnp.as_ref(), Message::parse(bytes)) else {
            return false;
        };
        match message.method() {
            Some("SUBSCRIBE") => message.status().is_some(),
            Some("NOTIFY") => {
                message.status().is_none()
                    && message
                        .event()
                        .is_some_and(|event| event.is(package_of(spec)))
            }
            _ => false,
        }
    }

    /// True for a request at a port that the search shares with the SIP user agent and that is the
    /// user agent's: a check-sync counts during a search too (FLY-109, FAN-144).
    #[must_use]
    pub fn leaves(&self, turn: &Turn<'_>, bytes: &[u8]) -> bool {
        let (Some(spec), Ok(message)) = (turn.profile.pnp.as_ref(), Message::parse(bytes)) else {
            return false;
        };
        let other = |event: Value<'_>| !event.is(package_of(spec));
        let theirs = match message.method() {
            Some("NOTIFY") => message.event().is_some_and(other),
            _ => true,
        };
        self.channel == Channel::Sip && message.status().is_none() && theirs
    }

    /// Does what is due at `turn.now`.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<PnpResult> {
        let spec = turn.profile.pnp.as_ref()?;
        if turn.now < self.deadline() {
            return None;
        }
        match self.phase {
            Phase::Asking { .. } => {
                self.attempt = self.attempt.saturating_add(1);
                self.subscribe(turn, spec);
                turn.event(EventKind::Retried {
                    step: StepId::SUBSCRIBE,
                    attempt: self.attempt,
                });
                self.phase = self.after_sending(turn, spec);
                None
            }
            Phase::Listening { .. } => {
                self.phase = Phase::Over;
                turn.event(EventKind::GaveUp {
                    step: StepId::NOTIFY,
                    fault: self.cause,
                });
                if self.cause == Fault::Silence {
                    turn.event(EventKind::LimitReached {
                        limit: Limit::Attempts,
                        value: u64::from(spec.attempts),
                    });
                }
                self.hang_up(turn);
                Some(PnpResult::Nothing)
            }
            Phase::Collecting { .. } => Some(self.result(turn)),
            Phase::Over => None,
        }
    }

    /// When `tick` is due; the end of time once the result was given.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        match self.phase {
            Phase::Asking { next: due }
            | Phase::Listening { until: due }
            | Phase::Collecting { until: due } => due,
            Phase::Over => Moment::from_nanos(u64::MAX),
        }
    }

    /// Ends the search without a result: what comes now is late.
    pub fn stop(&mut self, turn: &mut Turn<'_>) {
        self.phase = Phase::Over;
        self.hang_up(turn);
    }

    /// Whether it asks over a connection.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.line.is_some()
    }

    /// The channel it listens on.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    fn response(
        &mut self,
        turn: &mut Turn<'_>,
        spec: &PnpSpec,
        message: &Message<'_>,
        status: u16,
    ) {
        if status < 200 {
            return;
        }
        let ours = message
            .cseq()
            .is_none_or(|(_, method)| method == "SUBSCRIBE")
            && self.is_own_call(turn, spec, message).unwrap_or(true);
        if !ours {
            self.wrong(turn, StepId::SUBSCRIBE, Fault::ForeignTransaction);
        } else if self.phase == Phase::Over {
            self.late(turn, StepId::SUBSCRIBE);
        } else if status < 300 {
            self.accept(turn, spec);
        } else {
            // Another server of the group may still answer, so a refusal ends nothing.
            self.wrong(turn, StepId::SUBSCRIBE, Fault::HttpStatus(status));
        }
    }

    /// Somebody accepted: no further repeats (RFC 3261 §17.1.2.2). The search ends when it would
    /// have ended with them, so that a 200 OK without a NOTIFY changes nothing else.
    fn accept(&mut self, turn: &mut Turn<'_>, spec: &PnpSpec) {
        if !self.accepted {
            self.accepted = true;
            turn.event(EventKind::Answered {
                step: StepId::SUBSCRIBE,
                after: turn.now.since(self.sent),
            });
        }
        if let Phase::Asking { next } = self.phase {
            let unsent = spec.attempts.saturating_sub(self.attempt);
            let last = next + spec.interval * u32::from(unsent.saturating_sub(1));
            self.phase = Phase::Listening {
                until: last + turn.shelf.policy(spec.listen),
            };
        }
    }

    fn notify(
        &mut self,
        turn: &mut Turn<'_>,
        spec: &PnpSpec,
        message: &Message<'_>,
        place: Place,
    ) -> Option<PnpResult> {
        if !self.is_own_notify(turn, spec, message) {
            self.foreign(turn, message, place, 481);
            return None;
        }
        let other = |event: Value<'_>| !event.is(package_of(spec));
        if message.event().is_some_and(other) {
            self.foreign(turn, message, place, 489);
            return None;
        }
        if self.phase == Phase::Over {
            self.answer(turn, message, place, 200);
            self.late(turn, StepId::NOTIFY);
            return None;
        }
        match url_of(spec, message) {
            Ok(url) => {
                self.answer(turn, message, place, 200);
                self.take(turn, spec, url)
            }
            Err(refusal) => {
                self.answer(turn, message, place, refusal.status);
                if self.wrong(turn, StepId::NOTIFY, refusal.fault)
                    && let Some((limit, value)) = refusal.limit
                {
                    turn.event(EventKind::LimitReached { limit, value });
                }
                None
            }
        }
    }

    /// Takes over a URL; the first one opens the window for more (FLY-51).
    fn take(&mut self, turn: &mut Turn<'_>, spec: &PnpSpec, url: &str) -> Option<PnpResult> {
        let held = self.url.as_deref();
        let first = held.is_none();
        if first || (spec.choose == PnpChoice::Last && held != Some(url)) {
            self.url = Some(url.to_owned());
        }
        if first {
            turn.event(EventKind::Answered {
                step: StepId::NOTIFY,
                after: turn.now.since(self.sent),
            });
            self.phase = Phase::Collecting {
                until: turn.after_policy(spec.window),
            };
        }
        (self.deadline() <= turn.now).then(|| self.result(turn))
    }

    fn result(&mut self, turn: &mut Turn<'_>) -> PnpResult {
        self.phase = Phase::Over;
        self.hang_up(turn);
        self.url.take().map_or(PnpResult::Nothing, PnpResult::Url)
    }

    /// Whether a NOTIFY belongs to this search: by Call-ID when both sides have one, else by our
    /// MAC in the user part of the request URI (FLY-48). Tags, CSeq, Via and Contact are not
    /// looked at: servers in the field get each of them wrong.
    fn is_own_notify(&self, turn: &mut Turn<'_>, spec: &PnpSpec, message: &Message<'_>) -> bool {
        // Where a NOTIFY counts without any search its sender knows no Call-ID (FAN-104).
        if spec.accepts_late {
            return true;
        }
        self.is_own_call(turn, spec, message).unwrap_or_else(|| {
            let digits = turn.identity.mac.digits();
            let user = message.uri().and_then(|uri| sip::uri_user(uri.as_bytes()));
            user.is_some_and(|user| {
                user.windows(digits.len())
                    .any(|part| part.eq_ignore_ascii_case(&digits))
            })
        })
    }

    /// Whether a message has the SUBSCRIBE's Call-ID; `None` when either has none.
    fn is_own_call(
        &self,
        turn: &mut Turn<'_>,
        spec: &PnpSpec,
        message: &Message<'_>,
    ) -> Option<bool> {
        let theirs = message.call_id()?;
        let ours = header_of(spec, "Call-ID")?;
        let mut arena = std::mem::take(&mut turn.out.bytes);
        let start = arena.len();
        ours.render(&self.vars(turn, ""), &mut arena);
        let own = arena
            .get(start..)
            .map(<[u8]>::trim_ascii)
            .filter(|id| !id.is_empty())
            .map(|id| id == theirs);
        arena.truncate(start);
        turn.out.bytes = arena;
        own
    }

    /// Refuses a request of another transaction or of no use here; ACK is never answered.
    fn foreign(&mut self, turn: &mut Turn<'_>, message: &Message<'_>, place: Place, status: u16) {
        let reported = self.wrong(turn, StepId::NOTIFY, Fault::ForeignTransaction);
        if reported && message.method() != Some("ACK") {
            self.answer(turn, message, place, status);
        }
    }

    /// Answers a request to where it came from (FLY-54).
    fn answer(&self, turn: &mut Turn<'_>, message: &Message<'_>, place: Place, status: u16) {
        let answer = Answer {
            status,
            tag: self.tag,
            source: Some(place.from),
        };
        let package = turn.profile.pnp.as_ref().map_or("", package_of);
        place.answer(turn, message, &answer, package);
    }

    /// Reports something unusable, unless there was too much of it; says whether it did.
    fn wrong(&mut self, turn: &mut Turn<'_>, step: StepId, fault: Fault) -> bool {
        if fault != Fault::ForeignTransaction {
            self.cause = fault;
        }
        self.stray(turn, EventKind::Wrong { step, fault })
    }

    fn late(&mut self, turn: &mut Turn<'_>, step: StepId) {
        self.stray(turn, EventKind::Late { step });
    }

    fn stray(&mut self, turn: &mut Turn<'_>, kind: EventKind) -> bool {
        if self.strays >= STRAYS_MAX {
            return false;
        }
        self.strays += 1;
        turn.event(kind);
        if self.strays == STRAYS_MAX {
            turn.event(EventKind::LimitReached {
                limit: Limit::Strays,
                value: u64::from(STRAYS_MAX),
            });
        }
        true
    }

    /// What to wait for after a SUBSCRIBE left.
    fn after_sending(&self, turn: &Turn<'_>, spec: &PnpSpec) -> Phase {
        if self.attempt >= spec.attempts {
            let until = turn.after_policy(spec.listen);
            return Phase::Listening { until };
        }
        Phase::Asking {
            next: turn.now + spec.interval,
        }
    }

    /// Writes the SUBSCRIBE to the group; gives its length in bytes. A repeat is equal byte for
    /// byte: nothing in it changes during one search.
    fn subscribe(&self, turn: &mut Turn<'_>, spec: &PnpSpec) -> usize {
        // Rendering reads the turn while it writes to the arena, so the arena is taken out.
        let mut arena = std::mem::take(&mut turn.out.bytes);
        let start = arena.len();
        let user_agent = turn.profile.http.user_agent.text(&turn.vars());
        let host = self.server.ip().to_string();
        let vars = Vars {
            host: &host,
            ..self.vars(turn, &user_agent)
        };
        let mut writer = Writer::request_with(&mut arena, "SUBSCRIBE", b"", |out| {
            spec.request_uri.render(&vars, out);
        });
        for (name, value) in &spec.headers {
            writer = writer.header_with(name, |out| value.render(&vars, out));
        }
        writer.finish();
        let bytes = start..arena.len();
        let length = bytes.len();
        turn.out.bytes = arena;
        turn.out.effects.push(match &self.line {
            Some(line) => Effect::Write {
                connection: line.connection,
                bytes,
            },
            None => Effect::Send {
                channel: self.channel,
                to: self.server,
                bytes,
            },
        });
        length
    }

    fn vars<'v>(&self, turn: &'v Turn<'_>, user_agent: &'v str) -> Vars<'v> {
        let ports = turn.shelf.ports;
        Vars {
            port: match self.channel {
                Channel::Pnp => ports.pnp,
                _ => ports.sip,
            },
            branch: self.branch,
            tag: self.tag,
            call_id: self.call_id,
            cseq: CSEQ,
            transport: match self.line {
                Some(_) => "TCP",
                None => "UDP",
            },
            user_agent,
            ..turn.vars()
        }
    }
}

/// How a message arrived, and from where.
#[derive(Debug, Clone, Copy)]
struct Place {
    way: Way,
    from: SocketAddrV4,
}

impl Place {
    /// Answers a request the way it came.
    fn answer(&self, turn: &mut Turn<'_>, message: &Message<'_>, answer: &Answer, package: &str) {
        let write = |out: &mut Vec<u8>| {
            let reply = Writer::reply(out, message, answer, b"");
            match answer.status {
                405 => reply.header("Allow", "NOTIFY"),
                415 => reply.header("Accept", URL_TYPE),
                489 => reply.header("Allow-Events", package),
                _ => reply,
            }
            .finish();
        };
        match self.way {
            Way::Datagram(channel) => turn.out.send(channel, self.from, write),
            Way::Stream(connection) => turn.out.write(connection, write),
        };
    }
}

/// The event package of the SUBSCRIBE, as the profile writes it.
fn package_of(spec: &PnpSpec) -> &str {
    let source = header_of(spec, "Event").map_or("", Template::source);
    source.split(';').next().unwrap_or_default().trim()
}

fn header_of<'s>(spec: &'s PnpSpec, name: &str) -> Option<&'s Template> {
    let named = |written: &str| sip::is_named(written, name);
    spec.headers
        .iter()
        .find(|(written, _)| named(written))
        .map(|(_, value)| value)
}
