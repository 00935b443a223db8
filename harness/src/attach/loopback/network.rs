//! What phones send, open and retrieve, on the kernel's loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use bootstorm_emulator::identity::Mac;
use bootstorm_emulator::limits::FRESH_CHANNELS;
use bootstorm_emulator::phone::io::{Channel, ConnectionFault, Request};
use bootstorm_emulator::time::Moment;
use bootstorm_emulator::wire::dhcp;
use tokio::task::spawn_local;

use super::{TRANSFER_SOCKETS, Wire};
use crate::attach::ground::Ground;
use crate::drive::ftp::{self, Retrieval};
use crate::drive::tcp::{self, Call, Told};
use crate::drive::udp;
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
            device: self.device(),
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
            device: self.device(),
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

    fn address(&mut self, _now: Moment, mac: Mac, before: Ipv4Addr, now: Option<Ipv4Addr>) {
        self.ground.address(mac, before, now);
    }
}

impl Wire {
    /// The interface that connections leave by, where it is one.
    fn device(&self) -> Option<Arc<str>> {
        let device = self.ground.device();
        device.map(|device| Arc::clone(&device.name))
    }

    /// Sends a phone's datagram off.
    pub(super) fn transmit(&mut self, from: Sender, to: SocketAddrV4, bytes: &[u8]) {
        let Some(real) = self.subject.udp(to) else {
            self.losses.unreachable += 1;
            return;
        };
        let sent = match from.channel {
            Channel::Dhcp => self.negotiate(from.address, (to, real), bytes),
            Channel::Pnp => self.pnp.send(from.address, real, bytes),
            Channel::Sip => udp::send(&self.sip, from.address, real, bytes),
            Channel::Fresh(number) => {
                if let Some(last) = self.last_fresh.get_mut(from.slot as usize) {
                    *last = later(*last, number);
                }
                let index = self.socket_of(from.slot, number);
                match self.transfers.get(index) {
                    Some(socket) => socket.send(from.address, real, bytes),
                    None => Ok(()),
                }
            }
        };
        if sent.is_err() {
            self.losses.dropped += 1;
        }
    }

    /// Sends a DHCP message as the ground has it: on loopback a broadcast in relay form, with the
    /// shard's giaddr, to the subject's port.
    fn negotiate(
        &mut self,
        from: Ipv4Addr,
        (to, real): (SocketAddrV4, SocketAddrV4),
        bytes: &[u8],
    ) -> io::Result<()> {
        match &self.ground {
            Ground::Loopback(relay) if to.ip().is_broadcast() => {
                self.relayed.clear();
                self.relayed.extend_from_slice(bytes);
                dhcp::set_relay(&mut self.relayed, *relay);
                self.dhcp.send(*relay, real, &self.relayed)
            }
            Ground::Loopback(_) => self.dhcp.send(from, real, bytes),
            Ground::Lan(segment) => segment.send(from, to, bytes),
            Ground::Relay(relay) => relay.send(real, bytes),
        }
    }
}

/// The later of two fresh ports, whose numbers begin again at zero: a phone may still speak from
/// the earlier one of two transfers that it has at a time (FAN-87).
fn later(held: u16, sent: u16) -> u16 {
    let ahead = (sent % FRESH_CHANNELS + FRESH_CHANNELS - held % FRESH_CHANNELS) % FRESH_CHANNELS;
    if ahead < FRESH_CHANNELS / 2 {
        sent
    } else {
        held
    }
}

// Counted back from the latest port, the sockets stand for the same ports after the last number.
const _: () = assert!((FRESH_CHANNELS as usize).is_multiple_of(TRANSFER_SOCKETS));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_port_that_still_speaks_is_not_the_latest() {
        assert_eq!(later(4, 5), 5);
        assert_eq!(later(5, 4), 5);
        assert_eq!(later(FRESH_CHANNELS - 1, 0), 0);
        assert_eq!(later(0, FRESH_CHANNELS - 1), 0);
    }
}
