//! Things that wait for their time, in the order of their times; those of one moment keep the order
//! in which they were put there.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use bootstorm_emulator::time::Moment;

/// What waits. It knows no bound: who fills it has one.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    heap: BinaryHeap<Reverse<Item<T>>>,
    put: u64,
}

/// Ordered by time, then by when it was put there.
#[derive(Debug)]
struct Item<T> {
    at: Moment,
    number: u64,
    what: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            put: 0,
        }
    }
}

impl<T> Waiting<T> {
    /// Has something wait until a moment.
    pub(crate) fn put(&mut self, at: Moment, what: T) {
        self.put += 1;
        let number = self.put;
        self.heap.push(Reverse(Item { at, number, what }));
    }

    /// When the next of it is due.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse(item)| item.at)
    }

    /// The next that is due, and since when.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<(Moment, T)> {
        let at = self.deadline().filter(|at| *at <= now)?;
        self.take_next().map(|what| (at, what))
    }

    /// The next, due or not.
    pub(crate) fn take_next(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(item)| item.what)
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_go_in_the_order_of_times_then_of_arrival() {
        let mut waiting = Waiting::default();
        let [soon, later] = [5, 9].map(Moment::from_millis);
        for (at, what) in [(later, 'c'), (soon, 'a'), (later, 'd'), (soon, 'b')] {
            waiting.put(at, what);
        }
        assert_eq!((waiting.deadline(), waiting.len()), (Some(soon), 4));
        assert_eq!(waiting.take_due(Moment::ZERO), None);
        let due: Vec<_> = std::iter::from_fn(|| waiting.take_due(soon)).collect();
        assert_eq!(due, [(soon, 'a'), (soon, 'b')]);
        assert_eq!(waiting.take_next(), Some('c'));
        assert_eq!(waiting.take_due(later), Some((later, 'd')));
        assert_eq!((waiting.deadline(), waiting.is_empty()), (None, true));
    }
}
