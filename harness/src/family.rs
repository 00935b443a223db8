//! A program with everything that it starts: a process group of its own, ended as one.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// How often it is looked whether the program has ended.
const NAP: Duration = Duration::from_millis(10);
/// How long a killed program is waited for: another user's (`sudo`) cannot be killed.
const KILLED: Duration = Duration::from_secs(1);

/// A program that was started, and everything that it started. Dropping it kills them all; whoever
/// left the group (a daemon) or is another user's stays.
#[derive(Debug)]
pub(crate) struct Family {
    child: Child,
    has_ended: bool,
}

impl Family {
    /// Starts it. A terminal's Ctrl-C is not for it, and it cannot ask anything at the terminal.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self {
            child: command.process_group(0).spawn()?,
            has_ended: false,
        })
    }

    /// Its standard output, once, where it was piped.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, once, where it was piped.
    pub(crate) fn complaints(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Whether the program is over. Its id stays its own until `end`, so that no signal strays.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn is_over(&self) -> io::Result<bool> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        match waitid(Id::Pid(self.id()), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Asks them to end, where there is a grace, and kills who is left after it. How the program
    /// ended; nothing where that is not known, as of one that could not be killed.
    pub(crate) fn end(&mut self, grace: Duration) -> Option<ExitStatus> {
        if !std::mem::replace(&mut self.has_ended, true) {
            if !grace.is_zero() {
                // Nobody left to be ended is fine, here and below.
                let _ = killpg(self.id(), Signal::SIGTERM);
                self.waits(grace);
            }
            let _ = killpg(self.id(), Signal::SIGKILL);
            self.waits(KILLED);
        }
        self.child.try_wait().ok().flatten()
    }

    fn waits(&self, time: Duration) {
        let until = Instant::now() + time;
        while self.is_over().is_ok_and(|over| !over) && Instant::now() < until {
            std::thread::sleep(NAP);
        }
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
