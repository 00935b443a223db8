//! Commands of a scenario: how its steps reach a server that is not the built-in one. They are
//! carried out by the shell, beside the run.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of a command's own words that are told.
const SAID_BYTES_MAX: u64 = 200;
/// How long the words of a command are waited for that has ended: what it left in the background
/// may keep its standard error open.
const GRACE: Duration = Duration::from_millis(200);

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
    running: Mutex<Vec<Running>>,
}

/// A command that was begun.
#[derive(Debug)]
struct Running {
    command: String,
    /// What went wrong with it.
    thread: JoinHandle<Option<String>>,
}

/// How a command ended, and the beginning of what it said of that.
#[derive(Debug)]
struct Done {
    status: ExitStatus,
    said: Vec<u8>,
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

    /// Whether every command has ended that this shard carries out.
    #[must_use]
    pub fn are_still(&self) -> bool {
        match self {
            Self::Here(runner) => runner.is_still(),
            Self::BuiltIn | Self::Elsewhere => true,
        }
    }
}

impl Runner {
    fn carry_out(&self, command: &str) {
        let command = command.to_owned();
        let own = command.clone();
        let thread = thread::spawn(move || told(&own, &run(&own)));
        self.running().push(Running { command, thread });
    }

    fn is_still(&self) -> bool {
        self.running().iter().all(|it| it.thread.is_finished())
    }

    /// What went wrong with commands that have ended, one sentence each; those that have not are
    /// left to themselves.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for Running { command, thread } in self.running().drain(..) {
            if !thread.is_finished() {
                faults.push(format!(
                    "command `{command}` of the scenario had not ended when the run had"
                ));
            } else if let Ok(Some(fault)) = thread.join() {
                faults.push(fault);
            }
        }
        faults
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out a command and waits for its end, not for that of what it leaves in the background.
fn run(command: &str) -> io::Result<Done> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = shell.stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().map(heard);
    let status = child.wait()?;
    let said = said.and_then(|said| said.recv_timeout(GRACE).ok());
    Ok(Done {
        status,
        said: said.unwrap_or_default(),
    })
}

/// The beginning of what is said, once nobody can say more or there is enough of it. The rest is
/// read all the same: whoever writes to a full pipe waits.
fn heard(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (enough, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut said = Vec::new();
        let _ = pipe.by_ref().take(SAID_BYTES_MAX).read_to_end(&mut said);
        // Nobody may wait for it any more.
        let _ = enough.send(said);
        let _ = io::copy(&mut pipe, &mut io::sink());
    });
    told
}

/// What is to be said of a command that failed.
fn told(command: &str, done: &io::Result<Done>) -> Option<String> {
    match done {
        Ok(done) if done.status.success() => None,
        Ok(Done { status, said }) => {
            let said = String::from_utf8_lossy(said);
            let said = said.trim().replace(char::is_control, " ");
            Some(format!(
                "command `{command}` of the scenario failed ({status}): {said}"
            ))
        }
        Err(fault) => Some(format!(
            "failed to start command `{command}` of the scenario: {fault}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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

    #[test]
    fn a_command_ends_before_what_it_leaves_in_the_background() {
        let began = Instant::now();
        let done = run("sleep 5 & exit 1").expect("a shell");
        assert!(began.elapsed() < Duration::from_secs(4));
        assert!(!done.status.success());
    }

    #[test]
    fn a_command_that_says_much_is_not_held_up() {
        let done = run("head -c 300000 /dev/zero >&2").expect("a shell");
        assert!(done.status.success());
        assert_eq!(done.said.len() as u64, SAID_BYTES_MAX);
    }

    #[test]
    fn a_runner_is_still_when_its_commands_have_ended() {
        let runner = Arc::<Runner>::default();
        let hooks = Hooks::Here(Arc::clone(&runner));
        assert!(hooks.are_still());
        hooks.carry_out("sleep 3");
        assert!(!hooks.are_still());
        let faults = runner.faults();
        assert!(faults[0].contains("`sleep 3` of the scenario had not ended"));
    }
}
