//! The timetable of provisioning runs: days of the week, a time, a random delay (AUE-21;
//! vendor-facts §4, `execution`).

use super::params;
use super::turn::Turn;
use crate::flash::Flash;
use crate::profile::Param;

const DAY_S: u64 = 86_400;
/// 1970-01-01 was a Thursday, the fourth day of a week that begins on Monday.
const EPOCH_WEEKDAY: u64 = 3;
/// From the east of the date line to its west, in minutes.
const ZONE_MINUTES_MAX: i64 = 14 * 60;
const DAYS: [Param; 7] = [
    Param::TimetableMonday,
    Param::TimetableTuesday,
    Param::TimetableWednesday,
    Param::TimetableThursday,
    Param::TimetableFriday,
    Param::TimetableSaturday,
    Param::TimetableSunday,
];

/// When runs are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timetable {
    /// Bit 0 is Monday; not empty.
    days: u8,
    /// Seconds from local midnight.
    time_s: u64,
    /// Least and greatest delay after it, in seconds.
    delay_s: (u64, u64),
    /// Local time minus UTC, in seconds.
    zone_s: i64,
}

impl Timetable {
    /// The phone's timetable; none without a day or a readable time.
    pub(super) fn of(turn: &Turn<'_>, flash: &Flash) -> Option<Self> {
        let mut days = 0;
        for (bit, day) in DAYS.iter().enumerate() {
            if params::is_on(turn, flash, *day) {
                days |= 1 << bit;
            }
        }
        let time_s = time_of_day(&params::text(turn, flash, Param::TimetableTime))?;
        let number = |param| params::number(turn, flash, param);
        let delay_s = if params::is_on(turn, flash, Param::TimetableRandom) {
            let least = number(Param::TimetableRandomMinS);
            (least, number(Param::TimetableRandomMaxS).max(least))
        } else {
            (0, 0)
        };
        let zone = params::text(turn, flash, Param::TimeZoneMinutes);
        let zone = zone.trim().parse().unwrap_or(0_i64);
        (days != 0).then_some(Self {
            days,
            time_s,
            delay_s,
            zone_s: zone.clamp(-ZONE_MINUTES_MAX, ZONE_MINUTES_MAX) * 60,
        })
    }

    /// Seconds from `unix_s` to the next run, its random delay included; never 0.
    pub(super) fn wait(self, turn: &mut Turn<'_>, unix_s: u64) -> u64 {
        let (least, most) = self.delay_s;
        let delay = least.saturating_add(turn.rng.up_to(most - least));
        self.until_next(unix_s).saturating_add(delay)
    }

    /// Seconds from `unix_s` to the next of its moments, more than 0 and at most a week.
    fn until_next(self, unix_s: u64) -> u64 {
        let local = unix_s.saturating_add_signed(self.zone_s);
        let (today, now_s) = (local / DAY_S, local % DAY_S);
        let waits = (0..=7).filter_map(|later| {
            let weekday = (today + later + EPOCH_WEEKDAY) % 7;
            let wait = (later * DAY_S + self.time_s).checked_sub(now_s)?;
            (self.days >> weekday & 1 == 1 && wait > 0).then_some(wait)
        });
        waits.min().unwrap_or(7 * DAY_S)
    }
}

/// `HH:MM` in seconds from midnight.
fn time_of_day(text: &str) -> Option<u64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let part = |text: &str, below: u64| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.filter(|number: &u64| *number < below)
    };
    Some(part(hours, 24)? * 3_600 + part(minutes, 60)? * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::pnp::fixture::Rig;

    /// 2026-01-05 was a Monday.
    const MONDAY_S: u64 = 1_767_571_200;

    fn table(days: u8, time: &str) -> Timetable {
        Timetable {
            days,
            time_s: time_of_day(time).unwrap(),
            delay_s: (0, 0),
            zone_s: 0,
        }
    }

    // AUE-21.
    #[test]
    fn finds_the_next_of_its_days() {
        let monday = table(0b000_0001, "03:30");
        let half_past_three = 3 * 3_600 + 1_800;
        assert_eq!(monday.until_next(MONDAY_S), half_past_three);
        assert_eq!(monday.until_next(MONDAY_S + half_past_three - 1), 1);
        assert_eq!(monday.until_next(MONDAY_S + half_past_three), 7 * DAY_S);
        assert_eq!(
            monday.until_next(MONDAY_S + DAY_S),
            6 * DAY_S + half_past_three
        );
        let sunday = table(0b100_0000, "00:00");
        assert_eq!(sunday.until_next(MONDAY_S), 6 * DAY_S);
        let daily = table(0b111_1111, "00:00");
        assert_eq!(daily.until_next(MONDAY_S), DAY_S);
        assert_eq!(daily.until_next(MONDAY_S + 1), DAY_S - 1);
    }

    #[test]
    fn counts_days_in_local_time() {
        let berlin = Timetable {
            zone_s: 3_600,
            ..table(0b000_0001, "00:30")
        };
        assert_eq!(berlin.until_next(MONDAY_S - 3_600), 1_800);
        let west = Timetable {
            zone_s: -3_600,
            ..table(0b000_0001, "00:30")
        };
        assert_eq!(west.until_next(MONDAY_S), 3_600 + 1_800);
    }

    #[test]
    fn draws_its_delay_between_both_bounds() {
        let table = Timetable {
            delay_s: (60, 3_600),
            ..table(0b000_0001, "01:00")
        };
        let mut rig = Rig::new();
        let mut waits: Vec<u64> = (0..200)
            .map(|_| rig.step(|turn| table.wait(turn, MONDAY_S)))
            .collect();
        waits.sort_unstable();
        assert!(waits[0] >= 3_660 && waits[199] <= 7_200, "{waits:?}");
        assert!(waits[0] < 3_900 && waits[199] > 6_900, "{waits:?}");
        let endless = Timetable {
            delay_s: (u64::MAX, u64::MAX),
            ..table
        };
        assert_eq!(rig.step(|turn| endless.wait(turn, u64::MAX)), u64::MAX);
    }

    #[test]
    fn reads_hours_and_minutes() {
        assert_eq!(time_of_day("23:59"), Some(86_340));
        assert_eq!(time_of_day(" 0:05 "), Some(300));
        for wrong in [
            "24:00", "1:60", "", "12", "-1:00", "+1:00", "001:00", "a:b", "12:",
        ] {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
    }
}
