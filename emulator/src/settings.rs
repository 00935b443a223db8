//! Layered settings: a phone holds the documents it applied, newest on top, each shared with all
//! phones that applied the same; every value knows file, line and layer.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::event::File;
use crate::format::{Document, LineFaults, Link, Setting};
use crate::limits::LAYERS_MAX;
use crate::names::{Name, Names};
use crate::profile::keys::{Judgement, KeyRules, Meaning, Verdicts};

/// Bytes of all layers of one phone; beyond it the oldest ones give way. Two of the largest files
/// that a phone accepts: only a server that sends ever new keys comes here.
pub const SETTINGS_BYTES_MAX: usize = 2 * crate::limits::FILE_BYTES_MAX;

/// One cursor for each layer a phone can hold, and one for the layer that is one too many.
type Cursors<'a> = [&'a [Setting]; LAYERS_MAX + 1];

/// A document as one model takes it: foreign keys, bad values and indices beyond the model are
/// out, and what the rest means to the phone is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vetted {
    /// The settings that this model takes; links, version and reading as in the source. Where
    /// nothing was taken out it is the source itself.
    pub document: Rc<Document>,
    /// Lines not taken over: the document's own and those this model ignores.
    pub faults: LineFaults,
    /// Settings that mean something to the phone, in key order; plain ones are not listed.
    pub meanings: Box<[(Name, Meaning)]>,
    /// The file of each setting, where they come from several (layers flattened into one).
    origins: Box<[File]>,
}

/// The settings a phone holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    layers: Vec<Layer>,
}

/// One applied document.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where it came from; for layers flattened into one, where the newest of them came from.
    pub file: File,
    /// What it says.
    pub vetted: Rc<Vetted>,
}

/// A value with its provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The value; empty where a file cleared it.
    pub value: &'a str,
    /// The file it came from.
    pub file: File,
    /// The line there, from 1.
    pub line: u32,
    /// The layer, 0 at the bottom.
    pub layer: usize,
}

/// What applying a document did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Settings in the document for this model.
    pub settings: u32,
    /// Those whose effective value changed; with `replace` also those that are gone. A value that
    /// is absent and one that is empty are the same.
    pub changed: u32,
    /// Whether a changed one needs a reboot.
    pub reboot: bool,
    /// `SETTINGS_BYTES_MAX` was reached: layers at the bottom were dropped.
    pub over_limit: bool,
}

/// How settings differ from a list of intended values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Comparison<'a> {
    /// Intended and not held.
    pub missing: u32,
    /// Held with another value.
    pub different: u32,
    /// Held and not intended: no fault by itself, since a server may set more than was asked of it.
    pub extra: u32,
    /// The missing or different one with the smallest key number.
    pub first: Option<Difference<'a>>,
    /// The extra one with the smallest key number.
    pub first_extra: Option<Name>,
}

/// A setting that is not as intended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The key.
    pub key: Name,
    /// The intended value.
    pub expected: &'a str,
    /// What is held, and where it came from.
    pub held: Option<Held<'a>>,
}

impl Vetted {
    /// Judges every setting of a document by a model's rules. `Bodies::vetted` does the same with
    /// what is known from earlier documents.
    #[must_use]
    pub fn new(document: &Document, rules: &KeyRules, keys: &Names) -> Self {
        let document = Rc::new(document.clone());
        Self::judged(document, rules, &mut Verdicts::default(), keys)
    }

    /// Judges every setting of a document; `verdicts` must belong to `rules` and `keys`.
    #[must_use]
    pub fn judged(
        document: Rc<Document>,
        rules: &KeyRules,
        verdicts: &mut Verdicts,
        keys: &Names,
    ) -> Self {
        let mut ignored = LineFaults::default();
        let mut meanings = Vec::new();
        for setting in &document.settings {
            match verdicts.judge(rules, keys, setting.key, document.value(setting)) {
                Judgement::Keep(Meaning::Plain) => {}
                Judgement::Keep(meaning) => meanings.push((setting.key, meaning)),
                Judgement::Ignore(reason) => ignored.add(reason, setting.line()),
            }
        }
        let faults = document.faults.joined(&ignored);
        let document = if ignored.groups().is_empty() {
            document
        } else {
            Rc::new(document.only(|setting, value| {
                let judgement = verdicts.judge(rules, keys, setting.key, value);
                matches!(judgement, Judgement::Keep(_))
            }))
        };
        Self {
            document,
            faults,
            meanings: meanings.into_boxed_slice(),
            origins: Box::default(),
        }
    }

    /// Settings whose values were judged elsewhere, with the file that each is from; the rules say
    /// only what their keys mean. `verdicts` must belong to `rules` and `keys`.
    #[must_use]
    pub fn meant(
        document: Rc<Document>,
        origins: Box<[File]>,
        rules: &KeyRules,
        verdicts: &mut Verdicts,
        keys: &Names,
    ) -> Self {
        let meaning = |setting: &Setting| {
            // No value is refused to a key when it is empty.
            match verdicts.judge(rules, keys, setting.key, "") {
                Judgement::Keep(Meaning::Plain) | Judgement::Ignore(_) => None,
                Judgement::Keep(meaning) => Some((setting.key, meaning)),
            }
        };
        Self {
            faults: document.faults.clone(),
            meanings: document.settings.iter().filter_map(meaning).collect(),
            origins,
            document,
        }
    }

    /// The settings that this file gave, with what they mean; for settings of several files.
    pub fn named_by(&self, file: File) -> impl Iterator<Item = (Name, Meaning)> {
        let settings = self.document.settings.iter().zip(&self.origins);
        settings
            .filter(move |(_, origin)| **origin == file)
            .map(|(setting, _)| (setting.key, self.meaning(setting.key)))
    }

    /// What a setting means to the phone.
    #[must_use]
    pub fn meaning(&self, key: Name) -> Meaning {
        self.meanings
            .binary_search_by_key(&key, |(known, _)| *known)
            .ok()
            .and_then(|at| self.meanings.get(at))
            .map_or(Meaning::Plain, |(_, meaning)| *meaning)
    }

    /// Bytes on the heap, without the document.
    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.meanings) + size_of_val(&*self.origins) + self.faults.heap_bytes()
    }
}

impl Document {
    /// A copy with those settings only that `keep` wants.
    fn only(&self, mut keep: impl FnMut(&Setting, &str) -> bool) -> Self {
        let mut settings = Vec::new();
        let mut text = String::new();
        let mut append = |part: &str| {
            let start = u32::try_from(text.len()).unwrap_or(u32::MAX);
            text.push_str(part);
            start
        };
        let moved = |mut link: Link| {
            link.url.start = append(self.text(link.url));
            link
        };
        let links = self.links.iter().copied().map(moved).collect();
        let version = self.version.map(|mut version| {
            version.start = append(self.text(version));
            version
        });
        for setting in &self.settings {
            let value = self.value(setting);
            if keep(setting, value) {
                settings.push(setting.moved(append(value)));
            }
        }
        Self {
            reading: self.reading,
            settings: settings.into_boxed_slice(),
            text: text.into_boxed_str(),
            links,
            checksum: self.checksum,
            version,
            catalogue: None,
            faults: self.faults.clone(),
            tolerated: self.tolerated.clone(),
        }
    }
}

impl Layer {
    fn document(&self) -> &Document {
        &self.vetted.document
    }

    /// The value of the setting at a place of the document.
    fn held(&self, at: usize, layer: usize) -> Option<(Name, Held<'_>)> {
        let setting = self.document().settings.get(at)?;
        let held = Held {
            value: self.document().value(setting),
            file: self.vetted.origins.get(at).copied().unwrap_or(self.file),
            line: setting.line(),
            layer,
        };
        Some((setting.key, held))
    }
}

impl Settings {
    /// The effective value of a key.
    #[must_use]
    pub fn held(&self, key: Name) -> Option<Held<'_>> {
        let layers = self.layers.iter().enumerate().rev();
        let mut found = layers.filter_map(|(at, layer)| {
            let place = layer.document().position(key)?;
            layer.held(place, at)
        });
        found.next().map(|(_, held)| held)
    }

    /// Puts a document on top: its values override earlier ones, what it does not name stays. An
    /// earlier version of the same file goes when the new one names all that it named; values that
    /// only the earlier one named stay, since absent means unchanged.
    pub fn overlay(&mut self, file: File, vetted: Rc<Vetted>) -> Applied {
        let mut applied = self.effect_of(&vetted);
        applied.over_limit = self.push(file, vetted);
        applied
    }

    /// Makes a document the whole configuration: what it does not name is gone.
    pub fn replace(&mut self, file: File, vetted: Rc<Vetted>) -> Applied {
        let before = std::mem::take(self);
        let settings = count(vetted.document.settings.len());
        self.layers.push(Layer { file, vetted });
        Applied {
            settings,
            ..self.changes_since(&before)
        }
    }

    /// What changed between two states, whatever was put on top in between: a phone that takes
    /// over a run's documents together asks this about the run. `settings` counts those held now.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Applied {
        let mut applied = Applied::default();
        let mut old = before.effective().peekable();
        let note = |applied: &mut Applied, meaning: Meaning| {
            applied.changed = applied.changed.saturating_add(1);
            applied.reboot |= meaning == Meaning::Reboot;
        };
        for (key, held) in self.effective() {
            applied.settings = applied.settings.saturating_add(1);
            while let Some((gone, was)) = old.next_if(|(earlier, _)| *earlier < key) {
                if !was.value.is_empty() {
                    note(&mut applied, before.meaning(gone, was));
                }
            }
            let was = old.next_if(|(same, _)| *same == key);
            if was.map_or("", |(_, was)| was.value) != held.value {
                note(&mut applied, self.meaning(key, held));
            }
        }
        for (gone, was) in old.filter(|(_, was)| !was.value.is_empty()) {
            note(&mut applied, before.meaning(gone, was));
        }
        applied
    }

    /// The layers, bottom first; at most `LAYERS_MAX`, more are flattened into one.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Every effective setting in key order.
    pub fn effective(&self) -> impl Iterator<Item = (Name, Held<'_>)> {
        let mut cursors = cursors(&self.layers);
        // The layer whose next settings come before those of all others, which begin at this key.
        // Files name keys in stretches, so most settings need no look at the other layers.
        let mut leading = (0, Some(Name(0)));
        std::iter::from_fn(move || {
            loop {
                let (at, others) = leading;
                let (rest, layer) = (cursors.get_mut(at)?, self.layers.get(at)?);
                if let [first, tail @ ..] = *rest
                    && others.is_none_or(|others| first.key < others)
                {
                    let place = layer.document().settings.len() - rest.len();
                    *rest = tail;
                    return layer.held(place, at);
                }
                leading = lead(&mut cursors, self.layers.len())?;
            }
        })
    }

    /// Compares with intended values, which must be in key order with no key twice. An intended
    /// empty value and an absent one are the same.
    #[must_use]
    pub fn same_as<'a>(&'a self, intended: &[(Name, &'a str)]) -> Comparison<'a> {
        let mut result = Comparison::default();
        let mut rest = intended.iter().copied().peekable();
        for (key, held) in self.effective() {
            while let Some((missed, value)) = rest.next_if(|(earlier, _)| *earlier < key) {
                result.compare(missed, value, None);
            }
            match rest.next_if(|(same, _)| *same == key) {
                Some((_, value)) => result.compare(key, value, Some(held)),
                None if held.value.is_empty() => {}
                None => {
                    result.extra = result.extra.saturating_add(1);
                    result.first_extra.get_or_insert(key);
                }
            }
        }
        rest.for_each(|(missed, value)| result.compare(missed, value, None));
        result
    }

    /// True when nothing was ever applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Bytes on the heap that nobody else holds: the layer list and the documents that are not
    /// shared with another phone or the body store. Without the allocator's own share.
    #[must_use]
    pub fn heap_bytes_owned(&self) -> usize {
        /// The two counters before what an `Rc` points at.
        const COUNTERS: usize = 2 * size_of::<usize>();
        let mut bytes = self.layers.capacity() * size_of::<Layer>();
        for layer in &self.layers {
            if Rc::strong_count(&layer.vetted) == 1 {
                bytes += COUNTERS + size_of::<Vetted>() + layer.vetted.heap_bytes();
                if Rc::strong_count(&layer.vetted.document) == 1 {
                    bytes += COUNTERS + size_of::<Document>() + layer.document().heap_bytes();
                }
            }
        }
        bytes
    }

    fn meaning(&self, key: Name, held: Held<'_>) -> Meaning {
        self.layers
            .get(held.layer)
            .map_or(Meaning::Plain, |layer| layer.vetted.meaning(key))
    }

    /// What putting a document on top would do.
    fn effect_of(&self, vetted: &Vetted) -> Applied {
        let document = &vetted.document;
        let mut applied = Applied {
            settings: count(document.settings.len()),
            ..Applied::default()
        };
        let mut cursors = cursors(&self.layers);
        let mut meanings = vetted.meanings.iter().peekable();
        for setting in &document.settings {
            let layers = self.layers.iter().zip(&mut cursors).rev();
            let mut values = layers.filter_map(|(layer, rest)| {
                let known = seek(rest, setting.key)?;
                Some(layer.document().value(known))
            });
            let changed = values.next().unwrap_or_default() != document.value(setting);
            let meaning = meanings.next_if(|(key, _)| *key == setting.key);
            applied.changed += u32::from(changed);
            applied.reboot |= changed && meaning.is_some_and(|(_, what)| *what == Meaning::Reboot);
        }
        applied
    }

    /// Puts a layer on top and drops those that nothing can be seen of any more; true when
    /// `SETTINGS_BYTES_MAX` cost a layer.
    fn push(&mut self, file: File, vetted: Rc<Vetted>) -> bool {
        let same = |top: &Layer| top.file == file && Rc::ptr_eq(&top.vetted, &vetted);
        let empty = vetted.document.settings.is_empty() && !self.layers.is_empty();
        if empty || self.layers.last().is_some_and(same) {
            return false;
        }
        self.layers.reserve_exact(1);
        self.layers.push(Layer { file, vetted });
        let mut at = 0;
        while let Some((layer, above)) = self.layers.get(at..).and_then(<[_]>::split_first) {
            if !above.is_empty() && is_hidden(layer, above) {
                self.layers.remove(at);
            } else {
                at += 1;
            }
        }
        if self.layers.len() > LAYERS_MAX {
            let flat = self.flattened(file);
            self.layers = vec![flat];
        }
        self.keep_to_limit()
    }

    fn flattened(&self, file: File) -> Layer {
        let mut settings = Vec::new();
        let mut text = String::new();
        let mut origins = Vec::new();
        let mut meanings = Vec::new();
        for (key, held) in self.effective() {
            let Some(setting) = self.layers.get(held.layer).and_then(|layer| {
                let known = layer.document().find(key)?;
                Some(known.moved(u32::try_from(text.len()).ok()?))
            }) else {
                continue;
            };
            settings.push(setting);
            text.push_str(held.value);
            origins.push(held.file);
            match self.meaning(key, held) {
                Meaning::Plain => {}
                meaning => meanings.push((key, meaning)),
            }
        }
        let document = Document {
            settings: settings.into_boxed_slice(),
            text: text.into_boxed_str(),
            ..Document::default()
        };
        let vetted = Vetted {
            document: Rc::new(document),
            faults: LineFaults::default(),
            meanings: meanings.into_boxed_slice(),
            origins: origins.into_boxed_slice(),
        };
        Layer {
            file,
            vetted: Rc::new(vetted),
        }
    }

    fn keep_to_limit(&mut self) -> bool {
        let bytes = |layer: &Layer| layer.document().heap_bytes() + layer.vetted.heap_bytes();
        let mut total: usize = self.layers.iter().map(bytes).sum();
        let mut dropped = 0;
        for layer in self.layers.iter().take(self.layers.len().saturating_sub(1)) {
            if total <= SETTINGS_BYTES_MAX {
                break;
            }
            total -= bytes(layer);
            dropped += 1;
        }
        self.layers.drain(..dropped);
        dropped > 0
    }
}

impl<'a> Comparison<'a> {
    /// True when every intended value is held.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.missing == 0 && self.different == 0
    }

    fn compare(&mut self, key: Name, expected: &'a str, held: Option<Held<'a>>) {
        let value = held.map_or("", |held| held.value);
        if value == expected {
            return;
        }
        let counter = if value.is_empty() {
            &mut self.missing
        } else {
            &mut self.different
        };
        *counter = counter.saturating_add(1);
        self.first.get_or_insert(Difference {
            key,
            expected,
            held,
        });
    }
}

fn cursors(layers: &[Layer]) -> Cursors<'_> {
    let mut cursors = Cursors::default();
    for (cursor, layer) in cursors.iter_mut().zip(layers) {
        *cursor = &layer.document().settings;
    }
    cursors
}

/// The layer with the lowest key, of several the topmost, and the lowest key of the others. Those
/// below that have the same key are moved past it: it overrides them.
fn lead(cursors: &mut Cursors<'_>, layers: usize) -> Option<(usize, Option<Name>)> {
    let mut lowest: Option<(usize, Name)> = None;
    for (at, rest) in cursors.iter().enumerate().take(layers) {
        if let Some(first) = rest.first()
            && lowest.is_none_or(|(_, key)| first.key <= key)
        {
            lowest = Some((at, first.key));
        }
    }
    let (top, key) = lowest?;
    let mut others: Option<Name> = None;
    for (at, rest) in cursors.iter_mut().enumerate().take(layers) {
        if at == top {
            continue;
        }
        if let [first, tail @ ..] = *rest
            && first.key == key
        {
            *rest = tail;
        }
        if let Some(first) = rest.first() {
            others = Some(others.map_or(first.key, |other| other.min(first.key)));
        }
    }
    Some((top, others))
}

/// The setting with this key, moving a cursor up to it.
fn seek<'a>(rest: &mut &'a [Setting], key: Name) -> Option<&'a Setting> {
    /// Steps from which halving beats walking.
    const WALK: usize = 16;
    if rest.get(WALK).is_some_and(|setting| setting.key < key) {
        let skipped = rest.partition_point(|setting| setting.key < key);
        *rest = rest.get(skipped..).unwrap_or_default();
    }
    while let [first, tail @ ..] = *rest {
        match first.key.cmp(&key) {
            Ordering::Less => *rest = tail,
            Ordering::Equal => return Some(first),
            Ordering::Greater => return None,
        }
    }
    None
}

/// Whether the layers above name everything that a layer names.
fn is_hidden(layer: &Layer, above: &[Layer]) -> bool {
    let mut cursors = cursors(above);
    layer.document().settings.iter().all(|setting| {
        cursors
            .iter_mut()
            .any(|rest| seek(rest, setting.key).is_some())
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
