//! One SIP connection as a value: bytes in, bytes out. The in-memory network and the adapter's
//! sockets both use it.

use std::net::SocketAddrV4;
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sip;
use bootstorm_scenarios::mutant::Protocol;
use bootstorm_scenarios::wire::Way;

use super::{Origin, Registrar};
use crate::reference::counters::Counter;
use crate::reference::filter::{Filter, OnStream, Passed};
use crate::reference::http::connection::After;
use crate::reference::pnp::Pnp;

/// The ping and the pong of RFC 5626 §3.5.1.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct SipConnection {
    held: Vec<u8>,
    /// The longest that an answer of the last `receive` is to wait.
    wait: Duration,
}

/// Who is behind a SIP connection.
#[derive(Debug)]
pub struct Lines<'a> {
    /// Takes REGISTER and OPTIONS, and whatever nobody else does.
    pub registrar: Option<&'a mut Registrar>,
    /// Takes SUBSCRIBE, and answers to its NOTIFYs (FAN-93).
    pub pnp: Option<&'a mut Pnp>,
    /// What mutants do to the messages, where there are any.
    pub filter: Option<&'a mut Filter>,
}

impl Lines<'_> {
    /// Answers a message as mutants would have it: how long the answer is to wait, and whether the
    /// connection is closed then.
    fn filtered(
        &mut self,
        now: Moment,
        origin: Origin,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> (Duration, bool) {
        let Some(filter) = self.filter.take() else {
            self.message(now, origin, bytes, out);
            return (Duration::ZERO, false);
        };
        let stream = OnStream {
            protocol: Protocol::Sip,
            peer: origin.peer,
            tls: false,
            before: &[],
        };
        let start = out.len();
        let (mut held, mut closes) = (Duration::ZERO, false);
        match filter.on_stream(Way::Sent, stream, bytes) {
            Passed::Untouched => self.message(now, origin, bytes, out),
            Passed::Instead {
                bytes,
                after,
                close,
            } => {
                (held, closes) = (after, close);
                let mut rest = bytes.as_slice();
                while let Ok(Some(length)) = sip::frame(rest) {
                    let (message, behind) = rest.split_at(length);
                    self.message(now, origin, message, out);
                    rest = behind;
                }
            }
        }
        let (wait, close) = filter.answered(stream, start, out);
        self.filter = Some(filter);
        (held.saturating_add(wait), closes | close)
    }

    fn message(&mut self, now: Moment, origin: Origin, bytes: &[u8], out: &mut Vec<u8>) {
        match (&mut self.registrar, &mut self.pnp) {
            (_, Some(pnp)) if Pnp::wants(bytes) => pnp.message(now, origin.peer, bytes, out),
            (Some(registrar), _) => registrar.message(now, origin, bytes, out),
            (None, _) => {}
        }
    }
}

impl SipConnection {
    /// How long what the last `receive` wrote is to wait before it is sent.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Takes the next bytes from `peer` and appends the answers to all messages that are complete
    /// with them to `out`. Where nobody knows the end of a message the connection is to be closed.
    pub fn receive(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        lines: &mut Lines<'_>,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> After {
        self.held.extend_from_slice(bytes);
        self.wait = Duration::ZERO;
        let origin = Origin { peer, stream: true };
        loop {
            if self.held.starts_with(PING) {
                self.held.drain(..PING.len());
                out.extend_from_slice(PONG);
                continue;
            }
            match sip::frame(&self.held) {
                Ok(Some(length)) => {
                    let rest = self.held.split_off(length);
                    let message = std::mem::replace(&mut self.held, rest);
                    let (wait, close) = lines.filtered(now, origin, &message, out);
                    self.wait = self.wait.max(wait);
                    if close {
                        self.held = Vec::new();
                        return After::Close;
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    if let Some(registrar) = &lines.registrar {
                        registrar.counters.count(Counter::SipMalformed);
                    }
                    self.held = Vec::new();
                    return After::Close;
                }
            }
        }
        if self.held.is_empty() {
            // Thousands of idle connections keep no buffers.
            self.held = Vec::new();
        }
        After::Open
    }
}
