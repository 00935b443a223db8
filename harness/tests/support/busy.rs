//! Runs for which the machine was too busy, and which are repeated.

use std::io::Write as _;

/// Whether what a run said shows that the machine was too busy; that it is repeated for this is
/// said past the capture of the tests.
pub(crate) fn was_too_busy(said: &str) -> bool {
    let late = lateness(said);
    if let Some(late) = &late {
        let _ = writeln!(std::io::stderr(), "repeated: {late}");
    }
    late.is_some()
}

/// The words of a void run that tell of this machine alone: its phones were served too late.
pub(crate) fn lateness(said: &str) -> Option<String> {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, reasons) = said.split_once("Void: generator saturated (")?;
    let (_, late) = reasons.split_once("phones were served ")?;
    let (late, _) = late.split_once(" ms late")?;
    Some(format!("phones were served {late} ms late"))
}
