//! Hash churn: a hash map whose keys and values are strings, inserted and removed.
//!
//! The hasher has fixed keys, so that equal seeds give equal tables. An operation is one
//! insertion or removal. Calls of malloc are not counted.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

const PROGRAM: Program = Program {
    name: "hash_churn",
    about: "Inserts strings into a hash map and removes them.",
    parameters: &[
        Parameter::new(
            "iterations",
            "insertions and removals",
            5_000_000,
            1,
            1 << 40,
        ),
        Parameter::new("keys", "that may be in the map", 50_000, 1, 1 << 30),
        Parameter::seed(),
    ],
};

/// The longest value, in bytes.
const LONGEST: u64 = 200;

type Map = HashMap<String, String, BuildHasherDefault<DefaultHasher>>;

fn main() {
    Report::run(&PROGRAM, |[iterations, keys, seed]| {
        hash_churn(iterations, keys, seed)
    });
}

fn hash_churn(iterations: u64, keys: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut map = Map::default();
    let mut checksum = 0;
    for _ in 0..iterations {
        let key = format!("key {:012}", prng.below(keys));
        match map.remove(&key) {
            Some(value) => checksum += value.len() as u64,
            None => {
                let length = prng.between(1, LONGEST) as usize;
                map.insert(key, "v".repeat(length));
            }
        }
    }
    Outcome {
        operations: iterations,
        mallocs: 0,
        checksum: checksum ^ (map.len() as u64) << 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = hash_churn(5000, 100, 42);
        assert_eq!(first, hash_churn(5000, 100, 42));
        assert_ne!(first, hash_churn(5000, 100, 43));
    }
}
