//! Somebody who is asked on the terminal and waited for.

use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_scenarios::lab::{Action, PersonDriver};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};

use super::{Job, PowerFault};

/// How often it is looked whether the user ended the run.
const NAP_MS: u16 = 100;

/// Who asks people.
pub trait Asking: Sync {
    /// Shows the question and waits for Enter; `None` = there is nobody to ask.
    ///
    /// # Errors
    /// What the terminal says.
    fn ask(
        &self,
        question: &str,
        patience: Duration,
        stop: &AtomicBool,
    ) -> Option<io::Result<bool>>;
}

/// The terminal that this program was started on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

/// Asks for what the action says.
pub(super) fn act(driver: &PersonDriver, job: Job<'_>) -> Result<String, PowerFault> {
    let outlet = job.outlet;
    let (place, mac) = (&outlet.place, outlet.mac);
    let asked = match job.action {
        Action::On => "give it power".to_owned(),
        Action::Off => "take its power away".to_owned(),
        Action::Cycle => format!(
            "take its power away, wait {} s, give it back",
            outlet.off.as_secs_f64()
        ),
        Action::Reset => "take it back to factory settings".to_owned(),
    };
    let at = match outlet.port.as_str() {
        "" => String::new(),
        port => format!(", port {port}"),
    };
    let question = format!("place {place} (handset {mac}{at}): please {asked}, then press Enter");
    let answered = job.asking.ask(&question, driver.timeout, job.stop);
    let Some(answered) = answered else {
        return Err(PowerFault::NoTerminal {
            switch: outlet.switch.clone(),
        });
    };
    match answered {
        Ok(true) => Ok("somebody pressed Enter".to_owned()),
        Ok(false) if job.stop.load(Ordering::Relaxed) => Err(PowerFault::Ended),
        Ok(false) => Err(PowerFault::Silent {
            switch: outlet.switch.clone(),
            what: job.action.word().to_owned(),
            at: "the terminal".to_owned(),
            within: driver.timeout,
        }),
        Err(fault) => Err(outlet.refused(job.action.word(), fault.to_string())),
    }
}

impl Asking for Terminal {
    fn ask(
        &self,
        question: &str,
        patience: Duration,
        stop: &AtomicBool,
    ) -> Option<io::Result<bool>> {
        let (input, mut output) = (io::stdin(), io::stderr());
        if !input.is_terminal() || !output.is_terminal() {
            return None;
        }
        Some(asked(
            question,
            (input.as_fd(), &mut output),
            patience,
            stop,
        ))
    }
}

/// Shows a question and waits for a line; what was typed before is no answer to it.
pub(super) fn asked(
    question: &str,
    (input, output): (BorrowedFd<'_>, &mut dyn Write),
    patience: Duration,
    stop: &AtomicBool,
) -> io::Result<bool> {
    // What is no terminal keeps what it holds.
    let _ = tcflush(input, FlushArg::TCIFLUSH);
    writeln!(output, "bootstorm: {question}")?;
    entered(input, patience, stop)
}

/// Waits for a line; false when none came in time or the run was ended.
pub(super) fn entered(
    input: BorrowedFd<'_>,
    patience: Duration,
    stop: &AtomicBool,
) -> io::Result<bool> {
    let until = Instant::now() + patience;
    let mut source = std::fs::File::from(input.try_clone_to_owned()?);
    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
        let mut waits = [PollFd::new(input, PollFlags::POLLIN)];
        match poll(&mut waits, PollTimeout::from(NAP_MS)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(fault) => return Err(fault.into()),
        }
        let mut byte = [0];
        match source.read(&mut byte)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ if byte == *b"\n" => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}
