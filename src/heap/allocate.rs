//! Allocation: the fast paths of TINY, POOL and MID, and who serves what they cannot.

use super::free::free_overdue;
use super::hooks::{allocated, allocated_tiny, diverted, refused, timed};
use super::system::{from_system, is_ours};
use super::{brief, collect};
use crate::large;
use crate::observe::caller::Caller;
use crate::observe::{Diverted, Observed, Observer, Path};
use crate::setup;
use crate::size_class::{MID_MAX, MIN_ALIGN, SizeClass, TINY_MAX, Tier};
use crate::sys;
use crate::thread_cache::front::Front;
use crate::thread_cache::{Busy, NoCache, parked};
use core::ptr::{self, NonNull};

/// Memory for `size` bytes, aligned to 16; null and ENOMEM without memory. Zero bytes get
/// a block as well.
#[inline(always)]
pub(crate) fn allocate(size: usize, caller: Caller) -> *mut u8 {
    if caller.is_brief() {
        return brief::allocate(size, caller);
    }
    if caller.is_some() && Observed::times() {
        return allocate_timed(size, caller.copy());
    }
    allocate_untimed(size, caller)
}

#[cold]
#[inline(never)]
fn allocate_timed(size: usize, caller: Caller) -> *mut u8 {
    let _timed = Observed::span(Path::Allocate);
    allocate_untimed(size, caller)
}

#[inline(always)]
fn allocate_untimed(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let caller = match diverted(front, size, MIN_ALIGN, caller) {
        Ok(block) => return block.start.as_ptr(),
        Err(caller) => caller,
    };
    let wanted = size.saturating_add(Observed::tail());
    if wanted <= TINY_MAX {
        // SAFETY: at most TINY_MAX.
        let bin = unsafe { front.bin_for(wanted) };
        if let Some(block) = bin.pop() {
            if caller.is_some() {
                allocated_tiny(front, front.class_of(bin), block, size, caller);
            }
            return block.as_ptr();
        }
        return allocate_slow(size, caller.copy());
    }
    allocate_medium(size, caller.copy())
}

/// As [`allocate`], for POOL and MID; and LARGE passes through here.
#[inline(never)]
fn allocate_medium(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let wanted = size.saturating_add(Observed::tail());
    if wanted <= MID_MAX
        && let Some(block) = front.bin(SizeClass::of(wanted)).pop()
    {
        allocated(front, block, size, MIN_ALIGN, caller);
        return block.as_ptr();
    }
    allocate_slow(size, caller.copy())
}

#[cold]
#[inline(never)]
pub(super) fn allocate_slow(size: usize, caller: Caller) -> *mut u8 {
    serve_or_relieve(size, MIN_ALIGN, Contents::Any, caller)
}

/// Memory for `size` bytes, aligned to `align`, a power of two; null and ENOMEM without
/// memory.
pub(crate) fn allocate_aligned(size: usize, align: usize, caller: Caller) -> *mut u8 {
    if align <= MIN_ALIGN {
        return allocate(size, caller);
    }
    let _timed = timed(Path::Allocate, caller);
    let caller = match diverted(Front::current(), size, align, caller) {
        Ok(block) => return block.start.as_ptr(),
        Err(caller) => caller,
    };
    serve_or_relieve(size, align, Contents::Any, caller)
}

/// As [`allocate`], and it reads as zero.
pub(crate) fn allocate_zeroed(size: usize, caller: Caller) -> *mut u8 {
    if size > TINY_MAX {
        let _timed = timed(Path::Allocate, caller);
        let caller = match diverted(Front::current(), size, MIN_ALIGN, caller) {
            Ok(block) => return zeroed(block, size),
            Err(caller) => caller,
        };
        return serve_or_relieve(size, MIN_ALIGN, Contents::Zero, caller);
    }
    let block = allocate(size, caller);
    if !block.is_null() {
        // SAFETY: a block of at least `size` bytes that the caller alone has.
        unsafe { clear(block, size) };
    }
    block
}

/// As [`allocate_aligned`], and it reads as zero.
pub(crate) fn allocate_zeroed_aligned(size: usize, align: usize, caller: Caller) -> *mut u8 {
    let _timed = timed(Path::Allocate, caller);
    let caller = match diverted(Front::current(), size, align, caller) {
        Ok(block) => return zeroed(block, size),
        Err(caller) => caller,
    };
    serve_or_relieve(size, align, Contents::Zero, caller)
}

/// An observer's own block of `size` bytes, with zeroes in it.
#[cold]
#[inline(never)]
fn zeroed(block: Diverted, size: usize) -> *mut u8 {
    if !block.zero {
        // SAFETY: a block of at least `size` bytes that the caller alone has.
        unsafe { clear(block.start.as_ptr(), size) };
    }
    block.start.as_ptr()
}

/// Fills a new block with zeroes.
///
/// # Safety
/// It has at least `size` bytes, and the caller alone has it.
#[inline(always)]
pub(super) unsafe fn clear(block: *mut u8, size: usize) {
    // SAFETY: the caller's clause, here and below.
    let is_clear = unsafe { Observed::clears(block, size) };
    if !is_clear {
        // SAFETY: as above.
        unsafe { block.write_bytes(0, size) };
    }
}

/// What a block has to hold when it is handed out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    Any,
    Zero,
}

/// The block, or null and ENOMEM.
fn or_enomem(block: Option<NonNull<u8>>) -> *mut u8 {
    match block {
        Some(block) => block.as_ptr(),
        None => {
            sys::set_errno(sys::OUT_OF_MEMORY);
            ptr::null_mut()
        }
    }
}

/// [`serve`], and once more if there is no memory but some that could be given back.
fn serve_or_relieve(size: usize, align: usize, contents: Contents, caller: Caller) -> *mut u8 {
    let mut block = serve(size, align, contents, caller);
    if block.is_none() && size <= large::SIZE_MAX && collect() {
        block = serve(size, align, contents, caller);
    }
    if block.is_none() {
        refused(size, align, caller);
    }
    or_enomem(block)
}

/// Serves a request that the fast path did not.
fn serve(size: usize, align: usize, contents: Contents, caller: Caller) -> Option<NonNull<u8>> {
    let wanted = size.checked_add(Observed::tail())?;
    if wanted > large::SIZE_MAX {
        return None;
    }
    let class = class_for(wanted, align);
    let front = Front::current();
    if Observed::ACTIVE {
        free_overdue(front);
    }
    // TINY was here before; the others have no fast path of their own.
    if let Some(class) = class
        && let Some(block) = front.bin(class).pop()
    {
        // Observers look at it as it was.
        allocated(front, block, size, align, caller);
        if contents == Contents::Zero {
            // SAFETY: a block of at least `size` bytes that nobody else has.
            unsafe { clear(block.as_ptr(), size) };
        }
        return Some(block);
    }
    let (block, zero) = match setup::enter() {
        Err(NoCache::Interrupted) => {
            let block = large::allocate_interrupted(wanted, align)?;
            (block.start, true)
        }
        cache if !is_ours(class.map_or(Tier::Large, SizeClass::tier)) => {
            drop(cache);
            return from_system(size, align, contents);
        }
        cache => match class {
            Some(class) => serve_class(&cache, class, contents)?,
            None => {
                let _timed = Observed::span(Path::LargeAllocate);
                let block = large::allocate(wanted, align)?;
                (block.start, block.zero)
            }
        },
    };
    allocated(Front::current(), block, size, align, caller);
    if contents == Contents::Zero && !zero {
        // SAFETY: as above.
        unsafe { clear(block.as_ptr(), size) };
    }
    Some(block)
}

/// The class that serves such a request; `None` for LARGE.
fn class_for(wanted: usize, align: usize) -> Option<SizeClass> {
    if wanted > MID_MAX {
        None
    } else if align <= MIN_ALIGN {
        Some(SizeClass::of(wanted))
    } else {
        SizeClass::of_aligned(wanted, align)
    }
}

/// A block of `class`, and whether it reads as zero.
fn serve_class(
    cache: &Result<Busy, NoCache>,
    class: SizeClass,
    contents: Contents,
) -> Option<(NonNull<u8>, bool)> {
    match cache {
        Ok(cache) => {
            if contents == Contents::Zero
                && let Some(block) = cache.take_fresh(class)
            {
                return Some((block, true));
            }
            Some((cache.refill(class)?, false))
        }
        Err(why) => {
            let orphans = parked::orphans(why)?;
            Some((orphans.cache()?.refill(class)?, false))
        }
    }
}
