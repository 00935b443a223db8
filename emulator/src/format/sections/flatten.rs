//! The settings tree as settings by path.

use super::tree::{NodeId, Tree};
use super::{VERSION, path};
use crate::event::{File, LineReason};
use crate::format::{Document, LineFaults, Setting, Span};
use crate::limits::VALUE_BYTES_MAX;
use crate::names::Names;
use crate::profile::StepId;

/// A tree's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flat {
    /// The settings by path. Values longer than `VALUE_BYTES_MAX`, and those whose path cannot be
    /// interned, are among the faults.
    pub document: Document,
    /// The file of each of them, in the same order.
    pub origins: Box<[File]>,
}

/// A flat list in the making.
struct Walk<'a> {
    tree: &'a Tree,
    keys: &'a mut Names,
    path: String,
    text: String,
    settings: Vec<Setting>,
    /// The file of each of them.
    origins: Vec<File>,
    faults: LineFaults,
}

impl Tree {
    /// The settings by path: `provisioning/url`, `users/user[@id='1']/password`,
    /// `…/parameter[@name='@string/identity']/@value`. An element with a key attribute is named by
    /// it, one without by its place among its like from the second on: `host`, `host[2]`. An
    /// element that holds nothing has an empty value. The sections' versions are no settings.
    #[must_use]
    pub fn flatten(&self, keys: &mut Names) -> Flat {
        let mut walk = Walk {
            tree: self,
            keys,
            path: String::new(),
            text: String::with_capacity(self.text_bytes()),
            settings: Vec::with_capacity(self.len() / 2),
            origins: Vec::with_capacity(self.len() / 2),
            faults: LineFaults::default(),
        };
        for section in self.elements(Self::ROOT) {
            walk.path.clear();
            walk.path.push_str(self.name(section));
            walk.element(section, Some(VERSION));
        }
        walk.sort();
        let document = Document {
            settings: walk.settings.into(),
            text: walk.text.into(),
            faults: walk.faults,
            ..Document::default()
        };
        Flat {
            document,
            origins: walk.origins.into(),
        }
    }

    /// The attribute that an element is named by, where a path can say its value.
    pub(super) fn naming_key(&self, id: NodeId) -> Option<(&'static str, &str)> {
        self.key_of(id)
            .filter(|(_, value)| path::quote_for(value).is_some())
    }
}

impl Walk<'_> {
    /// Sorts the settings by key. Keys that were interned for a tree of this shape are in order.
    fn sort(&mut self) {
        let key = |setting: &Setting| setting.key;
        if self.settings.is_sorted_by(|one, next| key(one) < key(next)) {
            return;
        }
        let settings = self.settings.drain(..);
        let mut found: Vec<(Setting, File)> = settings.zip(self.origins.drain(..)).collect();
        found.sort_by_key(|(setting, _)| setting.key);
        // Of two elements of one name the later one counts, as of two lines of a file.
        found.reverse();
        found.dedup_by_key(|(setting, _)| setting.key);
        found.reverse();
        (self.settings, self.origins) = found.into_iter().unzip();
    }

    /// An element whose path is in `path`; `named` is the attribute that is no setting.
    fn element(&mut self, id: NodeId, named: Option<&str>) {
        let tree = self.tree;
        let length = self.path.len();
        let mut holds = false;
        for attribute in tree.attributes(id) {
            let name = tree.name(attribute);
            if Some(name) != named {
                holds = true;
                self.path.push_str("/@");
                self.path.push_str(name);
                self.setting(attribute);
                self.path.truncate(length);
            }
        }
        let mut places: Vec<(&str, u32)> = Vec::new();
        for child in tree.elements(id) {
            holds = true;
            let name = tree.name(child);
            self.path.push('/');
            self.path.push_str(name);
            let key = tree.naming_key(child);
            match key {
                Some((key, value)) => path::push_attribute(&mut self.path, key, value),
                None => {
                    let place = match places.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, place)) => {
                            *place += 1;
                            *place
                        }
                        None => {
                            places.push((name, 1));
                            1
                        }
                    };
                    path::push_place(&mut self.path, place);
                }
            }
            self.element(child, key.map(|(key, _)| key));
            self.path.truncate(length);
        }
        if !holds || !tree.value(id).is_empty() {
            self.setting(id);
        }
    }

    fn setting(&mut self, id: NodeId) {
        let (value, line) = (self.tree.value(id), self.tree.line(id));
        let origin = self.tree.file(id).unwrap_or(File::Step(StepId::GIVEN));
        let previous = self.settings.last().map(|setting| setting.key);
        let key = self.keys.intern_after(previous, &self.path);
        let fits = value.len() <= VALUE_BYTES_MAX;
        let span = Span {
            start: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
            length: u32::try_from(value.len()).unwrap_or(u32::MAX),
        };
        let setting = key.filter(|_| fits);
        match setting.and_then(|key| Setting::new(key, span, line)) {
            Some(setting) => {
                self.text.push_str(value);
                self.settings.push(setting);
                self.origins.push(origin);
            }
            None => self.faults.add(LineReason::OverLimit, line),
        }
    }
}
