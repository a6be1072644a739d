//! Large: blocks of 5 to 25 MB, replaced at random.
//!
//! Every page is written, as a program does that fills what it asks for. So this
//! measures how often memory goes back to the kernel only to be faulted in again. An
//! operation is one block.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::buffer::Buffer;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "large",
    about: "Replaces blocks of 5 to 25 MB at random and writes each page of them.",
    parameters: &[
        Parameter::new("iterations", "blocks allocated", 300, 1, 1 << 32),
        Parameter::new("slots", "blocks alive at a time", 8, 1, 1024),
        Parameter::seed(),
    ],
};

/// The smallest and the largest block, in bytes.
const SIZES: (u64, u64) = (5_000_000, 25_000_000);

fn main() {
    Report::run(&PROGRAM, |[iterations, slots, seed]| {
        large(iterations, slots, seed)
    });
}

fn large(iterations: u64, slots: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut table: Vec<Option<Buffer>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: iterations,
        ..Outcome::default()
    };
    for _ in 0..iterations {
        let slot = &mut table[prng.below(slots) as usize];
        let size = prng.between(SIZES.0, SIZES.1);
        *slot = None;
        let mut buffer = Buffer::uninit(size as usize);
        buffer.touch(0, size as u8);
        *slot = Some(buffer);
        outcome.allocated(size);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        assert_eq!(large(4, 2, 42), large(4, 2, 42));
        assert_ne!(large(4, 2, 42), large(4, 2, 43));
    }
}
