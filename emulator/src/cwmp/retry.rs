//! When a session that failed is tried again (TR-069 §3.2.1.1).

use std::time::Duration;

use crate::rng::Rng;

/// The least wait after the first failure, in seconds.
const FIRST_S: u64 = 5;
/// From this failure on the wait does not grow any more.
const LAST: u32 = 10;

/// The wait after `failures` sessions in a row that failed, 1 or more: drawn between 5 and 10 s
/// after the first, twice that after each further one, up to 2,560 to 5,120 s. A protocol time.
pub fn wait(failures: u32, rng: &mut Rng) -> Duration {
    let steps = failures.clamp(1, LAST) - 1;
    let least = Duration::from_secs(FIRST_S << steps);
    let spread = u64::try_from(least.as_nanos()).unwrap_or(u64::MAX);
    least + Duration::from_nanos(rng.up_to(spread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_from_the_intervals_of_the_table() {
        let mut rng = Rng::new(1);
        for (failures, least, most) in [
            (0, 5, 10),
            (1, 5, 10),
            (2, 10, 20),
            (3, 20, 40),
            (9, 1_280, 2_560),
            (10, 2_560, 5_120),
            (11, 2_560, 5_120),
            (u32::MAX, 2_560, 5_120),
        ] {
            let drawn: Vec<Duration> = (0..200).map(|_| wait(failures, &mut rng)).collect();
            let (shortest, longest) = (drawn.iter().min(), drawn.iter().max());
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
            assert!(
                *shortest.unwrap() >= least && *longest.unwrap() <= most,
                "{failures}"
            );
            assert!(
                *longest.unwrap() - *shortest.unwrap() > least / 2,
                "no jitter: {failures}"
            );
        }
    }
}
