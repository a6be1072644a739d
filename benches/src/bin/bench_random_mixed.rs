//! Random mixed: one thread, a table of slots, blocks of 16 to 1040 bytes.
//!
//! Each iteration picks a slot at random. A full slot is freed; an empty one gets a
//! block of a random size, whose first and last bytes are written. After the start
//! half of the slots are full, so half of the iterations call malloc and half free.
//! An operation is an iteration.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "bench_random_mixed",
    about: "Allocates and frees blocks of 16 to 1040 bytes in random slots of a table.",
    parameters: &[
        Parameter::new(
            "iterations",
            "how many slots are picked",
            10_000_000,
            1,
            1 << 40,
        ),
        Parameter::new("ws", "the working set: slots in the table", 256, 1, 1 << 30),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (16, 1040);

fn main() {
    Report::run(&PROGRAM, |[iterations, slots, seed]| {
        random_mixed(iterations, slots, seed)
    });
}

fn random_mixed(iterations: u64, slots: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut table: Vec<Option<Block>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: iterations,
        ..Outcome::default()
    };
    for _ in 0..iterations {
        let index = prng.below(slots) as usize;
        let slot = &mut table[index];
        if slot.is_some() {
            *slot = None;
        } else {
            let size = prng.between(SIZES.0, SIZES.1);
            *slot = Some(Block::new(size as usize, index as u8));
            outcome.allocated(size);
        }
    }
    for (index, block) in table.iter().enumerate() {
        if let Some(block) = block {
            assert_eq!(block.mark(), index as u8, "a block was overwritten");
            outcome.checksum = outcome.checksum.rotate_left(1) ^ index as u64;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = random_mixed(10_000, 256, 42);
        assert_eq!(first, random_mixed(10_000, 256, 42));
        assert_ne!(first.checksum, random_mixed(10_000, 256, 43).checksum);
    }

    #[test]
    fn about_half_of_the_iterations_allocate() {
        let outcome = random_mixed(100_000, 64, 1);
        assert!((50_000..50_065).contains(&outcome.mallocs), "{outcome:?}");
    }

    #[test]
    fn one_slot_alternates() {
        assert_eq!(random_mixed(11, 1, 5).mallocs, 6);
    }
}
