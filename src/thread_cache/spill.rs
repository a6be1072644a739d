//! Frees that the front does not take: it is full, or off.

use super::ThreadCache;
use crate::fault::{self, Call};
use crate::observe::{Event, Observed, Observer, Path};
use crate::size_class::{SizeClass, Tier};
use crate::slab::Slab;

/// Entries from which on an array is long.
const LONG: usize = 256;

impl ThreadCache {
    /// Takes back a block of a slab of ours that the fast path did not: the front is full,
    /// or frees do not go through it.
    pub(crate) fn free_own(&self, slab: &'static Slab, block: *mut u8) {
        self.keep_up();
        let class = slab.class();
        let shelf = self.shelf(class);
        if let Err(fault) = slab.index_of(block as usize) {
            fault::abort(Call::Free, block, fault);
        }
        if shelf.capacity.get() == 0 {
            // The front is off: the list takes the block, and is cut when it is full.
            self.put_on(&shelf.list, block);
            if shelf.list.len() > shelf.list_capacity.get() {
                shelf.counts.drains.add(1);
                let count = self.cut(&shelf.list, shelf.list_capacity.get() / 2);
                shelf.counts.drained.add(count);
                self.notice_drained(class, count as usize);
                self.notice_list(class);
            }
            return;
        }
        if !self.bin(class).push(block) {
            self.spill(class);
            self.bin(class).push(block);
        }
    }

    /// Makes room in a full front: part of it goes to the list while that has room, and else
    /// back to the slabs. Of a short array this is the older half. Of a long one it is the
    /// newest quarter: its entries and their blocks are still in the first-level cache, nothing
    /// moves, and while many blocks are freed in a row no more of the array is touched than
    /// that.
    #[cold]
    fn spill(&self, class: SizeClass) {
        let _timed = Observed::span(Path::Spill);
        let shelf = self.shelf(class);
        self.grow_warm(class, true);
        let entries = self.front_entries(class);
        if entries.len() < shelf.capacity.get() as usize {
            return;
        }
        shelf.counts.drains.add(1);
        let is_long = entries.len() >= LONG;
        let count = Self::spilled(entries.len() as u32) as usize;
        let spilled = if is_long {
            &entries[entries.len() - count..]
        } else {
            &entries[..count]
        };
        // In POOL and MID an array of its own holds more than the list, and costs less.
        let room = if shelf.hot.get() && class.tier() != Tier::Tiny {
            0
        } else {
            shelf.list_capacity.get().saturating_sub(shelf.list.len()) as usize
        };
        let (to_slabs, to_list) = spilled.split_at(count - room.min(count));
        for block in to_list {
            self.put_on(&shelf.list, block.get());
        }
        self.give_back(to_slabs);
        shelf.counts.drained.add(to_slabs.len() as u64);
        self.notice_drained(class, to_slabs.len());
        self.notice_list(class);
        let (bin, bottom) = (self.bin(class), shelf.bottom.get());
        if is_long {
            // SAFETY: the entries below were written; those above are elsewhere now.
            unsafe { bin.set_len(bottom, entries.len() - count) };
        } else {
            // SAFETY: the front has `count` entries and more, and they are elsewhere now.
            unsafe { bin.drop_oldest(bottom, count) };
        }
    }

    /// Entries that leave a full array of that many.
    pub(super) fn spilled(capacity: u32) -> u32 {
        if capacity as usize >= LONG {
            capacity / 4
        } else {
            capacity.div_ceil(2)
        }
    }

    #[inline(always)]
    fn notice_drained(&self, class: SizeClass, blocks: usize) {
        let class = class.index();
        Observed::event(&self.local, Event::Drained { class, blocks });
    }
}
