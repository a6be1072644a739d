//! The fast paths of calls where hooks see blocks in brief: of those that come from the front, and go there.
//!
//! What else there is stands in functions that are called last: so these need no frame, and save no
//! registers.

use super::allocate::allocate_slow;
use super::free::{deallocate_slower, deallocate_untimed};
use super::resize::{is_worth_staying, move_to, resize_at_length};
use crate::observe::caller::{Caller, Origin, Told};
use crate::observe::{Observed, Observer, Release, Request};
use crate::size_class::{MID_MAX, MIN_ALIGN, SizeClass, TINY_MAX};
use crate::thread_cache::front::{Bin, Front};

/// As [`super::allocate`].
#[inline(always)]
pub(super) fn allocate(size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let (origin, told) = caller.parts();
    if size > TINY_MAX - Observed::BRIEF_TAIL {
        return allocate_larger(size, origin, told);
    }
    // SAFETY: at most TINY_MAX.
    let bin = unsafe { front.bin_for(size + Observed::BRIEF_TAIL) };
    match take(front, bin, size, caller) {
        Some(block) => block,
        None => allocate_slowly(size, origin, told),
    }
}

/// As [`allocate`], for POOL and MID; and LARGE passes through here.
#[inline(never)]
fn allocate_larger(size: usize, origin: Origin, told: Told) -> *mut u8 {
    let caller = Caller::of_parts(origin, told);
    let front = Front::current();
    if size <= MID_MAX - Observed::BRIEF_TAIL
        && let bin = front.bin(SizeClass::of(size + Observed::BRIEF_TAIL))
        && let Some(block) = take(front, bin, size, caller)
    {
        return block;
    }
    allocate_slowly(size, origin, told)
}

/// A block out of a bin of the front.
#[inline(always)]
fn take(front: &Front, bin: &Bin, size: usize, caller: Caller) -> Option<*mut u8> {
    let block = bin.pop()?.as_ptr();
    let request = Request {
        size,
        align: MIN_ALIGN,
        caller,
    };
    Observed::handed_out(block as usize, front.bytes_of(bin), &request);
    Some(block)
}

#[cold]
#[inline(never)]
fn allocate_slowly(size: usize, origin: Origin, told: Told) -> *mut u8 {
    allocate_slow(size, Caller::of_parts(origin, told))
}

/// As [`super::deallocate`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn deallocate(block: *mut u8, caller: Caller) {
    let front = Front::current();
    let address = block as usize;
    let (origin, told) = caller.parts();
    // Whether a place begins here the observer knows.
    if let Some(bin) = front.bin_of(address)
        && address.is_multiple_of(MIN_ALIGN)
        && Observed::taken_back(address, front.bytes_of(bin), &here(caller))
    {
        if !bin.push(block) {
            deallocate_slower(block);
        }
        return;
    }
    // SAFETY: the caller's clause.
    unsafe { deallocate_slowly(block, origin, told) }
}

/// The end of a block's use, by the thread that owns its slab.
#[inline(always)]
fn here(caller: Caller) -> Release {
    Release {
        caller,
        is_remote: false,
    }
}

/// # Safety
/// As of [`super::deallocate`].
#[inline(never)]
unsafe fn deallocate_slowly(block: *mut u8, origin: Origin, told: Told) {
    // SAFETY: the caller's clause.
    unsafe { deallocate_untimed(block, Caller::of_parts(origin, told)) }
}

/// As [`super::resize`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn resize(block: *mut u8, size: usize, caller: Caller) -> *mut u8 {
    let front = Front::current();
    let address = block as usize;
    let (origin, told) = caller.parts();
    if let Some(bin) = front.bin_of(address)
        && address.is_multiple_of(MIN_ALIGN)
        && let bytes = front.bytes_of(bin)
        && let Some(asked) = Observed::asked_of(address, bytes, &here(caller))
    {
        if is_worth_staying(size.saturating_add(Observed::BRIEF_TAIL), bytes) {
            let request = Request {
                size,
                align: MIN_ALIGN,
                caller,
            };
            Observed::stayed(address, bytes, &request);
            return block;
        }
        let new = allocate_new(size, origin, told);
        if !new.is_null() {
            // SAFETY: the caller's clause, and the new one has `size` bytes.
            unsafe { move_to(new, block, asked.min(size), caller) };
            return new;
        }
    }
    // SAFETY: the caller's clause.
    unsafe { resize_slowly(block, size, origin, told) }
}

#[inline(never)]
fn allocate_new(size: usize, origin: Origin, told: Told) -> *mut u8 {
    allocate(size, Caller::of_parts(origin, told))
}

/// # Safety
/// As of [`super::resize`].
#[inline(never)]
unsafe fn resize_slowly(block: *mut u8, size: usize, origin: Origin, told: Told) -> *mut u8 {
    // SAFETY: the caller's clause.
    unsafe { resize_at_length(block, size, Caller::of_parts(origin, told)) }
}
