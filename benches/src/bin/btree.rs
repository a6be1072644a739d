//! B-tree: an ordered map of byte vectors, with insertions, removals and ranges.
//!
//! Nodes of one size are split and merged all the time while the values vary. An
//! operation is one of these three. Calls of malloc are not counted.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::collections::BTreeMap;

const PROGRAM: Program = Program {
    name: "btree",
    about: "Inserts into an ordered map, removes from it, and sums short ranges of it.",
    parameters: &[
        Parameter::new("iterations", "operations", 3_000_000, 1, 1 << 40),
        Parameter::new("keys", "that may be in the map", 100_000, 1, 1 << 32),
        Parameter::seed(),
    ],
};

/// The longest value, in bytes.
const LONGEST: u64 = 128;

/// Entries of a range that are summed.
const RANGE: usize = 8;

fn main() {
    Report::run(&PROGRAM, |[iterations, keys, seed]| {
        btree(iterations, keys, seed)
    });
}

fn btree(iterations: u64, keys: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut map: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut outcome = Outcome {
        operations: iterations,
        ..Outcome::default()
    };
    for _ in 0..iterations {
        let key = prng.below(keys);
        match prng.below(5) {
            0 | 1 => {
                let length = prng.between(1, LONGEST) as usize;
                map.insert(key, vec![key as u8; length]);
            }
            2 | 3 => {
                let removed = map.remove(&key);
                outcome.checksum += removed.map_or(0, |value| value.len() as u64);
            }
            _ => {
                let range = map.range(key..).take(RANGE);
                outcome.checksum += range.map(|(_, value)| u64::from(value[0])).sum::<u64>();
            }
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = btree(5000, 100, 42);
        assert_eq!(first, btree(5000, 100, 42));
        assert_ne!(first, btree(5000, 100, 43));
    }
}
