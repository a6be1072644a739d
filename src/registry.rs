//! The registry: from an address to what is there.
//!
//! A page map over the arena with an entry per 64 KiB slot, in two arrays, so that the
//! fast path of a free touches eight bytes of it:
//!
//! ```text
//! owner[i]   address of the bin that the slot's blocks go to, in the cache of the
//!            thread that owns the slab; 0 for LARGE, and where nothing is
//! slab[i]    the slab
//! ```
//!
//! and one per 2 MiB with the SuperSlab. Outside of the arena, when that is used up or was
//! refused, a two-level map (a table for each 4 GiB) says the same on the slow path.
//!
//! 1. The arrays are readable up to `limit` slots; `limit` only grows.
//! 2. An entry is written before a block of the slot is handed out, and cleared before
//!    the slot is given back. What orders a look-up after the write is the program's own
//!    hand-over of the pointer, so Relaxed suffices.
//! 3. The first slot of a large mapping is entered; addresses in its other slots have no entry.
//! 4. A slab that is found by its first slot is entered whole: that one is entered last and cleared
//!    first.

use crate::metadata::{self, MappingKind};
use crate::name::{Name, name};
use crate::observe::{Event, Observed, Observer};
use crate::size_class::{SLOT_BYTES, SLOT_SHIFT};
use crate::slab::Slab;
use crate::superslab::{SLOTS, SUPERSLAB_BYTES, SUPERSLAB_SHIFT, SuperSlab};
use crate::sys::memory::{self, PAGE};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Slots by which the readable part of the arrays grows: 64 KiB of each, 512 MiB of memory.
const STEP: usize = 8192;
const OUTER_SHIFT: u32 = 32;
const OUTER_TABLES: usize = 1 << (47 - OUTER_SHIFT);
const OUTER_SLOTS: usize = 1 << (OUTER_SHIFT - SLOT_SHIFT);

/// The page map and the tables outside of it.
pub(crate) struct Registry {
    /// First address of the arena. Written once, before `limit` is raised from 0.
    base: AtomicUsize,
    /// Slots of the arena whose entries are readable. Raised with Release after the
    /// arrays were committed; read Acquire.
    limit: AtomicUsize,
    owners: AtomicPtr<AtomicUsize>,
    slabs: AtomicPtr<AtomicPtr<Slab>>,
    superslabs: AtomicPtr<AtomicPtr<SuperSlab>>,
    /// Published Release once complete; read Acquire.
    outer: [AtomicPtr<OuterTable>; OUTER_TABLES],
}

#[repr(C)]
struct OuterTable {
    slabs: [AtomicPtr<Slab>; OUTER_SLOTS],
    superslabs: [AtomicPtr<SuperSlab>; OUTER_SLOTS / SLOTS],
}

/// The one registry.
pub(crate) static REGISTRY: Registry = Registry {
    base: AtomicUsize::new(0),
    limit: AtomicUsize::new(0),
    owners: AtomicPtr::new(ptr::null_mut()),
    slabs: AtomicPtr::new(ptr::null_mut()),
    superslabs: AtomicPtr::new(ptr::null_mut()),
    outer: [const { AtomicPtr::new(ptr::null_mut()) }; OUTER_TABLES],
};

/// What a thread cache keeps of the registry for its fast path.
pub(crate) struct View {
    pub(crate) base: usize,
    pub(crate) limit: usize,
    pub(crate) owners: *const AtomicUsize,
}

impl Registry {
    pub(crate) const OFFSETS: [(Name, usize); 6] = [
        (name("registry.base"), core::mem::offset_of!(Registry, base)),
        (
            name("registry.limit"),
            core::mem::offset_of!(Registry, limit),
        ),
        (
            name("registry.owners"),
            core::mem::offset_of!(Registry, owners),
        ),
        (
            name("registry.slabs"),
            core::mem::offset_of!(Registry, slabs),
        ),
        (
            name("registry.superslabs"),
            core::mem::offset_of!(Registry, superslabs),
        ),
        (
            name("registry.outer"),
            core::mem::offset_of!(Registry, outer),
        ),
    ];
    /// Entries of the outer map, and what each spans; the offset of a table's slabs is 0.
    pub(crate) const OUTER: (usize, usize) = (OUTER_TABLES, 1 << OUTER_SHIFT);

    /// Makes the arrays for an arena of `len` bytes at `base`; nothing is entered, and
    /// no slot readable. Called once.
    pub(crate) fn set_up(&self, base: usize, len: usize) -> bool {
        let slots = len >> SLOT_SHIFT;
        let array = |bytes: usize| {
            let bytes = bytes.next_multiple_of(PAGE);
            let address = memory::reserve(bytes, PAGE)?;
            metadata::record(address, bytes, MappingKind::PageMap);
            Some(address)
        };
        let (Some(owners), Some(slabs), Some(superslabs)) = (
            array(slots * size_of::<usize>()),
            array(slots * size_of::<usize>()),
            array(slots / SLOTS * size_of::<usize>()),
        ) else {
            return false;
        };
        self.owners.store(owners as *mut _, Ordering::Relaxed);
        self.slabs.store(slabs as *mut _, Ordering::Relaxed);
        self.superslabs
            .store(superslabs as *mut _, Ordering::Relaxed);
        self.base.store(base, Ordering::Release);
        true
    }

    /// Makes the entries of the arena's first `slots` slots readable. Called with the
    /// arena's lock held.
    pub(crate) fn raise_limit(&self, slots: usize, arena_slots: usize) -> bool {
        let old = self.limit.load(Ordering::Relaxed);
        if slots <= old {
            return true;
        }
        let new = slots.next_multiple_of(STEP).min(arena_slots);
        let commit = |array: usize, entries: core::ops::Range<usize>| {
            let start = (array + entries.start * 8) & !(PAGE - 1);
            let end = (array + entries.end * 8).next_multiple_of(PAGE);
            // SAFETY: the pages are part of an array that `set_up` reserved.
            unsafe { memory::commit(start, end - start) }
        };
        if commit(self.owners.load(Ordering::Relaxed) as usize, old..new)
            && commit(self.slabs.load(Ordering::Relaxed) as usize, old..new)
            && commit(
                self.superslabs.load(Ordering::Relaxed) as usize,
                old / SLOTS..new / SLOTS,
            )
        {
            self.limit.store(new, Ordering::Release);
            return true;
        }
        false
    }

    /// The fast path's copy, as of now.
    pub(crate) fn view(&self) -> View {
        View {
            limit: self.limit.load(Ordering::Acquire),
            base: self.base.load(Ordering::Relaxed),
            owners: self.owners.load(Ordering::Relaxed),
        }
    }

    /// The index of the arena's slot that holds `address`.
    fn arena_slot(&self, address: usize) -> Option<usize> {
        let limit = self.limit.load(Ordering::Acquire);
        let index = address.wrapping_sub(self.base.load(Ordering::Relaxed)) >> SLOT_SHIFT;
        (index < limit).then_some(index)
    }

    /// Whether an address lies in the part of the arena that has been used.
    pub(crate) fn is_in_arena(&self, address: usize) -> bool {
        self.arena_slot(address).is_some()
    }

    fn outer_table(&self, address: usize) -> Option<&OuterTable> {
        let table = self
            .outer
            .get(address >> OUTER_SHIFT)?
            .load(Ordering::Acquire);
        // SAFETY: tables are published complete and never unmapped.
        unsafe { table.as_ref() }
    }

    /// Makes sure that the addresses outside of the arena from `address` on have a
    /// table; false without memory for it.
    pub(crate) fn cover(&self, address: usize, len: usize) -> bool {
        let last = (address + len - 1) >> OUTER_SHIFT;
        (address >> OUTER_SHIFT..=last).all(|index| {
            let Some(place) = self.outer.get(index) else {
                return false;
            };
            if !place.load(Ordering::Acquire).is_null() {
                return true;
            }
            let bytes = size_of::<OuterTable>().next_multiple_of(PAGE);
            let Some(table) = memory::map_zeroed(bytes, PAGE) else {
                return false;
            };
            // The other side of a race has published a table: ours is not needed.
            if place
                .compare_exchange(
                    ptr::null_mut(),
                    table as *mut OuterTable,
                    Ordering::Release,
                    Ordering::Relaxed,
                )
                .is_err()
            {
                // SAFETY: mapped just now, and nobody else knows of it.
                unsafe { memory::unmap(table, bytes) };
            } else {
                metadata::record(table, bytes, MappingKind::OuterTable);
            }
            true
        })
    }

    fn slab_entry(&self, address: usize) -> Option<&AtomicPtr<Slab>> {
        if let Some(index) = self.arena_slot(address) {
            // SAFETY: `index` is below `limit`, so the entry is readable.
            return Some(unsafe { &*self.slabs.load(Ordering::Relaxed).add(index) });
        }
        let table = self.outer_table(address)?;
        table.slabs.get((address >> SLOT_SHIFT) & (OUTER_SLOTS - 1))
    }

    fn owner_entry(&self, address: usize) -> Option<&AtomicUsize> {
        let index = self.arena_slot(address)?;
        // SAFETY: `index` is below `limit`, so the entry is readable.
        Some(unsafe { &*self.owners.load(Ordering::Relaxed).add(index) })
    }

    fn superslab_entry(&self, address: usize) -> Option<&AtomicPtr<SuperSlab>> {
        if let Some(index) = self.arena_slot(address) {
            // SAFETY: `index` is below `limit`, so the entry is readable.
            return Some(unsafe { &*self.superslabs.load(Ordering::Relaxed).add(index / SLOTS) });
        }
        let table = self.outer_table(address)?;
        table
            .superslabs
            .get((address >> SUPERSLAB_SHIFT) & (OUTER_SLOTS / SLOTS - 1))
    }

    /// The slab that `address` lies in.
    pub(crate) fn slab_of(&self, address: usize) -> Option<&'static Slab> {
        let slab = self.find(address);
        if Observed::ACTIVE {
            let found = slab.map_or(0, Slab::start);
            Observed::notice(Event::LookedUp { address, found });
        }
        slab
    }

    /// As [`Registry::slab_of`], for observers: a look-up that is not noticed.
    #[inline]
    pub(crate) fn find(&self, address: usize) -> Option<&'static Slab> {
        let Some(index) = self.arena_slot(address) else {
            return self.find_outside(address);
        };
        // SAFETY: `index` is below `limit`, so the entry is readable.
        let slab = unsafe { &*self.slabs.load(Ordering::Relaxed).add(index) };
        // SAFETY: an entry is a header, and headers are never unmapped.
        unsafe { slab.load(Ordering::Relaxed).as_ref() }
    }

    #[cold]
    fn find_outside(&self, address: usize) -> Option<&'static Slab> {
        let slab = self.slab_entry(address)?.load(Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { slab.as_ref() }
    }

    /// The SuperSlab that `address` lies in.
    pub(crate) fn superslab_of(&self, address: usize) -> Option<&'static SuperSlab> {
        let superslab = self.superslab_entry(address)?.load(Ordering::Relaxed);
        // SAFETY: an entry is a record, and records are never unmapped.
        unsafe { superslab.as_ref() }
    }

    /// Enters a slab; frees of its blocks by the thread whose cache holds `bin` go there. The first
    /// slot comes last: invariant 4.
    pub(crate) fn enter(&self, slab: &Slab, bin: usize) {
        let slab_address = ptr::from_ref(slab).cast_mut();
        for slot in (0..slab.slots().max(1)).rev() {
            let address = slab.start() + slot * SLOT_BYTES;
            if let Some(entry) = self.slab_entry(address) {
                entry.store(slab_address, Ordering::Relaxed);
            }
            if let Some(entry) = self.owner_entry(address) {
                entry.store(bin, Ordering::Relaxed);
            }
        }
        Observed::notice(Event::Registered {
            start: slab.start(),
            slots: slab.slots(),
        });
    }

    /// Clears a slab's entries, the first one first.
    pub(crate) fn clear(&self, slab: &Slab) {
        Observed::notice(Event::Unregistered {
            start: slab.start(),
            slots: slab.slots(),
        });
        for slot in 0..slab.slots().max(1) {
            let address = slab.start() + slot * SLOT_BYTES;
            if let Some(entry) = self.owner_entry(address) {
                entry.store(0, Ordering::Relaxed);
            }
            if let Some(entry) = self.slab_entry(address) {
                entry.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
    }

    /// Registers or, with `None`, unregisters a SuperSlab at `base`.
    pub(crate) fn set_superslab(&self, base: usize, superslab: Option<&SuperSlab>) {
        if let Some(entry) = self.superslab_entry(base) {
            let record = superslab.map_or(ptr::null_mut(), |s| ptr::from_ref(s).cast_mut());
            entry.store(record, Ordering::Relaxed);
        }
        Observed::notice(match superslab {
            Some(_) => Event::SuperSlabRegistered { base },
            None => Event::SuperSlabUnregistered { base },
        });
    }

    /// Calls `each` for every SuperSlab registered now.
    pub(crate) fn for_each_superslab(&self, mut each: impl FnMut(&'static SuperSlab)) {
        let base = self.base.load(Ordering::Relaxed);
        for slot in (0..self.limit.load(Ordering::Acquire)).step_by(SLOTS) {
            if let Some(superslab) = self.superslab_of(base + slot * SLOT_BYTES) {
                each(superslab);
            }
        }
        for table in &self.outer {
            // SAFETY: tables are published complete and never unmapped.
            if let Some(table) = unsafe { table.load(Ordering::Acquire).as_ref() } {
                for entry in &table.superslabs {
                    // SAFETY: an entry is a record, and records are never unmapped.
                    if let Some(superslab) = unsafe { entry.load(Ordering::Relaxed).as_ref() } {
                        each(superslab);
                    }
                }
            }
        }
    }

    /// Every slab entered now, once each.
    pub(crate) fn slabs(&self) -> impl Iterator<Item = &'static Slab> {
        let first = |(address, slab): &(usize, &'static Slab)| slab.start() == *address;
        self.entries().filter(first).map(|(_, slab)| slab)
    }

    /// Every slot that has a slab now, by its address, and the slab.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (usize, &'static Slab)> {
        let base = self.base.load(Ordering::Relaxed);
        let inner = (0..self.limit.load(Ordering::Acquire)).filter_map(move |slot| {
            let address = base + slot * SLOT_BYTES;
            Some((address, self.slab_entry(address)?))
        });
        let outer = self.outer.iter().enumerate().flat_map(|(index, table)| {
            // SAFETY: tables are published complete and never unmapped.
            let table = unsafe { table.load(Ordering::Acquire).as_ref() };
            let entries = table.map_or(&[][..], |table| &table.slabs);
            entries
                .iter()
                .enumerate()
                .map(move |(slot, entry)| ((index << OUTER_SHIFT) + slot * SLOT_BYTES, entry))
        });
        inner.chain(outer).filter_map(|(address, entry)| {
            // SAFETY: an entry is a header, and headers are never unmapped.
            let slab = unsafe { entry.load(Ordering::Relaxed).as_ref() };
            slab.map(|slab| (address, slab))
        })
    }

    /// Where frees of a slot's blocks go, as [`Registry::enter`] was told; none outside of the
    /// arena.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn bin_of(&self, address: usize) -> Option<usize> {
        Some(self.owner_entry(address)?.load(Ordering::Relaxed))
    }
}

const _: () = assert!(SUPERSLAB_BYTES == SLOTS * SLOT_BYTES);
