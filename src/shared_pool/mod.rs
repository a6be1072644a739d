//! The shared pool: slabs and SuperSlabs that no thread owns.
//!
//! A slab is acquired in stages, each cheaper than the next:
//!
//! ```text
//! hint      the SuperSlab that served this class last; one CAS, no lock
//! reuse     a whole slab of the class that became empty (HAKMEM_SUPERSLAB_REUSE)
//! in use    SuperSlabs with free slots, the fullest first
//! (parked   a slab of an ended thread's cache: the thread cache's business)
//! cached    an empty SuperSlab of the cache, the newest first
//! new       2 MiB more of the arena
//! ```
//!
//! Dirty slots go before clean ones: their pages are there. Where more than a slack
//! ([`DIRTY_SLACK`]) lie dirty, those of other SuperSlabs go before clean ones of the hint, and who
//! takes clean ones all the same has as many dirty ones given back.
//!
//! When a SuperSlab is full, all the hints to it move on together to the one that served
//! next: else each class would miss once for every SuperSlab.
//!
//! Free slots stay dirty. Pages are given back, oldest first and in whole runs, when the
//! heap grows although as much lies dirty (so that the dirty memory adds nothing to the
//! peak), or little by little when more than [`dirty_bound`] has been dirty for
//! `HAKMEM_PURGE_DELAY_MS`.
//!
//! 1. A SuperSlab is in one place: on a list by the number of its free slots, in the cache,
//!    or nowhere (no slot free, or held by someone). [`Pool::move_to`] and the cache alone move it.
//! 2. All lists are under one lock. No system call is made while it is held, but for an
//!    observer's line: what is to be purged or unmapped is claimed first.

mod acquire;
mod list;
mod mapping;
mod purge;
mod record;
mod superslab_cache;

pub(crate) use acquire::{Found, acquire, acquire_run, extend_run, grow, grow_run, reserve};
pub(crate) use mapping::prewarm;
pub(crate) use purge::{forget_purger, make_room, trim};
pub(crate) use record::SharedMeta;

use crate::config;
use crate::counters;
use crate::registry::REGISTRY;
use crate::size_class::{CLASSES, SLOT_BYTES};
use crate::slab::{Site, Slab};
use crate::superslab::{SUPERSLAB_BYTES, SuperSlab};
use crate::sys::clock;
use crate::sys::lock::Lock;
use core::ptr;
use list::List;
use mapping::unmap;
use purge::{purge_overdue, purge_whole};
use record::Place;
use superslab_cache::SuperSlabCache;

/// Lists of SuperSlabs by free slots: 1, 2-3, 4-7, 8-15, 16-32.
const LISTS: usize = 5;

struct Pool {
    in_use: [List; LISTS],
    cache: SuperSlabCache,
    /// SuperSlabs with dirty free slots, the longest so at the front.
    dirty: List<1>,
    /// Records whose SuperSlab was unmapped, to be used again.
    spare: List,
    /// Empty slabs that keep their class, linked by `after`.
    reuse: [*const Slab; CLASSES],
}

// SAFETY: the records are reached under the pool's lock alone.
unsafe impl Send for Pool {}

static POOL: Lock<Pool> = Lock::new(Pool {
    in_use: [List::EMPTY; LISTS],
    cache: SuperSlabCache::new(),
    dirty: List::EMPTY,
    spare: List::EMPTY,
    reuse: [ptr::null(); CLASSES],
});

impl Pool {
    /// Puts a SuperSlab where its free slots say. A whole free one is claimed whole and
    /// goes to the cache; what is returned has to be unmapped by the caller.
    fn settle(&mut self, meta: &'static SharedMeta) -> Option<&'static SharedMeta> {
        if meta.place.get() == Place::Cached {
            // Another thread gave back the last slot, and came first.
            return None;
        }
        let superslab = meta.superslab();
        if superslab.dirty() != 0 && !meta.dirty_listed.get() {
            meta.dirty_listed.set(true);
            meta.dirty_since.set(clock::now_ms());
            self.dirty.push_back(meta);
        }
        if superslab.claim_whole() {
            self.move_to(meta, Place::Nowhere);
            if !config::get().superslab_lazy {
                self.forget_dirty(meta);
                return Some(meta);
            }
            self.cache.insert(meta);
            return None;
        }
        self.place_by_free(meta);
        None
    }

    fn place_by_free(&mut self, meta: &'static SharedMeta) {
        let free = meta.superslab().free();
        let place = if free == 0 {
            Place::Nowhere
        } else {
            Place::InUse(list_of(free))
        };
        self.move_to(meta, place);
    }

    fn move_to(&mut self, meta: &'static SharedMeta, place: Place) {
        if meta.place.get() == place {
            return;
        }
        match meta.place.get() {
            Place::InUse(list) => self.in_use[usize::from(list)].remove(meta),
            Place::Cached => self.cache.remove(meta),
            Place::Nowhere => {}
        }
        if let Place::InUse(list) = place {
            self.in_use[usize::from(list)].push_front(meta);
        }
        meta.place.set(place);
    }

    fn forget_dirty(&mut self, meta: &'static SharedMeta) {
        if meta.dirty_listed.replace(false) {
            self.dirty.remove(meta);
        }
    }

    /// A record for a new SuperSlab.
    fn record(&mut self) -> Option<&'static SharedMeta> {
        if let Some(meta) = self.spare.front() {
            self.spare.remove(meta);
            return Some(meta);
        }
        SharedMeta::make()
    }
}

fn list_of(free: u32) -> u8 {
    (u32::BITS - 1 - free.count_ones().leading_zeros()).min(LISTS as u32 - 1) as u8
}

/// Gives back the memory of a slab that has been taken out of the registry.
pub(crate) fn release(site: &Site) {
    let Some(superslab) = REGISTRY.superslab_of(site.start) else {
        return;
    };
    return_slots(superslab, superslab.mask_of(site));
}

/// Gives back part of a reservation that was never used; it may span SuperSlabs.
pub(crate) fn give_back_unused(site: &Site) {
    let mut start = site.start;
    let end = site.start + site.slots * SLOT_BYTES;
    while start < end {
        let Some(superslab) = REGISTRY.superslab_of(start) else {
            return;
        };
        let stop = end.min(superslab.base() + SUPERSLAB_BYTES);
        let mask = superslab.mask_of(&Site {
            start,
            slots: (stop - start) / SLOT_BYTES,
            superslab,
            clean: site.clean,
        });
        if site.clean {
            superslab.set_clean(mask);
        }
        return_slots(superslab, mask);
        start = stop;
    }
}

fn return_slots(superslab: &'static SuperSlab, mask: u32) {
    counters::slots_given_back(
        mask.count_ones() as usize,
        superslab.dirty_among(mask).count_ones() as usize,
    );
    // What the SuperSlab is in the pool has to be read before the slots are given back:
    // afterwards another thread may unmap it.
    let meta = SharedMeta::of(superslab);
    superslab.give_back(mask);
    settle(meta);
    purge_overdue();
}

/// Keeps an empty slab, which has been taken out of the registry, for its class.
pub(crate) fn keep(slab: &'static Slab) {
    let index = slab.class().index();
    let mut pool = POOL.lock();
    slab.after().set(pool.reuse[index]);
    pool.reuse[index] = slab;
}

/// Puts a SuperSlab where it belongs, then sees to the cache's limits.
fn settle(meta: &'static SharedMeta) {
    let victim = POOL.lock().settle(meta);
    if let Some(victim) = victim {
        unmap(victim);
    }
    enforce_limits();
}

/// Unmaps and purges what the cache holds over its limits.
fn enforce_limits() {
    loop {
        let mut pool = POOL.lock();
        if let Some(victim) = pool.cache.overdue() {
            pool.forget_dirty(victim);
            drop(pool);
            unmap(victim);
        } else if let Some(meta) = pool.cache.over_soft_cap() {
            pool.forget_dirty(meta);
            drop(pool);
            purge_whole(meta, "over the soft cap");
            POOL.lock().cache.put_back(meta);
        } else {
            return;
        }
    }
}

/// SuperSlabs in the cache.
pub(crate) fn cached() -> usize {
    POOL.lock().cache.len()
}

/// Locks and unlocks around a fork.
pub(crate) fn hold() {
    POOL.hold();
}

/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { POOL.let_go() };
}
