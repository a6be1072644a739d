//! The bitmaps of a slab: which of its blocks are `free`, which are `listed`, and which have come back
//! from other threads (`remote`); 64 to a word.

use super::Slab;
use crate::observe::{Event, Observed, Observer, SlabCounts};
use crate::sync::{AtomicU64, Cell, Ordering};

impl Slab {
    pub(super) fn free_word(&self, word: usize) -> &Cell<u64> {
        debug_assert!(word < usize::from(self.constant.words.get()));
        // SAFETY: `free` points to `words` words, set up in `from_stock`.
        unsafe { &*self.constant.free.get().add(word) }
    }

    /// Sets a word of the bitmap of free blocks.
    #[inline(always)]
    pub(super) fn set_free(&self, word: usize, bits: u64) {
        let cell = self.free_word(word);
        if Observed::ACTIVE {
            Observed::notice(Event::MaskChanged {
                slab: self.start(),
                word,
                before: cell.get(),
                after: bits,
            });
        }
        cell.set(bits);
    }

    pub(super) fn listed_word(&self, word: usize) -> &Cell<u64> {
        let words = usize::from(self.constant.words.get());
        debug_assert!(word < words);
        // SAFETY: behind the free words are as many listed ones, set up in `make`.
        unsafe { &*self.constant.free.get().add(words + word) }
    }

    pub(super) fn remote_word(&self, word: usize) -> &AtomicU64 {
        debug_assert!(word < usize::from(self.constant.words.get()));
        // SAFETY: `remote` points to as many words, set up in `from_stock`.
        unsafe { &*self.constant.remote.get().add(word) }
    }

    /// Notes that a block is on its owner's list; false if it was there already.
    pub(crate) fn set_listed(&self, index: usize) -> bool {
        let cell = self.listed_word(index / 64);
        let bit = 1 << (index % 64);
        let before = cell.get();
        cell.set(before | bit);
        before & bit == 0
    }

    /// Whether a block is noted as on its owner's list.
    pub(crate) fn is_listed(&self, index: usize) -> bool {
        self.listed_word(index / 64).get() & 1 << (index % 64) != 0
    }

    /// Notes that a block is no longer on its owner's list; false if it was not there.
    pub(crate) fn clear_listed(&self, index: usize) -> bool {
        let cell = self.listed_word(index / 64);
        let bit = 1 << (index % 64);
        let before = cell.get();
        cell.set(before & !bit);
        before & bit != 0
    }

    /// Where block `index` is by the bitmaps alone: `(in free, in remote)`. Exact
    /// while nobody runs, an impression otherwise.
    pub(crate) fn bits_of(&self, index: usize) -> (bool, bool) {
        let bit = 1u64 << (index % 64);
        (
            self.free_word(index / 64).get() & bit != 0,
            self.remote_word(index / 64).load(Ordering::Relaxed) & bit != 0,
        )
    }

    /// Blocks that are free here, those that other threads returned included.
    pub(crate) fn count_free(&self) -> usize {
        (0..self.blocks().div_ceil(64))
            .map(|word| {
                let remote = self.remote_word(word).load(Ordering::Relaxed);
                (self.free_word(word).get() | remote).count_ones() as usize
            })
            .sum()
    }

    /// The counts of the owner's side.
    pub(crate) fn counts(&self) -> SlabCounts {
        let words = 0..self.blocks().div_ceil(64);
        SlabCounts {
            used: self.used(),
            free: words
                .map(|word| self.free_word(word).get().count_ones() as usize)
                .sum(),
        }
    }
}
