//! The ladder of one boot, as text and as a Mermaid sequence diagram.

use std::fmt::Write as _;

use bootstorm_scenarios::plan::Plan;

use super::{Rung, clauses, rung, seconds};
use crate::fleet::shard::ShardResult;

/// Clause ids on one line; a step that rests on more shows the first ones.
const CLAUSES_SHOWN: usize = 4;

/// One line for each message, with the step's clauses.
pub(super) fn text(out: &mut String, plan: &Plan, result: &ShardResult) {
    let _ = writeln!(out, "  {:>9}  phone {:-<34} server", "", "");
    for logged in &result.log {
        let Some(planned) = plan.phone(logged.phone) else {
            continue;
        };
        let Some(rung) = rung(plan, &planned, result, logged) else {
            continue;
        };
        let at = seconds(logged.event.at);
        let _ = match rung {
            Rung::Request(step, text) => {
                let clauses = some(&clauses(plan, &planned, step));
                let line = format!("  {at:>8.3}s  |-- {text:-<36}-->|  {clauses}");
                writeln!(out, "{}", line.trim_end())
            }
            Rung::Answer(text) => writeln!(out, "  {at:>8.3}s  |<- {text:-<36}---|"),
            Rung::Note(text) => writeln!(out, "  {at:>8.3}s  *  {text}"),
        };
    }
}

/// A `sequenceDiagram`.
pub(super) fn mermaid(plan: &Plan, result: &ShardResult) -> String {
    let mut out = String::from("sequenceDiagram\n    participant P as phone\n");
    out.push_str("    participant S as server\n");
    for logged in &result.log {
        let Some(planned) = plan.phone(logged.phone) else {
            continue;
        };
        let Some(rung) = rung(plan, &planned, result, logged) else {
            continue;
        };
        let at = seconds(logged.event.at);
        let _ = match rung {
            Rung::Request(step, text) => {
                let clauses = some(&clauses(plan, &planned, step));
                let text = plain(&format!("{at:.3} s {text} {clauses}"));
                writeln!(out, "    P->>S: {}", text.trim_end())
            }
            Rung::Answer(text) => {
                writeln!(out, "    S-->>P: {}", plain(&format!("{at:.3} s {text}")))
            }
            Rung::Note(text) => {
                writeln!(
                    out,
                    "    Note over P: {}",
                    plain(&format!("{at:.3} s {text}"))
                )
            }
        };
    }
    out
}

fn some(clauses: &str) -> String {
    let all: Vec<_> = clauses.split(' ').collect();
    match all.get(..CLAUSES_SHOWN) {
        Some(first) if all.len() > CLAUSES_SHOWN => format!("{} …", first.join(" ")),
        _ => clauses.to_owned(),
    }
}

/// Text that Mermaid takes as it is: `<`, `>`, `;` and `#` mean something to it.
fn plain(text: &str) -> String {
    text.replace('#', "#35;")
        .replace(';', "#59;")
        .replace("#35#59;", "#35;")
        .replace('<', "#lt;")
        .replace('>', "#gt;")
}
