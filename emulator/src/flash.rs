//! What survives a soft reboot and a reboot; only a factory reset clears it.

use std::rc::Rc;
use std::sync::Arc;

use crate::event::File;
use crate::format::sections::Tree;
use crate::limits::DIGESTS_MAX;
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
        sections
            + self.settings.heap_bytes_owned()
            + self.digests.capacity() * size_of::<(File, [u8; 16])>()
            + self.web.capacity() * size_of::<(Param, Box<str>)>()
            + web
    }
}
