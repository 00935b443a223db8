//! A body that one or more phones are bringing in at this moment.

use std::cell::{Cell, RefCell};
use std::hash::BuildHasher;
use std::rc::Rc;

use md5::{Digest, Md5};
use rustc_hash::FxBuildHasher;

use super::Body;

/// Bytes by which stored bodies are looked up. Enough that two phones' own files, which often begin
/// alike, differ within them; a shorter body is found by its digest when it is complete.
pub(super) const HEAD_BYTES: usize = 256;
/// Bytes hashed at a time while a body grows.
const HASHED_AT_ONCE: usize = 16 << 10;

/// A body that one or more writers are bringing in.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its entry in the store.
    pub(super) slot: usize,
    pub(super) state: RefCell<State>,
}

/// How far a stream is.
#[derive(Debug)]
pub(super) enum State {
    Growing(Growth),
    Complete(Rc<Body>),
}

/// Bytes with the hash of the first `hashed` of them.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) bytes: Vec<u8>,
    md5: Md5,
    hashed: usize,
    in_flight: Rc<InFlight>,
}

/// Bytes of all streams of a store.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) bytes: Cell<usize>,
    pub(super) bytes_max: usize,
}

impl Stream {
    /// As `Growth::take_all`; false for a stream that is complete, or that the writer is leaving
    /// (its bytes are borrowed then).
    pub(super) fn take_all(&self, prefix: &[u8], chunk: &[u8]) -> bool {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return false;
        };
        match &mut *state {
            State::Growing(growth) => growth.take_all(prefix, chunk),
            State::Complete(_) => false,
        }
    }
}

impl State {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Growing(growth) => &growth.bytes,
            Self::Complete(body) => &body.bytes,
        }
    }
}

impl Growth {
    /// Nothing so far, in a buffer that is empty; its bytes count towards `in_flight`.
    pub(super) fn new(bytes: Vec<u8>, in_flight: Rc<InFlight>) -> Self {
        Self {
            bytes,
            md5: Md5::new(),
            hashed: 0,
            in_flight,
        }
    }

    /// Adds bytes at the end, without asking for room.
    pub(super) fn extend(&mut self, more: &[u8]) {
        let bytes = &self.in_flight.bytes;
        bytes.set(bytes.get().saturating_add(more.len()));
        self.bytes.extend_from_slice(more);
        let waiting = self.bytes.len() - self.hashed;
        if waiting >= HASHED_AT_ONCE {
            let whole = waiting - waiting % HASHED_AT_ONCE;
            let end = self.hashed + whole;
            let part = self.bytes.get(self.hashed..end).unwrap_or_default();
            self.md5.update(part);
            self.hashed = end;
        }
    }

    /// Takes a chunk at a place: true when it is there already, or when the bytes could grow by
    /// what is not.
    pub(super) fn take(&mut self, at: usize, chunk: &[u8]) -> bool {
        let known = self.bytes.get(at..).unwrap_or_default();
        let (old, new) = chunk.split_at(known.len().min(chunk.len()));
        if !known.starts_with(old) || !self.has_room(new.len()) {
            return false;
        }
        if !new.is_empty() {
            self.extend(new);
        }
        true
    }

    /// As `take`, for a writer that brings all its bytes so far.
    pub(super) fn take_all(&mut self, prefix: &[u8], chunk: &[u8]) -> bool {
        if let Some(missing) = prefix.strip_prefix(self.bytes.as_slice()) {
            let fits = self.has_room(missing.len() + chunk.len());
            if fits {
                self.extend(missing);
                self.extend(chunk);
            }
            return fits;
        }
        self.bytes.starts_with(prefix) && self.take(prefix.len(), chunk)
    }

    fn has_room(&self, more: usize) -> bool {
        self.in_flight.has_room(more)
    }

    pub(super) fn digest(&mut self) -> [u8; 16] {
        let rest = self.bytes.get(self.hashed..).unwrap_or_default();
        self.md5.update(rest);
        self.md5.finalize_reset().into()
    }

    /// Gives the bytes away.
    pub(super) fn release(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.bytes);
        let total = &self.in_flight.bytes;
        total.set(total.get().saturating_sub(bytes.len()));
        bytes
    }
}

impl InFlight {
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.bytes.get().saturating_add(more) <= self.bytes_max
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.release();
    }
}

/// A hash of the first `HEAD_BYTES` of two pieces, if they have so many.
pub(super) fn head_of(prefix: &[u8], chunk: &[u8]) -> Option<u64> {
    let mut head = [0_u8; HEAD_BYTES];
    let own = prefix.len().min(HEAD_BYTES);
    let (from_prefix, from_chunk) = head.split_at_mut(own);
    from_prefix.copy_from_slice(prefix.get(..own)?);
    from_chunk.copy_from_slice(chunk.get(..HEAD_BYTES - own)?);
    Some(FxBuildHasher.hash_one(head))
}
