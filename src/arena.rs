//! The arena: the address space that user memory comes from, in units of 2 MiB.
//!
//! One reservation, made once: 1 TiB, or as much of it as the system allows. Units are
//! handed out lowest first, reserved and not committed; those given back are reserved
//! again. When the arena is used up or was refused, memory comes from mappings outside of
//! it, which the registry's outer map covers.
//!
//! 1. A unit's bit in `used` is set while somebody holds it.
//! 2. No word below `low` has a clear bit.
//! 3. A unit's bit in `moved` is set while pages that come from another place are there: the
//!    kernel keeps a mapping for each row of such units, and allows a process some 65 000
//!    (`vm.max_map_count`).
//! 4. A unit that nobody holds has [`Pages::Any`]. No unit's pages are chosen while more than
//!    [`EDGES_MAX`] neighbours differ: each such place may cost a mapping as well.

use crate::metadata::{self, MappingKind};
use crate::observe::{Observed, Observer};
use crate::registry::REGISTRY;
use crate::superslab::{SLOTS, SUPERSLAB_BYTES};
use crate::sys::lock::Lock;
use crate::sys::memory::{self, Moved};
use core::ptr;

/// Bytes of a unit.
pub(crate) const UNIT: usize = SUPERSLAB_BYTES;
const LARGEST: usize = 1 << 40;
const SMALLEST: usize = 64 << 20;
const WORDS: usize = LARGEST / UNIT / 64;
/// The share of a limited address space that the reservation may take.
const LIMIT_SHARE: usize = 8;
/// Units with moved pages beyond which no stocked pages move: a sixteenth of the mappings that a
/// process may have.
const MOVED_MAX: usize = 4096;
/// Places between neighbours of different [`Pages`] beyond which none is chosen any more: an
/// eighth of the mappings that a process may have.
const EDGES_MAX: usize = 8192;

/// What the system was asked to back a unit with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// What it likes.
    Any,
    /// A huge page.
    Huge,
    /// Small pages alone.
    Small,
}

struct Arena {
    base: usize,
    units: usize,
    low: usize,
    /// Units that are used.
    taken: usize,
    used: [u64; WORDS],
    /// Units with moved pages, and how many.
    moved: [u64; WORDS],
    moved_units: usize,
    /// Units of [`Pages::Huge`], those of [`Pages::Small`], and the number of places where
    /// neighbours differ in that.
    huge: [u64; WORDS],
    small: [u64; WORDS],
    edges: usize,
}

static ARENA: Lock<Arena> = Lock::new(Arena {
    base: 0,
    units: 0,
    low: 0,
    taken: 0,
    used: [0; WORDS],
    moved: [0; WORDS],
    moved_units: 0,
    huge: [0; WORDS],
    small: [0; WORDS],
    edges: 0,
});

/// Reserves the arena. Called once, before anything is allocated. Where even the
/// smallest size is refused there is none, and all memory comes from outside.
pub(crate) fn set_up() {
    let allowed = memory::address_space_limit().map_or(LARGEST, |limit| limit / LIMIT_SHARE);
    let mut len = LARGEST;
    while len >= SMALLEST {
        if len <= allowed
            && let Some(base) = reserve(len)
        {
            if REGISTRY.set_up(base, len) {
                metadata::record(base, len, MappingKind::Arena);
                let mut arena = ARENA.lock();
                arena.base = base;
                arena.units = len / UNIT;
                return;
            }
            // SAFETY: reserved just now, and nobody knows of it.
            unsafe { memory::unmap(base, len) };
        }
        len /= 2;
    }
}

/// Where it begins, and its bytes; none where it was refused.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn bounds() -> (usize, usize) {
    let arena = ARENA.lock();
    (arena.base, arena.units * UNIT)
}

/// Reserves address space for the arena: where an observer wants it, if nothing is there.
fn reserve(len: usize) -> Option<usize> {
    let wanted = Observed::arena_base();
    if wanted != 0 && memory::reserve_at(wanted, len) {
        return Some(wanted);
    }
    memory::reserve(len, UNIT)
}

impl Arena {
    fn is_used(&self, unit: usize) -> bool {
        self.used[unit / 64] & 1 << (unit % 64) != 0
    }

    /// The length of the run of units from `first` on that are all used or all free, as
    /// far as `most`.
    fn run(&self, first: usize, used: bool, most: usize) -> usize {
        let end = self.units.min(first + most);
        let mut unit = first;
        while unit < end {
            let word = self.used[unit / 64];
            let word = if used { !word } else { word };
            let differing = word >> (unit % 64);
            if differing != 0 {
                unit += differing.trailing_zeros() as usize;
                break;
            }
            unit = (unit / 64 + 1) * 64;
        }
        unit.min(end) - first
    }

    fn find(&mut self, units: usize) -> Option<usize> {
        while self.low * 64 < self.units && self.used[self.low] == u64::MAX {
            self.low += 1;
        }
        let mut first = self.low * 64;
        loop {
            first += self.run(first, true, self.units);
            if first + units > self.units {
                return None;
            }
            let free = self.run(first, false, units);
            if free >= units {
                return Some(first);
            }
            first += free;
        }
    }

    /// Notes units as used and makes their entries in the registry readable.
    fn take(&mut self, first: usize, units: usize) -> bool {
        // A limit that the program has set meanwhile does not see the reservation.
        let taken = (self.taken + units) * UNIT;
        if memory::address_space_limit().is_some_and(|limit| taken > limit)
            || !REGISTRY.raise_limit((first + units) * SLOTS, self.units * SLOTS)
        {
            return false;
        }
        self.taken += units;
        for unit in first..first + units {
            self.used[unit / 64] |= 1 << (unit % 64);
        }
        true
    }

    /// Notes units as filled with moved pages, unless there are too many such.
    fn note_some_moved(&mut self, address: usize, units: usize) -> bool {
        self.moved_units + units <= MOVED_MAX && self.note_moved(address, units)
    }

    /// Notes units as filled with moved pages; false if they are outside of the arena.
    fn note_moved(&mut self, address: usize, units: usize) -> bool {
        let Some(first) = self.unit_of(address) else {
            return false;
        };
        for unit in first..first + units {
            let bit = 1 << (unit % 64);
            self.moved_units += usize::from(self.moved[unit / 64] & bit == 0);
            self.moved[unit / 64] |= bit;
        }
        true
    }

    fn pages(&self, unit: usize) -> Pages {
        let (word, bit) = (unit / 64, 1 << (unit % 64));
        if self.huge[word] & bit != 0 {
            Pages::Huge
        } else if self.small[word] & bit != 0 {
            Pages::Small
        } else {
            Pages::Any
        }
    }

    /// How many of the neighbours of a unit have other pages.
    fn edges(&self, unit: usize) -> usize {
        let differs = |other| other < self.units && self.pages(other) != self.pages(unit);
        usize::from(differs(unit.wrapping_sub(1))) + usize::from(differs(unit + 1))
    }

    /// Notes the pages of a unit.
    fn set_pages(&mut self, unit: usize, pages: Pages) {
        let (word, bit) = (unit / 64, 1 << (unit % 64));
        self.edges -= self.edges(unit);
        self.huge[word] &= !bit;
        self.small[word] &= !bit;
        match pages {
            Pages::Any => {}
            Pages::Huge => self.huge[word] |= bit,
            Pages::Small => self.small[word] |= bit,
        }
        self.edges += self.edges(unit);
    }

    fn unit_of(&self, address: usize) -> Option<usize> {
        let unit = address.checked_sub(self.base)? / UNIT;
        (unit < self.units).then_some(unit)
    }
}

/// Whether an address lies in the arena, in use or not.
pub(crate) fn contains(address: usize) -> bool {
    REGISTRY.is_in_arena(address)
}

/// `units` units of address space in a row; the caller commits what it uses. `None` when
/// the system has no more.
pub(crate) fn allocate(units: usize) -> Option<usize> {
    let mut arena = ARENA.lock();
    if let Some(first) = arena.find(units)
        && arena.take(first, units)
    {
        return Some(arena.base + first * UNIT);
    }
    drop(arena);
    let len = units.checked_mul(UNIT)?;
    let address = memory::map_zeroed(len, UNIT)?;
    if !REGISTRY.cover(address, len) {
        // SAFETY: mapped just now, and nobody knows of it.
        unsafe { memory::unmap(address, len) };
        return None;
    }
    Some(address)
}

/// Takes the `more` units behind the `units` at `address` as well, if they are free.
pub(crate) fn extend(address: usize, units: usize, more: usize) -> bool {
    let mut arena = ARENA.lock();
    let Some(first) = arena.unit_of(address) else {
        return false;
    };
    let first = first + units;
    first + more <= arena.units && arena.run(first, false, more) >= more && arena.take(first, more)
}

/// How many of the units from `address` on are in use before one that is not; `None` if all are, if
/// they are not of the arena, or if somebody is changing it.
#[allow(dead_code, reason = "observers ask for it")]
pub(crate) fn used_from(address: usize, units: usize) -> Option<usize> {
    let arena = ARENA.try_lock()?;
    let first = arena.unit_of(address)?;
    (0..units).find(|unit| first + unit >= arena.units || !arena.is_used(first + unit))
}

/// What the system was asked to back a unit with, as far as that is known.
pub(crate) fn pages_of(address: usize) -> Pages {
    let arena = ARENA.lock();
    arena
        .unit_of(address)
        .map_or(Pages::Any, |unit| arena.pages(unit))
}

/// Asks the system to back a committed unit, which the caller holds, with these pages; false
/// if it cannot.
pub(crate) fn advise(address: usize, pages: Pages) -> bool {
    let mut arena = ARENA.lock();
    let Some(unit) = arena.unit_of(address) else {
        return false;
    };
    let before = arena.pages(unit);
    if before == pages {
        return true;
    }
    if arena.edges >= EDGES_MAX {
        return false;
    }
    arena.set_pages(unit, pages);
    drop(arena);
    let done = match pages {
        // SAFETY: the unit is the caller's.
        Pages::Huge => unsafe { memory::advise_huge(address, UNIT) },
        // SAFETY: as above.
        Pages::Any | Pages::Small => unsafe { memory::advise_small(address, UNIT) },
    };
    if !done {
        ARENA.lock().set_pages(unit, before);
    }
    done
}

/// Gives back units, pages and all.
///
/// # Safety
/// [`allocate`] or [`extend`] gave them to the caller, and nobody uses them any more.
pub(crate) unsafe fn release(address: usize, units: usize) {
    let inside = ARENA.lock().unit_of(address).is_some();
    if !inside {
        // SAFETY: the caller's clause.
        return unsafe { memory::unmap(address, units * UNIT) };
    }
    // SAFETY: the caller's clause; the units are still marked as used.
    unsafe { memory::retire(address, units * UNIT) };
    let mut arena = ARENA.lock();
    if let Some(first) = arena.unit_of(address) {
        for unit in first..first + units {
            debug_assert!(arena.is_used(unit));
            let bit = 1 << (unit % 64);
            arena.used[unit / 64] &= !bit;
            if arena.pages(unit) != Pages::Any {
                arena.set_pages(unit, Pages::Any);
            }
            if arena.moved[unit / 64] & bit != 0 {
                arena.moved[unit / 64] &= !bit;
                arena.moved_units -= 1;
            }
        }
        arena.taken -= units;
        arena.low = arena.low.min(first / 64);
    }
}

/// Moves the pages of `units` units, one by one: a range of several mappings is refused before
/// Linux 6.17, and may move in part since. Returns how many have moved, the first ones, and
/// what became of the place of the next one.
///
/// # Safety
/// The caller owns both places, which are committed; nobody uses them now.
unsafe fn move_units(from: usize, units: usize, to: usize) -> (usize, Moved) {
    for unit in 0..units {
        let at = to + unit * UNIT;
        // SAFETY: the caller's clause.
        match unsafe { memory::relocate(from + unit * UNIT, UNIT, at) } {
            Moved::Done => {}
            // SAFETY: the place is ours.
            Moved::Reserved if unsafe { memory::commit(at, UNIT) } => return (unit, Moved::Not),
            refused => return (unit, refused),
        }
    }
    (units, Moved::Done)
}

/// Moves the pages of `units` units to other units of the arena, which are committed and
/// untouched, and releases the place that they leave. Returns how many have moved, the first
/// ones: the pages of the others are given back.
///
/// # Errors
/// The other units cannot be used as they are. If one has been lost to the system, which: it
/// stays marked as used.
///
/// # Safety
/// The caller owns both places, and nobody uses them now.
pub(crate) unsafe fn relocate(
    from: usize,
    units: usize,
    to: usize,
) -> Result<usize, Option<usize>> {
    let (moved, place) = if memory::moves_pages() && ARENA.lock().note_some_moved(to, units) {
        // SAFETY: the caller's clause.
        unsafe { move_units(from, units, to) }
    } else {
        (0, Moved::Not)
    };
    // SAFETY: the caller's clause.
    unsafe { release(from, units) };
    match place {
        Moved::Done | Moved::Not => Ok(moved),
        Moved::Reserved => Err(None),
        Moved::Lost => Err(Some(moved)),
    }
}

/// Moves the pages of a block of `units` units to others, which are committed and untouched.
///
/// # Errors
/// They are where they were. If a unit of the new place has been lost to the system, which.
///
/// # Safety
/// The caller owns both places, and nobody uses them now.
pub(crate) unsafe fn move_block(from: usize, units: usize, to: usize) -> Result<(), Option<usize>> {
    // SAFETY: the caller's clause.
    let (moved, place) = unsafe { move_units(from, units, to) };
    if place == Moved::Done {
        ARENA.lock().note_moved(to, units);
        return Ok(());
    }
    // SAFETY: the caller's clause; what has moved is there, and the place that it left is
    // still mapped.
    unsafe { ptr::copy_nonoverlapping(to as *const u8, from as *mut u8, moved * UNIT) };
    Err((place == Moved::Lost).then_some(moved))
}

/// As [`release`], but for the unit that has been lost, if one was.
///
/// # Safety
/// As there, of the others.
pub(crate) unsafe fn release_rest(address: usize, units: usize, lost: Option<usize>) {
    let Some(lost) = lost else {
        // SAFETY: the caller's clause.
        return unsafe { release(address, units) };
    };
    for (first, count) in [(0, lost), (lost + 1, units - lost - 1)] {
        if count > 0 {
            // SAFETY: the caller's clause.
            unsafe { release(address + first * UNIT, count) };
        }
    }
}

/// Locks and unlocks around a fork.
pub(crate) fn hold() {
    ARENA.hold();
}

/// # Safety
/// [`hold`] was called by this thread, or by the one that this process was forked from.
pub(crate) unsafe fn let_go() {
    // SAFETY: the caller's clause.
    unsafe { ARENA.let_go() };
}
