//! What phones send, open and retrieve, on the kernel's loopback.

use std::net::SocketAddrV4;
use std::sync::Arc;

use bootstorm_emulator::phone::io::{ConnectionFault, Request};
use bootstorm_emulator::time::Moment;
use tokio::task::spawn_local;

use super::Wire;
use crate::drive::ftp::{self, Retrieval};
use crate::drive::tcp::{self, Call, Told};
use crate::fleet::shard::{End, Fetch, Network, Opening, Sender};

impl Network for Wire {
    fn send(&mut self, now: Moment, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        match &mut self.held {
            Some(held) => held.up(now, from, to, bytes),
            None => self.transmit(from, to, bytes),
        }
    }

    fn open(&mut self, _now: Moment, opening: Opening<'_>) {
        let Opening { end, from, to, tls } = opening;
        let (commands, tell) = self.begun(end);
        let Some(to) = self.subject.tcp(to) else {
            self.losses.unreachable += 1;
            spawn_local(async move { tell(Told::Failed(ConnectionFault::Refused)) });
            return;
        };
        // A registered phone keeps its connection, so that such ones must not use up those of
        // transfers, nor wait for each other.
        let permits = match Some(to) == self.subject.sip_tcp {
            true => Arc::clone(&self.lines),
            false => Arc::clone(&self.permits),
        };
        if Some(to) == self.subject.sip_tcp && permits.available_permits() == 0 {
            spawn_local(async move { tell(Told::Failed(ConnectionFault::Local)) });
            return;
        }
        let Ok(tls) = tls.map(|tls| self.secure(tls)).transpose() else {
            spawn_local(async move { tell(Told::Failed(ConnectionFault::Local)) });
            return;
        };
        let flow = self.flow(end.slot);
        let call = Call {
            from,
            to,
            tls,
            flow,
        };
        spawn_local(tcp::run(call, permits, commands, tell));
    }

    fn retrieve(&mut self, _now: Moment, fetch: Fetch<'_>) {
        let (ended, tell) = self.begun(fetch.end);
        let Some(to) = self.subject.tcp(fetch.to) else {
            self.losses.unreachable += 1;
            spawn_local(async move { tell(Told::Failed(ConnectionFault::Refused)) });
            return;
        };
        let file = Retrieval {
            from: fetch.from,
            to,
            mode: fetch.mode,
            user: fetch.user.to_owned(),
            password: fetch.password.to_owned(),
            path: fetch.path.to_owned(),
            flow: self.flow(fetch.end.slot),
        };
        spawn_local(ftp::run(file, Arc::clone(&self.permits), ended, tell));
    }

    fn write(&mut self, _now: Moment, end: End, bytes: &[u8]) {
        // A phone has one request under way at a time, so the queue is never full.
        let sent = self
            .connections
            .get(&end)
            .map(|writes| writes.try_send(bytes.to_vec()));
        if matches!(sent, Some(Err(_))) {
            self.losses.dropped += 1;
        }
    }

    fn close(&mut self, _now: Moment, end: End) {
        self.connections.remove(&end);
    }

    fn reply(&mut self, _now: Moment, request: Request, bytes: &[u8]) {
        if let Some((_, answer)) = self.asking.take_if(|(asking, _)| *asking == request) {
            // Whoever asked may have gone.
            let _ = answer.try_send(bytes.to_vec());
        }
    }
}
