//! How far a quantile can be believed.

use std::time::Duration;

use crate::latency::Latency;

/// Times that differ by less are equal: a histogram keeps three digits, a timer not even those.
pub const LEAST: Duration = Duration::from_millis(1);
/// Times that must be expected on either side of a quantile: 10 in all for half, 100 for 95 %.
const BESIDE_MIN: f64 = 5.0;
/// Of the normal distribution, two-sided 99 %.
const Z: f64 = 2.576;

/// A quantile and the interval that holds the true one with 99 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The quantile of the times counted.
    pub at: Duration,
    /// Where the true one lies at least.
    pub low: Duration,
    /// Where it lies at most.
    pub high: Duration,
    /// How many times were counted.
    pub count: u64,
}

impl Interval {
    /// The interval between two order statistics: how many of `n` times lie below the true
    /// quantile `q` is binomial, with mean `n·q` and variance `n·q·(1 − q)`. `None` when fewer
    /// than `BESIDE_MIN` times are to be expected on either side, since no interval holds then.
    #[must_use]
    pub fn of(latency: &Latency, quantile: f64) -> Option<Self> {
        let count = latency.count();
        let n = count as f64;
        let middle = n * quantile;
        if middle < BESIDE_MIN || n - middle < BESIDE_MIN - 1e-9 {
            return None;
        }
        let reach = Z * (n * quantile * (1.0 - quantile)).sqrt();
        let at = |rank: f64| latency.quantile((rank / n).clamp(0.0, 1.0));
        Some(Self {
            at: latency.quantile(quantile)?,
            low: at((middle - reach).floor().max(0.0))?,
            high: at((middle + reach).ceil() + 1.0)?,
            count,
        })
    }

    /// Whether this one lies above the other beyond the noise: the intervals do not touch, and the
    /// quantiles differ by more than the share and by more than `LEAST`.
    #[must_use]
    pub fn is_beyond(&self, other: &Self, share: f64) -> bool {
        let longer = self.at.saturating_sub(other.at);
        self.low > other.high
            && longer > LEAST
            && longer.as_secs_f64() > other.at.as_secs_f64() * share
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::rng::Rng;

    use super::*;

    fn drawn(seed: u64, count: usize, least: u64, spread: u64) -> Latency {
        let mut rng = Rng::new(seed);
        let mut latency = Latency::default();
        for _ in 0..count {
            latency.record(Duration::from_micros(least + rng.up_to(spread)));
        }
        latency
    }

    #[test]
    fn holds_the_true_quantile_in_nearly_all_runs() {
        let inside = (0..400).filter(|seed| {
            let interval = Interval::of(&drawn(*seed, 500, 0, 1_000_000), 0.95).unwrap();
            let truth = Duration::from_millis(950);
            interval.low <= truth && truth <= interval.high
        });
        let inside = inside.count();
        assert!((390..=400).contains(&inside), "{inside} of 400");
    }

    #[test]
    fn few_times_say_nothing() {
        assert_eq!(Interval::of(&drawn(1, 99, 10_000, 90_000), 0.95), None);
        assert!(Interval::of(&drawn(1, 100, 10_000, 90_000), 0.95).is_some());
        assert_eq!(Interval::of(&drawn(1, 9, 10_000, 90_000), 0.5), None);
        assert!(Interval::of(&drawn(1, 10, 10_000, 90_000), 0.5).is_some());
        assert_eq!(Interval::of(&Latency::default(), 0.5), None);
    }

    #[test]
    fn what_is_drawn_alike_is_never_slower_and_twice_as_long_always() {
        for seed in 0..200 {
            let [one, two] = [0, 1].map(|run| drawn(2 * seed + run, 1_000, 20_000, 50_000));
            let slow = drawn(seed, 1_000, 40_000, 100_000);
            for quantile in [0.5, 0.95] {
                let of = |latency| Interval::of(latency, quantile).unwrap();
                assert!(!of(&two).is_beyond(&of(&one), 0.05), "seed {seed}");
                assert!(of(&slow).is_beyond(&of(&one), 0.5), "seed {seed}");
            }
        }
    }
}
