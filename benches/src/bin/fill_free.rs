//! Fill then free: allocates many blocks, then frees all of them in a given order.
//!
//! Last in first out is what a stack of scopes does, first in first out what a queue
//! does; shuffled is what is left after a long life. An operation is one block.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "fill_free",
    about: "Allocates blocks of 16 to 512 bytes, then frees all of them in an order.",
    parameters: &[
        Parameter::new("rounds", "how often", 100, 1, 1 << 32),
        Parameter::new("blocks", "in a round", 100_000, 1, 1 << 28),
        Parameter::new("order", "0 last first, 1 first first, 2 shuffled", 0, 0, 2),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (16, 512);

/// The values of `order`; anything else is last in, first out.
const FIRST_FIRST: u64 = 1;
const SHUFFLED: u64 = 2;

fn main() {
    Report::run(&PROGRAM, |[rounds, blocks, order, seed]| {
        fill_free(rounds, blocks, order, seed)
    });
}

fn fill_free(rounds: u64, blocks: u64, order: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let sequence = sequence(blocks as usize, order, &mut prng);
    let mut table: Vec<Option<Block>> = (0..blocks).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: rounds * blocks,
        ..Outcome::default()
    };
    for _ in 0..rounds {
        for slot in &mut table {
            let size = prng.between(SIZES.0, SIZES.1);
            *slot = Some(Block::new(size as usize, size as u8));
            outcome.allocated(size);
        }
        for &index in &sequence {
            table[index as usize] = None;
        }
    }
    outcome
}

/// The slots in the order in which they are freed.
fn sequence(blocks: usize, order: u64, prng: &mut Prng) -> Vec<u32> {
    let ascending = 0..blocks as u32;
    match order {
        FIRST_FIRST => ascending.collect(),
        SHUFFLED => {
            let mut sequence: Vec<u32> = ascending.collect();
            prng.shuffle(&mut sequence);
            sequence
        }
        _ => ascending.rev().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        for order in 0..=2 {
            assert_eq!(fill_free(3, 100, order, 42), fill_free(3, 100, order, 42));
        }
        assert_ne!(fill_free(3, 100, 0, 42), fill_free(3, 100, 0, 43));
    }

    #[test]
    fn each_order_frees_each_block_once() {
        let mut prng = Prng::new(1);
        assert_eq!(sequence(3, 0, &mut prng), [2, 1, 0]);
        assert_eq!(sequence(3, FIRST_FIRST, &mut prng), [0, 1, 2]);
        let mut shuffled = sequence(100, SHUFFLED, &mut prng);
        shuffled.sort_unstable();
        assert_eq!(shuffled, (0..100).collect::<Vec<_>>());
    }
}
