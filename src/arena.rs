//! The arena: the address space that user memory comes from, in units of 2 MiB.
//!
//! One reservation, made once: 1 TiB, or as much of it as the system allows. Units are
//! handed out lowest first, reserved and not committed; those given back are reserved
//! again. When the arena is used up or was refused, memory comes from mappings outside of
//! it, which the registry's outer map covers.
//!
//! 1. A unit's bit in `used` is set while somebody holds it.
//! 2. No word below `low` has a clear bit.

use crate::metadata::{self, MappingKind};
use crate::registry::REGISTRY;
use crate::superslab::{SLOTS, SUPERSLAB_BYTES};
use crate::sys::lock::Lock;
use crate::sys::memory;

/// Bytes of a unit.
pub(crate) const UNIT: usize = SUPERSLAB_BYTES;
const LARGEST: usize = 1 << 40;
const SMALLEST: usize = 64 << 20;
const WORDS: usize = LARGEST / UNIT / 64;
/// The share of a limited address space that the reservation may take.
const LIMIT_SHARE: usize = 8;

struct Arena {
    base: usize,
    units: usize,
    low: usize,
    /// Units that are used.
    taken: usize,
    used: [u64; WORDS],
}

static ARENA: Lock<Arena> = Lock::new(Arena {
    base: 0,
    units: 0,
    low: 0,
    taken: 0,
    used: [0; WORDS],
});

/// Reserves the arena. Called once, before anything is allocated. Where even the
/// smallest size is refused there is none, and all memory comes from outside.
pub(crate) fn set_up() {
    let allowed = memory::address_space_limit().map_or(LARGEST, |limit| limit / LIMIT_SHARE);
    let mut len = LARGEST;
    while len >= SMALLEST {
        if len <= allowed
            && let Some(base) = memory::reserve(len, UNIT)
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
            arena.used[unit / 64] &= !(1 << (unit % 64));
        }
        arena.taken -= units;
        arena.low = arena.low.min(first / 64);
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
