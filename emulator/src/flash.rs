//! What survives a soft reboot and a reboot; only a factory reset clears it.

use std::rc::Rc;
use std::sync::Arc;

use crate::cwmp::memory::AcsMemory;
use crate::event::File;
use crate::format::sections::Tree;
use crate::limits::DIGESTS_MAX;
use crate::names::Name;
use crate::profile::Param;
use crate::settings::Settings;

/// A phone's flash memory. Starts empty, or as a scenario gives it.
#[derive(Debug, Clone, Default)]
pub struct Flash {
    /// The settings in force.
    pub settings: Settings,
    /// The settings sections that they come from, for phones that hold their settings so (AUE-48).
    pub sections: Option<Rc<Tree>>,
    /// MD5 of each file applied last, by file.
    pub digests: Vec<(File, [u8; 16])>,
    /// Firmware version installed; `None` = the profile's.
    pub firmware: Option<Arc<str>>,
    /// Fields set on the web page and not overridden by a configuration since.
    pub web: Vec<(Param, Box<str>)>,
    /// What only some vendors' phones remember besides.
    pub memory: Option<Box<Memory>>,
}

/// What a phone remembers of files and images where its vendor compares them so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The version that the web page shows for each kind of file (FAN-30, FAN-142).
    pub versions: Vec<(File, Name)>,
    /// MD5 of the firmware image installed last (FAN-126).
    pub image: Option<[u8; 16]>,
    /// What a phone with an auto-configuration server remembers of it.
    pub acs: Option<Box<AcsMemory>>,
}

impl Flash {
    /// The digest of the version of `file` applied last.
    #[must_use]
    pub fn digest(&self, file: File) -> Option<[u8; 16]> {
        self.digests
            .iter()
            .find(|(held, _)| *held == file)
            .map(|(_, digest)| *digest)
    }

    /// Remembers the digest of the version of `file` applied last.
    pub fn remember(&mut self, file: File, digest: [u8; 16]) {
        match self.digests.iter_mut().find(|(held, _)| *held == file) {
            Some((_, held)) => *held = digest,
            None => {
                if self.digests.len() >= DIGESTS_MAX {
                    self.digests.remove(0);
                }
                self.digests.push((file, digest));
            }
        }
    }

    /// What the web page shows as the version of a kind of file (FAN-142); none before the first.
    #[must_use]
    pub fn version(&self, file: File) -> Option<Name> {
        let mut held = self.memory.as_deref()?.versions.iter();
        held.find(|(held, _)| *held == file)
            .map(|(_, version)| *version)
    }

    /// Shows this as the version of a kind of file from now on. Kinds are few: the steps of a walk.
    pub fn show_version(&mut self, file: File, version: Name) {
        let versions = &mut self.memory.get_or_insert_default().versions;
        versions.retain(|(held, _)| *held != file);
        if versions.len() >= DIGESTS_MAX {
            versions.remove(0);
        }
        versions.push((file, version));
    }

    /// MD5 of the firmware image installed last; none before the first.
    #[must_use]
    pub fn image(&self) -> Option<[u8; 16]> {
        self.memory.as_deref()?.image
    }

    /// Remembers the MD5 of the firmware image that is being installed.
    pub fn remember_image(&mut self, md5: [u8; 16]) {
        self.memory.get_or_insert_default().image = Some(md5);
    }

    /// What the phone remembers of its auto-configuration server, if it had to do with one.
    #[must_use]
    pub fn acs(&self) -> Option<&AcsMemory> {
        self.memory.as_deref()?.acs.as_deref()
    }

    /// The same, to be changed.
    pub fn acs_memory(&mut self) -> &mut AcsMemory {
        self.memory
            .get_or_insert_default()
            .acs
            .get_or_insert_default()
    }

    /// The value typed on the web page.
    #[must_use]
    pub fn web(&self, param: Param) -> Option<&str> {
        self.web
            .iter()
            .find(|(held, _)| *held == param)
            .map(|(_, value)| value.as_ref())
    }

    /// Stores a value typed on the web page.
    pub fn set_web(&mut self, param: Param, value: &str) {
        self.web.retain(|(held, _)| *held != param);
        self.web.push((param, value.into()));
    }

    /// Bytes on the heap that this flash holds for itself alone: what is shared with other phones
    /// is not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let web: usize = self.web.iter().map(|(_, value)| value.len()).sum();
        let sections = self.sections.as_ref();
        let sections = sections
            .filter(|tree| Rc::strong_count(tree) == 1)
            .map_or(0, |tree| size_of::<Tree>() + tree.heap_bytes());
        let memory = self.memory.as_deref().map_or(0, |memory| {
            let acs = memory.acs.as_deref();
            let acs = acs.map_or(0, |acs| size_of::<AcsMemory>() + acs.heap_bytes());
            size_of::<Memory>() + memory.versions.capacity() * size_of::<(File, Name)>() + acs
        });
        sections
            + memory
            + self.settings.heap_bytes_owned()
            + self.digests.capacity() * size_of::<(File, [u8; 16])>()
            + self.web.capacity() * size_of::<(Param, Box<str>)>()
            + web
    }
}
