//! A histogram of durations: buckets of an eighth of a power of two, counted by many threads.
//!
//! ```text
//! ticks    0 .. 7   8 9 .. 15   16 18 .. 30   32 36 ..
//! bucket   0 .. 7   8 9 .. 15   16 17 .. 23   24 25 ..
//! ```

use core::sync::atomic::{AtomicU64, Ordering};

/// Buckets of each power of two.
const PARTS: usize = 8;
const PARTS_SHIFT: u32 = PARTS.trailing_zeros();
/// Durations of this many bits, and longer ones, share the last bucket: minutes.
const BITS: u32 = 40;
pub(super) const BUCKETS: usize = (BITS - PARTS_SHIFT + 1) as usize * PARTS;

/// See the head of this file. Every count is added to and read Relaxed: a reader sees sums
/// that other threads are adding to.
pub(super) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    ticks: AtomicU64,
}

impl Histogram {
    pub(super) const fn new() -> Histogram {
        Histogram {
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            ticks: AtomicU64::new(0),
        }
    }

    /// Counts a duration.
    #[inline]
    pub(super) fn add(&self, ticks: u64) {
        self.counts[bucket(ticks)].fetch_add(1, Ordering::Relaxed);
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    /// Adds its counts to `counts`, and returns the sum of the durations.
    pub(super) fn add_to(&self, counts: &mut [u64; BUCKETS]) -> u64 {
        for (sum, count) in counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
        self.ticks.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
        self.ticks.store(0, Ordering::Relaxed);
    }
}

/// The bucket of a duration.
fn bucket(ticks: u64) -> usize {
    if ticks < PARTS as u64 {
        return ticks as usize;
    }
    let top = u64::BITS - 1 - ticks.leading_zeros();
    let part = (ticks >> (top - PARTS_SHIFT)) as usize % PARTS;
    ((top - PARTS_SHIFT + 1) as usize * PARTS + part).min(BUCKETS - 1)
}

/// The shortest duration of a bucket, and the middle of it.
pub(super) fn range(bucket: usize) -> (u64, u64) {
    if bucket < PARTS {
        return (bucket as u64, bucket as u64);
    }
    let shift = (bucket / PARTS - 1) as u32;
    let low = ((PARTS + bucket % PARTS) as u64) << shift;
    (low, low + (1 << shift) / 2)
}

/// The bucket below which `share` of 1000 durations are, it included.
pub(super) fn percentile(counts: &[u64; BUCKETS], share: u64) -> usize {
    let all: u64 = counts.iter().sum();
    let rank = (u128::from(all) * u128::from(share)).div_ceil(1000) as u64;
    let mut below = 0;
    for (bucket, count) in counts.iter().enumerate() {
        below += count;
        if below >= rank.max(1) {
            return bucket;
        }
    }
    BUCKETS - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        for bucket in 0..BUCKETS - 1 {
            let ((low, middle), (next, _)) = (range(bucket), range(bucket + 1));
            assert!(low <= middle && middle < next, "{bucket}");
            assert_eq!(super::bucket(low), bucket);
            assert_eq!(super::bucket(next - 1), bucket);
        }
        assert_eq!(super::bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(range(BUCKETS - 1).0, (1 << BITS) - (1 << (BITS - 4)));
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_durations() {
        let histogram = Histogram::new();
        (1..=1000).for_each(|ticks| histogram.add(ticks));
        let mut counts = [0; BUCKETS];
        assert_eq!(histogram.add_to(&mut counts), 500_500);
        for (share, exact) in [(500, 500), (900, 900), (990, 990), (999, 999), (1, 1)] {
            let (low, _) = range(percentile(&counts, share));
            let (next, _) = range(percentile(&counts, share) + 1);
            assert!((low..next).contains(&exact), "{share}: {low}");
        }
        histogram.forget();
        counts = [0; BUCKETS];
        assert_eq!(histogram.add_to(&mut counts), 0);
        assert_eq!(counts.iter().sum::<u64>(), 0);
    }
}
