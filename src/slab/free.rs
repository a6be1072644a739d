//! The blocks of a slab that are free, as its owner sees them: handed out from the bitmap, and taken
//! back.
//!
//! All of it is the owner's side: no other thread is in here. What others return is in `remote.rs`.

use super::Slab;
use crate::counters;
use crate::fault::{self, Call, Fault};
use crate::observe::{Observed, Observer, Wish};
use crate::sync::Ordering;
use core::sync::atomic::compiler_fence;

/// Neighbouring blocks. The highest comes first, so that a stack gives them out in the order
/// of their addresses.
#[derive(Clone)]
pub(crate) struct Run {
    end: usize,
    bytes: usize,
    len: usize,
}

impl Iterator for Run {
    type Item = *mut u8;

    #[inline(always)]
    fn next(&mut self) -> Option<*mut u8> {
        self.len = self.len.checked_sub(1)?;
        self.end -= self.bytes;
        Some(self.end as *mut u8)
    }
}

impl Slab {
    /// Whether a block is free here, by the bitmap (never by `used`).
    pub(crate) fn has_free(&self) -> bool {
        self.summary.get() != 0
    }

    /// Whether no free block has been handed out since the slab's memory was clean.
    pub(crate) fn has_fresh_alone(&self) -> bool {
        let word = self.summary.get().trailing_zeros() as usize;
        if word >= usize::from(self.constant.words.get()) {
            return false;
        }
        let lowest = word * 64 + self.free_word(word).get().trailing_zeros() as usize;
        lowest >= usize::from(self.fresh.get())
    }

    /// Takes up to `want` free blocks, lowest addresses first, and hands them to `each`,
    /// neighbours together; returns how many.
    #[inline(always)]
    pub(crate) fn take(&self, want: usize, mut each: impl FnMut(Run)) -> usize {
        let bytes = self.class().bytes();
        let start = self.first_block();
        let mut summary = self.summary.get();
        let mut taken = 0;
        let mut last = 0;
        while summary != 0 && taken < want {
            let word = summary.trailing_zeros() as usize;
            let mut bits = self.free_word(word).get();
            while bits != 0 && taken < want {
                // A run of neighbours at a time.
                let first = bits.trailing_zeros() as usize;
                let run = (!(bits >> first)).trailing_zeros() as usize;
                let run = run.min(want - taken);
                each(Run {
                    end: start + (word * 64 + first + run) * bytes,
                    bytes,
                    len: run,
                });
                bits &= !((u64::MAX >> (64 - run)) << first);
                taken += run;
                last = word * 64 + first + run - 1;
            }
            // A reader of a core finds each block with its taker, before it is gone here.
            compiler_fence(Ordering::Release);
            self.set_free(word, bits);
            if bits == 0 {
                summary &= summary - 1;
            }
        }
        self.summary.set(summary);
        self.used.set(self.used.get() + taken as u16);
        if taken > 0 && last >= usize::from(self.fresh.get()) {
            self.set_fresh(last + 1);
        }
        taken
    }

    /// Takes one block that reads as zero, if there is one.
    pub(crate) fn take_fresh(&'static self) -> Option<*mut u8> {
        let index = usize::from(self.fresh.get());
        if index >= self.blocks() {
            return None;
        }
        for carved in &self.carved {
            if usize::from(carved.get()) <= index && Observed::wants(Wish::Places) {
                self.carve_slow(carved, index + 1);
            }
        }
        let (word, bit) = (index / 64, 1u64 << (index % 64));
        let cell = self.free_word(word);
        debug_assert!(cell.get() & bit != 0);
        self.set_free(word, cell.get() & !bit);
        if cell.get() == 0 {
            self.summary.set(self.summary.get() & !(1 << word));
        }
        self.used.set(self.used.get() + 1);
        self.set_fresh(index + 1);
        Some(self.block(index))
    }

    /// Notes that blocks have been handed out up to index `fresh`.
    fn set_fresh(&self, fresh: usize) {
        self.fresh.set(fresh as u16);
        if fresh == self.blocks() && self.fills_pages() {
            counters::filled_changed(0, self.slots());
            // SAFETY: records of SuperSlabs are never unmapped.
            if let Some(superslab) = unsafe { self.constant.superslab.get().as_ref() } {
                superslab.forget_unfilled(superslab.mask_of(&self.site()));
            }
        }
    }

    /// Takes back, of the blocks that this thread held, those at the head of `blocks` that
    /// are of this slab; returns how many, at least one. This is where the release build sees
    /// what it can for nothing, and aborts: an address inside a block, and a block that is
    /// free already.
    #[inline]
    pub(crate) fn put_back(&self, blocks: &[core::cell::Cell<*mut u8>]) -> usize {
        // An address that is in none of its blocks may be of the next slab.
        let (start, span) = (self.first_block(), self.blocks() * self.class().bytes());
        let inside =
            |block: &core::cell::Cell<*mut u8>| (block.get() as usize).wrapping_sub(start) < span;
        if let Some(first) = blocks.first()
            && !(inside(first) && blocks.get(1).is_some_and(inside))
        {
            match self.index_of(first.get() as usize) {
                Ok(index) => self.put_back_word(index / 64, 1 << (index % 64), 1),
                Err(fault) => fault::abort(Call::Free, first.get(), fault),
            }
            return 1;
        }
        self.put_back_runs(blocks)
    }

    /// As [`Slab::put_back`], of more than one block: those of one word of the bitmap at a time.
    #[inline(always)]
    fn put_back_runs(&self, blocks: &[core::cell::Cell<*mut u8>]) -> usize {
        let (start, class, count) = (self.first_block(), self.class(), self.blocks());
        let bytes = class.bytes();
        let span = count * bytes;
        let mut at = 0;
        let mut word = usize::MAX;
        let mut bits = 0;
        let mut counted = 0;
        while let Some(block) = blocks.get(at) {
            let block = block.get();
            let offset = (block as usize).wrapping_sub(start);
            if offset >= span {
                break;
            }
            let index = class.block_index(offset);
            if index * bytes != offset || index >= count {
                fault::abort(Call::Free, block, Fault::Interior);
            }
            // With its neighbours, as far as they follow it, upwards or downwards, and are in
            // the same word.
            let bit = index % 64;
            let rest = &blocks[at..];
            let most = (64 - bit).min(count - index);
            let mut run = count_steps(&rest[..rest.len().min(most)], bytes);
            let mut lowest = bit;
            if run == 1 {
                run = count_steps(&rest[..rest.len().min(bit + 1)], bytes.wrapping_neg());
                lowest = bit + 1 - run;
            }
            let mask = (u64::MAX >> (64 - run)) << lowest;
            if index / 64 != word {
                if word != usize::MAX {
                    self.put_back_word(word, bits, at - counted);
                }
                word = index / 64;
                bits = 0;
                counted = at;
            }
            if bits & mask != 0 {
                fault::abort(Call::Free, block, Fault::DoubleFree);
            }
            bits |= mask;
            at += run;
        }
        if word != usize::MAX {
            self.put_back_word(word, bits, at - counted);
        }
        at
    }

    #[inline(always)]
    fn put_back_word(&self, word: usize, bits: u64, returned: usize) {
        let cell = self.free_word(word);
        let remote = self.remote_word(word).load(Ordering::Relaxed);
        let twice = (cell.get() | self.listed_word(word).get() | remote) & bits;
        let used = self.used.get();
        if twice != 0 || usize::from(used) < returned {
            let bit = if twice != 0 { twice } else { bits }.trailing_zeros();
            let block = self.block(word * 64 + bit as usize);
            fault::abort(Call::Free, block, Fault::DoubleFree);
        }
        self.set_free(word, cell.get() | bits);
        self.summary.set(self.summary.get() | 1 << word);
        self.used.set(used - returned as u16);
    }
}

/// How many blocks from the first on are `step` bytes from one another.
#[inline(always)]
fn count_steps(blocks: &[core::cell::Cell<*mut u8>], step: usize) -> usize {
    let mut next = blocks.first().map_or(0, |block| block.get() as usize);
    let follows = |block: &&core::cell::Cell<*mut u8>| {
        let follows = block.get() as usize == next;
        next = next.wrapping_add(step);
        follows
    };
    blocks.iter().take_while(follows).count()
}
