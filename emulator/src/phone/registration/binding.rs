//! One account's registration: REGISTER, its challenges, its refreshes (RFC 3261 §10.2).
//!
//! ```text
//! Due → Asking ─ 200 ────────→ Registered ─ before it ends → Asking …
//!         ↑    ├ 401, 407 ───→ the same with credentials, at most twice
//!         │    ├ 423 ────────→ the same for a longer time, once
//!         │    └ other, none → Failed ─ after the vendor's pause → Asking …
//! ```

use std::net::SocketAddrV4;
use std::time::Duration;

use super::attempt::{Attempt, Before, Credentials};
use super::line::Line;
use super::message::{self, Marks};
use crate::event::{EventKind, Fault};
use crate::phone::io::{Channel, Connection, ConnectionFault};
use crate::phone::turn::Turn;
use crate::profile::StepId;
use crate::profile::accounts::SipAccount;
use crate::time::Moment;
use crate::transfer::http::AuthMethod;
use crate::transfer::http::auth::{Challenge, Grant, Login};
use crate::wire::Malformed;
use crate::wire::sip::Message;

/// RFC 3261 §17.1.2.2: the first wait for an answer over UDP, the longest one, and all together.
pub(super) const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const TIMER_F: Duration = Duration::from_secs(32);
/// A registration is refreshed this long before it ends, so that a whole transaction fits in …
const LEAD_S: u32 = 60;
/// … and a shorter one after half its time.
const SHORT_S: u32 = 120;
/// One that ends sooner is as good as none: a registrar must not keep a phone busy.
const LEAST_S: u32 = 2;
pub(super) const NEVER: Moment = Moment::from_nanos(u64::MAX);

/// One account and how far it is. Holds no settings: they are read again for every REGISTER.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) account: u8,
    /// `SipAccount::print` of what is registered.
    pub(super) print: u64,
    phase: Phase,
    call_id: u64,
    tag: u32,
    cseq: u32,
    /// The last challenge: its nonce serves for refreshes too (RFC 3261 §22.1).
    grant: Option<Box<Grant>>,
    /// A proxy made it.
    proxy: bool,
    line: Option<Box<Line>>,
}

#[derive(Debug)]
enum Phase {
    /// To be registered as soon as the phone idles.
    Due,
    Asking(Box<Attempt>),
    Registered {
        refresh: Moment,
    },
    Failed {
        fault: Fault,
        retry: Moment,
    },
}

/// Numbers for the connections of one phone, apart from those of its transfers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines(u16);

impl Lines {
    fn next(&mut self) -> Connection {
        let number = self.0;
        self.0 = (number + 1) % 0x4000;
        Connection(0xc000 + number)
    }
}

impl Binding {
    pub(super) fn new(turn: &mut Turn<'_>, account: &SipAccount) -> Self {
        Self {
            account: account.number,
            print: account.print(),
            phase: Phase::Due,
            call_id: turn.rng.next_u64(),
            tag: turn.rng.next_u32(),
            cseq: 0,
            grant: None,
            proxy: false,
            line: None,
        }
    }

    /// True until it is known whether the account can be registered.
    pub(super) fn is_pending(&self) -> bool {
        match &self.phase {
            Phase::Due => true,
            Phase::Asking(attempt) => attempt.before == Before::Nothing,
            Phase::Registered { .. } | Phase::Failed { .. } => false,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        matches!(self.phase, Phase::Due)
    }

    pub(super) fn is_registered(&self) -> bool {
        match &self.phase {
            Phase::Registered { .. } => true,
            Phase::Asking(attempt) => attempt.before == Before::Registered,
            Phase::Due | Phase::Failed { .. } => false,
        }
    }

    /// Why it is not registered, if it was tried.
    pub(super) fn fault(&self) -> Option<Fault> {
        match &self.phase {
            Phase::Failed { fault, .. } => Some(*fault),
            Phase::Asking(attempt) => match attempt.before {
                Before::Failed(fault) => Some(fault),
                Before::Nothing | Before::Registered => None,
            },
            Phase::Due | Phase::Registered { .. } => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let own = match &self.phase {
            Phase::Due => NEVER,
            Phase::Asking(attempt) => attempt.next.min(attempt.give_up),
            Phase::Registered { refresh } => *refresh,
            Phase::Failed { retry, .. } => *retry,
        };
        let line = self.line.as_ref().and_then(|line| line.deadline());
        Some(own.min(line.unwrap_or(NEVER))).filter(|at| *at != NEVER)
    }

    /// What a new attempt would follow, when one is due by its timer.
    pub(super) fn wants(&self, now: Moment) -> Option<Before> {
        match &self.phase {
            Phase::Registered { refresh } if *refresh <= now => Some(Before::Registered),
            Phase::Failed { fault, retry } if *retry <= now => Some(Before::Failed(*fault)),
            _ => None,
        }
    }

    /// The account or the phone's address is another one: to be registered from the beginning.
    pub(super) fn reset(&mut self, turn: &mut Turn<'_>, print: u64) {
        self.hang_up(turn);
        self.print = print;
        self.phase = Phase::Due;
        self.grant = None;
    }

    /// Sends REGISTER.
    pub(super) fn begin(
        &mut self,
        turn: &mut Turn<'_>,
        account: &SipAccount,
        before: Before,
        lines: &mut Lines,
    ) {
        if !message::is_host(&account.domain) || !message::is_host(&account.registrar) {
            return self.refuse(turn, Fault::BadTarget);
        }
        let Some(address) = turn.shelf.resolve(&account.registrar) else {
            return self.refuse(turn, Fault::UnknownHost);
        };
        let to = SocketAddrV4::new(address, account.port);
        let mut attempt = Box::new(Attempt::new(before, to, account.expires_s));
        if self.grant.is_some() {
            attempt.credentials = Credentials::Reused;
        }
        self.compose(turn, account, &mut attempt);
        self.transmit(turn, account, attempt, lines);
    }

    /// Gives a registration back: one REGISTER that nobody waits for.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, account: &SipAccount) {
        if !self.is_registered() {
            return;
        }
        let Some(address) = turn.shelf.resolve(&account.registrar) else {
            return;
        };
        let branch = turn.rng.next_u64();
        let bytes = self.written(turn, account, branch, 0);
        match &mut self.line {
            Some(line) if line.opened => line.write(turn, &bytes),
            Some(_) => return,
            None => {
                let to = SocketAddrV4::new(address, account.port);
                let write = |out: &mut Vec<u8>| out.extend_from_slice(&bytes);
                turn.out.send(Channel::Sip, to, write);
            }
        }
        sent_event(turn, &bytes);
    }

    /// Does what is due, but for new attempts.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>, retry_s: u32) {
        if let Some(line) = &mut self.line {
            line.tick(turn);
        }
        let Phase::Asking(attempt) = &mut self.phase else {
            return;
        };
        if attempt.give_up <= turn.now {
            return self.fail(turn, Fault::Silence, retry_s);
        }
        if attempt.next <= turn.now {
            attempt.count = attempt.count.saturating_add(1);
            attempt.wait = (attempt.wait * 2).min(T2);
            attempt.next = turn.now + attempt.wait;
            let (count, to) = (attempt.count, attempt.to);
            let write = |out: &mut Vec<u8>| out.extend_from_slice(&attempt.message);
            turn.out.send(Channel::Sip, to, write);
            turn.event(EventKind::Retried {
                step: StepId::REGISTER,
                attempt: count,
            });
        }
    }

    /// True for the answer to the present request.
    pub(super) fn is_answer(&self, message: &Message<'_>) -> bool {
        let Phase::Asking(attempt) = &self.phase else {
            return false;
        };
        let number = message.cseq().map(|(number, _)| number);
        number == Some(self.cseq) && message::is_branch(message, attempt.branch)
    }

    /// Takes the answer to the present request.
    pub(super) fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        account: &SipAccount,
        message: &Message<'_>,
        lines: &mut Lines,
    ) {
        let status = message.status().unwrap_or_default();
        let Phase::Asking(attempt) = &mut self.phase else {
            return;
        };
        if let Some(line) = &mut self.line {
            line.served = true;
        }
        match status {
            ..200 => {
                if attempt.next != NEVER {
                    attempt.next = turn.now + T2;
                }
            }
            200..300 => self.accepted(turn, account, message),
            401 | 407 => self.challenged(turn, account, message, lines),
            423 => match message::least(message) {
                Some(least) if least > attempt.expires_s && !attempt.raised => {
                    attempt.raised = true;
                    attempt.expires_s = least;
                    self.again(turn, account, lines);
                }
                _ => self.fail(turn, Fault::SipStatus(status), account.retry_s),
            },
            _ => self.fail(turn, Fault::SipStatus(status), account.retry_s),
        }
    }

    fn accepted(&mut self, turn: &mut Turn<'_>, account: &SipAccount, message: &Message<'_>) {
        let Phase::Asking(attempt) = &self.phase else {
            return;
        };
        let port = turn.shelf.ports.sip;
        let seconds = message::granted(message, turn.address, port).unwrap_or(attempt.expires_s);
        if seconds < LEAST_S {
            let what = "registration granted for no time";
            return self.fail(
                turn,
                Fault::Malformed(Malformed::new(what, 0)),
                account.retry_s,
            );
        }
        let sent = attempt.sent.unwrap_or(turn.now);
        let renewed = attempt.before == Before::Registered;
        turn.event(EventKind::Answered {
            step: StepId::REGISTER,
            after: turn.now.since(sent),
        });
        turn.event(EventKind::Registered {
            account: self.account,
            seconds,
            renewed,
        });
        let wait = match seconds {
            SHORT_S.. => seconds - LEAD_S,
            short => short / 2,
        };
        self.phase = Phase::Registered {
            refresh: turn.now + Duration::from_secs(u64::from(wait)),
        };
    }

    fn challenged(
        &mut self,
        turn: &mut Turn<'_>,
        account: &SipAccount,
        message: &Message<'_>,
        lines: &mut Lines,
    ) {
        let Phase::Asking(attempt) = &mut self.phase else {
            return;
        };
        self.proxy = message.status() == Some(407);
        let name = match self.proxy {
            true => "Proxy-Authenticate",
            false => "WWW-Authenticate",
        };
        let fields: Vec<String> = message
            .all(name)
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect();
        let challenge = Challenge::choose(&fields, AuthMethod::Digest);
        let next = match (attempt.credentials, &challenge) {
            (Credentials::Unsent | Credentials::Reused, Some(_)) => Credentials::Sent,
            (Credentials::Unsent | Credentials::Reused, None) => {
                return self.fail(turn, Fault::Challenge, account.retry_s);
            }
            (Credentials::Sent, Some(challenge)) if challenge.stale() => Credentials::Renewed,
            (Credentials::Sent | Credentials::Renewed, _) => {
                self.grant = None;
                return self.fail(turn, Fault::Unauthorized, account.retry_s);
            }
        };
        attempt.credentials = next;
        self.grant = challenge.map(|challenge| Box::new(Grant::new(challenge, turn.rng)));
        turn.event(EventKind::Challenged {
            step: StepId::REGISTER,
        });
        self.again(turn, account, lines);
    }

    /// The same once more, as a request of its own.
    fn again(&mut self, turn: &mut Turn<'_>, account: &SipAccount, lines: &mut Lines) {
        let phase = std::mem::replace(&mut self.phase, Phase::Due);
        let Phase::Asking(mut attempt) = phase else {
            return;
        };
        attempt.sent = None;
        attempt.wait = T1;
        attempt.count = 1;
        self.compose(turn, account, &mut attempt);
        self.transmit(turn, account, attempt, lines);
    }

    fn compose(&mut self, turn: &mut Turn<'_>, account: &SipAccount, attempt: &mut Attempt) {
        attempt.branch = turn.rng.next_u64();
        attempt.message = self.written(turn, account, attempt.branch, attempt.expires_s);
    }

    fn written(
        &mut self,
        turn: &Turn<'_>,
        account: &SipAccount,
        branch: u64,
        expires_s: u32,
    ) -> Box<[u8]> {
        self.cseq = self.cseq.saturating_add(1);
        let marks = Marks {
            branch,
            call_id: self.call_id,
            tag: self.tag,
            cseq: self.cseq,
            expires_s,
            proxy: self.proxy,
        };
        let grant = &mut self.grant;
        message::register(turn, account, marks, |uri| {
            let login = Login::new(&account.auth_user, &account.password);
            match (grant, login) {
                (Some(grant), Some(login)) => grant.authorization(&login, "REGISTER", uri),
                _ => String::new(),
            }
        })
    }

    /// Sends the attempt's message for the first time, over a connection where it must be.
    fn transmit(
        &mut self,
        turn: &mut Turn<'_>,
        account: &SipAccount,
        mut attempt: Box<Attempt>,
        lines: &mut Lines,
    ) {
        attempt.give_up = turn.now + TIMER_F;
        attempt.next = NEVER;
        if account.tcp {
            let ready = self.line.as_ref();
            match ready
                .filter(|line| line.peer == attempt.to)
                .map(|line| line.opened)
            {
                Some(true) => self.write(turn, &mut attempt),
                Some(false) => {}
                None => {
                    self.hang_up(turn);
                    let line = Line::open(turn, lines.next(), attempt.to);
                    self.line = Some(Box::new(line));
                }
            }
        } else {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(&attempt.message);
            turn.out.send(Channel::Sip, attempt.to, write);
            sent_event(turn, &attempt.message);
            attempt.sent = Some(turn.now);
            attempt.next = turn.now + T1;
        }
        self.phase = Phase::Asking(attempt);
    }

    fn write(&mut self, turn: &mut Turn<'_>, attempt: &mut Attempt) {
        if let Some(line) = &mut self.line {
            line.write(turn, &attempt.message);
            sent_event(turn, &attempt.message);
            attempt.sent = Some(turn.now);
        }
    }

    /// Whether a connection is this account's.
    pub(super) fn owns(&self, id: Connection) -> bool {
        self.line.as_ref().is_some_and(|line| line.id == id)
    }

    pub(super) fn line(&mut self) -> Option<&mut Line> {
        self.line.as_deref_mut()
    }

    /// The connection is made.
    pub(super) fn opened(&mut self, turn: &mut Turn<'_>) {
        let Some(line) = &mut self.line else {
            return;
        };
        line.opened = true;
        let phase = std::mem::replace(&mut self.phase, Phase::Due);
        self.phase = match phase {
            Phase::Asking(mut attempt) => {
                attempt.give_up = turn.now + TIMER_F;
                self.write(turn, &mut attempt);
                Phase::Asking(attempt)
            }
            other => other,
        };
    }

    /// The connection is closed or broken.
    pub(super) fn lost(
        &mut self,
        turn: &mut Turn<'_>,
        fault: Option<ConnectionFault>,
        retry_s: u32,
        lines: &mut Lines,
    ) {
        let Some(line) = self.line.take() else {
            return;
        };
        match &mut self.phase {
            Phase::Asking(attempt) if line.served && !attempt.redialled => {
                attempt.redialled = true;
                let line = Line::open(turn, lines.next(), attempt.to);
                self.line = Some(Box::new(line));
            }
            Phase::Asking(_) => self.fail(turn, fault_of(fault), retry_s),
            // Nobody can reach the phone any more: it registers anew (RFC 5626 §4.5), soon, and
            // not at once, whatever the registrar does.
            Phase::Registered { refresh } => *refresh = (*refresh).min(turn.now + T2),
            Phase::Due | Phase::Failed { .. } => {}
        }
    }

    /// Something came over the connection of which nobody knows where it ends.
    pub(super) fn garbled(&mut self, turn: &mut Turn<'_>, fault: Malformed, retry_s: u32) {
        let fault = Fault::Malformed(fault);
        self.hang_up(turn);
        turn.event(EventKind::Wrong {
            step: StepId::REGISTER,
            fault,
        });
        match &mut self.phase {
            Phase::Asking(_) => self.fail(turn, fault, retry_s),
            Phase::Registered { refresh } => *refresh = (*refresh).min(turn.now + T2),
            Phase::Due | Phase::Failed { .. } => {}
        }
    }

    pub(super) fn hang_up(&mut self, turn: &mut Turn<'_>) {
        if let Some(line) = self.line.take() {
            line.close(turn);
        }
    }

    /// A request was sent, and the account is not registered.
    fn fail(&mut self, turn: &mut Turn<'_>, fault: Fault, retry_s: u32) {
        self.hang_up(turn);
        turn.event(EventKind::GaveUp {
            step: StepId::REGISTER,
            fault,
        });
        let retry = turn.run_after(u64::from(retry_s)).unwrap_or(NEVER);
        self.failed(turn, fault, retry);
    }

    /// There is nobody to ask; that does not change within a run.
    fn refuse(&mut self, turn: &mut Turn<'_>, fault: Fault) {
        self.hang_up(turn);
        self.failed(turn, fault, NEVER);
    }

    fn failed(&mut self, turn: &mut Turn<'_>, fault: Fault, retry: Moment) {
        turn.event(EventKind::RegistrationFailed {
            account: self.account,
            fault,
        });
        self.phase = Phase::Failed { fault, retry };
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let grant = self.grant.as_ref();
        let grant = grant.map_or(0, |grant| size_of::<Grant>() + grant.heap_bytes());
        let line = self.line.as_ref().map_or(0, |_| size_of::<Line>());
        let attempt = match &self.phase {
            Phase::Asking(attempt) => size_of::<Attempt>() + attempt.message.len(),
            _ => 0,
        };
        grant + line + attempt
    }
}

fn sent_event(turn: &mut Turn<'_>, bytes: &[u8]) {
    turn.event(EventKind::Sent {
        step: StepId::REGISTER,
        bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    });
}

fn fault_of(fault: Option<ConnectionFault>) -> Fault {
    match fault {
        Some(ConnectionFault::Refused) => Fault::ConnectionRefused,
        Some(ConnectionFault::TimedOut) => Fault::Silence,
        Some(ConnectionFault::Tls) => Fault::Tls,
        Some(ConnectionFault::Local) => Fault::Local,
        Some(ConnectionFault::Ftp(code)) => Fault::FtpReply(code),
        Some(ConnectionFault::FtpData) => Fault::FtpData,
        Some(ConnectionFault::Reset) | None => Fault::ConnectionBroken,
    }
}
