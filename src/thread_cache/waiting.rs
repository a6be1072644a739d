//! Slabs of a class that wait for the rest of their blocks.
//!
//! Blocks that one thread sends to another come home in the order in which they went out. A slab
//! that serves again with the first ones that are back scatters what is sent next, and for good:
//! that comes home as scattered. One that waits until all of them are back hands them out in a row
//! once more, and what lies in a row processors fetch ahead. So a slab waits here from the first
//! block that another thread returns until the last one.
//!
//! This takes memory, so no more than [`SLABS`] of them wait. Where blocks come home in no order it
//! is in vain: a class in which that was so [`IN_VAIN_MOST`] times more often than not lets no
//! slab wait. Where they come home whole, refills fetch their lines from the other processor's cache
//! all at once.
//!
//! 1. A slab here is the cache's own, neither current nor on the list of partial slabs, and has
//!    free blocks.

use crate::slab::Slab;
use core::cell::Cell;
use core::ptr;

/// Slabs of a class that may wait.
const SLABS: usize = 3;
/// Times that waiting may be in vain.
const IN_VAIN_MOST: i32 = 3;
/// Slabs that have come home whole, and not in vain, from which on it is expected of the next one.
const WHOLE_OFTEN: i32 = 4;

/// See the head of this file.
#[repr(C)]
pub(crate) struct Waiting {
    /// The one that has waited longest comes first; nulls stand behind the last one.
    slabs: [Cell<*const Slab>; SLABS],
    /// How often a slab came home whole, less how often one waited in vain; within the bounds above.
    whole: Cell<i32>,
}

impl Waiting {
    /// Whether slabs may wait.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.whole.get() > -IN_VAIN_MOST
    }

    /// Whether most slabs come home whole.
    pub(crate) fn is_often_whole(&self) -> bool {
        self.whole.get() == WHOLE_OFTEN
    }

    /// Lets a slab wait. Gives back the one that has waited longest if there is no room for both.
    pub(crate) fn push(&self, slab: &'static Slab) -> Option<&'static Slab> {
        debug_assert!(!self.contains(slab));
        let longest = self.pop_surplus();
        if let Some(place) = self.slabs.iter().find(|place| place.get().is_null()) {
            place.set(slab);
        }
        longest
    }

    /// Takes the slab that has waited longest, if there is no room for another one or none may
    /// wait any more.
    pub(crate) fn pop_surplus(&self) -> Option<&'static Slab> {
        let is_full = !self.slabs[SLABS - 1].get().is_null();
        (is_full || !self.is_worth_it()).then(|| self.pop())?
    }

    /// Takes the slab that has waited longest.
    pub(crate) fn pop(&self) -> Option<&'static Slab> {
        // SAFETY: slabs that wait are open, and headers are never unmapped.
        let slab = unsafe { self.slabs[0].get().as_ref() }?;
        self.give_up(slab);
        Some(slab)
    }

    /// Lets a slab wait no longer, if it does; it waited in vain.
    pub(crate) fn give_up(&self, slab: &Slab) {
        if self.remove(slab) {
            self.whole.set((self.whole.get() - 1).max(-IN_VAIN_MOST));
        }
    }

    /// Lets a slab wait no longer, if it does: other threads have returned the last of its blocks.
    pub(crate) fn came_whole(&self, slab: &Slab) {
        self.remove(slab);
        self.whole.set((self.whole.get() + 1).min(WHOLE_OFTEN));
    }

    /// Begins anew: another thread may use the blocks in another way.
    pub(crate) fn forget(&self) {
        self.whole.set(0);
    }

    /// Takes a slab away; says whether it was here.
    pub(crate) fn remove(&self, slab: &Slab) -> bool {
        let Some(place) = self
            .slabs
            .iter()
            .position(|place| ptr::eq(place.get(), slab))
        else {
            return false;
        };
        for place in place..SLABS {
            let next = self.slabs.get(place + 1).map_or(ptr::null(), Cell::get);
            self.slabs[place].set(next);
        }
        true
    }

    pub(crate) fn contains(&self, slab: &Slab) -> bool {
        self.slabs.iter().any(|place| ptr::eq(place.get(), slab))
    }

    /// The slabs, the one that has waited longest first.
    pub(crate) fn slabs(&self) -> impl Iterator<Item = &'static Slab> {
        // SAFETY: slabs that wait are open, and headers are never unmapped.
        self.slabs
            .iter()
            .filter_map(|place| unsafe { place.get().as_ref() })
    }
}
