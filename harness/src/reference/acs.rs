//! An auto-configuration server (TR-069): it takes Informs, goes through a script of remote
//! procedure calls with each phone, and counts what was reported of downloads.
//!
//! A session is known by its cookie, a phone by its serial number. The script of a phone goes on
//! where it stopped: a call of Download or Reboot ends the session, and the next call waits for
//! TransferComplete or for the boot. What it does wrong on demand is `AcsFault`.

mod caller;
mod script;
mod session;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::soap::{self, Inform, Message, Version};
use bootstorm_scenarios::plan::Login;
use bootstorm_scenarios::scenario::AcsFault;
use rustc_hash::{FxHashMap, FxHasher};

use super::counters::{Counter, Counters};
use super::http::auth::{Asked, Guard, Scheme, Verdict};
use super::http::{Reply, Request, origin_form, path_of};
pub use caller::{Caller, Said};
pub use script::{Awaits, Call, call};
use session::{Session, Turn};

/// The realm of the challenges.
const REALM: &str = "acs";
/// How long a nonce is taken.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);
/// The cookie that names a session.
const COOKIE: &str = "session";
/// How late a delayed answer comes (FAN-123).
const LATE: Duration = Duration::from_secs(5);
/// The longest serial number or connection request URL that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 256;

/// How the server is set up.
#[derive(Clone)]
pub struct AcsConfig {
    /// The path of requests to it.
    pub path: String,
    /// What it knows of a phone, by serial number.
    pub phones: Registry,
    /// Sessions at one time; an Inform over it is answered 503.
    pub sessions_max: usize,
    /// How long a session lives that nothing is heard of.
    pub session_life: Duration,
    /// Phones that it keeps in mind; an Inform of one more is answered 503.
    pub phones_max: usize,
    /// Key of cookies and nonces: the same seed gives the same ones.
    pub seed: u64,
}

/// Finds what is known of the phone with a serial number.
pub type Registry = Arc<dyn Fn(&str) -> Option<Managed> + Send + Sync>;

/// What is known of a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// Its address.
    pub mac: Mac,
    /// What it must prove to know; `None` = nothing.
    pub login: Option<(Scheme, Login)>,
    /// What a connection request to it proves.
    pub connection: Login,
    /// What it is asked to do.
    pub calls: Vec<Call>,
    /// What the server does wrong.
    pub fault: Option<AcsFault>,
    /// In how many of its sessions; `None` = all.
    pub fault_times: Option<u16>,
}

/// The server.
#[derive(Debug)]
pub struct Acs {
    config: AcsConfig,
    counters: Arc<Counters>,
    sessions: FxHashMap<u64, Session>,
    /// The sessions in the order in which they were last looked at here, with that moment.
    ages: VecDeque<(Moment, u64)>,
    phones: FxHashMap<Mac, Progress>,
    begun: u64,
}

/// How far a phone has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Its serial number.
    serial: String,
    /// Calls of its script that are done.
    done: usize,
    /// What the next one waits for.
    waits: Option<Awaits>,
    /// The call done last was FactoryReset.
    cleared: bool,
    /// Sessions in which something was done wrong.
    faults: u16,
    /// Its session, if it has one.
    session: Option<u64>,
    /// Where it takes connection requests.
    url: String,
}

impl AcsConfig {
    /// A server at a path for these phones.
    #[must_use]
    pub fn new(path: &str, phones: Registry) -> Self {
        Self {
            path: path.to_owned(),
            phones,
            sessions_max: 65_536,
            session_life: Duration::from_secs(60),
            phones_max: 1 << 20,
            seed: 0,
        }
    }
}

impl fmt::Debug for AcsConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = out.debug_struct("AcsConfig");
        debug.field("path", &self.path);
        debug.finish_non_exhaustive()
    }
}

impl Acs {
    /// A server that has heard of no phone yet.
    #[must_use]
    pub fn new(config: AcsConfig, counters: Arc<Counters>) -> Self {
        Self {
            config,
            counters,
            sessions: FxHashMap::default(),
            ages: VecDeque::new(),
            phones: FxHashMap::default(),
            begun: 0,
        }
    }

    /// True for a request to its path.
    #[must_use]
    pub fn is_meant(&self, request: &Request) -> bool {
        origin_form(request.target).is_some_and(|target| path_of(target) == self.config.path)
    }

    /// Sessions that are going on, or were not yet forgotten.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether a phone has done its whole script, downloads reported included.
    #[must_use]
    pub fn is_done(&self, mac: Mac) -> bool {
        let Some(progress) = self.phones.get(&mac) else {
            return false;
        };
        let known = (self.config.phones)(&progress.serial);
        known.is_some_and(|known| progress.done >= known.calls.len()) && progress.waits.is_none()
    }

    /// A connection request to a phone that has been here; `None` for one that has not, or that
    /// named no URL of the address `at`: a phone must not send this server elsewhere.
    #[must_use]
    pub fn visit(&self, mac: Mac, at: Ipv4Addr) -> Option<Caller> {
        self.counters.count(Counter::ConnectionRequest);
        let progress = self.phones.get(&mac)?;
        let known = (self.config.phones)(&progress.serial)?;
        Caller::new(&progress.url, at, known.connection)
    }

    /// Counts what came of a connection request.
    pub(super) fn visited(&self, status: Option<u16>) {
        self.counters.count(match status {
            Some(200 | 204) => Counter::ConnectionRequestTaken,
            Some(_) => Counter::ConnectionRequestRefused,
            None => Counter::ConnectionRequestSilent,
        });
    }

    /// Answers one POST.
    #[must_use]
    pub fn handle(&mut self, now: Moment, request: &Request) -> Reply {
        if request.method != "POST" {
            return Reply::plain(405).with("allow", "POST");
        }
        let cookie = request.header("cookie").and_then(cookie_of);
        let cookie = cookie.filter(|cookie| self.is_alive(now, *cookie));
        if request.body.trim_ascii().is_empty() {
            return match cookie {
                Some(cookie) => self.turn(now, cookie, Turn::Empty),
                None => self.refusal(400, Counter::AcsStray),
            };
        }
        let Ok(envelope) = soap::read(request.body) else {
            return self.refusal(400, Counter::AcsMalformed);
        };
        match (&envelope.message, cookie) {
            (Message::Inform(inform), _) => {
                let version = envelope.version.unwrap_or(Version::V1_0);
                let id = envelope.id.as_deref().unwrap_or_default();
                self.begin(now, request, inform, (version, id))
            }
            (_, Some(cookie)) => self.turn(now, cookie, Turn::Message(&envelope)),
            (_, None) => self.refusal(400, Counter::AcsStray),
        }
    }

    /// An Inform: a phone begins a session.
    fn begin(
        &mut self,
        now: Moment,
        request: &Request,
        inform: &Inform<'_>,
        (version, id): (Version, &str),
    ) -> Reply {
        let serial = inform.serial.as_ref();
        let known = Some(serial).filter(|serial| serial.len() <= KEPT_BYTES_MAX);
        let Some(known) = known.and_then(|serial| (self.config.phones)(serial)) else {
            return self.refusal(403, Counter::AcsUnknownPhone);
        };
        if let Some(challenge) = self.challenge(now, request, &known) {
            return challenge;
        }
        self.forget_old(now);
        let is_new = !self.phones.contains_key(&known.mac);
        if self.sessions.len() >= self.config.sessions_max
            || is_new && self.phones.len() >= self.config.phones_max
        {
            return self.refusal(503, Counter::AcsSessionDropped);
        }
        self.count_events(inform);
        let progress = self.phones.entry(known.mac).or_default();
        progress.informed(inform);
        let times = known.fault_times.unwrap_or(u16::MAX);
        let fault = known.fault.filter(|_| progress.faults < times);
        if fault.is_some() {
            progress.faults = progress.faults.saturating_add(1);
            self.counters.count(Counter::AcsFaultPlayed);
        }
        if fault == Some(AcsFault::Unavailable) {
            return Reply::plain(503);
        }
        self.begun += 1;
        let mut hasher = FxHasher::default();
        (self.config.seed, self.begun, serial).hash(&mut hasher);
        let cookie = hasher.finish();
        if let Some(old) = progress.session.replace(cookie)
            && self.sessions.remove(&old).is_some()
        {
            self.counters.count(Counter::AcsSessionExpired);
        }
        self.counters.count(Counter::AcsSession);
        let mut session = Session::new(known.mac, version, known.calls, fault);
        session.heard = now;
        let reply = session.answer_inform(id);
        if fault == Some(AcsFault::SoapFault) {
            return reply;
        }
        self.sessions.insert(cookie, session);
        // Phones that begin again and again leave ages without a session.
        if self.ages.len() > self.config.sessions_max.saturating_mul(2) {
            let sessions = &self.sessions;
            self.ages
                .retain(|(_, cookie)| sessions.contains_key(cookie));
        }
        self.ages.push_back((now, cookie));
        reply.with("set-cookie", format!("{COOKIE}={cookie:016x}; Path=/"))
    }

    /// 401 for a phone that has not proved who it is.
    fn challenge(&self, now: Moment, request: &Request, known: &Managed) -> Option<Reply> {
        let (scheme, login) = known.login.as_ref()?;
        let password = |user: &str| (user == login.user).then(|| login.password.clone());
        let guard = Guard {
            name: REALM,
            schemes: &[*scheme],
            nonce_lifetime: NONCE_LIFETIME,
            password: &password,
        };
        let authorization = request.header("authorization");
        let asked = Asked {
            now,
            method: request.method,
            target: origin_form(request.target).unwrap_or_default(),
            authorization,
        };
        let verdict = guard.check(asked, self.config.seed);
        if verdict == Verdict::Granted {
            return None;
        }
        self.counters.count(match authorization {
            None => Counter::AcsChallenged,
            Some(_) => Counter::AcsDenied,
        });
        let stale = verdict == Verdict::Stale;
        Some(Reply::challenge(guard.challenges(
            now,
            self.config.seed,
            stale,
        )))
    }

    /// What a phone says within its session.
    fn turn(&mut self, now: Moment, cookie: u64, turn: Turn<'_>) -> Reply {
        let Some(session) = self.sessions.get_mut(&cookie) else {
            return self.refusal(400, Counter::AcsStray);
        };
        session.heard = now;
        let Some(progress) = self.phones.get_mut(&session.mac) else {
            return self.refusal(400, Counter::AcsStray);
        };
        let (reply, over) = session.turn(progress, &self.counters, turn);
        if over {
            progress.session = None;
            self.sessions.remove(&cookie);
        }
        reply
    }

    fn is_alive(&self, now: Moment, cookie: u64) -> bool {
        let session = self.sessions.get(&cookie);
        session.is_some_and(|it| now.since(it.heard) <= self.config.session_life)
    }

    /// Forgets sessions that nothing was heard of for too long. Each is looked at once in its
    /// life, so that an Inform costs the same however many there are.
    fn forget_old(&mut self, now: Moment) {
        while let Some((at, cookie)) = self.ages.front().copied() {
            if now.since(at) <= self.config.session_life {
                return;
            }
            self.ages.pop_front();
            let heard = self.sessions.get(&cookie).map(|it| it.heard);
            match heard {
                Some(heard) if now.since(heard) <= self.config.session_life => {
                    self.ages.push_back((now, cookie));
                }
                Some(_) => {
                    self.sessions.remove(&cookie);
                    self.counters.count(Counter::AcsSessionExpired);
                }
                None => {}
            }
        }
    }

    fn count_events(&self, inform: &Inform<'_>) {
        for (code, _) in &inform.events {
            self.counters.count(match code.as_ref() {
                "0 BOOTSTRAP" => Counter::AcsBootstrap,
                "1 BOOT" => Counter::AcsBoot,
                "2 PERIODIC" => Counter::AcsPeriodic,
                "3 SCHEDULED" => Counter::AcsScheduled,
                "4 VALUE CHANGE" => Counter::AcsValueChange,
                "6 CONNECTION REQUEST" => Counter::AcsConnectionRequested,
                "7 TRANSFER COMPLETE" => Counter::AcsTransferEvent,
                _ => Counter::AcsOtherEvent,
            });
        }
    }

    fn refusal(&self, status: u16, counter: Counter) -> Reply {
        self.counters.count(counter);
        Reply::plain(status)
    }
}

impl Progress {
    /// Notes what an Inform says of a phone.
    fn informed(&mut self, inform: &Inform<'_>) {
        inform.serial.as_ref().clone_into(&mut self.serial);
        let has = |code: &str| inform.events.iter().any(|(known, _)| known == code);
        // A phone that says so has never been here: it begins again, unless that was the order.
        if has("0 BOOTSTRAP") && !self.cleared {
            self.done = 0;
            self.waits = None;
        }
        self.cleared = false;
        if self.waits == Some(Awaits::Boot) && (has("1 BOOT") || has("0 BOOTSTRAP")) {
            self.waits = None;
        }
        let mut values = inform.parameters.iter();
        let url = values.find(|value| value.name.ends_with(".ConnectionRequestURL"));
        if let Some(url) = url.filter(|url| url.value.len() <= KEPT_BYTES_MAX) {
            self.url.clear();
            self.url.push_str(&url.value);
        }
    }
}

/// The session that a `Cookie` header names.
fn cookie_of(header: &[u8]) -> Option<u64> {
    let header = str::from_utf8(header).ok()?;
    let mut pairs = header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
    u64::from_str_radix(value.trim_matches('"'), 16).ok()
}
