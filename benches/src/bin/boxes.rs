//! Boxes: Rust's own allocation, one box at a time or in batches.
//!
//! A batch of boxes is made and then dropped, first to last. With a batch of 1 each box
//! is dropped at once. The compiler must keep each box, for its address is observed. An
//! operation is one box.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::report::{Outcome, Report};
use std::hint::black_box;

const PROGRAM: Program = Program {
    name: "boxes",
    about: "Makes and drops boxes of 32 bytes, one at a time or in batches.",
    parameters: &[
        Parameter::new("iterations", "boxes made", 50_000_000, 1, 1 << 40),
        Parameter::new("batch", "boxes alive at a time", 1000, 1, 1 << 28),
    ],
};

fn main() {
    Report::run(&PROGRAM, |[iterations, batch]| boxes(iterations, batch));
}

fn boxes(iterations: u64, batch: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut alive: Vec<Box<[u64; 4]>> = Vec::with_capacity(batch as usize);
    while outcome.operations < iterations {
        let count = batch.min(iterations - outcome.operations);
        for index in 0..count {
            alive.push(black_box(Box::new([index; 4])));
        }
        for made in alive.drain(..) {
            outcome.checksum += made[3];
        }
        outcome.operations += count;
    }
    outcome.mallocs = outcome.operations;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_box_is_made_and_read() {
        let outcome = boxes(25, 10);
        assert_eq!((outcome.operations, outcome.mallocs), (25, 25));
        assert_eq!(outcome.checksum, 45 + 45 + 10);
    }
}
