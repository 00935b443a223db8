//! One session: whose turn it is, and what is said next (TR-069 §3.7).

use std::borrow::Cow;
use std::time::Duration;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::soap::{self, Envelope, Fault, Message, TransferComplete, Version};
use bootstorm_scenarios::scenario::AcsFault;

use super::script::{Awaits, Call};
use super::{LATE, Progress};
use crate::reference::counters::{Counter, Counters};
use crate::reference::http::Reply;

/// The methods of this server.
const METHODS: [&str; 3] = ["Inform", "GetRPCMethods", "TransferComplete"];
/// "Method not supported" (TR-069 §A.5.2).
const NOT_SUPPORTED: (u16, &str) = (8_000, "Method not supported");
/// "Internal error" (TR-069 §A.5.2).
const INTERNAL: (u16, &str) = (8_002, "Internal error");

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) mac: Mac,
    /// When something was heard of it.
    pub(super) heard: Moment,
    version: Version,
    calls: Vec<Call>,
    fault: Option<AcsFault>,
    /// The id of the call that waits for its answer, and what that answer is called.
    asked: Option<(u32, String)>,
    sent: u32,
}

/// What a phone says.
pub(super) enum Turn<'a> {
    /// Nothing: it is the server's turn.
    Empty,
    /// A message.
    Message(&'a Envelope<'a>),
}

impl Session {
    pub(super) fn new(
        mac: Mac,
        version: Version,
        calls: Vec<Call>,
        fault: Option<AcsFault>,
    ) -> Self {
        Self {
            mac,
            heard: Moment::ZERO,
            version,
            calls,
            fault,
            asked: None,
            sent: 0,
        }
    }

    /// InformResponse; or the fault that was ordered in place of it.
    pub(super) fn answer_inform(&self, id: &str) -> Reply {
        let message = match self.fault {
            Some(AcsFault::SoapFault) => fault(INTERNAL),
            _ => Message::InformResponse { max_envelopes: 1 },
        };
        self.answer(id, message)
    }

    /// Takes what the phone says; answers, and says whether the session is over.
    pub(super) fn turn(
        &mut self,
        progress: &mut Progress,
        counters: &Counters,
        turn: Turn<'_>,
    ) -> (Reply, bool) {
        match turn {
            Turn::Empty if self.asked.is_some() => {
                counters.count(Counter::AcsOutOfTurn);
                self.end(counters)
            }
            Turn::Empty => self.next(progress, counters),
            Turn::Message(envelope) if is_answer(&envelope.message) => {
                self.answered(progress, counters, envelope)
            }
            Turn::Message(_) if self.asked.is_some() => {
                counters.count(Counter::AcsOutOfTurn);
                (Reply::plain(400), true)
            }
            Turn::Message(envelope) => {
                let id = envelope.id.as_deref().unwrap_or_default();
                (
                    self.asked_by_phone(progress, counters, id, &envelope.message),
                    false,
                )
            }
        }
    }

    /// Answers a call of the phone's.
    fn asked_by_phone(
        &self,
        progress: &mut Progress,
        counters: &Counters,
        id: &str,
        message: &Message<'_>,
    ) -> Reply {
        let response = match message {
            Message::TransferComplete(complete) => {
                transferred(progress, counters, complete);
                Message::TransferCompleteResponse
            }
            Message::GetRpcMethods => {
                Message::GetRpcMethodsResponse(METHODS.map(Cow::Borrowed).to_vec())
            }
            _ => fault(NOT_SUPPORTED),
        };
        self.answer(id, response)
    }

    /// Takes the answer to a call.
    fn answered(
        &mut self,
        progress: &mut Progress,
        counters: &Counters,
        envelope: &Envelope<'_>,
    ) -> (Reply, bool) {
        let Some((id, expected)) = self.asked.take() else {
            counters.count(Counter::AcsOutOfTurn);
            return (Reply::plain(400), true);
        };
        if envelope.id.as_deref() != Some(name_of(id).as_str()) {
            counters.count(Counter::AcsWrongId);
            return self.end(counters);
        }
        let call = self.calls.get(progress.done);
        match &envelope.message {
            Message::Fault(_) => {
                counters.count(Counter::AcsCallFault);
                progress.done += usize::from(call.is_some());
            }
            message if message.name() == expected => {
                counters.count(Counter::AcsCallAnswered);
                if let Some(call) = call {
                    done(progress, counters, call, message);
                }
            }
            _ => {
                counters.count(Counter::AcsOutOfTurn);
                return (Reply::plain(400), true);
            }
        }
        self.next(progress, counters)
    }

    /// The next call, or the end.
    fn next(&mut self, progress: &Progress, counters: &Counters) -> (Reply, bool) {
        let call = self.calls.get(progress.done).map(|call| &call.message);
        let message = match (&progress.waits, call, self.fault) {
            (None, Some(message), _) => message.clone(),
            (_, _, Some(AcsFault::Endless)) => Message::GetRpcMethods,
            _ => return self.end(counters),
        };
        self.sent += 1;
        self.asked = Some((self.sent, format!("{}Response", message.name())));
        counters.count(Counter::AcsCall);
        (self.envelope(name_of(self.sent), message), false)
    }

    fn end(&self, counters: &Counters) -> (Reply, bool) {
        counters.count(Counter::AcsSessionEnded);
        let reply = Reply {
            status: 204,
            headers: Vec::new(),
            body: [].into(),
            after: self.lateness(),
        };
        (reply, true)
    }

    /// The answer to a call of the phone's: it has that call's id.
    fn answer(&self, id: &str, message: Message<'static>) -> Reply {
        let id = match self.fault {
            Some(AcsFault::WrongId) => format!("{id}-wrong"),
            _ => id.to_owned(),
        };
        self.envelope(id, message)
    }

    fn envelope(&self, id: String, message: Message<'static>) -> Reply {
        let mut text = String::with_capacity(1_024);
        let envelope = Envelope {
            version: Some(self.version),
            id: Some(Cow::Owned(id)),
            hold_requests: false,
            message,
        };
        soap::write(&mut text, &envelope);
        let mut bytes = text.into_bytes();
        if self.fault == Some(AcsFault::Cut) {
            bytes.truncate(bytes.len() / 2);
        }
        let kind = "text/xml; charset=utf-8".to_owned();
        Reply {
            status: 200,
            headers: vec![("content-type", kind)],
            body: bytes.into(),
            after: self.lateness(),
        }
    }

    fn lateness(&self) -> Duration {
        match self.fault {
            Some(AcsFault::Delayed) => LATE,
            _ => Duration::ZERO,
        }
    }
}

/// The id of the n-th call of a session.
fn name_of(number: u32) -> String {
    format!("acs-{number}")
}

fn fault((code, text): (u16, &'static str)) -> Message<'static> {
    Message::Fault(Fault {
        code,
        text: Cow::Borrowed(text),
        parameters: Vec::new(),
    })
}

/// A call of the script was answered as it should be.
fn done(progress: &mut Progress, counters: &Counters, call: &Call, answer: &Message<'_>) {
    progress.done += 1;
    progress.cleared = matches!(call.message, Message::FactoryReset);
    if matches!(call.message, Message::Download(_)) {
        counters.count(Counter::AcsDownload);
    }
    progress.waits = match answer {
        // TR-069 A.3.2.8: done already, no report follows.
        Message::DownloadResponse { status: 0, .. } => {
            counters.count(Counter::AcsDownloadComplete);
            None
        }
        _ => call.awaits.clone(),
    };
}

/// A download is over.
fn transferred(progress: &mut Progress, counters: &Counters, complete: &TransferComplete<'_>) {
    let ordered = match &progress.waits {
        Some(Awaits::Transfer(key)) => *key == complete.key,
        _ => false,
    };
    if !ordered {
        return counters.count(Counter::AcsDownloadStray);
    }
    progress.waits = None;
    if complete.fault == 0 {
        counters.count(Counter::AcsDownloadComplete);
    } else {
        counters.count(Counter::AcsDownloadFault);
        counters.count_fault(complete.fault);
    }
}

fn is_answer(message: &Message<'_>) -> bool {
    matches!(message, Message::Fault(_)) || message.name().ends_with("Response")
}
