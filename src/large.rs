//! LARGE: blocks over 32 KiB, and alignments over 32 KiB.
//!
//! To 1 MiB a block is a *run* of slots in a SuperSlab, with the shared pool's stages
//! behind it. Above, it is a *mapping*: whole units of 2 MiB of the arena, or of the stock
//! of freed ones, where its own go in the end.
//!
//! 1. A mapping is committed to the end of its last unit.
//! 2. As long as the registry has a block's first slot its header says what the block has, and no
//!    more at any time than is its own.
//! 3. A signal handler that comes in the middle of a change takes no lock: it is served by
//!    a mapping outside of the arena, and what it frees waits on `DEFERRED`.

use crate::arena::{self, UNIT};
use crate::counters::{self, Counter};
use crate::fault::Fault;
use crate::registry::REGISTRY;
use crate::shared_pool;
use crate::size_class::SLOT_BYTES;
use crate::slab::{Kind, Site, Slab};
use crate::sys::memory::{self, PAGE};
use crate::unit_stock;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// Largest block that is a run of slots, bytes.
const RUN_MAX: usize = 1 << 20;
/// Largest request that is not absurd: what a header can count in pages, 16 TiB.
pub(crate) const SIZE_MAX: usize = (u32::MAX as usize - PAGES_PER_UNIT) * PAGE;
const PAGES_PER_UNIT: usize = UNIT / PAGE;
/// The share of a reused mapping's request that the rest of its last unit may have in memory.
const REST_SHARE: usize = 8;

/// Blocks freed by interrupted threads, linked by `next`. Pushed Release, taken whole
/// with Acquire.
static DEFERRED: AtomicPtr<Slab> = AtomicPtr::new(ptr::null_mut());

/// The size that a LARGE request is rounded up to: whole slots, or whole units.
pub(crate) fn good_size(size: usize) -> usize {
    let step = if size <= RUN_MAX { SLOT_BYTES } else { UNIT };
    size.checked_next_multiple_of(step).unwrap_or(size)
}

/// A LARGE block as handed out.
pub(crate) struct LargeBlock {
    pub(crate) start: NonNull<u8>,
    /// It reads as zero.
    pub(crate) zero: bool,
}

/// A block of `size` bytes, at most [`SIZE_MAX`], aligned to `align`, a power of two.
/// `None` without memory.
pub(crate) fn allocate(size: usize, align: usize) -> Option<LargeBlock> {
    let slab = if size <= RUN_MAX && align <= SLOT_BYTES {
        open_run(size)
    } else {
        open_mapping(size, align)
    }?;
    REGISTRY.enter(slab, 0);
    handed_out(slab)
}

fn handed_out(slab: &Slab) -> Option<LargeBlock> {
    Some(LargeBlock {
        start: NonNull::new(slab.start() as *mut u8)?,
        zero: slab.is_clean(),
    })
}

fn open_run(size: usize) -> Option<&'static Slab> {
    let slots = size.div_ceil(SLOT_BYTES).max(1);
    let site = shared_pool::acquire_run(slots).or_else(|| shared_pool::grow_run(slots))?;
    let slab = Slab::open_large(&site, Kind::Run, slots * SLOT_BYTES / PAGE);
    if slab.is_none() {
        shared_pool::release(&site);
    }
    slab
}

fn open_mapping(size: usize, align: usize) -> Option<&'static Slab> {
    let units = size.div_ceil(UNIT).max(1);
    let reused = if align <= UNIT {
        unit_stock::take(units)
    } else {
        None
    };
    let (start, clean) = match reused {
        Some(start) => {
            counters::add(Counter::LargeReused, 1);
            (start, false)
        }
        None => map_filled(units, align)?,
    };
    let wanted = size.next_multiple_of(PAGE);
    let rest = units * UNIT - wanted;
    if !clean && rest > wanted / REST_SHARE {
        // SAFETY: the units are ours; the program has not seen them yet.
        unsafe { memory::purge(start + wanted, rest) };
    }
    let site = Site {
        start,
        slots: 0,
        superslab: ptr::null(),
        clean,
    };
    let slab = Slab::open_large(&site, Kind::Mapping, units * PAGES_PER_UNIT);
    match slab {
        Some(_) => counters::large_changed(0, units * UNIT),
        // SAFETY: nobody has seen the mapping yet.
        None => unsafe { arena::release(start, units) },
    }
    slab
}

/// `units` committed units, aligned to `align`, with the pages that are in stock, and whether
/// they read as zero.
fn map_filled(units: usize, align: usize) -> Option<(usize, bool)> {
    let mut place = map(units, align);
    let is_inside = place.is_some_and(arena::contains);
    if !is_inside && unit_stock::give_back(units) {
        // What waited in stock may have been in the way.
        if let Some(start) = place {
            // SAFETY: mapped just now, and nobody has seen it.
            unsafe { arena::release(start, units) };
        }
        place = map(units, align);
    }
    let start = place?;
    if arena::contains(start) {
        match unit_stock::fill(start, units) {
            Ok(0) => {}
            Ok(filled) => {
                shared_pool::make_room(units - filled);
                return Some((start, false));
            }
            Err(lost) => {
                // SAFETY: nobody has seen the units.
                unsafe { arena::release_rest(start, units, lost) };
                place = map(units, align);
            }
        }
    }
    shared_pool::make_room(units);
    Some((place?, true))
}

/// `units` units of committed zero memory, aligned to `align`.
fn map(units: usize, align: usize) -> Option<usize> {
    let spare = if align > UNIT { align / UNIT - 1 } else { 0 };
    let all = arena::allocate(units.checked_add(spare)?)?;
    let start = all.next_multiple_of(align.max(UNIT));
    let before = (start - all) / UNIT;
    let after = spare - before;
    if before > 0 {
        // SAFETY: allocated just now.
        unsafe { arena::release(all, before) };
    }
    if after > 0 {
        // SAFETY: allocated just now.
        unsafe { arena::release(start + units * UNIT, after) };
    }
    // SAFETY: allocated just now.
    if !unsafe { memory::commit(start, units * UNIT) } {
        // SAFETY: allocated just now.
        unsafe { arena::release(start, units) };
        return None;
    }
    counters::add(Counter::LargeMapped, 1);
    Some(start)
}

/// Frees a LARGE block whose start is `address`.
pub(crate) fn free(slab: &'static Slab, address: usize) -> Result<(), Fault> {
    take_from_program(slab, address)?;
    close(slab);
    Ok(())
}

/// As [`free`], for a thread that is in the middle of a change: takes no lock.
pub(crate) fn free_later(slab: &'static Slab, address: usize) -> Result<(), Fault> {
    take_from_program(slab, address)?;
    let mut head = DEFERRED.load(Ordering::Relaxed);
    loop {
        slab.next().set(head);
        let new = ptr::from_ref(slab).cast_mut();
        match DEFERRED.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(now) => head = now,
        }
    }
}

fn take_from_program(slab: &Slab, address: usize) -> Result<(), Fault> {
    if address != slab.start() {
        return Err(Fault::Interior);
    }
    if !slab.mark_freed() {
        return Err(Fault::DoubleFree);
    }
    Ok(())
}

/// Gives back what interrupted threads have freed.
#[inline]
pub(crate) fn free_deferred() {
    if !DEFERRED.load(Ordering::Relaxed).is_null() {
        free_deferred_slow();
    }
}

#[cold]
fn free_deferred_slow() {
    let mut head: *const Slab = DEFERRED.swap(ptr::null_mut(), Ordering::Acquire);
    // SAFETY: headers are never unmapped, and a deferred slab is not closed.
    while let Some(slab) = unsafe { head.as_ref() } {
        head = slab.next().get();
        close(slab);
    }
}

fn close(slab: &'static Slab) {
    REGISTRY.clear(slab);
    let site = slab.site();
    let kind = slab.kind();
    let pages = slab.pages();
    slab.close();
    if kind == Kind::Run {
        return shared_pool::release(&site);
    }
    let units = pages / PAGES_PER_UNIT;
    counters::large_changed(units * UNIT, 0);
    // SAFETY: the program has freed the block, and nothing else knows of its units.
    unsafe { unit_stock::put(site.start, units) };
}

/// Resizes a LARGE block to `size` bytes without copying it: where it is, or by moving
/// its pages. `None` when that cannot be done; then nothing has changed.
pub(crate) fn resize(slab: &'static Slab, size: usize) -> Option<NonNull<u8>> {
    if slab.kind() == Kind::Run {
        // It keeps its slots; a block of less than half of them is better copied.
        let fits = size <= slab.block_bytes() && size > slab.block_bytes() / 2;
        if !fits && !extend_run(slab, size) {
            return None;
        }
        counters::add(Counter::LargeResizedInPlace, 1);
        return NonNull::new(slab.start() as *mut u8);
    }
    if size <= RUN_MAX {
        return None;
    }
    let old = slab.pages() / PAGES_PER_UNIT;
    let new = size.div_ceil(UNIT);
    let pages = u32::try_from(new * PAGES_PER_UNIT).ok()?;
    let start = slab.start();
    if new < old {
        // Before its units go: invariant 2.
        slab.set_pages(pages);
        // SAFETY: the program gives up what is beyond its new size.
        unsafe { arena::release(start + new * UNIT, old - new) };
    } else if new > old && !extend(start, old, new) {
        return move_pages(slab, old, new);
    }
    counters::add(Counter::LargeResizedInPlace, 1);
    slab.set_pages(pages);
    counters::large_changed(old * UNIT, new * UNIT);
    NonNull::new(start as *mut u8)
}

/// Takes the slots behind a run for a block that is to have `size` bytes. What it grew out of lies
/// there as a rule, since runs come from the top of a SuperSlab.
fn extend_run(slab: &Slab, size: usize) -> bool {
    let slots = size.div_ceil(SLOT_BYTES);
    if size > RUN_MAX || slots <= slab.slots() {
        return false;
    }
    if !shared_pool::extend_run(&slab.site(), slots - slab.slots()) {
        return false;
    }
    // With fewer slots than it has it is nobody's for a moment: the program waits for it.
    REGISTRY.clear(slab);
    slab.set_slots(slots);
    slab.set_pages((slots * SLOT_BYTES / PAGE) as u32);
    REGISTRY.enter(slab, 0);
    true
}

fn extend(start: usize, old: usize, new: usize) -> bool {
    if !arena::extend(start, old, new - old) {
        return false;
    }
    shared_pool::make_room(new - old);
    // SAFETY: the units have just become ours.
    let committed = unsafe { memory::commit(start + old * UNIT, (new - old) * UNIT) };
    if !committed {
        // SAFETY: as above, and nobody uses them yet.
        unsafe { arena::release(start + old * UNIT, new - old) };
    }
    committed
}

fn move_pages(slab: &'static Slab, old: usize, new: usize) -> Option<NonNull<u8>> {
    if !memory::moves_pages() {
        return None;
    }
    shared_pool::make_room(new - old);
    let pages = u32::try_from(new * PAGES_PER_UNIT).ok()?;
    let from = slab.start();
    let to = map(new, UNIT)?;
    // An address in the old place is nobody's from here on.
    REGISTRY.clear(slab);
    // SAFETY: both ranges are ours, and the program waits for the block.
    let moved = unsafe { arena::move_block(from, old, to) };
    if let Err(lost) = moved {
        REGISTRY.enter(slab, 0);
        // SAFETY: nobody has seen the new place.
        unsafe { arena::release_rest(to, new, lost) };
        return None;
    }
    slab.set_start(to);
    slab.set_pages(pages);
    REGISTRY.enter(slab, 0);
    counters::add(Counter::LargeMoved, 1);
    counters::large_changed(old * UNIT, new * UNIT);
    // SAFETY: the pages have moved; nobody uses the old place.
    unsafe { arena::release(from, old) };
    NonNull::new(to as *mut u8)
}

/// A block for a signal handler that came in the middle of a change: a mapping outside of
/// the arena, made without any lock.
pub(crate) fn allocate_interrupted(size: usize, align: usize) -> Option<LargeBlock> {
    let units = size.div_ceil(UNIT).max(1);
    let start = memory::map_zeroed(units.checked_mul(UNIT)?, align.max(UNIT))?;
    let site = Site {
        start,
        slots: 0,
        superslab: ptr::null(),
        clean: true,
    };
    let slab = REGISTRY
        .cover(start, units * UNIT)
        .then(|| Slab::open_large_at_once(&site, units * PAGES_PER_UNIT))
        .flatten();
    let Some(slab) = slab else {
        // SAFETY: nobody has seen the mapping.
        unsafe { memory::unmap(start, units * UNIT) };
        return None;
    };
    counters::large_changed(0, units * UNIT);
    REGISTRY.enter(slab, 0);
    handed_out(slab)
}
