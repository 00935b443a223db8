//! The bound on endless loops (PND-23, FLY-114).

use std::time::Duration;

use super::turn::Turn;
use crate::event::{EventKind, Limit};
use crate::limits::REBOOTS_PER_HOUR_MAX;
use crate::time::Moment;

const HOUR: Duration = Duration::from_secs(3600);

/// Reboots and soft reboots within the present hour; the bound on endless loops (PND-23, FLY-114).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reboots {
    since: Moment,
    count: u32,
}

impl Reboots {
    /// Counts one; false when the hour's bound is reached.
    pub(super) fn allow(&mut self, turn: &mut Turn<'_>) -> bool {
        // An hour of phone time; a run without policy times has only the clock's own.
        let hour = match turn.shelf.policy(HOUR) {
            Duration::ZERO => HOUR,
            hour => hour,
        };
        if turn.now.since(self.since) >= hour || self.count == 0 {
            *self = Self {
                since: turn.now,
                count: 0,
            };
        }
        if self.count >= REBOOTS_PER_HOUR_MAX {
            let limit = Limit::Reboots;
            turn.event(EventKind::LimitReached {
                limit,
                value: u64::from(REBOOTS_PER_HOUR_MAX),
            });
            return false;
        }
        self.count += 1;
        true
    }
}
