//! Counts that shards raise and a live view reads while the run goes on.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bootstorm_emulator::event::EventKind;
use bootstorm_reports::timeline::Stage;

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
    stages: [AtomicU32; Stage::ALL.len()],
    requests: AtomicU64,
    retries: AtomicU64,
    errors: AtomicU64,
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
    /// Phones by how far they are, by `Stage::ALL`. While shards move phones, one may be counted at
    /// two stages.
    pub stages: [u32; Stage::ALL.len()],
    /// Requests that left for the first time.
    pub requests: u64,
    /// Requests that left again.
    pub retries: u64,
    /// Unusable answers, and steps given up.
    pub errors: u64,
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
            stages: std::array::from_fn(|at| self.stages[at].load(Ordering::Relaxed)),
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// So many phones more are part of the run, without power.
    pub fn planned(&self, phones: u32) {
        self.stages[Stage::Off as usize].fetch_add(phones, Ordering::Relaxed);
    }

    /// A phone goes from one stage to another.
    pub fn change(&self, from: Stage, to: Stage) {
        if from != to {
            self.stages[to as usize].fetch_add(1, Ordering::Relaxed);
            self.stages[from as usize].fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Counts what an event says of traffic.
    pub fn record(&self, event: &EventKind) {
        let counter = match event {
            EventKind::Sent { .. } => &self.requests,
            EventKind::Retried { .. } => &self.retries,
            EventKind::Wrong { .. } | EventKind::GaveUp { .. } => &self.errors,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::profile::StepId;

    use super::*;

    #[test]
    fn counts_each_phone_at_one_stage() {
        let progress = Progress::default();
        progress.planned(3);
        progress.change(Stage::Off, Stage::Booting);
        progress.change(Stage::Booting, Stage::Booting);
        progress.record(&EventKind::Sent {
            step: StepId::DISCOVER,
            bytes: 1,
        });
        let reading = progress.read();
        assert_eq!(reading.stages[..2], [2, 1]);
        assert_eq!((reading.requests, reading.retries), (1, 0));
    }
}
