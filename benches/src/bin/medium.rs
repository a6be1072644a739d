//! Medium: threads that replace blocks of 8 to 16 000 bytes in tables of their own.
//!
//! No block crosses from one thread to another. An operation is one replacement.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::thread;

const PROGRAM: Program = Program {
    name: "medium",
    about: "Threads replace random blocks of 8 to 16000 bytes in tables of their own.",
    parameters: &[
        Parameter::new("threads", "at a time", 4, 1, 4096),
        Parameter::new("ops", "replacements by each thread", 2_000_000, 1, 1 << 40),
        Parameter::new("slots", "blocks that a thread keeps", 1000, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (8, 16_000);

fn main() {
    Report::run(&PROGRAM, |[threads, ops, slots, seed]| {
        medium(threads, ops, slots, seed)
    });
}

fn medium(threads: u64, ops: u64, slots: u64, seed: u64) -> Outcome {
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| scope.spawn(move || work(ops, slots, Prng::stream(seed, index))))
            .collect();
        for thread in running {
            total.join(thread.join().expect("workers do not panic"));
        }
    });
    total
}

fn work(ops: u64, slots: u64, mut prng: Prng) -> Outcome {
    let mut table: Vec<Option<Block>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: ops,
        ..Outcome::default()
    };
    for _ in 0..ops {
        let size = prng.between(SIZES.0, SIZES.1);
        let slot = &mut table[prng.below(slots) as usize];
        *slot = None;
        *slot = Some(Block::new(size as usize, size as u8));
        outcome.allocated(size);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same_whatever_the_schedule() {
        let first = medium(3, 1000, 20, 42);
        assert_eq!(first, medium(3, 1000, 20, 42));
        assert_ne!(first.checksum, medium(3, 1000, 20, 43).checksum);
        assert_eq!((first.operations, first.mallocs), (3000, 3000));
    }
}
