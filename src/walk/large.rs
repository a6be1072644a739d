//! Where the header of a LARGE slab contradicts itself, the registry, its SuperSlab, its units or the
//! record of its block.
//!
//! Nobody owns such a slab, so nothing says whether somebody is changing it. What is compared here is
//! in order at each moment that the registry has the slab's first slot (`large.rs`, 2). The record
//! of a block that is resized follows later, and is asked if no other thread is there.

use super::contradictions::of_slots;
use crate::arena::{self, UNIT};
use crate::registry::REGISTRY;
use crate::size_class::SLOT_BYTES;
use crate::slab::contradiction::{Contradiction, Look, differs};
use crate::slab::{Kind, Slab};
use crate::sys::memory::PAGE;
use crate::unit_stock;
use core::ptr;

const PAGES_PER_SLOT: usize = SLOT_BYTES / PAGE;
const PAGES_PER_UNIT: usize = UNIT / PAGE;
/// Slots of the longest run that there can be.
const RUN_SLOTS: usize = UNIT / SLOT_BYTES;

/// The first field that others contradict.
pub(super) fn contradiction(slab: &'static Slab, look: Look) -> Option<Contradiction> {
    let of_place = match slab.kind() {
        Kind::Run => of_run,
        Kind::Mapping => of_mapping,
        Kind::Closed | Kind::Blocks => return None,
    };
    let by = "its kind, which is one block";
    differs("slab.blocks", slab.blocks(), 1, by)
        .or_else(|| differs("slab.used", slab.used(), 1, by))
        .or_else(|| of_place(slab))
        .or_else(|| of_record(slab, look))
}

/// A run of slots.
fn of_run(slab: &'static Slab) -> Option<Contradiction> {
    let (slots, pages) = (slab.slots(), slab.pages());
    let by_pages = pages / PAGES_PER_SLOT;
    // The third who says it.
    let is_entered = |slot: &usize| {
        let there = REGISTRY.find(slab.start() + slot * SLOT_BYTES);
        there.is_some_and(|there| ptr::eq(there, slab))
    };
    let entered = (0..RUN_SLOTS).take_while(is_entered).count();
    if slots * PAGES_PER_SLOT != pages {
        let by = "its slots in the registry";
        return if pages == entered * PAGES_PER_SLOT {
            differs("slab.slots", slots, by_pages, by)
        } else {
            differs("slab.pages", pages, slots * PAGES_PER_SLOT, "its slots")
        };
    }
    let first = slab.start() % UNIT / SLOT_BYTES;
    if slots == 0 || first + slots > RUN_SLOTS {
        return differs("slab.slots", slots, entered, "its slots in the registry");
    }
    of_slots(slab, Some(slots)).or_else(|| of_bins(slab, slots))
}

/// Units of its own.
fn of_mapping(slab: &'static Slab) -> Option<Contradiction> {
    let by = "its kind, which has units of its own";
    let (slots, superslab) = (slab.slots(), slab.superslab() as usize);
    differs("slab.slots", slots, 0, by)
        .or_else(|| differs("slab.superslab", superslab, 0, by))
        .or_else(|| of_units(slab))
        .or_else(|| of_bins(slab, 1))
}

/// What frees of the slots' blocks go by.
fn of_bins(slab: &'static Slab, slots: usize) -> Option<Contradiction> {
    (0..slots).find_map(|slot| {
        let bin = REGISTRY.bin_of(slab.start() + slot * SLOT_BYTES)?;
        differs("registry.owners", bin, 0, "the LARGE block that is there")
    })
}

/// That its units are whole ones, and nobody else's.
fn of_units(slab: &'static Slab) -> Option<Contradiction> {
    let (start, pages) = (slab.start(), slab.pages());
    let whole = pages.next_multiple_of(PAGES_PER_UNIT).max(PAGES_PER_UNIT);
    if pages != whole {
        return differs("slab.pages", pages, whole, "the units that it has");
    }
    let units = pages / PAGES_PER_UNIT;
    let has_others = |unit: &usize| {
        let address = start + unit * UNIT;
        REGISTRY.find(address).is_some() || REGISTRY.superslab_of(address).is_some()
    };
    let up_to = |unit, by| differs("slab.pages", pages, unit * PAGES_PER_UNIT, by);
    (1..units)
        .find(has_others)
        .and_then(|unit| up_to(unit, "the registry, which has others behind"))
        .or_else(|| up_to(arena::used_from(start, units)?, "the units that are in use"))
        .or_else(|| up_to(unit_stock::apart_from(start, units)?, "the stock of units"))
}

/// That the block has the bytes that were asked for.
fn of_record(slab: &'static Slab, look: Look) -> Option<Contradiction> {
    let asked = (look.records.live_bytes)(&super::found(slab, 0)?.block)?;
    if !look.is_alone || asked <= slab.block_bytes() {
        return None;
    }
    let by = "the record of its block";
    differs("slab.pages", slab.pages(), asked.div_ceil(PAGE), by)
}
