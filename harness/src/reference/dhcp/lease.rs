//! Pools and leases: sticky by client, expiring, bounded by the pool.

use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use bootstorm_emulator::time::Moment;

use crate::reference::timers::{Slot, Timers};

/// Leases of one pool; further addresses of a larger pool are not given out.
const LEASES_MAX: usize = 1 << 20;

/// A client by its hardware address, up to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Client {
    bytes: [u8; 16],
    length: u8,
}

/// The addresses from `first` to `last` and who has them.
#[derive(Debug)]
pub(super) struct Leases {
    first: u32,
    last: u32,
    /// The lowest address never given out; beyond `last` when there is none.
    fresh: u64,
    leases: Vec<Lease>,
    by_client: FxHashMap<Client, u32>,
    by_address: FxHashMap<u32, u32>,
    /// One entry for each lease, at a moment not after its end.
    ends: Timers,
    released: VecDeque<u32>,
}

#[derive(Debug)]
struct Lease {
    address: u32,
    /// Whose it is, or was last; nobody's while an address is declined.
    client: Option<Client>,
    until: Moment,
    /// Whether it is in `released`.
    queued: bool,
}

impl Client {
    pub(super) fn new(address: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self {
            bytes,
            length: u8::try_from(address.len()).ok()?,
        })
    }
}

impl Leases {
    pub(super) fn new(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        let (first, last) = (u32::from(first), u32::from(last));
        Self {
            first,
            last,
            fresh: u64::from(first),
            leases: Vec::new(),
            by_client: FxHashMap::default(),
            by_address: FxHashMap::default(),
            ends: Timers::default(),
            released: VecDeque::new(),
        }
    }

    /// The largest of the tables' lengths.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.leases
            .len()
            .max(self.released.len())
            .max(self.ends.len())
    }

    /// Whether the address belongs to the pool.
    pub(super) fn holds(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&u32::from(address))
    }

    /// The address that the client has, or had last and nobody took since.
    pub(super) fn of(&self, client: Client) -> Option<Ipv4Addr> {
        let index = *self.by_client.get(&client)?;
        self.leases
            .get(index as usize)
            .map(|lease| Ipv4Addr::from(lease.address))
    }

    /// The hardware address of whoever has the address, or had it last.
    pub(super) fn holder(&self, address: Ipv4Addr) -> Option<&[u8]> {
        let index = *self.by_address.get(&u32::from(address))?;
        let client = self.leases.get(index as usize)?.client.as_ref()?;
        client.bytes.get(..usize::from(client.length))
    }

    /// An address for the client, its own for `hold` from now: the one it has or had, else the one
    /// it wishes if that is free, else one never used, else the one free for longest. `None` when
    /// every address is taken.
    pub(super) fn offer(
        &mut self,
        now: Moment,
        client: Client,
        wish: Option<Ipv4Addr>,
        hold: Duration,
    ) -> Option<Ipv4Addr> {
        if let Some(&index) = self.by_client.get(&client) {
            let lease = self.leases.get_mut(index as usize)?;
            // An offer never shortens a lease that is in use.
            lease.until = lease.until.max(now + hold);
            return Some(Ipv4Addr::from(lease.address));
        }
        if let Some(wish) = wish
            && self.take(now, client, wish, hold)
        {
            return Some(wish);
        }
        let index = match self.unused() {
            Some(index) => index,
            None => self.free(now)?,
        };
        self.assign(index, client, now + hold);
        self.leases
            .get(index as usize)
            .map(|lease| Ipv4Addr::from(lease.address))
    }

    /// Leases exactly this address to the client for `hold` from now; false when it is not the
    /// pool's, somebody else's, or declined.
    pub(super) fn take(
        &mut self,
        now: Moment,
        client: Client,
        address: Ipv4Addr,
        hold: Duration,
    ) -> bool {
        if !self.holds(address) {
            return false;
        }
        let address = u32::from(address);
        let known = self.by_address.get(&address).copied();
        let Some(index) = known.or_else(|| self.create(address)) else {
            return false;
        };
        let Some(lease) = self.leases.get(index as usize) else {
            return false;
        };
        if lease.client != Some(client) && lease.until > now {
            return false;
        }
        let before = self.by_client.get(&client).copied();
        if let Some(before) = before.filter(|before| *before != index) {
            self.abandon(before, now);
        }
        self.assign(index, client, now + hold);
        true
    }

    /// Ends the client's lease of `address`; it stays the client's first choice.
    pub(super) fn release(&mut self, now: Moment, client: Client, address: Ipv4Addr) {
        let Some(&index) = self.by_client.get(&client) else {
            return;
        };
        if let Some(lease) = self.leases.get_mut(index as usize)
            && lease.address == u32::from(address)
            && lease.until > now
        {
            lease.until = now;
            self.queue(index);
        }
    }

    /// Sets the address apart until `until`: the client found it in use.
    pub(super) fn decline(&mut self, client: Client, address: Ipv4Addr, until: Moment) {
        let Some(&index) = self.by_client.get(&client) else {
            return;
        };
        if let Some(lease) = self.leases.get_mut(index as usize)
            && lease.address == u32::from(address)
        {
            lease.client = None;
            lease.until = until;
            self.by_client.remove(&client);
        }
    }

    /// Ends whatever the client was offered: it took another server's offer.
    pub(super) fn forget_offer(&mut self, now: Moment, client: Client) {
        if let Some(address) = self.of(client) {
            self.release(now, client, address);
        }
    }

    /// A slot for the lowest address never given out. Addresses that clients named themselves are
    /// passed over.
    fn unused(&mut self) -> Option<u32> {
        while self.fresh <= u64::from(self.last) && self.leases.len() < LEASES_MAX {
            let address = u32::try_from(self.fresh).ok()?;
            self.fresh += 1;
            if !self.by_address.contains_key(&address) {
                return self.create(address);
            }
        }
        None
    }

    /// A slot whose lease has ended.
    fn free(&mut self, now: Moment) -> Option<u32> {
        while let Some(index) = self.released.pop_front() {
            let lease = self.leases.get_mut(index as usize)?;
            lease.queued = false;
            if lease.until <= now {
                return Some(index);
            }
        }
        while let Some(slot) = self.ends.take_due(now) {
            let lease = self.leases.get(slot.index as usize)?;
            let until = lease.until;
            if until <= now {
                // The entry must not be lost: the caller gives the lease a new end.
                self.ends.add(now, slot);
                return Some(slot.index);
            }
            self.ends.add(until, slot);
        }
        None
    }

    fn create(&mut self, address: u32) -> Option<u32> {
        if self.leases.len() >= LEASES_MAX {
            return None;
        }
        let index = u32::try_from(self.leases.len()).ok()?;
        self.leases.push(Lease {
            address,
            client: None,
            until: Moment::ZERO,
            queued: false,
        });
        self.by_address.insert(address, index);
        let slot = Slot {
            index,
            generation: 0,
        };
        self.ends.add(Moment::ZERO, slot);
        Some(index)
    }

    fn assign(&mut self, index: u32, client: Client, until: Moment) {
        let Some(lease) = self.leases.get_mut(index as usize) else {
            return;
        };
        let before = lease.client.replace(client);
        lease.until = until;
        if let Some(before) = before.filter(|before| *before != client) {
            self.by_client.remove(&before);
        }
        self.by_client.insert(client, index);
    }

    /// Frees the slot for others at once.
    fn abandon(&mut self, index: u32, now: Moment) {
        if let Some(lease) = self.leases.get_mut(index as usize) {
            lease.client = None;
            lease.until = now;
            self.queue(index);
        }
    }

    fn queue(&mut self, index: u32) {
        if let Some(lease) = self.leases.get_mut(index as usize)
            && !lease.queued
        {
            lease.queued = true;
            self.released.push_back(index);
        }
    }
}
