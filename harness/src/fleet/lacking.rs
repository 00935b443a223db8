//! What a phone lacks though its settings may be as intended: a resource that a task could not
//! have, a download that failed, an answer that its user never gave.

use bootstorm_emulator::event::{BootCause, EventKind, Fault};
use bootstorm_emulator::profile::StepId;
use bootstorm_reports::words;

/// What one phone lacks; the first of it is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lacking {
    what: Option<What>,
    /// The configuration applied last started tasks.
    tasks: bool,
}

/// A step, and what was wrong there.
#[derive(Debug, Clone, Copy)]
pub(super) struct What {
    pub(super) step: StepId,
    text: &'static str,
    number: Option<u16>,
}

impl What {
    /// `CWMP fault 9010`.
    pub(super) fn text(&self) -> String {
        match self.number {
            Some(number) => format!("{} {number}", self.text),
            None => self.text.to_owned(),
        }
    }
}

impl Lacking {
    /// What it is; none for a phone that lacks nothing.
    pub(super) fn what(&self) -> Option<What> {
        self.what
    }

    /// Takes note of one event.
    pub(super) fn record(&mut self, event: &EventKind) {
        let linked = [StepId::RESOURCE, StepId::CERTIFICATE, StepId::FIRMWARE];
        match *event {
            // A new configuration starts its tasks anew (FAN-10); nothing is asked for it any more.
            EventKind::Applied { .. } => {
                self.tasks = false;
                self.forget(|step| step != StepId::DOWNLOAD);
            }
            EventKind::Unchanged { .. } | EventKind::PromptAnswered(_) => {
                self.forget(|step| step == StepId::PROMPT);
            }
            EventKind::Booting(BootCause::FactoryReset) => *self = Self::default(),
            EventKind::TaskStarted { .. } => self.tasks = true,
            EventKind::ResourceRefused { fault, .. } => self.note(StepId::RESOURCE, fault),
            EventKind::FirmwareRefused { fault } if self.tasks => {
                self.note(StepId::FIRMWARE, fault);
            }
            EventKind::Missing { step, .. } if self.tasks && linked.contains(&step) => {
                self.note(step, Fault::NotThere);
            }
            EventKind::GaveUp { step, fault } if self.tasks && linked.contains(&step) => {
                self.note(step, fault);
            }
            EventKind::PromptAbandoned(_) => self.note(StepId::PROMPT, Fault::Abandoned),
            EventKind::TransferReported { fault: 0 } => {
                self.forget(|step| step == StepId::DOWNLOAD);
            }
            EventKind::TransferReported { fault } => {
                self.what.get_or_insert(What {
                    step: StepId::DOWNLOAD,
                    text: "CWMP fault",
                    number: Some(fault),
                });
            }
            _ => {}
        }
    }

    fn note(&mut self, step: StepId, fault: Fault) {
        let (text, number) = words::fault(fault);
        self.what.get_or_insert(What { step, text, number });
    }

    fn forget(&mut self, which: impl Fn(StepId) -> bool) {
        self.what = self.what.filter(|what| !which(what.step));
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::event::{File, Prompt};
    use bootstorm_emulator::names::Name;

    use super::*;

    const FILE: File = File::Named(Name(0));
    const TASK: EventKind = EventKind::TaskStarted {
        task: Name(0),
        url: Name(0),
    };
    const APPLIED: EventKind = EventKind::Applied {
        file: FILE,
        settings: 1,
        changed: 1,
    };
    const MISSING: EventKind = EventKind::Missing {
        step: StepId::RESOURCE,
        file: FILE,
    };

    fn lacks(events: &[EventKind]) -> Option<String> {
        let mut lacking = Lacking::default();
        events.iter().for_each(|event| lacking.record(event));
        lacking.what().map(|what| what.text())
    }

    // FAN-10, FAN-134
    #[test]
    fn a_task_that_failed_is_lacked_until_another_configuration_is_applied() {
        let gave_up = EventKind::GaveUp {
            step: StepId::FIRMWARE,
            fault: Fault::FtpReply(421),
        };
        assert_eq!(lacks(&[APPLIED, TASK]), None);
        assert_eq!(
            lacks(&[APPLIED, TASK, MISSING]).as_deref(),
            Some("not there")
        );
        let failed = lacks(&[APPLIED, TASK, gave_up, MISSING]);
        assert_eq!(failed.as_deref(), Some("FTP reply 421"));
        let unchanged = EventKind::Unchanged { file: FILE };
        assert!(lacks(&[APPLIED, TASK, MISSING, unchanged]).is_some());
        assert_eq!(lacks(&[APPLIED, TASK, MISSING, APPLIED, TASK]), None);
        // Resources of other vendors' documents are none of its business.
        assert_eq!(lacks(&[APPLIED, MISSING]), None);
    }

    // FAN-128 … FAN-133
    #[test]
    fn a_refused_resource_is_lacked() {
        let fault = Fault::NameRefused;
        let refused = EventKind::ResourceRefused { file: FILE, fault };
        let text = "file of a kind or name that is refused";
        assert_eq!(lacks(&[APPLIED, refused]).as_deref(), Some(text));
    }

    // FAN-52
    #[test]
    fn a_question_without_answer_is_lacked_unless_another_source_had_the_files() {
        let nobody = EventKind::PromptAbandoned(Prompt::Credentials);
        assert!(lacks(&[nobody]).is_some());
        assert_eq!(lacks(&[nobody, APPLIED]), None);
        let given = EventKind::PromptAnswered(Prompt::Credentials);
        assert_eq!(lacks(&[nobody, given]), None);
    }

    // FAN-119
    #[test]
    fn a_failed_download_is_lacked_until_one_succeeds() {
        let reported = |fault| EventKind::TransferReported { fault };
        let failed = lacks(&[reported(9010), APPLIED]);
        assert_eq!(failed.as_deref(), Some("CWMP fault 9010"));
        assert_eq!(lacks(&[reported(9010), reported(0)]), None);
        let reset = EventKind::Booting(BootCause::FactoryReset);
        assert_eq!(lacks(&[reported(9010), reset]), None);
    }
}
