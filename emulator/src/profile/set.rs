//! All profiles known to a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Profile;
use super::load::Library;
use crate::located::{Faults, Node, Place, nearest};

include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// Profiles by name, checked and shared; the same for every thread of a run.
#[derive(Debug, Clone, Default)]
pub struct ProfileSet {
    profiles: BTreeMap<String, Arc<Profile>>,
    /// The files that they were read from.
    library: Arc<Library>,
}

/// What is laid over a profile to make another one of it.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// A table, laid over the profile's as a file over the one that it inherits from.
    pub over: Option<&'a Node>,
    /// Keys taken out before, as paths: `dhcp.vendor_class`.
    pub removed: &'a [String],
    /// Where that is said.
    pub place: &'a Place,
}

/// There is no profile and no vendor of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile '{name}'{}", did_you_mean(.nearest.as_deref()))]
pub struct UnknownProfile {
    /// What was asked for.
    pub name: String,
    /// The name that was probably meant.
    pub nearest: Option<String>,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean '{name}'?"),
        None => String::new(),
    }
}

impl ProfileSet {
    /// The profiles that come with the program: every file below `emulator/profiles`. A test
    /// makes sure that all of them load.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(built_in_files()).0
    }

    /// The built-in profiles and those of a directory, given as paths and texts. A path ends in
    /// `vendor/model.toml`; such a file may inherit from a built-in one or take its place.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn with_directory(
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let mut library = built_in_files();
        let mut faults = Faults::default();
        for (path, text) in files {
            if let Err(more) = library.add(&path, &text) {
                faults.extend(more);
            }
        }
        let (set, more) = Self::read(library);
        faults.extend(more);
        if faults.is_empty() {
            Ok(set)
        } else {
            Err(faults)
        }
    }

    /// The profiles that are right, and everything that is wrong with the others.
    fn read(library: Library) -> (Self, Faults) {
        let mut profiles = BTreeMap::new();
        let mut faults = Faults::default();
        for name in library.models() {
            match library.load(name) {
                Ok(profile) => {
                    profiles.insert(name.to_owned(), Arc::new(profile));
                }
                Err(more) => faults.extend(more),
            }
        }
        let library = Arc::new(library);
        (Self { profiles, library }, faults)
    }

    /// The profile called `vendor/model` with these laid over it, in their order.
    ///
    /// # Errors
    /// Everything that is wrong with what comes of it; nothing at all if there is no such profile.
    pub fn overlaid(&self, name: &str, overlays: &[Overlay<'_>]) -> Result<Profile, Faults> {
        self.library.load_under(name, overlays)
    }

    /// The profile called `vendor/model`.
    ///
    /// # Errors
    /// Unknown, with the nearest name.
    pub fn get(&self, name: &str) -> Result<Arc<Profile>, UnknownProfile> {
        self.profiles
            .get(name)
            .cloned()
            .ok_or_else(|| self.unknown(name))
    }

    /// The profile called `vendor/model`, or all those of a vendor, sorted by name.
    ///
    /// # Errors
    /// Unknown, with the nearest name.
    pub fn select(&self, name: &str) -> Result<Vec<Arc<Profile>>, UnknownProfile> {
        let of_vendor: Vec<_> = self
            .profiles
            .iter()
            .filter(|(known, _)| vendor_of(known) == name)
            .map(|(_, profile)| Arc::clone(profile))
            .collect();
        if of_vendor.is_empty() {
            self.get(name).map(|profile| vec![profile])
        } else {
            Ok(of_vendor)
        }
    }

    /// Every profile's name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Every vendor's name, sorted.
    #[must_use]
    pub fn vendors(&self) -> Vec<&str> {
        let mut vendors: Vec<&str> = self.names().map(vendor_of).collect();
        vendors.dedup();
        vendors
    }

    /// Every profile, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// The nearest name; a model without its vendor is taken for the whole name.
    fn unknown(&self, name: &str) -> UnknownProfile {
        let models = self.names().map(model_of);
        let model = nearest(name, models).and_then(|model| {
            let mut names = self.names();
            names.find(|known| model_of(known) == model)
        });
        let whole = nearest(name, self.names().chain(self.vendors()));
        UnknownProfile {
            name: name.chars().take(80).collect(),
            nearest: whole.or(model).map(str::to_owned),
        }
    }
}

fn vendor_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(vendor, _)| vendor)
}

fn model_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, model)| model)
}

fn built_in_files() -> Library {
    let mut library = Library::default();
    for (path, text) in BUILT_IN {
        // A file with an impossible name is found by the test below.
        let _ = library.add(path, text);
    }
    library
}

#[cfg(test)]
mod tests;
