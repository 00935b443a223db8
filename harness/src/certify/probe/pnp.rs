//! A SIP PnP client: SUBSCRIBE by multicast, 200 for the NOTIFY (FLY-41 to FLY-54).

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::phone::io::{Channel, Input};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::sip::{self, Message};
use bootstorm_scenarios::suite::probe::PnpSubscribe;

use super::{Flow, Turn};
use crate::subject::PNP_GROUP;

/// Between two copies of a SUBSCRIBE (T1 of RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);

/// A search under way.
#[derive(Debug)]
pub(super) struct Subscribing {
    spec: PnpSubscribe,
    subscribe: Vec<u8>,
    copies: u16,
    again: Option<Moment>,
    accepted: bool,
    notified: bool,
}

impl Subscribing {
    /// Sends the SUBSCRIBE.
    pub(super) fn begin(turn: &mut Turn<'_>, spec: &PnpSubscribe) -> Self {
        let mut subscribing = Self {
            subscribe: subscribe(turn, spec),
            copies: spec.copies,
            again: None,
            accepted: false,
            notified: false,
            spec: spec.clone(),
        };
        subscribing.send(turn);
        subscribing
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.again
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Flow {
        match input {
            Input::Tick if self.again.is_some_and(|at| at <= turn.now) => {
                self.send(turn);
                self.flow()
            }
            Input::Datagram {
                channel: channel @ (Channel::Pnp | Channel::Sip),
                from,
                bytes,
            } => self.message(turn, *channel, *from, bytes),
            _ => Flow::More,
        }
    }

    fn message(
        &mut self,
        turn: &mut Turn<'_>,
        channel: Channel,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Flow {
        let Ok(message) = Message::parse(bytes) else {
            return Flow::More;
        };
        match (message.status(), message.method()) {
            (Some(status), _) => self.accepted |= status >= 200,
            (None, Some("NOTIFY")) => {
                if self.spec.answer {
                    let answer = sip::Answer {
                        status: 200,
                        tag: turn.kept.rng.next_u32(),
                        source: Some(from),
                    };
                    turn.out
                        .send(channel, from, |out| sip::answer(out, &message, &answer));
                }
                self.notified = true;
            }
            _ => {}
        }
        self.flow()
    }

    /// The end, once both have come and every copy has left.
    fn flow(&self) -> Flow {
        let done = self.accepted && self.notified && self.again.is_none() && self.spec.answer;
        if done { Flow::Done } else { Flow::More }
    }

    fn send(&mut self, turn: &mut Turn<'_>) {
        let to = SocketAddrV4::new(PNP_GROUP, port::SIP);
        turn.out.send(Channel::Pnp, to, |out| {
            out.extend_from_slice(&self.subscribe);
        });
        self.copies = self.copies.saturating_sub(1);
        self.again = (self.copies > 0).then(|| turn.now + T1);
    }
}

/// A SUBSCRIBE with the headers that phones send (FLY-43, FLY-44).
fn subscribe(turn: &mut Turn<'_>, spec: &PnpSubscribe) -> Vec<u8> {
    let me = turn.me;
    let vars = me.plan.vars(&me.planned);
    let mac = vars.mac;
    let (address, port) = (me.address, turn.port(Channel::Pnp));
    let rng = &mut turn.kept.rng;
    let (branch, tag, call) = (rng.next_u64(), rng.next_u32(), rng.next_u64());
    let event = match &spec.event {
        Some(event) => me.text(event),
        None => format!(
            "ua-profile;profile-type=\"device\";vendor=\"{}\";model=\"{}\";version=\"{}\"",
            vars.vendor, vars.model, vars.firmware
        ),
    };
    let uri = format!("sip:MAC%3A{mac}@{PNP_GROUP}");
    let mut out = Vec::new();
    sip::Writer::request(&mut out, "SUBSCRIBE", &uri, b"")
        .header(
            "Via",
            format!("SIP/2.0/UDP {address}:{port};branch=z9hG4bK{branch:016x}"),
        )
        .header("From", format!("<{uri}>;tag={tag:08x}"))
        .header("To", format!("<{uri}>"))
        .header("Call-ID", format!("{call:016x}@{address}"))
        .header("CSeq", "1 SUBSCRIBE")
        .header("Contact", format!("<sip:{address}:{port}>"))
        .header("Max-Forwards", "70")
        .header("Expires", "0")
        .header("Event", event)
        .header("Accept", "application/url")
        .finish();
    out
}
