//! Commands of a scenario: how its steps reach a server that is not the built-in one. They are
//! carried out by the shell, beside the run.

use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Bytes of a command's own words that are told.
const SAID_BYTES_MAX: usize = 200;

/// What a shard does with commands.
#[derive(Debug, Clone, Default)]
pub enum Hooks {
    /// The built-in server is told, and no command carried out.
    #[default]
    BuiltIn,
    /// Another shard carries them out.
    Elsewhere,
    /// This one does.
    Here(Arc<Runner>),
}

/// Carries out commands, each in a thread of its own.
#[derive(Debug, Default)]
pub struct Runner {
    threads: Mutex<Vec<JoinHandle<Option<String>>>>,
}

impl Hooks {
    /// Whether a step with a command is left to that.
    #[must_use]
    pub fn are_used(&self) -> bool {
        !matches!(self, Self::BuiltIn)
    }

    /// Has a command carried out, if it is this shard that does so.
    pub fn carry_out(&self, command: &str) {
        if let Self::Here(runner) = self {
            runner.carry_out(command);
        }
    }
}

impl Runner {
    fn carry_out(&self, command: &str) {
        let command = command.to_owned();
        let thread = thread::spawn(move || told(&command, &run(&command)));
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(thread);
    }

    /// What went wrong with commands that have ended, one sentence each; those that have not are
    /// left to themselves.
    pub fn faults(&self) -> Vec<String> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut faults = Vec::new();
        for thread in threads.drain(..) {
            if !thread.is_finished() {
                faults.push("a command of the scenario had not ended when the run had".to_owned());
            } else if let Ok(Some(fault)) = thread.join() {
                faults.push(fault);
            }
        }
        faults
    }
}

fn run(command: &str) -> std::io::Result<Output> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    shell.output()
}

/// What is to be said of a command that failed.
fn told(command: &str, output: &std::io::Result<Output>) -> Option<String> {
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: String = said.trim().chars().take(SAID_BYTES_MAX).collect();
            let said = said.replace(char::is_control, " ");
            Some(format!(
                "command `{command}` of the scenario failed ({}): {said}",
                output.status
            ))
        }
        Err(fault) => Some(format!(
            "failed to start command `{command}` of the scenario: {fault}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_of_a_command_only_that_it_failed() {
        assert_eq!(told("true", &run("true")), None);
        let fault = told("x", &run("echo out; echo no such service >&2; exit 3"));
        let fault = fault.expect("a fault");
        assert!(
            fault.contains("command `x` of the scenario failed"),
            "{fault}"
        );
        assert!(fault.ends_with("no such service"), "{fault}");
    }
}
