//! Refills: where blocks come from when the front has none.

use super::ThreadCache;
use crate::config;
use crate::observe::{Event, Observed, Observer, Path, Wish};
use crate::size_class::SizeClass;
use crate::slab::{Run, Slab};
use crate::sys::memory;
use core::ops::RangeInclusive;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, compiler_fence};

/// Bytes of blocks that refills fetch from another processor's cache: a line, or little more.
const FETCHED: RangeInclusive<usize> = 64..=128;

impl ThreadCache {
    /// A block of `class` after the front had none: fills the front, and returns one.
    pub(crate) fn refill(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let _timed = Observed::span(Path::Refill);
        let shelf = self.shelf(class);
        shelf.counts.misses.add(1);
        self.notice_miss(class);
        self.keep_up();
        if let Some(block) = self.bin(class).pop() {
            return Some(block);
        }
        if shelf.capacity.get() > 0 {
            self.grow_warm(class, false);
            if shelf.list.len() > 0 {
                return self.refill_from_list(class);
            }
        }
        if let Some(block) = shelf.list.first() {
            shelf.counts.list_hits.add(1);
            self.take_off(&shelf.list, block);
            self.came_from_list(class);
            return NonNull::new(block);
        }
        if !config::get().tiny_p0_enable {
            let mut one = None;
            self.take_from_slabs(class, 1, 1, |mut run| {
                one = run.next().and_then(NonNull::new)
            });
            return one;
        }
        let room = shelf.capacity.get() as usize;
        if room == 0 {
            return self.refill_list(class);
        }
        self.refill_from_slabs(class, room)
    }

    /// Fills an empty front with the blocks that its class's batch has, `room` at most.
    #[inline(always)]
    fn refill_from_slabs(&self, class: SizeClass, room: usize) -> Option<NonNull<u8>> {
        let want = (self.shelf(class).batch.get() as usize).min(room);
        let bin = self.bin(class);
        let batch = config::get().tiny_p0_batch as usize;
        // Other lines than the first would stay where they are.
        let is_elsewhere = FETCHED.contains(&class.bytes()) && self.waiting(class).is_often_whole();
        self.take_from_slabs(class, want, batch, |run| {
            if is_elsewhere {
                run.clone().for_each(|block| memory::fetch_to_write(block));
            }
            // SAFETY: the bin is empty, and `want` is at most what its array holds.
            unsafe { bin.push_all(run) };
        });
        bin.pop()
    }

    fn refill_from_list(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let shelf = self.shelf(class);
        shelf.counts.list_hits.add(1);
        for _ in 0..(shelf.capacity.get() / 2).max(1) {
            let Some(block) = shelf.list.first() else {
                break;
            };
            self.bin(class).push(block);
            // A reader of a core finds it there, before it is gone here.
            compiler_fence(Ordering::Release);
            self.take_off(&shelf.list, block);
        }
        self.came_from_list(class);
        self.bin(class).pop()
    }

    /// A refill where the front is off: the list serves.
    fn refill_list(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let shelf = self.shelf(class);
        let options = config::get();
        let want = options.tiny_tls_refill.min(shelf.list_capacity.get() + 1);
        self.take_from_slabs(
            class,
            want as usize,
            options.tiny_p0_batch as usize,
            |run| run.for_each(|block| self.put_on(&shelf.list, block)),
        );
        self.notice_list(class);
        let block = shelf.list.first()?;
        self.take_off(&shelf.list, block);
        NonNull::new(block)
    }

    /// Hands `want` blocks of slabs to `each`, in runs of neighbours, or as many as can be had; at most
    /// `batch` are taken from a slab at once.
    fn take_from_slabs(
        &self,
        class: SizeClass,
        want: usize,
        batch: usize,
        mut each: impl FnMut(Run),
    ) {
        let counts = &self.shelf(class).counts;
        let mut count = 0;
        while count < want {
            let Some(slab) = self.slab_with_free(class, count == 0) else {
                break;
            };
            count += self.take_from(slab, batch.min(want - count), &mut each);
            counts.refills.add(1);
        }
        counts.refilled.add(count as u64);
        Observed::event(
            &self.local,
            Event::Refilled {
                class: class.index(),
                blocks: count,
            },
        );
    }

    /// Takes blocks of a slab, as [`Slab::take`].
    #[inline(always)]
    fn take_from(&self, slab: &'static Slab, want: usize, each: impl FnMut(Run)) -> usize {
        slab.carve(want);
        let before = Observed::wants(Wish::Counts).then(|| slab.counts());
        let taken = slab.take(want, each);
        if let Some(before) = before {
            Observed::event(
                &self.local,
                Event::Taken {
                    slab: slab.start(),
                    class: slab.class().index(),
                    wanted: want,
                    taken,
                    before,
                    after: slab.counts(),
                },
            );
        }
        taken
    }

    /// One block of `class` that reads as zero, if a slab at hand has such a one.
    pub(crate) fn take_fresh(&self, class: SizeClass) -> Option<NonNull<u8>> {
        if Observed::wants(Wish::Fillings) {
            return None;
        }
        self.notice_miss(class);
        let shelf = self.shelf(class);
        if let Some(block) = shelf.current().and_then(Slab::take_fresh) {
            return NonNull::new(block);
        }
        let slab = self.slab_with_free(class, true)?;
        slab.take_fresh().and_then(NonNull::new)
    }

    #[inline(always)]
    fn notice_miss(&self, class: SizeClass) {
        let class = class.index();
        Observed::event(&self.local, Event::Missed { class });
    }
}
