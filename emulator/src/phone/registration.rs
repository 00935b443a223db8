//! The accounts that the documents gave a phone, registered with their registrars (RFC 3261 §10).
//!
//! Registration begins when a run is over and the phone idles; the phone is at rest when each
//! account is registered or known not to be. Refreshes and later tries do not disturb its rest.
//! Times of the protocol (retransmission, expiry) are real ones; the pause after a failure is the
//! vendor's policy. What an account says is read out of the settings for every REGISTER, so a
//! registered phone holds a few numbers and the last nonce, and over UDP no connection.

mod attempt;
mod binding;
mod line;
mod message;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Phone;
use super::io::{Connection, Input};
use super::turn::Turn;
use crate::event::Fault;
use crate::flash::Flash;
use crate::names::Names;
use crate::profile::Profile;
use crate::profile::accounts::SipAccount;
use crate::shelf::Shelf;
use crate::time::Moment;
use crate::wire::sip::Message;
use attempt::Before;
use binding::{Binding, Lines};

/// The registrations of one phone.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    bindings: Vec<Binding>,
    /// The address that they name.
    address: Option<Ipv4Addr>,
    lines: Lines,
}

/// A message that came over a registrar's connection, and who sent it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: SocketAddrV4,
    pub(super) bytes: Vec<u8>,
}

/// Under which address others reach a phone: `sip:user@domain` (RFC 3261 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressOfRecord {
    /// The user part, without escapes.
    pub user: String,
    /// The domain.
    pub domain: String,
}

impl Registrations {
    /// When `tick` is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.bindings.iter().filter_map(Binding::deadline).min()
    }

    /// True while it is not known of every account whether it can be registered.
    pub(super) fn is_pending(&self) -> bool {
        self.bindings.iter().any(Binding::is_pending)
    }

    /// How many accounts are registered.
    pub(super) fn registered(&self) -> usize {
        let registered = self.bindings.iter().filter(|held| held.is_registered());
        registered.count()
    }

    /// The first account that could not be registered, and why. A registrar whose host the run
    /// does not know is nobody's fault: there is none to judge.
    pub(super) fn fault(&self) -> Option<(u8, Fault)> {
        let faults = self.bindings.iter();
        let mut faults = faults.filter_map(|held| Some((held.account, held.fault()?)));
        faults.find(|(_, fault)| *fault != Fault::UnknownHost)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let held: usize = self.bindings.iter().map(Binding::heap_bytes).sum();
        self.bindings.capacity() * size_of::<Binding>() + held
    }

    /// A run is over: accounts that came, changed or went are registered or forgotten, all of them
    /// when the phone's address is another one.
    pub(super) fn renew(&mut self, turn: &mut Turn<'_>, flash: &Flash) {
        let Some(spec) = &turn.profile.accounts else {
            return;
        };
        if turn.address.is_unspecified() {
            return;
        }
        let moved = self.address.replace(turn.address) != Some(turn.address);
        let numbers = spec.numbers();
        let accounts: Vec<SipAccount> = numbers
            .filter_map(|number| account(turn, flash, number))
            .collect();
        self.bindings.retain_mut(|held| {
            let stays = accounts.iter().any(|found| found.number == held.account);
            if !stays {
                held.hang_up(turn);
            }
            stays
        });
        for account in &accounts {
            let known = self
                .bindings
                .iter_mut()
                .find(|held| held.account == account.number);
            match known {
                Some(held) if moved || held.print != account.print() => {
                    held.reset(turn, account.print());
                }
                Some(_) => {}
                None => {
                    let binding = Binding::new(turn, account);
                    // Most phones have one account: no room for four.
                    self.bindings.reserve_exact(1);
                    self.bindings.push(binding);
                }
            }
        }
        for held in self.bindings.iter_mut().filter(|held| held.is_due()) {
            let account = accounts.iter().find(|found| found.number == held.account);
            if let Some(account) = account {
                held.begin(turn, account, Before::Nothing, &mut self.lines);
            }
        }
    }

    /// True when the registrations name another address than this.
    pub(super) fn moved(&self, address: Ipv4Addr) -> bool {
        self.address.is_some_and(|held| held != address)
    }

    /// Does what is due at `turn.now`.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>, flash: &Flash) {
        let now = turn.now;
        let due = |held: &Binding| held.deadline().is_some_and(|at| at <= now);
        let mut gone = None;
        for held in self.bindings.iter_mut().filter(|held| due(held)) {
            let found = account(turn, flash, held.account);
            let retry_s = retry_of(turn, found.as_ref());
            held.tick(turn, retry_s);
            match (held.wants(now), found) {
                (None, _) => {}
                (Some(before), Some(found)) => {
                    held.print = found.print();
                    held.begin(turn, &found, before, &mut self.lines);
                }
                // The settings have it no more; a run under way took it away.
                (Some(_), None) => {
                    held.hang_up(turn);
                    gone = Some(held.account);
                }
            }
        }
        if gone.is_some() {
            self.bindings.retain(|held| Some(held.account) != gone);
        }
    }

    /// True for a datagram that answers a REGISTER: nobody else sends any.
    pub(super) fn claims(bytes: &[u8]) -> bool {
        bytes.trim_ascii_start().starts_with(b"SIP/")
            && Message::parse(bytes).is_ok_and(|message| {
                message.status().is_some() && message.method() == Some("REGISTER")
            })
    }

    /// Takes an answer to a REGISTER. One that nobody waits for (any more) changes nothing.
    pub(super) fn answered(&mut self, turn: &mut Turn<'_>, flash: &Flash, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        let mut waiting = self.bindings.iter_mut();
        let Some(held) = waiting.find(|held| held.is_answer(&message)) else {
            return;
        };
        match account(turn, flash, held.account) {
            Some(found) => held.answered(turn, &found, &message, &mut self.lines),
            // A run under way took the account away.
            None => held.reset(turn, 0),
        }
    }

    /// True for a connection to a registrar.
    pub(super) fn owns(&self, id: Connection) -> bool {
        self.bindings.iter().any(|held| held.owns(id))
    }

    /// Takes what happened on one of its connections; whole messages are had by `next_message`.
    pub(super) fn stream(&mut self, turn: &mut Turn<'_>, flash: &Flash, input: &Input<'_>) {
        let (id, fault) = match *input {
            Input::Opened(id) | Input::Bytes(id, _) | Input::Closed(id) => (id, None),
            Input::Failed(id, fault) => (id, Some(fault)),
            _ => return,
        };
        let Some(held) = self.bindings.iter_mut().find(|held| held.owns(id)) else {
            return;
        };
        match *input {
            Input::Opened(_) => held.opened(turn),
            Input::Bytes(_, bytes) => {
                if let Some(line) = held.line() {
                    line.take(bytes);
                }
            }
            _ => {
                let found = account(turn, flash, held.account);
                let retry_s = retry_of(turn, found.as_ref());
                held.lost(turn, fault, retry_s, &mut self.lines);
            }
        }
    }

    /// The next whole message of a connection. One of which nobody knows where it ends costs the
    /// connection.
    pub(super) fn next_message(
        &mut self,
        turn: &mut Turn<'_>,
        flash: &Flash,
        id: Connection,
    ) -> Option<Arrived> {
        let held = self.bindings.iter_mut().find(|held| held.owns(id))?;
        let line = held.line()?;
        let peer = line.peer;
        match line.message() {
            Ok(bytes) => bytes.map(|bytes| Arrived { peer, bytes }),
            Err(fault) => {
                let found = account(turn, flash, held.account);
                let retry_s = retry_of(turn, found.as_ref());
                held.garbled(turn, fault, retry_s);
                None
            }
        }
    }

    /// The phone's address is gone: everything begins again with the next one.
    pub(super) fn unplug(&mut self, turn: &mut Turn<'_>) {
        self.address = None;
        for held in &mut self.bindings {
            let print = held.print;
            held.reset(turn, print);
        }
    }

    /// The phone goes down without a word; the registrar finds out by itself.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_>) {
        for mut held in self.bindings.drain(..) {
            held.hang_up(turn);
        }
        self.bindings = Vec::new();
        self.address = None;
    }

    /// The phone goes down in good order: it takes its addresses back (RFC 3261 §10.2.2).
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, flash: &Flash) {
        for held in &mut self.bindings {
            let found = account(turn, flash, held.account);
            if let Some(found) = found.filter(|found| found.print() == held.print) {
                held.leave(turn, &found);
            }
        }
    }
}

impl Phone {
    /// How many SIP accounts are registered.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.life.registrations.registered()
    }

    /// The first SIP account that could not be registered, and why. An account whose registrar is
    /// a host that the run does not know is left out: there is nobody to judge.
    #[must_use]
    pub fn registration_fault(&self) -> Option<(u8, Fault)> {
        self.life.registrations.fault()
    }

    /// The address of record of the first account that is registered.
    #[must_use]
    pub fn address_of_record(&self, shelf: &Shelf) -> Option<AddressOfRecord> {
        let profile = shelf.profiles.get(usize::from(self.life.profile))?;
        let mut held = self.life.registrations.bindings.iter();
        let held = held.find(|held| held.is_registered())?;
        let found = account_of(profile, &shelf.keys, &self.life.flash, held.account)?;
        Some(AddressOfRecord {
            user: found.user,
            domain: found.domain,
        })
    }

    /// Bytes on the heap that this phone holds for itself alone while it idles.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let acs = self.life.acs.as_deref();
        let acs = acs.map_or(0, |acs| {
            size_of::<super::acs::AcsClient>() + acs.heap_bytes()
        });
        self.life.flash.heap_bytes() + self.life.registrations.heap_bytes() + acs
    }
}

/// An account as the settings have it now.
fn account(turn: &Turn<'_>, flash: &Flash, number: u8) -> Option<SipAccount> {
    account_of(turn.profile, &turn.shelf.keys, flash, number)
}

fn account_of(profile: &Profile, keys: &Names, flash: &Flash, number: u8) -> Option<SipAccount> {
    let spec = profile.accounts.as_ref()?;
    spec.account(number, |key| {
        let key = keys.find(key)?;
        let held = flash.settings.held(key)?;
        Some(Cow::Borrowed(held.value))
    })
}

/// The pause after a failure.
fn retry_of(turn: &Turn<'_>, account: Option<&SipAccount>) -> u32 {
    let spec = turn.profile.accounts.as_ref();
    account.map_or_else(
        || spec.map_or(0, |spec| spec.retry_s),
        |account| account.retry_s,
    )
}
