//! Layered settings: a phone holds the documents it applied, newest on top, each shared with all
//! phones that applied the same; every value knows file, line and layer.

use std::rc::Rc;

use crate::event::File;
use crate::format::{Document, LineFaults, Setting};
use crate::names::{Name, Names};
use crate::profile::keys::{KeyRules, Meaning};

/// A document as one model takes it: foreign keys, bad values and indices beyond the model are
/// out, and what the rest means to the phone is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vetted {
    /// The settings that this model takes; links, version and reading as in the source.
    pub document: Document,
    /// Lines not taken over: the document's own and those this model ignores.
    pub faults: LineFaults,
    /// Settings that mean something to the phone, in key order of the file.
    pub meanings: Box<[(Name, Meaning)]>,
}

/// The settings a phone holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    layers: Vec<Layer>,
}

/// One applied document.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where it came from.
    pub file: File,
    /// What it says.
    pub vetted: Rc<Vetted>,
}

/// A value with its provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The value.
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
    /// Those whose effective value changed.
    pub changed: u32,
    /// Whether a changed one needs a reboot.
    pub reboot: bool,
}

impl Vetted {
    /// Judges every setting of a document by a model's rules.
    #[must_use]
    pub fn new(document: &Document, _rules: &KeyRules, _keys: &Names) -> Self {
        Self {
            document: document.clone(),
            faults: document.faults.clone(),
            meanings: Box::default(),
        }
    }
}

impl Settings {
    /// The effective value of a key.
    #[must_use]
    pub fn held(&self, key: Name) -> Option<Held<'_>> {
        self.layers
            .iter()
            .enumerate()
            .rev()
            .find_map(|(layer, held)| {
                let setting: &Setting = held.vetted.document.find(key)?;
                let value = held.vetted.document.text(setting.value);
                Some(Held {
                    value,
                    file: held.file,
                    line: setting.line,
                    layer,
                })
            })
    }

    /// Puts a document on top: its values override earlier ones, what it does not name stays.
    pub fn overlay(&mut self, file: File, vetted: Rc<Vetted>) -> Applied {
        self.layers.push(Layer { file, vetted });
        Applied::default()
    }

    /// Makes a document the whole configuration: what it does not name is gone.
    pub fn replace(&mut self, file: File, vetted: Rc<Vetted>) -> Applied {
        self.layers.clear();
        self.overlay(file, vetted)
    }

    /// The layers, bottom first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Every effective setting in key order.
    pub fn effective(&self) -> impl Iterator<Item = (Name, Held<'_>)> {
        std::iter::empty()
    }

    /// True when nothing was ever applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}
