//! Vectors: many vectors grow by pushes, side by side, and are dropped when full.
//!
//! Each doubling of a vector is a realloc. The vectors are filled in random order, so
//! that few can grow in place. An operation is one push. Calls of malloc are not
//! counted.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "vectors",
    about: "Grows vectors by pushes, side by side, and drops those that are full.",
    parameters: &[
        Parameter::new("iterations", "runs of pushes", 10_000_000, 1, 1 << 40),
        Parameter::new("vectors", "growing at a time", 1000, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// Pushes onto one vector before the next has its turn.
const RUN: u64 = 8;

/// The longest vector in runs; each new vector draws its own length.
const LONGEST: u64 = 1024;

/// A vector with the length at which it is dropped.
struct Growing {
    values: Vec<u64>,
    end: usize,
}

fn main() {
    Report::run(&PROGRAM, |[iterations, count, seed]| {
        vectors(iterations, count, seed)
    });
}

fn vectors(iterations: u64, count: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut table: Vec<Growing> = (0..count).map(|_| Growing::new(&mut prng)).collect();
    let mut outcome = Outcome {
        operations: iterations * RUN,
        ..Outcome::default()
    };
    for iteration in 0..iterations {
        let growing = &mut table[prng.below(count) as usize];
        for offset in 0..RUN {
            growing.values.push(iteration + offset);
        }
        if growing.values.len() >= growing.end {
            let middle = growing.values.len() / 2;
            outcome.checksum = outcome.checksum.rotate_left(1) ^ growing.values[middle];
            *growing = Growing::new(&mut prng);
        }
    }
    outcome
}

impl Growing {
    fn new(prng: &mut Prng) -> Self {
        Self {
            values: Vec::new(),
            end: (prng.power_law(1, LONGEST.ilog2()) * RUN) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = vectors(5000, 10, 42);
        assert_eq!(first, vectors(5000, 10, 42));
        assert_ne!(first, vectors(5000, 10, 43));
    }
}
