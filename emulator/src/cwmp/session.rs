//! One session: half-duplex, over one connection, from Inform to the server's empty answer
//! (TR-069 §3.7, FAN-116 … FAN-121, FAN-124).

use super::memory::TransferStage;
use super::rpc::{self, Orders};
use super::{Device, inform, model, transfer};
use crate::event::{EventKind, Fault, InformEvents, Limit};
use crate::limits::{ACS_MESSAGES_MAX, ACS_SESSION_SECONDS_MAX, SOAP_BYTES_MAX};
use crate::phone::io::Input;
use crate::profile::StepId;
use crate::time::Moment;
use crate::transfer::Ending;
use crate::transfer::http::{AuthMethod, HttpClient, Patience, RequestOptions};
use crate::url::Url;
use crate::wire::soap::{self, Envelope, Message, Version};
use std::borrow::Cow;
use std::time::Duration;

/// `ACS_SESSION_SECONDS_MAX` as a time.
const SESSION_MAX: Duration = Duration::from_secs(ACS_SESSION_SECONDS_MAX);
/// A server fault that asks for the same request again (TR-069 A.5.2).
const RETRY_REQUEST: u16 = 8_005;

/// Whom to call, and why.
pub(crate) struct Setup {
    pub(crate) url: Url,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) user_agent: String,
    pub(crate) events: InformEvents,
    /// Keys of ScheduleInform calls whose time has come.
    pub(crate) scheduled: Vec<Box<str>>,
    /// Sessions in a row that failed before.
    pub(crate) failures: u32,
    /// The number of the first connection.
    pub(crate) connection: u16,
}

/// A session under way.
#[derive(Debug)]
pub(crate) struct Session {
    http: HttpClient,
    login: Login,
    /// Where the next POST goes: redirects move it.
    url: Url,
    version: Version,
    events: InformEvents,
    scheduled: Vec<Box<str>>,
    failures: u32,
    state: State,
    /// The server wants no requests of the phone's own (`HoldRequests`).
    held: bool,
    /// The phone still has to ask for the server's methods.
    curious: bool,
    /// Numbers the phone's own requests.
    requests: u32,
    /// POSTs so far.
    posts: u16,
    calls: u16,
    started: Moment,
    sent: Moment,
    orders: Orders,
}

/// Credentials and name for every POST.
struct Login {
    user: String,
    password: String,
    user_agent: String,
}

/// What the next answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// InformResponse
    Inform,
    /// TransferCompleteResponse for the download in this place.
    Transfer(usize),
    /// GetRPCMethodsResponse
    Methods,
    /// A call, or nothing.
    Calls,
}

/// How a session ended.
#[derive(Debug, Default)]
pub(crate) struct SessionEnd {
    /// It is to be tried again.
    pub(crate) failed: bool,
    /// What is to be done now.
    pub(crate) orders: Orders,
}

/// How an answer leads on.
type Over = Option<SessionEnd>;

impl Session {
    /// Sends the Inform. A session that cannot be is over at once.
    pub(crate) fn start(device: &mut Device<'_, '_>, setup: Setup) -> (Self, Over) {
        let spec = device.spec();
        let now = device.turn.now;
        device.turn.event(EventKind::SessionStarted(setup.events));
        let mut session = Self {
            http: HttpClient::new(setup.connection),
            login: Login {
                user: setup.user,
                password: setup.password,
                user_agent: setup.user_agent,
            },
            url: setup.url,
            version: spec.map_or(Version::V1_0, |spec| spec.version),
            events: setup.events,
            scheduled: setup.scheduled,
            failures: setup.failures,
            state: State::Inform,
            held: false,
            curious: setup.events.has(InformEvents::BOOTSTRAP)
                && spec.is_some_and(|spec| spec.asks_methods),
            requests: 0,
            posts: 0,
            calls: 0,
            started: now,
            sent: now,
            orders: Orders::default(),
        };
        let over = session.say_inform(device);
        (session, over)
    }

    /// When `Input::Tick` is due.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let end = self.started + SESSION_MAX;
        Some(self.http.deadline().map_or(end, |due| due.min(end)))
    }

    /// The number that the next connection would get.
    pub(crate) fn next_connection(&self) -> u16 {
        self.http.next_connection()
    }

    /// The keys of ScheduleInform calls that it reports.
    pub(crate) fn scheduled(&self) -> &[Box<str>] {
        &self.scheduled
    }

    /// What it reports.
    pub(crate) fn events(&self) -> InformEvents {
        self.events
    }

    /// Takes what happens to its connection, and `Tick`.
    pub(crate) fn input(&mut self, device: &mut Device<'_, '_>, input: &Input<'_>) -> Over {
        if device.turn.now >= self.started + SESSION_MAX {
            return self.endless(device, ACS_SESSION_SECONDS_MAX);
        }
        let ending = match input {
            Input::Tick => {
                let due = self.http.deadline().is_some_and(|at| at <= device.turn.now);
                if due {
                    self.http.tick(device.turn)
                } else {
                    None
                }
            }
            Input::Opened(_) | Input::Bytes(..) | Input::Closed(_) | Input::Failed(..) => {
                self.http.input(device.turn, input)
            }
            _ => None,
        };
        ending.and_then(|ending| self.ended(device, ending))
    }

    /// Breaks it off.
    pub(crate) fn close(&mut self, device: &mut Device<'_, '_>) -> SessionEnd {
        self.over(device, false, false).unwrap_or_default()
    }

    fn say_inform(&mut self, device: &mut Device<'_, '_>) -> Over {
        let Some(spec) = device.spec() else {
            return self.over(device, false, false);
        };
        let (events, scheduled) = (self.events, &self.scheduled);
        let inform = inform::inform(device, spec, events, scheduled, self.failures);
        self.state = State::Inform;
        self.ask(device, Message::Inform(Box::new(inform)))
    }

    /// The step that the present POST belongs to.
    fn step(&self) -> StepId {
        match self.state {
            State::Inform => StepId::INFORM,
            _ => StepId::ACS,
        }
    }

    /// Sends a request of the phone's own.
    fn ask(&mut self, device: &mut Device<'_, '_>, message: Message<'_>) -> Over {
        self.requests += 1;
        let id = Some(Cow::Owned(self.requests.to_string()));
        self.say(device, id, message)
    }

    fn say(
        &mut self,
        device: &mut Device<'_, '_>,
        id: Option<Cow<'_, str>>,
        message: Message<'_>,
    ) -> Over {
        let mut text = String::with_capacity(2 << 10);
        let envelope = Envelope {
            version: Some(self.version),
            id,
            hold_requests: false,
            message,
        };
        soap::write(&mut text, &envelope);
        self.post(device, text.into_bytes())
    }

    fn post(&mut self, device: &mut Device<'_, '_>, body: Vec<u8>) -> Over {
        if self.posts >= ACS_MESSAGES_MAX {
            let value = u64::from(ACS_MESSAGES_MAX);
            return self.endless(device, value);
        }
        self.posts += 1;
        self.sent = device.turn.now;
        let timeout = device.spec().map_or(SESSION_MAX, |spec| spec.timeout);
        let options = RequestOptions {
            step: self.step(),
            user_agent: &self.login.user_agent,
            auth: AuthMethod::Any,
            user: &self.login.user,
            password: &self.login.password,
            limit: SOAP_BYTES_MAX,
            patience: Some(Patience {
                timeout,
                attempts: 1,
            }),
            follow: true,
        };
        let ending = self.http.post(device.turn, &self.url, &options, body);
        ending.and_then(|ending| self.ended(device, ending))
    }

    /// A POST is over.
    fn ended(&mut self, device: &mut Device<'_, '_>, ending: Ending) -> Over {
        if let Some(landed) = self.http.take_landed() {
            self.url = landed;
        }
        let Some(answer) = self.http.take_answer() else {
            let fault = match ending {
                Ending::Failed(fault) => fault,
                Ending::Found(_) | Ending::Missing => Fault::BadSoap,
            };
            return self.give_up(device, fault);
        };
        let (step, after) = (self.step(), device.turn.now.since(self.sent));
        device.turn.event(EventKind::Answered { step, after });
        if answer.trim_ascii().is_empty() {
            return self.nothing(device);
        }
        let Ok(envelope) = soap::read(&answer) else {
            return self.give_up(device, Fault::BadSoap);
        };
        if let Some(version) = envelope.version {
            self.version = version;
        }
        self.held = envelope.hold_requests;
        match self.state {
            State::Calls => self.called(device, envelope),
            _ => self.answered(device, envelope),
        }
    }

    /// An empty answer: the server has no calls (any more).
    fn nothing(&mut self, device: &mut Device<'_, '_>) -> Over {
        if self.state != State::Calls {
            return self.give_up(device, Fault::BadSoap);
        }
        // A server that holds requests back and says nothing would wait for ever.
        self.held = false;
        if self.has_requests(device) {
            return self.go_on(device);
        }
        self.over(device, true, false)
    }

    /// The answer to a request of the phone's own.
    fn answered(&mut self, device: &mut Device<'_, '_>, envelope: Envelope<'_>) -> Over {
        let step = self.step();
        let own = self.requests.to_string();
        match envelope.id.as_deref() {
            Some(id) if id.trim() == own => {}
            Some(_) => return self.give_up(device, Fault::ForeignId),
            None => {
                let fault = Fault::ForeignId;
                device.turn.event(EventKind::Wrong { step, fault });
            }
        }
        match (self.state, &envelope.message) {
            (State::Inform, Message::InformResponse { .. }) => {
                self.delivered(device);
                self.go_on(device)
            }
            (State::Transfer(place), Message::TransferCompleteResponse) => {
                self.told(device, place);
                self.go_on(device)
            }
            (State::Methods, Message::GetRpcMethodsResponse(_)) => {
                self.curious = false;
                self.go_on(device)
            }
            (state, Message::Fault(fault)) => {
                let code = fault.code;
                let fault = Fault::SoapFault(code);
                match state {
                    State::Inform if code != RETRY_REQUEST => self.give_up(device, fault),
                    State::Inform => {
                        device.turn.event(EventKind::Wrong { step, fault });
                        self.say_inform(device)
                    }
                    _ => {
                        device.turn.event(EventKind::Wrong { step, fault });
                        // A request that the server refuses is not made again (TR-069 A.5.2).
                        if code != RETRY_REQUEST {
                            self.refused(device);
                        }
                        self.go_on(device)
                    }
                }
            }
            _ => self.give_up(device, Fault::BadSoap),
        }
    }

    /// The server took the Inform (TR-069 §3.7.1.5).
    fn delivered(&mut self, device: &mut Device<'_, '_>) {
        let Some(spec) = device.spec() else {
            return;
        };
        for place in 0..spec.parameters.len() {
            if device.attributes(spec, place).0 > 0 {
                device.tell(spec, place);
            }
        }
        let known_to =
            crate::phone::params::text(device.turn, device.flash, crate::profile::Param::AcsUrl);
        let known_to = known_to.into();
        let reboots = self.events.has(InformEvents::M_REBOOT);
        let memory = device.memory();
        memory.known_to = known_to;
        if reboots {
            memory.reboots.clear();
        }
    }

    /// The server knows of the download in this place.
    fn told(&mut self, device: &mut Device<'_, '_>, place: usize) {
        let memory = device.memory();
        if place >= memory.transfers.len() {
            return;
        }
        let transfer = memory.transfers.remove(place);
        if let TransferStage::Done(code) = transfer.stage {
            let fault = transfer::as_known(code, self.version);
            device.turn.event(EventKind::TransferReported { fault });
        }
    }

    /// The server refused the present request.
    fn refused(&mut self, device: &mut Device<'_, '_>) {
        match self.state {
            State::Transfer(place) => {
                let transfers = &mut device.memory().transfers;
                if place < transfers.len() {
                    transfers.remove(place);
                }
            }
            State::Methods => self.curious = false,
            State::Inform | State::Calls => {}
        }
    }

    fn has_requests(&self, device: &mut Device<'_, '_>) -> bool {
        self.curious || device.memory().is_done()
    }

    /// Sends the next request of the phone's own, or says that there is none.
    fn go_on(&mut self, device: &mut Device<'_, '_>) -> Over {
        if !self.held {
            let version = self.version;
            let transfers = &device.memory().transfers;
            let place = transfers.iter().position(super::memory::Transfer::is_done);
            let done = place.and_then(|place| Some((place, transfers.get(place)?)));
            if let Some((place, transfer)) = done
                && let TransferStage::Done(code) = transfer.stage
            {
                let code = transfer::as_known(code, version);
                let message = Message::TransferComplete(transfer::complete(transfer, code));
                self.state = State::Transfer(place);
                return self.ask(device, message);
            }
            if self.curious {
                self.state = State::Methods;
                return self.ask(device, Message::GetRpcMethods);
            }
        }
        self.state = State::Calls;
        self.post(device, Vec::new())
    }

    /// A call of the server.
    fn called(&mut self, device: &mut Device<'_, '_>, envelope: Envelope<'_>) -> Over {
        let step = self.step();
        let Some(answer) = rpc::answer(device, &mut self.orders, &envelope.message) else {
            let fault = match &envelope.message {
                Message::Fault(fault) => Fault::SoapFault(fault.code),
                _ => Fault::BadSoap,
            };
            return self.give_up(device, fault);
        };
        self.calls += 1;
        let id = envelope.id.filter(|id| id.len() <= SOAP_BYTES_MAX);
        if id.is_none() {
            let fault = Fault::ForeignId;
            device.turn.event(EventKind::Wrong { step, fault });
        }
        self.say(device, id, answer)
    }

    /// The server goes on and on.
    fn endless(&mut self, device: &mut Device<'_, '_>, value: u64) -> Over {
        let limit = Limit::AcsSession;
        device.turn.event(EventKind::LimitReached { limit, value });
        let (step, fault) = (self.step(), Fault::EndlessSession);
        device.turn.event(EventKind::GaveUp { step, fault });
        self.over(device, false, true)
    }

    fn give_up(&mut self, device: &mut Device<'_, '_>, fault: Fault) -> Over {
        let step = self.step();
        device.turn.event(EventKind::GaveUp { step, fault });
        self.over(device, false, true)
    }

    fn over(&mut self, device: &mut Device<'_, '_>, complete: bool, failed: bool) -> Over {
        self.http.close(device.turn);
        let rpcs = self.calls;
        device
            .turn
            .event(EventKind::SessionEnded { complete, rpcs });
        Some(SessionEnd {
            failed,
            orders: std::mem::take(&mut self.orders),
        })
    }
}

impl std::fmt::Debug for Login {
    /// Without credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Login").finish_non_exhaustive()
    }
}

/// The value of the leaves whose change is to be told at once differs from what the server knows.
pub(crate) fn has_news(device: &Device<'_, '_>) -> (bool, bool) {
    let Some(spec) = device.turn.profile.cwmp.as_ref() else {
        return (false, false);
    };
    let changed = model::current(device.turn, device.flash, spec);
    let active = changed.iter().any(|(_, notification)| *notification == 2);
    (!changed.is_empty(), active)
}
