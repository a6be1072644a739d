//! Exchange: threads keep blocks of power-law sizes and swap some with other threads.
//!
//! Each thread replaces random blocks of its own table. One new block in eight goes
//! into a slot of a table that all threads share; what was in that slot, mostly another
//! thread's block, is freed. Sizes have a power law: each doubling is half as likely, so
//! most blocks are tiny and most bytes are in large ones. An operation is one malloc.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::exchange::Exchange;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};
use std::thread;

const PROGRAM: Program = Program {
    name: "exchange",
    about: "Threads keep blocks of power-law sizes and swap some with each other.",
    parameters: &[
        Parameter::new("threads", "at a time", 4, 1, 4096),
        Parameter::new(
            "ops",
            "blocks allocated by each thread",
            2_000_000,
            1,
            1 << 40,
        ),
        Parameter::new("slots", "blocks that a thread keeps", 2000, 1, 1 << 24),
        Parameter::new("shared", "slots of the shared table", 1000, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// The smallest block, in bytes.
const SMALLEST: u64 = 16;

/// Doublings from the smallest to the largest: up to 64 KiB.
const DOUBLINGS: u32 = 12;

fn main() {
    Report::run(&PROGRAM, |[threads, ops, slots, shared, seed]| {
        exchange(threads, ops, slots, shared, seed)
    });
}

fn exchange(threads: u64, ops: u64, slots: u64, shared: u64, seed: u64) -> Outcome {
    let table = Exchange::new(shared as usize);
    let table = &table;
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let prng = Prng::stream(seed, index);
                scope.spawn(move || work(ops, slots, shared, prng, table))
            })
            .collect();
        for thread in running {
            total.join(thread.join().expect("workers do not panic"));
        }
    });
    total
}

fn work(ops: u64, slots: u64, shared: u64, mut prng: Prng, table: &Exchange) -> Outcome {
    let mut own: Vec<Option<Block>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: ops,
        ..Outcome::default()
    };
    for _ in 0..ops {
        let size = prng.power_law(SMALLEST, DOUBLINGS);
        let block = Block::new(size as usize, size as u8);
        outcome.allocated(size);
        if prng.below(8) == 0 {
            drop(table.swap(prng.below(shared) as usize, Some(block)));
        } else {
            own[prng.below(slots) as usize] = Some(block);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same_whatever_the_schedule() {
        let first = exchange(4, 2000, 50, 10, 42);
        assert_eq!(first, exchange(4, 2000, 50, 10, 42));
        assert_ne!(first.checksum, exchange(4, 2000, 50, 10, 43).checksum);
        assert_eq!(first.mallocs, 8000);
    }
}
