//! Ctrl-C, as a terminal sends it.

use std::process::{Child, Command};

/// Sends SIGINT to one process.
pub(crate) fn interrupt(child: &Child) {
    let process = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {process}");
}
