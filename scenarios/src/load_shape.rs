//! When phones are switched on. Arrivals are open-loop: they do not wait for the server.

use std::time::Duration;

/// The shape of the arrivals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoadShape {
    /// All at once.
    Storm,
    /// Evenly, so many per second.
    Rate {
        /// Phones per second, above 0.
        per_s: f64,
    },
    /// A rate that grows (or falls) evenly, then stays.
    Ramp {
        /// Phones per second at the start, 0 or more.
        from_per_s: f64,
        /// Phones per second at the end, above 0.
        to_per_s: f64,
        /// How long the change takes, above 0 s.
        over: Duration,
    },
}

impl LoadShape {
    /// When phone number `index` (from 0) is switched on, counted from the start of the run.
    #[must_use]
    pub fn start_of(&self, index: u32) -> Duration {
        let number = f64::from(index);
        match *self {
            Self::Storm => Duration::ZERO,
            Self::Rate { per_s } => seconds(number / per_s),
            Self::Ramp {
                from_per_s,
                to_per_s,
                over,
            } => seconds(ramp_start(number, from_per_s, to_per_s, over.as_secs_f64())),
        }
    }
}

/// Solves `from·t + (to − from)·t²/2·over = number` for t, and goes on at `to` after `over`.
fn ramp_start(number: f64, from: f64, to: f64, over: f64) -> f64 {
    let within = (from + to) / 2.0 * over;
    if number >= within {
        return over + (number - within) / to;
    }
    let slope = (to - from) / over;
    if slope.abs() < 1e-9 {
        return number / to;
    }
    let root = (from * from + 2.0 * slope * number).max(0.0).sqrt();
    (root - from) / slope
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storm_starts_everyone_at_once_and_rate_evenly() {
        assert_eq!(LoadShape::Storm.start_of(999), Duration::ZERO);
        let rate = LoadShape::Rate { per_s: 50.0 };
        assert_eq!(rate.start_of(0), Duration::ZERO);
        assert_eq!(rate.start_of(100), Duration::from_secs(2));
    }

    #[test]
    fn ramp_grows_to_its_rate_and_keeps_it() {
        let over = Duration::from_secs(10);
        let ramp = LoadShape::Ramp {
            from_per_s: 0.0,
            to_per_s: 20.0,
            over,
        };
        assert_eq!(ramp.start_of(0), Duration::ZERO);
        assert_eq!(ramp.start_of(100), over);
        assert_eq!(ramp.start_of(25), Duration::from_secs(5));
        assert_eq!(ramp.start_of(120), Duration::from_secs(11));
        let level = LoadShape::Ramp {
            from_per_s: 5.0,
            to_per_s: 5.0,
            over,
        };
        assert_eq!(level.start_of(10), Duration::from_secs(2));
    }

    #[test]
    fn arrivals_never_go_back_in_time() {
        let over = Duration::from_secs(3);
        let falling = LoadShape::Ramp {
            from_per_s: 100.0,
            to_per_s: 1.0,
            over,
        };
        let starts: Vec<_> = (0..400).map(|index| falling.start_of(index)).collect();
        assert!(starts.is_sorted());
    }
}
