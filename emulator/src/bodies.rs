//! The shard's body store: what servers sent, held once however many phones fetched it.
//!
//! Arriving bytes are compared with what is here already. While they are the same, nothing is
//! copied or hashed, be it a complete body or one that another phone is fetching at this very
//! moment (the first phone to be ahead extends it for all). At the first difference a writer goes
//! on with another stored body that begins with the same bytes, or with a copy of its own.
//!
//! Bodies seen twice are kept, the least recently used going first; of those seen once only the
//! latest few are, so that the second phone finds what the first one fetched. Documents parsed
//! from a body are kept with it.

mod kept;
mod stream;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use md5::{Digest, Md5};

use crate::event::File;
use crate::format::sealed::Seal;
use crate::format::sections::{self, Parsed as Sections};
use crate::format::xml::XmlFault;
use crate::format::{Document, Format, FormatOptions, Scratch, read_with};
use crate::names::Names;
use crate::profile::Profile;
use crate::profile::keys::{KeyRules, Verdicts};
use crate::settings::Vetted;
use kept::{Content, Kept};
use stream::{Growth, HEAD_BYTES, InFlight, State, Stream, head_of};

/// Bytes in all bodies of a shard that are on their way and not the same as a stored one.
pub const IN_FLIGHT_BYTES_MAX: usize = 1 << 30;
/// Buffers up to this size are used again; as many as `SPARES_MAX`.
const SPARE_BYTES_MAX: usize = 64 << 10;
const SPARES_MAX: usize = 32;
/// Readings of one encrypted body that are kept: phones with keys of their own may all be given the
/// same bytes. The one kept longest goes first, and such a phone's body is decrypted again.
const SEALED_READINGS_MAX: usize = 8;

/// A complete body.
pub struct Body {
    bytes: Box<[u8]>,
    md5: [u8; 16],
    /// Its entry in the store that made it.
    slot: usize,
    parsed: RefCell<Parsed>,
}

/// A body on its way in. Dropping it abandons the body.
#[derive(Debug)]
pub struct BodyWriter {
    /// Bytes so far.
    length: usize,
    limit: usize,
    source: Source,
}

/// The body grew beyond its limit (or the shard's bodies on their way beyond theirs,
/// `IN_FLIGHT_BYTES_MAX`); the number is the writer's limit in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverLimit(pub usize);

/// What a store did so far: how much was fetched, and how little of it was kept and hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Bodies that arrived and came to their end.
    pub fetched: Sum,
    /// Of them, those that were not here already.
    pub held: Sum,
    /// Digests that were computed for them.
    pub hashed: Sum,
}

/// So many, of so many bytes in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

/// The store. The documents that it keeps belong to one table of names and one list of profiles.
#[derive(Debug)]
pub struct Bodies {
    kept: Kept,
    in_flight: Rc<InFlight>,
    spares: Vec<Vec<u8>>,
    scratch: Scratch,
    /// By profile index.
    verdicts: Vec<Verdicts>,
    tally: Tally,
}

/// What a store needs to know of a profile.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    /// How the model reads documents.
    pub options: FormatOptions,
    /// What it makes of their keys.
    pub rules: &'a KeyRules,
    /// The profile's place in `Shelf::profiles`: one index always means the same profile.
    pub index: u16,
}

/// Where a writer's bytes are.
#[derive(Debug)]
enum Source {
    /// Fewer than `HEAD_BYTES`, its own.
    Head(Vec<u8>),
    /// The first `length` bytes of a body that is complete.
    Complete(Rc<Body>),
    /// The first `length` bytes of one that may still grow.
    Growing(Rc<Stream>),
}

/// What was parsed from a body.
#[derive(Default)]
struct Parsed {
    documents: Vec<(Format, FormatOptions, Rc<Document>)>,
    vetted: Vec<(Format, u16, Option<Seal>, Rc<Vetted>)>,
    sections: Option<Rc<Sections>>,
}

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

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body")
            .field("length", &self.bytes.len())
            .field("md5", &self.md5)
            .finish_non_exhaustive()
    }
}

impl BodyWriter {
    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Bodies {
    /// A store that keeps at most `cache_bytes` of bodies (and documents parsed from them) that
    /// nobody else holds at the moment.
    #[must_use]
    pub fn new(cache_bytes: usize) -> Self {
        Self {
            kept: Kept::new(cache_bytes),
            in_flight: Rc::new(InFlight {
                bytes: Cell::new(0),
                bytes_max: IN_FLIGHT_BYTES_MAX,
            }),
            spares: Vec::new(),
            scratch: Scratch::default(),
            verdicts: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// What the store did so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Begins a body of at most `limit` bytes.
    #[must_use]
    pub fn start(&self, limit: usize) -> BodyWriter {
        BodyWriter {
            length: 0,
            limit,
            source: Source::Head(Vec::new()),
        }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// `OverLimit` when the body would be longer than its limit, or when it is not the same as a
    /// stored one and the shard holds `IN_FLIGHT_BYTES_MAX` of such; nothing is taken then.
    pub fn append(&mut self, writer: &mut BodyWriter, chunk: &[u8]) -> Result<(), OverLimit> {
        let over = OverLimit(writer.limit);
        let length = writer.length.checked_add(chunk.len()).ok_or(over)?;
        if length > writer.limit {
            return Err(over);
        }
        if !self.follow(writer, chunk) {
            if !self.in_flight.has_room(length) {
                return Err(over);
            }
            self.diverge(writer, chunk);
        }
        writer.length = length;
        Ok(())
    }

    /// Completes a body; equal bytes give the same `Rc`, as long as the first is held by anyone.
    pub fn finish(&mut self, writer: BodyWriter) -> Rc<Body> {
        self.tally.fetched.add(writer.length);
        match writer.source {
            Source::Head(bytes) => {
                let body = self.stored(&bytes);
                self.reuse(bytes);
                body
            }
            Source::Complete(body) => self.cut(body, writer.length),
            Source::Growing(stream) => self.finish_stream(&stream, writer.length),
        }
    }

    /// Stores a body that is here as a whole: made of one that was fetched, or given by hand. The
    /// tally leaves it out, for it was not fetched.
    pub fn insert(&mut self, bytes: &[u8]) -> Rc<Body> {
        let tally = self.tally;
        let mut writer = self.start(bytes.len());
        let body = match self.append(&mut writer, bytes) {
            Ok(()) => self.finish(writer),
            Err(OverLimit(_)) => self.stored(bytes),
        };
        self.tally = tally;
        body
    }

    /// The document in a body, parsed at most once per format and options.
    pub fn document(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        options: FormatOptions,
        keys: &mut Names,
    ) -> Rc<Document> {
        if let Some(known) = body.parsed.borrow().document(format, options) {
            return known;
        }
        let document = read_with(&mut self.scratch, format, options, body.bytes(), keys);
        let weight = size_of::<Document>() + document.heap_bytes();
        let document = Rc::new(document);
        let entry = (format, options, Rc::clone(&document));
        let parsed = &mut *body.parsed.borrow_mut();
        make_room(&mut parsed.documents, |known| known.1.seal.is_some());
        parsed.documents.push(entry);
        self.kept.weigh(body, weight);
        document
    }

    /// The document of the sections family in a body, parsed at most once. For bytes as they came:
    /// a reference document may hold markers of the phone (AUE-64).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn sections(&mut self, body: &Rc<Body>) -> Result<Rc<Sections>, XmlFault> {
        if let Some(known) = &body.parsed.borrow().sections {
            return Ok(Rc::clone(known));
        }
        let parsed = Rc::new(sections::read(body.bytes())?);
        body.parsed.borrow_mut().sections = Some(Rc::clone(&parsed));
        // A tree takes a few times what its text does.
        self.kept.weigh(body, 4 * body.bytes.len());
        Ok(parsed)
    }

    /// Settings out of a settings tree, whose own schema has judged their values: of the model's
    /// rules only what a key means to the phone counts. `origins` says which file each is from.
    pub fn of_sections(
        &mut self,
        document: Document,
        origins: Box<[File]>,
        model: Model<'_>,
        keys: &Names,
    ) -> Vetted {
        let mut fresh = Verdicts::default();
        let verdicts = self.verdicts_of(model.index).unwrap_or(&mut fresh);
        Vetted::meant(Rc::new(document), origins, model.rules, verdicts, keys)
    }

    fn verdicts_of(&mut self, index: u16) -> Option<&mut Verdicts> {
        let index = usize::from(index);
        if self.verdicts.len() <= index {
            self.verdicts.resize_with(index + 1, Verdicts::default);
        }
        self.verdicts.get_mut(index)
    }

    /// The document as the model of `profile` takes it, judged at most once per profile.
    /// `profile_index` is its place in `Shelf::profiles`.
    pub fn vetted(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        profile: &Profile,
        profile_index: u16,
        keys: &mut Names,
    ) -> Rc<Vetted> {
        self.vetted_sealed(body, format, (profile, profile_index), None, keys)
    }

    /// As `vetted`, for a phone whose files are encrypted with a key of its own (FAN-42, FAN-45);
    /// with `None` as the profile says. Judged at most once per profile and key, of which the
    /// latest `SEALED_READINGS_MAX` of a body are kept.
    pub fn vetted_sealed(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        (profile, profile_index): (&Profile, u16),
        seal: Option<Seal>,
        keys: &mut Names,
    ) -> Rc<Vetted> {
        let model = Model {
            options: FormatOptions {
                seal: seal.or(profile.format.seal),
                ..profile.format
            },
            rules: &profile.keys,
            index: profile_index,
        };
        self.vetted_for(body, format, model, keys)
    }

    /// As `vetted`, for the part of a profile that it needs; of the options only the seal may
    /// differ between two models of one index.
    pub fn vetted_for(
        &mut self,
        body: &Rc<Body>,
        format: Format,
        model: Model<'_>,
        keys: &mut Names,
    ) -> Rc<Vetted> {
        let seal = model.options.seal;
        if let Some(known) = body.parsed.borrow().vetted(format, model.index, seal) {
            return known;
        }
        let document = self.document(body, format, model.options, keys);
        let vetted = match self.verdicts_of(model.index) {
            Some(known) => Vetted::judged(Rc::clone(&document), model.rules, known, keys),
            None => Vetted::new(&document, model.rules, keys),
        };
        let own = if Rc::ptr_eq(&vetted.document, &document) {
            0
        } else {
            size_of::<Document>() + vetted.document.heap_bytes()
        };
        let vetted = Rc::new(vetted);
        let entry = (format, model.index, seal, Rc::clone(&vetted));
        let parsed = &mut *body.parsed.borrow_mut();
        make_room(&mut parsed.vetted, |known| known.2.is_some());
        parsed.vetted.push(entry);
        self.kept.weigh(body, size_of::<Vetted>() + own);
        vetted
    }

    /// Bytes of bodies and documents that the store itself keeps alive; at most `cache_bytes`.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// Bytes of bodies on their way in, each counted once however many phones fetch it.
    #[must_use]
    pub fn in_flight_bytes(&self) -> usize {
        self.in_flight.bytes.get()
    }
}

/// Writing: following, and what happens at a difference.
impl Bodies {
    /// Takes a chunk without copying where the writer's source has it or can grow by it.
    fn follow(&mut self, writer: &mut BodyWriter, chunk: &[u8]) -> bool {
        let at = writer.length;
        if let Source::Growing(stream) = &writer.source {
            let complete = match &mut *stream.state.borrow_mut() {
                State::Growing(growth) => return growth.take(at, chunk),
                State::Complete(body) => Rc::clone(body),
            };
            writer.source = Source::Complete(complete);
        }
        match &mut writer.source {
            Source::Head(bytes) if at + chunk.len() < HEAD_BYTES => {
                if bytes.capacity() == 0 {
                    *bytes = self.spares.pop().unwrap_or_default();
                }
                bytes.extend_from_slice(chunk);
                true
            }
            Source::Head(_) | Source::Growing(_) => false,
            Source::Complete(body) => body.bytes.get(at..).is_some_and(|r| r.starts_with(chunk)),
        }
    }

    /// Leaves a writer's source, which does not go on with `chunk`, for one that does.
    fn diverge(&mut self, writer: &mut BodyWriter, chunk: &[u8]) {
        let source = std::mem::replace(&mut writer.source, Source::Head(Vec::new()));
        writer.source = match source {
            Source::Head(own) => {
                let source = self.source_for(&own, chunk);
                self.reuse(own);
                source
            }
            Source::Complete(body) => {
                let prefix = body.bytes.get(..writer.length).unwrap_or_default();
                self.source_for(prefix, chunk)
            }
            Source::Growing(stream) => {
                let state = stream.state.borrow();
                let prefix = state.bytes().get(..writer.length).unwrap_or_default();
                self.source_for(prefix, chunk)
            }
        };
    }

    /// A source of which `prefix` and `chunk` are the first bytes: a stored one, or a new one.
    fn source_for(&mut self, prefix: &[u8], chunk: &[u8]) -> Source {
        let head = head_of(prefix, chunk);
        if let Some(found) = head.and_then(|head| self.candidate(head, prefix, chunk)) {
            return found;
        }
        let mut growth = Growth::new(
            self.spares.pop().unwrap_or_default(),
            Rc::clone(&self.in_flight),
        );
        growth.extend(prefix);
        growth.extend(chunk);
        Source::Growing(self.kept.add_stream(growth, head))
    }

    /// Something stored that begins with `prefix` and `chunk`, or that is part of them and can
    /// grow by the rest.
    fn candidate(&self, head: u64, prefix: &[u8], chunk: &[u8]) -> Option<Source> {
        let mut growing = None;
        for content in self.kept.alike(head) {
            match content {
                Content::Body(body) => {
                    let body = body.upgrade();
                    if let Some(body) = body.filter(|body| body.starts_with(prefix, chunk)) {
                        return Some(Source::Complete(body));
                    }
                }
                Content::Stream(stream) if growing.is_none() => {
                    let stream = stream.upgrade();
                    growing = stream.filter(|stream| stream.take_all(prefix, chunk));
                }
                Content::Stream(_) => {}
            }
        }
        growing.map(Source::Growing)
    }

    fn finish_stream(&mut self, stream: &Rc<Stream>, length: usize) -> Rc<Body> {
        let mut state = stream.state.borrow_mut();
        let growth = match &mut *state {
            State::Complete(body) => {
                let body = Rc::clone(body);
                return self.cut(body, length);
            }
            State::Growing(growth) if growth.bytes.len() != length => {
                // Somebody else's body goes on where this one ends.
                let bytes = growth.bytes.get(..length).unwrap_or_default();
                return self.stored(bytes);
            }
            State::Growing(growth) => growth,
        };
        let md5 = growth.digest();
        self.tally.hashed.add(length);
        let body = match self.kept.find(&growth.bytes, md5) {
            Some(known) => {
                self.kept.remove(stream.slot);
                self.reuse(growth.release());
                self.kept.seen_again(&known);
                known
            }
            None => {
                self.tally.held.add(length);
                let bytes = growth.release();
                let bytes = if bytes.capacity() <= SPARE_BYTES_MAX {
                    let exact = Box::from(bytes.as_slice());
                    self.reuse(bytes);
                    exact
                } else {
                    bytes.into_boxed_slice()
                };
                self.kept.complete(stream.slot, bytes, md5)
            }
        };
        *state = State::Complete(Rc::clone(&body));
        body
    }

    /// The first `length` bytes of a body as a body.
    fn cut(&mut self, body: Rc<Body>, length: usize) -> Rc<Body> {
        if body.bytes.len() == length {
            self.kept.seen_again(&body);
            return body;
        }
        self.stored(body.bytes.get(..length).unwrap_or_default())
    }

    /// The body with these bytes: the stored one, or a new one.
    fn stored(&mut self, bytes: &[u8]) -> Rc<Body> {
        let md5 = Md5::digest(bytes).into();
        self.tally.hashed.add(bytes.len());
        if let Some(known) = self.kept.find(bytes, md5) {
            self.kept.seen_again(&known);
            return known;
        }
        self.tally.held.add(bytes.len());
        let head = head_of(bytes, &[]);
        self.kept.add_body(Box::from(bytes), md5, head)
    }

    fn reuse(&mut self, mut buffer: Vec<u8>) {
        let fits = (1..=SPARE_BYTES_MAX).contains(&buffer.capacity());
        if fits && self.spares.len() < SPARES_MAX {
            buffer.clear();
            self.spares.push(buffer);
        }
    }
}

impl Body {
    fn starts_with(&self, prefix: &[u8], chunk: &[u8]) -> bool {
        let rest = self.bytes.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(chunk))
    }
}

impl Parsed {
    fn document(&self, format: Format, options: FormatOptions) -> Option<Rc<Document>> {
        let mut documents = self.documents.iter();
        let known = documents.find(|known| known.0 == format && known.1 == options);
        known.map(|(_, _, document)| Rc::clone(document))
    }

    fn vetted(&self, format: Format, profile: u16, seal: Option<Seal>) -> Option<Rc<Vetted>> {
        let mut vetted = self.vetted.iter();
        let asked = (format, profile, seal);
        let known = vetted.find(|known| (known.0, known.1, known.2) == asked);
        known.map(|(_, _, _, vetted)| Rc::clone(vetted))
    }
}

/// Drops the oldest sealed reading when there are as many as may be kept.
fn make_room<T>(readings: &mut Vec<T>, sealed: impl Fn(&T) -> bool) {
    let held = readings.iter().filter(|known| sealed(known)).count();
    let oldest = readings.iter().position(sealed);
    if let Some(oldest) = oldest.filter(|_| held >= SEALED_READINGS_MAX) {
        readings.remove(oldest);
    }
}

#[cfg(test)]
mod tests;
