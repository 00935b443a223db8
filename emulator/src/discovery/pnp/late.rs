//! NOTIFYs outside any search (FAN-104): an operator may send one minutes after the SUBSCRIBE, and
//! servers send each of them more than once (FAN-102).

use std::net::SocketAddrV4;

use super::body::{URL_TYPES, url_of};
use super::{Place, package_of};
use crate::event::{EventKind, Fault};
use crate::phone::resync::Way;
use crate::phone::turn::Turn;
use crate::profile::{PnpSpec, StepId};
use crate::wire::sip::{Answer, Message, Value};

/// What a late NOTIFY says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The URL, markers not yet replaced; none when the body holds no usable one.
    pub url: Option<String>,
    /// Equal for copies of one NOTIFY.
    pub transaction: u64,
}

/// The transaction of a NOTIFY for the package that the profile's SUBSCRIBE asks for; `None` for
/// anything else. Without an Event header the type of the body tells.
#[must_use]
pub fn is_notify(turn: &Turn<'_>, bytes: &[u8]) -> Option<u64> {
    let spec = turn.profile.pnp.as_ref()?;
    let message = Message::parse(bytes).ok()?;
    notify(spec, &message).then(|| message.transaction())
}

/// Answers a NOTIFY of PnP that came outside any search; `None` when it is none.
pub fn late_notify(
    turn: &mut Turn<'_>,
    way: Way,
    from: SocketAddrV4,
    bytes: &[u8],
) -> Option<Late> {
    let spec = turn.profile.pnp.as_ref()?;
    let message = Message::parse(bytes).ok()?;
    if !notify(spec, &message) {
        return None;
    }
    let transaction = message.transaction();
    let found = url_of(spec, &message);
    let status = match &found {
        Ok(_) => 200,
        Err(refusal) => refusal.status,
    };
    let [a, b, c, d, e, f, g, h] = transaction.to_be_bytes();
    let answer = Answer {
        status,
        // The same for every copy (RFC 3261 §8.2.6.2), another for another phone.
        tag: u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h]) ^ turn.identity.index,
        source: Some(from),
    };
    Place { way, from }.answer(turn, &message, &answer, package_of(spec));
    turn.event(EventKind::SipAnswered { status });
    let url = match found {
        Ok(url) => Some(url.to_owned()),
        Err(refusal) => {
            let (step, fault): (_, Fault) = (StepId::NOTIFY, refusal.fault);
            turn.event(EventKind::Wrong { step, fault });
            if let Some((limit, value)) = refusal.limit {
                turn.event(EventKind::LimitReached { limit, value });
            }
            None
        }
    };
    Some(Late { url, transaction })
}

fn notify(spec: &PnpSpec, message: &Message<'_>) -> bool {
    let known = || {
        let kind = Value::new(message.header("Content-Type").unwrap_or_default());
        URL_TYPES.iter().any(|known| kind.is(known))
    };
    message.status().is_none()
        && message.method() == Some("NOTIFY")
        && match message.event() {
            Some(event) => event.is(package_of(spec)),
            None => known(),
        }
}
