//! The cache of SuperSlabs of which no slot is in use, in the order of their last use.
//!
//! ```text
//! newest ──► … ──► oldest
//!    │                └── leaves over a capacity, or when its time is up
//!    └── taken first: its pages are most likely still there
//! ```
//!
//! Part of the shared pool, under its lock. A cached SuperSlab is held whole by the cache.

use super::list::List;
use super::record::{Place, SharedMeta};
use crate::config;
use crate::counters::{self, Counter};
use crate::observe::Event;
use crate::superslab::SUPERSLAB_BYTES;
use crate::sys::clock;

/// See the head of this file.
pub(super) struct SuperSlabCache {
    list: List,
    count: usize,
    inserted: u64,
}

impl SuperSlabCache {
    pub(super) const fn new() -> Self {
        SuperSlabCache {
            list: List::EMPTY,
            count: 0,
            inserted: 0,
        }
    }

    /// SuperSlabs in the cache.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Puts in a SuperSlab that the caller holds whole, as the newest.
    pub(super) fn insert(&mut self, meta: &'static SharedMeta) {
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
    pub(super) fn put_back(&mut self, meta: &'static SharedMeta) {
        meta.place.set(Place::Cached);
        let newer = self
            .list
            .oldest_first()
            .find(|other| other.cached_as.get() > meta.cached_as.get());
        match newer {
            Some(newer) => self.list.insert_behind(newer, meta),
            None => self.list.push_front(meta),
        }
        self.count += 1;
    }

    /// Takes out one SuperSlab; the caller holds it.
    pub(super) fn remove(&mut self, meta: &'static SharedMeta) {
        self.list.remove(meta);
        meta.place.set(Place::Nowhere);
        self.count -= 1;
    }

    /// Takes out the newest, to be used.
    pub(super) fn take(&mut self) -> Option<&'static SharedMeta> {
        let newest = self.list.front()?;
        self.give(newest);
        Some(newest)
    }

    /// Takes out one SuperSlab to be used.
    fn give(&mut self, meta: &'static SharedMeta) {
        self.remove(meta);
        let cached = self.count;
        meta.notice(|base| Event::CacheTaken { base, cached });
    }

    /// Takes out the newest, to be given back because everything is.
    pub(super) fn evict(&mut self) -> Option<&'static SharedMeta> {
        let newest = self.list.front()?;
        self.leave(newest, "everything free is given back");
        Some(newest)
    }

    /// Takes out one SuperSlab to be given back.
    fn leave(&mut self, meta: &'static SharedMeta, why: &'static str) {
        self.remove(meta);
        let cached = self.count;
        meta.notice(|base| Event::CacheEvicted { base, cached, why });
    }

    /// Takes out the newest that has pages, to be used, of the `looked_at` newest.
    pub(super) fn take_dirty(&mut self, looked_at: usize) -> Option<&'static SharedMeta> {
        let found = self
            .list
            .newest_first()
            .take(looked_at)
            .find(|meta| meta.is_dirty())?;
        self.give(found);
        Some(found)
    }

    /// Takes out the oldest if the cache holds more than it may, or if its time is up.
    pub(super) fn overdue(&mut self) -> Option<&'static SharedMeta> {
        let oldest = self.list.back()?;
        let meta = oldest;
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
    pub(super) fn over_soft_cap(&mut self) -> Option<&'static SharedMeta> {
        let soft_cap = config::get().superslab_soft_cap as usize;
        if self.count <= soft_cap {
            return None;
        }
        let found = self
            .list
            .oldest_first()
            .take(self.count - soft_cap)
            .find(|meta| meta.is_dirty())?;
        self.remove(found);
        counters::add(Counter::SoftCapPurges, 1);
        Some(found)
    }
}
