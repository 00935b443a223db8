//! A search over a connection (FAN-93): SUBSCRIBE, its answer and the NOTIFY on one stream.

use super::{Phase, Place, PnpClient, PnpResult};
use crate::event::{EventKind, Fault, Limit};
use crate::phone::io::{Connection, ConnectionFault, Effect, Input};
use crate::phone::resync::Way;
use crate::phone::turn::Turn;
use crate::profile::{PnpSpec, StepId};
use crate::wire::sip;

/// The connection of a search.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) connection: Connection,
    /// It is neither closed nor broken.
    open: bool,
    /// The start of a message that is not complete; at most `SIP_STREAM_BYTES_MAX` bytes and what
    /// came with the last of them.
    held: Vec<u8>,
}

impl PnpClient {
    /// Asks for a connection; the SUBSCRIBE leaves when it is there.
    pub(super) fn open(&mut self, turn: &mut Turn<'_>, spec: &PnpSpec, connection: Connection) {
        self.line = Some(Box::new(Line {
            connection,
            open: true,
            held: Vec::new(),
        }));
        turn.out.effects.push(Effect::Open {
            connection,
            to: self.server,
            tls: None,
        });
        let until = turn.now + spec.interval * u32::from(spec.attempts);
        self.phase = Phase::Listening {
            until: until + turn.shelf.policy(spec.listen),
        };
    }

    /// Takes what happens to the search's connection; anything else changes nothing.
    pub fn line(&mut self, turn: &mut Turn<'_>, input: &Input<'_>) -> Option<PnpResult> {
        let spec = turn.profile.pnp.as_ref()?;
        let line = self.line.as_mut().filter(|line| line.open)?;
        let own = line.connection;
        match *input {
            Input::Opened(id) if id == own => {
                self.ask(turn, spec);
                None
            }
            Input::Bytes(id, bytes) if id == own => {
                line.held.extend_from_slice(bytes);
                // Keep-alives (RFC 5626 §3.5.1).
                let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
                let blanks = line.held.iter().take_while(blank).count();
                line.held.drain(..blanks);
                self.messages(turn)
            }
            Input::Closed(id) if id == own => {
                line.open = false;
                self.broken(turn, Fault::ConnectionBroken)
            }
            Input::Failed(id, fault) if id == own => {
                line.open = false;
                let fault = match fault {
                    ConnectionFault::Refused => Fault::ConnectionRefused,
                    ConnectionFault::TimedOut => Fault::Silence,
                    ConnectionFault::Local => Fault::Local,
                    _ => Fault::ConnectionBroken,
                };
                self.broken(turn, fault)
            }
            _ => None,
        }
    }

    /// Closes the connection, if there is one; what was written before still leaves.
    pub(super) fn hang_up(&mut self, turn: &mut Turn<'_>) {
        if let Some(line) = &mut self.line
            && std::mem::take(&mut line.open)
        {
            line.held = Vec::new();
            turn.out.effects.push(Effect::Close(line.connection));
        }
    }

    /// Takes the whole messages out of what arrived.
    fn messages(&mut self, turn: &mut Turn<'_>) -> Option<PnpResult> {
        loop {
            let line = self.line.as_mut().filter(|line| line.open)?;
            let place = Place {
                way: Way::Stream(line.connection),
                from: self.server,
            };
            match sip::frame(&line.held) {
                Ok(None) => return None,
                Ok(Some(length)) => {
                    let message: Vec<u8> = line.held.drain(..length).collect();
                    let result = self.message(turn, place, &message);
                    if result.is_some() {
                        return result;
                    }
                }
                // Nobody knows where the next message begins.
                Err(malformed) => {
                    if let Some((limit, value)) = sip::limit_of(&malformed) {
                        turn.event(EventKind::LimitReached { limit, value });
                    }
                    self.hang_up(turn);
                    return self.broken(turn, Fault::Malformed(malformed));
                }
            }
        }
    }

    /// The connection is gone, or of no use: nobody else can answer.
    fn broken(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<PnpResult> {
        if self.phase == Phase::Over {
            return None;
        }
        if self.url.is_some() {
            return Some(self.result(turn));
        }
        self.phase = Phase::Over;
        let step = match self.accepted {
            true => StepId::NOTIFY,
            false => StepId::SUBSCRIBE,
        };
        turn.event(EventKind::GaveUp { step, fault });
        if fault == Fault::Silence {
            let (limit, value) = (Limit::Attempts, 1);
            turn.event(EventKind::LimitReached { limit, value });
        }
        Some(PnpResult::Nothing)
    }
}

#[cfg(test)]
mod tests;
