//! What phones ask for, performed: recorded and handed to the network, unless a mutant of the phone
//! has something else happen.

use std::net::Ipv4Addr;

use bootstorm_emulator::phone::io::Effect;
use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::suite::probe::TlsVersion;

use super::{End, Network, Opening, Sender, Shard, Tls};
use crate::fleet::outage::Fate;
use crate::fleet::power::Turn;
use crate::fleet::recorder::At;

impl Shard {
    /// Performs what the step of a phone has left in `out`.
    pub(super) fn perform(&mut self, now: Moment, slot: u32, network: &mut impl Network) {
        let effects = std::mem::take(&mut self.out.effects);
        for effect in &effects {
            if self.tamper.is_none() {
                self.perform_one(now, slot, effect, network);
                continue;
            }
            for effect in self.tampered(now, slot, effect) {
                self.perform_one(now, slot, &effect, network);
            }
        }
        self.out.effects = effects;
    }

    /// Performs one thing whose bytes are in `out`.
    pub(super) fn perform_one(
        &mut self,
        now: Moment,
        slot: u32,
        effect: &Effect,
        network: &mut impl Network,
    ) {
        let place = slot as usize;
        let address = self.addresses[place];
        self.note(At { now, slot, address }, effect);
        match self.fate(slot, effect) {
            Fate::Done => {}
            Fate::Lost => return,
            Fate::Fails(connection, failure) => {
                let turn = Turn::Broken(connection, failure);
                return self.power.plan(now, slot, turn);
            }
        }
        let end = |connection| End { slot, connection };
        match effect {
            Effect::Send { channel, to, bytes } => {
                let from = Sender {
                    slot,
                    channel: *channel,
                    address,
                };
                network.send(now, from, *to, self.out.slice(bytes));
            }
            Effect::Open {
                connection,
                to,
                tls,
            } => {
                let planned = &self.planned[place];
                let name = tls.as_ref().map(|name| self.out.slice(name));
                let certificate = name.and_then(|_| self.plan.certificate_name(planned));
                let tls =
                    name.and_then(|name| self.tls(end(*connection), name, certificate.as_deref()));
                let opening = Opening {
                    end: end(*connection),
                    from: address,
                    to: *to,
                    tls,
                };
                network.open(now, opening);
            }
            Effect::Write { connection, bytes } => {
                network.write(now, end(*connection), self.out.slice(bytes));
            }
            Effect::Close(connection) => network.close(now, end(*connection)),
            Effect::Retrieve { .. } => {
                let fetch = self.fetch(slot, address, effect);
                fetch.into_iter().for_each(|it| network.retrieve(now, it));
            }
            Effect::Reply { request, bytes } => {
                network.reply(now, *request, self.out.slice(bytes));
            }
            Effect::Address(given) => {
                if self.by_address.get(&address) == Some(&slot) {
                    self.by_address.remove(&address);
                }
                network.address(now, self.planned[place].identity.mac, address, *given);
                self.addresses[place] = given.unwrap_or(Ipv4Addr::UNSPECIFIED);
                if let Some(given) = given {
                    self.by_address.insert(*given, slot);
                }
            }
        }
    }

    /// What an outage makes of something that a phone does.
    fn fate(&mut self, slot: u32, effect: &Effect) -> Fate {
        let outage = self.outage.as_mut();
        outage.map_or(Fate::Done, |outage| outage.outgoing(slot, effect))
    }

    /// How a phone does TLS with a server of this name.
    fn tls<'a>(&self, end: End, name: &'a [u8], certificate: Option<&'a str>) -> Option<Tls<'a>> {
        let name = std::str::from_utf8(name).ok()?;
        let place = end.slot as usize;
        if let Some(clients) = &self.stand_ins {
            return Some(clients.tls(place, end.connection, name));
        }
        let profile = usize::from(self.planned[place].profile);
        let profile = self.shelf.profiles.get(profile);
        Some(Tls {
            name,
            verify: profile.is_none_or(|profile| profile.http.verify_certificate),
            certificate,
            version: TlsVersion::Any,
        })
    }
}
