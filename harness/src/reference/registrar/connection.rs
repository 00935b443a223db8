//! One SIP connection as a value: bytes in, bytes out. The in-memory network and the adapter's
//! sockets both use it.

use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sip;

use super::{Origin, Registrar};
use crate::reference::counters::Counter;
use crate::reference::http::connection::After;
use crate::reference::pnp::Pnp;

/// The ping and the pong of RFC 5626 §3.5.1.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct SipConnection {
    held: Vec<u8>,
}

/// Who is behind a SIP connection.
#[derive(Debug)]
pub struct Lines<'a> {
    /// Takes REGISTER and OPTIONS, and whatever nobody else does.
    pub registrar: Option<&'a mut Registrar>,
    /// Takes SUBSCRIBE, and answers to its NOTIFYs (FAN-93).
    pub pnp: Option<&'a mut Pnp>,
}

impl Lines<'_> {
    fn message(&mut self, now: Moment, origin: Origin, bytes: &[u8], out: &mut Vec<u8>) {
        match (&mut self.registrar, &mut self.pnp) {
            (_, Some(pnp)) if Pnp::wants(bytes) => pnp.message(now, origin.peer, bytes, out),
            (Some(registrar), _) => registrar.message(now, origin, bytes, out),
            (None, _) => {}
        }
    }
}

impl SipConnection {
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
                    lines.message(now, origin, &message, out);
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
