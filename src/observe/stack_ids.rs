//! The ids of stacks that a thread has met lately, by their hash: a table that all threads share,
//! of which most is in no processor's cache, is asked for what is not here.
//!
//! An entry is the upper half of the hash and the id: written at once, so that a signal handler
//! finds a whole one.

use core::cell::Cell;

/// Stacks whose ids are kept.
const STACKS: usize = 16384;

/// See the head of this file. All bytes zero: none.
pub(crate) struct StackIds([Cell<u64>; STACKS]);

const _: () = assert!(STACKS.is_power_of_two());

impl StackIds {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(crate) const NONE: StackIds = StackIds([const { Cell::new(0) }; STACKS]);

    /// Forgets all.
    pub(crate) fn forget(&self) {
        for entry in &self.0 {
            entry.set(0);
        }
    }

    /// The id of a stack with this hash; 0 if it is not known here.
    #[inline(always)]
    pub(crate) fn known(&self, hash: u64) -> u32 {
        let entry = self.0[hash as usize % STACKS].get();
        match (entry ^ hash) >> 32 {
            0 => entry as u32,
            _ => 0,
        }
    }

    #[inline(always)]
    pub(crate) fn keep(&self, hash: u64, id: u32) {
        self.0[hash as usize % STACKS].set(hash >> 32 << 32 | u64::from(id));
    }
}
