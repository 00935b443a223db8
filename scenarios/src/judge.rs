//! Whether what was seen of one phone is what a case expects.
//!
//! Pure: messages and a state in, a finding out. What the judged side did not do, or did otherwise,
//! is a fail; where the other side kept it from being seen, or nothing was heard at all, the
//! finding is inconclusive.
//!
//! | module | owns |
//! |---|---|
//! | `wire` | lines about messages |
//! | `state` | lines about a virtual phone's state |

use std::collections::BTreeMap;

use bootstorm_emulator::time::Moment;

use crate::matcher::Fill;
use crate::suite::{Case, Side};
use crate::wire::Way;
use crate::wire::message::Message;

mod state;
mod wire;

/// Characters of a value that a sentence repeats.
const VALUE_CHARS_MAX: usize = 160;
/// What joins the lines of a whole expectation.
const THEN: &str = "; ";

/// What came of judging. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The purpose was observed.
    Pass,
    /// The purpose could not be observed.
    Inconclusive,
    /// The judged side contradicted the clause.
    Fail,
}

/// What was seen of one phone.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What it sent and received, in order.
    pub messages: &'a [Message],
    /// Packets that its record could not keep.
    pub lost: u64,
    /// When it was switched on.
    pub began: Moment,
    /// What only a virtual phone can show; `None` = a handset, whose state nobody sees: a case that
    /// expects something of it is inconclusive at best.
    pub state: Option<&'a State>,
}

/// What a virtual phone can show at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// How it ended: `provisioned`.
    pub outcome: String,
    /// Its settings, with the values that count.
    pub settings: BTreeMap<String, String>,
    /// The lines of its events, in order.
    pub events: Vec<String>,
    /// The firmware that it runs.
    pub firmware: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What came of it.
    pub verdict: Verdict,
    /// Why it is no pass, in one sentence; empty for a pass.
    pub reason: String,
    /// What was expected where it first differed; the whole expectation for a pass.
    pub expected: String,
    /// What was seen there; empty for a pass.
    pub actual: String,
    /// The messages, by their place in what was seen, that decided.
    pub evidence: Vec<usize>,
}

/// A line that does not hold.
#[derive(Debug)]
struct Broken {
    /// Whose doing it is; `None` = the phone's state.
    way: Option<Way>,
    expected: String,
    actual: String,
    evidence: Vec<usize>,
}

/// Why what a handset says is not enough for some cases.
const UNSEEN: &str = "as expected on the wire; what the phone then holds inside, nobody saw";

/// Judges one phone of a case, whose words fill the holes.
#[must_use]
pub fn judge(case: &Case, seen: &Seen<'_>, fill: &Fill<'_>) -> Finding {
    let mut search = wire::Search::new(seen, fill);
    for line in &case.wire {
        if let Err(broken) = search.line(line) {
            return found(case, seen, broken);
        }
    }
    let evidence = search.into_evidence();
    if let Some(held) = seen.state {
        for line in &case.state {
            if let Err(mut broken) = state::line(line, held, fill) {
                broken.evidence.clone_from(&evidence);
                return found(case, seen, broken);
            }
        }
    }
    let unseen = seen.state.is_none() && !case.state.is_empty();
    if seen.lost > 0 || unseen {
        return Finding {
            verdict: Verdict::Inconclusive,
            reason: match seen.lost {
                0 => UNSEEN.to_owned(),
                count => lost(count),
            },
            expected: says(case, fill),
            actual: String::new(),
            evidence,
        };
    }
    Finding {
        verdict: Verdict::Pass,
        reason: String::new(),
        expected: says(case, fill),
        actual: String::new(),
        evidence,
    }
}

/// The whole expectation of a case in words.
#[must_use]
pub fn says(case: &Case, fill: &Fill<'_>) -> String {
    let wire = case.wanted().map(|wanted| wire::says(wanted, fill));
    let state = case.state.iter().map(|line| state::says(line, fill));
    wire.chain(state).collect::<Vec<_>>().join(THEN)
}

/// The verdict about a line that does not hold.
fn found(case: &Case, seen: &Seen<'_>, broken: Broken) -> Finding {
    let heard = seen.messages.iter().any(|it| it.way == Way::Received);
    let said = seen.messages.iter().any(|it| it.way == Way::Sent);
    let (verdict, reason) = match (case.side, broken.way) {
        _ if seen.lost > 0 => (Verdict::Inconclusive, lost(seen.lost)),
        // That it is there at all was seen before the case began.
        (Side::Server, _) if !heard => (Verdict::Fail, "nothing came from the server".to_owned()),
        (Side::Phone, Some(Way::Received)) => (
            Verdict::Inconclusive,
            "the server did not give the phone what the case is about".to_owned(),
        ),
        // A virtual phone that says nothing is judged; it was switched on.
        (Side::Phone, _) if !said && seen.state.is_none() => (
            Verdict::Inconclusive,
            "nothing came from the phone".to_owned(),
        ),
        _ => (
            Verdict::Fail,
            format!("expected that {}; {}", broken.expected, broken.actual),
        ),
    };
    Finding {
        verdict,
        reason,
        expected: broken.expected,
        actual: broken.actual,
        evidence: broken.evidence,
    }
}

fn lost(packets: u64) -> String {
    format!("the record of the phone's packets lacks its first {packets}")
}

/// A value as sentences show it.
fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(VALUE_CHARS_MAX).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    let shown = shown.escape_debug().to_string();
    format!("'{}'", shown.replace("\\'", "'").replace("\\\"", "\""))
}

#[cfg(test)]
mod tests;
