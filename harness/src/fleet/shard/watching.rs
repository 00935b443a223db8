//! How a shard is, for thresholds that end a run.

use bootstorm_emulator::time::Moment;

use super::Shard;
use crate::fleet::figures::Sums;
use crate::fleet::watch::Watcher;

impl Shard {
    /// Takes part in the watch of the run.
    pub fn watch(&mut self, watcher: Option<Watcher>) {
        self.watcher = watcher;
    }

    /// Whether a threshold ended the run.
    pub(super) fn is_ended(&self) -> bool {
        self.watcher.as_ref().is_some_and(Watcher::is_ended)
    }

    /// Says how the shard is, when that is due.
    pub(super) fn look(&mut self, now: Moment) {
        let due = |watcher: &mut Watcher| watcher.deadline() <= now;
        if let Some(mut watcher) = self.watcher.take_if(due) {
            watcher.look(now, self.sums(now, &watcher));
            self.watcher = Some(watcher);
        }
    }

    fn sums(&self, now: Moment, watcher: &Watcher) -> Sums {
        let registered = self.phones.iter().filter(|it| it.registered() > 0).count();
        Sums {
            registered: u32::try_from(registered).unwrap_or(u32::MAX),
            lag: self.lag.max,
            elapsed: now.since(Moment::ZERO),
            ..self.ledger.sums(|stage| watcher.times(stage))
        }
    }
}
