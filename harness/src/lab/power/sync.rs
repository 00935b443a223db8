//! Check-sync with reboot, which makes a handset do itself what a power cycle would (FLY-99,
//! FLY-100).

use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::lab::SyncDriver;

use super::{Job, NAP, PowerFault, waited};
use crate::reference::notify::{Batch, Message, Notifier, Target};
use crate::reference::{Endpoint, Replies};

const DATAGRAM_BYTES: usize = 65_536;

/// Sends the NOTIFY again and again until it is answered or given up.
pub(super) fn act(driver: &SyncDriver, job: Job<'_>) -> Result<String, PowerFault> {
    let outlet = job.outlet;
    let to = SocketAddrV4::new(outlet.handset()?, driver.port);
    let what = "check-sync with reboot";
    let failed = |fault: std::io::Error| outlet.refused(what, fault.to_string());
    let socket = UdpSocket::bind((outlet.own, 0)).map_err(failed)?;
    let SocketAddr::V4(own) = socket.local_addr().map_err(failed)? else {
        return Err(outlet.unable(job.action));
    };
    let target = Target {
        to,
        user: outlet.filled(&driver.user, None),
        account: None,
    };
    let batch = Batch::new(vec![target], Message::CheckSync(Some(true)));
    let seed = u64::from(std::process::id());
    let notifier = Notifier::new(own, Endpoint::Sip, seed, Arc::default());
    let mut notifier = notifier.giving_up_after(driver.timeout);
    let began = Instant::now();
    let now = || Moment::ZERO + began.elapsed();
    notifier.order(now(), &batch, None);
    let (mut replies, mut buffer) = (Replies::default(), vec![0; DATAGRAM_BYTES]);
    while !batch.is_over() {
        waited(Duration::ZERO, job.stop)?;
        replies.clear();
        notifier.tick(now(), &mut replies);
        for (datagram, bytes) in replies.iter() {
            // What cannot leave now is sent again like what was lost.
            let _ = socket.send_to(bytes, datagram.to);
        }
        let due = notifier.deadline().map(|at| at.since(now()));
        let wait = due.unwrap_or(NAP).clamp(Duration::from_micros(100), NAP);
        socket.set_read_timeout(Some(wait)).map_err(failed)?;
        match socket.recv_from(&mut buffer) {
            Ok((length, SocketAddr::V4(from))) => {
                notifier.datagram(now(), from, buffer.get(..length).unwrap_or_default());
            }
            Err(fault) if fault.kind() == ErrorKind::Unsupported => return Err(failed(fault)),
            // Nothing came, or nobody is there yet.
            Ok(_) | Err(_) => {}
        }
    }
    match batch.outcomes().first().and_then(|outcome| outcome.status) {
        Some(status @ 200..300) => Ok(format!("{to} answered {status}")),
        Some(status) => Err(outlet.refused(what, format!("{to} answered {status}"))),
        None => Err(PowerFault::Silent {
            switch: outlet.switch.clone(),
            what: what.to_owned(),
            at: to.to_string(),
            within: driver.timeout,
        }),
    }
}
