//! False sharing: small blocks of several threads, each written in a loop.
//!
//! After the cache-scratch benchmark of Berger and others, "Hoard" (ASPLOS 2000). The
//! main thread allocates one small block for each thread, one after the other, so they
//! may share a cache line. Each thread writes its block, frees it, and goes on with
//! blocks of its own. An allocator that hands the freed piece of a shared line to the
//! thread that freed it makes the threads wait for each other's writes to the end. An
//! operation is one block.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::report::{Outcome, Report};
use std::thread;

const PROGRAM: Program = Program {
    name: "false_sharing",
    about: "Threads write small blocks in a loop, the first of which another allocated.",
    parameters: &[
        Parameter::new("threads", "at a time", 2, 1, 1024),
        Parameter::new(
            "blocks",
            "by each thread, one after the other",
            20_000,
            1,
            1 << 32,
        ),
        Parameter::new("writes", "to each block", 2000, 1, 1 << 32),
        Parameter::new("size", "of each block, in bytes", 8, 1, 4096),
    ],
};

fn main() {
    Report::run(&PROGRAM, |[threads, blocks, writes, size]| {
        false_sharing(threads, blocks, writes, size)
    });
}

fn false_sharing(threads: u64, blocks: u64, writes: u64, size: u64) -> Outcome {
    let handed: Vec<Block> = (0..threads).map(|_| Block::new(size as usize, 0)).collect();
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let running: Vec<_> = handed
            .into_iter()
            .map(|first| scope.spawn(move || work(first, blocks, writes, size)))
            .collect();
        for thread in running {
            total.join(thread.join().expect("workers do not panic"));
        }
    });
    total
}

fn work(first: Block, blocks: u64, writes: u64, size: u64) -> Outcome {
    let mut outcome = Outcome {
        operations: blocks,
        ..Outcome::default()
    };
    let mut block = first;
    for _ in 0..blocks {
        for _ in 0..writes {
            block.set_mark(block.mark().wrapping_add(1));
        }
        outcome.checksum += u64::from(block.mark());
        // Free first, so that the next block may be the same one.
        drop(block);
        block = Block::new(size as usize, 0);
        outcome.mallocs += 1;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_writes_each_block() {
        let outcome = false_sharing(3, 10, 5, 8);
        assert_eq!(outcome, false_sharing(3, 10, 5, 8));
        assert_eq!((outcome.operations, outcome.mallocs), (30, 30));
        // 10 blocks marked 5 by each of three threads.
        assert_eq!(outcome.checksum, (((50 << 1) ^ 50) << 1) ^ 50);
    }
}
