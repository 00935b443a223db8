//! SIP requests from outside a dialog: check-sync (FLY-99 … FLY-103).
//!
//! Any sender is believed, as the document leaves it (FLY-103); whether a check-sync is honoured
//! is decided by the phone, whose switch it is. An ignored one is answered 200 OK all the same.

#[cfg(test)]
mod tests;

use std::net::SocketAddrV4;

use super::io::{Channel, Connection};
use super::turn::Turn;
use crate::event::EventKind;
use crate::profile::SipSpec;
use crate::wire::sip::{self, Answer, Message, Writer};

/// The methods that the user agent takes; in every 405 (RFC 3261 §8.2.1) and answer to OPTIONS.
const ALLOW: &str = "NOTIFY, OPTIONS";

/// The way by which a SIP request came; its answer goes back the same way (RFC 3261 §18.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a datagram.
    Datagram(Channel),
    /// Over a connection.
    Stream(Connection),
}

/// What a SIP request asks of the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckSync {
    /// `reboot=true` was given (FLY-100).
    pub reboot: bool,
    /// Equal for retransmissions of one NOTIFY (same Call-ID, CSeq and branch). A retransmission
    /// is answered like the first, but must not trigger again: the phone remembers the last
    /// numbers it acted on.
    pub transaction: u64,
}

/// Answers a SIP request that arrived at the SIP port; `Some` when it is a check-sync.
///
/// Responses, ACK, keep-alives and datagrams that are no SIP message are ignored.
pub fn sip_request(
    turn: &mut Turn<'_>,
    way: impl Into<Way>,
    from: SocketAddrV4,
    bytes: &[u8],
) -> Option<CheckSync> {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(fault) => {
            if let Some((limit, value)) = sip::limit_of(&fault) {
                turn.event(EventKind::LimitReached { limit, value });
            }
            return None;
        }
    };
    let method = message.method().filter(|_| message.uri().is_some())?;
    let spec = &turn.profile.sip;
    let transaction = message.transaction();
    let check_sync = match method {
        "ACK" => return None,
        "NOTIFY" => check_sync(spec, &message, transaction),
        _ => None,
    };
    let status = match method {
        "NOTIFY" if check_sync.is_none() => spec.unknown_event_status,
        "NOTIFY" | "OPTIONS" => 200,
        _ => 405,
    };
    let answer = Answer {
        status,
        // The same for every retransmission, as RFC 3261 §8.2.6.2 demands; another for another
        // phone.
        tag: fold(transaction) ^ fold(u64::from(turn.identity.index) | 1 << 32),
        source: Some(from),
    };
    let write = |out: &mut Vec<u8>| write_answer(out, spec, &message, &answer);
    match way.into() {
        Way::Datagram(channel) => turn.out.send(channel, from, write),
        Way::Stream(connection) => turn.out.write(connection, write),
    };
    turn.event(EventKind::SipAnswered { status });
    check_sync
}

impl From<Channel> for Way {
    fn from(channel: Channel) -> Self {
        Self::Datagram(channel)
    }
}

/// Reads the Event header: the package in any case, the reboot parameter with or without blanks
/// and quotes (FLY-102).
fn check_sync(spec: &SipSpec, message: &Message<'_>, transaction: u64) -> Option<CheckSync> {
    let event = message.event()?;
    let known = spec.resync_events.iter().any(|known| event.is(known));
    known.then(|| CheckSync {
        // A vendor whose phones never restart for it names no parameter (AUE-23).
        reboot: !spec.reboot_parameter.is_empty()
            && event
                .parameter(&spec.reboot_parameter)
                .is_some_and(|value| value.eq_ignore_ascii_case(b"true")),
        transaction,
    })
}

/// The response; 489 must name the packages that are known (RFC 6665 §8.3.2).
fn write_answer(out: &mut Vec<u8>, spec: &SipSpec, message: &Message<'_>, answer: &Answer) {
    let mut reply = Writer::reply(out, message, answer, b"");
    let options = answer.status == 200 && message.method() == Some("OPTIONS");
    if options || answer.status == 405 {
        reply = reply.header("Allow", ALLOW);
    }
    if options || answer.status == 489 {
        reply = reply.header_with("Allow-Events", |out| {
            for (index, package) in spec.resync_events.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(package.as_bytes());
            }
        });
    }
    reply.finish();
}

fn fold(number: u64) -> u32 {
    (number >> 32) as u32 ^ number as u32
}
