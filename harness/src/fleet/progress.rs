//! Counts that shards raise and a live view reads while the run goes on.

use std::sync::atomic::{AtomicU32, Ordering};

/// Shared by all shards of a run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Phones switched on so far.
    pub started: AtomicU32,
    /// Phones that settled (now or earlier).
    pub settled: AtomicU32,
    /// Phones found provisioned.
    pub provisioned: AtomicU32,
    /// Files that arrived.
    pub files: AtomicU32,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Phones switched on so far.
    pub started: u32,
    /// Phones that settled.
    pub settled: u32,
    /// Phones found provisioned.
    pub provisioned: u32,
    /// Files that arrived.
    pub files: u32,
}

impl Progress {
    /// The counts now.
    #[must_use]
    pub fn read(&self) -> Reading {
        Reading {
            started: self.started.load(Ordering::Relaxed),
            settled: self.settled.load(Ordering::Relaxed),
            provisioned: self.provisioned.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
        }
    }
}
