//! Calloc: zeroed blocks of power-law sizes in random slots.
//!
//! Each block is checked for zeroes at some places and then filled with ones, so that a
//! block that is used again must be zeroed again. Large zeroed blocks are written in
//! part only, as tables often are: memory that is fresh from the kernel need not be
//! zeroed, nor touched. An operation is one calloc.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::buffer::Buffer;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "calloc",
    about: "Allocates zeroed blocks of 16 bytes to 1 MiB in random slots, and checks them.",
    parameters: &[
        Parameter::new("iterations", "blocks allocated", 2_000_000, 1, 1 << 40),
        Parameter::new("slots", "blocks alive at a time", 500, 1, 1 << 24),
        Parameter::seed(),
    ],
};

/// The smallest block, in bytes.
const SMALLEST: u64 = 16;

/// Doublings from the smallest to the largest: up to 1 MiB.
const DOUBLINGS: u32 = 16;

/// Blocks up to this many bytes are filled whole, larger ones to this length.
const FILLED: usize = 4096;

fn main() {
    Report::run(&PROGRAM, |[iterations, slots, seed]| {
        calloc(iterations, slots, seed)
    });
}

fn calloc(iterations: u64, slots: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut table: Vec<Option<Buffer>> = (0..slots).map(|_| None).collect();
    let mut outcome = Outcome {
        operations: iterations,
        ..Outcome::default()
    };
    for _ in 0..iterations {
        let slot = &mut table[prng.below(slots) as usize];
        let size = prng.power_law(SMALLEST, DOUBLINGS);
        *slot = None;
        let mut buffer = Buffer::zeroed(size as usize);
        check(&buffer, &mut prng);
        buffer.fill(FILLED, 0xff);
        *slot = Some(buffer);
        outcome.allocated(size);
    }
    outcome
}

/// Looks at the first, the last and a random byte.
#[inline(always)]
fn check(buffer: &Buffer, prng: &mut Prng) {
    let size = buffer.size();
    let somewhere = prng.below(size as u64) as usize;
    // At most one page of a large block is touched beyond those that are filled.
    for index in [0, somewhere.min(FILLED), size - 1] {
        // SAFETY: calloc initialised every byte, and nothing was written since.
        let byte = unsafe { buffer.get(index.min(size - 1)) };
        assert_eq!(byte, 0, "byte {index} of {size} is not zero");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = calloc(5000, 50, 42);
        assert_eq!(first, calloc(5000, 50, 42));
        assert_ne!(first, calloc(5000, 50, 43));
    }
}
