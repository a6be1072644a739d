//! Larson: threads that replace random blocks and hand them to their successors.
//!
//! After Larson and Krishnan, "Memory Allocation for Long-Running Server Applications"
//! (ISMM 1998), with a fixed amount of work in place of a fixed time. The first blocks
//! are allocated by the main thread. A thread takes over an array of blocks, replaces
//! random ones for a while (free, then malloc of a random size), starts its successor,
//! hands the array over and ends; so blocks are freed by a thread that did not allocate
//! them, and most of them after the allocating thread has ended. An operation is one
//! replacement.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::thread::{self, JoinHandle};

const PROGRAM: Program = Program {
    name: "larson",
    about: "Threads replace random blocks and hand what is left to newly made threads.",
    parameters: &[
        Parameter::new("threads", "threads at a time", 8, 1, 4096),
        Parameter::new(
            "rounds",
            "threads that follow each other on one array",
            10,
            1,
            1_000_000,
        ),
        Parameter::new(
            "ops",
            "replacements by each of these threads",
            100_000,
            1,
            1 << 40,
        ),
        Parameter::new("blocks", "blocks in an array", 1000, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (8, 1000);

/// One array of blocks with the work that is still to be done on it.
struct Chain {
    blocks: Vec<Option<Block>>,
    prng: Prng,
    mark: u8,
    rounds: u64,
    ops: u64,
    outcome: Outcome,
}

/// What a thread leaves: its successor, or the finished chain.
enum Link {
    Next(JoinHandle<Link>),
    End(Chain),
}

fn main() {
    Report::run(&PROGRAM, |[threads, rounds, ops, blocks, seed]| {
        larson(threads, rounds, ops, blocks, seed)
    });
}

fn larson(threads: u64, rounds: u64, ops: u64, blocks: u64, seed: u64) -> Outcome {
    let chains: Vec<Chain> = (0..threads)
        .map(|index| Chain::new(index, rounds, ops, blocks, seed))
        .collect();
    let running: Vec<JoinHandle<Link>> = chains.into_iter().map(start).collect();
    let mut total = Outcome::default();
    for first in running {
        total.join(follow(first).finish());
    }
    total
}

/// Starts the next thread of a chain.
fn start(mut chain: Chain) -> JoinHandle<Link> {
    thread::spawn(move || {
        chain.round();
        if chain.rounds == 0 {
            Link::End(chain)
        } else {
            Link::Next(start(chain))
        }
    })
}

/// Joins each thread of a chain in turn.
fn follow(mut thread: JoinHandle<Link>) -> Chain {
    loop {
        match thread.join().expect("workers do not panic") {
            Link::Next(next) => thread = next,
            Link::End(chain) => return chain,
        }
    }
}

impl Chain {
    fn new(index: u64, rounds: u64, ops: u64, blocks: u64, seed: u64) -> Self {
        let mut chain = Self {
            blocks: Vec::with_capacity(blocks as usize),
            prng: Prng::stream(seed, index),
            mark: index as u8,
            rounds,
            ops,
            outcome: Outcome::default(),
        };
        for _ in 0..blocks {
            let block = chain.allocate();
            chain.blocks.push(Some(block));
        }
        chain
    }

    #[inline(always)]
    fn allocate(&mut self) -> Block {
        let size = self.prng.between(SIZES.0, SIZES.1);
        self.outcome.allocated(size);
        Block::new(size as usize, self.mark)
    }

    /// The work of one thread: free first, as the original does, then allocate.
    fn round(&mut self) {
        for _ in 0..self.ops {
            let victim = self.prng.below(self.blocks.len() as u64) as usize;
            self.blocks[victim] = None;
            self.blocks[victim] = Some(self.allocate());
        }
        self.outcome.operations += self.ops;
        self.rounds -= 1;
    }

    /// Frees the array, from the main thread.
    fn finish(self) -> Outcome {
        for block in self.blocks.iter().flatten() {
            assert_eq!(block.mark(), self.mark, "a block was overwritten");
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same_whatever_the_schedule() {
        let first = larson(4, 3, 500, 50, 42);
        assert_eq!(first, larson(4, 3, 500, 50, 42));
        assert_ne!(first.checksum, larson(4, 3, 500, 50, 43).checksum);
    }

    #[test]
    fn the_counts_follow_from_the_arguments() {
        let outcome = larson(2, 3, 100, 10, 1);
        assert_eq!(outcome.operations, 2 * 3 * 100);
        assert_eq!(outcome.mallocs, 2 * 3 * 100 + 2 * 10);
    }
}
