//! Programs that switch power: anything that has a command line.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use bootstorm_scenarios::lab::CommandDriver;

use super::{Job, NAP, PowerFault, http, secret, waited};
use crate::family::Family;

/// The environment variable that holds the secret.
const SECRET: &str = "LAB_SECRET";
/// Bytes of a program's complaint that are told.
const COMPLAINT_BYTES_MAX: usize = 2_048;
/// How long the end of a complaint is waited for: a daemon may hold the stream for good.
const COMPLAINT: Duration = Duration::from_secs(1);

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
        .stderr(Stdio::piped());
    if let Some(secret) = &secret {
        command.env(SECRET, secret);
    }
    let failed = |fault: io::Error| outlet.refused(what.clone(), fault.to_string());
    // It is killed with all that it started, whichever way we leave.
    let mut running = Family::start(&mut command).map_err(failed)?;
    // One that begins before the cut is read to its end, and so is known for what it is.
    let room = COMPLAINT_BYTES_MAX + secret.as_ref().map_or(0, String::len);
    let complaint = running.complaints().map(|stream| heard(stream, room));
    let until = Instant::now() + driver.timeout;
    while !running.is_over().map_err(failed)? {
        if Instant::now() >= until {
            return Err(PowerFault::Silent {
                switch: outlet.switch.clone(),
                what,
                at: "this machine".to_owned(),
                within: driver.timeout,
            });
        }
        waited(NAP / 5, job.stop)?;
    }
    let status = running.end(Duration::ZERO);
    if status.is_some_and(|status| status.success()) {
        return Ok(format!("{program} ended well"));
    }
    let complaint = complaint.map(|heard| said(&heard)).unwrap_or_default();
    let complaint = shown(&complaint, secret.as_deref());
    let said = match complaint.trim() {
        "" => String::new(),
        complaint => format!(": {complaint}"),
    };
    let ended = status.map_or_else(|| "ended".to_owned(), ended);
    Err(outlet.refused(what, format!("{ended}{said}")))
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Listens to a complaint in a thread of its own, which ends when nobody holds the stream any more.
fn heard(stream: impl Read + Send + 'static, room: usize) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let listen = std::thread::Builder::new().name("complaints".to_owned());
    // Without a thread nothing is heard.
    let _ = listen.spawn(move || beginning(stream, room, &sender));
    receiver
}

/// What was heard of a complaint, whose end is waited for only for a moment.
fn said(heard: &Receiver<Vec<u8>>) -> String {
    let until = Instant::now() + COMPLAINT;
    let mut bytes = Vec::new();
    let rest = || until.saturating_duration_since(Instant::now());
    while let Ok(more) = heard.recv_timeout(rest()) {
        bytes.extend(more);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first of a complaint, without the secret: one in the midst of which it is cut counts whole.
fn shown(complaint: &str, secret: Option<&str>) -> String {
    let mut end = complaint.floor_char_boundary(COMPLAINT_BYTES_MAX);
    let secret = secret.filter(|secret| !secret.is_empty());
    for (at, found) in secret
        .iter()
        .flat_map(|secret| complaint.match_indices(secret))
    {
        if at < end {
            end = end.max(at + found.len());
        }
    }
    http::hidden(complaint.get(..end).unwrap_or_default(), secret)
}

/// The first bytes of a stream; the rest is read and forgotten, so that nobody waits for us.
fn beginning(mut stream: impl Read, mut room: usize, told: &Sender<Vec<u8>>) {
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let kept = count.min(room);
        room -= kept;
        if kept > 0 {
            // Nobody hears the complaint of one that ended well.
            let _ = told.send(buffer[..kept].to_vec());
        }
    }
}
