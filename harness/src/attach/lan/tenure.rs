//! Which phone holds which address, and which addresses are being asked about before they are used
//! (RFC 5227). Plain values: whoever owns the socket sends what this says.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bootstorm_emulator::identity::Mac;
use rustc_hash::FxHashMap;

use super::frame::Arp;
use crate::drive::udp::Received;

/// How often and how far apart it is asked whether an address is in use. RFC 5227 §1.1 has 3 probes
/// 1 to 2 s apart, and lets a link with better knowledge be quicker: a wired segment answers within
/// milliseconds, and a phone's own patience with DHCP begins at 2 s.
const PROBES: u8 = 2;
const PROBE_WAIT: Duration = Duration::from_millis(150);
/// ANNOUNCE_INTERVAL (RFC 5227 §1.1): an address is announced again after it.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(2);
/// DEFEND_INTERVAL (RFC 5227 §1.1): an address is defended once in it.
const DEFEND: Duration = Duration::from_secs(10);

/// A DHCP message as it arrived.
pub(super) type Kept = (Received, Vec<u8>);

/// What an ACK says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Who brought it: the source of the frame.
    pub(super) server: Mac,
    /// The network that the address is of.
    pub(super) network: crate::attach::reach::Network,
    /// The way out of it.
    pub(super) router: Option<Ipv4Addr>,
}

/// Addresses of phones.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    phones: FxHashMap<Mac, Phone>,
    holders: FxHashMap<Ipv4Addr, Holder>,
    probing: FxHashMap<Ipv4Addr, Probing>,
    /// Announcements that are to be repeated, the next one first.
    again: std::collections::VecDeque<(Instant, Mac, Ipv4Addr)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Phone {
    claim: Option<(Ipv4Addr, Claim)>,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    mac: Mac,
    defended: Option<Instant>,
}

#[derive(Debug)]
struct Probing {
    mac: Mac,
    claim: Claim,
    kept: Kept,
    sent: u8,
    next: Instant,
}

/// What becomes of the message that gave a phone an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// It is kept until the segment was asked.
    Kept,
    /// There is nothing to ask: the phone holds the address already, and extends its lease.
    Known(Kept),
    /// Another phone of the run has the address, or is about to.
    Twice(Mac),
}

/// What an ARP packet means for the phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A phone is asked for and answers this.
    Answer(Arp),
    /// Another host claims a phone's address: the phone says whose it is.
    Defend(Arp),
    /// Another host has the address that a phone was given.
    Taken(Mac, Ipv4Addr),
    /// Another host keeps claiming the address of a phone, which was defended already: the phone
    /// gives it up (RFC 5227 §2.4).
    Lost(Mac, Ipv4Addr),
}

/// What is due.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Probes and announcements to send.
    pub(super) say: Vec<Arp>,
    /// ACKs whose addresses nobody claimed.
    pub(super) cleared: Vec<Kept>,
    /// Phones whose addresses another phone of the run took meanwhile: it comes first.
    pub(super) twice: Vec<(Mac, Mac, Ipv4Addr)>,
}

impl Tenure {
    /// Of phones with these MACs, none of which has an address.
    pub(super) fn new(phones: &[Mac]) -> Self {
        let phones = phones.iter().map(|mac| (*mac, Phone::default()));
        Self {
            phones: phones.collect(),
            ..Self::default()
        }
    }

    /// Whether it is a phone of the run.
    pub(super) fn knows(&self, mac: Mac) -> bool {
        self.phones.contains_key(&mac)
    }

    /// Who brought a phone's latest ACK.
    pub(super) fn server_of(&self, mac: Mac) -> Option<Mac> {
        let claim = self.phones.get(&mac)?.claim;
        claim.map(|(_, claim)| claim.server)
    }

    /// A phone was given an address by a message, which is kept until nobody claimed the address.
    pub(super) fn probe(
        &mut self,
        mac: Mac,
        address: Ipv4Addr,
        claim: Claim,
        kept: Kept,
        now: Instant,
    ) -> Given {
        let Some(phone) = self.phones.get_mut(&mac) else {
            return Given::Kept;
        };
        phone.claim = Some((address, claim));
        let holder = self.holders.get(&address).map(|it| it.mac);
        let probing = self.probing.get(&address).map(|it| it.mac);
        if holder == Some(mac) {
            return Given::Known(kept);
        }
        // The phones of a run do not hear each other's probes: they leave by this machine's hand.
        if let Some(first) = holder.or(probing).filter(|first| *first != mac) {
            self.probing.retain(|_, probing| probing.mac != mac);
            return Given::Twice(first);
        }
        // The same message again changes nothing.
        if probing.is_none() {
            self.probing.retain(|_, probing| probing.mac != mac);
            let probing = Probing {
                mac,
                claim,
                kept,
                sent: 0,
                next: now,
            };
            self.probing.insert(address, probing);
        }
        Given::Kept
    }

    /// A phone took an address: what its latest ACK said of that, or, where nobody gave it,
    /// `typed`. `None` where that is none too, or another phone has it, which leaves this one
    /// without it.
    pub(super) fn enter(
        &mut self,
        (mac, address): (Mac, Ipv4Addr),
        typed: Option<Claim>,
        now: Instant,
    ) -> Option<Claim> {
        let given = self.phones.get(&mac)?.claim;
        let given = given.filter(|(given, _)| *given == address);
        let claim = given.map(|(_, claim)| claim).or(typed)?;
        if self.holders.contains_key(&address) {
            return None;
        }
        let holder = Holder {
            mac,
            defended: None,
        };
        self.holders.insert(address, holder);
        self.again.push_back((now + ANNOUNCE_AGAIN, mac, address));
        Some(claim)
    }

    /// Whether a phone has an address.
    pub(super) fn holds(&self, mac: Mac, address: Ipv4Addr) -> bool {
        self.holders.get(&address).is_some_and(|it| it.mac == mac)
    }

    /// A phone gave an address up; whether it had it.
    pub(super) fn leave(&mut self, mac: Mac, address: Ipv4Addr) -> bool {
        let had = self.holds(mac, address);
        if had {
            self.holders.remove(&address);
        }
        had
    }

    /// Takes what somebody said.
    pub(super) fn heard(&mut self, arp: Arp, now: Instant) -> Found {
        if let Some(found) = self.disputed(arp, now) {
            return found;
        }
        match self.holders.get(&arp.target_address) {
            Some(holder) if arp.asks && holder.mac != arp.sender => {
                Found::Answer(arp.answer(holder.mac))
            }
            _ => Found::Nothing,
        }
    }

    /// Whether it claims an address that a phone has or is about to have (RFC 5227 §2.1.1, §2.4).
    fn disputed(&mut self, arp: Arp, now: Instant) -> Option<Found> {
        let probes = arp.sender_address.is_unspecified();
        let claimed = if probes {
            arp.target_address
        } else {
            arp.sender_address
        };
        let probing = self.probing.get(&claimed);
        if let Some(mac) = probing.map(|it| it.mac).filter(|mac| *mac != arp.sender) {
            self.probing.remove(&claimed);
            return Some(Found::Taken(mac, claimed));
        }
        let holder = self.holders.get_mut(&claimed)?;
        // A probe is answered as any question is; our own frames are not heard.
        if probes || holder.mac == arp.sender {
            return None;
        }
        let defended = holder.defended.is_some_and(|at| now < at + DEFEND);
        if defended {
            return Some(Found::Lost(holder.mac, claimed));
        }
        holder.defended = Some(now);
        Some(Found::Defend(Arp::announcement(holder.mac, claimed)))
    }

    /// What is due now.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        let mut cleared = Vec::new();
        for (address, probing) in &mut self.probing {
            if now < probing.next {
                continue;
            }
            if probing.sent == PROBES {
                cleared.push(*address);
                continue;
            }
            probing.sent += 1;
            probing.next = now + PROBE_WAIT;
            due.say.push(Arp::probe(probing.mac, *address));
        }
        for address in cleared {
            if let Some(probing) = self.probing.remove(&address) {
                // It had been asked about already, but not taken yet, when this phone was given it.
                if let Some(first) = self.holders.get(&address) {
                    due.twice.push((first.mac, probing.mac, address));
                    continue;
                }
                if let Some(phone) = self.phones.get_mut(&probing.mac) {
                    phone.claim = Some((address, probing.claim));
                }
                due.cleared.push(probing.kept);
            }
        }
        while self.again.front().is_some_and(|(at, ..)| *at <= now) {
            let announced = self.again.pop_front();
            let held = announced.filter(|(_, mac, address)| {
                self.holders.get(address).is_some_and(|it| it.mac == *mac)
            });
            due.say
                .extend(held.map(|(_, mac, address)| Arp::announcement(mac, address)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Mac = Mac([2, 0, 0, 0, 0, 5]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 5);

    fn claim() -> Claim {
        Claim {
            server: SERVER,
            network: "10.77.0.0/16".parse().expect("a network"),
            router: None,
        }
    }

    fn kept() -> Kept {
        let received = Received {
            from: "10.77.0.1:67".parse().expect("an address"),
            to: ADDRESS,
            length: 3,
            dropped: 0,
        };
        (received, b"ack".to_vec())
    }

    fn probing() -> (Tenure, Instant) {
        let mut tenure = Tenure::new(&[PHONE]);
        let now = Instant::now();
        let given = tenure.probe(PHONE, ADDRESS, claim(), kept(), now);
        assert_eq!(given, Given::Kept);
        (tenure, now)
    }

    fn said_by(sender: Mac, sender_address: Ipv4Addr, target_address: Ipv4Addr) -> Arp {
        Arp {
            sender_address,
            target_address,
            ..Arp::probe(sender, target_address)
        }
    }

    #[test]
    fn asks_twice_before_an_ack_is_handed_over_and_not_again_for_an_extension() {
        let (mut tenure, mut now) = probing();
        for _ in 0..PROBES {
            assert_eq!(tenure.due(now).say, [Arp::probe(PHONE, ADDRESS)]);
            assert!(tenure.due(now).cleared.is_empty(), "the wait is not over");
            now += PROBE_WAIT;
        }
        assert_eq!(tenure.due(now).cleared, [kept()]);
        assert_eq!(tenure.enter((PHONE, ADDRESS), None, now), Some(claim()));
        assert_eq!(tenure.enter((PHONE, ADDRESS), None, now), None, "it has it");
        assert_eq!(
            tenure.probe(PHONE, ADDRESS, claim(), kept(), now),
            Given::Known(kept())
        );
        let later = now + ANNOUNCE_AGAIN;
        assert_eq!(tenure.due(later).say, [Arp::announcement(PHONE, ADDRESS)]);
        assert!(tenure.due(later).say.is_empty());
    }

    #[test]
    fn an_address_that_answers_or_is_probed_by_another_is_taken() {
        let unspecified = Ipv4Addr::UNSPECIFIED;
        for said in [
            said_by(STRANGER, ADDRESS, Ipv4Addr::new(10, 77, 0, 1)),
            said_by(STRANGER, unspecified, ADDRESS),
        ] {
            let (mut tenure, now) = probing();
            assert_eq!(tenure.heard(said, now), Found::Taken(PHONE, ADDRESS));
            assert!(tenure.due(now + PROBE_WAIT * 9).cleared.is_empty());
        }
    }

    #[test]
    fn an_address_that_two_phones_were_given_stays_the_firsts() {
        const OTHER: Mac = Mac([2, 0, 0, 0, 0, 6]);
        let mut tenure = Tenure::new(&[PHONE, OTHER]);
        let now = Instant::now();
        let given = |tenure: &mut Tenure, mac| tenure.probe(mac, ADDRESS, claim(), kept(), now);
        assert_eq!(given(&mut tenure, PHONE), Given::Kept);
        assert_eq!(
            given(&mut tenure, OTHER),
            Given::Twice(PHONE),
            "asked about"
        );
        assert_eq!(tenure.due(now).say, [Arp::probe(PHONE, ADDRESS)]);
        tenure.due(now + PROBE_WAIT);
        assert_eq!(tenure.due(now + PROBE_WAIT * 2).cleared, [kept()]);
        assert_eq!(given(&mut tenure, OTHER), Given::Kept, "not taken yet");
        tenure.enter((PHONE, ADDRESS), None, now).expect("given");
        tenure.due(now);
        tenure.due(now + PROBE_WAIT);
        let due = tenure.due(now + PROBE_WAIT * 2);
        assert_eq!(due.twice, [(PHONE, OTHER, ADDRESS)]);
        assert!(due.cleared.is_empty());
        assert_eq!(given(&mut tenure, OTHER), Given::Twice(PHONE), "held");
        assert!(tenure.leave(PHONE, ADDRESS));
        assert_eq!(given(&mut tenure, OTHER), Given::Kept);
    }

    #[test]
    fn answers_for_a_held_address_and_defends_it_once() {
        let (mut tenure, now) = probing();
        let question = said_by(SERVER, Ipv4Addr::new(10, 77, 0, 1), ADDRESS);
        assert_eq!(tenure.heard(question, now), Found::Nothing, "not held yet");
        tenure.enter((PHONE, ADDRESS), None, now).expect("given");
        tenure.probing.clear();
        assert_eq!(
            tenure.heard(question, now),
            Found::Answer(question.answer(PHONE))
        );
        let claimed = said_by(STRANGER, ADDRESS, ADDRESS);
        let defence = Arp::announcement(PHONE, ADDRESS);
        assert_eq!(tenure.heard(claimed, now), Found::Defend(defence));
        assert_eq!(tenure.heard(claimed, now), Found::Lost(PHONE, ADDRESS));
        assert_eq!(tenure.heard(claimed, now + DEFEND), Found::Defend(defence));
        assert!(tenure.leave(PHONE, ADDRESS));
        assert_eq!(tenure.heard(question, now), Found::Nothing);
    }

    #[test]
    fn an_address_that_nobody_gave_is_not_entered() {
        let (mut tenure, now) = probing();
        let typed = Ipv4Addr::new(10, 77, 1, 6);
        assert_eq!(tenure.enter((PHONE, typed), None, now), None);
        assert_eq!(tenure.enter((STRANGER, ADDRESS), None, now), None);
        let entered = tenure.enter((PHONE, typed), Some(claim()), now);
        assert_eq!(entered, Some(claim()), "somebody typed it");
        assert!(!tenure.leave(PHONE, ADDRESS));
    }
}
