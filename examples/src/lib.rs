//! What the examples share: the proof that hakmem serves them.
//!
//! Each program has the two lines that make hakmem its allocator, does its work, compares the
//! result with what must come out, and asks hakmem what it saw of it.

use hakmem_alloc::{Statistics, statistics};

/// What hakmem served between two moments of a program.
pub struct Served {
    before: Statistics,
}

impl Served {
    /// The first moment.
    pub fn since_now() -> Self {
        Self {
            before: statistics(),
        }
    }

    /// Checks that the program holds at least `blocks` more blocks of hakmem by now.
    #[track_caller]
    pub fn holds(&self, blocks: usize) {
        let held = live(&statistics()).saturating_sub(live(&self.before));
        assert!(held >= blocks, "{held} of {blocks} blocks are hakmem's");
    }

    /// Checks that at least `blocks` blocks were freed by another thread than their own, and
    /// says how many.
    #[track_caller]
    pub fn crossed(&self, blocks: u64) -> u64 {
        let crossed = remote(&statistics()) - remote(&self.before);
        assert!(crossed >= blocks, "{crossed} of {blocks} blocks crossed");
        crossed
    }

    /// Checks that the program gave back all but `blocks` of the blocks that it took.
    #[track_caller]
    pub fn returned(&self, blocks: usize) {
        let left = live(&statistics()).saturating_sub(live(&self.before));
        assert!(left <= blocks, "{left} blocks are left, more than {blocks}");
    }
}

fn live(statistics: &Statistics) -> usize {
    statistics.tiers.iter().map(|tier| tier.live).sum()
}

fn remote(statistics: &Statistics) -> u64 {
    statistics
        .classes
        .iter()
        .map(|class| class.remote_freed)
        .sum()
}
