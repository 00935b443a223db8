//! Latencies: an HDR histogram in microseconds with three significant digits, created with its
//! first value, and written as its filled buckets only.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::run::micros;

/// Longest latency told apart: one hour. Longer ones count as this.
pub const LATENCY_MAX: Duration = Duration::from_secs(3_600);

/// The range that the first value makes room for, in microseconds.
const FIRST_RANGE_US: u64 = 16_384;

/// A distribution of up to 4,294,967,295 times; more are not counted. Recording allocates only
/// when a value is beyond twice the range so far; an empty one takes eight bytes, a full one at
/// most 90 KiB.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    // Boxed, because most rows of most shards stay empty.
    histogram: Option<Box<Histogram<u32>>>,
}

impl Latency {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        self.record_many(micros::of(time), 1);
    }

    /// Adds all times of `other`; the order of additions does not matter.
    pub fn add(&mut self, other: &Self) {
        if self.histogram.is_none() {
            self.histogram.clone_from(&other.histogram);
            return;
        }
        for (value, count) in other.buckets() {
            self.record_many(value, count);
        }
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |held| held.len())
    }

    /// The time that the share `quantile` (0 to 1) of all does not exceed, to three digits;
    /// `None` when nothing was counted.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let held = self.histogram.as_ref()?;
        Some(Duration::from_micros(held.value_at_quantile(quantile)))
    }

    /// The longest time, to three digits.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        self.quantile(1.0)
    }

    /// The filled buckets in order: a time in microseconds that falls into it, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.histogram.iter().flat_map(|held| {
            held.iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
        })
    }

    fn record_many(&mut self, value: u64, count: u32) {
        let held = self.histogram.get_or_insert_with(|| {
            let mut histogram = match Histogram::new_with_bounds(1, FIRST_RANGE_US, 3) {
                Ok(histogram) => histogram,
                Err(fault) => unreachable!("constant bounds are accepted: {fault}"),
            };
            histogram.auto(true);
            Box::new(histogram)
        });
        let room = u64::from(u32::MAX) - held.len().min(u64::from(u32::MAX));
        let count = u32::try_from(room).unwrap_or(u32::MAX).min(count);
        let recorded = held.record_n(value.min(micros::of(LATENCY_MAX)), count);
        debug_assert!(recorded.is_ok(), "the histogram grows to its largest value");
    }
}

impl PartialEq for Latency {
    fn eq(&self, other: &Self) -> bool {
        self.buckets().eq(other.buckets())
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.buckets())
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut latency = Self::default();
        for (value, count) in Vec::<(u64, u32)>::deserialize(input)? {
            if count > 0 {
                latency.record_many(value, count);
            }
        }
        Ok(latency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_three_digits_and_cuts_at_one_hour() {
        let mut latency = Latency::default();
        assert_eq!((latency.count(), latency.max()), (0, None));
        latency.record(Duration::from_millis(250));
        let held = latency.max().unwrap().as_secs_f64();
        assert!((held - 0.25).abs() < 0.000_25, "{held}");
        latency.record(Duration::MAX);
        let held = latency.max().unwrap().as_secs_f64();
        assert!((held - 3_600.0).abs() < 3.6, "{held}");
        assert_eq!(latency.count(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn quantiles_agree_with_a_sorted_list(
            mut times in proptest::collection::vec(0_u64..100_000_000, 1..200),
            per_mille in 1_u32..=1_000,
        ) {
            let mut latency = Latency::default();
            times.iter().for_each(|&time| latency.record(Duration::from_micros(time)));
            times.sort_unstable();
            let quantile = f64::from(per_mille) / 1_000.0;
            let place = (quantile * times.len() as f64 - 1e-9).ceil() as usize;
            let exact = times[place.max(1) - 1] as f64;
            let held = latency.quantile(quantile).unwrap().as_micros() as f64;
            prop_assert!((held - exact).abs() <= exact * 0.001 + 1.0, "{held} for {exact}");
        }

        #[test]
        fn addition_and_json_lose_nothing(
            left in proptest::collection::vec(0_u64..10_000_000_000, 0..50),
            right in proptest::collection::vec(0_u64..10_000_000_000, 0..50),
        ) {
            let of = |times: &[u64]| {
                let mut latency = Latency::default();
                times.iter().for_each(|&time| latency.record(Duration::from_micros(time)));
                latency
            };
            let both = of(&[left.clone(), right.clone()].concat());
            let mut sum = of(&left);
            sum.add(&of(&right));
            prop_assert!(sum.buckets().eq(both.buckets()));
            let text = serde_json::to_string(&both).unwrap();
            let back: Latency = serde_json::from_str(&text).unwrap();
            prop_assert!(back.buckets().eq(both.buckets()));
        }
    }
}
