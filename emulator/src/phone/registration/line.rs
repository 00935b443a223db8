//! The TCP connection over which an account is registered.

use std::net::SocketAddrV4;
use std::time::Duration;

use crate::phone::io::{Connection, Effect};
use crate::phone::turn::Turn;
use crate::time::Moment;
use crate::wire::{Malformed, sip};

/// How often an idle connection is kept alive: the upper end of what RFC 5626 §4.4.1 proposes.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// A connection to a registrar. Requests arrive over it too.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: Connection,
    pub(super) peer: SocketAddrV4,
    pub(super) opened: bool,
    /// An answer came over it: when it turns out closed, the registrar may have tired of it.
    pub(super) served: bool,
    /// What came and is not complete yet.
    buffer: Vec<u8>,
    /// When to send the next keep-alive.
    keep_alive: Moment,
}

impl Line {
    /// Asks for a connection.
    pub(super) fn open(turn: &mut Turn<'_>, id: Connection, peer: SocketAddrV4) -> Self {
        turn.out.effects.push(Effect::Open {
            connection: id,
            to: peer,
            tls: None,
        });
        Self {
            id,
            peer,
            opened: false,
            served: false,
            buffer: Vec::new(),
            keep_alive: Moment::ZERO,
        }
    }

    /// Writes a message.
    pub(super) fn write(&mut self, turn: &mut Turn<'_>, bytes: &[u8]) {
        turn.out.write(self.id, |out| out.extend_from_slice(bytes));
        self.keep_alive = turn.now + KEEP_ALIVE;
    }

    /// When a keep-alive is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.opened.then_some(self.keep_alive)
    }

    /// Sends a keep-alive if one is due (RFC 5626 §3.5.1). Whether it is answered does not matter:
    /// a connection that broke says so itself.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_some_and(|at| at <= turn.now) {
            self.write(turn, b"\r\n\r\n");
        }
    }

    /// Keeps what arrived.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// As `sip::frame`; the connection is of no more use then.
    pub(super) fn message(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Some(length) = sip::frame(&self.buffer)? else {
            if sip::is_keep_alive(&self.buffer) {
                self.buffer = Vec::new();
            }
            return Ok(None);
        };
        let rest = self.buffer.split_off(length);
        let message = std::mem::replace(&mut self.buffer, rest);
        if self.buffer.is_empty() {
            // An idle phone keeps no buffer.
            self.buffer = Vec::new();
        }
        Ok(Some(message))
    }

    pub(super) fn close(self, turn: &mut Turn<'_>) {
        turn.out.effects.push(Effect::Close(self.id));
    }
}
