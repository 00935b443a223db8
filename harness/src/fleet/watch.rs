//! Thresholds that end a run: once a second every shard says how it is, and the first one looks
//! whether they hold for all together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bootstorm_emulator::time::Moment;
use bootstorm_scenarios::threshold::{Expected, Threshold, Told};

use super::figures::Sums;

/// From one look to the next.
const PACE: Duration = Duration::from_secs(1);

/// Shared by the shards of a run.
#[derive(Debug)]
pub struct Watch {
    /// The thresholds that may end the run, each with its place in the scenario.
    thresholds: Vec<(usize, Threshold)>,
    /// The stages whose latencies they ask for.
    stages: BTreeSet<String>,
    shards: Mutex<Vec<Sums>>,
    ended: AtomicBool,
    why: Mutex<Option<Ending>>,
}

/// Which threshold ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Its place among the scenario's.
    pub threshold: usize,
    /// When.
    pub at: Moment,
    /// With which values.
    pub told: Told,
}

/// One shard's part in the watch.
#[derive(Debug)]
pub struct Watcher {
    watch: Arc<Watch>,
    shard: usize,
    next: Moment,
}

impl Watch {
    /// For so many shards; `None` where no threshold ends the run.
    #[must_use]
    pub fn new(expected: &Expected, shards: u32) -> Option<Arc<Self>> {
        let thresholds = expected.thresholds.iter().enumerate();
        let thresholds: Vec<_> = thresholds
            .filter(|(_, threshold)| threshold.abort)
            .map(|(place, threshold)| (place, threshold.clone()))
            .collect();
        if thresholds.is_empty() {
            return None;
        }
        let stages = thresholds.iter().flat_map(|(_, it)| &it.that.stages);
        Some(Arc::new(Self {
            stages: stages.map(|(stage, _)| stage.clone()).collect(),
            thresholds,
            shards: Mutex::new(vec![Sums::default(); shards as usize]),
            ended: AtomicBool::new(false),
            why: Mutex::default(),
        }))
    }

    /// Which threshold ended the run, if one did.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.clone()
    }

    fn judge(&self, now: Moment) {
        let held = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = Sums::default();
        held.iter().for_each(|each| sums.add(each.clone()));
        drop(held);
        let figures = sums.figures();
        let began = now.since(Moment::ZERO);
        let due = self.thresholds.iter().filter(|(_, it)| began >= it.after);
        for (place, threshold) in due {
            let told = threshold.that.expression.evaluate(&figures);
            // What cannot be told yet ends nothing.
            if told.met == Some(false) {
                let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
                *why = Some(Ending {
                    threshold: *place,
                    at: now,
                    told,
                });
                return self.ended.store(true, Ordering::Release);
            }
        }
    }
}

impl Watcher {
    /// The part of shard number `shard`, from 0.
    #[must_use]
    pub fn new(watch: Arc<Watch>, shard: u32) -> Self {
        Self {
            watch,
            shard: shard as usize,
            next: Moment::ZERO + PACE,
        }
    }

    /// Whether a threshold asks for the latencies of a stage.
    #[must_use]
    pub fn times(&self, stage: &str) -> bool {
        self.watch.stages.contains(stage)
    }

    /// When it wants to look again.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.next
    }

    /// Takes how the shard is; the first shard judges all.
    pub fn look(&mut self, now: Moment, sums: Sums) {
        self.next = now + PACE;
        let mut shards = self
            .watch
            .shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = shards.get_mut(self.shard) {
            *held = sums;
        }
        drop(shards);
        if self.shard == 0 && !self.is_ended() {
            self.watch.judge(now);
        }
    }

    /// Whether a threshold ended the run.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.watch.ended.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_scenarios::scenario;

    use super::*;

    fn watch(thresholds: &str) -> Option<Arc<Watch>> {
        let text = format!(
            "name = \"x\"\n{thresholds}\n[[fleet]]\nname = \"f\"\nphones = 1\nsource = \"dhcp\"\n\
             transport = \"http\"\nlayout = \"l\"\nprofiles.\"a/b\" = 1\n"
        );
        let scenario = scenario::read("x.toml", &text).expect("a scenario");
        Watch::new(&scenario.expected, 2)
    }

    fn started(started: u32) -> Sums {
        Sums {
            started,
            ..Sums::default()
        }
    }

    #[test]
    fn looks_at_all_shards_together_after_the_time_that_was_said() {
        let watch = watch(
            "[[threshold]]\nthat = 'p99(\"boot\") < duration(\"1s\")'\nabort = true\n\
             [[threshold]]\nthat = 'started < 5'\nabort = true\nafter_s = 2",
        );
        let watch = watch.expect("a watch");
        let mut one = Watcher::new(Arc::clone(&watch), 0);
        let mut two = Watcher::new(Arc::clone(&watch), 1);
        assert_eq!(one.deadline(), Moment::from_millis(1_000));
        two.look(Moment::from_millis(1_000), started(3));
        one.look(Moment::from_millis(1_000), started(3));
        assert!(!one.is_ended());
        // Only the first shard judges.
        two.look(Moment::from_millis(2_000), started(3));
        assert!(!two.is_ended());
        one.look(Moment::from_millis(2_000), started(2));
        assert!(one.is_ended() && two.is_ended());
        let ending = watch.ending().expect("an ending");
        assert_eq!(
            (ending.threshold, ending.at),
            (1, Moment::from_millis(2_000))
        );
        assert_eq!(ending.told.actual, "started = 5");
    }

    #[test]
    fn watches_nothing_where_nothing_ends_the_run() {
        assert!(watch("thresholds = ['failed == 0']").is_none());
    }
}
