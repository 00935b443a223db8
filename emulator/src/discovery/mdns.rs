//! Multicast DNS: which host offers the provisioning service (FAN-03).
//!
//! One-shot queries from a fresh port (RFC 6762 §5.1), so that the answer comes to it alone (§6.7).
//! The document says no more than "MDNS"; unspecified, we ask for the instances of one service and
//! take the first answer that has host and port of one, and its address, as RFC 6763 §12 has
//! responders send them. The URL is that of the TXT record's `url`, or one of the service's scheme,
//! the address, the port and the TXT record's `path`. Nothing is asked twice for what an answer
//! lacks.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::event::{EventKind, Fault, Limit};
use crate::limits::{STRAYS_MAX, URL_BYTES_MAX};
use crate::phone::io::Channel;
use crate::phone::turn::Turn;
use crate::profile::{MdnsSpec, StepId};
use crate::time::Moment;
use crate::url::{Scheme, Url};
use crate::wire::dns::{self, Data, Encoder, Message, Name, Record, kind};
use crate::wire::port;

const STEP: StepId = StepId::MDNS;

/// One search. Nothing of it is on the heap.
#[derive(Debug)]
pub struct MdnsClient {
    channel: Channel,
    id: u16,
    /// The mask of the network that answers may come from; none = any sender is believed.
    mask: Option<Ipv4Addr>,
    sent: Moment,
    due: Moment,
    attempt: u8,
    cause: Fault,
    strays: u32,
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MdnsResult {
    /// An answer named this URL.
    Url(String),
    /// Nobody answered with a usable one.
    Nothing,
}

impl MdnsClient {
    /// Sends the first query from `channel`, as `turn.profile.mdns` says; `None` when the profile
    /// has none. With a mask only answers from the phone's own network count (RFC 6762 §11).
    pub fn start(turn: &mut Turn<'_>, channel: Channel, mask: Option<Ipv4Addr>) -> Option<Self> {
        let spec = turn.profile.mdns.as_ref()?;
        let [high, low, ..] = turn.rng.next_u32().to_be_bytes();
        let mut client = Self {
            channel,
            id: u16::from_be_bytes([high, low]),
            mask,
            sent: turn.now,
            due: turn.now + spec.timeout,
            attempt: 1,
            cause: Fault::Silence,
            strays: 0,
        };
        let bytes = client.query(turn, spec);
        turn.event(EventKind::Sent { step: STEP, bytes });
        client.due = turn.now + spec.timeout;
        Some(client)
    }

    /// The port that it asks from.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// When `tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.due
    }

    /// Asks again, or gives up.
    pub fn tick(&mut self, turn: &mut Turn<'_>) -> Option<MdnsResult> {
        let spec = turn.profile.mdns.as_ref()?;
        if turn.now < self.due {
            return None;
        }
        if self.attempt < spec.attempts {
            self.attempt += 1;
            self.query(turn, spec);
            let (step, attempt) = (STEP, self.attempt);
            turn.event(EventKind::Retried { step, attempt });
            self.due = turn.now + spec.timeout;
            return None;
        }
        let (step, fault) = (STEP, self.cause);
        turn.event(EventKind::GaveUp { step, fault });
        if fault == Fault::Silence {
            let (limit, value) = (Limit::Attempts, u64::from(spec.attempts));
            turn.event(EventKind::LimitReached { limit, value });
        }
        Some(MdnsResult::Nothing)
    }

    /// Takes a datagram that arrived at its channel. The sender's port is not looked at: a
    /// responder that is no whole one (RFC 6762 §5.1) may answer from any.
    pub fn datagram(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddrV4,
        bytes: &[u8],
    ) -> Option<MdnsResult> {
        let spec = turn.profile.mdns.as_ref()?;
        if !self.is_near(turn, *from.ip()) {
            return self.wrong(turn, Fault::ForeignTransaction);
        }
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(malformed) => return self.wrong(turn, Fault::Malformed(malformed)),
        };
        // Zero is the number of answers to all (RFC 6762 §18.1).
        if !message.is_answer() || ![0, self.id].contains(&message.id()) {
            return self.wrong(turn, Fault::ForeignTransaction);
        }
        match url_of(&spec.service, &message) {
            Ok(url) => {
                let after = turn.now.since(self.sent);
                turn.event(EventKind::Answered { step: STEP, after });
                Some(MdnsResult::Url(url))
            }
            Err(fault) => self.wrong(turn, fault),
        }
    }

    /// The sender is in the phone's own network.
    fn is_near(&self, turn: &Turn<'_>, sender: Ipv4Addr) -> bool {
        let network = |address: Ipv4Addr, mask: Ipv4Addr| u32::from(address) & u32::from(mask);
        self.mask
            .is_none_or(|mask| network(sender, mask) == network(turn.address, mask))
    }

    fn query(&self, turn: &mut Turn<'_>, spec: &MdnsSpec) -> u32 {
        let to = SocketAddrV4::new(dns::GROUP, port::MDNS);
        let length = turn.out.send(self.channel, to, |out| {
            let query = Encoder::query(out, self.id);
            query.question(&spec.service, kind::PTR).finish();
        });
        u32::try_from(length).unwrap_or(u32::MAX)
    }

    /// Reports something unusable, up to the limit; never a result.
    fn wrong(&mut self, turn: &mut Turn<'_>, fault: Fault) -> Option<MdnsResult> {
        if fault != Fault::ForeignTransaction {
            self.cause = fault;
        }
        if self.strays < STRAYS_MAX {
            self.strays += 1;
            turn.event(EventKind::Wrong { step: STEP, fault });
            if self.strays == STRAYS_MAX {
                let (limit, value) = (Limit::Strays, u64::from(STRAYS_MAX));
                turn.event(EventKind::LimitReached { limit, value });
            }
        }
        None
    }
}

/// What an answer says about one instance of the service.
#[derive(Default)]
struct Instance<'a> {
    /// Priority, host and port of the best SRV record.
    host: Option<(u16, Name<'a>, u16)>,
    url: Option<&'a str>,
    path: Option<&'a str>,
}

/// The URL of the first instance that an answer says enough about.
fn url_of(service: &str, message: &Message<'_>) -> Result<String, Fault> {
    let records = || {
        let all = message.records();
        all.filter(|record| record.internet && record.ttl > 0)
    };
    let mut named = false;
    for pointer in records().filter(|record| record.name.is(service)) {
        let Data::Pointer(name) = pointer.data else {
            continue;
        };
        named = true;
        let instance = Instance::of(records(), name);
        let url = match instance.url {
            Some(url) => Some(url.to_owned()),
            None => instance.host.and_then(|(_, host, port)| {
                let address = address_of(records(), host)?;
                Some(address_url(service, address, port, instance.path))
            }),
        };
        if let Some(url) = url
            && url.len() <= URL_BYTES_MAX
            && Url::parse(&url.replace(['<', '>', '{', '}', '%'], "_"), Scheme::Http).is_ok()
        {
            return Ok(url);
        }
    }
    Err(match named {
        true => Fault::BadTarget,
        false => Fault::Incomplete,
    })
}

impl<'a> Instance<'a> {
    fn of(records: impl Iterator<Item = Record<'a>>, name: Name<'a>) -> Self {
        let mut instance = Self::default();
        for record in records.filter(|record| record.name == name) {
            match record.data {
                Data::Service {
                    priority,
                    port,
                    target,
                    ..
                } => {
                    let held = instance.host;
                    if port > 0 && held.is_none_or(|(best, ..)| priority < best) {
                        instance.host = Some((priority, target, port));
                    }
                }
                Data::Texts(data) => {
                    // The first one of a key counts, in any case (RFC 6763 §6.4).
                    instance.url = instance.url.or_else(|| value(data, "url"));
                    instance.path = instance.path.or_else(|| value(data, "path"));
                }
                _ => {}
            }
        }
        instance
    }
}

fn value<'a>(data: &'a [u8], key: &str) -> Option<&'a str> {
    dns::texts(data).find_map(|text| {
        let (name, value) = std::str::from_utf8(text).ok()?.split_once('=')?;
        let plain = !value.is_empty() && !value.contains(char::is_control);
        (name.eq_ignore_ascii_case(key) && plain).then_some(value)
    })
}

fn address_of<'a>(
    mut records: impl Iterator<Item = Record<'a>>,
    host: Name<'_>,
) -> Option<Ipv4Addr> {
    records.find_map(|record| match record.data {
        Data::Address(address) if record.name == host => Some(address),
        _ => None,
    })
}

/// The first label of the service is its scheme, where it is one: `_tftp`; else HTTP.
fn address_url(service: &str, address: Ipv4Addr, port: u16, path: Option<&str>) -> String {
    let label = service.split('.').next().unwrap_or_default();
    let label = label.trim_start_matches('_').to_ascii_lowercase();
    let scheme = match Scheme::named(&label) {
        Some(_) => label.as_str(),
        None => "http",
    };
    let path = path.unwrap_or_default().trim_start_matches('/');
    format!("{scheme}://{address}:{port}/{path}")
}

#[cfg(test)]
mod tests;
