//! Seeded randomness: run seed + phone index → phone seed → every random choice.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, so that a phone
//! stays small, and an output sequence that no dependency update can change, so that a run can be
//! repeated from its seed years later.

/// A seeded generator; equal seeds give equal sequences on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// A generator from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of phone `index` in the run with seed `run_seed`; independent of other phones.
    #[must_use]
    pub fn for_phone(run_seed: u64, index: u32) -> Self {
        let mut mixer = Self(run_seed ^ 0x6a09_e667_f3bc_c909);
        let salt = mixer.next_u64();
        let mut phone = Self(salt ^ (u64::from(index) << 17));
        Self(phone.next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number drawn uniformly from `0..=limit` (multiply-shift, bias below 2⁻³²).
    pub fn up_to(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * (u128::from(limit) + 1);
        (wide >> 64) as u64
    }

    /// True with probability `per_mille` in 1,000.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.up_to(999) < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_from_its_seed_and_differs_between_phones() {
        let draw = |seed, index| {
            let mut rng = Rng::for_phone(seed, index);
            [rng.next_u64(), rng.next_u64()]
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
        assert_ne!(draw(7, 3), draw(8, 3));
    }

    #[test]
    fn draws_the_whole_range_and_no_more() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 41];
        for _ in 0..10_000 {
            seen[usize::try_from(rng.up_to(40)).unwrap()] = true;
        }
        assert!(seen.iter().all(|hit| *hit));
    }
}
