//! The cache of SuperSlabs of which no slot is in use, in the order of their last use.
//!
//! ```text
//! newest ──► … ──► oldest
//!    │                └── leaves over a capacity, or when its time is up
//!    └── taken first: its pages are most likely still there
//! ```
//!
//! Part of the shared pool, under its lock. A cached SuperSlab is held whole by the cache.

use crate::config;
use crate::counters::{self, Counter};
use crate::observe::Event;
use crate::shared_pool::{List, Place, SharedMeta};
use crate::superslab::SUPERSLAB_BYTES;
use crate::sys::clock;
use core::ptr::NonNull;

/// See the head of this file.
pub(crate) struct SuperSlabCache {
    list: List,
    count: usize,
    inserted: u64,
}

impl SuperSlabCache {
    pub(crate) const fn new() -> Self {
        SuperSlabCache {
            list: List::new(),
            count: 0,
            inserted: 0,
        }
    }

    /// SuperSlabs in the cache.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Puts in a SuperSlab that the caller holds whole, as the newest.
    pub(crate) fn insert(&mut self, meta: &SharedMeta) {
        meta.place.set(Place::Cached);
        meta.cached_at.set(clock::now_ms());
        self.inserted += 1;
        meta.cached_as.set(self.inserted);
        self.list.push_front(meta);
        self.count += 1;
        counters::add(Counter::CacheInserts, 1);
        let cached = self.count;
        meta.notice(|base| Event::CacheKept { base, cached });
    }

    /// Puts back, where it was, a SuperSlab that was taken out to be purged.
    pub(crate) fn put_back(&mut self, meta: &SharedMeta) {
        meta.place.set(Place::Cached);
        let newer = self
            .list
            .oldest_first()
            // SAFETY: records are never unmapped.
            .find(|other| unsafe { other.as_ref() }.cached_as.get() > meta.cached_as.get());
        match newer {
            // SAFETY: as above.
            Some(newer) => self.list.insert_behind(unsafe { newer.as_ref() }, meta),
            None => self.list.push_front(meta),
        }
        self.count += 1;
    }

    /// Takes out one SuperSlab; the caller holds it.
    pub(crate) fn remove(&mut self, meta: &SharedMeta) {
        self.list.remove(meta);
        meta.place.set(Place::Nowhere);
        self.count -= 1;
    }

    /// Takes out the newest, to be used.
    pub(crate) fn take(&mut self) -> Option<NonNull<SharedMeta>> {
        let newest = self.list.front()?;
        // SAFETY: records are never unmapped.
        self.give(unsafe { newest.as_ref() });
        Some(newest)
    }

    /// Takes out one SuperSlab to be used.
    fn give(&mut self, meta: &SharedMeta) {
        self.remove(meta);
        let cached = self.count;
        meta.notice(|base| Event::CacheTaken { base, cached });
    }

    /// Takes out the newest, to be given back because everything is.
    pub(crate) fn evict(&mut self) -> Option<NonNull<SharedMeta>> {
        let newest = self.list.front()?;
        // SAFETY: records are never unmapped.
        self.leave(unsafe { newest.as_ref() }, "everything free is given back");
        Some(newest)
    }

    /// Takes out one SuperSlab to be given back.
    fn leave(&mut self, meta: &SharedMeta, why: &'static str) {
        self.remove(meta);
        let cached = self.count;
        meta.notice(|base| Event::CacheEvicted { base, cached, why });
    }

    /// Takes out the newest that has pages, to be used, of the `looked_at` newest.
    pub(crate) fn take_dirty(&mut self, looked_at: usize) -> Option<NonNull<SharedMeta>> {
        let found = self
            .list
            .newest_first()
            .take(looked_at)
            // SAFETY: records are never unmapped.
            .find(|meta| unsafe { meta.as_ref() }.is_dirty())?;
        // SAFETY: records are never unmapped.
        self.give(unsafe { found.as_ref() });
        Some(found)
    }

    /// Takes out the oldest if the cache holds more than it may, or if its time is up.
    pub(crate) fn overdue(&mut self) -> Option<NonNull<SharedMeta>> {
        let oldest = self.list.back()?;
        // SAFETY: records are never unmapped.
        let meta = unsafe { oldest.as_ref() };
        let options = config::get();
        let by_memory = options
            .superslab_max_memory_mb
            .map_or(usize::MAX, |mb| ((mb as usize) << 20) / SUPERSLAB_BYTES);
        let capacity = options.cache_capacity() as usize;
        let why = if self.count > by_memory.min(capacity) {
            counters::add(Counter::LruEvictions, 1);
            if self.count > capacity {
                "over the capacity"
            } else {
                "over the memory limit"
            }
        } else if options.superslab_ttl_sec.is_some_and(|ttl| {
            clock::now_ms().saturating_sub(meta.cached_at.get()) >= u64::from(ttl) * 1000
        }) {
            counters::add(Counter::TtlEvictions, 1);
            "its time to live is over"
        } else {
            return None;
        };
        self.leave(meta, why);
        Some(oldest)
    }

    /// Takes out the oldest that still has pages, if more SuperSlabs are cached than the
    /// soft cap says; to be purged and put back.
    pub(crate) fn over_soft_cap(&mut self) -> Option<NonNull<SharedMeta>> {
        let soft_cap = config::get().superslab_soft_cap as usize;
        if self.count <= soft_cap {
            return None;
        }
        let found = self
            .list
            .oldest_first()
            .take(self.count - soft_cap)
            // SAFETY: records are never unmapped.
            .find(|meta| unsafe { meta.as_ref() }.is_dirty())?;
        // SAFETY: records are never unmapped.
        self.remove(unsafe { found.as_ref() });
        counters::add(Counter::SoftCapPurges, 1);
        Some(found)
    }
}
