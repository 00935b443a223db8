//! What the body store knows: its entries, how they are found, and which bodies it keeps alive.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use hashbrown::HashTable;

use super::Body;
use super::stream::{Growth, State, Stream};

/// Bodies of equal head that a writer may follow.
const ALIKE_MAX: usize = 16;
/// Bodies seen once that are kept.
const RECENT_MAX: usize = 64;
/// Entries from which the store looks for dead ones.
const SWEEP_MIN: usize = 256;

/// The entries. A body lives while this keeps it or somebody outside holds it; it is found as long
/// as it lives.
#[derive(Debug)]
pub(super) struct Kept {
    bytes_max: usize,
    /// Bytes of bodies and documents kept alive here.
    bytes: usize,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    by_head: HashTable<usize>,
    by_digest: HashTable<usize>,
    /// Bodies seen once, oldest first.
    recent: VecDeque<Use>,
    /// Bodies seen twice, least recently used first; entries that a later use made stale are
    /// skipped.
    lasting: VecDeque<Use>,
    clock: u64,
    sweep_at: usize,
}

/// An entry of the store: something that a writer can follow.
#[derive(Debug)]
struct Slot {
    /// Hash of the first `HEAD_BYTES`, where it is listed under it.
    head: Option<u64>,
    /// `digest_hash` of a complete body.
    digest: Option<u64>,
    content: Content,
    /// Set while the store keeps the body alive.
    kept: Option<Rc<Body>>,
    lasting: bool,
    last_use: u64,
    /// Bytes that count towards `Kept::bytes`.
    weight: usize,
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum Content {
    Stream(Weak<Stream>),
    Body(Weak<Body>),
}

/// That a slot was used at a time.
#[derive(Debug, Clone, Copy)]
struct Use {
    slot: usize,
    at: u64,
}

impl Kept {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            slots: Vec::new(),
            free: Vec::new(),
            by_head: HashTable::new(),
            by_digest: HashTable::new(),
            recent: VecDeque::new(),
            lasting: VecDeque::new(),
            clock: 0,
            sweep_at: SWEEP_MIN,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A new entry for a stream, listed under its head.
    pub(super) fn add_stream(&mut self, growth: Growth, head: Option<u64>) -> Rc<Stream> {
        let slot = self.occupy();
        let state = RefCell::new(State::Growing(growth));
        let stream = Rc::new(Stream { slot, state });
        if let Some(Some(entry)) = self.slots.get_mut(slot) {
            entry.content = Content::Stream(Rc::downgrade(&stream));
        }
        self.list(slot, head);
        stream
    }

    /// A new entry for a complete body.
    pub(super) fn add_body(
        &mut self,
        bytes: Box<[u8]>,
        md5: [u8; 16],
        head: Option<u64>,
    ) -> Rc<Body> {
        let slot = self.occupy();
        self.list(slot, head);
        self.complete(slot, bytes, md5)
    }
    /// A complete body with these bytes, as long as it is alive.
    pub(super) fn find(&self, bytes: &[u8], md5: [u8; 16]) -> Option<Rc<Body>> {
        let slots = self.by_digest.iter_hash(digest_hash(md5));
        let bodies = slots.filter_map(|&slot| self.slots.get(slot)?.as_ref()?.body());
        // Two bodies of one MD5 can be made; they are not the same body.
        let mut equal = bodies.filter(|body| body.md5 == md5 && *body.bytes == *bytes);
        equal.next()
    }

    /// Makes an entry a complete body, seen once so far.
    pub(super) fn complete(&mut self, slot: usize, bytes: Box<[u8]>, md5: [u8; 16]) -> Rc<Body> {
        let weight = size_of::<Body>() + bytes.len();
        let body = Rc::new(Body {
            bytes,
            md5,
            slot,
            parsed: RefCell::default(),
        });
        self.clock += 1;
        if let Some(Some(entry)) = self.slots.get_mut(slot) {
            entry.content = Content::Body(Rc::downgrade(&body));
            entry.kept = Some(Rc::clone(&body));
            entry.last_use = self.clock;
            entry.weight = weight;
            self.bytes += weight;
            let hash = digest_hash(md5);
            entry.digest = Some(hash);
            let slots = &self.slots;
            self.by_digest.insert_unique(hash, slot, |&other| {
                let other = slots.get(other).and_then(Option::as_ref);
                other.and_then(|slot| slot.digest).unwrap_or_default()
            });
            let at = self.clock;
            self.recent.push_back(Use { slot, at });
        }
        self.keep_to_limit();
        body
    }

    /// A body came again: it stays, as the one used last.
    pub(super) fn seen_again(&mut self, body: &Rc<Body>) {
        self.clock += 1;
        let at = self.clock;
        let slot = body.slot;
        let Some(Some(entry)) = self.slots.get_mut(slot) else {
            return;
        };
        if !entry.is(body) {
            return;
        }
        entry.last_use = at;
        entry.lasting = true;
        if entry.kept.is_none() {
            entry.kept = Some(Rc::clone(body));
            self.bytes += entry.weight;
        }
        self.lasting.push_back(Use { slot, at });
        if self.lasting.len() > 2 * self.slots.len() + RECENT_MAX {
            let slots = &self.slots;
            self.lasting.retain(|each| is_current(slots, *each));
        }
        self.keep_to_limit();
    }

    /// Counts what was parsed from a body.
    pub(super) fn weigh(&mut self, body: &Rc<Body>, bytes: usize) {
        if let Some(Some(entry)) = self.slots.get_mut(body.slot)
            && entry.is(body)
        {
            entry.weight += bytes;
            if entry.kept.is_some() {
                self.bytes += bytes;
                self.keep_to_limit();
            }
        }
    }

    fn keep_to_limit(&mut self) {
        while self.recent.len() > RECENT_MAX {
            self.release_recent();
        }
        while self.bytes > self.bytes_max {
            let newest_only = self.recent.len() <= 1;
            if newest_only && let Some(oldest) = self.lasting.pop_front() {
                if is_current(&self.slots, oldest) {
                    self.release(oldest.slot);
                }
            } else if !self.release_recent() {
                break;
            }
        }
    }

    /// Lets go of the oldest body seen once; false when there is none.
    fn release_recent(&mut self) -> bool {
        let Some(oldest) = self.recent.pop_front() else {
            return false;
        };
        if is_current(&self.slots, oldest) {
            self.release(oldest.slot);
        }
        true
    }

    /// Lets go of a body: it lives on as long as somebody holds it.
    fn release(&mut self, slot: usize) {
        let Some(Some(entry)) = self.slots.get_mut(slot) else {
            return;
        };
        entry.lasting = false;
        if let Some(body) = entry.kept.take() {
            self.bytes = self.bytes.saturating_sub(entry.weight);
            if Rc::strong_count(&body) == 1 {
                self.remove(slot);
            }
        }
    }

    fn occupy(&mut self) -> usize {
        if self.slots.len() - self.free.len() >= self.sweep_at {
            self.sweep();
        }
        self.clock += 1;
        let slot = Slot {
            head: None,
            digest: None,
            content: Content::Body(Weak::new()),
            kept: None,
            lasting: false,
            last_use: self.clock,
            weight: 0,
        };
        if let Some(at) = self.free.pop() {
            if let Some(place) = self.slots.get_mut(at) {
                *place = Some(slot);
            }
            return at;
        }
        self.slots.push(Some(slot));
        self.slots.len() - 1
    }

    /// Removes the entries of what nobody holds any more.
    fn sweep(&mut self) {
        for at in 0..self.slots.len() {
            let dead = |slot: &Slot| slot.holders() == 0;
            if self
                .slots
                .get(at)
                .is_some_and(|slot| slot.as_ref().is_some_and(dead))
            {
                self.remove(at);
            }
        }
        let used = self.slots.len() - self.free.len();
        self.sweep_at = SWEEP_MIN.max(2 * used);
    }

    /// What is listed under a head.
    pub(super) fn alike(&self, head: u64) -> impl Iterator<Item = &Content> {
        self.listed(head).map(|(_, slot)| &slot.content)
    }

    fn listed(&self, head: u64) -> impl Iterator<Item = (usize, &Slot)> {
        self.by_head
            .iter_hash(head)
            .filter_map(|&at| Some((at, self.slots.get(at)?.as_ref()?)))
            .filter(move |(_, slot)| slot.head == Some(head))
    }

    /// Lists an entry under its head; of too many alike the least useful one goes.
    fn list(&mut self, slot: usize, head: Option<u64>) {
        let Some(head) = head else {
            return;
        };
        if self.listed(head).count() >= ALIKE_MAX {
            let least = self.listed(head).min_by_key(|(_, slot)| slot.usefulness());
            if let Some((least, _)) = least {
                self.unlist(least);
            }
        }
        if let Some(Some(entry)) = self.slots.get_mut(slot) {
            entry.head = Some(head);
            let slots = &self.slots;
            self.by_head.insert_unique(head, slot, |&other| {
                let other = slots.get(other).and_then(Option::as_ref);
                other.and_then(|slot| slot.head).unwrap_or_default()
            });
        }
    }

    fn unlist(&mut self, slot: usize) {
        if let Some(Some(entry)) = self.slots.get_mut(slot)
            && let Some(head) = entry.head.take()
            && let Ok(listed) = self.by_head.find_entry(head, |&at| at == slot)
        {
            listed.remove();
        }
    }

    /// Forgets an entry; whoever holds its body keeps it.
    pub(super) fn remove(&mut self, slot: usize) {
        let Some(Some(entry)) = self.slots.get(slot) else {
            return;
        };
        let digest = entry.digest;
        self.unlist(slot);
        if let Some(hash) = digest
            && let Ok(listed) = self.by_digest.find_entry(hash, |&at| at == slot)
        {
            listed.remove();
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = None;
        }
        self.free.push(slot);
    }
}

impl Slot {
    fn body(&self) -> Option<Rc<Body>> {
        match &self.content {
            Content::Body(body) => body.upgrade(),
            Content::Stream(_) => None,
        }
    }

    fn is(&self, body: &Rc<Body>) -> bool {
        match &self.content {
            Content::Body(held) => std::ptr::eq(held.as_ptr(), Rc::as_ptr(body)),
            Content::Stream(_) => false,
        }
    }

    /// How many hold what is here, the store included.
    fn holders(&self) -> usize {
        match &self.content {
            Content::Body(body) => body.strong_count(),
            Content::Stream(stream) => stream.strong_count(),
        }
    }

    /// What of several alike is to be kept: first a stream that several writers follow, then a
    /// body that came more than once, then what is newer.
    fn usefulness(&self) -> (u8, u64) {
        let rank = match &self.content {
            _ if self.holders() == 0 => 0,
            Content::Stream(_) if self.holders() > 1 => 3,
            Content::Body(_) if self.lasting => 2,
            _ => 1,
        };
        (rank, self.last_use)
    }
}

fn digest_hash(md5: [u8; 16]) -> u64 {
    (u128::from_le_bytes(md5) >> 64) as u64
}

/// Whether a use is the latest one of its entry.
fn is_current(slots: &[Option<Slot>], each: Use) -> bool {
    let slot = slots.get(each.slot).and_then(Option::as_ref);
    slot.is_some_and(|slot| slot.last_use == each.at)
}
