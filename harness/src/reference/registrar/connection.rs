//! One SIP connection as a value: bytes in, bytes out. The in-memory network and the adapter's
//! sockets both use it.

use std::net::SocketAddrV4;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sip;

use super::{Origin, Registrar};
use crate::reference::counters::Counter;
use crate::reference::http::connection::After;

/// The ping and the pong of RFC 5626 §3.5.1.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct SipConnection {
    held: Vec<u8>,
}

impl SipConnection {
    /// Takes the next bytes from `peer` and appends the answers to all messages that are complete
    /// with them to `out`. Where nobody knows the end of a message the connection is to be closed.
    pub fn receive(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        registrar: &mut Registrar,
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
                    registrar.message(now, origin, &message, out);
                }
                Ok(None) => break,
                Err(_) => {
                    registrar.counters.count(Counter::SipMalformed);
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
