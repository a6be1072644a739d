//! SuperSlabs of the arena for the shared pool, and back.

use super::POOL;
use super::acquire::set_hint;
use super::purge::make_room;
use super::record::SharedMeta;
use crate::arena;
use crate::config;
use crate::counters::{self, Counter};
use crate::huge_pages;
use crate::observe::{Event, Observed, Observer};
use crate::registry::REGISTRY;
use crate::superslab::{ALL, SLOTS, SUPERSLAB_BYTES};
use crate::sys::memory;
use crate::unit_stock;

/// Maps `units` SuperSlabs in a row, registered, and held whole by the caller. Returns
/// the first one's record.
pub(super) fn map_new(units: usize) -> Option<&'static SharedMeta> {
    let reused = unit_stock::take(units);
    let clean = reused.is_none();
    let base = match reused {
        Some(base) => base,
        None => arena::allocate(units)?,
    };
    // SAFETY: the units are ours as of now.
    let committed = !clean || unsafe { memory::commit(base, units * SUPERSLAB_BYTES) };
    let mut first = None;
    for unit in 0..units {
        let record = committed.then(|| POOL.lock().record()).flatten();
        let Some(record) = record else {
            unmap_from(base, unit, units);
            return None;
        };
        let superslab = record.superslab();
        let at = base + unit * SUPERSLAB_BYTES;
        superslab.set_base(at, clean);
        REGISTRY.set_superslab(at, Some(superslab));
        Observed::notice(Event::SuperSlabMapped { base: at });
        first = first.or(Some(record));
    }
    counters::add(Counter::SuperSlabsMapped, units as u64);
    if clean {
        make_room(units);
    } else {
        counters::slots_came_dirty(units * SLOTS);
    }
    first
}

/// Takes back the first `made` of `units` SuperSlabs that [`map_new`] could not finish.
#[cold]
fn unmap_from(base: usize, made: usize, units: usize) {
    for unit in 0..made {
        let at = base + unit * SUPERSLAB_BYTES;
        if let Some(superslab) = REGISTRY.superslab_of(at) {
            REGISTRY.set_superslab(at, None);
            POOL.lock().spare.push_front(SharedMeta::of(superslab));
        }
    }
    // SAFETY: `map_new` has just allocated the units, and nobody else knows of them.
    unsafe { arena::release(base, units) };
}

/// Unmaps a SuperSlab that the caller holds whole and that is on no list.
pub(super) fn unmap(meta: &'static SharedMeta) {
    let superslab = meta.superslab();
    counters::slots_cleaned(superslab.dirty_among(ALL).count_ones() as usize);
    superslab.forget_unfilled(ALL);
    REGISTRY.set_superslab(superslab.base(), None);
    meta.notice(|base| Event::SuperSlabFreed { base });
    // SAFETY: all of its slots are held, so nobody uses it.
    unsafe { arena::release(superslab.base(), 1) };
    counters::add(Counter::SuperSlabsUnmapped, 1);
    POOL.lock().spare.push_front(meta);
}

/// Maps and populates SuperSlabs ahead of use, as the options say.
pub(crate) fn prewarm() {
    let options = config::get();
    let per_class = options.prewarm_superslabs as usize * crate::size_class::TINY_CLASSES;
    let total = match options.superslab_prewarm as usize {
        0 => per_class,
        total if per_class == 0 => total,
        total => total.min(per_class),
    };
    for made in 0..total {
        let Some(meta) = map_new(1) else { return };
        let superslab = meta.superslab();
        huge_pages::choose_ahead(superslab);
        // SAFETY: mapped just now, and held by us.
        unsafe { memory::populate(superslab.base(), SUPERSLAB_BYTES) };
        counters::add(Counter::Prewarmed, 1);
        let class = made % crate::size_class::TINY_CLASSES;
        meta.notice(|base| Event::Prewarmed {
            base,
            class: (per_class > 0).then_some(class),
            left: total - made - 1,
        });
        if per_class > 0 {
            set_hint(class, superslab);
            superslab.give_back(ALL);
            POOL.lock().place_by_free(meta);
        } else {
            POOL.lock().cache.insert(meta);
        }
    }
}
