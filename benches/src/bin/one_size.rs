//! One size: malloc and free of the same size in a tight loop.
//!
//! A window of blocks is kept alive and replaced in turn, oldest first: with a window
//! of 1 each block is freed at once. An operation is one malloc with its free.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "one_size",
    about: "Allocates and frees blocks of one size in a tight loop.",
    parameters: &[
        Parameter::new("iterations", "blocks allocated", 50_000_000, 1, 1 << 40),
        Parameter::new("size", "of each block, in bytes", 64, 1, 1 << 30),
        Parameter::new("window", "blocks alive at a time", 1, 1, 1 << 24),
    ],
};

fn main() {
    Report::run(&PROGRAM, |[iterations, size, window]| {
        one_size(iterations, size, window)
    });
}

fn one_size(iterations: u64, size: u64, window: u64) -> Outcome {
    let mut ring: Vec<Option<Block>> = (0..window).map(|_| None).collect();
    let mut next = 0;
    for iteration in 0..iterations {
        ring[next] = None;
        ring[next] = Some(Block::new(size as usize, iteration as u8));
        next += 1;
        if next == ring.len() {
            next = 0;
        }
    }
    Outcome {
        operations: iterations,
        mallocs: iterations,
        checksum: ring.iter().flatten().map(|b| u64::from(b.mark())).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_arguments_do_the_same() {
        assert_eq!(one_size(1000, 64, 10), one_size(1000, 64, 10));
    }

    #[test]
    fn the_last_window_is_what_is_left() {
        // Blocks 7, 8 and 9 of 0 to 9.
        assert_eq!(one_size(10, 16, 3).checksum, 7 + 8 + 9);
    }
}
