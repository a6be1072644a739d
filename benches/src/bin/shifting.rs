//! Shifting: a table of blocks whose sizes change from phase to phase.
//!
//! A phase has some hot sizes, drawn anew, and replaces blocks at random with blocks of these. In
//! its course all blocks of the phase before go, but for a few that stay for good. So what a thread
//! has kept of yesterday's sizes is of no use today. An operation is one replacement; with the
//! number of them by default a phase takes about a second.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::block::Block;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "shifting",
    about: "Replaces random blocks of a few hot sizes, which change from phase to phase.",
    parameters: &[
        Parameter::new(
            "phases",
            "sets of hot sizes, one after the other",
            12,
            1,
            1 << 20,
        ),
        Parameter::new("ops", "replacements in a phase", 25_000_000, 1, 1 << 40),
        Parameter::new("slots", "blocks that are kept", 20_000, 1, 1 << 24),
        Parameter::new("hot", "sizes of a phase", 8, 1, 64),
        Parameter::new(
            "stay",
            "of so many blocks at a phase's end one stays",
            1000,
            1,
            1 << 24,
        ),
        Parameter::seed(),
    ],
};

fn main() {
    Report::run(&PROGRAM, |[phases, ops, slots, hot, stay, seed]| {
        shifting(phases, ops, slots, hot, stay, seed)
    });
}

/// A size of 16 to 2048 bytes; each doubling is as likely as the next one.
fn size(prng: &mut Prng) -> u64 {
    let floor = 16 << prng.below(7);
    floor + prng.below(floor) + 1
}

fn shifting(phases: u64, ops: u64, slots: u64, hot: u64, stay: u64, seed: u64) -> Outcome {
    let mut prng = Prng::stream(seed, 0);
    let mut table: Vec<Option<Block>> = (0..slots).map(|_| None).collect();
    let mut stayed = Vec::new();
    let mut outcome = Outcome {
        operations: phases * ops,
        ..Outcome::default()
    };
    for _ in 0..phases {
        let sizes: Vec<u64> = (0..hot).map(|_| size(&mut prng)).collect();
        for place in (0..slots).step_by(stay as usize) {
            stayed.extend(table[place as usize].take());
        }
        for _ in 0..ops {
            let size = sizes[prng.below(hot) as usize];
            let slot = &mut table[prng.below(slots) as usize];
            *slot = None;
            *slot = Some(Block::new(size as usize, size as u8));
            outcome.allocated(size);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = shifting(3, 1000, 50, 4, 10, 42);
        assert_eq!(first, shifting(3, 1000, 50, 4, 10, 42));
        assert_ne!(first.checksum, shifting(3, 1000, 50, 4, 10, 43).checksum);
        assert_eq!((first.operations, first.mallocs), (3000, 3000));
    }

    #[test]
    fn sizes_stay_between_their_bounds() {
        let mut prng = Prng::stream(1, 0);
        assert!((0..10_000).all(|_| (17..=2048).contains(&size(&mut prng))));
    }
}
