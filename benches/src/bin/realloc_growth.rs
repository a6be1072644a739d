//! Realloc growth: one block grows to 64 MB in steps, as a file is read into memory.
//!
//! The block starts at 16 bytes and grows by a percentage each time. What is new is
//! written, a byte a page; the first byte must survive every move. An operation is one
//! realloc.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::buffer::Buffer;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "realloc_growth",
    about: "Grows a block by realloc, over and over.",
    parameters: &[
        Parameter::new(
            "rounds",
            "how often a block grows to the end",
            20,
            1,
            1 << 32,
        ),
        Parameter::new("end", "the last size, in bytes", 64 << 20, 16, 1 << 40),
        Parameter::new("percent", "of growth at each step", 10, 1, 1000),
    ],
};

/// The first size, in bytes.
const START: u64 = 16;

fn main() {
    Report::run(&PROGRAM, |[rounds, end, percent]| {
        realloc_growth(rounds, end, percent)
    });
}

fn realloc_growth(rounds: u64, end: u64, percent: u64) -> Outcome {
    let mut outcome = Outcome::default();
    for round in 0..rounds {
        grow(end, percent, round as u8, &mut outcome);
    }
    outcome
}

fn grow(end: u64, percent: u64, mark: u8, outcome: &mut Outcome) {
    let mut size = START;
    let mut buffer = Buffer::uninit(size as usize);
    buffer.touch(0, mark);
    outcome.allocated(size);
    while size < end {
        let old = buffer.size();
        size = next_size(size, percent).min(end);
        buffer.resize(size as usize);
        buffer.touch(old, !mark);
        outcome.allocated(size);
        outcome.operations += 1;
    }
    // SAFETY: the first byte was written before the first realloc, which keeps it.
    let first = unsafe { buffer.get(0) };
    assert_eq!(first, mark, "realloc lost the first byte");
}

/// At least one word larger.
fn next_size(size: u64, percent: u64) -> u64 {
    size + (size * percent / 100).max(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reaches_its_end_in_growing_steps() {
        let outcome = realloc_growth(2, 100_000, 50);
        assert_eq!(outcome, realloc_growth(2, 100_000, 50));
        assert_eq!(outcome.mallocs, outcome.operations + 2);
        assert_eq!(next_size(16, 1), 24);
        assert_eq!(next_size(1000, 50), 1500);
    }
}
