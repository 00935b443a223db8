//! The timers that start a run of their own accord: period, timetable, error retry, upgrade retry,
//! and a due run that waits for the end of a call.

use super::timetable::Timetable;
use crate::event::Trigger;
use crate::time::Moment;

/// Pending triggers of an idle phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    /// The next periodic run (FLY-97).
    pub(super) period: Option<Moment>,
    /// The next run of the timetable, with the timetable it was set for (AUE-21). It stays set
    /// while other runs come and go.
    pub(super) timetable: Option<(Moment, Timetable)>,
    /// The run after a failed one (FLY-105), or after a failed upgrade (FLY-93).
    pub(super) retry: Option<(Moment, Trigger)>,
    /// A due run that waits for an idle phone, with the moment at which it waits no longer
    /// (FLY-106).
    pub(super) postponed: Option<(Moment, Trigger)>,
    /// The next SUBSCRIBE (FAN-94).
    pub(super) subscription: Option<Moment>,
    /// The next look at the static server (FAN-108).
    pub(super) interval: Option<Moment>,
    /// A trigger that came during a run (FLY-109): one is remembered.
    pub(super) remembered: Option<Trigger>,
}

impl Schedule {
    /// When the first of them is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let retry = self.retry.map(|(at, _)| at);
        let postponed = self.postponed.map(|(at, _)| at);
        let timetable = self.timetable.map(|(at, _)| at);
        let single = [self.subscription, self.interval];
        let all = [self.period, timetable, retry, postponed];
        let all = all.into_iter().chain(single);
        all.flatten().min()
    }

    /// Takes the trigger that is due at `now`, if any: a postponed run first, then a retry, the
    /// timetable, the period. What is due together with it is dropped: one run serves all. The
    /// periods of single sources come last, one after the other.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Due> {
        let postponed = self.postponed.filter(|(at, _)| *at <= now);
        let retry = self.retry.filter(|(at, _)| *at <= now);
        let timetable = self.timetable.filter(|(at, _)| *at <= now);
        let period = self.period.filter(|at| *at <= now);
        let timer = |trigger| Due {
            trigger,
            forced: false,
        };
        let due = match (postponed, retry) {
            (Some((_, trigger)), _) => Due {
                trigger,
                forced: true,
            },
            (None, Some((_, trigger))) => timer(trigger),
            (None, None) if timetable.is_some() => timer(Trigger::Timetable),
            (None, None) if period.is_some() => timer(Trigger::Period),
            (None, None) => return self.take_single(now),
        };
        self.subscription = self.subscription.filter(|at| *at > now);
        self.interval = self.interval.filter(|at| *at > now);
        if postponed.is_some() {
            self.postponed = None;
        }
        if retry.is_some() {
            self.retry = None;
        }
        if timetable.is_some() {
            self.timetable = None;
        }
        if period.is_some() {
            self.period = None;
        }
        Some(due)
    }

    /// Takes what is due for one source.
    fn take_single(&mut self, now: Moment) -> Option<Due> {
        let trigger = if self.interval.is_some_and(|at| at <= now) {
            self.interval = None;
            Trigger::StaticInterval
        } else if self.subscription.is_some_and(|at| at <= now) {
            self.subscription = None;
            Trigger::Subscription
        } else {
            return None;
        };
        let forced = false;
        Some(Due { trigger, forced })
    }
}

/// A trigger whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Which.
    pub(super) trigger: Trigger,
    /// It waited long enough: a call does not hold it up any more.
    pub(super) forced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_due_trigger_once_and_the_weightiest_first() {
        let at = Moment::from_millis;
        let mut schedule = Schedule {
            period: Some(at(10)),
            retry: Some((at(10), Trigger::ErrorRetry)),
            postponed: Some((at(30), Trigger::CheckSync)),
            ..Schedule::default()
        };
        assert_eq!(schedule.deadline(), Some(at(10)));
        assert_eq!(schedule.take_due(at(9)), None);
        let due = schedule.take_due(at(10)).unwrap();
        assert_eq!(
            due,
            Due {
                trigger: Trigger::ErrorRetry,
                forced: false
            }
        );
        assert_eq!(schedule.take_due(at(20)), None);
        assert_eq!(schedule.deadline(), Some(at(30)));
        assert!(schedule.take_due(at(30)).unwrap().forced);
        assert_eq!(schedule.deadline(), None);
    }
}
