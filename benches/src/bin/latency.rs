//! Latency: how long single calls of malloc and free take, at the worst.
//!
//! Blocks of 16 to 1040 bytes replace one another at random in a table, and each call is timed
//! by itself. Behind the report stands a line with the percentiles of all calls, in nanoseconds;
//! what the clock costs is in them. An operation is one replacement.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::time::Instant;

const PROGRAM: Program = Program {
    name: "latency",
    about: "Times each malloc and free of random blocks of 16 to 1040 bytes.",
    parameters: &[
        Parameter::new("ops", "replacements", 5_000_000, 1, 1 << 40),
        Parameter::new("slots", "blocks that are kept", 50_000, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// Counts of durations: each nanosecond to [`FINE`], then 1/16 steps of each doubling.
struct Histogram {
    counts: Vec<u64>,
}

const FINE: u64 = 256;
const STEPS: u64 = 16;

impl Histogram {
    fn new() -> Self {
        Self {
            counts: vec![0; (FINE + 56 * STEPS) as usize],
        }
    }

    fn place(nanoseconds: u64) -> usize {
        if nanoseconds < FINE {
            return nanoseconds as usize;
        }
        let doubling = u64::from(nanoseconds.ilog2());
        let step = (nanoseconds >> (doubling - 4)) & (STEPS - 1);
        (FINE + (doubling - 8) * STEPS + step) as usize
    }

    /// The smallest duration at a place.
    fn floor(place: usize) -> u64 {
        let place = place as u64;
        if place < FINE {
            return place;
        }
        let (doubling, step) = ((place - FINE) / STEPS + 8, (place - FINE) % STEPS);
        (STEPS + step) << (doubling - 4)
    }

    fn note(&mut self, start: Instant) {
        self.counts[Self::place(start.elapsed().as_nanos() as u64)] += 1;
    }

    /// The duration that `share` of all calls do not pass.
    fn quantile(&self, share: f64) -> u64 {
        let all: u64 = self.counts.iter().sum();
        let mut left = (all as f64 * share) as u64;
        for (place, &count) in self.counts.iter().enumerate() {
            if count > left {
                return Self::floor(place);
            }
            left -= count;
        }
        self.counts
            .iter()
            .rposition(|&count| count > 0)
            .map_or(0, Self::floor)
    }
}

fn main() {
    let mut histogram = Histogram::new();
    Report::run(&PROGRAM, |[ops, slots, seed]| {
        latency(ops, slots, seed, &mut histogram)
    });
    let [p50, p99, p9999, p999999] = [0.5, 0.99, 0.9999, 0.999_999].map(|q| histogram.quantile(q));
    println!("p50_ns={p50} p99_ns={p99} p9999_ns={p9999} p999999_ns={p999999}");
}

fn latency(ops: u64, slots: u64, seed: u64, histogram: &mut Histogram) -> Outcome {
    let mut prng = Prng::stream(seed, 0);
    let mut table: Vec<Option<Block>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: ops,
        ..Outcome::default()
    };
    for _ in 0..ops {
        let size = prng.between(16, 1040);
        let slot = &mut table[prng.below(slots) as usize];
        let start = Instant::now();
        *slot = None;
        histogram.note(start);
        let start = Instant::now();
        *slot = Some(Block::new(size as usize, size as u8));
        histogram.note(start);
        outcome.allocated(size);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order_and_read_back() {
        let mut last = 0;
        for nanoseconds in (0..5000).chain([1 << 20, 1 << 33, u64::MAX]) {
            let place = Histogram::place(nanoseconds);
            assert!(place >= last && Histogram::floor(place) <= nanoseconds);
            assert!(nanoseconds - Histogram::floor(place) <= nanoseconds / 16);
            last = place;
        }
    }

    #[test]
    fn equal_seeds_do_the_same() {
        let mut histogram = Histogram::new();
        let first = latency(1000, 50, 42, &mut histogram);
        assert_eq!(first, latency(1000, 50, 42, &mut Histogram::new()));
        assert_eq!(histogram.counts.iter().sum::<u64>(), 2000);
        assert!(histogram.quantile(0.5) <= histogram.quantile(0.99));
    }
}
