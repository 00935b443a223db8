//! A server that cannot be reached: what phones send to it is lost, and so is what it sends. It is
//! done on the phones' side, so that it befalls every server on every attachment alike.

use std::net::SocketAddrV4;

use bootstorm_emulator::phone::io::{Connection, Effect, Input};
use bootstorm_scenarios::scenario::{Action, Services, Step};
use rustc_hash::FxHashMap;

use super::power::Failure;

/// Which services of the server cannot be reached, and what that does to connections.
#[derive(Debug, Default)]
pub struct Outage {
    down: Services,
    refused: Services,
    /// What is behind each connection.
    connections: FxHashMap<(u32, Connection), Services>,
}

/// What becomes of something that a phone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is lost.
    Lost,
    /// The connection fails, and tells the phone so.
    Fails(Connection, Failure),
}

impl Outage {
    /// One for a scenario that has such steps; without them nothing is to be kept in mind.
    #[must_use]
    pub fn of(steps: &[Step]) -> Option<Box<Self>> {
        let down = |step: &Step| matches!(step.action, Action::ServerDown { .. });
        steps.iter().any(down).then(Box::default)
    }

    /// These services cannot be reached from now on. With `refuse` those connections break that
    /// the result names.
    pub fn begin(&mut self, services: Services, refuse: bool) -> Vec<(u32, Connection)> {
        self.down = self.down.with(services);
        if !refuse {
            return Vec::new();
        }
        self.refused = self.refused.with(services);
        let broken = self.connections.iter();
        let broken = broken.filter(|(_, service)| services.has(**service));
        let mut broken: Vec<_> = broken.map(|(end, _)| *end).collect();
        broken.sort_unstable();
        broken
    }

    /// They can be reached again.
    pub fn end(&mut self, services: Services) {
        self.down = self.down.without(services);
        self.refused = self.refused.without(services);
    }

    /// What becomes of something that the phone in `slot` does.
    pub fn outgoing(&mut self, slot: u32, effect: &Effect) -> Fate {
        match effect {
            Effect::Send { to, .. } => self.lost(Services::of_udp(to.port())),
            Effect::Open { connection, to, .. } | Effect::Retrieve { connection, to, .. } => {
                let service = Services::of_tcp(to.port());
                self.connections.insert((slot, *connection), service);
                match self.refused.has(service) {
                    true => Fate::Fails(*connection, Failure::Refused),
                    false => self.lost(service),
                }
            }
            Effect::Write { connection, .. } => {
                let known = self.connections.get(&(slot, *connection));
                known.map_or(Fate::Done, |service| self.lost(*service))
            }
            Effect::Close(connection) => {
                self.connections.remove(&(slot, *connection));
                Fate::Done
            }
            Effect::Reply { .. } => self.lost(Services::of_tcp(0)),
            Effect::Address(_) => Fate::Done,
        }
    }

    /// Whether the phone in `slot` does not hear of this.
    pub fn hides(&self, slot: u32, input: &Input<'_>) -> bool {
        if self.down.is_empty() {
            return false;
        }
        let of_connection = |connection| {
            let known = self.connections.get(&(slot, connection));
            known.is_some_and(|service| self.down.has(*service))
        };
        match input {
            Input::Datagram { from, .. } => self.down.has(service_of(*from)),
            Input::Opened(connection)
            | Input::Bytes(connection, _)
            | Input::Closed(connection)
            | Input::Failed(connection, _) => of_connection(*connection),
            Input::Request { .. } => self.down.has(Services::of_tcp(0)),
            _ => false,
        }
    }

    fn lost(&self, service: Services) -> Fate {
        match self.down.has(service) {
            true => Fate::Lost,
            false => Fate::Done,
        }
    }
}

fn service_of(from: SocketAddrV4) -> Services {
    Services::of_udp(from.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Connection = Connection(3);

    fn open(port: u16) -> Effect {
        Effect::Open {
            connection: WEB,
            to: SocketAddrV4::new([10, 0, 0, 2].into(), port),
            tls: None,
        }
    }

    fn services(port: u16) -> Services {
        Services::of_tcp(port)
    }

    #[test]
    fn what_goes_to_a_silent_service_is_lost_both_ways() {
        let mut outage = Outage::default();
        assert_eq!(outage.outgoing(1, &open(80)), Fate::Done);
        assert!(outage.begin(services(80), false).is_empty());
        let input = Input::Bytes(WEB, b"x");
        assert!(outage.hides(1, &input) && !outage.hides(2, &input));
        assert_eq!(outage.outgoing(2, &open(443)), Fate::Done);
        assert_eq!(outage.outgoing(3, &open(80)), Fate::Lost);
        outage.end(services(80));
        assert!(!outage.hides(1, &input));
    }

    #[test]
    fn a_service_that_refuses_breaks_its_connections() {
        let mut outage = Outage::default();
        assert_eq!(outage.outgoing(1, &open(80)), Fate::Done);
        assert_eq!(outage.outgoing(2, &open(443)), Fate::Done);
        assert_eq!(outage.begin(services(80), true), [(1, WEB)]);
        let refused = Fate::Fails(WEB, Failure::Refused);
        assert_eq!(outage.outgoing(4, &open(80)), refused);
    }

    #[test]
    fn datagrams_of_transfers_belong_to_tftp() {
        let mut outage = Outage::default();
        outage.begin(Services::of_udp(69), false);
        let from = SocketAddrV4::new([10, 0, 0, 2].into(), 20_003);
        let heard = |from| Input::Datagram {
            channel: bootstorm_emulator::phone::io::Channel::Dhcp,
            from,
            bytes: b"",
        };
        assert!(outage.hides(0, &heard(from)));
        let dhcp = SocketAddrV4::new(*from.ip(), 67);
        assert!(!outage.hides(0, &heard(dhcp)));
    }
}
