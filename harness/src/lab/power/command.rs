//! Programs that switch power: anything that has a command line.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

use bootstorm_scenarios::lab::CommandDriver;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Job, NAP, PowerFault, http, secret, waited};

/// The environment variable that holds the secret.
const SECRET: &str = "LAB_SECRET";
/// Bytes of a program's complaint that are told.
const COMPLAINT_BYTES_MAX: usize = 2_048;

/// Runs the program of an action, without a shell, until it ends or its time is over.
pub(super) fn act(driver: &CommandDriver, job: Job<'_>) -> Result<String, PowerFault> {
    let outlet = job.outlet;
    let words = driver.commands.get(&job.action);
    let words = words.ok_or_else(|| outlet.unable(job.action))?;
    let words: Vec<String> = words.iter().map(|word| outlet.filled(word, None)).collect();
    let Some((program, arguments)) = words.split_first() else {
        return Err(outlet.unable(job.action));
    };
    let secret = driver.secret.as_ref();
    let secret = secret.map(|it| secret::read(it, outlet)).transpose()?;
    let what = words.join(" ");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C is ours; and with the group everything that it started ends.
        .process_group(0);
    if let Some(secret) = &secret {
        command.env(SECRET, secret);
    }
    let started = command.spawn();
    let child = started.map_err(|fault| outlet.refused(what.clone(), fault.to_string()))?;
    let mut running = Running::new(child);
    let until = Instant::now() + driver.timeout;
    let status = loop {
        let looked = running.child.try_wait();
        let looked = looked.map_err(|fault| outlet.refused(what.clone(), fault.to_string()))?;
        if let Some(status) = looked {
            break status;
        }
        if Instant::now() >= until {
            return Err(PowerFault::Silent {
                switch: outlet.switch.clone(),
                what,
                at: "this machine".to_owned(),
                within: driver.timeout,
            });
        }
        waited(NAP / 5, job.stop)?;
    };
    let complaint = running.complaint();
    if status.success() {
        return Ok(format!("{program} ended well"));
    }
    let complaint = http::hidden(complaint.trim(), secret.as_deref());
    let said = if complaint.is_empty() {
        String::new()
    } else {
        format!(": {complaint}")
    };
    Err(outlet.refused(what, format!("{}{said}", ended(status))))
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A program that is running; with it everything ends that it started.
struct Running {
    child: Child,
    complaint: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let complaint = child.stderr.take().and_then(|stream| {
            let listen = std::thread::Builder::new().name("complaints".to_owned());
            listen.spawn(move || beginning(stream)).ok()
        });
        Self { child, complaint }
    }

    fn complaint(&mut self) -> String {
        // Somebody whom it left behind may still hold the stream.
        self.end();
        let heard = self.complaint.take().map(JoinHandle::join);
        let bytes = heard.and_then(Result::ok).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn end(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // Nobody left to be ended is fine.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The first bytes of a stream; the rest is read and forgotten, so that nobody waits for us.
fn beginning(mut stream: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let room = COMPLAINT_BYTES_MAX - kept.len();
        kept.extend(buffer.iter().take(count.min(room)));
    }
    kept
}
