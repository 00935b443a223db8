//! `bootstorm notify`

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::{port, sip};
use rustc_hash::FxHashMap;

use super::live::catch_interrupt;
use super::{Exit, NotifyArguments, Shared, Trouble, load, print};
use crate::reference::notify::{Batch, Message, Notifier, Outcome, Target};
use crate::reference::{Endpoint, Replies};

/// Targets of one command.
const TARGETS_MAX: usize = 100_000;
/// Longest user name in a target, in bytes.
const USER_BYTES_MAX: usize = 256;
/// How often it is looked whether the command is to end.
const NAP: Duration = Duration::from_millis(50);
const DATAGRAM_BYTES: usize = 65_536;

/// Sends check-sync to every target until it answers, and prints who answered what.
pub(super) fn notify(shared: &Shared, arguments: &NotifyArguments) -> Result<Exit, Trouble> {
    let targets = targets(arguments)?;
    let source = source(arguments, &targets)?;
    let timeout = Duration::try_from_secs_f64(arguments.timeout)
        .ok()
        .filter(|time| !time.is_zero() && *time <= Duration::from_secs(3_600));
    let timeout = timeout
        .ok_or_else(|| Trouble::usage("--timeout takes seconds, more than 0 and at most 3600"))?;
    let socket = UdpSocket::bind(source).map_err(|fault| unbound(source, &fault))?;
    let own = own_address(&socket).map_err(|fault| unbound(source, &fault))?;
    let stop = Arc::new(AtomicBool::new(false));
    catch_interrupt(Arc::clone(&stop), "ending (Ctrl-C again ends at once)")?;
    let seed = shared.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let notifier = Notifier::new(own, Endpoint::Sip, seed, Arc::default());
    let batch = Batch::new(targets, Message::CheckSync(arguments.reboot));
    let sender = Sender {
        socket,
        notifier: notifier.giving_up_after(timeout),
    };
    let unsent = sender.send(&batch, &stop)?;
    let stopped = stop.load(Ordering::Relaxed);
    Ok(tell(shared, &batch, &unsent, stopped))
}

/// Targets to which the last try could not even be sent, and what the operating system said.
type Unsent = FxHashMap<SocketAddrV4, String>;

struct Sender {
    socket: UdpSocket,
    notifier: Notifier,
}

impl Sender {
    /// Sends until every target has answered or was given up, or `stop` is raised. Hands back
    /// where nothing could be sent to, and why.
    fn send(mut self, batch: &Arc<Batch>, stop: &AtomicBool) -> Result<Unsent, Trouble> {
        let mut unsent = Unsent::default();
        let failed = |fault: io::Error| Trouble::own(format!("failed to receive: {fault}"));
        let began = Instant::now();
        let now = || Moment::ZERO + began.elapsed();
        let mut replies = Replies::default();
        let mut buffer = vec![0; DATAGRAM_BYTES];
        self.notifier.order(now(), batch, None);
        while !batch.is_over() && !stop.load(Ordering::Relaxed) {
            replies.clear();
            self.notifier.tick(now(), &mut replies);
            for (datagram, bytes) in replies.iter() {
                // What cannot leave now is sent again like what was lost.
                match self.socket.send_to(bytes, datagram.to) {
                    Ok(_) => unsent.remove(&datagram.to),
                    Err(fault) => unsent.insert(datagram.to, fault.to_string()),
                };
            }
            let due = self.notifier.deadline().map(|at| at.since(now()));
            let wait = due.unwrap_or(NAP).clamp(Duration::from_micros(100), NAP);
            self.socket.set_read_timeout(Some(wait)).map_err(failed)?;
            match self.socket.recv_from(&mut buffer) {
                Ok((length, SocketAddr::V4(from))) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.notifier.datagram(now(), from, bytes);
                }
                // Nothing came in time, or an ICMP message says that nobody is there: the
                // target may still come up.
                Ok(_) => {}
                Err(fault) if is_passing(&fault) => {}
                Err(fault) => return Err(failed(fault)),
            }
        }
        // Answers that came before the command was ended count.
        self.socket.set_nonblocking(true).map_err(failed)?;
        while let Ok((length, SocketAddr::V4(from))) = self.socket.recv_from(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            self.notifier.datagram(now(), from, bytes);
        }
        Ok(unsent)
    }
}

fn is_passing(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

/// One line for each target, in the order in which they were given, and the sum.
fn tell(shared: &Shared, batch: &Batch, unsent: &Unsent, stopped: bool) -> Exit {
    let targets = batch.targets();
    let mut known: Vec<Option<Outcome>> = vec![None; targets.len()];
    for outcome in batch.outcomes() {
        if let Some(place) = known.get_mut(outcome.target as usize) {
            *place = Some(outcome);
        }
    }
    let mut text = String::new();
    for (target, outcome) in targets.iter().zip(&known) {
        if !shared.quiet {
            text.push_str(&line(target, outcome.as_ref(), unsent.get(&target.to)));
        }
    }
    let accepted = batch.answers().accepted;
    text.push_str(&format!("{accepted} of {} answered 2xx\n", targets.len()));
    print(&text);
    if stopped && !batch.is_over() {
        Exit::Interrupted
    } else if !unsent.is_empty() {
        // Nobody can be blamed for not answering what never left.
        Exit::Own
    } else if accepted as usize == targets.len() {
        Exit::Met
    } else {
        Exit::SubjectFailed
    }
}

fn line(target: &Target, outcome: Option<&Outcome>, unsent: Option<&String>) -> String {
    let name = match target.user.as_str() {
        "" => target.to.to_string(),
        user => format!("{user}@{}", target.to),
    };
    let said = match outcome {
        None => "not answered when the command was ended".to_owned(),
        Some(Outcome { status: None, .. }) => {
            unsent.map_or_else(|| "no answer".to_owned(), |why| format!("not sent: {why}"))
        }
        Some(Outcome {
            status: Some(status),
            from,
            after,
            ..
        }) => {
            let other = match *from == target.to {
                true => String::new(),
                false => format!(", from {from}"),
            };
            let reason = sip::reason(*status);
            format!("{status} {reason} after {} ms{other}", after.as_millis())
        }
    };
    format!("{name:<36} {said}\n")
}

/// The targets of the command line, then those of the file.
fn targets(arguments: &NotifyArguments) -> Result<Vec<Target>, Trouble> {
    let mut targets = Vec::new();
    for text in &arguments.to {
        let target = target(text).map_err(|why| Trouble::usage(format!("--to {text}: {why}")))?;
        targets.push(target);
    }
    let mut faults = Vec::new();
    if let Some(path) = &arguments.from_file {
        let text = load::read(path)?;
        for (line, number) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            match target(line) {
                Ok(target) => targets.push(target),
                Err(why) => faults.push(format!("{}:{number}:1: {line}: {why}", path.display())),
            }
        }
    }
    if !faults.is_empty() {
        return Err(Trouble::usage(faults.join("\nbootstorm: ")));
    }
    match targets.len() {
        0 => Err(Trouble::usage("nobody to notify: give --to or --from-file")),
        count if count > TARGETS_MAX => Err(Trouble::usage(format!(
            "{count} targets are more than the {TARGETS_MAX} that one command takes"
        ))),
        _ => Ok(targets),
    }
}

/// Reads `[USER@]ADDRESS[:PORT]`.
fn target(text: &str) -> Result<Target, String> {
    let (user, at) = text.rsplit_once('@').unwrap_or(("", text));
    let to = address(at, port::SIP)
        .ok_or("expected [USER@]ADDRESS[:PORT], for example 0021f222b01d@192.0.2.17")?;
    let ip = to.ip();
    if ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() || to.port() == 0 {
        return Err("expected the address of one phone".to_owned());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&byte);
    if user.len() > USER_BYTES_MAX || !user.bytes().all(plain) {
        return Err("the user name has characters that a SIP URI does not take".to_owned());
    }
    Ok(Target {
        to,
        user: user.to_owned(),
        account: None,
    })
}

fn address(text: &str, port: u16) -> Option<SocketAddrV4> {
    let whole = text.parse().ok();
    whole.or_else(|| Some(SocketAddrV4::new(text.parse().ok()?, port)))
}

/// The address that everything is sent from: the one given, else the one that the host would use
/// towards the first target.
fn source(arguments: &NotifyArguments, targets: &[Target]) -> Result<SocketAddrV4, Trouble> {
    if let Some(text) = &arguments.source {
        let given = address(text, 0).filter(|at| !at.ip().is_unspecified());
        return given.ok_or_else(|| {
            Trouble::usage(format!(
                "--source {text}: expected ADDRESS[:PORT] of this host"
            ))
        });
    }
    let first = targets.first().map(|target| target.to);
    let towards = |to: SocketAddrV4| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(to)?;
        own_address(&socket)
    };
    let own = first.map(towards).transpose();
    let own = own.map_err(|fault| Trouble::own(format!("failed to find a way there: {fault}")))?;
    let address = own.map_or(Ipv4Addr::UNSPECIFIED, |own| *own.ip());
    Ok(SocketAddrV4::new(address, 0))
}

fn own_address(socket: &UdpSocket) -> io::Result<SocketAddrV4> {
    match socket.local_addr()? {
        SocketAddr::V4(own) => Ok(own),
        SocketAddr::V6(_) => Err(io::Error::other("an IPv6 address")),
    }
}

fn unbound(source: SocketAddrV4, fault: &io::Error) -> Trouble {
    Trouble::own(format!(
        "failed to bind {source}: {fault} (--source takes an address of this host, and a port that \
         is free)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_targets_and_refuses_what_is_none() {
        let read = |text: &str| target(text).map(|it| format!("{} {}", it.user, it.to));
        assert_eq!(read("192.0.2.1").unwrap(), " 192.0.2.1:5060");
        assert_eq!(read("u1@127.0.0.1:99").unwrap(), "u1 127.0.0.1:99");
        for text in [
            "",
            "phone",
            "224.0.1.75",
            "255.255.255.255",
            "0.0.0.0",
            "10.0.0.1:0",
            "10.0.0.1:x",
            "a b@10.0.0.1",
            "a>b@10.0.0.1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
