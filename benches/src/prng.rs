//! [`Prng`]: the random numbers of the workloads.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): one addition carries the state, so that
//! successive numbers do not wait for each other and little of a measured loop is
//! spent here.

/// A seeded generator; equal seeds give equal sequences on every machine.
#[derive(Clone, Debug)]
pub struct Prng {
    state: u64,
}

impl Prng {
    /// A generator for `seed`; every value is a good seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent generator for part `index` of a workload (a thread, a round).
    pub fn stream(seed: u64, index: u64) -> Self {
        let mut mixed = Self::new(seed ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self::new(mixed.next_u64())
    }

    /// The next 64 random bits.
    #[inline(always)]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, by multiplication instead of division; `bound` is at
    /// most 2^32 and not 0. The bias is below `bound / 2^32`.
    #[inline(always)]
    pub fn below(&mut self, bound: u64) -> u64 {
        debug_assert!(bound > 0 && bound <= 1 << 32);
        ((self.next_u64() >> 32) * bound) >> 32
    }

    /// A number in `low..=high`.
    #[inline(always)]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high);
        low + self.below(high - low + 1)
    }

    /// A number from `smallest` to `smallest << doublings`, exclusive, of which each
    /// doubling is half as likely as the one before (the last takes the rest).
    #[inline(always)]
    pub fn power_law(&mut self, smallest: u64, doublings: u32) -> u64 {
        debug_assert!(doublings > 0);
        let bits = self.next_u64();
        let base = smallest << bits.trailing_zeros().min(doublings - 1);
        base + (bits >> 32) % base
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        // First outputs for seed 1234567, as given with the reference code.
        let mut prng = Prng::new(1_234_567);
        assert_eq!(prng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(prng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn bounds_are_reached_and_kept() {
        let mut prng = Prng::new(42);
        let mut seen = [false; 9];
        for _ in 0..1000 {
            seen[prng.between(1, 8) as usize] = true;
        }
        assert!(!seen[0]);
        assert!(seen[1..].iter().all(|&s| s));
    }

    #[test]
    fn half_of_a_power_law_is_below_each_doubling() {
        let mut prng = Prng::new(1);
        let sizes: Vec<u64> = (0..100_000).map(|_| prng.power_law(16, 12)).collect();
        let below = |limit: u64| sizes.iter().filter(|&&size| size < limit).count();
        assert!((49_000..51_000).contains(&below(32)));
        assert!((74_000..76_000).contains(&below(64)));
        assert!(sizes.iter().all(|&size| (16..65_536).contains(&size)));
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..100).collect();
        Prng::new(7).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let first = Prng::stream(42, 0).next_u64();
        assert_ne!(first, Prng::stream(42, 1).next_u64());
        assert_eq!(first, Prng::stream(42, 0).next_u64());
    }
}
