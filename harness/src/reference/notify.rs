//! Sends check-sync: a NOTIFY outside any dialog, which asks a phone to look for new configuration
//! (FLY-99, GIG-55, AUE-22), again and again until it answers, as RFC 3261 §17.1.2.2 says for UDP.

use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bootstorm_emulator::phone::AddressOfRecord;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sip::{self, Writer};
use rustc_hash::FxHasher;

use super::counters::{Counter, Counters};
use super::registrar::Registrar;
use super::replies::{Endpoint, Replies};
use super::timers::{Slab, Slot, Timers};

/// T1 of RFC 3261 §17.1.1.1: the first wait before a NOTIFY is sent again; it doubles.
const T1: Duration = Duration::from_millis(500);
/// T2: the longest wait.
const T2: Duration = Duration::from_secs(4);
/// Timer F: when a NOTIFY is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(32);
/// NOTIFYs that leave at one moment. A storm, but one that a receive buffer takes.
const BURST: u32 = 64;
/// Pause between two bursts.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest contact that is taken for a request URI, in bytes.
const CONTACT_BYTES_MAX: usize = 512;
/// Begins every branch of ours: the cookie of RFC 3261 §8.1.1.7 and a mark that no other request
/// of this server has.
const BRANCH: &str = "z9hG4bKcs";

/// Whom a NOTIFY is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it goes.
    pub to: SocketAddrV4,
    /// The user in the request URI: a MAC address or an account; empty = none.
    pub user: String,
    /// The address of record under which it is registered. Where the registrar beside the sender
    /// knows it, the NOTIFY goes to the registered contact instead (GIG-55).
    pub account: Option<AddressOfRecord>,
}

/// What one target answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The target's place in its batch.
    pub target: u32,
    /// The final status code; `None` when there was no answer in time.
    pub status: Option<u16>,
    /// Where the answer came from; the target's own address when there was none.
    pub from: SocketAddrV4,
    /// From the first transmission to the answer, or to giving up.
    pub after: Duration,
}

/// What the phones of a batch are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `Event: check-sync` and, when it is given, its parameter `reboot` (FLY-100).
    CheckSync(Option<bool>),
    /// An HTTP GET to where the phone takes connection requests (TR-069 §3.2.2). It is the
    /// auto-configuration server that sends it: it knows where that is.
    ConnectionRequest,
    /// The NOTIFY that the phone's SUBSCRIBE was not answered with yet (FAN-104). It is the PnP
    /// responder that sends it.
    PnpNotify,
}

/// Messages that were ordered together; shared with whoever waits for them.
#[derive(Debug)]
pub struct Batch {
    targets: Vec<Target>,
    message: Message,
    open: AtomicU32,
    outcomes: Mutex<Vec<Outcome>>,
}

/// How the targets of a batch answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    /// With a 2xx status.
    pub accepted: u32,
    /// With any other.
    pub refused: u32,
    /// Not at all.
    pub silent: u32,
}

/// The sender.
#[derive(Debug)]
pub struct Notifier {
    contact: SocketAddrV4,
    from: Endpoint,
    give_up_after: Duration,
    seed: u64,
    sent: u64,
    counters: Arc<Counters>,
    waiting: Slab<Waiting>,
    timers: Timers,
}

/// A NOTIFY that has not been answered. It is written anew each time.
#[derive(Debug)]
struct Waiting {
    batch: Arc<Batch>,
    target: u32,
    /// Where the registrar knew the target to be.
    contact: Option<Box<Contact>>,
    salt: u64,
    /// The first transmission; `None` before it.
    began: Option<Moment>,
    due: Moment,
    wait: Duration,
}

/// A registered contact.
#[derive(Debug)]
struct Contact {
    /// Where its REGISTER came from.
    to: SocketAddrV4,
    /// The request URI.
    uri: String,
}

impl Batch {
    /// One message to each of these targets.
    #[must_use]
    pub fn new(targets: Vec<Target>, message: Message) -> Arc<Self> {
        let open = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        Arc::new(Self {
            targets,
            message,
            open: AtomicU32::new(open),
            outcomes: Mutex::default(),
        })
    }

    /// What they are sent.
    #[must_use]
    pub fn message(&self) -> Message {
        self.message
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// True when every target has answered or was given up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// What is known so far, in the order in which it became known.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        let held = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// The outcomes as counts.
    #[must_use]
    pub fn answers(&self) -> Answers {
        let mut answers = Answers::default();
        for outcome in self.outcomes() {
            match outcome.status {
                Some(200..300) => answers.accepted += 1,
                Some(_) => answers.refused += 1,
                None => answers.silent += 1,
            }
        }
        answers
    }

    /// Gives up every target at once: nobody sends to them.
    pub fn drop_all(&self) {
        for (target, to) in (0_u32..).zip(&self.targets) {
            self.note(Outcome {
                target,
                status: None,
                from: to.to,
                after: Duration::ZERO,
            });
        }
    }

    /// Notes what came of one target; each is noted once.
    pub(crate) fn note(&self, outcome: Outcome) {
        let mut held = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(outcome);
        self.open.fetch_sub(1, Ordering::Release);
    }
}

impl Notifier {
    /// A sender whose messages leave from `from` and name `contact` as their own address. The same
    /// seed gives the same messages.
    #[must_use]
    pub fn new(contact: SocketAddrV4, from: Endpoint, seed: u64, counters: Arc<Counters>) -> Self {
        Self {
            contact,
            from,
            give_up_after: GIVE_UP_AFTER,
            seed,
            sent: 0,
            counters,
            waiting: Slab::default(),
            timers: Timers::default(),
        }
    }

    /// The same sender with another time after which a target is given up.
    #[must_use]
    pub fn giving_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = time;
        self
    }

    /// Names another address as its own.
    pub fn set_contact(&mut self, contact: SocketAddrV4) {
        self.contact = contact;
    }

    /// Takes an order; the first NOTIFYs leave with the next `tick`, which is due at once. Targets
    /// that `registrar` knows get them at their contacts.
    pub fn order(&mut self, now: Moment, batch: &Arc<Batch>, registrar: Option<&Registrar>) {
        for (target, whom) in (0_u32..).zip(&batch.targets) {
            let contact = registrar.and_then(|registrar| contact(registrar, whom, now));
            self.sent += 1;
            let mut hasher = FxHasher::default();
            (self.seed, self.sent).hash(&mut hasher);
            let due = now + PAUSE * (target / BURST);
            let slot = self.waiting.insert(Waiting {
                batch: Arc::clone(batch),
                target,
                contact: contact.map(Box::new),
                salt: hasher.finish(),
                began: None,
                due,
                wait: T1,
            });
            self.timers.add(due, slot);
        }
    }

    /// True for a datagram that may be an answer to a NOTIFY of this sender's.
    #[must_use]
    pub fn claims(bytes: &[u8]) -> bool {
        if !bytes.starts_with(b"SIP/") {
            return false;
        }
        let Ok(message) = sip::Message::parse(bytes) else {
            return false;
        };
        message.status().is_some() && branch_of(&message).is_some()
    }

    /// Takes an answer that came from `peer`.
    pub fn datagram(&mut self, now: Moment, peer: SocketAddrV4, bytes: &[u8]) {
        let Ok(message) = sip::Message::parse(bytes) else {
            return self.counters.count(Counter::NotifyIgnored);
        };
        let known = branch_of(&message).and_then(|(slot, salt)| {
            let waiting = self.waiting.find(slot)?;
            (waiting.salt == salt && waiting.began.is_some()).then_some(slot)
        });
        let (Some(status), Some(slot)) = (message.status(), known) else {
            return self.counters.count(Counter::NotifyIgnored);
        };
        if status < 200 {
            // Somebody works on it: no hurry (RFC 3261 §17.1.2.2, "Proceeding").
            if let Some(waiting) = self.waiting.find(slot) {
                waiting.wait = T2;
            }
            return;
        }
        let Some(waiting) = self.waiting.remove(slot) else {
            return;
        };
        self.counters.count(match status {
            200..300 => Counter::NotifyAccepted,
            _ => Counter::NotifyRefused,
        });
        waiting.batch.note(Outcome {
            target: waiting.target,
            status: Some(status),
            from: peer,
            after: waiting.began.map_or(Duration::ZERO, |at| now.since(at)),
        });
    }

    /// When `tick` has something to do; never later than that.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Sends what is due, and gives up what was not answered in time.
    pub fn tick(&mut self, now: Moment, replies: &mut Replies) {
        while let Some(slot) = self.timers.take_due(now) {
            let Some(waiting) = self.waiting.find(slot) else {
                continue;
            };
            let began = *waiting.began.get_or_insert(now);
            let give_up = began + self.give_up_after;
            if now >= give_up {
                self.give_up(now, slot);
                continue;
            }
            let first = now == began && waiting.wait == T1;
            self.counters.count(match first {
                true => Counter::NotifySent,
                false => Counter::NotifyResent,
            });
            let known = waiting.contact.as_deref();
            if first && known.is_some() {
                self.counters.count(Counter::NotifyToContact);
            }
            if let Some(target) = waiting.batch.targets.get(waiting.target as usize) {
                let marks = Marks {
                    own: self.contact,
                    reboot: match waiting.batch.message {
                        Message::CheckSync(reboot) => reboot,
                        Message::ConnectionRequest | Message::PnpNotify => None,
                    },
                    branch: &branch(slot, waiting.salt),
                    salt: waiting.salt,
                };
                let to = known.map_or(target.to, |known| known.to);
                replies.send(self.from, to, |out| write(out, target, known, &marks));
            }
            waiting.due = (now + waiting.wait).min(give_up);
            waiting.wait = (waiting.wait * 2).min(T2);
            self.timers.add(waiting.due, slot);
        }
    }

    fn give_up(&mut self, now: Moment, slot: Slot) {
        let Some(waiting) = self.waiting.remove(slot) else {
            return;
        };
        self.counters.count(Counter::NotifySilent);
        let target = waiting.batch.targets.get(waiting.target as usize);
        waiting.batch.note(Outcome {
            target: waiting.target,
            status: None,
            from: target.map_or(self.contact, |target| target.to),
            after: waiting.began.map_or(Duration::ZERO, |at| now.since(at)),
        });
    }
}

/// The contact of a target, if the registrar holds one that came from its address, as a datagram.
fn contact(registrar: &Registrar, target: &Target, now: Moment) -> Option<Contact> {
    let AddressOfRecord { user, domain } = target.account.as_ref()?;
    let mut held = registrar.bindings(user, domain, now);
    let held = held.find(|held| !held.stream && held.peer.ip() == target.to.ip())?;
    // What a phone named is written into a start line.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"".contains(&byte);
    let fits = held.contact.len() <= CONTACT_BYTES_MAX && held.contact.bytes().all(plain);
    fits.then(|| Contact {
        to: held.peer,
        uri: held.contact.clone(),
    })
}

/// What makes one NOTIFY its own.
struct Marks<'a> {
    own: SocketAddrV4,
    reboot: Option<bool>,
    branch: &'a str,
    salt: u64,
}

fn write(out: &mut Vec<u8>, target: &Target, contact: Option<&Contact>, marks: &Marks<'_>) {
    let Marks {
        own: own_address,
        reboot,
        branch,
        salt,
    } = *marks;
    let Target { to, user, account } = target;
    let at = if user.is_empty() { "" } else { "@" };
    let (uri, named) = match (contact, account) {
        (Some(contact), Some(account)) => (
            contact.uri.clone(),
            format!("<sip:{}@{}>", sip::escaped(&account.user), account.domain),
        ),
        _ => (
            format!("sip:{user}{at}{to}"),
            format!("<sip:{user}{at}{}>", to.ip()),
        ),
    };
    let event = match reboot {
        None => "check-sync",
        Some(false) => "check-sync;reboot=false",
        Some(true) => "check-sync;reboot=true",
    };
    let own = own_address.ip();
    Writer::request(out, "NOTIFY", &uri, b"")
        .header(
            "Via",
            format!("SIP/2.0/UDP {own_address};branch={branch};rport"),
        )
        .header("Max-Forwards", "70")
        .header("From", format!("<sip:{own}>;tag={:08x}", salt >> 32))
        .header("To", named)
        .header("Call-ID", format!("{salt:016x}@{own}"))
        .header("CSeq", "1 NOTIFY")
        .header("Contact", format!("<sip:{own_address}>"))
        .header("Event", event)
        .header("Subscription-State", "terminated")
        .finish();
}

fn branch(slot: Slot, salt: u64) -> String {
    let Slot { index, generation } = slot;
    format!("{BRANCH}{index:08x}{generation:08x}{salt:016x}")
}

/// The slot and salt in the branch of the topmost Via, if it is one of ours.
fn branch_of(message: &sip::Message) -> Option<(Slot, u64)> {
    let via = message.top_via()?;
    let text = std::str::from_utf8(via.parameter("branch")?).ok()?;
    let digits = text.strip_prefix(BRANCH)?;
    let index = u32::from_str_radix(digits.get(..8)?, 16).ok()?;
    let generation = u32::from_str_radix(digits.get(8..16)?, 16).ok()?;
    let salt = u64::from_str_radix(digits.get(16..32)?, 16).ok()?;
    Some((Slot { index, generation }, salt))
}

#[cfg(test)]
mod tests;
