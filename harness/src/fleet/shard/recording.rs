//! What a shard has its recorder write down, and when records are let go.

use std::net::Ipv4Addr;

use bootstorm_emulator::event::EventKind;
use bootstorm_emulator::phone::io::Effect;
use bootstorm_emulator::shelf::Shelf;
use bootstorm_scenarios::plan::PhonePlan;
use bootstorm_scenarios::wire::Way;

use super::super::recorder::{At, Recorder, Rules};
use super::{End, Fetch, Shard};

impl Shard {
    /// Records from now on what the phones send and receive, `bytes_max` bytes for each at most.
    pub fn record(&mut self, bytes_max: usize, rules: Rules) {
        let indices = self.planned.iter().map(|phone| phone.identity.index);
        let recorder = Recorder::new(indices, bytes_max, rules, self.shelf.ports);
        self.recorder = Some(Box::new(recorder));
    }

    /// A phone has done all that an input made it do.
    pub(super) fn recorded(&mut self, at: At) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        recorder.stepped(at);
        let rests =
            |kind: &EventKind| matches!(kind, EventKind::Settled | EventKind::Registered { .. });
        let rested = self.out.events.iter().any(|event| rests(&event.kind));
        if rested && self.ledger.is_provisioned(at.slot as usize) {
            recorder.passed(at.slot);
        }
    }

    /// Records what a phone sends.
    pub(super) fn note(&mut self, at: At, effect: &Effect) {
        let Some(mut recorder) = self.recorder.take() else {
            return;
        };
        let slice = |range| self.out.slice(range);
        match effect {
            Effect::Send { channel, to, bytes } => {
                recorder.datagram(at, Way::Sent, *channel, *to, slice(bytes));
            }
            Effect::Open {
                connection,
                to,
                tls,
            } => recorder.opening(at, *connection, *to, tls.is_some()),
            Effect::Write { connection, bytes } => {
                recorder.written(at, *connection, slice(bytes));
            }
            Effect::Close(connection) => recorder.closed(at, *connection),
            Effect::Retrieve { .. } => {
                let fetch = self.fetch(at.slot, at.address, effect);
                fetch.iter().for_each(|fetch| recorder.retrieve(at, fetch));
            }
            Effect::Reply { request, bytes } => recorder.replied(at, *request, slice(bytes)),
            Effect::Address(_) => {}
        }
        self.recorder = Some(recorder);
    }

    /// The file that a phone wants retrieved.
    pub(super) fn fetch(&self, slot: u32, from: Ipv4Addr, effect: &Effect) -> Option<Fetch<'_>> {
        let Effect::Retrieve {
            connection,
            to,
            mode,
            user,
            password,
            path,
        } = effect
        else {
            return None;
        };
        let text = |range| str::from_utf8(self.out.slice(range)).ok();
        Some(Fetch {
            end: End {
                slot,
                connection: *connection,
            },
            from,
            to: *to,
            mode: *mode,
            user: text(user)?,
            password: text(password)?,
            path: text(path)?,
        })
    }
}

/// Where a phone takes connection requests; 0 where it takes none.
pub(super) fn door(shelf: &Shelf, planned: Option<&PhonePlan>) -> u16 {
    if shelf.ports.cwmp != 0 {
        return shelf.ports.cwmp;
    }
    let profile = planned.and_then(|it| shelf.profiles.get(usize::from(it.profile)));
    let spec = profile.and_then(|profile| profile.cwmp.as_ref());
    spec.map_or(0, |spec| spec.port)
}
