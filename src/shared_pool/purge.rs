//! Pages of free slots that go back to the system.

use super::mapping::unmap;
use super::record::{Place, SharedMeta};
use super::{POOL, release, settle};
use crate::config;
use crate::counters::{self, Counter};
use crate::huge_pages;
use crate::observe::Event;
use crate::size_class::{CLASSES, SLOT_BYTES};
use crate::superslab::{ALL, SLOTS};
use crate::sys::clock;
use crate::sys::memory;
use crate::tuning;
use crate::unit_stock;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Milliseconds between two purges of what has been dirty for too long, and how much one may
/// take: a part of what is dirty, or that many slots.
const PURGE_EVERY_MS: u64 = 50;
const PURGE_SHARE: usize = 16;
const PURGE_LEAST: usize = 4;

/// The time before which no more pages are given back for their age. Relaxed: nothing else hangs
/// on it.
static NEXT_PURGE: AtomicU64 = AtomicU64::new(0);

/// One thread purges at a time: set Acquire by who begins, cleared Release by the same when it has
/// ended, so that the next one sees what it has done.
static PURGING: AtomicBool = AtomicBool::new(false);

/// Free slots that may stay dirty for good: the larger of 1 MiB and a sixteenth of what
/// is in use.
fn dirty_bound() -> usize {
    let held = counters::slots_held();
    let usual = (held / 16).max((1 << 20) / SLOT_BYTES);
    tuning::dirty_bound(held, usual)
}

/// Gives back the pages of free slots that the caller has claimed; how many were dirty.
fn purge(meta: &'static SharedMeta, mask: u32) -> usize {
    let superslab = meta.superslab();
    let mut bytes = 0;
    for (address, len) in superslab.runs(mask) {
        // SAFETY: the slots are claimed by us, so nobody uses them.
        unsafe { memory::purge(address, len) };
        bytes += len;
    }
    let dirty = superslab.dirty_among(mask).count_ones() as usize;
    superslab.set_clean(mask);
    superslab.forget_unfilled(mask);
    counters::slots_cleaned(dirty);
    counters::add(Counter::PurgedBytes, bytes as u64);
    dirty
}

/// Gives back the pages of a cached SuperSlab that the caller holds whole; how many slots were
/// dirty.
pub(super) fn purge_whole(meta: &'static SharedMeta, why: &'static str) -> usize {
    let superslab = meta.superslab();
    meta.notice(|base| Event::CachePurged { base, why });
    // In part, a huge page would only be split.
    let mask = if huge_pages::has(superslab) {
        ALL
    } else {
        superslab.dirty_among(ALL)
    };
    purge(meta, mask)
}

/// Gives back the slots `dirty`, which the caller has claimed of a SuperSlab in use, and their
/// pages; how many there are.
fn purge_part(meta: &'static SharedMeta, dirty: u32) -> usize {
    let superslab = meta.superslab();
    let mut mask = dirty;
    // Nobody can unmap it while we hold some of it.
    if dirty != 0 && huge_pages::has(superslab) {
        huge_pages::end(superslab);
        mask |= superslab.claim_free(0);
    }
    let dirty = purge(meta, mask);
    superslab.give_back(mask);
    settle(meta);
    dirty
}

/// Gives back pages, the longest dirty first, while `wanted` says so of the time that
/// the next ones have been dirty and of the slots purged so far. Returns those.
pub(super) fn purge_while(mut wanted: impl FnMut(u64, usize) -> bool) -> usize {
    if PURGING.swap(true, Ordering::Acquire) {
        return 0;
    }
    let mut purged = 0;
    loop {
        let mut pool = POOL.lock();
        let Some(meta) = pool.dirty.front() else {
            break;
        };
        if !wanted(meta.dirty_since.get(), purged) {
            break;
        }
        pool.forget_dirty(meta);
        if meta.place.get() == Place::Cached {
            pool.cache.remove(meta);
            drop(pool);
            purged += purge_whole(meta, "dirty for longest");
            POOL.lock().cache.put_back(meta);
        } else {
            let dirty = meta.superslab().claim_dirty();
            drop(pool);
            purged += purge_part(meta, dirty);
        }
    }
    PURGING.store(false, Ordering::Release);
    purged
}

/// Gives back pages beyond the bound that have been dirty for long enough, little by little: a
/// program that frees much and soon wants it again keeps most of it. All of it at once where the
/// delay is none, or memory learning has said how much may lie there.
pub(super) fn purge_overdue() {
    tuning::tick();
    if counters::slots_dirty() <= dirty_bound() {
        return;
    }
    let (now, delay) = (clock::now_ms(), tuning::purge_delay_ms());
    let most = if delay == 0 || config::get().mem_learn {
        usize::MAX
    } else if now < NEXT_PURGE.load(Ordering::Relaxed) {
        return;
    } else {
        (counters::slots_dirty() / PURGE_SHARE).max(PURGE_LEAST)
    };
    let purged = purge_while(|since, purged| {
        purged < most
            && counters::slots_dirty() > dirty_bound()
            && now.saturating_sub(since) >= delay
    });
    if purged > 0 {
        NEXT_PURGE.store(now + PURGE_EVERY_MS, Ordering::Relaxed);
    }
}

/// When the heap grows by `units` units: gives back as much of what lies dirty.
pub(crate) fn make_room(units: usize) {
    unit_stock::give_back(units);
    if counters::slots_dirty() > 0 {
        purge_while(|_, purged| purged < units * SLOTS);
    }
}

/// Gives back everything that is free: the pages of all dirty slots, and all cached
/// SuperSlabs. Says whether there was something.
pub(crate) fn trim() -> bool {
    release_kept();
    let mut any = purge_while(|_, _| true) > 0;
    any |= unit_stock::give_back(usize::MAX);
    loop {
        let mut pool = POOL.lock();
        let Some(meta) = pool.cache.evict() else {
            return any;
        };
        pool.forget_dirty(meta);
        drop(pool);
        unmap(meta);
        any = true;
    }
}

/// Gives back the slabs that are kept for their classes.
fn release_kept() {
    for index in 0..CLASSES {
        loop {
            let mut pool = POOL.lock();
            // SAFETY: headers are never unmapped; this one is held by the pool.
            let Some(slab) = (unsafe { pool.reuse[index].as_ref() }) else {
                break;
            };
            pool.reuse[index] = slab.after().get();
            drop(pool);
            let site = slab.site();
            slab.close();
            release(&site);
        }
    }
}

/// In a fork's child: another thread may have been purging, and is not here.
pub(crate) fn forget_purger() {
    PURGING.store(false, Ordering::Release);
}
