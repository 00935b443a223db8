//! The request of a phone that waits for its answer: what a phone was about that did not come to
//! rest.

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::profile::{Step, StepId};
use bootstorm_reports::measure::SETTLED;
use bootstorm_reports::run::FirstWrong;

use super::label;

/// The last request of one phone that has no whole answer yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pending(Option<StepId>);

impl Pending {
    /// Takes note of one event.
    pub(super) fn record(&mut self, event: &EventKind) {
        match *event {
            EventKind::Sent { step, .. } | EventKind::Retried { step, .. } => self.0 = Some(step),
            EventKind::Answered { step, .. } | EventKind::GaveUp { step, .. }
                if self.0 == Some(step) =>
            {
                self.0 = None;
            }
            EventKind::Booting(_) | EventKind::SoftRebooting | EventKind::PowerCut => {
                self.0 = None;
            }
            _ => {}
        }
    }

    /// Where a phone was that had not come to rest at the deadline.
    pub(super) fn first_wrong(self, steps: &[Step]) -> FirstWrong {
        match self.0 {
            Some(step) => FirstWrong {
                step: label(steps, step),
                text: "no whole answer at the deadline".to_owned(),
            },
            None => FirstWrong {
                step: SETTLED.to_owned(),
                text: "not settled at the deadline".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bootstorm_emulator::event::Fault;
    use bootstorm_emulator::profile::set::ProfileSet;

    use super::*;

    fn told(events: &[EventKind]) -> String {
        let profiles = ProfileSet::built_in();
        let profile = profiles.iter().find(|it| it.name == "plug-n-dial/bva8051");
        let mut pending = Pending::default();
        events.iter().for_each(|event| pending.record(event));
        let wrong = pending.first_wrong(&profile.expect("a profile").steps);
        format!("{}: {}", wrong.step, wrong.text)
    }

    #[test]
    fn the_request_without_a_whole_answer_is_what_a_phone_was_about() {
        let (asked, other) = (StepId::REQUEST, StepId::DISCOVER);
        let sent = |step| EventKind::Sent { step, bytes: 9 };
        let answered = |step| EventKind::Answered {
            step,
            after: Duration::ZERO,
        };
        let waits = "REQUEST: no whole answer at the deadline";
        assert_eq!(told(&[sent(asked)]), waits);
        assert_eq!(told(&[sent(asked), answered(other)]), waits);
        let rests = "settled: not settled at the deadline";
        assert_eq!(told(&[]), rests);
        assert_eq!(told(&[sent(asked), answered(asked)]), rests);
        let fault = Fault::Silence;
        let given_up = EventKind::GaveUp { step: asked, fault };
        assert_eq!(told(&[sent(asked), given_up]), rests);
        assert_eq!(told(&[sent(asked), EventKind::PowerCut]), rests);
    }
}
