//! The first wrong step of a phone's present state: why it is not provisioned, in 24 bytes.
//!
//! What counts, in this order:
//!
//! 1. the first step of the run now going (or last ended) that was given up, or whose answer was
//!    unusable and was not followed by a usable one, or that stands for a file which a document or
//!    setting named and the server has not. When a step ends in silence after something unusable
//!    had come, the unusable thing is the cause;
//! 2. a request for an address or for the time that has no valid answer yet, for the phone asks
//!    without end;
//! 3. otherwise the last file of the walk that the server said is not there: that is how a list
//!    of candidates is gone through, so only the end of the list says something.
//!
//! A problem is forgotten when its step succeeds after all, when a new run or boot begins, and,
//! for the search for a server (SUBSCRIBE, NOTIFY, mDNS, redirect service, auto-configuration
//! server), when some other source gave a URL. Steps that stand for many files (includes,
//! resources, firmware) are not cleared by another file's success; what broke a session with the
//! auto-configuration server is forgotten when a later session comes to its end.

use bootstorm_emulator::event::{EventKind, Fault, Limit, RunResult};
use bootstorm_emulator::profile::{Step, StepId};

use crate::run::FirstWrong;
use crate::words;

/// What a report calls the step at which no source gave a URL.
pub const NO_SOURCE: &str = "discovery";

const NONE: u8 = u8::MAX;
const BROKEN_OFF: &str = "session broken off";
const RPC_REFUSED: &str = "RPC refused with CWMP fault";
const TRANSFER_FAILED: &str = "download reported with CWMP fault";

/// The tracker of one phone.
#[derive(Debug, Clone, Copy)]
pub struct Trail {
    text: &'static str,
    number: Option<u16>,
    step: u8,
    /// The last file step answered with "not there", or `NONE`.
    missing: u8,
    held: Held,
    limit: Option<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    /// Unusable, and the step may still succeed.
    Tentative,
    /// Given up, or passed over.
    Firm,
    /// The run ended without any source.
    NoSource,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            text: "",
            number: None,
            step: NONE,
            missing: NONE,
            held: Held::Nothing,
            limit: None,
        }
    }
}

impl Trail {
    /// Takes note of one event.
    pub fn record(&mut self, event: &EventKind) {
        match *event {
            EventKind::Booting(_) | EventKind::SoftRebooting | EventKind::RunStarted(_) => {
                *self = Self {
                    limit: self.lasting_limit(),
                    ..Self::default()
                };
            }
            EventKind::Sent { step, .. } | EventKind::Retried { step, .. }
                if is_asked_without_end(step) && self.held == Held::Nothing =>
            {
                self.hold(Held::Tentative, step, Fault::Silence);
            }
            EventKind::Candidate { .. } => self.found_server(),
            EventKind::Sent { step, .. } => self.sent(step),
            EventKind::Answered { step, .. } => self.succeeded(step),
            EventKind::Fetched { step, .. } => {
                self.succeeded(step);
                if self.missing == step.0 {
                    self.missing = NONE;
                }
            }
            EventKind::Missing { step, .. } if !stands_for_many(step) => self.missing = step.0,
            EventKind::Missing { step, .. } if self.held == Held::Nothing => {
                self.hold(Held::Firm, step, Fault::NotThere);
            }
            EventKind::Wrong { step, fault }
                if self.held == Held::Nothing
                    || (is_asked_without_end(step) && self.held == Held::Tentative) =>
            {
                self.hold(Held::Tentative, step, fault);
            }
            EventKind::GaveUp { step, fault } => self.gave_up(step, fault),
            EventKind::LeaseRefused if self.held == Held::Nothing => {
                self.hold_text(Held::Tentative, StepId::REQUEST, ("DHCPNAK", None));
            }
            EventKind::AddressTaken(_) if self.held == Held::Nothing => {
                let why = ("address in use by another host", None);
                self.hold_text(Held::Tentative, StepId::REQUEST, why);
            }
            EventKind::FirmwareRefused { fault } if self.held == Held::Nothing => {
                self.hold(Held::Firm, StepId::FIRMWARE, fault);
            }
            EventKind::ResourceRefused { fault, .. } if self.held == Held::Nothing => {
                self.hold(Held::Firm, StepId::RESOURCE, fault);
            }
            EventKind::PromptAbandoned(_) if self.held == Held::Nothing => {
                self.hold(Held::Firm, StepId::PROMPT, Fault::Abandoned);
            }
            EventKind::PromptAnswered(_) => self.succeeded(StepId::PROMPT),
            EventKind::RpcAnswered { .. }
            | EventKind::TransferReported { .. }
            | EventKind::SessionEnded { .. } => self.session(event),
            EventKind::RunEnded(RunResult::NoCandidate)
                if self.held == Held::Nothing || self.is_search() =>
            {
                self.held = Held::NoSource;
            }
            EventKind::LimitReached { limit, .. } => {
                self.limit = self.lasting_limit().or(Some(limit));
            }
            _ => {}
        }
    }

    /// The first wrong step, labelled by the phone's profile; `None` when nothing is held against
    /// the server.
    #[must_use]
    pub fn first_wrong(&self, steps: &[Step]) -> Option<FirstWrong> {
        let label = |step: u8| match steps.get(usize::from(step)) {
            Some(known) => known.label.clone(),
            None => format!("step {step}"),
        };
        let (step, text) = match self.held {
            Held::Tentative | Held::Firm => {
                let text = words::join((self.text, self.number));
                (label(self.step), text)
            }
            Held::NoSource => (
                NO_SOURCE.to_owned(),
                "no source gave a provisioning URL".to_owned(),
            ),
            Held::Nothing if self.missing != NONE => {
                (label(self.missing), words::NOT_THERE.to_owned())
            }
            Held::Nothing => return None,
        };
        Some(FirstWrong { step, text })
    }

    /// The first limit reached in the phone's life; without one, the number of attempts at one
    /// exchange, if they were spent in the run now going (or last ended).
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    fn lasting_limit(&self) -> Option<Limit> {
        self.limit.filter(|limit| *limit != Limit::Attempts)
    }

    /// A source gave a URL: what went wrong in the search is of no account any more.
    fn found_server(&mut self) {
        if self.is_search() {
            self.held = Held::Nothing;
            self.limit = self.lasting_limit();
        }
        if self.missing != NONE && is_search(StepId(self.missing)) {
            self.missing = NONE;
        }
    }

    /// What an auto-configuration server asked for in vain, or broke off.
    fn session(&mut self, event: &EventKind) {
        let (step, cause) = match *event {
            EventKind::RpcAnswered {
                fault: Some(fault), ..
            } => (StepId::ACS, (RPC_REFUSED, Some(fault))),
            EventKind::TransferReported { fault: 0 } => {
                if self.held == Held::Firm && self.step == StepId::DOWNLOAD.0 {
                    self.held = Held::Nothing;
                }
                return;
            }
            EventKind::TransferReported { fault } => {
                (StepId::DOWNLOAD, (TRANSFER_FAILED, Some(fault)))
            }
            EventKind::SessionEnded { complete: true, .. } => {
                let within = [StepId::INFORM.0, StepId::ACS.0].contains(&self.step);
                // An RPC that was refused stays so, however well the session ended.
                if within && self.text != RPC_REFUSED && self.held != Held::NoSource {
                    self.held = Held::Nothing;
                }
                return;
            }
            EventKind::SessionEnded { .. } => (StepId::ACS, (BROKEN_OFF, None)),
            _ => return,
        };
        if self.held == Held::Nothing {
            self.hold_text(Held::Firm, step, cause);
        }
    }

    fn sent(&mut self, step: StepId) {
        if self.held == Held::Tentative && self.step == step.0 {
            self.held = Held::Firm;
        }
    }

    fn succeeded(&mut self, step: StepId) {
        let clears = match self.held {
            Held::Tentative => true,
            Held::Firm => !stands_for_many(step),
            Held::Nothing | Held::NoSource => false,
        };
        if clears && self.step == step.0 {
            self.held = Held::Nothing;
        }
    }

    fn gave_up(&mut self, step: StepId, fault: Fault) {
        match self.held {
            Held::Nothing => self.hold(Held::Firm, step, fault),
            Held::Tentative if self.step == step.0 && fault == Fault::Silence => {
                self.held = Held::Firm;
            }
            Held::Tentative if self.step == step.0 => self.hold(Held::Firm, step, fault),
            _ => {}
        }
    }

    fn hold(&mut self, held: Held, step: StepId, fault: Fault) {
        self.hold_text(held, step, words::fault(fault));
    }

    fn hold_text(&mut self, held: Held, step: StepId, cause: (&'static str, Option<u16>)) {
        let (text, number) = cause;
        self.held = held;
        self.step = step.0;
        self.text = text;
        self.number = number;
    }

    fn is_search(&self) -> bool {
        matches!(self.held, Held::Tentative | Held::Firm) && is_search(StepId(self.step))
    }
}

/// True for a step of the search for a server.
fn is_search(step: StepId) -> bool {
    [
        StepId::SUBSCRIBE,
        StepId::NOTIFY,
        StepId::REDIRECT,
        StepId::MDNS,
        StepId::INFORM,
        StepId::ACS,
    ]
    .contains(&step)
}

/// A phone asks for an address (RFC 2131 §4.4.1), and one that needs the time for that (AUE-07),
/// for as long as nobody answers: neither is ever given up.
fn is_asked_without_end(step: StepId) -> bool {
    [StepId::DISCOVER, StepId::CLOCK].contains(&step)
}

/// True for a step of which one run may have several: one that succeeds says nothing of the others.
fn stands_for_many(step: StepId) -> bool {
    [
        StepId::UPDATES,
        StepId::LINKED,
        StepId::CERTIFICATE,
        StepId::INCLUDE,
        StepId::RESOURCE,
        StepId::FIRMWARE,
        StepId::REGISTER,
        StepId::ACS,
        StepId::DOWNLOAD,
    ]
    .contains(&step)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bootstorm_emulator::event::{BootCause, File, Prompt, Rpc, Trigger};
    use bootstorm_emulator::names::Name;
    use bootstorm_emulator::profile::SourceId;

    use super::*;

    const BOOT: StepId = StepId(StepId::FIRST_FETCH);
    const CFG: StepId = StepId(StepId::FIRST_FETCH + 1);

    fn steps() -> Vec<Step> {
        let labels = [
            "DISCOVER",
            "REQUEST",
            "renewal",
            "SUBSCRIBE",
            "NOTIFY",
            "given",
            "include",
            "resource",
            "firmware",
            "settled",
            "SNTP",
            "redirect service",
            "REGISTER",
            "updates",
            "linked file",
            "certificate",
            "mDNS query",
            "prompt",
            "Inform",
            "ACS",
            "download",
            "<mac>.boot",
            "<mac>.cfg",
        ];
        let step = |label: &str| Step {
            label: label.to_owned(),
            clauses: Vec::new(),
        };
        labels.into_iter().map(step).collect()
    }

    fn sent(step: StepId) -> EventKind {
        EventKind::Sent { step, bytes: 1 }
    }

    fn answered(step: StepId) -> EventKind {
        let after = Duration::ZERO;
        EventKind::Answered { step, after }
    }

    fn missing(step: StepId) -> EventKind {
        let file = File::Step(step);
        EventKind::Missing { step, file }
    }

    fn wrong(step: StepId, fault: Fault) -> EventKind {
        EventKind::Wrong { step, fault }
    }

    fn gave_up(step: StepId, fault: Fault) -> EventKind {
        EventKind::GaveUp { step, fault }
    }

    const FOUND: EventKind = EventKind::Candidate {
        source: SourceId(1),
        url: Name(0),
    };
    const RUN: EventKind = EventKind::RunStarted(Trigger::Boot(BootCause::Power));

    fn follow(events: &[EventKind]) -> Option<(String, String)> {
        let mut trail = Trail::default();
        events.iter().for_each(|event| trail.record(event));
        let first = trail.first_wrong(&steps())?;
        Some((first.step, first.text))
    }

    fn at(step: &str, text: &str) -> Option<(String, String)> {
        Some((step.to_owned(), text.to_owned()))
    }

    #[test]
    fn is_small() {
        assert!(size_of::<Trail>() <= 24, "{}", size_of::<Trail>());
    }

    #[test]
    fn names_the_first_step_given_up_and_not_a_later_one() {
        let events = [
            RUN,
            sent(BOOT),
            gave_up(BOOT, Fault::Silence),
            sent(CFG),
            gave_up(CFG, Fault::HttpStatus(503)),
        ];
        assert_eq!(follow(&events), at("<mac>.boot", "no answer"));
    }

    #[test]
    fn prefers_what_was_wrong_to_the_silence_after_it() {
        let events = [
            RUN,
            sent(CFG),
            wrong(CFG, Fault::ForeignTid),
            gave_up(CFG, Fault::Silence),
        ];
        assert_eq!(
            follow(&events),
            at("<mac>.cfg", "packet from a foreign port")
        );
        let louder = [
            RUN,
            sent(CFG),
            wrong(CFG, Fault::ForeignTid),
            gave_up(CFG, Fault::TftpError(0)),
        ];
        assert_eq!(follow(&louder), at("<mac>.cfg", "TFTP error 0"));
    }

    #[test]
    fn forgets_a_stray_before_the_answer_but_not_bad_content_after_it() {
        let stray = [RUN, sent(CFG), wrong(CFG, Fault::ForeignTid), answered(CFG)];
        assert_eq!(follow(&stray), None);
        let content = [
            RUN,
            sent(CFG),
            answered(CFG),
            wrong(CFG, Fault::WrongFormat),
        ];
        assert_eq!(
            follow(&content),
            at("<mac>.cfg", "not of the expected format")
        );
    }

    #[test]
    fn keeps_the_failure_of_one_include_when_the_next_succeeds() {
        let include = StepId::INCLUDE;
        let silent = [
            RUN,
            sent(include),
            gave_up(include, Fault::Silence),
            sent(include),
            answered(include),
        ];
        assert_eq!(follow(&silent), at("include", "no answer"));
        let unusable = [
            RUN,
            answered(include),
            wrong(include, Fault::WrongFormat),
            sent(include),
            answered(include),
        ];
        assert_eq!(
            follow(&unusable),
            at("include", "not of the expected format")
        );
        let absent = [
            RUN,
            answered(include),
            missing(include),
            sent(include),
            answered(include),
            missing(CFG),
        ];
        assert_eq!(follow(&absent), at("include", "not there"));
    }

    #[test]
    fn missing_files_count_only_as_the_end_of_the_list() {
        assert_eq!(
            follow(&[RUN, missing(BOOT), missing(CFG)]),
            at("<mac>.cfg", "not there")
        );
        let events = [RUN, missing(BOOT), gave_up(CFG, Fault::Tls)];
        assert_eq!(follow(&events), at("<mac>.cfg", "TLS failed"));
        let fetched = EventKind::Fetched {
            step: CFG,
            file: File::Step(CFG),
            bytes: 1,
            md5: [0; 16],
        };
        assert_eq!(follow(&[RUN, missing(CFG), fetched]), None);
    }

    #[test]
    fn a_silent_search_is_no_fault_once_another_source_gave_a_url() {
        let subscribe = gave_up(StepId::SUBSCRIBE, Fault::Silence);
        assert_eq!(follow(&[RUN, subscribe]), at("SUBSCRIBE", "no answer"));
        assert_eq!(follow(&[RUN, subscribe, FOUND, sent(CFG)]), None);
        // A redirect service that knows no such phone, and a source after it.
        let unknown = missing(StepId::REDIRECT);
        assert_eq!(follow(&[RUN, unknown, FOUND]), None);
        let refused = gave_up(CFG, Fault::ConnectionRefused);
        assert_eq!(
            follow(&[RUN, unknown, subscribe, FOUND, refused]),
            at("<mac>.cfg", "connection refused")
        );
        let nothing = EventKind::RunEnded(RunResult::NoCandidate);
        assert_eq!(
            follow(&[RUN, subscribe, nothing]),
            at(NO_SOURCE, "no source gave a provisioning URL")
        );
    }

    #[test]
    fn a_list_or_file_that_was_had_does_not_hide_another_that_was_not() {
        for step in [StepId::UPDATES, StepId::LINKED, StepId::CERTIFICATE] {
            let refused = gave_up(step, Fault::ConnectionRefused);
            for wrong in [refused, missing(step)] {
                let events = [RUN, missing(BOOT), wrong, sent(step), answered(step)];
                let (place, _) = follow(&events).expect("something wrong");
                assert_ne!(place, "<mac>.boot", "{step:?} {wrong:?}");
            }
        }
    }

    #[test]
    fn a_new_run_starts_clean_and_limits_stay() {
        let mut trail = Trail::default();
        let limit = |limit| EventKind::LimitReached { limit, value: 8 };
        for event in [
            RUN,
            gave_up(CFG, Fault::Silence),
            limit(Limit::Attempts),
            limit(Limit::Reboots),
            limit(Limit::Links),
            RUN,
        ] {
            trail.record(&event);
        }
        assert_eq!(trail.first_wrong(&steps()), None);
        assert_eq!(trail.limit(), Some(Limit::Reboots));
    }

    #[test]
    fn spent_attempts_are_the_limit_of_their_run_only() {
        let limit = |limit| EventKind::LimitReached { limit, value: 3 };
        let spent = [RUN, gave_up(CFG, Fault::Silence), limit(Limit::Attempts)];
        let mut trail = Trail::default();
        spent.iter().for_each(|event| trail.record(event));
        assert_eq!(trail.limit(), Some(Limit::Attempts));
        let mut other = trail;
        other.record(&limit(Limit::Reboots));
        other.record(&limit(Limit::Attempts));
        assert_eq!(other.limit(), Some(Limit::Reboots));
        trail.record(&RUN);
        assert_eq!(trail.limit(), None);
        // A search that found nobody is forgotten when another source gave a URL.
        for event in [
            gave_up(StepId::NOTIFY, Fault::Silence),
            limit(Limit::Attempts),
            FOUND,
        ] {
            trail.record(&event);
        }
        assert_eq!(trail.limit(), None);
    }

    #[test]
    fn a_lease_had_after_all_clears_the_wait_for_it() {
        let discover = StepId::DISCOVER;
        let events = [sent(discover), gave_up(discover, Fault::Silence)];
        assert_eq!(follow(&events), at("DISCOVER", "no answer"));
        let events = [events[0], events[1], sent(discover), answered(discover)];
        assert_eq!(follow(&events), None);
        let events = [EventKind::LeaseRefused, sent(discover), answered(discover)];
        assert_eq!(follow(&events), at("REQUEST", "DHCPNAK"));
    }

    #[test]
    fn a_phone_that_nobody_leases_an_address_is_at_fault_there() {
        let discover = StepId::DISCOVER;
        assert_eq!(follow(&[sent(discover)]), at("DISCOVER", "no answer"));
        let again = EventKind::Retried {
            step: discover,
            attempt: 2,
        };
        assert_eq!(follow(&[again]), at("DISCOVER", "no answer"));
        let had = [sent(discover), again, answered(discover)];
        assert_eq!(follow(&had), None);
        let nak = [EventKind::LeaseRefused, sent(discover), again];
        assert_eq!(follow(&nak), at("REQUEST", "DHCPNAK"));
    }

    // AUE-05, AUE-07: no run begins before the time is there, and the wait has no end.
    #[test]
    fn a_phone_without_the_time_is_at_fault_there_until_it_has_it() {
        let clock = StepId::CLOCK;
        let again = EventKind::Retried {
            step: clock,
            attempt: 2,
        };
        assert_eq!(follow(&[sent(clock), again]), at("SNTP", "no answer"));
        let unset = [sent(clock), wrong(clock, Fault::NoTime), again];
        assert_eq!(follow(&unset), at("SNTP", "time server without valid time"));
        assert_eq!(follow(&[sent(clock), again, answered(clock)]), None);
        let lost = [gave_up(StepId::DISCOVER, Fault::Silence), sent(clock)];
        assert_eq!(follow(&lost), at("DISCOVER", "no answer"));
    }

    // FAN-10, FAN-52, FAN-134
    #[test]
    fn a_refused_resource_or_an_unanswered_question_is_a_wrong_step() {
        let file = File::Named(Name(0));
        let fault = Fault::NameRefused;
        let refused = EventKind::ResourceRefused { file, fault };
        let had = answered(StepId::RESOURCE);
        let expected = at("resource", "file of a kind or name that is refused");
        assert_eq!(follow(&[RUN, refused, had]), expected);
        let asked = EventKind::Prompted(Prompt::Credentials);
        let given_up = EventKind::PromptAbandoned(Prompt::Credentials);
        let nobody = [RUN, asked, given_up];
        assert_eq!(follow(&nobody), at("prompt", "the user gave no answer"));
        let later = EventKind::PromptAnswered(Prompt::Credentials);
        assert_eq!(follow(&[RUN, asked, given_up, asked, later]), None);
    }

    // FAN-119, FAN-122
    #[test]
    fn a_session_is_forgiven_when_a_later_one_ends_well_but_not_a_download_that_failed() {
        let ended = |complete| EventKind::SessionEnded { complete, rpcs: 1 };
        let silent = gave_up(StepId::INFORM, Fault::Silence);
        assert_eq!(follow(&[silent]), at("Inform", "no answer"));
        assert_eq!(follow(&[silent, ended(true)]), None);
        assert_eq!(follow(&[ended(false)]), at("ACS", BROKEN_OFF));
        assert_eq!(follow(&[ended(false), ended(true)]), None);
        let reported = |fault| EventKind::TransferReported { fault };
        let failed = [RUN, reported(9010), ended(true)];
        let expected = at("download", "download reported with CWMP fault 9010");
        assert_eq!(follow(&failed), expected);
        assert_eq!(follow(&[RUN, reported(9010), reported(0)]), None);
        let rpc = EventKind::RpcAnswered {
            rpc: Rpc::SetParameterValues,
            fault: Some(9007),
        };
        let expected = at("ACS", "RPC refused with CWMP fault 9007");
        assert_eq!(follow(&[rpc, ended(true)]), expected);
    }

    // FAN-03: a search that goes on with the next source.
    #[test]
    fn a_query_or_session_without_a_url_is_no_fault_once_another_source_gave_one() {
        for step in [StepId::MDNS, StepId::INFORM, StepId::ACS] {
            let silent = gave_up(step, Fault::Silence);
            assert!(follow(&[RUN, silent]).is_some());
            assert_eq!(follow(&[RUN, silent, FOUND]), None, "{step:?}");
        }
    }

    #[test]
    fn refused_firmware_is_a_wrong_step() {
        let fault = Fault::NotAnImage;
        let events = [RUN, EventKind::FirmwareRefused { fault }];
        assert_eq!(follow(&events), at("firmware", "not a firmware image"));
    }
}
