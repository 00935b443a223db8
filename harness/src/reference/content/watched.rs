//! A source that notes what it is asked for, of files here or of somebody else's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Absent, File, Source};

/// Names noted at most between two times that they are taken.
const NOTED_MAX: usize = 4_096;

/// Gives the file of a request target, which begins with no slash.
pub type Fetch = dyn Fn(&[u8]) -> Result<File, Absent> + Send + Sync;

/// Files whose every request is noted.
pub struct Watched {
    under: Under,
    noted: Mutex<Vec<Asked>>,
}

enum Under {
    Source(Source),
    Fetch(Box<Fetch>),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path from the root, without a leading slash.
    pub path: String,
    /// What was there.
    pub found: Result<File, Absent>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Watched {
    /// Files of `source`.
    #[must_use]
    pub fn source(source: Source) -> Arc<Self> {
        Self::new(Under::Source(source))
    }

    /// Files that `fetch` brings.
    #[must_use]
    pub fn fetched(fetch: Box<Fetch>) -> Arc<Self> {
        Self::new(Under::Fetch(fetch))
    }

    fn new(under: Under) -> Arc<Self> {
        Arc::new(Self {
            under,
            noted: Mutex::default(),
        })
    }

    /// What was asked for since this was called last, each name once, in order; at most 4,096.
    #[must_use]
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file at a path, without noting it.
    ///
    /// # Errors
    /// Why there is nothing.
    pub fn look(&self, path: &[u8]) -> Result<File, Absent> {
        match &self.under {
            Under::Source(source) => source.find(path),
            Under::Fetch(fetch) => fetch(path),
        }
    }

    /// The file at a path within the root.
    pub(super) fn find(&self, path: &[u8]) -> Result<File, Absent> {
        let found = self.look(path);
        self.note(path, &found);
        found
    }

    /// The file whose name is exactly this, query included.
    pub(super) fn named(&self, whole: &[u8]) -> Option<File> {
        let found = match &self.under {
            Under::Source(source) => source.named(whole).ok_or(Absent::Missing),
            Under::Fetch(fetch) => fetch(whole),
        };
        if found.is_ok() {
            self.note(whole, &found);
        }
        found.ok()
    }

    /// What is directly below a path; nothing of files that are fetched.
    pub(super) fn list(&self, path: &[u8], most: usize) -> Vec<(String, Option<u64>)> {
        match &self.under {
            Under::Source(source) => source.list(path, most),
            Under::Fetch(_) => Vec::new(),
        }
    }

    fn note(&self, path: &[u8], found: &Result<File, Absent>) {
        let path = String::from_utf8_lossy(path).into_owned();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < NOTED_MAX && noted.iter().all(|asked| asked.path != path) {
            let found = found.clone();
            noted.push(Asked { path, found });
        }
    }
}
