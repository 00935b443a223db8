//! What phones do, in words: why they boot and run, what they ask, tolerate and answer.

use bootstorm_emulator::event::{
    BootCause, InformEvents, LineReason, Prompt, Rpc, RunResult, SectionFault, Tolerance, Trigger,
};

/// Why a phone came up, as in "booting: …".
#[must_use]
pub fn boot_cause(cause: BootCause) -> &'static str {
    match cause {
        BootCause::Power => "power on",
        BootCause::Firmware => "new firmware",
        BootCause::Settings => "settings that need a reboot",
        BootCause::CheckSync => "check-sync with reboot",
        BootCause::User => "its user asked for it",
        BootCause::FactoryReset => "factory reset",
        BootCause::Acs => "the auto-configuration server asked for it",
    }
}

/// What started a run, as in "run started: …".
#[must_use]
pub fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Boot(BootCause::Power) => "boot after power on",
        Trigger::Boot(BootCause::Firmware) => "boot with new firmware",
        Trigger::Boot(BootCause::Settings) => "boot after settings that need it",
        Trigger::Boot(BootCause::CheckSync) => "boot after check-sync",
        Trigger::Boot(BootCause::User) => "boot that its user asked for",
        Trigger::Boot(BootCause::FactoryReset) => "boot after factory reset",
        Trigger::Boot(BootCause::Acs) => "boot that the auto-configuration server asked for",
        Trigger::SoftReboot => "soft reboot",
        Trigger::Period => "its period is over",
        Trigger::ErrorRetry => "again after a run that fetched nothing",
        Trigger::UpgradeRetry => "again after an upgrade that failed",
        Trigger::CheckSync => "check-sync",
        Trigger::SaveAndApply => "web page saved and applied",
        Trigger::Manual => "by hand",
        Trigger::Timetable => "the day and time set for it",
        Trigger::Renewal => "lease renewed",
        Trigger::Subscription => "time to subscribe again",
        Trigger::Notified => "NOTIFY with a URL",
        Trigger::Download => "download ordered by the auto-configuration server",
        Trigger::StaticInterval => "the static server's interval is over",
    }
}

/// How a run ended, as in "run ended: …".
#[must_use]
pub fn run_result(result: RunResult) -> &'static str {
    match result {
        RunResult::Complete => "complete",
        RunResult::Partial => "in part: something linked could not be had",
        RunResult::NothingFetched => "nothing fetched",
        RunResult::NoCandidate => "no source gave a URL",
        RunResult::Aborted => "broken off",
    }
}

/// Why lines were not taken over.
#[must_use]
pub fn line_reason(reason: LineReason) -> &'static str {
    match reason {
        LineReason::Grammar => "not in the format's grammar",
        LineReason::UnknownKey => "unknown key",
        LineReason::BadValue => "value outside its type or range",
        LineReason::IndexBeyondModel => "index beyond what the model has",
        LineReason::NotALink => "not a link of the kind allowed there",
        LineReason::OverLimit => "over the limit of lines, links or names",
        LineReason::NoModule => "no module header that the phone knows before it",
    }
}

/// Why a section or an operation was left out.
#[must_use]
pub fn section_fault(fault: SectionFault) -> &'static str {
    match fault {
        SectionFault::Unknown => "no such section or element",
        SectionFault::MissingChild => "an element is missing that it must have",
        SectionFault::BadValue => "value outside its type or range",
        SectionFault::Version => "version that the phone cannot start from",
        SectionFault::Path => "path outside the subset of XPath that is understood",
        SectionFault::NoMatch => "path that addresses nothing",
        SectionFault::Attribute => "path that addresses an attribute",
    }
}

/// What the phone asks its user for, as in "asks its user for …".
#[must_use]
pub fn prompt(prompt: Prompt) -> &'static str {
    match prompt {
        Prompt::FileId => "the id in the file's name",
        Prompt::Credentials => "user name and password",
    }
}

/// What a document lacked or had too much, as in "read …, although …".
#[must_use]
pub fn tolerance(tolerance: Tolerance) -> &'static str {
    match tolerance {
        Tolerance::NoHeader => "its header is missing",
        Tolerance::HeaderLength => "its header has another length",
        Tolerance::NoFooter => "its footer is missing",
        Tolerance::Damaged => "its XML is not well-formed",
    }
}

/// The name of a remote procedure call, as it stands in messages.
#[must_use]
pub fn rpc(rpc: Rpc) -> &'static str {
    match rpc {
        Rpc::GetRpcMethods => "GetRPCMethods",
        Rpc::GetParameterValues => "GetParameterValues",
        Rpc::SetParameterValues => "SetParameterValues",
        Rpc::GetParameterNames => "GetParameterNames",
        Rpc::GetParameterAttributes => "GetParameterAttributes",
        Rpc::SetParameterAttributes => "SetParameterAttributes",
        Rpc::AddObject => "AddObject",
        Rpc::DeleteObject => "DeleteObject",
        Rpc::Download => "Download",
        Rpc::Reboot => "Reboot",
        Rpc::FactoryReset => "FactoryReset",
        Rpc::ScheduleInform => "ScheduleInform",
        Rpc::Unknown => "an RPC that the phone does not know",
    }
}

/// The events of an Inform, in the order in which it lists them: `0 BOOTSTRAP, 1 BOOT`.
#[must_use]
pub fn inform_events(events: InformEvents) -> String {
    let listed = InformEvents::ALL.iter();
    let listed = listed.filter(|(event, _)| events.has(*event));
    let names: Vec<_> = listed.map(|(_, name)| *name).collect();
    if names.is_empty() {
        return "no event".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSES: [BootCause; 7] = [
        BootCause::Power,
        BootCause::Firmware,
        BootCause::Settings,
        BootCause::CheckSync,
        BootCause::User,
        BootCause::FactoryReset,
        BootCause::Acs,
    ];
    const TRIGGERS: [Trigger; 13] = [
        Trigger::SoftReboot,
        Trigger::Period,
        Trigger::ErrorRetry,
        Trigger::UpgradeRetry,
        Trigger::CheckSync,
        Trigger::SaveAndApply,
        Trigger::Manual,
        Trigger::Timetable,
        Trigger::Renewal,
        Trigger::Subscription,
        Trigger::Notified,
        Trigger::Download,
        Trigger::StaticInterval,
    ];

    #[test]
    fn no_two_causes_or_triggers_read_alike_and_none_is_a_name_of_the_program() {
        let boots = CAUSES.map(Trigger::Boot).map(trigger);
        let mut words: Vec<_> = TRIGGERS.map(trigger).into_iter().chain(boots).collect();
        for word in &words {
            let camel = word.split(' ').any(|part| {
                let inner = part.get(1..).unwrap_or_default();
                inner.contains(char::is_uppercase) && part.contains(char::is_lowercase)
            });
            assert!(!camel, "{word}");
        }
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
        let mut causes = CAUSES.map(boot_cause).to_vec();
        causes.sort_unstable();
        causes.dedup();
        assert_eq!(causes.len(), CAUSES.len());
    }

    // FAN-116, FAN-121
    #[test]
    fn lists_the_events_of_an_inform_as_the_message_does() {
        let events = InformEvents::BOOT.with(InformEvents::BOOTSTRAP);
        assert_eq!(inform_events(events), "0 BOOTSTRAP, 1 BOOT");
        assert_eq!(inform_events(InformEvents::default()), "no event");
    }
}
