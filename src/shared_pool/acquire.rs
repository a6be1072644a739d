//! Slots from the stages of the shared pool, as its head has them.

use super::mapping::map_new;
use super::purge::purge_while;
use super::record::SharedMeta;
use super::{LISTS, POOL, Pool, enforce_limits, list_of, settle};
use crate::counters::{self, Counter};
use crate::huge_pages;
use crate::registry::REGISTRY;
use crate::size_class::{CLASSES, SLOT_BYTES, SizeClass};
use crate::slab::{Site, Slab};
use crate::superslab::{ALL, SLOTS, SUPERSLAB_BYTES, SuperSlab};
use crate::sys::lock::Guard;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Dirty slots that stay where they are although clean ones are taken: 512 KiB. What was freed
/// just now is not somebody else's at once, so that a second free of it is noticed.
const DIRTY_SLACK: usize = (512 << 10) / SLOT_BYTES;
/// SuperSlabs of one list that a claim looks at before it goes on.
const LOOKED_AT: usize = 16;

/// The hint of requests that are of no class: runs for LARGE and arenas.
const RUN_HINT: usize = CLASSES;

/// By class, the SuperSlab that served last; the last one is for runs. Relaxed: records
/// are never unmapped, and a claim has its own ordering.
static HINTS: [AtomicPtr<SuperSlab>; CLASSES + 1] =
    [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES + 1];

/// Slots, where they are, and the stage that served them.
type Claimed = (Site, &'static SuperSlab, Counter);

/// What an acquire found.
pub(crate) enum Found {
    /// Memory to open a slab in.
    Site(Site),
    /// A slab of the class, all of its blocks free; to be entered in the registry again.
    Slab(&'static Slab),
}

impl Pool {
    /// Slots in a row that have their pages, of the fullest SuperSlab that has such, or else of
    /// an empty one.
    fn claim_used(&mut self, slots: usize) -> Option<Claimed> {
        for list in lists_for(slots) {
            for meta in self.in_use[list].newest_first().take(LOOKED_AT) {
                if let Some(site) = meta.superslab().claim_used(slots) {
                    self.place_by_free(meta);
                    return Some((site, meta.superslab(), Counter::AcquireInUse));
                }
            }
        }
        let meta = self.cache.take_dirty(LOOKED_AT)?;
        let superslab = meta.superslab();
        superslab.give_back(ALL);
        let site = superslab.claim_used(slots);
        self.place_by_free(meta);
        Some((site?, superslab, Counter::AcquireCached))
    }

    fn claim_in_use(&mut self, slots: usize) -> Option<(Site, &'static SuperSlab, usize)> {
        for list in lists_for(slots) {
            for _ in 0..LOOKED_AT {
                let mut tried = None;
                for meta in self.in_use[list].newest_first().take(LOOKED_AT) {
                    let superslab = meta.superslab();
                    if let Some((site, clean)) = superslab.claim(slots) {
                        self.place_by_free(meta);
                        return Some((site, superslab, clean));
                    }
                    // Claims by hint do not move what they claim from.
                    let free = superslab.free();
                    if free == 0 || usize::from(list_of(free)) != list {
                        tried = Some(meta);
                        break;
                    }
                }
                match tried {
                    Some(meta) => self.place_by_free(meta),
                    None => break,
                }
            }
        }
        None
    }
}

/// The lists of SuperSlabs that may have so many free slots.
fn lists_for(slots: usize) -> impl Iterator<Item = usize> {
    (0..LISTS).filter(move |list| (2 << list) > slots || list + 1 == LISTS)
}

fn hint(index: usize) -> Option<&'static SuperSlab> {
    // SAFETY: records are never unmapped.
    unsafe { HINTS[index].load(Ordering::Relaxed).as_ref() }
}

pub(super) fn set_hint(index: usize, superslab: &SuperSlab) {
    HINTS[index].store(ptr::from_ref(superslab).cast_mut(), Ordering::Relaxed);
}

/// Has the hint `index`, and all that are where it was, point to `superslab`.
fn move_hints(index: usize, superslab: &SuperSlab) {
    let new = ptr::from_ref(superslab).cast_mut();
    let old = HINTS[index].load(Ordering::Relaxed);
    for hint in &HINTS {
        if hint.load(Ordering::Relaxed) == old {
            hint.store(new, Ordering::Relaxed);
        }
    }
}

/// A slab's worth of slots for `class` from the stages that take no more memory from the
/// system: hint, reuse, in use.
pub(crate) fn acquire(class: SizeClass) -> Option<Found> {
    let index = class.index();
    if let Some(site) = claim_hinted(index, class.slots()) {
        counters::add(Counter::AcquireHint, 1);
        return Some(Found::Site(site));
    }
    let mut pool = POOL.lock();
    let head = pool.reuse[index];
    // SAFETY: headers are never unmapped; this one is held by the pool.
    if let Some(slab) = unsafe { head.as_ref() } {
        pool.reuse[index] = slab.after().get();
        counters::add(Counter::AcquireReuse, 1);
        return Some(Found::Slab(slab));
    }
    let (site, superslab, stage) = claim_in_use(pool, index, class.slots())?;
    move_hints(index, superslab);
    counters::add(stage, 1);
    Some(Found::Site(site))
}

/// `slots` slots in a row that are of no class, from memory that is ours already.
pub(crate) fn acquire_run(slots: usize) -> Option<Site> {
    if let Some(site) = claim_hinted(RUN_HINT, slots) {
        return Some(site);
    }
    let (site, superslab, _) = claim_in_use(POOL.lock(), RUN_HINT, slots)?;
    set_hint(RUN_HINT, superslab);
    Some(site)
}

/// Slots in a row of the SuperSlab that the hint `index` points to: clean ones only while there
/// are none elsewhere that have their pages.
fn claim_hinted(index: usize, slots: usize) -> Option<Site> {
    let superslab = hint(index)?;
    if counters::slots_dirty() > DIRTY_SLACK {
        return superslab.claim_used(slots);
    }
    superslab.claim(slots).map(|(site, _)| site)
}

/// Slots in a row of SuperSlabs in use: such that have their pages, or else of the hint
/// `index`, or of any.
fn claim_in_use(mut pool: Guard<'static, Pool>, index: usize, slots: usize) -> Option<Claimed> {
    if counters::slots_dirty() > DIRTY_SLACK
        && let Some(claimed) = pool.claim_used(slots)
    {
        drop(pool);
        if let Counter::AcquireCached = claimed.2 {
            enforce_limits();
        }
        return Some(claimed);
    }
    let hinted = hint(index).and_then(|superslab| {
        let (site, clean) = superslab.claim(slots)?;
        Some((site, superslab, clean, Counter::AcquireHint))
    });
    let (site, superslab, clean, stage) = match hinted {
        Some(claimed) => claimed,
        None => {
            let (site, superslab, clean) = pool.claim_in_use(slots)?;
            (site, superslab, clean, Counter::AcquireInUse)
        }
    };
    drop(pool);
    pay_for(clean, superslab);
    Some((site, superslab, stage))
}

/// Claims the `more` slots behind those of a run that the caller holds; says whether that can be
/// done.
pub(crate) fn extend_run(site: &Site, more: usize) -> bool {
    let Some(superslab) = REGISTRY.superslab_of(site.start) else {
        return false;
    };
    let clean = superslab.claim_behind(site, more);
    if let Some(clean) = clean {
        pay_for(clean, superslab);
    }
    clean.is_some()
}

/// When `clean` slots of a SuperSlab are taken into use: gives back as much of what lies dirty,
/// beyond what a change of sizes needs.
fn pay_for(clean: usize, superslab: &SuperSlab) {
    // In a huge page they have their memory.
    if clean > 0 && !superslab.is_unfilled() {
        purge_while(|_, purged| purged < clean && counters::slots_dirty() > DIRTY_SLACK);
    }
}

/// A slab's worth of slots for `class` from an empty SuperSlab, cached or new.
pub(crate) fn grow(class: SizeClass) -> Option<Site> {
    let (site, superslab, stage) = claim_from_empty(class.slots())?;
    counters::add(stage, 1);
    move_hints(class.index(), superslab);
    Some(site)
}

/// As [`grow`], for slots that are of no class.
pub(crate) fn grow_run(slots: usize) -> Option<Site> {
    let (site, superslab, _) = claim_from_empty(slots)?;
    set_hint(RUN_HINT, superslab);
    Some(site)
}

fn claim_from_empty(slots: usize) -> Option<Claimed> {
    debug_assert!(slots <= SLOTS);
    loop {
        let cached = POOL.lock().cache.take();
        let (meta, stage) = match cached {
            Some(meta) => (meta, Counter::AcquireCached),
            None => (map_new(1)?, Counter::AcquireNew),
        };
        let superslab = meta.superslab();
        if !meta.is_dirty() {
            huge_pages::choose(superslab);
        }
        superslab.give_back(ALL);
        let site = superslab.claim(slots);
        settle(meta);
        // Hints may still point to a SuperSlab that was cached, and others be faster.
        if let Some((site, clean)) = site {
            pay_for(clean, superslab);
            return Some((site, superslab, stage));
        }
    }
}

/// A reservation of `slots` slots in a row of which none is in use, over as many
/// SuperSlabs as it takes; `None` when the system has no more.
pub(crate) fn reserve(slots: usize) -> Option<Site> {
    if slots <= SLOTS {
        return acquire_run(slots).or_else(|| grow_run(slots));
    }
    let units = slots.div_ceil(SLOTS);
    let first = map_new(units)?;
    let start = first.superslab().base();
    let mut dirty = 0;
    for unit in 0..units {
        let held = (slots - unit * SLOTS).min(SLOTS);
        if let Some(superslab) = REGISTRY.superslab_of(start + unit * SUPERSLAB_BYTES) {
            if superslab.dirty_among(ALL) == 0 {
                huge_pages::choose(superslab);
            }
            dirty += superslab.take_reserved(held);
            if held < SLOTS {
                settle(SharedMeta::of(superslab));
            }
        }
    }
    counters::slots_claimed(slots, dirty);
    Some(Site {
        start,
        slots,
        superslab: ptr::null(),
        clean: dirty == 0,
    })
}
