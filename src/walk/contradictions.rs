//! Where the allocator's structures contradict one another, as far as nobody is changing them.
//!
//! 1. A slab of blocks is looked at while its owner changes nothing: the owner's mark says so before
//!    and after, or the lock of the list that an owner without a thread is on is held meanwhile.
//! 2. A LARGE slab has no owner. What is looked at of it holds from before its first slot is entered
//!    in the registry until after that is cleared, through all that happens in between.
//! 3. What others may be in the middle of for a moment is there in some of [`TIMES`] looks, and told
//!    is what is there in all of them.

use super::large;
use crate::observe::{Block, Record};
use crate::registry::REGISTRY;
use crate::size_class::SLOT_BYTES;
use crate::slab::contradiction::{Contradiction, Look, Records, differs};
use crate::slab::{Kind, Slab};
use crate::superslab::{SUPERSLAB_BYTES, SuperSlab};
use crate::thread_cache::ThreadCache;
use crate::thread_cache::parked;
use core::ptr;

/// So often a contradiction has to be there, with moments in between.
const TIMES: usize = 5;
/// Caches that are told of.
const CACHES: usize = 4;

/// Whose field contradicts others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// That of a slab, which begins at the address.
    Slab,
    /// That of the thread cache at the address.
    Cache,
}

/// Calls `each` with what contradicts the rest, of slabs and of caches that no thread has. `wait`
/// lets others go on for a moment.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn for_each_contradiction(
    is_out: fn(&Block<'static, Record>, bool) -> bool,
    live_bytes: fn(&Block<'static, Record>) -> Option<usize>,
    wait: fn(),
    each: &mut dyn FnMut(Whose, usize, Contradiction),
) {
    let mut found = [None; CACHES];
    parked::contradictions(&mut found);
    for (cache, wrong) in found.into_iter().flatten() {
        each(Whose::Cache, cache, wrong);
    }
    let records = Records { is_out, live_bytes };
    for (address, slab) in REGISTRY.entries() {
        let Some(seen) = of_entry(address, slab, records) else {
            continue;
        };
        let is_there = |_| {
            wait();
            of_entry(address, slab, records) == Some(seen)
        };
        if (1..TIMES).all(is_there) {
            each(Whose::Slab, address, seen);
        }
    }
}

/// What is wrong with a slab, if it begins at the address, for which the registry has it; or with the
/// entry.
fn of_entry(address: usize, slab: &'static Slab, records: Records) -> Option<Contradiction> {
    let look = Look {
        is_alone: ThreadCache::is_alone(),
        records,
    };
    let seen = if slab.start() != address {
        of_start(address, slab)
    } else if let Some(wrong) = of_kind(slab) {
        Some(wrong)
    } else if slab.kind() == Kind::Blocks {
        of_blocks(slab, look)
    } else {
        large::contradiction(slab, look)
    }?;
    is_entered(address, slab).then_some(seen)
}

fn is_entered(address: usize, slab: &Slab) -> bool {
    REGISTRY
        .find(address)
        .is_some_and(|there| ptr::eq(there, slab))
}

/// What is wrong where the entry of a slot has a slab that does not begin there.
fn of_start(address: usize, slab: &'static Slab) -> Option<Contradiction> {
    let start = slab.start();
    if is_entered(start, slab) {
        // The slab is where it says, so it is the entry.
        let is_known = covers(slab, address) || is_covered(address);
        let by = "the slabs around";
        return (!is_known).then(|| differs("registry.slabs", address_of(slab), 0, by))?;
    }
    // Of a slab that is being entered or cleared the first slot's entry is missing.
    let is_on_the_way = REGISTRY.find(start).is_none() && covers(slab, address);
    // Told where its first entry is.
    let is_told = is_entered(address.wrapping_sub(SLOT_BYTES), slab);
    (!is_on_the_way && !is_told).then(|| differs("slab.start", start, address, "the registry"))?
}

/// Whether an address lies in the slots of a slab, by whatever says the most of them.
fn covers(slab: &Slab, address: usize) -> bool {
    let slots = slab.slots().max(match slab.kind() {
        Kind::Blocks => slab.class_slots().unwrap_or(0),
        _ => slab.block_bytes() / SLOT_BYTES,
    });
    address.wrapping_sub(slab.start()) < slots * SLOT_BYTES
}

/// Whether a slab that begins in front of a slot has it: then that slab tells of the slot's entry.
fn is_covered(address: usize) -> bool {
    let base = address & !(SUPERSLAB_BYTES - 1);
    let mut starts = (base..address).step_by(SLOT_BYTES);
    starts.any(|start| {
        let slab = REGISTRY.find(start).filter(|slab| slab.start() == start);
        slab.is_some_and(|slab| covers(slab, address))
    })
}

/// What says which kind of slab it is: its kind, its owner, its blocks and its slots.
fn of_kind(slab: &'static Slab) -> Option<Contradiction> {
    let (kind, owner) = (slab.kind(), slab.owner() as usize);
    let has_one = slab.blocks() == 1;
    let likely = match (has_one, slab.slots()) {
        (false, _) => Kind::Blocks,
        (true, 0) => Kind::Mapping,
        (true, _) => Kind::Run,
    };
    let kind_is = |by| differs("slab.kind", kind as usize, likely as usize, by);
    match kind {
        Kind::Closed => kind_is("the registry, its blocks and its slots"),
        Kind::Blocks if owner == 0 && has_one => kind_is("its owner and its blocks"),
        Kind::Blocks if !ThreadCache::all().any(|cache| cache.owns(slab)) => {
            let owner_by_bin = REGISTRY
                .bin_of(slab.start())
                .and_then(ThreadCache::inbox_of_bin);
            let by = "where the registry has its blocks freed to";
            differs("slab.owner", owner, owner_by_bin?, by)
        }
        Kind::Blocks => None,
        _ if owner != 0 && !has_one => kind_is("its owner and its blocks"),
        _ if owner != 0 => differs("slab.owner", owner, 0, "its kind, which has none"),
        // Otherwise it is its slots that are wrong.
        _ if kind != likely && (likely == Kind::Run) != slab.superslab().is_null() => {
            kind_is("its slots and its SuperSlab")
        }
        _ => None,
    }
}

/// What is wrong with a slab of blocks that nobody is changing.
fn of_blocks(slab: &'static Slab, look: Look) -> Option<Contradiction> {
    let owner = ThreadCache::all().find(|cache| cache.owns(slab))?;
    parked::quietly(owner, || {
        let is_its = owner.owns(slab) && slab.kind() == Kind::Blocks;
        let seen = is_its.then(|| of_slots(slab, slab.class_slots()))?;
        let seen = seen.or_else(|| slab.contradiction(look))?;
        owner.owns(slab).then_some(seen)
    })?
}

/// Where the registry and the SuperSlab contradict a slab of so many slots.
pub(super) fn of_slots(slab: &'static Slab, slots: Option<usize>) -> Option<Contradiction> {
    let slots = slots?;
    let entry = |slot| {
        let entry = REGISTRY.find(slab.start() + slot * SLOT_BYTES);
        let by = "the slab that has the slot";
        differs(
            "registry.slabs",
            entry.map_or(0, address_of),
            address_of(slab),
            by,
        )
    };
    if let Some(wrong) = (0..slots).find_map(entry) {
        return Some(wrong);
    }
    let superslab = REGISTRY.superslab_of(slab.start());
    let address = superslab.map_or(0, |superslab| ptr::from_ref(superslab) as usize);
    let named = slab.superslab() as usize;
    if named != address {
        return differs("slab.superslab", named, address, "the registry");
    }
    of_superslab(slab, slots, superslab?)
}

fn of_superslab(slab: &Slab, slots: usize, superslab: &SuperSlab) -> Option<Contradiction> {
    let base = slab.start() & !(SUPERSLAB_BYTES - 1);
    differs("superslab.base", superslab.base(), base, "the registry").or_else(|| {
        let first = ((slab.start() - base) / SLOT_BYTES) as u32;
        let held = (((1u64 << slots) - 1) << first) as u32;
        let free = superslab.free();
        let (free, others) = (free as usize, (free & !held) as usize);
        let by = "the slab that has the slots";
        differs("superslab.free", free, others, by)
    })
}

fn address_of(slab: &'static Slab) -> usize {
    ptr::from_ref(slab) as usize
}
