//! The SIP registrar: REGISTER with Digest over UDP and over a stream (RFC 3261 §10.3), so that
//! "the account that was provisioned works" can be seen.
//!
//! Messages are split by the emulator's own codec; rsip reads the addresses in them, and where it
//! rejects one the text itself is taken.

mod connection;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::sip::{self, Answer, Message, Value, Writer};
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rustc_hash::{FxHashMap, FxHasher};

use super::counters::{Counter, Counters};
use super::http::Scheme;
use super::http::auth::{Asked, Realm, Verdict};
pub use connection::{Lines, SipConnection};

/// Contacts of one address of record; one more is refused.
const CONTACTS_MAX: usize = 8;
const ALLOW: &str = "REGISTER, OPTIONS";

/// How the registrar is set up.
#[derive(Debug, Clone)]
pub struct RegistrarConfig {
    /// The realm's name; must not hold quotes or control characters.
    pub realm: String,
    /// The digests offered, in this order, each as a challenge of its own. `Basic` is no scheme
    /// of SIP. Empty = nobody is asked.
    pub schemes: Vec<Scheme>,
    /// How long a nonce is taken; a correct answer to an older one is told `stale=true`.
    pub nonce_lifetime: Duration,
    /// Every so-manieth correct answer is told `stale=true` as well; 0 = none.
    pub stale_every: u32,
    /// The accounts there are.
    pub accounts: Accounts,
    /// Seconds granted at least; less is answered 423.
    pub expires_min_s: u32,
    /// Seconds granted at most.
    pub expires_max_s: u32,
    /// What wrong credentials are answered: 401 or 403.
    pub wrong_status: u16,
    /// Addresses of record registered at one time; one more is answered 503.
    pub bindings_max: usize,
    /// Key of nonces and tags: the same seed gives the same messages.
    pub seed: u64,
}

/// The account of a user at a domain, if there is one.
#[derive(Clone)]
pub struct Accounts(pub Arc<Lookup>);

/// Says what the owner of a user's account at a domain must know.
pub type Lookup = dyn Fn(&str, &str) -> Option<Credentials> + Send + Sync;

/// What an account's owner must know.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Where a phone is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The address that the phone named.
    pub contact: String,
    /// Where its REGISTER came from.
    pub peer: SocketAddrV4,
    /// It came over a stream.
    pub stream: bool,
    /// When it ends.
    pub until: Moment,
    call: u64,
    cseq: u32,
}

/// The registrar.
#[derive(Debug)]
pub struct Registrar {
    config: RegistrarConfig,
    counters: Arc<Counters>,
    bindings: FxHashMap<Box<str>, Vec<Binding>>,
    granted: u32,
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The sender.
    pub peer: SocketAddrV4,
    /// Over a stream rather than as a datagram.
    pub stream: bool,
}

/// What is said to a REGISTER.
#[derive(Debug)]
struct Ruling {
    status: u16,
    fields: Vec<(&'static str, String)>,
}

impl RegistrarConfig {
    /// A registrar that asks for MD5 or SHA-256 digests and grants up to an hour.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self {
            realm: "bootstorm".to_owned(),
            schemes: vec![Scheme::DigestSha256, Scheme::DigestMd5],
            nonce_lifetime: Duration::from_secs(3_600),
            stale_every: 0,
            accounts,
            expires_min_s: 60,
            expires_max_s: 3_600,
            wrong_status: 401,
            bindings_max: 1 << 24,
            seed: 0,
        }
    }
}

impl Registrar {
    /// A registrar that nobody registered with.
    #[must_use]
    pub fn new(config: RegistrarConfig, counters: Arc<Counters>) -> Self {
        Self {
            config,
            counters,
            bindings: FxHashMap::default(),
            granted: 0,
        }
    }

    /// True for a message that this registrar answers rather than a PnP server.
    #[must_use]
    pub fn wants(bytes: &[u8]) -> bool {
        let start = bytes.trim_ascii_start();
        start.starts_with(b"REGISTER ") || start.starts_with(b"OPTIONS ")
    }

    /// How many addresses of record are registered, those included whose time is over and that
    /// nobody asked for since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// True when nobody is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Where `user@domain` is reached at `now`.
    pub fn bindings(
        &self,
        user: &str,
        domain: &str,
        now: Moment,
    ) -> impl Iterator<Item = &Binding> {
        let held = self.bindings.get(record(user, domain).as_str());
        let held = held.map_or(&[][..], Vec::as_slice).iter();
        held.filter(move |binding| binding.until > now)
    }

    /// Takes one message and appends the answer to `out`, if there is one.
    pub fn message(&mut self, now: Moment, origin: Origin, bytes: &[u8], out: &mut Vec<u8>) {
        let Ok(message) = Message::parse(bytes) else {
            return self.counters.count(Counter::SipMalformed);
        };
        let Some(uri) = message.uri() else {
            // An answer to a request of nobody here.
            return;
        };
        let ruling = match message.method() {
            Some("ACK") => return,
            Some("REGISTER") => self.register(now, origin, &message, uri),
            Some("OPTIONS") => Ruling::with(200, "Allow", ALLOW.to_owned()),
            _ => Ruling::with(405, "Allow", ALLOW.to_owned()),
        };
        let answer = Answer {
            status: ruling.status,
            tag: (self.hash(&message.call_id()) >> 32) as u32,
            source: Some(origin.peer),
        };
        let mut reply = Writer::reply(out, &message, &answer, b"");
        for (name, value) in &ruling.fields {
            reply = reply.header(name, value);
        }
        reply.finish();
    }

    fn register(
        &mut self,
        now: Moment,
        origin: Origin,
        message: &Message<'_>,
        uri: &str,
    ) -> Ruling {
        self.counters.count(Counter::SipRegister);
        let address = message.header("To").and_then(address_of_record);
        let (Some((user, domain)), Some(_), Some((cseq, _))) =
            (address, message.call_id(), message.cseq())
        else {
            self.counters.count(Counter::SipMalformed);
            return Ruling::bare(400);
        };
        if let Some(extension) = message.header("Require") {
            self.counters.count(Counter::SipRefused);
            let extension = String::from_utf8_lossy(extension).into_owned();
            return Ruling::with(420, "Unsupported", extension);
        }
        let Some(credentials) = (self.config.accounts.0)(&user, &domain) else {
            self.counters.count(Counter::SipUnknownAccount);
            return Ruling::bare(404);
        };
        if let Some(refusal) = self.authenticate(now, message, uri, credentials) {
            return refusal;
        }
        let ruling = self.bind(now, origin, message, Record { user, domain, cseq });
        self.counters.count(match ruling.status {
            200 => Counter::SipRegistered,
            _ => Counter::SipRefused,
        });
        ruling
    }

    /// What is said to somebody who has not proven who he is.
    fn authenticate(
        &mut self,
        now: Moment,
        message: &Message<'_>,
        uri: &str,
        credentials: Credentials,
    ) -> Option<Ruling> {
        if self.config.schemes.is_empty() {
            return None;
        }
        let realm = Realm {
            path: String::new(),
            name: self.config.realm.clone(),
            schemes: self.config.schemes.clone(),
            nonce_lifetime: self.config.nonce_lifetime,
            users: std::iter::once((credentials.user, credentials.password)).collect(),
        };
        let challenge = |stale| Ruling {
            status: 401,
            fields: realm
                .challenges(now, self.config.seed, stale)
                .into_iter()
                .map(|value| ("WWW-Authenticate", value))
                .collect(),
        };
        let Some(authorization) = message.header("Authorization") else {
            self.counters.count(Counter::SipChallenged);
            return Some(challenge(false));
        };
        let asked = Asked {
            now,
            method: "REGISTER",
            target: uri,
            authorization: Some(authorization),
        };
        let due = self.config.stale_every > 0
            && (self.granted + 1).is_multiple_of(self.config.stale_every);
        match realm.check(asked, self.config.seed) {
            Verdict::Granted if !due => {
                self.granted = self.granted.wrapping_add(1);
                None
            }
            Verdict::Granted | Verdict::Stale => {
                self.granted = self.granted.wrapping_add(1);
                self.counters.count(Counter::SipStale);
                Some(challenge(true))
            }
            Verdict::Denied => {
                self.counters.count(Counter::SipDenied);
                Some(match self.config.wrong_status {
                    401 => challenge(false),
                    status => Ruling::bare(status),
                })
            }
        }
    }

    /// Steps 6 to 8 of RFC 3261 §10.3.
    fn bind(
        &mut self,
        now: Moment,
        origin: Origin,
        message: &Message<'_>,
        record: Record,
    ) -> Ruling {
        let key = record.key();
        let call = self.hash(&message.call_id());
        let wanted = match self.wanted(message) {
            Ok(wanted) => wanted,
            Err(refusal) => return refusal,
        };
        if !self.bindings.contains_key(key.as_str())
            && self.bindings.len() >= self.config.bindings_max
        {
            self.bindings.retain(|_, held| {
                held.retain(|binding| binding.until > now);
                !held.is_empty()
            });
            if self.bindings.len() >= self.config.bindings_max {
                return Ruling::bare(503);
            }
        }
        // All of a request counts or nothing of it.
        let mut held = self.bindings.get(key.as_str()).cloned().unwrap_or_default();
        held.retain(|binding| binding.until > now);
        let outdated = |binding: &Binding| binding.call == call && binding.cseq > record.cseq;
        if held.iter().any(outdated) {
            return Ruling::bare(500);
        }
        for (contact, seconds) in wanted {
            held.retain(|binding| contact != "*" && binding.contact != contact);
            if seconds == 0 {
                continue;
            }
            if held.len() >= CONTACTS_MAX {
                return Ruling::bare(503);
            }
            held.push(Binding {
                contact,
                peer: origin.peer,
                stream: origin.stream,
                until: now + Duration::from_secs(u64::from(seconds)),
                call,
                cseq: record.cseq,
            });
        }
        let fields = held.iter().map(|binding| {
            let left = binding.until.since(now).as_secs();
            ("Contact", format!("<{}>;expires={left}", binding.contact))
        });
        let fields = fields.collect();
        if held.is_empty() {
            self.bindings.remove(key.as_str());
        } else {
            self.bindings.insert(key.into(), held);
        }
        Ruling {
            status: 200,
            fields,
        }
    }

    /// The contacts of a request with the seconds that they get; `*` only to be removed.
    fn wanted(&self, message: &Message<'_>) -> Result<Vec<(String, u32)>, Ruling> {
        let (least, most) = (self.config.expires_min_s, self.config.expires_max_s);
        let common = message.header("Expires").and_then(number);
        let mut wanted = Vec::new();
        for element in message.all("Contact").flat_map(sip::elements) {
            let value = Value::new(element);
            let own = value.parameter("expires").and_then(number);
            let seconds = own.or(common).unwrap_or(most);
            if value.main == b"*" {
                if seconds != 0 {
                    return Err(Ruling::bare(400));
                }
                wanted.push(("*".to_owned(), 0));
                continue;
            }
            if seconds > 0 && seconds < least {
                return Err(Ruling::with(423, "Min-Expires", least.to_string()));
            }
            let Some(contact) = uri_of(element) else {
                return Err(Ruling::bare(400));
            };
            wanted.push((contact, seconds.min(most)));
        }
        // `*` stands alone.
        if wanted.len() > 1 && wanted.iter().any(|(contact, _)| contact == "*") {
            return Err(Ruling::bare(400));
        }
        Ok(wanted)
    }

    fn hash(&self, value: &impl Hash) -> u64 {
        let mut hasher = FxHasher::default();
        self.config.seed.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    }
}

/// Who registers, and where in his call the request stands.
#[derive(Debug)]
struct Record {
    user: String,
    domain: String,
    cseq: u32,
}

impl Record {
    fn key(&self) -> String {
        record(&self.user, &self.domain)
    }
}

impl Ruling {
    fn bare(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
        }
    }

    fn with(status: u16, name: &'static str, value: String) -> Self {
        Self {
            status,
            fields: vec![(name, value)],
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Accounts")
    }
}

impl fmt::Debug for Credentials {
    /// Says nothing of the password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The key of an address of record: a domain's case does not count (RFC 3261 §19.1.4).
fn record(user: &str, domain: &str) -> String {
    format!("{user}@{}", domain.to_ascii_lowercase())
}

/// User (escapes undone) and domain of a To.
fn address_of_record(to: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(to).ok()?;
    let typed = rsip::headers::To::new(text).typed();
    let (user, domain) = match &typed {
        Ok(typed) => (
            typed.uri.user().map(str::to_owned),
            typed.uri.host().to_string(),
        ),
        Err(_) => {
            let uri = uri_of(to)?;
            let (_, rest) = uri.split_once(':')?;
            let (user, host) = rest.split_once('@')?;
            let end = host.find([':', ';', '?']).unwrap_or(host.len());
            let host = host.get(..end).unwrap_or_default();
            (Some(user.to_owned()), host.to_owned())
        }
    };
    let user = unescaped(&user?);
    (!user.is_empty() && !domain.is_empty()).then_some((user, domain))
}

/// The URI in a name-addr or addr-spec, without header parameters.
fn uri_of(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let typed = rsip::headers::Contact::new(text).typed();
    if let Ok(typed) = typed
        && text.contains(&typed.uri.to_string())
    {
        return Some(typed.uri.to_string());
    }
    let uri = match text.split_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => text.split(';').next()?,
    };
    let uri = uri.trim();
    uri.contains(':').then(|| uri.to_owned())
}

fn unescaped(user: &str) -> String {
    let bytes = user.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = user.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                plain.push(code);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}
