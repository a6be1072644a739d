//! Short threads: thousands of threads, each of which leaves its blocks to the next.
//!
//! A thread allocates blocks of 16 to 1040 bytes, frees half of them together with all
//! that an earlier thread left, and ends, leaving the other half. So an allocator that
//! loses the memory of ended threads, or keeps it for each of them, shows here. An
//! operation is one thread.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::collections::VecDeque;
use std::thread::{self, JoinHandle};

const PROGRAM: Program = Program {
    name: "short_threads",
    about: "Thousands of short-lived threads leave their blocks to the next ones.",
    parameters: &[
        Parameter::new("threads", "in all", 5000, 1, 1 << 32),
        Parameter::new("together", "threads at a time", 4, 1, 4096),
        Parameter::new("blocks", "allocated by each thread", 200, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (16, 1040);

/// What an ended thread leaves.
type Estate = (Vec<Block>, Outcome);

fn main() {
    Report::run(&PROGRAM, |[threads, together, blocks, seed]| {
        short_threads(threads, together, blocks, seed)
    });
}

fn short_threads(threads: u64, together: u64, blocks: u64, seed: u64) -> Outcome {
    let mut total = Outcome::default();
    let mut running: VecDeque<JoinHandle<Estate>> = VecDeque::new();
    let mut settle = |thread: JoinHandle<Estate>| -> Vec<Block> {
        let (left, outcome) = thread.join().expect("workers do not panic");
        total.join(outcome);
        left
    };
    for index in 0..threads {
        let inherited = if running.len() as u64 == together {
            running.pop_front().map_or_else(Vec::new, &mut settle)
        } else {
            Vec::new()
        };
        let prng = Prng::stream(seed, index);
        running.push_back(thread::spawn(move || life(blocks, prng, inherited)));
    }
    for thread in running {
        drop(settle(thread));
    }
    total
}

/// What one thread does.
fn life(blocks: u64, mut prng: Prng, inherited: Vec<Block>) -> Estate {
    let mut outcome = Outcome {
        operations: 1,
        ..Outcome::default()
    };
    let mut own = Vec::with_capacity(blocks as usize);
    for _ in 0..blocks {
        let size = prng.between(SIZES.0, SIZES.1);
        own.push(Block::new(size as usize, size as u8));
        outcome.allocated(size);
    }
    for block in inherited {
        outcome.checksum += u64::from(block.mark());
    }
    prng.shuffle(&mut own);
    own.truncate(own.len() / 2);
    (own, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same_whatever_the_schedule() {
        let first = short_threads(20, 3, 10, 42);
        assert_eq!(first, short_threads(20, 3, 10, 42));
        assert_ne!(first.checksum, short_threads(20, 3, 10, 43).checksum);
        assert_eq!((first.operations, first.mallocs), (20, 200));
    }
}
