//! Lines about a virtual phone's state.

use super::{Broken, State, shown};
use crate::matcher::{Fill, Matcher};
use crate::suite::StateLine;

/// Event lines that a sentence repeats.
const EVENTS_SHOWN_MAX: usize = 3;

/// Takes one line.
pub(super) fn line(line: &StateLine, state: &State, fill: &Fill<'_>) -> Result<(), Broken> {
    let fits = |matcher: &Matcher, value: &str| matcher.fits(std::iter::once(value), fill);
    let actual = match line {
        StateLine::Outcome(wanted) => {
            (state.outcome != *wanted).then(|| format!("it is {}", state.outcome))
        }
        StateLine::Setting { key, is } => match (state.settings.get(key), is) {
            (None, None) => None,
            (Some(value), None) => Some(format!("it is {}", shown(value))),
            (None, Some(_)) => Some("the phone does not hold it".to_owned()),
            (Some(value), Some(is)) => {
                (!fits(is, value)).then(|| format!("it is {}", shown(value)))
            }
        },
        StateLine::Event(words) => {
            let words = words.text(fill);
            let mut events = state.events.iter();
            let found = events.any(|event| event.contains(&words));
            (!found).then(|| last_events(&state.events))
        }
        StateLine::NoEvent(words) => {
            let words = words.text(fill);
            let mut events = state.events.iter();
            let found = events.find(|event| event.contains(&words));
            found.map(|event| format!("there is {}", shown(event)))
        }
        StateLine::Firmware(is) => {
            (!fits(is, &state.firmware)).then(|| format!("it is {}", shown(&state.firmware)))
        }
    };
    actual.map_or(Ok(()), |actual| {
        Err(Broken {
            way: None,
            expected: says(line, fill),
            actual,
            evidence: Vec::new(),
        })
    })
}

/// A line in words.
pub(super) fn says(line: &StateLine, fill: &Fill<'_>) -> String {
    match line {
        StateLine::Outcome(wanted) => format!("the phone's outcome is {wanted}"),
        StateLine::Setting { key, is: None } => format!("the phone does not hold {key}"),
        StateLine::Setting { key, is: Some(is) } => format!("the phone's {key} {}", is.says(fill)),
        StateLine::Event(words) => format!("an event says {}", shown(&words.text(fill))),
        StateLine::NoEvent(words) => format!("no event says {}", shown(&words.text(fill))),
        StateLine::Firmware(is) => format!("the phone's firmware {}", is.says(fill)),
    }
}

/// The last events, where the wanted one is not among all of them.
fn last_events(events: &[String]) -> String {
    let from = events.len().saturating_sub(EVENTS_SHOWN_MAX);
    let last = events.get(from..).unwrap_or_default();
    match last {
        [] => "the phone has no event".to_owned(),
        last => {
            let last: Vec<String> = last.iter().map(|event| shown(event)).collect();
            format!(
                "none of {} events does; the last are {}",
                events.len(),
                last.join(", ")
            )
        }
    }
}
