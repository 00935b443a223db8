//! Deadlines of many short-lived things. A thing has at most one entry here, which is looked at
//! when it comes up and put back when the thing's deadline has moved meanwhile: moving a deadline
//! costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bootstorm_emulator::time::Moment;

/// A slot of a slab together with the generation that lived in it when the entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// The entries, earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Moment, Slot)>>,
}

impl Timers {
    /// Adds the entry of `slot`.
    pub(super) fn add(&mut self, at: Moment, slot: Slot) {
        self.heap.push(Reverse((at, slot)));
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// No entry comes up before this.
    pub(super) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the earliest entry if it is due.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Slot> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, slot))| slot)
    }
}

/// Things in numbered slots; a slot is used again with another generation.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// How many things are held.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Stores a thing.
    pub(super) fn insert(&mut self, thing: T) -> Slot {
        if let Some(index) = self.free.pop()
            && let Some((generation, place)) = self.slots.get_mut(index as usize)
        {
            *place = Some(thing);
            return Slot {
                index,
                generation: *generation,
            };
        }
        // The callers' limits are far below 2^32.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push((0, Some(thing)));
        Slot {
            index,
            generation: 0,
        }
    }

    /// The thing in `slot`, if it is still the same one.
    pub(super) fn find(&mut self, slot: Slot) -> Option<&mut T> {
        let (generation, thing) = self.slots.get_mut(slot.index as usize)?;
        thing.as_mut().filter(|_| *generation == slot.generation)
    }

    /// Takes the thing out of `slot`, if it is still the same one.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let (generation, thing) = self.slots.get_mut(slot.index as usize)?;
        if *generation != slot.generation {
            return None;
        }
        let taken = thing.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(slot.index);
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_used_again_does_not_answer_to_its_old_name() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(second.index, first.index);
        assert_eq!(slab.find(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.find(second), Some(&mut "second"));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn entries_come_up_in_order_and_not_early() {
        let mut timers = Timers::default();
        let slot = |index| Slot {
            index,
            generation: 0,
        };
        timers.add(Moment::from_millis(20), slot(2));
        timers.add(Moment::from_millis(10), slot(1));
        assert_eq!(timers.next(), Some(Moment::from_millis(10)));
        assert_eq!(timers.take_due(Moment::from_millis(9)), None);
        assert_eq!(timers.take_due(Moment::from_millis(15)), Some(slot(1)));
        assert_eq!(timers.take_due(Moment::from_millis(15)), None);
        assert_eq!(timers.take_due(Moment::from_millis(20)), Some(slot(2)));
    }
}
