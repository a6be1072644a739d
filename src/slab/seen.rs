//! A slab's blocks as observers see them: what is kept of each, and the places that they have been
//! shown before somebody had them. Nothing in a build without observers.

use super::Slab;
use crate::metadata;
use crate::observe::caller::{sees_blocks, sees_briefly};
use crate::observe::kept::{self, Keep, Kept};
use crate::observe::{Block, Observed, Observer, Record, Wish};
use crate::sync::Cell;
use core::ptr::NonNull;

/// Bytes of places that observers are shown ahead of those that are handed out next; one place at
/// least.
const CARVED_AHEAD: usize = 4 << 10;

impl Slab {
    /// A block, as observers see it.
    #[inline(always)]
    pub(crate) fn seen(&'static self, index: usize) -> Option<Block<'static, Record>> {
        Some(Block {
            address: NonNull::new(self.block(index))?,
            bytes: self.class().bytes(),
            class: self.class().index(),
            record: self.record(index),
        })
    }

    /// What observers keep of a block, if they do.
    #[inline(always)]
    pub(crate) fn record(&'static self, index: usize) -> Option<Kept<'static, Record>> {
        let records = NonNull::new(self.constant.records.first()?.get())?;
        // SAFETY: `add_records` made one for each block that the bitmap can have.
        Some(unsafe { Kept::of_slab(records, index) })
    }

    /// Gives the header what observers keep of `blocks` blocks, if they do, and if there is
    /// memory.
    pub(super) fn add_records(&self, blocks: usize) {
        for records in &self.constant.records {
            if let Some(memory) = metadata::allocate_kept(blocks * kept::STRIDE) {
                records.set(memory.as_ptr());
            }
        }
    }

    pub(super) fn wipe_records(&self) {
        let records = self.constant.records.first().map(Cell::get);
        // Where no hook has written, the pages have not been touched, and need not be.
        let are_written = sees_blocks() || sees_briefly() && self.blocks() == 1;
        if let Some(records) = records.and_then(NonNull::new)
            && are_written
        {
            // SAFETY: there is a record for each block; none of them is in use any more.
            unsafe { Record::wipe(records, self.blocks()) };
        }
        self.carved.iter().for_each(|carved| carved.set(0));
    }

    /// Whether observers have been shown the place of a block.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn is_carved(&self, index: usize) -> bool {
        let carved = self.carved.first().map_or(0, Cell::get);
        index < usize::from(carved)
    }

    /// Shows observers the places that nobody has had since the slab was opened: those of the
    /// next `want` free blocks, and some that follow.
    #[inline(always)]
    pub(crate) fn carve(&'static self, want: usize) {
        for carved in &self.carved {
            if usize::from(carved.get()) < self.blocks() && Observed::wants(Wish::Places) {
                self.carve_slow(carved, self.end_of_free(want));
            }
        }
    }

    /// As [`Slab::carve`], of the places below index `end`, and some that follow.
    #[cold]
    #[inline(never)]
    pub(super) fn carve_slow(&'static self, carved: &Cell<u16>, end: usize) {
        let bytes = self.class().bytes();
        let from = usize::from(carved.get());
        let to = end + (CARVED_AHEAD / bytes).max(1);
        let to = to.min(self.blocks());
        for index in from..to {
            // The observer's own, or free; of others it is not known whose they are.
            let is_free = (0..Slab::FIRST).contains(&index) || self.bits_of(index).0;
            if let Some(block) = self.seen(index) {
                Observed::carved(&block, is_free);
            }
        }
        carved.set(to.max(from) as u16);
    }

    /// The index behind the first `want` free blocks, or behind all if there are fewer.
    fn end_of_free(&self, mut want: usize) -> usize {
        for word in 0..self.blocks().div_ceil(64) {
            let mut bits = self.free_word(word).get();
            let count = bits.count_ones() as usize;
            if want > count {
                want -= count;
                continue;
            }
            for _ in 1..want {
                bits &= bits - 1;
            }
            return word * 64 + bits.trailing_zeros() as usize + 1;
        }
        self.blocks()
    }
}
