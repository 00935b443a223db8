//! The SIP PnP responder: a multicast SUBSCRIBE of a phone is answered with 200 OK and a NOTIFY
//! that carries a provisioning URL (FLY-41 to FLY-54, FAN-93 to FAN-107).
//!
//! The NOTIFY is sent again until the phone answers it, as RFC 3261 §17.1.2.2 says for UDP. On a
//! connection (FAN-93) both follow the SUBSCRIBE once. By its manner it comes late, or when a step
//! orders it (FAN-104).

mod manner;
mod message;

use rustc_hash::{FxHashMap, FxHasher};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::port;
use bootstorm_scenarios::scenario::PnpNotify;

use super::counters::{Counter, Counters};
use super::notify::{Batch, Outcome};
use super::replies::{Endpoint, Replies};
use super::timers::{Slab, Slot, Timers};
pub use manner::{ContactManner, EventManner, Manner, StateManner, ViaManner};
use message::{Accept, Notify, Start, Subscribe};

/// The multicast group of SIP PnP.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);

/// T1 of RFC 3261 §17.1.1.1: the first wait before a NOTIFY is sent again; it doubles.
const T1: Duration = Duration::from_millis(500);
/// T2: the longest wait.
const T2: Duration = Duration::from_secs(4);
/// Timer F: when a NOTIFY is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(32);

/// How the responder is set up.
#[derive(Debug, Clone)]
pub struct PnpConfig {
    /// The address and port that answers name as their own (Via, Contact): those of `answer_from`,
    /// as phones see them. An adapter fills in the real ones for 0.0.0.0 and port 0.
    pub contact: SocketAddrV4,
    /// Where answers come from: `Endpoint::Pnp`, a port of its own (FLY-46), or `Endpoint::Sip`.
    pub answer_from: Endpoint,
    /// Who gets which URL; the first rule that gives one counts.
    pub rules: Vec<PnpRule>,
    /// In what its answers differ from the standards'.
    pub manner: Manner,
    /// NOTIFYs that wait for their answer at one time; a SUBSCRIBE over it is dropped and may be
    /// repeated.
    pub waiting_max: usize,
    /// Key of tags and branches: the same seed gives the same messages.
    pub seed: u64,
}

/// Says which URL some phones get.
#[derive(Debug, Clone)]
pub struct PnpRule {
    /// Which phones.
    pub when: Phones,
    /// Their URL.
    pub url: PnpUrl,
}

/// Phones, by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phones {
    /// All.
    Any,
    /// Those whose address begins with these three bytes.
    Oui([u8; 3]),
    /// One.
    Mac(Mac),
}

/// A URL for a phone.
#[derive(Clone)]
pub enum PnpUrl {
    /// A text in which `{mac}` is replaced by the twelve digits in lower case and `{mac:upper}` in
    /// upper case.
    Text(String),
    /// Made from the address; `None` leaves the phone to the next rule.
    Made(Arc<dyn Fn(Mac) -> Option<String> + Send + Sync>),
}

/// The responder.
#[derive(Debug)]
pub struct Pnp {
    config: PnpConfig,
    counters: Arc<Counters>,
    waiting: Slab<Waiting>,
    by_transaction: FxHashMap<u64, Slot>,
    /// NOTIFYs that wait for being ordered, by the phone's address.
    held: FxHashMap<Ipv4Addr, Slot>,
    timers: Timers,
}

/// A NOTIFY that has not been answered.
#[derive(Debug)]
struct Waiting {
    phone: SocketAddrV4,
    transaction: u64,
    bytes: Box<[u8]>,
    due: Moment,
    wait: Duration,
    give_up: Moment,
    /// It left once.
    is_sent: bool,
    /// It is sent once more, answered or not (FAN-102).
    again: bool,
    /// The phone answered.
    confirmed: bool,
    /// Who ordered it, and when.
    order: Option<(Arc<Batch>, u32, Moment)>,
}

/// Where answers are written.
enum Way<'a> {
    /// As datagrams.
    Datagrams(&'a mut Replies),
    /// On the connection that the SUBSCRIBE came by.
    Stream(&'a mut Vec<u8>),
}

impl PnpConfig {
    /// A responder that knows no phone yet and answers from a port of its own.
    #[must_use]
    pub fn new(contact: SocketAddrV4) -> Self {
        Self {
            contact,
            answer_from: Endpoint::Pnp,
            rules: Vec::new(),
            manner: Manner::default(),
            waiting_max: 65_536,
            seed: 0,
        }
    }

    fn url(&self, mac: Mac) -> Option<String> {
        self.rules
            .iter()
            .filter(|rule| rule.when.holds(mac))
            .find_map(|rule| rule.url.fill(mac))
    }
}

impl Phones {
    fn holds(self, mac: Mac) -> bool {
        match self {
            Self::Any => true,
            Self::Oui(oui) => mac.0.starts_with(&oui),
            Self::Mac(own) => own == mac,
        }
    }
}

impl PnpUrl {
    fn fill(&self, mac: Mac) -> Option<String> {
        match self {
            Self::Made(make) => make(mac),
            Self::Text(text) => {
                let lower = mac.to_string();
                let upper = lower.to_ascii_uppercase();
                Some(text.replace("{mac}", &lower).replace("{mac:upper}", &upper))
            }
        }
    }
}

impl fmt::Debug for PnpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.debug_tuple("Text").field(text).finish(),
            Self::Made(_) => out.write_str("Made"),
        }
    }
}

impl Pnp {
    /// A responder.
    #[must_use]
    pub fn new(config: PnpConfig, counters: Arc<Counters>) -> Self {
        Self {
            config,
            counters,
            waiting: Slab::default(),
            by_transaction: FxHashMap::default(),
            held: FxHashMap::default(),
            timers: Timers::default(),
        }
    }

    /// Fills in what the configured contact leaves open (address 0.0.0.0, port 0) from the endpoint
    /// that answers really come from.
    pub fn complete_contact(&mut self, real: Option<SocketAddrV4>) {
        let Some(real) = real else { return };
        let contact = &mut self.config.contact;
        if contact.ip().is_unspecified() {
            contact.set_ip(*real.ip());
        }
        if contact.port() == 0 {
            contact.set_port(real.port());
        }
    }

    /// Takes one datagram from `phone`, whether it came to the multicast group, the SIP port or the
    /// responder's own port.
    ///
    /// A phone for which no rule has a URL is not answered: another server may know it.
    pub fn datagram(
        &mut self,
        now: Moment,
        phone: SocketAddrV4,
        bytes: &[u8],
        replies: &mut Replies,
    ) {
        self.take(now, phone, bytes, Way::Datagrams(replies));
    }

    /// Takes one message of a connection and appends the answers to `out`.
    pub fn message(&mut self, now: Moment, phone: SocketAddrV4, bytes: &[u8], out: &mut Vec<u8>) {
        self.take(now, phone, bytes, Way::Stream(out));
    }

    /// True for a message of a connection that is for this responder: a SUBSCRIBE, or a response,
    /// since nobody else sends requests there.
    #[must_use]
    pub fn wants(bytes: &[u8]) -> bool {
        let start = bytes.trim_ascii_start();
        start.starts_with(b"SUBSCRIBE ") || start.starts_with(b"SIP/")
    }

    /// Lets NOTIFYs go that waited for being ordered; they leave with the next `tick`. A target
    /// without one is given up at once.
    pub fn order(&mut self, now: Moment, batch: &Arc<Batch>) {
        for (target, whom) in (0_u32..).zip(batch.targets()) {
            let slot = self.held.remove(whom.to.ip());
            let waiting = slot.and_then(|slot| Some((slot, self.waiting.find(slot)?)));
            let Some((slot, waiting)) = waiting else {
                note(batch, target, whom.to, None, Duration::ZERO);
                continue;
            };
            waiting.due = now;
            waiting.give_up = now + GIVE_UP_AFTER;
            waiting.order = Some((Arc::clone(batch), target, now));
            self.timers.add(now, slot);
        }
    }

    fn take(&mut self, now: Moment, phone: SocketAddrV4, bytes: &[u8], way: Way<'_>) {
        let text = str::from_utf8(bytes).ok();
        let Some(message) = text.and_then(message::Message::read) else {
            return self.counters.count(Counter::PnpMalformed);
        };
        match message.start {
            Start::Response(status) => self.response(now, phone, status, &message),
            Start::Request { method, .. } if !method.eq_ignore_ascii_case("SUBSCRIBE") => {
                self.counters.count(Counter::PnpIgnored);
            }
            Start::Request { .. } if !message.is_for_profiles() => {
                self.counters.count(Counter::PnpIgnored);
            }
            Start::Request { .. } => match Subscribe::read(&message) {
                Some(subscribe) => self.subscribe(now, phone, &subscribe, way),
                None => self.counters.count(Counter::PnpMalformed),
            },
        }
    }

    /// When `tick` has something to do; never later than that.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Sends NOTIFYs that are due, and again those that were not answered in time.
    pub fn tick(&mut self, now: Moment, replies: &mut Replies) {
        while let Some(slot) = self.timers.take_due(now) {
            let Some(waiting) = self.waiting.find(slot) else {
                continue;
            };
            if now >= waiting.give_up {
                self.give_up(now, slot);
                continue;
            }
            replies.send(self.config.answer_from, waiting.phone, |out| {
                out.extend_from_slice(&waiting.bytes);
            });
            if waiting.is_sent {
                waiting.again = false;
                waiting.wait = (waiting.wait * 2).min(T2);
                self.counters.count(Counter::PnpResent);
            } else {
                waiting.is_sent = true;
                self.counters.count(Counter::PnpNotify);
            }
            waiting.due = match waiting.confirmed {
                true => waiting.give_up,
                false => (now + waiting.wait).min(waiting.give_up),
            };
            self.timers.add(waiting.due, slot);
        }
    }

    /// NOTIFYs that wait for their answer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn subscribe(
        &mut self,
        now: Moment,
        peer: SocketAddrV4,
        subscribe: &Subscribe,
        mut way: Way<'_>,
    ) {
        self.counters.count(Counter::PnpSubscribe);
        let Some((mac, url)) = subscribe
            .mac()
            .and_then(|mac| Some((mac, self.config.url(mac)?)))
        else {
            return self.counters.count(Counter::PnpUnknownPhone);
        };
        let dialog = self.hash(&(peer, subscribe.call_id, subscribe.from));
        let transaction = self.hash(&(peer, subscribe.call_id, subscribe.cseq, subscribe.via()));
        let from = self.config.answer_from;
        let tag = format!("{:08x}", dialog >> 32);
        let manner = self.config.manner;
        let stream = matches!(way, Way::Stream(_));
        let accept = Accept {
            phone: peer,
            tag: &tag,
            contact: self.config.contact,
            stream,
            manner,
        };
        let phone = match manner.to_sip_port && !stream {
            true => SocketAddrV4::new(*peer.ip(), port::SIP),
            false => peer,
        };
        if let Some(&slot) = self.by_transaction.get(&transaction) {
            // The same SUBSCRIBE again: the 200 OK was lost, perhaps the NOTIFY too.
            if let Some(waiting) = self.waiting.find(slot) {
                way.send(from, phone, |out| accept.write(out, subscribe));
                self.counters.count(Counter::PnpAccepted);
                if waiting.is_sent {
                    way.send(from, phone, |out| out.extend_from_slice(&waiting.bytes));
                    self.counters.count(Counter::PnpResent);
                }
                return;
            }
        }
        if self.waiting.len() >= self.config.waiting_max {
            return self.counters.count(Counter::PnpDropped);
        }
        way.send(from, phone, |out| accept.write(out, subscribe));
        self.counters.count(Counter::PnpAccepted);
        let slot = self.wait(now, phone, transaction, stream);
        let mut bytes = Vec::with_capacity(640);
        let notify = Notify {
            phone,
            contact: self.config.contact,
            branch: &branch(slot, transaction),
            tag: &tag,
            mac,
            url: &url,
            stream,
            manner,
        };
        notify.write(&mut bytes, subscribe);
        if let Some(waiting) = self.waiting.find(slot) {
            if waiting.is_sent {
                way.send(from, phone, |out| out.extend_from_slice(&bytes));
                self.counters.count(Counter::PnpNotify);
            }
            waiting.bytes = bytes.into();
        }
    }

    /// Makes room for a NOTIFY; says when it leaves or is sent again.
    fn wait(&mut self, now: Moment, phone: SocketAddrV4, transaction: u64, stream: bool) -> Slot {
        let manner = self.config.manner;
        let late = match manner.notify {
            PnpNotify::After(late) if !stream => Some(late),
            _ => None,
        };
        let is_held = manner.notify == PnpNotify::Ordered && !stream;
        let give_up = now + late.unwrap_or_default() + GIVE_UP_AFTER;
        let due = match late {
            Some(late) => now + late,
            // On a connection nothing is lost.
            None if stream => give_up,
            None => now + T1,
        };
        let slot = self.waiting.insert(Waiting {
            phone,
            transaction,
            bytes: Box::default(),
            due,
            wait: T1,
            give_up,
            is_sent: late.is_none() && !is_held,
            again: manner.repeated && !stream,
            confirmed: false,
            order: None,
        });
        self.by_transaction.insert(transaction, slot);
        if !is_held {
            self.timers.add(due, slot);
        } else if let Some(old) = self.held.insert(*phone.ip(), slot) {
            // The phone subscribed anew: its former NOTIFY is not waited for.
            self.end(old);
        }
        slot
    }

    /// A response ends the NOTIFY whose branch it carries, if it comes from where that went.
    fn response(
        &mut self,
        now: Moment,
        phone: SocketAddrV4,
        status: u16,
        message: &message::Message,
    ) {
        let sent_branch = message.branch().unwrap_or("");
        let known = slot_in(sent_branch).and_then(|slot| {
            let waiting = self.waiting.find(slot)?;
            let own = waiting.phone == phone
                && waiting.is_sent
                && branch(slot, waiting.transaction) == sent_branch;
            own.then_some((slot, waiting))
        });
        match known {
            Some((slot, waiting)) if status >= 200 => {
                self.counters.count(match status {
                    200..300 => Counter::PnpConfirmed,
                    _ => Counter::PnpRefused,
                });
                waiting.confirmed = true;
                if let Some((batch, target, since)) = waiting.order.take() {
                    note(&batch, target, phone, Some(status), now.since(since));
                }
                if !waiting.again {
                    self.end(slot);
                }
            }
            _ => self.counters.count(Counter::PnpIgnored),
        }
    }

    /// Nobody answered in time, or nobody ordered it; or its second copy was not answered.
    fn give_up(&mut self, now: Moment, slot: Slot) {
        if let Some(waiting) = self.waiting.find(slot)
            && !waiting.confirmed
        {
            self.counters.count(Counter::PnpSilent);
            if let Some((batch, target, since)) = waiting.order.take() {
                note(&batch, target, waiting.phone, None, now.since(since));
            }
        }
        self.end(slot);
    }

    fn end(&mut self, slot: Slot) {
        let Some(waiting) = self.waiting.remove(slot) else {
            return;
        };
        if self.by_transaction.get(&waiting.transaction) == Some(&slot) {
            self.by_transaction.remove(&waiting.transaction);
        }
        if self.held.get(waiting.phone.ip()) == Some(&slot) {
            self.held.remove(waiting.phone.ip());
        }
    }

    fn hash(&self, value: &impl Hash) -> u64 {
        let mut hasher = FxHasher::default();
        self.config.seed.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    }
}

impl Way<'_> {
    fn send(&mut self, from: Endpoint, to: SocketAddrV4, write: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Datagrams(replies) => {
                replies.send(from, to, write);
            }
            Self::Stream(out) => write(out),
        }
    }
}

fn note(batch: &Batch, target: u32, from: SocketAddrV4, status: Option<u16>, after: Duration) {
    batch.note(Outcome {
        target,
        status,
        from,
        after,
    });
}

/// The branch of a NOTIFY: the cookie of RFC 3261 §8.1.1.7, its slot, and a part of its
/// transaction so that it cannot be guessed from others.
fn branch(slot: Slot, transaction: u64) -> String {
    let Slot { index, generation } = slot;
    let salt = transaction & 0xffff_ffff;
    format!("z9hG4bK{index:08x}{generation:08x}{salt:08x}")
}

fn slot_in(branch: &str) -> Option<Slot> {
    let digits = branch.strip_prefix("z9hG4bK")?;
    let number = |range| u32::from_str_radix(digits.get(range)?, 16).ok();
    Some(Slot {
        index: number(0..8)?,
        generation: number(8..16)?,
    })
}

#[cfg(test)]
mod tests;
