//! What a run asks its user for: the id in a file's name, before anything is fetched (FAN-57,
//! FAN-86), and credentials that a server did not take (FAN-52).

use std::time::Duration;

use crate::event::{EventKind, Fault, Limit, Prompt, Trigger};
use crate::flash::Flash;
use crate::limits::{PROMPT_SECONDS_MAX, PROMPTS_MAX, TYPED_BYTES_MAX, URL_BYTES_MAX};
use crate::operator::Typed;
use crate::phone::holdings::Holdings;
use crate::phone::io::{Answer, Input};
use crate::phone::params;
use crate::phone::turn::Turn;
use crate::phone::walk::WalkEnd;
use crate::profile::{Param, StepId};
use crate::time::Moment;
use crate::url::Url;
use crate::wire::Malformed;

/// A question on the phone's display.
#[derive(Debug)]
pub(super) struct Question {
    prompt: Prompt,
    /// The candidate that it is about.
    base: Url,
    asked: Moment,
    /// When the operator answers, or nobody has.
    until: Moment,
    /// What the candidate came to so far.
    end: WalkEnd,
}

/// How a question ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The candidate, as it is to be walked now.
    Answered(Url),
    /// The user gave up, or nobody answered; what the candidate came to.
    Abandoned(WalkEnd),
}

/// What a candidate needs before its walk.
#[derive(Debug)]
pub(super) enum Need {
    /// Nothing: the URL, complete.
    Nothing(Url),
    /// The file id.
    FileId(Url),
}

/// Whether the user has to be asked for this candidate's file id (FAN-57, FAN-59); an id that is
/// remembered is put in (FAN-140).
pub(super) fn need(turn: &Turn<'_>, flash: &Flash, mut base: Url) -> Need {
    if !params::asks(turn, &base.path) {
        return Need::Nothing(base);
    }
    if !params::is_on(turn, flash, Param::SaveInput) {
        return Need::FileId(base);
    }
    let saved = params::text(turn, flash, Param::SavedInput);
    match filled(turn, &base, &saved) {
        Ok(path) if !saved.is_empty() && fault_in(&saved).is_none() => {
            base.path = path;
            Need::Nothing(base)
        }
        _ => Need::FileId(base),
    }
}

/// The candidate whose server refused the credentials, where the user is to be asked for others:
/// not for a download that a server ordered with its own, nor where the walk came to an end that
/// reboots.
pub(super) fn refused(turn: &Turn<'_>, trigger: Trigger, end: &mut WalkEnd) -> Option<Url> {
    let asks = turn.profile.prompt.as_ref();
    let asks = asks.is_some_and(|spec| spec.credentials);
    let goes_down = end.reboot || end.soft_reboot || end.install.is_some();
    let refused = end.refused.take()?;
    (asks && trigger != Trigger::Download && !goes_down).then_some(*refused)
}

impl Question {
    /// Asks, unless the run has asked `PROMPTS_MAX` times; `asked` counts.
    pub(super) fn ask(
        turn: &mut Turn<'_>,
        holdings: &Holdings<'_>,
        prompt: Prompt,
        base: Url,
        asked: &mut u32,
    ) -> Option<Box<Self>> {
        if *asked >= PROMPTS_MAX {
            let (limit, value) = (Limit::Prompts, u64::from(PROMPTS_MAX));
            turn.event(EventKind::LimitReached { limit, value });
            return None;
        }
        *asked += 1;
        turn.event(EventKind::Prompted(prompt));
        let most = Duration::from_secs(PROMPT_SECONDS_MAX);
        let wait = holdings
            .operator
            .map_or(most, |known| known.think.min(most));
        Some(Box::new(Self {
            prompt,
            base,
            asked: turn.now,
            until: turn.after_policy(wait),
            end: WalkEnd::default(),
        }))
    }

    /// Keeps what the candidate came to, for the case that nobody answers.
    pub(super) fn after(mut self: Box<Self>, end: WalkEnd) -> Box<Self> {
        self.end = end;
        self
    }

    /// When it wants a tick.
    pub(super) fn deadline(&self) -> Moment {
        self.until
    }

    /// Takes an input; anything but time and the user's answer changes nothing.
    pub(super) fn input(
        &mut self,
        turn: &mut Turn<'_>,
        holdings: &mut Holdings<'_>,
        input: &Input<'_>,
    ) -> Option<Outcome> {
        match *input {
            Input::Tick if self.until <= turn.now => {
                let typed = self.scripted(turn, holdings);
                let url = typed.and_then(|typed| self.typed(turn, holdings.flash, &typed));
                Some(url.map_or_else(|| self.abandoned(turn), Outcome::Answered))
            }
            Input::Operator(Answer::Abandon) => Some(self.abandoned(turn)),
            Input::Operator(answer) => {
                let typed = match (self.prompt, answer) {
                    (Prompt::FileId, Answer::FileId(text)) => Typed::FileId(text.to_owned()),
                    (Prompt::Credentials, Answer::Credentials { user, password }) => {
                        Typed::Credentials(user.to_owned(), password.to_owned())
                    }
                    // What does not fit the question cannot be typed.
                    _ => return None,
                };
                let url = self.typed(turn, holdings.flash, &typed);
                url.map(Outcome::Answered)
            }
            _ => None,
        }
    }

    /// What the operator of the script knows.
    fn scripted(&self, turn: &Turn<'_>, holdings: &Holdings<'_>) -> Option<Typed> {
        let operator = holdings.operator?;
        match self.prompt {
            Prompt::FileId => operator.file_id(&turn.vars()),
            Prompt::Credentials => operator.credentials(&turn.vars()),
        }
    }

    /// The candidate with what was typed; none where the phone does not take it.
    fn typed(&mut self, turn: &mut Turn<'_>, flash: &mut Flash, typed: &Typed) -> Option<Url> {
        let mut url = self.base.clone();
        match typed {
            Typed::FileId(id) => {
                let path = match fault_in(id) {
                    Some(fault) => Err(fault),
                    None => filled(turn, &url, id),
                };
                url.path = path.map_err(|fault| refuse(turn, fault)).ok()?;
                if params::is_on(turn, flash, Param::SaveInput) {
                    flash.set_web(Param::SavedInput, id);
                }
            }
            Typed::Credentials(user, password) => {
                let fault = fault_in(user).or_else(|| match password.as_str() {
                    "" => None,
                    password => fault_in(password),
                });
                if let Some(fault) = fault {
                    refuse(turn, fault);
                    return None;
                }
                url.user.clone_from(user);
                url.password.clone_from(password);
            }
        }
        turn.event(EventKind::PromptAnswered(self.prompt));
        let (step, after) = (StepId::PROMPT, turn.now.since(self.asked));
        turn.event(EventKind::Answered { step, after });
        Some(url)
    }

    fn abandoned(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.event(EventKind::PromptAbandoned(self.prompt));
        let (step, fault) = (StepId::PROMPT, Fault::Abandoned);
        turn.event(EventKind::GaveUp { step, fault });
        let mut end = std::mem::take(&mut self.end);
        end.failed = end.failed.max(1);
        Outcome::Abandoned(end)
    }
}

/// The path with the id in the place of its markers, wherever they stand (FAN-59).
fn filled(turn: &Turn<'_>, url: &Url, id: &str) -> Result<String, Refusal> {
    let path = params::expand_typed(turn, &url.path, id);
    if path.len() > URL_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    Ok(path.into_owned())
}

/// Why the phone does not take what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Beyond `TYPED_BYTES_MAX`, or the URL would be too long.
    TooLong,
    /// Nothing, or a control character at this byte.
    Unusable(usize),
}

fn fault_in(text: &str) -> Option<Refusal> {
    if text.len() > TYPED_BYTES_MAX {
        return Some(Refusal::TooLong);
    }
    let control = text.find(char::is_control);
    let control = control.or_else(|| text.is_empty().then_some(0));
    control.map(Refusal::Unusable)
}

fn refuse(turn: &mut Turn<'_>, refusal: Refusal) {
    let kind = match refusal {
        Refusal::TooLong => EventKind::LimitReached {
            limit: Limit::TypedBytes,
            value: TYPED_BYTES_MAX as u64,
        },
        Refusal::Unusable(offset) => EventKind::Wrong {
            step: StepId::PROMPT,
            fault: Fault::Malformed(Malformed {
                what: "typed text that is empty or has control characters",
                offset: u32::try_from(offset).unwrap_or(u32::MAX),
            }),
        },
    };
    turn.event(kind);
}

#[cfg(test)]
mod tests;
