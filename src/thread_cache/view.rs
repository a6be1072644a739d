//! A thread cache as observers see it.
//!
//! Nothing here changes the cache, and no look-up is noticed: observers call it while they
//! are told of something else.

use super::front::Front;
use super::{State, ThreadCache};
use crate::block::FreeList;
use crate::observe::{self, ClassState, Event, Observed, Observer, Occasion, Place};
use crate::registry::REGISTRY;
use crate::size_class::SizeClass;
use crate::slab::{Kind, Slab};
use crate::sys::thread;
use core::ptr;

/// Slabs of a list that are counted; another thread may be changing the list meanwhile.
const LOOKED_AT: usize = 100_000;

impl ThreadCache {
    /// Shows every cache to the observers.
    pub(crate) fn show_all(occasion: Occasion) {
        if Observed::ACTIVE {
            ThreadCache::all().for_each(|cache| cache.show(occasion));
            Observed::notice(Event::AllShown { occasion });
        }
    }

    /// Takes the number that the thread has now, in a fork's child.
    pub(crate) fn renumber(&self) {
        self.thread.set(thread::id());
    }

    /// The inbox of the cache that a bin is part of, if the address is one's.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn inbox_of_bin(bin: usize) -> Option<usize> {
        let has_it = |cache: &&ThreadCache| {
            bin.wrapping_sub(ptr::from_ref(*cache) as usize) < size_of::<Front>()
        };
        let cache = Self::all().find(has_it)?;
        Some(ptr::from_ref(&cache.inbox.0) as usize)
    }

    /// Whether one thread alone has a cache.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn is_alone() -> bool {
        let is_in_use =
            |cache: &&ThreadCache| cache.state() == State::Live && cache.thread.get() != 0;
        Self::all().filter(is_in_use).count() <= 1
    }

    /// Shows this cache to the observers.
    pub(super) fn show(&self, occasion: Occasion) {
        let cache = self;
        Observed::event(&self.local, Event::Shown { cache, occasion });
    }

    /// The slabs with free blocks that are not current, and those blocks.
    fn count_partial(&self, class: SizeClass) -> (usize, usize) {
        let shelf = self.shelf(class);
        let mut at = shelf.partial.get();
        let (mut slabs, mut free) = (0, 0);
        for slab in self.waiting(class).slabs() {
            slabs += 1;
            free += slab.counts().free;
        }
        // SAFETY: headers are never unmapped.
        while let Some(slab) = unsafe { at.as_ref() } {
            slabs += 1;
            free += slab.counts().free;
            at = slab.after().get();
            if slabs >= LOOKED_AT {
                break;
            }
        }
        (slabs, free)
    }
}

impl observe::Cache for ThreadCache {
    fn thread(&self) -> u32 {
        self.thread.get()
    }

    fn is_own(&self) -> bool {
        self.state() == State::Live && self.thread.get() == thread::id()
    }

    fn whose(&self) -> &'static str {
        match self.state() {
            State::Live => "in use",
            State::Parked => "parked",
            State::Frozen => "frozen",
        }
    }

    fn class(&self, class: usize) -> ClassState {
        let class = SizeClass::from_index(class);
        let shelf = self.shelf(class);
        let (partial, partial_free) = self.count_partial(class);
        let of_class = |slab: &Slab| slab.kind() == Kind::Blocks && slab.class() == class;
        ClassState {
            bytes: class.bytes(),
            front: self.front_entries(class).len(),
            capacity: shelf.capacity.get() as usize,
            list: shelf.list.len() as usize,
            list_capacity: shelf.list_capacity.get() as usize,
            batch: shelf.batch.get() as usize,
            heat: usize::from(shelf.heat.get()),
            hot: shelf.hot.get(),
            current: shelf.current().map(|slab| (slab.start(), slab.counts())),
            partial,
            partial_free,
            held_back: self
                .held_back()
                .filter(|(slab, ..)| of_class(slab))
                .map(|(_, _, bits)| bits.count_ones() as usize)
                .sum(),
        }
    }

    fn list(&self, class: usize) -> &FreeList {
        &self.shelf(SizeClass::from_index(class)).list
    }

    fn place(&self, block: *const u8, class: usize) -> Place {
        let address = block as usize;
        let Some(slab) = REGISTRY.find(address) else {
            return Place::NoBlock;
        };
        if slab.kind() != Kind::Blocks {
            return Place::NoBlock;
        }
        let Ok(index) = slab.index_of(address) else {
            return Place::NoBlock;
        };
        if slab.class().index() != class {
            Place::OtherClass
        } else if !self.owns(slab) {
            Place::OtherCache
        } else if !slab.is_listed(index) {
            Place::Unlisted
        } else {
            Place::Listed
        }
    }
}
